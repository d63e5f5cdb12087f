package journal

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"switchyard/site"
	"switchyard/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrOverflow says that an entry was not taken: the queue stands at twice its bound with
// nothing left in it that may be dropped. The limiter's orders go out all the same (safety
// before the record); everything else should wait.
var ErrOverflow = errors.New("the journal's queue is full")

// ErrClosed says that the journal has been closed.
var ErrClosed = errors.New("the journal is closed")

const (
	batchSize   = 512
	batchWait   = 50 * time.Millisecond
	retryWait   = time.Second
	maxText     = 4 << 10
	maxDetail   = 64 << 10
	writeTime   = 30 * time.Second
	retainEvery = time.Hour // machine time
)

// Options set a journal up. The zero Options are sensible.
type Options struct {
	Log *slog.Logger
	// Queue bounds the entries waiting for the disk; default 65,536. When it is full the
	// oldest notes go first, then the oldest awards, and are counted; commands and all else
	// are kept up to twice the bound, and past that Append refuses with ErrOverflow.
	Queue int
	// Keep is how much site time is kept, counted back from the newest entry; default 400
	// days. Audit lines are kept for ever.
	Keep time.Duration
	// Rows bounds the entries kept besides; default 20 million.
	Rows int
}

// Journal is an open journal.
type Journal struct {
	db    *store.DB
	log   *slog.Logger
	bound int
	keep  time.Duration
	rows  int
	kick  chan struct{}
	stop  chan struct{}
	done  chan struct{}
	ahead *aheadFile // nil for a reader

	mu      sync.Mutex
	closed  bool
	pending []Entry   // not yet on disk, in order of Seq
	seq     int64     // last given
	newest  time.Time // site time of the newest entry
	written int64     // all up to here is on disk or dropped
	plan    site.PlanID
	dropped int64 // since the last note about it
	lost    int64 // ever
	full    bool  // the disk was full at the last attempt
	waiters []waiter
	// A wave of AppendNow is under way: the database waits until till. Machine time.
	since, till time.Time
	subs        map[*Subscription]struct{}
}

type waiter struct {
	seq  int64
	done chan error // buffered
}

// Open opens the journal in db and starts its writer. Close it before the store.
func Open(ctx context.Context, db *store.DB, o Options) (*Journal, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := db.Migrate(ctx, "journal", sub); err != nil {
		return nil, err
	}
	j := newJournal(db, o)
	err = db.View(ctx, func(t *store.Tx) (err error) {
		if j.plan, err = lastPlan(t); err != nil {
			return err
		}
		return t.QueryRow("SELECT COALESCE(MAX(seq), 0) FROM journal_entry").Scan(&j.seq)
	})
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := j.takeAhead(ctx); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j.written = j.seq
	go j.write()
	return j, nil
}

// OpenReader opens the journal of a store that another process may be writing: queries
// only, Append refuses.
func OpenReader(db *store.DB, o Options) *Journal {
	j := newJournal(db, o)
	j.closed = true
	close(j.done)
	j.peekAhead()
	return j
}

func newJournal(db *store.DB, o Options) *Journal {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Queue <= 0 {
		o.Queue = 1 << 16
	}
	if o.Keep <= 0 {
		o.Keep = 400 * 24 * time.Hour
	}
	if o.Rows <= 0 {
		o.Rows = 20_000_000
	}
	return &Journal{
		db: db, log: o.Log, bound: o.Queue, keep: o.Keep, rows: o.Rows, kick: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		subs: make(map[*Subscription]struct{}),
	}
}

// Append takes an entry, gives it its number and returns at once; it is on disk within
// about 50 ms, or lost with a kill before that: see AppendNow. Texts over 4 KiB are cut and
// details over 64 KiB left out.
func (j *Journal) Append(e Entry) (seq int64, err error) {
	e, err = j.take(e)
	return e.Seq, err
}

// take is Append, and returns the entry as it is kept.
func (j *Journal) take(e Entry) (Entry, error) {
	if e.Wall.IsZero() {
		e.Wall = time.Now()
	}
	if e.At.IsZero() {
		e.At = e.Wall
	}
	if len(e.Text) > maxText {
		e.Text = e.Text[:maxText]
	}
	if len(e.Detail) > maxDetail {
		e.Detail = nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return e, ErrClosed
	}
	if len(j.pending) >= j.bound && !j.makeRoom(e.Kind) {
		j.dropped++
		j.lost++
		return e, fmt.Errorf("append %s: %w", e.Kind, ErrOverflow)
	}
	j.seq++
	e.Seq = j.seq
	j.plan = max(j.plan, e.Plan)
	if e.At.After(j.newest) {
		j.newest = e.At
	}
	j.pending = append(j.pending, e)
	for s := range j.subs {
		s.offer(e)
	}
	if len(j.pending) >= batchSize {
		j.poke()
	}
	return e, nil
}

// makeRoom drops old notes, then old awards, an eighth of the bound at a time, and says
// whether an entry of kind k may be taken.
func (j *Journal) makeRoom(k Kind) bool {
	for _, victim := range []Kind{KindNote, KindAward} {
		want := max(1, j.bound/8)
		kept := j.pending[:0]
		n := 0
		for _, e := range j.pending {
			if n < want && e.Kind == victim {
				n++
				continue
			}
			kept = append(kept, e)
		}
		clear(j.pending[len(kept):])
		j.pending = kept
		j.dropped += int64(n)
		j.lost += int64(n)
		if n > 0 {
			return true
		}
		if k == victim {
			return false // its like is what would be dropped
		}
	}
	return len(j.pending) < 2*j.bound
}

// AppendNow appends the entries and waits until they are on disk: what it has taken survives
// a kill -9 and a power cut. It costs one synced write, a few milliseconds whatever the
// number of entries, so commands go in together, before they go out; the database follows
// when no more have come for a second. With a full disk it returns store.ErrFull; the
// entries stay queued.
func (j *Journal) AppendNow(ctx context.Context, entries ...Entry) error {
	taken := make([]Entry, len(entries))
	for i, e := range entries {
		var err error
		if taken[i], err = j.take(e); err != nil {
			return err
		}
	}
	if len(taken) == 0 {
		return j.Flush(ctx)
	}
	j.wave()
	switch err := j.ahead.put(ctx, taken); {
	case err == nil:
		return nil
	case errors.Is(err, errAheadFull):
		return j.Flush(ctx)
	default:
		return fmt.Errorf("write journal ahead: %w", store.Named(err, j.db.Dir()))
	}
}

// wave has the database wait a little for the rest of what is being appended.
func (j *Journal) wave() {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	if now.After(j.till) {
		j.since = now
	}
	j.till = now.Add(calm)
	if last := j.since.Add(waveMost); j.till.After(last) {
		j.till = last
	}
}

// waving says that the database is to wait: a wave is under way, nobody waits for the
// database, and the queue has room.
func (j *Journal) waving() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.waiters) == 0 && len(j.pending) < j.bound/2 && time.Now().Before(j.till)
}

// Flush waits until all that was appended before it is on disk. With a full disk it
// returns store.ErrFull after one attempt; nothing is lost, the writer goes on trying.
func (j *Journal) Flush(ctx context.Context) error {
	j.mu.Lock()
	if j.written >= j.seq {
		j.mu.Unlock()
		return nil
	}
	if j.closed {
		j.mu.Unlock()
		return ErrClosed
	}
	w := waiter{seq: j.seq, done: make(chan error, 1)}
	j.waiters = append(j.waiters, w)
	j.mu.Unlock()
	j.poke()
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("flush journal: %w", ctx.Err())
	}
}

// Settle waits until no wave is under way and then, as Flush does, until all that was
// appended before it is in the database.
func (j *Journal) Settle(ctx context.Context) error {
	for j.waving() {
		if err := sleep(ctx, batchWait); err != nil {
			return fmt.Errorf("flush journal: %w", err)
		}
	}
	return j.Flush(ctx)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// LastPlan returns the greatest plan in the journal, also over restarts and retention.
func (j *Journal) LastPlan() site.PlanID {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.plan
}

// Lost returns how many entries were dropped or refused since Open because the queue was full.
func (j *Journal) Lost() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lost
}

// Full says whether the last attempt to write found the disk full.
func (j *Journal) Full() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.full
}

// Close writes what is queued, once, and stops the writer. What could not be written is an error.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	j.closed = true
	for s := range j.subs {
		close(s.c)
	}
	clear(j.subs)
	j.mu.Unlock()
	close(j.stop)
	<-j.done
	if j.ahead != nil {
		j.inDatabase()
		if err := j.ahead.close(); err != nil {
			return fmt.Errorf("close journal: %w", err)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := len(j.pending); n > 0 {
		return fmt.Errorf("close journal: %d entries could not be written", n)
	}
	return nil
}

func (j *Journal) poke() {
	select {
	case j.kick <- struct{}{}:
	default:
	}
}
