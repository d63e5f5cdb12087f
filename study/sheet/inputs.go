package sheet

import (
	"fmt"
	"strings"

	"github.com/xuri/excelize/v2"

	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/study/sheet/ref"
	"switchyard/unit"
)

// section is a part of the sheet Inputs.
type section int

const (
	general section = iota
	site
	power
	bitcoin
	halls
	leases
	clouds
	sales
	greenfields
	loans
	starts
	sections
)

// sectionNames are what people read, and what names in formulas begin with after "in_".
var sectionNames = [sections][2]string{
	general: {"Rates, inflation and tax", ""}, site: {"The site", "site"}, power: {"Power", "power"}, bitcoin: {"Bitcoin", "btc"}, halls: {"Halls", "hall"},
	leases: {"Leases", "lease"}, clouds: {"GPU clouds", "cloud"}, sales: {"Sales", "sale"}, greenfields: {"New sites", "new"}, loans: {"Financing", "loan"},
	starts: {"When each option begins", "start"},
}

// inputs are the figures that may be changed.
type inputs struct {
	sheet string
	byKey map[string]*given
	list  [sections][]*given
	names map[string]bool // in use, in small letters
}

// given is one of them; its value is a number in the unit that is told.
type given struct {
	name, label, unit string
	value             float64
	style             style
	from, source      string
}

// figures are those of one thing, a lease say.
type figures struct {
	b       *book
	section section
	id      string
}

func (b *book) figures(s section, id string) figures { return figures{b, s, id} }

// add adds a figure, once, and returns its name for formulas. What names it among those of the thing. Ids
// that differ in signs alone, "hall-a" and "hall.a", have names of their own.
func (g figures) add(what, label, unit string, value float64, s style, from, source string) string {
	in := &g.b.inputs
	key := sectionNames[g.section][0] + "\x00" + g.id + "\x00" + what
	if v := in.byKey[key]; v != nil {
		return v.name
	}
	parts := []string{"in"}
	for _, p := range []string{sectionNames[g.section][1], g.id, what} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	// With in_ before it, it can never be taken for a cell.
	name := ref.Unique(ref.Plain(strings.Join(parts, "_")), 200, in.names)
	if g.id != "" {
		label = g.id + ": " + label
	}
	v := &given{name, label, unit, value, s, from, source}
	in.byKey[key] = v
	in.list[g.section] = append(in.list[g.section], v)
	return name
}

// figureOf is a figure that the file may lack, with its provenance.
func figureOf[T any](f *figure.Figure[T]) (v T, from, source string) {
	if f == nil {
		return v, string(figure.Assumption), "not in the file"
	}
	return f.Is, string(f.From), f.Source
}

func (g figures) ratio(what, label string, r input.Ratio) string {
	v, from, source := figureOf(r)
	return g.add(what, label, "", float64(v), percent, from, source)
}

func (g figures) rent(what, label string, r input.Rent) string {
	v, from, source := figureOf(r)
	return g.add(what, label, "$/kW-month", v.DollarsPerKWMonth(), plain, from, source)
}

func (g figures) price(what, label string, r input.Price) string {
	v, from, source := figureOf(r)
	return g.add(what, label, "$/MWh", v.DollarsPerMWh(), plain, from, source)
}

func (g figures) money(what, label, of string, r input.Money) string {
	v, from, source := figureOf(r)
	s := dollars
	if v < 1000 && v > -1000 {
		s = plain // the price of a share has cents
	}
	return g.add(what, label, of, float64(v), s, from, source)
}

func (g figures) number(what, label, of string, r input.Number) string {
	v, from, source := figureOf(r)
	return g.add(what, label, of, v, plain, from, source)
}

func (g figures) duration(what, label string, r input.Months) string {
	v, from, source := figureOf(r)
	return g.add(what, label, "months", float64(v), whole, from, source)
}

func (g figures) power(what, label string, r *figure.Figure[unit.Power]) string {
	v, from, source := figureOf(r)
	return g.add(what, label, "MW", v.Megawatts(), plain, from, source)
}

// spread adds a figure's middle, which is what the expected case takes.
func spread[T ~float64 | ~int](g figures, what, label, unit string, s *figure.Spread[T], as style) string {
	if s == nil {
		return g.add(what, label, unit, 0, as, string(figure.Assumption), "not in the file")
	}
	return g.add(what, label, unit, float64(s.P50), as, string(s.From), s.Source)
}

// hallPower is the power of a hall.
func (b *book) hallPower(hall int) string {
	h := &b.f.Halls[hall]
	return b.figures(halls, h.ID).power("mw", "power from the grid", h.Power)
}

// inFile is the column of Inputs that says what the file has, so that a change is seen.
const inFile = 7

// edited says by a formula that a figure is not the file's any more: one of Inputs, or of the tables that mark. All
// are written before it is asked for.
func (b *book) edited() string {
	last := 4
	for _, list := range b.inputs.list {
		if len(list) > 0 {
			last += 1 + len(list)
		}
	}
	is := func(column int) string {
		return ref.On(b.inputs.sheet, ref.Fixed(column, 5)+":"+ref.Fixed(column, last))
	}
	return "OR(" + strings.Join(append([]string{"SUMPRODUCT(--(" + is(2) + "<>" + is(inFile) + "))>0"}, b.marks...), ",") + ")"
}

// mark keeps in mind what a row or column of a table is, by a sum in which each figure has its own weight.
func (b *book) mark(sheet string, column, row int, figures []float64, down bool) {
	if len(figures) == 0 {
		return
	}
	sum, of, last := 0.0, "COLUMN", ref.Cell(column+len(figures)-1, row)
	first := column
	if down {
		of, last, first = "ROW", ref.Cell(column, row+len(figures)-1), row
	}
	for i, v := range figures {
		sum += v * float64(first+i)
	}
	at := ref.On(sheet, ref.Cell(column, row)+":"+last)
	b.marks = append(b.marks, fmt.Sprintf("ABS(SUMPRODUCT(%s,%s(%s))-(%v))>0.00001", at, of, at, sum))
}

// toldOf says where a bare number of the file comes from.
func (b *book) toldOf(path string, args ...any) (from, source string) {
	path = fmt.Sprintf(path, args...)
	for _, all := range [][]input.Provenance{b.f.Given, b.f.Assumed} {
		for _, p := range all {
			if p.Path == path {
				return string(p.From), p.Source
			}
		}
	}
	return "", ""
}

// flushInputs writes the sheet Inputs.
func (b *book) flushInputs() {
	name := b.inputs.sheet
	b.tab(name, "#E8C93C")
	b.text(name, 1, 1, "Inputs", title)
	b.text(name, 1, 2, "Change what is blue on yellow: all else follows. Kinds of lease, of repayment and of tax table are in the study file, not here.", note)
	for i, v := range []string{"Figure", "Value", "Unit", "From", "Source", "Name in formulas", "In the file"} {
		b.text(name, i+1, 4, v, heading)
	}
	row := 4
	for s, list := range b.inputs.list {
		if len(list) == 0 {
			continue
		}
		row++
		for c := range 7 {
			b.text(name, c+1, row, "", part)
		}
		b.text(name, 1, row, sectionNames[s][0], part)
		for _, v := range list {
			row++
			b.text(name, 1, row, v.label, words)
			b.number(name, 2, row, v.value, v.style.input())
			for i, s := range []string{v.unit, v.from, v.source, v.name} {
				b.text(name, 3+i, row, s, indented)
			}
			b.number(name, inFile, row, v.value, v.style)
			b.keep(b.file.SetDefinedName(&excelize.DefinedName{Name: v.name, RefersTo: ref.On(name, ref.Fixed(2, row))}))
		}
	}
	for _, c := range []struct {
		from, to string
		width    float64
	}{{"A", "A", 50}, {"B", "B", 22}, {"C", "D", 15}, {"E", "E", 76}, {"F", "F", 42}, {"G", "G", 18}} {
		b.keep(b.file.SetColWidth(name, c.from, c.to, c.width))
	}
	b.keep(b.file.SetPanes(name, &excelize.Panes{Freeze: true, YSplit: 4, TopLeftCell: "A5", ActivePane: "bottomLeft"}))
	b.landscape(name)
}

// tab colours a sheet's tab.
func (b *book) tab(name, colour string) {
	b.keep(b.file.SetSheetProps(name, &excelize.SheetPropsOptions{TabColorRGB: &colour}))
}

// landscape has a sheet printed across, as wide as the paper.
func (b *book) landscape(name string) {
	across, one, any, fit := "landscape", 1, 0, true
	b.keep(b.file.SetPageLayout(name, &excelize.PageLayoutOptions{Orientation: &across, FitToWidth: &one, FitToHeight: &any}))
	b.keep(b.file.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &fit}))
}
