package curtail

import (
	"context"
	"fmt"
	"slices"
	"time"

	"switchyard/api"
	"switchyard/journal"
	"switchyard/market/outlook"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/telemetry"
	"switchyard/unit"
)

const (
	// crumbs is the part of a right's power below which a tenant is not asked: the schedule would
	// take half a machine's worth back to spare itself a miner's stop.
	crumbs = 0.25
	// follow is how long after it began a tenant's meter is waited for before what it gives is
	// taken for what it will give.
	follow = 5 * time.Minute
	// patience is how long after its end a call waits for the metered intervals to be complete.
	patience = 24 * time.Hour
)

// proposal is a call that the schedule would make.
type proposal struct {
	Call
	mode string    // who calls it: the right's call
	by   time.Time // the last moment at which it can be told in time
}

// proposed is what the schedule would call now, the next first: what could still be told in time,
// and is within what the right allows.
func (c *Curtail) proposed(now time.Time) []proposal {
	var out []proposal
	for _, p := range c.opt.Planned() {
		t, ok := c.tenant(p.Tenant)
		if !ok {
			continue
		}
		has, ok := c.rightOf(t, now)
		if !ok || has.call == sitefile.CallNever || p.Power < has.Power.Scale(crumbs) {
			continue
		}
		k := Call{
			Tenant: p.Tenant, From: later(p.From, now.Add(has.Notice)).UTC(), To: p.To.UTC(), Power: min(p.Power, has.Power),
			PriceUSD: has.Price.DollarsPerMWh(), Consent: has.name, Baseline: -1, Given: -1, By: schedule,
			Why: "Power is short or dear then, and your contract lets the site ask you to draw less.",
		}
		k.From = k.From.Truncate(time.Second)
		if k.From.Before(k.To) && k.Power > 0 && !c.called(&k) {
			out = append(out, proposal{k, has.call, k.From.Add(-has.Notice)})
		}
	}
	slices.SortStableFunc(out, func(a, b proposal) int { return a.From.Compare(b.From) })
	return out
}

// called says whether a call that is kept touches k's time.
func (c *Curtail) called(k *Call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.calls, func(x Call) bool {
		return x.Tenant == k.Tenant && x.touches(k.From, k.To)
	})
}

// callPlanned calls what a right lets the site call by itself, once its notice would be missed
// by waiting for the next plan but one.
func (c *Curtail) callPlanned(ctx context.Context) {
	now := c.opt.Clock.Now()
	ahead := 2*c.opt.Every + time.Duration(2*float64(pace)*c.opt.Clock.Speed())
	for _, k := range c.proposed(now) {
		if k.mode != sitefile.CallAuto || k.by.After(now.Add(ahead)) {
			continue
		}
		_, err := c.Call(ctx, schedule, api.CurtailRequest{Tenant: k.Tenant, From: k.From, To: k.To, PowerW: k.Power.Watts(), Why: k.Why})
		if err != nil {
			c.opt.Log.Warn("what the schedule would take back was not called; it is tried again while the plan has it", "tenant", k.Tenant, "reason", err.Error())
		}
	}
}

// measure asks the meter about calls that ended.
func (c *Curtail) measure(ctx context.Context) {
	now := c.opt.Clock.Now()
	c.mu.Lock()
	var due []Call
	for _, k := range c.calls {
		if !k.Judged && !now.Before(k.end().Add(2*telemetry.Length)) {
			due = append(due, k)
		}
	}
	c.mu.Unlock()
	for _, k := range due {
		if err := c.judge(ctx, k, now); err != nil && ctx.Err() == nil {
			c.opt.Log.Warn("what a curtailed tenant gave is not measured yet; it is tried again", "tenant", k.Tenant, "plan", k.ID, "reason", err.Error())
		}
	}
}

// judge measures what was given in one call, once its last interval is in the books.
func (c *Curtail) judge(ctx context.Context, k Call, now time.Time) error {
	given, text, ready, err := c.given(ctx, &k, now)
	if err != nil || !ready {
		return err
	}
	_, err = c.change(ctx, k.ID, func(k *Call) error {
		k.Given, k.Judged = int64(given), true
		return nil
	})
	if err == nil {
		c.say(k.Tenant, journal.KindRestore, fmt.Sprintf("the curtailment of %s from %s to %s is over: %s", k.Tenant, c.clockTime(k.From, now), c.clockTime(k.end(), now), text))
	}
	return err
}

// given is the mean before a call was told less the mean within it, at most what was asked for;
// negative: nobody knows. It is not ready while the books may still tell.
func (c *Curtail) given(ctx context.Context, k *Call, now time.Time) (given unit.Power, text string, ready bool, err error) {
	const unknown = "its meter does not tell what it gave, which counts as called"
	if !k.From.Before(k.end()) {
		return 0, "it was withdrawn before it began", true, nil
	}
	if k.Baseline < 0 {
		return -1, unknown, true, nil
	}
	mean, there, err := c.within(ctx, k)
	switch {
	case err != nil:
		return 0, "", false, err
	case !there:
		return -1, unknown, !now.Before(k.end().Add(patience)), nil
	}
	given = min(max(unit.Power(k.Baseline)-mean, 0), k.Power)
	return given, fmt.Sprintf("it drew %s less than the %s before, of %s asked for: %.1f kWh were not drawn", given.Short(), unit.Power(k.Baseline).Short(), k.Power.Short(),
		1000*given.Over(k.end().Sub(k.From)).MegawattHours()), true, nil
}

// within is the mean within a call, and whether its last interval is in the books.
func (c *Curtail) within(ctx context.Context, k *Call) (unit.Power, bool, error) {
	last := telemetry.Span(k.end().Add(-time.Nanosecond))
	_, there, err := c.mean(ctx, k.Tenant, last, last.Add(telemetry.Length))
	if err != nil || !there {
		return 0, false, err
	}
	return c.mean(ctx, k.Tenant, k.From, k.end())
}

// Standing is what the planning of the hours ahead needs to know of a tenant's calls.
type Standing struct {
	Called []outlook.Called
	// Back is how much more it would draw now had it not been told; Used how much of the
	// year's hours is called.
	Back    unit.Power
	Used    time.Duration
	Running bool
}

// Of says how a tenant stands that draws so much now.
func (c *Curtail) Of(now time.Time, tenant string, draw site.Opt[unit.Power]) Standing {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Standing{Used: c.used(tenant, now)}
	for i := range c.calls {
		k := &c.calls[i]
		if k.Tenant != tenant || !k.Withdrawn.IsZero() || !now.Before(k.To) {
			continue
		}
		power := k.Power
		if k.running(now) {
			s.Running = true
			given := unit.Power(0)
			if k.Baseline >= 0 && draw.OK {
				given = min(max(unit.Power(k.Baseline)-draw.V, 0), k.Power)
			}
			s.Back += given
			if now.Sub(k.From) >= follow { // it gives what it gives
				power = given
			}
		}
		s.Called = append(s.Called, outlook.Called{From: k.From, To: k.end(), Power: power})
	}
	return s
}
