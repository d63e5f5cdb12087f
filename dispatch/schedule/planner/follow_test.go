package planner_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/dispatch"
	"switchyard/dispatch/schedule"
	"switchyard/dispatch/schedule/planner"
	"switchyard/site"
	"switchyard/unit"
)

// cleared clears a step of a plan as live clearing does and returns how many machines of
// each class run. Machines whose minimum is not over stay as they are.
func cleared(p *schedule.Problem, plan *schedule.Plan, step int, price unit.Price) []float64 {
	g := plan.Guidance(step)
	caps := make([]unit.Power, p.Tree.Len())
	for i := range caps {
		caps[i] = -1
		if l := p.Tree.Node(i).Limit; l > 0 {
			caps[i] = l
		}
	}
	if g.Peak >= 0 && (caps[0] < 0 || g.Peak < caps[0]) {
		caps[0] = g.Peak
	}
	var offers []site.Offer
	for i, c := range p.Classes {
		o := site.Offer{Load: c.Load, Node: c.Node, Class: site.Flexible}
		rank := 0
		slices.SortStableFunc(c.Now, func(a, b schedule.State) int { return b.Level - a.Level }) // running ones first
		for _, s := range c.Now {
			running := s.Level >= 0
			bound := s.For < c.MinRest
			if running {
				bound = s.For < c.MinRun
			}
			for range s.Count {
				b := site.Block{Power: c.Levels[0].Power, Value: g.Bid(i, rank, running)}
				if bound && running {
					b.Value = 1_000_000 * unit.DollarPerMWh
				}
				if running || !bound {
					o.Blocks = append(o.Blocks, b)
				}
				rank++
			}
		}
		offers = append(offers, o)
	}
	r := dispatch.Clear(dispatch.Problem{Tree: p.Tree, Price: price, Adder: g.Adder, PriceKnown: true, Caps: caps, Offers: offers})
	var out []float64
	for i, a := range r.Awards {
		out = append(out, float64(a.Power)/float64(p.Classes[i].Levels[0].Power))
	}
	return out
}

// advance moves a class's machines to run running ones, the longest as they are first, and
// on by a step.
func advance(c *schedule.Class, run int, d time.Duration) {
	have := 0
	for _, s := range c.Now {
		if s.Level >= 0 {
			have += s.Count
		}
	}
	change, from := run-have, -1
	if change < 0 {
		change, from = -change, 0
	}
	next := []schedule.State{{Count: change, Level: -1 - from}}
	slices.SortStableFunc(c.Now, func(a, b schedule.State) int { return int(b.For - a.For) })
	for _, s := range c.Now {
		if s.Level == from {
			n := min(s.Count, change)
			s.Count -= n
			change -= n
		}
		next = append(next, s)
	}
	for i := range next {
		next[i].For += d
	}
	c.Now = next
}

// TestClearingFollowsThePlan clears the first steps of plans at the prices expected: what
// runs is what the plan committed to.
func TestClearingFollowsThePlan(t *testing.T) {
	pl := planner.New()
	defer pl.Close()
	all := 0
	for seed := range uint64(200) {
		p := planner.RandomHalls(t, seed)
		plan, err := pl.Plan(p)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(plan.Notes, func(n string) bool { return strings.Contains(n, "minimum run") }) {
			continue // a cap stops machines that are bound to run: nothing tells which
		}
		for step := range 6 {
			got, want := cleared(&p, &plan, step, p.Steps[step].Price), plan.Guidance(step).Run
			for i, n := range got {
				all++
				// Whole machines leave a bit of room below a cap, for which clearing finds a taker.
				if n < float64(want[i])-1 || n > float64(want[i])+3 {
					t.Errorf("seed %d by %s, step %d: %s runs %.1f of %d, the plan %d", seed, plan.Method, step, p.Classes[i].Load, n, p.Classes[i].Count, want[i])
				}
			}
			for i := range p.Classes {
				advance(&p.Classes[i], want[i], p.Steps[step].Length)
			}
		}
	}
	t.Logf("%d times as planned", all)
}

// TestClearingDepartsFromThePlan clears at prices that nobody expected.
func TestClearingDepartsFromThePlan(t *testing.T) {
	pl := planner.New()
	defer pl.Close()
	for seed := range uint64(50) {
		p := planner.RandomHalls(t, seed)
		plan, err := pl.Plan(p)
		if err != nil {
			t.Fatal(err)
		}
		high := cleared(&p, &plan, 0, 500_000*unit.DollarPerMWh)
		before := cleared(&p, &plan, 0, p.Steps[0].Price)
		low := cleared(&p, &plan, 0, -500_000*unit.DollarPerMWh)
		sum := [3]float64{}
		for i, c := range p.Classes {
			bound := 0
			for _, s := range c.Now {
				if s.Level >= 0 && s.For < c.MinRun {
					bound += s.Count
				}
			}
			if high[i] > float64(bound)+1e-6 {
				t.Errorf("seed %d: %s runs %.1f at 500,000 $/MWh, %d are bound to", seed, c.Load, high[i], bound)
			}
			for k, n := range []float64{high[i], before[i], low[i]} {
				sum[k] += n * c.Levels[0].Power.Megawatts()
			}
		}
		if sum[0] > sum[1]+1e-6 || sum[1] > sum[2]+0.01 {
			t.Errorf("seed %d: %.3f MW when dear, %.3f as expected, %.3f when cheap", seed, sum[0], sum[1], sum[2])
		}
	}
}
