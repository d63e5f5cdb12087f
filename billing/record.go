package billing

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"switchyard/site"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"
)

// Gap is a stretch of intervals that the record does not have.
type Gap struct {
	Subject  string // empty: nothing at all is in the record
	From, To time.Time
}

// Gaps returns the intervals of [from, to) that are not in the record: of the whole site,
// and of single subjects that have others there. None twice is the table's own law. The
// whole of [from, to) must be over, or its end counts as a gap.
func (b *Book) Gaps(ctx context.Context, from, to time.Time) ([]Gap, error) {
	var out []Gap
	err := b.db.View(ctx, func(t *store.Tx) error {
		have, subjects, err := present(t, from, to)
		if err != nil {
			return err
		}
		out = nil
		any := map[int64]bool{}
		for _, starts := range have {
			for s := range starts {
				any[s] = true
			}
		}
		out = append(out, runs("", any, nil, from, to)...)
		for _, name := range subjects {
			out = append(out, runs(name, have[name], any, from, to)...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for gaps: %w", err)
	}
	return out, nil
}

func present(t *store.Tx, from, to time.Time) (map[string]map[int64]bool, []string, error) {
	rows, err := t.Query("SELECT subject, start FROM billing_interval WHERE start >= ? AND start < ? ORDER BY subject, start", from.Unix(), to.Unix())
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	have := map[string]map[int64]bool{}
	var names []string
	for rows.Next() {
		var name string
		var start int64
		if err := rows.Scan(&name, &start); err != nil {
			return nil, nil, err
		}
		if have[name] == nil {
			have[name] = map[int64]bool{}
			names = append(names, name)
		}
		have[name][start] = true
	}
	return have, names, rows.Err()
}

// runs joins the intervals that are not in have, and are in within (nil: all), into gaps.
func runs(name string, have, within map[int64]bool, from, to time.Time) []Gap {
	var out []Gap
	first := telemetry.Span(from)
	if first.Before(from) {
		first = first.Add(telemetry.Length)
	}
	for s := first; s.Before(to); s = s.Add(telemetry.Length) {
		if have[s.Unix()] || within != nil && !within[s.Unix()] {
			continue
		}
		if n := len(out); n > 0 && out[n-1].To.Equal(s) {
			out[n-1].To = s.Add(telemetry.Length)
			continue
		}
		out = append(out, Gap{Subject: name, From: s, To: s.Add(telemetry.Length)})
	}
	return out
}

// Records returns the settled records of the interval that starts at start.
func (b *Book) Records(ctx context.Context, start time.Time) (out []telemetry.Interval, err error) {
	err = b.db.View(ctx, func(t *store.Tx) (err error) {
		out, err = records(t, start)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read interval %s: %w", start.UTC().Format(time.RFC3339), err)
	}
	return out, nil
}

func records(t *store.Tx, start time.Time) ([]telemetry.Interval, error) {
	rows, err := t.Query(`SELECT subject, energy, hashes, sources, measured, estimated, missing
		FROM billing_interval WHERE start = ? ORDER BY subject`, start.Unix())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []telemetry.Interval
	for rows.Next() {
		r := telemetry.Interval{Start: start.UTC()}
		if err := rows.Scan(&r.Subject, (*int64)(&r.Energy), &r.Hashes, &r.Sources,
			(*int64)(&r.Measured), (*int64)(&r.Estimated), (*int64)(&r.Missing)); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

const closeColumns = "start, price, hashprice, short, energy_posted, mining_posted"

func readClose(t *store.Tx, start time.Time) (*status, error) {
	s, err := scanClose(t.QueryRow("SELECT "+closeColumns+" FROM billing_close WHERE start = ?", start.Unix()).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if s.Records, err = records(t, start); err != nil {
		return nil, err
	}
	return &s, nil
}

func scanClose(scan func(...any) error) (status, error) {
	var s status
	var start int64
	var price, hashprice sql.NullInt64
	var short string
	if err := scan(&start, &price, &hashprice, &short, &s.energyPosted, &s.miningPosted); err != nil {
		return s, err
	}
	s.Start, s.Price, s.Hashprice = time.Unix(start, 0).UTC(), known[unit.Price](price), known[unit.Hashprice](hashprice)
	if err := json.Unmarshal([]byte(short), &s.Short); err != nil {
		return s, fmt.Errorf("read shortfalls of %s: %w", s.Start.Format(time.RFC3339), err)
	}
	return s, nil
}

// Pending is an interval that is not wholly posted because a price is not known.
type Pending struct {
	Start            time.Time
	Price, Hashprice bool // what it waits for
}

// maxPending is how many intervals that wait for a price are looked at: more than a month.
const maxPending = 10_000

// Pending returns the intervals of [from, to) that wait for a price, oldest first, at most
// 10,000; a zero time is no bound.
func (b *Book) Pending(ctx context.Context, from, to time.Time) ([]Pending, error) {
	var out []Pending
	err := b.db.View(ctx, func(t *store.Tx) error {
		waiting, err := pending(t, from, to, maxPending)
		out = nil
		for _, s := range waiting {
			out = append(out, Pending{Start: s.Start, Price: !s.energyPosted, Hashprice: !s.miningPosted})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read pending intervals: %w", err)
	}
	return out, nil
}

// Price returns what a MWh cost in the interval from start, as it was posted; unknown while it
// waits for its price and where there is no such interval.
func (b *Book) Price(ctx context.Context, start time.Time) (site.Opt[unit.Price], error) {
	var price sql.NullInt64
	err := b.db.View(ctx, func(t *store.Tx) error {
		err := t.QueryRow("SELECT price FROM billing_close WHERE start = ?", start.Unix()).Scan(&price)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return site.Opt[unit.Price]{}, fmt.Errorf("read the price of %s: %w", start.UTC().Format(time.RFC3339), err)
	}
	return known[unit.Price](price), nil
}

func pending(t *store.Tx, from, to time.Time, limit int) ([]status, error) {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if !from.IsZero() {
		lo = from.Unix()
	}
	if !to.IsZero() {
		hi = to.Unix()
	}
	rows, err := t.Query("SELECT "+closeColumns+` FROM billing_close WHERE (energy_posted = 0 OR mining_posted = 0)
		AND start >= ? AND start < ? ORDER BY start LIMIT ?`, lo, hi, limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []status
	for rows.Next() {
		s, err := scanClose(rows.Scan)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// The kinds of the allocation's rows.
const (
	useConnection = "connection"
	useHall       = "hall"
	useLoss       = "loss"
	useRemainder  = "remainder"
)

func (b *Book) nodeName(i int) string { return string(b.c.Tree.Node(i).ID) }

func keepUse(t *store.Tx, start time.Time, u use, name func(int) string) error {
	put := func(kind, name string, a amount) error {
		_, err := t.Exec("INSERT INTO billing_use (start, kind, name, energy, share, quality) VALUES (?, ?, ?, ?, ?, ?)",
			start.Unix(), kind, name, int64(a.energy), int64(a.share), int(a.quality))
		return err
	}
	err := errors.Join(put(useConnection, name(0), u.connection), put(useRemainder, "", u.remainder))
	for _, h := range u.halls {
		err = errors.Join(err, put(useHall, name(h.node), h))
	}
	for _, l := range u.losses {
		err = errors.Join(err, put(useLoss, name(l.node), l))
	}
	return err
}

// quality of q as the record keeps it.
func quality(n int) site.Quality { return site.Quality(min(max(n, 0), int(site.Missing))) }
