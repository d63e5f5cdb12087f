package kube

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/clock"
)

// times turns the API server's times into site time: they are machine time, unless the server's
// own clock is nearer to the site's, as in a rehearsal with an emulated cluster.
type times struct {
	wall, site0 time.Time
	speed       float64
	server      *serverClock // nil: the machine's
}

// serverClock is which clock a server goes by, found out from the Date of its first answer.
type serverClock struct {
	clock clock.Clock
	once  sync.Once
	sites atomic.Bool
}

// dated tells a serverClock each answer's Date.
type dated struct {
	next http.RoundTripper
	by   *serverClock
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
func (t times) same() bool { return t.server != nil && t.server.sites.Load() }

func newTimes(c clock.Clock) times { return times{wall: time.Now(), site0: c.Now(), speed: c.Speed()} }

// site returns the site time of a machine time; zero stays zero.
func (t times) site(m time.Time) time.Time {
	switch {
	case m.IsZero():
		return time.Time{}
	case t.same() || t.speed == 1 && t.near():
		return m.UTC()
	}
	return t.site0.Add(time.Duration(float64(m.Sub(t.wall)) * t.speed)).UTC()
}

// near says that site time is the machine's, and not only as fast.
func (t times) near() bool { return t.site0.Sub(t.wall).Abs() < time.Second }

// machine returns the machine time of a site time.
func (t times) machine(s time.Time) time.Time {
	switch {
	case s.IsZero():
		return time.Time{}
	case t.same() || t.speed == 1 && t.near() || t.speed <= 0:
		return s.UTC()
	}
	return t.wall.Add(time.Duration(float64(s.Sub(t.site0)) / t.speed)).UTC()
}

// The bounds of what is kept for people.
const (
	maxNotices = 50
	noticeFor  = time.Hour // site time
)

// notices are what happened once and a person should know: the newest maxNotices, for an hour.
type notices struct {
	mu  sync.Mutex
	all []notice
}

type notice struct {
	at   time.Time
	text string
}

// add keeps a text; the same text again only moves its time.
func (n *notices) add(at time.Time, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = slices.DeleteFunc(n.all, func(o notice) bool { return o.text == text || at.Sub(o.at) > noticeFor })
	if len(n.all) >= maxNotices {
		n.all = n.all[1:]
	}
	n.all = append(n.all, notice{at, text})
}

func (n *notices) list(now time.Time) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, o := range n.all {
		if now.Sub(o.at) <= noticeFor {
			out = append(out, o.text)
		}
	}
	return out
}
