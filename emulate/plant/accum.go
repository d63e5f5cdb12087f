package plant

import (
	"math/bits"
	"time"

	"switchyard/unit"
)

// milliwattHour is a milliwatt-hour in milliwatt-nanoseconds.
const milliwattHour = uint64(time.Hour)

// integral sums power over time exactly: whole milliwatt-hours, and the rest that is not
// one yet. Power must not be negative.
type integral struct {
	whole unit.Energy
	rest  uint64 // mW ns, below milliwattHour
}

// add adds power p held for d.
func (a *integral) add(p unit.Power, d time.Duration) {
	if p <= 0 || d <= 0 {
		return
	}
	hi, lo := bits.Mul64(uint64(p), uint64(d)) // 10 MW for a second do not fit in 64 bits
	lo, carry := bits.Add64(lo, a.rest, 0)
	q, r := bits.Div64(hi+carry, lo, milliwattHour) // steps of a second: hi is far below an hour
	a.whole += unit.Energy(q)
	a.rest = r
}

// chance is a fast source of noise for one goroutine.
type chance uint64

// signed returns a number from -1 up to 1.
func (c *chance) signed() float64 { return 2*c.float() - 1 }

// float returns a number from 0 up to 1.
func (c *chance) float() float64 {
	*c += 0x9e3779b97f4a7c15 // splitmix64
	x := uint64(*c)
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return float64((x^(x>>31))>>11) / (1 << 53)
}

// lag moves x towards goal with time constant tau for dt, both in seconds, by implicit
// Euler: it never overshoots, whatever dt.
func lag(x, goal, dt, tau float64) float64 { return x + (goal-x)*dt/(tau+dt) }
