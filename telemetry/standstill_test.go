package telemetry

import (
	"testing"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// TestStandstill: a meter is frozen when its register stands still while the power it shows
// would have moved it, and never else: not with a coarse register, not without power.
func TestStandstill(t *testing.T) {
	start := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	type reading struct {
		power  unit.Power
		energy unit.Energy
	}
	const kW, Wh, kWh = unit.Kilowatt, unit.WattHour, unit.KilowattHour
	steady := func(i int) reading { return reading{150 * kW, unit.Energy(i) * 208 * Wh} } // every 5 s
	tests := []struct {
		name  string
		at    func(i int) reading
		after time.Duration // frozen from then on; zero: never
	}{
		{"measures", steady, 0},
		{"frozen after a minute", func(i int) reading { return steady(min(i, 12)) }, 75 * time.Second},
		{"idle hall", func(int) reading { return reading{0, 7 * kWh} }, 0},
		{"register of whole kWh", func(i int) reading { return reading{40 * kW, unit.Energy(40*i*5/3600) * kWh} }, 0},
		{"power moves, register does not", func(i int) reading { return reading{150*kW + unit.Power(i%2), 7 * kWh} }, 0},
		{"feeds back", func(int) reading { return reading{-150 * kW, 7 * kWh} }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m Standstill
			var found time.Duration
			for i := range 60 {
				r, age := tt.at(i), time.Duration(i)*5*time.Second
				s := site.Sample{At: start.Add(age), Power: site.Some(r.power), Energy: site.Some(r.energy)}
				if m.Observe(s) != nil && found == 0 {
					found = age
				}
			}
			if found != tt.after {
				t.Errorf("frozen after %s, want %s", found, tt.after)
			}
		})
	}
}
