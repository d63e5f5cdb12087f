package page

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"switchyard/backtest"
)

// The size of a chart, in the drawing's own units, and what its axes take.
const (
	wide, high           = 1040.0, 280.0
	left, right, up, low = 64.0, 16.0, 14.0, 30.0
)

// canvas is a drawing that grows.
type canvas struct {
	strings.Builder
	high float64
}

func newCanvas(h float64, title string) *canvas {
	c := &canvas{high: h}
	fmt.Fprintf(c, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, wide, h, template.HTMLEscapeString(title))
	return c
}

func (c *canvas) done() template.HTML {
	c.WriteString("</svg>")
	return template.HTML(c.String()) //nolint:gosec // made of numbers and of text that is escaped above
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(c, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, x1, y1, x2, y2)
}

func (c *canvas) text(class string, x, y float64, anchor, s string) {
	fmt.Fprintf(c, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, class, x, y, anchor, template.HTMLEscapeString(s))
}

func (c *canvas) rect(class string, x, y, w, h float64, tip string) {
	fmt.Fprintf(c, `<rect class="%s" x="%.2f" y="%.2f" width="%.2f" height="%.2f">`, class, x, y, w, math.Max(h, 0))
	if tip != "" {
		fmt.Fprintf(c, `<title>%s</title>`, template.HTMLEscapeString(tip))
	}
	c.WriteString("</rect>")
}

// axis maps values to heights and draws its marks.
type axis struct {
	lo, hi   float64
	top, end float64
}

func (a axis) y(v float64) float64 { return a.end - (v-a.lo)/(a.hi-a.lo)*(a.end-a.top) }

// marks are round values over the axis, four to eight of them.
func (a axis) marks() (out []float64) {
	step := math.Pow(10, math.Floor(math.Log10(math.Max(a.hi-a.lo, 1e-9))))
	for _, f := range []float64{0.2, 0.5, 1, 2, 5} {
		if (a.hi-a.lo)/(step*f) <= 6 {
			step *= f
			break
		}
	}
	for v := math.Ceil(a.lo/step) * step; v <= a.hi+step/1e6; v += step {
		out = append(out, v)
	}
	return out
}

func (c *canvas) axis(a axis, print func(float64) string) {
	for _, v := range a.marks() {
		class := "grid"
		if math.Abs(v) < (a.hi-a.lo)/1e6 {
			class, v = "zero", 0
		}
		c.line(class, left, a.y(v), wide-right, a.y(v))
		c.text("tick", left-8, a.y(v)+4, "end", print(v))
	}
}

// dollars prints an amount shortly: "$1.2M", "-$340".
func dollars(v float64) string {
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	switch {
	case v >= 999_500:
		return fmt.Sprintf("%s$%.3gM", sign, v/1e6)
	case v >= 9_995:
		return fmt.Sprintf("%s$%.3gk", sign, v/1e3)
	}
	return fmt.Sprintf("%s$%.0f", sign, v)
}

// months marks where months begin along the days, with as many names as have room.
func (c *canvas) months(days []time.Time, x func(day int) float64, y float64) {
	last, free := "", 0.0
	for d, t := range days {
		m := t.Format("2006-01")
		if m == last {
			continue
		}
		last = m
		c.line("grid", x(d), y-4, x(d), y)
		end := d // a month that has hardly begun gives its room to the next
		for end < len(days) && days[end].Format("2006-01") == m {
			end++
		}
		if end == len(days) || x(end)-x(d) > 12 {
			name, size := t.Format("Jan"), 34.0
			if t.Month() == time.January || free == 0 {
				name, size = t.Format("Jan 06"), 52.0
			}
			if x(d) >= free && x(d) < wide-right-size/2 {
				c.text("tick", x(d)+2, y+14, "start", name)
				free = x(d) + size
			}
		}
	}
}

// duration draws how many hours of the run prices stood at least so high. Its scale bends: a
// logarithm beyond 20 $/MWh either way, so that spikes and the common run both show.
func duration(r *backtest.Report) template.HTML {
	prices := r.Charts.Prices
	bend := func(v float64) float64 { return math.Asinh(v / 20) }
	c := newCanvas(high, "Price duration curve")
	a := axis{lo: bend(math.Min(prices[len(prices)-1], 0)) - 0.1, hi: bend(prices[0]) + 0.15, top: up, end: high - low}
	for _, v := range []float64{-1000, -300, -100, -30, 0, 30, 100, 300, 1000, 3000, 10_000} {
		if b := bend(v); b >= a.lo && b <= a.hi {
			class := "grid"
			if v == 0 {
				class = "zero"
			}
			c.line(class, left, a.y(b), wide-right, a.y(b))
			c.text("tick", left-8, a.y(b)+4, "end", fmt.Sprintf("%g", v))
		}
	}
	// The share of time has a root scale, as the points have.
	x := func(share float64) float64 { return left + math.Sqrt(share)*(wide-left-right) }
	for _, s := range []float64{0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1} {
		c.line("grid", x(s), up, x(s), high-low)
		c.text("tick", x(s), high-low+16, "middle", fmt.Sprintf("%g %%", s*100))
	}
	b := r.Charts.Breakeven
	c.rect("breakeven", left, a.y(bend(b[1])), wide-left-right, math.Max(a.y(bend(b[0]))-a.y(bend(b[1])), 1.5),
		fmt.Sprintf("hashing is worth %.0f to %.0f $/MWh", b[0], b[1]))
	var path strings.Builder
	for k, p := range prices {
		share := float64(k) / float64(len(prices))
		if len(prices) >= 1200 {
			share *= share
		}
		fmt.Fprintf(&path, "%.1f,%.1f ", x(share), a.y(bend(p)))
	}
	fmt.Fprintf(c, `<polyline class="curve" points="%s"/>`, path.String())
	c.text("label", wide-right-6, a.y(bend(b[1]))-6, "end", fmt.Sprintf("hashing is worth %s", between(b)))
	return c.done()
}

func between(b [2]float64) string {
	if math.Round(b[0]) == math.Round(b[1]) {
		return fmt.Sprintf("%.0f $/MWh", b[0])
	}
	return fmt.Sprintf("%.0f to %.0f $/MWh", b[0], b[1])
}

// shades are the steps of the calendar's colour.
const shades = 4

// calendar draws, hour by day, how much of the machines' energy was not drawn.
func calendar(r *backtest.Report, resting []float32, zone *time.Location) template.HTML {
	const top, rows = 8.0, 24
	h := top + rows*8 + low
	c := newCanvas(h, "Curtailed hours by day and hour")
	days := r.Charts.Days
	size := (wide - left - right) / float64(len(days))
	x := func(d int) float64 { return left + float64(d)*size }
	cells := make([][rows]int8, len(days))
	index := map[string]int{}
	for d, t := range days {
		index[t.Format(time.DateOnly)] = d
	}
	for k, v := range resting {
		t := r.From.Add(time.Duration(k) * time.Hour).In(zone)
		if d, ok := index[t.Format(time.DateOnly)]; ok && v > 0.01 {
			cells[d][t.Hour()] = int8(math.Min(shades, 1+math.Floor(float64(v)*shades)))
		}
	}
	c.rect("calm", left, top, wide-left-right, rows*8, "")
	for d := range cells {
		for hour := 0; hour < rows; { // runs of equal shade are one rectangle
			from, s := hour, cells[d][hour]
			for hour < rows && cells[d][hour] == s {
				hour++
			}
			if s > 0 {
				c.rect(fmt.Sprintf("s%d", s), x(d), top+float64(from)*8, size+0.15, float64(hour-from)*8, "")
			}
		}
	}
	for hour := 0; hour < rows; hour += 6 {
		c.text("tick", left-8, top+float64(hour)*8+8, "end", fmt.Sprintf("%02d:00", hour))
	}
	c.months(days, x, top+rows*8+4)
	return c.done()
}

// bars draws a value by day, as columns from zero.
func bars(days []time.Time, values []float64, class, title string) template.HTML {
	c := newCanvas(high, title)
	a := axis{top: up, end: high - low}
	for _, v := range values {
		a.lo, a.hi = math.Min(a.lo, v), math.Max(a.hi, v)
	}
	if a.hi-a.lo < 1 {
		a.hi = a.lo + 1
	}
	c.axis(a, dollars)
	size := (wide - left - right) / float64(len(days))
	for d, v := range values {
		if math.Abs(v) < (a.hi-a.lo)/2000 {
			continue
		}
		y := math.Min(a.y(v), a.y(0))
		c.rect(class, left+float64(d)*size, y, math.Max(size-0.3, 0.6), math.Abs(a.y(v)-a.y(0)), days[d].Format("2 Jan 2006")+": "+dollars(v))
	}
	c.months(days, func(d int) float64 { return left + float64(d)*size }, high-low+2)
	return c.done()
}

// source is one part of a profit.
type source struct {
	Class, Name string
	of          func(backtest.Split) float64
}

// sources are what a profit is made of: earned first, then spent.
func sources() []source {
	return []source{
		{"mining", "mining", func(s backtest.Split) float64 { return s.Revenue }},
		{"reserve", "reserves", func(s backtest.Split) float64 { return s.Reserve }},
		{"hosting", "hosting", func(s backtest.Split) float64 { return s.Hosting }},
		{"energy", "energy", func(s backtest.Split) float64 { return -s.Energy }},
		{"wear", "wear", func(s backtest.Split) float64 { return -s.Wear }},
		{"charges", "peak charges", func(s backtest.Split) float64 { return -s.Coincident - s.Demand }},
		{"penalty", "penalties", func(s backtest.Split) float64 { return -s.Penalty }},
	}
}

// earnings draws each month's sources stacked, what was spent below zero, and the profit as a dot.
func earnings(months []backtest.Month) template.HTML {
	c := newCanvas(high, "Earnings by source")
	a := axis{top: up, end: high - low}
	for _, m := range months {
		gain, loss := 0.0, 0.0
		for _, s := range sources() {
			v := s.of(m.Breakdown)
			gain, loss = gain+math.Max(v, 0), loss+math.Min(v, 0)
		}
		a.lo, a.hi = math.Min(a.lo, loss), math.Max(a.hi, gain)
	}
	if a.hi-a.lo < 1 {
		a.hi = a.lo + 1
	}
	c.axis(a, dollars)
	size := (wide - left - right) / float64(len(months))
	thin := math.Min(size*0.7, 54)
	for k, m := range months {
		x := left + (float64(k)+0.5)*size
		gain, loss := 0.0, 0.0
		for _, s := range sources() {
			switch v := s.of(m.Breakdown); {
			case v > 0:
				c.rect(s.Class, x-thin/2, a.y(gain+v), thin, a.y(gain)-a.y(gain+v), m.Month+", "+s.Name+": "+dollars(v))
				gain += v
			case v < 0:
				c.rect(s.Class, x-thin/2, a.y(loss), thin, a.y(loss+v)-a.y(loss), m.Month+", "+s.Name+": "+dollars(v))
				loss += v
			}
		}
		fmt.Fprintf(c, `<circle class="profit" cx="%.1f" cy="%.1f" r="4"><title>%s, profit: %s</title></circle>`, x, a.y(m.Profit), m.Month, dollars(m.Profit))
		if every := 1 + len(months)/18; k%every == 0 {
			t, _ := time.Parse("2006-01", m.Month) // written so by the report
			c.text("tick", x, high-low+16, "middle", t.Format("Jan 06"))
		}
	}
	return c.done()
}
