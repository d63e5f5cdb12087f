package planner

import (
	"math"

	"switchyard/unit"
)

// tags are the prices that a plan puts on what its parts share, in figures' units.
type tags struct {
	node  [][]float64 // $/kWh drawn at a node, by step and node: energy, adders and caps
	adder []float64   // $/kWh at the connection that no cap and no peak asks, by step
	held  [][]float64 // $/kWh at the connection that holding a class's power earns, by class and step; nil without
	start [][]float64 // $ that a start takes from the inrush allowances, by class and step; nil without
}

// plain are the tags of a plan in which nothing is shared.
func (f *figures) plain() *tags {
	g := &tags{adder: make([]float64, f.steps), node: make([][]float64, f.steps)}
	all := make([]float64, f.steps*len(f.parent))
	for t := range f.steps {
		g.adder[t] = f.price[t] - f.spot[t]
		g.node[t], all = all[:len(f.parent):len(f.parent)], all[len(f.parent):]
		for i, x := range f.exit {
			g.node[t][i] = x * f.price[t]
		}
	}
	if len(f.products) > 0 {
		g.held = f.rows(len(f.classes))
		for c := range f.classes {
			for t := range f.steps {
				g.held[c][t] = f.bestProduct(c, t)
			}
		}
	}
	return g
}

// tags reads them from the duals of the relaxed program. Those of the program with its
// integers fixed would not do: of a demand charge they put all upon the one step that
// happens to stand a machine above the others.
func (m *model) tags(dual []float64) *tags {
	f := m.f
	g := f.plain()
	above := make([][]float64, f.steps) // $/kWh entering a node that its own cap asks
	for t := range above {
		above[t] = make([]float64, len(f.parent))
	}
	for _, b := range m.limits {
		above[b.step][b.node] = math.Max(0, -dual[b.row]/scale/f.len[b.step])
	}
	peaks := m.peaks(dual)
	for t := range f.steps {
		price := dual[m.balance+int32(t)] / scale / f.len[t]
		g.adder[t] = price - above[t][0] - peaks[t] - f.spot[t]
		asked := make([]float64, len(f.parent)) // caps below the connection, per kW at the connection
		for i, x := range f.exit {
			if p := f.parent[i]; p >= 0 {
				asked[i] = asked[p] + above[t][i]/f.entry[i]
			}
			g.node[t][i] = x * (price + asked[i])
		}
	}
	for c := range f.classes {
		if g.held == nil {
			break
		}
		copy(g.held[c], m.free[c])
		for t, row := range m.backed[c] {
			g.held[c][t] += math.Max(0, -dual[row]/scale/f.len[t])
		}
	}
	m.startTags(g, dual)
	return g
}

// peaks is what the demand charges ask of each step, $/kWh at the connection.
func (m *model) peaks(dual []float64) []float64 {
	out := make([]float64, m.f.steps)
	row := m.peakRow
	for _, d := range m.f.demand {
		for t := range out {
			if d.counts == nil || d.counts[t] {
				out[t] += math.Max(0, dual[row]/scale/m.f.len[t])
				row++
			}
		}
	}
	return out
}

func (m *model) startTags(g *tags, dual []float64) {
	f := m.f
	if len(f.inrush) == 0 {
		return
	}
	g.start = f.rows(len(f.classes))
	for n, b := range f.inrush {
		v := math.Max(0, -dual[m.room[n]]/scale)
		if v == 0 {
			continue
		}
		for c := range f.classes {
			if k := &f.classes[c]; f.below(k.node, b.node) {
				for t := b.from; t <= b.to; t++ {
					g.start[c][t] += v * k.most
				}
			}
		}
	}
}

// guide works out up to which price each class's machines are worth keeping and starting,
// by what one of them would earn from then on along the plan's own prices.
func (f *figures) guide(c int, g *tags, w *walk) (keep, take []unit.Price) {
	k := &f.classes[c]
	gain, start, now := make([]float64, f.steps), make([]float64, f.steps), make([]int, f.steps)
	for t := range gain {
		now[t], gain[t] = f.bestLevel(k, t, g.node[t][k.node], g.heldBy(c, t))
		start[t] = k.start[t]
		if g.start != nil {
			start[t] += g.start[c][t]
		}
	}
	w.solve(gain, start, k.runTo, k.restTo)
	keep, take = make([]unit.Price, f.steps), make([]unit.Price, f.steps)
	for t := range gain {
		l := k.levels[now[t]]
		here := l.value + k.exit*g.heldBy(c, t)
		kwh := l.kw * f.len[t]
		if kwh <= 0 {
			keep[t], take[t] = perMWh(here), perMWh(here)
			continue
		}
		keep[t] = perMWh(here + (w.run[t+1]-w.rest[k.restTo[t]])/kwh)
		take[t] = perMWh(here + (w.begin(t, k.runTo[t])-gain[t]-start[t]-w.rest[t+1])/kwh)
	}
	return keep, take
}

func (g *tags) heldBy(c, t int) float64 {
	if g.held == nil {
		return 0
	}
	return g.held[c][t]
}
