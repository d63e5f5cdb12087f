// Package epic owns the driver of miners with ePIC's UMC control board or PowerPlay
// firmware: HTTP on port 4028, readings without a login, the password in the body of each
// order.
//
// A routine Read is one exchange: summary. The hottest chips are read every 4th time,
// capabilities and the network's address every 20th, and all of it after Apply.
//
// Sleep is /miner "Stop", waking is "Autostart". Watts are the target of the tuning
// algorithm for power, within the range that the capabilities name for it; a firmware
// without one takes no watts. Run without a target raises such a miner to its nameplate and
// never lowers it; one that tunes to a hashrate is left to it. A target that is in force is
// not posted again: each post restarts the tuning. An order that fails is followed by
// /authenticate, because the answer's words do not tell a wrong password from a refusal.
//
// The hashrate is the sum of the boards', which the interface gives in MH/s. Power is the
// power supply's input ("True Power" says whether it is measured or estimated). A miner
// that idles without having been told to stop, and names an error, is at fault.
//
// Sources: the maker's interface descriptions (ePIC UMC API 1.30.0; API v3 of its
// dashboard), pyasic and asic-rs. Whether a stop outlives a reboot is not told. Assumed,
// because no times are published: 20 s from acknowledgement to standby, 5 minutes to full
// power, 30 W asleep.
//
// It never sets clocks, voltages, fans or temperatures, and splits no hashrate.
//
// Concurrency: a Device has one caller at a time; its calls block on the network until
// their context ends.
package epic

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

	standby   = 30 * unit.Watt
	sleepTime = 20 * time.Second
	wakeTime  = 5 * time.Minute

	port = 4028
)

var acts = []site.Act{site.ActReboot, site.ActPools, site.ActLED, site.ActPassword}

// Driver returns the driver.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "epic",
		About: "Miners with ePIC's UMC board or PowerPlay firmware: HTTP 4028; stop, autostart and a power target",
		Abilities: driver.Abilities{
			Devices: "Antminers and WhatsMiners with ePIC's UMC board or PowerPlay firmware", Sleep: true, Watts: true, Acts: site.ActsOf(acts...),
			Power: "all", Auth: "password in each order", Times: "assumed: 20 s to standby, 5 min to full power",
			Checked: "specification, emulator", Source: "the maker's ePIC UMC API 1.30.0 and dashboard API v3, pyasic, asic-rs",
		},
		Ports: map[string]int{"http": port},
		Open:  open,
		Probe: probe,
	}
}

// device is one miner.
type device struct {
	t   driver.Target
	web *httpx.Client

	reads, phase int
	dirty        bool   // read the rarer parts at the next Read
	able         *able  // nil until it was read
	mac          string // empty until it was read
	chips        map[int]float64
	target       site.Opt[unit.Power] // in force, as last read or posted
	tunesPower   site.Opt[bool]       // the algorithm in force is the one for power
}

func open(t driver.Target) (driver.Device, error) {
	if t.Host == "" || t.Now == nil {
		return nil, errors.New("open epic: the target needs a host and a clock")
	}
	if t.Password == "" {
		t.Password = "letmein"
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Device))
	return &device{t: t, phase: int(h.Sum32() % slowEvery), dirty: true, web: httpx.New(t, t.Addr("http", port), idle, nil)}, nil
}

// Close ends the kept connection.
func (d *device) Close() error {
	d.web.Close()
	return nil
}

// get asks for a page with an object; a page that is a list comes as "list".
func (d *device) get(ctx context.Context, path string) (rpc.Object, error) {
	r, err := d.web.Do(ctx, http.MethodGet, path, nil)
	if err == nil {
		err = r.Check(http.MethodGet, path)
	}
	if err != nil {
		return nil, err
	}
	o, err := parse(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return o, nil
}

// Info reads what the miner is and can do, and tries the password.
func (d *device) Info(ctx context.Context) (site.Capabilities, error) {
	d.dirty = true
	c, err := d.info(ctx)
	if err != nil {
		return site.Capabilities{}, fmt.Errorf("epic %s: %w", d.t.Device, err)
	}
	return c, nil
}

func (d *device) info(ctx context.Context) (site.Capabilities, error) {
	c := site.Capabilities{Sleep: true, Standby: standby, SleepTime: sleepTime, WakeTime: wakeTime, Acts: site.ActsOf(acts...)}
	if err := d.readAble(ctx); err != nil {
		return c, err
	}
	if err := d.authenticate(ctx); err != nil && !errors.Is(err, driver.ErrUnsupported) {
		return c, err
	}
	_ = d.rare(ctx, d.readMAC)
	c.Identity = d.identity("")
	c.Watts = d.able.watts
	if p, ok := d.nameplate(); ok {
		c.Nameplate = site.Some(p)
	}
	return c, nil
}

func (d *device) nameplate() (unit.Power, bool) {
	f, ok := driver.LookupModel(d.able.identity.Model)
	if !ok {
		f, ok = driver.LookupModel(d.t.Model)
	}
	return f.Power, ok
}

func (d *device) identity(software string) site.Identity {
	id := d.able.identity
	id.MAC, id.Firmware = d.mac, software
	return id
}

func (d *device) readAble(ctx context.Context) error {
	o, err := d.get(ctx, "/capabilities")
	if err != nil {
		return err
	}
	a, err := parseAble(o)
	if err != nil {
		return err
	}
	d.able = &a
	return nil
}

func (d *device) readMAC(ctx context.Context) error {
	o, err := d.get(ctx, "/network")
	if err != nil {
		return err
	}
	for _, kind := range []string{"dhcp", "static"} {
		if mac := o.Object(kind).Text("mac_address"); mac != "" {
			d.mac = mac
		}
	}
	return nil
}

func (d *device) readChips(ctx context.Context) error {
	d.chips = nil
	o, err := d.get(ctx, "/temps/chip")
	if err != nil {
		return err
	}
	d.chips = parseChips(o)
	return nil
}

// rare gives one of the rarer parts its bounded time.
func (d *device) rare(ctx context.Context, read func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	return read(ctx)
}

// Read polls the miner once.
func (d *device) Read(ctx context.Context) (site.Sample, error) {
	s := site.Sample{Device: d.t.Device, Asked: d.t.Now()}
	n := d.reads + d.phase
	if d.able == nil {
		if err := d.readAble(ctx); err != nil {
			return site.Sample{}, fmt.Errorf("epic %s: %w", d.t.Device, err)
		}
	}
	sum, err := d.summary(ctx)
	if err != nil {
		return site.Sample{}, fmt.Errorf("epic %s: %w", d.t.Device, err)
	}
	// What does not come of the rarer parts stays as it was, or unknown.
	if d.dirty || n%middleEvery == 0 {
		_ = d.rare(ctx, d.readChips)
	}
	if d.dirty || n%slowEvery == 0 {
		_ = d.rare(ctx, d.readAble)
		_ = d.rare(ctx, d.readMAC)
	}
	d.reads++
	d.dirty = false
	fill(&s, sum, d.chips)
	s.Identity = d.identity(sum.Text("Software"))
	s.At = d.t.Now()
	return s, nil
}

// summary reads the page of that name and takes note of the target in force.
func (d *device) summary(ctx context.Context) (rpc.Object, error) {
	o, err := d.get(ctx, "/summary")
	if err != nil {
		return nil, err
	}
	if o.Object("Status").Text("Operating State") == "" {
		return nil, fmt.Errorf("summary names no state: %w", driver.ErrUnreachable)
	}
	d.target, d.tunesPower = tuning(o)
	return o, nil
}
