package planner

import (
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchyard/dispatch/schedule"
	"switchyard/dispatch/schedule/linear"
)

// oracle writes a Problem as a program of its own, for another solver: each machine by itself
// with its own binaries, each node with its own flow. It shares with the planner the Problem
// and the three prices of what must not happen, and nothing else.
type oracle struct {
	p                         *schedule.Problem
	hurry, overload           float64   // $/kWh
	penalty                   []float64 // by firm load, $/kWh
	objective, rows, bounds   strings.Builder
	binaries                  []string
	constant                  float64
	begin, length             []float64 // hours
	loads                     [][]string
	reserved                  []map[int]string // by step: node to terms of what caps must hold, as text
	flows                     int
	fixedReserve, fixedEnergy [][]float64
}

func (o *oracle) cost(v float64, name string) { fmt.Fprintf(&o.objective, " %+.12g %s\n", v, name) }

func (o *oracle) row(terms, relation string, v float64) {
	fmt.Fprintf(&o.rows, " r%d: %s %s %.12g\n", o.flows, terms, relation, v)
	o.flows++
}

func (o *oracle) bound(name string, most float64) {
	fmt.Fprintf(&o.bounds, " 0 <= %s <= %.12g\n", name, math.Max(0, most))
}

func term(v float64, name string) string { return fmt.Sprintf(" %+.12g %s", v, name) }

func (o *oracle) loss(node int) float64 {
	return math.Min(math.Max(float64(o.p.Tree.Node(node).Loss), 0), 0.9)
}

// newOracle writes the program of p.
func newOracle(p *schedule.Problem, f *figures) *oracle {
	o := &oracle{p: p, hurry: f.hurry, overload: f.overload}
	for i := range f.firm {
		o.penalty = append(o.penalty, f.firm[i].penalty)
	}
	for _, s := range p.Steps {
		o.begin = append(o.begin, s.Start.Sub(p.Steps[0].Start).Hours())
		o.length = append(o.length, s.Length.Hours())
	}
	nodes := p.Tree.Len()
	for range p.Steps {
		o.loads = append(o.loads, make([]string, nodes))
		o.reserved = append(o.reserved, map[int]string{})
		o.fixedReserve = append(o.fixedReserve, make([]float64, nodes))
		o.fixedEnergy = append(o.fixedEnergy, make([]float64, nodes))
	}
	for c := range p.Classes {
		for m := range p.Classes[c].Count {
			o.machine(c, m)
		}
	}
	for i := range p.Firm {
		o.firm(i)
	}
	for i := range p.Work {
		o.work(i)
	}
	for r := range p.Reserves {
		o.reserve(r)
	}
	o.inrush()
	for t := range p.Steps {
		o.step(t)
	}
	o.demand()
	return o
}

// state is how the m-th machine of a class stands.
func state(c *schedule.Class, m int) schedule.State {
	for _, s := range c.Now {
		if m < s.Count {
			return s
		}
		m -= s.Count
	}
	return schedule.State{Level: -1, For: 1000 * time.Hour}
}

func (o *oracle) machine(c, m int) {
	k := &o.p.Classes[c]
	now := state(k, m)
	end := o.begin[len(o.begin)-1] + o.length[len(o.length)-1]
	earns := 0.0
	top := 0
	for i, l := range k.Levels {
		if v := l.Power.Watts() / 1000 * l.Value.DollarsPerMWh() / 1000; i == 0 || v > k.Levels[top].Power.Watts()/1000*k.Levels[top].Value.DollarsPerMWh()/1000 {
			top = i
			earns = math.Max(0, v)
		}
	}
	most := 0.0
	for _, l := range k.Levels {
		most = math.Max(most, l.Power.Watts()/1000)
	}
	id := fmt.Sprintf("c%dm%d", c, m)
	wasOn := 0.0
	if now.Level >= 0 {
		wasOn = 1
		if now.For < k.Ramp {
			o.constant -= earns * math.Min((k.Ramp-now.For).Hours(), end)
		}
	}
	for t := range o.begin {
		on := ""
		for i, l := range k.Levels {
			x := fmt.Sprintf("u%sl%dt%d", id, i, t)
			o.binaries = append(o.binaries, x)
			on += term(1, x)
			kw := l.Power.Watts() / 1000
			o.cost(kw*o.length[t]*l.Value.DollarsPerMWh()/1000, x)
			o.loads[t][k.Node] += term(kw, x)
			o.reserved[t][k.Node] += term(kw, x)
		}
		v, w := fmt.Sprintf("v%st%d", id, t), fmt.Sprintf("w%st%d", id, t)
		o.binaries = append(o.binaries, v, w)
		o.row(on, "<=", 1)
		o.row(term(1, v)+term(1, w), "<=", 1)
		o.cost(-k.Wear.Dollars()-earns*math.Min(k.Ramp.Hours(), end-o.begin[t]), v)
		// on(t) - on(t-1) = started - stopped
		balance := on + term(-1, v) + term(1, w)
		if t == 0 {
			o.row(balance, "=", wasOn)
		} else {
			for i := range k.Levels {
				balance += term(-1, fmt.Sprintf("u%sl%dt%d", id, i, t-1))
			}
			o.row(balance, "=", 0)
		}
		for u := 0; u <= t; u++ {
			age := o.begin[t] - o.begin[u]
			if age < k.MinRun.Hours()-1e-9 {
				o.row(on+term(-1, fmt.Sprintf("v%st%d", id, u)), ">=", 0)
			}
			if age < k.MinRest.Hours()-1e-9 {
				o.row(on+term(1, fmt.Sprintf("w%st%d", id, u)), "<=", 1)
			}
		}
		o.history(k, now, id, on, t, most)
	}
}

// history holds a machine to what it was before the first step.
func (o *oracle) history(k *schedule.Class, now schedule.State, id, on string, t int, most float64) {
	age := o.begin[t] + now.For.Hours()
	if now.Level < 0 && age < k.MinRest.Hours()-1e-9 {
		o.row(on, "<=", 0)
	}
	if now.Level >= 0 && age < k.MinRun.Hours()-1e-9 {
		e := fmt.Sprintf("e%st%d", id, t)
		o.bound(e, 1)
		o.row(on+term(1, e), ">=", 1)
		if t > 0 {
			o.row(term(1, e)+term(-1, fmt.Sprintf("e%st%d", id, t-1)), ">=", 0)
		}
		o.cost(-most*o.length[t]*o.hurry, e)
	}
}

func (o *oracle) firm(i int) {
	k := &o.p.Firm[i]
	hours := ""
	for t := range o.begin {
		draw := k.Draw[t].Watts() / 1000
		reserve := math.Max(draw, k.Reserve[t].Watts()/1000)
		full := k.Curtail.Power.Watts() / 1000
		right := math.Min(draw, full)
		if k.Curtail.Called != nil { // told already
			right = math.Min(draw, math.Max(full-k.Curtail.Called[t].Watts()/1000, 0))
		}
		if o.begin[t] < k.Curtail.Notice.Hours()-1e-9 || k.Curtail.Left <= 0 {
			right = 0
		}
		taken, used, short, bare := fmt.Sprintf("k%dt%d", i, t), fmt.Sprintf("y%dt%d", i, t), fmt.Sprintf("s%dt%d", i, t), fmt.Sprintf("b%dt%d", i, t)
		o.bound(taken, right)
		o.bound(short, draw)
		o.bound(bare, reserve-draw)
		o.binaries = append(o.binaries, used)
		o.row(term(1, taken)+term(-right, used), "<=", 0)
		o.row(term(1, taken)+term(1, short), "<=", draw)
		hours += term(o.length[t], used)
		o.cost(-o.length[t]*k.Curtail.Price.DollarsPerMWh()/1000, taken)
		o.cost(-o.length[t]*full*k.Curtail.Worth.DollarsPerMWh()/1000, used)
		o.cost(-o.length[t]*o.penalty[i], short)
		o.cost(-o.length[t]*o.penalty[i]*0.75, bare)
		o.fixedEnergy[t][k.Node] += draw
		o.fixedReserve[t][k.Node] += reserve
		o.loads[t][k.Node] += term(-1, taken) + term(-1, short)
		o.reserved[t][k.Node] += term(-1, taken) + term(-1, short) + term(-1, bare)
	}
	o.row(hours, "<=", k.Curtail.Left.Hours())
}

func (o *oracle) work(i int) {
	k := &o.p.Work[i]
	end := o.begin[len(o.begin)-1] + o.length[len(o.length)-1]
	from, by := 0.0, end
	if !k.From.IsZero() {
		from = math.Max(0, k.From.Sub(o.p.Steps[0].Start).Hours())
	}
	if !k.By.IsZero() {
		by = k.By.Sub(o.p.Steps[0].Start).Hours()
	}
	energy, most := k.Energy.MegawattHours()*1000, k.Power.Watts()/1000
	wait := energy / most / 2
	sum, mean := "", 0.0
	for t := range o.begin {
		x := fmt.Sprintf("p%dt%d", i, t)
		open := math.Min(by, o.begin[t]+o.length[t]) - math.Max(from, o.begin[t])
		o.bound(x, most*math.Min(1, math.Max(0, open/o.length[t])))
		delay := o.begin[t] + o.length[t]/2 - from - wait
		o.cost(o.length[t]*(k.Value.DollarsPerMWh()-delay*k.Slow.DollarsPerMWh())/1000, x)
		o.loads[t][k.Node] += term(1, x)
		o.reserved[t][k.Node] += term(1, x)
		sum += term(o.length[t], x)
		mean += (o.p.Steps[t].Price + o.p.Steps[t].Coincident).DollarsPerMWh() / 1000 * o.length[t] / end
	}
	later, late := fmt.Sprintf("a%d", i), fmt.Sprintf("l%d", i)
	o.bound(later, math.Max(0, most*(by-math.Max(end, from))))
	gross := 1.0
	for n := k.Node; n >= 0; n = o.p.Tree.Node(n).Parent {
		gross /= 1 - o.loss(n)
	}
	o.cost(k.Value.DollarsPerMWh()/1000-gross*mean-k.Slow.DollarsPerMWh()/1000*math.Max(0, end-from-wait), later)
	o.cost(-k.Late.DollarsPerMWh()/1000, late)
	o.row(sum+term(1, later)+term(1, late), "=", energy)
}

func (o *oracle) reserve(r int) {
	k := &o.p.Reserves[r]
	for t := range o.begin {
		sum := ""
		for c := range o.p.Classes {
			if o.p.Classes[c].Response > k.Response {
				continue
			}
			h := fmt.Sprintf("h%dc%dt%d", r, c, t)
			sum += term(1, h)
			gross := 1.0
			for n := o.p.Classes[c].Node; n >= 0; n = o.p.Tree.Node(n).Parent {
				gross /= 1 - o.loss(n)
			}
			best, value := math.Inf(-1), 0.0
			for _, l := range o.p.Classes[c].Levels {
				if e := l.Power.Watts() * l.Value.DollarsPerMWh(); e > best {
					best, value = e, l.Value.DollarsPerMWh()/1000
				}
			}
			pay := k.Price[t].DollarsPerMWh() / 1000 * float64(k.Performance)
			o.cost(o.length[t]*(pay-float64(k.Call)*(value/gross-o.p.Steps[t].Price.DollarsPerMWh()/1000)), h)
		}
		sold := 0.0
		if k.Sold != nil {
			sold = k.Sold[t].Watts() / 1000
			z := fmt.Sprintf("z%dt%d", r, t)
			o.bound(z, sold)
			o.cost(-o.length[t]*k.Short.DollarsPerMWh()/1000, z)
			o.row(sum+term(1, z), ">=", sold)
		}
		if k.Most > 0 && sum != "" {
			o.row(sum, "<=", math.Max(sold, k.Most.Watts()/1000))
		}
	}
	if r > 0 {
		return
	}
	// What a class runs backs one product at a time.
	for c := range o.p.Classes {
		gross := 1.0
		for n := o.p.Classes[c].Node; n >= 0; n = o.p.Tree.Node(n).Parent {
			gross /= 1 - o.loss(n)
		}
		for t := range o.begin {
			terms := ""
			for q := range o.p.Reserves {
				if o.p.Classes[c].Response <= o.p.Reserves[q].Response {
					terms += term(1, fmt.Sprintf("h%dc%dt%d", q, c, t))
				}
			}
			if terms == "" {
				continue
			}
			for m := range o.p.Classes[c].Count {
				for i, l := range o.p.Classes[c].Levels {
					terms += term(-gross*l.Power.Watts()/1000, fmt.Sprintf("uc%dm%dl%dt%d", c, m, i, t))
				}
			}
			o.row(terms, "<=", 0)
		}
	}
}

func (o *oracle) inrush() {
	for n := range o.p.Tree.Len() {
		node := o.p.Tree.Node(n)
		if node.Inrush <= 0 {
			continue
		}
		for t := range o.begin {
			terms, one := "", 0.0
			for c := range o.p.Classes {
				k := &o.p.Classes[c]
				if !o.p.Tree.Below(k.Node, n) {
					continue
				}
				most := 0.0
				for _, l := range k.Levels {
					most = math.Max(most, l.Power.Watts()/1000)
				}
				one = math.Max(one, most)
				for u := range t + 1 {
					if o.begin[t]-o.begin[u] < node.InrushWindow.Hours()-1e-9 {
						for m := range k.Count {
							terms += term(most, fmt.Sprintf("vc%dm%dt%d", c, m, u))
						}
					}
				}
			}
			if terms != "" {
				o.row(terms, "<=", math.Max(one, node.Inrush.Watts()/1000)*math.Max(1, o.length[t]/node.InrushWindow.Hours()))
			}
		}
	}
}

// step writes the flow into each node, twice: as drawn, which is paid for, and as reserved,
// which caps hold.
func (o *oracle) step(t int) {
	n := o.p.Tree.Len()
	for i := range n {
		for _, kind := range []string{"f", "g"} {
			x := fmt.Sprintf("%s%dt%d", kind, i, t)
			fmt.Fprintf(&o.bounds, " %s free\n", x)
			terms, fixed := o.loads[t][i], o.fixedEnergy[t][i]
			if kind == "g" {
				terms, fixed = o.reserved[t][i], o.fixedReserve[t][i]
			}
			sum := term(-(1-o.loss(i)), x) + terms
			for ch := i + 1; ch < n; ch++ {
				if o.p.Tree.Node(ch).Parent == i {
					sum += term(1, fmt.Sprintf("%s%dt%d", kind, ch, t))
				}
			}
			o.row(sum, "=", -fixed)
		}
		limit := o.p.Tree.Node(i).Limit
		if limit <= 0 {
			limit = -1
		}
		if caps := o.p.Steps[t].Caps; i < len(caps) {
			limit = caps[i]
		}
		if limit >= 0 {
			over := fmt.Sprintf("o%dt%d", i, t)
			o.cost(-o.length[t]*o.overload, over)
			o.row(term(1, fmt.Sprintf("g%dt%d", i, t))+term(-1, over), "<=", limit.Watts()/1000)
		}
	}
	s := &o.p.Steps[t]
	x := fmt.Sprintf("f0t%d", t)
	o.cost(-o.length[t]*(s.Price+s.Coincident).DollarsPerMWh()/1000, x)
	block := s.Block.Watts() / 1000
	o.constant += o.length[t] * block * s.Price.DollarsPerMWh() / 1000
	if block > 0 {
		y := fmt.Sprintf("q%d", t)
		o.cost(-o.length[t]*s.SellBack.DollarsPerMWh()/1000, y)
		o.row(term(1, x)+term(1, y), ">=", block)
	}
	if o.p.Minimum > 0 {
		y := fmt.Sprintf("j%d", t)
		o.cost(-o.length[t]*o.p.MinimumPenalty.DollarsPerMWh()/1000, y)
		o.row(term(1, x)+term(1, y), ">=", o.p.Minimum.Watts()/1000)
	}
}

func (o *oracle) demand() {
	for i, d := range o.p.Demand {
		x := fmt.Sprintf("d%d", i)
		o.cost(-d.Rate.DollarsPerKWMonth(), x)
		o.constant += d.Rate.DollarsPerKWMonth() * d.SoFar.Watts() / 1000
		o.row(term(1, x), ">=", d.SoFar.Watts()/1000)
		for t := range o.begin {
			if d.Counts == nil || d.Counts[t] {
				o.row(term(1, x)+term(-1, fmt.Sprintf("f0t%d", t)), ">=", 0)
			}
		}
	}
}

// solve has the other solver solve it and returns the most that can be earned, $.
func (o *oracle) solve(dir string) (float64, error) {
	in, out := filepath.Join(dir, "site.lp"), filepath.Join(dir, "site.sol")
	text := "Maximize\n obj: " + o.objective.String() + "Subject To\n" + o.rows.String() + "Bounds\n" + o.bounds.String() +
		"Binaries\n " + strings.Join(o.binaries, "\n ") + "\nEnd\n"
	if err := os.WriteFile(in, []byte(text), 0o644); err != nil {
		return 0, err
	}
	v, err := cbc(in, out)
	if err != nil { // it is not there, or broke off, which it does on one site in a thousand
		v, err = glpsol(in, out)
	}
	return o.constant + v, err
}

func cbc(in, out string) (float64, error) {
	text, err := exec.Command("cbc", in, "-max", "-ratioGap", "0", "-allowableGap", "1e-10", "-integerTolerance", "1e-9", "-solve", "-solution", out).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("cbc: %w", err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, text)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	status, value, _ := strings.Cut(line, "objective value")
	v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if !strings.HasPrefix(status, "Optimal") || err != nil {
		return 0, fmt.Errorf("cbc says %q", line)
	}
	return v, nil
}

func glpsol(in, out string) (float64, error) {
	text, err := exec.Command("glpsol", "--lp", in, "--tmlim", "60", "-w", out).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("glpsol: %w\n%s", err, text)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if w := strings.Fields(line); len(w) == 6 && w[0] == "s" && w[4] == "o" {
			return strconv.ParseFloat(w[5], 64)
		}
	}
	return 0, fmt.Errorf("glpsol found no optimum:\n%s", text)
}

var oracleSites = flag.Int("sites", 200, "how many random sites are held against another solver")

// TestPlanEqualsAnotherSolver holds the plans of 200 random small sites against CBC's, or
// GLPK's, on a program written apart.
func TestPlanEqualsAnotherSolver(t *testing.T) {
	_, noCBC := exec.LookPath("cbc")
	_, noGLPK := exec.LookPath("glpsol")
	if noCBC != nil && noGLPK != nil {
		t.Skip("neither cbc nor glpsol is installed (Debian: coinor-cbc, glpk-utils)")
	}
	if e, err := linear.New(); err != nil {
		t.Skip(err)
	} else {
		e.Close()
	}
	sites := uint64(*oracleSites)
	if testing.Short() {
		sites = 20
	}
	pl := New()
	defer pl.Close()
	dir, methods, worst := t.TempDir(), map[schedule.Method]int{}, 0.0
	for seed := range sites {
		p := seeded(seed).small(t)
		plan, err := pl.Plan(p)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		methods[plan.Method]++
		clean, _ := p.Sound()
		f := newFigures(&clean)
		got := f.account(pl.solve(f).s).weighed
		want, err := newOracle(&p, f).solve(dir)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		if math.Abs(got-want) > 1e-6*max(1, math.Abs(want)) {
			// CBC was seen to stop some 1e-6 short of the optimum; a third opinion decides.
			if v, err := glpsol(filepath.Join(dir, "site.lp"), filepath.Join(dir, "third.sol")); err == nil {
				want = v + newOracle(&p, f).constant
			}
		}
		off := math.Abs(got-want) / max(1, math.Abs(want))
		worst = max(worst, off)
		if off > 1e-6 {
			t.Errorf("seed %d, %s: the plan earns $%.9f, the other solver $%.9f", seed, plan.Method, got, want)
		}
	}
	t.Logf("%d sites %v, farthest off %.2g", sites, methods, worst)
}
