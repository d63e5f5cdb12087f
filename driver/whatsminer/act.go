package whatsminer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"switchyard/driver"
	"switchyard/site"
)

// slots is how many pools a miner has room for; the maker's tools send all of them.
const slots = 3

// The light as the maker's examples let it blink: red, half of each 200 ms.
const (
	ledColor    = "red"
	ledPeriod   = 200
	ledDuration = 100
)

var errUnknown = fmt.Errorf("it cannot be told that: %w", driver.ErrUnsupported)

// checkPools bounds a list of pools.
func checkPools(pools []driver.Pool) error {
	if len(pools) == 0 || len(pools) > slots {
		return fmt.Errorf("it takes one to %d pools: %w", slots, driver.ErrUnsupported)
	}
	return nil
}

func checkNewPassword(p driver.Secret) error {
	if p == "" {
		return fmt.Errorf("an empty password: %w", driver.ErrUnsupported)
	}
	return nil
}

// sitePools is the list as a reading shows it.
func sitePools(pools []driver.Pool) []site.Pool {
	all := make([]site.Pool, 0, len(pools))
	for _, p := range pools {
		all = append(all, site.Pool{URL: p.URL, Worker: p.Worker})
	}
	return all
}

// Do carries out one action.
func (d *V2) Do(ctx context.Context, a driver.Action) error {
	if d.noToken {
		return fmt.Errorf("%s: %s: %w", d.address, a.Act, errUnknown)
	}
	err := errUnknown
	switch a.Act {
	case site.ActReboot:
		err = d.reboot(ctx)
	case site.ActPools:
		err = d.setPools(ctx, a.Pools)
	case site.ActLED:
		parameters := map[string]any{"param": "auto"}
		if a.On {
			parameters = map[string]any{"color": ledColor, "period": ledPeriod, "duration": ledDuration, "start": 0}
		}
		err = d.write(ctx, "set_led", parameters)
	case site.ActPassword:
		err = d.setPassword(ctx, a.Password)
	case site.ActProfile:
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a.Act, err)
	}
	return nil
}

func (d *V2) reboot(ctx context.Context) error {
	err := d.write(ctx, "reboot", nil)
	if errors.Is(err, syscall.ECONNRESET) { // it may be down before it has answered
		err = nil
	}
	if err == nil {
		d.token, d.percent = nil, site.Opt[int]{}
	}
	return err
}

func (d *V2) setPools(ctx context.Context, pools []driver.Pool) error {
	if err := checkPools(pools); err != nil {
		return err
	}
	parameters := map[string]any{}
	for i := range slots {
		var p driver.Pool
		if i < len(pools) {
			p = pools[i]
		}
		n := strconv.Itoa(i + 1)
		parameters["pool"+n], parameters["worker"+n], parameters["passwd"+n] = p.URL, p.Worker, string(p.Password)
	}
	err := d.write(ctx, "update_pools", parameters)
	if err == nil {
		d.pools = sitePools(pools)
	}
	return err
}

func (d *V2) setPassword(ctx context.Context, password driver.Secret) error {
	if err := checkNewPassword(password); err != nil {
		return err
	}
	err := d.write(ctx, "update_pwd", map[string]any{"old": d.password, "new": string(password)})
	if err == nil {
		d.password, d.token = string(password), nil // the old password's token says nothing now
	}
	return err
}

// Do carries out one action.
func (d *V3) Do(ctx context.Context, a driver.Action) error {
	err := errUnknown
	switch a.Act {
	case site.ActReboot:
		err = d.reboot(ctx)
	case site.ActPools:
		err = d.setPools(ctx, a.Pools)
	case site.ActLED:
		var param any = "auto"
		if a.On {
			param = []map[string]any{{"color": ledColor, "period": ledPeriod, "duration": ledDuration, "start": 0}}
		}
		err = d.write(ctx, "set.system.led", param)
	case site.ActPassword:
		err = d.setPassword(ctx, a.Password)
	case site.ActProfile:
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a.Act, err)
	}
	return nil
}

func (d *V3) reboot(ctx context.Context) error {
	d.line.end() // on a new connection an end without an answer can only be the reboot
	err := d.write(ctx, "set.system.reboot", nil)
	if errors.Is(err, errCut) {
		err = nil
	}
	d.line.end()
	if err == nil {
		d.salt, d.percent = "", site.Opt[int]{}
	}
	return err
}

func (d *V3) setPools(ctx context.Context, pools []driver.Pool) error {
	if err := checkPools(pools); err != nil {
		return err
	}
	param := make([]map[string]string, slots)
	for i := range param {
		var p driver.Pool
		if i < len(pools) {
			p = pools[i]
		}
		param[i] = map[string]string{"pool": p.URL, "worker": p.Worker, "passwd": string(p.Password)}
	}
	err := d.writeSealed(ctx, "set.miner.pools", param)
	if err == nil {
		d.pools = sitePools(pools)
	}
	return err
}

func (d *V3) setPassword(ctx context.Context, password driver.Secret) error {
	if err := checkNewPassword(password); err != nil {
		return err
	}
	err := d.writeSealed(ctx, "set.user.change_passwd", map[string]string{
		"account": d.account, "new": string(password), "old": d.password,
	})
	if err == nil {
		d.password, d.salt = string(password), ""
	}
	return err
}

var (
	_ driver.Operator = (*V2)(nil)
	_ driver.Operator = (*V3)(nil)
	_ driver.Stager   = (*V2)(nil)
	_ driver.Stager   = (*V3)(nil)
)
