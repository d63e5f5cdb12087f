package sheet

import (
	"fmt"

	"switchyard/study/figure"
)

// world writes what the site cannot choose, in the expected case, and the terms that all halls share.
func (b *book) world() {
	f, all := b.f, b.figures(general, "")
	g := b.grid("World")
	inflation := all.ratio("inflation", "Inflation a year", f.Inflation)
	discount, owners := all.ratio("discount", "Discount rate of projects a year", f.Discount), all.ratio("equity_discount", "Discount rate of the owners a year", f.Equity)
	growth := b.figures(power, "").ratio("growth", "Growth of prices a year", f.Power.Growth)
	g.head("Time")
	g.row("t", "Month of the study", "", whole, false, begins("0", "[t<]+1"), "the first is 0")
	g.row("hours", "Hours of the month", "h", whole, false, func(t int) string {
		return fmt.Sprintf("%g", (f.Start + figure.Month(t)).Hours())
	}, "by the calendar")
	g.row("new_year", "A tax year begins", "", whole, false, func(t int) string {
		return map[bool]string{true: "1", false: "0"}[b.calendar(t) == 0]
	}, "1 in January")
	g.row("dollar", "A dollar of the start", "$", plain, false, always("(1+"+inflation+")^INT([t]/12)"), "inflation by whole years")
	g.row("grown", "Growth of power prices", "x", plain, false, always("(1+"+growth+")^([t]/12)"), "")
	g.row("factor", "Discount factor", "x", plain, false, always("(1+"+discount+")^(-([t]+1)/12)"), "at the month's end")
	g.row("factor_owners", "Discount factor of the owners", "x", plain, false, always("(1+"+owners+")^(-([t]+1)/12)"), "")
	b.bitcoin(g)
	b.tariff(g)
	g.head("Cooling")
	g.row("pue", "PUE of AI halls", "x", plain, false, b.pue(), "")
}

// pue is that of AI halls, by month of the calendar where the file has it so.
func (b *book) pue() func(t int) string {
	here := b.figures(site, "")
	if len(b.f.Site.PUEByMonth) != 12 {
		return always(here.number("pue", "PUE of AI halls", "x", b.f.Site.PUE))
	}
	var names [12]string
	for c, v := range b.f.Site.PUEByMonth {
		names[c] = here.add("pue_"+monthNames[c], "PUE of AI halls in "+monthNames[c], "x", v, plain, "", "")
	}
	return func(t int) string { return names[b.calendar(t)] }
}

// calendar is a month's place in its year, January 0.
func (b *book) calendar(t int) int { return int((b.f.Start + figure.Month(t)).Calendar()) - 1 }

// tariff writes what power costs.
func (b *book) tariff(g *grid) {
	f, in := b.f, b.figures(power, "")
	adder, demand := in.price("adder", "Wires, losses and retail", f.Power.Adder), in.rent("demand", "Demand charge", f.Power.Demand)
	coincident := in.money("coincident", "Coincident-peak charge", "$/kW-year", f.Power.Coincident)
	avoided := in.ratio("coincident_avoided", "Coincident peaks avoided by mining", f.Power.Avoided)
	hours, price := in.number("spike_hours", "Hours of a spike", "h", f.Power.SpikeHours), in.price("spike_price", "Mean price added in a spike", f.Power.SpikePrice)
	chance := in.ratio("spike_chance", "Chance that a month has a spike", f.Power.SpikeChance)
	row := func(key, label, unit, template, how string) {
		g.row(key, label, unit, plain, false, always(template), how)
	}
	g.head("Power")
	row("level", "Factor on the hourly prices", "x", "[grown]", "expected: their growth")
	row("spike", "Added in the dearest hours", "$/MWh", "IF("+hours+">0,"+chance+"*"+price+",0)", "expected: chance times price")
	row("adder", "Wires, losses and retail", "$/MWh", adder+"*[grown]", "")
	row("calm", "Share of hours without spike", "x", "1-MIN(MAX("+hours+"/[hours],0),1)", "")
	g.row("calmsum", "Prices of the calm hours x share", "$/MWh", plain, false, func(t int) string {
		p := b.prices(t)
		k := fmt.Sprintf("MIN(INT([calm]*%d),%d)", p.n, p.n-1)
		return fmt.Sprintf("%s+([calm]-%s/%d)*INDEX(%s,%s+1)", p.upTo(k), k, p.n, p.each, k)
	}, "before the month's level")
	g.row("market", "Mean hourly price", "$/MWh", plain, false, func(t int) string {
		return fmt.Sprintf("[level]*%s+[spike]*(1-[calm])", b.prices(t).mean())
	}, "")
	row("mean", "Mean all-in price", "$/MWh", "[market]+[adder]", "")
	row("demand", "Demand charge per MW", "$", demand+"*1000*[grown]", "")
	row("coincident", "Coincident peaks per MW", "$", coincident+"*1000/12*[grown]", "a twelfth of the year's")
	row("charge", "Both for mining", "$", "[demand]+[coincident]*(1-"+avoided+")", "which avoids peaks")
	b.blocks(g)
}

// blocks writes the fixed-price power of the whole site.
func (b *book) blocks(g *grid) {
	var resold, settled, covered, paid []string
	for i := range b.f.Power.Blocks {
		k, in := &b.f.Power.Blocks[i], b.figures(power, fmt.Sprintf("block %d", i+1))
		mw, price := in.power("mw", "fixed-price power", k.Power), in.price("price", "its price", k.Price)
		from, until := 0, b.months
		if k.From != 0 {
			from = int(k.From - b.f.Start)
		}
		if k.Until != 0 {
			until = int(k.Until - b.f.Start)
		}
		begin := in.add("from", "its first month, the study's first being 0", "month", float64(from), whole, "", "")
		end := in.add("until", "the first month without it", "month", float64(until), whole, "", "")
		here := fmt.Sprintf("IF(AND([t]>=%s,[t]<%s),%s,0)", begin, end, mw)
		if k.Resale == nil || *k.Resale {
			resold, settled = append(resold, here), append(settled, here+"*"+price)
		} else {
			covered, paid = append(covered, here), append(paid, here+"*"+price)
		}
	}
	row := func(key, label, unit string, parts []string) {
		g.row(key, label, unit, plain, false, always(total(parts)), "")
	}
	row("resold", "Fixed-price power that may be resold", "MW", resold)
	row("settled", "… times its price", "$/h", settled)
	row("covered", "Fixed-price power without resale", "MW", covered)
	row("paid", "… times its price", "$/h", paid)
	g.row("blocks", "All fixed-price power against the market", "$", dollars, true, always("[hours]*([resold]*[market]-[settled]-[paid])"), "of the whole site")
}
