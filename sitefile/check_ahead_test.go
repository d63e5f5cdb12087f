package sitefile

import (
	"errors"
	"strings"
	"testing"
	"time"

	"switchyard/strictyaml"
	"switchyard/unit"
)

const aheadDoc = `
site: {name: Test}
connection: {limit: 5 MW, meter: {address: 10.9.0.1, profile: generic}}
nodes:
  - {id: hall-a, limit: 2 MW}
  - {id: ai, limit: 2 MW, meter: {address: 10.9.0.2, profile: generic}}
groups:
  - {id: s21, node: hall-a, driver: antminer, addresses: [10.0.0.1-10.0.0.9], nameplate: 3500 W, hashrate: 200 TH/s, ramp: 5m}
tenants:
  - id: acme
    node: ai
    firm: 1.8 MW
    rate: 120 $/kW-month
    penalty: 5000 $/MWh
    curtail: {power: 500 kW, hours: 100h, notice: 30m, price: 200 $/MWh}
market:
  price: {fixed: 40 $/MWh}
  bitcoin: {hashprice: 50 $/PH/day}
  load: {csv: load.csv, column: mw}
  charges:
    demand:
      - {name: summer, rate: 12 $/kW-month, daily: {from: "12:00", to: "20:00"}, weekdays: true, months: [6, 7]}
      - {name: all, rate: 3 $/kW-month, interval: 30m}
    coincident:
      - {name: 4cp, rate: 5 $/kW-month}
      - {name: own, rate: 1 $/kW-month, months: [1, 2], count: 5, interval: 1h, load: {csv: other.csv}}
  blocks:
    - {power: 2 MW, price: 38 $/MWh, from: 2026-01-01T06:00:00Z, to: 2027-01-01T06:00:00Z, daily: {from: "06:00", to: "22:00"}, sell_fee: 1 $/MWh}
reserves:
  - {name: ecrs, response: 10m, duration: 1h, fixed: 12 $/MWh, most: 1 MW, sold: [{power: 500 kW, from: 2026-07-01T16:00:00Z, to: 2026-07-01T20:00:00Z}]}
  - {name: nspin, response: 30m, duration: 4h, price: {csv: nspin.csv, column: price}, call: 1 %}
work:
  - {id: train, node: ai, energy: 40 MWh, power: 2 MW, from: 2026-07-01T00:00:00Z, by: 2026-07-03T00:00:00Z, value: 150 $/MWh, late: 400 $/MWh, slow: 1 $/MWh}
minimum: {power: 1 MW, penalty: 100 $/MWh}
schedule: {every: 10m, horizon: 30h}
`

func TestAheadIsChecked(t *testing.T) {
	f, err := Parse("site.yaml", []byte(aheadDoc), known)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Warnings) > 0 {
		t.Errorf("warnings: %v", f.Warnings)
	}
	for _, c := range []struct{ old, with, says string }{
		{"{name: 4cp, rate: 5 $/kW-month}", "{name: 4cp, rate: 5 $/kW-month, settled: [\"2026-06-17T22:00:00Z\", \"2026-10-02T22:00:00Z\"]}", "market.charges.coincident[0].settled[1]: 2026-10-02 22:00 is in no month of this charge"},
		{"{name: 4cp, rate: 5 $/kW-month}", "{name: 4cp, rate: 5 $/kW-month, settled: [\"2026-06-17T22:00:00Z\", \"2026-06-17T22:00:00Z\"]}", "the peak stands twice"},
		{"{name: 4cp, rate: 5 $/kW-month}", "{name: 4cp, rate: 5 $/kW-month, settled: [\"2026-06-17T22:00:00Z\", \"2026-06-18T22:00:00Z\"]}", "2026-06 has more than 1 settled peaks"},
		{"every: 10m", "every: 1s", "1s is out of range"},
		{"horizon: 30h", "horizon: 3h", "it can be from 24h to 48h"},
		{"name: summer, ", "", "name is missing"},
		{"name: all", "name: summer", `the name "summer" is taken by market.charges.demand[0]`},
		{"name: 4cp", "name: all", `the name "all" is taken by market.charges.demand[1]`},
		{"rate: 12 $/kW-month", "rate: 0 $/kW-month", "0 $/kW-month is out of range"},
		{"rate: 12 $/kW-month, ", "", "rate is missing"},
		{"rate: 5 $/kW-month", "rate: 5000 $/kW-month", "is out of range; a twelfth of the year's charge"},
		{"interval: 30m", "interval: 25m", "25m does not divide an hour"},
		{`from: "12:00", to`, `from: "noon", to`, `"noon" is not a time of day`},
		{`to: "20:00"`, `to: "12:00"`, "it ends when it begins"},
		{"months: [6, 7]", "months: [6, 13]", "13 is no month"},
		{"months: [6, 7]", "months: [6, 6]", "the month 6 stands twice"},
		{"months: [1, 2]", "months: []", "a charge on the peaks of no month is none"},
		{"count: 5", "count: 0", "0 is out of range"},
		{"interval: 1h, load", "interval: 2h, load", "2h does not divide an hour"},
		{"load: {csv: other.csv}", "load: {column: mw}", "market.charges.coincident[1].load has no source"},
		{"  load: {csv: load.csv, column: mw}\n", "", "the grid's load is not known, so nobody can tell when it peaks"},
		{"power: 2 MW, price: 38 $/MWh", "power: 0 MW, price: 38 $/MWh", "is no power"},
		{"price: 38 $/MWh, ", "", "price is missing"},
		{"from: 2026-01-01T06:00:00Z, to: 2027", "to: 2027", "from is missing"},
		{"to: 2027-01-01", "to: 2025-01-01", "is not after"},
		{"sell_fee: 1 $/MWh", "sell_fee: -1 $/MWh", "out of range"},
		{"sell_fee: 1 $/MWh", "sell_fee: 1 $/MWh, sell: false", "what may not be sold back has no fee"},
		{"response: 10m, ", "", "response is missing"},
		{"duration: 1h", "duration: 48h", "48h is out of range"},
		{"fixed: 12 $/MWh, ", "", "reserves[0] has no source; write exactly one of price and fixed"},
		{"fixed: 12 $/MWh", "fixed: -12 $/MWh", "out of range"},
		{"most: 1 MW", "most: -1 MW", "is below zero"},
		{"most: 1 MW", "most: 400 kW", "500 kW sold is above the most of 400 kW"},
		{"price: {csv: nspin.csv, column: price}", "fixed: 3 $/MWh, price: {csv: nspin.csv}", "price and fixed are both there"},
		{"call: 1 %", "call: 101 %", "out of range"},
		{"call: 1 %", "performance: 120 %", "out of range"},
		{"name: nspin", "name: ecrs", `the name "ecrs" is taken by reserves[0]`},
		{"{power: 500 kW, from: 2026-07-01T16:00:00Z, to", "{power: 500 kW, to", "from is missing"},
		{"price: 200 $/MWh}", "price: 200 $/MWh, call: aut}", `did you mean "auto"`},
		{"curtail: {power: 500 kW", "curtail: {power: 2 MW", "2 MW is above the 1.8 MW that are contracted"},
		{"hours: 100h", "hours: 9000h", "out of range"},
		{"hours: 100h, ", "", "hours is missing"},
		{"notice: 30m", "notice: 72h", "72h is out of range"},
		{"id: train", "id: s21", `the id "s21" is taken`},
		{"id: train, node: ai", "id: train, node: aj", `there is no node "aj"; did you mean "ai"?`},
		{"energy: 40 MWh, ", "", "energy is missing"},
		{"energy: 40 MWh", "energy: 0 MWh", "is nothing to do"},
		{"by: 2026-07-03", "by: 2026-06-03", "is not after"},
		{"value: 150 $/MWh, ", "", "value is missing"},
		{"minimum: {power: 1 MW", "minimum: {power: 9 MW", "9 MW is above the 5 MW that the connection may carry"},
		{", penalty: 100 $/MWh", "", "penalty is missing"},
		{"ramp: 5m", "ramp: 2h", "2h is out of range"},
	} {
		if !strings.Contains(aheadDoc, c.old) {
			t.Fatalf("the document does not hold %q", c.old)
		}
		_, err := Parse("site.yaml", []byte(strings.Replace(aheadDoc, c.old, c.with, 1)), known)
		var faults strictyaml.Faults
		if !errors.As(err, &faults) || len(faults) != 1 || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q alone", c.with, err, c.says)
		}
	}
	f, err = Parse("site.yaml", []byte(strings.Replace(aheadDoc, "energy: 40 MWh", "energy: 140 MWh", 1)), known)
	if err != nil || len(f.Warnings) != 1 || !strings.Contains(f.Warnings.Error(), "only 96 MWh are done by then, not 140 MWh") {
		t.Errorf("work that cannot be done in time: %v, %v", err, f.Warnings)
	}
	for _, c := range [][2]string{{"{power: 2 MW, price: 38", "{power: 20 MW, price: 38"}, {"most: 1 MW", "most: 20 MW"}} {
		f, err = Parse("site.yaml", []byte(strings.Replace(aheadDoc, c[0], c[1], 1)), known)
		if err != nil || len(f.Warnings) != 1 || !strings.Contains(f.Warnings.Error(), "20 MW is above the 5 MW that the connection may carry") {
			t.Errorf("%s: %v, %v", c[1], err, f.Warnings)
		}
	}
}

// What the example shows in comments passes in its place, all of it together.
func TestExampleAhead(t *testing.T) {
	var out []string
	on := false
	for _, line := range strings.Split(string(Example()), "\n") {
		text := strings.TrimLeft(line, " ")
		indent := line[:len(line)-len(text)]
		bare, comment := strings.CutPrefix(text, "# ")
		key, _, isKey := strings.Cut(bare, ":")
		switch key {
		case "charges", "blocks", "schedule", "reserves", "work", "minimum", "curtail", "load":
			on = comment && isKey
		default:
			on = on && comment && (strings.HasPrefix(bare, " ") || strings.HasPrefix(bare, "-"))
		}
		if on {
			line = indent + bare
		}
		out = append(out, line)
	}
	f, err := Parse("site.yaml", []byte(strings.Join(out, "\n")), known)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Market.Charges.Demand) != 1 || len(f.Market.Charges.Coincident) != 1 || len(f.Market.Blocks) != 1 || len(f.Reserves) != 1 ||
		len(f.Work) != 1 || f.Minimum == nil || f.Tenants[0].Curtail == nil || f.Ahead.Horizon != 36*time.Hour || len(f.Reserves[0].Sold) != 1 {
		t.Errorf("not all of it was read: %+v", f.Market)
	}
	if len(f.Warnings) > 0 {
		t.Errorf("warnings: %v", f.Warnings)
	}
}

func TestAheadDefaults(t *testing.T) {
	f, err := Parse("site.yaml", []byte(strings.Replace(aheadDoc, "schedule: {every: 10m, horizon: 30h}\n", "", 1)), known)
	if err != nil {
		t.Fatal(err)
	}
	ch := f.Market.Charges
	if f.Ahead.Every != 5*time.Minute || f.Ahead.Horizon != 36*time.Hour || ch.Demand[0].Interval != 15*time.Minute {
		t.Errorf("schedule %+v, demand %+v", f.Ahead, ch.Demand[0])
	}
	if c := ch.Coincident[0]; len(c.Months) != 4 || c.Count != 1 || c.Interval != 15*time.Minute || c.Load != f.Market.Load {
		t.Errorf("coincident %+v", c)
	}
	if c := ch.Coincident[1]; c.Load == nil || c.Load.CSV != "other.csv" {
		t.Errorf("a load of its own %+v", c.Load)
	}
	if b := f.Market.Blocks[0]; b.Sell == nil || !*b.Sell {
		t.Errorf("block %+v", b)
	}
	if r := f.Reserves[0]; r.Performance != 1 || r.Short != 1000*unit.DollarPerMWh {
		t.Errorf("reserve %+v", r)
	}
}
