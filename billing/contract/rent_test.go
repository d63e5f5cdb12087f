package contract

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/unit"
)

func mustParse(t testing.TB, text string) *Contract {
	t.Helper()
	c, err := Parse("c.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func day(t testing.TB, s string) Date {
	t.Helper()
	d, err := ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestAnnouncedValue takes a lease as announced: $4.7 bn over 12 years on 270 MW. By hand:
// 270,000 kW x 144 months = 38,880,000 kW-months; 4.7e9 / 38.88e6 = 120.884774 $/kW-month. And
// the other way: at that rate the term comes to $4.7 bn again, within what rounding the rate to
// a micro-dollar can be (38.88e6 kW-months x half a micro-dollar = $19.44).
func TestAnnouncedValue(t *testing.T) {
	total := 4_700_000_000 * unit.Dollar
	rate := ImpliedRate(total, 270*unit.Megawatt, 12)
	if rate != unit.DollarsPerKWMonth(120.884774) {
		t.Errorf("implied rate %v, want 120.884774 $/kW-month", rate)
	}
	c := mustParse(t, head+fmt.Sprintf(`  - from: 2026-07-01
    to: 2038-07-01
    kind: colocation
    colocation: {critical: 270 MW, rate: %s, lease: gross}
`, rate))
	got := Total(c, 144)
	if d := got - total; d < -20*unit.Dollar || d > 20*unit.Dollar {
		t.Errorf("144 months at %v come to %v, want $4.7 bn within $20", rate, got)
	}
	if v := c.Value(); v != got {
		t.Errorf("the term's value is %v, its 144 months %v", v, got)
	}
	if Total(c, 200) != got || Total(c, 0) != 0 {
		t.Error("months after the end, or no months, change the total")
	}
	if ImpliedRate(total, 0, 12) != 0 || ImpliedRate(total, unit.Megawatt, 0) != 0 {
		t.Error("a rate is implied by nothing")
	}
}

// TestEscalatedRent takes a lease of 72.5 MW gross and 60 MW critical at $125 with 3 % a year
// from 2026-01-01. Rent is on the critical load. By hand:
//
//	year 1:  60,000 kW x 125                          = $7,500,000
//	year 2:  125 x 1.03       = 128.75;      x 60,000 = $7,725,000
//	year 10: 125 x 1.03^9     = 125 x 1.304773183829… = 163.096648 (to the micro-dollar)
//	         163.096648 x 60,000                      = $9,785,798.88
func TestEscalatedRent(t *testing.T) {
	c := mustParse(t, head+lease)
	for _, w := range []struct {
		month string
		rate  float64
		rent  float64
	}{
		{"2026-01", 125, 7_500_000},
		{"2026-02", 125, 7_500_000},
		{"2026-12", 125, 7_500_000},
		{"2027-01", 128.75, 7_725_000},
		{"2035-01", 163.096648, 9_785_798.88},
		{"2035-12", 163.096648, 9_785_798.88},
	} {
		ps, err := c.Rent(w.month)
		if err != nil {
			t.Fatal(err)
		}
		owed, _ := c.Owed(w.month)
		if len(ps) != 1 || ps[0].Rate != unit.DollarsPerKWMonth(w.rate) || ps[0].Amount != unit.Dollars(w.rent) || owed != ps[0].Amount || ps[0].Critical != 60*unit.Megawatt {
			t.Errorf("%s: %+v, owed %v; want %v at %v", w.month, ps, owed, w.rent, w.rate)
		}
	}
	if ps, err := c.Rent("2025-12"); err != nil || len(ps) != 0 {
		t.Errorf("before the contract: %v, %v", ps, err)
	}
	if _, err := c.Rent("2025-13"); err == nil {
		t.Error("a month that does not exist has a rent")
	}
	// Twelve years, as announced: $7.5 M x 12 x (1.03^12 - 1) / 0.03 = $1,277,282,660 or so.
	if got := Total(c, 144).Dollars(); got < 1.2772e9 || got > 1.2774e9 {
		t.Errorf("twelve years come to %.0f", got)
	}
}

// TestMonthOfMany takes a month in which all changes: a ramp step on the 11th, the escalator's
// anniversary on the 16th, an amendment on the 26th of a month of 30 days. By hand:
//
//	1-10:  20,000 kW x 100 $ x 10/30 =   666,666.666667
//	11-15: 30,000 kW x 100 $ x  5/30 =   500,000
//	16-25: 30,000 kW x 110 $ x 10/30 = 1,100,000
//	26-30: 40,000 kW x  90 $ x  5/30 =   600,000
//	                             sum = 2,866,666.666667
func TestMonthOfMany(t *testing.T) {
	c := mustParse(t, head+`  - from: 2025-06-16
    kind: colocation
    colocation:
      critical: 30 MW
      rate: 100 $/kW-month
      escalator: 10 %
      ramp: [{from: 2025-06-16, critical: 20 MW}, {from: 2026-06-11, critical: 30 MW}]
      lease: net
      power: {losses: false}
      upkeep: 6 $/kW-month
  - from: 2026-06-26
    start: 2026-06-26
    kind: colocation
    colocation: {critical: 40 MW, rate: 90 $/kW-month, escalator: 10 %, lease: gross}
`)
	ps, err := c.Rent("2026-06")
	if err != nil {
		t.Fatal(err)
	}
	d := func(n int) Date { return Date{2026, 6, 1}.AddDays(n - 1) }
	mw, rate := func(n int) unit.Power { return unit.Power(n) * unit.Megawatt }, unit.DollarsPerKWMonth
	want := []Piece{
		{d(1), d(11), mw(20), rate(100), 10, 30, 666_666_666_667},
		{d(11), d(16), mw(30), rate(100), 5, 30, 500_000_000_000},
		{d(16), d(26), mw(30), rate(110), 10, 30, 1_100_000_000_000},
		{d(26), d(31), mw(40), rate(90), 5, 30, 600_000_000_000},
	}
	if diff := cmp.Diff(want, ps); diff != "" {
		t.Errorf("pieces differ (-want +got):\n%s", diff)
	}
	owed, _ := c.Owed("2026-06")
	if owed != 2_866_666_666_667 {
		t.Errorf("owed %v", owed)
	}
	stretches, _ := c.Month("2026-06")
	if len(stretches) != 2 || stretches[0].Rent()+stretches[1].Rent() != owed {
		t.Fatalf("%d stretches", len(stretches))
	}
	// Upkeep: (20,000 x 10 + 30,000 x 15) / 30 kW-months x 6 $ = $130,000, under the first version only.
	var upkeep unit.Money
	for _, p := range stretches[0].Upkeep {
		upkeep += p.Amount
	}
	if upkeep != 130_000*unit.Dollar || len(stretches[1].Upkeep) != 0 {
		t.Errorf("upkeep %v, then %v", upkeep, stretches[1].Upkeep)
	}
	zone := c.Location()
	if want := time.Date(2026, 6, 26, 0, 0, 0, 0, zone); !stretches[1].Start.Equal(want) || !stretches[0].End.Equal(want) {
		t.Errorf("the amendment begins at %v", stretches[1].Start)
	}
	if v, ok := c.At(time.Date(2026, 6, 26, 4, 59, 0, 0, time.UTC)); !ok || v.From != (Date{2025, 6, 16}) {
		t.Errorf("a minute before midnight in Chicago: %v, %v", v.From, ok)
	}
	if v, ok := c.At(time.Date(2026, 6, 26, 5, 0, 0, 0, time.UTC)); !ok || v.From != (Date{2026, 6, 26}) {
		t.Errorf("at midnight in Chicago: %v, %v", v.From, ok)
	}
}

// TestGapHasNoVersion: nothing is owed for days on which nothing is agreed.
func TestGapHasNoVersion(t *testing.T) {
	c := mustParse(t, head+`  - {from: 2026-01-01, to: 2026-04-11, kind: colocation, colocation: {critical: 30 MW, rate: 100 $/kW-month, lease: gross}}
  - {from: 2026-04-21, kind: colocation, colocation: {critical: 30 MW, rate: 100 $/kW-month, lease: gross}}
`)
	if _, ok := c.On(Date{2026, 4, 11}); ok {
		t.Error("a version holds in the gap")
	}
	if _, ok := c.On(Date{2026, 4, 10}); !ok {
		t.Error("no version holds before the gap")
	}
	if owed, _ := c.Owed("2026-04"); owed != 2_000_000*unit.Dollar {
		t.Errorf("20 of 30 days owe %v, want $2,000,000.00", owed)
	}
}

// TestCloudMonth: 256 GPUs in March 2026, which in Chicago has 743 hours, at $2.10, and 500 TB
// at $20. By hand: 256 x 743 = 190,208 GPU-hours x 2.10 = $399,436.80; $10,000 of storage.
func TestCloudMonth(t *testing.T) {
	c := mustParse(t, head+cloud)
	stretches, err := c.Month("2026-03")
	if err != nil || len(stretches) != 1 {
		t.Fatalf("%v, %v", stretches, err)
	}
	s := stretches[0]
	if len(s.GPUs) != 1 || s.GPUs[0].Hours() != 190_208 || s.GPUs[0].Amount != unit.Dollars(399_436.80) {
		t.Errorf("reserved: %+v", s.GPUs)
	}
	if len(s.Storage) != 1 || s.Storage[0].Amount != 10_000*unit.Dollar {
		t.Errorf("storage: %+v", s.Storage)
	}
	if owed, _ := c.Owed("2026-11"); owed != unit.Dollars(256*721*2.10)+10_000*unit.Dollar {
		t.Errorf("November, with its 721 hours, owes %v", owed)
	}
	if got := s.Version.Models(); !cmp.Equal(got, []string{"H100"}) {
		t.Errorf("models %v", got)
	}
	if s.Version.RateOn(s.From) != 0 || s.Version.CriticalOn(s.From) != 0 {
		t.Error("GPU time has a rent of critical load")
	}
}

// The pieces of a month sum to its exact rent rounded once, whatever changes within it.
func TestPiecesSumExactly(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		from := Date{2026, 1, 1}
		c := &Contract{Timezone: "America/New_York"}
		for range rapid.IntRange(1, 4).Draw(rt, "versions") {
			v := Version{From: from, Start: Date{2020, 1, 1}, Kind: Colocation, Colocation: &Space{
				Critical:  unit.Power(rapid.Int64Range(1, int64(maxCritical)).Draw(rt, "critical")),
				Rate:      unit.CapacityRate(rapid.Int64Range(1, int64(maxRate)).Draw(rt, "rate")),
				Escalator: unit.Ratio(rapid.IntRange(-25, 25).Draw(rt, "escalator")) / 100,
			}}
			for j := range rapid.IntRange(0, 3).Draw(rt, "steps") {
				v.Colocation.Steps = append(v.Colocation.Steps, RampStep{from.AddDays(5 * j), v.Colocation.Critical / unit.Power(4-j)})
			}
			c.Versions = append(c.Versions, v)
			from = from.AddDays(rapid.IntRange(1, 40).Draw(rt, "days"))
		}
		for m := range 3 {
			first := Date{2026, 1, 1}.AddMonths(m)
			want := new(big.Rat)
			for d := first; d.Before(first.AddMonths(1)); d = d.AddDays(1) {
				if v, ok := c.On(d); ok {
					owed := big.NewRat(int64(v.RateOn(d)), int64(first.daysInMonth()))
					want.Add(want, owed.Mul(owed, big.NewRat(int64(v.CriticalOn(d)), int64(unit.Kilowatt))))
				}
			}
			ps, err := c.Rent(first.String()[:7])
			if err != nil {
				rt.Fatal(err)
			}
			var got unit.Money
			for _, p := range ps {
				got += p.Amount
			}
			off := new(big.Rat).Sub(want, new(big.Rat).SetInt64(int64(got)))
			if off.Abs(off).Cmp(big.NewRat(1, 2)) > 0 {
				rt.Fatalf("%v: the pieces sum to %d, exactly it is %s", first, got, want.FloatString(3))
			}
		}
	})
}

// The rate of a year is the base times the power, within half a micro-dollar, and never carries
// a rounding on.
func TestRateIsOfTheBase(t *testing.T) {
	v := Version{From: Date{2024, 2, 29}, Colocation: &Space{Rate: unit.DollarsPerKWMonth(120), Escalator: 0.03}}
	for _, w := range []struct {
		day  string
		rate float64
	}{
		{"2023-01-01", 120},
		{"2024-02-29", 120},
		{"2025-02-28", 120},        // the anniversary of a 29 February is the 1 March
		{"2025-03-01", 123.6},      // x 1.03
		{"2028-02-28", 131.12724},  // x 1.03^3 = 1.092727
		{"2028-02-29", 135.061057}, // x 1.03^4 = 1.12550881
		{"2034-03-01", 161.269966}, // x 1.03^10 = 1.343916379…
	} {
		if got := v.RateOn(day(t, w.day)); got != unit.DollarsPerKWMonth(w.rate) {
			t.Errorf("on %s: %v, want %v", w.day, got, w.rate)
		}
	}
	v.Colocation.Escalator = -0.02
	if got := v.RateOn(Date{2026, 3, 1}); got != unit.DollarsPerKWMonth(115.248) {
		t.Errorf("a rate that falls: %v", got)
	}
}

func TestDates(t *testing.T) {
	d := day(t, "2026-01-31")
	for _, w := range []struct{ got, want Date }{
		{d.AddMonths(1), Date{2026, 2, 28}},
		{d.AddMonths(-2), Date{2025, 11, 30}},
		{d.AddDays(1), Date{2026, 2, 1}},
		{d.AddMonths(12), Date{2027, 1, 31}},
		{Date{2028, 1, 31}.AddMonths(1), Date{2028, 2, 29}},
	} {
		if w.got != w.want {
			t.Errorf("%v, want %v", w.got, w.want)
		}
	}
	if n := d.Days(Date{2027, 1, 31}); n != 365 {
		t.Errorf("%d days in a year", n)
	}
	// In São Paulo the clocks went forward over midnight: the day began at one o'clock.
	zone, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		t.Skip("no time zone data for America/Sao_Paulo")
	}
	at := Date{2018, 11, 4}.In(zone)
	if at.Hour() != 1 || at.Day() != 4 || DateOf(at.Add(-time.Nanosecond), zone) != (Date{2018, 11, 3}) {
		t.Errorf("the day began at %v", at)
	}
	from, to, err := MonthOf(zone, "2018-11")
	if err != nil || to.Sub(from) != 30*24*time.Hour-time.Hour {
		t.Errorf("November had %v, %v", to.Sub(from), err)
	}
	if _, _, err := MonthOf(zone, "2018-11-04"); err == nil {
		t.Error("a day was taken for a month")
	}
	text, _ := Date{2026, 3, 1}.MarshalText()
	if string(text) != "2026-03-01" || (Date{}).String() != "" {
		t.Errorf("printed as %q", text)
	}
}

func TestFormulas(t *testing.T) {
	mwh := unit.MegawattHour
	pass := Pass{Losses: true, PUECap: 1.25}
	for _, w := range []struct {
		name      string
		got, want int64
	}{
		// 500 kW above, at 150 $/kW-month: $75,000.
		{"overage", int64(OverageOwed(60_500*unit.Kilowatt, 60*unit.Megawatt, unit.DollarsPerKWMonth(150))), int64(75_000 * unit.Dollar)},
		{"no overage", int64(OverageOwed(59*unit.Megawatt, 60*unit.Megawatt, unit.DollarsPerKWMonth(150))), 0},
		// 10 MW for two hours not drawn, at 150 $/MWh: $3,000.
		{"curtailment", int64(Curtail{Price: 150 * unit.DollarPerMWh}.CurtailmentPayment(20 * mwh)), int64(3_000 * unit.Dollar)},
		{"curtailment of less than nothing", int64(Curtail{Price: 150 * unit.DollarPerMWh}.CurtailmentPayment(-mwh)), 0},
		{"billed", int64(pass.Billable(100*mwh, 120*mwh)), int64(120 * mwh)},
		{"billed at the cap", int64(pass.Billable(100*mwh, 130*mwh)), int64(125 * mwh)},
		{"billed without a cap", int64(Pass{Losses: true}.Billable(100*mwh, 130*mwh)), int64(130 * mwh)},
		{"billed at its own meter", int64(Pass{}.Billable(100*mwh, 130*mwh)), int64(100 * mwh)},
		{"part of a charge", int64(PartOf(90_000*unit.Dollar, 20*unit.Megawatt, 60*unit.Megawatt)), int64(30_000 * unit.Dollar)},
		{"part of nothing", int64(PartOf(90_000*unit.Dollar, 20*unit.Megawatt, 0)), 0},
		{"part of more than all", int64(PartOf(9*unit.Dollar, 2, 1)), int64(9 * unit.Dollar)},
		{"prepayment", int64(Prepayment{Share: 0.5}.Take(10_000_000*unit.Dollar, 7_500_000*unit.Dollar)), int64(3_750_000 * unit.Dollar)},
		{"the rest of it", int64(Prepayment{Share: 0.5}.Take(1_000*unit.Dollar, 7_500_000*unit.Dollar)), int64(1_000 * unit.Dollar)},
		{"nothing left", int64(Prepayment{Share: 0.5}.Take(-1, 7_500_000*unit.Dollar)), 0},
		{"on demand", int64(OnDemandOwed(90*time.Minute, unit.Dollars(2.80))), int64(unit.Dollars(4.20))},
		{"a share", int64(ShareOf(-3, 0.5)), -2},
	} {
		if w.got != w.want {
			t.Errorf("%s: %d, want %d", w.name, w.got, w.want)
		}
	}
	if due := (Version{PaymentDays: 30}).Due(Date{2026, 11, 2}); due != (Date{2026, 12, 2}) {
		t.Errorf("due on %v", due)
	}
}
