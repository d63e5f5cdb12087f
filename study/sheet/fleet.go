package sheet

import (
	"fmt"
	"strings"

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

// fleet writes a hall's mining.
func (b *book) fleet(hall int) *grid {
	f, h := b.f, &b.f.Halls[hall]
	g := b.grid("Mine_" + h.ID)
	mw := b.hallPower(hall)
	var all []string
	for i := range f.Halls {
		all = append(all, b.hallPower(i))
	}
	g.head("Hall " + h.ID)
	g.scalar("share", "Share of fixed-price power", "x", plain, "IF("+total(all)+">0,"+mw+"/("+total(all)+"),0)", "by power")
	g.row("covered", "Fixed-price power without resale", "MW", plain, false, always("[World!covered]*[share$0]"), "")
	m := fleet{b: b, g: g, of: b.figures(halls, h.ID), hall: h, mw: mw}
	for i := range h.Fleet {
		if k := &h.Fleet[i]; k.Count > 0 && k.Power > 0 && k.Hash > 0 {
			m.machines(i)
		}
	}
	m.merit()
	m.sumUp()
	return g
}

// fleet is a hall's mining that is being written.
type fleet struct {
	b      *book
	g      *grid
	of     figures
	hall   *input.Hall
	mw     string // power of the hall
	models []model
	blocks []block
}

// model is machines of one kind: what their rows begin with, and the names of their figures.
type model struct {
	key, title, name       string
	count, kw, uptime, fee string
	renewed                bool
}

// block is a part of their power that is worth running by itself.
type block struct{ key, fee string }

func (m *fleet) add(k *model, what, label, unit string, v float64, s style, from, source string) string {
	return m.of.add(k.name+what, k.title+": "+label, unit, v, s, from, source)
}

func (m *fleet) ratio(k *model, what, label string, r input.Ratio) string {
	return m.of.ratio(k.name+what, k.title+": "+label, r)
}

// machines writes the rows of machines of one model, and of each of their blocks.
func (m *fleet) machines(i int) {
	in, g := &m.hall.Fleet[i], m.g
	k := model{key: fmt.Sprintf("m%d", i+1), title: in.Model, name: fmt.Sprintf("machines%d_", i+1)}
	if k.title == "" {
		k.title = fmt.Sprintf("machines %d", i+1)
	}
	bare := func(what, key, label, unit string, v float64, s style) string {
		from, source := m.b.toldOf("halls[%d].fleet[%d].%s", m.b.f.HallIndex(m.hall.ID), i, key)
		return m.add(&k, what, label, unit, v, s, from, source)
	}
	k.count = bare("count", "count", "how many", "", float64(in.Count), whole)
	th := bare("th", "hashrate", "hashrate of one", "TH/s", in.Hash.TH(), plain)
	k.kw = bare("kw", "power", "power of one", "kW", in.Power.Watts()/1000, plain)
	k.uptime, k.fee = m.ratio(&k, "uptime", "uptime", in.Uptime), m.ratio(&k, "fee", "pool's fee", in.Fee)
	resale, from, source := figureOf(in.Resale)
	price := m.add(&k, "resale", "resale at the start", "$/TH", float64(resale), plain, from, source)
	decay := m.ratio(&k, "decay", "resale value lost a year", in.Decay)
	pue := m.b.figures(site, "").number("mining_pue", "PUE of mining halls", "x", m.b.f.Site.MiningPUE)
	g.head(m.hall.ID + ": " + k.title)
	g.scalar(k.key+"_full", "Full draw, cooling included", "MW", plain, k.count+"*"+k.kw+"/1000*"+pue, "")
	if r := in.Renew; r != nil && r.Every > 0 && r.Efficiency != nil && r.Efficiency.Is > 0 {
		k.renewed = true
		m.renewed(&k, r, th, price, decay)
	} else {
		g.row(k.key+"_th", "Hashrate at full power", "TH/s", plain, false, always(k.count+"*"+th), "")
		g.row(k.key+"_resale", "Resale value", "$", dollars, false, always(e(price+"*[#_th]*EXP(-"+decay+"*[World!t]/12)", k.key)), "at the month's beginning")
	}
	m.models = append(m.models, k)
	m.steps(&k, in)
}

// renewed writes machines that are replaced every so many months.
func (m *fleet) renewed(k *model, r *input.Renewal, th, price, decay string) {
	every := m.add(k, "renew_every", "renewed every", "months", float64(r.Every), whole, "", "0: never")
	j, from, source := figureOf(r.Efficiency)
	efficiency := m.add(k, "renew_j_th", "new machines, if bought at the start", "J/TH", float64(j), plain, from, source)
	perTH, from, source := figureOf(r.Price)
	cost := m.add(k, "renew_price", "their price", "$/TH", float64(perTH), plain, from, source)
	row := func(what, label, unit string, s style, sums bool, first, then, how string) {
		m.g.row(k.key+what, label, unit, s, sums, begins(e(first, k.key), e(then, k.key)), how)
	}
	row("_new", "Renewed", "", whole, false, "0", fmt.Sprintf("IF(%[1]s>0,IF(MOD([World!t],MAX(1,%[1]s))=0,1,0),0)", every), "1: in this month")
	row("_better", "Machines' improvement", "x", plain, false, "1", "(1-"+m.b.improvement()+")^([World!t]/12)", "")
	row("_th", "Hashrate at full power", "TH/s", plain, false, k.count+"*"+th, "IF([#_new]=1,"+k.count+"*"+k.kw+"*1000/"+efficiency+"/[#_better],[#_th<])", "")
	row("_price", "Their price when new", "$/TH", plain, false, price, "IF([#_new]=1,"+cost+"*[#_better],[#_price<])", "")
	row("_since", "Bought in month", "", whole, false, "0", "IF([#_new]=1,[World!t],[#_since<])", "")
	row("_resale", "Resale value", "$", dollars, false, "[#_price]*[#_th]", "[#_price<]*[#_th<]*EXP(-"+decay+"*([World!t]-[#_since<])/12)", "at the month's beginning")
	row("_sold", "Sold for new ones", "$", dollars, true, "0", "IF([#_new]=1,[#_resale],0)", "")
	row("_bought", "New ones", "$", dollars, true, "0", "IF([#_new]=1,-[#_price]*[#_th],0)", "")
}

// steps writes the blocks of a model.
func (m *fleet) steps(k *model, in *input.Machines) {
	for n, s := range steps(in) {
		b := block{fmt.Sprintf("%sb%d", k.key, n+1), k.fee}
		part := func(what string, share float64) string {
			return m.add(k, fmt.Sprintf("step%d_%s", n+1, what), fmt.Sprintf("step %d of its modes, %s", n+1, what), "", share, percent, "", "from its modes")
		}
		power, hash := part("power", s.power), part("hashrate", s.hash)
		m.g.scalar(b.key+"_most", fmt.Sprintf("Block %d: draw of all at work", n+1), "MW", plain, "["+k.key+"_full$0]*"+power, "")
		m.g.scalar(b.key+"_mw", "… as uptime leaves it", "MW", plain, "["+b.key+"_most$0]*"+k.uptime, "")
		m.g.row(b.key+"_ph", "… hashrate", "PH/s", plain, false, always("["+k.key+"_th]*"+k.uptime+"*"+hash+"/1000"), "")
		m.g.row(b.key+"_worth", "… a MWh is worth", "$/MWh", plain, false, always(e("IF([#_mw$0]>0,[World!hashprice]*[#_ph]*(1-"+k.fee+")/(24*[#_mw$0]),0)", b.key)), "after the pool's fee")
		m.blocks = append(m.blocks, b)
	}
}

// capture is the share of perfect curtailment's gain that the site makes, and programmes what it is
// paid for curtailing.
func (b *book) capture() (capture, programmes string) {
	of, p := b.figures(power, ""), b.f.Power
	share, from, source := 1.0, "", "perfect, for neither the file nor a backtest says"
	income, incomeFrom, incomeSource := 0.0, "", ""
	if k := b.f.Backtest; k != nil {
		share, from, source = k.Capture, "measured", k.File
		income, incomeFrom, incomeSource = k.Income/12, "measured", k.File
	}
	if p.Capture != nil {
		share, from, source = float64(p.Capture.Is), string(p.Capture.From), p.Capture.Source
	}
	if p.Programmes != nil {
		income, incomeFrom, incomeSource = p.Programmes.Is.DollarsPerKWMonth()*1000, string(p.Programmes.From), p.Programmes.Source
	}
	return of.add("capture", "Share of perfect curtailment's gain", "", share, percent, from, source),
		of.add("programmes", "Curtailment programmes, per MW that mines", "$/MW-month", income, plain, incomeFrom, incomeSource)
}

// merit writes what of each block runs, and what that brings.
func (m *fleet) merit() {
	g := m.g
	capture, programmes := m.b.capture()
	for i, p := range m.blocks {
		put := func(what, label, unit string, s style, sums bool, template, how string) {
			g.row(p.key+what, label, unit, s, sums, always(e(template, p.key)), how)
		}
		g.head("What runs of block " + p.key)
		var before []string // covered power goes to the blocks that are worth most
		for j, o := range m.blocks {
			sign := ">"
			if j < i {
				sign = ">="
			}
			if j != i {
				before = append(before, fmt.Sprintf("IF([%s_worth]%s[#_worth],[%s_mw$0],0)", o.key, sign, o.key))
			}
		}
		put("_free", "Covered by fixed-price power", "MW", plain, false, "MAX(0,MIN([covered]-("+total(before)+"),[#_mw$0]))", "the best blocks first")
		g.below(p.key, "["+p.key+"_worth]")
		put("_always", "Share of what runs in all hours", "x", plain, false, "IF([#_worth]>=[World!mean],1-"+capture+",0)", "where curtailment is missed")
		free := func(of string) string { return "IF([#_worth]>=[World!adder]," + of + ",0)" }
		put("_run", "Mean draw", "MW", plain, false, "([#_mw$0]-[#_free])*([#_share]*"+capture+"+[#_always])+"+free("[#_free]"), "")
		put("_cost", "Energy", "$", dollars, true, "[World!hours]*(([#_mw$0]-[#_free])*([#_sum]*"+capture+"+[#_always]*[World!mean])+"+free("[#_free]*[World!adder]")+")", "")
		put("_revenue", "Bitcoin mined", "$", dollars, true, "IF([#_mw$0]>0,[World!hashprice]*[World!hours]/24*[#_ph]*[#_run]/[#_mw$0],0)", "")
		put("_on", "Earns its month's charges", "", whole, false,
			"IF(OR([#_run]<=0,[#_revenue]*(1-"+p.fee+")-[#_cost]+[#_run]*"+programmes+"-[#_most$0]*[World!charge]<0),0,1)", "1: it runs")
	}
}

// sumUp writes the hall's mining as lines of the flows.
func (m *fleet) sumUp() {
	_, programmes := m.b.capture()
	put := func(key, label string, sums bool, parts []string, how string) {
		m.g.row(key, label, "$", dollars, sums, always(total(parts)), how)
	}
	blocks := func(template string) (parts []string) {
		for _, p := range m.blocks {
			parts = append(parts, strings.ReplaceAll(e(template, p.key), "FEE", p.fee))
		}
		return parts
	}
	models := func(what string, renewed bool) (parts []string) {
		for _, k := range m.models {
			if k.renewed || !renewed {
				parts = append(parts, "["+k.key+what+"]")
			}
		}
		return parts
	}
	m.g.head("Mining of the hall")
	put("mining", "Bitcoin mined", true, blocks("[#_on]*[#_revenue]"), "")
	put("pool_fee", "Pool fees", true, blocks("-[#_on]*[#_revenue]*FEE"), "")
	put("energy", "Energy", true, blocks("-[#_on]*[#_cost]"), "")
	put("demand", "Demand and peak charges", true, blocks("-[#_on]*[#_most$0]*[World!charge]"), "")
	put("programmes", "Curtailment programmes", true, blocks("[#_on]*[#_run]*"+programmes), "")
	put("blocks", "Fixed-price power against the market", true, []string{"[World!blocks]*[share$0]"}, "")
	var keeps []string
	if len(m.models) > 0 {
		upkeep := m.of.rent("mining_upkeep", "upkeep of mining", m.hall.Upkeep)
		keeps = []string{"-" + upkeep + "*1000*" + m.mw + "*[World!dollar]"}
	}
	put("upkeep", "Upkeep", true, keeps, "of the hall's power, if anything mines")
	put("machines", "New machines", true, models("_bought", true), "")
	put("resale", "Machines sold for new ones", true, models("_sold", true), "")
	put("value", "What all would fetch", false, models("_resale", false), "at the month's beginning")
	m.g.row("mwh", "Energy drawn", "MWh", plain, true, always(total(blocks("[#_on]*[#_run]*[World!hours]"))), "")
}
