// Package exercise owns the value of being able to wait: when to take which of several actions, seen
// only what has happened until then, by least-squares Monte Carlo (Longstaff and Schwartz, "Valuing
// American Options by Simulation", Review of Financial Studies 14, 2001).
//
// It never knows what an action is, and never lets a decision see its own path's future: the policy is
// learned on the paths of even number and valued on those of odd number, by what can be seen
// at the date alone.
//
// Concurrency: Solve is pure, and safe for concurrent use on different problems.
package exercise

import (
	"fmt"
	"math"
)

// Problem is what may be done when, on every path. All values are present values at time zero, so
// that they may be added and compared whenever they fall.
type Problem struct {
	Dates, Paths, Actions, States int

	state, exercise, stay, last []float64
}

// The bounds of a problem.
const (
	MaxStates  = 4
	maxColumns = 1 + MaxStates + MaxStates*(MaxStates+1)/2 + MaxStates
)

// NewProblem returns room for a problem; all of it is zero. Date 0 is now.
func NewProblem(dates, paths, actions, states int) (*Problem, error) {
	switch {
	case dates < 1 || paths < 2 || actions < 1:
		return nil, fmt.Errorf("a problem of %d dates, %d paths and %d actions: want 1, 2 and 1 at least", dates, paths, actions)
	case states < 1 || states > MaxStates:
		return nil, fmt.Errorf("a problem of %d states: want 1 to %d", states, MaxStates)
	}
	return &Problem{
		Dates: dates, Paths: paths, Actions: actions, States: states,
		state:    make([]float64, dates*states*paths),
		exercise: make([]float64, dates*actions*paths),
		stay:     make([]float64, dates*paths),
		last:     make([]float64, paths),
	}, nil
}

// State is what can be seen at date d in state s, by path: best a logarithm, or whatever else is spread
// evenly. The first state is the one that boundaries are told in.
func (p *Problem) State(d, s int) []float64 {
	at := (d*p.States + s) * p.Paths
	return p.state[at : at+p.Paths : at+p.Paths]
}

// Exercise is by path the value of all that follows from date d on when action a is taken then; NaN where
// it cannot be. It may depend on what is seen only later: it is what comes of it on that path.
func (p *Problem) Exercise(d, a int) []float64 {
	at := (d*p.Actions + a) * p.Paths
	return p.exercise[at : at+p.Paths : at+p.Paths]
}

// Stay is by path the value of what flows from date d to the next when nothing is done at d; of the
// last date, until Last begins.
func (p *Problem) Stay(d int) []float64 {
	at := d * p.Paths
	return p.stay[at : at+p.Paths : at+p.Paths]
}

// Last is by path the value of what flows after the last date when nothing is ever done.
func (p *Problem) Last() []float64 { return p.last }

// check finds what is no number.
func (p *Problem) check() error {
	for d := range p.Dates {
		for s := range p.States {
			if i := strange(p.State(d, s), false); i >= 0 {
				return fmt.Errorf("state %d of path %d at date %d is %v", s, i, d, p.State(d, s)[i])
			}
		}
		for a := range p.Actions {
			if i := strange(p.Exercise(d, a), true); i >= 0 {
				return fmt.Errorf("action %d on path %d at date %d is worth %v", a, i, d, p.Exercise(d, a)[i])
			}
		}
		if i := strange(p.Stay(d), false); i >= 0 {
			return fmt.Errorf("waiting on path %d at date %d brings %v", i, d, p.Stay(d)[i])
		}
	}
	if i := strange(p.last, false); i >= 0 {
		return fmt.Errorf("the end of path %d brings %v", i, p.last[i])
	}
	return nil
}

func strange(v []float64, none bool) int {
	for i, x := range v {
		if math.IsInf(x, 0) || x != x && !none {
			return i
		}
	}
	return -1
}

// Never is the action of a path on which nothing is ever done.
const Never = -1

// Result is the value of waiting and what the policy does.
type Result struct {
	// Value is the mean over the paths of odd number when the policy is followed, Error its standard
	// error. The policy is not quite the best one, so the value is rather low than high.
	Value, Error float64
	// Committed is the best that can be done by deciding all at date 0: an action at once, or Never
	// (CommittedTo). Planned is the same with the action's date open (PlannedAt; of Never, zero):
	// the best fixed plan. Both are chosen on the even paths and valued on the odd ones.
	Committed   float64
	CommittedTo int
	Planned     float64
	PlannedTo   int
	PlannedAt   int
	// Option is Value less Committed, Flexible is Value less Planned: the first is what waiting is worth,
	// the second what seeing is worth. OptionError and FlexibleError are their standard errors,
	// smaller than Error, as the paths are the same.
	Option, OptionError     float64
	Flexible, FlexibleError float64
	// Today is the policy's action at date 0 on most paths; Never is to wait.
	Today int
	// Never is the share of odd paths on which nothing is ever done; Dates has what is done when.
	Never float64
	Dates []Date
	// Date and Action are by path, the even ones too, what the policy does; Action is Never where it does nothing.
	Date, Action []int
}

// Date is one date of decision.
type Date struct {
	// Share is by action the share of all odd paths on which it is taken then.
	Share []float64
	// Median is of the states over the odd paths.
	Median []float64
	// Boundary is where the decision flips as the first state moves, the others at their medians; it is NaN where it
	// does not, anywhere between the hundredth and the ninety-ninth of a hundred that was seen. Above says that
	// Action is taken above it, and not below; where nothing flips, Action is what is always done.
	Boundary float64
	Above    bool
	Action   int
	// Flips counts all flips in the range; with more than one, Boundary is that which tells most of what
	// was seen right.
	Flips int
}
