package sheet

import (
	"fmt"
)

// bitcoin writes the price of bitcoin and the difficulty that follows it, in the expected case.
func (b *book) bitcoin(g *grid) {
	in := &b.f.Bitcoin
	fees := b.number("in_btc_fees", "Fees of a block", "BTC", in.Fees)
	height := b.input("in_btc_height", "Height of the block at the start", "", float64(in.Height), whole, "", "")
	difficulty := b.number("in_difficulty", "Difficulty at the start", "", in.Difficulty)
	response, improvement := b.number("in_response", "Network's response to hashprice, a month", "", in.Response), b.ratio("in_improvement", "Machines improve a year", in.Improvement)
	eff, from, source := figureOf(in.Efficiency)
	floorPower, floorEff := b.price("in_floor_power", "Network's power price", in.Floor), b.input("in_floor_j_th", "Network's least efficient machines", "J/TH", float64(eff), plain, from, source)
	g.head("Bitcoin")
	g.row("height", "Height", "blocks", whole, false, begins(height, "[height<]+6*[hours<]"), "a block in ten minutes")
	g.row("epoch", "Halvings before", "", whole, false, always("INT([height]/210000)"), "")
	g.row("first", "Blocks before the next halving", "", whole, false, always("MIN(6*[hours],([epoch]+1)*210000-[height])"), "")
	coin := func(epoch string) string { return "INT(5000000000/2^" + epoch + ")/100000000" }
	g.row("reward", "A block pays", "BTC", plain, false, always("([first]*"+coin("[epoch]")+"+(6*[hours]-[first])*"+coin("([epoch]+1)")+")/(6*[hours])+"+fees), "")
	g.row("btc", "Price of bitcoin", "$", dollars, false, b.forward(), "the forward curve")
	g.row("worth", "Hashprice at difficulty 1", "$/PH/day", plain, false, always("[btc]*[reward]*86400*10^15/2^32"), "")
	g.row("long", "Logarithm of the long-run hashprice", "", plain, false, always("LN([worth$0]/"+difficulty+")+LN(1-"+improvement+")/12*[t]"), "it falls as machines improve")
	g.row("floor", "Logarithm of the breakeven", "", plain, false, always(fmt.Sprintf(
		"IF(AND(%[1]s>0,%[2]s>0),MIN(LN([worth$0]/%[3]s),LN(0.024*%[1]s*%[2]s)),-1000)+(LN(1+in_inflation)/12+LN(1-%[4]s)/12)*[t]", floorEff, floorPower, difficulty, improvement)), "of the least efficient")
	g.row("reach", "Logarithm of the difficulty that machines could make", "", plain, false, begins("LN("+difficulty+")", "[reach<]+"+response+"*[gap<]-LN(1-"+improvement+")/12"), "")
	g.row("running", "… of what runs", "", plain, false, begins("[reach]", "MAX(MIN([reach],LN([worth])-[floor]),MIN([running<]-LN(2),[reach]))"), "")
	g.row("gap", "Hashprice over its long-run level", "", plain, false, always("LN([worth])-[running]-[long]"), "logarithms")
	g.row("difficulty", "Difficulty", "", plain, false, begins(difficulty, "EXP([running])"), "")
	g.row("hashprice", "Hashprice", "$/PH/day", plain, false, always("[worth]/[difficulty]"), "")
}

// forward is the expected price of each month.
func (b *book) forward() func(int) string {
	in := &b.f.Bitcoin
	drift := b.ratio("in_btc_drift", "Bitcoin's drift a year", in.Drift)
	type point struct {
		t    int
		name string
	}
	var points []point
	if in.Price != nil {
		points = append(points, point{0, b.money("in_btc_price", "Price of bitcoin at the start", "$", in.Price)})
	}
	for i, p := range in.Forward {
		t := int(p.Month - b.f.Start)
		if t <= 0 {
			points = nil
		}
		points = append(points, point{t, b.input(named("btc_forward", fmt.Sprint(i+1)), "Price of bitcoin in "+p.Month.String(), "$", float64(p.Price), dollars, "", "forward curve")})
	}
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
