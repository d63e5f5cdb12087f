package bench

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"switchyard/app"
	"switchyard/clock"
	"switchyard/site"
	"switchyard/sitefile"
)

var sleepNow = site.Setpoint{Mode: site.ModeSleep}

// patience bounds every wait for the controller.
const patience = 2 * time.Minute

// controller is a running app.App.
type controller struct {
	b    *testing.B
	app  *app.App
	stop func()
}

// startController runs the controller of a site in real time, with a store of its own.
func startController(b *testing.B, f *sitefile.File, w *stopwatch) *controller {
	b.Helper()
	return startControllerBy(b, f, w.dial)
}

// startControllerBy is startController with a dialler of its own.
func startControllerBy(b *testing.B, f *sitefile.File, dial func(context.Context, string, string) (net.Conn, error)) *controller {
	b.Helper()
	own := *f
	own.Store.Dir = b.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	a, err := app.New(ctx, app.Options{File: &own, Clock: clock.System(), Log: slog.New(slog.DiscardHandler), Version: "bench", Dial: dial})
	if err != nil {
		cancel()
		b.Fatal(errors.Join(err, a.Close()))
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	c := &controller{b: b, app: a}
	stopped := false
	c.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-done, a.Close()); err != nil {
			b.Error(err)
		}
	}
	b.Cleanup(c.stop)
	return c
}

// awake waits until the controller has read so many miners and found them hashing.
func (c *controller) awake(miners int) {
	c.b.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if c.app.Live().Mode == "merit-order" && c.states()["hashing"] == miners {
			return
		}
	}
	c.b.Fatalf("after %v the controller sees %v: all of %d miners should hash", patience, c.states(), miners)
}

// states counts the miners by what the controller sees them do.
func (c *controller) states() map[string]int {
	states := map[string]int{}
	for _, g := range c.app.Live().Groups {
		for s, n := range g.States {
			states[s] += n
		}
	}
	return states
}
