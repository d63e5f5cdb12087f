package sealminer_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/driver/conform"
	"switchyard/driver/sealminer"
	"switchyard/emulate/face"
	"switchyard/emulate/rig"
	emulated "switchyard/emulate/sealminer"
	"switchyard/site"
)

func start(t *testing.T) conform.Fake {
	r := rig.One(t, emulated.Make(), emulated.Serve, "A2", nil)
	return conform.Fake{
		Target: driver.Target{Host: r.Host, Ports: r.Ports, User: r.User, Password: driver.Secret(r.Password)},
		Obeys:  r.Obeys, Settle: r.Settle, Acts: r.Acts,
	}
}

// answering is an RPC port that answers everything with reply, and no web server.
func answering(reply string) func(t *testing.T) conform.Fake {
	return func(t *testing.T) conform.Fake {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := face.TCP(l, 8, func(c net.Conn) {
			if _, err := face.ReadRequest(c, 4096, 5*time.Second); err == nil {
				_, _ = io.WriteString(c, reply)
			}
		})
		t.Cleanup(func() { _ = s.Close() })
		return conform.Fake{Target: driver.Target{Host: "127.0.0.1", Ports: map[string]int{"rpc": l.Addr().(*net.TCPAddr).Port, "http": shut(t)}}}
	}
}

// shut is a port where nobody listens.
func shut(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestConformance(t *testing.T) {
	conform.Run(t, conform.Kit{
		Driver: sealminer.Driver(), Power: true, Start: start,
		NoPassword: true, // readings and sleep need none; TestWrongPassword has the rest
		Bare:       answering(`{"STATUS":[{"STATUS":"S","Code":70}],"STATS":[{"STATS":0,"Model":"A2","PM State":"Running","MHS(Sample)":null,"PSU Input Power":0}],"id":1}`),
	})
}

func opened(t *testing.T, f conform.Fake) (driver.Device, context.Context) {
	t.Helper()
	f.Target.Now = time.Now
	d, err := sealminer.Driver().Open(f.Target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return d, ctx
}

func TestWrongPassword(t *testing.T) {
	f := start(t)
	f.Target.Password = "wr0ng-pa55word"
	d, ctx := opened(t, f)
	for _, a := range []site.Act{site.ActReboot, site.ActLED, site.ActPassword, site.ActProfile} {
		err := d.(driver.Operator).Do(ctx, driver.Action{Act: a, Profile: "normal", Password: "x"})
		if !errors.Is(err, driver.ErrUnauthorized) || len(f.Acts()) > 0 {
			t.Errorf("%s: %v, did %v", a, err, f.Acts())
		}
	}
}

// TestOverTheWeb: where the RPC port is shut the web page stops the miner, and the state is
// what this driver told it.
func TestOverTheWeb(t *testing.T) {
	f := start(t)
	f.Target.Ports["rpc"] = shut(t)
	d, ctx := opened(t, f)
	if s, err := d.Read(ctx); err != nil || s.State != site.StateUnknown || s.Identity.Model != "A2" {
		t.Errorf("%+v, %v", s, err)
	}
	if err := d.Apply(ctx, site.Setpoint{Mode: site.ModeSleep}); err != nil || f.Obeys().Mode != site.ModeSleep {
		t.Errorf("sleep: %v, obeys %v", err, f.Obeys())
	}
	if s, err := d.Read(ctx); err != nil || s.State != site.StateSleeping {
		t.Errorf("%+v, %v", s, err)
	}
	if err := d.Apply(ctx, site.Setpoint{}); err != nil || f.Obeys().Mode != site.ModeRun {
		t.Errorf("wake: %v, obeys %v", err, f.Obeys())
	}
}
