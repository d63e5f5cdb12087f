package sheet

import (
	"fmt"

	"switchyard/study/input"
)

// bitcoin writes the price of bitcoin and the difficulty that follows it, in the expected case.
func (b *book) bitcoin(g *grid) {
	in, of := &b.f.Bitcoin, b.figures(bitcoin, "")
	price := b.forward(of)
	fees := of.number("fees", "Fees of a block", "BTC", in.Fees)
	from, source := b.toldOf("bitcoin.height")
	height := of.add("height", "Height of the chain at the start", "blocks", float64(in.Height), whole, from, source)
	difficulty := of.number("difficulty", "Difficulty at the start", "", in.Difficulty)
	response := of.number("response", "Network's response to hashprice, a month", "x", in.Response)
	improvement := b.improvement()
	eff, from, source := figureOf(in.Efficiency)
	floorPower, floorEff := of.price("floor_power", "Network's power price", in.Floor), of.add("floor_j_th", "Network's least efficient machines", "J/TH", float64(eff), plain, from, source)
	coin := func(epoch string) string { return "INT(5000000000/2^" + epoch + ")/100000000" }
	row := func(key, label, unit string, template func(int) string, how string) {
		g.row(key, label, unit, plain, false, template, how)
	}
	g.head("Bitcoin")
	g.row("height", "Height", "blocks", whole, false, begins(height, "[height<]+6*[hours<]"), "a block in ten minutes")
	g.row("epoch", "Halvings before", "", whole, false, always("INT([height]/210000)"), "")
	g.row("first", "Blocks before the next halving", "blocks", whole, false, always("MIN(6*[hours],([epoch]+1)*210000-[height])"), "of the month's")
	row("reward", "A block pays", "BTC", always("([first]*"+coin("[epoch]")+"+(6*[hours]-[first])*"+coin("([epoch]+1)")+")/(6*[hours])+"+fees), "subsidy and fees")
	g.row("btc", "Price of bitcoin", "$", dollars, false, price, "the forward curve")
	row("worth", "Hashprice at difficulty 1", "$/PH/day", always("[btc]*[reward]*86400*10^15/2^32"), "")
	row("long", "Logarithm of the long-run hashprice", "", always("LN([worth$0]/"+difficulty+")+LN(1-"+improvement+")/12*[t]"), "it falls as machines improve")
	row("floor", "Logarithm of the breakeven", "", always(fmt.Sprintf(
		"IF(AND(%[1]s>0,%[2]s>0),MIN(LN([worth$0]/%[3]s),LN(0.024*%[1]s*%[2]s)),-1000)+(LN(1+in_inflation)/12+LN(1-%[4]s)/12)*[t]", floorEff, floorPower, difficulty, improvement)), "of the least efficient")
	row("reach", "Logarithm of the difficulty that machines could make", "", begins("LN("+difficulty+")", "[reach<]+"+response+"*[gap<]-LN(1-"+improvement+")/12"), "")
	row("running", "… of what runs", "", begins("[reach]", "MAX(MIN([reach],LN([worth])-[floor]),MIN([running<]-LN(2),[reach]))"), "at most half goes off in a month")
	row("gap", "Hashprice over its long-run level", "", always("LN([worth])-[running]-[long]"), "logarithms")
	row("difficulty", "Difficulty", "", begins(difficulty, "EXP([running])"), "")
	row("hashprice", "Hashprice", "$/PH/day", always("[worth]/[difficulty]"), "")
}

// improvement is how fast machines improve.
func (b *book) improvement() string {
	return b.figures(bitcoin, "").ratio("improvement", "Machines improve a year", b.f.Bitcoin.Improvement)
}

// forward is the expected price of each month.
func (b *book) forward(of figures) func(int) string {
	in := &b.f.Bitcoin
	type point struct {
		t    int
		name string
	}
	var points []point
	if in.Price != nil && !begun(b.f) {
		points = append(points, point{0, of.money("price", "Price at the start", "$", in.Price)})
	}
	for i, p := range in.Forward {
		name := of.add(fmt.Sprintf("forward%d", i+1), "Price expected in "+p.Month.String(), "$", float64(p.Price), dollars, "", "forward curve")
		points = append(points, point{int(p.Month - b.f.Start), name})
	}
	drift := of.ratio("drift", "Drift of the price a year", in.Drift)
	return func(t int) string {
		at := 0
		for at < len(points) && points[at].t <= t {
			at++
		}
		switch {
		case len(points) == 0:
			return "0"
		case at == 0:
			return fmt.Sprintf("%s*(1+%s)^(%d/12)", points[0].name, drift, t-points[0].t)
		case at == len(points):
			return fmt.Sprintf("%s*(1+%s)^(%d/12)", points[at-1].name, drift, t-points[at-1].t)
		}
		p, q := points[at-1], points[at]
		return fmt.Sprintf("%[1]s*(%[2]s/%[1]s)^(%[3]d/%[4]d)", p.name, q.name, t-p.t, q.t-p.t)
	}
}

// begun says that the forward curve itself tells the price at the start.
func begun(f *input.File) bool {
	return len(f.Bitcoin.Forward) > 0 && f.Bitcoin.Forward[0].Month <= f.Start
}
