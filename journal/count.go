package journal

import (
	"context"
	"fmt"
	"time"

	"switchyard/store"
)

// Counts sums up the commands of a time. Every command is in exactly one of the others.
type Counts struct {
	Commands   int
	Confirmed  int
	Failed     int // with a named failure, quarantine included
	Superseded int // another command to the same device came before either
	Open       int // neither, so far
}

// the first thing that became of command c: a later command to the same device ends its turn.
const outcome = `COALESCE((SELECT e.kind FROM journal_entry e
	WHERE e.device = c.device AND e.device <> '' AND e.seq > c.seq AND e.kind IN ('command', 'confirm', 'fail', 'quarantine')
	ORDER BY e.seq LIMIT 1), '')`

// Counts returns what became of the commands given in [from, to), site time. It flushes
// first, so that what is queued counts.
func (j *Journal) Counts(ctx context.Context, from, to time.Time) (Counts, error) {
	var c Counts
	if err := j.flushed(ctx); err != nil {
		return c, err
	}
	err := j.db.View(ctx, func(t *store.Tx) error {
		c = Counts{}
		rows, err := t.Query("SELECT kind, COUNT(*) FROM (SELECT "+outcome+` AS kind FROM journal_entry c
			WHERE c.kind = 'command' AND c.at >= ? AND c.at < ?) GROUP BY kind`, nanos(from), nanos(to))
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var kind string
			var n int
			if err := rows.Scan(&kind, &n); err != nil {
				return err
			}
			c.add(Kind(kind), n)
		}
		return rows.Err()
	})
	if err != nil {
		return c, fmt.Errorf("count commands: %w", err)
	}
	return c, nil
}

func (c *Counts) add(k Kind, n int) {
	c.Commands += n
	switch k {
	case KindConfirm:
		c.Confirmed += n
	case KindFail, KindQuarantine:
		c.Failed += n
	case KindCommand:
		c.Superseded += n
	default:
		c.Open += n
	}
}

// Unconfirmed returns the commands given in [from, to), site time, that have neither a
// confirmation nor a named failure nor a later command to the same device; oldest first,
// at most 10,000. Pass a to that leaves the newest commands their time.
func (j *Journal) Unconfirmed(ctx context.Context, from, to time.Time) ([]Entry, error) {
	if err := j.flushed(ctx); err != nil {
		return nil, err
	}
	out, err := j.query(ctx, "SELECT "+columns+" FROM journal_entry c WHERE c.kind = 'command' AND c.at >= ? AND c.at < ? AND "+
		outcome+" = '' ORDER BY c.seq LIMIT ?", nanos(from), nanos(to), maxFeed)
	if err != nil {
		return nil, fmt.Errorf("read unconfirmed commands: %w", err)
	}
	return out, nil
}

// Unreasoned returns how many commands of [from, to) carry no reason; the law says none.
func (j *Journal) Unreasoned(ctx context.Context, from, to time.Time) (n int, err error) {
	if err := j.flushed(ctx); err != nil {
		return 0, err
	}
	err = j.db.View(ctx, func(t *store.Tx) error {
		return t.QueryRow("SELECT COUNT(*) FROM journal_entry WHERE kind = 'command' AND at >= ? AND at < ? AND code = ''",
			nanos(from), nanos(to)).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("count commands without a reason: %w", err)
	}
	return n, nil
}

// flushed brings the queue to disk, if this journal writes at all.
func (j *Journal) flushed(ctx context.Context) error {
	j.mu.Lock()
	idle := j.written >= j.seq || j.closed
	j.mu.Unlock()
	if idle {
		return nil
	}
	return j.Flush(ctx)
}
