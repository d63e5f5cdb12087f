package whatsminer

import (
	"io"
	"net"
	"testing"
	"time"

	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
	"switchyard/site"
	"switchyard/unit"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rig is one miner that listens.
type rig struct {
	w       *plant.World
	m       *plant.Miner
	address string
	closer  io.Closer
}

func world(t testing.TB, driver string, faults fault.Set) *plant.World {
	t.Helper()
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1, Limit: 10 * unit.Megawatt}})
	if err != nil {
		t.Fatal(err)
	}
	make := Make()
	if driver == "whatsminer-v3" {
		make = MakeV3()
	}
	model, _ := make.Model("M60S")
	c := plant.MinerConfig{ID: "hall-001", Group: "hall", Make: make, IP: "127.0.0.1", Model: model, Faults: faults}
	w, err := plant.New(plant.Config{Seed: 1, Tree: tree, Miners: []plant.MinerConfig{c}}, start)
	if err != nil {
		t.Fatal(err)
	}
	w.Step(start.Add(10 * time.Minute))
	return w
}

func serve(t testing.TB, driver string, faults fault.Set) *rig {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := world(t, driver, faults)
	r := &rig{w: w, m: w.Miners()[0], address: l.Addr().String()}
	if driver == "whatsminer" {
		r.closer, err = Serve(r.m, map[string]net.Listener{"rpc": l})
	} else {
		r.closer, err = ServeV3(r.m, map[string]net.Listener{"api": l})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.closer.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

func (r *rig) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", r.address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	return c
}

// later lets site time pass.
func (r *rig) later(d time.Duration) plant.View {
	r.w.Step(r.w.Now().Add(d))
	return r.m.View()
}
