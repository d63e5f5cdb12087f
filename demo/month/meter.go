package month

import (
	"time"

	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// meter counts what flows, exactly, and tells it in its register's steps.
type meter struct {
	node  string
	power unit.Power
	mWs   int64 // milliwatt-seconds
}

// registerStep is what a register counts in.
const registerStep = 10 * unit.WattHour

func (m *meter) flow(p unit.Power, d time.Duration) {
	m.power = p
	m.mWs += int64(p) * int64(d/time.Second)
}

// energy is all that flowed, to the milliwatt-hour.
func (m *meter) energy() unit.Energy { return unit.Energy(m.mWs / 3600) }

// register is what the meter shows.
func (m *meter) register() unit.Energy { return m.energy() / registerStep * registerStep }

func (m *meter) sample(now time.Time) site.Sample {
	return site.Sample{Device: sitefile.MeterID(m.node), At: now, Power: site.Some(m.power), Energy: site.Some(m.register())}
}
