package api

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// withCookie sends one request with a session's cookie.
func (f *face) withCookie(c *http.Cookie, method, path, body string, header ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.ask("", method, path, body, append(header, "Cookie", c.Name+"="+c.Value)...)
}

func TestASessionBeginsAndEnds(t *testing.T) {
	f := newFace(t)
	c := f.cookie(Operates)
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.MaxAge != 12*3600 || c.Secure {
		t.Errorf("cookie %+v", c)
	}
	if strings.Contains(c.Value, f.tokens[Operates][3:]) {
		t.Error("the cookie is the token")
	}
	if _, audit := f.take(); len(audit) != 1 || !strings.HasPrefix(audit[0], "the operator: log in from ") || !strings.HasSuffix(audit[0], "done") {
		t.Errorf("audit %v", audit)
	}
	w := f.withCookie(c, "GET", "/api/v1/session", "")
	if got := decode[sessionView](t, w); w.Code != 200 || got != (sessionView{Name: "the operator", Role: Operates}) {
		t.Errorf("who am I: %d %+v", w.Code, got)
	}
	if got := decode[SiteView](t, f.withCookie(c, "GET", "/api/v1/site", "")); got.Role != "operator" {
		t.Errorf("the site says the asker is %q", got.Role)
	}
	if w := f.withCookie(c, "GET", "/api/v1/tokens", ""); w.Code != http.StatusForbidden {
		t.Errorf("an operator's session reads the tokens: %d", w.Code)
	}
	if w := f.withCookie(c, "DELETE", "/api/v1/session", ""); w.Code != 204 {
		t.Errorf("log out without the header: %d", w.Code)
	}
	if w := f.withCookie(c, "GET", "/api/v1/live", ""); w.Code != 200 {
		t.Error("a request that any page can send ended the session")
	}
	w = f.withCookie(c, "DELETE", "/api/v1/session", "", "X-Switchyard", "1")
	if gone := w.Result().Cookies(); w.Code != 204 || len(gone) != 1 || gone[0].MaxAge >= 0 {
		t.Errorf("log out: %d %v", w.Code, gone)
	}
	for _, p := range []string{"/api/v1/live", "/api/v1/session", "/metrics"} {
		if w := f.withCookie(c, "GET", p, ""); w.Code != http.StatusUnauthorized {
			t.Errorf("%s after the log out: %d", p, w.Code)
		}
	}
}

func TestTheCookieIsSecureOverTLS(t *testing.T) {
	f := newFace(t)
	s := httptest.NewTLSServer(f.h)
	defer s.Close()
	r, _ := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/api/v1/session", strings.NewReader(`{"token":"`+f.tokens[Viewer]+`"}`))
	r.Header.Set("X-Switchyard", "1")
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if c := res.Cookies(); len(c) != 1 || !c[0].Secure {
		t.Errorf("cookies %v", c)
	}
}

func TestAChangeByCookieNeedsTheHeader(t *testing.T) {
	f := newFace(t)
	c := f.cookie(Admin)
	for _, op := range operations() {
		if op.audit == "" {
			continue
		}
		f.take()
		w := f.withCookie(c, op.method, op.path, op.body)
		if told, audit := f.take(); w.Code != http.StatusUnauthorized || len(told)+len(audit) > 0 {
			t.Errorf("%s %s without the header: %d, told %v", op.method, op.path, w.Code, told)
		}
		if w := f.withCookie(c, op.method, op.path, op.body, "X-Switchyard", "1"); w.Code/100 != 2 {
			t.Errorf("%s %s with the header: %d %s", op.method, op.path, w.Code, w.Body)
		}
		// A bearer token is sent on purpose: it needs none. That is the table of roles.
	}
	if w := f.ask("", "POST", "/api/v1/session", `{"token":"`+f.tokens[Admin]+`"}`); w.Code != http.StatusBadRequest || len(w.Result().Cookies()) > 0 {
		t.Errorf("log in without the header: %d", w.Code)
	}
}

func TestWrongLogInsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		try := func(token string) int {
			return f.ask("", "POST", "/api/v1/session", `{"token":"`+token+`"}`, "X-Switchyard", "1").Code
		}
		for i := range 10 {
			if code := try("guess"); code != http.StatusUnauthorized {
				t.Fatalf("guess %d: %d", i, code)
			}
		}
		_, audit := f.take()
		if len(audit) != 10 || !strings.HasPrefix(audit[0], "unknown: log in from ") || strings.Contains(strings.Join(audit, ""), "guess") {
			t.Errorf("audit %v", audit)
		}
		for range 100 {
			if code := try("guess"); code != http.StatusTooManyRequests {
				t.Fatalf("after ten: %d", code)
			}
		}
		if code := try(f.tokens[Admin]); code != http.StatusTooManyRequests {
			t.Errorf("the right token during the pause: %d", code)
		}
		if _, audit := f.take(); len(audit) != 0 {
			t.Errorf("guesses that were not looked at fill the journal: %d lines", len(audit))
		}
		if w := f.ask(Viewer, "GET", "/api/v1/live", ""); w.Code != 200 {
			t.Errorf("a bearer token during the pause: %d", w.Code)
		}
		time.Sleep(61 * time.Second)
		if code := try(f.tokens[Admin]); code != 200 {
			t.Errorf("a minute later: %d", code)
		}
	})
}

func TestSessionsEndByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		c := f.cookie(Viewer)
		time.Sleep(sessionLife - time.Second)
		if w := f.withCookie(c, "GET", "/api/v1/live", ""); w.Code != 200 {
			t.Errorf("shortly before its end: %d", w.Code)
		}
		time.Sleep(2 * time.Second)
		if w := f.withCookie(c, "GET", "/api/v1/live", ""); w.Code != http.StatusUnauthorized {
			t.Errorf("after its end: %d", w.Code)
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	f := newFace(t)
	for range maxSessions + 50 {
		f.site.Tokens.begin(Who{Name: "the viewer", Role: Viewer})
	}
	if n := len(f.site.Tokens.open); n > maxSessions {
		t.Errorf("%d sessions are open", n)
	}
	if w := f.withCookie(f.cookie(Viewer), "GET", "/api/v1/live", ""); w.Code != 200 {
		t.Errorf("the newest session does not hold: %d", w.Code)
	}
}

func TestTokensAreKeptAsHashesOnly(t *testing.T) {
	f := newFace(t)
	for r, token := range f.tokens {
		if bytes.Contains(f.doc, []byte(token)) || bytes.Contains(f.doc, []byte(token[3:])) {
			t.Errorf("the store holds the token of %s", r)
		}
		if !bytes.Contains(f.doc, []byte(hashOf(token))) {
			t.Errorf("the store does not know the token of %s", r)
		}
	}
	again, err := LoadTokens(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if who, ok := again.check(f.tokens[Operates]); !ok || who != (Who{Name: "the operator", Role: Operates}) {
		t.Errorf("after a restart: %+v, %v", who, ok)
	}
	f.doc = []byte("{")
	if _, err := LoadTokens(t.Context(), f); err == nil {
		t.Error("a torn store of tokens opened")
	}
}

func TestSecretsAreInNoAnswer(t *testing.T) {
	f := newFace(t)
	c := f.cookie(Admin)
	var all strings.Builder
	for _, op := range operations() {
		if op.method == "POST" && strings.HasSuffix(op.path, "/tokens") {
			continue // its answer is the one place
		}
		w := f.ask(Admin, op.method, op.path, op.body)
		_ = w.Header().Write(&all)
		all.WriteString(w.Body.String())
	}
	_, audit := f.take()
	all.WriteString(strings.Join(audit, "\n"))
	all.WriteString(f.log.String())
	for r, token := range f.tokens {
		for _, secret := range []string{token, hashOf(token), c.Value} {
			if strings.Contains(all.String(), secret) {
				t.Errorf("an answer, the audit or the log holds a secret of %s", r)
			}
		}
	}
}

func TestANewTokenIsShownOnceAndRevokedWithItsSessions(t *testing.T) {
	f := newFace(t)
	made := decode[NewToken](t, f.ask(Admin, "POST", "/api/v1/tokens", `{"name":"eva","role":"operator"}`))
	if made.Name != "eva" || made.Role != Operates || !strings.HasPrefix(made.Token, "sy_") || len(made.Token) < 40 {
		t.Fatalf("made %+v", made)
	}
	if w := f.ask(Admin, "POST", "/api/v1/tokens", `{"name":"eva","role":"viewer"}`); w.Code != 422 {
		t.Errorf("the same name again: %d", w.Code)
	}
	list := f.ask(Admin, "GET", "/api/v1/tokens", "")
	if got := decode[[]TokenView](t, list); len(got) != 4 || got[3].Name != "eva" || got[3].Created.IsZero() || strings.Contains(list.Body.String(), "sha256") {
		t.Errorf("the list: %s", list.Body)
	}
	f.tokens["eva"] = made.Token
	c := f.cookie("eva")
	if w := f.ask(Admin, "DELETE", "/api/v1/tokens/eva", ""); w.Code/100 != 2 {
		t.Fatalf("revoke: %d %s", w.Code, w.Body)
	}
	if w := f.ask("eva", "GET", "/api/v1/live", ""); w.Code != 401 {
		t.Errorf("the token after it was revoked: %d", w.Code)
	}
	if w := f.withCookie(c, "GET", "/api/v1/live", ""); w.Code != 401 {
		t.Errorf("its session after it was revoked: %d", w.Code)
	}
	if w := f.ask(Admin, "DELETE", "/api/v1/tokens/eva", ""); w.Code != 404 {
		t.Errorf("revoke twice: %d", w.Code)
	}
	for _, body := range []string{`{"name":"","role":"viewer"}`, `{"name":"x","role":"root"}`, `{"name":"` + strings.Repeat("x", 65) + `","role":"viewer"}`, `{"name":"x"}`, `{`} {
		if w := f.ask(Admin, "POST", "/api/v1/tokens", body); w.Code != 422 && w.Code != 400 {
			t.Errorf("%s: %d", body, w.Code)
		}
	}
}

func TestTokensThatCannotBeStoredAreNotMade(t *testing.T) {
	f := newFace(t)
	before := len(f.site.Tokens.List())
	f.err = errors.Join(ErrUnavailable, errDisk)
	if w := f.ask(Admin, "POST", "/api/v1/tokens", `{"name":"eva","role":"viewer"}`); w.Code != 503 || strings.Contains(w.Body.String(), "sy_") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.ask(Admin, "DELETE", "/api/v1/tokens/the%20viewer", ""); w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if n := len(f.site.Tokens.List()); n != before {
		t.Errorf("%d tokens, %d before", n, before)
	}
	f.err = nil
	for i := 0; len(f.site.Tokens.List()) < maxTokens; i++ {
		if w := f.ask(Admin, "POST", "/api/v1/tokens", fmt.Sprintf(`{"name":"token %d","role":"viewer"}`, i)); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if w := f.ask(Admin, "POST", "/api/v1/tokens", `{"name":"one more","role":"viewer"}`); w.Code != 422 {
		t.Errorf("token %d: %d", maxTokens+1, w.Code)
	}
}
