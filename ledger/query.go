package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math"
	"time"

	"switchyard/store"
	"switchyard/unit"
)

// Sum is what an account, or several, come to.
type Sum struct {
	Amount unit.Money // debit positive
	Energy unit.Energy
	Lines  int
}

// where bounds a query by account prefix (whole parts: "expense:energy" holds
// "expense:energy:x" and not "expense:energyx"; empty holds all) and by time.
func where(prefix string, from, to time.Time) (string, []any) {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if !from.IsZero() {
		lo = from.Unix()
	}
	if !to.IsZero() {
		hi = to.Unix()
	}
	if prefix == "" {
		return "at >= ? AND at < ?", []any{lo, hi}
	}
	// ';' follows ':' in byte order.
	return "(account = ? OR (account >= ? AND account < ?)) AND at >= ? AND at < ?", []any{prefix, prefix + ":", prefix + ";", lo, hi}
}

// Balance sums the accounts at and below prefix over [from, to); a zero time is no bound.
func (l *Ledger) Balance(ctx context.Context, prefix string, from, to time.Time) (Sum, error) {
	var s Sum
	cond, args := where(prefix, from, to)
	err := l.db.View(ctx, func(t *store.Tx) error {
		return t.QueryRow("SELECT COALESCE(SUM(amount), 0), COALESCE(SUM(energy), 0), COUNT(*) FROM ledger_line WHERE "+cond, args...).
			Scan((*int64)(&s.Amount), (*int64)(&s.Energy), &s.Lines)
	})
	if err != nil {
		return Sum{}, fmt.Errorf("balance of %s: %w", prefix, err)
	}
	return s, nil
}

// Sums returns the sum of each account at or below prefix over [from, to); a zero time is no bound.
func (l *Ledger) Sums(ctx context.Context, prefix string, from, to time.Time) (map[string]Sum, error) {
	var out map[string]Sum
	err := l.db.View(ctx, func(t *store.Tx) (err error) {
		out, err = SumsIn(t, prefix, from, to)
		return err
	})
	return out, err
}

// SumsIn is Sums as part of a view that reads more.
func SumsIn(t *store.Tx, prefix string, from, to time.Time) (map[string]Sum, error) {
	cond, args := where(prefix, from, to)
	rows, err := t.Query("SELECT account, SUM(amount), SUM(energy), COUNT(*) FROM ledger_line WHERE "+cond+" GROUP BY account", args...)
	if err != nil {
		return nil, fmt.Errorf("sums of %s: %w", prefix, err)
	}
	defer func() { _ = rows.Close() }()
	out := map[string]Sum{}
	for rows.Next() {
		var name string
		var s Sum
		if err := rows.Scan(&name, (*int64)(&s.Amount), (*int64)(&s.Energy), &s.Lines); err != nil {
			return nil, fmt.Errorf("sums of %s: %w", prefix, err)
		}
		out[name] = s
	}
	return out, rows.Err()
}

// Transactions returns the transactions of [from, to), oldest first, at most limit.
func (l *Ledger) Transactions(ctx context.Context, from, to time.Time, limit int) ([]Transaction, error) {
	var out []Transaction
	_, args := where("", from, to)
	err := l.db.View(ctx, func(t *store.Tx) error {
		out = out[:0]
		return each(t, "WHERE x.seq IN (SELECT seq FROM ledger_tx WHERE at >= ? AND at < ? ORDER BY at, seq LIMIT ?) ORDER BY x.at, x.seq, l.n",
			append(args, limit), func(_ int64, tx Transaction, _, _ []byte) error {
				out = append(out, tx)
				return nil
			})
	})
	if err != nil {
		return nil, fmt.Errorf("read transactions: %w", err)
	}
	return out, nil
}

// Verify reads the whole book: every transaction balances, is what was posted, and stands
// in its place in the chain. It returns the number of transactions and the chain's end,
// which is worth keeping elsewhere.
func (l *Ledger) Verify(ctx context.Context) (n int, end []byte, err error) {
	err = l.db.View(ctx, func(t *store.Tx) error {
		n, end = 0, make([]byte, sha256.Size)
		return each(t, "ORDER BY x.seq, l.n", nil, func(seq int64, tx Transaction, digest, chain []byte) error {
			n++
			if err := tx.check(); err != nil {
				return fmt.Errorf("transaction %s: %w: %w", tx.Key, ErrTampered, err)
			}
			end = link(end, digest)
			if seq != int64(n) || !bytes.Equal(digest, tx.digest()) || !bytes.Equal(chain, end) {
				return fmt.Errorf("transaction %s, number %d: %w", tx.Key, seq, ErrTampered)
			}
			return nil
		})
	})
	if err != nil {
		return n, nil, fmt.Errorf("verify ledger: %w", err)
	}
	return n, end, nil
}

// each calls fn for every transaction that the clause selects and orders.
func each(t *store.Tx, clause string, args []any, fn func(seq int64, tx Transaction, digest, chain []byte) error) error {
	rows, err := t.Query(`SELECT x.seq, x.ident, x.at, x.memo, x.digest, x.chain, l.at, l.account, l.amount, l.energy
		FROM ledger_tx x LEFT JOIN ledger_line l ON l.seq = x.seq `+clause, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var tx Transaction
	var digest, chain []byte
	current := int64(-1)
	for rows.Next() {
		var seq, at int64
		var key, memo string
		var d, c []byte
		var lineAt, amount, energy sql.NullInt64
		var name sql.NullString
		if err := rows.Scan(&seq, &key, &at, &memo, &d, &c, &lineAt, &name, &amount, &energy); err != nil {
			return err
		}
		if seq != current {
			if current >= 0 {
				if err := fn(current, tx, digest, chain); err != nil {
					return err
				}
			}
			current, digest, chain = seq, d, c
			tx = Transaction{Key: key, At: time.Unix(at, 0).UTC(), Memo: memo}
		}
		if lineAt.Valid && lineAt.Int64 != at {
			return fmt.Errorf("transaction %s: a line has another time: %w", key, ErrTampered)
		}
		if name.Valid {
			tx.Lines = append(tx.Lines, Line{name.String, unit.Money(amount.Int64), unit.Energy(energy.Int64)})
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if current >= 0 {
		return fn(current, tx, digest, chain)
	}
	return nil
}
