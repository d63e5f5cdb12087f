package sheet

import (
	"github.com/xuri/excelize/v2"

	"switchyard/study"
	"switchyard/study/sheet/ref"
	"switchyard/study/sheet/tell"
)

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
		first, last := ref.Cell(firstYear+n, row), ref.Cell(firstYear+n+len(program)-1, row)
		values := make([]any, firstYear-1+2*n)
		values[0], values[1], values[2] = hall, option, what
		values[3] = excelize.Cell{Formula: "MAX(MAX(" + first + ":" + last + "),-MIN(" + first + ":" + last + "))", StyleID: s.style[plain]}
		for i, v := range program {
			values[firstYear-1+i] = excelize.Cell{Value: v, StyleID: s.style[plain]}
			values[firstYear-1+n+i] = excelize.Cell{Formula: "IF(ISNUMBER(" + formulas[i] + ")," + formulas[i] + ",0)-" + ref.Cell(firstYear+i, row), StyleID: s.style[plain]}
		}
		s.keep(w.SetRow(ref.Cell(1, row), values))
	}
	for i := range all {
		v := &all[i]
		if v.program == nil {
			continue
		}
		for _, f := range tell.Option(v.program) {
			if f.Program != nil && v.g.has(f.Key) {
				add(v.hall, v.name, f.What, []string{v.g.at(f.Key)}, []float64{*f.Program})
			}
		}
	}
	for _, f := range tell.Site(&r.Portfolio) {
		if f.Program != nil {
			add("All", "as chosen", f.What, []string{covered.at(f.Key)}, []float64{*f.Program})
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
			program, formulas = append(program, l.ours(y)), append(formulas, ref.On(s.name, ref.Cell(firstYear+y, i+2)))
		}
		add(l.hall, l.option, l.label, formulas, program)
	}
	s.keep(w.Flush())
	return "MAX(" + ref.On(name, ref.Fixed(4, 2)+":"+ref.Fixed(4, row)) + ")"
}
