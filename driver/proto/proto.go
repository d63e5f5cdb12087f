// Package proto owns the driver of Proto rigs: their HTTP interface (Mining Development Kit
// API 1.8), port 80, or HTTPS where the target names a port "https".
//
// A login with the password alone gives an access token, sent as Bearer, and a refresh
// token; Stage fetches the next access token before the old one ends, so that Apply to sleep
// is one exchange. A routine Read is two requests on one kept connection (mining and
// telemetry); boards, chips and fans are read every 4th time, pools, errors and the identity
// every 20th, and all of it after Apply: they may be that many polls old.
//
// The units stand beside the telemetry's figures and are read; mining's are named by their
// keys. Power is the rig's own figure of what it draws, else the sum of its power supplies'
// inputs. Hashrate is the telemetry's; the mean since the start never stands in for it.
//
// Sleep stops mining, with only the control board left running. Power is a target in whole
// watts, rounded down, within the bounds that the rig tells; full power is its default
// target. A rig that its own curtailment service stopped is asleep, and starting it may be
// undone by that service.
//
// Assumed, because nothing is published: 20 s to standby, 4 minutes to full power, 60 W
// asleep; that a stop outlives a restart; that the target is of the power at the wall.
//
// It never sets cooling, networks, tuning modes or firmware, and never sets a first password.
//
// Source: the public OpenAPI description of the Mining Development Kit API.
//
// Concurrency: a Device has one caller at a time; its calls block on the network until
// their context ends.
package proto

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
	idle        = time.Minute
	// partTime bounds a request for one of the rarer parts.
	partTime = 2 * time.Second

	standby   = 60 * unit.Watt
	sleepTime = 20 * time.Second
	wakeTime  = 4 * time.Minute

	prefix = "/api/v1/"
)

// Driver returns the driver.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "proto",
		About: "Proto rig: HTTP; start, stop and a target in watts",
		Abilities: driver.Abilities{
			Devices: "Proto Rig, ProtoOS 1.8", Sleep: true, Watts: true, Power: "all",
			Acts: site.ActsOf(site.ActReboot, site.ActPools, site.ActLED, site.ActPassword),
			Auth: "token by password", Times: "assumed: see the driver", Checked: "fixtures, specification, emulator",
			Source: "the maker's OpenAPI description",
		},
		Ports: map[string]int{"http": 80}, Others: []string{"https"},
		Open:  open,
		Probe: probe,
	}
}

// device is one rig.
type device struct {
	t      driver.Target
	web    *httpx.Client
	access access

	reads, phase int
	dirty        bool
	identity     site.Identity
	full         site.Opt[unit.Power]
	chips        map[string]int // by a board's serial number
	last         site.Sample    // what middle and slow reads brought
}

func open(t driver.Target) (driver.Device, error) {
	if t.Host == "" || t.Now == nil {
		return nil, errors.New("open proto: the target needs a host and a clock")
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Device))
	d := &device{t: t, phase: int(h.Sum32() % slowEvery), dirty: true, access: access{password: t.Password, now: t.Now}}
	d.web = client(t, d.access.start())
	return d, nil
}

// client reaches the target the way its ports say.
func client(t driver.Target, auth httpx.Auth) *httpx.Client {
	if _, ok := t.Ports["https"]; ok {
		return httpx.NewTLS(t, t.Addr("https", 443), idle, auth, nil)
	}
	return httpx.New(t, t.Addr("http", 80), idle, auth)
}

// Close ends the kept connection.
func (d *device) Close() error {
	d.web.Close()
	return nil
}

// get asks for a page; a cut one is an error. No content is nil.
func (d *device) get(ctx context.Context, page string) (rpc.Object, error) {
	r, err := d.web.Do(ctx, http.MethodGet, prefix+page, nil)
	if err == nil {
		err = r.Check(http.MethodGet, prefix+page)
	}
	if err != nil {
		return nil, err
	}
	if r.Status == http.StatusNoContent {
		return nil, nil
	}
	return parse(page, r.Body)
}

// part is get for one of the rarer parts, with a bound of its own.
func (d *device) part(ctx context.Context, page string) (rpc.Object, bool) {
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	o, err := d.get(ctx, page)
	return o, err == nil
}

// Info reads the identity and the bounds of targets.
func (d *device) Info(ctx context.Context) (site.Capabilities, error) {
	d.dirty = true
	c, err := d.info(ctx)
	if err != nil {
		return site.Capabilities{}, fmt.Errorf("proto %s: %w", d.t.Device, err)
	}
	return c, nil
}

func (d *device) info(ctx context.Context) (site.Capabilities, error) {
	c := site.Capabilities{
		Sleep: true, Standby: standby, SleepTime: sleepTime, WakeTime: wakeTime,
		Acts: site.ActsOf(site.ActReboot, site.ActPools, site.ActLED, site.ActPassword),
	}
	if err := d.who(ctx); err != nil {
		return c, err
	}
	c.Identity = d.identity
	o, err := d.get(ctx, "mining/target")
	if err != nil && !errors.Is(err, driver.ErrUnsupported) {
		return c, err
	}
	c.Watts, c.Nameplate = targets(o)
	if plate, ok := driver.LookupModel(c.Identity.Make + " " + c.Identity.Model); ok && !c.Nameplate.OK {
		c.Nameplate = site.Some(plate.Power)
	}
	d.full = c.Nameplate
	return c, nil
}

// who reads the identity, which needs no login.
func (d *device) who(ctx context.Context) error {
	o, err := d.get(ctx, "system")
	if err != nil {
		return err
	}
	id, err := identity(o)
	if err != nil {
		return err
	}
	id.MAC = d.identity.MAC
	if o, ok := d.part(ctx, "network"); ok {
		id.MAC = o.Object("network-info").Text("mac")
	}
	d.identity = id
	if o, ok := d.part(ctx, "hardware"); ok {
		d.chips = chips(o)
	}
	return nil
}

// Read polls the rig once.
func (d *device) Read(ctx context.Context) (site.Sample, error) {
	asked := d.t.Now()
	n := d.reads + d.phase
	s, err := d.read(ctx, d.dirty || n%middleEvery == 0, d.dirty || n%slowEvery == 0)
	if err != nil {
		return site.Sample{}, fmt.Errorf("proto %s: %w", d.t.Device, err)
	}
	d.reads++
	d.dirty = false
	s.Device, s.Asked, s.At = d.t.Device, asked, d.t.Now()
	d.last = s
	return s, nil
}

func (d *device) read(ctx context.Context, middle, slow bool) (site.Sample, error) {
	m, err := d.get(ctx, "mining")
	if err != nil {
		return site.Sample{}, err
	}
	status := m.Object("mining-status")
	if m != nil && status.Text("status") == "" {
		return site.Sample{}, fmt.Errorf("mining tells no status: %w", driver.ErrUnreachable)
	}
	level := "telemetry?level=miner,psu"
	if middle {
		level += ",hashboard,asic"
	}
	tel, err := d.get(ctx, level)
	if err != nil && !errors.Is(err, driver.ErrUnsupported) { // older firmwares have only mining
		return site.Sample{}, err
	}
	if slow && d.who(ctx) != nil && d.identity.Model == "" {
		return site.Sample{}, fmt.Errorf("system does not say who it is: %w", driver.ErrUnreachable)
	}
	s := sample(status, tel)
	s.Identity = d.identity
	s.Boards, s.Intake, s.Fans, s.Pools = d.last.Boards, d.last.Intake, d.last.Fans, d.last.Pools
	if middle {
		s.Boards, s.Intake = boards(tel, d.chips)
		cool, _ := d.part(ctx, "cooling")
		s.Fans = fans(cool)
	}
	told := d.last.Faults
	if slow {
		if o, ok := d.part(ctx, "pools"); ok {
			s.Pools = pools(o)
		}
		told = d.errors(ctx)
	}
	s.Faults = told
	return s, nil
}

// errors reads what the rig complains of; the last ones stay where they do not come.
func (d *device) errors(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	r, err := d.web.Do(ctx, http.MethodGet, prefix+"errors", nil)
	if err != nil || r.Check(http.MethodGet, "errors") != nil {
		return d.last.Faults
	}
	all, ok := faults(r.Body)
	if !ok {
		return d.last.Faults
	}
	return all
}

// Apply stops mining, or sets the target and starts it.
func (d *device) Apply(ctx context.Context, want site.Setpoint) error {
	if err := d.apply(ctx, want); err != nil {
		return fmt.Errorf("proto %s: %w", d.t.Device, err)
	}
	return nil
}

func (d *device) apply(ctx context.Context, want site.Setpoint) error {
	d.dirty = true
	if want.Mode == site.ModeSleep {
		return d.tell(ctx, http.MethodPost, "mining/stop", nil)
	}
	watt := int64(want.Power.V / unit.Watt)
	if want.Power.OK && watt <= 0 {
		return fmt.Errorf("a target of %v: %w", want.Power.V, driver.ErrUnsupported)
	}
	if !want.Power.OK {
		if !d.full.OK {
			if _, err := d.info(ctx); err != nil {
				return err
			}
		}
		watt = int64(d.full.V / unit.Watt) // 0 where nothing tells it: the target stays
	}
	if watt > 0 {
		if err := d.tell(ctx, http.MethodPut, "mining/target", map[string]int64{"power_target_watts": watt}); err != nil {
			return err
		}
	}
	return d.tell(ctx, http.MethodPost, "mining/start", nil)
}

// tell gives an order; a rig that does already as it is told may refuse and has obeyed.
func (d *device) tell(ctx context.Context, method, page string, body any) error {
	r, err := d.web.Do(ctx, method, prefix+page, body)
	if err != nil {
		return err
	}
	err = acknowledged(r, method, page)
	if !errors.Is(err, driver.ErrRefused) || page != "mining/stop" && page != "mining/start" {
		return err
	}
	o, failed := d.get(ctx, "mining")
	asleep := statusOf(o.Object("mining-status").Text("status")) == site.StateSleeping
	if failed == nil && o != nil && asleep == (page == "mining/stop") {
		return nil
	}
	return err
}

// acknowledged says whether the reply is the answer to an order: accepted, or an object that
// says something.
func acknowledged(r httpx.Reply, method, page string) error {
	if err := r.Check(method, prefix+page); err != nil || r.Status == http.StatusAccepted {
		return err
	}
	o, err := parse(page, r.Body)
	if err == nil && o.Text("message") == "" && !o.Float("power_target_watts").OK {
		err = fmt.Errorf("%s %s: an answer that is none: %w", method, page, driver.ErrUnreachable)
	}
	return err
}

// probe asks without a login who it is.
func probe(ctx context.Context, t driver.Target) (site.Identity, error) {
	c := client(t, nil)
	defer c.Close()
	r, err := c.Do(ctx, http.MethodGet, prefix+"system", nil)
	if err != nil {
		return site.Identity{}, fmt.Errorf("probe %s: %w", t.Host, err)
	}
	if r.Status == http.StatusOK {
		if o, err := parse("system", r.Body); err == nil {
			if id, err := identity(o); err == nil {
				return id, nil
			}
		}
	}
	return site.Identity{}, fmt.Errorf("probe %s: no Proto rig: %w", t.Host, driver.ErrUnsupported)
}
