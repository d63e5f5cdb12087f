package outlook

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/dispatch/schedule"
	"switchyard/dispatch/schedule/planner"
	"switchyard/market"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

const siteText = `
site: {name: Test, timezone: America/Chicago}
connection: {limit: 5 MW, loss: 2 %, meter: {address: 10.9.0.1, profile: generic}}
nodes:
  - {id: hall-a, limit: 2 MW}
  - {id: ai, limit: 2 MW, meter: {address: 10.9.0.2, profile: generic}}
groups:
  - {id: s21, node: hall-a, driver: antminer, addresses: [10.0.0.1-10.0.0.200], nameplate: 3500 W, hashrate: 200 TH/s, standby: 50 W, pool_fee: 1 %, restart_cost: 0.05 $, ramp: 5m, min_rest: 10m, min_run: 20m}
tenants:
  - id: acme
    node: ai
    firm: 1.8 MW
    rate: 120 $/kW-month
    penalty: 5000 $/MWh
    power: included
    curtail: {power: 500 kW, hours: 100h, notice: 30m, price: 200 $/MWh}
market:
  price: {fixed: 40 $/MWh, adder: 6 $/MWh}
  bitcoin: {hashprice: 50 $/PH/day}
  load: {csv: load.csv, column: mw}
  charges:
    demand:
      - {name: summer, rate: 12 $/kW-month, daily: {from: "12:00", to: "20:00"}, weekdays: true, months: [6, 7]}
      - {name: all, rate: 3 $/kW-month}
    coincident:
      - {name: 4cp, rate: 5 $/kW-month, interval: 1h}
  blocks:
    - {power: 2 MW, price: 38 $/MWh, from: 2026-01-01T06:00:00Z, to: 2027-01-01T06:00:00Z, daily: {from: "06:00", to: "22:00"}, sell_fee: 1 $/MWh}
    - {power: 1 MW, price: 30 $/MWh, from: 2026-01-01T06:00:00Z, sell: false}
reserves:
  - {name: ecrs, response: 10m, duration: 1h, fixed: 12 $/MWh, most: 1 MW, sold: [{power: 500 kW, from: 2026-06-30T19:00:00Z, to: 2026-06-30T20:00:00Z}]}
  - {name: nspin, response: 30m, duration: 4h, price: {csv: nspin.csv}}
work:
  - {id: train, node: ai, energy: 4 MWh, power: 1 MW, by: 2026-07-03T00:00:00Z, value: 150 $/MWh, late: 400 $/MWh}
  - {id: old, node: ai, energy: 4 MWh, power: 1 MW, by: 2026-06-03T00:00:00Z, value: 150 $/MWh}
minimum: {power: 1 MW, penalty: 100 $/MWh}
schedule: {horizon: 36h}
limits:
  - {node: connection, power: 4 MW, daily: {from: "16:00", to: "18:30"}}
`

func siteFile(t testing.TB) *sitefile.File {
	t.Helper()
	f, err := sitefile.Parse("site.yaml", []byte(siteText), sitefile.Known{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// flat expects one price for all time but a night whose price nobody knows.
type flat struct{ price unit.Price }

func (p flat) Expect(_, from, _ time.Time) (unit.Price, bool) {
	return p.price, from.UTC().Hour() != 8
}

// now is a Tuesday, the last of June, at noon in Chicago.
var now = time.Date(2026, 6, 30, 17, 0, 0, 0, time.UTC)

func state(f *sitefile.File) State {
	return State{
		Hashprice: site.Some(unit.DollarsPerPHDay(50)),
		Groups:    Standing(f, true, 30*time.Second),
		Tenants:   []Tenant{{Load: "acme", Draw: site.Some(unit.Megawatt), Keep: 1200 * unit.Kilowatt, Curtailed: 40 * time.Hour}},
		Peaks:     map[string]unit.Power{"all": 3 * unit.Megawatt, "summer": 2 * unit.Megawatt},
		Left:      map[string]unit.Energy{"train": 3 * unit.MegawattHour},
	}
}

func stepAt(t *testing.T, p schedule.Problem, at time.Time) int {
	t.Helper()
	for i, s := range p.Steps {
		if !at.Before(s.Start) && at.Before(end(s)) {
			return i
		}
	}
	t.Fatalf("no step holds %v", at)
	return 0
}

func chicagoAt(t *testing.T, day, hour, minute int) time.Time {
	t.Helper()
	z, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	return time.Date(2026, 6, day, hour, minute, 0, 0, z)
}

func TestProblem(t *testing.T) {
	f := siteFile(t)
	o, err := New(f, Sources{
		Prices: flat{30 * unit.DollarPerMWh},
		Peaks: func(_ int, _, a, _ time.Time) float64 {
			if a.In(f.Location()).Hour() == 16 {
				return 0.01
			}
			return 0
		},
		Reserve: func(name string, _, from, _ time.Time) (unit.Price, bool) {
			return 7 * unit.DollarPerMWh, name == "nspin" && from.Before(now.Add(12*time.Hour))
		},
		HourWorth: func(share float64) (unit.Price, bool) { return unit.DollarsPerMWh(500 - 10_000*share), true },
	})
	if err != nil {
		t.Fatal(err)
	}
	s := state(f)
	s.Price = []PriceSpan{{From: now.Add(5 * time.Minute), To: now.Add(10 * time.Minute), Price: 900 * unit.DollarPerMWh}}
	s.Caps = []unit.Power{-1, 100 * unit.Kilowatt}
	s.Limits = []site.Limit{{Node: "hall-a", Power: 500 * unit.Kilowatt, From: now.Add(2 * time.Hour), To: now.Add(3 * time.Hour)}}
	s.Fixed = []unit.Power{0, 0, 20 * unit.Kilowatt}
	p := o.Problem(now, s)
	steps(t, o, p)
	caps(t, p)
	demand(t, p)
	loads(t, p)
	plan, err := planner.New().Plan(p)
	if err != nil {
		t.Fatal(err)
	}
	if plan.Method != schedule.MILP || plan.Gap < 0 || plan.Gap > 0.01 || plan.Profit <= 0 {
		t.Errorf("plan by %s: profit %v, gap %v, %v", plan.Method, plan.Profit, plan.Gap, plan.Notes)
	}
	for _, n := range plan.Notes {
		if strings.Contains(n, "left out") {
			t.Errorf("the planner refuses a part: %s", n)
		}
	}
}

func steps(t *testing.T, o *Outlook, p schedule.Problem) {
	first, last := p.Steps[0], p.Steps[len(p.Steps)-1]
	if !first.Start.Equal(now) || end(last).Before(now.Add(36*time.Hour)) {
		t.Errorf("steps from %v to %v", first.Start, end(last))
	}
	at := func(day, hour, minute int) schedule.Step {
		return p.Steps[stepAt(t, p, chicagoAt(t, day, hour, minute))]
	}
	for _, c := range []struct {
		name      string
		step      schedule.Step
		price     float64
		adder     float64
		block     unit.Power
		sellBack  float64
		tolerance float64
	}{
		{"the first", first, 36, 0, 3 * unit.Megawatt, (2*1 + 1*30) / 3.0, 0.001},
		{"told by the grid", p.Steps[1], 906, 0, 3 * unit.Megawatt, (2*1 + 1*900) / 3.0, 0.001},
		{"with a chance of a peak", at(30, 16, 30), 36, 15 * 1000 * 0.01 / 0.25, 3 * unit.Megawatt, (2*1 + 1*30) / 3.0, 0.001},
		{"at night, no price known: that before it", at(31, 3, 30), 36, 0, unit.Megawatt, 30, 0.001},
	} {
		s := c.step
		if math.Abs(s.Price.DollarsPerMWh()-c.price) > c.tolerance || math.Abs(s.Coincident.DollarsPerMWh()-c.adder) > c.tolerance ||
			s.Block != c.block || math.Abs(s.SellBack.DollarsPerMWh()-c.sellBack) > c.tolerance {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
	want := []string{
		"no price is expected for 1 of ",
		"work old was due at 2026-06-02 19:00 and is not planned any more: 4 MWh are left",
		"the price of the reserve nspin is not known for ",
	}
	if len(o.Notes()) != len(want) {
		t.Fatalf("notes: %q", o.Notes())
	}
	for i, n := range o.Notes() {
		if !strings.HasPrefix(n, want[i]) {
			t.Errorf("note %q, want %q", n, want[i])
		}
	}
}

func caps(t *testing.T, p schedule.Problem) {
	cap := func(day, hour, minute, node int) unit.Power {
		return p.Steps[stepAt(t, p, chicagoAt(t, day, hour, minute))].Caps[node]
	}
	for _, c := range []struct {
		name string
		got  unit.Power
		want unit.Power
	}{
		{"the connection, less the margin", cap(30, 13, 0, 0), 4950 * unit.Kilowatt},
		{"the daily limit", cap(30, 16, 0, 0), 3960 * unit.Kilowatt},
		{"until 18:30", cap(30, 18, 20, 0), 3960 * unit.Kilowatt},
		{"and no longer", cap(30, 19, 0, 0), 4950 * unit.Kilowatt},
		{"tomorrow too", cap(31, 17, 0, 0), 3960 * unit.Kilowatt},
		{"what the limiter allows now", p.Steps[0].Caps[1], 100 * unit.Kilowatt},
		{"not for long", p.Steps[1].Caps[1], 1980 * unit.Kilowatt},
		{"a limit to come", cap(30, 14, 30, 1), 495 * unit.Kilowatt},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

func demand(t *testing.T, p schedule.Problem) {
	// At noon of June 30 there are 12 h of June and 24 h of July in the horizon.
	type row struct {
		name  string
		rate  float64
		soFar unit.Power
		hours float64
	}
	var got []row
	for _, d := range p.Demand {
		r := row{d.Name, math.Round(d.Rate.DollarsPerKWMonth()*1000) / 1000, d.SoFar, 0}
		for i, c := range d.Counts {
			if c {
				r.hours += p.Steps[i].Length.Hours()
			}
		}
		got = append(got, r)
	}
	want := []row{
		{"summer", 12, 2 * unit.Megawatt, 8}, // all that is left of June
		{"summer", math.Round(12*1000*24.0/(31*24)) / 1000, 0, 8},
		{"all", 3, 3 * unit.Megawatt, 12},
		{"all", math.Round(3*1000*24.0/(31*24)) / 1000, 0, 24},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("demand charges (-want +got):\n%s", diff)
	}
}

func loads(t *testing.T, p schedule.Problem) {
	c := p.Classes[0]
	value := unit.DollarsPerPHDay(50).Value(unit.EfficiencyOf(3450*unit.Watt, 200*unit.TeraHash), 0.01)
	if len(p.Classes) != 1 || c.Count != 200 || c.Node != 1 || c.Levels[0].Power != 3450*unit.Watt || c.Levels[0].Value != value ||
		c.Ramp != 5*time.Minute || c.MinRest != 10*time.Minute || c.MinRun != 20*time.Minute || c.Wear != unit.Dollars(0.05) ||
		c.Response != 30*time.Second || len(c.Now) != 1 || c.Now[0].Count != 200 || c.Now[0].Level != 0 {
		t.Errorf("class %+v", c)
	}
	if len(p.Firm) != 3 {
		t.Fatalf("firm loads %+v", p.Firm)
	}
	acme := p.Firm[0]
	if acme.Draw[0] != unit.Megawatt || acme.Reserve[0] != 1200*unit.Kilowatt || acme.Penalty != 5000*unit.DollarPerMWh {
		t.Errorf("tenant without a profile: %v of %v", acme.Draw[0], acme.Reserve[0])
	}
	// 60 hours of 184 days are left: the price that 1.4 % of hours exceed, and the adder, less 200.
	if r := acme.Curtail; r.Left != 60*time.Hour || r.Price != 200*unit.DollarPerMWh || r.Notice != 30*time.Minute ||
		math.Abs(r.Worth.DollarsPerMWh()-(500-10_000*60/(184*24+13)+6-200)) > 1 {
		t.Errorf("right %+v", r)
	}
	for i, want := range []struct {
		load site.LoadID
		p    unit.Power
	}{{"fixed:hall-a", 10 * unit.Kilowatt}, {"fixed:ai", 20 * unit.Kilowatt}} {
		if f := p.Firm[i+1]; f.Load != want.load || !IsFixed(f.Load) || f.Draw[0] != want.p {
			t.Errorf("fixed draw %s %v", f.Load, f.Draw[0])
		}
	}
	if w := p.Work; len(w) != 1 || w[0].Load != "train" || w[0].Energy != 3*unit.MegawattHour || !w[0].From.Equal(now) {
		t.Errorf("work %+v", w)
	}
	sold := 0.0
	for i, x := range p.Reserves[0].Sold {
		sold += x.Megawatts() * p.Steps[i].Length.Hours()
	}
	if r := p.Reserves; len(r) != 2 || r[0].Price[3] != 12*unit.DollarPerMWh || sold != 0.5 || r[1].Sold != nil || r[1].Price[0] != 7*unit.DollarPerMWh || r[1].Price[len(p.Steps)-1] != 0 {
		t.Errorf("reserves %+v, %v MWh sold", r, sold)
	}
	if p.Minimum != unit.Megawatt || p.MinimumPenalty != 100*unit.DollarPerMWh {
		t.Errorf("minimum %v", p.Minimum)
	}
}

func TestCarefulWhereNothingIsKnown(t *testing.T) {
	f := siteFile(t)
	o, err := New(f, Sources{Prices: Known{Quotes: func(_, _ time.Time) []market.Quote { return nil }}})
	if err != nil {
		t.Fatal(err)
	}
	p := o.Problem(now, State{Groups: Standing(f, false, time.Minute)})
	if got := p.Steps[0].Price; got != 6*unit.DollarPerMWh {
		t.Errorf("without any price %v", got)
	}
	if p.Classes[0].Levels[0].Value != 0 || p.Classes[0].Now[0].Level != -1 {
		t.Errorf("without a hashprice %+v", p.Classes[0])
	}
	if d := p.Firm[0]; d.Draw[0] != 1800*unit.Kilowatt || d.Reserve[5] != 1800*unit.Kilowatt {
		t.Errorf("a tenant that is not known draws what is firm: %v", d.Draw[0])
	}
	if len(o.Notes()) != 4 {
		t.Errorf("notes %q", o.Notes())
	}
	o.Problem(now, State{Groups: Standing(f, false, 20*time.Minute)}) // ecrs wants ten minutes, nspin thirty
	if n := o.Notes(); len(n) != 5 || !slices.Contains(n, "no group is at standby within 10m: of the reserve ecrs nothing can be held") {
		t.Errorf("notes %q", n)
	}
	if _, err := New(f, Sources{}); err == nil {
		t.Error("an outlook without prices was made")
	}
	no := false
	f.Tenants[0].Fill = &no
	p = o.Problem(now, State{Tenants: []Tenant{{Load: "acme", Draw: site.Some(unit.Megawatt), Keep: unit.Megawatt}}})
	if d := p.Firm[0]; d.Draw[0] != unit.Megawatt || d.Reserve[0] != 1800*unit.Kilowatt {
		t.Errorf("what is not to be filled is kept: %v of %v", d.Draw[0], d.Reserve[0])
	}
	f.Tenants[0].Power = "pass-through"
	if c := o.Problem(now, State{}).Firm[0].Curtail; c.Price != 206*unit.DollarPerMWh {
		t.Errorf("power that the tenant pays for is not saved by taking it back: %v", c.Price)
	}
}

// What a tenant was told to give up is neither expected nor kept for it, and cannot be taken
// twice; what it draws now is without it.
func TestCalled(t *testing.T) {
	const kw = unit.Kilowatt
	f := siteFile(t)
	o, err := New(f, Sources{Prices: flat{20 * unit.DollarPerMWh}})
	if err != nil {
		t.Fatal(err)
	}
	acme := Tenant{Load: "acme", Draw: site.Some(700 * kw), Keep: 900 * kw, Margin: 200 * kw, Back: 300 * kw, Called: []Called{
		{From: now.Add(-time.Hour), To: now.Add(15 * time.Minute), Power: 300 * kw},
		{From: now.Add(4*time.Hour + 25*time.Minute), To: now.Add(6 * time.Hour), Power: 400 * kw},
	}}
	p := o.Problem(now, State{Tenants: []Tenant{acme}})
	for i, want := range []struct {
		at                 time.Duration
		draw, keep, called unit.Power
	}{
		{0, 700 * kw, 900 * kw, 300 * kw},
		{20 * time.Minute, 1000 * kw, 1200 * kw, 0},
		{4 * time.Hour, 1000 * kw, 1200 * kw, 0},                                             // a step of a quarter of an hour
		{4*time.Hour + 15*time.Minute, 1000*kw - 400*kw/3, 1200*kw - 400*kw/3, 400 * kw / 3}, // the last third of it
		{5 * time.Hour, 600 * kw, 800 * kw, 400 * kw},
		{7 * time.Hour, 1000 * kw, 1200 * kw, 0},
	} {
		k := stepAt(t, p, now.Add(want.at))
		if d := p.Firm[0]; d.Draw[k] != want.draw || d.Reserve[k] != want.keep || d.Curtail.Called[k] != want.called {
			t.Errorf("%d: in the step of %v from %v on %v of %v, %v called", i, p.Steps[k].Length, p.Steps[k].Start, d.Draw[k], d.Reserve[k], d.Curtail.Called[k])
		}
	}
	f.Tenants[0].Curtail.Call = sitefile.CallNever
	if c := o.Problem(now, State{Tenants: []Tenant{acme}}).Firm[0].Curtail; c.Power != 0 {
		t.Errorf("a right that nobody calls is planned with: %+v", c)
	}
}

// What is planned to be kept for a tenant is what the loop will keep: now exactly, later what
// is expected to be drawn and the same margin, never above the contract.
func TestKeptForATenant(t *testing.T) {
	const kw = unit.Kilowatt
	learned := NewProfile(time.UTC) // 1.5 MW from 18:00 to 06:00 UTC, else 600 kW
	for at := now.Add(-14 * 24 * time.Hour); at.Before(now); at = at.Add(time.Minute) {
		p := 600 * kw
		if h := at.Hour(); h >= 18 || h < 6 {
			p = 1500 * kw
		}
		learned.Observe(at, p)
	}
	no := false
	soon, later, night := schedule.Step{Start: now.Add(5 * time.Minute), Length: 5 * time.Minute}, schedule.Step{Start: now.Add(10 * time.Minute), Length: 15 * time.Minute}, schedule.Step{Start: now.Add(7 * time.Hour), Length: time.Hour}
	for _, c := range []struct {
		name       string
		tenant     Tenant
		fill       *bool
		step       schedule.Step
		draw, keep unit.Power
		within     unit.Power
	}{
		{"not known: all that is firm", Tenant{}, nil, later, 1800 * kw, 1800 * kw, 0},
		{"at first what the loop keeps", Tenant{Draw: site.Some(600 * kw), Keep: 750 * kw, Profile: learned}, nil, soon, 600 * kw, 750 * kw, 20 * kw},
		{"then the margin beside what is drawn", Tenant{Draw: site.Some(600 * kw), Keep: 750 * kw}, nil, later, 600 * kw, 750 * kw, 0},
		{"and beside what is expected", Tenant{Draw: site.Some(600 * kw), Keep: 750 * kw, Profile: learned}, nil, night, 1200 * kw, 1350 * kw, 50 * kw},
		{"up to the contract", Tenant{Draw: site.Some(600 * kw), Keep: 1500 * kw, Profile: learned}, nil, night, 1200 * kw, 1800 * kw, 50 * kw},
		{"a margin that the contract cuts now", Tenant{Draw: site.Some(1800 * kw), Keep: 1800 * kw, Margin: 200 * kw, Profile: steady(900 * kw)}, nil, night, 1300 * kw, 1500 * kw, 50 * kw},
		{"drawn above the contract", Tenant{Draw: site.Some(2000 * kw), Keep: 2000 * kw}, nil, later, 2000 * kw, 2000 * kw, 0},
		{"not to be filled", Tenant{Draw: site.Some(600 * kw), Keep: 750 * kw}, &no, soon, 600 * kw, 1800 * kw, 0},
		{"no margin told, nothing learned", Tenant{Draw: site.Some(600 * kw)}, nil, later, 600 * kw, 1800 * kw, 0},
		{"no margin told: what it stays below", Tenant{Draw: site.Some(600 * kw), Profile: steady(600 * kw)}, nil, later, 600 * kw, 600 * kw, 0},
	} {
		draw, keep := expected(now, c.tenant, &sitefile.Tenant{Firm: 1800 * kw, Fill: c.fill}, c.step)
		if off := max(draw-c.draw, c.draw-draw, keep-c.keep, c.keep-keep); off > c.within || keep < draw {
			t.Errorf("%s: draws %v of %v kept, want %v of %v", c.name, draw, keep, c.draw, c.keep)
		}
		if c.within > 0 && c.step.Start.Equal(night.Start) && c.keep < 1800*kw && keep-draw != max(c.tenant.Margin, c.tenant.Keep-c.tenant.Draw.V) {
			t.Errorf("%s: %v beyond the draw", c.name, keep-draw)
		}
	}
}

// steady is the profile of a tenant that always draws as much.
func steady(p unit.Power) *Profile {
	out := NewProfile(time.UTC)
	for at := now.Add(-14 * 24 * time.Hour); at.Before(now); at = at.Add(time.Minute) {
		out.Observe(at, p)
	}
	return out
}

// A tenant of which only the draw is known is kept for as on the controller's first day.
func TestDrawing(t *testing.T) {
	f := &sitefile.File{Control: sitefile.Control{Period: 5 * time.Second}}
	for _, c := range []struct {
		ramp, draw, keep unit.Power
	}{
		{120 * unit.Kilowatt, unit.Megawatt, 1130 * unit.Kilowatt},
		{120 * unit.Kilowatt, 1900 * unit.Kilowatt, 2 * unit.Megawatt},
		{0, unit.Megawatt, 2 * unit.Megawatt}, // all of it within a minute
	} {
		got := Drawing(f, sitefile.Tenant{ID: "acme", Firm: 2 * unit.Megawatt, Ramp: c.ramp}, c.draw, time.Minute)
		if got.Load != "acme" || got.Draw != site.Some(c.draw) || got.Keep != c.keep || got.Margin < got.Keep-c.draw {
			t.Errorf("%v at %v a minute: %+v", c.draw, c.ramp, got)
		}
	}
}

func TestKnownPrices(t *testing.T) {
	q := func(from, to int, price float64, known bool) market.Quote {
		return market.Quote{From: now.Add(time.Duration(from) * time.Minute), To: now.Add(time.Duration(to) * time.Minute), Price: unit.DollarsPerMWh(price), Known: known}
	}
	k := Known{Adder: 6 * unit.DollarPerMWh, Quotes: func(_, _ time.Time) []market.Quote {
		return []market.Quote{q(-30, 30, 26, true), q(30, 60, 0, false), q(60, 120, 46, true)}
	}}
	for _, c := range []struct {
		from, to int
		want     float64
		ok       bool
	}{
		{0, 30, 20, true}, {0, 45, 20, true}, {0, 90, 30, true}, {30, 60, 0, false}, {200, 260, 0, false},
	} {
		got, ok := k.Expect(now, now.Add(time.Duration(c.from)*time.Minute), now.Add(time.Duration(c.to)*time.Minute))
		if ok != c.ok || ok && got != unit.DollarsPerMWh(c.want) {
			t.Errorf("%d to %d: %v %v", c.from, c.to, got, ok)
		}
	}
}

// A daily window that runs past midnight belongs to the day it began on, and days of 23 and
// 25 hours are met as written.
func TestWindows(t *testing.T) {
	f := siteFile(t)
	o, err := New(f, Sources{Prices: flat{}})
	if err != nil {
		t.Fatal(err)
	}
	hours := func(day time.Time, length time.Duration, from, to string, weekdays bool) float64 {
		var d *sitefile.Daily
		if from != "" {
			d = &sitefile.Daily{From: from, To: to}
		}
		sum := 0.0
		for at := day; at.Before(day.Add(length)); at = at.Add(15 * time.Minute) {
			sum += o.within(schedule.Step{Start: at, Length: 15 * time.Minute}, time.Time{}, time.Time{}, windowOf(d, weekdays)).Hours()
		}
		return sum
	}
	z := f.Location()
	friday := time.Date(2026, 6, 26, 0, 0, 0, 0, z)
	for _, c := range []struct {
		name     string
		day      time.Time
		length   time.Duration
		from, to string
		weekdays bool
		want     float64
	}{
		{"all day", friday, 24 * time.Hour, "", "", false, 24},
		{"weekdays", friday, 4 * 24 * time.Hour, "", "", true, 48},
		{"afternoons", friday, 24 * time.Hour, "12:00", "20:00", false, 8},
		{"nights of a week's end: Friday's runs into Saturday", friday, 48 * time.Hour, "22:00", "06:00", true, 6 + 8},
		{"the day that loses an hour", time.Date(2026, 3, 8, 0, 0, 0, 0, z), 23 * time.Hour, "01:00", "04:00", false, 2},
		{"the day that has one more", time.Date(2026, 11, 1, 0, 0, 0, 0, z), 25 * time.Hour, "01:00", "04:00", false, 4},
	} {
		if got := hours(c.day, c.length, c.from, c.to, c.weekdays); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v h, want %v", c.name, got, c.want)
		}
	}
}

func BenchmarkProblem(b *testing.B) {
	f := siteFile(b)
	o, err := New(f, Sources{Prices: flat{30 * unit.DollarPerMWh}, Peaks: func(int, time.Time, time.Time, time.Time) float64 { return 0.001 }})
	if err != nil {
		b.Fatal(err)
	}
	s := state(f)
	for b.Loop() {
		o.Problem(now, s)
	}
}
