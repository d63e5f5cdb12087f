package backtest

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/unit"
)

// one is a single machine of 1 MW and 40 PH/s: at 30 $/PH/day an hour of hashing earns 50 $.
const one = `
site: {name: One, timezone: UTC}
connection: {limit: 9 MW, meter: {address: 10.0.9.9, profile: generic}}
groups: [{id: m, node: connection, driver: antminer, model: S21, addresses: [10.0.0.1], nameplate: 1000 kW, hashrate: 40000 TH/s, %s}]
market: {price: {fixed: 40 $/MWh}, bitcoin: {hashprice: 30 $/PH/day}}
`

// script runs what a test wrote down: by interval, how many machines are wanted.
type script []int

func (s script) decide(i int, _ *sim, wanted []int) { wanted[0] = s[i] }

// fiveMinutes writes prices every 5 minutes; empty ones are gaps.
func fiveMinutes(t testing.TB, prices ...string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("interval_start,rt_price\n")
	for i, p := range prices {
		fmt.Fprintf(&b, "%s,%s\n", begin.Add(time.Duration(i)*5*time.Minute).Format(time.RFC3339), p)
	}
	path := filepath.Join(t.TempDir(), "prices.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRestartsByHand checks what a start costs, and what least times hold up, against tables
// worked out by hand. An interval of 5 minutes at work earns 4.166667 $ and costs a twelfth of
// its price; a machine that starts draws all its power and earns nothing for 3 minutes.
func TestRestartsByHand(t *testing.T) {
	const interval = 50.0 / 12
	for _, c := range []struct {
		name, group string
		prices      []string
		wanted      script
		running     []int
		revenue     float64
		energy      float64
		starts      int
	}{
		{"a ramp of 3 minutes: two fifths of the first interval earn", "ramp: 3m", []string{"12", "12", "12", "12"}, script{1, 0, 1, 1}, []int{1, 0, 1, 1}, interval * (1 + 0.4 + 1), 3, 1},
		{"a ramp of 8 minutes reaches into the second interval", "ramp: 8m", []string{"12", "12", "12", "12"}, script{0, 1, 1, 1}, []int{0, 1, 1, 1}, interval * (0 + 0.4 + 1), 3, 1},
		{"least rest of 12 minutes: three intervals", "min_rest: 12m", []string{"12", "12", "12", "12", "12"}, script{1, 0, 1, 1, 1}, []int{1, 0, 0, 0, 1}, interval * 2, 2, 1},
		{"least run of 10 minutes: two intervals", "min_run: 10m, min_rest: 0s", []string{"12", "12", "12", "12", "12"}, script{0, 1, 0, 0, 0}, []int{0, 1, 1, 0, 0}, interval * 2, 2, 1},
		{"a ramp is a least run too", "ramp: 8m", []string{"12", "12", "12", "12"}, script{0, 1, 0, 0}, []int{0, 1, 1, 0}, interval * 0.4, 2, 1},
		{"standby is drawn at rest", "standby: 100 kW", []string{"12", "24"}, script{1, 0}, []int{1, 0}, interval, 1.2, 0},
		{"in a gap nobody decides, and nothing counts", "min_rest: 0s", []string{"12", "", "12", "12"}, script{1, 0, 0, 1}, []int{1, 0, 1}, interval * 2, 2, 1},
		{"a rest goes on through a gap", "min_rest: 10m", []string{"12", "12", "", "12"}, script{1, 0, 0, 1}, []int{1, 0, 1}, interval * 2, 2, 1},
		{"negative prices pay", "standby: 0 W", []string{"-12", "-12"}, script{1, 1}, []int{1, 1}, interval * 2, -2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := open(t, parse(t, fmt.Sprintf(one, c.group+", restart_cost: 0.5 $")), Sources{Prices: fiveMinutes(t, c.prices...)})
			s := newSim(w, Start)
			var got []int
			s.trace = func(_ int, crews []machines) { got = append(got, crews[0].Running()) }
			if err := s.run(context.Background(), c.wanted); err != nil {
				t.Fatal(err)
			}
			sum := s.books.total()
			if d := cmp.Diff(c.running, got); d != "" {
				t.Errorf("running:\n%s", d)
			}
			near(t, "revenue", sum.Revenue.Dollars(), c.revenue)
			near(t, "energy", sum.Energy.Dollars(), c.energy)
			near(t, "wear", sum.Wear.Dollars(), 0.5*float64(c.starts))
			if sum.Starts != c.starts {
				t.Errorf("%d starts, want %d", sum.Starts, c.starts)
			}
		})
	}
}

func near(t testing.TB, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-5 {
		t.Errorf("%s is %.6f, want %.6f", what, got, want)
	}
}

// TestBestPathIsTheBestOfAll compares the path with every sequence that the machine's least
// times allow, simulated.
func TestBestPathIsTheBestOfAll(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		group := fmt.Sprintf("ramp: %dm, min_rest: %dm, min_run: %dm, restart_cost: %.3f $, standby: %d kW", rapid.IntRange(0, 12).Draw(r, "ramp"),
			rapid.IntRange(0, 16).Draw(r, "rest"), rapid.IntRange(0, 16).Draw(r, "run"), rapid.Float64Range(0, 3).Draw(r, "wear"), rapid.IntRange(0, 40).Draw(r, "standby"))
		n := rapid.IntRange(1, 9).Draw(r, "intervals")
		prices := make([]string, n)
		for i := range prices {
			if prices[i] = fmt.Sprint(rapid.IntRange(-40, 160).Draw(r, "price")); i > 0 && rapid.IntRange(0, 9).Draw(r, "gap") == 0 {
				prices[i] = ""
			}
		}
		w := open(t, parse(t, fmt.Sprintf(one, group)), Sources{Prices: fiveMinutes(t, prices...)})
		best := unit.Money(math.MinInt64)
		for k := range 1 << n {
			plan := make(script, n)
			for i := range plan {
				plan[i] = k >> i & 1
			}
			s := newSim(w, Start)
			if err := s.run(context.Background(), plan); err != nil {
				r.Fatal(err)
			}
			best = max(best, s.books.profit())
		}
		var out outcome
		if err := w.perfect(context.Background(), &out); err != nil {
			r.Fatal(err)
		}
		if got := out.books.profit(); got < best-2 || got > best+2 { // micro-dollars
			r.Errorf("the path earns %v, the best of all %v (%s, %v)", got.Dollars(), best.Dollars(), group, prices)
		}
	})
}

// TestChargesByHand checks the bill's parts on a few hours.
func TestChargesByHand(t *testing.T) {
	site := `
site: {name: Bill, timezone: UTC}
connection: {limit: 9 MW, meter: {address: 10.0.9.9, profile: generic}}
nodes: [{id: ai, meter: {address: 10.0.9.8, profile: generic}}]
groups: [{id: m, node: connection, driver: antminer, model: S21, addresses: [10.0.0.1], nameplate: 1000 kW, hashrate: 40000 TH/s}]
tenants: [{id: acme, node: ai, firm: 500 kW, rate: 120 $/kW-month, power: %s, penalty: 5000 $/MWh}]
emulate: {seed: 1, tenants: {acme: {low: 40 %%, high: 40 %%}}}
market:
  price: {fixed: 40 $/MWh, adder: 2 $/MWh}
  bitcoin: {hashprice: 30 $/PH/day}
  load: {csv: load.csv}
  blocks: [{power: 1500 kW, price: 30 $/MWh, from: 2024-05-06T05:00:00Z, to: 2024-05-06T07:00:00Z, sell_fee: 4 $/MWh}]
  charges:
    demand: [{name: peak, rate: 10 $/kW-month, interval: 1h}]
    coincident: [{name: cp, rate: 5 $/kW-month, months: [5], interval: 1h}]
reserves: [{name: spin, response: 10m, duration: 1h, most: 600 kW, fixed: 20 $/MWh, performance: 90 %%}]
`
	prices := []float64{20, 100, 50}
	load := []float64{50_000, 51_000, 50_500}
	run := func(power string, on ...int) Tally {
		w := open(t, parse(t, fmt.Sprintf(site, power)), Sources{Prices: csvOf(t, t.TempDir(), prices, prices, load), LoadColumn: "system_load_mw"})
		s := newSim(w, Start)
		if err := s.run(context.Background(), script(on)); err != nil {
			t.Fatal(err)
		}
		return s.books.total()
	}
	// The tenant draws 0.2 MW. At work the site draws 1.2 MW, else 0.2. Real prices are 22, 102
	// and 52 $; 1.5 MW are bought ahead for the first two hours at 30 $, and sold back at 18 and 98.
	got := run("pass-through", 1, 0, 1)
	energy := (45.0 - 0.3*18) + (45 - 1.3*98) + 1.2*52 - 0.2*(22+102+52)
	near(t, "energy, passed through", got.Energy.Dollars(), energy)
	near(t, "energy, included", run("included", 1, 0, 1).Energy.Dollars(), energy+0.2*(22+102+52))
	near(t, "mining", got.Revenue.Dollars(), 100)
	// The month's peak of 1.2 MW, for 3 of May's 744 hours; the coincident peak is the second
	// hour, at 60 $/kW and year.
	near(t, "demand", got.Demand.Dollars(), 10*1200*3.0/744)
	near(t, "coincident", got.Coincident.Dollars(), 60*200)
	near(t, "coincident, at work", run("included", 1, 1, 1).Coincident.Dollars(), 60*1200)
	near(t, "reserve", got.Reserve.Dollars(), 2*0.6*20*0.9)
	near(t, "rent", got.Hosting.Dollars(), 120*500*3.0/744)
}

// TestLimitsHoldForAll: a timed limit stops machines within their least run, the least valuable first.
func TestLimitsHoldForAll(t *testing.T) {
	text := `
site: {name: Limits, timezone: UTC}
connection: {limit: 4 MW, meter: {address: 10.0.9.9, profile: generic}}
groups:
  - {id: good, node: connection, driver: antminer, model: S21, addresses: [10.0.0.1-10.0.0.10], nameplate: 100 kW, hashrate: 5000 TH/s, min_run: 3h}
  - {id: poor, node: connection, driver: antminer, model: S21, addresses: [10.0.1.1-10.0.1.10], nameplate: 100 kW, hashrate: 4000 TH/s, min_run: 3h}
market: {price: {fixed: 40 $/MWh}, bitcoin: {hashprice: 30 $/PH/day}}
limits: [{node: connection, power: 1250 kW, from: 2024-05-06T06:00:00Z, to: 2024-05-06T07:00:00Z}]
control: {margin: 0 %}
`
	prices := []float64{20, 20, 20}
	w := open(t, parse(t, text), Sources{Prices: csvOf(t, t.TempDir(), prices, prices, nil)})
	s := newSim(w, Start)
	var got [][2]int
	s.trace = func(_ int, c []machines) { got = append(got, [2]int{c[0].Running(), c[1].Running()}) }
	if err := s.run(context.Background(), always{}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][2]int{{10, 10}, {10, 2}, {10, 10}}, got); d != "" {
		t.Error(d)
	}
}

// scripts are what is wanted of each group, by interval.
type scripts [][]int

func (s scripts) decide(i int, _ *sim, wanted []int) { copy(wanted, s[i]) }

// TestNoStartPushesOutWhoMustRunOn: under a limit that has room for one group alone, the better
// one waits until the least run of the other is over.
func TestNoStartPushesOutWhoMustRunOn(t *testing.T) {
	text := `
site: {name: Limits, timezone: UTC}
connection: {limit: 1 MW, meter: {address: 10.0.9.9, profile: generic}}
groups:
  - {id: good, node: connection, driver: antminer, model: S21, addresses: [10.0.0.1-10.0.0.10], nameplate: 100 kW, hashrate: 5000 TH/s, min_rest: 0s}
  - {id: poor, node: connection, driver: antminer, model: S21, addresses: [10.0.1.1-10.0.1.10], nameplate: 100 kW, hashrate: 4000 TH/s, min_rest: 0s, min_run: 3h}
market: {price: {fixed: 40 $/MWh}, bitcoin: {hashprice: 30 $/PH/day}}
control: {margin: 0 %}
`
	prices := []float64{20, 20, 20, 20, 20}
	w := open(t, parse(t, text), Sources{Prices: csvOf(t, t.TempDir(), prices, prices, nil)})
	s := newSim(w, Start)
	var got [][2]int
	s.trace = func(_ int, c []machines) { got = append(got, [2]int{c[0].Running(), c[1].Running()}) }
	if err := s.run(context.Background(), scripts{{10, 10}, {0, 6}, {10, 10}, {10, 10}, {10, 10}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][2]int{{10, 0}, {0, 6}, {4, 6}, {4, 6}, {10, 0}}, got); d != "" {
		t.Error(d)
	}
}

// TestTheBoundKnowsThatLimitsStopEarly: an hour of work just before a limit of nothing is to be
// had, though the least run would reach into dear hours: the limit ends it.
func TestTheBoundKnowsThatLimitsStopEarly(t *testing.T) {
	text := `
site: {name: Limits, timezone: UTC}
connection: {limit: 4 MW, meter: {address: 10.0.9.9, profile: generic}}
groups: [{id: m, node: connection, driver: antminer, model: S21, addresses: [10.0.0.1-10.0.0.10], nameplate: 100 kW, hashrate: 5000 TH/s, min_rest: 0s, min_run: 3h}]
market: {price: {fixed: 40 $/MWh}, bitcoin: {hashprice: 30 $/PH/day}}
limits: [{node: connection, power: 0 kW, from: 2024-05-06T07:00:00Z, to: 2024-05-06T08:00:00Z}]
`
	prices := []float64{500, 20, 20, 500, 500}
	w := open(t, parse(t, text), Sources{Prices: csvOf(t, t.TempDir(), prices, prices, nil)})
	rep, err := Run(context.Background(), w, Options{Workers: 1, Policies: []string{LastPrice}, Information: []Information{Start}})
	if err != nil {
		t.Fatal(err)
	}
	last := find(t, rep, LastPrice, Start)
	near(t, "the hour's profit", last.Profit, 50*30/24.0-20)
	near(t, "the bound", rep.Settings.PerfectBoundUSD, last.Profit)
}
