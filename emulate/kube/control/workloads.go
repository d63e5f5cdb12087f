package control

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kueue "sigs.k8s.io/kueue/apis/kueue/v1beta1"

	"switchyard/emulate/kube"
)

// workload is what Kueue knows of a Job.
type workload struct {
	key      string
	obj      *kueue.Workload
	job      *job
	req      map[corev1.ResourceName]int64 // of all its pods, CPU in thousandths
	prio     int32
	since    time.Time // its place in the queue
	queue    *queue    // where it waits or has quota; nil: its LocalQueue leads nowhere
	waiting  bool      // stands in queue.pending
	flavors  map[corev1.ResourceName]kueue.ResourceFlavorReference
	admitted time.Time // zero: has no quota
	evicting bool
	finished bool
}

func (w *workload) has() bool    { return !w.admitted.IsZero() }
func (w *workload) active() bool { return w.obj.Spec.Active == nil || *w.obj.Spec.Active }

func workloadName(j *batchv1.Job) string {
	sum := sha256.Sum256([]byte("batch/v1/Job/" + j.Name + "/" + string(j.UID)))
	return "job-" + j.Name[:min(len(j.Name), 52)] + "-" + hex.EncodeToString(sum[:])[:5]
}

// stepQueued is Kueue's reconciler of a Job that names a queue.
func (c *Control) stepQueued(j *job) {
	switch w := j.work; {
	case j.over:
		if w != nil && !w.finished {
			c.finishWorkload(w)
		}
	case w == nil:
		c.makeWorkload(j)
	case w.evicting:
		c.stop(j)
		if active, _ := j.count(); active == 0 {
			c.unreserve(w)
		}
	case w.has():
		c.start(j) // also when somebody else suspended it
	default:
		c.stop(j) // nobody runs without quota
	}
}

func (c *Control) makeWorkload(j *job) {
	yes, name := true, workloadName(j.obj)
	class := j.obj.Labels["kueue.x-k8s.io/priority-class"]
	prio := c.ranks[class]
	w := &kueue.Workload{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: j.obj.Namespace, Labels: map[string]string{"kueue.x-k8s.io/job-uid": string(j.obj.UID)},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: j.obj.Name, UID: j.obj.UID, Controller: &yes, BlockOwnerDeletion: &yes}},
		},
		Spec: kueue.WorkloadSpec{
			QueueName: kueue.LocalQueueName(j.obj.Labels[queueLabel]), Priority: &prio, PriorityClassName: class,
			PodSets: []kueue.PodSet{{Name: kueue.DefaultPodSetName, Count: parallel(j.obj), Template: *j.obj.Spec.Template.DeepCopy()}},
		},
	}
	if class != "" {
		w.Spec.PriorityClassSource = "kueue.x-k8s.io/workloadpriorityclass"
	}
	o, err := c.store.Create(c.store.Workloads, w)
	if err != nil { // one of that name is there: it is taken up when it is seen
		return
	}
	c.observeWorkload(o.GetNamespace()+"/"+o.GetName(), o.(*kueue.Workload), false)
}

func (c *Control) observeWorkload(key string, o *kueue.Workload, gone bool) {
	w := c.works[key]
	if gone {
		if w != nil {
			c.leave(w)
			delete(c.works, key)
			if w.job.work == w {
				w.job.work = nil
			}
			c.mark(w.job)
		}
		return
	}
	if w == nil {
		owner := metav1.GetControllerOf(o)
		if owner == nil || c.jobs[o.Namespace+"/"+owner.Name] == nil {
			return // of nobody here
		}
		w = &workload{key: key, job: c.jobs[o.Namespace+"/"+owner.Name], req: requests(o), since: o.CreationTimestamp.Time, flavors: map[corev1.ResourceName]kueue.ResourceFlavorReference{}}
		c.works[key] = w
		w.job.work = w
	}
	w.obj = o
	if o.Spec.Priority != nil {
		w.prio = *o.Spec.Priority
	}
	c.place(w)
}

// place brings a workload to where its spec wants it: out of its quota, into the queue, out of it.
func (c *Control) place(w *workload) {
	switch {
	case w.finished:
	case w.has():
		if !w.active() && !w.evicting {
			c.evict(w, "Deactivated", "The workload is deactivated")
		}
	case !w.active():
		c.leave(w)
		c.note(w, metav1.Condition{Type: kueue.WorkloadQuotaReserved, Status: metav1.ConditionFalse, Reason: "Inadmissible", Message: "The workload is deactivated"})
	case !w.waiting:
		w.queue = c.queueOf(w)
		if w.queue != nil {
			w.waiting = true
			at, _ := slices.BinarySearchFunc(w.queue.pending, w, inOrder)
			w.queue.pending = slices.Insert(w.queue.pending, at, w)
			w.queue.open()
		}
		if cond := meta.FindStatusCondition(w.obj.Status.Conditions, kueue.WorkloadEvicted); cond != nil && cond.Reason == "Deactivated" {
			c.note(w, metav1.Condition{Type: kueue.WorkloadRequeued, Status: metav1.ConditionTrue, Reason: "Reactivated", Message: "The workload was reactivated"})
		}
	}
	c.mark(w.job)
}

// inOrder is a queue's order: by priority, then by time.
func inOrder(a, b *workload) int {
	return cmp.Or(cmp.Compare(b.prio, a.prio), a.since.Compare(b.since), cmp.Compare(a.key, b.key))
}

// leave takes a workload out of its queue, and its quota from it.
func (c *Control) leave(w *workload) {
	if w.waiting {
		w.queue.pending = slices.DeleteFunc(w.queue.pending, func(x *workload) bool { return x == w })
		w.queue.at = 0
		w.waiting = false
	}
	if w.has() {
		w.queue.use(w, -1)
		w.queue.admitted = slices.DeleteFunc(w.queue.admitted, func(x *workload) bool { return x == w })
		w.admitted, w.evicting = time.Time{}, false
		c.openCohort(w.queue)
	}
}

// requests sums what a workload's pods ask for.
func requests(o *kueue.Workload) map[corev1.ResourceName]int64 {
	sum := map[corev1.ResourceName]int64{}
	for i := range o.Spec.PodSets {
		set := &o.Spec.PodSets[i]
		for k := range set.Template.Spec.Containers {
			r := &set.Template.Spec.Containers[k].Resources
			for name, q := range r.Limits {
				if _, asked := r.Requests[name]; !asked {
					sum[name] += int64(set.Count) * amount(name, q)
				}
			}
			for name, q := range r.Requests {
				sum[name] += int64(set.Count) * amount(name, q)
			}
		}
	}
	return sum
}

func amount(name corev1.ResourceName, q resource.Quantity) int64 {
	if name == corev1.ResourceCPU {
		return q.MilliValue()
	}
	return q.Value()
}

func quantity(name corev1.ResourceName, v int64) resource.Quantity {
	if name == corev1.ResourceCPU {
		return *resource.NewMilliQuantity(v, resource.DecimalSI)
	}
	return *resource.NewQuantity(v, resource.DecimalSI)
}

func (c *Control) changeWorkload(w *workload, fn func(o *kueue.Workload)) {
	ns, name := split(w.key)
	o, err := c.store.Mutate(c.store.Workloads, ns, name, func(o kube.Object) error { fn(o.(*kueue.Workload)); return nil })
	if err == nil { // else it is gone
		w.obj = o.(*kueue.Workload)
	}
}

func (c *Control) note(w *workload, all ...metav1.Condition) {
	c.changeWorkload(w, func(o *kueue.Workload) { c.set(o, all...) })
}

func (c *Control) set(o *kueue.Workload, all ...metav1.Condition) {
	for _, cond := range all {
		cond.ObservedGeneration = o.Generation
		cond.LastTransitionTime = metav1.NewTime(c.now.Truncate(time.Second))
		meta.SetStatusCondition(&o.Status.Conditions, cond)
	}
}

// reserve gives a workload its quota.
func (c *Control) reserve(w *workload, flavors map[corev1.ResourceName]kueue.ResourceFlavorReference) {
	w.waiting = false
	w.flavors, w.admitted = flavors, c.now
	q := w.queue
	q.use(w, 1)
	q.admitted = append(q.admitted, w)
	c.changeWorkload(w, func(o *kueue.Workload) {
		set := &o.Spec.PodSets[0]
		use := corev1.ResourceList{}
		for name, v := range w.req {
			if flavors[name] != "" {
				use[name] = quantity(name, v)
			}
		}
		count := set.Count
		o.Status.Admission = &kueue.Admission{
			ClusterQueue:      kueue.ClusterQueueReference(q.name),
			PodSetAssignments: []kueue.PodSetAssignment{{Name: set.Name, Flavors: flavors, ResourceUsage: use, Count: &count}},
		}
		c.set(o, metav1.Condition{Type: kueue.WorkloadQuotaReserved, Status: metav1.ConditionTrue, Reason: "QuotaReserved", Message: "Quota reserved in ClusterQueue " + q.name},
			metav1.Condition{Type: kueue.WorkloadAdmitted, Status: metav1.ConditionTrue, Reason: "Admitted", Message: "The workload is admitted"})
		if meta.IsStatusConditionTrue(o.Status.Conditions, kueue.WorkloadEvicted) {
			c.set(o, metav1.Condition{Type: kueue.WorkloadEvicted, Status: metav1.ConditionFalse, Reason: "QuotaReserved", Message: "Previously: evicted"})
		}
		if meta.IsStatusConditionTrue(o.Status.Conditions, kueue.WorkloadPreempted) {
			c.set(o, metav1.Condition{Type: kueue.WorkloadPreempted, Status: metav1.ConditionFalse, Reason: "QuotaReserved", Message: "Previously: preempted"})
		}
	})
	c.mark(w.job)
}

// evict tells a workload to go; its quota comes back once its Job is suspended.
func (c *Control) evict(w *workload, reason, message string, more ...metav1.Condition) {
	w.evicting = true
	c.note(w, append(more, metav1.Condition{Type: kueue.WorkloadEvicted, Status: metav1.ConditionTrue, Reason: reason, Message: message})...)
	c.mark(w.job)
}

// unreserve ends an eviction.
func (c *Control) unreserve(w *workload) {
	q := w.queue
	c.leave(w)
	reason, message := "Pending", "The workload was evicted"
	if cond := meta.FindStatusCondition(w.obj.Status.Conditions, kueue.WorkloadEvicted); cond != nil {
		message = cond.Message
	}
	c.changeWorkload(w, func(o *kueue.Workload) {
		o.Status.Admission = nil
		c.set(o, metav1.Condition{Type: kueue.WorkloadQuotaReserved, Status: metav1.ConditionFalse, Reason: reason, Message: message},
			metav1.Condition{Type: kueue.WorkloadAdmitted, Status: metav1.ConditionFalse, Reason: "NoReservation", Message: "The workload has no reservation"})
		if w.active() {
			c.set(o, metav1.Condition{Type: kueue.WorkloadRequeued, Status: metav1.ConditionTrue, Reason: "Requeued", Message: message})
		}
	})
	c.place(w)
	q.told = false
}

func (c *Control) finishWorkload(w *workload) {
	c.leave(w)
	w.finished = true
	c.note(w, metav1.Condition{Type: kueue.WorkloadFinished, Status: metav1.ConditionTrue, Reason: kueue.WorkloadFinishedReasonSucceeded, Message: "Job finished successfully"})
}

// start resumes a Job that has quota, on the nodes of its flavors.
func (c *Control) start(j *job) { c.setSuspend(j, false) }

// stop suspends a Job that has none.
func (c *Control) stop(j *job) { c.setSuspend(j, true) }

func (c *Control) setSuspend(j *job, stop bool) {
	if suspended(j.obj) == stop {
		return
	}
	labels := c.flavorLabels(j.work)
	ns, name := split(j.key)
	o, err := c.store.Mutate(c.store.Jobs, ns, name, func(o kube.Object) error {
		s := &o.(*batchv1.Job).Spec
		s.Suspend = &stop
		for k, v := range labels {
			if stop {
				delete(s.Template.Spec.NodeSelector, k)
				continue
			}
			if s.Template.Spec.NodeSelector == nil {
				s.Template.Spec.NodeSelector = map[string]string{}
			}
			s.Template.Spec.NodeSelector[k] = v
		}
		return nil
	})
	if err == nil { // else it is gone
		j.obj = o.(*batchv1.Job)
	}
}

func (c *Control) flavorLabels(w *workload) map[string]string {
	all := map[string]string{}
	for _, f := range w.flavors {
		if o := c.flavors[string(f)]; o != nil {
			for k, v := range o.Spec.NodeLabels {
				all[k] = v
			}
		}
	}
	return all
}
