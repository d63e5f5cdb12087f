package planner

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"switchyard/dispatch/schedule"
	"switchyard/unit"
)

// garbage draws a Problem whose every figure may be nonsense.
func garbage(t *rapid.T) schedule.Problem {
	seed := rapid.Uint64().Draw(t, "seed")
	wild := rapid.Float64Range(0, 0.3).Draw(t, "wild")
	d := seeded(seed)
	var p schedule.Problem
	if d.chance(0.5) {
		p = d.small(nil)
	} else {
		p = d.halls(nil)
	}
	p.Gap, p.Whole = 0, time.Duration(d.IntN(3)-1)*time.Hour
	g := spoiler{dice: d, share: wild}
	for i := range p.Steps {
		s := &p.Steps[i]
		g.price(&s.Price)
		g.price(&s.Coincident)
		g.price(&s.SellBack)
		g.power(&s.Block)
		if d.chance(wild) {
			s.Caps = []unit.Power{unit.Power(d.IntN(3)-1) * unit.Power(d.IntN(1e9))}
		}
	}
	for i := range p.Classes {
		c := &p.Classes[i]
		g.price(&c.Levels[0].Value)
		g.span(&c.Ramp)
		g.span(&c.MinRun)
		g.span(&c.MinRest)
		if d.chance(wild) {
			c.Levels[0].Power = unit.Power(d.IntN(2))
		}
	}
	for i := range p.Firm {
		g.price(&p.Firm[i].Penalty)
		g.price(&p.Firm[i].Curtail.Price)
		g.power(&p.Firm[i].Curtail.Power)
		g.span(&p.Firm[i].Curtail.Left)
	}
	for i := range p.Work {
		w := &p.Work[i]
		g.price(&w.Value)
		g.price(&w.Late)
		g.power(&w.Power)
		if d.chance(wild) {
			w.By = w.From.Add(-time.Hour)
		}
	}
	for i := range p.Reserves {
		r := &p.Reserves[i]
		g.ratio(&r.Performance)
		g.ratio(&r.Call)
		g.power(&r.Most)
		g.price(&r.Short)
		if d.chance(wild) {
			r.Sold = make([]unit.Power, d.IntN(3))
		}
	}
	g.power(&p.Minimum)
	g.price(&p.MinimumPenalty)
	return p
}

type spoiler struct {
	dice
	share float64
}

func (g spoiler) price(v *unit.Price) {
	if g.chance(g.share) {
		*v = []unit.Price{0, -1, math.MaxInt64, math.MinInt64, 9999 * usd, -9999 * usd, 1_000_000 * usd}[g.IntN(7)]
	}
}

func (g spoiler) power(v *unit.Power) {
	if g.chance(g.share) {
		*v = []unit.Power{0, -1, 1, math.MaxInt64, math.MinInt64, 1_000_000 * unit.Megawatt, 50 * unit.Megawatt}[g.IntN(7)]
	}
}

func (g spoiler) span(v *time.Duration) {
	if g.chance(g.share) {
		*v = []time.Duration{0, 1, -1, math.MaxInt64, 100 * 365 * 24 * time.Hour, time.Second, 7 * time.Minute}[g.IntN(7)]
	}
}

func (g spoiler) ratio(v *unit.Ratio) {
	if g.chance(g.share) {
		*v = unit.Ratio([]float64{0, -1, 2, math.NaN(), math.Inf(1), math.Inf(-1), 1}[g.IntN(7)])
	}
}

// checkPlan holds a plan against what no plan may break.
func checkPlan(p *schedule.Problem, f *figures, r result) error {
	s, method := r.s, r.method
	a := f.account(s)
	for c := range f.classes {
		k := &f.classes[c]
		for t := range f.steps {
			n := s.running(f, c, t)
			if n > float64(k.count)+1e-5 || n < -1e-9 || math.IsNaN(n) {
				return fmt.Errorf("%s: %v of %d machines run in step %d", p.Classes[c].Load, n, k.count, t)
			}
			if whole := method == schedule.MILP || method == schedule.Exact || method == schedule.LP; whole && t < f.whole && !isWhole(n) {
				return fmt.Errorf("%s: %v machines run in step %d", p.Classes[c].Load, n, t)
			}
			// What was stopped within the minimum rest still rests, and what was so at the beginning.
			rest, before := k.bound(t, false), float64(k.running)
			for u := range t + 1 {
				now := s.running(f, c, u)
				if k.restTo[u] > t {
					rest += s.start[c][u] - now + before
				}
				before = now
			}
			if n+rest > float64(k.count)+1e-4 {
				return fmt.Errorf("%s: %v run and %v must rest of %d in step %d", p.Classes[c].Load, n, rest, k.count, t)
			}
		}
	}
	// Rounding alone, without a search behind it, may leave a machine too many. And a machine
	// stops whole, and costs for as long as it is bound to run: a bit of one above a cap for a
	// while may be the lesser evil.
	most := 1e-3
	for c := range f.classes {
		if k := &f.classes[c]; method == schedule.LP {
			most += k.most * k.exit
		} else {
			most = max(most, k.most*k.exit/5)
		}
	}
	// A search ends within its gap of the best plan: what it leaves above caps may cost as much.
	paid := 0.0
	for t := range f.steps {
		for _, over := range a.excess[t] {
			paid += over * f.len[t] * f.overload
		}
	}
	within := method == schedule.MILP && paid <= r.bound
	for t := range f.steps {
		for i := range f.parent {
			if a.excess[t] != nil && a.excess[t][i] > most && !within {
				return fmt.Errorf("%s stands %v kW above its cap in step %d", p.Tree.Node(i).ID, a.excess[t][i], t)
			}
		}
	}
	if a.starts > 1e-3 {
		return fmt.Errorf("%v kW are started beyond an allowance", a.starts)
	}
	return nil
}

// checkEarly holds minimum runs: they are cut short only for a cap.
func checkEarly(f *figures, s *solution, m *model) error {
	a := f.account(s)
	if a.early <= 1e-4 {
		return nil
	}
	m.f = f
	m.findLimits()
	for c := range f.classes {
		if f.classes[c].bound(0, true) > 0 && m.limited(f.classes[c].node) {
			return nil
		}
	}
	return fmt.Errorf("machines stop %v hours early, and no cap asks it", a.early)
}

// anyPlan says what is wrong with the plan of any Problem whatever, by any method.
func anyPlan(t *rapid.T, pl *Planner) {
	p := garbage(t)
	pl.from = []schedule.Method{schedule.Exact, schedule.MILP, schedule.LP, schedule.Merit, schedule.Static}[rapid.IntRange(0, 4).Draw(t, "from")]
	plan, err := pl.Plan(p)
	if err != nil {
		if bad := p.Check(); bad == nil {
			t.Fatalf("a sound problem was refused: %v", err)
		}
		return
	}
	if len(plan.Steps) != len(p.Steps) || len(plan.Classes) != len(p.Classes) || len(plan.Reserves) != len(p.Reserves) ||
		len(plan.Firm) != len(p.Firm) || len(plan.Work) != len(p.Work) || len(plan.Marginal) != len(p.Steps) {
		t.Fatal("the plan lacks parts")
	}
	if plan.Gap > 0.2 && plan.Method == schedule.MILP {
		t.Fatalf("gap %v: %q", plan.Gap, plan.Notes)
	}
	clean, _ := p.Sound()
	f := newFigures(&clean)
	r := pl.solve(f)
	if err := checkPlan(&clean, f, r); err != nil && r.method != schedule.Static {
		t.Fatalf("%s: %v %q", r.method, err, r.notes)
	}
	if r.method == schedule.Exact || r.method == schedule.MILP || r.method == schedule.LP {
		if err := checkEarly(f, r.s, &pl.model); err != nil {
			t.Fatalf("%s: %v", r.method, err)
		}
	}
}

func TestAnyProblemHasAPlan(t *testing.T) {
	pl := New()
	defer pl.Close()
	rapid.Check(t, func(t *rapid.T) { anyPlan(t, pl) })
}

func FuzzPlan(f *testing.F) {
	pl := New()
	f.Cleanup(pl.Close)
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) { anyPlan(t, pl) }))
}

// TestMarginalPricesAreTheDerivative holds the marginal prices against what a contract that
// draws a little more, and a little less, really costs.
func TestMarginalPricesAreTheDerivative(t *testing.T) {
	pl := New()
	defer pl.Close()
	if err := pl.start(); err != nil {
		t.Skip(err)
	}
	cost := func(p schedule.Problem) (float64, *tags) {
		clean, _ := p.Sound()
		f := newFigures(&clean)
		pl.model.build(f)
		if err := pl.engine.Load(&pl.model.Program); err != nil {
			t.Fatal(err)
		}
		a, err := pl.engine.Relaxed(nil, maxIterations)
		if err != nil {
			t.Fatal(err)
		}
		return a.Objective / scale, pl.model.tags(a.Dual)
	}
	differ := 0
	for seed := range uint64(60) {
		d := seeded(seed)
		p := d.halls(t)
		node, step := d.IntN(p.Tree.Len()), d.IntN(len(p.Steps))
		const base, more = 50 * unit.Kilowatt, unit.Kilowatt / 2
		with := func(kw unit.Power) schedule.Problem {
			q := p
			w := schedule.Firm{Load: "probe", Node: node, Draw: make([]unit.Power, len(p.Steps)), Penalty: 5000 * usd}
			for i := range w.Draw {
				w.Draw[i] = base
			}
			w.Draw[step] += kw
			q.Firm = []schedule.Firm{w}
			return q
		}
		at, g := cost(with(0))
		up, _ := cost(with(more))
		down, _ := cost(with(-more))
		kwh := kw(more) * p.Steps[step].Length.Hours()
		low, high := (at-down)/kwh, (up-at)/kwh
		got := g.node[step][node]
		slack := 1e-4 * max(1, math.Abs(got))
		if got < low-slack || got > high+slack {
			t.Errorf("seed %d: the marginal price at node %d in step %d is %.6f $/kWh, one more costs %.6f, one less saves %.6f", seed, node, step, got, high, low)
		}
		if math.Abs(got-g.node[step][node]*0-p.Steps[step].Price.DollarsPerMWh()/1000) > 1e-6 {
			differ++
		}
	}
	if differ == 0 {
		t.Error("no marginal price differs from the energy price: the sites are too easy")
	}
}

func TestHorizon(t *testing.T) {
	for _, from := range []time.Time{monday, monday.Add(7*time.Minute + 13*time.Second), monday.Add(59*time.Minute + 50*time.Second)} {
		steps := schedule.Horizon(from, 24*time.Hour)
		if n := len(steps); n < 50 || n > 65 {
			t.Errorf("from %v: %d steps", from, n)
		}
		at := from
		for i, s := range steps {
			end := s.Start.Add(s.Length)
			if !s.Start.Equal(at) || s.Length < time.Minute || end.Sub(end.Truncate(5*time.Minute)) != 0 {
				t.Errorf("from %v: step %d is %v for %v", from, i, s.Start, s.Length)
			}
			if s.Length > 15*time.Minute && end.Truncate(time.Hour) != end {
				t.Errorf("from %v: step %d of an hour ends at %v", from, i, end)
			}
			at = end
		}
		if at.Before(from.Add(24 * time.Hour)) {
			t.Errorf("from %v: ends at %v", from, at)
		}
	}
	if n := len(schedule.Horizon(monday, -time.Hour)); n != 1 {
		t.Errorf("a horizon of nothing has %d steps", n)
	}
}
