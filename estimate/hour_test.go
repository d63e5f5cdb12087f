package estimate_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
	"switchyard/estimate"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	hall1, hall2, feeder = 1, 2, 3
	pollEvery            = 15 * time.Second
	step                 = 5 * time.Second
)

// herd is a group of the emulated site and what the site file says of it, which is off.
type herd struct {
	id       string
	node, n  int
	watts    float64 // of the real model
	th       float64
	plateOff float64 // of the nameplate in the site file
	readOff  float64 // common to all of its sensors
	mute     bool    // all of it
}

// rig is an emulated site whose devices are polled as a controller polls them.
type rig struct {
	t      testing.TB
	tree   *site.Tree
	world  *plant.World
	herds  map[string]herd
	est    *estimate.Estimator
	in     estimate.Input
	out    estimate.Output
	order  []*plant.Miner
	frozen map[int]bool // meters that keep their reading; never read if they had none
	silent map[int]bool // miners that are not read
	// outlets is the group whose outlets are measured.
	outlets string
	// wild, if set, spoils the input before each step.
	wild func()
}

func newRig(t testing.TB, seed uint64, herds []herd, faults []sitefile.Fault) *rig {
	t.Helper()
	tree, err := site.NewTree([]site.Node{
		{ID: "connection", Parent: -1, Limit: 4 * unit.Megawatt, Loss: 0.01, Meter: "meter:connection"},
		{ID: "hall-1", Parent: 0, Limit: 2 * unit.Megawatt, Loss: 0.01, Meter: "meter:hall-1"},
		{ID: "hall-2", Parent: 0, Limit: 2 * unit.Megawatt, Loss: 0.005, Meter: "meter:hall-2"},
		{ID: "feeder", Parent: 2, Meter: "meter:feeder"},
		{ID: "row", Parent: 1, Loss: 0.005},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, tree: tree, herds: map[string]herd{}, frozen: map[int]bool{}}
	cfg := plant.Config{Seed: seed, Tree: tree, Tenants: []plant.TenantConfig{{
		ID: "acme", Node: feeder, Firm: 300 * unit.Kilowatt, Draw: sitefile.Draw{Low: 0.5, High: 1, Jump: 20 * time.Minute, JumpTime: time.Minute},
	}}}
	ids := map[string][]string{}
	for _, h := range herds {
		r.herds[h.id] = h
		make := &plant.Make{Driver: "toy", Brand: "Toy", Models: []plant.Row{{Name: h.id, TH: h.th, Watts: h.watts, Standby: 28, TellsPower: !h.mute}}}
		model, _ := make.Model(h.id)
		for i := range h.n {
			id := fmt.Sprintf("%s-%03d", h.id, i+1)
			ids[h.id] = append(ids[h.id], id)
			cfg.Miners = append(cfg.Miners, plant.MinerConfig{ID: id, Group: h.id, Make: make, Node: h.node, Model: model})
		}
	}
	plan, err := fault.Plan(seed, faults, ids)
	if err != nil {
		t.Fatal(err)
	}
	for i := range cfg.Miners {
		cfg.Miners[i].Faults = plan[cfg.Miners[i].ID]
	}
	if r.world, err = plant.New(cfg, noon); err != nil {
		t.Fatal(err)
	}
	r.est = estimate.New(tree)
	r.order = r.world.Miners()
	r.in = estimate.Input{Nodes: make([]estimate.Node, tree.Len()), Miners: make([]estimate.Miner, len(r.order))}
	r.in.Nodes[feeder].Tenant = true
	for i, m := range r.order {
		h := r.herds[m.Group()]
		r.in.Miners[i] = estimate.Miner{
			ID: site.DeviceID(m.ID()), Group: site.LoadID(h.id), Node: h.node,
			Nameplate: unit.Watts(h.watts * (1 + h.plateOff)), Rated: unit.Hashrate(h.th) * unit.TeraHash, Standby: 30 * unit.Watt,
		}
	}
	return r
}

// run lets d of site time pass.
func (r *rig) run(d time.Duration) {
	for end := r.world.Now().Add(d); r.world.Now().Before(end); {
		r.world.Step(r.world.Now().Add(time.Second))
		now := r.world.Now()
		second := int(now.Sub(noon) / time.Second)
		for i, m := range r.order {
			if (second+i*7)%int(pollEvery/time.Second) == 0 && !r.silent[i] {
				r.poll(i, m, now)
			}
		}
		for i := range r.in.Nodes {
			m := r.world.Meter(r.tree.Node(i).ID)
			if m == nil || r.frozen[i] || (second+i)%int(step/time.Second) != 0 {
				continue
			}
			v := m.View()
			r.in.Nodes[i].Power, r.in.Nodes[i].At = site.Some(v.Power), v.Updated
		}
		for i := range r.frozen { // it repeats its reading
			r.in.Nodes[i].At = now
		}
		if second%int(step/time.Second) == 0 {
			r.in.Now = now
			if r.wild != nil {
				r.wild()
			}
			r.out = r.est.Step(r.in)
		}
	}
}

func (r *rig) poll(i int, m *plant.Miner, now time.Time) {
	v, in := m.View(), &r.in.Miners[i]
	if v.Rebooting {
		return
	}
	in.At, in.State, in.Hashrate = now, v.State, site.Some(v.Hashrate)
	in.Power = site.Opt[unit.Power]{}
	if v.ReportsPower {
		in.Power = site.Some(v.Power.Scale(1 + r.herds[m.Group()].readOff))
	}
	if m.Group() == r.outlets {
		p, _, _ := m.Truth()
		in.Outlet, in.OutletAt = site.Some(unit.Watts(math.Round(p.Watts()))), now
	}
	in.Target = site.Opt[unit.Power]{V: v.Limit, OK: v.Limit > 0}
}

// tell gives an order to a whole group.
func (r *rig) tell(group string, order func(*plant.Miner)) {
	for i, m := range r.order {
		if m.Group() == group {
			order(m)
			r.in.Miners[i].Told = r.world.Now()
		}
	}
}

// truth is what a group draws.
func (r *rig) truth(group string) float64 {
	var sum float64
	for _, m := range r.order {
		if m.Group() == group {
			p, _, _ := m.Truth()
			sum += p.Watts()
		}
	}
	return sum
}

func (r *rig) figure(group string) estimate.GroupFigure {
	for _, g := range r.out.Groups {
		if string(g.Group) == group {
			return g
		}
	}
	r.t.Fatalf("no figure of %s", group)
	return estimate.GroupFigure{}
}

// within checks each group's figure against the truth.
func (r *rig) within(share float64) {
	r.t.Helper()
	for id := range r.herds {
		f, want := r.figure(id), r.truth(id)
		off := f.Power.Watts()/want - 1
		r.t.Logf("%s: %.0f W, truth %.0f W: off %.2f %%, says ±%.2f %%, scale %.3f±%.3f, methods %v", id, f.Power.Watts(), want, 100*off,
			100*f.Error.Watts()/want, f.Scale, f.ScaleError, f.Methods)
		if math.Abs(off) > share {
			r.t.Errorf("%s: %v is %.2f %% off the truth of %.0f W", id, f.Power, 100*off, want)
		}
		if e := f.Error.Watts(); math.Abs(off)*want > 4*e+0.005*want {
			r.t.Errorf("%s: %.0f W off, and says ±%.0f W", id, off*want, e)
		}
	}
}

// shedsAndRestores is an hour in which the price or the grid sheds each group now and then.
func shedsAndRestores(r *rig) {
	r.run(8 * time.Minute)
	r.tell("a", (*plant.Miner).Sleep)
	r.run(5 * time.Minute)
	r.tell("a", (*plant.Miner).Wake)
	r.run(10 * time.Minute)
	r.tell("b", func(m *plant.Miner) { m.SetPercent(70) })
	r.run(6 * time.Minute)
	r.tell("b", func(m *plant.Miner) { m.SetPercent(100) })
	r.tell("c", (*plant.Miner).Sleep)
	r.run(6 * time.Minute)
	r.tell("c", (*plant.Miner).Wake)
	r.run(8 * time.Minute)
	r.tell("a", func(m *plant.Miner) { m.SetPercent(80) })
	r.run(7 * time.Minute)
	r.tell("a", func(m *plant.Miner) { m.SetPercent(100) })
	r.run(10 * time.Minute)
}

var halfMute = []sitefile.Fault{
	{Kind: "mute-power", Group: "a", Share: 0.5},
	{Kind: "mute-power", Group: "b", Share: 0.5},
	{Kind: "mute-power", Group: "c", Share: 0.5},
	{Kind: "biased-power", Group: "a", Share: 1, By: 0.1},
	{Kind: "biased-power", Group: "b", Share: 1, By: 0.1},
	{Kind: "biased-power", Group: "c", Share: 1, By: 0.1},
}

// TestAnHour: half of the miners tell no power, the others' sensors are off by up to 10 %, the
// nameplates are off too, and after an hour each group is within 2 % of the truth.
func TestAnHour(t *testing.T) {
	herds := func(bias, plates [3]float64, mute [3]bool) []herd {
		return []herd{
			{"a", hall1, 60, 3500, 200, plates[0], bias[0], mute[0]},
			{"b", 4, 40, 3250, 110, plates[1], bias[1], mute[1]},
			{"c", hall2, 50, 3010, 140, plates[2], bias[2], mute[2]},
		}
	}
	none := [3]float64{}
	for name, h := range map[string][]herd{
		"each its own bias":              herds(none, [3]float64{-0.06, 0.05, 0.03}, [3]bool{}),
		"one bias for a whole group":     herds([3]float64{0.1, -0.1, 0.1}, [3]float64{0.05, 0.05, -0.05}, [3]bool{}),
		"a group mute, the other biased": herds([3]float64{0, 0.1, -0.1}, [3]float64{0.06, -0.06, 0}, [3]bool{true, false, false}),
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(3) {
				f := halfMute
				if name != "each its own bias" {
					f = halfMute[:3]
				}
				r := newRig(t, seed+1, h, f)
				shedsAndRestores(r)
				r.within(0.02)
			}
		})
	}
}
