package httpx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"

	"switchyard/driver"
)

// client starts a server with h and makes a client for it.
func client(t *testing.T, h http.HandlerFunc, auth Auth) (*Client, context.Context) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c := New(driver.Target{Host: "127.0.0.1"}, s.Listener.Addr().String(), time.Second, auth)
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return c, ctx
}

func TestStatusesSayWhatToDoNext(t *testing.T) {
	for status, want := range map[int]error{
		200: nil, 204: nil, 401: driver.ErrUnauthorized, 403: driver.ErrUnauthorized, 404: driver.ErrUnsupported, 405: driver.ErrUnsupported,
		400: driver.ErrRefused, 412: driver.ErrRefused, 302: driver.ErrUnreachable, 500: driver.ErrUnreachable, 501: driver.ErrUnsupported, 503: driver.ErrUnreachable,
	} {
		c, ctx := client(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}, nil)
		r, err := c.Do(ctx, "GET", "/x", nil)
		if err != nil || r.Status != status {
			t.Errorf("%d: %v, %v", status, r.Status, err)
		}
		if err := r.Check("GET", "/x"); !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", status, err, want)
		}
	}
}

func TestBodyHasALimit(t *testing.T) {
	for size, want := range map[int]error{MaxBody: nil, MaxBody + 1: driver.ErrUnreachable} {
		c, ctx := client(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", size))
		}, nil)
		if r, err := c.Do(ctx, "GET", "/", nil); !errors.Is(err, want) || err == nil && len(r.Body) != size {
			t.Errorf("%d bytes: got %d, %v, want %v", size, len(r.Body), err, want)
		}
	}
}

func TestKeepsItsConnection(t *testing.T) {
	dials := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	defer s.Close()
	target := driver.Target{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}}
	c := New(target, s.Listener.Addr().String(), time.Minute, nil)
	defer c.Close()
	for range 5 {
		if _, err := c.Do(context.Background(), "GET", "/", nil); err != nil {
			t.Fatal(err)
		}
	}
	if dials != 1 {
		t.Errorf("%d connections for 5 requests", dials)
	}
	s.CloseClientConnections() // as small servers do to idle clients
	if _, err := c.Do(context.Background(), "POST", "/", map[string]int{"a": 1}); err != nil {
		t.Errorf("after the device hung up: %v", err)
	}
}

func TestDigestCostsOneRequestOnceKnown(t *testing.T) {
	ch := &digest.Challenge{Realm: "r", Nonce: "n", QOP: []string{"auth"}}
	asked, counts := 0, ""
	c, ctx := client(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		cred, err := digest.ParseCredentials(r.Header.Get("Authorization"))
		if err != nil {
			w.Header().Set("WWW-Authenticate", ch.String())
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		want, err := digest.Digest(ch, digest.Options{Method: r.Method, URI: r.RequestURI, Count: cred.Nc, Username: "u", Password: "secret-w0rd", Cnonce: cred.Cnonce})
		if err != nil || want.Response != cred.Response {
			t.Errorf("wrong response to %s", r.RequestURI)
		}
		counts += fmt.Sprint(cred.Nc)
	}, &Digest{User: "u", Password: "secret-w0rd"})
	for range 3 {
		if _, err := c.Do(ctx, "POST", "/a?b=c", map[string]int{"d": 1}); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 4 || counts != "123" {
		t.Errorf("%d requests with counts %s, want 4 and 123", asked, counts)
	}
}

func TestWrongCredentialsAreTriedTwiceAtMost(t *testing.T) {
	for name, challenge := range map[string]string{
		"digest": `Digest realm="r", nonce="n", qop="auth"`, "stale": `Digest realm="r", nonce="n", stale=true`, "none": "",
	} {
		asked := 0
		c, ctx := client(t, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			if challenge != "" {
				w.Header().Set("WWW-Authenticate", challenge)
			}
			w.WriteHeader(http.StatusUnauthorized)
		}, &Digest{User: "u", Password: "secret-w0rd"})
		_, err := c.Do(ctx, "GET", "/", nil)
		if !errors.Is(err, driver.ErrUnauthorized) || strings.Contains(err.Error(), "secret") || asked > 2 {
			t.Errorf("%s: %v after %d requests", name, err, asked)
		}
	}
}

func TestDigestThatNobodyKnows(t *testing.T) {
	c, ctx := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Digest realm="r", nonce="n", algorithm=ROT13`)
		w.WriteHeader(http.StatusUnauthorized)
	}, &Digest{User: "u", Password: "p"})
	if _, err := c.Do(ctx, "GET", "/", nil); !errors.Is(err, driver.ErrUnsupported) && !errors.Is(err, driver.ErrUnauthorized) {
		t.Errorf("got %v", err)
	}
}

func TestTokenIsKeptUntilRefused(t *testing.T) {
	logins, good := 0, ""
	c, ctx := client(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+good || good == "" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}, &Token{Scheme: "Bearer ", Login: func(context.Context, *Client) (string, error) {
		logins++
		good = fmt.Sprint("t", logins)
		return good, nil
	}})
	for i := range 4 {
		if i == 2 {
			good = "gone"
		}
		if _, err := c.Do(ctx, "GET", "/", nil); err != nil {
			t.Fatal(err)
		}
	}
	if logins != 2 {
		t.Errorf("%d logins, want 2", logins)
	}
}

func TestJSONRefusesWhatIsNone(t *testing.T) {
	for _, body := range []string{"", " \n", "null", "\x00", "<html>", `{"a":`, `{"a":1}x`} {
		var v struct{ A int }
		if err := (Reply{Body: []byte(body)}).JSON("/x", &v); !errors.Is(err, driver.ErrUnreachable) {
			t.Errorf("%q: %v", body, err)
		}
	}
	var v struct{ A int }
	if err := (Reply{Body: []byte("{\"a\":1}\n\x00")}).JSON("/x", &v); err != nil || v.A != 1 {
		t.Errorf("%v, %v", v, err)
	}
}

func TestBodyIsSentAsItIs(t *testing.T) {
	var got string
	c, ctx := client(t, func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = string(b)
	}, nil)
	if _, err := c.Do(ctx, "POST", "/", map[string]json.RawMessage{"url": json.RawMessage(`"a?b&c<d>"`)}); err != nil {
		t.Fatal(err)
	}
	if want := `{"url":"a?b&c<d>"}`; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}
