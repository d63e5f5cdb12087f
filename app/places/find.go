package places

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"

	"switchyard/discover"
	"switchyard/driver/all"
	"switchyard/site"
)

// prepare makes the finder; where groups name different ports the standard ones are tried.
func (p *Places) prepare(ctx context.Context) (*discover.Finder, error) {
	f := p.opt.Plant.File
	var listener *discover.Listener
	var deaf error
	if f.Discovery.Listen {
		var err error
		if listener, err = discover.Listen(ctx, "", nil); err != nil {
			deaf = err
		} else {
			deaf = listener.Deaf
		}
	}
	ports := p.ports()
	return discover.NewFinder(discover.FinderOptions{
		Registry: p.reg, Listen: listener, Search: discover.SearchList(f.Groups, f.Discovery.Networks),
		Placed: p.placed, Apply: p.apply,
		File: func(id site.DeviceID) netip.Addr {
			if j, ok := p.opt.Plant.Index(id); ok {
				return p.spots[j].file
			}
			return netip.Addr{}
		},
		Scan:     discover.Options{Detect: all.Detect, Ports: discover.Ports(all.Drivers(), ports), Replace: ports, Logins: p.logins()},
		Stranger: p.strange,
		Warn:     func(err error) { p.opt.Log.Warn("looking for moved devices", "reason", err) },
	}), deaf
}

func (p *Places) find(ctx context.Context) error {
	finder, deaf := p.prepare(ctx)
	if deaf != nil {
		p.opt.Log.Warn("not every maker's broadcasts are heard", "reason", deaf)
	}
	p.finder.Store(finder)
	if err := finder.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// strange is told of devices that answer where none of the site's should.
func (p *Places) strange(s discover.Stranger) {
	if s.Device == "" {
		p.opt.Log.Info("an unknown device", "address", s.Address, "reason", name(s.Identity))
	}
}

// ports are those that the groups name, where all name the same; nil: the standard ones.
func (p *Places) ports() map[string]int {
	var common map[string]int
	for i, g := range p.opt.Plant.File.Groups {
		t := g.Targets()
		if len(t) == 0 {
			continue
		}
		if i > 0 && len(common) > 0 && len(t[0].Ports) > 0 && !maps.Equal(common, t[0].Ports) {
			return nil
		}
		if len(t[0].Ports) > 0 {
			common = t[0].Ports
		}
	}
	return common
}

// logins gives the passwords of the groups whose driver was detected.
func (p *Places) logins() func(string, netip.Addr) []discover.Login {
	by := map[string][]discover.Login{}
	for j := range p.spots {
		s := &p.spots[j]
		if !slices.Contains(by[s.driver], s.login) {
			by[s.driver] = append(by[s.driver], s.login)
		}
	}
	return func(driver string, _ netip.Addr) []discover.Login {
		return slices.Concat(by[driver], by["auto"])
	}
}
