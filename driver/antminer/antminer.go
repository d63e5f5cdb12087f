// Package antminer owns the driver of Antminers with Bitmain's own firmware: readings over
// the RPC port (4028), everything else over the web pages (HTTP 80, digest authentication,
// factory root/root).
//
// A routine Read is one exchange: RPC `stats` with "new_api", which needs no password and
// keeps no connection on the device's small web server. Pools, the mode in the
// configuration, the firmware's name and its complaints move slowly: they are read every
// 20th time, after Apply, and when the hashrate appears or vanishes.
//
// That reply tells no MAC: who it is, is read every 20th time, after an error, and at once where
// the reply shows that another machine may answer (model, firmware, miner or board ids, chips,
// an uptime that went back or jumped). Until that came the reading has neither MAC nor serial
// number. Where the RPC port does
// not answer (newer firmwares may close it, a sleeping or reloading miner may have stopped
// its server), the same is read from stats.cgi.
//
// Sleep is mode 1 of the configuration, which is posted whole with both "miner-mode" and
// "bitmain-work-mode", in the types in which the device wrote them. A miner that is already
// in the wanted mode is not posted to: each post makes it reload, which stops its work for
// minutes. The reload follows the acknowledgement by a second or two, during which the
// configuration still shows the old one: what this driver posted last counts until then.
// Waking returns to the mode that was seen before sleep, else to normal. Modes low (3) and
// high (2) are profiles, offered once the configuration was seen to have them: nothing else
// tells which of them a model knows.
//
// What Apply posts is laid out beforehand (Stage), together with a digest nonce, so that it
// is one exchange. It is at most 6 minutes old, because a person may have changed the device
// meanwhile and a post would take that back; it is read anew at once where a reading saw
// that the miner restarted its work (every post makes it) or has other pools.
//
// Firmwares of 2019 (S17 and before) have other pages: they take a form by position, answer
// after half a minute, and would store nonsense from a JSON post. They are told by their
// configuration and system page; of them this driver reads, reboots and blinks. A miner
// whose web server is shut is read by RPC and told nothing.
//
// Power is what the firmware tells, and unknown where it tells none, as many do.
//
// Assumed, because Bitmain publishes no times: 30 s from acknowledgement to standby, 5
// minutes to full power, 30 W asleep.
//
// Sleep is part of the configuration and so survives a reboot.
//
// The pages' words are those of public programs that speak to them (pyasic, asic-rs, the
// maker's own shell scripts of the S17 for the pages of 2019); not checked on a machine.
//
// It never sets watts or frequencies, and pools only when told to.
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
	// booted is how long a miner whose web server is shut must have worked, site time.
	booted = 10 * time.Minute

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
			Devices: "Antminer S17 to S21 and later, Bitmain's firmware; of firmwares of 2019 readings, reboot and LED",
			Sleep:   true, Profiles: true, Power: "some", Auth: "HTTP digest",
			Acts:  site.ActsOf(site.ActReboot, site.ActPools, site.ActLED, site.ActPassword, site.ActProfile),
			Times: "assumed: 30 s to standby, 5 min to full power", Checked: "fixtures, emulator",
			Source: "the firmware's web pages and open implementations",
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
	auth    *httpx.Digest

	reads   int  // since it was opened
	phase   int  // of slowEvery, so that thousands do not ask at once
	byWeb   bool // the RPC port failed: ask the web server first
	shut    bool // the RPC port is closed, as when the process of the miner is stopped
	dirty   bool // read what moves slowly at the next Read
	slow    slow
	named   named         // as the mining process names itself
	fast    site.Identity // which is this
	marks   uint64        // of the last reply
	doubt   bool          // whether it is still the machine of slow.info
	vain    int           // times that it was asked for nothing
	ready   staged
	failed  time.Time      // when staging failed last
	posted  site.Opt[mode] // last posted, until the configuration shows it
	pools   []site.Pool    // posted with it; nil: as they were
	pending int            // reads since then
	awake   mode           // the last mode seen that is not sleep
	modes   [modeLow + 1]bool
	was     site.State
	uptime  time.Duration // at the last reading
	upAt    time.Time     // when that came
	idleAt  time.Time     // since when it is awake and does no hash; zero if it does
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
	auth := &httpx.Digest{User: t.User, Password: t.Password, Now: t.Now}
	return &device{
		t: t, rpcAddr: t.Addr("rpc", rpc.Port), phase: int(h.Sum32() % slowEvery), dirty: true,
		auth: auth, web: httpx.New(t, t.Addr("http", 80), idle, auth),
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
	err := d.web.Get(ctx, "/cgi-bin/get_system_info.cgi", &info)
	if errors.Is(err, driver.ErrUnsupported) || errors.Is(err, syscall.ECONNREFUSED) {
		if id, ok := d.onlyRPC(ctx); ok {
			return d.capabilities(id), nil
		}
	}
	if err != nil {
		return c, fmt.Errorf("antminer %s: %w", d.t.Device, err)
	}
	if info.Type == "" {
		return c, fmt.Errorf("antminer %s: no type in its system information: %w", d.t.Device, driver.ErrUnreachable)
	}
	d.met(info)
	c = d.capabilities(info.identity())
	c.Acts = site.ActsOf(site.ActReboot, site.ActLED)
	if info.early() {
		return c, nil
	}
	now, err := d.conf(ctx)
	switch {
	case errors.Is(err, driver.ErrUnsupported): // an old firmware without this page
		return c, nil
	case err != nil:
		return c, fmt.Errorf("antminer %s: %w", d.t.Device, err)
	}
	c.Acts |= site.ActsOf(site.ActPassword)
	if c.Sleep = now.OK; !c.Sleep {
		return c, nil
	}
	c.Acts |= site.ActsOf(site.ActPools)
	if c.Profiles = d.profiles(); c.Profiles != nil {
		c.Acts |= site.ActsOf(site.ActProfile)
	}
	return c, nil
}

// onlyRPC says who a miner is whose web server is shut, or has not the pages. One that came
// up a moment ago may still open its web server.
func (d *device) onlyRPC(ctx context.Context) (site.Identity, bool) {
	st, err := d.statsRPC(ctx)
	if err != nil {
		return site.Identity{}, false
	}
	var s site.Sample
	st.fill(&s)
	id := st.identity()
	return id, id.Make != "" && s.Uptime.OK && s.Uptime.V > booted
}

// capabilities are those that any Antminer has.
func (d *device) capabilities(id site.Identity) site.Capabilities {
	c := site.Capabilities{Identity: id, Standby: standby, SleepTime: sleepTime, WakeTime: wakeTime}
	f, ok := driver.LookupModel(c.Identity.Model)
	if !ok {
		f, ok = driver.LookupModel(d.t.Model)
	}
	if ok {
		c.Nameplate = site.Some(f.Power)
	}
	return c
}

// Read polls the miner once: one exchange, and a few more every 20th time.
func (d *device) Read(ctx context.Context) (site.Sample, error) {
	s := site.Sample{Device: d.t.Device, Asked: d.t.Now()}
	turn := (d.reads+d.phase)%slowEvery == 0
	due := d.dirty || turn
	d.reads++
	st, err := d.stats(ctx)
	// The miner's process may be stopped while its web server is there: asleep, or
	// reloading. Only a port that is shut shows that; a reply that was lost shows nothing.
	away := err != nil
	if away && (!d.shut || ctx.Err() != nil || d.refreshMode(ctx) != nil || !d.slow.mode.OK) {
		d.doubt = true // another may answer when it is back
		return s, fmt.Errorf("antminer %s: %w", d.t.Device, err)
	}
	st.fill(&s)
	d.noticeOther(st, s)
	d.noticeRestart(s)
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
	d.identify(ctx, turn, due, err)
	s.At = d.t.Now()
	s.Pools, s.Faults = d.slow.pools, d.slow.faults
	if h := st.named(); h != d.named { // mostly it is the same, and a part of the reply would keep it whole
		d.named = h.clone()
		d.fast = d.named.identity()
	}
	if s.Identity = d.slow.identity(d.fast); d.doubt {
		s.Identity.MAC, s.Identity.Serial = "", "" // whose they are is not known
	}
	s.State = d.state(s, away)
	if m := d.slow.mode; m.OK && d.profiles() != nil {
		s.Profile = m.V.profile()
	}
	d.was = s.State
	return s, nil //nolint:nilerr // a slow page that failed leaves its fields unknown; the reading stands
}

// doubtful says whether the mode is worth reading: the hashrate appeared or vanished, or a
// post has not shown yet.
func (d *device) doubtful(hashing bool) bool {
	if d.posted.OK {
		if d.pending++; d.pending > slowEvery {
			d.posted, d.pools = site.Opt[mode]{}, nil // it never will: what the device shows counts again
			d.ready = staged{}
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
	text, err := rpc.ExchangeText(ctx, d.t.DialContext, d.rpcAddr, []byte(`{"command":"stats","new_api":true}`))
	d.shut = errors.Is(err, syscall.ECONNREFUSED)
	if err != nil {
		return stats{}, err
	}
	return readStats(rpc.ParseText(text))
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

// Apply posts the configuration with the wanted mode, unless the miner is in it already: one
// exchange if it was staged.
func (d *device) Apply(ctx context.Context, want site.Setpoint) error {
	if want.Mode == site.ModeRun && want.Power.OK {
		return fmt.Errorf("antminer %s: it takes no watts: %w", d.t.Device, driver.ErrUnsupported)
	}
	sleep := want.Mode == site.ModeSleep
	if !d.fresh() || d.ready.now.OK && d.there(d.ready.now.V, sleep) {
		now, err := d.conf(ctx) // also that nothing is to be done is worth a look
		if err != nil {
			return fmt.Errorf("antminer %s: %w", d.t.Device, err)
		}
		if now.OK && d.there(now.V, sleep) {
			return nil
		}
	}
	if !d.ready.now.OK {
		return fmt.Errorf("antminer %s: its configuration has no mode: %w", d.t.Device, driver.ErrUnsupported)
	}
	to := d.awake
	if sleep {
		to = modeSleep
	}
	if err := d.post(ctx, to, nil); err != nil {
		return fmt.Errorf("antminer %s: %w", d.t.Device, err)
	}
	return nil
}

// there says whether the mode that the configuration shows, and the one posted last, are as wanted.
func (d *device) there(now mode, sleep bool) bool {
	return (now == modeSleep) == sleep && (!d.posted.OK || (d.posted.V == modeSleep) == sleep)
}
