package study

import (
	"math"
	"strings"
	"testing"

	"switchyard/study/figure"
	"switchyard/study/flow"
	"switchyard/study/input"
)

// dying is the sample with two halls of which none is worth going on with: both can only be closed, the first in
// its sixth month at the earliest, the second in its ninth.
func dying(t testing.TB) *input.File {
	t.Helper()
	f := sample(t)
	f.Years, f.Halls = 3, f.Halls[:2]
	for h := range f.Halls {
		f.Halls[h].Convertible = false
	}
	f.Power.Flat.Is *= 20
	f.Leases, f.Clouds, f.Greenfields, f.Financings = nil, nil, nil, nil
	f.Sales = []input.Sale{{ID: closing, Of: "power"}}
	f.Options = []input.Option{
		{ID: "one", Kind: "sell", With: closing, Halls: []string{f.Halls[0].ID}, From: f.Start + 5, To: f.Start + 5, Every: 1},
		{ID: "two", Kind: "sell", With: closing, Halls: []string{f.Halls[1].ID}, From: f.Start + 8, To: f.Start + 8, Every: 1},
	}
	f.Limits = input.Limits{}
	f.Site.WindDown = figureOf(figure.Months(2))
	return f
}

// costsBy are the months of the site's own costs in the expected case.
func costsBy(t testing.TB, f *input.File) (months []float64, r *Report) {
	t.Helper()
	e, err := newEngine(f)
	if err != nil {
		t.Fatal(err)
	}
	x, r := &expectation{e: e, w: e.worker()}, new(Report)
	x.w.expected()
	x.all = e.futures(x.w)
	x.choose(r)
	x.settle(r)
	return x.site.flows.Line[flow.Fixed], r
}

// TestSiteCostsEndWhenNothingIsLeft: the last hall goes in month 8, which is paid for like the two after it.
func TestSiteCostsEndWhenNothingIsLeft(t *testing.T) {
	f := dying(t)
	months, _ := costsBy(t, f)
	for m, v := range months {
		want := 0.0
		if m <= 10 {
			want = -float64(f.Site.Fixed.Is) / 12
		}
		if math.Abs(v-want) > 1e-6 {
			t.Fatalf("month %d costs %v, want %v", m, v, want)
		}
	}
	r := run(t, f, 0)
	told := ""
	for _, v := range r.Findings {
		told += v.Text + "\n"
	}
	if !strings.Contains(told, "nothing is left at the site from 2027-09 on, and its own costs end with 2027-11") {
		t.Errorf("findings:\n%s", told)
	}
	if d := run(t, f, 3); !about(d.Portfolio.Expected, r.Portfolio.Expected) {
		t.Errorf("%.2f with paths, %.2f without", d.Portfolio.Expected, r.Portfolio.Expected)
	}
	// Where one hall goes on, so do the costs; and what mining on everywhere is worth bears them all.
	mines := 0.0
	for _, o := range r.Options {
		if o.Kind == mine {
			mines += o.Expected
		}
	}
	if got := r.Portfolio.MiningOn.Mean; !about(got, mines+fixedCosts(f, &Report{Best: []Choice{{Option: mine}}})) {
		t.Errorf("mining on everywhere is worth %.2f", got)
	}
	f.Options = f.Options[:1]
	if months, _ = costsBy(t, f); months[len(months)-1] == 0 {
		t.Error("the second hall cannot go, and the site costs nothing in the end")
	}
}

// TestReliefNeedsIncome: where losses are set against other income at once, the site's own costs save tax too, and
// a finding says in which tax years there is none in the study.
func TestReliefNeedsIncome(t *testing.T) {
	f := dying(t)
	f.Site.Fixed = figureOf(figure.Dollars(90e6)) // more than the machines fetch
	carried, bare := run(t, f, 0), fixedCosts(f, run(t, f, 0))
	f.Tax.Losses = input.Relief
	relieved := run(t, f, 0)
	if got := fixedCosts(f, relieved); !about(got, 0.75*bare) {
		t.Errorf("costs of %.2f, %.2f carried", got, bare)
	}
	for _, c := range []struct {
		r    *Report
		says bool
	}{{carried, false}, {relieved, true}} {
		said := false
		for _, v := range c.r.Findings {
			said = said || strings.Contains(v.Text, "only if the owners have other income")
		}
		if said != c.says {
			t.Errorf("findings: %v", c.r.Findings)
		}
	}
}

// TestTheSearchSeesWhatClosingSaves: two halls that mine at a small gain, less than what the site costs, are
// closed together; where one must stay, the other does too.
func TestTheSearchSeesWhatClosingSaves(t *testing.T) {
	s := &search{months: 4, capex: math.Inf(1), equity: math.Inf(1), crew: math.Inf(1), saved: []float64{50, 40, 30, 20, 0}}
	for h := range 2 {
		s.halls = append(s.halls, []priced{
			{candidate: candidate{h, -1, 0}, npv: 10, stays: true, leaves: 4}, {candidate: candidate{h, 0, 0}, npv: 0, leaves: 1}, {candidate: candidate{h, 0, 2}, npv: 7, leaves: 2},
		})
	}
	chosen, best, _ := s.solve()
	if best != 44 || s.halls[0][chosen[0]].leaves != 2 || s.halls[1][chosen[1]].leaves != 2 {
		t.Errorf("%v is worth %v", chosen, best)
	}
	s.halls[1] = s.halls[1][:1]
	if chosen, best, _ = s.solve(); best != 20 || !s.halls[0][chosen[0]].stays {
		t.Errorf("%v is worth %v", chosen, best)
	}
}
