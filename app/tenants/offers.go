package tenants

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/app/plant"
	"switchyard/site"
	"switchyard/unit"
)

const (
	// crumb is the least power that is worth an offer, W.
	crumb = 1000
	// ahead is how far ahead a limit to come says until when an offer stands.
	ahead = 24 * time.Hour
)

// Availability returns what a tenant could draw beyond what it has, in steps: power that is free,
// then what miners would rest for, those that earn least first. A step is what every node from the
// tenant's up to the connection allows: its limit, less its draw, and what rests below it.
func (t *Tenants) Availability(id string) (api.AvailabilityView, error) {
	x, err := t.find(id)
	if err != nil {
		return api.AvailabilityView{}, err
	}
	live := t.opt.Live()
	v := api.AvailabilityView{At: live.At, PollS: 30, Offers: []api.MoreView{}}
	asked := t.askedNext(id)
	if asked != nil && asked.State == "running" {
		v.Text = "Nothing beyond what it has: it was asked to draw less until " + asked.To.In(t.opt.Plant.Zone).Format("15:04") + "."
		return v, nil
	}
	w, ok := t.wayUp(live, x)
	if !ok {
		v.Text = "Nothing beyond what it has: the limit of the site's connection is not known."
		return v, nil
	}
	sofar := 0.0
	if p := w.room(w.claims); p >= crumb { // what others may take of their own is no part of it
		v.Offers = append(v.Offers, w.offer(p, p, w.claims, live.PriceUSDMWh, true, "it is free, whatever others draw of what is kept for them"))
		sofar = p
	}
	resting := make([]float64, len(w.nodes))
	for i, price := 0, live.PriceUSDMWh; ; price = w.yields[i].price {
		why := "it is free just now"
		var models []string
		for ; i < len(w.yields) && samePrice(price, w.yields[i].price); i++ {
			for k := w.yields[i].level; k < len(resting); k++ {
				resting[k] += w.yields[i].power
			}
			if m := w.yields[i].model; !slices.Contains(models, m) {
				models = append(models, m)
			}
			why = strings.Join(models, " and ") + " rest for it"
		}
		if p := w.room(resting) - sofar; p >= crumb {
			v.Offers = append(v.Offers, w.offer(p, sofar+p, resting, price, false, why))
			sofar += p
		}
		if i == len(w.yields) {
			break
		}
	}
	for i := range v.Offers {
		if o := &v.Offers[i]; asked != nil && asked.From.Before(o.Until) {
			o.Until = asked.From
		}
	}
	v.Text = t.offered(v.Offers)
	return v, nil
}

// askedNext is the first curtailment that a tenant is to follow now or later; nil: none.
func (t *Tenants) askedNext(id string) *api.CurtailmentView {
	if t.opt.Curtailed == nil {
		return nil
	}
	all := t.opt.Curtailed(id)
	if len(all) == 0 {
		return nil
	}
	return &all[0]
}

// offered tells the offers as a sentence.
func (t *Tenants) offered(all []api.MoreView) string {
	if len(all) == 0 {
		return "Nothing beyond what it has: the way to it is used to its limit."
	}
	price := func(o api.MoreView) string {
		if o.PriceUSD == nil {
			return "at a price that is not known"
		}
		return fmt.Sprintf("at $%.2f/MWh", *o.PriceUSD)
	}
	until := all[0].Until.In(t.opt.Plant.Zone)
	form := "15:04"
	if until.Format(time.DateOnly) != all[0].From.In(t.opt.Plant.Zone).Format(time.DateOnly) {
		form = "Mon 15:04"
	}
	text := fmt.Sprintf("You could draw %s more until %s, %s", unit.Watts(all[0].PowerW).Short(), until.Format(form), price(all[0]))
	var beyond []string
	for _, o := range all[1:] {
		beyond = append(beyond, unit.Watts(o.PowerW).Short()+" "+price(o))
	}
	if len(beyond) > 0 {
		text += "; beyond that " + strings.Join(beyond, " and ")
	}
	return text + "."
}

// way is what is known of the nodes from a tenant's up to the connection, the tenant's first, W.
type way struct {
	live   api.LiveView
	nodes  []int
	names  []string
	limit  []float64 // infinite where there is none
	draw   []float64
	claims []float64 // what others below may take yet of what is kept for them, negative; infinite where nobody knows
	yields []yield   // by price, the cheapest first
}

// yield is what a group of miners draws and could rest: it relieves the nodes of the way from level on.
type yield struct {
	level int
	power float64
	price *float64 // nil: not known
	model string
}

func (t *Tenants) wayUp(live api.LiveView, x *tenant) (*way, bool) {
	tree := t.opt.Plant.Tree
	w := &way{live: live}
	var node site.NodeID
	if x.hosted >= 0 {
		node = tree.Node(t.opt.Plant.Tenants[x.hosted].Node).ID
	} else {
		node = site.NodeID(x.cluster.Node)
	}
	for i, ok := tree.Index(node); ok && i >= 0 && i < len(live.Nodes); i = tree.Node(i).Parent {
		n := live.Nodes[i]
		limit, draw, claims := math.Inf(1), n.EstW, t.claims(live, x, i)
		if n.LimitW != nil {
			limit = *n.LimitW
		}
		if n.PowerW != nil {
			draw = *n.PowerW
		} else if n.LimitW != nil {
			claims = math.Inf(-1) // its meter does not tell
		}
		w.nodes, w.names = append(w.nodes, i), append(w.names, n.ID)
		w.limit, w.draw, w.claims = append(w.limit, limit), append(w.draw, draw), append(w.claims, claims)
	}
	if n := len(w.nodes); n == 0 || w.nodes[n-1] != 0 || math.IsInf(w.limit[n-1], 1) {
		return nil, false
	}
	w.mining(t)
	return w, true
}

// mining takes up what each group draws and could rest, and what a MWh is worth to it.
func (w *way) mining(t *Tenants) {
	tree := t.opt.Plant.Tree
	for _, l := range w.live.Groups {
		k := slices.IndexFunc(t.opt.Plant.Groups, func(g plant.Group) bool { return g.ID == l.ID })
		power := l.PowerW - l.FixedW
		if k < 0 || power <= 0 {
			continue
		}
		g := &t.opt.Plant.Groups[k]
		level := slices.IndexFunc(w.nodes, func(n int) bool { return tree.Below(g.Node, n) })
		if level < 0 {
			continue
		}
		y := yield{level: level, power: power, model: g.Model}
		if l.BreakevenUSD != nil && w.live.PriceUSDMWh != nil {
			price := max(*l.BreakevenUSD, *w.live.PriceUSDMWh)
			y.price = &price
		}
		w.yields = append(w.yields, y)
	}
	slices.SortStableFunc(w.yields, func(a, b yield) int { return cmp.Compare(orInf(a.price), orInf(b.price)) })
}

func orInf(p *float64) float64 {
	if p == nil {
		return math.Inf(1)
	}
	return *p
}

func samePrice(a, b *float64) bool { return orInf(a) == orInf(b) }

// claims is what others below a node may draw yet without being asked, negative. What a cluster's
// jobs will want nobody knows.
func (t *Tenants) claims(live api.LiveView, x *tenant, node int) float64 {
	tree := t.opt.Plant.Tree
	sum := 0.0
	for i := range t.opt.Plant.Tenants {
		h := &t.opt.Plant.Tenants[i]
		if h.ID == x.id || !tree.Below(h.Node, node) {
			continue
		}
		for _, l := range live.Tenants {
			if l.ID == h.ID && l.PowerW != nil {
				sum -= max(l.FirmW-*l.PowerW, 0)
			}
		}
	}
	for i := range t.opt.Plant.File.Clusters {
		c := &t.opt.Plant.File.Clusters[i]
		if k, ok := tree.Index(site.NodeID(c.Node)); ok && tree.Below(k, node) {
			return math.Inf(-1)
		}
	}
	return sum
}

// room is what all nodes of the way leave with so much more at each.
func (w *way) room(more []float64) float64 {
	least := math.Inf(1)
	for k := range w.nodes {
		p := w.limit[k] - w.draw[k]
		if more != nil {
			p += more[k]
		}
		least = min(least, p)
	}
	return max(least, 0)
}

// offer makes a step of power, which with those before it comes to all; more is what its room
// rests on. It stands until the first limit to come that leaves less, else for half an hour.
func (w *way) offer(power, all float64, more []float64, price *float64, firm bool, why string) api.MoreView {
	o := api.MoreView{From: w.live.At, Until: w.live.At.Truncate(15 * time.Minute).Add(30 * time.Minute), PowerW: power, PriceUSD: price, Firm: firm, Why: why}
	var first time.Time
	for _, l := range w.live.Limits {
		k := slices.Index(w.names, l.Node)
		if k < 0 || l.Active || !l.From.After(w.live.At) || l.From.Sub(w.live.At) > ahead {
			continue
		}
		left := l.PowerW - w.draw[k]
		if more != nil {
			left += more[k]
		}
		if left < all && (first.IsZero() || l.From.Before(first)) {
			first = l.From
		}
	}
	if !first.IsZero() {
		o.Until = first
	}
	return o
}
