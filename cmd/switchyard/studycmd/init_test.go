package studycmd

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/billing"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/telemetry"
	"switchyard/unit"
)

var now = time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC)

const siteText = `site: {name: Test Creek, timezone: America/Chicago}
connection:
  limit: 4 MW
  loss: 1 %
  meter: {address: 10.0.0.2, profile: generic}
nodes:
  - id: hall-a
    limit: 500 kW
    meter: {address: 10.0.0.4, profile: generic}
  - id: hall-b
  - id: ai-hall
    limit: 1.5 MW
    meter: {address: 10.0.0.3, profile: sunspec}
groups:
  - {id: s21, node: hall-a, driver: antminer, model: S21, addresses: [10.0.1.1-10.0.1.100], nameplate: 3500 W, hashrate: 200 TH/s, standby: 30 W, pool_fee: 1.5 %}
  - {id: old, node: hall-b, driver: auto, model: S19, addresses: [10.0.2.1-10.0.2.50], nameplate: 3250 W, hashrate: 95 TH/s, standby: 20 W}
tenants:
  - {id: acme, node: ai-hall, firm: 1 MW, rate: 120 $/kW-month, penalty: 5000 $/MWh, contract: acme.yaml}
market:
  price: {csv: rt.csv, adder: 11 $/MWh}
  bitcoin: {hashprice: 50 $/PH/day}
  charges:
    demand: [{name: summer-peak, rate: 6 $/kW-month, months: [6, 7, 8]}]
  blocks:
    - {power: 1 MW, price: 39 $/MWh, from: 2026-01-01T06:00:00Z, to: 2028-01-01T06:00:00Z}
    - {power: 1 MW, price: 30 $/MWh, from: 2020-01-01T06:00:00Z, to: 2021-01-01T06:00:00Z}
`

const contractText = `tenant: acme
contract: MSA-2026-014
customer: {name: "Acme AI, Inc."}
seller: {name: Test Creek LLC}
versions:
  - from: 2026-01-01
    to: 2036-01-01
    kind: colocation
    colocation: {critical: 1 MW, rate: 141.5 $/kW-month, escalator: 3 %, lease: modified, power: {losses: true}}
`

// ground writes a site with its contract and a year of prices, and returns the site file.
func ground(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var prices strings.Builder
	prices.WriteString("time,rt_price_usd_mwh\n")
	for at := time.Date(2025, 10, 1, 0, 0, 0, 0, time.UTC); at.Before(now); at = at.Add(time.Hour) {
		prices.WriteString(at.Format(time.RFC3339) + ",40\n")
	}
	for name, text := range map[string]string{"site.yaml": siteText, "acme.yaml": contractText, "rt.csv": prices.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "site.yaml")
}

// settle fills the store beside a site file with six hours: in half of them all machines run.
func settle(t *testing.T, path string) {
	t.Helper()
	f, err := sitefile.Load(path, sitefile.Known{})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), f.Path(f.Store.Dir))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tree, err := f.Tree()
	if err != nil {
		t.Fatal(err)
	}
	book, err := billing.Open(t.Context(), db, billing.Contracts{Tree: tree, Groups: f.Groups, Tenants: f.Tenants})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 72 {
		at := telemetry.Span(now).Add(-6*time.Hour + time.Duration(i)*telemetry.Length)
		on := float64(i%2) * telemetry.Length.Hours() // kW into kWh
		r := func(subject string, kwh, phs float64) telemetry.Interval {
			return telemetry.Interval{
				Subject: subject, Start: at, Energy: unit.Energy(kwh * float64(unit.KilowattHour)), Hashes: phs * telemetry.Length.Seconds(), Sources: 1, Measured: telemetry.Length,
			}
		}
		c := billing.Close{Start: at, Price: site.Some(unit.DollarsPerMWh(40)), Hashprice: site.Some(unit.DollarsPerPHDay(50)), Records: []telemetry.Interval{
			r("meter:connection", 1000*telemetry.Length.Hours(), 0), r("meter:hall-a", 371*on, 0), r("s21", 360*on, 19.5*float64(i%2)), r("old", 0.001*on, 0),
		}}
		if err := book.Settle(t.Context(), []billing.Close{c}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func loaded(t *testing.T, path string) *input.File {
	t.Helper()
	f, err := input.Load(path)
	if err != nil {
		data, _ := os.ReadFile(path)
		t.Fatalf("%v\n%s", err, data)
	}
	return f
}

func TestInitFromTheSiteFile(t *testing.T) {
	d, site := newDesk(t), ground(t)
	out := filepath.Join(t.TempDir(), "study.yaml")
	got, err := d.run(t, "init", out, "--site", site)
	if err != nil || !strings.Contains(got, "written from site.yaml: no figures measured") {
		t.Fatalf("%v: %s", err, got)
	}
	f := loaded(t, out)
	if f.Study != "Test Creek" || f.Start != figure.MonthOf(2026, 11) || len(f.Halls) != 2 || f.Halls[0].ID != "hall-a" {
		t.Errorf("%+v", f)
	}
	// The tenant's firm megawatt is not decided on.
	if f.Site.Utility.Is.Megawatts() != 3 || f.Site.Utility.From != figure.Contract {
		t.Errorf("utility %+v", f.Site.Utility)
	}
	if m := f.Halls[0].Fleet[0]; m.Count != 100 || m.Power.Watts() != 3500 || m.From != figure.Published || m.Fee.Is != 0.015 {
		t.Errorf("fleet %+v", m)
	}
	if b := f.Halls[1]; b.Power.Is.Watts() != 168_000 || b.Power.From != figure.Assumption { // 50 x 3250 W x 1.03, up to a whole kW
		t.Errorf("a hall without a limit: %+v", b.Power)
	}
	l := f.Leases[0]
	if l.Rate.Is.DollarsPerKWMonth() != 141.5 || l.Rate.From != figure.Contract || !strings.Contains(l.Rate.Source, "MSA-2026-014") || l.Term.Is != 120 || l.Escalator.Is != 0.03 || l.Kind != "modified" {
		t.Errorf("lease %+v", l)
	}
	p := f.Power
	if p.Adder.Is.DollarsPerMWh() != 11 || p.Demand.Is.DollarsPerKWMonth() != 1.5 || len(p.Blocks) != 1 || p.Blocks[0].Until != figure.MonthOf(2028, 1) || f.Curve[6][0] != 40 {
		t.Errorf("power %+v", p)
	}
	// 50 $/PH/day at the price that is written beside it: of 1e15 x 86400 / 2^32 hashes a block's
	// reward of 3.155 BTC.
	if hp := 1e15 * 86400 / (f.Bitcoin.Difficulty.Is * 4294967296) * 3.155 * float64(f.Bitcoin.Price.Is); hp < 49.9 || hp > 50.1 {
		t.Errorf("hashprice %v", hp)
	}
}

func TestInitFromTheRecord(t *testing.T) {
	d, site := newDesk(t), ground(t)
	settle(t, site)
	out := filepath.Join(t.TempDir(), "study.yaml")
	got, err := d.run(t, "init", out, "--site", site, "--days", "1")
	if err != nil || !strings.Contains(got, "the record of 1 day") {
		t.Fatalf("%v: %s", err, got)
	}
	f := loaded(t, out)
	m := f.Halls[0].Fleet[0]
	if m.From != figure.Measured || m.Power.Watts() != 3600 || m.Hash.TH() != 195 {
		t.Errorf("fleet %+v", m)
	}
	if f.Site.MiningPUE.From != figure.Measured || f.Site.MiningPUE.Is != 1.0306 { // 371 over 360
		t.Errorf("mining PUE %+v", f.Site.MiningPUE)
	}
	// Machines that slept throughout show nothing: their nameplate stands.
	if m := f.Halls[1].Fleet[0]; m.From != figure.Published || m.Power.Watts() != 3250 {
		t.Errorf("fleet %+v", m)
	}
	data, _ := os.ReadFile(out)
	said := strings.Join(strings.Fields(strings.ReplaceAll(string(data), "#", "")), " ")
	if !strings.Contains(said, "25 % of the time is there") || !strings.Contains(said, "drew 1 MW in the mean") {
		t.Errorf("%.1500s", said)
	}
}

func TestInitKeepsWhatIsThere(t *testing.T) {
	d := newDesk(t)
	out := filepath.Join(t.TempDir(), "study.yaml")
	if got, err := d.run(t, "init", out); err != nil || !strings.Contains(got, "an example") {
		t.Fatalf("%v: %s", err, got)
	}
	loaded(t, out)
	if _, err := d.run(t, "init", out); !errors.Is(err, errBad) {
		t.Errorf("written over: %v", err)
	}
	if _, err := d.run(t, "init", out, "--force"); err != nil {
		t.Error(err)
	}
	if _, err := d.run(t, "init", out, "--force", "--days", "0"); !errors.Is(err, errBad) {
		t.Errorf("no day at all: %v", err)
	}
}

// running answers as a controller of two halls would.
func running(t *testing.T) Ask {
	t.Helper()
	w := func(v float64) *float64 { return &v }
	times, on, hash, gap := []int64{}, []*float64{}, []*float64{}, []*float64{}
	for i := range 100 {
		times = append(times, now.Unix()+int64(i)*900)
		on, hash, gap = append(on, w(340_000+float64(i))), append(hash, w(20)), append(gap, nil)
	}
	answers := map[string]any{
		"/api/v1/site": api.SiteView{
			Name: "Live Creek", Timezone: "America/Chicago",
			Nodes:   []api.NodeInfo{{ID: "grid", LimitW: w(2e6)}, {ID: "hall", Parent: "grid", LimitW: w(0.5e6)}},
			Groups:  []api.GroupInfo{{ID: "s21", Node: "hall", Model: "S21", Devices: 100, NameplateW: 350_000}},
			Tenants: []api.TenantInfo{{ID: "acme", Name: "Acme AI", FirmW: 1e6, RateUSD: 120}},
		},
		"/api/v1/live": api.LiveView{At: now, HashpriceUSD: w(44)},
		"/api/v1/history": api.HistoryView{StepS: 900, Times: times, Series: []api.HistorySeries{
			{Key: "node_w:grid", Values: on},
			{Key: "node_w:hall", Values: gap},
			{Key: "group_w:s21", Values: on},
			{Key: "group_ph_s:s21", Values: hash},
			{Key: "price_usd_mwh", Values: []*float64{w(30), nil, w(50)}},
		}},
	}
	return func(_ context.Context, path string, q url.Values, into any) error {
		if path == "/api/v1/history" && (q.Get("from") != "2026-09-20T12:00:00Z" || q.Get("step") != "900") {
			t.Errorf("asked for %v", q)
		}
		b, err := json.Marshal(answers[path])
		if err != nil {
			return err
		}
		return json.Unmarshal(b, into)
	}
}

func TestInitFromTheRunningSite(t *testing.T) {
	d := newDesk(t)
	d.Named = func() bool { return true }
	out := filepath.Join(t.TempDir(), "study.yaml")
	if _, err := d.run(t, "init", out); !errors.Is(err, errRefused) {
		t.Fatalf("without an answer: %v", err)
	}
	d.Controller = func() (Ask, error) { return running(t), nil }
	got, err := d.run(t, "init", out)
	if err != nil || !strings.Contains(got, "the running site") {
		t.Fatalf("%v: %s", err, got)
	}
	f := loaded(t, out)
	if m := f.Halls[0].Fleet[0]; m.From != figure.Measured || m.Power.Watts() != 3401 || m.Hash.TH() != 200 {
		t.Errorf("fleet %+v", m)
	}
	if f.Site.Utility.Is.Megawatts() != 1 || f.Power.Flat.Is.DollarsPerMWh() != 40 || f.Power.Flat.From != figure.Measured || f.Leases[0].Rate.From != figure.Contract {
		t.Errorf("%+v %+v", f.Site, f.Power.Flat)
	}
	// With a site file and a controller that is away the file counts, and the reason is told.
	d.Controller = func() (Ask, error) { return nil, errRefused }
	got, err = d.run(t, "init", out, "--force", "--site", ground(t), "-o", "json")
	var told told
	if err != nil || json.Unmarshal([]byte(got), &told) != nil || len(told.Sources) != 1 || told.Assumed == 0 || !strings.Contains(d.err.String(), "connection refused") {
		t.Errorf("%v: %s %s", err, got, d.err.String())
	}
}

// A site without miners has nothing to decide on.
func TestInitOfASiteWithoutMiners(t *testing.T) {
	p := plant{now: now, limit: 1e6}
	if _, err := p.draft(); !errors.Is(err, errNoMiners) {
		t.Error(err)
	}
}

// Halls whose limits are more than the connection share what there is.
func TestHallsFitTheConnection(t *testing.T) {
	g := []group{{id: "g", model: "S21", count: 10, nameplate: 3500, hash: 200}}
	p := plant{now: now, limit: 3e6, from: "site.yaml", halls: []hall{{node: "a", limit: 4e6, groups: g}, {node: "b", limit: 2e6, groups: g}}}
	s, err := p.draft()
	if err != nil || s.Halls[0].Power.Is != "2 MW" || s.Halls[1].Power.Is != "1 MW" || len(s.Notes) != 1 {
		t.Errorf("%v %+v %v", err, s.Halls, s.Notes)
	}
}

// More machines than a hall's limit lets run are not counted on.
func TestAHallWithMoreMachinesThanItFeeds(t *testing.T) {
	p := plant{now: now, limit: 3e6, from: "site.yaml", halls: []hall{{node: "a", limit: 360_500, groups: []group{
		{id: "g", model: "S21", count: 200, nameplate: 3500, hash: 200}, {id: "odd", model: "Never Heard Of", count: 3},
	}}}}
	s, err := p.draft()
	if err != nil {
		t.Fatal(err)
	}
	// 200 x 3.5 kW x 1.03 are twice the limit.
	if h := s.Halls[0]; len(h.Fleet) != 1 || h.Fleet[0].Count != 100 || len(h.Notes) != 2 {
		t.Errorf("%+v", h)
	}
}
