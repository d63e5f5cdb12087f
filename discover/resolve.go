package discover

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"switchyard/site"
)

// Placed is where a device of the site is taken to be now.
type Placed struct {
	Device  site.DeviceID
	Address netip.Addr // zero: nowhere that is known
	// Lost says that it does not answer there, or that another device does.
	Lost bool
}

// Sighting is who answered at an address when asked.
type Sighting struct {
	Address  netip.Addr
	Driver   string
	Identity site.Identity
	At       time.Time
}

// Moved says that a device is now at another address. To is zero where another device has its
// address and it was not found itself: it must not be spoken to until it is.
type Moved struct {
	Device   site.DeviceID
	From, To netip.Addr
	Identity site.Identity // as it told it there; empty where To is zero
	At       time.Time
}

// Stranger says that a device which is none of the site's answers at an address. It must not
// be told anything.
type Stranger struct {
	Address  netip.Addr
	Device   site.DeviceID // whose address it was taken to be; empty: nobody's
	Driver   string
	Identity site.Identity
	At       time.Time
}

// Resolve says what follows from sightings for where devices are. owner says whose identity
// it is; empty: no device's. After all moves together no two devices are at one address.
// Devices that share an address (by ports) are left alone, and so are addresses where nobody
// said who it is. Both lists are ordered: moves by device, strangers by address.
func Resolve(placed []Placed, owner func(site.Identity) site.DeviceID, seen []Sighting) ([]Moved, []Stranger) {
	at := map[netip.Addr]site.DeviceID{}
	where := map[site.DeviceID]netip.Addr{}
	shared := map[netip.Addr]bool{}
	for _, p := range placed {
		a := p.Address.Unmap()
		where[p.Device] = a
		if _, twice := at[a]; twice && a.IsValid() {
			shared[a] = true
		}
		at[a] = p.Device
	}
	targets := map[site.DeviceID]Sighting{}
	var strangers []Stranger
	for _, s := range newest(seen) {
		mac, _ := MAC(s.Identity.MAC)
		if s.Address = s.Address.Unmap(); shared[s.Address] || mac == "" && Serial(s.Identity.Serial) == "" {
			continue
		}
		id := owner(s.Identity)
		from, ours := where[id]
		switch {
		case !ours || id == "":
			if s.Address.IsValid() {
				strangers = append(strangers, Stranger{s.Address, at[s.Address], s.Driver, s.Identity, s.At})
			}
		case shared[from]:
		default:
			// One that answers at two addresses stays where it was, else it is where it was seen last.
			if t, ok := targets[id]; !ok || t.Address != from && (s.Address == from || s.At.After(t.At)) {
				targets[id] = s
			}
		}
	}
	return moves(where, at, targets), strangers
}

func moves(where map[site.DeviceID]netip.Addr, at map[netip.Addr]site.DeviceID, targets map[site.DeviceID]Sighting) []Moved {
	var out []Moved
	for id, s := range targets {
		if s.Address == where[id] {
			continue
		}
		out = append(out, Moved{Device: id, From: where[id], To: s.Address, Identity: s.Identity, At: s.At})
		holder, held := at[s.Address]
		if _, found := targets[holder]; held && !found {
			out = append(out, Moved{Device: holder, From: s.Address, At: s.At})
		}
	}
	slices.SortFunc(out, func(a, b Moved) int { return cmp.Compare(a.Device, b.Device) })
	return out
}

// newest returns the last sighting of each address, by address.
func newest(seen []Sighting) []Sighting {
	last := map[netip.Addr]Sighting{}
	for _, s := range seen {
		a := s.Address.Unmap()
		if l, ok := last[a]; !ok || !s.At.Before(l.At) {
			last[a] = s
		}
	}
	out := make([]Sighting, 0, len(last))
	for _, s := range last {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Sighting) int { return a.Address.Unmap().Compare(b.Address.Unmap()) })
	return out
}
