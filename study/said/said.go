// Package said owns sentences about a report that the page and the terminal say alike: what a figure is of, and
// how choices and waiting go together.
//
// It never computes a figure and never says more than the report holds.
//
// Concurrency: all is pure.
package said

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"switchyard/study"
)

// leastSpread is how many futures a spread needs before it means anything: of fewer, the tenth part is not even two.
const leastSpread = 20

// Few says that futures were drawn, but too few for their spread to mean anything.
func Few(r *study.Report) bool { return r.Paths > 0 && r.Paths < leastSpread }

// Spread names what a spread from P10 to P90 is; of few futures, that it is nothing.
func Spread(r *study.Report) string {
	switch {
	case r.Paths == 0:
		return "no random futures were drawn"
	case r.Paths == 1:
		return "one future alone: it has no spread"
	case Few(r):
		return fmt.Sprintf("of %d futures: too few, spreads and chances mean nothing", r.Paths)
	}
	return "eight futures in ten"
}

// Apart says why the expected case and the mean over all futures differ, where there are both.
func Apart(r *study.Report) string {
	p := &r.Portfolio
	if r.Paths == 0 || len(r.Best) == 0 {
		return ""
	}
	return fmt.Sprintf("The expected case is worth %s and the mean over all futures %s: the one is a single future in which each figure is at its middle and nothing happens by chance; "+
		"the other counts tenants that fail, buildings that come late or dear, and prices that rise and fall.", Dollars(p.Expected), Dollars(p.NPV.Mean))
}

// Waiting says of a hall what the plan is now and what being free to wait would add to it.
func Waiting(r *study.Report, f *study.Flexible) string {
	plan := ""
	for i := range r.Best {
		if b := &r.Best[i]; b.Hall == f.Hall {
			plan = b.Option + " from " + b.Start
			if o := optionOf(r, b); o != nil && o.Kind == "mine" {
				plan = b.Option + " on"
			}
		}
	}
	var out strings.Builder
	if plan != "" {
		fmt.Fprintf(&out, "The plan now: %s. ", plan)
	}
	if f.Fixed {
		out.WriteString("Being free to wait and see adds nothing to a fixed plan that stands out from chance.")
	} else {
		fmt.Fprintf(&out, "Being free to wait and see adds %s (± %s) to a fixed plan, ", Dollars(f.Option), Dollars(2*f.OptionError))
		if f.Today == "" || f.Today == "wait" {
			out.WriteString("and who need not bind himself today waits.")
		} else {
			fmt.Fprintf(&out, "and the policy that sees only the past takes %s today.", f.Today)
		}
	}
	if plan != "" && f.Plan != "" && f.Plan != plan && f.Plan+" on" != plan {
		fmt.Fprintf(&out, " (By itself, without the other halls, the limits and the site's costs, its best fixed plan is %s, worth %s.)", f.Plan, Dollars(f.Committed))
	}
	return out.String()
}

func optionOf(r *study.Report, b *study.Choice) *study.Option {
	for i := range r.Options {
		if o := &r.Options[i]; o.Hall == b.Hall && o.Name == b.Option {
			return o
		}
	}
	return nil
}

// Dollars writes an amount in a sentence: "$412.3M", "-$38k".
func Dollars(v float64) string {
	sign, a := "", math.Abs(v)
	if v < 0 {
		sign = "-"
	}
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "?"
	case a >= 9.995e8:
		return fmt.Sprintf("%s$%.2fB", sign, a/1e9)
	case a >= 50_000:
		return fmt.Sprintf("%s$%.1fM", sign, a/1e6)
	case a >= 500:
		return fmt.Sprintf("%s$%.0fk", sign, a/1e3)
	}
	return fmt.Sprintf("%s$%.0f", sign, a)
}

// Names are reports' names; those of one name with what tells them apart, the file or the start, paths and seed.
func Names(rs []*study.Report) []string {
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = r.Study
	}
	for _, more := range []func(r *study.Report) string{
		func(r *study.Report) string { return r.File },
		func(r *study.Report) string { return "from " + r.Start },
		func(r *study.Report) string { return fmt.Sprintf("%d paths, seed %d", r.Paths, r.Seed) },
		func(r *study.Report) string { return "inputs " + r.Hash[:min(len(r.Hash), 8)] },
	} {
		same, tells := map[string]int{}, map[string]map[string]bool{}
		for i, r := range rs {
			same[out[i]]++
			if tells[out[i]] == nil {
				tells[out[i]] = map[string]bool{}
			}
			tells[out[i]][more(r)] = true
		}
		before := slices.Clone(out)
		for i, r := range rs {
			if same[before[i]] > 1 && len(tells[before[i]]) > 1 {
				out[i] += ", " + more(r)
			}
		}
	}
	before := slices.Clone(out)
	for i := range out {
		if same := slices.Index(before, before[i]); same < i || slices.Contains(before[i+1:], before[i]) {
			out[i] += fmt.Sprintf(", report %d", i+1)
		}
	}
	return out
}
