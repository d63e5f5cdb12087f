package discover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Report is one "I am here" that a device sent by itself.
type Report struct {
	Make string     // whose form it had: "Antminer" or "WhatsMiner"
	At   time.Time  // machine time at which it came
	Said netip.Addr // the address that the device says is its own
	From netip.Addr // the address that the datagram came from
	MAC  string
}

// The makers' standard UDP ports.
const (
	antminerPort   = 14235 // Bitmain's IP Reporter; other firmwares on the same machines use it too
	whatsminerPort = 8888
)

// maxReport bounds a datagram in bytes.
const maxReport = 256

// errNoReport says that a datagram is not a report.
var errNoReport = errors.New("not a report")

// ParseAntminer reads what an Antminer's IP report button sends: "10.0.0.7,AA:BB:CC:DD:EE:FF",
// by some firmwares "[10.0.0.7/24,aa:bb:cc:dd:ee:ff]". The forms are those that public
// listeners take: pyasic's and BitCap's IP Reporter.
func ParseAntminer(data []byte) (netip.Addr, string, error) {
	text, err := reportText(data)
	if err != nil {
		return netip.Addr{}, "", err
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	ip, mac, ok := strings.Cut(text, ",")
	if !ok {
		return netip.Addr{}, "", fmt.Errorf("%w: %s has no comma", errNoReport, quote(text))
	}
	ip, _, _ = strings.Cut(ip, "/")
	return reported(ip, mac)
}

// ParseWhatsMiner reads what a WhatsMiner broadcasts: "IP:10.0.0.7MAC:AA:BB:CC:DD:EE:FF",
// from the same public listeners.
func ParseWhatsMiner(data []byte) (netip.Addr, string, error) {
	text, err := reportText(data)
	if err != nil {
		return netip.Addr{}, "", err
	}
	rest, ok := strings.CutPrefix(text, "IP:")
	ip, mac, both := strings.Cut(rest, "MAC:")
	if !ok || !both {
		return netip.Addr{}, "", fmt.Errorf("%w: %s", errNoReport, quote(text))
	}
	return reported(strings.TrimRight(ip, " ,;\r\n"), mac)
}

// reportText is the text of a datagram without what may stand around it.
func reportText(data []byte) (string, error) {
	if len(data) > maxReport {
		return "", fmt.Errorf("%w: %d bytes", errNoReport, len(data))
	}
	text := strings.TrimSpace(strings.TrimRight(string(data), "\x00\r\n "))
	for _, r := range text {
		if (r < ' ' || r > '~') && r != '\r' && r != '\n' {
			return "", fmt.Errorf("%w: it is not text", errNoReport)
		}
	}
	return text, nil
}

func reported(ip, mac string) (netip.Addr, string, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(ip))
	if err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
		return netip.Addr{}, "", fmt.Errorf("%w: %s is not the address of a device", errNoReport, quote(ip))
	}
	m, ok := MAC(mac)
	if !ok {
		return netip.Addr{}, "", fmt.Errorf("%w: %s is not a MAC", errNoReport, quote(mac))
	}
	return a.Unmap(), m, nil
}

// ear is one socket that listens.
type ear struct {
	make  string
	conn  net.PacketConn
	parse func([]byte) (netip.Addr, string, error)
}

// Listener hears the makers' broadcasts from its making on.
type Listener struct {
	ears []ear
	// Deaf is why ports could not be listened on; nil if all could.
	Deaf error
}

// Listen begins to listen on the makers' UDP ports at host; empty: at all addresses. ports
// replaces the standard ones by make ("Antminer", "WhatsMiner"). It fails only where no port
// can be had. End it with Run or Close.
func Listen(ctx context.Context, host string, ports map[string]int) (*Listener, error) {
	l := &Listener{}
	for _, k := range []struct {
		make  string
		port  int
		parse func([]byte) (netip.Addr, string, error)
	}{{"Antminer", antminerPort, ParseAntminer}, {"WhatsMiner", whatsminerPort, ParseWhatsMiner}} {
		if p, ok := ports[k.make]; ok {
			k.port = p
		}
		conn, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp", net.JoinHostPort(host, strconv.Itoa(k.port)))
		if err != nil {
			l.Deaf = errors.Join(l.Deaf, fmt.Errorf("listen for the reports of %ss: %w", k.make, err))
			continue
		}
		l.ears = append(l.ears, ear{k.make, conn, k.parse})
	}
	if len(l.ears) == 0 {
		return nil, l.Deaf
	}
	return l, nil
}

// Addrs returns where it listens, by make.
func (l *Listener) Addrs() map[string]net.Addr {
	out := map[string]net.Addr{}
	for _, e := range l.ears {
		out[e.make] = e.conn.LocalAddr()
	}
	return out
}

// Close ends the listening.
func (l *Listener) Close() error {
	var errs []error
	for _, e := range l.ears {
		if err := e.conn.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Run calls tell for each report, one at a time, until ctx ends; then it closes the
// listener. What is no report is passed over. It blocks.
func (l *Listener) Run(ctx context.Context, tell func(Report)) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var wg sync.WaitGroup
	var one sync.Mutex
	errs := make([]error, len(l.ears))
	for i, e := range l.ears {
		wg.Go(func() { errs[i] = e.hear(ctx, &one, tell) })
	}
	wg.Wait()
	return errors.Join(append(errs, l.Close())...)
}

func (e ear) hear(ctx context.Context, one *sync.Mutex, tell func(Report)) error {
	buf := make([]byte, maxReport+1)
	for {
		n, from, err := e.conn.ReadFrom(buf)
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return nil //nolint:nilerr // the end was asked for
		}
		if err != nil {
			return fmt.Errorf("hear the reports of %ss: %w", e.make, err)
		}
		said, mac, bad := e.parse(buf[:n])
		if bad != nil {
			continue
		}
		r := Report{Make: e.make, At: time.Now(), Said: said, MAC: mac}
		if u, ok := from.(*net.UDPAddr); ok {
			r.From = u.AddrPort().Addr().Unmap()
		}
		one.Lock()
		tell(r)
		one.Unlock()
	}
}
