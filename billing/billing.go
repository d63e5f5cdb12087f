// Package billing owns what closed intervals cost and earn: the settled record of every
// interval, its allocation to the halls, the postings that follow from the contracts, and
// the day's report.
//
// It never measures, never asks for a price, and never posts a guess: an interval whose
// price is not known is kept as pending and posted when it is.
//
// A hall is a node that directly feeds groups or tenants.
//
// Concurrency: a Book is safe for concurrent use; settling takes turns. Every call blocks
// on the disk and honours its context.
package billing

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"time"

	"switchyard/ledger"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/sitefile/cluster"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrConflict says that an interval is in the record with other figures. The record stays;
// it means that two runs of site time share a store.
var ErrConflict = errors.New("the interval is settled with other figures")

const checkpointKey = "billing.checkpoint"

// Contracts are what the site file says about who uses and who pays.
type Contracts struct {
	Zone    *time.Location // days of reports and months of rent; nil means UTC
	Tree    *site.Tree
	Groups  []sitefile.Group
	Tenants []sitefile.Tenant
	// Clusters are GPUs of ours: their nodes are halls too.
	Clusters []cluster.Cluster
}

// Close is one interval of the whole site, ready to be settled.
type Close struct {
	Start   time.Time
	Records []telemetry.Interval // of every meter and group
	// Price is what a MWh cost over the interval, and Hashprice what a PH/day earned;
	// unknown ones leave the interval pending.
	Price     site.Opt[unit.Price]
	Hashprice site.Opt[unit.Hashprice]
	// Short is firm energy that a tenant wanted and was not delivered.
	Short map[site.LoadID]unit.Energy
}

// Closes groups what an integrator closed by interval, oldest first; prices are for the caller to fill in.
func Closes(records []telemetry.Interval) []Close {
	byStart := map[int64]int{}
	var out []Close
	for _, r := range records {
		i, ok := byStart[r.Start.Unix()]
		if !ok {
			i = len(out)
			byStart[r.Start.Unix()] = i
			out = append(out, Close{Start: r.Start})
		}
		out[i].Records = append(out[i].Records, r)
	}
	sort.SliceStable(out, func(i, k int) bool { return out[i].Start.Before(out[k].Start) })
	return out
}

// Book settles intervals.
type Book struct {
	db *store.DB
	c  Contracts
	l  layout
}

// Open opens the book in db, beside its ledger.
func Open(ctx context.Context, db *store.DB, c Contracts) (*Book, error) {
	b, err := OpenReader(db, c)
	if err != nil {
		return nil, err
	}
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open billing: %w", err)
	}
	if err := db.Migrate(ctx, "billing", sub); err != nil {
		return nil, err
	}
	if _, err := ledger.Open(ctx, db); err != nil {
		return nil, err
	}
	return b, nil
}

// OpenReader opens the book of a store that another process may be writing: reports only.
func OpenReader(db *store.DB, c Contracts) (*Book, error) {
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	l, err := layOut(c)
	if err != nil {
		return nil, fmt.Errorf("open billing: %w", err)
	}
	return &Book{db: db, c: c, l: l}, nil
}

// Settle puts intervals into the record and posts what they cost and earn, with the
// integrator's checkpoint (empty keeps the old one), in one transaction: after a kill at any
// moment the record, the money and the checkpoint agree. Settling an interval again changes
// nothing, unless it brings a price that was not known; other figures are ErrConflict. A
// full disk is store.ErrFull, nothing is changed, and the same call is to be made again.
func (b *Book) Settle(ctx context.Context, closes []Close, checkpoint []byte) error {
	return b.db.Tx(ctx, func(t *store.Tx) error {
		for _, c := range closes {
			if err := b.settle(t, c); err != nil {
				return fmt.Errorf("settle %s: %w", c.Start.UTC().Format(time.RFC3339), err)
			}
		}
		if len(checkpoint) == 0 {
			return nil
		}
		return t.PutState(checkpointKey, checkpoint)
	})
}

// Checkpoint returns the integrator's checkpoint that was last settled; nil if none was.
func (b *Book) Checkpoint(ctx context.Context) ([]byte, error) {
	return b.db.GetState(ctx, checkpointKey)
}

func (b *Book) settle(t *store.Tx, c Close) error {
	for _, r := range c.Records {
		if !r.Start.Equal(c.Start) {
			return fmt.Errorf("%s starts at %s", r.Subject, r.Start.UTC().Format(time.RFC3339))
		}
		if err := keep(t, r); err != nil {
			return err
		}
	}
	was, err := readClose(t, c.Start)
	if err != nil {
		return err
	}
	if was == nil {
		was = &status{Close: c}
		if err := was.insert(t); err != nil {
			return err
		}
		if err := keepUse(t, c.Start, b.l.allocate(c.Records), b.nodeName); err != nil {
			return err
		}
		if err := b.postFixed(t, c); err != nil {
			return err
		}
	}
	return b.post(t, was, c.Price, c.Hashprice)
}

// Reprice posts pending intervals whose prices have become known, oldest first, at most limit of
// them; lookup is asked for each. Those whose price never comes keep none of the others waiting.
// It returns how many intervals are no longer pending.
func (b *Book) Reprice(ctx context.Context, limit int, lookup func(start time.Time) (site.Opt[unit.Price], site.Opt[unit.Hashprice])) (done int, err error) {
	err = b.db.Tx(ctx, func(t *store.Tx) error {
		done = 0
		waiting, err := pending(t, time.Time{}, time.Time{}, maxPending)
		if err != nil {
			return err
		}
		for i, posted := 0, 0; i < len(waiting) && posted < limit; i++ {
			s := &waiting[i]
			price, hashprice := lookup(s.Start)
			if (s.energyPosted || !price.OK) && (s.miningPosted || !hashprice.OK) {
				continue // nothing new is known of it
			}
			posted++
			if s.Records, err = records(t, s.Start); err != nil {
				return err
			}
			if err := b.post(t, s, price, hashprice); err != nil {
				return err
			}
			if s.energyPosted && s.miningPosted {
				done++
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("post pending intervals: %w", err)
	}
	return done, nil
}

// status is a settled interval with what of it is posted.
type status struct {
	Close
	energyPosted, miningPosted bool
}

// post posts what is not yet posted and can be.
func (b *Book) post(t *store.Tx, s *status, price site.Opt[unit.Price], hashprice site.Opt[unit.Hashprice]) error {
	var txs []ledger.Transaction
	if !s.energyPosted && price.OK {
		txs = append(txs, b.l.energy(s.Start, b.l.allocate(s.Records), s.Records, price.V)...)
		s.Price, s.energyPosted = price, true
	}
	if !s.miningPosted && hashprice.OK {
		txs = append(txs, b.l.mining(s.Start, s.Records, hashprice.V)...)
		s.Hashprice, s.miningPosted = hashprice, true
	}
	if _, err := ledger.PostIn(t, txs); err != nil {
		return err
	}
	_, err := t.Exec("UPDATE billing_close SET price = ?, hashprice = ?, energy_posted = ?, mining_posted = ? WHERE start = ?",
		null(s.Price), null(s.Hashprice), s.energyPosted, s.miningPosted, s.Start.Unix())
	return err
}

// postFixed posts what hangs on no price: rent, and penalties.
func (b *Book) postFixed(t *store.Tx, c Close) error {
	_, err := ledger.PostIn(t, append(b.l.rent(c.Start, b.c.Zone), b.l.penalties(c.Start, c.Short)...))
	return err
}

func null[T ~int64](o site.Opt[T]) sql.NullInt64 {
	return sql.NullInt64{Int64: int64(o.V), Valid: o.OK}
}

func known[T ~int64](n sql.NullInt64) site.Opt[T] { return site.Opt[T]{V: T(n.Int64), OK: n.Valid} }

// keep puts one record into the table, or checks that it is there as it is.
func keep(t *store.Tx, r telemetry.Interval) error {
	n, err := t.Exec(`INSERT INTO billing_interval (subject, start, energy, hashes, quality, sources, measured, estimated, missing)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (subject, start) DO NOTHING`,
		r.Subject, r.Start.Unix(), int64(r.Energy), r.Hashes, int(r.Quality()), r.Sources, int64(r.Measured), int64(r.Estimated), int64(r.Missing))
	if err != nil || n == 1 {
		return err
	}
	var energy int64
	var hashes float64
	if err := t.QueryRow("SELECT energy, hashes FROM billing_interval WHERE subject = ? AND start = ?", r.Subject, r.Start.Unix()).
		Scan(&energy, &hashes); err != nil {
		return err
	}
	if energy != int64(r.Energy) || hashes != r.Hashes {
		return fmt.Errorf("%s: %w: %s in the record, %s now", r.Subject, ErrConflict, unit.Energy(energy), r.Energy)
	}
	return nil
}

func (s *status) insert(t *store.Tx) error {
	short := s.Short
	if short == nil {
		short = map[site.LoadID]unit.Energy{}
	}
	text, err := json.Marshal(short)
	if err != nil {
		return err
	}
	_, err = t.Exec("INSERT INTO billing_close (start, price, hashprice, short, energy_posted, mining_posted) VALUES (?, NULL, NULL, ?, 0, 0)",
		s.Start.Unix(), string(text))
	return err
}
