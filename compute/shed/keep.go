package shed

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"time"

	"switchyard/compute"
	"switchyard/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// keeper keeps the effects of one cluster on disk.
type keeper struct {
	db      *store.DB
	cluster string
}

func openKeeper(ctx context.Context, db *store.DB, cluster string) (*keeper, error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "compute", dir); err != nil {
		return nil, fmt.Errorf("open the record of what was done to clusters: %w", err)
	}
	return &keeper{db: db, cluster: cluster}, nil
}

// load returns the effects that the last run left, and the pauses since a moment.
func (k *keeper) load(ctx context.Context, since time.Time) (effects map[string]Effect, spans map[string][]span, err error) {
	err = k.db.View(ctx, func(t *store.Tx) error {
		effects, spans = map[string]Effect{}, map[string][]span{}
		rows, err := t.Query("SELECT key, doc FROM compute_effect WHERE cluster = ?", k.cluster)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var key, doc string
			if err := rows.Scan(&key, &doc); err != nil {
				return err
			}
			var e Effect
			if err := json.Unmarshal([]byte(doc), &e); err != nil {
				return fmt.Errorf("effect %s: %w", key, err)
			}
			effects[key] = e
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return k.loadSpans(t, since, spans)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("take up what was done to cluster %s: %w", k.cluster, err)
	}
	return effects, spans, nil
}

func (k *keeper) loadSpans(t *store.Tx, since time.Time, spans map[string][]span) error {
	rows, err := t.Query("SELECT job, since, until FROM compute_pause WHERE cluster = ? AND (until = 0 OR until >= ?) ORDER BY since", k.cluster, since.Unix())
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var job string
		var from, to int64
		if err := rows.Scan(&job, &from, &to); err != nil {
			return err
		}
		s := span{from: time.Unix(from, 0).UTC()}
		if to != 0 {
			s.to = time.Unix(to, 0).UTC()
		}
		spans[job] = append(spans[job], s)
	}
	return rows.Err()
}

// put keeps effects; an effect without a Since is forgotten. Pauses go with them.
func (k *keeper) put(ctx context.Context, effects []Effect, paused, resumed []string, at time.Time) error {
	if len(effects)+len(paused)+len(resumed) == 0 {
		return nil
	}
	return k.db.Tx(ctx, func(t *store.Tx) error {
		for _, e := range effects {
			if e.Since.IsZero() {
				if _, err := t.Exec("DELETE FROM compute_effect WHERE cluster = ? AND key = ?", k.cluster, e.Act.Key()); err != nil {
					return err
				}
				continue
			}
			doc, err := json.Marshal(e)
			if err != nil {
				return err
			}
			if _, err := t.Exec(`INSERT INTO compute_effect (cluster, key, doc) VALUES (?, ?, ?)
				ON CONFLICT (cluster, key) DO UPDATE SET doc = excluded.doc`, k.cluster, e.Act.Key(), string(doc)); err != nil {
				return err
			}
		}
		for _, job := range paused {
			if _, err := t.Exec("INSERT INTO compute_pause (cluster, job, since, until) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING", k.cluster, job, at.Unix()); err != nil {
				return err
			}
		}
		for _, job := range resumed {
			if _, err := t.Exec("UPDATE compute_pause SET until = ? WHERE cluster = ? AND job = ? AND until = 0", at.Unix(), k.cluster, job); err != nil {
				return err
			}
		}
		return nil
	})
}

// span is one pause of a job; to is zero while it lasts.
type span struct{ from, to time.Time }

// pausedIn is how long the spans cover of the period before now, and when the last one ended.
func pausedIn(spans []span, now time.Time, per time.Duration) (used time.Duration, back time.Time) {
	if per <= 0 {
		per = 24 * time.Hour
	}
	for _, s := range spans {
		to := s.to
		if to.IsZero() {
			to = now
		} else if to.After(back) {
			back = to
		}
		from := s.from
		if begin := now.Add(-per); from.Before(begin) {
			from = begin
		}
		used += max(to.Sub(from), 0)
	}
	return used, back
}

// isPause says whether an act takes a job's GPUs.
func isPause(a compute.Act) bool { return a.Verb == compute.Stop }
