package sheet

import (
	"github.com/xuri/excelize/v2"

	"switchyard/study"
)

// ownFigure is a figure of an option beside its years, and the row of its sheet that has it.
type ownFigure struct {
	what, key string
	program   *float64
}

// ownFigures are those that the report tells of an option.
func ownFigures(v *study.Option) []ownFigure {
	out := []ownFigure{
		{"NPV", "worth", &v.Expected},
		{"NPV to the owners", "worth_owners", &v.Owners},
		{"Project IRR", "irr", v.IRR},
		{"Equity IRR", "irr_owners", v.IRROwners},
		{"Lowest DSCR of twelve months, before tax", "min_dscr", v.MinDSCR},
		{"Mean DSCR, before tax", "mean_dscr", v.MeanDSCR},
		{"Lowest DSCR of twelve months, after tax", "min_dscr_taxed", v.TaxedDSCR},
		{"Mean DSCR, after tax", "mean_dscr_taxed", v.TaxedMean},
		{"Loan life cover ratio", "llcr", v.LLCR},
		{"Loan", "debt", &v.Debt},
		{"Most equity at a time", "peak", &v.PeakEquity},
		{"Capex", "capex_all", &v.Capex},
		{"Critical load", "mw_most", &v.MW},
	}
	if v.Payback != nil {
		months := float64(*v.Payback)
		out = append(out, ownFigure{"Paid back after", "payback", &months})
	}
	return out
}

// sitesOwn are those that the report tells of all that is chosen together.
func sitesOwn(p *study.Portfolio) []ownFigure {
	return []ownFigure{
		{"Lowest DSCR of twelve months, before tax", "min_dscr", p.MinDSCR},
		{"Mean DSCR, before tax", "mean_dscr", p.MeanDSCR},
		{"Lowest DSCR of twelve months, after tax", "min_dscr_taxed", p.TaxedDSCR},
		{"Mean DSCR, after tax", "mean_dscr_taxed", p.TaxedMean},
	}
}

// compare writes the program's figures beside the formulas', and returns the cell of the largest
// difference of all. A figure that formulas do not find counts as nought.
func (s *yearly) compare(all []listed, covered *grid, r *study.Report) (largest string) {
	name, n := s.sheet("Compare"), s.f.Years
	w := s.stream(name, []float64{14, 16, 38, 18}, 2*n, 4)
	if w == nil {
		return "0"
	}
	head := []any{"Hall", "Option", "Line", "Largest difference"}
	for _, of := range []string{" by the program", ", formula less program"} {
		for y := range n {
			head = append(head, s.label(y)+of)
		}
	}
	s.keep(w.SetRow("A1", head, excelize.RowOpts{StyleID: s.style[heading], Height: 32}))
	row := 1
	add := func(hall, option, what string, formulas []string, program []float64) {
		row++
		first, last := cell(firstYear+n, row), cell(firstYear+n+len(program)-1, row)
		values := make([]any, firstYear-1+2*n)
		values[0], values[1], values[2] = hall, option, what
		values[3] = excelize.Cell{Formula: "MAX(MAX(" + first + ":" + last + "),-MIN(" + first + ":" + last + "))", StyleID: s.style[plain]}
		for i, v := range program {
			values[firstYear-1+i] = excelize.Cell{Value: v, StyleID: s.style[plain]}
			values[firstYear-1+n+i] = excelize.Cell{Formula: "IF(ISNUMBER(" + formulas[i] + ")," + formulas[i] + ",0)-" + cell(firstYear+i, row), StyleID: s.style[plain]}
		}
		s.keep(w.SetRow(cell(1, row), values))
	}
	for i := range all {
		v := &all[i]
		if v.program == nil {
			continue
		}
		for _, f := range ownFigures(v.program) {
			if f.program != nil && v.g.has(f.key) {
				add(v.hall, v.name, f.what, []string{v.g.at(f.key)}, []float64{*f.program})
			}
		}
	}
	for _, f := range sitesOwn(&r.Portfolio) {
		if f.program != nil {
			add("All", "as chosen", f.what, []string{covered.at(f.key)}, []float64{*f.program})
		}
	}
	for i := range s.lines {
		l := &s.lines[i]
		if l.program == nil {
			continue
		}
		var program []float64
		var formulas []string
		for y := range n {
			program, formulas = append(program, l.ours(y)), append(formulas, on(s.name, cell(firstYear+y, i+2)))
		}
		add(l.hall, l.option, l.label, formulas, program)
	}
	s.keep(w.Flush())
	return "MAX(" + on(name, fixed(4, 2)+":"+fixed(4, row)) + ")"
}
