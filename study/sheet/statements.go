package sheet

import "fmt"

// weakest writes the lowest mean of a month over the years of the tenor.
func (x *option) weakest() {
	x.g.row("year_mean", "Mean month of a year of the tenor", "$", dollars, false, always(
		`IF(AND([kk]>0,OR(MOD([kk],12)=0,[kk]=[n$0])),SUM(OFFSET([lent_on],0,-MOD([kk]-1,12),1,MOD([kk]-1,12)+1))/(MOD([kk]-1,12)+1),"")`), "where one ends")
	x.g.scalar("weakest", "Weakest year's mean month", "$", dollars, "IF(COUNT([year_mean*])>0,MIN([year_mean*]),0)")
}

// finance writes the loan, the tax with debt, the cash, and the balance.
func (x *option) finance() {
	t := x.terms()
	x.g.head("Financing")
	for _, k := range []string{"begin"} {
		if _, there := x.g.rows[k]; !there {
			x.g.row(k, "First month", "", whole, false, always("[operate]"), "")
		}
	}
	x.loan(t)
	x.service(t)
	x.notes(t)
	x.taxWithDebt(t)
	x.cash(t)
	x.balance()
}

// back is begins where a row looks back.
func back(first, then string) func(int) string { return begins(first, then) }

// service writes draws, interest, principal and fees of the loan.
func (x *option) service(t loanTerms) {
	g := x.g
	stays := func(key, label, first, then string) { g.row(key, label, "$", dollars, false, back(first, then), "") }
	flows := func(key, label, first, then string) { g.row(key, label, "$", dollars, true, back(first, then), "") }
	x.g.row("settles", "All is settled", "", whole, false, always("IF(OR([World!t]=[last],[sale]<>0),1,0)"), "")
	x.g.row("works", "In operation", "", whole, false, always("IF([World!t]>=[operate],1,0)"), "")
	fee := func(owed string) string {
		return fmt.Sprintf("IF(AND([lends]=1,[amount$0]>0),MAX(0,[committed$0]-%s)*%s/12+IF([World!t]=[begin],%s*[committed$0],0),0)", owed, t.commitment, t.upfront)
	}
	flows("loan_fees", "Loan fees", fee("0"), fee("[loan_owed<]"))
	draw := func(owed string) string {
		return fmt.Sprintf("IF(AND([lends]=1,[amount$0]>0),MAX(0,MIN(%s*([own]+[building_interest]+[loan_fees]),[amount$0]-%s)),0)", t.ltc, owed)
	}
	flows("loan_drawn", "Loan drawn", draw("0"), draw("[loan_owed<]"))
	flows("loan_interest", "Interest in operation", "0", "IF(AND([works]=1,[World!t]<=[last]),[loan_owed<]*"+t.rate+"/12,0)")
	g.scalar("debt", "Loan drawn in all", "$", dollars, "SUM([loan_drawn*])")
	g.row("plan", "Service planned, of what was drawn", "$", dollars, true, always("IF([amount$0]>0,[planned]*[debt$0]/[amount$0],0)"), "")
	flows("due", "Debt service due", "0", "IF(OR([works]=0,[loan_owed<]=0,[World!t]>[last]),0,IF([kk]>=[n$0],[loan_owed<]+[loan_interest],IF([kk]=0,[loan_owed<]+[loan_interest],MIN([plan],[loan_owed<]+[loan_interest]))))")
	flows("principal", "… principal", "0", "IF([due]=0,IF(AND([works]=1,[loan_owed<]>0,[World!t]<=[last]),MIN([loan_owed<],-[loan_interest]),0),MIN([loan_owed<],[due]-[loan_interest]))")
	stays("owed_due", "Owed after what is due", "[loan_drawn]", "[loan_owed<]+[loan_drawn]-[principal]")
	flows("fees_off", "Loan fees written off", "0", "IF([settles]=1,[fees_left<]+[loan_fees],IF(AND([World!t]>[operate],[loan_owed<]=0),[fees_left<],IF([works]=1,MIN([fees_left<],SUM([loan_fees..])/MAX(1,[n$0])),0)))")
	stays("fees_left", "Loan fees not written off", "[loan_fees]", "[fees_left<]+[loan_fees]-[fees_off]")
	g.row("reserve_target", "Reserve aimed at", "$", dollars, false, always(fmt.Sprintf(
		"IF(OR([settles]=1,[owed_due]<=0,%[1]s=0,[works]=0),0,MIN([owed_due],SUM(OFFSET([plan],0,1,1,MAX(1,%[1]s)))))", t.dsra)), "the next months' service")
	stays("loan_owed", "Loan", "[owed_due]-[loan_swept]", "[owed_due]-[loan_swept]")
}

// notes writes the convertible notes.
func (x *option) notes(t loanTerms) {
	g := x.g
	g.row("coupon", "Coupon of the notes", "$", dollars, true, begins("0", "[notes_owed<]*"+t.coupon+"/12"), "")
	g.row("notes_end", "Notes end", "", whole, false, always("IF([World!t]=MIN([begin]+"+t.term+",[last]),1,0)"), "")
	kind := "0"
	if t.inKind {
		kind = "[coupon]"
	}
	at := "IF(AND([World!t]=[begin],[begin]<=[last])," + t.amount + ",0)"
	g.row("notes_due", "Notes at their end", "$", dollars, true, begins("IF([notes_end]=1,"+at+",0)", "IF([notes_end]=1,[notes_owed<]+"+kind+"+"+at+",0)"), "")
	g.row("notes_owed", "Notes", "$", dollars, false, begins(at+"-[notes_due]", "[notes_owed<]+"+kind+"+"+at+"-[notes_due]"), "")
	converts := fmt.Sprintf("AND(%[1]s>0,%[2]s>=%[1]s)", t.convert, t.share)
	paid := "[coupon]"
	if t.inKind {
		paid = "0"
	}
	x.row("notes_cash", "Notes drawn, less paid", fmt.Sprintf("%s-%s-IF(%s,0,[notes_due])", at, paid, converts))
	x.row("notes_shares", "Notes that become shares", fmt.Sprintf("IF(%s,[notes_due],0)", converts))
	x.row("converted", "Given up where notes convert", fmt.Sprintf("IF(%s,-[notes_due]*%s/%s,0)", converts, t.share, t.convert))
}

// taxWithDebt writes depreciation in the books, and tax after interest.
func (x *option) taxWithDebt(loanTerms) {
	g, b := x.g, x.b
	building, _ := b.taxes()
	g.head("Depreciation and tax")
	x.row("capitalised", "Interest capitalised", "IF([works]=1,0,[building_interest]+[coupon])")
	x.row("placed_i", "… put to use", "IF([World!t]=[operate],SUM([capitalised..]),0)")
	x.g.row("written_i", "… written off by tax law", "$", dollars, true, g.written("placed_i", building), "")
	g.row("idc_before", "Its tax basis before a sale", "$", dollars, false, begins("[capitalised]-[written_i]", "[idc<]+[capitalised]-[written_i]"), "")
	x.g.row("idc", "Its tax basis", "$", dollars, false, always("IF([sale]<>0,0,[idc_before])"), "")
	straight := func(placed, life string) string {
		return fmt.Sprintf("SUM(OFFSET([%[1]s],0,-(MIN(MAX(1,%[2]s),[World!t]+1)-1),1,MIN(MAX(1,%[2]s),[World!t]+1)))/MAX(1,%[2]s)", placed, life)
	}
	x.row("placed_book", "Building and interest put to use", "[placed_b]+[placed_i]")
	x.row("written_book", "Depreciation", straight("placed_book", b.duration("in_book_building", "Building is written off over", x.f.Tax.BookBuilding))+"+"+
		straight("placed_m", b.duration("in_book_machines", "Machines are written off over", x.f.Tax.BookMachines)))
	g.row("plant_before", "Plant before a sale", "$", dollars, false, begins("[capitalised]-[capex]-[written_book]", "[plant<]+[capitalised]-[capex]-[written_book]"), "")
	g.row("plant", "Plant", "$", dollars, false, always("IF([sale]<>0,0,[plant_before])"), "")
	x.row("disposal", "Gain on what is sold", "[sale]+[resale]-IF([sale]<>0,[plant_before],0)")
	x.row("financing", "Interest and fees in the result", "[building_interest]+[loan_interest]+[coupon]-[capitalised]+[fees_off]")
	x.row("profit_debt", "Taxable profit", "[profit]-[financing]-[written_i]-IF([sale]<>0,[idc_before],0)")
	x.taxed("", "debt_", "[profit_debt]", "in_tax", "in_loss_limit")
}

// cash writes the waterfall in the order in which it is owed.
func (x *option) cash(t loanTerms) {
	g := x.g
	g.head("Cash")
	flows := func(key, label, first, then string) { g.row(key, label, "$", dollars, true, back(first, then), "") }
	x.row("operating", "From operation", "[cash]")
	top := "[cash]+[sale]+[resale]-[debt_tax]"
	flows("rest", "After costs, tax and service", "IF([works]=1,"+top+"-[due],"+top+"+[capex]+[loan_drawn]-[loan_fees]-[building_interest])",
		"[cash_kept<]+[reserve<]+IF([works]=1,"+top+"-[due],"+top+"+[capex]+[loan_drawn]-[loan_fees]-[building_interest])")
	x.row("reserve", "Debt service reserve", "IF([works]=0,0,IF([World!t]=[operate],[reserve_target],MAX(0,MIN([reserve_target],[rest]))))")
	x.row("free_cash", "After the reserve and capex", "[rest]-[reserve]+IF([works]=1,[capex],0)")
	x.row("loan_swept", "Loan repaid early", "IF([settles]=1,[owed_due],IF([works]=1,MIN([owed_due],"+t.sweep+"*MAX(0,[free_cash])),0))")
	x.row("left", "For the owners", "[free_cash]-[loan_swept]+[notes_cash]")
	x.row("equity_in", "Paid in by the owners", "MAX(0,-[left])")
	x.row("dividends", "Dividends", "IF(OR([works]=1,[settles]=1),MAX(0,[left]),0)")
	x.row("cash_kept", "Cash", "MAX(0,[left])-[dividends]")
	x.row("to_equity", "Cash flow to the owners", "[dividends]-[equity_in]+[warrants]+[converted]")
	g.row("dscr", "DSCR of the month", "x", plain, false, always(`IF([due]>0,[cash]/[due],"")`), "")
}

// balance writes the income and the balance sheet, and by how much it is off.
func (x *option) balance() {
	g := x.g
	stays := func(key, label, first, then string) { g.row(key, label, "$", dollars, false, back(first, then), "") }
	g.head("Income and balance")
	g.row("deferred", "Deferred tax liability", "$", dollars, false, always("in_tax*([plant]-[basis]-[idc]-[debt_losses_left])"), "below nothing: an asset")
	x.row("pre_tax", "Profit before tax", "[ebitda]-[written_book]+[disposal]+[released]+[warrants]+[tenant_interest]-[financing]")
	g.row("net_income", "Net income", "$", dollars, true, back("[pre_tax]-[debt_tax]-[deferred]", "[pre_tax]-[debt_tax]-([deferred]-[deferred<])"), "")
	stays("paid_in", "Capital paid in", "[equity_in]-[warrants]+[notes_shares]", "[paid_in<]+[equity_in]-[warrants]+[notes_shares]")
	stays("retained", "Retained earnings", "[net_income]-[dividends]", "[retained<]+[net_income]-[dividends]")
	x.row("off", "Off balance: assets less all owed", "[cash_kept]+[reserve]+[plant]+[fees_left]-[loan_owed]-[notes_owed]-[prepaid_owed]-[tenant_owed]-[deferred]-[paid_in]-[retained]")
	g.row("factor_owners", "Owners' discount factor", "", plain, false, always("(1+"+x.b.ratio("in_equity_discount", "Owners' discount rate", x.f.Equity)+")^(-([World!t]+1)/12)"), "")
}

// worth writes what the option comes to.
func (x *option) worth() {
	g := x.g
	g.head("What it comes to")
	g.scalar("worth", "NPV of the hall under the option", "$", dollars, "[npv$0]+[b_npv$0]")
	g.scalar("worth_owners", "NPV of the option to its owners", "$", dollars, "SUMPRODUCT([to_equity*],[factor_owners*])")
	g.scalar("irr", "Project IRR", "", percent, `IFERROR((1+IRR([free*],0.01))^12-1,"none")`)
	g.scalar("irr_owners", "Equity IRR", "", percent, `IFERROR((1+IRR([to_equity*],0.01))^12-1,"none")`)
	g.scalar("least_dscr", "Lowest DSCR of a month", "x", plain, `IF(COUNT([dscr*])>0,MIN([dscr*]),"none")`)
	g.scalar("balances", "Most that the balance is off", "$", plain, "MAX(MAX([off*]),-MIN([off*]))")
}
