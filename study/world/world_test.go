package world

import (
	"math"
	"math/big"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/market"
	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/study/world/exact"
	"switchyard/unit"
)

// TestStreams: the generator is SplitMix64; its first numbers from zero are those of the published
// implementation (Vigna, splitmix64.c; also the seeding test of java.util.SplittableRandom).
func TestStreams(t *testing.T) {
	for n, want := range []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f, 0xf88bb8a8724c81ec} {
		if got := stream(0).bits(n); got != want {
			t.Errorf("number %d is %#x, want %#x", n, got, want)
		}
	}
	// Neighbouring keys are unrelated: correlations over seeds, paths, variables and months.
	var same, path, seed, month, kind sample
	const n = 200_000
	for i := range n {
		z := streamOf(7, i, priceMoves).normal(5)
		same.add(z * z)
		path.add(z * streamOf(7, i+1, priceMoves).normal(5))
		seed.add(z * streamOf(8, i, priceMoves).normal(5))
		month.add(z * streamOf(7, i, priceMoves).normal(6))
		kind.add(z * streamOf(7, i, networkMoves).normal(5))
	}
	same.is(t, "the variance", 1)
	path.is(t, "the correlation of paths", 0)
	seed.is(t, "the correlation of seeds", 0)
	month.is(t, "the correlation of months", 0)
	kind.is(t, "the correlation of variables", 0)
}

// TestMoments: over many paths the price of bitcoin has the forward price for its mean, the power
// level its growth, each with the variance of its closed form, and their monthly moves the correlation
// that the file says.
func TestMoments(t *testing.T) {
	f := study()
	m := model(t, f)
	p := m.NewPath()
	const at, paths = 60, 40_000
	var price, logPrice, level, logLevel, earlier, moves, spike, gpu, logGPU sample
	for i := range paths {
		m.Draw(3, i, p)
		price.add(p.Price[at])
		logPrice.add(math.Log(p.Price[at]))
		level.add(p.Level[at])
		earlier.add(p.Level[1])
		logLevel.add(math.Log(p.Level[at]))
		// The first move of both, in standard deviations.
		z := (math.Log(p.Price[1]/p.Price[0]) - math.Log(1.05)/12 + 0.55*0.55/24) / (0.55 / math.Sqrt(12))
		moves.add(z * math.Log(p.Level[1]/math.Pow(1.03, 1.0/12)))
		spike.add(p.Spike[at])
		gpu.add(p.GPU[at])
		logGPU.add(math.Log(p.GPU[at]))
	}
	price.is(t, "the price after five years", 100_000*math.Pow(1.05, 5))
	logPrice.is(t, "the logarithm of the price", math.Log(100_000*math.Pow(1.05, 5))-0.55*0.55/2*5)
	near(t, "its variance", logPrice.variance(), 0.55*0.55*5, 0.03)
	level.is(t, "the power level after five years", math.Pow(1.03, 5))
	earlier.is(t, "the power level after a month", math.Pow(1.03, 1.0/12))
	// Of an Ornstein-Uhlenbeck process dX = -k X dt + s dW from zero: s^2 (1 - exp(-2kt)) / 2k.
	k := 12 * math.Ln2 / 2
	near(t, "the variance of its logarithm", logLevel.variance(), 0.36/(2*k), 0.03)
	first := 0.36 * (1 - math.Exp(-2*k/12)) / (2 * k)
	moves.is(t, "the covariance of power and bitcoin", 0.3*math.Sqrt(first))
	spike.is(t, "the spike", 0.1*400)
	gpu.is(t, "the GPU rate", 1)
	near(t, "the variance of its logarithm", logGPU.variance(), 0.25*0.25*5, 0.03)
}

// TestReturns: the log-Ornstein-Uhlenbeck level forgets as fast as its half-life says: the
// autocovariance over n months is the variance times a half to the n/half-life.
func TestReturns(t *testing.T) {
	f := study()
	f.Power.HalfLife, f.Power.Growth = months(3), of(unit.Ratio(0))
	m := model(t, f)
	p := m.NewPath()
	k := 12 * math.Ln2 / 3
	v := 0.36 / (2 * k)
	var three, six sample
	for i := range 40_000 {
		m.Draw(4, i, p)
		x := math.Log(p.Level[60]) + v/2
		three.add(x * (math.Log(p.Level[63]) + v/2))
		six.add(x * (math.Log(p.Level[66]) + v/2))
	}
	three.is(t, "the autocovariance over three months", v/2)
	six.is(t, "the autocovariance over six months", v/4)
}

// TestMargrabe: an option to exchange 100 for 100 in a year, of volatilities 60 % and 30 % correlated by
// 0.1, is worth 25.2331 (Margrabe, Journal of Finance 33, 1978); here of two worlds' prices drawn
// month by month.
func TestMargrabe(t *testing.T) {
	const rho, first, second = 0.1, 0.6, 0.3
	f := study()
	f.Years, f.Bitcoin.Drift = 2, of(unit.Ratio(0))
	f.Bitcoin.Price, f.Bitcoin.Volatility = of(figure.Dollars(100)), of(unit.Ratio(first))
	// The level of power without a way back to its mean is the other.
	f.Power.Growth, f.Power.Volatility, f.Power.HalfLife = of(unit.Ratio(0)), of(unit.Ratio(second)), months(1_000_000)
	f.Bitcoin.PowerCorrelation = of(rho)
	m := model(t, f)
	p := m.NewPath()
	var value, covariance sample
	for i := range 200_000 {
		m.Draw(11, i, p)
		value.add(max(p.Price[12]-100*p.Level[12], 0))
		covariance.add((math.Log(p.Price[12]/100) + first*first/2) * (math.Log(p.Level[12]) + second*second/2))
	}
	value.is(t, "the exchange option", 25.2331)
	covariance.is(t, "the covariance", rho*first*second)
	t.Logf("%.4f with a standard error of %.4f", value.mean(), math.Sqrt(value.variance()/value.n))
}

// TestHalls: standard normal numbers with the correlations that drawHalls says, and uniform ones.
func TestHalls(t *testing.T) {
	m := model(t, study())
	p := m.NewPath()
	var cost, delay, within, costs, delays, across, fails, stays, grid sample
	for i := range 100_000 {
		m.Draw(5, i, p)
		cost.add(p.Cost[2])
		delay.add(p.Delay[2])
		within.add(p.Cost[1] * p.Delay[1])
		costs.add(p.Cost[0] * p.Cost[3])
		delays.add(p.Delay[0] * p.Delay[3])
		across.add(p.Cost[0] * p.Delay[3])
		fails.add(p.Failure[1])
		stays.add(p.Extend[1])
		grid.add(p.Energised)
	}
	cost.is(t, "the cost", 0)
	near(t, "its variance", cost.variance(), 1, 0.02)
	delay.is(t, "the delay", 0)
	near(t, "its variance", delay.variance(), 1, 0.02)
	within.is(t, "the correlation of cost and delay", 0.5)
	costs.is(t, "the correlation of two halls' costs", 0.5)
	delays.is(t, "the correlation of two halls' delays", 0.5)
	across.is(t, "the correlation of a cost and another hall's delay", 0.25)
	for what, s := range map[string]*sample{"Failure": &fails, "Extend": &stays, "Energised": &grid} {
		s.is(t, what, 0.5)
		near(t, "the variance of "+what, s.variance(), 1.0/12, 0.02)
	}
}

// TestExpected: without noise on the forward curve, hashprice follows its recursion, written here again
// in plain words; halvings come where counting blocks puts them.
func TestExpected(t *testing.T) {
	f := study()
	f.Bitcoin.Forward = []input.ForwardPoint{{Month: f.Start + 24, Price: 150_000}, {Month: f.Start + 48, Price: 90_000}}
	m := model(t, f)
	p := m.NewPath()
	m.Expected(p)
	height, q := int64(930_000), math.Log(1.4e14)
	var gap, level float64
	var halvings []figure.Month
	for at := range 144 {
		month := f.Start + figure.Month(at)
		price := 100_000 * math.Pow(1.5, float64(at)/24)
		switch {
		case at > 48:
			price = 90_000 * math.Pow(1.05, float64(at-48)/12)
		case at > 24:
			price = 150_000 * math.Pow(0.6, float64(at-24)/24)
		}
		// Block by block.
		sum := 0.0
		blocks := int64(6 * month.Hours())
		for n := range blocks {
			if height+n == 1_050_000 || height+n == 1_260_000 || height+n == 1_470_000 {
				halvings = append(halvings, month)
			}
			sum += float64(market.Subsidy(height+n)) / 1e8
		}
		height += blocks
		reward := sum/float64(blocks) + 0.03
		if at > 0 {
			q += 0.04*gap - math.Log(0.8)/12
		}
		worth := market.BTCPerPHDay(math.Exp(q), reward) * price
		// The floor: 0.024 x 26 x 45, improving, inflating; it binds after the second halving.
		floor := 0.024 * 26 * 45 * math.Pow(0.8*1.025, float64(at)/12)
		hashprice := max(worth, floor)
		if at == 0 {
			level = math.Log(worth)
		}
		gap = math.Log(hashprice) - level - math.Log(0.8)/12*float64(at)
		near(t, "price in "+month.String(), p.Price[at], price, 1e-12)
		near(t, "reward in "+month.String(), m.Reward(at), reward, 1e-12)
		near(t, "hashprice in "+month.String(), p.Hashprice[at], hashprice, 1e-9)
		near(t, "difficulty in "+month.String(), p.Difficulty[at]*p.Hashprice[at], math.Exp(q)*worth, 1e-9)
		near(t, "power in "+month.String(), p.Level[at], math.Pow(1.03, float64(at)/12), 1e-12)
		near(t, "spike", p.Spike[at], 40, 1e-12)
	}
	if d := cmp.Diff(halvings, Halvings(f)); d != "" {
		t.Errorf("halvings: %s", d)
	}
	if p.Price[0] != 100_000 || p.Difficulty[0] != 1.4e14 || p.Price[24] != 150_000 || !p.Fixed {
		t.Errorf("today is %v $ and %v", p.Price[0], p.Difficulty[0])
	}
}

// TestHalving: block 840,000 was found on 20 April 2024; from a height of 838,900 or so on 12 April the
// model counts it in that month, and the subsidies of the study's start are known.
func TestHalving(t *testing.T) {
	f := study()
	f.Start, f.Bitcoin.Height = figure.MonthOf(2024, 4), 837_267 // of the first block on 1 April 2024
	if d := cmp.Diff(Halvings(f)[:1], []figure.Month{figure.MonthOf(2024, 4)}); d != "" {
		t.Error(d)
	}
	m := model(t, f)
	near(t, "the mean subsidy of April 2024", m.Reward(0)-0.03, (2733*6.25+(4320-2733)*3.125)/4320, 1e-12)
	near(t, "that of May", m.Reward(1)-0.03, 3.125, 1e-12)
}

// TestFloor: when the price falls by nine tenths, machines go off until hashprice is at the floor, but at most half a month; when it
// comes back, so do they.
func TestFloor(t *testing.T) {
	f := study()
	f.Bitcoin.Forward = []input.ForwardPoint{
		{Month: f.Start + 5, Price: 100_000}, {Month: f.Start + 6, Price: 10_000}, {Month: f.Start + 17, Price: 10_000}, {Month: f.Start + 18, Price: 100_000},
	}
	m := model(t, f)
	p := m.NewPath()
	m.Expected(p)
	if p.Hashprice[6] > m.Floor(6)*0.9 {
		t.Errorf("hashprice is %v at once, the floor %v: half of the network cannot make up for that", p.Hashprice[6], m.Floor(6))
	}
	near(t, "difficulty of the crash over that before", p.Difficulty[6]/p.Difficulty[5], 0.5, 1e-12)
	for at := 9; at < 18; at++ {
		near(t, "hashprice at the floor", p.Hashprice[at], m.Floor(at), 1e-9)
	}
	if p.Difficulty[18] < 3*p.Difficulty[17] {
		t.Error("the machines did not come back with the price")
	}
	// Above today's hashprice the floor says nothing of today.
	f.Bitcoin.Efficiency = of(unit.Efficiency(400))
	m = model(t, f)
	m.Expected(p)
	near(t, "the floor of today", m.Floor(0), p.Hashprice[0], 1e-12)
}

// TestAfterHalving: with an unchanged price hashprice falls as machines improve, halves
// at a halving, and comes back to the long-run level by its half-life.
func TestAfterHalving(t *testing.T) {
	f := study()
	f.Bitcoin.Drift, f.Bitcoin.Fees, f.Bitcoin.Floor = of(unit.Ratio(0)), of(0.0), nil
	f.Bitcoin.Height = 840_000 // far from the next
	m := model(t, f)
	p := m.NewPath()
	m.Expected(p)
	near(t, "hashprice after a year", p.Hashprice[12]/p.Hashprice[0], 0.8, 1e-9)
	near(t, "difficulty after a year", p.Difficulty[12]/p.Difficulty[0], 1/0.8, 1e-9)
	f.Bitcoin.Height = 1_050_000 - 6*31*24 // the first block of February
	m = model(t, f)
	m.Expected(p)
	improved := math.Pow(0.8, 1.0/12)
	near(t, "hashprice at the halving", p.Hashprice[1]/p.Hashprice[0], 0.5*improved, 1e-9)
	near(t, "hashprice a year on", p.Hashprice[13]/p.Hashprice[0], math.Pow(0.5, math.Pow(0.96, 12))*math.Pow(improved, 13), 1e-9)
}

// TestApply: a scenario multiplies, and says nothing with a factor of one or none.
func TestApply(t *testing.T) {
	m := model(t, study())
	base, p := m.NewPath(), m.NewPath()
	m.Expected(base)
	m.Expected(p)
	m.Apply(&input.Scenario{Name: "as expected", Bitcoin: 1, Power: 1}, p)
	if d := cmp.Diff(base, p); d != "" {
		t.Error(d)
	}
	m.Apply(&input.Scenario{Bitcoin: 0.5, Difficulty: 2, Power: 1.5, Capex: 1.25, Delay: 6, Rent: 0.9, GPURate: 0.7, Fails: 30}, p)
	const at = 77
	near(t, "price", p.Price[at], base.Price[at]/2, 1e-15)
	near(t, "difficulty", p.Difficulty[at], base.Difficulty[at]*2, 1e-15)
	near(t, "hashprice", p.Hashprice[at], base.Hashprice[at]/4, 1e-15)
	near(t, "level", p.Level[at], base.Level[at]*1.5, 1e-15)
	near(t, "spike", p.Spike[at], base.Spike[at]*1.5, 1e-15)
	near(t, "GPU", p.GPU[at], 0.7, 1e-15)
	if p.CapexFactor != 1.25 || p.RentFactor != 0.9 || p.Longer != 6 || p.FailsAt != 30 || !p.Fixed {
		t.Errorf("%+v", p)
	}
}

// hash is of all that a path says.
func hash(p *Path) string {
	h := new(big.Int)
	for _, s := range [][]float64{p.Price, p.Difficulty, p.Hashprice, p.Level, p.Spike, p.GPU, p.Cost, p.Delay, p.Failure, p.Extend, {p.Energised}} {
		for _, v := range s {
			h.Mul(h, big.NewInt(1_000_003)).Add(h, new(big.Int).SetUint64(math.Float64bits(v)))
			h.Mod(h, new(big.Int).Lsh(big.NewInt(1), 61))
		}
	}
	return h.Text(16)
}

// TestPathsRepeat: a path is the same in any order, on any number of cores, in a path used before.
func TestPathsRepeat(t *testing.T) {
	m := model(t, study())
	want := make([]string, 64)
	p := m.NewPath()
	for i := range want {
		m.Draw(9, i, p)
		want[i] = hash(p)
	}
	if want[0] == want[1] {
		t.Fatal("all paths are one")
	}
	got := make([]string, len(want))
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			p := m.NewPath()
			m.Expected(p)
			for i := len(want) - 1 - w; i >= 0; i -= 4 {
				m.Draw(9, i, p)
				got[i] = hash(p)
			}
		})
	}
	all.Wait()
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// What no other machine may tell otherwise.
	const golden = "1799d5de5996da86"
	if want[7] != golden {
		t.Errorf("path 7 has the hash %s, want %s", want[7], golden)
	}
}

// TestCommonNumbers: what the world does not depend on does not move it; what it depends on moves
// nothing but its own.
func TestCommonNumbers(t *testing.T) {
	draw := func(change func(f *input.File)) *Path {
		f := study()
		change(f)
		m := model(t, f)
		p := m.NewPath()
		m.Draw(2, 42, p)
		return p
	}
	base := draw(func(*input.File) {})
	capex := figure.PerMW(9e6)
	if d := cmp.Diff(base, draw(func(f *input.File) {
		f.Halls[0].Capex = &figure.Spread[figure.PerMW]{P50: 7e6, P90: &capex}
		f.Discount, f.Site.Utility = of(unit.Ratio(0.2)), of(unit.Power(5e10))
	})); d != "" {
		t.Error(d)
	}
	fewer := draw(func(f *input.File) { f.Halls, f.Clouds, f.Power.SpikeChance = f.Halls[:1], nil, nil })
	if d := cmp.Diff(base.Price, fewer.Price); d != "" {
		t.Error("prices moved with the number of halls")
	}
	if base.Cost[0] != fewer.Cost[0] || base.Energised != fewer.Energised || base.Level[100] != fewer.Level[100] || base.Hashprice[100] != fewer.Hashprice[100] {
		t.Error("halls and power moved")
	}
	calm := draw(func(f *input.File) { f.Power.Volatility, f.Years = nil, 5 })
	if d := cmp.Diff(base.Price[:60], calm.Price); d != "" {
		t.Error("prices moved with the volatility of power and the length of the study")
	}
}

// TestLaws: in any world that New takes, on any path: all figures are finite, prices above zero, and what
// is certain is as expected.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := study()
		b := &f.Bitcoin
		ratio := func(name string, low, high float64) input.Ratio {
			return of(unit.Ratio(rapid.Float64Range(low, high).Draw(r, name)))
		}
		f.Years = rapid.IntRange(1, 40).Draw(r, "years")
		b.Volatility, b.Noise, b.Improvement, b.Drift = ratio("volatility", 0, 2), ratio("noise", 0, 2), ratio("improvement", -0.2, 0.6), ratio("drift", -0.5, 0.5)
		b.Response, b.Height = of(rapid.Float64Range(0, 1).Draw(r, "response")), rapid.Int64Range(0, 6_000_000).Draw(r, "height")
		b.PowerCorrelation = of(rapid.Float64Range(-1, 1).Draw(r, "correlation"))
		f.Power.Volatility, f.Power.HalfLife = ratio("power", 0, 2), months(rapid.IntRange(0, 60).Draw(r, "half-life"))
		f.Power.Growth = ratio("growth", -0.1, 0.1)
		m := model(t, f)
		p := m.NewPath()
		m.Draw(rapid.Uint64().Draw(r, "seed"), rapid.IntRange(0, 1<<20).Draw(r, "path"), p)
		for at := range p.Price {
			for what, v := range map[string]float64{"price": p.Price[at], "difficulty": p.Difficulty[at], "hashprice": p.Hashprice[at], "level": p.Level[at], "GPU": p.GPU[at]} {
				if !(v > 0) || math.IsInf(v, 0) {
					r.Fatalf("%s of month %d is %v", what, at, v)
				}
			}
			if at > 0 {
				// A month takes off the machines that lose money, mostOff of them; beyond that only what
				// the owners answer to a poor hashprice, and what chance takes: 8 deviations never come.
				answer := m.response*(math.Log(p.Hashprice[at-1])-m.level[at-1]) + m.improves
				most := max(-mostOff, 8*m.noise+m.halfNoise-answer)
				if fall := math.Log(p.Difficulty[at-1] / p.Difficulty[at]); fall > most+1e-9 {
					r.Fatalf("difficulty fell in month %d from %v to %v: by %v in its logarithm, want at most %v", at, p.Difficulty[at-1], p.Difficulty[at], fall, most)
				}
			}
			want := m.perPH[at] * p.Price[at] / p.Difficulty[at]
			if math.Abs(p.Hashprice[at]/want-1) > 1e-12 {
				r.Fatalf("hashprice %v of month %d is not %v", p.Hashprice[at], at, want)
			}
		}
	})
}

// TestRefused: what cannot be a world is told.
func TestRefused(t *testing.T) {
	for name, change := range map[string]func(f *input.File){
		"no time":            func(f *input.File) { f.Years = 0 },
		"too much time":      func(f *input.File) { f.Years = 41 },
		"no difficulty":      func(f *input.File) { f.Bitcoin.Difficulty = nil },
		"correlation":        func(f *input.File) { f.Bitcoin.PowerCorrelation = of(1.01) },
		"NaN":                func(f *input.File) { f.Bitcoin.PowerCorrelation = of(math.NaN()) },
		"volatility":         func(f *input.File) { f.Bitcoin.Volatility = of(unit.Ratio(-0.1)) },
		"response":           func(f *input.File) { f.Bitcoin.Response = of(1.5) },
		"all improved":       func(f *input.File) { f.Bitcoin.Improvement = of(unit.Ratio(1)) },
		"no price":           func(f *input.File) { f.Bitcoin.Price = of(figure.Dollars(0)) },
		"all drifted away":   func(f *input.File) { f.Bitcoin.Drift = of(unit.Ratio(-1)) },
		"height":             func(f *input.File) { f.Bitcoin.Height = -1 },
		"nothing to mine":    func(f *input.File) { f.Bitcoin.Height, f.Bitcoin.Fees = 6_900_000, nil },
		"forward of nothing": func(f *input.File) { f.Bitcoin.Forward = []input.ForwardPoint{{Month: f.Start, Price: 0}} },
		"forward backwards": func(f *input.File) {
			f.Bitcoin.Forward = []input.ForwardPoint{{Month: f.Start + 2, Price: 1}, {Month: f.Start + 1, Price: 1}}
		},
		"power's volatility": func(f *input.File) { f.Power.Volatility = of(unit.Ratio(math.NaN())) },
		"power's growth":     func(f *input.File) { f.Power.Growth = of(unit.Ratio(-1)) },
		"spikes":             func(f *input.File) { f.Power.SpikeChance = of(unit.Ratio(1.1)) },
	} {
		f := study()
		change(f)
		if m, err := New(f); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
	// Without bitcoin there is none, and the rest is as it was.
	f := study()
	f.Bitcoin = input.Bitcoin{}
	m := model(t, f)
	p := m.NewPath()
	m.Draw(1, 1, p)
	if p.Price[5] != 0 || p.Hashprice[5] != 0 || p.Difficulty[5] != 0 || p.Level[5] == 0 {
		t.Errorf("bitcoin is worth %v in a study without", p.Price[5])
	}
	m.Expected(p)
	if p.Price[5] != 0 || p.Hashprice[5] != 0 || p.Level[5] == 0 {
		t.Errorf("bitcoin is expected at %v in a study without", p.Price[5])
	}
}

// TestAt: a spread goes through its three figures and on beyond them.
func TestAt(t *testing.T) {
	low, high := figure.PerMW(6e6), figure.PerMW(10e6)
	s := &figure.Spread[figure.PerMW]{P50: 7e6, P10: &low, P90: &high}
	for z, want := range map[float64]float64{0: 7e6, tenth: 10e6, -tenth: 6e6, 2 * tenth: 7e6 * 100 / 49, -2 * tenth: 7e6 * 36 / 49, tenth / 2: 7e6 * math.Sqrt(10.0/7)} {
		near(t, "capex", float64(At(s, z)), want, 1e-14)
	}
	if z := exact.Normal(0.9); math.Abs(z-tenth) > 1e-15 {
		t.Errorf("the ninetieth of a hundred lies at %v", z)
	}
	soon, late := figure.Months(11), figure.Months(20)
	m := &figure.Spread[figure.Months]{P50: 14, P10: &soon, P90: &late}
	for z, want := range map[float64]figure.Months{0: 14, tenth: 20, -tenth: 11, tenth / 2: 17, -tenth / 2: 12} { // 16.73 and 12.41
		if got := At(m, z); got != want {
			t.Errorf("at %v it takes %v, want %v", z, got, want)
		}
	}
	none := figure.Dollars(-5)
	loss := &figure.Spread[figure.Dollars]{P50: 10, P10: &none}
	near(t, "a value below zero", float64(At(loss, -2*tenth)), -20, 1e-14)
	near(t, "a side without a figure", float64(At(loss, 2)), 10, 0)
}

func TestDrawAllocatesNothing(t *testing.T) {
	m := model(t, study())
	p := m.NewPath()
	i := 0
	if n := testing.AllocsPerRun(100, func() { m.Draw(1, i, p); i++ }); n != 0 {
		t.Errorf("Draw allocates %v times", n)
	}
}

func BenchmarkDraw(b *testing.B) {
	m := model(b, study())
	p := m.NewPath()
	b.ReportAllocs()
	for i := range b.N {
		m.Draw(1, i, p)
	}
}
