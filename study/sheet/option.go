package sheet

import (
	"fmt"
	"strings"

	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/study/venture"
)

// option is one option of a hall being written: its sheet, and the names of its own inputs.
type option struct {
	b       *book
	g, mine *grid
	f       *input.File
	o       *input.Option
	h       *input.Hall
	id      string
	start   string // the month in which it begins
}

// lines are the flows' keys in the order of the statements, venture's own.
var operating = []string{"mining", "rent", "cloud", "passed_through", "programmes", "blocks", "pool_fee", "energy", "demand", "upkeep", "property", "service"}

// option writes an option's sheet: what the hall earns before it begins, what it builds, its
// finance, and its value.
func (b *book) option(hall int, o *input.Option, month int, mine *grid) *grid {
	h := &b.f.Halls[hall]
	id := notName.ReplaceAllString(h.ID+"_"+o.ID, "_")
	if len(id) > 31 {
		id = id[:31]
	}
	x := &option{b: b, g: b.grid(id, b.f.Years*12), mine: mine, f: b.f, o: o, h: h, id: id}
	x.start = b.input(named(id, "start"), "Month in which "+h.ID+" begins: "+o.ID, "month", float64(month), whole, "", "the best of the months tried; 0 is the first")
	until := "0" // the hall mines before this month
	switch o.Kind {
	case "host", "cloud":
		until = x.start
	case "sell":
		until = x.start + "+" + x.months("closing", "closing", x.sale().After)
	case "greenfield":
		until = fmt.Sprint(b.f.Years * 12)
	}
	if o.Kind == "mine" {
		x.mines("", fmt.Sprint(b.f.Years*12))
		x.nothing("b_")
	} else {
		x.mines("b_", until)
	}
	switch o.Kind {
	case "host":
		x.host(x.f.Lease(o.With), x.conversion())
	case "greenfield":
		x.greenfield(x.f.Greenfield(o.With))
	case "cloud":
		x.cloud(x.f.Cloud(o.With), x.conversion())
	case "sell":
		x.sell(until)
	}
	x.base("b_", "the hall until then")
	x.base("", "the option")
	x.finance()
	x.worth()
	return x.g
}

func (x *option) sale() *input.Sale { return x.f.Sale(x.o.With) }

// row adds a row of dollars.
func (x *option) row(key, label, template string) {
	x.g.row(key, label, "$", dollars, true, always(template), "")
}

func (x *option) months(what, label string, m input.Months) string {
	v, from, source := figureOf(m)
	return x.b.input(named(x.id, what), x.id+": "+label, "months", float64(v), whole, from, source)
}

// mines writes mining up to a month, in which the machines are sold.
func (x *option) mines(prefix, until string) {
	x.g.head("The hall mines")
	for _, k := range []string{"mining", "programmes", "blocks", "pool_fee", "energy", "demand", "upkeep", "machines", "mwh"} {
		x.row(prefix+k, title(k), fmt.Sprintf("IF([World!t]<%s,[%s!%s],0)", until, x.mine.name, k))
	}
	x.row(prefix+"resale", title("resale"), fmt.Sprintf("IF([World!t]<%[1]s,[%[2]s!resale],0)+IF([World!t]=%[1]s,[%[2]s!value],0)", until, x.mine.name))
	last := fmt.Sprint(x.f.Years*12 - 1)
	x.g.row(prefix+"operate", "First month of operation", "", whole, false, always("0"), "")
	x.g.row(prefix+"last", "Last month", "", whole, false, always(fmt.Sprintf("MIN(%s,%s)", until, last)), "")
	x.rest(prefix)
}

// nothing writes a part that has no flows.
func (x *option) nothing(prefix string) {
	x.g.row(prefix+"operate", "First month of operation", "", whole, false, always("0"), "")
	x.g.row(prefix+"last", "Last month", "", whole, false, always(fmt.Sprint(x.f.Years*12-1)), "")
	x.rest(prefix)
}

// rest writes the lines that a part does not have as nothing, so that sums can name all.
func (x *option) rest(prefix string) {
	for _, k := range append(append([]string(nil), operating...), "warrants", "tenant_interest", "building", "machines", "sale", "resale", "prepaid", "tenant_capex", "mwh") {
		if _, there := x.g.rows[prefix+k]; !there {
			x.row(prefix+k, title(k), "0")
		}
	}
}

// title names a flow's line to people.
func title(key string) string {
	return strings.ToUpper(key[:1]) + strings.ReplaceAll(key[1:], "_", " ")
}

// built is a project that is being written: where its figures stand.
type built struct {
	critical, cost, share, land, pue, build string
}

// conversion are the figures of the hall's conversion.
func (x *option) conversion() built {
	h, b := x.h, x.b
	capex, from, source := spread(h.Capex)
	build, fromBuild, sourceBuild := spread(h.Build)
	return built{
		critical: b.power(named("hall", h.ID, "critical"), "Critical load of hall "+h.ID, h.Critical),
		cost:     b.input(named("hall", h.ID, "capex"), "Conversion of hall "+h.ID, "$/MW", capex, dollars, from, source),
		build:    b.input(named("hall", h.ID, "build"), "Time to convert "+h.ID, "months", build, whole, fromBuild, sourceBuild),
		share:    "[" + x.mine.name + "!share]", land: "0", pue: "[World!pue]",
	}
}

func spread[T ~float64 | ~int](s *figure.Spread[T]) (v float64, from, source string) {
	if s == nil {
		return 0, "", ""
	}
	return float64(s.P50), string(s.From), s.Source
}

// times writes the marks in time and the cost of building; end is the last month.
func (x *option) times(p built, waits bool, end string) {
	g, last := x.g, x.f.Years*12-1
	g.head("Building")
	x.g.row("begin", "First month of building", "", whole, false, always(x.start), "")
	x.g.row("built", "First month built", "", whole, false, always("[begin]+"+p.build), "")
	operate := "[built]"
	if waits && x.f.Site.Status != "energised" && x.f.Site.Energised != 0 {
		comes := float64(int(x.f.Site.Energised - x.f.Start))
		if x.f.Site.Chance != nil && x.f.Site.Chance.Is < 0.5 {
			comes = float64(last + 1)
		}
		operate = "MAX([built]," + x.b.input("in_energised", "Month in which the grid's power comes", "month", comes, whole, "", "") + ")"
	}
	g.row("operate", "First month of operation", "", whole, false, always("MIN("+operate+fmt.Sprintf(",%d)", last+1)), "")
	g.row("last", "Last month", "", whole, false, always(end), "")
	g.row("k", "Month of operation", "", whole, false, always("[World!t]-[operate]"), "")
	tenths := x.draw()
	part := func(at string) string {
		u := fmt.Sprintf("MAX(0,MIN(1,(%s-[begin])/MAX(1,[built]-[begin])))*10", at)
		return fmt.Sprintf("(INDEX(%[1]s,1,INT(%[2]s)+1)+(%[2]s-INT(%[2]s))*INDEX(%[3]s,1,MIN(10,INT(%[2]s)+1)))", tenths.upTo, u, tenths.each)
	}
	g.row("drawn", "Share of the cost built", "", plain, false, always(fmt.Sprintf(
		"IF([built]<=[begin],IF([World!t]=[begin],1,0),%s-%s)", part("([World!t]+1)"), part("[World!t]"))), "by the draw curve")
	g.row("then", "A dollar of the start, when building begins", "$", plain, false, always("(1+in_inflation)^INT([begin]/12)"), "")
	g.row("cost0", "Cost of building, in dollars of the start", "$", dollars, false, always(p.critical+"*"+p.cost), "")
	x.row("building", "Building and connection", fmt.Sprintf("-[cost0]*[then]*[drawn]-IF([World!t]=[begin],%s*[then],0)", p.land))
}

// curve is where a draw curve stands: tenths, and what is drawn before each.
type curve struct{ each, upTo string }

// draw writes the financing's draw curve once.
func (x *option) draw() curve {
	fin := x.f.Financing(x.o.Financing)
	tenth, label := venture.Draw(fin), "usual"
	if fin != nil && len(fin.Draw) == 10 {
		label = fin.ID
	}
	name := "Draw_" + notName.ReplaceAllString(label, "_")
	out := curve{each: "'" + name + "'!$B$2:$K$2", upTo: "'" + name + "'!$B$3:$L$3"}
	if x.b.names[name] {
		return out
	}
	x.b.names[name] = true
	file := x.b.file
	_, err := file.NewSheet(name)
	x.b.keep(err)
	for i, v := range []string{"Tenth of the time of building", "Share of the cost", "Drawn before"} {
		x.b.keep(file.SetCellStr(name, cell(1, i+1), v))
	}
	for i := range 11 {
		if i < 10 {
			x.b.keep(file.SetCellInt(name, cell(i+2, 1), int64(i+1)))
			x.b.keep(file.SetCellFloat(name, cell(i+2, 2), tenth[i], -1, 64))
		}
		sum := "0"
		if i > 0 {
			sum = cell(i+1, 3) + "+" + cell(i+1, 2)
		}
		x.b.keep(file.SetCellFormula(name, cell(i+2, 3), sum))
	}
	x.b.keep(file.SetColWidth(name, "A", "A", 32))
	return out
}

// greenfield writes a site built elsewhere.
func (x *option) greenfield(n *input.Greenfield) {
	capex, from, source := spread(n.Capex)
	build, fromBuild, sourceBuild := spread(n.Build)
	b := x.b
	p := built{
		critical: b.power(named(n.ID, "critical"), "Critical load of "+n.ID, n.Critical),
		cost:     b.input(named(n.ID, "capex"), "Cost of "+n.ID, "$/MW", capex, dollars, from, source),
		build:    b.input(named(n.ID, "build"), "Time to build "+n.ID, "months", build, whole, fromBuild, sourceBuild),
		land:     b.money(named(n.ID, "land"), "Land of "+n.ID, "$", n.Land), share: "0", pue: "[World!pue]",
	}
	if n.PUE != nil {
		p.pue = b.number(named(n.ID, "pue"), "PUE of "+n.ID, "", n.PUE)
	}
	l := *x.f.Lease(n.Lease)
	if n.Exit != nil {
		l.Exit = n.Exit
	}
	x.host(&l, p)
}

// sell writes what remains of a hall from its closing on.
func (x *option) sell(closing string) {
	s := x.sale()
	x.g.head("The sale")
	x.g.row("operate", "Closing", "", whole, false, always(fmt.Sprintf("MIN(%s,%d)", closing, x.f.Years*12)), "")
	last := fmt.Sprint(x.f.Years*12 - 1)
	if s.Of == "site" {
		price, from, source := spread(s.Price)
		per := x.b.input(named(s.ID, "price"), "Price of a site: "+s.ID, "$/MW", price, dollars, from, source)
		costs := x.b.ratio(named(s.ID, "costs"), "Costs of the sale: "+s.ID, s.Costs)
		mw := x.b.power(named("hall", x.h.ID, "mw"), "Power of hall "+x.h.ID, x.h.Power)
		x.row("sale", "Sale", fmt.Sprintf("IF([World!t]=[operate],%s*%s*(1-%s),0)", mw, per, costs))
		last = "MIN([operate]," + last + ")"
	} else {
		x.row("blocks", "Fixed-price power against the market", "IF([World!t]>=[operate],[World!blocks]*["+x.mine.name+"!share],0)")
	}
	x.g.row("begin", "First month", "", whole, false, always("[operate]"), "")
	x.g.row("last", "Last month", "", whole, false, always(last), "")
	x.rest("")
}
