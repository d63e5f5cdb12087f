package study

import (
	"math"
	"math/rand/v2"
	"time"

	"switchyard/study/figure"
	"switchyard/study/input"
)

// plain is a study reckoned a second time and in the plainest way: by the conventions of the manual, from the
// file alone, with random numbers, powers and loops of its own. It knows no financing, since no
// option's NPV does. It is slow, and nothing but tests and the benchmark's ratio is made of it.
type plain struct {
	f      *input.File
	months int
	usual  []float64 // hashprice as expected, once asked for
}

func newPlain(f *input.File) *plain { return &plain{f: f, months: 12 * f.Years} }

// plainPath is one future.
type plainPath struct {
	price, hashprice, level, spike, gpu []float64
	cost, delay, fails, stays           []float64
	grid                                float64
	means                               []float64 // of each month's all-in prices, once asked for
	capex, rent                         float64
	longer, failsAt                     int
	certain                             bool // of the expected case
}

func (s *plain) newPath() *plainPath {
	v := func(n int) []float64 { return make([]float64, n) }
	t, h := s.months, len(s.f.Halls)
	return &plainPath{
		price: v(t), hashprice: v(t), level: v(t), spike: v(t), gpu: v(t),
		cost: v(h), delay: v(h), fails: v(h), stays: v(h), capex: 1, rent: 1,
	}
}

// given is a figure, or what it is without one.
func given[T any](f *figure.Figure[T], otherwise T) T {
	if f == nil {
		return otherwise
	}
	return f.Is
}

// calendar is the month of the year, January 0; hours are those of the month.
func (s *plain) calendar(t int) int { return (int(s.f.Start) + t) % 12 }

func (s *plain) hours(t int) float64 {
	m := int(s.f.Start) + t
	return 24 * float64(time.Date(m/12, time.Month(m%12+2), 0, 0, 0, 0, 0, time.UTC).Day())
}

// grown is what one dollar becomes by a yearly rate, month by month or in steps of a year.
func grown(rate float64, t int) float64 { return math.Pow(1+rate, float64(t)/12) }

func stepped(rate float64, t int) float64 { return math.Pow(1+rate, float64(t/12)) }

// forward is the expected price of a bitcoin.
func (s *plain) forward(t int) float64 {
	b := &s.f.Bitcoin
	drift := float64(given(b.Drift, 0))
	at, price := 0, float64(b.Price.Is)
	for _, next := range b.Forward {
		m := int(next.Month - s.f.Start)
		if m < 0 {
			continue
		}
		if m > t {
			part := float64(t-at) / float64(m-at)
			return price * math.Pow(float64(next.Price)/price, part)
		}
		at, price = m, float64(next.Price)
	}
	return price * grown(drift, t-at)
}

// reward is what a block pays on the mean of a month, block by block at six an hour.
func (s *plain) reward(t int) float64 {
	height := s.f.Bitcoin.Height
	for u := range t {
		height += int64(6 * s.hours(u))
	}
	sum, n := 0.0, int64(6*s.hours(t))
	for k := range n {
		sum += 50 / math.Pow(2, float64((height+k)/210_000))
	}
	return sum/float64(n) + s.f.Bitcoin.Fees.Is
}

// network follows the difficulty, given prices and what chance does to the hashrate's logarithm; worth is
// what a PH/s earns in a day at a difficulty of one.
func (s *plain) network(p *plainPath, worth, noise []float64) {
	b := &s.f.Bitcoin
	better := 1 - float64(b.Improvement.Is)
	today := worth[0] / b.Difficulty.Is
	floor := math.Min(today, 0.024*float64(b.Efficiency.Is)*b.Floor.Is.DollarsPerMWh())
	could, runs := b.Difficulty.Is, b.Difficulty.Is
	for t := range s.months {
		if t > 0 {
			level := today * math.Pow(better, float64(t-1)/12)
			could *= math.Pow(p.hashprice[t-1]/level, b.Response.Is) / math.Pow(better, 1.0/12) * math.Exp(noise[t])
			off := floor * math.Pow(better, float64(t)/12) * grown(float64(s.f.Inflation.Is), t)
			runs = math.Max(math.Min(could, worth[t]/off), math.Min(runs/2, could))
		}
		p.hashprice[t] = worth[t] / runs
	}
}

// perPH is what a PH/s finds in a day at a difficulty of one, by the month.
func (s *plain) perPH() []float64 {
	out := make([]float64, s.months)
	for t := range out {
		out[t] = 1e15 * 86400 / math.Pow(2, 32) * s.reward(t)
	}
	return out
}

// expected is the expected case.
func (s *plain) expected() *plainPath {
	p, worth := s.newPath(), s.perPH()
	p.certain = true
	for t := range s.months {
		p.price[t] = s.forward(t)
		worth[t] *= p.price[t]
		p.level[t] = grown(float64(s.f.Power.Growth.Is), t)
		if s.f.Power.SpikeHours.Is > 0 {
			p.spike[t] = float64(s.f.Power.SpikeChance.Is) * s.f.Power.SpikePrice.Is.DollarsPerMWh()
		}
		p.gpu[t] = 1
	}
	s.network(p, worth, make([]float64, s.months))
	return p
}

// draw is a random future; perPH is the same in all of them.
func (s *plain) draw(r *rand.Rand, perPH []float64) *plainPath {
	p, worth, noise := s.newPath(), make([]float64, s.months), make([]float64, s.months)
	b, w := &s.f.Bitcoin, &s.f.Power
	month := math.Sqrt(1.0 / 12)
	volatility, shake := float64(b.Volatility.Is)*month, float64(b.Noise.Is)*month
	gpuVolatility := 0.0
	if len(s.f.Clouds) > 0 {
		gpuVolatility = float64(s.f.Clouds[0].Volatility.Is) * month
	}
	back := math.Ln2 / float64(w.HalfLife.Is)
	powerMove := float64(w.Volatility.Is) * math.Sqrt((1-math.Exp(-2*back))/(2*back)/12)
	rho := given(b.PowerCorrelation, 0)
	var price, power, variance, gpu float64
	for t := range s.months {
		if t > 0 {
			z := r.NormFloat64()
			price += volatility*z - volatility*volatility/2
			power = power*math.Exp(-back) + powerMove*(rho*z+math.Sqrt(1-rho*rho)*r.NormFloat64())
			variance = variance*math.Exp(-2*back) + powerMove*powerMove
			gpu += gpuVolatility*r.NormFloat64() - gpuVolatility*gpuVolatility/2
			noise[t] = shake*r.NormFloat64() - shake*shake/2
		}
		p.price[t] = s.forward(t) * math.Exp(price)
		worth[t] = p.price[t] * perPH[t]
		p.level[t] = grown(float64(w.Growth.Is), t) * math.Exp(power-variance/2)
		p.gpu[t] = math.Exp(gpu)
		if w.SpikeHours.Is > 0 && r.Float64() < float64(w.SpikeChance.Is) {
			p.spike[t] = r.ExpFloat64() * w.SpikePrice.Is.DollarsPerMWh()
		}
	}
	s.network(p, worth, noise)
	// What all buildings share and what is a hall's own count alike; a dear building is a late one.
	late := func(cost float64) float64 { return 0.5*cost + math.Sqrt(0.75)*r.NormFloat64() }
	cost := r.NormFloat64()
	delay := late(cost)
	for h := range s.f.Halls {
		own := r.NormFloat64()
		p.cost[h], p.delay[h] = (cost+own)/math.Sqrt2, (delay+late(own))/math.Sqrt2
		p.fails[h], p.stays[h] = r.Float64(), r.Float64()
	}
	p.grid = r.Float64()
	return p
}

// spread is the value of an uncertain figure at a normal number.
func spread[T ~float64 | ~int](s *figure.Spread[T], z float64) float64 {
	to := s.P10
	if z > 0 {
		to = s.P90
	}
	if to == nil {
		return float64(s.P50)
	}
	n, mid, side := math.Abs(z)/1.2815515655446004, float64(s.P50), float64(*to)
	if mid <= 0 || side <= 0 {
		return mid + n*(side-mid)
	}
	return mid * math.Pow(side/mid, n)
}
