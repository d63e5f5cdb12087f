package face

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// echo answers with what it was asked, and in the ways that handlers do.
func echo(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/vanish":
		Vanish(w)
	case "/none":
		w.WriteHeader(http.StatusNoContent)
	case "/unread":
		_, _ = io.WriteString(w, "unread")
	default:
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(append([]byte(r.Method+" "+r.URL.Path+" "), b...))
	}
}

func TestHTTPAnswers(t *testing.T) {
	l := listen(t)
	s := Web{Idle: 10 * time.Second}.HTTP(l, http.HandlerFunc(echo))
	defer s.Close()
	const end = "\r\nHost: a\r\n\r\n"
	for name, c := range map[string]struct {
		sent, want string
		open       bool // afterwards
	}{
		"get":            {"GET /a HTTP/1.1" + end, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nGET /a ", true},
		"post":           {"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nPOST /a hi", true},
		"chunks":         {"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nPOST /a hi", true},
		"two at a time":  {"GET /a HTTP/1.1" + end + "GET /b HTTP/1.1" + end, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nGET /a HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nGET /b ", true},
		"body left":      {"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /a HTTP/1.1" + end, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nunreadHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nGET /a ", true},
		"head":           {"HEAD /a HTTP/1.1" + end, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n", true},
		"nothing to say": {"GET /none HTTP/1.1" + end, "HTTP/1.1 204 No Content\r\n\r\n", true},
		"waits":          {"POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nPOST /a hi", true},
		"last":           {"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7\r\n\r\nGET /a ", false},
		"old":            {"GET /a HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: 7\r\n\r\nGET /a ", false},
		"vanishes":       {"GET /vanish HTTP/1.1" + end, "", false},
		"no request":     {"\x16\x03\x01\r\n\r\n", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false},
		"long header":    {"GET /a HTTP/1.1\r\nX: " + strings.Repeat("x", 2*maxHeader), "HTTP/1.1 431 Request Header Fields Too Large\r\n", false},
	} {
		c1, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c1.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(c1, c.sent)
		got := make([]byte, len(c.want))
		if _, err := io.ReadFull(c1, got); err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
		if c.open { // it serves on
			_, _ = io.WriteString(c1, "GET /z HTTP/1.1"+end)
			resp, err := http.ReadResponse(bufio.NewReader(c1), nil)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("%s: then %v", name, err)
			}
		} else if _, err := io.Copy(io.Discard, c1); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: it stays open: %v", name, err)
		}
		_ = c1.Close()
	}
}

func FuzzHTTP(f *testing.F) {
	f.Add([]byte("GET /a HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi"), uint8(9))
	f.Add([]byte("POST /unread HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), uint8(1))
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
		go func() { _, _ = io.Copy(io.Discard, them) }()
		s := session{web: Web{Idle: time.Second}, conn: us}
		for s.one(http.HandlerFunc(echo)) {
			if s.served++; s.served > len(sent) {
				t.Fatalf("%d answers to %d bytes", s.served, len(sent))
			}
		}
		s.give()
		_ = us.Close()
	})
}
