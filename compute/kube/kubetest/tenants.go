//go:build unix

package kubetest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kueuev1 "sigs.k8s.io/kueue/apis/kueue/v1beta1"
)

// GPU is what a GPU is called here.
const GPU = "nvidia.com/gpu"

// The annotations of pods that kwok looks at: how long they run before they succeed (default:
// for ever), and how long they take to end once told (default 300 ms); both as "1.5s".
const (
	noteRuns   = "kubetest/runs"
	noteLinger = "kubetest/linger"
)

// stages are kwok's stages of pods that end, beside those of its own that start them.
const stages = `---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pod-complete}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: .metadata.deletionTimestamp, operator: DoesNotExist}
    - {key: .status.phase, operator: In, values: [Running]}
    - {key: '.metadata.annotations["kubetest/runs"]', operator: Exists}
  delay: {durationMilliseconds: 1000, durationFrom: {expressionFrom: '.metadata.annotations["kubetest/runs"]'}}
  next:
    statusTemplate: |
      {{ $now := Now }}
      {{ $root := . }}
      containerStatuses:
      {{ range $index, $item := .spec.containers }}
      {{ $origin := index $root.status.containerStatuses $index }}
      - image: {{ $item.image | Quote }}
        name: {{ $item.name | Quote }}
        ready: false
        restartCount: 0
        started: false
        state: {terminated: {exitCode: 0, finishedAt: {{ $now | Quote }}, reason: Completed, startedAt: {{ $origin.state.running.startedAt | Quote }}}}
      {{ end }}
      phase: Succeeded
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pod-delete}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchExpressions:
    - {key: .metadata.deletionTimestamp, operator: Exists}
  delay: {durationMilliseconds: 300, durationFrom: {expressionFrom: '.metadata.annotations["kubetest/linger"]'}}
  next:
    finalizers: {empty: true}
    delete: true
`

func (c *Cluster) startKwok(ctx context.Context) error {
	src, err := module(ctx, c.root, "kwok", "sigs.k8s.io/kwok")
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, f := range []string{"node/fast/node-initialize.yaml", "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml", "pod/fast/pod-ready.yaml"} {
		b, err := os.ReadFile(filepath.Join(src, "kustomize/stage", f))
		if err != nil {
			return fmt.Errorf("read kwok's stages: %w", err)
		}
		text.WriteString("---\n" + string(b) + "\n")
	}
	text.WriteString(stages)
	if err := os.WriteFile(c.path("kwok.yaml"), []byte(text.String()), 0o600); err != nil {
		return err
	}
	err = c.run(ctx, "kwok", "--kubeconfig="+c.Kubeconfig, "--manage-all-nodes=true", "--node-lease-duration-seconds=40",
		"--config="+c.path("kwok.yaml"), fmt.Sprintf("--server-address=127.0.0.1:%d", c.ports[portKwok]))
	if err != nil {
		return err
	}
	return c.answers(ctx, "kwok", c.url(portKwok)+"/healthz")
}

// AddNodes adds machines prefix1 to prefixN with so many GPUs each, in hall1, and waits until
// they are ready.
func (c *Cluster) AddNodes(prefix string, n, gpus int) {
	c.t.Helper()
	res := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("128"), corev1.ResourceMemory: resource.MustParse("1Ti"),
		corev1.ResourcePods: resource.MustParse("110"), GPU: *resource.NewQuantity(int64(gpus), resource.DecimalSI),
	}
	for i := range n {
		name := fmt.Sprintf("%s%d", prefix, i+1)
		node := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{
				Name:        name,
				Labels:      map[string]string{"type": "kwok", "kubernetes.io/hostname": name, "hall": "hall1"},
				Annotations: map[string]string{"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
			},
			Status: corev1.NodeStatus{Allocatable: res, Capacity: res},
		}
		if _, err := c.Kube.CoreV1().Nodes().Create(c.ctx(), node, metav1.CreateOptions{}); err != nil {
			c.t.Fatalf("add node %s: %v", name, err)
		}
	}
	c.Wait(fmt.Sprintf("%d machines %s* are ready", n, prefix), time.Minute, func() bool {
		l, err := c.Kube.CoreV1().Nodes().List(c.ctx(), metav1.ListOptions{})
		ready := 0
		for i := range l.Items {
			for _, k := range l.Items[i].Status.Conditions {
				if strings.HasPrefix(l.Items[i].Name, prefix) && k.Type == corev1.NodeReady && k.Status == corev1.ConditionTrue && len(l.Items[i].Spec.Taints) == 0 {
					ready++
				}
			}
		}
		return err == nil && ready == n
	})
}

// SetGPUs changes how many GPUs a machine says that it has.
func (c *Cluster) SetGPUs(node string, gpus int) {
	c.t.Helper()
	p := fmt.Sprintf(`{"status":{"allocatable":{%q:"%d"},"capacity":{%q:"%d"}}}`, GPU, gpus, GPU, gpus)
	if _, err := c.Kube.CoreV1().Nodes().Patch(c.ctx(), node, types.MergePatchType, []byte(p), metav1.PatchOptions{}, "status"); err != nil {
		c.t.Fatalf("set the GPUs of %s: %v", node, err)
	}
}

// Queue is a ClusterQueue with so many GPUs of its own. Jobs of a queue that borrows use what
// others of its cohort leave; one that reclaims takes its own back from borrowers.
type Queue struct {
	Name, Cohort string
	GPUs         int
	Borrow       int
	Reclaims     bool
}

// AddQueues makes ClusterQueues over all machines of hall1.
func (c *Cluster) AddQueues(qs ...Queue) {
	c.t.Helper()
	k := c.Kueue.KueueV1beta1()
	f := &kueuev1.ResourceFlavor{ObjectMeta: metav1.ObjectMeta{Name: "h100"}, Spec: kueuev1.ResourceFlavorSpec{NodeLabels: map[string]string{"hall": "hall1"}}}
	if _, err := k.ResourceFlavors().Get(c.ctx(), f.Name, metav1.GetOptions{}); err != nil {
		if _, err := k.ResourceFlavors().Create(c.ctx(), f, metav1.CreateOptions{}); err != nil {
			c.t.Fatalf("make a flavor: %v", err)
		}
	}
	for _, q := range qs {
		gpus := kueuev1.ResourceQuota{Name: GPU, NominalQuota: *resource.NewQuantity(int64(q.GPUs), resource.DecimalSI)}
		gpus.BorrowingLimit = resource.NewQuantity(int64(q.Borrow), resource.DecimalSI)
		o := &kueuev1.ClusterQueue{ObjectMeta: metav1.ObjectMeta{Name: q.Name}, Spec: kueuev1.ClusterQueueSpec{
			Cohort: kueuev1.CohortReference(q.Cohort), NamespaceSelector: &metav1.LabelSelector{},
			Preemption: &kueuev1.ClusterQueuePreemption{WithinClusterQueue: kueuev1.PreemptionPolicyLowerPriority},
			ResourceGroups: []kueuev1.ResourceGroup{{
				CoveredResources: []corev1.ResourceName{corev1.ResourceCPU, GPU},
				Flavors: []kueuev1.FlavorQuotas{{Name: "h100", Resources: []kueuev1.ResourceQuota{
					{Name: corev1.ResourceCPU, NominalQuota: resource.MustParse("10k")}, gpus,
				}}},
			}},
		}}
		if q.Reclaims {
			o.Spec.Preemption.ReclaimWithinCohort = kueuev1.PreemptionPolicyAny
		}
		if _, err := k.ClusterQueues().Create(c.ctx(), o, metav1.CreateOptions{}); err != nil {
			c.t.Fatalf("make queue %s: %v", q.Name, err)
		}
	}
}

// AddTenant makes a namespace whose LocalQueue "q" leads to a ClusterQueue; an empty queue makes
// none.
func (c *Cluster) AddTenant(namespace, queue string) {
	c.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if _, err := c.Kube.CoreV1().Namespaces().Create(c.ctx(), ns, metav1.CreateOptions{}); err != nil {
		c.t.Fatalf("make namespace %s: %v", namespace, err)
	}
	if queue == "" {
		return
	}
	l := &kueuev1.LocalQueue{ObjectMeta: metav1.ObjectMeta{Name: "q", Namespace: namespace}, Spec: kueuev1.LocalQueueSpec{ClusterQueue: kueuev1.ClusterQueueReference(queue)}}
	if _, err := c.Kueue.KueueV1beta1().LocalQueues(namespace).Create(c.ctx(), l, metav1.CreateOptions{}); err != nil {
		c.t.Fatalf("make the queue of %s: %v", namespace, err)
	}
}

// Job is a batch Job to be made: Pods pods (default one) of GPUs each.
type Job struct {
	Namespace, Name string
	Plain           bool // outside of Kueue
	Pods, GPUs      int
	// Runs is how long its pods run (zero: for ever), Linger how long they take to end once told.
	Runs, Linger time.Duration
	// Notes are annotations of the Job.
	Notes map[string]string
}

// Submit makes a Job.
func (c *Cluster) Submit(j Job) {
	c.t.Helper()
	pods := int32(max(1, j.Pods))
	gpus := *resource.NewQuantity(int64(j.GPUs), resource.DecimalSI)
	grace := int64(30)
	notes := map[string]string{}
	if j.Runs > 0 {
		notes[noteRuns] = j.Runs.String()
	}
	if j.Linger > 0 {
		notes[noteLinger] = j.Linger.String()
	}
	o := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: j.Namespace, Name: j.Name, Annotations: j.Notes, Labels: map[string]string{}},
		Spec: batchv1.JobSpec{Parallelism: &pods, Completions: &pods, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Annotations: notes},
			Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: &grace,
				Containers: []corev1.Container{{Name: "work", Image: "work", Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), GPU: gpus}, Limits: corev1.ResourceList{GPU: gpus},
				}}},
			},
		}},
	}
	if !j.Plain {
		o.Labels["kueue.x-k8s.io/queue-name"] = "q"
		suspended := true
		o.Spec.Suspend = &suspended
	}
	if _, err := c.Kube.BatchV1().Jobs(j.Namespace).Create(c.ctx(), o, metav1.CreateOptions{}); err != nil {
		c.t.Fatalf("submit %s/%s: %v", j.Namespace, j.Name, err)
	}
}

// Running returns how many GPUs the pods of a namespace hold, those on their way out too.
func (c *Cluster) Running(namespace string) int {
	l, err := c.Kube.CoreV1().Pods(namespace).List(c.ctx(), metav1.ListOptions{})
	if err != nil {
		return -1
	}
	n := 0
	for i := range l.Items {
		p := &l.Items[i]
		if p.Spec.NodeName != "" && p.Status.Phase == corev1.PodRunning {
			q := p.Spec.Containers[0].Resources.Requests[GPU]
			n += int(q.Value())
		}
	}
	return n
}

// PlayPrograms plays the programs in the pods until the test ends: takes after the annotation
// request appears on a pod, it writes the time into the annotation saved of that pod, as a
// program with a checkpoint does.
func (c *Cluster) PlayPrograms(request, saved string, takes time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	c.t.Cleanup(cancel)
	done := map[types.UID]string{}
	go func() {
		for ctx.Err() == nil {
			l, err := c.Kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
			for i := 0; err == nil && i < len(l.Items); i++ {
				p := &l.Items[i]
				if r := p.Annotations[request]; r != "" && done[p.UID] != r {
					done[p.UID] = r
					go c.save(ctx, p.Namespace, p.Name, saved, takes)
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
}

func (c *Cluster) save(ctx context.Context, ns, name, saved string, takes time.Duration) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(takes):
	}
	note := map[string]any{"metadata": map[string]any{"annotations": map[string]any{saved: time.Now().UTC().Format(time.RFC3339Nano)}}}
	b, _ := json.Marshal(note) // of strings: never an error
	// A pod that is gone saves nothing.
	_, _ = c.Kube.CoreV1().Pods(ns).Patch(ctx, name, types.MergePatchType, b, metav1.PatchOptions{})
}

// Wait waits until ok and returns how long that took; the test ends where it does not come true
// within the time, which is to be generous.
func (c *Cluster) Wait(what string, within time.Duration, ok func() bool) time.Duration {
	c.t.Helper()
	return Wait(c.t, what, within, ok)
}

// Wait is Cluster.Wait for anything.
func Wait(t testing.TB, what string, within time.Duration, ok func() bool) time.Duration {
	t.Helper()
	begun := time.Now()
	for !ok() {
		if time.Since(begun) > within {
			t.Fatalf("not within %s: %s", within, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(begun)
}

func (c *Cluster) ctx() context.Context { return context.Background() }
