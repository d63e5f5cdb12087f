package modbus_test

import (
	"encoding/binary"
	"errors"
	"math"
	"net"
	"testing"
	"time"

	lib "github.com/simonvetter/modbus"

	"switchyard/emulate/fault"
	"switchyard/emulate/modbus"
	"switchyard/emulate/plant"
	"switchyard/site"
	"switchyard/unit"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world has one meter over a tenant of 1.8 MW and a limit of 4 MW.
func world(t *testing.T, faults fault.Set) *plant.World {
	t.Helper()
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1, Limit: 4 * unit.Megawatt, Meter: "meter:connection"}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := plant.New(plant.Config{
		Seed: 7, Tree: tree, Tenants: []plant.TenantConfig{{ID: "ai", Firm: 1800 * unit.Kilowatt}},
		MeterFaults: map[site.DeviceID]fault.Set{"meter:connection": faults},
	}, start)
	if err != nil {
		t.Fatal(err)
	}
	w.Step(start.Add(10 * time.Second))
	return w
}

// client serves the meter in a layout and dials it.
func client(t *testing.T, m *plant.Meter, layout string, unitID uint8) *lib.ModbusClient {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := modbus.Serve(m, l, layout, 3)
	if err != nil {
		t.Fatal(err)
	}
	c, err := lib.NewClient(&lib.ClientConfiguration{URL: "tcp://" + l.Addr().String(), Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	c.SetUnitId(unitID)
	if err := c.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > within {
		t.Errorf("%s: got %v, want %v within %v", what, got, want, within)
	}
}

func TestGeneric(t *testing.T) {
	m := world(t, nil).Meter("connection")
	v := m.View()
	r, err := client(t, m, "generic", 3).ReadRegisters(0, 7, lib.HOLDING_REGISTER)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "power", float64(int32(uint32(r[0])<<16|uint32(r[1]))), v.Power.Watts(), 0.5)
	wh := uint64(r[2])<<48 | uint64(r[3])<<32 | uint64(r[4])<<16 | uint64(r[5])
	near(t, "energy", float64(wh), float64(v.Energy)/1e3, 1)
	near(t, "heartbeat", float64(r[6]), float64(v.Updates), 0)
	if v.Power < 800*unit.Kilowatt || v.Energy == 0 {
		t.Errorf("the reading itself is empty: %v %v", v.Power, v.Energy)
	}
}

func TestSchneider(t *testing.T) {
	m := world(t, nil).Meter("connection")
	v, c := m.View(), client(t, m, "schneider-pm5000", 3)
	kw, err := c.ReadFloat32(3059, lib.HOLDING_REGISTER)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "power", float64(kw)*1000, v.Power.Watts(), 1)
	wh, err := c.ReadUint64(3203, lib.HOLDING_REGISTER)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "energy", float64(wh), float64(v.Energy)/1e3, 1)
	hz, err := c.ReadFloat32(3109, lib.INPUT_REGISTER)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "frequency", float64(hz), v.Frequency, 0.001)
	volts, err := c.ReadFloat32(3025, lib.HOLDING_REGISTER)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "voltage", float64(volts), 475, 8)
	reserved, err := c.ReadFloat32(3017, lib.HOLDING_REGISTER)
	if err != nil || !math.IsNaN(float64(reserved)) {
		t.Errorf("a reserved register gave %v, %v; want NaN", reserved, err)
	}
}

// TestSunspec walks the chain of models as the specification says.
func TestSunspec(t *testing.T) {
	m := world(t, nil).Meter("connection")
	v, c := m.View(), client(t, m, "sunspec", 3)
	read := func(at, n uint16) []uint16 {
		t.Helper()
		r, err := c.ReadRegisters(at, n, lib.HOLDING_REGISTER)
		if err != nil {
			t.Fatalf("read %d+%d: %v", at, n, err)
		}
		return r
	}
	if r := read(40000, 2); r[0] != 0x5375 || r[1] != 0x6e53 {
		t.Fatalf("no SunS: %x", r)
	}
	at, meter := uint16(40002), uint16(0)
	for range 10 {
		r := read(at, 2)
		if r[0] == 0xFFFF {
			break
		}
		if r[0] == 203 {
			meter = at
		}
		at += 2 + r[1]
	}
	if meter == 0 {
		t.Fatal("no model 203 before the end")
	}
	r := read(meter, 107)
	scaled := func(value, scale int) float64 { return float64(int16(r[value])) * math.Pow10(int(int16(r[scale]))) }
	near(t, "power", scaled(18, 22), v.Power.Watts(), 500)
	near(t, "frequency", scaled(16, 17), v.Frequency, 0.006)
	near(t, "energy", float64(uint32(r[46])<<16|uint32(r[47]))*math.Pow10(int(int16(r[54]))), float64(v.Energy)/1e3, 1)
	near(t, "power factor", scaled(33, 37), 98, 0.01)
}

func TestExceptions(t *testing.T) {
	m := world(t, nil).Meter("connection")
	tests := []struct {
		name   string
		unit   uint8
		ask    func(*lib.ModbusClient) error
		expect error
	}{
		{"past the end", 3, func(c *lib.ModbusClient) error { _, err := c.ReadRegisters(5, 3, lib.HOLDING_REGISTER); return err }, lib.ErrIllegalDataAddress},
		{"nothing there", 3, func(c *lib.ModbusClient) error { _, err := c.ReadRegister(900, lib.HOLDING_REGISTER); return err }, lib.ErrIllegalDataAddress},
		{"coils", 3, func(c *lib.ModbusClient) error { _, err := c.ReadCoil(0); return err }, lib.ErrIllegalFunction},
		{"write", 3, func(c *lib.ModbusClient) error { return c.WriteRegister(0, 1) }, lib.ErrIllegalFunction},
		{"another unit", 9, func(c *lib.ModbusClient) error { _, err := c.ReadRegister(0, lib.HOLDING_REGISTER); return err }, lib.ErrGWTargetFailedToRespond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.ask(client(t, m, "generic", tt.unit)); !errors.Is(err, tt.expect) {
				t.Errorf("got %v, want %v", err, tt.expect)
			}
		})
	}
}

func TestUnknownLayout(t *testing.T) {
	if _, err := modbus.Serve(world(t, nil).Meter("connection"), nil, "mine.yaml", 1); err == nil {
		t.Error("no error for a layout that nobody knows")
	}
}

// FuzzExchange sends arbitrary bytes: the server must answer well-formed frames or close.
func FuzzExchange(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 6, 3, 3, 0, 0, 0, 11})
	f.Add([]byte{0, 1, 0, 0, 0, 6, 3, 4, 0xff, 0xff, 0, 125})
	f.Add([]byte{0, 1, 0, 0, 0, 2, 3, 3})
	f.Add([]byte{0, 1, 0, 0, 0xff, 0xff, 3, 3})
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1, Meter: "meter:connection"}})
	if err != nil {
		f.Fatal(err)
	}
	w, err := plant.New(plant.Config{Tree: tree}, start)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, layout := range modbus.Layouts() {
			out := modbus.Exchange(w.Meter("connection"), layout, in)
			if out == nil {
				continue
			}
			if len(out) < 9 || int(binary.BigEndian.Uint16(out[4:])) != len(out)-6 || out[0] != in[0] || out[1] != in[1] {
				t.Errorf("%x gave the malformed frame %x", in, out)
			}
		}
	})
}
