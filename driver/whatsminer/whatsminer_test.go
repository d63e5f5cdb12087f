package whatsminer

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/driver"
	"switchyard/driver/conform"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

func byName(name string) driver.Driver {
	for _, d := range Drivers() {
		if d.Name == name {
			return d
		}
	}
	return driver.Driver{}
}

func startV2(t *testing.T, f *fake) driver.Target {
	if f.password == "" {
		f.password = "a-long-secret"
	}
	return f.start(t, "rpc", f.serveV2)
}

func startV3(t *testing.T, f *fake) driver.Target {
	if f.password == "" {
		f.password = "a-long-secret"
	}
	return f.start(t, "api", f.serveV3)
}

func TestConformV2(t *testing.T) {
	kit := func(bare bool) func(*testing.T) conform.Fake {
		return func(t *testing.T) conform.Fake {
			f := &fake{bare: bare}
			return conform.Fake{Target: startV2(t, f), Obeys: f.obeys, Acts: f.done}
		}
	}
	conform.Run(t, conform.Kit{Driver: byName("whatsminer"), Start: kit(false), Bare: kit(true), Power: true, Staged: true})
}

func TestConformV3(t *testing.T) {
	kit := func(bare bool) func(*testing.T) conform.Fake {
		return func(t *testing.T) conform.Fake {
			f := &fake{bare: bare, keeps: true}
			return conform.Fake{Target: startV3(t, f), Obeys: f.obeys, Acts: f.done}
		}
	}
	conform.Run(t, conform.Kit{Driver: byName("whatsminer-v3"), Start: kit(false), Bare: kit(true), Power: true, Staged: true})
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// The vectors were made with openssl: passwd -1, and enc -aes-256-ecb with and without padding.
func TestSeal(t *testing.T) {
	msg, err := rpc.Parse([]byte(`{"time":"5626","salt":"0wJrxGnj","newsalt":"abcdefgh"}`))
	if err != nil {
		t.Fatal(err)
	}
	k, err := newToken("admin", msg.Object, time.Unix(0, 0))
	if err != nil || k.sign != "r0/nkCxnZttYougznePjT." {
		t.Fatalf("%+v, %v", k, err)
	}
	got, err := k.seal(map[string]any{"cmd": "power_off", "respbefore": "true"})
	want := `{"enc":1,"data":"DBP5dT9lAB/bbsXaiTR86J0zsdNLlAxjPFhuGQyEIpte+E+x/eFWYIsSMx1QMAciGCE7fgyE9bDETwgAzOQlmMQPv+FFMyHOTBbKYmGLKQw="}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	const sealed = "2/SyX9jSHsHQuwkADwVsc+GoxvTJ0c3KHT65TrT2/bf8gHpvvVyFVoLmDpOm/B3DVE6uVe7yLSG9jwsYyRtIAi4H2ULwYl/l+38PIdipbohPCnUlt17UMJUyKazu4aAt"
	const plain = `{"STATUS":"S","When":1643181852,"Code":131,"Msg":"API command OK","Description":"whatsminer v1"}`
	for name, enc := range map[string]string{"zero": sealed, "PKCS7": sealed + "awbL9y7ptvmN5NX1JOHH5Q==", "broken lines": sealed[:40] + "\n" + sealed[40:]} {
		if got, err := k.unseal(enc); err != nil || string(got) != plain {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	other := &token{key: "another"}
	if _, err := other.unseal(sealed); !errors.Is(err, driver.ErrUnauthorized) {
		t.Errorf("another key: %v", err)
	}
	if got := sign("set.miner.service", "super", "5QAHiKMb", 1692685512); got != "Yv6N+zUq" {
		t.Errorf("v3 token %s", got)
	}
}

func TestToken(t *testing.T) {
	f := &fake{pkcs7: true}
	target := startV2(t, f)
	now := time.Now()
	target.Now = func() time.Time { return now }
	d := OpenV2(target)
	sleep := site.Setpoint{Mode: site.ModeSleep}
	apply := func(what string, tokens int) {
		t.Helper()
		if err := d.Apply(limited(t), sleep); err != nil || f.now().tokens != tokens {
			t.Errorf("%s: %v, %d tokens, want %d", what, err, f.now().tokens, tokens)
		}
	}
	apply("first", 1)
	now = now.Add(27 * time.Minute)
	apply("kept", 1)
	now = now.Add(time.Minute)
	apply("old", 2)
	f.do(func() { f.expire = 1 })
	apply("code 135", 3)
	f.do(func() { f.salt = "othrsalt" }) // the miner restarted: it cannot read what the old key wrote
	apply("restarted", 4)
	f.do(func() { f.expire = 2 })
	if err := d.Apply(limited(t), sleep); !errors.Is(err, driver.ErrUnauthorized) {
		t.Errorf("135 twice: %v", err)
	}
	f.do(func() { f.expire, f.silentWrites, f.off = 0, true, false })
	if err := d.Apply(limited(t), sleep); err != nil || !f.now().off {
		t.Errorf("a reply of no bytes: %v", err)
	}
}

func TestShareV2(t *testing.T) {
	f := &fake{noPct: true, noEdevs: true}
	d := OpenV2(startV2(t, f))
	run := func(p unit.Power) error { return d.Apply(limited(t), site.Setpoint{Power: site.Some(p)}) }
	if _, err := d.Read(limited(t)); err != nil {
		t.Fatal(err)
	}
	if err := run(2699 * unit.Watt); err != nil || f.now().percent != 74 { // 74.97 % never rounds up
		t.Errorf("%v, %d %%", err, f.now().percent)
	}
	if err := run(900 * unit.Watt); !errors.Is(err, driver.ErrRefused) {
		t.Errorf("25 %%: %v", err)
	}
	if err := run(9 * unit.Kilowatt); err != nil || f.now().percent != 100 {
		t.Errorf("%v, %d %%", err, f.now().percent)
	}
	before := len(f.sent())
	if err := d.Apply(limited(t), site.Setpoint{}); err != nil || len(f.sent()) != before+1 {
		t.Errorf("nothing to do: %v, %v", err, f.sent()[before:])
	}
	if n := f.now().tokens; n != 1 {
		t.Errorf("%d tokens: the poll's was to be used", n)
	}
	if err := d.SetPowerLimit(limited(t), 3300*unit.Watt); err != nil {
		t.Error(err)
	}
	if s, err := d.Read(limited(t)); err != nil || s.Target != site.Some(3600*unit.Watt) || len(s.Boards) != 2 || s.Boards[1].Working {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestCheapPolls(t *testing.T) {
	f2, f3 := &fake{}, &fake{}
	for name, c := range map[string]struct {
		f *fake
		d driver.Device
	}{"v2": {f2, OpenV2(startV2(t, f2))}, "v3": {f3, OpenV3(startV3(t, f3))}} {
		var counts []int
		for range 13 {
			before := len(c.f.sent())
			if _, err := c.d.Read(limited(t)); err != nil {
				t.Fatal(name, err)
			}
			counts = append(counts, len(c.f.sent())-before)
		}
		for i, n := range counts[1:] {
			if n > 1 && (i+1)%slowEvery != 0 || n > 3 {
				t.Errorf("%s: exchanges of the polls %v: want 1, and 3 at every fourth", name, counts)
				break
			}
		}
	}
}

func TestSkewAndDenialV3(t *testing.T) {
	f := &fake{skew: -3 * time.Hour}
	d := OpenV3(startV3(t, f))
	sleep := site.Setpoint{Mode: site.ModeSleep}
	if err := d.Apply(limited(t), sleep); err != nil || !f.now().off {
		t.Fatalf("skewed clock: %v", err)
	}
	s, err := d.Read(limited(t))
	if err != nil || s.State != site.StateSleeping || s.Power.OK || len(s.Boards) != 0 || !slices.Equal(s.Faults, []string{"541"}) {
		t.Errorf("asleep: %+v, %v", s, err)
	}
	f.do(func() { f.salt = "othersal" })
	if err := d.Apply(limited(t), site.Setpoint{Power: site.Some(1800 * unit.Watt)}); err != nil || f.now().off || f.now().percent != 50 {
		t.Errorf("new salt: %v, off %v, %d %%", err, f.now().off, f.now().percent)
	}
	f.do(func() { f.denied = 2 })
	if err := d.Apply(limited(t), sleep); !errors.Is(err, driver.ErrUnauthorized) {
		t.Errorf("denied: %v", err)
	}
	if err := d.SetPowerLimit(limited(t), 3300*unit.Watt); err != nil {
		t.Error(err)
	}
}

func TestCodes(t *testing.T) {
	for code, want := range map[int]error{
		14: driver.ErrUnsupported, 23: driver.ErrRefused, 45: driver.ErrUnauthorized,
		132: driver.ErrRefused, 135: errExpired, 136: driver.ErrRefused, 999: driver.ErrRefused,
	} {
		if err := check(rpc.Status{Letter: "E", Code: code}); !errors.Is(err, want) {
			t.Errorf("code %d: %v, want %v", code, err, want)
		}
	}
	if err := check(rpc.Status{Letter: "E", Code: 131}); err != nil {
		t.Errorf("131: %v", err)
	}
	for code, want := range map[string]error{"-1": driver.ErrRefused, "-2": driver.ErrUnsupported, "-3": driver.ErrRefused, "-4": driver.ErrUnauthorized} {
		o, err := parseV3([]byte(`{"code":` + code + `,"msg":"x"}`))
		if err != nil || !errors.Is(checkV3(o), want) {
			t.Errorf("code %s: %v, %v", code, checkV3(o), err)
		}
	}
}

func TestState(t *testing.T) {
	yes, no, none := site.Some(true), site.Some(false), site.Opt[bool]{}
	rate, zero, silent := site.Some(unit.TeraHash), site.Some(unit.Hashrate(0)), site.Opt[unit.Hashrate]{}
	young, old := site.Some(time.Minute), site.Some(time.Hour)
	for i, c := range []struct {
		off     site.Opt[bool]
		rate    site.Opt[unit.Hashrate]
		elapsed site.Opt[time.Duration]
		want    site.State
	}{
		{yes, rate, old, site.StateSleeping},
		{no, rate, old, site.StateHashing},
		{none, rate, old, site.StateHashing},
		{no, zero, young, site.StateStarting},
		{no, zero, old, site.StateFault},
		{none, zero, old, site.StateFault},
		{none, silent, old, site.StateUnknown},
		{no, silent, old, site.StateStarting},
	} {
		if got := state(c.off, c.rate, c.elapsed); got != c.want {
			t.Errorf("case %d: %v, want %v", i, got, c.want)
		}
	}
}

func TestTestdata(t *testing.T) {
	r, err := rpc.Parse(load(t, "v2-summary-msg.json"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := parseSummary(r)
	if err != nil || h.power != site.Some(3402*unit.Watt) || h.rate != site.Some(186.25*unit.TeraHash) || h.intake != site.Some(31.25) ||
		!reflect.DeepEqual(*h.codes, []string{"2010", "110"}) || h.identity.Firmware != "20250409.15.REL" {
		t.Errorf("%+v, %v", h, err)
	}
	o, err := parseV3(load(t, "v3-status.json"))
	if err != nil {
		t.Fatal(err)
	}
	v3, err := parseStatusV3(o.Object("msg"))
	want := []site.Board{
		{Hashrate: site.Some(51 * unit.TeraHash), ChipTemp: site.Some(97.4), PCBTemp: site.Some(69.6), Chips: site.Some(70), Working: true},
		{Hashrate: site.Some(50.5 * unit.TeraHash), ChipTemp: site.Some(100.3), PCBTemp: site.Some(70.1), Chips: site.Some(0)},
	}
	if err != nil || v3.rate != site.Some(101.5*unit.TeraHash) || v3.power != site.Some(3268*unit.Watt) || !slices.Equal(v3.fans, []int{4980, 5070}) {
		t.Errorf("%+v, %v", v3, err)
	}
	if d := cmp.Diff(want, v3.boards); d != "" {
		t.Error(d)
	}
	if got := fmt.Sprint(major("2.0.5"), major("whatsminer v1.4.0"), major("x")); got != "2 1 0" {
		t.Error(got)
	}
}

func TestProbe(t *testing.T) {
	for name, target := range map[string]driver.Target{"whatsminer": startV2(t, &fake{}), "whatsminer-v3": startV3(t, &fake{})} {
		id, err := byName(name).Probe(limited(t), target)
		if err != nil || id.Make != "WhatsMiner" || id.Model != "M60S_VK30" || id.Firmware == "" || id.MAC == "" || !strings.HasPrefix(id.Serial, "HQM60S") {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}
