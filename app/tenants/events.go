package tenants

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"switchyard/api"
	"switchyard/billing/sla"
	"switchyard/billing/usage"
	"switchyard/unit"
)

// maxQueue bounds the events that wait for the disk.
const maxQueue = 10_000

func key(e usage.Event) string { return e.Tenant + "/" + string(e.Kind) + "/" + e.Ref }

// watch compares what touches tenants now with what did at the last look: what began is opened,
// what is over is closed, both are queued for the record.
func (t *Tenants) watch(ctx context.Context, now time.Time) {
	seen := map[string]usage.Event{}
	t.touchedHosted(ctx, now, seen)
	t.touchedJobs(now, seen)
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, e := range seen {
		if _, on := t.open[k]; !on {
			t.open[k] = e
			t.queue = append(t.queue, e)
		}
	}
	for k, e := range t.open {
		if _, still := seen[k]; !still {
			e.To = now
			t.queue = append(t.queue, e)
			delete(t.open, k)
		}
	}
	if n := len(t.queue) - maxQueue; n > 0 {
		t.queue = t.queue[n:]
		t.opt.Log.Error("events of tenants are lost: the store takes nothing", "reason", fmt.Sprint(n, " of them"))
	}
}

// touchedHosted tells which hosted tenants lack power.
func (t *Tenants) touchedHosted(ctx context.Context, now time.Time, seen map[string]usage.Event) {
	live := t.opt.Live()
	for i := range live.Tenants {
		l := &live.Tenants[i]
		if l.ShedW <= 0 {
			continue
		}
		c := t.consentNow(ctx, now, l.ID)
		e := usage.Event{Tenant: l.ID, Kind: usage.Outage, From: now, Ref: "feeder"}
		t.mu.Lock()
		if old, on := t.open[key(e)]; on && old.From.Before(c.told) {
			c = consent{} // its feeder was dead before it was told: it has nothing to give
		}
		t.mu.Unlock()
		var lacks bool
		if e.Kind, e.Power, lacks = lacking(l, c); !lacks {
			continue
		}
		beyond := ""
		if c.power > 0 {
			beyond = fmt.Sprintf(", beyond the %s that it was asked not to draw", c.power.Short())
		}
		what := "Its feeder has no power"
		if e.Kind == usage.Brownout {
			what = e.Power.Short() + " of its firm power are not given"
		}
		e.Why = what + beyond + ": " + t.hostedCause(live, t.nodeOf(l.ID)) + "."
		seen[key(e)] = e
	}
}

// consent is power that a tenant agreed not to draw: how much, of which draw as far as that is
// known, and since when it knows.
type consent struct {
	power, of unit.Power
	told      time.Time
}

// called is the call of curtailment that a tenant is to follow now.
func (t *Tenants) called(id string) (c consent) {
	if t.opt.Curtailed == nil {
		return c
	}
	for _, k := range t.opt.Curtailed(id) {
		if k.State != "running" || unit.Watts(k.PowerW) <= c.power {
			continue
		}
		c = consent{power: unit.Watts(k.PowerW), told: k.From}
		if k.Told != nil {
			c.told = *k.Told
		}
		if k.BaselineW != nil {
			c.of = unit.Watts(*k.BaselineW)
		}
	}
	return c
}

// consentNow is called, or what was agreed in another way where that is more. It blocks on the disk.
func (t *Tenants) consentNow(ctx context.Context, now time.Time, id string) consent {
	c := t.called(id)
	all, err := t.record.Events(ctx, id, now, now.Add(time.Second))
	if err != nil {
		t.tell("consent/"+id, "what was agreed with a tenant is not known", id, err)
	}
	for _, e := range all {
		if e.Kind != usage.Curtailment || e.Consented == "" || e.Power <= c.power || e.From.After(now) || !e.To.IsZero() && !now.Before(e.To) {
			continue
		}
		c = consent{power: e.Power, told: e.Announced}
		if c.told.IsZero() {
			c.told = e.From
		}
	}
	return c
}

// lacking says what a tenant lacks beyond what it agreed not to draw. A feeder without power is an
// outage: its meter shows next to nothing of what was wanted, which is the only lack that a meter
// shows, or next to nothing is left of its firm power where the meter is silent. Anything less
// is a brown-out. A dead feeder cannot be told from one of which all was taken back.
func lacking(l *api.TenantLive, c consent) (kind usage.EventKind, power unit.Power, lacks bool) {
	short, firm := unit.Watts(l.ShedW), unit.Watts(l.FirmW)
	power = max(short-c.power, 0)
	switch dead := l.PowerW != nil || sla.NoPower(firm-short, firm); {
	case short <= 0:
		return "", 0, false
	case !dead:
		return usage.Brownout, power, power > 0
	case c.power > 0:
		wanted := max(short, c.of)
		if l.PowerW != nil {
			wanted = max(short+unit.Watts(*l.PowerW), c.of)
		}
		return usage.Outage, power, !sla.NoPower(wanted-c.power, wanted)
	}
	return usage.Outage, power, true
}

// touchedJobs tells whose jobs are slowed or held back.
func (t *Tenants) touchedJobs(now time.Time, seen map[string]usage.Event) {
	live := t.opt.Live()
	for i := range t.opt.Plant.File.Clusters {
		id := t.opt.Plant.File.Clusters[i].ID
		jobs, err := t.opt.Clusters.ClusterJobs(id)
		if err != nil {
			continue
		}
		for k := range jobs {
			j := &jobs[k]
			if j.Tenant == "" {
				continue
			}
			e := usage.Event{Tenant: j.Tenant, From: since(now, j), Power: unit.Watts(j.SavesW), Ref: id + "/" + j.ID}
			switch {
			case j.Ours && j.State == "paused":
				e.Kind, e.Why = usage.Paused, fmt.Sprintf("%s with %s is paused: %s. It goes on by itself.", nameOf(j), count(j.GPUs, "GPU"), t.cause(live, j))
			case j.State == "running" && j.Slowed > 0:
				e.Kind, e.Why = usage.Capped, fmt.Sprintf("The GPUs of %s are held to less power, which costs it about %.0f %% of its work: %s.", nameOf(j), 100*j.Slowed, t.cause(live, j))
			default:
				continue
			}
			seen[key(e)] = e
		}
	}
}

// TenantEvents returns what touched a tenant within [from, to), newest first.
func (t *Tenants) TenantEvents(ctx context.Context, id string, from, to time.Time) ([]api.TenantEvent, error) {
	if _, err := t.find(id); err != nil {
		return nil, err
	}
	all, err := t.record.Events(ctx, id, from, to)
	if err != nil {
		return nil, err
	}
	out := make([]api.TenantEvent, 0, len(all))
	for _, e := range all {
		out = append(out, viewOf(e))
	}
	newestFirst(out)
	return out, nil
}

func newestFirst(all []api.TenantEvent) {
	slices.SortStableFunc(all, func(a, b api.TenantEvent) int { return cmp.Or(b.From.Compare(a.From), cmp.Compare(a.Ref, b.Ref)) })
}

func viewOf(e usage.Event) api.TenantEvent {
	v := api.TenantEvent{Kind: string(e.Kind), From: e.From, Text: e.Why, Ref: e.Ref, Counts: e.Kind == usage.Outage || e.Kind == usage.Brownout}
	if !e.To.IsZero() {
		v.To = &e.To
	}
	if e.Power > 0 {
		w := e.Power.Watts()
		v.PowerW = &w
	}
	switch {
	case e.Kind == usage.Curtailment && e.Consented != "":
		v.Excluded = "agreed: " + e.Consented
	case e.Kind == usage.Maintenance && !e.Announced.IsZero():
		v.Excluded = "announced " + e.Announced.UTC().Format("2006-01-02 15:04") + " UTC"
	case e.Kind == usage.Curtailment || e.Kind == usage.Maintenance:
		v.Counts = true
	case e.Kind == usage.Capped || e.Kind == usage.Paused:
		v.Excluded = "its class of work allows it"
	}
	return v
}
