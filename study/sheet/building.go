package sheet

import (
	"fmt"

	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/sheet/ref"
	"switchyard/study/venture"
)

// built says by names and templates what is built; share is of the site's fixed-price power, and
// empty without any; so land, and refit, what is taken off in operation for tenants after the first.
type built struct {
	critical, cost, build, share, land, pue string
	waits                                   bool // for the grid's power
	refit                                   string
}

// conversion are the figures of the hall's conversion.
func (x *option) conversion() built {
	h, of := x.h, x.b.figures(halls, x.h.ID)
	return built{
		critical: of.power("critical", "critical load once converted", h.Critical), cost: spread(of, "capex", "cost of converting", "$/MW", h.Capex, dollars),
		build: spread(of, "build", "time to convert", "months", h.Build, whole),
		share: "[" + x.mine.name + "!share$0]", pue: "[World!pue]", waits: true,
	}
}

// construct writes the marks in time and the cost of building.
func (x *option) construct(p built) {
	g, end := x.g, fmt.Sprint(x.b.months)
	g.head("Building")
	g.scalar("begin", "First month of building", "month", whole, x.start, "")
	g.scalar("built", "First month built", "month", whole, "[begin$0]+"+p.build, "")
	operate := "[built$0]"
	if s := &x.f.Site; p.waits && s.Status != "energised" && s.Energised != 0 {
		of := x.b.figures(site, "")
		comes := of.add("energised", "Month in which the grid's power comes, the study's first being 0", "month", float64(s.Energised-x.f.Start), whole, "", "")
		operate = fmt.Sprintf("IF(%s<0.5,%s,MAX([built$0],%s))", of.ratio("chance", "Chance that it comes", s.Chance), end, comes)
	}
	g.scalar("operate", "First month of operation", "month", whole, "MIN("+operate+","+end+")", "")
	g.row("k", "Month of operation", "", whole, false, always("[World!t]-[operate$0]"), "the first is 0")
	tenths := x.draw()
	part := func(t string) string {
		u := "MAX(0,MIN(1,(" + t + "-[begin$0])/MAX(1,[built$0]-[begin$0])))*10"
		return fmt.Sprintf("(INDEX(%[1]s,1,INT(%[2]s)+1)+(%[2]s-INT(%[2]s))*INDEX(%[3]s,1,MIN(10,INT(%[2]s)+1)))", tenths.sums, u, tenths.each)
	}
	g.row("drawn", "Share of the cost built", "x", plain, false, always(
		"IF([built$0]<=[begin$0],IF([World!t]=[begin$0],1,0),"+part("([World!t]+1)")+"-"+part("[World!t]")+")"), "by the draw curve")
	g.scalar("then", "A dollar of the start, when building begins", "$", plain, "(1+in_inflation)^INT([begin$0]/12)", "")
	g.scalar("cost", "Cost of building, in dollars of the start", "$", dollars, p.critical+"*"+p.cost, "")
	land := ""
	if p.land != "" {
		land = "-IF([World!t]=[begin$0]," + p.land + "*[then$0],0)"
	}
	x.row("building", "-[cost$0]*[then$0]*[drawn]"+land+p.refit)
	if p.share != "" {
		x.row("blocks", "IF([World!t]>=[begin$0],[World!blocks]*"+p.share+",0)")
	}
}

// table is where shares stand on a sheet of tables, and their running sums.
type table struct{ each, sums string }

// draw writes the financing's draw curve once.
func (x *option) draw() table {
	const name = "Draws"
	fin, label := x.f.Financing(x.o.Financing), "without a financing"
	if fin != nil {
		label = fin.ID
	}
	b := x.b
	if t, there := b.draws[label]; there {
		return t
	}
	if len(b.draws) == 0 {
		b.sheet(name)
		b.text(name, 1, 1, "Tenth of the time of building", heading)
		for i := range 11 {
			b.text(name, i+2, 1, fmt.Sprint(i+1), heading)
		}
		b.keep(b.file.SetColWidth(name, "A", "A", 40))
	}
	row := 2*len(b.draws) + 2
	tenth := venture.Draw(fin)
	b.text(name, 1, row, label+": share of the cost", words)
	b.text(name, 1, row+1, label+": drawn before", words)
	for i := range 11 {
		sum := "0"
		if i > 0 {
			sum = ref.Cell(i+1, row+1) + "+" + ref.Cell(i+1, row)
		}
		b.formula(name, i+2, row+1, sum, percent)
		if i < 10 {
			b.number(name, i+2, row, tenth[i], inPercent)
		}
	}
	b.mark(name, 2, row, tenth[:10], false)
	t := table{ref.On(name, ref.Fixed(2, row)+":"+ref.Fixed(11, row)), ref.On(name, ref.Fixed(2, row+1)+":"+ref.Fixed(12, row+1))}
	b.draws[label] = t
	return t
}

// running writes what a hall costs once it operates: a row used is the critical load in use, alive says
// by a template whether it is in operation.
func (x *option) running(p built, of figures, alive string, load input.Ratio, upkeep input.Rent, property input.Ratio) {
	g := x.g
	factor, keep, tax := of.ratio("load", "of the critical load drawn", load), of.rent("upkeep", "upkeep", upkeep), of.ratio("property", "property tax and insurance, of the cost", property)
	g.row("mw", "Draw, cooling included", "MW", plain, false, always("[used]*"+factor+"*"+p.pue), "")
	g.row("mwh", "Energy drawn", "MWh", plain, true, always("[mw]*[World!hours]"), "")
	energy := "-[World!hours]*[mw]*[World!mean]"
	if p.share != "" {
		g.row("freed", "Covered by fixed-price power", "MW", plain, false, always("MIN([World!covered]*"+p.share+",[mw])"), "")
		energy = "-[World!hours]*([freed]*[World!adder]+([mw]-[freed])*[World!mean])"
	}
	x.row("energy", energy)
	x.row("demand", "-[mw]*([World!demand]+[World!coincident])")
	x.row("upkeep", "-IF("+alive+","+p.critical+"*"+keep+"*1000*[World!dollar],0)")
	x.row("property", "-IF("+alive+",[cost$0]*"+tax+"/12*[World!dollar],0)")
}

// exit writes what the end of the study brings.
func (x *option) exit(multiple string) {
	n := x.b.months
	var year []string
	for l := range flow.Lines {
		if k := l.Key(); l.Operating() && x.g.has(k) {
			year = append(year, "SUM("+ref.Range(n-12, n-1, x.g.rows[k])+")")
		}
	}
	x.g.scalar("exit", "EBITDA of the last 12 months", "$", dollars, total(year), "")
	x.g.row("sale", lineName("sale"), "$", dollars, true, always(fmt.Sprintf("IF(AND([World!t]=%d,[operate$0]<%d),%s*MAX(0,[exit$0]),0)", n-1, n, multiple)), "multiple of the last EBITDA")
}
