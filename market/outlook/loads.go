package outlook

import (
	"time"

	"switchyard/dispatch"
	"switchyard/dispatch/schedule"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/strictyaml"
	"switchyard/unit"
)

// fixedPenalty is what not delivering a fixed draw would cost: nothing can be had for it.
const fixedPenalty = schedule.DefaultOverload

// Standing is how a site's groups stand when all machines are free to follow: all running at
// their nameplates, or all asleep, for a day already. response is how fast they are at standby.
func Standing(f *sitefile.File, running bool, response time.Duration) []Group {
	var out []Group
	for _, g := range f.Groups {
		n, level := len(g.Targets()), -1
		if running {
			level = 0
		}
		out = append(out, Group{
			Load: site.LoadID(g.ID), Count: n, Fixed: unit.Power(n) * g.Standby, Response: response,
			Levels: []Level{{Power: g.Nameplate - g.Standby, Hashrate: g.Hashrate}},
			Now:    []schedule.State{{Count: n, Level: level, For: 24 * time.Hour}},
		})
	}
	return out
}

// classes are the machines that may follow, at what a MWh earns them now.
func (o *Outlook) classes(s State) []schedule.Class {
	var out []schedule.Class
	if !s.Hashprice.OK && len(s.Groups) > 0 {
		o.note("the hashprice is not known: no group has a value, and all are to rest")
	}
	for _, g := range s.Groups {
		def, ok := o.f.Group(string(g.Load))
		if !ok || g.Count <= 0 {
			continue
		}
		c := schedule.Class{
			Load: g.Load, Count: g.Count, Wear: def.RestartCost, Ramp: def.Ramp,
			MinRun: def.MinRun, MinRest: def.MinRest, Now: g.Now, Response: g.Response,
		}
		c.Node, _ = o.index(site.NodeID(def.Node)) // sitefile has checked it
		for _, l := range g.Levels {
			v := unit.Price(0)
			if s.Hashprice.OK && l.Power > 0 && l.Hashrate > 0 {
				v = s.Hashprice.V.Value(unit.EfficiencyOf(l.Power, l.Hashrate), def.PoolFee)
			}
			c.Levels = append(c.Levels, schedule.Level{Power: max(l.Power, 0), Value: v})
		}
		if len(c.Levels) > 0 {
			out = append(out, c)
		}
	}
	return out
}

// fixed makes one firm load a node of what is drawn there whatever happens.
func (o *Outlook) fixed(s State, steps []schedule.Step) []schedule.Firm {
	sum := make([]unit.Power, o.tree.Len())
	copy(sum, s.Fixed)
	for _, g := range s.Groups {
		if def, ok := o.f.Group(string(g.Load)); ok {
			if i, ok := o.index(site.NodeID(def.Node)); ok {
				sum[i] += max(g.Fixed, 0)
			}
		}
	}
	var out []schedule.Firm
	for i, p := range sum {
		if p > 0 {
			out = append(out, schedule.Firm{Load: FixedAt(o.tree.Node(i).ID), Node: i, Draw: repeat(p, len(steps)), Penalty: fixedPenalty})
		}
	}
	return out
}

func repeat(p unit.Power, n int) []unit.Power {
	out := make([]unit.Power, n)
	for i := range out {
		out[i] = p
	}
	return out
}

// keepFirst is how long what is kept for a tenant now is taken to be kept: until the next plan
// at the latest, and the time that miners take to get out of the way.
const keepFirst = 10 * time.Minute

// Drawing is how a tenant stands of which no more is known than what it draws: kept for it is
// what its declared ramp may add until miners that are told now are at standby.
func Drawing(f *sitefile.File, def sitefile.Tenant, draw unit.Power, response time.Duration) Tenant {
	h := dispatch.NewHeadroom(def.Firm, def.Ramp)
	within := response + f.Control.Period // the step that sees the rise comes first
	return Tenant{
		Load: site.LoadID(def.ID), Draw: site.Some(draw),
		Keep: h.Reserve(time.Time{}, site.Some(draw), within), Margin: h.Margin(time.Time{}, within),
	}
}

// tenants are the contracted loads, in the site file's order.
func (o *Outlook) tenants(now time.Time, s State, steps []schedule.Step) []schedule.Firm {
	var out []schedule.Firm
	for i := range o.f.Tenants {
		def := &o.f.Tenants[i]
		t := Tenant{Load: site.LoadID(def.ID)}
		for _, x := range s.Tenants {
			if x.Load == t.Load {
				t = x
			}
		}
		t = t.uncalled()
		f := schedule.Firm{Load: t.Load, Penalty: def.Penalty, Draw: make([]unit.Power, len(steps)), Reserve: make([]unit.Power, len(steps))}
		f.Node, _ = o.index(site.NodeID(def.Node)) // sitefile has checked it
		for k, step := range steps {
			f.Draw[k], f.Reserve[k] = expected(now, t, def, step)
		}
		called := t.takenIn(steps)
		for k, c := range called {
			f.Draw[k] = max(f.Draw[k]-c, 0)
			f.Reserve[k] = max(f.Reserve[k]-c, f.Draw[k])
		}
		if def.Curtail != nil && def.Curtail.Call != sitefile.CallNever {
			f.Curtail = o.right(now, def, t.Curtailed, steps)
			f.Curtail.Called = called
		}
		out = append(out, f)
	}
	return out
}

// uncalled is t as it would stand had it not been told to draw less.
func (t Tenant) uncalled() Tenant {
	if t.Draw.OK {
		t.Draw.V += t.Back
	}
	if t.Keep > 0 {
		t.Keep += t.Back
	}
	return t
}

// takenIn is what t was told to give up, the mean of each step; nil where it is nothing.
func (t Tenant) takenIn(steps []schedule.Step) (out []unit.Power) {
	for _, c := range t.Called {
		for k, s := range steps {
			both := min(c.To.Sub(s.Start), s.Length) - max(c.From.Sub(s.Start), 0)
			if both <= 0 {
				continue
			}
			if out == nil {
				out = make([]unit.Power, len(steps))
			}
			out[k] += c.Power.Scale(float64(both) / float64(s.Length))
		}
	}
	return out
}

// expected is what a tenant is expected to draw in a step, and what is to be kept for it: as
// the package's doc says, as much as the control loop will keep then.
func expected(now time.Time, t Tenant, def *sitefile.Tenant, step schedule.Step) (draw, keep unit.Power) {
	if !t.Draw.OK {
		return def.Firm, def.Firm
	}
	drawn := max(t.Draw.V, 0)
	contract := max(def.Firm, drawn)
	draw, most := drawn, contract
	if t.Profile != nil {
		draw, most = t.Profile.Expect(now, drawn, step.Start, end(step))
	}
	switch {
	case def.Fill != nil && !*def.Fill:
		keep = contract
	case t.Keep <= 0: // nobody said how much is kept beyond the draw
		keep = most
	case step.Start.Before(now.Add(keepFirst)):
		keep = t.Keep
	default:
		keep = draw + max(t.Margin, t.Keep-drawn)
	}
	return draw, max(min(keep, contract), draw)
}

// right is a tenant's curtailment right. What an hour of it is worth later: with so many
// hours left of those to the year's end, the last one used would meet the price that only so
// large a share of hours exceeds; that price, less what the tenant is paid, is what using one
// today gives up. What a tenant does not draw it does not pay for either where power is
// passed through: that loss is counted at the dearest step, so that a right is used for a cap
// or a peak and never to save energy that the tenant pays for.
func (o *Outlook) right(now time.Time, def *sitefile.Tenant, used time.Duration, steps []schedule.Step) schedule.Curtail {
	r := def.Curtail
	c := schedule.Curtail{Power: r.Power, Left: max(r.Hours-used, 0), Notice: r.Notice, Price: r.Price}
	y, _, _ := now.In(o.zone).Date()
	left := time.Date(y+1, 1, 1, 0, 0, 0, 0, o.zone).Sub(now)
	if o.s.HourWorth != nil && left > 0 {
		if v, ok := o.s.HourWorth(min(1, float64(c.Left)/float64(left))); ok {
			c.Worth = max(v+o.f.Market.Price.Adder-r.Price, 0)
		}
	}
	if def.Power == "pass-through" {
		dearest := unit.Price(0)
		for _, s := range steps {
			dearest = max(dearest, s.Price)
		}
		c.Price += dearest
		c.Worth = max(c.Worth-dearest, 0)
	}
	return c
}

// work is the flexible work that is not done yet and not past its deadline.
func (o *Outlook) work(now time.Time, s State) []schedule.Work {
	var out []schedule.Work
	for _, w := range o.f.Work {
		left, ok := s.Left[w.ID]
		if !ok {
			left = w.Energy
		}
		if left <= 0 {
			continue
		}
		if !w.By.IsZero() && !w.By.After(now) {
			o.note("work %s was due at %s and is not planned any more: %v are left", w.ID, w.By.In(o.zone).Format("2006-01-02 15:04"), left)
			continue
		}
		n, _ := o.index(site.NodeID(w.Node)) // sitefile has checked it
		from := w.From
		if from.Before(now) {
			from = now
		}
		out = append(out, schedule.Work{
			Load: site.LoadID(w.ID), Node: n, Energy: left, Power: w.Power, From: from, By: w.By,
			Value: w.Value, Late: w.Late, Slow: w.Slow,
		})
	}
	return out
}

// quick says whether some group is at standby in time for a reserve.
func quick(groups []Group, within time.Duration) bool {
	for _, g := range groups {
		if g.Response <= within {
			return true
		}
	}
	return false
}

// reserves are the capacity products. One without an expected price earns nothing, and is
// held only as far as it is sold.
func (o *Outlook) reserves(now time.Time, s State, steps []schedule.Step) []schedule.Reserve {
	var out []schedule.Reserve
	for _, r := range o.f.Reserves {
		x := schedule.Reserve{
			Name: r.Name, Response: r.Response, Duration: r.Duration, Performance: r.Performance, Call: r.Call,
			Most: r.Most, Short: r.Short, Price: make([]unit.Price, len(steps)),
		}
		if !quick(s.Groups, r.Response) {
			o.note("no group is at standby within %s: of the reserve %s nothing can be held", strictyaml.Duration(r.Response), r.Name)
		}
		unknown := 0
		for t, step := range steps {
			switch {
			case r.Fixed != nil:
				x.Price[t] = *r.Fixed
			case o.s.Reserve != nil:
				v, ok := o.s.Reserve(r.Name, now, step.Start, end(step))
				if x.Price[t] = v; !ok {
					x.Price[t] = 0
					unknown++
				}
			default:
				unknown++
			}
		}
		if unknown > 0 {
			o.note("the price of the reserve %s is not known for %d of %d steps: more than is sold is not held there", r.Name, unknown, len(steps))
		}
		for _, sold := range append(append([]sitefile.SoldReserve(nil), r.Sold...), s.Sold[r.Name]...) {
			for t, step := range steps {
				if overlap(step.Start, end(step), sold.From, sold.To) > 0 {
					if x.Sold == nil {
						x.Sold = make([]unit.Power, len(steps))
					}
					x.Sold[t] += sold.Power
				}
			}
		}
		out = append(out, x)
	}
	return out
}
