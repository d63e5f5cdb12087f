package discover_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"switchyard/discover"
	"switchyard/emulate/antminer"
	"switchyard/emulate/broadcast"
	"switchyard/emulate/plant"
	"switchyard/emulate/rig"
	"switchyard/emulate/whatsminer"
)

func TestParseReports(t *testing.T) {
	const mac = "0A:BB:CC:00:11:22"
	for _, c := range []struct {
		parse func([]byte) (netip.Addr, string, error)
		text  string
		addr  string // empty: it is no report
	}{
		{discover.ParseAntminer, "10.0.0.7," + mac, "10.0.0.7"},
		{discover.ParseAntminer, "10.0.0.7," + strings.ToLower(mac) + "\x00\x00", "10.0.0.7"},
		{discover.ParseAntminer, "[10.0.0.7/24,0a-bb-cc-00-11-22]\n", "10.0.0.7"},
		{discover.ParseAntminer, "OK\x00\x00\x00\x00\x00\x00\x00\x00", ""},
		{discover.ParseAntminer, "", ""},
		{discover.ParseAntminer, "10.0.0.7", ""},
		{discover.ParseAntminer, "10.0.0.700," + mac, ""},
		{discover.ParseAntminer, "0.0.0.0," + mac, ""},
		{discover.ParseAntminer, "10.0.0.7,00:00:00:00:00:00", ""},
		{discover.ParseAntminer, "10.0.0.7,FF:FF:FF:FF:FF:FF", ""},
		{discover.ParseAntminer, "10.0.0.7,0A:BB:CC:00:11", ""},
		{discover.ParseAntminer, "10.0.0.7," + mac + ",more", ""},
		{discover.ParseAntminer, "10.0.0.7," + mac + strings.Repeat(" ", 300), ""},
		{discover.ParseWhatsMiner, "IP:10.0.0.8MAC:" + mac, "10.0.0.8"},
		{discover.ParseWhatsMiner, "IP:10.0.0.8MAC:" + mac + "\x00", "10.0.0.8"},
		{discover.ParseWhatsMiner, "IP:10.0.0.8\r\nMAC:" + mac + "\r\n", "10.0.0.8"},
		{discover.ParseWhatsMiner, "IP:10.0.0.8", ""},
		{discover.ParseWhatsMiner, "MAC:" + mac + "IP:10.0.0.8", ""},
		{discover.ParseWhatsMiner, "IP:MAC:", ""},
		{discover.ParseWhatsMiner, "10.0.0.8," + mac, ""},
	} {
		addr, got, err := c.parse([]byte(c.text))
		if c.addr == "" {
			if err == nil {
				t.Errorf("%q: it is taken for %s, %s", c.text, addr, got)
			}
			continue
		}
		if err != nil || addr.String() != c.addr || got != mac {
			t.Errorf("%q: %s, %s, %v", c.text, addr, got, err)
		}
	}
}

func FuzzParseReports(f *testing.F) {
	for _, s := range []string{"10.0.0.7,0A:BB:CC:00:11:22", "[10.0.0.7/24,0a-bb-cc-00-11-22]", "IP:10.0.0.8MAC:0A:BB:CC:00:11:22\x00", "OK\x00\x00", "IP:MAC:"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte) (netip.Addr, string, error){discover.ParseAntminer, discover.ParseWhatsMiner} {
			addr, mac, err := parse(data)
			if err != nil {
				if addr.IsValid() || mac != "" {
					t.Errorf("%q: %v beside %s, %s", data, err, addr, mac)
				}
				continue
			}
			if again, ok := discover.MAC(mac); !ok || again != mac || !addr.IsValid() || addr.IsMulticast() || addr.IsUnspecified() {
				t.Errorf("%q gives %s, %s", data, addr, mac)
			}
		}
	})
}

// The button of an emulated device is heard; noise is not.
func TestListenHearsButtons(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	l, err := discover.Listen(ctx, "127.0.0.1", map[string]int{"Antminer": 0, "WhatsMiner": 0})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan discover.Report, 8)
	over := make(chan error, 1)
	go func() { over <- l.Run(ctx, func(r discover.Report) { got <- r }) }()
	ant := rig.One(t, antminer.Make(), antminer.Serve, "S21", nil)
	what := rig.One(t, whatsminer.Make(), whatsminer.Serve, "M60S", nil)
	for _, m := range []*plant.Miner{ant.Miner, what.Miner} {
		make := m.View().Model.Make
		port := l.Addrs()[make].(*net.UDPAddr).Port
		if err := broadcast.Send(ctx, []byte("no report"), "127.0.0.1", port); err != nil {
			t.Fatal(err)
		}
		if err := broadcast.Press(ctx, m, "127.0.0.1", port); err != nil {
			t.Fatal(err)
		}
		r := <-got
		if want := strings.ToUpper(m.View().MAC); r.Make != make || r.MAC != want || r.Said.String() != m.View().IP || r.From.String() != "127.0.0.1" || r.At.IsZero() {
			t.Errorf("%+v, want %s", r, want)
		}
	}
	cancel()
	if err := <-over; err != nil {
		t.Error(err)
	}
}

// A port that another program has is told; the other one is listened on.
func TestListenWithAPortTaken(t *testing.T) {
	busy, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	port := busy.LocalAddr().(*net.UDPAddr).Port
	l, err := discover.Listen(t.Context(), "127.0.0.1", map[string]int{"Antminer": port, "WhatsMiner": 0})
	if err != nil || l.Deaf == nil || len(l.Addrs()) != 1 || !strings.Contains(l.Deaf.Error(), "Antminer") {
		t.Fatalf("%v, %v", l, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := discover.Listen(t.Context(), "127.0.0.1", map[string]int{"Antminer": port, "WhatsMiner": port}); err == nil {
		t.Error("no port can be had, and it listens")
	}
}
