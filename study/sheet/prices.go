package sheet

import (
	"fmt"

	"github.com/xuri/excelize/v2"
	"switchyard/study/sheet/ref"
)

const pricesSheet = "Prices"

var monthNames = [12]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}

// hourly writes the hourly prices, ascending by calendar month, and beside each month its running sum, so
// that a month's hours below a price are found by MATCH. A flat price is one row, twelve times an input.
func (b *book) hourly() {
	name := b.sheet(pricesSheet)
	flat := ""
	if p := b.f.Power; p.Flat != nil && p.Prices == "" {
		flat = b.figures(power, "").price("flat", "Hourly price, the same in all hours", p.Flat)
	}
	w, err := b.file.NewStreamWriter(name)
	if err != nil {
		b.keep(err)
		return
	}
	b.keep(w.SetColWidth(1, 24, 13))
	b.keep(w.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}))
	var head []any
	most := 0
	for c := range 12 {
		head = append(head, monthNames[c]+" $/MWh", "Sum so far")
		most = max(most, len(b.f.Curve[c]))
		if flat == "" {
			b.mark(name, 2*c+1, 2, b.f.Curve[c], true)
		}
	}
	b.keep(w.SetRow("A1", head, excelize.RowOpts{StyleID: b.style[heading]}))
	values := make([]any, 24)
	for i := range most {
		clear(values)
		for c, prices := range b.f.Curve {
			if i >= len(prices) {
				continue
			}
			price, sum := excelize.Cell{Value: prices[i], StyleID: b.style[inPlain]}, ref.Cell(2*c+1, i+2)
			if flat != "" {
				price = excelize.Cell{Formula: flat, StyleID: b.style[plain]}
			}
			if i > 0 {
				sum = ref.Cell(2*c+2, i+1) + "+" + sum
			}
			values[2*c], values[2*c+1] = price, excelize.Cell{Formula: sum, StyleID: b.style[plain]}
		}
		b.keep(w.SetRow(ref.Cell(1, i+2), values))
	}
	b.keep(w.Flush())
}

// hours are where a month's prices stand.
type hours struct {
	each, sums string
	n          int
}

// prices are those of a month of the study.
func (b *book) prices(t int) hours {
	c := b.calendar(t)
	n := len(b.f.Curve[c])
	column := func(k int) string { return pricesSheet + "!" + ref.Fixed(k, 2) + ":" + ref.Fixed(k, n+1) }
	return hours{column(2*c + 1), column(2*c + 2), n}
}

// upTo is the sum of the k cheapest, over the number of all.
func (h hours) upTo(k string) string {
	return fmt.Sprintf("IF(%[1]s=0,0,INDEX(%[2]s,MAX(1,%[1]s)))/%[3]d", k, h.sums, h.n)
}

func (h hours) mean() string { return fmt.Sprintf("INDEX(%s,%d)/%d", h.sums, h.n, h.n) }

// below writes the rows of the share of a month's hours at or below an all-in price, and of the sum
// of their prices over all hours, as the hourly clearing has them. bid is a template of the price.
func (g *grid) below(key, bid string) {
	const label = "Hours that pay"
	g.row(key+"_bid", label+": bid before level and adder", "$/MWh", plain, false, always("("+bid+"-[World!adder])/[World!level]"), "")
	count := func(limit string) func(t int) string {
		return func(t int) string { return fmt.Sprintf("IFERROR(MATCH(%s,%s,1),0)", limit, g.book.prices(t).each) }
	}
	g.row(key+"_low", label+": at or below it", "count", whole, false, count("["+key+"_bid]"), "of the hourly prices")
	g.row(key+"_high", label+": … with the spike", "count", whole, false, count("["+key+"_bid]-[World!spike]/[World!level]"), "")
	spiked := func(p hours) string { return fmt.Sprintf("AND([World!spike]<>0,[%s_low]/%d>[World!calm])", key, p.n) }
	g.row(key+"_share", label+": share of hours", "x", plain, false, func(t int) string {
		p := g.book.prices(t)
		return fmt.Sprintf("IF(%[3]s,MAX([World!calm],[%[1]s_high]/%[2]d),[%[1]s_low]/%[2]d)", key, p.n, spiked(p))
	}, "")
	g.row(key+"_sum", label+": mean price x share", "$/MWh", plain, false, func(t int) string {
		p, share := g.book.prices(t), fmt.Sprintf("[%s_share]", key)
		high := fmt.Sprintf("IF([%[1]s_high]/%[2]d>[World!calm],%[3]s+[World!spike]/[World!level]*(%[4]s-[World!calm]),[World!calmsum])",
			key, p.n, p.upTo("["+key+"_high]"), share)
		return fmt.Sprintf("[World!level]*IF(%s,%s,%s)+[World!adder]*%s", spiked(p), high, p.upTo("["+key+"_low]"), share)
	}, "")
}
