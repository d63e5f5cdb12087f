package app

import (
	"fmt"
	"path/filepath"
	"time"

	"switchyard/driver"
	"switchyard/driver/all"
	"switchyard/fleet"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// miner is what the control loop knows of one miner from the site file; constant.
type miner struct {
	ID        site.DeviceID
	Group     int // index in plant.Groups
	Node      int
	Address   string
	Nameplate unit.Power
	Standby   unit.Power
	Hashrate  unit.Hashrate
}

type group struct {
	sitefile.Group
	Load  site.LoadID
	Node  int
	First int // its miners are Miners[First : First+Count]
	Count int
}

type tenant struct {
	sitefile.Tenant
	Load site.LoadID
	Node int
}

// plant is the site as its file names it, indexed for the loop. It is constant.
type plant struct {
	File    *sitefile.File
	Tree    *site.Tree
	Zone    *time.Location
	Groups  []group
	Tenants []tenant
	Miners  []miner
	byID    map[site.DeviceID]int // of Miners
	// Meters per node: how old a reading may be; zero where the node has no meter.
	Stale  []time.Duration
	yields []bool // per node: some group hangs below it
	Specs  []fleet.Spec
}

func newPlant(f *sitefile.File, now func() time.Time) (*plant, error) {
	tree, err := f.Tree()
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(f.Site.Timezone)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: %w", f.Site.Timezone, err)
	}
	p := &plant{File: f, Tree: tree, Zone: zone, byID: map[site.DeviceID]int{}, Stale: make([]time.Duration, tree.Len()), yields: make([]bool, tree.Len())}
	if err := p.addMeters(now); err != nil {
		return nil, err
	}
	for _, g := range f.Groups {
		if err := p.addGroup(g, now); err != nil {
			return nil, fmt.Errorf("group %s: %w", g.ID, err)
		}
	}
	for _, t := range f.Tenants {
		node, ok := tree.Index(site.NodeID(t.Node))
		if !ok {
			return nil, fmt.Errorf("tenant %s: no node is called %q", t.ID, t.Node)
		}
		p.Tenants = append(p.Tenants, tenant{Tenant: t, Load: site.LoadID(t.ID), Node: node})
	}
	return p, nil
}

func (p *plant) addMeters(now func() time.Time) error {
	for _, n := range append([]sitefile.Node{p.File.Connection}, p.File.Nodes...) {
		if n.Meter == nil {
			continue
		}
		i, ok := p.Tree.Index(site.NodeID(n.ID))
		if !ok {
			return fmt.Errorf("meter of %q: no such node", n.ID)
		}
		drv, ok := all.ByName("modbus")
		if !ok {
			return fmt.Errorf("meter of %s: this build has no modbus driver", n.ID)
		}
		profile := n.Meter.Profile
		if ext := filepath.Ext(profile); ext == ".yaml" || ext == ".yml" {
			profile = p.File.Path(profile)
		}
		p.Stale[i] = n.Meter.Stale
		p.Specs = append(p.Specs, fleet.Spec{
			Driver: drv, Poll: n.Meter.Poll, Timeout: 2 * time.Second, First: true,
			Target: driver.Target{
				Device: p.Tree.Node(i).Meter, Host: n.Meter.Address, Ports: map[string]int{"modbus": n.Meter.Port},
				Unit: uint8(n.Meter.Unit), Profile: profile, Now: now, //nolint:gosec // the site file's check bounds it
			},
		})
	}
	return nil
}

func (p *plant) addGroup(g sitefile.Group, now func() time.Time) error {
	node, ok := p.Tree.Index(site.NodeID(g.Node))
	if !ok {
		return fmt.Errorf("no node is called %q", g.Node)
	}
	drv, ok := all.ByName(g.Driver)
	if !ok {
		return fmt.Errorf("no driver is called %q", g.Driver)
	}
	user, password, err := p.File.Login(g.Credentials)
	if err != nil {
		return err
	}
	targets := g.Targets()
	for n := node; n >= 0; n = p.Tree.Node(n).Parent {
		p.yields[n] = true
	}
	at := len(p.Groups)
	p.Groups = append(p.Groups, group{Group: g, Load: site.LoadID(g.ID), Node: node, First: len(p.Miners), Count: len(targets)})
	for _, t := range targets {
		id := t.Device
		p.byID[id] = len(p.Miners)
		p.Miners = append(p.Miners, miner{
			ID: id, Group: at, Node: node, Address: t.Host, Nameplate: g.Nameplate, Standby: g.Standby, Hashrate: g.Hashrate,
		})
		p.Specs = append(p.Specs, fleet.Spec{
			Driver: drv, Poll: g.Poll, Timeout: g.Timeout,
			Target: driver.Target{Device: id, Host: t.Host, Ports: t.Ports, User: user, Password: driver.Secret(password), Model: g.Model, Now: now},
		})
	}
	return nil
}
