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

// prepare makes the finder; each set of ports that a group names is tried.
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
	var sets []discover.PortSet
	for _, replace := range p.portSets() {
		sets = append(sets, discover.PortSet{Ports: discover.Ports(all.Drivers(), replace), Replace: replace})
	}
	return discover.NewFinder(discover.FinderOptions{
		Registry: p.reg, Listen: listener, Search: discover.SearchList(f.Groups, f.Discovery.Networks),
		Placed: p.placed, Apply: p.apply,
		File: func(id site.DeviceID) netip.Addr {
			if j, ok := p.opt.Plant.Index(id); ok {
				return p.spots[j].file
			}
			return netip.Addr{}
		},
		Scan:     discover.Options{Detect: all.Detect, Ports: sets[0].Ports, Replace: sets[0].Replace, Logins: p.logins()},
		Others:   sets[1:],
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

// portSets are the ports that groups name, each set once; nil: the standard ones. Groups whose
// devices share an address by a row of ports are left out: those are not found again.
func (p *Places) portSets() []map[string]int {
	var out []map[string]int
	for _, g := range p.opt.Plant.File.Groups {
		t := g.Targets()
		if len(t) == 0 || !maps.Equal(t[0].Ports, t[len(t)-1].Ports) {
			continue
		}
		same := func(have map[string]int) bool { return maps.Equal(have, t[0].Ports) }
		if !slices.ContainsFunc(out, same) {
			out = append(out, t[0].Ports)
		}
	}
	if out == nil {
		out = append(out, nil)
	}
	return out
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
