package reconcile

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/site"
	"switchyard/unit"
)

// twoHalls has an allowance at the connection and a tighter one in the hall.
func twoHalls(t testing.TB) *site.Tree {
	t.Helper()
	tr, err := site.NewTree([]site.Node{
		{ID: "connection", Parent: -1, Inrush: 30 * kW, InrushWindow: 30 * time.Second},
		{ID: "hall-a", Parent: 0, Inrush: 11 * kW, InrushWindow: time.Minute},
		{ID: "hall-b", Parent: 0},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// drawWorld makes a site of two groups with some bad devices in it.
func drawWorld(t *rapid.T, outer testing.TB) *world {
	w := newWorld(outer, twoHalls(outer))
	w.policy = Policy{Settle: time.Duration(rapid.SampledFrom([]int{-1, 0, 20}).Draw(t, "settle")) * time.Second}
	for _, load := range []string{"s21", "m60"} {
		from := len(w.toys)
		w.add(load, rapid.IntRange(1, 12).Draw(t, "devices"), rapid.SampledFrom([]string{"mode", "watts", "percent"}).Draw(t, "style"))
		node := rapid.IntRange(0, 2).Draw(t, "node")
		for _, y := range w.toys[from:] {
			y.dev.Node = node
			y.dev.Hashrate = unit.Hashrate(rapid.IntRange(100, 220).Draw(t, "TH/s")) * unit.TeraHash
		}
	}
	return w
}

// watch watches the laws over a world's whole life.
type watch struct {
	*world
	byHand map[site.DeviceID]bool
	starts []begun
}

// begun is a device told to run while it slept. One that has woken unasked since the last look
// is not begun by being told so once more: nobody can keep its start within an allowance.
type begun struct {
	at   time.Time
	node int
	p    unit.Power
}

// TestLawsUnderFaults runs random sites with random awards, holds, faults and restarts, and
// watches the laws at each step.
func TestLawsUnderFaults(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &watch{world: drawWorld(rt, t), byHand: map[site.DeviceID]bool{}}
		for range rapid.IntRange(20, 120).Draw(rt, "steps") {
			w.disturb(rt)
			for range rapid.IntRange(1, 12).Draw(rt, "periods") {
				w.step()
				w.checkCommands(rt)
			}
		}
		w.checkInrush(rt)
		w.checkPace(rt)
	})
}

// disturb does one thing to the site: a fault comes or goes, a person acts, the controller
// dies, or the awards change.
func (w *watch) disturb(rt *rapid.T) {
	y := w.toys[rapid.IntRange(0, len(w.toys)-1).Draw(rt, "whom")]
	switch rapid.IntRange(0, 11).Draw(rt, "what") {
	case 0:
		y.lies = !y.lies
	case 1:
		y.deaf = !y.deaf
	case 2:
		y.refuses = !y.refuses
	case 3:
		y.away = !y.away
	case 4:
		y.restless = 0.3 - y.restless
	case 5:
		mode := site.Mode(rapid.IntRange(0, 1).Draw(rt, "mode"))
		w.holds[y.dev.ID] = site.Hold{Device: y.dev.ID, Mode: mode, By: "ann"}
	case 6:
		delete(w.holds, y.dev.ID)
	case 7:
		w.sleepByHand(y)
	case 8:
		w.restart()
		w.step()
		w.checkCommands(rt)
	default:
		for _, load := range []site.LoadID{"s21", "m60"} {
			share := rapid.IntRange(0, 100).Draw(rt, "award %")
			w.award(string(load), w.out.Loads[load].Available*unit.Power(share)/100, rapid.Bool().Draw(rt, "urgent"))
		}
	}
}

// sleepByHand is a person who goes to the page of a device that works as told.
func (w *watch) sleepByHand(y *toy) {
	r := w.state.records[y.dev.ID]
	_, held := w.holds[y.dev.ID]
	if held || y.asleep || y.lies || y.away || y.restless > 0 || r == nil || r.Asleep || r.pending() || !r.seen || r.Quarantined {
		return
	}
	y.asleep, y.power, w.byHand[y.dev.ID] = true, y.dev.Standby, true
}

func (w *watch) checkCommands(rt *rapid.T) {
	for i, c := range w.cmds {
		y := w.toy(c.Device)
		h, held := w.holds[c.Device]
		if held && h.Mode != c.Setpoint.Mode {
			rt.Fatalf("%s is held in %s and was told %s", c.Device, h.Mode, c.Setpoint)
		}
		if !held && w.byHand[c.Device] && w.slept[i] && c.Setpoint.Mode == site.ModeRun {
			rt.Fatalf("%s was put to sleep by a person and was told %s: %+v", c.Device, c.Setpoint, c.Reason)
		}
		if c.Setpoint.Mode == site.ModeRun && w.slept[i] {
			w.starts = append(w.starts, begun{w.at, y.dev.Node, y.dev.Nameplate})
		}
	}
	for id := range w.byHand {
		if _, held := w.holds[id]; held || !w.toy(id).asleep {
			delete(w.byHand, id)
		}
	}
}

func (w *watch) checkInrush(rt *rapid.T) {
	for n := range w.tree.Len() {
		node := w.tree.Node(n)
		for i, a := range w.starts {
			sum := unit.Power(0)
			for _, b := range w.starts[i:] {
				if b.at.Sub(a.at) < node.InrushWindow && w.tree.Below(b.node, n) {
					sum += b.p
				}
			}
			if node.Inrush > 0 && sum > node.Inrush {
				rt.Fatalf("%v was started below %s within its window from %v", sum, node.ID, a.at)
			}
		}
	}
}

// checkPace bounds the commands of an hour: a rest of 2 min and a run of 5 min bound what
// awards can do, drift is told three times, and each may take four tries.
func (w *watch) checkPace(rt *rapid.T) {
	for _, y := range w.toys {
		for i, from := range y.toldTimes {
			n := 0
			for _, at := range y.toldTimes[i:] {
				if at.Sub(from) < time.Hour {
					n++
				}
			}
			if n > 80 {
				rt.Fatalf("%s was told %d times within an hour", y.dev.ID, n)
			}
		}
	}
}

// TestConvergence: with obedient devices a group reaches its award to within one device, and
// what is left running is never expected above the award by more than one.
func TestConvergence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		w.step()
		for range rapid.IntRange(1, 4).Draw(rt, "awards") {
			share := map[site.LoadID]unit.Power{}
			urgent := rapid.Bool().Draw(rt, "urgent")
			for _, load := range []site.LoadID{"s21", "m60"} {
				share[load] = w.out.Loads[load].Available * unit.Power(rapid.IntRange(0, 100).Draw(rt, "award %")) / 100
			}
			for i := range 240 {
				for load, p := range share {
					w.award(string(load), p, urgent)
				}
				w.step()
				for load, p := range share {
					if run := w.out.Loads[load].Running; (urgent || i > 100) && run > p+3500*unit.Watt {
						rt.Fatalf("%s: %v left running for an award of %v", load, run, p)
					}
				}
			}
			for load, p := range share {
				draws := unit.Power(0)
				for _, y := range w.toys {
					if y.dev.Load == load {
						draws += y.power - y.dev.Standby
					}
				}
				if draws > p+3500*unit.Watt || draws < p-3500*unit.Watt {
					rt.Fatalf("%s draws %v for an award of %v", load, draws, p)
				}
			}
		}
	})
}

// TestEveryCommandHasAFate: each command sent is confirmed, fails by name, or is replaced.
func TestEveryCommandHasAFate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawWorld(rt, t)
		w.step()
		for _, y := range w.toys {
			switch rapid.IntRange(0, 6).Draw(rt, "kind") {
			case 0:
				y.lies = true
			case 1:
				y.deaf = true
			case 2:
				y.refuses = true
			}
		}
		for range 6 {
			for _, load := range []site.LoadID{"s21", "m60"} {
				w.award(string(load), w.out.Loads[load].Available*unit.Power(rapid.IntRange(0, 100).Draw(rt, "award %"))/100, true)
			}
			w.run(time.Duration(rapid.IntRange(1, 20).Draw(rt, "minutes")) * time.Minute)
		}
		w.awards = nil
		w.policy.Quarantine = 24 * time.Hour
		w.run(80 * time.Minute) // the pauses already set are at most half of two hours
		type key struct {
			id site.DeviceID
			at time.Time
		}
		open := map[key]string{}
		for _, e := range w.events {
			switch k := (key{e.Device, e.Command}); e.Kind {
			case EventSent:
				open[k] = e.Text
			case EventConfirmed, EventFailed, EventQuarantined, EventSuperseded:
				delete(open, k)
			}
		}
		for k, text := range open {
			rt.Fatalf("%s, told at %v (%s), has no fate: %s", k.id, k.at, text, kinds(w, k.id))
		}
	})
}

func TestStateSurvivesJSON(t *testing.T) {
	w := newWorld(t, twoHalls(t))
	w.add("s21", 4, "watts")
	w.toys[0].lies = true
	w.step()
	w.award("s21", 5*kW, true)
	w.run(10 * time.Minute)
	w.award("s21", 9*kW, true)
	w.run(5 * time.Minute)
	a, err := json.Marshal(w.state)
	if err != nil {
		t.Fatal(err)
	}
	var s State
	if err := json.Unmarshal(a, &s); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(&s)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(a), string(b)); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{`{}`, `[]`, `{"version":1,"devices":{"a":null}}`, `{"version":1,"devices":{"a":{"phase":9}}}`, `{"version":2}`} {
		if err := json.Unmarshal([]byte(bad), &State{}); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"version":1,"devices":{"s21-001":{"known":true,"phase":2,"asleep":true}},"starts":[{"node":"hall","power":"3 kW"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s State
		if json.Unmarshal(b, &s) != nil {
			return
		}
		w := newWorld(t, hall(t))
		w.state = &s
		w.add("s21", 2, "watts")
		w.run(time.Minute)
	})
}

func benchInput(b *testing.B) (*State, Input) {
	in := Input{At: t0, Tree: hall(b), Awards: map[site.LoadID]site.Award{}, Plan: 1}
	for i := range 10_000 {
		load := site.LoadID(fmt.Sprint("g", i/1000))
		d := Device{
			ID: site.DeviceID(fmt.Sprintf("%s-%05d", load, i)), Load: load, Node: 1, Nameplate: 3500 * unit.Watt, Standby: 20 * unit.Watt,
			Hashrate: 200 * unit.TeraHash, Caps: site.Capabilities{Sleep: true, SleepTime: 10 * time.Second, WakeTime: time.Minute},
			Last: site.Some(site.Sample{State: site.StateHashing, Power: site.Some(3480 * unit.Watt), Hashrate: site.Some(200 * unit.TeraHash), Asked: t0.Add(-time.Second), At: t0}),
		}
		in.Devices = append(in.Devices, d)
	}
	s := &State{}
	out := s.Step(in)
	for load, ls := range out.Loads {
		in.Awards[load] = site.Award{Load: load, Power: ls.Available * 9 / 10, Full: ls.Available, Urgent: true, Reason: site.Reason{Code: site.ReasonLimit, Text: "x"}}
	}
	return s, in
}

func BenchmarkMarshal10k(b *testing.B) {
	s, in := benchInput(b)
	s.Step(in)
	for b.Loop() {
		saved, err := json.Marshal(s)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(saved))/10_000, "bytes/device")
	}
}

func BenchmarkStep10k(b *testing.B) {
	b.Run("steady", func(b *testing.B) {
		s, in := benchInput(b)
		for load, a := range in.Awards {
			a.Power = a.Full
			in.Awards[load] = a
		}
		b.ReportAllocs()
		for b.Loop() {
			s.Step(in)
		}
	})
	b.Run("shed-all", func(b *testing.B) {
		s, in := benchInput(b)
		for load, a := range in.Awards {
			a.Power = 0
			in.Awards[load] = a
		}
		saved, err := json.Marshal(s)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			b.StopTimer()
			s = &State{}
			if err := json.Unmarshal(saved, s); err != nil {
				b.Fatal(err)
			}
			s.restored = time.Time{}
			idle := in
			idle.Awards = nil
			s.Step(idle)
			b.StartTimer()
			if out := s.Step(in); len(out.Commands) != 10_000 {
				b.Fatalf("%d commands", len(out.Commands))
			}
		}
	})
}
