// Package sealminer owns the driver of Bitdeer's SealMiners (bdminer): readings and sleep
// over the RPC port (4028), which needs no login, and what else people do over the web pages
// (HTTP 80), which want a session: a form with user and password gives a cookie.
//
// A routine Read is one exchange, RPC stats, which tells nearly all; pools are read every
// 20th time and after Apply. Where the RPC port is shut, as before the mining program has
// started, the web pages still tell who it is, and the state is unknown unless this driver
// itself put the miner to sleep.
//
// Sleep is ascset "0,suspend", waking the RPC command restart. A restart stops a miner that
// works, so its state is read before, and a miner that runs or boots is left alone. Where
// the RPC port denies these orders the web page mining_setting is used, which stops and
// starts as well.
//
// It takes no watts: the firmware has a power limit (ascset "0,powerlimit"), but it comes
// into force with a reboot only, after which a miner tunes itself for minutes. The limit is
// told as the target. The modes low_power, normal and high_performance are the profiles;
// what they draw is not told. Whether a mode, too, waits for a reboot is not known.
//
// The intake is the power supply's ambient sensor.
//
// Sources: asic-rs (orders of the RPC port, recorded replies of an A2 of 2025 for the form)
// and bitcap-ipr (web pages); the maker publishes no interface. Whether a suspend outlives a
// reboot is not known. Assumed: 30 s from acknowledgement to standby, 50 W asleep; 10 minutes
// to full power, because a recorded miner booted in 222 s and was tuned after 720 s.
//
// It never sets limits, frequencies, voltages or fans.
//
// Concurrency: a Device has one caller at a time; its calls block on the network until
// their context ends.
package sealminer

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"syscall"
	"time"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

const (
	// slowEvery is how many reads share one reading of the pools.
	slowEvery = 20
	// idle is how long a connection to the web server is kept: it has few.
	idle = 3 * time.Second
	// partTime bounds a request for one of the rarer parts.
	partTime = 3 * time.Second

	standby   = 50 * unit.Watt
	sleepTime = 30 * time.Second
	wakeTime  = 10 * time.Minute
)

var acts = []site.Act{site.ActReboot, site.ActPools, site.ActLED, site.ActPassword, site.ActProfile}

// Driver returns the driver.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "sealminer",
		About: "Bitdeer SealMiner A2, A3 and later (bdminer): RPC port for readings and sleep, web pages for the rest",
		Abilities: driver.Abilities{
			Devices: "Bitdeer SealMiner A2, A2 Pro, A3 and later", Sleep: true, Profiles: true, Acts: site.ActsOf(acts...),
			Power: "all", Auth: "none for readings and sleep, a session for the rest", Times: "30 s to standby assumed; 10 min to full power from one recording",
			Checked: "recorded replies of open implementations (form), emulator", Source: "asic-rs, bitcap-ipr",
		},
		Ports: map[string]int{"http": 80, "rpc": rpc.Port},
		Open:  open,
		Probe: probe,
	}
}

// device is one miner.
type device struct {
	t       driver.Target
	rpcAddr string
	web     *httpx.Client
	session *session

	reads, phase int
	dirty        bool // read the pools at the next Read
	pools        []site.Pool
	who          site.Identity
	slept        bool // this driver's last order was sleep, over the web page
}

func open(t driver.Target) (driver.Device, error) {
	if t.Host == "" || t.Now == nil {
		return nil, errors.New("open sealminer: the target needs a host and a clock")
	}
	if t.User == "" {
		t.User = "seal"
	}
	if t.Password == "" {
		t.Password = "seal"
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Device))
	d := &device{t: t, rpcAddr: t.Addr("rpc", rpc.Port), phase: int(h.Sum32() % slowEvery), dirty: true}
	d.session = &session{}
	d.web = httpx.New(t, t.Addr("http", 80), idle, d.session)
	return d, nil
}

// Close ends the kept connection.
func (d *device) Close() error {
	d.web.Close()
	return nil
}

// Info reads who the miner is.
func (d *device) Info(ctx context.Context) (site.Capabilities, error) {
	d.dirty = true
	c := site.Capabilities{Sleep: true, Standby: standby, SleepTime: sleepTime, WakeTime: wakeTime, Acts: site.ActsOf(acts...)}
	st, err := d.stats(ctx)
	switch {
	case err == nil:
		d.who = identity(st)
	case errors.Is(err, syscall.ECONNREFUSED) && ctx.Err() == nil: // not started: the web pages know it, too
		err = d.readSystem(ctx)
	}
	if err == nil && d.who.Model == "" {
		err = fmt.Errorf("it names no model: %w", driver.ErrUnreachable)
	}
	if err != nil {
		return site.Capabilities{}, fmt.Errorf("sealminer %s: %w", d.t.Device, err)
	}
	c.Identity = d.who
	if p, ok := d.nameplate(); ok {
		c.Nameplate = site.Some(p)
	}
	for _, m := range modes() {
		c.Profiles = append(c.Profiles, site.Profile{Name: m})
	}
	return c, nil
}

func (d *device) nameplate() (unit.Power, bool) {
	f, ok := driver.LookupModel(d.who.Make + " " + d.who.Model)
	if !ok {
		f, ok = driver.LookupModel(d.t.Model)
	}
	return f.Power, ok
}

// stats reads the one object that tells nearly all.
func (d *device) stats(ctx context.Context) (rpc.Object, error) {
	r, err := rpc.Call(ctx, d.t.DialContext, d.rpcAddr, rpc.Request{Command: "stats"})
	if err != nil {
		return nil, err
	}
	for _, o := range r.Objects("STATS") {
		if o.Text("Model", "PM State") == "" {
			continue // a pool's
		}
		if r.Truncated { // lists are numbered keys: what is cut is only missing
			return nil, fmt.Errorf("stats are cut short: %w", driver.ErrUnreachable)
		}
		return o, nil
	}
	return nil, fmt.Errorf("reply holds no stats: %w", driver.ErrUnreachable)
}

// Read polls the miner once.
func (d *device) Read(ctx context.Context) (site.Sample, error) {
	s := site.Sample{Device: d.t.Device, Asked: d.t.Now()}
	n := d.reads + d.phase
	st, err := d.stats(ctx)
	if errors.Is(err, syscall.ECONNREFUSED) && ctx.Err() == nil {
		return d.readAway(ctx, s, err)
	}
	if err != nil {
		return site.Sample{}, fmt.Errorf("sealminer %s: %w", d.t.Device, err)
	}
	if d.dirty || n%slowEvery == 0 {
		d.readPools(ctx) // what does not come stays as it was
	}
	d.reads++
	d.dirty, d.slept = false, false
	d.who = identity(st)
	fill(&s, st)
	s.Identity, s.Pools = d.who, d.pools
	s.At = d.t.Now()
	return s, nil
}

// readAway is the reading of a miner whose mining program is not there.
func (d *device) readAway(ctx context.Context, s site.Sample, cause error) (site.Sample, error) {
	if d.readSystem(ctx) != nil {
		return site.Sample{}, fmt.Errorf("sealminer %s: %w", d.t.Device, cause)
	}
	if d.slept {
		s.State = site.StateSleeping
	}
	s.Identity, s.At = d.who, d.t.Now()
	return s, nil
}

func (d *device) readPools(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	r, err := rpc.Call(ctx, d.t.DialContext, d.rpcAddr, rpc.Request{Command: "pools"})
	if err == nil && !r.Truncated {
		d.pools = parsePools(r.Objects("POOLS"))
	}
}

// readSystem reads the identity from the web pages.
func (d *device) readSystem(ctx context.Context) error {
	o, err := d.page(ctx, "GET", "get_system_info", nil)
	if err != nil {
		return err
	}
	model := o.Text("miner_type")
	if model == "" {
		return fmt.Errorf("the system information names no model: %w", driver.ErrUnreachable)
	}
	d.who = site.Identity{Make: brand, Model: model, Firmware: o.Text("firmware_version"), Serial: o.Text("crtl_sn"), MAC: o.Text("macaddr")}
	return nil
}

// Apply suspends the miner or starts it.
func (d *device) Apply(ctx context.Context, want site.Setpoint) error {
	if want.Mode == site.ModeRun && want.Power.OK {
		return fmt.Errorf("sealminer %s: it takes no watts: %w", d.t.Device, driver.ErrUnsupported)
	}
	d.dirty = true
	var err error
	if want.Mode == site.ModeSleep {
		err = d.sleep(ctx)
	} else {
		err = d.wake(ctx)
	}
	if err != nil {
		return fmt.Errorf("sealminer %s: %w", d.t.Device, err)
	}
	return nil
}

func (d *device) sleep(ctx context.Context) error {
	r, err := rpc.Call(ctx, d.t.DialContext, d.rpcAddr, rpc.Request{Command: "ascset", Parameter: "0,suspend"})
	if err == nil && r.Status().Letter == "" {
		err = fmt.Errorf("ascset: no status: %w", driver.ErrUnreachable)
	}
	if denied(err) {
		if err = d.order(ctx, "mining_setting", map[string]int{"params_data": 0}); err == nil {
			d.slept = true
		}
	}
	return err
}

func (d *device) wake(ctx context.Context) error {
	st, err := d.stats(ctx)
	if err == nil && !resting(st) {
		return nil
	}
	if err == nil {
		r, callErr := rpc.Call(ctx, d.t.DialContext, d.rpcAddr, rpc.Request{Command: "restart"})
		if err = callErr; err == nil && r.Status().Letter == "" {
			err = fmt.Errorf("restart: no status: %w", driver.ErrUnreachable)
		}
	}
	if denied(err) {
		err = d.order(ctx, "mining_setting", map[string]int{"params_data": 1})
	}
	if err == nil {
		d.slept = false
	}
	return err
}

// denied says that the RPC port will not do it, and the web page may.
func denied(err error) bool {
	return errors.Is(err, driver.ErrUnauthorized) || errors.Is(err, driver.ErrUnsupported) || errors.Is(err, syscall.ECONNREFUSED)
}
