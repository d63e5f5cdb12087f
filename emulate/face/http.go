package face

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Web is how a device's small web server treats its clients. Times are machine time.
type Web struct {
	// Idle is how long a kept connection may be silent.
	Idle time.Duration
	// Requests is how many requests one connection may carry; 0 is no limit.
	Requests int
}

// maxWebConns is how many connections a web server keeps; further ones are closed at once.
const maxWebConns = 64

// maxHeader bounds the header of a request, as firmware with a few megabytes free does.
const maxHeader = 8 << 10

// HTTP serves l with h. It does not block; Close ends everything.
func (w Web) HTTP(l net.Listener, h http.Handler) io.Closer {
	s := &webServer{}
	if w.Requests > 0 {
		h = limited(h, w.Requests)
	}
	s.srv = http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       w.Idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(io.Discard, "", 0), // clients' faults are theirs
		ConnState:         s.track,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, servedKey{}, new(int))
		},
	}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		_ = s.srv.Serve(l) // it ends by Close only; the error says so
	}()
	return s
}

type webServer struct {
	srv   http.Server
	wg    sync.WaitGroup // the accepting goroutine
	conns sync.WaitGroup
	open  atomic.Int32
}

func (s *webServer) track(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
		if s.open.Add(1) > maxWebConns {
			_ = c.Close() // nothing to tell the peer
		}
	case http.StateClosed, http.StateHijacked:
		s.open.Add(-1)
		s.conns.Done()
	}
}

// Close stops accepting, closes all connections and waits for their goroutines.
func (s *webServer) Close() error {
	err := s.srv.Close()
	s.wg.Wait() // after it no connection is new
	s.conns.Wait()
	return err
}

// servedKey finds the number of requests that a connection has carried.
type servedKey struct{}

func limited(h http.Handler, most int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, ok := r.Context().Value(servedKey{}).(*int); ok { // one request of a connection at a time
			if *n++; *n >= most {
				w.Header().Set("Connection", "close")
			}
		}
		h.ServeHTTP(w, r)
	})
}

// Vanish closes the connection without an answer, as a device does whose board restarts.
func Vanish(w http.ResponseWriter) {
	h, ok := w.(http.Hijacker)
	if !ok {
		return
	}
	if c, _, err := h.Hijack(); err == nil {
		_ = c.Close() // silence is the point
	}
}
