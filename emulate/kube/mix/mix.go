// Package mix owns what tenants ask of an emulated cluster: its queues as the site file's classes
// want them, a service of each firm tenant that never ends, and training jobs that come by
// chance, with sizes from one to 32 GPUs and hours of work.
//
// It speaks to the store as a client would, and never starts or stops anything itself.
//
// Concurrency: Run has one goroutine; Tick has one caller at a time.
package mix

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kueue "sigs.k8s.io/kueue/apis/kueue/v1beta1"

	"switchyard/clock"
	"switchyard/emulate/fault"
	"switchyard/emulate/kube"
	"switchyard/emulate/kube/control"
	"switchyard/sitefile/cluster"
)

// Config is what a mix is made of.
type Config struct {
	Store   *kube.Store
	Cluster cluster.Cluster
	Seed    uint64
	// Load is the work that comes, as a share of what the flexible part can do; default 1.2, so
	// that there is always a queue.
	Load float64
	// Mean is the mean work of a job; default three hours.
	Mean time.Duration
}

// mostWaiting bounds the jobs of a class that are not done: beyond it none come.
const mostWaiting = 2000

// Mix submits jobs.
type Mix struct {
	cfg     Config
	gpu     corev1.ResourceName
	streams []*stream
}

// stream is the jobs of one tenant in one class.
type stream struct {
	class  cluster.Class
	ns     string
	queue  string
	dice   *fault.Dice
	every  time.Duration // mean, between two jobs
	next   time.Time
	serial int
	most   int // GPUs of one job
}

// New makes the namespaces and queues, the firm tenants' services and the jobs of the first
// moment, at site time now.
func New(cfg Config, now time.Time) (*Mix, error) {
	if cfg.Load <= 0 {
		cfg.Load = 1.2
	}
	if cfg.Mean <= 0 {
		cfg.Mean = 3 * time.Hour
	}
	m := &Mix{cfg: cfg, gpu: "nvidia.com/gpu"}
	if k := cfg.Cluster.Kubernetes; k != nil && k.GPUResource != "" {
		m.gpu = corev1.ResourceName(k.GPUResource)
	}
	total, firm, err := m.makeQueues()
	if err != nil {
		return nil, err
	}
	return m, m.plan(now, total, firm)
}

// create makes an object that may be there already.
func (m *Mix) create(r *kube.Resource, o kube.Object) error {
	if m.cfg.Store.Get(r, o.GetNamespace(), o.GetName()) != nil {
		return nil
	}
	if _, err := m.cfg.Store.Create(r, o); err != nil {
		return fmt.Errorf("make %s %s: %w", r.Singular, o.GetName(), err)
	}
	return nil
}

// makeQueues makes what Kueue needs and returns all GPUs and those of firm queues.
func (m *Mix) makeQueues() (total, firm int, err error) {
	c, st := m.cfg.Cluster, m.cfg.Store
	have := map[string]int{}
	for _, row := range c.Machines {
		names, err := cluster.Names(row.Names)
		if err != nil {
			return 0, 0, err
		}
		have[row.Model] += len(names) * row.GPUs
		total += len(names) * row.GPUs
	}
	held := map[string]int{}
	for _, t := range c.Tenants {
		for model, n := range t.Reserved {
			held[model] += n
			firm += n
		}
	}
	for model := range have {
		if err := m.create(st.Flavors, &kueue.ResourceFlavor{ObjectMeta: metav1.ObjectMeta{Name: flavor(model)}, Spec: kueue.ResourceFlavorSpec{NodeLabels: map[string]string{"switchyard.io/gpu": control.Label(model)}}}); err != nil {
			return 0, 0, err
		}
	}
	var firms, others int
	for _, k := range c.Classes {
		if k.Kind == "firm" || k.Kind == "semi" {
			firms += len(queuesOf(k))
		} else if k.Kind != "spot" {
			others += len(queuesOf(k))
		}
	}
	for _, k := range c.Classes {
		for _, q := range queuesOf(k) {
			if err := m.makeQueue(k, q, have, held, firms, others); err != nil {
				return 0, 0, err
			}
		}
	}
	return total, min(firm, total), nil
}

// flavor is what a GPU model's ResourceFlavor is called.
func flavor(model string) string {
	return strings.ToLower(strings.ReplaceAll(control.Label(model), "_", "-"))
}

func queuesOf(k cluster.Class) []string {
	if len(k.Queues) == 0 {
		return []string{k.Name}
	}
	return k.Queues
}

// makeQueue makes a ClusterQueue: firm ones have what is reserved, flexible ones share the rest,
// spot has nothing of its own and borrows.
func (m *Mix) makeQueue(k cluster.Class, name string, have, held map[string]int, firms, others int) error {
	q := &kueue.ClusterQueue{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: kueue.ClusterQueueSpec{Cohort: kueue.CohortReference(m.cfg.Cluster.ID), NamespaceSelector: &metav1.LabelSelector{}}}
	q.Spec.Preemption = &kueue.ClusterQueuePreemption{WithinClusterQueue: kueue.PreemptionPolicyLowerPriority}
	group := kueue.ResourceGroup{CoveredResources: []corev1.ResourceName{m.gpu}}
	for _, model := range sorted(have) {
		n := 0
		switch k.Kind {
		case "firm", "semi":
			q.Spec.Preemption.ReclaimWithinCohort = kueue.PreemptionPolicyAny
			n = held[model] / max(firms, 1)
		case "spot":
		default:
			n = max(0, have[model]-held[model]) / max(others, 1)
		}
		group.Flavors = append(group.Flavors, kueue.FlavorQuotas{
			Name: kueue.ResourceFlavorReference(flavor(model)), Resources: []kueue.ResourceQuota{{Name: m.gpu, NominalQuota: *resource.NewQuantity(int64(n), resource.DecimalSI)}},
		})
	}
	q.Spec.ResourceGroups = []kueue.ResourceGroup{group}
	if err := m.create(m.cfg.Store.ClusterQueues, q); err != nil {
		return err
	}
	for _, t := range m.cfg.Cluster.Tenants {
		for _, ns := range accounts(t) {
			if err := m.create(m.cfg.Store.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}); err != nil {
				return err
			}
			l := &kueue.LocalQueue{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns}, Spec: kueue.LocalQueueSpec{ClusterQueue: kueue.ClusterQueueReference(name)}}
			if err := m.create(m.cfg.Store.LocalQueues, l); err != nil {
				return err
			}
		}
	}
	return nil
}

func accounts(t cluster.Tenant) []string {
	if len(t.Accounts) == 0 {
		return []string{t.ID}
	}
	return t.Accounts
}

func sorted(m map[string]int) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// plan starts the services and plans the streams.
func (m *Mix) plan(now time.Time, total, firm int) error {
	var flexible []*stream
	for _, t := range m.cfg.Cluster.Tenants {
		for _, ns := range accounts(t)[:1] {
			for _, k := range m.cfg.Cluster.Classes {
				q := queuesOf(k)[0]
				if k.Kind == "firm" || k.Kind == "semi" {
					if err := m.service(t, k, ns, q); err != nil {
						return err
					}
					continue
				}
				flexible = append(flexible, &stream{
					class: k, ns: ns, queue: q, dice: fault.NewDice(fault.Hash(m.cfg.Seed, "mix "+ns+" "+k.Name)), most: max(1, min(32, total/4)),
				})
			}
		}
	}
	m.streams = flexible
	for _, s := range flexible {
		// Mean GPUs of a job times mean work, against this stream's share of the GPUs.
		share := float64(max(total-firm, 1)) * m.cfg.Load / float64(len(flexible))
		s.every = max(time.Duration(meanSize(s.most)*float64(m.cfg.Mean)/share), time.Second)
		for gpus := 0.0; gpus < share; gpus += meanSize(s.most) {
			if err := m.submit(s, s.dice.Float()); err != nil { // under way since some time
				return err
			}
		}
		s.next = now.Add(s.pause())
	}
	return nil
}

// pause throws the time to the next job: a Poisson process.
func (s *stream) pause() time.Duration {
	return time.Duration(-math.Log(1-s.dice.Float()) * float64(s.every))
}

// sizes are GPUs of a job and how often they come.
func sizes() [][2]float64 { return [][2]float64{{1, 30}, {2, 15}, {4, 15}, {8, 25}, {16, 10}, {32, 5}} }

func meanSize(most int) float64 {
	sum, all := 0.0, 0.0
	for _, s := range sizes() {
		if s[0] <= float64(most) {
			sum, all = sum+s[0]*s[1], all+s[1]
		}
	}
	return sum / all
}

func (s *stream) size() int {
	all := 0.0
	for _, x := range sizes() {
		if x[0] <= float64(s.most) {
			all += x[1]
		}
	}
	at := s.dice.Float() * all
	for _, x := range sizes() {
		if at -= x[1]; at < 0 {
			return int(x[0])
		}
	}
	return 1
}

// submit makes one job; part is how much of its work is left.
func (m *Mix) submit(s *stream, part float64) error {
	s.serial++
	n := s.size()
	work := time.Duration(-math.Log(1-0.98*s.dice.Float()) * float64(m.cfg.Mean) * part)
	k := s.class
	save, every := k.Checkpoint, k.Every
	if save <= 0 {
		save = 30 * time.Second
	}
	if every <= 0 {
		every = 15 * time.Minute
	}
	load := max(k.Restart, 15*time.Second)
	return m.job(s.ns, fmt.Sprintf("%s-%d", k.Name, s.serial), s.queue, n, map[string]string{
		control.ArgWork: max(work, 10*time.Minute).Round(time.Second).String(), control.ArgSave: save.String(), control.ArgEvery: every.String(),
		control.ArgLoad: load.String(), control.ArgActivity: fmt.Sprintf("%.2f", 0.85+0.15*s.dice.Float()),
	}, max(2*save, 30*time.Second))
}

// service makes the firm tenant's part that never ends: most of what it has reserved.
func (m *Mix) service(t cluster.Tenant, k cluster.Class, ns, queue string) error {
	n := 0
	for _, model := range sorted(t.Reserved) {
		n += t.Reserved[model]
	}
	if n = n * 3 / 4; n == 0 {
		return nil
	}
	return m.job(ns, "serve-"+k.Name, queue, n, map[string]string{
		control.ArgWork: "0s", control.ArgSave: "0s", control.ArgEvery: "0s", control.ArgLoad: "20s", control.ArgActivity: "0.70",
	}, 30*time.Second)
}

func (m *Mix) job(ns, name, queue string, n int, args map[string]string, grace time.Duration) error {
	per := min(n, 8)
	pods, seconds := int32((n+per-1)/per), int64(grace.Seconds())
	want := corev1.ResourceList{m.gpu: *resource.NewQuantity(int64(per), resource.DecimalSI)}
	j := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns, Labels: map[string]string{"kueue.x-k8s.io/queue-name": queue}, Annotations: args},
		Spec: batchv1.JobSpec{Parallelism: &pods, Completions: &pods, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: &seconds,
			Containers: []corev1.Container{{Name: "main", Image: "emulated/work", Resources: corev1.ResourceRequirements{Requests: want, Limits: want}}},
		}}},
	}
	if _, err := m.cfg.Store.Create(m.cfg.Store.Jobs, j); err != nil {
		return fmt.Errorf("submit %s/%s: %w", ns, name, err)
	}
	return nil
}

// Tick submits the jobs that come up to site time now.
func (m *Mix) Tick(now time.Time) {
	for _, s := range m.streams {
		for !now.Before(s.next) {
			s.next = s.next.Add(max(s.pause(), time.Second))
			if m.cfg.Store.Count(m.cfg.Store.Jobs) < mostWaiting*len(m.streams) {
				_ = m.submit(s, 1) // its namespace may have been deleted
			}
		}
	}
}

// Run submits jobs by clk until ctx ends. It blocks.
func (m *Mix) Run(ctx context.Context, clk clock.Clock) {
	pause := max(time.Second, time.Duration(float64(5*time.Millisecond)*clk.Speed()))
	for clock.Sleep(ctx, clk, pause) == nil {
		m.Tick(clk.Now())
	}
}
