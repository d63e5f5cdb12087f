package backtest

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"switchyard/dispatch"
	"switchyard/dispatch/schedule"
	"switchyard/dispatch/schedule/planner"
	"switchyard/market/forecast"
	"switchyard/market/outlook"
	"switchyard/market/peaks"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// own is the site's own way: the live decision, guided by a schedule that is made anew from
// what is known, and fed by a forecast that has heard nothing but what was known.
type own struct {
	w        *World
	o        Options
	info     Information
	forecast *forecast.Forecaster
	chances  []chance
	told     int // real-time prices up to here are told
	aheadTo  int // day-ahead prices up to here are told
	loadTo   int
	// reserveTo is the first interval whose capacity prices are not out.
	reserveTo int
	planner   *planner.Planner
	plan      schedule.Plan
	planned   bool
	guidance  schedule.Guidance
	outlook   *outlook.Outlook
	profiles  []*outlook.Profile // of the tenants' draws
	at        int                // the interval that is being decided
	// whole are the steps of the last whole schedule, with what was expected then.
	whole   []schedule.Step
	planAt  int64 // when the next plan is due
	decider dispatch.Decider
	free    []freedom
	methods map[schedule.Method]int
	failed  error
}

// freedom is what the machines of a group are free to do in an interval.
type freedom struct{ locked, stoppable, startable int }

// chance is the likelihood of a coincident peak, of one charge.
type chance struct {
	model *peaks.Model
	rate  unit.CapacityRate
	spans []span // what the last whole schedule asked
}

// span is how many peaks were expected of a time.
type span struct {
	from, to time.Time
	expected float64
}

// end tells by which methods the schedules were made.
func (p *own) end(r *outcome) error {
	p.planner.Close()
	for _, m := range []schedule.Method{schedule.Exact, schedule.MILP, schedule.LP, schedule.Merit, schedule.Static} {
		if n := p.methods[m]; n > 0 {
			r.notes = append(r.notes, fmt.Sprintf("%d schedules were made by %s", n, m))
		}
	}
	return p.failed
}

func (w *World) newOwn(o Options, info Information) (*own, error) {
	p := &own{w: w, o: o, info: info, planner: planner.New(), methods: map[schedule.Method]int{}, free: make([]freedom, len(w.groups)), planAt: math.MinInt64}
	if w.File.Ahead.Off {
		p.planAt = math.MaxInt64
	}
	var err error
	if p.forecast, err = forecast.New(forecast.Options{Interval: w.Interval, Zone: w.Zone}); err != nil {
		return nil, err
	}
	for _, c := range w.File.Market.Charges.Coincident {
		rule := peaks.RuleOf(c, w.Zone)
		rule.Interval = max(rule.Interval, w.Interval)
		rule.Lag = w.Interval // known one interval late
		p.chances = append(p.chances, chance{model: peaks.New(rule), rate: peaks.Rate(c)})
	}
	p.remember()
	return p, p.lookAhead()
}

// remember tells the forecasts what the files hold of the time before the run, in its order.
func (p *own) remember() {
	w, b := p.w, p.w.before
	adder := w.File.Market.Price.Adder.DollarsPerMWh()
	if s := b.price; s != nil {
		for at := s.Start; at < w.start; at += s.Step {
			if b.ahead != nil && (at-s.Start)%3600 == 0 {
				p.forecast.DayAhead(time.Unix(at, 0), b.ahead.At(at)+adder) // no number is passed over
			}
			p.forecast.Observe(time.Unix(at, 0), s.At(at)+adder)
		}
	}
	if s := b.load; s != nil {
		for at := s.Start; at < w.start; at += s.Step {
			if v := s.At(at); v > 0 {
				for _, c := range p.chances {
					c.model.Observe(peaks.Load{Start: time.Unix(at, 0).UTC(), Power: unit.Watts(v * 1e6)})
				}
			}
		}
	}
}

func (p *own) decide(i int, s *sim, wanted []int) {
	now := p.w.at(i)
	p.hear(i, s)
	for k := range s.crews {
		c := &s.crews[k]
		p.free[k].stoppable, p.free[k].startable = c.Stoppable(now), c.Startable(now)
		p.free[k].locked = c.Running() - p.free[k].stoppable
	}
	switch {
	case now >= p.planAt:
		p.reschedule(i, s)
	case p.planned && p.plan.Method == schedule.Exact:
		p.freshen(i, s)
	}
	p.guidance = schedule.Guidance{Peak: -1}
	if at, ok := p.plan.StepAt(p.w.Time(i)); p.planned && ok {
		p.guidance = p.plan.Guidance(at)
		p.guidance.Adder -= p.plan.Steps[at].Coincident // told anew each interval
	}
	d := p.decider.Decide(p.round(i, s))
	for k := range wanted {
		award := d.Awards[len(p.w.tenants)+k].Power
		net := s.crews[k].g.net()
		wanted[k] = p.free[k].locked + int((award+net/1000)/net)
	}
}

// reschedule plans the hours ahead anew. A problem that is malformed is a fault of this
// package and ends the run; what a solver cannot do is in the plan's method.
func (p *own) reschedule(i int, s *sim) {
	for k := range p.chances {
		p.chances[k].spans = p.chances[k].spans[:0]
	}
	plan, err := p.planner.Plan(p.problem(i, s))
	if err != nil {
		p.failed, p.planned, p.planAt = fmt.Errorf("schedule at %s: %w", p.w.Time(i).Format(time.RFC3339), err), false, math.MaxInt64
		return
	}
	p.plan, p.planned, p.whole = plan, true, plan.Steps
	p.methods[plan.Method]++
	every := int64(p.o.Reschedule / time.Second)
	now := p.w.at(i)
	p.planAt = now - now%every + every
}

// freshen plans again between two schedules where that is cheap, as it is while nothing couples
// the groups: what the newest price says of the next hour counts, the rest stays as expected.
func (p *own) freshen(i int, s *sim) {
	q := p.problem(i, s)
	plan, err := p.planner.Plan(q)
	if err != nil || plan.Method != schedule.Exact {
		return // the schedule stands until the next
	}
	p.plan = plan
}

// hear takes up what has become known since the last decision.
func (p *own) hear(i int, s *sim) {
	w := p.w
	p.forecast.Interest(w.interest(i))
	for last := s.last(i); p.told <= last; p.told++ {
		if w.valid[p.told] {
			p.forecast.Observe(w.Time(p.told), w.price[p.told].DollarsPerMWh())
		}
	}
	for k := range w.tenants {
		p.profiles[k].Observe(w.Time(i), w.tenants[k].draw(w.at(i)))
	}
	for local := w.Time(i).In(w.Zone); p.reserveTo < w.n && !w.published(p.reserveTo, p.o.DayAheadAt).After(local); {
		p.reserveTo++
	}
	if w.ahead != nil {
		for local := w.Time(i).In(w.Zone); p.aheadTo < w.n && !w.published(p.aheadTo, p.o.DayAheadAt).After(local); p.aheadTo++ {
			if a := w.ahead[p.aheadTo]; a != noPrice {
				p.forecast.DayAhead(w.Time(p.aheadTo), a.DollarsPerMWh())
			}
		}
	}
	if w.load != nil && len(p.chances) > 0 {
		for ; p.loadTo < i; p.loadTo++ {
			if l := w.load[p.loadTo]; !math.IsNaN(l) {
				for _, c := range p.chances {
					c.model.Observe(peaks.Load{Start: w.Time(p.loadTo), Power: unit.Watts(l * 1e6)})
				}
			}
		}
	}
}

// published is when the day-ahead price of interval i became known: the day before at the
// given local time.
func (w *World) published(i int, at time.Duration) time.Time {
	y, m, d := w.dates[w.days[i]].Date()
	return time.Date(y, m, d-1, int(at/time.Hour), int(at%time.Hour/time.Minute), 0, 0, w.Zone)
}

// interest is the connection's price at which decisions turn: what a MWh is worth to all
// machines together.
func (w *World) interest(i int) float64 {
	sum, power := 0.0, 0.0
	for k := range w.groups {
		g := &w.groups[k]
		mw := float64(g.count) * g.net().Megawatts() * g.factor
		sum += g.breakeven(w.hash[i]).DollarsPerMWh() / g.factor * mw
		power += mw
	}
	return sum / power
}

// expect is the price of [from, to) as it looks now: the interval's own where that is known.
func (p *own) expect(i int, from, to time.Time) (unit.Price, bool) {
	w := p.w
	if p.info == Start {
		end := w.Time(i + 1)
		if !to.After(end) {
			return w.price[i], true
		}
		if from.Before(end) { // a step that reaches beyond the interval
			known := float64(end.Sub(from)) / float64(to.Sub(from))
			rest, ok := p.forecast.Expect(end, to)
			if !ok {
				rest = w.price[i].DollarsPerMWh()
			}
			return unit.Price(float64(w.price[i])*known) + unit.DollarsPerMWh(rest*(1-known)), true
		}
	}
	v, ok := p.forecast.Expect(from, to)
	return unit.DollarsPerMWh(v), ok
}

// coincident is what the chance of peaks adds to a MWh in [from, to), told at now.
func (p *own) coincident(now, from, to time.Time) (sum unit.Price) {
	for _, c := range p.chances {
		sum += peaks.Adder(c.rate, c.model.Expected(now, from, to), to.Sub(from))
	}
	return sum
}

// round is interval i as the live site would see it.
func (p *own) round(i int, s *sim) dispatch.Round {
	w := p.w
	r := dispatch.Round{Tree: w.tree, Caps: make([]unit.Power, w.tree.Len())}
	r.Price, r.PriceKnown = p.expect(i, w.Time(i), w.Time(i+1))
	r.Adder = p.guidance.Adder + p.coincident(w.Time(i), w.Time(i), w.Time(i+1))
	w.capsAt(i, r.Caps)
	if peak := p.guidance.Peak; peak >= 0 && (r.Caps[0] < 0 || peak < r.Caps[0]) {
		r.Caps[0] = peak
	}
	for k := range w.tenants {
		r.Firm = append(r.Firm, s.tenantOffer(i, k))
	}
	for k := range s.crews {
		r.Groups = append(r.Groups, p.group(i, k, s))
	}
	if len(p.guidance.Keep) == 0 || w.sells() {
		r.Held = w.heldAt(i) // else the schedule's prices count what capacity earns
	}
	return r
}

// sells says whether any capacity is sold beforehand.
func (w *World) sells() bool {
	return slices.ContainsFunc(w.reserves, func(r reserve) bool { return len(r.sold) > 0 })
}

// heldAt is what capacity earns in interval i, as the clearing takes it.
func (w *World) heldAt(i int) []dispatch.Held {
	var out []dispatch.Held
	w.eachReserve(i, func(x *reserve, most unit.Power, sold bool) {
		h := dispatch.Held{Power: min(most, unit.Power(math.MaxInt64/4)), Worth: unit.Price(x.worth(i))}
		if sold {
			h.Worth += x.short
		}
		for k := range w.groups {
			h.Loads = append(h.Loads, w.groups[k].id)
		}
		out = append(out, h)
	})
	return out
}

// group is a group's offer: machines that are free to follow, and what the schedule says of them.
func (p *own) group(i, k int, s *sim) dispatch.Group {
	c, f := &s.crews[k], p.free[k]
	g := c.g
	out := dispatch.Group{Load: g.id, Node: g.node, Terms: dispatch.MiningTerms{
		Hashprice: p.w.hash[i], Fee: g.fee, SwitchCost: g.wear, MinRun: max(g.run, time.Hour),
		Fixed: unit.Power(g.count)*g.standby + unit.Power(f.locked)*g.net(),
		Guide: p.guide(i, k),
	}}
	add := func(n int, running bool) {
		if n > 0 {
			out.Machines = append(out.Machines, dispatch.Machine{
				Power: unit.Power(n) * g.power, Standby: unit.Power(n) * g.standby, Hashrate: unit.Hashrate(n) * g.hash, Running: running, Count: n,
			})
		}
	}
	add(f.stoppable, true)
	add(f.startable, false)
	return out
}

// guide is what the schedule says of a group; nil without one.
func (p *own) guide(i, k int) *dispatch.Guide {
	if k >= len(p.guidance.Keep) {
		return nil
	}
	value := p.w.groups[k].breakeven(p.w.hash[i])
	return &dispatch.Guide{Keep: p.guidance.Keep[k] - value, Take: p.guidance.Take[k] - value}
}

// lookAhead makes the outlook of the site as the simulation has it: its prices hold the adder
// already, and what is not simulated is not planned.
func (p *own) lookAhead() error {
	f := *p.w.File
	f.Market.Price.Adder, f.Work = 0, nil
	f.Groups, f.Tenants = slices.Clone(f.Groups), slices.Clone(f.Tenants)
	for k := range f.Groups {
		f.Groups[k].MinRun = p.w.groups[k].run
	}
	for k := range f.Tenants {
		f.Tenants[k].Curtail = nil
		p.profiles = append(p.profiles, outlook.NewProfile(p.w.Zone))
	}
	f.Reserves = slices.DeleteFunc(slices.Clone(f.Reserves), func(r sitefile.ReserveProduct) bool { return p.w.reserve(r.Name) == nil })
	for k := range f.Reserves {
		f.Reserves[k].Fixed = nil // the world's prices count: a column may stand in its place
	}
	if p.o.Horizon > 0 {
		f.Ahead.Horizon = p.o.Horizon
	}
	if f.Ahead.Horizon <= 0 {
		f.Ahead.Horizon = 36 * time.Hour
	}
	var err error
	p.outlook, err = outlook.New(&f, outlook.Sources{Prices: p, Peaks: p.peaks, Reserve: p.reservePrice})
	return err
}

// problem is the hours ahead, as far as they can be known at interval i.
func (p *own) problem(i int, s *sim) schedule.Problem {
	w := p.w
	p.at = i
	st := outlook.State{Hashprice: site.Some(w.hash[i]), Peaks: map[string]unit.Power{}}
	for k := range s.crews {
		st.Groups = append(st.Groups, p.standing(i, &s.crews[k]))
	}
	for k := range w.tenants {
		t := &w.tenants[k]
		draw := t.draw(w.at(i))
		st.Tenants = append(st.Tenants, outlook.Tenant{Load: t.id, Draw: site.Some(draw), Keep: t.kept(draw), Profile: p.profiles[k]})
	}
	for k := range w.demands {
		st.Peaks[w.demands[k].name] = s.books.soFar(k, i)
	}
	return p.outlook.Problem(w.Time(i), st)
}

// standing is how a group's machines stand.
func (p *own) standing(i int, c *machines) outlook.Group {
	g, now := c.g, p.w.at(i)
	out := outlook.Group{
		Load: g.id, Count: g.count, Fixed: unit.Power(g.count) * g.standby, Response: shedTime,
		Levels: []outlook.Level{{Power: g.net(), Hashrate: g.hash}},
	}
	for _, k := range c.Working() {
		out.Now = append(out.Now, schedule.State{Count: k.N, For: time.Duration(now-k.Since) * time.Second})
	}
	for _, k := range c.Resting() {
		out.Now = append(out.Now, schedule.State{Count: k.N, Level: -1, For: time.Duration(now-k.Since) * time.Second})
	}
	return out
}

// Expect is what the outlook asks of prices. Between two schedules what was expected of the
// time after the next hour stands, for asking anew would cost more than it tells.
func (p *own) Expect(now, from, to time.Time) (unit.Price, bool) {
	if k, ok := p.stands(now, from); ok {
		return p.whole[k].Price, true
	}
	return p.expect(p.at, from, to)
}

// peaks is what the outlook asks of coincident peaks.
func (p *own) peaks(k int, now, a, b time.Time) float64 {
	c := &p.chances[k]
	if _, ok := p.stands(now, a); ok {
		return c.over(a, b)
	}
	e := c.model.Expected(now, a, b)
	if now.Unix() >= p.planAt {
		c.spans = append(c.spans, span{a, b, e})
	}
	return e
}

// over is what was expected of a time at the last whole schedule.
func (c *chance) over(a, b time.Time) (sum float64) {
	k := sort.Search(len(c.spans), func(k int) bool { return c.spans[k].to.After(a) })
	for ; k < len(c.spans) && c.spans[k].from.Before(b); k++ {
		x := c.spans[k]
		from, to := x.from, x.to
		if from.Before(a) {
			from = a
		}
		if to.After(b) {
			to = b
		}
		sum += x.expected * float64(to.Sub(from)) / float64(x.to.Sub(x.from))
	}
	return sum
}

// stands returns the step of the last whole schedule that still says what to expect of t;
// false where a whole schedule is due, or t lies within the next hour or beyond that schedule.
func (p *own) stands(now, t time.Time) (int, bool) {
	n := len(p.whole)
	if n == 0 || now.Unix() >= p.planAt || t.Before(now.Add(time.Hour)) || !t.Before(p.whole[n-1].Start.Add(p.whole[n-1].Length)) {
		return 0, false
	}
	return sort.Search(n, func(k int) bool { return p.whole[k].Start.After(t) }) - 1, true
}

// reservePrice is what the outlook asks of capacity prices. Capacity is sold with the day-ahead
// market: its price is known as far as that is, and taken to be the same a day later.
func (p *own) reservePrice(name string, _, from, to time.Time) (unit.Price, bool) {
	w, r := p.w, p.w.reserve(name)
	if r == nil {
		return 0, false
	}
	j := w.index((from.Unix() + to.Unix()) / 2)
	for j >= min(p.reserveTo, w.n) {
		j -= int(day / w.Interval)
	}
	if j < 0 || r.price[j] == noPrice {
		return 0, false
	}
	return r.price[j], true
}

// reserve returns the product of that name that is sold.
func (w *World) reserve(name string) *reserve {
	for k := range w.reserves {
		if w.reserves[k].name == name {
			return &w.reserves[k]
		}
	}
	return nil
}
