package estimate_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"switchyard/estimate"
	"switchyard/site"
	"switchyard/unit"
)

// anySite draws a tree of up to six nodes and miners of up to four groups on it.
func anySite(t *rapid.T) (*site.Tree, estimate.Input) {
	nodes := []site.Node{{ID: "connection", Parent: -1}}
	for i := range rapid.IntRange(0, 5).Draw(t, "nodes") {
		nodes = append(nodes, site.Node{ID: site.NodeID(fmt.Sprint("n", i)), Parent: rapid.IntRange(0, i).Draw(t, "parent")})
	}
	for i := range nodes {
		nodes[i].Loss = unit.Ratio(rapid.SampledFrom([]float64{0, 0, 0.01, 0.3}).Draw(t, "loss"))
		if rapid.Bool().Draw(t, "metered") {
			nodes[i].Meter = site.DeviceID("meter:" + string(nodes[i].ID))
		}
	}
	tree, err := site.NewTree(nodes)
	if err != nil {
		t.Fatal(err)
	}
	in := estimate.Input{Nodes: make([]estimate.Node, len(nodes))}
	for i := range rapid.IntRange(0, 40).Draw(t, "miners") {
		group := rapid.IntRange(0, 3).Draw(t, "group")
		m := estimate.Miner{ID: site.DeviceID(fmt.Sprint("m", i)), Group: site.LoadID(fmt.Sprint("g", group)), Node: group % len(nodes), Nameplate: 3500 * unit.Watt, Rated: 200 * unit.TeraHash, Standby: 30 * unit.Watt}
		if rapid.IntRange(0, 30).Draw(t, "no plate") == 0 {
			m.Nameplate, m.Rated, m.Standby = 0, 0, 0
		}
		in.Miners = append(in.Miners, m)
	}
	return tree, in
}

// anyReading spoils, reads or leaves each device as it is.
func anyReading(t *rapid.T, in *estimate.Input, tree *site.Tree, now time.Time) {
	in.Now = now
	power := func(most float64) site.Opt[unit.Power] {
		switch rapid.IntRange(0, 9).Draw(t, "kind of reading") {
		case 0, 1:
			return site.Opt[unit.Power]{}
		case 2:
			return site.Some(unit.Watts(rapid.Float64Range(-1e9, 1e9).Draw(t, "wild")))
		case 3:
			return site.Some(unit.Power(0))
		}
		return site.Some(unit.Watts(rapid.Float64Range(0, most).Draw(t, "watts")))
	}
	for i := range in.Nodes {
		n := &in.Nodes[i]
		if tree.Node(i).Meter != "" && rapid.IntRange(0, 5).Draw(t, "meter reads") > 0 {
			n.Power, n.At = power(200e3), now.Add(-time.Duration(rapid.IntRange(0, 4).Draw(t, "age"))*time.Second)
		}
		n.Tenant = rapid.IntRange(0, 9).Draw(t, "tenant") == 0
	}
	for i := range in.Miners {
		m := &in.Miners[i]
		if rapid.IntRange(0, 3).Draw(t, "read") == 0 {
			continue
		}
		m.At, m.State = now, site.State(rapid.IntRange(0, 4).Draw(t, "state"))
		m.Power, m.Target = power(4000), power(4000)
		m.Hashrate = site.Opt[unit.Hashrate]{V: unit.Hashrate(rapid.Float64Range(0, 250e12).Draw(t, "hashrate")), OK: rapid.Bool().Draw(t, "tells hashrate")}
		if rapid.IntRange(0, 4).Draw(t, "outlet") == 0 {
			m.Outlet, m.OutletAt = power(4000), now
		}
		if rapid.IntRange(0, 9).Draw(t, "told") == 0 {
			m.Told = now
		}
	}
}

// TestLaws: whatever is read, sums reconcile, nothing is negative or without an error, and what
// is not known says so.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, in := anySite(t)
		e := estimate.New(tree)
		now := noon
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "pause")) * time.Second)
			anyReading(t, &in, tree, now)
			out := e.Step(in)
			checkFigures(t, in, out)
			checkSums(t, tree, in, out)
			if rapid.IntRange(0, 5).Draw(t, "restart") == 0 {
				b, err := json.Marshal(e)
				if err != nil {
					t.Fatalf("marshal: %v", err)
				}
				e = estimate.New(tree)
				if err := json.Unmarshal(b, e); err != nil {
					t.Fatalf("its own text: %v\n%s", err, b)
				}
			}
		}
	})
}

func checkFigures(t *rapid.T, in estimate.Input, out estimate.Output) {
	for i, f := range out.Miners {
		m := in.Miners[i]
		switch {
		case f.Power.OK != (f.Method != estimate.Unknown):
			t.Fatalf("%s: power known %v by %v", m.ID, f.Power.OK, f.Method)
		case f.Power.V < 0 || f.Error < 0 || f.Power.V > 1e9*unit.Watt:
			t.Fatalf("%s: %v ± %v", m.ID, f.Power.V, f.Error)
		case m.Nameplate > 0 && !f.Power.OK:
			t.Fatalf("%s: its nameplate is known and the figure is not", m.ID)
		case m.At.IsZero() && f.Method != estimate.Unknown && f.Method != estimate.Nameplate:
			t.Fatalf("%s: never read, and %v", m.ID, f.Method)
		case f.Power.OK && f.Error == 0 && f.Power.V > unit.Watt:
			t.Fatalf("%s: %v by %v without an error", m.ID, f.Power.V, f.Method)
		}
	}
}

// checkSums adds the figures up again, node by node.
func checkSums(t *rapid.T, tree *site.Tree, in estimate.Input, out estimate.Output) {
	groups := map[string]unit.Power{}
	sums := make([]float64, tree.Len()) // W entering each reconciled node, by what it is the nearest meter to
	for i, f := range out.Miners {
		groups[fmt.Sprint(in.Miners[i].Group, in.Miners[i].Node)] += f.Power.V
		w, unsure := f.Power.V.Watts(), false
		for n := in.Miners[i].Node; n >= 0; n = up(tree, n) {
			w /= 1 - float64(tree.Node(n).Loss)
			if out.Nodes[n].Reconciled {
				sums[n] += w
				break
			}
			unsure = unsure || tree.Node(n).Meter != "" && in.Nodes[n].Power.OK // something below it is not known, or it is old
			if unsure {
				for ; n >= 0; n = up(tree, n) {
					sums[n] = math.NaN()
				}
			}
		}
	}
	for _, g := range out.Groups {
		if want := groups[fmt.Sprint(g.Group, g.Node)]; g.Power != want {
			t.Fatalf("%s: %v is not the sum %v", g.Group, g.Power, want)
		}
	}
	for i, n := range out.Nodes {
		if !n.Reconciled {
			continue
		}
		if off := n.Meter - n.Miners - n.Metered - n.Other - n.Residual; off < -5 || off > 5 {
			t.Fatalf("node %d does not add up by %v: %+v", i, off, n)
		}
		if math.Abs(sums[i]-n.Miners.Watts()) > 0.01*float64(len(in.Miners)) {
			t.Fatalf("node %d: miners %v, their figures %.3f W", i, n.Miners, sums[i])
		}
	}
}

// TestPreciseGetLess: of a residual a miner gets no more than one whose figure was less certain.
func TestPreciseGetLess(t *testing.T) {
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1, Meter: "meter:connection"}})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		one := func(group string, outlet, power float64) estimate.Miner {
			m := estimate.Miner{ID: site.DeviceID(group), Group: site.LoadID(group), At: noon, State: site.StateHashing, Nameplate: 3500 * unit.Watt, Rated: 200 * unit.TeraHash, Hashrate: site.Some(200 * unit.TeraHash)}
			if outlet > 0 {
				m.Outlet, m.OutletAt = site.Some(unit.Watts(outlet)), noon
			}
			if power > 0 {
				m.Power = site.Some(unit.Watts(power))
			}
			return m
		}
		in := estimate.Input{Now: noon, Nodes: make([]estimate.Node, 1), Miners: []estimate.Miner{
			one("outlet", 3450, 0), one("device", 0, 3480), one("curve", 0, 0), {ID: "never", Group: "never", Nameplate: 3500 * unit.Watt},
		}}
		alone := estimate.New(tree).Step(in)
		total := alone.Groups[0].Power + alone.Groups[1].Power + alone.Groups[2].Power + alone.Groups[3].Power
		in.Nodes[0] = estimate.Node{Power: site.Some(total + unit.Watts(rapid.Float64Range(-900, 900).Draw(t, "residual"))), At: noon}
		out := estimate.New(tree).Step(in)
		last := 0.0
		for i := range out.Miners {
			moved := math.Abs((out.Miners[i].Power.V - alone.Miners[i].Power.V).Watts())
			if moved+0.01 < last {
				t.Fatalf("%s moved by %.3f W, a more certain one by %.3f W", in.Miners[i].ID, moved, last)
			}
			last = moved
		}
		if r := out.Nodes[0].Residual; r < -unit.Watt || r > unit.Watt {
			t.Fatalf("left over: %v", r)
		}
	})
}

func TestMethodText(t *testing.T) {
	for _, m := range estimate.Methods() {
		b, err := m.MarshalText()
		var back estimate.Method
		if err != nil || back.UnmarshalText(b) != nil || back != m {
			t.Errorf("%v: %q comes back as %v", m, b, back)
		}
	}
	if err := new(estimate.Method).UnmarshalText([]byte("divined")); err == nil {
		t.Error("an unknown method is taken")
	}
}

// FuzzKept: no text makes it panic, and what it takes up gives figures.
func FuzzKept(f *testing.F) {
	f.Add([]byte(`{"version":1,"cells":[{"group":"g","node":"connection","plate":[3500,2e14,30],"x":[1,1,1,0],"var":[0.1,0,0.1,0,0,0.1,0,0,0,0.1],"spread":0.1}],"bases":[{"node":"connection","watts":10,"var":4}]}`))
	f.Add([]byte(`{"version":1,"cells":[]}`))
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1, Meter: "meter:connection"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := estimate.New(tree)
		if json.Unmarshal(b, e) != nil {
			return
		}
		out := e.Step(estimate.Input{
			Now: noon, Nodes: []estimate.Node{{Power: site.Some(4 * unit.Kilowatt), At: noon}},
			Miners: []estimate.Miner{{ID: "m", Group: "g", At: noon, State: site.StateHashing, Nameplate: 3500 * unit.Watt, Rated: 2e14, Standby: 30 * unit.Watt, Hashrate: site.Some(unit.Hashrate(2e14))}},
		})
		if p := out.Miners[0].Power; !p.OK || p.V < 0 || p.V > unit.Megawatt {
			t.Errorf("%+v from %s", out.Miners[0], b)
		}
	})
}

// up is the node above, -1 above the connection.
func up(tree *site.Tree, n int) int {
	if n < 0 {
		return n
	}
	return tree.Node(n).Parent
}
