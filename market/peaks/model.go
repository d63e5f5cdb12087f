package peaks

import (
	"math"
	"slices"
	"time"
)

const (
	// shapesKept is how many of the last whole days are scenarios of how a day goes on.
	shapesKept = 90
	// shapeHalfLife is how many days halve a scenario's weight: the season moves on.
	shapeHalfLife = 30
	// peaksKept bounds the daily peaks kept: three years of them.
	peaksKept = 1100
	// wholeShare is the share of a day's intervals that must be known to learn from the day.
	wholeShare = 0.8
	// maxPending bounds loads handed over and not yet known; beyond it the oldest are taken for known.
	maxPending = 400_000
)

// record is one local day. Loads are logarithms of watts; NaN is unknown.
type record struct {
	date int
	load []float64
	last int // newest slot known; -1 none
	n    int
	peak float64 // the highest so far; -Inf for none
}

// Model learns from the grid's load, as it becomes known, how days and months go, and says
// how likely an interval is to be a peak. Give it loads in time's order with Observe, ahead
// of their publication if that is handier, and ask in time's order with Chance: whatever was
// not yet published at the time asked about stays unread until it is.
type Model struct {
	rule    Rule
	pending []Load // not yet known, oldest first
	cur     *record
	days    days
	shapes  []*shape // of the last whole days, oldest first
	fits    []fit    // by newest known slot + 1
	tie     float64  // how far loads at the top of a day wander against each other from day to day
	version int      // grows with every load learned
	cache   struct {
		version int
		today   []float64
		ahead   map[int][]float64 // by date
		level   []float64         // thresholds for today, sorted
		levelOf int               // date they are for
	}
}

// New makes a Model that has seen nothing.
func New(rule Rule) *Model {
	m := &Model{rule: rule.normal(), tie: 0.004}
	m.fits = make([]fit, m.rule.slots()+1)
	for u := range m.fits {
		m.fits[u] = newFit(u, m.rule.slots())
	}
	m.days = newDays()
	m.cache.version = -1
	m.cache.levelOf = math.MinInt
	return m
}

// Rule returns the rule that the model was made with, its zero values filled in.
func (m *Model) Rule() Rule { return m.rule }

// Observe hands over the load of intervals, in time's order. Loads that are not positive are
// gaps; ones older than the newest are ignored.
func (m *Model) Observe(loads ...Load) {
	for _, l := range loads {
		if n := len(m.pending); n > 0 && !l.Start.After(m.pending[n-1].Start) {
			continue
		}
		m.pending = append(m.pending, l)
	}
	if extra := len(m.pending) - maxPending; extra > 0 {
		for _, l := range m.pending[:extra] {
			m.learn(l)
		}
		m.pending = slices.Delete(m.pending, 0, extra)
	}
}

// advance learns what is known at now.
func (m *Model) advance(now time.Time) {
	n := 0
	for n < len(m.pending) && !m.pending[n].Start.Add(m.rule.Interval+m.rule.Lag).After(now) {
		m.learn(m.pending[n])
		n++
	}
	if n > 0 {
		m.pending = m.pending[n:]
	}
}

// Chance returns how likely the interval that holds start is to become one of its month's
// peaks, from what is known at now. It is zero outside the rule's months, and for intervals
// whose load is known and stands below another one's of that day. It may be asked for any
// interval of the current and the coming days; times asked about never go back.
func (m *Model) Chance(now, start time.Time) float64 {
	m.advance(now)
	date, slot := m.rule.place(start)
	if !m.rule.counts(dateOf(date).Month()) {
		return 0
	}
	if m.cache.version != m.version {
		m.cache.version, m.cache.today, m.cache.ahead = m.version, nil, map[int][]float64{}
	}
	if m.cur == nil {
		return m.ignorant(date)
	}
	switch {
	case date < m.cur.date:
		return 0
	case date == m.cur.date:
		if m.cache.today == nil {
			m.cache.today = m.today()
		}
		return m.cache.today[slot]
	}
	out, ok := m.cache.ahead[date]
	if !ok {
		out = m.ahead(date)
		m.cache.ahead[date] = out
	}
	return out[slot]
}

// Expected returns how many peaks the span from a to b is expected to hold: the sum of the
// chances of its intervals, each by the share of it that lies in the span.
func (m *Model) Expected(now, a, b time.Time) float64 {
	sum := 0.0
	for at := a.Truncate(m.rule.Interval); at.Before(b); at = at.Add(m.rule.Interval) {
		from, to := at, at.Add(m.rule.Interval)
		if from.Before(a) {
			from = a
		}
		if to.After(b) {
			to = b
		}
		sum += m.Chance(now, at) * float64(to.Sub(from)) / float64(m.rule.Interval)
	}
	return sum
}

// ignorant spreads the month's peaks evenly: nothing at all is known.
func (m *Model) ignorant(date int) float64 {
	t := dateOf(date)
	days := t.AddDate(0, 1, -t.Day()).Day()
	return min(1, float64(m.rule.Count)/float64(days)) / float64(m.rule.slots())
}

// learn takes up one load that is known now.
func (m *Model) learn(l Load) {
	if l.Power <= 0 {
		return
	}
	date, slot := m.rule.place(l.Start)
	if m.cur == nil || date > m.cur.date {
		m.close()
		m.cur = &record{date: date, load: make([]float64, m.rule.slots()), last: -1, peak: math.Inf(-1)}
		for i := range m.cur.load {
			m.cur.load[i] = math.NaN()
		}
	}
	if date < m.cur.date {
		return
	}
	v := math.Log(l.Power.Watts())
	if old := m.cur.load[slot]; math.IsNaN(old) {
		m.cur.n++
	} else {
		v = max(v, old) // the hour that daylight saving repeats
	}
	m.cur.load[slot], m.cur.last = v, slot
	m.cur.peak = max(m.cur.peak, v)
	m.version++
}

// close ends the day that is being filled and learns from it.
func (m *Model) close() {
	d := m.cur
	if d == nil {
		return
	}
	whole := float64(d.n) >= wholeShare*float64(m.rule.slots())
	if whole {
		m.learnShape(d)
	}
	m.days.add(d.date, d.peak, whole)
}

// left returns the days of the month after date.
func left(date int) (out []int) {
	for d := date + 1; month(d) == month(date); d++ {
		out = append(out, d)
	}
	return out
}

// member is one scenario of a quantity: value with weight w.
type member struct{ value, weight float64 }

// spread is the weighted standard deviation of scenarios.
func spread(ms []member) float64 {
	var w, s, q float64
	for _, x := range ms {
		w += x.weight
		s += x.weight * x.value
		q += x.weight * x.value * x.value
	}
	if w == 0 {
		return 0
	}
	return math.Sqrt(max(q/w-(s/w)*(s/w), 0))
}

// above is the chance that a normal figure of mean mean and deviation sd is above level.
func above(mean, sd, level float64) float64 {
	if math.IsInf(level, -1) {
		return 1
	}
	if sd <= 0 {
		if mean > level {
			return 1
		}
		return 0
	}
	return 0.5 * math.Erfc((level-mean)/(sd*math.Sqrt2))
}
