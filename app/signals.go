package app

import (
	"strings"
	"time"

	"switchyard/api"
	"switchyard/app/grid"
	"switchyard/journal"
	"switchyard/market"
	"switchyard/site"
	"switchyard/unit"
)

// price is what power costs at t: what the grid sent, or else the market's price.
func (a *App) price(t time.Time) market.Quote { return a.grid.Price(t, a.market) }

// Signals returns what the grid asks and by which ways it may.
func (a *App) Signals() api.SignalsView { return a.grid.View() }

// turn brings the limits of people, of the calendar and of the grid to now, and journals what
// began and ended.
func (c *control) turn(now time.Time) {
	for _, m := range c.limits.Expire(now) {
		c.loosened = now
		c.note(journal.LimitEntry(now, m, m.By, "ended"))
	}
	began, ended, active := c.limits.File.Turns(c.limits.Active, now)
	c.limits.Active = active
	for _, m := range began {
		c.note(journal.LimitEntry(now, m, m.By, "began"))
	}
	for _, m := range ended {
		c.loosened = now
		c.note(journal.LimitEntry(now, m, m.By, "ended"))
	}
	notes, loosened := c.a.grid.Turn(now)
	if loosened {
		c.loosened = now
	}
	for _, e := range append(notes, c.a.ahead.Turn(now)...) {
		c.note(e)
	}
}

// bind returns the bound of each node for the limiter and the clearing, and remembers which
// limit set it.
func (c *control) bind(now time.Time, all []site.Limit) []unit.Power {
	bounds, which := c.limits.Decide(now, all, c.lead())
	c.deciding = make([]*site.Limit, len(which))
	for i, k := range which {
		if k >= 0 {
			c.deciding[i] = &all[k]
		}
	}
	return bounds
}

// asked adds to the reason of what a limit cut that the grid asked for that limit, and who.
func (c *control) asked(r site.Reason) site.Reason {
	if r.Code != site.ReasonLimit && r.Code != site.ReasonLimiter {
		return r
	}
	i, ok := c.a.plant.Tree.Index(r.Node)
	if ok && i == 0 && c.peaked && r.Code == site.ReasonLimit {
		r.Text += "; above it the month's demand charge would grow"
		return r
	}
	if !ok || i >= len(c.deciding) || c.deciding[i] == nil || !strings.HasPrefix(c.deciding[i].By, "signal:") {
		return r
	}
	m := c.deciding[i]
	r.Text += "; " + m.ID + " asks for " + m.Power.Short() + journal.Because(m.Note)
	return r
}

// tellGrid tells the sources how the site stands, for whoever asks them.
func (c *control) tellGrid(now time.Time, r *readings, all []site.Limit) {
	t, bounds := c.a.plant.Tree, c.limits.Bounds(now, all, 0)
	s := &grid.State{At: now, Nodes: make([]grid.NodeState, t.Len())}
	flexible := make([]unit.Power, t.Len())
	for j := range c.status {
		if c.status[j].Sheddable {
			flexible[c.a.plant.Miners[j].Node] += max(c.status[j].Counted-c.standby(j), 0)
		}
	}
	for i := range c.a.plant.Groups {
		n := c.a.plant.Groups[i].Node
		if flexible[n] == 0 {
			continue
		}
		for took := c.shedTime(i); n >= 0; n = t.Node(n).Parent {
			s.Nodes[n].Within = max(s.Nodes[n].Within, took)
		}
	}
	t.Lift(flexible)
	for i := range s.Nodes {
		n := &s.Nodes[i]
		n.Power, n.Limit, n.Flexible = r.power(i), bounds[i], flexible[i]
	}
	c.a.grid.Tell(s)
}

// signalAlarms raises what a person must see of the grid's signals, and ends what is over.
func (c *control) signalAlarms() {
	now := map[string]bool{}
	for _, a := range c.a.grid.Alarms(c.a.clk.Now()) {
		now[a.Key] = true
		c.alarm(a.Key, a.Severity, a.Subject, a.Text)
	}
	for key := range c.alarms {
		if strings.HasPrefix(key, grid.KeyPrefix) && !now[key] {
			c.alarm(key, "", "", "")
		}
	}
}
