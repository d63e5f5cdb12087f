package snmp_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/driver/snmp"
	"switchyard/emulate/plant"
	emulated "switchyard/emulate/snmp"
	"switchyard/site"
	"switchyard/unit"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const patience = 20 * time.Second

// rack is a world of n miners behind one emulated unit of 24 outlets, the first n of them used.
func rack(t *testing.T, layout string, n int) (*plant.World, driver.Target) {
	t.Helper()
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1}})
	if err != nil {
		t.Fatal(err)
	}
	k := &plant.Make{Driver: "toy", Brand: "Toy", Models: []plant.Row{{Name: "S21", TH: 200, Watts: 3500, Standby: 28}}}
	model, _ := k.Model("S21")
	cfg := plant.Config{Seed: 1, Tree: tree}
	for i := range n {
		cfg.Miners = append(cfg.Miners, plant.MinerConfig{ID: fmt.Sprint("m", i+1), Group: "m", Make: k, Model: model})
	}
	w, err := plant.New(cfg, noon)
	if err != nil {
		t.Fatal(err)
	}
	w.Step(noon.Add(time.Hour))
	c := emulated.Config{ID: "pdu-1", Layout: layout, Community: "hush-hush"}
	for i := range 24 {
		o := emulated.Outlet{Number: i + 1}
		if i < n {
			o.Miner = w.Miners()[i]
		}
		c.Outlets = append(c.Outlets, o)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	agent, err := emulated.Serve(conn, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := agent.Close(); err != nil {
			t.Errorf("close the agent: %v", err)
		}
	})
	return w, target(conn.LocalAddr(), layout)
}

func target(at net.Addr, profile string) driver.Target {
	return driver.Target{
		Device: "pdu-1", Host: "127.0.0.1", Ports: map[string]int{"snmp": at.(*net.UDPAddr).Port}, Password: "hush-hush", Profile: profile,
		Now: func() time.Time { return noon },
	}
}

func open(t *testing.T, to driver.Target) driver.Device {
	t.Helper()
	d, err := snmp.Driver().Open(to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// TestUnits reads each emulated make against the truth of what is plugged in.
func TestUnits(t *testing.T) {
	for _, c := range []struct {
		profile, make, label string
		energyStep           float64 // Wh; 0: none told
		wholeStep            float64 // W of the whole unit's power; 0: it is the outlets' sum
		states               bool
	}{
		{"raritan-px", "Raritan", "%d", 1, 1, true},
		{"apc-rpdu2", "APC", "%d", 100, 10, true},
		{"servertech-sentry4", "Server Technology", "AA%d", 1, 1, true},
		{"generic", "", "%d", 0, 0, false},
	} {
		t.Run(c.profile, func(t *testing.T) {
			w, to := rack(t, c.profile, 20)
			d := open(t, to)
			info, err := d.Info(within(t, patience))
			if err != nil {
				t.Fatal(err)
			}
			if id := info.Identity; id.Make != c.make || c.make != "" && (id.Model == "" || id.Serial == "" || id.Firmware == "") {
				t.Errorf("identity %+v", id)
			}
			for range 2 {
				s, err := d.Read(within(t, patience))
				if err != nil {
					t.Fatal(err)
				}
				if len(s.Outlets) != 24 || s.Device != "pdu-1" || !s.At.Equal(noon) {
					t.Fatalf("%d outlets of %s at %v", len(s.Outlets), s.Device, s.At)
				}
				var sum float64
				for i, o := range s.Outlets {
					var watts, wh float64
					if i < 20 {
						p, e, _ := w.Miners()[i].Truth()
						watts, wh = p.Watts(), float64(e)/1e3
					}
					sum += watts
					if o.Name != fmt.Sprintf(c.label, i+1) || !o.Power.OK || math.Abs(o.Power.V.Watts()-watts) > 0.51 {
						t.Errorf("outlet %d: %+v, truth %.1f W", i+1, o, watts)
					}
					if o.On.OK != c.states || o.On.V != c.states {
						t.Errorf("outlet %d: on %+v", i+1, o.On)
					}
					if o.Energy.OK != (c.energyStep > 0) || o.Energy.OK && math.Abs(float64(o.Energy.V)/1e3-wh) > c.energyStep {
						t.Errorf("outlet %d: energy %+v, truth %.0f Wh", i+1, o.Energy, wh)
					}
				}
				if !s.Power.OK || math.Abs(s.Power.V.Watts()-sum) > 13+c.wholeStep {
					t.Errorf("whole unit %+v, truth %.0f W", s.Power, sum)
				}
				w.Miners()[3].Sleep()
				w.Step(w.Now().Add(time.Minute))
			}
		})
	}
}

// TestTroubles: dead, silent, foreign and garbled units give the contract's errors in time.
func TestTroubles(t *testing.T) {
	_, to := rack(t, "raritan-px", 1)
	mute, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	noise, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer noise.Close()
	go func() {
		b := make([]byte, 2048)
		for i := 0; ; i++ {
			n, from, err := noise.ReadFrom(b)
			if err != nil {
				return
			}
			b[n/2] ^= byte(i + 1)
			_, _ = noise.WriteTo(b[:n-i%7], from)
		}
	}()
	closed, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	wrong, foreign := to, to
	wrong.Password, foreign.Profile = "wrong-community", "servertech-sentry4"
	for name, c := range map[string]struct {
		to   driver.Target
		want error
	}{
		"nobody there":    {target(closed.LocalAddr(), "raritan-px"), driver.ErrUnreachable},
		"silent":          {target(mute.LocalAddr(), "raritan-px"), driver.ErrUnreachable},
		"garbage":         {target(noise.LocalAddr(), "raritan-px"), driver.ErrUnreachable},
		"wrong community": {wrong, driver.ErrUnreachable},
		"another make":    {foreign, driver.ErrUnsupported},
	} {
		d := open(t, c.to)
		for call, do := range map[string]func(context.Context) error{
			"Info": func(ctx context.Context) error { _, err := d.Info(ctx); return err },
			"Read": func(ctx context.Context) error { _, err := d.Read(ctx); return err },
		} {
			limit := 400 * time.Millisecond
			if errors.Is(c.want, driver.ErrUnsupported) {
				limit = patience
			}
			begun := time.Now()
			err := do(within(t, limit))
			if !errors.Is(err, c.want) || time.Since(begun) > limit+5*time.Second {
				t.Errorf("%s, %s: %v after %v", name, call, err, time.Since(begun))
			}
			for _, secret := range []string{"hush-hush", "wrong-community"} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%s: the error holds the community: %v", name, err)
				}
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := open(t, target(mute.LocalAddr(), "raritan-px")).Read(ctx); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("cancelled: %v", err)
	}
	if err := open(t, to).Apply(context.Background(), site.Setpoint{}); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("apply: %v", err)
	}
}

// TestOwnProfile reads a meter, and outlets whose figures are marked, by profiles of one's own.
func TestOwnProfile(t *testing.T) {
	w, to := rack(t, "apc-rpdu2", 2)
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "mine.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	to.Profile = write("name: meter\nsource: test\nmax_oids: 1\npower: {oid: 1.3.6.1.4.1.318.1.1.26.4.3.1.5.1, unit: kW, scale: 0.01}\n")
	s, err := open(t, to).Read(within(t, patience))
	if err != nil {
		t.Fatal(err)
	}
	p, _, _ := w.Miners()[0].Truth()
	q, _, _ := w.Miners()[1].Truth()
	if !s.Power.OK || (s.Power.V-p-q).Watts() > 6 || (s.Power.V-p-q).Watts() < -6 || s.Outlets != nil {
		t.Errorf("meter %+v, truth %v", s, p+q)
	}
	// The second outlet's power is what the profile takes as not known; and there is no exponent.
	to.Profile = write(fmt.Sprintf("name: marked\nsource: test\noutlets:\n  label: 1.3.6.1.4.1.318.1.1.26.9.4.3.1.3\n"+
		"  power: {oid: 1.3.6.1.4.1.318.1.1.26.9.4.3.1.7, unit: W, invalid: [%.0f]}\n"+
		"  energy: {oid: 1.3.6.1.4.1.318.1.1.26.9.4.3.1.11, unit: kWh, exponent: 1.3.6.1.4.1.318.9.9}\n", q.Watts()))
	if s, err = open(t, to).Read(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	if o := s.Outlets; len(o) != 24 || o[0].Name != "Outlet 1" || !o[0].Power.OK || o[1].Power.OK || o[0].Energy.OK || s.Power.OK {
		t.Errorf("marked: %+v", s)
	}
	to.Profile = write("name: foreign\nsource: test\noutlets:\n  label: 1.3.6.1.4.1.318.1.1.26.9.4.3.1.3\n  power: {oid: 1.3.6.1.4.1.318.9.9, unit: W}\n")
	if _, err = open(t, to).Read(within(t, patience)); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("no power: %v", err)
	}
}

func TestProfiles(t *testing.T) {
	if got := strings.Join(snmp.Profiles(), " "); got != "apc-rpdu2 generic raritan-px servertech-sentry4" {
		t.Errorf("shipped: %s", got)
	}
	for _, name := range snmp.Profiles() {
		p, err := snmp.LoadProfile(name)
		if err != nil || p.Name != name || p.About == "" || p.Source == "" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	for text, want := range map[string]string{
		"":                                      `a profile has "power", "outlets" or both`,
		"name: x":                               "a profile needs its source",
		"colour: 1":                             "unknown key",
		"power: {oid: 1.x, unit: W}":            "is not an object identifier",
		"power: {oid: 1.99999999999, unit: W}":  "is not an object identifier",
		"power: {oid: 1.3, unit: Wh}":           `"Wh" does not fit here`,
		"power: {unit: W}":                      "a value needs its object",
		"power: {oid: 1.3, unit: W, scale: 0}":  "a scale is between",
		"power: {oid: 1.3, unit: W, suffix: 1}": "a suffix goes with outlets",
		"power: {oid: 1.3, unit: W, sum: true, digits: 1.4}": "a sum is of one column",
		"power: {oid: 1.3, unit: W, available: {oid: 1.4}}":  "it needs its object and the values",
		"outlets: {power: {oid: 1.3, unit: W}}":              "label is missing",
		"outlets: {label: 1.3}":                              "outlets are read for their power",
		"outlets: {label: 1.3, state: {oid: 1.3}}":           "a state needs the values that mean on",
		"max_oids: 61": "1 to 60 objects",
	} {
		if _, err := snmp.ParseProfile("p.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gave %v, want %q", text, err, want)
		}
	}
	if _, err := snmp.LoadProfile("raritan"); err == nil || !strings.Contains(err.Error(), "raritan-px") {
		t.Errorf("a near name: %v", err)
	}
	if _, err := snmp.Driver().Open(driver.Target{Device: "x"}); err == nil {
		t.Error("opened without a profile")
	}
	if unit.Watt != 1000 {
		t.Fatal("profiles count in watts")
	}
}
