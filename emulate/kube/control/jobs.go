package control

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"switchyard/emulate/gpus"
	"switchyard/emulate/kube"
)

// job is one Job.
type job struct {
	key     string
	obj     *batchv1.Job
	gone    bool // its object is
	dirty   bool
	pods    map[string]*pod
	work    *workload // nil: not under Kueue, or not made yet
	running bool      // its program has GPUs
	over    bool      // all is done
	failed  int32
	wish    string // the newest one heeded
	doneAt  time.Time
	told    status // as its object's status was written last
}

// status is what a Job's status is made from.
type status struct {
	active, terminating int
	ready, failed       int32
	suspended, over     bool
	written             bool
}

func (c *Control) observeJob(key string, o *batchv1.Job, gone bool) {
	j := c.jobs[key]
	if j != nil && j.obj.UID != o.UID && !gone { // made anew under the same name
		j.gone = true
		c.stepJob(j)
		delete(c.jobs, key)
		j = nil
	}
	if j == nil {
		if gone {
			return
		}
		j = &job{key: key, pods: map[string]*pod{}}
		c.jobs[key] = j
	}
	j.obj, j.gone = o, gone
	if wish := o.Annotations[Requested]; wish != "" && !gone {
		c.heedWish(j, wish)
	}
	c.mark(j)
}

// heedWish lets a job's program save its work, once for each wish.
func (c *Control) heedWish(j *job, wish string) {
	if wish != j.wish {
		j.wish = wish
		c.cfg.Cluster.Save(j.key) // one without GPUs has nothing to save
	}
}

// parallel returns how many pods a Job runs at a time.
func parallel(o *batchv1.Job) int32 {
	if o.Spec.Parallelism == nil {
		return 1
	}
	return max(*o.Spec.Parallelism, 0)
}

func suspended(o *batchv1.Job) bool { return o.Spec.Suspend != nil && *o.Spec.Suspend }

// stepJob is Kueue's reconciler of Jobs and the Job controller, in this order.
func (c *Control) stepJob(j *job) {
	if j.gone {
		c.buryJob(j)
		return
	}
	if j.obj.Labels[queueLabel] != "" {
		c.stepQueued(j)
	}
	active, terminating := j.count()
	switch {
	case j.over:
	case suspended(j.obj):
		for _, p := range j.sorted() {
			if p.obj.DeletionTimestamp == nil && p.obj.Status.Phase != corev1.PodSucceeded {
				c.deletePod(p)
			}
		}
		active, terminating = j.count()
	default:
		for range int(parallel(j.obj)) - active {
			c.makePod(j)
			active++
		}
		c.startProgram(j)
	}
	for _, p := range j.sorted() {
		if p.obj.Status.Phase == corev1.PodFailed {
			c.dropPod(p)
		}
	}
	c.tellJob(j, active, terminating)
}

// sorted returns the job's pods by name, so that the same seed gives the same day.
func (j *job) sorted() []*pod {
	var all []*pod
	for _, k := range slices.Sorted(maps.Keys(j.pods)) {
		all = append(all, j.pods[k])
	}
	return all
}

// count returns the pods that are to run, and those that end.
func (j *job) count() (active, terminating int) {
	for _, p := range j.pods {
		switch {
		case p.obj.Status.Phase == corev1.PodSucceeded || p.obj.Status.Phase == corev1.PodFailed:
		case p.obj.DeletionTimestamp != nil:
			terminating++
		default:
			active++
		}
	}
	return active, terminating
}

func (c *Control) makePod(j *job) {
	t := j.obj.Spec.Template.DeepCopy()
	yes := true
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: j.obj.Name[:min(len(j.obj.Name), 50)] + "-" + c.suffix(), Namespace: j.obj.Namespace, Labels: t.Labels, Annotations: t.Annotations,
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: j.obj.Name, UID: j.obj.UID, Controller: &yes, BlockOwnerDeletion: &yes}},
	}, Spec: t.Spec}
	o, err := c.store.Create(c.store.Pods, p)
	if err != nil {
		return // its namespace is gone, or the template is no good
	}
	made := o.(*corev1.Pod)
	q := &pod{key: made.Namespace + "/" + made.Name, obj: made, job: j, gpus: gpusOf(&made.Spec, c.gpu)}
	c.pods[q.key] = q
	j.pods[q.key] = q
	c.loose = append(c.loose, q)
	c.sched = true
}

// tellJob writes the Job's status.
func (c *Control) tellJob(j *job, active, terminating int) {
	ready := int32(0)
	for _, p := range j.pods {
		if p.obj.Status.Phase == corev1.PodRunning && p.obj.DeletionTimestamp == nil {
			ready++
		}
	}
	now := status{active, terminating, ready, j.failed, suspended(j.obj), j.over, true}
	if now == j.told {
		return
	}
	j.told = now
	ending := int32(terminating)
	ns, name := split(j.key)
	o, err := c.store.Mutate(c.store.Jobs, ns, name, func(o kube.Object) error {
		s := &o.(*batchv1.Job).Status
		s.Active, s.Ready, s.Terminating, s.Failed = int32(active), &ready, &ending, j.failed
		at := metav1.NewTime(c.now.Truncate(time.Second))
		switch {
		case j.over:
			s.Active, s.Succeeded = 0, parallel(j.obj)
			if s.CompletionTime == nil {
				s.CompletionTime = &at
			}
			setJob(s, batchv1.JobComplete, corev1.ConditionTrue, "CompletionsReached", at)
		case suspended(o.(*batchv1.Job)):
			s.StartTime = nil
			setJob(s, batchv1.JobSuspended, corev1.ConditionTrue, "JobSuspended", at)
		default:
			if s.StartTime == nil {
				s.StartTime = &at
				setJob(s, batchv1.JobSuspended, corev1.ConditionFalse, "JobResumed", at)
			}
		}
		return nil
	})
	if err == nil { // else it is gone, and that comes by the inbox
		j.obj = o.(*batchv1.Job)
	}
}

func setJob(s *batchv1.JobStatus, kind batchv1.JobConditionType, status corev1.ConditionStatus, reason string, at metav1.Time) {
	for i := range s.Conditions {
		if c := &s.Conditions[i]; c.Type == kind {
			if c.Status != status {
				c.Status, c.Reason, c.LastTransitionTime, c.LastProbeTime = status, reason, at, at
			}
			return
		}
	}
	if status == corev1.ConditionTrue {
		s.Conditions = append(s.Conditions, batchv1.JobCondition{Type: kind, Status: status, Reason: reason, LastTransitionTime: at, LastProbeTime: at})
	}
}

// buryJob ends what a deleted Job leaves: its pods, its Workload, its progress.
func (c *Control) buryJob(j *job) {
	for _, p := range j.sorted() {
		if p.obj.DeletionTimestamp == nil {
			c.deletePod(p)
		}
	}
	if j.work != nil {
		ns, name := split(j.work.key)
		c.store.Remove(c.store.Workloads, ns, name)
		j.work = nil
	}
	if len(j.pods) == 0 {
		c.cfg.Cluster.Forget(j.key)
		if c.jobs[j.key] == j {
			delete(c.jobs, j.key)
		}
	}
}

// startProgram starts a job's program once all of its pods run.
func (c *Control) startProgram(j *job) {
	if j.running || j.over || j.gone {
		return
	}
	var places []gpus.Place
	ready := 0
	for _, p := range j.sorted() {
		if p.obj.Status.Phase == corev1.PodRunning && p.obj.DeletionTimestamp == nil && !p.over {
			ready++
			if len(p.at) > 0 {
				places = append(places, gpus.Place{Node: p.node.name, GPUs: p.at})
			}
		}
	}
	if ready < int(parallel(j.obj)) || len(places) == 0 {
		return
	}
	if err := c.cfg.Cluster.Start(c.program(j), places); err == nil { // else a GPU or node is lost, which shows by itself
		j.running = true
	}
}

// program reads the arguments of a job's program.
func (c *Control) program(j *job) gpus.Work {
	w := c.cfg.Default
	w.ID = j.key
	arg := func(k string) string {
		if v := j.obj.Annotations[k]; v != "" {
			return v
		}
		return j.obj.Spec.Template.Annotations[k]
	}
	for k, to := range map[string]*time.Duration{ArgWork: &w.Total, ArgSave: &w.Takes, ArgEvery: &w.Every, ArgLoad: &w.Load} {
		if d, err := time.ParseDuration(arg(k)); err == nil && d >= 0 {
			*to = d
		}
	}
	if f, err := strconv.ParseFloat(arg(ArgActivity), 64); err == nil {
		w.Activity = f
	}
	if v := arg(ArgOnTerm); v != "" {
		w.OnTerm = !strings.EqualFold(v, "false")
	}
	return w
}

// happened takes up what happened to a program.
func (c *Control) happened(e gpus.Event) {
	j := c.jobs[e.Job]
	if j == nil {
		return
	}
	if e.Kind == gpus.Saved || e.Kind == gpus.Finished {
		ns, name := split(j.key)
		_, _ = c.store.Mutate(c.store.Jobs, ns, name, func(o kube.Object) error { // it may be gone
			notes := o.GetAnnotations()
			if notes == nil {
				notes = map[string]string{}
			}
			notes[Saved] = e.At.UTC().Format(time.RFC3339)
			o.SetAnnotations(notes)
			return nil
		})
	}
	if e.Kind == gpus.Saved {
		return
	}
	j.running = false
	if e.Kind == gpus.Finished {
		j.over, j.doneAt = true, c.now
		c.ended = append(c.ended, j)
	}
	for _, p := range j.sorted() {
		switch {
		case p.obj.DeletionTimestamp != nil:
			c.await(p) // its turn to go
		case p.obj.Status.Phase != corev1.PodRunning:
		case e.Kind == gpus.Finished:
			p.over = true
			c.changePod(p, func(o *corev1.Pod) {
				o.Status.Phase = corev1.PodSucceeded
				setPod(o, corev1.PodReady, corev1.ConditionFalse, "PodCompleted", c.now)
			})
			c.release(p)
		case e.Kind == gpus.Failed && p.node != nil && c.cfg.Cluster.Node(p.node.name).State() == gpus.On:
			c.failPod(p, "Error", "the program ended with an error")
		}
	}
	c.mark(j)
}

// release gives a pod's GPUs back: it has ended and its object stays.
func (c *Control) release(p *pod) {
	for _, i := range p.at {
		p.node.used[i] = nil
	}
	p.at, p.node = nil, nil
	c.sched = true
}

// expire deletes Jobs that ended long ago.
func (c *Control) expire() {
	for len(c.ended) > 0 {
		j := c.ended[0]
		keep := c.cfg.Keep
		if s := j.obj.Spec.TTLSecondsAfterFinished; s != nil {
			keep = time.Duration(*s) * time.Second
		}
		if c.now.Sub(j.doneAt) < keep {
			return
		}
		c.ended = c.ended[1:]
		ns, name := split(j.key)
		for _, p := range j.sorted() {
			c.dropPod(p)
		}
		c.store.Remove(c.store.Jobs, ns, name)
	}
}
