package sheet

import (
	"strings"

	"github.com/xuri/excelize/v2"

	"switchyard/study/sheet/ref"
)

// grid is a sheet of months: a column a month, a row a line of the model, each with one formula that
// is the same in all its months, but for month 0 where it must differ, and for what the calendar says.
type grid struct {
	book   *book
	name   string
	lines  []line
	rows   map[string]int  // by key
	opened map[string]bool // rows of which one looks back
	parsed map[string][]ref.Piece
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
	g := &grid{book: b, name: name, rows: map[string]int{}, opened: map[string]bool{}, parsed: map[string][]ref.Piece{}}
	b.grids[name], b.order = g, append(b.order, g)
	return g
}

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
	for _, key := range ref.Back(l.template(min(1, g.book.months-1))) {
		g.opened[key] = true
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
	values := make([]any, ref.FirstMonth+b.months-1)
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
			b.keep(w.SetRow(ref.Cell(1, n), values[:1], excelize.RowOpts{StyleID: style}))
			continue
		case l.once:
			values[ref.FirstMonth-1] = excelize.Cell{Formula: g.expand(l.template(0), 0), StyleID: style}
			b.keep(w.SetRow(ref.Cell(1, n), values[:ref.FirstMonth]))
			continue
		}
		if g.opened[l.key] {
			values[ref.Opening-1] = excelize.Cell{Value: 0, StyleID: style}
		}
		if l.sums {
			values[2] = excelize.Cell{Formula: "SUM(" + ref.Range(0, b.months-1, n) + ")", StyleID: style}
		}
		for t := range b.months {
			values[ref.FirstMonth-1+t] = excelize.Cell{Formula: g.expand(l.template(t), t), StyleID: style}
		}
		b.keep(w.SetRow(ref.Cell(1, n), values))
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
	}{{1, 1, 44}, {2, 2, 12}, {3, 3, 17}, {4, 4, 30}, {5, 5, 8}, {ref.FirstMonth, ref.FirstMonth + g.book.months, 14}} {
		g.book.keep(w.SetColWidth(c.from, c.to, c.width))
	}
	g.book.keep(w.SetPanes(&excelize.Panes{Freeze: true, XSplit: 1, YSplit: 1, TopLeftCell: "B2", ActivePane: "bottomRight"}))
	return w
}

// parse takes a template apart; most are the same in all months.
func (g *grid) parse(template string) []ref.Piece {
	if v, there := g.parsed[template]; there {
		return v
	}
	out, err := ref.Parse(template, func(sheet, key string) int {
		of := g
		if sheet != "" {
			of = g.book.grids[sheet]
		}
		if of == nil {
			return 0
		}
		return of.rows[key]
	})
	if err != nil {
		g.book.fail("%s: %w", g.name, err)
	}
	g.parsed[template] = out
	return out
}

// expand writes a template's references for month t.
func (g *grid) expand(template string, t int) string {
	return ref.Expand(g.parse(template), t, g.book.months)
}

// at is a row's one figure as other sheets write it.
func (g *grid) at(key string) string { return ref.On(g.name, ref.Fixed(ref.FirstMonth, g.rows[key])) }

// total adds up; nothing is nought.
func total(parts []string) string {
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, "+")
}
