package world

import (
	"fmt"
	"math"

	"switchyard/market"
	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/study/world/exact"
)

// Model is what a study file says of the world, compiled: all that is the same on every path is
// computed once.
//
// The price of bitcoin is a geometric Brownian motion about the forward curve: the mean of a month's
// price over all paths is the forward price of that month, exactly. Beyond the last forward point,
// or without one, the forward price drifts.
//
// The machines that the world owns could reach a difficulty q, and each month
//
//	log q' = log q + response (log hashprice - log level) + growth + noise
//
// where hashprice is of the month before, level is today's hashprice falling with the improvement of
// machines, and growth is that improvement: at an unchanged price the network grows as fast as
// machines improve, and so hashprice falls with them. A halving halves hashprice at once; it comes
// back as far as the network then grows more slowly. What runs may be less than q: the least efficient
// machines go off below their breakeven, 0.024 x J/TH x $/MWh, and come back above it. That floor falls
// with improvement, rises with inflation, and is never above today's hashprice, at which the network
// does run. At most half of the network goes off in a month, as much as a price can fall in one and
// more than China's ban took (a third, from May to June 2021); retargets of at most a factor of four every
// 2016 blocks follow that within the month.
//
// Blocks come every ten minutes: that they come faster while the network grows (a halving is some weeks
// early in four years) is left out.
//
// The defaults of the file are held by tests to the network's record of 2019 to 2024 (monthly means: response 0.021
// a month, 95 % from -0.018 to 0.060; noise 20.5 % a year; hashprice falling by 16 to 26 % a year) and to the hourly
// prices of NYISO zone A, 2016 to 2018, and ERCOT West, July 2023 to December 2024.
//
// The level of power prices is the exponential of an Ornstein-Uhlenbeck process that begins at its mean, scaled so
// that the mean over all paths is (1+growth)^(t/12) exactly in every month.
type Model struct {
	months, halls int

	forward, logForward []float64 // $ for a bitcoin
	perPH, logPerPH     []float64 // bitcoin per PH and day at difficulty 1
	reward              []float64 // bitcoin a block, the month's mean, fees included
	priceVol            float64   // of the logarithm, a month; so all below

	difficulty         float64 // today's
	response, improves float64
	noise, halfNoise   float64   // the latter is half its variance
	level, floor       []float64 // logarithms, $/PH/day

	growth       []float64 // of power, the expected level
	powerVol     float64   // of a month's innovation
	powerStays   float64   // share of the deviation that is left after a month
	powerHalfVar []float64 // half the deviation's variance
	rho, rest    float64   // correlation of power with bitcoin, and what is left of one

	spikeChance, spikeMean float64
	gpuVol                 float64
}

// mostOff is the most of the network, as a logarithm, that goes off in a month.
const mostOff = -math.Ln2

// is is a figure's value; zero without one.
func is[T ~float64 | ~int64](f *figure.Figure[T]) float64 {
	if f == nil {
		return 0
	}
	return float64(f.Is)
}

// New compiles the world of a file that input.Load has read. A file without a price of bitcoin has a
// world in which bitcoin is worth nothing.
func New(f *input.File) (*Model, error) {
	if f.Years < 1 || f.Years > 40 {
		return nil, fmt.Errorf("world of %d years: want 1 to 40", f.Years)
	}
	m := &Model{months: 12 * f.Years, halls: len(f.Halls), rho: is(f.Bitcoin.PowerCorrelation)}
	if !(math.Abs(m.rho) <= 1) {
		return nil, fmt.Errorf("bitcoin.power_correlation is %v: want -1 to 1", m.rho)
	}
	m.rest = math.Sqrt(1 - float64(m.rho*m.rho))
	if err := m.bitcoin(f); err != nil {
		return nil, err
	}
	if err := m.power(f); err != nil {
		return nil, err
	}
	if len(f.Clouds) > 0 {
		m.gpuVol = is(f.Clouds[0].Volatility) / math.Sqrt(12)
	}
	return m, nil
}

// Months is how long the world lasts.
func (m *Model) Months() int { return m.months }

// Reward is what a block pays in month t, BTC: the mean of the month, fees included.
func (m *Model) Reward(t int) float64 { return m.reward[t] }

// Forward is the expected price of a bitcoin in month t, $.
func (m *Model) Forward(t int) float64 { return m.forward[t] }

// Floor is the hashprice of month t, $/PH/day, below which the network's least efficient machines go off.
func (m *Model) Floor(t int) float64 { return exact.Exp(m.floor[t]) }

// series makes a figure for each month.
func (m *Model) series(of func(t int) float64) []float64 {
	out := make([]float64, m.months)
	for t := range out {
		out[t] = of(t)
	}
	return out
}

func (m *Model) bitcoin(f *input.File) error {
	b := &f.Bitcoin
	if b.Price == nil && len(b.Forward) == 0 {
		none := func(int) float64 { return 0 }
		m.forward, m.logForward = m.series(none), m.series(func(int) float64 { return math.Inf(-1) })
		m.perPH, m.reward, m.level, m.floor = m.series(none), m.series(none), m.series(none), m.series(none)
		return nil
	}
	m.difficulty = is(b.Difficulty)
	m.improves = -exact.Log1p(-is(b.Improvement)) / 12
	switch {
	case !(m.difficulty > 0) || math.IsInf(m.difficulty, 0):
		return fmt.Errorf("bitcoin.difficulty is %v: want it above zero", m.difficulty)
	case !(is(b.Improvement) < 1 && is(b.Improvement) > -1):
		return fmt.Errorf("bitcoin.improvement is %v a year: want it below 100 %%", is(b.Improvement))
	case !(is(b.Volatility) >= 0) || !(is(b.Noise) >= 0) || !(is(b.Fees) >= 0):
		return fmt.Errorf("bitcoin.volatility, bitcoin.noise and bitcoin.fees: want none below zero")
	case !(is(b.Response) >= 0 && is(b.Response) <= 1):
		return fmt.Errorf("bitcoin.response is %v a month: want 0 to 1", is(b.Response))
	case b.Height < 0:
		return fmt.Errorf("bitcoin.height is %d: want it not below zero", b.Height)
	}
	if err := m.curve(f); err != nil {
		return err
	}
	m.priceVol, m.noise = is(b.Volatility)/math.Sqrt(12), is(b.Noise)/math.Sqrt(12)
	m.response, m.halfNoise = is(b.Response), float64(float64(m.noise*m.noise)/2)
	height := b.Height
	m.reward = m.series(func(t int) float64 {
		blocks := int64(6 * (f.Start + figure.Month(t)).Hours())
		mean := meanSubsidy(height, blocks)
		height += blocks
		return mean + is(b.Fees)
	})
	m.perPH = m.series(func(t int) float64 { return market.BTCPerPHDay(1, m.reward[t]) })
	if !(m.reward[m.months-1] > 0) {
		return fmt.Errorf("bitcoin.fees is zero, and from height %d a block pays nothing: want a fee above zero", height)
	}
	m.logPerPH = m.series(func(t int) float64 { return exact.Log(m.perPH[t]) })
	today := exact.Log(float64(m.forward[0]*m.perPH[0]) / m.difficulty)
	m.level = m.series(func(t int) float64 { return today - float64(m.improves*float64(t)) })
	floor := math.Inf(-1)
	if b.Floor != nil && b.Efficiency != nil && b.Floor.Is > 0 && b.Efficiency.Is > 0 {
		floor = min(today, exact.Log(float64(0.024*float64(b.Efficiency.Is))*b.Floor.Is.DollarsPerMWh()))
	}
	rise := exact.Log1p(is(f.Inflation))/12 - m.improves
	m.floor = m.series(func(t int) float64 { return floor + float64(rise*float64(t)) })
	return nil
}

// meanSubsidy is what blocks from height on pay in new coins, BTC each.
func meanSubsidy(height, blocks int64) float64 {
	const every = 210_000
	sum := 0.0
	for left := blocks; left > 0; {
		n := min(left, every-height%every)
		sum += float64(float64(n) * float64(market.Subsidy(height)))
		height += n
		left -= n
	}
	return sum / float64(blocks) / market.Satoshi
}

// Halvings are the months of the study in which a halving falls.
func Halvings(f *input.File) []figure.Month {
	var out []figure.Month
	height := f.Bitcoin.Height
	for t := range 12 * f.Years {
		at := f.Start + figure.Month(t)
		next := height + int64(6*at.Hours())
		if last := next - 1; last/210_000 > (height-1)/210_000 && height > 0 && market.Subsidy(height-1) > 0 {
			out = append(out, at)
		}
		height = next
	}
	return out
}

// point is an expected price as the curve needs it.
type point struct {
	t        int
	logPrice float64
}

// curve computes the forward prices: straight lines of the logarithm between the points.
func (m *Model) curve(f *input.File) error {
	b := &f.Bitcoin
	drift := exact.Log1p(is(b.Drift)) / 12
	if !(is(b.Drift) > -1) {
		return fmt.Errorf("bitcoin.drift is %v a year: want it above -100 %%", is(b.Drift))
	}
	var points []point
	if b.Price != nil {
		if !(b.Price.Is > 0) {
			return fmt.Errorf("bitcoin.price is %v: want it above zero", b.Price.Is)
		}
		points = append(points, point{0, exact.Log(float64(b.Price.Is))})
	}
	for i, p := range b.Forward {
		t := int(p.Month - f.Start)
		switch {
		case !(p.Price > 0):
			return fmt.Errorf("bitcoin.forward[%d] is %v: want it above zero", i, p.Price)
		case i > 0 && p.Month <= b.Forward[i-1].Month:
			return fmt.Errorf("bitcoin.forward[%d] is of %v: want a month after %v", i, p.Month, b.Forward[i-1].Month)
		case t < 0 && b.Price != nil:
			continue
		case t == 0:
			points = points[:0] // a curve that begins at Start says what bitcoin is worth then
		}
		points = append(points, point{t, exact.Log(float64(p.Price))})
	}
	m.logForward = m.series(func(t int) float64 {
		at := 0
		for at < len(points) && points[at].t <= t {
			at++
		}
		switch {
		case at == 0:
			return points[0].logPrice - float64(drift*float64(points[0].t-t))
		case at == len(points):
			return points[at-1].logPrice + float64(drift*float64(t-points[at-1].t))
		}
		p, q := points[at-1], points[at]
		return p.logPrice + float64((q.logPrice-p.logPrice)*float64(t-p.t))/float64(q.t-p.t)
	})
	m.forward = m.series(func(t int) float64 { return exact.Exp(m.logForward[t]) })
	// What the owner wrote stays as written.
	if b.Price != nil {
		m.forward[0] = float64(b.Price.Is)
	}
	for _, p := range b.Forward {
		if t := int(p.Month - f.Start); t >= 0 && t < m.months {
			m.forward[t] = float64(p.Price)
		}
	}
	return nil
}

func (m *Model) power(f *input.File) error {
	p := &f.Power
	vol, half := is(p.Volatility), 0.0
	if p.HalfLife != nil {
		half = float64(p.HalfLife.Is)
	}
	growth := exact.Log1p(is(p.Growth)) / 12
	m.spikeChance = is(p.SpikeChance)
	if p.SpikePrice != nil && p.SpikeHours != nil && p.SpikeHours.Is > 0 {
		m.spikeMean = p.SpikePrice.Is.DollarsPerMWh()
	}
	switch {
	case !(vol >= 0) || half < 0:
		return fmt.Errorf("power.volatility and power.half_life: want none below zero")
	case !(is(p.Growth) > -1):
		return fmt.Errorf("power.growth is %v a year: want it above -100 %%", is(p.Growth))
	case !(m.spikeChance >= 0 && m.spikeChance <= 1) || m.spikeMean < 0:
		return fmt.Errorf("power.spike_chance is a share of the months, and power.spike_price not below zero")
	}
	// A half-life of zero forgets a month at once, and keeps the volatility of a month.
	perMonth := float64(vol*vol) / 12
	if half > 0 {
		back := math.Ln2 / half
		m.powerStays = exact.Exp(-back)
		perMonth = float64(perMonth*-exact.Expm1(float64(-2*back))) / float64(2*back)
	}
	m.powerVol = math.Sqrt(perMonth)
	variance := 0.0
	m.powerHalfVar = m.series(func(t int) float64 {
		if t > 0 {
			variance = float64(float64(m.powerStays*m.powerStays)*variance) + perMonth
		}
		return float64(variance / 2)
	})
	m.growth = m.series(func(t int) float64 { return exact.Exp(float64(growth * float64(t))) })
	return nil
}
