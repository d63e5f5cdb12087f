package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/site"
	"switchyard/unit"
)

func kinds(w *world, id site.DeviceID) string {
	var out []string
	for _, e := range w.events {
		if e.Device == id {
			out = append(out, string(e.Kind))
		}
	}
	return strings.Join(out, " ")
}

func TestLifeOfACommand(t *testing.T) {
	cases := []struct {
		name   string
		spoil  func(*toy)
		events string
		quar   bool
	}{
		{"obedient", func(*toy) {}, "sent acked confirmed", false},
		{"lying", func(y *toy) { y.lies = true }, "sent acked failed sent acked failed sent acked failed sent acked quarantined", true},
		{"refusing", func(y *toy) { y.refuses = true }, "sent quarantined", true},
		{"deaf", func(y *toy) { y.deaf = true }, "sent failed sent failed sent failed sent quarantined", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, hall(t))
			w.policy.Quarantine = time.Hour
			w.add("s21", 1, "mode")
			w.step()
			c.spoil(w.toys[0])
			w.award("s21", 0, true)
			w.run(20 * time.Minute)
			if d := cmp.Diff(c.events, kinds(w, "s21-001")); d != "" {
				t.Error(d)
			}
			ls := w.out.Loads["s21"]
			if c.quar != (ls.Quarantined == 1) {
				t.Errorf("quarantined %d", ls.Quarantined)
			}
			want := LoadStatus{Available: 3480 * unit.Watt, Fixed: 20 * unit.Watt, Asleep: 1}
			if c.quar {
				want = LoadStatus{Fixed: 3500 * unit.Watt, Awake: 1, Quarantined: 1}
			}
			if d := cmp.Diff(want, ls); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestQuarantineIsTriedRarelyAndReleased(t *testing.T) {
	w := newWorld(t, hall(t))
	w.add("s21", 1, "mode")
	w.step()
	w.toys[0].lies = true
	w.award("s21", 0, true)
	w.run(30 * time.Minute)
	before := w.toys[0].told
	w.run(time.Hour)
	if n := w.toys[0].told - before; n < 3 || n > 7 {
		t.Errorf("told %d times in an hour of quarantine, want about 6", n)
	}
	w.toys[0].lies = false
	w.run(15 * time.Minute)
	if w.saw("s21-001", EventReleased) != 1 || w.out.Loads["s21"].Quarantined != 0 || !w.toys[0].asleep {
		t.Errorf("it obeys and is not released: %s", kinds(w, "s21-001"))
	}
}

func TestOthersMakeUpForAStuckDevice(t *testing.T) {
	w := newWorld(t, hall(t))
	w.add("s21", 10, "mode")
	w.step()
	w.toys[9].lies = true
	const limit = 17500 * unit.Watt
	for range 400 {
		w.award("s21", max(0, limit-w.out.Loads["s21"].Fixed), true)
		w.step()
	}
	if total := w.above() + 200*unit.Watt; total > limit || total < limit-3600*unit.Watt {
		t.Errorf("the group draws %v under a limit of %v with one device stuck", total, limit)
	}
}

func TestFoundAsleepStaysAsleep(t *testing.T) {
	w := newWorld(t, hall(t))
	w.add("s21", 3, "mode")
	w.toys[0].asleep, w.toys[0].power = true, 20*unit.Watt
	w.step()
	w.award("s21", w.out.Loads["s21"].Available, false)
	w.run(10 * time.Minute)
	w.toys[1].asleep = true // somebody went to its page
	w.run(10 * time.Minute)
	w.restart()
	w.step()
	w.step()
	w.award("s21", w.out.Loads["s21"].Available, false)
	w.run(10 * time.Minute)
	if w.toys[0].told+w.toys[1].told != 0 {
		t.Errorf("told %d and %d times what a person had put to sleep", w.toys[0].told, w.toys[1].told)
	}
	if w.saw("s21-001", EventFoundAsleep) != 1 || w.saw("s21-002", EventFoundAsleep) != 1 || w.out.Loads["s21"].Held != 2 {
		t.Errorf("found asleep: %q and %q, %+v", kinds(w, "s21-001"), kinds(w, "s21-002"), w.out.Loads["s21"])
	}
	if !w.state.Release("s21-001") {
		t.Error("nothing to release")
	}
	w.run(10 * time.Minute)
	w.award("s21", w.out.Loads["s21"].Available, false)
	w.run(10 * time.Minute)
	if w.toys[0].asleep {
		t.Error("released and still asleep")
	}
	w.toys[1].asleep = false // and the person wakes the other
	w.run(5 * time.Minute)
	if w.saw("s21-002", EventReleased) != 1 || w.out.Loads["s21"].Held != 0 {
		t.Errorf("woken by a person: %q", kinds(w, "s21-002"))
	}
}

func TestHoldBeatsTheAwardAndSurvivesARestart(t *testing.T) {
	w := newWorld(t, hall(t))
	w.add("s21", 2, "mode")
	w.step()
	w.holds["s21-001"] = site.Hold{Device: "s21-001", Mode: site.ModeRun, By: "ann"}
	w.holds["s21-002"] = site.Hold{Device: "s21-002", Mode: site.ModeSleep, By: "ann", Note: "fan"}
	w.step()
	want := site.Reason{Code: site.ReasonHold, Text: "ann holds it: sleep (fan)"}
	if len(w.cmds) != 1 || w.cmds[0].Device != "s21-002" || w.cmds[0].Reason != want {
		t.Fatalf("commands %+v", w.cmds)
	}
	for i := range 200 {
		w.award("s21", 0, i%2 == 0)
		w.step()
		if i == 100 {
			w.restart()
		}
	}
	if w.toys[0].told != 0 || w.toys[1].told != 1 || w.toys[0].asleep || !w.toys[1].asleep {
		t.Errorf("told %d and %d times", w.toys[0].told, w.toys[1].told)
	}
	clear(w.holds)
	w.step()
	w.award("s21", 0, true)
	w.run(time.Minute)
	if !w.toys[0].asleep {
		t.Error("released, and it does not follow the award")
	}
}

func TestNothingIsToldBeforeItIsRead(t *testing.T) {
	w := newWorld(t, hall(t))
	w.add("s21", 4, "mode")
	w.step()
	w.award("s21", 0, true)
	w.step() // told, and the controller dies before any answer
	for i, y := range w.toys {
		if i >= 2 { // two never got it
			y.asleep, y.power = false, y.dev.Nameplate
		}
		y.away = true
	}
	w.restart()
	told := func() (n int) {
		for _, y := range w.toys {
			n += y.told
		}
		return n
	}
	before := told()
	w.awards["s21"] = site.Award{Load: "s21", Full: 1, Urgent: true, Reason: site.Reason{Code: site.ReasonLimit, Text: "x"}}
	w.run(time.Minute)
	if told() != before {
		t.Fatal("devices were told something before they were read")
	}
	for _, y := range w.toys {
		y.away = false
	}
	w.step()
	if told() != before {
		t.Fatal("devices were told something in the step in which they were first read")
	}
	w.run(time.Minute)
	for i, y := range w.toys {
		want := 1 // obeyed before the restart: only confirmed
		if i >= 2 {
			want = 2
		}
		if y.told != want || !y.asleep {
			t.Errorf("%s: told %d times, want %d; asleep %v", y.dev.ID, y.told, want, y.asleep)
		}
	}
}

func TestSleepMeansLowPower(t *testing.T) {
	d := Device{Nameplate: 3500 * unit.Watt, Standby: 20 * unit.Watt}
	for _, c := range []struct {
		state         site.State
		power         site.Opt[unit.Power]
		rests, sleeps bool
	}{
		{site.StateSleeping, site.Some(30 * unit.Watt), true, true},
		{site.StateSleeping, site.Opt[unit.Power]{}, true, true},
		{site.StateSleeping, site.Some(3400 * unit.Watt), false, false},
		{site.StateUnknown, site.Some(30 * unit.Watt), true, true},
		{site.StateUnknown, site.Opt[unit.Power]{}, false, false},
		{site.StateHashing, site.Some(30 * unit.Watt), false, false},
		{site.StateFault, site.Some(30 * unit.Watt), false, false},
	} {
		d.Last = site.Some(site.Sample{State: c.state, Power: c.power})
		if d.rests() != c.rests || d.agrees(site.Setpoint{Mode: site.ModeSleep}) != c.sleeps {
			t.Errorf("%v at %v: rests %v", c.state, c.power, d.rests())
		}
	}
}

func TestInefficientRestFirstThenLeastRecentlySwitched(t *testing.T) {
	w := newWorld(t, hall(t))
	w.add("s21", 6, "mode")
	for i, th := range []float64{200, 150, 200, 150, 200, 200} {
		w.toys[i].dev.Hashrate = unit.Hashrate(th) * unit.TeraHash
	}
	w.step()
	step := func(share unit.Power) string {
		w.award("s21", share*3480*unit.Watt, true)
		w.step()
		var ids []string
		for _, c := range w.cmds {
			ids = append(ids, c.Setpoint.Mode.String()+string(c.Device[len(c.Device)-1:]))
		}
		w.run(10 * time.Minute)
		return strings.Join(ids, " ")
	}
	var got []string
	for _, n := range []unit.Power{4, 2, 4, 3, 6} {
		got = append(got, step(n))
	}
	// 6 and 5 rest third and fourth and come back; then it is the turn of 3, who has not been switched.
	if d := cmp.Diff([]string{"sleep4 sleep2", "sleep6 sleep5", "run5 run6", "sleep3", "run3 run2 run4"}, got); d != "" {
		t.Error(d)
	}
}

func TestMoneyWaitsForMinimumRunAndALimitDoesNot(t *testing.T) {
	for _, urgent := range []bool{false, true} {
		w := newWorld(t, hall(t))
		w.add("s21", 2, "mode")
		w.step()
		w.award("s21", 0, true)
		w.run(10 * time.Minute)
		w.award("s21", w.out.Loads["s21"].Available, false)
		w.step()
		from := w.at
		for w.award("s21", 0, urgent); w.awake() > 0 && w.at.Sub(from) < time.Hour; {
			w.step()
		}
		switch waited := w.at.Sub(from); {
		case urgent && waited > 2*period:
			t.Errorf("a limit waited %v for the minimum run", waited)
		case !urgent && (waited < 5*time.Minute || waited > 6*time.Minute):
			t.Errorf("rested after %v, want the minimum run of 5m", waited)
		}
	}
}

func TestRestartWaitsForMinimumRest(t *testing.T) {
	w := newWorld(t, hall(t))
	w.add("s21", 2, "mode")
	w.step()
	w.award("s21", 0, true)
	w.step()
	from := w.at
	w.restart()
	w.step()
	for ; w.awake() < 2 && w.at.Sub(from) < time.Hour; w.step() {
		w.award("s21", w.out.Loads["s21"].Available, false)
	}
	if waited := w.at.Sub(from); waited < 2*time.Minute || waited > 3*time.Minute {
		t.Errorf("awake after %v, want the minimum rest of 2m, over a restart", waited)
	}
}

func TestSmallWobbleSwitchesNothing(t *testing.T) {
	for _, style := range []string{"mode", "watts"} {
		w := newWorld(t, hall(t))
		w.policy.Settle = 0
		w.add("s21", 30, style)
		w.step()
		w.award("s21", 60*kW, false)
		w.run(15 * time.Minute)
		w.events = nil
		for i := range 400 {
			w.award("s21", 60*kW+unit.Power(i%7-3)*400*unit.Watt, false)
			w.step()
		}
		n := 0
		for _, e := range w.events {
			if e.Kind == EventSent {
				n++
			}
		}
		if n > 1 {
			t.Errorf("%s: %d commands for a wobble of less than a device", style, n)
		}
	}
}

func TestTrimCarriesTheRemainder(t *testing.T) {
	for _, style := range []string{"watts", "percent"} {
		w := newWorld(t, hall(t))
		w.add("m60", 10, style)
		w.step()
		for _, want := range []unit.Power{20 * kW, 18500 * unit.Watt, 26 * kW, 5 * kW} {
			for range 200 {
				w.award("m60", want, true)
				w.step()
			}
			trims := 0
			for _, y := range w.toys {
				if !y.asleep && y.target > 0 {
					trims++
				}
			}
			if got := w.above(); got > want+200*unit.Watt || got < want-1700*unit.Watt || trims > 1 {
				t.Errorf("%s: %v for an award of %v with %d trim devices", style, got, want, trims)
			}
		}
		most := 0
		for _, y := range w.toys {
			most = max(most, y.told)
		}
		if most > 12 {
			t.Errorf("%s: one device was told %d times for four awards", style, most)
		}
	}
}

func TestDriftIsBounded(t *testing.T) {
	w := newWorld(t, hall(t))
	w.add("s21", 5, "mode")
	w.step()
	w.award("s21", 0, true)
	w.run(time.Minute)
	w.toys[0].restless = 0.2
	before := w.toys[0].told
	w.run(4 * time.Hour)
	if n := w.toys[0].told - before; n > 4*12 {
		t.Errorf("told %d times in four hours of drift", n)
	}
	if w.saw("s21-001", EventDrift) == 0 || w.saw("s21-001", EventQuarantined) == 0 {
		t.Error("drift was not noticed")
	}
}

func TestLimitersCommandsAreConfirmedToo(t *testing.T) {
	w := newWorld(t, hall(t))
	w.add("s21", 2, "mode")
	w.step()
	c := site.Command{
		Device: "s21-001", Setpoint: site.Setpoint{Mode: site.ModeSleep}, Plan: 7, At: w.at,
		Reason: site.Reason{Code: site.ReasonLimiter, Node: "hall", Text: "hall stands above its limit"},
	}
	w.told = []site.Command{c}
	w.apply(c)
	w.award("s21", w.out.Loads["s21"].Available, false)
	w.run(time.Minute)
	if got := kinds(w, "s21-001"); got != "sent acked confirmed" {
		t.Errorf("events %q", got)
	}
	if w.toys[0].told != 1 || !w.toys[0].asleep {
		t.Error("the award undid the limiter before the minimum rest")
	}
}

func TestUnknownIsNotZero(t *testing.T) {
	w := newWorld(t, hall(t))
	w.add("s21", 3, "mode")
	w.toys[0].away = true
	w.step()
	w.toys[1].away = true
	w.step()
	want := LoadStatus{Available: 3480 * unit.Watt, Fixed: 7020 * unit.Watt, Running: 3480 * unit.Watt, Awake: 3, Unreachable: 2}
	if d := cmp.Diff(want, w.out.Loads["s21"]); d != "" {
		t.Error(d)
	}
}
