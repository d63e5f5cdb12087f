package kube_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	kueue "sigs.k8s.io/kueue/apis/kueue/v1beta1"
	"sigs.k8s.io/kueue/client-go/clientset/versioned"
	kueueinformers "sigs.k8s.io/kueue/client-go/informers/externalversions"

	"switchyard/emulate/kube"
)

type fixture struct {
	t   testing.TB
	srv *kube.Server
	url string
	k   *kubernetes.Clientset
	q   *versioned.Clientset
}

func serve(t testing.TB, cfg kube.Config, token string) *fixture {
	t.Helper()
	f := &fixture{t: t, srv: kube.New(cfg)}
	h := httptest.NewServer(f.srv)
	t.Cleanup(func() { _ = f.srv.Close(); h.CloseClientConnections(); h.Close() })
	rc := &rest.Config{Host: h.URL, QPS: 1e6, Burst: 1e6, BearerToken: token}
	f.url, f.k, f.q = h.URL, kubernetes.NewForConfigOrDie(rc), versioned.NewForConfigOrDie(rc)
	return f
}

func (f *fixture) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func job(name string) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", Labels: map[string]string{"app": "train"}}, Spec: batchv1.JobSpec{
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "train", Resources: corev1.ResourceRequirements{
			Limits: corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("8")},
		}}}}},
	}}
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("there is still not: %s", what)
		}
	}
}

func TestInformersFollow(t *testing.T) {
	f := serve(t, kube.Config{}, "")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := range 5 {
		_, err := f.k.BatchV1().Jobs("default").Create(ctx, job(fmt.Sprint("j", i)), metav1.CreateOptions{})
		f.ok(err)
	}
	all := informers.NewSharedInformerFactory(f.k, 0)
	jobs, nodes := all.Batch().V1().Jobs(), all.Core().V1().Nodes()
	jobs.Informer()
	nodes.Informer()
	more := kueueinformers.NewSharedInformerFactory(f.q, 0)
	loads := more.Kueue().V1beta1().Workloads()
	loads.Informer()
	all.Start(ctx.Done())
	more.Start(ctx.Done())
	all.WaitForCacheSync(ctx.Done())
	more.WaitForCacheSync(ctx.Done())
	count := func() int { l, _ := jobs.Lister().List(labels.Everything()); return len(l) }
	if count() != 5 {
		t.Errorf("%d jobs", count())
	}
	f.ok(f.k.BatchV1().Jobs("default").Delete(ctx, "j0", metav1.DeleteOptions{}))
	_, err := f.k.BatchV1().Jobs("default").Create(ctx, job("new"), metav1.CreateOptions{})
	f.ok(err)
	eventually(t, "the new job and not the old one", func() bool {
		_, e0 := jobs.Lister().Jobs("default").Get("j0")
		_, e1 := jobs.Lister().Jobs("default").Get("new")
		return apierrors.IsNotFound(e0) && e1 == nil
	})
	// After all past is forgotten the informers list again and go on.
	f.srv.Store().Compact()
	_, err = f.q.KueueV1beta1().Workloads("default").Create(ctx, &kueue.Workload{ObjectMeta: metav1.ObjectMeta{Name: "w", Namespace: "default"}}, metav1.CreateOptions{})
	f.ok(err)
	eventually(t, "the workload", func() bool { _, err := loads.Lister().Workloads("default").Get("w"); return err == nil })
}

func TestWatch(t *testing.T) {
	f := serve(t, kube.Config{}, "")
	ctx := context.Background()
	jobs := f.k.BatchV1().Jobs("default")
	list, err := jobs.List(ctx, metav1.ListOptions{})
	f.ok(err)
	for _, n := range []string{"a", "b"} {
		_, err := jobs.Create(ctx, job(n), metav1.CreateOptions{})
		f.ok(err)
	}
	patch := func(name, body string) {
		_, err := jobs.Patch(ctx, name, types.MergePatchType, []byte(body), metav1.PatchOptions{})
		f.ok(err)
	}
	patch("a", `{"metadata":{"labels":{"app":"other"}}}`)
	patch("a", `{"metadata":{"labels":{"app":"train"}}}`)
	f.ok(jobs.Delete(ctx, "b", metav1.DeleteOptions{}))
	// Resumed at the list, everything since comes; with a selector, what enters and leaves it.
	for sel, want := range map[string]string{
		"":          "ADDED a,ADDED b,MODIFIED a,MODIFIED a,DELETED b",
		"app=train": "ADDED a,ADDED b,DELETED a,ADDED a,DELETED b",
		"app=other": "ADDED a,DELETED a",
	} {
		w, err := jobs.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion, LabelSelector: sel})
		f.ok(err)
		var got []string
		for range strings.Split(want, ",") {
			e := <-w.ResultChan()
			got = append(got, fmt.Sprint(e.Type, " ", e.Object.(*batchv1.Job).Name))
		}
		w.Stop()
		if s := strings.Join(got, ","); s != want {
			t.Errorf("selector %q: %s", sel, s)
		}
	}
	// Too old: 410, in the stream.
	f.srv.Store().Compact()
	w, err := jobs.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	f.ok(err)
	e := <-w.ResultChan()
	if err := apierrors.FromObject(e.Object); e.Type != watch.Error || !apierrors.IsResourceExpired(err) {
		t.Errorf("%v: %v", e.Type, err)
	}
	// The new way of beginning is refused as old servers do.
	yes := true
	_, err = jobs.Watch(ctx, metav1.ListOptions{SendInitialEvents: &yes, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, AllowWatchBookmarks: true})
	if !apierrors.IsInvalid(err) {
		t.Errorf("sendInitialEvents: %v", err)
	}
	// A watch that ends by its time leaves a bookmark.
	one := int64(1)
	w, err = jobs.Watch(ctx, metav1.ListOptions{TimeoutSeconds: &one, AllowWatchBookmarks: true, ResourceVersion: "0"})
	f.ok(err)
	var kinds []string
	for e := range w.ResultChan() {
		kinds = append(kinds, string(e.Type))
	}
	if s := strings.Join(kinds, ","); s != "ADDED,BOOKMARK" {
		t.Error(s)
	}
}

func TestConflictsAndNoChange(t *testing.T) {
	f := serve(t, kube.Config{}, "")
	ctx := context.Background()
	nodes := f.k.CoreV1().Nodes()
	n, err := nodes.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, metav1.CreateOptions{})
	f.ok(err)
	if _, err := nodes.Create(ctx, n, metav1.CreateOptions{}); err == nil {
		t.Error("made twice")
	}
	first := n.DeepCopy()
	n.Spec.Unschedulable = true
	n, err = nodes.Update(ctx, n, metav1.UpdateOptions{})
	f.ok(err)
	if n.Generation != 2 {
		t.Errorf("generation %d", n.Generation)
	}
	first.Labels = map[string]string{"a": "b"}
	if _, err := nodes.Update(ctx, first, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("an update of an old version: %v", err)
	}
	same, err := nodes.Patch(ctx, "n1", types.StrategicMergePatchType, []byte(`{"spec":{"unschedulable":true}}`), metav1.PatchOptions{})
	f.ok(err)
	if same.ResourceVersion != n.ResourceVersion {
		t.Error("a patch that changes nothing makes a version")
	}
	if _, err := nodes.Patch(ctx, "n1", types.MergePatchType, []byte(`{"metadata":{"resourceVersion":"1"},"spec":{"unschedulable":false}}`), metav1.PatchOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("a patch of an old version: %v", err)
	}
	// Status and spec keep apart.
	n.Status.Phase, n.Spec.Unschedulable = "Running", false
	n, err = nodes.UpdateStatus(ctx, n, metav1.UpdateOptions{})
	f.ok(err)
	if !n.Spec.Unschedulable || n.Status.Phase != "Running" {
		t.Errorf("%+v", n)
	}
	if _, err := nodes.Get(ctx, "nobody", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Error(err)
	}
	q, err := f.q.KueueV1beta1().ClusterQueues().Create(ctx, &kueue.ClusterQueue{ObjectMeta: metav1.ObjectMeta{Name: "q"}}, metav1.CreateOptions{})
	f.ok(err)
	q.ResourceVersion = ""
	if _, err := f.q.KueueV1beta1().ClusterQueues().Update(ctx, q, metav1.UpdateOptions{}); err == nil {
		t.Error("a custom resource is updated without a version")
	}
	if _, err := f.q.KueueV1beta1().ClusterQueues().Patch(ctx, "q", types.StrategicMergePatchType, []byte(`{}`), metav1.PatchOptions{}); !apierrors.IsUnsupportedMediaType(err) {
		t.Errorf("a strategic patch of a custom resource: %v", err)
	}
}

func TestPatchesMergeByKeys(t *testing.T) {
	f := serve(t, kube.Config{}, "")
	ctx := context.Background()
	jobs := f.k.BatchV1().Jobs("default")
	_, err := jobs.Create(ctx, job("j"), metav1.CreateOptions{})
	f.ok(err)
	j, err := jobs.Patch(ctx, "j", types.StrategicMergePatchType, []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"new"},{"name":"side","image":"x"}]}}}}`), metav1.PatchOptions{})
	f.ok(err)
	if c := j.Spec.Template.Spec.Containers; len(c) != 2 || j.Generation != 2 {
		t.Errorf("%d containers, generation %d", len(c), j.Generation)
	}
	for _, c := range j.Spec.Template.Spec.Containers {
		if c.Name == "main" && (c.Image != "new" || c.Resources.Limits.Name("nvidia.com/gpu", resource.DecimalSI).Value() != 8) {
			t.Errorf("%+v", c)
		}
	}
	_, err = jobs.Patch(ctx, "j", types.JSONPatchType, []byte(`[{"op":"test","path":"/metadata/name","value":"k"},{"op":"add","path":"/metadata/labels/x","value":"y"}]`), metav1.PatchOptions{})
	if !apierrors.IsInvalid(err) {
		t.Errorf("a JSON patch whose test fails: %v", err)
	}
	j, err = jobs.Patch(ctx, "j", types.JSONPatchType, []byte(`[{"op":"add","path":"/metadata/labels/x","value":"y"}]`), metav1.PatchOptions{})
	f.ok(err)
	if j.Labels["x"] != "y" || j.Labels["app"] != "train" {
		t.Errorf("%v", j.Labels)
	}
	_, err = f.k.CoreV1().Nodes().Apply(ctx, applycore.Node("n1").WithLabels(map[string]string{"a": "b"}), metav1.ApplyOptions{FieldManager: "us"})
	f.ok(err)
	n, err := f.k.CoreV1().Nodes().Apply(ctx, applycore.Node("n1").WithSpec(applycore.NodeSpec().WithUnschedulable(true)), metav1.ApplyOptions{FieldManager: "us"})
	f.ok(err)
	if n.Labels["a"] != "b" || !n.Spec.Unschedulable || len(n.ManagedFields) != 1 || n.ManagedFields[0].Manager != "us" {
		t.Errorf("%+v", n.ObjectMeta)
	}
}

func TestGraceAndFinalizers(t *testing.T) {
	f := serve(t, kube.Config{}, "")
	ctx := context.Background()
	pods := f.k.CoreV1().Pods("default")
	pod := func(name, node string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "m"}}}}
	}
	for n, node := range map[string]string{"loose": "", "bound": "n1"} {
		_, err := pods.Create(ctx, pod(n, node), metav1.CreateOptions{})
		f.ok(err)
		f.ok(pods.Delete(ctx, n, metav1.DeleteOptions{}))
	}
	if _, err := pods.Get(ctx, "loose", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Error(err)
	}
	p, err := pods.Get(ctx, "bound", metav1.GetOptions{})
	f.ok(err)
	if p.DeletionTimestamp == nil || *p.DeletionGracePeriodSeconds != 30 {
		t.Errorf("%+v", p.ObjectMeta)
	}
	zero := int64(0)
	f.ok(pods.Delete(ctx, "bound", metav1.DeleteOptions{GracePeriodSeconds: &zero}))
	if _, err := pods.Get(ctx, "bound", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Error(err)
	}
	j := job("j")
	j.Finalizers = []string{"a/b"}
	jobs := f.k.BatchV1().Jobs("default")
	_, err = jobs.Create(ctx, j, metav1.CreateOptions{})
	f.ok(err)
	f.ok(jobs.Delete(ctx, "j", metav1.DeleteOptions{}))
	_, err = jobs.Patch(ctx, "j", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	f.ok(err)
	if _, err := jobs.Get(ctx, "j", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Error(err)
	}
}

func TestSelectorsAndPages(t *testing.T) {
	f := serve(t, kube.Config{}, "")
	ctx := context.Background()
	for i := range 25 {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("p%02d", i)}, Spec: corev1.PodSpec{NodeName: fmt.Sprint("n", i%5), Containers: []corev1.Container{{Name: "m"}}}}
		_, err := f.k.CoreV1().Pods("default").Create(ctx, p, metav1.CreateOptions{})
		f.ok(err)
	}
	count := func(o metav1.ListOptions) (n, pages int) {
		for {
			l, err := f.k.CoreV1().Pods("").List(ctx, o)
			f.ok(err)
			n += len(l.Items)
			pages++
			if o.Continue = l.Continue; o.Continue == "" {
				return n, pages
			}
		}
	}
	for _, tt := range []struct {
		o        metav1.ListOptions
		n, pages int
	}{
		{metav1.ListOptions{}, 25, 1},
		{metav1.ListOptions{FieldSelector: "spec.nodeName=n1"}, 5, 1},
		{metav1.ListOptions{FieldSelector: "spec.nodeName!=n1,status.phase=Pending"}, 20, 1},
		{metav1.ListOptions{FieldSelector: "metadata.name=p03"}, 1, 1},
		{metav1.ListOptions{Limit: 10}, 25, 3},
		{metav1.ListOptions{Limit: 10, ResourceVersion: "0"}, 25, 1},
	} {
		if n, pages := count(tt.o); n != tt.n || pages != tt.pages {
			t.Errorf("%+v: %d in %d pages", tt.o, n, pages)
		}
	}
	if _, err := f.k.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.mood=good"}); !apierrors.IsBadRequest(err) {
		t.Error(err)
	}
}

func TestTokens(t *testing.T) {
	f := serve(t, kube.Config{Tokens: map[string]time.Time{"good": {}}}, "good")
	ctx := context.Background()
	_, err := f.k.Discovery().ServerVersion()
	f.ok(err)
	_, groups, err := f.k.Discovery().ServerGroupsAndResources()
	f.ok(err)
	if len(groups) != 4 {
		t.Errorf("%d groups of resources", len(groups))
	}
	f.srv.Token("good", time.Now().Add(-time.Second))
	if _, err := f.k.CoreV1().Nodes().List(ctx, metav1.ListOptions{}); !apierrors.IsUnauthorized(err) {
		t.Errorf("an expired token: %v", err)
	}
}

func TestMediaAndSizes(t *testing.T) {
	f := serve(t, kube.Config{}, "")
	do := func(method, path, accept, media string, body io.Reader) int {
		r, _ := http.NewRequest(method, f.url+path, body)
		r.Header.Set("Accept", accept)
		r.Header.Set("Content-Type", media)
		res, err := http.DefaultClient.Do(r)
		f.ok(err)
		defer res.Body.Close()
		return res.StatusCode
	}
	const jobs = "/apis/batch/v1/namespaces/default/jobs"
	for name, got := range map[string][2]int{
		"only protobuf taken": {do("GET", jobs, "application/vnd.kubernetes.protobuf", "", nil), 406},
		"CBOR":                {do("POST", jobs, "*/*", "application/cbor", strings.NewReader("x")), 415},
		"not JSON":            {do("POST", jobs, "*/*", "application/json", strings.NewReader("{")), 400},
		"bad protobuf":        {do("POST", jobs, "*/*", "application/vnd.kubernetes.protobuf", strings.NewReader("k8s\x00zzz")), 400},
		"another kind":        {do("POST", jobs, "*/*", "application/json", strings.NewReader(`{"kind":"Pod"}`)), 400},
		"too much":            {do("POST", jobs, "*/*", "application/json", bytes.NewReader(make([]byte, 4<<20))), 413},
		"nothing there":       {do("GET", "/apis/apps/v1/deployments", "", "", nil), 404},
		"no such namespace":   {do("POST", "/apis/batch/v1/namespaces/x/jobs", "", "application/json", strings.NewReader(`{"metadata":{"name":"a"},"spec":{"template":{"spec":{"containers":[{"name":"a"}]}}}}`)), 404},
		"apply, no manager":   {do("PATCH", "/api/v1/nodes/a", "", "application/apply-patch+yaml", strings.NewReader("{}")), 400},
		"no containers":       {do("POST", jobs, "", "application/json", strings.NewReader(`{"metadata":{"name":"a"}}`)), 422},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %d, want %d", name, got[0], got[1])
		}
	}
}

func TestAHangEnds(t *testing.T) {
	f := serve(t, kube.Config{}, "")
	f.srv.Misbehave(kube.Faults{Hang: true})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.k.CoreV1().Nodes().List(ctx, metav1.ListOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it answers: %v", err)
	}
	f.srv.Misbehave(kube.Faults{})
	_, err := f.k.CoreV1().Nodes().List(context.Background(), metav1.ListOptions{})
	f.ok(err)
}

func FuzzServe(f *testing.F) {
	f.Add("PATCH", "/api/v1/nodes/a", "application/strategic-merge-patch+json", []byte(`{"spec":{"taints":[{"key":"a"}]}}`))
	f.Add("PATCH", "/api/v1/nodes/a", "application/json-patch+json", []byte(`[{"op":"remove","path":"/metadata"}]`))
	f.Add("PATCH", "/api/v1/nodes/a?fieldManager=x", "application/apply-patch+yaml", []byte("status:\n  conditions: [{type: Ready}]\n"))
	f.Add("POST", "/api/v1/nodes", "application/vnd.kubernetes.protobuf", []byte("k8s\x00\x0a\x00"))
	f.Add("GET", "/api/v1/nodes?limit=1&continue=eyJ2IjoxLCJhIjoiIn0", "", []byte{})
	f.Add("DELETE", "/api/v1/namespaces/default/pods?labelSelector=a%3Db", "application/json", []byte(`{"gracePeriodSeconds":-3}`))
	f.Fuzz(func(t *testing.T, method, path, media string, body []byte) {
		if !strings.HasPrefix(path, "/") || strings.Contains(path, "watch") {
			return
		}
		s := kube.New(kube.Config{})
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
		if _, err := s.Store().Create(s.Store().Nodes, n); err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(method, "http://x"+path, bytes.NewReader(body))
		if err != nil {
			return
		}
		r.Header.Set("Content-Type", media)
		s.ServeHTTP(httptest.NewRecorder(), r)
	})
}

// BenchmarkFanOut lists 20,000 jobs and 2,000 nodes, and follows 2,000 writes in 4 watches.
func BenchmarkFanOut(b *testing.B) {
	f := serve(b, kube.Config{}, "")
	st := f.srv.Store()
	for i := range 2000 {
		_, err := st.Create(st.Nodes, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", i)}})
		f.ok(err)
	}
	for i := range 20_000 {
		_, err := st.Create(st.Jobs, job(fmt.Sprint("j", i)))
		f.ok(err)
	}
	ctx := context.Background()
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			l, err := f.k.BatchV1().Jobs("").List(ctx, metav1.ListOptions{})
			if err != nil || len(l.Items) != 20_000 {
				b.Fatal(len(l.Items), err)
			}
		}
	})
	b.Run("bytes", func(b *testing.B) { // the server's part alone
		for b.Loop() {
			res, err := http.Get(f.url + "/apis/batch/v1/jobs")
			if err != nil {
				b.Fatal(err)
			}
			n, _ := io.Copy(io.Discard, res.Body)
			res.Body.Close()
			b.SetBytes(n)
		}
	})
	b.Run("watch", func(b *testing.B) {
		for b.Loop() {
			done := make(chan struct{}, 4)
			l, err := f.k.BatchV1().Jobs("").List(ctx, metav1.ListOptions{Limit: 1})
			f.ok(err)
			rv := l.ResourceVersion
			for range 4 {
				w, err := f.k.BatchV1().Jobs("").Watch(ctx, metav1.ListOptions{ResourceVersion: rv})
				f.ok(err)
				go func() {
					for range 2000 {
						<-w.ResultChan()
					}
					w.Stop()
					done <- struct{}{}
				}()
			}
			for i := range 2000 {
				_, err := st.Mutate(st.Jobs, "default", fmt.Sprint("j", i), func(o kube.Object) error {
					o.SetAnnotations(map[string]string{"x": time.Now().String()})
					return nil
				})
				f.ok(err)
			}
			for range 4 {
				<-done
			}
		}
	})
}
