package page

import (
	"fmt"
	"html/template"
	"math"
	"slices"

	"switchyard/study"
)

// series are the colours of options in a chart, by the order in which they come.
const series = 6

// exercised are the options that a policy takes at some date, in the order in which they come.
func exercised(f study.Flexible) (out []string) {
	for _, d := range f.Dates {
		names := make([]string, 0, len(d.Share)+1)
		for name, share := range d.Share {
			if share > 0 {
				names = append(names, name)
			}
		}
		if d.Boundary != nil && d.Option != "" {
			names = append(names, d.Option)
		}
		slices.Sort(names)
		for _, n := range names {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

func colour(options []string, name string) string {
	return fmt.Sprintf("e%d", max(slices.Index(options, name), 0)%series)
}

// waiting draws the hashprice at which a hall is converted, over the dates of decision, before the
// fan of what hashprice may be; and below it in how many futures each date is the one.
func waiting(w float64, f study.Flexible, r *study.Report) template.HTML {
	c := newCanvas(w, 380, "When to convert "+f.Hall, "Above, the hashprice at which the policy acts at each date, over the fan of hashprice from P10 to P90. Below, columns of the share of futures that act at each date, by option.")
	months := float64(max(r.Months, 12))
	x := func(month float64) float64 { return c.x0 + month/months*(c.x1-c.x0) }
	c.y0, c.y1 = 24, 240
	a := c.span()
	a.log = true
	for _, s := range r.World.Hashprice {
		a.take(s.P10, s.P90)
	}
	for _, d := range f.Dates {
		a.take(d.Median)
		if d.Boundary != nil {
			a.take(*d.Boundary)
		}
	}
	a.fit()
	a.lo, a.hi = rounded(a.lo/1.05, -1), rounded(a.hi*1.15, 1) // marks stay within what the axis names
	c.text("group", 2, 13, "start", "Hashprice, $/PH/day")
	c.scale(a, 6, plain)
	if n := len(r.World.Hashprice); n > 0 {
		c.bands(a, r.World.Hashprice, func(k float64) float64 { return x(k * 12) })
	}
	options := exercised(f)
	c.boundary(a, f, options, r.Start, x)
	c.text("group", 2, 266, "start", "Share of futures that act then")
	c.y0, c.y1 = 278, 354
	c.shares(f, options, r.Start, x)
	c.yearLabels(r, x)
	return c.done()
}

// rounded is the next of 1, 2, 3 and 5 times a power of ten at or beyond a value: upwards, or downwards where way is
// below zero.
func rounded(v float64, way int) float64 {
	ten := math.Pow(10, math.Floor(math.Log10(v)))
	steps := []float64{1, 2, 3, 5, 10}
	if way < 0 {
		slices.Reverse(steps)
	}
	for _, s := range steps {
		if x := s * ten; way > 0 && x >= v || way < 0 && x <= v {
			return x
		}
	}
	return v
}

// boundary marks the hashprice of each date: a triangle that points to where the option is taken.
func (c *canvas) boundary(a axis, f study.Flexible, options []string, start string, x func(float64) float64) {
	var run []point
	last := ""
	for _, d := range f.Dates {
		at, ok := since(start, d.Month)
		if !ok || d.Boundary == nil || !finite(*d.Boundary) {
			c.shape("polyline", "edge", run, "")
			run, last = nil, ""
			continue
		}
		if d.Option != last {
			c.shape("polyline", "edge", run, "")
			run, last = nil, d.Option
		}
		p := point{x(float64(at)), a.at(*d.Boundary)}
		run = append(run, p)
		side, tip := 6.0, "below"
		if d.Above {
			side, tip = -6, "above"
		}
		c.shape("polygon", "mark "+colour(options, d.Option), []point{{p.x - 6, p.y - side}, {p.x + 6, p.y - side}, {p.x, p.y + side}},
			fmt.Sprintf("%s: %s %s %s $/PH/day; the median is %s", d.Month, d.Option, tip, group(*d.Boundary, 2), group(d.Median, 2)))
	}
	c.shape("polyline", "edge", run, "")
}

// shares draws in how many futures each date is the one, by option.
func (c *canvas) shares(f study.Flexible, options []string, start string, x func(float64) float64) {
	a := c.span()
	a.take(0, 0.01)
	for _, d := range f.Dates {
		sum := 0.0
		for _, o := range options {
			sum += number(d.Share[o])
		}
		a.take(sum)
	}
	a.fit()
	c.scale(a, 3, func(v float64) string { return trim1(v*100) + " %" })
	thin := 16.0
	if n := len(f.Dates); n > 1 {
		thin = math.Min(thin, (c.x1-c.x0)/float64(n)*0.3)
	}
	for _, d := range f.Dates {
		at, ok := since(start, d.Month)
		if !ok {
			continue
		}
		sum := 0.0
		for _, o := range options {
			v := number(d.Share[o])
			if v > 0 {
				left := math.Min(math.Max(x(float64(at))-thin/2, c.x0), c.x1-thin)
				c.rect("seg "+colour(options, o), left, a.at(sum+v), thin, a.at(sum)-a.at(sum+v), fmt.Sprintf("%s, %s: %s of futures", d.Month, o, chance(v)))
				sum += v
			}
		}
	}
}

// yearLabels names the years of the study under its months.
func (c *canvas) yearLabels(r *study.Report, x func(float64) float64) {
	names := make([]string, len(r.World.Hashprice))
	for k, s := range r.World.Hashprice {
		names[k] = s.Label
	}
	c.labels(names, func(k float64) float64 { return x(k * 12) })
}

// deals draws rents on one line by kind of lease, as only those of one kind compare.
func deals(w float64, rows []dealRow) template.HTML {
	kinds := []string{}
	a := axis{lo: 0, hi: 1}
	for _, d := range rows {
		if d.compares() {
			a.take(d.Rate)
			if !slices.Contains(kinds, d.Kind) {
				kinds = append(kinds, d.Kind)
			}
		}
	}
	const row = 34.0
	c := newCanvas(w, 12+float64(len(kinds))*row+26, "Rents by kind of lease", "A dot for each public deal and a diamond for each lease of this study, by rent in $ per kW of critical load and month.")
	c.x0, c.y1 = 96, c.h-26
	a.top, a.end = -c.x1, -c.x0
	a.hi *= 1.05
	x := func(v float64) float64 { return -a.at(v) }
	for _, v := range a.marks(int(w / 90)) {
		c.line("grid", x(v), 6, x(v), c.y1)
		c.text("tick", x(v), c.y1+16, "middle", plain(v))
	}
	for k, kind := range kinds {
		y := 12 + (float64(k)+0.5)*row
		c.text("tick strong", c.x0-8, y+4, "end", cut(kind, c.x0-12))
		c.line("rail", c.x0, y, c.x1, y)
		for _, d := range rows {
			if d.Kind != kind || !d.compares() {
				continue
			}
			tip := fmt.Sprintf("%s: %s $/kW-month", d.Name, group(d.Rate, 1))
			if d.Ours {
				p := x(d.Rate)
				c.shape("polygon", "ours", []point{{p - 7, y}, {p, y - 7}, {p + 7, y}, {p, y + 7}}, tip)
			} else {
				c.dot("deal", x(d.Rate), y, 5, tip)
			}
		}
	}
	return c.done()
}
