package planner

import (
	"math"
	"slices"
)

// fraction is how far from whole a count may be and still be called whole.
const fraction = 1e-6

// passes is how often each class is rounded: the first ones again once the last ones are.
const passes = 2

func isWhole(v float64) bool { return math.Abs(v-math.Round(v)) <= fraction }

// settled says whether all machines and hours that must be whole are.
func (m *model) settled(x []float64) bool {
	whole := func(first int32, n int) bool {
		for j := first; first >= 0 && j < first+int32(n); j++ {
			if !isWhole(x[j]) {
				return false
			}
		}
		return true
	}
	for c := range m.run {
		if !whole(m.run[c], m.f.whole*len(m.f.classes[c].levels)) {
			return false
		}
	}
	for _, first := range m.hours {
		if !whole(first, m.f.whole) {
			return false
		}
	}
	return true
}

// countWhole is how many counts of machines must be whole.
func (m *model) countWhole() int {
	n := 0
	for c := range m.f.classes {
		n += m.f.whole * len(m.f.classes[c].levels)
	}
	return n
}

// tighten returns the rows' bounds with room left under each shared bound in the first steps,
// for so many of the greatest machine that x has not whole, so that it may be rounded up.
func (m *model) tighten(x []float64, machines float64) (rowLower, rowUpper []float64) {
	f := m.f
	rowLower, rowUpper = slices.Clone(m.RowLower), slices.Clone(m.RowUpper)
	room := make([]float64, len(f.parent))
	for c := range f.classes {
		k := &f.classes[c]
		part := slices.ContainsFunc(x[m.run[c]:int(m.run[c])+f.whole*len(k.levels)], func(v float64) bool { return !isWhole(v) })
		for n := k.node; part && n >= 0; n = f.parent[n] {
			room[n] = math.Max(room[n], machines*k.most*k.exit/f.entry[n])
		}
	}
	for _, b := range m.limits {
		if b.step < f.whole {
			rowUpper[b.row] -= room[b.node]
		}
	}
	row := m.peakRow
	for _, d := range f.demand {
		for t := range f.steps {
			if d.counts == nil || d.counts[t] {
				if t < f.whole {
					rowLower[row] += room[0]
				}
				row++
			}
		}
	}
	return rowLower, rowUpper
}

// rounder makes the counts of the first steps whole without breaking what a class's machines
// may do: its starts and stops, summed from the beginning, are cut to whole numbers at the
// same fraction, and every minimum run and rest that held between the sums still holds.
// At which fraction is chosen class by class, the one that costs least at the shared bounds.
type rounder struct {
	m            *model
	x            []float64
	lower, upper []float64
	in           [][]float64 // kW entering with all that is reserved, by step and node, as rounded so far
	site         []float64   // kW drawn at the connection, by step, as rounded so far
}

// round returns bounds that fix all that must be whole, near the relaxed solution x.
func (m *model) round(x []float64) (lower, upper []float64) {
	r := rounder{m: m, x: x, lower: slices.Clone(m.Lower), upper: slices.Clone(m.Upper)}
	r.flows()
	for range passes {
		for c := range m.f.classes {
			r.class(c)
		}
	}
	for i, j := range m.hours {
		for t := 0; j >= 0 && t < m.f.whole; t++ {
			v := math.Floor(x[j+int32(t)] + fraction)
			if m.f.firm[i].right[t] <= 0 {
				v = 0
			}
			r.lower[j+int32(t)], r.upper[j+int32(t)] = v, v
		}
	}
	return r.lower, r.upper
}

// flows works out what enters each node in the steps to be rounded.
func (r *rounder) flows() {
	f, m := r.m.f, r.m
	r.in = make([][]float64, f.whole)
	r.site = slices.Clone(r.x[m.site : int(m.site)+f.whole])
	for t := range r.in {
		in := make([]float64, len(f.parent))
		for c := range f.classes {
			k := &f.classes[c]
			for i, l := range k.levels {
				in[k.node] += l.kw * r.x[m.run[c]+int32(t*len(k.levels)+i)]
			}
		}
		for i := range f.work {
			in[f.work[i].node] += r.x[m.done[i]+int32(t)]
		}
		for i := range f.firm {
			w := &f.firm[i]
			v := w.reserve[t]
			for _, j := range []int32{m.taken[i], m.short[i], m.bare[i]} {
				if j >= 0 {
					v -= r.x[j+int32(t)]
				}
			}
			in[w.node] += v
		}
		for i := len(in) - 1; i >= 0; i-- {
			in[i] *= f.exit[i] / f.entry[i]
			if f.parent[i] >= 0 {
				in[f.parent[i]] += in[i]
			}
		}
		r.in[t] = in
	}
}

// class fixes one class's counts, as costs least with the other classes as they are by now.
func (r *rounder) class(c int) {
	f := r.m.f
	k := &f.classes[c]
	l := len(k.levels)
	if f.whole == 0 {
		return
	}
	for t := range f.whole { // what is rounded already is taken off and put anew
		r.move(c, t, r.counts(c, t), -1)
	}
	starts, stops := r.sums(c)
	best, least := make([]float64, f.whole*l), math.Inf(1)
	trial := make([]float64, f.whole*l)
	for _, theta := range fractions(starts, stops) {
		cost, before := 0.0, float64(k.running)
		for t := range f.whole {
			n := float64(k.running) + math.Floor(starts[t]+theta) - math.Floor(stops[t]+theta)
			cost += r.spread(c, t, n, trial[t*l:(t+1)*l])
			cost += k.start[t] * math.Max(0, n-before)
			before = n
		}
		if cost < least-1e-12 {
			least = cost
			best, trial = trial, best
		}
	}
	for t := range f.whole {
		n := best[t*l : (t+1)*l]
		r.move(c, t, n, 1)
		for i, v := range n {
			j := int(r.m.run[c]) + t*l + i
			r.lower[j], r.upper[j] = v, v
		}
	}
}

// counts are the machines of class c in step t at each level, as they are by now.
func (r *rounder) counts(c, t int) []float64 {
	l := len(r.m.f.classes[c].levels)
	first := int(r.m.run[c]) + t*l
	if r.lower[first] == r.upper[first] {
		return r.lower[first : first+l]
	}
	return r.x[first : first+l]
}

// spread puts n machines of class c on the levels in step t, near the relaxed solution and as
// costs least, and returns that cost.
func (r *rounder) spread(c, t int, n float64, to []float64) float64 {
	first := int(r.m.run[c]) + t*len(to)
	left := n
	for i := range to {
		to[i] = math.Floor(snap(r.x[first+i]))
		left -= to[i]
	}
	for ; left > 0.5; left-- {
		to[r.cheapest(c, t, to, 1)]++
	}
	for ; left < -0.5; left++ {
		to[r.cheapest(c, t, to, -1)]--
	}
	return r.cost(c, t, to)
}

// cheapest is the level at which one machine more, or less, costs least.
func (r *rounder) cheapest(c, t int, n []float64, more float64) int {
	best, at := math.Inf(1), 0
	for i := range n {
		if n[i]+more < 0 {
			continue
		}
		n[i] += more
		if v := r.cost(c, t, n); v < best {
			best, at = v, i
		}
		n[i] -= more
	}
	return at
}

// sums returns the starts and stops of class c, summed from the beginning.
func (r *rounder) sums(c int) (starts, stops []float64) {
	f, m := r.m.f, r.m
	k := &f.classes[c]
	starts, stops = make([]float64, f.whole), make([]float64, f.whole)
	before, up, down := float64(k.running), 0.0, 0.0
	for t := range f.whole {
		now := 0.0
		for i := range k.levels {
			now += r.x[m.run[c]+int32(t*len(k.levels)+i)]
		}
		s := math.Max(0, now-before)
		up += s
		down += s - (now - before)
		before = now
		starts[t], stops[t] = snap(up), snap(down)
	}
	return starts, stops
}

// snap takes the solver's noise off a whole number.
func snap(v float64) float64 {
	if isWhole(v) {
		return math.Round(v)
	}
	return v
}

// fractions are those at which a sum's floor changes, at most a few.
func fractions(starts, stops []float64) []float64 {
	out := []float64{0}
	for _, sums := range [][]float64{starts, stops} {
		for _, v := range sums {
			if up := math.Ceil(v) - v; up > fraction {
				out = append(out, up+1e-9)
			}
		}
	}
	slices.Sort(out)
	out = slices.CompactFunc(out, func(a, b float64) bool { return b-a < fraction })
	const most = 12
	if len(out) > most {
		for i := range most {
			out[i] = out[i*len(out)/most]
		}
		out = out[:most]
	}
	return out
}

// cost is what the machines of class c cost in step t: bounds passed, less what they earn.
func (r *rounder) cost(c, t int, n []float64) float64 {
	f := r.m.f
	k := &f.classes[c]
	kw, cost := 0.0, 0.0
	for i, v := range n {
		kw += v * k.levels[i].kw
		cost -= v * k.levels[i].kw * f.len[t] * (k.levels[i].value - k.exit*f.price[t])
	}
	kw *= k.exit
	for i := k.node; i >= 0; i = f.parent[i] {
		over := r.in[t][i] + kw/f.entry[i] - f.cap[t][i]
		cost += math.Max(0, over-1e-7) * f.len[t] * f.overload
	}
	site := r.site[t] + kw
	for i, d := range f.demand {
		if d.counts == nil || d.counts[t] {
			cost += d.rate * math.Max(0, site-r.x[r.m.peak[i]]-1e-7)
		}
	}
	cost += f.lack * f.len[t] * math.Max(0, f.minimum-site)
	return cost + f.sellBack[t]*f.len[t]*math.Max(0, f.block[t]-site)
}

// move books n machines, or takes them off.
func (r *rounder) move(c, t int, n []float64, sign float64) {
	f := r.m.f
	k := &f.classes[c]
	kw := 0.0
	for i, v := range n {
		kw += v * k.levels[i].kw * k.exit * sign
	}
	r.site[t] += kw
	for i := k.node; i >= 0; i = f.parent[i] {
		r.in[t][i] += kw / f.entry[i]
	}
}
