package schedulecmd

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/unit"
)

// The drawing's measures, in pixels.
const (
	width, left, right = 1080.0, 64.0, 16.0
	powerHigh, gapHigh = 300.0, 34.0
	priceHigh          = 180.0
	top, bottom        = 12.0, 28.0
	height             = top + powerHigh + gapHigh + priceHigh + bottom
	priceTop           = top + powerHigh + gapHigh
	clipAbove          = 4.0 // times the usual price: beyond it the axis ends, and a figure says how high
)

// palette are the loads' colours, told apart also by those who see no red or no green.
var palette = []string{"#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377", "#bbbbbb", "#004488", "#ddaa33", "#997700", "#44bb99", "#77aadd"}

// sheet is what the page's template is filled with.
type sheet struct {
	Title, Span, Verdict string
	Facts                []string
	Notes                []string
	SVG                  template.HTML // made here of numbers and escaped names only
	Legend               []legend
	Heads                []string
	Rows                 [][]string
}

type legend struct {
	Name   string
	Colour template.CSS
}

// page writes a self-contained page: a drawing and the table.
func page(w io.Writer, a *answer) error {
	t, err := template.New("plan").Parse(pageText)
	if err != nil {
		return err
	}
	s := sheet{Title: a.Site, Verdict: a.verdict(), Notes: a.Notes}
	if len(a.Steps) > 0 {
		last := a.Steps[len(a.Steps)-1]
		s.Span = fmt.Sprintf("%s to %s, %s", a.Steps[0].Start.In(a.zone).Format("Mon 2006-01-02 15:04"), last.Start.Add(seconds(last.LengthS)).In(a.zone).Format("Mon 2006-01-02 15:04"), a.Timezone)
		d := newDrawing(a)
		s.SVG = template.HTML(d.svg()) //nolint:gosec // numbers and escaped names only
		for i, l := range d.stacked {
			s.Legend = append(s.Legend, legend{l.Name + ", " + l.Kind, template.CSS(d.colour(i))})
		}
		s.Heads = []string{"step", "for", "$/MWh", "+ peak", "worth", "site"}
		for _, c := range a.columns(0) {
			s.Heads = append(s.Heads, c.name)
		}
		for i, x := range a.Steps {
			row := []string{a.clock(x.Start), length(x.LengthS), price(x.PriceUSD), price(x.CoincidentUSD), price(x.MarginalUSD), watts(x.SiteW)}
			for _, c := range a.columns(0) {
				row = append(row, watts(c.of(i)))
			}
			s.Rows = append(s.Rows, row)
		}
	}
	s.Facts = a.bitcoin()
	return t.Execute(w, s)
}

// drawing is the plan on a sheet: power by load above, prices below, one axis of time.
type drawing struct {
	a         *answer
	b         strings.Builder
	begin     time.Time
	hours     float64
	stacked   []api.LoadPlanView
	highMW    float64
	low, high float64 // of the price axis
}

func newDrawing(a *answer) *drawing {
	d := &drawing{a: a, begin: a.Steps[0].Start}
	last := a.Steps[len(a.Steps)-1]
	d.hours = last.Start.Sub(d.begin).Hours() + last.LengthS/3600
	for _, kind := range []string{"tenant", "work", "group"} {
		for _, l := range a.Loads {
			if l.Kind == kind {
				d.stacked = append(d.stacked, l)
			}
		}
	}
	for i, s := range a.Steps {
		sum := 0.0
		for _, l := range d.stacked {
			sum += value(at(l.PowerW, i)) / 1e6
		}
		d.highMW = max(d.highMW, sum, value(s.SiteW)/1e6)
	}
	d.highMW = roundUp(max(d.highMW, 1e-6))
	d.priceAxis()
	return d
}

// priceAxis ends at a few times the usual price: one spike must not flatten the day.
func (d *drawing) priceAxis() {
	var usual, n float64
	d.low, d.high = 0, 1
	for _, s := range d.a.Steps {
		for _, v := range []*float64{s.PriceUSD, s.MarginalUSD} {
			d.low, d.high = min(d.low, value(v)), max(d.high, value(v))
			usual, n = usual+math.Abs(value(v)), n+1
		}
	}
	d.high = roundUp(min(d.high, max(clipAbove*usual/n, 10)))
	if d.low < 0 {
		d.low = -roundUp(min(-d.low, d.high))
	}
}

// roundUp returns the next 1, 2 or 5 times a power of ten, in steps of a half of it.
func roundUp(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, k := range []float64{1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10} {
		if v <= k*p*(1+1e-9) {
			return k * p
		}
	}
	return 10 * p
}

func (d *drawing) colour(i int) string { return palette[i%len(palette)] }

func (d *drawing) x(t time.Time) float64 {
	return left + (width-left-right)*t.Sub(d.begin).Hours()/d.hours
}

func (d *drawing) yPower(mw float64) float64 { return top + powerHigh*(1-mw/d.highMW) }

func (d *drawing) yPrice(v float64) float64 {
	v = min(max(v, d.low), d.high)
	return priceTop + priceHigh*(1-(v-d.low)/(d.high-d.low))
}

func (d *drawing) put(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n", args...) }

// svg draws it all.
func (d *drawing) svg() string {
	d.put(`<svg viewBox="0 0 %.0f %.0f" role="img" aria-label="Power by load and price over time">`, width, height)
	d.grid()
	d.areas()
	d.caps()
	d.line("price", "currentColor", "", func(s api.StepView) *float64 { return s.PriceUSD })
	d.line("worth of one more MWh", "#cc3311", "5 3", func(s api.StepView) *float64 { return s.MarginalUSD })
	d.hovers()
	d.put(`</svg>`)
	return d.b.String()
}

func (d *drawing) grid() {
	for k := range 5 {
		share := float64(k) / 4
		y, p := top+powerHigh*(1-share), priceTop+priceHigh*(1-share)
		d.put(`<path class="grid" d="M%.1f %.1fH%.1f"/><text class="axis" x="%.1f" y="%.1f" text-anchor="end">%s</text>`, left, y, width-right, left-6, y+4, unit.Watts(d.highMW*share*1e6).Short())
		d.put(`<path class="grid" d="M%.1f %.1fH%.1f"/><text class="axis" x="%.1f" y="%.1f" text-anchor="end">%s $</text>`, left, p, width-right, left-6, p+4, unit.DollarsPerMWh(d.low+(d.high-d.low)*share).Short())
	}
	y, m, day := d.begin.In(d.a.zone).Date()
	for h := 0; ; h += 3 { // by the clock, also over a change of it
		t := time.Date(y, m, day, h, 0, 0, 0, d.a.zone)
		if t.Sub(d.begin).Hours() > d.hours {
			return
		}
		if t.Before(d.begin) {
			continue
		}
		text := t.Format("15:04")
		if t.Hour() < 3 {
			text = t.Format("Mon 15:04")
		}
		d.put(`<path class="grid" d="M%.1f %.1fV%.1f"/><text class="axis" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, d.x(t), top, priceTop+priceHigh, d.x(t), height-8, text)
	}
}

// areas stacks the loads, each step as wide as it lasts.
func (d *drawing) areas() {
	base := make([]float64, len(d.a.Steps))
	for i, l := range d.stacked {
		var up, down strings.Builder
		for k, s := range d.a.Steps {
			from, to := d.x(s.Start), d.x(s.Start.Add(seconds(s.LengthS)))
			high := base[k] + max(value(at(l.PowerW, k)), 0)/1e6
			fmt.Fprintf(&up, "L%.1f %.1fL%.1f %.1f", from, d.yPower(high), to, d.yPower(high))
			base[k] = high
		}
		for k := len(d.a.Steps) - 1; k >= 0; k-- {
			s := d.a.Steps[k]
			from, to := d.x(s.Start), d.x(s.Start.Add(seconds(s.LengthS)))
			low := base[k] - max(value(at(l.PowerW, k)), 0)/1e6
			fmt.Fprintf(&down, "L%.1f %.1fL%.1f %.1f", to, d.yPower(low), from, d.yPower(low))
		}
		d.put(`<path class="area" fill="%s" d="M%s%sZ"><title>%s</title></path>`, d.colour(i), strings.TrimPrefix(up.String(), "L"), down.String(), template.HTMLEscapeString(l.Name))
	}
}

// caps draws what the connection may carry, where that is on the sheet.
func (d *drawing) caps() {
	for _, s := range d.a.Steps {
		if s.CapW != nil && *s.CapW/1e6 <= d.highMW {
			d.put(`<path class="cap" d="M%.1f %.1fH%.1f"/>`, d.x(s.Start), d.yPower(*s.CapW/1e6), d.x(s.Start.Add(seconds(s.LengthS))))
		}
	}
}

// line draws a price as steps; what is beyond the axis is cut and told in figures.
func (d *drawing) line(name, colour, dash string, of func(api.StepView) *float64) {
	var path strings.Builder
	pen := "M"
	highest, at := math.Inf(-1), 0.0
	for _, s := range d.a.Steps {
		v := of(s)
		if v == nil {
			pen = "M"
			continue
		}
		from, to := d.x(s.Start), d.x(s.Start.Add(seconds(s.LengthS)))
		fmt.Fprintf(&path, "%s%.1f %.1fH%.1f", pen, from, d.yPrice(*v), to)
		pen = "L"
		if *v > highest {
			highest, at = *v, (from+to)/2
		}
	}
	d.put(`<path class="line" stroke="%s" stroke-dasharray="%s" d="%s"><title>%s, $/MWh</title></path>`, colour, dash, path.String(), name)
	if highest > d.high {
		d.put(`<text class="axis" x="%.1f" y="%.1f" text-anchor="middle" fill="%s">%s $</text>`, at, priceTop-4, colour, unit.DollarsPerMWh(highest).Short())
	}
}

// hovers lays an invisible bar over each step that tells its figures.
func (d *drawing) hovers() {
	for k, s := range d.a.Steps {
		var text strings.Builder
		fmt.Fprintf(&text, "%s for %s\nprice %s $/MWh", d.a.clock(s.Start), length(s.LengthS), price(s.PriceUSD))
		if s.CoincidentUSD != nil && *s.CoincidentUSD >= 0.005 {
			fmt.Fprintf(&text, ", + %s for the chance of a peak", price(s.CoincidentUSD))
		}
		fmt.Fprintf(&text, "\none more MWh is worth %s $\nsite %s", price(s.MarginalUSD), watts(s.SiteW))
		for _, l := range d.stacked {
			fmt.Fprintf(&text, "\n%s %s", l.Name, watts(at(l.PowerW, k)))
		}
		for _, r := range d.a.Reserves {
			fmt.Fprintf(&text, "\nheld for %s %s", r.Name, watts(at(r.HeldW, k)))
		}
		x := d.x(s.Start)
		d.put(`<rect class="hover" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`, x, top, d.x(s.Start.Add(seconds(s.LengthS)))-x, priceTop+priceHigh-top, template.HTMLEscapeString(text.String()))
	}
}

const pageText = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}: the hours ahead</title>
<style>
:root { color-scheme: light dark; }
body { font: 14px/1.45 system-ui, sans-serif; margin: 24px auto; max-width: 1120px; padding: 0 16px; }
h1 { font-size: 20px; margin: 0; }
p { margin: 4px 0; }
svg { display: block; height: auto; margin-top: 12px; width: 100%; }
.grid { fill: none; stroke: currentColor; stroke-opacity: .15; }
.axis { fill: currentColor; font-size: 11px; }
.area { fill-opacity: .85; }
.cap { fill: none; stroke: #cc3311; stroke-width: 1.5; }
.line { fill: none; stroke-width: 1.8; }
.hover { fill: transparent; }
.hover:hover { fill: currentColor; fill-opacity: .08; }
.legend span { display: inline-block; margin-right: 16px; }
.legend i { display: inline-block; height: 10px; margin-right: 6px; width: 10px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin-top: 16px; }
td, th { padding: 1px 10px 1px 0; text-align: right; white-space: nowrap; }
td:first-child, th:first-child { text-align: left; }
.wide { overflow-x: auto; }
</style>
</head>
<body>
<h1>{{.Title}}: the hours ahead</h1>
<p>{{.Span}}</p>
<p>{{.Verdict}}</p>
{{range .Facts}}<p>{{.}}</p>
{{end}}{{range .Notes}}<p>Note: {{.}}</p>
{{end}}{{.SVG}}
<p class="legend">{{range .Legend}}<span><i style="background:{{.Colour}}"></i>{{.Name}}</span>{{end}}
<span><i style="background:currentColor"></i>price</span><span><i style="background:#cc3311"></i>what one more MWh is worth (dashed), limit</span></p>
<div class="wide"><table>
<tr>{{range .Heads}}<th>{{.}}</th>{{end}}</tr>
{{range .Rows}}<tr>{{range .}}<td>{{.}}</td>{{end}}</tr>
{{end}}</table></div>
</body>
</html>
`
