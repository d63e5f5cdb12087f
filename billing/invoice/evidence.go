package invoice

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/url"
	"sort"
	"strconv"
	"time"

	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/telemetry"
)

// appendRow appends a row as it is hashed: every figure, in a fixed order, by name.
func appendRow(b []byte, r *usage.Row) []byte {
	n := func(name string, v int64) {
		b = append(b, ' ')
		b = append(b, name...)
		b = append(b, '=')
		b = strconv.AppendInt(b, v, 10)
	}
	text := func(name, v string) {
		b = append(b, ' ')
		b = append(b, name...)
		b = append(b, '=')
		b = strconv.AppendQuote(b, v)
	}
	b = strconv.AppendQuote(b, r.Tenant)
	n("start", r.Start.Unix())
	n("revision", int64(r.Revision))
	n("critical_mwh", int64(r.Critical))
	n("billed_mwh", int64(r.Billed))
	text("quality", r.Quality.String())
	if r.Cost.OK {
		n("cost_micro", int64(r.Cost.V))
	} else {
		text("cost_micro", "unknown")
	}
	for _, g := range r.GPUs {
		text("gpu", g.Model)
		text("sale", string(g.How))
		n("used_ns", int64(g.Used))
		n("held_ns", int64(g.Held))
	}
	n("wanted_mwh", int64(r.Wanted))
	n("short_mwh", int64(r.Short))
	n("down_ns", int64(r.Down))
	n("reduced_ns", int64(r.Reduced))
	n("peak_mw", int64(r.Peak))
	for _, e := range r.Evidence {
		text("evidence", e)
	}
	return append(b, '\n')
}

// HashRows is the SHA-256, in hexadecimal, of rows in the order of their starts: the same
// figures give the same hash wherever they are read.
func HashRows(rows []usage.Row) string {
	h := sha256.New()
	hashRows(h, rows)
	return hex.EncodeToString(h.Sum(nil))
}

func hashRows(h hash.Hash, rows []usage.Row) {
	buf := make([]byte, 0, 1<<10)
	for i := range rows {
		buf = appendRow(buf[:0], &rows[i])
		_, _ = h.Write(buf) // a hash takes all
	}
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
