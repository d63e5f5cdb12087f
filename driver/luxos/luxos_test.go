package luxos_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/driver/conform"
	"switchyard/driver/luxos"
	"switchyard/driver/rpc"
	emulated "switchyard/emulate/luxos"
	"switchyard/emulate/plant"
	"switchyard/emulate/rig"
	"switchyard/site"
	"switchyard/unit"
)

func TestConformance(t *testing.T) {
	conform.Run(t, conform.Kit{
		Driver: luxos.Driver(), Power: true, NoPassword: true, Staged: true,
		Start: func(t *testing.T) conform.Fake {
			r := rig.One(t, emulated.Make(), emulated.Serve, "S21", nil)
			return conform.Fake{
				Target: driver.Target{Host: r.Host, Ports: r.Ports},
				Obeys:  r.Obeys, Settle: r.Settle, Acts: r.Acts,
			}
		},
		Bare: func(t *testing.T) conform.Fake {
			return conform.Fake{Target: canned(t, map[string]string{
				"summary": `{"STATUS":[{"STATUS":"S","Code":11}],"SUMMARY":[{"Elapsed":5,"GHS 5s":null}],"id":1}`,
				"config":  `{"STATUS":[{"STATUS":"S","Code":33}],"CONFIG":[{"Model":"Antminer S19","CurtailMode":"None"}],"id":1}`,
				"power":   `{"STATUS":[{"STATUS":"S","Code":311}],"POWER":[{"PSU":false,"Watts":0}],"id":1}`,
			})}
		},
	})
}

// canned answers single commands from a table, and joins none.
func canned(t *testing.T, replies map[string]string) driver.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var r rpc.Request
				if json.NewDecoder(c).Decode(&r) != nil {
					return
				}
				reply, ok := replies[r.Command]
				if !ok {
					reply = `{"STATUS":[{"STATUS":"E","Code":14,"Msg":"Invalid command"}],"id":1}`
				}
				_, _ = io.WriteString(c, reply)
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n, _ := strconv.Atoi(port)
	return driver.Target{Device: "d", Host: "127.0.0.1", Ports: map[string]int{"rpc": n}, Now: time.Now}
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// miner is an emulated miner whose time the test moves, with a device whose clock is the same.
type miner struct {
	*rig.Rig
	driver.Device
	target driver.Target
	mu     sync.Mutex
	sent   []string
}

// start starts a miner that counts the commands it is sent.
func start(t *testing.T, change func(*plant.MinerConfig)) *miner {
	t.Helper()
	m := &miner{Rig: rig.One(t, emulated.Make(), emulated.Serve, "S21", change)}
	m.target = driver.Target{Device: "d", Host: m.Host, Ports: m.Ports, Now: m.Rig.Now}
	m.target.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &tap{Conn: c, m: m}, err
	}
	d, err := luxos.Driver().Open(m.target)
	if err != nil {
		t.Fatal(err)
	}
	m.Device = d
	return m
}

// tap notes the commands that pass.
type tap struct {
	net.Conn
	m *miner
}

func (c *tap) Write(b []byte) (int, error) {
	var r rpc.Request
	if json.Unmarshal(b, &r) == nil {
		c.m.mu.Lock()
		c.m.sent = append(c.m.sent, r.Command)
		c.m.mu.Unlock()
	}
	return c.Conn.Write(b)
}

// told returns the commands since the last call.
func (m *miner) told() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sent
	m.sent = nil
	return s
}

func (m *miner) later(d time.Duration) { m.World.Step(m.World.Now().Add(d)) }

func (m *miner) other(t *testing.T, command, parameter string) rpc.Reply {
	t.Helper()
	r, err := rpc.Call(limited(t), m.target.DialContext, m.target.Addr("rpc", rpc.Port), rpc.Request{Command: command, Parameter: parameter})
	if err != nil {
		t.Fatal(command, err)
	}
	m.told()
	return r
}

var asleep = site.Setpoint{Mode: site.ModeSleep}

func TestStrangersSession(t *testing.T) {
	m := start(t, nil)
	m.other(t, "logon", "")
	led := driver.Action{Act: site.ActLED, On: true}
	if err := m.Device.(driver.Operator).Do(limited(t), led); !errors.Is(err, driver.ErrRefused) {
		t.Errorf("an act under somebody else's session: %v", err)
	}
	if err := m.Device.(driver.Stager).Stage(limited(t)); !errors.Is(err, driver.ErrRefused) {
		t.Errorf("Stage must leave it alone: %v", err)
	}
	m.told()
	if err := m.Apply(limited(t), asleep); err != nil || m.Obeys().Mode != site.ModeSleep {
		t.Errorf("a limit does not wait: %v", err)
	}
	if got, want := m.told(), []string{"logon", "session", "kill", "logon", "curtail"}; !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
	// The stranger comes back and ends ours.
	m.other(t, "kill", "")
	m.other(t, "logon", "")
	if err := m.Apply(limited(t), site.Setpoint{}); !errors.Is(err, driver.ErrRefused) {
		t.Errorf("a wake-up waits: %v", err)
	}
	m.later(2 * time.Minute) // it lapsed
	if err := m.Apply(limited(t), site.Setpoint{}); err != nil || m.Obeys().Mode != site.ModeRun {
		t.Errorf("after it lapsed: %v", err)
	}
}

func TestStageKeepsASession(t *testing.T) {
	m := start(t, nil)
	if _, err := m.Read(limited(t)); err != nil {
		t.Fatal(err)
	}
	for i := range 20 { // five minutes of polls
		m.later(15 * time.Second)
		if _, err := m.Read(limited(t)); err != nil {
			t.Fatal(err)
		}
		if err := m.Device.(driver.Stager).Stage(limited(t)); err != nil {
			t.Fatal(i, err)
		}
	}
	m.later(14 * time.Second)
	m.told()
	if err := m.Apply(limited(t), asleep); err != nil || m.Obeys().Mode != site.ModeSleep {
		t.Fatal(err)
	}
	if got := m.told(); !slices.Equal(got, []string{"curtail"}) {
		t.Errorf("sent %v", got)
	}
}

func TestCap(t *testing.T) {
	m := start(t, nil)
	c, err := m.Info(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Levels) != 17 || c.Levels[16] != 3500*unit.Watt || len(c.Profiles) != 21 || c.Nameplate.V != 3500*unit.Watt {
		t.Fatalf("levels %v, profiles %v", c.Levels, c.Profiles)
	}
	between := c.Levels[5] + 10*unit.Watt
	if err := m.Apply(limited(t), asleep); err != nil {
		t.Fatal(err)
	}
	m.later(time.Minute)
	m.told()
	if err := m.Apply(limited(t), site.Setpoint{Power: site.Some(between)}); err != nil {
		t.Fatal(err)
	}
	sent := m.told()
	if i, j := slices.Index(sent, "profileset"), slices.Index(sent, "curtail"); i < 0 || j < i {
		t.Errorf("sent %v: the profile comes before the wake-up", sent)
	}
	m.later(3 * time.Minute)
	s, err := m.Read(limited(t))
	if err != nil || s.Target != site.Some(c.Levels[5]) || s.Power.V > between || s.State != site.StateHashing {
		t.Errorf("%+v, %v, want a target of %v", s, err, c.Levels[5])
	}
	if err := m.Apply(limited(t), site.Setpoint{Power: site.Some(300 * unit.Watt)}); !errors.Is(err, driver.ErrRefused) {
		t.Errorf("below the lowest profile: %v", err)
	}
	if err := m.Apply(limited(t), site.Setpoint{Power: site.Some(9 * unit.Kilowatt)}); err != nil || m.Obeys().Power.V != 3500*unit.Watt {
		t.Errorf("%v, %v: nothing is overclocked", err, m.Obeys())
	}
	// What a person chose is full power from then on.
	if err := m.Device.(driver.Operator).Do(limited(t), driver.Action{Act: site.ActProfile, Profile: c.Profiles[3].Name}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []site.Setpoint{asleep, {}} {
		if err := m.Apply(limited(t), want); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.Obeys(); got.Mode != site.ModeRun || got.Power.V != c.Levels[3] {
		t.Errorf("obeys %v, want the chosen profile of %v", got, c.Levels[3])
	}
}

// TestATM: the firmware's own control must not climb above the cap.
func TestATM(t *testing.T) {
	m := start(t, nil)
	id := m.other(t, "logon", "").Objects("SESSION")[0].Text("SessionID")
	m.other(t, "atmset", id+",enabled=true")
	m.other(t, "logoff", id)
	c, err := m.Info(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Apply(limited(t), site.Setpoint{Power: site.Some(c.Levels[8])}); err != nil {
		t.Fatal(err)
	}
	atm := m.other(t, "atm", "").Objects("ATM")[0]
	if got := atm.Text("MaxProfile"); got != c.Profiles[8].Name {
		t.Errorf("ATM may climb to %q, the cap is %q", got, c.Profiles[8].Name)
	}
	if err := m.Apply(limited(t), site.Setpoint{}); err != nil {
		t.Fatal(err)
	}
	if got := m.other(t, "atm", "").Objects("ATM")[0].Text("MaxProfile"); got != "default" {
		t.Errorf("ATM's highest profile is %q after the cap went", got)
	}
}

func TestPoolsReplaced(t *testing.T) {
	m := start(t, nil)
	op := m.Device.(driver.Operator)
	a := driver.Action{Act: site.ActPools, Pools: []driver.Pool{{URL: "stratum+tcp://a:1", Worker: "w", Password: "x"}, {URL: "stratum+tcp://b:2", Worker: "w"}}}
	for range 2 {
		if err := op.Do(limited(t), a); err != nil {
			t.Fatal(err)
		}
	}
	s, err := m.Read(limited(t))
	want := []site.Pool{{URL: "stratum+tcp://a:1", Worker: "w", Active: true}, {URL: "stratum+tcp://b:2", Worker: "w"}}
	if err != nil || !slices.Equal(s.Pools, want) {
		t.Errorf("pools %+v, %v", s.Pools, err)
	}
	a.Pools[0].Worker = "a,b"
	if err := op.Do(limited(t), a); !errors.Is(err, driver.ErrRefused) {
		t.Errorf("a comma: %v", err)
	}
}

// TestAlreadySo: a miner that refuses to sleep because it sleeps has done what it was told.
func TestAlreadySo(t *testing.T) {
	ok := `{"STATUS":[{"STATUS":"S","Code":1}],`
	target := canned(t, map[string]string{
		"logon":   ok + `"SESSION":[{"SessionID":"abcdefgh"}]}`,
		"config":  ok + `"CONFIG":[{"Model":"Antminer S19","CurtailMode":"Sleep","IsPowerSupplyOn":false,"Profile":"default"}]}`,
		"curtail": `{"STATUS":[{"STATUS":"E","Code":434,"Msg":"Invalid curtailment state"}]}`,
	})
	d, err := luxos.Driver().Open(target)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Apply(limited(t), asleep); err != nil {
		t.Errorf("asleep already: %v", err)
	}
	if err := d.Apply(limited(t), site.Setpoint{}); !errors.Is(err, driver.ErrRefused) {
		t.Errorf("it does not wake: %v", err)
	}
}

// TestNoKill: the session of a stranger is used where the firmware cannot end it.
func TestNoKill(t *testing.T) {
	ok := `{"STATUS":[{"STATUS":"S","Code":1}],`
	target := canned(t, map[string]string{
		"logon":   `{"STATUS":[{"STATUS":"E","Code":402,"Msg":"session busy"}]}`,
		"session": ok + `"SESSION":[{"SessionID":"abcdefgh"}]}`,
		"curtail": ok + `"CURTAIL":[{"Action":"sleep mode"}]}`,
	})
	d, err := luxos.Driver().Open(target)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Apply(limited(t), asleep); err != nil {
		t.Error(err)
	}
}
