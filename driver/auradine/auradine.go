// Package auradine owns the driver of Auradine's Teraflux miners (FluxOS): readings over the
// RPC port (4028), everything else over HTTPS (8443, else 8080) or, where neither answers,
// plain HTTP (8080), behind a token that a login gives.
//
// The miner's certificate is one that it signed itself. The driver takes any and pins none:
// the encryption keeps bystanders from reading along and does not prove who answers. A miner
// that speaks no HTTPS gets its password in the clear.
//
// A routine Read is one exchange, RPC summary; a firmware that tells no wattage there costs
// a second (psu). Boards, fans, temperatures and the mode are read every 4th time, identity,
// pools and the status light's message every 20th, and all of it after Apply. While no hash
// comes the mode is read each time: it alone tells rest from trouble. Without a good
// password readings go on, with what the RPC port tells.
//
// Sleep is mode "sleep": "on", waking "off". Watts are mode "custom" tuned to a power. The
// firmware tells no range, so half to all of the model's nameplate is assumed; of a model
// that is not known it takes no watts. Run without a target raises a miner that is tuned to
// a power to its nameplate and leaves the modes eco, normal, turbo and a tuned hashrate as
// they are; these modes are the profiles, without watts, because none are told.
//
// Sources: pyasic and asic-rs, and mining-guardian's client with its list of status codes
// and ports; recorded replies of asic-rs for the form. Projects disagree on the ports (some
// speak plain HTTP to 8080, some HTTPS to 8443 or 8080): all are tried, the encrypted first,
// and the one that answered is asked first from then on. Whether a sleep outlives a
// reboot is a setting of newer firmware (persistStandby). Assumed, because no times are
// published: 30 s from acknowledgement to standby, 5 minutes to full power, 60 W asleep (one
// recording shows 59 W).
//
// It never sets frequencies, voltages or fans.
//
// Concurrency: a Device has one caller at a time; its calls block on the network until
// their context ends.
package auradine

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
	middleEvery = 4
	slowEvery   = 20
	// idle is longer than a poll's period, so that an order finds its connection open.
	idle = time.Minute
	// partTime bounds a request for one of the rarer parts.
	partTime = 3 * time.Second
	// wayTime bounds the login over one of the ports.
	wayTime = 3 * time.Second
	// stuck is how long a miner may be awake without a hash before that is a fault, site time.
	stuck = 15 * time.Minute

	standby   = 60 * unit.Watt
	sleepTime = 30 * time.Second
	wakeTime  = 5 * time.Minute
	// lowest is the share of nameplate that is assumed to be the lowest target.
	lowest = 0.5

	portHTTPS, portHTTP = 8443, 8080
)

var acts = []site.Act{site.ActReboot, site.ActPools, site.ActLED, site.ActPassword, site.ActProfile}

// Driver returns the driver.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "auradine",
		About: "Auradine Teraflux (FluxOS): HTTPS or HTTP with a token, RPC port for readings; sleep, modes and a power target",
		Abilities: driver.Abilities{
			Devices: "Auradine Teraflux AT, AI and AH series", Sleep: true, Watts: true, Profiles: true, Acts: site.ActsOf(acts...),
			Power: "all", Auth: "login token", Times: "assumed: 30 s to standby, 5 min to full power",
			Checked: "recorded replies of open implementations (form), emulator", Source: "pyasic, asic-rs, mining-guardian",
		},
		Ports: map[string]int{"https": portHTTPS, "http": portHTTP, "rpc": rpc.Port},
		Open:  open,
		Probe: probe,
	}
}

// device is one miner.
type device struct {
	t       driver.Target
	rpcAddr string
	ways    []*httpx.Client // the ways that orders may go, best first
	web     *httpx.Client   // the one that does; nil until it is known
	token   *token

	reads, phase int
	dirty        bool           // read the rarer parts at the next Read
	mode         site.Opt[mode] // as last read or posted
	last         site.Sample    // what the rarer parts brought
	idleAt       time.Time      // since when it is awake and does no hash; zero if it does
}

func open(t driver.Target) (driver.Device, error) {
	if t.Host == "" || t.Now == nil {
		return nil, errors.New("open auradine: the target needs a host and a clock")
	}
	if t.User == "" {
		t.User = "admin"
	}
	if t.Password == "" {
		t.Password = "admin"
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Device))
	d := &device{t: t, rpcAddr: t.Addr("rpc", rpc.Port), phase: int(h.Sum32() % slowEvery), dirty: true}
	d.token = &token{d: d}
	d.ways = []*httpx.Client{
		httpx.NewTLS(t, t.Addr("https", portHTTPS), idle, d.token, nil),
		httpx.NewTLS(t, t.Addr("http", portHTTP), idle, d.token, nil),
		httpx.New(t, t.Addr("http", portHTTP), idle, d.token),
	}
	return d, nil
}

// Close ends the kept connections.
func (d *device) Close() error {
	for _, c := range d.ways {
		c.Close()
	}
	return nil
}

// Info reads who the miner is, with a login: a wrong password shows here.
func (d *device) Info(ctx context.Context) (site.Capabilities, error) {
	d.dirty = true
	c := site.Capabilities{Sleep: true, Standby: standby, SleepTime: sleepTime, WakeTime: wakeTime, Acts: site.ActsOf(acts...)}
	if err := d.readReport(ctx); err != nil {
		return site.Capabilities{}, fmt.Errorf("auradine %s: %w", d.t.Device, err)
	}
	c.Identity = d.last.Identity
	if p, ok := d.nameplate(); ok {
		c.Nameplate = site.Some(p)
	}
	c.Watts = d.watts()
	for _, name := range profiles() {
		c.Profiles = append(c.Profiles, site.Profile{Name: name})
	}
	return c, nil
}

func (d *device) nameplate() (unit.Power, bool) {
	f, ok := driver.LookupModel(d.last.Identity.Make + " " + d.last.Identity.Model)
	if !ok {
		f, ok = driver.LookupModel(d.t.Model)
	}
	return f.Power, ok
}

// watts is the range of targets that is assumed.
func (d *device) watts() site.Opt[site.Range] {
	p, ok := d.nameplate()
	if !ok {
		return site.Opt[site.Range]{}
	}
	return site.Some(site.Range{Min: p.Scale(lowest), Max: p})
}

// Read polls the miner once.
func (d *device) Read(ctx context.Context) (site.Sample, error) {
	s := site.Sample{Device: d.t.Device, Asked: d.t.Now()}
	n := d.reads + d.phase
	sum, err := d.ask(ctx, "summary", "SUMMARY")
	// The mining program may be stopped while the rest is there; a port that is shut and a
	// mode that says so show that. A reply that was lost shows nothing.
	away := errors.Is(err, syscall.ECONNREFUSED)
	if err != nil && (!away || ctx.Err() != nil || d.rare(ctx, d.readMode) != nil) {
		return site.Sample{}, fmt.Errorf("auradine %s: %w", d.t.Device, err)
	}
	fillSummary(&s, sum)
	hashing := s.Hashrate.OK && s.Hashrate.V > 0
	// What does not come of the rarer parts stays as it was, or unknown.
	if d.dirty || n%middleEvery == 0 {
		d.readMiddle(ctx)
	} else if !hashing && !away {
		d.mode = site.Opt[mode]{}
		_ = d.rare(ctx, d.readMode)
	}
	if d.dirty || n%slowEvery == 0 {
		d.readSlow(ctx)
	}
	if !s.Power.OK {
		_ = d.rare(ctx, func(ctx context.Context) error {
			o, err := d.get(ctx, "psu", "PSU")
			s.Power = psuPower(o)
			return err
		})
	}
	d.reads++
	d.dirty = false
	s.Identity, s.Boards, s.Fans, s.Pools, s.Faults = d.last.Identity, d.last.Boards, d.last.Fans, d.last.Pools, d.last.Faults
	s.Target, s.Profile = d.mode.V.target, d.mode.V.name
	s.At = d.t.Now()
	s.State = d.state(s, away)
	return s, nil
}

// state joins what the miner does with what its mode wants.
func (d *device) state(s site.Sample, away bool) site.State {
	if s.Hashrate.OK && s.Hashrate.V > 0 {
		d.idleAt = time.Time{}
		return site.StateHashing
	}
	if !d.mode.OK || !s.Hashrate.OK && !away && !d.mode.V.sleep {
		return site.StateUnknown
	}
	if d.mode.V.sleep {
		d.idleAt = time.Time{}
		return site.StateSleeping
	}
	if d.idleAt.IsZero() {
		d.idleAt = s.At
	}
	if s.At.Sub(d.idleAt) > stuck {
		return site.StateFault
	}
	return site.StateStarting
}

// readMiddle reads boards, fans, temperatures and the mode.
func (d *device) readMiddle(ctx context.Context) {
	d.last.Boards, d.last.Fans, d.mode = nil, nil, site.Opt[mode]{}
	_ = d.rare(ctx, d.readMode)
	_ = d.rare(ctx, func(ctx context.Context) error {
		r, err := rpc.Call(ctx, d.t.DialContext, d.rpcAddr, rpc.Request{Command: "devs"})
		if err == nil && !r.Truncated {
			d.last.Boards = boards(r.Objects("DEVS"))
		}
		return err
	})
	_ = d.rare(ctx, func(ctx context.Context) error {
		r, err := d.call(ctx, "GET", "temperature", nil)
		heat(d.last.Boards, r.Objects("Temperature"))
		return err
	})
	_ = d.rare(ctx, func(ctx context.Context) error {
		r, err := d.call(ctx, "GET", "fan", nil)
		d.last.Fans = fans(r.Objects("Fan"))
		return err
	})
}

// readSlow reads who it is, its pools and what its light complains of.
func (d *device) readSlow(ctx context.Context) {
	if d.rare(ctx, d.readReport) != nil && d.last.Identity.Model == "" {
		_ = d.rare(ctx, func(ctx context.Context) (err error) { // the RPC port knows the model, too
			d.last.Identity, err = details(ctx, d.t)
			return err
		})
	}
	_ = d.rare(ctx, func(ctx context.Context) error {
		r, err := rpc.Call(ctx, d.t.DialContext, d.rpcAddr, rpc.Request{Command: "pools"})
		if err == nil && !r.Truncated {
			d.last.Pools = pools(r.Objects("POOLS"))
		}
		return err
	})
	_ = d.rare(ctx, func(ctx context.Context) error {
		o, err := d.get(ctx, "led", "LED")
		if err == nil {
			d.last.Faults = complaint(o)
		}
		return err
	})
}

func (d *device) readMode(ctx context.Context) error {
	o, err := d.get(ctx, "mode", "Mode")
	if err != nil {
		return err
	}
	d.mode = parseMode(o)
	if !d.mode.OK {
		return fmt.Errorf("mode tells no sleep: %w", driver.ErrUnreachable)
	}
	return nil
}

func (d *device) readReport(ctx context.Context) error {
	o, err := d.get(ctx, "ipreport", "IPReport")
	if err != nil {
		return err
	}
	d.last.Identity, err = report(o)
	return err
}

// rare gives one of the rarer parts its bounded time.
func (d *device) rare(ctx context.Context, read func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	return read(ctx)
}

// ask reads the first object of a command of the RPC port.
func (d *device) ask(ctx context.Context, command, key string) (rpc.Object, error) {
	r, err := rpc.Call(ctx, d.t.DialContext, d.rpcAddr, rpc.Request{Command: command})
	if err != nil {
		return nil, err
	}
	list := r.Objects(key)
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no %s: %w", command, key, driver.ErrUnreachable)
	}
	return list[0], nil
}
