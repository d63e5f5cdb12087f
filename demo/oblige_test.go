package demo

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/sitefile"
	"switchyard/unit"
)

// TestObliged tells the hosting tenant to draw less by its contract's right. Its own control sees
// the call over the API alone, says so and obliges; miners take up what it gives; its meter shows
// what that was, and afterwards it draws as before.
func TestObliged(t *testing.T) {
	slow(t)
	r := newRig(t, func(f *sitefile.File) {
		f.Emulate.Faults = nil
		f.Emulate.Tenants["ai"] = sitefile.Draw{Low: 0.9, High: 0.9}
	})
	site := "http://" + (<-r.bound).String()
	ctx, stop := context.WithCancel(context.Background())
	var tenant sync.WaitGroup
	tenant.Go(func() {
		(Options{Log: slog.New(slog.DiscardHandler)}).oblige(ctx, site, r.token, "ai", r.site.World())
	})
	t.Cleanup(func() { stop(); tenant.Wait() })
	r.settled()
	r.pass(70 * time.Minute)
	k := guest{site: site, token: r.token, http: &http.Client{Timeout: obligeTime}}
	ask := func(method, path string, body, into any) {
		t.Helper()
		if err := k.ask(ctx, method, path, body, into); err != nil {
			t.Fatal(err)
		}
	}
	draw := r.site.World().Meter("ai-hall").View().Power
	right := rightPower(rigMiners)
	var call api.CurtailmentView
	ask(http.MethodPost, "/api/v1/curtailments", api.CurtailRequest{Tenant: "ai", To: r.clk.Now().Add(150 * time.Minute), Why: "The grid is short."}, &call)
	if call.PowerW != right.Watts() || call.State != "called" || call.From.Sub(*call.Told) != 30*time.Minute {
		t.Fatalf("called %+v", call)
	}
	one := func() (v api.CurtailmentView) {
		t.Helper()
		var all api.CurtailmentsView
		ask(http.MethodGet, "/api/v1/curtailments?tenant=ai", nil, &all)
		for _, c := range all.Calls {
			if c.ID == call.ID {
				return c
			}
		}
		t.Fatalf("the call is gone: %+v", all)
		return v
	}
	r.await("the tenant says that it has seen it", 2*time.Hour, func() bool { return one().Seen != nil })
	most := unit.Watts(*call.DownToW)
	r.await("the tenant draws as it was told", 2*time.Hour, func() bool { return r.site.World().Meter("ai-hall").View().Power <= most+unit.Kilowatt })
	limit, err := r.app.SetLimit(ctx, "test", api.LimitRequest{Node: "connection", PowerW: (draw - unit.Kilowatt).Watts(), ForS: 1200})
	if err != nil {
		t.Fatal(err)
	}
	r.pass(5 * time.Minute)
	if p, l := r.site.World().Meter("connection").View().Power, r.app.Live(); p > draw || len(l.Alerts) > 0 || l.Tenants[0].ShedW > 0 {
		t.Errorf("%v at a limit of %v: alerts %+v", p, draw, l.Alerts)
	}
	if err := r.app.ClearLimit(ctx, "test", limit.ID); err != nil {
		t.Fatal(err)
	}
	r.await("it is measured", 4*time.Hour, func() bool { return one().GivenW != nil })
	v := one()
	// It looks once a second of the machine's, four minutes of the site's: so late it may begin.
	if given := unit.Watts(*v.GivenW); v.State != "ended" || given < right.Scale(0.7) || given > right {
		t.Errorf("given %v of %v: %+v", given, right, v)
	}
	t.Log(v.Text)
	r.await("it draws as before", time.Hour, func() bool { return r.site.World().Meter("ai-hall").View().Power > draw.Scale(0.97) })
	if short := r.app.Live().Tenants[0].ShedW; short > 0 {
		t.Errorf("%v W count as not delivered", short)
	}
}
