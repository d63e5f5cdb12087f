package invoicecmd

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"
)

const contractText = `
tenant: acme
contract: MSA-1
customer: {name: Acme AI Inc., address: [200 Example Street], email: a@acme.example}
seller: {name: North Creek Compute LLC, address: ["Sweetwater, TX 79556"], email: b@nc.example, pay: [Example Bank]}
versions:
  - from: 2026-01-01
    kind: colocation
    colocation:
      critical: 1 MW
      gross: 1.3 MW
      rate: 120 $/kW-month
      lease: modified
      power: {losses: true, demand_share: true}
    sla:
      availability: 99.9 %
      credits: [{below: 99.9 %, credit: 5 %}]
`

type kind struct {
	v       *string
	allowed []string
}

func (k kind) String() string     { return "" }
func (k kind) Type() string       { return "word" }
func (k kind) Set(s string) error { *k.v = s; return nil }

// bench is a site with a store of one month, and the command over it.
type bench struct {
	dir, site string
	file      *sitefile.File
	now       time.Time
	out, err  bytes.Buffer
}

func benchOf(t *testing.T, missing int) *bench {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "acme.yaml"), []byte(contractText), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &sitefile.File{Store: sitefile.Store{Dir: "data"}}
	f.Tenants = []sitefile.Tenant{{ID: "acme", Contract: filepath.Join(dir, "acme.yaml")}, {ID: "old"}}
	f.Market.Charges.Demand = []sitefile.DemandCharge{{Name: "summer demand", Rate: unit.DollarsPerKWMonth(10), Interval: 15 * time.Minute}}
	f.Store.Dir = filepath.Join(dir, "data")
	b := &bench{dir: f.Store.Dir, site: filepath.Join(dir, "site.yaml"), file: f, now: time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)}
	db, err := store.Open(t.Context(), b.dir)
	if err != nil {
		t.Fatal(err)
	}
	record, err := usage.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	if err := db.Tx(t.Context(), func(tx *store.Tx) error {
		for i := range 31 * 288 {
			at := start.Add(time.Duration(i) * telemetry.Length)
			e := 100 * unit.KilowattHour
			if i >= 300 && i < 303 {
				e = 120 * unit.KilowattHour // the month's peak: 1.44 MW of a site of twice that
			}
			row := usage.Row{
				Tenant: "acme", Start: at, Critical: 80 * unit.KilowattHour, Losses: e - 80*unit.KilowattHour, Billed: e, Wanted: 80 * unit.KilowattHour,
				Cost: site.Opt[unit.Money]{V: 4 * unit.Dollar, OK: i >= missing},
			}
			if _, err := usage.PutIn(tx, []usage.Row{row}, usage.Balance{Start: at, Meter: 2 * e, Tenants: e, Mining: e}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	_, _ = record.PutEvents(t.Context(), nil)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) run(t *testing.T, args ...string) error {
	t.Helper()
	b.out.Reset()
	b.err.Reset()
	cmd := Command(Console{
		Out: &b.out, Err: &b.err, JSON: func() bool { return false },
		Load:     func(string) (*sitefile.File, error) { return b.file, nil },
		Now:      func(context.Context, *store.DB, *sitefile.File) time.Time { return b.now },
		Choice:   func(v *string, allowed ...string) pflag.Value { return kind{v, allowed} },
		BadInput: fmt.Errorf, NotFound: fmt.Errorf,
	})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append(args, "--site", b.site))
	return cmd.ExecuteContext(t.Context())
}

// The month: rent 120,000; energy 8,928 x 4 $ = 35,712; demand 1.44 MW x 10 $ = 14,400.
func TestDraftIssueAndList(t *testing.T) {
	b := benchOf(t, 0)
	month := []string{"--tenant", "acme", "--month", "2026-10"}
	if err := b.run(t, append(month, "-o", "json")...); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Number string
		Draft  bool
		Total  json.Number `json:"total_usd"`
		Lines  []struct {
			Kind   string
			Amount json.Number `json:"amount_usd"`
		}
	}
	read := func() {
		t.Helper()
		doc.Number, doc.Draft = "", false
		if err := json.Unmarshal(b.out.Bytes(), &doc); err != nil {
			t.Fatal(err, b.out.String())
		}
	}
	read()
	if !doc.Draft || doc.Number != "" || doc.Total != "170112.00" || len(doc.Lines) != 3 || doc.Lines[2].Kind != "demand-charge" || doc.Lines[2].Amount != "14400.00" {
		t.Errorf("%+v", doc)
	}
	if !strings.Contains(b.err.String(), "this is a draft") {
		t.Error(b.err.String())
	}
	for range 2 {
		if err := b.run(t, append(month, "--issue", "-o", "json")...); err != nil {
			t.Fatal(err)
		}
		if read(); doc.Number != "2026-000001" || doc.Draft {
			t.Errorf("%+v", doc)
		}
	}
	if !strings.Contains(b.err.String(), "2026-000001 was issued before") {
		t.Error(b.err.String())
	}
	if err := b.run(t, "list"); err != nil || !strings.Contains(b.out.String(), "2026-000001  acme    2026-10  2026-11-03  $170,112.00") {
		t.Error(b.out.String(), err)
	}
	path := filepath.Join(t.TempDir(), "x.pdf")
	if err := b.run(t, "show", "2026-000001", "-o", "pdf", "--out", path); err != nil {
		t.Fatal(err)
	}
	if pdf, err := os.ReadFile(filepath.Clean(path)); err != nil || !bytes.HasPrefix(pdf, []byte("%PDF")) {
		t.Error(err)
	}
	if err := b.run(t, append(month, "-o", "csv")...); err != nil {
		t.Fatal(err)
	}
	if records, err := csv.NewReader(&b.out).ReadAll(); err != nil || len(records) != 4 || records[1][0] != "2026-000001" {
		t.Error(records, err)
	}
	if err := b.run(t, month...); err != nil || !strings.Contains(b.out.String(), "Total $170,112.00") {
		t.Error(b.out.String(), err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	b := benchOf(t, 7)
	for want, args := range map[string][]string{
		"7 intervals of 2026-10 wait for a price":      {"--tenant", "acme", "--month", "2026-10", "--issue"},
		"the month is not over":                        {"--tenant", "acme", "--month", "2026-11", "--issue"},
		"it holds from 2026-01-01":                     {"--tenant", "acme", "--month", "2025-10"},
		`there is no tenant "nobody" in the site file`: {"--tenant", "nobody", "--month", "2026-10"},
		`tenant "old" has no contract file`:            {"--tenant", "old", "--month", "2026-10"},
		`these have one: acme`:                         {"--tenant", "old", "--month", "2026-10"},
		`"October" is not a month`:                     {"--tenant", "acme", "--month", "October"},
		"--tenant and --month are needed":              {"--tenant", "acme"},
		"there is no such invoice":                     {"show", "2026-000009"},
	} {
		if err := b.run(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", args, err)
		}
	}
	db, err := store.Open(t.Context(), b.dir) // as a controller holds it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := b.run(t, "--tenant", "acme", "--month", "2026-10", "--issue"); err == nil || !strings.Contains(err.Error(), "a controller runs on this store") {
		t.Error(err)
	}
	if err := b.run(t, "--tenant", "acme", "--month", "2026-10", "--draft"); err != nil || !strings.Contains(b.out.String(), "7 intervals wait for a price") {
		t.Error(b.out.String(), err)
	}
}
