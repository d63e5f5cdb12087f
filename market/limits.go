package market

import (
	"fmt"
	"time"

	"switchyard/site"
	"switchyard/sitefile"
)

// Limits are the limits that the site file sets, standing or on the calendar.
type Limits struct {
	limits []sitefile.Limit
	zone   *time.Location
}

// FileLimits returns the limits of a file that sitefile has passed.
func FileLimits(f *sitefile.File) Limits { return Limits{f.Limits, f.Location()} }

// At returns the limits in force at t, as "file-1" and so on in the order of the file. A
// daily one comes with the span of the day's occurrence, as "file-2@2026-07-10". It never blocks.
func (l Limits) At(t time.Time) []site.Limit { return l.Between(t, t.Add(1)) }

// maxWindow bounds how far Between looks ahead: a daily limit has an occurrence a day.
const maxWindow = 366 * day

// Turns returns the timed limits that began and that ended between two looks, and those in
// force at now, by id: the before of the next look. It never blocks.
func (l Limits) Turns(before map[string]site.Limit, now time.Time) (began, ended []site.Limit, active map[string]site.Limit) {
	active = map[string]site.Limit{}
	for _, m := range l.At(now) {
		if m.From.IsZero() && m.To.IsZero() {
			continue // always in force: no news
		}
		active[m.ID] = m
		if _, was := before[m.ID]; !was {
			began = append(began, m)
		}
	}
	for id, m := range before {
		if _, still := active[id]; !still {
			ended = append(ended, m)
		}
	}
	return began, ended, active
}

// Between returns the limits that hold at some time in [from, to), at most a year of it. A
// daily one comes once for each of its occurrences, cut to the limit's own from and to.
func (l Limits) Between(from, to time.Time) []site.Limit {
	var out []site.Limit
	if end := from.Add(maxWindow); to.After(end) {
		to = end
	}
	for i, f := range l.limits {
		s := site.Limit{ID: fmt.Sprintf("file-%d", i+1), Node: site.NodeID(f.Node), Power: f.Power, From: f.From, To: f.To, By: "site file", Note: f.Note}
		if f.Daily == nil {
			if touches(s, from, to) {
				out = append(out, s)
			}
			continue
		}
		for _, o := range l.occurrences(*f.Daily, from, to) {
			d := s
			d.ID += "@" + o[0].In(l.zone).Format(time.DateOnly) // each occurrence is a limit of its own
			if d.From = later(s.From, o[0]); s.To.IsZero() || o[1].Before(s.To) {
				d.To = o[1]
			}
			if d.From.Before(d.To) && touches(d, from, to) {
				out = append(out, d)
			}
		}
	}
	return out
}

func touches(s site.Limit, from, to time.Time) bool {
	return s.From.Before(to) && (s.To.IsZero() || s.To.After(from))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// occurrences returns the spans of d that touch [from, to). A span that ends before it
// begins runs past midnight. Times are of the wall clock, so that a day of 23 hours is met
// as written.
func (l Limits) occurrences(d sitefile.Daily, from, to time.Time) (out [][2]time.Time) {
	begin, err1 := sitefile.ParseTimeOfDay(d.From)
	end, err2 := sitefile.ParseTimeOfDay(d.To)
	if err1 != nil || err2 != nil {
		return nil // sitefile has refused it
	}
	if end <= begin {
		end += day
	}
	year, month, date := from.In(l.zone).Date()
	at := func(date int, of time.Duration) time.Time {
		return time.Date(year, month, date, 0, int(of/time.Minute), 0, 0, l.zone).UTC()
	}
	for n := date - 1; at(n, begin).Before(to); n++ { // yesterday's may run into today
		if at(n, end).After(from) {
			out = append(out, [2]time.Time{at(n, begin), at(n, end)})
		}
	}
	return out
}
