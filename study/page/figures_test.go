package page

import (
	"encoding/xml"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"switchyard/study"
	"switchyard/study/finance"
	"switchyard/study/flow"
	"switchyard/study/said"
)

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{money(412_345_678), "$412.3M"},
		{money(-1_234_567_890), "−$1,234.6M"},
		{money(38_200), "$38k"},
		{money(-499), "−$499"},
		{money(0.2), "$0"},
		{money(math.NaN()), none},
		{money(49_999), "$50k"},
		{money(50_000), "$0.1M"},
		{million(412_345_678), "412.3"},
		{million(-12_340_000), "(12.3)"},
		{million(-20_000), "0.0"},
		{million(math.Inf(1)), none},
		{million(9_876_543_210), "9,876.5"},
		{short(40e6), "$40M"},
		{short(-2.5e6), "−$2.5M"},
		{short(500e3), "$500k"},
		{short(0), "$0"},
		{short(1.2e9), "$1.2B"},
		{percent(0.1234), "12.3 %"},
		{chance(0.004), "< 1 %"},
		{chance(0.999), "> 99 %"},
		{chance(0), "0 %"},
		{chance(1), "100 %"},
		{chance(0.826), "83 %"},
		{small(0.0000312), "0.0031 %"},
		{small(0.0312), "3.12 %"},
		{ratio(1.315), "1.31"},
		{plain(-1234.5), "−1,234.5"},
		{tera(146.47e12), "146.47 T"},
		{years(1), "1 month"},
		{years(9), "9 months"},
		{years(12), "1 year"},
		{years(54), "4.5 years"},
		{years(24), "2 years"},
		{list([]string{"a", "b", "c"}), "a, b and c"},
		{list(nil), ""},
		{lower("Host for X"), "host for X"},
		{lower("GPU cloud"), "GPU cloud"},
		{cut("a very long name indeed", 62), "a very lo…"},
		{commandOf("a/b.yaml"), "switchyard study a/b.yaml -o html"},
		{commandOf("it's; rm"), `switchyard study 'it'\''s; rm' -o html`},
	} {
		if c.got != c.want {
			t.Errorf("printed %q, want %q", c.got, c.want)
		}
	}
}

// TestHeadline: what a board reads first, worked out by hand from the sample.
func TestHeadline(t *testing.T) {
	a := adviceOf(sample())
	for _, c := range []struct{ got, want string }{
		{a.Do, "In North, host for Example Compute from 2027-07; in South, host for Example Compute from 2028-01; in East, mine on; in West, sell the hall, paid 2028-01."},
		{a.Worth, "Together this is worth $212.3M today, $157.3M more than mining on everywhere: the mean over 10,000 futures. One future in ten brings less than $117.3M, one in ten more than $326.3M. " +
			"The expected case is worth $205.0M and the mean over all futures $212.3M: the one is a single future in which each figure is at its middle and nothing happens by chance; " +
			"the other counts tenants that fail, buildings that come late or dear, and prices that rise and fall."},
		{a.Takes, "In the expected case it takes $330.0M of building and machines, $231.0M of it borrowed; the owners have at most $115.5M in it at a time. What binds: crew of 25 MW from 2027-07 and 40 $M of equity in 2028-03."},
		{a.Risks, "East is the likeliest to lose: in 31 % of futures it is worth less than nothing. A lender's covenant is broken in up to 7 % of futures (North and South). In the expected case the site covers its debt service 1.08 times before tax and 0.97 times after tax in its tightest twelve months, below the covenant of 1.15. Rent moves the expected case's $205.0M most: to $110.0M at 118 $/kW-month, to $281.0M at 162 $/kW-month."},
	} {
		if c.got != c.want {
			t.Errorf("says\n%s\nwant\n%s", c.got, c.want)
		}
	}
	r := sample()
	r.Best = []study.Choice{{Hall: "North", Title: "Mine on"}, {Hall: "South", Title: "Mine on"}}
	r.Portfolio = study.Portfolio{NPV: study.Dist{Mean: 40e6}, MiningOn: study.Dist{Mean: 41e6}}
	a = adviceOf(r)
	if a.Do != "In North and South, mine on." || !strings.Contains(a.Worth, "$1.0M less than mining on") || a.Takes != "Nothing is built for it." {
		t.Errorf("of mining on alone: %+v", a)
	}
	r = without()
	if a = adviceOf(r); !strings.Contains(a.Worth, "worth $205.0M today, $150.0M more") || !strings.Contains(a.Worth, "in the expected case") || strings.Contains(a.Worth, "One future in ten") {
		t.Errorf("without random futures: %s", a.Worth)
	}
}

func TestFindings(t *testing.T) {
	got := findingsOf(sample().Findings)
	var kinds []string
	for _, f := range got {
		kinds = append(kinds, f.Kind)
	}
	if !slices.Equal(kinds, []string{"cash", "covenant", "no rate of return", "input"}) {
		t.Errorf("findings stand in the order %v", kinds)
	}
	if !slices.Equal(got[0].Where, []string{"North, mine, 2032-06", "South, mine, 2032-06"}) {
		t.Errorf("the same said of two halls is told of %v", got[0].Where)
	}
}

// TestEverySourceOnce: all lines but warrants, which are no cash, are drawn, and none twice.
func TestEverySourceOnce(t *testing.T) {
	drawn := map[flow.Line]int{}
	for _, s := range sources() {
		for _, l := range s.lines {
			drawn[l]++
		}
	}
	for l := flow.Line(0); l < flow.Lines; l++ {
		want := 1
		if l == flow.Warrants {
			want = 0
		}
		if drawn[l] != want {
			t.Errorf("%v is drawn %d times", l, drawn[l])
		}
	}
}

// TestEveryRow stands once in the statements, and every line too.
func TestEveryRow(t *testing.T) {
	y := study.Year{Label: "2027", Lines: map[string]float64{}, Rows: map[string]float64{}, MWh: 1}
	for l := flow.Line(0); l < flow.Lines; l++ {
		y.Lines[l.Key()] = 1e6
	}
	for r := finance.Row(0); r < finance.Rows; r++ {
		y.Rows[r.Key()] = -1e6
	}
	_, groups := statementOf([]study.Year{y})
	n := 0
	for _, g := range groups {
		n += len(g.Rows)
	}
	if want := int(flow.Lines) + int(finance.Rows) + 1; n != want || len(groups) != 7 {
		t.Errorf("%d rows in %d groups, want %d in 7", n, len(groups), want)
	}
}

func TestCovenant(t *testing.T) {
	r := sample()
	if got := covenantOf(r); got != 1.15 {
		t.Errorf("the covenant is %v", got)
	}
	r.Given = append(r.Given, r.Given[12])
	r.Given[len(r.Given)-1].Value = "1.20"
	if got := covenantOf(r); got != 0 {
		t.Errorf("of two covenants, %v was drawn", got)
	}
}

func TestCompareTellsWhatDiffers(t *testing.T) {
	a, b := sample(), other()
	differ, same := differences([]*study.Report{a, b})
	if len(differ) != 2 || differ[0].Name != "leases[0].rate" || differ[1].Name != "limits.crew" || same != 17 {
		t.Errorf("%d are the same, and %+v differ", same, differ)
	}
	if w := unlike([]*study.Report{a, b}); len(w) != 1 || !strings.Contains(w[0], "seed 7, 10,000 paths and seed 8") {
		t.Errorf("warned of %v", w)
	}
	if err := Compare(&strings.Builder{}, []*study.Report{a}); err == nil {
		t.Error("one study was compared with none")
	}
}

// TestHostileFigures: whatever figures a report holds, the page is well formed and prints no fault.
func TestHostileFigures(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, -1, 1e-300, 1e25, -1e25, math.MaxFloat64} {
		for _, every := range []int{1, 3} {
			r := sample()
			n := 0
			poison(reflect.ValueOf(r).Elem(), v, every, &n)
			if n < 3000 {
				t.Fatalf("only %d figures were changed", n)
			}
			text := written(t, r)
			for _, bad := range []string{"NaN", "Inf", "%!"} {
				if at := strings.Index(text, bad); at >= 0 {
					t.Fatalf("of %v the page makes …%s…", v, text[max(0, at-120):at+20])
				}
			}
			tags(t, "the page", text, func(xml.StartElement) {})
		}
	}
}

// poison sets one in every so many figures of a value, however deep, to v.
func poison(x reflect.Value, v float64, every int, n *int) {
	switch x.Kind() {
	case reflect.Float64:
		if *n++; *n%every == 0 {
			x.SetFloat(v)
		}
	case reflect.Pointer:
		if !x.IsNil() {
			poison(x.Elem(), v, every, n)
		}
	case reflect.Struct:
		for k := range x.NumField() {
			poison(x.Field(k), v, every, n)
		}
	case reflect.Slice:
		for k := range x.Len() {
			poison(x.Index(k), v, every, n)
		}
	case reflect.Map:
		for _, k := range x.MapKeys() {
			if e := x.MapIndex(k); e.Kind() == reflect.Float64 {
				*n++ // all of a map: it has no order to count by
				x.SetMapIndex(k, reflect.ValueOf(v))
			}
		}
	}
}

// TestFewFuturesHaveNoSpread: of one path, or of nineteen, the page tells no P10, no chance and no eight in ten.
func TestFewFuturesHaveNoSpread(t *testing.T) {
	for _, paths := range []int{1, 19} {
		r := sample()
		r.Paths = paths
		text := plainText(written(t, r))
		for _, s := range []string{"eight futures in ten", "One future in ten brings", "is the likeliest to lose", money(r.Portfolio.NPV.P10) + " to "} {
			if strings.Contains(text, s) {
				t.Errorf("of %d futures the page says %q", paths, s)
			}
		}
		if !strings.Contains(text, said.Spread(r)) {
			t.Errorf("of %d futures the page does not say that they are too few", paths)
		}
	}
}

// TestChosenHasItsFigures: a choice that limits moved has no dashes, and the map's frame is the best start by itself.
func TestChosenHasItsFigures(t *testing.T) {
	r := sample()
	for _, c := range choicesOf(r) {
		o := optionOf(r, c.Hall, "host")
		if c.Hall == "South" && (c.Lose != chance(o.Loses) || c.Beats != chance(o.BeatsMining) || c.Breach != chance(*o.Breach)) {
			t.Errorf("%s ends below 0 in %s, beats mining on in %s, breaks the covenant in %s", c.Hall, c.Lose, c.Beats, c.Breach)
		}
	}
	o := study.Option{Start: "2028-01", Timing: []study.Timing{{Month: "2027-01", NPV: 3}, {Month: "2028-01", NPV: 2}}}
	if got := bestStart(o); got != "2027-01" {
		t.Errorf("its best start is %s", got)
	}
}

// TestRoundedBeyond: an axis ends at a figure that it names.
func TestRoundedBeyond(t *testing.T) {
	for _, c := range []struct {
		v        float64
		way      int
		expected float64
	}{{78, 1, 100}, {41, 1, 50}, {2.7, -1, 2}, {0.09, -1, 0.05}, {100, 1, 100}} {
		if got := rounded(c.v, c.way); got < c.expected*0.999 || got > c.expected*1.001 {
			t.Errorf("beyond %v: %v, want %v", c.v, got, c.expected)
		}
	}
}

// TestWorthOverTheBestAlternative: what is chosen is held against the best of the rest, with mining on beside it.
func TestWorthOverTheBestAlternative(t *testing.T) {
	r := sample()
	over := 61.2e6
	r.Portfolio.Alternative, r.Portfolio.OverAlternative = "sell in 4 halls", &over
	if got := whatItIsWorth(r); !strings.Contains(got, "today, $61.2M more than the best alternative (sell in 4 halls), $157.3M more than mining on everywhere") {
		t.Errorf("it says %q", got)
	}
}
