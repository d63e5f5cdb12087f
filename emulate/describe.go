package emulate

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"switchyard/emulate/fault"
	"switchyard/emulate/modbus"
	"switchyard/emulate/plant"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// description is what a site file asks for.
type description struct {
	config  plant.Config
	sockets []socket
	meters  []meter
	pdus    []pdu
	asleep  int // miners that start asleep
}

// socket is one address to listen on.
type socket struct {
	device, driver, port, address string
	number                        int // of the port
}

// meter is one meter's face.
type meter struct {
	node   site.NodeID
	layout string
	unit   uint8
}

// devices returns the number of emulated devices.
func (d *description) devices() int { return len(d.config.Miners) + len(d.meters) + len(d.pdus) }

// files returns the open files that the site needs: every listening socket, two
// connections a device (a poll and a command may overlap), and some for the rest. A
// controller in the same process needs its ends of the connections as well.
func (d *description) files() int { return len(d.sockets) + 4*d.devices() + 64 }

// describe reads a site file; the error names every group or meter that cannot be emulated.
func describe(f *sitefile.File) (*description, error) {
	tree, err := f.Tree()
	if err != nil {
		return nil, err
	}
	e := f.Emulate
	if e == nil {
		e = &sitefile.Emulate{Seed: 1}
	}
	d := &description{config: plant.Config{Seed: e.Seed, Tree: tree, Ramp: e.Ramp, Location: f.Location(), MeterFaults: map[site.DeviceID]fault.Set{}}}
	ids := map[string][]string{}
	for _, g := range f.Groups {
		for _, a := range g.Targets() {
			ids[g.ID] = append(ids[g.ID], string(a.Device))
		}
	}
	faults, err := fault.Plan(e.Seed, e.Faults, ids)
	if err != nil {
		return nil, fmt.Errorf("plan the faults: %w", err)
	}
	for _, g := range f.Groups {
		if err := d.addGroup(f, g, tree, faults); err != nil {
			return nil, fmt.Errorf("emulate group %s: %w", g.ID, err)
		}
	}
	for _, n := range append([]sitefile.Node{f.Connection}, f.Nodes...) {
		if err := d.addMeter(n, faults); err != nil {
			return nil, fmt.Errorf("emulate the meter of %s: %w", n.ID, err)
		}
	}
	for _, u := range f.PDUs {
		if err := d.addPDU(f, u); err != nil {
			return nil, fmt.Errorf("emulate unit %s: %w", u.ID, err)
		}
	}
	for _, t := range f.Tenants {
		node, ok := tree.Index(site.NodeID(t.Node))
		if !ok {
			return nil, fmt.Errorf("emulate tenant %s: there is no node %q", t.ID, t.Node)
		}
		d.config.Tenants = append(d.config.Tenants, plant.TenantConfig{ID: t.ID, Node: node, Firm: t.Firm, Draw: e.Tenants[t.ID]})
	}
	d.settle(tree)
	return d, nil
}

func (d *description) addGroup(f *sitefile.File, g sitefile.Group, tree *site.Tree, faults map[string]fault.Set) error {
	node, ok := tree.Index(site.NodeID(g.Node))
	if !ok {
		return fmt.Errorf("there is no node %q", g.Node)
	}
	user, password, err := f.Login(g.Credentials)
	if err != nil {
		return err
	}
	driver := g.Driver
	if driver == "auto" || driver == "" {
		driver = driverOf(g.Model)
	}
	kind := kindOf(driver)
	if kind == nil {
		return fmt.Errorf("there is no emulated device for driver %q; there are %s", driver, strings.Join(drivers(), ", "))
	}
	model, known := kind.make.Model(g.Model)
	if !known {
		model = kind.make.Generic(g.Model, g.Hashrate, g.Nameplate)
	}
	if g.Standby > 0 {
		model.Standby = g.Standby
	}
	for _, a := range g.Targets() {
		id := string(a.Device)
		d.config.Miners = append(d.config.Miners, plant.MinerConfig{
			ID: id, Group: g.ID, Make: kind.make, IP: a.Host, Node: node, Model: model, User: user, Password: password, Faults: faults[id],
		})
		ports := maps.Clone(kind.make.Ports)
		for name, number := range a.Ports {
			switch _, has := ports[name]; {
			case has, slices.Contains(kind.make.More, name):
				ports[name] = number
			case g.Driver != "auto": // a group that is detected may name every kind's ports
				return fmt.Errorf("%s has no port called %q; there are %s", driver, name, strings.Join(slices.Sorted(maps.Keys(ports)), ", "))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(ports)) {
			d.sockets = append(d.sockets, socket{id, driver, name, net.JoinHostPort(a.Host, strconv.Itoa(ports[name])), ports[name]})
		}
	}
	return nil
}

// driverOf guesses the protocol from the model's name, for groups that are detected.
func driverOf(model string) string {
	m := strings.ToLower(model)
	switch {
	case strings.Contains(m, "braiins"):
		return "braiins"
	case strings.HasPrefix(m, "m") && len(m) > 1 && m[1] >= '0' && m[1] <= '9', strings.Contains(m, "whatsminer"):
		return "whatsminer"
	}
	return "antminer"
}

func (d *description) addMeter(n sitefile.Node, faults map[string]fault.Set) error {
	if n.Meter == nil {
		return nil
	}
	if !slices.Contains(modbus.Layouts(), n.Meter.Profile) {
		return fmt.Errorf("the emulator has no register layout %q; it has %s", n.Meter.Profile, strings.Join(modbus.Layouts(), ", "))
	}
	id, port := sitefile.MeterID(n.ID), n.Meter.Port
	if port == 0 {
		port = 502
	}
	d.config.MeterFaults[id] = faults[string(id)]
	d.meters = append(d.meters, meter{site.NodeID(n.ID), n.Meter.Profile, uint8(n.Meter.Unit)})
	d.sockets = append(d.sockets, socket{string(id), "modbus", "modbus", net.JoinHostPort(n.Meter.Address, strconv.Itoa(port)), port})
	return nil
}

// startShare is how much of a node's limit is in use at most when the site starts.
const startShare = 0.95

// settle lets as many miners start awake as every limit bears with the tenants at the draw
// that they start with, so that no site starts above a limit. The others start asleep.
func (d *description) settle(tree *site.Tree) {
	room := make([]float64, tree.Len()) // W that may still enter
	for i := range room {
		room[i] = -1
		if l := tree.Node(i).Limit; l > 0 {
			room[i] = l.Watts() * startShare
		}
	}
	// take asks for power at a node and everything above it.
	take := func(node int, p unit.Power, must bool) bool {
		fits := true
		for _, commit := range []bool{false, true} {
			w := p.Watts()
			for i := node; i >= 0; i = tree.Node(i).Parent {
				w /= 1 - min(float64(tree.Node(i).Loss), 0.9)
				switch limited := tree.Node(i).Limit > 0; {
				case limited && commit:
					room[i] -= w
				case limited && room[i] < w:
					fits = false
				}
			}
			if !fits && !must {
				return false
			}
		}
		return fits
	}
	for _, t := range d.config.Tenants {
		take(t.Node, t.Firm.Scale(float64(t.Start())), true)
	}
	for _, m := range d.config.Miners {
		take(m.Node, m.Model.Standby, true)
	}
	for i := range d.config.Miners {
		m := &d.config.Miners[i]
		if !take(m.Node, m.Model.Nameplate.Scale(1.03)-m.Model.Standby, false) {
			m.Asleep = true
			d.asleep++
		}
	}
}
