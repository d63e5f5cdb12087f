package shed

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/site"
	"switchyard/store"
	"switchyard/unit"
)

// fake is an engine, its agents and its machines in one: what is told happens, a pause after
// its grace.
type fake struct {
	mu     sync.Mutex
	c      *Cluster
	jobs   map[string]*compute.Job
	stops  map[string]time.Time // when a told job stops
	closed map[string]bool
	caps   map[string]unit.Power
	off    map[string]bool
	fenced map[string]bool
	broken map[string]error // by key of an act
	down   bool
	calls  []string
}

func (f *fake) Run(ctx context.Context) error { <-ctx.Done(); return nil }

func (f *fake) View() *compute.View {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	v := &compute.View{At: now, Reachable: !f.down, Engine: "fake"}
	used := map[string]int{}
	for _, j := range f.jobs {
		if t, ok := f.stops[j.ID]; ok && !now.Before(t) && j.State == compute.JobStopping {
			j.State, j.Ours, j.Places = compute.JobPaused, true, nil
			j.Saved = site.Some(t)
		}
		for _, p := range j.Places {
			used[p.Node] += p.GPUs
		}
		v.Jobs = append(v.Jobs, *j)
	}
	slices.SortFunc(v.Jobs, func(a, b compute.Job) int { return cmpText(a.ID, b.ID) })
	for _, m := range f.c.Machines {
		n := compute.Node{Name: m.Name, GPUs: m.GPUs, Used: used[m.Name]}
		switch {
		case f.off[m.Name]:
			n.State, n.Ours = compute.NodeOff, true
		case f.fenced[m.Name]:
			n.State, n.Ours = compute.NodeFenced, true
		}
		v.Nodes = append(v.Nodes, n)
	}
	return v
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (f *fake) Original(_ context.Context, a compute.Act) (compute.Original, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, compute.ErrUnreachable
	}
	return json.RawMessage(`{"was":"open"}`), nil
}

func (f *fake) Do(_ context.Context, a compute.Act) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, "do "+a.Key())
	if err := f.broken[a.Key()]; err != nil || f.down {
		if f.down {
			return compute.ErrUnreachable
		}
		return err
	}
	switch a.Verb {
	case compute.Close:
		f.closed[a.Target] = true
	case compute.Fence:
		f.fenced[a.Target] = true
	case compute.Stop:
		j := f.jobs[a.Target]
		if j == nil {
			return compute.ErrGone
		}
		if j.State == compute.JobRunning {
			j.State = compute.JobStopping
			f.stops[j.ID] = time.Now().Add(a.Grace)
		}
	}
	return nil
}

func (f *fake) Undo(_ context.Context, a compute.Act, o compute.Original) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, "undo "+a.Key())
	if f.down {
		return compute.ErrUnreachable
	}
	if string(o) != `{"was":"open"}` {
		return fmt.Errorf("undone with %s", o)
	}
	switch a.Verb {
	case compute.Close:
		f.closed[a.Target] = false
	case compute.Fence:
		f.fenced[a.Target] = false
	case compute.Stop:
		j := f.jobs[a.Target]
		delete(f.stops, a.Target)
		j.State, j.Ours, j.Restarts, j.Started = compute.JobRunning, false, j.Restarts+1, time.Now()
		j.Places = []compute.Place{{Node: j.Name, GPUs: j.GPUs}}
	}
	return nil
}

func (f *fake) Cap(_ context.Context, node string, p unit.Power, _ time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.broken["cap/"+node]; err != nil {
		return err
	}
	f.caps[node] = p
	return nil
}

func (f *fake) Uncap(_ context.Context, node string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.caps, node)
	return nil
}

func (f *fake) Read(context.Context, string) (compute.Reading, error) { return compute.Reading{}, nil }

func (f *fake) power(on bool, node string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.off[node] = !on
	return nil
}

func (f *fake) PowerOff(_ context.Context, node string) error        { return f.power(false, node) }
func (f *fake) PowerOn(_ context.Context, node string) error         { return f.power(true, node) }
func (f *fake) Powered(_ context.Context, node string) (bool, error) { return !f.off[node], nil }

// forget is what an engine's adapter does when it dies: jobs that were asked for a checkpoint run on.
func (f *fake) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.stops)
	for _, j := range f.jobs {
		if j.State == compute.JobStopping {
			j.State = compute.JobRunning
		}
	}
}

// draw is what the machines draw.
func (f *fake) draw() (p unit.Power) {
	v := f.View()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.c.Machines {
		g := f.c.Models[m.Model]
		if f.off[m.Name] {
			p += m.Off
			continue
		}
		full := g.Full
		if c := f.caps[m.Name]; c > 0 {
			full = min(full, c)
		}
		used := 0
		for _, j := range v.Jobs {
			for _, pl := range j.Places {
				if pl.Node == m.Name {
					used += pl.GPUs
				}
			}
		}
		p += m.Idle + (m.Full - m.Idle).Scale(float64(used)/float64(m.GPUs)) + unit.Power(used)*full + unit.Power(m.GPUs-used)*g.Idle
	}
	return p
}

// site4 is four machines with a firm job, two that can be paused and one free machine.
func site4() (*Cluster, *fake) {
	c := &Cluster{
		ID: "gpu", Models: map[string]compute.Model{"H100": {Name: "H100", Idle: 70 * unit.Watt, Full: 700 * unit.Watt, Least: 200 * unit.Watt}},
		Caps: true, Switch: true, Effect: 30 * time.Second, Restore: 20 * unit.Kilowatt, Hysteresis: time.Minute,
		Terms: []compute.Terms{
			{Name: "serve", Class: compute.Firm, Queues: []string{"firm"}, Value: 3 * unit.Dollar, Penalty: 20_000 * unit.DollarPerMWh},
			{
				Name: "train", Class: compute.Pause, Queues: []string{"flex"}, Value: 2 * unit.Dollar, Slowdown: 0.25, Pause: time.Hour, Per: 24 * time.Hour,
				Checkpoint: compute.Checkpoint{Signal: "USR1", Takes: 10 * time.Second}, Restart: 2 * time.Minute,
			},
		},
	}
	f := &fake{c: c, jobs: map[string]*compute.Job{}, stops: map[string]time.Time{}, closed: map[string]bool{}, caps: map[string]unit.Power{}, off: map[string]bool{}, fenced: map[string]bool{}, broken: map[string]error{}}
	for i := range 4 {
		c.Machines = append(c.Machines, compute.Machine{Name: fmt.Sprint("n", i+1), Model: "H100", GPUs: 8, Idle: unit.Kilowatt, Full: 2 * unit.Kilowatt, Off: 50 * unit.Watt})
	}
	began := time.Now().Add(-3 * time.Hour)
	for i, q := range []string{"firm", "flex", "flex"} {
		node := fmt.Sprint("n", i+1)
		id := fmt.Sprint("job-", i+1)
		f.jobs[id] = &compute.Job{ID: id, Name: node, Queue: q, State: compute.JobRunning, GPUs: 8, Places: []compute.Place{{Node: node, GPUs: 8}}, Started: began}
	}
	return c, f
}

// loop is the part of the control loop that a cluster sees, with a limit on it alone.
type loop struct {
	t     *testing.T
	c     *Cluster
	f     *fake
	r     *Runner
	gov   Governor
	stage string
	stop  context.CancelFunc
	done  chan struct{}
	notes []Event
	mu    sync.Mutex
}

func newLoop(t *testing.T, db *store.DB, c *Cluster, f *fake) *loop {
	t.Helper()
	l := &loop{t: t, c: c, f: f, done: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	l.stop = stop
	var err error
	l.r, err = Open(ctx, c, Tools{Engine: f, Caps: f, Power: f, Lease: time.Minute}, db, clock.System(), slog.New(slog.NewTextHandler(io.Discard, nil)), func(e Event) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.notes = append(l.notes, e)
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { defer close(l.done); l.r.Run(ctx) }()
	return l
}

// kill ends the loop as a crash does: what was on its way is not waited for.
func (l *loop) kill() { l.stop(); <-l.done }

// run steps for d under a limit; negative: none.
func (l *loop) run(d time.Duration, limit unit.Power) *Survey {
	var s *Survey
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Second) {
		now := time.Now()
		s = Look(l.c, Input{
			At: now, View: l.f.View(), Draw: site.Some(l.f.draw()), Busy: 1, Effects: l.r.Effects(), Failing: l.r.Failing(now), Paused: l.r.Paused(now),
		})
		a := site.Award{Full: s.Flexible, Power: s.Flexible}
		if limit >= 0 {
			a.Power = min(max(limit-s.Firm-s.Falling, 0), s.Flexible)
			a.Reason = site.Reason{Code: site.ReasonLimit, Text: "the limit"}
		}
		effects := l.r.Effects()
		allowed, short := l.gov.Allowed(l.c, now, s, a, effects, 0)
		d := s.Decide(allowed, short)
		l.stage = d.Stage
		l.r.Want(now, 1, a.Reason, d.Wants)
		synctest.Wait()
	}
	return s
}

func (l *loop) keys() []string {
	var out []string
	for k := range l.r.Effects() {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func openStore(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// A limit takes a cluster step by step to firm only and back, killed in the middle of each.
func TestStory(t *testing.T) {
	for name, kill := range map[string]bool{"in one go": false, "killed at each step": true} {
		t.Run(name, func(t *testing.T) {
			db := openStore(t)
			synctest.Test(t, func(t *testing.T) {
				c, f := site4()
				l := newLoop(t, db, c, f)
				l.run(time.Minute, -1)
				full := f.draw()
				if full != 3*(2*unit.Kilowatt+8*700*unit.Watt)+unit.Kilowatt+8*70*unit.Watt {
					t.Fatalf("it draws %s", full)
				}
				for _, step := range []struct {
					limit unit.Power
					stage string
					keys  []string
				}{
					{24 * unit.Kilowatt, "idle nodes off", []string{"close/flex", "fence/n4", "off/n4"}},
					{19 * unit.Kilowatt, "capped", []string{"cap/n2", "cap/n3", "close/flex", "fence/n4", "off/n4"}},
					{16 * unit.Kilowatt, "paused", []string{"cap/n2", "close/flex", "fence/n4", "off/n4", "pause/job-3"}},
					{11 * unit.Kilowatt, "firm only", []string{"close/flex", "fence/n4", "off/n4", "pause/job-2", "pause/job-3"}},
				} {
					if kill { // while the acts are on their way
						l.run(6*time.Second, step.limit)
						l.kill()
						f.forget()
						l = newLoop(t, db, c, f)
					}
					l.run(2*time.Minute, step.limit)
					t.Logf("%s: %s, draws %s, %v", step.limit, l.stage, f.draw(), l.keys())
					if l.stage != step.stage {
						t.Fatalf("at %s it is %q, want %q", step.limit, l.stage, step.stage)
					}
					for _, k := range step.keys {
						if !slices.Contains(l.keys(), k) {
							t.Errorf("at %s: %v lacks %s", step.limit, l.keys(), k)
						}
					}
					if d := f.draw(); d > step.limit {
						t.Errorf("at a limit of %s it draws %s", step.limit, d)
					}
				}
				if kill {
					l.run(6*time.Second, -1)
					l.kill()
					l = newLoop(t, db, c, f)
				}
				l.run(time.Minute, -1)
				if len(l.keys()) == 0 && !kill {
					t.Error("everything came back at once")
				}
				l.run(10*time.Minute, -1)
				if d := cmp.Diff([]string(nil), l.keys()); d != "" || f.draw() != full || l.stage != "running" {
					t.Errorf("not all came back, %s, %s: %s", l.stage, f.draw(), d)
				}
				if f.jobs["job-1"].Restarts != 0 || f.closed["flex"] || len(f.caps) != 0 || f.off["n4"] || f.fenced["n4"] {
					t.Errorf("%+v %v %v", f.jobs["job-1"], f.closed, f.caps)
				}
				l.kill()
			})
		})
	}
}

// What was in force in the last moments before a crash is told again: its record may have died
// with the process, and nobody could say why a node is capped.
func TestActsOfTheLastMomentsAreToldAgain(t *testing.T) {
	db := openStore(t)
	synctest.Test(t, func(t *testing.T) {
		c, f := site4()
		l := newLoop(t, db, c, f)
		l.run(10*time.Second, 19*unit.Kilowatt)
		l.kill()
		l = newLoop(t, db, c, f)
		synctest.Wait()
		told := map[string]bool{}
		for _, e := range l.notes {
			if e.Kind == EventDo && e.Why.Text != "" {
				told[e.Act.Key()] = true
			}
		}
		if len(l.keys()) == 0 {
			t.Fatal("nothing is in force")
		}
		for _, k := range l.keys() {
			if !told[k] {
				t.Errorf("%s is in force and not told: %v", k, told)
			}
		}
		l.kill()
	})
}
