package shed

import (
	"context"
	"errors"
	"time"

	"switchyard/compute"
)

// takeAll does acts: what stands before them is read and kept first, all in one write.
func (r *Runner) takeAll(ctx context.Context, todo []Effect) {
	if len(todo) == 0 {
		return
	}
	r.originals(ctx, todo)
	kept := todo[:0]
	for _, e := range todo {
		if e.Err == "" {
			e.Done = time.Time{}
			kept = append(kept, e)
		}
	}
	if todo = kept; !r.store(ctx, todo, nil, nil) {
		return // no word on disk, no act: the next round tries again
	}
	for i := range todo {
		r.event(EventDo, &todo[i], "%s: %s", todo[i].Act, todo[i].Why.Text)
	}
	r.apart(todo, func(some []Effect) { r.doAll(ctx, some) })
}

// apart runs f on the quick acts and returns when they are done, and beside it on each that takes
// minutes, such as a machine's orderly shutdown: nothing may wait for those.
func (r *Runner) apart(todo []Effect, f func([]Effect)) {
	var quick []Effect
	for _, e := range todo {
		if e.Act.Verb != compute.Off {
			quick = append(quick, e)
			continue
		}
		r.mu.Lock()
		r.busy[e.Act.Key()] = true
		r.mu.Unlock()
		r.slow.Go(func() {
			f([]Effect{e})
			r.mu.Lock()
			delete(r.busy, e.Act.Key())
			r.mu.Unlock()
			r.stir()
		})
	}
	f(quick)
}

// doAll does acts that are kept on disk.
func (r *Runner) doAll(ctx context.Context, todo []Effect) {
	var paused []string
	each(todo, func(e *Effect) {
		err := r.do(ctx, e)
		switch {
		case errors.Is(err, compute.ErrGone):
			e.Since = time.Time{} // it ended by itself: there is nothing to take, nor to give back
			r.event(EventDone, e, "%s: it is not there any more", e.Act)
		case err != nil:
			e.Err = err.Error()
			e.Tries++
			r.failed(e, err)
		default:
			e.Done, e.Err, e.Tries = r.clk.Now(), "", 0
			e.Deadline = r.deadline(e)
			r.worked(e)
			r.event(EventDone, e, "%s is acknowledged", e.Act)
		}
	})
	for _, e := range todo {
		if isPause(e.Act) && !e.Done.IsZero() && !e.Since.IsZero() {
			paused = append(paused, e.Act.Target)
		}
	}
	r.store(ctx, todo, paused, nil)
}

// originals reads what stood before each act that has no original yet.
func (r *Runner) originals(ctx context.Context, todo []Effect) {
	each(todo, func(e *Effect) {
		e.Err = ""
		if len(e.Original) > 0 || e.Act.Verb == compute.Hold || e.Act.Verb == compute.Off && r.tools.Power != nil {
			return // an agent keeps its own originals; power was on, or there was nothing to take
		}
		o, err := r.tools.Engine.Original(ctx, e.Act)
		if err != nil {
			e.Err = err.Error()
			r.failed(e, err)
			return
		}
		e.Original = o
	})
}

// mostTime and mostPower bound one act, machine time, whatever its tool's own deadlines are.
const (
	mostTime  = time.Minute
	mostPower = 6 * time.Minute // a machine's power: it shuts down in its own time
)

func bound(a compute.Act) time.Duration {
	if a.Verb == compute.Off {
		return mostPower
	}
	return mostTime
}

func (r *Runner) do(ctx context.Context, e *Effect) error {
	ctx, cancel := context.WithTimeout(ctx, bound(e.Act))
	defer cancel()
	a := e.Act
	a.Reason = e.Why.Text
	switch {
	case a.Verb == compute.Hold:
		if r.tools.Caps == nil {
			return compute.ErrUnsupported
		}
		err := r.tools.Caps.Cap(ctx, a.Target, a.Power, r.tools.Lease)
		if err == nil {
			r.mu.Lock()
			r.renewed[a.Key()] = r.clk.Now()
			r.mu.Unlock()
		}
		return err
	case a.Verb == compute.Off && r.tools.Power != nil:
		return r.tools.Power.PowerOff(ctx, a.Target)
	}
	return r.tools.Engine.Do(ctx, a)
}

// giveAll undoes effects that are no longer wanted.
func (r *Runner) giveAll(ctx context.Context, todo []Effect) {
	if len(todo) == 0 {
		return
	}
	for i := range todo {
		if todo[i].Undoing.IsZero() {
			todo[i].Undoing = r.clk.Now()
			r.event(EventUndo, &todo[i], "%s is taken back: %s", todo[i].Act, r.reason())
		}
	}
	if !r.store(ctx, todo, nil, nil) {
		return
	}
	r.apart(todo, func(some []Effect) { r.undoAll(ctx, some) })
}

// undoAll takes acts back that are marked so on disk.
func (r *Runner) undoAll(ctx context.Context, todo []Effect) {
	var resumed []string
	each(todo, func(e *Effect) {
		err := r.undo(ctx, e)
		if err != nil && !errors.Is(err, compute.ErrGone) {
			e.Err = err.Error()
			e.Tries++
			r.failed(e, err)
			return
		}
		e.Since = time.Time{}
		r.rested(e)
		if e.Act.Verb == compute.Off {
			r.mu.Lock()
			r.woken[e.Act.Target] = r.clk.Now()
			r.mu.Unlock()
		}
		r.event(EventUndone, e, "%s is as it was before", e.Act.Target)
	})
	for _, e := range todo {
		if isPause(e.Act) && e.Since.IsZero() {
			resumed = append(resumed, e.Act.Target)
		}
	}
	r.store(ctx, todo, nil, resumed)
}

func (r *Runner) reason() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.order.why.Text
}

func (r *Runner) undo(ctx context.Context, e *Effect) error {
	ctx, cancel := context.WithTimeout(ctx, bound(e.Act))
	defer cancel()
	switch {
	case e.Act.Verb == compute.Hold:
		if r.tools.Caps == nil {
			return compute.ErrUnsupported
		}
		return r.tools.Caps.Uncap(ctx, e.Act.Target)
	case e.Act.Verb == compute.Off && r.tools.Power != nil:
		return r.tools.Power.PowerOn(ctx, e.Act.Target)
	}
	return r.tools.Engine.Undo(ctx, e.Act, e.Original)
}

// failed notes that an act did not work: it is tried again a little later, and after some tries
// another way is chosen for a while.
func (r *Runner) failed(e *Effect, err error) {
	k := e.Act.Key()
	r.mu.Lock()
	f := r.fails[k]
	f.n++
	f.until = time.Now().Add(min(time.Duration(f.n)*time.Second, 10*time.Second))
	tell := f.n == 1 || f.n == mostTries
	if f.n >= mostTries || errors.Is(err, compute.ErrUnsupported) || errors.Is(err, compute.ErrRefused) {
		f.out = r.clk.Now().Add(avoid)
	}
	if len(r.fails) < 100_000 { // a bound: what is not noted is tried at once
		r.fails[k] = f
	}
	r.mu.Unlock()
	if tell {
		r.event(EventFailed, e, "%s did not work: %s", e.Act, err)
	}
}

func (r *Runner) worked(e *Effect) {
	r.mu.Lock()
	delete(r.fails, e.Act.Key())
	r.mu.Unlock()
}

// rested forgets an effect's failed tries, but not that another way was to be chosen.
func (r *Runner) rested(e *Effect) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := e.Act.Key()
	if f, ok := r.fails[k]; ok {
		f.n, f.until = 0, time.Time{}
		r.fails[k] = f
	}
}

// renew tells the agents again before the leases of their caps end.
func (r *Runner) renew(ctx context.Context) {
	r.mu.Lock()
	var due []Effect
	for k, e := range r.effects {
		if e.Act.Verb == compute.Hold && !e.Done.IsZero() && e.Undoing.IsZero() && r.clk.Now().Sub(r.renewed[k]) > r.tools.Lease/3 {
			due = append(due, e)
		}
	}
	r.mu.Unlock()
	each(due, func(e *Effect) {
		if err := r.do(ctx, e); err != nil {
			r.failed(e, err)
		}
	})
}

// resume repeats the pauses that the last run left while their jobs still have GPUs: an engine
// acknowledges a pause when the checkpoint is asked for, and what was to stop the job after it died
// with the last run.
func (r *Runner) resume(ctx context.Context) {
	v := r.tools.Engine.View()
	r.mu.Lock()
	var due []Effect
	if len(r.again) > 0 && v != nil && v.Reachable {
		atWork := map[string]bool{}
		for i := range v.Jobs {
			switch v.Jobs[i].State {
			case compute.JobRunning, compute.JobStopping, compute.JobFrozen:
				atWork[v.Jobs[i].ID] = true
			default: // it has no GPUs
			}
		}
		for k := range r.again {
			e, ok := r.effects[k]
			if ok && e.Undoing.IsZero() && (e.Act.Verb == compute.Drain || atWork[e.Act.Target]) {
				due = append(due, e)
			} else {
				delete(r.again, k)
			}
		}
	}
	r.mu.Unlock()
	each(due, func(e *Effect) {
		err := r.do(ctx, e)
		if err != nil && !errors.Is(err, compute.ErrGone) && !errors.Is(err, compute.ErrRefused) && !errors.Is(err, compute.ErrUnsupported) {
			r.log.Warn("a pause that was begun before the start is not taken up yet", "device", e.Act.Target, "reason", err.Error())
			return
		}
		r.mu.Lock()
		delete(r.again, e.Act.Key())
		r.mu.Unlock()
	})
}
