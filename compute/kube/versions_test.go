package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kueuev1 "sigs.k8s.io/kueue/apis/kueue/v1beta1"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/emulate/gpus"
	emulated "switchyard/emulate/kube"
	"switchyard/emulate/kube/control"
	"switchyard/unit"
)

// lived is an emulated cluster of two machines of eight GPUs whose Kueue is served in chosen
// versions, with the adapter on it over HTTP.
type lived struct {
	*Engine
	srv *emulated.Server
}

func live(t *testing.T, versions []string) lived {
	t.Helper()
	m := gpus.Model{Name: "h100", Product: "NVIDIA H100 80GB HBM3", Idle: 70 * unit.Watt, Full: 700 * unit.Watt, Least: 200 * unit.Watt}
	cfg := gpus.Config{ID: "ai", Seed: 1}
	for i := range 2 {
		cfg.Nodes = append(cfg.Nodes, gpus.NodeConfig{Name: fmt.Sprint("gpu", i+1), Model: m, GPUs: 8, Idle: unit.Kilowatt, Full: 2 * unit.Kilowatt})
	}
	machines, err := gpus.New(cfg, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	x := lived{srv: emulated.New(emulated.Config{Kueue: versions})}
	ctl, err := control.New(control.Config{Server: x.srv, Cluster: machines})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, x.srv.Store())
	ctx, cancel := context.WithCancel(context.Background())
	h := httptest.NewServer(x.srv)
	x.Engine, err = Open(Config{ID: "ai", Server: h.URL, Timeout: 5 * time.Second}, clock.System(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var ends []chan struct{}
	for _, run := range []func(){
		func() { machines.Run(ctx, clock.System()) }, func() { ctl.Run(ctx, clock.System()) }, func() { _ = x.Run(ctx) },
	} {
		end := make(chan struct{})
		ends = append(ends, end)
		go func() { defer close(end); run() }()
	}
	t.Cleanup(func() {
		cancel()
		_ = x.srv.Close()
		h.CloseClientConnections()
		for _, end := range ends {
			<-end
		}
		h.Close()
	})
	return x
}

// fill makes a queue of 16 GPUs with a running job, and a Job that no queue has.
func fill(t *testing.T, st *emulated.Store) {
	t.Helper()
	meta := func(ns, name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: ns, Name: name} }
	made := func(r *emulated.Resource, o emulated.Object) {
		if _, err := st.Create(r, o); err != nil {
			t.Fatal(err)
		}
	}
	work := func(name string, labels map[string]string) *batchv1.Job {
		m := meta("a", name)
		m.Labels, m.Annotations = labels, map[string]string{control.ArgWork: "0", control.ArgSave: "0", control.ArgLoad: "0s"}
		return &batchv1.Job{ObjectMeta: m, Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: spec(8)}}}
	}
	made(st.Namespaces, &corev1.Namespace{ObjectMeta: meta("", "a")})
	made(st.PriorityClasses, &kueuev1.WorkloadPriorityClass{ObjectMeta: meta("", "high"), Value: 7})
	made(st.Flavors, &kueuev1.ResourceFlavor{ObjectMeta: meta("", "h100")})
	made(st.ClusterQueues, &kueuev1.ClusterQueue{ObjectMeta: meta("", "flex"), Spec: kueuev1.ClusterQueueSpec{
		Cohort: "site", NamespaceSelector: &metav1.LabelSelector{},
		ResourceGroups: []kueuev1.ResourceGroup{{CoveredResources: []corev1.ResourceName{DefaultGPUResource}, Flavors: []kueuev1.FlavorQuotas{{
			Name: "h100", Resources: []kueuev1.ResourceQuota{{Name: DefaultGPUResource, NominalQuota: resource.MustParse("16")}},
		}}}},
	}})
	made(st.LocalQueues, &kueuev1.LocalQueue{ObjectMeta: meta("a", "q"), Spec: kueuev1.LocalQueueSpec{ClusterQueue: "flex"}})
	made(st.Jobs, work("train", map[string]string{"kueue.x-k8s.io/queue-name": "q", "kueue.x-k8s.io/priority-class": "high"}))
	made(st.Jobs, work("plain", nil))
}

func (x lived) job(id string) compute.Job {
	return faked{Engine: x.Engine}.job(id)
}

func (x lived) queue() compute.Queue {
	for _, q := range x.View().Queues {
		if q.Name == "flex" {
			return q
		}
	}
	return compute.Queue{}
}

// works sees a job of a queue run, closes the queue, pauses the job and takes both back.
func (x lived) works(t *testing.T) {
	t.Helper()
	eventually(t, "the job runs", func() bool { j := x.job("a/train"); return j.State == compute.JobRunning && j.Queue == "flex" })
	eventually(t, "the queue has its quota", func() bool { q := x.queue(); return q.Open && q.GPUs == 16 })
	st := x.srv.Store()
	before := st.Get(st.ClusterQueues, "", "flex").(*kueuev1.ClusterQueue)
	loads := func() *kueuev1.Workload { return st.List(st.Workloads, "a")[0].(*kueuev1.Workload) }
	was := loads()
	closed, pause := compute.Act{Verb: compute.Close, Target: "flex"}, compute.Act{Verb: compute.Stop, Target: "a/train"}
	for _, a := range []compute.Act{closed, pause} {
		if err := x.Do(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the queue is closed by us", func() bool { q := x.queue(); return !q.Open && q.Ours })
	eventually(t, "the job is paused", func() bool { j := x.job("a/train"); return j.State == compute.JobPaused && j.Ours })
	if w := loads(); *w.Spec.Active || w.Spec.PriorityClassName != was.Spec.PriorityClassName || w.Spec.PriorityClassSource != was.Spec.PriorityClassSource || was.Spec.PriorityClassName != "high" {
		t.Errorf("the workload is %v %q %q, and was of %q", *w.Spec.Active, w.Spec.PriorityClassName, w.Spec.PriorityClassSource, was.Spec.PriorityClassName)
	}
	if q := st.Get(st.ClusterQueues, "", "flex").(*kueuev1.ClusterQueue); q.Spec.Cohort != "site" || *q.Spec.StopPolicy != kueuev1.Hold || len(q.Spec.ResourceGroups) != len(before.Spec.ResourceGroups) {
		t.Errorf("the queue is %+v", q.Spec)
	}
	for _, a := range []compute.Act{pause, closed} {
		if err := x.Undo(t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the job runs again", func() bool { return x.job("a/train").State == compute.JobRunning && x.queue().Open })
}

func TestKueueInEitherVersion(t *testing.T) {
	for _, c := range []struct {
		served []string
		spoken string
	}{
		{[]string{"v1beta1"}, "v1beta1"},
		{[]string{"v1beta2"}, "v1beta2"},
		{[]string{"v1beta1", "v1beta2"}, "v1beta2"},
		{[]string{"v1beta3", "v1beta2"}, "v1beta2"},
	} {
		t.Run(strings.Join(c.served, "+"), func(t *testing.T) {
			t.Parallel()
			x := live(t, c.served)
			eventually(t, "the view is there", func() bool { return x.View().Reachable })
			x.works(t)
			v := x.View()
			if !strings.HasSuffix(v.Engine, ", kueue "+c.spoken) || len(v.Notes) != 0 {
				t.Errorf("it is %q, with notes %q", v.Engine, v.Notes)
			}
			if r := x.srv.Calls("GET clusterqueues"); r > 2 {
				t.Errorf("queues were listed %d times", r)
			}
		})
	}
}

// A Kueue of which no version is known is no cluster without Kueue.
func TestKueueOfAnUnknownVersion(t *testing.T) {
	x := live(t, []string{"v1beta3", "v1"})
	const text = "Kueue answers with versions v1beta3, v1; this program knows v1beta1 and v1beta2"
	eventually(t, "the view says so", func() bool { return strings.Contains(x.View().Err, text) })
	eventually(t, "and its notes", func() bool {
		return slices.ContainsFunc(x.View().Notes, func(n string) bool { return strings.HasPrefix(n, text) })
	})
	v := x.View()
	if v.Reachable || strings.Contains(strings.Join(v.Notes, " "), "not served") || strings.Contains(v.Engine, "kueue") {
		t.Errorf("it is %q, reachable %v, with notes %q", v.Engine, v.Reachable, v.Notes)
	}
	if err := x.Do(t.Context(), compute.Act{Verb: compute.Close, Target: "flex"}); !errors.Is(err, compute.ErrUnsupported) {
		t.Errorf("close: %v", err)
	}
	// It is followed again when a version that is known comes.
	x.srv.ServeKueue("v1beta2")
	for _, f := range x.feeds {
		f.again()
	}
	x.works(t)
}

func TestNoKueueAtAll(t *testing.T) {
	x := live(t, []string{})
	eventually(t, "the plain job runs", func() bool { return x.View().Reachable && x.job("a/plain").State == compute.JobRunning })
	if n := x.View().Notes; len(n) != 1 || !strings.Contains(n[0], "Kueue's resources are not served") {
		t.Errorf("notes %q", n)
	}
}

// An upgrade takes the version away that was spoken: the adapter asks again, and goes on.
func TestKueueIsUpgraded(t *testing.T) {
	x := live(t, []string{"v1beta1"})
	eventually(t, "the job runs", func() bool { return x.job("a/train").State == compute.JobRunning })
	x.srv.ServeKueue("v1beta2")
	eventually(t, "the newer version is spoken", func() bool { v := x.View(); return v.Reachable && strings.HasSuffix(v.Engine, ", kueue v1beta2") })
	x.works(t)
	for _, n := range x.View().Notes {
		if strings.Contains(n, "not served") {
			t.Errorf("a note says %q", n)
		}
	}
}

// What a server says about its versions may be anything.
func TestAnswersAboutVersions(t *testing.T) {
	for answer, want := range map[string]error{
		`{"versions":[{"version":"v1beta2"}]}`: nil,
		`{"versions":[]}`:                      compute.ErrGone,
		`{"versions":[{"version":"v9"}]}`:      compute.ErrUnsupported,
		`nonsense`:                             compute.ErrUnreachable,
		`403`:                                  compute.ErrRefused,
	} {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if answer == "403" {
				w.WriteHeader(http.StatusForbidden)
			}
			_, _ = w.Write([]byte(answer))
		}))
		e, err := Open(Config{Server: h.URL, Timeout: time.Second}, clock.System(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = e.with.kueue.ClusterQueues().List(t.Context(), metav1.ListOptions{})
		if _, err := e.with.kueue.Spoken(); want == nil && err != nil || want != nil && !errors.Is(kind(err), want) {
			t.Errorf("%s: %v", answer, err)
		}
		h.Close()
	}
}
