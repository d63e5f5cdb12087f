package all

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/driver"
	"switchyard/emulate"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestEmulated detects each kind of emulated miner, makes it sleep and wake and take a
// share, and reads each kind of emulated meter. Drivers and emulators were written apart
// from each other.
func TestEmulated(t *testing.T) {
	kinds := map[string]map[string]int{
		"antminer":      {"http": freePort(t), "rpc": freePort(t)},
		"braiins":       {"http": freePort(t)},
		"proto":         {"http": freePort(t)},
		"whatsminer":    {"rpc": freePort(t)},
		"whatsminer-v3": {"api": freePort(t)},
	}
	models := map[string]string{"antminer": "Antminer S21", "braiins": "Antminer S19j Pro", "proto": "Rig", "whatsminer": "WhatsMiner M60S", "whatsminer-v3": "WhatsMiner M60S"}
	f := &sitefile.File{Connection: sitefile.Node{ID: "connection", Limit: unit.Megawatt}, Emulate: &sitefile.Emulate{Seed: 7, Ramp: 0.01}}
	const password = "longer-than-the-factory's"
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	users := map[string]string{"antminer": "root", "braiins": "root", "proto": "admin", "whatsminer": "admin", "whatsminer-v3": "super"}
	for name, ports := range kinds {
		g := sitefile.Group{
			Credentials: &sitefile.Credentials{User: users[name], Password: "file:" + secret},
			ID:          name, Node: "connection", Driver: name, Model: models[name], Addresses: []string{"127.0.0.1"}, Ports: map[string]sitefile.Port{},
		}
		for p, n := range ports {
			g.Ports[p] = sitefile.Port{Number: n}
		}
		f.Groups = append(f.Groups, g)
	}
	meters := map[string]int{}
	for i, profile := range []string{"sunspec", "schneider-pm5000", "generic"} {
		meters[profile] = freePort(t)
		f.Nodes = append(f.Nodes, sitefile.Node{
			ID: fmt.Sprintf("n%d", i), Parent: "connection", Limit: unit.Megawatt,
			Meter: &sitefile.Meter{Address: "127.0.0.1", Port: meters[profile], Unit: 1, Profile: profile},
		})
		f.Groups = append(f.Groups, sitefile.Group{
			ID: profile, Node: fmt.Sprintf("n%d", i), Driver: "whatsminer", Model: "WhatsMiner M60S",
			Addresses: []string{"127.0.0.1"}, Ports: map[string]sitefile.Port{"rpc": {Number: freePort(t)}},
		})
	}
	c := clock.NewGoverned(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), 60, 24*time.Hour)
	t.Cleanup(c.Close)
	s, err := emulate.Start(context.Background(), f, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for name, ports := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			emulatedMiner(t, name, driver.Target{
				Device: site.DeviceID(name), Host: "127.0.0.1", Ports: ports, Now: c.Now,
				User: users[name], Password: password,
			})
		})
	}
	for profile, port := range meters {
		t.Run(profile, func(t *testing.T) {
			m, _ := ByName("modbus")
			d, err := m.Open(driver.Target{Device: "meter", Host: "127.0.0.1", Ports: map[string]int{"modbus": port}, Profile: profile, Unit: 1, Now: c.Now})
			if err != nil {
				t.Fatal(err)
			}
			await(t, d, "a power of one M60S and a growing energy", func(s site.Sample) bool {
				return s.Power.OK && s.Power.V > 2*unit.Kilowatt && s.Power.V < 5*unit.Kilowatt && s.Energy.OK && s.Energy.V > 0
			})
		})
	}
}

func emulatedMiner(t *testing.T, name string, target driver.Target) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	drv, id, err := Detect(ctx, target)
	if err != nil || drv.Name != name || id.Make == "" {
		t.Fatalf("detected %q, %+v, %v", drv.Name, id, err)
	}
	d, err := Auto().Open(target)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	caps, err := d.Info(ctx)
	if err != nil || !caps.Sleep {
		t.Fatalf("%+v, %v", caps, err)
	}
	await(t, d, "hashing", func(s site.Sample) bool { return s.State == site.StateHashing && s.Hashrate.V > 100*unit.TeraHash })
	if err := d.Apply(ctx, site.Setpoint{Mode: site.ModeSleep}); err != nil {
		t.Fatal(err)
	}
	await(t, d, "asleep", func(s site.Sample) bool {
		return s.State == site.StateSleeping && s.Power.Or(0) < 500*unit.Watt
	})
	if err := d.Apply(ctx, site.Setpoint{}); err != nil {
		t.Fatal(err)
	}
	await(t, d, "awake", func(s site.Sample) bool { return s.State == site.StateHashing && s.Hashrate.V > 100*unit.TeraHash })
	if !caps.Percent || !caps.Nameplate.OK {
		return
	}
	half := caps.Nameplate.V.Scale(0.6)
	await(t, d, "at 60 %", func(s site.Sample) bool {
		if err := d.Apply(ctx, site.Setpoint{Power: site.Some(half)}); err != nil {
			t.Fatal(err)
		}
		return s.Power.OK && s.Power.V <= half.Scale(1.05) && s.Power.V > half.Scale(0.7)
	})
}

func await(t *testing.T, d driver.Device, what string, ok func(site.Sample) bool) {
	t.Helper()
	var last site.Sample
	var err error
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if last, err = d.Read(context.Background()); err == nil && ok(last) {
			return
		}
	}
	t.Fatalf("waited in vain for %s: %+v, %v", what, last, err)
}
