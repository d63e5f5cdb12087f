package study

import "math"

// mean is an option's value as the report compares it: over all paths, or as expected where none were drawn.
func (x *expectation) mean(i int) float64 {
	if x.paths {
		return x.all[i].out.NPV.Mean
	}
	return x.all[i].out.Expected
}

// place is where all has a candidate; -1: nowhere.
func (x *expectation) place(c candidate) int {
	for i := range x.all {
		if x.all[i].candidate == c {
			return i
		}
	}
	return -1
}

// instead is the best of what else a hall could do, by itself: another month or another financing is nothing else.
func (x *expectation) instead(chosen int) (at int) {
	at = -1
	for i := range x.all {
		if x.all[i].hall == x.all[chosen].hall && !same(&x.all[i].out, &x.all[chosen].out) && (at < 0 || x.mean(i) > x.mean(at)) {
			at = i
		}
	}
	return at
}

// alternative says what the site could best do instead of what is chosen: of the ways to decide that regret compares, within
// the limits.
func (x *expectation) alternative(r *Report) {
	names, ways := x.e.ways(x.all, x.best)
	p := &r.Portfolio
	value, most := 0.0, math.Inf(-1)
	for k, way := range ways {
		sum, differs := x.e.fixed(x.w, x.e.empty(way), nil), false
		for h, c := range way {
			i := x.place(c)
			sum += x.mean(i)
			differs = differs || !same(&x.all[i].out, &x.all[x.at[h]].out)
		}
		if k == 0 {
			value = sum
		}
		if differs && !r.Regret.Beyond[k] && sum > most {
			most, p.Alternative = sum, names[k]
		}
	}
	if p.Alternative != "" {
		p.OverAlternative = some(value - most)
	}
}
