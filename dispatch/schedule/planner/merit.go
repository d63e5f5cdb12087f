package planner

import (
	"math"
	"slices"
)

// merit plans each step by itself, as the clearing would: contracts first, then whatever is
// worth its price, best value first, while the caps leave room. It knows wear and the hours
// ahead not at all, but keeps minimum runs and rests and the inrush allowances.
func (f *figures) merit() *solution {
	r := meritRun{f: f, s: f.newSolution(), room: make([]float64, len(f.parent)), left: make([]float64, len(f.work))}
	for c := range f.classes {
		r.groups = append(r.groups, slices.Clone(f.classes[c].groups))
	}
	for i := range f.work {
		r.left[i] = f.work[i].energy
	}
	for t := range f.steps {
		r.step(t)
	}
	for i := range f.work {
		if w := &f.work[i]; w.afterWorth+w.late > 0 {
			r.s.after[i] = math.Min(w.after, r.left[i])
		}
	}
	r.reserves()
	return r.s
}

// static plans all flexible load at rest: the safe limit. Machines stop at once.
func (f *figures) static() *solution {
	r := meritRun{f: f, s: f.newSolution(), room: make([]float64, len(f.parent))}
	for t := range f.steps {
		r.open(t)
		r.contracts(t)
	}
	return r.s
}

type meritRun struct {
	f      *figures
	s      *solution
	groups [][]group
	left   []float64 // work, kWh
	room   []float64 // kW at the connection below each cap
}

// want is one place in a step's merit order.
type want struct {
	worth float64 // $/kWh at the connection
	class int     // -1 for work
	work  int
	bound bool // running, and bound to
}

func (r *meritRun) open(t int) {
	for i := range r.room {
		r.room[i] = r.f.cap[t][i] * r.f.entry[i]
	}
}

func (r *meritRun) step(t int) {
	r.open(t)
	r.contracts(t)
	var order []want
	for c := range r.f.classes {
		k := &r.f.classes[c]
		l := k.levels[k.top]
		order = append(order, want{worth: math.Inf(1), class: c, bound: true}, want{worth: l.value / k.exit, class: c})
	}
	for i := range r.f.work {
		w := &r.f.work[i]
		order = append(order, want{worth: (w.worth[t] + w.late) / w.exit, class: -1, work: i})
	}
	slices.SortStableFunc(order, func(a, b want) int {
		switch {
		case a.worth > b.worth:
			return -1
		case a.worth < b.worth:
			return 1
		}
		return 0
	})
	running := make([]int, len(r.f.classes))
	for _, w := range order {
		if w.class < 0 {
			r.doWork(t, w)
			continue
		}
		running[w.class] += r.machines(t, w, running[w.class])
	}
	for c, n := range running {
		r.settle(c, t, n)
	}
}

// contracts keeps what is reserved; what no cap leaves room for is cut.
func (r *meritRun) contracts(t int) {
	for i := range r.f.firm {
		w := &r.f.firm[i]
		lack := w.reserve[t] - r.take(w.node, w.reserve[t]*w.exit)/w.exit
		if lack <= 0 {
			continue
		}
		r.s.bare[i][t] = math.Min(lack, w.reserve[t]-w.draw[t])
		r.s.short[i][t] = lack - r.s.bare[i][t]
	}
}

// take takes as much of want, kW at the connection, as the path leaves.
func (r *meritRun) take(node int, want float64) float64 {
	for n := node; n >= 0; n = r.f.parent[n] {
		want = math.Min(want, math.Max(0, r.room[n]))
	}
	for n := node; n >= 0; n = r.f.parent[n] {
		r.room[n] -= want
	}
	return want
}

func (r *meritRun) doWork(t int, w want) {
	k := &r.f.work[w.work]
	if w.worth <= r.f.price[t] {
		return
	}
	p := math.Min(k.most[t], r.left[w.work]/r.f.len[t])
	p = r.take(k.node, p*k.exit) / k.exit
	r.s.done[w.work][t] = p
	r.left[w.work] -= p * r.f.len[t]
}

// machines returns how many more machines of a class run in step t: the bound ones, or those
// free to, if they are worth it.
func (r *meritRun) machines(t int, w want, already int) int {
	k := &r.f.classes[w.class]
	p := k.levels[k.top].kw * k.exit
	n := 0
	switch {
	case w.bound:
		n = r.count(w.class, func(g group) bool { return g.running && g.free > t })
	case w.worth > r.f.price[t]:
		kept := r.count(w.class, func(g group) bool { return g.running }) - already
		fresh := r.count(w.class, func(g group) bool { return !g.running && g.free <= t })
		n = kept + min(fresh, r.startable(w.class, t))
	}
	if p <= 0 || n == 0 {
		return n
	}
	for i := k.node; i >= 0; i = r.f.parent[i] {
		n = int(math.Min(float64(n), math.Floor(math.Max(0, r.room[i])/p+1e-9)))
	}
	r.take(k.node, float64(n)*p)
	return n
}

func (r *meritRun) count(c int, is func(group) bool) int {
	n := 0
	for _, g := range r.groups[c] {
		if is(g) {
			n += g.count
		}
	}
	return n
}

// startable is how many machines of class c the inrush allowances let start in step t. The
// other classes' starts of this very step are counted once they are settled, so each class
// has an equal share of what is left.
func (r *meritRun) startable(c, t int) int {
	f := r.f
	k := &f.classes[c]
	most := math.Inf(1)
	for _, b := range f.inrush {
		if !f.below(k.node, b.node) || t < b.from || t > b.to {
			continue
		}
		room, share := b.kw, 0.0
		for o := range f.classes {
			if !f.below(f.classes[o].node, b.node) {
				continue
			}
			share++
			for u := b.from; u < t; u++ {
				room -= r.s.start[o][u] * f.classes[o].most
			}
		}
		most = math.Min(most, room/share/math.Max(k.most, 1e-12))
	}
	return int(math.Max(0, math.Floor(math.Min(most+1e-9, 1e9))))
}

// settle makes n machines of class c run in step t: it starts or stops what the groups lack.
// Those that were longest as they are go first.
func (r *meritRun) settle(c, t, n int) {
	k := &r.f.classes[c]
	have := r.count(c, func(g group) bool { return g.running })
	r.s.run[c][t*len(k.levels)+k.top] = float64(n)
	if n > have {
		r.s.start[c][t] = float64(n - have)
		r.turn(c, n-have, false, k.runTo[t])
	} else if n < have {
		r.turn(c, have-n, true, k.restTo[t])
	}
}

func (r *meritRun) turn(c, n int, running bool, free int) {
	list := r.groups[c]
	turned := n
	slices.SortStableFunc(list, func(a, b group) int { return a.free - b.free })
	for i := range list {
		if g := &list[i]; g.running == running && n > 0 {
			m := min(n, g.count)
			g.count -= m
			n -= m
		}
	}
	list = slices.DeleteFunc(list, func(g group) bool { return g.count == 0 })
	r.groups[c] = append(list, group{count: turned, running: !running, free: free})
}

// reserves holds what runs as the product that pays each class best, as far as may be sold.
func (r *meritRun) reserves() {
	f, s := r.f, r.s
	for t := range f.steps {
		for i := range f.products {
			left := f.products[i].bound(t)
			for c := range f.classes {
				if !f.backs(c, i) || left <= 0 || f.holding(c, i, t) <= 0 && f.products[i].sold == nil {
					continue
				}
				have := s.power(f, c, t) * f.classes[c].exit
				for o := range f.products {
					have -= s.back[c][o][t]
				}
				held := math.Max(0, math.Min(left, have))
				s.back[c][i][t] += held
				left -= held
			}
		}
	}
}
