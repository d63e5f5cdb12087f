package slurm_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"switchyard/compute"
	"switchyard/compute/slurm"
	"switchyard/compute/slurm/slurmtest"
)

// What breaks, on a real Slurm with accounting: its parts run one after the other.
func TestFaults(t *testing.T) {
	t.Parallel()
	c := begin(t, slurmtest.Options{Nodes: 2, Accounting: true})
	cfg := c.Config()
	cfg.Timeout = 3 * time.Second
	e, stop := open(t, cfg)
	defer stop()
	t.Run("usage agrees with the work done, and slurmdbd dies", func(t *testing.T) { testUsage(t, c, e) })
	t.Run("a token expires", func(t *testing.T) { testToken(t, c) })
	t.Run("slurmrestd alone", func(t *testing.T) { testRESTOnly(t, c) })
	t.Run("slurmrestd dies", func(t *testing.T) { testRESTDies(t, c, e) })
	t.Run("slurmctld hangs, dies and comes back", func(t *testing.T) {
		// A cluster of its own: after slurmdbd died a new slurmctld answers some orders only after many
		// seconds, which is the accounting's fault and not what is asked here.
		c := begin(t, slurmtest.Options{Nodes: 2, Accounting: true})
		cfg := c.Config()
		cfg.Timeout = 10 * time.Second // a new slurmctld answers slowly at first
		e, stop := open(t, cfg)
		defer stop()
		testController(t, c, e)
	})
}

func gpuTime(us []compute.Usage, id string) (d time.Duration, runs int) {
	for _, u := range us {
		if u.Job == id {
			d += u.GPUTime
			runs++
		}
	}
	return d, runs
}

func testUsage(t *testing.T, c *slurmtest.Cluster, e *slurm.Engine) {
	from := time.Now().Add(-time.Minute)
	id := submit(t, c, slurmtest.Job{GPUs: 4, Account: "tenantb"})
	until(t, "some work", func() bool { return progress(t, c, id).Step > 40 && jobOf(e, id).State == compute.JobRunning })
	a := compute.Act{Verb: compute.Stop, Target: id, Signal: "USR1", Grace: 10 * time.Second}
	o := do(t, e, a)
	until(t, "the pause", func() bool { return jobOf(e, id).Ours })
	undo(t, e, a, o)
	until(t, "the second run's work", func() bool { p := progress(t, c, id); return p.Runs == 2 && p.Done > 70 })
	cancel(t, c, e, id)
	to := time.Now().Add(time.Minute)
	var us []compute.Usage
	until(t, "both runs in the accounting", func() bool {
		var err error
		if us, err = e.Usage(t.Context(), from, to); err != nil {
			t.Fatal(err)
		}
		_, runs := gpuTime(us, id)
		return runs == 2
	})
	said, _ := gpuTime(us, id)
	worked := 4 * progress(t, c, id).Worked
	// Slurm keeps whole seconds, and a run holds its GPUs a little before the first step and after the last.
	if d := said - worked; d < -4*2*time.Second || d > 4*2*4*time.Second {
		t.Errorf("Slurm says %s of GPU time, the steps took %s", said, worked)
	}
	t.Logf("GPU time by Slurm's accounting %s, by the job's steps %s, in two runs", said, worked)
	half, err := e.Usage(t.Context(), us[0].From.Add(time.Second), us[0].From.Add(2*time.Second))
	if d, _ := gpuTime(half, id); err != nil || d != 4*time.Second {
		t.Errorf("within one second: %s, %v", d, err)
	}
	if err := c.KillAccounting(); err != nil {
		t.Fatal(err)
	}
	own, err := e.Usage(t.Context(), from, to)
	if !errors.Is(err, slurm.ErrOwnRecord) || !errors.Is(err, compute.ErrUnreachable) || !strings.Contains(err.Error(), "slurmdbd") {
		t.Errorf("with slurmdbd down: %v", err)
	}
	seen, runs := gpuTime(own, id)
	if d := seen - said; runs != 2 || d < -4*4*time.Second || d > 4*4*time.Second {
		t.Errorf("by polling %s in %d runs, by Slurm %s", seen, runs, said)
	}
	until(t, "a note of it", func() bool { return strings.Contains(strings.Join(e.View().Notes, "\n"), "slurmdbd") })
	if err := c.StartAccounting(); err != nil {
		t.Fatal(err)
	}
	until(t, "the accounting again", func() bool {
		us, err := e.Usage(t.Context(), from, to)
		d, _ := gpuTime(us, id)
		return err == nil && d == said
	})
	until(t, "no note of it", func() bool { return !strings.Contains(strings.Join(e.View().Notes, "\n"), "slurmdbd") })
}

func testToken(t *testing.T, c *slurmtest.Cluster) {
	short, err := c.Token(time.Second)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2100 * time.Millisecond)
	cfg := c.Config()
	cfg.Token = short
	e, stop := open(t, cfg) // commands are allowed: it makes a new one
	until(t, "an answer of slurmrestd", func() bool { return strings.Contains(e.View().Engine, "slurmrestd") })
	if n := e.View().Notes; strings.Contains(strings.Join(n, "\n"), "slurmrestd fails") {
		t.Errorf("notes %q", n)
	}
	stop()
	cfg.Commands = false
	dead, err := slurm.Open(cfg, system, quiet)
	if err != nil {
		t.Fatal(err)
	}
	_, err = dead.Original(t.Context(), compute.Act{Verb: compute.Close, Target: "flex"})
	if !errors.Is(err, compute.ErrUnauthorized) || !strings.Contains(err.Error(), "expired at") {
		t.Errorf("without commands: %v", err)
	}
	cfg.Token = ""
	if _, err := slurm.Open(cfg, system, quiet); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("neither token nor commands: %v", err)
	}
}

func testRESTOnly(t *testing.T, c *slurmtest.Cluster) {
	cfg := c.Config()
	cfg.Commands, cfg.REST = false, c.Socket()
	var err error
	if cfg.Token, err = c.Token(10 * time.Minute); err != nil {
		t.Fatal(err)
	}
	e, stop := open(t, cfg)
	defer stop()
	id := submit(t, c, slurmtest.Job{GPUs: 2})
	until(t, "a running job", func() bool { return jobOf(e, id).State == compute.JobRunning })
	for _, a := range []compute.Act{
		{Verb: compute.Close, Target: "flex"},
		{Verb: compute.Stop, Target: id, Signal: "USR1"},
		{Verb: compute.Drain, Target: "flex"},
		{Verb: compute.Fence, Target: "gpu1"},
		{Verb: compute.Off, Target: "gpu1"},
	} {
		if _, err := e.Original(t.Context(), a); err != nil {
			t.Errorf("what stands before %s: %v", a, err)
		}
		err := e.Do(t.Context(), a)
		if !errors.Is(err, compute.ErrUnsupported) || !strings.Contains(err.Error(), "commands: true") {
			t.Errorf("%s: %v", a, err)
		}
	}
	if _, err := e.Usage(t.Context(), time.Now().Add(-time.Hour), time.Now()); !errors.Is(err, slurm.ErrOwnRecord) || !errors.Is(err, compute.ErrUnsupported) {
		t.Errorf("usage: %v", err)
	}
	for _, v := range []string{"v0.0.36", "v0.0.37"} {
		cfg.Version = v
		old, stop := open(t, cfg)
		if j := jobOf(old, id); j.State != compute.JobRunning || j.GPUs != 2 || len(old.View().Nodes) != 2 {
			t.Errorf("by %s: %+v", v, j)
		}
		if v == "v0.0.36" && !strings.Contains(strings.Join(old.View().Notes, "\n"), "partitions") {
			t.Errorf("by %s: notes %q", v, old.View().Notes)
		}
		stop()
	}
	cfg.Version = "v0.0.41"
	none, err := slurm.Open(cfg, system, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.Original(t.Context(), compute.Act{Verb: compute.Close, Target: "flex"}); !errors.Is(err, compute.ErrUnsupported) || !strings.Contains(err.Error(), "v0.0.38") {
		t.Errorf("a version that is not there: %v", err)
	}
	cancel(t, c, e, id)
}

func testRESTDies(t *testing.T, c *slurmtest.Cluster, e *slurm.Engine) {
	if err := c.KillREST(); err != nil {
		t.Fatal(err)
	}
	until(t, "the view by commands", func() bool {
		v := e.View()
		return v.Reachable && strings.Contains(strings.Join(v.Notes, "\n"), "read by commands")
	})
	if err := c.StartREST(); err != nil {
		t.Fatal(err)
	}
	until(t, "the view by slurmrestd", func() bool { return strings.Contains(e.View().Engine, "slurmrestd") })
}

func testController(t *testing.T, c *slurmtest.Cluster, e *slurm.Engine) {
	runs := submit(t, c, slurmtest.Job{GPUs: 2, Account: "firm1", Partition: "firm"})
	paused := submit(t, c, slurmtest.Job{GPUs: 2})
	until(t, "some work", func() bool { return progress(t, c, runs).Step > 5 && progress(t, c, paused).Step > 5 })
	a := compute.Act{Verb: compute.Stop, Target: paused, Signal: "USR1", Grace: 10 * time.Second}
	o := do(t, e, a)
	until(t, "the pause", func() bool { return jobOf(e, paused).Ours })
	thaw, err := c.FreezeController()
	if err != nil {
		t.Fatal(err)
	}
	until(t, "that it hangs", func() bool { return !e.View().Reachable })
	if v := e.View(); v.Err == "" || len(v.Jobs) < 2 {
		t.Errorf("while it hangs: %q, %d jobs", v.Err, len(v.Jobs))
	}
	asked := time.Now()
	if err := e.Do(t.Context(), compute.Act{Verb: compute.Close, Target: "flex"}); !errors.Is(err, compute.ErrUnreachable) {
		t.Errorf("an act while it hangs: %v", err)
	}
	if d := time.Since(asked); d > 20*time.Second {
		t.Errorf("an act while it hangs took %s", d)
	}
	if err := thaw(); err != nil {
		t.Fatal(err)
	}
	until(t, "an answer", func() bool { return e.View().Reachable })
	if err := c.KillController(); err != nil {
		t.Fatal(err)
	}
	until(t, "that it is dead", func() bool { return !e.View().Reachable })
	before := progress(t, c, runs)
	until(t, "work without it", func() bool { return progress(t, c, runs).Step > before.Step+5 })
	if err := c.StartController(); err != nil {
		t.Fatal(err)
	}
	until(t, "an answer and the paused job", func() bool { return e.View().Reachable && jobOf(e, paused).Ours })
	// It answers slowly at first: whoever undoes repeats that until it is done.
	until(t, "the undo to be taken", func() bool { return e.Undo(t.Context(), a, o) == nil })
	until(t, "work again", func() bool { return progress(t, c, paused).Runs == 2 })
	if p := progress(t, c, runs); p.Runs != 1 || p.Lost != 0 {
		t.Errorf("what ran was disturbed: %+v", p)
	}
	if p := progress(t, c, paused); p.Lost > p.After || p.Saved == 0 {
		t.Errorf("the paused job: %+v", p)
	}
	cancel(t, c, e, runs, paused)
}
