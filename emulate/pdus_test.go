package emulate

import (
	"context"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gosnmp/gosnmp"

	"switchyard/clock"
	"switchyard/sitefile"
)

// freeUDP returns a port that was free a moment ago.
func freeUDP(t *testing.T) int {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// TestPDU asks an emulated unit with an independent client what goes through its outlets.
func TestPDU(t *testing.T) {
	f := small(t)
	f.Emulate.Ramp = 0.01
	f.PDUs = []sitefile.PDU{{
		ID: "a-01", Node: "hall", Address: "127.0.0.1", Port: freeUDP(t), Profile: "servertech-sentry4",
		Outlets: map[string]string{"AA2": "s21-001", "AA30": "s21-002", "AA31": "s21-002"},
	}}
	c := clock.NewGoverned(noon, 240, 24*time.Hour)
	defer c.Close()
	s, err := Start(context.Background(), f, c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Sockets() != 8 {
		t.Errorf("%d listening sockets: an agent has none", s.Sockets())
	}
	g := &gosnmp.GoSNMP{Target: "127.0.0.1", Port: uint16(f.PDUs[0].Port), Community: "public", Version: gosnmp.Version2c, Timeout: 5 * time.Second, Retries: 2}
	if err := g.Connect(); err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	power := func(outlet string) float64 {
		p, err := g.Get([]string{".1.3.6.1.4.1.1718.4.1.8.3.1.7.1.1." + outlet})
		if err != nil {
			t.Fatal(err)
		}
		w, ok := p.Variables[0].Value.(int)
		if !ok {
			t.Fatalf("outlet %s: %+v", outlet, p.Variables[0])
		}
		return float64(w)
	}
	await(t, "a minute of site time has passed", func() bool { return s.World().Now().Sub(noon) > time.Minute })
	for outlet, want := range map[string]float64{"1": 0, "2": 3500, "29": 0, "30": 1750, "31": 1750} {
		if got := power(outlet); math.Abs(got-want) > 0.03*want {
			t.Errorf("outlet %s draws %v W, want about %v", outlet, got, want)
		}
	}
	s.World().Miner("s21-001").Sleep()
	await(t, "its outlet draws standby", func() bool { return power("2") < 60 })
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestPDUsThatCannotBe(t *testing.T) {
	busy, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for want, u := range map[string]sitefile.PDU{
		"emulate unit x: there is no emulated unit for driver": {Driver: "modbus"},
		"emulate unit x: the emulator has no unit":             {Profile: "mine.yaml"},
		"emulate unit x: read secret":                          {Profile: "generic", Community: "env:SURELY_NOT_SET"},
		"emulate unit x: outlet \"left\"":                      {Profile: "generic", Outlets: map[string]string{"left": "s21-001"}},
		"is plugged in at 1 already":                           {Profile: "generic", Outlets: map[string]string{"1": "s21-001", "A1": "s21-002"}},
		"another program":                                      {Profile: "generic", Address: "127.0.0.1", Port: busy.LocalAddr().(*net.UDPAddr).Port},
	} {
		f := small(t)
		u.ID = "x"
		f.PDUs = []sitefile.PDU{u}
		s, err := Start(context.Background(), f, clock.System(), quiet)
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
