package sheet

import (
	"fmt"
	"io"

	"github.com/xuri/excelize/v2"

	"switchyard/study"
	"switchyard/study/figure"
	"switchyard/study/input"
)

// Write writes the expected case of a study as a workbook with live formulas: the figures that may be
// changed, the world, each hall's mining, each option of r with its flows, tax, loan, statements and
// value, a summary, and a comparison with the program's own figures. f is the file that r is of.
func Write(w io.Writer, f *input.File, r *study.Report) error {
	f = study.WithClosing(f)
	b := newBook(f)
	front, err := b.file.NewSheet("Summary")
	b.keep(err)
	b.world()
	b.curve()
	mines := make([]*grid, len(f.Halls))
	for h := range f.Halls {
		mines[h] = b.fleet(h)
	}
	var sheets []*grid
	for i := range r.Options {
		v := &r.Options[i]
		h, o := f.HallIndex(v.Hall), f.Option(v.Name)
		if o == nil && v.Kind == "mine" {
			o = &input.Option{ID: v.Name, Kind: v.Kind}
		}
		if h < 0 || o == nil {
			return fmt.Errorf("write the workbook: the file has no option %s of hall %s", v.Name, v.Hall)
		}
		t, err := monthIndex(f, v.Start)
		if err != nil {
			return err
		}
		sheets = append(sheets, b.option(h, o, t, mines[h]))
	}
	b.summary(r, sheets)
	b.compare(r, sheets)
	if err := b.close(); err != nil {
		return fmt.Errorf("write the workbook: %w", err)
	}
	b.file.SetActiveSheet(front)
	if err := b.file.SetCalcProps(&excelize.CalcPropsOptions{FullCalcOnLoad: yes()}); err != nil {
		return fmt.Errorf("write the workbook: %w", err)
	}
	if err := b.file.Write(w); err != nil {
		return fmt.Errorf("write the workbook: %w", err)
	}
	return b.file.Close()
}

func yes() *bool {
	v := true
	return &v
}

func monthIndex(f *input.File, month string) (int, error) {
	for t := range f.Years * 12 {
		if (f.Start + figure.Month(t)).String() == month {
			return t, nil
		}
	}
	return 0, fmt.Errorf("write the workbook: %s is no month of the study", month)
}

// summary writes what the options come to.
func (b *book) summary(r *study.Report, sheets []*grid) {
	const name = "Summary"
	put := func(column, row int, v string) { b.keep(b.file.SetCellStr(name, cell(column, row), v)) }
	put(1, 1, r.Study)
	put(1, 2, "The expected case. Change a figure on the sheet Inputs and see here what follows. Random futures, waiting and the choice under the limits are in the report.")
	for i, v := range []string{"Hall", "Option", "Begins", "NPV, $", "Over mining on, $", "NPV to the owners of what is built, $", "Project IRR", "Equity IRR", "Loan, $", "Lowest DSCR of a month", "Balance off by, $", "Sheet"} {
		put(i+1, 4, v)
	}
	b.keep(b.file.SetRowStyle(name, 4, 4, b.style[heading]))
	mining := map[string]string{}
	for i := range r.Options {
		v, g, row := &r.Options[i], sheets[i], i+5
		at := func(key string) string { return "'" + g.name + "'!" + fixed(firstMonth, g.rows[key]) }
		if v.Kind == "mine" {
			mining[v.Hall] = cell(4, row)
		}
		put(1, row, v.Hall)
		put(2, row, v.Name)
		set := func(column int, formula string, s style) {
			b.keep(b.file.SetCellFormula(name, cell(column, row), formula))
			b.keep(b.file.SetCellStyle(name, cell(column, row), cell(column, row), b.style[s]))
		}
		set(3, fmt.Sprintf("INDEX('World'!%s:%s,1,%s+1)", fixed(firstMonth, 1), fixed(firstMonth+r.Months-1, 1), named(g.name, "start")), dollars)
		set(4, at("worth"), dollars)
		if base := mining[v.Hall]; base != "" {
			set(5, cell(4, row)+"-"+base, dollars)
		}
		set(6, at("worth_owners"), dollars)
		set(7, at("irr"), percent)
		set(8, at("irr_owners"), percent)
		set(9, at("debt"), dollars)
		set(10, at("least_dscr"), plain)
		set(11, at("balances"), plain)
		put(12, row, g.name)
		b.keep(b.file.SetCellHyperLink(name, cell(12, row), "'"+g.name+"'!A1", "Location"))
	}
	b.keep(b.file.SetColWidth(name, "A", "C", 14))
	b.keep(b.file.SetColWidth(name, "D", "L", 18))
}

// compare writes the program's figures beside the formulas'.
func (b *book) compare(r *study.Report, sheets []*grid) {
	const name = "Compare"
	_, err := b.file.NewSheet(name)
	b.keep(err)
	for i, v := range []string{"Hall", "Option", "What", "Year", "By formula, $", "By the program, $", "Difference, $"} {
		b.keep(b.file.SetCellStr(name, cell(i+1, 1), v))
	}
	b.keep(b.file.SetRowStyle(name, 1, 1, b.style[heading]))
	b.keep(b.file.SetColWidth(name, "A", "G", 20))
	row := 1
	add := func(v *study.Option, what, year, formula string, ours float64) {
		row++
		for i, s := range []string{v.Hall, v.Name, what, year} {
			b.keep(b.file.SetCellStr(name, cell(i+1, row), s))
		}
		b.keep(b.file.SetCellFormula(name, cell(5, row), formula))
		b.keep(b.file.SetCellFloat(name, cell(6, row), ours, -1, 64))
		b.keep(b.file.SetCellFormula(name, cell(7, row), cell(5, row)+"-"+cell(6, row)))
		b.keep(b.file.SetCellStyle(name, cell(5, row), cell(7, row), b.style[plain]))
	}
	for i := range r.Options {
		v, g := &r.Options[i], sheets[i]
		add(v, "NPV", "", "'"+g.name+"'!"+fixed(firstMonth, g.rows["worth"]), v.Expected)
		for y := range v.Years {
			for _, c := range compared {
				ours := v.Years[y].Lines[c.key]
				if c.row {
					ours = v.Years[y].Rows[c.key]
				}
				add(v, c.key, v.Years[y].Label, c.formula(g, y), ours)
			}
		}
	}
}

// comparison is a figure of a year that both the formulas and the program know: a line of the flows
// or a row of the statements, on the sheet one row or the sum of two, summed or at the year's end.
type comparison struct {
	key     string
	row     bool
	on      []string
	balance bool
}

var compared = []comparison{
	{key: "mining", on: []string{"mining", "b_mining"}}, {key: "rent", on: []string{"rent"}}, {key: "cloud", on: []string{"cloud"}},
	{key: "energy", on: []string{"energy", "b_energy"}}, {key: "building", on: []string{"building"}}, {key: "prepaid", on: []string{"prepaid"}},
	{key: "tenant_capex", on: []string{"tenant_capex"}}, {key: "ebitda", row: true, on: []string{"ebitda", "b_ebitda"}},
	{key: "tax_unlevered", row: true, on: []string{"-tax", "-b_tax"}}, {key: "free", row: true, on: []string{"free", "b_free"}},
	{key: "debt_service", row: true, on: []string{"due"}}, {key: "to_equity", row: true, on: []string{"to_equity", "b_free"}},
	{key: "loan_owed", row: true, on: []string{"loan_owed"}, balance: true}, {key: "reserve", row: true, on: []string{"reserve"}, balance: true},
}

func (c *comparison) formula(g *grid, y int) string {
	out := ""
	for _, key := range c.on {
		sign := "+"
		if key[0] == '-' {
			sign, key = "-", key[1:]
		}
		n := g.rows[key]
		if c.balance {
			out += fmt.Sprintf("%s'%s'!%s", sign, g.name, cell(firstMonth+12*y+11, n))
		} else {
			out += fmt.Sprintf("%sSUM('%s'!%s:%s)", sign, g.name, cell(firstMonth+12*y, n), cell(firstMonth+12*y+11, n))
		}
	}
	return out
}
