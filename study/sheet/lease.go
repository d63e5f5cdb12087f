package sheet

import (
	"fmt"

	"switchyard/study/input"
)

// host writes a project that is let; exit is the name of the multiple where it is not the lease's own.
func (x *option) host(l *input.Lease, p built, exit string) {
	g, of, end := x.g, x.b.figures(leases, l.ID), x.b.months
	relet, again := of.duration("relet", "empty before it is let again", l.Relet), of.ratio("relet_rate", "rent then, of the old", l.ReletRate)
	stays := of.duration("relet_term", "let then for", l.ReletTerm)
	gone := "MOD([k]-[ends$0]," + relet + "+MAX(1," + stays + "))"
	if c := l.ReletCapex; c != nil {
		p.refit = "-IF([k]>=[ends$0],IF(" + gone + "=" + relet + "," + p.critical + "*" +
			of.add("relet_capex", "fitted out then for", "$/MW", float64(c.Is), dollars, string(c.From), c.Source) + "*[World!dollar],0),0)"
	}
	x.construct(p)
	x.what.last = fmt.Sprint(end - 1)
	rate, escalator := of.rent("rate", "rent of critical load", l.Rate), of.ratio("escalator", "escalator a year", l.Escalator)
	full := p.critical + "*1000*" + rate
	g.head("The lease")
	x.ends(of, l)
	g.row("in", "Share of the rent that the tenant pays", "x", plain, false, always("IF(AND([k]>=0,[k]<[ends$0]),"+ramp(of, l)+",0)"), "by its ramp")
	g.row("next", "Another is in", "", whole, false, always("IF([k]>=[ends$0],IF("+gone+">="+relet+",1,0),0)"), "after it was empty")
	g.row("used", "Critical load in use", "MW", plain, false, always(p.critical+"*([in]+[next])"), "")
	x.row("rent", "IF([k]<0,0,"+full+"*(1+"+escalator+")^INT([k]/12)*([in]+[next]*"+again+"))")
	x.credits(of, l, full)
	g.head("What the option earns and costs")
	x.row("service", "-[rent]*"+of.ratio("sla", "SLA credits, of rent", l.SLA))
	x.running(p, of, "[k]>=0", l.Load, l.Upkeep, l.Property)
	switch l.Kind {
	case "modified":
		x.row("passed_through", "IF([used]>0,[mwh]*[World!mean]-[demand],0)")
	case "net":
		x.row("passed_through", "IF([used]>0,[mwh]*[World!mean]-[demand]-[upkeep]-[property],0)")
	}
	x.row("warrants", "IF([World!t]=[begin$0],-"+of.money("warrants", "warrants given", "$", l.Warrants)+",0)")
	if exit == "" {
		exit = of.number("exit", "exit multiple of EBITDA", "x", l.Exit)
	}
	x.exit(exit)
}

// credits writes what the tenant pays ahead and for the building, and what of it is credited: its part
// of the building first.
func (x *option) credits(of figures, l *input.Lease, full string) {
	g := x.g
	cap, ahead := of.ratio("credit_cap", "of a month's rent that credits may take", l.CreditCap), of.duration("prepaid", "rent prepaid", l.Prepaid)
	share, interest := of.ratio("tenant_capex", "of the building paid by the tenant", l.TenantCapex), of.ratio("tenant_interest", "interest on what of it is not credited", l.Interest)
	put := func(key, label, template, how string) { g.row(key, label, "$", dollars, true, always(template), how) }
	owed := func(key, label, template string) { g.row(key, label, "$", dollars, false, always(template), "") }
	g.head("Credits")
	put("room", "Most that credits may take", "IF(AND([k]>=0,[k]<[ends$0]),[rent]*"+cap+",0)", "")
	put("put", "Paid by the tenant for the building", "[cost$0]*[then$0]*[drawn]*"+share, "")
	put("accrued", "Interest on what is owed to the tenant", "IF(AND([World!t]>=[begin$0],[k]<[ends$0]),[put_left<]*"+interest+"/12,0)", "")
	put("put_credit", "Credited to the tenant", "MIN([room],[put_left<]+[accrued]+[put])", "")
	owed("put_left", "Owed to the tenant", "[put_left<]+[accrued]+[put]-[put_credit]")
	put("ahead", "Rent paid ahead", "IF(AND([k]=0,[ends$0]>0),"+ahead+"*"+full+",0)", "")
	put("ahead_credit", "… credited", "MIN([room]-[put_credit],[ahead_left<]+[ahead])", "what room is left")
	owed("ahead_left", "… left", "[ahead_left<]+[ahead]-[ahead_credit]")
	x.row("tenant_capex", "[put]+[accrued]-[put_credit]")
	x.row("tenant_interest", "-[accrued]")
	x.row("prepaid", "[ahead]-[ahead_credit]")
}

// ends writes when the tenant leaves: when it is as likely as not to have failed, or at the end of its term and of the
// extensions whose chance, with all before, is one half.
func (x *option) ends(of figures, l *input.Lease) {
	g, fails := x.g, ""
	if n := len(l.Default); n > 0 {
		chance := ""
		for i := n - 1; i >= 0; i-- {
			v := of.add(fmt.Sprintf("default%d", i+1), fmt.Sprintf("chance to fail in year %d", i+1), "", float64(l.Default[i]), percent, "", "")
			if chance == "" {
				chance = v
			} else {
				chance = fmt.Sprintf("IF(INT([k]/12)=%d,%s,%s)", i, v, chance)
			}
		}
		g.row("gone", "Chance that the tenant has failed", "", percent, false, always("IF([k]<0,0,1-(1-[gone<])*(1-"+chance+")^(1/12))"), "")
		g.scalar("fails", "Month in which that is a half", "month", whole, "SUMPRODUCT(([k*]>=0)*([gone*]<"+fmt.Sprint(input.Likely)+"))", "or beyond the study's end")
		fails = "[fails$0]>="
	}
	g.scalar("term0", "Term", "month", whole, of.duration("term", "term", l.Term), "")
	last, chance := "[term0$0]", "1"
	for i, v := range l.Extensions {
		what, label := fmt.Sprintf("extension%d_", i+1), fmt.Sprintf("extension %d", i+1)
		term := of.add(what+"term", label, "months", float64(v.Term), whole, "", "")
		chance += "*" + of.add(what+"chance", "chance of "+label, "", float64(v.Chance), percent, "", "")
		taken := chance + ">=0.5"
		if fails != "" {
			taken = "AND(" + taken + "," + fails + last + ")"
		}
		key := fmt.Sprintf("term%d", i+1)
		g.scalar(key, "… with "+label, "month", whole, last+"+IF("+taken+","+term+",0)", "where it is as likely as not")
		last = "[" + key + "$0]"
	}
	if fails != "" {
		g.scalar("failed", "The tenant fails", "", whole, "IF([fails$0]<"+last+",1,0)", "1: it does")
		last = "MIN([fails$0]," + last + ")"
	}
	g.scalar("ends", "Month of operation in which the tenant leaves", "month", whole, last, "")
}

// ramp is the share that pays in the k-th month.
func ramp(of figures, l *input.Lease) string {
	out := "1"
	for i := len(l.Ramp) - 1; i >= 0; i-- {
		share := of.add(fmt.Sprintf("ramp%d", i+1), fmt.Sprintf("share that pays in month %d", i+1), "", float64(l.Ramp[i]), percent, "", "")
		out = fmt.Sprintf("IF([k]=%d,%s,%s)", i, share, out)
	}
	return out
}
