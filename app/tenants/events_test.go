package tenants

import (
	"testing"
	"time"

	"switchyard/api"
	"switchyard/billing/contract"
	"switchyard/billing/sla"
	"switchyard/billing/usage"
	"switchyard/telemetry"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
)

const mw = unit.Megawatt

// A feeder that lacks power is an outage if it has none, and else a brown-out; while the tenant is
// curtailed with its consent, only what is lacking beyond that.
func TestWhatAHostedTenantLacks(t *testing.T) {
	at := func(p unit.Power) *float64 { w := p.Watts(); return &w }
	told := noon.Add(-time.Hour)
	called := func(p unit.Power, state string) []api.CurtailmentView {
		return []api.CurtailmentView{{State: state, From: noon, To: noon.Add(4 * time.Hour), Told: &told, PowerW: p.Watts(), BaselineW: at(60 * mw)}}
	}
	for name, c := range map[string]struct {
		draw   *float64 // nil: its meter is silent
		shed   unit.Power
		calls  []api.CurtailmentView
		agreed unit.Power // by an announcement
		since  time.Time  // of an outage that is open already
		kind   usage.EventKind
		power  unit.Power
	}{
		"nothing":                            {draw: at(60 * mw)},
		"a dead feeder":                      {draw: at(0), shed: 60 * mw, kind: usage.Outage, power: 60 * mw},
		"a dead feeder, a little shed":       {draw: at(mw), shed: 5 * mw, kind: usage.Outage, power: 5 * mw},
		"silent, 1 of 60 MW shed":            {shed: mw, kind: usage.Brownout, power: mw},
		"silent, all shed":                   {shed: 60 * mw, kind: usage.Outage, power: 60 * mw},
		"silent, nearly all shed":            {shed: 58 * mw, kind: usage.Outage, power: 58 * mw},
		"all taken back":                     {draw: at(0), shed: 60 * mw, calls: called(60*mw, "running")},
		"all taken back, it wanted more":     {draw: at(0), shed: 61 * mw, calls: called(60*mw, "running")},
		"all taken back, yet to begin":       {draw: at(0), shed: 60 * mw, calls: called(60*mw, "called"), kind: usage.Outage, power: 60 * mw},
		"all taken back, silent":             {shed: 60 * mw, calls: called(60*mw, "running")},
		"a part taken back, a dead feeder":   {draw: at(0), shed: 60 * mw, calls: called(10*mw, "running"), kind: usage.Outage, power: 50 * mw},
		"a part taken back, dead, less shed": {draw: at(0), shed: 12 * mw, calls: called(10*mw, "running"), kind: usage.Outage, power: 2 * mw},
		"a part taken back, silent":          {shed: 10 * mw, calls: called(10*mw, "running")},
		"a part taken back, silent, more":    {shed: 12 * mw, calls: called(10*mw, "running"), kind: usage.Brownout, power: 2 * mw},
		"all agreed to by letter":            {draw: at(0), shed: 60 * mw, agreed: 60 * mw},
		"a part agreed to, a dead feeder":    {draw: at(0), shed: 60 * mw, agreed: 10 * mw, kind: usage.Outage, power: 50 * mw},
		"dead before it was told":            {draw: at(0), shed: 60 * mw, calls: called(60*mw, "running"), since: told.Add(-time.Hour), kind: usage.Outage, power: 60 * mw},
		"drew less before it began":          {draw: at(0), shed: 60 * mw, calls: called(60*mw, "running"), since: told.Add(time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			w := watched(t, api.LiveView{Tenants: []api.TenantLive{{ID: "ai", PowerW: c.draw, ShedW: c.shed.Watts(), FirmW: (60 * mw).Watts()}}})
			w.opt.Curtailed = func(string) []api.CurtailmentView { return c.calls }
			if c.agreed > 0 {
				e := usage.Event{Tenant: "ai", Kind: usage.Curtailment, From: noon.Add(-time.Minute), To: noon.Add(time.Hour), Power: c.agreed, Consented: "letter", Ref: "by eva"}
				if _, err := w.record.PutEvents(t.Context(), []usage.Event{e}); err != nil {
					t.Fatal(err)
				}
			}
			if !c.since.IsZero() {
				e := usage.Event{Tenant: "ai", Kind: usage.Outage, From: c.since, Power: 60 * mw, Ref: "feeder"}
				w.open[key(e)] = e
			}
			w.watch(t.Context(), noon.Add(time.Second))
			if c.kind == "" {
				if len(w.open) > 0 {
					t.Errorf("%+v", w.open)
				}
				return
			}
			e, ok := w.open["ai/"+string(c.kind)+"/feeder"]
			if !ok || len(w.open) != 1 || e.Power != c.power {
				t.Errorf("%+v, want %s of %v", w.open, c.kind, c.power)
			}
		})
	}
}

// A tenant of 60 MW is told, under its right, to draw nothing for four hours, and follows: nothing
// is owed for that. By hand without the consent: 240 of 43,200 minutes down are 99.44 %, 5 % of
// $7,500,000 = $375,000.
func TestAFollowedCurtailmentCostsNoCredit(t *testing.T) {
	month := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for name, consent := range map[string]string{"with its consent": "curtailment right", "without": ""} {
		t.Run(name, func(t *testing.T) {
			zero, told := 0.0, noon.Add(-time.Hour)
			to := noon.Add(4 * time.Hour)
			w := watched(t, api.LiveView{Tenants: []api.TenantLive{{ID: "ai", PowerW: &zero, ShedW: 60e6, FirmW: 60e6}}})
			all := []usage.Event{}
			if consent != "" {
				w.opt.Curtailed = func(string) []api.CurtailmentView {
					return []api.CurtailmentView{{State: "running", From: noon, To: to, Told: &told, PowerW: 60e6}}
				}
				all = append(all, usage.Event{Tenant: "ai", Kind: usage.Curtailment, From: noon, To: to, Power: 60 * mw, Consented: consent, Announced: told})
			}
			w.watch(t.Context(), noon)
			w.opt.Live = func() api.LiveView { return api.LiveView{} }
			w.watch(t.Context(), to)
			in := sla.Input{
				SLA:     contract.SLA{Availability: 0.999, Credits: []contract.Credit{{Below: 0.999, Share: 0.05}}},
				Curtail: &contract.Curtail{Power: 60 * mw, Hours: 100 * time.Hour, Notice: 30 * time.Minute},
				From:    month, To: month.AddDate(0, 0, 30), Rent: 7_500_000 * unit.Dollar, Events: append(all, w.queue...),
			}
			power := 60 * mw
			for s := in.From; s.Before(in.To); s = s.Add(telemetry.Length) {
				r := usage.Row{Tenant: "ai", Start: s, Wanted: power.Over(telemetry.Length)}
				if r.Critical = r.Wanted; !s.Before(noon) && s.Before(to) {
					r.Critical, r.Short, r.Down = 0, r.Wanted, telemetry.Length
				}
				in.Rows = append(in.Rows, r)
			}
			want := 375_000 * unit.Dollar
			if consent != "" {
				want = 0
			}
			if f := sla.Assess(in); f.Credit.Amount != want {
				t.Errorf("a credit of %v, want %v: %v down; %+v", f.Credit.Amount, want, f.Down, f.Evidence)
			}
		})
	}
}

// What a tenant reads on its page is what counts: a shed behind a silent meter is told, and what it
// agreed to is not called a lack.
func TestTheHeadlineOfAFeeder(t *testing.T) {
	zero, told := 0.0, noon.Add(-time.Hour)
	call := []api.CurtailmentView{{State: "running", From: noon, To: noon.Add(4 * time.Hour), Told: &told, PowerW: 60e6}}
	for want, c := range map[string]struct {
		live  api.TenantLive
		calls []api.CurtailmentView
	}{
		"All power is delivered: 0 W of the contracted 60 MW are drawn. It was asked to draw 60 MW less until 16:00.": {api.TenantLive{PowerW: &zero, ShedW: 60e6}, call},
		"60 MW that it wants are not delivered: the site has not the power for it.":                                   {api.TenantLive{PowerW: &zero, ShedW: 60e6}, nil},
		"1 MW that it may want are not delivered, and its meter does not answer: the site has not the power for it.":  {api.TenantLive{ShedW: 1e6}, nil},
		"Its meter does not answer just now; its power is not touched.":                                               {api.TenantLive{}, nil},
	} {
		c.live.ID, c.live.FirmW = "ai", 60e6
		w := watched(t, api.LiveView{Tenants: []api.TenantLive{c.live}})
		w.opt.Curtailed = func(string) []api.CurtailmentView { return c.calls }
		v, err := w.Tenant("ai")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, v.Headline); diff != "" {
			t.Error(diff)
		}
	}
}
