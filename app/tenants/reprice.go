package tenants

import (
	"context"
	"fmt"
	"slices"
	"time"

	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"
)

const (
	// priceWait is how long an interval may wait for its price and still be priced: the running
	// month and the one before, whose invoices wait with it.
	priceWait   = 62 * 24 * time.Hour
	maxUnpriced = int(priceWait / telemetry.Length)
)

// Prices says what a MWh cost in the interval from start, as it was posted. It may block on the disk.
type Prices func(ctx context.Context, start time.Time) (site.Opt[unit.Price], error)

// findUnpriced takes up from the record what waited for a price when the last run stopped.
func (t *Tenants) findUnpriced(ctx context.Context) (err error) {
	now := t.opt.Clock.Now()
	t.unpriced, err = t.record.Unpriced(ctx, now.Add(-priceWait), now, maxUnpriced)
	return err
}

// noteUnpriced remembers which of the intervals just written wait for a price. Beyond
// maxUnpriced the oldest go: their rows stay as they are, and their month's invoice says so.
func (t *Tenants) noteUnpriced(outs []usage.Out) {
	for _, o := range outs {
		if slices.ContainsFunc(o.Rows, func(r usage.Row) bool { return !r.Cost.OK }) {
			t.unpriced = append(t.unpriced, o.Balance.Start)
		}
	}
	if n := len(t.unpriced) - maxUnpriced; n > 0 {
		t.opt.Log.Error("intervals of tenants stay without a cost: their prices never came", "reason", fmt.Sprint(n, " of them"))
		t.unpriced = t.unpriced[n:]
	}
}

// Reprice gives rows whose interval has its price by now their cost, those of at most limit
// intervals, oldest first, and returns how many intervals no longer wait. A row's cost comes as a revision in
// which nothing else changes. A month that is billed by what power cost is not issued before its
// intervals have their prices, so that this is a first pricing and never a correction; other months
// bill nothing by it. It blocks on the disk.
func (t *Tenants) Reprice(ctx context.Context, limit int, lookup Prices) (done int, err error) {
	t.closing.Lock()
	defer t.closing.Unlock()
	var rows []usage.Row
	left := make([]time.Time, 0, len(t.unpriced))
	for i, start := range t.unpriced {
		if done >= limit {
			left = append(left, t.unpriced[i:]...)
			break
		}
		price, err := lookup(ctx, start)
		if err != nil {
			return 0, err
		}
		if !price.OK {
			left = append(left, start)
			continue
		}
		if rows, err = t.priced(ctx, start, price.V, rows); err != nil {
			return 0, err
		}
		done++
	}
	if len(rows) > 0 {
		err := t.opt.DB.Tx(ctx, func(tx *store.Tx) error {
			_, err := usage.PutIn(tx, rows, usage.Balance{})
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("price what tenants used: %w", err)
		}
	}
	t.unpriced = left
	return done, nil
}

// priced appends the interval's rows that have no cost yet, with it.
func (t *Tenants) priced(ctx context.Context, start time.Time, price unit.Price, out []usage.Row) ([]usage.Row, error) {
	for r, err := range t.record.Rows(ctx, usage.Question{From: start, To: start.Add(telemetry.Length)}) {
		if err != nil {
			return nil, err
		}
		if !r.Cost.OK {
			r.Cost = site.Some(price.Cost(r.Billed))
			out = append(out, r)
		}
	}
	return out, nil
}
