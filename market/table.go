package market

import (
	"fmt"
	"slices"
	"sort"
	"time"
)

// row is one interval of a table. It ends after its length, or sooner at the next row.
type row[T any] struct {
	start  int64 // Unix seconds
	value  T
	length int64 // seconds; zero: the table's interval
}

// table is a file's rows by time. It is immutable once made.
type table[T any] struct {
	rows     []row[T]
	interval time.Duration
	stale    time.Duration
	source   string
}

// hit is what a table knows of a time.
type hit[T any] struct {
	value        T
	from, to     time.Time
	known, stale bool
	reason       string
}

func (t *table[T]) start(i int) time.Time { return time.Unix(t.rows[i].start, 0).UTC() }

// end returns where row i ends: after the interval, or where the next row begins.
func (t *table[T]) end(i int) time.Time {
	end := t.start(i).Add(t.interval)
	if n := t.rows[i].length; n > 0 {
		end = t.start(i).Add(time.Duration(n) * time.Second)
	}
	if i+1 < len(t.rows) && t.start(i+1).Before(end) {
		return t.start(i + 1)
	}
	return end
}

// next returns the index of the first row that starts after at.
func (t *table[T]) next(at time.Time) int {
	return sort.Search(len(t.rows), func(i int) bool { return t.start(i).After(at) })
}

func (t *table[T]) at(at time.Time) hit[T] {
	i := t.next(at) - 1
	if i < 0 {
		return hit[T]{from: at, to: at, reason: t.covers()}
	}
	h := hit[T]{value: t.rows[i].value, from: t.start(i), to: t.end(i), known: true}
	if at.Before(h.to) {
		return h
	}
	last := i+1 == len(t.rows)
	if at.Before(h.to.Add(t.stale)) {
		h.stale = true
		h.reason = fmt.Sprintf("the last price known ended at %s and counts for %v longer", stamp(h.to), t.stale)
		return h
	}
	h = hit[T]{from: h.to, to: at, reason: t.covers()}
	if !last {
		h.to = t.start(i + 1)
		h.reason = fmt.Sprintf("%s has a gap from %s to %s", t.source, stamp(h.from), stamp(h.to))
	}
	return h
}

// covers says which time the file is about.
func (t *table[T]) covers() string {
	n := len(t.rows)
	return fmt.Sprintf("%s covers %s to %s", t.source, stamp(t.start(0)), stamp(t.end(n-1)))
}

// series returns the rows that touch [from, to) and the gaps between them.
func (t *table[T]) series(from, to time.Time) []hit[T] {
	var out []hit[T]
	if !from.Before(to) {
		return nil
	}
	gap := func(a, b time.Time) {
		if a.Before(b) {
			out = append(out, hit[T]{from: a, to: b, reason: "no row for this time; " + t.covers()})
		}
	}
	reached := from
	for i := max(t.next(from)-1, 0); i < len(t.rows) && t.start(i).Before(to); i++ {
		start, end := t.start(i), t.end(i)
		if !end.After(from) {
			continue
		}
		gap(reached, start)
		out = append(out, hit[T]{value: t.rows[i].value, from: start, to: end, known: true})
		reached = end
	}
	gap(reached, to)
	return out
}

// newTable sorts the rows; of rows with the same start the later in the file counts.
// Interval zero means the commonest distance.
func newTable[T any](rows []row[T], interval, stale time.Duration, source string) *table[T] {
	sort.SliceStable(rows, func(i, j int) bool { return rows[i].start < rows[j].start })
	kept := rows[:0]
	for i, r := range rows {
		if i+1 == len(rows) || rows[i+1].start != r.start {
			kept = append(kept, r)
		}
	}
	t := &table[T]{rows: slices.Clip(kept), interval: interval, stale: stale, source: source}
	if t.interval <= 0 {
		t.interval = t.commonest()
	}
	return t
}

// commonest returns the distance between rows that occurs most, the shorter one of equals,
// at most a day: rows further apart have gaps between them. It is an hour for one row.
func (t *table[T]) commonest() time.Duration {
	count := map[int64]int{}
	for i := 1; i < len(t.rows); i++ {
		count[t.rows[i].start-t.rows[i-1].start]++
	}
	best := int64(3600)
	for d, n := range count {
		if m := count[best]; n > m || n == m && d < best {
			best = d
		}
	}
	return time.Duration(min(best, int64(day/time.Second))) * time.Second
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }
