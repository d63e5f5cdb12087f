package demo

import (
	"context"
	"strings"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/unit"
)

// cluster is the site's GPU cluster as it is shown.
func (r *rig) cluster() api.ClusterView {
	for _, c := range r.app.Clusters().Clusters() {
		if c.ID == clusterID {
			return c
		}
	}
	r.t.Fatal("the site has no cluster")
	return api.ClusterView{}
}

func (r *rig) jobs(state string) (n int) {
	all, err := r.app.Clusters().ClusterJobs(clusterID)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, j := range all {
		if j.State == state {
			n++
		}
	}
	return n
}

// inForce counts the acts of a kind that are in force or on their way.
func (r *rig) inForce(verb string) (n int) {
	for _, e := range r.cluster().Effects {
		if e.Verb == verb {
			n++
		}
	}
	return n
}

// A limit on the GPU hall caps, then pauses what may bend; serving never stops, and all comes
// back. The cluster is an emulated Kubernetes over real sockets.
func TestClusterUnderALimit(t *testing.T) {
	slow(t)
	t.Parallel()
	gpus, err := planGPUs(rigMiners, probe())
	if err != nil {
		t.Fatal(err)
	}
	r := rigOf(t, document(t, Plan{Miners: rigMiners, Poll: 30 * time.Second, GPUs: gpus}), nil)
	ctx := context.Background()
	r.await("jobs at work on most GPUs", 40*time.Minute, func() bool { c := r.cluster(); return c.Reachable && c.Used*4 >= c.GPUs*3 })
	r.await("them at full power", 40*time.Minute, func() bool { return r.truth("gpu-hall") > 12500*unit.Watt })
	served := r.jobs("running")
	limit := func(p unit.Power) string {
		v, err := r.app.SetLimit(ctx, "test", api.LimitRequest{Node: "gpu-hall", PowerW: p.Watts()})
		if err != nil {
			t.Fatal(err)
		}
		return v.ID
	}
	full := r.truth("gpu-hall")
	first := limit(full.Scale(0.93))
	r.await("caps", 15*time.Minute, func() bool { return r.inForce("cap")+r.inForce("pause") > 0 })
	r.await("the hall below its limit", 20*time.Minute, func() bool { return r.truth("gpu-hall") <= full.Scale(0.93) })
	second := limit(full.Scale(0.7))
	r.await("a job to be paused", 20*time.Minute, func() bool { return r.jobs("paused") > 0 })
	r.await("the hall below its second limit", 30*time.Minute, func() bool { return r.truth("gpu-hall") <= full.Scale(0.7) })
	r.said(time.Minute, "award", "gpu", "GPU hall's limit")
	all, err := r.app.Clusters().ClusterJobs(clusterID)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range all {
		if j.Kind == "firm" && j.State != "running" {
			t.Errorf("firm job %s is %s", j.ID, j.State)
		}
		if j.State == "paused" && (j.Saved == nil || !strings.Contains(j.Why, "limit")) {
			t.Errorf("%+v", j)
		}
	}
	for _, id := range []string{first, second} {
		if err := r.app.ClearLimit(ctx, "test", id); err != nil {
			t.Fatal(err)
		}
	}
	r.await("everything to be as before", 60*time.Minute, func() bool { return len(r.cluster().Effects) == 0 && r.jobs("paused") == 0 })
	t.Logf("%d jobs ran at first, %d at the end; %s in full", served, r.jobs("running"), full)
}
