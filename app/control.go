package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"switchyard/api"
	"switchyard/app/ahead"
	"switchyard/app/bounds"
	"switchyard/clock"
	"switchyard/dispatch"
	"switchyard/journal"
	"switchyard/limiter"
	"switchyard/reconcile"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

// control is the state of the control loop. Only the loop's goroutine touches it; others
// ask through inLoop.
type control struct {
	a      *App
	limits bounds.Limits
	holds  holds

	limiter  limiter.Limiter
	decider  dispatch.Decider
	state    *reconcile.State
	headroom []*dispatch.Headroom // per tenant
	house    []telemetry.House    // per node

	devices []reconcile.Device       // per miner, refilled each step
	status  []reconcile.DeviceStatus // per miner, of the last step
	loads   map[site.LoadID]reconcile.LoadStatus
	work    []unit.Hashrate // per miner, learned
	workAt  []time.Time
	slowest []time.Duration // per group: learned shed time
	seen    []time.Time     // per tenant: newest reading the headroom has
	reserve []unit.Power    // per tenant
	margin  []unit.Power    // likewise: what is kept beyond the draw while the contract does not cut it
	shedFor []string        // per group: why it is told to shed outright; empty if not

	caps     []unit.Power // the limiter's, per node
	told     []site.Command
	acked    []reconcile.Ack
	released []site.DeviceID

	plan   site.PlanID
	awards map[site.LoadID]site.Award
	// announced are the awards as last journalled: what differs little from step to step may
	// have gone far since it was told.
	announced map[site.LoadID]site.Award
	result    dispatch.Result
	offers    []site.Offer
	over      []limiter.NodeOver
	ready     bool
	started   time.Time
	readyBy   time.Time // machine time after which missing devices are no longer awaited
	lost      string    // why no economic decision is made now
	alarms    map[string]api.Alert
	toldAt    []time.Time // per miner: when it was last told something
	learned   time.Time   // machine time when what was learned of the miners' power was last kept
	savedAt   time.Time   // machine time
	keeping   bool        // the state is being written beside the loop
	kept      chan error  // room for one: how that went
	dirty     bool
	// limitsWait says that an operator's limit is in force and not on disk yet.
	limitsWait bool
	peaked     bool // the connection's cap is the peak above which a demand charge grows
	// deciding is the limit that binds each node, by the last look; nil: the node's own.
	deciding []*site.Limit
	woken    time.Time // machine time when a signal last made a step
	history  time.Time // site time of the last point
	loosened time.Time // site time when a limit last ended
}

// readings is what the meters say at one step, per node.
type readings struct {
	at    []time.Time
	value []site.Opt[unit.Power]
	stale []bool
}

// power returns a node's metered power; unknown when it has no meter or a stale one.
func (r *readings) power(node int) site.Opt[unit.Power] {
	if r.stale[node] {
		return site.Opt[unit.Power]{}
	}
	return r.value[node]
}

func (c *control) read(now time.Time, snap *telemetry.Snapshot) *readings {
	n := c.a.plant.Tree.Len()
	r := &readings{at: make([]time.Time, n), value: make([]site.Opt[unit.Power], n), stale: make([]bool, n)}
	for i := range n {
		id := c.a.plant.Tree.Node(i).Meter
		if id == "" {
			r.stale[i] = true
			continue
		}
		m, _ := snap.Get(id)
		r.stale[i] = m.Stale(now, c.a.plant.Stale[i])
		if m.Sample.OK {
			r.at[i], r.value[i] = m.Sample.V.At, m.Sample.V.Power
			r.stale[i] = r.stale[i] || !m.Sample.V.Power.OK
		}
	}
	return r
}

// loop runs the control periods until ctx ends.
func (c *control) loop(ctx context.Context) {
	period := c.a.plant.File.Control.Period
	next := c.a.clk.Now()
	for ctx.Err() == nil {
		now := c.a.clk.Now()
		timer := c.a.clk.NewTimer(next.Sub(now))
		select {
		case <-ctx.Done():
		case <-timer.C():
			next = c.full(ctx, next, period)
		case <-c.a.inbox.Kick: // a meter was read: the limiter looks at once
			c.guard(ctx)
		case <-c.a.grid.Wake: // the grid asks for something else: at once, and then not so soon again
			if since := time.Since(c.woken); since < wakeGap {
				next = sooner(next, now.Add(time.Duration(float64(wakeGap-since)*c.a.clk.Speed())))
				break
			}
			next = c.full(ctx, c.a.clk.Now(), period)
			c.woken = time.Now()
		case f := <-c.a.requests:
			f(c)
			next = c.full(ctx, c.a.clk.Now(), period) // a person waits for it
		}
		timer.Stop()
	}
}

// wakeGap is the shortest time between two steps that signals make, machine time: a sender
// that never stops must not keep the loop from all else.
const wakeGap = 200 * time.Millisecond

func sooner(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// full is one whole control period; it returns when the next is due.
func (c *control) full(ctx context.Context, due time.Time, period time.Duration) time.Time {
	now := c.a.clk.Now()
	c.step(ctx, now)
	c.keep(ctx, false)
	if c.a.opt.Pace != nil {
		c.a.opt.Pace(ctx, now)
	}
	next := due.Add(period)
	if !next.After(now) {
		next = now.Add(period) // the machine was late: no burst of steps to catch up
	}
	if early := now.Add(c.quick()); early.Before(next) && c.waits() {
		return early // commands are confirmed, and what follows from that, sooner
	}
	return next
}

// quick is the shortest time between two periods while commands wait for their confirmation:
// half a second, and on a fast clock not more often than five times a machine second.
func (c *control) quick() time.Duration {
	return max(500*time.Millisecond, time.Duration(float64(200*time.Millisecond)*c.a.clk.Speed()))
}

// waits says whether some command has neither been confirmed nor come to its end.
func (c *control) waits() bool {
	return slices.ContainsFunc(c.status, func(s reconcile.DeviceStatus) bool { return s.Pending })
}

// step takes up what came in, clears, and tells the devices.
func (c *control) step(ctx context.Context, now time.Time) {
	c.acked = append(c.acked, c.a.inbox.Take()...)
	c.turn(now)
	snap := c.a.hub.Snapshot()
	c.fill(now, snap)
	if !c.ready && !c.begin(now, snap) {
		c.publish(now, snap, c.read(now, snap), nil)
		return
	}
	if len(c.status) == 0 { // the first look at the devices: no awards yet, so nothing is told for money
		first := c.reconcile(now)
		c.journalEvents(first.Events)
		c.send(ctx, first.Commands)
	}
	all := c.limits.At(now)
	bounds := c.bind(now, all)
	r := c.read(now, snap)
	c.limit(ctx, now, r, bounds)
	c.estimate(ctx, now, snap, r)
	c.clear(now, r, bounds)
	c.lookAhead(now, r, bounds, all)
	out := c.reconcile(now)
	c.journalEvents(out.Events)
	c.learnWork(now)
	for _, e := range out.Events {
		c.learnShed(e)
	}
	c.send(ctx, out.Commands)
	c.settle(now, r)
	c.record(now, r, bounds)
	c.alarmsAt(snap, r)
	c.tellGrid(now, r, all)
	c.publish(now, snap, r, all)
}

// guard runs the limiter alone, on a meter's new reading.
func (c *control) guard(ctx context.Context) {
	if !c.ready {
		return
	}
	now := c.a.clk.Now()
	snap := c.a.hub.Snapshot()
	c.limit(ctx, now, c.read(now, snap), c.bind(now, c.limits.At(now)))
}

// lead is how long before a known limit begins the site starts to get below it.
func (c *control) lead() time.Duration {
	var fall time.Duration
	for i := range c.a.plant.Groups {
		fall = max(fall, c.shedTime(i))
	}
	return fall + 3*c.a.plant.File.Control.Period
}

// begin says whether enough is known to act: every meter and every miner was heard of, or
// had time enough. Until then nothing is told to anything.
func (c *control) begin(now time.Time, snap *telemetry.Snapshot) bool {
	heard := 0
	for _, s := range c.a.plant.Specs {
		if m, _ := snap.Get(s.Target.Device); m.Sample.OK || m.Failures > 0 {
			heard++
		}
	}
	if !c.a.clusters.Heard() && !time.Now().After(c.readyBy) {
		return false
	}
	waited := time.Now().After(c.readyBy) && now.Sub(c.started) > 30*time.Second
	if heard < len(c.a.plant.Specs) && !waited {
		return false
	}
	c.ready = true
	c.note(journal.Entry{
		At: now, Subject: "controller", Kind: journal.KindNote, Code: site.ReasonStart,
		Text: "the controller acts from now on: " + plural(heard, "device") + " of " + plural(len(c.a.plant.Specs), "device") + " heard of",
	})
	return true
}

// fill brings the reconciler's view of the miners up to the newest readings.
func (c *control) fill(now time.Time, snap *telemetry.Snapshot) {
	for j := range c.devices {
		m, d := &c.a.plant.Miners[j], &c.devices[j]
		r, _ := snap.Get(m.ID)
		d.Last = r.Sample
		if p, ok := c.a.truth.Steady(j, &d.Last.V); ok && d.Last.OK {
			d.Last.V.Power = site.Some(p)
		}
		g := &c.a.plant.Groups[m.Group]
		d.Unreachable = r.Failures >= 3 || r.Failures > 0 && r.Stale(now, 2*g.Poll)
		if caps := c.a.fleet.Capabilities(m.ID); caps.OK {
			d.Caps = caps.V
			if m.Nameplate <= 0 {
				d.Nameplate = caps.V.Nameplate.Or(0)
			}
			if m.Standby <= 0 {
				d.Standby = caps.V.Standby
			}
		}
	}
}

// clear makes the offers, clears them, and keeps the awards.
func (c *control) clear(now time.Time, r *readings, bounds []unit.Power) {
	h := c.hour(now)
	c.loseMeters(r)
	guide := c.a.ahead.Follow(now, h.Lost)
	round := dispatch.Round{Tree: c.a.plant.Tree, Price: h.Price, PriceKnown: h.Lost == "", Firm: c.tenantOffers(now, r), Held: ahead.Sold(c.a.plant.File, c.a.grid.Combined(now), now, c.fast)}
	c.clusterOffers(now, r, &round)
	round.House = c.houseOffers(now, r)
	for i := range c.a.plant.Groups {
		round.Groups = append(round.Groups, c.group(i, h, guide))
	}
	caps := make([]unit.Power, len(bounds))
	for i, b := range bounds {
		caps[i] = b
		if b >= 0 {
			caps[i] = b - b.Scale(float64(c.a.plant.File.Control.Margin))
		}
		if len(c.caps) > 0 && c.caps[i] >= 0 && (caps[i] < 0 || c.caps[i] < caps[i]) {
			caps[i] = c.caps[i]
		}
	}
	round.Caps = caps
	c.peaked = guide.Into(&round)
	d := c.decider.Decide(round)
	c.result, c.offers = d.Result, d.Offers
	c.newPlan(now, h)
	c.a.clusters.Awarded(now, c.plan, c.awards, bounds, c.yielding)
	c.a.recorder.Round(now, c.plan, round, d.Awards)
}

// newPlan takes over the awards and, where they changed, numbers and journals them.
func (c *control) newPlan(now time.Time, h hour) {
	next := make(map[site.LoadID]site.Award, len(c.result.Awards))
	var changed []site.Award
	for _, a := range c.result.Awards {
		if h.Lost != "" && a.Reason.Code == site.ReasonLost {
			a.Reason.Text = h.Lost + ": " + a.Reason.Text
		}
		a.Reason = c.asked(a.Reason)
		next[a.Load] = a
		old, ok := c.announced[a.Load]
		quiet := ok && c.a.clusters.Has(a.Load) && full(old) && full(a)
		if !ok || news(old, a) && !quiet {
			c.announced[a.Load] = a
			changed = append(changed, a)
		}
	}
	c.awards = next
	if len(changed) == 0 {
		return
	}
	c.plan++
	for _, a := range changed {
		if c.isHouse(a.Load) {
			continue
		}
		c.note(journal.Entry{
			At: now, Plan: c.plan, Subject: string(a.Load), Kind: journal.KindAward, Code: a.Reason.Code,
			Text: string(a.Load) + " is given " + short(a.Power) + " of " + short(a.Full) + ": " + a.Reason.Text,
		})
	}
}

// full says whether an award is all that was asked for. What a cluster asks for moves with its
// jobs: while it gets all of it, that is no news.
func full(a site.Award) bool { return a.Power >= a.Full && a.Reason.Code != site.ReasonLost }

// news says whether an award differs enough to be told: by two per cent of what was asked, or
// by going to or from all, nothing or the price being lost. At one and the same power the
// price and a limit may take turns as the reason; that is no news.
func news(old, now site.Award) bool {
	d := old.Power - now.Power
	if d < 0 {
		d = -d
	}
	extent := func(a site.Award) int {
		switch {
		case a.Reason.Code == site.ReasonLost:
			return 3
		case a.Power >= a.Full:
			return 2
		case a.Power <= 0:
			return 0
		}
		return 1
	}
	return extent(old) != extent(now) || d > max(old.Full, now.Full)/50
}

// reconcile turns awards into commands.
func (c *control) reconcile(now time.Time) reconcile.Output {
	for _, id := range c.released {
		c.state.Release(id)
	}
	c.released = nil
	ctl := c.a.plant.File.Control
	awards := c.awards
	if !c.ready {
		awards = nil
	}
	out := c.state.Step(reconcile.Input{
		At: now, Plan: c.plan, Tree: c.a.plant.Tree, Devices: c.devices, Awards: awards, Holds: c.holds,
		Told: c.told, Acked: c.acked, Policy: reconcile.Policy{Confirm: ctl.Confirm, Retries: ctl.Retries, Settle: c.settling(now)},
	})
	if len(c.told)+len(c.acked)+len(out.Commands)+len(out.Events) > 0 {
		c.dirty = true
	}
	c.told, c.acked = nil, nil
	c.status, c.loads = out.Devices, out.Loads
	return out
}

func (c *control) loadOf(id site.DeviceID) site.LoadID {
	if j, ok := c.a.plant.Index(id); ok {
		return c.a.plant.Groups[c.a.plant.Miners[j].Group].Load
	}
	return ""
}

// byHand says whether a device was found asleep, or is in quarantine: a person may release it.
func (c *control) byHand(id site.DeviceID) bool {
	j, ok := c.a.plant.Index(id)
	return ok && j < len(c.status) && (c.status[j].ByHand || c.status[j].Quarantined)
}

// note appends to the journal's queue. That it was taken says nothing about the disk, so it
// ends no alarm.
func (c *control) note(e journal.Entry) {
	if _, err := c.a.journal.Append(e); err != nil {
		c.storeFault(err)
	}
}

// jot is note for what happens beside the loop.
func (a *App) jot(e journal.Entry) {
	if _, err := a.journal.Append(e); err != nil {
		a.log.Warn("not journalled", "reason", err.Error())
	}
}

// journalEvents writes what happened to commands and devices.
func (c *control) journalEvents(events []reconcile.Event) {
	kinds := map[reconcile.EventKind]journal.Kind{
		reconcile.EventAcked: journal.KindAck, reconcile.EventConfirmed: journal.KindConfirm, reconcile.EventFailed: journal.KindFail,
		reconcile.EventSuperseded: journal.KindFail, reconcile.EventQuarantined: journal.KindQuarantine, reconcile.EventReleased: journal.KindRelease,
		reconcile.EventDrift: journal.KindNote, reconcile.EventFoundAsleep: journal.KindHold,
	}
	for _, e := range events {
		k, ok := kinds[e.Kind]
		if !ok { // sent: the command's own entry says it
			continue
		}
		c.note(journal.Entry{At: e.At, Plan: e.Plan, Subject: string(c.loadOf(e.Device)), Device: e.Device, Kind: k, Code: e.Reason.Code, Text: e.Text})
	}
}

// inLoop runs f in the control loop and waits for it. Its commands are on their way when the
// next step is done, which follows at once.
func (a *App) inLoop(ctx context.Context, f func(*control) error) error {
	done := make(chan error, 1)
	select {
	case a.requests <- func(c *control) { done <- f(c) }:
	case <-ctx.Done():
		return ctx.Err()
	case <-a.ended:
		return errStopping
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errStopping = fmt.Errorf("%w: the controller is stopping", api.ErrUnavailable)

// Quiet waits until the commands on their way are answered and every living meter was read
// in the present period, or patience (machine time) is over: a rehearsal's clock then may
// go on without the machine's slowness becoming the site's.
func (a *App) Quiet(ctx context.Context, now time.Time, patience time.Duration) {
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		if !a.inbox.Waiting(patience) && a.metersFresh(now) {
			return
		}
		_ = clock.Sleep(ctx, clock.System(), 500*time.Microsecond)
	}
}

func (a *App) metersFresh(now time.Time) bool {
	snap := a.hub.Snapshot()
	return !slices.ContainsFunc(a.meters, func(id site.DeviceID) bool {
		m, _ := snap.Get(id)
		return m.Failures == 0 && (!m.Sample.OK || now.Sub(m.Sample.V.At) > a.plant.File.Control.Period)
	})
}
