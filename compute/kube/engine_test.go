package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	ktesting "k8s.io/client-go/testing"
	kueuev1 "sigs.k8s.io/kueue/apis/kueue/v1beta1"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/compute/kube/kueue"
	emulated "switchyard/emulate/kube"
	"switchyard/site"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// faked is an engine over client-go's fake, and over an emulated server of Kueue's objects.
type faked struct {
	*Engine
	kube *fake.Clientset
}

func fakes(t *testing.T, c Config, k clock.Clock, core []runtime.Object, queued []runtime.Object) faked {
	t.Helper()
	f := faked{kube: fake.NewClientset(core...)}
	srv := emulated.New(emulated.Config{})
	keep(t, srv, queued)
	h := httptest.NewServer(srv)
	t.Cleanup(func() { _ = srv.Close(); h.CloseClientConnections(); h.Close() })
	c.ID, c.Timeout = "ai", 5*time.Second
	q, err := kueue.New(&rest.Config{Host: h.URL, QPS: -1}, c.Timeout)
	if err != nil {
		t.Fatal(err)
	}
	e, err := open(c, clients{kube: f.kube, kueue: q, ping: func(context.Context) (string, error) { return "v1.0.0", nil }}, k, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f.Engine = e
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = e.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	eventually(t, "the view is there", func() bool { return e.View().Reachable })
	return f
}

// keep puts Kueue's objects into an emulated server, and makes their namespaces.
func keep(t *testing.T, srv *emulated.Server, queued []runtime.Object) {
	t.Helper()
	st := srv.Store()
	for _, o := range queued {
		o := o.(emulated.Object)
		if ns := o.GetNamespace(); ns != "" && st.Get(st.Namespaces, "", ns) == nil {
			if _, err := st.Create(st.Namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}); err != nil {
				t.Fatal(err)
			}
		}
		r := map[string]*emulated.Resource{"*v1beta1.ClusterQueue": st.ClusterQueues, "*v1beta1.LocalQueue": st.LocalQueues, "*v1beta1.Workload": st.Workloads}[fmt.Sprintf("%T", o)]
		if _, err := st.Create(r, o); err != nil {
			t.Fatal(err)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begun := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("not within half a minute: %s", what)
		}
	}
}

func named(ns, name string, owner *metav1.OwnerReference, notes ...string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{
		Namespace: ns, Name: name, UID: types.UID(ns + "/" + name), CreationTimestamp: metav1.NewTime(noon),
		Annotations: map[string]string{}, Labels: map[string]string{},
	}
	if owner != nil {
		m.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	for i := 0; i+1 < len(notes); i += 2 {
		if strings.HasPrefix(notes[i], "label:") {
			m.Labels[notes[i][6:]] = notes[i+1]
		} else {
			m.Annotations[notes[i]] = notes[i+1]
		}
	}
	return m
}

func by(kind, ns, name string) *metav1.OwnerReference {
	yes := true
	return &metav1.OwnerReference{Kind: kind, Name: name, UID: types.UID(ns + "/" + name), Controller: &yes}
}

func spec(gpus int64) corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{
		Limits: corev1.ResourceList{DefaultGPUResource: *resource.NewQuantity(gpus, resource.DecimalSI)},
	}}}}
}

func pod(m metav1.ObjectMeta, node string, gpus int64, started time.Time) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: m, Spec: spec(gpus), Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	p.Spec.NodeName = node
	at := metav1.NewTime(started)
	p.Status.StartTime = &at
	return p
}

func node(name string, gpus int64, ready bool) *corev1.Node {
	n := &corev1.Node{ObjectMeta: named("", name, nil)}
	n.Status.Allocatable = corev1.ResourceList{DefaultGPUResource: *resource.NewQuantity(gpus, resource.DecimalSI)}
	s := corev1.ConditionFalse
	if ready {
		s = corev1.ConditionTrue
	}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: s, LastTransitionTime: metav1.NewTime(noon)}}
	return n
}

func job(m metav1.ObjectMeta, gpus int64) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: m, Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: spec(gpus)}}}
}

func workload(m metav1.ObjectMeta, gpus int64, active bool) *kueuev1.Workload {
	return &kueuev1.Workload{ObjectMeta: m, Spec: kueuev1.WorkloadSpec{QueueName: "q", Active: &active, PodSets: []kueuev1.PodSet{
		{Name: "main", Count: 1, Template: corev1.PodTemplateSpec{Spec: spec(gpus)}},
	}}}
}

func queues(ns string) []runtime.Object {
	none := kueuev1.None
	return []runtime.Object{
		&kueuev1.ClusterQueue{ObjectMeta: named("", "flex", nil), Spec: kueuev1.ClusterQueueSpec{StopPolicy: &none}},
		&kueuev1.LocalQueue{ObjectMeta: named(ns, "q", nil), Spec: kueuev1.LocalQueueSpec{ClusterQueue: "flex"}},
	}
}

func (f faked) job(id string) compute.Job {
	for _, j := range f.View().Jobs {
		if j.ID == id {
			return j
		}
	}
	return compute.Job{}
}

func TestViewOfManyKindsOfWork(t *testing.T) {
	gone := pod(named("a", "ends-1", by("Job", "a", "ends")), "n1", 1, noon)
	gone.Finalizers = []string{"x"} // the fake keeps what is to be deleted only so
	at := metav1.NewTime(noon)
	gone.DeletionTimestamp = &at
	core := []runtime.Object{
		node("n1", 8, true), node("n2", 7, false), node("cpu", 0, true),
		job(named("a", "train", nil, "label:kueue.x-k8s.io/queue-name", "q", "label:"+NoteClass, "night", NoteDeadline, "2026-03-03T00:00:00Z"), 2),
		pod(named("a", "train-1", by("Job", "a", "train"), NoteSaved, "2026-03-02T12:30:00Z"), "n1", 2, noon),
		job(named("a", "ends", nil), 1), gone,
		job(named("a", "part", by("JobSet", "a", "set")), 3),
		pod(named("a", "part-1", by("Job", "a", "part")), "n2", 3, noon),
		pod(named("a", "serve-1", by("ReplicaSet", "a", "serve"), "label:"+NoteClass, "firm"), "n1", 1, noon),
		job(named("a", "odd", nil, "label:kueue.x-k8s.io/queue-name", "q", NoteSignal, "USR1"), 1),
	}
	queued := append(queues("a"),
		workload(named("a", "job-train", by("Job", "a", "train")), 2, true),
		workload(named("a", "jobset-set", by("JobSet", "a", "set")), 3, true),
		workload(named("a", "job-odd", by("Job", "a", "odd")), 1, false))
	f := fakes(t, Config{Machines: map[string]int{"n1": 8, "n2": 8, "n3": 8}}, clock.System(), core, queued)
	type row struct {
		ID, Queue string
		State     compute.JobState
		GPUs      int
		Node      string
		Ours      bool
	}
	var got []row
	for _, j := range f.View().Jobs {
		r := row{j.ID, j.Queue, j.State, j.GPUs, "", j.Ours}
		if len(j.Places) > 0 {
			r.Node = j.Places[0].Node
		}
		got = append(got, r)
	}
	want := []row{
		{"a/ends", "", compute.JobStopping, 1, "n1", false},
		{"a/jobset-set", "flex", compute.JobRunning, 3, "n2", false},
		{"a/odd", "flex", compute.JobPaused, 1, "", false}, // by its owner
		{"a/replicaset/serve", "", compute.JobRunning, 1, "n1", false},
		{"a/train", "flex", compute.JobRunning, 2, "n1", false},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	train := f.job("a/train")
	if train.Claims == nil || *train.Claims != (compute.Claims{Class: "night"}) || !train.Deadline.Equal(noon.Add(12*time.Hour)) ||
		train.Saved != site.Some(noon.Add(30*time.Minute)) || !train.Started.Equal(noon) {
		t.Errorf("the job is %+v", train)
	}
	nodes := []compute.Node{{Name: "n1", State: compute.NodeUp, GPUs: 8, Used: 4}, {Name: "n2", State: compute.NodeDown, GPUs: 7, Used: 3}}
	if d := cmp.Diff(nodes, f.View().Nodes); d != "" {
		t.Error(d)
	}
	notes := []string{
		"node n2 says that it has 7 GPUs, the inventory 8", "node n3 of the inventory is not known to the cluster",
		"job a/odd wants USR1 for a checkpoint, which cannot be sent through Kubernetes: it gets TERM when it is paused",
	}
	if d := cmp.Diff(notes, f.View().Notes); d != "" {
		t.Error(d)
	}
	err := f.Do(t.Context(), compute.Act{Verb: compute.Stop, Target: "a/replicaset/serve"})
	if !errors.Is(err, compute.ErrUnsupported) {
		t.Errorf("pause a ReplicaSet: %v", err)
	}
}

func TestActsThatCannotBe(t *testing.T) {
	core := []runtime.Object{node("n1", 8, true), job(named("a", "early", nil, "label:kueue.x-k8s.io/queue-name", "q"), 1)}
	f := fakes(t, Config{}, clock.System(), core, queues("a"))
	for _, c := range []struct {
		act  compute.Act
		want error
	}{
		{compute.Act{Verb: compute.Stop, Target: "a/nobody"}, compute.ErrGone},
		{compute.Act{Verb: compute.Stop, Target: "nobody"}, compute.ErrRefused},
		{compute.Act{Verb: compute.Stop, Target: "a/early"}, compute.ErrRefused}, // Kueue's, and no Workload yet
		{compute.Act{Verb: compute.Close, Target: "nobody"}, compute.ErrGone},
		{compute.Act{Verb: compute.Fence, Target: "nobody"}, compute.ErrGone},
		{compute.Act{Verb: compute.Hold, Target: "n1"}, compute.ErrUnsupported},
		{compute.Act{Verb: compute.Fence}, compute.ErrRefused},
	} {
		if err := f.Do(t.Context(), c.act); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %v", c.act, err, c.want)
		}
	}
	if err := f.Undo(t.Context(), compute.Act{Verb: compute.Close, Target: "flex"}, []byte(`{"knob":"active"}`)); !errors.Is(err, compute.ErrRefused) {
		t.Errorf("undo with another act's record: %v", err)
	}
}

// TestWritesAreDecidedAnew has others write in between: the write is decided on what they wrote.
func TestWritesAreDecidedAnew(t *testing.T) {
	f := fakes(t, Config{}, clock.System(), []runtime.Object{node("n1", 8, true)}, nil)
	var tries atomic.Int32
	f.kube.PrependReactor("patch", "nodes", func(ktesting.Action) (bool, runtime.Object, error) {
		if tries.Add(1) < 3 {
			return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "nodes"}, "n1", errors.New("changed"))
		}
		return false, nil, nil
	})
	a := compute.Act{Verb: compute.Fence, Target: "n1"}
	if err := f.Do(t.Context(), a); err != nil || tries.Load() != 3 {
		t.Errorf("after %d tries: %v", tries.Load(), err)
	}
	eventually(t, "the node is fenced", func() bool { n := f.View().Nodes[0]; return n.State == compute.NodeFenced && n.Ours })
	// And where it never ends, it is given up.
	tries.Store(-1000)
	if err := f.Undo(t.Context(), a, nil); !errors.Is(err, compute.ErrRefused) {
		t.Errorf("always a conflict: %v", err)
	}
}

func TestGraceOverStopsAJobThatDidNotSave(t *testing.T) {
	core := []runtime.Object{
		job(named("a", "deaf", nil, NoteSignal, SignalAnnotation), 1), pod(named("a", "deaf-1", by("Job", "a", "deaf")), "n1", 1, noon),
	}
	f := fakes(t, Config{}, clock.System(), core, nil)
	a := compute.Act{Verb: compute.Stop, Target: "a/deaf", Grace: 300 * time.Millisecond}
	if err := f.Do(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	get := func() *batchv1.Job {
		j, err := f.kube.BatchV1().Jobs("a").Get(t.Context(), "deaf", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	if j := get(); j.Spec.Suspend != nil && *j.Spec.Suspend || j.Annotations[NoteRequested] == "" {
		t.Errorf("at once: %+v %v", j.Spec.Suspend, j.Annotations)
	}
	p, err := f.kube.CoreV1().Pods("a").Get(t.Context(), "deaf-1", metav1.GetOptions{})
	if err != nil || p.Annotations[NoteRequested] == "" {
		t.Errorf("its pod is not asked: %v %v", p.Annotations, err)
	}
	eventually(t, "it is stopped", func() bool {
		j := get()
		return j.Spec.Suspend != nil && *j.Spec.Suspend && j.Annotations[NoteRequested] == ""
	})
	eventually(t, "a note says why", func() bool { return strings.Contains(strings.Join(f.View().Notes, "\n"), "before its work was saved") })
}

// TestACrashWhileAskedIsTakenUp repeats an act that an earlier process began: its time counts.
func TestACrashWhileAskedIsTakenUp(t *testing.T) {
	before := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339Nano)
	core := []runtime.Object{
		job(named("a", "half", nil, NoteSignal, SignalAnnotation, NoteBy, "pause", NoteWas, `{"suspend":"false"}`, NoteRequested, before), 1),
		pod(named("a", "half-1", by("Job", "a", "half"), NoteRequested, before), "n1", 1, noon),
	}
	f := fakes(t, Config{}, clock.System(), core, nil)
	if j := f.job("a/half"); j.State != compute.JobStopping || !j.Ours {
		t.Errorf("the job is %+v", j)
	}
	a := compute.Act{Verb: compute.Stop, Target: "a/half", Grace: time.Minute}
	o, err := f.Original(t.Context(), a)
	if err != nil || !strings.Contains(string(o), `"value":"false"`) {
		t.Errorf("what stood before is %s, %v", o, err)
	}
	if err := f.Do(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is stopped, for its minute was over long ago", func() bool {
		j, err := f.kube.BatchV1().Jobs("a").Get(t.Context(), "half", metav1.GetOptions{})
		return err == nil && j.Spec.Suspend != nil && *j.Spec.Suspend
	})
}

func TestUsageInSiteTime(t *testing.T) {
	// Site time runs sixty times as fast; the engine's own times are the machine's.
	wall := time.Now()
	c := clock.Anchored{Wall: wall, Site: noon, Rate: 60}
	ended := pod(named("a", "old-1", by("Job", "a", "old")), "n1", 4, wall.Add(-10*time.Minute))
	ended.Status.Phase = corev1.PodSucceeded
	ended.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		FinishedAt: metav1.NewTime(wall.Add(-5 * time.Minute)),
	}}}}
	core := []runtime.Object{job(named("a", "old", nil), 4), ended, pod(named("a", "new-1", by("Job", "a", "new")), "n1", 2, wall.Add(-time.Minute)), job(named("a", "new", nil), 2)}
	f := fakes(t, Config{}, c, core, nil)
	us, err := f.Usage(t.Context(), noon.Add(-6*time.Hour), noon)
	if !errors.Is(err, ErrIncomplete) {
		t.Errorf("usage before the record began: %v", err)
	}
	got := map[string]time.Duration{}
	for _, u := range us {
		got[u.Job] += u.GPUTime.Round(time.Minute) // the server's times are whole seconds
	}
	// old: from 10 h to 5 h before noon, of which one hour is within; new: from one hour before noon.
	if d := cmp.Diff(map[string]time.Duration{"a/old": 4 * time.Hour, "a/new": 2 * time.Hour}, got); d != "" {
		near := func(a, b time.Duration) bool { return (a - b).Abs() <= 8*time.Minute }
		if !near(got["a/old"], 4*time.Hour) || !near(got["a/new"], 2*time.Hour) {
			t.Error(d)
		}
	}
}

func TestRecordIsBounded(t *testing.T) {
	var r record
	r.begin(noon)
	for i := range maxStretches + 1 {
		at := noon.Add(time.Duration(i) * time.Second)
		r.add(stretch{job: "j", gpus: 1, from: at, to: at.Add(time.Second)})
	}
	all, since := r.within(noon)
	if len(all) > maxStretches || !since.After(noon) {
		t.Errorf("%d stretches, all known since %s", len(all), since)
	}
	late := noon.Add(2 * keepFor)
	r.add(stretch{job: "j", gpus: 1, from: late, to: late.Add(time.Second)})
	if all, _ = r.within(noon); len(all) != 1 {
		t.Errorf("%d stretches are kept for ever", len(all))
	}
}

// TestClaimsOfAJob reads what a job says of its class; what it is worth the cluster's classes say.
func TestClaimsOfAJob(t *testing.T) {
	for _, c := range []struct {
		says wishes
		want *compute.Claims
	}{
		{wishes{}, nil},
		{wishes{signal: SignalAnnotation}, nil},
		{wishes{class: "firm"}, &compute.Claims{Class: "firm"}},
		{wishes{class: "platinum", signal: "USR1"}, &compute.Claims{Class: "platinum"}}, // a signal that cannot be sent
		{wishes{class: "spot", signal: SignalAnnotation}, &compute.Claims{Class: "spot", Signal: SignalAnnotation}},
		{wishes{class: "spot", signal: "TERM"}, &compute.Claims{Class: "spot", Signal: "TERM"}},
	} {
		if d := cmp.Diff(c.want, c.says.claims()); d != "" {
			t.Errorf("%+v: %s", c.says, d)
		}
	}
}
