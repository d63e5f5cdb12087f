package schedule

import (
	"math"
	"slices"
)

// fraction is how far from whole a count may be and still be called whole.
const fraction = 1e-6

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

// rounder makes the counts of the first steps whole without breaking what a class's machines
// may do: its starts and stops, summed from the beginning, are cut to whole numbers at the
// same fraction, and every minimum run and rest that held between the sums still holds.
// At which fraction is chosen class by class, the one that costs least at the shared bounds.
type rounder struct {
	m            *model
	x            []float64
	lower, upper []float64
	in           [][]float64 // kW entering, by step and node, as rounded so far
	peak         float64     // kW at the connection above which a peak is charged
	rate         float64
}

// round returns bounds that fix all that must be whole, near the relaxed solution x.
func (m *model) round(x []float64) (lower, upper []float64) {
	r := rounder{m: m, x: x, lower: slices.Clone(m.lower), upper: slices.Clone(m.upper), peak: math.Inf(1)}
	r.flows()
	for i, d := range m.f.demand {
		r.peak = math.Min(r.peak, x[m.peak[i]])
		r.rate += d.rate
	}
	for c := range m.f.classes {
		r.class(c)
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

// class fixes one class's counts.
func (r *rounder) class(c int) {
	f := r.m.f
	k := &f.classes[c]
	if f.whole == 0 {
		return
	}
	starts, stops := r.sums(c)
	best, least := []float64(nil), math.Inf(1)
	for _, theta := range fractions(starts, stops) {
		n := make([]float64, f.whole)
		cost := 0.0
		before, was := float64(k.running), float64(k.running)
		for t := range n {
			n[t] = float64(k.running) + math.Floor(starts[t]+theta) - math.Floor(stops[t]+theta)
			cost += r.cost(c, t, n[t]-float64(k.running)-starts[t]+stops[t])
			cost += k.start[t] * (math.Max(0, n[t]-before) - math.Max(0, float64(k.running)+starts[t]-stops[t]-was))
			before, was = n[t], float64(k.running)+starts[t]-stops[t]
		}
		if cost < least-1e-12 {
			best, least = n, cost
		}
	}
	for t, n := range best {
		r.fix(c, t, n)
		r.move(c, t, n-float64(k.running)-starts[t]+stops[t])
	}
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

// cost is what n more machines of class c in step t cost: bounds passed, less what they earn.
func (r *rounder) cost(c, t int, n float64) float64 {
	if n == 0 {
		return 0
	}
	f := r.m.f
	k := &f.classes[c]
	l := k.levels[k.top]
	cost := -n * l.kw * f.len[t] * (l.value - k.exit*f.price[t])
	more := n * l.kw * k.exit
	for i := k.node; i >= 0; i = f.parent[i] {
		add := more / f.entry[i]
		over := math.Max(0, r.in[t][i]+add-f.cap[t][i]-1e-7) - math.Max(0, r.in[t][i]-f.cap[t][i])
		cost += over * f.len[t] * f.overload
	}
	return cost + r.rate*(math.Max(0, r.in[t][0]+more-r.peak)-math.Max(0, r.in[t][0]-r.peak))
}

// move books n more machines.
func (r *rounder) move(c, t int, n float64) {
	f := r.m.f
	k := &f.classes[c]
	for i := k.node; i >= 0; i = f.parent[i] {
		r.in[t][i] += n * k.levels[k.top].kw * k.exit / f.entry[i]
	}
}

// fix sets n machines to run in step t, at the levels of the relaxed solution as near as may be.
func (r *rounder) fix(c, t int, n float64) {
	m := r.m
	l := len(m.f.classes[c].levels)
	first := m.run[c] + int32(t*l)
	at, part := make([]float64, l), make([]float64, l)
	left := n
	for i := range at {
		v := snap(r.x[first+int32(i)])
		at[i] = math.Floor(v)
		part[i] = v - at[i]
		left -= at[i]
	}
	for ; left > 0.5; left-- {
		i := argmax(part)
		at[i]++
		part[i]--
	}
	for ; left < -0.5; left++ {
		i := argmax(at)
		at[i]--
	}
	for i, v := range at {
		r.lower[first+int32(i)], r.upper[first+int32(i)] = v, v
	}
}

func argmax(s []float64) int {
	best := 0
	for i, v := range s {
		if v > s[best] {
			best = i
		}
	}
	return best
}
