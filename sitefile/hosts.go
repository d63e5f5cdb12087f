package sitefile

import (
	"fmt"
	"net/netip"
)

// Hosts returns the addresses that one entry of a group's addresses names, in order: one
// address, a range or a network. A counted entry ("127.0.0.1*300") is its one address. An
// entry of more than MaxAddresses addresses is an error.
func Hosts(entry string) ([]netip.Addr, error) {
	sp, err := parseSpan(entry)
	switch {
	case err != nil:
		return nil, err
	case sp.same:
		return []netip.Addr{sp.first}, nil
	case sp.n > MaxAddresses:
		return nil, fmt.Errorf("%q has more than %d addresses; write a smaller network or range", entry, MaxAddresses)
	}
	out := make([]netip.Addr, 0, sp.n)
	for a := sp.first; len(out) < sp.n; a = a.Next() {
		out = append(out, a)
	}
	return out, nil
}
