package clusters

import (
	"context"
	"sync"
	"time"

	"switchyard/clock"
	"switchyard/compute"
)

// gauge polls what the machines say of themselves and their GPUs.
type gauge struct {
	x     *one
	clk   clock.Clock
	every time.Duration // site time
	take  func(compute.Reading)

	cords map[cord]string // machines by what feeds them, constant

	mu     sync.Mutex
	fed    map[cord]fed
	newest map[string]compute.Reading
	failed map[string]string // why the last poll of a machine brought nothing
}

const (
	gaugeAtOnce = 32
	gaugeMost   = 5 * time.Second // one machine's answer, machine time
)

func newGauge(x *one, clk clock.Clock) *gauge {
	g := &gauge{x: x, clk: clk, every: 10 * time.Second, newest: map[string]compute.Reading{}, failed: map[string]string{}, fed: map[cord]fed{}}
	if a := x.def.Agents; a != nil && a.Poll > 0 {
		g.every = a.Poll
	} else if e := x.def.Exporter; e != nil && e.Poll > 0 {
		g.every = e.Poll
	}
	return g
}

// run polls all machines again and again until ctx ends; a round that takes longer than the
// period puts the next one off.
func (g *gauge) run(ctx context.Context) {
	if g.x.reach.Meter == nil && len(g.cords) == 0 {
		return
	}
	for {
		began := g.clk.Now()
		g.round(ctx)
		wait := max(g.every-g.clk.Now().Sub(began), time.Second)
		if clock.Sleep(ctx, g.clk, wait) != nil {
			return
		}
	}
}

func (g *gauge) round(ctx context.Context) {
	slots := make(chan struct{}, gaugeAtOnce)
	var wg sync.WaitGroup
	for _, m := range g.x.c.Machines {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			ask, cancel := context.WithTimeout(ctx, gaugeMost)
			defer cancel()
			r, err := g.measure(ask, m.Name)
			g.mu.Lock()
			if err != nil {
				g.failed[m.Name] = err.Error()
				g.mu.Unlock()
				return
			}
			delete(g.failed, m.Name)
			r.Node = m.Name
			g.newest[m.Name] = r
			take := g.take
			g.mu.Unlock()
			if take != nil {
				take(r)
			}
		})
	}
	wg.Wait()
}

// reading returns a machine's newest reading, and why the last poll failed, if it did.
func (g *gauge) reading(node string) (r compute.Reading, ok bool, failed string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r, ok = g.newest[node]
	return r, ok, g.failed[node]
}
