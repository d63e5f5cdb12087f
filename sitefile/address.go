package sitefile

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"switchyard/site"
)

// The bounds of the miners of one group and of a site.
const (
	MaxAddresses = 65_536
	MaxMiners    = 4 * MaxAddresses
)

// Address is where one miner of a group is.
type Address struct {
	Device site.DeviceID
	Host   string         // an IP address
	Ports  map[string]int // those that the file replaces, by name; nil if none
}

// MeterID returns the device id of the meter of the node called node.
func MeterID(node string) site.DeviceID { return site.DeviceID("meter:" + node) }

// UnmarshalText reads a port number, "8080", or the first of a row, "20000+".
func (p *Port) UnmarshalText(b []byte) error {
	digits, step := strings.CutSuffix(strings.TrimSpace(string(b)), "+")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%q is not a port; write it like %q, or %q for a row of ports", b, "8080", "20000+")
	}
	*p = Port{Number: n, Step: step}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (p Port) MarshalText() ([]byte, error) {
	s := strconv.Itoa(p.Number)
	if p.Step {
		s += "+"
	}
	return []byte(s), nil
}

// Of returns the port of the i-th miner, from 0.
func (p Port) Of(i int) int {
	if p.Step {
		return p.Number + i
	}
	return p.Number
}

// span is one entry of a group's addresses: n hosts from first on, or one host n times.
type span struct {
	first netip.Addr
	n     int
	same  bool
}

// parseSpan reads one entry; of a count beyond MaxAddresses it returns one more than that.
func parseSpan(s string) (span, error) {
	s = strings.TrimSpace(s)
	if host, times, ok := strings.Cut(s, "*"); ok {
		n, err := strconv.Atoi(strings.TrimSpace(times))
		if err != nil || n < 1 {
			return span{}, fmt.Errorf("%q is not a count; write it like %q", times, "127.0.0.1*300")
		}
		first, err := parseHost(host)
		return span{first, min(n, MaxAddresses+1), true}, err
	}
	if strings.Contains(s, "/") {
		return parseNetwork(s)
	}
	from, to, isRange := strings.Cut(s, "-")
	first, err := parseHost(from)
	if err != nil || !isRange {
		return span{first, 1, false}, err
	}
	last, err := parseHost(to)
	if err != nil {
		return span{}, err
	}
	if first.Is4() != last.Is4() || last.Less(first) {
		return span{}, fmt.Errorf("the range %q runs backwards; write the lower address first", s)
	}
	return span{first, distance(first, last), false}, nil
}

func parseHost(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(s))
	switch {
	case err != nil:
		return a, fmt.Errorf(`%q is not an IP address; write "10.0.0.7", "10.0.0.1-10.0.0.99", "10.0.4.0/24" or "127.0.0.1*300"`, s)
	case a.IsUnspecified() || a.IsMulticast() || a.Zone() != "":
		return a, fmt.Errorf("%q is not the address of a device", s)
	}
	return a.Unmap(), nil
}

func parseNetwork(s string) (span, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return span{}, fmt.Errorf("%q is not a network; write it like %q", s, "10.0.4.0/24")
	}
	if p != p.Masked() {
		return span{}, fmt.Errorf("%q is an address inside a network; write %q for the whole network or %q for the one device", s, p.Masked(), p.Addr())
	}
	if _, err := parseHost(p.Addr().String()); err != nil {
		return span{}, err
	}
	hostBits := p.Addr().BitLen() - p.Bits()
	if hostBits > 17 {
		return span{p.Addr(), MaxAddresses + 1, false}, nil
	}
	n := 1 << hostBits
	if p.Addr().Is4() && hostBits >= 2 {
		return span{p.Addr().Next(), min(n-2, MaxAddresses+1), false}, nil
	}
	return span{p.Addr(), min(n, MaxAddresses+1), false}, nil
}

// distance counts the addresses from first to last, both in; at most MaxAddresses+1.
func distance(first, last netip.Addr) int {
	a, b := first.As16(), last.As16()
	if binary.BigEndian.Uint64(a[:8]) != binary.BigEndian.Uint64(b[:8]) {
		return MaxAddresses + 1
	}
	d := binary.BigEndian.Uint64(b[8:]) - binary.BigEndian.Uint64(a[8:])
	if d >= math.MaxInt32 {
		return MaxAddresses + 1
	}
	return min(int(d)+1, MaxAddresses+1)
}

// Targets returns the group's miners in order: their device ids, addresses and ports. It
// takes a Group that Parse has passed; an entry that is no address is left out.
func (g Group) Targets() []Address {
	var hosts []string
	for _, s := range g.Addresses {
		sp, err := parseSpan(s)
		if err != nil {
			continue
		}
		for a, i := sp.first, 0; i < sp.n && len(hosts) < MaxAddresses; i++ {
			hosts = append(hosts, a.String())
			if !sp.same {
				a = a.Next()
			}
		}
	}
	width := len(strconv.Itoa(max(len(hosts), 100)))
	out := make([]Address, len(hosts))
	for i, h := range hosts {
		out[i] = Address{Device: site.DeviceID(fmt.Sprintf("%s-%0*d", g.ID, width, i+1)), Host: h}
		for name, p := range g.Ports {
			if out[i].Ports == nil {
				out[i].Ports = make(map[string]int, len(g.Ports))
			}
			out[i].Ports[name] = p.Of(i)
		}
	}
	return out
}
