package antminer

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/driver"
	"switchyard/driver/conform"
	"switchyard/driver/rpc"
	"switchyard/site"
)

func TestConforms(t *testing.T) {
	conform.Run(t, conform.Kit{
		Driver: Driver(),
		Staged: true,
		Start: func(t *testing.T) conform.Fake {
			f := &fake{}
			return conform.Fake{Target: start(t, f), Acts: f.done, Obeys: func() site.Setpoint {
				f.mu.Lock()
				defer f.mu.Unlock()
				if f.mode == 1 {
					return site.Setpoint{Mode: site.ModeSleep}
				}
				return site.Setpoint{Mode: site.ModeRun}
			}}
		},
		Bare: func(t *testing.T) conform.Fake { return conform.Fake{Target: start(t, &fake{bare: true})} },
	})
}

// opened starts a fake and opens it; each call has a context of its own.
func opened(t *testing.T) (*fake, driver.Device, context.Context) {
	t.Helper()
	f := &fake{}
	d, err := open(start(t, f))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return f, d, ctx
}

func reading(t *testing.T, ctx context.Context, d driver.Device) site.Sample {
	t.Helper()
	s, err := d.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRoutineReadIsOneExchange(t *testing.T) {
	f, d, ctx := opened(t)
	s := reading(t, ctx, d)
	want := site.Identity{Make: "Antminer", Model: "S19 Pro", Firmware: "FR-1.1", Serial: "X1", MAC: "02:00:00:00:00:01"}
	if diff := cmp.Diff(want, s.Identity); diff != "" {
		t.Errorf("identity: -want +got:\n%s", diff)
	}
	if !slices.Equal(s.Faults, []string{"fans 3 fan lost"}) || len(s.Pools) != 1 || !s.Pools[0].Active {
		t.Errorf("faults %q, pools %v", s.Faults, s.Pools)
	}
	f.took()
	more := 0
	for range 40 {
		reading(t, ctx, d)
		got := f.took()
		if got[0] != "rpc stats" {
			t.Fatalf("first exchange %q", got[0])
		}
		if len(got) > 1 {
			more++
		}
	}
	if more != 2 {
		t.Errorf("%d of 40 reads took more than one exchange, want every 20th", more)
	}
}

func TestApplySparesAMinerThatIsThereAlready(t *testing.T) {
	f, d, ctx := opened(t)
	for _, c := range []struct {
		mode site.Mode
		want []string
	}{
		{site.ModeRun, []string{"GET /cgi-bin/get_miner_conf.cgi", "GET /cgi-bin/get_miner_conf.cgi"}}, // the first 401 brings the nonce
		{site.ModeSleep, []string{"POST /cgi-bin/set_miner_conf.cgi"}},                                 // laid out by the look before
		{site.ModeSleep, []string{"GET /cgi-bin/get_miner_conf.cgi"}},
		{site.ModeRun, []string{"POST /cgi-bin/set_miner_conf.cgi"}},
	} {
		if err := d.Apply(ctx, site.Setpoint{Mode: c.mode}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, f.took()); diff != "" {
			t.Errorf("apply %v: -want +got:\n%s", c.mode, diff)
		}
	}
	want := map[string]any{
		"pools":           []any{map[string]any{"url": "stratum+tcp://p:1", "user": "w", "pass": "x"}},
		"bitmain-fan-pwm": "100", "bitmain-work-mode": "0", "miner-mode": 0.0,
	}
	if diff := cmp.Diff(want, f.conf); diff != "" {
		t.Errorf("posted: -want +got:\n%s", diff)
	}
}

func TestCommandDuringTheReload(t *testing.T) {
	f, d, ctx := opened(t)
	f.set(func(f *fake) { f.shows = site.Some(0) }) // the configuration lags behind
	if err := d.Apply(ctx, site.Setpoint{Mode: site.ModeSleep}); err != nil {
		t.Fatal(err)
	}
	reading(t, ctx, d)
	if err := d.Apply(ctx, site.Setpoint{Mode: site.ModeRun}); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mode != 0 {
		t.Errorf("it sleeps: the configuration that still showed mode 0 was believed")
	}
}

func TestWakesToTheModeItHad(t *testing.T) {
	f, d, ctx := opened(t)
	f.set(func(f *fake) { f.mode = int(modeLow) })
	for _, m := range []site.Mode{site.ModeSleep, site.ModeRun} {
		if err := d.Apply(ctx, site.Setpoint{Mode: m}); err != nil {
			t.Fatal(err)
		}
	}
	if f.mode != int(modeLow) {
		t.Errorf("woke to mode %d, want %d", f.mode, modeLow)
	}
}

func TestSleepIsSeenAtOnceAlsoWithoutTheRPCPort(t *testing.T) {
	f, d, ctx := opened(t)
	if s := reading(t, ctx, d); s.State != site.StateHashing {
		t.Fatalf("state %v", s.State)
	}
	f.set(func(f *fake) { f.mode = 1 }) // somebody else put it to sleep
	if s := reading(t, ctx, d); s.State != site.StateSleeping || s.Power.OK || s.Hashrate.Or(1) != 0 {
		t.Errorf("state %v, power %v, hashrate %v", s.State, s.Power, s.Hashrate)
	}
	f.set(func(f *fake) { f.mode, f.closed = 0, true })
	if s := reading(t, ctx, d); s.State != site.StateHashing || !s.Hashrate.OK {
		t.Errorf("by stats.cgi: state %v, hashrate %v", s.State, s.Hashrate)
	}
	f.set(func(f *fake) { f.closed = false })
	f.took()
	reading(t, ctx, d)
	if got := f.took(); got[0] != "rpc stats" {
		t.Errorf("after one lost reply the RPC port is not asked again: %q", got)
	}
}

func TestShutRPCPortIsNotKnockedAtEachTime(t *testing.T) {
	f := &fake{}
	target := start(t, f)
	target.Ports["rpc"] = shutPort(t)
	dials := 0
	target.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == target.Addr("rpc", 0) {
			dials++
		}
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
	d, err := open(target)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for range 2 * slowEvery {
		if s := reading(t, ctx, d); s.State != site.StateHashing {
			t.Fatalf("state %v", s.State)
		}
	}
	// The first read, its pools, and each 20th read with its pools.
	if dials > 8 {
		t.Errorf("%d dials to a shut port in %d reads", dials, 2*slowEvery)
	}
}

// shutPort returns a port on which nobody listens.
func shutPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestStoppedProcess: some firmwares stop the miner's process in sleep and while they reload.
func TestStoppedProcess(t *testing.T) {
	free := shutPort(t)
	f := &fake{gone: true, closed: true}
	target := start(t, f)
	for _, c := range []struct {
		port int // of RPC: shut, or open and without an answer
		mode int
		want site.State
	}{
		{free, 1, site.StateSleeping},
		{free, 0, site.StateStarting},
		{target.Ports["rpc"], 1, site.StateUnknown}, // a lost reply shows nothing
		{target.Ports["rpc"], 0, site.StateUnknown},
	} {
		f.set(func(f *fake) { f.mode = c.mode })
		target := target
		target.Ports = map[string]int{"http": target.Ports["http"], "rpc": c.port}
		d, err := open(target)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		s, err := d.Read(ctx)
		cancel()
		_ = d.Close()
		if c.want == site.StateUnknown {
			if !errors.Is(err, driver.ErrUnreachable) {
				t.Errorf("%+v: %v, %v, want an error", c, s.State, err)
			}
			continue
		}
		if err != nil || s.State != c.want || s.Power.OK || s.Hashrate.OK {
			t.Errorf("%+v: %+v, %v", c, s, err)
		}
	}
}

func TestAwakeWithoutAHashBecomesAFault(t *testing.T) {
	f := &fake{}
	target := start(t, f)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	target.Now = func() time.Time { return now }
	dd, err := open(target)
	if err != nil {
		t.Fatal(err)
	}
	d := dd.(*device)
	d.slow.mode = site.Some(modeNormal)
	idle := site.Sample{Hashrate: ths(0), Uptime: seconds(7200)}
	for _, c := range []struct {
		after time.Duration
		want  site.State
	}{{0, site.StateStarting}, {stuck, site.StateStarting}, {stuck + time.Second, site.StateFault}} {
		idle.At = now.Add(c.after)
		if got := d.state(idle, false); got != c.want {
			t.Errorf("after %v: %v, want %v", c.after, got, c.want)
		}
	}
}

func TestRefusedPost(t *testing.T) {
	f, d, ctx := opened(t)
	f.set(func(f *fake) { f.refuse = true })
	if err := d.Apply(ctx, site.Setpoint{Mode: site.ModeSleep}); !errors.Is(err, driver.ErrRefused) {
		t.Errorf("got %v, want %v", err, driver.ErrRefused)
	}
	f.set(func(f *fake) { f.refuse = false })
	f.took()
	if err := d.Apply(ctx, site.Setpoint{Mode: site.ModeRun}); err != nil {
		t.Fatal(err)
	}
	if got := f.took(); !slices.Equal(got, []string{"GET /cgi-bin/get_miner_conf.cgi"}) {
		t.Errorf("an awake miner was told to wake: %q", got)
	}
}

func TestNonceThatExpired(t *testing.T) {
	f, d, ctx := opened(t)
	for range 3 {
		f.set(func(f *fake) { f.nonce++ })
		if err := d.Apply(ctx, site.Setpoint{Mode: site.ModeSleep}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProbeKnowsOtherFirmwares(t *testing.T) {
	for in, want := range map[string]bool{
		`{"VERSION":[{"BMMiner":"1.0.0","Type":"Antminer S19 Pro"}]}`:                               true,
		`{"VERSION":[{"LUXminer":"2023.1","Type":"Antminer S19"}]}`:                                 false,
		`{"VERSION":[{"API":"3.7","BOSer":"boser-openwrt 0.1.0"}]}`:                                 false,
		`{"VERSION":[{"API":"3.1","Type":"WhatsMiner M60"}]}`:                                       false,
		`{"VERSION":[{"BMMiner":"1.0.0","Miner":"19.10.1.3","Type":"Antminer S17 Pro"}]}`:           true,
		`{"VERSION":[{"BMMiner":"1.0.0","Type":"Antminer BHB42XXX"}]}`:                              true,
		`{"VERSION":[{"BMMiner":"1.0.0","Type":"Antminer L7"}]}`:                                    true,
		`{"VERSION":[{"BMMiner":"1.0.0","Type":"Antminer Z15"}]}`:                                   true,
		`{"VERSION":[{"BMMiner":"uart_trans.1.3","Type":"Antminer S19 Pro+ Hyd."}]}`:                true,
		`{"VERSION":[{"BMMiner":"2.0.0","Miner":"16.8.1.3","Type":"Antminer S9"}]}`:                 false,
		`{"VERSION":[{"BMMiner":"2.0.0","Type":"Antminer T9+"}]}`:                                   false,
		`{"VERSION":[{"BMMiner":"2.0.0","Type":"Antminer S15"}]}`:                                   false,
		`{"VERSION":[{"CGMiner":"4.9.0","Miner":"1.0.1.3","Type":"Antminer L3+"}]}`:                 false,
		`{"VERSION":[{"CGMiner":"4.9.0","Type":"Antminer Z9-Mini"}]}`:                               false,
		`{"VERSION":[{"BMMiner":"MaraFW rel 3.14_584","Type":"Antminer S21"}]}`:                     false,
		`{"VERSION":[{"CGMiner":"4.11.1","Miner":"26.0.1.3","Type":"Antminer S17 (vnish 3.8.6)"}]}`: false,
		`{"VERSION":[{"BMMiner":"2.0.0 rwglr","Type":"Antminer S17 Hiveon"}]}`:                      false,
		`{"VERSION":[{"BMMiner":"bOS_am1-s9-20181127","Type":"braiins-am1-s9"}]}`:                   false,
	} {
		r, err := rpc.Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := stock(r.Objects("VERSION")[0]); got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}
