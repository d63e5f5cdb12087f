package vtn

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// grant is what a token stands for.
type grant struct {
	client Client
	until  time.Time // machine time
}

// serveToken is POST /auth/token: client credentials for a bearer token.
func (v *VTN) serveToken(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, word, why string) {
		answer(w, status, Object{"error": word, "error_description": why})
	}
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		refuse(http.StatusBadRequest, "invalid_request", "the body is not a form")
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.faults.NoTokens {
		answer(w, http.StatusInternalServerError, Object{"title": "Internal Server Error", "status": 500})
		return
	}
	switch {
	case r.PostForm.Get("grant_type") != "client_credentials":
		refuse(http.StatusBadRequest, "unsupported_grant_type", "only client_credentials are")
		return
	case r.PostForm.Get("client_id") == "" || r.PostForm.Get("client_secret") == "":
		refuse(http.StatusBadRequest, "invalid_request", "client_id or client_secret is missing")
		return
	}
	for _, c := range v.cfg.Clients {
		if c.ID == r.PostForm.Get("client_id") && c.Secret == r.PostForm.Get("client_secret") {
			b := make([]byte, 24)
			_, _ = rand.Read(b) // it does not fail
			token := hex.EncodeToString(b)
			for t, g := range v.tokens {
				if time.Now().After(g.until) {
					delete(v.tokens, t)
				}
			}
			v.tokens[token] = grant{c, time.Now().Add(v.cfg.TokenLife)}
			w.Header().Set("Cache-Control", "no-store")
			answer(w, http.StatusOK, Object{"access_token": token, "token_type": "Bearer", "expires_in": int(v.cfg.TokenLife.Seconds())})
			return
		}
	}
	status := http.StatusUnauthorized
	if v.old {
		status = http.StatusForbidden // 3.0 has no 401 here
	}
	refuse(status, "invalid_client", "the client is not known by that secret")
}

// serveServer is GET /auth/server of 3.1.
func (v *VTN) serveServer(w http.ResponseWriter, r *http.Request) {
	where := v.cfg.TokenURL
	if where == "" {
		where = "http://" + r.Host + strings.TrimSuffix(r.URL.Path, "/server") + "/token"
	}
	answer(w, http.StatusOK, Object{"tokenURL": where})
}

// who finds out who asks; false when nobody whom we know.
func (v *VTN) who(r *http.Request) (Client, bool) {
	if len(v.cfg.Clients) == 0 {
		return Client{ID: "anonymous", Business: true}, true
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return Client{}, false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	g, ok := v.tokens[token]
	if !ok || time.Now().After(g.until) || v.dice.Hit(v.faults.Spent) && v.faults.Spent > 0 {
		return Client{}, false
	}
	return g.client, true
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

func (p *problem) answer(w http.ResponseWriter) {
	answer(w, p.status, Object{"title": http.StatusText(p.status), "status": p.status, "detail": p.detail})
}
