package auradine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// The codes of the status light that the locating light uses.
const (
	codeNormal = 2
	codeLocate = 3
)

// Stage finds the port that takes orders and logs in.
func (d *device) Stage(ctx context.Context) error {
	if err := d.contact(ctx); err != nil {
		return fmt.Errorf("auradine %s: %w", d.t.Device, err)
	}
	return nil
}

// Apply puts the miner to sleep, or sets its target and wakes it.
func (d *device) Apply(ctx context.Context, want site.Setpoint) error {
	d.dirty = true
	var err error
	if want.Mode == site.ModeSleep {
		err = d.setMode(ctx, map[string]any{"sleep": "on"})
	} else {
		err = d.run(ctx, want.Power)
	}
	if err != nil {
		return fmt.Errorf("auradine %s: %w", d.t.Device, err)
	}
	return nil
}

func (d *device) run(ctx context.Context, target site.Opt[unit.Power]) error {
	if d.last.Identity.Model == "" {
		if err := d.readReport(ctx); err != nil {
			return err
		}
	}
	if !d.mode.OK {
		if err := d.readMode(ctx); err != nil {
			return err
		}
	}
	to, err := d.level(target)
	if err != nil {
		return err
	}
	if to > 0 {
		if err := d.setMode(ctx, map[string]any{"mode": "custom", "tune": "power", "power": int64(to / unit.Watt)}); err != nil {
			return err
		}
		d.mode = site.Some(mode{name: "custom", target: site.Some(to)})
	}
	return d.setMode(ctx, map[string]any{"sleep": "off"})
}

// level is the target to post, in whole watts; 0 leaves the mode as it is.
func (d *device) level(target site.Opt[unit.Power]) (unit.Power, error) {
	r := d.watts()
	now := d.mode.V.target
	if target.OK {
		if !r.OK {
			return 0, fmt.Errorf("no range of watts is known of model %q: %w", d.last.Identity.Model, driver.ErrUnsupported)
		}
		if target.V < r.V.Min {
			return 0, fmt.Errorf("a target of %v is below %v: %w", target.V, r.V.Min, driver.ErrUnsupported)
		}
		to := min(target.V, r.V.Max) / unit.Watt * unit.Watt
		if now.OK && now.V == to {
			return 0, nil
		}
		return to, nil
	}
	if !r.OK || !now.OK || now.V >= r.V.Max/unit.Watt*unit.Watt {
		return 0, nil
	}
	return r.V.Max / unit.Watt * unit.Watt, nil
}

// setMode posts a part of the mode; what is not named stays.
func (d *device) setMode(ctx context.Context, part map[string]any) error {
	_, err := d.call(ctx, http.MethodPost, "mode", part)
	if err != nil {
		d.mode = site.Opt[mode]{} // it may have arrived
	}
	return err
}

// Do carries out one action.
func (d *device) Do(ctx context.Context, a driver.Action) error {
	d.dirty = true
	var err error
	switch a.Act {
	case site.ActReboot:
		if _, err = d.send(ctx, true, http.MethodPost, "restart", map[string]any{}); errors.Is(err, httpx.ErrCut) {
			err = nil // it went down at once
		}
	case site.ActPools:
		err = d.setPools(ctx, a.Pools)
	case site.ActLED:
		code := codeNormal
		if a.On {
			code = codeLocate
		}
		_, err = d.call(ctx, http.MethodPost, "led", map[string]any{"code": code})
	case site.ActPassword:
		err = d.setPassword(ctx, a.Password)
	case site.ActProfile:
		err = d.setProfile(ctx, a.Profile)
	default:
		err = driver.ErrUnsupported
	}
	if err != nil {
		return fmt.Errorf("auradine %s: %s: %w", d.t.Device, a.Act, err)
	}
	return nil
}

func (d *device) setPools(ctx context.Context, pools []driver.Pool) error {
	const places = 3
	if len(pools) == 0 || len(pools) > places {
		return fmt.Errorf("%d pools, and it takes 1 to %d: %w", len(pools), places, driver.ErrUnsupported)
	}
	told := make([]map[string]string, 0, len(pools))
	for _, p := range pools {
		told = append(told, map[string]string{"url": p.URL, "user": p.Worker, "pass": string(p.Password)})
	}
	_, err := d.call(ctx, http.MethodPost, "updatepools", map[string]any{"pools": told})
	return err
}

func (d *device) setPassword(ctx context.Context, password driver.Secret) error {
	body := map[string]any{"user": d.t.User, "old": string(d.t.Password), "new": string(password)}
	if _, err := d.call(ctx, http.MethodPost, "password", body); err != nil {
		return err
	}
	d.t.Password = password
	d.token.value = ""
	return nil
}

func (d *device) setProfile(ctx context.Context, name string) error {
	if !slices.Contains(profiles(), name) {
		return fmt.Errorf("it has no mode %q: %w", name, driver.ErrUnsupported)
	}
	return d.setMode(ctx, map[string]any{"mode": name})
}

// probe asks the RPC port for its version, which names the maker's mining program.
func probe(ctx context.Context, t driver.Target) (site.Identity, error) {
	r, err := rpc.Call(ctx, t.DialContext, t.Addr("rpc", rpc.Port), rpc.Request{Command: "version"})
	if err != nil {
		return site.Identity{}, fmt.Errorf("probe %s: %w", t.Host, err)
	}
	list := r.Objects("VERSION")
	if len(list) == 0 || list[0].Text("GCMiner", "FluxOS") == "" {
		return site.Identity{}, fmt.Errorf("probe %s: not Auradine: %w", t.Host, driver.ErrUnsupported)
	}
	id, err := details(ctx, t)
	if err != nil {
		id = site.Identity{Make: "Auradine"}
	}
	id.Firmware = list[0].Text("FluxOS", "GCMiner")
	return id, nil
}

// details reads the model from the RPC port.
func details(ctx context.Context, t driver.Target) (site.Identity, error) {
	r, err := rpc.Call(ctx, t.DialContext, t.Addr("rpc", rpc.Port), rpc.Request{Command: "devdetails"})
	if err != nil {
		return site.Identity{}, err
	}
	list := r.Objects("DEVDETAILS")
	if len(list) == 0 || list[0].Text("Model") == "" {
		return site.Identity{}, fmt.Errorf("devdetails name no model: %w", driver.ErrUnreachable)
	}
	return site.Identity{Make: "Auradine", Model: list[0].Text("Model")}, nil
}
