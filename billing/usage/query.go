package usage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/site"
	"switchyard/store"
	"switchyard/unit"
)

// Question says which rows are wanted.
type Question struct {
	Tenant   string // empty: all, by name
	From, To time.Time
	// AsOf is the mark up to which the record is read, as Mark returned it: later corrections do not
	// count. Zero: all.
	AsOf int64
	// Revisions asks for each revision and not only for the newest.
	Revisions bool
}

// errStop ends a reading whose reader wants no more.
var errStop = errors.New("enough")

// Rows streams rows in the order of tenant, start and revision. The sequence blocks on the disk
// and ends with an error where it cannot go on. While it is read it holds one of the store's few
// readers: take what is needed and be done.
func (r *Record) Rows(ctx context.Context, q Question) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		err := r.view(ctx, func(t *store.Tx) error { return r.rows(t, q, yield) })
		if err != nil && !errors.Is(err, errStop) {
			yield(Row{}, fmt.Errorf("read usage: %w", err))
		}
	}
}

// view is a View that reads a store without the record as an empty one.
func (r *Record) view(ctx context.Context, fn func(*store.Tx) error) error {
	return r.db.View(ctx, func(t *store.Tx) error {
		var n int
		if err := t.QueryRow("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'usage_row'").Scan(&n); err != nil || n == 0 {
			return err
		}
		return fn(t)
	})
}

func (r *Record) rows(t *store.Tx, q Question, yield func(Row, error) bool) error {
	tenants, err := tenants(t, q.Tenant)
	if err != nil {
		return err
	}
	asOf := q.AsOf
	if asOf <= 0 {
		asOf = 1<<63 - 1
	}
	// The newest revision of each is the last of its start.
	text := "SELECT start, revision, " + rowFigures + " FROM usage_row AS u WHERE tenant = ? AND start >= ? AND start < ? AND mark <= ?"
	if !q.Revisions {
		text += " AND NOT EXISTS (SELECT 1 FROM usage_row AS n WHERE n.tenant = u.tenant AND n.start = u.start AND n.revision > u.revision AND n.mark <= ?)"
	}
	text += " ORDER BY start, revision"
	for _, tn := range tenants {
		args := []any{tn.id, q.From.Unix(), q.To.Unix(), asOf}
		if !q.Revisions {
			args = append(args, asOf)
		}
		rows, err := t.Query(text, args...)
		if err != nil {
			return err
		}
		if err := r.each(t, rows, tn.name, yield); err != nil {
			return err
		}
	}
	return nil
}

func (r *Record) each(t *store.Tx, rows *sql.Rows, tenant string, yield func(Row, error) bool) error {
	defer rows.Close()
	for rows.Next() {
		var f figures
		var start int64
		row := Row{Tenant: tenant}
		if err := rows.Scan(f.scan(&start, &row.Revision)...); err != nil {
			return err
		}
		row.Start = time.Unix(start, 0).UTC()
		if err := r.fill(t, &row, f); err != nil {
			return err
		}
		if !yield(row, nil) {
			return errStop
		}
	}
	return rows.Err()
}

func (r *Record) fill(t *store.Tx, row *Row, f figures) error {
	row.Critical, row.Losses, row.House = unit.Energy(f.critical), unit.Energy(f.losses), unit.Energy(f.house)
	row.Billed = row.Critical + row.Losses + row.House
	row.Quality, row.Peak = quality(f.quality), unit.Power(f.peak)
	row.Cost = site.Opt[unit.Money]{V: unit.Money(f.cost.Int64), OK: f.cost.Valid}
	gpus, err := r.nameOf(t, f.gpus)
	if err != nil {
		return err
	}
	if row.GPUs, err = splitGPUs(gpus); err != nil {
		return err
	}
	evidence, err := r.nameOf(t, f.evidence)
	if err != nil {
		return err
	}
	row.Evidence = splitEvidence(evidence)
	if f.delivery.Valid {
		if _, err := fmt.Sscan(f.delivery.String, (*int64)(&row.Wanted), (*int64)(&row.Short), (*int64)(&row.Down), (*int64)(&row.Reduced)); err != nil {
			return fmt.Errorf("read delivery: %w", err)
		}
	}
	return nil
}

// maxKnown bounds the names kept in memory.
const maxKnown = 50_000

func (r *Record) nameOf(t *store.Tx, id sql.NullInt64) (string, error) {
	if !id.Valid {
		return "", nil
	}
	r.mu.Lock()
	name, ok := r.names[id.Int64]
	r.mu.Unlock()
	if ok {
		return name, nil
	}
	if err := t.QueryRow("SELECT name FROM usage_name WHERE id = ?", id.Int64).Scan(&name); err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.names) >= maxKnown {
		clear(r.names)
	}
	r.names[id.Int64] = name
	return name, nil
}

type tenantID struct {
	id   int64
	name string
}

func tenants(t *store.Tx, only string) ([]tenantID, error) {
	// The tenants are few and the rows many: one probe of the key for each name that has any.
	rows, err := t.Query(`SELECT id, name FROM usage_name WHERE (? = '' OR name = ?)
		AND (EXISTS (SELECT 1 FROM usage_row WHERE tenant = id) OR EXISTS (SELECT 1 FROM usage_event WHERE tenant = id)) ORDER BY name`, only, only)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []tenantID
	for rows.Next() {
		var x tenantID
		if err := rows.Scan(&x.id, &x.name); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// Tenants returns the names of all tenants in the record, sorted.
func (r *Record) Tenants(ctx context.Context) ([]string, error) {
	var out []string
	err := r.view(ctx, func(t *store.Tx) error {
		list, err := tenants(t, "")
		out = nil
		for _, x := range list {
			out = append(out, x.name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read tenants of usage: %w", err)
	}
	return out, nil
}

// Mark returns the count of changes of the record: a Question as of it gives the same rows for ever.
func (r *Record) Mark(ctx context.Context) (int64, error) {
	data, err := r.db.GetState(ctx, markKey)
	if err != nil || len(data) == 0 {
		return 0, err
	}
	n, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the count of changes: %w", err)
	}
	return n, nil
}

// Unpriced returns the starts within [from, to) of which a row has no known cost in its newest
// revision, oldest first, at most limit.
func (r *Record) Unpriced(ctx context.Context, from, to time.Time, limit int) ([]time.Time, error) {
	var out []time.Time
	err := r.view(ctx, func(t *store.Tx) error {
		out = nil
		list, err := tenants(t, "") // the key begins with the tenant
		if err != nil {
			return err
		}
		for _, x := range list {
			rows, err := t.Query(`SELECT start FROM usage_row AS u WHERE tenant = ? AND start >= ? AND start < ? AND cost IS NULL
				AND NOT EXISTS (SELECT 1 FROM usage_row AS n WHERE n.tenant = u.tenant AND n.start = u.start AND n.revision > u.revision)
				ORDER BY start LIMIT ?`, x.id, from.Unix(), to.Unix(), limit)
			if err != nil {
				return err
			}
			if out, err = starts(rows, out); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read usage without a price: %w", err)
	}
	slices.SortFunc(out, time.Time.Compare)
	out = slices.Compact(out)
	return out[:min(len(out), limit)], nil
}

func starts(rows *sql.Rows, out []time.Time) ([]time.Time, error) {
	defer rows.Close()
	for rows.Next() {
		var start int64
		if err := rows.Scan(&start); err != nil {
			return nil, err
		}
		out = append(out, time.Unix(start, 0).UTC())
	}
	return out, rows.Err()
}

// Balances returns the newest revision of each balance that starts within [from, to), oldest first.
func (r *Record) Balances(ctx context.Context, from, to time.Time) ([]Balance, error) {
	var out []Balance
	err := r.view(ctx, func(t *store.Tx) error {
		out = nil
		rows, err := t.Query("SELECT start, revision, "+balanceFigures+` FROM usage_balance AS u WHERE start >= ? AND start < ?
			AND NOT EXISTS (SELECT 1 FROM usage_balance AS n WHERE n.start = u.start AND n.revision > u.revision) ORDER BY start`, from.Unix(), to.Unix())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			b, err := scanBalance(rows.Scan)
			if err != nil {
				return err
			}
			out = append(out, b)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	return out, nil
}

// Events returns the newest revision of each event of a tenant (empty: of all) that overlaps
// [from, to), by tenant and beginning; one without an end is still on.
func (r *Record) Events(ctx context.Context, tenant string, from, to time.Time) ([]Event, error) {
	var out []Event
	err := r.view(ctx, func(t *store.Tx) error {
		out = nil
		list, err := tenants(t, tenant)
		if err != nil {
			return err
		}
		for _, x := range list {
			if out, err = events(t, x, from, to, out); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return out, nil
}

func events(t *store.Tx, x tenantID, from, to time.Time, out []Event) ([]Event, error) {
	rows, err := t.Query("SELECT "+eventFigures+` FROM usage_event AS u WHERE tenant = ? AND since < ? AND (until IS NULL OR until > ?)
		AND NOT EXISTS (SELECT 1 FROM usage_event AS n WHERE n.tenant = u.tenant AND n.since = u.since AND n.kind = u.kind AND n.ref = u.ref AND n.revision > u.revision)
		ORDER BY since, kind, ref`, x.id, to.UnixNano(), from.UnixNano())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanEvent(rows.Scan)
		if err != nil {
			return nil, err
		}
		e.Tenant = x.name
		out = append(out, e)
	}
	return out, rows.Err()
}

// Months returns the months ("2026-10") in the zone that have any balance, oldest first.
func (r *Record) Months(ctx context.Context, zone *time.Location) ([]string, error) {
	var out []string
	err := r.view(ctx, func(t *store.Tx) error {
		out = nil
		var first, last sql.NullInt64
		if err := t.QueryRow("SELECT MIN(start), MAX(start) FROM usage_balance").Scan(&first, &last); err != nil || !first.Valid {
			return err
		}
		at := time.Unix(first.Int64, 0).In(zone)
		for at = time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, zone); at.Unix() <= last.Int64; at = at.AddDate(0, 1, 0) {
			var n int
			if err := t.QueryRow("SELECT EXISTS (SELECT 1 FROM usage_balance WHERE start >= ? AND start < ?)", at.Unix(), at.AddDate(0, 1, 0).Unix()).Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				out = append(out, at.Format("2006-01"))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read months of usage: %w", err)
	}
	return out, nil
}

// Digest returns the SHA-256 of rows in hex, and how many they were: evidence that what a bill
// rests on is what is in the record. It ends at the first error of the sequence.
func Digest(rows iter.Seq2[Row, error]) (digest string, n int, err error) {
	h := sha256.New()
	var b strings.Builder
	for r, err := range rows {
		if err != nil {
			return "", n, err
		}
		b.Reset()
		fmt.Fprintf(&b, "%q %d %d %d %d %d %d %v %d %d %d %d %d %d %q %q\n", r.Tenant, r.Start.Unix(), r.Revision, int64(r.Critical), int64(r.Losses),
			int64(r.House), int(r.Quality), r.Cost.OK, int64(r.Cost.V), int64(r.Peak), int64(r.Wanted), int64(r.Short), int64(r.Down), int64(r.Reduced),
			joinGPUs(r.GPUs), joinEvidence(r.Evidence))
		_, _ = h.Write([]byte(b.String())) // a hash never fails
		n++
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}
