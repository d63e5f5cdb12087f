package sheet

import (
	"fmt"

	"switchyard/study/sheet/ref"
)

// worth writes what the option comes to, beside its value: rates of return, and what lenders and owners
// read.
func (x *option) worth() {
	p := x.what
	p.g.head("Rates of return, payback")
	p.rate("irr", "Project IRR", "free")
	p.rate("irr_owners", "Equity IRR", "to_equity")
	if p.has("capex") {
		p.plain("below", "Less than nothing came of it", "", "IF(OR([below<]=1,[irr_sum]<0),1,0)", "1: until then")
		p.plain("back", "Paid back", "months", `IF(AND([below]=1,[irr_sum]>=0),[World!t]+1-`+p.begin+`,"")`, "")
	}
	p.g.head("Equity")
	p.owed("equity", "Paid in and not got back", "MAX(0,[equity<]+[equity_in]-[dividends])", "dividends beyond it pay for no later call")
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

// rate writes the internal rate of return of monthly flows a year, as far as a spreadsheet finds one, which
// seeks it from a guess: so from losses and from gains. That there are more is seen where both find another,
// or where the present value is on the same side of zero at both ends of what is in reach. Then it is the one
// above zero if the sum of the flows crosses zero once (there is no other above zero then), else there is none.
func (p *project) rate(key, label, flows string) {
	const low, high = "-0.45", "14" // a month: what the program has in reach
	n, sum := p.b.months, key+"_sum"
	p.owed(sum, label+": flows so far", "[#"+sum+"<]+["+flows+"]", "")
	seek := func(guess, other string) string {
		return e(`IFERROR(IRR([#*],`+guess+`),IFERROR(IRR([#*],`+other+`),"none"))`, flows)
	}
	p.once(key+"_low", "… a month, sought from losses", "%", percent, seek("-0.06", "-0.02"), "")
	p.once(key+"_high", "… sought from gains", "%", percent, seek("0.01", "0.1"), "")
	differ := e("IF(AND(ISNUMBER([#_low$0]),ISNUMBER([#_high$0])),ABS([#_low$0]-[#_high$0])>0.0000001,FALSE)", key)
	p.once(key+"_many", "… and others fit too", "", whole, "IF(OR("+differ+e(",SIGN(NPV("+low+",[#*]))=SIGN(NPV("+high+",[#*]))),1,0)", flows), "1: they do")
	at := p.g.rows[p.prefix+sum]
	falls := fmt.Sprintf("SUMPRODUCT((%s>0)*(%s<0))", ref.Range(0, n-2, at), ref.Range(1, n-1, at))
	once := fmt.Sprintf("AND(%s=0,%s>0,", falls, ref.Cell(ref.FirstMonth+n-1, at)) + e("[#_high$0]>0)", key)
	found := e("IF(ISNUMBER([#_high$0]),[#_high$0],[#_low$0])", key)
	p.once(key+"_month", "… the one that counts", "%", percent, "IF("+e("[#_many$0]=1", key)+",IF("+once+","+found+`,"more than one rate"),`+found+")", "")
	none := e(`IF(MIN([#*])>=0,"no money is put in",IF(MAX([#*])<=0,"it never comes back",IF(NPV(`+high+`,[#*])>0,"it brings money before it costs any",`, flows)
	month := e("[#_month$0]", key)
	p.once(key, label+" a year", "%", percent, none+"IF(NOT(ISNUMBER("+month+")),"+month+",IF(AND("+month+">"+low+","+month+"<"+high+"),(1+"+month+`)^12-1,"no rate within reach fits")))))`, "")
}

// cover writes the lender's ratios, before tax and after it.
func (p *project) cover() {
	p.g.head("Cover")
	p.plain("dscr", "DSCR of the month, before tax", "x", `IF([due]>0,[cfads]/[due],"")`, "")
	p.plain("dscr_year", "DSCR of the twelve months to it, before tax", "x", p.twelve("cfads"), "from the twelfth of operation on")
	tax, _ := p.tax()
	p.owed("cfads_taxed", "CFADS less tax", "[cfads]-"+taxed("["+tax+"]", p.sum("sale", "resale")), "a sale bears its month's first")
	p.plain("dscr_taxed", "DSCR of the twelve months to it, after tax", "x", p.twelve("cfads_taxed"), "")
	const none = `IF([debt$0]<=0,"no loan",`
	for _, k := range [][4]string{{"", "cfads", "dscr_year", "before tax"}, {"_taxed", "cfads_taxed", "dscr_taxed", "after tax"}} {
		p.once("mean_dscr"+k[0], "Mean DSCR, "+k[3], "x", cover, none+`IF(SUM([due*])>0,SUMIF([due*],">0",[`+k[1]+`*])/SUM([due*]),"none"))`, "")
		p.once("min_dscr"+k[0], "Lowest DSCR of twelve months, "+k[3], "x", cover, none+`IF(COUNT([`+k[2]+`*])>0,MIN([`+k[2]+`*]),[mean_dscr`+k[0]+`$0]))`, "")
	}
	p.once("llcr", "Loan life cover ratio", "x", cover, none+`SUMPRODUCT([lent_on*],[lent_factor*])/[debt$0])`, "")
}

// twelve is the cover of the twelve months to each in which service is due.
func (p *project) twelve(cash string) string {
	return `IF(AND([due]>0,[World!t]>=` + p.operate + `+11),SUM([` + cash + `<11]:[` + cash + `])/SUM([due<11]:[due]),"")`
}

// taxed is the tax of a month less what is sold in it pays of it.
func taxed(tax, sold string) string {
	if sold == "0" {
		return tax
	}
	return "IF(AND(" + tax + ">0," + sold + ">0),MAX(0," + tax + "-(" + sold + "))," + tax + ")"
}

// covered is the sheet of the site's cover: the cash for debt service of all that is chosen, the site's own costs
// off, over the service of all its loans.
func (b *book) covered(all []listed, site *project) *grid {
	g := b.grid("Cover")
	projects := []*project{site}
	for i := range all {
		if !all[i].chosen {
			continue
		}
		projects = append(projects, all[i].what)
		if all[i].before != nil {
			projects = append(projects, all[i].before)
		}
	}
	sum := func(key string) string {
		var out []string
		for _, p := range projects {
			if k := p.prefix + p.own(key); p.g.has(k) {
				out = append(out, "["+p.g.name+"!"+k+"]")
			}
		}
		return total(out)
	}
	row := func(key, label, template string) {
		g.row(key, label, "$", dollars, true, always(template), "")
	}
	g.head("All halls as chosen, and the site's own costs")
	row("cfads", "Cash flow available for debt service", sum("CFADS"))
	row("due", "Debt service due", sum("due"))
	row("tax", "Tax", sum("TAX"))
	row("sold", "Sale and resale", total([]string{sum("sale"), sum("resale")}))
	row("cfads_taxed", "CFADS less tax", "[cfads]-"+taxed("[tax]", "[sold]"))
	g.row("served", "Months since service was first due", "", whole, false, always("IF(OR([served<]>0,[due]>0),[served<]+1,0)"), "the first is 1")
	for _, k := range [][4]string{{"", "cfads", "dscr_year", "before tax"}, {"_taxed", "cfads_taxed", "dscr_taxed", "after tax"}} {
		g.row(k[2], "DSCR of the twelve months to it, "+k[3], "x", plain, false, always(`IF(AND([due]>0,[served]>=12),SUM([`+k[1]+`<11]:[`+k[1]+`])/SUM([due<11]:[due]),"")`), "")
		g.scalar("mean_dscr"+k[0], "Mean DSCR, "+k[3], "x", cover, `IF(SUM([due*])>0,SUMIF([due*],">0",[`+k[1]+`*])/SUM([due*]),"no loan")`, "")
		g.scalar("min_dscr"+k[0], "Lowest DSCR of twelve months, "+k[3], "x", cover, `IF(COUNT([`+k[2]+`*])>0,MIN([`+k[2]+`*]),[mean_dscr`+k[0]+`$0])`, "")
	}
	return g
}

// yearEnd is the cover of the twelve months to the last month of a year in which service is due; nought without.
func (g *grid) yearEnd(y int) string {
	n := g.rows["dscr_year"]
	if n == 0 {
		return "0"
	}
	from := ref.FirstMonth + 12*y
	at := ref.On(g.name, ref.Cell(from, n)+":"+ref.Cell(from+11, n))
	return fmt.Sprintf("IF(COUNT(%[1]s)=0,0,INDEX(%[1]s,1,SUMPRODUCT(MAX(ISNUMBER(%[1]s)*COLUMN(%[1]s)))-%[2]d))", at, from-1)
}
