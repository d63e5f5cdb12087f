package shed

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/site"
	"switchyard/store"
	"switchyard/unit"
)

// big is 2,000 machines with 16,000 GPUs and 20,000 jobs: 16,000 at work on a GPU each, 4,000
// waiting.
func big() (*Cluster, *fake) {
	c, f := site4()
	c.Machines, f.jobs = nil, map[string]*compute.Job{}
	began := time.Now().Add(-3 * time.Hour)
	for i := range 2000 {
		name := fmt.Sprintf("n%04d", i)
		c.Machines = append(c.Machines, compute.Machine{Name: name, Model: "H100", GPUs: 8, Idle: unit.Kilowatt, Full: 2 * unit.Kilowatt})
		for k := range 8 {
			id := fmt.Sprintf("job-%04d-%d", i, k)
			q := "flex"
			if i%4 == 0 {
				q = "firm"
			}
			f.jobs[id] = &compute.Job{ID: id, Name: name, Queue: q, State: compute.JobRunning, GPUs: 1, Places: []compute.Place{{Node: name, GPUs: 1}}, Started: began}
		}
	}
	for i := range 4000 {
		id := fmt.Sprintf("wait-%04d", i)
		f.jobs[id] = &compute.Job{ID: id, Queue: "flex", State: compute.JobPending, GPUs: 1}
	}
	return c, f
}

// BenchmarkLook is one control period's survey and decision for 2,000 machines and 20,000 jobs.
func BenchmarkLook(b *testing.B) {
	c, f := big()
	v := f.View()
	b.ReportAllocs()
	for b.Loop() {
		s := Look(c, Input{At: time.Now(), View: v, Draw: site.Some(12 * unit.Megawatt), Busy: 1})
		s.Offers("a", "b", 0)
		s.Decide(s.Flexible/3, true)
	}
}

// BenchmarkLimitToLastWrite is from a limit to the last act done and kept on disk, with an engine
// and agents that answer at once: 1,500 machines capped and thousands of jobs paused. The rest
// of the time is the engine's; the bench package measures that too.
func BenchmarkLimitToLastWrite(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		c, f := big()
		db, err := store.Open(b.Context(), b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		r, err := Open(b.Context(), c, Tools{Engine: f, Caps: f, Lease: time.Hour}, db, clock.System(), slog.New(slog.NewTextHandler(io.Discard, nil)), func(Event) {})
		if err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(b.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		b.StartTimer()
		s := Look(c, Input{At: time.Now(), View: f.View(), Draw: site.Some(12 * unit.Megawatt), Busy: 1})
		d := s.Decide(s.Flexible/3, true)
		r.Want(time.Now(), 1, site.Reason{Code: site.ReasonLimit, Text: "the limit"}, d.Wants)
		for !r.Idle() {
			time.Sleep(time.Millisecond)
		}
		b.StopTimer()
		b.ReportMetric(float64(len(d.Wants)), "acts")
		stop()
		<-done
		_ = db.Close()
		b.StartTimer()
	}
}
