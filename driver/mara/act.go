package mara

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

// Site times.
const (
	// readyLife is how old the configuration may be when it is posted, readyRenew the age at
	// which Stage reads it anew.
	readyLife  = 6 * time.Minute
	readyRenew = 5 * time.Minute
	// A reading of the configuration brings in a new nonce where it has nonceRenew, and Stage
	// makes such a reading at nonceLife: small servers take one for some minutes.
	nonceRenew = 4 * time.Minute
	nonceLife  = 8 * time.Minute
)

// readConf reads the configuration, and from the log what the miner did before it slept
// where nothing else tells.
func (d *device) readConf(ctx context.Context) error {
	if d.auth.Age() > nonceRenew {
		d.auth.Forget()
	}
	const name = "miner_config"
	r, err := d.web.Do(ctx, http.MethodGet, base+name, nil)
	if err == nil {
		err = r.Check(http.MethodGet, base+name)
	}
	if err != nil {
		return err
	}
	c, err := parseConf(r.Body)
	if err != nil {
		return err
	}
	d.take(c)
	if d.awake == "" && c.work() == workSleep {
		if o, err := d.get(ctx, "log?type=miner_config_history"); err == nil {
			d.awake = restful(o)
		}
	}
	return nil
}

// take takes note of the configuration in force.
func (d *device) take(c conf) {
	d.conf, d.confAt = c, d.t.Now()
	if work := c.work(); work != "" && work != workSleep {
		d.awake = work
	}
}

func (d *device) age() time.Duration {
	if d.conf == nil {
		return readyLife + 1
	}
	return d.t.Now().Sub(d.confAt)
}

// Stage lays out what the next Apply posts, and a nonce to sign it with.
func (d *device) Stage(ctx context.Context) error {
	if d.age() < readyRenew && d.auth.Age() < nonceLife {
		return nil
	}
	if err := d.readConf(ctx); err != nil {
		return fmt.Errorf("mara %s: %w", d.t.Device, err)
	}
	return nil
}

// Apply posts the configuration in the wanted mode, unless the miner is in it already.
func (d *device) Apply(ctx context.Context, want site.Setpoint) error {
	d.dirty = true
	if err := d.apply(ctx, want); err != nil {
		return fmt.Errorf("mara %s: %w", d.t.Device, err)
	}
	return nil
}

func (d *device) apply(ctx context.Context, want site.Setpoint) error {
	fresh := d.age() > readyLife
	if fresh {
		if err := d.readConf(ctx); err != nil {
			return err
		}
	}
	work, target, err := d.plan(want)
	if err != nil {
		return err
	}
	if d.there(work, target) {
		if fresh {
			return nil
		}
		if err := d.readConf(ctx); err != nil { // also that nothing is to be done is worth a look
			return err
		}
		if work, target, err = d.plan(want); err != nil || d.there(work, target) {
			return err
		}
	}
	next, err := d.conf.with(work, target)
	if err != nil {
		return err
	}
	return d.post(ctx, next)
}

// there says whether the configuration is as planned.
func (d *device) there(work string, target site.Opt[unit.Power]) bool {
	return d.conf.work() == work && (!target.OK || d.conf.tuned() == target)
}

// plan is the mode and the target to post for what is wanted.
func (d *device) plan(want site.Setpoint) (work string, target site.Opt[unit.Power], err error) {
	now := d.conf.work()
	if now == "" {
		return "", target, fmt.Errorf("its configuration has no mode: %w", driver.ErrUnsupported)
	}
	if want.Mode == site.ModeSleep {
		return workSleep, target, nil
	}
	r := d.watts()
	if !want.Power.OK {
		if work = now; work == workSleep {
			work = d.awake
		}
		if work == "" {
			work = workStock
		}
		if tuned := d.conf.tuned(); work == workAuto && r.OK && tuned.OK && tuned.V < whole(r.V.Max) {
			target = site.Some(whole(r.V.Max))
		}
		return work, target, nil
	}
	if !r.OK {
		return "", target, fmt.Errorf("no range of watts is known of model %q: %w", d.last.Identity.Model, driver.ErrUnsupported)
	}
	if want.Power.V < r.V.Min {
		return "", target, fmt.Errorf("a target of %v is below %v: %w", want.Power.V, r.V.Min, driver.ErrUnsupported)
	}
	return workAuto, site.Some(whole(min(want.Power.V, r.V.Max))), nil
}

func whole(p unit.Power) unit.Power { return p / unit.Watt * unit.Watt }

// post posts the whole configuration.
func (d *device) post(ctx context.Context, c conf) error {
	if err := d.order(ctx, d.web.Do, "miner_config", c); err != nil {
		d.conf = nil // it may have arrived
		return err
	}
	d.take(c)
	return nil
}

// sender is the client's Do or Once.
type sender func(ctx context.Context, method, path string, body any) (httpx.Reply, error)

// order posts to a page whose answer says whether it was an error.
func (d *device) order(ctx context.Context, send sender, name string, body any) error {
	r, err := send(ctx, http.MethodPost, base+name, body)
	if err == nil {
		err = r.Check(http.MethodPost, base+name)
	}
	if err != nil {
		return err
	}
	o, err := parse(r.Body)
	if err != nil {
		return fmt.Errorf("post %s: %w", name, err)
	}
	return result(o, name)
}

func result(o rpc.Object, name string) error {
	if o.Bool("error").Or(false) {
		return fmt.Errorf("post %s: %q: %w", name, o.Text("msg"), driver.ErrRefused)
	}
	return nil
}

// Do carries out one action.
func (d *device) Do(ctx context.Context, a driver.Action) error {
	d.dirty = true
	var err error
	switch a.Act {
	case site.ActReboot:
		err = d.order(ctx, d.web.Once, "maintenance", map[string]any{"type": "reboot"})
		if errors.Is(err, httpx.ErrCut) {
			err = nil // it went down at once
		}
	case site.ActPools:
		err = d.setPools(ctx, a.Pools)
	case site.ActLED:
		err = d.order(ctx, d.web.Do, "locate_miner", map[string]any{"blinking": a.On})
	case site.ActPassword:
		err = d.setPassword(ctx, a.Password)
	default:
		err = driver.ErrUnsupported
	}
	if err != nil {
		return fmt.Errorf("mara %s: %s: %w", d.t.Device, a.Act, err)
	}
	return nil
}

func (d *device) setPools(ctx context.Context, pools []driver.Pool) error {
	const places = 3
	if len(pools) == 0 || len(pools) > places {
		return fmt.Errorf("%d pools, and it takes 1 to %d: %w", len(pools), places, driver.ErrUnsupported)
	}
	if err := d.readConf(ctx); err != nil {
		return err
	}
	return d.post(ctx, d.conf.withPools(pools))
}

func (d *device) setPassword(ctx context.Context, password driver.Secret) error {
	params := map[string]string{"curPwd": string(d.t.Password), "newPwd": string(password), "confirmPwd": string(password)}
	if err := d.order(ctx, d.web.Do, "maintenance", map[string]any{"type": "passwd", "params": params}); err != nil {
		return err
	}
	d.t.Password, d.auth.Password = password, password
	d.auth.Forget()
	return nil
}
