// Package peaks owns the grid's coincident peaks: when they were, for the bill, and how likely
// an interval ahead is to be one, from the grid's load alone.
//
// It never reads a clock, the network or the disk, and it never knows a load before its
// publication: what Chance says of a time rests on what was known then. It never says what a
// load does about a peak.
//
// Concurrency: a Model belongs to one goroutine at a time; Find is pure.
package peaks

import (
	"slices"
	"sort"
	"time"

	"switchyard/sitefile"
	"switchyard/unit"
)

// Rule says which intervals are peaks: in each of Months the Count intervals of the highest
// load, each on a day of its own.
type Rule struct {
	Months   []time.Month // empty: every month
	Count    int          // a month; zero means one
	Interval time.Duration
	Zone     *time.Location // days and months are in it; nil means UTC
	// Lag is how long after an interval's end its load is known. Zero means one interval,
	// negative at once.
	Lag time.Duration
}

// RuleOf returns the rule of a charge that sitefile has passed, in the site's time zone.
func RuleOf(c sitefile.CoincidentCharge, zone *time.Location) Rule {
	r := Rule{Count: c.Count, Interval: c.Interval, Zone: zone}
	for _, m := range c.Months {
		r.Months = append(r.Months, time.Month(m))
	}
	return r
}

// Rate returns what one peak costs: the year's charge over all its peaks, per kW drawn in one.
func Rate(c sitefile.CoincidentCharge) unit.CapacityRate {
	peaks := len(c.Months) * max(c.Count, 1)
	if peaks == 0 {
		peaks = 12 * max(c.Count, 1)
	}
	return c.Rate * 12 / unit.CapacityRate(peaks)
}

// Adder tells the chance of a peak per MWh: what the power of a step that lasts for length
// is expected to add to the charge, over its energy. expected is how many peaks the step is
// expected to hold: the sum over its intervals of chance x the share of the interval in it.
func Adder(rate unit.CapacityRate, expected float64, length time.Duration) unit.Price {
	if length <= 0 {
		return 0
	}
	return unit.DollarsPerMWh(rate.DollarsPerKWMonth() * 1000 * expected / length.Hours())
}

func (r Rule) normal() Rule {
	r.Count = max(r.Count, 1)
	if r.Interval <= 0 {
		r.Interval = time.Hour
	}
	if r.Zone == nil {
		r.Zone = time.UTC
	}
	switch {
	case r.Lag == 0:
		r.Lag = r.Interval
	case r.Lag < 0:
		r.Lag = 0
	}
	return r
}

// counts says whether the month has peaks at all.
func (r Rule) counts(m time.Month) bool {
	return len(r.Months) == 0 || slices.Contains(r.Months, m)
}

// slots is how many intervals a day has.
func (r Rule) slots() int { return max(int(24*time.Hour/r.Interval), 1) }

// place returns the local day, counted from 1970, and the interval of the day that hold t.
// The hour that daylight saving repeats stands in one slot twice.
func (r Rule) place(t time.Time) (date, slot int) {
	l := t.In(r.Zone)
	y, m, d := l.Date()
	of := time.Duration(l.Hour())*time.Hour + time.Duration(l.Minute())*time.Minute + time.Duration(l.Second())*time.Second
	return dayNumber(y, m, d), min(int(of/r.Interval), r.slots()-1)
}

func dayNumber(y int, m time.Month, d int) int {
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86_400)
}

func dateOf(day int) time.Time { return time.Unix(int64(day)*86_400, 0).UTC() }

// month numbers the months, so that two days of one month have one number.
func month(day int) int {
	t := dateOf(day)
	return t.Year()*12 + int(t.Month())
}

func weekend(day int) float64 {
	if w := dateOf(day).Weekday(); w == time.Saturday || w == time.Sunday {
		return 1
	}
	return 0
}

// Load is the grid's load over one interval.
type Load struct {
	Start time.Time
	Power unit.Power // mean; not positive means not known
}

// Find returns the starts of the peak intervals of complete data, in time's order: of each
// month that has any load the Count highest days' highest intervals. Of equal loads the
// first counts. Loads shorter than the rule's interval are averaged over it.
func Find(loads []Load, rule Rule) []time.Time {
	r := rule.normal()
	type peak struct {
		at    time.Time
		power unit.Power
	}
	byDay := map[int]peak{}
	for _, l := range merge(loads, r) {
		day, _ := r.place(l.Start)
		if !r.counts(dateOf(day).Month()) {
			continue
		}
		if p, ok := byDay[day]; !ok || l.Power > p.power || l.Power == p.power && l.Start.Before(p.at) {
			byDay[day] = peak{l.Start, l.Power}
		}
	}
	months := map[int][]peak{}
	for day, p := range byDay {
		months[month(day)] = append(months[month(day)], p)
	}
	var out []time.Time
	for _, ps := range months {
		sort.Slice(ps, func(i, j int) bool {
			if ps[i].power != ps[j].power {
				return ps[i].power > ps[j].power
			}
			return ps[i].at.Before(ps[j].at)
		})
		for _, p := range ps[:min(r.Count, len(ps))] {
			out = append(out, p.at)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}

// merge averages loads over the rule's intervals; what is unknown is left out.
func merge(loads []Load, r Rule) []Load {
	sum, n := map[int64]float64{}, map[int64]int{}
	for _, l := range loads {
		if l.Power <= 0 {
			continue
		}
		k := l.Start.Truncate(r.Interval).Unix()
		sum[k] += float64(l.Power)
		n[k]++
	}
	out := make([]Load, 0, len(sum))
	for k, s := range sum {
		out = append(out, Load{Start: time.Unix(k, 0).UTC(), Power: unit.Power(s / float64(n[k]))})
	}
	return out
}
