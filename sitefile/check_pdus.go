package sitefile

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"switchyard/site"
	"switchyard/sitefile/check"
	"switchyard/strictyaml"
)

// maxOutlets bounds the outlets of one unit.
const maxOutlets = 512

// PDUID returns the device id of the power distribution unit called id.
func PDUID(id string) site.DeviceID { return site.DeviceID("pdu:" + id) }

// pdus sets what the file leaves out of its power distribution units.
func (d defaults) pdus(units []PDU) {
	for i := range units {
		u, path := &units[i], fmt.Sprintf("pdus[%d]", i)
		check.Or(d.doc, path+".driver", &u.Driver, "snmp")
		check.Or(d.doc, path+".port", &u.Port, 161)
		check.Or(d.doc, path+".poll", &u.Poll, 15*time.Second)
	}
}

// Community returns the community of a power distribution unit, "public" where the file refers
// to none. It blocks on the disk; see Secret.
func (f *File) Community(u PDU) (string, error) {
	if u.Community == "" {
		return "public", nil
	}
	return f.Secret(u.Community)
}

// pdus checks the power distribution units.
func (c *checker) pdus() {
	ids, sockets := map[string]string{}, map[string]string{}
	for i := range c.f.PDUs {
		u, path := &c.f.PDUs[i], fmt.Sprintf("pdus[%d]", i)
		if c.ID(path+".id", u.ID) {
			if other, twice := ids[u.ID]; twice {
				line, _ := c.doc.At(other)
				c.Fault(path+".id", "give each unit its own id", "the id %q is taken by the unit on line %d", u.ID, line)
			} else {
				ids[u.ID] = path + ".id"
			}
		}
		c.pduAddress(path, u, sockets)
		if c.known.Drivers != nil {
			c.OneOf(path+".driver", "driver", u.Driver, c.known.Drivers...)
		}
		check.Between(c.Check, path+".poll", u.Poll, time.Second, 10*time.Minute)
		if u.Community != "" && !check.IsReference(u.Community) {
			c.Fault(path+".community", `write "env:NAME" or "file:PATH"; without the key it is "public"`, "a secret must not stand in the site file")
		}
		c.pduProfile(path+".profile", u)
		node, ok := c.nodeRef(path+".node", u.Node)
		c.pduOutlets(path+".outlets", u, node, ok)
	}
}

func (c *checker) pduAddress(path string, u *PDU, sockets map[string]string) {
	check.Between(c.Check, path+".port", u.Port, 1, 65535)
	if !c.Need(path+".address", `the unit's IP address, like "10.0.0.9"`) {
		return
	}
	host, err := parseHost(u.Address)
	if err != nil {
		c.Fault(path+".address", `write it like "10.0.0.9"`, "%q is not an IP address", u.Address)
		return
	}
	socket := fmt.Sprintf("%s port %d", host, u.Port)
	if other, twice := sockets[socket]; twice {
		line, _ := c.doc.At(other)
		c.Fault(path+".address", "give every unit its own address", "%s already stands on line %d", socket, line)
		return
	}
	sockets[socket] = path + ".address"
}

func (c *checker) pduProfile(path string, u *PDU) {
	if u.Driver != "snmp" && u.Profile == "" {
		return
	}
	if !c.Need(path, strictyaml.Suggest("", c.known.UnitProfiles)) {
		return
	}
	if ext := filepath.Ext(u.Profile); ext == ".yaml" || ext == ".yml" {
		c.File(path, u.Profile)
	} else if c.known.UnitProfiles != nil && !slices.Contains(c.known.UnitProfiles, u.Profile) {
		c.Fault(path, strictyaml.Suggest(u.Profile, c.known.UnitProfiles), "unknown SNMP profile %q", u.Profile)
	}
}

// pduOutlets checks that what is plugged in exists and hangs where the unit does. A miner may be
// plugged into two outlets, since many have two cords.
func (c *checker) pduOutlets(path string, u *PDU, node int, placed bool) {
	if len(u.Outlets) > maxOutlets {
		c.Fault(path, "divide the unit", "a unit has at most %d outlets", maxOutlets)
		return
	}
	for _, outlet := range slices.Sorted(maps.Keys(u.Outlets)) {
		at, device := strictyaml.Join(path, outlet), u.Outlets[outlet]
		if outlet == "" || len(outlet) > 64 {
			c.Fault(at, `write it as the unit does, like "12" or "AA12"`, "%q cannot be an outlet", outlet)
		}
		if strings.HasPrefix(device, "meter:") {
			c.Fault(at, `write it like "s21-004"`, "%q is no miner", device)
			continue
		}
		if id, machine, ok := strings.Cut(device, "/"); ok {
			c.pduMachine(at, id, machine)
			continue
		}
		c.device(at, device)
		if g, ok := c.f.Group(device[:max(strings.LastIndexByte(device, '-'), 0)]); ok && placed && !c.below(g.Node, node) {
			c.Warn(at, "let the unit hang where its miners do", "%s hangs at %s, and the unit at %s", device, g.Node, u.Node)
		}
	}
}

// pduMachine checks an outlet that feeds a machine of a GPU cluster, "gpu/gpu-01".
func (c *checker) pduMachine(at, id, machine string) {
	k, ok := c.f.Cluster(id)
	if !ok {
		c.Fault(at, "write the cluster's id before the machine's name", "there is no cluster %q", id)
		return
	}
	if _, ok := k.ModelOf(machine); !ok {
		c.Fault(at, "write a name that stands in the cluster's machines", "the cluster %s has no machine %q", id, machine)
	}
}
