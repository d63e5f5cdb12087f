package telemetry

import (
	"fmt"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Standstill notices a meter that repeats its last reading for ever. Few meters tell that
// they have stopped measuring, but an energy register that stands still beside a power that
// does not change by a milliwatt is proof: the energy of that power has gone nowhere.
type Standstill struct {
	power  unit.Power
	energy unit.Energy
	since  time.Time   // the first reading with these figures
	last   time.Time   // the newest reading
	step   unit.Energy // the greatest rise between two readings: at least the register's resolution
}

// leastProof is the least energy that must be missing, for registers that count finely.
// Before a register was seen to rise, it may count whole kilowatt-hours: firstProof.
const (
	leastProof = 200 * unit.WattHour
	firstProof = 3 * unit.KilowattHour
)

// Observe takes a meter's reading and says, as an error, that the meter stands still.
func (m *Standstill) Observe(s site.Sample) error {
	if !s.Power.OK || !s.Energy.OK || s.Power.V <= 0 {
		m.since = time.Time{}
		return nil
	}
	fresh := m.since.IsZero()
	if rise := s.Energy.V - m.energy; !fresh && rise > 0 && s.At.Sub(m.last) < 2*time.Minute {
		m.step = max(m.step, rise)
	}
	m.last = s.At
	if fresh || s.Power.V != m.power || s.Energy.V != m.energy {
		m.power, m.energy, m.since = s.Power.V, s.Energy.V, s.At
		return nil
	}
	still := s.At.Sub(m.since)
	proof := max(3*m.step, leastProof)
	if m.step == 0 {
		proof = firstProof
	}
	if s.Power.V.Over(still) <= proof {
		return nil
	}
	return fmt.Errorf("frozen: it has read %s and the same energy for %s", s.Power.V.Short(), still.Round(time.Second))
}
