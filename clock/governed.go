package clock

import (
	"container/heap"
	"sync"
	"time"
)

// Governed is a clock that runs at a wished speed but never past a limit that its follower
// (the control loop) moves forward. On a machine too slow for the wished speed, site time
// waits for the follower, so no control period is ever missed; Held says how much was lost.
type Governed struct {
	rate float64

	mu       sync.Mutex
	baseWall time.Time // the anchor: linear time from here
	baseSite time.Time
	limit    time.Time
	started  time.Time // machine time of the start
	first    time.Time // site time of the start
	waiters  waiterHeap
	kick     chan struct{}
	done     chan struct{}
}

// NewGoverned starts a clock at site time start, running at rate up to start+lead until
// Allow moves that limit. Close it when done.
func NewGoverned(start time.Time, rate float64, lead time.Duration) *Governed {
	now := time.Now()
	g := &Governed{
		rate: rate, baseWall: now, baseSite: start.UTC(), limit: start.UTC().Add(lead), started: now, first: start.UTC(),
		kick: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go g.run()
	return g
}

// Close stops the clock's goroutine; timers no longer fire.
func (g *Governed) Close() { close(g.done) }

// Now returns the site time.
func (g *Governed) Now() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now()
}

func (g *Governed) now() time.Time {
	t := g.baseSite.Add(time.Duration(float64(time.Since(g.baseWall)) * g.rate))
	if t.After(g.limit) {
		return g.limit
	}
	return t
}

// Speed returns the wished speed.
func (g *Governed) Speed() float64 { return g.rate }

// Held returns the speed reached since the start, in site seconds per machine second.
func (g *Governed) Held() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	wall := time.Since(g.started)
	if wall <= 0 {
		return g.rate
	}
	return float64(g.now().Sub(g.first)) / float64(wall)
}

// Allow lets the clock run up to limit; an earlier limit than the present one is ignored.
func (g *Governed) Allow(limit time.Time) {
	g.mu.Lock()
	if limit.After(g.limit) {
		if now := g.now(); !now.Before(g.limit) { // it stood still: go on from here, not in a leap
			g.baseWall, g.baseSite = time.Now(), now
		}
		g.limit = limit.UTC()
	}
	g.mu.Unlock()
	g.poke()
}

func (g *Governed) poke() {
	select {
	case g.kick <- struct{}{}:
	default:
	}
}

// NewTimer returns a timer for d of site time.
func (g *Governed) NewTimer(d time.Duration) Timer {
	g.mu.Lock()
	w := &waiter{g: g, due: g.now().Add(d), c: make(chan time.Time, 1)}
	heap.Push(&g.waiters, w)
	first := w.index == 0
	g.mu.Unlock()
	if first {
		g.poke()
	}
	return w
}

func (g *Governed) run() {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		alarm.Reset(g.fire())
		select {
		case <-alarm.C:
		case <-g.kick:
		case <-g.done:
			return
		}
	}
}

// fire delivers what is due and returns the machine time to the next look.
func (g *Governed) fire() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	for len(g.waiters) > 0 && !g.waiters[0].due.After(now) {
		w := heap.Pop(&g.waiters).(*waiter)
		w.c <- now
	}
	if len(g.waiters) == 0 || g.waiters[0].due.After(g.limit) {
		return time.Hour // Allow or NewTimer pokes
	}
	return time.Duration(float64(g.waiters[0].due.Sub(now))/g.rate) + time.Microsecond
}

type waiter struct {
	g     *Governed
	due   time.Time
	c     chan time.Time
	index int // in the heap; -1 once out of it
}

func (w *waiter) C() <-chan time.Time { return w.c }

func (w *waiter) Stop() {
	w.g.mu.Lock()
	defer w.g.mu.Unlock()
	if w.index >= 0 {
		heap.Remove(&w.g.waiters, w.index)
	}
}

type waiterHeap []*waiter

func (h waiterHeap) Len() int           { return len(h) }
func (h waiterHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h waiterHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].index, h[j].index = i, j }
func (h *waiterHeap) Push(x any)        { w := x.(*waiter); w.index = len(*h); *h = append(*h, w) }
func (h *waiterHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	*h = old[:len(old)-1]
	w.index = -1
	return w
}
