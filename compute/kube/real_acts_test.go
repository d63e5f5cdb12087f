package kube_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"switchyard/compute"
	"switchyard/compute/kube"
	"switchyard/compute/kube/kubetest"
)

// realQuota shows that quota is no way to take power: it is here so that nobody tries again.
func realQuota(t *testing.T, r real) {
	ctx := context.Background()
	lower := func(n int) {
		p := fmt.Sprintf(`[{"op":"replace","path":"/spec/resourceGroups/0/flavors/0/resources/1/nominalQuota","value":"%d"}]`, n)
		if _, err := r.Kueue.KueueV1beta1().ClusterQueues().Patch(ctx, "flex", types.JSONPatchType, []byte(p), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	lower(0)
	r.until(t, "the view knows the lowered quota", func() bool { q := r.queue("flex"); return q.GPUs == 0 && q.Borrowed == 32 })
	time.Sleep(2 * time.Second) // what would be evicted would go within half a second
	if n := r.Running("tenant-b"); n != 32 {
		t.Errorf("lowering the quota left %d GPUs running of 32", n)
	}
	lower(16)
	r.until(t, "the quota is back", func() bool { return r.queue("flex").Borrowed == 16 })
}

func realReclaim(t *testing.T, r real) {
	r.Submit(kubetest.Job{Namespace: "tenant-a", Name: "serve", GPUs: 8, Pods: 2})
	r.until(t, "a firm job of 16 GPUs runs, reclaimed from borrowers", func() bool {
		j := r.job("tenant-a/serve")
		return j.State == compute.JobRunning && j.GPUs == 16
	})
	r.until(t, "nothing is borrowed any more", func() bool { return r.queue("flex").Borrowed == 0 })
	waiting := 0
	for _, j := range r.e.View().Jobs {
		if j.State == compute.JobPending && j.Account == "tenant-b" && !j.Ours {
			waiting++
		}
	}
	if waiting != 2 {
		t.Errorf("%d jobs wait, not 2", waiting)
	}
	r.clear(t)
}

func realPause(t *testing.T, r real) {
	r.Submit(kubetest.Job{Namespace: "tenant-b", Name: "slow", GPUs: 8, Linger: time.Second})
	r.until(t, "a job runs", r.is("tenant-b/slow", compute.JobRunning))
	undo := r.act(t, compute.Act{Verb: compute.Stop, Target: "tenant-b/slow", Signal: "TERM", Grace: 30 * time.Second})
	r.until(t, "its pods are told to end and hold their GPUs", func() bool {
		j := r.job("tenant-b/slow")
		return j.State == compute.JobStopping && j.GPUs == 8 && len(j.Places) == 1
	})
	r.until(t, "it is paused by us and its GPUs are free", func() bool {
		j := r.job("tenant-b/slow")
		return j.State == compute.JobPaused && j.Ours && r.Running("tenant-b") == 0
	})
	undo()
	r.until(t, "it runs again", func() bool {
		j := r.job("tenant-b/slow")
		return j.State == compute.JobRunning && !j.Ours && j.Restarts == 1
	})
	r.clear(t)
}

func realCheckpoint(t *testing.T, r real) {
	const id = "tenant-b/saves"
	r.Submit(kubetest.Job{Namespace: "tenant-b", Name: "saves", GPUs: 4, Pods: 2, Notes: map[string]string{kube.NoteSignal: kube.SignalAnnotation}})
	r.until(t, "a job of two pods runs", func() bool { j := r.job(id); return j.State == compute.JobRunning && j.GPUs == 8 })
	asked := time.Now()
	undo := r.act(t, compute.Act{Verb: compute.Stop, Target: id, Grace: soon})
	r.until(t, "it saved its work and is paused", func() bool { j := r.job(id); return j.State == compute.JobPaused && j.Ours })
	if s := r.job(id).Saved; !s.OK || s.V.Before(asked.Add(-time.Second)) {
		t.Errorf("it saved its work at %v, asked at %s", s, asked)
	}
	j, err := r.Kube.BatchV1().Jobs("tenant-b").Get(context.Background(), "saves", metav1.GetOptions{})
	if err != nil || j.Annotations[kube.NoteRequested] != "" {
		t.Errorf("the request is still on the Job: %v %v", j.Annotations, err)
	}
	undo()
	r.until(t, "it runs again", r.is(id, compute.JobRunning))

	// Taken back while it saves: it runs on.
	a := compute.Act{Verb: compute.Stop, Target: id, Grace: soon}
	o, err := r.e.Original(context.Background(), a)
	if err == nil {
		err = r.e.Do(context.Background(), a)
	}
	if err == nil {
		err = r.e.Undo(context.Background(), a, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	r.until(t, "a request that was taken back stops nothing", r.is(id, compute.JobRunning))
	r.clear(t)
}

func realPlain(t *testing.T, r real) {
	const id = "tenant-c/plain"
	r.Submit(kubetest.Job{Namespace: "tenant-c", Name: "plain", GPUs: 8, Plain: true})
	r.until(t, "a plain job runs", func() bool { j := r.job(id); return j.State == compute.JobRunning && j.Queue == "" })
	undo := r.act(t, compute.Act{Verb: compute.Stop, Target: id})
	r.until(t, "it is paused by us", func() bool {
		j := r.job(id)
		return j.State == compute.JobPaused && j.Ours && r.Running("tenant-c") == 0
	})
	undo()
	r.until(t, "it runs again", func() bool { j := r.job(id); return j.State == compute.JobRunning && !j.Ours })
	r.clear(t)
}

// realSuspend shows why a job of Kueue's is never suspended by its Job.
func realSuspend(t *testing.T, r real) {
	r.Submit(kubetest.Job{Namespace: "tenant-b", Name: "back", GPUs: 8})
	r.until(t, "a job runs", r.is("tenant-b/back", compute.JobRunning))
	ctx := context.Background()
	jobs := r.Kube.BatchV1().Jobs("tenant-b")
	if _, err := jobs.Patch(ctx, "back", types.MergePatchType, []byte(`{"spec":{"suspend":true}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	r.until(t, "Kueue started the suspended Job again", func() bool {
		j, err := jobs.Get(ctx, "back", metav1.GetOptions{})
		return err == nil && !*j.Spec.Suspend && resumed(j)
	})
	r.clear(t)
}

func resumed(j *batchv1.Job) bool {
	for _, k := range j.Status.Conditions {
		if k.Type == batchv1.JobSuspended && k.Reason == "JobResumed" {
			return true
		}
	}
	return j.Status.Active > 0
}

func realClose(t *testing.T, r real) {
	r.Submit(kubetest.Job{Namespace: "tenant-b", Name: "old", GPUs: 8})
	r.until(t, "a job runs", r.is("tenant-b/old", compute.JobRunning))
	undo := r.act(t, compute.Act{Verb: compute.Close, Target: "flex"})
	r.until(t, "the queue is closed by us", func() bool { q := r.queue("flex"); return !q.Open && q.Ours })
	r.Submit(kubetest.Job{Namespace: "tenant-b", Name: "new", GPUs: 8})
	r.until(t, "a new job waits", r.is("tenant-b/new", compute.JobPending))
	time.Sleep(time.Second)
	if !r.is("tenant-b/old", compute.JobRunning)() || !r.is("tenant-b/new", compute.JobPending)() {
		t.Errorf("the old job is %s, the new %s", r.job("tenant-b/old").State, r.job("tenant-b/new").State)
	}
	undo()
	r.until(t, "the new job runs", r.is("tenant-b/new", compute.JobRunning))
	if q := r.queue("flex"); !q.Open || q.Ours {
		t.Errorf("the queue is %+v", q)
	}
	r.clear(t)
}

func realDrain(t *testing.T, r real) {
	for i := range 3 {
		r.Submit(kubetest.Job{Namespace: "tenant-b", Name: fmt.Sprintf("d-%d", i), GPUs: 8})
	}
	paused := func() bool {
		n := 0
		for _, j := range r.e.View().Jobs {
			if j.State == compute.JobPaused && j.Ours {
				n++
			}
		}
		return n == 3
	}
	r.until(t, "three jobs run", func() bool { return r.Running("tenant-b") == 24 && r.is("tenant-b/d-2", compute.JobRunning)() })
	reopen := r.act(t, compute.Act{Verb: compute.Close, Target: "flex"})
	undo := r.act(t, compute.Act{Verb: compute.Drain, Target: "flex", Signal: "TERM", Grace: time.Second})
	r.until(t, "all three are paused by us", paused)
	// Out of order: while the drain stands the queue stays drained.
	reopen()
	time.Sleep(500 * time.Millisecond)
	if !paused() {
		t.Error("taking back the close ended the drain")
	}
	undo()
	r.until(t, "all three run again", func() bool { return r.Running("tenant-b") == 24 && r.queue("flex").Open })
	r.clear(t)

	for i := range 2 {
		r.Submit(kubetest.Job{Namespace: "tenant-b", Name: fmt.Sprintf("s-%d", i), GPUs: 8, Notes: map[string]string{kube.NoteSignal: kube.SignalAnnotation}})
	}
	r.until(t, "two jobs with checkpoints run", func() bool {
		return r.is("tenant-b/s-0", compute.JobRunning)() && r.is("tenant-b/s-1", compute.JobRunning)()
	})
	undo = r.act(t, compute.Act{Verb: compute.Drain, Target: "flex", Grace: soon})
	r.until(t, "both saved their work and are paused", func() bool {
		return r.is("tenant-b/s-0", compute.JobPaused)() && r.is("tenant-b/s-1", compute.JobPaused)()
	})
	undo()
	r.until(t, "both run again", func() bool {
		return r.is("tenant-b/s-0", compute.JobRunning)() && r.is("tenant-b/s-1", compute.JobRunning)()
	})
	r.clear(t)
}

func realFence(t *testing.T, r real) {
	r.Submit(kubetest.Job{Namespace: "tenant-b", Name: "moves", GPUs: 8})
	r.until(t, "a job runs", r.is("tenant-b/moves", compute.JobRunning))
	node := r.job("tenant-b/moves").Places[0].Node
	open := r.act(t, compute.Act{Verb: compute.Fence, Target: node})
	r.until(t, "its node is fenced by us, and it runs on", func() bool {
		n := r.node(node)
		return n.State == compute.NodeFenced && n.Ours && n.Used == 8
	})
	on := r.act(t, compute.Act{Verb: compute.Off, Target: node})
	r.until(t, "the node is empty", func() bool { n := r.node(node); return n.State == compute.NodeStopping && n.Used == 0 })
	r.until(t, "the job runs on another node", func() bool {
		j := r.job("tenant-b/moves")
		return j.State == compute.JobRunning && j.Places[0].Node != node
	})
	on()
	r.until(t, "the node is only fenced", func() bool { return r.node(node).State == compute.NodeFenced })
	open()
	r.until(t, "the node is up", func() bool { n := r.node(node); return n.State == compute.NodeUp && !n.Ours })
	r.clear(t)
}

func realPerson(t *testing.T, r real) {
	ctx := context.Background()
	set := func(policy string) {
		p := fmt.Sprintf(`{"spec":{"stopPolicy":%q}}`, policy)
		if _, err := r.Kueue.KueueV1beta1().ClusterQueues().Patch(ctx, "flex", types.MergePatchType, []byte(p), metav1.PatchOptions{FieldManager: "person"}); err != nil {
			t.Fatal(err)
		}
	}
	policy := func() string {
		q, err := r.Kueue.KueueV1beta1().ClusterQueues().Get(ctx, "flex", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if q.Annotations[kube.NoteBy] != "" || q.Annotations[kube.NoteWas] != "" {
			t.Errorf("marks are left: %v", q.Annotations)
		}
		return string(*q.Spec.StopPolicy)
	}
	// A person changes what we changed.
	undo := r.act(t, compute.Act{Verb: compute.Close, Target: "flex"})
	set("HoldAndDrain")
	undo()
	if p := policy(); p != "HoldAndDrain" {
		t.Errorf("the person's HoldAndDrain is %s", p)
	}
	noted := func() bool { return strings.Contains(strings.Join(r.e.View().Notes, "\n"), "left so") }
	r.until(t, "a note says so", noted)
	// A person held it before us.
	set("Hold")
	r.until(t, "the person's Hold is seen", func() bool { // originals come from the watches
		o, err := r.e.Original(ctx, compute.Act{Verb: compute.Close, Target: "flex"})
		return err == nil && strings.Contains(string(o), `"Hold"`)
	})
	undo = r.act(t, compute.Act{Verb: compute.Close, Target: "flex"})
	undo()
	if p := policy(); p != "Hold" {
		t.Errorf("the person's Hold is %s", p)
	}
	set("None")
}
