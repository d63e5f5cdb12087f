package shed

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/site"
	"switchyard/store"
	"switchyard/unit"
)

// Tools are what a Runner acts with. Caps and Power may be nil.
type Tools struct {
	Engine compute.Engine
	Caps   compute.Capper
	Power  compute.PowerSwitch
	// Lease is how long a cap holds unless it is renewed.
	Lease time.Duration
}

// EventKind is what happened to an act.
type EventKind string

// The kinds of events.
const (
	EventDo     EventKind = "do"     // decided and written down; it is on its way
	EventDone   EventKind = "done"   // acknowledged
	EventFailed EventKind = "failed" // it did not work; another way is chosen
	EventUndo   EventKind = "undo"   // no longer wanted; on its way back
	EventUndone EventKind = "undone" // as it was before
)

// Event is something that happened to an act.
type Event struct {
	At   time.Time // site time
	Kind EventKind
	Act  compute.Act
	Why  site.Reason
	Plan site.PlanID
	Text string // one sentence
}

// Runner carries acts out, one cluster's.
type Runner struct {
	c     *Cluster
	tools Tools
	keep  *keeper
	clk   clock.Clock
	log   *slog.Logger
	note  func(Event)

	mu      sync.Mutex
	effects map[string]Effect
	spans   map[string][]span
	order   order // the newest
	fails   map[string]failure
	wake    chan struct{}
	renewed map[string]time.Time // site time, by key
	err     error                // of the store
	busy    map[string]bool      // acts under way beside the rounds
	woken   map[string]time.Time // machines that were given their power back, site time
	retell  []Effect             // of the last run, whose record may have died with it
	again   map[string]bool      // pauses that the last run left, and that may be half done
	slow    sync.WaitGroup
}

// order is what is wanted: the newest replaces the one before.
type order struct {
	wants []Want
	why   site.Reason
	plan  site.PlanID
	at    time.Time
	set   bool
}

type failure struct {
	n     int
	until time.Time // machine time: not tried again before
	out   time.Time // site time: not chosen again before; zero: it may be
}

const (
	mostAtOnce = 64 // acts under way at once
	mostTries  = 3  // before another way is chosen
	avoid      = 5 * time.Minute
	mostPer    = 31 * 24 * time.Hour // the longest period of a pause's budget
)

// Open makes a runner and takes up what the last run left in force. note is called from Run's
// goroutines, also several at once, and must not block.
func Open(ctx context.Context, c *Cluster, t Tools, db *store.DB, clk clock.Clock, log *slog.Logger, note func(Event)) (*Runner, error) {
	k, err := openKeeper(ctx, db, c.ID)
	if err != nil {
		return nil, err
	}
	r := &Runner{
		c: c, tools: t, keep: k, clk: clk, log: log, note: note,
		fails: map[string]failure{}, wake: make(chan struct{}, 1), renewed: map[string]time.Time{}, busy: map[string]bool{}, again: map[string]bool{}, woken: map[string]time.Time{},
	}
	if r.tools.Lease <= 0 {
		r.tools.Lease = 2 * time.Minute
	}
	r.effects, r.spans, err = k.load(ctx, clk.Now().Add(-mostPer))
	r.retell = newest(r.effects)
	for k, e := range r.effects {
		if (e.Act.Verb == compute.Stop || e.Act.Verb == compute.Drain) && !e.Done.IsZero() && e.Undoing.IsZero() {
			r.again[k] = true
		}
	}
	return r, err
}

// unwritten is how far the record of what was done may be behind the acts when a process dies.
const unwritten = 10 * time.Second

// newest returns the effects that were in force in the last moments of which the last run left word.
func newest(effects map[string]Effect) (out []Effect) {
	var last time.Time
	for _, e := range effects {
		for _, t := range []time.Time{e.Since, e.Done, e.Undoing} {
			if t.After(last) {
				last = t
			}
		}
	}
	for _, e := range effects {
		if at := last.Add(-unwritten); e.Undoing.IsZero() && (e.Since.After(at) || e.Done.After(at)) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Effect) int { return a.Since.Compare(b.Since) })
	return out
}

// Want says what should be in force from now on, and why; the newest replaces all before.
func (r *Runner) Want(at time.Time, plan site.PlanID, why site.Reason, wants []Want) {
	r.mu.Lock()
	r.order = order{wants: wants, why: why, plan: plan, at: at, set: true}
	r.mu.Unlock()
	r.stir()
}

func (r *Runner) stir() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Effects returns what is in force or on its way, by key.
func (r *Runner) Effects() map[string]Effect {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.effects)
}

// Failing returns the acts that are not to be chosen now, because they did not work of late.
func (r *Runner) Failing(now time.Time) map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]bool{}
	for k, f := range r.fails {
		if now.Before(f.out) {
			out[k] = true
		} else if !f.out.IsZero() {
			delete(r.fails, k) // it may be tried again
		}
	}
	return out
}

// Paused returns how long a job was paused in the period before now, and when it last came back.
func (r *Runner) Paused(now time.Time) func(job string, per time.Duration) (time.Duration, time.Time) {
	return func(job string, per time.Duration) (time.Duration, time.Time) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return pausedIn(r.spans[job], now, per)
	}
}

// Waking names the machines that were given their power back of late: until they draw it, it is theirs.
func (r *Runner) Waking(now time.Time) map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]bool{}
	for n, at := range r.woken {
		if now.Sub(at) < r.c.boot() {
			out[n] = true
		} else {
			delete(r.woken, n)
		}
	}
	return out
}

// Err returns why nothing is done now: the store takes nothing. Nil when all is well.
func (r *Runner) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Idle says whether everything wanted is in force and nothing else is.
func (r *Runner) Idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.order.set {
		return len(r.effects) == 0
	}
	take, give := r.work()
	return len(take)+len(give) == 0
}

// Run does what is wanted until ctx ends. What is in force then stays: a restart takes it up,
// and the leases of caps see to the rest. It blocks.
func (r *Runner) Run(ctx context.Context) {
	defer r.slow.Wait()
	for i := range r.retell {
		e := &r.retell[i]
		r.event(EventDo, e, "%s: %s; in force since before the start", e.Act, e.Why.Text)
		if !e.Done.IsZero() {
			r.event(EventDone, e, "%s was acknowledged before the start", e.Act)
		}
	}
	r.retell = nil
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-retry.C:
		}
		r.resume(ctx)
		r.pass(ctx)
		r.renew(ctx)
	}
}

// work compares what is wanted with what is in force.
func (r *Runner) work() (take []Effect, give []Effect) {
	if !r.order.set {
		return nil, nil // nobody has decided yet, after a start: all stays
	}
	now := time.Now()
	wanted := make(map[string]bool, len(r.order.wants))
	for _, w := range r.order.wants {
		k := w.Act.Key()
		wanted[k] = true
		e, ok := r.effects[k]
		switch {
		case now.Before(r.fails[k].until), r.busy[k]:
			continue
		case !ok:
			e = Effect{Act: w.Act, Since: r.order.at}
		case !e.Undoing.IsZero(), e.Done.IsZero(), e.Act.Power != w.Act.Power:
		default:
			continue // in force
		}
		e.Act, e.Saves, e.Why, e.Plan, e.Undoing = w.Act, w.Saves, r.order.why, r.order.plan, time.Time{}
		if w.Why != "" {
			e.Why.Text += " (" + w.Why + ")"
		}
		take = append(take, e)
	}
	for k, e := range r.effects {
		if !wanted[k] && !r.busy[k] && !now.Before(r.fails[k].until) {
			give = append(give, e)
		}
	}
	slices.SortFunc(give, func(a, b Effect) int { return verbRank(b.Act.Verb) - verbRank(a.Act.Verb) })
	return take, give
}

// verbRank is the order in which acts of different kinds are done; undone in reverse.
func verbRank(v compute.Verb) int {
	switch v {
	case compute.Close:
		return 0
	case compute.Fence:
		return 2
	case compute.Off:
		return 3
	default:
		return 1
	}
}

// pass does one round: takes what is to be taken, then gives back what is no longer wanted.
func (r *Runner) pass(ctx context.Context) {
	r.mu.Lock()
	take, give := r.work()
	r.mu.Unlock()
	for rank := range 4 {
		var now []Effect
		for _, e := range take {
			if verbRank(e.Act.Verb) == rank {
				now = append(now, e)
			}
		}
		r.takeAll(ctx, now)
	}
	for rank := 3; rank >= 0; rank-- {
		var now []Effect
		for _, e := range give {
			if verbRank(e.Act.Verb) == rank {
				now = append(now, e)
			}
		}
		r.giveAll(ctx, now)
	}
}

// each runs f on every effect, some at once, and returns when all are done.
func each(effects []Effect, f func(e *Effect)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, mostAtOnce)
	for i := range effects {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(&effects[i])
		})
	}
	wg.Wait()
}

// store keeps effects and takes them over.
func (r *Runner) store(ctx context.Context, effects []Effect, paused, resumed []string) bool {
	at := r.clk.Now()
	err := r.keep.put(ctx, effects, paused, resumed, at)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err = err; err != nil {
		return false
	}
	for _, e := range effects {
		if k := e.Act.Key(); e.Since.IsZero() {
			delete(r.effects, k)
			delete(r.renewed, k)
		} else {
			r.effects[k] = e
		}
	}
	for _, job := range paused {
		r.spans[job] = append(r.spans[job], span{from: at})
	}
	for _, job := range resumed {
		if s := r.spans[job]; len(s) > 0 && s[len(s)-1].to.IsZero() {
			s[len(s)-1].to = at
		}
	}
	return true
}

// deadline is by when the meter must show an act.
func (r *Runner) deadline(e *Effect) time.Time {
	return r.clk.Now().Add(r.c.Effect + e.Act.Grace)
}

func (r *Runner) event(kind EventKind, e *Effect, format string, args ...any) {
	r.note(Event{At: r.clk.Now(), Kind: kind, Act: e.Act, Why: e.Why, Plan: e.Plan, Text: fmt.Sprintf(format, args...)})
}

// Saved adds up what the effects that are in force save.
func Saved(effects map[string]Effect) (p unit.Power) {
	for _, e := range effects {
		if !e.Done.IsZero() && e.Undoing.IsZero() {
			p += e.Saves
		}
	}
	return p
}
