package peaks

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
)

const (
	paths      = 320 // scenarios of the month's remaining days
	levels     = 64  // that thresholds are summed up in
	noiseKept  = 90
	meanDecay  = 0.966 // a day: the level's half-life is 20 days
	lookDays   = 14    // over which the level's wandering is judged
	slow       = 0.985 // a day: what is learned of the level is forgotten by half in 46 days
	lately     = 0.95  // a day: of the level's lagging behind, half is forgotten in 14 days
	priorNoise = 0.03  // of a day's peak against the day before, before it was seen
	priorDrift = 0.05  // of the level within lookDays, before it was seen
	yearDays   = 364   // back to the same weekday of a year ago
)

// daily is the peak of one day, as a logarithm, with the level of the days up to it.
type daily struct {
	date       int
	peak, mean float64
	whole      bool
}

// days is how daily peaks go: back towards a level that wanders, lower at weekends, with the
// surprises that were seen.
type days struct {
	log        []daily // oldest first
	mean       float64 // the level
	seen       int     // whole days
	back       fit     // of the next day's change: share of the way back to the level, weekend
	noise      []float64
	drift, dsq float64 // weight and sum of the level's squared wandering
	lean, lsum float64 // weight and sum of its wandering lately: a season's rise shows in it
}

func newDays() days {
	f := fit{belief: [features]float64{0.2, 0, 0, 0}, scale: [features]float64{0.04, 1, 1, 1}}
	f.reset()
	return days{back: f}
}

func (d *days) add(date int, peak float64, whole bool) {
	if math.IsInf(peak, 0) {
		return
	}
	if whole {
		if n := len(d.log); n > 0 && d.log[n-1].whole && d.log[n-1].date == date-1 {
			prev := d.log[n-1]
			x := d.pull(prev.peak, prev.date)
			d.noise = append(d.noise, peak-prev.peak-d.back.predict(x))
			if extra := len(d.noise) - noiseKept; extra > 0 {
				d.noise = slices.Delete(d.noise, 0, extra)
			}
			d.back.learn(x, peak-prev.peak)
		}
		d.seen++
		weight := max(1-meanDecay, 1/float64(d.seen))
		d.mean += weight * (peak - d.mean)
	}
	d.log = append(d.log, daily{date, peak, d.mean, whole})
	if extra := len(d.log) - peaksKept; extra > 0 {
		d.log = slices.Delete(d.log, 0, extra)
	}
	d.judgeLevel()
}

// pull is what drives the change from the day date with its peak to the next one.
func (d *days) pull(peak float64, date int) [features]float64 {
	return [features]float64{d.mean - peak, weekend(date+1) - weekend(date)}
}

// judgeLevel compares the last days' mean with the level from before them.
func (d *days) judgeLevel() {
	n := len(d.log)
	if n <= lookDays || d.seen <= lookDays {
		return
	}
	sum := 0.0
	for _, x := range d.log[n-lookDays:] {
		sum += x.peak
	}
	e := sum/lookDays - d.log[n-lookDays-1].mean
	d.drift = d.drift*slow + 1
	d.dsq = d.dsq*slow + e*e
	d.lean = d.lean*lately + 1
	d.lsum = d.lsum*lately + e
}

// leans is how far the level is to rise within the coming weeks, by how it lagged behind what
// came lately: a mean of the past is always late in a season that rises. The belief that it
// does not counts as lookDays days; and half of a rise is believed to last, since trends die
// out (Gardner and McKenzie: "Forecasting trends in time series", Management Science 31, 1985).
func (d *days) leans() float64 { return 0.5 * d.lsum / (d.lean + lookDays) }

// wander is how far the level wanders within the coming weeks. The belief counts as lookDays days.
func (d *days) wander() float64 {
	return math.Sqrt((d.dsq + lookDays*priorDrift*priorDrift) / (d.drift + lookDays))
}

// surprises are the changes seen beyond the pull, with as many expected ones as are lacking.
func (d *days) surprises() []float64 {
	out := slices.Clone(d.noise)
	for i := len(out); i < 20; i++ {
		q := (float64(i) + 0.5) / 20
		out = append(out, priorNoise*math.Sqrt2*math.Erfinv(2*q-1))
	}
	return out
}

// season is how far the level stood at the day ahead above the one of today in earlier years,
// shrunk the more the fewer there are.
func (d *days) season(today, ahead int) float64 {
	sum, n := 0.0, 0
	for back := yearDays; back <= 3*yearDays; back += yearDays {
		now, ok1 := d.levelAt(today - back)
		then, ok2 := d.around(ahead - back)
		if ok1 && ok2 {
			sum += then - now
			n++
		}
	}
	return sum / float64(n+1)
}

func (d *days) find(date int) (int, bool) {
	return sort.Find(len(d.log), func(i int) int { return date - d.log[i].date })
}

func (d *days) levelAt(date int) (float64, bool) {
	i, ok := d.find(date)
	if !ok {
		return 0, false
	}
	return d.log[i].mean, true
}

// around is the mean peak of the three weeks around a day.
func (d *days) around(date int) (float64, bool) {
	const reach = 10
	i, ok := d.find(date)
	if !ok || i < reach || i+reach >= len(d.log) {
		return 0, false
	}
	sum := 0.0
	for _, x := range d.log[i-reach : i+reach+1] {
		sum += x.peak
	}
	return sum / (2*reach + 1), true
}

// before returns the peaks of the month's days before date.
func (d *days) before(date int) (out []float64) {
	for i := len(d.log) - 1; i >= 0 && month(d.log[i].date) == month(date); i-- {
		if d.log[i].date < date {
			out = append(out, d.log[i].peak)
		}
	}
	return out
}

// walk is one scenario of the days to come.
type walk struct {
	d       *days
	r       *rand.Rand
	noise   []float64
	away    float64 // share of a distance from the level that is left a day later
	workday float64 // what a weekend adds
	from    int     // date that the level is of
	shift   float64 // how far the level wanders in this scenario
	seasons map[int]float64
}

func (d *days) walker(seed, from int) *walk {
	return &walk{
		d: d, r: rand.New(rand.NewPCG(uint64(seed), 4)), noise: d.surprises(),
		away: 1 - min(max(d.back.coef[0], 0.03), 0.9), workday: d.back.coef[1], from: from, seasons: map[int]float64{},
	}
}

// begin draws how far the level wanders.
func (w *walk) begin() { w.shift = w.d.leans() + w.d.wander()*w.r.NormFloat64() }

// drawn returns one surprise.
func (w *walk) drawn() float64 { return w.noise[w.r.IntN(len(w.noise))] }

// fixed is what a day's peak owes to the level and the calendar and not to the day before it.
func (w *walk) fixed(date int) float64 {
	s, ok := w.seasons[date]
	if !ok {
		s = w.d.season(w.from, date)
		w.seasons[date] = s
	}
	return (1-w.away)*(w.d.mean+s+w.shift) + w.workday*(weekend(date)-weekend(date-1))
}

// bars returns, for each later day of the month, how high the peak of the day date must be so
// that the later day stays below it. A day that comes k days later is away^k of the peak and
// something that does not depend on it, so that the bar is one figure.
func (w *walk) bars(date int, into []float64) []float64 {
	a, b := 1.0, 0.0
	for _, next := range left(date) {
		a *= w.away
		b = w.away*b + w.fixed(next) + w.drawn()
		into = append(into, b/(1-a))
	}
	return into
}

// bar is the height from which a day is among the count highest: -Inf where all are taken.
func bar(others []float64, count int) float64 {
	if len(others) < count {
		return math.Inf(-1)
	}
	sort.Sort(sort.Reverse(sort.Float64Slice(others)))
	return others[count-1]
}

// summed reduces sorted figures to n means of neighbours.
func summed(all []float64, n int) []float64 {
	sort.Float64s(all)
	if len(all) <= n {
		return all
	}
	out := make([]float64, 0, n)
	for i := range n {
		part := all[i*len(all)/n : (i+1)*len(all)/n]
		s := 0.0
		for _, v := range part {
			s += v
		}
		out = append(out, s/float64(len(part)))
	}
	return out
}
