package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"switchyard/site"
	"switchyard/store"
)

const (
	subscription = 256
	maxFeed      = 10_000
	pruneStep    = 5_000
)

// Feed returns the newest entries, newest first, at most limit (up to 10,000), of the kinds
// given or of all. Entries still in the queue are among them.
func (j *Journal) Feed(ctx context.Context, limit int, kinds ...Kind) ([]Entry, error) {
	limit = min(max(limit, 0), maxFeed)
	queued := j.queued(func(e Entry) bool { return len(kinds) == 0 || slices.Contains(kinds, e.Kind) })
	query, args := "SELECT "+columns+" FROM journal_entry", []any{}
	if len(kinds) > 0 {
		query += " WHERE kind IN (?" + strings.Repeat(", ?", len(kinds)-1) + ")"
		for _, k := range kinds {
			args = append(args, string(k))
		}
	}
	stored, err := j.query(ctx, query+" ORDER BY seq DESC LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("read feed: %w", err)
	}
	out := merge(stored, queued)
	slices.Reverse(out)
	return out[:min(limit, len(out))], nil
}

// Between returns the entries of [from, to) in site time, oldest first, at most limit
// (up to 10,000), of the kinds given or of all.
func (j *Journal) Between(ctx context.Context, from, to time.Time, limit int, kinds ...Kind) ([]Entry, error) {
	limit = min(max(limit, 0), maxFeed)
	in := func(e Entry) bool {
		return !e.At.Before(from) && e.At.Before(to) && (len(kinds) == 0 || slices.Contains(kinds, e.Kind))
	}
	queued := j.queued(in)
	query := "SELECT " + columns + " FROM journal_entry WHERE at >= ? AND at < ?"
	args := []any{nanos(from), nanos(to)}
	if len(kinds) > 0 {
		query += " AND kind IN (?" + strings.Repeat(", ?", len(kinds)-1) + ")"
		for _, k := range kinds {
			args = append(args, string(k))
		}
	}
	stored, err := j.query(ctx, query+" ORDER BY seq LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	out := merge(stored, queued)
	return out[:min(limit, len(out))], nil
}

// Prune removes entries older than before (site time) and keeps at most rows of the rest
// (zero: no such bound), a few thousand at a time so that the writer is not held up. Audit
// lines are kept, and the newest entry, whose number the next one follows.
func (j *Journal) Prune(ctx context.Context, before time.Time, rows int) (removed int64, err error) {
	for {
		var n int64
		err := j.db.Tx(ctx, func(t *store.Tx) (err error) {
			n, err = pruneOnce(t, before, rows)
			return err
		})
		removed += n
		if err != nil {
			return removed, fmt.Errorf("prune journal: %w", err)
		}
		if n < pruneStep {
			return removed, nil
		}
	}
}

func pruneOnce(t *store.Tx, before time.Time, rows int) (int64, error) {
	keepFrom := int64(0) // entries below this number are too many
	if rows > 0 {
		err := t.QueryRow("SELECT seq FROM journal_entry ORDER BY seq DESC LIMIT 1 OFFSET ?", rows-1).Scan(&keepFrom)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
	}
	return t.Exec(`DELETE FROM journal_entry WHERE seq IN (
		SELECT seq FROM journal_entry WHERE (at < ? OR seq < ?) AND kind <> ?
			AND seq <> (SELECT MAX(seq) FROM journal_entry)
		ORDER BY seq LIMIT ?)`, nanos(before), keepFrom, string(KindAudit), pruneStep)
}

// nanos is a time as the table keeps it; the zero time lies before all others.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// queued returns the entries not yet on disk that match, oldest first.
func (j *Journal) queued(match func(Entry) bool) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Entry
	for _, e := range j.pending {
		if match(e) {
			out = append(out, e)
		}
	}
	return out
}

// merge joins two lists by number, oldest first; what was written between the two looks is in both.
func merge(a, b []Entry) []Entry {
	out := append(append([]Entry(nil), a...), b...)
	sort.SliceStable(out, func(i, k int) bool { return out[i].Seq < out[k].Seq })
	return slices.CompactFunc(out, func(x, y Entry) bool { return x.Seq == y.Seq })
}

func (j *Journal) query(ctx context.Context, query string, args ...any) ([]Entry, error) {
	var out []Entry
	err := j.db.View(ctx, func(t *store.Tx) error {
		out = out[:0]
		rows, err := t.Query(query, args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			e, err := scan(rows)
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return rows.Err()
	})
	return out, err
}

func scan(rows *sql.Rows) (Entry, error) {
	var e Entry
	var at, wall, plan int64
	var device, kind, code string
	var detail []byte
	if err := rows.Scan(&e.Seq, &at, &wall, &plan, &e.Subject, &device, &kind, &code, &e.Text, &detail); err != nil {
		return e, err
	}
	e.At, e.Wall, e.Plan = fromNanos(at), fromNanos(wall), site.PlanID(plan)
	e.Device, e.Kind, e.Code = site.DeviceID(device), Kind(kind), site.Code(code)
	if len(detail) > 0 {
		e.Detail = detail
	}
	return e, nil
}

// Subscription delivers entries as they are appended.
type Subscription struct {
	j    *Journal
	c    chan Entry
	lost atomic.Int64
}

// Subscribe starts a subscription to all entries appended from now on. It holds 256; a
// slower reader loses the oldest. Cancel it when done.
func (j *Journal) Subscribe() *Subscription {
	s := &Subscription{j: j, c: make(chan Entry, subscription)}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		close(s.c)
		return s
	}
	j.subs[s] = struct{}{}
	return s
}

// C delivers the entries; it is closed with the journal or by Cancel.
func (s *Subscription) C() <-chan Entry { return s.c }

// Lost returns how many entries this subscriber was too slow for.
func (s *Subscription) Lost() int64 { return s.lost.Load() }

// Cancel ends the subscription.
func (s *Subscription) Cancel() {
	s.j.mu.Lock()
	defer s.j.mu.Unlock()
	if _, live := s.j.subs[s]; live {
		delete(s.j.subs, s)
		close(s.c)
	}
}

// offer is called under the journal's lock, so there is one sender.
func (s *Subscription) offer(e Entry) {
	for {
		select {
		case s.c <- e:
			return
		default:
		}
		select {
		case <-s.c:
			s.lost.Add(1)
		default:
		}
	}
}
