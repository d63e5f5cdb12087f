package luxos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"switchyard/driver"
	"switchyard/site"
	"switchyard/unit"
)

// Apply puts the miner to sleep, or sets its profile and wakes it.
func (d *device) Apply(ctx context.Context, want site.Setpoint) error {
	d.dirty = true
	if want.Mode == site.ModeSleep {
		return d.wrap(d.curtail(ctx, "sleep", true))
	}
	return d.wrap(d.run(ctx, want.Power))
}

// curtail puts the miner to sleep or wakes it. A refusal by one that is so already is none.
func (d *device) curtail(ctx context.Context, action string, urgent bool) error {
	asleep := action == "sleep"
	err := d.write(ctx, order{command: "curtail", args: []string{action}, urgent: urgent})
	if errors.Is(err, driver.ErrRefused) && d.look(ctx) == nil && d.conf.asleep == site.Some(asleep) {
		return nil
	}
	if err == nil {
		d.conf.asleep, d.confAt = site.Some(asleep), d.t.Now()
	}
	return err
}

// run wakes the miner at the profile that full power or the cap asks for. A miner that is
// asleep gets its profile first: its ramp must not go above the cap.
func (d *device) run(ctx context.Context, limit site.Opt[unit.Power]) error {
	name := d.full
	if limit.OK {
		p, err := d.below(ctx, limit.V)
		if err != nil {
			return err
		}
		name = p.name
	}
	if d.confAt.IsZero() || d.t.Now().Sub(d.confAt) > fresh || d.settled(name) {
		if err := d.look(ctx); err != nil { // also where nothing is to do: somebody may have changed it
			return err
		}
	}
	late := false
	if !d.settled(name) {
		err := d.choose(ctx, limit.OK, name)
		late = errors.Is(err, driver.ErrRefused) && d.conf.asleep.Or(false)
		full := name == d.full && errors.Is(err, driver.ErrUnsupported) // it knows no profiles
		if err != nil && !late && !full {
			return err
		}
	}
	if !d.conf.asleep.OK || d.conf.asleep.V {
		if err := d.curtail(ctx, "wakeup", limit.OK); err != nil {
			return err
		}
	}
	if late {
		return d.choose(ctx, limit.OK, name)
	}
	return nil
}

// settled says whether the profile is in force. Under ATM it may also be a lower one, as long
// as it cannot climb above.
func (d *device) settled(name string) bool {
	if !d.conf.atm.Or(false) {
		return equal(d.conf.profile, name)
	}
	if !equal(d.ceiling, name) {
		return false
	}
	now, known := d.point(d.conf.profile)
	top, ok := d.point(name)
	return equal(d.conf.profile, name) || known && ok && now.power.OK && now.power.V <= top.power.V
}

// choose sets the profile, and the highest that ATM may climb to: that one first where it goes
// up, and last where a cap is in haste.
func (d *device) choose(ctx context.Context, capped bool, name string) error {
	steps := []func() error{func() error { return d.allow(ctx, capped, name) }, func() error {
		err := d.write(ctx, order{command: "profileset", args: []string{name}, urgent: capped})
		if err == nil {
			d.conf.profile, d.confAt = name, d.t.Now()
		}
		return err
	}}
	if capped {
		slices.Reverse(steps)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// allow sets the highest profile that ATM may climb to, where ATM is on.
func (d *device) allow(ctx context.Context, capped bool, name string) error {
	if !d.conf.atm.Or(false) || equal(d.ceiling, name) {
		return nil
	}
	err := d.write(ctx, order{command: "atmset", args: []string{"max_profile=" + name}, urgent: capped})
	if err != nil && !errors.Is(err, driver.ErrUnsupported) {
		return err
	}
	d.ceiling = name
	return nil
}

// look reads the configuration, and ATM's highest profile where that matters.
func (d *device) look(ctx context.Context) error {
	parts, err := d.ask(ctx, "config", "atm")
	if err != nil {
		return err
	}
	c, ok := parseConfig(parts["config"])
	if !ok {
		return fmt.Errorf("config is empty: %w", driver.ErrUnreachable)
	}
	d.learn(c)
	d.knowProfiles(parts)
	return nil
}

// below returns the profile with the most watts that a cap allows, at most full power's.
func (d *device) below(ctx context.Context, limit unit.Power) (point, error) {
	if len(d.points) == 0 {
		parts, err := d.ask(ctx, "profiles")
		if err != nil {
			return point{}, err
		}
		d.knowProfiles(parts)
	}
	if top, ok := d.point(d.full); ok && top.power.OK {
		limit = min(limit, top.power.V)
	}
	var best point
	for _, p := range d.points {
		if p.power.OK && p.power.V <= limit && strings.IndexByte(p.name, ',') < 0 {
			best = p
		}
	}
	switch {
	case len(d.points) == 0:
		return point{}, fmt.Errorf("the miner has no profiles: %w", driver.ErrUnsupported)
	case best.name == "":
		return point{}, fmt.Errorf("no profile draws as little as %v: %w", limit, driver.ErrRefused)
	}
	return best, nil
}

// Do reboots, sets pools, lets the red light blink, or chooses a profile by name.
func (d *device) Do(ctx context.Context, a driver.Action) error {
	d.dirty = true
	switch a.Act {
	case site.ActReboot:
		err := d.write(ctx, order{command: "rebootdevice", last: true})
		d.session.id = "" // it does not outlast the reboot
		return d.wrap(err)
	case site.ActPools:
		return d.wrap(d.setPools(ctx, a.Pools))
	case site.ActLED:
		if a.On {
			return d.wrap(d.write(ctx, order{command: "ledset", args: []string{"red", "blink"}}))
		}
		err := d.write(ctx, order{command: "ledset", args: []string{"red", "auto"}}) // back in the firmware's hands
		if errors.Is(err, driver.ErrRefused) {
			err = d.write(ctx, order{command: "ledset", args: []string{"red", "off"}})
		}
		return d.wrap(err)
	case site.ActProfile:
		return d.wrap(d.setProfile(ctx, a.Profile))
	case site.ActPassword:
	}
	return d.wrap(fmt.Errorf("act %s: %w", a.Act, driver.ErrUnsupported))
}

func (d *device) setProfile(ctx context.Context, name string) error {
	if err := d.look(ctx); err != nil {
		return err
	}
	if len(d.points) == 0 {
		if _, err := d.below(ctx, unit.Megawatt); err != nil {
			return err
		}
	}
	p, ok := d.point(name)
	if !ok || strings.IndexByte(p.name, ',') >= 0 {
		return fmt.Errorf("it has no profile %q: %w", name, driver.ErrRefused)
	}
	if err := d.choose(ctx, false, p.name); err != nil {
		return err
	}
	d.full = p.name
	return nil
}

// setPools adds the new pools, switches to the first of them and removes the old ones, the
// last first: their numbers move up. One that fails in the middle leaves more pools than
// wanted, never none.
func (d *device) setPools(ctx context.Context, want []driver.Pool) error {
	if len(want) == 0 {
		return fmt.Errorf("no pools: %w", driver.ErrRefused)
	}
	for _, p := range want {
		if strings.IndexByte(p.URL+p.Worker+string(p.Password), ',') >= 0 {
			return fmt.Errorf("a comma in a pool's URL, worker or password cannot be sent: %w", driver.ErrRefused)
		}
	}
	old, err := d.pools(ctx)
	if err != nil {
		return err
	}
	for _, p := range want {
		if _, err := d.call(ctx, "addpool", p.URL, p.Worker, string(p.Password)); err != nil {
			return err
		}
	}
	now, err := d.pools(ctx)
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
	slices.SortFunc(old, func(a, b pool) int { return b.number - a.number })
	for _, p := range old {
		if _, err := d.call(ctx, "removepool", strconv.Itoa(p.number)); err != nil {
			return err
		}
	}
	return nil
}

func (d *device) pools(ctx context.Context) ([]pool, error) {
	r, err := d.call(ctx, "pools")
	if err != nil {
		return nil, err
	}
	if r.Truncated {
		return nil, fmt.Errorf("the list of pools was cut off: %w", driver.ErrUnreachable)
	}
	return parsePools(r), nil
}
