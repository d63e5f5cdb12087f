package billing

import (
	"flag"
	"os"
	"testing"
	"time"

	"switchyard/site"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// day settles a whole day, spoiling some of its intervals.
func day(t *testing.T, b *Book, zone *time.Location, spoil func(i int, c *Close) bool) {
	t.Helper()
	from := time.Date(2016, 5, 17, 0, 0, 0, 0, zone)
	var all []Close
	for i := range 288 {
		c := interval(from.Add(time.Duration(i) * telemetry.Length).UTC())
		c.Price = site.Some(unit.DollarsPerMWh(float64(20 + i%50)))
		c.Hashprice = site.Some(unit.DollarsPerPHDay(1300))
		c.Records[5].Hashes, c.Records[6].Hashes, c.Records[7].Hashes = 6.4*300, 2.1*300, 3*300
		if spoil == nil || spoil(i, &c) {
			all = append(all, c)
		}
	}
	if err := b.Settle(t.Context(), all, nil); err != nil {
		t.Fatal(err)
	}
}

// ties checks what a report must hold whatever happened.
func ties(t *testing.T, b *Book, r Report) {
	t.Helper()
	energy, revenue, cost := r.Remainder, unit.Money(0), r.RemainderCost
	for _, h := range r.Halls {
		energy += h.Energy
		revenue += h.Mining + h.Hosting
		cost += h.EnergyCost + h.Penalty
	}
	for _, l := range r.Losses {
		energy += l.Energy
	}
	if energy != r.Energy {
		t.Errorf("halls, losses and remainder sum to %d mWh, the meter says %d", energy, r.Energy)
	}
	if revenue != r.Revenue || cost != r.Cost || r.Profit != r.Revenue-r.Cost {
		t.Errorf("halls earn %s and cost %s, the report says %s, %s, %s", revenue, cost, r.Revenue, r.Cost, r.Profit)
	}
	if p, err := b.Profit(t.Context(), r.From, r.To); err != nil || p != r.Profit {
		t.Errorf("Profit = %s, %v; the report says %s", p, err, r.Profit)
	}
}

func TestDayReport(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Skip(err)
	}
	c := contracts(t)
	c.Zone = zone
	t.Run("whole", func(t *testing.T) {
		b, _, _ := open(t, c)
		day(t, b, zone, nil)
		r, err := b.DayReport(t.Context(), 2016, 5, 17)
		if err != nil {
			t.Fatal(err)
		}
		ties(t, b, r)
		if !r.Complete || r.Energy != 288*310*kWh || r.RemainderPercent() < 0.6 || r.RemainderPercent() > 0.7 {
			t.Errorf("%+v", r)
		}
		golden(t, "testdata/day.txt", r.Text())
	})
	t.Run("spoiled", func(t *testing.T) {
		b, _, _ := open(t, c)
		day(t, b, zone, func(i int, c *Close) bool {
			switch {
			case i >= 100 && i < 112: // nothing at all
				return false
			case i == 150: // no price
				c.Price = site.Opt[unit.Price]{}
			case i == 160: // hall A's meter is silent
				c.Records[2] = missing("meter:hall-a", c.Start)
			case i == 161: // and back, with what it missed
				c.Records[2].Energy *= 2
			case i == 170:
				c.Records[0] = missing("meter:connection", c.Start)
			case i == 171:
				c.Records[0].Energy *= 2
				c.Records[0].Estimated, c.Records[0].Measured = telemetry.Length, 0
			case i < 30: // miners that tell no power
				c.Records[6].Missing, c.Records[6].Measured = telemetry.Length/2, telemetry.Length/2
			case i == 200:
				c.Short = map[site.LoadID]unit.Energy{"acme": 3 * kWh}
			}
			return true
		})
		r, err := b.DayReport(t.Context(), 2016, 5, 17)
		if err != nil {
			t.Fatal(err)
		}
		ties(t, b, r)
		if r.Complete || r.Energy != 276*310*kWh || r.Halls[0].Energy != 276*120*kWh || r.Short != 3*kWh {
			t.Errorf("%+v", r)
		}
		golden(t, "testdata/spoiled.txt", r.Text())
	})
	t.Run("empty", func(t *testing.T) {
		b, _, _ := open(t, c)
		r, err := b.DayReport(t.Context(), 2016, 11, 6) // 25 hours: summer time ends
		if err != nil {
			t.Fatal(err)
		}
		ties(t, b, r)
		if r.Expected != 300 || r.Complete {
			t.Errorf("%+v", r)
		}
		golden(t, "testdata/empty.txt", r.Text())
	})
}

func BenchmarkSettle(b *testing.B) {
	db, err := store.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	book, err := Open(b.Context(), db, contracts(b))
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		c := interval(noon.Add(time.Duration(n) * telemetry.Length))
		if err := book.Settle(b.Context(), []Close{c}, make([]byte, 30_000)); err != nil {
			b.Fatal(err)
		}
	}
}
