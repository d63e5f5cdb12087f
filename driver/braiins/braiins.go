// Package braiins owns the driver of miners with Braiins OS: the public API over REST
// (/api/v1, HTTP 80) or, where a firmware has none (before 25.05), over gRPC (50051); else its
// older GraphQL (HTTP 80); else its cgminer-like port 4028, which tells and takes no orders.
// Which of them answers is found out at the first use, in this order, and again after a loss
// where it was one of the last two.
//
// The API wants a login; the raw token goes into the Authorization header, or the metadata,
// and is kept until the device refuses it. A routine Read is two requests on one kept
// connection (miner/stats and miner/details); boards, fans and the target are read every 4th
// time, pools and errors every 20th, and all of it after Apply: temperatures and board rates
// may be that many polls old. With GraphQL and port 4028 a Read is one request, which holds
// boards and fans too. gRPC's replies are turned into REST's, so that both are read alike.
//
// Sleep is a pause, which keeps the mining process; a miner that somebody stopped is
// started. Power is a target in whole watts, rounded down, set before a miner is woken.
// Full power is the default of the device's own constraints, else the model's nameplate.
// Where the device tells no constraints, half to all of the nameplate is assumed.
// GraphQL knows no pause: there the mining process is stopped and started.
//
// Stage logs in ahead, so that a pause is one exchange, and once sets the time that quick
// ramping takes down to the least that the constraints name, where they name any; the time
// up stays as it is.
//
// A miner that says it is paused and still hashes is hashing: its word is no confirmation.
// Power is the firmware's approximation. It tells 0 W when it does not know: unknown. Port
// 4028 does not tell a pause from a fault: without hashrate its state is unknown.
//
// Assumed, because no times are published: 20 s from acknowledgement to standby, 4 minutes
// to full power, 30 W asleep; that a pause does not outlive a restart (every restart is
// followed by a reading). The firmware itself warns that boards without a PIC controller stay
// powered and draw some 300 W when they are disabled; whether a pause spares them that is not
// told.
//
// It never sets tuning modes or cooling, and replaces pools and the password only when told.
//
// Sources: the maker's OpenAPI description and public protobuf files (braiins/bos-plus-api),
// and captured replies.
//
// Concurrency: a Device has one caller at a time; its calls block on the network until
// their context ends. gRPC's library keeps goroutines for its connection, which Close ends.
package braiins

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
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
		About: "Braiins OS 21.09 and later: REST, gRPC or GraphQL, whichever there is; pause, resume and a target in watts",
		Abilities: driver.Abilities{
			Devices: "Antminers with Braiins OS 21.09 and later", Sleep: true, Watts: true, Power: "all", Auth: "login token",
			Acts:  site.ActsOf(site.ActReboot, site.ActPools, site.ActLED, site.ActPassword),
			Times: "assumed: see the driver", Checked: "fixtures, emulator", Source: "the maker's public REST, gRPC (braiins/bos-plus-api) and GraphQL interfaces",
		},
		Ports: map[string]int{"http": 80, "grpc": grpcPort, "rpc": rpc.Port},
		Open:  open,
		Probe: probe,
	}
}

// device is one miner.
type device struct {
	t     driver.Target
	web   *httpx.Client
	token *httpx.Token
	grpc  channel
	gql   session
	rpc   bosminer
	face  face
	api   pages // where the face is REST or gRPC
	ramp  ramp

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
	d.grpc.d, d.gql.d, d.rpc.d = d, d, d
	return d, nil
}

// Close ends the kept connections.
func (d *device) Close() error {
	d.web.Close()
	d.grpc.Close()
	return nil
}

// Info reads the identity and the range of targets.
func (d *device) Info(ctx context.Context) (site.Capabilities, error) {
	d.dirty = true
	if d.api == nil {
		d.face = faceUnknown // after a loss it may have come back with a newer firmware
	}
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
	switch d.face {
	case faceGraphQL:
		id, err := d.gql.identity(ctx)
		c.Identity = id
		d.assume(&c)
		return c, err
	case faceRPC:
		id, err := d.rpc.identity(ctx)
		c = site.Capabilities{Identity: id, Standby: standby}
		d.assume(&c)
		c.Watts = site.Opt[site.Range]{}
		return c, err
	case faceUnknown, faceREST, faceGRPC:
	}
	c.Acts = d.acts()
	var det details
	if err := d.api.get(ctx, "miner/details", &det); err != nil {
		return c, err
	}
	c.Identity = det.identity()
	if c.Identity.Model == "" {
		return c, fmt.Errorf("miner/details names no model: %w", driver.ErrUnreachable)
	}
	var con constraints
	err := d.api.get(ctx, "configuration/constraints", &con)
	if err != nil && !errors.Is(err, driver.ErrUnsupported) {
		return c, err
	}
	c.Watts, c.Nameplate = con.targets()
	d.ramp.least, d.ramp.standard, _ = con.ramping()
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
	read := d.readAPI
	switch d.face {
	case faceGraphQL:
		read = d.gql.read
	case faceRPC:
		read = d.rpc.read
	case faceUnknown, faceREST, faceGRPC:
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

// readAPI reads over REST or gRPC; middle and slow say which rarer parts are due.
func (d *device) readAPI(ctx context.Context, middle, slow bool) (site.Sample, error) {
	var st stats
	if err := d.api.get(ctx, "miner/stats", &st); err != nil {
		return site.Sample{}, err
	}
	var det details
	if err := d.api.get(ctx, "miner/details", &det); err != nil {
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
	b, _ := part[boards](ctx, d, "miner/hw/hashboards")
	s.Boards, s.Intake = b.list(), b.intake()
	c, _ := part[cooling](ctx, d, "cooling/state")
	s.Fans = c.rpm()
	tun, _ := part[tuner](ctx, d, "performance/tuner-state")
	s.Target = tun.target()
}

// readSlow reads pools and errors; the last ones stay where they do not come.
func (d *device) readSlow(ctx context.Context, s *site.Sample) {
	if p, ok := part[[]poolGroup](ctx, d, pagePools); ok {
		s.Pools = pools(p)
	}
	if e, ok := part[minerErrors](ctx, d, "miner/errors"); ok {
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
	if d.face == faceRPC {
		if want.Mode == site.ModeSleep || want.Power.OK {
			return fmt.Errorf("port %d takes no orders: %w", rpc.Port, driver.ErrUnsupported)
		}
		return nil
	}
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
		if err := d.api.put(ctx, "performance/power-target", wattBody{watt}); err != nil {
			return err
		}
	}
	return d.resume(ctx)
}

// pause pauses; a miner whose process does not run refuses and rests all the same.
func (d *device) pause(ctx context.Context) error {
	err := d.api.put(ctx, "actions/pause", nil)
	if !errors.Is(err, driver.ErrRefused) {
		return err
	}
	var det details
	if d.api.get(ctx, "miner/details", &det) == nil && det.resting() {
		return nil
	}
	return err
}

// resume resumes; a miner whose process does not run is started.
func (d *device) resume(ctx context.Context) error {
	err := d.api.put(ctx, "actions/resume", nil)
	if !errors.Is(err, driver.ErrRefused) {
		return err
	}
	return d.api.put(ctx, "actions/start", nil)
}
