package outlook

import (
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/market"
	"switchyard/sitefile"
	"switchyard/unit"
)

// open makes the site of a test with these market lines, or skips where a shared file is missing.
func open(t testing.TB, lines string, files ...string) (*sitefile.File, *market.Market) {
	t.Helper()
	const data = "../../../shared/data/"
	for _, name := range files {
		if _, err := os.Stat(data + name); err != nil {
			t.Skip("../shared/data/" + name + " is missing")
		}
	}
	text := `
site: {name: Test, timezone: America/Chicago}
connection: {limit: 5 MW, meter: {address: 10.9.0.1, profile: generic}}
groups:
  - {id: s21, node: connection, driver: antminer, addresses: [10.0.0.1-10.0.3.254], nameplate: 3500 W, hashrate: 140 TH/s, ramp: 5m}
market:
` + strings.ReplaceAll(lines, "DATA/", data)
	f, err := sitefile.Parse("site.yaml", []byte(text), sitefile.Known{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := market.Open(f, clock.System(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return f, m
}

const (
	lzWest = "ercot-lz-west-dam-rtm-ancillary-hourly-2024.csv.gz"
	hbWest = "ercot-hb-west-rt-hourly-2023-07-2024-12.csv.gz"
)

const ercotMarket = `
  price: {csv: DATA/` + lzWest + `, adder: 5 $/MWh}
  day_ahead: {csv: DATA/` + lzWest + `, column: da_price_usd_per_mwh}
  load: {csv: DATA/` + hbWest + `, column: system_load_mw}
  bitcoin: {hashprice: 50 $/PH/day}
  charges: {coincident: [{name: 4cp, rate: 5 $/kW-month, interval: 1h}]}
reserves:
  - {name: ecrs, response: 10m, duration: 1h, price: {csv: DATA/` + lzWest + `, column: ecrs_usd_per_mw_h}}
`

// What is expected on a hot August afternoon is near the day-ahead price, and the afternoon of
// the month's peak is told apart.
func TestWatchERCOT(t *testing.T) {
	f, m := open(t, ercotMarket, lzWest, hbWest)
	w := NewWatch(f, m)
	z := f.Location()
	at := time.Date(2024, 8, 20, 10, 0, 0, 0, z) // the peak came at 16:00
	if err := w.Advance(at); err != nil {
		t.Fatal(err)
	}
	price, ok := w.Expect(at, at, at.Add(time.Hour))
	if q := m.Price(at); !ok || price != q.Price-5*unit.DollarPerMWh {
		t.Errorf("the hour that runs is known: %v, the market has %v", price, q.Price)
	}
	off, days := 0.0, 0.0
	for h := 1; h < 13; h++ {
		a := at.Add(time.Duration(h) * time.Hour)
		p, ok := w.Expect(at, a, a.Add(time.Hour))
		if !ok {
			t.Fatalf("%v: nothing is expected", a)
		}
		off += math.Abs(math.Log(max(p.DollarsPerMWh(), 1)/(m.DayAhead(a).Price.DollarsPerMWh()-5))) / 12
		days++
	}
	t.Logf("the rest of the day is expected %.0f %% off the day-ahead price", 100*off)
	if off > 1.2 {
		t.Errorf("the forecast is %v off the day-ahead price in the mean of logarithms", off)
	}
	peak := w.Peaks(0, at, at.Add(6*time.Hour), at.Add(7*time.Hour))
	night := w.Peaks(0, at, at.Add(13*time.Hour), at.Add(14*time.Hour))
	if peak < 0.01 || night > 0.001 {
		t.Errorf("chance of a peak at 16:00 %.4f, at 23:00 %.4f", peak, night)
	}
	if v, ok := w.Reserve("ecrs", at, at.Add(6*time.Hour), at.Add(7*time.Hour)); !ok || v != m.Reserve("ecrs", at.Add(6*time.Hour)).Price {
		t.Errorf("a reserve's price that is out: %v %v", v, ok)
	}
	tomorrow := at.Add(24 * time.Hour)
	if v, ok := w.Reserve("ecrs", at, tomorrow, tomorrow.Add(time.Hour)); !ok || v != m.Reserve("ecrs", at).Price {
		t.Errorf("one that is not out yet is today's: %v %v", v, ok)
	}
	if _, ok := w.Reserve("rrs", at, at, at.Add(time.Hour)); ok {
		t.Error("a price for a reserve that the site file does not name")
	}
	few, ok1 := w.HourWorth(0.01)
	many, ok2 := w.HourWorth(0.5)
	if !ok1 || !ok2 || few < 3*many {
		t.Errorf("the dearest hundredth of hours are worth %v, the dearer half %v", few, many)
	}
}

// blind is a market whose feed does not reach beyond a time.
func blind(f *sitefile.File, m *market.Market, until time.Time) *market.Market {
	cut := func(series func(from, to time.Time) []market.Quote, adder unit.Price, until time.Time) market.PriceFeed {
		return cutFeed{series, adder, until}
	}
	adder := f.Market.Price.Adder
	y, mo, d := until.In(f.Location()).Date()
	return market.NewFrom(market.Sources{
		Price:    cut(m.Prices, adder, until),
		DayAhead: cut(m.DayAheads, adder, time.Date(y, mo, d+1, 0, 0, 0, 0, f.Location())),
		Load:     cutLoad{m, until}, Hash: market.FixedHash(1), Adder: adder,
	})
}

type cutFeed struct {
	series func(from, to time.Time) []market.Quote
	adder  unit.Price
	until  time.Time
}

func (c cutFeed) Series(from, to time.Time) (out []market.Quote) {
	for _, q := range c.series(from, to) {
		if q.From.Before(c.until) {
			q.Price -= c.adder
			out = append(out, q)
		}
	}
	return out
}

func (c cutFeed) At(t time.Time) market.Quote {
	if s := c.Series(t, t.Add(1)); len(s) > 0 {
		return s[0]
	}
	return market.Quote{}
}

type cutLoad struct {
	m     *market.Market
	until time.Time
}

func (c cutLoad) Series(from, to time.Time) (out []market.LoadQuote) {
	for _, q := range c.m.Loads(from, to) {
		if q.From.Before(c.until) {
			out = append(out, q)
		}
	}
	return out
}

func (c cutLoad) At(t time.Time) market.LoadQuote { return c.m.Load(t) }

// A file that holds the future tells no more than one that ends with the present.
func TestWatchKnowsNothingOfTheFuture(t *testing.T) {
	f, m := open(t, ercotMarket, lzWest, hbWest)
	at := time.Date(2024, 7, 10, 9, 0, 0, 0, f.Location())
	all, some := NewWatch(f, m), NewWatch(f, blind(f, m, at.Add(time.Nanosecond)))
	for _, w := range []*Watch{all, some} {
		if err := w.Advance(at); err != nil {
			t.Fatal(err)
		}
	}
	for h := range 36 {
		a := at.Add(time.Duration(h) * time.Hour)
		p1, ok1 := all.Expect(at, a, a.Add(time.Hour))
		p2, ok2 := some.Expect(at, a, a.Add(time.Hour))
		c1, c2 := all.Peaks(0, at, a, a.Add(time.Hour)), some.Peaks(0, at, a, a.Add(time.Hour))
		if p1 != p2 || ok1 != ok2 || c1 != c2 {
			t.Errorf("%v: %v %v with the future at hand, %v %v without; chances %v and %v", a, p1, ok1, p2, ok2, c1, c2)
		}
	}
}

// A file's prices of tomorrow are out when the market publishes them; what is asked for as it
// goes is out since it was told.
func TestWhenPricesAreOut(t *testing.T) {
	f, m := open(t, "\n  price: {made_up: 7}\n  bitcoin: {hashprice: 50 $/PH/day}\n")
	w := NewWatch(f, m)
	z := f.Location()
	day := func(d, hour int) time.Time { return time.Date(2026, 3, d, hour, 0, 0, 0, z) }
	file := &sitefile.Series{CSV: "da.csv"}
	folder := &sitefile.Series{Feed: &sitefile.Feed{Operator: "ercot", URL: "file:reports"}}
	network := &sitefile.Series{Feed: &sitefile.Feed{Operator: "ercot", Zone: "LZ_WEST"}}
	for _, c := range []struct {
		name      string
		now, want time.Time
		series    *sitefile.Series
	}{
		{"before noon", day(7, 13), day(8, 0), file},
		{"after it, of a day that has 23 hours", day(7, 14), day(9, 0), file},
		{"a folder of reports", day(7, 13), day(8, 0), folder},
		{"no source", day(7, 13), day(8, 0), nil},
		{"over the network", day(7, 13), day(7, 13).Add(48 * time.Hour), network},
	} {
		if got := w.published(c.now, c.series); !got.Equal(c.want) {
			t.Errorf("%s: out until %v, want %v", c.name, got, c.want)
		}
	}
}

// quarters are prices of quarter hours: 10, 20, 30 and 40 $/MWh in each hour.
type quarters struct{}

func (quarters) Series(from, to time.Time) (out []market.Quote) {
	for at := from.Truncate(15 * time.Minute); at.Before(to); at = at.Add(15 * time.Minute) {
		price := unit.DollarsPerMWh(float64(10 + at.Minute()/15*10))
		out = append(out, market.Quote{Price: price, From: at, To: at.Add(15 * time.Minute), Known: true, Source: "quarters"})
	}
	return out
}

func (q quarters) At(t time.Time) market.Quote { return q.Series(t, t.Add(1))[0] }

// An hour's day-ahead price is the mean of its quarters, and of the time that is running the
// price is known and no guess.
func TestWatchQuarters(t *testing.T) {
	f, _ := open(t, "\n  price: {fixed: 40 $/MWh, adder: 6 $/MWh}\n  bitcoin: {hashprice: 50 $/PH/day}\n")
	w := NewWatch(f, market.NewFrom(market.Sources{Price: quarters{}, DayAhead: quarters{}, Hash: market.FixedHash(1), Adder: 6 * unit.DollarPerMWh}))
	at := time.Date(2026, 3, 3, 10, 20, 0, 0, f.Location())
	if _, ok := w.Quantiles(at); ok {
		t.Error("something is expected before anything was heard")
	}
	if err := w.Advance(at); err != nil {
		t.Fatal(err)
	}
	if got, ok := w.Quantiles(at); !ok || got != [3]unit.Price{20 * unit.DollarPerMWh, 20 * unit.DollarPerMWh, 20 * unit.DollarPerMWh} {
		t.Errorf("the quarter that runs: %v", got)
	}
	got, ok := w.Quantiles(at.Add(5 * time.Hour))
	if !ok || got[0] > got[1] || got[1] > got[2] || got[0] < 0 || got[2] > 60*unit.DollarPerMWh {
		t.Errorf("in five hours: %v", got)
	}
	v, ok := w.Expect(at, at.Add(40*time.Minute), at.Add(100*time.Minute))
	if !ok || v < 20*unit.DollarPerMWh || v > 30*unit.DollarPerMWh {
		t.Errorf("the coming hour is expected at %v, its quarters' mean is 25", v)
	}
	if q := w.DayAhead(at, at); !q.Known || q.Price != 26*unit.DollarPerMWh {
		t.Errorf("day-ahead price now: %+v", q)
	}
	if q := w.DayAhead(at, at.Add(24*time.Hour)); q.Known || q.Reason == "" {
		t.Errorf("tomorrow's is out the day before at ten: %+v", q)
	}
	a := &w.ahead
	if !a.to.Equal(time.Date(2026, 3, 4, 0, 0, 0, 0, f.Location())) || a.count != 4 || a.sum != 100 {
		t.Errorf("day-ahead prices up to %v, the last hour's %v of %d quarters", a.to, a.sum, a.count)
	}
}

// A site of one price expects that price.
func TestWatchFixed(t *testing.T) {
	f, m := open(t, "\n  price: {fixed: 40 $/MWh, adder: 6 $/MWh}\n  bitcoin: {hashprice: 50 $/PH/day}\n")
	w := NewWatch(f, m)
	at := time.Date(2026, 3, 3, 10, 20, 0, 0, f.Location())
	if err := w.Advance(at); err != nil {
		t.Fatal(err)
	}
	for _, ahead := range []time.Duration{0, time.Hour, 30 * time.Hour} {
		v, ok := w.Expect(at, at.Add(ahead), at.Add(ahead+time.Hour))
		if off := v - 40*unit.DollarPerMWh; !ok || off < -unit.DollarPerMWh/10 || off > unit.DollarPerMWh/10 {
			t.Errorf("in %v: %v", ahead, v)
		}
	}
}

// Hour by hour or all at once, a Watch learns the same.
func TestWatchGoesOn(t *testing.T) {
	f, m := open(t, "\n  price: {made_up: 7}\n  bitcoin: {hashprice: 50 $/PH/day}\n")
	begin := time.Now().Truncate(time.Hour)
	once, often := NewWatch(f, m), NewWatch(f, m)
	if err := often.Advance(begin); err != nil {
		t.Fatal(err)
	}
	first := often.told.Add(-priceHistory)
	for h := 1; h <= 30; h++ {
		if err := often.Advance(begin.Add(time.Duration(h) * time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	end := begin.Add(30 * time.Hour)
	once.told = first.Truncate(5 * time.Minute)
	if err := once.Advance(end); err != nil {
		t.Fatal(err)
	}
	a, ok1 := often.Expect(end, end.Add(time.Hour), end.Add(2*time.Hour))
	b, ok2 := once.Expect(end, end.Add(time.Hour), end.Add(2*time.Hour))
	if !ok1 || !ok2 || math.Abs((a-b).DollarsPerMWh()) > 0.05*math.Abs(b.DollarsPerMWh())+0.5 {
		t.Errorf("hour by hour %v, at once %v", a, b)
	}
	if often.Peaks(0, end, end, end.Add(time.Hour)) != 0 || often.Sources().Peaks != nil {
		t.Error("no charge, no peaks")
	}
}

// What a site's first plan and the ones after it cost to look ahead for.
func BenchmarkWatchERCOT(b *testing.B) {
	f, m := open(b, ercotMarket, lzWest, hbWest)
	begin := time.Date(2024, 8, 1, 10, 0, 0, 0, f.Location())
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			w := NewWatch(f, m)
			if err := w.Advance(begin); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("hour", func(b *testing.B) {
		w := NewWatch(f, m)
		o, err := New(f, w.Sources())
		if err != nil {
			b.Fatal(err)
		}
		at := begin
		for i := 0; b.Loop(); i++ {
			if i%1000 == 0 {
				w, at = NewWatch(f, m), begin
				if o, err = New(f, w.Sources()); err != nil {
					b.Fatal(err)
				}
			}
			at = at.Add(time.Hour)
			if err := w.Advance(at); err != nil {
				b.Fatal(err)
			}
			o.Problem(at, State{Groups: Standing(f, true, time.Minute)})
		}
	})
}
