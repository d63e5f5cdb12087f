package app

import (
	"cmp"
	"slices"
	"time"

	"switchyard/app/ahead"
	"switchyard/app/clusters"
	"switchyard/app/plant"
	"switchyard/dispatch"
	"switchyard/limiter"
	"switchyard/reconcile"
	"switchyard/site"
	"switchyard/unit"
)

// hour is how the market stands at a step.
type hour struct {
	Price     unit.Price
	Hashprice unit.Hashprice
	// Lost says why there is no economic decision to make; empty in the normal case.
	Lost string
}

// group is what a mining group has to offer now; nothing where it must rest.
func (c *control) group(i int, h hour, guide *ahead.Guide) dispatch.Group {
	g := &c.a.plant.Groups[i]
	// A start that must last ten minutes mostly lasts hours: spread over its least time alone, a
	// restart's cost would keep miners asleep through hours that pay for it many times.
	out := dispatch.Group{Load: g.Load, Node: g.Node, Terms: dispatch.MiningTerms{
		Hashprice: h.Hashprice, Fee: g.PoolFee, SwitchCost: g.RestartCost, MinRun: max(g.MinRun, time.Hour), Fixed: c.loads[g.Load].Fixed, Guide: guide.For(g.Load),
	}}
	rule := c.a.plant.File.Lost.Price
	if h.Lost != "" && rule == "shed" || c.shedFor[i] != "" {
		return out
	}
	for j := g.First; j < g.First+g.Count; j++ {
		d, m := &c.status[j], &c.a.plant.Miners[j]
		if !d.Free {
			continue
		}
		running := d.Known && d.Mode == site.ModeRun
		if h.Lost != "" && rule == "hold" && !running {
			continue // nothing is started on a guess
		}
		out.Machines = append(out.Machines, dispatch.Machine{Power: d.Expected, Standby: c.standby(j), Hashrate: c.hashrate(j, m), Running: running})
	}
	return out
}

// hashrate is what a miner does awake: as read while it ran at full power, else its nameplate.
func (c *control) hashrate(j int, m *plant.Miner) unit.Hashrate {
	if h := c.work[j]; h > 0 {
		return h
	}
	return m.Hashrate
}

func (c *control) standby(j int) unit.Power {
	if s := c.devices[j].Caps.Standby; s > 0 {
		return s
	}
	return c.a.plant.Miners[j].Standby
}

// learnWork keeps a slow mean of what each miner does once it runs steadily, so that its
// worth rests on what it does and not on its label.
func (c *control) learnWork(now time.Time) {
	for j := range c.devices {
		d := &c.devices[j]
		s := d.Last
		if !s.OK || s.V.State != site.StateHashing || !s.V.Hashrate.OK || !s.V.Asked.After(c.workAt[j]) {
			continue
		}
		c.workAt[j] = s.V.Asked
		full := !s.V.Target.OK || s.V.Target.V >= d.Nameplate.Scale(0.95)
		h := s.V.Hashrate.V
		if !full || h < d.Hashrate/2 || now.Sub(s.V.At) > 5*time.Minute {
			continue // held below full power, warming up, or broken
		}
		if c.work[j] == 0 {
			c.work[j] = h
		}
		c.work[j] += (h - c.work[j]) / 16
	}
}

// tenantOffers gives the firm loads' offers and notes what is kept for each.
func (c *control) tenantOffers(now time.Time, r *readings) []site.Offer {
	out := make([]site.Offer, 0, len(c.a.plant.Tenants))
	for i := range c.a.plant.Tenants {
		t := &c.a.plant.Tenants[i]
		draw := r.power(t.Node)
		if draw.OK && r.at[t.Node].After(c.seen[i]) {
			c.headroom[i].Observe(r.at[t.Node], draw.V)
			c.seen[i] = r.at[t.Node]
		}
		ahead := c.horizon(now, i, r)
		keep, relief := c.headroom[i].Reserve(now, draw, ahead), c.relief(t.Node, ahead)
		keep = max(keep-relief, min(keep, draw.V))
		c.margin[i] = max(c.headroom[i].Margin(now, ahead)-relief, 0)
		if t.Fill != nil && !*t.Fill || !draw.OK {
			keep = max(t.Firm, draw.V)
		}
		c.reserve[i] = keep
		out = append(out, dispatch.TenantOffer(t.Load, t.Node, keep, t.Penalty))
	}
	return out
}

// horizon is how long a tenant's draw may have risen before mining has yielded to it: from the
// reading that this step sees to the next step, which sees the rise, and on until what that
// step sheds has fallen, at each limited node on the tenant's path.
func (c *control) horizon(now time.Time, tenant int, r *readings) time.Duration {
	node := c.a.plant.Tenants[tenant].Node
	age := min(max(now.Sub(r.at[node]), 0), c.a.plant.Stale[node])
	seen := age + c.a.plant.File.Control.Period
	longest := seen
	for n := node; n >= 0; n = c.a.plant.Tree.Node(n).Parent {
		if c.a.plant.Yields(n) && c.a.plant.Tree.Node(n).Limit > 0 {
			longest = max(longest, seen+c.fall(now, tenant, n, seen))
		}
	}
	return longest
}

// fall is how long it takes what would yield below a node to fall: the groups that are worth
// least, as many as cover the rise; a slow group that is never touched slows nobody.
func (c *control) fall(now time.Time, tenant, node int, seen time.Duration) time.Duration {
	values := c.values()
	order := make([]int, 0, len(c.a.plant.Groups))
	for i := range c.a.plant.Groups {
		if c.a.plant.Tree.Below(c.a.plant.Groups[i].Node, node) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(values[i], values[j]) })
	var slow, all time.Duration
	var covered unit.Power
	for _, i := range order {
		load := c.a.plant.Groups[i].Load
		all = max(all, c.shedTime(i))
		p := max(c.loads[load].Running, c.awards[load].Power)
		if p <= 0 || covered > 0 && covered >= c.headroom[tenant].Margin(now, seen+slow) {
			continue
		}
		slow = max(slow, c.shedTime(i))
		covered += p
	}
	if covered == 0 {
		return all // nothing runs that could yield: what starts next may be any of them
	}
	return slow
}

// relief is how much of a ramp the overload curves bear until mining has yielded: half of the
// least step, of those that last long enough, on the tenant's path; nothing while a curve is
// in use. Nodes below which nothing can yield do not count: there the tenant is alone.
func (c *control) relief(node int, ahead time.Duration) unit.Power {
	least := unit.Power(-1)
	for n := node; n >= 0; n = c.a.plant.Tree.Node(n).Parent {
		at := c.a.plant.Tree.Node(n)
		if at.Limit <= 0 || !c.a.plant.Yields(n) {
			continue
		}
		var bears unit.Power
		for _, o := range at.Overload {
			if o.For >= ahead {
				bears = max(bears, at.Limit.Scale(float64(o.Ratio-1)/2))
			}
		}
		if slices.ContainsFunc(c.over, func(o limiter.NodeOver) bool { return o.Node == n }) {
			bears = 0
		}
		if least < 0 || bears < least {
			least = bears
		}
	}
	return max(least, 0)
}

// shedTime is how long a group takes from the command to standby: as seen, once it was seen
// (a reading shows it late, never early); until then what its firmware is said to take.
func (c *control) shedTime(i int) time.Duration {
	t := c.slowest[i]
	if c.slowest[i] == 0 {
		g := &c.a.plant.Groups[i]
		for j := g.First; j < g.First+g.Count; j++ {
			if s := c.devices[j].Caps.SleepTime; s > 0 {
				t = s
				break // one model, one firmware: the first that told stands for all
			}
		}
	}
	return min(max(t, 5*time.Second), 2*time.Minute)
}

// learnShed keeps, per group, the slow end of how long its devices took to be seen asleep.
func (c *control) learnShed(e reconcile.Event) {
	if e.Kind != reconcile.EventConfirmed || e.State != site.StateSleeping || e.Command.IsZero() {
		return
	}
	j, ok := c.a.plant.Index(e.Device)
	if !ok {
		return
	}
	// By the reading that showed it, not by the step that saw the reading.
	took, s := c.devices[j].Last.V.At.Sub(e.Command), &c.slowest[c.a.plant.Miners[j].Group]
	if took = min(max(took, time.Second), time.Minute); *s == 0 {
		*s = took
	} else if took > *s {
		*s += (took - *s) / 4
	} else {
		*s -= (*s - took) / 64
	}
}

// clusterOffers puts the clusters' offers into a round.
func (c *control) clusterOffers(now time.Time, r *readings, round *dispatch.Round) {
	if c.a.clusters.Len() == 0 {
		return
	}
	firm, flexible := c.a.clusters.Offers(now, func(node int) clusters.Reading {
		return clusters.Reading{Power: r.power(node), At: r.at[node]}
	}, c.lead())
	round.Firm = append(round.Firm, firm...)
	round.Flexible = flexible
}

// yielding is what miners at a node and below it were told to give up and still draw.
func (c *control) yielding(node site.NodeID) (p unit.Power) {
	top, ok := c.a.plant.Tree.Index(node)
	if !ok {
		return 0
	}
	for j := range c.status {
		if c.a.plant.Tree.Below(c.a.plant.Miners[j].Node, top) {
			p += c.status[j].Falling
		}
	}
	return p
}
