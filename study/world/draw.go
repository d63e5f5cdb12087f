package world

import (
	"math"

	"switchyard/study/input"
	"switchyard/study/world/exact"
)

// NewPath returns room for a path of the model.
func (m *Model) NewPath() *Path {
	all := make([]float64, 6*m.months+4*m.halls)
	cut := func(n int) []float64 {
		s := all[:n:n]
		all = all[n:]
		return s
	}
	return &Path{
		Price: cut(m.months), Difficulty: cut(m.months), Hashprice: cut(m.months),
		Level: cut(m.months), Spike: cut(m.months), GPU: cut(m.months),
		Cost: cut(m.halls), Delay: cut(m.halls), Failure: cut(m.halls), Extend: cut(m.halls),
		CapexFactor: 1, RentFactor: 1,
	}
}

// Expected fills the expected case: prices as forward, no noise, a little of a spike in every month, a
// building at its P50. Nobody fails; what is more likely than not happens. It is not the mean of all paths.
func (m *Model) Expected(into *Path) {
	n := network{m: m, path: into}
	n.begin()
	for t := range m.months {
		n.month(t, m.logForward[t], m.forward[t], 0)
		into.Level[t] = m.growth[t]
		into.Spike[t] = float64(m.spikeChance * m.spikeMean)
		into.GPU[t] = 1
	}
	clear(into.Cost)
	clear(into.Delay)
	const justBelowHalf = 0.5 - 0x1p-54
	for h := range into.Failure {
		into.Failure[h], into.Extend[h] = 1, justBelowHalf
	}
	into.Energised = justBelowHalf
	into.CapexFactor, into.RentFactor, into.Longer, into.FailsAt, into.Fixed = 1, 1, 0, 0, true
}

// Apply puts a scenario's factors on the path that is in to. A factor of zero says nothing.
func (m *Model) Apply(s *input.Scenario, to *Path) {
	times := func(v []float64, by float64) {
		for t := range v {
			v[t] = float64(v[t] * by)
		}
	}
	price, difficulty, power := factor(s.Bitcoin), factor(s.Difficulty), factor(s.Power)
	times(to.Price, price)
	times(to.Difficulty, difficulty)
	times(to.Hashprice, price/difficulty)
	times(to.Level, power)
	times(to.Spike, power)
	times(to.GPU, factor(s.GPURate))
	to.CapexFactor = float64(to.CapexFactor * factor(s.Capex))
	to.RentFactor = float64(to.RentFactor * factor(s.Rent))
	to.Longer += int(s.Delay)
	to.FailsAt = int(s.Fails)
}

func factor(v float64) float64 {
	if v == 0 {
		return 1
	}
	return v
}

// Draw fills path i of a seed.
func (m *Model) Draw(seed uint64, i int, into *Path) {
	m.drawMonths(seed, i, into)
	m.drawHalls(seed, i, into)
	into.CapexFactor, into.RentFactor, into.Longer, into.FailsAt, into.Fixed = 1, 1, 0, 0, false
}

func (m *Model) drawMonths(seed uint64, i int, into *Path) {
	ofPrice, ofNetwork, ofPower := streamOf(seed, i, priceMoves), streamOf(seed, i, networkMoves), streamOf(seed, i, powerMoves)
	ofGPU, ofSpike, ofSize := streamOf(seed, i, gpuMoves), streamOf(seed, i, spikeComes), streamOf(seed, i, spikeSize)
	n := network{m: m, path: into}
	n.begin()
	var price, power, gpu float64 // deviations of logarithms
	halfPrice, halfGPU := float64(float64(m.priceVol*m.priceVol)/2), float64(float64(m.gpuVol*m.gpuVol)/2)
	for t := range m.months {
		noise := 0.0
		if t > 0 {
			// Month 0 is today: it is known.
			z := ofPrice.normal(t)
			price += float64(m.priceVol*z) - halfPrice
			if m.powerVol > 0 {
				w := float64(m.rho*z) + float64(m.rest*ofPower.normal(t))
				power = float64(m.powerStays*power) + float64(m.powerVol*w)
			}
			if m.gpuVol > 0 {
				gpu += float64(m.gpuVol*ofGPU.normal(t)) - halfGPU
			}
			if m.noise > 0 {
				noise = float64(m.noise*ofNetwork.normal(t)) - m.halfNoise
			}
		}
		n.month(t, m.logForward[t]+price, float64(m.forward[t]*exact.Exp(price)), noise)
		into.Level[t] = float64(m.growth[t] * exact.Exp(power-m.powerHalfVar[t]))
		into.GPU[t] = exact.Exp(gpu)
		into.Spike[t] = 0
		if m.spikeChance > 0 && ofSpike.uniform(t) < m.spikeChance {
			into.Spike[t] = float64(-m.spikeMean * exact.Log(ofSize.uniform(t)))
		}
	}
}

// drawHalls draws what happens to buildings and tenants. The cost and the duration of one hall are
// correlated by a half; so are the costs of two halls, by what all of them share, and their durations;
// the cost of one and the duration of another by a quarter.
func (m *Model) drawHalls(seed uint64, i int, into *Path) {
	ofCost, ofDelay := streamOf(seed, i, costMoves), streamOf(seed, i, delayMoves)
	fails, stays := streamOf(seed, i, tenantFails), streamOf(seed, i, tenantStays)
	const half, rest = 0.5, 0.8660254037844386 // the root of 3/4
	cost := streamOf(seed, i, commonCost).normal(0)
	delay := float64(half*cost) + float64(rest*streamOf(seed, i, commonDelay).normal(0))
	const root = math.Sqrt2 / 2
	for h := range m.halls {
		own := ofCost.normal(h)
		late := float64(half*own) + float64(rest*ofDelay.normal(h))
		into.Cost[h] = float64(root * (cost + own))
		into.Delay[h] = float64(root * (delay + late))
		into.Failure[h] = fails.uniform(h)
		into.Extend[h] = stays.uniform(h)
	}
	into.Energised = streamOf(seed, i, gridComes).uniform(0)
}

// network follows the difficulty from month to month; see Model.
type network struct {
	m    *Model
	path *Path

	reach   float64 // logarithm of the difficulty that all machines there are would make
	running float64 // that of the difficulty that is
	gap     float64 // of the month before: log hashprice less log long-run level
}

func (n *network) begin() {
	if n.m.difficulty > 0 {
		n.reach = exact.Log(n.m.difficulty)
		n.running = n.reach
	}
}

// month is month t at that price, with what chance adds to the growth of the network.
func (n *network) month(t int, logPrice, price, noise float64) {
	m, p := n.m, n.path
	if m.difficulty <= 0 {
		p.Price[t], p.Difficulty[t], p.Hashprice[t] = 0, 0, 0
		return
	}
	logWorth := logPrice + m.logPerPH[t]
	if t > 0 {
		n.reach += float64(m.response*n.gap) + m.improves + noise
		n.running = max(min(n.reach, logWorth-m.floor[t]), min(n.running+mostOff, n.reach))
	}
	n.gap = logWorth - n.running - m.level[t]
	difficulty := m.difficulty
	if t > 0 {
		difficulty = exact.Exp(n.running)
	}
	p.Price[t], p.Difficulty[t] = price, difficulty
	p.Hashprice[t] = float64(price*m.perPH[t]) / difficulty
}
