// Package braiins owns the driver of miners with Braiins OS: the public REST API
// (/api/v1, HTTP 80) and, where a firmware has none (before 25.05), its older GraphQL.
//
// REST wants a login; the raw token goes into the Authorization header and is kept until
// the device refuses it. A routine Read is two requests on one kept connection (miner/stats
// and miner/details); boards, fans and the target are read every 4th time, pools and
// errors every 20th, and all of it after Apply: temperatures and board rates may be that
// many polls old. With GraphQL a Read is one request, which holds boards and fans too.
//
// Sleep is a pause, which keeps the mining process; a miner that somebody stopped is
// started. Power is a target in whole watts, rounded down, set before a miner is woken.
// Full power is the default of the device's own constraints, else the model's nameplate.
// Where the device tells no constraints, half to all of the nameplate is assumed.
// GraphQL knows no pause: there the mining process is stopped and started.
//
// A miner that says it is paused and still hashes is hashing: its word is no confirmation.
// Power is the firmware's approximation. It tells 0 W when it does not know: unknown.
//
// Assumed, because no times are published: 20 s from acknowledgement to standby, 4 minutes
// to full power, 30 W asleep. The firmware itself warns that boards without a PIC
// controller stay powered and draw some 300 W when they are disabled; whether a pause
// spares them that is not told.
//
// It never sets tuning modes, quick ramping, pools or passwords.
//
// Concurrency: a Device has one caller at a time; its calls block on the network until
// their context ends.
package braiins

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"time"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/site"
	"switchyard/unit"
)

const (
	middleEvery = 4
	slowEvery   = 20
	// idle is longer than a poll's period, so that a read finds its connection open.
	idle = time.Minute

	standby   = 30 * unit.Watt
	sleepTime = 20 * time.Second
	wakeTime  = 4 * time.Minute
	// partTime bounds a request for one of the rarer parts, so that one page that hangs does
	// not cost the reading.
	partTime = 2 * time.Second
	// lowest is the share of nameplate that is assumed to be the lowest target.
	lowest = 0.5
)

// Driver returns the driver.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "braiins",
		About: "Braiins OS 21.09 and later: REST, or GraphQL where there is none; pause, resume and a target in watts",
		Abilities: driver.Abilities{
			Devices: "Antminers with Braiins OS 21.09 and later", Sleep: true, Watts: true, Power: "all", Auth: "login token",
			Times: "assumed: see the driver", Checked: "fixtures, emulator", Source: "the maker's public REST and GraphQL interfaces",
		},
		Ports: map[string]int{"http": 80},
		Open:  open,
		Probe: probe,
	}
}

// face is the API that a firmware has.
type face uint8

const (
	faceUnknown face = iota
	faceREST
	faceGraphQL
)

// device is one miner.
type device struct {
	t     driver.Target
	web   *httpx.Client
	token *httpx.Token
	gql   session
	face  face

	reads, phase int
	dirty        bool
	full         site.Opt[unit.Power] // the target that is full power
	last         site.Sample          // what middle and slow reads brought
	model        string               // GraphQL only
}

func open(t driver.Target) (driver.Device, error) {
	if t.Host == "" || t.Now == nil {
		return nil, errors.New("open braiins: the target needs a host and a clock")
	}
	if t.User == "" {
		t.User = "root" // with no password, as it is delivered
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.Device))
	d := &device{t: t, phase: int(h.Sum32() % slowEvery), dirty: true}
	d.token = &httpx.Token{Login: d.login}
	d.web = httpx.New(t, t.Addr("http", 80), idle, d.token)
	d.gql.d = d
	return d, nil
}

// Close ends the kept connection.
func (d *device) Close() error {
	d.web.Close()
	return nil
}

// login fetches a token from the REST API.
func (d *device) login(ctx context.Context, c *httpx.Client) (string, error) {
	const path = "/api/v1/auth/login"
	r, err := c.Plain(ctx, http.MethodPost, path, map[string]string{"username": d.t.User, "password": string(d.t.Password)})
	if err != nil {
		return "", err
	}
	if r.Status == http.StatusBadRequest { // some versions say so to a wrong password
		return "", fmt.Errorf("status %d: %w", r.Status, driver.ErrUnauthorized)
	}
	if err := r.Check(http.MethodPost, path); err != nil {
		return "", err
	}
	var said struct{ Token string }
	if err := r.JSON(path, &said); err != nil {
		return "", err
	}
	if said.Token == "" {
		return "", fmt.Errorf("%s gave no token: %w", path, driver.ErrUnreachable)
	}
	return said.Token, nil
}

// contact finds out once which API the firmware has.
func (d *device) contact(ctx context.Context) error {
	if d.face == faceREST && !d.token.Known() || d.face == faceUnknown {
		err := d.token.Fetch(ctx, d.web)
		switch {
		case err == nil:
			d.face = faceREST
		case d.face == faceREST, ctx.Err() != nil, errors.Is(err, driver.ErrUnauthorized):
			return err
		case d.gql.there(ctx):
			d.face = faceGraphQL
		default:
			return err
		}
	}
	return nil
}

// Info reads the identity and the range of targets.
func (d *device) Info(ctx context.Context) (site.Capabilities, error) {
	d.dirty = true
	c, err := d.info(ctx)
	if err != nil {
		return site.Capabilities{}, fmt.Errorf("braiins %s: %w", d.t.Device, err)
	}
	return c, nil
}

func (d *device) info(ctx context.Context) (site.Capabilities, error) {
	c := site.Capabilities{Sleep: true, Standby: standby, SleepTime: sleepTime, WakeTime: wakeTime}
	if err := d.contact(ctx); err != nil {
		return c, err
	}
	if d.face == faceGraphQL {
		id, err := d.gql.identity(ctx)
		c.Identity = id
		d.assume(&c)
		return c, err
	}
	var det details
	if err := d.web.Get(ctx, "/api/v1/miner/details", &det); err != nil {
		return c, err
	}
	c.Identity = det.identity()
	if c.Identity.Model == "" {
		return c, fmt.Errorf("miner/details names no model: %w", driver.ErrUnreachable)
	}
	var con constraints
	err := d.web.Get(ctx, "/api/v1/configuration/constraints", &con)
	if err != nil && !errors.Is(err, driver.ErrUnsupported) {
		return c, err
	}
	c.Watts, c.Nameplate = con.targets()
	d.assume(&c)
	return c, nil
}

// assume fills in from the model's nameplate what the device did not tell.
func (d *device) assume(c *site.Capabilities) {
	f, ok := driver.LookupModel(c.Identity.Model)
	if !ok {
		f, ok = driver.LookupModel(d.t.Model)
	}
	if ok && !c.Nameplate.OK {
		c.Nameplate = site.Some(f.Power)
	}
	if ok && !c.Watts.OK {
		c.Watts = site.Some(site.Range{Min: f.Power.Scale(lowest), Max: f.Power})
	}
	d.full = c.Nameplate
}

// Read polls the miner once.
func (d *device) Read(ctx context.Context) (site.Sample, error) {
	asked := d.t.Now()
	if err := d.contact(ctx); err != nil {
		return site.Sample{}, fmt.Errorf("braiins %s: %w", d.t.Device, err)
	}
	read := d.readREST
	if d.face == faceGraphQL {
		read = d.gql.read
	}
	n := d.reads + d.phase
	s, err := read(ctx, d.dirty || n%middleEvery == 0, d.dirty || n%slowEvery == 0)
	if err != nil {
		return site.Sample{}, fmt.Errorf("braiins %s: %w", d.t.Device, err)
	}
	d.reads++
	d.dirty = false
	s.Device, s.Asked, s.At = d.t.Device, asked, d.t.Now()
	d.last = s
	return s, nil
}

// readREST reads over REST; middle and slow say which rarer parts are due.
func (d *device) readREST(ctx context.Context, middle, slow bool) (site.Sample, error) {
	var st stats
	if err := d.web.Get(ctx, "/api/v1/miner/stats", &st); err != nil {
		return site.Sample{}, err
	}
	var det details
	if err := d.web.Get(ctx, "/api/v1/miner/details", &det); err != nil {
		return site.Sample{}, err
	}
	if st.Miner == nil || det.Status == nil && det.Identity == nil {
		return site.Sample{}, fmt.Errorf("miner/stats or miner/details is empty: %w", driver.ErrUnreachable)
	}
	s := site.Sample{Identity: det.identity(), Uptime: det.uptime()}
	st.fill(&s)
	s.State = det.state(s.Hashrate)
	keep := d.last
	s.Boards, s.Fans, s.Intake, s.Target = keep.Boards, keep.Fans, keep.Intake, keep.Target
	s.Pools, s.Faults = keep.Pools, keep.Faults
	if middle || s.State != keep.State {
		d.readMiddle(ctx, &s)
	}
	if slow {
		d.readSlow(ctx, &s)
	}
	return s, nil
}

// readMiddle reads boards, fans and the target. What does not come is unknown, and no
// reason to lose the rest of the reading.
func (d *device) readMiddle(ctx context.Context, s *site.Sample) {
	b, _ := part[boards](ctx, d, "/api/v1/miner/hw/hashboards")
	s.Boards, s.Intake = b.list(), b.intake()
	c, _ := part[cooling](ctx, d, "/api/v1/cooling/state")
	s.Fans = c.rpm()
	tun, _ := part[tuner](ctx, d, "/api/v1/performance/tuner-state")
	s.Target = tun.target()
}

// readSlow reads pools and errors; the last ones stay where they do not come.
func (d *device) readSlow(ctx context.Context, s *site.Sample) {
	if p, ok := part[[]poolGroup](ctx, d, "/api/v1/pools"); ok {
		s.Pools = pools(p)
	}
	if e, ok := part[minerErrors](ctx, d, "/api/v1/miner/errors"); ok {
		s.Faults = e.recent(d.t.Now())
	}
}

// Apply pauses the miner, or sets its target and resumes it.
func (d *device) Apply(ctx context.Context, want site.Setpoint) error {
	if err := d.apply(ctx, want); err != nil {
		return fmt.Errorf("braiins %s: %w", d.t.Device, err)
	}
	return nil
}

func (d *device) apply(ctx context.Context, want site.Setpoint) error {
	if err := d.contact(ctx); err != nil {
		return err
	}
	d.dirty = true
	watt := int64(want.Power.V / unit.Watt)
	if want.Mode == site.ModeRun && want.Power.OK && watt <= 0 {
		return fmt.Errorf("a target of %v: %w", want.Power.V, driver.ErrUnsupported)
	}
	if want.Mode == site.ModeRun && !want.Power.OK {
		if !d.full.OK {
			if _, err := d.info(ctx); err != nil {
				return err
			}
		}
		watt = int64(d.full.V / unit.Watt) // 0 where nothing tells it: the target stays
	}
	if d.face == faceGraphQL {
		return d.gql.apply(ctx, want.Mode, watt)
	}
	if want.Mode == site.ModeSleep {
		return d.pause(ctx)
	}
	if watt > 0 {
		if err := d.put(ctx, "/api/v1/performance/power-target", map[string]int64{"watt": watt}); err != nil {
			return err
		}
	}
	return d.resume(ctx)
}

// pause pauses; a miner whose process does not run refuses and rests all the same.
func (d *device) pause(ctx context.Context) error {
	err := d.put(ctx, "/api/v1/actions/pause", nil)
	if !errors.Is(err, driver.ErrRefused) {
		return err
	}
	var det details
	if d.web.Get(ctx, "/api/v1/miner/details", &det) == nil && det.resting() {
		return nil
	}
	return err
}

// resume resumes; a miner whose process does not run is started.
func (d *device) resume(ctx context.Context) error {
	err := d.put(ctx, "/api/v1/actions/resume", nil)
	if !errors.Is(err, driver.ErrRefused) {
		return err
	}
	return d.put(ctx, "/api/v1/actions/start", nil)
}
