package sheet

import "fmt"

// statements writes a project's loan and notes, tax, cash and balance.
func (p *project) statements() {
	if p.operate != "0" {
		p.plain("works", "In operation", "", "IF([World!t]>="+p.operate+",1,0)", "1: it is")
	}
	settles := "[World!t]=" + p.last
	if p.has("sale") {
		settles = "OR(" + settles + ",[#sale]<>0)"
	}
	p.plain("settles", "All is settled", "", "IF("+settles+",1,0)", "the last month, and a sale")
	t := p.terms
	if t != nil && t.loan {
		p.lenders()
		p.service()
	}
	if t != nil && t.notes {
		p.notes()
	}
	p.books()
	p.cash()
	p.balance()
}

// works says by a template that the project operates.
func (p *project) works() string {
	if p.has("works") {
		return "[" + p.prefix + "works]=1"
	}
	return "TRUE"
}

// tax and losses are the keys of what the project pays and carries forward, interest counted.
func (p *project) tax() (tax, losses string) {
	if p.has("debt_tax") {
		return "debt_tax", "debt_losses_left"
	}
	return "tax", "losses_left"
}

// books writes depreciation in the books, and tax after interest.
func (p *project) books() {
	p.g.head("Books and tax")
	if paid := p.sum("building_interest", "coupon"); paid != "0" {
		p.put("capitalised", "Interest capitalised", "IF("+p.works()+",0,"+paid+")", "before operation")
		p.put("placed_i", "… put to use", "IF([World!t]="+p.operate+",SUM([#capitalised..]),0)", "")
		p.written("written_i", "… written off by tax law", "placed_i", "building")
		p.owed("idc_before", "… its tax basis before a sale", "[#idc<]+[#capitalised]-[#written_i]", "")
		p.owed("idc", "… its tax basis", p.unlessSold("[#idc_before]"), "")
		p.put("financing", "Interest and fees in the result", paid+"-[#capitalised]"+plus(p.sum("loan_interest", "fees_off")), "")
		lost := ""
		if p.has("sale") {
			lost = "-IF([#sale]<>0,[#idc_before],0)"
		}
		p.put("profit_debt", "Taxable profit", "[#profit]-[#financing]-[#written_i]"+lost, "")
		p.taxed("debt_", "[#profit_debt]")
	}
	book := p.b.figures(general, "")
	building := book.duration("book_building", "Books write buildings off over", p.b.f.Tax.BookBuilding)
	machines := book.duration("book_machines", "Books write machines off over", p.b.f.Tax.BookMachines)
	var off []string
	if of := p.sum("placed_b", "placed_i"); of != "0" {
		p.put("placed_book", "Building and interest put to use", of, "")
		off = append(off, straight("placed_book", building))
	}
	if p.has("placed_m") {
		off = append(off, straight("placed_m", machines))
	}
	lost := ""
	if len(off) > 0 {
		p.put("depreciation", "Depreciation", total(off), "straight line")
		p.owed("plant_before", "Plant before a sale", "[#plant<]"+plus(p.sum("capitalised", "-capex", "-depreciation")), "")
		p.owed("plant", "Plant", p.unlessSold("[#plant_before]"), "")
		if p.has("sale") {
			lost = "-IF([#sale]<>0,[#plant_before],0)"
		}
	}
	p.put("disposal", "Gain on what is sold", p.sum("sale", "resale")+lost, "over its book value")
}

// straight is what a straight line writes off in a month of what was put to use in the months until then.
func straight(placed, life string) string {
	return fmt.Sprintf("SUM(INDEX([#%[1]s*],1,MAX(1,[World!t]+2-MAX(1,%[2]s))):[#%[1]s])/MAX(1,%[2]s)", placed, life)
}

// unlessSold is a balance that a sale takes off.
func (p *project) unlessSold(before string) string {
	if p.has("sale") {
		return "IF([#sale]<>0,0," + before + ")"
	}
	return before
}

// plus puts a sum behind another.
func plus(sum string) string {
	switch {
	case sum == "0":
		return ""
	case sum[0] == '-':
		return sum
	}
	return "+" + sum
}

// cash writes the waterfall in the order in which it is owed.
func (p *project) cash() {
	p.g.head("Cash")
	tax, _ := p.tax()
	top := p.sum("flow", "sale", "resale", "-"+tax)
	if !p.has("works") { // it operates from the first month, and owes nothing but notes
		kept := ""
		if p.has("notes_owed") {
			kept = "[#cash_kept<]+"
		}
		p.put("left", "For the owners", kept+top+plus(p.sum("capex", "notes_cash")), "after tax and capex")
		p.put("equity_in", "Paid in by the owners", "MAX(0,-[#left])", "")
		p.held("")
		p.put("to_equity", "Cash flow to the owners", p.sum("dividends", "-equity_in", "warrants", "converted"), "")
		return
	}
	p.put("cfads", "Cash flow available for debt service", "[#works]*[#flow]", "")
	held, swept, kept := "", "", "[#cash_kept<]+"
	if p.has("due") {
		held, swept, kept = "-[#reserve]", "-[#loan_swept]", "[#cash_kept<]+[#reserve<]+"
	}
	p.put("rest", "After costs, tax and service", kept+top+
		"+IF([#works]=1,"+p.sum("-due")+","+p.sum("capex", "loan_drawn", "-loan_fees", "-building_interest")+")", "")
	if p.has("due") {
		p.owed("reserve", "Debt service reserve", "IF([#works]=0,0,IF([World!t]="+p.operate+",[#reserve_target],MAX(0,MIN([#reserve_target],[#rest]))))", "")
	}
	p.put("free_cash", "After the reserve and capex", "[#rest]"+held+"+IF([#works]=1,"+p.sum("capex")+",0)", "")
	if p.has("due") {
		p.put("loan_swept", "Loan repaid early", "IF([#settles]=1,[#owed_due],IF([#works]=1,MIN([#owed_due],"+p.terms.sweep+"*MAX(0,[#free_cash]"+p.lent()+")),0))", "all in the end")
	}
	p.put("left", "For the owners", "[#free_cash]"+swept+plus(p.sum("notes_cash")), "")
	p.put("equity_in", "Paid in by the owners", "MAX(0,-[#left])", "")
	p.held("[#works]=1")
	p.put("to_equity", "Cash flow to the owners", p.sum("dividends", "-equity_in", "warrants", "converted"), "")
}

// lent is what of the cash the notes brought, which no loan is repaid of early.
func (p *project) lent() string {
	if !p.has("notes_owed") {
		return ""
	}
	return "-MIN([#cash_kept<],[#notes_owed<])"
}

// held writes dividends, and the cash that stays: all before operation, which works says by a template, and then what
// notes brought that was spent on nothing, until they are shares or repaid.
func (p *project) held(works string) {
	all := "MAX(0,[#left])"
	switch {
	case p.has("notes_owed"):
		p.owed("notes_kept", "Of the notes, spent on nothing", "IF([#settles]=1,0,MIN([#cash_kept<]+[#notes_drawn],[#notes_owed]))", "stays until they are shares or repaid")
		paid := "MAX(0,[#left]-[#notes_kept])"
		if works != "" {
			paid = "IF(OR(" + works + ",[#settles]=1)," + paid + ",0)"
		}
		p.put("dividends", "Dividends", paid, "none before operation")
	case works != "":
		p.put("dividends", "Dividends", "IF(OR("+works+",[#settles]=1),"+all+",0)", "none before operation")
	default:
		p.put("dividends", "Dividends", all, "")
		return
	}
	p.owed("cash_kept", "Cash", all+"-[#dividends]", "")
}

// balance writes the income and the balance sheet, and by how much it is off.
func (p *project) balance() {
	p.g.head("Income and balance")
	tax, losses := p.tax()
	p.owed("deferred", "Deferred tax liability", "in_tax*("+p.sum("plant", "-basis", "-idc", "-"+losses)+")", "below zero an asset")
	p.put("pre_tax", "Profit before tax", p.sum("ebitda", "-depreciation", "disposal", "released", "warrants", "tenant_interest", "-financing"), "")
	p.put("net_income", "Net income", "[#pre_tax]-[#"+tax+"]-([#deferred]-[#deferred<])", "")
	p.owed("paid_in", "Capital paid in", "[#paid_in<]"+plus(p.sum("equity_in", "-warrants", "notes_shares")), "")
	p.owed("retained", "Retained earnings", "[#retained<]+[#net_income]-[#dividends]", "")
	p.put("off", "Off balance: assets less all owed", p.sum("cash_kept", "reserve", "plant", "fees_left", "-loan_owed", "-notes_owed", "-prepaid_owed",
		"-tenant_capex_owed", "-deferred", "-paid_in", "-retained"), "zero")
}
