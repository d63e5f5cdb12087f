package page

import (
	"fmt"
	"html/template"
	"math"

	"switchyard/study"
	"switchyard/study/finance"
	"switchyard/study/flow"
)

// source is one part of the cash that comes and goes.
type source struct {
	Class, Name string
	lines       []flow.Line
}

// sources are where cash comes from and goes to, in the order of stacking from zero outwards.
// Warrants are no cash and stand in the statements alone; tax, which is no line, is added last.
func sources() []source {
	return []source{
		{"c-mining", "bitcoin mined", []flow.Line{flow.Mining}},
		{"c-rent", "hosting rent", []flow.Line{flow.Rent}},
		{"c-cloud", "GPU hours", []flow.Line{flow.Cloud}},
		{"c-passed", "paid back by tenants", []flow.Line{flow.Passed}},
		{"c-grid", "programmes and fixed-price power", []flow.Line{flow.Programmes, flow.Blocks}},
		{"c-ahead", "prepaid rent and tenant's capex, net of credits", []flow.Line{flow.Prepaid, flow.TenantPut, flow.TenantCost}},
		{"c-sale", "sales of halls and machines", []flow.Line{flow.Sale, flow.Resale}},
		{"c-energy", "energy and demand charges", []flow.Line{flow.Energy, flow.Demand}},
		{"c-opex", "pool, upkeep, property, service, fixed", []flow.Line{flow.PoolFee, flow.Upkeep, flow.Property, flow.Service, flow.Fixed}},
		{"c-capex", "building and machines", []flow.Line{flow.Building, flow.Machines}},
		{"c-tax", "tax", nil},
	}
}

// of is what the source brought or took in a year.
func (s source) of(y study.Year) (sum float64) {
	if s.lines == nil {
		return number(y.Rows[finance.TaxPaid.Key()])
	}
	for _, l := range s.lines {
		sum += number(y.Lines[l.Key()])
	}
	return sum
}

func number(v float64) float64 {
	if !finite(v) {
		return 0
	}
	return v
}

// used are the sources that a portfolio has.
func used(ys []study.Year) (out []source) {
	for _, s := range sources() {
		for _, y := range ys {
			if math.Abs(s.of(y)) >= 1 {
				out = append(out, s)
				break
			}
		}
	}
	return out
}

// cash draws each year's sources stacked, what was spent below zero, and what is left as a dot.
func cash(w float64, ys []study.Year) template.HTML {
	c := newCanvas(w, 320, "Cash flow by source", "Stacked columns by year of the portfolio in the expected case: money in above zero, money out below it, a dot for what is left after tax and before financing.")
	a := c.span()
	a.take(0)
	parts := used(ys)
	for _, y := range ys {
		gain, loss := 0.0, 0.0
		for _, s := range parts {
			gain, loss = gain+math.Max(s.of(y), 0), loss+math.Min(s.of(y), 0)
		}
		a.take(gain, loss)
	}
	a.fit()
	c.scale(a, 7, short)
	size := (c.x1 - c.x0) / math.Max(float64(len(ys)), 1)
	thin := math.Min(size*0.68, 56)
	names := make([]string, len(ys))
	for k, y := range ys {
		names[k] = y.Label
		mid := c.x0 + (float64(k)+0.5)*size
		gain, loss := 0.0, 0.0
		for _, s := range parts {
			v := s.of(y)
			tip := fmt.Sprintf("%s, %s: %s", y.Label, s.Name, money(v))
			switch {
			case v > 0:
				c.rect("seg "+s.Class, mid-thin/2, a.at(gain+v), thin, a.at(gain)-a.at(gain+v), tip)
				gain += v
			case v < 0:
				c.rect("seg "+s.Class, mid-thin/2, a.at(loss), thin, a.at(loss+v)-a.at(loss), tip)
				loss += v
			}
		}
		c.dot("net", mid, a.at(gain+loss), 4, fmt.Sprintf("%s, left over: %s", y.Label, money(gain+loss)))
	}
	c.labels(names, func(k float64) float64 { return c.x0 + k*size })
	return c.done()
}
