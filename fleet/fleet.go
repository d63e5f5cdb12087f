// Package fleet owns the sockets: one actor a device, which polls it, tells it the newest
// wish, reads it at once afterwards, and reports what came of either.
//
// It never decides what a device should do, never keeps an older wish once a newer one is
// there, and never turns a failed poll into a reading.
//
// Concurrency: every method of Fleet is safe for concurrent use and none blocks on the
// network, except Run and Scan. A device's calls never overlap: its actor is the only caller.
// Sink methods are called from many actors at once.
package fleet

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/clock"
	"switchyard/driver"
	"switchyard/site"
)

// Sink takes what the actors find out. Its methods must return soon.
type Sink interface {
	// Put takes a good reading.
	Put(site.Sample)
	// Fail takes a poll that gave nothing, and why.
	Fail(id site.DeviceID, at time.Time, err error)
	// Acked takes the end of a command: acknowledged (nil) or not.
	Acked(Ack)
}

// Ack is a device's answer to a command, before any confirmation.
type Ack struct {
	Command  site.Command
	SentAt   time.Time // site time, when the actor took the wish
	At       time.Time // site time, when the device answered or the attempt was given up
	Err      error     // nil when acknowledged; else wraps a driver error
	Replaced bool      // a newer wish came before this one was told: nothing was sent
}

// Spec is one device of the fleet.
type Spec struct {
	Target driver.Target
	Driver driver.Driver
	Poll   time.Duration // site time between polls
	// Timeout bounds one exchange in machine time.
	Timeout time.Duration
	// First says that the device's polls wait for nothing: a meter, on which limits rest.
	First bool
}

// lostAfter is how many polls must fail in a row before a device is asked again what it can do.
const lostAfter = 3

// Options are what all actors share.
type Options struct {
	Clock clock.Clock
	Sink  Sink
	Log   *slog.Logger
	// Polls bounds how many polls run at once; commands, the polls that confirm them and
	// those of devices that go first do not wait for it. Default 256.
	Polls int
}

// Fleet is all devices of a site.
type Fleet struct {
	opt    Options
	gate   chan struct{}
	wave   wave
	actors map[site.DeviceID]*actor
	order  []*actor
}

// New makes the actors without starting them. A driver that cannot open its target is an error.
func New(opt Options, specs []Spec) (*Fleet, error) {
	if opt.Polls <= 0 {
		opt.Polls = 256
	}
	f := &Fleet{opt: opt, gate: make(chan struct{}, opt.Polls), actors: make(map[site.DeviceID]*actor, len(specs))}
	for _, s := range specs {
		id := s.Target.Device
		if _, twice := f.actors[id]; twice {
			return nil, fmt.Errorf("device %s stands twice", id)
		}
		dev, err := s.Driver.Open(s.Target)
		if err != nil {
			return nil, fmt.Errorf("open %s with driver %s: %w", id, s.Driver.Name, err)
		}
		a := &actor{f: f, id: id, spec: s, dev: dev, kick: make(chan struct{}, 1), acts: make(chan act)}
		f.actors[id] = a
		f.order = append(f.order, a)
	}
	return f, nil
}

// Run polls and commands until ctx ends, then closes every device. It blocks.
func (f *Fleet) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, a := range f.order {
		wg.Go(func() { a.run(ctx) })
	}
	wg.Wait()
}

// Wish hands a command to its device's actor and returns at once; a wish that was not yet
// told is replaced and reported so. It returns false if there is no such device.
func (f *Fleet) Wish(c site.Command) bool {
	a, ok := f.actors[c.Device]
	if !ok {
		return false
	}
	f.wave.begin()
	if old := a.wish.Swap(&c); old != nil {
		f.wave.end()
		now := f.opt.Clock.Now()
		f.opt.Sink.Acked(Ack{Command: *old, SentAt: now, At: now, Replaced: true})
	}
	a.poke()
	return true
}

// CommandsComing makes polls stand back until the function that it returns is called, so
// that a wave of commands that is given in parts is one wave.
func (f *Fleet) CommandsComing() (given func()) {
	f.wave.announce()
	return f.wave.given
}

// Refresh asks for a poll of the device as soon as its actor is free.
func (f *Fleet) Refresh(id site.DeviceID) {
	if a, ok := f.actors[id]; ok {
		a.now.Store(true)
		a.poke()
	}
}

// Capabilities returns what the device last said it can do; unknown until it was reached.
func (f *Fleet) Capabilities(id site.DeviceID) site.Opt[site.Capabilities] {
	if a, ok := f.actors[id]; ok {
		if c := a.caps.Load(); c != nil {
			return site.Some(*c)
		}
	}
	return site.Opt[site.Capabilities]{}
}

// Len returns the number of devices.
func (f *Fleet) Len() int { return len(f.order) }

type actor struct {
	f    *Fleet
	id   site.DeviceID
	spec Spec
	dev  driver.Device
	kick chan struct{}
	acts chan act // what persons want done, one at a time
	now  atomic.Bool
	wish atomic.Pointer[site.Command]
	caps atomic.Pointer[site.Capabilities]
	move atomic.Pointer[string] // the host to which the device has moved

	// The actor's own.
	fails int   // in a row
	watch watch // of what the last command does
	lost  bool  // it failed for long: another device may stand there when it is back
}

func (a *actor) poke() {
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

func (a *actor) run(ctx context.Context) {
	defer func() { _ = a.dev.Close() }()
	// The first polls are spread over a poll's length, so that thousands do not dial at once.
	wait := time.Duration(spread(a.id) * float64(min(a.spec.Poll, 10*time.Second)))
	for ctx.Err() == nil {
		timer := a.f.opt.Clock.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-a.kick:
		case act := <-a.acts:
			act.done <- a.do(ctx, act)
			a.now.Store(true)
		case <-timer.C():
			a.now.Store(true)
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
		wait = a.turn(ctx)
	}
}

// turn tells the newest wish if there is one, then reads, and returns the pause to the next poll.
func (a *actor) turn(ctx context.Context) time.Duration {
	// A device that meets a command with silence waits its turn like any other.
	urgent := a.watch.on() && a.fails == 0
	a.follow()
	if c := a.wish.Swap(nil); c != nil {
		heard := a.tell(ctx, *c)
		urgent = true
		shift := time.Duration(0)
		if a.f.wave.isLarge() {
			shift = time.Duration(spread(a.id) * float64(look))
		}
		a.watch.begin(c.Setpoint.Mode, a.f.opt.Clock.Now(), shift)
		if !heard || c.Setpoint.Mode != site.ModeSleep || !a.f.wave.isLarge() {
			a.now.Store(true)
		}
	}
	if a.now.Swap(false) {
		a.poll(ctx, urgent)
	}
	return a.pause()
}

// tell gives the device a command and says whether it acknowledged.
func (a *actor) tell(ctx context.Context, c site.Command) bool {
	ctx, cancel := context.WithTimeout(ctx, a.spec.Timeout)
	defer cancel()
	ack := Ack{Command: c, SentAt: a.f.opt.Clock.Now()}
	ack.Err = a.dev.Apply(ctx, c.Setpoint)
	ack.At = a.f.opt.Clock.Now()
	a.f.wave.end()
	a.f.opt.Sink.Acked(ack)
	return ack.Err == nil
}

func (a *actor) poll(ctx context.Context, urgent bool) {
	leave, ok := a.enter(ctx, urgent)
	if !ok {
		return
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, a.spec.Timeout)
	defer cancel()
	if a.caps.Load() == nil || a.lost {
		caps, err := a.dev.Info(ctx)
		if err != nil {
			a.failed(ctx, fmt.Errorf("ask %s what it can do: %w", a.id, err))
			return
		}
		a.caps.Store(&caps)
		a.lost = false
	}
	s, err := a.dev.Read(ctx)
	if err != nil {
		a.failed(ctx, fmt.Errorf("read %s: %w", a.id, err))
		return
	}
	a.fails = 0
	a.watch.saw(s, a.caps.Load())
	a.f.opt.Sink.Put(s)
	if st, ok := a.dev.(driver.Stager); ok && a.wish.Load() == nil {
		if err := st.Stage(ctx); err != nil { // the next command asks for itself
			a.f.opt.Log.Debug("stage", "device", a.id, "reason", err)
		}
	}
}

// enter waits for the poll's turn: commands go first, and only so many polls run at once,
// beside those that confirm a command (urgent). It returns what ends the turn; false if a
// wish came meanwhile, which goes first, or the end.
func (a *actor) enter(ctx context.Context, urgent bool) (leave func(), ok bool) {
	if a.spec.First {
		return func() {}, true
	}
	// Where site time runs fast, a second is many polls long.
	most := min(hold, time.Duration(float64(a.spec.Poll)/4/a.f.opt.Clock.Speed()))
	if !a.f.wave.wait(ctx, a.kick, most) {
		a.again()
		return nil, false
	}
	if urgent {
		return func() {}, true
	}
	select {
	case a.f.gate <- struct{}{}:
		return func() { <-a.f.gate }, true
	case <-a.kick:
		a.again()
	case <-ctx.Done():
	}
	return nil, false
}

// again gives up a poll's place in favour of a wish; the poll follows it.
func (a *actor) again() {
	a.now.Store(true)
	a.poke()
}

func (a *actor) failed(ctx context.Context, err error) {
	if ctx.Err() == context.Canceled {
		return // we are stopping; that says nothing about the device
	}
	a.fails++
	a.lost = a.lost || a.fails >= lostAfter
	a.f.opt.Sink.Fail(a.id, a.f.opt.Clock.Now(), err)
}

// pause is the site time to the next poll: short after a command, until the reading that
// confirms it is in; longer and longer, up to eight polls, while the device does not answer.
func (a *actor) pause() time.Duration {
	if a.fails > 0 {
		return a.spec.Poll << min(a.fails-1, 3)
	}
	return a.watch.next(a.f.opt.Clock.Now(), a.spec.Poll)
}

// spread maps a device to a fixed place in [0,1).
func spread(id site.DeviceID) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return float64(h.Sum32()) / (1 << 32)
}
