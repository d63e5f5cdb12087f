package invoice

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/billing/contract"
	"switchyard/billing/usage"
	"switchyard/unit"
)

func corrected(inv Invoice) (out []string) {
	for _, l := range inv.Lines {
		if l.Corrects != nil {
			out = append(out, l.Corrects.Month+" "+string(l.Corrects.Kind)+" "+l.Billed().String())
		} else {
			out = append(out, string(l.Kind)+" "+l.Billed().String())
		}
	}
	return out
}

// dearer has one interval of acme's October cost so much more: it came late.
func (s *shelf) dearer(month string, by unit.Money) {
	rows := slices.Clone(s.rows[month])
	rows[7].Cost.V += by
	rows[7].Revision++
	s.rows[month] = rows
}

// An adder that was edited from 2 to 3 $/MWh in the file after October was issued is no correction
// of October: one dollar that came late is one dollar.
func TestAnEditOfTheContractIsNoCorrection(t *testing.T) {
	o, src := officeOf(t), shelfOf(t)
	first := o.must(t, src, "acme", "2026-10", day("2026-11-02"))
	edited := strings.NewReplacer("adder: 2 $", "adder: 3 $", "overage: 150 $", "overage: 900 $", "pue_cap: 1.3", "pue_cap: 1.1", "price: 150 $", "price: 1 $").Replace(lease)
	src.contracts["acme"] = parsed(t, edited)
	src.dearer("acme/2026-10", unit.Dollar)
	second := o.must(t, src, "acme", "2026-11", day("2026-12-02"))
	var got []string
	for _, x := range corrected(second) {
		if strings.HasPrefix(x, "2026-") {
			got = append(got, x)
		}
	}
	if diff := cmp.Diff([]string{"2026-10 energy $1.00"}, got); diff != "" {
		t.Error(diff)
	}
	if got, err := o.Get(t.Context(), first.Number); err != nil || cmp.Diff(first, got) != "" {
		t.Error("the first invoice changed", err)
	}
}

// A version that was dropped from the file is of no matter to what was billed under it.
func TestADroppedVersionBlocksNothing(t *testing.T) {
	o, src := officeOf(t), shelfOf(t)
	o.must(t, src, "acme", "2026-10", day("2026-11-02"))
	src.contracts["acme"] = parsed(t, strings.Replace(lease, "from: 2026-01-01", "from: 2026-11-01", 1))
	src.dearer("acme/2026-10", unit.Dollar)
	second := o.must(t, src, "acme", "2026-11", day("2026-12-02"))
	if got := corrected(second); !slices.Contains(got, "2026-10 energy $1.00") {
		t.Error(got)
	}
}

func ended(t testing.TB) *contract.Contract {
	return parsed(t, strings.Replace(lease, "- from: 2026-01-01", "- from: 2026-01-01\n    to: 2026-11-16", 1))
}

// The lease ends on 15 November. What comes late of October and November is on a closing invoice
// of December; a month in which nothing came has none.
func TestAClosingInvoice(t *testing.T) {
	o, src := officeOf(t), shelfOf(t)
	src.contracts["acme"] = ended(t)
	first := o.must(t, src, "acme", "2026-10", day("2026-11-02"))
	second := o.must(t, src, "acme", "2026-11", day("2026-12-02"))
	if _, _, err := o.Issue(t.Context(), src, "acme", "2026-12", day("2027-01-02")); !errors.Is(err, ErrNoContract) || !strings.Contains(err.Error(), "nothing is left to correct") {
		t.Error(err)
	}
	src.dearer("acme/2026-10", 10*unit.Dollar)
	src.dearer("acme/2026-11", 3*unit.Dollar)
	third := o.must(t, src, "acme", "2026-12", day("2027-01-02"))
	if diff := cmp.Diff([]string{"2026-10 energy $10.00", "2026-11 energy $3.00"}, corrected(third)); diff != "" {
		t.Error(diff)
	}
	if due := third.Due.In(src.contracts["acme"].Location()).Format(time.DateOnly); third.Number != "2027-000001" || due != "2027-02-01" || third.Total != 13*unit.Dollar || !third.Closing {
		t.Errorf("%s, due %s, %s, %v", third.Number, due, third.Total, third.Closing)
	}
	if _, _, err := o.Issue(t.Context(), src, "acme", "2027-01", day("2027-02-02")); !errors.Is(err, ErrNoContract) {
		t.Error(err)
	}
	src.dearer("acme/2026-10", -4*unit.Dollar)
	fourth := o.must(t, src, "acme", "2027-01", day("2027-02-02"))
	if diff := cmp.Diff([]string{"2026-10 energy -$4.00"}, corrected(fourth)); diff != "" {
		t.Error(diff)
	}
	if again, fresh, err := o.Issue(t.Context(), src, "acme", "2026-12", day("2027-03-02")); err != nil || fresh || cmp.Diff(third, again) != "" {
		t.Error("issued again", fresh, err)
	}
	if sum := first.Total + second.Total + third.Total + fourth.Total; o.balance(t, "assets:receivable:invoiced:acme") != sum || o.balance(t, "") != 0 {
		t.Errorf("%s are receivable, invoiced are %s", o.balance(t, "assets:receivable:invoiced:acme"), sum)
	}
	if n, _, err := o.Verify(t.Context()); err != nil || n != 4 {
		t.Error(n, err)
	}
	if _, _, err := o.Issue(t.Context(), src, "acme", "2025-12", day("2027-03-02")); !errors.Is(err, ErrNoContract) {
		t.Error("before the contract:", err)
	}
}

// A peak that the grid's operator publishes after the contract's end is settled on a closing
// invoice, and one whose price is not known yet waits for its month's.
func TestAPeakSettledAfterTheEnd(t *testing.T) {
	o, src := officeOf(t), shelfOf(t)
	src.contracts["acme"] = ended(t)
	o.must(t, src, "acme", "2026-10", day("2026-11-02"))
	at := period(t, src.contracts["acme"], "2026-10").From.Add(40 * time.Hour)
	src.charges = map[string][]Charge{"acme/2026-10": {{Kind: PeakShare, Name: "4CP", At: at, Amount: 1000 * unit.Dollar, Tenant: unit.Megawatt, Site: 4 * unit.Megawatt}}}
	inv := o.must(t, src, "acme", "2026-12", day("2027-01-02"))
	if diff := cmp.Diff([]string{"2026-10 coincident-peak $250.00"}, corrected(inv)); diff != "" {
		t.Error(diff)
	}
	rows := slices.Clone(src.rows["acme/2026-10"])
	rows[3].Cost.OK, rows[3].Revision = false, 1
	src.rows["acme/2026-10"] = rows
	var wait *PendingError
	if _, _, err := o.Issue(t.Context(), src, "acme", "2027-01", day("2027-02-02")); !errors.As(err, &wait) {
		t.Error(err)
	}
}

// A tenant's jobs use what is reserved for it first, whatever queue they came from: of 8 reserved
// GPUs 2 are used by reserved work, so that 6 of 10 on demand and none of 5 interruptible are in
// them; where nothing else runs, 5 interruptible are.
func TestReservedGPUsAreUsedFirst(t *testing.T) {
	c := parsed(t, strings.NewReplacer("gpus: 256", "gpus: 8", "    prepayment: {amount: 250000 $, paid: 2025-12-15, share: 50 %}\n", "").Replace(cloud))
	p := period(t, c, "2026-10")
	rows := month(p, "beta", func(i int, r *usage.Row) {
		gpu := func(how usage.Sale, n int) {
			r.GPUs = append(r.GPUs, usage.GPUTime{Model: "H100", How: how, Used: time.Duration(n) * 5 * time.Minute})
		}
		switch {
		case i < 12:
			gpu(usage.Reserved, 2)
			gpu(usage.OnDemand, 10)
			gpu(usage.Interruptible, 5)
		case i < 24:
			gpu(usage.Interruptible, 5)
		case i < 36: // reserved work beyond what is reserved
			gpu(usage.Reserved, 9)
			gpu(usage.Interruptible, 1)
		}
	})
	inv, err := Build(In{Contract: c, Period: p, Rows: rows, Now: p.To})
	if err != nil {
		t.Fatal(err)
	}
	got := map[LineKind]float64{}
	for _, l := range inv.Lines {
		got[l.Kind] += l.Quantity
		if l.Kind == GPUReserved && !strings.Contains(strings.Join(l.Evidence.Notes, " "), "21 GPU-hours of them were used") {
			t.Error(l.Evidence.Notes)
		}
	}
	want := map[LineKind]float64{GPUReserved: 8 * 744, GPUOnDemand: 4 + 1, GPUInterrupt: 5 + 1, StorageLine: 500, Tax: got[Tax]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The evidence of a charge is as long as the charge's own interval.
func TestAChargesEvidenceIsItsOwnInterval(t *testing.T) {
	c := parsed(t, lease)
	p := period(t, c, "2026-10")
	at := p.From.Add(time.Hour)
	inv, err := Build(In{Contract: c, Period: p, Rows: month(p, "acme", steady), Now: p.To, Charges: []Charge{
		{Kind: DemandShare, At: at, Span: 30 * time.Minute, Amount: unit.Dollar, Tenant: unit.Megawatt, Site: unit.Megawatt},
		{Kind: PeakShare, At: at, Amount: unit.Dollar, Tenant: unit.Megawatt, Site: unit.Megawatt},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range inv.Lines {
		want := map[LineKind]int{DemandShare: 6, PeakShare: 3}[l.Kind]
		if want > 0 && l.Evidence.Intervals != want {
			t.Errorf("%s has %d intervals", l.Kind, l.Evidence.Intervals)
		}
	}
}

// An invoice from before terms were kept is corrected by the file's, and where the file has not the
// version that it was billed by, the error says which one to restore.
func TestTermsThatNobodyKept(t *testing.T) {
	o, src := officeOf(t), shelfOf(t)
	first := o.must(t, src, "acme", "2026-10", day("2026-11-02"))
	first.Terms = nil
	src.dearer("acme/2026-10", unit.Dollar)
	build := func(text string) (Invoice, error) {
		c := parsed(t, text)
		today, err := src.Month(t.Context(), Terms{Contract: c}, "2026-10")
		if err != nil {
			t.Fatal(err)
		}
		p := period(t, c, "2026-11")
		return Build(In{Contract: c, Period: p, Rows: src.rows["acme/2026-11"], Now: p.To, Earlier: []Earlier{{Invoice: first, Today: today}}})
	}
	if inv, err := build(lease); err != nil || !slices.Contains(corrected(inv), "2026-10 energy $1.00") {
		t.Error(corrected(inv), err)
	}
	for _, from := range []string{"2026-11-01", "2025-06-01"} { // none held in October, or another did
		_, err := build(strings.Replace(lease, "from: 2026-01-01", "from: "+from, 1))
		if !errors.Is(err, ErrNoTerms) || !strings.Contains(err.Error(), "correct 2026-000001: ") || !strings.Contains(err.Error(), "write the version from 2026-01-01 back") {
			t.Error(err)
		}
	}
}

// A version that holds on and was dropped from the file makes no closing invoice of its month.
func TestNoClosingInvoiceOfAMonthThatIsAgreed(t *testing.T) {
	o, src := officeOf(t), shelfOf(t)
	o.must(t, src, "acme", "2026-10", day("2026-11-02"))
	src.dearer("acme/2026-10", unit.Dollar)
	for _, c := range []string{
		strings.Replace(lease, "from: 2026-01-01", "from: 2027-01-01", 1),
		strings.Replace(lease, "- from: 2026-01-01", "- from: 2025-01-01\n    to: 2026-01-01", 1),
	} {
		src.contracts["acme"] = parsed(t, c)
		_, _, err := o.Issue(t.Context(), src, "acme", "2026-11", day("2026-12-02"))
		if !errors.Is(err, ErrNoTerms) || !strings.Contains(err.Error(), "the version from 2026-01-01") {
			t.Error(err)
		}
	}
}

// What a file no longer says of months that were billed is named; an end written later, or a
// version for later, is no such thing.
func TestChangedVersionsAreNamed(t *testing.T) {
	o, src := officeOf(t), shelfOf(t)
	o.must(t, src, "acme", "2026-10", day("2026-11-02"))
	o.must(t, src, "acme", "2026-11", day("2026-12-02"))
	for want, c := range map[string]*contract.Contract{
		"": parsed(t, strings.Replace(lease, "- from: 2026-01-01", "- from: 2026-01-01\n    to: 2027-01-01", 1)),
		"the version from 2026-01-01 was changed in the contract file since it was billed by (2026-000001 to 2026-000002)": parsed(t, strings.Replace(lease, "adder: 2 $", "adder: 3 $", 1)),
		"the version from 2026-01-01 was changed in the contract file since it was billed by (2026-000002)":                ended(t),
		"the version from 2026-01-01 is not in the contract file any more":                                                 parsed(t, strings.Replace(lease, "from: 2026-01-01", "from: 2026-12-01", 1)),
	} {
		got, err := o.Changed(t.Context(), c)
		if err != nil || want == "" && len(got) > 0 || want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], want)) {
			t.Errorf("%q, want %q: %v", got, want, err)
		}
	}
}

// Late data of a model that nobody had agreed a rate for stops the invoice until the file names one;
// the rates that had been agreed stay.
func TestARateThatWasMissing(t *testing.T) {
	o, src := officeOf(t), shelfOf(t)
	o.must(t, src, "beta", "2026-10", day("2026-11-02"))
	rows := slices.Clone(src.rows["beta/2026-10"])
	rows[5].GPUs = []usage.GPUTime{{Model: "B200", How: usage.OnDemand, Used: 10 * time.Hour}, {Model: "H100", How: usage.Interruptible, Used: 256*5*time.Minute + time.Hour}}
	rows[5].Revision++
	src.rows["beta/2026-10"] = rows
	if _, _, err := o.Issue(t.Context(), src, "beta", "2026-11", day("2026-12-02")); !errors.Is(err, ErrNoRate) {
		t.Error(err)
	}
	src.contracts["beta"] = parsed(t, strings.NewReplacer("on_demand: {H100: 2.80 $}", "on_demand: {H100: 9 $, B200: 5 $}", "interruptible: {H100: 1.20 $}", "interruptible: {H100: 9 $}").Replace(cloud))
	got := corrected(o.must(t, src, "beta", "2026-11", day("2026-12-02")))
	for _, want := range []string{"2026-10 gpu-on-demand $50.00", "2026-10 gpu-interruptible $1.20"} {
		if !slices.Contains(got, want) {
			t.Error(want, "is not in", got)
		}
	}
}
