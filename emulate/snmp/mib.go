package snmp

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
)

// Outlet is one outlet of a unit.
type Outlet struct {
	Number int
	Miner  *plant.Miner // nil: nothing is plugged in
	// Cords is how many outlets the miner is plugged into, here or elsewhere, and draws from alike; 0
	// counts as 1.
	Cords int
}

// Config is one emulated unit.
type Config struct {
	ID string
	// Layout is one of Layouts.
	Layout    string
	Community string
	Outlets   []Outlet
}

// object is one object of a unit.
type object struct {
	name  oid
	value value
}

// reading is what one outlet shows.
type reading struct {
	number uint32
	watts  int64
	wh     int64
}

// figures is what a unit shows.
type figures struct {
	id      string
	serial  string
	outlets []reading
	watts   int64 // all together
	wh      int64
}

// layouts is how each make shows it.
func layouts() map[string]func(figures) []object {
	return map[string]func(figures) []object{
		"raritan-px": raritan, "apc-rpdu2": apc, "servertech-sentry4": sentry4, "generic": entities,
	}
}

// Layouts returns the names of the units that can be emulated, sorted.
func Layouts() []string { return slices.Sorted(maps.Keys(layouts())) }

// measure reads the outlets' truth.
func (c *Config) measure() figures {
	f := figures{id: c.ID, serial: fmt.Sprintf("QKE%07d", fault.Hash(0x706475, c.ID)%10_000_000)}
	for _, o := range c.Outlets {
		r := reading{number: uint32(o.Number)}
		if o.Miner != nil {
			p, e, _ := o.Miner.Truth()
			cords := max(o.Cords, 1)
			r.watts, r.wh = int64(math.Round(p.Watts()/float64(cords))), int64(e)/1000/int64(cords)
		}
		f.outlets = append(f.outlets, r)
		f.watts += r.watts
		f.wh += r.wh
	}
	return f
}

// under makes objects below a branch of the tree.
type under struct {
	base oid
	list []object
}

func (u *under) add(v value, rest ...uint32) {
	u.list = append(u.list, object{append(slices.Clone(u.base), rest...), v})
}

// system is the part of SNMPv2-MIB that every agent has.
func system(descr string, kind oid, name string) []object {
	u := under{base: oid{1, 3, 6, 1, 2, 1, 1}}
	u.add(text(descr), 1, 0)
	u.add(identifier(kind), 2, 0)
	u.add(text(name), 5, 0)
	return u.list
}

// raritan is PDU2-MIB: each sensor is a row pdu.inlet.type or pdu.outlet.type, its decimal
// digits stand in the configuration.
func raritan(f figures) []object {
	const (
		activePower, activeEnergy, onOff = 5, 8, 14
		normal, on                       = 4, 7
		yes                              = 1
	)
	u := under{base: oid{1, 3, 6, 1, 4, 1, 13742, 6}}
	u.add(text("Raritan"), 3, 2, 1, 1, 2, 1)
	u.add(text("PX3-5902V"), 3, 2, 1, 1, 3, 1)
	u.add(text(f.serial), 3, 2, 1, 1, 4, 1)
	u.add(value{tagOctets, []byte{0x00, 0x0d, 0x5d, 0x0a, 0x01, byte(len(f.id))}}, 3, 2, 2, 1, 11, 1)
	u.add(text("3.6.1.5-47016"), 3, 2, 3, 1, 6, 1, 1, 1)
	sensor := func(config, measured []uint32, row []uint32, state int64, v value) {
		at := func(column uint32, table []uint32) []uint32 {
			return append(append(slices.Clone(table), column), row...)
		}
		u.add(gauge(0), at(7, config)...)
		u.add(integer(yes), at(2, measured)...)
		u.add(integer(state), at(3, measured)...)
		u.add(v, at(4, measured)...)
	}
	inlet, outlet := []uint32{3, 3, 4, 1}, []uint32{3, 5, 4, 1}
	inletIs, outletIs := []uint32{5, 2, 3, 1}, []uint32{5, 4, 3, 1}
	sensor(inlet, inletIs, []uint32{1, 1, activePower}, normal, gauge(f.watts))
	sensor(inlet, inletIs, []uint32{1, 1, activeEnergy}, normal, gauge(f.wh))
	for _, o := range f.outlets {
		u.add(text(fmt.Sprint(o.number)), 3, 5, 3, 1, 2, 1, o.number)
		u.add(text(fmt.Sprint("Outlet ", o.number)), 3, 5, 3, 1, 3, 1, o.number)
		sensor(outlet, outletIs, []uint32{1, o.number, activePower}, normal, gauge(o.watts))
		sensor(outlet, outletIs, []uint32{1, o.number, activeEnergy}, normal, gauge(o.wh))
		sensor(outlet, outletIs, []uint32{1, o.number, onOff}, on, gauge(0))
	}
	return append(u.list, system("Raritan PDU", append(slices.Clone(u.base), 3, 2), f.id)...)
}

// apc is PowerNet-MIB's rPDU2 branch: whole units in hundredths of kW and tenths of kWh,
// outlets in watts and tenths of kWh.
func apc(f figures) []object {
	u := under{base: oid{1, 3, 6, 1, 4, 1, 318, 1, 1, 26}}
	u.add(text(f.id), 2, 1, 3, 1)
	u.add(text("v7.0.6"), 2, 1, 6, 1)
	u.add(text("AP8653"), 2, 1, 8, 1)
	u.add(text(f.serial), 2, 1, 9, 1)
	u.add(gauge(int64(math.Round(float64(f.watts)/10))), 4, 3, 1, 5, 1)
	u.add(gauge(f.wh/100), 4, 3, 1, 9, 1)
	for _, o := range f.outlets {
		u.add(gauge(int64(o.number)), 9, 4, 3, 1, 1, o.number)
		u.add(integer(1), 9, 4, 3, 1, 2, o.number)
		u.add(text(fmt.Sprint("Outlet ", o.number)), 9, 4, 3, 1, 3, o.number)
		u.add(integer(int64(o.number)), 9, 4, 3, 1, 4, o.number)
		u.add(gauge(o.watts), 9, 4, 3, 1, 7, o.number)
		u.add(gauge(o.wh/100), 9, 4, 3, 1, 11, o.number)
		u.add(integer(2), 9, 2, 3, 1, 5, o.number) // on
	}
	return append(u.list, system("APC Web/SNMP Management Card", oid{1, 3, 6, 1, 4, 1, 318, 1, 3, 4, 5}, f.id)...)
}

// sentry4 is Sentry4-MIB: rows unit.cord.outlet, one unit with one input cord.
func sentry4(f figures) []object {
	u := under{base: oid{1, 3, 6, 1, 4, 1, 1718, 4, 1}}
	u.add(text("Sentry Smart PDU"), 1, 1, 1, 0)
	u.add(text("Version 8.0n"), 1, 1, 3, 0)
	u.add(text(f.serial), 2, 2, 1, 4, 1)
	u.add(text("C2S42CE-YCMFAM00"), 2, 2, 1, 5, 1)
	u.add(integer(f.watts), 3, 3, 1, 3, 1, 1)
	for _, o := range f.outlets {
		u.add(text(fmt.Sprint("AA", o.number)), 8, 2, 1, 2, 1, 1, o.number)
		u.add(integer(1), 8, 3, 1, 1, 1, 1, o.number) // on
		u.add(integer(o.watts), 8, 3, 1, 7, 1, 1, o.number)
		u.add(integer(o.wh), 8, 3, 1, 14, 1, 1, o.number)
	}
	return append(u.list, system("Sentry Smart PDU", u.base[:8], f.id)...)
}

// entities is RFC 7460 and RFC 6933: entity 1 is the unit, the outlets follow, in deciwatts.
func entities(f figures) []object {
	names, energy := under{base: oid{1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1}}, under{base: oid{1, 3, 6, 1, 2, 1, 229, 1, 2, 1}}
	names.add(text(f.id), 7, 1)
	for _, o := range f.outlets {
		names.add(text(fmt.Sprint(o.number)), 7, 1+o.number)
		energy.add(integer(10*o.watts), 1, 1+o.number)
		energy.add(integer(-1), 3, 1+o.number)
	}
	all := append(names.list, energy.list...)
	return append(all, system("Power distribution unit", oid{1, 3, 6, 1, 4, 1, 8072, 3, 2, 10}, f.id)...)
}
