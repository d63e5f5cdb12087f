package input

import (
	"strings"
	"testing"
)

// exampleWith is the example with passages written otherwise.
func exampleWith(t *testing.T, edits ...string) *File {
	t.Helper()
	text := string(Example())
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("the example does not hold %q", edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	f, faults := Parse("study.yaml", []byte(text), nil)
	if faults != nil {
		t.Fatal(faults)
	}
	return f
}

const exampleExit = `    exit_multiple: {is: 6, from: assumption, source: "well below the 15 to 20 paid for let data centres: the lease has three years left"}` + "\n"

// TestHorizonShorterThanALease: rent begins in 2028-01 at the earliest, so of twelve years five lie beyond 2034-12.
func TestHorizonShorterThanALease(t *testing.T) {
	const term = "term: {is: 15 years"
	for _, c := range []struct {
		name, want string
		edits      []string
	}{
		{"ends before the lease", `years: the study of 8 years ends before the lease "hyperscaler" of 144 months, begun at the earliest: 60 months of it count nothing`, []string{"years: 12", "years: 8", term, "term: {is: 12 years", exampleExit, ""}},
		{"ends just with it", "", []string{"years: 12", "years: 13", term, "term: {is: 12 years", exampleExit, ""}},
		{"a month less", `: 1 month of it count nothing`, []string{"years: 12", "years: 13", term, "term: {is: 145 months", exampleExit, ""}},
		{"an exit value stands for what is left", "", nil},
		{"and for more than half of it", `years: the study of 8 years ends long before the lease "hyperscaler" of 180 months, begun at the earliest: 96 months of it are worth what exit_multiple says`, []string{"years: 12", "years: 8"}},
		{"no hall may be let", "", []string{"years: 12", "years: 5", "kind: host, with: hyperscaler", "kind: cloud, with: own-gpus", "kind: greenfield, with: new-site, financing: bank", "kind: sell, with: to-a-builder"}},
	} {
		f := exampleWith(t, c.edits...)
		switch got := f.Warnings.Error(); {
		case c.want == "" && len(f.Warnings) > 0:
			t.Errorf("%s: %s", c.name, got)
		case c.want != "" && (len(f.Warnings) != 1 || !strings.Contains(got, c.want)):
			t.Errorf("%s: the warnings are %q and not %q", c.name, got, c.want)
		}
	}
}

func TestWarningsOfWhatIsLikely(t *testing.T) {
	const default3 = "default: [1 %, 2 %, 3 %]"
	for _, c := range []struct{ old, with, want string }{
		{default3, "default: [100 %]", "leases[0].default: by the chances of default the tenant fails with 100 % within 144 months: the expected case has it fail in month 1"},
		{default3, "default: [5 %]", ""}, // 46 % in the study's twelve years
		{default3, "default: [6 %]", "leases[0].default: by the chances of default the tenant fails with 52 % within 144 months: the expected case has it fail in month 135"},
		{"status: energised", "status: queued\n  energised: 2028-01\n  chance: 40 %", "site.chance: power that comes with a chance of 40 % never comes in the expected case"},
		{"status: energised", "status: queued\n  energised: 2028-01\n  chance: 50 %", ""},
	} {
		f := exampleWith(t, c.old, c.with)
		if got := f.Warnings.Error(); c.want == "" && len(f.Warnings) > 0 || c.want != "" && (len(f.Warnings) != 1 || !strings.Contains(got, c.want)) {
			t.Errorf("%s: the warnings are %q and not %q", c.with, got, c.want)
		}
	}
}
