package sheet

import (
	"fmt"
	"strings"

	"switchyard/study/figure"
)

// curve writes the hourly prices, ascending by calendar month, and beside each month its running sum,
// so that a month's hours below a price are found by MATCH.
func (b *book) curve() {
	const name = "Prices"
	_, err := b.file.NewSheet(name)
	b.keep(err)
	for c := range 12 {
		prices := b.f.Curve[c]
		b.keep(b.file.SetCellStr(name, cell(2*c+1, 1), monthNames[c]+" $/MWh"))
		b.keep(b.file.SetCellStr(name, cell(2*c+2, 1), "Sum so far"))
		for i, p := range prices {
			b.keep(b.file.SetCellFloat(name, cell(2*c+1, i+2), p, -1, 64))
			sum := cell(2*c+1, i+2)
			if i > 0 {
				sum = cell(2*c+2, i+1) + "+" + sum
			}
			b.keep(b.file.SetCellFormula(name, cell(2*c+2, i+2), sum))
		}
	}
	b.keep(b.file.SetRowStyle(name, 1, 1, b.style[heading]))
	b.keep(b.file.SetColWidth(name, "A", "X", 13))
}

var monthNames = [12]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}

// prices and sums are the ranges of a study month's hours.
func (b *book) prices(t int) (prices, sums string, n int) {
	c := int(b.f.Start+figure.Month(t)) % 12
	n = len(b.f.Curve[c])
	return "Prices!" + fixed(2*c+1, 2) + ":" + fixed(2*c+1, n+1), "Prices!" + fixed(2*c+2, 2) + ":" + fixed(2*c+2, n+1), n
}

// below writes the rows of the share of a month's hours at or below an all-in price, and of the sum
// of their prices over all hours, as the hourly clearing has them. bid is a template of the price.
func (g *grid) below(key, label, bid string) {
	g.row(key+"_bid", label+": bid before level and adder", "$/MWh", plain, false, always("("+bid+"-[World!adder])/[World!level]"), "")
	count := func(limit string) func(t int) string {
		return func(t int) string {
			p, _, _ := g.book.prices(t)
			return fmt.Sprintf("IFERROR(MATCH(%s,%s,1),0)", limit, p)
		}
	}
	g.row(key+"_low", label+": hours at or below it", "count", whole, false, count("["+key+"_bid]"), "of the file's hours")
	g.row(key+"_high", label+": hours at or below it with the spike", "count", whole, false, count("["+key+"_bid]-[World!spike]/[World!level]"), "")
	g.row(key+"_share", label+": share of hours", "", plain, false, func(t int) string {
		_, _, n := g.book.prices(t)
		return fmt.Sprintf("IF(AND([World!spike]<>0,[%[1]s_low]/%[2]d>[World!calm]),MAX([World!calm],[%[1]s_high]/%[2]d),[%[1]s_low]/%[2]d)", key, n)
	}, "")
	g.row(key+"_sum", label+": mean price x share", "$/MWh", plain, false, func(t int) string {
		_, s, n := g.book.prices(t)
		upTo := func(k string) string { return fmt.Sprintf("IF(%s=0,0,INDEX(%s,MAX(1,%s)))/%d", k, s, k, n) }
		k := fmt.Sprintf("[%s_share]", key)
		plainSum := upTo("[" + key + "_low]")
		spiked := fmt.Sprintf("IF([%[1]s_high]/%[2]d>[World!calm],%[3]s+[World!spike]/[World!level]*(%[4]s-[World!calm]),[World!calmsum])", key, n, upTo("["+key+"_high]"), k)
		return fmt.Sprintf("[World!level]*IF(AND([World!spike]<>0,[%[1]s_low]/%[2]d>[World!calm]),%[3]s,%[4]s)+[World!adder]*%[5]s", key, n, spiked, plainSum, k)
	}, "")
}

func join(parts []string, with string) string {
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, with)
}
