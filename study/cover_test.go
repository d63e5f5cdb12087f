package study

import (
	"math"
	"slices"
	"strings"
	"testing"

	"switchyard/study/finance"
	"switchyard/study/input"
)

// TestCoverOfTwelveMonths: by hand, 18 months of service from month 2: 1.5 times in the first twelve, 1.2 after.
func TestCoverOfTwelveMonths(t *testing.T) {
	cash, due := make([]float64, 24), make([]float64, 24)
	for m := range cash {
		cash[m] = 150
		if m >= 14 {
			cash[m] = 120
		}
		if m >= 2 && m < 20 {
			due[m] = 100
		}
	}
	c := coverOf(cash, due, 2, 1.4)
	for m, want := range map[int]float64{13: 1.5, 14: 1.475, 19: 1.35} {
		if math.Abs(c.by[m]-want) > 1e-12 {
			t.Errorf("month %d: %v, want %v", m, c.by[m], want)
		}
	}
	for m, v := range c.by {
		if (m < 13 || m > 19) != math.IsNaN(v) {
			t.Errorf("month %d: %v", m, v)
		}
	}
	if math.Abs(c.least-1.35) > 1e-12 || math.Abs(c.mean-1.4) > 1e-12 || c.below != 2 || c.first != 18 {
		t.Errorf("least %v, mean %v, %d below from %d", c.least, c.mean, c.below, c.first)
	}
	if c = coverOf(cash[:9], due[:9], 2, 0); c.least != c.mean || math.Abs(c.least-1.5) > 1e-12 {
		t.Errorf("a short loan: least %v, mean %v", c.least, c.mean)
	}
	if c = coverOf(cash, make([]float64, 24), 24, 1.4); !math.IsNaN(c.least) || c.below != 0 {
		t.Errorf("no loan: %v", c.least)
	}
}

// TestSaleBearsItsTax: of what a sale brings its month's tax is paid first, and only the rest of the tax is the lender's.
func TestSaleBearsItsTax(t *testing.T) {
	var rows [finance.Rows][]float64
	for r := range rows {
		rows[r] = make([]float64, 3)
	}
	for m := range 3 {
		rows[finance.CFADS][m], rows[finance.Due][m], rows[finance.TaxPaid][m] = 150, 100, -30
	}
	rows[finance.SaleCash][1], rows[finance.SaleCash][2], rows[finance.TaxPaid][2] = 20, 500, -140
	if c := coversOf(&rows, 0, 0); math.Abs(c.before.mean-1.5) > 1e-12 || math.Abs(c.after.mean-(450.0-30-10)/300) > 1e-12 {
		t.Errorf("before tax %v, after it %v", c.before.mean, c.after.mean)
	}
}

// TestOneCover: the site's lowest DSCR, that of its months, of its years and of the expected scenario are one.
func TestOneCover(t *testing.T) {
	r := run(t, sample(t), 0)
	p := &r.Portfolio
	from := slices.IndexFunc(p.Months.Service, func(v float64) bool { return v > 0 })
	least := math.Inf(1)
	for m, v := range p.Months.DSCR {
		want := math.NaN()
		if m >= from+11 && p.Months.Service[m] > 0 {
			want = total(p.Months.CFADS[m-11:m+1]) / total(p.Months.Service[m-11:m+1])
			least = math.Min(least, want)
		}
		if (v == nil) != math.IsNaN(want) || v != nil && math.Abs(*v-want) > 1e-5 {
			t.Errorf("%s: %v, want %v", p.Months.Labels[m], v, want)
		}
	}
	if p.MinDSCR == nil || math.Abs(*p.MinDSCR-least) > 1e-5 || r.Scenarios[0].MinDSCR == nil || math.Abs(*r.Scenarios[0].MinDSCR-least) > 1e-5 {
		t.Errorf("lowest %v, by month %v, in the expected scenario %v", p.MinDSCR, least, r.Scenarios[0].MinDSCR)
	}
	for y := range p.Years {
		got, has := p.Years[y].Rows[finance.Cover.Key()]
		want := math.NaN()
		for m := 12 * y; m < 12*y+12; m++ {
			if v := p.Months.DSCR[m]; v != nil {
				want = *v
			}
		}
		if has == math.IsNaN(want) || has && math.Abs(got-want) > 0.006 {
			t.Errorf("%s: %v, want %v", p.Years[y].Label, got, want)
		}
	}
}

// TestCoverAfterTax: what tax leaves is less than what lenders count, and where it does not meet the covenant a
// finding says so.
func TestCoverAfterTax(t *testing.T) {
	f := sample(t)
	for i := range f.Financings {
		f.Financings[i].LoanToCost.Is = 1
	}
	r := run(t, f, 0)
	broken := 0
	for i := range r.Options {
		o := &r.Options[i]
		if (o.MinDSCR == nil) != (o.TaxedDSCR == nil) || (o.MeanDSCR == nil) != (o.TaxedMean == nil) {
			t.Fatalf("%s, %s: before tax %v, after %v", o.Hall, o.Name, o.MinDSCR, o.TaxedDSCR)
		}
		if o.TaxedDSCR == nil {
			continue
		}
		if *o.TaxedDSCR > *o.MinDSCR+1e-6 || *o.TaxedMean > *o.MeanDSCR+1e-6 {
			t.Errorf("%s, %s: %v after tax, %v before", o.Hall, o.Name, *o.TaxedDSCR, *o.MinDSCR)
		}
		said := slices.ContainsFunc(r.Findings, func(f Finding) bool {
			return f.Hall == o.Hall && f.Option == o.Name && f.Kind == "covenant" && strings.HasPrefix(f.Text, "after tax")
		})
		below := *o.TaxedDSCR < covenant(f, o)
		if said != below {
			t.Errorf("%s, %s: %.3f after tax under %.2f, and told: %v", o.Hall, o.Name, *o.TaxedDSCR, covenant(f, o), said)
		}
		if below {
			broken++
		}
	}
	if broken == 0 {
		t.Error("no option is below its covenant after tax: the sample shows nothing")
	}
}

func covenant(f *input.File, o *Option) float64 {
	k := slices.IndexFunc(f.Options, func(v input.Option) bool { return v.ID == o.Name })
	for i := range f.Financings {
		if f.Financings[i].ID == f.Options[k].Financing && f.Financings[i].Covenant != nil {
			return f.Financings[i].Covenant.Is
		}
	}
	return 0
}

// TestChosenIsShown: each choice has its option in the report at the start that was chosen, and once.
func TestChosenIsShown(t *testing.T) {
	for _, paths := range []int{0, 400} {
		r := run(t, sample(t), paths)
		moved := 0
		for _, b := range r.Best {
			n := 0
			for i := range r.Options {
				o := &r.Options[i]
				if o.Hall != b.Hall || o.Name != b.Option {
					continue
				}
				n++
				if o.Start != b.Start || o.NPV != b.NPV || len(o.Timing) == 0 {
					t.Errorf("%s: chosen from %s, shown from %s with %d starts", b.Hall, b.Start, o.Start, len(o.Timing))
				}
				best := slices.MaxFunc(o.Timing, func(a, b Timing) int {
					if a.NPV < b.NPV {
						return -1
					}
					return 1
				})
				if best.Month != o.Start {
					moved++
				}
			}
			if n != 1 {
				t.Errorf("%s: its choice stands %d times", b.Hall, n)
			}
		}
		if moved == 0 {
			t.Errorf("with %d paths the limits move no choice: the sample shows nothing", paths)
		}
		for _, s := range r.Scenarios {
			if len(s.Options) != len(r.Options) {
				t.Errorf("%s has %d options, the report %d", s.Name, len(s.Options), len(r.Options))
			}
		}
	}
}
