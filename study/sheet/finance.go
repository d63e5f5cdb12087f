package sheet

import (
	"fmt"

	"switchyard/study/finance"
	"switchyard/study/input"
)

// taxes writes the tables of tax law once, and returns where they stand.
func (b *book) taxes() (building, machines []string) {
	const name = "Tax"
	building, machines = b.table(name, 2, "Building", b.f.Tax.Building), b.table(name, 3, "Machines", b.f.Tax.Machines)
	return building, machines
}

// table writes one table of depreciation: the share of the cost in each year.
func (b *book) table(sheet string, column int, label, kind string) (out []string) {
	shares, err := finance.MACRS(kind)
	b.keep(err)
	if !b.names["sheet "+sheet] {
		b.names["sheet "+sheet] = true
		_, err := b.file.NewSheet(sheet)
		b.keep(err)
		b.keep(b.file.SetCellStr(sheet, "A1", "Year"))
	}
	b.keep(b.file.SetCellStr(sheet, cell(column, 1), label+": "+kind))
	for i, v := range shares {
		b.keep(b.file.SetCellInt(sheet, cell(1, i+2), int64(i+1)))
		b.keep(b.file.SetCellFloat(sheet, cell(column, i+2), v, -1, 64))
		out = append(out, sheet+"!"+fixed(column, i+2))
	}
	return out
}

// written is what a table writes off in month t of what was placed in each month before: each year's
// share evenly over its months.
func (g *grid) written(placed string, table []string) func(t int) string {
	return func(t int) string {
		var parts []string
		for y, share := range table {
			if to := t - 12*y; to >= 0 {
				n := g.rows[placed]
				parts = append(parts, fmt.Sprintf("%s*SUM(%s:%s)", share, cell(firstMonth+max(0, to-11), n), cell(firstMonth+to, n)))
			}
		}
		return "(" + join(parts, "+") + ")/12"
	}
}

// base writes what does not depend on who pays: EBITDA, tax without debt, the free cash flow.
func (x *option) base(p, label string) {
	g, b := x.g, x.b
	building, machines := b.taxes()
	rate, limit := b.ratio("in_tax", "Tax", x.f.Tax.Rate), b.ratio("in_loss_limit", "Share of profit that losses may cover", x.f.Tax.LossLimit)
	dollar := func(key, label, template string) { x.row(p+key, label, template) }
	stays := func(key, label, first, then string) {
		g.row(p+key, label, "$", dollars, false, begins(first, then), "")
	}
	g.head("Value of " + label)
	dollar("ebitda", "EBITDA", sumOf(operating, p))
	dollar("cash", "… with what tenants pay ahead and have credited", e("[#ebitda]+[#prepaid]+[#tenant_capex]+[#tenant_interest]", p))
	dollar("capex", "Capex", e("[#building]+[#machines]", p))
	settles := e("OR([World!t]=[#last],[World!t]="+fmt.Sprint(x.f.Years*12-1)+")", p)
	stays("prepaid_owed", "Prepaid, owed", e("IF("+settles+",0,[#prepaid])", p), e("IF("+settles+",0,[#prepaid_owed<]+[#prepaid])", p))
	stays("tenant_owed", "Tenant's capex, owed", e("IF("+settles+",0,[#tenant_capex])", p), e("IF("+settles+",0,[#tenant_owed<]+[#tenant_capex])", p))
	g.row(p+"released", "Released to income", "$", dollars, true, begins(e("IF("+settles+",[#prepaid]+[#tenant_capex],0)", p),
		e("IF("+settles+",[#prepaid_owed<]+[#prepaid]+[#tenant_owed<]+[#tenant_capex],0)", p)), "left at the end")
	placed := func(of string) string {
		return e("IF([World!t]<[#operate],0,IF([World!t]=[#operate],-SUM([#"+of+"..]),-[#"+of+"]))", p)
	}
	dollar("placed_b", "Building put to use", placed("building"))
	dollar("placed_m", "Machines put to use", placed("machines"))
	g.row(p+"written_b", "Written off by tax law: building", "$", dollars, true, g.written(p+"placed_b", building), "")
	g.row(p+"written_m", "… machines", "$", dollars, true, g.written(p+"placed_m", machines), "")
	stays("basis_before", "Tax basis before a sale", e("-[#capex]-[#written_b]-[#written_m]", p), e("[#basis<]-[#capex]-[#written_b]-[#written_m]", p))
	dollar("basis", "Tax basis", e("IF([#sale]<>0,0,[#basis_before])", p))
	dollar("profit", "Taxable profit without debt", e("[#ebitda]+[#tenant_interest]+[#released]+[#sale]+[#resale]-IF([#sale]<>0,[#basis_before],0)-[#written_b]-[#written_m]", p))
	x.taxed(p, "", "[#profit]", rate, limit)
	dollar("free", "Free cash flow after tax", e("[#cash]+[#capex]+[#sale]+[#resale]+[#warrants]-[#tax]", p))
	g.row(p+"factor", "Discount factor", "", plain, false, always("(1+"+b.ratio("in_discount", "Discount rate", x.f.Discount)+")^(-([World!t]+1)/12)"), "")
	g.scalar(p+"npv", "NPV", "$", dollars, e("SUMPRODUCT([#free*],[#factor*])", p))
}

// e puts a part's prefix for #.
func e(template, prefix string) string {
	out := make([]byte, 0, len(template)+8*len(prefix))
	for i := range len(template) {
		if template[i] == '#' {
			out = append(out, prefix...)
			continue
		}
		out = append(out, template[i])
	}
	return string(out)
}

// taxed writes losses carried forward and the tax of a profit.
func (x *option) taxed(p, kind, profit, rate, limit string) {
	used, left := p+kind+"losses_used", p+kind+"losses_left"
	g, of := x.g, e(profit, p)
	g.row(used, "Losses used", "$", dollars, true, begins("0", fmt.Sprintf("IF(%[1]s>0,MIN([%[2]s<],%[3]s*%[1]s),0)", of, left, limit)), "")
	g.row(left, "Losses left", "$", dollars, false, begins(fmt.Sprintf("MAX(0,-%s)", of), fmt.Sprintf("[%s<]+MAX(0,-%s)-[%s]", left, of, used)), "")
	x.row(p+kind+"tax", "Tax", fmt.Sprintf("%s*MAX(0,%s-[%s])", rate, of, used))
}

// loanTerms are the names of a financing's figures.
type loanTerms struct {
	ltc, rate, build, upfront, commitment, target, tenor, dsra, sweep string
	amount, coupon, term, convert, share                              string // notes
	sculpted, inKind                                                  bool
}

func (x *option) terms() loanTerms {
	f, b := x.f.Financing(x.o.Financing), x.b
	if f == nil {
		f = &input.Financing{}
	}
	name := func(what string) string { return named("loan", f.ID, what) }
	t := loanTerms{
		ltc: b.ratio(name("to_cost"), f.ID+": loan to cost", f.LoanToCost), rate: b.ratio(name("rate"), f.ID+": interest", f.Rate),
		upfront: b.ratio(name("upfront"), f.ID+": upfront fee", f.Upfront), commitment: b.ratio(name("commitment"), f.ID+": commitment fee a year", f.Commitment),
		tenor: b.duration(name("tenor"), f.ID+": tenor", f.Tenor), dsra: b.duration(name("dsra"), f.ID+": reserve, of the next service", f.DSRA),
		sweep: b.ratio(name("sweep"), f.ID+": sweep of cash after service", f.Sweep), sculpted: f.Repay != "level",
	}
	build := f.BuildRate
	if build == nil {
		build = f.Rate
	}
	t.build = b.ratio(name("build_rate"), f.ID+": interest during building", build)
	cover, from, source := figureOf(f.DSCR)
	if cover <= 0 {
		cover = 1
	}
	t.target = b.input(name("dscr"), f.ID+": DSCR", "x", cover, plain, from, source)
	n := f.Notes
	if n == nil {
		n = &input.Notes{}
	}
	t.amount, t.coupon = b.money(name("notes"), f.ID+": convertible notes", "$", n.Amount), b.ratio(name("coupon"), f.ID+": their coupon", n.Coupon)
	t.term, t.inKind = b.duration(name("notes_term"), f.ID+": their term", n.Term), n.InKind
	t.convert, t.share = b.money(name("convert"), f.ID+": conversion price", "$", n.Convert), b.money(name("share"), f.ID+": share at maturity", "$", n.Share)
	return t
}

// loan writes the lender's case: what construction asks for and what the cash carries.
func (x *option) loan(t loanTerms) {
	g := x.g
	g.head("The loan")
	g.row("lends", "Construction", "", whole, false, always("IF(AND([World!t]>=[begin],[World!t]<[operate],[World!t]<=[last]),1,0)"), "")
	x.row("own", "Cost that the tenant does not pay", "-[building]-[machines]-[tenant_capex]-[tenant_interest]")
	g.scalar("n", "Tenor", "months", whole, "MAX(0,MIN("+t.tenor+",[last$0]+1-[operate$0]))")
	g.row("kk", "Month of the tenor", "", whole, false, always("IF(AND([World!t]>=[operate],[World!t]<[operate]+[n$0]),[World!t]-[operate]+1,0)"), "")
	g.row("lent_on", "Cash that is lent on", "$", dollars, false, always("IF([kk]>0,[cash],0)"), "")
	g.row("lent_factor", "Its factor", "", plain, false, always("IF([kk]>0,(1+"+t.rate+"/12)^-[kk],0)"), "")
	if t.sculpted {
		g.row("carries", "… above nothing", "$", dollars, false, always("MAX(0,[lent_on])"), "")
		g.scalar("capacity", "What the cash carries", "$", dollars, "SUMPRODUCT([carries*],[lent_factor*])/"+t.target)
	} else {
		x.weakest()
		g.scalar("capacity", "What the weakest year carries", "$", dollars, "MAX(0,[weakest$0])/"+t.target+"*SUM([lent_factor*])")
	}
	g.scalar("committed", "Loan without costs of finance", "$", dollars, "IF([capacity$0]>0,MIN([capacity$0],"+t.ltc+"*MAX(0,SUMPRODUCT([lends*],[own*]))),0)")
	fees := func(owed string) string {
		return fmt.Sprintf("MAX(0,[committed$0]-%s)*%s/12+IF([World!t]=[begin],%s*[committed$0],0)", owed, t.commitment, t.upfront)
	}
	ask := func(owed string) string {
		return fmt.Sprintf("%[1]s+IF([lends]=1,MAX(0,%[2]s*([own]+%[1]s*%[3]s/12+%[4]s)),0)", owed, t.ltc, t.build, fees(owed))
	}
	g.row("asked", "Asked for so far", "$", dollars, false, begins(ask("0"), ask("[asked<]")), "")
	g.scalar("amount", "Loan", "$", dollars, fmt.Sprintf("IF([capacity$0]>0,MIN([capacity$0],INDEX([asked*],1,%d)),0)", x.f.Years*12))
	if t.sculpted {
		g.row("planned", "Service planned", "$", dollars, true, always("IF([amount$0]>0,[carries]/"+t.target+"*[amount$0]/[capacity$0],0)"), "cash over DSCR")
	} else {
		g.row("planned", "Service planned", "$", dollars, true, always("IF(AND([kk]>0,[amount$0]>0),[amount$0]/SUM([lent_factor*]),0)"), "level")
	}
	g.row("building_interest", "Interest during building", "$", dollars, true, begins("0", "IF(AND([lends]=1,[amount$0]>0),[loan_owed<]*"+t.build+"/12,0)"), "")
}
