package plant

import (
	"fmt"
	"time"

	"switchyard/unit"
)

// Feed is a load whose physics are elsewhere: a cluster of GPUs.
type Feed interface {
	// Step advances the load to site time now and returns its draw, never negative. live says
	// whether it has voltage. The plant calls it while it is locked: it must not call the plant.
	Step(now time.Time, live bool) unit.Power
}

// FeedConfig is one such load and the node that feeds it.
type FeedConfig struct {
	ID   string
	Node int
	Feed Feed
}

// fed keeps the record of one Feed.
type fed struct {
	cfg    FeedConfig
	energy integral
	base   unit.Energy // at the last reset of the record
	peak   unit.Power
}

// AddFeed hangs a load below a node from now on. Its record stands after the tenants'.
func (w *World) AddFeed(c FeedConfig) error {
	if c.Node < 0 || c.Node >= w.tree.Len() {
		return fmt.Errorf("feed %s: there is no node %d", c.ID, c.Node)
	}
	if c.Feed == nil {
		return fmt.Errorf("feed %s: it has no load", c.ID)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.feeds {
		if f.cfg.ID == c.ID {
			return fmt.Errorf("feed %s stands twice", c.ID)
		}
	}
	w.feeds = append(w.feeds, &fed{cfg: c})
	return nil
}

// stepFeeds moves the loads whose physics are elsewhere.
func (w *World) stepFeeds(dt time.Duration) {
	for _, f := range w.feeds {
		p := max(f.cfg.Feed.Step(w.now, w.live[f.cfg.Node]), 0)
		w.own[f.cfg.Node] += p
		f.energy.add(p, dt)
		f.peak = max(f.peak, p)
	}
}
