package app

import (
	"context"
	"time"

	"switchyard/limiter"
	"switchyard/site"
	"switchyard/unit"
)

// limit runs the limiter on the newest meter readings and carries its orders out. It looks
// at meters, nameplates and devices and at nothing that the clearing made.
func (c *control) limit(ctx context.Context, now time.Time, r *readings, bounds []unit.Power) {
	in := limiter.Input{
		At: now, Tree: c.a.plant.Tree, Limits: bounds, Margin: c.a.plant.File.Control.Margin,
		Meters: make([]limiter.Reading, len(bounds)), Nameplate: make([]unit.Power, len(bounds)), Believed: make([]unit.Power, len(bounds)),
	}
	for i := range in.Meters {
		in.Meters[i] = limiter.Reading{Power: r.value[i], At: r.at[i], Stale: r.stale[i]}
	}
	in.Devices = c.limiterDevices(r, in.Nameplate, in.Believed)
	for i := range in.Believed { // the clearing counts the house's own draw, so it is no surprise
		in.Believed[i] += c.house[i].Power(now)
	}
	c.a.plant.Tree.Lift(in.Nameplate)
	c.a.plant.Tree.Lift(in.Believed)
	v := c.limiter.Step(in)
	c.caps, c.over = v.Caps, v.Over
	cmds := make([]site.Command, 0, len(v.Shed))
	for _, o := range v.Shed {
		j, ok := c.a.plant.Index(o.Device)
		if !ok {
			continue
		}
		cmds = append(cmds, site.Command{Device: o.Device, Setpoint: site.Setpoint{Mode: site.ModeSleep}, Reason: c.asked(o.Reason), Plan: c.plan, At: now})
		st := &c.status[j] // until the next step knows better: told, and falling
		st.Sheddable, st.Mode, st.Known = false, site.ModeSleep, true
		st.Falling = max(st.Counted-c.standby(j), 0)
	}
	if len(cmds) > 0 {
		c.send(ctx, cmds)
		c.told = append(c.told, cmds...)
	}
}

// limiterDevices lists every miner and tenant, and adds up per node what could be drawn and
// what is believed to be.
func (c *control) limiterDevices(r *readings, nameplate, believed []unit.Power) []limiter.Device {
	out := make([]limiter.Device, 0, len(c.devices)+len(c.a.plant.Tenants))
	values := c.values()
	for j := range c.devices {
		if j >= len(c.status) {
			nameplate[c.a.plant.Miners[j].Node] += c.devices[j].Nameplate // nothing known yet
			continue
		}
		m, d, st := &c.a.plant.Miners[j], &c.devices[j], &c.status[j]
		if asleep := st.Known && st.Mode == site.ModeSleep && !st.Pending && !st.Quarantined && d.Last.OK && d.Last.V.State == site.StateSleeping; asleep {
			nameplate[m.Node] += max(c.standby(j), d.Last.V.Power.Or(0))
		} else {
			nameplate[m.Node] += max(d.Nameplate, st.Counted)
		}
		believed[m.Node] += st.Counted
		out = append(out, limiter.Device{
			ID: m.ID, Node: m.Node, Class: site.Flexible, Power: st.Counted, Floor: c.standby(j), Value: values[m.Group],
			Sheddable: st.Sheddable, Falling: st.Falling, SleepTime: d.Caps.SleepTime,
		})
	}
	for i := range c.a.clusters.Len() {
		_, node, full := c.a.clusters.At(i)
		draw := r.power(node)
		nameplate[node] += max(full, draw.Or(0))
		believed[node] += draw.Or(full)
		out = append(out, c.a.clusters.Devices(i, draw.Or(full))...)
	}
	for i := range c.a.plant.Tenants {
		t := &c.a.plant.Tenants[i]
		draw := r.power(t.Node)
		nameplate[t.Node] += max(t.Firm, draw.Or(0))
		believed[t.Node] += draw.Or(t.Firm)
		out = append(out, limiter.Device{
			ID: site.DeviceID(t.ID), Node: t.Node, Class: site.Firm, Power: draw.Or(t.Firm), At: r.at[t.Node], Max: t.Firm, Value: t.Penalty,
		})
	}
	return out
}

// values is what a MWh is worth to each group, for the order in which the limiter sheds.
func (c *control) values() []unit.Price {
	out := make([]unit.Price, len(c.a.plant.Groups))
	q := c.a.market.Hashprice(c.a.clk.Now())
	for i := range c.a.plant.Groups {
		g := &c.a.plant.Groups[i]
		out[i] = q.Hashprice.Value(unit.EfficiencyOf(g.Nameplate, g.Hashrate), g.PoolFee)
	}
	return out
}

// loseMeters marks the groups that must shed because a meter above them is lost and the site
// file wants it so.
func (c *control) loseMeters(r *readings) {
	clear(c.shedFor)
	if c.a.plant.File.Lost.Meter != "shed" {
		return
	}
	for i := range c.a.plant.Groups {
		for n := c.a.plant.Groups[i].Node; n >= 0; n = c.a.plant.Tree.Node(n).Parent {
			if node := c.a.plant.Tree.Node(n); node.Meter != "" && node.Limit > 0 && r.stale[n] {
				c.shedFor[i] = "the meter of " + string(node.ID) + " is lost"
				break
			}
		}
	}
}

const housePrefix = "house:"

func (c *control) isHouse(l site.LoadID) bool {
	return len(l) > len(housePrefix) && l[:len(housePrefix)] == housePrefix
}

// houseOffers books the house's own draw at each metered node as fixed power.
func (c *control) houseOffers(now time.Time, r *readings) []site.Offer {
	t := c.a.plant.Tree
	direct := make([]unit.Power, t.Len()) // power entering each node by metered children, else by loads
	var out []site.Offer
	for j := range c.status {
		direct[c.a.plant.Miners[j].Node] += c.status[j].Counted
	}
	for i := range c.a.clusters.Len() {
		_, node, full := c.a.clusters.At(i)
		direct[node] += r.power(node).Or(full)
	}
	for i := range c.a.plant.Tenants {
		node := c.a.plant.Tenants[i].Node
		direct[node] += r.power(node).Or(c.a.plant.Tenants[i].Firm)
	}
	for i := t.Len() - 1; i >= 0; i-- {
		n := t.Node(i)
		known := direct[i]
		if n.Loss > 0 && n.Loss < 1 {
			known = known.Scale(1 / (1 - float64(n.Loss)))
		}
		if m := r.power(i); m.OK {
			c.house[i].Observe(now, m.V-known)
			known = m.V
		}
		if n.Parent >= 0 {
			direct[n.Parent] += known
		}
		if p := c.house[i].Power(now); p > 0 {
			out = append(out, site.Offer{Load: site.LoadID(housePrefix + string(n.ID)), Node: i, Class: site.Firm, Fixed: p})
		}
	}
	return out
}
