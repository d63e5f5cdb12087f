package auradine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/driver/rpc"
)

// token is what a login gives; it goes into a header of its own.
type token struct {
	d     *device
	value string
}

// Sign puts the token on, if there is one.
func (k *token) Sign(r *http.Request) error {
	if k.value != "" {
		r.Header["Token"] = []string{k.value}
	}
	return nil
}

// Renew logs in anew.
func (k *token) Renew(ctx context.Context, c *httpx.Client, _ *http.Response) (bool, error) {
	return true, k.fetch(ctx, c)
}

// fetch logs in over the client's port.
func (k *token) fetch(ctx context.Context, c *httpx.Client) error {
	k.value = ""
	body := map[string]string{"command": "token", "user": k.d.t.User, "password": string(k.d.t.Password)}
	r, err := c.Plain(ctx, http.MethodPost, "/token", body)
	if err == nil {
		err = r.Check(http.MethodPost, "/token")
	}
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	reply, err := rpc.Parse(r.Body)
	if err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	if reply.Status().Err() != nil { // a login can fail for one reason only
		return fmt.Errorf("log in: code %d: %w", reply.Status().Code, driver.ErrUnauthorized)
	}
	if list := reply.Objects("Token"); len(list) > 0 {
		k.value = list[0].Text("Token")
	}
	if k.value == "" {
		return fmt.Errorf("log in: no token came: %w", driver.ErrUnreachable)
	}
	return nil
}

// contact finds out which way orders go, and logs in.
func (d *device) contact(ctx context.Context) error {
	if d.web != nil {
		if d.token.value != "" {
			return nil
		}
		return d.token.fetch(ctx, d.web)
	}
	var first error
	for i, c := range d.ways {
		err := d.try(ctx, c)
		if err == nil || errors.Is(err, driver.ErrUnauthorized) {
			d.web = c
			d.ways[0], d.ways[i] = d.ways[i], d.ways[0]
			return err
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return first
}

func (d *device) try(ctx context.Context, c *httpx.Client) error {
	ctx, cancel := context.WithTimeout(ctx, wayTime)
	defer cancel()
	return d.token.fetch(ctx, c)
}

// call sends a command and reads its reply, over a new connection where once is wanted. A
// token that is not good any more is renewed once, also where the device says so by a
// status of its own and not by HTTP's.
func (d *device) call(ctx context.Context, method, name string, body map[string]any) (rpc.Reply, error) {
	return d.send(ctx, false, method, name, body)
}

func (d *device) send(ctx context.Context, once bool, method, name string, body map[string]any) (rpc.Reply, error) {
	for again := false; ; again = true {
		if err := d.contact(ctx); err != nil {
			return rpc.Reply{}, fmt.Errorf("%s %s: %w", method, name, err)
		}
		reply, err := d.exchange(ctx, once, method, name, body)
		if errors.Is(err, driver.ErrUnreachable) {
			d.web = nil // the next call looks for the way anew
		}
		if !errors.Is(err, errToken) || again {
			return reply, err
		}
		d.token.value = ""
	}
}

// errToken is a refusal for the token's sake.
var errToken = fmt.Errorf("the token is not good: %w", driver.ErrUnauthorized)

func (d *device) exchange(ctx context.Context, once bool, method, name string, body map[string]any) (rpc.Reply, error) {
	do := d.web.Do
	if once {
		do = d.web.Once
	}
	var told any
	if body != nil {
		body["command"] = name
		told = body
	}
	r, err := do(ctx, method, "/"+name, told)
	if err == nil {
		err = r.Check(method, "/"+name)
	}
	if err != nil {
		return rpc.Reply{}, err
	}
	return parseReply(r.Body, name)
}

// parseReply reads a reply whose status must say success. Its words are not repeated: they
// may hold what was sent.
func parseReply(body []byte, name string) (rpc.Reply, error) {
	reply, err := rpc.Parse(body)
	if err == nil && reply.Truncated {
		err = fmt.Errorf("cut short: %w", driver.ErrUnreachable)
	}
	if err != nil {
		return rpc.Reply{}, fmt.Errorf("read %s: %w", name, err)
	}
	s := reply.Status()
	said := strings.ToLower(s.Msg)
	switch {
	case s.Letter == "":
		return rpc.Reply{}, fmt.Errorf("read %s: no status: %w", name, driver.ErrUnreachable)
	case s.Err() == nil:
		return reply, nil
	case strings.Contains(said, "token"), strings.Contains(said, "session"), strings.Contains(said, "expired"):
		return rpc.Reply{}, fmt.Errorf("%s: code %d: %w", name, s.Code, errToken)
	case errors.Is(s.Err(), driver.ErrUnauthorized):
		return rpc.Reply{}, fmt.Errorf("%s: code %d: %w", name, s.Code, driver.ErrUnauthorized)
	case errors.Is(s.Err(), driver.ErrUnsupported):
		return rpc.Reply{}, fmt.Errorf("%s: code %d: %w", name, s.Code, driver.ErrUnsupported)
	}
	return rpc.Reply{}, fmt.Errorf("%s: code %d: %w", name, s.Code, driver.ErrRefused)
}

// get reads the first object of a page.
func (d *device) get(ctx context.Context, name, key string) (rpc.Object, error) {
	r, err := d.call(ctx, http.MethodGet, name, nil)
	if err != nil {
		return nil, err
	}
	list := r.Objects(key)
	if len(list) == 0 {
		return nil, fmt.Errorf("%s holds no %s: %w", name, key, driver.ErrUnreachable)
	}
	return list[0], nil
}
