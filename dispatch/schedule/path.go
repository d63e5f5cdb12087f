package schedule

import (
	"math"
	"time"

	"switchyard/unit"
)

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

// worth is what a group's machine earns.
func (w *walk) worth(g group) float64 {
	if g.running {
		return w.begin(0, g.free)
	}
	return w.rest[g.free]
}

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

// BestPath returns in which steps the machines of c should have run had these prices been
// known, and what that earns: the bound that no policy passes. prices are at the class's
// node in $/MWh, one for each of the steps whose lengths are given. All machines go alike,
// from the state that c.Now names first (asleep and free without one), and profit is that of
// all c.Count of them: value less energy, wear, and what ramps do not earn, a ramp being cut
// short where the machine is stopped within it. It takes time linear in the steps.
func BestPath(c Class, prices []unit.Price, lengths []time.Duration) (running []bool, profit unit.Money) {
	n := min(len(prices), len(lengths))
	if n == 0 || len(c.Levels) == 0 {
		return make([]bool, n), 0
	}
	b := newHindsight(c, prices[:n], lengths[:n])
	b.solve()
	return b.follow(c)
}

// hindsight is a walk whose ramps are exact: a machine may be stopped before it ever earned.
type hindsight struct {
	walk
	n              int
	gain, lost     []float64 // of running a step; earned in a step by hashing alone
	at             []time.Duration
	wear           float64
	ramp           time.Duration
	runTo, restTo  []int
	until          []int // by step: where a machine started there is stopped within its ramp; -1 not
	minRun, minOff time.Duration
}

func newHindsight(c Class, prices []unit.Price, lengths []time.Duration) *hindsight {
	n := len(prices)
	b := &hindsight{
		n: n, gain: make([]float64, n), lost: make([]float64, n), at: make([]time.Duration, n+1), until: make([]int, n),
		wear: c.Wear.Dollars(), ramp: c.Ramp, minRun: c.MinRun, minOff: c.MinRest,
	}
	for t := range n {
		hours := lengths[t].Hours()
		b.gain[t] = math.Inf(-1)
		for _, l := range c.Levels {
			if g := l.Power.Megawatts() * (l.Value - prices[t]).DollarsPerMWh() * hours; g > b.gain[t] {
				b.gain[t], b.lost[t] = g, math.Max(0, l.Power.Megawatts()*l.Value.DollarsPerMWh()*hours)
			}
		}
		b.at[t+1] = b.at[t] + lengths[t]
	}
	b.runTo, b.restTo = b.jumps(c.MinRun), b.jumps(c.MinRest)
	return b
}

// jumps returns by step the first later one that begins at least d after it.
func (b *hindsight) jumps(d time.Duration) []int {
	to := make([]int, b.n)
	for t, u := 0, 0; t < b.n; t++ {
		for u = max(u, t+1); u < b.n && b.at[u]-b.at[t] < d; u++ {
		}
		to[t] = u
	}
	return to
}

func (b *hindsight) solve() {
	b.fit(b.n)
	b.sum[0] = 0
	for t, g := range b.gain {
		b.sum[t+1] = b.sum[t] + g
	}
	b.run[b.n], b.rest[b.n] = 0, 0
	for t := b.n - 1; t >= 0; t-- {
		on, off := b.on(t), b.rest[b.restTo[t]]
		b.keep[t] = on >= off
		b.run[t] = math.Max(on, off)
		best, until := b.started(t)
		b.until[t] = until
		b.take[t] = best-b.wear > b.rest[t+1]
		b.rest[t] = math.Max(best-b.wear, b.rest[t+1])
	}
}

// started is the best that a machine can do that is started at step t, before wear: stopped
// at some step within its ramp, or free once ramp and minimum are over (until -1).
func (b *hindsight) started(t int) (best float64, until int) {
	best, until = math.Inf(-1), -1
	lost := 0.0
	u := t
	for ; u < b.n && (u < b.runTo[t] || b.at[u]-b.at[t] < b.ramp); u++ {
		if u >= b.runTo[t] {
			if v := b.sum[u] - b.sum[t] - lost + b.rest[b.restTo[u]]; v > best {
				best, until = v, u
			}
		}
		if left := b.ramp - (b.at[u] - b.at[t]); left > 0 {
			lost += b.lost[u] * math.Min(1, left.Hours()/(b.at[u+1]-b.at[u]).Hours())
		}
	}
	if v := b.begin(t, u) - lost; v > best {
		best, until = v, -1
	}
	return best, until
}

func (b *hindsight) follow(c Class) ([]bool, unit.Money) {
	running := make([]bool, b.n)
	g := group{}
	if len(c.Now) > 0 && c.Now[0].Level >= 0 {
		g = group{running: true, free: b.first(c.MinRun - c.Now[0].For)}
	} else if len(c.Now) > 0 {
		g.free = b.first(c.MinRest - c.Now[0].For)
	}
	profit := b.worth(g) * float64(c.Count)
	t := g.free
	for i := 0; g.running && i < t; i++ {
		running[i] = true
	}
	for on := g.running; t < b.n; {
		switch {
		case on && b.keep[t]:
			running[t] = true
			t++
		case on:
			on, t = false, b.restTo[t]
		case b.take[t]:
			from, to := t, b.until[t]
			if on = to < 0; on {
				for to = b.runTo[t]; to < b.n && b.at[to]-b.at[from] < b.ramp; to++ {
				}
			}
			for ; t < to; t++ {
				running[t] = true
			}
			if !on {
				t = b.restTo[to]
			}
		default:
			t++
		}
	}
	return running, dollars(profit)
}

func (b *hindsight) first(d time.Duration) int {
	t := 0
	for t < b.n && b.at[t] < d {
		t++
	}
	return t
}
