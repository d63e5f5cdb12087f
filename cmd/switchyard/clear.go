package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"switchyard/dispatch"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// cleared is the answer of clear; its keys are stable.
type cleared struct {
	Price     float64    `json:"price_usd_mwh"`
	Hashprice float64    `json:"hashprice_usd_ph_day"`
	Marginal  float64    `json:"marginal_usd_mwh"`
	Offers    []offerOut `json:"offers"`
	Awards    []awardOut `json:"awards"`
	Nodes     []nodeOut  `json:"nodes"`
}

type offerOut struct {
	Load   string     `json:"load"`
	Node   string     `json:"node"`
	Class  string     `json:"class"` // firm, flexible
	Blocks []blockOut `json:"blocks"`
	FixedW float64    `json:"fixed_w"`
}

type blockOut struct {
	PowerW float64 `json:"power_w"`
	Value  float64 `json:"value_usd_mwh"`
}

type awardOut struct {
	Load   string      `json:"load"`
	PowerW float64     `json:"power_w"`
	FullW  float64     `json:"full_w"`
	Reason site.Reason `json:"reason"`
}

type nodeOut struct {
	ID      string   `json:"id"`
	UsedW   float64  `json:"used_w"`
	CapW    *float64 `json:"cap_w"` // null: none
	Shadow  float64  `json:"shadow_usd_mwh"`
	Binding bool     `json:"binding"`
}

type clearFlags struct {
	price, hashprice string
	draws, limits    []string
}

func (c *cli) clearCmd() *cobra.Command {
	var in clearFlags
	cmd := &cobra.Command{
		Use:   "clear FILE --price $/MWh [--hashprice $/PH/day]",
		Short: "Clear a site's market once, from its file alone",
		Long: `Give out a site's power at a price, as the running site would: offers, awards, reasons,
marginal price and nodes. No device is touched and nothing is read but the site file: groups
offer their nameplates, tenants what they have contracted. Standing limits of the file
apply, timed ones do not; the control margin is kept free below every limit.`,
		Example: "  switchyard clear site.yaml --price 45 --hashprice 50 -o json\n" +
			"  switchyard clear site.yaml --price 45 --limit hall-a=800kW --tenant-draw acme=1.2MW",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return c.clear(args[0], in) },
	}
	f := cmd.Flags()
	f.StringVar(&in.price, "price", "", "what a MWh costs here, in $/MWh, delivery included")
	f.StringVar(&in.hashprice, "hashprice", "", "what a PH/s earns in a day, in $/PH/day (default: the site file's, if it is fixed there)")
	f.StringArrayVar(&in.draws, "tenant-draw", nil, "NAME=POWER that is kept for a tenant instead of all that is firm, in MW or with a unit (may repeat)")
	f.StringArrayVar(&in.limits, "limit", nil, "NODE=POWER limit, in MW or with a unit (may repeat)")
	_ = cmd.MarkFlagRequired("price") // the flag is there
	return cmd
}

func (c *cli) clear(path string, in clearFlags) error {
	f, err := loadSite(path)
	if err != nil {
		return err
	}
	price, err := quantity(in.price, "$/MWh", (*unit.Price).UnmarshalText)
	if err != nil {
		return badInput("--price: %w", err)
	}
	var hashprice unit.Hashprice
	switch fixed := f.Market.Bitcoin.Hashprice; {
	case in.hashprice != "":
		if hashprice, err = quantity(in.hashprice, "$/PH/day", (*unit.Hashprice).UnmarshalText); err != nil {
			return badInput("--hashprice: %w", err)
		}
	case fixed != nil:
		hashprice = *fixed
	default:
		return badInput("%s names no fixed hashprice: give one with --hashprice, such as --hashprice 50", path)
	}
	p, err := problem(f, price, hashprice, in)
	if err != nil {
		return err
	}
	out := describeClearing(p, dispatch.Clear(p), hashprice)
	if c.json() {
		return c.printJSON(out)
	}
	c.printCleared(out)
	return nil
}

// quantity reads a bare number in the unit, or a number with a unit of its own.
func quantity[T any](s, bare string, read func(*T, []byte) error) (v T, err error) {
	s = strings.TrimSpace(s)
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		s += " " + bare
	}
	err = read(&v, []byte(s))
	return v, err
}

// problem makes the clearing of a site as its file has it.
func problem(f *sitefile.File, price unit.Price, hashprice unit.Hashprice, in clearFlags) (dispatch.Problem, error) {
	p := dispatch.Problem{Price: price, PriceKnown: true}
	var err error
	if p.Tree, err = f.Tree(); err != nil {
		return p, err
	}
	draws, err := pairs(in.draws, "--tenant-draw")
	if err != nil {
		return p, err
	}
	for _, t := range f.Tenants {
		keep := t.Firm
		if d, ok := draws[t.ID]; ok {
			keep = d
			delete(draws, t.ID)
		}
		node, _ := p.Tree.Index(site.NodeID(t.Node)) // the file's check has found it
		p.Offers = append(p.Offers, dispatch.TenantOffer(site.LoadID(t.ID), node, keep, t.Penalty))
	}
	for name := range draws {
		return p, withCode(exitNotFound, "--tenant-draw: there is no tenant %q in the site file", name)
	}
	for _, g := range f.Groups {
		node, _ := p.Tree.Index(site.NodeID(g.Node))
		p.Offers = append(p.Offers, nameplateOffer(g, node, hashprice))
	}
	p.Caps, err = caps(f, p.Tree, in.limits)
	return p, err
}

// nameplateOffer is a group's offer while nothing is known of its miners: all awake at their
// nameplate, and no cost of switching, for who would have to be switched is not known.
func nameplateOffer(g sitefile.Group, node int, hashprice unit.Hashprice) site.Offer {
	n := len(g.Targets())
	ms := make([]dispatch.Machine, n)
	for i := range ms {
		ms[i] = dispatch.Machine{Power: g.Nameplate, Standby: g.Standby, Hashrate: g.Hashrate, Running: true}
	}
	return dispatch.MiningOffer(site.LoadID(g.ID), node, ms, dispatch.MiningTerms{
		Hashprice: hashprice, Fee: g.PoolFee, MinRun: g.MinRun, Fixed: unit.Power(n) * g.Standby,
	})
}

// caps bounds every node: its own limit, the file's standing limits and the flags', less the margin.
func caps(f *sitefile.File, tree *site.Tree, flags []string) ([]unit.Power, error) {
	out := make([]unit.Power, tree.Len())
	for i := range out {
		out[i] = -1
		if l := tree.Node(i).Limit; l > 0 {
			out[i] = l
		}
	}
	bound := func(node string, p unit.Power) bool {
		i, ok := tree.Index(site.NodeID(node))
		if ok && (out[i] < 0 || p < out[i]) {
			out[i] = p
		}
		return ok
	}
	for _, l := range f.Limits {
		if l.Daily == nil && l.From.IsZero() && l.To.IsZero() {
			bound(l.Node, l.Power)
		}
	}
	limits, err := pairs(flags, "--limit")
	if err != nil {
		return nil, err
	}
	for node, p := range limits {
		if !bound(node, p) {
			return nil, withCode(exitNotFound, "--limit: there is no node %q in the site file", node)
		}
	}
	for i, p := range out {
		if p > 0 {
			out[i] = p - p.Scale(float64(f.Control.Margin))
		}
	}
	return out, nil
}

// pairs reads NAME=POWER flags.
func pairs(flags []string, flag string) (map[string]unit.Power, error) {
	out := map[string]unit.Power{}
	for _, s := range flags {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, badInput("%s: %q is not NAME=POWER; write it like %s hall-a=800kW", flag, s, flag)
		}
		p, err := quantity(value, "MW", (*unit.Power).UnmarshalText)
		switch {
		case err != nil:
			return nil, badInput("%s %s: %w", flag, name, err)
		case p < 0:
			return nil, badInput("%s %s: %s is less than nothing", flag, name, p)
		}
		out[name] = p
	}
	return out, nil
}

func describeClearing(p dispatch.Problem, r dispatch.Result, hashprice unit.Hashprice) cleared {
	out := cleared{
		Price: p.Price.DollarsPerMWh(), Hashprice: hashprice.DollarsPerPHDay(), Marginal: r.Marginal.DollarsPerMWh(),
		Offers: []offerOut{}, Awards: []awardOut{}, Nodes: []nodeOut{},
	}
	for _, o := range p.Offers {
		v := offerOut{Load: string(o.Load), Node: string(p.Tree.Node(o.Node).ID), Class: o.Class.String(), Blocks: []blockOut{}, FixedW: o.Fixed.Watts()}
		for _, b := range o.Blocks {
			v.Blocks = append(v.Blocks, blockOut{b.Power.Watts(), b.Value.DollarsPerMWh()})
		}
		out.Offers = append(out.Offers, v)
	}
	for _, a := range r.Awards {
		out.Awards = append(out.Awards, awardOut{string(a.Load), a.Power.Watts(), a.Full.Watts(), a.Reason})
	}
	for i, n := range r.Nodes {
		v := nodeOut{ID: string(p.Tree.Node(i).ID), UsedW: n.Used.Watts(), Shadow: n.Shadow.DollarsPerMWh(), Binding: n.Binding}
		if n.Cap >= 0 {
			w := n.Cap.Watts()
			v.CapW = &w
		}
		out.Nodes = append(out.Nodes, v)
	}
	return out
}

func (c *cli) printCleared(r cleared) {
	dollars := func(v float64) string { return unit.DollarsPerMWh(v).Short() }
	c.say("Power at %s $/MWh, hashprice %s $/PH/day; one more MWh at the connection is worth %s $.",
		dollars(r.Price), strconv.FormatFloat(r.Hashprice, 'f', -1, 64), dollars(r.Marginal))
	c.say("\nOffers")
	g := newGrid("load", "node", "class", ">power", ">$/MWh", ">fixed")
	for _, o := range r.Offers {
		for i, b := range o.Blocks {
			fixed := ""
			if i == 0 {
				fixed = unit.Watts(o.FixedW).Short()
			}
			g.add(o.Load, o.Node, o.Class, unit.Watts(b.PowerW).Short(), dollars(b.Value), fixed)
		}
	}
	g.print(c.out, 2)
	c.say("\nAwards")
	g = newGrid("load", ">given", ">of", "why")
	for _, a := range r.Awards {
		g.add(a.Load, unit.Watts(a.PowerW).Short(), unit.Watts(a.FullW).Short(), a.Reason.Text)
	}
	g.print(c.out, 2)
	c.say("\nNodes")
	g = newGrid("node", ">used", ">cap", ">$/MWh more", "")
	for _, n := range r.Nodes {
		limit, binds := "none", ""
		if n.CapW != nil {
			limit = power(n.CapW)
		}
		if n.Binding {
			binds = "binds"
		}
		g.add(n.ID, unit.Watts(n.UsedW).Short(), limit, dollars(n.Shadow), binds)
	}
	g.print(c.out, 2)
}
