package studycmd

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"switchyard/cmd/switchyard/table"
	"switchyard/study"
	"switchyard/study/said"
)

// The most lines that one screen gives to what a reader must not miss.
const (
	mostFindings = 8
	mostLook     = 3
)

// printReport prints the answer of a study on one screen.
func printReport(w io.Writer, r *study.Report) {
	say := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	say("%s: %s, %s from %s, %s", r.Study, r.Site, years(r.Months), r.Start, worlds(r))
	if r.Note != "" {
		say("%s", r.Note)
	}
	say("")
	printBest(w, r)
	p := r.Portfolio
	say("\nTogether: NPV %s%s, %s if all mine on.", dollars(p.NPV.Mean), spread(r), dollars(p.MiningOn.Mean))
	if s := said.Apart(r); s != "" {
		say("%s", s)
	}
	say("In the expected case: %s of capex, %s of debt, at most %s of the owners' money; equity IRR %s, project IRR %s.",
		dollars(p.Capex), dollars(p.Debt), dollars(p.PeakEquity), rate(p.EquityIRR), rate(p.ProjectIRR))
	if p.MinDSCR != nil {
		say("The site's lowest DSCR of twelve months, expected case: %s before tax, as loans are sized, and %s after tax.", ratio(p.MinDSCR), ratio(p.TaxedDSCR))
	}
	if len(p.Bound) > 0 {
		say("Bound by %s.", strings.Join(p.Bound, "; "))
	}
	for i := range r.Flexible {
		say("%s: %s", r.Flexible[i].Hall, said.Waiting(r, &r.Flexible[i]))
	}
	printFindings(w, r)
	printLook(w, r)
	say("\n%d figures are given, %d assumed%s. The whole report: -o html.", len(r.Given), len(r.Assumed), weakest(r))
}

func years(months int) string {
	if months%12 == 0 {
		return strconv.Itoa(months/12) + " years"
	}
	return strconv.Itoa(months) + " months"
}

func worlds(r *study.Report) string {
	if r.Paths == 0 {
		return "the expected case alone"
	}
	if said.Few(r) {
		return fmt.Sprintf("%s, seed %d", said.Spread(r), r.Seed)
	}
	return fmt.Sprintf("%d paths, seed %d", r.Paths, r.Seed)
}

// printBest prints what each hall should do.
func printBest(w io.Writer, r *study.Report) {
	head := []string{"hall", "best", ">NPV"}
	spreads := r.Paths > 0 && !said.Few(r)
	if spreads {
		head = append(head, ">P10", ">P90")
	}
	head = append(head, ">over mining", ">IRR*", ">equity IRR*", ">min DSCR*", ">after tax*")
	g := table.New(head...)
	for _, b := range r.Best {
		row := []string{b.Hall, b.Title, dollars(b.NPV.Mean)}
		if spreads {
			row = append(row, dollars(b.NPV.P10), dollars(b.NPV.P90))
		}
		o := optionOf(r, b.Hall, b.Option)
		row = append(row, dollars(b.Over), percent(o.IRR, o.NoIRR), percent(o.IRROwners, o.NoIRR), ratio(o.MinDSCR), ratio(o.TaxedDSCR))
		g.Add(row...)
	}
	g.Print(w, 2)
	of := "NPV is the mean over all futures"
	if r.Paths == 0 {
		of = "NPV is of the expected case"
	}
	fmt.Fprintf(w, "  %s; * expected case, of what is built; DSCR of twelve months, before tax and after it.\n", of)
	for _, b := range r.Best {
		if b.Alone != "" {
			fmt.Fprintf(w, "  %s alone would choose %s.\n", b.Hall, b.Alone)
		}
	}
}

// optionOf returns an option of a hall, or one that says nothing.
func optionOf(r *study.Report, hall, name string) study.Option {
	for _, o := range r.Options {
		if o.Hall == hall && o.Name == name {
			return o
		}
	}
	return study.Option{}
}

// printFindings prints what must not be missed of the site and of what is chosen, the gravest
// first; what is to be said of other options stands in the report.
func printFindings(w io.Writer, r *study.Report) {
	chosen := map[string]string{}
	for _, b := range r.Best {
		chosen[b.Hall] = b.Option
	}
	var ours []study.Finding
	for _, f := range r.Findings {
		if f.Hall == "" || f.Option == "" || chosen[f.Hall] == f.Option {
			ours = append(ours, f)
		}
	}
	grave := []string{"covenant", "loan", "limit", "input", "cash", "tax", "irr"}
	slices.SortStableFunc(ours, func(a, b study.Finding) int {
		if a.Top != b.Top {
			return map[bool]int{true: -1, false: 1}[a.Top]
		}
		return cmp.Compare(slices.Index(grave, a.Kind), slices.Index(grave, b.Kind))
	})
	if len(r.Findings) == 0 {
		return
	}
	fmt.Fprintln(w, "\nNot to be missed")
	shown := ours[:min(mostFindings, len(ours))]
	for _, f := range shown {
		where := strings.TrimSpace(f.Hall + " " + f.Option)
		if f.Month != "" {
			where = strings.TrimSpace(where + " " + f.Month)
		}
		if where != "" {
			where += ": "
		}
		fmt.Fprintf(w, "  %s%s\n", where, f.Text)
	}
	if more := len(r.Findings) - len(shown); more > 0 {
		fmt.Fprintf(w, "  %d more in the report, most of them of options not chosen\n", more)
	}
}

// printLook says which inputs the answer hangs on.
func printLook(w io.Writer, r *study.Report) {
	if len(r.Tornado) == 0 {
		return
	}
	bars := slices.Clone(r.Tornado)
	slices.SortStableFunc(bars, func(a, b study.Bar) int {
		return cmp.Compare(math.Abs(b.NPVHigh-b.NPVLow), math.Abs(a.NPVHigh-a.NPVLow))
	})
	fmt.Fprintf(w, "\nLook next at what it hangs on: what moves the expected case's %s\n", dollars(r.Portfolio.Expected))
	g := table.New("input", "from", "to", ">NPV, expected case", ">to")
	for _, b := range bars[:min(mostLook, len(bars))] {
		g.Add(b.Input, b.Low, b.High, dollars(b.NPVLow), dollars(b.NPVHigh))
	}
	g.Print(w, 2)
	if i := r.Regret.Least; i >= 0 && i < len(r.Regret.Decisions) && i < len(r.Regret.Worst) {
		fmt.Fprintf(w, "  Least to regret over the file's scenarios: %s, at most %s short of the best.\n", r.Regret.Decisions[i], dollars(r.Regret.Worst[i]))
	}
}

// weakest tells how many of the given figures are assumptions too.
func weakest(r *study.Report) string {
	n := 0
	for _, g := range r.Given {
		if g.From == "assumption" || g.From == "" {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d of those given are assumptions)", n)
}

// dollars prints money in three digits or so.
func dollars(v float64) string {
	a := math.Abs(v)
	sign := ""
	if v < 0 {
		sign = "-"
	}
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "?"
	case a >= 9.995e8:
		return sign + "$" + strconv.FormatFloat(a/1e9, 'f', 2, 64) + "B"
	case a >= 9.995e5:
		return sign + "$" + strconv.FormatFloat(a/1e6, 'f', 1, 64) + "M"
	case a >= 1e3:
		return sign + "$" + strconv.FormatFloat(a/1e3, 'f', 0, 64) + "k"
	}
	return sign + "$" + strconv.FormatFloat(a, 'f', 0, 64)
}

// spread is the portfolio's in brackets; of few futures, that it is none.
func spread(r *study.Report) string {
	d := r.Portfolio.NPV
	switch {
	case r.Paths == 0:
		return " in the expected case"
	case said.Few(r):
		return fmt.Sprintf(", the mean (%s)", said.Spread(r))
	}
	return fmt.Sprintf(", the mean (%s to %s in %s)", dollars(d.P10), dollars(d.P90), said.Spread(r))
}

// percent prints a share a year; one that does not exist is told by why.
func percent(v *float64, why string) string {
	if v == nil {
		if why == "" {
			return "-"
		}
		return "none"
	}
	return strconv.FormatFloat(100**v, 'f', 1, 64) + " %"
}

func rate(v study.Rate) string {
	if v.Pct == nil {
		if v.None == "" {
			return "none"
		}
		return "none (" + v.None + ")"
	}
	return strconv.FormatFloat(*v.Pct, 'f', 1, 64) + " %"
}

func ratio(v *float64) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'f', 2, 64)
}
