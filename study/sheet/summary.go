package sheet

import (
	"fmt"

	"github.com/xuri/excelize/v2"

	"switchyard/study"
	"switchyard/study/finance"
	"switchyard/study/input"
	"switchyard/study/sheet/ref"
	"switchyard/study/sheet/tell"
)

// summaryColumn is a column of the table of options: its title, its width, and the figure of the option's
// sheet, if it is one.
type summaryColumn struct {
	title string
	width float64
	key   string
	style style
}

var summaryColumns = []summaryColumn{
	{"Hall", 14, "", words},
	{"Option", 18, "", words},
	{"Begins", 11, "", words},
	{"NPV, $", 17, "worth", dollars},
	{"Over mining on, $", 17, "", dollars},
	{"NPV to the owners, $", 17, "worth_owners", dollars},
	{"Capex, $", 17, "capex_all", dollars},
	{"Loan, $", 17, "debt", dollars},
	{"Most equity at a time, $", 17, "peak", dollars},
	{"Project IRR", 12, "irr", percent},
	{"Equity IRR", 12, "irr_owners", percent},
	{"Lowest DSCR of twelve months, before tax", 13, "min_dscr", cover},
	{"Lowest DSCR of twelve months, after tax", 13, "min_dscr_taxed", cover},
	{"Paid back after, months", 12, "payback", whole},
	{"  Sheet", 24, "", link},
}

const summarySheet = "Summary"

// summaryHead is the row of the table's titles.
const summaryHead = 9

// summary writes what the options come to.
func (b *book) summary(r *study.Report, all []listed, years *yearly, fixed *project, covered *grid, largest string) {
	const name = summarySheet
	b.text(name, 1, 1, r.Study, title)
	b.text(name, 1, 2, r.Note, note)
	for i, v := range []string{
		"The expected case, in nominal dollars, after tax. Change what is blue on yellow on the sheet Inputs, and see here what follows.",
		"Green: what the program chose for each hall under the site's limits. It does not choose anew here; the month in which an option begins is an input too.",
		"Random futures, the value of waiting, the search for the best months and the scenarios are in the report.",
	} {
		b.text(name, 1, 3+i, v, words)
	}
	edited := b.edited()
	b.formula(name, 1, 7, "IF("+edited+`,"Edited: no longer the file's case. The program's own figures, on Compare, do not know of it.","As the file stands, formulas and program differ by at most")`, words)
	b.formula(name, 5, 7, "IF("+edited+`,"",`+largest+")", plain)
	b.formula(name, 6, 7, "IF("+edited+`,"","$; what is changed here the program does not know.")`, indented)
	for i, c := range summaryColumns {
		s := heading
		if c.style != words && c.style != link {
			s = headFigure
		}
		b.text(name, i+1, summaryHead, c.title, s)
		b.keep(b.file.SetColWidth(name, ref.Column(i+1), ref.Column(i+1), c.width))
	}
	b.keep(b.file.SetRowHeight(name, summaryHead, 48))
	row := summaryHead
	for i := range all {
		row++
		b.summaryRow(name, row, &all[i], all)
	}
	row = b.summaryTotals(name, row+1, all, fixed, covered)
	b.charts(name, row+2, all, years)
	b.tab(name, "#3E8E5A")
	hide := false
	b.keep(b.file.SetSheetView(name, 0, &excelize.ViewOptions{ShowGridLines: &hide}))
	b.keep(b.file.SetPanes(name, &excelize.Panes{Freeze: true, YSplit: summaryHead, TopLeftCell: ref.Cell(1, summaryHead+1), ActivePane: "bottomLeft"}))
	b.landscape(name)
}

// summaryRow writes an option.
func (b *book) summaryRow(name string, row int, v *listed, all []listed) {
	for i, c := range summaryColumns {
		s := c.style
		if v.chosen {
			s = s.chosen()
		}
		column := i + 1
		switch {
		case c.key != "" && v.g.has(c.key):
			at := v.g.at(c.key)
			b.formula(name, column, row, "IF(ISNUMBER("+at+"),"+at+`,"–")`, s)
		case c.key != "":
			b.text(name, column, row, "", s)
		case c.title == "Hall":
			b.text(name, column, row, v.hall, s)
		case c.title == "Option":
			b.text(name, column, row, v.name, s)
		case c.title == "Begins" && v.kind == input.Mine:
			b.text(name, column, row, "", s)
		case c.title == "Begins":
			b.formula(name, column, row, fmt.Sprintf("INDEX(%s,1,%s+1)", ref.On("World", ref.Fixed(ref.FirstMonth, 1)+":"+ref.Fixed(ref.FirstMonth+b.months-1, 1)), v.start), s)
		case c.style == link:
			b.text(name, column, row, v.g.name, link)
			b.keep(b.file.SetCellHyperLink(name, ref.Cell(column, row), ref.On(v.g.name, "A1"), "Location"))
		default:
			b.formula(name, column, row, v.g.at("worth")+"-"+miningOf(v.hall, all), s)
		}
	}
}

// miningOf is the cell of what a hall is worth by mining on.
func miningOf(hall string, all []listed) string {
	for i := range all {
		if all[i].hall == hall && all[i].kind == input.Mine {
			return all[i].g.at("worth")
		}
	}
	return "0"
}

// summaryTotals writes what the chosen come to together, and returns the last row.
func (b *book) summaryTotals(name string, row int, all []listed, fixed *project, covered *grid) int {
	var together, mining []string
	for i := range all {
		if all[i].chosen {
			together = append(together, all[i].g.at("worth"))
		}
		if all[i].kind == input.Mine {
			mining = append(mining, all[i].g.at("worth"))
		}
	}
	costs := fixed.g.at("npv")
	whole := costs // had no hall gone
	if fixed.g.has("npv_whole") {
		whole = fixed.g.at("npv_whole")
	}
	for _, v := range []struct {
		label, formula string
		covered        bool
	}{
		{"The site's own costs", costs, false}, {"All halls as chosen, less those", total(together) + "+" + costs, true}, {"All halls mining on, less those", total(mining) + "+" + whole, false},
	} {
		for c := range 3 {
			b.text(name, c+1, row, "", part)
		}
		b.text(name, 1, row, v.label, part)
		b.formula(name, 4, row, v.formula, bestDollars)
		for i, c := range summaryColumns {
			if v.covered && covered.has(c.key) {
				b.formula(name, i+1, row, "IF(ISNUMBER("+covered.at(c.key)+"),"+covered.at(c.key)+`,"–")`, bestCover)
			}
		}
		row++
	}
	return row - 1
}

// charts draws the cash of each hall's choice by source, and the debt of all.
func (b *book) charts(name string, row int, all []listed, years *yearly) {
	at := 0
	place := func() string {
		column, down := 1, row+at/2*24
		if at%2 == 1 {
			column = 8
		}
		at++
		return ref.Cell(column, down)
	}
	titles := ref.On(years.name, ref.Fixed(firstYear, 1)+":"+ref.Fixed(firstYear+b.f.Years-1, 1))
	series := func(n int) excelize.ChartSeries {
		return excelize.ChartSeries{Name: ref.On(years.name, ref.Fixed(4, n)), Categories: titles, Values: ref.On(years.name, ref.Fixed(firstYear, n)+":"+ref.Fixed(firstYear+b.f.Years-1, n))}
	}
	chart := func(kind excelize.ChartType, title string, of []excelize.ChartSeries) *excelize.Chart {
		c := &excelize.Chart{Type: kind, Series: of, Dimension: excelize.ChartDimension{Width: 760, Height: 360}, Legend: excelize.ChartLegend{Position: "bottom"}}
		c.Title = []excelize.RichTextRun{{Text: title, Font: &excelize.Font{Bold: true, Size: 12}}}
		c.YAxis.NumFmt, c.YAxis.MajorGridLines = excelize.ChartNumFmt{CustomNumFmt: `#,##0.0,,"M"`}, true
		c.XAxis.TickLabelPosition = excelize.ChartTickLabelLow
		c.XAxis.Font, c.YAxis.Font = excelize.Font{Color: "#444444"}, excelize.Font{Color: "#444444"}
		return c
	}
	for i := range all {
		v := &all[i]
		if !v.chosen {
			continue
		}
		var of []excelize.ChartSeries
		for _, k := range tell.Sources() {
			if n := v.years[k]; n != 0 {
				of = append(of, series(n))
			}
		}
		net := chart(excelize.Line, "", []excelize.ChartSeries{series(v.years["row "+finance.Free.Key()])})
		b.keep(b.file.AddChart(name, place(), chart(excelize.ColStacked, v.hall+", "+v.name+": cash by source, $ a year", of), net))
	}
	debt, cover := years.rowOf("All", finance.LoanOwed), years.rowOf("All", finance.Cover)
	if debt == 0 || cover == 0 {
		return
	}
	ratio := chart(excelize.Line, "", []excelize.ChartSeries{series(cover)})
	ratio.YAxis.Secondary, ratio.YAxis.NumFmt, ratio.YAxis.MajorGridLines = true, excelize.ChartNumFmt{CustomNumFmt: "0.0"}, false
	b.keep(b.file.AddChart(name, place(), chart(excelize.Col, "All halls as chosen: debt at the year's end, and DSCR", []excelize.ChartSeries{series(debt)}), ratio))
}

// rowOf is the row of a statement's figure; zero without it.
func (s *yearly) rowOf(hall string, r finance.Row) int {
	for i := range s.lines {
		if s.lines[i].hall == hall && s.lines[i].what == "row "+r.Key() {
			return i + 2
		}
	}
	return 0
}
