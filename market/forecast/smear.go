package forecast

import "math"

// The transform, and the bounds of what is taken back from it.
const (
	scale   = 12   // $/MWh
	ceiling = 400  // $/MWh: one error counts as no more than this, lest a single hour teach fear for months
	highest = 9.0  // about 80,000 $/MWh
	lowest  = -9.0 // and as far below zero
)

func bend(price float64) float64    { return math.Asinh(price / scale) }
func unbend(y float64) float64      { return scale * math.Sinh(min(max(y, lowest), highest)) }
func bends(price float64) float64   { return bend(min(max(price, -2000), 20_000)) }
func finite(v float64) bool         { return !math.IsNaN(v) && !math.IsInf(v, 0) }
func gauss(d, wide float64) float64 { d /= wide; return math.Exp(-d * d / 2) }

// smear holds a model's past errors by what it had forecast and the hour of the day, and
// turns a forecast of the transformed price into one of the price.
//
// Since sinh(y+e) = (exp(y)exp(e) - exp(-y)exp(-e))/2, sums of exp(e) and exp(-e) are all
// that need be kept, whatever y is asked for later.
type smear struct {
	cells [bins][24]cell
	keep  float64
	near  [24]float64 // weight of an hour by its distance on the clock
	now   float64     // weight of the next error: grows instead of all others shrinking
}

type cell struct{ count, up, down float64 }

const (
	bins     = 120
	binWidth = 0.1 // of the transformed price; from -4 (-546 $/MWh) to 8 (29,800)
	binFrom  = -4.0
	wide     = 0.4 // how like forecasts must be, transformed
	hours    = 1.5 // and hours
	prior    = 3.0 // errors of nought that are there from the start
)

func newSmear(keep float64) *smear {
	s := &smear{keep: keep, now: 1}
	for d := range s.near {
		s.near[d] = gauss(float64(min(d, 24-d)), hours)
	}
	return s
}

func bin(y float64) int { return min(max(int((y-binFrom)/binWidth), 0), bins-1) }

// learn takes up that y was forecast for an interval of that hour, and the price became seen
// (both transformed).
func (s *smear) learn(y, seen float64, hour int) {
	e := seen - y
	if top := bend(ceiling) - y; e > top {
		e = max(top, 0)
	}
	c := &s.cells[bin(y)][hour]
	c.count += s.now
	c.up += s.now * math.Exp(e)
	c.down += s.now * math.Exp(-e)
	if s.now /= s.keep; s.now > 1e12 {
		s.shrink()
	}
}

func (s *smear) shrink() {
	for i := range s.cells {
		for h := range s.cells[i] {
			c := &s.cells[i][h]
			c.count, c.up, c.down = c.count/s.now, c.up/s.now, c.down/s.now
		}
	}
	s.now = 1
}

// mean returns the expected price where y is the transformed forecast.
func (s *smear) mean(y float64, hour int) float64 {
	y = min(max(y, lowest), highest)
	reach := int(3 * wide / binWidth)
	at := bin(y)
	var count, up, down float64
	for i := max(at-reach, 0); i <= min(at+reach, bins-1); i++ {
		like := gauss(binFrom+(float64(i)+0.5)*binWidth-y, wide)
		row := &s.cells[i]
		for h := range row {
			if c := &row[h]; c.count > 0 {
				w := like * s.near[(h-hour+24)%24]
				count += w * c.count
				up += w * c.up
				down += w * c.down
			}
		}
	}
	p := prior * s.now
	return scale / 2 * (math.Exp(y)*(up+p) - math.Exp(-y)*(down+p)) / (count + p)
}
