package sheet

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/xuri/excelize/v2"
)

// firstMonth is the column of month 0; the one before it stays empty, so that a formula that looks
// back one month finds nothing there.
const firstMonth = 6

// The columns of a grid before its months.
const (
	columnLabel = 1 // A
	columnUnit  = 2 // B
	columnTotal = 3 // C
	columnNote  = 4 // D
)

// style is how a row is printed.
type style int

const (
	dollars style = iota
	plain         // up to four decimals
	percent
	whole
	heading
	styles
)

// grid is a sheet of months: a column a month, a row a line of the model, each with one formula that
// is the same in all its months, but for month 0 where it must.
type grid struct {
	book   *book
	name   string
	months int
	next   int            // row
	rows   map[string]int // by key
	later  []func()       // writes formulas, once all rows are known
	fault  error
}

// flush writes the formulas.
func (g *grid) flush() {
	for _, f := range g.later {
		f()
	}
	g.later = nil
}

// ref finds a reference of a template:
//
//	[rent]     the row rent in this month
//	[rent<]    in the month before; nothing in month 0
//	[rent<12]  twelve months before; may only be used where the row's formula guards it
//	[rent..]   from month 0 up to this month
//	[rent*]    all months
//	[rent$0]   month 0
//	[World!hp] the same of another grid
var ref = regexp.MustCompile(`\[(?:([A-Za-z0-9_]+)!)?([a-z0-9_]+)(<\d*|\.\.|\*|\$0|>)?\]`)

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
func (g *grid) row(key, label, unit string, s style, sums bool, template func(t int) string, note string) {
	g.next++
	if _, twice := g.rows[key]; twice {
		g.fail("row %s stands twice on %s", key, g.name)
	}
	g.rows[key] = g.next
	g.text(columnLabel, label)
	g.text(columnUnit, unit)
	if note != "" {
		g.text(columnNote, note)
	}
	at := g.next
	g.later = append(g.later, func() {
		for t := range g.months {
			g.formula(firstMonth+t, at, g.expand(template(t), t), s)
		}
		if sums {
			g.formula(columnTotal, at, fmt.Sprintf("SUM(%s)", g.cells(0, g.months-1, at)), s)
		}
	})
}

// scalar adds a row with one figure, in month 0's column.
func (g *grid) scalar(key, label, unit string, s style, template string) {
	g.next++
	g.rows[key] = g.next
	g.text(columnLabel, label)
	g.text(columnUnit, unit)
	at := g.next
	g.later = append(g.later, func() { g.formula(firstMonth, at, g.expand(template, 0), s) })
}

// head adds a heading.
func (g *grid) head(label string) {
	g.next += 2
	g.text(columnLabel, label)
	g.book.keep(g.book.file.SetRowStyle(g.name, g.next, g.next, g.book.style[heading]))
}

func (g *grid) text(column int, v string) {
	g.book.keep(g.book.file.SetCellStr(g.name, cell(column, g.next), v))
}

func (g *grid) formula(column, row int, v string, s style) {
	at := cell(column, row)
	g.book.keep(g.book.file.SetCellFormula(g.name, at, v))
	g.book.keep(g.book.file.SetCellStyle(g.name, at, at, g.book.style[s]))
}

// expand writes a template's references for month t.
func (g *grid) expand(template string, t int) string {
	return ref.ReplaceAllStringFunc(template, func(m string) string {
		p := ref.FindStringSubmatch(m)
		on, prefix := g, ""
		if p[1] != "" {
			if on = g.book.grids[p[1]]; on == nil {
				g.fail("%s: there is no sheet %s", m, p[1])
				return m
			}
			prefix = "'" + p[1] + "'!"
		}
		n, ok := on.rows[p[2]]
		if !ok {
			g.fail("%s: %s has no such row", m, on.name)
			return m
		}
		switch {
		case p[3] == "":
			return prefix + cell(firstMonth+t, n)
		case p[3] == ">":
			return prefix + cell(firstMonth+t+1, n)
		case p[3] == "<":
			return prefix + cell(firstMonth+t-1, n)
		case p[3] == "..":
			return prefix + on.cells(0, t, n)
		case p[3] == "*":
			return prefix + on.cells(0, on.months-1, n)
		case p[3] == "$0":
			return prefix + fixed(firstMonth, n)
		}
		back := 0
		_, _ = fmt.Sscan(strings.TrimPrefix(p[3], "<"), &back)
		return prefix + cell(firstMonth+max(t-back, -1), n)
	})
}

// cells is the range of a row from one month to another, its beginning fixed.
func (g *grid) cells(from, to, n int) string {
	return fixed(firstMonth+from, n) + ":" + cell(firstMonth+to, n)
}

func (g *grid) fail(format string, args ...any) {
	if g.fault == nil {
		g.fault = fmt.Errorf(format, args...)
	}
	g.book.keep(g.fault)
}

// cell is a cell's name, "F12".
func cell(column, row int) string {
	name, err := excelize.CoordinatesToCellName(column, row)
	if err != nil {
		return "#REF!" // a month beyond 16,384 columns: a study has at most 480
	}
	return name
}

// fixed is a cell's name that does not move, "$F$12".
func fixed(column, row int) string {
	name, err := excelize.CoordinatesToCellName(column, row, true)
	if err != nil {
		return "#REF!"
	}
	return name
}
