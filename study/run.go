package study

import (
	"context"
	"fmt"
	"math"
	"reflect"

	"switchyard/study/finance"
	"switchyard/study/input"
)

// Options are what a run is told beside the file.
type Options struct {
	Version, Command string
	Paths            *int    // instead of the file's; 0: the expected case alone
	Seed             *uint64 // instead of the file's
	Workers          int     // default: as many as there are cores; the result is the same
	// Progress, where given, is told what is being computed and how far it is; it may be called by several
	// goroutines at once.
	Progress func(what string, done, total int)
}

// Run computes a study. It fails only where the file makes no study, or ctx ends.
func Run(ctx context.Context, f *input.File, o Options) (*Report, error) {
	e, err := newEngine(f)
	if err != nil {
		return nil, err
	}
	r := &Report{
		Study: f.Study, Note: f.Note, Site: f.Site.Name, Version: o.Version, File: f.Name, Hash: f.Hash, Start: f.Start.String(), Months: e.months,
		Seed: f.Seed, Paths: f.Paths, DiscountPct: 100 * float64(f.Discount.Is), EquityPct: 100 * float64(f.Equity.Is),
		UtilityMW: f.Site.Utility.Is.Megawatts(), Given: e.f.Given, Assumed: e.f.Assumed,
	}
	if o.Seed != nil {
		r.Seed = *o.Seed
	}
	if o.Paths != nil {
		r.Paths = *o.Paths
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	o.Progress("the expected case", 0, 1)
	x := &expectation{e: e, w: e.worker(), paths: r.Paths > 0}
	x.w.expected()
	x.all = e.futures(x.w)
	if r.Paths == 0 {
		x.choose(r)
		x.settle(r)
	} else if err := e.chances(ctx, x, r, o); err != nil {
		return nil, err
	}
	x.finish(r)
	rounded(reflect.ValueOf(r).Elem())
	return r, nil
}

// expectation is the expected case: all futures, and the best choice among them.
type expectation struct {
	e     *engine
	w     *worker
	all   []future
	best  choices
	alone choices // each hall's best without the others
	plain choices // what the expected case alone would choose
	fixed float64
	paths bool // random ones were drawn
	site  *sheet
	// at is the place in all of each hall's choice: where the limits moved it to another month than
	// its best, a future of its own at the end.
	at []int
}

// settle computes what follows from the choice in the expected case.
func (x *expectation) settle(r *Report) {
	e := x.e
	x.site = e.newSheet()
	for _, i := range x.at {
		add(x.site, x.all[i].total)
	}
	x.fixed = e.fixed(x.w, e.empty(x.best), x.site)
	x.site.close()
	base := x.fixed
	for _, i := range x.at {
		base += x.all[i].out.Expected
	}
	r.Portfolio.Expected = base
	r.Tornado = e.tornado(x.w, x.best, base)
	e.scenarios(x.w, x.all, x.best, r)
	e.breakevens(x.w, x.all, x.best)
}

func add(to, what *sheet) {
	to.flows.Add(what.flows)
	for i := range to.rows {
		for t, v := range what.rows[i] {
			to.rows[i][t] += v
		}
	}
}

// choose finds the best choice under the limits, and each hall's own: by the mean over all paths where
// there are any, for an option with more to lose than to gain is worth less than its expected case. What the mean is off in
// the month that was drawn is taken to hold for the option's other months.
func (x *expectation) choose(r *Report) {
	s := x.e.searchOf(x.w)
	chosen, _, _ := s.solve()
	for h, i := range chosen {
		x.plain = append(x.plain, s.halls[h][i].candidate)
	}
	x.shift(s)
	chosen, _, complete := s.solve()
	for h, i := range chosen {
		x.best = append(x.best, s.halls[h][i].candidate)
		x.alone = append(x.alone, s.halls[h][0].candidate)
	}
	r.Portfolio.Considered = s.nodes
	r.Portfolio.Bound = s.boundBy(x.e)
	if !complete {
		r.Findings = append(r.Findings, Finding{Kind: "limit", Text: fmt.Sprintf("the search for the best combination was stopped after %d steps: a better one may exist", maxNodes)})
	}
	for _, c := range x.best {
		at := -1
		for i := range x.all {
			if x.all[i].candidate == c {
				at = i
			}
		}
		if at < 0 {
			moved := future{candidate: c}
			x.e.detail(x.w, &moved)
			x.all, at = append(x.all, moved), len(x.all)
		}
		x.at = append(x.at, at)
	}
}

// off is by how much an option's mean over all paths is off its expected case; nothing without paths.
func (x *expectation) off(hall, option int) float64 {
	for i := range x.all {
		if v := &x.all[i]; x.paths && v.hall == hall && v.option == option {
			return v.out.NPV.Mean - v.out.Expected
		}
	}
	return 0
}

// chances draws the paths, chooses by them, and sums them up.
func (e *engine) chances(ctx context.Context, x *expectation, r *Report, o Options) error {
	d, err := e.drawn(ctx, x.all, r, o, "random futures")
	if err != nil {
		return err
	}
	x.sumUp(d)
	first := len(x.all)
	x.choose(r)
	if len(x.all) > first {
		more, err := e.drawn(ctx, x.all[first:], r, o, "what the limits moved")
		if err != nil {
			return err
		}
		d.join(more)
		x.sumUp(d)
	}
	x.settle(r)
	on := make([][]float64, len(e.cands)) // each hall's NPV of mining on
	for h := range on {
		on[h] = d.npv[d.column(e.cands[h][0])]
	}
	x.together(d, on, r)
	r.World.Price, r.World.Hashprice = e.fanOf(d.world[worldPrice], d.kept), e.fanOf(d.world[worldHashprice], d.kept)
	r.World.Power, r.World.Difficulty = e.fanOf(d.world[worldPower], d.kept), e.fanOf(d.world[worldDifficulty], d.kept)
	return e.waiting(ctx, r, o)
}

// drawn draws every path for some futures.
func (e *engine) drawn(ctx context.Context, all []future, r *Report, o Options, what string) (*draws, error) {
	var cols []candidate
	var loans []*finance.Loan
	for i := range all {
		cols, loans = append(cols, all[i].candidate), append(loans, all[i].loan)
	}
	d := e.newDraws(cols, loans, r.Paths)
	return d, e.each(ctx, r.Paths, o.Workers, r.Seed, func(done int) { o.Progress(what, done, r.Paths) }, d.draw)
}

// sumUp tells each future what it is over all paths.
func (x *expectation) sumUp(d *draws) {
	e := x.e
	on := make([][]float64, len(e.cands)) // each hall's NPV of mining on
	for h := range on {
		on[h] = d.npv[d.column(e.cands[h][0])]
	}
	for i := range x.all {
		v := &x.all[i].out
		npv, base := d.npv[i], on[x.all[i].hall]
		over := make([]float64, d.n)
		beats, loses, breach := 0, 0, 0
		for p := range npv {
			over[p] = npv[p] - base[p]
			if over[p] > 0 {
				beats++
			}
			if npv[p] < 0 {
				loses++
			}
			if d.cover[i][p] < e.termsOf(x.all[i].candidate).Covenant {
				breach++
			}
		}
		n := float64(d.n)
		v.NPV, v.Over, v.BeatsMining, v.Loses = distOf(npv), distOf(over), float64(beats)/n, float64(loses)/n
		v.Fan = e.fanOf(d.year[i], d.kept)
		if cover := there(d.cover[i]); len(cover) > 0 && v.Debt > 0 {
			dist := distOf(cover)
			v.PathDSCR, v.Breach = &dist, some(float64(breach)/n)
		}
	}
}

// there leaves out what does not exist.
func there(v []float64) (out []float64) {
	for _, x := range v {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			out = append(out, x)
		}
	}
	return out
}

// together sums the chosen halls up, path by path.
func (x *expectation) together(d *draws, on [][]float64, r *Report) {
	npv, mined := make([]float64, d.n), make([]float64, d.n)
	year := make([]float64, d.kept*x.e.f.Years)
	whole := x.e.fixed(x.w, x.e.months, nil)
	for p := range npv {
		npv[p], mined[p] = x.fixed, whole
	}
	for h, i := range x.at {
		for p := range npv {
			npv[p] += d.npv[i][p]
			mined[p] += on[h][p]
		}
		for k := range year {
			year[k] += d.year[i][k]
		}
	}
	paid := x.e.paid(x.e.empty(x.best))
	for y := range x.e.f.Years {
		fixed := 0.0
		for t := 12 * y; t < min(12*y+12, paid); t++ {
			fixed += x.e.cost(t) - x.e.relief(t)
		}
		for p := range d.kept {
			year[y*d.kept+p] -= fixed
		}
	}
	p := &r.Portfolio
	p.NPV, p.MiningOn, p.Histogram, p.Fan = distOf(npv), distOf(mined), histogram(npv), x.e.fanOf(year, d.kept)
}
