package page

import (
	"fmt"
	"html/template"
	"math"

	"switchyard/study"
)

// ceiling is the highest debt service cover that the chart tells apart.
const ceiling = 4.0

// debt draws the balance of all loans by month, and below it on the same months how often the cash
// flow covers the debt service.
func debt(w float64, m study.Monthly, covenant float64) template.HTML {
	c := newCanvas(w, 400, "Debt and its cover", "Above, columns of debt owed by month. Below, the site's debt service cover ratio of the twelve months to each, before tax and after it, with the covenant where the study knows one.")
	n := len(m.Labels)
	size := (c.x1 - c.x0) / math.Max(float64(n), 1)
	x := func(k float64) float64 { return c.x0 + k*size }
	c.y0, c.y1 = 24, 210
	a := c.span()
	a.take(0)
	a.take(m.Debt...)
	a.fit()
	c.text("group", 2, 13, "start", "Debt owed")
	c.scale(a, 5, short)
	for k, v := range m.Debt {
		if k < n && v > 0 && finite(v) {
			c.rect("owed", x(float64(k)), a.at(v), math.Max(size-0.6, 0.8), a.at(0)-a.at(v), fmt.Sprintf("%s: %s owed", m.Labels[k], money(v)))
		}
	}
	c.text("group", 2, 240, "start", "The site's DSCR of the twelve months to each")
	c.y0, c.y1 = 252, 374
	c.cover(m, covenant, x)
	c.januaries(m.Labels, x)
	return c.done()
}

// cover draws the ratios as lines that break where there is no service.
func (c *canvas) cover(m study.Monthly, covenant float64, x func(float64) float64) {
	a := c.span()
	a.take(0, 1.5, covenant)
	for _, v := range m.DSCR {
		if v != nil {
			a.take(math.Min(*v, ceiling))
		}
	}
	for _, v := range m.Taxed {
		if v != nil {
			a.take(math.Min(*v, ceiling))
		}
	}
	a.fit()
	c.scale(a, 5, func(v float64) string { return group(v, 1) })
	c.course(a, m.Labels, m.Taxed, covenant, "expected", "after tax", x)
	c.course(a, m.Labels, m.DSCR, covenant, "curve", "before tax", x)
	if covenant > 0 {
		c.line("limit", c.x0, a.at(covenant), c.x1, a.at(covenant))
		c.text("label", c.x1-2, a.at(covenant)-5, "end", "covenant "+ratio(covenant))
	}
}

// course draws one of the ratios; what is below the covenant is dotted.
func (c *canvas) course(a axis, months []string, dscr []*float64, covenant float64, class, name string, x func(float64) float64) {
	var run []point
	end := func() {
		if len(run) == 1 {
			run = append(run, point{run[0].x + 3, run[0].y})
		}
		c.shape("polyline", class, run, "")
		run = nil
	}
	for k, v := range dscr {
		if v == nil || !finite(*v) || k >= len(months) {
			end()
			continue
		}
		p := point{x(float64(k) + 0.5), a.at(*v)}
		run = append(run, p)
		if *v < covenant {
			c.dot("breach", p.x, p.y, 3, fmt.Sprintf("%s: %s %s, below the covenant", months[k], ratio(*v), name))
		} else {
			c.rect("ghost", x(float64(k)), c.y0, x(1)-x(0), c.y1-c.y0, fmt.Sprintf("%s: %s %s", months[k], ratio(*v), name))
		}
	}
	end()
}

// januaries names the years under months.
func (c *canvas) januaries(months []string, x func(float64) float64) {
	free := 0.0
	for k, m := range months {
		at, ok := monthOf(m)
		if !ok || at%12 != 0 && k > 0 {
			continue
		}
		here := x(float64(k))
		c.line("grid", here, c.y1, here, c.y1+4)
		if here >= free && here < c.x1-24 {
			name, width := fmt.Sprint(at.Year()), 36.0
			if at%12 != 0 { // the study begins within a year
				name, width = m, 54
			}
			c.text("tick", here, c.y1+16, "start", name)
			free = here + width
		}
	}
}

// tornado draws the inputs by how far they move the portfolio's value, the widest first.
func tornado(w float64, bars []study.Bar, base float64) template.HTML {
	row, names := 34.0, 250.0
	if w < half {
		row, names = 58, 0
	}
	c := newCanvas(w, 34+float64(len(bars))*row+8, "What moves the value", "Tornado: for each input a bar from the portfolio's value with the input low to that with it high, about the expected case.")
	c.x0, c.y0 = names+124, 28
	c.x1 = w - 118
	if w < half {
		c.x0, c.x1 = 6, w-6
	}
	base = number(base)
	a := axis{lo: base, hi: base, top: -c.x1, end: -c.x0}
	for _, b := range bars {
		a.take(b.NPVLow, b.NPVHigh)
	}
	a.fit()
	x := func(v float64) float64 { return -a.at(v) }
	for _, v := range a.marks(max(4, int((c.x1-c.x0)/90))) {
		c.line("grid", x(v), c.y0-6, x(v), c.h-6)
		c.text("tick", x(v), c.y0-10, "middle", short(v))
	}
	for k, b := range bars {
		y := c.y0 + float64(k)*row
		tip := fmt.Sprintf("%s (%s): at %s worth %s, at %s worth %s", b.Input, b.Basis, b.Low, money(b.NPVLow), b.High, money(b.NPVHigh))
		top := y + 5
		if w < half {
			c.text("tick strong", 2, y+12, "start", cut(b.Input, w-8))
			c.text("tick faint", 2, y+26, "start", cut(b.Low+" to "+b.High, w-8))
			top, b.Low, b.High = y+31, "", ""
		} else {
			c.text("tick strong", names+4, y+14, "end", cut(b.Input, names))
			c.text("tick faint", names+4, y+27, "end", cut(b.Basis, names))
		}
		c.swing(x(base), x(b.NPVLow), top, "swing low", b.Low, b.NPVLow >= b.NPVHigh, tip)
		c.swing(x(base), x(b.NPVHigh), top, "swing high", b.High, b.NPVHigh > b.NPVLow, tip)
	}
	c.line("zero", x(base), c.y0-6, x(base), c.h-6)
	return c.done()
}

// swing draws one side of a bar and writes what the input was set to at its outer end.
func (c *canvas) swing(base, at, y float64, class, name string, right bool, tip string) {
	c.rect(class, math.Min(base, at), y, math.Max(math.Abs(at-base), 1), 18, tip)
	if name == "" { // it stands elsewhere
		return
	}
	if right {
		c.text("tick", math.Max(at, base)+5, y+13, "start", cut(name, c.w-math.Max(at, base)-5))
		return
	}
	c.text("tick", math.Min(at, base)-5, y+13, "end", cut(name, math.Min(at, base)-5))
}
