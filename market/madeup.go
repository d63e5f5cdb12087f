package market

import (
	"math"
	"math/rand/v2"
	"time"

	"switchyard/unit"
)

// MadeUp is a PriceFeed of invented days, every 5 minutes, for rehearsals: cheap nights, a
// morning rise, prices below zero when the sun is high, an evening peak with a spike. It
// says of every price that it is made up. Each day is another, and the same seed gives the
// same days. It never runs out, before or after its first day.
type MadeUp struct {
	midnight time.Time
	seed     uint64
}

// MadeUpDay makes invented prices whose days begin at midnight and every 24 h from it.
func MadeUpDay(midnight time.Time, seed uint64) MadeUp { return MadeUp{midnight, seed} }

const slots = int(day / slot)

// shape is the part of a day's prices that everybody expects, $/MWh.
type shape struct{ night, dip, peak float64 }

func (s shape) at(hour float64) float64 {
	bump := func(at, width float64) float64 {
		return math.Exp(-(hour - at) * (hour - at) / (2 * width * width))
	}
	return s.night + 14*bump(7.8, 1.1) - s.dip*bump(12.7, 2.1) + s.peak*bump(19.2, 1.6)
}

// begin returns the shape of the n-th day from midnight, and what its surprises are drawn from.
func (m MadeUp) begin(n int64) (shape, *rand.Rand) {
	r := rand.New(rand.NewPCG(m.seed, uint64(n)))
	return shape{night: 17 + 6*r.Float64(), dip: 38 + 14*r.Float64(), peak: 55 + 40*r.Float64()}, r
}

// DayAhead returns what a day-ahead market would have made of the hour that holds t: the mean
// of the invented price without its noise and its spike.
func (m MadeUp) DayAhead(t time.Time) Quote {
	n, i := m.place(t)
	s, _ := m.begin(n)
	i -= i % 12
	sum := 0.0
	for k := range 12 {
		sum += s.at(float64(i+k) / 12)
	}
	q := m.quote(n, i, unit.DollarsPerMWh(math.Round(sum/12*100)/100))
	q.To = q.From.Add(time.Hour)
	return q
}

// prices returns the prices of the n-th day from midnight, by slot.
func (m MadeUp) prices(n int64) [slots]unit.Price {
	s, r := m.begin(n)
	spikeAt := 18.5 + 1.5*r.Float64()                           // hours
	spikeFor := (20 + 25*r.Float64()) / 60                      // hours
	spike := 300 * math.Exp(r.Float64()*math.Log(2000.0/300.0)) // 300 to 2,000 $/MWh
	var out [slots]unit.Price
	noise := 0.0
	for i := range out {
		h := float64(i) / 12
		noise = 0.8*noise + 1.5*r.NormFloat64()
		v := s.at(h) + noise
		if d := math.Abs(h - spikeAt); d < spikeFor/2 {
			v = max(v, spike*(1-d/spikeFor)) // half of it at its edges
		}
		out[i] = unit.DollarsPerMWh(math.Round(v*100) / 100)
	}
	return out
}

// place returns the day and the slot that hold t.
func (m MadeUp) place(t time.Time) (dayNumber int64, i int) {
	d := t.Sub(m.midnight)
	rest := d % day
	if rest < 0 {
		rest += day
	}
	return int64((d - rest) / day), int(rest / slot)
}

func (m MadeUp) quote(n int64, i int, p unit.Price) Quote {
	from := m.midnight.Add(time.Duration(n)*day + time.Duration(i)*slot)
	return Quote{Price: p, From: from, To: from.Add(slot), Known: true, Source: "made up"}
}

// At returns the invented price at t.
func (m MadeUp) At(t time.Time) Quote {
	n, i := m.place(t)
	return m.quote(n, i, m.prices(n)[i])
}

// Series returns the invented prices of the slots that touch [from, to).
func (m MadeUp) Series(from, to time.Time) []Quote {
	var out []Quote
	n, i := m.place(from)
	for prices := m.prices(n); ; i++ {
		if i == slots {
			n, i = n+1, 0
			prices = m.prices(n)
		}
		q := m.quote(n, i, prices[i])
		if !q.From.Before(to) {
			return out
		}
		out = append(out, q)
	}
}
