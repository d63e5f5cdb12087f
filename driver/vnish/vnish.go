// Package vnish owns the driver of Antminers with VNish firmware (and firmwares that share
// its interface): HTTP 80, everything below /api/v1, a password exchanged for a bearer token.
//
// A routine Read is one exchange: summary, which needs no login. The preset in force is
// read every 4th time, the identity with the unit of the hashrates every 20th, and both
// after Apply. The unit is what the firmware names (hr_measure); where it names none the
// hashrate is known only of a SHA-256 miner, whose unit the interface fixes at GH/s.
//
// Sleep is mining/stop and waking mining/start; pause and resume are tried where those are
// refused. A miner that refuses because it already is as wanted has done what it was told.
//
// Power is set by choosing a preset, which is named by its watts. Only presets that are
// tuned count as levels: an untuned one starts a tuning cycle of hours. Untuned ones are
// listed as profiles for people. Run without a target raises the miner to the largest tuned
// preset within its nameplate and never lowers it; a miner whose preset is not named by
// watts (a fixed clock) is left as it is. The answer to a chosen preset is the same whether
// it was taken or not: only the next reading tells.
//
// Power is the firmware's estimate, a measurement only where the power supply has a meter;
// 0 W means that it does not know.
//
// Sources: the firmware's own interface description (xminer-api, 1.3.4); pyasic and asic-rs
// for the order of calls, the form of uptime and 1.2's habits. Its throttle (20 to 100 % of
// a preset, 1.3 and later) is not used. Whether a stop outlives a reboot is a setting of the
// firmware (restore_miner_state_on_reboot); not checked on a device. Assumed, because no
// times are published: 20 s from acknowledgement to standby, 4 minutes to full power, 30 W
// asleep, and that a token is good until the device refuses it.
//
// It never sets frequencies, voltages, fans or the firmware's own switching of presets.
//
// Concurrency: a Device has one caller at a time; its calls block on the network until
// their context ends.
package vnish

import (
	"context"
	"encoding/json"
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
	// idle is about as long as the device's server keeps a silent connection.
	idle = 5 * time.Second
	// partTime bounds a request for one of the rarer parts.
	partTime = 3 * time.Second
	// presetsFor is how long the list of presets counts as fresh, site time.
	presetsFor = 30 * time.Minute

	standby   = 30 * unit.Watt
	sleepTime = 20 * time.Second
	wakeTime  = 4 * time.Minute

	prefix = "/api/v1/"
)

var acts = []site.Act{site.ActReboot, site.ActPools, site.ActLED, site.ActPassword, site.ActProfile}

// Driver returns the driver.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "vnish",
		About: "Antminers with VNish 1.2 and later: HTTP with a token; stop, start and tuned presets by watts",
		Abilities: driver.Abilities{
			Devices: "Antminer S17 to S21 with VNish 1.2 and later", Sleep: true, Profiles: true, Acts: site.ActsOf(acts...),
			Power: "all", Auth: "password for a bearer token", Times: "assumed: 20 s to standby, 4 min to full power",
			Checked: "specification, emulator", Source: "the firmware's interface description (xminer-api 1.3.4), pyasic, asic-rs",
		},
		Ports: map[string]int{"http": 80},
		Open:  open,
		Probe: probe,
	}
}

// device is one miner.
type device struct {
	t     driver.Target
	web   *httpx.Client
	token *httpx.Token

	reads, phase int
	dirty        bool // read the rarer parts at the next Read
	who          info // zero until it was read
	preset       site.Opt[string]

	presets   []preset // nil until they were read
	presetsAt time.Time
	overclock map[string]json.RawMessage // of the settings, to be posted back; nil until read
}

func open(t driver.Target) (driver.Device, error) {
	if t.Host == "" || t.Now == nil {
		return nil, errors.New("open vnish: the target needs a host and a clock")
	}
	if t.Password == "" {
		t.Password = "admin"
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Device))
	d := &device{t: t, phase: int(h.Sum32() % slowEvery), dirty: true}
	d.token = &httpx.Token{Scheme: "Bearer ", Login: d.login}
	d.web = httpx.New(t, t.Addr("http", 80), idle, d.token)
	return d, nil
}

// Close ends the kept connection.
func (d *device) Close() error {
	d.web.Close()
	return nil
}

// login exchanges the password for a token.
func (d *device) login(ctx context.Context, c *httpx.Client) (string, error) {
	const path = prefix + "unlock"
	r, err := c.Plain(ctx, http.MethodPost, path, map[string]string{"pw": string(d.t.Password)})
	if err != nil {
		return "", err
	}
	if r.Status == http.StatusTooManyRequests { // locked after wrong passwords
		return "", fmt.Errorf("%s: too many wrong passwords: %w", path, driver.ErrUnauthorized)
	}
	if err := r.Check(http.MethodPost, path); err != nil {
		return "", err
	}
	o, err := object(r, path)
	if err != nil {
		return "", err
	}
	token := o.Text("token")
	if token == "" {
		return "", fmt.Errorf("%s gave no token: %w", path, driver.ErrUnreachable)
	}
	return token, nil
}

// object reads the object of a reply.
func object(r httpx.Reply, path string) (rpc.Object, error) {
	o, err := rpc.Parse(r.Body)
	if err == nil && o.Truncated {
		err = fmt.Errorf("cut short: %w", driver.ErrUnreachable)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return o.Object, nil
}

// get asks for an object below the prefix.
func (d *device) get(ctx context.Context, name string) (rpc.Object, error) {
	r, err := d.web.Do(ctx, http.MethodGet, prefix+name, nil)
	if err == nil {
		err = r.Check(http.MethodGet, prefix+name)
	}
	if err != nil {
		return nil, err
	}
	return object(r, prefix+name)
}

// Info reads the identity and the presets; a wrong password shows here.
func (d *device) Info(ctx context.Context) (site.Capabilities, error) {
	d.dirty = true
	c := site.Capabilities{Sleep: true, Standby: standby, SleepTime: sleepTime, WakeTime: wakeTime, Acts: site.ActsOf(acts...)}
	if err := d.readInfo(ctx); err != nil {
		return site.Capabilities{}, fmt.Errorf("vnish %s: %w", d.t.Device, err)
	}
	if err := d.readPresets(ctx); err != nil {
		return site.Capabilities{}, fmt.Errorf("vnish %s: %w", d.t.Device, err)
	}
	c.Identity = d.who.identity
	if p, ok := d.nameplate(); ok {
		c.Nameplate = site.Some(p)
	}
	for _, p := range d.presets {
		c.Profiles = append(c.Profiles, p.profile())
	}
	c.Levels = d.levels()
	if n := len(c.Levels); n > 0 {
		c.Watts = site.Some(site.Range{Min: c.Levels[0], Max: c.Levels[n-1]})
	}
	return c, nil
}

func (d *device) nameplate() (unit.Power, bool) {
	f, ok := driver.LookupModel(d.who.identity.Model)
	if !ok {
		f, ok = driver.LookupModel(d.t.Model)
	}
	return f.Power, ok
}

func (d *device) readInfo(ctx context.Context) error {
	o, err := d.get(ctx, "info")
	if err != nil {
		return err
	}
	d.who, err = parseInfo(o)
	return err
}

// Read polls the miner once.
func (d *device) Read(ctx context.Context) (site.Sample, error) {
	s := site.Sample{Device: d.t.Device, Asked: d.t.Now()}
	n := d.reads + d.phase
	if d.who.identity.Model == "" {
		if err := d.readInfo(ctx); err != nil {
			return site.Sample{}, fmt.Errorf("vnish %s: %w", d.t.Device, err)
		}
	} else if d.dirty || n%slowEvery == 0 {
		_ = d.rare(ctx, d.readInfo) // what was read before still holds
	}
	o, err := d.get(ctx, "summary")
	if err == nil && len(o) == 0 {
		err = fmt.Errorf("summary is empty: %w", driver.ErrUnreachable)
	}
	if err != nil {
		return site.Sample{}, fmt.Errorf("vnish %s: %w", d.t.Device, err)
	}
	miner := o.Object("miner")
	status := miner.Object("miner_status")
	if status == nil { // the mining program is not there: only the status page says why
		if status, err = d.get(ctx, "status"); err != nil {
			return site.Sample{}, fmt.Errorf("vnish %s: %w", d.t.Device, err)
		}
	}
	if d.dirty || n%middleEvery == 0 || !d.preset.OK {
		d.readPreset(ctx)
	}
	d.reads++
	d.dirty = false
	fill(&s, miner, status, d.who.scale)
	s.Identity = d.who.identity
	s.Profile = d.preset.V
	if w := watts(d.preset.V, ""); d.preset.OK && w > 0 {
		s.Target = site.Some(w)
	}
	s.At = d.t.Now()
	return s, nil
}

// rare gives one of the rarer parts its bounded time.
func (d *device) rare(ctx context.Context, read func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	return read(ctx)
}

// readPreset reads which preset is in force; what does not come is unknown.
func (d *device) readPreset(ctx context.Context) {
	d.preset = site.Opt[string]{}
	_ = d.rare(ctx, func(ctx context.Context) error {
		o, err := d.get(ctx, "perf-summary")
		if err != nil {
			return err
		}
		if name := o.Object("current_preset").Text("name"); name != "" {
			d.preset = site.Some(name)
		}
		return nil
	})
}
