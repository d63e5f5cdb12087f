package kube_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"switchyard/emulate/kube"
)

// TestKueueVersions asks for Kueue's objects in each version: those that are served answer, in
// their own form, and keep what another version wrote.
func TestKueueVersions(t *testing.T) {
	for _, served := range [][]string{nil, {"v1beta1"}, {"v1beta2"}, {"v1beta3"}, {}} {
		f := serve(t, kube.Config{Kueue: served}, "")
		if served == nil {
			served = []string{"v1beta2", "v1beta1"}
		}
		groups, err := f.k.Discovery().ServerGroups()
		f.ok(err)
		var told []string
		for _, g := range groups.Groups {
			for _, v := range g.Versions {
				if g.Name == "kueue.x-k8s.io" {
					told = append(told, v.Version)
				}
			}
		}
		if !slices.Equal(told, served) {
			t.Errorf("of %v the discovery tells %v", served, told)
		}
		for _, v := range []string{"v1beta1", "v1beta2", "v1beta3"} {
			code, _ := f.call(http.MethodGet, "/apis/kueue.x-k8s.io/"+v+"/clusterqueues", "", "")
			want := http.StatusNotFound
			if v != "v1beta3" && slices.Contains(served, v) {
				want = http.StatusOK
			}
			if code != want {
				t.Errorf("of %v, %s answers %d", served, v, code)
			}
		}
	}
}

func (f *fixture) call(method, path, media, body string) (int, map[string]any) {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, bytes.NewReader([]byte(body)))
	f.ok(err)
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	res, err := http.DefaultClient.Do(r)
	f.ok(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	f.ok(err)
	var o map[string]any
	_ = json.Unmarshal(b, &o)
	return res.StatusCode, o
}

func TestFormsOfVersions(t *testing.T) {
	f := serve(t, kube.Config{}, "")
	const old, next, merge = "/apis/kueue.x-k8s.io/v1beta1/", "/apis/kueue.x-k8s.io/v1beta2/", "application/merge-patch+json"
	_, err := f.k.CoreV1().Namespaces().Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, metav1.CreateOptions{})
	f.ok(err)
	at := func(o map[string]any, path ...string) any {
		var v any = o
		for _, k := range path {
			m, _ := v.(map[string]any)
			v = m[k]
		}
		return v
	}
	post := func(path, body string) map[string]any {
		code, o := f.call(http.MethodPost, path, "application/json", body)
		if code != http.StatusCreated {
			t.Fatalf("%s: %d %v", path, code, o)
		}
		return o
	}
	q := post(next+"clusterqueues", `{"apiVersion":"kueue.x-k8s.io/v1beta2","kind":"ClusterQueue","metadata":{"name":"q"},"spec":{"cohortName":"site","cohort":"wrong"}}`)
	if at(q, "spec", "cohortName") != "site" || at(q, "spec", "cohort") != nil || q["apiVersion"] != "kueue.x-k8s.io/v1beta2" {
		t.Errorf("made: %v", q)
	}
	post(old+"namespaces/a/workloads", `{"apiVersion":"kueue.x-k8s.io/v1beta1","kind":"Workload","metadata":{"name":"w"},"spec":{"priority":7,"priorityClassName":"high","priorityClassSource":"kueue.x-k8s.io/workloadpriorityclass"}}`)
	if code, _ := f.call(http.MethodPatch, next+"clusterqueues/q", merge, `{"spec":{"stopPolicy":"Hold"}}`); code != http.StatusOK {
		t.Errorf("a patch: %d", code)
	}
	if code, _ := f.call(http.MethodPatch, next+"namespaces/a/workloads/w", merge, `{"spec":{"active":false}}`); code != http.StatusOK {
		t.Errorf("a patch: %d", code)
	}
	_, q = f.call(http.MethodGet, old+"clusterqueues/q", "", "")
	if at(q, "spec", "cohort") != "site" || at(q, "spec", "cohortName") != nil || at(q, "spec", "stopPolicy") != "Hold" || q["apiVersion"] != "kueue.x-k8s.io/v1beta1" {
		t.Errorf("the older form: %v", q)
	}
	_, w := f.call(http.MethodGet, next+"namespaces/a/workloads/w", "", "")
	want := map[string]any{"group": "kueue.x-k8s.io", "kind": "WorkloadPriorityClass", "name": "high"}
	if d := cmp.Diff(want, at(w, "spec", "priorityClassRef")); d != "" || at(w, "spec", "priorityClassName") != nil || at(w, "spec", "active") != false {
		t.Errorf("%s %v", d, w)
	}
	_, w = f.call(http.MethodGet, old+"namespaces/a/workloads/w", "", "")
	if at(w, "spec", "priorityClassName") != "high" || at(w, "spec", "priorityClassRef") != nil || at(w, "spec", "active") != false {
		t.Errorf("the older form after a patch in the newer: %v", w)
	}
	for path, body := range map[string]string{
		next + "clusterqueues": `{"apiVersion":"kueue.x-k8s.io/v1beta1","kind":"ClusterQueue","metadata":{"name":"x"}}`,
		old + "clusterqueues":  `{"apiVersion":"kueue.x-k8s.io/v1beta2","kind":"ClusterQueue","metadata":{"name":"x"}}`,
	} {
		if code, _ := f.call(http.MethodPost, path, "application/json", body); code != http.StatusBadRequest {
			t.Errorf("another version's object at %s: %d", path, code)
		}
	}
	_, list := f.call(http.MethodGet, next+"clusterqueues", "", "")
	if items, _ := list["items"].([]any); len(items) != 1 || list["apiVersion"] != "kueue.x-k8s.io/v1beta2" {
		t.Errorf("the list: %v", list)
	}
}
