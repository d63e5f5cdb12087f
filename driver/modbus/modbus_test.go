package modbus

import (
	"context"
	"errors"
	"io"
	"log"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	peer "github.com/simonvetter/modbus"

	"switchyard/driver"
	"switchyard/site"
	"switchyard/unit"
)

// meter is a register table served by another implementation of the protocol.
type meter struct {
	mu       sync.Mutex
	unit     uint8
	holding  map[int]uint16
	input    map[int]uint16
	fail     error
	requests []span
}

func (m *meter) serve(kind Kind, table map[int]uint16, unitID uint8, at, n uint16) ([]uint16, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, span{kind: kind, at: int(at), count: int(n)})
	if m.fail != nil {
		return nil, m.fail
	}
	if unitID != m.unit {
		return nil, peer.ErrGWTargetFailedToRespond
	}
	var out []uint16
	for i := range int(n) {
		v, ok := table[int(at)+i]
		if !ok {
			return nil, peer.ErrIllegalDataAddress
		}
		out = append(out, v)
	}
	return out, nil
}

func (m *meter) HandleCoils(*peer.CoilsRequest) ([]bool, error) { return nil, peer.ErrIllegalFunction }
func (m *meter) HandleDiscreteInputs(*peer.DiscreteInputsRequest) ([]bool, error) {
	return nil, peer.ErrIllegalFunction
}

func (m *meter) HandleHoldingRegisters(r *peer.HoldingRegistersRequest) ([]uint16, error) {
	if r.IsWrite {
		return nil, peer.ErrIllegalFunction
	}
	return m.serve(Holding, m.holding, r.UnitId, r.Addr, r.Quantity)
}

func (m *meter) HandleInputRegisters(r *peer.InputRegistersRequest) ([]uint16, error) {
	return m.serve(Input, m.input, r.UnitId, r.Addr, r.Quantity)
}

func (m *meter) set(at int, words ...uint16) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, w := range words {
		m.holding[at+i] = w
	}
}

func (m *meter) float(at int, v float32) {
	b := math.Float32bits(v)
	m.set(at, uint16(b>>16), uint16(b))
}

// start serves m and returns a target for it.
func start(t *testing.T, m *meter) driver.Target {
	t.Helper()
	if m.unit == 0 {
		m.unit = 1
	}
	if m.holding == nil {
		m.holding = map[int]uint16{}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	_ = l.Close() // the library takes an address, not a listener
	s, err := peer.NewServer(&peer.ServerConfiguration{
		URL: "tcp://" + addr.String(), Timeout: time.Minute, MaxClients: 4,
		Logger: log.New(io.Discard, "", 0),
	}, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return driver.Target{Device: "meter:hall-a", Host: "127.0.0.1", Ports: map[string]int{"modbus": addr.Port}, Now: time.Now, Unit: m.unit}
}

func open(t *testing.T, target driver.Target) *Device {
	t.Helper()
	d, err := Open(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// sunspec203 lays out the common model, an inverter and a model 203 meter as a device does.
func sunspec203(m *meter, base int) int {
	m.set(base, 0x5375, 0x6e53, 1, 66)
	for i := range 66 {
		m.set(base+4+i, 0)
	}
	m.set(base+4, 'A'<<8|'c', 'm'<<8|'e')
	m.set(base+20, 'W'<<8|'M')
	at := base + 4 + 66
	m.set(at, 103, 50)
	for i := range 50 {
		m.set(at+2+i, 0xFFFF)
	}
	at += 52
	m.set(at, 203, 105)
	for i := range 105 {
		m.set(at+2+i, 0x8000)
	}
	m.set(at+18, uint16(0xFFFF-1233)) // -1234
	m.set(at+22, 2)                   // x 100 W
	m.set(at+46, 0x0001, 0x86A0)      // 100,000
	m.set(at+54, 1)                   // x 10 Wh
	m.set(at+107, endOfChain, 0)
	return at
}

func TestSunSpecChain(t *testing.T) {
	for _, base := range []int{40000, 50000, 0} {
		m := &meter{holding: map[int]uint16{}}
		at := sunspec203(m, base)
		target := start(t, m)
		target.Profile = "sunspec"
		d := open(t, target)
		s, err := d.Read(limited(t))
		if err != nil {
			t.Fatalf("base %d: %v", base, err)
		}
		if s.Power != site.Some(-123_400*unit.Watt) || s.Energy != site.Some(1*unit.MegawattHour) {
			t.Errorf("base %d: power %v, energy %v", base, s.Power, s.Energy)
		}
		if s.Identity.Make != "Acme" || s.Identity.Model != "WM" {
			t.Errorf("identity %+v", s.Identity)
		}
		c, err := d.Info(limited(t))
		if err != nil || c.EnergyWraps != unit.WattHours(42_949_672_960) {
			t.Errorf("wraps %v, %v", c.EnergyWraps, err)
		}
		m.requests = nil
		if _, err := d.Read(limited(t)); err != nil || len(m.requests) != 1 {
			t.Errorf("a poll took %d requests, %v; want 1", len(m.requests), err)
		}
		m.set(at, 204) // somebody changed the device behind the address
		if _, err := d.Read(limited(t)); !errors.Is(err, driver.ErrUnreachable) {
			t.Errorf("moved chain: %v", err)
		}
		if _, err := d.Read(limited(t)); err != nil {
			t.Errorf("the chain is walked anew: %v", err)
		}
	}
}

func TestSunSpecFloatAndUnknown(t *testing.T) {
	m := &meter{holding: map[int]uint16{}}
	m.set(40000, 0x5375, 0x6e53, 213, 124)
	for i := range 124 {
		m.set(40004+i, 0x7FC0) // NaN in every first word
	}
	m.float(40002+28, 5250.5)
	m.set(40002+126, endOfChain, 0)
	target := start(t, m)
	target.Profile = "sunspec"
	s, err := open(t, target).Read(limited(t))
	if err != nil || s.Power != site.Some(unit.Watts(5250.5)) || s.Energy.OK {
		t.Errorf("power %v, energy %v, %v", s.Power, s.Energy, err)
	}
	at := sunspec203(m, 40000)
	m.set(at+18, 0x8000)
	m.set(at+46, 0, 0)
	s, err = open(t, target).Read(limited(t))
	if err != nil || s.Power.OK || s.Energy.OK || s.Power.V != 0 || len(s.Faults) == 0 {
		t.Errorf("not implemented: %+v, %v", s, err)
	}
	m.set(at+18, 5)
	m.set(at+22, 0x8000) // the scale factor is not implemented
	if s, err = open(t, target).Read(limited(t)); err != nil || s.Power.OK {
		t.Errorf("no scale factor: %v, %v", s.Power, err)
	}
}

func TestSunSpecWrongDevice(t *testing.T) {
	m := &meter{}
	target := start(t, m)
	target.Profile = "sunspec"
	for i := range 10 {
		m.set(40000+i, 7)
	}
	if _, err := open(t, target).Read(limited(t)); !errors.Is(err, driver.ErrRefused) || !strings.Contains(err.Error(), "no SunSpec marker") {
		t.Errorf("no marker: %v", err)
	}
	m.set(40000, 0x5375, 0x6e53, 103, 2, 0, 0, endOfChain, 0)
	if _, err := open(t, target).Read(limited(t)); !errors.Is(err, driver.ErrRefused) || !strings.Contains(err.Error(), "models 103") {
		t.Errorf("no meter: %v", err)
	}
	for i := 40002; i < 1<<16; i++ {
		m.set(i, 5) // a chain that leads in circles of nothing
	}
	if _, err := open(t, target).Read(limited(t)); err == nil {
		t.Error("endless chain: no error")
	}
}

func TestSchneider(t *testing.T) {
	m := &meter{unit: 3, holding: map[int]uint16{}}
	for i := 3000; i < 3120; i++ {
		m.set(i, 0)
	}
	m.float(3059, 1234.5) // kW
	m.float(3109, 60.01)
	m.float(3025, 415)
	m.set(3203, 0, 0x0002, 0x540B, 0xE400) // 10,000,000,000 Wh
	target := start(t, m)
	target.Profile = "schneider-pm5000"
	d := open(t, target)
	r, err := d.Measure(limited(t))
	if err != nil || r.Power != site.Some(unit.Watts(1_234_500)) || r.Energy != site.Some(10_000*unit.MegawattHour) ||
		math.Abs(r.Frequency.V-60.01) > 1e-3 || r.Voltage != site.Some(415.0) {
		t.Errorf("%+v, %v", r, err)
	}
	if len(m.requests) != 2 {
		t.Errorf("%d requests: %v; want 2", len(m.requests), m.requests)
	}
	delete(m.holding, 3203)
	if _, err := d.Read(limited(t)); !errors.Is(err, driver.ErrRefused) ||
		!strings.Contains(err.Error(), "holding registers 3203 to 3206: exception 2, illegal data address") {
		t.Errorf("illegal address: %v", err)
	}
	m.fail = peer.ErrServerDeviceBusy
	if _, err := d.Read(limited(t)); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("busy: %v", err)
	}
	target.Unit = 9
	m.fail = nil
	if _, err := open(t, target).Read(limited(t)); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("wrong unit: %v", err)
	}
	if err := d.Apply(limited(t), site.Setpoint{}); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("apply: %v", err)
	}
}

func TestFrozenMeter(t *testing.T) {
	m := &meter{holding: map[int]uint16{}}
	for i := range 7 {
		m.set(i, 0)
	}
	m.set(0, 0xFFFF, 0xFF9C) // -100 W
	m.set(2, 0, 0, 0, 77)
	target := start(t, m)
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	target.Now = func() time.Time { return now }
	target.Profile = "generic"
	d := open(t, target)
	s, err := d.Read(limited(t))
	if err != nil || s.Power != site.Some(-100*unit.Watt) || s.Energy != site.Some(77*unit.WattHour) {
		t.Fatalf("%+v, %v", s, err)
	}
	now = now.Add(59 * time.Second)
	if _, err := d.Read(limited(t)); err != nil {
		t.Errorf("not stale yet: %v", err)
	}
	now = now.Add(time.Second)
	if _, err := d.Read(limited(t)); !errors.Is(err, driver.ErrUnreachable) || !strings.Contains(err.Error(), "frozen") {
		t.Errorf("frozen: %v", err)
	}
	m.set(6, 1)
	if _, err := d.Read(limited(t)); err != nil {
		t.Errorf("moved again: %v", err)
	}
}

func TestSignAndSanity(t *testing.T) {
	m := &meter{input: map[int]uint16{7: 0x3412}}
	target := start(t, m)
	d := open(t, driver.Target{Profile: "generic", Now: time.Now})
	d.client = client{dial: target.DialContext, address: target.Addr("modbus", 0), unit: 1}
	p, err := ParseProfile("x.yaml", []byte("name: x\nsource: s\nkind: input\nbyte_order: little\nsign: export\nsane: {min: -5 kW, max: 5 kW}\nregisters: {power: {address: 7, type: u16, unit: W}}"))
	if err != nil {
		t.Fatal(err)
	}
	d.profile = p
	if s, err := d.Read(limited(t)); err != nil || s.Power != site.Some(-0x1234*unit.Watt) {
		t.Errorf("%v, %v", s.Power, err)
	}
	m.input[7] = 0xFFFF
	if s, err := d.Read(limited(t)); err != nil || s.Power.OK || len(s.Faults) != 1 {
		t.Errorf("insane: %+v, %v", s, err)
	}
}

func TestDeadlines(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // accepts, keeps, says nothing
		var kept []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				for _, c := range kept {
					_ = c.Close()
				}
				return
			}
			kept = append(kept, c)
		}
	}()
	target := driver.Target{Host: "127.0.0.1", Ports: map[string]int{"modbus": l.Addr().(*net.TCPAddr).Port}, Now: time.Now, Profile: "generic"}
	d := open(t, target)
	for name, end := range map[string]func() (context.Context, context.CancelFunc){
		"deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 30*time.Millisecond)
		},
		"cancel": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(30*time.Millisecond, cancel)
			return ctx, cancel
		},
	} {
		ctx, cancel := end()
		begun := time.Now()
		_, err := d.Read(ctx)
		cancel()
		if !errors.Is(err, driver.ErrUnreachable) || time.Since(begun) > 2*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(begun))
		}
	}
	target.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody") }
	if _, err := open(t, target).Read(limited(t)); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("no dial: %v", err)
	}
}

// TestKeptConnection loses the connection between polls, as gateways do, and counts dials.
func TestKeptConnection(t *testing.T) {
	m := &meter{holding: map[int]uint16{}}
	for i := range 7 {
		m.set(i, 1)
	}
	target := start(t, m)
	target.Profile = "generic"
	var conns []net.Conn
	target.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		conns = append(conns, c)
		return c, err
	}
	d := open(t, target)
	for range 3 {
		if _, err := d.Read(limited(t)); err != nil {
			t.Fatal(err)
		}
	}
	if len(conns) != 1 {
		t.Errorf("%d connections for three polls", len(conns))
	}
	_ = conns[0].(*net.TCPConn).CloseWrite()
	time.Sleep(20 * time.Millisecond)
	if _, err := d.Read(limited(t)); err != nil || len(conns) != 2 {
		t.Errorf("after a loss: %v, %d connections", err, len(conns))
	}
}
