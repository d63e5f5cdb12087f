package conform_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"testing"

	"switchyard/driver"
	"switchyard/driver/conform"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// toy is the smallest device that keeps the contract; it doubles as an example of a driver.
type toy struct{ t driver.Target }

func (d *toy) ask(ctx context.Context, command string) (rpc.Object, error) {
	r, err := rpc.Call(ctx, d.t.DialContext, d.t.Addr("rpc", rpc.Port), rpc.Request{Command: command})
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", d.t.Device, err)
	}
	all := r.Objects("SUMMARY")
	if len(all) == 0 {
		return nil, fmt.Errorf("device %s: no summary: %w", d.t.Device, driver.ErrUnreachable)
	}
	return all[0], nil
}

func (d *toy) Info(ctx context.Context) (site.Capabilities, error) {
	_, err := d.ask(ctx, "summary")
	return site.Capabilities{Identity: site.Identity{Make: "Toy", Model: "T1"}}, err
}

func (d *toy) Read(ctx context.Context) (site.Sample, error) {
	s := site.Sample{Device: d.t.Device, Asked: d.t.Now(), Identity: site.Identity{Make: "Toy", Model: "T1"}}
	o, err := d.ask(ctx, "summary")
	if err != nil {
		return s, err
	}
	s.At = d.t.Now()
	s.Hashrate = o.Hashrate("GHS 5s")
	if w := o.Float("Power"); w.OK {
		s.Power = site.Some(unit.Watts(w.V))
	}
	if s.Hashrate.OK && s.Hashrate.V > 0 {
		s.State = site.StateHashing
	}
	return s, nil
}

func (d *toy) Apply(ctx context.Context, s site.Setpoint) error {
	if _, err := d.ask(ctx, "summary"); err != nil {
		return err
	}
	if s.Mode != site.ModeRun || s.Power.OK {
		return driver.ErrUnsupported
	}
	return nil
}

func (d *toy) Close() error { return nil }

func toyDriver() driver.Driver {
	return driver.Driver{
		Name: "toy", About: "A device for tests.", Ports: map[string]int{"rpc": rpc.Port},
		Abilities: driver.Abilities{Devices: "Toys", Auth: "none", Power: "some", Checked: "itself", Source: "this file"},
		Open:      func(t driver.Target) (driver.Device, error) { return &toy{t}, nil },
		Probe: func(ctx context.Context, t driver.Target) (site.Identity, error) {
			_, err := (&toy{t}).ask(ctx, "summary")
			return site.Identity{Make: "Toy"}, err
		},
	}
}

// serve answers every connection on loopback with reply and returns a target.
func serve(t *testing.T, reply string, asked *atomic.Int64) driver.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var r rpc.Request
				if json.NewDecoder(c).Decode(&r) == nil {
					asked.Add(1)
					_, _ = io.WriteString(c, reply)
				}
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n, _ := strconv.Atoi(port)
	return driver.Target{Host: "127.0.0.1", Ports: map[string]int{"rpc": n}, Password: "pass-w0rd"}
}

func TestToyConforms(t *testing.T) {
	var asked atomic.Int64
	conform.Run(t, conform.Kit{
		Driver: toyDriver(),
		Start: func(t *testing.T) conform.Fake {
			return conform.Fake{Target: serve(t, `{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{"GHS 5s":110000.5,"Power":3200}],"id":1}`+"\x00", &asked)}
		},
		Bare: func(t *testing.T) conform.Fake {
			return conform.Fake{Target: serve(t, `{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{"Elapsed":5}],"id":1}`, &asked)}
		},
		NoPassword: true,
		Power:      true,
	})
	if asked.Load() == 0 {
		t.Error("the fake was never asked")
	}
}
