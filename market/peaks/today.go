package peaks

import (
	"math"
	"slices"
	"time"
)

const (
	priorToday  = 0.03 // deviation of what is left of a day, before it was seen
	priorShapes = 10   // whole days from which on the scenarios stand alone
	trendHours  = 3
)

// shape is a whole day that went on from each of its intervals in some way.
type shape struct {
	record
	rest  []float64 // by slot + 1: the highest load after it
	error []float64 // by slot + 1: what the forecast of it then was short of; NaN none
}

// newFit makes the fit of what is left of a day once slot u-1 is known, against the day
// before: by how far the newest load and its trend stand above that day's, by how far that
// day was below the level, by the weekend. A later deviation is believed more.
func newFit(u, slots int) fit {
	f := fit{
		belief: [features]float64{min(max(float64(u)/float64(slots)*1.4, 0.2), 1), 0, 0.2, 0},
		scale:  [features]float64{0.03, 0.01, 0.04, 1},
	}
	f.reset()
	return f
}

// rests returns the highest load after each slot.
func rests(load []float64) []float64 {
	out := make([]float64, len(load)+1)
	high := math.Inf(-1)
	for i := len(load); i >= 0; i-- {
		out[i] = high
		if i > 0 && !math.IsNaN(load[i-1]) {
			high = max(high, load[i-1])
		}
	}
	return out
}

// clues are what the fit of slot u (-1: none known yet) rests on; false where a load lacks.
func (m *Model) clues(d, yesterday *record, u int) (x [features]float64, ok bool) {
	x[2] = m.days.mean - yesterday.peak
	x[3] = weekend(d.date) - weekend(yesterday.date)
	if u < 0 {
		return x, true
	}
	off := d.load[u] - yesterday.load[u]
	if math.IsNaN(off) {
		return x, false
	}
	x[0] = off
	if b := u - int(trendHours*3600/m.rule.Interval.Seconds()); b >= 0 {
		if was := d.load[b] - yesterday.load[b]; !math.IsNaN(was) {
			x[1] = off - was
		}
	}
	return x, true
}

// learnShape takes up a whole day: how each of its hours foretold the rest of it.
func (m *Model) learnShape(d *record) {
	s := &shape{record: *d, rest: rests(d.load), error: make([]float64, len(d.load)+1)}
	for i := range s.error {
		s.error[i] = math.NaN()
	}
	if y := m.yesterday(d.date); y != nil {
		for u := -1; u < len(d.load)-1; u++ {
			x, ok := m.clues(d, &y.record, u)
			if !ok || math.IsInf(s.rest[u+1], 0) || math.IsInf(y.rest[u+1], 0) {
				continue
			}
			f := &m.fits[u+1]
			change := s.rest[u+1] - y.rest[u+1]
			s.error[u+1] = change - f.predict(x)
			f.learn(x, change)
		}
		m.learnTie(d, &y.record)
	}
	m.shapes = append(m.shapes, s)
	if extra := len(m.shapes) - shapesKept; extra > 0 {
		m.shapes = slices.Delete(m.shapes, 0, extra)
	}
}

// yesterday is the last whole day, if it is not older than four days.
func (m *Model) yesterday(date int) *shape {
	if n := len(m.shapes); n > 0 && date-m.shapes[n-1].date <= 4 {
		return m.shapes[n-1]
	}
	return nil
}

// learnTie learns how loads near the top of a day move against its peak from day to day:
// intervals that lie closer than that might as well have been the peak.
func (m *Model) learnTie(d, y *record) {
	sum, n := 0.0, 0
	for i, v := range d.load {
		if a, b := v-d.peak, y.load[i]-y.peak; a > -0.03 && b > -0.03 {
			sum += math.Abs(a - b)
			n++
		}
	}
	if n > 0 {
		m.tie += 0.05 * (0.5*sum/float64(n) - m.tie)
	}
}

// scenario is one way in which the rest of a day may go.
type scenario struct {
	peak   float64 // of the rest
	weight float64
	when   []float64 // by slot: how likely each is the rest's highest
}

// scenarios are the ways in which the rest of the day d may go on after slot u: the forecast
// with the errors and the shapes that were seen at that time of day.
func (m *Model) scenarios(d *record, u int) []scenario {
	var out []scenario
	y := m.yesterday(d.date)
	if y == nil {
		return nil
	}
	x, ok := m.clues(d, &y.record, u)
	for !ok && u >= 0 { // this slot has no load: what the slot before said still holds
		u--
		x, ok = m.clues(d, &y.record, u)
	}
	forecast := y.rest[u+1] + m.fits[u+1].predict(x)
	if math.IsInf(forecast, 0) {
		return nil
	}
	alike := m.likeness(d, u)
	for _, s := range m.shapes {
		if math.IsNaN(s.error[u+1]) {
			continue
		}
		w := math.Exp2(-float64(d.date-s.date)/shapeHalfLife) * alike(s)
		out = append(out, scenario{forecast + s.error[u+1], w, m.when(s, u)})
	}
	const spare = 5
	for i, n := 0, len(out); n < priorShapes && i < spare; i++ {
		z := math.Sqrt2 * math.Erfinv(2*(float64(i)+0.5)/spare-1)
		even := make([]float64, len(d.load))
		for h := u + 1; h < len(even); h++ {
			even[h] = 1 / float64(len(even)-u-1)
		}
		out = append(out, scenario{forecast + priorToday*z, float64(priorShapes-n) / spare, even})
	}
	total := 0.0
	for _, s := range out {
		total += s.weight
	}
	for i := range out {
		out[i].weight /= total
	}
	return out
}

// ramp is how far the load moved in the hour up to slot u.
func (m *Model) ramp(d *record, u int) float64 {
	if b := u - max(int(time.Hour/m.rule.Interval), 1); b >= 0 {
		return d.load[u] - d.load[b]
	}
	return math.NaN()
}

// likeness weighs days by how the hour up to slot u resembles that of d: by a bell as wide as
// that hour differs from day to day.
func (m *Model) likeness(d *record, u int) func(*shape) float64 {
	all := make([]member, 0, len(m.shapes))
	for _, s := range m.shapes {
		if r := m.ramp(&s.record, u); !math.IsNaN(r) {
			all = append(all, member{r, 1})
		}
	}
	now, width := m.ramp(d, u), spread(all)
	return func(s *shape) float64 {
		off := (m.ramp(&s.record, u) - now) / width
		if math.IsNaN(off) || math.IsInf(off, 0) {
			return 1
		}
		return math.Exp(-off * off / 2)
	}
}

// when says how likely each slot after u is the highest on a day of that shape: nearly equal
// loads share.
func (m *Model) when(s *shape, u int) []float64 {
	out := make([]float64, len(s.load))
	sum := 0.0
	for h := u + 1; h < len(out); h++ {
		if below := s.rest[u+1] - s.load[h]; below < 8*m.tie {
			out[h] = math.Exp(-below / m.tie)
			sum += out[h]
		}
	}
	for h := range out {
		out[h] /= sum
	}
	return out
}

// kernel is how far each scenario stands for its neighbours.
func kernel(ss []scenario) float64 {
	ms := make([]member, len(ss))
	sq := 0.0
	for i, s := range ss {
		ms[i] = member{s.peak, s.weight}
		sq += s.weight * s.weight
	}
	return 0.9 * spread(ms) * math.Pow(sq, 0.2) // Silverman's rule with as many days as the weights are worth
}

// today returns the chance of each slot of the day that is being filled.
func (m *Model) today() []float64 {
	d := m.cur
	out := make([]float64, m.rule.slots())
	if d.last >= len(out)-1 {
		return out
	}
	ss := m.scenarios(d, d.last)
	if ss == nil || m.days.seen == 0 {
		for h := d.last + 1; h < len(out); h++ {
			out[h] = m.ignorant(d.date)
		}
		return out
	}
	if m.cache.levelOf != d.date {
		m.cache.levelOf, m.cache.level = d.date, m.thresholds(d.date)
	}
	width := kernel(ss)
	for _, s := range ss {
		p := 0.0
		for _, level := range m.cache.level {
			p += above(s.peak, width, max(level, d.peak))
		}
		p *= s.weight / float64(len(m.cache.level))
		for h := d.last + 1; h < len(out); h++ {
			out[h] += p * s.when[h]
		}
	}
	return out
}

// thresholds are scenarios of how high the day's peak must be to be one of the month's.
func (m *Model) thresholds(date int) []float64 {
	w := m.days.walker(date, date-1)
	known := m.days.before(date)
	all := make([]float64, paths)
	var others []float64
	for i := range all {
		w.begin()
		others = w.bars(date, append(others[:0], known...))
		all[i] = bar(others, m.rule.Count)
	}
	return summed(all, levels)
}

// ahead returns the chance of each slot of a day to come.
func (m *Model) ahead(date int) []float64 {
	d := m.cur
	out := make([]float64, m.rule.slots())
	ss := m.scenarios(d, min(d.last, len(out)-2))
	if ss == nil || m.days.seen == 0 {
		for h := range out {
			out[h] = m.ignorant(date)
		}
		return out
	}
	p, total := m.dayAhead(date, ss), 0.0
	for _, s := range m.shapes {
		w := math.Exp2(-float64(date-s.date) / shapeHalfLife)
		total += w
		for h, share := range m.when(s, -1) {
			out[h] += w * share
		}
	}
	even := float64(max(priorShapes-len(m.shapes), 0)) // few days seen: any hour may be the highest
	for h := range out {
		out[h] = p * (out[h] + even/float64(len(out))) / (total + even)
	}
	return out
}

// dayAhead is the chance that the day date holds one of its month's peaks, where today goes
// on by one of the scenarios.
func (m *Model) dayAhead(date int, ss []scenario) float64 {
	w := m.days.walker(date, m.cur.date-1)
	width := kernel(ss)
	known := m.days.before(min(date, m.cur.date))
	if len(known) > 0 && month(m.cur.date) != month(date) {
		known = nil
	}
	surprises := summed(w.noise, 16)
	ms := make([]member, len(surprises))
	for i, v := range surprises {
		ms[i] = member{v, 1}
	}
	soft := 0.9 * spread(ms) * math.Pow(float64(len(w.noise)), -0.2)
	ended := m.cur.last >= m.rule.slots()-1
	total := 0.0
	var others []float64
	for range paths {
		w.begin()
		others = append(others[:0], known...)
		x := m.cur.peak
		if !ended {
			x = max(x, pick(ss, w.r.Float64()).peak+width*w.r.NormFloat64())
		}
		for day := m.cur.date; day < date; day++ {
			if month(day) == month(date) {
				others = append(others, x)
			}
			x = w.away*x + w.fixed(day+1)
			if day+1 < date {
				x += w.drawn()
			}
		}
		level := bar(w.bars(date, others), m.rule.Count)
		for _, v := range surprises {
			total += above(x+v, soft, level)
		}
	}
	return total / float64(paths*len(surprises))
}

// pick returns the scenario at share q of the weights.
func pick(ss []scenario, q float64) scenario {
	for _, s := range ss {
		if q -= s.weight; q < 0 {
			return s
		}
	}
	return ss[len(ss)-1]
}
