package sheet

import (
	"fmt"
	"slices"

	"switchyard/study/input"
)

// step is a part of a machine's power and hashrate, as shares of its full mode's.
type step struct{ power, hash float64 }

// steps are the parts of a machine that are worth running by themselves, the best first: the upper
// hull of its modes and of rest.
func steps(m *input.Machines) []step {
	points := []step{{1, 1}}
	for _, c := range m.Curve {
		points = append(points, step{float64(c.Power) / float64(m.Power), float64(c.Hash) / float64(m.Hash)})
	}
	var out []step
	at := step{}
	for at.power < 1 {
		best, slope := step{}, -1.0
		for _, p := range points {
			if p.power <= at.power {
				continue
			}
			if s := (p.hash - at.hash) / (p.power - at.power); s > slope || s == slope && p.power > best.power {
				best, slope = p, s
			}
		}
		if slope <= 0 {
			break
		}
		out = append(out, step{best.power - at.power, best.hash - at.hash})
		at = best
	}
	return out
}

// fleet writes a hall's mining, and returns the sheet's name.
func (b *book) fleet(hall int) *grid {
	f, h := b.f, &b.f.Halls[hall]
	g := b.grid("Mine_"+notName.ReplaceAllString(h.ID, "_"), f.Years*12)
	mw := b.power(named("hall", h.ID, "mw"), "Power of hall "+h.ID, h.Power)
	var all []string
	for i := range f.Halls {
		all = append(all, b.power(named("hall", f.Halls[i].ID, "mw"), "Power of hall "+f.Halls[i].ID, f.Halls[i].Power))
	}
	g.head("Hall " + h.ID)
	g.row("share", "Share of fixed-price power", "", plain, false, always("IF("+join(all, "+")+">0,"+mw+"/("+join(all, "+")+"),0)"), "by power")
	g.row("covered", "Fixed-price power without resale", "MW", plain, false, always("[World!covered]*[share]"), "")
	avoided := b.ratio("in_coincident_avoided", "Coincident peaks avoided by mining", f.Power.Avoided)
	g.row("charge", "Charges per MW of full draw", "$", plain, false, always("[World!demand]+[World!coincident]*(1-"+avoided+")"), "")
	var blocks []piece
	for i := range h.Fleet {
		if m := &h.Fleet[i]; m.Count > 0 && m.Power > 0 && m.Hash > 0 {
			blocks = append(blocks, b.machines(g, h, i)...)
		}
	}
	b.merit(g, blocks)
	b.sumUp(g, h, blocks, mw)
	return g
}

// piece is a block of machines on the sheet: the prefix of its rows, and its group's.
type piece struct{ key, group, fee string }

// machines writes the rows of machines of one model, and of each of their blocks.
func (b *book) machines(g *grid, h *input.Hall, i int) []piece {
	m, f := &h.Fleet[i], b.f
	label, key := fmt.Sprintf("%s %s", h.ID, m.Model), fmt.Sprintf("g%d", i+1)
	name := func(what string) string { return named(h.ID, fmt.Sprint(i+1), what) }
	count := b.input(name("count"), label+": machines", "", float64(m.Count), whole, "", "")
	th, kw := b.input(name("th"), label+": hashrate of one", "TH/s", m.Hash.TH(), plain, "", ""), b.input(name("kw"), label+": power of one", "kW", m.Power.Watts()/1000, plain, "", "")
	uptime, fee := b.ratio(name("uptime"), label+": uptime", m.Uptime), b.ratio(name("fee"), label+": pool's fee", m.Fee)
	resale, from, source := figureOf(m.Resale)
	price := b.input(name("resale"), label+": resale today", "$/TH", float64(resale), plain, from, source)
	decay := b.ratio(name("decay"), label+": resale value lost a year", m.Decay)
	pue, improvement := b.number("in_mining_pue", "PUE of mining halls", "", f.Site.MiningPUE), b.ratio("in_improvement", "Machines improve a year", f.Bitcoin.Improvement)
	every, newJ, newPrice := 0.0, 0.0, 0.0
	if r := m.Renew; r != nil && r.Efficiency != nil && r.Price != nil {
		every, newJ, newPrice = float64(r.Every), float64(r.Efficiency.Is), float64(r.Price.Is)
	}
	each := b.input(name("renew_every"), label+": renewed every", "months", every, whole, "", "0: never")
	j, perTH := b.input(name("renew_j_th"), label+": new machines, bought at the start", "J/TH", newJ, plain, "", ""), b.input(name("renew_price"), label+": their price", "$/TH", newPrice, plain, "", "")
	g.head(label)
	g.row(key+"_new", "Renewed", "", whole, false, begins("0", fmt.Sprintf("IF(%[1]s>0,IF(MOD([World!t],%[1]s)=0,1,0),0)", each)), "")
	g.row(key+"_better", "Machines' improvement", "x", plain, false, always("(1-"+improvement+")^([World!t]/12)"), "")
	g.row(key+"_th", "Hashrate at full power", "TH/s", plain, false, begins(count+"*"+th, fmt.Sprintf("IF([%[1]s_new]=1,%[2]s*%[3]s*1000/%[4]s/[%[1]s_better],[%[1]s_th<])", key, count, kw, j)), "")
	g.row(key+"_price", "Their price when new", "$/TH", plain, false, begins(price, fmt.Sprintf("IF([%[1]s_new]=1,%[2]s*[%[1]s_better],[%[1]s_price<])", key, perTH)), "")
	g.row(key+"_since", "Bought in month", "", whole, false, begins("0", fmt.Sprintf("IF([%[1]s_new]=1,[World!t],[%[1]s_since<])", key)), "")
	g.row(key+"_resale", "Resale value at the month's beginning", "$", dollars, false, begins(fmt.Sprintf("[%[1]s_price]*[%[1]s_th]", key),
		fmt.Sprintf("[%[1]s_price<]*[%[1]s_th<]*EXP(-%[2]s*([World!t]-[%[1]s_since<])/12)", key, decay)), "")
	g.row(key+"_sold", "Sold for new ones", "$", dollars, true, always(fmt.Sprintf("IF([%[1]s_new]=1,[%[1]s_resale],0)", key)), "")
	g.row(key+"_bought", "New ones", "$", dollars, true, always(fmt.Sprintf("IF([%[1]s_new]=1,-[%[1]s_price]*[%[1]s_th],0)", key)), "")
	g.row(key+"_full", "Full draw, cooling included", "MW", plain, false, always(count+"*"+kw+"/1000*"+pue), "")
	var out []piece
	for k, s := range steps(m) {
		p := piece{fmt.Sprintf("%sb%d", key, k+1), key, fee}
		power := b.input(name(fmt.Sprintf("step%d_power", k+1)), fmt.Sprintf("%s: part %d of its power", label, k+1), "", s.power, percent, "", "its modes")
		hash := b.input(name(fmt.Sprintf("step%d_hash", k+1)), fmt.Sprintf("%s: part %d of its hashrate", label, k+1), "", s.hash, percent, "", "its modes")
		g.row(p.key+"_mw", fmt.Sprintf("Block %d: draw", k+1), "MW", plain, false, always(fmt.Sprintf("[%s_full]*%s*%s", key, uptime, power)), "")
		g.row(p.key+"_most", "… of all at work", "MW", plain, false, always(fmt.Sprintf("[%s_full]*%s", key, power)), "")
		g.row(p.key+"_ph", "… hashrate", "PH/s", plain, false, always(fmt.Sprintf("[%s_th]*%s*%s/1000", key, uptime, hash)), "")
		g.row(p.key+"_worth", "… a MWh is worth", "$/MWh", plain, false, always(fmt.Sprintf("IF([%[1]s_mw]>0,[World!hashprice]*[%[1]s_ph]*(1-%[2]s)/(24*[%[1]s_mw]),0)", p.key, fee)), "")
		out = append(out, p)
	}
	return out
}

// merit writes what of each block runs, and what that brings.
func (b *book) merit(g *grid, blocks []piece) {
	capture := 1.0
	from, source := "", "perfect, for neither the file nor a backtest says"
	switch p := b.f.Power; {
	case p.Capture != nil:
		capture, from, source = float64(p.Capture.Is), string(p.Capture.From), p.Capture.Source
	case b.f.Backtest != nil:
		capture, from, source = b.f.Backtest.Capture, "measured", b.f.Backtest.File
	}
	capt := b.input("in_capture", "Share of perfect curtailment's gain", "", capture, percent, from, source)
	income := 0.0
	switch p := b.f.Power; {
	case p.Programmes != nil:
		income = p.Programmes.Is.DollarsPerKWMonth() * 1000
	case b.f.Backtest != nil:
		income = b.f.Backtest.Income / 12
	}
	programmes := b.input("in_programmes", "Curtailment programmes per MW that runs", "$/MW-month", income, plain, "", "")
	for i, p := range blocks {
		k := p.key
		g.head("What runs of block " + k)
		var before []string // covered power goes to the blocks that are worth most
		for j, o := range blocks {
			sign := ">"
			if j < i {
				sign = ">="
			}
			if j != i {
				before = append(before, fmt.Sprintf("IF([%s_worth]%s[%s_worth],[%s_mw],0)", o.key, sign, k, o.key))
			}
		}
		g.row(k+"_free", "Covered by fixed-price power", "MW", plain, false, always(fmt.Sprintf("MAX(0,MIN([covered]-(%s),[%s_mw]))", join(before, "+"), k)), "")
		g.below(k, "Hours that pay", "["+k+"_worth]")
		worth := fmt.Sprintf("IF([%s_worth]>=[World!mean],1-%s,0)", k, capt)
		g.row(k+"_run", "Mean draw", "MW", plain, false, always(fmt.Sprintf("([%[1]s_mw]-[%[1]s_free])*([%[1]s_share]*%[2]s+%[3]s)+IF([%[1]s_worth]>=[World!adder],[%[1]s_free],0)", k, capt, worth)), "")
		g.row(k+"_cost", "Energy", "$", dollars, true, always(fmt.Sprintf("[World!hours]*(([%[1]s_mw]-[%[1]s_free])*([%[1]s_sum]*%[2]s+%[3]s*[World!mean])+IF([%[1]s_worth]>=[World!adder],[%[1]s_free]*[World!adder],0))", k, capt, worth)), "")
		g.row(k+"_revenue", "Bitcoin mined", "$", dollars, true, always(fmt.Sprintf("IF([%[1]s_mw]>0,[World!hashprice]*[World!hours]/24*[%[1]s_ph]*[%[1]s_run]/[%[1]s_mw],0)", k)), "")
		g.row(k+"_on", "Earns its month's charges", "", whole, false, always(fmt.Sprintf(
			"IF(OR([%[1]s_run]<=0,[%[1]s_revenue]*(1-%[2]s)-[%[1]s_cost]+[%[1]s_run]*%[3]s-[%[1]s_most]*[charge]<0),0,1)", k, p.fee, programmes)), "1: it runs")
	}
}

// sumUp writes the hall's mining as lines of the flows.
func (b *book) sumUp(g *grid, h *input.Hall, blocks []piece, mw string) {
	upkeep := b.rent(named(h.ID, "mining_upkeep"), "Upkeep of mining in "+h.ID, h.Upkeep)
	sum := func(template string) func(int) string {
		var parts []string
		for _, p := range blocks {
			parts = append(parts, fmt.Sprintf(template, p.key, p.fee))
		}
		return always(join(parts, "+"))
	}
	var groups []string
	for _, p := range blocks {
		if !slices.Contains(groups, p.group) {
			groups = append(groups, p.group)
		}
	}
	byGroup := func(template string) func(int) string {
		var parts []string
		for _, k := range groups {
			parts = append(parts, fmt.Sprintf(template, k))
		}
		return always(join(parts, "+"))
	}
	g.head("Mining of the hall")
	g.row("mining", "Bitcoin mined", "$", dollars, true, sum("[%[1]s_on]*[%[1]s_revenue]"), "")
	g.row("pool_fee", "Pool fees", "$", dollars, true, sum("-[%[1]s_on]*[%[1]s_revenue]*%[2]s"), "")
	g.row("energy", "Energy", "$", dollars, true, sum("-[%[1]s_on]*[%[1]s_cost]"), "")
	g.row("demand", "Demand and peak charges", "$", dollars, true, sum("-[%[1]s_on]*[%[1]s_most]*[charge]"), "")
	g.row("programmes", "Curtailment programmes", "$", dollars, true, sum("[%[1]s_on]*[%[1]s_run]*in_programmes"), "")
	g.row("blocks", "Fixed-price power against the market", "$", dollars, true, always("[World!blocks]*[share]"), "")
	if len(groups) == 0 {
		g.row("upkeep", "Upkeep", "$", dollars, true, always("0"), "nothing mines")
	} else {
		g.row("upkeep", "Upkeep", "$", dollars, true, always("-"+upkeep+"*1000*"+mw+"*[World!dollar]"), "")
	}
	g.row("machines", "New machines", "$", dollars, true, byGroup("[%s_bought]"), "")
	g.row("resale", "Machines sold for new ones", "$", dollars, true, byGroup("[%s_sold]"), "")
	g.row("value", "What all would fetch", "$", dollars, false, byGroup("[%s_resale]"), "at the month's beginning")
	g.row("mwh", "Energy drawn", "MWh", plain, true, sum("[%[1]s_on]*[%[1]s_run]*[World!hours]"), "")
}
