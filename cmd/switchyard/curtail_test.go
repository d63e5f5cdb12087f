package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/api/tenancy"
	"switchyard/cmd/switchyard/curtailcmd"
)

// taker answers for the curtailments of a site with one tenant.
type taker struct {
	tenancy.Tenancy // nothing of it is asked for
	asked           []api.CurtailRequest
}

func (k *taker) Curtailments(tenant string) (api.CurtailmentsView, error) {
	if tenant != "" && tenant != "acme" {
		return api.CurtailmentsView{}, fmt.Errorf("hosted tenant %q: %w", tenant, api.ErrNotFound)
	}
	one := api.CurtailmentView{ID: "acme-1", Tenant: "acme", State: "ended", From: siteTime.Add(-3 * time.Hour), To: siteTime.Add(-2 * time.Hour), PowerW: 5e5, By: "eva", Why: "heat", Told: ptr(siteTime.Add(-4 * time.Hour))}
	measured := one
	measured.ID, measured.GivenW, measured.Seen = "acme-0", ptr(4.2e5), ptr(siteTime.Add(-230*time.Minute))
	return api.CurtailmentsView{
		At:       siteTime,
		Rights:   []api.RightView{{Tenant: "acme", PowerW: 5e5, NoticeS: 1800, TotalS: 36000, LeftS: 28800, PriceUSD: 200, Call: "ask"}},
		Proposed: []api.CurtailmentView{{Tenant: "acme", From: siteTime.Add(time.Hour), To: siteTime.Add(2 * time.Hour), PowerW: 3e5, CallBy: ptr(siteTime.Add(30 * time.Minute))}},
		Calls:    []api.CurtailmentView{one, measured},
	}, nil
}

func (k *taker) Call(_ context.Context, _ string, r api.CurtailRequest) (api.CurtailmentView, error) {
	if r.PowerW > 5e5 {
		return api.CurtailmentView{}, fmt.Errorf("%w: 600 kW is more than the 500 kW of the right", api.ErrInvalid)
	}
	k.asked = append(k.asked, r)
	return api.CurtailmentView{ID: "acme-2", Text: "Acme AI is to draw 500 kW less."}, nil
}

func (k *taker) Withdraw(_ context.Context, _, id, _ string) (api.CurtailmentView, error) {
	if id != "acme-2" {
		return api.CurtailmentView{}, fmt.Errorf("curtailment %q: %w", id, api.ErrNotFound)
	}
	return api.CurtailmentView{ID: id, Text: "It was withdrawn."}, nil
}

func (k *taker) Acknowledge(context.Context, string, string, string) (api.CurtailmentView, error) {
	return api.CurtailmentView{}, api.ErrNotFound
}

func TestCurtail(t *testing.T) {
	k := &taker{}
	_, who := controllerWith(t, func(s *api.Site) { s.Tenancy, s.Curtailments = k, k })
	who[api.Viewer].run(t, "curtail", "list").wants(t, 0, []string{
		"acme", "500 kW", "30m", "8h of 10h", "200.00", "people", "07-01 15:05", "300 kW", "07-01 14:35",
		"acme-1", "ended", "not measured", "not yet", "acme-0", "420 kW", "07-01 10:15", "eva", "heat",
	}, nil)
	var v api.CurtailmentsView
	who[api.Viewer].run(t, "curtail", "list", "--tenant", "acme", "-o", "json").decode(t, &v)
	if len(v.Calls) != 2 || len(v.Proposed) != 1 {
		t.Errorf("%+v", v)
	}
	who[api.Viewer].run(t, "curtail", "list", "--tenant", "beta").wants(t, 3, nil, []string{"beta"})
	op := who[api.Operates]
	op.run(t, "curtail", "call", "acme", "--for", "2h", "--why", "The grid is short.").wants(t, 0, []string{"Acme AI is to draw 500 kW less.", "switchyard curtail withdraw acme-2"}, nil)
	op.run(t, "curtail", "call", "acme", "--from", "17:00", "--for", "90m", "--power", "300kW", "--why", "heat", "--consent", "mail").wants(t, 0, []string{"Acme AI"}, nil)
	five := time.Date(2026, 7, 1, 22, 0, 0, 0, time.UTC)
	if len(k.asked) != 2 || !k.asked[0].From.IsZero() || !k.asked[0].To.Equal(siteTime.Add(150*time.Minute)) ||
		!k.asked[1].From.Equal(five) || !k.asked[1].To.Equal(five.Add(90*time.Minute)) || k.asked[1].PowerW != 3e5 || k.asked[1].Consent != "mail" {
		t.Errorf("%+v", k.asked)
	}
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"call acme --why heat", 2, "--for"},
		{"call acme --for 2h", 2, "--why"},
		{"call acme --for 2h --why heat --power lots", 2, "500kW"},
		{"call acme --for 2h --why heat --power 600kW", 2, "more than the 500 kW"},
		{"call acme --for 2h --why heat --from noon", 2, "not a time"},
		{"call beta --for 2h --why heat", 3, "beta"},
		{"withdraw acme-2", 2, "--why"},
		{"withdraw acme-9 --why heat", 3, "acme-9"},
	} {
		op.run(t, append([]string{"curtail"}, strings.Fields(c.args)...)...).wants(t, c.code, nil, []string{c.says})
	}
	op.run(t, "curtail", "withdraw", "acme-2", "--why", "rain").wants(t, 0, []string{"It was withdrawn."}, nil)
	who[api.Viewer].run(t, "curtail", "call", "acme", "--for", "2h", "--why", "heat").wants(t, 4, nil, []string{"operator"})
}

func TestCurtailOfASiteWithoutRights(t *testing.T) {
	var b strings.Builder
	curtailcmd.Print(&b, api.CurtailmentsView{}, time.UTC)
	if !strings.Contains(b.String(), "see curtail under tenants") {
		t.Error(b.String())
	}
	b.Reset()
	curtailcmd.Print(&b, api.CurtailmentsView{Rights: []api.RightView{{Tenant: "acme", Call: "never"}}}, time.UTC)
	if !strings.Contains(b.String(), "Nobody was curtailed this year.") || !strings.Contains(b.String(), "beside the schedule") {
		t.Error(b.String())
	}
}
