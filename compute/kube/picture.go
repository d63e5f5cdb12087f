package kube

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"switchyard/compute"
	"switchyard/compute/kube/kueue"
	"switchyard/site"
)

// shownFor is how long a job that ended stays in the view, in site time.
const shownFor = time.Hour

// picture is a View and what the acts need to know of its jobs.
type picture struct {
	view *compute.View
	work map[string]*work
	// pods tells by a pod's UID whose it is, so that its time is booked when it is gone.
	pods map[string]*work
}

// concerns returns the jobs that a Stop or a Drain is about, without a look at the others: one
// of a thousand jobs to be stopped must not cost a thousand looks.
func (p *picture) concerns(a compute.Act) iter.Seq[*work] {
	return func(yield func(*work) bool) {
		if a.Verb == compute.Stop {
			if w := p.work[a.Target]; w != nil {
				yield(w)
			}
			return
		}
		for _, w := range p.work {
			if a.Verb == compute.Drain && w.queue == a.Target && !yield(w) {
				return
			}
		}
	}
}

// work is one job: a Workload, a Job, both, or pods that nobody queued.
type work struct {
	id      string
	job     *jobSeen
	wl      *workloadSeen
	pods    []podSeen
	by      owner // of pods without a Job and a Workload
	ns      string
	wish    wishes
	queue   string // ClusterQueue
	state   compute.JobState
	restart int
}

// stopped returns the object and the knob by which a job is paused.
func (w *work) stopped() (object, knob, error) {
	switch {
	case w.wl != nil:
		return w.wl.object, knobActive, nil
	case w.job != nil && w.job.queue != "":
		return object{}, "", fmt.Errorf("%w: Kueue has not made its Workload yet, and would start a suspended Job again", compute.ErrRefused)
	case w.job != nil:
		return w.job.object, knobSuspend, nil
	}
	return object{}, "", fmt.Errorf("%w: a %s has no way to be paused that keeps it; let it ask for its GPUs by a Job",
		compute.ErrUnsupported, strings.ToLower(cmp.Or(w.by.kind, "pod")))
}

// gather groups what was seen into jobs. The tables are locked for reading.
func (e *Engine) gather() map[string]*work {
	all := make(map[string]*work, len(e.jobs.rows)+len(e.workloads.rows))
	byUID := make(map[string]*work, 2*len(e.jobs.rows))
	byWorkload := make(map[string]*work, len(e.workloads.rows))
	owned := make(map[string]bool, len(e.workloads.rows))
	for _, wl := range e.workloads.rows {
		owned[wl.owner.uid] = true
	}
	for key, j := range e.jobs.rows {
		if j.owner.uid != "" && owned[j.owner.uid] {
			continue // a part of what Kueue admits as a whole
		}
		w := &work{id: key, job: &j, ns: j.ref.NS}
		all[key], byUID[j.uid] = w, w
	}
	for key, wl := range e.workloads.rows {
		w := byUID[wl.owner.uid]
		if w == nil {
			w = &work{id: key, ns: wl.ref.NS}
			if all[key] != nil { // a Job of the same name as another's Workload
				w.id = wl.ref.NS + "/workload/" + wl.ref.Name
			}
			all[w.id] = w
			if wl.owner.uid != "" {
				byUID[wl.owner.uid] = w
			}
		}
		if w.wl == nil || wl.created.After(w.wl.created) {
			w.wl = &wl
		}
		byWorkload[key] = w
	}
	for _, j := range e.jobs.rows { // the parts
		if w := byUID[j.owner.uid]; w != nil && j.owner.uid != "" {
			byUID[j.uid] = w
			w.wish = w.wish.or(j.wish)
		}
	}
	for _, p := range e.pods.rows {
		w := e.podsWork(p, byUID, byWorkload)
		if w == nil {
			id := p.ref.NS + "/pod/" + p.ref.Name
			if p.owner.uid != "" {
				id = p.ref.NS + "/" + strings.ToLower(p.owner.kind) + "/" + p.owner.name
			}
			if w = all[id]; w == nil {
				w = &work{id: id, ns: p.ref.NS, by: p.owner}
				all[id] = w
			}
		}
		w.pods = append(w.pods, p)
	}
	return all
}

func (e *Engine) podsWork(p podSeen, byUID, byWorkload map[string]*work) *work {
	if w := byWorkload[p.ref.NS+"/"+p.wl]; p.wl != "" && w != nil {
		return w
	}
	if p.owner.uid == "" {
		return nil
	}
	return byUID[p.owner.uid]
}

// settle works out what a job wishes, where it waits and where it stands.
func (e *Engine) settle(w *work) {
	if w.job != nil {
		w.wish = w.wish.or(w.job.wish)
		w.queue = e.locals.rows[w.ns+"/"+w.job.queue].queue
	}
	if w.wl != nil {
		w.wish = w.wish.or(w.wl.wish)
		w.queue = cmp.Or(w.wl.admitted, e.locals.rows[w.ns+"/"+w.wl.queue].queue, w.queue)
		w.restart = w.wl.evictions
	}
	for _, p := range w.pods {
		w.wish = w.wish.or(p.wish)
	}
	w.state = e.stateOf(w)
}

func (e *Engine) stateOf(w *work) compute.JobState {
	active, leaving, ended, failed := 0, 0, 0, 0
	for _, p := range w.pods {
		switch {
		case p.active() && p.leaving:
			leaving++
		case p.active():
			active++
		case p.failed:
			failed++
		case !p.ended.IsZero():
			ended++
		}
	}
	done := w.job != nil && w.job.done || w.wl != nil && w.wl.done
	told := w.told()
	switch {
	case active+leaving > 0 && (active == 0 || told || done):
		return compute.JobStopping
	case active > 0:
		return compute.JobRunning
	case done && (w.job != nil && w.job.fail || w.wl != nil && w.wl.fail):
		return compute.JobFailed
	case done:
		return compute.JobDone
	case told || e.drained(w):
		return compute.JobPaused
	case w.job == nil && w.wl == nil && failed > 0:
		return compute.JobFailed
	case w.job == nil && w.wl == nil && ended > 0:
		return compute.JobDone
	}
	return compute.JobPending
}

// told says that the job was told to give its GPUs back: paused, or asked to save its work first.
func (w *work) told() bool {
	switch {
	case w.wl != nil:
		return !w.wl.on || w.wl.marks.asked != ""
	case w.job != nil && w.job.queue == "":
		return w.job.on || w.job.marks.asked != ""
	}
	return false
}

// drained says that the job waits because its queue was drained of it.
func (e *Engine) drained(w *work) bool {
	if w.wl == nil || !w.wl.evicted || w.wl.why != kueue.ReasonStopped || w.wl.reserved {
		return false
	}
	return e.queues.rows[w.queue].policy == policyDrain
}

// ours says that a job is held back by us.
func (e *Engine) ours(w *work) bool {
	o, k, err := w.stopped()
	if err == nil && o.marks.holds(k, compute.Stop, o.value(k)) {
		return true
	}
	if q, ok := e.queues.rows[w.queue]; ok && e.drained(w) {
		return q.marks.holds(knobPolicy, compute.Drain, q.policy)
	}
	return false
}

// jobOf makes the view's job.
func (e *Engine) jobOf(w *work) compute.Job {
	j := compute.Job{
		ID: w.id, Account: w.ns, Queue: w.queue, State: w.state, Restarts: w.restart,
		Ours: e.ours(w), Claims: w.wish.claims(),
	}
	_, j.Name, _ = strings.Cut(w.id, "/")
	if w.wl != nil {
		j.GPUs, j.Submitted, j.Ended = w.wl.gpus, e.times.Site(w.wl.created), e.times.Site(w.wl.ended)
	}
	if w.job != nil {
		j.GPUs, j.Submitted = max(j.GPUs, w.job.gpus), e.times.Site(w.job.created)
		if w.job.done {
			j.Ended = e.times.Site(w.job.ended)
		}
	}
	if !w.wish.saved.IsZero() {
		j.Saved = site.Some(e.times.Site(w.wish.saved))
	}
	if t, ok := parseTime(w.wish.deadline); ok {
		j.Deadline = e.times.Site(t)
	}
	e.place(&j, w.pods)
	if w.state != compute.JobDone && w.state != compute.JobFailed {
		j.Ended = time.Time{}
	}
	return j
}

// place tells where a job runs, and since when.
func (e *Engine) place(j *compute.Job, pods []podSeen) {
	at := map[string]int{}
	asked, ended := 0, time.Time{}
	for _, p := range pods {
		asked += p.gpus
		if !p.active() {
			if p.ended.After(ended) {
				ended = p.ended
			}
			continue
		}
		at[p.node] += p.gpus
		if t := e.times.Site(p.started); j.Started.IsZero() || t.Before(j.Started) {
			j.Started = t
		}
	}
	if j.GPUs == 0 {
		j.GPUs = asked
	}
	if j.Ended.IsZero() {
		j.Ended = e.times.Site(ended)
	}
	if len(at) == 0 {
		return
	}
	j.GPUs = 0
	for node, n := range at {
		j.GPUs += n
		j.Places = append(j.Places, compute.Place{Node: node, GPUs: n})
	}
	slices.SortFunc(j.Places, func(a, b compute.Place) int { return cmp.Compare(a.Node, b.Node) })
}

func (e *Engine) viewNodes() (nodes []compute.Node, notes []string) {
	used := map[string]int{}
	for _, p := range e.pods.rows {
		if p.active() {
			used[p.node] += p.gpus
		}
	}
	for name, n := range e.nodes.rows {
		nodes = append(nodes, compute.Node{
			Name: name, State: n.state(), GPUs: n.gpus, Used: used[name],
			Ours: n.marks.holds(knobCordon, compute.Fence, n.value(knobCordon)) || n.marks.holds(knobTaint, compute.Off, n.value(knobTaint)),
		})
		if want, ok := e.config.Machines[name]; ok && want != n.gpus {
			notes = append(notes, fmt.Sprintf("node %s says that it has %d GPUs, the inventory %d", name, n.gpus, want))
		}
	}
	for name := range e.config.Machines {
		if _, ok := e.nodes.rows[name]; !ok {
			notes = append(notes, fmt.Sprintf("node %s of the inventory is not known to the cluster", name))
		}
	}
	slices.SortFunc(nodes, func(a, b compute.Node) int { return cmp.Compare(a.Name, b.Name) })
	slices.Sort(notes)
	return nodes, notes
}

// state returns what a node can be used for. Whether it has power is its controller's to say:
// here a node that we emptied and that then fell silent counts as off.
func (n nodeSeen) state() compute.NodeState {
	if t, off := ourTaint(n.taints); off {
		switch {
		case !n.ready:
			return compute.NodeOff
		case t.TimeAdded != nil && n.readySince.After(t.TimeAdded.Time):
			return compute.NodeStarting // back, and waits for the taint to be taken off
		}
		return compute.NodeStopping
	}
	switch {
	case !n.ready:
		return compute.NodeDown
	case n.on:
		return compute.NodeFenced
	}
	return compute.NodeUp
}

func (e *Engine) viewQueues() []compute.Queue {
	var out []compute.Queue
	for name, q := range e.queues.rows {
		out = append(out, compute.Queue{
			Name: name, Open: q.policy == policyNone && (q.active || q.reason == kueue.QueueStopped), GPUs: q.gpus, Borrowed: q.borrowed,
			Ours: q.marks.holds(knobPolicy, compute.Close, q.policy) || q.marks.holds(knobPolicy, compute.Drain, q.policy),
		})
	}
	slices.SortFunc(out, func(a, b compute.Queue) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// paint makes the newest picture of what was seen.
func (e *Engine) paint() *picture {
	now := e.clock.Now()
	v := &compute.View{At: e.heard()}
	v.Reachable, v.Err, v.Engine = e.health()
	e.mu.RLock()
	defer e.mu.RUnlock()
	var notes []string
	v.Nodes, v.Notes = e.viewNodes()
	if !e.everSynced() {
		v.Notes = nil // what is missing was not listed yet
	}
	v.Queues = e.viewQueues()
	p := &picture{view: v, work: e.gather(), pods: make(map[string]*work, len(e.pods.rows))}
	for _, w := range p.work {
		e.settle(w)
		for _, pod := range w.pods {
			p.pods[pod.uid] = w
		}
		j := e.jobOf(w)
		if (j.State == compute.JobDone || j.State == compute.JobFailed) && now.Sub(j.Ended) > shownFor {
			delete(p.work, w.id)
			continue
		}
		if s := w.wish.signal; s != "" && s != SignalAnnotation && s != "TERM" && s != "SIGTERM" {
			notes = append(notes, fmt.Sprintf("job %s wants %s for a checkpoint, which cannot be sent through Kubernetes: it gets TERM when it is paused", w.id, s))
		}
		v.Jobs = append(v.Jobs, j)
	}
	slices.SortFunc(v.Jobs, func(a, b compute.Job) int { return cmp.Compare(a.ID, b.ID) })
	slices.Sort(notes)
	if n := len(notes); n > 10 {
		notes = append(notes[:10], fmt.Sprintf("%d more jobs want such a signal", n-10))
	}
	if e.kueue.gone() {
		v.Notes = append(v.Notes, "Kueue's resources are not served: there are no queues, and only Jobs without a queue can be paused")
	}
	if text := e.foreign(); text != "" {
		v.Notes = append(v.Notes, text+": its queues and what they admit are neither read nor changed")
	}
	v.Notes = append(v.Notes, notes...)
	v.Notes = append(v.Notes, e.notices.list(now)...)
	return p
}
