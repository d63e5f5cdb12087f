package gpuagent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// fakeGPUs is a machine's GPUs as a driver shows them; what it holds outlives an agent.
type fakeGPUs struct {
	mu      sync.Mutex
	gpus    []compute.GPU
	broken  error         // nothing can be read
	refuse  map[int]error // by index
	gone    map[int]bool  // not listed
	hang    chan struct{} // reads wait for it
	sets    []string      // in order
	calls   int
	overlap bool
	busy    bool
}

// machine has n GPUs of 700 W that take 200 W at the least.
func machine(n int) *fakeGPUs {
	f := &fakeGPUs{refuse: map[int]error{}, gone: map[int]bool{}}
	for i := range n {
		w := func(p unit.Power) site.Opt[unit.Power] { return site.Some(p * unit.Watt) }
		f.gpus = append(f.gpus, compute.GPU{
			Index: i, UUID: fmt.Sprintf("GPU-%04d", i), Model: "NVIDIA H100 80GB HBM3", Power: w(650), Energy: site.Some(5 * unit.KilowattHour),
			Limit: w(700), Default: w(700), Least: w(200), Most: w(700), Use: site.Some(0.97), Temp: site.Some(61.0),
		})
	}
	return f
}

func (f *fakeGPUs) Name() string { return "fake" }
func (f *fakeGPUs) Close() error { return nil }

func (f *fakeGPUs) enter() func() {
	f.mu.Lock()
	f.overlap = f.overlap || f.busy
	f.busy = true
	f.calls++
	hang := f.hang
	f.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return func() { f.mu.Lock(); f.busy = false; f.mu.Unlock() }
}

func (f *fakeGPUs) GPUs(context.Context) ([]compute.GPU, error) {
	defer f.enter()()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return nil, f.broken
	}
	var out []compute.GPU
	for _, g := range f.gpus {
		if !f.gone[g.Index] {
			out = append(out, g)
		}
	}
	return out, nil
}

func (f *fakeGPUs) SetLimit(_ context.Context, g compute.GPU, p unit.Power) error {
	defer f.enter()()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refuse[g.Index]; err != nil {
		return err
	}
	for i := range f.gpus {
		if f.gpus[i].Index == g.Index {
			if p < f.gpus[i].Least.V || p > f.gpus[i].Most.V {
				return fmt.Errorf("%s is outside of what it takes: %w", p.Short(), compute.ErrRefused)
			}
			f.gpus[i].Limit = site.Some(p)
			f.sets = append(f.sets, fmt.Sprintf("%d=%s", g.Index, p.Short()))
			return nil
		}
	}
	return compute.ErrRefused
}

func (f *fakeGPUs) set(i int, p unit.Power) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gpus[i].Limit = site.Some(p)
}

func (f *fakeGPUs) lose(i int, gone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone[i] = gone
}

func (f *fakeGPUs) limits() []float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []float64
	for _, g := range f.gpus {
		out = append(out, g.Limit.V.Watts())
	}
	return out
}

func agent(t *testing.T, c Config) *Agent {
	t.Helper()
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func limits(t *testing.T, f *fakeGPUs, want ...float64) {
	t.Helper()
	if d := cmp.Diff(want, f.limits()); d != "" {
		t.Errorf("limits (-want +got):\n%s", d)
	}
}

func TestALeaseEndsInTheSafeCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := machine(2)
		a := agent(t, Config{Driver: f})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go a.Run(ctx)
		hold := func(p unit.Power) {
			if _, err := a.Cap(ctx, p, time.Minute, "hall 1", "test"); err != nil {
				t.Fatal(err)
			}
		}
		hold(400 * unit.Watt)
		time.Sleep(50 * time.Second)
		hold(400 * unit.Watt) // renewed
		time.Sleep(50 * time.Second)
		limits(t, f, 400, 400)
		s, err := a.Status(ctx)
		if err != nil || s.Mode != ModeCap || s.Left != 10*time.Second {
			t.Fatalf("%+v, %v", s, err)
		}
		time.Sleep(10*time.Second + time.Millisecond)
		limits(t, f, 525, 525) // three quarters
		time.Sleep(24 * time.Hour)
		limits(t, f, 525, 525)
		if r, err := a.Reading(ctx); err != nil || !r.Safe || !r.Lease.IsZero() {
			t.Errorf("%+v, %v", r, err)
		}
		hold(300 * unit.Watt)
		limits(t, f, 300, 300)
		if _, err := a.Uncap(ctx, "test"); err != nil {
			t.Fatal(err)
		}
		limits(t, f, 700, 700)
		time.Sleep(time.Hour)
		limits(t, f, 700, 700)
	})
}

func TestSafeCaps(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		cap    unit.Power
		before unit.Power
		want   float64
	}{
		{"a power", Config{SafePower: 350 * unit.Watt}, 600 * unit.Watt, 700 * unit.Watt, 350},
		{"a share", Config{SafeShare: 0.5}, 600 * unit.Watt, 700 * unit.Watt, 350},
		{"not below what it takes", Config{SafePower: 50 * unit.Watt}, 600 * unit.Watt, 700 * unit.Watt, 200},
		{"not above what a person had set", Config{}, 400 * unit.Watt, 450 * unit.Watt, 450},
		{"a lower cap is raised to it", Config{}, 300 * unit.Watt, 700 * unit.Watt, 525},
		{"or stays", Config{KeepLower: true}, 300 * unit.Watt, 700 * unit.Watt, 300},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := machine(1)
				f.set(0, c.before)
				c.config.Driver = f
				a := agent(t, c.config)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go a.Run(ctx)
				if _, err := a.Cap(ctx, c.cap, time.Minute, "", ""); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Minute)
				limits(t, f, c.want)
				if _, err := a.Uncap(ctx, ""); err != nil {
					t.Fatal(err)
				}
				limits(t, f, c.before.Watts())
			})
		})
	}
}

func TestAKilledAgentTakesItUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, path := machine(2), filepath.Join(t.TempDir(), "agent.json")
		f.set(1, 600*unit.Watt) // a person's
		first := agent(t, Config{Driver: f, State: path})
		if _, err := first.Cap(t.Context(), 400*unit.Watt, time.Minute, "breaker", ""); err != nil {
			t.Fatal(err)
		}
		// Killed: nothing runs. The driver is loaded anew and forgets its limits.
		time.Sleep(20 * time.Second)
		f.set(0, 700*unit.Watt)
		f.set(1, 700*unit.Watt)
		second := agent(t, Config{Driver: f, State: path})
		ctx, cancel := context.WithCancel(t.Context())
		go second.Run(ctx)
		synctest.Wait()
		limits(t, f, 400, 400)
		if s, _ := second.Status(ctx); s.Left != 40*time.Second || s.Reason != "breaker" {
			t.Errorf("%+v", s)
		}
		cancel()
		synctest.Wait()
		time.Sleep(time.Hour) // killed again, and the lease ends meanwhile
		third := agent(t, Config{Driver: f, State: path})
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		go third.Run(ctx)
		time.Sleep(time.Millisecond)
		limits(t, f, 525, 525)
		if _, err := third.Uncap(ctx, ""); err != nil {
			t.Fatal(err)
		}
		limits(t, f, 700, 600) // the originals outlived two agents and a driver
		if s, err := loadState(path); err != nil || len(s.Originals) != 0 || s.Mode != ModeNone {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestAClockThatWasSetNeverLengthensALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "agent.json")
		a := agent(t, Config{Driver: machine(1), State: path})
		if _, err := a.Cap(t.Context(), 400*unit.Watt, time.Minute, "", ""); err != nil {
			t.Fatal(err)
		}
		s := a.state.clone()
		s.Ends = s.Ends.Add(3 * 365 * 24 * time.Hour) // the machine's clock went back three years
		if err := s.save(path); err != nil {
			t.Fatal(err)
		}
		b := agent(t, Config{Driver: machine(1), State: path})
		if left := b.state.left(time.Now()); left != time.Minute {
			t.Errorf("%s are left", left)
		}
	})
}

func TestALostGPUHindersNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := machine(4)
		a := agent(t, Config{Driver: f})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, err := a.Status(ctx); err != nil {
			t.Fatal(err)
		}
		f.gpus[1] = compute.GPU{Index: 1, UUID: "GPU-0001", Faults: []string{"lost from the bus (XID 79)"}}
		f.gone[2] = true // not even listed
		f.gpus[3].Faults = []string{"XID 48"}
		out, err := a.Cap(ctx, 400*unit.Watt, time.Minute, "", "")
		if err != nil || out.Refused() != nil {
			t.Fatal(out, err)
		}
		if !out.GPUs[1].Lost || !out.GPUs[2].Lost || out.GPUs[3].Lost || len(out.GPUs) != 4 {
			t.Errorf("%+v", out)
		}
		limits(t, f, 400, 0, 700, 400)
		s, err := a.Status(ctx)
		if err != nil || len(s.GPUs) != 4 || !strings.Contains(s.GPUs[2].Faults[0], "does not list") {
			t.Errorf("%+v, %v", s, err)
		}
		// It comes back while the cap holds, and is held too.
		go a.Run(ctx)
		f.lose(2, false)
		time.Sleep(11 * time.Second)
		limits(t, f, 400, 0, 400, 400)
		if _, err := a.Uncap(ctx, ""); err != nil {
			t.Fatal(err)
		}
		limits(t, f, 700, 0, 700, 700)
	})
}

func TestAGPUThatIsAwayWhenUncappedIsRestoredLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := machine(2)
		a := agent(t, Config{Driver: f})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go a.Run(ctx)
		if _, err := a.Cap(ctx, 400*unit.Watt, time.Hour, "", ""); err != nil {
			t.Fatal(err)
		}
		f.lose(1, true)
		if _, err := a.Uncap(ctx, ""); err != nil {
			t.Fatal(err)
		}
		limits(t, f, 700, 400)
		f.lose(1, false)
		time.Sleep(11 * time.Second)
		limits(t, f, 700, 700)
	})
}

func TestADriverThatRefusesIsTold(t *testing.T) {
	f := machine(2)
	f.refuse[1] = fmt.Errorf("no permission: run the agent as root: %w", compute.ErrUnauthorized)
	a := agent(t, Config{Driver: f})
	out, err := a.Cap(t.Context(), 400*unit.Watt, time.Minute, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Refused(); !errors.Is(err, compute.ErrRefused) || !strings.Contains(err.Error(), "1 of 2 GPUs are not held: GPU 1: no permission") {
		t.Error(err)
	}
	limits(t, f, 400, 700)
}

func TestADriverThatIsAwayAtTheLeasesEndIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := machine(1)
		a := agent(t, Config{Driver: f})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go a.Run(ctx)
		if _, err := a.Cap(ctx, 600*unit.Watt, time.Minute, "", ""); err != nil {
			t.Fatal(err)
		}
		f.mu.Lock()
		f.broken, f.calls = fmt.Errorf("the driver is being updated: %w", compute.ErrUnreachable), 0
		f.mu.Unlock()
		time.Sleep(5 * time.Minute)
		f.mu.Lock()
		f.broken = nil
		if f.calls > 300 {
			t.Errorf("%d calls in five minutes", f.calls)
		}
		f.mu.Unlock()
		limits(t, f, 600)
		time.Sleep(2 * time.Second)
		limits(t, f, 525)
	})
}

func TestAHangingDriverIsNoHangingAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := machine(1)
		a := agent(t, Config{Driver: f})
		f.hang = make(chan struct{})
		go func() { _, _ = a.Status(t.Context()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := a.Cap(ctx, 400*unit.Watt, time.Minute, "", ""); !errors.Is(err, compute.ErrUnreachable) || !strings.Contains(err.Error(), "does not answer") {
			t.Error(err)
		}
		close(f.hang)
	})
}

func TestADiskThatFailsKeepsNoGPUFromBeingHeld(t *testing.T) {
	f := machine(1)
	a := agent(t, Config{Driver: f, State: filepath.Join(t.TempDir(), "no-such-folder", "agent.json")})
	out, err := a.Cap(t.Context(), 400*unit.Watt, time.Minute, "", "")
	if err != nil || !strings.Contains(out.Warning, "no-such-folder") {
		t.Errorf("%+v, %v", out, err)
	}
	limits(t, f, 400)
}

func TestADamagedStateIsRefused(t *testing.T) {
	for _, text := range []string{"", "{", `{"version":2}`, `{"version":1,"mode":"full"}`, `{"version":1,"mode":"cap"}`, `{"version":1,"mode":"none","originals_mw":{"GPU-1":-4}}`} {
		path := filepath.Join(t.TempDir(), "agent.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{Driver: machine(1), State: path}); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCapsOutOfBoundsAreRefused(t *testing.T) {
	a := agent(t, Config{Driver: machine(1)})
	for _, c := range []struct {
		p     unit.Power
		lease time.Duration
	}{{0, time.Minute}, {-unit.Watt, time.Minute}, {20 * unit.Kilowatt, time.Minute}, {unit.Kilowatt, 0}, {unit.Kilowatt, 48 * time.Hour}} {
		if _, err := a.Cap(t.Context(), c.p, c.lease, "", ""); !errors.Is(err, compute.ErrRefused) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// TestNoGPUIsEverHeldAboveItsOriginal is the law under any order of events.
func TestNoGPUIsEverHeldAboveItsOriginal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := machine(3)
		originals := make([]unit.Power, 3)
		for i := range f.gpus {
			originals[i] = unit.Power(rapid.IntRange(200, 700).Draw(t, "original")) * unit.Watt
			f.set(i, originals[i])
		}
		a, err := New(Config{Driver: f, SafePower: unit.Power(rapid.IntRange(100, 700).Draw(t, "safe")) * unit.Watt})
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"cap", "uncap", "lose", "find", "expire"}).Draw(t, "step") {
			case "cap":
				_, _ = a.Cap(ctx, unit.Power(rapid.IntRange(1, 10000).Draw(t, "power"))*unit.Watt, time.Hour, "", "")
			case "uncap":
				_, _ = a.Uncap(ctx, "")
			case "lose":
				f.gone[rapid.IntRange(0, 2).Draw(t, "gpu")] = true
			case "find":
				clear(f.gone)
			case "expire":
				a.state.Ends = time.Time{}
				a.tick(ctx)
			}
			for i, g := range f.gpus {
				if g.Limit.V > originals[i] {
					t.Fatalf("GPU %d is at %s, its original is %s", i, g.Limit.V.Short(), originals[i].Short())
				}
			}
		}
		clear(f.gone)
		if _, err := a.Uncap(ctx, ""); err != nil {
			t.Fatal(err)
		}
		for i, g := range f.gpus {
			if g.Limit.V != originals[i] {
				t.Fatalf("GPU %d ended at %s, not %s", i, g.Limit.V.Short(), originals[i].Short())
			}
		}
		if f.overlap {
			t.Fatal("calls of the driver overlapped")
		}
	})
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"version":1,"mode":"cap","power_mw":400000,"lease_ns":60000000000,"ends":"2026-03-02T12:00:00Z","originals_mw":{"GPU-1":700000}}`))
	f.Add([]byte(`{"version":1,"mode":"none"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseState(b)
		if err != nil {
			return
		}
		if left := s.left(time.Unix(0, 0)); left < 0 || left > s.Lease {
			t.Errorf("%s of %s are left", left, s.Lease)
		}
		for k, v := range s.Originals {
			if v <= 0 {
				t.Errorf("%s: %d", k, v)
			}
		}
	})
}
