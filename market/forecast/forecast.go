package forecast

import (
	"errors"
	"math"
	"time"
)

// Options are what a Forecaster is made for.
type Options struct {
	// Interval is the length of a real-time price's interval; it divides an hour.
	Interval time.Duration
	// Zone is where people live by the clock; nil means UTC. Hours of the day are in it.
	Zone *time.Location
}

// Forecaster learns from prices as they become known and says what is expected.
type Forecaster struct {
	step   int64 // seconds of an interval
	hour   int   // intervals of an hour
	zone   *time.Location
	center float64 // transformed price of interest; NaN means none

	next  int64             // the interval that follows the newest one observed, in steps since 1970
	seen  int64             // how many were observed
	ring  []float64         // transformed prices by interval, NaN for gaps: keptDays of them
	last  float64           // newest known price, transformed
	ahead map[int64]float64 // day-ahead price by hour since 1970, transformed
	hours [24]mean          // of the transformed price, forgetting

	drift mean // real-time less day-ahead, transformed, over some twenty hours

	plain, based []*model // the coming interval, without and with day-ahead prices
	far, farDA   *model   // any interval, from nothing new
	lasting      []carry
	gone         []float64 // ring: the near forecast less the far one, by interval
	bands        [2][24]band
}

// keptDays is how far back the newest prices reach.
const keptDays = 3

// mean is a slowly forgetting mean.
type mean struct{ value, count float64 }

// New makes a Forecaster. It fails where the interval does not divide an hour.
func New(o Options) (*Forecaster, error) {
	s := int64(o.Interval / time.Second)
	if s <= 0 || 3600%s != 0 {
		return nil, errors.New("a forecast needs prices of an interval that divides an hour, such as 5m, 15m or 1h")
	}
	f := &Forecaster{step: s, hour: int(3600 / s), zone: o.Zone, center: math.NaN(), last: bend(30), ahead: map[int64]float64{}}
	if f.zone == nil {
		f.zone = time.UTC
	}
	f.ring, f.gone = make([]float64, keptDays*24*f.hour), make([]float64, keptDays*24*f.hour)
	for i := range f.ring {
		f.ring[i], f.gone[i] = math.NaN(), math.NaN()
	}
	keep := math.Pow(0.9998, 1/float64(f.hour))
	f.plain, f.based = nearModels(keep, false), nearModels(keep, true)
	f.far, f.farDA = newModel(farFeatures(false), keep), newModel(farFeatures(true), keep)
	f.lasting = carries(f.hour)
	return f, nil
}

// Interest tells the price, $/MWh, at which decisions turn: what a MWh is worth to the site.
// Forecasts near it are fitted the closest. Zero or less means none.
func (f *Forecaster) Interest(price float64) {
	f.center = math.NaN()
	if price > 0 {
		f.center = math.Log(price)
	}
}

// Observe takes up the real-time price, $/MWh, of the interval that begins at start. Prices
// come in the order of their intervals; one that comes again or late is passed over, since
// what was said in between rested on its absence. A price that is no number is a gap.
func (f *Forecaster) Observe(start time.Time, price float64) {
	i := floorDiv(start.Unix(), f.step)
	if f.seen > 0 && i < f.next || !finite(price) {
		return
	}
	if f.seen > 0 {
		for j := f.next; j < i && j < f.next+int64(len(f.ring)); j++ {
			f.ring[f.slot(j)], f.gone[f.slot(j)] = math.NaN(), math.NaN()
		}
	}
	f.next = i
	y := bends(price)
	if f.seen > 0 {
		f.learn(i, y)
	}
	f.ring[f.slot(i)], f.last = y, y
	h := &f.hours[f.hourOf(i)]
	rate := 0.07 / float64(f.hour)
	if h.count < 1/rate {
		h.count++
		rate = max(rate, 1/h.count)
	}
	h.value += rate * (y - h.value)
	if a, ok := f.ahead[floorDiv(i*f.step, 3600)]; ok {
		f.drift.value += 0.05 / float64(f.hour) * (y - a - f.drift.value)
	}
	f.next, f.seen = i+1, f.seen+1
	if f.seen%int64(24*f.hour) == 0 {
		f.forget()
	}
}

// DayAhead takes up the day-ahead price, $/MWh, of the hour that begins at start, once it is
// published. Of half and quarter hours the last one told counts for the hour.
func (f *Forecaster) DayAhead(start time.Time, price float64) {
	if finite(price) {
		f.ahead[floorDiv(start.Unix(), 3600)] = bends(price)
	}
}

// forget drops day-ahead prices that nothing asks for any more.
func (f *Forecaster) forget() {
	old := f.next*f.step/3600 - 48
	for h := range f.ahead {
		if h < old {
			delete(f.ahead, h)
		}
	}
}

// learn lets every model see what it would have said of interval i, and what came.
func (f *Forecaster) learn(i int64, y float64) {
	v := f.look(i, 1)
	near, far := f.nearOf(v), f.farOf(v)
	forecast := 0.0
	for _, m := range near {
		forecast += m.forecast(v) / float64(len(near))
	}
	usual := far.forecast(v)
	f.lend(i, y, usual)
	f.gone[f.slot(i)] = forecast - usual
	f.bands[0][v.hour].learn(y - forecast)
	f.bands[1][v.hour].learn(y - usual)
	for _, m := range f.plain {
		m.learn(v, y, f.center)
	}
	f.far.learn(v, y, f.center)
	if v.hasAhead {
		for _, m := range f.based {
			m.learn(v, y, f.center)
		}
		f.farDA.learn(v, y, f.center)
	}
}

func (f *Forecaster) nearOf(v *view) []*model {
	if v.hasAhead {
		return f.based
	}
	return f.plain
}

func (f *Forecaster) farOf(v *view) *model {
	if v.hasAhead {
		return f.farDA
	}
	return f.far
}

// Expect returns the mean price expected over [from, to), $/MWh: what a MWh drawn evenly in
// that time is expected to cost. It is false before the first price, and for a time that was
// observed already or is more than sixty days ahead.
func (f *Forecaster) Expect(from, to time.Time) (float64, bool) {
	i, end := floorDiv(from.Unix(), f.step), ceilDiv(to.Unix(), f.step)
	if f.seen == 0 || i < f.next || end <= i || end-f.next > int64(60*24*f.hour) {
		return 0, false
	}
	// Later hours need no more than a look or two each: nothing in them differs by the minute.
	stride := int64(1)
	if i-f.next >= int64(f.hour) {
		stride = int64(max(f.hour/2, 1))
	}
	sum, n := 0.0, 0
	for ; i < end; i += stride {
		sum += f.mean(i)
		n++
	}
	return sum / float64(n), true
}

// mean is the expected price of one interval that was not observed.
func (f *Forecaster) mean(i int64) float64 {
	lead := i - f.next + 1
	v := f.look(i, lead)
	far := f.farOf(v)
	if lead == 1 {
		sum := 0.0
		near := f.nearOf(v)
		for _, m := range near {
			sum += m.smear.mean(m.forecast(v), v.hour)
		}
		return sum / float64(len(near))
	}
	stays := f.stays(lead)
	y := far.forecast(v) + stays*f.away()
	return stays*f.nearOf(v)[0].smear.mean(y, v.hour) + (1-stays)*far.smear.mean(y, v.hour)
}

// away is how far the forecast of the coming interval stands from the usual.
func (f *Forecaster) away() float64 {
	v := f.look(f.next, 1)
	near, sum := f.nearOf(v), 0.0
	for _, m := range near {
		sum += m.forecast(v)
	}
	return sum/float64(len(near)) - f.farOf(v).forecast(v)
}

// Quantiles returns the prices, $/MWh, below which the interval that holds t stays with a
// chance of 10, 50 and 90 per cent; false as of Expect.
func (f *Forecaster) Quantiles(t time.Time) ([3]float64, bool) {
	i := floorDiv(t.Unix(), f.step)
	if f.seen == 0 || i < f.next || i-f.next > int64(60*24*f.hour) {
		return [3]float64{}, false
	}
	lead := i - f.next + 1
	v := f.look(i, lead)
	stays := 1.0
	if lead > 1 {
		stays = f.stays(lead)
	}
	y := f.farOf(v).forecast(v) + stays*f.away()
	var out [3]float64
	for k := range out {
		out[k] = unbend(y + stays*f.bands[0][v.hour].at[k] + (1-stays)*f.bands[1][v.hour].at[k])
	}
	return out, true
}

func (f *Forecaster) slot(i int64) int {
	n := int64(len(f.ring))
	return int(((i % n) + n) % n)
}

func (f *Forecaster) hourOf(i int64) int { return time.Unix(i*f.step, 0).In(f.zone).Hour() }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func ceilDiv(a, b int64) int64 { return -floorDiv(-a, b) }
