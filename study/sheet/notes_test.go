package sheet

import (
	"strings"
	"testing"

	"switchyard/study/input"
)

// sampleWith is the sample with passages written otherwise.
func sampleWith(t *testing.T, edits ...string) []byte {
	t.Helper()
	text := string(input.Sample())
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("the sample does not hold %q", edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	return []byte(text)
}

// TestNotesByLibreOffice: notes of more than is spent lie as cash until they are repaid, which a sweep leaves alone.
func TestNotesByLibreOffice(t *testing.T) {
	t.Parallel()
	f, r := expected(t, sampleWith(t, "amount: {is: 40 $M", "amount: {is: 700 $M", "share_price: {is: 16.395 $", "share_price: {is: 10 $",
		"loan_to_cost: 60 %", "loan_to_cost: 60 %\n    sweep: 40 %", "with: hyperscaler, financing: bank", "with: hyperscaler, financing: notes"))
	sheets := calculated(t, workbook(t, f, r))
	agree(t, sheets)
	sound(t, sheets)
	told := 0
	for _, v := range r.Findings {
		if v.Option == "host" && (strings.Contains(v.Text, "spent on nothing") || strings.Contains(v.Text, "fall due in cash")) {
			told++
		}
	}
	if told < 2*len(f.Halls) {
		t.Errorf("%d findings of notes of 700 $M on %d halls", told, len(f.Halls))
	}
	for _, o := range r.Options {
		if o.Name == "host" && o.PeakEquity < 200e6 {
			t.Errorf("%s: the notes and their interest are repaid, and the owners have %.0f in at most", o.Hall, o.PeakEquity)
		}
	}
}

// TestFailingByLibreOffice: a tenant that is as likely to fail as not leaves in the workbook too, what it is owed lapses, and
// others come for a term each to a hall that is fitted out for them.
func TestFailingByLibreOffice(t *testing.T) {
	t.Parallel()
	f, r := expected(t, sampleWith(t, "default: [1 %, 2 %, 3 %]", "default: [4 %, 18 %, 11 %]", "tenant_capex: 0 %", "tenant_capex: 60 %\n    tenant_capex_interest: 7 %",
		"relet_term: {is: 10 years", "relet_term: {is: 27 months", "relet: {is: 9 months", "relet: {is: 5 months"))
	sheets := calculated(t, workbook(t, f, r))
	agree(t, sheets)
	sound(t, sheets)
	for _, o := range r.Options {
		if o.Name != "host" {
			continue
		}
		fitted := 0
		for _, y := range o.Years[4:] {
			if y.Lines["building"] < 0 {
				fitted++
			}
		}
		if fitted < 2 {
			t.Errorf("%s is fitted out anew in %d years", o.Hall, fitted)
		}
	}
}

// TestShortTermsByLibreOffice: with a short term the extension is taken, and after it others come.
func TestShortTermsByLibreOffice(t *testing.T) {
	t.Parallel()
	f, r := expected(t, sampleWith(t, "term: {is: 15 years", "term: {is: 3 years", "extensions: [{term: 5 years, chance: 60 %}]",
		"extensions: [{term: 14 months, chance: 80 %}, {term: 14 months, chance: 60 %}]", "relet_term: {is: 10 years", "relet_term: {is: 3 years"))
	sheets := calculated(t, workbook(t, f, r))
	agree(t, sheets)
	sound(t, sheets)
}
