package forecast

import (
	"bufio"
	"compress/gzip"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// table is a CSV of real prices by its columns; a field that is no number is NaN.
type table struct {
	at      []time.Time
	columns map[string][]float64
}

func open(t testing.TB, name string) table {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", name)
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("no market data at %s", path)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Scan()
	header := strings.Split(lines.Text(), ",")
	out := table{columns: map[string][]float64{}}
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ",")
		at, err := time.Parse(time.RFC3339, fields[0])
		if err != nil {
			if at, err = time.Parse(time.DateOnly, fields[0]); err != nil {
				t.Fatal(err)
			}
		}
		out.at = append(out.at, at)
		for i, h := range header[1:] {
			v, err := strconv.ParseFloat(fields[i+1], 64)
			if err != nil {
				v = math.NaN()
			}
			out.columns[h] = append(out.columns[h], v)
		}
	}
	return out
}

// worth is what a MWh is worth by day to miners of 25 J/TH.
func worth(t testing.TB) map[string]float64 {
	n := open(t, "bitcoin-network-daily-2019-2024.csv.gz")
	out := map[string]float64{}
	c := n.columns
	for i, at := range n.at {
		perPH := (c["subsidy_btc"][i] + c["fees_btc"][i]) * c["price_usd"][i] / (c["hashrate_ehs"][i] * 1000)
		out[at.Format(time.DateOnly)] = perPH / (0.024 * 25)
	}
	return out
}

// capture is the share of what perfect foresight gains over always running that following
// the forecast gains, when each price is known one interval late.
func capture(t testing.TB, p table, from, to time.Time, value func(time.Time) float64) (forecast, last float64) {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Skip("no time zones on this machine")
	}
	f, err := New(Options{Interval: p.at[1].Sub(p.at[0]), Zone: zone})
	if err != nil {
		t.Fatal(err)
	}
	rt, da := p.columns["rt_price_usd_per_mwh"], p.columns["da_price_usd_per_mwh"]
	var always, perfect, followed, simple, before float64
	told := 0
	for i, at := range p.at {
		for told < len(da) && told < len(p.at) { // tomorrow's prices are out at 13:00
			y, m, d := p.at[told].In(zone).Date()
			if out := time.Date(y, m, d-1, 13, 0, 0, 0, zone); out.After(at) {
				break
			}
			f.DayAhead(p.at[told], da[told])
			told++
		}
		b := value(at)
		f.Interest(b)
		said, ok := f.Expect(at, at.Add(p.at[1].Sub(p.at[0])))
		if finite(rt[i]) && !at.Before(from) && at.Before(to) {
			gain := b - rt[i]
			always += gain
			perfect += max(gain, 0)
			if !ok || said <= b {
				followed += gain
			}
			if before <= b {
				simple += gain
			}
		}
		f.Observe(at, rt[i])
		if finite(rt[i]) {
			before = rt[i]
		}
	}
	return (followed - always) / (perfect - always), (simple - always) / (perfect - always)
}

// TestUplift holds the forecast against real prices: what following it captures when each
// hour's price is known one hour late.
func TestUplift(t *testing.T) {
	value := worth(t)
	byDay := func(at time.Time) float64 { return value[at.Format(time.DateOnly)] }
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		name, file string
		from, to   time.Time
		least      float64
	}{
		{"LZ_WEST 2024, day-ahead and real-time", "ercot-lz-west-dam-rtm-ancillary-hourly-2024.csv.gz", year(2024), year(2025), 0.83},
		{"HB_WEST 2024, real-time alone", "ercot-hb-west-rt-hourly-2023-07-2024-12.csv.gz", year(2024), year(2025), 0.80},
		{"HB_WEST July to December 2023, real-time alone", "ercot-hb-west-rt-hourly-2023-07-2024-12.csv.gz", year(2023), year(2024), 0.93},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, last := capture(t, open(t, c.file), c.from, c.to, byDay)
			t.Logf("captures %.2f %%; the last price alone %.2f %%", 100*got, 100*last)
			if got < c.least {
				t.Errorf("captures %.2f %%, want %.0f %%", 100*got, 100*c.least)
			}
		})
	}
}
