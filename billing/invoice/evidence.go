package invoice

import (
	"net/url"
	"sort"
	"time"

	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/telemetry"
)

// HashRows is the SHA-256, in hexadecimal, of rows in the order of their starts, as the record
// of usage hashes them: the same figures give the same hash wherever they are read.
func HashRows(rows []usage.Row) string {
	digest, _, _ := usage.Digest(func(yield func(usage.Row, error) bool) { // rows in memory have no error
		for i := range rows {
			if !yield(rows[i], nil) {
				return
			}
		}
	})
	return digest
}

// between returns the rows of [from, to); rows are in the order of their starts.
func between(rows []usage.Row, from, to time.Time) []usage.Row {
	lo := sort.Search(len(rows), func(i int) bool { return !rows[i].Start.Before(from) })
	hi := sort.Search(len(rows), func(i int) bool { return !rows[i].Start.Before(to) })
	return rows[lo:max(lo, hi)]
}

// evidence ties a line to the rows of [from, to).
func (b *bill) evidence(kind LineKind, from, to time.Time, notes ...string) Evidence {
	from, to = from.UTC(), to.UTC()
	e := Evidence{From: from, To: to, Link: link(b.in.Contract.Tenant, kind, from, to), Notes: notes}
	key := [2]int64{from.Unix(), to.Unix()}
	q, known := b.seen[key]
	if !known {
		rows := between(b.in.Rows, from, to)
		q.intervals = len(rows)
		for i := range rows {
			switch rows[i].Quality {
			case site.Estimated:
				q.estimated++
			case site.Missing:
				q.missing++
			}
		}
		over := to
		if b.in.Now.Before(to) {
			over = b.in.Now
		}
		q.missing += max(0, int(over.Sub(from)/telemetry.Length)-len(rows))
		if len(rows) > 0 {
			q.hash = HashRows(rows)
		}
		b.seen[key] = q
	}
	e.Intervals, e.Estimated, e.Missing, e.SHA256 = q.intervals, q.estimated, q.missing, q.hash
	return e
}

// counted is what is known of a stretch of rows.
type counted struct {
	intervals, estimated, missing int
	hash                          string
}

// link is the path and query on our API that lists a line's intervals.
func link(tenant string, kind LineKind, from, to time.Time) string {
	return "/api/v1/tenants/" + url.PathEscape(tenant) + "/usage?from=" + from.UTC().Format(time.RFC3339) +
		"&to=" + to.UTC().Format(time.RFC3339) + "&line=" + url.QueryEscape(string(kind))
}
