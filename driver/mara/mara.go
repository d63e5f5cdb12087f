// Package mara owns the driver of miners with MARA's firmware (MaraFW, "kaonsu"): JSON pages
// under /kaonsu/v1/ on HTTP 80 with digest authentication, factory root/root.
//
// A routine Read is one exchange, /brief. Boards and fans are read every 4th time; who the
// miner is, its pools and its configuration every 20th, and after Apply and Do.
//
// Sleep is the work mode "Sleep" of the configuration, which is posted whole. Waking returns
// to the mode that was seen before sleep, else to the one that the firmware's log of changes
// names, else to "Stock". A target in watts is the mode "Auto" with "PowerTarget". A miner that
// is as it should be is not posted to. What Apply posts is laid out beforehand (Stage),
// together with a digest nonce, so that it is one exchange; it is at most 6 minutes old,
// because a person may have changed the device meanwhile and a post would take that back.
// Full work wakes, and raises a power target that is below nameplate.
//
// A first power target makes the firmware tune its chips, which takes it a while. The range
// of targets is not told: half to all of the model's nameplate is assumed, and watts are
// offered only for models whose nameplate is known. The power is the firmware's estimate
// unless a PDU is coupled to it.
//
// Rates come with a unit in captures of release 3.14. Earlier ones told none, and public
// programs disagree whether they are TH/s or GH/s: without a unit, 5,000 and more is GH/s.
//
// Assumed, because no times are published: 30 s from acknowledgement to standby, 5 minutes
// to full power. Asleep a capture has 25 W. Sleep is part of the configuration and so
// survives a reboot.
//
// The RPC port answers with Bitmain's words and names the firmware; it is used to tell the
// firmware from the maker's own, and takes no orders.
//
// Sources: pyasic, asic-rs and a fork of it with captures of release 3.14; the maker
// publishes what the modes do (support-marafw.mara.com), not the interface. Not checked on a
// machine.
//
// It never sets frequencies or voltages, and pools only when told to.
//
// Concurrency: a Device has one caller at a time; its calls block on the network until
// their context ends.
package mara

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
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
	// idle is longer than a poll's period, so that a read finds its connection open.
	idle = time.Minute
	// partTime bounds a request for one of the rarer parts.
	partTime = 3 * time.Second

	standby   = 25 * unit.Watt
	sleepTime = 30 * time.Second
	wakeTime  = 5 * time.Minute
	// lowest is the share of nameplate that is assumed to be the lowest target.
	lowest = 0.5

	base = "/kaonsu/v1/"
)

var acts = []site.Act{site.ActReboot, site.ActPools, site.ActLED, site.ActPassword}

// Driver returns the driver.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "mara",
		About: "Antminers with MARA's firmware (MaraFW): HTTP with digest; sleep, wake and a power target",
		Abilities: driver.Abilities{
			Devices: "Antminer S19, S21 and others with MARA's firmware", Sleep: true, Watts: true, Acts: site.ActsOf(acts...),
			Power: "all", Auth: "HTTP digest", Times: "assumed: 30 s to standby, 5 min to full power",
			Checked: "recorded replies of open implementations (form), emulator", Source: "pyasic, asic-rs and a fork of it",
		},
		Ports: map[string]int{"http": 80, "rpc": rpc.Port},
		Open:  open,
		Probe: probe,
	}
}

// device is one miner.
type device struct {
	t    driver.Target
	web  *httpx.Client
	auth *httpx.Digest

	reads, phase int
	dirty        bool          // read the rarer parts at the next Read
	last         site.Sample   // what the rarer parts brought
	uptime       time.Duration // at the last reading

	conf   conf // as last read or posted; nil: not known
	confAt time.Time
	awake  string // the mode to which waking returns; empty: not known
}

func open(t driver.Target) (driver.Device, error) {
	if t.Host == "" || t.Now == nil {
		return nil, errors.New("open mara: the target needs a host and a clock")
	}
	if t.User == "" && t.Password == "" {
		t.Password = "root"
	}
	if t.User == "" {
		t.User = "root"
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Device))
	auth := &httpx.Digest{User: t.User, Password: t.Password, Now: t.Now}
	return &device{
		t: t, phase: int(h.Sum32() % slowEvery), dirty: true, auth: auth, web: httpx.New(t, t.Addr("http", 80), idle, auth),
	}, nil
}

// Close ends the kept connection.
func (d *device) Close() error {
	d.web.Close()
	return nil
}

// get asks for a page with an object or a list.
func (d *device) get(ctx context.Context, name string) (rpc.Object, error) {
	r, err := d.web.Do(ctx, http.MethodGet, base+name, nil)
	if err == nil {
		err = r.Check(http.MethodGet, base+name)
	}
	if err != nil {
		return nil, err
	}
	o, err := parse(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return o, nil
}

// Info reads who the miner is and its configuration; a wrong password shows here.
func (d *device) Info(ctx context.Context) (site.Capabilities, error) {
	d.dirty = true
	c := site.Capabilities{Standby: standby, SleepTime: sleepTime, WakeTime: wakeTime, Acts: site.ActsOf(acts...)}
	err := d.readOverview(ctx)
	if err == nil {
		err = d.readConf(ctx)
	}
	if err != nil {
		return site.Capabilities{}, fmt.Errorf("mara %s: %w", d.t.Device, err)
	}
	c.Identity = d.last.Identity
	c.Sleep = d.conf.work() != ""
	c.Watts = d.watts()
	if p, ok := d.nameplate(); ok {
		c.Nameplate = site.Some(p)
	}
	return c, nil
}

func (d *device) nameplate() (unit.Power, bool) {
	f, ok := driver.LookupModel(d.last.Identity.Model)
	if !ok {
		f, ok = driver.LookupModel(d.t.Model)
	}
	return f.Power, ok
}

// watts is the range of targets that is assumed; unknown where it takes none.
func (d *device) watts() site.Opt[site.Range] {
	p, ok := d.nameplate()
	if !ok || d.conf != nil && !d.conf.tunes() {
		return site.Opt[site.Range]{}
	}
	return site.Some(site.Range{Min: p.Scale(lowest), Max: p})
}

// Read polls the miner once.
func (d *device) Read(ctx context.Context) (site.Sample, error) {
	s := site.Sample{Device: d.t.Device, Asked: d.t.Now()}
	o, err := d.get(ctx, "brief")
	if err == nil && o.Text("status") == "" {
		err = fmt.Errorf("brief names no status: %w", driver.ErrUnreachable)
	}
	if err != nil {
		return site.Sample{}, fmt.Errorf("mara %s: %w", d.t.Device, err)
	}
	fillBrief(&s, o)
	if s.Uptime.OK {
		if s.Uptime.V < d.uptime {
			d.conf = nil // its work began anew: somebody may have posted another configuration
		}
		d.uptime = s.Uptime.V
	}
	// What does not come of the rarer parts stays as it was, or unknown.
	n := d.reads + d.phase
	if d.dirty || n%middleEvery == 0 {
		_ = d.rare(ctx, d.readBoards)
		_ = d.rare(ctx, d.readFans)
	}
	if d.dirty || n%slowEvery == 0 {
		_ = d.rare(ctx, d.readOverview)
		_ = d.rare(ctx, d.readPools)
		_ = d.rare(ctx, d.readConf)
	}
	d.reads++
	d.dirty = false
	s.Identity, s.Pools, s.Fans = d.last.Identity, d.last.Pools, d.last.Fans
	s.Boards = append([]site.Board(nil), d.last.Boards...)
	s.Faults = append(s.Faults, d.last.Faults...)
	s.Target = d.conf.target()
	s.At = d.t.Now()
	return s, nil
}

// rare gives one of the rarer parts its bounded time.
func (d *device) rare(ctx context.Context, read func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	return read(ctx)
}

func (d *device) readOverview(ctx context.Context) error {
	o, err := d.get(ctx, "overview")
	if err != nil {
		return err
	}
	id := identity(o)
	if id.Model == "" && id.MAC == "" {
		return fmt.Errorf("the overview names neither model nor address: %w", driver.ErrUnreachable)
	}
	d.last.Identity = id
	return nil
}

func (d *device) readBoards(ctx context.Context) error {
	d.last.Boards, d.last.Faults = nil, nil
	o, err := d.get(ctx, "hashboards")
	if err != nil {
		return err
	}
	d.last.Boards, d.last.Faults = boards(o)
	return nil
}

func (d *device) readFans(ctx context.Context) error {
	d.last.Fans = nil
	o, err := d.get(ctx, "fans")
	if err != nil {
		return err
	}
	d.last.Fans = fans(o)
	return nil
}

func (d *device) readPools(ctx context.Context) error {
	o, err := d.get(ctx, "pools")
	if err != nil {
		return err
	}
	d.last.Pools = pools(o)
	return nil
}

// probe asks the RPC port for its version, which names the firmware; where that port is
// shut, the web server names it as the realm of its challenge.
func probe(ctx context.Context, t driver.Target) (site.Identity, error) {
	r, err := rpc.Call(ctx, t.DialContext, t.Addr("rpc", rpc.Port), rpc.Request{Command: "version"})
	if err == nil {
		return version(r, t.Host)
	}
	if ctx.Err() != nil {
		return site.Identity{}, fmt.Errorf("probe %s: %w", t.Host, err)
	}
	web := httpx.New(t, t.Addr("http", 80), 0, nil)
	defer web.Close()
	reply, err := web.Do(ctx, http.MethodGet, base+"brief", nil)
	if err != nil && reply.Status != http.StatusUnauthorized {
		return site.Identity{}, fmt.Errorf("probe %s: %w", t.Host, err)
	}
	if reply.Status != http.StatusUnauthorized || !named(reply.Header.Get("WWW-Authenticate")) {
		return site.Identity{}, fmt.Errorf("probe %s: not MARA's firmware: %w", t.Host, driver.ErrUnsupported)
	}
	return site.Identity{Firmware: "MaraFW"}, nil
}
