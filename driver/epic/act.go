package epic

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// order is the body of an order. Its JSON holds the password: it goes to the device only.
type order struct {
	Param    any    `json:"param"`
	Password string `json:"password"`
}

// sender is the client's Do or Once.
type sender func(ctx context.Context, method, path string, body any) (httpx.Reply, error)

// send gives an order once and reads its answer.
func (d *device) send(ctx context.Context, send sender, path string, param any) error {
	r, err := send(ctx, http.MethodPost, path, order{Param: param, Password: string(d.t.Password)})
	if err == nil {
		err = r.Check(http.MethodPost, path)
	}
	if err != nil {
		return err
	}
	return result(r.Body, path)
}

// result reads the answer to an order. The device's words are left out where they might
// repeat what was sent.
func result(body []byte, path string) error {
	o, err := parse(body)
	if err != nil {
		return fmt.Errorf("POST %s: %w", path, err)
	}
	done := o.Bool("result", "success")
	switch {
	case !done.OK:
		return fmt.Errorf("POST %s: no word of success: %w", path, driver.ErrUnreachable)
	case !done.V:
		return fmt.Errorf("POST %s: not done: %w", path, driver.ErrRefused)
	}
	return nil
}

// post gives an order; one that is refused for the password says so.
func (d *device) post(ctx context.Context, path string, param any) error {
	err := d.send(ctx, d.web.Do, path, param)
	if errors.Is(err, driver.ErrRefused) {
		if authErr := d.authenticate(ctx); errors.Is(authErr, driver.ErrUnauthorized) {
			return fmt.Errorf("POST %s: %w", path, driver.ErrUnauthorized)
		}
	}
	return err
}

// authenticate tries the password. ErrUnsupported: the firmware has no such page.
func (d *device) authenticate(ctx context.Context) error {
	err := d.send(ctx, d.web.Do, "/authenticate", nil)
	if errors.Is(err, driver.ErrRefused) {
		return fmt.Errorf("authenticate: %w", driver.ErrUnauthorized)
	}
	return err
}

// Stage reads what a power target needs: the algorithm, its range, the target in force.
func (d *device) Stage(ctx context.Context) error {
	if d.able == nil {
		if err := d.readAble(ctx); err != nil {
			return fmt.Errorf("epic %s: %w", d.t.Device, err)
		}
	}
	return nil
}

// Apply stops the miner, or sets its target and starts it.
func (d *device) Apply(ctx context.Context, want site.Setpoint) error {
	d.dirty = true
	var err error
	if want.Mode == site.ModeSleep {
		err = d.miner(ctx, "Stop", site.StateSleeping)
	} else {
		err = d.run(ctx, want.Power)
	}
	if err != nil {
		return fmt.Errorf("epic %s: %w", d.t.Device, err)
	}
	return nil
}

func (d *device) run(ctx context.Context, target site.Opt[unit.Power]) error {
	if d.able == nil {
		if err := d.readAble(ctx); err != nil {
			return err
		}
	}
	if !d.tunesPower.OK {
		if _, err := d.summary(ctx); err != nil {
			return err
		}
	}
	to, err := d.level(target)
	if err != nil {
		return err
	}
	if to > 0 {
		param := map[string]any{"algo": d.able.algo, "target": int64(to / unit.Watt)}
		err := d.post(ctx, "/perpetualtune/algo", param)
		d.target, d.tunesPower = site.Opt[unit.Power]{}, site.Opt[bool]{} // until a reading tells them
		if err != nil {
			return err
		}
		d.target, d.tunesPower = site.Some(to), site.Some(true)
	}
	return d.miner(ctx, "Autostart", site.StateHashing)
}

// level is the target to post, in whole watts; 0 leaves the one in force.
func (d *device) level(target site.Opt[unit.Power]) (unit.Power, error) {
	if target.OK {
		if !d.able.watts.OK {
			return 0, fmt.Errorf("it takes no watts: %w", driver.ErrUnsupported)
		}
		r := d.able.watts.V
		if target.V < r.Min {
			return 0, fmt.Errorf("a target of %v is below its range: %w", target.V, driver.ErrUnsupported)
		}
		to := min(target.V, r.Max) / unit.Watt * unit.Watt
		if d.target.OK && d.target.V == to {
			return 0, nil
		}
		return to, nil
	}
	full, known := d.nameplate()
	if !d.tunesPower.V || !d.target.OK || !known || !d.able.watts.OK {
		return 0, nil
	}
	full = min(full, d.able.watts.V.Max) / unit.Watt * unit.Watt
	if d.target.V >= full {
		return 0, nil
	}
	return full, nil
}

// miner stops or starts. One that refuses because it is as wanted has done it.
func (d *device) miner(ctx context.Context, word string, want site.State) error {
	err := d.post(ctx, "/miner", word)
	if !errors.Is(err, driver.ErrRefused) {
		return err
	}
	sum, sumErr := d.summary(ctx)
	if sumErr != nil {
		return err
	}
	now := state(sum.Object("Status"), site.Opt[unit.Hashrate]{})
	if now == want || want == site.StateHashing && now == site.StateStarting {
		return nil
	}
	return err
}

// Do carries out one action.
func (d *device) Do(ctx context.Context, a driver.Action) error {
	d.dirty = true
	var err error
	switch a.Act {
	case site.ActReboot:
		err = d.reboot(ctx)
	case site.ActPools:
		err = d.setPools(ctx, a.Pools)
	case site.ActLED:
		err = d.post(ctx, "/identify", a.On)
	case site.ActPassword:
		if err = d.post(ctx, "/password", string(a.Password)); err == nil {
			d.t.Password = a.Password
		}
	default:
		err = driver.ErrUnsupported
	}
	if err != nil {
		return fmt.Errorf("epic %s: %s: %w", d.t.Device, a.Act, err)
	}
	return nil
}

// reboot is acknowledged by a connection that breaks, too: the device went down at once.
func (d *device) reboot(ctx context.Context) error {
	err := d.send(ctx, d.web.Once, "/reboot", 0)
	switch {
	case errors.Is(err, httpx.ErrCut):
		return nil
	case errors.Is(err, driver.ErrRefused):
		if authErr := d.authenticate(ctx); errors.Is(authErr, driver.ErrUnauthorized) {
			return authErr
		}
	}
	return err
}

// setPools keeps the coin and the habit of adding an id to the worker.
func (d *device) setPools(ctx context.Context, pools []driver.Pool) error {
	const places = 3
	if len(pools) == 0 || len(pools) > places {
		return fmt.Errorf("%d pools, and it takes 1 to %d: %w", len(pools), places, driver.ErrUnsupported)
	}
	sum, err := d.summary(ctx)
	if err != nil {
		return err
	}
	coin := sum.Object("Mining").Text("Coin")
	if coin == "" {
		coin = "BTC"
	}
	told := make([]map[string]string, 0, len(pools))
	for _, p := range pools {
		told = append(told, map[string]string{"pool": p.URL, "login": p.Worker, "password": string(p.Password)})
	}
	unique := sum.Object("Stratum").Bool("Worker Unique Id").Or(false)
	return d.post(ctx, "/coin", map[string]any{"coin": coin, "stratum_configs": told, "unique_id": unique})
}

// probe asks for the capabilities, which nobody else answers on this port.
func probe(ctx context.Context, t driver.Target) (site.Identity, error) {
	dd, err := open(t)
	if err != nil {
		return site.Identity{}, err
	}
	defer dd.Close()
	o, err := dd.(*device).get(ctx, "/capabilities")
	if err != nil && ctx.Err() != nil {
		return site.Identity{}, fmt.Errorf("probe %s: %w", t.Host, err)
	}
	if err == nil && ours(o) {
		if a, err := parseAble(o); err == nil {
			return a.identity, nil
		}
	}
	if errors.Is(err, driver.ErrUnreachable) {
		return site.Identity{}, fmt.Errorf("probe %s: %w", t.Host, err)
	}
	return site.Identity{}, fmt.Errorf("probe %s: not ePIC: %w", t.Host, driver.ErrUnsupported)
}

// ours tells the page from others that may lie at its path.
func ours(o rpc.Object) bool {
	for _, key := range []string{"PerpetualTune", "Psu Info", "PresetsPowerLevels", "Tune Presets"} {
		if _, ok := o.Get(key); ok {
			return true
		}
	}
	return false
}
