package emulate

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// bindError is one address that could not be bound.
type bindError struct {
	socket
	err error
}

// bindErrors is all of them.
type bindErrors []bindError

// mostNamed bounds the addresses that an error prints.
const mostNamed = 10

// Error names the addresses and says what would help, once for each kind of trouble.
func (b bindErrors) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d addresses of emulated devices cannot be bound:", len(b))
	for i, e := range b {
		if i == mostNamed {
			fmt.Fprintf(&s, "\n  and %d more", len(b)-i)
			break
		}
		fmt.Fprintf(&s, "\n  %s (%s, port %q): %v", e.address, e.device, e.port, cause(e.err))
	}
	for _, help := range []struct {
		err  error
		text string
	}{
		{syscall.EACCES, "ports below 1024 need a privilege: shift them in the group's ports (ports: {http: 20000+} gives the miners 20000, 20001, ...; one number serves miners that have an address each) or in the meter's port"},
		{syscall.EADDRNOTAVAIL, "the address is not this machine's: emulated devices live on 127.x.y.z; where only 127.0.0.1 exists (macOS), write addresses: [\"127.0.0.1*300\"] and a row of ports such as 20000+"},
		{syscall.EADDRINUSE, "another program, or another device of this file, listens there: give it another address or port"},
		{syscall.EMFILE, "too many open files: raise the bound with `ulimit -n`"},
	} {
		for _, e := range b {
			if errors.Is(e.err, help.err) {
				s.WriteString("\n" + help.text)
				break
			}
		}
	}
	return s.String()
}

// Unwrap returns the causes.
func (b bindErrors) Unwrap() []error {
	all := make([]error, len(b))
	for i := range b {
		all[i] = b[i].err
	}
	return all
}

// cause returns the system's own words without the address again.
func cause(err error) error {
	var no syscall.Errno
	if errors.As(err, &no) {
		return no
	}
	return err
}
