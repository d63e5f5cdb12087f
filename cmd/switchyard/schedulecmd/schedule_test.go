package schedulecmd

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"switchyard/sitefile"
	"switchyard/unit"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", name, diff)
	}
}

type word struct {
	value   *string
	allowed []string
}

func (w word) String() string { return "" }
func (w word) Type() string   { return "word" }
func (w word) Set(s string) error {
	if !strings.Contains(strings.Join(w.allowed, " "), s) {
		return fmt.Errorf("choose %s", strings.Join(w.allowed, " or "))
	}
	*w.value = s
	return nil
}

type quiet struct{}

func (quiet) Tell(string, ...any) {}
func (quiet) Done()               {}

var errInput, errMissing = errors.New("bad input"), errors.New("not found")

// run carries out the command on a site file.
func run(t testing.TB, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := Command(Console{
		Out: &out, Err: io.Discard,
		Load: func(path string) (*sitefile.File, error) { return sitefile.Load(path, sitefile.Known{}) },
		Now:  func(*sitefile.File) time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) },
		When: func(s string, _ time.Time, zone *time.Location) (time.Time, error) {
			return time.ParseInLocation("2006-01-02 15:04", s, zone)
		},
		Powers: func(values []string, _ string) (map[string]unit.Power, error) {
			m := map[string]unit.Power{}
			for _, v := range values {
				name, text, _ := strings.Cut(v, "=")
				p, err := unit.ParsePower(text)
				if err != nil {
					return nil, err
				}
				m[name] = p
			}
			return m, nil
		},
		Choice:   func(v *string, allowed ...string) pflag.Value { return word{v, allowed} },
		BadInput: func(format string, args ...any) error { return errors.Join(errInput, fmt.Errorf(format, args...)) },
		NotFound: func(format string, args ...any) error { return errors.Join(errMissing, fmt.Errorf(format, args...)) },
		Progress: func() Progress { return quiet{} },
	})
	cmd.SetArgs(args)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.Execute()
	return out.String(), err
}

// prices is a day of hourly prices that repeats: nights cheap, evenings dear.
func prices(days int) string {
	var b strings.Builder
	b.WriteString("interval_start,rt_price\n")
	begin := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for i := range days * 24 {
		v := 30.0
		switch i % 24 {
		case 0, 1, 23: // 18 to 21 h in Chicago
			v = 160
		case 7, 8, 9:
			v = 12
		}
		fmt.Fprintf(&b, "%s,%v\n", begin.Add(time.Duration(i)*time.Hour).Format(time.RFC3339), v)
	}
	return b.String()
}

const siteText = `
site: {name: Test Creek, timezone: America/Chicago}
connection: {limit: 1 MW, loss: 1 %, meter: {address: 10.0.0.2, profile: generic}}
nodes:
  - {id: hall-a, limit: 300 kW}
  - {id: ai-hall, limit: 500 kW, meter: {address: 10.0.0.3, profile: sunspec}}
groups:
  - {id: s21, node: hall-a, driver: antminer, addresses: [10.0.1.1-10.0.1.80], nameplate: 3500 W, hashrate: 200 TH/s, standby: 30 W, pool_fee: 1 %, ramp: 5m, restart_cost: 0.02 $, min_rest: 15m, min_run: 15m}
tenants:
  - {id: acme, node: ai-hall, firm: 400 kW, rate: 120 $/kW-month, penalty: 5000 $/MWh}
work:
  - {id: train, node: connection, energy: 1 MWh, power: 200 kW, by: 2026-07-02T12:00:00Z, value: 90 $/MWh, late: 300 $/MWh}
market:
  price: {csv: prices.csv, adder: 5 $/MWh}
  bitcoin: {hashprice: 50 $/PH/day}
`

func siteIn(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string]string{"site.yaml": text, "prices.csv": prices(40)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "site.yaml")
}

func planned(t testing.TB, args ...string) answer {
	t.Helper()
	out, err := run(t, append(args, "-o", "json")...)
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal([]byte(out), &a); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return a
}

// The dear evening is rested through, everything else is mined, and the work is done in time.
func TestScheduleFollowsThePrices(t *testing.T) {
	path := siteIn(t, siteText)
	a := planned(t, path)
	if a.Method == "" || a.Gap == nil || *a.Gap > 1e-3 || a.ProfitUSD == nil || *a.ProfitUSD <= 0 || a.Site != "Test Creek" {
		t.Fatalf("plan %+v", a)
	}
	zone, err := time.LoadLocation(a.Timezone)
	if err != nil {
		t.Fatal(err)
	}
	power := map[string][]*float64{}
	for _, l := range a.Loads {
		power[l.Load] = l.PowerW
	}
	trained := 0.0
	for i, s := range a.Steps {
		h := s.Start.In(zone).Hour()
		evening := h >= 18 && h < 21
		w := *power["s21"][i]
		if evening && w > 80*30+1 || !evening && h != 17 && h != 21 && w < 200_000 {
			t.Errorf("%s at %v $/MWh: miners draw %v W", s.Start.In(zone), *s.PriceUSD, w)
		}
		if *power["acme"][i] != 400_000 {
			t.Errorf("%s: the tenant gets %v W", s.Start, *power["acme"][i])
		}
		if s.CapW == nil || *s.SiteW > *s.CapW+1 || *s.CapW != 990_000 {
			t.Errorf("%s: site %v of %v", s.Start, *s.SiteW, s.CapW)
		}
		trained += *power["train"][i] * s.LengthS / 3600 / 1e6
	}
	if math.Abs(trained-1) > 1e-3 {
		t.Errorf("%v MWh of work are done", trained)
	}
	asleep := planned(t, path, "--running", "none")
	if *asleep.ProfitUSD >= *a.ProfitUSD {
		t.Errorf("waking everything first earns %v, more than %v", *asleep.ProfitUSD, *a.ProfitUSD)
	}
	tight := planned(t, path, "--limit", "hall-a=100 kW", "--tenant-draw", "acme=200 kW")
	for _, l := range tight.Loads {
		if l.Load == "s21" && *l.PowerW[20] > 100_000 || l.Load == "acme" && *l.PowerW[0] != 200_000 {
			t.Errorf("%s draws %v", l.Load, *l.PowerW[20])
		}
	}
}

// What is not yet known is not looked up: a plan is the same whatever the file says later.
func TestScheduleKnowsNothingOfTheFuture(t *testing.T) {
	path := siteIn(t, siteText)
	before := planned(t, path, "--at", "2026-06-20 10:30")
	all := prices(40)
	cut := strings.Index(all, "2026-06-20T16:00") // the hour after the one that runs, in UTC
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "prices.csv"), []byte(all[:cut]), 0o600); err != nil {
		t.Fatal(err)
	}
	after := planned(t, path, "--at", "2026-06-20 10:30")
	if diff := cmp.Diff(before.Steps, after.Steps); diff != "" {
		t.Errorf("the future changes the plan (-with +without):\n%s", diff)
	}
}

func TestScheduleIsPrinted(t *testing.T) {
	data, err := os.ReadFile("testdata/plan.json")
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(data, &a); err != nil {
		t.Fatal(err)
	}
	if a.zone, err = time.LoadLocation(a.Timezone); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"text", "html"} {
		var out bytes.Buffer
		if err := write(&out, &a, format); err != nil {
			t.Fatal(err)
		}
		golden(t, "plan."+format, out.String())
	}
}

func TestScheduleIsDrawn(t *testing.T) {
	path := siteIn(t, siteText)
	file := filepath.Join(t.TempDir(), "plan.html")
	if out, err := run(t, path, "-o", "html", "--out", file); err != nil || out != "" {
		t.Fatalf("%v, printed %q", err, out)
	}
	html, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file + ".part"); err == nil {
		t.Error("the part file is left")
	}
	for _, want := range []string{"<svg", "Test Creek: the hours ahead", "S21", "acme", "train", "gap 0."} {
		if !strings.Contains(strings.ToLower(string(html)), strings.ToLower(want)) {
			t.Errorf("the page does not hold %q", want)
		}
	}
	for _, never := range []string{"NaN", "Inf", "http://", "https://", "<script", "src="} {
		if strings.Contains(string(html), never) {
			t.Errorf("the page holds %q", never)
		}
	}
	a, b := bytes.Index(html, []byte("<svg")), bytes.Index(html, []byte("</svg>"))
	if err := xml.Unmarshal(html[a:b+6], new(struct{})); err != nil {
		t.Errorf("the drawing is not well formed: %v", err)
	}
}

func TestScheduleWithLittleKnown(t *testing.T) {
	path := siteIn(t, siteText)
	// Power for nothing is no careful guess: without a price there is no plan.
	if out, err := run(t, path, "--at", "2020-01-01 10:00"); err == nil || out != "" || !strings.Contains(err.Error(), "no price is known at 2020-01-01 10:00") || !strings.Contains(err.Error(), "prices.csv covers 2026-06-01") {
		t.Errorf("%v, printed %q", err, out)
	}
	out, err := run(t, path, "--at", "2026-07-12 10:00") // a day after the last price: what was learned goes on
	if err != nil || !strings.Contains(out, "Note: price: prices.csv covers 2026-06-01") {
		t.Errorf("%v, printed %q", err, out)
	}
	nothing := strings.Replace(siteText, "groups:", "x:", 1)
	if _, err := run(t, siteIn(t, nothing)); err == nil {
		t.Error("a file with a fault was planned")
	}
	bare := "site: {name: Bare}\nconnection: {limit: 1 MW, meter: {address: 10.0.0.2, profile: generic}}\nmarket: {price: {fixed: 40 $/MWh}}\n"
	for _, format := range []string{"text", "json", "html"} {
		if out, err := run(t, siteIn(t, bare), "-o", format); err != nil || out == "" {
			t.Errorf("a site without loads, %s: %v", format, err)
		}
	}
}

func TestScheduleRefuses(t *testing.T) {
	path := siteIn(t, siteText)
	for _, c := range []struct {
		args []string
		is   error
		says string
	}{
		{[]string{"--tenant-draw", "nobody=1 MW"}, errMissing, `no tenant "nobody"`},
		{[]string{"--limit", "hall-x=1 MW"}, errMissing, `no node "hall-x"`},
		{[]string{"--hashprice", "-3"}, errInput, "is no hashprice"},
		{[]string{"--hashprice", "dear"}, errInput, "is no hashprice"},
		{[]string{"--peak", "nothing=1 MW"}, errMissing, `no demand charge "nothing"`},
		{[]string{"--at", "someday"}, nil, "someday"},
		{[]string{"--running", "half"}, nil, "choose all or none"},
		{[]string{"--out", "/nowhere/plan.txt"}, nil, "write the plan"},
	} {
		out, err := run(t, append([]string{path}, c.args...)...)
		if err == nil || out != "" || !strings.Contains(err.Error(), c.says) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%v: %v, printed %q", c.args, err, out)
		}
	}
}

// everything is a site with all that a plan may hold.
const everything = siteText + `
  charges:
    demand: [{name: all, rate: 3 $/kW-month}]
  blocks:
    - {power: 300 kW, price: 30 $/MWh, from: 2026-01-01T06:00:00Z, sell_fee: 1 $/MWh}
reserves:
  - {name: ecrs, response: 10m, duration: 1h, fixed: 20 $/MWh, most: 100 kW}
limits:
  - {node: connection, power: 600 kW, daily: {from: "14:00", to: "16:00"}}
`

func TestEverythingTogether(t *testing.T) {
	a := planned(t, siteIn(t, everything))
	if *update {
		out, err := run(t, siteIn(t, everything), "-o", "json", "--out", "testdata/plan.json")
		if err != nil || out != "" {
			t.Fatal(err, out)
		}
	}
	if a.Method != "milp" || *a.Gap > 0.01 {
		t.Errorf("planned by %s, gap %v, notes %q", a.Method, *a.Gap, a.Notes)
	}
	held := 0.0
	for i, s := range a.Steps {
		if s.BlockW != 300_000 {
			t.Errorf("%s: bought %v W", s.Start, s.BlockW)
		}
		held += *a.Reserves[0].HeldW[i]
	}
	if len(a.Reserves) != 1 || held == 0 {
		t.Errorf("reserves %+v", a.Reserves)
	}
}

// Where an hour comes twice the steps say which.
func TestTheRepeatedHour(t *testing.T) {
	text := strings.Replace(siteText, "{csv: prices.csv, adder: 5 $/MWh}", "{fixed: 40 $/MWh}", 1)
	// A limit that begins within the second of the two hours parts it from the first.
	text += "limits: [{node: hall-a, power: 100 kW, from: 2026-11-01T07:00:00Z, to: 2026-11-01T08:00:00Z}]\n"
	out, err := run(t, siteIn(t, text), "--at", "2026-11-01 01:00")
	if err != nil || !strings.Contains(out, "\nSun 01:00 CDT ") || !strings.Contains(out, "\nSun 01:00 CST ") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = run(t, siteIn(t, text), "--at", "2026-11-03 01:00"); err != nil || strings.Contains(out, "CST") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A peak that is set already costs nothing more, and a plan that is not told of it says so.
func TestThePeakSoFar(t *testing.T) {
	path := siteIn(t, everything)
	without := planned(t, path)
	if !slices.ContainsFunc(without.Notes, func(n string) bool { return strings.Contains(n, "--peak all=") }) {
		t.Errorf("notes %q", without.Notes)
	}
	with := planned(t, path, "--peak", "all=900 kW")
	if *with.ProfitUSD <= *without.ProfitUSD || slices.ContainsFunc(with.Notes, func(n string) bool { return strings.Contains(n, "--peak") }) {
		t.Errorf("with a peak of 900 kW %v, without %v; notes %q", *with.ProfitUSD, *without.ProfitUSD, with.Notes)
	}
}

// Many groups share a column, and each still has its line.
func TestManyGroups(t *testing.T) {
	var groups strings.Builder
	for i := range 8 {
		fmt.Fprintf(&groups, "  - {id: g%d, node: hall-a, driver: antminer, addresses: [10.1.%d.1-10.1.%d.9], nameplate: 3500 W, hashrate: %d TH/s}\n", i, i, i, 100+20*i)
	}
	text := strings.Replace(siteText, "tenants:", groups.String()+"tenants:", 1)
	out, err := run(t, siteIn(t, text))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "9 groups") || !strings.Contains(out, "\ng7  ") {
		t.Errorf("printed:\n%s", out)
	}
}
