package planner

import "math"

// solution is what is decided, whatever the method: everything else follows from it.
type solution struct {
	run   [][]float64   // by class: machines at step*levels+level
	start [][]float64   // by class and step: machines started
	back  [][][]float64 // by class, product and step: kW at the connection that the class holds; nil without products
	taken [][]float64   // by firm load and step: kW taken back under the contract
	hours [][]float64   // by firm load and step: share of the step's hours of the right that is used
	short [][]float64   // by firm load and step: kW not delivered
	bare  [][]float64   // by firm load and step: kW reserved that are not kept free
	done  [][]float64   // by work and step: kW
	after []float64     // by work: kWh left for after the horizon
}

func (f *figures) newSolution() *solution {
	s := &solution{after: make([]float64, len(f.work))}
	for i := range f.classes {
		s.run = append(s.run, make([]float64, f.steps*len(f.classes[i].levels)))
		s.start = append(s.start, make([]float64, f.steps))
		if len(f.products) > 0 {
			s.back = append(s.back, f.rows(len(f.products)))
		}
	}
	n := len(f.firm)
	s.taken, s.hours, s.short, s.bare = f.rows(n), f.rows(n), f.rows(n), f.rows(n)
	s.done = f.rows(len(f.work))
	return s
}

func (f *figures) rows(n int) [][]float64 {
	out, all := make([][]float64, n), make([]float64, n*f.steps)
	for i := range out {
		out[i], all = all[:f.steps:f.steps], all[f.steps:]
	}
	return out
}

// running is how many machines of class c run in step t.
func (s *solution) running(f *figures, c, t int) float64 {
	n, l := 0.0, len(f.classes[c].levels)
	for _, v := range s.run[c][t*l : (t+1)*l] {
		n += v
	}
	return n
}

// power is what class c draws in step t, kW at the load.
func (s *solution) power(f *figures, c, t int) float64 {
	kw, l := 0.0, len(f.classes[c].levels)
	for i, v := range s.run[c][t*l : (t+1)*l] {
		kw += v * f.classes[c].levels[i].kw
	}
	return kw
}

// account is what a solution comes to.
type account struct {
	// profit is $ with contracted load at its contract's penalty; weighed is the same as the
	// plan weighs it, which is what is maximized.
	profit, weighed float64
	site            []float64   // kW entering the connection, by step
	excess          [][]float64 // kW above the cap, by step and node; nil where nothing is
	held, lacking   [][]float64 // by product and step, kW
	early           float64     // machine-hours stopped before their time
	late            []float64   // by work, kWh
	starts          float64     // power started beyond an inrush allowance, kW: never in a good plan
}

// account works out what s comes to. It knows nothing of how s was found.
func (f *figures) account(s *solution) account {
	a := account{site: make([]float64, f.steps), excess: make([][]float64, f.steps)}
	a.held, a.lacking = f.rows(len(f.products)), f.rows(len(f.products))
	a.late = make([]float64, len(f.work))
	kept := make([]float64, len(f.parent)) // kW at the loads, what is reserved counted
	for t := range f.steps {
		clear(kept)
		for c := range f.classes {
			a.machines(f, s, c, t, kept)
		}
		a.contracts(f, s, t, kept)
		for i := range f.work {
			w, p := &f.work[i], s.done[i][t]
			kept[w.node] += p
			a.site[t] += p * w.exit
			a.weighed += p * f.len[t] * w.worth[t]
		}
		a.limits(f, t, kept)
		a.energy(f, t)
	}
	for i := range f.classes {
		a.weighed -= f.classes[i].sunk
		a.bindings(f, s, i)
	}
	a.targets(f, s)
	a.profit += a.weighed
	return a
}

// machines counts what the machines of class c earn in step t.
func (a *account) machines(f *figures, s *solution, c, t int, kept []float64) {
	k := &f.classes[c]
	for i, l := range k.levels {
		p := s.run[c][t*len(k.levels)+i] * l.kw
		kept[k.node] += p
		a.site[t] += p * k.exit
		a.weighed += p * f.len[t] * l.value
	}
	a.weighed -= s.start[c][t] * k.start[t]
	if s.back == nil {
		return
	}
	for r := range f.products {
		held := s.back[c][r][t]
		a.held[r][t] += held
		a.weighed += held * f.len[t] * f.holding(c, r, t)
	}
}

// holding is what class c earns, $/kWh at the connection, by holding product r in step t:
// the price, less what a call is expected to cost.
func (f *figures) holding(c, r, t int) float64 {
	k, p := &f.classes[c], &f.products[r]
	return p.pay[t] - p.call*(k.levels[k.top].value/k.exit-f.spot[t])
}

// backs says whether class c is fast enough for product r.
func (f *figures) backs(c, r int) bool { return f.classes[c].response <= f.products[r].response }

func (a *account) contracts(f *figures, s *solution, t int, kept []float64) {
	for i := range f.firm {
		w := &f.firm[i]
		taken, short, bare := s.taken[i][t], s.short[i][t], s.bare[i][t]
		kept[w.node] += w.reserve[t] - taken - short - bare
		a.site[t] += (w.draw[t] - taken - short) * w.exit
		a.weighed -= f.len[t] * (taken*w.pay + s.hours[i][t]*w.hour + short*w.penalty + bare*w.penalty*bareShare)
		// Told to the reader at the contract's own price; room that is not kept free costs nobody.
		a.profit += f.len[t] * (short*(w.penalty-w.owed) + bare*w.penalty*bareShare)
	}
}

// bareShare is what room not kept free counts beside load not delivered: nearly as much, so
// that it goes first and flexible load goes before it.
const bareShare = 0.75

// limits finds what stands above its cap. It overwrites kept.
func (a *account) limits(f *figures, t int, kept []float64) {
	for i := len(kept) - 1; i >= 0; i-- {
		in := kept[i] * f.exit[i] / f.entry[i]
		if over := in - f.cap[t][i]; over > 0 {
			if a.excess[t] == nil {
				a.excess[t] = make([]float64, len(kept))
			}
			a.excess[t][i] = over
			a.weighed -= over * f.len[t] * f.overload
		}
		if f.parent[i] >= 0 {
			kept[f.parent[i]] += in
		}
	}
}

func (a *account) energy(f *figures, t int) {
	x := a.site[t]
	a.weighed -= f.len[t] * (x*f.price[t] - f.block[t]*f.spot[t] + math.Max(0, f.block[t]-x)*f.sellBack[t] + math.Max(0, f.minimum-x)*f.lack)
}

// bindings counts the machines of class c that stop before their minimum run is over.
func (a *account) bindings(f *figures, s *solution, c int) {
	k := &f.classes[c]
	for t := range f.steps {
		bound := k.bound(t, true)
		for u := t; u >= 0 && k.runTo[u] > t; u-- {
			bound += s.start[c][u]
		}
		if lack := bound - s.running(f, c, t); lack > 1e-9 {
			a.early += lack * f.len[t]
			a.weighed -= lack * k.most * f.len[t] * f.hurry
		}
	}
}

// bound is how many machines of the class are bound in step t by what they were at the
// beginning: to run, or to rest.
func (k *class) bound(t int, running bool) float64 {
	n := 0
	for _, g := range k.groups {
		if g.running == running && g.free > t {
			n += g.count
		}
	}
	return float64(n)
}

func (a *account) targets(f *figures, s *solution) {
	for _, d := range f.demand {
		peak := d.soFar
		for t, x := range a.site {
			if d.counts == nil || d.counts[t] {
				peak = math.Max(peak, x)
			}
		}
		a.weighed -= d.rate * (peak - d.soFar)
	}
	for r := range f.products {
		p := &f.products[r]
		for t := range p.sold {
			a.lacking[r][t] = math.Max(0, p.sold[t]-a.held[r][t])
			a.weighed -= a.lacking[r][t] * f.len[t] * p.short
		}
	}
	for i := range f.work {
		w := &f.work[i]
		left := w.energy - s.after[i]
		for t, p := range s.done[i] {
			left -= p * f.len[t]
		}
		a.late[i] = math.Max(0, left)
		a.weighed += s.after[i]*w.afterWorth - a.late[i]*w.late
	}
	for _, b := range f.inrush {
		kw := 0.0
		for c := range f.classes {
			if !f.below(f.classes[c].node, b.node) {
				continue
			}
			for t := b.from; t <= b.to; t++ {
				kw += s.start[c][t] * f.classes[c].most
			}
		}
		a.starts = math.Max(a.starts, kw-b.kw)
	}
}
