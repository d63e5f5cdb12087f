package planner

import (
	"math"
	"time"

	"switchyard/dispatch/schedule"
	"switchyard/unit"
)

// dearest bounds the prices of what must not happen, $/kWh, for the solver's arithmetic.
const dearest = 200

// wholeOver is how far the price of a contract stands above that of the machines below it. A
// machine stops whole: with a smaller step, a bit of contracted load would be cut in its place.
const wholeOver = 20

// figures is a Problem in plain numbers: kW at the load unless said otherwise, hours, $ and
// $/kWh. Every method works on them, and all are judged by the same account.
type figures struct {
	p     *schedule.Problem
	steps int
	len   []float64 // hours
	at    []float64 // hours from the first step's start; one more than steps
	when  []time.Duration
	begin []time.Time // of each step
	price []float64   // $/kWh at the connection, coincident peaks included
	spot  []float64   // the same without coincident peaks
	whole int         // steps in which machines are counted whole

	parent []int
	// entry is kW at the connection per kW entering a node, exit the same per kW drawn at it.
	entry, exit []float64
	cap         [][]float64 // by step and node, kW; +Inf without
	overload    float64     // $/kWh

	classes  []class
	firm     []firm
	work     []work
	products []product
	demand   []demand
	block    []float64 // kW
	sellBack []float64 // $/kWh
	inrush   []inrush
	minimum  float64 // kW
	lack     float64 // $/kWh
	hurry    float64 // $/kWh, for a machine stopped before its minimum run is over
}

type class struct {
	node   int
	exit   float64 // kW at the connection per kW drawn
	count  int
	levels []level
	// top is the level that earns most in an hour: what a start loses is told by it.
	top  int
	most float64 // kW of one machine's greatest level
	// start is what a start in each step costs: wear, and what the ramp does not earn.
	start []float64
	// runTo and restTo are by step the first step in which a machine that started, or was
	// stopped, at the step's beginning may be stopped, or started, again.
	runTo, restTo []int
	groups        []group
	running       int     // at the beginning
	sunk          float64 // $ that ramps under way do not earn
	response      time.Duration
}

type level struct {
	kw    float64
	value float64 // $/kWh
}

// group is some machines of a class that stand alike: they are free from step on.
type group struct {
	count   int
	running bool
	free    int
}

type firm struct {
	node          int
	exit          float64
	draw, reserve []float64 // kW
	penalty       float64   // $/kWh, as the plan weighs it
	owed          float64   // $/kWh, as the contract says
	// right is what may be taken back in each step; pay is for each kWh, hour for each hour.
	right     []float64
	pay, hour float64
	left      float64 // hours
	full      float64 // kW of the right
}

type work struct {
	node   int
	exit   float64
	most   []float64 // kW by step
	worth  []float64 // $/kWh done in a step, without energy
	energy float64   // kWh
	late   float64   // $/kWh
	// after is what may be done beyond the horizon and before the deadline, kWh, and then its worth.
	after, afterWorth float64
}

type product struct {
	index    int // in Problem.Reserves
	response time.Duration
	pay      []float64 // $/kWh held, performance counted
	call     float64
	most     float64   // kW at the connection; +Inf without
	sold     []float64 // kW; nil without
	short    float64   // $/kWh
}

type demand struct {
	rate   float64 // $/kW
	soFar  float64 // kW
	counts []bool
}

// inrush bounds the power started below a node within the steps from..to.
type inrush struct {
	node     int
	from, to int
	kw       float64
}

func kw(p unit.Power) float64      { return float64(p) / float64(unit.Kilowatt) }
func perKWh(p unit.Price) float64  { return float64(p) / 1e9 }
func dollars(f float64) unit.Money { return unit.Dollars(f) }
func perMWh(f float64) unit.Price  { return unit.DollarsPerMWh(clampTo(f*1000, 1e9)) }
func powerOf(f float64) unit.Power { return unit.Watts(clampTo(f*1000, 1e15)) }

func clampTo(f, most float64) float64 { return math.Max(-most, math.Min(most, f)) }

// newFigures turns a sound Problem into figures.
func newFigures(p *schedule.Problem) *figures {
	f := &figures{p: p, steps: len(p.Steps)}
	f.times()
	f.tree()
	for i := range p.Classes {
		f.class(&p.Classes[i])
	}
	for i := range p.Work {
		f.addWork(&p.Work[i])
	}
	for i := range p.Reserves {
		f.addProduct(i, &p.Reserves[i])
	}
	for _, d := range p.Demand {
		f.demand = append(f.demand, demand{rate: d.Rate.DollarsPerKWMonth(), soFar: kw(d.SoFar), counts: d.Counts})
	}
	f.minimum, f.lack = kw(p.Minimum), perKWh(p.MinimumPenalty)
	f.ladder()
	f.inrushes()
	return f
}

func (f *figures) times() {
	p, n := f.p, f.steps
	f.len, f.at, f.when = make([]float64, n), make([]float64, n+1), make([]time.Duration, n+1)
	f.price, f.spot = make([]float64, n), make([]float64, n)
	f.block, f.sellBack = make([]float64, n), make([]float64, n)
	ahead := p.Whole
	if ahead == 0 {
		ahead = time.Hour
	}
	for t, s := range p.Steps {
		f.begin = append(f.begin, s.Start)
		f.when[t] = s.Start.Sub(p.Steps[0].Start)
		f.len[t] = s.Length.Hours()
		f.at[t] = f.when[t].Hours()
		f.spot[t], f.price[t] = perKWh(s.Price), perKWh(s.Price+s.Coincident)
		f.block[t], f.sellBack[t] = kw(s.Block), perKWh(s.SellBack)
		if ahead < 0 || f.when[t] < ahead {
			f.whole = t + 1
		}
	}
	f.when[n] = f.when[n-1] + p.Steps[n-1].Length
	f.at[n] = f.when[n].Hours()
}

func (f *figures) tree() {
	tree := f.p.Tree
	n := tree.Len()
	f.parent, f.entry, f.exit = make([]int, n), make([]float64, n), make([]float64, n)
	for i := range n {
		node := tree.Node(i)
		f.parent[i], f.entry[i] = node.Parent, 1
		if node.Parent >= 0 {
			f.entry[i] = f.exit[node.Parent]
		}
		f.exit[i] = f.entry[i] / (1 - lossOf(float64(node.Loss)))
	}
	f.cap = make([][]float64, f.steps)
	all := make([]float64, f.steps*n)
	for t := range f.cap {
		f.cap[t], all = all[:n:n], all[n:]
		for i := range n {
			f.cap[t][i] = math.Inf(1)
			limit := tree.Node(i).Limit
			if limit <= 0 {
				limit = -1
			}
			if caps := f.p.Steps[t].Caps; i < len(caps) {
				limit = caps[i]
			}
			if limit >= 0 {
				f.cap[t][i] = kw(limit)
			}
		}
	}
}

// lossOf is a node's loss as the clearing takes it.
func lossOf(loss float64) float64 {
	if loss != loss || loss < 0 {
		return 0
	}
	return math.Min(loss, 0.9)
}

// stepAfter returns the first step that begins d or more after step from's beginning, and
// the number of steps where none does.
func (f *figures) stepAfter(from int, d time.Duration) int {
	t := from
	for t < f.steps && f.when[t]-f.when[from] < d {
		t++
	}
	return t
}

func (f *figures) class(c *schedule.Class) {
	k := class{node: c.Node, exit: f.exit[c.Node], count: c.Count, response: c.Response}
	best := math.Inf(-1)
	for i, l := range c.Levels {
		v := level{kw: kw(l.Power), value: perKWh(l.Value)}
		k.levels = append(k.levels, v)
		k.most = math.Max(k.most, v.kw)
		if earns := v.kw * v.value; earns > best {
			best, k.top = earns, i
		}
	}
	earns := math.Max(best, 0)
	k.start = make([]float64, f.steps)
	k.runTo, k.restTo = make([]int, f.steps), make([]int, f.steps)
	for t := range f.steps {
		k.start[t] = c.Wear.Dollars() + earns*math.Min(c.Ramp.Hours(), f.at[f.steps]-f.at[t])
		k.runTo[t] = max(f.stepAfter(t, c.MinRun), t+1)
		k.restTo[t] = max(f.stepAfter(t, c.MinRest), t+1)
	}
	left := c.Count
	for _, s := range c.Now {
		n := min(s.Count, left)
		if n <= 0 {
			continue
		}
		left -= n
		g := group{count: n, running: s.Level >= 0}
		if g.running {
			g.free = f.stepAfter(0, c.MinRun-s.For)
			k.running += n
			k.sunk += float64(n) * earns * math.Min(max(c.Ramp-s.For, 0).Hours(), f.at[f.steps])
		} else {
			g.free = f.stepAfter(0, c.MinRest-s.For)
		}
		k.groups = append(k.groups, g)
	}
	if left > 0 {
		k.groups = append(k.groups, group{count: left})
	}
	f.classes = append(f.classes, k)
}

func (f *figures) addWork(w *schedule.Work) {
	origin := f.p.Steps[0].Start
	end := f.at[f.steps]
	from, by := 0.0, end
	if !w.From.IsZero() {
		from = math.Max(0, w.From.Sub(origin).Hours())
	}
	if !w.By.IsZero() {
		by = w.By.Sub(origin).Hours()
	}
	k := work{
		node: w.Node, exit: f.exit[w.Node], energy: w.Energy.MegawattHours() * 1000, late: perKWh(w.Late),
		most: make([]float64, f.steps), worth: make([]float64, f.steps),
	}
	slow, most := perKWh(w.Slow), kw(w.Power)
	// At full power from the start, a kWh waits half of the whole time in the mean.
	wait := 0.0
	if most > 0 {
		wait = k.energy / most / 2
	}
	mean, hours := 0.0, 0.0
	for t := range f.steps {
		open := math.Min(by, f.at[t+1]) - math.Max(from, f.at[t])
		k.most[t] = most * math.Max(0, math.Min(1, open/f.len[t]))
		k.worth[t] = perKWh(w.Value) - slow*((f.at[t]+f.at[t+1])/2-from-wait)
		mean += f.price[t] * f.len[t]
		hours += f.len[t]
	}
	if by > end {
		k.after = most * (by - math.Max(end, from))
		k.afterWorth = perKWh(w.Value) - k.exit*mean/hours - slow*math.Max(0, end-from-wait)
	}
	f.work = append(f.work, k)
}

func (f *figures) addProduct(i int, r *schedule.Reserve) {
	k := product{
		index: i, response: r.Response, call: float64(r.Call), most: math.Inf(1), short: perKWh(r.Short),
		pay: make([]float64, f.steps),
	}
	if r.Most > 0 {
		k.most = kw(r.Most)
	}
	for t := range f.steps {
		k.pay[t] = perKWh(r.Price[t]) * float64(r.Performance)
	}
	if r.Sold != nil {
		k.sold = make([]float64, f.steps)
		for t := range f.steps {
			k.sold[t] = kw(r.Sold[t])
		}
	}
	f.products = append(f.products, k)
}

// ladder sets the prices of what must not happen, in their order: a machine stopped before
// its time, then contracted load, then a cap. Each stands above all that lies below it, so
// that no contract with a low penalty is worse off than flexible load.
func (f *figures) ladder() {
	gain, low, high := 0.0, math.Inf(1), 0.0
	for _, x := range f.exit {
		low, high = math.Min(low, x), math.Max(high, x)
	}
	shortest := math.Inf(1)
	for t := range f.steps {
		shortest = math.Min(shortest, f.len[t])
	}
	shortest = math.Max(shortest, time.Minute.Hours())
	for i := range f.classes {
		c := &f.classes[i]
		for _, l := range c.levels {
			if l.kw > 0 {
				gain = math.Max(gain, l.value+c.start[0]/(l.kw*shortest))
			}
		}
	}
	for i := range f.work {
		for _, v := range f.work[i].worth {
			gain = math.Max(gain, v+f.work[i].late)
		}
	}
	for t := range f.steps {
		paid := f.sellBack[t]
		for i := range f.products {
			r := &f.products[i]
			paid = math.Max(paid, r.pay[t]+r.call*math.Abs(f.spot[t])+r.short)
		}
		gain = math.Max(gain, paid+math.Abs(f.price[t]))
	}
	gain = math.Max(gain, f.lack)
	for _, d := range f.demand {
		gain += d.rate / shortest
	}
	f.hurry = 1.1 * (math.Min(gain*high/low, dearest) + 0.001)
	f.overload = 2 * wholeOver * f.hurry
	for i := range f.p.Firm {
		f.addFirm(&f.p.Firm[i], wholeOver*f.hurry)
		f.overload = math.Max(f.overload, 1.5*f.firm[i].penalty*high/low)
	}
	over := f.p.Overload
	if over == 0 {
		over = schedule.DefaultOverload
	}
	f.overload = math.Max(f.overload, perKWh(over))
}

func (f *figures) addFirm(w *schedule.Firm, least float64) {
	k := firm{
		node: w.Node, exit: f.exit[w.Node], owed: perKWh(w.Penalty), penalty: math.Max(perKWh(w.Penalty), least),
		draw: make([]float64, f.steps), reserve: make([]float64, f.steps), right: make([]float64, f.steps),
		pay: perKWh(w.Curtail.Price), left: w.Curtail.Left.Hours(), full: kw(w.Curtail.Power),
	}
	k.hour = perKWh(w.Curtail.Worth) * k.full
	for t := range f.steps {
		k.draw[t] = kw(w.Draw[t])
		k.reserve[t] = k.draw[t]
		if w.Reserve != nil {
			k.reserve[t] = math.Max(k.draw[t], kw(w.Reserve[t]))
		}
		if f.when[t] >= w.Curtail.Notice && k.left > 0 {
			k.right[t] = math.Min(k.full, k.draw[t])
			if w.Curtail.Called != nil {
				k.right[t] = math.Min(math.Max(k.full-kw(w.Curtail.Called[t]), 0), k.draw[t])
			}
		}
	}
	f.firm = append(f.firm, k)
}

// inrushes makes the bounds on starts. A step that is longer than the window has room for as
// many windows as fit into it; shorter ones share theirs. An allowance below one machine
// would let none start ever, and is taken to be one.
func (f *figures) inrushes() {
	for i := range f.parent {
		node := f.p.Tree.Node(i)
		if node.Inrush <= 0 || node.InrushWindow <= 0 {
			continue
		}
		all, one := 0.0, 0.0
		for k := range f.classes {
			if c := &f.classes[k]; f.p.Tree.Below(c.node, i) {
				all += float64(c.count) * c.most
				one = math.Max(one, c.most)
			}
		}
		for t := range f.steps {
			from := t
			for from > 0 && f.when[t]-f.when[from-1] < node.InrushWindow {
				from--
			}
			room := math.Max(kw(node.Inrush), one) * math.Max(1, f.len[t]/node.InrushWindow.Hours())
			if room < all {
				f.inrush = append(f.inrush, inrush{node: i, from: from, to: t, kw: room})
			}
		}
	}
}

// below says whether a load at node draws through node top.
func (f *figures) below(node, top int) bool {
	for node > top {
		node = f.parent[node]
	}
	return node == top
}
