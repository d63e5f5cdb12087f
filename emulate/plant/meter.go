package plant

import (
	"math"
	"sync"
	"time"

	"switchyard/emulate/fault"
	"switchyard/unit"
)

// Nominal figures of the grid behind every meter.
const (
	nominalVoltage   = 480.0 // V, line to line
	nominalFrequency = 60.0  // Hz
	powerFactor      = 0.98
	updateEvery      = time.Second
)

// Meter is the meter of one node. It measures the power entering the node.
type Meter struct {
	id     string
	node   string
	limit  unit.Power
	start  unit.Energy // of the register
	faults fault.Set
	rng    chance

	mu       sync.Mutex
	view     MeterView
	last     time.Time // of the newest measurement, shown or not
	resets   int       // register-reset faults that have begun
	zeroedAt unit.Energy
}

// MeterView is what a meter shows.
type MeterView struct {
	Updated time.Time // site time of the measurement
	// Updates counts measurements; a frozen meter's stands still.
	Updates uint64
	Power   unit.Power
	// Energy is the cumulative register. It starts anywhere, never falls, and starts again
	// at zero with the register-reset fault; a face wraps it at its protocol's width.
	Energy      unit.Energy
	Frequency   float64    // Hz
	VoltageLN   [3]float64 // V
	VoltageLL   [3]float64 // V
	Current     [3]float64 // A
	PowerFactor float64
	Apparent    float64 // VA
	Reactive    float64 // var
}

func newMeter(id, node string, limit unit.Power, seed uint64, faults fault.Set) *Meter {
	m := &Meter{id: id, node: node, limit: limit, faults: faults, rng: chance(fault.Hash(seed, id))}
	m.start = unit.Energy(m.rng.float()*2e6) * unit.KilowattHour // it has run before
	return m
}

// ID returns the meter's device name, "meter:" and its node's.
func (m *Meter) ID() string { return m.id }

// Node returns the name of the node it measures.
func (m *Meter) Node() string { return m.node }

// Limit returns the node's continuous limit, zero if it has none: what the meter's current
// transformers are sized by.
func (m *Meter) Limit() unit.Power { return m.limit }

// Faults returns the meter's faults, not to be written.
func (m *Meter) Faults() fault.Set { return m.faults }

// View returns what the meter shows.
func (m *Meter) View() MeterView {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.view
}

// Now returns site time as of the newest measurement, shown or not.
func (m *Meter) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// measure takes a measurement when a second has passed. total is the energy that has
// entered the node since the start.
func (m *Meter) measure(now time.Time, p unit.Power, total unit.Energy) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.last.IsZero() && now.Sub(m.last) < updateEvery {
		return
	}
	m.last = now
	if begun := m.begunResets(now); begun > m.resets {
		m.resets, m.start, m.zeroedAt = begun, 0, total
	}
	if _, frozen := m.faults.Active(fault.Frozen, now); frozen && m.view.Updates > 0 {
		return
	}
	v := MeterView{Updated: now, Updates: m.view.Updates + 1, Power: p, Energy: m.start + total - m.zeroedAt, PowerFactor: powerFactor}
	v.Frequency = nominalFrequency + 0.015*m.rng.signed()
	sag := 1 - 0.02*math.Min(1, float64(p)/math.Max(float64(m.limit), 1))
	for i := range v.VoltageLN {
		v.VoltageLL[i] = nominalVoltage * sag * (1 + 0.002*m.rng.signed())
		v.VoltageLN[i] = v.VoltageLL[i] / math.Sqrt(3)
		v.Current[i] = p.Watts() / 3 / v.VoltageLN[i] / powerFactor
	}
	v.Apparent = p.Watts() / powerFactor
	v.Reactive = math.Sqrt(v.Apparent*v.Apparent - p.Watts()*p.Watts())
	m.view = v
}

func (m *Meter) begunResets(now time.Time) int {
	n := 0
	for _, f := range m.faults {
		if f.Kind == fault.RegisterReset && !now.Before(f.From) {
			n++
		}
	}
	return n
}
