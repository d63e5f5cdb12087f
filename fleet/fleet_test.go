package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/clock"
	"switchyard/driver"
	"switchyard/site"
	"switchyard/unit"
)

func TestTheNewestWishWinsAndTheReplacedOneIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fake{apply: func(context.Context, site.Setpoint) error { time.Sleep(time.Second); return nil }}
		f, s, end := run(t, 0, map[site.DeviceID]*fake{"a": slow}, "a")
		time.Sleep(20 * time.Second)
		f.Wish(wish("a", site.ModeSleep, 1))
		synctest.Wait() // the first is on its way to the device
		f.Wish(wish("a", site.ModeRun, 2))
		f.Wish(wish("a", site.ModeSleep, 3))
		f.Wish(wish("a", site.ModeRun, 4))
		if f.Wish(wish("nobody", site.ModeRun, 5)) {
			t.Error("a wish for an unknown device was taken")
		}
		time.Sleep(10 * time.Second)
		type told struct {
			Plan     site.PlanID
			Replaced bool
		}
		var got []told
		for _, a := range s.answered() {
			got = append(got, told{a.Command.Plan, a.Replaced})
			if a.Err != nil || a.At.Before(a.SentAt) {
				t.Errorf("plan %d: error %v, sent %s, answered %s", a.Command.Plan, a.Err, a.SentAt, a.At)
			}
		}
		if diff := cmp.Diff([]told{{2, true}, {3, true}, {1, false}, {4, false}}, got); diff != "" {
			t.Errorf("acknowledgements (-want +got):\n%s", diff)
		}
		end()
	})
}

func TestAWishIsAppliedAndReadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fake{}
		f, _, end := run(t, 0, map[site.DeviceID]*fake{"a": d}, "a")
		time.Sleep(30 * time.Second) // the first poll is over, the next is far
		before := len(d.names())
		f.Wish(wish("a", site.ModeSleep, 1))
		synctest.Wait()
		if diff := cmp.Diff([]string{"apply sleep", "read"}, d.names()[before:]); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		at := d.seen("read")
		if got := at[len(at)-1] - d.seen("apply sleep")[0]; got != 0 {
			t.Errorf("the confirming read came %s after the command", got)
		}
		end()
	})
}

// TestReadingsFollowACommand: quickly until the device had time to obey, then as usual.
func TestReadingsFollowACommand(t *testing.T) {
	ms := func(all ...int) (out []time.Duration) {
		for _, n := range all {
			out = append(out, time.Duration(n)*time.Millisecond)
		}
		return append(out, poll, poll)
	}
	for name, c := range map[string]struct {
		mode site.Mode
		rest time.Duration // until it sleeps
		want []time.Duration
	}{
		"wake":                 {site.ModeRun, 0, ms(1000, 2000, 3000, 3000, 4000, 6000)},
		"sleep":                {site.ModeSleep, 11 * time.Second, ms(6000, 3000, 1250, 1250)},
		"does not fall asleep": {site.ModeSleep, time.Hour, ms(6000, 3000, 1250, 1250, 1250, 1250, 1250, 1250, 1250, 2250, 5000, 5000)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testReadings(t, c.mode, c.rest, c.want) })
		})
	}
}

func testReadings(t *testing.T, mode site.Mode, rest time.Duration, want []time.Duration) {
	var told atomic.Pointer[time.Time]
	d := &fake{}
	d.apply = func(context.Context, site.Setpoint) error { now := time.Now(); told.Store(&now); return nil }
	d.read = func(context.Context) (site.Sample, error) {
		s := site.Sample{Device: "a", At: time.Now(), State: site.StateHashing}
		if at := told.Load(); at != nil && mode == site.ModeSleep {
			s.State, s.Power = site.StateSleeping, site.Some(2*unit.Kilowatt) // it says so, and still draws
			if s.At.Sub(*at) >= rest {
				s.Power = site.Some(20 * unit.Watt)
			}
		}
		return s, nil
	}
	f, _, end := run(t, 0, map[site.DeviceID]*fake{"a": d}, "a")
	defer end()
	time.Sleep(30 * time.Second)
	for _, again := range []string{"first", "again"} {
		before := len(d.seen("read"))
		f.Wish(wish("a", mode, 1))
		time.Sleep(4 * poll)
		at := d.seen("read")[before:]
		var gaps []time.Duration
		for i := 1; i < len(at); i++ {
			gaps = append(gaps, at[i]-at[i-1])
		}
		w := want
		if again == "again" && mode == site.ModeSleep && rest < time.Minute {
			// It needed 11.5 s the last time: the first look is not before 10.25.
			w = []time.Duration{10250 * time.Millisecond, 1250 * time.Millisecond, poll, poll}
		}
		if diff := cmp.Diff(w, gaps[:min(len(w), len(gaps))]); diff != "" {
			t.Errorf("%s: pauses after a command (-want +got):\n%s", again, diff)
		}
		told.Store(nil)
		f.Refresh("a")
		time.Sleep(2 * poll)
	}
}

func TestAFailedCommandIsReportedWithItsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fake{apply: func(ctx context.Context, _ site.Setpoint) error {
			<-ctx.Done() // half-open: nothing ever comes
			return fmt.Errorf("%w: %w", driver.ErrUnreachable, ctx.Err())
		}}
		f, s, end := run(t, 0, map[site.DeviceID]*fake{"a": d}, "a")
		time.Sleep(20 * time.Second)
		f.Wish(wish("a", site.ModeSleep, 1))
		time.Sleep(timeout + time.Second)
		a := s.answered()
		if len(a) != 1 || !errors.Is(a[0].Err, driver.ErrUnreachable) || a[0].At.Sub(a[0].SentAt) != timeout {
			t.Errorf("acknowledgements: %+v", a)
		}
		if d.names()[len(d.names())-1] != "read" {
			t.Error("no read followed the failed command: nobody knows what the device does now")
		}
		end()
	})
}

func TestPollsBackOffToEightAndComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead atomic.Bool
		dead.Store(true)
		d := &fake{}
		d.read = func(context.Context) (site.Sample, error) {
			if dead.Load() {
				return site.Sample{}, driver.ErrUnreachable
			}
			return site.Sample{Device: "a"}, nil
		}
		_, s, end := run(t, 0, map[site.DeviceID]*fake{"a": d}, "a")
		time.Sleep(time.Hour)
		at := d.seen("read")
		var gaps []time.Duration
		for i := 1; i < len(at); i++ {
			gaps = append(gaps, at[i]-at[i-1])
		}
		want := []time.Duration{poll, 2 * poll, 4 * poll, 8 * poll, 8 * poll, 8 * poll, 8 * poll, 8 * poll, 8 * poll}
		if diff := cmp.Diff(want[:len(gaps)], gaps); diff != "" || len(gaps) < 8 {
			t.Errorf("pauses while it fails (-want +got):\n%s", diff)
		}
		if puts, fails := s.count("a"); puts != 0 || fails != len(at) {
			t.Errorf("%d readings and %d failures of %d polls", puts, fails, len(at))
		}
		dead.Store(false)
		time.Sleep(8*poll + 10*poll)
		if puts, _ := s.count("a"); puts < 10 {
			t.Errorf("%d readings in the ten polls after it came back", puts)
		}
		end()
	})
}

func TestRefreshEndsABackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fake{read: func(context.Context) (site.Sample, error) { return site.Sample{}, driver.ErrUnreachable }}
		f, _, end := run(t, 0, map[site.DeviceID]*fake{"a": d}, "a")
		time.Sleep(20 * poll)
		before := len(d.seen("read"))
		f.Refresh("a")
		f.Refresh("nobody")
		synctest.Wait()
		if got := len(d.seen("read")) - before; got != 1 {
			t.Errorf("%d reads after a refresh", got)
		}
		end()
	})
}

// stuck never answers until its deadline.
func stuck(ctx context.Context) (site.Sample, error) {
	<-ctx.Done()
	return site.Sample{}, fmt.Errorf("%w: %w", driver.ErrUnreachable, ctx.Err())
}

func TestAWishDoesNotWaitForStuckPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes := map[site.DeviceID]*fake{"good": {}}
		ids := []site.DeviceID{"good"}
		for i := range 300 {
			id := site.DeviceID(fmt.Sprintf("stuck-%03d", i))
			// They hold their place at the gate for ever: their driver breaks its promise about deadlines.
			fakes[id] = &fake{read: func(ctx context.Context) (site.Sample, error) {
				time.Sleep(time.Hour)
				return site.Sample{}, driver.ErrUnreachable
			}}
			ids = append(ids, id)
		}
		f, s, end := run(t, 256, fakes, ids...)
		time.Sleep(2 * poll)
		if n := len(f.gate); n != 256 {
			t.Fatalf("%d polls hold the gate; the test wants it full", n)
		}
		asked := time.Now()
		before, _ := s.count("good")
		f.Wish(wish("good", site.ModeSleep, 1))
		synctest.Wait()
		if a := s.answered(); len(a) != 1 || !a[0].At.Equal(asked) {
			t.Errorf("a wish waited behind other devices' polls: %+v", a)
		}
		if after, _ := s.count("good"); after != before+1 {
			t.Error("the confirming read waited behind other devices' polls")
		}
		time.Sleep(2 * time.Hour) // the stuck ones come back from their calls
		end()
	})
}

func TestTheGateBoundsPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const gate, devices = 8, 64
		var running, most atomic.Int32
		fakes, ids := map[site.DeviceID]*fake{}, []site.DeviceID(nil)
		for i := range devices {
			id := site.DeviceID(fmt.Sprintf("m-%03d", i))
			fakes[id] = &fake{read: func(ctx context.Context) (site.Sample, error) {
				n := running.Add(1)
				defer running.Add(-1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				return stuck(ctx)
			}}
			ids = append(ids, id)
		}
		f, _, end := run(t, gate, fakes, ids...)
		time.Sleep(10 * poll)
		if got := most.Load(); got > gate {
			t.Errorf("%d polls ran at once, %d are allowed", got, gate)
		}
		// A command may pass the gate, and the read after it; a device that then stays silent may not go on passing it.
		for _, id := range ids {
			f.Wish(wish(id, site.ModeSleep, 1))
		}
		time.Sleep(2 * time.Minute)
		most.Store(0)
		time.Sleep(30 * poll)
		if got := most.Load(); got > gate {
			t.Errorf("after a command that met silence, %d polls ran at once, %d are allowed", got, gate)
		}
		end()
	})
}

func TestStoppingIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fake{read: stuck, info: func(ctx context.Context) (site.Capabilities, error) {
			_, err := stuck(ctx)
			return site.Capabilities{}, err
		}}
		_, s, end := run(t, 0, map[site.DeviceID]*fake{"a": d}, "a")
		time.Sleep(10 * time.Second)
		for d.busy.Load() == 0 {
			time.Sleep(100 * time.Millisecond)
		}
		_, before := s.count("a")
		end()
		if _, after := s.count("a"); after != before {
			t.Error("the end of the fleet was reported as a device's failure")
		}
	})
}

func TestFirstPollsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		fakes, ids := map[site.DeviceID]*fake{}, []site.DeviceID(nil)
		for i := range n {
			id := site.DeviceID(fmt.Sprintf("hall-a-miners-%03d", i+1))
			fakes[id] = &fake{}
			ids = append(ids, id)
		}
		_, _, end := run(t, 0, fakes, ids...)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		var seconds [10]int
		for id, d := range fakes {
			at := d.seen("read")
			if len(at) != 1 {
				t.Fatalf("%s was read %d times in its first ten seconds", id, len(at))
			}
			seconds[min(int(at[0]/time.Second), 9)]++
		}
		for i, got := range seconds {
			if got < n/20 || got > n/5 {
				t.Errorf("second %d has %d of %d first polls: %v", i, got, n, seconds)
			}
		}
		end()
	})
}

func TestInfoIsAskedUntilItIsAnsweredAndAgainAfterALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var refuse, dead atomic.Bool
		refuse.Store(true)
		d := &fake{}
		d.info = func(context.Context) (site.Capabilities, error) {
			if refuse.Load() || dead.Load() {
				return site.Capabilities{}, driver.ErrUnreachable
			}
			return site.Capabilities{Sleep: true, MinPercent: len(d.seen("info"))}, nil
		}
		d.read = func(context.Context) (site.Sample, error) {
			if dead.Load() {
				return site.Sample{}, driver.ErrUnreachable
			}
			return site.Sample{Device: "a"}, nil
		}
		f, s, end := run(t, 0, map[site.DeviceID]*fake{"a": d}, "a")
		time.Sleep(4 * poll)
		asked := len(d.seen("info"))
		if asked < 2 || f.Capabilities("a").OK || f.Capabilities("nobody").OK {
			t.Errorf("asked %d times; known %v", asked, f.Capabilities("a").OK)
		}
		if len(d.seen("read")) != 0 {
			t.Error("it was read although it does not say what it is")
		}
		refuse.Store(false)
		time.Sleep(20 * poll)
		if got := len(d.seen("info")); got != asked+1 || !f.Capabilities("a").OK {
			t.Errorf("asked %d times in all; known %v", got, f.Capabilities("a").OK)
		}
		// Another device may stand at the address after a loss. What was known holds until it answers.
		dead.Store(true)
		time.Sleep(40 * poll)
		if !f.Capabilities("a").OK {
			t.Error("a lost device's capabilities were forgotten")
		}
		dead.Store(false)
		before, _ := s.count("a")
		time.Sleep(20 * poll)
		if after, _ := s.count("a"); after == before {
			t.Error("no reading after it came back")
		}
		if got := f.Capabilities("a").V.MinPercent; got <= asked+1 {
			t.Errorf("its capabilities are those of its answer number %d, from before the loss", got)
		}
		end()
	})
}

func TestCallsNeverOverlapInAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fake{
			read: func(context.Context) (site.Sample, error) {
				time.Sleep(30 * time.Millisecond)
				return site.Sample{Device: "a"}, nil
			},
			apply: func(context.Context, site.Setpoint) error { time.Sleep(70 * time.Millisecond); return nil },
		}
		f, s, end := run(t, 1, map[site.DeviceID]*fake{"a": d}, "a")
		const wishes = 400
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range wishes / 4 {
					f.Wish(wish("a", site.Mode(i%2), site.PlanID(g*1000+i)))
					f.Refresh("a")
					time.Sleep(time.Duration(1+(i*7+g*13)%50) * time.Millisecond)
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Minute)
		if got := len(s.answered()); got != wishes {
			t.Errorf("%d of %d wishes were answered", got, wishes)
		}
		end()
	})
}

func TestNewRefusesWhatCannotBe(t *testing.T) {
	good := driver.Driver{Name: "fake", Open: func(driver.Target) (driver.Device, error) { return handle{fake: &fake{}}, nil }}
	bad := driver.Driver{Name: "bad", Open: func(driver.Target) (driver.Device, error) { return nil, driver.ErrUnsupported }}
	spec := func(d driver.Driver) Spec {
		return Spec{Driver: d, Target: driver.Target{Device: "a"}, Poll: poll, Timeout: timeout}
	}
	for name, specs := range map[string][]Spec{"a device twice": {spec(good), spec(good)}, "a driver that cannot open": {spec(bad)}} {
		if f, err := New(Options{Clock: clock.System()}, specs); err == nil || f != nil {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	if f, err := New(Options{Clock: clock.System()}, []Spec{spec(good)}); err != nil || f.Len() != 1 {
		t.Errorf("one good device: %v", err)
	}
}
