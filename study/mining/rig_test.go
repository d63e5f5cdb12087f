package mining

import (
	"compress/gzip"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/study/power"
	"switchyard/study/world"
	"switchyard/unit"
)

func of[T any](v T) *figure.Figure[T] { return figure.Of(v, figure.Assumption, "of a test") }

func ratio(v float64) input.Ratio { return of(unit.Ratio(v)) }

func dollars(v float64) input.Price { return of(unit.DollarsPerMWh(v)) }

// file is a site of one hall of 25 MW from January 2027, four years, whose every month has these prices.
func file(prices []float64, fleet ...input.Machines) *input.File {
	f := &input.File{Start: figure.MonthOf(2027, time.January), Years: 4}
	f.Halls = []input.Hall{{ID: "north", Power: of(25 * unit.Megawatt), Fleet: fleet}}
	f.Site.MiningPUE = of(1.0)
	for m := range f.Curve {
		f.Curve[m] = prices
	}
	return f
}

// machines of so many TH/s and W, of which all work and nothing goes to a pool.
func machines(count int, th, watts float64) input.Machines {
	return input.Machines{Model: "of a test", Count: count, Hash: unit.Hashrate(th * 1e12), Power: unit.Watts(watts), Uptime: ratio(1), Fee: ratio(0)}
}

// path has the same hashprice ($/PH/day) and price level in all months, and bitcoin at 100,000 $.
func path(f *input.File, hashprice float64) *world.Path {
	n := 12 * f.Years
	p := &world.Path{Price: make([]float64, n), Hashprice: make([]float64, n), Level: make([]float64, n), Spike: make([]float64, n)}
	for t := range n {
		p.Price[t], p.Hashprice[t], p.Level[t] = 100_000, hashprice, 1
	}
	return p
}

func mine(f *input.File, p *world.Path) []Month {
	out := make([]Month, 12*f.Years)
	New(f, 0, power.New(f)).Months(p, out)
	return out
}

func near(t testing.TB, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*max(1, math.Abs(want))) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// table reads a column of a shared gzipped table with the rows' first cells; NaN where it is empty.
func table(t testing.TB, name string, columns ...int) (keys []string, values [][]float64) {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", name))
	if err != nil {
		t.Skipf("needs shared/data/%s beside the project", name)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows[1:] {
		v := make([]float64, len(columns))
		for k, c := range columns {
			if v[k], err = strconv.ParseFloat(r[c], 64); err != nil {
				v[k] = math.NaN()
			}
		}
		keys, values = append(keys, r[0]), append(values, v)
	}
	return keys, values
}

// curves are the hourly prices of a shared table by calendar month, ascending.
func curves(t testing.TB, name string, column int) (out [12][]float64) {
	keys, values := table(t, name, column)
	for k, at := range keys {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if m := when.Month() - 1; !math.IsNaN(values[k][0]) {
			out[m] = append(out[m], values[k][0])
		}
	}
	for m := range out {
		slices.Sort(out[m])
	}
	return out
}
