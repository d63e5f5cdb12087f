package page

import (
	"html/template"
	"math"

	"switchyard/study"
	"switchyard/study/finance"
	"switchyard/study/flow"
)

// statement is a project's years: what it is made of, line by line, and its three statements.
type statement struct {
	ID, Title, Hall, Note string
	Open                  bool
	Labels                []string
	Groups                []rowGroup
	Fan                   template.HTML
	Links                 []link // where its figures come from
}

// rowGroup is one of the statements.
type rowGroup struct {
	Name string
	Rows []yearRow
}

// yearRow is one line of a statement over the years.
type yearRow struct {
	Name  string
	Sum   bool
	Cells []string
}

// link leads to another place of the page.
type link struct{ Href, Name string }

// statementOf lays out years; lines and rows that are zero in all of them are left out.
func statementOf(ys []study.Year) (labels []string, groups []rowGroup) {
	for _, y := range ys {
		labels = append(labels, y.Label)
	}
	lines := rowGroup{Name: "Money by line, before financing and tax"}
	for l := flow.Line(0); l < flow.Lines; l++ {
		lines.add(ys, l.String(), false, million, func(y study.Year) (float64, bool) { v, ok := y.Lines[l.Key()]; return v, ok })
	}
	mwh := rowGroup{Name: "Energy"}
	mwh.add(ys, "Drawn from the grid, GWh", false, func(v float64) string { return group(v/1e3, 1) }, func(y study.Year) (float64, bool) { return y.MWh, y.MWh != 0 })
	groups = append(groups, lines)
	parts := []struct {
		name string
		last finance.Row
	}{{"Income statement", finance.NetIncome}, {"For the tax return", finance.CFADS - 1}, {"Cash flow statement", finance.CashMove}, {"Balance sheet, at the year's end", finance.Off}, {"For lenders and owners", finance.Rows - 1}}
	r := finance.Row(0)
	for _, p := range parts {
		g := rowGroup{Name: p.name}
		for ; r <= p.last; r++ {
			print := million
			if r == finance.Cover {
				print = ratio
			}
			name := r.String()
			if r == finance.Cover {
				name += " before tax, of twelve months"
			}
			g.add(ys, name, sum(r), print, func(y study.Year) (float64, bool) { v, ok := y.Rows[r.Key()]; return v, ok })
		}
		groups = append(groups, g)
	}
	groups = append(groups, mwh)
	kept := groups[:0]
	for _, g := range groups {
		if len(g.Rows) > 0 {
			kept = append(kept, g)
		}
	}
	return labels, kept
}

// sum says that a row is one that the others of its statement come to.
func sum(r finance.Row) bool {
	switch r {
	case finance.EBITDA, finance.PreTax, finance.NetIncome, finance.CFADS, finance.CashMove, finance.Free, finance.ToEquity:
		return true
	}
	return false
}

func (g *rowGroup) add(ys []study.Year, name string, sum bool, print func(float64) string, of func(study.Year) (float64, bool)) {
	row := yearRow{Name: name, Sum: sum}
	some := false
	for _, y := range ys {
		v, ok := of(y)
		if !ok || !finite(v) || v == 0 {
			row.Cells = append(row.Cells, none)
			continue
		}
		some = some || math.Abs(v) > 1e-6
		row.Cells = append(row.Cells, print(v))
	}
	if some {
		g.Rows = append(g.Rows, row)
	}
}

func statementsOf(r *study.Report, in []inputGroup) (out []statement) {
	p := statement{ID: "portfolio", Title: "The best choices together", Open: true}
	p.Labels, p.Groups = statementOf(r.Portfolio.Years)
	out = append(out, p)
	for k, o := range r.Options {
		s := statement{ID: optionID(k), Title: o.Title, Hall: o.Hall, Note: o.Kind}
		if s.Title == "" {
			s.Title = o.Name
		}
		s.Labels, s.Groups = statementOf(o.Years)
		s.Links = linksOf(o, in)
		if len(o.Fan) > 0 {
			s.Fan = both(func(w float64) template.HTML {
				return fan(w, o.Fan, look{
					title: "Yearly cash of " + s.Title + ", " + o.Hall, desc: "Fan of the year's net cash after tax and before financing, from P10 to P90 of all futures.",
					high: 220, print: money, tick: short, start: r.Start,
				})
			})
		}
		out = append(out, s)
	}
	return out
}
