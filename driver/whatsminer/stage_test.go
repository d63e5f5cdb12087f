package whatsminer

import (
	"errors"
	"slices"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/site"
	"switchyard/unit"
)

// since returns what was asked of f while act ran.
func since(f *fake, act func()) []string {
	before := len(f.sent())
	act()
	return f.sent()[before:]
}

// TestOneExchange: with what polls and Stage brought, each command is one exchange.
func TestOneExchange(t *testing.T) {
	f2, f3 := &fake{}, &fake{keeps: true}
	for name, c := range map[string]struct {
		f                  *fake
		d                  driver.Device
		off, on, pct, look string
	}{
		"v2": {f2, OpenV2(startV2(t, f2)), "power_off", "power_on", "set_power_pct", "status"},
		"v3": {f3, OpenV3(startV3(t, f3)), "set.miner.service", "set.miner.service", "set.miner.power_percent", "get.device.info"},
	} {
		defer c.d.Close()
		if _, err := c.d.Info(limited(t)); err != nil {
			t.Fatal(name, err)
		}
		run := site.Setpoint{}
		for _, step := range []struct {
			what string
			s    site.Setpoint
			want string
		}{
			{"nothing to do", run, c.look},
			{"a share", site.Setpoint{Power: site.Some(1800 * unit.Watt)}, c.pct},
			{"another", site.Setpoint{Power: site.Some(2700 * unit.Watt)}, c.pct},
			{"sleep", site.Setpoint{Mode: site.ModeSleep}, c.off},
			{"wake", run, c.on},
		} {
			if _, err := c.d.Read(limited(t)); err != nil {
				t.Fatal(name, err)
			}
			if err := c.d.(driver.Stager).Stage(limited(t)); err != nil {
				t.Fatal(name, err)
			}
			got := since(c.f, func() {
				if err := c.d.Apply(limited(t), step.s); err != nil {
					t.Errorf("%s: %s: %v", name, step.what, err)
				}
			})
			if !slices.Equal(got, []string{step.want}) {
				t.Errorf("%s: %s took %q, want %q", name, step.what, got, step.want)
			}
		}
		if c.f.now().off {
			t.Errorf("%s: it sleeps", name)
		}
	}
}

// TestNothingOldIsBelieved: what a poll saw a while ago, or before a command, does not keep
// a miner from being woken.
func TestNothingOldIsBelieved(t *testing.T) {
	f2, f3 := &fake{}, &fake{}
	now := time.Now()
	clock := func(target driver.Target) driver.Target {
		target.Now = func() time.Time { return now }
		return target
	}
	for name, c := range map[string]struct {
		f *fake
		d driver.Device
	}{"v2": {f2, OpenV2(clock(startV2(t, f2)))}, "v3": {f3, OpenV3(clock(startV3(t, f3)))}} {
		if _, err := c.d.Read(limited(t)); err != nil {
			t.Fatal(name, err)
		}
		c.f.do(func() { c.f.off = true }) // somebody else switched it off
		if err := c.d.Apply(limited(t), site.Setpoint{}); err != nil || c.f.now().off {
			t.Errorf("%s: it sleeps: %v", name, err)
		}
		now = now.Add(seenLife + time.Second)
		c.f.do(func() { c.f.off = true })
		if err := c.d.Apply(limited(t), site.Setpoint{Power: site.Some(3 * unit.Kilowatt)}); err != nil || c.f.now().off {
			t.Errorf("%s: it sleeps although the reading is old: %v", name, err)
		}
		c.f.do(func() { c.f.off = true })
		if s, err := c.d.Read(limited(t)); err != nil || s.State != site.StateSleeping {
			t.Errorf("%s: state %v, %v", name, s.State, err)
		}
		_ = c.d.Close()
	}
}

func TestTokenIsRenewedBeforeItEnds(t *testing.T) {
	f := &fake{}
	target := startV2(t, f)
	now := time.Now()
	target.Now = func() time.Time { return now }
	d := OpenV2(target)
	for range 240 { // two hours
		if err := d.Stage(limited(t)); err != nil {
			t.Fatal(err)
		}
		if d.token == nil || !now.Before(d.token.until) {
			t.Fatal("no token at hand")
		}
		now = now.Add(30 * time.Second)
	}
	if n := f.now().tokens; n < 4 || n > 5 {
		t.Errorf("%d tokens in two hours", n)
	}
}

// TestNoToken: firmwares before API 1.3 are read and told nothing.
func TestNoToken(t *testing.T) {
	f := &fake{noToken: true}
	d := OpenV2(startV2(t, f))
	c, err := d.Info(limited(t))
	if err != nil || c.Sleep || c.Percent || c.Acts != 0 || c.Style() != "read-only" {
		t.Errorf("%+v, %v", c, err)
	}
	if s, err := d.Read(limited(t)); err != nil || s.State != site.StateHashing {
		t.Errorf("%v, %v", s.State, err)
	}
	if got := since(f, func() { err = d.Stage(limited(t)) }); err != nil || len(got) > 0 {
		t.Errorf("stage: %q, %v", got, err)
	}
	for name, err := range map[string]error{
		"sleep":  d.Apply(limited(t), site.Setpoint{Mode: site.ModeSleep}),
		"reboot": d.Do(limited(t), driver.Action{Act: site.ActReboot}),
	} {
		if !errors.Is(err, driver.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKeptConnection: API 3 bears one, and a firmware that ends it each time is not made to.
func TestKeptConnection(t *testing.T) {
	for _, c := range []struct {
		keeps            bool
		exchanges, dials int
	}{{true, 6, 1}, {false, 6, 6}} {
		f := &fake{keeps: c.keeps}
		d := OpenV3(startV3(t, f))
		for range c.exchanges {
			if _, err := d.ask(limited(t), "get.device.info", "miner"); err != nil {
				t.Fatal(err)
			}
		}
		_ = d.Close()
		f.do(func() {
			if f.dials != c.dials || len(f.commands) != c.exchanges {
				t.Errorf("keeps %v: %d connections for %d exchanges", c.keeps, f.dials, len(f.commands))
			}
		})
	}
}

func TestActsAreChecked(t *testing.T) {
	f2, f3 := &fake{}, &fake{}
	for name, op := range map[string]driver.Operator{"v2": OpenV2(startV2(t, f2)), "v3": OpenV3(startV3(t, f3))} {
		for what, a := range map[string]driver.Action{
			"no pools":          {Act: site.ActPools},
			"four pools":        {Act: site.ActPools, Pools: make([]driver.Pool, 4)},
			"an empty password": {Act: site.ActPassword},
			"a profile":         {Act: site.ActProfile, Profile: "low"},
			"no act":            {Act: 99},
		} {
			if err := op.Do(limited(t), a); !errors.Is(err, driver.ErrUnsupported) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		pools := []driver.Pool{{URL: "stratum+tcp://a:1", Worker: "w", Password: "p"}}
		if err := op.Do(limited(t), driver.Action{Act: site.ActPools, Pools: pools}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, f := range []*fake{f2, f3} {
		if len(f.pools) != slots || f.pools[0]["passwd"] != "p" || f.pools[2]["pool"] != "" {
			t.Errorf("pools %v", f.pools)
		}
	}
}
