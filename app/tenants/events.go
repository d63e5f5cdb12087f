package tenants

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"switchyard/api"
	"switchyard/billing/usage"
	"switchyard/unit"
)

// maxQueue bounds the events that wait for the disk.
const maxQueue = 10_000

func key(e usage.Event) string { return e.Tenant + "/" + string(e.Kind) + "/" + e.Ref }

// watch compares what touches tenants now with what did at the last look: what began is opened,
// what is over is closed, both are queued for the record.
func (t *Tenants) watch(now time.Time) {
	seen := map[string]usage.Event{}
	t.touchedHosted(now, seen)
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
func (t *Tenants) touchedHosted(now time.Time, seen map[string]usage.Event) {
	live := t.opt.Live()
	for _, l := range live.Tenants {
		if l.ShedW <= 0 {
			continue
		}
		e := usage.Event{
			Tenant: l.ID, Kind: usage.Outage, From: now, Power: unit.Watts(l.ShedW), Ref: "feeder",
			Why: "Its feeder has no power: " + t.hostedCause(live, t.nodeOf(l.ID)) + ".",
		}
		seen[key(e)] = e
	}
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
