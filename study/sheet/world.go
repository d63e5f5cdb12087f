package sheet

import (
	"fmt"

	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/unit"
)

// figureOf is a figure that the file may lack, with its provenance.
func figureOf[T any](f *figure.Figure[T]) (v T, from, source string) {
	if f == nil {
		return v, string(figure.Assumption), "not in the file"
	}
	return f.Is, string(f.From), f.Source
}

func (b *book) ratio(name, label string, r input.Ratio) string {
	v, from, source := figureOf(r)
	return b.input(name, label, "", float64(v), percent, from, source)
}

func (b *book) rent(name, label string, r input.Rent) string {
	v, from, source := figureOf(r)
	return b.input(name, label, "$/kW-month", v.DollarsPerKWMonth(), plain, from, source)
}

func (b *book) price(name, label string, r input.Price) string {
	v, from, source := figureOf(r)
	return b.input(name, label, "$/MWh", v.DollarsPerMWh(), plain, from, source)
}

func (b *book) money(name, label, of string, r input.Money) string {
	v, from, source := figureOf(r)
	return b.input(name, label, of, float64(v), plain, from, source)
}

func (b *book) number(name, label, of string, r input.Number) string {
	v, from, source := figureOf(r)
	return b.input(name, label, of, v, plain, from, source)
}

func (b *book) duration(name, label string, r input.Months) string {
	v, from, source := figureOf(r)
	return b.input(name, label, "months", float64(v), whole, from, source)
}

func (b *book) power(name, label string, r *figure.Figure[unit.Power]) string {
	v, from, source := figureOf(r)
	return b.input(name, label, "MW", v.Megawatts(), plain, from, source)
}

// world writes what the site cannot choose, in the expected case, and the terms that all halls share.
func (b *book) world() {
	f := b.f
	g := b.grid("World", f.Years*12)
	growth, inflation := b.ratio("in_growth", "Growth of power prices", f.Power.Growth), b.ratio("in_inflation", "Inflation", f.Inflation)
	g.head("Time")
	g.row("t", "Month of the study", "", whole, false, begins("0", "[t<]+1"), "the first is 0")
	g.row("hours", "Hours of the month", "h", whole, false, func(t int) string {
		return fmt.Sprintf("%g", (f.Start + figure.Month(t)).Hours())
	}, "")
	g.row("dollar", "A dollar of the start", "$", plain, false, always("(1+"+inflation+")^INT([t]/12)"), "inflation by whole years")
	g.row("grown", "Power prices' growth", "x", plain, false, always("(1+"+growth+")^([t]/12)"), "")
	b.bitcoin(g)
	b.tariff(g)
	g.head("Cooling")
	pue := b.number("in_pue", "PUE of AI halls", "", f.Site.PUE)
	g.row("pue", "PUE of AI halls", "x", plain, false, func(t int) string {
		if len(f.Site.PUEByMonth) == 12 {
			c := (f.Start + figure.Month(t)).Calendar()
			return b.input(named("pue", monthNames[c-1]), "PUE in "+monthNames[c-1], "", f.Site.PUEByMonth[c-1], plain, "", "")
		}
		return pue
	}, "")
}

// tariff writes what power costs.
func (b *book) tariff(g *grid) {
	f := b.f
	adder, demand, coincident := b.price("in_adder", "Wires, losses and retail", f.Power.Adder), b.rent("in_demand", "Demand charge", f.Power.Demand),
		b.money("in_coincident", "Coincident-peak charge", "$/kW-year", f.Power.Coincident)
	spikes := b.number("in_spike_hours", "Hours of a spike month", "h", f.Power.SpikeHours)
	spike, chance := b.price("in_spike_price", "Mean price added in a spike", f.Power.SpikePrice), b.ratio("in_spike_chance", "Chance of a spike month", f.Power.SpikeChance)
	g.head("Power")
	g.row("level", "Factor on the hourly prices", "x", plain, false, always("[grown]"), "expected: its growth")
	g.row("spike", "Added in the dearest hours", "$/MWh", plain, false, always("IF("+spikes+">0,"+chance+"*"+spike+",0)"), "expected: chance times price")
	g.row("adder", "Wires, losses and retail", "$/MWh", plain, false, always(adder+"*[grown]"), "")
	g.row("calm", "Share of hours without spike", "", plain, false, always("1-MIN(MAX("+spikes+"/[hours],0),1)"), "")
	g.row("calmsum", "Prices of the calm hours x share", "$/MWh", plain, false, func(t int) string {
		p, s, n := b.prices(t)
		k := fmt.Sprintf("MIN(INT([calm]*%d),%d)", n, n-1)
		return fmt.Sprintf("IF(%[1]s=0,0,INDEX(%[2]s,MAX(1,%[1]s)))/%[3]d+([calm]-%[1]s/%[3]d)*INDEX(%[4]s,%[1]s+1)", k, s, n, p)
	}, "")
	g.row("market", "Mean hourly price", "$/MWh", plain, false, func(t int) string {
		_, s, n := b.prices(t)
		return fmt.Sprintf("[level]*INDEX(%s,%d)/%d+[spike]*(1-[calm])", s, n, n)
	}, "")
	g.row("mean", "Mean all-in price", "$/MWh", plain, false, always("[market]+[adder]"), "")
	g.row("demand", "Demand charge per MW", "$", plain, false, always(demand+"*1000*[grown]"), "")
	g.row("coincident", "Coincident peaks per MW", "$", plain, false, always(coincident+"*1000/12*[grown]"), "a twelfth of the year's")
	b.blocks(g)
}

// blocks writes the fixed-price power of the whole site.
func (b *book) blocks(g *grid) {
	var resold, settled, covered, paid []string
	for i := range b.f.Power.Blocks {
		k := &b.f.Power.Blocks[i]
		label := fmt.Sprintf("Fixed-price power %d", i+1)
		mw, price := b.power(named("block", fmt.Sprint(i+1), "mw"), label, k.Power), b.price(named("block", fmt.Sprint(i+1), "price"), label, k.Price)
		from, until := 0, b.f.Years*12
		if k.From != 0 {
			from = int(k.From - b.f.Start)
		}
		if k.Until != 0 {
			until = int(k.Until - b.f.Start)
		}
		here := fmt.Sprintf("IF(AND([t]>=%d,[t]<%d),%s,0)", from, until, mw)
		if k.Resale == nil || *k.Resale {
			resold, settled = append(resold, here), append(settled, here+"*"+price)
		} else {
			covered, paid = append(covered, here), append(paid, here+"*"+price)
		}
	}
	g.row("resold", "Fixed-price power that may be resold", "MW", plain, false, always(join(resold, "+")), "")
	g.row("settled", "… times its price", "$/h", plain, false, always(join(settled, "+")), "")
	g.row("covered", "Fixed-price power without resale", "MW", plain, false, always(join(covered, "+")), "")
	g.row("paid", "… times its price", "$/h", plain, false, always(join(paid, "+")), "")
	g.row("blocks", "All fixed-price power against the market", "$", dollars, true, always("[hours]*([resold]*[market]-[settled]-[paid])"), "of the whole site")
}
