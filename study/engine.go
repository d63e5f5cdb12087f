package study

import (
	"fmt"
	"slices"

	"switchyard/study/figure"
	"switchyard/study/finance"
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/mining"
	"switchyard/study/power"
	"switchyard/study/venture"
	"switchyard/study/world"
)

// mine is the kind of the option that is always there: the hall goes on as it is.
const mine = "mine"

// engine is a study made ready to be computed: plain numbers, immutable.
type engine struct {
	f      *input.File
	months int
	site   *venture.Site
	model  *world.Model
	tariff *power.Tariff
	terms  []finance.Terms // by option
	owners finance.Terms   // equity only
	// cands are all options of all halls in all months in which they may begin, by hall; the
	// first of each hall mines on.
	cands [][]candidate
	mined [][]float64 // MW of the grid that each hall's fleet draws in full, by month
}

// candidate is an option of a hall that begins in a month.
type candidate struct{ hall, option, month int } // option -1: mines on, without the file saying so

// closing is the option that every owner has: to stop, sell the machines, and let the hall stand empty.
const closing = "close"

// Complete returns the file as it is studied: with the option to close where it has none like it, and
// with scenarios where it has none. What is added is among what is assumed. The file stays as it is.
func Complete(f *input.File) *input.File {
	out := *f
	if !closes(f) {
		out.Sales = append(slices.Clone(f.Sales), input.Sale{ID: closing, Of: "power"})
		o := input.Option{ID: closing, Kind: "sell", With: closing, From: f.Start, To: min(f.Start+60, f.End()-1), Every: 6}
		out.Options = append(slices.Clone(f.Options), o)
		assume(&out, "options."+closing, "each hall may be closed", "an owner may always stop, sell the machines and resell fixed-price power")
	}
	if len(f.Scenarios) == 0 {
		out.Scenarios = []input.Scenario{
			{Name: "Bitcoin halves", Bitcoin: 0.5, Difficulty: 0.75},
			{Name: "Bitcoin doubles", Bitcoin: 2, Difficulty: 1.5},
			{Name: "Power half as dear again", Power: 1.5},
			{Name: "Building late and over", Capex: 1.25, Delay: 6},
			{Name: "Tenants fail in their third year", Fails: 30},
		}
		assume(&out, "scenarios", "bitcoin halves and doubles, power up by a half, building late and over, tenants fail", "the file has none: the usual questions of a board")
	}
	return &out
}

func assume(f *input.File, path, value, source string) {
	f.Assumed = append(slices.Clone(f.Assumed), input.Provenance{Path: path, Value: value, From: figure.Assumption, Source: source})
}

// closes says whether the file has the option to close already, or something else of its name.
func closes(f *input.File) bool {
	for i := range f.Sales {
		if s := &f.Sales[i]; s.Of == "power" || s.ID == closing {
			return true
		}
	}
	return f.Option(closing) != nil
}

func newEngine(f *input.File) (*engine, error) {
	f = Complete(f)
	site, err := venture.New(f)
	if err != nil {
		return nil, err
	}
	model, err := world.New(f)
	if err != nil {
		return nil, err
	}
	e := &engine{f: f, months: f.Years * 12, site: site, model: model, tariff: power.New(f)}
	if e.owners, err = finance.TermsOf(f, nil); err != nil {
		return nil, err
	}
	for i := range f.Options {
		t, err := finance.TermsOf(f, f.Financing(f.Options[i].Financing))
		if err != nil {
			return nil, err
		}
		e.terms = append(e.terms, t)
	}
	for h := range f.Halls {
		list := []candidate{{h, e.mineOption(h), 0}}
		for i := range f.Options {
			o := &f.Options[i]
			if o.Kind == mine || !takes(o, &f.Halls[h]) {
				continue
			}
			for _, m := range site.Months(o, h) {
				list = append(list, candidate{h, i, m})
			}
		}
		e.cands = append(e.cands, list)
		mw := make([]float64, e.months)
		for t := range mw {
			mw[t] = site.Fleet(h).Draw(t)
		}
		e.mined = append(e.mined, mw)
	}
	return e, nil
}

// takes says whether a hall may take an option.
func takes(o *input.Option, h *input.Hall) bool {
	if (o.Kind == "host" || o.Kind == "cloud") && !h.Convertible {
		return false
	}
	return len(o.Halls) == 0 || slices.Contains(o.Halls, h.ID)
}

func (e *engine) mineOption(hall int) int {
	for i := range e.f.Options {
		if o := &e.f.Options[i]; o.Kind == mine && takes(o, &e.f.Halls[hall]) {
			return i
		}
	}
	return -1
}

var mineOn = input.Option{ID: mine, Kind: mine}

func (e *engine) option(c candidate) *input.Option {
	if c.option < 0 {
		return &mineOn
	}
	return &e.f.Options[c.option]
}

func (e *engine) termsOf(c candidate) *finance.Terms {
	if c.option < 0 {
		return &e.owners
	}
	return &e.terms[c.option]
}

// month is the calendar's name of a month of the study.
func (e *engine) month(t int) string { return (e.f.Start + figure.Month(t)).String() }

// title says a candidate to people.
func (e *engine) title(c candidate) string {
	o, at := e.option(c), e.month(c.month)
	switch o.Kind {
	case "host":
		who := o.With
		if l := e.f.Lease(o.With); l != nil && l.Tenant != "" {
			who = l.Tenant
		}
		return fmt.Sprintf("Host %s, building from %s", who, at)
	case "cloud":
		return fmt.Sprintf("Run GPUs (%s), building from %s", o.With, at)
	case "sell":
		if s := e.f.Sale(o.With); s != nil && s.Of == "power" {
			if s.ID == closing {
				return "Close the hall in " + at
			}
			return "Sell the power from " + at
		}
		return "Sell the hall in " + at
	case "greenfield":
		return fmt.Sprintf("Mine on, and build %s from %s", o.With, at)
	}
	return "Mine on"
}

// worker holds the buffers of one goroutine.
type worker struct {
	e               *engine
	path            *world.Path
	mined           [][]mining.Month // by hall, on path
	before, venture *flow.Flows
	scratch, other  *finance.Scratch
	res, rest       *finance.Result
}

func (e *engine) worker() *worker {
	w := &worker{
		e: e, path: e.model.NewPath(), before: flow.New(e.months), venture: flow.New(e.months),
		scratch: new(finance.Scratch), other: new(finance.Scratch), res: finance.NewResult(e.months), rest: finance.NewResult(e.months),
	}
	for range e.f.Halls {
		w.mined = append(w.mined, make([]mining.Month, e.months))
	}
	return w
}

// mine clears every hall's mining on the path.
func (w *worker) mine() {
	for h := range w.mined {
		w.mineHall(h)
	}
}

func (w *worker) mineHall(h int) { w.e.site.Fleet(h).Months(w.path, w.mined[h]) }

// plan fills before and venture.
func (w *worker) plan(c candidate) {
	w.e.site.Plan(w.e.option(c), c.hall, c.month, w.path, w.mined[c.hall], w.before, w.venture)
}

// value is a candidate's NPV on the path: after tax, before financing.
func (w *worker) value(c candidate) float64 {
	w.plan(c)
	return finance.Value(w.before, &w.e.owners, w.scratch) + finance.Value(w.venture, w.e.termsOf(c), w.scratch)
}

// size sizes a candidate's loan by the flows on the path: the lender's case.
func (w *worker) size(c candidate) *finance.Loan {
	t := w.e.termsOf(c)
	if t.LoanToCost <= 0 && t.Notes == nil {
		return nil
	}
	w.plan(c)
	return finance.Size(w.venture, t)
}

// run fills res with the venture's statements and rest with those of what is before.
func (w *worker) run(c candidate, loan *finance.Loan, quick bool) {
	w.plan(c)
	finance.Run(finance.Project{Flows: w.venture, Terms: w.e.termsOf(c), Loan: loan, Quick: quick}, w.res)
	finance.Run(finance.Project{Flows: w.before, Terms: &w.e.owners, Quick: true}, w.rest)
}
