package tenants

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"switchyard/api"
	"switchyard/billing/invoice"
	"switchyard/billing/invoice/paper"
	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

// Bills are the tenants' answers from the disk: what was measured of them and what they were billed.
type Bills struct{ *Tenants }

// maxSpan bounds what one question for usage covers.
const maxSpan = 32 * 24 * time.Hour

// Usage returns the metered intervals within [From, To).
func (b Bills) Usage(ctx context.Context, r api.UsageRequest) (api.UsageView, error) {
	if _, err := b.find(r.Tenant); err != nil {
		return api.UsageView{}, err
	}
	if !r.From.Before(r.To) || r.To.Sub(r.From) > maxSpan {
		return api.UsageView{}, fmt.Errorf("%w: ask for a span of at most %d days, from before to", api.ErrInvalid, int(maxSpan.Hours()/24))
	}
	v := api.UsageView{Tenant: r.Tenant, From: r.From, To: r.To, LengthS: telemetry.Length.Seconds(), Rows: []api.UsageRow{}}
	var rows []usage.Row
	for row, err := range b.record.Rows(ctx, usage.Question{Tenant: r.Tenant, From: r.From, To: r.To}) {
		if err != nil {
			return v, err
		}
		if row.Quality == site.Missing {
			v.Missing++
		}
		rows = append(rows, row)
		v.Rows = append(v.Rows, rowOf(row))
	}
	v.SHA256 = invoice.HashRows(rows)
	return v, nil
}

func rowOf(r usage.Row) api.UsageRow {
	v := api.UsageRow{
		Start: r.Start, CriticalKWh: r.Critical.MegawattHours() * 1e3, BilledKWh: r.Billed.MegawattHours() * 1e3, Quality: r.Quality.String(),
		WantedKWh: r.Wanted.MegawattHours() * 1e3, ShortKWh: r.Short.MegawattHours() * 1e3, DownS: r.Down.Seconds(), ReducedS: r.Reduced.Seconds(),
		PeakW: r.Peak.Watts(), GPUs: []api.UsageGPU{}, Revision: r.Revision, Evidence: slices.Clone(r.Evidence),
	}
	if v.Evidence == nil {
		v.Evidence = []string{}
	}
	if r.Cost.OK {
		d := r.Cost.V.Dollars()
		v.CostUSD = &d
	}
	for _, g := range r.GPUs {
		v.GPUs = append(v.GPUs, api.UsageGPU{Model: g.Model, Sale: string(g.How), UsedH: g.Used.Hours(), HeldH: g.Held.Hours()})
	}
	return v
}

// month is the month that runs, in the tenant's zone.
func (t *Tenants) month(id string) string {
	zone := t.opt.Plant.Zone
	if c := t.contracts[id]; c != nil {
		zone = c.Location()
	}
	return t.opt.Clock.Now().In(zone).Format("2006-01")
}

// Invoices returns a tenant's invoices, newest first, the running month's draft before them.
func (b Bills) Invoices(ctx context.Context, id string) ([]api.InvoiceView, error) {
	if _, err := b.find(id); err != nil {
		return nil, err
	}
	out := []api.InvoiceView{}
	if b.contracts[id] == nil {
		return out, nil
	}
	if inv, err := b.issuer.Draft(ctx, b.months, id, b.month(id), b.opt.Clock.Now()); err == nil {
		out = append(out, api.InvoiceView{Number: "draft", Month: inv.Period.Month, TotalUSD: inv.Total.Dollars(), Draft: true, Lines: len(inv.Lines)})
	} else {
		b.tell("draft/"+id, "no draft of an invoice can be made", id, err)
	}
	all, err := b.issuer.List(ctx, id, 600)
	if err != nil {
		return nil, err
	}
	for _, h := range all {
		inv, err := b.issuer.Get(ctx, h.Number)
		if err != nil {
			return nil, err
		}
		out = append(out, api.InvoiceView{Number: inv.Number, Month: inv.Period.Month, Issued: &inv.Issued, Due: &inv.Due, TotalUSD: inv.Total.Dollars(), Lines: len(inv.Lines)})
	}
	return out, nil
}

// Invoice returns one as a document.
func (b Bills) Invoice(ctx context.Context, id, number, format string) (api.Document, error) {
	if _, err := b.find(id); err != nil {
		return api.Document{}, err
	}
	var inv invoice.Invoice
	var err error
	if number == "draft" {
		if b.contracts[id] == nil {
			return api.Document{}, fmt.Errorf("tenant %s has no contract file: %w", id, api.ErrNotFound)
		}
		inv, err = b.issuer.Draft(ctx, b.months, id, b.month(id), b.opt.Clock.Now())
	} else {
		inv, err = b.issuer.Get(ctx, number)
	}
	if errors.Is(err, invoice.ErrNotFound) || err == nil && inv.Tenant != id { // another's is as if it were not
		return api.Document{}, fmt.Errorf("invoice %q: %w", number, api.ErrNotFound)
	}
	for _, known := range []error{invoice.ErrNoRate, invoice.ErrNoContract, invoice.ErrNoRows, invoice.ErrNoTerms} {
		if errors.Is(err, known) {
			return api.Document{}, fmt.Errorf("%w: %w", api.ErrUnavailable, err)
		}
	}
	if err != nil {
		return api.Document{}, err
	}
	return document(inv, number, format)
}

func document(inv invoice.Invoice, number, format string) (api.Document, error) {
	name := inv.Tenant + "-" + inv.Period.Month + "-" + number + "." + format
	var out bytes.Buffer
	switch format {
	case "json":
		err := invoice.WriteJSON(&out, inv)
		return api.Document{Type: "application/json", Name: name, Body: out.Bytes()}, err
	case "csv":
		err := invoice.WriteCSV(&out, inv)
		return api.Document{Type: "text/csv; charset=utf-8", Name: name, Body: out.Bytes()}, err
	case "pdf":
		body, err := paper.PDF(inv, paper.Auto)
		return api.Document{Type: "application/pdf", Name: name, Body: body}, err
	}
	return api.Document{}, fmt.Errorf("%w: %q is no format; it can be json, csv or pdf", api.ErrInvalid, format)
}

// tell logs why something of a tenant is not to be had, once until the reason is another.
func (t *Tenants) tell(key, what, tenant string, err error) {
	if t.fresh(key, err.Error()) {
		t.opt.Log.Warn(what, "tenant", tenant, "reason", err.Error())
	}
}

// fresh notes what was told last of something, and says whether it is another than before.
func (t *Tenants) fresh(key, what string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	told, ok := t.told[key]
	t.told[key] = what
	return !ok || told != what
}

// Announce keeps a maintenance that is told ahead, or a curtailment that a tenant consented to.
// Nobody can tell of it later that it was told earlier.
func (b Bills) Announce(ctx context.Context, who, id string, r api.Announcement) (api.TenantEvent, error) {
	if _, err := b.find(id); err != nil {
		return api.TenantEvent{}, err
	}
	now := b.opt.Clock.Now().UTC().Truncate(time.Second)
	e := usage.Event{
		Tenant: id, Kind: usage.EventKind(r.Kind), From: r.From.UTC(), To: r.To.UTC(), Power: unit.Watts(r.PowerW), Why: r.Why, Consented: r.Consent,
		Ref: "by " + who + " at " + now.Format(time.RFC3339),
	}
	switch {
	case !r.From.Before(r.To):
		return api.TenantEvent{}, fmt.Errorf("%w: it must begin before it ends", api.ErrInvalid)
	case r.To.Sub(r.From) > maxSpan:
		return api.TenantEvent{}, fmt.Errorf("%w: it lasts more than a month; write it month by month", api.ErrInvalid)
	case e.Kind == usage.Curtailment && r.Consent == "":
		return api.TenantEvent{}, fmt.Errorf("%w: name the right or the consent that the curtailment rests on, in consent", api.ErrInvalid)
	case e.Kind == usage.Maintenance && r.Announced.After(now):
		return api.TenantEvent{}, fmt.Errorf("%w: it cannot have been announced in the future", api.ErrInvalid)
	case e.Kind == usage.Maintenance && !r.Announced.IsZero() && r.Announced.Before(now.Add(-backdate)):
		return api.TenantEvent{}, fmt.Errorf("%w: write it down within a day of announcing it; the record counts the announcement from when it was kept", api.ErrInvalid)
	}
	if e.Kind == usage.Maintenance {
		if e.Announced = now; !r.Announced.IsZero() {
			e.Announced = r.Announced.UTC()
		}
	}
	if _, err := b.record.PutEvents(ctx, []usage.Event{e}); err != nil {
		return api.TenantEvent{}, fmt.Errorf("%w: keep the announcement: %w", api.ErrUnavailable, err)
	}
	return viewOf(e), nil
}

// backdate is how long after it was announced a maintenance may be written down.
const backdate = 24 * time.Hour
