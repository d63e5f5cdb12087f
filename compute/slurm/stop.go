package slurm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"switchyard/compute"
)

// stop is a job that was asked for a checkpoint and is stopped once that is made, or the grace is
// over.
type stop struct {
	by    string
	until time.Time // machine time
	asked marker    // as it was asked: a picture may be older than the question
	tries int
	err   string // why it did not work, last time
}

const (
	mostStops = 4096 // waited for at once; a further one is refused
	mostTries = 20   // of stopping one job, or of waking one node; then a person is told
	abreast   = 8    // commands at once
)

// stop asks a job for its checkpoint and sees to it that it is stopped. A repeat after a crash finds
// in the job's marker what was begun, and takes it up with the grace that it has left.
func (e *Engine) stop(ctx context.Context, id, by string, a compute.Act) error {
	defer e.alone("job/" + id)()
	j, err := e.readJob(ctx, id)
	if err != nil {
		return err
	}
	m := readMarker(j.AdminComment)
	switch {
	case j.over():
		return fmt.Errorf("it has ended: %w", compute.ErrGone)
	case j.Held && !j.is("RUNNING", "SUSPENDED"):
		if !m.paused() || slices.Contains(m.By, by) {
			return nil // its owner holds it, or we do already: it has no GPUs
		}
		return e.mark(ctx, j, m.with(by))
	case j.is("PENDING"):
		if err := e.mark(ctx, j, marker{Paused: time.Now()}.with(by)); err != nil {
			return err
		}
		_, err := e.cmd.run(ctx, "scontrol", "hold", id)
		return err
	case j.is("COMPLETING"):
		return fmt.Errorf("it is ending just now: %w", compute.ErrRefused)
	case !j.Batch:
		return fmt.Errorf("it is interactive: it could not come back: %w", compute.ErrRefused)
	case !j.Requeue:
		return fmt.Errorf("it was submitted with --no-requeue: it could not come back: %w", compute.ErrRefused)
	}
	if err := e.room(id); err != nil {
		return err
	}
	if m.inForce(j) {
		if !slices.Contains(m.By, by) {
			m = m.with(by)
			err = e.mark(ctx, j, m)
		}
	} else {
		m, err = e.ask(ctx, j, by, a)
	}
	if err != nil {
		return err
	}
	until := m.Until
	if m.paused() {
		until = time.Now() // it was to be stopped when we died
	}
	e.mu.Lock()
	e.stops[id] = &stop{by: by, until: until, asked: m}
	e.mu.Unlock()
	return nil
}

// ask signals for a checkpoint and then writes that down: dying between the two asks twice, which
// costs a checkpoint; the other way round it would never be asked for.
func (e *Engine) ask(ctx context.Context, j job, by string, a compute.Act) (marker, error) {
	m := marker{Asked: time.Now(), Had: savedOf(j).Or(time.Time{})}.with(by)
	m.Until = m.Asked.Add(time.Duration(float64(max(a.Grace, 0)) / e.times.speed))
	if a.Signal != "" && !j.is("SUSPENDED") {
		if err := e.signal(ctx, j.ID, a.Signal); err != nil {
			return m, err
		}
	}
	if j.is("SUSPENDED") {
		m.Until = m.Asked // it stands still and can save nothing
	}
	return m, e.mark(ctx, j, m)
}

func (e *Engine) room(id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.stops) >= mostStops && e.stops[id] == nil {
		return fmt.Errorf("%d jobs are being stopped already: %w", mostStops, compute.ErrRefused)
	}
	return nil
}

// mark writes our marker into the job's AdminComment.
func (e *Engine) mark(ctx context.Context, j job, m marker) error {
	_, err := e.cmd.run(ctx, "scontrol", "update", "jobid="+j.ID, "admincomment="+m.write(j.AdminComment))
	return err
}

// signal sends a job the signal that asks for a checkpoint.
func (e *Engine) signal(ctx context.Context, id, s string) error {
	whom, name := aim(s)
	if e.rest != nil {
		err := e.rest.signal(ctx, id, whom, name)
		if err == nil || errors.Is(err, compute.ErrGone) || e.cmd == nil {
			return err
		}
	}
	args := []string{"--signal=" + name}
	switch whom {
	case 'B':
		args = append(args, "--batch")
	case 0:
		args = append(args, "--full")
	}
	_, err := e.cmd.run(ctx, "scancel", append(args, id)...)
	return err
}

// advance carries on what was begun, by a fresh picture: it stops the jobs that have saved their
// work or had their time, and repeats the wish for power where a node has lost it by now.
func (e *Engine) advance(ctx context.Context, p *picture) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, abreast)
	for _, f := range append(e.due(p), e.wakeable(p)...) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(ctx)
		})
	}
	wg.Wait()
}

// due lists what is to be done now for the stops, and forgets those that need nothing more.
func (e *Engine) due(p *picture) []func(context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.stops) == 0 {
		return nil
	}
	byID := make(map[string]*job, len(p.Jobs))
	for i := range p.Jobs {
		byID[p.Jobs[i].ID] = &p.Jobs[i]
	}
	now := time.Now()
	var out []func(context.Context)
	for id, s := range e.stops {
		j := byID[id]
		switch {
		case j == nil || j.over() || j.Held && !j.is("RUNNING", "SUSPENDED"):
			delete(e.stops, id)
		case s.tries >= mostTries:
		case !now.Before(s.until) || s.asked.savedSince(savedOf(*j)):
			out = append(out, func(ctx context.Context) { e.finish(ctx, id) })
		}
	}
	return out
}

// finish stops one job: it goes back to its queue and is held there.
func (e *Engine) finish(ctx context.Context, id string) {
	defer e.alone("job/" + id)()
	e.mu.Lock()
	s := e.stops[id]
	e.mu.Unlock()
	if s == nil {
		return // undone meanwhile
	}
	err := e.hold(ctx, id, s.by)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil || errors.Is(err, compute.ErrGone) {
		delete(e.stops, id)
		return
	}
	s.tries++
	if s.err = err.Error(); s.tries == mostTries {
		e.log.Error("a job could not be stopped; it runs on and draws power", "job", id, "reason", err)
	}
}

func (e *Engine) hold(ctx context.Context, id, by string) error {
	j, err := e.readJob(ctx, id)
	if err != nil {
		return err
	}
	verb := "requeuehold"
	switch {
	case j.over():
		return nil
	case j.Held && !j.is("RUNNING", "SUSPENDED"):
		return nil
	case j.is("COMPLETING"):
		return fmt.Errorf("it is ending just now: %w", compute.ErrRefused)
	case j.is("PENDING"):
		verb = "hold" // somebody requeued it meanwhile
	}
	m := readMarker(j.AdminComment).with(by)
	m.Paused = time.Now()
	if err := e.mark(ctx, j, m); err != nil {
		return err
	}
	_, err = e.cmd.run(ctx, "scontrol", verb, id)
	return err
}

// unstop lets a job go that we stopped, or are about to stop. One that its owner holds stays held.
func (e *Engine) unstop(ctx context.Context, id, by string) error {
	defer e.alone("job/" + id)()
	j, err := e.readJob(ctx, id)
	if err != nil {
		return err
	}
	m := readMarker(j.AdminComment)
	left := m.without(by)
	if len(left.By) == 0 {
		e.mu.Lock()
		delete(e.stops, id)
		e.mu.Unlock()
	}
	if j.over() || !slices.Contains(m.By, by) {
		return nil
	}
	// Released first, then unmarked: dying between the two leaves a mark on a job that runs, which
	// says nothing; the other way round it would leave a held job that is nobody's.
	if len(left.By) == 0 && j.ours(m) {
		if _, err := e.cmd.run(ctx, "scontrol", "release", id); err != nil {
			return err
		}
	}
	return e.mark(ctx, j, left)
}

// drain stops every job of a partition that has GPUs.
func (e *Engine) drain(ctx context.Context, a compute.Act) error {
	return e.each(ctx, a, func(j job, _ marker) bool {
		return j.is("RUNNING", "SUSPENDED", "CONFIGURING") && !j.is("COMPLETING")
	}, func(id string) error { return e.stop(ctx, id, byDrain, a) })
}

// undrain lets the jobs of a partition go that drain stopped.
func (e *Engine) undrain(ctx context.Context, a compute.Act) error {
	if err := e.needCommands(ctx, a, sinceRequeue); err != nil {
		return err
	}
	return e.each(ctx, a, func(j job, m marker) bool {
		return slices.Contains(m.By, byDrain) && !j.over()
	}, func(id string) error { return e.unstop(ctx, id, byDrain) })
}

// each does something for the jobs of a partition, a few at a time, and tells every failure.
func (e *Engine) each(ctx context.Context, a compute.Act, which func(job, marker) bool, do func(id string) error) error {
	p, _, err := e.read(ctx)
	if err != nil {
		return err
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		errs  []error
		slots = make(chan struct{}, abreast)
	)
	for _, j := range p.Jobs {
		if j.Partition != a.Target || !which(j, readMarker(j.AdminComment)) {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := do(j.ID); err != nil && !errors.Is(err, compute.ErrGone) {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("job %s: %w", j.ID, err))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// wakeable lists the nodes that lost their power after they were to have it back.
func (e *Engine) wakeable(p *picture) []func(context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []func(context.Context)
	for _, n := range p.Nodes {
		if !e.wakes[n.Name] {
			continue
		}
		switch {
		case n.powered():
			delete(e.wakes, n.Name)
		case n.has("POWERED_DOWN") && !n.has("POWERING_DOWN", "POWER_DOWN"):
			out = append(out, func(ctx context.Context) { e.wake(ctx, n.Name) })
		}
	}
	return out
}

func (e *Engine) wake(ctx context.Context, name string) {
	if err := e.on(ctx, compute.Act{Verb: compute.Off, Target: name}); err != nil {
		e.log.Warn("a node is to have its power back and does not get it", "node", name, "reason", err)
	}
}
