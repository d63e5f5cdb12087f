package sheet

import (
	"strings"

	"github.com/xuri/excelize/v2"

	"switchyard/study"
	"switchyard/study/finance"
	"switchyard/study/flow"
)

// yearly is the sheet Years: every line and every statement of each option by years, of the hall's mining
// until it begins and of what it builds together.
type yearly struct {
	*book
	name  string
	lines []yearLine
}

// yearLine is one of its rows; what is a flow's line or a statement's row, by its key with "line " or
// "row " before it.
type yearLine struct {
	hall, option, part, label, what string
	ratio                           bool
	cells                           []string // formulas by year
	program                         []study.Year
}

// firstYear is the column of the first year.
const firstYear = 5

func (b *book) years() *yearly { return &yearly{book: b, name: b.sheet("Years")} }

// made is what a year's figure is made of: keys of the sheet's rows with their signs, as sum takes them.
// Of a balance it is what stands at the year's end, or by how much that rises.
type made struct {
	keys           []string
	balance, rises bool
}

// statement are the rows of a project's statements. TAX and LOSSES are those that it pays and carries.
var statement = [finance.Rows]made{
	finance.Revenue: {keys: []string{"revenue"}}, finance.OpCosts: {keys: []string{"costs"}}, finance.EBITDA: {keys: []string{"ebitda"}},
	finance.Depreciation: {keys: []string{"-depreciation"}}, finance.Disposal: {keys: []string{"disposal"}}, finance.Released: {keys: []string{"released"}},
	finance.Given: {keys: []string{"warrants"}}, finance.Interest: {keys: []string{"tenant_interest", "-financing"}}, finance.PreTax: {keys: []string{"pre_tax"}},
	finance.TaxCurrent: {keys: []string{"-TAX"}}, finance.TaxDeferred: {keys: []string{"-deferred"}, rises: true}, finance.NetIncome: {keys: []string{"net_income"}},
	finance.TaxDepreciation: {keys: []string{"-written_b", "-written_m", "-written_i"}}, finance.LossesUsed: {keys: []string{"USED"}},
	finance.LossesLeft: {keys: []string{"LOSSES"}, balance: true}, finance.TaxBasis: {keys: []string{"basis", "idc"}, balance: true},
	finance.CFADS: {keys: []string{"CFADS"}}, finance.BeforeCash: {keys: []string{"flow", "-CFADS"}}, finance.TaxPaid: {keys: []string{"-TAX"}},
	finance.Capex: {keys: []string{"capex"}}, finance.SaleCash: {keys: []string{"sale", "resale"}}, finance.LoanDrawn: {keys: []string{"loan_drawn"}},
	finance.LoanFees: {keys: []string{"-loan_fees"}}, finance.LoanInterest: {keys: []string{"-building_interest", "-loan_interest"}},
	finance.LoanPrincipal: {keys: []string{"-principal"}}, finance.LoanSwept: {keys: []string{"-loan_swept"}}, finance.NotesCash: {keys: []string{"notes_cash"}},
	finance.ReserveMove: {keys: []string{"-reserve"}, rises: true}, finance.EquityIn: {keys: []string{"equity_in"}}, finance.Dividends: {keys: []string{"-dividends"}},
	finance.CashMove: {keys: []string{"cash_kept"}, rises: true},
	finance.Cash:     {keys: []string{"cash_kept"}, balance: true}, finance.Reserve: {keys: []string{"reserve"}, balance: true},
	finance.Plant: {keys: []string{"plant"}, balance: true}, finance.FeesAsset: {keys: []string{"fees_left"}, balance: true},
	finance.LoanOwed: {keys: []string{"loan_owed"}, balance: true}, finance.NotesOwed: {keys: []string{"notes_owed"}, balance: true},
	finance.PrepaidOwed: {keys: []string{"prepaid_owed"}, balance: true}, finance.TenantOwed: {keys: []string{"tenant_capex_owed"}, balance: true},
	finance.DeferredTax: {keys: []string{"deferred"}, balance: true}, finance.PaidIn: {keys: []string{"paid_in"}, balance: true},
	finance.Retained: {keys: []string{"retained"}, balance: true}, finance.Off: {keys: []string{"off"}, balance: true},
	finance.Capitalised: {keys: []string{"capitalised"}}, finance.Due: {keys: []string{"due"}}, finance.FreeTax: {keys: []string{"-tax"}},
	finance.Free: {keys: []string{"free"}}, finance.Converted: {keys: []string{"converted"}}, finance.ToEquity: {keys: []string{"to_equity"}},
}

// own puts a project's own keys for those in capitals; a project without debt has all cash for debt service.
func (p *project) own(key string) string {
	tax, losses := p.tax()
	cfads := "flow"
	if p.has("cfads") {
		cfads = "cfads"
	}
	return strings.NewReplacer("TAX", tax, "LOSSES", losses, "USED", strings.Replace(losses, "left", "used", 1), "CFADS", cfads).Replace(key)
}

// year is the formula of a figure of a project in a year; empty where it has nothing of it.
func (p *project) year(f made, y int) string {
	out := ""
	if len(f.keys) == 2 && p.own(f.keys[1]) == "-"+f.keys[0] { // all of it less all of it
		return ""
	}
	for _, k := range f.keys {
		k = p.own(k)
		sign, key := "+", k
		if k[0] == '-' {
			sign, key = "-", k[1:]
		}
		n := p.g.rows[p.prefix+key]
		if n == 0 {
			continue
		}
		from, to := cell(firstMonth+12*y, n), cell(firstMonth+12*y+11, n)
		switch {
		case f.rises:
			out += sign + "(" + on(p.g.name, to) + "-" + on(p.g.name, cell(firstMonth+12*y-1, n)) + ")"
		case f.balance:
			out += sign + on(p.g.name, to)
		default:
			out += sign + "SUM(" + on(p.g.name, from+":"+to) + ")"
		}
	}
	return out
}

// option adds the rows of an option.
func (s *yearly) option(v *listed) {
	projects := []*project{v.what}
	if v.before != nil {
		projects = append(projects, v.before)
	}
	v.years = map[string]int{}
	var program []study.Year
	if v.program != nil {
		program = v.program.Years
	}
	s.block(yearLine{hall: v.hall, option: v.name, program: program}, v.years, func(_ string, f made, y int) string {
		out := ""
		for _, p := range projects {
			out += p.year(f, y)
		}
		return out
	}, v.g)
}

// together adds the rows of the chosen options and the site's own costs, and has the sheet of their cover.
func (s *yearly) together(all []listed, fixed *project, covered *grid, r *study.Report) {
	s.block(yearLine{hall: "All", option: "as chosen", program: r.Portfolio.Years}, map[string]int{}, func(what string, f made, y int) string {
		out := ""
		for i := range all {
			if n := all[i].years[what]; all[i].chosen && n != 0 {
				out += "+" + cell(firstYear+y, n)
			}
		}
		return out + fixed.year(f, y)
	}, covered)
}

// block adds the lines and rows of one, of which formula tells a year's; where it is empty in all years
// there is no row, unless the program has figures there. Its cover stands on the sheet covered.
func (s *yearly) block(like yearLine, rows map[string]int, formula func(what string, f made, y int) string, covered *grid) {
	add := func(part, label, what string, f made) {
		l := like
		l.part, l.label, l.what = part, label, what
		some := false
		for y := range s.f.Years {
			v := formula(what, f, y)
			some = some || v != "" || l.ours(y) != 0
			if v == "" {
				v = "0"
			}
			l.cells = append(l.cells, strings.TrimPrefix(v, "+"))
		}
		if some {
			s.lines = append(s.lines, l)
			rows[what] = len(s.lines) + 1
		}
	}
	for l := range flow.Lines {
		add("Flows", l.String(), "line "+l.Key(), made{keys: []string{l.Key()}})
	}
	for r := range finance.Rows {
		switch {
		case r != finance.Cover:
			add(partOf(r), r.String(), "row "+r.Key(), statement[r])
		case rows["row "+finance.Due.Key()] != 0:
			s.cover(like, rows, covered)
		}
	}
}

// cover adds the cover ratio of the years in which service is due.
func (s *yearly) cover(like yearLine, rows map[string]int, covered *grid) {
	like.part, like.label, like.what, like.ratio = partOf(finance.Cover), finance.Cover.String()+" before tax, of the twelve months to the last", "row "+finance.Cover.Key(), true
	for y := range s.f.Years {
		like.cells = append(like.cells, covered.yearEnd(y))
	}
	s.lines = append(s.lines, like)
	rows[like.what] = len(s.lines) + 1
}

// partOf says which statement a row belongs to.
func partOf(r finance.Row) string {
	switch {
	case r <= finance.NetIncome:
		return "Income"
	case r <= finance.TaxBasis:
		return "Tax"
	case r <= finance.CashMove:
		return "Cash"
	case r <= finance.Off:
		return "Balance"
	}
	return "For the reader"
}

// ours is the program's figure.
func (l *yearLine) ours(y int) float64 {
	if y >= len(l.program) {
		return 0
	}
	if key, is := strings.CutPrefix(l.what, "line "); is {
		return l.program[y].Lines[key]
	}
	return l.program[y].Rows[strings.TrimPrefix(l.what, "row ")]
}

// label names a year of the study: "2027", or "2027/28" where it begins later than January.
func (b *book) label(y int) string {
	from, to := month(b.f, 12*y)[:4], month(b.f, 12*y+11)[:4]
	if from == to {
		return from
	}
	return from + "/" + to[2:]
}

// flush writes the sheet.
func (s *yearly) flush() {
	w := s.stream(s.name, []float64{14, 16, 14, 38}, s.f.Years, 4)
	if w == nil {
		return
	}
	head := []any{"Hall", "Option", "Part", "Line"}
	for y := range s.f.Years {
		head = append(head, s.label(y))
	}
	s.keep(w.SetRow("A1", head, excelize.RowOpts{StyleID: s.style[heading]}))
	for i := range s.lines {
		l := &s.lines[i]
		style := s.style[dollars]
		if l.ratio {
			style = s.style[cover]
		}
		row := []any{l.hall, l.option, l.part, l.label}
		for _, v := range l.cells {
			row = append(row, excelize.Cell{Formula: v, StyleID: style})
		}
		s.keep(w.SetRow(cell(1, i+2), row))
	}
	s.keep(w.AddTable(&excelize.Table{Range: "A1:" + cell(firstYear+s.f.Years-1, len(s.lines)+1), Name: "YearsTable", StyleName: "TableStyleLight1"}))
	s.keep(w.Flush())
}

// stream opens a sheet of a table to be written row by row: the widths of its first columns, how many of
// figures follow, how many columns stay in sight.
func (b *book) stream(name string, widths []float64, figures, stay int) *excelize.StreamWriter {
	b.landscape(name)
	w, err := b.file.NewStreamWriter(name)
	if err != nil {
		b.keep(err)
		return nil
	}
	for i, v := range widths {
		b.keep(w.SetColWidth(i+1, i+1, v))
	}
	b.keep(w.SetColWidth(len(widths)+1, len(widths)+figures, 15))
	b.keep(w.SetPanes(&excelize.Panes{Freeze: true, XSplit: stay, YSplit: 1, TopLeftCell: cell(stay+1, 2), ActivePane: "bottomRight"}))
	return w
}
