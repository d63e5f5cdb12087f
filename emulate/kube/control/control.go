package control

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	kueue "sigs.k8s.io/kueue/apis/kueue/v1beta1"

	"switchyard/clock"
	"switchyard/emulate/gpus"
	"switchyard/emulate/kube"
)

// Annotations of jobs. Those of checkpoints are what a controller and a job say to each other.
const (
	// Requested asks a job, or a pod of it, to save its work: each new value is a new wish.
	Requested = "switchyard.io/checkpoint-requested"
	// Saved is when the job last saved its work, RFC 3339; the job writes it on its Job.
	Saved = "switchyard.io/saved"
	// The emulated program's arguments: durations at full speed ("4h"), a share, "false".
	ArgWork     = "emulate.switchyard.io/work"     // all there is to do; "0": it never ends
	ArgSave     = "emulate.switchyard.io/save"     // how long saving takes; "0": it cannot
	ArgEvery    = "emulate.switchyard.io/every"    // between two saves unasked; "0": none
	ArgLoad     = "emulate.switchyard.io/load"     // from its start to work
	ArgActivity = "emulate.switchyard.io/activity" // how hard it works its GPUs, "0.9"
	ArgOnTerm   = "emulate.switchyard.io/on-term"  // "false": it does not save at SIGTERM
)

// queueLabel names a job's LocalQueue.
const queueLabel = "kueue.x-k8s.io/queue-name"

// Pace of the cluster's parts, site time.
const (
	tick        = 100 * time.Millisecond
	leastTick   = 5 * time.Millisecond // of the machine's time
	startTime   = 700 * time.Millisecond
	lookEvery   = time.Second // at the nodes' health
	unreachable = 40 * time.Second
	tolerated   = 300 * time.Second
	jobsATick   = 1000 // jobs looked at in one tick, the others wait
)

// Config is what a Control is made of.
type Config struct {
	Server  *kube.Server
	Cluster *gpus.Cluster
	// GPUResource is what a GPU is called; default nvidia.com/gpu.
	GPUResource string
	// Labels are put on every node, beside its own.
	Labels map[string]string
	// Default are the arguments of programs that say nothing: an hour of work, saved in 20 s
	// every 10 minutes, where it is left zero.
	Default gpus.Work
	// Keep is how long a finished Job stays where it does not say; default an hour, site time.
	Keep time.Duration
}

// Control runs what happens in the cluster.
type Control struct {
	cfg   Config
	store *kube.Store
	gpu   corev1.ResourceName

	inbox struct {
		sync.Mutex
		changes []kube.Change
		events  []gpus.Event
	}

	mu      sync.Mutex // guards what follows
	now     time.Time
	looked  time.Time
	serial  uint64
	nodes   []*node
	byNode  map[string]*node
	jobs    map[string]*job
	pods    map[string]*pod
	dirty   []*job // in the order in which they became so
	loose   []*pod // without a node, oldest first
	sched   bool   // something changed that may let one be placed
	due     []*pod // that wait for a time
	ended   []*job // finished, oldest first
	queues  map[string]*queue
	locals  map[string]*kueue.LocalQueue
	flavors map[string]*kueue.ResourceFlavor
	works   map[string]*workload
	ranks   map[string]int32 // of priority classes
}

// New makes the nodes' objects in the server's store and returns what runs them.
func New(cfg Config) (*Control, error) {
	if cfg.GPUResource == "" {
		cfg.GPUResource = "nvidia.com/gpu"
	}
	if cfg.Keep <= 0 {
		cfg.Keep = time.Hour
	}
	d := &cfg.Default
	if d.Total == 0 && d.Takes == 0 && d.Every == 0 {
		d.Total, d.Takes, d.Every, d.Load, d.OnTerm = time.Hour, 20*time.Second, 10*time.Minute, 15*time.Second, true
	}
	c := &Control{
		cfg: cfg, store: cfg.Server.Store(), gpu: corev1.ResourceName(cfg.GPUResource), now: cfg.Cluster.Now(), sched: true,
		byNode: map[string]*node{}, jobs: map[string]*job{}, pods: map[string]*pod{}, queues: map[string]*queue{},
		locals: map[string]*kueue.LocalQueue{}, flavors: map[string]*kueue.ResourceFlavor{}, works: map[string]*workload{}, ranks: map[string]int32{},
	}
	c.store.Admit(c.admit)
	c.store.Hook(func(ch kube.Change) {
		c.inbox.Lock()
		c.inbox.changes = append(c.inbox.changes, ch)
		c.inbox.Unlock()
	})
	cfg.Cluster.Watch(func(e gpus.Event) {
		c.inbox.Lock()
		c.inbox.events = append(c.inbox.events, e)
		c.inbox.Unlock()
	})
	return c, c.makeNodes()
}

// Run moves the cluster by clk until ctx ends. It blocks.
func (c *Control) Run(ctx context.Context, clk clock.Clock) {
	pause := max(tick, time.Duration(float64(leastTick)*clk.Speed()))
	for clock.Sleep(ctx, clk, pause) == nil {
		c.Tick(clk.Now())
	}
}

// Tick lets every part of the cluster act once, at site time now.
func (c *Control) Tick(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
	c.inbox.Lock()
	changes, events := c.inbox.changes, c.inbox.events
	c.inbox.changes, c.inbox.events = nil, nil
	c.inbox.Unlock()
	for _, ch := range changes {
		c.observe(ch)
	}
	for _, e := range events {
		c.happened(e)
	}
	if now.Sub(c.looked) >= lookEvery {
		c.looked = now
		c.lookAtNodes()
	}
	c.admitWorkloads()
	c.stepJobs()
	c.schedule()
	c.stepPods()
	c.expire()
}

// observe takes a change of the store up.
func (c *Control) observe(ch kube.Change) {
	o := ch.Now
	if o == nil {
		o = ch.Before
	}
	key := o.GetNamespace() + "/" + o.GetName()
	switch o := o.(type) {
	case *batchv1.Job:
		c.observeJob(key, o, ch.Now == nil)
	case *corev1.Pod:
		c.observePod(key, o, ch.Now == nil)
	case *corev1.Node:
		c.observeNode(o, ch.Now == nil)
	case *kueue.Workload:
		c.observeWorkload(key, o, ch.Now == nil)
	case *kueue.ClusterQueue:
		c.observeQueue(o, ch.Now == nil)
	case *kueue.LocalQueue:
		c.observeLocal(key, o, ch.Now == nil)
	case *kueue.ResourceFlavor:
		c.flavors[o.Name] = o
		if ch.Now == nil {
			delete(c.flavors, o.Name)
		}
		c.openAll()
	case *kueue.WorkloadPriorityClass:
		c.ranks[o.Name] = o.Value
		if ch.Now == nil {
			delete(c.ranks, o.Name)
		}
	}
}

// admit is Kueue's webhook: a new Job of a queue begins suspended.
func (c *Control) admit(_ *kube.Resource, o kube.Object) {
	if j, ok := o.(*batchv1.Job); ok && j.Labels[queueLabel] != "" {
		yes := true
		j.Spec.Suspend = &yes
	}
}

// mark puts a job on the list of those to be looked at.
func (c *Control) mark(j *job) {
	if j != nil && !j.dirty {
		j.dirty = true
		c.dirty = append(c.dirty, j)
	}
}

func (c *Control) stepJobs() {
	todo := c.dirty
	if len(todo) > jobsATick {
		todo = todo[:jobsATick]
	}
	c.dirty = slices.Clone(c.dirty[len(todo):])
	for _, j := range todo {
		j.dirty = false
		c.stepJob(j)
	}
}

// suffix returns a short name that is not used yet.
func (c *Control) suffix() string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	c.serial++
	x := c.serial * 0x9e3779b97f4a7c15
	var b [6]byte
	for i := range b {
		b[i] = letters[x%uint64(len(letters))]
		x /= uint64(len(letters))
	}
	return string(b[:])
}

func split(key string) (ns, name string) {
	ns, name, _ = strings.Cut(key, "/")
	return ns, name
}
