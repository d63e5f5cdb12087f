package plant

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/emulate/fault"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// toy is a make for these tests.
var toy = &Make{Driver: "toy", Brand: "Toy", User: "root", Password: "root", Models: []Row{{Name: "S21", TH: 200, Watts: 3500, Standby: 28, Chips: 108, TellsPower: true}}}

// hall is a connection with a hall of n miners and a tenant's feeder.
func hall(t testing.TB, n int, change func(*Config)) *World {
	t.Helper()
	tree, err := site.NewTree([]site.Node{
		{ID: "connection", Parent: -1, Limit: 4 * unit.Megawatt, Loss: 0.01, Meter: "meter:connection"},
		{ID: "hall", Parent: 0, Limit: 2 * unit.Megawatt, Loss: 0.02, Meter: "meter:hall"},
		{ID: "ai", Parent: 0, Meter: "meter:ai"},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Seed: 1, Tree: tree, Tenants: []TenantConfig{{ID: "tenant", Node: 2, Firm: 1800 * unit.Kilowatt}}}
	model, ok := toy.Model("Toy S21")
	if !ok {
		t.Fatal("no S21 in the table")
	}
	for i := range n {
		cfg.Miners = append(cfg.Miners, MinerConfig{ID: fmt.Sprintf("s21-%03d", i+1), Group: "s21", Make: toy, Node: 1, Model: model})
	}
	if change != nil {
		change(&cfg)
	}
	w, err := New(cfg, noon)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// after steps the world by d, second by second.
func after(w *World, d time.Duration) { w.Step(w.Now().Add(d)) }

func watts(m *Miner) float64 { p, _, _ := m.Truth(); return p.Watts() }
func hashes(m *Miner) float64 {
	_, _, h := m.Truth()
	return h.TH()
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s: got %v, want %v within %v", what, got, want, within)
	}
}

func TestSleepAndWake(t *testing.T) {
	w := hall(t, 1, nil)
	m := w.Miner("s21-001")
	after(w, time.Minute)
	full, fullHash := watts(m), hashes(m)
	near(t, "full power", full, 3500, 0.03*3500)
	near(t, "full hashrate", fullHash, 200, 0.07*200)

	m.Sleep()
	if got := m.View().Mode; got != ModeSleep {
		t.Fatalf("mode right after the order: %v", got)
	}
	after(w, 2*time.Second)
	if p := watts(m); p < 0.5*full || p >= full {
		t.Errorf("2 s into the ramp down: %v W of %v", p, full)
	}
	after(w, 12*time.Second)
	near(t, "standby", watts(m), 28, 4)
	if v := m.View(); v.State != Sleeping || v.Elapsed != 0 {
		t.Errorf("asleep it says %v after %v", v.State, v.Elapsed)
	}
	after(w, 5*time.Minute)
	if v := m.View(); v.Boards[0].ChipTemp > 40 || v.Hashrate != 0 {
		t.Errorf("after five minutes asleep: %+v", v.Boards[0])
	}
	checkWake(t, w, m, full, fullHash)
}

// checkWake wakes a sleeping miner: boot at little power, one step of inrush, then a ramp
// no faster than the model's.
func checkWake(t *testing.T, w *World, m *Miner, full, fullHash float64) {
	t.Helper()
	m.Wake()
	began, last, stepped := w.Now(), watts(m), time.Time{}
	for watts(m) < 0.98*full {
		if w.Now().Sub(began) > 7*time.Minute {
			t.Fatalf("not awake after seven minutes: %v W", watts(m))
		}
		after(w, time.Second)
		rise := watts(m) - last
		switch {
		case rise > 300 && stepped.IsZero():
			stepped = w.Now()
			near(t, "inrush step", rise, 0.25*3500, 0.05*3500)
		case !stepped.IsZero() && rise > 1.2*3500/(180*0.85)+40: // fastest spread, and noise
			t.Fatalf("rises %v W in a second", rise)
		}
		last = watts(m)
	}
	if b := stepped.Sub(began).Seconds(); b < 75*0.84 || b > 75*1.17 {
		t.Errorf("booted in %v s", b)
	}
	if took := w.Now().Sub(began); took < 3*time.Minute {
		t.Errorf("woke in %v", took)
	}
	if hashes(m) > 0.995*fullHash {
		t.Errorf("hashrate does not lag: %v of %v", hashes(m), fullHash)
	}
	after(w, 3*time.Minute)
	near(t, "hashrate again", hashes(m), fullHash, 0.02*fullHash)
	if v := m.View(); v.State != Hashing || len(v.Boards) != 3 || len(v.Fans) != 4 || v.Boards[1].ChipTemp < 50 || v.Boards[1].ChipTemp > 95 {
		t.Errorf("awake it says %+v", v)
	}
}

func TestLimitsAreFollowedAndEfficient(t *testing.T) {
	w := hall(t, 1, nil)
	m := w.Miner("s21-001")
	after(w, time.Minute)
	fullEff := watts(m) / hashes(m)
	m.SetLimit(2400 * unit.Watt)
	after(w, 5*time.Second)
	if p := watts(m); p < 2500 {
		t.Errorf("5 s after the limit already at %v W", p)
	}
	after(w, time.Minute)
	near(t, "at the limit", watts(m), 2400, 40)
	if eff := watts(m) / hashes(m); eff > 0.95*fullEff {
		t.Errorf("%v J/TH at less power, %v at full", eff, fullEff)
	}
	m.SetLimit(100 * unit.Watt) // below what the hardware can do
	after(w, 2*time.Minute)
	near(t, "at the least", watts(m), 1750, 40)
	m.SetLimit(0)
	m.SetPercent(80)
	after(w, 3*time.Minute)
	near(t, "at 80 %", watts(m), 2800, 45)
}

func TestReboot(t *testing.T) {
	w := hall(t, 1, nil)
	m := w.Miner("s21-001")
	after(w, time.Second)
	m.Reboot()
	after(w, 15*time.Second)
	if v := m.View(); !v.Rebooting || watts(m) > 60 {
		t.Errorf("rebooting it says %v at %v W", v.Rebooting, watts(m))
	}
	after(w, 10*time.Minute)
	v := m.View()
	near(t, "power again", watts(m), 3500, 120)
	if v.Rebooting || v.State != Hashing || v.Uptime > 11*time.Minute || v.Elapsed > v.Uptime {
		t.Errorf("after the reboot: up %v, hashing %v, %v", v.Uptime, v.Elapsed, v.State)
	}
}

func TestFaultsOfMiners(t *testing.T) {
	from, to := noon.Add(time.Minute), noon.Add(10*time.Minute)
	one := func(k fault.Kind, d time.Duration) func(*Config) {
		return func(c *Config) { c.Miners[0].Faults = fault.Set{{Kind: k, Delay: d, Chance: 1, From: from, To: to}} }
	}
	t.Run("lying", func(t *testing.T) {
		w := hall(t, 1, one(fault.Lying, 0))
		m := w.Miner("s21-001")
		after(w, 2*time.Minute)
		m.Sleep()
		after(w, time.Minute)
		if v := m.View(); v.Mode != ModeSleep || v.State != Hashing || watts(m) < 3300 {
			t.Errorf("a liar: told %v, does %v at %v W", v.Mode, v.State, watts(m))
		}
		after(w, 10*time.Minute)
		m.Sleep()
		after(w, time.Minute)
		if watts(m) > 60 {
			t.Errorf("a liar no more draws %v W", watts(m))
		}
	})
	t.Run("dead board", func(t *testing.T) {
		w := hall(t, 1, one(fault.DeadBoard, 0))
		m := w.Miner("s21-001")
		after(w, 30*time.Second)
		p, h := watts(m), hashes(m)
		after(w, 5*time.Minute)
		near(t, "power", watts(m)/p, 2.0/3, 0.02)
		near(t, "hashrate", hashes(m)/h, 2.0/3, 0.02)
		if b := m.View().Boards; !b[2].Dead || b[2].Hashrate != 0 || b[0].Dead {
			t.Errorf("boards: %+v", b)
		}
	})
	t.Run("password, refusal and clock", func(t *testing.T) {
		w := hall(t, 1, func(c *Config) {
			c.Miners[0].Faults = fault.Set{{Kind: fault.WrongPassword, From: from}, {Kind: fault.Refusing, Chance: 1, From: from}, {Kind: fault.ClockSkew, Delay: time.Hour, From: from}}
		})
		m := w.Miner("s21-001")
		after(w, time.Second)
		if !m.CheckPassword("root", "root") || m.CheckPassword("root", "other") || m.Refuses() || !m.Now().Equal(w.Now()) {
			t.Error("faults before their time")
		}
		after(w, 2*time.Minute)
		if m.CheckPassword("root", "root") || !m.Refuses() || m.Now().Sub(w.Now()) != time.Hour || !m.View().At.Equal(m.Now()) {
			t.Error("no faults in their time")
		}
	})
}

// TestBooks holds the sums: energy is the integral of power, a node is its children plus
// its losses, a group is its miners.
func TestBooks(t *testing.T) {
	w := hall(t, 12, nil)
	at0 := w.Meter("hall").View()
	var sum float64 // mW s
	for i := range 1800 {
		if i == 300 {
			w.Miners()[3].Sleep()
		}
		after(w, time.Second)
		sum += float64(w.Meter("hall").View().Power)
	}
	r := w.Record()
	conn, _ := r.Node("connection")
	in, _ := r.Node("hall")
	group, _ := r.Load("s21")
	ai, _ := r.Node("ai")
	ten, _ := r.Load("tenant")
	near(t, "energy is the integral of power", float64(in.Energy), sum/3600, 1)
	near(t, "register", float64(w.Meter("hall").View().Energy-at0.Energy), float64(in.Energy), 0)
	near(t, "hall is group and losses", float64(in.Energy), float64(group.Energy+in.Losses), 3)
	near(t, "losses are a share", float64(in.Losses)/float64(in.Energy), 0.02, 1e-6)
	near(t, "connection", float64(conn.Energy), float64(in.Energy+ai.Energy+conn.Losses), 4)
	near(t, "tenant", float64(ai.Energy), float64(ten.Energy), 1)
	var miners unit.Energy
	for _, m := range w.Miners() {
		_, e, _ := m.Truth()
		miners += e
	}
	near(t, "group is its miners", float64(group.Energy), float64(miners), 12)
	if group.Work < 11*190*1800 || group.Work > 12*215*1800 {
		t.Errorf("work %v TH", group.Work)
	}
	w.ResetRecord()
	after(w, time.Minute)
	if n, _ := w.Record().Node("hall"); n.Energy >= in.Energy || n.Energy <= 0 {
		t.Errorf("energy after a reset: %v", n.Energy)
	}
}

// TestIntegral checks the register against exact arithmetic in one go.
func TestIntegral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a integral
		var total time.Duration
		p := unit.Power(rapid.Int64Range(0, int64(100*unit.Megawatt)).Draw(t, "power"))
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			d := time.Duration(rapid.Int64Range(1, int64(time.Second)).Draw(t, "dt"))
			a.add(p, d)
			total += d
		}
		if got, want := a.whole, p.Over(total); got != want && got != want-1 { // Over rounds, a register does not
			t.Fatalf("%v for %v: got %d mWh, want %d", p, total, got, want)
		}
	})
}

func TestSameSeedSameDay(t *testing.T) {
	run := func(seed uint64) ([]View, Record) {
		w := hall(t, 5, func(c *Config) { c.Seed = seed; c.Tenants[0].Draw.Jump = 10 * time.Minute })
		for i := range 900 {
			if i == 100 {
				w.Miners()[1].Sleep()
			}
			after(w, 700*time.Millisecond)
		}
		var v []View
		for _, m := range w.Miners() {
			v = append(v, m.View())
		}
		return v, w.Record()
	}
	v1, r1 := run(1)
	v2, r2 := run(1)
	if d := cmp.Diff(v1, v2); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(r1, r2); d != "" {
		t.Error(d)
	}
	if _, other := run(2); cmp.Equal(r1, other) {
		t.Error("another seed gives the same day")
	}
}

func TestTenant(t *testing.T) {
	t.Run("wanders within its bounds", func(t *testing.T) {
		w := hall(t, 0, func(c *Config) { c.Tenants[0].Draw = sitefile.Draw{Low: 0.5, High: 1, Jump: time.Hour} })
		low, high := unit.Power(math.MaxInt64), unit.Power(0)
		for range 24 * 60 {
			after(w, time.Minute)
			p := w.Meter("ai").View().Power
			low, high = min(low, p), max(high, p)
		}
		if low < 890*unit.Kilowatt || high > 1800*unit.Kilowatt || high-low < 500*unit.Kilowatt {
			t.Errorf("a day between %v and %v", low, high)
		}
		if l, _ := w.Record().Load("tenant"); l.Steepest < 600*unit.Kilowatt || l.Undelivered != 0 {
			t.Errorf("no jump in a day: %+v", l)
		}
	})
	t.Run("jumps at its hour", func(t *testing.T) {
		w := hall(t, 0, func(c *Config) {
			c.Tenants[0].Draw.At = []sitefile.Jump{{At: "12:05", To: 0.5, For: time.Minute}, {At: "12:10", To: 1, For: time.Minute}}
		})
		after(w, 10*time.Minute)
		near(t, "before", w.Meter("ai").View().Power.Watts(), 900e3, 15e3)
		after(w, 30*time.Second)
		near(t, "on the way", w.Meter("ai").View().Power.Watts(), 1350e3, 30e3)
		after(w, 32*time.Second)
		near(t, "after", w.Meter("ai").View().Power.Watts(), 1800e3, 20e3)
	})
	t.Run("obliges who asks", func(t *testing.T) {
		w := hall(t, 0, func(c *Config) { c.Tenants[0].Draw = sitefile.Draw{Low: 0.9, High: 0.9} })
		after(w, 10*time.Minute)
		if w.Ask("nobody", 0) || !w.Ask("tenant", 900*unit.Kilowatt) {
			t.Error("somebody else was asked")
		}
		after(w, 24*time.Second) // a fifth of the way from all to none
		near(t, "on the way", w.Meter("ai").View().Power.Watts(), 1260e3, 30e3)
		after(w, time.Minute)
		near(t, "as asked", w.Meter("ai").View().Power.Watts(), 900e3, 1)
		w.Ask("tenant", -1)
		after(w, 2*time.Minute)
		near(t, "let go", w.Meter("ai").View().Power.Watts(), 1620e3, 20e3)
		if l, _ := w.Record().Load("tenant"); l.Undelivered != 0 {
			t.Errorf("what it gave counts as not delivered: %v", l.Undelivered)
		}
	})
}

func TestLogins(t *testing.T) {
	tests := []struct{ user, password, wantUser, wantPassword string }{
		{"", "", "root", "root"},
		{"", "secret", "root", "secret"},
		{"miner", "secret", "miner", "secret"},
	}
	for _, tt := range tests {
		m := hall(t, 1, func(c *Config) { c.Miners[0].User, c.Miners[0].Password = tt.user, tt.password }).Miners()[0]
		if u, p := m.Credentials(); u != tt.wantUser || p != tt.wantPassword || !m.CheckPassword("", p) || m.CheckPassword("nobody", p) {
			t.Errorf("%+v: got %q %q", tt, u, p)
		}
		m.SetPassword("other")
		if _, p := m.Credentials(); p != "other" || m.CheckPassword("", tt.wantPassword) {
			t.Errorf("%+v: after a change the password is %q", tt, p)
		}
	}
}

func TestPersonsOrders(t *testing.T) {
	var seen []string
	w := hall(t, 1, func(c *Config) { c.Watch = func(ch Change) { seen = append(seen, ch.What) } })
	m := w.Miners()[0]
	m.SetLED(true)
	m.SetPools([]PoolView{{URL: "stratum+tcp://a:1", Worker: "w"}})
	m.SetPassword("p")
	m.Reboot()
	m.Sleep()
	v := m.View()
	if !v.LED || len(v.Pools) != 1 || v.Pools[0].URL != "stratum+tcp://a:1" {
		t.Errorf("%+v", v)
	}
	if got := fmt.Sprint(seen); got != "[led pools password reboot setpoint]" {
		t.Errorf("the watch saw %s", got)
	}
}

func TestMeterFaults(t *testing.T) {
	w := hall(t, 3, func(c *Config) {
		c.MeterFaults = map[site.DeviceID]fault.Set{
			"meter:hall":       {{Kind: fault.Frozen, From: noon.Add(time.Minute), To: noon.Add(2 * time.Minute)}},
			"meter:connection": {{Kind: fault.RegisterReset, From: noon.Add(time.Minute)}},
		}
	})
	after(w, 59*time.Second)
	before, frozen := w.Meter("connection").View(), w.Meter("hall").View()
	after(w, 30*time.Second)
	if now := w.Meter("hall").View(); now != frozen {
		t.Errorf("not frozen: %+v", now)
	}
	if now := w.Meter("connection").View(); now.Energy >= before.Energy || now.Energy <= 0 || now.Energy > now.Power.Scale(1.2).Over(30*time.Second) {
		t.Errorf("not reset: %v, before %v", now.Energy, before.Energy)
	}
	after(w, time.Minute)
	if now := w.Meter("hall").View(); now.Energy <= frozen.Energy || !now.Updated.Equal(w.Now()) {
		t.Errorf("still frozen: %+v", now)
	}
}

func TestBreaker(t *testing.T) {
	w := hall(t, 2, nil)
	after(w, time.Minute)
	if err := w.SetBreaker("connection", true); err != nil {
		t.Fatal(err)
	}
	after(w, time.Hour)
	r := w.Record()
	if l, _ := r.Load("tenant"); l.Undelivered < 800*unit.KilowattHour {
		t.Errorf("undelivered in a dark hour: %v", l.Undelivered)
	}
	if n, _ := r.Node("connection"); n.Power != 0 {
		t.Errorf("power behind an open breaker: %v", n.Power)
	}
	_ = w.SetBreaker("connection", false)
	after(w, 10*time.Minute)
	if n, _ := w.Record().Node("hall"); n.Power < 6*unit.Kilowatt {
		t.Errorf("not back: %v", n.Power)
	}
	if w.SetBreaker("nowhere", true) == nil {
		t.Error("a breaker nowhere")
	}
}

func BenchmarkWorldStep600(b *testing.B) {
	w := hall(b, 600, nil)
	b.ReportAllocs()
	for b.Loop() {
		after(w, time.Second)
	}
}

func BenchmarkView(b *testing.B) {
	m := hall(b, 1, nil).Miners()[0]
	b.ReportAllocs()
	for b.Loop() {
		_ = m.View()
	}
}

func TestPowerReadings(t *testing.T) {
	mute := fault.Set{{Kind: fault.MutePower, From: noon.Add(time.Minute)}}
	biased := fault.Set{{Kind: fault.BiasedPower, By: 0.1}}
	w := hall(t, 60, func(c *Config) {
		for i := range c.Miners {
			c.Miners[i].Faults = [...]fault.Set{nil, mute, biased}[i%3]
		}
	})
	if v := w.Miners()[1].View(); !v.ReportsPower || v.Power == 0 {
		t.Errorf("mute before its time: %+v", v)
	}
	after(w, 2*time.Minute)
	var least, most float64
	for i, m := range w.Miners() {
		v := m.View()
		off := v.Power.Watts()/watts(m) - 1
		switch i % 3 {
		case 0:
			near(t, m.ID()+" sound", off, 0, 0.011)
		case 1:
			if v.ReportsPower || v.Power != 0 {
				t.Errorf("%s tells %v, %v", m.ID(), v.Power, v.ReportsPower)
			}
		case 2:
			near(t, m.ID()+" biased", off, 0, 0.112)
			least, most = min(least, off), max(most, off)
		}
	}
	if least > -0.05 || most < 0.05 {
		t.Errorf("sensors are off by %.3f to %.3f only", least, most)
	}
}
