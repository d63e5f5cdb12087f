package kube

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"switchyard/clock"
	"switchyard/compute"
)

// waits are the pauses that wait until the jobs have saved their work. There is at most one an
// object, so they are bounded by the cluster.
type waits struct {
	mu  sync.Mutex
	all map[string]*wait // by the act's key
}

// retryEnd is the pause after the end of a wait went wrong, machine time.
const retryEnd = 2 * time.Second

// wait is one act that is half done: its jobs are asked and not stopped yet.
type wait struct {
	act   compute.Act
	ref   ref
	knob  knob
	asked time.Time // machine time
	stamp string    // the same as it is written
	until time.Time // site time
	// busy: its end is on the way; next is when it may be tried again, machine time.
	busy bool
	next time.Time
}

func (w *waits) init() { w.all = map[string]*wait{} }

func (w *waits) put(x *wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all[x.act.Key()] = x
}

func (w *waits) remove(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.all, key)
}

func (w *waits) has(x *wait) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all[x.act.Key()] == x
}

// asking returns the jobs that an act asks to save their work before it stops them: those that
// run and are asked by an annotation. A queue is not asked for jobs that only know TERM.
func (e *Engine) asking(ctx context.Context, a compute.Act) ([]*work, error) {
	if err := e.synced(ctx); err != nil {
		return nil, err
	}
	var out []*work
	for w := range e.picture.Load().concerns(a) {
		signal := w.wish.signal
		if signal == "" {
			signal = a.Signal
		}
		if signal == SignalAnnotation && slices.ContainsFunc(w.pods, podSeen.active) {
			out = append(out, w)
		}
	}
	return out, nil
}

// synced waits until the tables are filled, for a request's time at the longest.
func (e *Engine) synced(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.config.Timeout)
	defer cancel()
	for !e.everSynced() || !e.View().Reachable && e.View().At.IsZero() {
		select {
		case <-ctx.Done():
			_, why, _ := e.health()
			return fmt.Errorf("%w: what runs is not known yet: %s", compute.ErrUnreachable, why)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// ask asks jobs to save their work and leaves it to Run to stop them. Where they were asked
// before, that time counts.
func (e *Engine) ask(ctx context.Context, a compute.Act, r ref, k knob, jobs []*work) error {
	stamp := time.Now().UTC().Format(time.RFC3339Nano)
	final := false
	err := e.turn(ctx, r, k, func(o object) change {
		if _, ok := parseTime(o.marks.asked); ok && slices.Contains(o.marks.ours(k), a.Verb) {
			stamp = o.marks.asked
		} else if o.marks.holds(k, a.Verb, o.value(k)) {
			final = true // asked, saved and stopped before; its pods are on their way out
			return change{}
		}
		c := do(o.marks, k, a.Verb, o.value(k), stamp)
		final = c.marks.asked == "" // somebody else stopped it already
		return c
	})
	if err != nil || final {
		return err
	}
	asked, _ := parseTime(stamp)
	e.waits.put(&wait{act: a, ref: r, knob: k, asked: asked, stamp: stamp, until: e.times.Site(asked).Add(a.Grace)})
	e.poke()
	for _, w := range jobs {
		if err := e.askPods(ctx, w, stamp); err != nil {
			// The grace runs all the same, and a repeat asks the rest.
			return fmt.Errorf("ask %s for a checkpoint: %w", w.id, err)
		}
	}
	return nil
}

// askPods writes the request where the job's processes can read it: on its pods, whose
// annotations a downward API volume shows, and on its Job.
func (e *Engine) askPods(ctx context.Context, w *work, stamp string) error {
	note := func(v any) map[string]any {
		return map[string]any{"metadata": map[string]any{"annotations": map[string]any{NoteRequested: v}}}
	}
	var refs []ref
	for _, p := range w.pods {
		if p.active() && !p.leaving && p.asked != stamp {
			refs = append(refs, p.ref)
		}
	}
	if w.wl != nil && w.job != nil && w.job.marks.asked != stamp {
		refs = append(refs, w.job.ref)
	}
	var v any = stamp
	if stamp == "" {
		v = nil
	}
	for _, r := range refs {
		if err := e.patch(ctx, r, note(v)); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// unask takes a request back that was not acted on yet.
func (e *Engine) unask(ctx context.Context, a compute.Act, stamp string) error {
	for w := range e.picture.Load().concerns(a) {
		if w.wish.signal != SignalAnnotation && a.Signal != SignalAnnotation {
			continue
		}
		if err := e.askPods(ctx, w, ""); err != nil {
			return fmt.Errorf("take the request of %s back: %w", stamp, err)
		}
	}
	return nil
}

// forget takes a request that was acted on off the Jobs, so that the next run of their programs
// does not take it for a new one. Their pods go, and the request with them.
func (e *Engine) forget(ctx context.Context, w *wait) error {
	for x := range e.picture.Load().concerns(w.act) {
		if x.wl == nil || x.job == nil || x.job.marks.asked != w.stamp {
			continue
		}
		body := map[string]any{"metadata": map[string]any{"annotations": map[string]any{NoteRequested: nil}}}
		if err := e.patch(ctx, x.job.ref, body); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// nextWait returns a channel that delivers when the next grace is over.
func (e *Engine) nextWait() (<-chan time.Time, func()) {
	e.waits.mu.Lock()
	defer e.waits.mu.Unlock()
	var t clock.Timer
	now, wall := e.clock.Now(), time.Now()
	var least time.Duration = -1
	for _, w := range e.waits.all {
		d := max(0, w.until.Sub(now))
		if w.busy {
			continue
		}
		if back := w.next.Sub(wall); back > 0 {
			d = max(d, time.Duration(float64(back)*max(e.clock.Speed(), 0.001)))
		}
		if least < 0 || d < least {
			least = d
		}
	}
	if least < 0 {
		return nil, func() {}
	}
	t = e.clock.NewTimer(least)
	return t.C(), t.Stop
}

// endWaits stops what has saved its work and what had its time.
func (e *Engine) endWaits(ctx context.Context, wg *sync.WaitGroup) {
	p := e.picture.Load()
	e.waits.mu.Lock()
	defer e.waits.mu.Unlock()
	for _, w := range e.waits.all {
		if w.busy || time.Now().Before(w.next) {
			continue
		}
		saved, all := savedSince(p, w)
		if !all && e.clock.Now().Before(w.until) {
			continue
		}
		w.busy = true
		wg.Go(func() { e.endWait(ctx, w, saved, all) })
	}
}

// savedSince says when the last of a wait's jobs saved its work, and whether all did.
func savedSince(p *picture, w *wait) (last time.Time, all bool) {
	all = true
	for x := range p.concerns(w.act) {
		if !slices.ContainsFunc(x.pods, podSeen.active) {
			continue
		}
		if x.wish.signal != SignalAnnotation && (x.wish.signal != "" || w.act.Signal != SignalAnnotation) {
			continue
		}
		// A job may write the very time that it was asked at, where its clock is behind.
		if x.wish.saved.Before(w.asked) {
			all = false
		} else if x.wish.saved.After(last) {
			last = x.wish.saved
		}
	}
	return last, all
}

// endWait stops what was asked.
func (e *Engine) endWait(ctx context.Context, w *wait, saved time.Time, all bool) {
	err := e.turn(ctx, w.ref, w.knob, func(o object) change {
		if !e.waits.has(w) || o.marks.asked != w.stamp {
			return change{} // taken back meanwhile
		}
		c := do(o.marks, w.knob, w.act.Verb, o.value(w.knob), "")
		if w.act.Verb == compute.Stop {
			c.saved = saved
		}
		return c
	})
	if err == nil {
		err = e.forget(ctx, w)
	}
	e.waits.mu.Lock()
	defer e.waits.mu.Unlock()
	w.busy = false
	switch {
	case err == nil || apierrors.IsNotFound(err):
		if e.waits.all[w.act.Key()] == w {
			delete(e.waits.all, w.act.Key())
		}
		if !all {
			e.tell(fmt.Sprintf("%s: the grace of %s was over before its work was saved", w.act, w.act.Grace))
		}
	case ctx.Err() == nil:
		w.next = time.Now().Add(retryEnd)
		e.log.Warn("a job that was asked to save its work is not stopped yet; it is tried again", "device", e.config.ID, "reason", told(w.act.String(), err).Error())
	}
	e.poke()
}
