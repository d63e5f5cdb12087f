package sheet

import (
	"fmt"

	"github.com/xuri/excelize/v2"

	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/study/sheet/ref"
)

// book is a workbook that is being written; the first fault is kept.
type book struct {
	file   *excelize.File
	f      *input.File
	months int
	style  [styles]int
	grids  map[string]*grid // by sheet
	order  []*grid
	sheets map[string]bool  // names in use, in small letters
	draws  map[string]table // by financing
	inputs inputs
	marks  []string // by formulas: a table of what may be changed is not the file's any more
	err    error
}

// newBook makes an empty workbook with its styles.
func newBook(f *input.File) *book {
	b := &book{
		file: excelize.NewFile(), f: f, months: f.Years * 12, grids: map[string]*grid{}, draws: map[string]table{},
		sheets: map[string]bool{"history": true}, // Excel's own
		inputs: inputs{byKey: map[string]*given{}, names: map[string]bool{}},
	}
	b.styles()
	// The sheet that every new workbook has is the first: to remove it would have all others read again.
	b.sheets["summary"] = true
	b.keep(b.file.SetSheetName("Sheet1", summarySheet))
	return b
}

func (b *book) keep(err error) {
	if b.err == nil && err != nil {
		b.err = err
	}
}

func (b *book) fail(format string, args ...any) { b.keep(fmt.Errorf(format, args...)) }

// style is how a cell is printed.
type style int

const (
	dollars style = iota
	plain         // up to four decimals
	cover         // two decimals
	percent
	whole
	heading
	part  // of a table: a line above a group of rows
	title // of a sheet
	note  // small print
	words // as they come
	indented
	headFigure // a heading above figures
	link
	best // a row that was chosen
	bestDollars
	bestPercent
	bestPlain
	bestCover
	inDollars // what may be changed: blue on yellow, as bankers have it
	inPlain
	inCover
	inPercent
	inWhole
	styles
)

// input is the style of a figure that may be changed.
func (s style) input() style {
	return map[style]style{dollars: inDollars, plain: inPlain, cover: inCover, percent: inPercent, whole: inWhole}[s]
}

// chosen is the style of a figure of a chosen row.
func (s style) chosen() style {
	if v, ok := map[style]style{dollars: bestDollars, plain: bestPlain, cover: bestCover, percent: bestPercent}[s]; ok {
		return v
	}
	return best
}

func (b *book) styles() {
	const money, number = `#,##0;[Red]-#,##0;"-"`, `#,##0.####`
	fill := func(colour string) excelize.Fill {
		return excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{colour}}
	}
	set := func(s style, format string, v excelize.Style) {
		if format != "" {
			v.CustomNumFmt = &format
		}
		id, err := b.file.NewStyle(&v)
		b.keep(err)
		b.style[s] = id
	}
	for s, format := range []string{dollars: money, plain: number, cover: "0.00", percent: "0.00%", whole: "0"} {
		s := style(s)
		right := &excelize.Alignment{Horizontal: "right"}
		set(s, format, excelize.Style{Alignment: right})
		set(s.input(), format, excelize.Style{
			Font: &excelize.Font{Color: "#0000FF"}, Fill: fill("#FFF8CC"), Alignment: right,
			Border: []excelize.Border{{Type: "bottom", Color: "#D9D2A0", Style: 1}},
		})
		set(s.chosen(), format, excelize.Style{Font: &excelize.Font{Bold: true}, Fill: fill("#E3F1E5"), Alignment: right})
	}
	set(best, "", excelize.Style{Font: &excelize.Font{Bold: true}, Fill: fill("#E3F1E5")})
	set(heading, "", excelize.Style{Font: &excelize.Font{Bold: true, Color: "#FFFFFF"}, Fill: fill("#2F4858"), Alignment: &excelize.Alignment{WrapText: true, Vertical: "center"}})
	set(part, "", excelize.Style{Font: &excelize.Font{Bold: true}, Fill: fill("#E4EAF0")})
	set(title, "", excelize.Style{Font: &excelize.Font{Bold: true, Size: 18, Color: "#2F4858"}})
	set(note, "", excelize.Style{Font: &excelize.Font{Italic: true, Color: "#666666"}})
	set(indented, "", excelize.Style{Alignment: &excelize.Alignment{Horizontal: "left", Indent: 1}})
	set(headFigure, "", excelize.Style{Font: &excelize.Font{Bold: true, Color: "#FFFFFF"}, Fill: fill("#2F4858"), Alignment: &excelize.Alignment{WrapText: true, Vertical: "center", Horizontal: "right"}})
	set(link, "", excelize.Style{Alignment: &excelize.Alignment{Horizontal: "left", Indent: 1}, Font: &excelize.Font{Underline: "single", Color: "#1F5FA8"}})
}

// longest is how long a sheet's name may be.
const longest = 31

// sheet adds a sheet and returns its name: that which is asked for, in letters, digits and _, cut to what
// fits; numbered where another sheet has it, for spreadsheets take "A-1", "a_1" and "A_1" for one.
func (b *book) sheet(name string) string {
	name = ref.Plain(name)
	name = ref.Unique(name, longest, b.sheets)
	_, err := b.file.NewSheet(name)
	b.keep(err)
	return name
}

// text puts words into a cell.
func (b *book) text(sheet string, column, row int, v string, s style) {
	at := ref.Cell(column, row)
	b.keep(b.file.SetCellStr(sheet, at, v))
	b.styled(sheet, at, s)
}

func (b *book) formula(sheet string, column, row int, v string, s style) {
	at := ref.Cell(column, row)
	b.keep(b.file.SetCellFormula(sheet, at, v))
	b.styled(sheet, at, s)
}

func (b *book) number(sheet string, column, row int, v float64, s style) {
	at := ref.Cell(column, row)
	b.keep(b.file.SetCellFloat(sheet, at, v, -1, 64))
	b.styled(sheet, at, s)
}

func (b *book) styled(sheet, at string, s style) {
	b.keep(b.file.SetCellStyle(sheet, at, at, b.style[s]))
}

// close writes what was gathered, and returns the first fault.
func (b *book) close() error {
	b.flushInputs()
	for _, g := range b.order {
		g.flush()
	}
	return b.err
}

// monthName names a month of the study.
func (b *book) monthName(t int) string { return month(b.f, t) }

// month names a month of a study.
func month(f *input.File, t int) string { return (f.Start + figure.Month(t)).String() }
