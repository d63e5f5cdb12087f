// Package httpx owns the HTTP transport of drivers: a small HTTP/1.1 client over raw
// connections that keeps at most one a device, with limits on what a device may send, a
// deadline on every request, and the two kinds of authentication that miners use: digest
// and a login token. How a response is framed is the standard library's matter
// (http.ReadResponse); ADR 7 says why the rest is not.
//
// It never follows a redirect, uses a proxy or a cookie jar, and never puts a secret into
// an error. It repeats a request at most once for each of two reasons: with fresh
// credentials after a 401, and on a new connection where the device had closed the kept one
// before an answer began. Once does without the latter.
//
// Concurrency: a Client belongs to one device and, as its device, has one caller at a time.
// Do blocks on the network until its context ends, at most 10 s where it has no end. It
// starts no goroutine; a kept connection costs its socket, a timer and no buffer.
package httpx

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"switchyard/driver"
)

const (
	// MaxBody is the most bytes that a reply's body may have.
	MaxBody = 1 << 20
	// maxHeader bounds a reply's header.
	maxHeader = 32 << 10
	// fallback bounds a request whose context has no deadline.
	fallback = 10 * time.Second
)

// ErrCut says that a request was written to a new connection and that the device ended the
// connection before its answer was whole. A device that reboots at once does so.
var ErrCut = errors.New("the connection ended before the answer did")

// Auth signs requests. Sign runs before each request and may set headers; the request's
// body is there by GetBody only. Renew runs after a 401 and says whether asking once more
// may help; its error ends the request.
type Auth interface {
	Sign(*http.Request) error
	Renew(ctx context.Context, c *Client, refused *http.Response) (again bool, err error)
}

// Reply is what a device answered, with any status.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Raw is a body that is sent as it is, where JSON is not wanted.
type Raw struct {
	Type string // of the content, such as "text/plain"; empty leaves it out
	Data []byte
}

// Form is a body as an HTML form posts it.
func Form(v url.Values) Raw {
	return Raw{Type: "application/x-www-form-urlencoded", Data: []byte(v.Encode())}
}

// Client asks one device.
type Client struct {
	line *line
	auth Auth
}

// New makes a client for the device at address ("host:port") that dials with the target's
// dialler and keeps an unused connection for idle. auth may be nil. It does no I/O.
func New(t driver.Target, address string, idle time.Duration, auth Auth) *Client {
	return &Client{line: newLine(t, address, idle, nil), auth: auth}
}

// NewTLS is New for a device that speaks HTTPS. A nil config takes any certificate, as
// devices sign their own: it hides what is sent and does not prove who answers.
func NewTLS(t driver.Target, address string, idle time.Duration, auth Auth, config *tls.Config) *Client {
	if config == nil {
		config = &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	}
	return &Client{line: newLine(t, address, idle, config), auth: auth}
}

// Close ends the kept connection. The client may be used again.
func (c *Client) Close() { c.line.end() }

// Do sends a request with body as JSON or, where it is a Raw, as it is; a nil body is none.
// It returns whatever the device answered. Where no sensible answer came the error wraps
// driver.ErrUnreachable; where the device did not accept the credentials,
// driver.ErrUnauthorized.
func (c *Client) Do(ctx context.Context, method, path string, body any) (Reply, error) {
	return c.do(ctx, method, path, body, true)
}

// Once is Do for what must not be sent twice, such as a reboot: it uses a new connection,
// and a request that was written is not written again unless the device refused it for its
// credentials. Where the device ended the connection without an answer the error wraps
// ErrCut as well.
func (c *Client) Once(ctx context.Context, method, path string, body any) (Reply, error) {
	c.Close()
	return c.do(ctx, method, path, body, false)
}

func (c *Client) do(ctx context.Context, method, path string, body any, redial bool) (Reply, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, fallback)
		defer cancel()
	}
	raw, err := encode(body)
	if err != nil {
		return Reply{}, fmt.Errorf("encode %s %s: %w", method, path, err)
	}
	for again := false; ; again = true {
		resp, got, err := c.ask(ctx, method, path, raw, redial) //nolint:bodyclose // the line closed it
		if err != nil {
			return Reply{}, fmt.Errorf("%s %s: %w", method, path, err)
		}
		reply := Reply{Status: resp.StatusCode, Header: resp.Header, Body: got}
		if reply.Status != http.StatusUnauthorized || c.auth == nil {
			return reply, nil
		}
		if again {
			return reply, fmt.Errorf("%s %s: %w", method, path, driver.ErrUnauthorized)
		}
		ok, err := c.auth.Renew(ctx, c, resp)
		if err != nil {
			return reply, fmt.Errorf("%s %s: %w", method, path, err)
		}
		if !ok {
			return reply, fmt.Errorf("%s %s: %w", method, path, driver.ErrUnauthorized)
		}
	}
}

// encode writes body as JSON, nil as nothing. "&" and its like stay as they are: the
// devices' scripts do not all know their escapes.
func encode(body any) (*Raw, error) {
	switch body := body.(type) {
	case nil:
		return nil, nil
	case Raw:
		return &body, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	return &Raw{Type: "application/json", Data: bytes.TrimRight(b.Bytes(), "\n")}, nil
}

// Plain is Do without signing: for logins and probes.
func (c *Client) Plain(ctx context.Context, method, path string, body any) (Reply, error) {
	return c.With(nil).Do(ctx, method, path, body)
}

// ask signs and sends one request and returns the answer's head and body.
func (c *Client) ask(ctx context.Context, method, path string, body *Raw, redial bool) (*http.Response, []byte, error) {
	req, err := c.line.request(method, path, body)
	if err != nil {
		return nil, nil, err
	}
	if c.auth != nil {
		if err := c.auth.Sign(req); err != nil {
			return nil, nil, err
		}
	}
	resp, got, err := c.line.exchange(ctx, req, body, redial)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, nil, fmt.Errorf("%w: %w", err, driver.ErrUnreachable)
	}
	return resp, got, nil
}

// Get asks for path and reads the JSON that it answers into v, strictly. See Check for its errors.
func (c *Client) Get(ctx context.Context, path string, v any) error {
	r, err := c.Do(ctx, http.MethodGet, path, nil)
	if err == nil {
		err = r.Check(http.MethodGet, path)
	}
	if err != nil {
		return err
	}
	return r.JSON(path, v)
}

// Check returns nil for a status of success, else an error that wraps what it means to a
// driver: driver.ErrUnauthorized for 401 and 403, ErrUnsupported for 404, 405 and 501,
// ErrRefused for the rest of 4xx, ErrUnreachable for anything else.
func (r Reply) Check(method, path string) error {
	kind := driver.ErrUnreachable
	switch s := r.Status; {
	case s >= 200 && s < 300:
		return nil
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		kind = driver.ErrUnauthorized
	case s == http.StatusNotFound, s == http.StatusMethodNotAllowed, s == http.StatusNotImplemented:
		kind = driver.ErrUnsupported
	case s >= 400 && s < 500:
		kind = driver.ErrRefused
	}
	return fmt.Errorf("%s %s: status %d: %w", method, path, r.Status, kind)
}

// JSON reads the body into v. An empty body, "null" and anything but JSON are errors that
// wrap driver.ErrUnreachable.
func (r Reply) JSON(path string, v any) error {
	body := bytes.TrimRight(r.Body, "\x00 \t\r\n")
	if len(body) == 0 || bytes.Equal(body, []byte("null")) {
		return fmt.Errorf("read %s: %w: %w", path, errors.New("empty reply"), driver.ErrUnreachable)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("read %s: %w: %w", path, err, driver.ErrUnreachable)
	}
	return nil
}

// With returns a client of the same device and connection that signs with auth.
func (c *Client) With(auth Auth) *Client {
	return &Client{line: c.line, auth: auth}
}
