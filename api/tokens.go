package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// TokenView is one token without its secret. GET /api/v1/tokens (admin)
type TokenView struct {
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	Tenant  string    `json:"tenant,omitempty"`
	Created time.Time `json:"created"`
}

// TokenRequest makes a token. POST /api/v1/tokens (admin); DELETE /api/v1/tokens/{name} revokes.
type TokenRequest struct {
	Name string `json:"name" minLength:"1" maxLength:"64"`
	Role Role   `json:"role" enum:"tenant,viewer,operator,admin"`
	// Tenant is whose token it is, by its id in the site file, with the role tenant.
	Tenant string `json:"tenant,omitempty" maxLength:"48"`
}

// Words says what is asked for, for the audit.
func (r TokenRequest) Words() string {
	return strings.TrimSuffix(r.Name+", "+string(r.Role)+" "+r.Tenant, " ")
}

// NewToken is a token just made; the token itself is in this answer and nowhere else.
type NewToken struct {
	Name   string `json:"name"`
	Role   Role   `json:"role"`
	Tenant string `json:"tenant,omitempty"`
	Token  string `json:"token"`
}

// View returns the token without its hash.
func (t Token) View() TokenView {
	return TokenView{Name: t.Name, Role: t.Role, Tenant: t.Tenant, Created: t.Created}
}

// knows says that a tenant, where one is named and tenants are known, must be one of them.
func (s Site) knows(tenant string) error {
	if tenant == "" || s.Tenancy == nil {
		return nil
	}
	var ids []string
	for _, t := range s.Tenancy.Tenants() {
		if t.ID == tenant {
			return nil
		}
		ids = append(ids, t.ID)
	}
	return fmt.Errorf("%w: there is no tenant %q; the site file has %s", ErrInvalid, tenant, strings.Join(ids, ", "))
}

// tokens registers the calls that manage tokens.
func (s Site) tokens(a huma.API) {
	huma.Register(a, operation(http.MethodGet, "/api/v1/tokens", "tokens", "The tokens, without their secrets", Admin),
		func(context.Context, *struct{}) (*body[[]TokenView], error) {
			out := []TokenView{}
			for _, t := range s.Tokens.List() {
				out = append(out, t.View())
			}
			return &body[[]TokenView]{out}, nil
		})
	change(s, a, operation(http.MethodPost, "/api/v1/tokens", "new-token", "Make a token; it is shown in this answer only", Admin),
		func(in *body[TokenRequest]) string { return "new token " + in.Body.Words() },
		func(ctx context.Context, _ string, in *body[TokenRequest]) (NewToken, error) {
			r := in.Body
			if err := s.knows(r.Tenant); err != nil {
				return NewToken{}, err
			}
			token, err := s.Tokens.NewFor(ctx, r.Name, r.Role, r.Tenant)
			return NewToken{Name: r.Name, Role: r.Role, Tenant: r.Tenant, Token: token}, err
		})
	type byName struct {
		Name string `path:"name" maxLength:"64"`
	}
	change(s, a, operation(http.MethodDelete, "/api/v1/tokens/{name}", "revoke-token", "Revoke a token and end its sessions", Admin),
		func(in *byName) string { return "revoke token " + in.Name },
		func(ctx context.Context, _ string, in *byName) (struct{}, error) {
			return struct{}{}, s.Tokens.Revoke(ctx, in.Name)
		})
}
