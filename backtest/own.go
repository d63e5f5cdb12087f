package backtest

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"switchyard/dispatch"
	"switchyard/dispatch/schedule"
	"switchyard/market/forecast"
	"switchyard/market/peaks"
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
	planner  *schedule.Planner
	plan     schedule.Plan
	planned  bool
	guidance schedule.Guidance
	outlook  []schedule.Step // of the last whole schedule
	planAt   int64           // when the next plan is due
	decider  dispatch.Decider
	draws    []unit.Power // of the tenants, as last seen
	free     []freedom
	methods  map[schedule.Method]int
	failed   error
}

// freedom is what the machines of a group are free to do in an interval.
type freedom struct{ locked, stoppable, startable int }

// chance is the likelihood of a coincident peak, of one charge.
type chance struct {
	model *peaks.Model
	rate  unit.CapacityRate
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
	p := &own{w: w, o: o, info: info, planner: schedule.NewPlanner(), methods: map[schedule.Method]int{}, free: make([]freedom, len(w.groups)), planAt: math.MinInt64}
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
		p.chances = append(p.chances, chance{peaks.New(rule), peaks.Rate(c)})
	}
	return p, nil
}

func (p *own) decide(i int, s *sim, wanted []int) {
	now := p.w.at(i)
	p.hear(i, s)
	for k := range s.crews {
		c := &s.crews[k]
		p.free[k].stoppable, p.free[k].startable = c.stoppable(now), c.startable(now)
		p.free[k].locked = c.running - p.free[k].stoppable
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
	plan, err := p.planner.Plan(p.problem(i, s))
	if err != nil {
		p.failed, p.planned, p.planAt = fmt.Errorf("schedule at %s: %w", p.w.Time(i).Format(time.RFC3339), err), false, math.MaxInt64
		return
	}
	p.plan, p.planned, p.outlook = plan, true, plan.Steps
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

// problem is the hours ahead, as far as they can be known at interval i.
func (p *own) problem(i int, s *sim) schedule.Problem {
	w, now := p.w, p.w.Time(i)
	horizon := p.o.Horizon
	if horizon <= 0 {
		horizon = w.File.Ahead.Horizon
	}
	if horizon <= 0 {
		horizon = 36 * time.Hour
	}
	q := schedule.Problem{Tree: w.tree, Steps: w.steps(now, horizon), Minimum: w.least, MinimumPenalty: w.leastFor}
	for t := range q.Steps {
		x := &q.Steps[t]
		end := x.Start.Add(x.Length)
		if old := p.stands(i, x.Start); old != nil {
			x.Price, x.Coincident = old.Price, old.Coincident
		} else {
			x.Price, _ = p.expect(i, x.Start, end)
			x.Coincident = p.coincident(now, x.Start, end)
		}
		j := min(w.index(x.Start.Unix()), w.n-1)
		x.Caps = make([]unit.Power, w.tree.Len())
		w.capsAt(j, x.Caps)
		for _, b := range w.blocks {
			if b.in[j] {
				x.Block += b.power
				x.SellBack = b.sellFee
				if !b.sell {
					x.SellBack = max(x.Price, 0)
				}
			}
		}
	}
	for k := range s.crews {
		q.Classes = append(q.Classes, p.class(i, &s.crews[k]))
	}
	for k := range w.tenants {
		t := &w.tenants[k]
		f := schedule.Firm{Load: t.id, Node: t.node, Penalty: t.penalty}
		draw := t.draw(w.at(i))
		for range q.Steps {
			f.Draw, f.Reserve = append(f.Draw, draw), append(f.Reserve, t.kept(draw))
		}
		q.Firm = append(q.Firm, f)
	}
	p.reserves(&q)
	p.demands(i, s, &q)
	return q
}

// stands returns the step of the last whole schedule that still says what to expect of t; nil
// where a whole schedule is due, or t lies within the next hour or beyond that schedule.
func (p *own) stands(i int, t time.Time) *schedule.Step {
	if p.w.at(i) >= p.planAt || t.Before(p.w.Time(i).Add(time.Hour)) {
		return nil
	}
	n := len(p.outlook)
	k := sort.Search(n, func(k int) bool { return p.outlook[k].Start.After(t) }) - 1
	if k < 0 || k == n-1 && !t.Before(p.outlook[k].Start.Add(p.outlook[k].Length)) {
		return nil
	}
	return &p.outlook[k]
}

// steps lays the horizon: never finer than the prices are.
func (w *World) steps(now time.Time, horizon time.Duration) []schedule.Step {
	all := schedule.Horizon(now, horizon)
	if w.Interval <= all[0].Length {
		return all
	}
	var out []schedule.Step
	for at := now; at.Before(now.Add(horizon)); {
		length := w.Interval
		if ahead := at.Sub(now); ahead >= 6*time.Hour && at.Truncate(time.Hour).Equal(at) {
			length = max(length, time.Hour)
		}
		out = append(out, schedule.Step{Start: at, Length: length})
		at = at.Add(length)
	}
	return out
}

func (p *own) class(i int, c *crew) schedule.Class {
	g := c.g
	out := schedule.Class{
		Load: g.id, Node: g.node, Count: g.count, Wear: g.wear, Ramp: g.ramp, MinRun: g.run, MinRest: g.rest, Response: shedTime,
		Levels: []schedule.Level{{Power: g.net(), Value: g.breakeven(p.w.hash[i])}},
	}
	now := p.w.at(i)
	for _, k := range c.run {
		out.Now = append(out.Now, schedule.State{Count: k.n, For: time.Duration(now-k.since) * time.Second})
	}
	for _, k := range c.rest {
		out.Now = append(out.Now, schedule.State{Count: k.n, Level: -1, For: time.Duration(now-k.since) * time.Second})
	}
	return out
}

func (p *own) reserves(q *schedule.Problem) {
	w := p.w
	for k := range w.reserves {
		r := &w.reserves[k]
		x := schedule.Reserve{Name: r.name, Performance: unit.Ratio(r.performance), Call: unit.Ratio(r.call), Most: r.most, Short: r.short}
		for t := range q.Steps {
			// Capacity is sold with the day-ahead market: its price is known as far as that is, and
			// taken to be the same a day later.
			j := w.index(q.Steps[t].Start.Unix())
			for j >= min(p.aheadKnown(), w.n) {
				j -= int(day / w.Interval)
			}
			price := unit.Price(0)
			if j >= 0 && r.price[j] != noPrice {
				price = r.price[j]
			}
			x.Price = append(x.Price, price)
			if len(r.sold) > 0 {
				x.Sold = append(x.Sold, r.soldAt(q.Steps[t].Start.Unix()))
				x.Most = max(x.Most, x.Sold[t])
			}
		}
		q.Reserves = append(q.Reserves, x)
	}
}

// aheadKnown is the first interval whose day-ahead market is not out.
func (p *own) aheadKnown() int { return p.aheadTo }

func (p *own) demands(i int, s *sim, q *schedule.Problem) {
	w := p.w
	for k := range w.demands {
		d := &w.demands[k]
		x := schedule.Demand{Name: d.name, Rate: d.rate, SoFar: s.books.soFar(k, i)}
		for t := range q.Steps {
			j := min(w.index(q.Steps[t].Start.Unix()), w.n-1)
			x.Counts = append(x.Counts, d.counts[j])
		}
		q.Demand = append(q.Demand, x)
	}
}
