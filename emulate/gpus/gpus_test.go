package gpus_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/emulate/gpus"
	"switchyard/sitefile/cluster"
	"switchyard/unit"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func a100() gpus.Model {
	return gpus.Model{Name: "a100", Product: "NVIDIA A100-SXM4-80GB", Idle: 60 * unit.Watt, Full: 400 * unit.Watt, Least: 100 * unit.Watt}
}

func row(n int, m gpus.Model) []gpus.NodeConfig {
	var all []gpus.NodeConfig
	for i := range n {
		all = append(all, gpus.NodeConfig{Name: fmt.Sprintf("gpu%d", i+1), Model: m, GPUs: 8, Idle: 600 * unit.Watt, Full: 1400 * unit.Watt, Off: 25 * unit.Watt})
	}
	return all
}

func build(t testing.TB, cfg gpus.Config) *gpus.Cluster {
	t.Helper()
	if cfg.ID == "" {
		cfg.ID = "c"
	}
	c, err := gpus.New(cfg, noon)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func all8(node string) []gpus.Place {
	return []gpus.Place{{Node: node, GPUs: []int{0, 1, 2, 3, 4, 5, 6, 7}}}
}

// TestCapsCostThroughput holds the published figures: 75 % of the power costs 5 % of the
// throughput, half of it 20 %.
func TestCapsCostThroughput(t *testing.T) {
	for _, tt := range []struct {
		cap  unit.Power
		want float64 // throughput
	}{{400 * unit.Watt, 1}, {300 * unit.Watt, 0.95}, {200 * unit.Watt, 0.8}, {100 * unit.Watt, 0.4}, {250 * unit.Watt, 0.875}} {
		c := build(t, gpus.Config{Seed: 1, Nodes: row(1, a100()), Steady: true})
		n := c.Node("gpu1")
		for i := range 8 {
			if got, err := n.SetLimit(i, tt.cap); err != nil || got != tt.cap {
				t.Fatalf("cap %s: %s, %v", tt.cap, got, err)
			}
		}
		if err := c.Start(gpus.Work{ID: "j"}, all8("gpu1")); err != nil {
			t.Fatal(err)
		}
		c.Step(noon.Add(20*time.Second), true)
		before, _ := c.Progress("j")
		c.Step(noon.Add(1020*time.Second), true)
		after, _ := c.Progress("j")
		if got := (after.Done - before.Done).Seconds() / 1000; math.Abs(got-tt.want) > 0.001 {
			t.Errorf("cap %s: throughput %.4f, want %.4f", tt.cap, got, tt.want)
		}
		g, err := n.GPU(0)
		if err != nil || (g.Power-tt.cap).Watts() > 0.01 || (tt.cap-g.Power).Watts() > 0.01 {
			t.Errorf("cap %s: it draws %s, %v", tt.cap, g.Power, err)
		}
		if want := 1980 * math.Pow((tt.cap.Watts()-60)/340, 1/2.4); math.Abs(g.SMClock-want) > 1 {
			t.Errorf("cap %s: clock %v, want %v", tt.cap, g.SMClock, want)
		}
	}
}

// TestRealWorkUnderCaps: with its waves, a job that may draw 400 W draws less on the average, so
// that a cap takes less of the draw than of the nameplate.
func TestRealWorkUnderCaps(t *testing.T) {
	mean := func(limit unit.Power) float64 {
		c := build(t, gpus.Config{Seed: 3, Nodes: row(1, a100())})
		n := c.Node("gpu1")
		for i := range 8 {
			if _, err := n.SetLimit(i, limit); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Start(gpus.Work{ID: "j"}, all8("gpu1")); err != nil {
			t.Fatal(err)
		}
		c.Step(noon.Add(30*time.Second), true)
		from, _ := n.GPU(0)
		c.Step(noon.Add(1030*time.Second), true)
		to, _ := n.GPU(0)
		return float64(to.Energy-from.Energy) / 1e6
	}
	full, three, half := mean(400*unit.Watt), mean(300*unit.Watt), mean(200*unit.Watt)
	t.Logf("means %.1f, %.1f, %.1f W", full, three, half)
	if full < 340 || full > 390 {
		t.Errorf("a job draws %v W of 400 on the average", full)
	}
	if less := 1 - three/full; less < 0.14 || less > 0.25 {
		t.Errorf("a cap of 75 %% takes %.3f of the draw", less)
	}
	if less := 1 - half/full; less < 0.38 || less > 0.5 {
		t.Errorf("a cap of 50 %% takes %.3f of the draw", less)
	}
}

func TestLimitsAreClampedAndWhole(t *testing.T) {
	c := build(t, gpus.Config{Nodes: row(1, a100())})
	n := c.Node("gpu1")
	for ask, want := range map[unit.Power]unit.Power{
		unit.Watts(250.9): 250 * unit.Watt, 50 * unit.Watt: 100 * unit.Watt, 900 * unit.Watt: 400 * unit.Watt, 0: 100 * unit.Watt,
	} {
		if got, err := n.SetLimit(0, ask); got != want || err != nil {
			t.Errorf("%s gives %s, %v", ask, got, err)
		}
	}
	if _, err := n.SetLimit(8, 300*unit.Watt); !errors.Is(err, gpus.ErrNoGPU) {
		t.Errorf("GPU 8: %v", err)
	}
	n.PowerOff()
	if _, err := n.SetLimit(0, 300*unit.Watt); !errors.Is(err, gpus.ErrAway) {
		t.Errorf("off: %v", err)
	}
}

// TestEnergyIsTheIntegralOfPower sums what the face tells each second and holds the counters
// against it: each GPU's, each node's and the cluster's.
func TestEnergyIsTheIntegralOfPower(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := build(t, gpus.Config{Seed: rapid.Uint64().Draw(r, "seed"), Nodes: row(2, a100())})
		if err := c.Start(gpus.Work{ID: "a", Every: 2 * time.Minute, Takes: 15 * time.Second}, all8("gpu1")); err != nil {
			r.Fatal(err)
		}
		n := c.Node("gpu1")
		var gpu, node, whole float64 // W s
		for s := range 900 {
			if s == rapid.IntRange(0, 900).Draw(r, "when") {
				_, _ = n.SetLimit(0, unit.Power(rapid.IntRange(100, 400).Draw(r, "W"))*unit.Watt)
			}
			whole += c.Step(noon.Add(time.Duration(s+1)*time.Second), true).Watts()
			g, _ := n.GPU(0)
			gpu += g.Power.Watts()
			node += n.Power().Watts()
		}
		g, _ := n.GPU(0)
		for what, x := range map[string][2]float64{
			"GPU": {float64(g.Energy) / 1000, gpu}, "node": {float64(n.Energy()) * 3.6, node}, "cluster": {float64(c.Energy()) * 3.6, whole},
		} {
			if math.Abs(x[0]/x[1]-1) > 0.001 {
				r.Fatalf("%s: counter %v J, integral %v J", what, x[0], x[1])
			}
		}
	})
}

func TestCountersStartAgain(t *testing.T) {
	c := build(t, gpus.Config{Nodes: row(2, a100()), Faults: []gpus.Fault{{Kind: gpus.CounterReset, Node: "gpu2", GPU: 3, From: noon.Add(30 * time.Second)}}})
	c.Step(noon.Add(time.Minute), true)
	one, two := c.Node("gpu1"), c.Node("gpu2")
	g, _ := two.GPU(3)
	other, _ := two.GPU(2)
	if g.Energy > other.Energy*6/10 || g.Energy == 0 {
		t.Errorf("after the fault %d mJ, its neighbour %d", g.Energy, other.Energy)
	}
	if _, err := one.SetLimit(1, 200*unit.Watt); err != nil {
		t.Fatal(err)
	}
	if err := one.ResetDriver(); err != nil {
		t.Fatal(err)
	}
	if g, _ := one.GPU(1); g.Energy != 0 || g.Limit != 400*unit.Watt {
		t.Errorf("after the driver was loaded again: %d mJ, cap %s", g.Energy, g.Limit)
	}
}

func TestPowerOffAndBoot(t *testing.T) {
	c := build(t, gpus.Config{Seed: 5, Nodes: row(1, a100())})
	n := c.Node("gpu1")
	idle := c.Step(noon.Add(10*time.Second), true)
	if w := idle.Watts(); w < 600+8*55 || w > 600+8*65 {
		t.Errorf("idle %s", idle)
	}
	n.PowerOff()
	now := noon.Add(30 * time.Second)
	if p := c.Step(now, true); p > 26*unit.Watt || p < 25*unit.Watt {
		t.Errorf("off it draws %s", p)
	}
	n.PowerOn()
	if p := c.Step(now.Add(time.Second), true); p < 1400*unit.Watt {
		t.Errorf("the inrush is %s", p)
	}
	if _, err := n.GPUs(); !errors.Is(err, gpus.ErrAway) {
		t.Errorf("while it boots: %v", err)
	}
	took := time.Duration(0)
	for n.State() != gpus.On && took < time.Hour {
		took += time.Second
		c.Step(now.Add(took), true)
	}
	if took < 5*time.Minute || took > 15*time.Minute+time.Second {
		t.Errorf("it booted in %s", took)
	}
	c.Step(now.Add(took+time.Minute), true)
	if g, err := n.GPU(0); err != nil || g.Energy == 0 || g.Energy > 70*70*1000 {
		t.Errorf("a minute after: %d mJ, %v", g.Energy, err)
	}
	// Without voltage it is dark, and comes back by itself.
	if p := c.Step(now.Add(took+2*time.Minute), false); p > 10*unit.Watt {
		t.Errorf("without voltage it draws %s", p)
	}
	c.Step(now.Add(took+3*time.Minute), true)
	if n.State() != gpus.Booting {
		t.Errorf("with the voltage back it is %s", n.State())
	}
}

func TestLostWork(t *testing.T) {
	work := gpus.Work{ID: "j", Load: 10 * time.Second, Every: 10 * time.Minute, Takes: 20 * time.Second, OnTerm: true}
	begin := func(w gpus.Work) (*gpus.Cluster, *[]gpus.Event) {
		c := build(t, gpus.Config{Seed: 2, Nodes: row(2, a100())})
		var seen []gpus.Event
		c.Watch(func(e gpus.Event) { seen = append(seen, e) })
		if err := c.Start(w, all8("gpu1")); err != nil {
			t.Fatal(err)
		}
		return c, &seen
	}
	at := func(c *gpus.Cluster, d time.Duration) gpus.Progress {
		c.Step(noon.Add(d), true)
		p, _ := c.Progress("j")
		return p
	}
	t.Run("hard", func(t *testing.T) {
		c, seen := begin(work)
		at(c, 15*time.Minute) // 10 s to load, saved at 10 min of work
		c.Kill("j")
		p := at(c, 15*time.Minute+time.Second)
		if p.Saved != 10*time.Minute || p.Done != p.Saved || p.Lost != 4*time.Minute+30*time.Second || p.Worked != 14*time.Minute+30*time.Second {
			t.Errorf("%+v", p)
		}
		if d := cmp.Diff([]gpus.Event{{Job: "j", Kind: gpus.Saved, At: noon.Add(630 * time.Second)}, {Job: "j", Kind: gpus.Killed, At: noon.Add(15 * time.Minute)}}, *seen); d != "" {
			t.Error(d)
		}
		if err := c.Start(work, all8("gpu2")); err != nil {
			t.Fatal(err)
		}
		if p := at(c, 16*time.Minute); p.Done != 10*time.Minute+49*time.Second || p.Starts != 2 {
			t.Errorf("it went on at %+v", p)
		}
	})
	t.Run("with grace", func(t *testing.T) {
		c, _ := begin(work)
		at(c, 5*time.Minute)
		c.Terminate("j", time.Minute)
		if p := at(c, 5*time.Minute+10*time.Second); p.Phase != gpus.Saving || !p.Stopped {
			t.Errorf("%+v", p)
		}
		if p := at(c, 5*time.Minute+30*time.Second); p.Phase != gpus.Waiting || p.Lost != 0 || p.Saved < 4*time.Minute+50*time.Second {
			t.Errorf("%+v", p)
		}
	})
	t.Run("with too little grace", func(t *testing.T) {
		c, _ := begin(work)
		at(c, 5*time.Minute)
		c.Terminate("j", 10*time.Second)
		if p := at(c, 5*time.Minute+11*time.Second); p.Phase != gpus.Waiting || p.Saved != 0 || p.Lost < 4*time.Minute+50*time.Second {
			t.Errorf("%+v", p)
		}
	})
	t.Run("asked", func(t *testing.T) {
		c, _ := begin(work)
		at(c, 5*time.Minute)
		before := c.Draw()
		if !c.Save("j") || c.Save("nobody") {
			t.Error("who can save is wrong")
		}
		c.Step(noon.Add(5*time.Minute+15*time.Second), true)
		if during := c.Draw(); during > before/2 {
			t.Errorf("while it saves the cluster draws %s, before %s", during, before)
		}
		if p := at(c, 5*time.Minute+22*time.Second); p.Phase != gpus.Working || p.Saves != 1 || p.Lost != 0 || !p.SavedAt.Equal(noon.Add(5*time.Minute+21*time.Second)) {
			t.Errorf("%+v", p)
		}
	})
	t.Run("done", func(t *testing.T) {
		w := work
		w.Total = time.Minute
		c, seen := begin(w)
		if p := at(c, 2*time.Minute); !p.Over || p.Done != time.Minute || (*seen)[0].Kind != gpus.Finished {
			t.Errorf("%+v, %v", p, *seen)
		}
	})
	t.Run("node lost", func(t *testing.T) {
		c, seen := begin(work)
		at(c, 5*time.Minute)
		c.Node("gpu1").PowerOff()
		if p := at(c, 6*time.Minute); p.Saved != 0 || p.Lost == 0 || (*seen)[0].Kind != gpus.Failed {
			t.Errorf("%+v, %v", p, *seen)
		}
	})
}

func TestLostGPUFailsItsJob(t *testing.T) {
	c := build(t, gpus.Config{Nodes: row(1, a100()), Faults: []gpus.Fault{{Kind: gpus.OffTheBus, Node: "gpu1", GPU: 2, From: noon.Add(time.Minute)}}})
	if err := c.Start(gpus.Work{ID: "j"}, all8("gpu1")); err != nil {
		t.Fatal(err)
	}
	c.Step(noon.Add(2*time.Minute), true)
	n := c.Node("gpu1")
	if _, err := n.GPU(2); !errors.Is(err, gpus.ErrLost) {
		t.Errorf("GPU 2: %v", err)
	}
	if p, _ := c.Progress("j"); p.Phase != gpus.Waiting || p.Lost == 0 {
		t.Errorf("%+v", p)
	}
	all, err := n.GPUs()
	if err != nil || !all[2].Lost || all[2].XID != 79 || all[1].Lost {
		t.Errorf("%+v, %v", all, err)
	}
	if err := c.Start(gpus.Work{ID: "k"}, all8("gpu1")); !errors.Is(err, gpus.ErrLost) {
		t.Errorf("a job starts on it: %v", err)
	}
}

func TestSameSeedSameDay(t *testing.T) {
	day := func(seed uint64) (sum unit.Energy) {
		c := build(t, gpus.Config{Seed: seed, Nodes: row(4, a100()), Faults: []gpus.Fault{{Kind: gpus.OffTheBus, Every: 20 * time.Minute}, {Kind: gpus.BMCSlow, Every: time.Hour}}})
		for i := range 4 {
			_ = c.Start(gpus.Work{ID: fmt.Sprint("j", i), Every: 5 * time.Minute, Takes: 10 * time.Second}, all8(fmt.Sprint("gpu", i+1)))
		}
		c.Step(noon.Add(3*time.Hour), true)
		return c.Energy()
	}
	if a, b := day(7), day(7); a != b {
		t.Errorf("%s and %s", a, b)
	}
	if a, b := day(7), day(8); a == b {
		t.Error("another seed gives the same day")
	}
}

func TestBusyFromOutside(t *testing.T) {
	c := build(t, gpus.Config{Nodes: row(1, a100()), Steady: true})
	if err := c.SetBusy("gpu1", 0, 1); err != nil {
		t.Fatal(err)
	}
	if err := c.SetBusy("gpu1", 1, 0.5); err != nil {
		t.Fatal(err)
	}
	c.Step(noon.Add(30*time.Second), true)
	for i, want := range []float64{400, 230, 60} {
		if g, err := c.Node("gpu1").GPU(i); err != nil || math.Abs(g.Power.Watts()-want) > 0.1 {
			t.Errorf("GPU %d draws %s, want %v W; %v", i, g.Power, want, err)
		}
	}
	if err := c.SetBusy("gpu9", 0, 1); !errors.Is(err, gpus.ErrNoGPU) {
		t.Errorf("a node that is not there: %v", err)
	}
}

func TestFromSite(t *testing.T) {
	c := cluster.Cluster{
		ID:       "ai",
		GPUs:     []cluster.GPU{{Model: "h100", Idle: 70 * unit.Watt, Full: 700 * unit.Watt, Labels: []string{"h100", "NVIDIA H100 80GB HBM3"}}},
		Machines: []cluster.Machine{{Names: "n[1-2]", Model: "h100", GPUs: 8, Idle: unit.Kilowatt, Full: 2 * unit.Kilowatt}},
	}
	cfg, err := gpus.FromSite(c, 1)
	if err != nil || len(cfg.Nodes) != 2 || cfg.Nodes[1].Name != "n2" || cfg.Nodes[0].Model.Product != "NVIDIA H100 80GB HBM3" {
		t.Errorf("%+v, %v", cfg, err)
	}
	c.Machines[0].Model = "b200"
	if _, err := gpus.FromSite(c, 1); err == nil || !strings.Contains(err.Error(), `"b200"`) {
		t.Errorf("%v", err)
	}
}

func BenchmarkStep(b *testing.B) {
	c := build(b, gpus.Config{Nodes: row(2000, a100())})
	for i := range 2000 {
		if err := c.Start(gpus.Work{ID: fmt.Sprint("j", i)}, all8(fmt.Sprint("gpu", i+1))); err != nil {
			b.Fatal(err)
		}
	}
	now := noon
	for b.Loop() {
		now = now.Add(time.Second)
		c.Step(now, true)
	}
}
