package backtest

import (
	"context"
	"fmt"
	"math"
	"slices"

	"switchyard/backtest/path"
	"switchyard/dispatch"
	"switchyard/unit"
)

// Where limits or shared charges couple the groups, perfect foresight is bounded by prices:
// give every interval a price for power at the connection and each limited node one of its
// own, let every group take its best path at them, and let the site buy at the prices
// whatever it likes best within its limits. Whatever the prices are, both together earn at
// least as much as any plan that keeps the limits (Lagrange's relaxation, or price
// decomposition). The prices are brought closer to the lowest such bound step by step, and
// perfect is then simulated on the site's physics with the paths' values as its guide.

// rounds is how many times the prices are corrected.
const rounds = 40

// relaxed is the search for the lowest bound. Prices are in micro-dollars per MWh, powers in
// MW, money in micro-dollars.
type relaxed struct {
	w     *World
	price []float64    // at the connection, by interval
	nodes []limited    // limited nodes other than the connection
	costs []intervalC  // by interval
	total float64      // MW at the connection with all machines at work
	whole []unit.Power // what enters each node for that, standby left out
	paths []path.Path
	// forced says by group in which intervals a limit may stop machines within their least run.
	forced [][]bool
	rent   float64
	top    []float64 // by demand charge's month: the best peak found, MW; index as month(i)
}

// limited is a node whose cap may bind, with its price by interval.
type limited struct {
	node  int
	price []float64
	room  []float64 // MW that the machines' work may enter with, by interval
	enter []float64 // MW entering per machine, by group
}

// intervalC is what X MW of machines' work costs in an interval: pieces of rising cost, the
// first ones from the least power on.
type intervalC struct {
	base   float64 // at X = 0
	pieces []piece
}

type piece struct{ mw, cost float64 } // cost per MWh

func (w *World) perfectCoupled(ctx context.Context, r *outcome, _ *sim, why string) error {
	x := w.relax()
	best, at := math.Inf(1), relaxedPrices{}
	var first relaxedPrices
	for round := range rounds {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		bound, over := x.bound()
		if bound < best {
			best, at = bound, x.prices()
		}
		if round == 0 {
			first = at
		}
		x.correct(over, 0.25/(1+float64(round)/3))
	}
	for _, prices := range []relaxedPrices{at, first} {
		s, err := x.follow(ctx, prices)
		if err != nil {
			return err
		}
		if r.books == nil || s.books.profit() > r.books.profit() {
			r.books = s.books
		}
	}
	r.info = Start
	r.bound = max(unit.Money(math.Ceil(best)), r.books.profit())
	r.method = fmt.Sprintf("%s, so it is bounded by prices (Lagrange's relaxation, %d rounds) and simulated along them; shares are of the bound", why, rounds)
	return nil
}

// relax prepares the search, at the true prices.
func (w *World) relax() *relaxed {
	x := &relaxed{w: w, whole: make([]unit.Power, w.tree.Len()), price: make([]float64, w.n), costs: make([]intervalC, w.n), paths: make([]path.Path, len(w.groups)), forced: make([][]bool, len(w.groups))}
	for _, g := range w.groups {
		x.total += float64(g.count) * g.net().Megawatts() * g.factor
		x.whole[g.node] += unit.Power(g.count) * g.net()
	}
	w.tree.Lift(x.whole)
	limits := make([]bool, w.tree.Len())
	for i := range w.caps {
		limits[i] = i > 0 && w.caps[i] >= 0
	}
	for _, l := range w.limits {
		if n, ok := w.tree.Index(l.Node); ok && n > 0 {
			limits[n] = true
		}
	}
	for n, is := range limits {
		if is {
			x.nodes = append(x.nodes, x.limitedNode(n))
		}
	}
	caps, fixed, last := make([]unit.Power, w.tree.Len()), make([]unit.Power, w.tree.Len()), make([]unit.Power, w.tree.Len())
	for k := range x.forced {
		x.forced[k] = make([]bool, w.n)
	}
	for i := range w.n {
		if !w.valid[i] {
			continue
		}
		w.capsAt(i, caps)
		x.fixedAt(i, fixed, true)
		x.force(i, caps, fixed, last)
		room := x.total
		if caps[0] >= 0 {
			room = min(room, max(0, (caps[0]-fixed[0]).Megawatts()))
		}
		for k := range x.nodes {
			n := &x.nodes[k]
			n.room[i] = math.Inf(1)
			if c := caps[n.node]; c >= 0 {
				n.room[i] = max(0, (c - fixed[n.node]).Megawatts())
			}
		}
		x.fixedAt(i, fixed, false)
		x.costs[i] = x.cost(i, fixed[0], room)
		x.price[i] = float64(w.price[i]) + w.peakAdder(i)
	}
	x.start()
	return x
}

// force marks interval i for the groups below a limit that has less room than at the last
// interval that counts (last, which it brings up to date): what ran then fits no more, it may
// be, and a limit does not ask for a least run. Where no room is lost, or all machines have it,
// nobody is stopped.
func (x *relaxed) force(i int, caps, fixed, last []unit.Power) {
	w := x.w
	for n := range caps {
		room := unit.Power(math.MaxInt64)
		if caps[n] >= 0 {
			room = caps[n] - fixed[n]
		}
		for k := range w.groups {
			if room < last[n] && room < x.whole[n] && w.tree.Below(w.groups[k].node, n) {
				x.forced[k][i] = true
			}
		}
		last[n] = room
	}
}

func (x *relaxed) limitedNode(n int) limited {
	w := x.w
	out := limited{node: n, price: make([]float64, w.n), room: make([]float64, w.n), enter: make([]float64, len(w.groups))}
	for k, g := range w.groups {
		if !w.tree.Below(g.node, n) {
			continue
		}
		enter := g.net().Megawatts()
		for at := g.node; ; at = w.tree.Node(at).Parent {
			enter /= 1 - float64(w.tree.Node(at).Loss)
			if at == n {
				break
			}
		}
		out.enter[k] = enter
	}
	return out
}

// fixedAt is what enters each node whatever the machines do: standby, and what is kept for
// tenants or what they draw.
func (x *relaxed) fixedAt(i int, into []unit.Power, kept bool) {
	clear(into)
	for k := range x.w.groups {
		g := &x.w.groups[k]
		into[g.node] += unit.Power(g.count) * g.standby
	}
	for k := range x.w.tenants {
		t := &x.w.tenants[k]
		p := t.draw(x.w.at(i))
		if kept {
			p = t.kept(p)
		}
		into[t.node] += p
	}
	x.w.tree.Lift(into)
}

// cost lays out what work costs beyond nothing running: energy with what was bought ahead,
// the least load's penalty, peaks, less what held capacity earns. All of it bends upwards.
func (x *relaxed) cost(i int, fixed unit.Power, room float64) intervalC {
	w := x.w
	marks := []float64{0, room}
	mark := func(mw float64) {
		if mw > 0 && mw < room {
			marks = append(marks, mw)
		}
	}
	ahead := unit.Power(0)
	for _, b := range w.blocks {
		if b.in[i] {
			ahead += b.power
			mark((ahead - fixed).Megawatts())
		}
	}
	mark((w.least - fixed).Megawatts())
	held := 0.0
	w.eachReserve(i, func(_ *reserve, most unit.Power, _ bool) {
		held += min(most.Megawatts(), 1e6)
		mark(held)
	})
	slices.Sort(marks)
	out := intervalC{base: x.costAt(i, fixed, 0)}
	last := out.base
	for k := 1; k < len(marks); k++ {
		if d := marks[k] - marks[k-1]; d > 1e-9 {
			c := x.costAt(i, fixed, marks[k])
			out.pieces = append(out.pieces, piece{d, (c - last) / d / w.hours()})
			last = c
		}
	}
	return out
}

// costAt is what the interval costs with so much work at the connection.
func (x *relaxed) costAt(i int, fixed unit.Power, mw float64) float64 {
	w := x.w
	at := fixed + unit.Watts(mw*1e6)
	cost := float64(w.bill(i, at)) + w.peakAdder(i)*at.Megawatts()*w.hours()
	if lack := w.least - at; lack > 0 {
		cost += float64(w.leastFor.Cost(lack.Over(w.Interval)))
	}
	for k := range w.tenants {
		if t := &w.tenants[k]; !t.included {
			cost -= float64(w.price[i].Cost(t.draw(w.at(i)).Scale(t.factor).Over(w.Interval)))
		}
	}
	margin := math.Inf(1) // of the group that loses least when called
	for k := range w.groups {
		g := &w.groups[k]
		margin = min(margin, float64(g.breakeven(w.hash[i]))/g.factor-float64(w.price[i]))
	}
	left := mw
	w.eachReserve(i, func(r *reserve, most unit.Power, sold bool) {
		h := min(left, most.Megawatts())
		left -= h
		cost -= h * w.hours() * (r.worth(i) - r.call*margin)
		if sold {
			cost += (most.Megawatts() - h) * w.hours() * float64(r.short)
		}
	})
	return cost
}

// start sets the prices to those of each interval by itself.
func (x *relaxed) start() {
	w := x.w
	var c dispatch.Clearer
	s := newSim(w, Start)
	for i := range w.n {
		if !w.valid[i] || !s.binds {
			continue
		}
		r := dispatch.Round{Tree: w.tree, Price: unit.Price(x.price[i]), PriceKnown: true, Caps: make([]unit.Power, w.tree.Len())}
		w.capsAt(i, r.Caps)
		p := dispatch.Problem{Tree: w.tree, Price: r.Price, PriceKnown: true, Caps: r.Caps}
		for k := range w.tenants {
			p.Offers = append(p.Offers, s.tenantOffer(i, k))
		}
		for k := range w.groups {
			g := &w.groups[k]
			p.Offers = append(p.Offers, dispatch.MiningOffer(g.id, g.node, []dispatch.Machine{{
				Power: unit.Power(g.count) * g.power, Standby: unit.Power(g.count) * g.standby, Hashrate: unit.Hashrate(g.count) * g.hash, Running: true, Count: g.count,
			}}, dispatch.MiningTerms{Hashprice: w.hash[i], Fee: g.fee, Fixed: unit.Power(g.count) * g.standby}))
		}
		got := c.Clear(p)
		x.price[i] = math.Max(x.price[i], float64(got.Marginal))
		for k := range x.nodes {
			x.nodes[k].price[i] = float64(got.Nodes[x.nodes[k].node].Shadow)
		}
	}
}

// relaxedPrices are the prices of a bound, with the paths and peaks that they brought.
type relaxedPrices struct {
	paths []path.Path
	top   []float64
}

func (x *relaxed) prices() relaxedPrices {
	return relaxedPrices{slices.Clone(x.paths), slices.Clone(x.top)}
}

// excess is by how much the paths want more than the site buys, MW: at the connection, and at
// each limited node.
type excess struct {
	site  []float64
	nodes [][]float64
}

// bound is what no plan can pass at the present prices.
func (x *relaxed) bound() (float64, excess) {
	w := x.w
	over := excess{site: make([]float64, w.n), nodes: make([][]float64, len(x.nodes))}
	sum := 0.0
	for k := range x.nodes {
		over.nodes[k] = make([]float64, w.n)
		for i := range w.n {
			if n := &x.nodes[k]; w.valid[i] && !math.IsInf(n.room[i], 1) {
				over.nodes[k][i] = -n.room[i]
				sum += n.price[i] * n.room[i] * w.hours()
			}
		}
	}
	for k := range w.groups {
		g := &w.groups[k]
		r := w.rewards(k, nil)
		mwh := g.net().Megawatts() * w.hours()
		for i := range r.run {
			if !w.valid[i] {
				continue
			}
			r.run[i] = r.second[i]*float64(w.step) - x.price[i]*g.factor*mwh
			for n := range x.nodes {
				r.run[i] -= x.nodes[n].price[i] * x.nodes[n].enter[k] * w.hours()
			}
		}
		x.paths[k] = w.best(k, r, x.forced[k])
		sum += x.paths[k].Value * float64(g.count)
		for i, on := range x.paths[k].On {
			if on && w.valid[i] {
				over.site[i] += float64(g.count) * g.net().Megawatts() * g.factor
				for n := range x.nodes {
					over.nodes[n][i] += float64(g.count) * x.nodes[n].enter[k]
				}
			}
		}
	}
	return sum + x.buy(over.site) + x.hosting(), over
}

// hosting is the tenants' rent, which is the same for all.
func (x *relaxed) hosting() float64 {
	if x.rent == 0 && len(x.w.tenants) > 0 {
		b := newBooks(x.w)
		for i := range x.w.n {
			if x.w.valid[i] {
				b.hosting(i, &b.days[x.w.days[i]])
			}
		}
		x.rent = float64(b.total().Hosting)
	}
	return x.rent
}

// buy lets the site take the best power at the prices, and takes it off what the paths want.
func (x *relaxed) buy(over []float64) (sum float64) {
	w := x.w
	if len(w.demands) > 0 {
		return x.buyUnderDemand(over)
	}
	for i := range w.n {
		if !w.valid[i] {
			continue
		}
		sum -= x.costs[i].base
		for _, p := range x.costs[i].pieces {
			if p.cost < x.price[i] {
				sum += (x.price[i] - p.cost) * p.mw * w.hours()
				over[i] -= p.mw
			}
		}
	}
	return sum
}

// correct moves the prices against the excess.
func (x *relaxed) correct(over excess, step float64) {
	w := x.w
	for i := range w.n {
		if !w.valid[i] {
			continue
		}
		scale := step * float64(w.groups[0].breakeven(w.hash[i])) / x.total
		x.price[i] += scale * over.site[i]
		for k := range x.nodes {
			n := &x.nodes[k]
			n.price[i] = math.Max(0, n.price[i]+scale*over.nodes[k][i])
		}
	}
}

// follow simulates the site with the paths' values as its guide: what is decided is decided
// by the clearing, on the physics of all policies, but with all prices known.
func (x *relaxed) follow(ctx context.Context, p relaxedPrices) (*sim, error) {
	s := newSim(x.w, Start)
	return s, s.run(ctx, &guided{x: x, p: p})
}

// guided clears each interval with what each group's best path says of the time after it.
type guided struct {
	x       *relaxed
	p       relaxedPrices
	decider dispatch.Decider
}

func (g *guided) decide(i int, s *sim, wanted []int) {
	w, now := g.x.w, s.w.at(i)
	o := own{w: w, free: make([]freedom, len(w.groups))}
	for k := range s.crews {
		c := &s.crews[k]
		o.free[k] = freedom{stoppable: c.Stoppable(now), startable: c.Startable(now)}
		o.free[k].locked = c.Running() - o.free[k].stoppable
	}
	r := dispatch.Round{Tree: w.tree, Price: w.price[i] + unit.Price(w.peakAdder(i)), PriceKnown: true, Caps: make([]unit.Power, w.tree.Len())}
	w.capsAt(i, r.Caps)
	if peak := g.peak(i); peak >= 0 && (r.Caps[0] < 0 || peak < r.Caps[0]) {
		r.Caps[0] = peak
	}
	for k := range w.tenants {
		r.Firm = append(r.Firm, s.tenantOffer(i, k))
	}
	for k := range s.crews {
		x := o.group(i, k, s)
		mwh := w.groups[k].net().Megawatts() * w.hours()
		x.Terms.Guide = &dispatch.Guide{Keep: unit.Price(g.p.paths[k].Keep[i] / mwh), Take: unit.Price(g.p.paths[k].Take[i] / mwh)}
		r.Groups = append(r.Groups, x)
	}
	r.Held = w.heldAt(i)
	d := g.decider.Decide(r)
	for k := range wanted {
		net := w.groups[k].net()
		wanted[k] = o.free[k].locked + int((d.Awards[len(w.tenants)+k].Power+net/1000)/net)
	}
}
