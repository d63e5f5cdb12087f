package app

import (
	"sync"
	"sync/atomic"
	"time"

	"switchyard/fleet"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

// inbox takes what the actors find out, from many goroutines, for the loop to take up.
// Readings go to the hub, where the newest wins; acknowledgements are kept until the next
// step. Their number is bounded by the wishes given, one a device and step.
type inbox struct {
	p     *plant
	hub   *telemetry.Hub
	meter *telemetry.Integrator

	mu    sync.Mutex
	acks  []fleet.Ack
	out   map[site.DeviceID]time.Time // wishes not answered yet: machine time when given
	kick  chan struct{}               // a meter was read
	polls atomic.Int64
	fails atomic.Int64
}

func newInbox(p *plant, hub *telemetry.Hub, meter *telemetry.Integrator) *inbox {
	return &inbox{p: p, hub: hub, meter: meter, out: map[site.DeviceID]time.Time{}, kick: make(chan struct{}, 1)}
}

// Put takes a good reading.
func (b *inbox) Put(s site.Sample) {
	b.polls.Add(1)
	b.hub.Put(s)
	i, isMiner := b.p.byID[s.Device]
	if !isMiner {
		b.meter.Observe(s)
		select {
		case b.kick <- struct{}{}:
		default:
		}
		return
	}
	if s.Power.OK {
		b.meter.Observe(s)
		return
	}
	if p, ok := b.p.Miners[i].model(s); ok {
		s.Power = site.Some(p)
		b.meter.Assume(s)
	}
}

// model says what a miner draws that does not tell: its nameplate in proportion to its work,
// or standby while it sleeps; false where its state tells nothing.
func (m miner) model(s site.Sample) (unit.Power, bool) {
	switch {
	case s.State == site.StateSleeping:
		return m.Standby, true
	case s.Hashrate.OK && m.Hashrate > 0:
		share := min(float64(s.Hashrate.V)/float64(m.Hashrate), 1.15)
		return m.Standby + (m.Nameplate - m.Standby).Scale(share), true
	case s.State == site.StateHashing, s.State == site.StateStarting:
		return m.Nameplate, true
	}
	return 0, false
}

// Fail takes a poll that gave nothing.
func (b *inbox) Fail(id site.DeviceID, at time.Time, err error) {
	b.polls.Add(1)
	b.fails.Add(1)
	b.hub.Fail(id, at, err)
}

// Acked takes the end of a command's way to its device.
func (b *inbox) Acked(a fleet.Ack) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !a.Replaced { // a replaced wish leaves its successor outstanding
		delete(b.out, a.Command.Device)
		b.acks = append(b.acks, a)
	}
}

// sent notes that a wish was handed over.
func (b *inbox) sent(id site.DeviceID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out[id] = time.Now()
}

// take returns the acknowledgements since the last call.
func (b *inbox) take() []fleet.Ack {
	b.mu.Lock()
	defer b.mu.Unlock()
	acks := b.acks
	b.acks = nil
	return acks
}

// waiting says whether a wish younger than patience (machine time) is not answered yet.
func (b *inbox) waiting(patience time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.out {
		if time.Since(t) < patience {
			return true
		}
	}
	return false
}
