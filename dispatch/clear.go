// Package dispatch owns the clearing of the site's market: who is given how much power
// this interval and why (Clear), how a mining group and a tenant make their offers
// (MiningOffer, TenantOffer), both together as the one decision that the live site and a
// backtest share (Decide), and how much must be kept free for a tenant's ramp (Headroom).
//
// It never reads a clock, the network, the disk or a log, and never tells a device anything:
// it turns figures into figures, so that the live site, a backtest and a study clear alike.
//
// Concurrency: Clear and the offer builders are pure and safe for concurrent use. A Clearer
// and a Headroom belong to one goroutine at a time; a Result shares nothing with them.
package dispatch

import (
	"math"

	"switchyard/site"
	"switchyard/unit"
)

// Problem is one clearing: a tree with its caps, a price and the offers.
type Problem struct {
	Tree *site.Tree
	// Price of power at the connection, $/MWh, positive when the site pays.
	Price unit.Price
	// Adder is what a MWh costs beyond Price in the eyes of the hours ahead: the chance of a
	// coincident peak, the month's demand charge. No bill shows it by the MWh.
	Adder unit.Price
	// PriceKnown false judges flexible blocks by the caps alone; the caller decides what is
	// offered while the price is lost.
	PriceKnown bool
	// Caps bound the power entering each node; negative means no cap. A node beyond the
	// slice's end is bounded by its own limit in the tree.
	Caps   []unit.Power
	Offers []site.Offer
}

// NodeResult is what the clearing means for one node.
type NodeResult struct {
	// Used is the power entering the node when every award is drawn in full, losses included.
	Used unit.Power
	// Cap is the bound that was used; negative means none.
	Cap unit.Power
	// Excess is how far fixed power alone stands above the cap; nobody can be awarded it away.
	Excess unit.Power
	// Shadow is what one more MWh of cap at this node would be worth, $/MWh; zero unless Binding.
	Shadow unit.Price
	// Binding says that the cap kept somebody from power that was worth its price.
	Binding bool
}

// AwardedBlock is one block of the merit order with what it was given.
type AwardedBlock struct {
	Load  site.LoadID
	Class site.Class
	// Fixed marks power that is drawn whatever is awarded; its Value is zero.
	Fixed bool
	Power unit.Power // asked
	Award unit.Power // given
	Value unit.Price // at the load, $/MWh
	// Code says why Award is what it is: value, price, limit, firm or lost.
	Code site.Code
}

// Result is a cleared market.
type Result struct {
	Awards []site.Award // in the order of the offers
	Nodes  []NodeResult // in the order of the tree
	// Marginal is what one more MWh at the connection is worth: the price, or more where the
	// connection's cap binds. With an unknown price it is zero unless the connection binds.
	Marginal unit.Price
	// Blocks are in merit order: fixed power, then firm blocks, then flexible ones, each best value first.
	Blocks []AwardedBlock
}

// Clear gives out the power: fixed power is served first, then firm blocks, then flexible
// blocks in the order of their value, each as much as every cap on its path leaves and, if
// flexible, only while it is worth the price. Equal values go by the order of the offers.
//
// The caps of a tree are a laminar family, so this greedy order is exactly optimal for one
// interval, and the shadow prices are the optimal dual. Losses keep that: a node's loss is
// a fixed share of what enters it, so each cap and each value can be told in power at the
// connection. All sums are integers there, rounded against the load, so a cap is never
// passed and no block loses more than a milliwatt to rounding; without losses all is exact.
func Clear(p Problem) Result {
	var c Clearer
	return c.Clear(p)
}

// Clearer clears again and again without allocating its scratch anew. The zero Clearer is
// ready for use.
type Clearer struct {
	parent []int32
	// entry is the power at the connection per unit entering the node; exit the same per
	// unit that a load at the node draws. Both are at least one.
	entry, exit []float64
	slack       []int64 // at the connection; math.MaxInt64 without a cap
	used        []int64
	cut         []int64 // worth of the first block that this node kept out; noCut without one
	firm, flex  []item
	spare       []item
	tally       []tally
	text        []byte
	marks       []int
}

// item is one block in the merit order.
type item struct {
	worth        int64 // value told at the connection, micro-$/MWh
	offer, block int32
}

// tally is what the reasons need to know of one offer.
type tally struct {
	asked, given, dear, cut unit.Power // dear: not worth the price; cut: kept out by a cap
	low, best               unit.Price // lowest value given, best value left out by the price
	node                    int32      // that kept power out first; -1 without
	lost                    bool       // stands at no node
}

const (
	noCut   = math.MinInt64
	maxLoss = 0.9 // a node that loses more is a fault in the site file
)

// Clear is the function Clear with reused scratch.
func (c *Clearer) Clear(p Problem) Result {
	c.prepare(p)
	r := Result{
		Awards: make([]site.Award, len(p.Offers)),
		Nodes:  make([]NodeResult, p.Tree.Len()),
	}
	blocks := c.order(p)
	r.Blocks = make([]AwardedBlock, 0, blocks)
	c.serveFixed(p, &r)
	for _, it := range c.firm {
		c.serve(p, it, true, &r)
	}
	for _, it := range c.flex {
		c.serve(p, it, false, &r)
	}
	c.price(p, &r)
	c.explain(p, &r)
	return r
}

// prepare tells every cap at the connection.
func (c *Clearer) prepare(p Problem) {
	n := p.Tree.Len()
	c.parent, c.entry, c.exit = grow(c.parent, n), grow(c.entry, n), grow(c.exit, n)
	c.slack, c.used, c.cut = grow(c.slack, n), grow(c.used, n), grow(c.cut, n)
	for i := range n {
		node := p.Tree.Node(i)
		c.parent[i], c.used[i], c.cut[i] = int32(node.Parent), 0, noCut
		c.entry[i] = 1
		if node.Parent >= 0 {
			c.entry[i] = c.exit[node.Parent]
		}
		c.exit[i] = c.entry[i] / (1 - min(max(float64(node.Loss), 0), maxLoss))
		c.slack[i] = math.MaxInt64
		if limit := capOf(p, i); limit >= 0 {
			c.slack[i] = floorScale(int64(limit), c.entry[i])
		}
	}
}

// capOf returns the cap of node i; negative means none.
func capOf(p Problem, i int) unit.Power {
	if i < len(p.Caps) {
		return p.Caps[i]
	}
	if limit := p.Tree.Node(i).Limit; limit > 0 {
		return limit
	}
	return -1
}

// order sorts the blocks into the merit order and returns how many entries it will have.
func (c *Clearer) order(p Problem) int {
	c.firm, c.flex, c.tally = c.firm[:0], c.flex[:0], grow(c.tally, len(p.Offers))
	fixed := 0
	for i := range p.Offers {
		o := &p.Offers[i]
		c.tally[i] = tally{node: -1, lost: o.Node < 0 || o.Node >= p.Tree.Len()}
		if o.Fixed > 0 {
			fixed++
		}
		for j, b := range o.Blocks {
			if b.Power <= 0 {
				continue
			}
			c.tally[i].asked += b.Power
			it := item{worth: int64(b.Value), offer: int32(i), block: int32(j)}
			if !c.tally[i].lost && c.exit[o.Node] != 1 {
				it.worth = int64(math.Round(float64(b.Value) / c.exit[o.Node]))
			}
			if o.Class == site.Firm {
				c.firm = append(c.firm, it)
			} else {
				c.flex = append(c.flex, it)
			}
		}
	}
	c.spare = grow(c.spare, max(len(c.firm), len(c.flex)))
	sortItems(c.firm, c.spare)
	sortItems(c.flex, c.spare)
	return fixed + len(c.firm) + len(c.flex)
}

// serveFixed books the power that is drawn whatever is awarded.
func (c *Clearer) serveFixed(p Problem, r *Result) {
	for i := range p.Offers {
		o := &p.Offers[i]
		if o.Fixed <= 0 {
			continue
		}
		r.Blocks = append(r.Blocks, AwardedBlock{
			Load: o.Load, Class: o.Class, Fixed: true, Power: o.Fixed, Award: o.Fixed, Code: site.ReasonFirm,
		})
		if !c.tally[i].lost {
			c.book(int32(o.Node), ceilScale(int64(o.Fixed), c.exit[o.Node]))
		}
	}
	for n := range r.Nodes {
		if c.slack[n] < 0 {
			r.Nodes[n].Excess = unit.Power(ceilScale(-c.slack[n], 1/c.entry[n]))
		}
	}
}

// serve gives one block what it may have.
func (c *Clearer) serve(p Problem, it item, firm bool, r *Result) {
	o, t := &p.Offers[it.offer], &c.tally[it.offer]
	b := o.Blocks[it.block]
	ab := AwardedBlock{Load: o.Load, Class: o.Class, Power: b.Power, Value: b.Value, Code: site.ReasonLimit}
	switch {
	case t.lost:
		t.cut += b.Power
	case !firm && p.PriceKnown && it.worth < int64(p.Price+p.Adder):
		if t.dear == 0 {
			t.best = b.Value
		}
		t.dear += b.Power
		ab.Code = site.ReasonPrice
	default:
		ab.Award = c.take(it, int32(o.Node), b.Power, t)
		if ab.Award > 0 {
			t.given += ab.Award
			t.low = b.Value
		}
		if ab.Award == b.Power {
			ab.Code = kept(firm, p.PriceKnown)
		}
		t.cut += b.Power - ab.Award
	}
	r.Blocks = append(r.Blocks, ab)
}

func kept(firm, priceKnown bool) site.Code {
	switch {
	case firm:
		return site.ReasonFirm
	case !priceKnown:
		return site.ReasonLost
	}
	return site.ReasonValue
}

// take books as much of want as the path from node leaves, and returns it.
func (c *Clearer) take(it item, node int32, want unit.Power, t *tally) unit.Power {
	free, at := int64(math.MaxInt64), node
	for n := node; n >= 0; n = c.parent[n] {
		if c.slack[n] < free {
			free, at = c.slack[n], n
		}
	}
	need := ceilScale(int64(want), c.exit[node])
	if need <= free {
		c.book(node, need)
		return want
	}
	if t.node < 0 {
		t.node = at
	}
	got := unit.Power(floorScale(max(free, 0), 1/c.exit[node]))
	// What is left of the tightest node is booked whole: the milliwatt that rounding left
	// could serve nobody, and a node is full exactly when its slack is nought.
	c.book(node, max(free, 0))
	for n := node; n >= 0; n = c.parent[n] {
		if c.slack[n] <= 0 && c.cut[n] == noCut {
			c.cut[n] = it.worth
		}
	}
	return got
}

// book takes y, told at the connection, from every node on the path.
func (c *Clearer) book(node int32, y int64) {
	for n := node; n >= 0; n = c.parent[n] {
		c.used[n] += y
		if c.slack[n] != math.MaxInt64 {
			c.slack[n] -= y
		}
	}
}

// price fills the nodes' results. The local price of a node is the highest worth that any
// node from it up to the connection kept out, and never below the price: that is an optimal
// dual of the clearing. The shadow price is its step over the parent's.
func (c *Clearer) price(p Problem, r *Result) {
	base := int64(0)
	if p.PriceKnown {
		base = int64(p.Price + p.Adder)
	}
	local := c.cut // overwritten in place, parents first
	for n := range r.Nodes {
		above := base
		if c.parent[n] >= 0 {
			above = local[c.parent[n]]
		}
		nr := &r.Nodes[n]
		nr.Binding = c.cut[n] != noCut
		if local[n] < above {
			local[n] = above
		}
		nr.Cap = capOf(p, n)
		nr.Used = unit.Power(math.Round(float64(c.used[n]) / c.entry[n]))
		if c.entry[n] == 1 {
			nr.Used = unit.Power(c.used[n])
		}
		nr.Shadow = unit.Price(math.Round(float64(local[n]-above) * c.entry[n]))
	}
	r.Marginal = unit.Price(local[0])
}

// floorScale returns v*f rounded down, exactly v where f is one. v is not negative.
func floorScale(v int64, f float64) int64 {
	if f == 1 {
		return v
	}
	x := math.Floor(float64(v) * f)
	if x >= math.MaxInt64/4 {
		return math.MaxInt64 / 4
	}
	return int64(x)
}

// ceilScale returns v*f rounded up, exactly v where f is one. v is not negative.
func ceilScale(v int64, f float64) int64 {
	if f == 1 {
		return v
	}
	x := math.Ceil(float64(v) * f)
	if x >= math.MaxInt64/4 {
		return math.MaxInt64 / 4
	}
	return int64(x)
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}
