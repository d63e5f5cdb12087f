package shed

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// classes are a site file's: one of each kind.
func classes() []compute.Terms {
	return []compute.Terms{
		{Name: "serve", Class: compute.Firm, Queues: []string{"firm"}, Value: 3 * unit.Dollar, Penalty: 20_000 * unit.DollarPerMWh},
		{Name: "base", Class: compute.Semi, Queues: []string{"semi"}, Minimum: 8, Value: 2 * unit.Dollar, Pause: time.Hour, Per: 24 * time.Hour},
		{Name: "slow", Class: compute.Cap, Queues: []string{"cap"}, Value: 2 * unit.Dollar, Slowdown: 0.3},
		{
			Name: "train", Class: compute.Pause, Queues: []string{"flex"}, Value: 2 * unit.Dollar, Slowdown: 0.2, Pause: 4 * time.Hour, Per: 24 * time.Hour,
			Notice: time.Minute, Checkpoint: compute.Checkpoint{Signal: "USR1", Takes: time.Minute, Every: time.Hour},
			MinRun: 30 * time.Minute, Restart: 5 * time.Minute, RestartCost: unit.Dollar,
		},
		{Name: "batch", Class: compute.Spot, Queues: []string{"spot"}, Value: unit.Dollar},
	}
}

func some(d time.Duration) site.Opt[time.Duration] { return site.Some(d) }

// What a job says of itself may loosen what its queue's class bears, never tighten it: each field,
// each way.
func TestClaims(t *testing.T) {
	const train = 3
	same := func(*compute.Terms) {}
	bare := func(kind compute.Class, edit func(*compute.Terms)) func(*compute.Terms) {
		return func(t *compute.Terms) {
			*t = compute.Terms{Name: kind.String(), Class: kind, Per: 24 * time.Hour}
			edit(t)
		}
	}
	for _, k := range []struct {
		queue string
		says  compute.Claims
		edit  func(*compute.Terms) // of the queue's class
		why   string               // a part of what is told; empty: nothing is
	}{
		// Tighter: it stays as the queue has it, and it is told.
		{"spot", compute.Claims{Class: "firm"}, same, "calls itself firm, and its queue is of batch"},
		{"spot", compute.Claims{Class: "serve"}, same, "calls itself serve"},
		{"spot", compute.Claims{Class: "platinum"}, same, `"platinum", which is no class of work: it counts as batch`},
		{"flex", compute.Claims{Class: "platinum", Pause: some(0)}, same, "what it says of pause"},
		{"flex", compute.Claims{Class: "firm", Pause: some(0)}, same, "calls itself firm"},
		{"flex", compute.Claims{Class: "semi"}, same, "calls itself semi"},
		{"flex", compute.Claims{Class: "cap"}, same, "calls itself cap"},
		{"semi", compute.Claims{Class: "cap"}, same, "calls itself cap"},
		{"flex", compute.Claims{Class: "pause", Pause: some(time.Hour)}, same, "says of pause"},
		{"flex", compute.Claims{Class: "pause", Per: some(48 * time.Hour)}, same, "says of pause"},
		{"flex", compute.Claims{Class: "pause", Pause: some(8 * time.Hour), Per: some(168 * time.Hour)}, same, "says of pause"},
		{"flex", compute.Claims{Class: "pause", Slowdown: site.Some(unit.Ratio(0.1))}, same, "says of slowdown"},
		{"flex", compute.Claims{Class: "pause", Notice: some(time.Hour)}, same, "says of notice"},
		{"flex", compute.Claims{Class: "pause", MinRun: some(time.Hour)}, same, "says of min_run"},
		{"flex", compute.Claims{Class: "pause", Restart: some(time.Hour)}, same, "says of restart"},
		{"flex", compute.Claims{Class: "pause", Takes: some(time.Hour)}, same, "says of takes"},
		{"flex", compute.Claims{Class: "pause", Every: some(2 * time.Hour)}, same, "says of every"},
		{"flex", compute.Claims{Class: "pause", Every: some(0)}, same, "says of every"},
		{"flex", compute.Claims{Class: "pause", Per: some(time.Second)}, same, "says of pause"}, // a pause of a second at the most
		{"spot", compute.Claims{Class: "spot", Pause: some(time.Hour)}, same, "says of pause"},
		{"spot", compute.Claims{Class: "spot", Notice: some(time.Second), Takes: some(time.Second), MinRun: some(time.Second)}, same, "says of notice, min_run, takes"},
		{"spot", compute.Claims{Class: "spot", Signal: "USR1"}, same, "says of signal"}, // it would be given time for it

		// Looser: it counts.
		{"flex", compute.Claims{Class: "pause", Pause: some(8 * time.Hour)}, func(t *compute.Terms) { t.Pause = 8 * time.Hour }, ""},
		{"flex", compute.Claims{Class: "train", Per: some(12 * time.Hour)}, func(t *compute.Terms) { t.Per = 12 * time.Hour }, ""},
		{"flex", compute.Claims{Class: "pause", Pause: some(48 * time.Hour)}, func(t *compute.Terms) { t.Pause = 24 * time.Hour }, ""},
		{"flex", compute.Claims{Class: "pause", Slowdown: site.Some(unit.Ratio(0.4))}, func(t *compute.Terms) { t.Slowdown = 0.4 }, ""},
		{"flex", compute.Claims{Class: "pause", Notice: some(time.Second)}, func(t *compute.Terms) { t.Notice = time.Second }, ""},
		{"flex", compute.Claims{Class: "pause", MinRun: some(0)}, func(t *compute.Terms) { t.MinRun = 0 }, ""},
		{"flex", compute.Claims{Class: "pause", Restart: some(time.Minute)}, func(t *compute.Terms) { t.Restart = time.Minute }, ""},
		{"flex", compute.Claims{Class: "pause", Takes: some(time.Second)}, func(t *compute.Terms) { t.Checkpoint.Takes = time.Second }, ""},
		{"flex", compute.Claims{Class: "pause", Every: some(time.Minute)}, func(t *compute.Terms) { t.Checkpoint.Every = time.Minute }, ""},
		{"flex", compute.Claims{Class: "pause", Signal: "B:TERM"}, func(t *compute.Terms) { t.Checkpoint.Signal = "B:TERM" }, ""},
		{"semi", compute.Claims{Class: "semi", Every: some(time.Minute)}, func(t *compute.Terms) { t.Checkpoint.Every = time.Minute }, ""},
		{"cap", compute.Claims{Class: "cap", Slowdown: site.Some(unit.Ratio(0.5))}, func(t *compute.Terms) { t.Slowdown = 0.5 }, ""},
		// Another class: its name and kind, and of its figures those that ask more. The money is the queue's.
		{"flex", compute.Claims{Class: "batch"}, func(t *compute.Terms) {
			t.Name, t.Class, t.Pause, t.Notice, t.MinRun, t.Restart, t.Checkpoint.Takes = "batch", compute.Spot, 0, 0, 0, 0, 0
		}, ""},
		{"semi", compute.Claims{Class: "pause", Notice: some(2 * time.Minute)}, func(t *compute.Terms) {
			t.Name, t.Class, t.Slowdown, t.Pause, t.Checkpoint.Every = "train", compute.Pause, 0.2, 4*time.Hour, time.Hour
		}, "says of notice"},
		{"firm", compute.Claims{Class: "pause", Notice: some(time.Hour), Takes: some(time.Hour), MinRun: some(time.Hour)}, func(t *compute.Terms) {
			of := classes()[train]
			t.Name, t.Class, t.Slowdown, t.Pause, t.Per, t.Notice = "train", of.Class, of.Slowdown, of.Pause, of.Per, of.Notice
			t.Checkpoint, t.MinRun, t.Restart = of.Checkpoint, of.MinRun, of.Restart
		}, "says of notice, min_run, takes"},
		{"cap", compute.Claims{Class: "spot"}, func(t *compute.Terms) { t.Name, t.Class = "batch", compute.Spot }, ""},
		{"firm", compute.Claims{Class: "firm"}, same, ""},

		// A queue of no class: the class that it names, else firm.
		{"wild", compute.Claims{Class: "train"}, func(t *compute.Terms) { *t = classes()[train] }, ""},
		{"wild", compute.Claims{Class: "spot", Pause: some(time.Hour)}, func(t *compute.Terms) { *t = classes()[4] }, "says of pause"},
		{"wild", compute.Claims{Class: "firm"}, func(t *compute.Terms) { *t = classes()[0] }, ""},
		{"wild", compute.Claims{Class: "platinum"}, bare(compute.Firm, func(t *compute.Terms) { t.Name, t.Per = "unknown", 0 }), "it counts as firm"},
	} {
		c, f := site4()
		c.Terms = classes()
		j := &compute.Job{ID: "j", Queue: k.queue, Claims: &k.says, State: compute.JobRunning}
		s := look(c, f, func(in *Input) { in.View = &compute.View{Reachable: true, Jobs: []compute.Job{*j}} })
		var want compute.Terms
		for _, x := range c.Terms {
			if slices.Contains(x.Queues, k.queue) {
				want = x
			}
		}
		k.edit(&want)
		name := fmt.Sprintf("%s says %+v", k.queue, k.says)
		if d := cmp.Diff(want, s.TermsOf(j)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if said := s.Said(j); !strings.Contains(said, k.why) || (said == "") != (k.why == "") {
			t.Errorf("%s: it is told %q", name, said)
		}
		if notes := s.Notes(); (len(notes) == 0) != (k.why == "") {
			t.Errorf("%s: the notes are %q", name, notes)
		}
	}
}

// Whatever a job says, it has no more time, no smaller a part and no dearer a stop than its queue gives.
func TestClaimsNeverTighten(t *testing.T) {
	durations := []site.Opt[time.Duration]{{}, some(0), some(time.Second), some(time.Hour), some(1000 * time.Hour)}
	all := classes()
	c, f := site4()
	c.Terms = all
	s := look(c, f, nil)
	n := 0
	for i := range all {
		q := &all[i]
		for _, class := range []string{"firm", "semi", "cap", "pause", "spot", "train", "gold"} {
			for x := range len(durations) * len(durations) * len(durations) {
				a, b, d := durations[x%5], durations[x/5%5], durations[x/25]
				for _, says := range []compute.Claims{
					{Class: class, Pause: a, Per: b, Notice: d, Signal: "USR1"},
					{Class: class, MinRun: a, Takes: b, Every: d},
					{Class: class, Restart: a, Takes: b, Signal: "TERM", Every: d},
				} {
					n++
					got := *s.weigh(claim{q, says}).terms
					switch {
					case got.Class < q.Class, got.Slowdown < q.Slowdown, q.Pauses() && !got.Pauses(), q.Bends() && !got.Bends():
						t.Fatalf("%s with %+v is %+v", q.Name, says, got)
					case q.Pauses() && (got.Grace() > q.Grace() || got.MinRun > q.MinRun || got.Restart > q.Restart || got.Notice > q.Notice || got.RestartCost != q.RestartCost || got.Value != q.Value):
						t.Fatalf("%s with %+v is told later, or is dearer: %+v", q.Name, says, got)
					case q.Class == compute.Spot && got.Pause != 0, q.Pause > 0 && (got.Class != compute.Spot || got.Pause != 0) && (got.Pause < q.Pause || got.Per > q.Per):
						t.Fatalf("%s with %+v may be paused for less: %+v", q.Name, says, got)
					}
					j := &compute.Job{GPUs: 8, Started: s.in.At.Add(-3 * time.Hour)}
					if q.Pauses() && s.loss(j, &got) > s.loss(j, q) {
						t.Fatalf("%s with %+v is dearer to stop: %s, not %s", q.Name, says, s.loss(j, &got), s.loss(j, q))
					}
					if got.Grace() > 16*time.Minute {
						t.Fatalf("%s with %+v has %s of grace", q.Name, says, got.Grace())
					}
				}
			}
		}
	}
	if n < 10_000 {
		t.Errorf("%d tries", n)
	}
}

// A job of a spot queue that calls itself firm goes with the others when power is short, and its
// page says why.
func TestAJobCannotMakeItselfFirm(t *testing.T) {
	for _, says := range []compute.Claims{{Class: "firm"}, {Class: "serve"}, {Class: "gold"}, {Class: "firm", Pause: some(0), MinRun: some(1000 * time.Hour)}} {
		c, f := site4()
		c.Terms[1].Class, c.Terms[1].Pause = compute.Spot, 0
		firm := look(c, f, nil).Firm
		f.jobs["job-2"].Claims = &says
		s := look(c, f, nil)
		if got := verbs(s.Decide(0, true)); !slices.Contains(got, "pause/job-2") || s.Firm != firm {
			t.Errorf("%+v: %v, firm %s, not %s", says, got, s.Firm, firm)
		}
		if n := s.Notes(); len(n) != 1 || !strings.HasPrefix(n[0], "job job-2: ") {
			t.Errorf("%+v: notes %q", says, n)
		}
	}
}

// What a job says of its own savings makes it no dearer than its run so far, and its class's.
func TestSavedLongAgoIsBelievedInPart(t *testing.T) {
	c, f := site4()
	c.Terms[1].Checkpoint = compute.Checkpoint{}
	s := look(c, f, nil)
	j := &compute.Job{GPUs: 8, Started: s.in.At.Add(-3 * time.Hour), Saved: site.Some(time.Unix(1, 0))}
	if got := s.undone(j, &c.Terms[1]); got != 3*time.Hour {
		t.Errorf("%s would be lost of a run of 3 h", got)
	}
	c.Terms[1].Checkpoint.Every = time.Hour
	if got := s.undone(j, &c.Terms[1]); got != time.Hour {
		t.Errorf("%s would be lost with a checkpoint every hour", got)
	}
	j.Saved = site.Some(s.in.At.Add(time.Hour))
	if got := s.undone(j, &c.Terms[1]); got != 0 {
		t.Errorf("%s would be lost of work saved in the future", got)
	}
}

// A firm queue's job that calls itself semi takes nobody's guaranteed GPUs, nor makes a second
// class for the schedule.
func TestSemiOfAnotherQueue(t *testing.T) {
	c, f := site4()
	c.Terms[1].Class, c.Terms[1].Minimum = compute.Semi, 8
	f.jobs["job-1"].Claims = &compute.Claims{Class: "train"}
	f.jobs["job-1"].Started = time.Now().Add(-100 * time.Hour)
	f.jobs["job-3"].Started = f.jobs["job-3"].Started.Add(-time.Hour)
	s := look(c, f, nil)
	if got := verbs(s.Decide(0, true)); slices.Contains(got, "pause/job-3") || !slices.Contains(got, "pause/job-1") || !slices.Contains(got, "pause/job-2") {
		t.Errorf("%v", got)
	}
	if k := s.Classes("gpu", 1); len(k) != 1 || k[0].Load != "gpu/train" || k[0].Count != 2 {
		t.Errorf("%+v", k)
	}
}

func TestNotesAreBounded(t *testing.T) {
	c, f := site4()
	v := f.View()
	for i := range 25 {
		v.Jobs = append(v.Jobs, compute.Job{ID: fmt.Sprint("x", i), Queue: "flex", Claims: &compute.Claims{Class: "firm"}})
	}
	s := look(c, f, func(in *Input) { in.View = v })
	if n := s.Notes(); len(n) != mostSaid+1 || n[mostSaid] != "15 more jobs say of themselves what does not count" {
		t.Errorf("%q", n)
	}
}
