// Package bitaxe owns the driver of Bitaxes (AxeOS) and of NerdQAxes, which speak the same
// HTTP on port 80: system/info, system/asic, pause, resume, restart, identify, settings.
//
// There is no login: the firmware answers private addresses only, and says 401 to others.
// A Read is one request. Power is what the board takes at its input, without the mains
// adapter's loss. Hashrates are in GH/s; a NerdQAxe's is a ten-minute mean, so that it may
// call itself hashing for minutes after it stopped.
//
// Sleep is a pause, which firmwares have that tell "miningPaused"; others cannot sleep. A
// pause is believed unless hashrate and power both say otherwise. It lives in memory: a
// restart wakes the miner. No firmware takes a target in watts. Its operating points are a
// frequency and a core voltage: each frequency that the firmware lists at its default
// voltage is a profile ("525 MHz, 1150 mV"); newer firmwares take it up within seconds, older
// ones at the next restart, as they do pools. The device knows two pools; of a single one
// both are made. Its locating light goes out by itself after 30 s; the call is a switch, so
// the answer's words tell whether to call again. It is offered where there is a pause, though
// some firmwares had it before. A NerdQAxe on which one-time passwords are switched on
// refuses acts. Its shutdown is not used: only a restart ends it.
//
// Assumed, because nothing is published: 5 s to standby, 40 s to full power, 3 W asleep. A
// pause ends the chips' work; how much of their power it spares the reading shows.
//
// It never sets fans, displays, networks or firmware.
//
// Sources: AxeOS's OpenAPI description, and the public sources bitaxeorg/ESP-Miner and
// shufps/ESP-Miner-NerdQAxePlus.
//
// Concurrency: a Device has one caller at a time; its calls block on the network until
// their context ends.
package bitaxe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

const (
	pathInfo = "/api/system/info"
	pathASIC = "/api/system/asic"

	// idle is short: the firmware has few sockets.
	idle = 20 * time.Second

	standby   = 3 * unit.Watt
	sleepTime = 5 * time.Second
	wakeTime  = 40 * time.Second
)

// Driver returns the driver.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "bitaxe",
		About: "Bitaxe with AxeOS, NerdQAxe: HTTP; pause and resume where the firmware has them, profiles by frequency",
		Abilities: driver.Abilities{
			Devices: "Bitaxe with AxeOS 2 and later, NerdAxe and NerdQAxe", Sleep: true, Profiles: true, Power: "all",
			Acts: site.ActsOf(site.ActReboot, site.ActPools, site.ActLED, site.ActProfile),
			Auth: "none", Times: "assumed: see the driver", Checked: "fixtures, specification, emulator",
			Source: "AxeOS's OpenAPI description; shufps/ESP-Miner-NerdQAxePlus",
		},
		Ports: map[string]int{"http": 80},
		Open:  open,
		Probe: probe,
	}
}

type device struct {
	t       driver.Target
	web     *httpx.Client
	pauses  site.Opt[bool] // unknown before the first reading
	options options
}

func open(t driver.Target) (driver.Device, error) {
	if t.Host == "" || t.Now == nil {
		return nil, errors.New("open bitaxe: the target needs a host and a clock")
	}
	return &device{t: t, web: httpx.New(t, t.Addr("http", 80), idle, nil)}, nil
}

// Close ends the kept connection.
func (d *device) Close() error {
	d.web.Close()
	return nil
}

// object asks for a page and reads it; a cut one is an error.
func (d *device) object(ctx context.Context, path string) (rpc.Object, error) {
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

// system reads system/info and learns from it what the firmware can do.
func (d *device) system(ctx context.Context) (rpc.Object, error) {
	o, err := d.object(ctx, pathInfo)
	if err == nil && !isInfo(o) {
		err = fmt.Errorf("read %s: it names no chip: %w", pathInfo, driver.ErrUnreachable)
	}
	if err != nil {
		return nil, err
	}
	d.pauses = site.Some(o.Bool("miningPaused").OK)
	return o, nil
}

// Info reads the identity and what may be chosen.
func (d *device) Info(ctx context.Context) (site.Capabilities, error) {
	c, err := d.info(ctx)
	if err != nil {
		return site.Capabilities{}, fmt.Errorf("bitaxe %s: %w", d.t.Device, err)
	}
	return c, nil
}

func (d *device) info(ctx context.Context) (site.Capabilities, error) {
	o, err := d.system(ctx)
	if err != nil {
		return site.Capabilities{}, err
	}
	d.options = options{}
	// Older firmwares have no such page, and some answer unknown ones with their start page.
	switch asic, err := d.object(ctx, pathASIC); {
	case err == nil:
		d.options = parseOptions(asic)
	case ctx.Err() != nil:
		return site.Capabilities{}, err
	}
	c := site.Capabilities{
		Identity: identity(o, d.options.model), Sleep: d.pauses.V, Standby: standby,
		Acts: site.ActsOf(site.ActReboot, site.ActPools), Profiles: d.options.profiles(),
	}
	if c.Sleep {
		c.SleepTime, c.WakeTime = sleepTime, wakeTime
		c.Acts |= site.ActsOf(site.ActLED)
	}
	if len(c.Profiles) > 0 {
		c.Acts |= site.ActsOf(site.ActProfile)
	}
	for _, name := range []string{c.Identity.Make + " " + c.Identity.Model, c.Identity.Model, d.t.Model} {
		if plate, ok := driver.LookupModel(name); ok {
			c.Nameplate = site.Some(plate.Power)
			break
		}
	}
	return c, nil
}

// Read polls the miner once.
func (d *device) Read(ctx context.Context) (site.Sample, error) {
	asked := d.t.Now()
	o, err := d.system(ctx)
	if err != nil {
		return site.Sample{}, fmt.Errorf("bitaxe %s: %w", d.t.Device, err)
	}
	s := sample(o, d.options.model)
	s.Device, s.Asked, s.At = d.t.Device, asked, d.t.Now()
	return s, nil
}

// Apply pauses or resumes.
func (d *device) Apply(ctx context.Context, want site.Setpoint) error {
	if err := d.apply(ctx, want); err != nil {
		return fmt.Errorf("bitaxe %s: %w", d.t.Device, err)
	}
	return nil
}

func (d *device) apply(ctx context.Context, want site.Setpoint) error {
	asleep := want.Mode == site.ModeSleep
	never := d.pauses.OK && !d.pauses.V
	switch {
	case !asleep && want.Power.OK:
		return fmt.Errorf("a target in watts: %w", driver.ErrUnsupported)
	case never && asleep:
		return fmt.Errorf("its firmware has no pause: %w", driver.ErrUnsupported)
	case never:
		return nil // it never rests
	case asleep:
		_, err := d.tell(ctx, "pause")
		return err
	}
	_, err := d.tell(ctx, "resume")
	if errors.Is(err, driver.ErrUnsupported) {
		return nil
	}
	return err
}

// tell gives a command that is answered with a message, which it returns.
func (d *device) tell(ctx context.Context, command string) (string, error) {
	path := "/api/system/" + command
	r, err := d.web.Do(ctx, http.MethodPost, path, nil)
	if err == nil {
		err = r.Check(http.MethodPost, path)
	}
	if err != nil {
		return "", err
	}
	o, err := parse(r.Body)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	message := o.Text("message")
	if message == "" {
		return "", fmt.Errorf("POST %s: an answer that is none: %w", path, driver.ErrUnreachable)
	}
	return message, nil
}

// probe asks for the page that only this firmware has.
func probe(ctx context.Context, t driver.Target) (site.Identity, error) {
	c := httpx.New(t, t.Addr("http", 80), idle, nil)
	defer c.Close()
	r, err := c.Do(ctx, http.MethodGet, pathInfo, nil)
	if err != nil {
		return site.Identity{}, fmt.Errorf("probe %s: %w", t.Host, err)
	}
	if r.Status == http.StatusOK {
		if o, err := parse(r.Body); err == nil && isInfo(o) {
			return identity(o, ""), nil
		}
	}
	return site.Identity{}, fmt.Errorf("probe %s: no AxeOS: %w", t.Host, driver.ErrUnsupported)
}
