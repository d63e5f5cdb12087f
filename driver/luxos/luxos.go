// Package luxos owns the driver of Antminers with LuxOS, Luxor's firmware: JSON of the cgminer
// family on TCP 4028. The protocol is from Luxor's public API pages; what they do not say was
// taken from the public projects pyasic and asic-rs, and from captured replies of 2025.4.
//
// A routine Read is one exchange, `summary+config+power`: hashrate, state, profile, watts.
// Boards, temperatures and fans are read every 4th time, pools and events every 12th, all of
// it after Apply. A firmware that joins no commands is asked for one after the other.
//
// Writes carry a session. It is no security, only a lock: one exists at a time, a minute after
// its last use it lapses. Stage keeps one ready, so that Apply is one exchange; other tools
// then find the miner busy, and may end the session with `kill`: the next write notices. To
// sleep or to cap the power this driver ends a stranger's session at once, because a limit does
// not wait; for everything else it refuses as long as the stranger is there, unless it is the
// same one for three minutes. Close leaves the session to lapse.
//
// Sleep is `curtail sleep`, which switches the hashboards and their supply off and outlasts a
// reboot. Power is set by profile: Levels are the watts that the firmware estimates for each
// profile up to the default, a cap is rounded down to one, and full power is the default
// profile or what a person chose last by name. Where ATM, the firmware's own thermal control,
// is on, its highest profile is lowered with the cap, or it would climb back. Profiles above
// the default are offered by name only. Newer firmwares also take a target in watts on some
// models (powertargetset): not used yet.
//
// Power is the firmware's estimate on most supplies. Temperatures are the boards' sensors; on
// most models LuxOS tells none of the chips. There is no password: whoever reaches the port may write.
//
// It never overclocks on its own account, never touches chips, fans, network or firmware,
// never retries but once over a session that was lost, and takes no acknowledgement for success.
//
// Assumed, because no times are published: 15 s from acknowledgement to standby, 6 minutes to
// full power (it ramps by small steps), 25 W asleep; that a profile is taken while asleep, and
// where it is refused, that the profile is set right after the wake-up.
//
// Concurrency: a Device has one caller at a time and keeps no connection; its calls block on
// the network until their context ends.
package luxos

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

const (
	// middleEvery and slowEvery are how many reads share one reading of what moves slowly.
	middleEvery = 4
	slowEvery   = 12
	// slowTime bounds each such reading.
	slowTime = 3 * time.Second
	// stuck is how long a miner may be awake without a hash before that is a fault, site time.
	stuck = 20 * time.Minute
	// fresh is how old a reading may be for Apply to rely on it, site time.
	fresh = time.Minute

	standby   = 25 * unit.Watt
	sleepTime = 15 * time.Second
	wakeTime  = 6 * time.Minute

	defaultProfile = "default"
)

func acts() site.ActSet {
	return site.ActsOf(site.ActReboot, site.ActPools, site.ActLED, site.ActProfile)
}

// Driver returns the driver.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "luxos",
		About: "Antminers with LuxOS: TCP 4028 with sessions; sleep, wake and profiles of known watts",
		Abilities: driver.Abilities{
			Devices: "Antminers with LuxOS 2023 and later", Sleep: true, Profiles: true, Acts: acts(), Power: "all", Auth: "none (a session locks)",
			Times: "assumed: 15 s to standby, 6 min to full power; sleep outlasts a reboot", Checked: "fixtures, emulator",
			Source: "Luxor's public API pages; pyasic and asic-rs",
		},
		Ports: map[string]int{"rpc": rpc.Port},
		Open:  open,
		Probe: probe,
	}
}

// device is one miner.
type device struct {
	t       driver.Target
	addr    string
	session session
	single  bool // the firmware joins no commands

	reads, phase int
	dirty        bool // read what moves slowly at the next Read
	conf         config
	confAt       time.Time // site time
	idleAt       time.Time // since when it is awake and does no hash; zero if it does
	last         site.Sample
	points       []point // ascending by watts
	full         string  // the profile of full power
	ceiling      string  // ATM's highest profile; empty while not known
}

func open(t driver.Target) (driver.Device, error) {
	if t.Host == "" || t.Now == nil {
		return nil, errors.New("open luxos: the target needs a host and a clock")
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Device))
	return &device{t: t, addr: t.Addr("rpc", rpc.Port), phase: int(h.Sum32() % slowEvery), dirty: true, full: defaultProfile}, nil
}

// Close has nothing to end: the session lapses by itself.
func (d *device) Close() error { return nil }

// wrap names the device in an error.
func (d *device) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("luxos %s: %w", d.t.Device, err)
}

// Info reads the identity and the profiles.
func (d *device) Info(ctx context.Context) (site.Capabilities, error) {
	d.dirty = true
	parts, err := d.ask(ctx, "config", "profiles", "atm")
	if err != nil {
		return site.Capabilities{}, d.wrap(err)
	}
	conf, ok := parseConfig(parts["config"])
	if !ok {
		return site.Capabilities{}, d.wrap(fmt.Errorf("config is empty: %w", driver.ErrUnreachable))
	}
	d.learn(conf)
	d.knowProfiles(parts)
	c := site.Capabilities{
		Identity: d.identity(), Sleep: true, Acts: acts(), Standby: standby, SleepTime: sleepTime, WakeTime: wakeTime,
	}
	for _, p := range d.points {
		c.Profiles = append(c.Profiles, site.Profile{Name: p.name, Power: p.power, Hashrate: p.rate})
		if !p.power.OK {
			continue
		}
		if n := len(c.Levels); n == 0 || p.power.V > c.Levels[n-1] {
			c.Levels = append(c.Levels, p.power.V)
		}
	}
	if def, ok := d.point(defaultProfile); ok && def.power.OK {
		c.Nameplate = def.power
		c.Levels = slices.DeleteFunc(c.Levels, func(p unit.Power) bool { return p > def.power.V })
	} else if f, ok := driver.LookupModel(c.Identity.Model); ok {
		c.Nameplate = site.Some(f.Power)
	}
	if n := len(c.Levels); n > 0 {
		c.Watts = site.Some(site.Range{Min: c.Levels[0], Max: c.Levels[n-1]})
	}
	if len(c.Profiles) == 0 {
		c.Acts &^= site.ActsOf(site.ActProfile)
	}
	return c, nil
}

// identity is what the configuration told, or the site file.
func (d *device) identity() site.Identity {
	id := d.conf.identity
	if id.Model == "" {
		id.Make, id.Model = driver.SplitBrand(d.t.Model)
	}
	if id.Make == "" {
		id.Make = "Antminer"
	}
	return id
}

// learn takes note of a configuration that was just read.
func (d *device) learn(c config) {
	id := d.conf.identity
	d.conf, d.confAt = c, d.t.Now()
	if c.identity.Model == "" { // cut off
		d.conf.identity = id
	}
}

// knowProfiles takes note of the profiles and of ATM's highest, where they were told whole.
func (d *device) knowProfiles(parts map[string]rpc.Reply) {
	if r, ok := parts["profiles"]; ok && !r.Truncated {
		if points := parseProfiles(r); len(points) > 0 {
			d.points = points
		}
	}
	if r, ok := parts["atm"]; ok {
		for _, o := range r.Objects("ATM") {
			d.ceiling = o.Text("MaxProfile")
		}
	}
}

func (d *device) point(name string) (point, bool) {
	for _, p := range d.points {
		if equal(p.name, name) {
			return p, true
		}
	}
	return point{}, false
}

// probe asks for the version, which names the program.
func probe(ctx context.Context, t driver.Target) (site.Identity, error) {
	r, err := rpc.Call(ctx, t.DialContext, t.Addr("rpc", rpc.Port), rpc.Request{Command: "version"})
	if errors.Is(err, driver.ErrUnreachable) {
		return site.Identity{}, err
	}
	if err != nil {
		return site.Identity{}, fmt.Errorf("no LuxOS: %w: %w", err, driver.ErrUnsupported)
	}
	for _, o := range r.Objects("VERSION") {
		if firmware := o.Text("LUXminer"); firmware != "" {
			id := site.Identity{Firmware: firmwareName(firmware)}
			id.Make, id.Model = driver.SplitBrand(o.Text("Type"))
			if id.Make == "" {
				id.Make = "Antminer"
			}
			return id, nil
		}
	}
	return site.Identity{}, fmt.Errorf("%s: its version names no LUXminer: %w", t.Host, driver.ErrUnsupported)
}
