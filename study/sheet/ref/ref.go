// Package ref owns how a workbook's formulas name cells: a template's references to rows of sheets of months,
// expanded for a month, and the names of cells and sheets.
//
// It never reads or writes a workbook.
//
// Concurrency: all is pure.
package ref

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"
)

// FirstMonth is the column of month 0. The one before it holds nought where a formula looks back from
// month 0.
const (
	FirstMonth = 6
	Opening    = FirstMonth - 1
)

// pattern finds a reference of a template:
//
//	[rent]     the row rent in this month
//	[rent<]    in the month before; nought in month 0
//	[rent<11]  eleven months before; nought where there is none
//	[rent..]   from month 0 up to this month
//	[rent*]    all months
//	[rent$0]   month 0
//	[World!hp] the same of another grid
var pattern = regexp.MustCompile(`\[(?:([A-Za-z0-9_]+)!)?([a-z0-9_]+)(<\d*|\.\.|\*|\$0)?\]`)

// Piece is a part of a template: words as they are, and behind them a reference, if it has one.
type Piece struct {
	words  string
	n      int    // the row that is meant; zero: words alone
	prefix string // the sheet that it is on, if another
	how    string // as pattern has it
	back   int    // months
}

// Back are the rows of the template's own sheet that it looks back at.
func Back(template string) (out []string) {
	for _, p := range pattern.FindAllStringSubmatch(template, -1) {
		if strings.HasPrefix(p[3], "<") && p[1] == "" {
			out = append(out, p[2])
		}
	}
	return out
}

// Parse takes a template apart; row finds where a row of a sheet stands (of its own where sheet is empty), zero: nowhere.
func Parse(template string, row func(sheet, key string) int) ([]Piece, error) {
	var out []Piece
	from := 0
	for _, m := range pattern.FindAllStringSubmatchIndex(template, -1) {
		p, sheet := Piece{words: template[from:m[0]], back: 1}, ""
		if m[2] >= 0 {
			sheet = template[m[2]:m[3]]
			p.prefix = "'" + sheet + "'!"
		}
		if m[6] >= 0 {
			p.how = template[m[6]:m[7]]
		}
		if p.n = row(sheet, template[m[4]:m[5]]); p.n == 0 {
			return nil, fmt.Errorf("%s: there is no such row as %s", template, template[m[0]:m[1]])
		}
		if months, is := strings.CutPrefix(p.how, "<"); is && months != "" {
			n, err := strconv.Atoi(months)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", template, err)
			}
			p.back = n
		}
		out, from = append(out, p), m[1]
	}
	return append(out, Piece{words: template[from:]}), nil
}

// Expand writes a template's references for month t of so many.
func Expand(pieces []Piece, t, months int) string {
	var out strings.Builder
	for _, p := range pieces {
		out.WriteString(p.words)
		if p.n == 0 {
			break
		}
		out.WriteString(p.prefix)
		switch p.how {
		case "":
			out.WriteString(Cell(FirstMonth+t, p.n))
		case "..":
			out.WriteString(Range(0, t, p.n))
		case "*":
			out.WriteString(Range(0, months-1, p.n))
		case "$0":
			out.WriteString(Fixed(FirstMonth, p.n))
		default:
			out.WriteString(Cell(FirstMonth+max(t-p.back, -1), p.n))
		}
	}
	return out.String()
}

// Range is a row from one month to another, its beginning fixed.
func Range(from, to, n int) string {
	return Fixed(FirstMonth+from, n) + ":" + Cell(FirstMonth+to, n)
}

// Cell is a cell's name, "F12".
func Cell(column, row int) string {
	name, err := excelize.CoordinatesToCellName(column, row)
	if err != nil {
		return "#REF!" // a month beyond 16,384 columns: a study has at most 480
	}
	return name
}

// Fixed is a cell's name that does not move, "$F$12".
func Fixed(column, row int) string {
	name, err := excelize.CoordinatesToCellName(column, row, true)
	if err != nil {
		return "#REF!"
	}
	return name
}

// On names cells of another sheet.
func On(sheet, cells string) string { return "'" + sheet + "'!" + cells }

// Column is a column's name, "F".
func Column(n int) string {
	name, err := excelize.ColumnNumberToName(n)
	if err != nil {
		return "XFD"
	}
	return name
}

var notName = regexp.MustCompile(`[^A-Za-z0-9_]+`)

// Plain has _ for all of a name but letters, digits and _.
func Plain(name string) string { return notName.ReplaceAllString(name, "_") }

// Unique cuts a name to so many letters, and numbers it where it is in use; then it is in use.
func Unique(name string, most int, used map[string]bool) string {
	out := name[:min(len(name), most)]
	for i := 2; used[strings.ToLower(out)]; i++ {
		tail := fmt.Sprintf("_%d", i)
		out = name[:min(len(name), most-len(tail))] + tail
	}
	used[strings.ToLower(out)] = true
	return out
}
