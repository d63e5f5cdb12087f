package transport

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/clock"
)

// Times turns the API server's times into site time: they are machine time, unless the server's
// own clock is nearer to the site's, as in a rehearsal with an emulated cluster.
type Times struct {
	wall, site0 time.Time
	speed       float64
	server      *Server // nil: the machine's
}

// Server is which clock a server goes by, found out from the Date of its first answer.
type Server struct {
	clock clock.Clock
	once  sync.Once
	sites atomic.Bool
}

// dated tells a Server each answer's Date.
type dated struct {
	next http.RoundTripper
	by   *Server
}

func (d dated) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := d.next.RoundTrip(r)
	if err != nil {
		return res, err
	}
	if at, bad := http.ParseTime(res.Header.Get("Date")); bad == nil {
		d.by.once.Do(func() { d.by.sites.Store(at.Sub(d.by.clock.Now()).Abs() < time.Since(at).Abs()) })
	}
	return res, nil
}

// same says that the server's times are site time as they are.
func (t Times) same() bool { return t.server != nil && t.server.sites.Load() }

// NewTimes returns the times of a server that goes by the machine's clock, or by the one that
// server finds out; nil: the machine's.
func NewTimes(c clock.Clock, server *Server) Times {
	return Times{wall: time.Now(), site0: c.Now(), speed: c.Speed(), server: server}
}

// Site returns the site time of a machine time; zero stays zero.
func (t Times) Site(m time.Time) time.Time {
	switch {
	case m.IsZero():
		return time.Time{}
	case t.same() || t.speed == 1 && t.near():
		return m.UTC()
	}
	return t.site0.Add(time.Duration(float64(m.Sub(t.wall)) * t.speed)).UTC()
}

// near says that site time is the machine's, and not only as fast.
func (t Times) near() bool { return t.site0.Sub(t.wall).Abs() < time.Second }

// Machine returns the machine time of a site time.
func (t Times) Machine(s time.Time) time.Time {
	switch {
	case s.IsZero():
		return time.Time{}
	case t.same() || t.speed == 1 && t.near() || t.speed <= 0:
		return s.UTC()
	}
	return t.wall.Add(time.Duration(float64(s.Sub(t.site0)) / t.speed)).UTC()
}

// NewServer returns a Server of which nothing is known yet.
func NewServer(c clock.Clock) *Server { return &Server{clock: c} }

// Watch returns a transport that tells the Server each answer's Date.
func (s *Server) Watch(next http.RoundTripper) http.RoundTripper { return dated{next, s} }
