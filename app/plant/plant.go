// Package plant owns the site as its file names it, indexed for the control loop: miners,
// groups, tenants, meters, and what the fleet needs to reach each of them.
//
// It never talks to a device and never decides.
//
// Concurrency: a Plant is constant once made and may be shared freely.
package plant

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/driver/all"
	"switchyard/fleet"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// Miner is what the control loop knows of one miner from the site file.
type Miner struct {
	ID        site.DeviceID
	Group     int // index in Plant.Groups
	Node      int
	Address   string
	Nameplate unit.Power
	Standby   unit.Power
	Hashrate  unit.Hashrate
}

// Group is one mining group with its place in the plant.
type Group struct {
	sitefile.Group
	Load  site.LoadID
	Node  int
	First int // its miners are Miners[First : First+Count]
	Count int
}

// Tenant is one hosting tenant with its place in the plant.
type Tenant struct {
	sitefile.Tenant
	Load site.LoadID
	Node int
}

// Plant is the site as its file names it. Nothing writes it once it is made.
type Plant struct {
	File    *sitefile.File
	Tree    *site.Tree
	Zone    *time.Location
	Groups  []Group
	Tenants []Tenant
	Miners  []Miner
	byID    map[site.DeviceID]int // of Miners
	// Meters per node: how old a reading may be; zero where the node has no meter.
	Stale  []time.Duration
	yields []bool // per node: some group hangs below it
	Specs  []fleet.Spec
	units  map[site.DeviceID]bool // power distribution units
}

// New indexes a site file. now is site time, for the drivers.
func New(f *sitefile.File, now func() time.Time) (*Plant, error) {
	tree, err := f.Tree()
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(f.Site.Timezone)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: %w", f.Site.Timezone, err)
	}
	p := &Plant{File: f, Tree: tree, Zone: zone, byID: map[site.DeviceID]int{}, Stale: make([]time.Duration, tree.Len()), yields: make([]bool, tree.Len())}
	if err := p.addMeters(now); err != nil {
		return nil, err
	}
	if err := p.addUnits(now); err != nil {
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
		p.Tenants = append(p.Tenants, Tenant{Tenant: t, Load: site.LoadID(t.ID), Node: node})
	}
	return p, nil
}

func (p *Plant) addMeters(now func() time.Time) error {
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

func (p *Plant) addGroup(g sitefile.Group, now func() time.Time) error {
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
	p.Groups = append(p.Groups, Group{Group: g, Load: site.LoadID(g.ID), Node: node, First: len(p.Miners), Count: len(targets)})
	for _, t := range targets {
		id := t.Device
		p.byID[id] = len(p.Miners)
		p.Miners = append(p.Miners, Miner{
			ID: id, Group: at, Node: node, Address: t.Host, Nameplate: g.Nameplate, Standby: g.Standby, Hashrate: g.Hashrate,
		})
		p.Specs = append(p.Specs, fleet.Spec{
			Driver: drv, Poll: g.Poll, Timeout: g.Timeout,
			Target: driver.Target{Device: id, Host: t.Host, Ports: t.Ports, User: user, Password: driver.Secret(password), Model: g.Model, Now: now},
		})
	}
	return nil
}

// addUnits adds the power distribution units, whose outlets measure miners.
func (p *Plant) addUnits(now func() time.Time) error {
	p.units = map[site.DeviceID]bool{}
	for _, u := range p.File.PDUs {
		drv, ok := all.ByName(u.Driver)
		if !ok {
			return fmt.Errorf("power distribution unit %s: no driver is called %q", u.ID, u.Driver)
		}
		community, err := p.File.Community(u)
		if err != nil {
			return fmt.Errorf("power distribution unit %s: %w", u.ID, err)
		}
		profile := u.Profile
		if ext := filepath.Ext(profile); ext == ".yaml" || ext == ".yml" {
			profile = p.File.Path(profile)
		}
		id := sitefile.PDUID(u.ID)
		p.units[id] = true
		p.Specs = append(p.Specs, fleet.Spec{
			Driver: drv, Poll: u.Poll, Timeout: 5 * time.Second,
			Target: driver.Target{Device: id, Host: u.Address, Ports: map[string]int{"snmp": u.Port}, Password: driver.Secret(community), Profile: profile, Now: now},
		})
	}
	return nil
}

// Unit says whether the device is a power distribution unit.
func (p *Plant) Unit(id site.DeviceID) bool { return p.units[id] }

// Index returns a miner's place in Miners; false where there is none of that name.
func (p *Plant) Index(id site.DeviceID) (int, bool) {
	i, ok := p.byID[id]
	return i, ok
}

// Yields says whether some group hangs at the node or below it.
func (p *Plant) Yields(node int) bool { return p.yields[node] }

// LoadOf returns the load that a miner belongs to; empty where there is none of that name.
func (p *Plant) LoadOf(id site.DeviceID) site.LoadID {
	if j, ok := p.byID[id]; ok {
		return p.Groups[p.Miners[j].Group].Load
	}
	return ""
}

// Devices returns the miner of that name, or all miners of the group of that name; nil where
// there is neither.
func (p *Plant) Devices(name string) []site.DeviceID {
	if _, ok := p.byID[site.DeviceID(name)]; ok {
		return []site.DeviceID{site.DeviceID(name)}
	}
	for i := range p.Groups {
		g := &p.Groups[i]
		if g.ID != name {
			continue
		}
		ids := make([]site.DeviceID, 0, g.Count)
		for _, m := range p.Miners[g.First : g.First+g.Count] {
			ids = append(ids, m.ID)
		}
		return ids
	}
	return nil
}

// Example returns the name of a miner, for errors that show what names look like.
func (p *Plant) Example() site.DeviceID {
	if len(p.Miners) == 0 {
		return "s21-001"
	}
	return p.Miners[0].ID
}

// FirmBelow is what tenants have contracted at a node and below it.
func (p *Plant) FirmBelow(id site.NodeID) (firm unit.Power) {
	top, _ := p.Tree.Index(id)
	for i := range p.Tenants {
		if p.Tree.Below(p.Tenants[i].Node, top) {
			firm += p.Tenants[i].Firm
		}
	}
	return firm
}

// NodeNames lists the first of the nodes, for errors.
func (p *Plant) NodeNames() string {
	names := make([]string, 0, p.Tree.Len())
	for i := range min(p.Tree.Len(), 20) {
		names = append(names, string(p.Tree.Node(i).ID))
	}
	return strings.Join(names, ", ")
}

// Assumed says what a miner draws that does not tell: its nameplate in proportion to its work,
// or standby while it sleeps; false where its state tells nothing.
func (m *Miner) Assumed(s site.Sample) (unit.Power, bool) {
	switch {
	case s.State == site.StateSleeping:
		return m.Standby, true
	case s.Hashrate.OK && m.Hashrate > 0:
		share := min(float64(s.Hashrate.V)/float64(m.Hashrate), 1.15)
		return m.Standby + (m.Nameplate - m.Standby).Scale(share), true
	case s.State == site.StateHashing, s.State == site.StateStarting:
		return m.Nameplate, true
	}
	return 0, false
}
