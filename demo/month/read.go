package month

import (
	"context"
	"fmt"
	"time"

	"switchyard/billing/invoice"
	"switchyard/billing/usage"
	"switchyard/site"
)

// read gathers what the books have of the month, and what was.
func (r *Result) read(ctx context.Context) error {
	b := r.b
	record := usage.OpenReader(b.db)
	list, err := record.Balances(ctx, r.From, r.To)
	if err != nil {
		return err
	}
	for _, x := range list {
		t := &r.Balance
		t.Meter += x.Meter
		t.Tenants += x.Tenants
		t.Mining += x.Mining
		t.House += x.House
		t.Remainder += x.Remainder
		t.TenantLoad += x.TenantLoad
		t.MiningLoad += x.MiningLoad
		t.HouseLoad += x.HouseLoad
		t.Losses += x.Losses
	}
	r.Rows = map[string]Used{}
	for row, err := range record.Rows(ctx, usage.Question{From: r.From, To: r.To}) {
		if err != nil {
			return err
		}
		u := r.Rows[row.Tenant]
		u.add(row)
		r.Rows[row.Tenant] = u
	}
	pending, err := b.book.Pending(ctx, time.Time{}, time.Time{})
	if err != nil {
		return err
	}
	r.Pending = len(pending)
	r.Peak = b.w.peak
	r.Truth, r.GPUs = map[string]Truth{}, map[string]GPUHours{}
	for id, t := range b.w.truth {
		r.Truth[id] = *t
	}
	for _, id := range []string{serve, lab} {
		r.GPUs[id] = b.w.engine.hours(id, span{r.From, r.To}, b.w.now)
	}
	return r.readInvoices(ctx)
}

// readInvoices gathers what was issued for the month.
func (r *Result) readInvoices(ctx context.Context) error {
	r.Invoices = map[string]invoice.Invoice{}
	archive := invoice.OpenReader(r.b.db)
	all, err := archive.List(ctx, "", 1000)
	if err != nil {
		return err
	}
	for _, h := range all {
		if h.Month != r.Month {
			continue
		}
		inv, err := archive.Get(ctx, h.Number)
		if err != nil {
			return fmt.Errorf("read what was issued: %w", err)
		}
		r.Invoices[h.Tenant] = inv
	}
	return nil
}

func (u *Used) add(r usage.Row) {
	u.Rows++
	switch r.Quality {
	case site.Estimated:
		u.Estimated++
	case site.Missing:
		u.Missing++
	}
	if !r.Cost.OK {
		u.Unpriced++
	}
	u.Critical += r.Critical
	u.Losses += r.Losses
	u.House += r.House
	u.Billed += r.Billed
	u.Cost += r.Cost.V
	u.Down += r.Down
	u.Reduced += r.Reduced
	u.Peak = max(u.Peak, r.Peak)
	for _, g := range r.GPUs {
		switch g.How {
		case usage.Reserved:
			u.GPUs.Reserved += g.Used.Hours()
		case usage.OnDemand:
			u.GPUs.OnDemand += g.Used.Hours()
		case usage.Interruptible:
			u.GPUs.Interruptible += g.Used.Hours()
		}
	}
}
