package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// TokenView is one token without its secret. GET /api/v1/tokens (admin)
type TokenView struct {
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	Created time.Time `json:"created"`
}

// TokenRequest makes a token. POST /api/v1/tokens (admin); DELETE /api/v1/tokens/{name} revokes.
type TokenRequest struct {
	Name string `json:"name" minLength:"1" maxLength:"64"`
	Role Role   `json:"role" enum:"viewer,operator,admin"`
}

// NewToken is a token just made; the token itself is in this answer and nowhere else.
type NewToken struct {
	Name  string `json:"name"`
	Role  Role   `json:"role"`
	Token string `json:"token"`
}

// View returns the token without its hash.
func (t Token) View() TokenView { return TokenView{Name: t.Name, Role: t.Role, Created: t.Created} }

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
		func(in *body[TokenRequest]) string { return "new token " + in.Body.Name + ", " + string(in.Body.Role) },
		func(ctx context.Context, _ string, in *body[TokenRequest]) (NewToken, error) {
			token, err := s.Tokens.New(ctx, in.Body.Name, in.Body.Role)
			return NewToken{Name: in.Body.Name, Role: in.Body.Role, Token: token}, err
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
