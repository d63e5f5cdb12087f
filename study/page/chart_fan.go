package page

import (
	"fmt"
	"html/template"
	"math"

	"switchyard/study"
)

// look is how a fan is drawn.
type look struct {
	title, desc string
	high        float64
	log         bool
	print       func(float64) string // a figure, in its unit
	tick        func(float64) string // on the axis
	start       string               // of the first year
	marks       []string             // months to mark, the halvings
	expected    []float64            // of the expected case by year; may be short
	hold        []float64            // values that the axis must hold, to share it with another fan
}

// fan draws a spread by year: nine futures of ten within the pale band's edges from P10 to P90, half
// of them within the dark one.
func fan(w float64, fs []study.Fan, l look) template.HTML {
	c := newCanvas(w, l.high, l.title, l.desc)
	a := c.span()
	a.log = l.log
	for _, f := range fs {
		a.take(f.P10, f.P90)
	}
	if !l.log {
		a.take(0)
	}
	a.take(l.expected...)
	a.take(l.hold...)
	a.fit()
	c.scale(a, 6, l.tick)
	size := (c.x1 - c.x0) / math.Max(float64(len(fs)), 1)
	x := func(k float64) float64 { return c.x0 + k*size }
	var halvings []string
	for _, m := range l.marks {
		if at, ok := since(l.start, m); ok && at >= 0 && at < 12*len(fs) {
			halvings = append(halvings, m)
			c.line("halving", x(float64(at)/12), c.y0, x(float64(at)/12), c.y1)
		}
	}
	c.bands(a, fs, x)
	for _, m := range halvings { // over the bands, or they would hide it
		at, _ := since(l.start, m)
		c.text("tick", x(float64(at)/12)+3, c.y1-4, "start", m)
	}
	names := make([]string, len(fs))
	for k, f := range fs {
		names[k] = f.Label
		tip := fmt.Sprintf("%s: P10 %s, median %s, P90 %s", f.Label, l.print(f.P10), l.print(f.P50), l.print(f.P90))
		c.rect("ghost", x(float64(k)), c.y0, size, c.y1-c.y0, tip)
	}
	var dots []point
	for k, v := range l.expected {
		if k < len(fs) && finite(v) {
			dots = append(dots, point{x(float64(k) + 0.5), a.at(v)})
		}
	}
	c.shape("polyline", "expected", dots, "")
	c.labels(names, x)
	return c.done()
}

// bands draws a fan's two bands and its median, year by year; a lone year is drawn as wide as it is.
func (c *canvas) bands(a axis, fs []study.Fan, x func(float64) float64) {
	column := func(of func(study.Fan) float64) (out []point) {
		for k, f := range fs {
			y := a.at(of(f))
			if len(fs) == 1 {
				return []point{{x(0.1), y}, {x(0.9), y}}
			}
			out = append(out, point{x(float64(k) + 0.5), y})
		}
		return out
	}
	between := func(class string, low, high func(study.Fan) float64) {
		edge := column(high)
		back := column(low)
		for k := len(back) - 1; k >= 0; k-- {
			edge = append(edge, back[k])
		}
		c.shape("polygon", class, edge, "")
	}
	between("band", func(f study.Fan) float64 { return f.P10 }, func(f study.Fan) float64 { return f.P90 })
	between("core", func(f study.Fan) float64 { return f.P25 }, func(f study.Fan) float64 { return f.P75 })
	c.shape("polyline", "median", column(func(f study.Fan) float64 { return f.P50 }), "")
}

// histogram draws how many paths end in which net present value.
func histogram(w float64, p study.Portfolio) template.HTML {
	c := newCanvas(w, 280, "Net present value over all futures", "Histogram of the portfolio's net present value, with its mean, P10, P90 and the mean of mining on marked.")
	c.x0 = 14
	c.y0 = 62
	most, total := 1, 0
	flat := axis{lo: math.Inf(1), hi: math.Inf(-1), top: -c.x1, end: -c.x0}
	flat.take(p.MiningOn.Mean)
	for _, b := range p.Histogram {
		flat.take(b.From, b.To)
		most, total = max(most, b.Paths), total+b.Paths
	}
	flat.fit()
	x := func(v float64) float64 { return -flat.at(v) }
	for _, v := range flat.marks(int(w / 85)) {
		c.line("grid", x(v), c.y0, x(v), c.y1)
		c.text("tick", math.Min(math.Max(x(v), 20), w-20), c.y1+16, "middle", short(v))
	}
	for _, b := range p.Histogram {
		class := "bin"
		if b.To <= 0 {
			class = "bin loss"
		}
		high := float64(b.Paths) / float64(most) * (c.y1 - c.y0 - 2)
		c.rect(class, x(b.From)+0.5, c.y1-high, x(b.To)-x(b.From)-1, high,
			fmt.Sprintf("%s to %s: %s of %s futures", money(b.From), money(b.To), group(float64(b.Paths), 0), group(float64(total), 0)))
	}
	if flat.lo < 0 && flat.hi > 0 {
		c.line("zero", x(0), c.y0, x(0), c.y1)
	}
	for k, m := range []struct {
		name, class string
		v           float64
	}{{"mining on", "pin other", p.MiningOn.Mean}, {"P10", "pin", p.NPV.P10}, {"mean", "pin strong", p.NPV.Mean}, {"P90", "pin", p.NPV.P90}} {
		y := 12 + float64(k)*14
		c.line(m.class, x(m.v), y+2, x(m.v), c.y1)
		anchor, shift := "start", 4.0
		if x(m.v) > w*0.62 {
			anchor, shift = "end", -4
		}
		c.text("label", x(m.v)+shift, y+8, anchor, m.name+" "+money(m.v))
	}
	return c.done()
}

// strip draws a spread as one bar on a scale that all rows of a table share.
func strip(d study.Dist, lo, hi float64, chosen bool) template.HTML {
	c := &canvas{w: 120, h: 18}
	fmt.Fprintf(c, `<svg class="strip" viewBox="0 0 120 18" role="img" aria-label="%s">`, escape(fmt.Sprintf("from %s to %s, mean %s", money(d.P10), money(d.P90), money(d.Mean))))
	a := axis{lo: lo, hi: hi, top: -116, end: -4}
	a.fit()
	x := func(v float64) float64 { return -a.at(v) }
	c.line("rail", 4, 9, 116, 9)
	if lo < 0 && hi > 0 {
		c.line("zero", x(0), 0, x(0), 18)
	}
	class := "reach"
	if chosen {
		class = "reach chosen"
	}
	c.rect(class, x(d.P10), 5, math.Max(x(d.P90)-x(d.P10), 2), 8, "")
	c.dot("mean", x(d.Mean), 9, 3.5, "")
	return c.done()
}
