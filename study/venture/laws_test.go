package venture

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"switchyard/study/figure"
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/mining"
	"switchyard/study/world"
	"switchyard/unit"
)

// everything is a study with an option of each kind.
func everything() *input.File {
	f := hosted(core42())
	low, high, early, late := figure.PerMW(5e6), figure.PerMW(10e6), figure.Months(8), figure.Months(16)
	f.Leases[0].Kind, f.Leases[0].TenantCapex, f.Leases[0].Interest = "net", pct(20), pct(6)
	f.Leases[0].Default, f.Leases[0].Relet = []unit.Ratio{0.05, 0.1}, months(6)
	f.Leases[0].Extensions = []input.Extension{{Term: 60, Chance: 0.7}}
	f.Halls[0].Capex = &figure.Spread[figure.PerMW]{P50: 7e6, P10: &low, P90: &high}
	f.Halls[0].Build = &figure.Spread[figure.Months]{P50: 10, P10: &early, P90: &late}
	f.Halls[0].Fleet = []input.Machines{{Model: "S19", Count: 20_000, Hash: 100e12, Power: unit.Power(3e6), Resale: of(figure.PerTH(5)), Decay: pct(30), Uptime: pct(96), Fee: pct(1)}}
	f.Clouds = []input.Cloud{*gpus()}
	f.Clouds[0].Renew, f.Clouds[0].Prepaid = true, pct(10)
	f.Sales = []input.Sale{
		{ID: "site", Of: "site", Price: &figure.Spread[figure.PerMW]{P50: 900_000, P10: &low, P90: &high}, After: months(6)},
		{ID: "power", Of: "power"},
	}
	f.Greenfields = []input.Greenfield{{ID: "new", Critical: mw(100), Capex: f.Halls[0].Capex, Build: f.Halls[0].Build, Land: usd(20e6), Lease: "core42"}}
	f.Power.Blocks = []input.Block{{Power: mw(40), Price: of(unit.Price(25e6))}}
	f.Power.Demand = kw(5)
	f.Options = []input.Option{
		{ID: "mine", Kind: "mine"},
		{ID: "host", Kind: "host", With: "core42"},
		{ID: "cloud", Kind: "cloud", With: "gpus"},
		{ID: "site", Kind: "sell", With: "site"},
		{ID: "power", Kind: "sell", With: "power"},
		{ID: "green", Kind: "greenfield", With: "new"},
	}
	return f
}

// wild draws a path in which anything may happen.
func wild(t *rapid.T, f *input.File) *world.Path {
	p := calm(f)
	share := func(name string, least, most float64) float64 { return rapid.Float64Range(least, most).Draw(t, name) }
	for h := range f.Halls {
		p.Cost[h], p.Delay[h] = share("cost", -4, 4), share("delay", -4, 4)
		p.Failure[h], p.Extend[h] = share("failure", 0, 1), share("extend", 0, 1)
	}
	p.Fixed, p.Energised = rapid.Bool().Draw(t, "fixed"), share("energised", 0, 1)
	p.Longer, p.FailsAt = rapid.IntRange(-20, 150).Draw(t, "longer"), rapid.IntRange(0, 150).Draw(t, "fails")
	level, spike, gpu := share("level", 0.1, 5), share("spike", 0, 2000), share("gpu", 0, 3)
	for k := range p.Level {
		p.Level[k], p.Spike[k], p.GPU[k] = level, spike, gpu
	}
	return p
}

// TestNothingOutsideItsTime holds flows to their time, and all of them to be numbers.
func TestNothingOutsideItsTime(t *testing.T) {
	f := everything()
	rapid.Check(t, func(t *rapid.T) {
		if rapid.Bool().Draw(t, "queued") {
			f.Site.Status, f.Site.Energised, f.Site.Chance = "queued", figure.MonthOf(2030, 1), pct(50)
		} else {
			f.Site.Status = "energised"
		}
		s, err := New(f)
		if err != nil {
			t.Fatal(err)
		}
		o := rapid.SampledFrom(f.Options).Draw(t, "option")
		begin := rapid.IntRange(0, 143).Draw(t, "begin")
		before, v := flow.New(144), flow.New(144)
		s.Plan(&o, 0, begin, wild(t, f), mined(f), before, v)
		if v.Begin < 0 || v.Begin > v.Operate || v.Operate > v.End || v.End > 144 || before.End > 144 {
			t.Fatalf("%s: begins %d, operates %d, ends %d; before ends %d", o.ID, v.Begin, v.Operate, v.End, before.End)
		}
		for l := range flow.Lines {
			for m := range 144 {
				x, y := v.Line[l][m], before.Line[l][m]
				if math.IsNaN(x+y) || math.IsInf(x+y, 0) {
					t.Fatalf("%s: %s of month %d is %g and %g", o.ID, l.Key(), m, x, y)
				}
				early := m < v.Begin || m < v.Operate && l.Operating() && l != flow.Blocks
				// A site's blocks are its halls' even when nothing runs in them.
				late := m >= v.End && l != flow.Blocks
				if x != 0 && (early || late) || y != 0 && m >= before.End {
					t.Fatalf("%s: %s of month %d is %g and before %g; operates %d, ends %d", o.ID, l.Key(), m, x, y, v.Operate, v.End)
				}
			}
		}
		if v.Failed >= 0 && (v.Failed < v.Operate || v.Failed >= v.End) {
			t.Fatalf("failed in %d", v.Failed)
		}
	})
}

// TestPaidAheadIsCredited holds what a tenant paid ahead to come back to it in full when the lease runs
// its course and its credits suffice.
func TestPaidAheadIsCredited(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := hosted(core42())
		l := &f.Leases[0]
		l.Interest, l.Escalator = pct(rapid.Float64Range(0, 8).Draw(t, "interest")), pct(rapid.Float64Range(0, 5).Draw(t, "escalator"))
		l.Prepaid, l.TenantCapex = months(rapid.IntRange(0, 24).Draw(t, "prepaid")), pct(rapid.Float64Range(0, 30).Draw(t, "tenant"))
		_, v := plan(t, f, hosting, 0, rapid.IntRange(0, 12).Draw(t, "begin"), calm(f))
		// At most 126 $M and two years' interest, and 180 $M: credits are at least 3.75 $M x 120 = 450 $M.
		for _, line := range []flow.Line{flow.Prepaid, flow.TenantPut} {
			if s := sum(v.Line[line]); math.Abs(s) > 1 {
				t.Fatalf("%s sums to %g", line.Key(), s)
			}
		}
	})
}

// TestScenariosActOnWhatTheySay moves one factor at a time and wants only its lines to move.
func TestScenariosActOnWhatTheySay(t *testing.T) {
	f := everything()
	type lines map[flow.Line]float64 // by what factor a line's sum moves; zero: by some other
	for name, c := range map[string]struct {
		option int
		move   func(*world.Path)
		moves  lines
	}{
		"rent":            {1, func(p *world.Path) { p.RentFactor = 1.5 }, lines{flow.Rent: 1.5, flow.Service: 1.5, flow.TenantCost: 0, flow.TenantPut: 0, flow.Prepaid: 0}},
		"capex of a hall": {1, func(p *world.Path) { p.CapexFactor = 1.5 }, lines{flow.Building: 1.5, flow.Property: 1.5, flow.Passed: 0, flow.TenantCost: 0, flow.TenantPut: 0, flow.Prepaid: 0}},
		"capex of GPUs":   {2, func(p *world.Path) { p.CapexFactor = 1.5 }, lines{flow.Building: 1.5, flow.Property: 1.5, flow.Machines: 1.5, flow.Resale: 1.5, flow.Prepaid: 0}},
		"land and all":    {5, func(p *world.Path) { p.CapexFactor = 2 }, lines{flow.Building: 2, flow.Property: 2, flow.Passed: 0, flow.TenantCost: 0, flow.TenantPut: 0, flow.Prepaid: 0}},
		"GPU rates":       {2, factorGPU, lines{flow.Cloud: 0.5, flow.Service: 0.5, flow.Prepaid: 0}},
		"GPU rates, host": {1, factorGPU, lines{}},
		"power":           {1, factorPower, lines{flow.Energy: 0, flow.Passed: 0, flow.Blocks: 0}},
		"power, sold":     {3, factorPower, lines{}},
		"rents, cloud":    {2, func(p *world.Path) { p.RentFactor = 1.5 }, lines{}},
		"bitcoin, host":   {1, func(p *world.Path) { p.Price[50], p.Hashprice[50], p.Difficulty[50] = 1, 1, 1 }, lines{}},
	} {
		t.Run(name, func(t *testing.T) {
			p := calm(f)
			_, was := plan(t, f, &f.Options[c.option], 0, 6, p)
			c.move(p)
			_, is := plan(t, f, &f.Options[c.option], 0, 6, p)
			for l := range flow.Lines {
				by, moves := c.moves[l]
				same := true
				for m := range was.Line[l] {
					same = same && was.Line[l][m] == is.Line[l][m]
				}
				if same == moves {
					t.Errorf("%s moves: %v", l.Key(), !same)
				}
				if by != 0 {
					near(t, l.Key(), sum(is.Line[l]), by*sum(was.Line[l]), 1e-9)
				}
			}
			if is.Operate != was.Operate || is.Failed != was.Failed {
				t.Error("it moves in time")
			}
		})
	}
}

func factorGPU(p *world.Path) {
	for m := range p.GPU {
		p.GPU[m] = 0.5
	}
}

func factorPower(p *world.Path) {
	for m := range p.Level {
		p.Level[m] = 1.5
	}
}

func TestLongerBuilding(t *testing.T) {
	f := everything()
	p := calm(f)
	p.Longer = 7
	for i, operates := range map[int]int{1: 6 + 10 + 7, 2: 6 + 10 + 7, 5: 6 + 10 + 7} {
		if _, v := plan(t, f, &f.Options[i], 0, 6, p); v.Operate != operates {
			t.Errorf("%s operates in %d, not %d", f.Options[i].ID, v.Operate, operates)
		}
	}
	p.Longer = 0
	// A delay at the ninetieth of a hundred: 16 months; beyond it 10 x 1.6^2 = 25.6.
	for z, operates := range map[float64]int{1.2815515655446004: 6 + 16, 2 * 1.2815515655446004: 6 + 26, -1.2815515655446004: 6 + 8} {
		p.Delay[0] = z
		if _, v := plan(t, f, &f.Options[1], 0, 6, p); v.Operate != operates {
			t.Errorf("at %g it operates in %d, not %d", z, v.Operate, operates)
		}
	}
	// The cost at the tenth of a hundred is 5 $M/MW.
	p.Cost[0] = -1.2815515655446004
	_, v := plan(t, f, &f.Options[1], 0, 6, p)
	near(t, "the tenth of a hundred", sum(v.Line[flow.Building]), -300e6, 1e-9)
}

// TestHowOftenTenantsFailAndStay draws many and holds their shares to the chances in the file, within
// four standard errors.
func TestHowOftenTenantsFailAndStay(t *testing.T) {
	f := hosted(core42())
	l := &f.Leases[0]
	l.Default, l.Term, l.Prepaid = []unit.Ratio{0.10, 0.05, 0.02}, months(48), nil
	l.Extensions = []input.Extension{{Term: 24, Chance: 0.6}, {Term: 12, Chance: 0.5}}
	l.Relet = months(1)
	f.Halls[0].Build.P50 = 0
	s, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	const n = 40_000
	random := rand.New(rand.NewPCG(1, 2))
	p, before, v := calm(f), flow.New(144), flow.New(144)
	p.Fixed = false
	var failed [12]float64
	stayed := map[int]float64{}
	for range n {
		p.Failure[0], p.Extend[0] = random.Float64(), random.Float64()
		s.Plan(hosting, 0, 0, p, nil, before, v)
		if v.Failed >= 0 {
			failed[v.Failed/12]++
			continue
		}
		for _, end := range []int{48, 72, 84} {
			if v.MW[end] == 0 {
				stayed[end]++
			}
		}
	}
	share := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got/n-want) > 4*math.Sqrt(want*(1-want)/n) {
			t.Errorf("%s: %.4f of all, not %.4f", what, got/n, want)
		}
	}
	four := 0.90 * 0.95 * 0.98 * 0.98 // are there after four years
	share("fail in the first year", failed[0], 0.10)
	share("fail in the second year", failed[1], 0.90*0.05)
	share("fail in the third year", failed[2], 0.90*0.95*0.02)
	share("fail in the fifth year", failed[4], four*0.60*0.02)
	share("fail in the seventh year", failed[6], four*0.98*0.98*0.30*0.02)
	share("fail later", failed[7]+failed[8]+failed[9]+failed[10]+failed[11], 0)
	share("leave after four years", stayed[48], four*0.4)
	share("leave after six years", stayed[72], four*0.98*0.98*0.3)
	share("leave after seven years", stayed[84], four*0.98*0.98*0.98*0.3)
}

func TestPlanAllocatesNothing(t *testing.T) {
	f := everything()
	s, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	p, before, v := calm(f), flow.New(144), flow.New(144)
	m := mined(f)
	for i := range f.Options {
		o := &f.Options[i]
		if n := testing.AllocsPerRun(20, func() { s.Plan(o, 0, 6, p, m, before, v) }); n != 0 {
			t.Errorf("%s allocates %g times", o.ID, n)
		}
	}
}

func BenchmarkPlan(b *testing.B) {
	f := everything()
	s, err := New(f)
	if err != nil {
		b.Fatal(err)
	}
	p, before, v := calm(f), flow.New(144), flow.New(144)
	m := make([]mining.Month, 144)
	p.Fixed, p.Failure[0], p.Cost[0], p.Delay[0] = false, 1, 0.3, -0.2
	for i := range f.Options {
		b.Run(f.Options[i].ID, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Plan(&f.Options[i], 0, 6, p, m, before, v)
			}
		})
	}
}
