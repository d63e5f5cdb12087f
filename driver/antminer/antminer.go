// Package antminer owns the driver of Antminers with Bitmain's own firmware: readings over
// the RPC port (4028), everything else over the web pages (HTTP 80, digest authentication,
// factory root/root).
//
// A routine Read is one exchange: RPC `stats` with "new_api", which needs no password and
// keeps no connection on the device's small web server. Pools, the mode in the
// configuration, the firmware's name and its complaints move slowly: they are read every
// 20th time, after Apply, and when the hashrate appears or vanishes. Where the RPC port does
// not answer (newer firmwares may close it, a sleeping or reloading miner may have stopped
// its server), the same is read from stats.cgi.
//
// Sleep is mode 1 of the configuration, which is posted whole with both "miner-mode" and
// "bitmain-work-mode", in the types in which the device wrote them. A miner that is already
// in the wanted mode is not posted to: each post makes it reload, which stops its work for
// minutes. The reload follows the acknowledgement by a second or two, during which the
// configuration still shows the old mode: what this driver posted last counts until then.
// Waking returns to the mode that was seen before sleep, else to normal.
//
// Power is what the firmware tells, and unknown where it tells none, as many do.
//
// Assumed, because Bitmain publishes no times: 30 s from acknowledgement to standby, 5
// minutes to full power, 30 W asleep.
//
// It never sets watts or frequencies and never touches pools.
//
// Concurrency: a Device has one caller at a time; its calls block on the network until
// their context ends.
package antminer

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
	// slowEvery is how many reads share one reading of what moves slowly.
	slowEvery = 20
	// slowTime bounds that reading, so that a hanging web server does not eat the poll.
	slowTime = 3 * time.Second
	// idle is how long a connection to the web server is kept: it has few.
	idle = 3 * time.Second
	// stuck is how long a miner may be awake without a hash before that is a fault, site time.
	stuck = 15 * time.Minute

	standby   = 30 * unit.Watt
	sleepTime = 30 * time.Second
	wakeTime  = 5 * time.Minute
)

// Driver returns the driver.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "antminer",
		About: "Antminer S17 to S21 and later with Bitmain's firmware: HTTP with digest, RPC port for readings; sleep and wake",
		Abilities: driver.Abilities{
			Devices: "Antminer S17 to S21 and later, Bitmain's firmware", Sleep: true, Power: "some", Auth: "HTTP digest",
			Times: "assumed: 30 s to standby, 5 min to full power", Checked: "fixtures, emulator", Source: "the firmware's web pages and open implementations",
		},
		Ports: map[string]int{"http": 80, "rpc": rpc.Port},
		Open:  open,
		Probe: probe,
	}
}

// device is one Antminer.
type device struct {
	t       driver.Target
	rpcAddr string
	web     *httpx.Client

	reads   int  // since it was opened
	phase   int  // of slowEvery, so that thousands do not ask at once
	byWeb   bool // the RPC port failed: ask the web server first
	shut    bool // the RPC port is closed, as when the process of the miner is stopped
	dirty   bool // read what moves slowly at the next Read
	slow    slow
	posted  site.Opt[mode] // last posted, until the configuration shows it
	pending int            // reads since then
	awake   mode           // the last mode seen that is not sleep
	was     site.State
	idleAt  time.Time // since when it is awake and does no hash; zero if it does
}

func open(t driver.Target) (driver.Device, error) {
	if t.Host == "" || t.Now == nil {
		return nil, errors.New("open antminer: the target needs a host and a clock")
	}
	if t.User == "" && t.Password == "" {
		t.User, t.Password = "root", "root"
	}
	if t.User == "" {
		t.User = "root"
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Device))
	return &device{
		t: t, rpcAddr: t.Addr("rpc", rpc.Port), phase: int(h.Sum32() % slowEvery), dirty: true,
		web: httpx.New(t, t.Addr("http", 80), idle, &httpx.Digest{User: t.User, Password: t.Password}),
	}, nil
}

// Close ends the kept connection.
func (d *device) Close() error {
	d.web.Close()
	return nil
}

// Info reads the identity and whether the firmware knows sleep, over the web server: a
// wrong password shows here.
func (d *device) Info(ctx context.Context) (site.Capabilities, error) {
	d.dirty = true
	var c site.Capabilities
	var info systemInfo
	if err := d.web.Get(ctx, "/cgi-bin/get_system_info.cgi", &info); err != nil {
		return c, fmt.Errorf("antminer %s: %w", d.t.Device, err)
	}
	if info.Type == "" {
		return c, fmt.Errorf("antminer %s: no type in its system information: %w", d.t.Device, driver.ErrUnreachable)
	}
	c.Identity = info.identity()
	conf, err := d.conf(ctx)
	switch {
	case errors.Is(err, driver.ErrUnsupported): // an old firmware without this page
	case err != nil:
		return c, fmt.Errorf("antminer %s: %w", d.t.Device, err)
	default:
		_, c.Sleep = conf.mode()
	}
	c.Standby, c.SleepTime, c.WakeTime = standby, sleepTime, wakeTime
	f, ok := driver.LookupModel(c.Identity.Model)
	if !ok {
		f, ok = driver.LookupModel(d.t.Model)
	}
	if ok {
		c.Nameplate = site.Some(f.Power)
	}
	return c, nil
}

// Read polls the miner once: one exchange, and a few more every 20th time.
func (d *device) Read(ctx context.Context) (site.Sample, error) {
	s := site.Sample{Device: d.t.Device, Asked: d.t.Now()}
	due := d.dirty || (d.reads+d.phase)%slowEvery == 0
	d.reads++
	st, err := d.stats(ctx)
	// The miner's process may be stopped while its web server is there: asleep, or
	// reloading. Only a port that is shut shows that; a reply that was lost shows nothing.
	away := err != nil
	if away && (!d.shut || ctx.Err() != nil || d.refreshMode(ctx) != nil || !d.slow.mode.OK) {
		return s, fmt.Errorf("antminer %s: %w", d.t.Device, err)
	}
	st.fill(&s)
	hashing := s.Hashrate.OK && s.Hashrate.V > 0
	switch {
	case away:
	case due:
		d.dirty = false
		err = d.refresh(ctx)
	case d.doubtful(hashing):
		err = d.refreshMode(ctx)
	}
	if err != nil && !away && !hashing {
		d.slow.mode = site.Opt[mode]{} // asleep or not: the last one says nothing now
	}
	s.At = d.t.Now()
	s.Pools, s.Faults = d.slow.pools, d.slow.faults
	s.Identity = d.slow.identity(st.identity())
	s.State = d.state(s, away)
	d.was = s.State
	return s, nil //nolint:nilerr // a slow page that failed leaves its fields unknown; the reading stands
}

// doubtful says whether the mode is worth reading: the hashrate appeared or vanished, or a
// post has not shown yet.
func (d *device) doubtful(hashing bool) bool {
	if d.posted.OK {
		if d.pending++; d.pending > slowEvery {
			d.posted = site.Opt[mode]{} // it never will: what the device shows counts again
		}
		return true
	}
	return hashing != (d.was == site.StateHashing) || !hashing && !d.slow.mode.OK
}

// state joins what the miner does with what its configuration wants.
func (d *device) state(s site.Sample, away bool) site.State {
	want := d.slow.mode
	if s.Hashrate.OK && s.Hashrate.V > 0 {
		d.idleAt = time.Time{}
		return site.StateHashing
	}
	if !want.OK || !s.Hashrate.OK && !away && want.V != modeSleep {
		return site.StateUnknown
	}
	if want.V == modeSleep {
		d.idleAt = time.Time{}
		return site.StateSleeping
	}
	if d.idleAt.IsZero() {
		d.idleAt = s.At
	}
	if s.At.Sub(d.idleAt) > stuck && (!s.Uptime.OK || s.Uptime.V > stuck) {
		return site.StateFault
	}
	return site.StateStarting
}

// stats reads the miner's figures over RPC, else from the web server. It stays with the web
// server, which tells power on fewer firmwares, only while the RPC port is shut or mute.
func (d *device) stats(ctx context.Context) (stats, error) {
	if d.byWeb && d.reads%slowEvery != 0 {
		st, err := d.statsWeb(ctx)
		if err == nil {
			return st, nil
		}
		d.byWeb = false
		if ctx.Err() != nil {
			return st, err
		}
	}
	st, err := d.statsRPC(ctx)
	if err == nil {
		d.byWeb = false
		return st, nil
	}
	if ctx.Err() != nil {
		d.byWeb = true // the port may be filtered: the web server first at the next read
		return st, err
	}
	web, webErr := d.statsWeb(ctx)
	if webErr != nil {
		return st, err
	}
	d.byWeb = d.shut
	return web, nil
}

func (d *device) statsRPC(ctx context.Context) (stats, error) {
	data, err := rpc.Exchange(ctx, d.t.DialContext, d.rpcAddr, []byte(`{"command":"stats","new_api":true}`))
	d.shut = errors.Is(err, syscall.ECONNREFUSED)
	if err != nil {
		return stats{}, err
	}
	return parseStats(data)
}

func (d *device) statsWeb(ctx context.Context) (stats, error) {
	const path = "/cgi-bin/stats.cgi"
	r, err := d.web.Do(ctx, "GET", path, nil)
	if err == nil {
		err = r.Check("GET", path)
	}
	if err != nil {
		return stats{}, err
	}
	return parseStats(r.Body)
}

// Apply posts the configuration with the wanted mode, unless the miner is in it already.
func (d *device) Apply(ctx context.Context, want site.Setpoint) error {
	if want.Mode == site.ModeRun && want.Power.OK {
		return fmt.Errorf("antminer %s: it takes no watts: %w", d.t.Device, driver.ErrUnsupported)
	}
	conf, err := d.conf(ctx)
	if err != nil {
		return fmt.Errorf("antminer %s: %w", d.t.Device, err)
	}
	now, ok := conf.mode()
	if !ok {
		return fmt.Errorf("antminer %s: its configuration has no mode: %w", d.t.Device, driver.ErrUnsupported)
	}
	d.saw(now)
	sleep := want.Mode == site.ModeSleep
	if (now == modeSleep) == sleep && (!d.posted.OK || (d.posted.V == modeSleep) == sleep) {
		return nil
	}
	to := d.awake
	if sleep {
		to = modeSleep
	}
	d.dirty = true
	err = d.post(ctx, conf, to)
	if err == nil || errors.Is(err, driver.ErrUnreachable) { // it may have arrived
		d.posted, d.pending = site.Some(to), 0
	}
	if err != nil {
		return fmt.Errorf("antminer %s: %w", d.t.Device, err)
	}
	return nil
}

// saw takes note of the mode that the configuration shows.
func (d *device) saw(m mode) {
	d.slow.mode = site.Some(m)
	if d.posted.OK && d.posted.V == m {
		d.posted = site.Opt[mode]{}
	}
	if m != modeSleep && !d.posted.OK {
		d.awake = m
	}
}
