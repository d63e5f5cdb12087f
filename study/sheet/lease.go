package sheet

import (
	"fmt"

	"switchyard/study/input"
)

// running writes what a hall costs once it operates: used is the critical load in use, a row.
func (x *option) running(p built, id string, load input.Ratio, upkeep input.Rent, property input.Ratio) {
	b, g := x.b, x.g
	factor, keep, tax := b.ratio(named(id, "load"), id+": of the critical load drawn", load), b.rent(named(id, "upkeep"), id+": upkeep", upkeep), b.ratio(named(id, "property"), id+": property tax and insurance", property)
	g.row("mw", "Draw, cooling included", "MW", plain, false, always(fmt.Sprintf("IF([k]<0,0,[used]*%s*%s)", factor, p.pue)), "")
	x.row("mwh", "Energy drawn (MWh)", "[mw]*[World!hours]")
	g.row("freed", "Covered by fixed-price power", "MW", plain, false, always(fmt.Sprintf("MIN([World!covered]*%s,[mw])", p.share)), "")
	x.row("energy", "Energy", "-[World!hours]*([freed]*[World!adder]+([mw]-[freed])*[World!mean])")
	x.row("demand", "Demand and peak charges", "-[mw]*([World!demand]+[World!coincident])")
	x.row("upkeep", "Upkeep", fmt.Sprintf("IF(AND([k]>=0,[alive]=1),-%s*%s*1000*[World!dollar],0)", p.critical, keep))
	x.row("property", "Property tax and insurance", fmt.Sprintf("IF(AND([k]>=0,[alive]=1),-[cost0]*%s/12*[World!dollar],0)", tax))
	x.row("blocks", "Fixed-price power against the market", fmt.Sprintf("IF([World!t]>=[begin],[World!blocks]*%s,0)", p.share))
}

// host writes a project that is let.
func (x *option) host(l *input.Lease, p built) {
	b, g := x.b, x.g
	x.times(p, x.o.Kind == "host", fmt.Sprint(x.f.Years*12-1))
	name := func(what string) string { return named(l.ID, what) }
	duration := func(what, label string, m input.Months) string { return b.duration(name(what), l.ID+": "+label, m) }
	rate, escalator := b.rent(name("rate"), l.ID+": rent of critical load", l.Rate), b.ratio(name("escalator"), l.ID+": escalator", l.Escalator)
	relet, again := duration("relet", "empty before it is let again", l.Relet), b.ratio(name("relet_rate"), l.ID+": rent then", l.ReletRate)
	cap, ahead := b.ratio(name("credit_cap"), l.ID+": of a month's rent that credits may take", l.CreditCap), duration("prepaid", "rent prepaid", l.Prepaid)
	share, interest := b.ratio(name("tenant_capex"), l.ID+": of capex paid by the tenant", l.TenantCapex), b.ratio(name("interest"), l.ID+": interest on what is not credited", l.Interest)
	g.head("The lease")
	g.row("ends", "Month of its end", "", whole, false, always(duration("term", "term", l.Term)+x.extended(l)), "options that are as likely as not are taken")
	g.row("pays", "Share of the rent", "", plain, false, always(fmt.Sprintf("IF([k]<0,0,IF([k]<[ends],%s,IF([k]<[ends]+%s,0,%s)))", x.ramp(l), relet, again)), "ramp, empty, let again")
	g.row("holds", "Share of the load in use", "", plain, false, always(fmt.Sprintf("IF([k]<0,0,IF([k]<[ends],%s,IF([k]<[ends]+%s,0,1)))", x.ramp(l), relet)), "")
	g.row("used", "Critical load in use", "MW", plain, false, always(p.critical+"*[holds]"), "")
	g.row("alive", "In operation", "", whole, false, always("IF([k]>=0,1,0)"), "")
	full := p.critical + "*1000*" + rate
	x.row("rent", "Hosting rent", fmt.Sprintf("IF([k]<0,0,%s*(1+%s)^INT([k]/12)*[pays])", full, escalator))
	g.head("Credits")
	g.row("room", "Most that credits may take", "$", dollars, false, always(fmt.Sprintf("IF(AND([k]>=0,[k]<[ends]),[rent]*%s,0)", cap)), "")
	x.row("tenant_paid", "Paid by the tenant for the building", fmt.Sprintf("[cost0]*[then]*[drawn]*%s", share))
	g.row("tenant_accrued", "Interest on what is owed to the tenant", "$", dollars, true, begins("0", fmt.Sprintf("IF(AND([World!t]>=[begin],[k]<[ends]),[tenant_left<]*%s/12,0)", interest)), "")
	g.row("tenant_credit", "Credited to the tenant", "$", dollars, true, begins("IF(AND([k]>=0,[k]<[ends]),MIN([room],[tenant_accrued]+[tenant_paid]),0)",
		"IF(AND([k]>=0,[k]<[ends]),MIN([room],[tenant_left<]+[tenant_accrued]+[tenant_paid]),0)"), "first what it paid for the building")
	g.row("tenant_left", "Owed to the tenant", "$", dollars, false, begins("[tenant_accrued]+[tenant_paid]-[tenant_credit]", "[tenant_left<]+[tenant_accrued]+[tenant_paid]-[tenant_credit]"), "")
	x.row("tenant_capex", "Tenant's capex, net of credits", "[tenant_paid]+[tenant_accrued]-[tenant_credit]")
	x.row("tenant_interest", "Interest on tenant's capex", "-[tenant_accrued]")
	x.row("ahead", "Rent paid ahead", fmt.Sprintf("IF([k]=0,%s*%s,0)", ahead, full))
	g.row("ahead_credit", "… credited", "$", dollars, true, begins("IF(AND([k]>=0,[k]<[ends]),MIN([room]-[tenant_credit],[ahead]),0)", "IF(AND([k]>=0,[k]<[ends]),MIN([room]-[tenant_credit],[ahead_left<]+[ahead]),0)"), "")
	g.row("ahead_left", "… left", "$", dollars, false, begins("[ahead]-[ahead_credit]", "[ahead_left<]+[ahead]-[ahead_credit]"), "")
	x.row("prepaid", "Prepaid rent, net of credits", "[ahead]-[ahead_credit]")
	g.head("What the option earns and costs")
	x.row("service", "SLA credits", fmt.Sprintf("-[rent]*%s", b.ratio(name("sla"), l.ID+": SLA credits, of rent", l.SLA)))
	x.running(p, l.ID, l.Load, l.Upkeep, l.Property)
	switch l.Kind {
	case "modified":
		x.row("passed_through", "Passed through to the tenant", "IF([holds]>0,[mwh]*[World!mean]-[demand],0)")
	case "net":
		x.row("passed_through", "Passed through to the tenant", "IF([holds]>0,[mwh]*[World!mean]-[demand]-[upkeep]-[property],0)")
	}
	x.row("warrants", "Warrants given", fmt.Sprintf("IF([World!t]=[begin],-%s,0)", b.money(name("warrants"), l.ID+": warrants", "$", l.Warrants)))
	x.exit(b.number(name("exit"), l.ID+": exit multiple of EBITDA", "x", l.Exit))
}

// extended adds the extensions to the term: those whose chance, with all before, is one half.
func (x *option) extended(l *input.Lease) string {
	out, chance := "", "1"
	for i, e := range l.Extensions {
		id := fmt.Sprintf("extension%d", i+1)
		term := x.b.input(named(l.ID, id, "term"), fmt.Sprintf("%s: extension %d", l.ID, i+1), "months", float64(e.Term), whole, "", "")
		chance += "*" + x.b.input(named(l.ID, id, "chance"), fmt.Sprintf("%s: chance of extension %d", l.ID, i+1), "", float64(e.Chance), percent, "", "")
		out += fmt.Sprintf("+IF(%s>=0.5,%s,0)", chance, term)
	}
	return out
}

// ramp is the share that pays in the k-th month.
func (x *option) ramp(l *input.Lease) string {
	out := "1"
	for i := len(l.Ramp) - 1; i >= 0; i-- {
		share := x.b.input(named(l.ID, fmt.Sprintf("ramp%d", i+1)), fmt.Sprintf("%s: pays in month %d", l.ID, i+1), "", float64(l.Ramp[i]), percent, "", "")
		out = fmt.Sprintf("IF([k]=%d,%s,%s)", i, share, out)
	}
	return out
}

// exit writes what the end of the study brings.
func (x *option) exit(multiple string) {
	for _, k := range operating {
		if _, there := x.g.rows[k]; !there {
			x.row(k, title(k), "0")
		}
	}
	n := x.f.Years * 12
	x.g.row("earned", "EBITDA for the exit", "$", dollars, false, always(sumOf(operating, "")), "")
	x.g.row("sale", "Sale and exit value", "$", dollars, true, func(t int) string {
		if t < n-1 {
			return "0"
		}
		back := min(12, n)
		return fmt.Sprintf("IF([operate]<%d,%s*MAX(0,SUM([earned<%d]:[earned])),0)", n, multiple, back-1)
	}, "multiple of the last 12 months' EBITDA")
	x.rest("")
}

func sumOf(keys []string, prefix string) string {
	var parts []string
	for _, k := range keys {
		parts = append(parts, "["+prefix+k+"]")
	}
	return join(parts, "+")
}

// cloud writes GPUs of our own.
func (x *option) cloud(c *input.Cloud, p built) {
	b, g, n := x.b, x.g, x.f.Years*12
	x.times(p, true, fmt.Sprintf("MIN(%d,MIN([over*]))", n-1))
	name := func(what string) string { return named(c.ID, what) }
	each := b.power(name("per_gpu"), c.ID+": critical load of a GPU", c.PerGPU)
	price, from, source := figureOf(c.Capex)
	cost := b.input(name("capex"), c.ID+": a GPU with its share of servers", "$", float64(price), plain, from, source)
	hour, from, source := figureOf(c.Rate)
	rate := b.input(name("rate"), c.ID+": rate", "$/GPU-hour", float64(hour), plain, from, source)
	decay, use, opex := b.ratio(name("decay"), c.ID+": prices fall a year", c.Decay), b.ratio(name("use"), c.ID+": hours sold", c.Use), b.ratio(name("opex"), c.ID+": staff, software, sales, of revenue", c.Opex)
	life, salvage := b.duration(name("life"), c.ID+": life", c.Life), b.ratio(name("salvage"), c.ID+": salvage", c.Salvage)
	ahead, cap := b.ratio(name("prepaid"), c.ID+": of GPUs prepaid by the customer", c.Prepaid), b.ratio(name("credit_cap"), c.ID+": of revenue that credits may take", c.CreditCap)
	exit := b.number(name("exit"), c.ID+": exit multiple of EBITDA", "x", c.Exit)
	renew := 0.0
	if c.Renew {
		renew = 1
	}
	again := b.input(name("renew"), c.ID+": renewed at the end of life", "", renew, whole, "", "1: yes")
	most := b.input(name("gpus"), c.ID+": GPUs at most", "", float64(c.GPUs), whole, "", "0: as many as the hall carries")
	g.head("The GPUs")
	g.row("gpus", "GPUs", "", whole, false, always(fmt.Sprintf("IF(%[3]s>0,MIN(%[3]s,INT(%[1]s/%[2]s+0.000000001)),INT(%[1]s/%[2]s+0.000000001))", p.critical, each, most)), "")
	g.row("fall", "Prices have fallen to", "x", plain, false, always("(1-"+decay+")^([World!t]/12)"), "")
	g.row("lapses", "End of life", "", whole, false, always(fmt.Sprintf("IF(AND([k]>0,MOD([k],%s)=0),1,0)", life)), "")
	g.row("again", "Bought again", "", whole, false, always(fmt.Sprintf("IF(AND([lapses]=1,%s=1,OR(%s>0,2*(%d-[World!t])>=%s)),1,0)", again, exit, n, life)), "not for less than half a life")
	g.row("alive", "In operation", "", whole, false, begins("IF([k]=0,1,0)", "IF([k]<0,0,IF([k]=0,1,IF([lapses]=1,IF([again]=1,[alive<],0),[alive<])))"), "")
	g.row("over", "Over", "month", whole, false, begins("9999", "IF(AND([lapses]=1,[alive<]=1,[alive]=0),[World!t],9999)"), "the month in which the last are sold")
	g.row("buys", "Buys", "", whole, false, begins(fmt.Sprintf("IF(AND([operate]<%d,[World!t]=MAX([begin],[operate]-1)),1,0)", n),
		fmt.Sprintf("IF([operate]<%d,IF([World!t]=MAX([begin],[operate]-1),1,IF(AND([again]=1,[alive<]=1),1,0)),0)", n)), "")
	x.row("machines", "GPUs bought", fmt.Sprintf("-[buys]*[gpus]*%s*[fall]", cost))
	g.row("resale", "GPUs sold", "$", dollars, true, begins("0", fmt.Sprintf("IF(AND([lapses]=1,[alive<]=1),[paid<]*%s,0)", salvage)), "")
	g.row("paid", "What those in place cost", "$", dollars, false, begins("-[machines]", "IF([buys]=1,-[machines],[paid<])"), "")
	x.row("cloud", "GPU hours", fmt.Sprintf("[alive]*[gpus]*%s*%s*[World!hours]*[fall]", rate, use))
	x.row("service", "Staff, software and sales", "-[cloud]*"+opex)
	g.row("used", "Critical load in use", "MW", plain, false, always("[alive]*[gpus]*"+each), "")
	g.row("ahead", "Paid ahead by the customer", "$", dollars, true, always(fmt.Sprintf("IF([k]=0,[paid]*%s,0)", ahead)), "")
	g.row("ahead_credit", "… credited", "$", dollars, true, begins(fmt.Sprintf("MIN([cloud]*%s,[ahead])", cap), fmt.Sprintf("MIN([cloud]*%s,[ahead_left<]+[ahead])", cap)), "")
	g.row("ahead_left", "… left", "$", dollars, false, begins("[ahead]-[ahead_credit]", "[ahead_left<]+[ahead]-[ahead_credit]"), "")
	x.row("prepaid", "Prepaid, net of credits", "[ahead]-[ahead_credit]")
	x.running(p, c.ID, c.Load, c.Upkeep, c.Property)
	x.exit(exit)
}
