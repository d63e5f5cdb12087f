// Package ranges owns the reading of what a person types of addresses and ports to scan.
//
// It never looks at a network. Concurrency: all functions are pure.
package ranges

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"switchyard/driver/all"
	"switchyard/sitefile"
)

// Hosts returns the addresses of all ranges, each once, in order.
func Hosts(ranges []string) ([]netip.Addr, error) {
	var out []netip.Addr
	seen := map[netip.Addr]bool{}
	for _, r := range ranges {
		these, err := sitefile.Hosts(r)
		if err != nil {
			return nil, err
		}
		for _, a := range these {
			if !seen[a] {
				seen[a] = true
				out = append(out, a)
			}
		}
		if len(out) > sitefile.MaxAddresses {
			return nil, fmt.Errorf("these ranges have more than %d addresses together; scan them in parts", sitefile.MaxAddresses)
		}
	}
	return out, nil
}

// Ports reads "http=18080,rpc=14028".
func Ports(s string) (map[string]int, error) {
	if s == "" {
		return nil, nil
	}
	known := map[string]bool{}
	for _, d := range all.Drivers() {
		for name := range d.Ports {
			known[name] = true
		}
	}
	out := map[string]int{}
	for _, pair := range strings.Split(s, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		n, err := strconv.Atoi(value)
		switch {
		case err != nil || n < 1 || n > 65535:
			return nil, fmt.Errorf("--ports: %q is not NAME=PORT; write it like --ports http=18080,rpc=14028", pair)
		case !known[name]:
			return nil, fmt.Errorf("--ports: no driver has a port called %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		out[name] = n
	}
	return out, nil
}

// Has says whether a driver has a port of that name.
func Has(name, port string) bool {
	d, ok := all.ByName(name)
	if !ok {
		return false
	}
	_, ok = d.Ports[port]
	return ok
}
