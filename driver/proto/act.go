package proto

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/driver/rpc"
	"switchyard/site"
)

// Do carries out one action.
func (d *device) Do(ctx context.Context, a driver.Action) error {
	if err := d.act(ctx, a); err != nil {
		return fmt.Errorf("proto %s: %s: %w", d.t.Device, a.Act, err)
	}
	return nil
}

func (d *device) act(ctx context.Context, a driver.Action) error {
	d.dirty = true
	switch a.Act {
	case site.ActReboot:
		r, err := d.web.Once(ctx, http.MethodPost, prefix+"system/reboot", nil)
		if errors.Is(err, httpx.ErrCut) {
			return nil
		}
		if err != nil {
			return err
		}
		return acknowledged(r, http.MethodPost, "system/reboot")
	case site.ActLED:
		// Without a time it blinks until it is told to end.
		return d.tell(ctx, http.MethodPost, fmt.Sprintf("system/locate?enable=%t", a.On), nil)
	case site.ActPools:
		return d.setPools(ctx, a.Pools)
	case site.ActPassword:
		return d.setPassword(ctx, a.Password)
	}
	return driver.ErrUnsupported
}

// maxPools is how many pools the rig takes; they replace all it had.
const maxPools = 3

func (d *device) setPools(ctx context.Context, pools []driver.Pool) error {
	if len(pools) == 0 || len(pools) > maxPools {
		return fmt.Errorf("%d pools: it takes one to %d: %w", len(pools), maxPools, driver.ErrUnsupported)
	}
	list := make([]map[string]any, len(pools))
	for i, p := range pools {
		list[i] = map[string]any{"name": fmt.Sprint("Pool ", i+1), "url": p.URL, "username": p.Worker, "password": string(p.Password), "priority": i}
	}
	return d.tell(ctx, http.MethodPost, "pools", list)
}

func (d *device) setPassword(ctx context.Context, password driver.Secret) error {
	if password == "" {
		return fmt.Errorf("an empty password: %w", driver.ErrUnsupported)
	}
	body := map[string]string{"current_password": string(d.access.password), "new_password": string(password)}
	if err := d.tell(ctx, http.MethodPut, "auth/change-password", body); err != nil {
		return err
	}
	d.access.password, d.access.refresh = password, ""
	return d.access.token.Fetch(ctx, d.web) // the old token may end with the password
}

// Stage fetches an access token where there is none or the present one soon ends.
func (d *device) Stage(ctx context.Context) error {
	if d.access.token.Known() && (d.access.until.IsZero() || d.t.Now().Before(d.access.until)) {
		return nil
	}
	if err := d.access.token.Fetch(ctx, d.web); err != nil {
		return fmt.Errorf("proto %s: %w", d.t.Device, err)
	}
	return nil
}

// access keeps the tokens. Requests are signed with the access token; a 401 fetches another.
type access struct {
	password driver.Secret
	now      func() time.Time
	token    httpx.Token
	refresh  string
	// until is when the access token is to be replaced, by this machine's clock: the device's
	// may be wrong. Zero: not told.
	until time.Time
}

func (a *access) start() *httpx.Token {
	a.token = httpx.Token{Scheme: "Bearer ", Login: a.login}
	return &a.token
}

// login fetches an access token, by the refresh token where there is one.
func (a *access) login(ctx context.Context, c *httpx.Client) (string, error) {
	if refresh := a.refresh; refresh != "" {
		a.refresh = ""
		o, err := ask(ctx, c, "auth/refresh", map[string]string{"refresh_token": refresh})
		if token := o.Text("access_token"); err == nil && token != "" {
			a.refresh, a.until = refresh, a.ends(token)
			return token, nil
		}
		if ctx.Err() != nil {
			return "", err
		}
	}
	o, err := ask(ctx, c, "auth/login", map[string]string{"password": string(a.password)})
	if err != nil {
		return "", err
	}
	token := o.Text("access_token")
	if token == "" {
		return "", fmt.Errorf("auth/login gave no token: %w", driver.ErrUnreachable)
	}
	a.refresh, a.until = o.Text("refresh_token"), a.ends(token)
	return token, nil
}

// ask posts without a token.
func ask(ctx context.Context, c *httpx.Client, page string, body any) (rpc.Object, error) {
	r, err := c.Plain(ctx, http.MethodPost, prefix+page, body)
	if err == nil {
		err = r.Check(http.MethodPost, prefix+page)
	}
	if err != nil {
		return nil, err
	}
	return parse(page, r.Body)
}

// ends says when three quarters of the token's life are over.
func (a *access) ends(token string) time.Time {
	life := lifeOf(token)
	if life <= 0 {
		return time.Time{}
	}
	return a.now().Add(life * 3 / 4)
}

// lifeOf reads from a token how long it lives: from when it was issued, where it says so,
// else for the shortest time that makes sense; 0 where it tells no end.
func lifeOf(token string) time.Duration {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return 0
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var claims struct{ Exp, Iat float64 }
	if err != nil || json.Unmarshal(text, &claims) != nil || !(claims.Exp > 0 && claims.Exp < 1e11) {
		return 0
	}
	if life := claims.Exp - claims.Iat; claims.Iat > 0 && life > 0 && life < 1e8 {
		return time.Duration(life * float64(time.Second))
	}
	return 10 * time.Minute
}
