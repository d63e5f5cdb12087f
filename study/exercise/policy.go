package exercise

import (
	"math"
	"slices"
)

// rule is the policy of one date. What an action is worth over waiting is regressed on the states,
// action by action: the difference and not both of its sides, since they share most of their noise.
// That finds the best action; near zero, where the decision is taken, its difference from waiting is
// regressed once more on the paths that are near.
type rule struct {
	basis
	may    []bool      // by action
	over   [][]float64 // coefficients by action
	near   float64     // how near is near
	closer []float64   // coefficients of the second regression; nil without one
}

// decide is the best action for a row of columns and what it is worth over waiting, or Never. Possible says which
// actions the path has; nil: all.
func (r *rule) decide(row []float64, possible func(a int) bool) int {
	best, gain := Never, math.Inf(-1)
	for a, c := range r.over {
		if !r.may[a] || possible != nil && !possible(a) {
			continue
		}
		if g := dot(c, row); g > gain {
			best, gain = a, g
		}
	}
	if best != Never && r.closer != nil && math.Abs(gain) < r.near {
		gain = dot(r.closer, row)
	}
	if !(gain > 0) {
		return Never
	}
	return best
}

// solver learns and values.
type solver struct {
	p     *Problem
	rules []rule
	rows  []float64 // the columns of one date's states, by path
	value []float64 // by path, of following the policy from the next date on
	gain  []float64 // by path, the first regression's best
	best  []int
	sort  []float64
	fit   fit
}

func (s *solver) row(i, columns int) []float64 {
	return s.rows[i*columns : (i+1)*columns]
}

// columnsOf fills the rows of date d, of every path.
func (s *solver) columnsOf(r *rule, d int) {
	var state [MaxStates]float64
	for i := range s.p.Paths {
		for k := range s.p.States {
			state[k] = s.p.state[(d*s.p.States+k)*s.p.Paths+i]
		}
		r.of(&state, s.row(i, r.columns))
	}
}

// learn goes back from the last date. The policy of each date is learned from the even paths; all
// paths then follow it, so that in the end value is that of date 0.
func (s *solver) learn() {
	p := s.p
	copy(s.value, p.last)
	for d := p.Dates - 1; d >= 0; d-- {
		stay := p.Stay(d)
		for i := range s.value {
			s.value[i] += stay[i]
		}
		r := &s.rules[d]
		r.begin(p, d)
		s.columnsOf(r, d)
		s.first(r, d)
		s.second(r, d)
		for i := range s.value {
			if a := r.decide(s.row(i, r.columns), s.possible(d, i)); a != Never {
				s.value[i] = p.Exercise(d, a)[i]
			}
		}
	}
}

func (s *solver) possible(d, i int) func(a int) bool {
	return func(a int) bool { v := s.p.exercise[(d*s.p.Actions+a)*s.p.Paths+i]; return v == v }
}

// first regresses each action's worth over waiting on the even paths.
func (s *solver) first(r *rule, d int) {
	p := s.p
	r.may = make([]bool, p.Actions)
	r.over = make([][]float64, p.Actions)
	common := fit{}
	common.clear(r.columns)
	for i := 0; i < p.Paths; i += 2 {
		common.addGram(s.row(i, r.columns), 1)
	}
	for a := range p.Actions {
		worth := p.Exercise(d, a)
		n, missing := 0, false
		for i := 0; i < p.Paths; i += 2 {
			if worth[i] != worth[i] {
				missing = true
			} else {
				n++
			}
		}
		if n == 0 {
			continue
		}
		s.fit = common
		if missing {
			s.fit.clear(r.columns)
		}
		for i := 0; i < p.Paths; i += 2 {
			if worth[i] != worth[i] {
				continue
			}
			row := s.row(i, r.columns)
			if missing {
				s.fit.addGram(row, 1)
			}
			s.fit.addMoments(row, worth[i]-s.value[i])
		}
		if n < 4*r.columns {
			s.fit.n = 1 // too few for more than their mean
		}
		r.may[a] = true
		r.over[a] = make([]float64, r.columns)
		s.fit.solve(r.over[a])
	}
}

// nearest is the share of the even paths on which the second regression is done, those that count for
// anything; their weight falls to zero at the edge.
const nearest = 0.2

// second regresses the best action's worth over waiting once more, where it is near zero.
func (s *solver) second(r *rule, d int) {
	p := s.p
	s.sort = s.sort[:0]
	below, above := 0, 0
	for i := 0; i < p.Paths; i += 2 {
		s.best[i], s.gain[i] = Never, math.Inf(-1)
		for a := range p.Actions {
			if v := p.Exercise(d, a)[i]; !r.may[a] || v != v {
				continue
			}
			if g := dot(r.over[a], s.row(i, r.columns)); g > s.gain[i] {
				s.best[i], s.gain[i] = a, g
			}
		}
		if s.best[i] == Never {
			continue
		}
		if s.gain[i] > 0 {
			above++
		} else {
			below++
		}
		s.sort = append(s.sort, math.Abs(s.gain[i]))
	}
	least := 8 * r.columns
	if len(s.sort) < 2*least || above == 0 || below == 0 {
		return
	}
	slices.Sort(s.sort)
	r.near = s.sort[int(nearest*float64(len(s.sort)))]
	if !(r.near > 0) {
		return
	}
	s.fit.clear(r.columns)
	for i := 0; i < p.Paths; i += 2 {
		u := s.gain[i] / r.near
		if s.best[i] == Never || !(u > -1 && u < 1) {
			continue
		}
		w := 1 - float64(u*u)
		row := s.row(i, r.columns)
		s.fit.addGram(row, w)
		s.fit.addMoments(row, float64(w*(p.Exercise(d, s.best[i])[i]-s.value[i])))
	}
	r.closer = make([]float64, r.columns)
	s.fit.solve(r.closer)
}
