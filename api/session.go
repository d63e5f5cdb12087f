package api

import (
	"encoding/json"
	"net/http"
)

// The session calls are plain handlers: they set and clear a cookie, for the page only.

type sessionView struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
	// Tenant is whose page is shown, with the role tenant.
	Tenant string `json:"tenant,omitempty"`
}

func (s Site) whoAmI(w http.ResponseWriter, r *http.Request) {
	who, ok := s.Tokens.Identify(r)
	if !ok {
		answer(w, http.StatusUnauthorized, map[string]string{"detail": "not logged in"})
		return
	}
	answer(w, http.StatusOK, sessionView(who))
}

func (s Site) logIn(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Token string `json:"token"`
	}
	if r.Header.Get("X-Switchyard") == "" || json.NewDecoder(r.Body).Decode(&in) != nil {
		answer(w, http.StatusBadRequest, map[string]string{"detail": `send {"token":"…"} with the header X-Switchyard: 1`})
		return
	}
	if !s.Tokens.mayTry(false) {
		answer(w, http.StatusTooManyRequests, map[string]string{"detail": "too many wrong tokens; wait a minute"})
		return
	}
	who, ok := s.Tokens.check(in.Token)
	if !ok {
		s.Tokens.mayTry(true)
		s.Audit.Audit(r.Context(), "unknown", "log in from "+r.RemoteAddr, "refused: wrong token")
		answer(w, http.StatusUnauthorized, map[string]string{"detail": "this token is not known; `switchyard token new` makes another"})
		return
	}
	s.Audit.Audit(r.Context(), who.Name, "log in from "+r.RemoteAddr, "done")
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: s.Tokens.begin(who), Path: "/", MaxAge: int(sessionLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
	answer(w, http.StatusOK, sessionView(who))
}

func (s Site) logOut(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookieName); err == nil && r.Header.Get("X-Switchyard") != "" {
		s.Tokens.end(c.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	w.WriteHeader(http.StatusNoContent)
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the asker may be gone; there is nobody left to tell
}
