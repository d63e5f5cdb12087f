package redfish

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// Limit is a controller's limit on the power of a whole node.
type Limit struct {
	// Set is the limit in force; unknown: none. Least and Most are what the controller takes.
	Set         site.Opt[unit.Power]
	Least, Most site.Opt[unit.Power]
}

// way is how a controller lets its limit be set.
type way struct {
	path, tag string
	limit     Limit
	body      func(w *float64) any // nil: no limit
}

// Limit returns the limit on the power of a node. compute.ErrUnsupported: its controller offers
// none. It blocks on the controller.
func (c *Client) Limit(ctx context.Context, node string) (Limit, error) {
	var l Limit
	err := c.step(ctx, node, func(t *talk) error {
		w, err := t.way()
		l = w.limit
		return err
	})
	return l, err
}

// SetLimit limits the power of a whole node to p, or to none where p is unknown, and returns
// the limit as it is then. It has no lease: who sets it must lift it. A p below what the
// controller takes is raised to that. It blocks on the controller.
func (c *Client) SetLimit(ctx context.Context, node string, p site.Opt[unit.Power]) (Limit, error) {
	if p.OK && p.V < unit.Watt {
		return Limit{}, fmt.Errorf("node %s: a limit of %s cannot be: %w", node, p.V.Short(), compute.ErrRefused)
	}
	var l Limit
	err := c.step(ctx, node, func(t *talk) error {
		w, err := t.way()
		if err != nil {
			return err
		}
		var to *float64
		if p.OK {
			v := max(p.V, w.limit.Least.Or(0))
			v = min(v, w.limit.Most.Or(v))
			whole := math.Floor(v.Watts())
			to = &whole
		}
		if err := t.send(http.MethodPatch, w.path, w.tag, w.body(to)); err != nil {
			return err
		}
		if w, err = t.way(); err == nil {
			l = w.limit
		}
		return err
	})
	return l, err
}

// way finds how the node's power is limited: the Power resource, the environment's metrics, or a
// Control of the chassis.
func (t *talk) way() (way, error) {
	if _, err := t.find(); err != nil {
		return way{}, err
	}
	for _, path := range t.bmc.chassis {
		var c chassis
		if _, err := t.get(path, &c); err != nil {
			return way{}, err
		}
		for _, try := range []func(chassis) (way, bool, error){t.byPower, t.byEnvironment, t.byControl} {
			w, ok, err := try(c)
			if err != nil && !errors.Is(err, compute.ErrUnsupported) {
				return way{}, err
			}
			if ok && err == nil {
				return w, nil
			}
		}
	}
	return way{}, fmt.Errorf("node %s: its controller offers no limit in watts on its power: %w", t.node, compute.ErrUnsupported)
}

func (t *talk) byPower(c chassis) (way, bool, error) {
	if c.Power == nil {
		return way{}, false, nil
	}
	var p power
	tag, err := t.get(c.Power.ID, &p)
	if err != nil || len(p.Control) == 0 || p.Control[0].Limit == nil {
		return way{}, false, err
	}
	return way{
		path: c.Power.ID, tag: tag, limit: Limit{Set: set(p.Control[0].Limit.Watts)},
		body: func(w *float64) any {
			return map[string]any{"PowerControl": []any{map[string]any{"PowerLimit": map[string]any{"LimitInWatts": w}}}}
		},
	}, true, nil
}

func (t *talk) byEnvironment(c chassis) (way, bool, error) {
	if c.Environment == nil {
		return way{}, false, nil
	}
	var m environment
	tag, err := t.get(c.Environment.ID, &m)
	if err != nil || m.Limit == nil {
		return way{}, false, err
	}
	return way{
		path: c.Environment.ID, tag: tag, limit: m.Limit.limit(),
		body: func(w *float64) any { return map[string]any{"PowerLimitWatts": m.Limit.body(w)} },
	}, true, nil
}

func (t *talk) byControl(c chassis) (way, bool, error) {
	if c.Controls == nil {
		return way{}, false, nil
	}
	var all collection
	if _, err := t.get(c.Controls.ID, &all); err != nil {
		return way{}, false, err
	}
	for _, l := range all.Members[:min(len(all.Members), maxMembers)] {
		var k control
		tag, err := t.get(l.ID, &k)
		if err != nil {
			return way{}, false, err
		}
		// Some are in per cent, some of one GPU: neither is a limit of the node in watts.
		whole := k.Context == "" || k.Context == "Chassis" || k.Context == "SystemBoard"
		if k.Type == "Power" && (k.Units == "W" || k.Units == "") && whole {
			return way{path: l.ID, tag: tag, limit: k.limit(), body: func(w *float64) any { return k.body(w) }}, true, nil
		}
	}
	return way{}, false, nil
}

func (k *control) limit() Limit {
	l := Limit{Set: set(k.Set), Least: set(k.Least), Most: set(k.Most)}
	if k.Mode != nil && *k.Mode == "Disabled" {
		l.Set = site.Opt[unit.Power]{}
	}
	return l
}

// body sets a control; a mode is told only where it has one. Without a mode no limit is the most
// that it takes.
func (k *control) body(w *float64) any {
	switch {
	case w != nil && k.Mode != nil:
		return map[string]any{"ControlMode": "Automatic", "SetPoint": *w}
	case w != nil:
		return map[string]any{"SetPoint": *w}
	case k.Mode != nil:
		return map[string]any{"ControlMode": "Disabled"}
	}
	return map[string]any{"SetPoint": k.Most}
}

func set(w *float64) site.Opt[unit.Power] {
	if w == nil || *w <= 0 || *w > 1e6 {
		return site.Opt[unit.Power]{}
	}
	return site.Some(unit.Watts(*w))
}
