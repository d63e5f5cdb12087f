package kube

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"switchyard/compute"
)

// The bounds of the record of finished pods; the oldest go first.
const (
	maxStretches = 200_000
	keepFor      = 45 * 24 * time.Hour // machine time
	// catchUp is how long after a silence a pod that a list misses is taken to have gone in it.
	catchUp = time.Minute
)

// stretch is one pod's time with its GPUs, machine time.
type stretch struct {
	job, account, queue string
	gpus                int
	from, to            time.Time
}

// record is our own account of GPU time: Kubernetes keeps none and forgets a pod when it is
// deleted. It lives in memory; it begins when the pods were first listed.
type record struct {
	mu    sync.Mutex
	since time.Time // zero: not begun
	done  []stretch // as they ended
}

// begin says that from now on all is seen.
func (r *record) begin(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.since.IsZero() {
		r.since = at
	}
}

func (r *record) add(s stretch) {
	if !s.to.After(s.from) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = append(r.done, s)
	drop := 0
	if len(r.done) > maxStretches {
		drop = maxStretches / 10 // in one go, so that it costs little
	}
	for drop < len(r.done) && s.to.Sub(r.done[drop].to) > keepFor {
		drop++
	}
	if drop == 0 {
		return
	}
	for _, o := range r.done[:drop] {
		if o.to.After(r.since) {
			r.since = o.to // before it, something is missing now
		}
	}
	r.done = slices.Delete(r.done, 0, drop)
}

// within returns what ended after from, and since when all is known; zero: never yet.
func (r *record) within(from time.Time) ([]stretch, time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []stretch
	for _, s := range r.done {
		if s.to.After(from) {
			out = append(out, s)
		}
	}
	return out, r.since
}

// podChanged books a pod that ended. The tables are locked.
func (e *Engine) podChanged(before, now *podSeen) {
	if before != nil && before.uid != now.uid { // another pod of the same name
		e.podLeft(*before, false)
		before = nil
	}
	if now.node == "" || now.ended.IsZero() || before != nil && !before.ended.IsZero() {
		return
	}
	e.record.add(e.stretchOf(*now, now.ended))
}

// podLeft books a pod that was deleted while it held GPUs: until now where it was seen to go,
// else until the server was last heard of with it. The tables are locked.
func (e *Engine) podLeft(p podSeen, sure bool) {
	if !p.active() {
		return
	}
	end := time.Now()
	if !sure {
		e.beat.Lock()
		if !e.beat.lost.IsZero() && (e.beat.err != nil || time.Since(e.beat.back) < catchUp) {
			end = e.beat.lost
		}
		e.beat.Unlock()
	}
	e.record.add(e.stretchOf(p, e.byServer(end)))
}

// byServer returns a time of this machine's clock by the API server's, which the pods' times are by:
// another one in a rehearsal, where the server's clock is the site's.
func (e *Engine) byServer(wall time.Time) time.Time {
	ago := time.Duration(float64(time.Since(wall)) * e.clock.Speed())
	return e.times.Machine(e.clock.Now().Add(-ago))
}

// stretchOf says whose a pod's time is. The tables are locked.
func (e *Engine) stretchOf(p podSeen, end time.Time) stretch {
	s := stretch{account: p.ref.NS, gpus: p.gpus, from: p.started, to: end}
	if w := e.picture.Load().pods[p.uid]; w != nil {
		s.job, s.queue = w.id, w.queue
		return s
	}
	// It came and went between two pictures.
	s.job = p.ref.NS + "/" + cmp.Or(p.owner.name, "pod/"+p.ref.Name)
	if j, ok := e.jobs.rows[p.ref.NS+"/"+p.owner.name]; ok && p.owner.kind == kindJob {
		s.queue = e.locals.rows[p.ref.NS+"/"+j.queue].queue
	}
	return s
}

// Usage returns what each pod used within [from, to), site time, by our own record: from when
// its node took it up until its containers ended or it was gone. It does not block. Where a part
// of the time was not seen it returns what is known, with ErrIncomplete.
func (e *Engine) Usage(ctx context.Context, from, to time.Time) ([]compute.Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if now := e.clock.Now(); to.After(now) {
		to = now // what is to come is nobody's yet
	}
	e.mu.RLock()
	defer e.mu.RUnlock() // a pod that ends meanwhile is neither missed nor counted twice
	all, since := e.record.within(e.times.Machine(from))
	if since.IsZero() {
		return nil, fmt.Errorf("read the record of GPU time: %w: the pods were not listed yet", compute.ErrUnreachable)
	}
	end := e.times.Machine(to)
	for _, p := range e.pods.rows {
		if p.active() {
			all = append(all, e.stretchOf(p, end))
		}
	}
	var out []compute.Usage
	for _, s := range all {
		u := compute.Usage{Job: s.job, Account: s.account, Queue: s.queue, GPUs: s.gpus, From: e.times.Site(s.from), To: e.times.Site(s.to)}
		if u.From.Before(from) {
			u.From = from
		}
		if u.To.After(to) {
			u.To = to
		}
		if d := u.To.Sub(u.From); d > 0 {
			u.GPUTime = time.Duration(s.gpus) * d
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b compute.Usage) int {
		return cmp.Or(cmp.Compare(a.Job, b.Job), a.From.Compare(b.From), a.To.Compare(b.To))
	})
	v := e.picture.Load().view
	switch begun := e.times.Site(since); {
	case from.Before(begun):
		return out, fmt.Errorf("read the record of GPU time: %w: pods that were gone before %s are not in it", ErrIncomplete, begun.Format(time.RFC3339))
	case !v.Reachable && to.After(v.At):
		return out, fmt.Errorf("read the record of GPU time: %w: nothing is heard since %s, and what ran is taken to run on", ErrIncomplete, v.At.Format(time.RFC3339))
	}
	return out, nil
}
