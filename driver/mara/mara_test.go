package mara_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/driver/conform"
	"switchyard/driver/mara"
	emulated "switchyard/emulate/mara"
	"switchyard/emulate/rig"
	"switchyard/site"
	"switchyard/unit"
)

func start(t *testing.T) conform.Fake {
	r := rig.One(t, emulated.Make(), emulated.Serve, "S21", nil)
	return conform.Fake{
		Target: driver.Target{Host: r.Host, Ports: r.Ports, User: r.User, Password: driver.Secret(r.Password)},
		Obeys:  r.Obeys, Settle: r.Settle, Acts: r.Acts,
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

// bare is a miner that tells neither power nor hashrate, and nothing else.
func bare(t *testing.T) conform.Fake {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/brief") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, `{"status":"Mining","hashrate_realtime":null,"power_consumption_estimated":0}`)
	}))
	t.Cleanup(s.Close)
	return conform.Fake{Target: driver.Target{
		Host: "127.0.0.1", Ports: map[string]int{"http": s.Listener.Addr().(*net.TCPAddr).Port, "rpc": shut(t)},
	}}
}

func TestConformance(t *testing.T) {
	conform.Run(t, conform.Kit{Driver: mara.Driver(), Power: true, Staged: true, ReadNeedsPassword: true, Start: start, Bare: bare})
}

func opened(t *testing.T, f conform.Fake) (driver.Device, context.Context) {
	t.Helper()
	f.Target.Now = time.Now
	d, err := mara.Driver().Open(f.Target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return d, ctx
}

// TestWakesToTheModeBefore: a session that never saw the miner awake finds the mode, and its
// target, in the log.
func TestWakesToTheModeBefore(t *testing.T) {
	f := start(t)
	d, ctx := opened(t, f)
	if _, err := d.Info(ctx); err != nil {
		t.Fatal(err)
	}
	for _, want := range []site.Setpoint{{Power: site.Some(3 * unit.Kilowatt)}, {Mode: site.ModeSleep}} {
		if err := d.Apply(ctx, want); err != nil || f.Obeys().Mode != want.Mode {
			t.Fatalf("%v: %v, obeys %v", want, err, f.Obeys())
		}
	}
	other, ctx := opened(t, f) // it does not know the model, and so raises no target
	if err := other.Apply(ctx, site.Setpoint{}); err != nil || f.Obeys() != (site.Setpoint{Power: site.Some(3 * unit.Kilowatt)}) {
		t.Errorf("%v, obeys %v", err, f.Obeys())
	}
	if err := d.Apply(ctx, site.Setpoint{}); err != nil || f.Obeys() != (site.Setpoint{Power: site.Some(3500 * unit.Watt)}) {
		t.Errorf("full work: %v, obeys %v", err, f.Obeys())
	}
}

// TestProbeByRealm: where the RPC port is shut the web server's challenge names the firmware.
func TestProbeByRealm(t *testing.T) {
	f := start(t)
	f.Target.Ports["rpc"] = shut(t)
	f.Target.Now = time.Now
	if _, err := mara.Driver().Probe(context.Background(), f.Target); err != nil {
		t.Error(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Digest realm="antMiner Configuration", nonce="`+strconv.Itoa(1)+`", qop="auth"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer s.Close()
	f.Target.Ports["http"] = s.Listener.Addr().(*net.TCPAddr).Port
	if id, err := mara.Driver().Probe(context.Background(), f.Target); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("another's realm: %+v, %v", id, err)
	}
}
