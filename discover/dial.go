package discover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

// outcome is what came of trying to connect.
type outcome uint8

const (
	silent  outcome = iota // nothing came within the time
	open                   // it was accepted
	refused                // the device said no: it lives
	away                   // a router or this machine said that nobody can be reached there
	short                  // this machine had no more files, buffers or ports
)

// try opens a connection, closes it, and says what came of it.
func try(ctx context.Context, dial Dial, addr netip.Addr, port int, timeout time.Duration) outcome {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := dial(ctx, "tcp", net.JoinHostPort(addr.String(), strconv.Itoa(port)))
	if err == nil {
		_ = c.Close()
		return open
	}
	return outcomeOf(err)
}

func outcomeOf(err error) outcome {
	for _, e := range []struct {
		no  syscall.Errno
		out outcome
	}{
		{syscall.ECONNREFUSED, refused},
		{syscall.ECONNRESET, refused},
		{syscall.EMFILE, short},
		{syscall.ENFILE, short},
		{syscall.ENOBUFS, short},
		{syscall.ENOMEM, short},
		{syscall.EADDRNOTAVAIL, short},
		{syscall.EADDRINUSE, short},
		{syscall.EAGAIN, short},
		{syscall.ENETUNREACH, away},
		{syscall.EHOSTUNREACH, away},
		{syscall.EHOSTDOWN, away},
		{syscall.EACCES, away},
		{syscall.EPERM, away},
		{syscall.EINVAL, away},
	} {
		if errors.Is(err, e.no) {
			return e.out
		}
	}
	return silent
}

// only returns a dialler that refuses at once, without a packet, every port of the target
// that is not among the open ones.
func only(dial Dial, ports []int) Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		_, text, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("dial %s: %w", address, err)
		}
		for _, p := range ports {
			if strconv.Itoa(p) == text {
				return dial(ctx, network, address)
			}
		}
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
}
