package page

import (
	"fmt"
	"html/template"
	"math"
	"slices"

	"switchyard/study"
	"switchyard/study/said"
)

// hallRows are the options of one hall in the tables.
type hallRows struct {
	Hall string
	Rows []optionRow
}

// optionRow is one option in the tables.
type optionRow struct {
	ID, Title, Start, Class           string
	Chosen, Lent                      bool
	P10, Mean, P90, Over, Beats, Lose string
	Strip                             template.HTML
	ProjectIRR, EquityIRR             rate
	Payback                           string

	Capex, Debt, DebtWhy, PeakEquity   string
	MinDSCR, LowDSCR, Breach, LLCR, MW string
	MeanDSCR, TaxedDSCR, TaxedMean     string
	Owners, Expected                   string
}

// rate is a rate of return or why there is none.
type rate struct{ Pct, None string }

func rateOf(r study.Rate, share *float64, none string) rate {
	switch {
	case r.Pct != nil && finite(*r.Pct):
		return rate{Pct: group(*r.Pct, 1) + " %"}
	case share != nil && finite(*share):
		return rate{Pct: percent(*share)}
	case r.None != "":
		return rate{None: r.None}
	case none != "":
		return rate{None: none}
	}
	return rate{None: "not told"}
}

// optionID is the anchor of an option's own section; names may hold anything, a number does not.
func optionID(k int) string { return fmt.Sprintf("o%d", k+1) }

// optionsOf gathers the tables: halls in the order in which they come.
func optionsOf(r *study.Report) (out []hallRows) {
	lo, hi := 0.0, 0.0
	for _, o := range r.Options {
		d := spread(r, o)
		for _, v := range []float64{d.P10, d.P90, d.Mean} {
			if finite(v) {
				lo, hi = math.Min(lo, v), math.Max(hi, v)
			}
		}
	}
	for k, o := range r.Options {
		at := slices.IndexFunc(out, func(h hallRows) bool { return h.Hall == o.Hall })
		if at < 0 {
			out, at = append(out, hallRows{Hall: o.Hall}), len(out)
		}
		row := rowOf(r, o)
		row.ID = optionID(k)
		row.Strip = strip(spread(r, o), lo, hi, row.Chosen)
		out[at].Rows = append(out[at].Rows, row)
	}
	return out
}

// spread is an option's value over the paths; without paths the expected case alone.
func spread(r *study.Report, o study.Option) study.Dist {
	if r.Paths == 0 {
		return study.Dist{Mean: o.Expected, P10: o.Expected, P50: o.Expected, P90: o.Expected}
	}
	return o.NPV
}

func rowOf(r *study.Report, o study.Option) optionRow {
	d := spread(r, o)
	x := optionRow{
		Title: o.Title, Start: "decided " + o.Start,
		P10: million(d.P10), Mean: million(d.Mean), P90: million(d.P90), Over: million(o.Over.Mean), Beats: chance(o.BeatsMining), Lose: chance(o.Loses),
		ProjectIRR: rateOf(o.ProjectIRR, o.IRR, o.NoIRR), EquityIRR: rateOf(o.EquityIRR, o.IRROwners, o.NoIRR),
		Capex: million(abs(o.Capex)), Debt: million(o.Debt), DebtWhy: o.DebtWhy, PeakEquity: million(o.PeakEquity),
		MeanDSCR: optional(o.MeanDSCR, ratio), TaxedDSCR: optional(o.TaxedDSCR, ratio), TaxedMean: optional(o.TaxedMean, ratio),
		MinDSCR: optional(o.MinDSCR, ratio), LowDSCR: none, Breach: optional(o.Breach, chance), LLCR: optional(o.LLCR, ratio), MW: group(o.MW, 1),
		Owners: million(o.Owners), Expected: million(o.Expected), Payback: none,
	}
	x.Lent = o.MinDSCR != nil
	if x.Title == "" {
		x.Title = o.Name
	}
	if o.Operates != "" {
		x.Start += ", operates " + o.Operates
	}
	if o.Payback != nil {
		x.Payback = years(*o.Payback)
	}
	if o.PathDSCR != nil {
		x.LowDSCR = ratio(o.PathDSCR.P10)
	}
	if r.Paths == 0 || said.Few(r) {
		x.P10, x.P90, x.Beats, x.Lose, x.LowDSCR, x.Breach = none, none, none, none, none, none
	}
	if o.Kind == "mine" {
		x.Over, x.Beats = none, none
	}
	if o.Debt == 0 {
		x.Debt = none
	}
	if o.Capex == 0 {
		x.Capex = none
	}
	if o.PeakEquity == 0 {
		x.PeakEquity = none
	}
	if o.MW == 0 {
		x.MW = none
	}
	for _, b := range r.Best {
		if b.Hall == o.Hall && b.Option == o.Name {
			x.Chosen, x.Class = true, "chosen"
			if best := bestStart(o); b.Start != "" && best != b.Start {
				x.Start += "; by itself best " + best
			}
		}
	}
	return x
}

func cents(v float64) string { return group(v, 2) }

// bestStart is the month in which an option is worth most in the expected case.
func bestStart(o study.Option) string {
	month, most := o.Start, math.Inf(-1)
	for _, t := range o.Timing {
		if finite(t.NPV) && t.NPV > most {
			month, most = t.Month, t.NPV
		}
	}
	return month
}

// choice is one hall of the decision.
type choice struct {
	Hall, ID, Title, Start, Mean, P10, P90, Over, Beats, Lose, Breach, Alone string
}

func choicesOf(r *study.Report) (out []choice) {
	for _, b := range r.Best {
		c := choice{Hall: b.Hall, Title: b.Title, Start: b.Start, Mean: million(b.NPV.Mean), P10: million(b.NPV.P10), P90: million(b.NPV.P90), Over: million(b.Over), Alone: b.Alone}
		c.Beats, c.Lose, c.Breach = none, none, none
		if c.Title == "" {
			c.Title = b.Option
		}
		if o := chosen(r, b); o != nil && r.Paths > 0 {
			c.Lose, c.Breach = chance(o.Loses), optional(o.Breach, chance)
			if o.Kind != "mine" {
				c.Beats = chance(o.BeatsMining)
			}
		}
		for k, o := range r.Options {
			if o.Hall == b.Hall && o.Name == b.Option {
				c.ID = optionID(k)
				if o.Kind == "mine" {
					c.Over = none
				}
				if r.Paths == 0 && b.NPV.Mean == 0 {
					c.Mean = million(o.Expected)
				}
			}
		}
		if r.Paths == 0 || said.Few(r) {
			c.P10, c.P90, c.Beats, c.Lose, c.Breach = none, none, none, none, none
		}
		out = append(out, c)
	}
	return out
}

// card is one large figure.
type card struct{ Value, What, Link string }

func cardsOf(r *study.Report) []card {
	p := r.Portfolio
	of := ", mean over all futures"
	if r.Paths == 0 {
		of = ", expected case"
	}
	out := []card{{money(value(r, p.NPV, p.Expected)), "net present value after tax" + of, "m-npv"}}
	switch {
	case said.Few(r):
		out = append(out, card{"no spread", said.Spread(r), "m-paths"})
	case r.Paths > 0:
		out = append(out, card{money(p.NPV.P10) + " to " + money(p.NPV.P90), "P10 to P90: " + said.Spread(r), "m-paths"})
	}
	if r.Paths > 0 {
		out = append(out, card{money(p.Expected), "net present value after tax, expected case", "m-npv"})
	}
	return append(out, card{money(gain(r)), "over mining on everywhere" + of, "m-npv"},
		card{rateCard(rateOf(p.ProjectIRR, nil, "")), "project IRR, expected case", "m-irr"}, card{rateCard(rateOf(p.EquityIRR, nil, "")), "equity IRR, expected case", "m-irr"},
		card{money(abs(p.Capex)), "to build, expected case", "m-tax"}, card{money(p.PeakEquity), "owners' money at most, expected case", "m-irr"}, card{money(p.Debt), "borrowed, expected case", "m-debt"},
		card{optional(p.MinDSCR, ratio), "lowest DSCR of the site, before tax, expected case", "m-dscr"},
		card{optional(p.TaxedDSCR, ratio), "lowest DSCR of the site, after tax, expected case", "m-dscr"})
}

func rateCard(r rate) string {
	if r.Pct == "" {
		return "none"
	}
	return r.Pct
}
