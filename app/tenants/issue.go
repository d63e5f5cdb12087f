package tenants

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"switchyard/billing/contract"
	"switchyard/billing/invoice"
	"switchyard/billing/usage"
	"switchyard/telemetry"
)

const (
	// maxMonths bounds how far back invoices are issued without being asked for.
	maxMonths = 24
	// least is how much of its first month the record must hold for that to be billed without
	// being asked for: less is a site that was set up on a month's last day.
	least = 24 * time.Hour
)

// Issue issues every invoice that is due, by the tenants' names and in the order of the months:
// those that are over, whose last interval is attributed and all of whose prices are known. It
// begins with the first month that was ever issued to a tenant or, where none was, with its
// contract's first that the record covers: what a site billed before is not billed again. The
// first one goes first; after it, a month that waits holds up no other and is tried again. One that
// was issued stays. Where nothing is agreed any more, the month before the running one is looked at
// once: it has a closing invoice if something is left to correct or settle. It blocks on the disk.
func (t *Tenants) Issue(ctx context.Context) {
	now := t.opt.Clock.Now()
	for _, id := range slices.Sorted(maps.Keys(t.contracts)) {
		if err := t.issue(ctx, id, now); err != nil {
			t.tell("issue/"+id, "what is to be billed is not known", id, err)
		}
	}
}

func (t *Tenants) issue(ctx context.Context, id string, now time.Time) error {
	list, err := t.issuer.List(ctx, id, 600)
	if err != nil {
		return err
	}
	issued := map[string]bool{}
	for _, h := range list {
		issued[h.Month] = true
	}
	if err := t.changed(ctx, id); err != nil {
		return err
	}
	first, err := t.first(ctx, id, issued, now)
	if err != nil || first == "" {
		return err
	}
	for month := first; month < t.month(id); month = after(month, 1) {
		if issued[month] {
			continue
		}
		if !t.whole(id, month) {
			return nil
		}
		due, err := t.due(ctx, id, month, len(issued) > 0)
		if err != nil {
			return err
		}
		if !due {
			continue
		}
		inv, fresh, err := t.issuer.Issue(ctx, t.months, id, month, now)
		switch {
		case errors.Is(err, invoice.ErrNoContract): // nothing is left to close
			t.fresh("closing/"+id, month)
			continue
		case err != nil:
			t.tell("issue/"+id+"/"+month, "the invoice of "+month+" waits", id, err)
			if len(issued) == 0 {
				return nil
			}
			continue
		case fresh:
			t.opt.Log.Info("invoice issued", "tenant", id, "month", month, "number", inv.Number, "total", inv.Total.String())
		}
		issued[month] = true
	}
	return nil
}

// changed names, once a month, the versions that a tenant was billed by and that its contract has
// no longer as they were.
func (t *Tenants) changed(ctx context.Context, id string) error {
	if !t.fresh("changed/"+id, t.month(id)) {
		return nil
	}
	all, err := t.issuer.Changed(ctx, t.contracts[id])
	for _, text := range all {
		t.opt.Log.Warn("a contract says another thing of a month that was billed", "tenant", id, "reason", text)
	}
	return err
}

// first is the first month that may be issued without being asked for; empty: none.
func (t *Tenants) first(ctx context.Context, id string, issued map[string]bool, now time.Time) (string, error) {
	c := t.contracts[id]
	if len(c.Versions) == 0 {
		return "", nil
	}
	running := t.month(id)
	month := max(monthOf(c.Versions[0].From), after(running, -maxMonths))
	if len(issued) > 0 {
		return max(month, slices.Min(slices.Collect(maps.Keys(issued)))), nil
	}
	if err := t.findBegin(ctx, now); err != nil || t.began.IsZero() {
		return "", err
	}
	began := t.began.In(c.Location()).Format("2006-01")
	if p, err := invoice.PeriodOf(began, c.Location()); err != nil || p.To.Sub(t.began) < least {
		began = after(began, 1)
	}
	return max(month, began), nil
}

// findBegin looks for the record's oldest interval, of whichever tenant, once: month by month, as far
// back as anything is issued.
func (t *Tenants) findBegin(ctx context.Context, now time.Time) error {
	for n := maxMonths + 1; n >= 0 && t.began.IsZero(); n-- {
		var oldest time.Time
		for r, err := range t.record.Rows(ctx, usage.Question{From: now.AddDate(0, 0, -31*(n+1)), To: now.AddDate(0, 0, -31*n)}) {
			if err != nil {
				return err
			}
			if oldest.IsZero() || r.Start.Before(oldest) {
				oldest = r.Start
			}
		}
		t.began = oldest
	}
	return nil
}

// due says whether there is anything to bill of a month: what is owed whether used or not, or what
// was used. Where nothing is agreed there may be something to close, if anything was billed before.
func (t *Tenants) due(ctx context.Context, id, month string, billed bool) (bool, error) {
	c := t.contracts[id]
	stretches, err := c.Month(month)
	if err != nil {
		return false, err
	}
	if len(stretches) == 0 {
		t.mu.Lock()
		defer t.mu.Unlock()
		return billed && after(month, 1) == t.month(id) && t.told["closing/"+id] != month, nil
	}
	if owed, err := c.Owed(month); err != nil || owed > 0 {
		return err == nil, err
	}
	p, err := invoice.PeriodOf(month, c.Location())
	if err != nil {
		return false, err
	}
	for _, err := range t.record.Rows(ctx, usage.Question{Tenant: id, From: p.From, To: p.To}) {
		return err == nil, err
	}
	return false, nil
}

// whole says whether a month's last interval is attributed: those just before midnight close some
// minutes after it, and what came after the invoice would be a correction.
func (t *Tenants) whole(id, month string) bool {
	p, err := invoice.PeriodOf(month, t.contracts[id].Location())
	t.closing.Lock()
	defer t.closing.Unlock()
	return err == nil && !t.last.Add(telemetry.Length).Before(p.To)
}

func monthOf(d contract.Date) string {
	return time.Date(d.Year, d.Month, 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
}

// after is the month so many after a month such as "2026-10".
func after(month string, n int) string {
	first, err := time.Parse("2006-01", month)
	if err != nil {
		return month
	}
	return first.AddDate(0, n, 0).Format("2006-01")
}
