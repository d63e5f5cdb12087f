package page

import (
	"fmt"
	"html/template"
	"math"
	"slices"

	"switchyard/study"
)

// cell is one start of one option in the timing map.
type cell struct {
	npv, over  float64
	best, done bool // the option's best start; what the portfolio does
}

// timing is what the map shows: for each option, each hall's starts.
type timing struct {
	months []string
	rows   []timingRow
	most   float64 // the largest difference from mining on, either way
}

type timingRow struct {
	option, hall string
	cells        map[string]cell
}

// timingOf gathers the map. Where a hall can mine on, a start is shown by what it is worth over
// that; else by what it is worth.
func timingOf(r *study.Report) timing {
	mining := map[string]float64{}
	for _, o := range r.Options {
		if o.Kind == "mine" {
			mining[o.Hall] = o.Expected
		}
	}
	var m timing
	for _, o := range r.Options {
		if o.Kind == "mine" || len(o.Timing) == 0 {
			continue
		}
		row, best := timingRow{o.Name, o.Hall, map[string]cell{}}, bestStart(o)
		for _, t := range o.Timing {
			if !finite(t.NPV) {
				continue
			}
			x := cell{npv: t.NPV, over: t.NPV - mining[o.Hall], best: t.Month == best}
			x.done = slices.ContainsFunc(r.Best, func(b study.Choice) bool { return b.Hall == o.Hall && b.Option == o.Name && b.Start == t.Month })
			row.cells[t.Month] = x
			m.most = math.Max(m.most, math.Abs(x.over))
			if !slices.Contains(m.months, t.Month) {
				m.months = append(m.months, t.Month)
			}
		}
		m.rows = append(m.rows, row)
	}
	slices.Sort(m.months)
	slices.SortStableFunc(m.rows, func(a, b timingRow) int { return m.first(a.option) - m.first(b.option) })
	return m
}

// first is where an option's name stands first, so that its halls come together.
func (m timing) first(option string) int {
	return slices.IndexFunc(m.rows, func(r timingRow) bool { return r.option == option })
}

// tint is the class of a cell: four steps either way of mining on.
func (m timing) tint(over float64) string {
	part := math.Abs(over) / math.Max(m.most, 1)
	step := int(math.Min(4, math.Ceil(part*4)))
	switch {
	case part < 0.02:
		return "t0"
	case over < 0:
		return fmt.Sprintf("tm%d", step)
	}
	return fmt.Sprintf("tp%d", step)
}

// both draws the map for a wide screen, and for a narrow one as wide as its figures need, to be scrolled.
func (m timing) both() template.HTML {
	w := max(narrow, 84+48*float64(len(m.months)))
	return `<div class="wide">` + m.draw(wide) + `</div>` +
		template.HTML(fmt.Sprintf(`<div class="narrow scroll"><div style="width:%.0fpx">`, w)) + m.draw(w) + `</div></div>` //nolint:gosec // a number
}

// draw draws the map; the row of an option's name stands above its halls.
func (m timing) draw(w float64) template.HTML {
	const row, head = 24.0, 24.0
	heads := 0
	for k, r := range m.rows {
		if k == 0 || m.rows[k-1].option != r.option {
			heads++
		}
	}
	h := 10 + float64(len(m.rows))*row + float64(heads)*head + 24
	c := newCanvas(w, h, "Conversion timing", "Heat map: for each option a row per hall and a column per month of decision, coloured by what that start is worth over mining on; blank where it cannot begin.")
	c.x0, c.y0 = 110, 6
	if w < wide {
		c.x0 = 72
	}
	size := (c.x1 - c.x0) / math.Max(float64(len(m.months)), 1)
	y := c.y0
	for k, r := range m.rows {
		if k == 0 || m.rows[k-1].option != r.option {
			c.text("group", 2, y+16, "start", cut(r.option, w-10))
			y += head
		}
		c.text("tick strong", c.x0-8, y+16, "end", cut(r.hall, c.x0-12))
		c.rect("blank", c.x0, y+1, c.x1-c.x0, row-2, "")
		for i, month := range m.months {
			if v, ok := r.cells[month]; ok {
				m.cell(c, r, month, v, c.x0+float64(i)*size, y, size, row)
			}
		}
		y += row
	}
	c.y1 = y
	c.labels(m.months, func(k float64) float64 { return c.x0 + k*size })
	return c.done()
}

func (m timing) cell(c *canvas, r timingRow, month string, v cell, x, y, size, row float64) {
	tint := m.tint(v.over)
	tip := fmt.Sprintf("%s, %s, decided %s: net present value %s, %s over mining on", r.hall, r.option, month, money(v.npv), money(v.over))
	c.rect("cell "+tint, x+0.5, y+1, size-1, row-2, tip)
	if v.best {
		c.rect("best", x+1.5, y+2, size-3, row-4, "")
	}
	if size > 46 {
		aside := 0.0
		if v.done { // beside the dot
			aside = 5
		}
		c.text("in-"+tint, x+size/2+aside, y+row/2+4, "middle", group(v.over/1e6, 1))
	}
	if v.done {
		c.dot("done", x+math.Min(9, size/2), y+row/2, math.Min(3.5, size/4), "")
	}
}

// shade is one step of the legend.
type shade struct{ Class, Name string }

func (m timing) legend() (out []shade) {
	for k := 4; k >= 1; k-- {
		out = append(out, shade{fmt.Sprintf("tm%d", k), ""})
	}
	out = append(out, shade{"t0", ""})
	for k := 1; k <= 4; k++ {
		out = append(out, shade{fmt.Sprintf("tp%d", k), ""})
	}
	out[0].Name, out[4].Name, out[8].Name = money(-m.most), "as mining on", money(m.most)
	return out
}
