package luxos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
)

// ask sends commands without parameters and returns their replies by name. What the firmware
// does not know, or what was cut off, is left out; with none of them it is an error.
func (d *device) ask(ctx context.Context, names ...string) (map[string]rpc.Reply, error) {
	if !d.single && len(names) > 1 {
		parts, err := d.joined(ctx, names)
		if err == nil || errors.Is(err, driver.ErrUnreachable) {
			return parts, err
		}
		d.single = true // it took "a+b" for one command
	}
	parts := map[string]rpc.Reply{}
	var first error
	for _, name := range names {
		r, err := rpc.Call(ctx, d.t.DialContext, d.addr, rpc.Request{Command: name})
		if errors.Is(err, driver.ErrUnreachable) {
			return nil, err
		}
		if err == nil {
			parts[name] = r
		} else if first == nil {
			first = err
		}
	}
	if len(parts) == 0 {
		return nil, first
	}
	return parts, nil
}

func (d *device) joined(ctx context.Context, names []string) (map[string]rpc.Reply, error) {
	command := ""
	for _, name := range names {
		command += "+" + name
	}
	r, err := rpc.Call(ctx, d.t.DialContext, d.addr, rpc.Request{Command: command[1:]})
	if err != nil {
		return nil, err
	}
	parts := map[string]rpc.Reply{}
	for _, name := range names {
		if list := r.Objects(name); len(list) > 0 {
			part := rpc.Reply{Object: list[0], Truncated: r.Truncated}
			if part.Status().Err() == nil {
				parts[name] = part
			}
		}
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("%s: no part of %s was answered: %w", d.addr, command[1:], driver.ErrUnreachable)
	}
	return parts, nil
}

// Read polls the miner once.
func (d *device) Read(ctx context.Context) (site.Sample, error) {
	asked := d.t.Now()
	parts, err := d.ask(ctx, "summary", "config", "power")
	if err != nil {
		return site.Sample{}, d.wrap(err)
	}
	h, told := parseHot(parts)
	conf, known := parseConfig(parts["config"])
	if !told && !known {
		return site.Sample{}, d.wrap(fmt.Errorf("neither summary nor config: %w", driver.ErrUnreachable))
	}
	if known {
		d.learn(conf)
	}
	s := site.Sample{
		Device: d.t.Device, Asked: asked, Hashrate: h.rate, Power: h.power, Uptime: h.uptime,
		Boards: d.last.Boards, Fans: d.last.Fans, Pools: d.last.Pools, Faults: d.last.Faults,
	}
	n := d.reads + d.phase
	if d.dirty || n%middleEvery == 0 {
		d.middle(ctx, &s)
	}
	if d.dirty || n%slowEvery == 0 {
		d.slow(ctx, &s)
	}
	d.reads++
	d.dirty = false
	d.last = s
	s.Identity = d.identity()
	s.At = d.t.Now()
	s.State = d.state(conf, known, s)
	if known {
		s.Profile = conf.profile
		if p, ok := d.point(conf.profile); ok {
			s.Target = p.power
		}
		if conf.system != "" && !equal(conf.system, "normal") {
			s.Faults = append(s.Faults[:len(s.Faults):len(s.Faults)], "system "+conf.system)
		}
	}
	return s, nil
}

// middle reads boards and fans; what does not come is unknown.
func (d *device) middle(ctx context.Context, s *site.Sample) {
	ctx, cancel := context.WithTimeout(ctx, slowTime)
	defer cancel()
	parts, err := d.ask(ctx, "devs", "temps", "fans", "stats")
	if err != nil {
		s.Boards, s.Fans = nil, nil
		return
	}
	s.Boards, s.Fans = parseBoards(parts), parseFans(parts["fans"])
}

// slow reads pools and events, and the profiles if they are still missing; the last ones stay
// where they do not come.
func (d *device) slow(ctx context.Context, s *site.Sample) {
	ctx, cancel := context.WithTimeout(ctx, slowTime)
	defer cancel()
	names := []string{"pools", "events"}
	if len(d.points) == 0 {
		names = append(names, "profiles")
	}
	parts, err := d.ask(ctx, append(names, "atm")...)
	if err != nil {
		return
	}
	if r, ok := parts["pools"]; ok && !r.Truncated {
		s.Pools = nil
		for _, p := range parsePools(r) {
			s.Pools = append(s.Pools, p.Pool)
		}
	}
	if r, ok := parts["events"]; ok && !r.Truncated {
		s.Faults = parseEvents(r)
	}
	d.knowProfiles(parts)
}

// state joins what the miner was told with what it does: asleep is what neither hashes nor has
// its boards' supply on.
func (d *device) state(c config, known bool, s site.Sample) site.State {
	hashes := s.Hashrate.OK && s.Hashrate.V > 0
	off := c.supply.OK && !c.supply.V
	switch {
	case !known:
		return site.StateUnknown
	case c.asleep.OK && c.asleep.V && (off || !hashes):
		d.idleAt = time.Time{}
		return site.StateSleeping
	case hashes:
		d.idleAt = time.Time{}
		return site.StateHashing
	case !s.Hashrate.OK:
		return site.StateUnknown
	case !c.asleep.OK && off && (c.system == "" || equal(c.system, "normal")):
		return site.StateSleeping // a firmware that does not tell the curtailment
	}
	if d.idleAt.IsZero() {
		d.idleAt = s.At
	}
	if s.At.Sub(d.idleAt) > stuck && !c.tuning || c.system != "" && !equal(c.system, "normal") {
		return site.StateFault
	}
	return site.StateStarting
}
