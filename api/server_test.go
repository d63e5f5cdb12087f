package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestErrorsBecomeAnswers(t *testing.T) {
	f := newFace(t)
	for _, c := range []struct {
		err  error
		code int
		says string
	}{
		{fmt.Errorf("device %q: %w", "x", ErrNotFound), 404, "device"},
		{fmt.Errorf("%w: write it like 2026-01-31", ErrInvalid), 422, "write it like"},
		{fmt.Errorf("%w: the store is down", ErrUnavailable), 503, "the store is down"},
		{context.DeadlineExceeded, 503, "too long"},
		{fmt.Errorf("read: %w", context.Canceled), 503, "too long"},
		{errDisk, 500, "log"},
	} {
		f.err = c.err
		f.log.Reset()
		for _, path := range []string{"/api/v1/why/x", "/api/v1/groups/x/map", "/api/v1/report/day", "/api/v1/history", "/api/v1/decisions"} {
			w := f.ask(Viewer, "GET", path, "")
			if w.Code != c.code || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%v at %s: %d %s", c.err, path, w.Code, w.Body)
			}
			if strings.Contains(w.Body.String(), "secret-place") {
				t.Errorf("%s shows the inside: %s", path, w.Body)
			}
		}
		if w := f.ask(Operates, "DELETE", "/api/v1/limits/op-1", ""); w.Code != c.code || strings.Contains(w.Body.String(), "secret-place") {
			t.Errorf("%v at a change: %d %s", c.err, w.Code, w.Body)
		}
		if logged := strings.Contains(f.log.String(), "secret-place"); logged != (c.code == 500) {
			t.Errorf("%v: logged %v", c.err, logged)
		}
	}
}

func TestBadRequestsNameTheirFault(t *testing.T) {
	f := newFace(t)
	for _, c := range []struct {
		method, path, body string
		code               int
		says               string
	}{
		{"GET", "/api/v1/history?step=0", "", 422, "step"},
		{"GET", "/api/v1/history?step=NaN", "", 422, "step"},
		{"GET", "/api/v1/history?step=Inf", "", 422, "step"},
		{"GET", "/api/v1/history?step=abc", "", 422, "step"},
		{"GET", "/api/v1/history?step=1", "", 422, "11,000"},
		{"GET", "/api/v1/history?from=yesterday", "", 422, "from"},
		{"GET", "/api/v1/history?from=2026-03-02T13:00:00Z", "", 422, "from"},
		{"GET", "/api/v1/history?from=2026-03-02T12:00:00Z", "", 422, "from"},
		{"GET", "/api/v1/history?from=0001-01-02T00:00:00Z&to=9999-01-01T00:00:00Z", "", 422, "11,000"},
		{"GET", "/api/v1/decisions?limit=0", "", 422, "limit"},
		{"GET", "/api/v1/decisions?limit=1001", "", 422, "limit"},
		{"GET", "/api/v1/why/x?at=noon", "", 422, "at"},
		{"GET", "/api/v1/report/day?date=01.02.2026", "", 422, "date"},
		{"POST", "/api/v1/limits", `{"node":"a","power_w":-1,"for_s":0}`, 422, "power_w"},
		{"POST", "/api/v1/limits", `{"node":"a","power_w":1,"for_s":-1}`, 422, "for_s"},
		{"POST", "/api/v1/limits", `{"node":"a","power_w":"1 MW","for_s":0}`, 422, "power_w"},
		{"POST", "/api/v1/limits", `{"node":"a","for_s":0}`, 422, "power_w"},
		{"POST", "/api/v1/limits", `{"node":"a","power_w":1,"for_s":0,"forever":true}`, 422, "forever"},
		{"POST", "/api/v1/limits", `{"node":"a","power_w":1e999,"for_s":0}`, 400, ""},
		{"POST", "/api/v1/limits", `nonsense`, 400, ""},
		{"POST", "/api/v1/limits", "", 400, "body"},
		{"POST", "/api/v1/holds", `{"devices":["a"],"mode":"off"}`, 422, "mode"},
		{"POST", "/api/v1/holds", `{"devices":["a"],"mode":"run","note":"` + strings.Repeat("x", 501) + `"}`, 422, "note"},
		{"GET", "/api/v1/nothing", "", 404, ""},
		{"PUT", "/api/v1/limits", "{}", 405, ""},
		{"POST", "/api/v1/live", "{}", 405, ""},
	} {
		w := f.ask(Admin, c.method, c.path, c.body)
		if told, _ := f.take(); w.Code != c.code || !strings.Contains(w.Body.String(), c.says) || len(told) > 0 {
			t.Errorf("%s %s %.60s: %d %s; told %v", c.method, c.path, c.body, w.Code, w.Body, told)
		}
	}
}

func TestHistoryDefaultsToTheLastDayOfSiteTime(t *testing.T) {
	f := newFace(t)
	if w := f.ask(Viewer, "GET", "/api/v1/history", ""); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if f.span != [2]time.Time{siteTime.Add(-24 * time.Hour), siteTime} || f.step != 5*time.Minute {
		t.Errorf("%v in steps of %s", f.span, f.step)
	}
	f.take()
	f.ask(Viewer, "GET", "/api/v1/why/s21-001", "")
	if told, _ := f.take(); len(told) != 1 || told[0] != "why s21-001 at 2026-03-02T12:00:00Z" {
		t.Errorf("told %v", told)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	f := newFace(t)
	huge := `{"node":"a","power_w":1,"for_s":0,"note":"` + strings.Repeat("x", 2<<20) + `"}`
	if w := f.ask(Admin, "POST", "/api/v1/limits", huge); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("two MiB: %d", w.Code)
	}
	if w := f.ask("", "POST", "/api/v1/session", `{"token":"`+strings.Repeat("x", 2<<20)+`"}`, "X-Switchyard", "1"); w.Code != http.StatusBadRequest {
		t.Errorf("two MiB to log in: %d", w.Code)
	}
	if told, _ := f.take(); len(told) > 0 {
		t.Errorf("told %v", told)
	}
}

func TestEveryAnswerCarriesThePolicy(t *testing.T) {
	f := newFace(t)
	for _, path := range []string{"/", "/index.html", "/assets/app-abc.js", "/assets/gone.js", "/api/v1/live", "/api/openapi.json", "/metrics", "/healthz", "/nothing"} {
		w := f.ask("", "GET", path, "")
		csp := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q lacks %s", path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", path, w.Header())
		}
	}
}

func TestThePageIsServedAndItsAssetsKept(t *testing.T) {
	f := newFace(t)
	for path, want := range map[string]struct {
		code  int
		cache string
	}{
		"/":                  {200, "no-cache"},
		"/favicon.svg":       {200, "no-cache"},
		"/assets/app-abc.js": {200, "public, max-age=31536000, immutable"},
		"/assets/app-old.js": {404, ""}, // not kept: the next build may have it
		"/assets/":           {404, ""}, // no list of files
		"/nothing":           {404, ""},
		"/healthz":           {200, ""},
	} {
		w := f.ask("", "GET", path, "")
		if w.Code != want.code || w.Header().Get("Cache-Control") != want.cache {
			t.Errorf("%s: %d, Cache-Control %q", path, w.Code, w.Header().Get("Cache-Control"))
		}
	}
	f.site.Page, f.site.Metrics = nil, nil
	f.h = Handler(f.site)
	for _, path := range []string{"/", "/metrics"} {
		if w := f.ask(Admin, "GET", path, ""); w.Code != 404 {
			t.Errorf("%s of a controller without it: %d", path, w.Code)
		}
	}
}

// events reads server-sent events until n came.
func events(t *testing.T, r *bufio.Reader, n int) []string {
	t.Helper()
	var out []string
	name := ""
	for len(out) < n {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("after %v: %v", out, err)
		}
		if v, ok := strings.CutPrefix(line, "event: "); ok {
			name = strings.TrimSpace(v)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if !json.Valid([]byte(data)) {
				t.Errorf("%s is no JSON: %s", name, data)
			}
			out = append(out, name)
		}
	}
	return out
}

// follow opens the stream of a served API.
func (f *face) follow(ctx context.Context, url, token string) *http.Response {
	f.t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", url+"/api/v1/events", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		f.t.Fatalf("%s %v", res.Status, res.Header)
	}
	return res
}

func TestEventsComeAndEndWithTheirReader(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	s := httptest.NewServer(f.h)
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	res := f.follow(ctx, s.URL, f.tokens[Viewer])
	defer func() { _ = res.Body.Close() }()
	r := bufio.NewReader(res.Body)
	if got := events(t, r, 1); got[0] != "live" {
		t.Errorf("the first event is %v", got)
	}
	f.decisions <- Decision{Text: "one"}
	f.decisions <- Decision{Text: "two"}
	if got := events(t, r, 2); got[0] != "decision" || got[1] != "decision" {
		t.Errorf("decisions came as %v", got)
	}
	f.change()
	if got := events(t, r, 1); got[0] != "live" {
		t.Errorf("a change came as %v", got)
	}
	cancel()
	select {
	case <-f.follows:
	case <-time.After(20 * time.Second):
		t.Error("the server follows decisions for a reader that is gone")
	}
}

func TestEventsEndWhenTheTokenIsRevoked(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	s := httptest.NewServer(f.h)
	defer s.Close()
	res := f.follow(t.Context(), s.URL, f.tokens[Viewer])
	defer func() { _ = res.Body.Close() }()
	if err := f.site.Tokens.Revoke(t.Context(), "the viewer"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, res.Body); ended <- err }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("a revoked token goes on reading the site")
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := newFace(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, f.h, f.site.Log) }()
	url := "http://" + l.Addr().String()
	res := f.follow(t.Context(), url, f.tokens[Viewer]) // an open stream does not keep it
	defer func() { _ = res.Body.Close() }()
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it serves on")
	}
	if err := Serve(t.Context(), l, f.h, f.site.Log); err == nil || errors.Is(err, http.ErrServerClosed) {
		t.Errorf("on a closed listener: %v", err)
	}
}

func TestABuildWithoutItsPageSaysSo(t *testing.T) {
	f := newFace(t)
	f.site.Page = nil
	f.h = Handler(f.site)
	if w := f.ask("", "GET", "/", ""); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "make build") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
