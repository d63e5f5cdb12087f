package app

import (
	"context"
	"strings"
	"testing"
	"time"

	"switchyard/signal"
	"switchyard/site"
	"switchyard/unit"
)

const signalsDoc = siteDoc + `
signals:
  openadr:
    - {name: utility, url: "http://127.0.0.1:1/openadr3", lost: {after: 5m, then: limit, limit: 60 kW}}
  mqtt:
    - {name: broker, broker: "tcp://127.0.0.1:1", topic: curtail, node: hall-a}
`

func entries(t *testing.T, a *App, kind, subject string) (texts []string) {
	t.Helper()
	if err := a.journal.Settle(context.Background()); err != nil {
		t.Fatal(err)
	}
	ds, err := a.Decisions(context.Background(), 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range ds {
		if d.Kind == kind && d.Subject == subject {
			texts = append([]string{d.Text}, texts...)
		}
	}
	return texts
}

func TestSignalsBoundTheSite(t *testing.T) {
	a, clk := still(t, parse(t, signalsDoc), summer)
	h := a.grid.Host()
	h.Heard("utility", summer, nil)
	h.Put(signal.Update{Source: "utility", At: summer, Signals: []signal.Signal{
		{ID: "event-7", Kind: signal.Limit, Power: 70 * kw, From: summer, To: summer.Add(10 * time.Minute), Emergency: true, Note: "heat wave"},
		{ID: "low", Kind: signal.Limit, Power: 40 * kw, Node: "hall-b", From: summer, To: summer.Add(-time.Minute)},
		{ID: "spike", Kind: signal.Price, Price: unit.DollarsPerMWh(900), From: summer, To: summer.Add(5 * time.Minute)},
	}})
	select {
	case <-a.grid.Wake:
	default:
		t.Error("the loop is not woken")
	}
	c := a.ctl
	bound := func() unit.Power { return c.bind(clk.Now(), c.limits.At(clk.Now()))[0] }
	c.turn(clk.Now())
	c.signalAlarms()
	if got := bound(); got != 70*kw {
		t.Errorf("the bound is %s", got)
	}
	r := c.asked(site.Reasonf(site.ReasonLimit, "connection", "grid connection's limit of 70 kW binds"))
	if want := "grid connection's limit of 70 kW binds; signal:utility:event-7 asks for 70 kW: heat wave"; r.Text != want {
		t.Errorf("%q, want %q", r.Text, want)
	}
	if r := c.asked(site.Reasonf(site.ReasonLimit, "hall-a", "x")); r.Text != "x" {
		t.Errorf("a limit of the file is said to be a signal: %q", r.Text)
	}
	if q := a.price(summer); q.Price != unit.DollarsPerMWh(900) || q.Source != "signal:utility" {
		t.Errorf("%+v", q)
	}
	if got := c.alertViews(); len(got) != 1 || got[0].Severity != "critical" || !strings.Contains(got[0].Text, "emergency by utility: no more than 70 kW at connection") {
		t.Errorf("%+v", got)
	}
	got := entries(t, a, "signal", "signal:utility")
	if len(got) != 3 || !strings.Contains(got[0], "low ends at") || !strings.Contains(got[1], "event-7 received: no more than 70 kW") || !strings.Contains(got[2], "spike received") {
		t.Errorf("%q", got)
	}

	clk.set(summer.Add(6 * time.Minute)) // nothing heard since: what the source said holds, and the chosen limit beside it
	c.turn(clk.Now())
	c.signalAlarms()
	if got := bound(); got != 60*kw {
		t.Errorf("while the source is lost the bound is %s", got)
	}
	if q := a.price(clk.Now()); q.Source == "signal:utility" || !q.Known {
		t.Errorf("after its span: %+v", q)
	}
	for m, want := range map[int]float64{0: 900, 4: 900, 5: 20} { // as the books will ask later
		if q := a.price(summer.Add(time.Duration(m) * time.Minute)); q.Price != unit.DollarsPerMWh(want) {
			t.Errorf("minute %d cost %s, want %v", m, q.Price, want)
		}
	}
	if got := entries(t, a, "lost", "signal:utility"); len(got) == 0 || !strings.Contains(got[0], "the connection is limited to 60 kW") {
		t.Errorf("%q", got)
	}
	h.Heard("utility", clk.Now(), nil)
	c.turn(clk.Now())
	c.signalAlarms()
	if got := bound(); got != 70*kw || !c.loosened.Equal(clk.Now()) {
		t.Errorf("when it is back the bound is %s", got)
	}
	if got := entries(t, a, "restore", "signal:utility"); len(got) == 0 || !strings.Contains(got[0], "heard of again") {
		t.Errorf("%q", got)
	}
	clk.set(summer.Add(10 * time.Minute))
	c.turn(clk.Now())
	c.signalAlarms()
	if got := bound(); got != 100*kw {
		t.Errorf("after its end the bound is %s", got)
	}
	for _, a := range c.alertViews() {
		if a.Severity == "critical" {
			t.Errorf("still alarmed: %+v", a)
		}
	}
	v := a.Signals()
	if len(v.Sources) != 2 || v.Sources[0].State != "ok" || v.Sources[1].State == "ok" || len(v.Signals) != 2 || len(v.Refused) != 1 {
		t.Errorf("%+v", v)
	}
}

func TestSignalsSurviveARestart(t *testing.T) {
	f := parse(t, signalsDoc)
	t.Run("heard", func(t *testing.T) {
		a, _ := still(t, f, summer)
		a.grid.Host().Put(signal.Update{Source: "broker", At: summer, Signals: []signal.Signal{{ID: "target", Kind: signal.Limit, Power: 10 * kw}}})
		a.grid.Close(t.Context())
	})
	a, _ := still(t, f, summer.Add(time.Minute))
	if got := a.ctl.limits.Bounds(a.clk.Now(), a.ctl.limits.At(a.clk.Now()), 0); got[1] != 10*kw {
		t.Errorf("after a restart: %v", got)
	}
}

func TestTheSiteTellsItsSources(t *testing.T) {
	a, clk := still(t, parse(t, signalsDoc), summer)
	h := a.grid.Host()
	if m := h.Meter(); m.Firm != 50*kw || m.Power.OK || m.Complies {
		t.Errorf("before the first step: %+v", m)
	}
	c := a.ctl
	r := c.read(clk.Now(), a.hub.Snapshot())
	r.value[0], r.stale[0] = site.Some(90*kw), false
	c.tellGrid(clk.Now(), r, nil)
	if m := h.Meter(); m.Limit.V != 100*kw || m.Power.V != 90*kw || !m.Complies || m.Firm != 50*kw {
		t.Errorf("%+v", m)
	}
	c.tellGrid(clk.Now(), r, []site.Limit{{Node: "connection", Power: 80 * kw}})
	if m := h.Meter(); m.Complies || m.Limit.V != 80*kw {
		t.Errorf("above its limit: %+v", m)
	}
	if m, ok := signal.MeterAt(h, "hall-a"); !ok || m.Power.OK || m.Complies || m.Limit.V != 40*kw {
		t.Errorf("a node without a meter: %+v", m)
	}
	if _, ok := signal.MeterAt(h, "hall-x"); ok {
		t.Error("a node that is not there is told of")
	}
}
