// Package modbus owns the site's Modbus TCP server: registers in which a plant controller or
// a utility's RTU writes a limit and a heartbeat, and reads the site's power and what it can
// shed. docs/signals.md has the register map.
//
// It never decides which load gives way, never takes half of a write, and never shows a power
// that is not known as 0.
//
// Concurrency: a Face is run once; it serves each connection on its own goroutine.
package modbus

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/simonvetter/modbus"

	"switchyard/signal"
	"switchyard/site"
	"switchyard/sitefile"
)

// Name is the face's name as a source.
const Name = "modbus"

const (
	defaultListen = "127.0.0.1:1502"
	defaultLost   = time.Minute
	// idle ends a connection that asks nothing for so long, in machine time.
	idle       = 2 * time.Minute
	maxClients = 16
	tick       = time.Second // machine time
	// problemEvery bounds how often refused writes are told, in machine time.
	problemEvery = time.Second
)

// Face is the Modbus TCP server. It is a signal.Source and a signal.Resumer.
type Face struct {
	cfg   sitefile.Face
	log   *slog.Logger
	allow []netip.Prefix

	mu      sync.Mutex
	host    signal.Host
	now     command
	written bool      // something of a limit was, since the start
	beats   bool      // a heartbeat was, since the start
	beat    time.Time // the heartbeat last changed, site time
	asked   bool      // somebody who may write was there, since the start
	moving  uint16    // our own heartbeat
	told    time.Time // the last problem, machine time
	held    int       // problems since that were not told
}

var _ signal.Resumer = (*Face)(nil)

// New returns a server for cfg. It does not listen yet.
func New(cfg sitefile.Face, log *slog.Logger) (*Face, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if cfg.Listen == "" {
		cfg.Listen = defaultListen
	}
	if cfg.Unit == 0 {
		cfg.Unit = 1
	}
	if cfg.Lost.After <= 0 {
		cfg.Lost.After = defaultLost
	}
	f := &Face{cfg: cfg, log: log}
	if _, _, err := net.SplitHostPort(cfg.Listen); err != nil {
		return nil, fmt.Errorf("modbus: listen %q is not host:port", cfg.Listen)
	}
	if cfg.Unit < 1 || cfg.Unit > 255 {
		return nil, fmt.Errorf("modbus: unit %d is not between 1 and 255", cfg.Unit)
	}
	allow := cfg.Allow
	if len(allow) == 0 {
		allow = []string{"127.0.0.0/8", "::1"}
	}
	for _, a := range allow {
		p, err := prefix(a)
		if err != nil {
			return nil, fmt.Errorf("modbus: allow %q is neither an address nor a network such as 10.0.0.0/24", a)
		}
		f.allow = append(f.allow, p)
	}
	return f, nil
}

func prefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Unmap().Prefix(a.Unmap().BitLen())
}

// Name is the source's name.
func (f *Face) Name() string { return Name }

// Resume takes up the limit that stood before a restart, until the controller writes anew.
func (f *Face) Resume(signals []signal.Signal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range signals {
		if s.Kind == signal.Limit && s.ID == "limit" {
			f.now.enable, f.now.limit, f.now.from, f.now.until = true, site.Some(s.Power), s.From, s.To
			f.now.by = strings.TrimPrefix(s.Note, "written by ")
		}
	}
}

// Run serves until ctx ends. An address that cannot be listened on is tried again and told.
func (f *Face) Run(ctx context.Context, h signal.Host) error {
	f.mu.Lock()
	f.host = h
	f.mu.Unlock()
	server, err := modbus.NewServer(&modbus.ServerConfiguration{
		URL: "tcp://" + f.cfg.Listen, Timeout: idle, MaxClients: maxClients,
		Logger: log.New(slogWriter{f.log}, "", 0),
	}, f)
	if err != nil {
		return fmt.Errorf("modbus: %w", err)
	}
	t := time.NewTicker(tick)
	defer t.Stop()
	listening, fault := false, ""
	for {
		if !listening {
			err := server.Start()
			if listening = err == nil; listening {
				defer func() { _ = server.Stop() }()
				f.log.Info("Modbus server listens", "address", f.cfg.Listen)
			} else {
				h.Heard(Name, h.Now(), fmt.Errorf("listen on %s: %w", f.cfg.Listen, err))
				if err.Error() != fault {
					fault = err.Error()
					f.log.Error("Modbus server cannot listen", "address", f.cfg.Listen, "error", err)
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			f.due()
		}
	}
}

// due does what time brings: our heartbeat, the end of a limit, the loss of the controller.
func (f *Face) due() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.host.Now()
	f.moving++
	var ended bool
	if f.now, ended = f.now.over(now); ended {
		f.put()
	}
	switch {
	case f.lost(now):
		f.host.Heard(Name, now, fmt.Errorf("no heartbeat for %s", now.Sub(f.beat).Round(time.Second)))
	case f.asked && !f.beats:
		// One that never wrote a heartbeat is not missed for it.
		f.host.Heard(Name, now, nil)
	}
}

// lost says whether a controller that wrote heartbeats has stopped.
func (f *Face) lost(now time.Time) bool { return f.beats && now.Sub(f.beat) >= f.cfg.Lost.After }

// put says what stands.
func (f *Face) put(problems ...string) {
	f.host.Put(signal.Update{Source: Name, At: f.host.Now(), Signals: f.now.signals(site.NodeID(f.cfg.Node)), Problems: problems})
}

// refuse tells of a refused write, at most one a second.
func (f *Face) refuse(line string) {
	f.log.Debug("write refused", "reason", line)
	if time.Since(f.told) < problemEvery {
		f.held++
		return
	}
	if f.held > 0 {
		line += fmt.Sprintf(" (and %d more since the last line)", f.held)
	}
	f.told, f.held = time.Now(), 0
	f.put(line)
}

// HandleHoldingRegisters serves functions 3, 6 and 16. The library calls it.
func (f *Face) HandleHoldingRegisters(r *modbus.HoldingRegistersRequest) ([]uint16, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if int(r.UnitId) != f.cfg.Unit {
		return nil, modbus.ErrGWTargetFailedToRespond
	}
	if !r.IsWrite {
		f.asked = f.asked || f.mayWrite(r.ClientAddr)
		return part(f.now.holding(), r.Addr, r.Quantity)
	}
	return nil, f.write(r)
}

func (f *Face) write(r *modbus.HoldingRegistersRequest) error {
	by := peer(r.ClientAddr)
	if !f.mayWrite(r.ClientAddr) {
		f.refuse(by + " wrote and may not: its address is not allowed")
		return modbus.ErrIllegalFunction
	}
	f.asked = true
	now := f.host.Now()
	w, err := decode(r.Addr, r.Args)
	is, _ := f.now.over(now)
	next, spoke := is, false
	if err == nil {
		next, spoke, err = is.apply(w, now, by)
	}
	if err != nil {
		f.refuse(fmt.Sprintf("write by %s refused: %v", by, err))
		if errors.Is(err, errAddress) {
			return modbus.ErrIllegalDataAddress
		}
		return modbus.ErrIllegalDataValue
	}
	if w.heartbeat.OK && (!f.beats || w.heartbeat.V != f.now.heartbeat) {
		if f.lost(now) || !f.beats {
			f.log.Info("controller's heartbeat heard", "by", by)
		}
		f.beats, f.beat = true, now
		f.host.Heard(Name, now, nil)
	}
	node := site.NodeID(f.cfg.Node)
	changed := !slices.Equal(f.now.signals(node), next.signals(node))
	f.now, f.written = next, f.written || spoke
	if changed { // many controllers write the same again each second
		f.put()
	}
	return nil
}

// HandleInputRegisters serves function 4. The library calls it.
func (f *Face) HandleInputRegisters(r *modbus.InputRegistersRequest) ([]uint16, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if int(r.UnitId) != f.cfg.Unit {
		return nil, modbus.ErrGWTargetFailedToRespond
	}
	f.asked = f.asked || f.mayWrite(r.ClientAddr)
	v := view{now: f.host.Now(), beat: f.moving, fresh: !f.written}
	v.lost = f.lost(v.now)
	v.meter, v.known = signal.MeterAt(f.host, site.NodeID(f.cfg.Node))
	now, _ := f.now.over(v.now)
	return part(now.input(v), r.Addr, r.Quantity)
}

// HandleCoils is not served. The library calls it.
func (f *Face) HandleCoils(*modbus.CoilsRequest) ([]bool, error) {
	return nil, modbus.ErrIllegalFunction
}

// HandleDiscreteInputs is not served. The library calls it.
func (f *Face) HandleDiscreteInputs(*modbus.DiscreteInputsRequest) ([]bool, error) {
	return nil, modbus.ErrIllegalFunction
}

func part(all []uint16, at, n uint16) ([]uint16, error) {
	if int(at)+int(n) > len(all) {
		return nil, modbus.ErrIllegalDataAddress
	}
	return all[at : at+n], nil
}

func (f *Face) mayWrite(client string) bool {
	a, err := netip.ParseAddrPort(client)
	if err != nil {
		return false
	}
	for _, p := range f.allow {
		if p.Contains(a.Addr().Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

func peer(client string) string {
	if a, err := netip.ParseAddrPort(client); err == nil {
		return a.Addr().Unmap().String()
	}
	return "somebody"
}

// slogWriter passes the library's lines on.
type slogWriter struct{ log *slog.Logger }

func (w slogWriter) Write(p []byte) (int, error) {
	w.log.Debug("Modbus server", "line", strings.TrimSpace(string(p)))
	return len(p), nil
}
