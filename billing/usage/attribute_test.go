package usage

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

func wh(v float64) unit.Energy { return unit.WattHours(v) }

func tree(t testing.TB) *site.Tree {
	t.Helper()
	tree, err := site.NewTree([]site.Node{
		{ID: "connection", Parent: -1, Meter: "meter:connection", Loss: 0.01},
		{ID: "feeder", Parent: 0, Meter: "meter:feeder", Loss: 0.02},
		{ID: "hall-m", Parent: 1, Meter: "meter:hall-m"},
		{ID: "hall-ai", Parent: 1, Meter: "meter:hall-ai"},
		{ID: "acme", Parent: 0, Meter: "meter:acme"},
		{ID: "plant", Parent: 0, Meter: "meter:plant"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func plan(t testing.TB) Plan {
	h100 := compute.Model{Name: "h100", Idle: 60 * unit.Watt, Full: 700 * unit.Watt}
	machine := func(name string) compute.Machine {
		return compute.Machine{Name: name, Model: "h100", GPUs: 2, Idle: 300 * unit.Watt, Full: 400 * unit.Watt}
	}
	return Plan{
		Tree: tree(t), Groups: []Load{{ID: "s21", Node: "hall-m"}},
		Tenants: []Load{{ID: "acme", Node: "acme", Firm: 5 * unit.Kilowatt}},
		Clusters: []Cluster{{
			ID: "c1", Node: "hall-ai", Machines: []compute.Machine{machine("gpu-1"), machine("gpu-2")}, Models: []compute.Model{h100},
			Tenants: []string{"red", "blue"}, Reserved: []Reservation{{"green", "h100", 1}},
		}},
	}
}

func newSite(t testing.TB, p Plan) *Site {
	t.Helper()
	s, err := NewSite(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func meter(subject string, e unit.Energy) telemetry.Interval {
	return telemetry.Interval{Subject: subject, Start: noon, Energy: e, Sources: 1, Measured: telemetry.Length}
}

func held(tenant string, d time.Duration) Hold {
	return Hold{Tenant: tenant, Job: "slurm " + tenant, For: d}
}

func gpu(machine string, index int, e float64, holds ...Hold) GPUUse {
	return GPUUse{Index: index, Ref: fmt.Sprintf("%s/GPU-%d", machine, index), Model: "h100", Energy: Figure{Energy: wh(e)}, Holds: holds}
}

const all = telemetry.Length

// interval is the hand-worked example of docs/energy-per-tenant.md.
func interval(s *Site) In {
	return In{
		Site: s, Start: noon, Price: site.Some(unit.DollarsPerMWh(50)),
		Meters: []telemetry.Interval{
			meter("meter:connection", wh(1100)), meter("meter:feeder", wh(730)), meter("meter:hall-m", wh(500)),
			meter("meter:hall-ai", wh(210)), meter("meter:acme", wh(300)), meter("meter:plant", wh(40)), meter("s21", wh(480)),
		},
		Clusters: []ClusterUse{{ID: "c1", Machines: []MachineUse{
			{Name: "gpu-1", Energy: Figure{Energy: wh(130)}, GPUs: []GPUUse{gpu("gpu-1", 0, 50, held("red", all)), gpu("gpu-1", 1, 50, held("blue", all))}},
			{Name: "gpu-2", Energy: Figure{Energy: wh(45)}, GPUs: []GPUUse{gpu("gpu-2", 0, 20, held("red", all/2)), gpu("gpu-2", 1, 5)}},
		}}},
	}
}

func rowOf(t testing.TB, o Out, tenant string) Row {
	t.Helper()
	for _, r := range o.Rows {
		if r.Tenant == tenant {
			return r
		}
	}
	t.Fatalf("no row of %s", tenant)
	return Row{}
}

// Worked by hand: gpu-1's host of 30 Wh is red's and blue's by halves. gpu-2's first GPU rested
// 2.5 min at 60 W, 2.5 Wh, and red has the other 17.5; of its host of 20 Wh red has a quarter.
// What rested, 2.5 + 5 of GPUs and 15 of the host for 7.5 GPU-minutes, is 22.5 Wh, of which
// green's one reserved GPU has 5 of 7.5. 175 Wh in all become the meter's 210: a factor of 1.2.
func TestTheWorkedExample(t *testing.T) {
	o := Attribute(interval(newSite(t, plan(t))))
	want := []Share{
		{"c1", "blue", wh(50), wh(15), 0, wh(78)},
		{"c1", "green", 0, 0, wh(15), wh(18)},
		{"c1", "red", wh(67.5), wh(20), 0, wh(105)},
	}
	if diff := cmp.Diff(want, o.Shares); diff != "" {
		t.Error(diff)
	}
	b := o.Balance
	// feeder: 730 in, 14.6 lost by name, 710 on: 5.4 nowhere. connection: 1100 - 1070 - 11 lost: 19 nowhere.
	if b.Meter != wh(1100) || b.Remainder != wh(24.4) || b.Losses != wh(25.6) || b.TenantLoad != wh(501) || b.MiningLoad != wh(480) || b.HouseLoad != wh(69) {
		t.Errorf("%+v", b)
	}
	if sum := b.Tenants + b.Mining + b.House + b.Remainder; sum != b.Meter {
		t.Errorf("the parts sum to %s", sum)
	}
	red := rowOf(t, o, "red")
	// 105 of 710 of the feeder's loss, then (105 + 2.159155) of 1064.6 of the connection's, 11.
	if red.Critical != wh(105) || !near(red.Losses, 3.266, 0.001) {
		t.Errorf("red %+v", red)
	}
	// The plant's 40 and its loss, 40.413, by energy: 108.266 of 1014.566 that is neither the plant nor hall M's fans.
	if !near(red.House, 4.313, 0.001) || red.Billed != red.Critical+red.Losses+red.House || red.Quality != site.Measured {
		t.Errorf("red %+v", red)
	}
	if red.Cost != site.Some(unit.DollarsPerMWh(50).Cost(red.Billed)) {
		t.Errorf("cost %v", red.Cost)
	}
	if diff := cmp.Diff([]GPUTime{{"h100", OnDemand, all + all/2, all + all/2}}, red.GPUs); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]GPUTime{{"h100", Reserved, 0, all}}, rowOf(t, o, "green").GPUs); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"cluster c1 at meter:hall-ai", "slurm red", "gpu-1/GPU-0", "gpu-2/GPU-0"}, red.Evidence); diff != "" {
		t.Error(diff)
	}
	var factors []string
	for _, l := range b.Levels {
		factors = append(factors, fmt.Sprintf("%s %.5f", l.Name, l.Factor))
	}
	if got := strings.Join(factors, ", "); got != "gpus:c1 1.40000, cluster:c1 1.20000, node:feeder 1.02056, node:connection 1.01033" {
		t.Error(got)
	}
}

func near(e unit.Energy, watthours, by float64) bool {
	d := float64(e)/1000 - watthours
	return d > -by && d < by
}

func TestQualities(t *testing.T) {
	gone := func(in *In, subject string) {
		in.Meters = slices.DeleteFunc(in.Meters, func(m telemetry.Interval) bool { return m.Subject == subject })
	}
	tests := []struct {
		name   string
		change func(*In, *Plan)
		tenant string
		want   site.Quality
		energy float64 // critical, Wh; -1: any
	}{
		{"all is there", func(*In, *Plan) {}, "acme", site.Measured, 300},
		{"its meter was missing", func(in *In, _ *Plan) { gone(in, "meter:acme") }, "acme", site.Missing, 0},
		{"another's meter was missing", func(in *In, _ *Plan) { gone(in, "meter:acme") }, "red", site.Measured, 105},
		{"a tenant without a meter has what is left, up to its firm power", func(in *In, p *Plan) {
			nodes := make([]site.Node, p.Tree.Len())
			for i := range nodes {
				nodes[i] = p.Tree.Node(i)
			}
			nodes[4].Meter = ""
			p.Tree, _ = site.NewTree(nodes)
		}, "acme", site.Estimated, 319}, // 1100 - 11 - 730 - 40
		{"no meter at all tells of it", func(in *In, p *Plan) {
			nodes := make([]site.Node, p.Tree.Len())
			for i := range nodes {
				nodes[i] = p.Tree.Node(i)
			}
			nodes[4].Meter = ""
			p.Tree, _ = site.NewTree(nodes)
			gone(in, "meter:connection")
		}, "acme", site.Missing, 0},
		{"the cluster's meter was missing: the machines' word counts", func(in *In, _ *Plan) { gone(in, "meter:hall-ai") }, "red", site.Estimated, 87.5},
		{"a GPU without a counter, in a machine that measures itself", func(in *In, _ *Plan) {
			in.Clusters[0].Machines[0].GPUs[1].Energy = Figure{Quality: site.Missing}
		}, "blue", site.Estimated, -1},
		{"nothing is known of its machine", func(in *In, _ *Plan) { in.Clusters[0].Machines = in.Clusters[0].Machines[1:] }, "red", site.Estimated, -1},
		{"the engine did not say which GPUs, and others were there", func(in *In, _ *Plan) {
			for i := range in.Clusters[0].Machines[0].GPUs {
				in.Clusters[0].Machines[0].GPUs[i].Holds[0].Guessed = true
			}
		}, "red", site.Estimated, 105},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := plan(t)
			in := interval(nil)
			tt.change(&in, &p)
			in.Site = newSite(t, p)
			o := Attribute(in)
			r := rowOf(t, o, tt.tenant)
			if r.Quality != tt.want || tt.energy >= 0 && !near(r.Critical, tt.energy, 0.01) {
				t.Errorf("%s: %s, %s; want %s and %g Wh\n%+v", tt.tenant, r.Quality, r.Critical, tt.want, tt.energy, o)
			}
			if b := o.Balance; b.Tenants+b.Mining+b.House+b.Remainder != b.Meter {
				t.Errorf("%+v", b)
			}
		})
	}
}

func TestAPlanWithFaultsIsRefusedWithAllOfThem(t *testing.T) {
	p := plan(t)
	p.Groups = append(p.Groups, Load{ID: "x", Node: "nowhere"})
	p.Tenants = append(p.Tenants, p.Tenants[0])
	p.Clusters[0].Machines = append(p.Clusters[0].Machines, p.Clusters[0].Machines[0])
	_, err := NewSite(p)
	for _, want := range []string{`group x hangs on node "nowhere"`, "tenant acme stands twice", "machine gpu-1 stands twice"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}

func TestJobsOfNobodyAreTheHouses(t *testing.T) {
	in := interval(newSite(t, plan(t)))
	in.Clusters[0].Machines[0].GPUs[1].Holds[0].Tenant = "stranger"
	o := Attribute(in)
	if r := rowOf(t, o, "blue"); r.Critical != 0 {
		t.Errorf("%+v", r)
	}
	if len(o.Notes) != 1 || !strings.Contains(o.Notes[0], "stranger is no tenant") {
		t.Errorf("%q", o.Notes)
	}
}

// draw makes an interval of any kind: figures of all sizes and qualities, counters that make no
// sense, GPUs held by several, holds that are too long.
func draw(rt *rapid.T, s *Site) In {
	in := interval(s)
	energy := func(name string, low, high float64) Figure {
		return Figure{
			Energy:  wh(rapid.Float64Range(low, high).Draw(rt, name)),
			Quality: site.Quality(rapid.SampledFrom([]int{0, 0, 0, 0, 1, 2}).Draw(rt, name+" quality")),
		}
	}
	for i := range in.Meters {
		m := &in.Meters[i]
		f := energy(m.Subject, -10, 1200)
		m.Energy = f.Energy
		switch f.Quality {
		case site.Estimated:
			m.Measured, m.Estimated = all/2, all/2
		case site.Missing:
			m.Measured, m.Missing, m.Energy = 0, all, 0
		}
	}
	for i := range in.Clusters[0].Machines {
		m := &in.Clusters[0].Machines[i]
		m.Energy = energy(m.Name, -5, 200)
		for k := range m.GPUs {
			g := &m.GPUs[k]
			g.Energy, g.Holds = energy(g.Ref, -5, 80), nil
			for range rapid.IntRange(0, 3).Draw(rt, "holds") {
				g.Holds = append(g.Holds, Hold{
					Tenant: rapid.SampledFrom([]string{"red", "blue", "green", "acme", "nobody"}).Draw(rt, "holder"),
					Job:    rapid.SampledFrom([]string{"1", "2", "3"}).Draw(rt, "job"),
					For:    time.Duration(rapid.Int64Range(-1, int64(all)+1).Draw(rt, "for")),
					Sale:   rapid.SampledFrom([]Sale{"", Reserved, Interruptible}).Draw(rt, "sale"),
				})
			}
		}
	}
	return in
}

func site3(rt *rapid.T, t *testing.T) *Site {
	p := plan(t)
	p.Tolerance = unit.Ratio(rapid.SampledFrom([]float64{0, 0.01, 0.2}).Draw(rt, "tolerance"))
	return newSite(t, p)
}

// A reservation is used first, whatever queue a job came from: green's one reserved GPU is in use
// by its interruptible job, so that it bears nothing of what rests, and what it had beyond that
// GPU's time is interruptible.
func TestAReservationIsUsedFirst(t *testing.T) {
	in := interval(newSite(t, plan(t)))
	job := func(sale Sale, d time.Duration) Hold {
		h := held("green", d)
		h.Sale = sale
		return h
	}
	gpus := in.Clusters[0].Machines[1].GPUs
	gpus[1].Holds = []Hold{job(Interruptible, all)}
	o := Attribute(in)
	if diff := cmp.Diff([]GPUTime{{"h100", Reserved, all, all}}, rowOf(t, o, "green").GPUs); diff != "" {
		t.Error(diff)
	}
	for _, s := range o.Shares {
		if s.Tenant == "green" && s.Idle != 0 {
			t.Errorf("it bears what rests: %+v", s)
		}
	}
	gpus[0].Holds = []Hold{job(OnDemand, all/2), job(Reserved, all/5)}
	want := []GPUTime{{"h100", Reserved, all, all}, {"h100", Interruptible, 7 * all / 10, 7 * all / 10}}
	if diff := cmp.Diff(want, rowOf(t, Attribute(in), "green").GPUs); diff != "" {
		t.Error(diff)
	}
}

func TestSumsAreExactAndNobodyIsNegative(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := Attribute(draw(rt, site3(rt, t)))
		b := o.Balance
		if got := b.Tenants + b.Mining + b.House + b.Remainder; got != b.Meter {
			rt.Fatalf("the parts sum to %d, the meter says %d", got, b.Meter)
		}
		if got := b.TenantLoad + b.MiningLoad + b.HouseLoad + b.Losses + b.Remainder; got != b.Meter {
			rt.Fatalf("by kind they sum to %d, the meter says %d: %+v", got, b.Meter, b)
		}
		var billed, critical unit.Energy
		for _, r := range o.Rows {
			billed += r.Billed
			critical += r.Critical
			if r.Critical < 0 || r.Billed < 0 || r.House < 0 || r.Billed != r.Critical+r.Losses+r.House {
				rt.Fatalf("%+v", r)
			}
			if r.Quality == site.Missing && r.Critical != 0 {
				rt.Fatalf("missing, and yet known: %+v", r)
			}
		}
		if billed != b.Tenants || critical != b.TenantLoad || b.Mining < 0 || b.House < 0 {
			rt.Fatalf("rows sum to %d and %d: %+v", billed, critical, b)
		}
		for _, s := range o.Shares {
			if s.GPU < 0 || s.Host < 0 || s.Idle < 0 || s.Critical < 0 {
				rt.Fatalf("%+v", s)
			}
		}
	})
}

func TestOrderChangesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := draw(rt, site3(rt, t))
		want := Attribute(in)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		r.Shuffle(len(in.Meters), func(i, k int) { in.Meters[i], in.Meters[k] = in.Meters[k], in.Meters[i] })
		machines := in.Clusters[0].Machines
		r.Shuffle(len(machines), func(i, k int) { machines[i], machines[k] = machines[k], machines[i] })
		for _, m := range machines {
			r.Shuffle(len(m.GPUs), func(i, k int) { m.GPUs[i], m.GPUs[k] = m.GPUs[k], m.GPUs[i] })
			for _, g := range m.GPUs {
				r.Shuffle(len(g.Holds), func(i, k int) { g.Holds[i], g.Holds[k] = g.Holds[k], g.Holds[i] })
			}
		}
		if diff := cmp.Diff(want, Attribute(in)); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func TestAnIdleMachineChangesNobodysGPUEnergy(t *testing.T) {
	p := plan(t)
	before := newSite(t, p)
	p.Clusters[0].Machines = append(p.Clusters[0].Machines, compute.Machine{Name: "gpu-0", Model: "h100", GPUs: 2})
	after := newSite(t, p)
	rapid.Check(t, func(rt *rapid.T) {
		in := draw(rt, before)
		idle := MachineUse{Name: "gpu-0", Energy: Figure{Energy: wh(rapid.Float64Range(0, 60).Draw(rt, "host"))}, GPUs: []GPUUse{gpu("gpu-0", 0, 5), gpu("gpu-0", 1, 5)}}
		was := map[string]Share{}
		for _, s := range Attribute(in).Shares {
			was[s.Tenant] = s
		}
		in.Site = after
		in.Clusters[0].Machines = append(in.Clusters[0].Machines, idle)
		for _, s := range Attribute(in).Shares {
			if w := was[s.Tenant]; w.GPU != s.GPU || w.Host != s.Host {
				rt.Fatalf("%+v became %+v", w, s)
			}
		}
	})
}

// Worse input never makes a better figure, and a row that calls itself measured has nothing else in it.
func TestQualityIsNeverBetterThanItsInputs(t *testing.T) {
	s := newSite(t, plan(t))
	rapid.Check(t, func(rt *rapid.T) {
		in := draw(rt, s)
		at := rapid.IntRange(0, len(in.Meters)-1).Draw(rt, "meter")
		was := Attribute(in)
		m := &in.Meters[at]
		m.Measured, m.Estimated = 0, m.Measured+m.Estimated
		g := &in.Clusters[0].Machines[0].GPUs[0]
		g.Energy.Quality = max(g.Energy.Quality, site.Estimated)
		now := Attribute(in)
		for i, r := range now.Rows {
			if r.Quality < was.Rows[i].Quality {
				rt.Fatalf("%s was %s and is %s", r.Tenant, was.Rows[i].Quality, r.Quality)
			}
			if own := g.Holds; r.Quality == site.Measured {
				for _, h := range own {
					if h.Tenant == r.Tenant && h.For > 0 {
						rt.Fatalf("%s is measured with an estimated GPU", r.Tenant)
					}
				}
			}
		}
	})
}
