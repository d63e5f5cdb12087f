package outlook

import (
	"fmt"
	"math"
	"slices"
	"time"

	"switchyard/market"
	"switchyard/market/forecast"
	"switchyard/market/peaks"
	"switchyard/sitefile"
	"switchyard/unit"
)

const (
	// priceHistory is how far back prices are learned from when a Watch begins.
	priceHistory = 90 * 24 * time.Hour
	// loadHistory is the same of the grid's load: the season matters, and years tell of it.
	loadHistory = 3 * 366 * 24 * time.Hour
	// bidsClose is when a file's day-ahead prices of tomorrow are taken to be out, hours into the
	// day. Most markets publish around noon; one whose prices come sooner loses an hour or two of them.
	bidsClose = 14 * time.Hour
	// farAhead is how far ahead a market that is asked as it goes may have published.
	farAhead = 48 * time.Hour
	// shortest is the least interval that prices are learned by.
	shortest = time.Minute
	// worthHours bounds the prices that an hour's worth is judged by: a year of them.
	worthHours = 8784
)

// Watch learns from the market as time goes: what prices and grid peaks are to be expected.
// It uses what a market says of a time only once that time has come: a file that holds the
// future too is read as it would have been seen, day-ahead and reserve prices as they come out.
// What a market operator's feed says of the coming day is out, since it was asked just now.
type Watch struct {
	f     *sitefile.File
	m     *market.Market
	zone  *time.Location
	price *forecast.Forecaster // nil until the interval of the prices is known
	step  time.Duration
	told  time.Time // prices up to here were taken up
	ahead struct {  // day-ahead prices likewise
		to    time.Time
		hour  time.Time // that is being summed
		sum   float64
		count int
	}
	peaks []*peaks.Model
	loads []time.Time // of each charge, up to where
	hours []float64   // mean price of the last hours, $/MWh
	hour  struct {
		at    int64
		sum   float64
		count int
	}
	sorted   []float64
	grown    int
	value    unit.Price
	products map[string]*sitefile.Series // the reserves' prices
}

// NewWatch makes a Watch of a site's market. What must be learned is learned by Advance.
func NewWatch(f *sitefile.File, m *market.Market) *Watch {
	w := &Watch{f: f, m: m, zone: f.Location(), products: map[string]*sitefile.Series{}}
	for _, r := range f.Reserves {
		w.products[r.Name] = r.Price
	}
	for _, c := range f.Market.Charges.Coincident {
		w.peaks = append(w.peaks, peaks.New(peaks.RuleOf(c, w.zone)))
		w.loads = append(w.loads, time.Time{})
	}
	return w
}

// Interest tells what a MWh is worth to the site, adder included: prices near it are forecast
// the closest.
func (w *Watch) Interest(value unit.Price) {
	w.value = value
	if w.price != nil {
		w.price.Interest((value - w.f.Market.Price.Adder).DollarsPerMWh())
	}
}

// Advance takes up what the market says of the time up to now: the price of the interval
// that holds now is known if the market has told it. Times never go back. It does not block;
// the first call reads months of prices and years of loads, which takes a second or so.
func (w *Watch) Advance(now time.Time) error {
	w.load(now)
	from := w.told
	if from.IsZero() {
		from = now.Add(-priceHistory)
	}
	if w.price == nil {
		if err := w.begin(from, now); err != nil || w.price == nil {
			return err
		}
	}
	w.dayAhead(from, now)
	adder := w.f.Market.Price.Adder
	for _, q := range w.m.Prices(from, now.Add(time.Nanosecond)) {
		if !q.Known || q.Stale {
			continue
		}
		at := q.From.Truncate(w.step)
		if at.Before(w.told) {
			at = w.told
		}
		for ; at.Before(q.To) && !at.After(now); at = at.Add(w.step) {
			v := (q.Price - adder).DollarsPerMWh()
			w.price.Observe(at, v)
			w.worth(at, v)
			w.told = at.Add(w.step)
		}
	}
	return nil
}

// begin finds the interval of the prices and makes the forecaster.
func (w *Watch) begin(from, now time.Time) error {
	q := w.m.Price(now)
	if !q.Known || q.To.Sub(q.From) <= 0 {
		for _, x := range w.m.Prices(from, now) {
			if x.Known {
				q = x
			}
		}
	}
	if !q.Known {
		return nil // no price yet
	}
	w.step = max(q.To.Sub(q.From), shortest)
	for _, d := range []time.Duration{time.Hour, 30 * time.Minute, 15 * time.Minute, 5 * time.Minute, shortest} {
		if w.step >= d { // an interval that does not divide the hour, or the last of a gap
			w.step = d
			break
		}
	}
	f, err := forecast.New(forecast.Options{Interval: w.step, Zone: w.zone})
	if err != nil {
		return fmt.Errorf("forecast prices of %v: %w", w.step, err)
	}
	w.price = f
	w.Interest(w.value)
	return nil
}

// published is up to when what the market sells a day ahead is out at now.
func (w *Watch) published(now time.Time, s *sitefile.Series) time.Time {
	if s != nil && s.Feed != nil {
		if _, local := s.Feed.Local(); !local {
			return now.Add(farAhead)
		}
	}
	y, m, d := now.In(w.zone).Date()
	days := 1
	if !now.Before(time.Date(y, m, d, 0, 0, int(bidsClose/time.Second), 0, w.zone)) {
		days = 2
	}
	return time.Date(y, m, d+days, 0, 0, 0, 0, w.zone)
}

// dayAhead takes up the day-ahead prices that are out at now: of each hour the mean.
func (w *Watch) dayAhead(from, now time.Time) {
	a := &w.ahead
	if a.to.After(from) {
		from = a.to
	}
	to := w.published(now, w.f.Market.DayAhead)
	for _, q := range w.m.DayAheads(from, to) {
		if !q.Known || q.Stale {
			continue
		}
		price := (q.Price - w.f.Market.Price.Adder).DollarsPerMWh()
		at := q.From
		if at.Before(a.to) {
			at = a.to
		}
		for at.Before(q.To) && at.Before(to) {
			hour := at.Truncate(time.Hour)
			if !hour.Equal(a.hour) {
				a.hour, a.sum, a.count = hour, 0, 0
			}
			a.sum, a.count = a.sum+price, a.count+1
			w.price.DayAhead(hour, a.sum/float64(a.count))
			if at = hour.Add(time.Hour); q.To.Before(at) {
				at = q.To
			}
			a.to = at
		}
	}
}

// load hands the grid's loads to the peaks' models, which look at them once they are published.
func (w *Watch) load(now time.Time) {
	for i, m := range w.peaks {
		from := w.loads[i]
		if from.IsZero() {
			from = now.Add(-loadHistory)
		}
		step := m.Rule().Interval
		for _, q := range w.m.PeakLoads(i, from, now) {
			if !q.Known || q.Stale {
				continue
			}
			// An interval longer than the rule's stands for each of its parts.
			for at := q.From; at.Before(q.To) && at.Before(now); at = at.Add(step) {
				if !at.Before(w.loads[i]) {
					m.Observe(peaks.Load{Start: at, Power: q.Load})
					w.loads[i] = at.Add(step)
				}
			}
		}
	}
}

// worth keeps the mean price of each hour, to judge what the dearest hours are worth.
func (w *Watch) worth(at time.Time, price float64) {
	h := at.Unix() / 3600
	if h != w.hour.at && w.hour.count > 0 {
		w.hours = append(w.hours, w.hour.sum/float64(w.hour.count))
		if extra := len(w.hours) - worthHours; extra > 0 {
			w.hours = slices.Delete(w.hours, 0, extra)
		}
		w.grown++
		w.hour.sum, w.hour.count = 0, 0
	}
	w.hour.at = h
	w.hour.sum += price
	w.hour.count++
}

// HourWorth returns the price that only so large a share of the last year's hours exceeded,
// adder not included; false before a week of prices.
func (w *Watch) HourWorth(share float64) (unit.Price, bool) {
	if len(w.hours) < 7*24 {
		return 0, false
	}
	if w.grown >= 24 || w.sorted == nil {
		w.sorted, w.grown = slices.Clone(w.hours), 0
		slices.Sort(w.sorted)
	}
	i := int(math.Round((1 - share) * float64(len(w.sorted)-1)))
	return unit.DollarsPerMWh(w.sorted[min(max(i, 0), len(w.sorted)-1)]), true
}

// Expect returns the mean price expected over [from, to), without the adder: what is known of
// the interval that is running, and the forecast of what comes after it.
func (w *Watch) Expect(_, from, to time.Time) (unit.Price, bool) {
	if w.price == nil || !from.Before(to) {
		return 0, false
	}
	known, covered := unit.Price(0), time.Duration(0)
	later := from
	if from.Before(w.told) {
		later = w.told
		if to.Before(later) {
			later = to
		}
		known, covered = w.known(from, later)
	}
	if !later.Before(to) {
		return known, covered > 0
	}
	v, ok := w.price.Expect(later, to)
	if !ok {
		return known, covered > 0
	}
	rest := to.Sub(later)
	total := (float64(known)*float64(covered) + float64(unit.DollarsPerMWh(v))*float64(rest)) / float64(covered+rest)
	return unit.Price(math.Round(total)), true
}

// known is the mean price of [from, to), which has been told, and of how much of it.
func (w *Watch) known(from, to time.Time) (unit.Price, time.Duration) {
	v, covered := mean(w.m.Prices(from, to), from, to)
	return v - w.f.Market.Price.Adder, covered
}

// Quantiles returns the prices, without the adder, below which the interval that holds t stays
// with a chance of 10, 50 and 90 per cent: of the interval that is running its price, three
// times; false where nothing is known of that time.
func (w *Watch) Quantiles(t time.Time) (out [3]unit.Price, ok bool) {
	if w.price == nil {
		return out, false
	}
	if t.Before(w.told) {
		v, covered := w.known(t, t.Add(time.Nanosecond))
		return [3]unit.Price{v, v, v}, covered > 0
	}
	q, ok := w.price.Quantiles(t)
	for k, v := range q {
		out[k] = unit.DollarsPerMWh(v)
	}
	return out, ok
}

// DayAhead returns the day-ahead price of the interval that holds t as far as it is out at
// now, the adder included; else a quote that is not known.
func (w *Watch) DayAhead(now, t time.Time) market.Quote {
	q := w.m.DayAhead(t)
	if !t.Before(w.published(now, w.f.Market.DayAhead)) {
		q.Known, q.Reason = false, "it is not out yet"
	}
	return q
}

// Peaks returns how many peaks of the i-th coincident charge the span from a to b is expected
// to hold, from what is known at now. It is what Sources.Peaks asks for.
func (w *Watch) Peaks(i int, now, a, b time.Time) float64 {
	if i < 0 || i >= len(w.peaks) {
		return 0
	}
	return w.peaks[i].Expected(now, a, b)
}

// Reserve returns what the reserve called name is expected to earn over [from, to): its
// price where it is out, else that of the same time a day before, up to a week back; false
// where nothing is known. Capacity is sold with the day-ahead market, and is out with it.
func (w *Watch) Reserve(name string, now, from, to time.Time) (unit.Price, bool) {
	out := w.published(now, w.products[name])
	for back := range 8 {
		a, b := from.AddDate(0, 0, -back), to.AddDate(0, 0, -back)
		if b.After(out) {
			continue
		}
		if v, covered := mean(w.m.ReservePrices(name, a, b), a, b); covered > 0 {
			return v, true
		}
	}
	return 0, false
}

// Sources returns the Watch as the sources of an Outlook.
func (w *Watch) Sources() Sources {
	s := Sources{Prices: w, Reserve: w.Reserve, HourWorth: w.HourWorth}
	if len(w.peaks) > 0 {
		s.Peaks = w.Peaks
	}
	return s
}
