// Package planner owns the making of a schedule.Plan: each class's best path where nothing
// couples the classes, else the mixed-integer program, rounded or searched, else the relaxed
// one, else the merit order, else all at rest; what a plan comes to, worked out apart from how
// it was found; and the prices at which clearing keeps to it.
//
// It never reads a clock, the network, the disk or a log, never fails for a limit that cannot
// be kept, and never bounds its work by time.
//
// Concurrency: a Planner belongs to one goroutine at a time; Plans are immutable.
package planner

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"switchyard/dispatch/schedule"
	"switchyard/dispatch/schedule/linear"
	"switchyard/unit"
)

// The bounds on the work of one plan: steps of the solver, and never seconds.
const (
	maxIterations = 60_000 // simplex iterations of one relaxed program
	maxNodes      = 400    // of the search for whole machines
	// searchWork bounds the search's simplex iterations, times the program's coefficients,
	// since an iteration costs about so much; but for leastSearch iterations it may always go on.
	searchWork, leastSearch = 12_000_000, 300
	defaultGap              = 1e-4
	// A search over more counts than fewWhole takes seconds before its first branch, to win
	// what no forecast is worth: with them, rounding within enoughGap of the bound is enough.
	fewWhole  = 100
	enoughGap = 1e-3
)

// Planner plans again and again, and begins each search where the last one ended. Make it
// with New; it belongs to one goroutine at a time.
type Planner struct {
	engine linear.Engine
	broken error // why there is no engine
	model  model
	past   linear.Past
	// from is the first method to try, for tests of what is fallen back to.
	from schedule.Method
}

// New returns a planner without a past. Its solver is made when it is first needed.
func New() *Planner { return &Planner{from: schedule.Exact} }

// Close frees the solver. The planner must not be used after.
func (p *Planner) Close() {
	if p.engine != nil {
		p.engine.Close()
		p.engine = nil
	}
}

// Plan schedules pr: by each class's best path where nothing couples them, else by the
// mixed-integer program, else by the relaxed one, else step by step, else all at rest; Notes
// say why. It blocks for as long as a bounded number of the solver's steps takes. The error
// names what makes pr malformed; a limit that cannot be kept is a price in the plan and no error.
func (p *Planner) Plan(pr schedule.Problem) (schedule.Plan, error) {
	if err := pr.Check(); err != nil {
		return schedule.Plan{}, err
	}
	clean, notes := pr.Sound()
	f := newFigures(&clean)
	r := p.solve(f)
	r.notes = append(notes, r.notes...)
	return f.plan(r), nil
}

// result is a solution with what is known about it.
type result struct {
	method schedule.Method
	s      *solution
	bound  float64 // $ above the solution's worth that no plan can earn more; negative: not known
	tags   *tags
	model  *model
	x      []float64
	notes  []string
}

func (p *Planner) solve(f *figures) result {
	if p.from == schedule.Exact {
		if s, ok := f.exact(&p.model); ok {
			return result{method: schedule.Exact, s: s, tags: f.plain()}
		}
	}
	var notes []string
	if p.from != schedule.Merit && p.from != schedule.Static {
		r, err := p.program(f)
		if err == nil {
			return r
		}
		notes = append(notes, fmt.Sprintf("the program was not solved, each step is planned by itself in merit order: %v", err))
	}
	if p.from != schedule.Static {
		if s := f.merit(); sane(f, s) {
			return result{method: schedule.Merit, s: s, bound: -1, tags: f.plain(), notes: notes}
		}
		notes = append(notes, "the merit order came to no figure: all flexible load rests")
	}
	return result{method: schedule.Static, s: f.static(), bound: -1, tags: f.plain(), notes: notes}
}

// sane says whether a solution comes to a figure at all.
func sane(f *figures, s *solution) bool {
	a := f.account(s)
	return !math.IsNaN(a.weighed) && !math.IsInf(a.weighed, 0)
}

// program solves the program: relaxed first; whole if that happens to be; else rounded; and
// by a search only where rounding is too far from the bound.
func (p *Planner) program(f *figures) (r result, err error) {
	if err := p.start(); err != nil {
		return r, err
	}
	m := &p.model
	m.build(f)
	if err := p.engine.Load(&m.Program); err != nil {
		return r, p.drop(err)
	}
	relaxed, err := p.engine.Relaxed(p.past.Guess(&m.Program, f.begin), maxIterations)
	if err != nil {
		return r, p.drop(err)
	}
	p.past.Keep(&m.Program, f.begin, relaxed.Basis)
	r = result{method: schedule.MILP, model: m, tags: m.tags(relaxed.Dual)}
	if m.settled(relaxed.X) && p.from != schedule.LP {
		r.x, r.s = relaxed.X, m.read(relaxed.X)
		return r, r.check(f)
	}
	wide := p.gap(f, relaxed.Objective)
	rounded, err := p.rounded(relaxed.X)
	for room := 1.0; room <= 2; room++ { // machines
		if err == nil && rounded.Objective-relaxed.Objective > wide {
			rounded = p.roomier(relaxed, rounded, room)
		}
	}
	if f.p.Gap == 0 && m.countWhole() > fewWhole {
		wide *= enoughGap / defaultGap
	}
	if err == nil && (p.from == schedule.LP || rounded.Objective-relaxed.Objective <= wide) {
		r.x, r.s, r.bound = rounded.X, m.read(rounded.X), math.Max(0, rounded.Objective-relaxed.Objective)/scale
		if p.from == schedule.LP {
			r.method = schedule.LP
		}
		return r, r.check(f)
	}
	return p.search(f, r, relaxed, rounded, wide)
}

// search lets the solver branch, from the rounded solution if there is one.
func (p *Planner) search(f *figures, r result, relaxed, rounded linear.Answer, gap float64) (result, error) {
	m := &p.model
	if err := p.engine.Bounds(m.Lower, m.Upper, m.RowLower, m.RowUpper); err != nil {
		return r, p.drop(err)
	}
	found, err := p.engine.Wholly(rounded.X, gap, maxNodes, max(leastSearch, searchWork/len(m.Value)))
	if err != nil {
		if rounded.X == nil {
			return r, p.drop(err)
		}
		r.method, r.x, r.s = schedule.LP, rounded.X, m.read(rounded.X)
		r.bound = math.Max(0, rounded.Objective-relaxed.Objective) / scale
		r.notes = append(r.notes, fmt.Sprintf("the search for whole machines failed, the relaxed program is rounded: %v", err))
		return r, r.check(f)
	}
	if rounded.X != nil && rounded.Objective < found.Objective {
		if noise := 1e-9 * math.Max(scale, math.Abs(found.Objective)); rounded.Objective < found.Bound-noise {
			found.Bound = relaxed.Objective // a bound that a solution at hand passes proves nothing
		}
		found.X, found.Objective = rounded.X, rounded.Objective
	}
	r.bound = math.Max(0, found.Objective-math.Max(found.Bound, relaxed.Objective)) / scale
	r.x, r.s = found.X, m.read(found.X)
	return r, r.check(f)
}

// rounded fixes what must be whole near the relaxed solution x and solves for the rest.
func (p *Planner) rounded(x []float64) (linear.Answer, error) {
	m := &p.model
	lower, upper := m.round(x)
	if err := p.engine.Bounds(lower, upper, m.RowLower, m.RowUpper); err != nil {
		return linear.Answer{}, err
	}
	return p.engine.Relaxed(nil, maxIterations)
}

// roomier rounds a relaxed solution that leaves room for it, and returns the better rounding.
func (p *Planner) roomier(relaxed, rounded linear.Answer, room float64) linear.Answer {
	m := &p.model
	rowLower, rowUpper := m.tighten(relaxed.X, room)
	if p.engine.Bounds(m.Lower, m.Upper, rowLower, rowUpper) != nil {
		return rounded
	}
	roomy, err := p.engine.Relaxed(relaxed.Basis, maxIterations)
	if err != nil {
		return rounded
	}
	if better, err := p.rounded(roomy.X); err == nil && better.Objective < rounded.Objective {
		return better
	}
	return rounded
}

var errWorthless = errors.New("its solution comes to no figure")

func (r *result) check(f *figures) error {
	if !sane(f, r.s) {
		return errWorthless
	}
	return nil
}

func (p *Planner) start() error {
	if p.engine != nil || p.broken != nil {
		return p.broken
	}
	p.engine, p.broken = linear.New()
	return p.broken
}

// drop throws the solver away with its state, so that the next plan begins anew.
func (p *Planner) drop(err error) error {
	p.Close()
	p.past = linear.Past{}
	return err
}

func (p *Planner) relative(f *figures) float64 {
	if f.p.Gap > 0 {
		return f.p.Gap
	}
	return defaultGap
}

// gap is how far from the bound the search may end, in the program's units.
func (p *Planner) gap(f *figures, objective float64) float64 {
	return p.relative(f) * math.Max(math.Abs(objective-f.constant()*scale), scale)
}

// constant is what a program's figure leaves out of a plan's, $: what no decision changes.
func (f *figures) constant() float64 {
	sum := 0.0
	for i := range f.classes {
		sum -= f.classes[i].sunk
	}
	for _, d := range f.demand {
		sum += d.rate * d.soFar
	}
	for t := range f.steps {
		sum += f.block[t] * f.spot[t] * f.len[t]
	}
	return sum
}

// plan tells a result as a Plan.
func (f *figures) plan(r result) schedule.Plan {
	a := f.account(r.s)
	pl := schedule.Plan{Method: r.method, Steps: make([]schedule.Step, f.steps), Profit: dollars(a.profit), Gap: -1, Notes: r.notes}
	if r.bound >= 0 {
		pl.Bound = dollars(a.profit + r.bound)
		pl.Gap = r.bound / math.Max(math.Abs(a.profit+r.bound), 1)
	}
	for t, s := range f.p.Steps {
		s.Caps = slices.Clone(s.Caps)
		pl.Steps[t] = s
		pl.Site = append(pl.Site, powerOf(a.site[t]))
		prices := make([]unit.Price, len(f.parent))
		for i := range prices {
			prices[i] = perMWh(r.tags.node[t][i])
		}
		pl.Marginal = append(pl.Marginal, prices)
	}
	var w walk
	for c := range f.classes {
		pl.Classes = append(pl.Classes, f.classPlan(c, r, &w))
	}
	f.tellTargets(&pl, r.s, &a)
	f.tellGuidance(&pl, r, &a)
	pl.Notes = append(pl.Notes, f.breaches(r.s, &a)...)
	return pl
}

func (f *figures) classPlan(c int, r result, w *walk) schedule.ClassPlan {
	k := &f.classes[c]
	cp := schedule.ClassPlan{Load: f.p.Classes[c].Load, Node: k.node, Count: k.count, Running: make([][]float64, f.steps)}
	for t := range f.steps {
		cp.Running[t] = r.s.run[c][t*len(k.levels) : (t+1)*len(k.levels) : (t+1)*len(k.levels)]
	}
	cp.Keep, cp.Take = f.guide(c, r.tags, w)
	return cp
}

func (f *figures) tellTargets(pl *schedule.Plan, s *solution, a *account) {
	powers := func(kw []float64) []unit.Power {
		out := make([]unit.Power, len(kw))
		for t, v := range kw {
			out[t] = powerOf(v)
		}
		return out
	}
	for i := range f.firm {
		pl.Firm = append(pl.Firm, schedule.FirmPlan{Load: f.p.Firm[i].Load, Curtailed: powers(s.taken[i]), Short: powers(s.short[i])})
	}
	for i := range f.work {
		pl.Work = append(pl.Work, schedule.WorkPlan{
			Load: f.p.Work[i].Load, Power: powers(s.done[i]), Late: unit.WattHours(clampTo(a.late[i]*1000, 1e15)),
		})
	}
	for r := range f.products {
		pl.Reserves = append(pl.Reserves, schedule.ReservePlan{Name: f.p.Reserves[r].Name, Held: powers(a.held[r]), Short: powers(a.lacking[r])})
	}
}

// tellGuidance fills what clearing needs beyond the classes' own prices.
func (f *figures) tellGuidance(pl *schedule.Plan, r result, a *account) {
	for t := range f.steps {
		pl.Adder = append(pl.Adder, perMWh(r.tags.adder[t]))
		peak := math.Inf(1)
		for _, d := range f.demand {
			if d.rate <= 0 || d.counts != nil && !d.counts[t] {
				continue
			}
			most := d.soFar
			for u, x := range a.site {
				if d.counts == nil || d.counts[u] {
					most = math.Max(most, x)
				}
			}
			peak = math.Min(peak, most)
		}
		limit := unit.Power(-1)
		if !math.IsInf(peak, 1) && peak >= 0 {
			limit = powerOf(peak)
		}
		pl.Peak = append(pl.Peak, limit)
	}
}

// breaches tells which soft limits the plan breaks, each kind once.
func (f *figures) breaches(s *solution, a *account) []string {
	var notes []string
	say := func(format string, v ...any) { notes = append(notes, fmt.Sprintf(format, v...)) }
	at := func(t int) string { return f.p.Steps[t].Start.Format(time.RFC3339) }
	const small = 1e-3 // kW
	for i := range f.parent {
		for t := range f.steps {
			if over := a.excess[t]; over != nil && over[i] > small {
				say("%s stands %v above its cap at %s", f.p.Tree.Node(i).ID, powerOf(over[i]), at(t))
				break
			}
		}
	}
	for i := range f.firm {
		if t := slices.IndexFunc(s.short[i], func(v float64) bool { return v > small }); t >= 0 {
			say("%s lacks %v of its contracted power at %s: the caps leave no more", f.p.Firm[i].Load, powerOf(s.short[i][t]), at(t))
		}
	}
	for r := range f.products {
		if t := slices.IndexFunc(a.lacking[r], func(v float64) bool { return v > small }); t >= 0 {
			say("reserve %s lacks %v of what is sold at %s", f.p.Reserves[r].Name, powerOf(a.lacking[r][t]), at(t))
		}
	}
	for i := range f.work {
		if a.late[i] > small && f.work[i].late > 0 {
			say("work %s is not done by its deadline: %v are left", f.p.Work[i].Load, unit.WattHours(a.late[i]*1000))
		}
	}
	if f.minimum > 0 && f.lack > 0 {
		if t := slices.IndexFunc(a.site, func(x float64) bool { return x < f.minimum-small }); t >= 0 {
			say("the site draws %v at %s, less than its minimum of %v", powerOf(a.site[t]), at(t), f.p.Minimum)
		}
	}
	if a.early > small {
		say("machines stop before their minimum run is over: a cap leaves them no room")
	}
	return notes
}
