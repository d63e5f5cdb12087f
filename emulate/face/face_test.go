package face

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTCPServesAtMostSoMany(t *testing.T) {
	l := listen(t)
	hold := make(chan struct{})
	s := TCP(l, 2, func(c net.Conn) { _, _ = c.Write([]byte("x")); <-hold })
	var held []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held = append(held, c)
		if n, err := c.Read(make([]byte, 1)); (n == 1) != (len(held) <= 2) {
			t.Errorf("connection %d: %d bytes, %v", len(held), n, err)
		}
	}
	close(hold)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestTCPCloseEndsHandlers(t *testing.T) {
	l := listen(t)
	var ended atomic.Int32
	started := make(chan struct{}, 3)
	s := TCP(l, 10, func(c net.Conn) {
		started <- struct{}{}
		_, _ = c.Read(make([]byte, 1)) // blocks until the connection is closed
		ended.Add(1)
	})
	for range 3 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		<-started
	}
	for range 2 {
		if err := s.Close(); err != nil || ended.Load() != 3 {
			t.Errorf("close: %v, %d handlers ended", err, ended.Load())
		}
	}
}

// badListener fails some times before it accepts, as one without free descriptors does.
type badListener struct {
	net.Listener
	fails atomic.Int32
}

func (b *badListener) Accept() (net.Conn, error) {
	if b.fails.Add(-1) >= 0 {
		return nil, errors.New("too many open files")
	}
	return b.Listener.Accept()
}

func TestTCPSurvivesAcceptErrors(t *testing.T) {
	l := &badListener{Listener: listen(t)}
	l.fails.Store(3)
	s := TCP(l, 10, func(c net.Conn) { _, _ = c.Write([]byte("x")) })
	defer s.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

func TestHTTPRequestsPerConnection(t *testing.T) {
	l := listen(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) })
	s := Web{Idle: time.Second, Requests: 3}.HTTP(l, h)
	defer s.Close()
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := 1; i <= 6; i++ {
		resp, err := client.Get("http://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.Close != (i%3 == 0) {
			t.Errorf("request %d: the server closes: %t", i, resp.Close)
		}
	}
}

func TestHTTPServesAtMostSoMany(t *testing.T) {
	l := listen(t)
	s := Web{Idle: time.Minute}.HTTP(l, http.NotFoundHandler())
	defer s.Close()
	for i := range maxWebConns + 1 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if n, err := c.Read(make([]byte, 1)); (n == 1) != (i < maxWebConns) {
			t.Fatalf("connection %d: %d bytes, %v", i+1, n, err)
		}
	}
}

func TestReadRequest(t *testing.T) {
	for _, c := range []struct {
		name   string
		pieces []string
		end    bool // the peer closes its side
		want   string
		err    error
	}{
		{"whole", []string{`{"a":1}`}, false, `{"a":1}`, nil},
		{"padded", []string{"\n{\"a\":1}\n\x00"}, false, `{"a":1}`, nil},
		{"pieces", []string{`{"a`, `":`, `1}`}, false, `{"a":1}`, nil},
		{"text", []string{"summary|"}, false, "summary|", nil},
		{"cut short", []string{`{"a":`}, true, `{"a":`, nil},
		{"hanging", []string{`{"a":`}, false, `{"a":`, nil},
		{"nothing", nil, true, "", io.EOF},
		{"long", []string{`{"a":"` + strings.Repeat("x", 2000)}, false, "", ErrTooLong},
		{"just short enough", []string{`{"a":"` + strings.Repeat("x", 992) + `"}`}, false, `{"a":"` + strings.Repeat("x", 992) + `"}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				us, them := net.Pipe()
				defer us.Close()
				go func() {
					for _, p := range c.pieces {
						_, _ = io.WriteString(them, p)
					}
					if c.end {
						_ = them.Close()
					}
				}()
				got, err := ReadRequest(us, 1000, 10*time.Second)
				if string(got) != c.want || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
					t.Errorf("%q, %v", got, err)
				}
				_ = them.Close()
			})
		})
	}
}

func TestReadRequestGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		us, them := net.Pipe()
		defer them.Close()
		defer us.Close()
		before := time.Now()
		if got, err := ReadRequest(us, 1000, 10*time.Second); err == nil || time.Since(before) != 10*time.Second {
			t.Errorf("%q, %v after %v", got, err, time.Since(before))
		}
	})
}

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte(`{"command":"stats"}`), uint8(3))
	f.Add([]byte("\x00\x00{"), uint8(1))
	f.Fuzz(func(t *testing.T, sent []byte, step uint8) {
		us, them := net.Pipe()
		go func() {
			for b := range chunks(sent, int(step)+1) {
				if _, err := them.Write(b); err != nil {
					break
				}
			}
			_ = them.Close()
		}()
		got, err := ReadRequest(us, 100, time.Second)
		_ = us.Close()
		if err == nil && (len(got) == 0 || len(got) > 100 || !bytes.Contains(sent, got)) {
			t.Errorf("%q gives %q", sent, got)
		}
	})
}

func chunks(b []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			k := min(n, len(b))
			if !yield(b[:k]) {
				return
			}
			b = b[k:]
		}
	}
}

func TestQuote(t *testing.T) {
	for _, s := range []string{"", "a", "\"\\\n\x00", "\xff", "é", "a<b>&c", "\x7f", "\\", "\""} {
		want, err := json.Marshal(s)
		if b := Quote(nil, s); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%q: %s, want %s", s, b, want)
		}
	}
}
