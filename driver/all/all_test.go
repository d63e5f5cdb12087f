package all

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/driver"
	"switchyard/site"
)

func TestListed(t *testing.T) {
	for _, want := range []string{"antminer", "braiins", "whatsminer", "whatsminer-v3", "modbus"} {
		d, ok := ByName(want)
		if !ok || d.Name != want || d.Open == nil || d.About == "" || len(d.Ports) == 0 {
			t.Errorf("%s: %+v, %v", want, d, ok)
		}
	}
	names := slices.Sorted(slices.Values(Names()))
	if len(slices.Compact(names)) != len(Names()) || slices.Contains(names, "auto") {
		t.Errorf("names %v", Names())
	}
	if _, ok := ByName("antmine"); ok {
		t.Error("an unknown name is found")
	}
	a, ok := ByName("auto")
	if !ok || a.Ports["rpc"] == 0 || a.Ports["api"] == 0 || a.Ports["modbus"] != 0 {
		t.Errorf("auto: %+v", a)
	}
	if slices.Index(Names(), "whatsminer-v3") > slices.Index(Names(), "whatsminer") {
		t.Error("the newer protocol goes first")
	}
}

type fakeDevice struct {
	driver.Device
	info error
}

func (f fakeDevice) Info(context.Context) (site.Capabilities, error) {
	return site.Capabilities{Sleep: true}, f.info
}

func (fakeDevice) Read(context.Context) (site.Sample, error) {
	return site.Sample{Uptime: site.Some(time.Hour)}, nil
}
func (fakeDevice) Apply(context.Context, site.Setpoint) error { return nil }
func (fakeDevice) Close() error                               { return nil }

// fake is a driver whose probe takes that long and then says so.
func fake(name string, takes time.Duration, err error) driver.Driver {
	return driver.Driver{
		Name: name, Ports: map[string]int{name: 1},
		Open: func(driver.Target) (driver.Device, error) { return fakeDevice{}, nil },
		Probe: func(ctx context.Context, _ driver.Target) (site.Identity, error) {
			select {
			case <-time.After(takes):
				return site.Identity{Make: name}, err
			case <-ctx.Done():
				return site.Identity{}, fmt.Errorf("%w: %w", ctx.Err(), driver.ErrUnreachable)
			}
		},
	}
}

func TestDetect(t *testing.T) {
	const s = time.Second
	un, other, auth := driver.ErrUnreachable, driver.ErrUnsupported, driver.ErrUnauthorized
	cases := []struct {
		name    string
		drivers []driver.Driver
		want    string
		err     error
		within  time.Duration
	}{
		{"the only one", []driver.Driver{fake("a", s, other), fake("b", s, nil)}, "b", nil, s},
		{"the better of two", []driver.Driver{fake("a", s/2, nil), fake("b", 0, nil)}, "a", nil, s / 2},
		{"the worse need not answer", []driver.Driver{fake("a", 0, nil), fake("b", 4*s, nil)}, "a", nil, 0},
		{"the better is too late", []driver.Driver{fake("a", 4*s, nil), fake("b", s, nil)}, "b", nil, 2 * s},
		{"the last resort hurries nobody", []driver.Driver{fake("a", 4*s, nil), fake("cgminer", 0, nil)}, "a", nil, 4 * s},
		{"the last resort waits for all", []driver.Driver{fake("a", 3*s, other), fake("b", time.Minute, nil), fake("cgminer", 0, nil)}, "cgminer", nil, probeTime},
		{"a match ends the last resort's wait", []driver.Driver{fake("a", time.Minute, nil), fake("b", 2*s, nil), fake("cgminer", 0, nil)}, "b", nil, 3 * s},
		{"nobody", []driver.Driver{fake("a", 0, un), fake("b", time.Minute, nil)}, "", un, probeTime},
		{"somebody else", []driver.Driver{fake("a", 0, un), fake("b", 0, other)}, "", other, 0},
		{"wants credentials", []driver.Driver{fake("a", 0, other), fake("b", 0, auth), fake("c", 0, other)}, "", auth, 0},
		{"none to ask", []driver.Driver{{Name: "meter"}}, "", un, 0},
	}
	for _, c := range cases {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			d, id, err := detect(context.Background(), c.drivers, driver.Target{Host: "10.0.0.1"})
			if d.Name != c.want || id.Make != c.want || !errors.Is(err, c.err) || time.Since(begun) != c.within {
				t.Errorf("%s: %q, %v after %v", c.name, d.Name, err, time.Since(begun))
			}
		})
	}
}

func TestDetectBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		var drivers []driver.Driver
		for i := range 12 {
			d := fake(fmt.Sprint(i), 0, nil)
			d.Probe = func(ctx context.Context, _ driver.Target) (site.Identity, error) {
				most.Store(max(most.Load(), now.Add(1)))
				defer now.Add(-1)
				time.Sleep(time.Second)
				return site.Identity{}, driver.ErrUnsupported
			}
			drivers = append(drivers, d)
		}
		if _, _, err := detect(context.Background(), drivers, driver.Target{}); !errors.Is(err, driver.ErrUnsupported) || most.Load() != fanOut {
			t.Errorf("%v, %d at a time", err, most.Load())
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		begun := time.Now()
		slow := []driver.Driver{fake("a", time.Hour, nil), fake("b", time.Hour, nil)}
		if _, _, err := detect(ctx, slow, driver.Target{}); !errors.Is(err, driver.ErrUnreachable) || time.Since(begun) != time.Millisecond {
			t.Errorf("deadline: %v after %v", err, time.Since(begun))
		}
	})
}

func TestAutoDevice(t *testing.T) {
	probes, there := 0, false
	a := fake("a", 0, nil)
	device := &fakeDevice{}
	a.Open = func(driver.Target) (driver.Device, error) { return device, nil }
	a.Probe = func(context.Context, driver.Target) (site.Identity, error) {
		if probes++; !there {
			return site.Identity{}, driver.ErrUnreachable
		}
		return site.Identity{Make: "a"}, nil
	}
	dev, err := auto([]driver.Driver{a}).Open(driver.Target{})
	if err != nil || probes != 0 {
		t.Fatalf("open: %v, %d probes", err, probes)
	}
	ctx := context.Background()
	if _, err := dev.Read(ctx); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("nobody there: %v", err)
	}
	there = true
	for range 3 {
		if s, err := dev.Read(ctx); err != nil || !s.Uptime.OK {
			t.Errorf("%v", err)
		}
	}
	if err := dev.Apply(ctx, site.Setpoint{}); err != nil || probes != 2 {
		t.Errorf("%v, %d probes, want 2", err, probes)
	}
	device.info = driver.ErrUnreachable
	if _, err := dev.Info(ctx); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("info: %v", err)
	}
	if _, err := dev.Read(ctx); err != nil || probes != 3 {
		t.Errorf("detected anew: %v, %d probes, want 3", err, probes)
	}
	if err := dev.Close(); err != nil {
		t.Error(err)
	}
}

func TestPortsHaveNames(t *testing.T) {
	ports := Ports()
	if len(ports) != len(Names())+1 {
		t.Errorf("%d of %d drivers", len(ports), len(Names())+1)
	}
	for name, want := range map[string][]string{
		"whatsminer": {"rpc"}, "antminer": {"http", "rpc"}, "proto": {"http", "https"}, "auto": {"api", "grpc", "http", "https", "rpc"},
	} {
		if !slices.Equal(ports[name], want) {
			t.Errorf("%s: %v, want %v", name, ports[name], want)
		}
	}
}
