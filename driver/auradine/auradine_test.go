package auradine_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/driver/auradine"
	"switchyard/driver/conform"
	emulated "switchyard/emulate/auradine"
	"switchyard/emulate/face"
	"switchyard/emulate/plant"
	"switchyard/emulate/rig"
	"switchyard/site"
)

func start(t *testing.T, change func(*plant.MinerConfig)) conform.Fake {
	r := rig.One(t, emulated.Make(), emulated.Serve, "AT2880", change)
	return conform.Fake{
		Target: driver.Target{Host: r.Host, Ports: r.Ports, User: r.User, Password: driver.Secret(r.Password)},
		Obeys:  r.Obeys, Settle: r.Settle, Acts: r.Acts,
	}
}

// bare is an RPC port that tells neither power nor hashrate, and nothing else.
func bare(t *testing.T) conform.Fake {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := face.TCP(l, 8, func(c net.Conn) {
		if _, err := face.ReadRequest(c, 4096, 5*time.Second); err == nil {
			_, _ = io.WriteString(c, `{"STATUS":[{"STATUS":"S","Code":11}],"SUMMARY":[{"Elapsed":100,"MHS 5s":null,"Wattage":0}],"id":1}`)
		}
	})
	t.Cleanup(func() { _ = s.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shut := closed.Addr().(*net.TCPAddr).Port
	_ = closed.Close()
	return conform.Fake{Target: driver.Target{
		Host: "127.0.0.1", Ports: map[string]int{"rpc": l.Addr().(*net.TCPAddr).Port, "https": shut, "http": shut},
	}}
}

func TestConformance(t *testing.T) {
	conform.Run(t, conform.Kit{
		Driver: auradine.Driver(), Power: true, Staged: true, Bare: bare,
		Start: func(t *testing.T) conform.Fake { return start(t, nil) },
	})
}

// TestOtherWays: a miner whose HTTPS port is shut takes orders over the other, in the clear or
// encrypted.
func TestOtherWays(t *testing.T) {
	for _, way := range []string{"http", "https"} {
		f := start(t, nil)
		closed, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f.Target.Ports["http"] = f.Target.Ports[way]
		f.Target.Ports["https"] = closed.Addr().(*net.TCPAddr).Port
		_ = closed.Close()
		f.Target.Now = time.Now
		d, err := auradine.Driver().Open(f.Target)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := d.Apply(ctx, site.Setpoint{Mode: site.ModeSleep}); err != nil || f.Obeys().Mode != site.ModeSleep {
			t.Errorf("%s: %v, obeys %v", way, err, f.Obeys())
		}
		f.Settle()
		if s, err := d.Read(ctx); err != nil || s.State != site.StateSleeping {
			t.Errorf("%s: %v, %v", way, s.State, err)
		}
	}
}

// TestWithoutPassword: readings go on with what the RPC port tells.
func TestWithoutPassword(t *testing.T) {
	f := start(t, nil)
	f.Target.Password, f.Target.Now = "wrong", time.Now
	d, err := auradine.Driver().Open(f.Target)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s, err := d.Read(context.Background())
	if err != nil || s.State != site.StateHashing || !s.Power.OK || s.Identity.Model != "AT2880" || len(s.Boards) != 3 || len(s.Pools) == 0 {
		t.Errorf("%+v, %v", s, err)
	}
}
