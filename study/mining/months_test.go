package mining

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/study/figure"
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/power"
	"switchyard/unit"
)

// By hand: 1,000 machines of 200 TH/s and 4,000 W are 200 PH/s and 4 MW; at 98 % uptime 196 PH/s and,
// with a PUE of 1.05, 4.116 MW. At 50 $/PH/day less 2 % their MWh earns
// 50 x 0.98 / (0.024 x 20 J/TH x 1.05) = 97.2222 $. Half of January's 744 hours cost 30 $/MWh with the
// adder, half 130 $.
func TestMonthByHand(t *testing.T) {
	m := machines(1000, 200, 4000)
	m.Uptime, m.Fee = ratio(0.98), ratio(0.02)
	f := file([]float64{20, 120}, m)
	f.Site.MiningPUE = of(1.05)
	f.Power.Adder = dollars(10)
	f.Power.Demand, f.Power.Coincident, f.Power.Avoided = of(unit.DollarsPerKWMonth(3)), of(figure.Dollars(48)), ratio(0.75)
	f.Power.Programmes = of(unit.DollarsPerKWMonth(2))
	f.Halls[0].Upkeep = of(unit.DollarsPerKWMonth(1.5))
	p := path(f, 50)
	fleet := New(f, 0, power.New(f))
	near(t, "draw", fleet.Draw(0), 4.2)
	near(t, "hash", fleet.Hash(0), 196)
	near(t, "breakeven", 50*fleet.Breakeven(0), 50*0.98/(0.024*20*1.05))
	mwh := 4.116 * 372
	want := Month{
		Revenue: 196 * 50 * 15.5, PoolFee: -0.02 * 196 * 50 * 15.5, Energy: -mwh * 30,
		Demand:     -4.2 * (3000 + 0.25*48_000/12),
		Programmes: 2000 * 4.116 * 0.5,
		Upkeep:     -1.5 * 25_000,
		MWh:        mwh, BTC: 196 * 50 * 15.5 / 100_000, Share: 0.5,
	}
	out := make([]Month, 48)
	fleet.Months(p, out)
	near(t, "net", out[0].Net(), want.Net())
	if d := cmp.Diff(want, out[0], cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(b)) })); d != "" {
		t.Error(d)
	}
}

// At 10 and 90 $/MWh (mean 50), perfect curtailment runs half of the hours below 60 $ a MWh earned; to
// run always is worth it too, and not when it earns 40 $.
func TestCapture(t *testing.T) {
	for _, c := range []struct{ worth, capture, share, paid float64 }{
		{60, 1, 0.5, 0.5 * 10},
		{60, 0, 1, 50},
		{60, 0.8, 0.8*0.5 + 0.2, 0.8*0.5*10 + 0.2*50},
		{40, 1, 0.5, 0.5 * 10},
		{40, 0, 0, 0},
		{40, 0.8, 0.4, 0.8 * 0.5 * 10},
		{50, 0, 1, 50}, // worth just its cost: it runs
		{5, 0.8, 0, 0},
		{95, 0.3, 1, 50},
	} {
		f := file([]float64{10, 90}, machines(1000, 100, 2500)) // 25 J/TH: 0.6 $/MWh for each $/PH/day below
		f.Power.Capture = ratio(c.capture)
		m := mine(f, path(f, c.worth*0.6))[0]
		near(t, "share", m.Share, c.share)
		near(t, "energy", m.Energy, -c.paid*2.5*744)
		near(t, "revenue", m.Revenue, c.share*c.worth*2.5*744)
	}
}

// Where capture is not given the backtest's holds, and its income.
func TestBacktest(t *testing.T) {
	f := file([]float64{10, 90}, machines(1000, 100, 2500))
	f.Backtest = &input.Backtest{Capture: 0.8, Income: 24_000}
	m := mine(f, path(f, 36))[0]
	near(t, "share", m.Share, 0.6)
	near(t, "programmes", m.Programmes, 2000*2.5*0.6)
	f.Power.Capture, f.Power.Programmes = ratio(1), of(unit.DollarsPerKWMonth(1))
	m = mine(f, path(f, 36))[0]
	near(t, "share, as the file says", m.Share, 0.5)
	near(t, "programmes, as the file says", m.Programmes, 1000*2.5*0.5)
}

// Of what perfect curtailment gains over running always, or never, capture is achieved: exactly.
func TestCaptureIsAShareOfTheGain(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		prices := rapid.SliceOfN(rapid.Float64Range(-50, 300), 1, 50).Draw(rt, "prices")
		f := file(prices)
		mixed(f)
		p := path(f, rapid.Float64Range(5, 150).Draw(rt, "hashprice"))
		at := func(c float64) float64 {
			f.Power.Capture = ratio(c)
			return margin(mine(f, p)[0])
		}
		c := rapid.Float64Range(0, 1).Draw(rt, "capture")
		never, full, some := at(0), at(1), at(c)
		if never < 0 || full < never-1e-6 || math.Abs(some-(c*full+(1-c)*never)) > 1e-6*max(1, full) {
			rt.Fatalf("captured 0: %v, %v: %v, 1: %v", never, c, some, full)
		}
	})
}

// A fixed-price block that may be resold changes its own line and nothing else.
func TestBlockWithResaleChangesNothingElse(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		prices := rapid.SliceOfN(rapid.Float64Range(-50, 300), 1, 50).Draw(rt, "prices")
		f := file(prices)
		mixed(f)
		f.Power.Demand = of(unit.DollarsPerKWMonth(3))
		p := path(f, rapid.Float64Range(5, 150).Draw(rt, "hashprice"))
		without := mine(f, p)
		price := rapid.Float64Range(0, 100).Draw(rt, "price")
		f.Power.Blocks = []input.Block{{Power: of(20 * unit.Megawatt), Price: dollars(price)}}
		tariff := power.New(f)
		for k, m := range mine(f, p) {
			if want := tariff.Hours(k) * 20 * (tariff.Market(k, p) - f.Power.Blocks[0].Price.Is.DollarsPerMWh()); math.Abs(m.Blocks-want) > 1e-6*max(1, math.Abs(want)) {
				rt.Fatalf("month %d: the block brings %v, want %v", k, m.Blocks, want)
			}
			m.Blocks = 0
			if m != without[k] {
				rt.Fatalf("month %d: %+v, without the block %+v", k, m, without[k])
			}
		}
	})
}

// A block that is lost when it is not drawn lets its share of the machines, the best first, run at the
// adder alone. By hand: 5 MW of two models of 20 and 40 J/TH, 2.5 MW each, 4 MW covered; at 24 $/PH/day their
// MWh earns 50 and 25 $; 10 and 60 $/MWh in the market.
func TestBlockWithoutResale(t *testing.T) {
	no := false
	f := file([]float64{10, 60}, machines(1000, 62.5, 2500), machines(1000, 125, 2500))
	f.Power.Blocks = []input.Block{{Power: of(4 * unit.Megawatt), Price: dollars(35), Resale: &no}}
	f.Power.Adder = dollars(2)
	m := mine(f, path(f, 24))[0]
	near(t, "blocks", m.Blocks, -744*4*35)
	near(t, "MWh", m.MWh, 744*(2.5+1.5+1*0.5))
	near(t, "energy", m.Energy, -744*(4*2+1*0.5*12))
	near(t, "revenue", m.Revenue, 744*(2.5*50+(1.5+0.5)*25))
	// When the adder alone is more than it earns, covered machines rest too; the block is paid for.
	f.Power.Adder = dollars(30)
	m = mine(f, path(f, 24))[0]
	near(t, "MWh of the better ones alone", m.MWh, 744*2.5)
	near(t, "blocks still", m.Blocks, -744*4*35)
	// What is not covered runs in the hours that are cheap with the adder: 1 MW in half of them.
	for k := range f.Curve {
		f.Curve[k] = []float64{-20, 60}
	}
	m = mine(f, path(f, 24))[0]
	near(t, "MWh at cheap hours", m.MWh, 744*(2.5+1*0.5))
	near(t, "energy at cheap hours", m.Energy, -744*(2.5*30+1*0.5*10))
}

// A block of machines that would not earn its month's demand charge rests and does not owe it: 1 MW at
// 0.5 x (60 - 10) $/MWh in 744 hours earns 18,600 $.
func TestDemandIsWorthItOrNotOwed(t *testing.T) {
	for _, c := range []struct{ demand, share, paid float64 }{{18.59, 0.5, -18_590}, {18.61, 0, 0}} {
		f := file([]float64{10, 90}, machines(1000, 40, 1000)) // 25 J/TH
		f.Power.Demand = of(unit.DollarsPerKWMonth(c.demand))
		f.Halls[0].Upkeep = of(unit.DollarsPerKWMonth(1))
		m := mine(f, path(f, 36))[0]
		near(t, "share", m.Share, c.share)
		near(t, "demand", m.Demand, c.paid)
		near(t, "upkeep of a month at rest", m.Upkeep, -25_000)
	}
}

func TestUpkeepFollowsInflation(t *testing.T) {
	f := file([]float64{10}, machines(1, 100, 2500))
	f.Halls[0].Upkeep, f.Inflation = of(unit.DollarsPerKWMonth(2)), ratio(0.03)
	out := mine(f, path(f, 50))
	for k, want := range map[int]float64{0: 1, 11: 1, 12: 1.03, 23: 1.03, 24: 1.0609, 47: 1.092727} {
		near(t, "upkeep", out[k].Upkeep, -50_000*want)
	}
}

// Of an idle hall nothing moves but its part of the site's blocks.
func TestIdleHall(t *testing.T) {
	f := file([]float64{40})
	f.Halls[0].Upkeep = of(unit.DollarsPerKWMonth(2))
	f.Power.Blocks = []input.Block{{Power: of(10 * unit.Megawatt), Price: dollars(30)}}
	if d := cmp.Diff(Month{Blocks: 744 * 10 * 10}, mine(f, path(f, 50))[0]); d != "" {
		t.Error(d)
	}
}

// By hand: machines improve by 20 % a year, and are renewed every 18 months from 20 J/TH and 15 $/TH of Start.
func TestRenewal(t *testing.T) {
	m := machines(1000, 100, 3000) // 30 J/TH, 3 MW, 100,000 TH/s
	m.Resale, m.Decay = of(figure.PerTH(6)), ratio(0.4)
	m.Renew = &input.Renewal{Every: 18, Efficiency: of(unit.Efficiency(20)), Price: of(figure.PerTH(15))}
	m.Curve = []input.Mode{{Hash: 60 * unit.TeraHash, Power: 1500 * unit.Watt}}
	f := file([]float64{10}, m)
	f.Bitcoin.Improvement = ratio(0.2)
	fleet := New(f, 0, power.New(f))
	out := make([]Month, 48)
	fleet.Months(path(f, 50), out)
	better := math.Pow(0.8, 1.5)
	th, price := 150_000/better, 15*better
	for k, m := range out {
		bought, sold, hash := 0.0, 0.0, 100.0
		switch k {
		case 18:
			bought, sold = -th*price, 100_000*6*math.Exp(-0.4*1.5)
		case 36:
			bought, sold = -150_000*15, th*price*math.Exp(-0.4*1.5) // price falls as hash rises
		}
		if k >= 18 {
			hash = th / 1000
		}
		if k >= 36 {
			hash = 150 / 0.512
		}
		near(t, "renewal", m.Renewal, bought)
		near(t, "old machines", m.Resale, sold)
		near(t, "hash", fleet.Hash(k), hash)
		near(t, "draw", fleet.Draw(k), 3)
		near(t, "revenue", m.Revenue, hash*50*fleet.tariff.Hours(k)/24)
	}
	near(t, "resale at Start", fleet.Resale(0, nil), 600_000)
	near(t, "resale after a year", fleet.Resale(12, nil), 600_000*math.Exp(-0.4))
	near(t, "resale in the month of a renewal is of the old ones", fleet.Resale(18, nil), 600_000*math.Exp(-0.6))
	near(t, "resale of new ones after three months", fleet.Resale(21, nil), th*price*math.Exp(-0.1))
	near(t, "resale at the end", fleet.Resale(48, nil), 150_000*15*math.Exp(-0.4))
}

func TestAdd(t *testing.T) {
	m := machines(5000, 100, 2500)
	m.Resale, m.Renew = of(figure.PerTH(6)), &input.Renewal{Every: 6, Efficiency: of(unit.Efficiency(20)), Price: of(figure.PerTH(15))}
	f := file([]float64{10, 90}, m)
	f.Power.Demand, f.Power.Programmes = of(unit.DollarsPerKWMonth(1)), of(unit.DollarsPerKWMonth(1))
	f.Power.Blocks = []input.Block{{Power: of(10 * unit.Megawatt), Price: dollars(30)}}
	f.Halls[0].Upkeep = of(unit.DollarsPerKWMonth(2))
	f.Halls[0].Fleet[0].Fee = ratio(0.01)
	fleet := New(f, 0, power.New(f))
	out, into := make([]Month, 48), flow.New(48)
	fleet.Months(path(f, 50), out)
	fleet.Add(3, 13, out, into)
	for k := range out {
		want, mwh := 0.0, 0.0
		if k >= 3 && k < 13 {
			want, mwh = out[k].Net(), out[k].MWh
		}
		near(t, "net", into.Net(k), want)
		near(t, "MWh", into.MWh[k], mwh)
	}
	near(t, "capex is no cost of operation", into.EBITDA(6), out[6].Net()-out[6].Renewal-out[6].Resale)
}

func TestNothingIsAllocated(t *testing.T) {
	f := file([]float64{10, 50, 90})
	mixed(f)
	fleet, p := New(f, 0, power.New(f)), path(f, 50)
	out, into := make([]Month, 48), flow.New(48)
	if n := testing.AllocsPerRun(20, func() {
		fleet.Months(p, out)
		fleet.Add(0, 48, out, into)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMonths(b *testing.B) {
	prices := make([]float64, 744)
	for k := range prices {
		prices[k] = math.Exp(float64(k)/float64(len(prices))*5) - 10
	}
	f := file(prices)
	mixed(f)
	f.Years = 12
	f.Power.SpikeHours, f.Power.Capture = of(12.0), ratio(0.9)
	fleet, p := New(f, 0, power.New(f)), path(f, 50)
	for k := range p.Hashprice {
		p.Hashprice[k] = 30 + float64(k*37%60)
		p.Spike[k] = float64(k % 5 * 100)
	}
	out := make([]Month, 144)
	for b.Loop() {
		fleet.Months(p, out)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*144*len(fleet.at(0).blocks)), "ns/block")
}
