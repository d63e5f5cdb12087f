package control

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"switchyard/emulate/gpus"
	"switchyard/emulate/kube"
)

// node is one machine.
type node struct {
	name  string
	obj   *corev1.Node
	used  []*pod // by GPU
	lost  []bool
	up    bool      // its operating system is
	since time.Time // of up
	known bool      // that it is away is told in its object
}

// free counts the GPUs that a pod could get.
func (n *node) free() int {
	count := 0
	for i, p := range n.used {
		if p == nil && !n.lost[i] {
			count++
		}
	}
	return count
}

func (c *Control) makeNodes() error {
	for _, g := range c.cfg.Cluster.Nodes() {
		cfg := g.Config()
		n := &node{name: cfg.Name, used: make([]*pod, cfg.GPUs), lost: make([]bool, cfg.GPUs), up: true, since: c.now}
		labels := map[string]string{
			"kubernetes.io/hostname": cfg.Name, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
			"nvidia.com/gpu.product": Label(cfg.Model.Product), "nvidia.com/gpu.count": fmt.Sprint(cfg.GPUs), "nvidia.com/gpu.present": "true",
			"switchyard.io/gpu": Label(cfg.Model.Name),
		}
		for k, v := range c.cfg.Labels {
			labels[k] = v
		}
		can := corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("192"), corev1.ResourceMemory: resource.MustParse("2Ti"), corev1.ResourcePods: resource.MustParse("110"),
			c.gpu: *resource.NewQuantity(int64(cfg.GPUs), resource.DecimalSI),
		}
		o := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: cfg.Name, Labels: labels},
			Status: corev1.NodeStatus{
				Capacity: can, Allocatable: can.DeepCopy(), Addresses: []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: cfg.Name}},
				NodeInfo: corev1.NodeSystemInfo{KubeletVersion: "v1.34.1", OperatingSystem: "linux", Architecture: "amd64", MachineID: cfg.Name},
			},
		}
		setNodeReady(o, corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status", c.now)
		made, err := c.store.Create(c.store.Nodes, o)
		if err != nil {
			return fmt.Errorf("make node %s: %w", cfg.Name, err)
		}
		n.obj = made.(*corev1.Node)
		c.nodes = append(c.nodes, n)
		c.byNode[n.name] = n
	}
	return nil
}

// Label makes a name fit a label's value: what may not stand in one is a hyphen.
func Label(s string) string {
	b := []byte(s)
	for i, ch := range b {
		if ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || ch == '.' || ch == '_' {
			continue
		}
		b[i] = '-'
	}
	return string(b[:min(len(b), 63)])
}

func setNodeReady(o *corev1.Node, s corev1.ConditionStatus, reason, message string, now time.Time) {
	at := metav1.NewTime(now.Truncate(time.Second))
	cond := corev1.NodeCondition{Type: corev1.NodeReady, Status: s, Reason: reason, Message: message, LastHeartbeatTime: at, LastTransitionTime: at}
	for i := range o.Status.Conditions {
		if o.Status.Conditions[i].Type == corev1.NodeReady {
			o.Status.Conditions[i] = cond
			return
		}
	}
	o.Status.Conditions = append(o.Status.Conditions, cond)
}

func (c *Control) observeNode(o *corev1.Node, gone bool) {
	n := c.byNode[o.Name]
	if n == nil {
		return // no machine of ours behind it
	}
	n.obj = o
	if gone {
		n.obj = nil
	}
	c.sched = true
	if n.obj != nil {
		for _, p := range n.pods() {
			c.heedTaints(n, p)
		}
	}
}

// pods returns the pods that have GPUs of the node.
func (n *node) pods() []*pod {
	var all []*pod
	for _, p := range n.used {
		if p != nil && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// heedTaints evicts a pod that does not bear its node's taints.
func (c *Control) heedTaints(n *node, p *pod) {
	for _, t := range n.obj.Spec.Taints {
		if t.Effect != corev1.TaintEffectNoExecute || p.obj.DeletionTimestamp != nil {
			continue
		}
		bears, wait := tolerates(p.obj.Spec.Tolerations, &t)
		switch {
		case !bears:
			c.deletePod(p)
		case wait >= 0:
			from := c.now
			if t.TimeAdded != nil {
				from = t.TimeAdded.Time
			}
			p.evictAt = from.Add(wait)
			c.await(p)
		}
	}
}

// tolerates says whether tolerations bear a taint, and for how long; negative: for ever.
func tolerates(all []corev1.Toleration, t *corev1.Taint) (bool, time.Duration) {
	bears, least := false, time.Duration(-1)
	for i := range all {
		if !tolerated1(&all[i], t) {
			continue
		}
		bears = true
		if s := all[i].TolerationSeconds; s != nil {
			if d := time.Duration(max(*s, 0)) * time.Second; least < 0 || d < least {
				least = d
			}
		}
	}
	return bears, least
}

func tolerated1(o *corev1.Toleration, t *corev1.Taint) bool {
	if o.Effect != "" && o.Effect != t.Effect || o.Key != "" && o.Key != t.Key {
		return false
	}
	return o.Operator == corev1.TolerationOpExists || o.Key != "" && o.Value == t.Value
}

// takes says whether the scheduler may put a pod on the node.
func (n *node) takes(p *pod) bool {
	if n.obj == nil || n.obj.Spec.Unschedulable || n.known || !n.up {
		return false
	}
	for k, v := range p.obj.Spec.NodeSelector {
		if n.obj.Labels[k] != v {
			return false
		}
	}
	for i := range n.obj.Spec.Taints {
		t := &n.obj.Spec.Taints[i]
		if t.Effect == corev1.TaintEffectPreferNoSchedule {
			continue
		}
		if ok, _ := tolerates(p.obj.Spec.Tolerations, t); !ok {
			return false
		}
	}
	return true
}

// lookAtNodes is the node lifecycle: machines that went away or came back, GPUs lost and found.
func (c *Control) lookAtNodes() {
	var ill, back []*node
	c.cfg.Cluster.Health(func(i int, s gpus.State, lost []bool) {
		n := c.nodes[i]
		if up := s == gpus.On; up != n.up {
			n.up, n.since = up, c.now
			if up {
				back = append(back, n)
			}
		}
		if n.up && !slices.Equal(n.lost, lost) {
			copy(n.lost, lost)
			ill = append(ill, n)
		}
	})
	for _, n := range back {
		c.nodeBack(n)
	}
	for _, n := range ill {
		c.countGPUs(n)
	}
	for _, n := range c.nodes {
		if !n.up && !n.known && c.now.Sub(n.since) >= unreachable {
			c.nodeAway(n)
		}
	}
}

func (c *Control) changeNode(n *node, fn func(o *corev1.Node)) {
	o, err := c.store.Mutate(c.store.Nodes, "", n.name, func(o kube.Object) error { fn(o.(*corev1.Node)); return nil })
	if err == nil { // else somebody deleted it
		n.obj = o.(*corev1.Node)
	}
}

// countGPUs tells in the node's object how many GPUs are sound.
func (c *Control) countGPUs(n *node) {
	sound := int64(0)
	for _, l := range n.lost {
		if !l {
			sound++
		}
	}
	c.changeNode(n, func(o *corev1.Node) { o.Status.Allocatable[c.gpu] = *resource.NewQuantity(sound, resource.DecimalSI) })
	c.sched = true
}

func (c *Control) nodeAway(n *node) {
	n.known = true
	at := metav1.NewTime(c.now.Truncate(time.Second))
	c.changeNode(n, func(o *corev1.Node) {
		setNodeReady(o, corev1.ConditionUnknown, "NodeStatusUnknown", "Kubelet stopped posting node status.", c.now)
		for _, e := range []corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute} {
			o.Spec.Taints = append(o.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeUnreachable, Effect: e, TimeAdded: &at})
		}
	})
}

// nodeBack lets a machine in again that has booted: what ran on it is dead.
func (c *Control) nodeBack(n *node) {
	n.known = false
	clear(n.lost)
	c.changeNode(n, func(o *corev1.Node) {
		setNodeReady(o, corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status", c.now)
		o.Spec.Taints = slices.DeleteFunc(o.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeUnreachable })
		o.Status.Allocatable[c.gpu] = o.Status.Capacity[c.gpu]
	})
	for _, p := range n.pods() {
		p.evictAt = time.Time{}
		if p.obj.DeletionTimestamp != nil {
			c.dropPod(p)
		} else if p.obj.Status.Phase == corev1.PodRunning {
			c.failPod(p, "NodeLost", "the node went down")
		}
	}
	c.sched = true
}
