// Package inbox owns what the actors find out, until the control loop takes it up: readings go
// to the hub and the metering, acknowledgements wait for the next step.
//
// It never decides, and never takes another device's reading for a miner's own.
//
// Concurrency: an Inbox is safe for concurrent use once its fields are set.
package inbox

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/app/places"
	"switchyard/app/plant"
	"switchyard/app/truth"
	"switchyard/driver"
	"switchyard/estimate"
	"switchyard/fleet"
	"switchyard/reconcile"
	"switchyard/site"
	"switchyard/telemetry"
)

// Inbox takes what the actors find out, from many goroutines, for the loop to take up.
// Readings go to the hub, where the newest wins; acknowledgements are kept until the next
// step. Their number is bounded by the wishes given, one a device and step.
type Inbox struct {
	p     *plant.Plant
	hub   *telemetry.Hub
	meter *telemetry.Integrator

	mu    sync.Mutex
	acks  []fleet.Ack
	out   map[site.DeviceID]time.Time // wishes not answered yet: machine time when given
	still map[site.DeviceID]*telemetry.Standstill
	wraps map[site.DeviceID]bool // meters whose register's width the metering knows
	// Kick is sent to when a meter was read.
	Kick chan struct{}
	// Caps and source say what a meter can do and how it is booked; set before anything runs.
	Caps   func(site.DeviceID) site.Opt[site.Capabilities]
	Places *places.Places
	Truth  *truth.Truth
	Unit   func(site.Sample) // hears of power distribution units; nil: nobody else does
	Source map[site.DeviceID]telemetry.Source
	Polls  atomic.Int64
	Fails  atomic.Int64
}

// New makes an Inbox of a plant.
func New(p *plant.Plant, hub *telemetry.Hub, meter *telemetry.Integrator) *Inbox {
	return &Inbox{
		p: p, hub: hub, meter: meter, out: map[site.DeviceID]time.Time{}, Kick: make(chan struct{}, 1),
		still: map[site.DeviceID]*telemetry.Standstill{}, wraps: map[site.DeviceID]bool{}, Source: map[site.DeviceID]telemetry.Source{},
	}
}

// Put takes a good reading.
func (b *Inbox) Put(s site.Sample) {
	i, isMiner := b.p.Index(s.Device)
	switch {
	case b.p.Unit(s.Device):
		b.Polls.Add(1)
		b.hub.Put(s)
		if b.Unit != nil {
			b.Unit(s)
		}
		return
	case !isMiner:
		b.putMeter(s)
		return
	}
	if err := b.Places.Saw(s); err != nil {
		b.Fail(s.Device, s.At, err) // somebody else's reading
		return
	}
	b.Polls.Add(1)
	b.hub.Put(s)
	if p, ok := b.Truth.Steady(i, &s); ok {
		measured := b.Truth.Figure(i).Method != estimate.Curve
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

func (b *Inbox) putMeter(s site.Sample) {
	if err := b.frozen(s); err != nil {
		b.Fail(s.Device, s.At, err) // not a reading of now: unknown, and not billed as measured
		return
	}
	b.Polls.Add(1)
	b.learnWrap(s.Device)
	b.hub.Put(s)
	b.meter.Observe(s)
	select {
	case b.Kick <- struct{}{}:
	default:
	}
}

func (b *Inbox) frozen(s site.Sample) error {
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
func (b *Inbox) learnWrap(id site.DeviceID) {
	b.mu.Lock()
	known := b.wraps[id]
	b.wraps[id] = true
	b.mu.Unlock()
	if known || b.Caps == nil {
		return
	}
	if c := b.Caps(id); c.OK && c.V.EnergyWraps > 0 {
		s := b.Source[id]
		s.Wraps = c.V.EnergyWraps
		b.meter.Set(s)
	}
}

// Fail takes a poll that gave nothing.
func (b *Inbox) Fail(id site.DeviceID, at time.Time, err error) {
	b.Polls.Add(1)
	b.Fails.Add(1)
	b.hub.Fail(id, at, err)
}

// Acked takes the end of a command's way to its device.
func (b *Inbox) Acked(a fleet.Ack) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !a.Replaced { // a replaced wish leaves its successor outstanding
		delete(b.out, a.Command.Device)
		b.acks = append(b.acks, a)
	}
}

// Sent notes that a wish was handed over.
func (b *Inbox) Sent(id site.DeviceID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out[id] = time.Now()
}

// Take returns the acknowledgements since the last call.
func (b *Inbox) Take() (out []reconcile.Ack) {
	b.mu.Lock()
	acks := b.acks
	b.acks = nil
	b.mu.Unlock()
	for _, a := range acks {
		k := reconcile.Ack{Device: a.Command.Device, Sent: a.Command.At, At: a.At, Kind: AckKind(a.Err)}
		if a.Err != nil {
			k.Text = a.Err.Error()
		}
		out = append(out, k)
	}
	return out
}

// AckKind is what an acknowledgement's error means to the reconciler.
func AckKind(err error) reconcile.AckKind {
	switch {
	case err == nil:
		return reconcile.AckOK
	case errors.Is(err, driver.ErrRefused):
		return reconcile.AckRefused
	case errors.Is(err, driver.ErrUnauthorized):
		return reconcile.AckUnauthorized
	case errors.Is(err, driver.ErrUnsupported):
		return reconcile.AckUnsupported
	}
	return reconcile.AckUnreachable
}

// Waiting says whether a wish younger than patience (machine time) is not answered yet.
func (b *Inbox) Waiting(patience time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.out {
		if time.Since(t) < patience {
			return true
		}
	}
	return false
}
