package reconcile

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

const kW = unit.Kilowatt

var t0 = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// toy is a device with just enough physics: it falls in seconds, rises in a minute, and may
// lie, refuse, lose answers, go away, or wake up by itself.
type toy struct {
	dev       Device
	asleep    bool
	power     unit.Power
	target    unit.Power // zero: full
	lies      bool       // says yes and does nothing
	refuses   bool
	deaf      bool
	away      bool
	restless  float64 // chance per poll of waking up unasked
	told      int
	toldTimes []time.Time
	started   []time.Time // when it really started
}

// world is a toy site under test.
type world struct {
	t      testing.TB
	at     time.Time
	tree   *site.Tree
	toys   []*toy
	state  *State
	awards map[site.LoadID]site.Award
	holds  map[site.DeviceID]site.Hold
	policy Policy
	told   []site.Command
	acks   []Ack
	events []Event
	rng    *rand.Rand
	out    Output
	cmds   []site.Command // of the last step
	slept  []bool         // by command: its device slept, in truth, when it was told
	late   map[int][]Ack  // answers by the step in which they arrive
	steps  int
}

func newWorld(t testing.TB, tree *site.Tree) *world {
	return &world{
		t: t, at: t0, tree: tree, state: &State{}, awards: map[site.LoadID]site.Award{}, holds: map[site.DeviceID]site.Hold{},
		rng: rand.New(rand.NewPCG(1, 1)), late: map[int][]Ack{}, policy: Policy{Settle: -1},
	}
}

func hall(t testing.TB) *site.Tree {
	t.Helper()
	tr, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1}, {ID: "hall", Parent: 0}})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (w *world) add(load string, n int, style string) {
	for i := range n {
		y := &toy{dev: Device{
			ID: site.DeviceID(fmt.Sprintf("%s-%03d", load, i+1)), Load: site.LoadID(load), Node: w.tree.Len() - 1,
			Nameplate: 3500 * unit.Watt, Standby: 20 * unit.Watt, Hashrate: 200 * unit.TeraHash,
			MinRest: 2 * time.Minute, MinRun: 5 * time.Minute,
			Caps: site.Capabilities{Sleep: true, SleepTime: 10 * time.Second, WakeTime: time.Minute},
		}, power: 3500 * unit.Watt}
		switch style {
		case "watts":
			y.dev.Caps.Watts = site.Some(site.Range{Min: 1500 * unit.Watt, Max: 3500 * unit.Watt})
		case "percent":
			y.dev.Caps.Percent, y.dev.Caps.MinPercent = true, 50
		}
		w.toys = append(w.toys, y)
	}
}

func (w *world) toy(id site.DeviceID) *toy {
	for _, y := range w.toys {
		if y.dev.ID == id {
			return y
		}
	}
	w.t.Fatalf("no device %s", id)
	return nil
}

// award gives a load a share of what it reported.
func (w *world) award(load string, p unit.Power, urgent bool) {
	w.awards[site.LoadID(load)] = site.Award{
		Load: site.LoadID(load), Power: p, Full: w.out.Loads[site.LoadID(load)].Available, Urgent: urgent,
		Reason: site.Reason{Code: site.ReasonPrice, Text: "the test says so"},
	}
}

const period = 5 * time.Second

// move lets physics run for one period and then polls every device.
func (w *world) move() {
	w.at = w.at.Add(period)
	w.steps++
	for _, y := range w.toys {
		if y.asleep && y.restless > 0 && w.rng.Float64() < y.restless {
			y.asleep = false
		}
		goal := y.dev.Nameplate
		if y.target > 0 {
			goal = y.target
		}
		if y.asleep {
			goal = y.dev.Standby
		}
		switch step := y.dev.Nameplate; {
		case y.power > goal:
			y.power = max(goal, y.power-step/2)
		case y.power < goal:
			y.power = min(goal, y.power+step/10)
		}
		y.dev.Unreachable = y.away
		if y.away {
			continue
		}
		s := site.Sample{Device: y.dev.ID, Asked: w.at.Add(-time.Second), At: w.at.Add(-time.Second), Power: site.Some(y.power), State: site.StateHashing}
		if y.dev.Caps.Style() != "mode" {
			s.Target = site.Some(max(y.target, 0))
			if y.target == 0 {
				s.Target.V = y.dev.Nameplate
			}
		}
		switch {
		case y.asleep:
			s.State = site.StateSleeping
		case y.power < y.dev.Nameplate/2 && y.target == 0:
			s.State = site.StateStarting
		default:
			s.Hashrate = site.Some(unit.Hashrate(float64(y.dev.Hashrate) * float64(y.power) / float64(y.dev.Nameplate)))
		}
		y.dev.Last = site.Some(s)
	}
}

// apply does to a device what it is told, as far as it obeys.
func (w *world) apply(c site.Command) {
	y := w.toy(c.Device)
	y.told++
	y.toldTimes = append(y.toldTimes, w.at)
	a := Ack{Device: c.Device, Sent: c.At, At: w.at.Add(time.Second)}
	switch {
	case y.deaf || y.away:
		a.Kind = AckUnreachable
	case y.refuses:
		a.Kind, a.Text = AckRefused, "code 23"
	case y.lies:
	default:
		if y.asleep && c.Setpoint.Mode == site.ModeRun {
			y.started = append(y.started, w.at)
		}
		y.asleep = c.Setpoint.Mode == site.ModeSleep
		y.target = c.Setpoint.Power.Or(0)
	}
	w.late[w.steps+1] = append(w.late[w.steps+1], a)
}

// step moves the world and lets the state decide once.
func (w *world) step() Output {
	w.move()
	in := Input{
		At: w.at, Plan: site.PlanID(w.steps), Tree: w.tree, Awards: w.awards, Holds: w.holds, Policy: w.policy,
		Told: w.told, Acked: append(w.acks, w.late[w.steps]...),
	}
	delete(w.late, w.steps)
	w.told, w.acks = nil, nil
	for _, y := range w.toys {
		in.Devices = append(in.Devices, y.dev)
	}
	w.out = w.state.Step(in)
	w.events = append(w.events, w.out.Events...)
	w.cmds, w.slept = w.out.Commands, w.slept[:0]
	for _, c := range w.out.Commands {
		if c.Reason.Text == "" || c.Reason.Code == "" || c.Plan != site.PlanID(w.steps) {
			w.t.Errorf("%s was told %s without a reason or plan: %+v", c.Device, c.Setpoint, c)
		}
		w.slept = append(w.slept, w.toy(c.Device).asleep)
		w.apply(c)
	}
	return w.out
}

func (w *world) run(d time.Duration) {
	for end := w.at.Add(d); w.at.Before(end); {
		w.step()
	}
}

// restart kills the controller: only what was written survives.
func (w *world) restart() {
	b, err := json.Marshal(w.state)
	if err != nil {
		w.t.Fatal(err)
	}
	w.state = &State{}
	if err := json.Unmarshal(b, w.state); err != nil {
		w.t.Fatal(err)
	}
	clear(w.late)
	w.awards = map[site.LoadID]site.Award{}
	for _, y := range w.toys {
		y.dev.Last = site.Opt[site.Sample]{}
	}
}

func (w *world) awake() int {
	n := 0
	for _, y := range w.toys {
		if !y.asleep {
			n++
		}
	}
	return n
}

// above is what the toys of the site really draw above standby.
func (w *world) above() unit.Power {
	sum := unit.Power(0)
	for _, y := range w.toys {
		sum += y.power - y.dev.Standby
	}
	return sum
}

func (w *world) saw(id site.DeviceID, k EventKind) int {
	n := 0
	for _, e := range w.events {
		if e.Device == id && e.Kind == k {
			n++
		}
	}
	return n
}
