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

	"pgregory.net/rapid"

	"switchyard/unit"
)

// chanceSite is a random small site, and whether anything couples its groups.
func chanceSite(r *rapid.T, coupled bool) string {
	var b strings.Builder
	groups := rapid.IntRange(1, 3).Draw(r, "groups")
	limit, extra, timed, ai := "9 MW", "", "", ""
	if coupled {
		limit = fmt.Sprintf("%d kW", rapid.IntRange(120, 400*groups).Draw(r, "limit"))
		switch rapid.IntRange(0, 6).Draw(r, "extra") {
		case 1:
			extra = "  charges: {demand: [{name: d, rate: 3 $/kW-month, interval: 1h}]}\n"
		case 2:
			extra = "  blocks: [{power: 150 kW, price: 40 $/MWh, from: 2024-05-06T09:00:00Z, sell_fee: 5 $/MWh}]\n"
		case 3:
			at := begin.Add(time.Duration(rapid.IntRange(1, 6).Draw(r, "limited from")) * time.Hour)
			timed = fmt.Sprintf("limits: [{node: %s, power: %d kW, from: %s, to: %s}]\n", rapid.SampledFrom([]string{"connection", "hall"}).Draw(r, "limited"),
				rapid.IntRange(0, 300).Draw(r, "timed limit"), at.Format(time.RFC3339), at.Add(time.Duration(rapid.IntRange(1, 3).Draw(r, "limited for"))*time.Hour).Format(time.RFC3339))
		case 4:
			ai = ", {id: ai, parent: hall, meter: {address: 10.0.9.8, profile: generic}}"
			timed = "tenants: [{id: acme, node: ai, firm: 100 kW, rate: 120 $/kW-month, power: pass-through, penalty: 5000 $/MWh}]\nemulate: {seed: 1, tenants: {acme: {low: 0 %, high: 100 %}}}\n"
		}
	}
	fmt.Fprintf(&b, "site: {name: Chance, timezone: America/Chicago}\nconnection: {limit: %s, loss: %d %%, meter: {address: 10.0.9.9, profile: generic}}\nnodes: [{id: hall, limit: %s}%s]\ngroups:\n",
		limit, rapid.IntRange(0, 5).Draw(r, "loss"), limit, ai)
	for g := range groups {
		fmt.Fprintf(&b, "  - {id: g%d, node: hall, driver: antminer, model: S21, addresses: [10.1.%d.0/25], nameplate: %d W, hashrate: 140 TH/s, standby: %d W, pool_fee: %d %%, ramp: %dm, restart_cost: %.4f $, min_rest: %dm, min_run: %dm}\n",
			g, g, rapid.IntRange(2500, 4500).Draw(r, "nameplate"), rapid.IntRange(0, 60).Draw(r, "standby"), rapid.IntRange(0, 2).Draw(r, "fee"),
			rapid.IntRange(0, 60).Draw(r, "ramp"), rapid.Float64Range(0, 0.2).Draw(r, "wear"), rapid.IntRange(0, 200).Draw(r, "rest"), rapid.IntRange(0, 200).Draw(r, "run"))
	}
	if coupled && rapid.Bool().Draw(r, "reserve") {
		fmt.Fprintf(&b, "reserves: [{name: spin, response: 10m, duration: 1h, most: %d kW, fixed: 9 $/MWh}]\n", rapid.IntRange(20, 300).Draw(r, "most"))
	}
	fmt.Fprintf(&b, "%smarket:\n  price: {fixed: 40 $/MWh}\n  bitcoin: {hashprice: 50 $/PH/day}\n%s", timed, extra)
	return b.String()
}

// chancePrices are hours of prices with spikes, negative ones and gaps; day-ahead with them.
func chancePrices(r *rapid.T, hours int) (rt, da []float64) {
	level := rapid.Float64Range(20, 90)
	for i := range hours {
		p := level.Draw(r, "price")
		switch rapid.IntRange(0, 19).Draw(r, "kind") {
		case 0:
			p = rapid.Float64Range(200, 5000).Draw(r, "spike")
		case 1:
			p = -p
		case 2:
			if i > 0 {
				p = math.NaN()
			}
		}
		rt = append(rt, p)
		da = append(da, level.Draw(r, "ahead"))
	}
	return rt, da
}

var begin = time.Date(2024, 5, 6, 5, 0, 0, 0, time.UTC)

// csvOf writes hourly prices as a file.
func csvOf(t testing.TB, dir string, rt, da, load []float64) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("interval_start,rt_price,da_price,system_load_mw\n")
	cell := func(v float64) string {
		if math.IsNaN(v) {
			return ""
		}
		return fmt.Sprint(v)
	}
	for i := range rt {
		l := 100.0
		if load != nil {
			l = load[i]
		}
		fmt.Fprintf(&b, "%s,%s,%s,%s\n", begin.Add(time.Duration(i)*time.Hour).Format(time.RFC3339), cell(rt[i]), cell(da[i]), cell(l))
	}
	path := filepath.Join(dir, "prices.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestNothingBeatsPerfectForesight: whatever the site and the prices, no policy earns more than
// the bound; where nothing couples the groups perfect foresight earns it.
func TestNothingBeatsPerfectForesight(t *testing.T) {
	for _, coupled := range []bool{false, true} {
		t.Run(fmt.Sprintf("coupled=%v", coupled), func(t *testing.T) {
			dir := t.TempDir()
			rapid.Check(t, func(r *rapid.T) {
				f := parse(t, chanceSite(r, coupled))
				rt, da := chancePrices(r, rapid.IntRange(5, 24).Draw(r, "hours"))
				w := open(t, f, Sources{Prices: csvOf(t, dir, rt, da, nil)})
				rep, err := Run(context.Background(), w, Options{Workers: 1, Information: []Information{rapid.SampledFrom([]Information{Start, Late}).Draw(r, "information")}})
				if err != nil {
					r.Fatal(err)
				}
				bound := rep.Settings.PerfectBoundUSD
				for _, p := range rep.Policies {
					if p.Profit > bound+1e-3 {
						r.Errorf("%s (%s) earns %.6f, more than the bound of %.6f", p.Name, p.Information, p.Profit, bound)
					}
					if c := p.Capture; c != nil && p.Name == AlwaysOn && math.Abs(*c) > 1e-9 {
						r.Errorf("always-on captures %v", *c)
					}
					if c := p.Capture; c != nil && p.Name == Perfect && !coupled && math.Abs(*c-1) > 1e-9 {
						r.Errorf("perfect foresight captures %v", *c)
					}
				}
			})
		})
	}
}

// TestBooksBalance: a profit is the sum of its parts, days and months sum to the whole, and
// energy is what the machines drew.
func TestBooksBalance(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		f := parse(t, chanceSite(r, rapid.Bool().Draw(r, "coupled")))
		rt, da := chancePrices(r, rapid.IntRange(5, 30).Draw(r, "hours"))
		w := open(t, f, Sources{Prices: csvOf(t, dir, rt, da, nil)})
		s := newSim(w, Late)
		var cost, used float64
		s.trace = func(i int, crews []machines) {
			mw := 0.0
			for _, c := range crews {
				n := 0
				for _, k := range c.Working() {
					n += k.N
				}
				if n != c.Running() {
					r.Fatalf("%d machines run and %d are counted", n, c.Running())
				}
				for _, k := range c.Resting() {
					n += k.N
				}
				if n != c.g.count {
					r.Fatalf("%d of %d machines are left", n, c.g.count)
				}
				mw += (float64(c.Running())*c.g.power.Megawatts() + float64(c.g.count-c.Running())*c.g.standby.Megawatts()) / (1 - float64(f.Connection.Loss))
			}
			if len(w.blocks) == 0 {
				cost += mw * rt[i] // the tenant pays for its own
			}
			for k := range w.tenants {
				mw += w.tenants[k].draw(w.at(i)).Megawatts() * w.tenants[k].factor
			}
			used += mw
		}
		if err := s.run(context.Background(), lastPrice{make([]unit.Price, len(w.groups))}); err != nil {
			r.Fatal(err)
		}
		sum := s.books.total()
		if got := sum.Used.MegawattHours(); math.Abs(got-used) > 1e-6*(1+used) {
			r.Errorf("%.9f MWh are booked, %.9f were drawn", got, used)
		}
		if got := sum.Energy.Dollars(); len(w.blocks) == 0 && math.Abs(got-cost) > 1e-6*(1+math.Abs(cost))+1e-3 {
			r.Errorf("energy is booked at %.6f, it cost %.6f", got, cost)
		}
		if sum.Profit() != sum.Revenue-sum.Energy-sum.Wear-sum.Coincident-sum.Demand-sum.Penalty+sum.Reserve+sum.Hosting {
			r.Error("the profit is not the sum of its parts")
		}
		rep, err := Run(context.Background(), w, Options{Workers: 1, Information: []Information{Late}})
		if err != nil {
			r.Fatal(err)
		}
		for _, p := range rep.Policies {
			months := 0.0
			for _, m := range p.Months {
				months += m.Profit
			}
			b := p.Breakdown
			parts := b.Revenue - b.Energy - b.Wear - b.Coincident - b.Demand - b.Penalty + b.Reserve + b.Hosting
			if d := max(math.Abs(months-p.Profit), math.Abs(p.Spikes.Profit+p.Calm.Profit-p.Profit), math.Abs(parts-p.Profit)); d > 1e-4 {
				r.Errorf("%s: months, days or parts miss the profit by %v", p.Name, d)
			}
		}
	})
}

// TestNobodySeesTheFuture: what comes later changes nothing that was decided before.
func TestNobodySeesTheFuture(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		text := strings.Replace(chanceSite(r, rapid.Bool().Draw(r, "coupled")), "market:\n", "market:\n  load: {csv: load.csv}\n  charges: {coincident: [{name: cp, rate: 5 $/kW-month, months: [5, 6], interval: 1h}]}\n", 1)
		if strings.Count(text, "charges:") > 1 {
			r.Skip("two charges")
		}
		f := parse(t, text)
		n := rapid.IntRange(12, 40).Draw(r, "hours")
		rt, da := chancePrices(r, n)
		rt2, da2 := chancePrices(r, n)
		load, load2 := make([]float64, n), make([]float64, n)
		for i := range load {
			load[i], load2[i] = rapid.Float64Range(40_000, 80_000).Draw(r, "load"), rapid.Float64Range(40_000, 80_000).Draw(r, "other load")
		}
		turn := rapid.IntRange(1, n-1).Draw(r, "turn") // from here on all is otherwise
		info := rapid.SampledFrom([]Information{Start, Late}).Draw(r, "information")
		name := rapid.SampledFrom([]string{Threshold, LastPrice, Switchyard}).Draw(r, "policy")
		zone := f.Location()
		out := func(i int) time.Time { // when the day-ahead price of an hour is out
			y, m, d := begin.Add(time.Duration(i) * time.Hour).In(zone).Date()
			return time.Date(y, m, d-1, 13, 0, 0, 0, zone)
		}
		at := begin.Add(time.Duration(turn) * time.Hour)
		for i := range n {
			if i < turn {
				rt2[i], load2[i] = rt[i], load[i]
			}
			if i > 0 && math.IsNaN(rt[i]) != math.IsNaN(rt2[i]) {
				rt2[i] = rt[i] // a gap is seen by all: nobody decides in it
			}
			if !out(i).After(at) {
				da2[i] = da[i]
			}
		}
		last := turn // decisions before it rest on the same knowledge
		if info == Late {
			last = turn + 1
		}
		runs := func(rt, da, load []float64) (got []int) {
			w := open(t, f, Sources{Prices: csvOf(t, dir, rt, da, load), LoadColumn: "system_load_mw"})
			s := newSim(w, info)
			s.trace = func(i int, crews []machines) {
				if i < last {
					for _, c := range crews {
						got = append(got, c.Running())
					}
				}
			}
			p, err := w.policy(name, info, Options{Reschedule: time.Hour, DayAheadAt: 13 * time.Hour})
			if err != nil {
				r.Fatal(err)
			}
			if err := s.run(context.Background(), p); err != nil {
				r.Fatal(err)
			}
			return got
		}
		a, b := runs(rt, da, load), runs(rt2, da2, load2)
		if fmt.Sprint(a) != fmt.Sprint(b) {
			r.Errorf("%s (%s) decided otherwise before %v:\n%v\n%v", name, info, at, a, b)
		}
	})
}
