package world

import (
	"math"

	"switchyard/study/figure"
	"switchyard/study/world/exact"
)

// tenth is how many standard deviations the ninetieth of a hundred lies above the middle.
const tenth = 1.2815515655446004

// At is the value of a spread at the standard normal number z: its P10 at -1.28, its P50 at zero, its
// P90 at +1.28. Between and beyond them its logarithm goes straight, or the value itself where one of
// the two is not above zero. A side without a figure stays at P50. Whole numbers are rounded.
func At[T ~float64 | ~int](s *figure.Spread[T], z float64) T {
	mid := float64(s.P50)
	side := mid
	switch {
	case z < 0 && s.P10 != nil:
		side = float64(*s.P10)
	case z > 0 && s.P90 != nil:
		side = float64(*s.P90)
	}
	if side == mid {
		return s.P50
	}
	n := math.Abs(z) / tenth
	v := mid + float64(n*(side-mid))
	if mid > 0 && side > 0 {
		v = float64(mid * exact.Exp(float64(n*exact.Log(side/mid))))
	}
	if T(1)/T(2) == 0 {
		v = math.Floor(v + 0.5)
	}
	return T(v)
}
