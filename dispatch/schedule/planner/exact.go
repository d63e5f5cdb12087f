package planner

import (
	"math"
	"slices"
)

// exact gives each class its best path at the steps' own prices, each contract and each work
// its best use, and says whether all of it together breaks no bound that they share. Then
// nothing couples them, and no other plan earns more.
func (f *figures) exact(m *model) (*solution, bool) {
	s := f.newSolution()
	m.f = f
	m.foldReserves()
	var w walk
	gain := make([]float64, f.steps)
	for c := range f.classes {
		k := &f.classes[c]
		at := make([]int, f.steps)
		for t := range gain {
			at[t], gain[t] = f.bestLevel(k, t, k.exit*f.price[t], f.bestProduct(c, t))
		}
		w.solve(gain, k.start, k.runTo, k.restTo)
		f.fill(s, c, &w, at)
		f.backBest(s, c)
	}
	for i := range f.firm {
		if !f.takeBack(s, i) {
			return nil, false
		}
	}
	for i := range f.work {
		f.workBest(s, i)
	}
	a := f.account(s)
	return s, f.free(&a)
}

// bestLevel returns the level that earns most in step t at price, $/kWh at the load, and what
// one machine earns; held is $/kWh at the connection for holding its power.
func (f *figures) bestLevel(k *class, t int, price, held float64) (int, float64) {
	best, at := math.Inf(-1), 0
	for i, l := range k.levels {
		if g := l.kw * (l.value - price + k.exit*held); g > best {
			best, at = g, i
		}
	}
	return at, best * f.len[t]
}

// bestProduct is what class c earns by the best product in step t, $/kWh at the connection.
func (f *figures) bestProduct(c, t int) float64 {
	best := 0.0
	for r := range f.products {
		if f.backs(c, r) {
			best = math.Max(best, f.holding(c, r, t))
		}
	}
	return best
}

func (f *figures) backBest(s *solution, c int) {
	for t := range f.steps {
		best, of := 0.0, -1
		for r := range f.products {
			if !f.backs(c, r) {
				continue
			}
			if v := f.holding(c, r, t); v > best {
				best, of = v, r
			}
		}
		if of >= 0 {
			s.back[c][of][t] = s.power(f, c, t) * f.classes[c].exit
		}
	}
}

// fill puts the walk of class c's machines into s, each step at its level.
func (f *figures) fill(s *solution, c int, w *walk, level []int) {
	k := &f.classes[c]
	for _, g := range k.groups {
		n := float64(g.count)
		w.follow(g, k.runTo, k.restTo, func(t int, started bool) {
			s.run[c][t*len(k.levels)+level[t]] += n
			if started {
				s.start[c][t] += n
			}
		})
	}
}

// takeBack uses a curtailment right wherever it pays; false where its hours do not suffice
// for that, so that they must be weighed.
func (f *figures) takeBack(s *solution, i int) bool {
	w, hours := &f.firm[i], 0.0
	for t := range f.steps {
		if w.right[t] > 0 && w.right[t]*(w.exit*f.price[t]-w.pay)-w.hour > 0 {
			s.taken[i][t], s.hours[i][t] = w.right[t], 1
			hours += f.len[t]
		}
	}
	return hours <= w.left+1e-9
}

// workBest does work in the steps that are worth most, after the horizon among them, until
// it is done or not worth while.
func (f *figures) workBest(s *solution, i int) {
	w := &f.work[i]
	worth := func(t int) float64 { return w.worth[t] - w.exit*f.price[t] }
	order := make([]int, f.steps)
	for t := range order {
		order[t] = t
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case worth(a) > worth(b):
			return -1
		case worth(a) < worth(b):
			return 1
		}
		return 0
	})
	left, later := w.energy, w.after
	for n := 0; n <= len(order) && left > 0; n++ {
		if n == len(order) || w.afterWorth > worth(order[n]) {
			if w.afterWorth+w.late > 0 && later > 0 {
				s.after[i] = min(left, later)
				left, later = left-s.after[i], 0
			}
		}
		if n == len(order) || worth(order[n])+w.late <= 0 {
			continue
		}
		t := order[n]
		e := min(left, w.most[t]*f.len[t])
		s.done[i][t] = e / f.len[t]
		left -= e
	}
}

// free says whether a solution breaks no bound and no target that its parts share.
func (f *figures) free(a *account) bool {
	const slack = 1e-6
	for t, x := range a.site {
		if a.excess[t] != nil || x < f.minimum-slack || f.sellBack[t] > 0 && x < f.block[t]-slack {
			return false
		}
		for r := range f.products {
			if a.held[r][t] > f.products[r].bound(t)+slack || a.lacking[r][t] > slack {
				return false
			}
		}
		for _, d := range f.demand {
			if (d.counts == nil || d.counts[t]) && d.rate > 0 && x > d.soFar+slack {
				return false
			}
		}
	}
	return a.starts <= slack
}
