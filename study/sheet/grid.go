package sheet

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// firstMonth is the column of month 0. The one before it holds nought where a formula looks back from
// month 0.
const (
	firstMonth = 6
	opening    = firstMonth - 1
)

// grid is a sheet of months: a column a month, a row a line of the model, each with one formula that
// is the same in all its months, but for month 0 where it must differ, and for what the calendar says.
type grid struct {
	book   *book
	name   string
	lines  []line
	rows   map[string]int  // by key
	opened map[string]bool // rows of which one looks back
	parsed map[string][]piece
}

// line is a row of the sheet.
type line struct {
	key, label, unit, how string
	style                 style
	sums, once            bool               // the total adds it up; it is one figure, in month 0's column
	template              func(t int) string // nil: words alone
}

// grid adds a sheet of months; its first row names them.
func (b *book) grid(name string) *grid {
	name = b.sheet(name)
	g := &grid{book: b, name: name, rows: map[string]int{}, opened: map[string]bool{}, parsed: map[string][]piece{}}
	b.grids[name], b.order = g, append(b.order, g)
	return g
}

// ref finds a reference of a template:
//
//	[rent]     the row rent in this month
//	[rent<]    in the month before; nought in month 0
//	[rent<11]  eleven months before; nought where there is none
//	[rent..]   from month 0 up to this month
//	[rent*]    all months
//	[rent$0]   month 0
//	[World!hp] the same of another grid
var ref = regexp.MustCompile(`\[(?:([A-Za-z0-9_]+)!)?([a-z0-9_]+)(<\d*|\.\.|\*|\$0)?\]`)

// always is a template that is the same in all months.
func always(template string) func(int) string { return func(int) string { return template } }

// begins is a template that differs in month 0.
func begins(first, then string) func(int) string {
	return func(t int) string {
		if t == 0 {
			return first
		}
		return then
	}
}

// row adds a row with a formula for every month; sums says that the total column adds it up.
func (g *grid) row(key, label, unit string, s style, sums bool, template func(t int) string, how string) {
	g.add(line{key: key, label: label, unit: unit, style: s, sums: sums, template: template, how: how})
}

// scalar adds a row with one figure, in month 0's column.
func (g *grid) scalar(key, label, unit string, s style, template, how string) {
	g.add(line{key: key, label: label, unit: unit, style: s, once: true, template: always(template), how: how})
}

// head adds a heading.
func (g *grid) head(label string) {
	g.lines = append(g.lines, line{}, line{label: label, style: part})
}

func (g *grid) add(l line) {
	if _, twice := g.rows[l.key]; twice {
		g.book.fail("row %s stands twice on %s", l.key, g.name)
	}
	g.lines = append(g.lines, l)
	g.rows[l.key] = len(g.lines) + 1 // below the months' names
	for _, p := range ref.FindAllStringSubmatch(l.template(min(1, g.book.months-1)), -1) {
		if strings.HasPrefix(p[3], "<") && p[1] == "" {
			g.opened[p[2]] = true
		}
	}
}

// has says that the grid has a row.
func (g *grid) has(key string) bool { return g.rows[key] != 0 }

// flush writes the sheet.
func (g *grid) flush() {
	b, w := g.book, g.stream()
	if w == nil {
		return
	}
	head := []any{"Line", "Unit", "Sum", "How", "Before"}
	for t := range b.months {
		head = append(head, month(b.f, t))
	}
	b.keep(w.SetRow("A1", head, excelize.RowOpts{StyleID: b.style[heading]}))
	values := make([]any, firstMonth+b.months-1)
	for i := range g.lines {
		l, n := &g.lines[i], i+2
		clear(values)
		values[0], values[1] = l.label, l.unit
		if l.how != "" {
			values[3] = excelize.Cell{Value: l.how, StyleID: b.style[note]}
		}
		style := b.style[l.style]
		switch {
		case l.label == "":
			continue
		case l.template == nil:
			b.keep(w.SetRow(cell(1, n), values[:1], excelize.RowOpts{StyleID: style}))
			continue
		case l.once:
			values[firstMonth-1] = excelize.Cell{Formula: g.expand(l.template(0), 0), StyleID: style}
			b.keep(w.SetRow(cell(1, n), values[:firstMonth]))
			continue
		}
		if g.opened[l.key] {
			values[opening-1] = excelize.Cell{Value: 0, StyleID: style}
		}
		if l.sums {
			values[2] = excelize.Cell{Formula: "SUM(" + cells(0, b.months-1, n) + ")", StyleID: style}
		}
		for t := range b.months {
			values[firstMonth-1+t] = excelize.Cell{Formula: g.expand(l.template(t), t), StyleID: style}
		}
		b.keep(w.SetRow(cell(1, n), values))
	}
	b.keep(w.Flush())
}

// stream opens a sheet to be written row by row, with its widths and what stays in sight.
func (g *grid) stream() *excelize.StreamWriter {
	w, err := g.book.file.NewStreamWriter(g.name)
	if err != nil {
		g.book.keep(err)
		return nil
	}
	for _, c := range []struct {
		from, to int
		width    float64
	}{{1, 1, 44}, {2, 2, 12}, {3, 3, 17}, {4, 4, 30}, {5, 5, 8}, {firstMonth, firstMonth + g.book.months, 14}} {
		g.book.keep(w.SetColWidth(c.from, c.to, c.width))
	}
	g.book.keep(w.SetPanes(&excelize.Panes{Freeze: true, XSplit: 1, YSplit: 1, TopLeftCell: "B2", ActivePane: "bottomRight"}))
	return w
}

// piece is a part of a template: words as they are, and behind them a reference, if it has one.
type piece struct {
	words  string
	n      int    // the row that is meant; zero: words alone
	prefix string // the sheet that it is on, if another
	how    string // as ref has it
	back   int    // months
}

// parse takes a template apart; most are the same in all months.
func (g *grid) parse(template string) []piece {
	if v, there := g.parsed[template]; there {
		return v
	}
	var out []piece
	from := 0
	for _, m := range ref.FindAllStringSubmatchIndex(template, -1) {
		p := piece{words: template[from:m[0]], back: 1}
		of := g
		if m[2] >= 0 {
			name := template[m[2]:m[3]]
			if of = g.book.grids[name]; of == nil {
				g.book.fail("%s on %s: there is no such sheet", template, g.name)
				return nil
			}
			p.prefix = "'" + name + "'!"
		}
		if m[6] >= 0 {
			p.how = template[m[6]:m[7]]
		}
		if p.n = of.rows[template[m[4]:m[5]]]; p.n == 0 {
			g.book.fail("%s on %s: %s has no such row", template, g.name, of.name)
			return nil
		}
		if months, is := strings.CutPrefix(p.how, "<"); is && months != "" {
			n, err := strconv.Atoi(months)
			g.book.keep(err)
			p.back = n
		}
		out, from = append(out, p), m[1]
	}
	out = append(out, piece{words: template[from:]})
	g.parsed[template] = out
	return out
}

// expand writes a template's references for month t.
func (g *grid) expand(template string, t int) string {
	var out strings.Builder
	for _, p := range g.parse(template) {
		out.WriteString(p.words)
		if p.n == 0 {
			break
		}
		out.WriteString(p.prefix)
		switch p.how {
		case "":
			out.WriteString(cell(firstMonth+t, p.n))
		case "..":
			out.WriteString(cells(0, t, p.n))
		case "*":
			out.WriteString(cells(0, g.book.months-1, p.n))
		case "$0":
			out.WriteString(fixed(firstMonth, p.n))
		default:
			out.WriteString(cell(firstMonth+max(t-p.back, -1), p.n))
		}
	}
	return out.String()
}

// cells is the range of a row from one month to another, its beginning fixed.
func cells(from, to, n int) string {
	return fixed(firstMonth+from, n) + ":" + cell(firstMonth+to, n)
}

// at is a row's one figure as other sheets write it.
func (g *grid) at(key string) string { return on(g.name, fixed(firstMonth, g.rows[key])) }

// total adds up; nothing is nought.
func total(parts []string) string {
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, "+")
}
