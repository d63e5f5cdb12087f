package sheet

import (
	"fmt"

	"switchyard/study/input"
)

// terms are the names of a financing's figures; loan and notes say whether it has them.
type terms struct {
	loan, sculpted                                                    bool
	ltc, rate, build, upfront, commitment, target, tenor, dsra, sweep string
	notes, inKind                                                     bool
	amount, coupon, term, convert, share                              string
}

// terms are those of the option's financing; nil without one. Where nothing is built there is no loan.
func (x *option) terms() *terms {
	f := x.f.Financing(x.o.Financing)
	if f == nil {
		return nil
	}
	of := x.b.figures(loans, f.ID)
	t := &terms{}
	if x.o.Kind != input.Mine && x.o.Kind != input.Sell && f.LoanToCost != nil && f.Tenor != nil {
		t.loan, t.sculpted = true, f.Repay != "level"
		t.ltc, t.rate = of.ratio("to_cost", "loan to cost", f.LoanToCost), of.ratio("rate", "interest a year", f.Rate)
		build := f.BuildRate
		if build == nil {
			build = f.Rate
		}
		t.build = of.ratio("build_rate", "interest during building", build)
		t.upfront, t.commitment = of.ratio("upfront", "upfront fee", f.Upfront), of.ratio("commitment", "commitment fee a year", f.Commitment)
		cover, from, source := figureOf(f.DSCR)
		if cover <= 0 {
			cover = 1
		}
		t.target = of.add("dscr", "DSCR that the loan is sized by", "x", cover, plain, from, source)
		t.tenor, t.dsra = of.duration("tenor", "tenor from the first month of operation", f.Tenor), of.duration("dsra", "reserve, of the next service", f.DSRA)
		t.sweep = of.ratio("sweep", "sweep of cash after service", f.Sweep)
	}
	if n := f.Notes; n != nil {
		t.notes, t.inKind = true, n.InKind
		t.amount, t.coupon = of.money("notes", "convertible notes", "$", n.Amount), of.ratio("coupon", "their coupon a year", n.Coupon)
		t.term = of.duration("notes_term", "their term from the first month of building", n.Term)
		t.convert, t.share = of.money("convert", "price at which they become shares", "$", n.Convert), of.money("share", "share at maturity", "$", n.Share)
	}
	return t
}

// lenders writes the lender's case: what construction asks for and what the cash carries.
func (p *project) lenders() {
	t, end := p.terms, p.b.months
	p.g.head("The loan as the lender sizes it")
	p.plain("lends", "Construction", "", "IF(AND([World!t]>="+p.begin+",[World!t]<"+p.operate+",[World!t]<="+p.last+"),1,0)", "1: it draws")
	p.put("own", "Cost that the tenant does not pay", p.sum("-building", "-machines", "-tenant_capex", "-tenant_interest"), "")
	p.once("n", "Tenor", "months", whole, "MAX(0,MIN("+t.tenor+","+p.last+"+1-"+p.operate+"))", "it ends with the project")
	p.g.row("kk", "Month of the tenor", "", whole, false, always("IF(AND([World!t]>="+p.operate+",[World!t]<"+p.operate+"+[n$0]),[World!t]-"+p.operate+"+1,0)"), "")
	p.owed("lent_on", "Cash that is lent on", "IF([kk]>0,[flow],0)", "")
	p.plain("lent_factor", "Its discount factor", "x", "IF([kk]>0,(1+"+t.rate+"/12)^-[kk],0)", "")
	if t.sculpted {
		p.owed("carries", "… above nothing", "MAX(0,[lent_on])", "")
		p.once("capacity", "What the cash carries", "$", dollars, "SUMPRODUCT([carries*],[lent_factor*])/"+t.target, "at the DSCR")
	} else {
		const year = `INDEX([lent_on*],1,[World!t]+1-MOD([kk]-1,12)):[lent_on]`
		p.owed("year_mean", "Mean month of a year of the tenor", `IF([kk]=0,"",IF(OR(MOD([kk],12)=0,[kk]=[n$0]),AVERAGE(`+year+`),""))`, "where one ends")
		p.once("weakest", "Weakest year's mean month", "$", dollars, "IF(COUNT([year_mean*])>0,MIN([year_mean*]),0)", "")
		p.once("capacity", "What the weakest year carries", "$", dollars, "MAX(0,[weakest$0])/"+t.target+"*SUM([lent_factor*])", "at the DSCR")
	}
	p.once("committed", "Loan without costs of finance", "$", dollars, "IF([capacity$0]>0,MIN([capacity$0],"+t.ltc+"*MAX(0,SUMPRODUCT([lends*],[own*]))),0)", "")
	p.owed("asked", "Asked for so far", fmt.Sprintf("[asked<]+IF([lends]=1,MAX(0,%s*([own]+[asked<]*%s/12+%s)),0)", t.ltc, t.build, p.fees("[asked<]")), "")
	p.once("amount", "Loan", "$", dollars, fmt.Sprintf("IF([capacity$0]>0,MIN([capacity$0],INDEX([asked*],1,%d)),0)", end), "the lesser of both")
	if t.sculpted {
		p.put("planned", "Service planned", "IF([amount$0]>0,[carries]/"+t.target+"*[amount$0]/[capacity$0],0)", "cash over DSCR")
	} else {
		p.put("planned", "Service planned", "IF(AND([kk]>0,[amount$0]>0),[amount$0]/SUM([lent_factor*]),0)", "level")
	}
}

// fees are the loan's in a month of construction, from what was owed before it.
func (p *project) fees(owed string) string {
	return fmt.Sprintf("(MAX(0,[committed$0]-%s)*%s/12+IF([World!t]=%s,%s*[committed$0],0))", owed, p.terms.commitment, p.begin, p.terms.upfront)
}

// service writes draws, interest, principal and fees of the loan.
func (p *project) service() {
	t := p.terms
	p.g.head("The loan")
	draws := "AND([lends]=1,[amount$0]>0)"
	p.put("building_interest", "Interest during building", "IF("+draws+",[loan_owed<]*"+t.build+"/12,0)", "")
	p.put("loan_fees", "Fees", "IF("+draws+","+p.fees("[loan_owed<]")+",0)", "")
	p.put("loan_drawn", "Drawn", "IF("+draws+",MAX(0,MIN("+t.ltc+"*([own]+[building_interest]+[loan_fees]),[amount$0]-[loan_owed<])),0)", "")
	p.once("debt", "Drawn in all", "$", dollars, "SUM([loan_drawn*])", "")
	p.put("plan", "Service planned, of what was drawn", "IF([amount$0]>0,[planned]*[debt$0]/[amount$0],0)", "")
	serves := "OR([works]=0,[loan_owed<]=0,[World!t]>" + p.last + ")"
	p.put("loan_interest", "Interest in operation", "IF("+serves+",0,[loan_owed<]*"+t.rate+"/12)", "")
	all := "[loan_owed<]+[loan_interest]"
	p.put("due", "Debt service due", "IF("+serves+",0,IF(OR([kk]>=[n$0],[kk]=0,[plan]>"+all+"-0.01),"+all+",[plan]))", "the last pays all")
	p.put("principal", "… principal", "IF("+serves+",0,IF([due]="+all+",[loan_owed<],[due]-[loan_interest]))", "below zero it grows")
	p.owed("owed_due", "Owed after what is due", "[loan_owed<]+[loan_drawn]-[principal]", "")
	p.put("fees_off", "Fees written off", "IF([settles]=1,[fees_left<]+[loan_fees],IF(AND([World!t]>"+p.operate+",[loan_owed<]=0),[fees_left<],IF([works]=1,MIN([fees_left<]+0,SUM([loan_fees..])/MAX(1,[n$0])),0)))", "over the tenor")
	p.owed("fees_left", "Fees not written off", "[fees_left<]+[loan_fees]-[fees_off]", "")
	next := fmt.Sprintf("INDEX([plan*],1,MIN(%[1]d,[World!t]+2)):INDEX([plan*],1,MIN(%[1]d,[World!t]+1+%[2]s))", p.b.months, t.dsra)
	p.owed("reserve_target", "Reserve aimed at", fmt.Sprintf("IF(OR([settles]=1,[owed_due]=0,%s<1,[works]=0,[World!t]>=%d),0,MIN([owed_due],SUM(%s)))", t.dsra, p.b.months-1, next), "the next months' service")
	p.owed("loan_owed", "Owed", "[owed_due]-[loan_swept]", "")
}

// notes writes the convertible notes.
func (p *project) notes() {
	t := p.terms
	p.g.head("The notes")
	p.put("coupon", "Coupon", "[notes_owed<]*"+t.coupon+"/12", "")
	kind, paid := "0", "[coupon]"
	if t.inKind {
		kind, paid = "[coupon]", "0"
	}
	p.put("notes_drawn", "Drawn", "IF(AND([World!t]="+p.begin+","+p.begin+"<="+p.last+"),"+t.amount+",0)", "")
	p.put("notes_due", "Due at their end", "IF([World!t]=MIN("+p.begin+"+"+t.term+","+p.last+"),[notes_owed<]+"+kind+"+[notes_drawn],0)", "")
	p.owed("notes_owed", "Owed", "[notes_owed<]+"+kind+"+[notes_drawn]-[notes_due]", "")
	converts := fmt.Sprintf("AND(%[1]s>0,%[2]s>=%[1]s)", t.convert, t.share)
	p.put("notes_cash", "Drawn, less paid", "[notes_drawn]-"+paid+"-IF("+converts+",0,[notes_due])", "")
	p.put("notes_shares", "Become shares", "IF("+converts+",[notes_due],0)", "")
	p.put("converted", "Given up where they do", "-IF("+converts+",[notes_due]*"+t.share+"/"+t.convert+",0)", "")
}
