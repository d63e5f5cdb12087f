package page

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"switchyard/study"
	"switchyard/study/figure"
	"switchyard/study/said"
)

// view is what the page shows.
type view struct {
	*study.Report
	Span       string
	Advice     advice
	Cards      []card
	Choices    []choice
	Findings   []finding
	Others     []finding // of options that are not chosen
	Halls      []hallRows
	EvenChosen []evenRow
	EvenOthers []evenRow
	HasDebt    bool
	Legend     []source
	Shades     []shade
	Covenant   string
	Values     []string // of the scenarios: the portfolio's value and its lowest cover
	Covers     []string
	Scenarios  []scenarioHall
	Regrets    []regret
	Waits      []wait
	Statements []statement
	Deals      []dealRow
	Energies   []energy
	Given      []inputGroup
	Assumed    []inputRow
	Origins    []origin
	Command    string
	Few        string // of so few futures that spreads mean nothing: that they do

	Cash, Timing, Fan, Histogram, Debt, Tornado, Deal template.HTML
	Worlds                                            []chart
}

// chart is a drawing with its name.
type chart struct {
	Name, Note string
	Draw       template.HTML
}

// scenarioHall is what each option of a hall is worth in each scenario.
type scenarioHall struct {
	Hall string
	Rows []scenarioRow
}

type scenarioRow struct {
	Option string
	Cells  []string
}

// regret is what one decision falls short by in each scenario.
type regret struct {
	Decision, Worst, Class string
	Least, Beyond          bool
	Cells                  []heat
}

// heat is a cell that is shaded by how bad it is.
type heat struct{ Text, Class string }

// wait is what waiting is worth to one hall.
type wait struct {
	Hall, Said, Value, Committed, Plan, Option, Error, Today, Never string
	Chart                                                           template.HTML
	Legend                                                          []shade
}

// dealRow is a lease in the sector's table.
type dealRow struct {
	Name, Date, MW, Years, USD, RateText, Kind, Note, Source, Class string
	Rate                                                            float64
	Ours                                                            bool
}

// energy is a row of energy in perspective.
type energy struct{ What, Method, Range, Share, Site, Source string }

func viewOf(r *study.Report) view {
	v := view{
		Report: r, Advice: adviceOf(r), Cards: cardsOf(r), Choices: choicesOf(r), Halls: optionsOf(r),
		Legend: used(r.Portfolio.Years), Given: inputsOf(r.Given), Origins: originsOf(r.Given, r.Assumed),
		Regrets: regretsOf(r.Regret), Energies: energiesOf(r.Energy), Deals: dealsOf(r.Sector), Waits: waitsOf(r), Command: commandOf(r.File),
	}
	v.EvenChosen, v.EvenOthers = evens(r)
	chosen, others := apart(r)
	v.Findings, v.Others = findingsOf(chosen), findingsOf(others)
	v.Span = spanOf(r)
	if said.Few(r) {
		v.Few = said.Spread(r)
	}
	v.scenarios(r)
	for _, p := range r.Assumed {
		v.Assumed = append(v.Assumed, inputRowOf(p))
	}
	v.Statements = statementsOf(r, v.Given)
	v.draw(r)
	return v
}

func spanOf(r *study.Report) string {
	first, ok := monthOf(r.Start)
	if !ok || r.Months < 1 {
		return r.Start
	}
	return fmt.Sprintf("%s to %s", first, first+figure.Month(r.Months-1))
}

// draw makes the charts; one without anything to show is left out.
func (v *view) draw(r *study.Report) {
	p := r.Portfolio
	if len(p.Years) > 0 {
		v.Cash = both(func(w float64) template.HTML { return cash(w, p.Years) })
	}
	if m := timingOf(r); len(m.rows) > 0 && len(m.months) > 0 {
		v.Timing, v.Shades = m.both(), m.legend()
	}
	if len(p.Fan) > 0 {
		l := look{title: "Net cash by year", desc: "Fan of the portfolio's net cash of each year after tax and before financing, from P10 to P90 of all futures.", high: 280, print: money, tick: short, start: r.Start}
		v.Fan = pair(func(w float64) template.HTML { return fan(w, p.Fan, l) })
	}
	if len(p.Histogram) > 0 {
		v.Histogram = pair(func(w float64) template.HTML { return histogram(w, p) })
	}
	covenant := covenantOf(r)
	if covenant > 0 {
		v.Covenant = ratio(covenant)
	}
	if slices.ContainsFunc(p.Months.Debt, func(d float64) bool { return d > 0 }) {
		v.Debt = both(func(w float64) template.HTML { return debt(w, p.Months, covenant) })
	}
	if len(r.Tornado) > 0 {
		v.Tornado = both(func(w float64) template.HTML { return tornado(w, r.Tornado, p.Expected) })
	}
	if slices.ContainsFunc(v.Deals, dealRow.compares) {
		v.Deal = both(func(w float64) template.HTML { return deals(w, v.Deals) })
	}
	v.Worlds = worldsOf(r)
}

func worldsOf(r *study.Report) (out []chart) {
	for _, c := range []struct {
		name, note string
		fans       []study.Fan
		log        bool
		marks      []string
		expected   []float64
		print      func(float64) string
	}{
		{"Price of bitcoin", "logarithmic", r.World.Price, true, r.World.Halvings, r.World.ExpectedPrice, short},
		{"Hashprice, $/PH/day", "logarithmic", r.World.Hashprice, true, r.World.Halvings, r.World.Expected, plain},
		{"Difficulty", "logarithmic", r.World.Difficulty, true, r.World.Halvings, r.World.ExpectedDifficulty, tera},
		{"Price of power, $/MWh", "the year's mean", r.World.Power, false, nil, r.World.ExpectedPower, plain},
	} {
		if len(c.fans) == 0 {
			continue
		}
		l := look{title: c.name, desc: c.name + ": fan by year, from P10 to P90 of all futures.", high: 240, log: c.log, tick: c.print, print: c.print, start: r.Start, marks: c.marks, expected: c.expected}
		out = append(out, chart{c.name, c.note, pair(func(w float64) template.HTML { return fan(w, c.fans, l) })})
	}
	return out
}

// scenarios lays out the scenarios as columns and each hall's options as rows.
func (v *view) scenarios(r *study.Report) {
	for k, s := range r.Scenarios {
		v.Values, v.Covers = append(v.Values, million(s.Portfolio)), append(v.Covers, optional(s.MinDSCR, ratio))
		for _, o := range s.Options {
			h := slices.IndexFunc(v.Scenarios, func(x scenarioHall) bool { return x.Hall == o.Hall })
			if h < 0 {
				v.Scenarios, h = append(v.Scenarios, scenarioHall{Hall: o.Hall}), len(v.Scenarios)
			}
			hall := &v.Scenarios[h]
			at := slices.IndexFunc(hall.Rows, func(x scenarioRow) bool { return x.Option == o.Name })
			if at < 0 {
				hall.Rows, at = append(hall.Rows, scenarioRow{o.Name, slices.Repeat([]string{none}, len(r.Scenarios))}), len(hall.Rows)
			}
			hall.Rows[at].Cells[k] = million(o.NPV)
		}
	}
}

func regretsOf(r study.Regret) (out []regret) {
	most := 0.0
	for _, row := range r.USD {
		for _, v := range row {
			most = max(most, number(v))
		}
	}
	for k, d := range r.Decisions {
		x := regret{Decision: d, Worst: none, Least: k == r.Least, Beyond: k < len(r.Beyond) && r.Beyond[k]}
		if x.Least {
			x.Class = "chosen"
		}
		if k < len(r.Worst) {
			x.Worst = million(r.Worst[k])
		}
		for s := range r.Scenarios {
			cell := heat{none, "h0"}
			if k < len(r.USD) && s < len(r.USD[k]) {
				v := r.USD[k][s]
				cell = heat{million(v), fmt.Sprintf("h%d", int(max(0, min(4, number(v)/max(most, 1)*4+0.999))))}
			}
			x.Cells = append(x.Cells, cell)
		}
		out = append(out, x)
	}
	return out
}

func waitsOf(r *study.Report) (out []wait) {
	for _, f := range r.Flexible {
		w := wait{Hall: f.Hall, Said: minus(said.Waiting(r, &f)), Value: million(f.Value), Committed: million(f.Committed), Plan: f.Plan, Option: million(f.Option), Error: million(f.OptionError), Today: f.Today, Never: chance(f.Never)}
		if len(f.Dates) > 0 {
			w.Chart = both(func(width float64) template.HTML { return waiting(width, f, r) })
			for k, o := range exercised(f) {
				w.Legend = append(w.Legend, shade{fmt.Sprintf("e%d", k%series), o})
			}
		}
		out = append(out, w)
	}
	return out
}

func (d dealRow) compares() bool { return d.Kind != cloudKind && d.Rate > 0 && finite(d.Rate) }

// cloudKind is the kind of deal that brings the GPUs with it: its rate is not one of space and power.
const cloudKind = "gpu cloud"

// dealsOf lays out leases by kind, ours first among their like.
func dealsOf(s study.Sector) (out []dealRow) {
	var kinds []string
	for _, all := range [][]study.Deal{s.Ours, s.Deals} {
		for _, d := range all {
			if !slices.Contains(kinds, d.Kind) {
				kinds = append(kinds, d.Kind)
			}
		}
	}
	for _, kind := range kinds {
		for k, all := range [][]study.Deal{s.Ours, s.Deals} {
			for _, d := range all {
				if d.Kind == kind {
					out = append(out, dealRowOf(d, k == 0))
				}
			}
		}
	}
	return out
}

func dealRowOf(d study.Deal, ours bool) dealRow {
	x := dealRow{Name: d.Name, Date: d.Date, MW: none, Years: none, USD: none, RateText: none, Kind: d.Kind, Note: d.Note, Source: d.Source, Rate: d.Rate, Ours: ours}
	if ours {
		x.Class = "chosen"
	}
	if d.MW > 0 {
		x.MW = trim1(d.MW)
	}
	if d.Years > 0 {
		x.Years = trim1(d.Years)
	}
	if d.Rate > 0 {
		x.RateText = group(d.Rate, 1)
	}
	if d.USD != nil {
		x.USD = group(*d.USD/1e6, 0)
	}
	return x
}

func energiesOf(es []study.Energy) (out []energy) {
	for _, e := range es {
		x := energy{What: e.What, Method: e.Method, Range: trim(e.Low), Share: small(e.Share), Site: group(e.SiteMWh/1e6, 3), Source: e.Source}
		if e.High != e.Low {
			x.Range += " to " + trim(e.High)
		}
		out = append(out, x)
	}
	return out
}

// small prints a share of one that may be very little: "0.42 %", "0.0031 %".
func small(v float64) string {
	if !finite(v) {
		return none
	}
	if a := abs(v) * 100; a > 0 && a < 0.1 {
		return fmt.Sprintf("%.2g %%", v*100)
	}
	return group(v*100, 2) + " %"
}

// commandOf is how the report is made again.
func commandOf(file string) string {
	plainName := strings.IndexFunc(file, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("./_-", r)
	}) < 0
	if !plainName || file == "" {
		file = "'" + strings.ReplaceAll(file, "'", `'\''`) + "'"
	}
	return "switchyard study " + file + " -o html"
}
