package rollout

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"switchyard/site"
	"switchyard/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// keepEnded is how many ended rollouts are kept.
const keepEnded = 200

func migrate(ctx context.Context, db *store.DB) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("open rollouts: %w", err)
	}
	return db.Migrate(ctx, "rollout", sub)
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func timeOf(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// insert keeps a new rollout with its items and gives it its number.
func insert(ctx context.Context, db *store.DB, r *Rollout) error {
	action, err := json.Marshal(r.Action)
	if err != nil {
		return err
	}
	return db.Tx(ctx, func(t *store.Tx) error {
		err := t.QueryRow(`INSERT INTO rollout (begun, ended, state, reason, by, note, text, action, request, wave, stop_after)
			VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			nanos(r.Begun), string(r.State), r.Reason, r.By, r.Note, r.Text, action, r.Request, r.Wave, r.StopAfter).Scan(&r.ID)
		if err != nil {
			return fmt.Errorf("keep rollout: %w", err)
		}
		if err := insertItems(t, r.ID, r.Items); err != nil {
			return err
		}
		_, err = t.Exec(`DELETE FROM rollout WHERE ended > 0 AND id <= (SELECT id FROM rollout WHERE ended > 0 ORDER BY id DESC LIMIT 1 OFFSET ?)`, keepEnded)
		return err
	})
}

const rowsAtOnce = 64

func insertItems(t *store.Tx, id int64, items []Item) error {
	const row = "(?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0)"
	for from := 0; from < len(items); from += rowsAtOnce {
		part := items[from:min(from+rowsAtOnce, len(items))]
		args := make([]any, 0, 6*len(part))
		for i, it := range part {
			args = append(args, id, from+i, string(it.Device), it.Wave, string(it.State), it.Reason)
		}
		_, err := t.Exec("INSERT INTO rollout_item (rollout, place, device, wave, state, reason, at, told, acked, boot, tries) VALUES "+
			row+strings.Repeat(", "+row, len(part)-1), args...)
		if err != nil {
			return fmt.Errorf("keep rollout %d: %w", id, err)
		}
	}
	return nil
}

// placed is an item with its place in its rollout.
type placed struct {
	place int
	Item
}

// save keeps a rollout's state and the items that changed.
func save(ctx context.Context, db *store.DB, r *Rollout, changed []placed) error {
	return db.Tx(ctx, func(t *store.Tx) error {
		_, err := t.Exec("UPDATE rollout SET ended = ?, state = ?, reason = ? WHERE id = ?", nanos(r.Ended), string(r.State), r.Reason, r.ID)
		if err != nil || len(changed) == 0 {
			return err
		}
		st, err := t.Prepare("UPDATE rollout_item SET state = ?, reason = ?, at = ?, told = ?, acked = ?, boot = ?, tries = ? WHERE rollout = ? AND place = ?")
		if err != nil {
			return err
		}
		defer func() { _ = st.Close() }()
		for i := range changed {
			it := &changed[i]
			if _, err := st.ExecContext(ctx, string(it.State), it.Reason, nanos(it.At), nanos(it.told), nanos(it.acked), nanos(it.boot), it.tries, r.ID, it.place); err != nil {
				return fmt.Errorf("keep %s of rollout %d: %w", it.Device, r.ID, err)
			}
		}
		return nil
	})
}

const columns = "id, begun, ended, state, reason, by, note, text, action, request, wave, stop_after"

func scan(row interface{ Scan(...any) error }) (Rollout, error) {
	var r Rollout
	var begun, ended int64
	var action []byte
	err := row.Scan(&r.ID, &begun, &ended, &r.State, &r.Reason, &r.By, &r.Note, &r.Text, &action, &r.Request, &r.Wave, &r.StopAfter)
	if err != nil {
		return r, err
	}
	r.Begun, r.Ended = timeOf(begun), timeOf(ended)
	if err := json.Unmarshal(action, &r.Action); err != nil {
		return r, fmt.Errorf("read rollout %d: %w", r.ID, err)
	}
	return r, nil
}

// load returns one rollout with its items; false if there is none.
func load(t *store.Tx, id int64) (r Rollout, ok bool, err error) {
	r, err = scan(t.QueryRow("SELECT "+columns+" FROM rollout WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	rows, err := t.Query("SELECT device, wave, state, reason, at, told, acked, boot, tries FROM rollout_item WHERE rollout = ? ORDER BY place", id)
	if err != nil {
		return r, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var it Item
		var device string
		var at, told, acked, boot int64
		if err := rows.Scan(&device, &it.Wave, &it.State, &it.Reason, &at, &told, &acked, &boot, &it.tries); err != nil {
			return r, false, err
		}
		it.Device, it.At, it.told, it.acked, it.boot = site.DeviceID(device), timeOf(at), timeOf(told), timeOf(acked), timeOf(boot)
		r.Items = append(r.Items, it)
	}
	r.count()
	return r, true, rows.Err()
}

func (r *Rollout) count() {
	r.Counts = map[ItemState]int{}
	for i := range r.Items {
		r.Counts[r.Items[i].State]++
	}
}

// open returns the numbers of the rollouts that have not ended, oldest first.
func open(t *store.Tx) ([]int64, error) {
	rows, err := t.Query("SELECT id FROM rollout WHERE ended = 0 ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// list returns the newest rollouts, newest first, with counts and without items.
func list(t *store.Tx, limit int) ([]Rollout, error) {
	rows, err := t.Query("SELECT "+columns+" FROM rollout ORDER BY id DESC LIMIT ?", limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Rollout
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i := range out {
		if out[i].Counts, err = counts(t, out[i].ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func counts(t *store.Tx, id int64) (map[ItemState]int, error) {
	rows, err := t.Query("SELECT state, COUNT(*) FROM rollout_item WHERE rollout = ? GROUP BY state", id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[ItemState]int{}
	for rows.Next() {
		var s ItemState
		var n int
		if err := rows.Scan(&s, &n); err != nil {
			return nil, err
		}
		out[s] = n
	}
	return out, rows.Err()
}
