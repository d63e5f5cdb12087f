package emulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	lib "github.com/simonvetter/modbus"

	"switchyard/clock"
	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
	"switchyard/sitefile"
	"switchyard/unit"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var quiet = slog.New(slog.DiscardHandler)

// row returns the first of n free ports in a row.
func row(t *testing.T, n int) int {
	t.Helper()
search:
	for base := 21000; base < 60000; base += n {
		for i := range n {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+i))
			if err != nil {
				continue search
			}
			_ = l.Close()
		}
		return base
	}
	t.Fatal("no free row of ports")
	return 0
}

// small is a site of three Antminers, a tenant and two meters on free ports of 127.0.0.1.
func small(t *testing.T) *sitefile.File {
	t.Helper()
	base := row(t, 8)
	return &sitefile.File{
		Connection: sitefile.Node{ID: "connection", Limit: unit.Megawatt, Meter: &sitefile.Meter{Address: "127.0.0.1", Port: base + 6, Unit: 1, Profile: "generic"}},
		Nodes: []sitefile.Node{
			{ID: "hall", Parent: "connection", Limit: 100 * unit.Kilowatt, Loss: 0.02, Meter: &sitefile.Meter{Address: "127.0.0.1", Port: base + 7, Unit: 1, Profile: "schneider-pm5000"}},
			{ID: "ai", Parent: "connection"},
		},
		Groups: []sitefile.Group{{
			ID: "s21", Node: "hall", Driver: "antminer", Model: "Antminer S21", Addresses: []string{"127.0.0.1*3"},
			Ports: map[string]sitefile.Port{"http": {Number: base, Step: true}, "rpc": {Number: base + 3, Step: true}},
		}},
		Tenants: []sitefile.Tenant{{ID: "tenant", Node: "ai", Firm: 500 * unit.Kilowatt}},
		Emulate: &sitefile.Emulate{Seed: 4, Ramp: 1},
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 2000 {
		if done() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("waited in vain until %s", what)
}

// TestSite starts a site, reads a miner and a meter over their sockets, and stops it.
func TestSite(t *testing.T) {
	f := small(t)
	c := clock.NewGoverned(noon, 240, 24*time.Hour)
	defer c.Close()
	s, err := Start(context.Background(), f, c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if s.Sockets() != 8 {
		t.Errorf("%d sockets", s.Sockets())
	}
	await(t, "a minute of site time has passed", func() bool { return s.World().Now().Sub(noon) > time.Minute })
	rpc, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", f.Groups[0].Ports["rpc"].Number))
	if err != nil {
		t.Fatal(err)
	}
	_ = rpc.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(rpc, `{"command":"summary"}`)
	reply := make([]byte, 4096)
	if n, err := rpc.Read(reply); err != nil || !strings.Contains(string(reply[:n]), "SUMMARY") {
		t.Errorf("summary: %q, %v", reply[:n], err)
	}
	_ = rpc.Close()
	m, err := lib.NewClient(&lib.ClientConfiguration{URL: fmt.Sprintf("tcp://127.0.0.1:%d", f.Nodes[0].Meter.Port), Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	kw, err := m.ReadFloat32(3059, lib.HOLDING_REGISTER)
	if err != nil || kw < 10 || kw > 11.5 { // three S21 and the hall's loss
		t.Errorf("the hall's meter says %v kW, %v", kw, err)
	}
	_ = m.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	again, err := Start(context.Background(), f, c, quiet)
	if err != nil {
		t.Fatalf("the sockets are not free after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// TestEveryFaceListens starts one miner for every driver on ports of the driver's
// names.
func TestEveryFaceListens(t *testing.T) {
	for _, driver := range drivers() {
		t.Run(driver, func(t *testing.T) {
			f, base := small(t), row(t, 4)
			g := &f.Groups[0]
			g.Driver, g.Model, g.Addresses, g.Ports = driver, "", []string{"127.0.0.1"}, map[string]sitefile.Port{}
			k := kindOf(driver).make
			for _, name := range slices.Concat(slices.Collect(maps.Keys(k.Ports)), k.More) {
				g.Ports[name] = sitefile.Port{Number: base + len(g.Ports)}
			}
			c := clock.NewGoverned(noon, 240, 24*time.Hour)
			defer c.Close()
			s, err := Start(context.Background(), f, c, quiet)
			if err != nil {
				t.Fatal(err)
			}
			for name, p := range g.Ports {
				conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.Number))
				if err != nil {
					t.Errorf("port %s: %v", name, err)
					continue
				}
				_ = conn.Close()
			}
			if m := s.World().Miners()[0]; m.Driver() != driver {
				t.Errorf("it speaks %s", m.Driver())
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	if len(kinds()) < 4 {
		t.Error("a face is missing")
	}
}

func TestBindErrorsComeTogether(t *testing.T) {
	f := small(t)
	var taken []string
	for _, p := range []int{f.Groups[0].Ports["http"].Number + 1, f.Nodes[0].Meter.Port} {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		taken = append(taken, l.Addr().String())
	}
	_, err := Start(context.Background(), f, clock.System(), quiet)
	if err == nil {
		t.Fatal("two taken ports and no error")
	}
	for _, want := range append(taken, "2 addresses", "s21-002", "meter:hall", "another program") {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error:\n%v", want, err)
		}
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Error("the cause is lost")
	}
	free, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", f.Groups[0].Ports["http"].Number))
	if err != nil {
		t.Fatalf("the others still listen: %v", err)
	}
	_ = free.Close()
}

func TestBindErrorText(t *testing.T) {
	var all bindErrors
	for range 14 {
		all = append(all, bindError{socket{device: "s21-001", port: "http", address: "127.0.1.1:80"}, &net.OpError{Err: syscall.EACCES}})
	}
	got := all.Error()
	for _, want := range []string{"14 addresses", "127.0.1.1:80 (s21-001", "and 4 more", "20000+"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
	if strings.Count(got, "privilege") != 1 || strings.Contains(got, "ulimit") {
		t.Errorf("help is repeated or beside the point:\n%s", got)
	}
}

func TestDescribe(t *testing.T) {
	f := small(t)
	f.Emulate.Faults = []sitefile.Fault{{Kind: "lying", Devices: []string{"s21-002"}}, {Kind: "frozen", Devices: []string{"meter:hall"}}}
	d, err := describe(f)
	if err != nil {
		t.Fatal(err)
	}
	if !d.config.Miners[1].Faults.Has(fault.Lying) || d.config.Miners[0].Faults != nil || !d.config.MeterFaults["meter:hall"].Has(fault.Frozen) {
		t.Error("faults are not with their devices")
	}
	if d.files() < len(d.sockets)+2*d.devices() || d.asleep != 0 {
		t.Errorf("files %d, asleep %d", d.files(), d.asleep)
	}
	bad := map[string]func(*sitefile.File){
		"no register layout": func(f *sitefile.File) { f.Connection.Meter.Profile = "mine.yaml" },
		"no emulated device": func(f *sitefile.File) { f.Groups[0].Driver = "toaster" },
		"no port called":     func(f *sitefile.File) { f.Groups[0].Ports["ssh"] = sitefile.Port{Number: 22} },
		"no node":            func(f *sitefile.File) { f.Groups[0].Node = "attic" },
		"unknown kind":       func(f *sitefile.File) { f.Emulate.Faults = []sitefile.Fault{{Kind: "sulking"}} },
	}
	for want, spoil := range bad {
		f := small(t)
		spoil(f)
		if _, err := describe(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestDriverOf(t *testing.T) {
	for model, want := range map[string]string{"S21": "antminer", "M60S": "whatsminer", "WhatsMiner M50": "whatsminer", "S19 Braiins": "braiins", "": "antminer"} {
		if got := driverOf(model); got != want {
			t.Errorf("%q: %s, want %s", model, got, want)
		}
	}
}

// TestStartsWithinLimits: with more miners than a limit bears the rest start asleep, and
// no node is above its limit in the first minutes.
func TestStartsWithinLimits(t *testing.T) {
	f := small(t)
	f.Groups[0].Addresses = []string{"127.0.0.1*40"} // 140 kW in a hall of 100
	d, err := describe(f)
	if err != nil {
		t.Fatal(err)
	}
	if d.asleep < 12 || d.asleep > 16 {
		t.Errorf("%d of 40 asleep", d.asleep)
	}
	w, err := plant.New(d.config, noon)
	if err != nil {
		t.Fatal(err)
	}
	w.Step(noon.Add(10 * time.Minute))
	for _, n := range w.Record().Nodes {
		if n.Count != 0 {
			t.Errorf("%s was above its limit: %+v", n.Node, n.Excursions)
		}
	}
	f.Groups[0].Node, f.Nodes[0].Limit = "connection", 0
	f.Connection.Limit = 350 * unit.Kilowatt
	if d, err = describe(f); err != nil || d.asleep < 15 || d.asleep > 19 {
		t.Errorf("beside a tenant that starts at 250 kW of 350: %d of 40 asleep, %v", d.asleep, err)
	}
}
