//go:build unix

package story

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"switchyard/api"
	"switchyard/compute/kube"
	"switchyard/compute/kube/kubetest"
	"switchyard/compute/slurm/slurmtest"
	"switchyard/unit"
)

// The Jobs of the story: whose, and in which tenant's namespace.
var kubeJobs = map[string]string{"firm": "tenant-a/firm", "a": "tenant-b/a", "b": "tenant-b/b", "c": "tenant-c/c"}

// kubeEngine is a real Kubernetes with Kueue, and what plays the programs in the pods, which kwok
// only pretends to run: they count steps, save them when they are asked, and go on from there.
type kubeEngine struct {
	*kubetest.Cluster

	mu    sync.Mutex
	pods  map[types.UID]*played
	works map[string]*slurmtest.Progress // by the Job's id
	used  map[string]map[int]types.UID   // GPUs at work by node
	err   error
}

// played is a pod whose program is played.
type played struct {
	job, node string
	gpus      int
	asked     string
	saving    time.Time // until when; zero: it does not
	after     int       // steps since its checkpoint
	last      time.Time // of a step
}

// saveTime is how long a checkpoint takes.
const saveTime = 500 * time.Millisecond

func (e *kubeEngine) keys() (lines, prefix string) {
	return fmt.Sprintf("    kubernetes: {kubeconfig: %q, timeout: 5s}\n", e.Controller), "gpu-"
}

func (e *kubeEngine) busy(node string, gpu int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.used[node][gpu] != ""
}

// play moves the programs until ctx ends.
func (e *kubeEngine) play(ctx context.Context) {
	for ctx.Err() == nil {
		l, err := e.Kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
		e.mu.Lock()
		if e.err = err; err == nil {
			e.turn(ctx, l.Items, time.Now())
		}
		e.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// turn lets each program do a step, and ends those whose pods are gone.
func (e *kubeEngine) turn(ctx context.Context, pods []corev1.Pod, now time.Time) {
	there := map[types.UID]bool{}
	for i := range pods {
		p := &pods[i]
		if p.Status.Phase != corev1.PodRunning || p.Spec.NodeName == "" {
			continue
		}
		there[p.UID] = true
		x := e.pods[p.UID]
		if x == nil {
			x = e.begin(p, now)
		}
		e.program(ctx, p, x, now)
	}
	for uid, x := range e.pods {
		if there[uid] {
			continue
		}
		delete(e.pods, uid)
		w := e.works[x.job]
		w.After = max(w.After, x.after)
		for gpu, by := range e.used[x.node] {
			if by == uid {
				delete(e.used[x.node], gpu)
			}
		}
	}
}

// begin starts a pod's program: it goes on from its job's checkpoint.
func (e *kubeEngine) begin(p *corev1.Pod, now time.Time) *played {
	q := p.Spec.Containers[0].Resources.Requests[kubetest.GPU]
	x := &played{job: p.Namespace + "/" + p.Labels["job-name"], node: p.Spec.NodeName, gpus: int(q.Value()), last: now, asked: p.Annotations[kube.NoteRequested]}
	e.pods[p.UID] = x
	w := e.works[x.job]
	if w == nil {
		w = &slurmtest.Progress{}
		e.works[x.job] = w
	}
	w.Runs++
	w.Lost += w.Step - w.Saved
	w.Step = w.Saved
	if e.used[x.node] == nil {
		e.used[x.node] = map[int]types.UID{}
	}
	for gpu, left := 0, x.gpus; gpu < perNode && left > 0; gpu++ {
		if e.used[x.node][gpu] == "" {
			e.used[x.node][gpu] = p.UID
			left--
		}
	}
	return x
}

// program does what a pod's program does in a turn.
func (e *kubeEngine) program(ctx context.Context, p *corev1.Pod, x *played, now time.Time) {
	w := e.works[x.job]
	switch asked := p.Annotations[kube.NoteRequested]; {
	case !x.saving.IsZero():
		if now.Before(x.saving) {
			return
		}
		x.saving, x.after, w.Saved = time.Time{}, 0, w.Step
		note := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, kube.NoteSaved, now.UTC().Format(time.RFC3339Nano))
		_, _ = e.Kube.CoreV1().Pods(p.Namespace).Patch(ctx, p.Name, types.MergePatchType, []byte(note), metav1.PatchOptions{}) // gone: nobody hears of it
	case asked != "" && asked != x.asked:
		x.asked, x.saving = asked, now.Add(saveTime)
	default:
		w.Step++
		w.Done++
		x.after++
		w.Gap = max(w.Gap, now.Sub(x.last))
		x.last = now
	}
}

func (e *kubeEngine) work(name string) slurmtest.Progress {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.works[kubeJobs[name]]
	if w == nil {
		return slurmtest.Progress{}
	}
	out := *w
	for _, x := range e.pods {
		if x.job == kubeJobs[name] {
			out.After = max(out.After, x.after)
		}
	}
	return out
}

func (e *kubeEngine) jobs() (map[string]job, error) {
	ctx := context.Background()
	pods, err := e.Kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	all, err := e.Kueue.KueueV1beta1().Workloads("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	out := map[string]job{}
	for name, id := range kubeJobs {
		j := job{id: id}
		for i := range pods.Items {
			p := &pods.Items[i]
			if p.Namespace+"/"+p.Labels["job-name"] == id && p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp == nil {
				j.running, j.node, j.started = true, p.Spec.NodeName, string(p.UID)
			}
		}
		for i := range all.Items {
			w := &all.Items[i]
			if len(w.OwnerReferences) == 1 && w.Namespace+"/"+w.OwnerReferences[0].Name == id {
				j.paused = !j.running && w.Spec.Active != nil && !*w.Spec.Active
			}
		}
		if w := e.work(name); w.Runs > 0 {
			j.restarts = w.Runs - 1
		}
		out[name] = j
	}
	return out, nil
}

func (e *kubeEngine) left() string {
	ctx := context.Background()
	ws, err := e.Kueue.KueueV1beta1().Workloads("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	for i := range ws.Items {
		if w := &ws.Items[i]; w.Spec.Active != nil && !*w.Spec.Active || w.Annotations[kube.NoteBy] != "" {
			return fmt.Sprintf("workload %s is held: %v", w.Name, w.Annotations)
		}
	}
	qs, err := e.Kueue.KueueV1beta1().ClusterQueues().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	for i := range qs.Items {
		if q := &qs.Items[i]; q.Spec.StopPolicy != nil && *q.Spec.StopPolicy != "None" || q.Annotations[kube.NoteBy] != "" {
			return fmt.Sprintf("queue %s is %v, %v", q.Name, *q.Spec.StopPolicy, q.Annotations)
		}
	}
	ns, err := e.Kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	for i := range ns.Items {
		if n := &ns.Items[i]; n.Spec.Unschedulable || n.Annotations[kube.NoteBy] != "" || len(n.Spec.Taints) > 0 {
			return fmt.Sprintf("node %s is fenced: %v", n.Name, n.Spec.Taints)
		}
	}
	return ""
}

// grant gives the controller's user the rights that the manual names, and no more.
func grant(t *testing.T, c *kubetest.Cluster) {
	t.Helper()
	b, err := os.ReadFile("../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "```yaml\napiVersion: rbac")
	roles, _, ok := strings.Cut("apiVersion: rbac"+rest, "```")
	if !ok {
		t.Fatal("docs/kubernetes.md shows no roles")
	}
	all, err := kubetest.Documents([]byte(roles))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
}

// TestKubeStory is the same story on a real Kubernetes with Kueue, and two things more: quota alone
// evicts nothing, and firm work reclaims from borrowers; the controller sees both and does its
// pauses by Workloads.
func TestKubeStory(t *testing.T) {
	kubetest.Binaries(t)
	if testing.Short() {
		t.Skip("takes some minutes")
	}
	c := kubetest.Start(t)
	grant(t, c)
	c.AddQueues(
		kubetest.Queue{Name: "firm", Cohort: "site", GPUs: 16, Reclaims: true},
		kubetest.Queue{Name: "flex", Cohort: "site", GPUs: 16, Borrow: 16})
	c.AddTenant("tenant-a", "firm")
	c.AddTenant("tenant-b", "flex")
	c.AddTenant("tenant-c", "flex")
	e := &kubeEngine{Cluster: c, pods: map[types.UID]*played{}, works: map[string]*slurmtest.Progress{}, used: map[string]map[int]types.UID{}}
	ctx, stop := context.WithCancel(context.Background())
	var beside sync.WaitGroup
	t.Cleanup(func() { stop(); beside.Wait() })
	beside.Go(func() { e.play(ctx) })
	for _, name := range slices.Sorted(maps.Keys(kubeJobs)) {
		ns, id, _ := strings.Cut(kubeJobs[name], "/")
		c.Submit(kubetest.Job{Namespace: ns, Name: id, GPUs: perNode, Notes: map[string]string{kube.NoteSignal: kube.SignalAnnotation}})
	}
	r := newRig(t, e, "every: 1h") // the Jobs say that they are asked by an annotation
	r.tell(steps(16*unit.Kilowatt, false))
	e.quota(r)
	e.reclaim(r)
	r.shutdown()
}

// queue is a queue as the controller shows it.
func (r *rig) queue(name string) (api.ClusterQueue, string) {
	var cs []api.ClusterView
	if err := r.call("GET", "/api/v1/clusters", nil, &cs); err != nil || len(cs) != 1 {
		return api.ClusterQueue{}, fmt.Sprintf("%d clusters, %v", len(cs), err)
	}
	for _, q := range cs[0].Queues {
		if q.Name == name {
			return q, ""
		}
	}
	return api.ClusterQueue{}, "no queue " + name
}

// setQuota sets the GPUs of the flexible queue's own quota.
func (e *kubeEngine) setQuota(r *rig, gpus int) {
	r.t.Helper()
	patch := fmt.Sprintf(`[{"op":"replace","path":"/spec/resourceGroups/0/flavors/0/resources/1/nominalQuota","value":"%d"}]`, gpus)
	if _, err := e.Kueue.KueueV1beta1().ClusterQueues().Patch(context.Background(), "flex", types.JSONPatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

// quota: lowered below what is used it evicts nothing, the controller tells so, and what it does
// against a limit then is done to Workloads.
func (e *kubeEngine) quota(r *rig) {
	r.t.Helper()
	before := e.work("a").Runs + e.work("b").Runs + e.work("c").Runs
	if q, bad := r.queue("flex"); bad != "" || q.GPUs != 16 || q.Borrowed != 8 {
		r.t.Errorf("the flexible queue is shown as %+v %s", q, bad)
	}
	e.setQuota(r, 8)
	r.await("the controller sees what is borrowed now", func() string {
		if q, bad := r.queue("flex"); bad != "" || q.GPUs != 8 || q.Borrowed != 16 {
			return fmt.Sprintf("%+v %s", q, bad)
		}
		return ""
	})
	for _, name := range flex {
		r.works(step{name: "a lower quota"}, name)
	}
	if now := e.work("a").Runs + e.work("b").Runs + e.work("c").Runs; now != before {
		r.t.Errorf("a lower quota stopped %d jobs", now-before)
	}
	r.take(step{name: "paused by Workloads", limit: 20 * unit.Kilowatt, capped: true, paused: [2]int{1, 2}, stage: "paused"}, false)
	if q, bad := r.queue("flex"); bad != "" || q.GPUs != 8 || q.Open || !q.Ours {
		r.t.Errorf("the flexible queue is shown as %+v %s", q, bad)
	}
	e.setQuota(r, 16)
	r.take(step{name: "everything again", miners: true}, false)
}

// reclaim: firm work takes its own back from a borrower, without the controller.
func (e *kubeEngine) reclaim(r *rig) {
	r.t.Helper()
	begun := time.Now()
	e.Submit(kubetest.Job{Namespace: "tenant-a", Name: "more", GPUs: perNode})
	took := r.await("firm work has its 16 GPUs", func() string {
		jobs, err := e.jobs()
		if err != nil {
			return err.Error()
		}
		running := 0
		for _, name := range flex {
			if jobs[name].running {
				running++
			}
		}
		if n := e.Running("tenant-a"); n != 2*perNode || running != 2 {
			return fmt.Sprintf("%d firm GPUs, %d flexible jobs run", n, running)
		}
		return ""
	})
	r.firmRuns(step{name: "reclaim"})
	r.await("the controller sees nothing borrowed", func() string {
		if q, bad := r.queue("flex"); bad != "" || q.Borrowed != 0 {
			return fmt.Sprintf("%+v %s", q, bad)
		}
		return ""
	})
	ds, err := r.decisions(begun)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, d := range ds {
		if d.Kind == "command" && strings.HasPrefix(d.Subject, clusterID) {
			r.t.Errorf("the controller acted on a reclaim: %s", d.Text)
		}
	}
	if bad := e.left(); bad != "" {
		r.t.Error(bad)
	}
	r.t.Logf("firm work reclaimed %d GPUs after %.1f s", perNode, took.Seconds())
}
