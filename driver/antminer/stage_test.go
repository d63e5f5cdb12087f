package antminer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/site"
)

const (
	getConf  = "GET /cgi-bin/get_miner_conf.cgi"
	postConf = "POST /cgi-bin/set_miner_conf.cgi"
)

// timed is opened with a clock in the test's hands, and read and staged once.
func timed(t *testing.T) (f *fake, d *device, ctx context.Context, pass func(time.Duration)) {
	t.Helper()
	f = &fake{}
	target := start(t, f)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	target.Now = func() time.Time { return now }
	dd, err := open(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dd.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	d = dd.(*device)
	reading(t, ctx, d)
	stage(t, ctx, d)
	f.took()
	return f, d, ctx, func(by time.Duration) { now = now.Add(by) }
}

func stage(t *testing.T, ctx context.Context, d *device) {
	t.Helper()
	if err := d.Stage(ctx); err != nil {
		t.Fatal(err)
	}
}

func sleepNow(t *testing.T, ctx context.Context, d *device) {
	t.Helper()
	if err := d.Apply(ctx, site.Setpoint{Mode: site.ModeSleep}); err != nil {
		t.Fatal(err)
	}
}

func TestStagedApplyIsOneExchange(t *testing.T) {
	f, d, ctx, _ := timed(t)
	stage(t, ctx, d)
	sleepNow(t, ctx, d)
	if got := f.took(); !slices.Equal(got, []string{postConf}) {
		t.Errorf("exchanges %q", got)
	}
	if f.mode != 1 || len(f.conf["pools"].([]any)) != 1 {
		t.Errorf("posted %v", f.conf)
	}
}

func TestNothingOldIsPosted(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fake)
		wait   time.Duration
		read   bool
		want   []string // of Apply
	}{
		"too old":           {func(*fake) {}, readyLife + time.Second, false, []string{getConf, getConf, postConf}}, // with a new nonce
		"restarted":         {func(f *fake) { f.uptime = -800 }, 15 * time.Second, true, []string{getConf, postConf}},
		"as it was":         {func(f *fake) { f.uptime = 15 }, 15 * time.Second, true, []string{postConf}},
		"still young":       {func(*fake) {}, readyLife, false, []string{postConf}},
		"nonce forgotten":   {func(f *fake) { f.nonce++ }, 0, false, []string{postConf, postConf}},
		"another's posting": {func(f *fake) { f.pool, f.uptime = "stratum+tcp://other:1", -800 }, 15 * time.Second, true, []string{getConf, postConf}},
	} {
		t.Run(name, func(t *testing.T) {
			f, d, ctx, pass := timed(t)
			f.set(c.change)
			pass(c.wait)
			if c.read {
				reading(t, ctx, d)
			}
			f.took()
			sleepNow(t, ctx, d)
			if got := f.took(); !slices.Equal(got, c.want) {
				t.Errorf("exchanges %q, want %q", got, c.want)
			}
			first := f.conf["pools"].([]any)[0].(map[string]any)
			if first["url"] != f.url() {
				t.Errorf("posted %v, and the device had %s", first, f.url())
			}
		})
	}
}

func TestOtherPoolsThatARefreshSees(t *testing.T) {
	f, d, ctx, pass := timed(t)
	f.set(func(f *fake) { f.pool = "stratum+tcp://other:1" }) // and it did not restart
	d.dirty = true
	pass(time.Minute)
	reading(t, ctx, d)
	sleepNow(t, ctx, d)
	if f.pool != "stratum+tcp://other:1" {
		t.Errorf("its pools are %s again", f.pool)
	}
}

func TestStageRenewsBeforeItIsNeeded(t *testing.T) {
	f, d, ctx, pass := timed(t)
	asked := 0
	for range 120 { // half an hour without a reading
		pass(15 * time.Second)
		stage(t, ctx, d)
		asked += len(f.took())
		if !d.fresh() || d.auth.Age() > nonceLife {
			t.Fatalf("not ready: age %v, nonce %v", d.t.Now().Sub(d.ready.at), d.auth.Age())
		}
	}
	if asked == 0 || asked > 14 {
		t.Errorf("%d exchanges in half an hour", asked)
	}
}

func TestPoolsSurviveACommandDuringTheReload(t *testing.T) {
	f, d, ctx, _ := timed(t)
	pool := driver.Pool{URL: "stratum+tcp://new:1", Worker: "account.conform-001", Password: "y"}
	if err := d.Do(ctx, driver.Action{Act: site.ActPools, Pools: []driver.Pool{pool}}); err != nil {
		t.Fatal(err)
	}
	f.set(func(f *fake) { f.pool = "" }) // the pages show the old one for a moment
	reading(t, ctx, d)
	stage(t, ctx, d)
	sleepNow(t, ctx, d)
	first := f.conf["pools"].([]any)[0].(map[string]any)
	if first["url"] != pool.URL || first["pass"] != "y" || len(f.conf["pools"].([]any)) != slots {
		t.Errorf("posted %v", f.conf["pools"])
	}
	reading(t, ctx, d)
	f.took()
	again := func() error { return d.Do(ctx, driver.Action{Act: site.ActPools, Pools: []driver.Pool{pool}}) }
	f.set(func(f *fake) { f.shows = site.Some(1) })
	if err := again(); err != nil {
		t.Fatal(err)
	}
	if f.mode != 1 {
		t.Error("new pools woke it")
	}
}

func TestPasswordIsUsedFromThenOn(t *testing.T) {
	f, d, ctx, _ := timed(t)
	if err := d.Do(ctx, driver.Action{Act: site.ActPassword, Password: "n3w"}); err != nil {
		t.Fatal(err)
	}
	sleepNow(t, ctx, d)
	if f.mode != 1 {
		t.Error("it does not obey")
	}
	err := d.Do(ctx, driver.Action{Act: site.ActPassword})
	if !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("an empty password: %v", err)
	}
}

func TestProfilesAreThoseThatWereSeen(t *testing.T) {
	f, d, ctx, _ := timed(t)
	low := driver.Action{Act: site.ActProfile, Profile: "low"}
	c, err := d.Info(ctx)
	if err != nil || len(c.Profiles) > 0 || c.Acts.Has(site.ActProfile) {
		t.Errorf("profiles %v of a miner in normal mode, %v", c.Profiles, err)
	}
	if err := d.Do(ctx, low); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("low, which it was not seen to have: %v", err)
	}
	f.set(func(f *fake) { f.mode = 3 })
	c, err = d.Info(ctx)
	if err != nil || len(c.Profiles) != 2 || c.Profiles[0].Name != "low" || !c.Acts.Has(site.ActProfile) {
		t.Fatalf("profiles %v, %v", c.Profiles, err)
	}
	if s := reading(t, ctx, d); s.Profile != "low" {
		t.Errorf("profile %q", s.Profile)
	}
	if err := d.Do(ctx, driver.Action{Act: site.ActProfile, Profile: "normal"}); err != nil || f.mode != 0 {
		t.Errorf("mode %d, %v", f.mode, err)
	}
	sleepNow(t, ctx, d)
	if err := d.Do(ctx, low); !errors.Is(err, driver.ErrRefused) || f.mode != 1 {
		t.Errorf("low of a sleeping one: mode %d, %v", f.mode, err)
	}
}

// TestPagesOf2019: they are read, and nothing is posted to them that they would misread.
func TestPagesOf2019(t *testing.T) {
	f, d, ctx := opened(t)
	f.set(func(f *fake) { f.early = true })
	for _, told := range []bool{false, true} { // before and after Info told the driver
		if told {
			c, err := d.Info(ctx)
			if err != nil || c.Sleep || c.Acts != site.ActsOf(site.ActReboot, site.ActLED) || c.Identity.Model != "S17+" {
				t.Errorf("%+v, %v", c, err)
			}
		}
		if s := reading(t, ctx, d); s.State != site.StateHashing {
			t.Errorf("state %v", s.State)
		}
		if err := d.(driver.Stager).Stage(ctx); err != nil {
			t.Errorf("stage: %v", err)
		}
		op := d.(driver.Operator)
		for name, err := range map[string]error{
			"sleep":    d.Apply(ctx, site.Setpoint{Mode: site.ModeSleep}),
			"pools":    op.Do(ctx, driver.Action{Act: site.ActPools, Pools: []driver.Pool{{URL: "a", Worker: "b"}}}),
			"password": op.Do(ctx, driver.Action{Act: site.ActPassword, Password: "n3w"}),
			"profile":  op.Do(ctx, driver.Action{Act: site.ActProfile, Profile: "normal"}),
		} {
			if !errors.Is(err, driver.ErrUnsupported) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	op := d.(driver.Operator)
	if err := op.Do(ctx, driver.Action{Act: site.ActLED, On: true}); err != nil {
		t.Error(err)
	}
	if err := op.Do(ctx, driver.Action{Act: site.ActReboot}); err != nil {
		t.Error(err)
	}
	if got := f.done(); !slices.Equal(got, []string{"led action=startBlink", "reboot"}) {
		t.Errorf("it did %q", got)
	}
}

func TestOnlyRPC(t *testing.T) {
	f := &fake{}
	target := start(t, f)
	target.Ports["http"] = shutPort(t)
	d, err := open(target)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := d.Info(ctx)
	if err != nil || c.Sleep || c.Acts != 0 || c.Identity.Model != "S19 Pro" || c.Style() != "read-only" {
		t.Errorf("%+v, %v", c, err)
	}
	if s := reading(t, ctx, d); s.State != site.StateHashing {
		t.Errorf("state %v", s.State)
	}
	if err := d.Apply(ctx, site.Setpoint{Mode: site.ModeSleep}); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("sleep: %v", err)
	}
	f.set(func(f *fake) { f.uptime = -800 }) // it has just come up: its web server may follow
	if _, err := d.Info(ctx); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("of one that just came up: %v", err)
	}
}

func TestRefusedActs(t *testing.T) {
	f, d, ctx, _ := timed(t)
	f.set(func(f *fake) { f.refuse = true })
	pools := []driver.Pool{{URL: "stratum+tcp://new:1", Worker: "w", Password: "pool-s3cret"}}
	err := d.Do(ctx, driver.Action{Act: site.ActPools, Pools: pools})
	if !errors.Is(err, driver.ErrRefused) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("pools: %v", err)
	}
	for _, pools := range [][]driver.Pool{nil, make([]driver.Pool, 4)} {
		if err := d.Do(ctx, driver.Action{Act: site.ActPools, Pools: pools}); !errors.Is(err, driver.ErrUnsupported) {
			t.Errorf("%d pools: %v", len(pools), err)
		}
	}
	if err := d.Do(ctx, driver.Action{Act: 99}); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("an act that nobody knows: %v", err)
	}
}
