package market

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"switchyard/clock"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// instant reads an RFC 3339 time.
func instant(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func near(a, b, share float64) bool { return math.Abs(a-b) <= share*math.Abs(b) }

// The vector is from the exhibit of a public pool contract.
func TestPublishedVectors(t *testing.T) {
	if got := BTCPerPHDay(21_448_277_761_059, 6.25); math.Abs(got-0.0058619) > 5e-8 {
		t.Errorf("BTC per PH-day = %.8f, want 0.0058619", got)
	}
	if got := FPPS(149*6.25, 110.36520932); math.Abs(got-1.118513) > 5e-7 {
		t.Errorf("FPPS = %.7f, want 1.118513", got)
	}
	for height, want := range map[int64]int64{
		0: 50e8, 209_999: 50e8, 210_000: 25e8, 630_000: 6.25e8, 839_999: 6.25e8, 840_000: 3.125e8, 6_929_999: 1, 6_930_000: 0, 64 * 210_000: 0, math.MaxInt64: 0, -1: 0,
	} {
		if got := Subsidy(height); got != want {
			t.Errorf("Subsidy(%d) = %d, want %d", height, got, want)
		}
	}
	if BTCPerPHDay(0, 6.25) != 0 || FPPS(0, 1) != 0 || Breakeven(1, 1, 0, 0) != 0 {
		t.Error("what cannot be divided is not zero")
	}
	// 50 $/PH/day at 17.5 J/TH, 1 % fee: 50 x 0.99 / (0.024 x 17.5) = 117.857142...
	if got := Breakeven(unit.DollarsPerPHDay(50), 17.5, 0.01, 1); got != unit.DollarsPerMWh(117.857143) {
		t.Errorf("breakeven %v", got)
	}
	if got := Breakeven(unit.DollarsPerPHDay(50), 17.5, 0.01, 1.05); got != unit.DollarsPerMWh(112.244898) {
		t.Errorf("breakeven at a PUE of 1.05: %v", got)
	}
}

// A network's own revenue is the blocks it finds: 144 a day at its difficulty.
func TestDifficultyProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		network := unit.Hashrate(rapid.Float64Range(1e15, 1e21).Draw(t, "network"))
		reward := rapid.Float64Range(0.1, 60).Draw(t, "reward")
		if got := BTCPerPHDay(Difficulty(network), reward) * network.PH(); !near(got, 144*reward, 1e-9) {
			t.Fatalf("the network earns %v a day, want %v", got, 144*reward)
		}
	})
}

func TestFixed(t *testing.T) {
	at := instant(t, "2026-07-01T16:03:00Z")
	m := New(Fixed(45*unit.DollarPerMWh), FixedHash(unit.DollarsPerPHDay(50)), 6*unit.DollarPerMWh)
	q := m.Price(at)
	if q.Price != 51*unit.DollarPerMWh || !q.Known || q.Stale || q.Source != "fixed" || q.From.After(at) || !q.To.After(at) {
		t.Errorf("price %+v", q)
	}
	if h := m.Hashprice(at); h.Hashprice != unit.DollarsPerPHDay(50) || !h.Known {
		t.Errorf("hashprice %+v", h)
	}
	if s := m.Prices(at, at.Add(time.Hour)); len(s) != 1 || s[0].Price != 51*unit.DollarPerMWh || s[0].To != at.Add(time.Hour) {
		t.Errorf("series %+v", s)
	}
	if m.Prices(at, at) != nil || m.Hashprices(at, at) != nil || m.Problems() != nil {
		t.Error("nothing is not nothing")
	}
	if err := m.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	f, err := sitefile.Parse("site.yaml", sitefile.Example(), sitefile.Known{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Open(f, clock.System(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if q := m.Price(time.Now()); q.Price != 51*unit.DollarPerMWh || !q.Known {
		t.Errorf("the example's price with its adder is %+v", q)
	}
	f.Market.Price = sitefile.Price{URL: "http://127.0.0.1:1/now?key=k", TimeField: "time", PriceField: "price"}
	f.Market.Bitcoin = sitefile.Bitcoin{RPC: "http://127.0.0.1:1/", Credentials: &sitefile.Credentials{User: "u", Password: "env:MARKET_TEST_NONE"}}
	if _, err := Open(f, clock.System(), nil); err == nil || !strings.Contains(err.Error(), "env:MARKET_TEST_NONE") {
		t.Errorf("a secret that is not set gave %v", err)
	}
	f.Market.Bitcoin.Credentials = nil
	if m, err = Open(f, clock.System(), nil); err != nil {
		t.Fatal(err)
	}
	if q := m.Price(time.Now()); q.Known || q.Stale || q.Reason != "nothing has come yet" || strings.Contains(q.Source, "key") || q.Price != 0 {
		t.Errorf("before the first poll: %+v", q)
	}
	if h := m.Hashprice(time.Now()); h.Known || h.Reason == "" {
		t.Errorf("before the first poll: %+v", h)
	}
	f.Market.Bitcoin, f.Market.Price = sitefile.Bitcoin{}, sitefile.Price{CSV: "none.csv"}
	if _, err := Open(f, clock.System(), nil); err == nil || !strings.Contains(err.Error(), "none.csv") {
		t.Errorf("a missing file gave %v", err)
	}
	seed := uint64(7)
	f.Market.Price = sitefile.Price{MadeUp: &seed}
	if m, err = Open(f, clock.System(), nil); err != nil {
		t.Fatal(err)
	}
	if q := m.Price(time.Now()); !q.Known || q.Source != "made up" {
		t.Errorf("a made-up price: %+v", q)
	}
	f.Market.Price = sitefile.Price{}
	if _, err := Open(f, clock.System(), nil); err == nil {
		t.Error("no source gave no error")
	}
}

// A made-up day looks like a day whatever its seed: cheap at night, below zero about noon,
// dear in the evening with a spike of hundreds.
func TestMadeUpProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		midnight := time.Date(2026, 7, 1, 5, 0, 0, 0, time.UTC)
		m := MadeUpDay(midnight, rapid.Uint64().Draw(t, "seed"))
		start := midnight.Add(time.Duration(rapid.IntRange(-400, 400).Draw(t, "day")) * day)
		day1 := m.Series(start, start.Add(day))
		if len(day1) != slots {
			t.Fatalf("%d slots a day", len(day1))
		}
		mean := func(from, to int) (sum float64) {
			for _, q := range day1[from*12 : to*12] {
				sum += q.Price.DollarsPerMWh() / float64((to-from)*12)
			}
			return sum
		}
		low, high := math.Inf(1), math.Inf(-1)
		for i, q := range day1 {
			low, high = min(low, q.Price.DollarsPerMWh()), max(high, q.Price.DollarsPerMWh())
			if !q.Known || q.Stale || q.Source != "made up" || !q.From.Equal(start.Add(time.Duration(i)*slot)) || q.To.Sub(q.From) != slot {
				t.Fatalf("slot %d: %+v", i, q)
			}
			if at := m.At(q.From.Add(slot - 1)); at != q {
				t.Fatalf("At gives %+v, Series %+v", at, q)
			}
		}
		if night := mean(0, 5); night < 10 || night > 30 {
			t.Fatalf("night at %.1f", night)
		}
		if noon := mean(12, 13); noon >= 0 || low >= 0 {
			t.Fatalf("noon at %.1f, lowest %.1f", noon, low)
		}
		if high < 200 || high > 2000 {
			t.Fatalf("highest %.1f", high)
		}
		if evening := mean(18, 21); evening < 50 {
			t.Fatalf("evening at %.1f", evening)
		}
	})
}

// TestMadeUpDayAhead: the day-ahead price is what the day's prices are but for their noise and
// spike, and tells nothing of those.
func TestMadeUpDayAhead(t *testing.T) {
	midnight := instant(t, "2026-03-02T00:00:00Z")
	m := MadeUpDay(midnight, 7)
	for h := range 48 {
		at := midnight.Add(time.Duration(h)*time.Hour + 17*time.Minute)
		q, sum := m.DayAhead(at), 0.0
		if !q.Known || q.To.Sub(q.From) != time.Hour || q.From.After(at) || !q.To.After(at) || q.Source != "made up" {
			t.Fatalf("%+v", q)
		}
		for _, p := range m.Series(q.From, q.To) {
			sum += p.Price.DollarsPerMWh()
		}
		if off := math.Abs(sum/12 - q.Price.DollarsPerMWh()); off > 8 && (h%24 < 18 || h%24 > 20) {
			t.Errorf("hour %d: %v, and its prices are %.2f", h, q.Price, sum/12)
		}
		if q.Price.DollarsPerMWh() > 120 {
			t.Errorf("hour %d: %v knows of a spike", h, q.Price)
		}
	}
}

func TestMadeUpDaysDiffer(t *testing.T) {
	midnight := instant(t, "2026-07-01T00:00:00Z")
	a, b := MadeUpDay(midnight, 1), MadeUpDay(midnight, 2)
	at := midnight.Add(3 * time.Hour)
	if a.At(at).Price == b.At(at).Price || a.At(at).Price == a.At(at.Add(day)).Price {
		t.Error("two days or two seeds are the same")
	}
	if a.At(at) != MadeUpDay(midnight, 1).At(at) {
		t.Error("the same seed gives another day")
	}
	if n := len(a.Series(at, at)); n != 0 {
		t.Errorf("nothing has %d slots", n)
	}
}

const limitsFile = `
site: {name: x, timezone: America/Chicago}
connection: {limit: 4 MW, meter: {address: 10.0.0.2, profile: generic}}
market: {price: {fixed: 1 $/MWh}}
limits:
  - {node: connection, power: 3 MW}
  - {node: connection, power: 2 MW, from: 2026-07-01T00:00:00Z, to: 2026-08-01T00:00:00Z, daily: {from: "16:00", to: "18:30"}, note: peak}
  - {node: connection, power: 1 MW, daily: {from: "22:00", to: "02:00"}}
`

func TestFileLimits(t *testing.T) {
	f, err := sitefile.Parse("site.yaml", []byte(limitsFile), sitefile.Known{})
	if err != nil {
		t.Fatal(err)
	}
	limits := FileLimits(f)
	for at, want := range map[string]string{ // Chicago is UTC-5 in summer and UTC-6 in winter
		"2026-07-10T20:59:59Z": "file-1",
		"2026-07-10T21:00:00Z": "file-1 file-2@2026-07-10",
		"2026-07-10T23:29:59Z": "file-1 file-2@2026-07-10",
		"2026-07-10T23:30:00Z": "file-1",
		"2026-01-10T22:30:00Z": "file-1", // the season has not begun
		"2026-01-11T04:00:00Z": "file-1 file-3@2026-01-10",
		"2026-01-11T07:59:59Z": "file-1 file-3@2026-01-10", // 01:59 of the next day
		"2026-01-11T08:00:00Z": "file-1",
		"2026-03-08T06:59:59Z": "file-1 file-3@2026-03-07", // the night the clocks go forward: 00:59
		"2026-03-08T08:00:00Z": "file-1",                   // 02:00 is not, 03:00 is
	} {
		var ids []string
		for _, l := range limits.At(instant(t, at)) {
			ids = append(ids, l.ID)
			if !l.In(instant(t, at)) || l.By != "site file" || l.Node != "connection" {
				t.Errorf("%s: %+v", at, l)
			}
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("at %s: %s, want %s", at, got, want)
		}
	}
	var spans []string
	for _, l := range limits.Between(instant(t, "2026-06-30T12:00:00Z"), instant(t, "2026-07-02T12:00:00Z")) {
		spans = append(spans, l.ID+" "+l.From.Format("02T15:04")+" "+l.To.Format("02T15:04"))
	}
	want := []string{
		"file-1 01T00:00 01T00:00",            // always
		"file-2@2026-07-01 01T21:00 01T23:30", // and not on June 30, before its season
		"file-3@2026-06-30 01T03:00 01T07:00", "file-3@2026-07-01 02T03:00 02T07:00",
	}
	if got := strings.Join(spans, ", "); got != strings.Join(want, ", ") {
		t.Errorf("between two noons: %s, want %s", got, strings.Join(want, ", "))
	}
	l := limits.At(instant(t, "2026-07-10T22:00:00Z"))[1]
	if l.From != instant(t, "2026-07-10T21:00:00Z") || l.To != instant(t, "2026-07-10T23:30:00Z") || l.Power != 2*unit.Megawatt || l.Note != "peak" {
		t.Errorf("the day's occurrence is %+v", l)
	}
}

func TestLimitsTurns(t *testing.T) {
	f := &sitefile.File{Limits: []sitefile.Limit{
		{Node: "connection", Power: 3 * unit.Megawatt}, // always: no news
		{Node: "connection", Power: unit.Megawatt, Daily: &sitefile.Daily{From: "16:00", To: "17:30"}},
	}}
	limits := FileLimits(f)
	var before map[string]site.Limit
	var told []string
	for at := instant(t, "2026-07-10T15:50:00Z"); at.Before(instant(t, "2026-07-11T16:10:00Z")); at = at.Add(10 * time.Minute) {
		began, ended, active := limits.Turns(before, at)
		for _, l := range began {
			told = append(told, "+"+l.ID+" "+at.Format("02T15:04"))
		}
		for _, l := range ended {
			told = append(told, "-"+l.ID+" "+at.Format("02T15:04"))
		}
		before = active
	}
	want := "+file-2@2026-07-10 10T16:00, -file-2@2026-07-10 10T17:30, +file-2@2026-07-11 11T16:00"
	if got := strings.Join(told, ", "); got != want {
		t.Errorf("told: %s\nwant: %s", got, want)
	}
}
