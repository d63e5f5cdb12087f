package backtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/sitefile"
)

const (
	hbWest    = "ercot-hb-west-rt-hourly-2023-07-2024-12.csv.gz"
	lzWest    = "ercot-lz-west-dam-rtm-ancillary-hourly-2024.csv.gz"
	newYork   = "nyiso-west-rt-5min-2016-2018.csv.gz"
	newYorkDA = "nyiso-west-da-hourly-2016-2018.csv.gz"
	network   = "bitcoin-network-daily-2019-2024.csv.gz"
)

// shared returns the path of a file of recorded market data; the test is skipped by name
// where it is not there.
func shared(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs shared/data/%s beside the project", name)
	}
	return path
}

// file reads a site file of testdata; files that it names need not be there.
func file(t testing.TB, name string) *sitefile.File {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

// parse reads a site file from a string.
func parse(t testing.TB, text string) *sitefile.File {
	t.Helper()
	f, err := sitefile.Parse("site.yaml", []byte(text), sitefile.Known{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// many is a site of so many groups of differing efficiency, in halls of two groups each; limit
// is the connection's share of all their power.
func many(groups int, limit float64) string {
	var b strings.Builder
	b.WriteString("site: {name: Many, timezone: America/New_York}\n")
	fmt.Fprintf(&b, "connection: {limit: %.0f kW, meter: {address: 10.0.9.9, profile: generic}}\n", limit*float64(groups)*200*3.6+1)
	b.WriteString("nodes:\n")
	for h := range (groups + 1) / 2 {
		fmt.Fprintf(&b, "  - {id: hall-%d, limit: 2 MW}\n", h)
	}
	b.WriteString("groups:\n")
	for g := range groups {
		fmt.Fprintf(&b, "  - {id: g%d, node: hall-%d, driver: antminer, model: S21, addresses: [10.1.%d.0/25, 10.1.%d.128-10.1.%d.201], nameplate: %d W, hashrate: %d TH/s, standby: 20 W, pool_fee: 1 %%, ramp: 3m, restart_cost: 0.01 $, min_rest: 10m, min_run: 20m}\n",
			g, g/2, g, g, g, 3400+20*g, 200-9*g)
	}
	b.WriteString("market: {price: {fixed: 40 $/MWh}, bitcoin: {hashprice: 50 $/PH/day}}\ncontrol: {margin: 0 %}\n")
	return b.String()
}

func open(t testing.TB, f *sitefile.File, in Sources) *World {
	t.Helper()
	w, err := Open(f, in)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func date(t testing.TB, s string, w *sitefile.File) time.Time {
	t.Helper()
	at, err := time.ParseInLocation(time.DateOnly, s, w.Location())
	if err != nil {
		t.Fatal(err)
	}
	return at
}
