package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Role is what a token may do; a higher role may do all that a lower one may.
type Role string

// The roles.
const (
	Tenant   Role = "tenant"   // see what is one tenant's own, and nothing else
	Viewer   Role = "viewer"   // look at the whole site
	Operates Role = "operator" // and set limits and holds
	Admin    Role = "admin"    // and manage tokens
)

func (r Role) rank() int { return slices.Index([]Role{Tenant, Viewer, Operates, Admin}, r) }

// May says whether r includes what needed allows; an unknown role may nothing.
func (r Role) May(needed Role) bool { return r.rank() >= 0 && r.rank() >= needed.rank() }

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	if r := Role(s); r.rank() >= 0 {
		return r, nil
	}
	return "", fmt.Errorf("%w: %q is no role; choose viewer, operator, admin or tenant", ErrInvalid, s)
}

// Token is one stored token: its hash, never the token.
type Token struct {
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	Tenant  string    `json:"tenant,omitempty"` // whose, with the role tenant
	Hash    string    `json:"sha256"`           // hex; tokens hold 256 random bits, so a plain hash is enough
	Created time.Time `json:"created"`
}

// Who is an authenticated asker.
type Who struct {
	Name   string
	Role   Role
	Tenant string // whose, with the role tenant; else empty
}

const (
	maxTokens   = 100
	maxSessions = 1000
	sessionLife = 12 * time.Hour
	cookieName  = "switchyard"
)

// Tokens knows who may do what. Its methods are safe for concurrent use.
type Tokens struct {
	store TokenStore
	mu    sync.Mutex
	list  []Token
	open  map[string]session // by session id
	fails []time.Time        // of late; bounded by what is refused
}

type session struct {
	who   Who
	until time.Time
}

// LoadTokens reads the stored tokens.
func LoadTokens(ctx context.Context, s TokenStore) (*Tokens, error) {
	t := &Tokens{store: s, open: map[string]session{}}
	doc, err := s.LoadTokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("load tokens: %w", err)
	}
	if doc != nil {
		if err := json.Unmarshal(doc, &t.list); err != nil {
			return nil, fmt.Errorf("read the stored tokens: %w", err)
		}
	}
	return t, nil
}

// Empty says whether there is no token yet: the first start.
func (t *Tokens) Empty() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.list) == 0
}

// New makes a token and stores its hash; the token itself is returned once and kept nowhere.
// One of a tenant is made by NewFor.
func (t *Tokens) New(ctx context.Context, name string, role Role) (string, error) {
	return t.NewFor(ctx, name, role, "")
}

// tenantForm is what a tenant's id looks like in the site file.
var tenantForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,47}$`)

// NewFor is New for a token that is bound to one tenant: tenant is its id in the site file with
// the role Tenant, and empty with every other.
func (t *Tokens) NewFor(ctx context.Context, name string, role Role, tenant string) (string, error) {
	switch {
	case role == Tenant && !tenantForm.MatchString(tenant):
		return "", fmt.Errorf("%w: a token with the role tenant is of one tenant; name it by its id in the site file", ErrInvalid)
	case role != Tenant && tenant != "":
		return "", fmt.Errorf("%w: a token of the tenant %s has the role tenant, not %s", ErrInvalid, tenant, role)
	}
	if name == "" || len(name) > 64 {
		return "", fmt.Errorf("%w: a token needs a name of 1 to 64 characters", ErrInvalid)
	}
	if _, err := ParseRole(string(role)); err != nil {
		return "", err
	}
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	token := "sy_" + base64.RawURLEncoding.EncodeToString(raw[:])
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.ContainsFunc(t.list, func(k Token) bool { return k.Name == name }) {
		return "", fmt.Errorf("%w: a token named %q exists; revoke it first or choose another name", ErrInvalid, name)
	}
	if len(t.list) >= maxTokens {
		return "", fmt.Errorf("%w: %d tokens exist; revoke one first", ErrInvalid, maxTokens)
	}
	list := append(slices.Clone(t.list), Token{Name: name, Role: role, Tenant: tenant, Hash: hashOf(token), Created: time.Now().UTC()})
	return token, t.save(ctx, list)
}

// Revoke removes a token and ends its sessions.
func (t *Tokens) Revoke(ctx context.Context, name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(t.list), func(k Token) bool { return k.Name == name })
	if len(list) == len(t.list) {
		return fmt.Errorf("token %q: %w", name, ErrNotFound)
	}
	for id, s := range t.open {
		if s.who.Name == name {
			delete(t.open, id)
		}
	}
	return t.save(ctx, list)
}

// List returns the tokens without their hashes.
func (t *Tokens) List() []Token {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := slices.Clone(t.list)
	for i := range out {
		out[i].Hash = ""
	}
	return out
}

func (t *Tokens) save(ctx context.Context, list []Token) error {
	doc, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := t.store.SaveTokens(ctx, doc); err != nil {
		return fmt.Errorf("store tokens: %w", err)
	}
	t.list = list
	return nil
}

func hashOf(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}

// check returns who holds the token, in a time that does not tell how much of it was right.
func (t *Tokens) check(token string) (Who, bool) {
	h := []byte(hashOf(token))
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.list {
		if subtle.ConstantTimeCompare(h, []byte(k.Hash)) == 1 {
			return Who{Name: k.Name, Role: k.Role, Tenant: k.Tenant}, true
		}
	}
	return Who{}, false
}

// mayTry counts wrong log-ins: ten a minute for all askers together.
func (t *Tokens) mayTry(failed bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.fails = slices.DeleteFunc(t.fails, func(f time.Time) bool { return now.Sub(f) > time.Minute })
	if failed && len(t.fails) < 10 {
		t.fails = append(t.fails, now)
	}
	return len(t.fails) < 10
}

func (t *Tokens) begin(who Who) string {
	id := rand.Text()
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for k, s := range t.open {
		if now.After(s.until) || len(t.open) >= maxSessions {
			delete(t.open, k)
		}
	}
	t.open[id] = session{who: who, until: now.Add(sessionLife)}
	return id
}

func (t *Tokens) end(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, id)
}

// Identify returns who asks: by bearer token, or by the page's session cookie. A change by
// cookie must carry the header X-Switchyard, which no foreign page can send.
func (t *Tokens) Identify(r *http.Request) (Who, bool) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return t.check(strings.TrimSpace(token))
	}
	c, err := r.Cookie(cookieName)
	if err != nil {
		return Who{}, false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get("X-Switchyard") == "" {
		return Who{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.open[c.Value]
	if !ok || time.Now().After(s.until) {
		return Who{}, false
	}
	return s.who, true
}
