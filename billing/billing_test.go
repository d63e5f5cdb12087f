package billing

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"switchyard/ledger"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2016, 5, 17, 12, 0, 0, 0, time.UTC)

const kWh = unit.KilowattHour

// connection -> feeder (2 % loss) -> hall-a (groups s21, m60), hall-b (group bos); connection -> ai (tenant)
func contracts(t testing.TB) Contracts {
	t.Helper()
	tree, err := site.NewTree([]site.Node{
		{ID: "connection", Name: "Connection", Parent: -1, Meter: "meter:connection"},
		{ID: "feeder", Name: "Feeder 1", Parent: 0, Meter: "meter:feeder", Loss: 0.02},
		{ID: "hall-a", Name: "Hall A", Parent: 1, Meter: "meter:hall-a"},
		{ID: "hall-b", Name: "Hall B", Parent: 1, Meter: "meter:hall-b"},
		{ID: "ai", Name: "AI hall", Parent: 0, Meter: "meter:ai"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return Contracts{
		Tree: tree,
		Groups: []sitefile.Group{
			{ID: "s21", Node: "hall-a", PoolFee: 0.02}, {ID: "m60", Node: "hall-a"}, {ID: "bos", Node: "hall-b", PoolFee: 0.01},
		},
		Tenants: []sitefile.Tenant{{
			ID: "acme", Node: "ai", Firm: 1800 * unit.Kilowatt, Rate: unit.DollarsPerKWMonth(120), Power: "pass-through",
			Penalty: unit.DollarsPerMWh(5000),
		}},
	}
}

func open(t *testing.T, c Contracts) (*Book, *ledger.Ledger, *store.DB) {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b, err := Open(t.Context(), db, c)
	if err != nil {
		t.Fatal(err)
	}
	return b, ledger.OpenReader(db), db
}

func record(subject string, start time.Time, e unit.Energy, hashes float64) telemetry.Interval {
	return telemetry.Interval{Subject: subject, Start: start, Energy: e, Hashes: hashes, Sources: 1, Measured: telemetry.Length}
}

func missing(subject string, start time.Time) telemetry.Interval {
	return telemetry.Interval{Subject: subject, Start: start, Sources: 1, Missing: telemetry.Length}
}

func interval(start time.Time) Close {
	return Close{
		Start: start,
		Records: []telemetry.Interval{
			record("meter:connection", start, 310*kWh, 0), record("meter:feeder", start, 200*kWh, 0),
			record("meter:hall-a", start, 120*kWh, 0), record("meter:hall-b", start, 75*kWh, 0), record("meter:ai", start, 109*kWh, 0),
			record("s21", start, 80*kWh, 86.4), record("m60", start, 39*kWh, 0), record("bos", start, 75*kWh, 43.2),
		},
		Price:     site.Some(unit.DollarsPerMWh(50)),
		Hashprice: site.Some(unit.DollarsPerPHDay(50_000)),
	}
}

func TestAllocate(t *testing.T) {
	l, err := layOut(contracts(t))
	if err != nil {
		t.Fatal(err)
	}
	u := l.allocate(interval(noon).Records)
	// feeder: 200 in, 4 lost by name, 195 on to the halls, 1 nowhere; connection: 310 - 200 - 109 = 1.
	want := map[string]unit.Energy{"hall-a": 120 * kWh, "hall-b": 75 * kWh, "ai": 109 * kWh}
	for _, h := range u.halls {
		if id := string(l.tree.Node(h.node).ID); h.energy != want[id] {
			t.Errorf("%s used %s, want %s", id, h.energy, want[id])
		}
	}
	if len(u.losses) != 1 || u.losses[0].energy != 4*kWh || u.remainder.energy != 2*kWh {
		t.Errorf("losses %v, remainder %s", u.losses, u.remainder.energy)
	}
	shares := u.remainder.share
	for _, h := range u.halls {
		shares += h.share
	}
	if shares != 310*kWh {
		t.Errorf("the shares sum to %s, want the meter's 310 kWh", shares)
	}
	if a := u.halls[0]; a.share-a.energy != 2_461_538 || u.halls[2].share != 109*kWh {
		t.Errorf("hall A's part of the loss is %s, the AI hall's share %s", a.share-a.energy, u.halls[2].share)
	}
}

// However meters read, the parts sum to the connection's meter and the cost to the bill.
func TestAllocationSumsExactly(t *testing.T) {
	l, err := layOut(contracts(t))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		var records []telemetry.Interval
		for _, r := range interval(noon).Records {
			r.Energy = unit.Energy(rapid.Int64Range(-1000, 1e9).Draw(rt, r.Subject))
			switch rapid.IntRange(0, 6).Draw(rt, "state") {
			case 0:
				r = missing(r.Subject, noon)
			case 1:
				continue
			}
			records = append(records, r)
		}
		u := l.allocate(records)
		energy, share := u.remainder.energy, u.remainder.share
		for _, h := range u.halls {
			energy += h.energy
			share += h.share
		}
		for _, x := range u.losses {
			energy += x.energy
		}
		if energy != u.connection.energy || share != u.connection.energy {
			rt.Fatalf("parts sum to %d and shares to %d, the meter says %d", energy, share, u.connection.energy)
		}
		price := unit.Price(rapid.Int64Range(-2e8, 2e9).Draw(rt, "price"))
		for i, tx := range l.energy(noon, u, records, price) {
			var sum unit.Money
			var e unit.Energy
			for _, line := range tx.Lines {
				sum += line.Amount
				e += line.Energy
			}
			last := tx.Lines[len(tx.Lines)-1]
			if sum != 0 || e != 0 || i == 0 && -last.Amount != price.Cost(u.connection.energy) {
				rt.Fatalf("%s: %d micro-dollars and %d mWh over, bill %d", tx.Key, sum, e, -last.Amount)
			}
		}
	})
}

func TestUnmeteredSiteIsEstimatedFromItsGroups(t *testing.T) {
	tree, err := site.NewTree([]site.Node{{ID: "c", Parent: -1, Loss: 0.1}, {ID: "h", Parent: 0}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := layOut(Contracts{Tree: tree, Groups: []sitefile.Group{{ID: "g", Node: "h"}}})
	if err != nil {
		t.Fatal(err)
	}
	u := l.allocate([]telemetry.Interval{record("g", noon, 90*kWh, 0)})
	if u.connection.energy != 100*kWh || u.halls[0].energy != 90*kWh || u.losses[0].energy != 10*kWh || u.remainder.energy != 0 {
		t.Errorf("%+v", u)
	}
	if u.connection.quality != site.Estimated {
		t.Errorf("quality %s", u.connection.quality)
	}
}

func TestPostings(t *testing.T) {
	b, l, _ := open(t, contracts(t))
	c := interval(noon)
	c.Short = map[site.LoadID]unit.Energy{"acme": 2 * kWh}
	if err := b.Settle(t.Context(), []Close{c}, []byte("cp")); err != nil {
		t.Fatal(err)
	}
	sums, err := l.Sums(t.Context(), "", time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for a, s := range sums {
		got[a] = fmt.Sprintf("%.6f", s.Amount.Dollars())
	}
	want := map[string]string{
		"liability:energy-supplier":     "-15.500000",
		"expense:energy:hall:hall-a":    "6.123077", // 120 kWh and 8/13 of 4
		"expense:energy:hall:hall-b":    "3.826923",
		"expense:energy:hall:ai":        "5.450000",
		"expense:energy:remainder":      "0.100000",
		"income:hosting:ai:acme:energy": "-5.450000",
		"income:hosting:ai:acme:rent":   "-24.193549", // 216,000 $ a month of 31 days
		"assets:receivable:tenant:acme": "19.643549",
		"expense:penalty:ai:acme":       "10.000000",
		"assets:receivable:pool":        "73.750000",
		"income:mining:hall-a:s21":      "-49.000000", // 0.001 PH-day at 50,000 $, less 2 %
		"income:mining:hall-b:bos":      "-24.750000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if cp, err := b.Checkpoint(t.Context()); err != nil || string(cp) != "cp" {
		t.Errorf("Checkpoint = %q, %v", cp, err)
	}
}

func TestSettlingAgainChangesNothing(t *testing.T) {
	b, l, _ := open(t, contracts(t))
	var ends [][]byte
	for i := range 3 {
		c := interval(noon)
		if i == 2 { // the feeds say something else now: what was posted stands
			c.Price, c.Hashprice = site.Some(unit.DollarsPerMWh(99)), site.Opt[unit.Hashprice]{}
		}
		if err := b.Settle(t.Context(), []Close{c}, nil); err != nil {
			t.Fatal(err)
		}
		_, end, err := l.Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, end)
	}
	if diff := cmp.Diff(ends[0], ends[1]); diff != "" {
		t.Error("a replay changed the ledger")
	}
	if diff := cmp.Diff(ends[0], ends[2]); diff != "" {
		t.Error("a replay with another price changed the ledger")
	}
	c := interval(noon)
	c.Records[0].Energy++
	if err := b.Settle(t.Context(), []Close{c}, nil); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "meter:connection") {
		t.Errorf("other figures = %v, want ErrConflict that names the meter", err)
	}
}

func TestUnknownPricesArePendingAndPostedOnce(t *testing.T) {
	b, l, _ := open(t, contracts(t))
	c := interval(noon)
	c.Price, c.Hashprice = site.Opt[unit.Price]{}, site.Opt[unit.Hashprice]{}
	if err := b.Settle(t.Context(), []Close{c, interval(noon.Add(telemetry.Length))}, nil); err != nil {
		t.Fatal(err)
	}
	pend, err := b.Pending(t.Context(), time.Time{}, time.Time{})
	if diff := cmp.Diff([]Pending{{noon, true, true}}, pend); diff != "" || err != nil {
		t.Fatal(diff, err)
	}
	r, err := b.DayReport(t.Context(), 2016, 5, 17)
	if err != nil {
		t.Fatal(err)
	}
	if r.Pending != 1 || r.Complete || !strings.Contains(r.Text(), "waiting for a price, and not yet in the money above: 1 of 2 intervals") || r.Energy != 620*kWh {
		t.Errorf("the report does not say what is pending:\n%s", r.Text())
	}
	lookup := func(price bool) func(time.Time) (site.Opt[unit.Price], site.Opt[unit.Hashprice]) {
		return func(time.Time) (site.Opt[unit.Price], site.Opt[unit.Hashprice]) {
			return site.Opt[unit.Price]{V: unit.DollarsPerMWh(50), OK: price}, site.Some(unit.DollarsPerPHDay(50_000))
		}
	}
	for i, step := range []struct {
		price bool
		want  int
	}{{false, 0}, {true, 1}, {true, 0}} {
		if n, err := b.Reprice(t.Context(), 100, lookup(step.price)); n != step.want || err != nil {
			t.Errorf("step %d: Reprice = %d, %v; want %d", i, n, err, step.want)
		}
	}
	first, err := l.Balance(t.Context(), "liability", noon, noon.Add(telemetry.Length))
	if err != nil || first.Amount != -unit.Dollars(15.5) {
		t.Errorf("posted late: %s, %v", first.Amount, err)
	}
}

func TestAPriceThatNeverComesKeepsNoOtherWaiting(t *testing.T) {
	b, _, _ := open(t, contracts(t))
	var closes []Close
	for i := range 6 {
		c := interval(noon.Add(time.Duration(i) * telemetry.Length))
		c.Price = site.Opt[unit.Price]{}
		closes = append(closes, c)
	}
	if err := b.Settle(t.Context(), closes, nil); err != nil {
		t.Fatal(err)
	}
	known := func(at time.Time) (site.Opt[unit.Price], site.Opt[unit.Hashprice]) {
		return site.Opt[unit.Price]{V: unit.DollarsPerMWh(50), OK: !at.Before(closes[3].Start)}, site.Opt[unit.Hashprice]{}
	}
	for i, want := range []int{2, 1, 0} {
		if n, err := b.Reprice(t.Context(), 2, known); n != want || err != nil {
			t.Errorf("%d: %d, %v; want %d", i, n, err, want)
		}
	}
	for i, want := range []bool{false, false, false, true, true, true} {
		if p, err := b.Price(t.Context(), closes[i].Start); p.OK != want || err != nil || want && p.V != unit.DollarsPerMWh(50) {
			t.Errorf("interval %d: %v, %v", i, p, err)
		}
	}
}

func TestRentOfAMonthSumsToTheRent(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Skip(err)
	}
	c := contracts(t)
	c.Tenants[0].Firm = 1_777_777 * unit.Watt
	c.Tenants[0].Rate = unit.DollarsPerKWMonth(123.456789)
	l, err := layOut(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, month := range []time.Month{time.February, time.March, time.November} { // summer time begins, ends
		var sum unit.Money
		to := time.Date(2016, month+1, 1, 0, 0, 0, 0, zone)
		for s := time.Date(2016, month, 1, 0, 0, 0, 0, zone); s.Before(to); s = s.Add(telemetry.Length) {
			for _, tx := range l.rent(s, zone) {
				sum += tx.Lines[0].Amount
			}
		}
		if want := c.Tenants[0].Rate.Rent(c.Tenants[0].Firm, 1, 1); sum != want {
			t.Errorf("%s: the intervals sum to %d, the rent is %d", month, sum, want)
		}
	}
}

func TestGaps(t *testing.T) {
	b, _, _ := open(t, contracts(t))
	at := func(n int) time.Time { return noon.Add(time.Duration(n) * telemetry.Length) }
	for _, n := range []int{0, 1, 4} {
		c := interval(at(n))
		if n == 1 {
			c.Records = c.Records[1:]
		}
		if err := b.Settle(t.Context(), []Close{c}, nil); err != nil {
			t.Fatal(err)
		}
	}
	got, err := b.Gaps(t.Context(), at(0), at(6))
	want := []Gap{{"", at(2), at(4)}, {"", at(5), at(6)}, {"meter:connection", at(1), at(2)}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if got, err := b.Gaps(t.Context(), at(0), at(1)); len(got) != 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestFullDiskSettlesNothing(t *testing.T) {
	b, _, db := open(t, contracts(t))
	if err := db.SetMaxBytes(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var all []Close
	for i := range 100 {
		all = append(all, interval(noon.Add(time.Duration(i)*telemetry.Length)))
	}
	if err := b.Settle(t.Context(), all, []byte("cp")); !errors.Is(err, store.ErrFull) {
		t.Fatalf("Settle = %v, want ErrFull", err)
	}
	if got, err := b.Records(t.Context(), noon); len(got) != 0 || err != nil {
		t.Fatalf("half of it was settled: %v, %v", got, err)
	}
	if err := db.SetMaxBytes(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := b.Settle(t.Context(), all, []byte("cp")); err != nil {
		t.Fatal(err)
	}
	if gaps, err := b.Gaps(t.Context(), noon, noon.Add(100*telemetry.Length)); len(gaps) != 0 || err != nil {
		t.Errorf("%v, %v", gaps, err)
	}
}

// A controller that is killed anywhere, again and again, loses no interval and posts none
// twice: the book's energy is what the meter's register rose by.
func TestKilledAnywhere(t *testing.T) {
	b, l, _ := open(t, contracts(t))
	rnd := rand.New(rand.NewPCG(2, 3))
	sources := []telemetry.Source{{Device: "meter:connection", Subject: "meter:connection"}, {Device: "s21-001", Subject: "s21"}}
	g := telemetry.NewIntegrator(telemetry.Options{}, sources...)
	power, total := 2*unit.Megawatt, unit.Energy(12345)
	first, now, kills := total, noon, 0
	end := noon.Add(6 * time.Hour)
	for now.Before(end) {
		g.Observe(site.Sample{Device: "meter:connection", At: now, Power: site.Some(power), Energy: site.Some(total)})
		g.Observe(site.Sample{Device: "s21-001", At: now, Power: site.Some(3500 * unit.Watt), Hashrate: site.Some(200 * unit.TeraHash)})
		closed := g.Close(now)
		cp, err := g.Checkpoint()
		if err != nil {
			t.Fatal(err)
		}
		step := 10 * time.Second
		if dies := rnd.IntN(60); dies == 0 || dies == 1 && len(closed) > 0 {
			// Killed before or, half of the time, right after the interval was settled.
			if dies == 1 || rnd.IntN(2) == 0 {
				settle(t, b, closed, cp)
			}
			kills++
			step = time.Duration(rnd.IntN(1500)) * time.Second
			cp, err := b.Checkpoint(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			g = telemetry.NewIntegrator(telemetry.Options{}, sources...)
			if err := g.Restore(cp, now.Add(step)); err != nil {
				t.Fatal(err)
			}
		} else if len(closed) > 0 {
			settle(t, b, closed, cp)
			g.Settled(closed[len(closed)-1].Start)
		} else if rnd.IntN(3) == 0 {
			settle(t, b, nil, cp)
		}
		now = now.Add(step)
		total += power.Over(step)
	}
	now = telemetry.Span(now).Add(telemetry.Length)
	for range 2 {
		g.Observe(site.Sample{Device: "meter:connection", At: now, Power: site.Some(power), Energy: site.Some(total)})
		g.Observe(site.Sample{Device: "s21-001", At: now, Power: site.Some(3500 * unit.Watt), Hashrate: site.Some(200 * unit.TeraHash)})
		settle(t, b, g.Close(now), nil)
	}
	if kills < 10 {
		t.Fatalf("only %d kills", kills)
	}
	if gaps, err := b.Gaps(t.Context(), noon, now); len(gaps) != 0 || err != nil {
		t.Errorf("%d kills: gaps %v, %v", kills, gaps, err)
	}
	sum, err := l.Balance(t.Context(), "liability:energy-supplier", time.Time{}, time.Time{})
	if err != nil || -sum.Energy != total-first {
		t.Errorf("%d kills: posted %s, %v; the register rose by %s", kills, -sum.Energy, err, total-first)
	}
	if _, _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func settle(t *testing.T, b *Book, closed []telemetry.Interval, cp []byte) {
	t.Helper()
	all := Closes(closed)
	for i := range all {
		all[i].Price, all[i].Hashprice = site.Some(unit.DollarsPerMWh(40)), site.Some(unit.DollarsPerPHDay(50))
	}
	if err := b.Settle(t.Context(), all, cp); err != nil {
		t.Fatal(err)
	}
}
