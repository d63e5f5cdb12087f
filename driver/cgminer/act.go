package cgminer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"switchyard/driver"
	"switchyard/site"
)

// Apply takes only what the miner does anyway: it cannot be stopped or capped. That it is
// there is asked for.
func (d *device) Apply(ctx context.Context, want site.Setpoint) error {
	if want.Mode == site.ModeSleep {
		return d.wrap(d.unsupported(ctx, "it cannot be put to sleep"))
	}
	if want.Power.OK {
		return d.wrap(d.unsupported(ctx, "it takes no watts"))
	}
	_, err := d.call(ctx, "version", "")
	if errors.Is(err, driver.ErrUnsupported) {
		_, err = d.call(ctx, "summary", "")
	}
	return d.wrap(err)
}

// unsupported refuses what no device of this driver can; a dead one is rather unreachable.
func (d *device) unsupported(ctx context.Context, why string) error {
	if _, err := d.call(ctx, "version", ""); errors.Is(err, driver.ErrUnreachable) {
		return err
	}
	return fmt.Errorf("%s: %w", why, driver.ErrUnsupported)
}

// Do sets pools where the miner grants it.
func (d *device) Do(ctx context.Context, a driver.Action) error {
	d.dirty = true
	if a.Act != site.ActPools {
		return d.wrap(fmt.Errorf("act %s: %w", a.Act, driver.ErrUnsupported))
	}
	if _, err := d.call(ctx, "privileged", ""); err != nil {
		if errors.Is(err, driver.ErrUnreachable) {
			return d.wrap(err)
		}
		return d.wrap(fmt.Errorf("it grants no privileged access: %w: %w", err, driver.ErrUnsupported))
	}
	return d.wrap(d.setPools(ctx, a.Pools))
}

// setPools adds the new pools, switches to the first of them and removes the old ones, the
// last first: their numbers move up. One that fails in the middle leaves more pools than
// wanted, never none.
func (d *device) setPools(ctx context.Context, want []driver.Pool) error {
	if len(want) == 0 {
		return fmt.Errorf("no pools: %w", driver.ErrRefused)
	}
	old, err := d.listPools(ctx)
	if err != nil {
		return err
	}
	for _, p := range want {
		if _, err := d.call(ctx, "addpool", escape(p.URL)+","+escape(p.Worker)+","+escape(string(p.Password))); err != nil {
			return err
		}
	}
	now, err := d.listPools(ctx)
	if err != nil {
		return err
	}
	added := slices.DeleteFunc(slices.Clone(now), func(p pool) bool {
		return slices.ContainsFunc(old, func(o pool) bool { return o.number == p.number })
	})
	if len(added) == 0 {
		return fmt.Errorf("the new pools do not show: %w", driver.ErrRefused)
	}
	if _, err := d.call(ctx, "switchpool", strconv.Itoa(added[0].number)); err != nil {
		return err
	}
	slices.Reverse(old)
	for _, p := range old {
		if _, err := d.call(ctx, "removepool", strconv.Itoa(p.number)); err != nil {
			return err
		}
	}
	if _, err := d.call(ctx, "save", ""); errors.Is(err, driver.ErrUnreachable) {
		return err // others do not save: the pools are in force all the same
	}
	return nil
}

func (d *device) listPools(ctx context.Context) ([]pool, error) {
	r, err := d.call(ctx, "pools", "")
	if err != nil {
		return nil, err
	}
	if r.Truncated {
		return nil, fmt.Errorf("the list of pools was cut off: %w", driver.ErrUnreachable)
	}
	return parsePools(r), nil
}

// escape writes commas and backslashes as the family's parameters want them.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(s)
}
