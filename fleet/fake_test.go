package fleet

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/driver"
	"switchyard/site"
)

// fake is a device whose answers a test scripts; it notes every call and finds overlaps.
type fake struct {
	mu       sync.Mutex
	calls    []call
	info     func(context.Context) (site.Capabilities, error)
	read     func(context.Context) (site.Sample, error)
	apply    func(context.Context, site.Setpoint) error
	busy     atomic.Int32
	overlaps atomic.Int32
	closed   atomic.Int32
}

type call struct {
	What string
	At   time.Duration // since the test's start
}

func (f *fake) enter(what string, start time.Time) func() {
	if f.busy.Add(1) > 1 {
		f.overlaps.Add(1)
	}
	f.mu.Lock()
	f.calls = append(f.calls, call{what, time.Since(start)})
	f.mu.Unlock()
	return func() { f.busy.Add(-1) }
}

func (f *fake) seen(what string) []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []time.Duration
	for _, c := range f.calls {
		if c.What == what {
			out = append(out, c.At)
		}
	}
	return out
}

func (f *fake) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]string, len(f.calls))
	for i, c := range f.calls {
		out[i] = c.What
	}
	return out
}

// handle is a fake as the fleet opens it.
type handle struct {
	*fake
	id    site.DeviceID
	start time.Time
}

func (h handle) Info(ctx context.Context) (site.Capabilities, error) {
	defer h.enter("info", h.start)()
	if h.info != nil {
		return h.info(ctx)
	}
	return site.Capabilities{Sleep: true}, nil
}

func (h handle) Read(ctx context.Context) (site.Sample, error) {
	defer h.enter("read", h.start)()
	if h.read != nil {
		return h.read(ctx)
	}
	return site.Sample{Device: h.id, At: time.Now()}, nil
}

func (h handle) Apply(ctx context.Context, s site.Setpoint) error {
	defer h.enter("apply "+s.String(), h.start)()
	if h.apply != nil {
		return h.apply(ctx, s)
	}
	return nil
}

func (h handle) Close() error { h.closed.Add(1); return nil }

// sink keeps what the actors told.
type sink struct {
	mu    sync.Mutex
	puts  map[site.DeviceID]int
	fails map[site.DeviceID]int
	errs  []error
	acks  []Ack
}

func (s *sink) Put(m site.Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.puts[m.Device]++
}

func (s *sink) Fail(id site.DeviceID, _ time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails[id]++
	s.errs = append(s.errs, err)
}

func (s *sink) Acked(a Ack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acks = append(s.acks, a)
}

func (s *sink) count(id site.DeviceID) (puts, fails int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts[id], s.fails[id]
}

func (s *sink) answered() []Ack {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Ack(nil), s.acks...)
}

const poll, timeout = time.Minute, 5 * time.Second

// run starts a fleet of the fakes inside a synctest bubble and returns it with its end. One
// called "meter" goes first.
func run(t *testing.T, polls int, fakes map[site.DeviceID]*fake, ids ...site.DeviceID) (*Fleet, *sink, func()) {
	t.Helper()
	start := time.Now()
	s := &sink{puts: map[site.DeviceID]int{}, fails: map[site.DeviceID]int{}}
	var specs []Spec
	for _, id := range ids {
		specs = append(specs, Spec{
			Poll: poll, Timeout: timeout, First: id == "meter", Target: driver.Target{Device: id},
			Driver: driver.Driver{Name: "fake", Open: func(t driver.Target) (driver.Device, error) {
				return handle{fakes[t.Device], t.Device, start}, nil
			}},
		})
	}
	f, err := New(Options{Clock: clock.System(), Sink: s, Log: slog.New(slog.DiscardHandler), Polls: polls}, specs)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { f.Run(ctx); close(done) }()
	return f, s, func() {
		cancel()
		<-done
		for id, k := range fakes {
			if k.overlaps.Load() > 0 {
				t.Errorf("%s: %d calls overlapped", id, k.overlaps.Load())
			}
			if k.closed.Load() != 1 {
				t.Errorf("%s was closed %d times", id, k.closed.Load())
			}
		}
	}
}

func wish(id site.DeviceID, m site.Mode, plan site.PlanID) site.Command {
	return site.Command{Device: id, Setpoint: site.Setpoint{Mode: m}, Plan: plan, At: time.Now()}
}
