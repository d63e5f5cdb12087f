package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/api"
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

// result is how one run of the command line ended.
type result struct {
	code     int
	out, err string
}

type env map[string]string

func (e env) run(t *testing.T, args ...string) result {
	t.Helper()
	return e.runContext(t.Context(), args...)
}

func (e env) runContext(ctx context.Context, args ...string) result {
	var out, errs bytes.Buffer
	c := &cli{out: &out, err: &errs, env: func(k string) string { return e[k] }}
	code := c.run(ctx, args)
	return result{code, out.String(), errs.String()}
}

// wants fails the test where a run did not end so; every text must be there.
func (r result) wants(t *testing.T, code int, out, errs []string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, s := range out {
		if !strings.Contains(r.out, s) {
			t.Errorf("standard output lacks %q", s)
		}
	}
	for _, s := range errs {
		if !strings.Contains(r.err, s) {
			t.Errorf("standard error lacks %q", s)
		}
	}
	if len(errs) == 0 && code == 0 && strings.Contains(r.err, "switchyard:") {
		t.Error("an error is printed")
	}
	if t.Failed() {
		t.Logf("code %d\nstandard output:\n%s\nstandard error:\n%s", r.code, r.out, r.err)
	}
}

// decode reads standard output as exactly one JSON value.
func (r result) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.out), into); err != nil {
		t.Fatalf("standard output is not one JSON value: %v\n%s", err, r.out)
	}
}

// fake is a running site without a site.
type fake struct {
	mu       sync.Mutex
	tokens   []byte
	limits   []api.LimitView
	held     map[string]string
	audit    []string
	whyAsked time.Time
	day      string
}

var siteTime = time.Date(2026, 7, 1, 19, 5, 10, 0, time.UTC) // 14:05:10 in Chicago

func ptr[T any](v T) *T { return &v }

func (f *fake) Site() api.SiteView {
	return api.SiteView{
		Name: "Test Creek", Timezone: "America/Chicago", Speed: 60, Notice: "A rehearsal",
		Nodes:  []api.NodeInfo{{ID: "connection"}, {ID: "hall-a", Parent: "connection"}},
		Groups: []api.GroupInfo{{ID: "s21", Devices: 100}, {ID: "m60s", Devices: 50}},
	}
}

func (f *fake) Live() api.LiveView {
	f.mu.Lock()
	defer f.mu.Unlock()
	return api.LiveView{
		At: siteTime, Plan: 7, Speed: 59.7, PriceUSDMWh: ptr(45.2), PriceStale: true, PriceSource: "prices.csv", HashpriceUSD: ptr(50.0),
		Headline: "Mining at 280 kW.", Mode: "merit-order",
		Nodes: []api.NodeLive{
			{ID: "connection", EstW: 281e3, LimitW: ptr(1e6), Quality: "missing"},
			{ID: "hall-a", PowerW: ptr(280e3), LimitW: ptr(300e3), Quality: "measured", Binding: true, OverForS: 3},
		},
		Groups:  []api.GroupLive{{ID: "s21", PowerW: 280e3, AwardW: 277e3, Hashrate: 16, BreakevenUSD: ptr(118.0), Reason: "hall-a's limit binds", States: map[string]int{"hashing": 80, "sleeping": 20}}},
		Tenants: []api.TenantLive{{ID: "acme", ReserveW: 400e3, FirmW: 400e3, ShedW: 5e3, Reason: "contracted"}},
		Limits:  append([]api.LimitView(nil), f.limits...),
		Alerts:  []api.Alert{{Since: siteTime, Severity: "warning", Subject: "meter:connection", Text: "no reading for a minute"}},
	}
}

func (f *fake) Curve() api.CurveView { return api.CurveView{} }
func (f *fake) Map(g string) (api.MapView, error) {
	return api.MapView{}, fmt.Errorf("group %q: %w", g, api.ErrNotFound)
}

func (f *fake) History(context.Context, time.Time, time.Time, time.Duration) (api.HistoryView, error) {
	return api.HistoryView{}, nil
}
func (f *fake) Decisions(context.Context, int) ([]api.Decision, error) { return nil, nil }

func (f *fake) Why(_ context.Context, device string, at time.Time) (api.WhyView, error) {
	if device != "s21-017" {
		return api.WhyView{}, fmt.Errorf("device %q: %w", device, api.ErrNotFound)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.whyAsked = at
	return api.WhyView{Device: device, At: at, Answer: "asleep, because the price is 900.00", Steps: []api.WhyStep{
		{At: ptr(at.Add(-time.Minute)), Kind: "award", Text: "nothing is worth the price"},
		{Kind: "confirm", Text: "no reading has confirmed it yet"},
	}}, nil
}

func (f *fake) Report(_ context.Context, date string) (api.ReportView, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.day = date
	return api.ReportView{Date: date, EnergyMWh: 12.5, Text: "Day " + date + "\nprofit 10\n"}, nil
}

func (f *fake) SetLimit(_ context.Context, who string, r api.LimitRequest) (api.LimitView, error) {
	if r.Node != "hall-a" {
		return api.LimitView{}, fmt.Errorf("node %q: %w; there are connection, hall-a", r.Node, api.ErrNotFound)
	}
	v := api.LimitView{ID: "op-1", Node: r.Node, PowerW: r.PowerW, From: siteTime, By: who, Note: r.Note, Active: true, Manual: true}
	if r.ForS > 0 {
		v.To = ptr(siteTime.Add(time.Duration(r.ForS) * time.Second))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limits = append(f.limits, v)
	return v, nil
}

func (f *fake) ClearLimit(_ context.Context, _, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, l := range f.limits {
		if l.ID == id {
			f.limits = append(f.limits[:i], f.limits[i+1:]...)
			return nil
		}
	}
	return fmt.Errorf("limit %q: %w", id, api.ErrNotFound)
}

func (f *fake) Hold(_ context.Context, _ string, r api.HoldRequest) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range r.Devices {
		if d == "nobody" {
			return 0, fmt.Errorf("%q is neither a miner nor a group: %w", d, api.ErrNotFound)
		}
		f.held[d] = r.Mode
	}
	return len(r.Devices), nil
}

func (f *fake) Release(_ context.Context, _, name string) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.held[name]; !ok {
		return 0, fmt.Errorf("%q is not held: %w", name, api.ErrNotFound)
	}
	delete(f.held, name)
	return 1, nil
}

func (f *fake) Changed() <-chan struct{}                       { return nil }
func (f *fake) Follow(context.Context) <-chan api.Decision     { return nil }
func (f *fake) LoadTokens(context.Context) ([]byte, error)     { return f.tokens, nil }
func (f *fake) SaveTokens(_ context.Context, doc []byte) error { f.tokens = doc; return nil }
func (f *fake) Audit(_ context.Context, who, what, outcome string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.audit = append(f.audit, who+": "+what+": "+outcome)
}

// controller serves the API over a fake and returns environments by role.
func controller(t *testing.T) (f *fake, byRole map[api.Role]env) {
	t.Helper()
	return controllerWith(t, func(*api.Site) {})
}

// controllerWith is a controller that answers for more, or for less.
func controllerWith(t *testing.T, edit func(*api.Site)) (f *fake, byRole map[api.Role]env) {
	t.Helper()
	f = &fake{held: map[string]string{}}
	tokens, err := api.LoadTokens(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	face := api.Site{
		Screens: f, Records: f, Operator: f, Stream: f, Audit: f, Ahead: f, Tokens: tokens, Log: slog.New(slog.DiscardHandler), Version: "test",
	}
	edit(&face)
	srv := httptest.NewServer(api.Handler(face))
	t.Cleanup(srv.Close)
	byRole = map[api.Role]env{}
	for _, r := range []api.Role{api.Viewer, api.Operates, api.Admin} {
		token, err := tokens.New(t.Context(), string(r), r)
		if err != nil {
			t.Fatal(err)
		}
		byRole[r] = env{"SWITCHYARD_URL": srv.URL, "SWITCHYARD_TOKEN": token}
	}
	return f, byRole
}

// answering serves one fixed answer to everything.
func answering(t *testing.T, code int, body string) env {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body)) // the asker may have gone
	}))
	t.Cleanup(srv.Close)
	return env{"SWITCHYARD_URL": srv.URL, "SWITCHYARD_TOKEN": "sy_x"}
}
