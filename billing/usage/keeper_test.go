package usage

import (
	"testing"
	"time"

	"switchyard/billing/usage/holding"
	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
)

func secs(s float64) time.Time { return noon.Add(time.Duration(s * float64(time.Second))) }

// said makes a reading of gpu-1 with one GPU; negative figures are not told.
func said(at, watts, wattHours float64) compute.Reading {
	g := compute.GPU{UUID: "GPU-a", Model: "H100"}
	if watts >= 0 {
		g.Power = site.Some(unit.Watts(watts))
	}
	if wattHours >= 0 {
		g.Energy = site.Some(unit.WattHours(wattHours))
	}
	return compute.Reading{Node: "gpu-1", At: secs(at), GPUs: []compute.GPU{g}}
}

// every returns readings each so many seconds over [from, to] of a GPU at 600 W whose counter
// stood at base at noon: 10 Wh a minute.
func every(step, from, to, base float64) []compute.Reading {
	var out []compute.Reading
	for s := from; s <= to; s += step {
		out = append(out, said(s, 600, base+s/6))
	}
	return out
}

func job(id, account string, started, ended float64, places ...compute.Place) compute.Job {
	j := compute.Job{ID: id, Account: account, Queue: "q", State: compute.JobRunning, Started: secs(started), Places: places}
	if ended > 0 {
		j.State, j.Ended = compute.JobDone, secs(ended)
	}
	return j
}

func view(at float64, jobs ...compute.Job) compute.View {
	return compute.View{At: secs(at), Reachable: true, Jobs: jobs}
}

func TestHoldsFollowTheEnginesTimes(t *testing.T) {
	owners := Owners{Tenants: map[string]string{"a": "red", "b": "blue"}, Sales: map[string]Sale{"q": Interruptible}, Engine: "slurm"}
	h := holding.New(owners)
	two := compute.Place{Node: "gpu-1", GPUs: 2, Indices: []int{0, 1}}
	one := compute.Place{Node: "gpu-1", GPUs: 1}
	h.Observe(view(0))
	h.Observe(view(60, job("1", "a", 33, 0, two)))
	h.Observe(compute.View{At: secs(90)}) // not reachable: it runs on
	h.Observe(view(120, job("1", "a", 33, 117, two), job("2", "b", 118, 0, one), job("3", "b", 61, 71, one)))
	data, err := h.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	h = holding.New(owners)
	if err := h.Restore(data); err != nil {
		t.Fatal(err)
	}
	got := h.Close(noon, []MachineUse{{Name: "gpu-1", GPUs: []GPUUse{{Index: 0, Ref: "gpu-1/GPU-a"}}}})
	hold := func(tenant, id string, seconds float64, guessed bool) Hold {
		return Hold{Tenant: tenant, Job: "slurm " + id, For: time.Duration(seconds * float64(time.Second)), Sale: Interruptible, Guessed: guessed}
	}
	assumed := func(h Hold) Hold { // its last view is three minutes older than the interval's end
		h.Assumed = true
		return h
	}
	want := []MachineUse{{Name: "gpu-1", GPUs: []GPUUse{
		{Index: 0, Ref: "gpu-1/GPU-a", Holds: []Hold{hold("red", "1", 84, false), assumed(hold("blue", "2", 182, true))}},
		{Index: 1, Ref: "gpu-1/1", Energy: Figure{Quality: site.Missing}, Holds: []Hold{hold("red", "1", 84, false)}},
	}}}
	// Job 3 came and went between two views; which GPU it had nobody told.
	want[0].GPUs[1].Holds = append(want[0].GPUs[1].Holds, hold("blue", "3", 10, true))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// The engine is silent for three intervals: what ran is taken to run on.
	got = h.Close(secs(300), nil)
	if len(got) != 1 || got[0].GPUs[0].Holds[0].For != all || !got[0].GPUs[0].Holds[0].Assumed {
		t.Errorf("%+v", got)
	}
}

func TestAKeeperAttributesWhatItSaw(t *testing.T) {
	s := newSite(t, plan(t))
	kc := KeeperCluster{ID: "c1", Owners: Owners{Tenants: map[string]string{"a": "red"}, Engine: "slurm"}, Labels: map[string]string{"H100": "h100"}}
	k, err := NewKeeper(s, CounterOptions{}, kc)
	if err != nil {
		t.Fatal(err)
	}
	v := view(0, job("1", "a", 0, 0, compute.Place{Node: "gpu-1", GPUs: 1, Indices: []int{0}}))
	v.Nodes = []compute.Node{{Name: "gpu-2", State: compute.NodeOff}}
	k.View("c1", v)
	for _, r := range every(10, 0, 300, 10) {
		r.Energy = site.Some(unit.WattHours(1000 + r.GPUs[0].Energy.V.MegawattHours()*1e6*1.2))
		k.Reading("c1", r)
	}
	data, err := k.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	if k, err = NewKeeper(s, CounterOptions{}, kc); err != nil {
		t.Fatal(err)
	}
	if err := k.Restore(data); err != nil {
		t.Fatal(err)
	}
	in := interval(s)
	v.At, v.Reachable = secs(299), true
	k.View("c1", v)
	o := k.Close(Closed{Start: noon, Records: in.Meters, Price: in.Price})
	// 60 Wh of gpu-1 at the meter's 210, no more than 1.5 times: 90.
	if r := rowOf(t, o, "red"); r.Critical != wh(90) || r.Quality != site.Measured || len(o.Notes) != 0 {
		t.Errorf("%+v\n%+v", r, o)
	}
	if _, err := NewKeeper(s, CounterOptions{}, KeeperCluster{ID: "c9"}); err == nil {
		t.Error("a cluster that is not there was taken")
	}
}

// Whatever is in the place of a checkpoint, restoring it gives an error or a Keeper that works.
func FuzzRestoreKeeper(f *testing.F) {
	s := newSite(f, plan(f))
	fresh := func(t testing.TB) *Keeper {
		k, err := NewKeeper(s, CounterOptions{}, KeeperCluster{ID: "c1", Owners: Owners{Tenants: map[string]string{"a": "red"}}})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := fresh(f)
	k.View("c1", view(0, job("1", "a", 0, 0, compute.Place{Node: "gpu-1", GPUs: 1})))
	for _, r := range every(10, 0, 290, 10) {
		k.Reading("c1", r)
	}
	data, err := k.Checkpoint()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"holds":{"c1":{"version":1,"at":"0001-01-01T00:00:01Z","jobs":{"x":{"nodes":["gpu-1"],"indices":[0]}}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		k := fresh(t)
		if k.Restore(data) != nil {
			return
		}
		o := k.Close(Closed{Start: noon, Records: interval(s).Meters})
		if b := o.Balance; b.Tenants+b.Mining+b.House+b.Remainder != b.Meter {
			t.Errorf("%+v", b)
		}
		if _, err := k.Checkpoint(); err != nil {
			t.Error(err)
		}
	})
}

// A meter of 3.6 kW is not read for two intervals; then it tells of three at once.
func TestASilentMeterMakesNoPeak(t *testing.T) {
	k, err := NewKeeper(newSite(t, plan(t)), CounterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	for i, energy := range []float64{300, 300, -1, -1, 900, 300, 300, 300} {
		in := interval(k.site)
		c := Closed{Start: noon.Add(time.Duration(i) * length)}
		for _, m := range in.Meters {
			m.Start = c.Start
			if m.Subject == "meter:acme" {
				switch m.Energy = wh(max(energy, 0)); {
				case energy < 0:
					m.Measured, m.Missing = 0, length
				case energy > 300:
					m.Measured, m.Estimated = 0, length
				}
			}
			c.Records = append(c.Records, m)
		}
		out := k.Close(c)
		got = append(got, rowOf(t, out, "acme").Peak.Watts())
		data, err := k.Checkpoint()
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Restore(data); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]float64{3600, 3600, 0, 0, 0, 0, 0, 3600}, got); diff != "" {
		t.Error(diff)
	}
}
