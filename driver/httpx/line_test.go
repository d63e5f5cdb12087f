package httpx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icholy/digest"
	"pgregory.net/rapid"

	"switchyard/driver"
)

// peer is a device in the test's hands: it takes one request after the other and runs one
// step for each, in order; after the last step it closes.
type peer struct {
	mu       sync.Mutex
	steps    [][]string // of each connection, what it answers; "" hangs up
	dials    int
	requests []string
}

func (p *peer) dial(context.Context, string, string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dials++; len(p.steps) == 0 {
		return nil, errors.New("nobody there")
	}
	step := p.steps[0]
	p.steps = p.steps[1:]
	near, far := net.Pipe()
	go p.serve(far, step)
	return near, nil
}

func (p *peer) serve(c net.Conn, answers []string) {
	defer c.Close()
	buf := make([]byte, 64<<10)
	for _, a := range answers {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.requests = append(p.requests, string(buf[:n]))
		p.mu.Unlock()
		if a == "" {
			return
		}
		_, _ = io.WriteString(c, a)
	}
	_, _ = io.Copy(io.Discard, c)
}

const (
	ok    = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	late  = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	stray = "more\r\n"
)

func TestOneConnectionIsKeptAndReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		steps [][]string
		asks  int
		dials int
		err   error // of the last
	}{
		"kept":                    {[][]string{{ok, ok, ok}}, 3, 1, nil},
		"hung up":                 {[][]string{{ok, ""}, {ok}}, 2, 2, nil},
		"goodbye":                 {[][]string{{ok, late}, {ok}}, 2, 2, nil},
		"something else":          {[][]string{{ok, stray}, {ok}}, 2, 2, nil},
		"said that it closes":     {[][]string{{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"}, {ok}}, 2, 2, nil},
		"of HTTP 1.0":             {[][]string{{"HTTP/1.0 200 OK\r\n\r\nok", ""}, {ok}}, 1, 1, context.DeadlineExceeded},
		"more than it said":       {[][]string{{ok + "more"}, {ok}}, 2, 2, nil},
		"only one try":            {[][]string{{ok, ""}, {""}, {ok}}, 2, 2, ErrCut},
		"new and hung up":         {[][]string{{""}, {ok}}, 1, 1, ErrCut},
		"cut":                     {[][]string{{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", ""}, {ok}}, 1, 1, context.DeadlineExceeded},
		"chunks":                  {[][]string{{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", ok}}, 2, 1, nil},
		"after an interim answer": {[][]string{{"HTTP/1.1 100 Continue\r\n\r\n" + ok, ok}}, 2, 1, nil},
		"nobody any more":         {[][]string{{ok, ""}}, 2, 2, driver.ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &peer{steps: c.steps}
				cl := New(driver.Target{Dial: p.dial}, "10.0.0.1:80", time.Minute, nil)
				defer cl.Close()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				for i := range c.asks {
					r, err := cl.Do(ctx, "GET", "/a", nil)
					if last := i == c.asks-1; last && c.err != nil {
						if !errors.Is(err, c.err) || !errors.Is(err, driver.ErrUnreachable) {
							t.Errorf("%v, want %v", err, c.err)
						}
					} else if err != nil || string(r.Body) != "ok" {
						t.Errorf("request %d: %q, %v", i+1, r.Body, err)
					}
				}
				if p.dials != c.dials {
					t.Errorf("%d connections, want %d", p.dials, c.dials)
				}
			})
		})
	}
}

func TestOnceIsWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{steps: [][]string{{ok}, {""}, {ok}}}
		c := New(driver.Target{Dial: p.dial}, "10.0.0.1:80", time.Minute, nil)
		defer c.Close()
		if _, err := c.Do(t.Context(), "GET", "/a", nil); err != nil {
			t.Fatal(err)
		}
		_, err := c.Once(t.Context(), "POST", "/reboot", nil)
		if !errors.Is(err, ErrCut) || len(p.requests) != 2 {
			t.Errorf("%v after %d requests", err, len(p.requests))
		}
	})
}

func TestKeptNoLongerThanIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{steps: [][]string{{ok, ok, ok}, {ok}}}
		c := New(driver.Target{Dial: p.dial}, "10.0.0.1:80", 3*time.Second, nil)
		defer c.Close()
		for i, pause := range []time.Duration{0, 2 * time.Second, 2 * time.Second, 3 * time.Second} {
			time.Sleep(pause)
			synctest.Wait()
			if _, err := c.Do(t.Context(), "GET", "/a", nil); err != nil {
				t.Fatal(i, err)
			}
		}
		if p.dials != 2 {
			t.Errorf("%d connections, want 2", p.dials)
		}
	})
}

func TestEndsWithItsContext(t *testing.T) {
	for name, said := range map[string]string{"silent": "", "half a head": "HTTP/1.1 2", "half a body": ok[:len(ok)-1]} {
		synctest.Test(t, func(t *testing.T) {
			hang := func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				go func() {
					_, _ = far.Read(make([]byte, 4096))
					_, _ = io.WriteString(far, said)
					_, _ = io.Copy(io.Discard, far)
					_ = far.Close()
				}()
				return near, nil
			}
			c := New(driver.Target{Dial: hang}, "10.0.0.1:80", time.Minute, nil)
			begun := time.Now()
			if _, err := c.Do(context.Background(), "GET", "/", nil); !errors.Is(err, driver.ErrUnreachable) || time.Since(begun) != fallback {
				t.Errorf("%s: %v after %v", name, err, time.Since(begun))
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			begun = time.Now()
			if _, err := c.Do(ctx, "GET", "/", nil); !errors.Is(err, context.Canceled) || time.Since(begun) != time.Second {
				t.Errorf("%s: %v after %v", name, err, time.Since(begun))
			}
		})
	}
}

func TestWhatIsWritten(t *testing.T) {
	const rest = " HTTP/1.1\r\nHost: 10.0.0.1\r\n"
	for _, c := range []struct {
		method, path string
		body         any
		want         string
	}{
		{"GET", "/a?b=c%20d", nil, "GET /a?b=c%20d" + rest + "\r\n"},
		{"POST", "/a", nil, "POST /a" + rest + "Content-Length: 0\r\n\r\n"},
		{"POST", "/a", Raw{Data: []byte("x")}, "POST /a" + rest + "Content-Length: 1\r\n\r\nx"},
		{"POST", "/a", Form(url.Values{"b": {"c d"}}), "POST /a" + rest + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\n\r\nb=c+d"},
	} {
		p := &peer{steps: [][]string{{ok}}}
		cl := New(driver.Target{Dial: p.dial}, "10.0.0.1:80", 0, nil)
		if _, err := cl.Do(t.Context(), c.method, c.path, c.body); err != nil {
			t.Fatal(err)
		}
		if p.requests[0] != c.want {
			t.Errorf("wrote %q, want %q", p.requests[0], c.want)
		}
	}
}

// header is an Auth that sets one header.
type header struct{ key, value string }

func (h header) Sign(r *http.Request) error { r.Header[h.key] = []string{h.value}; return nil }

func (header) Renew(context.Context, *Client, *http.Response) (bool, error) { return false, nil }

func TestNothingIsSmuggled(t *testing.T) {
	p := &peer{}
	for _, c := range []struct {
		method, path string
		auth         header
	}{
		{"GET / HTTP/1.1\r\nX:", "/", header{"A", "b"}},
		{"GET", "/a?b=c d", header{"A", "b"}},
		{"GET", "/a\r\nX: y", header{"A", "b"}},
		{"GET", "http://elsewhere/", header{"A", "b"}},
		{"GET", "/", header{"A", "b\r\nX: y"}},
		{"GET", "/", header{"A\n", "b"}},
	} {
		cl := New(driver.Target{Dial: p.dial}, "10.0.0.1:80", time.Minute, c.auth)
		if _, err := cl.Do(t.Context(), c.method, c.path, nil); err == nil || strings.Contains(err.Error(), "nobody there") {
			t.Errorf("%q %q %q: %v", c.method, c.path, c.auth, err)
		}
	}
	if p.dials > 0 {
		t.Errorf("%d connections", p.dials)
	}
}

func TestHeaderHasALimit(t *testing.T) {
	for size, want := range map[int]error{maxHeader / 2: nil, 2 * maxHeader: driver.ErrUnreachable} {
		c, ctx := client(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", size)) }, nil)
		if _, err := c.Do(ctx, "GET", "/", nil); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", size, err, want)
		}
	}
}

func TestTLS(t *testing.T) {
	dials := 0
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.TLS != nil) }))
	defer s.Close()
	target := driver.Target{Host: "127.0.0.1", Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	c := NewTLS(target, s.Listener.Addr().String(), time.Minute, nil, nil)
	defer c.Close()
	for range 2 {
		if r, err := c.Do(t.Context(), "GET", "/", nil); err != nil || string(r.Body) != "true" {
			t.Errorf("%q, %v", r.Body, err)
		}
	}
	if dials != 1 {
		t.Errorf("%d connections", dials)
	}
	plain := New(target, s.Listener.Addr().String(), time.Minute, nil)
	defer plain.Close()
	if r, err := plain.Do(t.Context(), "GET", "/", nil); err == nil && r.Status == http.StatusOK {
		t.Error("an answer without encryption")
	}
}

// TestSignaturesAreTheLibrarys: what the short way writes the library would have written.
func TestSignaturesAreTheLibrarys(t *testing.T) {
	text := rapid.StringMatching("[ -~é]{0,20}")
	rapid.Check(t, func(t *rapid.T) {
		ch := &digest.Challenge{
			Realm: text.Draw(t, "realm"), Nonce: text.Draw(t, "nonce"), Opaque: text.Draw(t, "opaque"),
			Algorithm: rapid.SampledFrom([]string{"", "MD5", "SHA-256"}).Draw(t, "algorithm"),
			QOP:       rapid.SampledFrom([][]string{nil, {"auth"}, {"auth-int", "auth"}, {"auth-int"}}).Draw(t, "qop"),
		}
		d := &Digest{User: text.Draw(t, "user"), Password: driver.Secret(text.Draw(t, "password")), challenge: ch, count: rapid.IntRange(0, 1<<20).Draw(t, "count")}
		r := &http.Request{Method: "POST", URL: &url.URL{Path: "/a b", RawQuery: "c=d"}, Header: http.Header{}}
		if err := d.Sign(r); err != nil {
			t.Fatal(err)
		}
		got := r.Header.Get("Authorization")
		cred, err := digest.ParseCredentials(got)
		if err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		want, err := digest.Digest(ch, digest.Options{
			Method: "POST", URI: r.URL.RequestURI(), Count: d.count, Username: d.User, Password: string(d.Password), Cnonce: cred.Cnonce,
		})
		if err != nil || want.String() != got {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	})
}

// said is a connection on which the device says so much, in pieces, and closes.
type said struct {
	net.Conn
	rest []byte
	step int
}

func (s *said) Write(p []byte) (int, error) { return len(p), nil }
func (s *said) SetDeadline(time.Time) error { return nil }
func (s *said) Close() error                { s.rest = nil; return nil }
func (s *said) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.rest[:min(s.step, len(s.rest))])
	s.rest = s.rest[n:]
	return n, nil
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{
		ok, late, "HTTP/1.0 200\r\n\r\n{}", "HTTP/1.1 100 Continue\r\n\r\n" + ok, "HTTP/1.1 204 No\r\n\r\n" + ok,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\no\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\nContent-Length: 0\r\n\r\n" + ok,
		"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	} {
		f.Add([]byte(s), uint8(7))
	}
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		dial := func(context.Context, string, string) (net.Conn, error) {
			return &said{rest: bytes.Clone(data), step: int(step) + 1}, nil
		}
		c := New(driver.Target{Dial: dial}, "10.0.0.1:80", time.Minute, &Digest{User: "u", Password: "p"})
		defer c.Close()
		for range 2 {
			r, err := c.Do(context.Background(), "GET", "/", nil)
			switch {
			case err == nil && (r.Status < 101 || len(r.Body) > MaxBody || len(r.Body) > len(data)):
				t.Fatalf("status %d with %d bytes of %d", r.Status, len(r.Body), len(data))
			case err != nil && !errors.Is(err, driver.ErrUnreachable) && !errors.Is(err, driver.ErrUnauthorized) && !errors.Is(err, driver.ErrUnsupported):
				t.Fatalf("an error of no kind: %v", err)
			}
		}
	})
}
