package venture

import (
	"switchyard/study/figure"
	"switchyard/study/world/exact"
)

const tenth = 1.2815515655446004 // standard deviations to the tenth and the ninetieth of a hundred

// at is a spread's value at the standard normal number z.
func at[T ~float64 | ~int](s *figure.Spread[T], z float64) float64 {
	mid := float64(s.P50)
	other := mid
	switch {
	case z < 0 && s.P10 != nil:
		other = float64(*s.P10)
	case z > 0 && s.P90 != nil:
		other = float64(*s.P90)
	}
	if other == mid {
		return mid
	}
	x := max(z, -z) / tenth
	if mid <= 0 || other <= 0 {
		return mid + float64(x*(other-mid))
	}
	return float64(mid * exact.Exp(float64(x*exact.Log(other/mid))))
}
