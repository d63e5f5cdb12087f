package control_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	kueue "sigs.k8s.io/kueue/apis/kueue/v1beta1"
	"sigs.k8s.io/kueue/client-go/clientset/versioned"

	"switchyard/clock"
	"switchyard/emulate/gpus"
	"switchyard/emulate/kube"
	"switchyard/emulate/kube/control"
	"switchyard/unit"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// hand is a clock that is moved by hand.
type hand struct {
	mu  sync.Mutex
	now time.Time
}

func (h *hand) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}
func (h *hand) NewTimer(d time.Duration) clock.Timer { return clock.System().NewTimer(d) }
func (h *hand) Speed() float64                       { return 1 }

// world is a cluster of four nodes of eight GPUs with a firm and a flexible queue of 16 each.
type world struct {
	t   *testing.T
	clk *hand
	gpu *gpus.Cluster
	srv *kube.Server
	ctl *control.Control
	k   kubernetes.Interface
	q   versioned.Interface
}

func start(t *testing.T) *world {
	m := gpus.Model{Name: "h100", Product: "NVIDIA H100 80GB HBM3", Idle: 70 * unit.Watt, Full: 700 * unit.Watt, Least: 200 * unit.Watt}
	cfg := gpus.Config{ID: "ai", Seed: 1}
	for i := range 4 {
		cfg.Nodes = append(cfg.Nodes, gpus.NodeConfig{Name: fmt.Sprint("gpu", i+1), Model: m, GPUs: 8, Idle: unit.Kilowatt, Full: 2 * unit.Kilowatt, Off: 20 * unit.Watt})
	}
	c, err := gpus.New(cfg, noon)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, clk: &hand{now: noon}, gpu: c}
	w.srv = kube.New(kube.Config{Clock: w.clk})
	if w.ctl, err = control.New(control.Config{Server: w.srv, Cluster: c, Labels: map[string]string{"hall": "hall1"}}); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(w.srv)
	t.Cleanup(func() { h.CloseClientConnections(); h.Close(); _ = w.srv.Close() })
	rc := &rest.Config{Host: h.URL, QPS: 10_000, Burst: 10_000}
	w.k, w.q = kubernetes.NewForConfigOrDie(rc), versioned.NewForConfigOrDie(rc)
	w.queues()
	return w
}

func (w *world) queues() {
	ctx := context.Background()
	kq := w.q.KueueV1beta1()
	_, err := kq.ResourceFlavors().Create(ctx, &kueue.ResourceFlavor{ObjectMeta: metav1.ObjectMeta{Name: "h100"}, Spec: kueue.ResourceFlavorSpec{NodeLabels: map[string]string{"hall": "hall1"}}}, metav1.CreateOptions{})
	w.ok(err)
	for _, name := range []string{"firm", "flex"} {
		q := &kueue.ClusterQueue{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: kueue.ClusterQueueSpec{
			Cohort: "site1", NamespaceSelector: &metav1.LabelSelector{},
			ResourceGroups: []kueue.ResourceGroup{{CoveredResources: []corev1.ResourceName{"nvidia.com/gpu"}, Flavors: []kueue.FlavorQuotas{{
				Name: "h100", Resources: []kueue.ResourceQuota{{Name: "nvidia.com/gpu", NominalQuota: resource.MustParse("16")}},
			}}}},
		}}
		if name == "firm" {
			q.Spec.Preemption = &kueue.ClusterQueuePreemption{ReclaimWithinCohort: kueue.PreemptionPolicyAny}
		}
		_, err := kq.ClusterQueues().Create(ctx, q, metav1.CreateOptions{})
		w.ok(err)
		_, err = w.k.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "t-" + name}}, metav1.CreateOptions{})
		w.ok(err)
		_, err = kq.LocalQueues("t-"+name).Create(ctx, &kueue.LocalQueue{ObjectMeta: metav1.ObjectMeta{Name: "q", Namespace: "t-" + name}, Spec: kueue.LocalQueueSpec{ClusterQueue: kueue.ClusterQueueReference(name)}}, metav1.CreateOptions{})
		w.ok(err)
	}
	w.run(time.Second)
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// run lets site time go by.
func (w *world) run(d time.Duration) {
	for end := w.clk.Now().Add(d); w.clk.Now().Before(end); {
		w.clk.mu.Lock()
		w.clk.now = w.clk.now.Add(100 * time.Millisecond)
		now := w.clk.now
		w.clk.mu.Unlock()
		w.gpu.Step(now, true)
		w.ctl.Tick(now)
	}
}

// until runs until a condition holds and returns how long it took in site time.
func (w *world) until(what string, most time.Duration, holds func() bool) time.Duration {
	w.t.Helper()
	from := w.clk.Now()
	for !holds() {
		if w.clk.Now().Sub(from) > most {
			w.t.Fatalf("after %s there is still not: %s", most, what)
		}
		w.run(100 * time.Millisecond)
	}
	return w.clk.Now().Sub(from)
}

func (w *world) submit(ns, name string, pods int32, args map[string]string, labels map[string]string) {
	w.t.Helper()
	if labels == nil {
		labels = map[string]string{"kueue.x-k8s.io/queue-name": "q"}
	}
	grace := int64(60)
	_, err := w.k.BatchV1().Jobs(ns).Create(context.Background(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns, Labels: labels, Annotations: args},
		Spec: batchv1.JobSpec{Parallelism: &pods, Completions: &pods, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &grace, RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{{Name: "main", Image: "train", Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("8")}, Limits: corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("8")},
			}}},
		}}},
	}, metav1.CreateOptions{})
	w.ok(err)
}

func (w *world) job(ns, name string) *batchv1.Job {
	j, err := w.k.BatchV1().Jobs(ns).Get(context.Background(), name, metav1.GetOptions{})
	w.ok(err)
	return j
}

func (w *world) runs(ns, name string) func() bool {
	return func() bool {
		p, _ := w.gpu.Progress(ns + "/" + name)
		j := w.job(ns, name)
		return p.Phase != gpus.Waiting && j.Status.Ready != nil && *j.Status.Ready == *j.Spec.Parallelism
	}
}

func (w *world) workload(ns, job string) *kueue.Workload {
	all, err := w.q.KueueV1beta1().Workloads(ns).List(context.Background(), metav1.ListOptions{})
	w.ok(err)
	for i := range all.Items {
		if o := metav1.GetControllerOf(&all.Items[i]); o != nil && o.Name == job {
			return &all.Items[i]
		}
	}
	w.t.Fatalf("there is no workload of %s/%s", ns, job)
	return nil
}

func (w *world) setActive(ns, job string, active bool) {
	w.t.Helper()
	_, err := w.q.KueueV1beta1().Workloads(ns).Patch(context.Background(), w.workload(ns, job).Name, types.MergePatchType, fmt.Appendf(nil, `{"spec":{"active":%v}}`, active), metav1.PatchOptions{})
	w.ok(err)
}

func (w *world) gone(ns, name string) func() bool {
	return func() bool {
		pods, err := w.k.CoreV1().Pods(ns).List(context.Background(), metav1.ListOptions{LabelSelector: "job-name=" + name})
		w.ok(err)
		return len(pods.Items) == 0
	}
}

func TestPauseByItsWorkload(t *testing.T) {
	w := start(t)
	w.submit("t-flex", "train", 2, nil, nil)
	took := w.until("it runs", 10*time.Second, w.runs("t-flex", "train"))
	t.Logf("submitted to running: %s", took)
	w.run(5 * time.Minute)
	before := w.gpu.Draw()
	w.setActive("t-flex", "train", false)
	took = w.until("its pods end", 5*time.Second, func() bool { return w.job("t-flex", "train").Status.Active == 0 })
	t.Logf("inactive to pods told to end: %s", took)
	if j := w.job("t-flex", "train"); !*j.Spec.Suspend {
		t.Error("the Job is not suspended")
	}
	if w.gone("t-flex", "train")() {
		t.Error("its pods went without a grace")
	}
	took = w.until("its pods are gone", time.Minute, w.gone("t-flex", "train"))
	t.Logf("and gone after %s more", took)
	p, _ := w.gpu.Progress("t-flex/train")
	if p.Lost != 0 || p.Saved < 4*time.Minute {
		t.Errorf("it saved %s and lost %s", p.Saved, p.Lost)
	}
	if w.job("t-flex", "train").Annotations[control.Saved] == "" {
		t.Error("its Job does not tell when it saved")
	}
	w.run(10 * time.Second)
	if now := w.gpu.Draw(); now > before-8*unit.Kilowatt {
		t.Errorf("draw went from %s to %s only", before, now)
	}
	wl := w.workload("t-flex", "train")
	if wl.Status.Admission != nil || !meta.IsStatusConditionTrue(wl.Status.Conditions, kueue.WorkloadEvicted) {
		t.Errorf("%+v", wl.Status)
	}
	w.setActive("t-flex", "train", true)
	took = w.until("it runs again", 10*time.Second, w.runs("t-flex", "train"))
	t.Logf("active to running: %s", took)
	w.run(20 * time.Second)
	if q, _ := w.gpu.Progress("t-flex/train"); q.Done < p.Saved || q.Starts != 2 {
		t.Errorf("it goes on at %+v", q)
	}
}

func TestKueueResumesAndQuotaEvictsNothing(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	for i := range 4 {
		w.submit("t-flex", fmt.Sprint("j", i), 1, nil, nil)
	}
	for i := range 4 { // two of them borrow
		w.until("all run", 10*time.Second, w.runs("t-flex", fmt.Sprint("j", i)))
	}
	_, err := w.q.KueueV1beta1().ClusterQueues().Patch(ctx, "flex", types.JSONPatchType, []byte(`[{"op":"replace","path":"/spec/resourceGroups/0/flavors/0/resources/0/nominalQuota","value":"0"}]`), metav1.PatchOptions{})
	w.ok(err)
	w.run(10 * time.Second)
	for i := range 4 {
		if !w.runs("t-flex", fmt.Sprint("j", i))() {
			t.Errorf("j%d was evicted by a quota", i)
		}
	}
	_, err = w.k.BatchV1().Jobs("t-flex").Patch(ctx, "j0", types.StrategicMergePatchType, []byte(`{"spec":{"suspend":true}}`), metav1.PatchOptions{})
	w.ok(err)
	w.run(500 * time.Millisecond)
	if *w.job("t-flex", "j0").Spec.Suspend {
		t.Error("Kueue lets a Job be that somebody suspended")
	}
	// Hold keeps what runs and admits nothing; HoldAndDrain takes all.
	policy := func(p string) {
		_, err := w.q.KueueV1beta1().ClusterQueues().Patch(ctx, "flex", types.MergePatchType, []byte(`{"spec":{"stopPolicy":"`+p+`"}}`), metav1.PatchOptions{})
		w.ok(err)
	}
	policy("Hold")
	w.run(2 * time.Minute)
	if !w.runs("t-flex", "j1")() {
		t.Error("Hold stopped a job")
	}
	q, err := w.q.KueueV1beta1().ClusterQueues().Get(ctx, "flex", metav1.GetOptions{})
	w.ok(err)
	if meta.IsStatusConditionTrue(q.Status.Conditions, kueue.ClusterQueueActive) || q.Status.FlavorsUsage[0].Resources[0].Borrowed.Value() != 32 {
		t.Errorf("%+v", q.Status)
	}
	policy("HoldAndDrain")
	for i := range 4 {
		w.until("all are gone", 2*time.Minute, w.gone("t-flex", fmt.Sprint("j", i)))
	}
	if _, err := w.q.KueueV1beta1().ClusterQueues().Patch(ctx, "flex", types.MergePatchType, []byte(`{"spec":{"stopPolicy":"Never"}}`), metav1.PatchOptions{}); err == nil {
		t.Error("any stopPolicy is taken")
	}
}

func TestFirmReclaimsFromBorrowers(t *testing.T) {
	w := start(t)
	for i := range 4 {
		w.submit("t-flex", fmt.Sprint("j", i), 1, nil, nil)
	}
	for i := range 4 {
		w.until("all run", 10*time.Second, w.runs("t-flex", fmt.Sprint("j", i)))
	}
	w.run(time.Minute)
	w.submit("t-firm", "serve", 1, map[string]string{control.ArgWork: "0s"}, nil)
	took := w.until("firm runs", 2*time.Minute, w.runs("t-firm", "serve"))
	t.Logf("reclaimed after %s", took)
	left := 0
	for i := range 4 {
		if w.workload("t-flex", fmt.Sprint("j", i)).Status.Admission != nil {
			left++
		}
	}
	if left != 3 {
		t.Errorf("%d flexible jobs have quota, not 3", left)
	}
	// A job under no queue follows its own suspend.
	w.submit("t-flex", "plain", 1, nil, map[string]string{"a": "b"})
	w.run(3 * time.Second)
	if *w.job("t-flex", "plain").Spec.Suspend {
		t.Error("a plain Job was suspended")
	}
}

func TestCheckpointOnRequest(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	w.submit("t-flex", "train", 1, map[string]string{control.ArgSave: "30s", control.ArgEvery: "0s"}, nil)
	w.until("it runs", 10*time.Second, w.runs("t-flex", "train"))
	w.run(2 * time.Minute)
	asked := w.clk.Now()
	_, err := w.k.BatchV1().Jobs("t-flex").Patch(ctx, "train", types.MergePatchType, []byte(`{"metadata":{"annotations":{"switchyard.io/checkpoint-requested":"`+asked.Format(time.RFC3339)+`"}}}`), metav1.PatchOptions{})
	w.ok(err)
	w.run(29 * time.Second)
	if s := w.job("t-flex", "train").Annotations[control.Saved]; s != "" {
		t.Errorf("saved already: %s", s)
	}
	w.run(3 * time.Second)
	at, err := time.Parse(time.RFC3339, w.job("t-flex", "train").Annotations[control.Saved])
	if err != nil || at.Sub(asked) < 29*time.Second || at.Sub(asked) > 33*time.Second {
		t.Errorf("saved at %s, asked at %s; %v", at, asked, err)
	}
}

func TestCordonTaintAndPowerOff(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	w.submit("t-flex", "train", 1, nil, nil)
	w.until("it runs", 10*time.Second, w.runs("t-flex", "train"))
	on := func() string {
		pods, err := w.k.CoreV1().Pods("t-flex").List(ctx, metav1.ListOptions{LabelSelector: "job-name=train", FieldSelector: "status.phase=Running"})
		w.ok(err)
		for i := range pods.Items {
			if pods.Items[i].DeletionTimestamp == nil {
				return pods.Items[i].Spec.NodeName
			}
		}
		return ""
	}
	first := on()
	_, err := w.k.CoreV1().Nodes().Patch(ctx, first, types.StrategicMergePatchType, []byte(`{"spec":{"unschedulable":true,"taints":[{"key":"switchyard.io/power-short","effect":"NoExecute","value":"x"}]}}`), metav1.PatchOptions{})
	w.ok(err)
	took := w.until("it runs elsewhere", 3*time.Minute, func() bool { return on() != "" && on() != first && w.runs("t-flex", "train")() })
	t.Logf("moved by a taint after %s", took)
	w.gpu.Node(first).PowerOff()
	ready := func() corev1.ConditionStatus {
		n, err := w.k.CoreV1().Nodes().Get(ctx, first, metav1.GetOptions{})
		w.ok(err)
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady {
				return c.Status
			}
		}
		return ""
	}
	w.run(30 * time.Second)
	if ready() != corev1.ConditionTrue {
		t.Error("the node is told away too soon")
	}
	w.until("the node is told away", time.Minute, func() bool { return ready() == corev1.ConditionUnknown })
	w.gpu.Node(first).PowerOn()
	took = w.until("the node is back", 20*time.Minute, func() bool { return ready() == corev1.ConditionTrue })
	t.Logf("back after %s", took)
	// Power lost under a job: it starts again elsewhere from what it saved.
	second := on()
	w.gpu.Node(second).PowerOff()
	took = w.until("it runs elsewhere", 10*time.Minute, func() bool { return on() != "" && on() != second && w.runs("t-flex", "train")() })
	t.Logf("after a node lost power it runs again after %s", took)
	if took < 5*time.Minute {
		t.Error("too soon: nobody knew that the node was gone for good")
	}
}

func TestJobsEndAndAreForgotten(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	w.submit("t-flex", "short", 2, map[string]string{control.ArgWork: "1m"}, nil)
	w.until("it is done", 3*time.Minute, func() bool {
		j := w.job("t-flex", "short")
		return j.Status.Succeeded == 2 && j.Status.CompletionTime != nil
	})
	w.run(time.Second)
	if wl := w.workload("t-flex", "short"); !meta.IsStatusConditionTrue(wl.Status.Conditions, kueue.WorkloadFinished) {
		t.Errorf("%+v", wl.Status)
	}
	w.submit("t-flex", "next", 2, nil, nil)
	w.until("the next runs", 10*time.Second, w.runs("t-flex", "next"))
	w.ok(w.k.BatchV1().Jobs("t-flex").Delete(ctx, "next", metav1.DeleteOptions{}))
	w.until("its pods are gone", 2*time.Minute, w.gone("t-flex", "next"))
	w.run(time.Hour)
	jobs, err := w.k.BatchV1().Jobs("").List(ctx, metav1.ListOptions{})
	w.ok(err)
	loads, err := w.q.KueueV1beta1().Workloads("").List(ctx, metav1.ListOptions{})
	w.ok(err)
	if len(jobs.Items)+len(loads.Items) != 0 {
		t.Errorf("%d jobs and %d workloads stay", len(jobs.Items), len(loads.Items))
	}
}
