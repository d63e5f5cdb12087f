// Package avalon owns the driver of Canaan's Avalon miners, from the A10 on, with the home
// machines Q, Nano and Mini: the JSON of cgminer on TCP 4028, orders by `ascset`. No whole
// document of the maker's is public; the facts are from captured replies of an A1246 and a Q,
// and from public projects that drive these machines (pyasic, asic-rs, Home Assistant
// integrations, descriptions of the API of the Nano 3S and the Q).
//
// A routine Read is one exchange, `stats`: a text of bracketed fields for each control module.
// Hashrate is GHSspd, the present one; the means stay up while a machine sleeps. Pools are
// read every 12th time. Power is WALLPOWER, else the seventh figure of PS, which newer
// firmwares measure at the wall; older ones tell only what the supply gives to the boards,
// some 6 to 9 % less, and that is passed on as it is. Of a PS whose volts and amperes do not
// give its watts, as that of other machines, nothing is taken, but the Nano's sixth or seventh figure.
//
// Sleep is `softoff`, waking `softon`; both name a moment on the device's own clock, which may
// never have been set: the difference to site time is taken from every reply, Stage sees to
// it that it is known, and an order that came too late by the device's clock is sent once
// more. A wake-up may close the connection without a word, which counts as acknowledged.
//
// Work modes are offered as profiles. The Q's are Levels too, by the watts that Canaan
// publishes; full power is then the highest, or what a person chose last by name. Work levels,
// whose watts nobody publishes, are not used.
//
// It never sets volts, frequencies or fans, and takes no acknowledgement for success.
//
// Pools are stored by `setpool` and count from the next start on: the act ends with a reboot,
// unless the miner is asleep, whose waking is a start. Only pools and the password itself want
// the password; who reaches the port may do everything else. `ascset help` says what the
// firmware takes at all; commas cannot be sent.
//
// Assumed: 15 s from acknowledgement to standby (the order's 5 s included) and 5 minutes to full
// power; 15 W asleep, as seen of an A1346 (11 W) and a Q (17 W); a machine that loses its
// power while asleep may come back awake.
//
// Concurrency: a Device has one caller at a time and keeps no connection; its calls block on
// the network until their context ends.
package avalon

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

const (
	maker = "Avalon"
	// slowEvery is how many reads share one reading of the pools.
	slowEvery = 12
	// slowTime bounds that reading.
	slowTime = 3 * time.Second
	// lead is how far ahead of the device's clock an order is, as public projects send it.
	lead = 5 * time.Second
	// clockLife is how long the difference of the clocks is trusted, site time.
	clockLife = 10 * time.Minute
	// stuck is how long a miner may be awake without a hash before that is a fault, site time.
	stuck = 15 * time.Minute

	standby   = 15 * unit.Watt
	sleepTime = 15 * time.Second
	wakeTime  = 5 * time.Minute
)

func acts() site.ActSet {
	return site.ActsOf(site.ActReboot, site.ActPools, site.ActLED, site.ActPassword, site.ActProfile)
}

// Driver returns the driver.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "avalon",
		About: "Canaan Avalon A10 to A15, Q, Nano and Mini: TCP 4028; sleep and wake, work modes",
		Abilities: driver.Abilities{
			Devices: "Avalon A10 to A15 (no sleep before A11), Q, Nano 3, Mini 3", Sleep: true, Profiles: true, Acts: acts(), Power: "some",
			Auth:  "none; password for pools and password",
			Times: "assumed: 15 s to standby, 5 min to full power", Checked: "fixtures, emulator",
			Source: "captured replies; pyasic, asic-rs and other public projects",
		},
		Ports: map[string]int{"rpc": rpc.Port},
		Open:  open,
		Probe: probe,
	}
}

// device is one miner.
type device struct {
	t        driver.Target
	addr     string
	password string

	reads, phase int
	dirty        bool
	identity     site.Identity
	orders       map[string]bool // that ascset takes; nil while not known
	softOff      site.Opt[bool]  // it told SoftOFF, so it knows the order
	mode         site.Opt[int]   // the work mode in force
	asleep       site.Opt[bool]
	full         site.Opt[int] // the mode that a person chose
	skew         time.Duration // of the device's clock against site time
	skewAt       time.Time     // zero while not known
	idleAt       time.Time     // since when it is awake and does no hash; zero if it does
	pools        []site.Pool
}

func open(t driver.Target) (driver.Device, error) {
	if t.Host == "" || t.Now == nil {
		return nil, errors.New("open avalon: the target needs a host and a clock")
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Device))
	d := &device{t: t, addr: t.Addr("rpc", rpc.Port), password: string(t.Password), phase: int(h.Sum32() % slowEvery), dirty: true}
	d.identity = site.Identity{Make: maker, Model: modelName(t.Model)}
	return d, nil
}

// Close has nothing to end.
func (d *device) Close() error { return nil }

// wrap names the device in an error.
func (d *device) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("avalon %s: %w", d.t.Device, err)
}

// ask sends a command and takes note of the device's clock.
func (d *device) ask(ctx context.Context, command string, args ...string) (rpc.Reply, error) {
	asked := d.t.Now()
	r, err := rpc.Call(ctx, d.t.DialContext, d.addr, rpc.Request{Command: command, Parameter: strings.Join(args, ",")})
	if when := r.Status().When; when.OK && when.V > 0 {
		// It wrote its second at some moment since it was asked: the earliest is the safe one to
		// add the lead to, a too early order being ignored.
		d.skew, d.skewAt = time.Unix(int64(when.V), 0).Add(time.Second).Sub(asked), asked
	}
	return r, err
}

// Info asks who the miner is and what it takes.
func (d *device) Info(ctx context.Context) (site.Capabilities, error) {
	d.dirty = true
	if err := d.who(ctx); err != nil {
		return site.Capabilities{}, d.wrap(err)
	}
	if _, err := d.module(ctx); err != nil {
		return site.Capabilities{}, d.wrap(err)
	}
	c := site.Capabilities{Identity: d.identity, Sleep: d.sleeps(), Standby: standby, SleepTime: sleepTime, WakeTime: wakeTime}
	c.Acts = site.ActsOf(site.ActReboot, site.ActPools)
	for act, order := range map[site.Act]string{site.ActLED: "led", site.ActPassword: "password", site.ActProfile: "workmode"} {
		if d.orders[order] {
			c.Acts |= site.ActsOf(act)
		}
	}
	if d.orders["workmode"] {
		for _, m := range d.modes() {
			c.Profiles = append(c.Profiles, site.Profile{Name: m.name, Power: m.power})
			if m.power.OK {
				c.Levels = append(c.Levels, m.power.V)
			}
		}
	}
	if n := len(c.Levels); n > 0 {
		c.Watts = site.Some(site.Range{Min: c.Levels[0], Max: c.Levels[n-1]})
		c.Nameplate = site.Some(c.Levels[n-1])
	} else if f, ok := driver.LookupModel(maker + " " + d.identity.Model); ok {
		c.Nameplate = site.Some(f.Power)
	}
	return c, nil
}

// who fills the identity and the list of orders. Only the version must come.
func (d *device) who(ctx context.Context) error {
	r, err := d.ask(ctx, "version")
	if err != nil {
		return err
	}
	list := r.Objects("VERSION")
	if len(list) == 0 {
		return fmt.Errorf("version is empty: %w", driver.ErrUnreachable)
	}
	id := parseVersion(list[0])
	if id.Model == "" {
		id.Model = d.identity.Model
	}
	d.identity = id
	r, err = d.ask(ctx, "ascset", "0", "help")
	if errors.Is(err, driver.ErrUnreachable) {
		return err
	}
	if orders := parseHelp(r.Status().Msg); err == nil && orders != nil {
		d.orders = orders
	}
	return nil
}

// sleeps says whether the firmware takes softoff: by its list of orders, else because it tells
// the state that softoff sets.
func (d *device) sleeps() bool {
	if d.orders != nil {
		return d.orders["softoff"]
	}
	return d.softOff.OK
}

// module reads the control modules and keeps what Apply needs.
func (d *device) module(ctx context.Context) (module, error) {
	r, err := d.ask(ctx, "stats")
	if err != nil {
		return module{}, err
	}
	m, err := parseStats(r)
	if err != nil {
		return module{}, err
	}
	if m.softOff.OK {
		d.softOff = m.softOff
	}
	if m.mode.OK {
		d.mode = m.mode
	}
	if m.asleep.OK {
		d.asleep = m.asleep
	}
	if d.identity.Model == "" {
		d.identity.Model = m.model
	}
	if d.identity.Serial == "" {
		d.identity.Serial = m.serial
	}
	return m, nil
}

// Read polls the miner once.
func (d *device) Read(ctx context.Context) (site.Sample, error) {
	asked := d.t.Now()
	m, err := d.module(ctx)
	if err != nil {
		return site.Sample{}, d.wrap(err)
	}
	if !m.rate.OK && !m.cut && m.asleep.OK && !m.asleep.V { // a firmware without GHSspd
		if r, err := d.ask(ctx, "summary"); err == nil && !r.Truncated {
			for _, o := range r.Objects("SUMMARY") {
				m.rate = o.Hashrate("MHS 5s", "GHS 5s", "MHS 1m", "GHS 1m", "MHS 5m")
			}
		}
	}
	if d.reads == 0 {
		d.first(ctx)
	}
	if d.dirty || (d.reads+d.phase)%slowEvery == 0 {
		d.readPools(ctx)
	}
	d.reads++
	d.dirty = false
	s := site.Sample{
		Device: d.t.Device, Asked: asked, At: d.t.Now(), Identity: d.identity, Power: m.power, Target: m.target, Hashrate: m.rate,
		Boards: m.boards, Fans: m.fans, Intake: m.intake, Pools: d.pools, Uptime: m.uptime, Faults: m.faults,
	}
	if m.mode.OK {
		if modes := d.modes(); m.mode.V >= 0 && m.mode.V < len(modes) {
			s.Profile = modes[m.mode.V].name
		}
	}
	s.State = d.state(m, s)
	return s, nil
}

// first asks who it is; the reading is whole without it.
func (d *device) first(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, slowTime)
	defer cancel()
	_ = d.who(ctx)
}

func (d *device) readPools(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, slowTime)
	defer cancel()
	if r, err := d.ask(ctx, "pools"); err == nil && !r.Truncated {
		d.pools = parsePools(r)
	}
}

// state is what the miner says, unless it hashes although it says that it is idle.
func (d *device) state(m module, s site.Sample) site.State {
	hashes := s.Hashrate.OK && s.Hashrate.V > 0
	switch {
	case !m.asleep.OK:
		return site.StateUnknown
	case hashes:
		d.idleAt = time.Time{}
		return site.StateHashing
	case m.asleep.V:
		d.idleAt = time.Time{}
		return site.StateSleeping
	case !s.Hashrate.OK:
		return site.StateUnknown
	}
	if d.idleAt.IsZero() {
		d.idleAt = s.At
	}
	if s.At.Sub(d.idleAt) > stuck {
		return site.StateFault
	}
	return site.StateStarting
}

// probe asks for the version, and where that names no product for the devices' driver.
func probe(ctx context.Context, t driver.Target) (site.Identity, error) {
	dev, err := open(t)
	if err != nil {
		return site.Identity{}, err
	}
	d := dev.(*device)
	r, err := d.ask(ctx, "version")
	if errors.Is(err, driver.ErrUnreachable) {
		return site.Identity{}, err
	}
	if err != nil {
		return site.Identity{}, fmt.Errorf("no Avalon: %w: %w", err, driver.ErrUnsupported)
	}
	for _, o := range r.Objects("VERSION") {
		if strings.Contains(strings.ToLower(o.Text("PROD")), "avalon") {
			return parseVersion(o), nil
		}
		_, plain := o.Get("CGMiner")
		if !plain || o.Text("PROD", "Type", "LUXminer") != "" {
			break
		}
		r, err := d.ask(ctx, "devdetails")
		if errors.Is(err, driver.ErrUnreachable) {
			return site.Identity{}, err
		}
		for _, dev := range r.Objects("DEVDETAILS") {
			if err == nil && strings.HasPrefix(strings.ToLower(dev.Text("Driver")), "avalon") {
				return parseVersion(o), nil
			}
		}
	}
	return site.Identity{}, fmt.Errorf("%s: its version names no Avalon: %w", t.Host, driver.ErrUnsupported)
}
