package sheet

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"switchyard/study"
	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/study/sheet/ref"
)

// dying is the sample with power so dear that all halls are closed.
func dying(t *testing.T) (*input.File, *study.Report) {
	t.Helper()
	text := string(input.Sample())
	for _, c := range [][2]string{
		{"flat: 42 $/MWh", "flat: 420 $/MWh"},
		{"of: site # with land", "of: power # with land"},
		{"closing: 6 months", "closing: 2 months"},
		{"    price: {p50: 0.50 $M/MW, p10: 0.30 $M/MW, p90: 0.90 $M/MW} # of utility power\n    costs: 3 %\n", ""},
		{"from: 2027-01, to: 2031-01, every: 6 months}\n  - {id: greenfield", "from: 2027-09, to: 2027-09, every: 6 months}\n  - {id: greenfield"},
	} {
		if strings.Count(text, c[0]) != 1 {
			t.Fatalf("the sample has %q %d times", c[0], strings.Count(text, c[0]))
		}
		text = strings.Replace(text, c[0], c[1], 1)
	}
	f, _ := expected(t, []byte(text))
	f.Site.WindDown = figure.Of(figure.Months(4), figure.Assumption, "test")
	f.Options = slices.DeleteFunc(f.Options, func(o input.Option) bool { return o.Kind != input.Sell && o.Kind != input.Mine })
	f.Tax.Losses = input.Relief
	none := 0
	r, err := study.Run(t.Context(), f, study.Options{Paths: &none})
	if err != nil {
		t.Fatal(err)
	}
	return f, r
}

// TestClosingByLibreOffice: where all halls go, the site's own costs end with them, by formulas as by the program;
// and losses save their tax at once.
func TestClosingByLibreOffice(t *testing.T) {
	t.Parallel()
	f, r := dying(t)
	for _, b := range r.Best {
		if b.Option != "sell" {
			t.Fatalf("%s does %s", b.Hall, b.Title)
		}
	}
	sheets := calculated(t, workbook(t, f, r))
	agree(t, sheets)
	sound(t, sheets)
	paid := 0
	for _, row := range sheets["Site_costs"] {
		for m := range f.Months() {
			if v, err := strconv.ParseFloat(row[min(ref.FirstMonth-1+m, len(row)-1)], 64); row[0] == "Site's fixed costs" && err == nil && v < 0 {
				paid++
			}
		}
	}
	if paid != 8+2+1+4 { // mining before September, closing, the month in which the halls go, winding down
		t.Errorf("the site costs something in %d months", paid)
	}
	for _, row := range sheets["Summary"] {
		want := map[string]float64{"All halls as chosen, less those": r.Portfolio.Expected, "All halls mining on, less those": r.Portfolio.MiningOn.Mean}[row[0]]
		if want == 0 {
			continue
		}
		if v, err := strconv.ParseFloat(row[3], 64); err != nil || math.Abs(v-want) > 0.01 {
			t.Errorf("%s: %s, and %.2f by the program", row[0], row[3], want)
		}
	}
}
