package venture

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchyard/study/figure"
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/unit"
)

// gpus is a cloud of GPUs of 2 kW, 42,000 dollars each, for 2 dollars an hour, three quarters of the time.
func gpus() *input.Cloud {
	return &input.Cloud{
		ID: "gpus", PerGPU: mw(0.002), Capex: of(figure.PerGPU(42_000)), Rate: of(figure.PerGPUHour(2)), Use: pct(75),
		Decay: pct(20), Opex: pct(15), Life: months(48), Salvage: pct(10), Load: pct(80), Upkeep: kw(5), Property: pct(1.2),
	}
}

var renting = &input.Option{ID: "rent", Kind: "cloud", With: "gpus"}

func clouded(c *input.Cloud) *input.File {
	f := study()
	f.Clouds = []input.Cloud{*c}
	f.Halls[0].Build.P50 = 12
	return f
}

func TestGPUCloud(t *testing.T) {
	f := clouded(gpus())
	_, v := plan(t, f, renting, 0, 1, calm(f))
	if v.Begin != 1 || v.Operate != 13 || v.End != 62 {
		t.Errorf("begins %d, operates %d, ends %d", v.Begin, v.Operate, v.End)
	}
	near(t, "the hall", sum(v.Line[flow.Building]), -420e6, 1e-12)
	// 60 MW / 2 kW = 30,000 GPUs, bought a year after Start in the last month of building: 42,000 x 0.8.
	want(t, v, flow.Machines, 11, 0, -30_000*42_000*0.8, 0)
	// February 2029 is month 25, two years and one month: 30,000 x 75 % x 672 h x $2 x 0.8^(25/12), and
	// 0.8^(25/12) = 0.64 x 0.8^(1/12) = 0.64 x 0.98157652 = 0.62820897.
	near(t, "revenue", v.Line[flow.Cloud][25], 30_000*0.75*672*2*0.62820897, 1e-7)
	near(t, "staff", v.Line[flow.Service][25], -0.15*v.Line[flow.Cloud][25], 1e-12)
	want(t, v, flow.Energy, 25, -60*672*50)
	want(t, v, flow.Upkeep, 25, -300_000)
	want(t, v, flow.Property, 25, -420_000)
	if v.MW[25] != 60 {
		t.Errorf("%g MW carry GPUs", v.MW[25])
	}
	// After four years they are sold for a tenth of their price, and the hall stands idle.
	want(t, v, flow.Resale, 60, 0, 30_000*42_000*0.8*0.1)
	for _, l := range []flow.Line{flow.Cloud, flow.Energy, flow.Upkeep, flow.Property} {
		empty(t, v, l, 61, 144)
	}
}

func TestGPUsAreRenewed(t *testing.T) {
	c := gpus()
	c.Renew, c.GPUs, c.Prepaid, c.CreditCap = true, 10_000, pct(20), pct(50)
	f := clouded(c)
	p := calm(f)
	for i := range p.GPU {
		p.GPU[i] = 0.5
	}
	_, v := plan(t, f, renting, 0, 0, p)
	if v.MW[12] != 20 || v.MWh[12] != 20*0.8*1.25*744 {
		t.Errorf("10,000 GPUs are %g MW and %g MWh", v.MW[12], v.MWh[12])
	}
	first, second := 10_000*42_000*0.81501541, 10_000*42_000*0.8*0.8*0.8*0.8*0.8
	near(t, "the first", v.Line[flow.Machines][11], -first, 1e-7) // 0.8^(11/12)
	near(t, "the second", v.Line[flow.Machines][60], -second, 1e-12)
	// The third would come in month 108 of 144, with 36 months to go, more than half of its life.
	if v.Line[flow.Machines][108] == 0 || v.End != 144 {
		t.Error("they are not renewed in month 108")
	}
	near(t, "the first, sold", v.Line[flow.Resale][60], 0.1*-v.Line[flow.Machines][11], 1e-12)
	near(t, "the second, sold", v.Line[flow.Resale][108], 0.1*-v.Line[flow.Machines][60], 1e-12)
	// January 2028: 10,000 x 75 % x 744 h x $2 x 0.8 x 0.5 of the path.
	want(t, v, flow.Cloud, 12, 4_464_000)
	want(t, v, flow.Prepaid, 12, -0.2*v.Line[flow.Machines][11]-2_232_000)
	near(t, "prepaid less credits, over 84 million's revenue", sum(v.Line[flow.Prepaid]), 0, 0)
}

func TestGPUsAreNotRenewedForShort(t *testing.T) {
	c := gpus()
	c.Renew, c.Life = true, months(60)
	f := clouded(c)
	f.Years = 11 // 12 + 2 x 60 = 132: the second end of life is that of the study
	_, v := plan(t, f, renting, 0, 1, calm(f))
	if v.End != 132 {
		t.Errorf("ends in %d", v.End)
	}
	_, v = plan(t, f, renting, 0, 50, calm(f)) // operates in 62, renewed in 122 with 10 months to go: not
	if v.End != 123 || sum(v.Line[flow.Machines]) != v.Line[flow.Machines][61] {
		t.Errorf("ends in %d", v.End)
	}
	f.Clouds[0].Exit, f.Clouds[0].Rate = of(3.0), of(figure.PerGPUHour(20)) // somebody takes it over
	_, v = plan(t, f, renting, 0, 50, calm(f))
	if v.End != 132 || v.Line[flow.Machines][122] == 0 || v.Line[flow.Sale][131] == 0 {
		t.Errorf("with an exit it ends in %d", v.End)
	}
}

func TestWholeGPUs(t *testing.T) {
	c := cloud{each: 0.002} // MW; 0.086 over it is a little below 43 in binary
	for critical, n := range map[float64]float64{0.086: 43, 0.0879: 43, 0.088: 44, 0.0019: 0} {
		if got := c.gpus(critical); got != n {
			t.Errorf("%g MW carry %g GPUs, not %g", critical, got, n)
		}
	}
}

func TestNoGPUsForAHallWithoutPower(t *testing.T) {
	f := clouded(gpus())
	f.Site.Status, f.Site.Energised, f.Site.Chance = "approved", figure.MonthOf(2030, 1), pct(40)
	p := calm(f)
	_, v := plan(t, f, renting, 0, 0, p)
	empty(t, v, flow.Machines, 0, 144)
	f.Site.Chance = pct(60)
	_, v = plan(t, f, renting, 0, 0, p)
	if v.Operate != 36 || v.Line[flow.Machines][35] == 0 || v.Line[flow.Machines][11] != 0 {
		t.Error("GPUs are not bought the month before the power comes")
	}
}

func TestSellTheSite(t *testing.T) {
	f := study()
	low, high := figure.PerMW(500_000), figure.PerMW(1_800_000)
	f.Sales = []input.Sale{{ID: "site", Of: "site", Price: &figure.Spread[figure.PerMW]{P50: 900_000, P10: &low, P90: &high}, Costs: pct(3), After: months(6)}}
	f.Power.Blocks = []input.Block{{Power: mw(40), Price: of(unit.Price(25e6))}}
	f.Halls[0].Fleet = []input.Machines{{Model: "S19", Count: 1000, Hash: 100e12, Power: unit.Power(3e6), Resale: of(figure.PerTH(5)), Decay: pct(0), Uptime: pct(100)}}
	p := calm(f)
	before, v := plan(t, f, &input.Option{Kind: "sell", With: "site"}, 0, 12, p)
	want(t, before, flow.Mining, 17, 1e6, 0)
	want(t, before, flow.Resale, 17, 0, 500_000, 0)  // 1,000 x 100 TH/s x $5
	want(t, v, flow.Sale, 17, 0, 75*900_000*0.97, 0) // the hall's 75 MW
	empty(t, v, flow.Blocks, 0, 144)                 // they went with the site
	if v.Begin != 18 || v.Operate != 18 || v.End != 19 || before.End != 19 {
		t.Errorf("begins %d, ends %d, mining %d", v.Begin, v.End, before.End)
	}
	p.Cost[0] = 1.2815515655446004
	_, v = plan(t, f, &input.Option{Kind: "sell", With: "site"}, 0, 12, p)
	want(t, v, flow.Sale, 18, 75*1_800_000*0.97)
	// A closing after the study's end is not seen: it mines to the end.
	before, v = plan(t, f, &input.Option{Kind: "sell", With: "site"}, 0, 140, p)
	empty(t, v, flow.Sale, 0, 144)
	want(t, before, flow.Mining, 143, 1e6)
}

func TestSellThePower(t *testing.T) {
	f := study()
	f.Sales = []input.Sale{{ID: "power", Of: "power"}}
	f.Power.Blocks = []input.Block{{Power: mw(40), Price: of(unit.Price(25e6)), Until: figure.MonthOf(2030, 1)}}
	before, v := plan(t, f, &input.Option{Kind: "sell", With: "power"}, 0, 12, calm(f))
	want(t, before, flow.Mining, 11, 1e6, 0)
	want(t, v, flow.Blocks, 11, 0, 334_800) // 30 MW x 744 h x (40 - 25)
	want(t, v, flow.Blocks, 35, 334_800, 0)
	for l := range flow.Lines {
		if l != flow.Blocks {
			empty(t, v, l, 0, 144)
		}
	}
	if sum(v.MWh) != 0 || v.End != 144 {
		t.Error("something is drawn, or it ends")
	}
}

func TestGreenfield(t *testing.T) {
	l := core42()
	l.Kind = "net"
	f := hosted(l)
	f.Greenfields = []input.Greenfield{{
		ID: "new", Critical: mw(100), Capex: &figure.Spread[figure.PerMW]{P50: 11e6}, Build: &figure.Spread[figure.Months]{P50: 40},
		Land: usd(20e6), Lease: "core42", PUE: of(1.2),
	}}
	f.Site.Status, f.Site.Energised = "queued", figure.MonthOf(2038, 1) // of this site; that one has its own
	f.Power.Blocks = []input.Block{{Power: mw(40), Price: of(unit.Price(25e6))}}
	before, v := plan(t, f, &input.Option{Kind: "greenfield", With: "new"}, 1, 12, calm(f))
	near(t, "mining for ever", sum(before.Line[flow.Mining]), 144e6, 1e-12)
	if v.Begin != 12 || v.Operate != 52 || before.End != 144 {
		t.Errorf("begins %d, operates %d", v.Begin, v.Operate)
	}
	near(t, "capex and land", sum(v.Line[flow.Building]), -1120e6, 1e-12)
	// A quarter of the first tenth's 3 % of 1,100 $M is drawn in the first month, with the land.
	want(t, v, flow.Building, 11, 0, -20e6-8.25e6)
	want(t, v, flow.Rent, 51, 0, 12.5e6)
	want(t, v, flow.Property, 52, -1.1e6) // of the building, not of the land
	want(t, v, flow.Energy, 52, -100*0.8*1.2*744*50)
	empty(t, v, flow.Blocks, 0, 144)
	empty(t, v, flow.Sale, 0, 144)
	f.Greenfields[0].Exit, f.Leases[0].Exit = of(8.0), of(10.0) // the greenfield's counts
	_, v = plan(t, f, &input.Option{Kind: "greenfield", With: "new"}, 1, 12, calm(f))
	year := 0.0
	for m := 132; m < 144; m++ {
		year += v.EBITDA(m)
	}
	near(t, "its exit", v.Line[flow.Sale][143], 8*year, 1e-12)
}

func TestMineOn(t *testing.T) {
	f := study()
	before, v := plan(t, f, &input.Option{Kind: "mine"}, 0, 0, calm(f))
	if d := cmp.Diff(before, flow.New(144)); d != "" {
		t.Error("there is something before:", d)
	}
	near(t, "mined", sum(v.Line[flow.Mining]), 144e6, 1e-12)
	if v.Begin != 0 || v.Operate != 0 || v.End != 144 {
		t.Errorf("begins %d, operates %d, ends %d", v.Begin, v.Operate, v.End)
	}
}

func TestMonths(t *testing.T) {
	f := study()
	f.Leases = []input.Lease{*core42()}
	f.Halls[1].Convertible = false
	s, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    input.Option
		hall int
		want []int
	}{
		{input.Option{Kind: "host"}, 0, []int{0, 6, 12, 18, 24, 30, 36, 42, 48, 54, 60}},
		{input.Option{Kind: "host"}, 1, nil}, // cannot be converted
		{input.Option{Kind: "sell", Every: 24}, 1, []int{0, 24, 48}},
		{input.Option{Kind: "sell", Halls: []string{"north"}}, 1, nil},
		{input.Option{Kind: "mine", Every: 12}, 1, []int{0}},
		{input.Option{Kind: "host", From: figure.MonthOf(2026, 10), To: figure.MonthOf(2027, 7), Every: 3}, 0, []int{0, 3, 6}},
		{input.Option{Kind: "host", From: figure.MonthOf(2038, 7), To: figure.MonthOf(2045, 1)}, 0, []int{138}},
	} {
		if d := cmp.Diff(c.want, s.Months(&c.o, c.hall)); d != "" {
			t.Errorf("%+v: %s", c.o, d)
		}
	}
}

func TestDraw(t *testing.T) {
	f := hosted(core42())
	f.Financings = []input.Financing{{ID: "bank", Draw: []float64{0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0.5}}}
	o := *hosting
	o.Financing = "bank"
	f.Halls[0].Build.P50 = 4
	_, v := plan(t, f, &o, 0, 0, calm(f))
	want(t, v, flow.Building, 0, -210e6, 0, 0, -210e6, 0)
	f.Halls[0].Build.P50 = 20
	_, v = plan(t, f, &o, 0, 0, calm(f))
	want(t, v, flow.Building, 0, -105e6, -105e6, 0)
	// The horizon cuts off what is drawn later.
	_, v = plan(t, f, &o, 0, 143, calm(f))
	near(t, "drawn within the study", sum(v.Line[flow.Building]), -105e6, 1e-12)
}

func TestAStudyThatLacksSomething(t *testing.T) {
	for name, spoil := range map[string]func(f *input.File){
		"a lease without a rate":     func(f *input.File) { f.Leases[0].Rate = nil },
		"a lease of no kind":         func(f *input.File) { f.Leases[0].Kind = "triple" },
		"an option with nothing":     func(f *input.File) { f.Options = []input.Option{{ID: "x", Kind: "host", With: "nobody"}} },
		"an option of no kind":       func(f *input.File) { f.Options = []input.Option{{ID: "x", Kind: "pray"}} },
		"a cloud without life":       func(f *input.File) { f.Clouds = []input.Cloud{*gpus()}; f.Clouds[0].Life = nil },
		"a sale of a soul":           func(f *input.File) { f.Sales = []input.Sale{{ID: "x", Of: "soul"}} },
		"a site for nothing":         func(f *input.File) { f.Sales = []input.Sale{{ID: "x", Of: "site"}} },
		"a greenfield without lease": func(f *input.File) { f.Greenfields = []input.Greenfield{{ID: "x", Critical: mw(1)}} },
	} {
		f := hosted(core42())
		spoil(f)
		if _, err := New(f); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
}

func TestCase(t *testing.T) {
	f := clouded(gpus())
	f.Inflation = pct(10)
	s, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	want := Case{Begin: 12, Built: 24, Operates: 24, Critical: 60, Capex: 462e6, GPUs: 30_000}
	got := s.Case(renting, 0, 12, calm(f))
	got.Capex = float64(int(got.Capex + 0.5))
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
