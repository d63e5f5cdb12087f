package estimate

import (
	"math"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// believed is how many standard deviations the meter may move a figure.
const believed = 4

// figures reconciles each miner's figure to the meters as they read now.
func (e *Estimator) figures(in Input) Output {
	now := in.Now.UnixNano()
	below := make([]float64, e.tree.Len()) // to tell a meter that is stuck
	for i := range e.raws {
		below[e.cells[e.mem[i].cell].key.node] += e.raws[i].power
	}
	for i := len(below) - 1; i > 0; i-- {
		below[e.tree.Node(i).Parent] += below[i]
	}
	e.place(func(i int) bool {
		m := &e.meters[i]
		return m.n > 0 && now-m.newest().at <= int64(meterAge) && !m.stuck(below[i], now) &&
			(i >= len(in.Nodes) || in.Nodes[i].Power.OK) // whoever asks knows better
	})
	e.fill(in, e.together())
	s := e.spreadOut()
	return e.output(s)
}

// together returns the meters' readings at moments that are the same for each root and the
// meters next below it: one that a tenant ramps below must not be a second out.
func (e *Estimator) together() func(node, root int) (watts, off float64) {
	e.moments = append(e.moments[:0], make([]int64, len(e.roots))...)
	for i := range e.roots {
		if !e.roots[i].reads {
			continue
		}
		newest := e.meters[i].newest().at
		e.moments[i] = newest
		if p := e.tree.Node(i).Parent; p >= 0 && e.roots[p].at >= 0 {
			up := e.roots[p].at
			e.moments[up] = min(e.moments[up], newest)
		}
	}
	return func(node, root int) (float64, float64) {
		w, moving := e.meters[node].between(e.moments[root])
		return w, math.Hypot(meterNoise*w, 0.1*moving) + meterStep
	}
}

// share is how one root's residual is given to what is below it.
type share struct {
	left    float64 // W not yet given, as entering the root
	weight  float64 // of those that still take
	sum     float64 // of the figures, as entering the root
	missed  float64 // left at first, in standard deviations
	noise   float64 // W^2: of the meter
	total   float64 // weight of all
	open    bool
	unknown bool
	base    float64
}

// given is one miner's figure on its way to the meter.
type given struct {
	power, most, weight, variance float64
	done                          bool
}

// spread is the outcome: what each miner was given, and what is left at each root.
type spread struct {
	miners []given
	roots  []share
	cells  []float64 // W^2: variance of the cell's sum as entering its root
}

// spreadOut gives each root's residual to the miners below it by the variance of their figures,
// no miner more than its error bears and none below zero.
func (e *Estimator) spreadOut() spread {
	s := spread{make([]given, len(e.raws)), make([]share, len(e.roots)), make([]float64, len(e.cells))}
	for owner, b := range e.blocks {
		if b != nil && owner > 0 {
			if at := e.roots[owner-1].at; at >= 0 {
				s.roots[at].base += b.x[0]
			}
		}
	}
	for i := range e.raws {
		r, c := &e.raws[i], e.cells[e.mem[i].cell]
		up := &e.roots[c.key.node]
		g := &s.miners[i]
		g.power, g.variance = r.power, r.single+sq(r.common)
		g.most = believed * math.Sqrt(g.variance)
		// What its figure has in common with the sum: its own variance, and the cell's share.
		g.weight = (r.single + r.common*c.sums.common) * up.lift
		s.cells[e.mem[i].cell] += g.weight * up.lift
		if up.at < 0 {
			continue
		}
		to := &s.roots[up.at]
		to.sum += r.power * up.lift
		to.weight += g.weight * up.lift
		to.unknown = to.unknown || r.method == Unknown
	}
	for i := range s.roots {
		r, to := &e.roots[i], &s.roots[i]
		to.open = r.reads && !r.spoilt && !to.unknown
		to.total, to.noise = to.weight, r.noise
		to.left = r.watts - r.metered - r.house - to.base - to.sum
		to.missed = math.Abs(to.left) / math.Sqrt(to.weight+to.noise+25)
	}
	for range 8 {
		if !e.give(&s) {
			break
		}
	}
	return s
}

// give is one round: all that still take get a part; those that reach a bound are done. It says
// whether another round may give more.
func (e *Estimator) give(s *spread) bool {
	gave, weight, bounded := make([]float64, len(s.roots)), make([]float64, len(s.roots)), false
	for i := range s.miners {
		g, r := &s.miners[i], &e.raws[i]
		up := &e.roots[e.cells[e.mem[i].cell].key.node]
		if g.done || up.at < 0 || !s.roots[up.at].open || s.roots[up.at].weight <= 0 {
			continue
		}
		to := &s.roots[up.at]
		want := g.power + to.left*g.weight/to.weight
		low, high := max(r.power-g.most, 0), r.power+g.most
		if next := min(max(want, low), high); next != want {
			want, g.done, bounded = next, true, true
		} else {
			weight[up.at] += g.weight * up.lift
		}
		gave[up.at] += (want - g.power) * up.lift
		g.power = want
	}
	again := false
	for i := range s.roots {
		if to := &s.roots[i]; to.open {
			to.left -= gave[i]
			to.sum += gave[i]
			to.weight = weight[i]
			again = again || bounded && math.Abs(to.left) > 0.01 && to.weight > 0
		}
	}
	return again
}

// output puts the figures into their form.
func (e *Estimator) output(s spread) Output {
	out := Output{Miners: make([]Figure, len(e.raws)), Groups: make([]GroupFigure, len(e.cells)), Nodes: make([]NodeFigure, len(e.roots))}
	for i, c := range e.cells {
		g := &out.Groups[i]
		g.Group, g.Node, g.Scale, g.ScaleError = c.key.group, c.key.node, c.state(stScale), c.sd(stScale)
		up := &e.roots[c.key.node]
		g.Error = unit.Watts(math.Sqrt(after(s, up.at, s.cells[i], s.cells[i])) / up.lift)
	}
	for i := range e.raws {
		cell, given := e.mem[i].cell, &s.miners[i]
		up := &e.roots[e.cells[cell].key.node]
		g := &out.Groups[cell]
		g.Methods[e.raws[i].method]++
		if e.raws[i].method == Unknown {
			continue
		}
		f := Figure{Method: e.raws[i].method, Power: site.Some(unit.Watts(max(given.power, 0)))}
		f.Error = unit.Watts(math.Sqrt(after(s, up.at, given.variance, given.weight)))
		g.Power += f.Power.V
		out.Miners[i] = f
	}
	for i := range s.roots {
		r, to := &e.roots[i], &s.roots[i]
		if !to.open {
			continue
		}
		out.Nodes[i] = NodeFigure{
			Reconciled: true, At: time.Unix(0, e.moments[i]).UTC(), Meter: unit.Watts(r.watts), Miners: unit.Watts(to.sum), Metered: unit.Watts(r.metered),
			Other: unit.Watts(r.house + to.base), Residual: unit.Watts(to.left),
		}
	}
	return out
}

// after is a figure's variance once the meter was heard, of what it was and what it has in
// common with the sum. What the meter could not be given makes all figures below it doubtful.
func after(s spread, root int, variance, common float64) float64 {
	if root < 0 || !s.roots[root].open || s.roots[root].total <= 0 {
		return variance
	}
	to := &s.roots[root]
	v := max(variance-sq(common)/(to.total+to.noise), 0)
	if to.missed > 2 {
		v = min(v*sq(to.missed/2), max(sq(believed)*variance, v))
	}
	return v
}
