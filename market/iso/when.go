package iso

import (
	"fmt"
	"time"
)

// instants returns the moments at which clocks in a place show the wall time w, whose own zone
// is not looked at: none in the hour that spring leaves out, two in the one that autumn repeats.
func instants(w time.Time, loc *time.Location) []time.Time {
	y, m, d := w.Date()
	at := time.Date(y, m, d, w.Hour(), w.Minute(), w.Second(), 0, loc)
	shows := func(t time.Time) bool {
		const form = "20060102150405"
		return t.Format(form) == w.Format(form)
	}
	var out []time.Time
	for _, t := range []time.Time{at.Add(-time.Hour), at, at.Add(time.Hour)} {
		if shows(t) {
			out = append(out, t)
		}
	}
	return out
}

// flagged returns the moment of a wall time where the report says of the repeated hour which
// one it is.
func flagged(w time.Time, loc *time.Location, second bool) (time.Time, error) {
	all := instants(w, loc)
	switch {
	case len(all) == 0:
		return time.Time{}, missingHour(w)
	case second:
		return all[len(all)-1], nil
	}
	return all[0], nil
}

// ordered returns the moment of a wall time where only the report's order tells which of the
// repeated hour's it is: the first, unless its series has been there already.
func (r *reader) ordered(series string, w time.Time, loc *time.Location) (time.Time, error) {
	all := instants(w, loc)
	if len(all) == 0 {
		return time.Time{}, missingHour(w)
	}
	t := all[0]
	if last, ok := r.last[series]; ok && len(all) == 2 && !t.After(last) {
		t = all[1]
	}
	r.last[series] = t
	return t, nil
}

func missingHour(w time.Time) error {
	return fmt.Errorf("%s is not on that day's clock, which went forward over it", w.Format("2006-01-02 15:04"))
}

// abbreviated returns the moment of a wall time whose zone stands beside it, as EDT or EST.
func abbreviated(w time.Time, zone string) (time.Time, bool) {
	hours, ok := map[string]int{"EDT": -4, "EST": -5, "CDT": -5, "CST": -6}[zone]
	if !ok {
		return time.Time{}, false
	}
	y, m, d := w.Date()
	return time.Date(y, m, d, w.Hour(), w.Minute(), w.Second(), 0, time.FixedZone(zone, hours*3600)), true
}

// place loads a zone of the IANA list that is known to be there.
func place(name string) (*time.Location, error) {
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("the time zone %s is not on this machine: %w", name, err)
	}
	return loc, nil
}
