package ahead

import (
	"slices"
	"time"

	"switchyard/market"
	"switchyard/market/forecast"
	"switchyard/market/peaks"
	"switchyard/sitefile"
	"switchyard/unit"
)

const (
	// warm is how much of the past is read at the start, where the feeds have it.
	warm = 30 * 24 * time.Hour
	// warmLoad is the same of the grid's load: peaks go by season.
	warmLoad = 400 * 24 * time.Hour
	// mostKept bounds the prices kept for what dear hours are worth: a year of hours.
	mostKept = 8784
)

// prices is what is known of prices and loads, at no time more than was known then. It is one
// goroutine's.
type prices struct {
	m     *market.Market
	adder unit.Price
	zone  *time.Location

	f      *forecast.Forecaster // nil until the length of an interval is known
	to     time.Time            // observed up to here
	ahead  time.Time            // day-ahead prices are told up to here
	now    market.Quote         // the interval that holds now; its adder taken off
	dear   []unit.Price         // of past hours, oldest first
	hour   time.Time            // that is being summed
	sum    float64
	count  int
	peaks  []*peaks.Model // of each coincident charge
	loaded []time.Time
	source string
}

func newPrices(m *market.Market, f *sitefile.File) *prices {
	p := &prices{m: m, adder: f.Market.Price.Adder, zone: f.Location()}
	for _, c := range f.Market.Charges.Coincident {
		p.peaks = append(p.peaks, peaks.New(peaks.RuleOf(c, p.zone)))
	}
	p.loaded = make([]time.Time, len(p.peaks))
	return p
}

// learn takes up what became known until now. interest is what a MWh is worth to the site.
func (p *prices) learn(now time.Time, interest unit.Price) {
	q := p.m.Price(now)
	if p.now = q; !q.Known {
		p.now = market.Quote{}
	}
	p.now.Price -= p.adder
	p.source = q.Source
	if p.f == nil && q.Known {
		if step := q.To.Sub(q.From); step > 0 && step <= time.Hour {
			p.f, _ = forecast.New(forecast.Options{Interval: step, Zone: p.zone}) // an odd interval has no forecast: the price is taken to last
		}
	}
	if p.f == nil {
		p.load(now)
		return
	}
	p.f.Interest(interest.DollarsPerMWh())
	from := p.to
	if from.IsZero() {
		from = now.Add(-warm)
		p.ahead = from
	}
	for _, d := range p.m.DayAheads(p.ahead, now.Add(48*time.Hour)) {
		if d.Known && !d.Stale && !d.From.Before(p.ahead) {
			for at := d.From; at.Before(d.To); at = at.Add(time.Hour) {
				p.f.DayAhead(at, (d.Price - p.adder).DollarsPerMWh())
			}
			p.ahead = d.To
		}
	}
	for _, x := range p.m.Prices(from, now.Add(1)) {
		if !x.Known || x.Stale || x.From.Before(from) || x.From.After(now) {
			continue // a gap, seen before, or not yet
		}
		p.f.Observe(x.From, (x.Price - p.adder).DollarsPerMWh())
		p.remember(x.From, x.Price-p.adder)
		p.to = x.To
	}
	p.load(now)
}

// load hands the models of coincident peaks the loads that became known.
func (p *prices) load(now time.Time) {
	for i, m := range p.peaks {
		from := p.loaded[i]
		if from.IsZero() {
			from = now.Add(-warmLoad)
		}
		for _, l := range p.m.PeakLoads(i, from, now) {
			if l.Known && !l.Stale && !l.From.Before(from) && !l.To.After(now) {
				m.Observe(peaks.Load{Start: l.From, Power: l.Load})
				p.loaded[i] = l.To
			}
		}
	}
}

// remember keeps the means of past hours.
func (p *prices) remember(at time.Time, v unit.Price) {
	hour := at.Truncate(time.Hour)
	if !hour.Equal(p.hour) {
		if p.count > 0 {
			p.dear = append(p.dear, unit.Price(p.sum/float64(p.count)))
		}
		if n := len(p.dear) - mostKept; n > 0 {
			p.dear = slices.Delete(p.dear, 0, n)
		}
		p.hour, p.sum, p.count = hour, 0, 0
	}
	p.sum, p.count = p.sum+float64(v), p.count+1
}

// Expect is what a MWh drawn evenly over [from, to) is expected to cost, without the adder:
// the price that holds now for as long as it does, and then what the forecast says.
func (p *prices) Expect(_, from, to time.Time) (unit.Price, bool) {
	length := to.Sub(from)
	if length <= 0 {
		return 0, false
	}
	if p.now.Known && p.f == nil {
		return p.now.Price, true // a fixed price, or one without a rhythm
	}
	var sum float64
	rest := from
	if p.now.Known && !p.now.Stale && rest.Before(p.now.To) && !rest.Before(p.now.From) {
		end := p.now.To
		if to.Before(end) {
			end = to
		}
		sum = p.now.Price.DollarsPerMWh() * float64(end.Sub(rest))
		if rest = end; !rest.Before(to) {
			return p.now.Price, true
		}
	}
	if p.f == nil {
		return 0, false
	}
	v, ok := p.f.Expect(rest, to)
	if !ok {
		return 0, false
	}
	return unit.DollarsPerMWh((sum + v*float64(to.Sub(rest))) / float64(length)), true
}

// expected is how many peaks of the i-th charge a span is expected to hold.
func (p *prices) expected(i int, now, a, b time.Time) float64 {
	if i >= len(p.peaks) {
		return 0
	}
	return p.peaks[i].Expected(now, a, b)
}

// reserve is what a MW held for an hour is known to earn.
func (p *prices) reserve(name string, _, from, to time.Time) (unit.Price, bool) {
	q := p.m.Reserve(name, from.Add(to.Sub(from)/2))
	return q.Price, q.Known && !q.Stale
}

// worth is the price that so small a share of the past hours exceeded.
func (p *prices) worth(share float64) (unit.Price, bool) {
	const evidence = 14 * 24 // hours
	if len(p.dear) < evidence {
		return 0, false
	}
	all := slices.Sorted(slices.Values(p.dear))
	return all[min(max(int(float64(len(all))*(1-share)), 0), len(all)-1)], true
}
