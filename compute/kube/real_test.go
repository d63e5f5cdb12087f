package kube_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/compute/kube"
	"switchyard/compute/kube/kubetest"
)

// These tests run against a real Kubernetes with Kueue; kwok plays the machines and their pods.
// They print what each act took here. They assert effects, never durations.

// soon is far more than anything here takes.
const soon = time.Minute

// real is a cluster with its adapter.
type real struct {
	*kubetest.Cluster
	e *kube.Engine
}

func TestRealKubernetes(t *testing.T) {
	c := kubetest.Start(t)
	grant(t, c)
	c.AddQueues(
		kubetest.Queue{Name: "firm", Cohort: "site1", GPUs: 16, Reclaims: true},
		kubetest.Queue{Name: "flex", Cohort: "site1", GPUs: 16, Borrow: 16})
	c.AddTenant("tenant-a", "firm")
	c.AddTenant("tenant-b", "flex")
	c.AddTenant("tenant-c", "")
	e, _ := connect(t, c)
	r := real{c, e}
	c.PlayPrograms(kube.NoteRequested, kube.NoteSaved, 200*time.Millisecond)
	for _, step := range []struct {
		name string
		run  func(*testing.T, real)
	}{
		{"view", realView},
		{"quota evicts nothing", realQuota},
		{"firm reclaims", realReclaim},
		{"pause", realPause},
		{"pause with a checkpoint", realCheckpoint},
		{"pause of a plain job", realPlain},
		{"suspend is not for Kueue", realSuspend},
		{"close", realClose},
		{"drain", realDrain},
		{"fence and off", realFence},
		{"a person's change stays", realPerson},
		{"usage", realUsage},
		{"GPU count", realGPUs},
		{"the API server hangs", realHang},
		{"the API server dies", realRestart},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, r) }) {
			break // the next ones begin where this one ends
		}
	}
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
	if err := c.Apply(context.Background(), all...); err != nil {
		t.Fatal(err)
	}
}

// connect opens an adapter and waits until it sees the cluster.
func connect(t *testing.T, c *kubetest.Cluster) (*kube.Engine, context.CancelFunc) {
	t.Helper()
	e, err := kube.Open(kube.Config{
		ID: "ai", Server: c.Server, Token: c.Token, CA: c.CA, Timeout: 2 * time.Second,
		Machines: map[string]int{"gpu-1": 8, "gpu-2": 8, "gpu-3": 8, "gpu-4": 8},
	}, clock.System(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := e.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended: %v", err)
		}
	}()
	stop := func() { cancel(); <-done }
	t.Cleanup(stop)
	took := kubetest.Wait(t, "the view is there", soon, func() bool { return e.View().Reachable })
	t.Logf("first view after %s: %s", took.Round(time.Millisecond), e.View().Engine)
	return e, stop
}

func (r real) job(id string) compute.Job {
	for _, j := range r.e.View().Jobs {
		if j.ID == id {
			return j
		}
	}
	return compute.Job{}
}

func (r real) node(name string) compute.Node {
	for _, n := range r.e.View().Nodes {
		if n.Name == name {
			return n
		}
	}
	return compute.Node{}
}

func (r real) queue(name string) compute.Queue {
	for _, q := range r.e.View().Queues {
		if q.Name == name {
			return q
		}
	}
	return compute.Queue{}
}

func (r real) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	took := kubetest.Wait(t, what, soon, ok)
	t.Logf("%-60s %6d ms", what, took.Milliseconds())
}

func (r real) is(id string, s compute.JobState) func() bool {
	return func() bool { j := r.job(id); return j.ID != "" && j.State == s }
}

// act does an act twice, and returns how to take it back, which is done twice too.
func (r real) act(t *testing.T, a compute.Act) (undo func()) {
	t.Helper()
	ctx := context.Background()
	o, err := r.e.Original(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := r.e.Do(ctx, a); err != nil {
		t.Fatal(err)
	}
	t.Logf("%-60s %6.1f ms", a.String()+" acknowledged", float64(time.Since(begun).Microseconds())/1000)
	if err := r.e.Do(ctx, a); err != nil {
		t.Fatalf("the second time: %v", err)
	}
	if again, err := r.e.Original(ctx, a); err != nil || string(again) != string(o) {
		t.Errorf("what stood before %s is %s while it is in force, %s before it (%v)", a, again, o, err)
	}
	return func() {
		t.Helper()
		begun := time.Now()
		for range 2 {
			if err := r.e.Undo(ctx, a, o); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%-60s %6.1f ms", "undo "+a.String()+" twice", float64(time.Since(begun).Microseconds())/1000)
	}
}

// clear deletes all jobs.
func (r real) clear(t *testing.T) {
	t.Helper()
	how := metav1.DeletePropagationBackground
	for _, ns := range []string{"tenant-a", "tenant-b", "tenant-c"} {
		err := r.Kube.BatchV1().Jobs(ns).DeleteCollection(context.Background(), metav1.DeleteOptions{PropagationPolicy: &how}, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	kubetest.Wait(t, "no job is left", soon, func() bool {
		for _, n := range r.e.View().Nodes {
			if n.Used > 0 {
				return false
			}
		}
		return len(r.e.View().Jobs) == 0
	})
}

func realView(t *testing.T, r real) {
	for i := range 4 {
		r.Submit(kubetest.Job{Namespace: "tenant-b", Name: fmt.Sprintf("train-%d", i), GPUs: 8, Notes: map[string]string{
			kube.NoteClass: "pause", kube.NoteDeadline: "2031-05-06T07:08:09Z",
		}})
	}
	r.until(t, "four jobs of 8 GPUs run, two by borrowing", func() bool {
		return r.queue("flex").Borrowed == 16 && r.node("gpu-1").Used+r.node("gpu-2").Used+r.node("gpu-3").Used+r.node("gpu-4").Used == 32
	})
	v := r.e.View()
	j := r.job("tenant-b/train-0")
	if len(v.Nodes) != 4 || len(v.Jobs) != 4 || len(v.Queues) != 2 || len(v.Notes) != 0 {
		t.Errorf("%d nodes, %d jobs, %d queues, notes %q", len(v.Nodes), len(v.Jobs), len(v.Queues), v.Notes)
	}
	if j.State != compute.JobRunning || j.Account != "tenant-b" || j.Queue != "flex" || j.GPUs != 8 || len(j.Places) != 1 || j.Started.IsZero() ||
		j.Claims == nil || j.Claims.Class != "pause" || j.Deadline.Year() != 2031 {
		t.Errorf("the job is %+v", j)
	}
	if n := r.node("gpu-1"); n.GPUs != 8 || n.State != compute.NodeUp || n.Ours {
		t.Errorf("the node is %+v", n)
	}
	if q := r.queue("firm"); q.GPUs != 16 || !q.Open || q.Ours {
		t.Errorf("the queue is %+v", q)
	}
}

func realUsage(t *testing.T, r real) {
	from := time.Now()
	r.Submit(kubetest.Job{Namespace: "tenant-b", Name: "billed", GPUs: 8, Pods: 2, Runs: 3 * time.Second})
	r.until(t, "a job of 16 GPUs ran for three seconds", r.is("tenant-b/billed", compute.JobDone))
	time.Sleep(1100 * time.Millisecond) // the server's times are whole seconds
	pods, err := r.Kube.CoreV1().Pods("tenant-b").List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var want time.Duration
	for i := range pods.Items {
		s := pods.Items[i].Status
		want += 8 * s.ContainerStatuses[0].State.Terminated.FinishedAt.Sub(s.StartTime.Time)
	}
	us, err := r.e.Usage(context.Background(), from.Add(-2*time.Second), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var got time.Duration
	for _, u := range us {
		if u.Job == "tenant-b/billed" && u.Account == "tenant-b" && u.Queue == "flex" {
			got += u.GPUTime
		}
	}
	if got != want || want == 0 {
		t.Errorf("used %s of GPU time, the pods say %s: %+v", got, want, us)
	}
	r.clear(t)
	if us, err = r.e.Usage(context.Background(), from.Add(-2*time.Second), time.Now()); err != nil {
		t.Fatal(err)
	}
	got = 0
	for _, u := range us {
		if u.Job == "tenant-b/billed" {
			got += u.GPUTime
		}
	}
	if got != want {
		t.Errorf("after its deletion it used %s, before %s", got, want)
	}
	if _, err := r.e.Usage(context.Background(), from.Add(-time.Hour), time.Now()); !errors.Is(err, kube.ErrIncomplete) {
		t.Errorf("usage before the record began: %v", err)
	}
}

func realGPUs(t *testing.T, r real) {
	r.SetGPUs("gpu-4", 7)
	r.until(t, "a note tells of the lost GPU", func() bool {
		all := strings.Join(r.e.View().Notes, "\n")
		return strings.Contains(all, "gpu-4 had 8 GPUs and now says 7") && strings.Contains(all, "gpu-4 says that it has 7 GPUs, the inventory 8")
	})
	r.SetGPUs("gpu-4", 8)
	r.until(t, "the node is whole again", func() bool { return r.node("gpu-4").GPUs == 8 })
}

func realHang(t *testing.T, r real) {
	r.HangAPI()
	begun := time.Now()
	err := r.e.Do(context.Background(), compute.Act{Verb: compute.Close, Target: "flex"})
	r.WakeAPI()
	if !errors.Is(err, compute.ErrUnreachable) {
		t.Errorf("an act on a server that hangs: %v", err)
	}
	t.Logf("an act on a server that hangs, timeout 2s, gave up after %s: %v", time.Since(begun).Round(time.Millisecond), err)
	r.HangAPI()
	r.until(t, "the view knows that the server hangs", func() bool { return !r.e.View().Reachable })
	v := r.e.View()
	t.Logf("it says: %s", v.Err)
	if len(v.Nodes) != 4 || v.Err == "" || v.At.IsZero() {
		t.Errorf("the last picture is gone: %+v", v)
	}
	r.WakeAPI()
	r.until(t, "the view is current again", func() bool { return r.e.View().Reachable })
	o := compute.Original(nil)
	if err := r.e.Undo(context.Background(), compute.Act{Verb: compute.Close, Target: "flex"}, o); err != nil {
		t.Fatal(err)
	}
}

func realRestart(t *testing.T, r real) {
	r.Submit(kubetest.Job{Namespace: "tenant-b", Name: "lives", GPUs: 8})
	r.until(t, "a job runs", r.is("tenant-b/lives", compute.JobRunning))
	a := compute.Act{Verb: compute.Stop, Target: "tenant-b/lives"}
	o, err := r.e.Original(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	r.KillAPI()
	r.until(t, "the view knows that the server is dead", func() bool { return !r.e.View().Reachable })
	if err := r.e.Do(context.Background(), a); !errors.Is(err, compute.ErrUnreachable) {
		t.Errorf("an act on a dead server: %v", err)
	}
	if j := r.job("tenant-b/lives"); j.State != compute.JobRunning {
		t.Errorf("the last picture is gone: %+v", j)
	}
	if err := r.StartAPI(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.until(t, "the view is current again", func() bool { return r.e.View().Reachable })
	if err := r.e.Do(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	r.until(t, "the job is paused after the restart", r.is("tenant-b/lives", compute.JobPaused))

	// A new controller takes up what the old one did.
	e, stop := connect(t, r.Cluster)
	fresh := real{r.Cluster, e}
	fresh.until(t, "a new controller sees that the pause is ours", func() bool { j := fresh.job("tenant-b/lives"); return j.State == compute.JobPaused && j.Ours })
	if err := e.Undo(context.Background(), a, o); err != nil {
		t.Fatal(err)
	}
	fresh.until(t, "and ends it", fresh.is("tenant-b/lives", compute.JobRunning))
	stop()
}
