package study

import (
	"fmt"
	"math"
	"slices"

	"switchyard/study/finance"
	"switchyard/study/input"
	"switchyard/study/sector"
	"switchyard/study/world"
)

// finish writes what the expected case and the paths found into the report.
func (x *expectation) finish(r *Report) {
	e := x.e
	for i := range x.all {
		if v := &x.all[i].out; r.Paths == 0 {
			v.NPV, v.Over = sure(v.Expected), sure(v.Expected-x.mining(x.all[i].hall))
		}
	}
	for _, i := range shown(x.all, x.best) {
		covered := x.cover(&x.all[i])
		r.Options = append(r.Options, x.all[i].out)
		r.Findings = append(append(r.Findings, e.findings(x.w, &x.all[i])...), covered...)
	}
	for h, i := range x.at {
		v := &x.all[i].out
		c := Choice{Hall: v.Hall, Option: v.Name, Title: v.Title, Start: v.Start, NPV: v.NPV, Over: v.Over.Mean}
		if x.alone[h] != x.best[h] {
			c.Alone = e.title(x.alone[h])
		}
		if k := x.instead(i); k >= 0 {
			c.Instead, c.OverInstead = x.all[k].out.Title, some(x.mean(i)-x.mean(k))
		}
		r.Best = append(r.Best, c)
	}
	r.Findings = append(r.Findings, e.overdrawn()...)
	r.Findings = append(r.Findings, x.otherwise()...)
	r.Findings = append(append(append(r.Findings, x.ended()...), x.unrelieved()...), x.exits(r)...)
	for _, w := range e.f.Warnings {
		// A study that ends before its leases may answer otherwise for that alone.
		r.Findings = append(r.Findings, Finding{Kind: "input", Text: w.Error(), Top: w.Path == "years"})
	}
	x.alternative(r)
	x.money(r)
	e.tellWorld(x.w, r)
	e.compare(x, r)
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return rank(a) - rank(b) })
}

// rank is lower for what stands first.
func rank(f Finding) int {
	if f.Top {
		return 0
	}
	return 1
}

// otherwise names the halls for which the expected case alone would choose something else.
func (x *expectation) otherwise() (out []Finding) {
	for h, at := range x.at {
		if x.plain[h] == x.best[h] {
			continue
		}
		v := &x.all[at].out
		text := "chosen by what it is worth over all futures; by the expected case alone it would be: " + x.e.title(x.plain[h])
		for i := range x.all {
			if o := &x.all[i].out; x.all[i].candidate == x.plain[h] {
				text += fmt.Sprintf(", worth %.1f $M there and %.1f $M over all futures", o.Expected/1e6, o.NPV.Mean/1e6)
			}
		}
		out = append(out, Finding{Hall: v.Hall, Option: v.Name, Kind: "choice", Text: text})
	}
	return out
}

// shown are the places in all of what the report lists: each option of each hall in its best month, and what is
// chosen in the month in which it is, where limits moved it.
func shown(all []future, best choices) (out []int) {
	at := map[candidate]int{}
	for i := range all {
		key := candidate{hall: all[i].hall, option: all[i].option}
		k, twice := at[key]
		switch {
		case !twice:
			at[key], out = len(out), append(out, i)
		case all[i].candidate == best[key.hall]:
			all[i].out.Timing = all[out[k]].out.Timing
			out[k] = i
		}
	}
	return out
}

// mining is the expected value of a hall that mines on.
func (x *expectation) mining(hall int) float64 {
	for i := range x.all {
		if x.all[i].candidate == x.e.cands[hall][0] {
			return x.all[i].out.Expected
		}
	}
	return 0
}

// money fills in the portfolio's statements, ratios and months.
func (x *expectation) money(r *Report) {
	e, p := x.e, &r.Portfolio
	p.Years = e.years(x.site)
	if r.Paths == 0 {
		on := e.fixed(x.w, e.months, nil)
		for h := range e.cands {
			on += x.mining(h)
		}
		p.NPV, p.MiningOn = sure(p.Expected), sure(on)
	}
	free, owners := make([]float64, e.months), make([]float64, e.months)
	for _, i := range x.at {
		if x.all[i].out.Capex > 0 && x.all[i].out.Kind != mine {
			for t := range free {
				free[t] += x.all[i].free[t]
				owners[t] += x.all[i].owners[t]
			}
		}
	}
	p.ProjectIRR, p.EquityIRR = rateOf(finance.IRR(free)), rateOf(finance.IRR(owners))
	in := 0.0
	for _, v := range owners {
		in = math.Max(0, in-v)
		p.PeakEquity = math.Max(p.PeakEquity, in)
	}
	for _, i := range x.at {
		p.Debt += x.all[i].out.Debt
		p.Capex += x.all[i].out.Capex
	}
	c := siteCovers(x.site)
	p.MinDSCR, p.MeanDSCR = some(c.before.least), some(c.before.mean)
	p.TaxedDSCR, p.TaxedMean = some(c.after.least), some(c.after.mean)
	c.before.ofYears(p.Years)
	for t := range e.months {
		m := &p.Months
		m.Labels = append(m.Labels, e.month(t))
		m.Debt = append(m.Debt, x.site.rows[finance.LoanOwed][t]+x.site.rows[finance.NotesOwed][t])
		m.Service = append(m.Service, x.site.rows[finance.Due][t])
		m.CFADS = append(m.CFADS, x.site.rows[finance.CFADS][t])
		m.Cash = append(m.Cash, x.site.rows[finance.Cash][t]+x.site.rows[finance.Reserve][t])
		m.DSCR, m.Taxed = append(m.DSCR, some(c.before.by[t])), append(m.Taxed, some(c.after.by[t]))
	}
}

// tellWorld tells the expected world by year and the halvings.
func (e *engine) tellWorld(w *worker, r *Report) {
	w.expected()
	for y := range e.f.Years {
		power := 0.0
		for t := 12 * y; t < 12*y+12; t++ {
			power += e.tariff.Mean(t, w.path) / 12
		}
		mean := func(v []float64) float64 { return total(v[12*y:12*y+12]) / 12 }
		r.World.Expected = append(r.World.Expected, mean(w.path.Hashprice))
		r.World.ExpectedPrice = append(r.World.ExpectedPrice, mean(w.path.Price))
		r.World.ExpectedPower = append(r.World.ExpectedPower, power)
		r.World.ExpectedDifficulty = append(r.World.ExpectedDifficulty, mean(w.path.Difficulty))
	}
	for _, m := range world.Halvings(e.f) {
		r.World.Halvings = append(r.World.Halvings, m.String())
	}
	floored := 0
	for t, v := range w.path.Hashprice {
		if v > 0 && v <= slack(e.model.Floor(t)) {
			floored++
		}
	}
	if 2*floored > e.months && slices.ContainsFunc(e.f.Halls, func(h input.Hall) bool { return len(h.Fleet) > 0 }) {
		r.Findings = append(r.Findings, Finding{Kind: "input", Text: fmt.Sprintf(
			"hashprice is as low as the network goes in %d of %d months of the expected case: what mining is worth hangs on bitcoin.floor_power, floor_efficiency and improvement", floored, e.months)})
	}
}

// compare puts the study's leases among public ones, and its energy beside the world's.
func (e *engine) compare(x *expectation, r *Report) {
	r.Sector.AsOf = sector.AsOf()
	for _, d := range sector.Deals() {
		r.Sector.Deals = append(r.Sector.Deals, Deal(d))
	}
	for i := range e.f.Leases {
		l := &e.f.Leases[i]
		name := l.ID
		if l.Tenant != "" {
			name = l.Tenant + " (" + l.ID + ")"
		}
		rate := sector.Mean(l.Rate.Is.DollarsPerKWMonth(), float64(l.Escalator.Is), float64(l.Term.Is)/12)
		r.Sector.Ours = append(r.Sector.Ours, Deal{
			Name: name, Date: e.f.Start.String(), Years: float64(l.Term.Is) / 12, Rate: rate, Kind: l.Kind,
			Note: fmt.Sprintf("%s at first, %s a year; the mean over the term", l.Rate.Is, l.Escalator.Is), Source: l.Rate.Source,
		})
	}
	mwh := 0.0
	for h := range e.cands {
		for i := range x.all {
			if x.all[i].candidate == e.cands[h][0] {
				mwh += total(x.all[i].total.flows.MWh[:min(12, e.months)])
			}
		}
	}
	for _, s := range sector.Energy(mwh) {
		r.Energy = append(r.Energy, Energy(s))
	}
}
