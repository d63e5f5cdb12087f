package endpoint

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"switchyard/compute"
)

// What a call may take at the most, where the Caller says nothing.
const (
	DefaultTimeout  = 10 * time.Second
	DefaultAttempts = 3
	DefaultLimit    = 1 << 20 // bytes of an answer
)

// Caller asks the services of an Endpoint.
type Caller struct {
	Endpoint Endpoint
	HTTP     *http.Client
	// Timeout is for one call with all of its attempts, in machine time; Attempts and Limit (bytes of an
	// answer) bound it. Zero means the default of each.
	Timeout  time.Duration
	Attempts int
	Limit    int64
}

// Request is one request to a node's service. It is repeated when no answer came, so it must be
// idempotent.
type Request struct {
	Method, Path string
	Header       map[string]string
	Body         []byte
}

// pause is the wait before the second attempt; it doubles.
const pause = 150 * time.Millisecond

// Call sends a request to a node and returns the body of its answer. It blocks until then, or
// until ctx or the timeout ends. Its error is one of compute's, with what the service said.
func (c *Caller) Call(ctx context.Context, node string, r Request) ([]byte, error) {
	address, err := c.Endpoint.Address(node)
	if err != nil {
		return nil, err
	}
	timeout, attempts := c.Timeout, c.Attempts
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	if attempts <= 0 {
		attempts = DefaultAttempts
	}
	whole, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for i := 0; ; i++ {
		// The first attempts share the time with those that may follow, so that one lost packet is no timeout.
		share, done := context.WithTimeout(whole, timeout/time.Duration(max(1, attempts-i)))
		body, again, err := c.once(share, address+r.Path, r)
		done()
		if err == nil {
			return body, nil
		}
		err = fmt.Errorf("node %s: %s %s: %w", node, r.Method, address+r.Path, err)
		if !again || i+1 >= attempts || !sleep(whole, pause<<i) {
			return nil, err
		}
	}
}

// sleep waits about d, or says that ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d/2 + rand.N(d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Caller) once(ctx context.Context, address string, r Request) (body []byte, again bool, err error) {
	q, err := http.NewRequestWithContext(ctx, r.Method, address, bytes.NewReader(r.Body))
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", compute.ErrUnsupported, err)
	}
	for k, v := range r.Header {
		q.Header.Set(k, v)
	}
	switch {
	case c.Endpoint.Token != "":
		q.Header.Set("Authorization", "Bearer "+c.Endpoint.Token)
	case c.Endpoint.User != "":
		q.SetBasicAuth(c.Endpoint.User, c.Endpoint.Password)
	}
	a, err := c.HTTP.Do(q)
	if err != nil {
		err, again = transport(ctx, err)
		return nil, again, err
	}
	defer a.Body.Close()
	limit := c.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	body, err = io.ReadAll(io.LimitReader(a.Body, limit+1))
	switch {
	case err != nil:
		return nil, true, fmt.Errorf("%w: its answer broke off: %w", compute.ErrUnreachable, err)
	case int64(len(body)) > limit:
		return nil, false, fmt.Errorf("%w: its answer has more than %d bytes", compute.ErrUnsupported, limit)
	case a.StatusCode >= 200 && a.StatusCode < 300:
		return body, false, nil
	}
	return nil, retried(a.StatusCode), Status(a.StatusCode, said(body))
}

// retried says whether another attempt may fare better.
func retried(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusBadGateway ||
		status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// Failure returns compute's error of a request that got no answer.
func Failure(ctx context.Context, err error) error {
	told, _ := transport(ctx, err)
	return told
}

// transport tells an error that is not an answer; a certificate that is not trusted does not
// mend by itself.
func transport(ctx context.Context, err error) (told error, again bool) {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &cert):
		return fmt.Errorf("%w: its certificate is not trusted; name its authority's certificate in ca: %w", compute.ErrUnauthorized, inner(err)), false
	case errors.As(err, &record), strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return fmt.Errorf("%w: it speaks http, not https: write the address with http://, or give the service a certificate", compute.ErrUnsupported), false
	case ctx.Err() != nil:
		return fmt.Errorf("%w: no answer in time", compute.ErrUnreachable), true
	}
	return fmt.Errorf("%w: %w", compute.ErrUnreachable, inner(err)), true
}

// inner drops the request's line, which the caller says already.
func inner(err error) error {
	if u := errors.Unwrap(err); u != nil {
		return u
	}
	return err
}

// Status returns compute's error of an HTTP status, with what the service said.
func Status(status int, text string) error {
	if text == "" {
		text = http.StatusText(status)
	}
	kind := compute.ErrRefused
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		kind = compute.ErrUnauthorized
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status == http.StatusNotImplemented:
		kind = compute.ErrUnsupported
	case status == http.StatusGone:
		kind = compute.ErrGone
	case retried(status), status == http.StatusRequestTimeout, status == http.StatusInternalServerError:
		kind = compute.ErrUnreachable
	}
	return fmt.Errorf("%w: status %d: %s", kind, status, text)
}

// said returns what an error's body says: the text of {"error": …} or its first line, bounded.
func said(body []byte) string {
	var e struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &e) == nil && e.Error != "" {
		return short(e.Error)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	return short(line)
}

func short(s string) string {
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0xfffd {
			return -1
		}
		return r
	}, s)
}
