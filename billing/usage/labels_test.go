package usage

import (
	"testing"
	"time"

	"switchyard/billing/usage/holding"
	"switchyard/compute"
	"switchyard/site"

	"github.com/google/go-cmp/cmp"
)

func podOn(index int, space, pod string) compute.GPU {
	return compute.GPU{Index: index, Namespace: space, Pod: pod}
}

// holders says for each GPU of gpu-1 whose it was and for how many seconds; ? where it is guessed.
func holders(machines []MachineUse) map[int]map[string]float64 {
	out := map[int]map[string]float64{}
	for _, m := range machines {
		for _, g := range m.GPUs {
			out[g.Index] = map[string]float64{}
			for _, h := range g.Holds {
				name := h.Job
				if h.Guessed {
					name += "?"
				}
				out[g.Index][name] += h.For.Seconds()
			}
		}
	}
	return out
}

// Kubernetes tells how many GPUs a job has of a node; the labels of the GPUs' readings tell which,
// and what was guessed until then is booked anew.
func TestLabelsTellWhichGPUsAJobHas(t *testing.T) {
	owners := Owners{Tenants: map[string]string{"a": "red", "b": "blue"}}
	h := holding.New(owners)
	two, one := compute.Place{Node: "gpu-1", GPUs: 2}, compute.Place{Node: "gpu-1", GPUs: 1}
	h.Tell("gpu-1", secs(-5), []compute.GPU{podOn(0, "a", "train-1-old"), podOn(3, "a", "train-1-old")})
	h.Observe(view(0))
	h.Observe(view(30, job("a/train", "a", 1, 0, two), job("a/train-1", "a", 2, 0, one), job("b/train", "b", 3, 0, one)))
	h.Tell("gpu-1", secs(40), []compute.GPU{podOn(0, "b", "train-x"), podOn(1, "a", "train-1-y"), podOn(2, "a", "train-z"), podOn(3, "a", "train-z")})
	data, err := h.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	again := holding.New(owners)
	if err := again.Restore(data); err != nil {
		t.Fatal(err)
	}
	again.Tell("gpu-1", secs(40), []compute.GPU{podOn(0, "b", "train-x"), podOn(1, "a", "train-1-y"), podOn(2, "a", "train-z"), podOn(3, "a", "train-z")})
	jobs := []compute.Job{job("a/train", "a", 1, 200, two), job("a/train-1", "a", 2, 0, one), job("b/train", "b", 3, 0, one)}
	running := jobs[0]
	running.State, running.Ended = compute.JobRunning, time.Time{}
	again.Observe(view(60, running, jobs[1], jobs[2]))
	again.Tell("gpu-1", secs(250), nil) // the exporter lost its kubelet: what was known stays
	again.Observe(view(299, jobs...))
	want := map[int]map[string]float64{0: {"b/train": 297}, 1: {"a/train-1": 298}, 2: {"a/train": 199}, 3: {"a/train": 199}}
	got := holders(again.Close(noon, nil))
	for i, held := range got {
		if len(held) == 0 {
			delete(got, i)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What only looks like a job's is not believed: another namespace, a count that is not its own.
func TestLabelsThatDoNotFitAreNotBelieved(t *testing.T) {
	owners := Owners{Tenants: map[string]string{"a": "red", "b": "blue"}}
	h := holding.New(owners)
	h.Observe(view(0))
	h.Tell("gpu-1", secs(5), []compute.GPU{podOn(1, "c", "train-x"), podOn(2, "a", "train-x"), podOn(3, "a", "training-x")})
	h.Observe(view(10, job("a/train", "a", 0, 0, compute.Place{Node: "gpu-1", GPUs: 2}), job("b/train", "b", 0, 0, compute.Place{Node: "gpu-1", GPUs: 1})))
	want := map[int]map[string]float64{0: {"a/train?": 300}, 1: {"b/train?": 300}, 2: {"a/train?": 300}}
	if diff := cmp.Diff(want, holders(h.Close(noon, nil))); diff != "" {
		t.Error(diff)
	}
}

func TestWhichGPUItWasMayNotMatter(t *testing.T) {
	guess := func(tenant, job string, d time.Duration) Hold {
		return Hold{Tenant: tenant, Job: job, For: d, Guessed: true}
	}
	known := func(tenant, job string, d time.Duration) Hold { return Hold{Tenant: tenant, Job: job, For: d} }
	tests := []struct {
		name string
		gpus [2][]Hold // of gpu-1
		want site.Quality
	}{
		{"one tenant has them all", [2][]Hold{{guess("red", "1", all)}, {guess("red", "2", all)}}, site.Measured},
		{"two tenants have them", [2][]Hold{{guess("red", "1", all)}, {guess("blue", "2", all)}}, site.Estimated},
		{"the other is known to be another's", [2][]Hold{{guess("red", "1", all)}, {known("blue", "2", all)}}, site.Measured},
		{"the other is known to be another's for a part", [2][]Hold{{guess("red", "1", all)}, {known("blue", "2", all/2)}}, site.Estimated},
		{"the other rests", [2][]Hold{{guess("red", "1", all)}, nil}, site.Estimated},
		{"one job has all for a while", [2][]Hold{{guess("red", "1", all/2)}, {guess("red", "1", all/2)}}, site.Measured},
		{"two jobs, one after the other", [2][]Hold{{guess("red", "1", all/2)}, {guess("red", "2", all/2)}}, site.Estimated},
		{"nobody told of it for long", [2][]Hold{{{Tenant: "red", Job: "1", For: all, Assumed: true}}, {known("red", "1", all)}}, site.Estimated},
		{"all are known", [2][]Hold{{known("red", "1", all/2)}, {known("blue", "2", all/3)}}, site.Measured},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := interval(newSite(t, plan(t)))
			for i, holds := range tt.gpus {
				in.Clusters[0].Machines[0].GPUs[i].Holds = holds
			}
			if got := rowOf(t, Attribute(in), "red").Quality; got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
