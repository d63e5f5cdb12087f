package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Tx is a transaction under way. It belongs to the function it was given to.
type Tx struct {
	ctx context.Context
	tx  *sql.Tx
	dir string
}

// Exec runs a statement and returns the number of rows it changed.
func (t *Tx) Exec(query string, args ...any) (int64, error) {
	res, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, named(err, t.dir)
	}
	return res.RowsAffected()
}

// Query runs a query; the caller closes the rows.
func (t *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	return rows, named(err, t.dir)
}

// QueryRow runs a query of at most one row; sql.ErrNoRows comes from Scan.
func (t *Tx) QueryRow(query string, args ...any) *sql.Row {
	return t.tx.QueryRowContext(t.ctx, query, args...)
}

// Prepare prepares a statement that lives as long as the transaction.
func (t *Tx) Prepare(query string) (*sql.Stmt, error) {
	s, err := t.tx.PrepareContext(t.ctx, query)
	return s, named(err, t.dir)
}

// Tx runs fn in a writing transaction: all of it happens or nothing. While the database is
// busy it is tried again, a few times with growing pauses, so fn must be safe to run more
// than once. It waits for other writers. A full disk gives ErrFull and changes nothing.
func (db *DB) Tx(ctx context.Context, fn func(*Tx) error) error {
	if db.w == nil {
		return errors.New("write to store: it is open for reading only")
	}
	pause := 20 * time.Millisecond
	for try := 1; ; try++ {
		err := named(run(ctx, db.w, db.dir, nil, fn), db.dir)
		if err == nil || try == attempts || !busy(err) {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("%w; last: %w", ctx.Err(), err)
		}
		pause *= 2
	}
}

// View runs fn on one unchanging picture of the store, beside the writer.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	return named(run(ctx, db.r, db.dir, &sql.TxOptions{ReadOnly: true}, fn), db.dir)
}

func run(ctx context.Context, d *sql.DB, dir string, opts *sql.TxOptions, fn func(*Tx) error) (err error) {
	tx, err := d.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	defer func() {
		// After a commit this is a no-op; after a panic in fn it frees the connection.
		if e := tx.Rollback(); e != nil && !errors.Is(e, sql.ErrTxDone) && err == nil {
			err = fmt.Errorf("roll back: %w", e)
		}
	}()
	if err := fn(&Tx{ctx: ctx, tx: tx, dir: dir}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
