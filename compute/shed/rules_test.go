package shed

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

func look(c *Cluster, f *fake, edit func(*Input)) *Survey {
	in := Input{At: time.Now(), View: f.View(), Draw: site.Some(f.draw()), Busy: 1}
	if edit != nil {
		edit(&in)
	}
	return Look(c, in)
}

func verbs(d Decision) (out []string) {
	for _, w := range d.Wants {
		out = append(out, w.Act.Key())
	}
	slices.Sort(out)
	return out
}

// What is offered adds up to what the machines draw, firm work apart from what can bend.
func TestOffers(t *testing.T) {
	c, f := site4()
	s := look(c, f, nil)
	firm, flex := s.Offers("gpu:firm", "gpu", 3)
	if s.Expected != f.draw() || s.Falling != 0 {
		t.Errorf("expected %s, falling %s of %s", s.Expected, s.Falling, f.draw())
	}
	if firm.Class != site.Firm || firm.Blocks[0].Value != 20_000*unit.DollarPerMWh || firm.Node != 3 || flex.Class != site.Flexible {
		t.Errorf("%+v %+v", firm, flex)
	}
	var sum unit.Power
	for i, b := range flex.Blocks {
		sum += b.Power
		if i > 0 && b.Value > flex.Blocks[i-1].Value {
			t.Errorf("block %d is worth more than the one before it", i)
		}
	}
	if sum != s.Flexible || firm.Blocks[0].Power+sum != s.Expected {
		t.Errorf("%s in blocks, %s flexible, %s firm, %s expected", sum, s.Flexible, s.Firm, s.Expected)
	}
}

// A price above what a cap costs caps; the idle machine goes first, since it earns nothing.
func TestByPrice(t *testing.T) {
	c, f := site4()
	s := look(c, f, nil)
	_, flex := s.Offers("a", "b", 0)
	worth := func(price unit.Price) (p unit.Power) {
		for _, b := range flex.Blocks {
			if b.Value >= price {
				p += b.Power
			}
		}
		return p
	}
	// 25 % of 16 $ an hour for 2.976 kW is 1,344 $/MWh; a capped job earns 16 $ with 3.064 kW, 5,222 $/MWh, and its restart costs 190.
	for _, k := range []struct {
		price unit.Price
		want  []string
	}{
		{40 * unit.DollarPerMWh, nil},
		{1000 * unit.DollarPerMWh, []string{"fence/n4", "off/n4"}},
		{1500 * unit.DollarPerMWh, []string{"cap/n2", "cap/n3", "fence/n4", "off/n4"}},
		{6000 * unit.DollarPerMWh, []string{"close/flex", "fence/n4", "off/n4", "pause/job-2", "pause/job-3"}},
	} {
		if got := verbs(s.Decide(worth(k.price), false)); !slices.Equal(got, k.want) {
			t.Errorf("at %s: %v, want %v", k.price, got, k.want)
		}
	}
}

func TestPauseBudgetAndMinimum(t *testing.T) {
	c, f := site4()
	used := map[string]time.Duration{"job-2": time.Hour}
	spent := func(in *Input) {
		in.Paused = func(job string, _ time.Duration) (time.Duration, time.Time) { return used[job], time.Time{} }
	}
	if got := verbs(look(c, f, spent).Decide(0, true)); slices.Contains(got, "pause/job-2") || !slices.Contains(got, "pause/job-3") {
		t.Errorf("a job whose pause is used up is paused again: %v", got)
	}
	c.Terms[1].MinRun = 4 * time.Hour
	if got := verbs(look(c, f, nil).Decide(0, true)); slices.Contains(got, "pause/job-2") || slices.Contains(got, "pause/job-3") {
		t.Errorf("jobs are paused before they ran their least time: %v", got)
	}
	c.Terms[1].MinRun, c.Terms[1].Class, c.Terms[1].Minimum = 0, compute.Semi, 8
	f.jobs["job-3"].Started = f.jobs["job-3"].Started.Add(-time.Hour)
	if got := verbs(look(c, f, nil).Decide(0, true)); !slices.Contains(got, "pause/job-2") || slices.Contains(got, "pause/job-3") {
		t.Errorf("the guaranteed minimum is the job that ran longest: %v", got)
	}
}

// A paused job comes back before its pause is over, and another takes its place.
func TestStaggered(t *testing.T) {
	db := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		c, f := site4()
		c.Terms[1].Pause, c.Terms[1].Slowdown = 20*time.Minute, 0
		l := newLoop(t, db, c, f)
		var turns []string
		for range 12 {
			l.run(5*time.Minute, 17*unit.Kilowatt)
			for _, k := range l.keys() {
				if k[:5] == "pause" && (len(turns) == 0 || turns[len(turns)-1] != k) {
					turns = append(turns, k)
				}
			}
		}
		if len(turns) < 2 {
			t.Errorf("over an hour only %v", turns)
		}
		l.kill()
	})
}

// Nobody knows what a cluster does that does not answer: it keeps its nameplate, and what is in
// force stays.
func TestUnreachable(t *testing.T) {
	c, f := site4()
	f.down = true
	s := look(c, f, func(in *Input) {
		in.Effects = map[string]Effect{"cap/n2": {Act: compute.Act{Verb: compute.Hold, Target: "n2", Power: 400 * unit.Watt}}}
	})
	if s.Firm != c.Nameplate() || s.Flexible != 0 {
		t.Errorf("firm %s, flexible %s, nameplate %s", s.Firm, s.Flexible, c.Nameplate())
	}
	if got := verbs(s.Decide(0, true)); !slices.Equal(got, []string{"cap/n2"}) {
		t.Errorf("%v", got)
	}
}

// A node whose agent refuses is not capped: jobs are paused instead, and what did not work is told.
func TestAnotherWay(t *testing.T) {
	db := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		c, f := site4()
		f.broken["cap/n2"], f.broken["cap/n3"] = compute.ErrRefused, compute.ErrRefused
		l := newLoop(t, db, c, f)
		l.run(3*time.Minute, 20*unit.Kilowatt)
		if f.draw() > 20*unit.Kilowatt || !slices.ContainsFunc(l.keys(), func(k string) bool { return k[:5] == "pause" }) {
			t.Errorf("%s with %v", f.draw(), l.keys())
		}
		l.kill()
		if !slices.ContainsFunc(l.notes, func(e Event) bool { return e.Kind == EventFailed && e.Act.Verb == compute.Hold }) {
			t.Error("nobody was told that a cap did not work")
		}
	})
}

// A job that was told to stop and does not go is seen by the meter: at its deadline the next
// step is taken.
func TestEscalates(t *testing.T) {
	db := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		c, f := site4()
		c.Caps, c.Switch = false, false
		l := newLoop(t, db, c, f)
		l.run(time.Minute, -1)
		l.run(10*time.Second, 20*unit.Kilowatt)
		f.mu.Lock()
		for id := range f.stops {
			f.stops[id] = time.Now().Add(24 * time.Hour) // it never goes
		}
		f.mu.Unlock()
		l.run(20*time.Second, 20*unit.Kilowatt)
		count := func() (n int) {
			for _, k := range l.keys() {
				if k[:5] == "pause" {
					n++
				}
			}
			return n
		}
		if count() != 1 {
			t.Errorf("%v before the deadline", l.keys())
		}
		l.run(90*time.Second, 20*unit.Kilowatt)
		if count() != 2 {
			t.Errorf("%v after the deadline", l.keys())
		}
		l.kill()
	})
}

func TestLearn(t *testing.T) {
	c, f := site4()
	busy := unit.Ratio(1)
	for range 400 {
		busy = Look(c, Input{At: time.Now(), View: f.View(), Draw: site.Some(f.draw() - 3*8*315*unit.Watt), Busy: busy}).Busy()
	}
	if busy < 0.49 || busy > 0.52 {
		t.Errorf("GPUs that draw half of the way from idle to full: %v", busy)
	}
}

// A machine that just lost its work keeps its power while caps and pauses suffice, and loses it
// where they do not: nothing awake draws above a limit because it was busy a moment ago.
func TestAMachineThatJustLostItsWorkGoesLast(t *testing.T) {
	c, f := site4()
	s := look(c, f, func(in *Input) { in.Rested = func(string) bool { return false } })
	for _, k := range []struct {
		allowed unit.Power
		want    []string
	}{
		{s.Flexible - unit.Kilowatt, []string{"cap/n3", "close/flex"}},
		{2 * unit.Kilowatt, []string{"close/flex", "pause/job-2", "pause/job-3"}},
		{0, []string{"close/flex", "fence/n4", "off/n4", "pause/job-2", "pause/job-3"}},
	} {
		if got := verbs(s.Decide(k.allowed, true)); !slices.Equal(got, k.want) {
			t.Errorf("allowed %s: %v, not %v", k.allowed, got, k.want)
		}
	}
}

// A machine that was given its power back counts as awake before its engine says so: what it is
// about to draw is given to no other.
func TestAMachineOnItsWayUpIsAwake(t *testing.T) {
	c, f := site4()
	rest := look(c, f, nil).Expected
	f.off["n4"] = true
	off, waking := look(c, f, nil), look(c, f, func(in *Input) { in.Waking = map[string]bool{"n4": true} })
	if off.Expected >= rest || waking.Expected != rest {
		t.Errorf("expected %s awake, %s off, %s on its way up", rest, off.Expected, waking.Expected)
	}
}

// A machine that is told to go off stays told while its engine calls it stopping, or down.
func TestAMachineOnItsWayDownStaysTold(t *testing.T) {
	c, f := site4()
	off := compute.Act{Verb: compute.Off, Target: "n4"}
	for _, state := range []compute.NodeState{compute.NodeFenced, compute.NodeStopping, compute.NodeDown, compute.NodeOff} {
		s := look(c, f, func(in *Input) {
			in.View.Nodes[3].State, in.View.Nodes[3].Ours = state, true
			in.Effects = map[string]Effect{off.Key(): {Act: off, Since: in.At, Done: in.At}}
		})
		if got := verbs(s.Decide(0, true)); !slices.Contains(got, off.Key()) {
			t.Errorf("%s: %v", state, got)
		}
	}
}

// After a start in the middle of a shed, what falls by the last run's acts is not shed once more;
// from their deadline on it is.
func TestAStartInTheMiddleShedsNothingTwice(t *testing.T) {
	c, f := site4()
	stop := compute.Act{Verb: compute.Stop, Target: "job-3", Grace: 20 * time.Second}
	effects := map[string]Effect{stop.Key(): {Act: stop, Since: time.Now(), Saves: 6 * unit.Kilowatt}} // told, and nobody knows whether it was heard
	s := look(c, f, func(in *Input) { in.Effects = effects })
	if s.Falling <= 0 {
		t.Fatal("nothing falls")
	}
	short := site.Award{Full: s.Flexible, Power: s.Flexible - 6*unit.Kilowatt - s.Falling, Reason: site.Reason{Code: site.ReasonLimit}}
	var g Governor
	now := time.Now()
	if allowed, _ := g.Allowed(c, now, s, short, effects, 0); allowed != s.Flexible-6*unit.Kilowatt {
		t.Errorf("%s of %s at once, with %s falling", allowed, s.Flexible, s.Falling)
	}
	if allowed, _ := g.Allowed(c, now.Add(c.Effect+stop.Grace), s, short, effects, 0); allowed != short.Power {
		t.Errorf("%s of %s at the deadline, with %s falling", allowed, s.Flexible, s.Falling)
	}
}
