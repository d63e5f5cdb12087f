package schedulecmd

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/cmd/switchyard/table"
	"switchyard/unit"
)

const (
	// manyLoads is from how many groups on the table has one column for all of them.
	manyLoads = 6
	barWidth  = 20
)

var bars = []rune("▁▂▃▄▅▆▇█")

// print writes the plan for people.
func (a *answer) print(w io.Writer) {
	say := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	if len(a.Steps) == 0 {
		say("%s: no steps", a.Site)
		return
	}
	last := a.Steps[len(a.Steps)-1]
	until := last.Start.Add(seconds(last.LengthS))
	say("%s, %s to %s (%s)", a.Site, a.Steps[0].Start.In(a.zone).Format("Mon 2006-01-02 15:04"), a.clock(until), a.Timezone)
	say("%s", a.verdict())
	for _, line := range a.bitcoin() {
		say("%s", line)
	}
	for _, n := range a.Notes {
		say("Note: %s.", strings.TrimSuffix(n, "."))
	}
	a.sketch(w)
	say("")
	a.steps(w)
	a.loads(w)
}

// clock writes a time of the horizon; on a day that changes the clocks with the zone's letters,
// for an hour is shown twice or not at all.
func (a *answer) clock(t time.Time) string {
	last := a.Steps[len(a.Steps)-1]
	_, before := a.Steps[0].Start.In(a.zone).Zone()
	if _, after := last.Start.Add(seconds(last.LengthS)).In(a.zone).Zone(); after != before {
		return t.In(a.zone).Format("Mon 15:04 MST")
	}
	return t.In(a.zone).Format("Mon 15:04")
}

// verdict says how good the plan is.
func (a *answer) verdict() string {
	text := fmt.Sprintf("Planned by %s: it earns %s over the horizon, rents and power bought ahead not counted", methodName(a.Method), money(a.ProfitUSD))
	if a.BoundUSD != nil && a.Gap != nil {
		return text + fmt.Sprintf("; no plan can earn more than %s, gap %s %%.", money(a.BoundUSD), strconv.FormatFloat(100**a.Gap, 'f', 4, 64))
	}
	return text + "; how far that is from the best is not known."
}

// methodName says a method for people.
func methodName(m string) string {
	switch m {
	case "exact":
		return "each group's best path (nothing couples them)"
	case "milp":
		return "the mixed-integer program"
	case "lp":
		return "the relaxed program, rounded"
	case "merit":
		return "merit order, step by step"
	case "static":
		return "the static safe limit: all flexible load at rest"
	}
	return m
}

func money(v *float64) string {
	if v == nil {
		return "?"
	}
	return unit.Dollars(*v).String()
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// sketch draws price, what a MWh is worth and power as rows of bars, one an hour.
func (a *answer) sketch(w io.Writer) {
	rows := []struct {
		name string
		of   func(api.StepView, int) *float64
		unit string
	}{
		{"price", func(s api.StepView, _ int) *float64 { return s.PriceUSD }, "$/MWh"},
		{"worth", func(s api.StepView, _ int) *float64 { return s.MarginalUSD }, "$/MWh"},
		{"site", func(s api.StepView, _ int) *float64 { return inMW(s.SiteW) }, "MW"},
	}
	for _, r := range rows {
		v := a.hourly(r.of)
		if r.unit == "$/MWh" {
			for i := range v {
				v[i] = math.Round(v[i]*100) / 100 // less than a cent is no change
			}
		}
		low, high := math.Inf(1), math.Inf(-1)
		for _, x := range v {
			if !math.IsNaN(x) {
				low, high = min(low, x), max(high, x)
			}
		}
		if math.IsInf(low, 0) {
			continue
		}
		from := min(low, 0)
		if r.unit == "$/MWh" {
			from = low
		}
		fmt.Fprintf(w, "  %-6s %s  %s to %s %s\n", r.name, spark(v, from, high), short(low), short(high), r.unit)
	}
}

func inMW(w *float64) *float64 {
	if w == nil {
		return nil
	}
	v := *w / 1e6
	return &v
}

func short(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// hourly is the mean of a figure over each hour of the horizon; NaN where it is not known.
func (a *answer) hourly(of func(api.StepView, int) *float64) []float64 {
	begin := a.Steps[0].Start
	last := a.Steps[len(a.Steps)-1]
	n := int(math.Ceil(last.Start.Add(seconds(last.LengthS)).Sub(begin).Hours()))
	sum, long := make([]float64, n), make([]float64, n)
	for i, s := range a.Steps {
		v := of(s, i)
		if v == nil {
			continue
		}
		for left, at := s.LengthS, s.Start.Sub(begin).Seconds(); left > 1e-9; {
			h := int(at / 3600)
			part := min(left, float64(h+1)*3600-at)
			if h >= n {
				break
			}
			sum[h] += *v * part
			long[h] += part
			left, at = left-part, at+part
		}
	}
	for h := range sum {
		sum[h] /= long[h] // nothing known of an hour: NaN
	}
	return sum
}

// spark draws figures as bars between from and to.
func spark(v []float64, from, to float64) string {
	var b strings.Builder
	for _, x := range v {
		switch {
		case math.IsNaN(x):
			b.WriteRune(' ')
		case to <= from:
			b.WriteRune(bars[len(bars)/2])
		default:
			b.WriteRune(bars[int(math.Round((x-from)/(to-from)*float64(len(bars)-1)))])
		}
	}
	return b.String()
}

// steps prints the table by step.
func (a *answer) steps(w io.Writer) {
	groups := 0
	for _, l := range a.Loads {
		if l.Kind == "group" {
			groups++
		}
	}
	peaks, blocks := false, false
	for _, s := range a.Steps {
		peaks = peaks || s.CoincidentUSD != nil && *s.CoincidentUSD >= 0.005
		blocks = blocks || s.BlockW > 0
	}
	head := []string{"step", ">for", ">$/MWh"}
	if peaks {
		head = append(head, ">+ peak")
	}
	head = append(head, ">worth")
	if blocks {
		head = append(head, ">bought")
	}
	for _, c := range a.columns(groups) {
		head = append(head, ">"+c.name)
	}
	head = append(head, ">site", "")
	g := table.New(head...)
	high, columns := a.highest(), a.columns(groups)
	var before []string
	var since api.StepView
	add := func() {
		if before != nil {
			g.Add(append([]string{a.clock(since.Start), length(since.LengthS)}, before...)...)
		}
	}
	for i, s := range a.Steps {
		row := []string{price(s.PriceUSD)}
		if peaks {
			row = append(row, price(s.CoincidentUSD))
		}
		row = append(row, price(s.MarginalUSD))
		if blocks {
			row = append(row, unit.Watts(s.BlockW).Short())
		}
		for _, c := range columns {
			row = append(row, watts(c.of(i)))
		}
		row = append(row, watts(s.SiteW), bar(s.SiteW, high))
		if slices.Equal(row, before) { // steps in which nothing changes are one line
			since.LengthS += s.LengthS
			continue
		}
		add()
		before, since = row, s
	}
	add()
	g.Print(w, 0)
}

// column is one load's power, or that of several, by step.
type column struct {
	name string
	of   func(step int) *float64
}

// columns are the loads, each by itself unless there are many groups, and the reserves.
func (a *answer) columns(groups int) []column {
	var out []column
	var many []api.LoadPlanView
	for _, l := range a.Loads {
		if l.Kind == "group" && groups > manyLoads {
			many = append(many, l)
			continue
		}
		out = append(out, column{l.Load, func(i int) *float64 { return at(l.PowerW, i) }})
	}
	if len(many) > 0 {
		out = append(out, column{fmt.Sprintf("%d groups", len(many)), func(i int) *float64 {
			sum := 0.0
			for _, l := range many {
				v := at(l.PowerW, i)
				if v == nil {
					return nil
				}
				sum += *v
			}
			return &sum
		}})
	}
	for _, r := range a.Reserves {
		out = append(out, column{"held " + r.Name, func(i int) *float64 { return at(r.HeldW, i) }})
	}
	return out
}

func at(v []*float64, i int) *float64 {
	if i >= len(v) {
		return nil
	}
	return v[i]
}

func (a *answer) highest() float64 {
	high := 0.0
	for _, s := range a.Steps {
		if s.SiteW != nil {
			high = max(high, *s.SiteW)
		}
	}
	return high
}

func bar(w *float64, high float64) string {
	if w == nil || high <= 0 {
		return ""
	}
	return strings.Repeat("█", int(math.Round(max(*w, 0)/high*barWidth)))
}

func price(v *float64) string {
	if v == nil {
		return "?"
	}
	return short(*v)
}

func watts(w *float64) string {
	if w == nil {
		return "?"
	}
	return unit.Watts(*w).Short()
}

func length(s float64) string {
	d := seconds(s).Round(time.Second)
	hours, minutes := int(d/time.Hour), int(d%time.Hour/time.Minute)
	switch {
	case d%time.Minute != 0:
		return d.String()
	case minutes == 0:
		return strconv.Itoa(hours) + "h"
	case hours == 0:
		return strconv.Itoa(minutes) + "m"
	}
	return fmt.Sprintf("%dh%02dm", hours, minutes)
}

// loads prints what each load gets over the whole horizon.
func (a *answer) loads(w io.Writer) {
	g := table.New("load", "kind", "node", ">energy", ">mean", ">of", "")
	total := 0.0
	for _, s := range a.Steps {
		total += s.LengthS
	}
	for _, l := range a.Loads {
		energy, short, curtailed := 0.0, 0.0, 0.0
		for i, s := range a.Steps {
			h := s.LengthS / 3600
			energy += value(at(l.PowerW, i)) * h
			short += value(at(l.ShortW, i)) * h
			curtailed += value(at(l.CurtailedW, i)) * h
		}
		var said []string
		if curtailed > 1 {
			said = append(said, "taken back "+unit.WattHours(curtailed).String())
		}
		if short > 1 {
			said = append(said, "NOT DELIVERED "+unit.WattHours(short).String())
		}
		if l.LateMWh != nil && *l.LateMWh > 1e-6 {
			said = append(said, "late "+unit.WattHours(*l.LateMWh*1e6).String())
		}
		g.Add(l.Load, l.Kind, l.Node, unit.WattHours(math.Round(energy)).String(), unit.Watts(energy*3600/total).Short(), unit.Watts(l.MostW).Short(), strings.Join(said, ", "))
	}
	if g.Len() > 0 {
		fmt.Fprintln(w)
	}
	g.Print(w, 0)
}

func value(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}
