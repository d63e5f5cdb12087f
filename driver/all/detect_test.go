package all_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/driver/all"
	"switchyard/emulate/antminer"
	"switchyard/emulate/auradine"
	"switchyard/emulate/avalon"
	"switchyard/emulate/bitaxe"
	"switchyard/emulate/braiins"
	"switchyard/emulate/cgminer"
	"switchyard/emulate/epic"
	"switchyard/emulate/fault"
	"switchyard/emulate/luxos"
	"switchyard/emulate/mara"
	"switchyard/emulate/plant"
	"switchyard/emulate/proto"
	"switchyard/emulate/rig"
	"switchyard/emulate/sealminer"
	"switchyard/emulate/vnish"
	"switchyard/emulate/whatsminer"
)

// emulated is one generation of one family.
type emulated struct {
	make     *plant.Make
	serve    rig.Serve
	model    string
	firmware string // empty: that of the make
	// also are the drivers that may match beside the right one. The driver of last resort
	// takes whatever answers on the RPC port.
	also []string
}

// families holds every kind of emulated miner, and the generations whose wire differs.
func families() []emulated {
	last := []string{"cgminer"}
	return []emulated{
		{antminer.Make(), antminer.Serve, "S19j Pro", "", last},
		{antminer.Make(), antminer.Serve, "S21", "", last},
		{auradine.Make(), auradine.Serve, "AT1500", "", last},
		{auradine.Make(), auradine.Serve, "AH3880", "", last},
		{avalon.Make(), avalon.Serve, "A1246", "", last},
		{avalon.Make(), avalon.Serve, "A1566", "", last},
		{avalon.Make(), avalon.Serve, "Q", "", last},
		{avalon.Make(), avalon.Serve, "Nano3s", "", last},
		{bitaxe.Make(), bitaxe.Serve, "Gamma", "", nil},
		{bitaxe.Make(), bitaxe.Serve, "Ultra", "v2.0.0", nil},
		{bitaxe.Make(), bitaxe.Serve, "NerdQAxe++", "v1.0.30", nil},
		{braiins.Make(), braiins.Serve, "S19j Pro", "", nil},
		{braiins.Make(), braiins.Serve, "S21", "2026-04-14-0-912d084c-26.04-plus", nil},
		{cgminer.Make(), cgminer.Serve, "S7", "", nil},
		{cgminer.Make(), cgminer.Serve, "S9", "", nil},
		{cgminer.Make(), cgminer.Serve, "T9+", "", nil},
		{cgminer.Make(), cgminer.Serve, nameless(), "", nil},
		{epic.Make(), epic.Serve, "S19j Pro", "", nil},
		{luxos.Make(), luxos.Serve, "S21", "", last},
		{mara.Make(), mara.Serve, "S21", "", last},
		{proto.Make(), proto.Serve, "Rig", "", nil},
		{sealminer.Make(), sealminer.Serve, "A2", "", last},
		{vnish.Make(), vnish.Serve, "S19j Pro", "", nil},
		{whatsminer.Make(), whatsminer.Serve, "M30S++", "", last},
		{whatsminer.Make(), whatsminer.Serve, "M60S", "", last},
		{whatsminer.MakeV3(), whatsminer.ServeV3, "M60S", "", nil},
	}
}

// start starts a miner with those faults. It has a password: some take no order before.
func (e emulated) start(t *testing.T, faults ...fault.Fault) *rig.Rig {
	t.Helper()
	return rig.One(t, e.make, e.serve, e.model, func(c *plant.MinerConfig) {
		c.Faults, c.Password = faults, "a-long-secret"
		if e.firmware != "" {
			k := *c.Make
			k.Firmware = e.firmware
			c.Make = &k
		}
	})
}

// nameless is the emulated cgminer that tells no model: the last of its list.
func nameless() string {
	models := cgminer.Make().Models
	return models[len(models)-1].Name
}

// TestProbes asks each kind of emulated miner with every driver: the right one has to match,
// and none that is not expected to.
func TestProbes(t *testing.T) {
	families := families()
	for _, e := range families {
		t.Run(e.make.Driver+" "+e.model, func(t *testing.T) {
			t.Parallel()
			target := target(e.start(t))
			for _, d := range all.Drivers() {
				if d.Probe == nil {
					continue
				}
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				id, err := d.Probe(ctx, target)
				cancel()
				switch {
				case d.Name == e.make.Driver && (err != nil || id.Make == ""):
					t.Errorf("%s does not know its own: %+v, %v", d.Name, id, err)
				case d.Name != e.make.Driver && err == nil && !slices.Contains(e.also, d.Name):
					t.Errorf("%s takes it for its own: %+v", d.Name, id)
				case err != nil && !known(err):
					t.Errorf("%s: an error of no kind: %v", d.Name, err)
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if d, id, err := all.Detect(ctx, target); err != nil || d.Name != e.make.Driver || id.Make == "" {
				t.Errorf("detected %q, %+v, %v", d.Name, id, err)
			}
		})
	}
	for _, d := range all.Drivers() {
		meter := d.Name == "modbus" || d.Name == "snmp"
		if !meter && !slices.ContainsFunc(families, func(e emulated) bool { return e.make.Driver == d.Name }) {
			t.Errorf("%s: nothing here is of its kind", d.Name)
		}
	}
}

// TestTwoPorts detects firmwares that answer on the RPC port as the maker's does, beside a web
// server of their own.
func TestTwoPorts(t *testing.T) {
	other := emulated{cgminer.Make(), cgminer.Serve, "S19j Pro (Vnish 1.2.6)", "", nil}
	for _, e := range families() {
		if _, two := e.make.Ports["rpc"]; two || e.make.Ports["http"] != 80 {
			continue
		}
		t.Run(e.make.Driver+" "+e.model, func(t *testing.T) {
			t.Parallel()
			r, beside := e.start(t), other.start(t)
			r.Ports["rpc"] = beside.Ports["rpc"]
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if d, id, err := all.Detect(ctx, target(r)); err != nil || d.Name != e.make.Driver {
				t.Errorf("detected %q, %+v, %v", d.Name, id, err)
			}
		})
	}
}

// TestMute: where a sensor is not there the power is unknown, and never zero.
func TestMute(t *testing.T) {
	for _, e := range families() {
		t.Run(e.make.Driver+" "+e.model, func(t *testing.T) {
			t.Parallel()
			r := e.start(t, fault.Fault{Kind: fault.MutePower})
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			drv, _ := all.ByName(e.make.Driver)
			d, err := drv.Open(target(r))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			s, err := d.Read(ctx)
			if err != nil || s.Power.OK || !s.Hashrate.OK || s.Hashrate.V <= 0 {
				t.Errorf("power %v, hashrate %v, %v", s.Power, s.Hashrate, err)
			}
		})
	}
}

func known(err error) bool {
	for _, kind := range []error{driver.ErrUnsupported, driver.ErrUnreachable, driver.ErrUnauthorized, driver.ErrRefused} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// target reaches the rig. What is on other ports of the machine that runs the test is not
// asked: those are shut.
func target(r *rig.Rig) driver.Target {
	mine := map[string]bool{}
	for _, n := range r.Ports {
		mine[net.JoinHostPort(r.Host, fmt.Sprint(n))] = true
	}
	return driver.Target{
		Device: "d1", Host: r.Host, Ports: r.Ports, User: r.User, Password: driver.Secret(r.Password), Now: r.Now,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if !mine[address] {
				return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
			}
			var d net.Dialer
			return d.DialContext(ctx, network, address)
		},
	}
}
