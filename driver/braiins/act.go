package braiins

import (
	"context"
	"errors"
	"fmt"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/site"
)

// acts are those of the public API; GraphQL and port 4028 take none here.
func (d *device) acts() site.ActSet {
	if d.api == nil {
		return 0
	}
	return site.ActsOf(site.ActReboot, site.ActPools, site.ActLED, site.ActPassword)
}

// Do carries out one action.
func (d *device) Do(ctx context.Context, a driver.Action) error {
	if err := d.act(ctx, a); err != nil {
		return fmt.Errorf("braiins %s: %s: %w", d.t.Device, a.Act, err)
	}
	return nil
}

func (d *device) act(ctx context.Context, a driver.Action) error {
	if err := d.contact(ctx); err != nil {
		return err
	}
	if !d.acts().Has(a.Act) {
		return driver.ErrUnsupported
	}
	d.dirty = true
	switch a.Act {
	case site.ActReboot:
		if err := d.api.once(ctx, "actions/reboot"); !errors.Is(err, httpx.ErrCut) {
			return err
		}
		return nil
	case site.ActLED:
		return d.api.put(ctx, "actions/locate", a.On)
	case site.ActPools:
		return d.setPools(ctx, a.Pools)
	}
	if a.Password == "" {
		return fmt.Errorf("an empty password: %w", driver.ErrUnsupported)
	}
	if err := d.api.put(ctx, "auth/password", passwordBody{string(a.Password)}); err != nil {
		return err
	}
	d.t.Password = a.Password
	return d.api.login(ctx) // the old token may end with the password
}

// maxPools is how many are told; the firmware may take more.
const maxPools = 3

// setPools replaces all groups of pools with one.
func (d *device) setPools(ctx context.Context, pools []driver.Pool) error {
	if len(pools) == 0 || len(pools) > maxPools {
		return fmt.Errorf("%d pools: one to %d can be told: %w", len(pools), maxPools, driver.ErrUnsupported)
	}
	group := groupBody{Name: "Default"}
	group.Strategy.Quota.Value = 1
	for _, p := range pools {
		group.Pools = append(group.Pools, poolBody{URL: p.URL, User: p.Worker, Password: string(p.Password), Enabled: true})
	}
	return d.api.put(ctx, "pools/batch", []groupBody{group})
}

// Stage finds the interface, logs in, keeps the connection, and once makes pausing as quick as
// the firmware can.
func (d *device) Stage(ctx context.Context) error {
	if err := d.stage(ctx); err != nil {
		return fmt.Errorf("braiins %s: %w", d.t.Device, err)
	}
	return nil
}

func (d *device) stage(ctx context.Context) error {
	if err := d.contact(ctx); err != nil {
		return err
	}
	switch {
	case d.face == faceGraphQL && d.gql.cookie == "":
		return d.gql.login(ctx)
	case d.face == faceGRPC && !d.grpc.up():
		if err := d.grpc.connect(ctx); err != nil {
			return err
		}
	}
	if d.api == nil || d.ramp.done || d.ramp.least == 0 {
		return nil
	}
	err := d.quicken(ctx)
	d.ramp.done = err == nil || errors.Is(err, driver.ErrRefused) || errors.Is(err, driver.ErrUnsupported)
	if d.ramp.done {
		return nil
	}
	return err
}

// ramp is what is known of quick ramping, in seconds.
type ramp struct {
	least, standard uint32 // 0: the firmware has none
	done            bool
}

// quicken sets the time in which a pause takes the power away to the least that the firmware
// names. The time of the way up stays: the site's inrush allowance reckons with it.
func (d *device) quicken(ctx context.Context) error {
	var c configuration
	if err := d.api.get(ctx, "configuration/miner", &c); err != nil {
		return err
	}
	up, down := d.ramp.standard, uint32(0)
	if c.Boards != nil {
		if c.Boards.Up != nil && *c.Boards.Up > 0 {
			up = *c.Boards.Up
		}
		if c.Boards.Down != nil {
			down = *c.Boards.Down
		}
	}
	if down == d.ramp.least {
		return nil
	}
	return d.api.put(ctx, "performance/quick-ramping", rampBody{Up: up, Down: d.ramp.least})
}
