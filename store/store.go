// Package store owns the controller's database: opening it, the lock that keeps a second
// controller out, migrations (one version table per owner), transactions with a bounded
// retry, the naming of a full disk, and a small table of the controller's own state.
//
// It never knows what the tables of its owners mean and never decides. Statements are
// plain SQL with ? placeholders; what is particular to SQLite stays in this package, so
// that Postgres can stand behind the same calls.
//
// Concurrency: a DB is safe for concurrent use. There is one writer at a time (Tx waits
// for its turn) and any number of readers, which never wait for the writer. Every call
// blocks on the disk and honours its context.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	fileName    = "switchyard.db"
	lockName    = "lock"
	busyTimeout = 5 * time.Second
	readers     = 4
	attempts    = 5
)

// DB is an open store.
type DB struct {
	dir  string
	w, r *sql.DB
	lock *os.File // nil in a store opened for reading only
}

// Open opens the store in dir, making both if they are not there, and takes the folder's
// lock. Another controller on the same folder gives ErrLocked with the holder's pid. The
// lock is the kernel's: it ends with the process, however that ends.
func Open(ctx context.Context, dir string) (*DB, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make store folder %s: %w", dir, named(err, dir))
	}
	lock, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	db, err := connect(ctx, dir, false)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	db.lock = lock
	sub, err := fs.Sub(migrations, "migrations")
	if err == nil {
		err = db.Migrate(ctx, "store", sub)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// OpenReader opens a store for reading only, beside a controller that may be running: it
// takes no lock, migrates nothing, and Tx and PutState fail.
func OpenReader(ctx context.Context, dir string) (*DB, error) {
	if _, err := os.Stat(filepath.Join(dir, fileName)); err != nil {
		return nil, fmt.Errorf("open store %s: no controller has run here yet: %w", dir, err)
	}
	return connect(ctx, dir, true)
}

func connect(ctx context.Context, dir string, readOnly bool) (*DB, error) {
	db := &DB{dir: dir}
	var err error
	if !readOnly {
		if db.w, err = pool(ctx, dir, 1, false); err != nil {
			return nil, err
		}
	}
	if db.r, err = pool(ctx, dir, readers, true); err != nil {
		if db.w != nil {
			err = errors.Join(err, db.w.Close())
		}
		return nil, err
	}
	return db, nil
}

func pool(ctx context.Context, dir string, size int, readOnly bool) (*sql.DB, error) {
	q := url.Values{}
	q.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()))
	q.Add("_pragma", "foreign_keys(1)")
	if readOnly {
		q.Add("_pragma", "query_only(1)")
	} else {
		// FULL: a posted dollar outlives a power cut, for one sync a transaction.
		q.Add("_pragma", "journal_mode(wal)")
		q.Add("_pragma", "synchronous(full)")
		q.Add("_pragma", "cache_size(-16384)") // 16 MiB: a wave of thousands of commands stays in memory
		q.Add("_txlock", "immediate")
	}
	path, err := filepath.Abs(filepath.Join(dir, fileName))
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", dir, named(err, dir)), db.Close())
	}
	return db, nil
}

// Dir returns the store's folder.
func (db *DB) Dir() string { return db.dir }

// Close closes the store and then lets the lock go. No call may be under way.
func (db *DB) Close() error {
	var errs []error
	for _, d := range []*sql.DB{db.r, db.w} {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Close())
	}
	return errors.Join(errs...)
}

// Migrate brings the tables of owner to the newest version in fsys, whose files are named
// "00001_what.sql" and hold goose's "-- +goose Up" and "-- +goose Down". Each owner has
// its own version table. A store written by a newer Switchyard is an error.
func (db *DB) Migrate(ctx context.Context, owner string, fsys fs.FS) error {
	if db.w == nil {
		return fmt.Errorf("migrate %s: the store is open for reading only", owner)
	}
	versions, err := database.NewStore(database.DialectSQLite3, "goose_"+owner)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", owner, err)
	}
	p, err := goose.NewProvider(goose.DialectCustom, db.w, fsys, goose.WithStore(versions),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("migrate %s: %w", owner, err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", owner, named(err, db.dir))
	}
	if have > want {
		return fmt.Errorf("migrate %s: the store %s is at version %d and this program knows %d: use the newer program", owner, db.dir, have, want)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", owner, named(err, db.dir))
	}
	return nil
}

// SetMaxBytes bounds the size of the database file; past it writes fail with ErrFull. It
// is never set below the present size. Zero lifts the bound.
func (db *DB) SetMaxBytes(ctx context.Context, n int64) error {
	if db.w == nil {
		return errors.New("bound store: it is open for reading only")
	}
	var page int64
	if err := db.w.QueryRowContext(ctx, "PRAGMA page_size").Scan(&page); err != nil {
		return fmt.Errorf("bound store: %w", err)
	}
	pages := int64(1<<32 - 2) // SQLite's own bound
	if n > 0 {
		pages = max(1, n/page)
	}
	var got int64
	if err := db.w.QueryRowContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Scan(&got); err != nil {
		return fmt.Errorf("bound store: %w", err)
	}
	return nil
}
