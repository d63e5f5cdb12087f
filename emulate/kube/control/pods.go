package control

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"switchyard/emulate/gpus"
	"switchyard/emulate/kube"
)

// pod is one pod.
type pod struct {
	key  string
	obj  *corev1.Pod
	job  *job // nil: of nobody
	gpus int
	node *node
	at   []int // its GPUs there
	// startAt is when its container runs, evictAt when a taint is no longer borne.
	startAt, evictAt time.Time
	waits            bool // is in due
	told             bool // that it ends, its program was told
	over             bool // its program has ended
}

func gpusOf(spec *corev1.PodSpec, name corev1.ResourceName) int {
	sum := int64(0)
	for i := range spec.Containers {
		r := &spec.Containers[i].Resources
		q, ok := r.Requests[name]
		if !ok {
			q = r.Limits[name]
		}
		sum += q.Value()
	}
	return int(sum)
}

func (c *Control) observePod(key string, o *corev1.Pod, gone bool) {
	p := c.pods[key]
	if gone {
		if p != nil {
			c.forgetPod(p)
		}
		return
	}
	if p == nil {
		p = &pod{key: key, gpus: gpusOf(&o.Spec, c.gpu)}
		c.pods[key] = p
		if owner := metav1.GetControllerOf(o); owner != nil && owner.Kind == "Job" {
			if p.job = c.jobs[o.Namespace+"/"+owner.Name]; p.job != nil {
				p.job.pods[key] = p
			}
		}
		if o.Spec.NodeName == "" {
			c.loose = append(c.loose, p)
			c.sched = true
		}
	}
	p.obj = o
	if o.DeletionTimestamp != nil {
		c.await(p)
	}
	if wish := o.Annotations[Requested]; wish != "" && p.job != nil {
		c.heedWish(p.job, wish)
	}
	c.mark(p.job)
}

// forgetPod drops a pod whose object is gone, its program with it.
func (c *Control) forgetPod(p *pod) {
	if p.job != nil {
		if !p.over && p.job.running && p.obj.Status.Phase == corev1.PodRunning {
			c.cfg.Cluster.Kill(p.job.key) // taken away by force
		}
		delete(p.job.pods, p.key)
		c.mark(p.job)
	}
	if p.node != nil {
		for _, i := range p.at {
			p.node.used[i] = nil
			c.cfg.Cluster.SetOwner(p.node.name, i, gpus.Owner{})
		}
	}
	delete(c.pods, p.key)
	p.node, p.at = nil, nil
	c.loose = slices.DeleteFunc(c.loose, func(x *pod) bool { return x == p })
	c.due = slices.DeleteFunc(c.due, func(x *pod) bool { return x == p })
	c.sched = true
}

// await puts a pod on the list of those that wait for a time.
func (c *Control) await(p *pod) {
	if !p.waits {
		p.waits = true
		c.due = append(c.due, p)
	}
}

// schedule binds pods without a node, oldest first, each to the fullest node that has room.
func (c *Control) schedule() {
	if !c.sched || len(c.loose) == 0 {
		return
	}
	c.sched = false
	most := 0
	free := make([]int, len(c.nodes))
	for i, n := range c.nodes {
		free[i] = n.free()
		if n.up && !n.known {
			most = max(most, free[i])
		}
	}
	var left []*pod
	for _, p := range c.loose {
		if p.obj.DeletionTimestamp != nil || p.obj.Spec.NodeName != "" {
			continue
		}
		best := -1
		if p.gpus <= most {
			for i, n := range c.nodes {
				if free[i] >= p.gpus && (best < 0 || free[i] < free[best]) && n.takes(p) {
					best = i
				}
			}
		}
		if best < 0 {
			left = append(left, p)
			continue
		}
		free[best] -= p.gpus
		c.bind(p, c.nodes[best])
	}
	c.loose = left
}

func (c *Control) bind(p *pod, n *node) {
	p.node = n
	for i := range n.used {
		if len(p.at) < p.gpus && n.used[i] == nil && !n.lost[i] {
			n.used[i] = p
			p.at = append(p.at, i)
			c.cfg.Cluster.SetOwner(n.name, i, gpus.Owner{Namespace: p.obj.Namespace, Pod: p.obj.Name, Container: p.obj.Spec.Containers[0].Name})
		}
	}
	p.startAt = c.now.Add(startTime + time.Duration(len(p.key)%7)*100*time.Millisecond)
	c.await(p)
	c.changePod(p, func(o *corev1.Pod) {
		o.Spec.NodeName = n.name
		setPod(o, corev1.PodScheduled, corev1.ConditionTrue, "", c.now)
	})
}

func (c *Control) changePod(p *pod, fn func(o *corev1.Pod)) {
	ns, name := split(p.key)
	o, err := c.store.Mutate(c.store.Pods, ns, name, func(o kube.Object) error { fn(o.(*corev1.Pod)); return nil })
	if err == nil { // else it is gone
		p.obj = o.(*corev1.Pod)
	}
}

func setPod(o *corev1.Pod, kind corev1.PodConditionType, s corev1.ConditionStatus, reason string, now time.Time) {
	cond := corev1.PodCondition{Type: kind, Status: s, Reason: reason, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second))}
	for i := range o.Status.Conditions {
		if o.Status.Conditions[i].Type == kind {
			o.Status.Conditions[i] = cond
			return
		}
	}
	o.Status.Conditions = append(o.Status.Conditions, cond)
}

// stepPods is the kubelets: containers that start, and pods that end.
func (c *Control) stepPods() {
	todo := c.due
	c.due = nil
	for _, p := range todo {
		if c.pods[p.key] != p {
			continue
		}
		p.waits = false
		if c.stepPod(p) {
			c.await(p)
		}
	}
}

// stepPod says whether the pod still waits for a time.
func (c *Control) stepPod(p *pod) bool {
	if p.obj.DeletionTimestamp != nil {
		return c.endPod(p)
	}
	again := false
	if !p.startAt.IsZero() {
		switch {
		case c.now.Before(p.startAt) || p.node != nil && !p.node.up:
			again = true
		default:
			p.startAt = time.Time{}
			c.startPod(p)
		}
	}
	if !p.evictAt.IsZero() {
		if c.now.Before(p.evictAt) {
			return true
		}
		p.evictAt = time.Time{}
		c.deletePod(p)
		return true
	}
	return again
}

func (c *Control) startPod(p *pod) {
	at := metav1.NewTime(c.now.Truncate(time.Second))
	c.changePod(p, func(o *corev1.Pod) {
		o.Status.Phase, o.Status.StartTime, o.Status.HostIP = corev1.PodRunning, &at, "127.0.0.1"
		for _, k := range []corev1.PodConditionType{corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
			setPod(o, k, corev1.ConditionTrue, "", c.now)
		}
		o.Status.ContainerStatuses = nil
		for i := range o.Spec.Containers {
			yes := true
			o.Status.ContainerStatuses = append(o.Status.ContainerStatuses, corev1.ContainerStatus{
				Name: o.Spec.Containers[i].Name, Image: o.Spec.Containers[i].Image, Ready: true, Started: &yes,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at}},
			})
		}
	})
	if p.job != nil {
		c.startProgram(p.job)
		c.mark(p.job)
	}
}

// endPod lets a pod end that was told to: its program is told once, and the object goes when the
// program has ended. It says whether it still waits.
func (c *Control) endPod(p *pod) bool {
	if p.node != nil && !p.node.up {
		return true // nobody there to say that it ended
	}
	if p.job == nil || !p.job.running || p.over || p.obj.Status.Phase != corev1.PodRunning {
		c.dropPod(p)
		return false
	}
	if !p.told {
		p.told = true
		c.cfg.Cluster.Terminate(p.job.key, p.obj.DeletionTimestamp.Sub(c.now))
	}
	if !c.now.Before(p.obj.DeletionTimestamp.Add(2 * time.Second)) {
		c.cfg.Cluster.Kill(p.job.key) // its grace was made shorter
	}
	return true
}

// dropPod takes a pod's object away.
func (c *Control) dropPod(p *pod) {
	p.over = true
	ns, name := split(p.key)
	c.store.Remove(c.store.Pods, ns, name)
}

func (c *Control) deletePod(p *pod) {
	ns, name := split(p.key)
	o, err := c.store.Delete(c.store.Pods, ns, name, &metav1.DeleteOptions{})
	if err == nil && o.GetDeletionTimestamp() != nil {
		p.obj = o.(*corev1.Pod)
		c.await(p)
	}
}

func (c *Control) failPod(p *pod, reason, message string) {
	p.over = true
	c.changePod(p, func(o *corev1.Pod) {
		o.Status.Phase, o.Status.Reason, o.Status.Message = corev1.PodFailed, reason, message
		setPod(o, corev1.PodReady, corev1.ConditionFalse, "PodFailed", c.now)
	})
	if p.job != nil {
		p.job.failed++
	}
}
