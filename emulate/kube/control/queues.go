package control

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kueue "sigs.k8s.io/kueue/apis/kueue/v1beta1"

	"switchyard/emulate/kube"
)

// admitATick bounds the attempts at admission in one tick.
const admitATick = 2000

// slot is what quota is counted by.
type slot struct {
	flavor kueue.ResourceFlavorReference
	name   corev1.ResourceName
}

// quota is a queue's in one slot; negative limits: none.
type quota struct{ nominal, borrow, lend int64 }

// queue is a ClusterQueue.
type queue struct {
	name     string
	obj      *kueue.ClusterQueue
	cohort   string
	quotas   map[slot]quota
	used     map[slot]int64
	pending  []*workload // in order
	at       int         // the next of pending to be tried; those before it do not fit
	admitted []*workload // oldest first
	told     bool        // its status is as it is
}

func (q *queue) open()        { q.at, q.told = 0, false }
func (q *queue) stops() bool  { return q.policy() != kueue.None }
func (q *queue) drains() bool { return q.policy() == kueue.HoldAndDrain }

func (q *queue) policy() kueue.StopPolicy {
	if q.obj == nil || q.obj.Spec.StopPolicy == nil {
		return kueue.None
	}
	return *q.obj.Spec.StopPolicy
}

// use counts a workload's requests into the queue's use, times sign.
func (q *queue) use(w *workload, sign int64) {
	for name, v := range w.req {
		if f := w.flavors[name]; f != "" {
			q.used[slot{f, name}] += sign * v
		}
	}
	q.told = false
}

func (c *Control) observeQueue(o *kueue.ClusterQueue, gone bool) {
	q := c.queues[o.Name]
	if q == nil {
		q = &queue{name: o.Name, used: map[slot]int64{}}
		c.queues[o.Name] = q
	}
	fresh := q.obj == nil || gone || q.obj.Generation != o.Generation
	q.obj = o
	if gone {
		q.obj = nil
	}
	if !fresh {
		return
	}
	q.cohort, q.quotas = string(o.Spec.Cohort), map[slot]quota{}
	for _, g := range o.Spec.ResourceGroups {
		for _, f := range g.Flavors {
			for _, r := range f.Resources {
				x := quota{amount(r.Name, r.NominalQuota), -1, -1}
				if r.BorrowingLimit != nil {
					x.borrow = amount(r.Name, *r.BorrowingLimit)
				}
				if r.LendingLimit != nil {
					x.lend = amount(r.Name, *r.LendingLimit)
				}
				q.quotas[slot{f.Name, r.Name}] = x
			}
		}
	}
	c.openAll()
	if q.drains() {
		for _, w := range slices.Clone(q.admitted) {
			if !w.evicting {
				c.evict(w, kueue.WorkloadEvictedByClusterQueueStopped, "The ClusterQueue is stopped")
			}
		}
	}
}

func (c *Control) observeLocal(key string, o *kueue.LocalQueue, gone bool) {
	c.locals[key] = o
	if gone {
		delete(c.locals, key)
	}
	for _, w := range c.works { // few LocalQueues change
		if w.obj.Namespace != o.Namespace || string(w.obj.Spec.QueueName) != o.Name || w.finished {
			continue
		}
		if w.has() {
			if p := o.Spec.StopPolicy; p != nil && *p == kueue.HoldAndDrain && !w.evicting {
				c.evict(w, kueue.WorkloadEvictedByLocalQueueStopped, "The LocalQueue is stopped")
			}
			continue
		}
		c.leave(w)
		c.place(w)
	}
}

// queueOf returns the queue that a workload's LocalQueue leads to, or nil.
func (c *Control) queueOf(w *workload) *queue {
	l := c.locals[w.obj.Namespace+"/"+string(w.obj.Spec.QueueName)]
	if l == nil || l.Spec.StopPolicy != nil && *l.Spec.StopPolicy != kueue.None {
		return nil
	}
	name := string(l.Spec.ClusterQueue)
	q := c.queues[name]
	if q == nil {
		q = &queue{name: name, used: map[slot]int64{}}
		c.queues[name] = q
	}
	return q
}

func (c *Control) openAll() {
	for _, q := range c.queues {
		q.open()
	}
}

// openCohort lets the queues of a cohort try again: something was given back.
func (c *Control) openCohort(of *queue) {
	for _, q := range c.queues {
		if q == of || q.cohort != "" && q.cohort == of.cohort {
			q.open()
		}
	}
}

// members returns the queues of a cohort, by name.
func (c *Control) members(of *queue) []*queue {
	var all []*queue
	for _, q := range c.queues {
		if q.obj != nil && (q == of || q.cohort != "" && q.cohort == of.cohort) {
			all = append(all, q)
		}
	}
	slices.SortFunc(all, func(a, b *queue) int { return cmp.Compare(a.name, b.name) })
	return all
}

// spare returns what the queue may still use of a slot, with what the cohort lends it; use tells
// what each queue uses.
func spare(q *queue, members []*queue, s slot, use func(*queue, slot) int64) int64 {
	own := q.quotas[s]
	var lent, taken int64
	for _, m := range members {
		x := m.quotas[s]
		kept := int64(0) // not lent to anybody
		if x.lend >= 0 {
			kept = max(0, x.nominal-x.lend)
		}
		lent += x.nominal - kept
		taken += max(0, use(m, s)-kept)
	}
	mine := int64(0)
	if own.lend >= 0 {
		mine = max(0, max(0, own.nominal-own.lend)-use(q, s))
	}
	room := lent - taken + mine
	if own.borrow >= 0 {
		room = min(room, own.nominal+own.borrow-use(q, s))
	}
	return room
}

func used(q *queue, s slot) int64 { return q.used[s] }

// fit chooses flavors for a workload. ok says that it fits, borrows that it needs more than the
// queue's own; wants are the slots of its first choice, also where it does not fit.
func (c *Control) fit(q *queue, w *workload, members []*queue, use func(*queue, slot) int64) (flavors map[corev1.ResourceName]kueue.ResourceFlavorReference, borrows, ok bool) {
	flavors, ok = map[corev1.ResourceName]kueue.ResourceFlavorReference{}, true
	covered := 0
	for _, g := range q.obj.Spec.ResourceGroups {
		names := slices.DeleteFunc(slices.Clone(g.CoveredResources), func(n corev1.ResourceName) bool { return w.req[n] == 0 })
		if len(names) == 0 {
			continue
		}
		covered += len(names)
		found := false
		for _, f := range g.Flavors {
			if c.flavors[string(f.Name)] == nil {
				continue
			}
			fits := !slices.ContainsFunc(names, func(n corev1.ResourceName) bool { return spare(q, members, slot{f.Name, n}, use) < w.req[n] })
			if fits || !found && flavors[names[0]] == "" {
				for _, n := range names {
					flavors[n] = f.Name
				}
			}
			if found = fits; found {
				break
			}
		}
		ok = ok && found
	}
	for n, v := range w.req {
		if f := flavors[n]; f != "" {
			s := slot{f, n}
			borrows = borrows || use(q, s)+v > q.quotas[s].nominal
		} else if v > 0 {
			ok = false // no quota covers it
		}
	}
	return flavors, borrows, ok && covered > 0
}

// admitWorkloads is Kueue's scheduler: cycles over the heads of the queues, those that need not
// borrow first.
func (c *Control) admitWorkloads() {
	type head struct {
		w       *workload
		flavors map[corev1.ResourceName]kueue.ResourceFlavorReference
		borrows bool
		fits    bool
		members []*queue
	}
	names := make([]string, 0, len(c.queues))
	for n := range c.queues {
		names = append(names, n)
	}
	slices.Sort(names)
	for tries := 0; tries < admitATick; {
		var heads []head
		for _, n := range names {
			q := c.queues[n]
			if q.obj == nil || q.stops() || q.at >= len(q.pending) {
				continue
			}
			h := head{w: q.pending[q.at], members: c.members(q)}
			h.flavors, h.borrows, h.fits = c.fit(q, h.w, h.members, used)
			heads = append(heads, h)
			tries++
		}
		if len(heads) == 0 {
			break
		}
		slices.SortStableFunc(heads, func(a, b head) int {
			if a.borrows != b.borrows {
				if b.borrows {
					return -1
				}
				return 1
			}
			return inOrder(a.w, b.w)
		})
		for _, h := range heads {
			q := h.w.queue
			if h.fits { // what went before it in this cycle may have taken the room
				h.flavors, h.borrows, h.fits = c.fit(q, h.w, h.members, used)
			}
			if h.fits {
				q.pending = slices.Delete(q.pending, q.at, q.at+1)
				c.reserve(h.w, h.flavors)
				continue
			}
			c.park(q, h.w, h.members)
		}
	}
	c.tellQueues(names)
}

// park leaves a workload in its queue that does not fit, after others were told to make room for
// it where the queue may ask that. A strict queue waits behind it.
func (c *Control) park(q *queue, w *workload, members []*queue) {
	c.preempt(q, w, members)
	if meta.FindStatusCondition(w.obj.Status.Conditions, kueue.WorkloadQuotaReserved) == nil {
		c.note(w, metav1.Condition{
			Type: kueue.WorkloadQuotaReserved, Status: metav1.ConditionFalse, Reason: "Pending",
			Message: "couldn't assign flavors to pod set main: insufficient unused quota",
		})
	}
	q.at++
	if q.obj.Spec.QueueingStrategy == kueue.StrictFIFO {
		q.at = len(q.pending)
	}
}

// preempt evicts who must make room for a workload: borrowers of the cohort, where it asks for
// no more than its queue's own quota, and lower priorities of its own queue.
func (c *Control) preempt(q *queue, w *workload, members []*queue) {
	p := q.obj.Spec.Preemption
	if p == nil || p.ReclaimWithinCohort == kueue.PreemptionPolicyNever && p.WithinClusterQueue == kueue.PreemptionPolicyNever {
		return
	}
	// As if those on their way out were gone.
	freed := map[*queue]map[slot]int64{}
	free := func(v *workload, sign int64) {
		if freed[v.queue] == nil {
			freed[v.queue] = map[slot]int64{}
		}
		for n, x := range v.req {
			if f := v.flavors[n]; f != "" {
				freed[v.queue][slot{f, n}] += sign * x
			}
		}
	}
	use := func(m *queue, s slot) int64 { return m.used[s] - freed[m][s] }
	for _, m := range members {
		for _, v := range m.admitted {
			if v.evicting {
				free(v, 1)
			}
		}
	}
	flavors, borrows, ok := c.fit(q, w, members, use)
	if ok {
		return // it is enough to wait
	}
	var out []*workload
	for _, v := range c.victims(q, w, members, borrows) {
		if v.queue != q && !borrowsOf(v, flavors, use) {
			continue
		}
		free(v, 1)
		out = append(out, v)
		if _, _, ok = c.fit(q, w, members, use); ok {
			break
		}
	}
	if !ok {
		return
	}
	for i := len(out) - 2; i >= 0; i-- { // who need not go after all, stays
		free(out[i], -1)
		if _, _, ok := c.fit(q, w, members, use); ok {
			out = slices.Delete(out, i, i+1)
		} else {
			free(out[i], 1)
		}
	}
	for _, v := range out {
		reason := kueue.InClusterQueueReason
		if v.queue != q {
			reason = kueue.InCohortReclamationReason
		}
		text := fmt.Sprintf("Preempted to accommodate a workload (UID: %s) due to %s", w.obj.UID, reason)
		c.evict(v, kueue.WorkloadEvictedByPreemption, text, metav1.Condition{Type: kueue.WorkloadPreempted, Status: metav1.ConditionTrue, Reason: reason, Message: text})
	}
}

// victims lists who may be evicted for a workload, first who goes first: of other queues before
// the own, lower priorities before higher, newer before older.
func (c *Control) victims(q *queue, w *workload, members []*queue, borrows bool) []*workload {
	var all []*workload
	for _, m := range members {
		policy := q.obj.Spec.Preemption.ReclaimWithinCohort
		if m == q {
			policy = q.obj.Spec.Preemption.WithinClusterQueue
		} else if borrows {
			continue
		}
		for _, v := range m.admitted {
			lower := v.prio < w.prio || policy == kueue.PreemptionPolicyLowerOrNewerEqualPriority && v.prio == w.prio && v.since.After(w.since)
			if !v.evicting && policy != kueue.PreemptionPolicyNever && (policy == kueue.PreemptionPolicyAny || lower) {
				all = append(all, v)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *workload) int {
		if (a.queue == q) != (b.queue == q) {
			if b.queue == q {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.prio, b.prio), b.admitted.Compare(a.admitted), cmp.Compare(a.key, b.key))
	})
	return all
}

// borrowsOf says whether a workload's queue uses more than its own of what is wanted.
func borrowsOf(v *workload, flavors map[corev1.ResourceName]kueue.ResourceFlavorReference, use func(*queue, slot) int64) bool {
	for n, f := range flavors {
		s := slot{f, n}
		if v.flavors[n] == f && v.req[n] > 0 && use(v.queue, s) > v.queue.quotas[s].nominal {
			return true
		}
	}
	return false
}

// tellQueues writes the status of queues that changed.
func (c *Control) tellQueues(names []string) {
	for _, n := range names {
		q := c.queues[n]
		if q.told || q.obj == nil {
			continue
		}
		q.told = true
		_, _ = c.store.Mutate(c.store.ClusterQueues, "", q.name, func(o kube.Object) error { // it may be gone
			s := &o.(*kueue.ClusterQueue).Status
			s.PendingWorkloads, s.AdmittedWorkloads = int32(len(q.pending)), int32(len(q.admitted))
			s.ReservingWorkloads = s.AdmittedWorkloads
			s.FlavorsUsage = q.usage()
			s.FlavorsReservation = s.FlavorsUsage
			cond := metav1.Condition{Type: kueue.ClusterQueueActive, Status: metav1.ConditionTrue, Reason: kueue.ClusterQueueActiveReasonReady, Message: "Can admit new workloads"}
			if q.stops() {
				cond.Status, cond.Reason, cond.Message = metav1.ConditionFalse, kueue.ClusterQueueActiveReasonStopped, "Can't admit new workloads: is stopped."
			}
			cond.ObservedGeneration, cond.LastTransitionTime = o.GetGeneration(), metav1.NewTime(c.now.Truncate(time.Second))
			meta.SetStatusCondition(&s.Conditions, cond)
			return nil
		})
	}
}

func (q *queue) usage() []kueue.FlavorUsage {
	var all []kueue.FlavorUsage
	for _, g := range q.obj.Spec.ResourceGroups {
		for _, f := range g.Flavors {
			u := kueue.FlavorUsage{Name: f.Name}
			for _, r := range f.Resources {
				s := slot{f.Name, r.Name}
				u.Resources = append(u.Resources, kueue.ResourceUsage{
					Name: r.Name, Total: quantity(r.Name, q.used[s]), Borrowed: quantity(r.Name, max(0, q.used[s]-q.quotas[s].nominal)),
				})
			}
			all = append(all, u)
		}
	}
	return all
}
