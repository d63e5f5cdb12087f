package planner

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/dispatch/schedule"
	"switchyard/dispatch/schedule/linear"
	"switchyard/site"
	"switchyard/unit"
)

// refuses is a solver that fails at one of its calls.
type refuses struct {
	linear.Engine
	load1, relaxed1, wholly1 bool
}

var errTest = errors.New("out of luck")

func (r refuses) Load(p *linear.Program) error {
	if r.load1 {
		return errTest
	}
	return r.Engine.Load(p)
}

func (r refuses) Relaxed(b *linear.Basis, n int) (linear.Answer, error) {
	if r.relaxed1 {
		return linear.Answer{}, errTest
	}
	return r.Engine.Relaxed(b, n)
}

func (r refuses) Wholly(x []float64, gap float64, n, m int) (linear.Answer, error) {
	if r.wholly1 {
		return linear.Answer{}, errTest
	}
	return r.Engine.Wholly(x, gap, n, m)
}

// tight is a site whose program needs a search: few machines, and all of them whole.
func tight(t *testing.T) schedule.Problem {
	for seed := uint64(0); ; seed++ {
		p := seeded(seed).small(t)
		clean, _ := p.Sound()
		f := newFigures(&clean)
		var m model
		m.build(f)
		e, err := linear.New()
		if err != nil {
			t.Skip(err)
		}
		err = e.Load(&m.Program)
		a, err2 := e.Relaxed(nil, maxIterations)
		e.Close()
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if !m.settled(a.X) {
			return p
		}
	}
}

func TestWhatIsFallenBackTo(t *testing.T) {
	p := tight(t)
	best := math.Inf(1)
	for _, c := range []struct {
		name string
		fail refuses
		from schedule.Method
		want schedule.Method
		note string
	}{
		{"nothing fails", refuses{}, schedule.Exact, schedule.MILP, ""},
		{"the search fails", refuses{wholly1: true}, schedule.Exact, schedule.LP, "the search for whole machines failed, the relaxed program is rounded: out of luck"},
		{"the relaxed program fails", refuses{relaxed1: true}, schedule.Exact, schedule.Merit, "each step is planned by itself in merit order: out of luck"},
		{"the program is refused", refuses{load1: true}, schedule.Exact, schedule.Merit, "the program was not solved"},
		{"static", refuses{}, schedule.Static, schedule.Static, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			pl := New()
			defer pl.Close()
			pl.from = c.from
			if err := pl.start(); err != nil {
				t.Skip(err)
			}
			c.fail.Engine = pl.engine
			pl.engine = c.fail
			plan, err := pl.Plan(p)
			if err != nil || plan.Method != c.want {
				t.Fatalf("%s %v %q, want %s", plan.Method, err, plan.Notes, c.want)
			}
			if !strings.Contains(strings.Join(plan.Notes, "\n"), c.note) {
				t.Errorf("notes %q, want %q", plan.Notes, c.note)
			}
			if known := c.want == schedule.MILP || c.want == schedule.LP; known != (plan.Gap >= 0) {
				t.Errorf("%s has a gap of %v", c.want, plan.Gap)
			}
			// Each method earns no more than the one before it: the first is the best there is.
			if v := plan.Profit.Dollars(); v > best+1e-6 {
				t.Errorf("%s earns $%.6f, the method before $%.6f", c.want, v, best)
			}
			if c.want == schedule.MILP {
				best = plan.Profit.Dollars()
			}
			// What failed once does not fail for good.
			if again, err := pl.Plan(p); err != nil || c.want == schedule.Merit && again.Method != schedule.MILP {
				t.Errorf("afterwards %s, %v", again.Method, err)
			}
		})
	}
}

func TestWithoutSolver(t *testing.T) {
	pl := New()
	defer pl.Close()
	pl.broken = errors.New("built without it")
	plan, err := pl.Plan(tight(t))
	if err != nil || plan.Method != schedule.Merit || len(plan.Notes) == 0 || !strings.Contains(plan.Notes[0], "built without it") {
		t.Errorf("%s %v %q", plan.Method, err, plan.Notes)
	}
}

func TestSamePlanAgain(t *testing.T) {
	for seed := range uint64(20) {
		p := seeded(seed).halls(t)
		a, b := New(), New()
		one, err1 := a.Plan(p)
		two, err2 := b.Plan(p)
		a.Close()
		b.Close()
		if err1 != nil || err2 != nil || one.Profit != two.Profit || one.Bound != two.Bound {
			t.Errorf("seed %d: %v and %v", seed, one.Profit, two.Profit)
		}
		for i := range one.Classes {
			for t1 := range one.Classes[i].Running {
				for l, n := range one.Classes[i].Running[t1] {
					if n != two.Classes[i].Running[t1][l] {
						t.Fatalf("seed %d: class %d differs in step %d", seed, i, t1)
					}
				}
			}
		}
	}
}

// TestPlannersSideBySide has planners work at once, as a backtest's policies do.
func TestPlannersSideBySide(t *testing.T) {
	const sites = 6
	want := make([]unit.Money, sites)
	for i := range want {
		pl := New()
		p, err := pl.Plan(seeded(uint64(i)).halls(t))
		if want[i] = p.Profit; err != nil {
			t.Fatal(err)
		}
		pl.Close()
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range want {
				pl := New()
				if p, err := pl.Plan(seeded(uint64(i)).halls(t)); err != nil || p.Profit != want[i] {
					t.Errorf("site %d: %v, %v; alone %v", i, p.Profit, err, want[i])
				}
				pl.Close()
			}
		})
	}
	wg.Wait()
}

func plainProblem(t *testing.T) schedule.Problem {
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1, Limit: 100 * kilowatt}})
	if err != nil {
		t.Fatal(err)
	}
	p := schedule.Problem{Tree: tree, Steps: schedule.Horizon(monday, 2*time.Hour)}
	for i := range p.Steps {
		p.Steps[i].Price = 30 * usd
	}
	p.Classes = []schedule.Class{{Load: "s21", Count: 10, Levels: []schedule.Level{{Power: 3500 * unit.Watt, Value: 60 * usd}}}}
	draw := make([]unit.Power, len(p.Steps))
	for i := range draw {
		draw[i] = 20 * kilowatt
	}
	p.Firm = []schedule.Firm{{Load: "ai", Draw: draw, Penalty: 5000 * usd}}
	return p
}

func TestMalformedProblems(t *testing.T) {
	for _, c := range []struct {
		want string
		harm func(*schedule.Problem)
	}{
		{"problem: Tree is missing", func(p *schedule.Problem) { p.Tree = nil }},
		{"problem: Steps is empty", func(p *schedule.Problem) { p.Steps = nil }},
		{"problem: Gap is NaN", func(p *schedule.Problem) { p.Gap = math.NaN() }},
		{"problem: Steps[3].Length is 0s", func(p *schedule.Problem) { p.Steps[3].Length = 0 }},
		{"problem: Steps[2].Start is", func(p *schedule.Problem) { p.Steps[2].Start = monday }},
		{"problem: Steps[1].Price is", func(p *schedule.Problem) { p.Steps[1].Price = math.MaxInt64 }},
		{"problem: Steps[0].Caps has 2 entries, the tree 1 nodes", func(p *schedule.Problem) { p.Steps[0].Caps = make([]unit.Power, 2) }},
		{"problem: Classes[0] (s21).Node is 7, the tree has 1 nodes", func(p *schedule.Problem) { p.Classes[0].Node = 7 }},
		{"problem: Classes[0] (s21).Count is -1", func(p *schedule.Problem) { p.Classes[0].Count = -1 }},
		{"problem: Classes[0] (s21).Levels is empty", func(p *schedule.Problem) { p.Classes[0].Levels = nil }},
		{"problem: Classes[0] (s21).MinRun is -1s", func(p *schedule.Problem) { p.Classes[0].MinRun = -time.Second }},
		{"problem: Classes[0] (s21).Now[1].Count is 6, 5 of 10 machines are left", func(p *schedule.Problem) { p.Classes[0].Now = []schedule.State{{Count: 5}, {Count: 6}} }},
		{"problem: Classes[0] (s21).Now[0].Level is 3, the class has 1 levels", func(p *schedule.Problem) { p.Classes[0].Now = []schedule.State{{Count: 1, Level: 3}} }},
		{"problem: Firm[0] (ai).Draw has 1 entries, there are", func(p *schedule.Problem) { p.Firm[0].Draw = p.Firm[0].Draw[:1] }},
		{"problem: Firm[0] (ai).Draw[2] is -1 kW", func(p *schedule.Problem) { p.Firm[0].Draw[2] = -kilowatt }},
	} {
		p := plainProblem(t)
		c.harm(&p)
		if _, err := New().Plan(p); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestBadTargetsAreLeftOut(t *testing.T) {
	pl := New()
	defer pl.Close()
	good, err := pl.Plan(plainProblem(t))
	if err != nil || len(good.Notes) != 0 {
		t.Fatal(err, good.Notes)
	}
	prices := func(p *schedule.Problem, v unit.Price) []unit.Price {
		out := make([]unit.Price, len(p.Steps))
		for i := range out {
			out[i] = v
		}
		return out
	}
	for _, c := range []struct {
		want string
		harm func(*schedule.Problem)
	}{
		{"reserve spin is left out: its performance of NaN is no share", func(p *schedule.Problem) {
			p.Reserves = []schedule.Reserve{{Name: "spin", Price: prices(p, 900*usd), Performance: unit.Ratio(math.NaN())}}
		}},
		{"reserve spin is left out: it has prices for 1 steps", func(p *schedule.Problem) {
			p.Reserves = []schedule.Reserve{{Name: "spin", Price: make([]unit.Price, 1)}}
		}},
		{"reserve spin is left out: it says what is sold for 0 steps", func(p *schedule.Problem) {
			p.Reserves = []schedule.Reserve{{Name: "spin", Price: prices(p, 900*usd), Performance: 1, Sold: []unit.Power{}}}
		}},
		{"reserve spin is left out: -1 kW are sold in step 1", func(p *schedule.Problem) {
			sold := make([]unit.Power, len(p.Steps))
			sold[1] = -kilowatt
			p.Reserves = []schedule.Reserve{{Name: "spin", Price: prices(p, 900*usd), Performance: 1, Sold: sold}}
		}},
		{"work batch is left out: its deadline 2024-07-01T11:00:00Z is before it may begin, 2024-07-01T12:00:00Z", func(p *schedule.Problem) {
			p.Work = []schedule.Work{{Load: "batch", Energy: unit.MegawattHour, Power: kilowatt, From: monday, By: monday.Add(-time.Hour)}}
		}},
		{"demand charge month is left out: its rate of", func(p *schedule.Problem) { p.Demand = []schedule.Demand{{Name: "month", Rate: -1}} }},
		{"demand charge month is left out: it counts 1 steps", func(p *schedule.Problem) {
			p.Demand = []schedule.Demand{{Name: "month", Rate: 1, Counts: make([]bool, 1)}}
		}},
		{"the curtailment right of ai is left out: what is called is told of 1 steps, not of ", func(p *schedule.Problem) { p.Firm[0].Curtail.Called = make([]unit.Power, 1) }},
		{"the curtailment right of ai is left out: its power of -1 kW", func(p *schedule.Problem) { p.Firm[0].Curtail.Power = -kilowatt }},
		{"the minimum load is left out: -1 kW", func(p *schedule.Problem) { p.Minimum = -kilowatt }},
		{"selling back for more than the price is not planned for", func(p *schedule.Problem) { p.Steps[2].SellBack = -usd }},
	} {
		p := plainProblem(t)
		c.harm(&p)
		plan, err := pl.Plan(p)
		if err != nil || len(plan.Notes) != 1 || !strings.HasPrefix(plan.Notes[0], c.want) {
			t.Errorf("%v %q, want %q", err, plan.Notes, c.want)
		}
		if plan.Profit != good.Profit {
			t.Errorf("%s: the plan earns %v and not %v", c.want, plan.Profit, good.Profit)
		}
	}
}

func TestFirmGoesBeforeFlexible(t *testing.T) {
	pl := New()
	defer pl.Close()
	for _, from := range []schedule.Method{schedule.Exact, schedule.LP, schedule.Merit, schedule.Static} {
		p := plainProblem(t)
		pl.from = from
		p.Firm[0].Penalty = 0 // a contract that forgot its penalty
		p.Classes[0].Levels[0].Value = 900 * usd
		for i := range p.Steps {
			p.Steps[i].Caps = []unit.Power{25 * kilowatt}
		}
		plan, err := pl.Plan(p)
		if err != nil {
			t.Fatal(err)
		}
		for s := range p.Steps {
			if plan.Firm[0].Short[s] > 0 || plan.Site[s] > 25*kilowatt {
				t.Errorf("%s: the tenant lacks %v, the site draws %v", plan.Method, plan.Firm[0].Short[s], plan.Site[s])
			}
		}
	}
}
