package record

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"switchyard/dispatch"
	"switchyard/dispatch/schedule"
	"switchyard/dispatch/schedule/planner"
	"switchyard/site"
	"switchyard/unit"
)

func tree(t testing.TB, loss float64) *site.Tree {
	t.Helper()
	tr, err := site.NewTree([]site.Node{
		{ID: "connection", Parent: -1, Limit: 3 * unit.Megawatt, Loss: unit.Ratio(loss)}, {ID: "hall", Name: "hall A", Limit: unit.Megawatt},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

var start = time.Date(2026, 7, 1, 16, 0, 0, 0, time.UTC)

// round draws a round with figures that text for people would round.
func round(r *rapid.T, tr *site.Tree) dispatch.Round {
	price := rapid.Int64Range(-50_000_000, 400_000_000)
	out := dispatch.Round{
		Tree: tr, Price: unit.Price(price.Draw(r, "price")), Adder: unit.Price(price.Draw(r, "adder")), PriceKnown: rapid.Bool().Draw(r, "known"),
		Caps: []unit.Power{unit.Power(rapid.Int64Range(-1, 3e9).Draw(r, "cap")), -1},
		Firm: []site.Offer{dispatch.TenantOffer("acme", 1, unit.Power(rapid.Int64Range(0, 5e8).Draw(r, "firm")), 5000*unit.DollarPerMWh)},
	}
	for g := range rapid.IntRange(0, 3).Draw(r, "groups") {
		x := dispatch.Group{Load: site.LoadID(fmt.Sprintf("g%d", g)), Node: rapid.IntRange(0, 1).Draw(r, "node"), Terms: dispatch.MiningTerms{
			Hashprice: unit.Hashprice(rapid.Int64Range(1e6, 1e8).Draw(r, "hashprice")), Fee: unit.Ratio(rapid.Float64Range(0, 0.1).Draw(r, "fee")),
			SwitchCost: unit.Money(rapid.Int64Range(0, 1e6).Draw(r, "switch")), MinRun: time.Hour,
		}}
		if rapid.Bool().Draw(r, "guided") {
			x.Terms.Guide = &dispatch.Guide{Keep: unit.Price(price.Draw(r, "keep")), Take: unit.Price(price.Draw(r, "take"))}
		}
		for range rapid.IntRange(0, 6).Draw(r, "machines") {
			n := rapid.IntRange(1, 50).Draw(r, "count")
			x.Machines = append(x.Machines, dispatch.Machine{
				Power: unit.Power(int64(n) * rapid.Int64Range(1e6, 4e6).Draw(r, "power")), Hashrate: unit.Hashrate(float64(n) * rapid.Float64Range(1e13, 3e14).Draw(r, "hashrate")),
				Running: rapid.Bool().Draw(r, "running"), Count: n,
			})
		}
		out.Groups = append(out.Groups, x)
		if rapid.Bool().Draw(r, "held") {
			out.Held = append(out.Held, dispatch.Held{Power: unit.Power(rapid.Int64Range(0, 1e8).Draw(r, "held power")), Worth: unit.Price(price.Draw(r, "worth")), Loads: []site.LoadID{x.Load}})
		}
	}
	return out
}

// TestReplayAgrees: whatever was decided is decided again, to the last milliwatt and word.
func TestReplayAgrees(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		tr := tree(t, rapid.Float64Range(0, 0.2).Draw(r, "loss"))
		var b bytes.Buffer
		w, err := NewWriter(&b, tr)
		if err != nil {
			r.Fatal(err)
		}
		n, awards := rapid.IntRange(0, 8).Draw(r, "rounds"), 0
		var d dispatch.Decider
		for i := range n {
			x := round(r, tr)
			got := d.Decide(x).Awards
			awards += len(got)
			if err := w.Round(start.Add(time.Duration(i)*time.Minute), site.PlanID(i), x, got); err != nil {
				r.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			r.Fatal(err)
		}
		res, err := Replay(context.Background(), &b)
		if err != nil || res.Rounds != n || res.Awards != awards || res.Differing != 0 || res.First != "" {
			r.Fatalf("%+v, %v", res, err)
		}
	})
}

func recorded(t testing.TB, change func(*site.Award)) []byte {
	t.Helper()
	tr := tree(t, 0.01)
	var b bytes.Buffer
	w, err := NewWriter(&b, tr)
	if err != nil {
		t.Fatal(err)
	}
	x := dispatch.Round{Tree: tr, Price: 45 * unit.DollarPerMWh, PriceKnown: true, Groups: []dispatch.Group{{
		Load: "s21", Node: 1, Machines: []dispatch.Machine{{Power: 3500 * unit.Watt, Hashrate: 200 * unit.TeraHash, Running: true}},
		Terms: dispatch.MiningTerms{Hashprice: unit.DollarsPerPHDay(50)},
	}}}
	var d dispatch.Decider
	for i := range 3 {
		got := d.Decide(x).Awards
		if i == 1 && change != nil {
			change(&got[0])
		}
		if err := w.Round(start.Add(time.Duration(i)*time.Minute), 1, x, got); err != nil {
			t.Fatal(err)
		}
	}
	p := schedule.Problem{Tree: tr, Steps: schedule.Horizon(start, 6*time.Hour), Classes: []schedule.Class{{
		Load: "s21", Node: 1, Count: 9, Levels: []schedule.Level{{Power: 3500 * unit.Watt, Value: 119 * unit.DollarPerMWh}}, MinRest: 10 * time.Minute,
	}}}
	for k := range p.Steps {
		p.Steps[k].Price = unit.Price(40+k) * unit.DollarPerMWh
	}
	plan, err := planner.New().Plan(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Schedule(start, p, &plan); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReplayTellsTheFirstDifference(t *testing.T) {
	res, err := Replay(context.Background(), bytes.NewReader(recorded(t, nil)))
	if err != nil || res.Rounds != 3 || res.Differing != 0 || res.Schedules != 1 || res.PlansDiffer != 0 {
		t.Fatalf("an honest record: %+v, %v", res, err)
	}
	res, err = Replay(context.Background(), bytes.NewReader(recorded(t, func(a *site.Award) { a.Power-- })))
	if err != nil || res.Differing != 1 || !strings.Contains(res.First, "2026-07-01T16:01:00Z") || !strings.Contains(res.First, "s21 is awarded 3.5 kW") {
		t.Errorf("a record that lies: %+v, %v", res, err)
	}
}

// TestReplayOfATornRecord: a writer that was killed leaves all but its last line.
func TestReplayOfATornRecord(t *testing.T) {
	z, err := gzip.NewReader(bytes.NewReader(recorded(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(plain.Bytes(), []byte("\n"))
	cut := bytes.Join([][]byte{lines[0], lines[1], lines[2][:40]}, nil)
	if res, err := Replay(context.Background(), bytes.NewReader(cut)); err != nil || res.Rounds != 1 || !res.Torn {
		t.Errorf("plain and torn: %+v, %v", res, err)
	}
	packed := recorded(t, nil)
	if res, err := Replay(context.Background(), bytes.NewReader(packed[:len(packed)-20])); err != nil || !res.Torn {
		t.Errorf("packed and torn: %+v, %v", res, err)
	}
	for name, bad := range map[string]string{
		"nothing": "", "another thing": "hello\n", "another version": `{"version":9,"nodes":[{"ID":"c"}],"losses":[0]}` + "\n",
		"no tree": `{"version":1}` + "\n", "a line of nothing": string(lines[0]) + "{}\n", "no JSON": string(lines[0]) + "{\n",
		"a node that is not there": string(lines[0]) + `{"round":{"at":"2026-07-01T16:00:00Z","plan":1,"price":1,"known":true,"caps":[],"groups":[{"load":"x","node":7,"hashprice":1}],"awards":[]}}` + "\n",
	} {
		if _, err := Replay(context.Background(), strings.NewReader(bad)); err == nil {
			t.Errorf("%s was replayed", name)
		}
	}
}

func FuzzReplay(f *testing.F) {
	z, err := gzip.NewReader(bytes.NewReader(recorded(f, nil)))
	if err != nil {
		f.Fatal(err)
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(z); err != nil {
		f.Fatal(err)
	}
	f.Add(plain.Bytes())
	f.Add([]byte(`{"version":1,"nodes":[{"ID":"c","Parent":-1}],"losses":[0]}` + "\n" + `{"round":{}}` + "\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 1<<16 {
			t.Skip()
		}
		_, _ = Replay(context.Background(), bytes.NewReader(in))
	})
}
