package tenants

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/app/plant"
	"switchyard/billing/contract"
	"switchyard/billing/invoice"
	"switchyard/billing/invoice/source"
	"switchyard/billing/usage"
	"switchyard/clock"
	"switchyard/ledger"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"
)

const ended = `tenant: acme
contract: MSA-1
timezone: UTC
customer: {name: Acme}
seller: {name: North Creek, pay: [Bank]}
versions:
  - from: 2026-01-01
    to: 2026-11-01
    kind: colocation
    colocation: {critical: 1 MW, rate: 100 $/kW-month, lease: modified, power: {losses: true}}
`

// still is a clock that stands.
type still struct {
	clock.Clock
	at time.Time
}

func (c *still) Now() time.Time { return c.at }

// A lease ends with October. November has no invoice; what comes late of October after that is on a
// closing invoice of December, which issues itself, once.
func TestAClosingInvoiceIssuesItself(t *testing.T) {
	ctx, dir, now := t.Context(), t.TempDir(), &still{Clock: clock.System()}
	if err := os.WriteFile(filepath.Join(dir, "acme.yaml"), []byte(ended), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	f := &sitefile.File{}
	f.Tenants = []sitefile.Tenant{{ID: "acme", Contract: filepath.Join(dir, "acme.yaml")}}
	var log bytes.Buffer
	x := &Tenants{
		opt:       Options{Plant: &plant.Plant{File: f, Zone: time.UTC}, Clock: now, Log: slog.New(slog.NewTextHandler(&log, nil))},
		contracts: map[string]*contract.Contract{}, told: map[string]string{},
	}
	if err := x.load("acme", filepath.Join(dir, "acme.yaml")); err != nil {
		t.Fatal(err)
	}
	if x.record, err = usage.Open(ctx, db); err != nil {
		t.Fatal(err)
	}
	book, err := ledger.Open(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	if x.issuer, err = invoice.Open(ctx, db, book); err != nil {
		t.Fatal(err)
	}
	if x.months, err = source.New(db, f, now.Now, nil); err != nil {
		t.Fatal(err)
	}
	row := usage.Row{
		Tenant: "acme", Start: time.Date(2026, 10, 5, 0, 0, 0, 0, time.UTC), Critical: unit.KilowattHour, Billed: unit.KilowattHour, Wanted: unit.KilowattHour,
		Cost: site.Some(unit.Dollar),
	}
	put := func() {
		t.Helper()
		b := usage.Balance{Start: row.Start, Meter: row.Billed, Tenants: row.Billed, TenantLoad: row.Billed}
		if n, err := x.record.Put(ctx, []usage.Row{row}, b); err != nil || n == 0 {
			t.Fatal(n, err)
		}
	}
	issued := func(on time.Time) (out []string) {
		t.Helper()
		now.at, x.last = on, on.AddDate(0, 0, -1).Add(-telemetry.Length)
		x.Issue(ctx)
		list, err := x.issuer.List(ctx, "acme", 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range list {
			out = append(out, h.Number+" "+h.Month+" "+h.Total.String())
		}
		return out
	}
	put()
	first := "2026-000001 2026-10 $100,001.00"
	for range 2 {
		for _, on := range []time.Time{time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC)} {
			if got := strings.Join(issued(on), "; "); got != first {
				t.Errorf("on %s: %s", on, got)
			}
		}
	}
	row.Cost.V += 7 * unit.Dollar
	put()
	for range 2 {
		if got := issued(time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)); len(got) != 2 || got[0] != "2027-000001 2026-12 $7.00" {
			t.Error(got)
		}
	}
	if got := issued(time.Date(2027, 2, 2, 0, 0, 0, 0, time.UTC)); len(got) != 2 {
		t.Error(got)
	}
	if strings.Contains(log.String(), "WARN") {
		t.Error(log.String())
	}
}
