package page

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// The widths of a chart in the drawing's own units: for a screen or paper, for half of that, and for
// a telephone. Text keeps its size, so each width is a drawing of its own.
const wide, half, narrow = 1080.0, 520.0, 350.0

// canvas is a drawing that grows; charts lie between x0 and x1, y0 (top) and y1.
type canvas struct {
	strings.Builder
	w, h, x0, x1, y0, y1 float64
}

// newCanvas begins a drawing with its name and what it shows, for those who cannot see it.
func newCanvas(w, h float64, title, desc string) *canvas {
	c := &canvas{w: w, h: h, x0: 62, x1: w - 12, y0: 12, y1: h - 26}
	if w < half {
		c.x0 = 56
	}
	fmt.Fprintf(c, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s"><desc>%s</desc>`, w, h, escape(title), escape(desc))
	return c
}

func escape(s string) string { return template.HTMLEscapeString(s) }

func (c *canvas) done() template.HTML {
	c.WriteString("</svg>")
	return template.HTML(c.String()) //nolint:gosec // made of numbers and of text that is escaped where it is written
}

// both draws for a wide and for a narrow screen; the style sheet shows one.
func both(draw func(w float64) template.HTML) template.HTML {
	return `<div class="wide">` + draw(wide) + `</div><div class="narrow">` + draw(narrow) + `</div>`
}

// pair is both for charts that stand two in a row.
func pair(draw func(w float64) template.HTML) template.HTML {
	return `<div class="wide">` + draw(half) + `</div><div class="narrow">` + draw(narrow) + `</div>`
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(c, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, x1, y1, x2, y2)
}

func (c *canvas) text(class string, x, y float64, anchor, s string) {
	fmt.Fprintf(c, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, class, x, y, anchor, escape(s))
}

func (c *canvas) rect(class string, x, y, w, h float64, tip string) {
	fmt.Fprintf(c, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"`, class, x, y, math.Max(w, 0), math.Max(h, 0))
	c.tip("rect", tip)
}

func (c *canvas) dot(class string, x, y, r float64, tip string) {
	fmt.Fprintf(c, `<circle class="%s" cx="%.1f" cy="%.1f" r="%.1f"`, class, x, y, r)
	c.tip("circle", tip)
}

// shape draws a polygon or a polyline.
func (c *canvas) shape(kind, class string, points []point, tip string) {
	if len(points) == 0 {
		return
	}
	fmt.Fprintf(c, `<%s class="%s" points="`, kind, class)
	for k, p := range points {
		if k > 0 {
			c.WriteByte(' ')
		}
		fmt.Fprintf(c, "%.1f,%.1f", p.x, p.y)
	}
	c.WriteByte('"')
	c.tip(kind, tip)
}

func (c *canvas) tip(kind, tip string) {
	if tip == "" {
		c.WriteString("/>")
		return
	}
	fmt.Fprintf(c, `><title>%s</title></%s>`, escape(tip), kind)
}

type point struct{ x, y float64 }

// cut shortens a name to about so many units of width, as there is no measuring of text here.
func cut(s string, width float64) string {
	most := int(math.Max(number(width)/6.2, 3))
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// axis maps values to heights, evenly or by the logarithm.
type axis struct {
	lo, hi, top, end float64
	log              bool
}

// take widens the axis to hold a value.
func (a *axis) take(values ...float64) {
	for _, v := range values {
		if finite(v) && (!a.log || v > 1e-9) {
			a.lo, a.hi = math.Min(a.lo, v), math.Max(a.hi, v)
		}
	}
}

// span returns an axis over the height of the canvas that holds nothing yet; take and then fit it.
func (c *canvas) span() axis { return axis{lo: math.Inf(1), hi: math.Inf(-1), top: c.y0, end: c.y1} }

// fit gives an axis that holds little or nothing some room.
func (a *axis) fit() {
	switch {
	case !finite(a.lo) || !finite(a.hi) || a.lo > a.hi:
		a.lo, a.hi = 0, 1
		if a.log {
			a.lo = 0.1
		}
	case a.log && a.hi < a.lo*1.5:
		a.lo, a.hi = a.lo/2, a.hi*2
	case !a.log && a.hi-a.lo < 1e-6*(1+math.Abs(a.hi)):
		a.hi = a.lo + math.Max(1, math.Abs(a.lo)/1e3)
	}
}

// at is where a value lies; what is off the axis lies on its edge.
func (a axis) at(v float64) float64 {
	if !finite(v) {
		v = a.lo
	}
	v = math.Max(a.lo, math.Min(a.hi, v))
	if a.log {
		return a.end - math.Log(v/a.lo)/math.Log(a.hi/a.lo)*(a.end-a.top)
	}
	return a.end - (v-a.lo)/(a.hi-a.lo)*(a.end-a.top)
}

// marks are round values over the axis, at most so many.
func (a axis) marks(most int) (out []float64) {
	if a.log {
		return a.decades(most)
	}
	step := math.Pow(10, math.Floor(math.Log10((a.hi-a.lo)/float64(most))))
	for _, f := range []float64{1, 2, 5, 10} {
		if (a.hi-a.lo)/(step*f) <= float64(most) {
			step *= f
			break
		}
	}
	for k := math.Ceil(a.lo/step - 1e-9); k*step <= a.hi+step*1e-6; k++ {
		out = append(out, k*step)
	}
	return out
}

func (a axis) decades(most int) (out []float64) {
	for _, steps := range [][]float64{{1, 2, 3, 5}, {1, 2, 5}, {1, 3}, {1}} {
		out = out[:0]
		for d := math.Floor(math.Log10(a.lo)); d <= math.Log10(a.hi); d++ {
			for _, s := range steps {
				if v := s * math.Pow(10, d); v >= a.lo*0.999 && v <= a.hi*1.001 {
					out = append(out, v)
				}
			}
		}
		if len(out) <= most {
			break
		}
	}
	return out
}

// scale draws an axis' marks across the chart.
func (c *canvas) scale(a axis, most int, print func(float64) string) {
	for _, v := range a.marks(most) {
		class := "grid"
		if v == 0 {
			class = "zero"
		}
		c.line(class, c.x0, a.at(v), c.x1, a.at(v))
		c.text("tick", c.x0-6, a.at(v)+4, "end", print(v))
	}
}

// labels writes names under evenly spaced columns, as many as have room.
func (c *canvas) labels(names []string, x func(k float64) float64) {
	longest := 0
	for _, n := range names {
		longest = max(longest, len([]rune(n)))
	}
	room := float64(longest)*7 + 12
	every := 1
	if len(names) > 1 {
		every = max(1, int(math.Ceil(room/(x(1)-x(0)))))
	}
	for k := 0; k < len(names); k += every {
		c.text("tick", x(float64(k)+0.5), c.y1+16, "middle", names[k])
	}
}
