// Package clock owns site time: the clock that a site lives by, which in operation is
// the machine's and in a rehearsal runs faster and starts on another day.
//
// It never decides anything and never touches the network. Deadlines of sockets stay in
// machine time; polls, ramps, control periods and intervals are in site time.
//
// Concurrency: every clock and timer is safe for concurrent use. Sleep blocks; nothing else does.
package clock

import (
	"context"
	"time"
)

// Clock tells and awaits site time.
type Clock interface {
	// Now returns the site time.
	Now() time.Time
	// NewTimer returns a timer that fires once, d of site time from now.
	NewTimer(d time.Duration) Timer
	// Speed returns site seconds per machine second as asked for; 1 in operation.
	Speed() float64
}

// Timer is a one-shot timer in site time.
type Timer interface {
	// C delivers the site time once the timer fires; it is buffered, so nobody need wait.
	C() <-chan time.Time
	// Stop keeps the timer from firing if it has not; a value may already be in C.
	Stop()
}

// Sleep waits for d of site time or until ctx ends, and then returns its error.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type system struct{}

// System returns the machine's clock, in UTC.
func System() Clock { return system{} }

func (system) Now() time.Time                 { return time.Now().UTC() }
func (system) Speed() float64                 { return 1 }
func (system) NewTimer(d time.Duration) Timer { return machineTimer{time.NewTimer(d)} }

type machineTimer struct{ t *time.Timer }

func (t machineTimer) C() <-chan time.Time { return t.t.C }
func (t machineTimer) Stop()               { t.t.Stop() }

// Anchored is a clock that runs at a fixed speed and showed the time Site when the
// machine's showed Wall, so that two processes with the same anchor agree.
type Anchored struct {
	Wall, Site time.Time
	Rate       float64
}

// Now returns the site time.
func (a Anchored) Now() time.Time {
	return a.Site.Add(time.Duration(float64(time.Since(a.Wall)) * a.Rate)).UTC()
}

// Speed returns the rate.
func (a Anchored) Speed() float64 { return a.Rate }

// NewTimer returns a timer for d of site time.
func (a Anchored) NewTimer(d time.Duration) Timer {
	return machineTimer{time.NewTimer(time.Duration(float64(d) / a.Rate))}
}
