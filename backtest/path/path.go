// Package path owns the best way of one machine through a run of which everything is known.
//
// It never knows prices or limits: it is told what each interval earns, and in which a limit may
// stop a machine.
//
// Concurrency: pure functions.
package path

import "switchyard/backtest/crew"

// Problem is what one machine may earn, by interval, in one unit of money.
type Problem struct {
	Step int64 // seconds of an interval
	// Run is what an interval at work earns beyond resting, had the machine hashed all of it;
	// Second is what each second of hashing earns, of which a start's ramp takes some.
	Run, Second []float64
	Valid       []bool // else nobody decides anything there
	// Forced says in which intervals a limit may stop the machine whatever its least run; nil:
	// in none.
	Forced  []bool
	Physics crew.Physics
	Wear    float64 // of a start
}

// Path is the best way of one machine.
type Path struct {
	On    []bool
	Value float64 // beyond resting all the time
	// Keep is, by interval, what it is worth beyond the interval's own earning that a machine
	// goes on running and does not stop; Take what it is worth that a resting one starts.
	Keep, Take []float64

	stops []bool
	until []int // until when a start binds; 0: none
}

// Best finds the path by dynamic programming over two states, free to stop and free to start. A
// start or a stop leaps over its least time, so the states do not grow with it. It is exact for
// machines that nothing couples: no limit, no charge on a peak that they share. Where a limit
// may stop the machine within its least run, the path may choose to be stopped: no policy does
// better.
func Best(q Problem) Path {
	n := len(q.Run)
	sum := make([]float64, n+1) // of run rewards
	for i := range n {
		sum[i+1] = sum[i] + q.Run[i]
	}
	run, rest := make([]float64, n+1), make([]float64, n+1)
	p := Path{On: make([]bool, n), Keep: make([]float64, n), Take: make([]float64, n), stops: make([]bool, n), until: make([]int, n)}
	for i := n - 1; i >= 0; i-- {
		run[i], rest[i] = q.Run[i]+run[i+1], rest[i+1]
		stopped := rest[q.rested(i)]
		j := q.ran(i)
		started := sum[j] - sum[i] + run[j] - q.lost(i, j)
		for m := i + 1; m < j && q.Forced != nil; m++ {
			if !q.Forced[m] {
				continue
			}
			if v := sum[m] - sum[i] + rest[q.rested(m)] - q.lost(i, m); v > started {
				started, j = v, m
			}
		}
		started -= q.Wear
		p.Keep[i] = run[i+1] - stopped
		p.Take[i] = started - q.Run[i] - rest[i+1]
		if !q.Valid[i] {
			continue
		}
		if stopped > run[i] {
			run[i], p.stops[i] = stopped, true
		}
		if started > rest[i] {
			rest[i], p.until[i] = started, j
		}
	}
	p.Value = run[0]
	p.follow(q)
	return p
}

// follow writes down what was decided, from a machine at work on.
func (p *Path) follow(q Problem) {
	for i, running := 0, true; i < len(p.On); {
		j := i + 1
		switch {
		case running && p.stops[i]:
			running, j = false, q.rested(i)
		case !running && p.until[i] > 0:
			running, j = true, p.until[i]
			if j < q.ran(i) { // a limit stops it
				p.stops[j] = true
			}
		}
		for ; i < j; i++ {
			p.On[i] = running
		}
	}
}

// ran and rested are the first interval at which a machine may stop or start again, that
// started or stopped in interval i.
func (q *Problem) ran(i int) int    { return q.free(i, int64(q.Physics.Run.Seconds())) }
func (q *Problem) rested(i int) int { return q.free(i, int64(q.Physics.Rest.Seconds())) }

func (q *Problem) free(i int, least int64) int {
	return min(i+int(max((least+q.Step-1)/q.Step, 1)), len(q.Run))
}

// lost is the hashing that a start at interval i costs a machine that runs until interval to.
func (q *Problem) lost(i, to int) float64 {
	left, sum := int64(q.Physics.Ramp.Seconds()), 0.0
	for ; left > 0 && i < to; i++ {
		sum += q.Second[i] * float64(min(left, q.Step))
		left -= q.Step
	}
	return sum
}
