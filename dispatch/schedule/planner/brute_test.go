package planner

import (
	"math"
	"testing"
	"time"

	"switchyard/dispatch/schedule"
	"switchyard/site"
	"switchyard/unit"
)

// brute tries every way to run one machine over n steps, and returns the most it earns by
// the definition of it all: value once ramped up, less energy, less wear.
func brute(c schedule.Class, prices []unit.Price, lengths []time.Duration) float64 {
	best := math.Inf(-1)
	n := len(prices)
	for mask := range 1 << n {
		if v, ok := tryPath(c, prices, lengths, mask); ok {
			best = max(best, v)
		}
	}
	return best
}

func tryPath(c schedule.Class, prices []unit.Price, lengths []time.Duration, mask int) (float64, bool) {
	running, since, ramped := false, 1000*time.Hour, true
	if len(c.Now) > 0 {
		running, since = c.Now[0].Level >= 0, c.Now[0].For
	}
	earned := 0.0
	for t := range prices {
		on := mask>>t&1 == 1
		switch {
		case on && !running:
			if since < c.MinRest {
				return 0, false
			}
			running, since, ramped = true, 0, c.Ramp == 0
			earned -= c.Wear.Dollars()
		case !on && running:
			if since < c.MinRun {
				return 0, false
			}
			running, since = false, 0
		}
		if on {
			hours := lengths[t].Hours()
			useful := hours
			if !ramped {
				useful = max(0, hours-max(0, (c.Ramp-since).Hours()))
			}
			mw := c.Levels[0].Power.Megawatts()
			earned += mw * (useful*c.Levels[0].Value.DollarsPerMWh() - hours*prices[t].DollarsPerMWh())
		}
		since += lengths[t]
	}
	return earned, true
}

func (d dice) path() (schedule.Class, []unit.Price, []time.Duration) {
	c := schedule.Class{
		Count: 1, Wear: unit.Dollars(d.between(0, 0.5)), Ramp: time.Duration(d.IntN(25)) * time.Minute, MinRun: d.span(6), MinRest: d.span(6),
		Levels: []schedule.Level{{Power: unit.Megawatt / 10, Value: unit.DollarsPerMWh(d.between(20, 90))}},
	}
	if d.chance(0.5) {
		c.Now = []schedule.State{{Count: 1, Level: d.IntN(2) - 1, For: d.span(8)}}
		if c.Now[0].Level >= 0 {
			c.Now[0].For += c.Ramp // its ramp is over
		}
	}
	var prices []unit.Price
	var lengths []time.Duration
	for range 1 + d.IntN(11) {
		prices = append(prices, unit.DollarsPerMWh(d.between(-120, 160)))
		lengths = append(lengths, time.Duration(1+d.IntN(3))*5*time.Minute)
	}
	return c, prices, lengths
}

func TestBestPathEqualsBruteForce(t *testing.T) {
	for seed := range uint64(2000) {
		c, prices, lengths := seeded(seed).path()
		running, got := schedule.BestPath(c, prices, lengths)
		want := brute(c, prices, lengths)
		if math.Abs(got.Dollars()-want) > 2e-6 {
			t.Fatalf("seed %d: $%.6f, brute force finds $%.6f: %+v %v %v", seed, got.Dollars(), want, c, prices, lengths)
		}
		mask := 0
		for i, on := range running {
			if on {
				mask |= 1 << i
			}
		}
		if v, ok := tryPath(c, prices, lengths, mask); !ok || math.Abs(v-want) > 2e-6 {
			t.Fatalf("seed %d: the path told earns $%.6f (%v) and not $%.6f", seed, v, ok, want)
		}
	}
}

// TestPlanEqualsBruteForce tries everything that two machines of two classes under one cap can
// do. Nothing is solved here: plans of other methods must earn what the best of all earns.
func TestPlanEqualsBruteForce(t *testing.T) {
	pl := New()
	defer pl.Close()
	methods := map[schedule.Method]int{}
	for seed := range uint64(150) {
		d := seeded(seed)
		n := 3 + d.IntN(4)
		var p schedule.Problem
		p.Gap, p.Whole = 1e-9, -1
		node := site.Node{ID: "connection", Parent: -1}
		for i := range 2 {
			c, _, _ := d.path()
			c.Load, c.Levels[0].Power = site.LoadID(string(rune('a'+i))), unit.Power(50+d.IntN(80))*kilowatt
			c.MinRun = max(c.MinRun, c.Ramp) // a ramp cut short is charged whole in a plan
			p.Classes = append(p.Classes, c)
		}
		if d.chance(0.7) {
			node.Limit = unit.Power(60+d.IntN(150)) * kilowatt
			for i := range p.Classes {
				p.Classes[i].Now = nil // nothing is bound to run under the cap
			}
		}
		p.Tree, _ = site.NewTree([]site.Node{node})
		at := monday
		var prices []unit.Price
		var lengths []time.Duration
		for range n {
			s := schedule.Step{Start: at, Length: time.Duration(1+d.IntN(3)) * 5 * time.Minute, Price: unit.DollarsPerMWh(d.between(-50, 140))}
			at = at.Add(s.Length)
			p.Steps = append(p.Steps, s)
			prices, lengths = append(prices, s.Price), append(lengths, s.Length)
		}
		want := math.Inf(-1)
		for a := range 1 << n {
			va, oka := tryPath(p.Classes[0], prices, lengths, a)
			for b := range 1 << n {
				if node.Limit > 0 && a&b != 0 && p.Classes[0].Levels[0].Power+p.Classes[1].Levels[0].Power > node.Limit {
					continue
				}
				if vb, okb := tryPath(p.Classes[1], prices, lengths, b); oka && okb && fits(&p, node.Limit, a, b) {
					want = max(want, va+vb)
				}
			}
		}
		plan, err := pl.Plan(p)
		if err != nil {
			t.Fatal(err)
		}
		methods[plan.Method]++
		if math.Abs(plan.Profit.Dollars()-want) > 2e-6 {
			t.Errorf("seed %d by %s: $%.6f, brute force finds $%.6f", seed, plan.Method, plan.Profit.Dollars(), want)
		}
	}
	if methods[schedule.Exact] == 0 || methods[schedule.MILP] == 0 {
		t.Errorf("only %v were tried", methods)
	}
}

func fits(p *schedule.Problem, limit unit.Power, a, b int) bool {
	if limit == 0 {
		return true
	}
	return (a == 0 || p.Classes[0].Levels[0].Power <= limit) && (b == 0 || p.Classes[1].Levels[0].Power <= limit)
}

func BenchmarkBestPathYear(b *testing.B) {
	d := seeded(1)
	c, _, _ := d.path()
	prices, lengths := make([]unit.Price, 105_120), make([]time.Duration, 105_120)
	for i := range prices {
		prices[i], lengths[i] = unit.DollarsPerMWh(d.between(-20, 120)), 5*time.Minute
	}
	for b.Loop() {
		schedule.BestPath(c, prices, lengths)
	}
}

func BenchmarkExact(b *testing.B) {
	d := seeded(1)
	tree, _ := site.NewTree([]site.Node{{ID: "connection", Parent: -1}})
	p := schedule.Problem{Tree: tree, Steps: schedule.Horizon(monday, 36*time.Hour)}
	for i := range p.Steps {
		p.Steps[i].Price = unit.DollarsPerMWh(d.between(-20, 120))
	}
	for i := range 10 {
		c := d.class(i, 1)
		c.Count, c.Now = 300, nil
		p.Classes = append(p.Classes, c)
	}
	pl := New()
	defer pl.Close()
	for b.Loop() {
		plan, err := pl.Plan(p)
		if err != nil || plan.Method != schedule.Exact {
			b.Fatal(plan.Method, err)
		}
	}
}
