package slurm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/compute/slurm/gres"
)

// Engine is one Slurm cluster. It is a compute.Engine and a compute.Accountant.
type Engine struct {
	cfg   Config
	clk   clock.Clock
	log   *slog.Logger
	times times
	cmd   *commands // nil: not allowed
	rest  *rest     // nil: not configured
	view  atomic.Pointer[compute.View]
	seen  *seen

	mu         sync.Mutex
	locks      map[string]*lock
	stops      map[string]*stop // by job: checkpoints that are waited for
	wakes      map[string]bool  // nodes that are to have power once they have lost it
	closed     map[string]bool  // by the act's key: partitions that we closed
	counts     map[string]int   // GPUs that each node had when it was first seen
	accounting string           // why Slurm's accounting does not answer; empty: it does, or was not asked
	rung       atomic.Pointer[chan struct{}]
}

var (
	_ compute.Engine     = (*Engine)(nil)
	_ compute.Accountant = (*Engine)(nil)
)

// fastest is how often the cluster is asked at the most, machine time, however fast site time runs.
const fastest = 200 * time.Millisecond

// Run polls the cluster until ctx ends, carries on the stops that were begun, and keeps the view
// current. An error of the cluster shows in the view and is asked about again, ever less often up
// to eight polls. It blocks, and returns ctx's error.
func (e *Engine) Run(ctx context.Context) error {
	bell := make(chan struct{}, 1)
	e.rung.Store(&bell)
	var wg sync.WaitGroup
	defer wg.Wait()
	if e.cmd != nil {
		wg.Go(func() { e.watchAccounting(ctx) })
	}
	lost := 0
	for {
		p, err := e.poll(ctx)
		if err != nil {
			lost++
		} else {
			lost = 0
			e.advance(ctx, p)
		}
		d := e.cfg.Poll << min(max(lost-1, 0), 3)
		if e.busy() && lost == 0 {
			d = min(d, time.Second)
		}
		d = max(d, time.Duration(float64(fastest)*e.clk.Speed()))
		t := e.clk.NewTimer(d)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C():
		case <-bell:
			t.Stop()
		}
	}
}

// ring wakes Run, where it runs.
func (e *Engine) ring() {
	if b := e.rung.Load(); b != nil {
		select {
		case *b <- struct{}{}:
		default:
		}
	}
}

func (e *Engine) busy() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.stops)+len(e.wakes) > 0
}

// View returns the newest picture; until the first answer it is an unreachable one. It never blocks.
func (e *Engine) View() *compute.View { return e.view.Load() }

// poll asks once and publishes what came, or that nothing did.
func (e *Engine) poll(ctx context.Context) (*picture, error) {
	p, notes, err := e.read(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		old := e.view.Load()
		if old.Reachable || old.Err == "not asked yet" {
			e.log.Warn("the Slurm cluster does not answer; it runs on", "reason", err)
		}
		v := *old
		v.Reachable, v.Err = false, err.Error()
		e.view.Store(&v)
		return nil, err
	}
	if !e.view.Load().Reachable {
		e.log.Info("the Slurm cluster answers", "reason", "slurm "+p.Version)
	}
	now := e.clk.Now()
	e.seen.note(p, time.Now())
	e.view.Store(e.picture(p, notes, now))
	return p, nil
}

// read reads the cluster by slurmrestd, and by commands where there is none or it fails.
func (e *Engine) read(ctx context.Context) (*picture, []string, error) {
	if e.rest == nil {
		p, err := e.cmd.picture(ctx)
		return p, nil, err
	}
	p, err := e.rest.picture(ctx)
	if err == nil && e.cmd != nil && slices.ContainsFunc(p.Partitions, func(q partition) bool { return q.State == "" }) {
		err = e.cmd.rules(ctx, p) // v0.0.36 does not tell all of it
	}
	if err == nil || e.cmd == nil || ctx.Err() != nil {
		return p, nil, err
	}
	p, err2 := e.cmd.picture(ctx)
	if err2 != nil {
		return nil, nil, errors.Join(err, err2)
	}
	return p, []string{"read by commands, because slurmrestd fails: " + err.Error()}, nil
}

// readJob reads one job as it is now.
func (e *Engine) readJob(ctx context.Context, id string) (job, error) {
	if e.cmd != nil { // it writes the marker too: what it reads is what it wrote
		return e.cmd.job(ctx, id)
	}
	return e.rest.job(ctx, id)
}

// picture makes the view of a poll.
func (e *Engine) picture(p *picture, notes []string, now time.Time) *compute.View {
	v := &compute.View{At: now, Reachable: true, Engine: "slurm " + p.Version}
	if e.rest != nil {
		if ver, _, err := e.rest.speak(context.Background()); err == nil && len(notes) == 0 { // known by now: no request
			v.Engine += ", slurmrestd " + ver
		}
	}
	fenced := make(map[string]bool)
	for _, r := range p.Reservations {
		if n, ok := r.fencedNode(); ok {
			fenced[n] = true
		}
	}
	for _, n := range p.Nodes {
		v.Nodes = append(v.Nodes, compute.Node{
			Name: n.Name, State: n.state(fenced[n.Name]), GPUs: n.GPUs, Used: n.Used, Ours: fenced[n.Name],
		})
	}
	for _, j := range p.Jobs {
		if w := e.job(j); w.Ended.IsZero() || now.Sub(w.Ended) < time.Hour {
			v.Jobs = append(v.Jobs, w)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, q := range p.Partitions {
		// DRAIN takes no new jobs but starts those it has. Where it is not told a note says so.
		open := q.State == "UP" || q.State == "DRAIN" || q.State == ""
		v.Queues = append(v.Queues, compute.Queue{
			Name: q.Name, Open: open,
			Ours: !open && (e.closed[compute.Act{Verb: compute.Close, Target: q.Name}.Key()] ||
				e.closed[compute.Act{Verb: compute.Drain, Target: q.Name}.Key()]),
		})
	}
	v.Notes = append(notes, e.notes(p)...)
	return v
}

// notes tells what a person should know. The caller holds mu.
func (e *Engine) notes(p *picture) []string {
	var out []string
	if e.accounting != "" {
		out = append(out, "Slurm's accounting does not answer: "+e.accounting)
	}
	if slices.ContainsFunc(p.Partitions, func(q partition) bool { return q.State == "" }) {
		out = append(out, "this version of slurmrestd does not tell whether partitions start jobs: they are taken to; v0.0.37 tells")
	}
	for _, n := range p.Nodes {
		had, known := e.counts[n.Name]
		if !known {
			e.counts[n.Name] = n.GPUs
		} else if had != n.GPUs {
			out = append(out, fmt.Sprintf("node %s had %d GPUs and says that it has %d", n.Name, had, n.GPUs))
		}
	}
	frozen := 0
	for _, j := range p.Jobs {
		if j.is("SUSPENDED") {
			frozen++
		}
	}
	if frozen > 0 {
		out = append(out, fmt.Sprintf("%d jobs are suspended by somebody: they hold their GPUs, and Slurm's elapsed time leaves that out", frozen))
	}
	for _, id := range slices.Sorted(maps.Keys(e.stops)) {
		if s := e.stops[id]; s.err != "" {
			out = append(out, fmt.Sprintf("job %s was to stop: %s", id, s.err))
		}
	}
	return out
}

// job makes one job of the view.
func (e *Engine) job(j job) compute.Job {
	m := readMarker(j.AdminComment)
	w := compute.Job{
		ID: j.ID, Name: j.Name, Account: j.Account, Queue: j.Partition, State: j.state(m), GPUs: j.GPUs,
		Submitted: e.times.toSite(j.Submitted), Started: e.times.toSite(j.Started), Ended: e.times.toSite(j.Ended),
		Restarts: j.Restarts, Deadline: e.times.toSite(j.Deadline), Ours: j.ours(m),
	}
	if !w.Ours && w.State == compute.JobPaused {
		w.State = compute.JobPending // its owner holds it
	}
	_, w.Claims = told(j.Comment)
	if s := savedOf(j); s.OK {
		s.V = e.times.toSite(s.V)
		w.Saved = s
	}
	for i, n := range j.Nodes {
		pl := compute.Place{Node: n}
		if i < len(j.Gres) {
			pl.GPUs, pl.Indices = gres.GPUs(j.Gres[i])
		} else if len(j.Nodes) > 0 && len(j.Gres) == 0 {
			pl.GPUs = j.GPUs / len(j.Nodes)
		}
		w.Places = append(w.Places, pl)
	}
	return w
}

// ours says that the job is held because we paused it, and not by its owner since.
func (j job) ours(m marker) bool {
	return j.Held && m.paused() && !strings.EqualFold(j.Reason, "JobHeldUser") && !j.over()
}

// lock is held while a job, node or partition is acted on.
type lock struct {
	mu    sync.Mutex
	users int
}

// alone waits until nobody else acts on what key names, and returns what ends that.
func (e *Engine) alone(key string) func() {
	e.mu.Lock()
	l := e.locks[key]
	if l == nil {
		l = &lock{}
		e.locks[key] = l
	}
	l.users++
	e.mu.Unlock()
	l.mu.Lock()
	return func() {
		l.mu.Unlock()
		e.mu.Lock()
		defer e.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(e.locks, key)
		}
	}
}
