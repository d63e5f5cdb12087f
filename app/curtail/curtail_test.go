package curtail

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/api"
	"switchyard/app/plant"
	"switchyard/billing/contract"
	"switchyard/billing/sla"
	"switchyard/billing/usage"
	"switchyard/clock"
	"switchyard/driver/all"
	"switchyard/journal"
	"switchyard/market/outlook"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"
)

const (
	kw = unit.Kilowatt
	mw = unit.Megawatt
)

const doc = `
site: {name: Test, timezone: America/Chicago}
connection: {limit: 10 MW, meter: {address: 127.77.9.1, profile: sunspec}}
nodes: [{id: hall-a, limit: 8 MW}, {id: ai-hall, limit: 4 MW, meter: {address: 127.77.9.2, profile: sunspec}}, {id: b-hall, limit: 2 MW, meter: {address: 127.77.9.3, profile: sunspec}}]
groups:
  - {id: s21, node: hall-a, driver: antminer, model: S21, addresses: [127.77.1.1], nameplate: 3500 W, hashrate: 200 TH/s}
tenants:
  - id: acme
    name: Acme AI
    node: ai-hall
    firm: 2 MW
    rate: 120 $/kW-month
    penalty: 5000 $/MWh
    curtail: {power: 500 kW, hours: 10h, notice: 30m, price: 200 $/MWh, call: auto}
  - {id: beta, name: Beta Labs, node: b-hall, firm: 1 MW, rate: 120 $/kW-month, penalty: 5000 $/MWh}
market: {price: {fixed: 40 $/MWh}, bitcoin: {hashprice: 50 $/PH/day}}
store: {dir: data}
`

// noon is a day in a calendar year's middle.
var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// hand is a clock that a test sets.
type hand struct {
	clock.Clock
	at time.Time
}

func (h *hand) Now() time.Time { return h.at }

type rig struct {
	*Curtail
	t        *testing.T
	dir      string
	f        *sitefile.File
	clk      *hand
	db       *store.DB
	planned  []Planned
	contract *contract.Curtail
	live     api.LiveView
	notes    []string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), clk: &hand{clock.System(), noon}}
	path := filepath.Join(r.dir, "site.yaml")
	if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.f, err = sitefile.Load(path, sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()}); err != nil {
		t.Fatal(err)
	}
	r.open()
	t.Cleanup(func() { _ = r.db.Close() })
	return r
}

func (r *rig) open() {
	r.t.Helper()
	p, err := plant.New(r.f, r.clk.Now)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.db, err = store.Open(r.t.Context(), filepath.Join(r.dir, "data")); err != nil {
		r.t.Fatal(err)
	}
	r.Curtail, err = Open(r.t.Context(), Options{
		Plant: p, DB: r.db, Clock: r.clk, Log: slog.New(slog.DiscardHandler), Every: 5 * time.Minute,
		Note:    func(e journal.Entry) { r.notes = append(r.notes, e.Text) },
		Planned: func() []Planned { return r.planned },
		Terms: func(tenant string, _ time.Time) *contract.Curtail {
			if tenant == "acme" {
				return r.contract
			}
			return nil
		},
		Live: func() api.LiveView { return r.live },
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// meter books what a tenant draws from one time to another.
func (r *rig) meter(tenant string, from, to time.Time, p unit.Power) {
	r.t.Helper()
	for at := from; at.Before(to); at = at.Add(telemetry.Length) {
		row := usage.Row{Tenant: tenant, Start: at, Critical: p.Over(telemetry.Length), Billed: p.Over(telemetry.Length), Quality: site.Measured, Wanted: p.Over(telemetry.Length)}
		if _, err := r.record.Put(r.t.Context(), []usage.Row{row}, usage.Balance{Start: at, Meter: row.Billed, Tenants: row.Billed, Quality: site.Measured}); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) call(q api.CurtailRequest) api.CurtailmentView {
	r.t.Helper()
	v, err := r.Call(r.t.Context(), "eva", q)
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

func (r *rig) events(tenant string) []usage.Event {
	r.t.Helper()
	all, err := r.record.Events(r.t.Context(), tenant, noon.Add(-24*time.Hour), noon.Add(96*time.Hour))
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// TestFollowed is a call from its telling to what the meter says of it, with a restart within, and
// what the promise and the invoice then rest on.
func TestFollowed(t *testing.T) {
	r := newRig(t)
	r.meter("acme", noon.Add(-2*time.Hour), noon, 1320*kw)
	v := r.call(api.CurtailRequest{Tenant: "acme", To: noon.Add(150 * time.Minute), Why: "The grid is short."})
	from := noon.Add(30 * time.Minute)
	if !v.From.Equal(from) || v.PowerW != 500e3 || *v.BaselineW != 1.32e6 || *v.DownToW != 0.82e6 || v.State != "called" || v.PriceUSD != 200 || v.By != "eva" {
		t.Errorf("called %+v", v)
	}
	want := "Acme AI is to draw 500 kW less from 07:30 to 09:30; that is at most 820 kW; it has not said yet that it has seen it."
	if v.Text != want {
		t.Errorf("said %q", v.Text)
	}
	if e := r.events("acme"); len(e) != 1 || e[0].Kind != usage.Curtailment || e[0].Power != 500*kw || !e[0].Announced.Equal(noon) || e[0].Consented == "" {
		t.Errorf("kept %+v", e)
	}
	if s := r.Standing("acme"); len(s) != 1 || s[0].By != "" || s[0].ID != v.ID {
		t.Errorf("the tenant sees %+v", s)
	}
	if s := r.Standing("beta"); len(s) != 0 {
		t.Errorf("another tenant sees %+v", s)
	}
	// A restart forgets nothing.
	if err := r.db.Close(); err != nil {
		t.Fatal(err)
	}
	r.open()
	r.clk.at = noon.Add(10 * time.Minute)
	if _, err := r.Acknowledge(t.Context(), "acme-ops", "beta", v.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("another tenant acknowledges: %v", err)
	}
	for range 2 { // the first time counts
		if a, err := r.Acknowledge(t.Context(), "acme-ops", "acme", v.ID); err != nil || !a.Seen.Equal(noon.Add(10*time.Minute)) || a.By != "" {
			t.Errorf("seen %+v, %v", a, err)
		}
		r.clk.at = r.clk.at.Add(time.Minute)
	}
	// Half an hour of full draw before it, then 420 kW less with one interval beyond it.
	r.meter("acme", noon, from, 1320*kw)
	r.meter("acme", from, v.To.Add(-telemetry.Length), 900*kw)
	r.clk.at = v.To.Add(2 * telemetry.Length)
	r.Tick(t.Context())
	if c := r.one(); c.State != "ended" || c.GivenW != nil {
		t.Errorf("judged before the books are there: %+v", c)
	}
	r.meter("acme", v.To.Add(-telemetry.Length), v.To, 900*kw)
	r.Tick(t.Context())
	c := r.one()
	if c.GivenW == nil || *c.GivenW != 420e3 || *c.GivenKWh != 840 || c.Text != "Acme AI was to draw 500 kW less from 07:30 to 09:30, and drew 420 kW less." {
		t.Errorf("measured %+v", c)
	}
	r.promised(v.From, v.To)
	want = "the curtailment of acme from 07:30 to 09:30 is over: it drew 420 kW less than the 1.32 MW before, of 500 kW asked for: 840.0 kWh were not drawn"
	if !slices.Contains(r.notes, want) {
		t.Errorf("journalled %q", r.notes)
	}
}

func (r *rig) one() api.CurtailmentView {
	r.t.Helper()
	v, err := r.Curtailments("acme")
	if err != nil || len(v.Calls) != 1 {
		r.t.Fatalf("%d calls, %v", len(v.Calls), err)
	}
	return v.Calls[0]
}

// promised asks the promise of the month: two hours excluded, 0.84 MWh paid for.
func (r *rig) promised(from, to time.Time) {
	r.t.Helper()
	f := sla.Assess(sla.Input{
		SLA:     contract.SLA{Availability: 0.999, Delivered: 0.95, Excluded: []string{contract.ConsentedCurtailment}},
		Curtail: &contract.Curtail{Power: 500 * kw, Hours: 10 * time.Hour, Notice: 30 * time.Minute, Price: 200 * unit.DollarPerMWh},
		From:    noon.Add(-12 * time.Hour), To: noon.Add(12 * time.Hour), Now: noon.Add(12 * time.Hour), Events: r.events("acme"),
	})
	if f.ExcludedTime() != to.Sub(from) || f.Curtailed == nil || f.Curtailed.NotDrawn != 840*unit.KilowattHour || f.Curtailed.Payment != unit.Dollars(168) {
		r.t.Errorf("excluded %v, %+v", f.ExcludedTime(), f.Curtailed)
	}
}

// What the right does not allow is refused with what would be right, and is kept by nobody; with a
// consent of its own it is called.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		edit    func(*api.CurtailRequest)
		says    string
		consent bool // a consent makes it right
	}{
		"too much":        {func(q *api.CurtailRequest) { q.PowerW = 600e3 }, "600 kW is more than the 500 kW of the right", true},
		"above contract":  {func(q *api.CurtailRequest) { q.PowerW = 3e6 }, "more than the 2 MW that are contracted", false},
		"too soon":        {func(q *api.CurtailRequest) { q.From = noon.Add(10 * time.Minute) }, "it needs 30m of notice, and could begin at 2026-07-01T12:30:00Z", true},
		"too long":        {func(q *api.CurtailRequest) { q.To = noon.Add(20 * time.Hour) }, "it lasts 19h30m, and 10h of this year's 10h are left", true},
		"over":            {func(q *api.CurtailRequest) { q.From = noon.Add(-time.Hour) }, "that is over", false},
		"backwards":       {func(q *api.CurtailRequest) { q.To = noon.Add(20 * time.Minute) }, "it must end after it begins", false},
		"far off":         {func(q *api.CurtailRequest) { q.From, q.To = noon.AddDate(0, 2, 0), noon.AddDate(0, 2, 1) }, "call it when it is nearer", false},
		"no right":        {func(q *api.CurtailRequest) { q.Tenant, q.PowerW = "beta", 1e5 }, "gives no right", true},
		"no right or sum": {func(q *api.CurtailRequest) { q.Tenant, q.Consent = "beta", "a letter" }, "say in power_w how much", false},
		"nobody":          {func(q *api.CurtailRequest) { q.Tenant = "gamma" }, "not found", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			q := api.CurtailRequest{Tenant: "acme", To: noon.Add(2 * time.Hour), Why: "The grid is short."}
			c.edit(&q)
			_, err := r.Call(t.Context(), "eva", q)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if v, _ := r.Curtailments(""); len(v.Calls) > 0 || len(r.events(q.Tenant)) > 0 {
				t.Errorf("kept all the same: %+v", v.Calls)
			}
			if q.Consent = "letter of 30 June"; c.consent {
				if v, err := r.Call(t.Context(), "eva", q); err != nil || v.Consent != q.Consent {
					t.Errorf("with consent: %+v, %v", v, err)
				}
			}
		})
	}
}

// The stricter of the contract and the site file holds; hours that were called are used, those of
// last year are not, and those withdrawn come back.
func TestTheRight(t *testing.T) {
	r := newRig(t)
	r.contract = &contract.Curtail{Power: mw, Hours: 4 * time.Hour, Notice: time.Hour, Price: 300 * unit.DollarPerMWh}
	of := func() api.RightView {
		t.Helper()
		v, err := r.Curtailments("acme")
		if err != nil || len(v.Rights) != 1 {
			t.Fatalf("%+v, %v", v, err)
		}
		return v.Rights[0]
	}
	if w := of(); w.PowerW != 500e3 || w.NoticeS != 3600 || w.TotalS != 4*3600 || w.LeftS != 4*3600 || w.PriceUSD != 300 || w.Call != "auto" {
		t.Errorf("%+v", w)
	}
	v := r.call(api.CurtailRequest{Tenant: "acme", To: noon.Add(4 * time.Hour), Why: "heat"})
	if w := of(); w.LeftS != 3600 {
		t.Errorf("%v s are left", w.LeftS)
	}
	if _, err := r.Call(t.Context(), "eva", api.CurtailRequest{Tenant: "acme", From: noon.Add(3 * time.Hour), To: noon.Add(5 * time.Hour), Why: "heat", Consent: "yes"}); err == nil || !strings.Contains(err.Error(), "withdraw "+v.ID+" first") {
		t.Errorf("told twice: %v", err)
	}
	r.clk.at = noon.Add(2 * time.Hour)
	if w, err := r.Withdraw(t.Context(), "eva", v.ID, "it rained"); err != nil || w.State != "withdrawn" {
		t.Errorf("%+v, %v", w, err)
	}
	if w := of(); w.LeftS != 3*3600 { // an hour of it ran
		t.Errorf("%v s are left after it was withdrawn", w.LeftS)
	}
	if e := r.events("acme"); len(e) != 1 || !e[0].To.Equal(r.clk.at) {
		t.Errorf("the event is %+v", e)
	}
	if _, err := r.Withdraw(t.Context(), "eva", v.ID, "again"); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("withdrawn twice: %v", err)
	}
	if _, err := r.Withdraw(t.Context(), "eva", "acme-7", "none"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("withdrew nothing: %v", err)
	}
	// One that is withdrawn before it begins never was.
	later := r.call(api.CurtailRequest{Tenant: "acme", From: noon.Add(6 * time.Hour), To: noon.Add(8 * time.Hour), Why: "heat"})
	if _, err := r.Withdraw(t.Context(), "eva", later.ID, "no heat"); err != nil {
		t.Fatal(err)
	}
	if s := r.Standing("acme"); len(s) != 0 {
		t.Errorf("the tenant still sees %+v", s)
	}
	if s := r.Of(r.clk.at, "acme", site.Some(mw)); len(s.Called) != 0 {
		t.Errorf("still planned with: %+v", s)
	}
	over := r.call(api.CurtailRequest{Tenant: "acme", From: noon.Add(5 * time.Hour), To: noon.Add(7 * time.Hour), Why: "heat after all"})
	if _, err := r.Withdraw(t.Context(), "eva", over.ID, "no"); err != nil {
		t.Fatal(err)
	}
	r.clk.at = noon.Add(9 * time.Hour)
	r.Tick(t.Context())
	if w := of(); w.LeftS != 3*3600 {
		t.Errorf("%v s are left", w.LeftS)
	}
	r.clk.at = time.Date(2027, 1, 1, 7, 0, 0, 0, time.UTC) // Chicago's new year
	if w := of(); w.LeftS != 4*3600 {
		t.Errorf("%v s are left in the new year", w.LeftS)
	}
}

// What the schedule would use is called by itself when its notice comes due, proposed to people, or
// left alone; a plan that comes too late begins later.
func TestPlanned(t *testing.T) {
	for call, want := range map[string]struct {
		proposed, called int
		due              string
	}{
		sitefile.CallAuto:  {1, 1, ""},
		sitefile.CallAsk:   {1, 0, "The schedule would have Acme AI draw 400 kW less from 09:00 to 11:00: call it by 08:30."},
		sitefile.CallNever: {0, 0, ""},
	} {
		t.Run(call, func(t *testing.T) {
			r := newRig(t)
			r.f.Tenants[0].Curtail.Call = call
			r.planned = []Planned{
				{Tenant: "acme", From: noon.Add(2 * time.Hour), To: noon.Add(4 * time.Hour), Power: 400 * kw},
				{Tenant: "acme", From: noon.Add(6 * time.Hour), To: noon.Add(7 * time.Hour), Power: 100 * kw}, // not worth asking for
			}
			look := func() api.CurtailmentsView {
				t.Helper()
				r.Tick(t.Context())
				v, err := r.Curtailments("")
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			v := look()
			if len(v.Proposed) != want.proposed || len(v.Calls) != 0 {
				t.Fatalf("two hours before: %+v", v)
			}
			if want.proposed > 0 && (!v.Proposed[0].CallBy.Equal(noon.Add(90*time.Minute)) || v.Proposed[0].ID != "") {
				t.Errorf("proposed %+v", v.Proposed[0])
			}
			r.clk.at = noon.Add(80 * time.Minute)
			v = look()
			if len(v.Calls) != want.called || len(v.Proposed) != want.proposed-want.called || r.Due(r.clk.at)["acme"] != want.due {
				t.Errorf("ten minutes before it must be told: %+v, due %q", v, r.Due(r.clk.at))
			}
			if want.called > 0 && (v.Calls[0].By != schedule || v.Calls[0].PowerW != 400e3) {
				t.Errorf("called %+v", v.Calls[0])
			}
			r.clk.at = noon.Add(100 * time.Minute) // ten minutes too late for the whole
			if v = look(); want.due != "" && (len(v.Proposed) != 1 || !v.Proposed[0].From.Equal(noon.Add(130*time.Minute))) {
				t.Errorf("too late: %+v", v.Proposed)
			}
		})
	}
}

// What the planner is told: what a tenant gives is what its meter shows once it had time to follow.
func TestOf(t *testing.T) {
	r := newRig(t)
	r.meter("acme", noon.Add(-time.Hour), noon, 1320*kw)
	v := r.call(api.CurtailRequest{Tenant: "acme", To: noon.Add(90 * time.Minute), Why: "heat"})
	calls := func(p unit.Power) []outlook.Called { return []outlook.Called{{From: v.From, To: v.To, Power: p}} }
	for name, c := range map[string]struct {
		at   time.Duration
		draw site.Opt[unit.Power]
		want Standing
	}{
		"before":       {0, site.Some(1320 * kw), Standing{Called: calls(500 * kw), Used: time.Hour}},
		"just begun":   {31 * time.Minute, site.Some(1220 * kw), Standing{calls(500 * kw), 100 * kw, time.Hour, true}},
		"followed":     {40 * time.Minute, site.Some(770 * kw), Standing{calls(500 * kw), 500 * kw, time.Hour, true}},
		"half of it":   {40 * time.Minute, site.Some(1070 * kw), Standing{calls(250 * kw), 250 * kw, time.Hour, true}},
		"not at all":   {40 * time.Minute, site.Some(1500 * kw), Standing{calls(0), 0, time.Hour, true}},
		"meter silent": {40 * time.Minute, site.Opt[unit.Power]{}, Standing{calls(0), 0, time.Hour, true}},
		"over":         {90 * time.Minute, site.Some(900 * kw), Standing{Used: time.Hour}},
	} {
		if d := cmp.Diff(c.want, r.Of(noon.Add(c.at), "acme", c.draw)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if d := cmp.Diff(Standing{}, r.Of(noon, "beta", site.Some(mw))); d != "" {
		t.Error(d)
	}
}

// A second call straight after the first is measured against the draw before both; a meter that
// says nothing leaves what was given unknown, and the call counts as called.
func TestMeasuredAgainst(t *testing.T) {
	r := newRig(t)
	w := 1.2e6
	r.live.Tenants = []api.TenantLive{{ID: "acme", PowerW: &w}}
	v := r.call(api.CurtailRequest{Tenant: "acme", To: noon.Add(time.Hour), Why: "heat"})
	if *v.BaselineW != 1.2e6 {
		t.Errorf("without books its draw now: %v", *v.BaselineW)
	}
	w = 0.7e6
	r.clk.at = noon.Add(50 * time.Minute)
	if v := r.call(api.CurtailRequest{Tenant: "acme", To: noon.Add(2 * time.Hour), Why: "heat"}); *v.BaselineW != 1.2e6 {
		t.Errorf("the second is measured against %v", *v.BaselineW)
	}
	r.clk.at = noon.Add(27 * time.Hour)
	r.Tick(t.Context())
	all, err := r.Curtailments("acme")
	if err != nil || len(all.Calls) != 2 || all.Calls[0].GivenW != nil || !strings.HasSuffix(all.Calls[0].Text, "its meter does not tell what it gave.") {
		t.Errorf("%+v, %v", all.Calls, err)
	}
	if e := r.events("acme"); len(e) != 2 || e[0].Power != 500*kw {
		t.Errorf("%+v", e)
	}
}

// A call that the disk does not take was not told.
func TestNothingIsToldThatIsNotKept(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Call(ctx, "eva", api.CurtailRequest{Tenant: "acme", To: noon.Add(2 * time.Hour), Why: "heat"}); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if s := r.Standing("acme"); len(s) != 0 || len(r.notes) != 0 {
		t.Errorf("told all the same: %+v, %q", s, r.notes)
	}
}
