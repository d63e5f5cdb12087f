package forecast

import "math"

// view is what is known of an interval when it is forecast, all prices transformed.
type view struct {
	hour                           int
	one                            float64
	newest, second, run            float64 // the newest two prices, and the mean of the newest hour or three prices
	before, same, after            float64 // a day ago: the hour before, this hour, the hour after
	twice                          float64 // two days ago, this hour
	drift                          float64 // how real-time stood to day-ahead lately
	usual, usualBefore             float64 // mean of this hour of the day, and of the one before
	sin1, cos1                     float64
	sin2, cos2                     float64
	ahead, aheadBefore             float64 // day-ahead price of this hour, of the one before
	aheadNext, aheadThen, aheadTop float64 // of the next hour, of the one after it, and the highest of the day
	hasAhead                       bool
}

// feature reads one figure of a view.
type feature func(*view) float64

// features is a model's list, with the weights that it starts with.
type features struct {
	read  []feature
	prior []float64
}

func (l *features) add(prior float64, read ...feature) {
	for _, f := range read {
		l.read, l.prior = append(l.read, f), append(l.prior, prior)
	}
}

func one(v *view) float64         { return v.one }
func newest(v *view) float64      { return v.newest }
func second(v *view) float64      { return v.second }
func run(v *view) float64         { return v.run }
func before(v *view) float64      { return v.before }
func same(v *view) float64        { return v.same }
func after(v *view) float64       { return v.after }
func twice(v *view) float64       { return v.twice }
func drift(v *view) float64       { return v.drift }
func aheadThen(v *view) float64   { return v.aheadThen }
func usual(v *view) float64       { return v.usual }
func usualBefore(v *view) float64 { return v.usualBefore }
func sin1(v *view) float64        { return v.sin1 }
func cos1(v *view) float64        { return v.cos1 }
func sin2(v *view) float64        { return v.sin2 }
func cos2(v *view) float64        { return v.cos2 }
func ahead(v *view) float64       { return v.ahead }
func aheadBefore(v *view) float64 { return v.aheadBefore }
func aheadNext(v *view) float64   { return v.aheadNext }
func aheadTop(v *view) float64    { return v.aheadTop }

// nearModels are those of the coming interval: four lists of features, each fitted with three
// focuses. They differ so that their mean errs less than each.
func nearModels(keep float64, dayAhead bool) []*model {
	// How sharply models look at the price of interest: the weight of an observation falls with
	// the square of the logarithm between it and the forecast, times this.
	focuses := [...]float64{2, 4, 6}
	lists := [][]feature{
		{second, run, before, same, after, usualBefore, sin1, cos1, sin2, cos2},
		{run, before, same, after, usualBefore, sin1, cos1, sin2, cos2},
		{same, before, usualBefore},
		{second, before, same, after, twice, usualBefore, sin1, cos1, sin2, cos2},
	}
	base := [][]feature{
		{aheadBefore, aheadNext}, {aheadBefore, aheadNext}, {aheadBefore, drift}, {aheadBefore, aheadNext, aheadThen, aheadTop},
	}
	var out []*model
	for i, list := range lists {
		var l features
		l.add(0, one)
		if dayAhead {
			l.add(0.5, newest, ahead)
			l.add(0, usual)
			l.add(0, base[i]...)
		} else {
			l.add(0.8, newest)
			l.add(0.2, usual)
		}
		l.add(0, list...)
		for _, focus := range focuses {
			m := newModel(l, keep)
			m.focus = focus
			out = append(out, m)
		}
	}
	return out
}

// farFeatures know nothing of the newest hours.
func farFeatures(dayAhead bool) features {
	var l features
	l.add(0, one, sin1, cos1, sin2, cos2)
	if dayAhead {
		l.add(0.8, ahead)
		l.add(0.1, usual, same)
		l.add(0, aheadBefore, aheadNext)
	} else {
		l.add(0.6, usual)
		l.add(0.3, same)
	}
	return l
}

// model is a linear model of the transformed price with its past errors.
type model struct {
	read  []feature
	fit   *recursive
	smear *smear
	x     []float64 // scratch
	focus float64
}

// ridge is how many observations the weights at the start count for.
const ridge = 3

func newModel(l features, keep float64) *model {
	return &model{read: l.read, fit: newRecursive(l.prior, ridge, keep), smear: newSmear(keep), x: make([]float64, len(l.read))}
}

func (m *model) forecast(v *view) float64 {
	for i, read := range m.read {
		m.x[i] = read(v)
	}
	return min(max(m.fit.predict(m.x), lowest), highest)
}

// learn takes up what came of a view. Observations whose forecast was near the price of
// interest (center, its logarithm; NaN for none) count the more.
func (m *model) learn(v *view, y, center float64) {
	said := m.forecast(v)
	m.smear.learn(said, y, v.hour)
	weight := 1.0
	if !math.IsNaN(center) {
		d := math.Log(max(unbend(said), 5)) - center
		weight = 0.03 + 2*math.Exp(-m.focus*d*d)
	}
	m.fit.learn(m.x, y, weight)
}

// look gathers what is known of interval i when the newest price is lead intervals before it.
func (f *Forecaster) look(i, lead int64) *view {
	v := &view{hour: f.hourOf(i), one: 1, newest: f.last}
	f.lookAhead(v, i)
	v.second = f.past(f.next-2, f.last)
	sum, n := 0.0, max(f.hour, 3)
	for k := range n {
		sum += f.past(f.next-1-int64(k), f.last)
	}
	v.run = sum / float64(n)
	if f.hour == 1 {
		v.run = f.past(f.next-3, f.last) // the third newest: the other two are there already
	}
	v.usual = f.usually(v.hour)
	v.usualBefore = f.usually((v.hour + 23) % 24)
	day := int64(24 * f.hour)
	for lead > day { // yesterday of the day after tomorrow is not known either: the day before it
		i, lead = i-day, lead-day
	}
	v.before, v.same, v.after = f.around(i-day-int64(f.hour), v.usual), f.around(i-day, v.usual), f.around(i-day+int64(f.hour), v.usual)
	v.twice = f.around(i-2*day, v.usual)
	at := 2 * math.Pi * float64(v.hour) / 24
	v.sin1, v.cos1 = math.Sincos(at)
	v.sin2, v.cos2 = math.Sincos(2 * at)
	return v
}

// lookAhead fills in the day-ahead prices of interval i.
func (f *Forecaster) lookAhead(v *view, i int64) {
	h := floorDiv(i*f.step, 3600)
	price, ok := f.ahead[h]
	if v.hasAhead = ok; !ok {
		return
	}
	or := func(h int64) float64 {
		if p, ok := f.ahead[h]; ok {
			return p
		}
		return price
	}
	v.ahead, v.aheadBefore, v.aheadNext, v.aheadThen = price, or(h-1), or(h+1), or(h+2)
	v.aheadTop = price
	for k := range int64(24) {
		v.aheadTop = max(v.aheadTop, or(h-int64(v.hour)+k))
	}
	v.drift = f.drift.value
}

// past is the transformed price of an interval, or what stands for it.
func (f *Forecaster) past(i int64, instead float64) float64 {
	if i >= f.next || i < f.next-int64(len(f.ring)) {
		return instead
	}
	if y := f.ring[f.slot(i)]; !math.IsNaN(y) {
		return y
	}
	return instead
}

// around is the mean of the hour that begins at interval i, in the middle of which the
// interval stands.
func (f *Forecaster) around(i int64, instead float64) float64 {
	sum := 0.0
	for k := range f.hour {
		sum += f.past(i-int64(f.hour/2)+int64(k), instead)
	}
	return sum / float64(f.hour)
}

func (f *Forecaster) usually(hour int) float64 {
	if h := f.hours[hour]; h.count > 0 {
		return h.value
	}
	return f.last
}
