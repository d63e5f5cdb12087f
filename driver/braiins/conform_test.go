package braiins_test

import (
	"context"
	"encoding/json"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/driver/braiins"
	"switchyard/driver/conform"
	emulated "switchyard/emulate/braiins"
	"switchyard/emulate/plant"
	"switchyard/emulate/rig"
	"switchyard/site"
)

// start starts a miner that has only the named interface.
func start(t *testing.T, port, firmware string) *rig.Rig {
	k := emulated.Make()
	k.Ports, k.Firmware = map[string]int{port: 1}, firmware
	r := rig.One(t, k, emulated.Serve, "S21", func(c *plant.MinerConfig) { c.Password = "br44iins-secret" })
	for _, name := range []string{"http", "grpc", "rpc"} {
		if r.Ports[name] == 0 {
			r.Ports[name] = 1 // nobody is there
		}
	}
	return r
}

func target(r *rig.Rig) driver.Target {
	return driver.Target{Device: "b-001", Host: r.Host, Ports: r.Ports, User: r.User, Password: driver.Secret(r.Password), Now: time.Now}
}

func TestConformance(t *testing.T) {
	for name, k := range map[string]struct{ port, firmware string }{
		"REST":                    {"http", "2025-08-06-0-3881c51d-25.07-plus"},
		"REST with quick ramping": {"http", "2026-04-14-0-912d084c-26.04-plus"},
		"gRPC":                    {"grpc", "2025-03-12-0-6d7a5c54-25.03-plus"},
		"gRPC with quick ramping": {"grpc", "2026-04-14-0-912d084c-26.04-plus"},
	} {
		t.Run(name, func(t *testing.T) {
			conform.Run(t, conform.Kit{Driver: braiins.Driver(), ReadNeedsPassword: true, Power: true, Staged: true, Start: func(t *testing.T) conform.Fake {
				r := start(t, k.port, k.firmware)
				return conform.Fake{Target: target(r), Obeys: r.Obeys, Settle: r.Settle, Acts: r.Acts}
			}})
		})
	}
}

// TestBothInterfacesTellTheSame reads one miner over REST and over gRPC.
func TestBothInterfacesTellTheSame(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var seen [2]site.Sample
	for i, port := range []string{"http", "grpc"} {
		d, err := braiins.Driver().Open(target(start(t, port, "2026-04-14-0-912d084c-26.04-plus")))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if seen[i], err = d.Read(ctx); err != nil {
			t.Fatal(err)
		}
	}
	over, under := seen[0], seen[1]
	if len(over.Boards) != 3 || !over.Power.OK || !over.Target.OK || !over.Intake.OK || len(over.Pools) != 2 || !over.Uptime.OK {
		t.Fatalf("over REST: %+v", over)
	}
	for what, same := range map[string]bool{
		"identity": over.Identity == under.Identity, "power": over.Power == under.Power, "target": over.Target == under.Target,
		"intake": over.Intake == under.Intake, "uptime": over.Uptime == under.Uptime, "state": over.State == under.State,
		"boards": len(over.Boards) == len(under.Boards) && over.Boards[0].ChipTemp == under.Boards[0].ChipTemp && over.Boards[2].Chips == under.Boards[2].Chips,
		"fans":   len(over.Fans) == len(under.Fans) && over.Fans[0] == under.Fans[0],
		"pools":  len(over.Pools) == len(under.Pools) && over.Pools[0] == under.Pools[0],
	} {
		if !same {
			t.Errorf("the %s differ: over REST %+v, over gRPC %+v", what, over, under)
		}
	}
}

// TestStageQuickensThePause: a firmware that names bounds of quick ramping gets the least.
func TestStageQuickensThePause(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, c := range []struct{ port, firmware, want string }{
		{"http", "2026-04-14-0-912d084c-26.04-plus", `{"quick_ramping_time_down_s":2,"quick_ramping_time_up_s":60}`},
		{"grpc", "2026-04-14-0-912d084c-26.04-plus", `{"quick_ramping_time_down_s":2,"quick_ramping_time_up_s":60}`},
		{"http", "2025-08-06-0-3881c51d-25.07-plus", "null"},
	} {
		r := start(t, c.port, c.firmware)
		d, err := braiins.Driver().Open(target(r))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if _, err := d.Info(ctx); err != nil {
			t.Fatal(err)
		}
		if err := d.(driver.Stager).Stage(ctx); err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(braiins.Ramping(ctx, d))
		if string(got) != c.want || err != nil {
			t.Errorf("%s %s: %s, %v, want %s", c.port, c.firmware, got, err, c.want)
		}
	}
}

// TestCloseEndsGRPC: the library's goroutines end with the device, also where nobody answers.
func TestCloseEndsGRPC(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	r := start(t, "grpc", "2025-03-12-0-6d7a5c54-25.03-plus")
	mute := target(r)
	mute.Ports = map[string]int{"http": 1, "rpc": 1, "grpc": silent.Addr().(*net.TCPAddr).Port}
	for name, to := range map[string]driver.Target{"it answers": target(r), "it is silent": mute} {
		d, err := braiins.Driver().Open(to)
		if err != nil {
			t.Fatal(err)
		}
		limit := 20 * time.Second
		if name == "it is silent" {
			limit = 300 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		_, err = d.Read(ctx)
		cancel()
		if (err != nil) != (name == "it is silent") {
			t.Errorf("%s: %v", name, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		for i := 0; strings.Contains(stacks(), "http2Client"); i++ {
			if i > 400 {
				t.Fatalf("%s: goroutines are left:\n%s", name, stacks())
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}
