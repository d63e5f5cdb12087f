package bitaxe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/site"
)

// Do carries out one action.
func (d *device) Do(ctx context.Context, a driver.Action) error {
	if err := d.act(ctx, a); err != nil {
		return fmt.Errorf("bitaxe %s: %s: %w", d.t.Device, a.Act, err)
	}
	return nil
}

func (d *device) act(ctx context.Context, a driver.Action) error {
	switch a.Act {
	case site.ActReboot:
		return d.reboot(ctx)
	case site.ActPools:
		settings, err := poolSettings(a.Pools)
		if err != nil {
			return err
		}
		return d.set(ctx, settings)
	case site.ActLED:
		return d.identify(ctx, a.On)
	case site.ActProfile:
		return d.choose(ctx, a.Profile)
	}
	return driver.ErrUnsupported
}

// reboot is acknowledged by any success, also by a connection that breaks under it.
func (d *device) reboot(ctx context.Context) error {
	const path = "/api/system/restart"
	r, err := d.web.Once(ctx, http.MethodPost, path, nil)
	if errors.Is(err, httpx.ErrCut) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.Check(http.MethodPost, path)
}

// set changes settings. Firmwares answer with a status, a message or nothing.
func (d *device) set(ctx context.Context, settings map[string]any) error {
	const path = "/api/system"
	r, err := d.web.Do(ctx, http.MethodPatch, path, settings)
	if err != nil {
		return err
	}
	return r.Check(http.MethodPatch, path)
}

// identify works a switch: an answer that says it went the wrong way is undone.
func (d *device) identify(ctx context.Context, on bool) error {
	if d.pauses.OK && !d.pauses.V {
		return driver.ErrUnsupported
	}
	for range 2 {
		message, err := d.tell(ctx, "identify")
		if err != nil {
			return err
		}
		if ended := strings.Contains(message, "no longer"); ended != on {
			return nil
		}
	}
	return fmt.Errorf("the light does not obey: %w", driver.ErrRefused)
}

// poolSettings writes one or two pools as the settings that hold them. A single one is also
// the one to fall back on: some firmwares refuse an empty name, and the old one must not stay.
func poolSettings(pools []driver.Pool) (map[string]any, error) {
	if len(pools) == 0 || len(pools) > 2 {
		return nil, fmt.Errorf("%d pools: it takes one or two: %w", len(pools), driver.ErrUnsupported)
	}
	settings := map[string]any{}
	for i, p := range []driver.Pool{pools[0], pools[len(pools)-1]} {
		key := []string{"stratum", "fallbackStratum"}[i]
		host, port, tls, err := address(p.URL)
		if err != nil {
			return nil, err
		}
		settings[key+"URL"], settings[key+"Port"], settings[key+"User"] = host, port, p.Worker
		settings[key+"TLS"] = 0 // firmwares without it pass over it
		if tls {
			settings[key+"TLS"] = 1
		}
		if p.Password != "" {
			settings[key+"Password"] = string(p.Password)
		}
	}
	return settings, nil
}

// address cuts a pool's URL into what the firmware keeps apart.
func address(pool string) (host string, port int, tls bool, err error) {
	u, err := url.Parse(pool)
	if err != nil || u.Host == "" {
		u, err = url.Parse("stratum+tcp://" + pool)
	}
	if err != nil { // it would repeat the URL, which may hold a worker's password
		return "", 0, false, fmt.Errorf("the pool's URL is none: %w", driver.ErrUnsupported)
	}
	switch u.Scheme {
	case "stratum+tcp", "tcp", "stratum":
	case "stratum+ssl", "stratum+tls", "ssl", "tls":
		tls = true
	default:
		return "", 0, false, fmt.Errorf("pools by %s: %w", u.Scheme, driver.ErrUnsupported)
	}
	host, digits, err := net.SplitHostPort(u.Host)
	if err != nil {
		return "", 0, false, fmt.Errorf("the pool's URL names no port: %w", driver.ErrUnsupported)
	}
	port, err = strconv.Atoi(digits)
	if err != nil || port < 1 || port > 65535 {
		return "", 0, false, fmt.Errorf("the pool's port is none: %w", driver.ErrUnsupported)
	}
	return host, port, tls, nil
}

// choose sets the operating point of that name, if the firmware lists its figures.
func (d *device) choose(ctx context.Context, name string) error {
	if len(d.options.mhz) == 0 {
		if _, err := d.info(ctx); err != nil {
			return err
		}
	}
	if len(d.options.profiles()) == 0 {
		return driver.ErrUnsupported
	}
	var mhz, millivolts int
	n, _ := fmt.Sscanf(name, "%d MHz, %d mV", &mhz, &millivolts)
	if n == 1 {
		millivolts = d.options.voltage
	}
	known := millivolts == d.options.voltage || slices.Contains(d.options.millivolts, millivolts)
	if n < 1 || !known || !slices.Contains(d.options.mhz, mhz) {
		return fmt.Errorf("%q is none of its profiles: %w", name, driver.ErrUnsupported)
	}
	return d.set(ctx, map[string]any{"frequency": mhz, "coreVoltage": millivolts})
}
