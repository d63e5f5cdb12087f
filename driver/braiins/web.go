package braiins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"switchyard/driver"
	"switchyard/driver/httpx"
	"switchyard/site"
)

// pages is an interface with the pages of the public API: REST, or gRPC behind the same
// names.
type pages interface {
	// get reads a page into v.
	get(ctx context.Context, page string, v any) error
	// put tells something and returns once it is acknowledged; body may be nil.
	put(ctx context.Context, page string, body any) error
	// once is put without a body for what must not be told twice. Its error is httpx.ErrCut
	// where the device hung up on it.
	once(ctx context.Context, page string) error
	// login fetches a new token.
	login(ctx context.Context) error
}

const (
	prefix    = "/api/v1/"
	pageLogin = "auth/login"
	pagePools = "pools/"
)

// rest is the API over HTTP.
type rest struct{ d *device }

func (r rest) get(ctx context.Context, page string, v any) error {
	err := r.d.web.Get(ctx, prefix+page, v)
	if page == pagePools && errors.Is(err, driver.ErrUnsupported) {
		return r.d.web.Get(ctx, prefix+strings.TrimSuffix(page, "/"), v)
	}
	return err
}

func (r rest) put(ctx context.Context, page string, body any) error {
	reply, err := r.d.web.Do(ctx, http.MethodPut, prefix+page, body)
	if err != nil {
		return err
	}
	return acknowledged(reply, page)
}

func (r rest) once(ctx context.Context, page string) error {
	reply, err := r.d.web.Once(ctx, http.MethodPut, prefix+page, nil)
	if err != nil {
		return err
	}
	return acknowledged(reply, page)
}

func (r rest) login(ctx context.Context) error { return r.d.token.Fetch(ctx, r.d.web) }

// acknowledged says whether a reply is the answer to an order: actions answer with a truth
// value or with no content, settings with what is set now; a page is neither.
func acknowledged(r httpx.Reply, page string) error {
	if err := r.Check(http.MethodPut, prefix+page); err != nil {
		return err
	}
	if r.Status == http.StatusNoContent {
		return nil
	}
	var said any
	if err := r.JSON(prefix+page, &said); err != nil {
		return err
	}
	switch said := said.(type) {
	case bool:
		return nil
	case map[string]any:
		if len(said) > 0 {
			return nil
		}
	case []any:
		if len(said) > 0 {
			return nil
		}
	}
	return fmt.Errorf("PUT %s: an answer that is none: %w", page, driver.ErrUnreachable)
}

// login fetches a token from the REST API.
func (d *device) login(ctx context.Context, c *httpx.Client) (string, error) {
	r, err := c.Plain(ctx, http.MethodPost, prefix+pageLogin, loginBody{d.t.User, string(d.t.Password)})
	if err != nil {
		return "", err
	}
	if r.Status == http.StatusBadRequest { // some versions say so to a wrong password
		return "", fmt.Errorf("status %d: %w", r.Status, driver.ErrUnauthorized)
	}
	if err := r.Check(http.MethodPost, prefix+pageLogin); err != nil {
		return "", err
	}
	var said struct{ Token string }
	if err := r.JSON(prefix+pageLogin, &said); err != nil {
		return "", err
	}
	if said.Token == "" {
		return "", fmt.Errorf("%s gave no token: %w", pageLogin, driver.ErrUnreachable)
	}
	return said.Token, nil
}

// part reads one of the rarer pages; what does not come whole is zero and false.
func part[T any](ctx context.Context, d *device, page string) (T, bool) {
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	var v, none T
	if d.api.get(ctx, page, &v) != nil {
		return none, false
	}
	return v, true
}

// face is the interface that a firmware has.
type face uint8

const (
	faceUnknown face = iota
	faceREST
	faceGRPC
	faceGraphQL
	faceRPC
)

// contact sees to it that the firmware's interface is known and that there is a token.
func (d *device) contact(ctx context.Context) error {
	switch d.face {
	case faceREST:
		if d.token.Known() {
			return nil
		}
		err := d.api.login(ctx)
		if !errors.Is(err, driver.ErrUnsupported) {
			return err
		}
		d.face, d.api = faceUnknown, nil // another firmware was put on
	case faceGRPC:
		if d.grpc.token != "" {
			return nil
		}
		return d.api.login(ctx)
	case faceGraphQL, faceRPC:
		return nil
	}
	return d.find(ctx)
}

// find tries the interfaces, the best first. The first one's error tells the most.
func (d *device) find(ctx context.Context) error {
	first := rest{d}.login(ctx)
	if first == nil {
		d.face, d.api = faceREST, rest{d}
	}
	if first == nil || ctx.Err() != nil || errors.Is(first, driver.ErrUnauthorized) {
		return first
	}
	err := d.grpc.login(ctx)
	switch {
	case err == nil:
		d.face, d.api = faceGRPC, &d.grpc
		return nil
	case errors.Is(err, driver.ErrUnauthorized):
		return err
	}
	d.grpc.Close()
	switch {
	case ctx.Err() != nil:
		return first
	case d.gql.there(ctx):
		d.face = faceGraphQL
		return nil
	case ctx.Err() == nil && d.rpc.there(ctx):
		d.face = faceRPC
		return nil
	}
	return first
}

// titled says whether the web server's front page names the firmware.
func (d *device) titled(ctx context.Context) bool {
	r, err := d.web.Plain(ctx, http.MethodGet, "/", nil)
	return err == nil && r.Status == http.StatusOK && bytes.Contains(bytes.ToLower(r.Body), []byte("braiins"))
}

// probe asks without credentials for what only Braiins OS answers.
func probe(ctx context.Context, t driver.Target) (site.Identity, error) {
	dd, err := open(t)
	if err != nil {
		return site.Identity{}, err
	}
	defer dd.Close()
	d := dd.(*device)
	id := site.Identity{Make: "Antminer"}
	if d.gql.there(ctx) { // all versions still have it
		id.Firmware, id.Model = d.gql.version, d.gql.modelName(ctx)
		return id, nil
	}
	if ctx.Err() != nil {
		return site.Identity{}, fmt.Errorf("probe %s: %w: %w", t.Host, ctx.Err(), driver.ErrUnreachable)
	}
	// The API's version is told to everybody by some firmwares. The others refuse an empty login,
	// as many a web server does: their front page has to name them.
	var v struct{ Major, Minor, Patch *int }
	if r, err := d.web.Plain(ctx, http.MethodGet, prefix+"version", nil); err == nil && r.Status == http.StatusOK &&
		r.JSON("version", &v) == nil && v.Major != nil && v.Minor != nil && v.Patch != nil {
		return id, nil
	}
	r, err := d.web.Plain(ctx, http.MethodPost, prefix+pageLogin, loginBody{})
	if err == nil {
		var said struct{ Token string }
		if r.Status == http.StatusOK && r.JSON(pageLogin, &said) == nil && said.Token != "" ||
			r.Status == http.StatusUnauthorized && r.Header.Get("WWW-Authenticate") == "" && d.titled(ctx) {
			return id, nil
		}
	}
	if ctx.Err() == nil && d.rpc.there(ctx) {
		id.Firmware = d.rpc.version
		return id, nil
	}
	if err != nil && ctx.Err() == nil && d.grpc.there(ctx) { // nobody is on its web port
		return id, nil
	}
	if err != nil {
		return site.Identity{}, fmt.Errorf("probe %s: %w", t.Host, err)
	}
	return site.Identity{}, fmt.Errorf("probe %s: not Braiins OS: %w", t.Host, driver.ErrUnsupported)
}
