package page

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"switchyard/study"
	"switchyard/study/input"
	"switchyard/study/said"
)

// comparison is what the page of several studies shows.
type comparison struct {
	Heads    []head
	Warnings []string
	Figures  []compared
	Halls    []compared
	Differ   []compared
	Same     int
	Fans     []chart
}

// head is one study of several.
type head struct{ Study, Name, Site, Do, File, Of, Hash, Version string }

// compared is one figure over all studies.
type compared struct {
	Name  string
	Cells []comparedCell
}

// comparedCell is a figure of one study; Mark is its origin's colour, where it is an input.
type comparedCell struct {
	Text, Mark string
	Draw       template.HTML
}

func compareOf(rs []*study.Report) comparison {
	v := comparison{Warnings: unlike(rs), Figures: figuresOf(rs), Halls: hallsOf(rs)}
	names := said.Names(rs)
	for k, r := range rs {
		v.Heads = append(v.Heads, head{r.Study, names[k], r.Site, whatToDo(r), commandOf(r.File), strings.TrimPrefix(r.File+", from "+r.Start, ", "), r.Hash, r.Version})
	}
	v.Differ, v.Same = differences(rs)
	v.Fans = fansOf(rs)
	return v
}

// unlike says what makes the studies hard to compare.
func unlike(rs []*study.Report) (out []string) {
	for _, c := range []struct {
		text string
		of   func(*study.Report) string
	}{
		{"They do not begin in the same month, so their present values are of different days", func(r *study.Report) string { return r.Start }},
		{"They are not of the same length", func(r *study.Report) string { return fmt.Sprintf("%d months", r.Months) }},
		{"Their discount rates differ", func(r *study.Report) string { return group(r.DiscountPct, 2) + " %" }},
		{"They drew different futures, so that part of the difference is chance", func(r *study.Report) string {
			return fmt.Sprintf("seed %d, %s paths", r.Seed, group(float64(r.Paths), 0))
		}},
		{"They were made by different versions", func(r *study.Report) string { return r.Version }},
	} {
		var is []string
		for _, r := range rs {
			if s := c.of(r); !slices.Contains(is, s) {
				is = append(is, s)
			}
		}
		if len(is) > 1 {
			out = append(out, c.text+": "+list(is)+".")
		}
	}
	return out
}

// figuresOf are the portfolios' figures, one row each.
func figuresOf(rs []*study.Report) []compared {
	rows := []struct {
		name string
		of   func(*study.Report) string
	}{
		{"net present value, mean", func(r *study.Report) string { return million(value(r, r.Portfolio.NPV, r.Portfolio.Expected)) }},
		{"P10", func(r *study.Report) string { return drawn(r, r.Portfolio.NPV.P10) }},
		{"P90", func(r *study.Report) string { return drawn(r, r.Portfolio.NPV.P90) }},
		{"standard error of the mean", func(r *study.Report) string { return drawn(r, r.Portfolio.NPV.Error) }},
		{"net present value, expected case", func(r *study.Report) string { return million(r.Portfolio.Expected) }},
		{"mining on everywhere, mean", func(r *study.Report) string { return million(r.Portfolio.MiningOn.Mean) }},
		{"over mining on", func(r *study.Report) string { return million(gain(r)) }},
		{"project IRR, expected case", func(r *study.Report) string { return rateText(r.Portfolio.ProjectIRR) }},
		{"equity IRR, expected case", func(r *study.Report) string { return rateText(r.Portfolio.EquityIRR) }},
		{"capex", func(r *study.Report) string { return million(abs(r.Portfolio.Capex)) }},
		{"debt", func(r *study.Report) string { return million(r.Portfolio.Debt) }},
		{"owners' money, at most", func(r *study.Report) string { return million(r.Portfolio.PeakEquity) }},
		{"lowest DSCR of the site, before tax", func(r *study.Report) string { return optional(r.Portfolio.MinDSCR, ratio) }},
		{"lowest DSCR of the site, after tax", func(r *study.Report) string { return optional(r.Portfolio.TaxedDSCR, ratio) }},
		{"what binds", func(r *study.Report) string { return orNone(list(r.Portfolio.Bound)) }},
		{"findings", func(r *study.Report) string { return fmt.Sprint(len(r.Findings)) }},
	}
	out := []compared{strips(rs)}
	for _, row := range rows {
		x := compared{Name: row.name}
		for _, r := range rs {
			x.Cells = append(x.Cells, comparedCell{Text: row.of(r)})
		}
		out = append(out, x)
	}
	return out
}

// strips draws all portfolios' spreads on one scale.
func strips(rs []*study.Report) compared {
	lo, hi := 0.0, 0.0
	spreads := make([]study.Dist, len(rs))
	for k, r := range rs {
		d := r.Portfolio.NPV
		if r.Paths == 0 {
			e := r.Portfolio.Expected
			d = study.Dist{Mean: e, P10: e, P90: e}
		}
		spreads[k] = d
		lo, hi = math.Min(lo, number(d.P10)), math.Max(hi, number(d.P90))
	}
	x := compared{Name: "P10 to P90, on one scale"}
	for _, d := range spreads {
		x.Cells = append(x.Cells, comparedCell{Draw: strip(d, lo, hi, true)})
	}
	return x
}

func drawn(r *study.Report, v float64) string {
	if r.Paths == 0 {
		return none
	}
	return million(v)
}

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

func rateText(r study.Rate) string {
	x := rateOf(r, nil, "")
	if x.Pct == "" {
		return "none: " + x.None
	}
	return x.Pct
}

// hallsOf is what each study has a hall do.
func hallsOf(rs []*study.Report) (out []compared) {
	for _, r := range rs {
		for _, b := range r.Best {
			if slices.ContainsFunc(out, func(c compared) bool { return c.Name == b.Hall }) {
				continue
			}
			x := compared{Name: b.Hall}
			for _, other := range rs {
				text := none
				for _, o := range other.Best {
					if o.Hall == b.Hall {
						text = o.Title + ": " + hallValue(other, o)
					}
				}
				x.Cells = append(x.Cells, comparedCell{Text: text})
			}
			out = append(out, x)
		}
	}
	return out
}

// hallValue is a choice's value in a sentence; without random futures the option's expected case.
func hallValue(r *study.Report, b study.Choice) string {
	if o := optionOf(r, b.Hall, b.Option); r.Paths == 0 && b.NPV.Mean == 0 && o != nil {
		return money(o.Expected)
	}
	return money(b.NPV.Mean)
}

// differences are the inputs that are not the same in all studies; it counts those that are.
func differences(rs []*study.Report) (out []compared, same int) {
	var paths []string
	values := make([]map[string]input.Provenance, len(rs))
	seen := map[string]bool{}
	for k, r := range rs {
		values[k] = map[string]input.Provenance{}
		for _, ps := range [][]input.Provenance{r.Given, r.Assumed} {
			for _, p := range ps {
				values[k][p.Path] = p
				if !seen[p.Path] {
					seen[p.Path] = true
					paths = append(paths, p.Path)
				}
			}
		}
	}
	for _, path := range paths {
		x := compared{Name: path}
		alike := true
		for k := range rs {
			p, ok := values[k][path]
			if first, there := values[0][path]; ok != there || p.Value != first.Value {
				alike = false
			}
			if ok {
				x.Cells = append(x.Cells, comparedCell{Text: p.Value, Mark: mark(p.From)})
			} else {
				x.Cells = append(x.Cells, comparedCell{Text: none})
			}
		}
		if alike {
			same++
		} else {
			out = append(out, x)
		}
	}
	return out, same
}

// fansOf draws each portfolio's yearly cash on one scale.
func fansOf(rs []*study.Report) (out []chart) {
	var all []float64
	for _, r := range rs {
		for _, f := range r.Portfolio.Fan {
			all = append(all, f.P10, f.P90)
		}
	}
	names := said.Names(rs)
	for k, r := range rs {
		if len(r.Portfolio.Fan) == 0 {
			continue
		}
		l := look{title: "Net cash by year: " + r.Study, desc: "Fan of the portfolio's net cash of each year, from P10 to P90 of all futures.", high: 260, print: money, tick: short, start: r.Start, hold: all}
		name := strings.TrimSpace(names[k])
		if name == "" {
			name = fmt.Sprintf("study %d", k+1)
		}
		out = append(out, chart{Name: name, Draw: pair(func(w float64) template.HTML { return fan(w, r.Portfolio.Fan, l) })})
	}
	return out
}
