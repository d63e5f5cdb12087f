package planner

import "math"

// walk is the best path of one machine through time when nothing but money holds it: a
// machine is free running, free resting, or bound to what it began until its minimum is
// over. So two values a step are all that must be known, and the binding is a jump.
type walk struct {
	run, rest []float64 // what is still earned by one that is free so, at each step's beginning
	keep      []bool    // a free running machine goes on running
	take      []bool    // a free resting machine is started
	sum       []float64 // gains of running, summed from the first step
}

func (w *walk) fit(steps int) {
	w.run, w.rest, w.sum = grown(w.run, steps+1), grown(w.rest, steps+1), grown(w.sum, steps+1)
	w.keep, w.take = grown(w.keep, steps), grown(w.take, steps)
}

func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

// solve walks backwards. gain is what running earns in each step, start what a start costs
// in it; runTo and restTo are the jumps. Where both are worth the same nothing is changed.
func (w *walk) solve(gain, start []float64, runTo, restTo []int) {
	n := len(gain)
	w.fit(n)
	w.sum[0] = 0
	for t, g := range gain {
		w.sum[t+1] = w.sum[t] + g
	}
	w.run[n], w.rest[n] = 0, 0
	for t := n - 1; t >= 0; t-- {
		on, off := w.on(t), w.rest[restTo[t]]
		w.keep[t] = on >= off
		w.run[t] = math.Max(on, off)
		on, off = w.begin(t, runTo[t])-start[t], w.rest[t+1]
		w.take[t] = on > off
		w.rest[t] = math.Max(on, off)
	}
}

// on is what a free running machine earns that runs through step t.
func (w *walk) on(t int) float64 { return w.sum[t+1] - w.sum[t] + w.run[t+1] }

// begin is what a machine earns that runs from step t and is free again at step to.
func (w *walk) begin(t, to int) float64 { return w.sum[to] - w.sum[t] + w.run[to] }

// follow tells mark, for each step in order, whether a machine of the group runs in it and
// whether it is started there.
func (w *walk) follow(g group, runTo, restTo []int, mark func(t int, started bool)) {
	n := len(w.keep)
	t, running := 0, g.running
	if running {
		for ; t < g.free; t++ {
			mark(t, false)
		}
	} else {
		t = g.free
	}
	for t < n {
		switch {
		case running && w.keep[t]:
			mark(t, false)
			t++
		case running:
			running, t = false, restTo[t]
		case w.take[t]:
			running = true
			mark(t, true)
			to := runTo[t]
			for t++; t < to; t++ {
				mark(t, false)
			}
		default:
			t++
		}
	}
}
