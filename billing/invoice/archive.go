package invoice

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"switchyard/store"
	"switchyard/unit"
)

// The errors that callers act on.
var (
	// ErrNotFound: there is no invoice of that number, or of that tenant and month.
	ErrNotFound = errors.New("there is no such invoice")
	// ErrTampered: what is stored is not what was issued.
	ErrTampered = errors.New("an issued invoice was changed behind our back")
)

// Archive reads what was issued. It is safe for concurrent use; calls block on the disk.
type Archive struct {
	db *store.DB
}

// OpenReader opens the invoices of a store that another process may be writing. A store in
// which nothing was ever issued is read as one without invoices.
func OpenReader(db *store.DB) *Archive { return &Archive{db: db} }

// Get returns the invoice of a number such as "2026-000017", or ErrNotFound.
func (a *Archive) Get(ctx context.Context, number string) (Invoice, error) {
	list, err := a.read(ctx, "WHERE number = ?", number)
	if err != nil {
		return Invoice{}, fmt.Errorf("read invoice %s: %w", number, err)
	}
	if len(list) == 0 {
		return Invoice{}, fmt.Errorf("invoice %s: %w", number, ErrNotFound)
	}
	return list[0], nil
}

// Of returns the invoice of a tenant and a month, or ErrNotFound.
func (a *Archive) Of(ctx context.Context, tenant, month string) (Invoice, error) {
	list, err := a.read(ctx, "WHERE tenant = ? AND month = ?", tenant, month)
	if err != nil {
		return Invoice{}, fmt.Errorf("read the invoice of %s for %s: %w", tenant, month, err)
	}
	if len(list) == 0 {
		return Invoice{}, fmt.Errorf("of %s for %s: %w", tenant, month, ErrNotFound)
	}
	return list[0], nil
}

// Heading is an issued invoice in a list.
type Heading struct {
	Number, Tenant, Month string
	Issued                int64 // site time, Unix seconds
	Total                 unit.Money
}

// List returns the headings of what was issued to a tenant, the newest first, at most limit;
// an empty tenant means all.
func (a *Archive) List(ctx context.Context, tenant string, limit int) ([]Heading, error) {
	var out []Heading
	err := a.view(ctx, func(t *store.Tx) error {
		out = nil
		rows, err := t.Query("SELECT number, tenant, month, issued, total FROM invoice_document WHERE ? = '' OR tenant = ? ORDER BY seq DESC LIMIT ?", tenant, tenant, limit)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var h Heading
			if err := rows.Scan(&h.Number, &h.Tenant, &h.Month, &h.Issued, (*int64)(&h.Total)); err != nil {
				return err
			}
			out = append(out, h)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("list invoices: %w", err)
	}
	return out, nil
}

// Verify reads every invoice: each is what was issued, stands in its place in the chain, sums
// up to its total, and no number is missing. It returns how many there are and the chain's
// end, which is worth keeping elsewhere.
func (a *Archive) Verify(ctx context.Context) (n int, end []byte, err error) {
	err = a.view(ctx, func(t *store.Tx) error {
		n, end = 0, make([]byte, sha256.Size)
		inYear := map[int64]int64{}
		return each(t, "ORDER BY seq", nil, func(r record) error {
			n++
			inYear[r.year]++
			digest := sha256.Sum256(r.document)
			end = link256(end, digest[:])
			inv, err := Read(r.document)
			if err != nil {
				return fmt.Errorf("invoice %s: %w: %w", r.number, ErrTampered, err)
			}
			var sum unit.Money
			for _, l := range inv.Lines {
				sum += l.Billed()
			}
			if r.seq != int64(n) || r.n != inYear[r.year] || r.number != numberOf(r.year, r.n) || inv.Number != r.number || sum != inv.Total ||
				inv.Total != r.total || inv.Tenant != r.tenant || inv.Period.Month != r.month ||
				!bytes.Equal(digest[:], r.digest) || !bytes.Equal(end, r.chain) {
				return fmt.Errorf("invoice %s, the %dth: %w", r.number, n, ErrTampered)
			}
			return nil
		})
	})
	if err != nil {
		return n, nil, fmt.Errorf("verify invoices: %w", err)
	}
	return n, end, nil
}

func numberOf(year, n int64) string { return fmt.Sprintf("%04d-%06d", year, n) }

func link256(chain, digest []byte) []byte {
	sum := sha256.Sum256(append(append([]byte(nil), chain...), digest...))
	return sum[:]
}

// view reads; a store without our tables holds nothing.
func (a *Archive) view(ctx context.Context, fn func(*store.Tx) error) error {
	err := a.db.View(ctx, fn)
	if err != nil && strings.Contains(err.Error(), "no such table: invoice_document") {
		return nil
	}
	return err
}

func (a *Archive) read(ctx context.Context, clause string, args ...any) (out []Invoice, err error) {
	err = a.view(ctx, func(t *store.Tx) (err error) {
		out, err = documents(t, clause, args...)
		return err
	})
	return out, err
}

func documents(t *store.Tx, clause string, args ...any) ([]Invoice, error) {
	var out []Invoice
	err := each(t, clause, args, func(r record) error {
		inv, err := Read(r.document)
		out = append(out, inv)
		return err
	})
	return out, err
}

// record is an invoice as it is stored.
type record struct {
	seq, year, n            int64
	number, tenant, month   string
	total                   unit.Money
	document, digest, chain []byte
}

func each(t *store.Tx, clause string, args []any, fn func(record) error) error {
	rows, err := t.Query("SELECT seq, number, year, n, tenant, month, total, document, digest, chain FROM invoice_document "+clause, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var r record
		if err := rows.Scan(&r.seq, &r.number, &r.year, &r.n, &r.tenant, &r.month, (*int64)(&r.total), &r.document, &r.digest, &r.chain); err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// tip returns the last invoice's place and chain.
func tip(t *store.Tx) (seq int64, chain []byte, err error) {
	err = t.QueryRow("SELECT seq, chain FROM invoice_document ORDER BY seq DESC LIMIT 1").Scan(&seq, &chain)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, make([]byte, sha256.Size), nil
	}
	return seq, chain, err
}
