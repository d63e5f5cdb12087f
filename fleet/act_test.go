package fleet

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/clock"
	"switchyard/driver"
	"switchyard/site"
)

// doer is a device that takes actions and stages.
type doer struct {
	handle
	staged atomic.Int32
	did    func(context.Context, driver.Action) error
}

func (d *doer) Do(ctx context.Context, a driver.Action) error {
	defer d.enter("do "+a.Act.String(), d.start)()
	return d.did(ctx, a)
}

func (d *doer) Stage(context.Context) error { d.staged.Add(1); return nil }

func TestActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := errors.New("no")
		d := &doer{handle: handle{&fake{}, "a", time.Now()}, did: func(ctx context.Context, a driver.Action) error {
			switch a.Act {
			case site.ActLED:
				time.Sleep(time.Second)
				return nil
			case site.ActReboot:
				<-ctx.Done()
				return ctx.Err()
			}
			return refuse
		}}
		var hosts []string
		open := func(t driver.Target) (driver.Device, error) { hosts = append(hosts, t.Host); return d, nil }
		s := &sink{puts: map[site.DeviceID]int{}, fails: map[site.DeviceID]int{}}
		mute := &fake{}
		f, err := New(Options{Clock: clock.System(), Sink: s}, []Spec{
			{Driver: driver.Driver{Name: "doer", Open: open}, Poll: poll, Timeout: timeout, Target: driver.Target{Device: "a", Host: "10.0.0.1"}},
			{Driver: driver.Driver{Name: "mute", Open: func(driver.Target) (driver.Device, error) { return handle{mute, "b", time.Now()}, nil }}, Poll: poll, Timeout: timeout, Target: driver.Target{Device: "b"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { f.Run(ctx); close(done) }()
		time.Sleep(30 * time.Second)
		if d.staged.Load() == 0 {
			t.Error("nothing was staged after a poll")
		}
		before := len(d.seen("read"))
		if err := f.Do(ctx, "a", driver.Action{Act: site.ActLED}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(d.seen("read")) != before+1 {
			t.Error("an action is not followed by a reading")
		}
		if err := f.Do(ctx, "a", driver.Action{Act: site.ActPools}); !errors.Is(err, refuse) {
			t.Errorf("a refusal: %v", err)
		}
		begun := time.Now()
		if err := f.Do(ctx, "a", driver.Action{Act: site.ActReboot}); err == nil || time.Since(begun) != timeout {
			t.Errorf("a silent device: %v after %v", err, time.Since(begun))
		}
		for _, id := range []site.DeviceID{"b", "nobody"} {
			if err := f.Do(ctx, id, driver.Action{Act: site.ActLED}); !errors.Is(err, driver.ErrUnsupported) {
				t.Errorf("%s: %v", id, err)
			}
		}
		if !f.Retarget("a", "10.0.0.2") || f.Retarget("nobody", "10.0.0.2") {
			t.Error("Retarget knows the wrong devices")
		}
		synctest.Wait()
		if len(hosts) != 2 || hosts[1] != "10.0.0.2" || d.closed.Load() != 1 || len(d.seen("info")) != 2 {
			t.Errorf("opened at %v, closed %d times, asked who it is %d times", hosts, d.closed.Load(), len(d.seen("info")))
		}
		short, end := context.WithTimeout(ctx, time.Second)
		defer end()
		d.read = func(context.Context) (site.Sample, error) { time.Sleep(3 * time.Second); return site.Sample{}, nil }
		f.Refresh("a")
		synctest.Wait()
		if err := f.Do(short, "a", driver.Action{Act: site.ActLED}); !errors.Is(err, driver.ErrUnreachable) {
			t.Errorf("no turn in time: %v", err)
		}
		cancel()
		<-done
		if d.overlaps.Load() > 0 {
			t.Error("calls overlapped")
		}
	})
}
