package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// fakes stand for the whole site behind the API: they answer, note what they were told, and
// fail with err when it is set.
type fakes struct {
	mu    sync.Mutex
	told  []string
	audit []string
	doc   []byte
	err   error

	changed   chan struct{}
	decisions chan Decision
	follows   chan struct{} // closed when a follower's context ended
	span      [2]time.Time
	step      time.Duration
}

var siteTime = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func (f *fakes) tell(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.told = append(f.told, fmt.Sprintf(format, args...))
	}
	return f.err
}

func (f *fakes) Site() SiteView   { return SiteView{Name: "Fake"} }
func (f *fakes) Live() LiveView   { return LiveView{At: siteTime, Headline: "still"} }
func (f *fakes) Curve() CurveView { return CurveView{At: siteTime} }
func (f *fakes) Map(g string) (MapView, error) {
	return MapView{Group: g}, f.tell("map %s", g)
}

func (f *fakes) History(_ context.Context, from, to time.Time, step time.Duration) (HistoryView, error) {
	f.span, f.step = [2]time.Time{from, to}, step
	return HistoryView{StepS: step.Seconds()}, f.tell("history")
}

func (f *fakes) Decisions(_ context.Context, n int) ([]Decision, error) {
	return []Decision{}, f.tell("decisions %d", n)
}

func (f *fakes) Why(_ context.Context, d string, at time.Time) (WhyView, error) {
	return WhyView{Device: d, At: at}, f.tell("why %s at %s", d, at.Format(time.RFC3339))
}

func (f *fakes) Report(_ context.Context, date string) (ReportView, error) {
	return ReportView{Date: date}, f.tell("report %q", date)
}

func (f *fakes) SetLimit(_ context.Context, who string, r LimitRequest) (LimitView, error) {
	return LimitView{ID: "op-1", Node: r.Node}, f.tell("%s limits %s to %v", who, r.Node, r.PowerW)
}

func (f *fakes) ClearLimit(_ context.Context, who, id string) error {
	return f.tell("%s clears %s", who, id)
}

func (f *fakes) Hold(_ context.Context, who string, r HoldRequest) (int, error) {
	return len(r.Devices), f.tell("%s holds %v in %s", who, r.Devices, r.Mode)
}

func (f *fakes) Release(_ context.Context, who, name string) (int, error) {
	return 1, f.tell("%s releases %s", who, name)
}

func (f *fakes) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

func (f *fakes) change() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fakes) Follow(ctx context.Context) <-chan Decision {
	context.AfterFunc(ctx, func() { close(f.follows) })
	return f.decisions
}

func (f *fakes) Audit(_ context.Context, who, what, outcome string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.audit = append(f.audit, who+": "+what+": "+outcome)
}

func (f *fakes) LoadTokens(context.Context) ([]byte, error) { return f.doc, nil }

func (f *fakes) SaveTokens(_ context.Context, doc []byte) error {
	if f.err == nil {
		f.doc = doc
	}
	return f.err
}

// take returns what was told and audited since the last call.
func (f *fakes) take() (told, audit []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	told, audit = f.told, f.audit
	f.told, f.audit = nil, nil
	return told, audit
}

// face is a served API with a token of each role.
type face struct {
	*fakes
	t      *testing.T
	site   Site
	h      http.Handler
	tokens map[Role]string
	log    *strings.Builder
}

func newFace(t *testing.T) *face {
	t.Helper()
	f := &face{
		fakes: &fakes{changed: make(chan struct{}), decisions: make(chan Decision, 4), follows: make(chan struct{})},
		t:     t, tokens: map[Role]string{}, log: &strings.Builder{},
	}
	tokens, err := LoadTokens(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if !tokens.Empty() {
		t.Fatal("a new store has tokens")
	}
	for _, r := range []Role{Viewer, Operates, Admin} {
		if f.tokens[r], err = tokens.New(t.Context(), "the "+string(r), r); err != nil {
			t.Fatal(err)
		}
	}
	f.site = Site{
		Screens: f, Records: f, Operator: f, Stream: f, Audit: f, Tokens: tokens, Metrics: prometheus.NewRegistry(), Version: "v9",
		Log: slog.New(slog.NewTextHandler(f.log, nil)),
		Page: fstest.MapFS{
			"index.html":        {Data: []byte("<!doctype html><title>Switchyard</title>")},
			"assets/app-abc.js": {Data: []byte("1")},
			"favicon.svg":       {Data: []byte("<svg/>")},
		},
	}
	f.h = Handler(f.site)
	return f
}

// ask sends one request; role "" sends no token.
func (f *face) ask(role Role, method, path, body string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(f.t.Context(), method, path, in)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if role != "" {
		r.Header.Set("Authorization", "Bearer "+f.tokens[role])
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.h.ServeHTTP(w, r)
	return w
}

// cookie logs in with the role's token and returns the session's cookie.
func (f *face) cookie(role Role) *http.Cookie {
	f.t.Helper()
	w := f.ask("", "POST", "/api/v1/session", `{"token":"`+f.tokens[role]+`"}`, "X-Switchyard", "1")
	if w.Code != 200 || len(w.Result().Cookies()) != 1 {
		f.t.Fatalf("log in: %d %s", w.Code, w.Body)
	}
	return w.Result().Cookies()[0]
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return v
}

var errDisk = errors.New("open /var/lib/secret-place/switchyard.db: input/output error")
