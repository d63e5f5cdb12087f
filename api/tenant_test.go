package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"switchyard/api/tenancy"
	"switchyard/billing/invoice"
)

// house stands for a site with two tenants; every answer names the tenant that it is of.
type house struct{ *fakes }

func (h house) Tenants() []TenantName {
	return []TenantName{{ID: "acme", Name: "Acme AI"}, {ID: "beta", Name: "Beta Labs"}}
}

// asked notes that something of a tenant was asked for; an unknown one is ErrNotFound.
func (h house) asked(what, tenant string) error {
	if tenant != "acme" && tenant != "beta" {
		return fmt.Errorf("tenant %q: %w", tenant, ErrNotFound)
	}
	return h.tell("%s of %s", what, tenant)
}

func (h house) Tenant(who string) (TenantView, error) {
	return TenantView{ID: who, Headline: "of " + who}, h.asked("view", who)
}

func (h house) TenantJobs(who string) ([]TenantJob, error) {
	return []TenantJob{{ID: "7", Name: "of " + who}}, h.asked("jobs", who)
}

func (h house) TenantEvents(_ context.Context, who string, from, to time.Time) ([]TenantEvent, error) {
	return nil, h.asked("events from "+from.Format(time.DateOnly)+" to "+to.Format(time.DateOnly), who)
}

func (h house) Availability(who string) (AvailabilityView, error) {
	return AvailabilityView{Text: "of " + who}, h.asked("offers", who)
}

func (h house) Usage(_ context.Context, r UsageRequest) (UsageView, error) {
	return UsageView{Tenant: r.Tenant}, h.asked("usage "+r.Line+" from "+r.From.Format(time.DateOnly), r.Tenant)
}

func (h house) Invoices(_ context.Context, who string) ([]InvoiceView, error) {
	return []InvoiceView{{Number: "of " + who}}, h.asked("invoices", who)
}

func (h house) Invoice(_ context.Context, who, number, format string) (Document, error) {
	if number != "2026-000001" {
		return Document{}, fmt.Errorf("invoice %s: %w", number, ErrNotFound)
	}
	return Document{Type: "application/pdf", Name: number + "." + format, Body: []byte("%PDF of " + who)}, h.asked("invoice as "+format, who)
}

func (h house) Announce(_ context.Context, by, who string, r Announcement) (TenantEvent, error) {
	return TenantEvent{Kind: r.Kind}, h.tell("%s announces %s to %s", by, r.Kind, who)
}

func (h house) Curtailments(who string) (CurtailmentsView, error) {
	return CurtailmentsView{Calls: []CurtailmentView{{ID: "of " + who}}}, h.tell("curtailments of %q", who)
}

func (h house) Call(_ context.Context, by string, r CurtailRequest) (CurtailmentView, error) {
	return CurtailmentView{Tenant: r.Tenant}, h.tell("%s calls %s for %.0f W", by, r.Tenant, r.PowerW)
}

func (h house) Withdraw(_ context.Context, by, id, why string) (CurtailmentView, error) {
	return CurtailmentView{ID: id}, h.tell("%s withdraws %s: %s", by, id, why)
}

func (h house) Acknowledge(_ context.Context, by, who, id string) (CurtailmentView, error) {
	if id != "1" {
		return CurtailmentView{}, fmt.Errorf("curtailment %s: %w", id, ErrNotFound)
	}
	return CurtailmentView{ID: id, Tenant: who}, h.tell("%s of %s has seen %s", by, who, id)
}

func (h house) Clusters() []ClusterView { return []ClusterView{{ID: "gpu", Headline: "of all"}} }

func (h house) ClusterJobs(id string) ([]ClusterJob, error) {
	return []ClusterJob{{ID: "of all"}}, h.tell("jobs in %s", id)
}

func (h house) HoldNodes(_ context.Context, who, id string, r NodeHold) (int, error) {
	return len(r.Nodes), h.tell("%s holds %v of %s: %s", who, r.Nodes, id, r.Mode)
}

func (h house) ReleaseNode(_ context.Context, who, id, node string) error {
	return h.tell("%s releases %s of %s", who, node, id)
}

func (h house) Query(context.Context, string, time.Time) (parser.Value, error) {
	return parser.Value(nil), h.tell("query")
}

func (h house) QueryRange(context.Context, string, time.Time, time.Time, time.Duration) (parser.Value, error) {
	return parser.Value(nil), h.tell("query range")
}

// newHouse is a face that serves all there is, with a token of the tenant acme.
func newHouse(t *testing.T) *face {
	t.Helper()
	f, _ := newHours(t)
	h, y := house{f.fakes}, yard{f.fakes}
	f.site.Tenancy, f.site.Bills, f.site.Clusters, f.site.History, f.site.Curtailments = h, h, h, h, h
	f.site.Studies = room{f.fakes}
	f.site.Devices, f.site.Rollouts, f.site.Care, f.site.Silences = y, y, y, y
	f.h = Handler(f.site)
	var err error
	if f.tokens[Tenant], err = f.site.Tokens.NewFor(t.Context(), "acme ops", Tenant, "acme"); err != nil {
		t.Fatal(err)
	}
	return f
}

// every returns each operation of the description with its blanks filled in, and those that it
// leaves out.
func every(t *testing.T, f *face) map[string]operationCase {
	t.Helper()
	doc := decode[struct {
		Paths map[string]map[string]struct {
			RequestBody any `json:"requestBody"`
		} `json:"paths"`
	}](t, f.ask("", "GET", "/api/openapi.json", ""))
	out := map[string]operationCase{}
	for path, methods := range doc.Paths {
		for m, op := range methods {
			body := ""
			if op.RequestBody != nil {
				body = "{}"
			}
			at := strings.ReplaceAll(path, "{number}", "2026-000001")
			at = strings.ReplaceAll(at, "{tenant}", "acme")
			at = regexp.MustCompile(`\{id\}`).ReplaceAllString(at, "1")
			at = regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(at, "gpu")
			out[strings.ToUpper(m)+" "+path] = operationCase{method: strings.ToUpper(m), path: at, body: body}
		}
	}
	for _, path := range []string{"/metrics", "/prometheus/api/v1/query?query=1", "/prometheus/api/v1/query_range?query=1"} {
		out["GET "+path] = operationCase{method: "GET", path: path}
	}
	return out
}

// tenantsOwn are the operations that a tenant's token may use.
var tenantsOwn = []string{
	"GET /api/v1/tenant", "GET /api/v1/tenant/jobs", "GET /api/v1/tenant/events", "GET /api/v1/tenant/usage", "GET /api/v1/tenant/availability",
	"GET /api/v1/tenant/invoices", "GET /api/v1/tenant/invoices/{number}", "GET /api/v1/tenant/feed", "GET /api/v1/tenants/{tenant}/usage",
}

// acknowledge is what a tenant's token may change: that it has seen a call of its own.
const acknowledge = "POST /api/v1/tenant/curtailments/{id}/acknowledge"

// A tenant's token opens what is its own, and of all other operations there are: nothing. Both by
// bearer and by the page's cookie.
func TestATenantSeesItsOwnAndNothingElse(t *testing.T) {
	f := newHouse(t)
	cookie := f.cookie(Tenant)
	all := every(t, f)
	if len(all) < 50 {
		t.Fatalf("only %d operations are described", len(all))
	}
	for name, c := range all {
		for _, way := range []string{"bearer", "cookie"} {
			f.take()
			ask := func(path string) *httptest.ResponseRecorder {
				if strings.HasSuffix(c.path, "/feed") {
					return f.stream(t, Tenant, path)
				}
				if way == "bearer" {
					return f.ask(Tenant, c.method, path, c.body)
				}
				return f.withCookie(cookie, c.method, path, c.body, "X-Switchyard", "1")
			}
			w := ask(c.path)
			told, audit := f.take()
			if !slices.Contains(tenantsOwn, name) && name != acknowledge {
				if w.Code != http.StatusForbidden || len(told) > 0 || len(audit) != 1 || strings.Contains(w.Body.String(), "of ") {
					t.Errorf("%s by %s: %d %s, told %v, audit %v", name, way, w.Code, w.Body, told, audit)
				}
				continue
			}
			if w.Code != http.StatusOK || len(told) == 0 || strings.Contains(fmt.Sprint(told), "beta") || strings.Contains(w.Body.String(), "beta") {
				t.Errorf("%s by %s: %d %s, told %v", name, way, w.Code, w.Body, told)
			}
			lines := 1
			if name == acknowledge {
				lines = 2 // as every change that was refused, besides
			}
			// Another's, by any name: the same refusal whether there is such a tenant or not.
			for _, other := range []string{"beta", "nobody", "ACME", "acme,beta"} {
				path := strings.ReplaceAll(c.path, "/tenants/acme/", "/tenants/"+other+"/")
				if path == c.path {
					path += "?tenant=" + other
				}
				w := ask(path)
				if told, audit := f.take(); w.Code != http.StatusForbidden || len(told) > 0 || len(audit) != lines || strings.Contains(w.Body.String(), other) {
					t.Errorf("%s of %s by %s: %d %s, told %v, audit %v", name, other, way, w.Code, w.Body, told, audit)
				}
			}
		}
	}
}

// stream asks for events and ends after the first.
func (f *face) stream(t *testing.T, role Role, path string) *httptest.ResponseRecorder {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+f.tokens[role])
	w := httptest.NewRecorder()
	f.h.ServeHTTP(w, r)
	return w
}

// Whoever runs the site may look at any tenant, and has to say at which.
func TestOthersSayWhichTenant(t *testing.T) {
	f := newHouse(t)
	for _, role := range []Role{Viewer, Operates, Admin} {
		for _, name := range tenantsOwn {
			path := strings.NewReplacer("GET ", "", "{number}", "2026-000001", "{tenant}", "beta").Replace(name)
			if strings.HasSuffix(path, "/feed") {
				if w := f.stream(t, role, path+"?tenant=beta"); w.Code != 200 || !strings.Contains(w.Body.String(), "event: tenant") || !strings.Contains(w.Body.String(), "event: availability") {
					t.Errorf("%s as %s: %d %s", path, role, w.Code, w.Body)
				}
				if w := f.stream(t, role, path+"?tenant=nobody"); w.Code != http.StatusNotFound {
					t.Errorf("%s of nobody as %s: %d %s", path, role, w.Code, w.Body)
				}
				continue
			}
			f.take()
			w := f.ask(role, "GET", path+"?tenant=beta", "")
			if told, _ := f.take(); w.Code != 200 || len(told) != 1 || !strings.HasSuffix(told[0], "of beta") {
				t.Errorf("%s as %s: %d %s, told %v", path, role, w.Code, w.Body, told)
			}
			if strings.Contains(path, "/tenants/") {
				continue
			}
			if w := f.ask(role, "GET", path, ""); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "acme, beta") {
				t.Errorf("%s of none as %s: %d %s", path, role, w.Code, w.Body)
			}
			if w := f.ask(role, "GET", path+"?tenant=nobody", ""); w.Code != http.StatusNotFound {
				t.Errorf("%s of nobody as %s: %d %s", path, role, w.Code, w.Body)
			}
		}
		if w := f.ask(role, "GET", "/api/v1/tenants", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "Beta Labs") {
			t.Errorf("tenants as %s: %d %s", role, w.Code, w.Body)
		}
	}
}

func TestAnInvoiceIsAFile(t *testing.T) {
	f := newHouse(t)
	w := f.ask(Tenant, "GET", "/api/v1/tenant/invoices/2026-000001?format=pdf", "")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/pdf" || w.Body.String() != "%PDF of acme" ||
		w.Header().Get("Content-Disposition") != `inline; filename="2026-000001.pdf"` {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	for path, code := range map[string]int{
		"2026-000002":            http.StatusNotFound,
		"2026-000001?format=doc": http.StatusUnprocessableEntity,
	} {
		if w := f.ask(Tenant, "GET", "/api/v1/tenant/invoices/"+path, ""); w.Code != code {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for q, says := range map[string]string{
		"?from=2026-03-02T13:00:00Z": "is not before",
		"?from=2025-03-02T00:00:00Z": "more than 63 days",
		"?from=yesterday":            "invalid",
		"?line=bogus":                "rent, energy, demand-charge",
	} {
		if w := f.ask(Tenant, "GET", "/api/v1/tenant/usage"+q, ""); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), says) {
			t.Errorf("%s: %d %s", q, w.Code, w.Body)
		}
	}
	if w := f.ask(Tenant, "GET", "/api/v1/tenants/acme/usage?line=bogus", ""); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "sla-credit") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, kind := range []invoice.LineKind{ // what invoices link to
		invoice.Rent, invoice.Energy, invoice.DemandShare, invoice.PeakShare, invoice.Upkeep, invoice.Overage, invoice.GPUReserved, invoice.GPUOnDemand,
		invoice.GPUInterrupt, invoice.StorageLine, invoice.Curtailment, invoice.SLACredit, invoice.PrepayCredit, invoice.Correction, invoice.Tax,
	} {
		if w := f.ask(Tenant, "GET", "/api/v1/tenants/acme/usage?line="+string(kind), ""); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", kind, w.Code, w.Body)
		}
	}
	f.take()
	f.ask(Tenant, "GET", "/api/v1/tenant/usage?line=rent", "")
	f.ask(Tenant, "GET", "/api/v1/tenant/events", "")
	if told, _ := f.take(); !slices.Equal(told, []string{"usage rent from 2026-03-01 of acme", "events from 2026-01-30 to 2026-03-02 of acme"}) {
		t.Errorf("%v", told)
	}
}

// A token says whose it is, and one that does not opens nothing.
func TestTokensOfTenants(t *testing.T) {
	f := newHouse(t)
	for body, says := range map[string]string{
		`{"name":"x","role":"tenant"}`:                    "name it by its id",
		`{"name":"x","role":"tenant","tenant":"nobody"}`:  "there is no tenant",
		`{"name":"x","role":"viewer","tenant":"acme"}`:    "has the role tenant, not viewer",
		`{"name":"x","role":"tenant","tenant":"acme me"}`: "there is no tenant",
	} {
		if w := f.ask(Admin, "POST", "/api/v1/tokens", body); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), says) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	w := f.ask(Admin, "POST", "/api/v1/tokens", `{"name":"x","role":"tenant","tenant":"beta"}`)
	made := decode[NewToken](t, w)
	if w.Code/100 != 2 || made.Tenant != "beta" || made.Role != Tenant {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	f.tokens[Tenant] = made.Token
	if v := decode[TenantView](t, f.ask(Tenant, "GET", "/api/v1/tenant", "")); v.ID != "beta" {
		t.Errorf("%+v", v)
	}
	if got := decode[sessionView](t, f.withCookie(f.cookie(Tenant), "GET", "/api/v1/session", "")); got != (sessionView{"x", Tenant, "beta"}) {
		t.Errorf("%+v", got)
	}
	if w := f.ask(Admin, "GET", "/api/v1/tokens", ""); !strings.Contains(w.Body.String(), `"tenant":"beta"`) {
		t.Errorf("%s", w.Body)
	}
	// As an older file or a slip of somebody's hand might have it.
	f.site.Tokens.list = append(f.site.Tokens.list, Token{Name: "odd", Role: Tenant, Hash: hashOf("sy_odd")})
	if w := f.ask("", "GET", "/api/v1/tenant", "", "Authorization", "Bearer sy_odd"); w.Code != http.StatusForbidden {
		t.Errorf("a token of no tenant: %d %s", w.Code, w.Body)
	}
}

// Nulls are unknown: an empty list is written as one.
func TestEmptyListsAreNoNulls(t *testing.T) {
	f := newHouse(t)
	for _, path := range []string{"tenant", "tenant/jobs", "tenant/events", "tenant/availability", "tenant/usage", "clusters"} {
		body := f.ask(Admin, "GET", "/api/v1/"+path+"?tenant=acme", "").Body.String()
		for _, list := range []string{"gpus", "nodes", "effects", "offers", "rows", "blocks", "queues", "notes", "classes"} {
			if strings.Contains(body, `"`+list+`":null`) {
				t.Errorf("%s: %s is null in %s", path, list, body)
			}
		}
	}
}

func TestPeopleHoldNodes(t *testing.T) {
	f := newHouse(t)
	w := f.ask(Operates, "POST", "/api/v1/clusters/gpu/holds", `{"nodes":["gpu-1","gpu-2"],"mode":"keep"}`)
	told, audit := f.take()
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"devices":2`) || told[0] != "the operator holds [gpu-1 gpu-2] of gpu: keep" || audit[0] != "the operator: hold [gpu-1 gpu-2] of gpu: keep: done" {
		t.Errorf("%d %s %v %v", w.Code, w.Body, told, audit)
	}
	w = f.ask(Operates, "DELETE", "/api/v1/clusters/gpu/holds/gpu-1", "")
	if told, _ := f.take(); w.Code/100 != 2 || told[0] != "the operator releases gpu-1 of gpu" {
		t.Errorf("%d %s %v", w.Code, w.Body, told)
	}
	if w := f.ask(Viewer, "POST", "/api/v1/clusters/gpu/holds", `{"nodes":["gpu-1"],"mode":"keep"}`); w.Code != http.StatusForbidden {
		t.Errorf("%d", w.Code)
	}
	if w := f.ask(Operates, "POST", "/api/v1/clusters/gpu/holds", `{"nodes":[],"mode":"off"}`); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("%d", w.Code)
	}
}

// What the views' comments promise exists.
func TestTheTenantsViewsAreServed(t *testing.T) {
	f := newHouse(t)
	served := every(t, f)
	files, err := filepath.Glob("tenancy/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(src), "\n// /api", " /api")
		for _, m := range regexp.MustCompile(`(GET|POST|DELETE)\s+(/api/v1/[a-z/{}]+)`).FindAllStringSubmatch(text, -1) {
			if _, ok := served[m[1]+" "+m[2]]; !ok {
				t.Errorf("%s speaks of %s %s, which is not served", file, m[1], m[2])
			}
		}
	}
	var _ tenancy.Tenancy = house{}
}

func TestCurtailments(t *testing.T) {
	f := newHouse(t)
	const call = `{"tenant":"acme","to":"2026-03-02T14:00:00Z","power_w":500000,"why":"The grid is short."}`
	for _, c := range []struct {
		role               Role
		method, path, body string
		code               int
		told, says         string
	}{
		{Viewer, "GET", "", "", 200, `curtailments of ""`, `"calls":[{"id":"of `},
		{Viewer, "GET", "?tenant=beta", "", 200, `curtailments of "beta"`, `"proposed":[]`},
		{Operates, "POST", "", call, 200, "the operator calls acme for 500000 W", "acme"},
		{Viewer, "POST", "", call, 403, "", "operator"},
		{Operates, "POST", "", strings.Replace(call, "The grid is short.", "", 1), 422, "", "why"},
		{Operates, "POST", "", strings.Replace(call, "500000", "-1", 1), 422, "", "power_w"},
		{Operates, "POST", "/acme-1/withdraw", `{"why":"The grid is well again."}`, 200, "the operator withdraws acme-1: The grid is well again.", "acme-1"},
		{Operates, "POST", "/acme-1/withdraw", `{}`, 422, "", "why"},
	} {
		f.take()
		w := f.ask(c.role, c.method, "/api/v1/curtailments"+c.path, c.body)
		told, _ := f.take()
		if w.Code != c.code || strings.Join(told, ";") != c.told || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s as %s: %d %s, told %q", c.method, c.path, c.role, w.Code, w.Body, told)
		}
	}
	for role, code := range map[Role]int{Tenant: 200, Viewer: 422, Admin: 422} {
		if w := f.ask(role, "POST", "/api/v1/tenant/curtailments/1/acknowledge", ""); w.Code != code {
			t.Errorf("acknowledge as %s: %d %s", role, w.Code, w.Body)
		}
	}
	if w := f.ask(Tenant, "POST", "/api/v1/tenant/curtailments/2/acknowledge", ""); w.Code != 404 {
		t.Errorf("acknowledge another's: %d %s", w.Code, w.Body)
	}
}
