package slurm_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/compute/slurm"
	"switchyard/compute/slurm/slurmtest"
)

// The tests in this file run against a real Slurm: four nodes of eight made-up GPUs.

func begin(t *testing.T, o slurmtest.Options) *slurmtest.Cluster {
	t.Helper()
	if m := slurmtest.Missing(o); m != "" {
		t.Skip("no Slurm of our own without " + m)
	}
	c, err := slurmtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	return c
}

var (
	system = clock.System()
	quiet  = slog.New(slog.DiscardHandler)
)

// open makes an engine and runs it until the test ends, or until the returned function is called:
// that is how our process dies.
func open(t *testing.T, c slurm.Config) (*slurm.Engine, func()) {
	t.Helper()
	e, err := slurm.Open(c, system, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = e.Run(ctx) }()
	stop := func() { cancel(); <-done }
	t.Cleanup(stop)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the engine's last words: %q %q", e.View().Err, e.View().Notes)
		}
	})
	until(t, "the first answer", func() bool { return e.View().Reachable })
	return e, stop
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(45 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func submit(t *testing.T, c *slurmtest.Cluster, j slurmtest.Job) string {
	t.Helper()
	id, err := c.Submit(j)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func progress(t *testing.T, c *slurmtest.Cluster, id string) slurmtest.Progress {
	t.Helper()
	p, _ := c.Progress(id) // no record yet is no progress
	return p
}

func jobOf(e *slurm.Engine, id string) compute.Job {
	v := e.View()
	if i := slices.IndexFunc(v.Jobs, func(j compute.Job) bool { return j.ID == id }); i >= 0 {
		return v.Jobs[i]
	}
	return compute.Job{State: compute.JobFailed}
}

func nodeOf(e *slurm.Engine, name string) compute.Node {
	v := e.View()
	if i := slices.IndexFunc(v.Nodes, func(n compute.Node) bool { return n.Name == name }); i >= 0 {
		return v.Nodes[i]
	}
	return compute.Node{State: compute.NodeDown}
}

func queueOf(e *slurm.Engine, name string) compute.Queue {
	v := e.View()
	if i := slices.IndexFunc(v.Queues, func(q compute.Queue) bool { return q.Name == name }); i >= 0 {
		return v.Queues[i]
	}
	return compute.Queue{}
}

// do does an act twice, as a caller does that died after the first time, and returns what stood
// before it.
func do(t *testing.T, e *slurm.Engine, a compute.Act) compute.Original {
	t.Helper()
	o, err := e.Original(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := e.Do(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func undo(t *testing.T, e *slurm.Engine, a compute.Act, o compute.Original) {
	t.Helper()
	for range 2 {
		if err := e.Undo(t.Context(), a, o); err != nil {
			t.Fatal(err)
		}
	}
}

// A day of the site on one cluster: its parts run one after the other, each leaving it as it was.
func TestActs(t *testing.T) {
	t.Parallel()
	c := begin(t, slurmtest.Options{})
	e, stop := open(t, c.Config())
	defer stop()
	firm := submit(t, c, slurmtest.Job{Account: "firm1", Partition: "firm", Class: "firm", GPUs: 8})
	until(t, "the firm job to work", func() bool { return progress(t, c, firm).Step > 2 })
	t.Run("a view", func(t *testing.T) { testView(t, c, e, firm) })
	t.Run("a partition is closed and opened", func(t *testing.T) { testClose(t, c, e) })
	t.Run("a job is paused after its checkpoint and comes back", func(t *testing.T) { testStop(t, c, e) })
	t.Run("a job that does not save is stopped when its grace is over", func(t *testing.T) { testDeaf(t, c, e) })
	t.Run("our process dies while a job saves its work", func(t *testing.T) { testCrash(t, c) })
	t.Run("what cannot come back, is gone or is its owner's is left alone", func(t *testing.T) { testLeftAlone(t, c, e) })
	t.Run("a partition is drained and its owner's hold stays", func(t *testing.T) { testDrain(t, c, e, firm) })
	t.Run("a node is fenced, loses its power and gets it back", func(t *testing.T) { testPower(t, c, e) })
	t.Run("somebody suspends a job", func(t *testing.T) { testFrozen(t, c, e) })
	p := progress(t, c, firm)
	if p.Runs != 1 || p.Lost != 0 || p.Gap > 3*time.Second {
		t.Errorf("the firm job was disturbed: %+v", p)
	}
	t.Logf("the firm job made %d steps in one run; longest gap %s", p.Step, p.Gap)
}

func testView(t *testing.T, c *slurmtest.Cluster, e *slurm.Engine, firm string) {
	id := submit(t, c, slurmtest.Job{Nodes: 2, GPUs: 3, Every: time.Second, Args: []string{"--time=60", "--deadline=now+2hours"}})
	until(t, "a checkpoint", func() bool { return jobOf(e, id).Saved.OK })
	v, j := e.View(), jobOf(e, id)
	if !strings.HasPrefix(v.Engine, "slurm ") || !strings.Contains(v.Engine, "slurmrestd v0.0.") {
		t.Errorf("engine %q", v.Engine)
	}
	if len(v.Nodes) != 4 || len(v.Queues) != 2 {
		t.Errorf("%d nodes, %d queues", len(v.Nodes), len(v.Queues))
	}
	if j.State != compute.JobRunning || j.GPUs != 6 || len(j.Places) != 2 || j.Account != "tenanta" || j.Queue != "flex" || j.Started.IsZero() || !j.Ended.IsZero() || j.Ours {
		t.Errorf("job %+v", j)
	}
	if d := j.Deadline.Sub(j.Submitted); d < 119*time.Minute || d > 121*time.Minute {
		t.Errorf("deadline %s after its submission", d)
	}
	for _, p := range j.Places {
		if p.GPUs != 3 || len(p.Indices) != 3 {
			t.Errorf("place %+v", p)
		}
		for _, i := range p.Indices {
			until(t, "its GPUs to be busy", func() bool { return c.Busy(p.Node, i) })
		}
		until(t, "its node's use", func() bool { return nodeOf(e, p.Node).Used == 3 && nodeOf(e, p.Node).GPUs == 8 })
	}
	if f := jobOf(e, firm); f.Queue != "firm" || f.GPUs != 8 {
		t.Errorf("firm job %+v", f)
	}
	compareWays(t, c, e)
	cancel(t, c, e, id)
}

// compareWays reads the same cluster by commands alone.
func compareWays(t *testing.T, c *slurmtest.Cluster, e *slurm.Engine) {
	cfg := c.Config()
	cfg.REST = ""
	e2, stop := open(t, cfg)
	defer stop()
	a, b := e.View(), e2.View()
	line := func(v *compute.View) string {
		var s []string
		for _, j := range v.Jobs {
			s = append(s, fmt.Sprint(j.ID, j.Name, j.Account, j.Queue, j.State, j.GPUs, j.Places, j.Submitted, j.Started, j.Ended, j.Deadline, j.Restarts))
		}
		slices.Sort(s)
		return fmt.Sprint(s, v.Nodes, v.Queues)
	}
	if line(a) != line(b) {
		t.Errorf("by slurmrestd:\n%s\nby commands:\n%s", line(a), line(b))
	}
}

func cancel(t *testing.T, c *slurmtest.Cluster, e *slurm.Engine, ids ...string) {
	t.Helper()
	if _, err := c.Command("scancel", ids...); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		until(t, "job "+id+" to be gone", func() bool { s := jobOf(e, id).State; return s == compute.JobDone || s == compute.JobFailed })
	}
}

func testClose(t *testing.T, c *slurmtest.Cluster, e *slurm.Engine) {
	runs := submit(t, c, slurmtest.Job{GPUs: 1})
	until(t, "a running job", func() bool { return jobOf(e, runs).State == compute.JobRunning })
	a := compute.Act{Verb: compute.Close, Target: "flex"}
	o := do(t, e, a)
	if !strings.Contains(string(o), `"UP"`) {
		t.Errorf("what stood before: %s", o)
	}
	until(t, "the closed partition", func() bool { q := queueOf(e, "flex"); return !q.Open && q.Ours })
	waits := submit(t, c, slurmtest.Job{GPUs: 1})
	time.Sleep(1500 * time.Millisecond)
	if s := jobOf(e, waits).State; s != compute.JobPending {
		t.Errorf("a job in a closed partition is %s", s)
	}
	if s := jobOf(e, runs).State; s != compute.JobRunning {
		t.Errorf("what ran is %s", s)
	}
	undo(t, e, a, o)
	until(t, "the open partition", func() bool { q := queueOf(e, "flex"); return q.Open && !q.Ours })
	until(t, "the waiting job to run", func() bool { return jobOf(e, waits).State == compute.JobRunning })
	cancel(t, c, e, runs, waits)
	gone := compute.Act{Verb: compute.Close, Target: "nothing"}
	if err := e.Do(t.Context(), gone); !errors.Is(err, compute.ErrGone) {
		t.Errorf("a partition that is not there: %v", err)
	}
}

func testStop(t *testing.T, c *slurmtest.Cluster, e *slurm.Engine) {
	id := submit(t, c, slurmtest.Job{GPUs: 4, Save: 300 * time.Millisecond})
	if _, err := c.Command("scontrol", "update", "jobid="+id, "admincomment=of the owner"); err != nil {
		t.Fatal(err)
	}
	until(t, "some work", func() bool { return progress(t, c, id).Step > 10 && jobOf(e, id).State == compute.JobRunning })
	a := compute.Act{Verb: compute.Stop, Target: id, Signal: "USR1", Grace: 20 * time.Second, Reason: "the feeder is full"}
	begun := time.Now()
	o := do(t, e, a)
	until(t, "the pause", func() bool { j := jobOf(e, id); return j.State == compute.JobPaused && j.Ours })
	took := time.Since(begun)
	p := progress(t, c, id)
	if p.Saved == 0 {
		t.Fatal("it was stopped without a checkpoint")
	}
	lost := p.Step - p.Saved
	for _, n := range c.Nodes()[1:] {
		for i := range c.GPUs() {
			if c.Busy(n, i) {
				t.Errorf("GPU %d of %s is still busy", i, n)
			}
		}
	}
	if err := e.Do(t.Context(), a); err != nil {
		t.Errorf("stopped once more: %v", err)
	}
	begun = time.Now()
	undo(t, e, a, o)
	until(t, "work again", func() bool { q := progress(t, c, id); return q.Runs == 2 && q.Step > p.Step })
	q := progress(t, c, id)
	if q.Lost != lost || q.Lost > p.After {
		t.Errorf("%d steps lost, and %d were made since the checkpoint", q.Lost, p.After)
	}
	until(t, "the second run in the view", func() bool { j := jobOf(e, id); return j.State == compute.JobRunning && j.Restarts == 1 && !j.Ours })
	if out, _ := c.Command("scontrol", "show", "job", id); strings.Contains(out, "AdminComment=switchyard") || !strings.Contains(out, "AdminComment=of the owner") {
		t.Errorf("our mark is still on it, or the owner's words are not:\n%s", out)
	}
	t.Logf("asked to paused %s (2 requests each twice), %d steps lost of %d; released to more work than before %s", took, q.Lost, p.Step, time.Since(begun))
	cancel(t, c, e, id)
}

func testDeaf(t *testing.T, c *slurmtest.Cluster, e *slurm.Engine) {
	id := submit(t, c, slurmtest.Job{GPUs: 2, Deaf: true, Every: 700 * time.Millisecond, Save: 50 * time.Millisecond, Args: []string{"--comment=none"}})
	deaf := submit(t, c, slurmtest.Job{GPUs: 2, Deaf: true})
	until(t, "some work", func() bool { return progress(t, c, deaf).Step > 3 && progress(t, c, id).Step > 3 })
	// The first saves by itself within the grace: no need to wait longer. The second never does.
	a := compute.Act{Verb: compute.Stop, Target: id, Grace: time.Minute}
	b := compute.Act{Verb: compute.Stop, Target: deaf, Signal: "USR1", Grace: 2 * time.Second}
	oa, ob := do(t, e, a), do(t, e, b)
	until(t, "both to be paused", func() bool { return jobOf(e, id).Ours && jobOf(e, deaf).Ours })
	if p := progress(t, c, deaf); p.Saved != 0 || p.Step < 20 {
		t.Errorf("it had no grace: %+v", p)
	}
	undo(t, e, a, oa)
	undo(t, e, b, ob)
	until(t, "both again", func() bool { return progress(t, c, id).Runs == 2 && progress(t, c, deaf).Runs == 2 })
	if p := progress(t, c, id); p.Lost > p.After {
		t.Errorf("%d steps lost, %d since the checkpoint", p.Lost, p.After)
	}
	// Undone within the grace, nothing happens.
	b.Grace = time.Minute
	ob = do(t, e, b)
	until(t, "the order in the view", func() bool { return jobOf(e, deaf).State == compute.JobStopping })
	undo(t, e, b, ob)
	until(t, "the order gone", func() bool { return jobOf(e, deaf).State == compute.JobRunning })
	time.Sleep(time.Second)
	if p := progress(t, c, deaf); p.Runs != 2 {
		t.Errorf("it was stopped after all: %+v", p)
	}
	cancel(t, c, e, id, deaf)
}

func testCrash(t *testing.T, c *slurmtest.Cluster) {
	e, die := open(t, c.Config())
	id := submit(t, c, slurmtest.Job{GPUs: 2, Save: 1500 * time.Millisecond})
	until(t, "some work", func() bool { return progress(t, c, id).Step > 5 && jobOf(e, id).State == compute.JobRunning })
	a := compute.Act{Verb: compute.Stop, Target: id, Signal: "USR1", Grace: 8 * time.Second}
	o := do(t, e, a)
	die()
	until(t, "the checkpoint, with nobody waiting", func() bool { return progress(t, c, id).Saved > 0 })
	e2, stop := open(t, c.Config())
	defer stop()
	if s := jobOf(e2, id).State; s != compute.JobStopping {
		t.Errorf("a new process sees it %s", s)
	}
	if err := e2.Do(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	until(t, "the pause", func() bool { return jobOf(e2, id).Ours })
	p := progress(t, c, id)
	undo(t, e2, a, o)
	until(t, "work again", func() bool { return progress(t, c, id).Runs == 2 })
	if q := progress(t, c, id); q.Saved == 0 || q.Lost > p.After || q.Lost != p.Step-p.Saved {
		t.Errorf("before %+v, after %+v", p, q)
	}
	cancel(t, c, e2, id)
}

func testLeftAlone(t *testing.T, c *slurmtest.Cluster, e *slurm.Engine) {
	act := func(id string) compute.Act {
		return compute.Act{Verb: compute.Stop, Target: id, Signal: "USR1"}
	}
	once := submit(t, c, slurmtest.Job{GPUs: 1, Args: []string{"--no-requeue"}})
	held := submit(t, c, slurmtest.Job{GPUs: 1, Args: []string{"--hold"}})
	short := submit(t, c, slurmtest.Job{GPUs: 1, Steps: 1})
	until(t, "the short job's end and the other's start", func() bool {
		return jobOf(e, short).State == compute.JobDone && jobOf(e, once).State == compute.JobRunning
	})
	if err := e.Do(t.Context(), act(once)); !errors.Is(err, compute.ErrRefused) {
		t.Errorf("a job that could not come back: %v", err)
	}
	for _, id := range []string{short, "999999"} {
		if err := e.Do(t.Context(), act(id)); !errors.Is(err, compute.ErrGone) {
			t.Errorf("a job that ended: %v", err)
		}
		if err := e.Undo(t.Context(), act(id), nil); err != nil {
			t.Errorf("undone for a job that ended: %v", err)
		}
	}
	o := do(t, e, act(held))
	undo(t, e, act(held), o)
	until(t, "the held job", func() bool { j := jobOf(e, held); return j.State == compute.JobPending && !j.Ours })
	if out, _ := c.Command("squeue", "-h", "-j", held, "-o", "%r"); !strings.Contains(out, "JobHeldUser") {
		t.Errorf("its owner's hold is gone: %s", out)
	}
	for _, bad := range []compute.Act{
		{Verb: compute.Stop, Target: once + ",1"},
		{Verb: compute.Close, Target: "flex state=UP"},
		{Verb: compute.Stop, Target: once, Signal: "KILL"},
		{Verb: compute.Hold, Target: "gpu1"},
	} {
		if err := e.Do(t.Context(), bad); err == nil {
			t.Errorf("%v was done", bad)
		}
	}
	cancel(t, c, e, once, held)
}

func testDrain(t *testing.T, c *slurmtest.Cluster, e *slurm.Engine, firm string) {
	var ids []string
	for _, account := range []string{"tenanta", "tenantb", "tenanta"} {
		ids = append(ids, submit(t, c, slurmtest.Job{GPUs: 4, Account: account, Save: 100 * time.Millisecond}))
	}
	until(t, "some work", func() bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return progress(t, c, id).Step < 5 })
	})
	one := compute.Act{Verb: compute.Stop, Target: ids[0], Signal: "USR1", Grace: 10 * time.Second}
	o1 := do(t, e, one)
	until(t, "the first to be paused", func() bool { return jobOf(e, ids[0]).Ours })
	all := compute.Act{Verb: compute.Drain, Target: "flex", Signal: "USR1", Grace: 10 * time.Second}
	oa := do(t, e, all)
	late := submit(t, c, slurmtest.Job{GPUs: 1})
	until(t, "all to be paused", func() bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return !jobOf(e, id).Ours }) && !queueOf(e, "flex").Open
	})
	if s := jobOf(e, firm).State; s != compute.JobRunning {
		t.Errorf("the firm job is %s", s)
	}
	if s := jobOf(e, late).State; s != compute.JobPending {
		t.Errorf("a late job is %s", s)
	}
	undo(t, e, all, oa)
	until(t, "the drained jobs to work", func() bool {
		return progress(t, c, ids[1]).Runs == 2 && progress(t, c, ids[2]).Runs == 2 && progress(t, c, late).Runs == 1
	})
	if !jobOf(e, ids[0]).Ours {
		t.Error("the one that was paused for itself came back with the drained ones")
	}
	undo(t, e, one, o1)
	until(t, "the first to work", func() bool { return progress(t, c, ids[0]).Runs == 2 })
	for _, id := range ids {
		if p := progress(t, c, id); p.Lost > p.After || p.Saved == 0 {
			t.Errorf("job %s: %+v", id, p)
		}
	}
	cancel(t, c, e, append(ids, late)...)
}

func testPower(t *testing.T, c *slurmtest.Cluster, e *slurm.Engine) {
	defer func() {
		if t.Failed() {
			state, _ := c.Command("scontrol", "show", "node", "gpu4")
			power, _ := os.ReadFile(c.Dir() + "/log/power.log")
			log, _ := os.ReadFile(c.Dir() + "/log/slurmctld.log")
			t.Logf("%s%s\n%s", state, power, log[max(len(log)-4000, 0):])
		}
	}()
	fence := compute.Act{Verb: compute.Fence, Target: "gpu4"}
	off := compute.Act{Verb: compute.Off, Target: "gpu4", Reason: "a limit of the grid"}
	if err := e.Do(t.Context(), off); !errors.Is(err, compute.ErrRefused) {
		t.Errorf("power of a node that is not fenced: %v", err)
	}
	of := do(t, e, fence)
	until(t, "the fence", func() bool { n := nodeOf(e, "gpu4"); return n.State == compute.NodeFenced && n.Ours })
	oo := do(t, e, off)
	until(t, "no power", func() bool { return nodeOf(e, "gpu4").State == compute.NodeOff })
	if err := e.Do(t.Context(), off); err != nil {
		t.Error(err)
	}
	busy := compute.Act{Verb: compute.Fence, Target: "gpu1"}
	ob := do(t, e, busy)
	if err := e.Do(t.Context(), compute.Act{Verb: compute.Off, Target: "gpu1"}); !errors.Is(err, compute.ErrRefused) {
		t.Errorf("power of a node with the firm job on it: %v", err)
	}
	undo(t, e, busy, ob)
	wakes := submit(t, c, slurmtest.Job{GPUs: 1, Args: []string{"--nodelist=gpu4"}})
	time.Sleep(2500 * time.Millisecond)
	if s := nodeOf(e, "gpu4").State; s != compute.NodeOff {
		t.Errorf("with a job waiting for it the node is %s", s)
	}
	undo(t, e, off, oo)
	until(t, "power", func() bool { return nodeOf(e, "gpu4").State == compute.NodeFenced })
	undo(t, e, fence, of)
	until(t, "the node's job", func() bool {
		return jobOf(e, wakes).State == compute.JobRunning && nodeOf(e, "gpu4").State == compute.NodeUp
	})
	cancel(t, c, e, wakes)
	// Power is wanted back while the node is still on its way down: Slurm forgets such a wish.
	of = do(t, e, fence)
	oo = do(t, e, off)
	until(t, "the way down", func() bool { return nodeOf(e, "gpu4").State == compute.NodeStopping })
	undo(t, e, off, oo)
	undo(t, e, fence, of)
	until(t, "the node", func() bool {
		out, _ := c.Command("scontrol", "show", "node", "gpu4")
		return strings.Contains(out, "State=IDLE ") && nodeOf(e, "gpu4").State == compute.NodeUp
	})
}

func testFrozen(t *testing.T, c *slurmtest.Cluster, e *slurm.Engine) {
	id := submit(t, c, slurmtest.Job{GPUs: 1})
	until(t, "some work", func() bool { return progress(t, c, id).Step > 3 })
	if _, err := c.Command("scontrol", "suspend", id); err != nil {
		t.Fatal(err)
	}
	until(t, "the frozen job", func() bool { return jobOf(e, id).State == compute.JobFrozen })
	until(t, "a note of it", func() bool { return strings.Contains(strings.Join(e.View().Notes, "\n"), "suspended") })
	a := compute.Act{Verb: compute.Stop, Target: id, Signal: "USR1", Grace: 10 * time.Second}
	o := do(t, e, a)
	until(t, "its GPUs to be free", func() bool { return jobOf(e, id).Ours })
	undo(t, e, a, o)
	until(t, "work again", func() bool { return progress(t, c, id).Runs == 2 })
	cancel(t, c, e, id)
}
