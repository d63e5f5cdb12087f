package study

import (
	"context"
	"fmt"
	"math"
	"slices"

	"switchyard/study/exercise"
	"switchyard/study/finance"
	"switchyard/study/world/exact"
)

// waitPaths bounds the paths of the option to wait: its regressions need no more, and each path values
// every option at every date.
const waitPaths = 4000

// leastPaths is what a regression over two states and their squares needs, twice.
const leastPaths = 200

// waitDates bounds the dates of decision.
const waitDates = 12

// dates are the months in which a hall may decide: from Start to the last month of any of its
// options, evenly, six months apart or more; and the first month of an option whose months all lie between.
func (e *engine) dates(hall int) []int {
	last := 0
	for _, c := range e.cands[hall] {
		last = max(last, c.month)
	}
	step := 6
	for last/step+1 > waitDates {
		step += 6
	}
	var out []int
	for t := 0; t <= last; t += step {
		out = append(out, t)
	}
	for _, option := range e.actions(hall) {
		months := e.site.Months(&e.f.Options[option], hall)
		if len(months) > 0 && !slices.ContainsFunc(out, func(t int) bool { return e.opens(hall, option, t) }) {
			out = append(out, months[0])
		}
	}
	slices.Sort(out)
	return out
}

// actions are the options of a hall other than to mine on.
func (e *engine) actions(hall int) (out []int) {
	for i := range e.f.Options {
		if o := &e.f.Options[i]; o.Kind != mine && takes(o, &e.f.Halls[hall]) {
			out = append(out, i)
		}
	}
	return out
}

// opens says whether an option may begin in month t: within its months in the file.
func (e *engine) opens(hall, option, t int) bool {
	months := e.site.Months(&e.f.Options[option], hall)
	return len(months) > 0 && months[0] <= t && t <= months[len(months)-1]
}

// waiting values each hall for an owner who may wait and see.
func (e *engine) waiting(ctx context.Context, r *Report, o Options) error {
	n := min(r.Paths, waitPaths)
	if n < leastPaths {
		r.Findings = append(r.Findings, Finding{Kind: "input", Text: fmt.Sprintf("what waiting is worth needs at least %d paths, and is left out", leastPaths)})
		return nil
	}
	for h := range e.cands {
		actions := e.actions(h)
		if len(actions) == 0 {
			continue
		}
		w, err := e.newWait(h, actions, n)
		if err != nil {
			return err
		}
		done := func(i int) { o.Progress("waiting: hall "+e.f.Halls[h].ID, i, n) }
		if err := e.each(ctx, n, o.Workers, r.Seed, done, w.fill); err != nil {
			return err
		}
		v, err := w.solve()
		if err != nil {
			return err
		}
		r.Flexible = append(r.Flexible, v)
	}
	return nil
}

// wait is one hall's option to wait.
type wait struct {
	e       *engine
	p       *exercise.Problem
	hall    int
	dates   []int // months
	actions []int // options of the file
	open    [][]bool
}

func (e *engine) newWait(hall int, actions []int, n int) (*wait, error) {
	w := &wait{e: e, hall: hall, dates: e.dates(hall), actions: actions}
	for _, t := range w.dates {
		open := make([]bool, len(actions))
		for a, option := range actions {
			open[a] = e.opens(hall, option, t)
		}
		w.open = append(w.open, open)
	}
	var err error
	if w.p, err = exercise.NewProblem(len(w.dates), n, len(actions), 2); err != nil {
		return nil, fmt.Errorf("waiting in hall %s: %w", e.f.Halls[hall].ID, err)
	}
	return w, nil
}

// fill values every action at every date on the worker's path.
func (x *wait) fill(w *worker, path int) {
	mined := 0.0 // value of mining up to the date, the machines kept
	for d, t := range x.dates {
		upTo := w.minedUpTo(x.hall, t)
		if d > 0 {
			x.p.Stay(d - 1)[path] = upTo - mined
		}
		mined = upTo
		for a, option := range x.actions {
			v := math.NaN()
			if x.open[d][a] {
				v = w.value(candidate{x.hall, option, t}) - mined
			}
			x.p.Exercise(d, a)[path] = v
		}
		x.p.State(d, 0)[path], x.p.State(d, 1)[path] = logOf(w.path.Hashprice[t]), logOf(w.path.Level[t])
	}
	// After the last date the hall mines to the end: all of it is Last, and Stay of the last date nothing.
	x.p.Last()[path] = w.minedUpTo(x.hall, x.e.months) - mined
}

// minedUpTo is the value of mining up to month t, nothing sold.
func (w *worker) minedUpTo(hall, t int) float64 {
	w.before.Clear()
	w.e.site.Fleet(hall).Add(0, t, w.mined[hall], w.before)
	w.before.End = w.e.months
	return finance.Value(w.before, &w.e.owners, w.scratch)
}

func (x *wait) solve() (Flexible, error) {
	id := x.e.f.Halls[x.hall].ID
	s, err := exercise.Solve(x.p)
	if err != nil {
		return Flexible{}, fmt.Errorf("waiting in hall %s: %w", id, err)
	}
	out := Flexible{
		Hall: id, Value: s.Value, Error: s.Error, Committed: s.Planned, Option: s.Flexible, OptionError: s.FlexibleError,
		Plan: x.name(s.PlannedTo), Today: x.name(s.Today), Never: s.Never,
	}
	if s.Today == exercise.Never {
		out.Today = "wait"
	}
	if s.PlannedTo != exercise.Never {
		out.Plan += " from " + x.e.month(x.dates[s.PlannedAt])
	}
	// The fixed plan is a policy too. Where what was learned is not surely better, the plan is what to do.
	if s.Flexible <= 2*s.FlexibleError {
		out.Value, out.Option, out.Fixed = max(s.Value, s.Planned), max(s.Flexible, 0), true
		if out.Today = "wait"; s.PlannedTo == exercise.Never || s.PlannedAt == 0 {
			out.Today = x.name(s.PlannedTo)
		}
	}
	for d, v := range s.Dates {
		date := Exercise{Month: x.e.month(x.dates[d]), Share: map[string]float64{}, Median: exact.Exp(v.Median[0]), Above: v.Above}
		for a, share := range v.Share {
			if share > 0 {
				date.Share[x.name(a)] = share
			}
		}
		if !math.IsNaN(v.Boundary) {
			date.Boundary = some(exact.Exp(v.Boundary))
			date.Option = x.name(v.Action)
		}
		out.Dates = append(out.Dates, date)
	}
	return out, nil
}

// name is an action's.
func (x *wait) name(action int) string {
	if action == exercise.Never {
		return mine
	}
	return x.e.f.Options[x.actions[action]].ID
}

// logOf is a figure's logarithm; of one that is not above zero, as where bitcoin has no price, nothing.
func logOf(v float64) float64 {
	if v <= 0 {
		return 0
	}
	return exact.Log(v)
}
