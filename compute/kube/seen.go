package kube

import (
	"cmp"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"switchyard/compute"
	"switchyard/compute/kube/kueue"
)

// What is kept of each object: what the picture and the acts need, and no more, so that tens of
// thousands of jobs fit into tens of megabytes.

// object is what an act needs to know of what it changes.
type object struct {
	ref     ref
	uid     string
	version string
	marks   marks
	// policy is a ClusterQueue's, on whether a Workload is active, a Job suspended, a node cordoned.
	policy string
	on     bool
	taints []corev1.Taint
}

// ref names an object.
type ref struct {
	Kind string `json:"kind"`
	NS   string `json:"namespace,omitempty"`
	Name string `json:"name"`
}

// The kinds of objects that acts change.
const (
	kindQueue    = "ClusterQueue"
	kindWorkload = "Workload"
	kindJob      = "Job"
	kindNode     = "Node"
)

// String prints the object's kind and name for people.
func (r ref) String() string {
	if r.NS == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.NS + "/" + r.Name
}

// value returns where one of the object's knobs stands.
func (o object) value(k knob) string {
	on := o.on
	switch k {
	case knobPolicy:
		return o.policy
	case knobTaint:
		_, on = ourTaint(o.taints)
	}
	if on {
		return "true"
	}
	return "false"
}

func ourTaint(ts []corev1.Taint) (corev1.Taint, bool) {
	for _, t := range ts {
		if t.Key == TaintKey && t.Effect == corev1.TaintEffectNoExecute {
			return t, true
		}
	}
	return corev1.Taint{}, false
}

func objectOf(kind string, m metav1.Object) object {
	a := m.GetAnnotations()
	return object{
		ref: ref{kind, m.GetNamespace(), m.GetName()}, uid: string(m.GetUID()), version: m.GetResourceVersion(),
		marks: marks{by: a[NoteBy], was: a[NoteWas], asked: a[NoteRequested]},
	}
}

// owner is what controls an object.
type owner struct{ kind, name, uid string }

func ownerOf(m metav1.Object) owner {
	if c := metav1.GetControllerOf(m); c != nil {
		return owner{c.Kind, c.Name, string(c.UID)}
	}
	return owner{}
}

// wishes is what a job says of itself.
type wishes struct {
	class, signal, deadline string
	saved                   time.Time
}

func wishesOf(m metav1.Object) wishes {
	l, a := m.GetLabels(), m.GetAnnotations()
	pick := func(key string) string {
		s := l[key]
		if s == "" {
			s = a[key]
		}
		return s[:min(len(s), 128)]
	}
	w := wishes{class: pick(NoteClass), signal: pick(NoteSignal), deadline: pick(NoteDeadline)}
	w.saved, _ = parseTime(a[NoteSaved])
	return w
}

// or fills what w leaves open from v.
func (w wishes) or(v wishes) wishes {
	if w.class == "" {
		w.class = v.class
	}
	if w.signal == "" {
		w.signal = v.signal
	}
	if w.deadline == "" {
		w.deadline = v.deadline
	}
	if v.saved.After(w.saved) {
		w.saved = v.saved
	}
	return w
}

// nodeSeen is a machine.
type nodeSeen struct {
	object
	gpus       int
	ready      bool
	readySince time.Time
}

func (c Config) readNode(sel labels.Selector) func(runtime.Object) (nodeSeen, bool) {
	return func(o runtime.Object) (nodeSeen, bool) {
		n, ok := o.(*corev1.Node)
		if !ok {
			return nodeSeen{}, false
		}
		gpus := quantity(n.Status.Allocatable, c.GPUResource)
		_, named := c.Machines[n.Name]
		switch {
		case sel != nil:
			if !sel.Matches(labels.Set(n.Labels)) {
				return nodeSeen{}, false
			}
		case len(c.Machines) > 0 && !named, len(c.Machines) == 0 && gpus == 0:
			return nodeSeen{}, false
		}
		s := nodeSeen{object: objectOf(kindNode, n), gpus: gpus}
		s.on, s.taints = n.Spec.Unschedulable, n.Spec.Taints
		for _, k := range n.Status.Conditions {
			if k.Type == corev1.NodeReady {
				s.ready, s.readySince = k.Status == corev1.ConditionTrue, k.LastTransitionTime.Time
			}
		}
		return s, true
	}
}

// podSeen is a pod that asks for GPUs.
type podSeen struct {
	ref     ref
	uid     string
	owner   owner
	node    string
	gpus    int
	wish    wishes
	asked   string
	started time.Time // when its node took it up; until then when it was bound
	ended   time.Time // zero: it holds its GPUs
	failed  bool
	leaving bool // told to end
	wl      string
}

// active says that the pod holds GPUs of a node.
func (p podSeen) active() bool { return p.node != "" && p.ended.IsZero() }

func (c Config) readPod(o runtime.Object) (podSeen, bool) {
	p, ok := o.(*corev1.Pod)
	if !ok {
		return podSeen{}, false
	}
	s := podSeen{
		ref: ref{"Pod", p.Namespace, p.Name}, uid: string(p.UID), owner: ownerOf(p), node: p.Spec.NodeName, gpus: c.podGPUs(&p.Spec),
		wish: wishesOf(p), asked: p.Annotations[NoteRequested], leaving: p.DeletionTimestamp != nil,
		wl: p.Annotations[kueue.WorkloadAnnotation],
	}
	if s.gpus == 0 {
		return podSeen{}, false
	}
	for _, k := range p.Status.Conditions {
		if k.Type == corev1.PodScheduled && k.Status == corev1.ConditionTrue {
			s.started = k.LastTransitionTime.Time
		}
	}
	if t := p.Status.StartTime; t != nil {
		s.started = t.Time
	}
	if s.started.IsZero() {
		s.started = p.CreationTimestamp.Time
	}
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		s.failed = p.Status.Phase == corev1.PodFailed
		s.ended = s.started
		for _, k := range p.Status.ContainerStatuses {
			if t := k.State.Terminated; t != nil && t.FinishedAt.After(s.ended) {
				s.ended = t.FinishedAt.Time
			}
		}
		if s.ended.Equal(s.started) { // evicted: its containers never told
			for _, k := range p.Status.Conditions {
				if k.LastTransitionTime.After(s.ended) {
					s.ended = k.LastTransitionTime.Time
				}
			}
		}
	}
	return s, true
}

// podGPUs returns how many GPUs a pod of that form holds.
func (c Config) podGPUs(s *corev1.PodSpec) int {
	n, start := 0, 0
	ask := func(r corev1.ResourceRequirements) int {
		return max(quantity(r.Requests, c.GPUResource), quantity(r.Limits, c.GPUResource))
	}
	for i := range s.Containers {
		n += ask(s.Containers[i].Resources)
	}
	for i := range s.InitContainers {
		if p := s.InitContainers[i].RestartPolicy; p != nil && *p == corev1.ContainerRestartPolicyAlways {
			n += ask(s.InitContainers[i].Resources)
		} else {
			start = max(start, ask(s.InitContainers[i].Resources))
		}
	}
	return max(n, start)
}

func quantity(l corev1.ResourceList, name string) int {
	q := l[corev1.ResourceName(name)]
	return int(max(0, min(q.Value(), 1<<20)))
}

// jobSeen is a batch Job.
type jobSeen struct {
	object
	owner      owner
	queue      string // the LocalQueue that it names
	gpus       int
	wish       wishes
	created    time.Time
	ended      time.Time
	done, fail bool
}

func (c Config) readJob(o runtime.Object) (jobSeen, bool) {
	j, ok := o.(*batchv1.Job)
	if !ok {
		return jobSeen{}, false
	}
	s := jobSeen{
		object: objectOf(kindJob, j), owner: ownerOf(j), queue: j.Labels[kueue.QueueLabel],
		wish: wishesOf(j).or(wishesOf(&j.Spec.Template)), created: j.CreationTimestamp.Time,
	}
	if s.queue == "" {
		s.queue = j.Annotations[kueue.QueueLabel]
	}
	n := 1
	if j.Spec.Parallelism != nil {
		n = int(*j.Spec.Parallelism)
	}
	s.gpus = n * c.podGPUs(&j.Spec.Template.Spec)
	s.on = j.Spec.Suspend != nil && *j.Spec.Suspend
	for _, k := range j.Status.Conditions {
		if k.Status != corev1.ConditionTrue {
			continue
		}
		if k.Type == batchv1.JobComplete || k.Type == batchv1.JobFailed {
			s.done, s.fail, s.ended = true, k.Type == batchv1.JobFailed, k.LastTransitionTime.Time
		}
	}
	return s, true
}

// workloadSeen is what Kueue admits.
type workloadSeen struct {
	object
	owner                         owner
	queue                         string // LocalQueue
	admitted                      string // the ClusterQueue that admitted it
	gpus                          int
	wish                          wishes
	created, ended                time.Time
	reserved, evicted, done, fail bool
	why                           string // of the eviction
	evictions                     int
}

func (c Config) readWorkload(o runtime.Object) (workloadSeen, bool) {
	w, ok := o.(*kueue.Workload)
	if !ok {
		return workloadSeen{}, false
	}
	s := workloadSeen{
		object: objectOf(kindWorkload, w), owner: ownerOf(w), queue: w.Spec.QueueName, wish: wishesOf(w),
		created: w.CreationTimestamp.Time,
	}
	s.on = w.Spec.Active == nil || *w.Spec.Active
	for i := range w.Spec.PodSets {
		s.gpus += int(w.Spec.PodSets[i].Count) * c.podGPUs(&w.Spec.PodSets[i].Template.Spec)
	}
	if a := w.Status.Admission; a != nil {
		s.admitted = a.ClusterQueue
	}
	for _, k := range w.Status.Conditions {
		on := k.Status == metav1.ConditionTrue
		switch k.Type {
		case kueue.QuotaReserved:
			s.reserved = on
		case kueue.Evicted:
			s.evicted, s.why = on, k.Reason
		case kueue.Finished:
			if on {
				s.done, s.fail, s.ended = true, k.Reason == kueue.ReasonFailed, k.LastTransitionTime.Time
			}
		}
	}
	if st := w.Status.SchedulingStats; st != nil {
		for _, e := range st.Evictions {
			s.evictions += int(e.Count)
		}
	}
	return s, true
}

// queueSeen is a ClusterQueue.
type queueSeen struct {
	object
	gpus, used, borrowed int
	active               bool
	reason               string
}

func (c Config) readQueue(o runtime.Object) (queueSeen, bool) {
	q, ok := o.(*kueue.ClusterQueue)
	if !ok {
		return queueSeen{}, false
	}
	s := queueSeen{object: objectOf(kindQueue, q), active: true}
	s.policy = cmp.Or(q.Spec.StopPolicy, policyNone)
	for _, g := range q.Spec.ResourceGroups {
		for _, f := range g.Flavors {
			for _, r := range f.Resources {
				if string(r.Name) == c.GPUResource {
					s.gpus += int(r.NominalQuota.Value())
				}
			}
		}
	}
	for _, f := range q.Status.FlavorsUsage {
		for _, r := range f.Resources {
			if string(r.Name) == c.GPUResource {
				s.used += int(r.Total.Value())
				s.borrowed += int(r.Borrowed.Value())
			}
		}
	}
	for _, k := range q.Status.Conditions {
		if k.Type == kueue.Active {
			s.active, s.reason = k.Status == metav1.ConditionTrue, k.Reason
		}
	}
	return s, true
}

// localSeen is a LocalQueue: the way from a namespace's name of a queue to the ClusterQueue.
type localSeen struct{ queue string }

func readLocal(o runtime.Object) (localSeen, bool) {
	l, ok := o.(*kueue.LocalQueue)
	if !ok {
		return localSeen{}, false
	}
	return localSeen{l.Spec.ClusterQueue}, true
}

// split cuts a job's ID.
func split(id string) (ns, name string, ok bool) {
	ns, name, ok = strings.Cut(id, "/")
	return ns, name, ok && ns != "" && name != "" && !strings.Contains(name, "/")
}

// claims returns what a job says of its class; nil: it names none. Of signals only those are told
// that can be sent.
func (w wishes) claims() *compute.Claims {
	if w.class == "" {
		return nil
	}
	c := &compute.Claims{Class: w.class}
	if w.signal == SignalAnnotation || w.signal == "TERM" || w.signal == "SIGTERM" {
		c.Signal = w.signal
	}
	return c
}
