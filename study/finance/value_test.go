package finance

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %.12f, want %.12f", what, got, want)
	}
}

// TestNumpy has the documented and tested values of numpy-financial (docstrings and
// tests/test_financial.py).
func TestNumpy(t *testing.T) {
	near(t, "npv", NPV(0.05, []float64{-15000, 1500, 2500, 3500, 4500, 6000}), 122.894854950942692161628715, 1e-9)
	near(t, "npv", NPV(0.281, []float64{-100, 39, 59, 55, 20}), -0.0084785916384548798, 1e-12)
	near(t, "pmt", PMT(0.08/12, 5*12, 15000), -304.1459143262052370338701494, 1e-9)
	near(t, "pmt", PMT(0.075/12, 12*15, 200000), -1854.0247200054619, 1e-8)
	near(t, "pmt", PMT(0, 5*12, 15000), -250, 0)
	for _, c := range []struct {
		flows  []float64
		want   float64
		within float64
	}{
		{[]float64{-150000, 15000, 25000, 35000, 45000, 60000}, 0.052432889, 1e-9},
		{[]float64{-100, 0, 0, 74}, -0.0955, 5e-5},
		{[]float64{-100, 39, 59, 55, 20}, 0.28095, 5e-6},
		{[]float64{-100, 100, 0, 7}, 0.06206, 5e-6},
		{[]float64{-250000, 100000, 150000, 200000, 250000, 300000}, 0.5672303344358536, 1e-12},
	} {
		r := PeriodIRR(c.flows)
		if r.None != "" {
			t.Errorf("irr of %v: %s", c.flows, r.None)
		}
		near(t, "irr", r.Is, c.want, c.within)
	}
	// Where several rates fit numpy takes the one next to zero; it must be among ours.
	for _, c := range []struct {
		flows []float64
		want  float64
	}{{[]float64{-100, 100, 0, -7}, -0.0833}, {[]float64{-5, 10.5, 1, -8, 1}, 0.0886}} {
		found := false
		for _, x := range rootsOf(c.flows) {
			found = found || math.Abs(x-1-c.want) < 5e-5
		}
		if !found {
			t.Errorf("no rate of %v is %f: %v", c.flows, c.want, rootsOf(c.flows))
		}
	}
}

func TestNoIRR(t *testing.T) {
	year := func(flows ...float64) []float64 {
		all := make([]float64, 12*len(flows))
		for y, f := range flows {
			all[12*y] = f
		}
		return all
	}
	for _, c := range []struct {
		name  string
		flows []float64
		want  Rate
	}{
		{"nothing", year(0, 0), Rate{None: NothingIn}},
		{"only in", year(0, 3, 4), Rate{None: NothingIn}},
		{"only out", year(-3, -4), Rate{None: NeverBack}},
		{"next to nothing back", []float64{-1e9, 1}, Rate{None: NeverBack}},
		{"borrowed", year(100, -120), Rate{None: BringsFirst}},
		{"borrowed in parts", year(100, -120, 3, -4), Rate{None: BringsFirst}},
		// -100 + 230/x - 132/x² is zero at x = 1.1 and x = 1.2.
		{"two", year(-100, 230, -132), Rate{None: SeveralFit}},
		// The same with 1.1, 1.2 and 1.3 as roots.
		{"three", year(-100, 360, -431, 171.6), Rate{None: SeveralFit}},
		{"ten per cent", year(-100, 110), Rate{Is: 0.1}},
		{"late loss", year(-100, 150, -0.01), Rate{Is: 0.49993332}}, // x² - 1.5x + 0.0001 = 0; the other root is near -100 %
		// 0.5 x² - 100 x + 150 is zero at x = 1.51 and x = 198.
		{"small gain first", year(0.5, -100, 150), Rate{None: SeveralFit}},
	} {
		if diff := cmp.Diff(c.want.None, IRR(c.flows).None); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		near(t, c.name, IRR(c.flows).Is, c.want.Is, 1e-7)
	}
}

// TestIRRMakesZero: at the rate found the present value is nothing.
func TestIRRMakesZero(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		flows := rapid.SliceOfN(rapid.Float64Range(-100, 100), 2, 60).Draw(t, "flows")
		flows[0] = -rapid.Float64Range(1, 1000).Draw(t, "outlay")
		r := PeriodIRR(flows)
		if r.None != "" {
			return
		}
		size := 0.0
		for i, f := range flows {
			size += math.Abs(f) / math.Pow(1+r.Is, float64(i))
		}
		if v := NPV(r.Is, flows); math.Abs(v) > 1e-7*size {
			t.Fatalf("at %f the value of %v is %g", r.Is, flows, v)
		}
	})
}

// TestPresent: money at the end of a month; a year on at 10 % a year it is worth 1/1.1.
func TestPresent(t *testing.T) {
	flows := make([]float64, 24)
	flows[11], flows[23] = 110, 121
	near(t, "present", Present(0.1, flows), 200, 1e-9)
	var d discount
	near(t, "present at 0", d.present(0, flows), 231, 1e-9)
	near(t, "present at 10 %", d.present(0.1, flows), 200, 1e-9)
	near(t, "present of less", d.present(0.1, flows[:12]), 100, 1e-9)
}

// TestSculpt works NREL's definition (SSC, cmod_singleowner: the sum of discounted CFADS over DSCR,
// none below zero) by hand: 110/1.1 = 100, 0, 133.1/1.331 = 100; 200/1.25 = 160.
func TestSculpt(t *testing.T) {
	near(t, "debt", Sculpt(0.1, 1.25, []float64{110, -40, 133.1}), 160, 1e-12)
	near(t, "annuity", Annuity(0.1, 2), 1/1.1+1/1.21, 1e-15)
	near(t, "debt at no ratio", Sculpt(0.1, 0, []float64{110}), 0, 0)
}

// TestMACRS holds the tables to IRS Publication 946, table A-1, by the rule from which it is made:
// 200 % (15 and 20 years: 150 %) declining balance, half a year first, then the straight line where
// that is more; printed to two decimals (20 years: three).
func TestMACRS(t *testing.T) {
	for _, c := range []struct {
		name           string
		years          int
		factor, within float64
	}{{"macrs-5", 5, 2, 1.1e-4}, {"macrs-7", 7, 2, 1.1e-4}, {"macrs-15", 15, 1.5, 1.1e-4}, {"macrs-20", 20, 1.5, 1.1e-5}} {
		got, err := MACRS(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != c.years+1 {
			t.Fatalf("%s has %d years", c.name, len(got))
		}
		left, sum := 1.0, 0.0
		for y := range got {
			share, rest := 1.0, float64(c.years)-float64(y)+0.5
			if y == 0 {
				share, rest = 0.5, float64(c.years)
			}
			want := math.Min(left, math.Max(left*c.factor/float64(c.years), left/math.Max(rest, 1))*share)
			if y == c.years {
				want = left
			}
			near(t, c.name, got[y], want, c.within)
			left, sum = left-want, sum+got[y]
		}
		near(t, c.name+" in all", sum, 1, 1e-12)
	}
	// As printed.
	for name, want := range map[string][]float64{
		"macrs-5": {0.2, 0.32, 0.192, 0.1152, 0.1152, 0.0576},
		"macrs-7": {0.1429, 0.2449, 0.1749, 0.1249, 0.0893, 0.0892, 0.0893, 0.0446},
		"macrs-15": {
			0.05, 0.095, 0.0855, 0.077, 0.0693, 0.0623, 0.059, 0.059, 0.0591, 0.059, 0.0591, 0.059, 0.0591, 0.059, 0.0591, 0.0295,
		},
		"line-2": {0.5, 0.5},
	} {
		if got, err := MACRS(name); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "macrs-6", "line-", "line-0", "line-101", "line-x"} {
		if _, err := MACRS(name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

// TestNames: each row has both its names, and no other row's.
func TestNames(t *testing.T) {
	seen := map[string]Row{}
	for r := range Rows {
		for _, name := range []string{r.Key(), r.String()} {
			if other, ok := seen[name]; ok && other != r || name == "" {
				t.Errorf("row %d is called %q, as row %d", r, name, other)
			}
			seen[name] = r
		}
	}
}

// TestBalanceRows: what stands at a month's end is no flow to be summed over a year.
func TestBalanceRows(t *testing.T) {
	var got []string
	for r := range Rows {
		if r.Balance() {
			got = append(got, r.Key())
		}
	}
	want := []string{
		"losses_left", "tax_basis", "cash", "reserve", "plant", "fees_asset", "loan_owed", "notes_owed", "prepaid_owed", "tenant_owed",
		"deferred_tax", "paid_in", "retained", "off",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
