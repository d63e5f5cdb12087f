package emulate

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"switchyard/emulate/snmp"
	"switchyard/sitefile"
)

// usualOutlets is how many outlets a unit has at least.
const usualOutlets = 24

// pdu is one power distribution unit's face.
type pdu struct {
	socket  socket
	config  snmp.Config
	outlets map[int]string // devices by the outlets' numbers
}

// addPDU reads one unit; its community is read here, so that a missing secret shows at the start.
func (d *description) addPDU(f *sitefile.File, u sitefile.PDU) error {
	if u.Port == 0 {
		u.Port = 161
	}
	if u.Driver != "snmp" && u.Driver != "" {
		return fmt.Errorf("there is no emulated unit for driver %q; there is snmp", u.Driver)
	}
	if !slices.Contains(snmp.Layouts(), u.Profile) {
		return fmt.Errorf("the emulator has no unit %q; it has %s", u.Profile, strings.Join(snmp.Layouts(), ", "))
	}
	community, err := f.Community(u)
	if err != nil {
		return err
	}
	id := string(sitefile.PDUID(u.ID))
	p := pdu{
		socket: socket{id, "snmp", "snmp", net.JoinHostPort(u.Address, strconv.Itoa(u.Port)), u.Port},
		config: snmp.Config{ID: id, Layout: u.Profile, Community: community}, outlets: map[int]string{},
	}
	for _, name := range slices.Sorted(maps.Keys(u.Outlets)) {
		digits := strings.TrimLeft(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz .-")
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 || n > 128 {
			return fmt.Errorf("outlet %q: the emulator's outlets end in a number from 1 to 128, such as 12 or AA12", name)
		}
		if other, twice := p.outlets[n]; twice && other != u.Outlets[name] {
			return fmt.Errorf("outlet %q: %s is plugged in at %d already", name, other, n)
		}
		p.outlets[n] = u.Outlets[name]
	}
	d.pdus = append(d.pdus, p)
	return nil
}

// cords counts how many outlets each device is plugged into.
func (d *description) cords() map[string]int {
	n := map[string]int{}
	for _, p := range d.pdus {
		for _, device := range p.outlets {
			n[device]++
		}
	}
	return n
}

// listenPDUs binds the units' sockets and puts their agents behind them.
func (s *Site) listenPDUs(d *description) error {
	var failed bindErrors
	cords := d.cords()
	for _, p := range d.pdus {
		conn, err := (&net.ListenConfig{}).ListenPacket(context.Background(), "udp", p.socket.address)
		if err != nil {
			failed = append(failed, bindError{p.socket, err})
			continue
		}
		most := usualOutlets
		for n := range p.outlets {
			most = max(most, n)
		}
		for n := 1; n <= most; n++ {
			o := snmp.Outlet{Number: n}
			if device, used := p.outlets[n]; used {
				o.Miner, o.Cords = s.world.Miner(device), cords[device]
			}
			p.config.Outlets = append(p.config.Outlets, o)
		}
		agent, err := snmp.Serve(conn, p.config)
		if err != nil {
			_ = conn.Close() // nobody has it yet
			return fmt.Errorf("emulate %s: %w", p.config.ID, err)
		}
		s.closers = append(s.closers, agent)
	}
	if len(failed) > 0 {
		return failed
	}
	return nil
}
