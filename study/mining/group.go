package mining

import (
	"cmp"
	"slices"

	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/study/world/exact"
)

// is reads a figure that a file may lack.
func is[T any](f *figure.Figure[T], otherwise T) T {
	if f == nil {
		return otherwise
	}
	return f.Is
}

// capture is the share of perfect curtailment's gain over running always that the site achieves.
func capture(f *input.File) float64 {
	switch {
	case f.Power.Capture != nil:
		return float64(f.Power.Capture.Is)
	case f.Backtest != nil:
		return f.Backtest.Capture
	}
	return 1
}

// programmes is what curtailment pays, $ per MW of mining and month. It is no price of a contract
// that runs on, so it neither grows nor is inflated.
func programmes(f *input.File) float64 {
	switch {
	case f.Power.Programmes != nil:
		return f.Power.Programmes.Is.DollarsPerKWMonth() * 1000
	case f.Backtest != nil:
		return f.Backtest.Income / 12
	}
	return 0
}

// upkeep of a hall in month t, $ above zero: of its whole power, raised by inflation every January of
// the study.
func upkeep(f *input.File, h *input.Hall, t int) float64 {
	if h.Upkeep == nil || h.Power == nil {
		return 0
	}
	prices := exact.Pow(1+float64(is(f.Inflation, 0)), float64(t/12))
	return float64(h.Upkeep.Is.DollarsPerKWMonth() * 1000 * h.Power.Is.Megawatts() * prices)
}

// group is machines of one model as they change over the study.
type group struct {
	mw, full  float64 // at full power, from the grid; mw as uptime leaves them
	th        float64 // of all at full power, uptime aside
	uptime    float64
	fee       float64
	steps     []step  // of the upper hull of their modes, the most efficient first
	price     float64 // $/TH for which they were bought, or would be sold at Start
	since     int     // the month in which they were
	decay     float64
	every     int     // months; zero: never renewed
	newTH     float64 // of all, of machines bought at Start in the same power
	newPrice  float64 // $/TH of those
	improving float64 // a year
}

// step is a part of a machine's power and of its hashrate, as shares of the full mode's.
type step struct{ power, hash float64 }

func groupsOf(f *input.File, h *input.Hall, pue float64) []group {
	var out []group
	for i := range h.Fleet {
		m := &h.Fleet[i]
		n := float64(m.Count)
		if n <= 0 || m.Power <= 0 || m.Hash <= 0 {
			continue
		}
		g := group{
			full: n * m.Power.Megawatts() * pue, th: n * m.Hash.TH(), uptime: float64(is(m.Uptime, 0.96)), fee: float64(is(m.Fee, 0)),
			steps: hull(m), price: float64(is(m.Resale, 0)), decay: float64(is(m.Decay, 0.35)), improving: float64(is(f.Bitcoin.Improvement, 0)),
		}
		g.mw = g.full * g.uptime
		if r := m.Renew; r != nil && r.Every > 0 && r.Efficiency != nil && r.Efficiency.Is > 0 {
			g.every, g.newPrice = int(r.Every), float64(is(r.Price, 0))
			g.newTH = n * m.Power.Watts() / float64(r.Efficiency.Is)
		}
		out = append(out, g)
	}
	return out
}

// hull returns the steps of the upper hull of a machine's modes and of rest: those settings that earn
// most for their power at some price. Modes below the line between two others are never worth it.
func hull(m *input.Machines) []step {
	points := []step{{}, {1, 1}}
	for _, c := range m.Curve {
		points = append(points, step{float64(c.Power) / float64(m.Power), float64(c.Hash) / float64(m.Hash)})
	}
	slices.SortStableFunc(points, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.power, b.power), cmp.Compare(b.hash, a.hash))
	})
	var top []step
	for _, p := range points {
		if len(top) > 0 && p.hash <= top[len(top)-1].hash { // more power, no more work
			continue
		}
		for len(top) > 1 && below(top[len(top)-2], top[len(top)-1], p) {
			top = top[:len(top)-1]
		}
		top = append(top, p)
	}
	out := make([]step, 0, len(top))
	for k := 1; k < len(top); k++ {
		out = append(out, step{top[k].power - top[k-1].power, top[k].hash - top[k-1].hash})
	}
	return out
}

// below says that b is not above the line from a to c.
func below(a, b, c step) bool {
	return float64((b.hash-a.hash)*(c.power-a.power)) <= float64((c.hash-a.hash)*(b.power-a.power))
}

// due says that the group is renewed in month t.
func (g *group) due(t int) bool { return g.every > 0 && t > 0 && t%g.every == 0 }

// renew makes the group new in month t and returns what the new machines cost, $. They draw what the
// old ones did, modes alike in shares of the full one.
func (g *group) renew(t int) float64 {
	better := exact.Pow(1-g.improving, float64(t)/12)
	g.since, g.price, g.th = t, g.newPrice*better, g.newTH/better
	return float64(g.price * g.th)
}

// resale is what the group fetches in month t, $: its price when it was new, or at Start, decayed since.
func (g *group) resale(t int) float64 {
	return float64(g.price * g.th * exact.Exp(-g.decay*float64(t-g.since)/12))
}

func stageOf(groups []group) stage {
	var s stage
	for i := range groups {
		g := &groups[i]
		for _, k := range g.steps {
			b := block{mw: float64(g.mw * k.power), full: float64(g.full * k.power), hash: g.th * g.uptime * k.hash / 1000, fee: g.fee}
			if b.mw <= 0 {
				continue
			}
			b.worth = b.hash * (1 - b.fee) / (24 * b.mw)
			s.mw += b.mw
			s.full += b.full
			s.hash += b.hash
			s.blocks = append(s.blocks, b)
		}
	}
	slices.SortStableFunc(s.blocks, func(a, b block) int { return cmp.Compare(b.worth, a.worth) })
	return s
}
