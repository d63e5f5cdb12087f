package sheet

import (
	"fmt"
	"strings"

	"switchyard/study/flow"
	"switchyard/study/input"
)

// option is one option of a hall being written: its sheet and what it is of.
type option struct {
	b       *book
	f       *input.File
	o       *input.Option
	h       *input.Hall
	hall    int
	g, mine *grid
	start   string // the name of the month in which it begins
	leaves  string // the month in which the hall is sold or closed, by a template; empty: it is not
	// what is the option's own project; before is the mining until then, nil where that is the option.
	what, before *project
}

// project is one of the two whose values make an option's: prefix begins the keys of its rows, and the
// others say by templates when it begins, operates and ends.
type project struct {
	b                    *book
	g                    *grid
	prefix               string
	begin, operate, last string
	terms                *terms // nil: equity only
}

// before is the prefix of mining until an option begins.
const before = "b_"

// option writes an option's sheet: what the hall earns before it begins, what it builds, its finance,
// and its value.
func (b *book) option(hall int, o *input.Option, month int, mine *grid) *option {
	h := &b.f.Halls[hall]
	x := &option{b: b, f: b.f, o: o, h: h, hall: hall, g: b.grid(h.ID + "_" + o.ID), mine: mine}
	x.what = &project{b: b, g: x.g, begin: "[begin$0]", operate: "[operate$0]", last: "[last$0]"}
	if o.Kind == input.Mine {
		x.start = "0"
		x.what.begin, x.what.operate, x.what.last = "0", "0", fmt.Sprint(b.months-1)
		x.mines(x.what, fmt.Sprint(b.months))
	} else {
		x.start = b.figures(starts, x.g.name).add("month", "the study's first being 0", "month", float64(month), whole, "",
			"the best of the months tried: "+b.monthName(month))
		x.starts()
	}
	if x.before != nil {
		x.g.head("Value of the hall until then")
		x.before.value()
		x.before.statements()
	}
	x.g.head("Value of the option")
	x.what.value()
	x.what.terms = x.terms()
	x.what.statements()
	x.worth()
	return x
}

// starts writes an option that begins in its month.
func (x *option) starts() {
	x.before = &project{b: x.b, g: x.g, prefix: before, begin: "0", operate: "0", last: "[b_last$0]"}
	until := x.start // the hall mines before this month
	switch x.o.Kind {
	case input.Sell:
		s := x.f.Sale(x.o.With)
		until += "+" + x.b.figures(sales, s.ID).duration("closing", "until it is paid", s.After)
		x.leaves = until
	case input.Build:
		until = fmt.Sprint(x.b.months)
	}
	x.mines(x.before, until)
	switch x.o.Kind {
	case input.Host:
		x.host(x.f.Lease(x.o.With), x.conversion(), "")
	case input.GPUs:
		x.cloud(x.f.Cloud(x.o.With), x.conversion())
	case input.Build:
		x.greenfield(x.f.Greenfield(x.o.With))
	case input.Sell:
		x.sell(x.f.Sale(x.o.With), until)
	}
}

// row adds a row of dollars, with the name of the flow's line.
func (x *option) row(key, template string) {
	x.g.row(key, lineName(key), "$", dollars, true, always(template), "")
}

// titles are the lines' names for people.
var titles = func() map[string]string {
	out := map[string]string{}
	for l := range flow.Lines {
		out[l.Key()] = l.String()
	}
	return out
}()

// lineName is the name of a line for people.
func lineName(key string) string { return titles[strings.TrimPrefix(key, before)] }

// mines writes mining up to a month, in which the machines are sold.
func (x *option) mines(p *project, until string) {
	x.g.head("The hall mines")
	for _, k := range []flow.Line{flow.Mining, flow.Programmes, flow.Blocks, flow.PoolFee, flow.Energy, flow.Demand, flow.Upkeep, flow.Machines} {
		x.row(p.prefix+k.Key(), fmt.Sprintf("IF([World!t]<%s,[%s!%s],0)", until, x.mine.name, k.Key()))
	}
	x.row(p.prefix+"resale", fmt.Sprintf("IF([World!t]<%[1]s,[%[2]s!resale],0)+IF([World!t]=%[1]s,[%[2]s!value],0)", until, x.mine.name))
	x.g.row(p.prefix+"mwh", "Energy drawn", "MWh", plain, true, always(fmt.Sprintf("IF([World!t]<%s,[%s!mwh],0)", until, x.mine.name)), "")
	if p.prefix != "" {
		x.g.scalar(p.prefix+"last", "Its last month", "month", whole, fmt.Sprintf("MIN(%s,%d)", until, x.b.months-1), "")
	}
}

// sell writes what remains of a hall from its closing on.
func (x *option) sell(s *input.Sale, closing string) {
	of, end := x.b.figures(sales, s.ID), x.b.months
	x.g.head("The sale")
	x.g.scalar("operate", "Closing", "month", whole, fmt.Sprintf("MIN(%s,%d)", closing, end), "")
	x.what.begin = x.what.operate
	if s.Of != "site" {
		x.row("blocks", "IF([World!t]>=[operate$0],[World!blocks]*["+x.mine.name+"!share$0],0)")
		x.what.last = fmt.Sprint(end - 1)
		return
	}
	price := spread(of, "price", "price of a site", "$/MW", s.Price, dollars)
	costs := of.ratio("costs", "costs of the sale", s.Costs)
	x.row("sale", fmt.Sprintf("IF([World!t]=[operate$0],%s*%s*(1-%s),0)", x.b.hallPower(x.hall), price, costs))
	x.g.scalar("last", "Last month", "month", whole, fmt.Sprintf("MIN([operate$0],%d)", end-1), "")
}

// greenfield writes a site built elsewhere.
func (x *option) greenfield(n *input.Greenfield) {
	of := x.b.figures(greenfields, n.ID)
	p := built{
		critical: of.power("critical", "critical load", n.Critical), cost: spread(of, "capex", "cost of building", "$/MW", n.Capex, dollars),
		build: spread(of, "build", "time to build", "months", n.Build, whole), land: of.money("land", "land", "$", n.Land), pue: "[World!pue]",
	}
	if n.PUE != nil {
		p.pue = of.number("pue", "PUE", "x", n.PUE)
	}
	exit := ""
	if n.Exit != nil {
		exit = of.number("exit", "exit multiple of EBITDA", "x", n.Exit)
	}
	x.host(x.f.Lease(n.Lease), p, exit)
}
