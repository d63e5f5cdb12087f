package page

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"switchyard/study"
	"switchyard/study/said"
)

// advice is what the page says first: what to do, what it is worth, what it takes, what it risks.
type advice struct {
	Do                  string
	Worth, Takes, Risks string
}

func adviceOf(r *study.Report) advice {
	return advice{Do: whatToDo(r), Worth: whatItIsWorth(r), Takes: whatItTakes(r), Risks: whatItRisks(r)}
}

// value is a figure's mean over the paths, or its expected case where no path was drawn.
func value(r *study.Report, d study.Dist, expected float64) float64 {
	if r.Paths == 0 && d.Mean == 0 {
		return expected
	}
	return d.Mean
}

// gain is what the portfolio is worth over mining on.
func gain(r *study.Report) float64 {
	return value(r, r.Portfolio.NPV, r.Portfolio.Expected) - r.Portfolio.MiningOn.Mean
}

// whatToDo names the choices, halls that do the same together: "In H1 and H2, host for X from
// 2027-07; in H3, mine on."
func whatToDo(r *study.Report) string {
	var titles []string
	halls := map[string][]string{}
	for _, b := range r.Best {
		title := b.Title
		if title == "" {
			title = b.Option
		}
		if !slices.Contains(titles, title) {
			titles = append(titles, title)
		}
		halls[title] = append(halls[title], b.Hall)
	}
	if len(titles) == 0 {
		return "No combination of options fits the limits of this study."
	}
	parts := make([]string, len(titles))
	for k, t := range titles {
		in := "in "
		if k == 0 {
			in = "In "
		}
		parts[k] = in + list(halls[t]) + ", " + lower(t)
	}
	return strings.Join(parts, "; ") + "."
}

// lower begins a title as it stands within a sentence; an abbreviation keeps its capitals.
func lower(s string) string {
	r := []rune(s)
	if len(r) > 1 && unicode.IsUpper(r[0]) && unicode.IsLower(r[1]) {
		r[0] = unicode.ToLower(r[0])
	}
	return string(r)
}

func whatItIsWorth(r *study.Report) string {
	if len(r.Best) == 0 {
		return ""
	}
	p := r.Portfolio
	v, g := value(r, p.NPV, p.Expected), gain(r)
	s := fmt.Sprintf("Together this is worth %s today", money(v))
	// Mining on may be a loss that nobody need bear: the best of the other ways says more.
	if o := p.OverAlternative; o != nil && p.Alternative != study.MineEverywhere && *o >= 500 {
		s += fmt.Sprintf(", %s more than the best alternative (%s)", money(*o), p.Alternative)
	}
	switch {
	case g >= 500:
		s += fmt.Sprintf(", %s more than mining on everywhere", money(g))
	case g <= -500:
		s += fmt.Sprintf(", %s less than mining on everywhere", money(-g))
	default:
		s += ", as much as mining on everywhere"
	}
	if r.Paths == 0 {
		return s + ", in the expected case. No random futures were drawn, so this study does not say how sure that is."
	}
	if said.Few(r) {
		return s + ": the mean " + said.Spread(r) + ". " + minus(said.Apart(r))
	}
	return s + fmt.Sprintf(": the mean over %s futures. One future in ten brings less than %s, one in ten more than %s. ", group(float64(r.Paths), 0), money(p.NPV.P10), money(p.NPV.P90)) + minus(said.Apart(r))
}

func whatItTakes(r *study.Report) string {
	p := r.Portfolio
	switch {
	case len(r.Best) == 0:
		return ""
	case p.Capex == 0:
		return "Nothing is built for it."
	}
	s := fmt.Sprintf("In the expected case it takes %s of building and machines", money(abs(p.Capex)))
	if p.Debt > 0 {
		s += fmt.Sprintf(", %s of it borrowed", money(p.Debt))
	} else {
		s += ", none of it borrowed"
	}
	s += fmt.Sprintf("; the owners have at most %s in it at a time.", money(p.PeakEquity))
	if len(p.Bound) > 0 {
		s += " What binds: " + list(p.Bound) + "."
	}
	return s
}

func abs(v float64) float64 { return max(v, -v) }

// whatItRisks names the hall that is most likely to lose, the lender's covenant, and the input that
// moves the value most.
func whatItRisks(r *study.Report) string {
	var out []string
	worst := (*study.Option)(nil)
	var broken []string
	most := 0.0
	for _, b := range r.Best {
		o := chosen(r, b)
		if r.Paths == 0 || said.Few(r) || o == nil {
			continue
		}
		if o.Loses > 0 && (worst == nil || o.Loses > worst.Loses) {
			worst = o
		}
		if o.Breach != nil && *o.Breach > 0 {
			broken, most = append(broken, o.Hall), max(most, *o.Breach)
		}
	}
	if worst != nil {
		s := fmt.Sprintf("%s is the likeliest to lose: in %s of futures it is worth less than nothing", worst.Hall, chance(worst.Loses))
		if worst.Kind != "mine" {
			s += fmt.Sprintf(", in %s mining on would have been better", chance(1-worst.BeatsMining))
		}
		out = append(out, s)
	}
	if len(broken) > 0 {
		out = append(out, fmt.Sprintf("a lender's covenant is broken in up to %s of futures (%s)", chance(most), list(broken)))
	}
	if d := r.Portfolio.MinDSCR; d != nil {
		s := fmt.Sprintf("in the expected case the site covers its debt service %s times before tax", ratio(*d))
		if after := r.Portfolio.TaxedDSCR; after != nil {
			s += fmt.Sprintf(" and %s times after tax", ratio(*after))
		}
		s += " in its tightest twelve months"
		if c := covenantOf(r); c > *d {
			s += ", below the covenant of " + ratio(c)
		} else if after := r.Portfolio.TaxedDSCR; after != nil && c > *after {
			s += fmt.Sprintf(", the latter below the covenant of %s, which is tested before tax", ratio(c))
		}
		out = append(out, s)
	}
	if len(r.Tornado) > 0 {
		b := r.Tornado[0]
		out = append(out, fmt.Sprintf("%s moves the expected case's %s most: to %s at %s, to %s at %s", lower(b.Input), money(r.Portfolio.Expected), money(b.NPVLow), b.Low, money(b.NPVHigh), b.High))
	}
	for k, s := range out {
		out[k] = upper(s)
	}
	if len(out) == 0 {
		return ""
	}
	return strings.Join(out, ". ") + "."
}

// minus has a sentence with true minuses before its sums.
func minus(s string) string { return strings.ReplaceAll(s, "-$", "−$") }

func upper(s string) string {
	r := []rune(s)
	if len(r) > 0 {
		r[0] = unicode.ToUpper(r[0])
	}
	return string(r)
}

// chosen is the option of a choice, where it is told for the same start.
func chosen(r *study.Report, b study.Choice) *study.Option {
	if o := optionOf(r, b.Hall, b.Option); o != nil && (b.Start == "" || o.Start == b.Start) {
		return o
	}
	return nil
}

func optionOf(r *study.Report, hall, name string) *study.Option {
	for k := range r.Options {
		if o := &r.Options[k]; o.Hall == hall && o.Name == name {
			return o
		}
	}
	return nil
}

// finding is one or several findings that say the same.
type finding struct {
	Class, Kind, Text string
	Where             []string
}

// topKind is what is read before all.
const topKind = "first of all"

// gravity is the order in which findings are read, the gravest first.
func gravity() []string {
	return []string{topKind, "cash", "covenant", "irr", "choice", "loan", "limit", "tax", "input"}
}

// apart parts what is said of the site and of what is chosen from what is said of options that are not.
func apart(r *study.Report) (chosen, others []study.Finding) {
	for _, f := range r.Findings {
		taken := f.Hall == "" || f.Option == "" || len(r.Best) == 0
		for _, c := range r.Best {
			taken = taken || c.Hall == f.Hall && c.Option == f.Option
		}
		if taken {
			chosen = append(chosen, f)
		} else {
			others = append(others, f)
		}
	}
	return chosen, others
}

// findingsOf puts the gravest first, and together what is said of several halls or months.
func findingsOf(fs []study.Finding) (out []finding) {
	rank := func(kind string) int {
		if k := slices.Index(gravity(), kind); k >= 0 {
			return k
		}
		return len(gravity())
	}
	names := map[string]string{"choice": "choice", "cash": "cash", "covenant": "covenant", "irr": "no rate of return", "loan": "loan", "limit": "limit", "tax": "tax", "input": "input"}
	for _, f := range fs {
		if f.Top { // the answer itself hangs on it
			f.Kind = topKind
		}
		var where []string
		for _, s := range []string{f.Hall, f.Option, f.Month} {
			if s != "" {
				where = append(where, s)
			}
		}
		at := slices.IndexFunc(out, func(o finding) bool { return o.Kind == f.Kind && o.Text == f.Text })
		if at < 0 {
			class := "warn"
			if f.Kind == "cash" || f.Kind == "covenant" || f.Kind == topKind {
				class = "grave"
			}
			out, at = append(out, finding{Class: class, Kind: f.Kind, Text: f.Text}), len(out)
		}
		if w := strings.Join(where, ", "); w != "" {
			out[at].Where = append(out[at].Where, w)
		}
	}
	slices.SortStableFunc(out, func(a, b finding) int { return rank(a.Kind) - rank(b.Kind) })
	for k := range out {
		if n, ok := names[out[k].Kind]; ok {
			out[k].Kind = n
		}
	}
	return out
}
