package ahead

import (
	"slices"
	"time"

	"switchyard/sitefile"
	"switchyard/unit"
)

// Demand keeps the highest mean power of each demand charge's intervals in the current month,
// from the connection's meter. It is one goroutine's, and is kept as JSON.
type Demand struct {
	Month string                `json:"month"` // "2026-07", site time zone
	Peaks map[string]unit.Power `json:"peaks"` // by the charge's name
	Open  map[string]*window    `json:"open"`
}

// window is the interval that is being filled.
type window struct {
	Start time.Time  `json:"start"`
	Last  time.Time  `json:"last"`
	Power unit.Power `json:"power"` // at Last
	Sum   float64    `json:"sum"`   // mW x s
	For   float64    `json:"for"`   // s
}

// gap is how long a reading stands for the time until the next.
const gap = 2 * time.Minute

// Observe takes in one reading of the connection's meter, in time's order.
func (d *Demand) Observe(charges []sitefile.DemandCharge, zone *time.Location, at time.Time, p unit.Power) {
	local := at.In(zone)
	if m := local.Format("2006-01"); m != d.Month {
		d.Month, d.Peaks, d.Open = m, map[string]unit.Power{}, map[string]*window{}
	}
	if d.Peaks == nil || d.Open == nil {
		d.Peaks, d.Open = map[string]unit.Power{}, map[string]*window{}
	}
	for i := range charges {
		c := &charges[i]
		if c.Interval <= 0 || !counts(c, local) {
			delete(d.Open, c.Name)
			continue
		}
		start := at.Truncate(c.Interval)
		w := d.Open[c.Name]
		if w != nil && at.Sub(w.Last) <= gap {
			d.fill(c, w, at)
		}
		if w == nil || !w.Start.Equal(start) {
			next := &window{Start: start, Last: at}
			if w != nil && at.Sub(w.Last) <= gap { // from the mark on it went as it was before it
				next.Last, next.Power = start, w.Power
				d.fill(c, next, at)
			}
			w = next
			d.Open[c.Name] = w
		}
		w.Last, w.Power = at, p
	}
}

// fill counts what was drawn from the window's last reading to at, within the window. Once
// most of an interval was seen, what it stands at is a peak already, and it only grows.
func (d *Demand) fill(c *sitefile.DemandCharge, w *window, at time.Time) {
	if end := w.Start.Add(c.Interval); at.After(end) {
		at = end
	}
	if since := at.Sub(w.Last).Seconds(); since > 0 {
		w.Sum += float64(w.Power) * since
		w.For += since
	}
	if w.For >= c.Interval.Seconds()/2 {
		d.Peaks[c.Name] = max(d.Peaks[c.Name], unit.Power(w.Sum/c.Interval.Seconds()))
	}
}

// counts says whether power at a local time counts for the charge.
func counts(c *sitefile.DemandCharge, local time.Time) bool {
	if len(c.Months) > 0 && !slices.Contains(c.Months, int(local.Month())) {
		return false
	}
	if day := local.Weekday(); c.Weekdays && (day == time.Saturday || day == time.Sunday) {
		return false
	}
	if c.Daily == nil {
		return true
	}
	from, err1 := sitefile.ParseTimeOfDay(c.Daily.From)
	to, err2 := sitefile.ParseTimeOfDay(c.Daily.To)
	if err1 != nil || err2 != nil {
		return true // sitefile has refused it
	}
	of := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute
	if from < to {
		return of >= from && of < to
	}
	return of >= from || of < to
}
