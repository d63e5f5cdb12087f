package sheet

import "fmt"

// worth writes what the option comes to, beside its value: rates of return, and what lenders and owners
// read.
func (x *option) worth() {
	p := x.what
	if p.has("capex") {
		p.g.head("Payback")
		p.owed("running", "Free cash flow so far", "[running<]+[free]", "")
		p.plain("below", "It was below nothing", "", "IF(OR([below<]=1,[running]<0),1,0)", "1: until then")
		p.plain("back", "Paid back", "months", `IF(AND([below]=1,[running]>=0),[World!t]+1-`+p.begin+`,"")`, "")
	}
	p.g.head("Equity")
	p.owed("equity", "Paid in so far, less dividends", "[equity<]+[equity_in]-[dividends]", "")
	if p.has("due") {
		p.cover()
	}
	x.g.head("What it comes to")
	npv, owners := "[npv$0]", "SUMPRODUCT([to_equity*],[World!factor_owners*])"
	if x.before != nil {
		npv, owners = npv+"+[b_npv$0]", owners+"+SUMPRODUCT([b_to_equity*],[World!factor_owners*])"
	}
	p.once("worth", "NPV of the hall under the option", "$", dollars, npv, "after tax, before financing")
	p.once("worth_owners", "NPV to the owners, mining before it included", "$", dollars, owners, "at their rate")
	p.once("irr", "Project IRR a year", "%", percent, rate("[free*]"), "")
	p.once("irr_owners", "Equity IRR a year", "%", percent, rate("[to_equity*]"), "")
	p.once("capex_all", "Capex", "$", dollars, "-SUM("+map[bool]string{true: "[capex*]", false: "0"}[p.has("capex")]+")", "")
	p.once("peak", "Most equity at a time", "$", dollars, "MAX(0,MAX([equity*]))", "")
	if p.has("capex") {
		p.once("payback", "Paid back after", "months", whole, `IF([capex_all$0]<=0,"none",IF(COUNT([back*])>0,MIN([back*]),IF(MAX([below*])=0,0,"never")))`, "from the first month of building")
	}
	if x.g.has("used") {
		p.once("mw_most", "Critical load", "MW", plain, "MAX([used*])", "")
	}
	off := "MAX(MAX([off*]),-MIN([off*]))"
	if x.before != nil {
		off = "MAX(" + off + ",MAX([b_off*]),-MIN([b_off*]))"
	}
	p.once("balances", "Most that a balance is off", "$", plain, off, "zero but for rounding")
}

// rate is the internal rate of return of monthly flows a year, as far as a spreadsheet finds one; else why
// there is none.
func rate(flows string) string {
	// A spreadsheet seeks it from a guess: from one per cent a month, else from losses, else from riches.
	const seek = `IFERROR(IRR(%[1]s,0.01),IFERROR(IRR(%[1]s,-0.02),IFERROR(IRR(%[1]s,-0.06),IRR(%[1]s,0.1))))`
	return fmt.Sprintf(`IF(MIN(%[1]s)>=0,"no money is put in",IF(MAX(%[1]s)<=0,"it never comes back",IFERROR((1+`+seek+`)^12-1,"none")))`, flows)
}

// cover writes the lender's ratios: DSCR over the twelve months to each in which service is due.
func (p *project) cover() {
	p.g.head("Cover")
	p.plain("dscr", "DSCR of the month", "x", `IF([due]>0,[cfads]/[due],"")`, "")
	p.plain("dscr_year", "DSCR of the twelve months to it", "x", `IF(AND([due]>0,[World!t]>=`+p.operate+`+11),SUM([cfads<11]:[cfads])/SUM([due<11]:[due]),"")`, "from the twelfth of operation on")
	const none = `IF([debt$0]<=0,"no loan",`
	p.once("mean_dscr", "Mean DSCR", "x", plain, none+`IF(SUM([due*])>0,SUMIF([due*],">0",[cfads*])/SUM([due*]),"none"))`, "")
	p.once("min_dscr", "Lowest DSCR of twelve months", "x", plain, none+`IF(COUNT([dscr_year*])>0,MIN([dscr_year*]),[mean_dscr$0]))`, "")
	p.once("llcr", "Loan life cover ratio", "x", plain, none+`SUMPRODUCT([lent_on*],[lent_factor*])/[debt$0])`, "")
}
