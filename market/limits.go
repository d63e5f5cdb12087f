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
// daily one comes with the span of the day's occurrence. It never blocks.
func (l Limits) At(t time.Time) []site.Limit {
	var out []site.Limit
	for i, f := range l.limits {
		s := site.Limit{ID: fmt.Sprintf("file-%d", i+1), Node: site.NodeID(f.Node), Power: f.Power, From: f.From, To: f.To, By: "site file", Note: f.Note}
		if !s.In(t) {
			continue
		}
		if f.Daily != nil {
			from, to, ok := l.occurrence(*f.Daily, t)
			if !ok {
				continue
			}
			if s.From = later(s.From, from); s.To.IsZero() || to.Before(s.To) {
				s.To = to
			}
		}
		out = append(out, s)
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// occurrence returns the span of d that holds t. A span that ends before it begins runs
// past midnight. Times are of the wall clock, so that a day of 23 hours is met as written.
func (l Limits) occurrence(d sitefile.Daily, t time.Time) (from, to time.Time, ok bool) {
	begin, err1 := sitefile.ParseTimeOfDay(d.From)
	end, err2 := sitefile.ParseTimeOfDay(d.To)
	if err1 != nil || err2 != nil {
		return from, to, false // sitefile has refused it
	}
	if end <= begin {
		end += day
	}
	year, month, today := t.In(l.zone).Date()
	at := func(date int, of time.Duration) time.Time {
		return time.Date(year, month, date, 0, int(of/time.Minute), 0, 0, l.zone).UTC()
	}
	for _, date := range []int{today, today - 1} {
		if from, to = at(date, begin), at(date, end); !t.Before(from) && t.Before(to) {
			return from, to, true
		}
	}
	return from, to, false
}
