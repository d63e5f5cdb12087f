package redfish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// Powered says whether the node has power: a machine on its way off still has. It blocks on the
// controller.
func (c *Client) Powered(ctx context.Context, node string) (bool, error) {
	var on bool
	err := c.step(ctx, node, func(t *talk) error {
		s, err := t.find()
		if err == nil {
			on, err = s.on(node)
		}
		return err
	})
	return on, err
}

func (s system) on(node string) (bool, error) {
	switch s.PowerState {
	case "On", "PoweringOn", "PoweringOff", "Paused":
		return true, nil
	case "Off":
		return false, nil
	}
	return false, fmt.Errorf("node %s: its controller does not tell whether it is on (PowerState %q): %w", node, s.PowerState, compute.ErrUnreachable)
}

// reset asks for a change of power, where the controller offers it.
func (t *talk) reset(s system, kind string) error {
	r := s.Actions.Reset
	if r == nil || r.Target == "" || len(r.Allowed) > 0 && !slices.Contains(r.Allowed, kind) {
		return fmt.Errorf("node %s: its controller offers no %s: %w", t.node, kind, compute.ErrUnsupported)
	}
	return t.send(http.MethodPost, r.Target, "", map[string]string{"ResetType": kind})
}

// PowerOn gives the node power and returns once it has; a node that is on is a success. It
// blocks on the controller.
func (c *Client) PowerOn(ctx context.Context, node string) error {
	told := false
	return c.until(ctx, node, c.o.Wait, func(t *talk, s system) (bool, error) {
		switch on, err := s.on(node); {
		case err != nil || on && s.PowerState != "PoweringOff":
			return err == nil, err
		case told || s.PowerState == "PoweringOff":
			return false, nil
		}
		err := t.reset(s, "On")
		if errors.Is(err, compute.ErrUnsupported) {
			err = t.reset(s, "ForceOn")
		}
		told = err == nil
		return false, err
	})
}

// PowerOff asks the machine to shut down, waits for it as long as Options.Grace, and only then
// forces it off. It returns once the controller says that it is off; a node that is off is a
// success. It blocks for as long as that takes or until ctx ends.
func (c *Client) PowerOff(ctx context.Context, node string) error {
	asked := false
	err := c.until(ctx, node, c.o.Grace, func(t *talk, s system) (bool, error) {
		switch on, err := s.on(node); {
		case err != nil || !on:
			return err == nil, err
		case asked || s.PowerState == "PoweringOff":
			return false, nil
		}
		err := t.reset(s, "GracefulShutdown")
		asked = err == nil
		return false, err
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	// It did not go by itself, or nothing in it listens (no operating system runs): forced.
	// What cannot be reached or may not be done is the caller's to know.
	if !errors.Is(err, errStill) && !errors.Is(err, compute.ErrRefused) {
		return err
	}
	forced := false
	return c.until(ctx, node, c.o.Wait, func(t *talk, s system) (bool, error) {
		on, err := s.on(node)
		if err != nil || !on {
			return err == nil, err
		}
		if !forced {
			err = t.reset(s, "ForceOff")
			forced = err == nil
		}
		return false, err
	})
}

// errStill: what was asked for was acknowledged, and has not happened.
var errStill = fmt.Errorf("it was acknowledged and has not happened yet: %w", compute.ErrUnreachable)

// until looks at the system, and does what do does, until that is done, fails, or the time is over.
func (c *Client) until(ctx context.Context, node string, limit time.Duration, do func(*talk, system) (bool, error)) error {
	end := time.NewTimer(limit)
	defer end.Stop()
	for {
		done := false
		err := c.step(ctx, node, func(t *talk) error {
			s, err := t.find()
			if err == nil {
				done, err = do(t, s)
			}
			return err
		})
		if err != nil || done {
			return err
		}
		next := time.NewTimer(c.o.Poll)
		select {
		case <-next.C:
		case <-end.C:
			next.Stop()
			return fmt.Errorf("node %s: after %s: %w", node, limit, errStill)
		case <-ctx.Done():
			next.Stop()
			return fmt.Errorf("node %s: %w", node, errStill)
		}
	}
}

// Read returns what the whole node draws, and its energy where the controller counts it. It
// tells nothing of GPUs. It blocks on the controller.
func (c *Client) Read(ctx context.Context, node string) (compute.Reading, error) {
	r := compute.Reading{Node: node, Asked: c.clock.Now(), Source: "redfish"}
	err := c.step(ctx, node, func(t *talk) error {
		s, err := t.find()
		if err != nil {
			return err
		}
		r.Power, r.Energy = site.Opt[unit.Power]{}, site.Opt[unit.Energy]{}
		for _, path := range t.bmc.chassis {
			p, e, err := t.draw(path)
			if err != nil {
				return err
			}
			if p.V == 0 && s.PowerState != "Off" {
				p.OK = false // a machine that is on draws something
			}
			if !r.Power.OK {
				r.Power = p
			}
			if !r.Energy.OK {
				r.Energy = e
			}
		}
		if !r.Power.OK && !r.Energy.OK {
			return fmt.Errorf("node %s: its controller tells neither power nor energy of its chassis: %w", node, compute.ErrUnsupported)
		}
		return nil
	})
	if err != nil {
		return compute.Reading{}, err
	}
	r.At = c.clock.Now()
	return r, nil
}

// draw returns what one chassis draws: by its environment's metrics, else by the older Power
// resource, else by the sum of its power supplies' inputs.
func (t *talk) draw(path string) (p site.Opt[unit.Power], e site.Opt[unit.Energy], err error) {
	var c chassis
	if _, err = t.get(path, &c); err != nil {
		return p, e, err
	}
	if c.Environment != nil {
		var m environment
		if err = t.optional(c.Environment.ID, &m); err != nil {
			return p, e, err
		}
		p = watts(t.reading(m.Power))
		if v := t.reading(m.Energy); v.OK {
			e = site.Some(unit.WattHours(v.V * 1e3))
		} else if v := t.reading(m.Joules); v.OK {
			e = site.Some(unit.WattHours(v.V / 3600))
		}
	}
	if c.Power != nil && (!p.OK || p.V == 0) {
		var m power
		if err = t.optional(c.Power.ID, &m); err != nil {
			return p, e, err
		}
		if len(m.Control) > 0 { // the first is the whole chassis
			p = watts(t.reading(&sensor{Reading: m.Control[0].Consumed}))
		}
	}
	if c.PowerSubsystem != nil && (!p.OK || p.V == 0) {
		p, err = t.supplies(c.PowerSubsystem.ID)
	}
	return p, e, err
}

// optional reads a resource that a controller may name and not have.
func (t *talk) optional(path string, into any) error {
	_, err := t.get(path, into)
	if errors.Is(err, compute.ErrUnsupported) || errors.Is(err, compute.ErrGone) {
		return nil
	}
	return err
}

// supplies adds up the inputs of a chassis's power supplies; with one unknown the sum is.
func (t *talk) supplies(path string) (sum site.Opt[unit.Power], err error) {
	var s subsystem
	var all collection
	if err := t.optional(path, &s); err != nil || s.Supplies == nil {
		return sum, err
	}
	if err := t.optional(s.Supplies.ID, &all); err != nil {
		return sum, err
	}
	for _, l := range all.Members[:min(len(all.Members), maxMembers)] {
		var one supply
		if err := t.optional(l.ID, &one); err != nil {
			return site.Opt[unit.Power]{}, err
		}
		if one.Status.State == "Absent" {
			continue
		}
		var m supplyMetrics
		if one.Metrics != nil {
			if err := t.optional(one.Metrics.ID, &m); err != nil {
				return site.Opt[unit.Power]{}, err
			}
		}
		p := watts(t.reading(m.Input))
		if !p.OK {
			return site.Opt[unit.Power]{}, nil
		}
		sum = site.Some(sum.V + p.V)
	}
	return sum, nil
}
