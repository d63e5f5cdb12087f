package control_test

import (
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kueue "sigs.k8s.io/kueue/apis/kueue/v1beta1"

	"switchyard/emulate/gpus"
	"switchyard/emulate/kube"
	"switchyard/emulate/kube/control"
	"switchyard/unit"
)

// BenchmarkLarge fills 2,000 nodes from 20,000 jobs, then lets minutes go by, then drains all.
func BenchmarkLarge(b *testing.B) {
	for b.Loop() {
		m := gpus.Model{Name: "h100", Idle: 70 * unit.Watt, Full: 700 * unit.Watt}
		cfg := gpus.Config{ID: "ai", Seed: 1}
		for i := range 2000 {
			cfg.Nodes = append(cfg.Nodes, gpus.NodeConfig{Name: fmt.Sprintf("gpu%04d", i), Model: m, GPUs: 8, Idle: unit.Kilowatt, Full: 2 * unit.Kilowatt})
		}
		c, err := gpus.New(cfg, noon)
		if err != nil {
			b.Fatal(err)
		}
		clk := &hand{now: noon}
		srv := kube.New(kube.Config{Clock: clk})
		ctl, err := control.New(control.Config{Server: srv, Cluster: c})
		if err != nil {
			b.Fatal(err)
		}
		st := srv.Store()
		must := func(r *kube.Resource, o kube.Object) {
			if _, err := st.Create(r, o); err != nil {
				b.Fatal(err)
			}
		}
		must(st.Flavors, &kueue.ResourceFlavor{ObjectMeta: metav1.ObjectMeta{Name: "h100"}})
		must(st.ClusterQueues, &kueue.ClusterQueue{ObjectMeta: metav1.ObjectMeta{Name: "flex"}, Spec: kueue.ClusterQueueSpec{ResourceGroups: []kueue.ResourceGroup{{
			CoveredResources: []corev1.ResourceName{"nvidia.com/gpu"},
			Flavors:          []kueue.FlavorQuotas{{Name: "h100", Resources: []kueue.ResourceQuota{{Name: "nvidia.com/gpu", NominalQuota: resource.MustParse("16000")}}}},
		}}}})
		must(st.LocalQueues, &kueue.LocalQueue{ObjectMeta: metav1.ObjectMeta{Name: "q", Namespace: "default"}, Spec: kueue.LocalQueueSpec{ClusterQueue: "flex"}})
		want := corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("4")}
		for i := range 20_000 {
			must(st.Jobs, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("j", i), Namespace: "default", Labels: map[string]string{"kueue.x-k8s.io/queue-name": "q"}}, Spec: batchv1.JobSpec{
				Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "m", Resources: corev1.ResourceRequirements{Requests: want, Limits: want}}}}},
			}})
		}
		step := func(d time.Duration) time.Duration {
			from := time.Now()
			for end := clk.now.Add(d); clk.now.Before(end); {
				clk.now = clk.now.Add(100 * time.Millisecond)
				c.Step(clk.now, true)
				ctl.Tick(clk.now)
			}
			return time.Since(from)
		}
		fill := step(20 * time.Second)
		if p := c.Draw(); p < 8*unit.Megawatt/2 {
			b.Fatalf("it draws %s", p)
		}
		rest := step(5 * time.Minute)
		hold := kueue.HoldAndDrain
		if _, err := st.Mutate(st.ClusterQueues, "", "flex", func(o kube.Object) error { o.(*kueue.ClusterQueue).Spec.StopPolicy = &hold; return nil }); err != nil {
			b.Fatal(err)
		}
		drain := step(time.Minute)
		b.ReportMetric(fill.Seconds(), "s-to-fill")
		b.ReportMetric(rest.Seconds(), "s-for-5min")
		b.ReportMetric(drain.Seconds(), "s-to-drain")
		if n := st.Count(st.Pods); n != 0 {
			b.Fatalf("%d pods stay", n)
		}
	}
}
