package sheet

import (
	"strings"

	"github.com/xuri/excelize/v2"

	"switchyard/study"
	"switchyard/study/finance"
	"switchyard/study/flow"
	"switchyard/study/sheet/ref"
	"switchyard/study/sheet/tell"
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
func (p *project) year(f tell.Made, y int) string {
	out := ""
	if len(f.Keys) == 2 && p.own(f.Keys[1]) == "-"+f.Keys[0] { // all of it less all of it
		return ""
	}
	for _, k := range f.Keys {
		k = p.own(k)
		sign, key := "+", k
		if k[0] == '-' {
			sign, key = "-", k[1:]
		}
		n := p.g.rows[p.prefix+key]
		if n == 0 {
			continue
		}
		from, to := ref.Cell(ref.FirstMonth+12*y, n), ref.Cell(ref.FirstMonth+12*y+11, n)
		switch {
		case f.Rises:
			out += sign + "(" + ref.On(p.g.name, to) + "-" + ref.On(p.g.name, ref.Cell(ref.FirstMonth+12*y-1, n)) + ")"
		case f.Balance:
			out += sign + ref.On(p.g.name, to)
		default:
			out += sign + "SUM(" + ref.On(p.g.name, from+":"+to) + ")"
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
	s.block(yearLine{hall: v.hall, option: v.name, program: program}, v.years, func(_ string, f tell.Made, y int) string {
		out := ""
		for _, p := range projects {
			out += p.year(f, y)
		}
		return out
	}, v.g)
}

// together adds the rows of the chosen options and the site's own costs, and has the sheet of their cover.
func (s *yearly) together(all []listed, fixed *project, covered *grid, r *study.Report) {
	s.block(yearLine{hall: "All", option: "as chosen", program: r.Portfolio.Years}, map[string]int{}, func(what string, f tell.Made, y int) string {
		out := ""
		for i := range all {
			if n := all[i].years[what]; all[i].chosen && n != 0 {
				out += "+" + ref.Cell(firstYear+y, n)
			}
		}
		return out + fixed.year(f, y)
	}, covered)
}

// block adds the lines and rows of one, of which formula tells a year's; where it is empty in all years
// there is no row, unless the program has figures there. Its cover stands on the sheet covered.
func (s *yearly) block(like yearLine, rows map[string]int, formula func(what string, f tell.Made, y int) string, covered *grid) {
	add := func(part, label, what string, f tell.Made) {
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
		add("Flows", l.String(), "line "+l.Key(), tell.Made{Keys: []string{l.Key()}})
	}
	for r := range finance.Rows {
		switch {
		case r != finance.Cover:
			add(tell.Part(r), r.String(), "row "+r.Key(), tell.Statement[r])
		case rows["row "+finance.Due.Key()] != 0:
			s.cover(like, rows, covered)
		}
	}
}

// cover adds the cover ratio of the years in which service is due.
func (s *yearly) cover(like yearLine, rows map[string]int, covered *grid) {
	like.part, like.label, like.what, like.ratio = tell.Part(finance.Cover), finance.Cover.String()+" before tax, of the twelve months to the last", "row "+finance.Cover.Key(), true
	for y := range s.f.Years {
		like.cells = append(like.cells, covered.yearEnd(y))
	}
	s.lines = append(s.lines, like)
	rows[like.what] = len(s.lines) + 1
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
		s.keep(w.SetRow(ref.Cell(1, i+2), row))
	}
	s.keep(w.AddTable(&excelize.Table{Range: "A1:" + ref.Cell(firstYear+s.f.Years-1, len(s.lines)+1), Name: "YearsTable", StyleName: "TableStyleLight1"}))
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
	b.keep(w.SetPanes(&excelize.Panes{Freeze: true, XSplit: stay, YSplit: 1, TopLeftCell: ref.Cell(stay+1, 2), ActivePane: "bottomRight"}))
	return w
}
