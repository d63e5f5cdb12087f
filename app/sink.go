package app

import (
	"sync"
	"sync/atomic"
	"time"

	"switchyard/app/places"
	"switchyard/app/plant"
	"switchyard/app/truth"
	"switchyard/estimate"
	"switchyard/fleet"
	"switchyard/site"
	"switchyard/telemetry"
)

// inbox takes what the actors find out, from many goroutines, for the loop to take up.
// Readings go to the hub, where the newest wins; acknowledgements are kept until the next
// step. Their number is bounded by the wishes given, one a device and step.
type inbox struct {
	p     *plant.Plant
	hub   *telemetry.Hub
	meter *telemetry.Integrator

	mu    sync.Mutex
	acks  []fleet.Ack
	out   map[site.DeviceID]time.Time // wishes not answered yet: machine time when given
	still map[site.DeviceID]*telemetry.Standstill
	wraps map[site.DeviceID]bool // meters whose register's width the metering knows
	kick  chan struct{}          // a meter was read
	// caps and source say what a meter can do and how it is booked; set before anything runs.
	caps   func(site.DeviceID) site.Opt[site.Capabilities]
	places *places.Places
	truth  *truth.Truth
	source map[site.DeviceID]telemetry.Source
	polls  atomic.Int64
	fails  atomic.Int64
}

func newInbox(p *plant.Plant, hub *telemetry.Hub, meter *telemetry.Integrator) *inbox {
	return &inbox{
		p: p, hub: hub, meter: meter, out: map[site.DeviceID]time.Time{}, kick: make(chan struct{}, 1),
		still: map[site.DeviceID]*telemetry.Standstill{}, wraps: map[site.DeviceID]bool{}, source: map[site.DeviceID]telemetry.Source{},
	}
}

// Put takes a good reading.
func (b *inbox) Put(s site.Sample) {
	i, isMiner := b.p.Index(s.Device)
	switch {
	case b.p.Unit(s.Device):
		b.polls.Add(1)
		b.hub.Put(s)
		return
	case !isMiner:
		b.putMeter(s)
		return
	}
	if err := b.places.Saw(s); err != nil {
		b.Fail(s.Device, s.At, err) // somebody else's reading
		return
	}
	b.polls.Add(1)
	b.hub.Put(s)
	if p, ok := b.truth.Steady(i, &s); ok {
		measured := b.truth.Figure(i).Method != estimate.Curve
		if s.Power = site.Some(p); !measured {
			b.meter.Assume(s)
			return
		}
	}
	if s.Power.OK {
		b.meter.Observe(s)
		return
	}
	if p, ok := b.p.Miners[i].Assumed(s); ok {
		s.Power = site.Some(p)
		b.meter.Assume(s)
	}
}

func (b *inbox) putMeter(s site.Sample) {
	if err := b.frozen(s); err != nil {
		b.Fail(s.Device, s.At, err) // not a reading of now: unknown, and not billed as measured
		return
	}
	b.polls.Add(1)
	b.learnWrap(s.Device)
	b.hub.Put(s)
	b.meter.Observe(s)
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

func (b *inbox) frozen(s site.Sample) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.still[s.Device]
	if m == nil {
		m = &telemetry.Standstill{}
		b.still[s.Device] = m
	}
	return m.Observe(s)
}

// learnWrap tells the metering, once, where a meter's register starts again at zero.
func (b *inbox) learnWrap(id site.DeviceID) {
	b.mu.Lock()
	known := b.wraps[id]
	b.wraps[id] = true
	b.mu.Unlock()
	if known || b.caps == nil {
		return
	}
	if c := b.caps(id); c.OK && c.V.EnergyWraps > 0 {
		s := b.source[id]
		s.Wraps = c.V.EnergyWraps
		b.meter.Set(s)
	}
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

// Counters returns what was counted since the start, for the metrics.
func (a *App) Counters() map[string]int64 {
	return map[string]int64{
		"commands": a.commands.Load(), "polls": a.inbox.polls.Load(), "poll_failures": a.inbox.fails.Load(), "journal_lost": a.journal.Lost(),
	}
}
