package estimate_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"switchyard/emulate/plant"
	"switchyard/estimate"
	"switchyard/sitefile"
	"switchyard/unit"
)

func threeHerds() []herd {
	return []herd{
		{id: "a", node: hall1, n: 60, watts: 3500, th: 200, plateOff: -0.06},
		{id: "b", node: 4, n: 40, watts: 3250, th: 110, plateOff: 0.05},
		{id: "c", node: hall2, n: 50, watts: 3010, th: 140, plateOff: 0.03},
	}
}

// TestRestart: what was learned comes back from its text, and the first step knows it.
func TestRestart(t *testing.T) {
	r := newRig(t, 1, threeHerds(), halfMute)
	shedsAndRestores(r)
	b, err := json.Marshal(r.est)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 3000 {
		t.Errorf("%d bytes for three groups", len(b))
	}
	r.est = estimate.New(r.tree)
	if err := json.Unmarshal(b, r.est); err != nil {
		t.Fatal(err)
	}
	r.run(step)
	r.within(0.02)
	if m := r.figure("a").Methods; m[estimate.Curve] == 0 || m[estimate.Nameplate] != 0 {
		t.Errorf("methods after the restart: %v", m)
	}
	r.run(5 * time.Minute)
	r.within(0.02)
}

// TestFirstFigures: once a miner was read its figure is as good as the reading. Before a start
// nothing is known, which is no change from 0 W, nor from the nameplate.
func TestFirstFigures(t *testing.T) {
	for name, asleep := range map[string]bool{"at work": false, "asleep": true} {
		r := newRig(t, 6, threeHerds(), nil)
		for _, m := range r.order {
			if asleep {
				m.Sleep()
			}
		}
		for range 300 { // of a controller that is not there
			r.world.Step(r.world.Now().Add(time.Second))
		}
		r.outlets = "a"
		r.run(20 * time.Second)
		for i, m := range r.order {
			most, method := 300.0, estimate.Device // 4 % of its own and 6 % of all its sensors
			if m.Group() == "a" {
				most, method = 45, estimate.Outlet
			}
			truth, _, _ := m.Truth()
			f := r.out.Miners[i]
			off, e := math.Abs((f.Power.V - truth).Watts()), f.Error.Watts()
			if f.Method != method || e > most || off > 4*e {
				t.Errorf("%s: %s draws %v ± %v by %v, and in truth %v", name, m.ID(), f.Power.V, f.Error, f.Method, truth)
				break
			}
		}
	}
}

// TestOutletAppears: the first reading of an outlet is no change of what the miner draws, however
// far off the figure before it was.
func TestOutletAppears(t *testing.T) {
	herds := threeHerds()
	herds[0].plateOff, herds[0].mute = -0.08, true
	r := newRig(t, 7, herds, nil)
	r.run(5 * time.Minute)
	r.outlets = "a"
	r.run(20 * time.Second)
	for i, m := range r.order {
		if f := r.out.Miners[i]; m.Group() == "a" && (f.Method != estimate.Outlet || f.Error > 45*unit.Watt) {
			t.Fatalf("%s: %v ± %v by %v", m.ID(), f.Power.V, f.Error, f.Method)
		}
	}
}

func TestKeptText(t *testing.T) {
	r := newRig(t, 1, threeHerds(), nil)
	r.run(2 * time.Minute)
	good, err := json.Marshal(r.est)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"no text":      `{"version":1,"cells":[`,
		"of later":     `{"version":2}`,
		"not finite":   `{"version":1,"cells":[{"group":"a","node":"hall-1","plate":[1,1,1],"x":[1e999,1,1,0],"spread":0.1}]}`,
		"no variance":  `{"version":1,"cells":[{"group":"a","node":"hall-1","plate":[1,1,1],"x":[1,1,1,0],"var":[-1],"spread":0.1}]}`,
		"no spread":    `{"version":1,"cells":[{"group":"a","node":"hall-1","plate":[1,1,1],"x":[1,1,1,0],"var":[0.1,0,0.1,0,0,0.1,0,0,0,0.1]}]}`,
		"correlations": `{"version":1,"cells":[{"group":"a","node":"hall-1","plate":[1,1,1],"x":[1,1,1,0],"var":[0.1,5,0.1,0,0,0.1,0,0,0,0.1],"spread":0.1}]}`,
	} {
		if err := json.Unmarshal([]byte(bad), r.est); err == nil {
			t.Errorf("%s: taken up", name)
		}
	}
	if after, err := json.Marshal(r.est); err != nil || string(after) != string(good) {
		t.Errorf("bad texts changed it (%v):\n%s\n%s", err, good, after)
	}
	if err := new(estimate.Estimator).UnmarshalJSON(good); err == nil {
		t.Error("an estimator without a tree takes it up")
	}
	// What was learned of other machines is forgotten.
	r.est = estimate.New(r.tree)
	if err := json.Unmarshal(good, r.est); err != nil {
		t.Fatal(err)
	}
	for i := range r.in.Miners {
		r.in.Miners[i].Nameplate = 2000 * unit.Watt
	}
	r.run(step)
	if s := r.figure("c").ScaleError; s < 0.059 {
		t.Errorf("scale error %v", s)
	}
}

// TestErrorShrinks: with what the meter tells the error of each group falls.
func TestErrorShrinks(t *testing.T) {
	r := newRig(t, 2, threeHerds(), halfMute)
	r.run(step)
	first := map[string]estimate.GroupFigure{}
	for id := range r.herds {
		first[id] = r.figure(id)
	}
	shedsAndRestores(r)
	for id := range r.herds {
		now, was := r.figure(id), first[id]
		// Alone below a meter, c is as well known as the meter allows from the start.
		if id != "c" && now.Error*2 > was.Error || now.ScaleError*2 > was.ScaleError {
			t.Errorf("%s: error %v after %v, of the scale %.3f after %.3f", id, now.Error, was.Error, now.ScaleError, was.ScaleError)
		}
	}
}

// TestNoHallMeter: where a hall has no meter the one above it is learned from.
func TestNoHallMeter(t *testing.T) {
	r := newRig(t, 3, threeHerds(), halfMute)
	for _, i := range []int{hall1, hall2} {
		r.frozen[i] = true // and never read
	}
	shedsAndRestores(r)
	r.within(0.02)
	if !r.out.Nodes[0].Reconciled || r.out.Nodes[hall1].Reconciled {
		t.Errorf("reconciled at the wrong node: %+v", r.out.Nodes)
	}
}

// TestFrozenMeter: a meter that repeats itself after an hour spoils nothing.
func TestFrozenMeter(t *testing.T) {
	r := newRig(t, 4, threeHerds(), halfMute)
	shedsAndRestores(r)
	r.frozen[hall1] = true
	r.run(10 * time.Minute)
	r.tell("a", (*plant.Miner).Sleep)
	r.run(10 * time.Minute)
	r.tell("a", (*plant.Miner).Wake)
	r.run(10 * time.Minute)
	r.within(0.02)
	r.tell("a", (*plant.Miner).Sleep)
	r.run(10 * time.Minute)
	if f := r.figure("b"); math.Abs(f.Power.Watts()/r.truth("b")-1) > 0.02 {
		t.Errorf("b: %v, truth %.0f W", f.Power, r.truth("b"))
	}
	if f := r.figure("a"); f.Power.Watts() > 6000 {
		t.Errorf("a sleeps and is said to draw %v", f.Power)
	}
}

// TestTenantUnseen: while a tenant's own meter is silent the hall's is not learned from, and the
// miners do not get what the tenant draws.
func TestTenantUnseen(t *testing.T) {
	r := newRig(t, 5, threeHerds(), halfMute)
	r.frozen[feeder] = true
	r.run(30 * time.Minute)
	if r.out.Nodes[hall2].Reconciled {
		t.Error("reconciled with a tenant in the sum")
	}
	if f := r.figure("c"); math.Abs(f.Power.Watts()/r.truth("c")-1) > 0.1 {
		t.Errorf("c: %v, truth %.0f W", f.Power, r.truth("c"))
	}
	delete(r.frozen, feeder)
	r.run(10 * time.Minute)
	r.within(0.1)
	if f := r.figure("c"); math.Abs(f.Power.Watts()/r.truth("c")-1) > 0.02 {
		t.Errorf("c: %v, truth %.0f W", f.Power, r.truth("c"))
	}
}

// TestUntoldLoad: a steady draw that the site file does not name ends up beside the miners.
func TestUntoldLoad(t *testing.T) {
	r := newRig(t, 6, threeHerds(), nil)
	heater, at := 120e3, time.Time{}
	r.wild = func() {
		if n := &r.in.Nodes[hall1]; n.At != at { // once a reading
			n.Power.V, at = n.Power.V+unit.Watts(heater), n.At
		}
	}
	r.run(time.Hour)
	n := r.out.Nodes[hall1]
	if math.Abs(n.Other.Watts()-heater) > 0.1*heater {
		t.Errorf("other: %v", n.Other)
	}
	for _, id := range []string{"a", "b"} {
		if f := r.figure(id); math.Abs(f.Power.Watts()/r.truth(id)-1) > 0.05 {
			t.Errorf("%s: %v, truth %.0f W", id, f.Power, r.truth(id))
		}
	}
}

// TestOutliers: now and then a meter or a sensor says anything at all.
func TestOutliers(t *testing.T) {
	r := newRig(t, 7, threeHerds(), halfMute)
	rng := rand.New(rand.NewPCG(1, 2))
	wild := func() {
		for i := range r.in.Nodes {
			if rng.Float64() < 0.02 && r.in.Nodes[i].Power.OK {
				r.in.Nodes[i].Power.V = r.in.Nodes[i].Power.V.Scale(5 * rng.Float64())
			}
		}
		for i := range r.in.Miners {
			if m := &r.in.Miners[i]; rng.Float64() < 0.01 && m.Power.OK {
				m.Power.V = unit.Watts(100e3 * rng.Float64())
			}
		}
	}
	r.wild = wild
	shedsAndRestores(r)
	r.wild = nil
	r.run(time.Minute)
	r.within(0.02)
}

// TestOutlets: a group whose outlets are measured is known, and helps the one beside it.
func TestOutlets(t *testing.T) {
	r := newRig(t, 8, threeHerds(), halfMute)
	r.outlets = "a"
	r.run(10 * time.Minute)
	r.within(0.02)
	if f := r.figure("a"); f.Methods[estimate.Outlet] != 60 || f.Error.Watts() > 0.005*f.Power.Watts() {
		t.Errorf("a: %+v", f)
	}
	// A residual goes to the guesses, not to the outlets.
	before := r.out
	for i := range r.in.Nodes {
		if n := &r.in.Nodes[i]; i == hall1 {
			n.Power.V += 5 * unit.Kilowatt
			n.At = n.At.Add(time.Second)
		}
	}
	r.in.Now = r.in.Now.Add(time.Second)
	after := r.est.Step(r.in)
	var outlets, guesses float64
	for i, m := range r.in.Miners {
		moved := (after.Miners[i].Power.V - before.Miners[i].Power.V).Watts()
		switch m.Group {
		case "a":
			outlets += moved
		case "b":
			guesses += moved
		}
	}
	if outlets < 0 || outlets > 0.25*guesses || outlets+guesses < 4000 {
		t.Errorf("of 5 kW outlets took %.0f W, guesses %.0f W", outlets, guesses)
	}
}

// TestSilent: a rack whose network is gone is a guess that says so; the others stay right.
func TestSilent(t *testing.T) {
	r := newRig(t, 9, threeHerds(), halfMute)
	shedsAndRestores(r)
	r.silent = map[int]bool{}
	for i := range 12 {
		r.silent[i] = true
	}
	r.run(10 * time.Minute)
	r.within(0.02)
	if f := r.out.Miners[3]; f.Method != estimate.Nameplate || f.Error < 100*unit.Watt {
		t.Errorf("a silent miner: %+v", f)
	}
}

// TestShedAtOnce: in the seconds in which the meter already knows and the devices were not read
// yet, what was told takes the difference.
func TestShedAtOnce(t *testing.T) {
	r := newRig(t, 10, threeHerds(), halfMute)
	shedsAndRestores(r)
	r.silent = map[int]bool{}
	for i := range r.in.Miners {
		r.silent[i] = true // none is read until the end
	}
	r.tell("a", (*plant.Miner).Sleep)
	r.run(25 * time.Second)
	a, b := r.figure("a"), r.figure("b")
	if a.Power.Watts() > 0.2*60*3500 || math.Abs(b.Power.Watts()/r.truth("b")-1) > 0.1 {
		t.Errorf("a %v (truth %.0f W), b %v (truth %.0f W)", a.Power, r.truth("a"), b.Power, r.truth("b"))
	}
}

// TestLiars: some say that they sleep and draw full power.
func TestLiars(t *testing.T) {
	r := newRig(t, 11, threeHerds(), append([]sitefile.Fault{{Kind: "lying", Group: "a", Share: 0.05, From: noon}}, halfMute...))
	shedsAndRestores(r)
	r.within(0.02)
	r.tell("a", (*plant.Miner).Sleep)
	r.run(5 * time.Minute)
	r.within(0.03)
}

// TestJitter: hashrates that jump about by ten per cent from one reading to the next hide neither
// the quiet moments nor the ramps.
func TestJitter(t *testing.T) {
	for seed := range uint64(3) {
		r := newRig(t, 20+seed, threeHerds(), halfMute)
		rng := rand.New(rand.NewPCG(seed, 2))
		read := make([]time.Time, len(r.in.Miners))
		r.wild = func() {
			for i := range r.in.Miners {
				if m := &r.in.Miners[i]; !m.At.Equal(read[i]) { // once a reading
					read[i] = m.At
					m.Hashrate.V *= unit.Hashrate(1 + 0.1*rng.NormFloat64())
				}
			}
		}
		shedsAndRestores(r)
		r.within(0.02)
	}
}
