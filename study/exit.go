package study

import (
	"fmt"
	"slices"
	"strings"

	"switchyard/study/finance"
	"switchyard/study/flow"
	"switchyard/study/input"
)

// prominent is the share of the portfolio's NPV from which on its exit value is told first.
const prominent = 1.0 / 3

// exitWorth is what a candidate's value is less without its exit value, in the world that w holds: after the tax on
// it, all else alike.
func (w *worker) exitWorth(c candidate) float64 {
	if o := w.e.option(c); o.Kind == input.Sell || o.Kind == input.Mine {
		return 0 // a sale is none at the end of the study, though it may fall there
	}
	w.plan(c)
	last := &w.venture.Line[flow.Sale][w.e.months-1]
	if *last == 0 {
		return 0
	}
	t := w.e.termsOf(c)
	with := finance.Value(w.venture, t, w.scratch)
	*last = 0
	return with - finance.Value(w.venture, t, w.scratch)
}

// withoutExit is a file in which nothing is worth anything after the last month.
func withoutExit(f *input.File) *input.File {
	out := *f
	out.Leases, out.Clouds, out.Greenfields = slices.Clone(f.Leases), slices.Clone(f.Clouds), slices.Clone(f.Greenfields)
	for i := range out.Leases {
		out.Leases[i].Exit = nil
	}
	for i := range out.Clouds {
		out.Clouds[i].Exit = nil
	}
	for i := range out.Greenfields {
		out.Greenfields[i].Exit = nil
	}
	return &out
}

// exits says how much of the portfolio's value lies at the end of the study, and what would be chosen without.
func (x *expectation) exits(r *Report) []Finding {
	p, sum := &r.Portfolio, 0.0
	for _, i := range x.at {
		sum += x.all[i].out.ExitNPV
	}
	p.ExitNPV = sum
	const cent = 0.01
	if sum < cent {
		return nil
	}
	text := fmt.Sprintf("%.1f $M of the portfolio's expected NPV of %.1f $M", sum/1e6, p.Expected/1e6)
	if sum <= p.Expected {
		text += fmt.Sprintf(" (%.0f %%)", 100*sum/p.Expected)
	}
	text += " is value at the end of the study, as the file's exit_multiple has it"
	if best, worth, err := x.otherwiseWithout(); err == nil {
		text += fmt.Sprintf("; without any the best choice is worth %.1f $M: %s", worth/1e6, best)
	}
	return []Finding{{Kind: "exit", Text: text, Top: sum > float64(prominent*p.Expected)}}
}

// otherwiseWithout is the best choice without any exit value, by what this study's paths say of each option beside
// its expected case.
func (x *expectation) otherwiseWithout() (best string, worth float64, err error) {
	e, err := newEngine(withoutExit(x.e.f))
	if err != nil {
		return "", 0, err
	}
	w := e.worker()
	w.expected()
	s := e.searchOf(w)
	x.shift(s)
	chosen, worth, _ := s.solve()
	var titles []string
	halls := map[string][]string{}
	for h, i := range chosen {
		title := e.title(s.halls[h][i].candidate)
		if halls[title] == nil {
			titles = append(titles, title)
		}
		halls[title] = append(halls[title], e.f.Halls[h].ID)
	}
	for i, title := range titles {
		titles[i] = strings.Join(halls[title], ", ") + ": " + title
	}
	return strings.Join(titles, "; "), worth + e.fixed(w, e.months, nil), nil
}

// shift moves the values of a search from the expected case to the mean over all paths, where there are any.
func (x *expectation) shift(s *search) {
	for h, list := range s.halls {
		for i := range list {
			list[i].npv += x.off(h, list[i].option)
		}
	}
}
