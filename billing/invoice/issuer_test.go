package invoice

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/billing/contract"
	"switchyard/billing/usage"
	"switchyard/ledger"
	"switchyard/store"
	"switchyard/unit"
)

// shelf is a source of months for tests: contracts, and rows by tenant and month.
type shelf struct {
	contracts map[string]*contract.Contract
	rows      map[string][]usage.Row
	service   map[string]*Service
	charges   map[string][]Charge
}

func (s *shelf) Contract(tenant string) (*contract.Contract, error) {
	c := s.contracts[tenant]
	if c == nil {
		return nil, fmt.Errorf("there is no tenant %q", tenant)
	}
	return c, nil
}

func (s *shelf) Month(_ context.Context, under Terms, month string) (In, error) {
	c, tenant := under.Contract, under.Contract.Tenant
	p, err := PeriodOf(month, c.Location())
	if err != nil {
		return In{}, err
	}
	return In{Contract: c, Period: p, Rows: s.rows[tenant+"/"+month], Service: s.service[tenant+"/"+month], Charges: s.charges[tenant+"/"+month]}, nil
}

func shelfOf(t testing.TB) *shelf {
	s := &shelf{
		contracts: map[string]*contract.Contract{"acme": parsed(t, lease), "beta": parsed(t, cloud)},
		rows:      map[string][]usage.Row{}, service: map[string]*Service{},
	}
	for _, m := range []string{"2026-10", "2026-11", "2026-12", "2027-01"} {
		s.rows["acme/"+m] = month(period(t, s.contracts["acme"], m), "acme", steady)
		s.rows["beta/"+m] = month(period(t, s.contracts["beta"], m), "beta", func(int, *usage.Row) {})
	}
	return s
}

type office struct {
	*Issuer
	db   *store.DB
	book *ledger.Ledger
}

func officeOf(t testing.TB) office {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	book, err := ledger.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	i, err := Open(t.Context(), db, book)
	if err != nil {
		t.Fatal(err)
	}
	return office{i, db, book}
}

func (o office) balance(t testing.TB, account string) unit.Money {
	t.Helper()
	s, err := o.book.Balance(t.Context(), account, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Amount
}

func (o office) must(t testing.TB, src Months, tenant, month string, now time.Time) Invoice {
	t.Helper()
	inv, fresh, err := o.Issue(t.Context(), src, tenant, month, now)
	if err != nil || !fresh {
		t.Fatal(tenant, month, fresh, err)
	}
	return inv
}

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t.Add(12 * time.Hour)
}

// October's data is late twice: ten intervals of 5 MWh at 200 $ become 6 MWh at 260 $, and then
// 5.5 MWh at 230 $. The PUE bound of 1.3 x 35,712 MWh is not reached. November corrects +600 $
// of cost and +10 MWh x 2 $ = 620 $; December only the difference to that: -300 - 10 = -310 $;
// January nothing, and what was issued is as it was.
func TestLateDataIsCorrectedTwice(t *testing.T) {
	o, src := officeOf(t), shelfOf(t)
	first := o.must(t, src, "acme", "2026-10", day("2026-11-02"))
	revise := func(billed unit.Energy, cost unit.Money) {
		rows := slices.Clone(src.rows["acme/2026-10"])
		for i := 40; i < 50; i++ {
			rows[i].Billed, rows[i].Cost.V, rows[i].Revision = billed, cost, rows[i].Revision+1
		}
		src.rows["acme/2026-10"] = rows
	}
	corrections := func(inv Invoice) (out []string) {
		for _, l := range inv.Lines {
			if l.Kind == Correction {
				out = append(out, l.Corrects.Month+" "+string(l.Corrects.Kind)+" "+l.Billed().String())
			}
		}
		return out
	}
	revise(6*unit.MegawattHour, 260*unit.Dollar)
	second := o.must(t, src, "acme", "2026-11", day("2026-12-02"))
	revise(5500*unit.KilowattHour, 230*unit.Dollar)
	third := o.must(t, src, "acme", "2026-12", day("2027-01-02"))
	fourth := o.must(t, src, "acme", "2027-01", day("2027-02-02"))
	for i, want := range [][]string{nil, {"2026-10 energy $620.00"}, {"2026-10 energy -$310.00"}, nil} {
		if diff := cmp.Diff(want, corrections([]Invoice{first, second, third, fourth}[i])); diff != "" {
			t.Errorf("invoice %d: %s", i+1, diff)
		}
	}
	got, err := o.Get(t.Context(), first.Number)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, got); diff != "" {
		t.Error("the first invoice changed:", diff)
	}
	if third.Number != "2027-000001" || second.Number != "2026-000002" {
		t.Errorf("numbers %s, %s", second.Number, third.Number)
	}
	if sum := first.Total + second.Total + third.Total + fourth.Total; o.balance(t, "assets:receivable:invoiced:acme") != sum {
		t.Errorf("%s are receivable, invoiced are %s", o.balance(t, "assets:receivable:invoiced:acme"), sum)
	}
}

// Tax follows a correction, and a contract that was changed since does not change a rent billed.
func TestCorrectionOfTaxAndNothingElse(t *testing.T) {
	o, src := officeOf(t), shelfOf(t)
	o.must(t, src, "beta", "2026-10", day("2026-11-02"))
	rows := slices.Clone(src.rows["beta/2026-10"])
	rows[5].GPUs = []usage.GPUTime{{Model: "H100", How: usage.OnDemand, Used: 100 * time.Hour}}
	src.rows["beta/2026-10"] = rows
	src.contracts["beta"] = parsed(t, strings.Replace(cloud, "rate: 2.10 $", "rate: 2.00 $", 1))
	inv := o.must(t, src, "beta", "2026-11", day("2026-12-02"))
	var got []string
	for _, l := range inv.Lines {
		if l.Kind == Correction {
			got = append(got, string(l.Corrects.Kind)+" "+l.Billed().String())
		}
	}
	// 100 h in one interval, in which 256 GPUs are reserved, 21 h 20 min: 78.667 h x 2.80 = 220.27;
	// tax 8.25 % of it = 18.17, to the cent as the month's taxes are rounded.
	if diff := cmp.Diff([]string{"gpu-on-demand $220.27", "tax $18.17"}, got); diff != "" {
		t.Error(diff)
	}
	if liability := -o.balance(t, "liability:tax"); liability <= 0 {
		t.Errorf("tax owed %s", liability)
	}
}

// October is issued after November, which took up what was accrued in both: nothing of that stands
// as owed twice again.
func TestMonthsOutOfOrderAreTakenUpOnce(t *testing.T) {
	o, src := officeOf(t), shelfOf(t)
	for _, d := range []string{"2026-10-15", "2026-11-15"} {
		tx := ledger.Transaction{Key: "accrued/" + d, At: day(d), Lines: []ledger.Line{
			{Account: "assets:receivable:tenant:acme", Amount: 1000 * unit.Dollar}, {Account: "income:hosting:acme", Amount: -1000 * unit.Dollar},
		}}
		if _, err := o.book.Post(t.Context(), []ledger.Transaction{tx}); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []string{"2026-11", "2026-10"} {
		o.must(t, src, "acme", m, day("2026-12-02"))
		if got := o.balance(t, "assets:receivable:tenant:acme:invoiced"); got != -2000*unit.Dollar {
			t.Errorf("after %s invoices took up %s of the $2,000.00 accrued", m, got)
		}
	}
}

func TestIssueTwiceChangesNothing(t *testing.T) {
	o, src := officeOf(t), shelfOf(t)
	inv := o.must(t, src, "beta", "2026-10", day("2026-11-02"))
	n, end, err := o.book.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, fresh, err := o.Issue(t.Context(), src, "beta", "2026-10", day("2026-11-20"))
	if err != nil || fresh {
		t.Fatal(fresh, err)
	}
	if diff := cmp.Diff(inv, again); diff != "" {
		t.Error(diff)
	}
	if n2, end2, err := o.book.Verify(t.Context()); err != nil || n2 != n || string(end2) != string(end) {
		t.Error("the ledger changed", n, n2, err)
	}
	// 250,000 paid ahead, 204,987.20 credited; the next month takes the rest.
	if left := -o.balance(t, "liability:prepayment:beta"); left.String() != "$45,012.80" {
		t.Errorf("%s is left", left)
	}
	next := o.must(t, src, "beta", "2026-11", day("2026-12-02"))
	if got := lines(next)[PrepayCredit]; len(got) != 1 || got[0] != "-$45,012.80" {
		t.Error(got)
	}
	if left := o.balance(t, "liability:prepayment:beta"); left != 0 {
		t.Errorf("%s is left", left)
	}
}

// broken fails in the middle of issuing.
type broken struct{ *shelf }

func (b broken) Month(ctx context.Context, under Terms, month string) (In, error) {
	in, err := b.shelf.Month(ctx, under, month)
	in.Rows = slices.Clone(in.Rows[:10])
	for i := range in.Rows {
		in.Rows[i].Cost.OK = false
	}
	return in, err
}

// Twenty tenants at once, some of which fail, get numbers without holes.
func TestNumbersHaveNoHoles(t *testing.T) {
	o := officeOf(t)
	src := &shelf{contracts: map[string]*contract.Contract{}, rows: map[string][]usage.Row{}}
	for i := range 20 {
		id := fmt.Sprintf("t%02d", i)
		src.contracts[id] = parsed(t, strings.Replace(lease, "tenant: acme", "tenant: "+id, 1))
		src.rows[id+"/2026-10"] = month(period(t, src.contracts[id], "2026-10"), id, steady)[:100]
	}
	other, err := Open(t.Context(), o.db, o.book) // a second issuer on the same store takes turns too
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			id, who := fmt.Sprintf("t%02d", i%20), []*Issuer{o.Issuer, other}[i%2]
			if i%3 == 0 {
				cancelled, cancel := context.WithCancel(t.Context())
				cancel()
				if _, _, err := who.Issue(cancelled, src, id, "2026-10", day("2026-11-02")); err == nil {
					t.Error("issued in a context that had ended")
				}
				if _, _, err := who.Issue(t.Context(), broken{src}, id, "2026-10", day("2026-11-02")); err != nil && !strings.Contains(err.Error(), "wait for a price") {
					t.Error(err)
				}
			}
			if _, _, err := who.Issue(t.Context(), src, id, "2026-10", day("2026-11-02")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	list, err := o.List(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for i, h := range list {
		got, want = append(got, h.Number), append(want, fmt.Sprintf("2026-%06d", len(list)-i))
	}
	if diff := cmp.Diff(want, got); diff != "" || len(list) != 20 {
		t.Error(len(list), diff)
	}
	if n, _, err := o.Verify(t.Context()); err != nil || n != 20 {
		t.Error(n, err)
	}
	// A posting that cannot be made takes its number back.
	if err := o.db.Tx(t.Context(), func(tx *store.Tx) error {
		_, err := ledger.PostIn(tx, []ledger.Transaction{{Key: "invoice/2026-000021", At: day("2026-11-01"), Lines: []ledger.Line{{Account: "a", Amount: 1}, {Account: "b", Amount: -1}}}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	src.contracts["late"], src.rows["late/2026-10"] = parsed(t, strings.Replace(lease, "tenant: acme", "tenant: late", 1)), src.rows["t00/2026-10"]
	if _, _, err := o.Issue(t.Context(), src, "late", "2026-10", day("2026-11-02")); !errors.Is(err, ledger.ErrConflict) {
		t.Error(err)
	}
	if list, err = o.List(t.Context(), "", 100); err != nil || len(list) != 20 {
		t.Error(len(list), err)
	}
}

func TestVerifyFindsChanges(t *testing.T) {
	o, src := officeOf(t), shelfOf(t)
	inv := o.must(t, src, "beta", "2026-10", day("2026-11-02"))
	change := func(statement string) error {
		return o.db.Tx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(statement)
			return err
		})
	}
	if err := change("UPDATE invoice_document SET total = 1"); err == nil || !strings.Contains(err.Error(), "never changes") {
		t.Error(err)
	}
	if err := change("DELETE FROM invoice_document"); err == nil || !strings.Contains(err.Error(), "never goes away") {
		t.Error(err)
	}
	if err := change("DROP TRIGGER invoice_document_update"); err != nil {
		t.Fatal(err)
	}
	if err := change("UPDATE invoice_document SET document = replace(document, 'Acme', 'Evil')"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.Verify(t.Context()); !errors.Is(err, ErrTampered) || !strings.Contains(err.Error(), inv.Number) {
		t.Error(err)
	}
}

// A store in which nothing was issued, opened beside its controller, has no invoices.
func TestReaderOfAFreshStore(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r, err := store.OpenReader(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	a := OpenReader(r)
	if list, err := a.List(t.Context(), "", 10); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
	if _, err := a.Of(t.Context(), "acme", "2026-10"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	inv, err := a.Draft(t.Context(), shelfOf(t), "acme", "2026-10", day("2026-10-15"))
	if err != nil || !inv.Draft || inv.Number != "" || inv.Total == 0 {
		t.Error(inv.Total, err)
	}
}

// Whatever is accrued and whatever is corrected, the book balances, receivables come to the sum
// of the totals, and what was accrued is taken up once.
func TestBooksBalance(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o, src := officeOf(t), shelfOf(t)
		defer o.db.Close() // the next draw has an office of its own
		months, now := []string{"2026-10", "2026-11", "2026-12", "2027-01"}, []string{"2026-11-02", "2026-12-02", "2027-01-02", "2027-02-02"}
		var accrued unit.Money
		totals := map[string]unit.Money{}
		for i, m := range months {
			p := period(t, src.contracts["acme"], m)
			amount := unit.Money(rapid.Int64Range(-1e12, 1e13).Draw(rt, "accrued"))
			if _, err := o.book.Post(t.Context(), []ledger.Transaction{{Key: "rent/acme/" + m, At: p.From, Lines: []ledger.Line{
				{Account: "assets:receivable:tenant:acme", Amount: amount}, {Account: "income:hosting:hall:acme:rent", Amount: -amount},
			}}}); err != nil {
				rt.Fatal(err)
			}
			accrued += amount
			old := months[rapid.IntRange(0, i).Draw(rt, "late month")]
			rows := slices.Clone(src.rows["acme/"+old])
			at := rapid.IntRange(0, len(rows)-1).Draw(rt, "late row")
			rows[at].Cost.V = unit.Money(rapid.Int64Range(-1e9, 1e9).Draw(rt, "cost"))
			rows[at].Revision++
			src.rows["acme/"+old] = rows
			for _, tenant := range slices.Sorted(maps.Keys(src.contracts)) {
				inv := o.must(t, src, tenant, m, day(now[i]))
				totals[tenant] += inv.Total
			}
		}
		for tenant, sum := range totals {
			if got := o.balance(t, "assets:receivable:invoiced:"+tenant); got != sum {
				rt.Fatalf("%s: %s receivable, %s invoiced", tenant, got, sum)
			}
		}
		if got := o.balance(t, ""); got != 0 {
			rt.Fatalf("the book is off by %s", got)
		}
		if got := o.balance(t, "assets:receivable:tenant:acme"); got != 0 {
			rt.Fatalf("%s stays accrued of %s", got, accrued)
		}
		if got := o.balance(t, "income:invoiced:acme:accrued"); got != accrued {
			rt.Fatalf("%s was taken up of %s", got, accrued)
		}
		if _, _, err := o.book.Verify(t.Context()); err != nil {
			rt.Fatal(err)
		}
	})
}
