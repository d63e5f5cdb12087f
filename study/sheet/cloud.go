package sheet

import (
	"fmt"

	"switchyard/study/input"
)

// cloud writes GPUs of our own.
func (x *option) cloud(c *input.Cloud, p built) {
	g, of, n := x.g, x.b.figures(clouds, c.ID), x.b.months
	x.construct(p)
	g.scalar("last", "Last month", "month", whole, fmt.Sprintf("MIN(%d,MIN([over*]))", n-1), "")
	each := of.power("per_gpu", "critical load of a GPU", c.PerGPU)
	price, from, source := figureOf(c.Capex)
	cost := of.add("capex", "a GPU with its share of servers", "$", float64(price), dollars, from, source)
	hour, from, source := figureOf(c.Rate)
	rate := of.add("rate", "an hour of one", "$/GPU-hour", float64(hour), plain, from, source)
	decay, use := of.ratio("decay", "prices fall a year", c.Decay), of.ratio("use", "of all hours that are sold", c.Use)
	life, salvage := of.duration("life", "life", c.Life), of.ratio("salvage", "salvage, of what they cost", c.Salvage)
	exit := of.number("exit", "exit multiple of EBITDA", "x", c.Exit)
	renew := of.add("renew", "bought again at the end of life, 1: yes", "", float64(map[bool]int{true: 1}[c.Renew]), whole, "", "")
	most := of.add("gpus", "GPUs at most, 0: as many as the hall carries", "", float64(c.GPUs), whole, "", "")
	fits := "INT(" + p.critical + "/" + each + "+0.000000001)"
	row := func(key, label, unit string, s style, template, how string) {
		g.row(key, label, unit, s, false, always(template), how)
	}
	g.head("The GPUs")
	g.scalar("gpus", "GPUs", "", whole, fmt.Sprintf("IF(%[1]s>0,MIN(%[1]s,%[2]s),%[2]s)", most, fits), "whole ones")
	row("fall", "Prices have fallen to", "x", plain, "(1-"+decay+")^([World!t]/12)", "")
	row("lapses", "End of life", "", whole, "IF([k]>0,IF(MOD([k],MAX(1,"+life+"))=0,1,0),0)", "")
	row("again", "… after which one would buy again", "", whole, fmt.Sprintf("IF(AND([lapses]=1,%s=1,OR(%s>0,2*(%d-[World!t])>=%s)),1,0)", renew, exit, n, life), "not for less than half a life")
	row("alive", "In operation", "", whole, "IF([k]<0,0,IF([k]=0,1,IF([lapses]=1,[again]*[alive<],[alive<])))", "")
	row("over", "Over", "month", whole, "IF(AND([lapses]=1,[alive<]=1,[alive]=0),[World!t],9999)", "when the last are sold")
	row("buys", "Buys", "", whole, fmt.Sprintf("IF([operate$0]<%d,IF(OR([World!t]=MAX([begin$0],[operate$0]-1),AND([again]=1,[alive<]=1)),1,0),0)", n), "")
	x.row("machines", "-[buys]*[gpus$0]*"+cost+"*[fall]")
	x.row("resale", "IF(AND([lapses]=1,[alive<]=1),[paid<]*"+salvage+",0)")
	row("paid", "What those in place cost", "$", dollars, "IF([buys]=1,-[machines],[paid<])", "")
	x.row("cloud", "[alive]*[gpus$0]*"+rate+"*"+use+"*[World!hours]*[fall]")
	x.row("service", "-[cloud]*"+of.ratio("opex", "staff, software, sales, of revenue", c.Opex))
	row("used", "Critical load in use", "MW", plain, "[alive]*[gpus$0]*"+each, "")
	g.row("ahead", "Paid ahead by the customer", "$", dollars, true, always("IF([k]=0,[paid]*"+of.ratio("prepaid", "of what they cost, prepaid by the customer", c.Prepaid)+",0)"), "")
	g.row("ahead_credit", "… credited", "$", dollars, true, always("MIN([cloud]*"+of.ratio("credit_cap", "of revenue that credits may take", c.CreditCap)+",[ahead_left<]+[ahead])"), "")
	row("ahead_left", "… left", "$", dollars, "[ahead_left<]+[ahead]-[ahead_credit]", "")
	x.row("prepaid", "[ahead]-[ahead_credit]")
	x.running(p, of, "[alive]=1", c.Load, c.Upkeep, c.Property)
	x.exit(exit)
}
