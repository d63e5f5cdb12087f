package avalon_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/driver/avalon"
	"switchyard/driver/conform"
	"switchyard/driver/rpc"
	emulated "switchyard/emulate/avalon"
	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
	"switchyard/emulate/rig"
	"switchyard/site"
	"switchyard/unit"
)

func TestConformance(t *testing.T) {
	for _, model := range []string{"A1566", "Q"} {
		t.Run(model, func(t *testing.T) {
			conform.Run(t, conform.Kit{
				Driver: avalon.Driver(), Power: true, NoPassword: true, Staged: true,
				Start: func(t *testing.T) conform.Fake {
					r := rig.One(t, emulated.Make(), emulated.Serve, model, nil)
					return conform.Fake{
						Target: driver.Target{Host: r.Host, Ports: r.Ports, User: r.User, Password: driver.Secret(r.Password)},
						Obeys:  r.Obeys, Settle: r.Settle, Acts: r.Acts,
					}
				},
				Bare: func(t *testing.T) conform.Fake {
					return conform.Fake{Target: canned(t, map[string]string{
						"stats": `{"STATUS":[{"STATUS":"S","When":5}],"STATS":[{"MM ID0":"Ver[1047-1] Temp[30] Fan1[10] SYSTEMSTATU[Work: In Work]"}],"id":1}`,
					})}
				},
			})
		})
	}
}

// canned answers commands from a table.
func canned(t *testing.T, replies map[string]string) driver.Target {
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
				if json.NewDecoder(c).Decode(&r) != nil {
					return
				}
				reply, ok := replies[r.Command]
				if !ok {
					reply = `{"STATUS":[{"STATUS":"E","Code":14,"Msg":"Invalid command"}],"id":1}`
				}
				_, _ = io.WriteString(c, reply+"\x00")
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n, _ := strconv.Atoi(port)
	return driver.Target{Device: "d", Host: "127.0.0.1", Ports: map[string]int{"rpc": n}, Now: time.Now}
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// start starts a miner and a device whose clock is the site's.
func start(t *testing.T, model string, change func(*plant.MinerConfig)) (*rig.Rig, driver.Device) {
	t.Helper()
	r := rig.One(t, emulated.Make(), emulated.Serve, model, change)
	d, err := avalon.Driver().Open(driver.Target{
		Device: "d", Host: r.Host, Ports: r.Ports, User: r.User, Password: driver.Secret(r.Password), Now: r.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, d
}

var asleep = site.Setpoint{Mode: site.ModeSleep}

// TestClocks: the device's clock may go wrong by hours, be none at all, and start anew.
func TestClocks(t *testing.T) {
	skews := []time.Duration{0, 3 * time.Hour, -3 * time.Hour, 90 * time.Second, -90 * time.Second}
	for i, skew := range skews {
		for _, id := range []string{"a", "b", "c", "d", "e", "f"} { // some have no clock, some wake in silence
			r, d := start(t, "A1466", func(c *plant.MinerConfig) {
				c.ID = id
				if skew != 0 {
					c.Faults = fault.Set{{Kind: fault.ClockSkew, Delay: skew}}
				}
			})
			for _, rebooted := range []bool{false, true} {
				if rebooted {
					r.Miner.Reboot()
					r.Settle()
				}
				for _, want := range []site.Setpoint{asleep, {}} {
					if err := d.Apply(limited(t), want); err != nil {
						t.Fatalf("skew %v, unit %s, rebooted %v, %v: %v", skews[i], id, rebooted, want, err)
					}
					if got := r.Obeys().Mode; got != want.Mode {
						t.Errorf("skew %v, unit %s, rebooted %v: it is told %v and does %v", skews[i], id, rebooted, want.Mode, got)
					}
					r.Settle()
				}
			}
		}
	}
}

func TestModes(t *testing.T) {
	r, d := start(t, "Q", nil)
	c, err := d.Info(limited(t))
	if err != nil || !slices.Equal(c.Levels, []unit.Power{800 * unit.Watt, 1300 * unit.Watt, 1674 * unit.Watt}) || !c.Sleep || c.Acts.Has(site.ActLED) {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, x := range []struct{ limit, want float64 }{{1299, 800}, {1300, 1300}, {9000, 1674}} {
		if err := d.Apply(limited(t), site.Setpoint{Power: site.Some(unit.Watts(x.limit))}); err != nil || r.Obeys().Power.V.Watts() != x.want {
			t.Errorf("cap of %v W: %v, %v", x.limit, r.Obeys(), err)
		}
	}
	if err := d.Apply(limited(t), site.Setpoint{Power: site.Some(700 * unit.Watt)}); !errors.Is(err, driver.ErrRefused) {
		t.Errorf("below the lowest: %v", err)
	}
	if err := d.(driver.Operator).Do(limited(t), driver.Action{Act: site.ActProfile, Profile: "standard"}); err != nil {
		t.Fatal(err)
	}
	if err := d.Apply(limited(t), site.Setpoint{}); err != nil || r.Obeys().Power.V.Watts() != 1300 {
		t.Errorf("full power is what a person chose: %v, %v", r.Obeys(), err)
	}
	s, err := d.Read(limited(t))
	if err != nil || s.Profile != "standard" || s.Target.V.Watts() != 1300 {
		t.Errorf("%+v, %v", s, err)
	}
	_, big := start(t, "A1566", nil)
	if c, err := big.Info(limited(t)); err != nil || len(c.Levels) != 0 || len(c.Profiles) != 2 || !c.Acts.Has(site.ActLED) {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestPoolsAsleep: a miner that a person put to sleep does not wake for its pools.
func TestPoolsAsleep(t *testing.T) {
	r, d := start(t, "A1566", nil)
	if err := d.Apply(limited(t), asleep); err != nil {
		t.Fatal(err)
	}
	r.Settle()
	a := driver.Action{Act: site.ActPools, Pools: []driver.Pool{{URL: "stratum+tcp://new.example:1", Worker: "w"}}}
	if err := d.(driver.Operator).Do(limited(t), a); err != nil || slices.Contains(r.Acts(), "reboot") || r.Obeys().Mode != site.ModeSleep {
		t.Fatalf("%v, %v, %v", err, r.Acts(), r.Obeys())
	}
	if err := d.Apply(limited(t), site.Setpoint{}); err != nil {
		t.Fatal(err)
	}
	r.Settle()
	s, err := d.Read(limited(t))
	if err != nil || len(s.Pools) == 0 || s.Pools[0].URL != "stratum+tcp://new.example:1" {
		t.Errorf("%+v, %v", s.Pools, err)
	}
}

func TestPassword(t *testing.T) {
	r, _ := start(t, "A1566", nil)
	d, err := avalon.Driver().Open(driver.Target{Device: "d", Host: r.Host, Ports: r.Ports, Password: "not-the-device's", Now: r.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []driver.Action{
		{Act: site.ActPassword, Password: "another-one"},
		{Act: site.ActPools, Pools: []driver.Pool{{URL: "u", Worker: "w"}}},
	} {
		if err := d.(driver.Operator).Do(limited(t), a); !errors.Is(err, driver.ErrUnauthorized) {
			t.Errorf("%v: %v", a.Act, err)
		}
	}
}

func TestProbe(t *testing.T) {
	status := `"STATUS":[{"STATUS":"S","When":5,"Code":22,"Msg":"CGMiner versions"}]`
	for name, c := range map[string]struct {
		replies map[string]string
		want    error
	}{
		"old Avalon": {map[string]string{
			"version":    `{` + status + `,"VERSION":[{"CGMiner":"4.11.1","API":"3.7"}],"id":1}`,
			"devdetails": `{` + status + `,"DEVDETAILS":[{"Name":"AVA10","Driver":"avalon10"}],"id":1}`,
		}, nil},
		"WhatsMiner": {map[string]string{
			"version":    `{` + status + `,"VERSION":[{"CGMiner":"4.9.2","API":"3.7"}],"id":1}`,
			"devdetails": `{` + status + `,"DEVDETAILS":[{"Name":"SM","Driver":"bitmicro"}],"id":1}`,
		}, driver.ErrUnsupported},
		"Antminer":  {map[string]string{"version": `{` + status + `,"VERSION":[{"BMMiner":"1.0.0","API":"3.1","Type":"Antminer S19"}],"id":1}`}, driver.ErrUnsupported},
		"LuxOS":     {map[string]string{"version": `{` + status + `,"VERSION":[{"LUXminer":"2025","API":"3.7","Type":"Antminer S19"}],"id":1}`}, driver.ErrUnsupported},
		"BOSer":     {map[string]string{"version": `{` + status + `,"VERSION":[{"BOSer":"boser","API":"3.7"}],"id":1}`}, driver.ErrUnsupported},
		"no answer": {nil, driver.ErrUnsupported},
	} {
		id, err := avalon.Driver().Probe(limited(t), canned(t, c.replies))
		if !errors.Is(err, c.want) || c.want == nil && id.Make != "Avalon" {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}
