package openadr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"switchyard/signal/openadr/event"
)

const (
	// tokenMargin is how long before its end a token is replaced, at most half its life.
	tokenMargin = time.Minute
	// tokenLife is taken where the server names none; a refusal replaces it sooner.
	tokenLife = time.Hour
	// tokenRest keeps a server that refuses us from being asked at every call.
	tokenRest = 5 * time.Second
)

// tokens keeps the OAuth2 access token of client credentials. It is safe for concurrent use;
// whoever comes while a token is fetched waits for it.
type tokens struct {
	base       *url.URL // of the VTN
	http       *http.Client
	id, secret string
	scope      string
	fixed      string // the token URL of the site file
	discover   bool   // 3.1: the VTN names it

	mu    sync.Mutex
	where string // found so far
	token string
	until time.Time
	fail  error
	rest  time.Time
}

// get returns a token that holds; spent is one that was refused, or empty. It blocks for one
// or two calls when there is none.
func (t *tokens) get(ctx context.Context, spent string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.token != "" && t.token != spent && now.Before(t.until) {
		return t.token, nil
	}
	if t.fail != nil && now.Before(t.rest) {
		return "", t.fail
	}
	t.token = ""
	if err := t.fetch(ctx); err != nil {
		t.where = "" // it may have moved
		t.fail = &tokenError{t.hide(fmt.Errorf("get a token: %w", err))}
		t.rest = time.Now().Add(tokenRest)
		return "", t.fail
	}
	t.fail = nil
	return t.token, nil
}

// hide takes the secret out of an error's text: a server may repeat what it was sent.
func (t *tokens) hide(err error) error {
	if t.secret == "" || !strings.Contains(err.Error(), t.secret) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), t.secret, "***"))
}

func (t *tokens) fetch(ctx context.Context) error {
	if t.where == "" {
		where, err := t.find(ctx)
		if err != nil {
			return err
		}
		t.where = where
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {t.id}, "client_secret": {t.secret}}
	if t.scope != "" {
		form.Set("scope", t.scope)
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.where, strings.NewReader(form.Encode()))
	if err != nil {
		return errors.New("the token's address cannot be asked for")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	asked := time.Now()
	b, err := exchange(t.http, req)
	if err != nil {
		return err
	}
	return t.keep(b, asked)
}

func (t *tokens) keep(b []byte, asked time.Time) error {
	var got struct {
		Token   string   `json:"access_token"`
		Type    string   `json:"token_type"`
		Expires *float64 `json:"expires_in"`
	}
	if err := json.Unmarshal(b, &got); err != nil {
		return errors.New("the answer does not read as a token")
	}
	switch {
	case got.Token == "" || len(got.Token) > 16<<10 || strings.ContainsFunc(got.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the answer holds no token that can be used")
	case got.Type != "" && !strings.EqualFold(got.Type, "Bearer"):
		return fmt.Errorf("the token is of type %s, not Bearer", event.Quote(got.Type))
	}
	life := tokenLife
	if got.Expires != nil && *got.Expires > 0 && *got.Expires < 1e8 {
		life = time.Duration(*got.Expires * float64(time.Second))
	}
	t.token, t.until = got.Token, asked.Add(life-min(tokenMargin, life/2))
	return nil
}

// find says where tokens are given: as the site file says, else as a VTN of 3.1 does, else
// below the VTN's own address.
func (t *tokens) find(ctx context.Context) (string, error) {
	if t.fixed != "" {
		return t.fixed, nil
	}
	own := *t.base
	own.Path = strings.TrimRight(own.Path, "/") + "/auth/token"
	if !t.discover {
		return own.String(), nil
	}
	server := *t.base
	server.Path = strings.TrimRight(server.Path, "/") + "/auth/server"
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.String(), nil)
	if err != nil {
		return "", errors.New("the VTN's address cannot be asked for")
	}
	req.Header.Set("Accept", "application/json")
	b, err := exchange(t.http, req)
	if refused(err, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented) {
		return own.String(), nil // it does not name one
	}
	if err != nil {
		return "", fmt.Errorf("GET /auth/server: %w", err)
	}
	var info struct {
		TokenURL string `json:"tokenURL"`
	}
	if err := json.Unmarshal(b, &info); err != nil || info.TokenURL == "" {
		return "", errors.New("GET /auth/server: the answer names no tokenURL")
	}
	return t.trust(info.TokenURL)
}

// trust checks the address that a VTN names: the secret goes there.
func (t *tokens) trust(named string) (string, error) {
	u, err := t.base.Parse(named)
	switch {
	case err != nil || u.Host == "":
		return "", fmt.Errorf("the VTN names %s for tokens, which is no address", event.Quote(named))
	case u.Scheme != "https" && (u.Scheme != "http" || t.base.Scheme != "http"):
		return "", fmt.Errorf("the VTN names %s for tokens: the secret is sent over https only; set token_url if it is meant", event.Quote(u.Redacted()))
	}
	u.User = nil
	return u.String(), nil
}
