package curtail

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"switchyard/api"
	"switchyard/app/plant"
	"switchyard/billing/usage"
	"switchyard/journal"
	"switchyard/site"
	"switchyard/store"
	"switchyard/strictyaml"
	"switchyard/telemetry"
	"switchyard/unit"
)

const (
	// longest is the longest call, and how far ahead one may be told.
	longest = 31 * 24 * time.Hour
	// late is how long ago a call may be said to begin: then it begins now.
	late = time.Minute
	// schedule is who calls what the schedule planned.
	schedule = "schedule"
)

// Call tells a tenant to draw less.
func (c *Curtail) Call(ctx context.Context, who string, r api.CurtailRequest) (api.CurtailmentView, error) {
	c.calling.Lock()
	defer c.calling.Unlock()
	now := c.opt.Clock.Now().UTC().Truncate(time.Second)
	t, ok := c.tenant(r.Tenant)
	if !ok {
		return api.CurtailmentView{}, fmt.Errorf("hosted tenant %q: %w; the jobs of a cluster's tenant are paused by its award", r.Tenant, api.ErrNotFound)
	}
	k, err := c.plan(t, now, r)
	if err != nil {
		return api.CurtailmentView{}, err
	}
	k.By, k.Why = who, r.Why
	if k.Baseline, err = c.baseline(ctx, t, now); err != nil {
		return api.CurtailmentView{}, fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	if err := c.keep(ctx, k); err != nil {
		return api.CurtailmentView{}, err
	}
	c.opt.Log.Info("curtailment called", "tenant", k.Tenant, "plan", k.ID, "reason", k.Why)
	c.say(k.Tenant, journal.KindLimit, fmt.Sprintf("%s is told to draw %s less from %s to %s, by %s: %s", t.Name, k.Power.Short(), c.clockTime(k.From, now), c.clockTime(k.To, now), who, k.Why))
	return c.view(&k, now), nil
}

// plan checks a request and makes a call of it.
func (c *Curtail) plan(t *plant.Tenant, now time.Time, r api.CurtailRequest) (Call, error) {
	refuse := func(format string, a ...any) error {
		return fmt.Errorf("%w: %s", api.ErrInvalid, fmt.Sprintf(format, a...))
	}
	has, ok := c.rightOf(t, now)
	k := Call{Tenant: t.ID, From: r.From.UTC().Truncate(time.Second), To: r.To.UTC().Truncate(time.Second), Power: unit.Watts(r.PowerW), Told: now, Consent: r.Consent, Given: -1}
	if r.From.IsZero() {
		k.From = now.Add(has.Notice)
	}
	if k.Power <= 0 {
		k.Power = has.Power
	}
	if k.From.Before(now) && !k.From.Before(now.Add(-late)) {
		k.From = now
	}
	switch {
	case k.Power <= 0:
		return k, refuse("say in power_w how much less %s is to draw: it has agreed to no power of its own accord", t.Name)
	case k.Power > t.Firm:
		return k, refuse("%s is more than the %s that are contracted", k.Power.Short(), t.Firm.Short())
	case k.From.Before(now):
		return k, refuse("it cannot begin at %s: that is over", k.From.Format(time.RFC3339))
	case !k.From.Before(k.To):
		return k, refuse("it must end after it begins, at %s", k.From.Format(time.RFC3339))
	case k.To.Sub(now) > longest:
		return k, refuse("it ends more than %s from now; call it when it is nearer", strictyaml.Duration(longest))
	}
	if k.Consent == "" {
		if err := c.allowed(t, has, ok, &k); err != nil {
			return k, err
		}
		k.Consent = has.name
	}
	if ok {
		k.PriceUSD = has.Price.DollarsPerMWh()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k.ID = c.name(&k)
	y, _, _ := now.In(c.opt.Plant.Zone).Date()
	thisYear := 0
	for i := range c.calls {
		old := &c.calls[i]
		if old.Tenant == k.Tenant && old.touches(k.From, k.To) {
			return k, refuse("%s was told already to draw less from %s to %s: withdraw %s first", t.Name, old.From.Format(time.RFC3339), old.To.Format(time.RFC3339), old.ID)
		}
		if z, _, _ := old.To.In(c.opt.Plant.Zone).Date(); z >= y {
			thisYear++
		}
	}
	if thisYear >= maxCalls {
		return k, refuse("%d were called this year, more than are kept", thisYear)
	}
	return k, nil
}

// allowed says what of a call the right does not allow.
func (c *Curtail) allowed(t *plant.Tenant, has right, ok bool, k *Call) error {
	const all = "; where the tenant agrees to it nevertheless, name its consent"
	if !ok {
		return fmt.Errorf("%w: the contract with %s gives no right to curtail it%s", api.ErrInvalid, t.Name, all)
	}
	c.mu.Lock()
	left := has.Hours - c.used(t.ID, k.From)
	c.mu.Unlock()
	switch {
	case k.Power > has.Power:
		return fmt.Errorf("%w: %s is more than the %s of the right%s", api.ErrInvalid, k.Power.Short(), has.Power.Short(), all)
	case k.From.Before(k.Told.Add(has.Notice)):
		return fmt.Errorf("%w: it needs %s of notice, and could begin at %s%s", api.ErrInvalid, strictyaml.Duration(has.Notice), k.Told.Add(has.Notice).Format(time.RFC3339), all)
	case k.To.Sub(k.From) > left:
		return fmt.Errorf("%w: it lasts %s, and %s of this year's %s are left%s", api.ErrInvalid,
			strictyaml.Duration(k.To.Sub(k.From)), strictyaml.Duration(max(left, 0).Truncate(time.Second)), strictyaml.Duration(has.Hours), all)
	}
	return nil
}

// name makes an id that no other call has. c.mu is held.
func (c *Curtail) name(k *Call) string {
	base := k.Tenant + "-" + k.From.Format("20060102T150405Z")
	id := base
	for n := 2; slices.ContainsFunc(c.calls, func(x Call) bool { return x.ID == id }); n++ {
		id = fmt.Sprintf("%s-%d", base, n)
	}
	return id
}

// event is a call as the tenant's record keeps it: what promises, invoices and its page rest on.
func (k *Call) event() usage.Event {
	e := usage.Event{
		Tenant: k.Tenant, Kind: usage.Curtailment, From: k.From, To: k.end(), Power: k.Power,
		Consented: k.Consent, Announced: k.Told, Why: k.Why, Ref: "curtailment " + k.ID,
	}
	if k.Judged && k.Given >= 0 {
		e.Power = unit.Power(k.Given)
	}
	return e
}

// keep writes a call with its event, and takes it into memory once it is on disk: nobody is told
// what a restart would forget. c.calling is held.
func (c *Curtail) keep(ctx context.Context, k Call) error {
	k.PowerMW = int64(k.Power)
	c.mu.Lock()
	next := slices.Clone(c.calls)
	c.mu.Unlock()
	if i := slices.IndexFunc(next, func(x Call) bool { return x.ID == k.ID }); i >= 0 {
		next[i] = k
	} else {
		next = append(next, k)
	}
	next = c.forget(next)
	doc, err := json.Marshal(next)
	if err == nil {
		err = c.opt.DB.Tx(ctx, func(tx *store.Tx) error {
			if _, err := usage.PutEventsIn(tx, []usage.Event{k.event()}); err != nil {
				return err
			}
			return tx.PutState(stateKey, doc)
		})
	}
	if err != nil {
		return fmt.Errorf("%w: keep the curtailment: %w", api.ErrUnavailable, err)
	}
	c.mu.Lock()
	c.calls = next
	c.mu.Unlock()
	return nil
}

// forget drops the oldest calls of earlier years where there are too many.
func (c *Curtail) forget(calls []Call) []Call {
	y, _, _ := c.opt.Clock.Now().In(c.opt.Plant.Zone).Date()
	for len(calls) > maxCalls {
		if z, _, _ := calls[0].To.In(c.opt.Plant.Zone).Date(); z >= y {
			break
		}
		calls = calls[1:]
	}
	return calls
}

// change finds a call and keeps what do makes of it.
func (c *Curtail) change(ctx context.Context, id string, do func(*Call) error) (Call, error) {
	c.calling.Lock()
	defer c.calling.Unlock()
	c.mu.Lock()
	i := slices.IndexFunc(c.calls, func(k Call) bool { return k.ID == id })
	var k Call
	if i >= 0 {
		k = c.calls[i]
	}
	c.mu.Unlock()
	if i < 0 {
		return k, fmt.Errorf("curtailment %q: %w", id, api.ErrNotFound)
	}
	was := k
	if err := do(&k); err != nil || k == was {
		return k, err
	}
	return k, c.keep(ctx, k)
}

// Withdraw takes a call back.
func (c *Curtail) Withdraw(ctx context.Context, who, id, why string) (api.CurtailmentView, error) {
	now := c.opt.Clock.Now().UTC().Truncate(time.Second)
	k, err := c.change(ctx, id, func(k *Call) error {
		if !k.Withdrawn.IsZero() || !now.Before(k.To) {
			return fmt.Errorf("%w: it is over, there is nothing to withdraw", api.ErrInvalid)
		}
		k.Withdrawn = now
		return nil
	})
	if err != nil {
		return api.CurtailmentView{}, err
	}
	c.say(k.Tenant, journal.KindRestore, fmt.Sprintf("the curtailment of %s from %s to %s is withdrawn by %s: %s", k.Tenant, c.clockTime(k.From, now), c.clockTime(k.To, now), who, why))
	return c.view(&k, now), nil
}

// Acknowledge keeps when a tenant has first seen a call.
func (c *Curtail) Acknowledge(ctx context.Context, who, tenant, id string) (api.CurtailmentView, error) {
	now := c.opt.Clock.Now().UTC().Truncate(time.Second)
	k, err := c.change(ctx, id, func(k *Call) error {
		if k.Tenant != tenant {
			return fmt.Errorf("curtailment %q: %w", id, api.ErrNotFound)
		}
		if k.Seen.IsZero() {
			k.Seen = now
		}
		return nil
	})
	if err != nil {
		return api.CurtailmentView{}, err
	}
	if k.Seen.Equal(now) {
		c.say(k.Tenant, journal.KindNote, fmt.Sprintf("%s has seen the curtailment from %s to %s", who, c.clockTime(k.From, now), c.clockTime(k.To, now)))
	}
	v := c.view(&k, now)
	v.By = ""
	return v, nil
}

// baseline is a tenant's mean draw in the hour before now, by its meter, mW; that of another call
// where one ran within that hour, and what it draws now where nothing is metered yet; negative:
// not known.
func (c *Curtail) baseline(ctx context.Context, t *plant.Tenant, now time.Time) (int64, error) {
	c.mu.Lock()
	for i := len(c.calls) - 1; i >= 0; i-- {
		k := &c.calls[i]
		if k.Tenant == t.ID && k.Baseline >= 0 && k.From.Before(now) && k.end().After(now.Add(-before)) && k.From.Before(k.end()) {
			defer c.mu.Unlock()
			return k.Baseline, nil
		}
	}
	c.mu.Unlock()
	mean, ok, err := c.mean(ctx, t.ID, now.Add(-before), now)
	if err != nil || ok {
		return int64(mean), err
	}
	for _, l := range c.opt.Live().Tenants {
		if l.ID == t.ID && l.PowerW != nil {
			return int64(unit.Watts(*l.PowerW)), nil
		}
	}
	return -1, nil
}

// mean is a tenant's mean power over the metered intervals that lie within [from, to), or, where
// none does whole, over those that touch it; false where none was measured.
func (c *Curtail) mean(ctx context.Context, tenant string, from, to time.Time) (unit.Power, bool, error) {
	var whole, touching unit.Energy
	var n, m int
	for row, err := range c.record.Rows(ctx, usage.Question{Tenant: tenant, From: from.Add(-telemetry.Length), To: to}) {
		if err != nil {
			return 0, false, err
		}
		if row.Quality == site.Missing || !row.Start.Add(telemetry.Length).After(from) {
			continue
		}
		touching, m = touching+row.Critical, m+1
		if !row.Start.Before(from) && !row.Start.Add(telemetry.Length).After(to) {
			whole, n = whole+row.Critical, n+1
		}
	}
	switch {
	case n > 0:
		return whole.Mean(time.Duration(n) * telemetry.Length), true, nil
	case m > 0:
		return touching.Mean(time.Duration(m) * telemetry.Length), true, nil
	}
	return 0, false, nil
}
