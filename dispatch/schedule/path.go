package schedule

import (
	"math"
	"time"

	"switchyard/unit"
)

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

// hindsight is the best path of one machine whose ramps are exact: it may be stopped before it
// ever earned. Free running and free resting are all that must be valued at each step; what a
// machine is bound to is a jump.
type hindsight struct {
	run, rest      []float64 // what is still earned by one that is free so, at each step's beginning
	keep, take     []bool    // a free running machine goes on, a free resting one is started
	sum            []float64 // gains of running, summed from the first step
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
	b.run, b.rest, b.sum = make([]float64, b.n+1), make([]float64, b.n+1), make([]float64, b.n+1)
	b.keep, b.take = make([]bool, b.n), make([]bool, b.n)
	for t, g := range b.gain {
		b.sum[t+1] = b.sum[t] + g
	}
	for t := b.n - 1; t >= 0; t-- {
		on, off := b.gain[t]+b.run[t+1], b.rest[b.restTo[t]]
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
	if v := b.sum[u] - b.sum[t] + b.run[u] - lost; v > best {
		best, until = v, -1
	}
	return best, until
}

func (b *hindsight) follow(c Class) ([]bool, unit.Money) {
	running := make([]bool, b.n)
	on, t := false, 0
	if len(c.Now) > 0 && c.Now[0].Level >= 0 {
		on, t = true, b.first(c.MinRun-c.Now[0].For)
	} else if len(c.Now) > 0 {
		t = b.first(c.MinRest - c.Now[0].For)
	}
	profit := b.rest[t]
	if on {
		profit = b.sum[t] + b.run[t]
		for i := range t {
			running[i] = true
		}
	}
	for t < b.n {
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
	return running, unit.Dollars(profit * float64(c.Count))
}

func (b *hindsight) first(d time.Duration) int {
	t := 0
	for t < b.n && b.at[t] < d {
		t++
	}
	return t
}
