package page

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"switchyard/backtest"
)

//go:embed page.html
var text string

// view is what the page shows.
type view struct {
	*backtest.Report
	Days     string
	Own      *backtest.PolicyResult // the policy that the charts are of
	Head     []card
	Rows     []row
	Months   []monthRow
	Infos    []backtest.Information
	Legend   []source
	Duration template.HTML
	Calendar template.HTML
	Earnings template.HTML
	Regret   template.HTML
	Zone     string
}

// card is one large figure.
type card struct{ Value, What string }

// row is a policy under one information setting.
type row struct {
	backtest.PolicyResult
	Class string
}

// monthRow is a month with what each policy captured in it.
type monthRow struct {
	Month, AlwaysOn, Perfect string
	Captured                 []string
	Curtailed, Profit        string
}

// Write writes the report as one HTML page.
func Write(out io.Writer, r *backtest.Report) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"dollars": full, "share": share, "percent": func(v float64) string { return percent(v) },
		"whole": func(v float64) string { return group(fmt.Sprintf("%.0f", v)) }, "count": func(v int) string { return group(fmt.Sprint(v)) },
		"span": func(s float64) string { return short(time.Duration(s) * time.Second) },
		"time": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") },
	}).Parse(text)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	return t.Execute(out, viewOf(r))
}

func viewOf(r *backtest.Report) view {
	zone, err := time.LoadLocation(r.Timezone)
	if err != nil {
		zone = time.UTC
	}
	v := view{Report: r, Zone: r.Timezone, Legend: sources()}
	v.Days = fmt.Sprintf("%s to %s", r.From.In(zone).Format("2 January 2006"), r.To.In(zone).Add(-time.Second).Format("2 January 2006"))
	for k := range r.Policies {
		p := &r.Policies[k]
		v.Rows = append(v.Rows, row{*p, p.Name})
		if p.Name == backtest.Switchyard || v.Own == nil || v.Own.Name != backtest.Switchyard && p.Name != backtest.Perfect {
			v.Own = p // the last of its kind: the one that knows prices late
		}
	}
	v.Duration = duration(r)
	if v.Own == nil {
		return v
	}
	key := backtest.Key(v.Own.Name, v.Own.Information)
	v.Calendar = calendar(r, r.Charts.Resting[key], zone)
	v.Earnings = earnings(v.Own.Months)
	regret := make([]float64, len(r.Charts.Days))
	best := r.Charts.Profit[backtest.Key(backtest.Perfect, v.Own.Information)]
	for d, own := range r.Charts.Profit[key] {
		regret[d] = best[d] - own
	}
	v.Regret = bars(r.Charts.Days, regret, "regret", "Regret by day")
	v.Head = cards(r, v.Own)
	v.Months = months(r, v.Own)
	return v
}

func cards(r *backtest.Report, own *backtest.PolicyResult) []card {
	out := []card{{full(own.Profit), "profit"}, {full(own.Uplift), "more than always on"}, {share(own.Capture), "of what perfect foresight could add"}}
	for _, p := range r.Policies {
		if p.Name == own.Name && p.Information != own.Information {
			out = append(out, card{share(p.Capture), "with prices known at the start of each interval"})
		}
	}
	return append(out, card{percent(own.Curtailed), "curtailed"}, card{group(fmt.Sprint(own.Starts)), "starts of machines"})
}

func months(r *backtest.Report, own *backtest.PolicyResult) (out []monthRow) {
	for k, m := range own.Months {
		x := monthRow{Month: m.Month, Curtailed: percent(m.Curtailed), Profit: full(m.Profit)}
		for _, p := range r.Policies {
			switch p.Name {
			case backtest.AlwaysOn:
				x.AlwaysOn = full(p.Months[k].Profit)
			case backtest.Perfect:
				x.Perfect = full(p.Months[k].Profit)
			default:
				x.Captured = append(x.Captured, share(p.Months[k].Capture))
			}
		}
		out = append(out, x)
	}
	return out
}

// Captured heads the columns of the monthly table.
func (v view) Captured() (out []string) {
	for _, p := range v.Policies {
		if p.Name != backtest.AlwaysOn && p.Name != backtest.Perfect {
			out = append(out, p.Name+", "+string(p.Information))
		}
	}
	return out
}

func share(v *float64) string {
	switch {
	case v == nil:
		return "–"
	case *v < -1:
		return "< −100 %" // of next to nothing that could be gained
	}
	return percent(*v)
}

func percent(v float64) string { return fmt.Sprintf("%.1f %%", v*100) }

// short prints a length of time without its zeros: "1h", "5m".
func short(d time.Duration) string {
	s := d.String()
	if t, ok := strings.CutSuffix(s, "m0s"); ok {
		s = t + "m"
	}
	if t, ok := strings.CutSuffix(s, "h0m"); ok {
		s = t + "h"
	}
	return s
}

// full prints an amount in whole dollars, with commas.
func full(v float64) string {
	s := group(fmt.Sprintf("%.0f", v))
	if rest, minus := strings.CutPrefix(s, "-"); minus {
		return "-$" + rest
	}
	return "$" + s
}

// group puts commas between thousands.
func group(s string) string {
	start := 0
	if strings.HasPrefix(s, "-") {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
