package sheet

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/xuri/excelize/v2"

	"switchyard/study/figure"
	"switchyard/study/input"
)

// book is a workbook that is being written; the first fault is kept.
type book struct {
	file  *excelize.File
	f     *input.File
	style [styles]int
	grids map[string]*grid
	order []*grid
	err   error

	inputs int             // rows of the sheet Inputs so far
	names  map[string]bool // defined names in use
}

// newBook makes an empty workbook with its styles.
func newBook(f *input.File) *book {
	b := &book{file: excelize.NewFile(), f: f, grids: map[string]*grid{}, names: map[string]bool{}}
	for s, format := range map[style]string{dollars: `#,##0;[Red]-#,##0;"-"`, plain: `#,##0.####`, percent: `0.00%`, whole: `0`} {
		id, err := b.file.NewStyle(&excelize.Style{CustomNumFmt: &format})
		b.keep(err)
		b.style[s] = id
	}
	id, err := b.file.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"#E4EAF0"}}})
	b.keep(err)
	b.style[heading] = id
	return b
}

func (b *book) keep(err error) {
	if b.err == nil && err != nil {
		b.err = err
	}
}

// grid adds a sheet of months; its first row names them.
func (b *book) grid(name string, months int) *grid {
	if b.grids[name] != nil {
		b.keep(fmt.Errorf("sheet %s stands twice", name))
	}
	_, err := b.file.NewSheet(name)
	b.keep(err)
	g := &grid{book: b, name: name, months: months, next: 1, rows: map[string]int{}}
	b.grids[name], b.order = g, append(b.order, g)
	for i, v := range []string{"Line", "Unit", "Sum", "How"} {
		b.keep(b.file.SetCellStr(name, cell(i+1, 1), v))
	}
	for t := range months {
		b.keep(b.file.SetCellStr(name, cell(firstMonth+t, 1), month(b.f, t)))
	}
	b.keep(b.file.SetRowStyle(name, 1, 1, b.style[heading]))
	b.keep(b.file.SetColWidth(name, "A", "A", 34))
	b.keep(b.file.SetColWidth(name, "B", "B", 12))
	b.keep(b.file.SetColWidth(name, "C", "D", 18))
	b.keep(b.file.SetColWidth(name, "F", columnName(firstMonth+months), 13))
	b.keep(b.file.SetPanes(name, &excelize.Panes{Freeze: true, XSplit: firstMonth - 1, YSplit: 1, TopLeftCell: cell(firstMonth, 2), ActivePane: "bottomRight"}))
	return g
}

func columnName(n int) string {
	name, err := excelize.ColumnNumberToName(n)
	if err != nil {
		return "XFD"
	}
	return name
}

var notName = regexp.MustCompile(`[^A-Za-z0-9_]+`)

// named makes a defined name of parts: letters, digits and _; it begins with in_ so that it can
// never be a cell.
func named(parts ...string) string {
	return "in_" + notName.ReplaceAllString(strings.Join(parts, "_"), "_")
}

// input adds a figure that may be changed to the sheet Inputs, and returns its name for formulas.
// The value is a number in the unit that is told.
func (b *book) input(name, label, unit string, value float64, s style, from, source string) string {
	if b.names[name] {
		return name
	}
	b.names[name] = true
	if b.inputs == 0 {
		_, err := b.file.NewSheet("Inputs")
		b.keep(err)
		for i, v := range []string{"Figure", "Value", "Unit", "From", "Source", "Name in formulas"} {
			b.keep(b.file.SetCellStr("Inputs", cell(i+1, 1), v))
		}
		b.keep(b.file.SetRowStyle("Inputs", 1, 1, b.style[heading]))
		b.keep(b.file.SetColWidth("Inputs", "A", "A", 44))
		b.keep(b.file.SetColWidth("Inputs", "B", "D", 14))
		b.keep(b.file.SetColWidth("Inputs", "E", "F", 46))
		b.inputs = 1
	}
	b.inputs++
	at := cell(2, b.inputs)
	b.keep(b.file.SetCellStr("Inputs", cell(1, b.inputs), label))
	b.keep(b.file.SetCellFloat("Inputs", at, value, -1, 64))
	b.keep(b.file.SetCellStyle("Inputs", at, at, b.style[s]))
	for i, v := range []string{unit, from, source, name} {
		b.keep(b.file.SetCellStr("Inputs", cell(3+i, b.inputs), v))
	}
	b.keep(b.file.SetDefinedName(&excelize.DefinedName{Name: name, RefersTo: "Inputs!" + fixed(2, b.inputs)}))
	return name
}

// close writes all formulas, removes the sheet that every new workbook has, and returns the first fault.
func (b *book) close() error {
	for _, g := range b.order {
		g.flush()
	}
	return errors.Join(b.err, b.file.DeleteSheet("Sheet1"))
}

// month names a month of the study.
func month(f *input.File, t int) string { return (f.Start + figure.Month(t)).String() }
