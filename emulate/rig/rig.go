// Package rig owns one emulated miner on a loopback address, for the tests of drivers: it
// obeys when it is told to let its time pass, and stands still otherwise.
//
// It never knows a driver, and never adds faults of the wire: the conformance suite makes
// its own.
//
// Concurrency: a Rig's methods are safe for concurrent use. Everything ends with the test.
package rig

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"switchyard/emulate/plant"
	"switchyard/site"
	"switchyard/unit"
)

// Serve makes the face of a miner on its listeners, by port name.
type Serve func(*plant.Miner, map[string]net.Listener) (io.Closer, error)

// Rig is one emulated miner that listens.
type Rig struct {
	// Host, Ports, User and Password reach it.
	Host           string
	Ports          map[string]int
	User, Password string
	Miner          *plant.Miner
	World          *plant.World

	mu   sync.Mutex
	acts []string
}

// start is the site time at which a rig stands when it is made.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// One starts a healthy miner of that model at full work. change, which may be nil, changes
// its configuration before.
func One(t testing.TB, k *plant.Make, serve Serve, model string, change func(*plant.MinerConfig)) *Rig {
	t.Helper()
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1, Limit: 10 * unit.Megawatt}})
	if err != nil {
		t.Fatal(err)
	}
	r := &Rig{Host: "127.0.0.1", Ports: map[string]int{}}
	m, _ := k.Model(model)
	c := plant.MinerConfig{ID: "hall-001", Group: "hall", Make: k, IP: r.Host, Model: m}
	if change != nil {
		change(&c)
	}
	r.World, err = plant.New(plant.Config{Seed: 1, Tree: tree, Miners: []plant.MinerConfig{c}, Ramp: 0.02, Watch: r.watch}, start)
	if err != nil {
		t.Fatal(err)
	}
	r.World.Step(start.Add(10 * time.Minute))
	r.Miner = r.World.Miners()[0]
	r.User, r.Password = r.Miner.Credentials()
	listeners := map[string]net.Listener{}
	for name := range k.Ports {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(r.Host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() }) // its face closes it, mostly
		listeners[name] = l
		r.Ports[name] = l.Addr().(*net.TCPAddr).Port
	}
	closer, err := serve(r.Miner, listeners)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closer.Close(); err != nil {
			t.Errorf("close the emulated miner: %v", err)
		}
	})
	return r
}

func (r *Rig) watch(c plant.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.What != "setpoint" {
		r.acts = append(r.acts, c.What)
	}
}

// Acts returns what it was told beside setpoints, in order: "reboot", "pools", "led",
// "password".
func (r *Rig) Acts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.acts...)
}

// Now returns the miner's site time.
func (r *Rig) Now() time.Time { return r.World.Now() }

// Settle lets two minutes of site time pass, in which it reaches what it was told, also
// after a reboot.
func (r *Rig) Settle() { r.World.Step(r.World.Now().Add(2 * time.Minute)) }

// Obeys returns what the miner was told: its mode, and its power target where it has one.
func (r *Rig) Obeys() site.Setpoint {
	v := r.Miner.View()
	s := site.Setpoint{Mode: v.Mode}
	switch {
	case v.Limit > 0:
		s.Power = site.Some(v.Limit)
	case v.Percent < 100:
		s.Power = site.Some(v.Model.Nameplate.Scale(float64(v.Percent) / 100))
	}
	return s
}
