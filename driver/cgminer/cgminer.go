// Package cgminer owns the driver of last resort: whatever answers on TCP 4028 as cgminer does
// and is of no make that a driver of its own knows, RPC-only old Antminers (S7, S9, T9, L3) among
// them. The protocol is cgminer's own API document; the layouts of the boards are those that
// public projects (pyasic, asic-rs) read, and of captured replies.
//
// It never controls: there is no sleep that these firmwares have in common, and `quit` or
// `restart` are none. Where the device's `privileged` command grants access, pools
// can be set, and are saved if the firmware saves; rebooting is in no common command either.
//
// A hashrate has the unit that its key names ("GHS 5s", "MHS av"); where the firmware also
// names one for the same figures (rate_unit), that one counts, and a unit that is no hashes
// (KSol) leaves the rate unknown. Power is told by few. The driver must be the last in the
// list: its Probe takes anything.
//
// Concurrency: a Device has one caller at a time and keeps no connection; its calls block on
// the network until their context ends.
package cgminer

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
)

const (
	// slowEvery is how many reads share one reading of what moves slowly.
	slowEvery = 12
	// slowTime bounds that reading.
	slowTime = 3 * time.Second
	// stuck is how long the mining process may run without a hash before that is a fault.
	stuck = 15 * time.Minute
)

func acts() site.ActSet { return site.ActsOf(site.ActPools) }

// Driver returns the driver.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "cgminer",
		About: "anything that answers as cgminer on TCP 4028: readings only, and pools where it grants them",
		Abilities: driver.Abilities{
			Devices: "old Antminers (S7, S9, T9) and other firmwares of the cgminer family", Acts: acts(), Power: "some",
			Auth: "none (an access list on the device)", Checked: "fixtures, emulator", Source: "cgminer's API document; pyasic and asic-rs",
		},
		Ports: map[string]int{"rpc": rpc.Port},
		Open:  open,
		Probe: probe,
	}
}

// device is one miner.
type device struct {
	t    driver.Target
	addr string

	single       bool // the firmware joins no commands
	reads, phase int
	dirty        bool
	identity     site.Identity
	devs         bool // stats tells no boards: ask devs
	pools        []site.Pool
}

func open(t driver.Target) (driver.Device, error) {
	if t.Host == "" || t.Now == nil {
		return nil, errors.New("open cgminer: the target needs a host and a clock")
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Device))
	return &device{t: t, addr: t.Addr("rpc", rpc.Port), phase: int(h.Sum32() % slowEvery), dirty: true}, nil
}

// Close has nothing to end.
func (d *device) Close() error { return nil }

// wrap names the device in an error.
func (d *device) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cgminer %s: %w", d.t.Device, err)
}

func (d *device) call(ctx context.Context, command, parameter string) (rpc.Reply, error) {
	r, err := rpc.Call(ctx, d.t.DialContext, d.addr, rpc.Request{Command: command, Parameter: parameter})
	if err == nil && r.Status().Letter == "" {
		err = fmt.Errorf("command %s: a reply without a status: %w", command, driver.ErrUnreachable)
	}
	return r, err
}

// ask sends commands without parameters and returns their replies by name. What the firmware
// does not know, or what was cut off, is left out; with none of them it is an error.
func (d *device) ask(ctx context.Context, names ...string) (map[string]rpc.Reply, error) {
	if !d.single && len(names) > 1 {
		parts, err := d.joined(ctx, names)
		if err == nil || errors.Is(err, driver.ErrUnreachable) {
			return parts, err
		}
		d.single = true // it took "a+b" for one command
	}
	parts := map[string]rpc.Reply{}
	var first error
	for _, name := range names {
		r, err := rpc.Call(ctx, d.t.DialContext, d.addr, rpc.Request{Command: name})
		if errors.Is(err, driver.ErrUnreachable) {
			return nil, err
		}
		if err == nil {
			parts[name] = r
		} else if first == nil {
			first = err
		}
	}
	if len(parts) == 0 {
		return nil, first
	}
	return parts, nil
}

func (d *device) joined(ctx context.Context, names []string) (map[string]rpc.Reply, error) {
	command := ""
	for _, name := range names {
		command += "+" + name
	}
	r, err := rpc.Call(ctx, d.t.DialContext, d.addr, rpc.Request{Command: command[1:]})
	if err != nil {
		return nil, err
	}
	parts := map[string]rpc.Reply{}
	for _, name := range names {
		if list := r.Objects(name); len(list) > 0 {
			part := rpc.Reply{Object: list[0], Truncated: r.Truncated}
			if part.Status().Err() == nil {
				parts[name] = part
			}
		}
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("%s: no part of %s was answered: %w", d.addr, command[1:], driver.ErrUnreachable)
	}
	return parts, nil
}

// Info asks who the miner is and whether it grants writes.
func (d *device) Info(ctx context.Context) (site.Capabilities, error) {
	d.dirty = true
	if err := d.who(ctx); err != nil {
		return site.Capabilities{}, d.wrap(err)
	}
	c := site.Capabilities{Identity: d.identity}
	_, err := d.call(ctx, "privileged", "")
	switch {
	case err == nil:
		c.Acts = acts()
	case errors.Is(err, driver.ErrUnreachable):
		return site.Capabilities{}, d.wrap(err)
	}
	if f, ok := driver.LookupModel(c.Identity.Model); ok {
		c.Nameplate = site.Some(f.Power)
	}
	return c, nil
}

// who fills the identity; the site file's model counts where the device names none.
func (d *device) who(ctx context.Context) error {
	parts, err := d.ask(ctx, "version", "stats")
	if err != nil {
		return err
	}
	id, ok := parseIdentity(parts)
	if !ok && len(parts["stats"].Objects("STATS")) == 0 {
		return fmt.Errorf("neither version nor stats: %w", driver.ErrUnreachable)
	}
	d.identity = d.named(id)
	return nil
}

func (d *device) named(id site.Identity) site.Identity {
	if brand, model := driver.SplitBrand(d.t.Model); id.Model == "" && model != "" {
		id.Model = model
		if brand != "" {
			id.Make = brand
		}
	}
	if id.Model == "" {
		id.Model = "unknown"
	}
	return id
}

// Read polls the miner once.
func (d *device) Read(ctx context.Context) (site.Sample, error) {
	asked := d.t.Now()
	parts, err := d.ask(ctx, "summary", "stats")
	if err != nil {
		return site.Sample{}, d.wrap(err)
	}
	h, ok := parseReading(parts)
	if !ok {
		return site.Sample{}, d.wrap(fmt.Errorf("neither summary nor stats: %w", driver.ErrUnreachable))
	}
	if d.reads == 0 {
		d.devs = len(h.boards) == 0 && !h.cut
		short, cancel := context.WithTimeout(ctx, slowTime)
		_ = d.who(short) // the reading is whole without it
		cancel()
	}
	if d.dirty || (d.reads+d.phase)%slowEvery == 0 {
		d.slow(ctx)
	}
	if d.devs {
		short, cancel := context.WithTimeout(ctx, slowTime)
		if r, err := d.call(short, "devs", ""); err == nil && !r.Truncated {
			h.boards = parseDevs(r, h.rate)
		}
		cancel()
	}
	d.reads++
	d.dirty = false
	s := site.Sample{
		Device: d.t.Device, Asked: asked, At: d.t.Now(), Identity: d.identity, Hashrate: h.rate, Power: h.power,
		Uptime: h.uptime, Boards: h.boards, Fans: h.fans, Pools: d.pools,
	}
	s.State = state(h)
	return s, nil
}

func (d *device) slow(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, slowTime)
	defer cancel()
	if r, err := d.call(ctx, "pools", ""); err == nil && !r.Truncated {
		d.pools = nil
		for _, p := range parsePools(r) {
			d.pools = append(d.pools, p.Pool)
		}
	}
}

// state follows from the hashrate alone: nothing else is common to these firmwares.
func state(h reading) site.State {
	switch {
	case !h.rate.OK:
		return site.StateUnknown
	case h.rate.V > 0:
		return site.StateHashing
	case h.uptime.OK && h.uptime.V > stuck:
		return site.StateFault
	}
	return site.StateStarting
}

// probe takes whatever answers `version`, or at least `summary`, as cgminer does.
func probe(ctx context.Context, t driver.Target) (site.Identity, error) {
	dev, err := open(t)
	if err != nil {
		return site.Identity{}, err
	}
	d := dev.(*device)
	r, err := d.call(ctx, "version", "")
	if errors.Is(err, driver.ErrUnreachable) {
		return site.Identity{}, err
	}
	if err == nil && len(r.Objects("VERSION")) > 0 {
		id, _ := parseIdentity(map[string]rpc.Reply{"version": r})
		return id, nil
	}
	r, err = d.call(ctx, "summary", "")
	if errors.Is(err, driver.ErrUnreachable) {
		return site.Identity{}, err
	}
	if err == nil && len(r.Objects("SUMMARY")) > 0 {
		id, _ := parseIdentity(nil)
		return id, nil
	}
	return site.Identity{}, fmt.Errorf("%s: it has neither a version nor a summary as cgminer's: %w", t.Host, driver.ErrUnsupported)
}
