package exercise

import (
	"math"
	"slices"
)

// Solve learns the policy and values it.
func Solve(p *Problem) (*Result, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	columns := 1 + p.States + p.States*(p.States+1)/2 + p.States
	s := &solver{
		p: p, rules: make([]rule, p.Dates), rows: make([]float64, p.Paths*columns), value: make([]float64, p.Paths),
		gain: make([]float64, p.Paths), best: make([]int, p.Paths), sort: make([]float64, 0, p.Paths),
	}
	s.learn()
	r := &Result{Date: make([]int, p.Paths), Action: make([]int, p.Paths), Dates: make([]Date, p.Dates)}
	s.follow(r)
	s.committed(r)
	r.Value, r.Error = odd(s.value, nil)
	for d := range r.Dates {
		s.boundary(d, &r.Dates[d])
	}
	return r, nil
}

// odd is the mean over the odd paths of v less other (nil: nothing), and its standard error.
func odd(v, other []float64) (mean, standardError float64) {
	n, sum := 0.0, 0.0
	less := func(i int) float64 {
		if other == nil {
			return v[i]
		}
		return v[i] - other[i]
	}
	for i := 1; i < len(v); i += 2 {
		sum += less(i)
		n++
	}
	mean = sum / n
	squares := 0.0
	for i := 1; i < len(v); i += 2 {
		e := less(i) - mean
		squares += float64(e * e)
	}
	return mean, math.Sqrt(squares / (n * max(n-1, 1)))
}

// follow lets each path go by the policy, from date 0 on.
func (s *solver) follow(r *Result) {
	p := s.p
	for i := range r.Action {
		r.Action[i] = Never
	}
	n := float64(p.Paths / 2)
	left := n
	for d := range p.Dates {
		rule, date := &s.rules[d], &r.Dates[d]
		s.columnsOf(rule, d)
		date.Share = make([]float64, p.Actions)
		for i := range p.Paths {
			if r.Action[i] != Never {
				continue
			}
			a := rule.decide(s.row(i, rule.columns), s.possible(d, i))
			if a == Never {
				continue
			}
			r.Action[i], r.Date[i] = a, d
			if i%2 == 1 {
				date.Share[a]++
				left--
			}
		}
		for a := range date.Share {
			date.Share[a] /= n
		}
		if d == 0 {
			r.Today = most(date.Share)
		}
	}
	r.Never = left / n
}

func most(share []float64) int {
	best, most := Never, 1.0
	for _, v := range share {
		most -= v
	}
	for a, v := range share {
		if v > most {
			best, most = a, v
		}
	}
	return best
}

// committed finds the best plans that look at nothing.
func (s *solver) committed(r *Result) {
	p := s.p
	plan, best := make([]float64, p.Paths), make([]float64, p.Paths)
	before := make([]float64, p.Paths) // of waiting until the date
	even := math.Inf(-1)
	try := func(d, a int, of []float64) {
		n, sum := 0.0, 0.0
		for i := range plan {
			plan[i] = before[i] + of[i]
			if i%2 == 0 {
				sum += plan[i]
				n++
			}
		}
		// What some path cannot do is no plan: the mean is NaN.
		if sum/n > even {
			r.PlannedTo, r.PlannedAt, even = a, d, sum/n
			copy(best, plan)
		}
	}
	// To wait for ever comes first, so that it wins a tie.
	for d := range p.Dates {
		stay := p.Stay(d)
		for i := range before {
			before[i] += stay[i]
		}
	}
	try(0, Never, p.last)
	clear(before)
	for d := range p.Dates {
		for a := range p.Actions {
			try(d, a, p.Exercise(d, a))
		}
		if d == 0 {
			r.Committed, _ = odd(best, nil)
			r.CommittedTo = r.PlannedTo
			r.Option, r.OptionError = odd(s.value, best)
		}
		stay := p.Stay(d)
		for i := range before {
			before[i] += stay[i]
		}
	}
	r.Planned, _ = odd(best, nil)
	r.Flexible, r.FlexibleError = odd(s.value, best)
}

// steps is how many places of the first state are looked at, as many paths lying between any two.
const steps = 64

// boundary walks over the first state, the others at their medians, and looks where the decision flips.
func (s *solver) boundary(d int, into *Date) {
	p, r := s.p, &s.rules[d]
	var state [MaxStates]float64
	var place [steps + 1]float64
	for k := range p.States {
		s.sort = s.sort[:0]
		x := p.State(d, k)
		for i := 1; i < p.Paths; i += 2 {
			s.sort = append(s.sort, x[i])
		}
		slices.Sort(s.sort)
		n := len(s.sort)
		state[k] = s.sort[n/2]
		into.Median = append(into.Median, state[k])
		for j := range place {
			if edge := n / 100; k == 0 {
				place[j] = s.sort[edge+(n-1-2*edge)*j/steps]
			}
		}
	}
	var row [maxColumns]float64
	act := func(x float64) int {
		state[0] = x
		r.of(&state, row[:r.columns])
		return r.decide(row[:r.columns], nil)
	}
	into.Boundary, into.Action = math.NaN(), act(into.Median[0])
	var acts [steps + 1]bool
	all := 0
	for j, x := range place {
		if acts[j] = act(x) != Never; acts[j] {
			all++
		}
	}
	// The flip at which a single boundary would tell most of the places right.
	least, below := len(place)+1, 0
	for j := range steps {
		if acts[j] {
			below++
		}
		if acts[j] == acts[j+1] {
			continue
		}
		into.Flips++
		wrong := j + 1 - below + all - below // of acting below it
		if acts[j+1] {
			wrong = len(place) - wrong
		}
		if wrong < least {
			least, into.Above = wrong, acts[j+1]
			into.Boundary, into.Action = flip(act, place[j], place[j+1])
		}
	}
}

// flip halves the way from a to b until the decision's flip is found, and says which action is there.
func flip(act func(float64) int, a, b float64) (x float64, action int) {
	waits := act(a) == Never
	for range 40 {
		mid := float64((a + b) / 2)
		if (act(mid) == Never) == waits {
			a = mid
		} else {
			b = mid
		}
	}
	if waits {
		return b, act(b)
	}
	return a, act(a)
}
