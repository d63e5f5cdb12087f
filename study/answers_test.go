package study

import (
	"strings"
	"testing"

	"switchyard/study/input"
)

// sampleWith is the example with passages written otherwise.
func sampleWith(t testing.TB, edits ...string) *input.File {
	t.Helper()
	text := string(input.Sample())
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("the example does not hold %q", edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	f, faults := input.Parse("example.yaml", []byte(text), nil)
	if f == nil {
		t.Fatal(faults)
	}
	return f
}

// TestHorizonIsToldFirst: a study that ends before its leases says so before all else.
func TestHorizonIsToldFirst(t *testing.T) {
	r := run(t, sampleWith(t, "years: 12", "years: 8"), 0)
	if first := r.Findings[0]; !first.Top || !strings.Contains(first.Text, `the study of 8 years ends long before the lease "hyperscaler" of 180 months`) {
		t.Errorf("the first finding is %+v", first)
	}
	for _, v := range run(t, sample(t), 0).Findings {
		if strings.Contains(v.Text, "before the lease") {
			t.Errorf("the example's exit value stands for what is left of its lease, and it says %q", v.Text)
		}
	}
}

// TestACertainDefaultIsExpected: a tenant whose default is certain pays no rent as expected, and carries no loan.
func TestACertainDefaultIsExpected(t *testing.T) {
	sound, failing := run(t, sample(t), 0), run(t, sampleWith(t, "default: [1 %, 2 %, 3 %]", "default: [100 %]"), 0)
	a, b := optionIn(t, sound, "north", "host"), optionIn(t, failing, "north", "host")
	if b.Expected > a.Expected-20e6 || b.IRR != nil && *b.IRR > *a.IRR-0.05 || b.Debt >= a.Debt {
		t.Errorf("let to who is sure to fail: NPV %.0f of %.0f, IRR %v of %v, loan %.0f of %.0f", b.Expected, a.Expected, b.IRR, a.IRR, b.Debt, a.Debt)
	}
}

func optionIn(t testing.TB, r *Report, hall, name string) *Option {
	t.Helper()
	for i := range r.Options {
		if o := &r.Options[i]; o.Hall == hall && o.Name == name {
			return o
		}
	}
	t.Fatalf("the report has no %s of %s", name, hall)
	return nil
}
