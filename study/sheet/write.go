package sheet

import (
	"fmt"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"

	"switchyard/study"
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/sheet/packed"
)

// Write writes the expected case of a study as a workbook with live formulas: the figures that may be
// changed, the world, each hall's mining, each option of r with its flows, tax, loan, statements and
// value, a summary, and a comparison with the program's own figures. f is the file that r is of. It
// keeps the whole workbook in memory.
func Write(w io.Writer, f *input.File, r *study.Report) error {
	if err := write(w, study.Complete(f), r); err != nil {
		return fmt.Errorf("write the workbook: %w", err)
	}
	return nil
}

func write(w io.Writer, f *input.File, r *study.Report) error {
	b := newBook(f)
	b.inputs.sheet = b.sheet("Inputs")
	years := b.years()
	b.world()
	b.hourly()
	all, err := b.options(r)
	if err != nil {
		return err
	}
	fixed := b.fixedCosts(all)
	for i := range all {
		years.option(&all[i])
	}
	covered := b.covered(all, fixed)
	years.together(all, fixed, covered, r)
	years.flush()
	largest := years.compare(all, covered, r)
	b.summary(r, all, years, fixed, covered, largest)
	if err := b.close(); err != nil {
		return err
	}
	yes := true
	if err := b.file.SetCalcProps(&excelize.CalcPropsOptions{FullCalcOnLoad: &yes}); err != nil {
		return err
	}
	if err := b.file.SetDocProps(&excelize.DocProperties{Title: r.Study, Creator: "Switchyard", Created: "2000-01-01T00:00:00Z", Modified: "2000-01-01T00:00:00Z"}); err != nil {
		return err
	}
	out, err := b.file.WriteToBuffer()
	if err != nil {
		return err
	}
	if err := b.file.Close(); err != nil {
		return err
	}
	return packed.Write(w, out.Bytes())
}

// listed is an option as the workbook has it. As computed by the program it is nil where the report tells
// no more of it than its month: a choice that the site's limits moved.
type listed struct {
	*option
	hall, name, kind string
	chosen           bool
	program          *study.Option
	years            map[string]int // rows of the sheet Years, by what they are
}

// options writes the sheets of all options, and of choices in other months than the options' own.
func (b *book) options(r *study.Report) ([]listed, error) {
	if r.Months != b.months || r.Start != b.f.Start.String() {
		return nil, fmt.Errorf("the report is of %d months from %s, the file of %d from %s", r.Months, r.Start, b.months, b.f.Start)
	}
	var out []listed
	for h := range b.f.Halls {
		id, mine, found := b.f.Halls[h].ID, b.fleet(h), false
		add := func(l listed, start string) error {
			l.hall = id
			err := b.list(&l, h, start, mine)
			out, found = append(out, l), found || l.chosen
			return err
		}
		for i := range r.Options {
			if v := &r.Options[i]; v.Hall == id {
				if err := add(listed{name: v.Name, program: v, chosen: chosen(r, id, v.Name, v.Start)}, v.Start); err != nil {
					return nil, err
				}
			}
		}
		for _, c := range r.Best {
			if c.Hall == id && !found {
				if err := add(listed{name: c.Option, chosen: true}, c.Start); err != nil {
					return nil, err
				}
			}
		}
	}
	for i := range r.Options {
		if v := &r.Options[i]; b.f.HallIndex(v.Hall) < 0 {
			return nil, fmt.Errorf("the file has no hall %q", v.Hall)
		}
	}
	return out, nil
}

// list writes the sheet of an option that begins in a month.
func (b *book) list(l *listed, hall int, start string, mine *grid) error {
	o := b.f.Option(l.name)
	if goesOn := l.program != nil && l.program.Kind == input.Mine; l.name == input.Mine && (o == nil || goesOn && o.Kind != input.Mine) {
		o = &input.Option{ID: l.name, Kind: input.Mine} // every hall may, without the file saying so
	}
	if o == nil {
		return fmt.Errorf("the file has no option %q of hall %q", l.name, l.hall)
	}
	t, err := b.monthOf(start)
	if err != nil {
		return err
	}
	l.kind, l.option = o.Kind, b.option(hall, o, t, mine)
	return nil
}

// chosen says that the report's best choice for a hall is an option in its month.
func chosen(r *study.Report, hall, option, start string) bool {
	for _, c := range r.Best {
		if c.Hall == hall && c.Option == option && c.Start == start {
			return true
		}
	}
	return false
}

func (b *book) monthOf(name string) (int, error) {
	for t := range b.months {
		if b.monthName(t) == name {
			return t, nil
		}
	}
	return 0, fmt.Errorf("%q is no month of the study", name)
}

// fixedCosts writes the site's own costs, which are no hall's; where all halls are sold or closed they end.
func (b *book) fixedCosts(all []listed) *project {
	g := b.grid("Site_costs")
	p := &project{b: b, g: g, begin: "0", operate: "0", last: fmt.Sprint(b.months - 1)}
	g.head("The site")
	in := b.figures(site, "")
	cost := "-" + in.money("fixed_costs", "Costs of the site until no hall is left", "$ a year", b.f.Site.Fixed) + "/12*[World!dollar]"
	if goes := b.empty(all); goes != "" {
		wind := in.duration("wind_down", "Months that it costs that after the last hall went", b.f.Site.WindDown)
		g.scalar("until", "The last hall goes", "month", whole, "MIN("+goes+fmt.Sprintf(",%d)", b.months), "the study's first being 0")
		g.row("whole", "Costs if all went on", "$", dollars, true, always(cost), "")
		p.once("npv_whole", "Their net present value", "$", dollars, "SUMPRODUCT([whole*],[World!factor*])"+b.relieved(), "")
		cost = "IF([World!t]<=[until$0]+" + wind + ",[whole],0)"
		p.last = "MIN([until$0]+" + wind + "," + p.last + ")"
	}
	g.row("fixed", flow.Fixed.String(), "$", dollars, true, always(cost), "")
	p.value()
	p.statements()
	return p
}

// relieved is what follows a cost where it saves its tax at once.
func (b *book) relieved() string {
	if b.f.Tax.Losses != input.Relief {
		return ""
	}
	return "*(1-" + b.figures(general, "").ratio("tax", "Tax", b.f.Tax.Rate) + ")"
}

// empty says by a template in which month the last hall of those chosen goes; empty: one stays.
func (b *book) empty(all []listed) string {
	var goes []string
	for i := range all {
		if !all[i].chosen {
			continue
		}
		if all[i].leaves == "" {
			return ""
		}
		goes = append(goes, all[i].leaves)
	}
	if len(goes) == 0 {
		return ""
	}
	return "MAX(" + strings.Join(goes, ",") + ")"
}
