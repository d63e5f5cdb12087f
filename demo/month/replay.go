package month

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"switchyard/billing/invoice"
	"switchyard/billing/invoice/source"
	"switchyard/billing/usage"
	"switchyard/store"
)

// Replay does all of the month once more, in a controller that was started anew: it settles and
// attributes every interval, puts every row and issues every invoice. It blocks on the disk.
func (r *Result) Replay(ctx context.Context) error {
	b := r.b
	if err := b.db.Close(); err != nil {
		return err
	}
	if err := b.open(ctx); err != nil {
		return err
	}
	if err := b.book.Settle(ctx, b.settled, nil); err != nil {
		return err
	}
	if err := b.tenants.Close(ctx, b.closed(b.settled)); err != nil {
		return err
	}
	record := usage.OpenReader(b.db)
	var rows []usage.Row
	for row, err := range record.Rows(ctx, usage.Question{From: r.From, To: r.To}) {
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	if changed, err := record.Put(ctx, rows, usage.Balance{}); err != nil || changed != 0 {
		return fmt.Errorf("put the rows again: %d changed: %w", changed, err)
	}
	b.tenants.Issue(ctx)
	return nil
}

// Fingerprint tells how many rows each table of the books has and where the chains of ledger and
// invoices end: what changes nothing leaves it as it is. It blocks on the disk.
func (r *Result) Fingerprint(ctx context.Context) (string, error) {
	var out strings.Builder
	n, end, err := r.b.ledger.Verify(ctx)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&out, "ledger %d %s\n", n, hex.EncodeToString(end))
	if n, end, err = invoice.OpenReader(r.b.db).Verify(ctx); err != nil {
		return "", err
	}
	fmt.Fprintf(&out, "invoices %d %s\n", n, hex.EncodeToString(end))
	digest, n, err := usage.Digest(usage.OpenReader(r.b.db).Rows(ctx, usage.Question{From: r.From, To: r.To, Revisions: true}))
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&out, "rows %d %s\n", n, digest)
	err = r.b.db.View(ctx, func(t *store.Tx) error {
		for _, table := range []string{
			"billing_interval", "billing_close", "billing_use", "ledger_tx", "ledger_line", "usage_row", "usage_balance", "usage_event", "usage_name", "invoice_document",
		} {
			if err := t.QueryRow("SELECT COUNT(*) FROM " + table).Scan(&n); err != nil {
				return err
			}
			fmt.Fprintln(&out, table, n)
		}
		return nil
	})
	return out.String(), err
}

// Issue issues the invoice of a tenant's month at site time now, as the command does. It blocks
// on the disk.
func (r *Result) Issue(ctx context.Context, tenant, month string, now time.Time) (inv invoice.Invoice, fresh bool, err error) {
	issuer, err := invoice.Open(ctx, r.b.db, r.b.ledger)
	if err != nil {
		return inv, false, err
	}
	months, err := source.New(r.b.db, r.b.f, func() time.Time { return now }, nil)
	if err != nil {
		return inv, false, err
	}
	return issuer.Issue(ctx, months, tenant, month, now)
}
