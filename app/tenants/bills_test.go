package tenants

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/app/plant"
	"switchyard/billing/usage"
	"switchyard/clock"
	"switchyard/driver/all"
	"switchyard/ledger"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
)

const siteDoc = `
site: {name: Test, timezone: America/New_York}
connection: {limit: 100 MW, meter: {address: 127.77.9.1, profile: sunspec}}
nodes: [{id: ai-hall, limit: 80 MW, meter: {address: 127.77.9.2, profile: sunspec}}, {id: b-hall, limit: 2 MW, meter: {address: 127.77.9.3, profile: sunspec}}]
tenants:
  - {id: acme, name: Acme AI, node: ai-hall, firm: 60 MW, rate: 125 $/kW-month, penalty: 5000 $/MWh, contract: acme.yaml}
  - {id: beta, name: Beta Labs, node: b-hall, firm: 1 MW, rate: 120 $/kW-month, penalty: 5000 $/MWh}
market: {price: {fixed: 40 $/MWh}, bitcoin: {hashprice: 50 $/PH/day}}
store: {dir: data}
`

const head = `tenant: acme
contract: T-1
customer: {name: Acme, address: [1 Street]}
seller: {name: Site LLC, address: [2 Road]}
versions:
`

// hand is a clock that a test sets.
type hand struct {
	clock.Clock
	at time.Time
}

func (h *hand) Now() time.Time { return h.at }

// rig is a site with a contract, of which nothing runs by itself.
type rig struct {
	Bills
	t   *testing.T
	clk *hand
	log bytes.Buffer
}

func newRig(t *testing.T, now time.Time, contract string) *rig {
	t.Helper()
	r := &rig{t: t, clk: &hand{clock.System(), now}}
	dir := t.TempDir()
	for name, text := range map[string]string{"site.yaml": siteDoc, "acme.yaml": head + contract} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := sitefile.Load(filepath.Join(dir, "site.yaml"), sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()})
	if err != nil {
		t.Fatal(err)
	}
	p, err := plant.New(f, r.clk.Now)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	book, err := ledger.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	x, err := Open(t.Context(), Options{
		Plant: p, DB: db, Ledger: book, Clock: r.clk, Log: slog.New(slog.NewTextHandler(&r.log, nil)), Live: func() api.LiveView { return api.LiveView{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	x.last = now
	r.Bills = Bills{x}
	return r
}

func (r *rig) put(rows ...usage.Row) {
	r.t.Helper()
	if _, err := r.record.Put(r.t.Context(), rows, usage.Balance{}); err != nil {
		r.t.Fatal(err)
	}
}

// issued are the months that acme was billed for, in the order of their numbers.
func (r *rig) issued() []string {
	r.t.Helper()
	list, err := r.issuer.List(r.t.Context(), "acme", 100)
	if err != nil {
		r.t.Fatal(err)
	}
	out := []string{}
	for _, h := range slices.Backward(list) {
		out = append(out, h.Month)
	}
	return out
}

// issue issues what is due, twice: the second time nothing is new and nothing is told again.
func (r *rig) issue() []string {
	r.t.Helper()
	r.Issue(r.t.Context())
	told, got := r.log.Len(), r.issued()
	r.Issue(r.t.Context())
	if diff := cmp.Diff(got, r.issued()); diff != "" || r.log.Len() != told {
		r.t.Errorf("issued again: %s, told again: %s", diff, r.log.String()[told:])
	}
	return got
}

func row(tenant string, at time.Time, priced bool) usage.Row {
	v := usage.Row{Tenant: tenant, Start: at, Critical: unit.MegawattHour, Billed: unit.MegawattHour, Quality: site.Measured}
	if priced {
		v.Cost = site.Some(40 * unit.Dollar)
	}
	return v
}

func day(month, day int) time.Time {
	return time.Date(2026, time.Month(month), day, 16, 0, 0, 0, time.UTC)
}

const takeOrPay = `  - from: 2026-04-01
    kind: colocation
    colocation: {critical: 60 MW, rate: 125 $/kW-month, lease: gross}
`

const passThrough = `  - from: 2026-04-01
    kind: colocation
    colocation: {critical: 60 MW, rate: 125 $/kW-month, lease: modified, power: {losses: true}}
`

// Every month that is over is issued, in order, from the contract's first that the record covers,
// with rows of the tenant's or without.
func TestEveryMonthIsIssued(t *testing.T) {
	for name, c := range map[string]struct {
		contract string
		began    time.Time // the record of the site
		by       string    // issued by hand before
		want     []string
	}{
		"without a row of its own":           {takeOrPay, day(2, 3), "", []string{"2026-04", "2026-05", "2026-06"}},
		"no further back than the record":    {takeOrPay, day(5, 20), "", []string{"2026-05", "2026-06"}},
		"not for the day of the first steps": {takeOrPay, time.Date(2026, 6, 1, 3, 0, 0, 0, time.UTC), "", []string{"2026-06"}},
		"since the first that was issued":    {takeOrPay, day(2, 3), "2026-05", []string{"2026-05", "2026-06"}},
		"nothing owed, nothing used":         {strings.Replace(takeOrPay, "lease: gross", "lease: gross, ramp: [{from: 2026-06-01, critical: 60 MW}]", 1), day(2, 3), "", []string{"2026-06"}},
		"a gap":                              {strings.Replace(takeOrPay, "    kind", "    to: 2026-05-01\n    kind", 1) + strings.Replace(takeOrPay, "2026-04", "2026-06", 1), day(2, 3), "", []string{"2026-04", "2026-06"}},
		"at most two years":                  {strings.Replace(takeOrPay, "2026-04", "2020-01", 1), day(6, 20).AddDate(-2, 0, 0), "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, day(7, 2), c.contract)
			r.put(row("beta", c.began, true))
			if c.by != "" {
				if _, _, err := r.issuer.Issue(t.Context(), r.months, "acme", c.by, r.clk.at); err != nil {
					t.Fatal(err)
				}
			}
			got := r.issue()
			if c.want == nil {
				if len(got) != 24 || got[0] != "2024-07" || got[23] != "2026-06" {
					t.Errorf("%q", got)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s\n%s", diff, r.log.String())
			}
		})
	}
}

// A month that waits is issued when it no longer has to, however long that takes; the first one goes
// first, and after it none holds up another.
func TestAMonthThatWaits(t *testing.T) {
	for name, c := range map[string]struct {
		waits         time.Time
		before, after []string
	}{
		"the first": {day(4, 10), []string{}, []string{"2026-04", "2026-05", "2026-06", "2026-07"}},
		"a later":   {day(5, 10), []string{"2026-04", "2026-06"}, []string{"2026-04", "2026-06", "2026-05", "2026-07"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, day(7, 2), passThrough)
			r.put(row("beta", day(2, 3), true), row("acme", c.waits, false))
			if diff := cmp.Diff(c.before, r.issue()); diff != "" {
				t.Error(diff)
			}
			if n := strings.Count(r.log.String(), "waits"); n != 1 || !strings.Contains(r.log.String(), c.waits.Format("2006-01")) {
				t.Errorf("told %d times: %s", n, r.log.String())
			}
			r.clk.at = day(8, 3) // more than a month later
			r.last = r.clk.at
			x := row("acme", c.waits, true)
			x.Revision = 1
			r.put(x)
			if diff := cmp.Diff(c.after, r.issue()); diff != "" {
				t.Errorf("%s\n%s", diff, r.log.String())
			}
		})
	}
}

// What the page says of the promise is what the draft of the invoice says: by the contract's zone,
// with all that is owed, under each of the month's terms.
func TestThePageSaysWhatTheInvoiceSays(t *testing.T) {
	const promise = `    sla: {availability: %s, credits: [{below: %[1]s, credit: %s}], maintenance_notice: 168h}
`
	space := func(from, zone, rate, availability, credit string) string {
		return "  - from: " + from + "\n    kind: colocation\n    colocation: {critical: 60 MW, rate: " + rate + " $/kW-month, lease: gross}\n" + fmt.Sprintf(promise, availability, credit)
	}
	zone := "timezone: Asia/Tokyo\n"
	for name, c := range map[string]struct {
		contract string
		credit   float64
	}{
		// Each lost 2 of 744 hours within July of the zone: 99.73 %.
		"the site's zone": {space("2026-04-01", "", "125", "99.9 %", "5 %"), 375_000},
		"the contract's":  {zone, 375_000},
		"another from mid-month": {
			space("2026-04-01", "", "125", "99.9 %", "5 %") + space("2026-07-11", "", "100", "99.99 %", "10 %"),
			// 60 MW x 125 $/kW x 10/31 x 5 % = 120,967.74; 60 MW x 100 $/kW x 21/31 x 10 % = 406,451.61
			527_419.35,
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := c.contract
			if text == zone {
				text = space("2026-04-01", "", "125", "99.9 %", "5 %")
			}
			r := newRig(t, day(7, 30), text)
			if c.contract == zone {
				r.contracts["acme"].Timezone = "Asia/Tokyo"
				k, err := r.months.Contract("acme")
				if err != nil {
					t.Fatal(err)
				}
				k.Timezone = "Asia/Tokyo"
			}
			begin := time.Date(2026, 6, 30, 15, 0, 0, 0, time.UTC) // July of Tokyo, the earliest
			var rows []usage.Row
			for at := begin; at.Before(r.clk.at); at = at.Add(telemetry.Length) {
				v := row("acme", at, true)
				v.Wanted = 5 * unit.MegawattHour
				d := at.Day()
				if at.Month() == time.June { // lost in Tokyo's July alone
					v.Down = telemetry.Length / 9
				}
				if h := at.Hour(); (d == 5 || d == 20) && h == 12 {
					v.Down, v.Short = telemetry.Length, v.Wanted
				}
				rows = append(rows, v)
			}
			r.put(rows...)
			r.look(t.Context())
			got := r.promise("acme")
			draft, err := r.issuer.Draft(t.Context(), r.months, "acme", r.month("acme"), r.clk.at)
			if err != nil || got == nil || draft.Service == nil {
				t.Fatal(got, err)
			}
			s := draft.Service
			if d := got.CreditUSD - s.Credit.Dollars(); d > 1e-6 || d < -1e-6 || got.Promised != float64(s.Promised) || *got.Reached != float64(s.Reached) || got.DownS+got.ReducedS != s.Lost.Seconds() {
				t.Errorf("the page says %+v\nthe draft %+v", got, s)
			}
			if d := got.CreditUSD - c.credit; d > 0.01 || d < -0.01 {
				t.Errorf("a credit of %.2f, want %.2f", got.CreditUSD, c.credit)
			}
		})
	}
}

// For GPU time nobody measures availability: log, page and invoice say so, and none says 100 %.
func TestAPromiseOfGPUTimeIsNotMeasured(t *testing.T) {
	r := newRig(t, day(7, 30), `  - from: 2026-04-01
    kind: gpu-cloud
    gpu_cloud: {reserved: [{model: H100, gpus: 16, rate: 2.10 $}]}
    sla: {availability: 99.9 %, credits: [{below: 99.9 %, credit: 5 %}], maintenance_notice: 168h}
`)
	if !strings.Contains(r.log.String(), "availability") || !strings.Contains(r.log.String(), "tenant=acme") {
		t.Errorf("logged %q", r.log.String())
	}
	r.put(row("acme", day(7, 3), true))
	r.look(t.Context())
	if v := r.promise("acme"); v == nil || v.Reached != nil || v.CreditUSD != 0 || !strings.Contains(v.Text, "not measured") {
		t.Errorf("the page says %+v", v)
	}
	inv, err := r.issuer.Draft(t.Context(), r.months, "acme", "2026-07", r.clk.at)
	if err != nil {
		t.Fatal(err)
	}
	if inv.Service != nil || !slices.ContainsFunc(inv.Notes, func(s string) bool { return strings.Contains(s, "not measured") }) {
		t.Errorf("the draft says %+v, %q", inv.Service, inv.Notes)
	}
}
