// Package ledger owns the double-entry book: transactions whose lines sum to zero, posted
// once each under their own key, never changed, and chained by hashes so that a change
// behind its back shows.
//
// It never knows what an account means, never rounds, and never corrects: a correction is
// a transaction of its own.
//
// Signs: a debit is positive (assets and expenses grow), a credit negative (income and
// liabilities grow). Income of $5 is therefore -$5 on its account and +$5 on an asset.
//
// Concurrency: a Ledger is safe for concurrent use; postings take turns. Every call blocks
// on the disk and honours its context.
package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"time"

	"switchyard/store"
	"switchyard/unit"
)

//go:embed migrations/*.sql
var migrations embed.FS

// The errors that callers act on.
var (
	// ErrConflict: the key is taken by a transaction of other content.
	ErrConflict = errors.New("posted before with other content")
	// ErrUnbalanced: the lines do not sum to zero.
	ErrUnbalanced = errors.New("the lines do not sum to zero")
	// ErrTampered: what is stored is not what was posted.
	ErrTampered = errors.New("the ledger was changed behind its back")
)

const (
	maxLines = 10_000
	maxText  = 1_000
)

// Line is one side of a transaction.
type Line struct {
	// Account is a path such as "expense:energy:hall:a": parts of letters, digits, "-", "_", "." and "/".
	Account string
	Amount  unit.Money  // debit positive, credit negative
	Energy  unit.Energy // that the amount is for; zero if it is for none
}

// Transaction is one posting.
type Transaction struct {
	Key   string    // says what it is, once and for ever, such as "energy/connection/2026-01-31T00:05:00Z"
	At    time.Time // what it belongs to (an interval's start), whole seconds of site time
	Memo  string
	Lines []Line
}

// Ledger is an open book.
type Ledger struct {
	db *store.DB
}

// Open opens the book in db.
func Open(ctx context.Context, db *store.DB) (*Ledger, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	if err := db.Migrate(ctx, "ledger", sub); err != nil {
		return nil, err
	}
	return &Ledger{db: db}, nil
}

// OpenReader opens the book of a store that another process may be writing: Post fails.
func OpenReader(db *store.DB) *Ledger { return &Ledger{db: db} }

// Post posts all of the transactions or none. One that is there already with the same
// content is passed over; with other content it is ErrConflict. It returns how many were new.
func (l *Ledger) Post(ctx context.Context, txs []Transaction) (posted int, err error) {
	err = l.db.Tx(ctx, func(t *store.Tx) (err error) {
		posted, err = PostIn(t, txs)
		return err
	})
	return posted, err
}

// PostIn is Post as part of a transaction that does more, such as keeping the intervals
// that the postings come from.
func PostIn(t *store.Tx, txs []Transaction) (posted int, err error) {
	if len(txs) == 0 {
		return 0, nil
	}
	seq, chain, err := tip(t)
	if err != nil {
		return 0, fmt.Errorf("post: %w", err)
	}
	for _, tx := range txs {
		if err := tx.check(); err != nil {
			return 0, fmt.Errorf("post %s: %w", tx.Key, err)
		}
		digest := tx.digest()
		var have []byte
		switch err := t.QueryRow("SELECT digest FROM ledger_tx WHERE ident = ?", tx.Key).Scan(&have); {
		case err == nil && string(have) == string(digest):
			continue
		case err == nil:
			return 0, fmt.Errorf("post %s: %w", tx.Key, ErrConflict)
		case !errors.Is(err, sql.ErrNoRows):
			return 0, fmt.Errorf("post %s: %w", tx.Key, err)
		}
		seq++
		chain = link(chain, digest)
		if err := insert(t, seq, tx, digest, chain); err != nil {
			return 0, fmt.Errorf("post %s: %w", tx.Key, err)
		}
		posted++
	}
	return posted, nil
}

func insert(t *store.Tx, seq int64, tx Transaction, digest, chain []byte) error {
	at := tx.At.Unix()
	if _, err := t.Exec("INSERT INTO ledger_tx (seq, ident, at, memo, digest, chain) VALUES (?, ?, ?, ?, ?, ?)",
		seq, tx.Key, at, tx.Memo, digest, chain); err != nil {
		return err
	}
	for n, line := range tx.Lines {
		if _, err := t.Exec("INSERT INTO ledger_line (seq, n, at, account, amount, energy) VALUES (?, ?, ?, ?, ?, ?)",
			seq, n, at, line.Account, int64(line.Amount), int64(line.Energy)); err != nil {
			return err
		}
	}
	return nil
}

// tip returns the last transaction's number and chain.
func tip(t *store.Tx) (seq int64, chain []byte, err error) {
	err = t.QueryRow("SELECT seq, chain FROM ledger_tx ORDER BY seq DESC LIMIT 1").Scan(&seq, &chain)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, make([]byte, sha256.Size), nil
	}
	return seq, chain, err
}

var account = regexp.MustCompile(`^[A-Za-z0-9_./-]+(:[A-Za-z0-9_./-]+)*$`)

func (tx Transaction) check() error {
	switch {
	case tx.Key == "" || len(tx.Key) > maxText || len(tx.Memo) > maxText:
		return errors.New("the key must have 1 to 1,000 bytes and the memo no more than 1,000")
	case len(tx.Lines) < 2 || len(tx.Lines) > maxLines:
		return fmt.Errorf("%d lines: a transaction has 2 to %d", len(tx.Lines), maxLines)
	case tx.At.Nanosecond() != 0:
		return fmt.Errorf("its time %s is not a whole second", tx.At.UTC().Format(time.RFC3339Nano))
	}
	var sum unit.Money
	for _, line := range tx.Lines {
		if len(line.Account) > maxText || !account.MatchString(line.Account) {
			return fmt.Errorf("account %q is not a path such as \"income:mining:hall-a\"", line.Account)
		}
		// No saturating sum may look balanced.
		if a := int64(line.Amount); a > math.MaxInt64/(2*maxLines) || a < math.MinInt64/(2*maxLines) {
			return fmt.Errorf("account %s: %s is too much for one line", line.Account, line.Amount)
		}
		sum += line.Amount
	}
	if sum != 0 {
		return fmt.Errorf("%w: %d micro-dollars are left over", ErrUnbalanced, int64(sum))
	}
	return nil
}

// digest is the hash of all that was posted, unambiguous by lengths.
func (tx Transaction) digest() []byte {
	var b []byte
	text := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	text(tx.Key)
	text(tx.Memo)
	b = binary.AppendVarint(b, tx.At.Unix())
	b = binary.AppendUvarint(b, uint64(len(tx.Lines)))
	for _, line := range tx.Lines {
		text(line.Account)
		b = binary.AppendVarint(b, int64(line.Amount))
		b = binary.AppendVarint(b, int64(line.Energy))
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

func link(chain, digest []byte) []byte {
	sum := sha256.Sum256(append(append([]byte(nil), chain...), digest...))
	return sum[:]
}
