package month

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"switchyard/billing/invoice"
	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/unit"
)

// tied is how far the books may be from what was.
const tied = 0.001

func TestMonth(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole month takes half a minute")
	}
	r, err := Run(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var table strings.Builder
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())
	t.Run("energy ties to the meters", func(t *testing.T) { energy(t, r) })
	t.Run("GPU-hours tie to the engine's account", func(t *testing.T) { gpuHours(t, r) })
	t.Run("the books balance", func(t *testing.T) { balanced(t, r, r.Month) })
	t.Run("credits", func(t *testing.T) { credits(t, r) })
	t.Run("late prices", func(t *testing.T) { priced(t, r) })
	t.Run("replay", func(t *testing.T) { replay(t, r) })
	t.Run("late data", func(t *testing.T) { late(t, r) })
}

func near(t *testing.T, what string, books, was float64) {
	t.Helper()
	within(t, what, books, was, tied)
}

func within(t *testing.T, what string, books, was, share float64) {
	t.Helper()
	if d := apart(books, was); d > share {
		t.Errorf("%s: %.3f in the books, %.3f as it was: %.3f %% apart", what, books, was, 100*d)
	}
}

func energy(t *testing.T, r *Result) {
	b := r.Balance
	var billed unit.Energy
	for _, u := range r.Rows {
		billed += u.Billed
	}
	if billed != b.Tenants || billed+b.Mining+b.House+b.Remainder != r.Register || b.Meter != r.Register {
		t.Errorf("%d of tenants, the register rose by %d: %+v", billed, r.Register, b)
	}
	if sum := b.TenantLoad + b.MiningLoad + b.HouseLoad + b.Losses + b.Remainder; sum != b.Meter {
		t.Errorf("by kind it is %d of %d", sum, b.Meter)
	}
	if b.Remainder < 0 || b.Remainder > b.Meter/500 { // 3 kW of lights that no meter tells of
		t.Errorf("a remainder of %s of %s", b.Remainder, b.Meter)
	}
	for _, id := range []string{acme, boreal, cirrus} {
		u, own := r.Rows[id], r.Truth[id]
		if u.Critical != r.Registers[id] { // though its meter was silent for an hour
			t.Errorf("%s: %d mWh in the record, its register rose by %d", id, u.Critical, r.Registers[id])
		}
		q, _ := quantity(r.Invoices[id], invoice.Energy)
		if d := 1e9*q - float64(u.Billed); d > 500 || d < -500 { // a line prints its MWh to the Wh
			t.Errorf("%s: invoiced %f MWh, %s in the record", id, q, u.Billed)
		}
		near(t, id+", kWh invoiced", 1e3*q, kWh(r.Registers[id]+own.Losses+own.House))
		// Parts of it, a little of which acme's silent hour left to the others.
		within(t, id+", losses", kWh(u.Losses), kWh(own.Losses), 2*tied)
		within(t, id+", cooling", kWh(u.House), kWh(own.House), 2*tied)
	}
	near(t, "the site's highest quarter of an hour", r.demand(), r.Peak.Watts()/1e3)
	for id, inv := range r.Invoices {
		if q, _ := quantity(inv, invoice.Overage); q != 0 {
			t.Errorf("%s never drew more than its critical load and is billed %f kW of overage", id, q)
		}
	}
}

func gpuHours(t *testing.T, r *Result) {
	near(t, "reserved", r.Rows[serve].GPUs.Reserved, r.GPUs[serve].Reserved)
	q, _ := quantity(r.Invoices[serve], invoice.GPUOnDemand)
	near(t, "on demand", q, r.GPUs[serve].OnDemand)
	q, _ = quantity(r.Invoices[lab], invoice.GPUInterrupt)
	near(t, "interruptible", q, r.GPUs[lab].Interruptible)
	if q, _ = quantity(r.Invoices[serve], invoice.GPUReserved); q != reservedGPUs*r.To.Sub(r.From).Hours() { // take or pay
		t.Errorf("%f GPU-hours reserved", q)
	}
	if q, sum := quantity(r.Invoices[lab], invoice.StorageLine); q != 120 || sum != 2400*unit.Dollar {
		t.Errorf("storage: %f for %s", q, sum)
	}
}

// balanced checks the ledger after the months were issued.
func balanced(t *testing.T, r *Result, months ...string) {
	ctx, book := t.Context(), r.b.ledger
	if _, _, err := book.Verify(ctx); err != nil {
		t.Fatal(err)
	}
	all, err := book.Balance(ctx, "", time.Time{}, time.Time{})
	if err != nil || all.Amount != 0 || all.Lines == 0 {
		t.Errorf("all accounts sum to %s: %v", all.Amount, err)
	}
	list, err := invoice.OpenReader(r.b.db).List(ctx, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	totals, issued := map[string]unit.Money{}, 0
	for _, h := range list {
		totals[h.Tenant] += h.Total
		for _, m := range months {
			if h.Month == m {
				issued++
			}
		}
	}
	if issued != len(list) || len(totals) != 5 {
		t.Errorf("%d invoices, %d of them of %v", len(list), issued, months)
	}
	for id, total := range totals {
		owed, err := book.Balance(ctx, "assets:receivable:invoiced:"+id, time.Time{}, time.Time{})
		if err != nil || owed.Amount != total {
			t.Errorf("%s owes %s by the book and %s by its invoices: %v", id, owed.Amount, total, err)
		}
		accrued, err := book.Balance(ctx, "assets:receivable:tenant:"+id, time.Time{}, r.To)
		taken, err2 := book.Sums(ctx, "assets:receivable:tenant:"+id+":invoiced", time.Time{}, time.Time{})
		var up unit.Money
		for _, s := range taken {
			up += s.Amount
		}
		if accrued.Amount+up != 0 && len(months) == 1 || err != nil || err2 != nil {
			t.Errorf("%s: %s accrued, of which invoices took up %s: %v %v", id, accrued.Amount, up, err, err2)
		}
	}
	bought, err := book.Balance(ctx, "liability:energy-supplier", r.From, r.To)
	if err != nil || bought.Energy != -r.Register {
		t.Errorf("the book has bought %d mWh, the register rose by %d: %v", -bought.Energy, r.Register, err)
	}
}

// October has 744 h, 44,640 minutes. All promise 99.95 %: 22.32 minutes may be lost.
//
// acme: 125 $ x 1.03^2 in the third contract year, x 1,200 kW = 159,135.00 $. Its feeder has no
// power for 37.5 minutes; for 40 minutes its meter's silence leaves unknown what was. Of the 743 h
// 20 min that count, 44,600 minutes, 37.5 / 44,600 = 0.0841 % are lost: 99.9159 % is below
// 99.95 % and not below 99.9 %, 2 % of the rent: 3,182.70 $.
//
// boreal: 130 $ x 800 kW = 104,000 $. It gives back 300 kW for 2 h, told an hour before, with its
// consent: 742 h count, all of them available, no credit; 0.6 MWh x 150 $ = 90.00 $ are paid.
//
// cirrus: 140 $ x 600 kW = 84,000 $. For 135 minutes it gets 70 % of what it wants, which is
// below the 95 % promised. 135 / 44,640 = 0.3024 % lost: 99.6976 % is below 99.9 %, 5 %: 4,200.00 $.
func credits(t *testing.T, r *Result) {
	for _, c := range []struct {
		id                 string
		rent, credit, paid unit.Money
		lost, counted      time.Duration
		excluded           int
	}{
		{acme, 159_135 * unit.Dollar, -3_182_700_000, 0, 37*time.Minute + 30*time.Second, 44_600 * time.Minute, 0},
		{boreal, 104_000 * unit.Dollar, 0, -90 * unit.Dollar, 0, 742 * time.Hour, 1},
		{cirrus, 84_000 * unit.Dollar, -4_200 * unit.Dollar, 0, 135 * time.Minute, 744 * time.Hour, 0},
	} {
		inv := r.Invoices[c.id]
		_, rent := quantity(inv, invoice.Rent)
		_, credit := quantity(inv, invoice.SLACredit)
		_, paid := quantity(inv, invoice.Curtailment)
		s := inv.Service
		if rent != c.rent || credit != c.credit || paid != c.paid {
			t.Errorf("%s: rent %s, credit %s, curtailment %s", c.id, rent, credit, paid)
		}
		if s == nil || s.Lost != c.lost || s.Counted != c.counted || len(s.Excluded) != c.excluded {
			t.Errorf("%s: %+v", c.id, s)
		}
	}
	x := r.Invoices[boreal].Service.Excluded
	if len(x) == 1 && (!x[0].From.Equal(r.b.p.curtailed.from) || !x[0].To.Equal(r.b.p.curtailed.to) || !strings.Contains(x[0].Why, "MSA-2, curtailment right") || x[0].Ref != "signal 17") {
		t.Errorf("what is excluded is shown as %+v", x[0])
	}
}

// priced checks that the intervals whose price came eight hours late have their cost, as a
// revision in which nothing else changed, and that they were billed at once and not corrected.
func priced(t *testing.T, r *Result) {
	span := r.b.p.unpriced
	revisions := 0
	for row, err := range usage.OpenReader(r.b.db).Rows(t.Context(), usage.Question{From: span.from, To: span.to, Revisions: true}) {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case row.Revision > 1:
			t.Fatalf("%+v", row)
		case row.Revision == 0 && row.Cost.OK:
			t.Errorf("%s at %s has a cost before its price was known", row.Tenant, row.Start)
		case row.Revision == 1 && row.Cost != site.Some(price(row.Start).Cost(row.Billed)):
			t.Errorf("%s at %s: %v", row.Tenant, row.Start, row.Cost)
		}
		revisions += row.Revision
	}
	if want := 5 * int(span.to.Sub(span.from)/length); revisions != want || r.Pending != 0 {
		t.Errorf("%d rows priced late, want %d; %d intervals still wait", revisions, want, r.Pending)
	}
	for id, inv := range r.Invoices {
		if _, sum := quantity(inv, invoice.Correction); sum != 0 || r.Rows[id].Unpriced != 0 {
			t.Errorf("%s: corrections of %s, %d rows without a cost", id, sum, r.Rows[id].Unpriced)
		}
	}
}

func replay(t *testing.T, r *Result) {
	before, err := r.Fingerprint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Replay(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := r.Fingerprint(t.Context())
	if err != nil || before != after {
		t.Errorf("%v; before:\n%s\nafter:\n%s", err, before, after)
	}
}

// late corrects one of acme's rows after October was billed, by a quarter of a MWh.
func late(t *testing.T, r *Result) {
	ctx := t.Context()
	archive, record := invoice.OpenReader(r.b.db), usage.OpenReader(r.b.db)
	was := jsonOf(t, r.Invoices[acme])
	at := r.From.AddDate(0, 0, 4).Add(10 * time.Hour)
	var row usage.Row
	for x, err := range record.Rows(ctx, usage.Question{Tenant: acme, From: at, To: at.Add(length)}) {
		if err != nil {
			t.Fatal(err)
		}
		row = x
	}
	list, err := record.Balances(ctx, at, at.Add(length))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	const more = 250 * unit.KilowattHour
	old := row.Cost.V
	row.Critical += more
	row.Billed += more
	row.Cost = site.Some(price(row.Start).Cost(row.Billed))
	list[0].Tenants += more
	list[0].TenantLoad += more
	list[0].Remainder -= more
	if n, err := record.Put(ctx, []usage.Row{row}, list[0]); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	now := r.To.AddDate(0, 1, 0).Add(15 * time.Minute)
	for _, id := range []string{acme, boreal, cirrus, serve, lab} {
		inv, fresh, err := r.Issue(ctx, id, "2026-11", now)
		if err != nil || !fresh {
			t.Fatal(inv.Number, fresh, err)
		}
		// Energy at cost and the adder of 2 $/MWh, each rounded to the cent as it stands on the paper.
		_, energy := quantity(r.Invoices[id], invoice.Energy)
		want := unit.Money(0)
		if id == acme {
			q := r.Rows[acme]
			want = invoice.Cents(q.Cost+row.Cost.V-old) + invoice.Cents(unit.DollarsPerMWh(2).Cost(q.Billed+more)) - energy
		}
		if _, got := quantity(inv, invoice.Correction); got != want {
			t.Errorf("%s: corrected by %s, want %s", id, got, want)
		}
		for _, l := range inv.Lines {
			if l.Corrects != nil && (l.Corrects.Number != r.Invoices[acme].Number || l.Corrects.Kind != invoice.Energy) {
				t.Errorf("%s: %+v", id, l)
			}
		}
		if again, fresh, err := r.Issue(ctx, id, "2026-11", now.Add(time.Hour)); again.Number != inv.Number || fresh || err != nil {
			t.Errorf("issued again: %s %v %v", again.Number, fresh, err)
		}
	}
	issued, err := archive.Of(ctx, acme, r.Month)
	if err != nil || !bytes.Equal(was, jsonOf(t, issued)) {
		t.Errorf("the issued document changed: %v", err)
	}
	if n, _, err := archive.Verify(ctx); n != 10 || err != nil {
		t.Errorf("%d invoices: %v", n, err)
	}
	balanced(t, r, r.Month, "2026-11")
}

func jsonOf(t *testing.T, inv invoice.Invoice) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := invoice.WriteJSON(&out, inv); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// On 1 November 2026 clocks in Chicago go back: the day has 25 hours and the month 721.
func TestMonthWithAnHourMore(t *testing.T) {
	r, err := Run(t.Context(), Options{Dir: t.TempDir(), Month: "2026-11", Days: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if d := r.To.Sub(r.From); d != 25*time.Hour {
		t.Fatalf("the day has %s", d)
	}
	b := r.Balance
	for id, u := range r.Rows {
		if u.Rows != 300 || u.Missing != 0 {
			t.Errorf("%s has %d intervals, %d missing", id, u.Rows, u.Missing)
		}
	}
	if b.Meter != r.Register || b.Tenants+b.Mining+b.House+b.Remainder != r.Register || r.Rows[acme].Critical != r.Registers[acme] {
		t.Errorf("the register rose by %d: %+v", r.Register, b)
	}
	near(t, "reserved", r.Rows[serve].GPUs.Reserved, r.GPUs[serve].Reserved)
	near(t, "on demand", r.Rows[serve].GPUs.OnDemand, r.GPUs[serve].OnDemand)
	near(t, "interruptible", r.Rows[lab].GPUs.Interruptible, r.GPUs[lab].Interruptible)
	inv, _, err := r.Issue(t.Context(), serve, "2026-11", r.From.AddDate(0, 1, 0).Add(time.Minute))
	if q, _ := quantity(inv, invoice.GPUReserved); err != nil || q != reservedGPUs*721 {
		t.Errorf("%f GPU-hours reserved: %v", q, err)
	}
	inv, _, err = r.Issue(t.Context(), boreal, "2026-11", r.From.AddDate(0, 1, 0).Add(time.Minute))
	if _, rent := quantity(inv, invoice.Rent); err != nil || rent != 104_000*unit.Dollar {
		t.Errorf("a rent of %s: %v", rent, err)
	}
	// The rent of the hour that comes twice is accrued once for each.
	accrued, err := r.b.ledger.Sums(t.Context(), "income:hosting", r.From, r.To)
	if s := accrued["income:hosting:boreal-feeder:boreal:rent"]; err != nil || s.Lines != 300 {
		t.Errorf("%+v: %v", s, err)
	}
}
