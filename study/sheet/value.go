package sheet

import (
	"fmt"
	"strings"

	"switchyard/study/finance"
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/sheet/ref"
)

// e puts a prefix for # in a template.
func e(template, prefix string) string { return strings.ReplaceAll(template, "#", prefix) }

// sum adds up those of a sheet's rows that it has: each key with a sign before it, if that is minus, and <
// behind it for the month before. What an option does not know it need not add.
func (g *grid) sum(prefix string, keys ...string) string {
	var out strings.Builder
	for _, k := range keys {
		sign, key := "+", k
		if key[0] == '-' {
			sign, key = "-", key[1:]
		}
		if !g.has(prefix + strings.TrimSuffix(key, "<")) {
			continue
		}
		if sign == "-" || out.Len() > 0 {
			out.WriteString(sign)
		}
		out.WriteString("[" + prefix + key + "]")
	}
	if out.Len() == 0 {
		return "0"
	}
	return out.String()
}

func (p *project) sum(keys ...string) string { return p.g.sum(p.prefix, keys...) }

func (p *project) has(key string) bool { return p.g.has(p.prefix + key) }

// put adds a row of dollars, # in its template being the project's prefix.
func (p *project) put(key, label, template, how string) {
	p.g.row(p.prefix+key, label, "$", dollars, true, always(e(template, p.prefix)), how)
}

// owed is put for a balance.
func (p *project) owed(key, label, template, how string) {
	p.g.row(p.prefix+key, label, "$", dollars, false, always(e(template, p.prefix)), how)
}

// plain is put for what is neither.
func (p *project) plain(key, label, unit, template, how string) {
	p.g.row(p.prefix+key, label, unit, plain, false, always(e(template, p.prefix)), how)
}

// once is put for one figure.
func (p *project) once(key, label, unit string, s style, template, how string) {
	p.g.scalar(p.prefix+key, label, unit, s, e(template, p.prefix), how)
}

// linesOf are the keys of the flows' lines from one to another.
func linesOf(from, to flow.Line) (out []string) {
	for l := from; l <= to; l++ {
		out = append(out, l.Key())
	}
	return out
}

// value writes what does not depend on who pays: EBITDA, tax without debt, the free cash flow.
func (p *project) value() {
	p.put("revenue", "Revenue", p.sum(linesOf(flow.Mining, flow.Blocks)...), "")
	p.put("costs", "Costs of operation", p.sum(linesOf(flow.PoolFee, flow.Fixed)...), "")
	p.put("ebitda", "EBITDA", "[#revenue]+[#costs]", "")
	p.put("flow", "… with what tenants pay ahead and have credited", p.sum("ebitda", "prepaid", "tenant_capex", "tenant_interest"), "")
	if p.has("building") || p.has("machines") {
		p.put("capex", "Capex", p.sum("building", "machines"), "")
	}
	p.lapse()
	p.basis()
	lost := ""
	if p.has("sale") && p.has("basis") {
		lost = "-IF([#sale]<>0,[#basis_before],0)"
	}
	p.put("profit", "Taxable profit without debt", p.sum("ebitda", "tenant_interest", "released", "sale", "resale", "-written_b", "-written_m")+lost, "")
	p.taxed("", "[#profit]")
	p.put("free", "Free cash flow after tax", p.sum("flow", "capex", "sale", "resale", "warrants", "-tax"), "before financing")
	p.once("npv", "Its net present value", "$", dollars, "SUMPRODUCT([#free*],[World!factor*])", "")
}

// lapse writes what is owed to the tenant, and what of it is left at the end.
func (p *project) lapse() {
	if !p.has("prepaid") && !p.has("tenant_capex") {
		return
	}
	fails := ""
	if p.g.has("failed") {
		fails = ",AND([failed$0]=1,[k]=[ends$0])"
	}
	end := fmt.Sprintf("OR([World!t]=%s,[World!t]=%d%s)", p.last, p.b.months-1, fails)
	for _, k := range [][2]string{{"prepaid", "Prepaid, owed"}, {"tenant_capex", "Tenant's capex, owed"}} {
		if p.has(k[0]) {
			p.owed(k[0]+"_owed", k[1], "IF("+end+",0,[#"+k[0]+"_owed<]+[#"+k[0]+"])", "")
		}
	}
	p.put("released", "Released to income", "IF("+end+","+p.sum("prepaid_owed<", "prepaid", "tenant_capex_owed<", "tenant_capex")+",0)", "what is left of both at the end")
}

// basis writes what tax law lets be written off of building and machines.
func (p *project) basis() {
	if !p.has("capex") {
		return
	}
	var off []string
	for _, k := range [][3]string{{"building", "b", "Building"}, {"machines", "m", "Machines"}} {
		if !p.has(k[0]) {
			continue
		}
		placed := "-[#" + k[0] + "]"
		if p.operate != "0" {
			placed = "IF([World!t]<" + p.operate + ",0,IF([World!t]=" + p.operate + ",-SUM([#" + k[0] + "..]),-[#" + k[0] + "]))"
		}
		p.put("placed_"+k[1], k[2]+" put to use", placed, "")
		p.written("written_"+k[1], "… written off by tax law", "placed_"+k[1], k[0])
		off = append(off, "-written_"+k[1])
	}
	before := p.sum(append([]string{"-capex"}, off...)...)
	if !p.has("sale") {
		p.owed("basis", "Tax basis", "[#basis<]"+before, "")
		return
	}
	p.owed("basis_before", "Tax basis before a sale", "[#basis<]"+before, "")
	p.owed("basis", "Tax basis", "IF([#sale]<>0,0,[#basis_before])", "")
}

// written writes what tax law writes off in a month of what was put to use until then: each year's share
// evenly over its months.
func (p *project) written(key, label, placed, kind string) {
	shares, n := p.b.taxTable(kind), p.g.rows[p.prefix+placed]
	months := p.b.months
	p.g.row(p.prefix+key, label, "$", dollars, true, func(t int) string {
		return fmt.Sprintf("SUMPRODUCT(%s,%s)", ref.Range(0, t, n), ref.On(taxSheet, ref.Fixed(2+months-1-t, shares)+":"+ref.Fixed(2+months-1, shares)))
	}, "")
}

// taxed writes losses carried forward and the tax of a profit: of the tax year's income to each month, of which
// the month bears what is owed more than with the month before.
func (p *project) taxed(kind, profit string) {
	in := p.b.figures(general, "")
	rate := in.ratio("tax", "Tax", p.b.f.Tax.Rate)
	if p.b.f.Tax.Losses == input.Relief {
		p.put(kind+"tax", "Tax", rate+"*"+profit, "a loss saves it at once")
		return
	}
	limit := in.ratio("loss_limit", "Share of a year's income that losses may cover", p.b.f.Tax.LossLimit)
	put := func(key, label, template, how string) {
		p.owed(kind+key, label, strings.ReplaceAll(template, "[@", "[#"+kind), how)
	}
	const fresh = "IF([World!new_year]=1,"
	put("income", "Income of the tax year so far", fresh+"0,[@income<])+"+profit, "")
	put("brought", "Losses of earlier years", fresh+"[@losses_left<],[@brought<])", "")
	put("covers", "… that cover its income", "IF([@income]>0,MIN([@brought]+0,"+limit+"*[@income]),0)", "")
	put("losses_left", "Losses left", "[@brought]+MAX(0,-[@income])-[@covers]", "this year's included")
	put("owes", "Tax of the year so far", rate+"*MAX(0,[@income]-[@covers])", "")
	p.put(kind+"losses_used", "Losses used", "[#"+kind+"covers]-"+fresh+"0,[#"+kind+"covers<])", "")
	p.put(kind+"tax", "Tax", "[#"+kind+"owes]-"+fresh+"0,[#"+kind+"owes<])", "more than with the month before")
}

const taxSheet = "Tax"

// taxTable writes the tables of tax law once, and returns the row in which a kind's stands by months,
// the first last: so a month's costs and what is written off of them lie side by side.
func (b *book) taxTable(kind string) (row int) {
	if !b.sheets[strings.ToLower(taxSheet)] {
		b.sheet(taxSheet)
		b.text(taxSheet, 1, 1, "Year", heading)
		for y := range b.f.Years {
			b.text(taxSheet, y+2, 1, fmt.Sprint(y+1), heading)
		}
		b.keep(b.file.SetColWidth(taxSheet, "A", "A", 52))
		b.oneTable(2, "building", b.f.Tax.Building)
		b.oneTable(4, "machines", b.f.Tax.Machines)
	}
	return map[string]int{"building": 3, "machines": 5}[kind]
}

func (b *book) oneTable(row int, what, kind string) {
	shares, err := finance.MACRS(kind)
	b.keep(err)
	b.text(taxSheet, 1, row, "Share of the cost of "+what+" ("+kind+") by year", words)
	b.text(taxSheet, 1, row+1, "… by month, the last of the study first", words)
	for y := range b.f.Years {
		v := 0.0
		if y < len(shares) {
			v = shares[y]
		}
		b.number(taxSheet, y+2, row, v, inPercent)
	}
	b.mark(taxSheet, 2, row, shares[:min(len(shares), b.f.Years)], false)
	for t := range b.months {
		b.formula(taxSheet, b.months+1-t, row+1, ref.Fixed(2+t/12, row)+"/12", plain)
	}
}
