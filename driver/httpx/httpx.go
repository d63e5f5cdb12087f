// Package httpx owns the HTTP transport of drivers: one keep-alive client a device, with
// limits on what a device may send, a deadline on every request, and the two kinds of
// authentication that miners use: digest and a login token.
//
// It never follows a redirect, uses a proxy or a cookie jar, and never puts a secret into
// an error. It repeats a request at most once: with fresh credentials after a 401, or on a
// new connection where the device had closed the kept one.
//
// Concurrency: a Client belongs to one device and, as its device, has one caller at a time.
// Do blocks on the network until its context ends, at most 10 s where it has no end.
package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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

// Auth signs requests. Sign runs before each request. Renew runs after a 401 and says
// whether asking once more may help; its error ends the request.
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

// Client asks one device.
type Client struct {
	base string
	http *http.Client
	auth Auth
}

// New makes a client for the device at address ("host:port") that dials with the target's
// dialler and keeps an unused connection for idle. auth may be nil. It does no I/O.
func New(t driver.Target, address string, idle time.Duration, auth Auth) *Client {
	return &Client{
		base: "http://" + address,
		auth: auth,
		http: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
					return t.DialContext(ctx, addr)
				},
				DisableCompression:     true,
				MaxIdleConns:           1,
				MaxConnsPerHost:        1,
				IdleConnTimeout:        idle,
				MaxResponseHeaderBytes: maxHeader,
				WriteBufferSize:        1 << 10,
				ReadBufferSize:         4 << 10,
			},
		},
	}
}

// Close ends the kept connection. The client may be used again.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Do sends a request with body as JSON, or none where body is nil, and returns whatever
// the device answered. Where no sensible answer came the error wraps
// driver.ErrUnreachable; where the device did not accept the credentials,
// driver.ErrUnauthorized.
func (c *Client) Do(ctx context.Context, method, path string, body any) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, fallback)
	defer cancel()
	data, err := encode(body)
	if err != nil {
		return Reply{}, fmt.Errorf("encode %s %s: %w", method, path, err)
	}
	for again := false; ; again = true {
		reply, refused, err := c.once(ctx, method, path, data) //nolint:bodyclose // once closes it; refused is its header's bearer
		if err != nil || reply.Status != http.StatusUnauthorized || c.auth == nil {
			return reply, err
		}
		if again {
			return reply, fmt.Errorf("%s %s: %w", method, path, driver.ErrUnauthorized)
		}
		ok, err := c.auth.Renew(ctx, c, refused)
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
func encode(body any) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// Plain is Do without signing: for logins and probes.
func (c *Client) Plain(ctx context.Context, method, path string, body any) (Reply, error) {
	bare := *c
	bare.auth = nil
	return bare.Do(ctx, method, path, body)
}

func (c *Client) once(ctx context.Context, method, path string, data []byte) (Reply, *http.Response, error) {
	var body io.Reader
	if data != nil {
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return Reply{}, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if data != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	// All that drivers send sets a state and may be sent twice: an empty list lets net/http
	// repeat it where the device closed the kept connection, and is not sent itself.
	req.Header["Idempotency-Key"] = nil
	if c.auth != nil {
		if err := c.auth.Sign(req); err != nil {
			return Reply{}, nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Reply{}, nil, unreachable(ctx, method, path, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err != nil {
		return Reply{}, nil, unreachable(ctx, method, path, err)
	}
	if len(got) > MaxBody {
		return Reply{}, nil, unreachable(ctx, method, path, fmt.Errorf("reply is over the limit of %d bytes", MaxBody))
	}
	return Reply{Status: resp.StatusCode, Header: resp.Header, Body: got}, resp, nil
}

func unreachable(ctx context.Context, method, path string, err error) error {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("%s %s: %w: %w", method, path, err, driver.ErrUnreachable)
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
	other := *c
	other.auth = auth
	return &other
}
