package compute

import (
	"math"
	"sort"

	"switchyard/unit"
)

// Point is one point of a GPU's curve: held to Power, it does so much of its full work.
type Point struct {
	Power      unit.Power `yaml:"power"`
	Throughput unit.Ratio `yaml:"throughput"`
}

// Model is a GPU type.
type Model struct {
	Name string
	// Idle is drawn with no work on it, Full at full work uncapped, both by one GPU. Least is the
	// lowest cap that its driver takes.
	Idle, Full, Least unit.Power
	// Curve tells throughput by cap, ascending in power; the last point is Full at 100 %.
	Curve []Point
}

// DefaultCurve is what is assumed of a GPU that was not measured: 75 % of its full power leaves
// 95 % of the throughput and half of it 80 %, as an 8B fine-tune on an A100 did at 300 and
// 200 W of 400 (arXiv 2507.00909).
func DefaultCurve(full unit.Power) []Point {
	return []Point{{full / 4, 0.4}, {full / 2, 0.8}, {full.Scale(0.75), 0.95}, {full, 1}}
}

// Throughput returns the share of its full work that a GPU does held to p, by straight lines
// between the curve's points; below the first it falls to nothing at no power.
func (m Model) Throughput(p unit.Power) unit.Ratio {
	c := m.Curve
	if len(c) == 0 {
		c = DefaultCurve(m.Full)
	}
	i := sort.Search(len(c), func(i int) bool { return c[i].Power >= p })
	if i == len(c) {
		return 1
	}
	var low Point
	if i > 0 {
		low = c[i-1]
	}
	span := float64(c[i].Power - low.Power)
	if span <= 0 {
		return c[i].Throughput
	}
	return low.Throughput + (c[i].Throughput-low.Throughput)*unit.Ratio(float64(p-low.Power)/span)
}

// Cap returns the lowest cap at which a GPU still does at least the share of its full work that
// a slowdown allows: 25 % allowed asks for 75 %. It is never below Least nor above Full.
func (m Model) Cap(slowdown unit.Ratio) unit.Power {
	want := 1 - slowdown
	low, high := max(m.Least, 1), m.Full
	if m.Throughput(low) >= want {
		return low
	}
	for high-low > unit.Watt/10 {
		mid := low + (high-low)/2
		if m.Throughput(mid) >= want {
			high = mid
		} else {
			low = mid
		}
	}
	// Caps are told in whole watts: up, so that the allowance holds.
	return min(unit.Watts(math.Ceil(high.Watts())), m.Full)
}
