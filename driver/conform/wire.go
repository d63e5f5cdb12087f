package conform

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// wire stands between the driver and its fake. The zero wire passes everything on.
type wire struct {
	inner func(ctx context.Context, network, address string) (net.Conn, error)

	mu         sync.Mutex
	open, made int
	err        error         // what dialling says
	silent     bool          // the peer accepts and never answers
	reply      []byte        // what the peer answers to anything, then it closes
	canned     bool          // reply is in force
	cut        int           // bytes after which a connection's answers end
	cutting    bool          // cut is in force
	pause      time.Duration // before each first byte of an answer
	got        int           // most bytes that one connection brought
	asked      int           // requests: writes that follow a reading or a dialling

	live map[*conn]struct{}
}

// cutOff closes all connections, as a device does that loses its power.
func (w *wire) cutOff() {
	w.mu.Lock()
	var all []*conn
	for c := range w.live {
		all = append(all, c)
	}
	w.mu.Unlock()
	for _, c := range all {
		_ = c.Conn.Close()
	}
}

func (w *wire) set(f func(*wire)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w)
}

// requests returns how many requests were written.
func (w *wire) requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

func (w *wire) counts() (open, made, got int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open, w.made, w.got
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	err, isolated := w.err, w.silent || w.canned
	w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var c net.Conn
	switch {
	case isolated:
		c = w.isolated()
	case w.inner != nil:
		c, err = w.inner(ctx, network, address)
	default:
		c, err = (&net.Dialer{}).DialContext(ctx, network, address)
	}
	if err != nil {
		return nil, err
	}
	made := &conn{Conn: c, w: w}
	w.set(func(w *wire) {
		w.open++
		w.made++
		if w.live == nil {
			w.live = map[*conn]struct{}{}
		}
		w.live[made] = struct{}{}
	})
	return made, nil
}

// isolated makes a connection to a peer that says the canned reply, or nothing.
func (w *wire) isolated() net.Conn {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		buf := make([]byte, 4096)
		if _, err := far.Read(buf); err != nil {
			return
		}
		w.mu.Lock()
		reply, canned := w.reply, w.canned
		w.mu.Unlock()
		if canned {
			go func() { _, _ = io.Copy(io.Discard, far) }()
			_, _ = far.Write(reply)
			return
		}
		_, _ = io.Copy(io.Discard, far) // silent until the driver hangs up
	}()
	return near
}

// conn counts and, if asked, spoils what passes.
type conn struct {
	net.Conn
	w      *wire
	once   sync.Once
	mu     sync.Mutex
	got    int
	paused bool
	asking bool // the last thing on it was a write
	closed bool
	dead   time.Time
}

// Read passes bytes on until the cut.
func (c *conn) Read(p []byte) (int, error) {
	c.w.mu.Lock()
	cut, cutting, pause := c.w.cut, c.w.cutting, c.w.pause
	c.w.mu.Unlock()
	c.mu.Lock()
	got := c.got
	c.mu.Unlock()
	if cutting {
		if got >= cut {
			return 0, io.EOF
		}
		p = p[:min(len(p), cut-got)]
	}
	n, err := c.Conn.Read(p)
	if n > 0 && pause > 0 && !c.wait(pause) {
		return 0, os.ErrDeadlineExceeded
	}
	c.mu.Lock()
	c.got += n
	c.asking = c.asking && n == 0
	got = c.got
	c.mu.Unlock()
	c.w.set(func(w *wire) { w.got = max(w.got, got) })
	return n, err
}

// wait pauses once after each request and heeds the deadline and Close; false means that
// one of them came first.
func (c *conn) wait(d time.Duration) bool {
	c.mu.Lock()
	first := !c.paused
	c.paused = true
	c.mu.Unlock()
	if !first {
		return true
	}
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(min(d, 5*time.Millisecond)) {
		c.mu.Lock()
		over := c.closed || !c.dead.IsZero() && !time.Now().Before(c.dead)
		c.mu.Unlock()
		if over {
			return false
		}
	}
	return true
}

// Write begins a new exchange.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	first := false
	if !upkeep(p) {
		first = !c.asking
		c.paused, c.asking = false, true
	}
	c.mu.Unlock()
	if first {
		c.w.set(func(w *wire) { w.asked++ })
	}
	return c.Conn.Write(p)
}

// upkeep says that p is HTTP/2's care for its connection and no request: SETTINGS, PING and
// WINDOW_UPDATE frames alone (RFC 9113, section 6), which its transport sends when it sees fit.
func upkeep(p []byte) bool {
	const head, settings, ping, window = 9, 4, 6, 8
	if len(p) == 0 {
		return false
	}
	for len(p) > 0 {
		if len(p) < head {
			return false
		}
		if kind := p[3]; kind != settings && kind != ping && kind != window {
			return false
		}
		n := head + int(p[0])<<16 + int(p[1])<<8 + int(p[2])
		if len(p) < n {
			return false
		}
		p = p[n:]
	}
	return true
}

// SetDeadline remembers the deadline for wait.
func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	c.dead = t
	c.mu.Unlock()
	return c.Conn.SetDeadline(t)
}

// SetReadDeadline remembers the deadline for wait.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.dead = t
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

// Close counts the socket as closed, once.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.w.set(func(w *wire) {
			w.open--
			delete(w.live, c)
		})
	})
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	return c.Conn.Close()
}

var errNobody = &net.OpError{Op: "dial", Net: "tcp", Err: errors.Join(syscall.ECONNREFUSED)}
