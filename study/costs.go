package study

import (
	"fmt"

	"switchyard/study/finance"
	"switchyard/study/flow"
	"switchyard/study/input"
)

// leaves is the month in which a hall is sold or closed; the study's end where it goes on to it.
func (e *engine) leaves(c candidate) int {
	o := e.option(c)
	if o.Kind != input.Sell {
		return e.months
	}
	return min(e.site.Case(o, c.hall, c.month, nil).Begin, e.months)
}

// empty is the month in which the last hall goes; the study's end where one stays.
func (e *engine) empty(c choices) int {
	last := 0
	for _, x := range c {
		last = max(last, e.leaves(x))
	}
	return last
}

// paid is the month from which the site's own costs are no longer owed, where the last hall goes in month
// empty: that month is paid for, and those of winding down.
func (e *engine) paid(empty int) int {
	wind := 0
	if v := e.f.Site.WindDown; v != nil {
		wind = int(v.Is)
	}
	return min(empty+1+wind, e.months)
}

// cost is what the site itself costs in month t.
func (e *engine) cost(t int) float64 {
	if e.f.Site.Fixed == nil {
		return 0
	}
	return float64(float64(e.f.Site.Fixed.Is) / 12 * e.inflation(t))
}

// relief is the tax that the site's own cost of month t saves, where other income bears it.
func (e *engine) relief(t int) float64 {
	if !e.owners.Relief {
		return 0
	}
	return float64(e.owners.TaxRate * e.cost(t))
}

// costs are the site's own as a project, in w.venture; the last hall goes in month empty.
func (e *engine) costs(w *worker, empty int) {
	w.venture.Clear()
	w.venture.End = e.paid(empty)
	for t := range w.venture.End {
		w.venture.Line[flow.Fixed][t] = -e.cost(t)
	}
}

// fixed is the value of the site's own costs and, where s is given, their months.
func (e *engine) fixed(w *worker, empty int, s *sheet) float64 {
	if e.cost(0) == 0 {
		return 0
	}
	e.costs(w, empty)
	finance.Run(finance.Project{Flows: w.venture, Terms: &e.owners, Quick: true}, w.res)
	if s != nil {
		s.add(w.venture, w.res)
	}
	return w.res.NPV
}

// saved is by month what is saved of the site's own costs where the last hall goes in it; nil: nothing ever.
func (e *engine) saved(w *worker) []float64 {
	if e.cost(0) == 0 {
		return nil
	}
	out := make([]float64, e.months+1)
	for t := range out {
		e.costs(w, t)
		out[t] = finance.Value(w.venture, &e.owners, w.scratch)
	}
	for t := range out {
		out[t] -= out[e.months]
	}
	return out
}

// ended says where the site's own costs end before the study does.
func (x *expectation) ended() []Finding {
	e := x.e
	empty := e.empty(x.best)
	paid := e.paid(empty)
	if e.cost(0) == 0 || paid >= e.months {
		return nil
	}
	return []Finding{{Kind: "choice", Month: e.month(paid - 1), Text: fmt.Sprintf(
		"nothing is left at the site from %s on, and its own costs end with %s", e.month(empty), e.month(paid-1))}}
}

// unrelieved says in which tax years the halls as chosen, and the site, make a loss together: with tax.losses as
// relief only income from outside the study saves its tax.
func (x *expectation) unrelieved() []Finding {
	e := x.e
	if !e.owners.Relief {
		return nil
	}
	years, saved, first := 0, 0.0, -1
	for from := 0; from < e.months; {
		to := min(from+12-(from+12-e.owners.NewYear)%12, e.months)
		if back := total(x.site.rows[finance.TaxPaid][from:to]); back > 1 {
			if years++; first < 0 {
				first = from
			}
			saved += back
		}
		from = to
	}
	if years == 0 {
		return nil
	}
	return []Finding{{Kind: "tax", Month: e.month(first), Text: fmt.Sprintf(
		"in %s all that is chosen makes a loss together: %.1f $M of tax is saved only if the owners have other income", counted(years, "tax year", "tax years"), saved/1e6)}}
}

// inflation is what a dollar of Start costs in month t.
func (e *engine) inflation(t int) float64 {
	k := 1.0
	for range t / 12 {
		k *= 1 + float64(e.f.Inflation.Is)
	}
	return k
}
