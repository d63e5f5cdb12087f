package dispatch

import (
	"cmp"
	"slices"

	"switchyard/site"
	"switchyard/unit"
)

// Round is everything that one decision rests on. The live site makes one each control
// period, a backtest one each interval, and a record of them can be decided again.
type Round struct {
	Tree *site.Tree `json:"-"`
	// Price, Adder, PriceKnown and Caps are as in a Problem.
	Price, Adder unit.Price
	PriceKnown   bool
	Caps         []unit.Power
	Firm         []site.Offer // the tenants'
	Groups       []Group
	House        []site.Offer // fixed draws that belong to nobody
	// Flexible are offers made elsewhere, such as a GPU cluster's.
	Flexible []site.Offer `json:",omitempty"`
	// Held is the capacity that is sold as reserve: so much must run, to be able to drop.
	Held []Held `json:",omitempty"`
}

// Group is a mining group that makes its offer.
type Group struct {
	Load     site.LoadID
	Node     int
	Machines []Machine
	Terms    MiningTerms
}

// Held is capacity sold as reserve.
type Held struct {
	Power unit.Power
	// Worth is what a MWh that is lacking costs: added to the value of what holds it.
	Worth unit.Price
	// Loads are the groups that are fast enough.
	Loads []site.LoadID
}

// Decision is what came of a Round.
type Decision struct {
	Result
	// Offers are in the order of Result.Awards: Firm, Groups, House, Flexible.
	Offers []site.Offer
}

// Decider decides Rounds one after the other and keeps the scratch. The zero Decider is
// ready; it belongs to one goroutine.
type Decider struct{ clearer Clearer }

// Decide makes the groups' offers and clears them with the others. It is pure: the same
// Round gives the same Decision.
func (d *Decider) Decide(r Round) Decision {
	offers := make([]site.Offer, 0, len(r.Firm)+len(r.Groups)+len(r.House)+len(r.Flexible))
	offers = append(offers, r.Firm...)
	for _, g := range r.Groups {
		offers = append(offers, MiningOffer(g.Load, g.Node, g.Machines, g.Terms))
	}
	for _, h := range r.Held {
		hold(offers[len(r.Firm):], h)
	}
	offers = append(offers, r.House...)
	offers = append(offers, r.Flexible...)
	return Decision{
		Result: d.clearer.Clear(Problem{Tree: r.Tree, Price: r.Price, Adder: r.Adder, PriceKnown: r.PriceKnown, Caps: r.Caps, Offers: offers}),
		Offers: offers,
	}
}

// hold raises the value of the best blocks of the loads that may back a reserve, as much of
// them as the reserve needs, by what lacking it costs. A block is split where the reserve
// ends, and what backs one reserve backs no other.
func hold(offers []site.Offer, h Held) {
	type place struct{ offer, block int }
	var order []place
	for i := range offers {
		if !slices.Contains(h.Loads, offers[i].Load) {
			continue
		}
		for j, b := range offers[i].Blocks {
			if !b.Held && b.Power > 0 {
				order = append(order, place{i, j})
			}
		}
	}
	value := func(p place) unit.Price { return offers[p.offer].Blocks[p.block].Value }
	slices.SortStableFunc(order, func(a, b place) int { return cmp.Compare(value(b), value(a)) })
	left := h.Power
	for _, p := range order {
		if left <= 0 {
			break
		}
		o := &offers[p.offer]
		b := o.Blocks[p.block]
		take := min(b.Power, left)
		left -= take
		o.Blocks[p.block] = site.Block{Power: take, Value: b.Value + h.Worth, Held: true}
		if rest := b.Power - take; rest > 0 {
			o.Blocks = append(o.Blocks, site.Block{Power: rest, Value: b.Value})
		}
	}
	for i := range offers {
		slices.SortStableFunc(offers[i].Blocks, func(a, b site.Block) int { return cmp.Compare(b.Value, a.Value) })
	}
}
