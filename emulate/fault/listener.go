package fault

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// maxHeld bounds the half-open connections a listener keeps; the oldest is closed for a
// newer one.
const maxHeld = 32

// errLost is what a face sees when it answers an exchange that is lost.
var errLost = errors.New("connection lost by a fault")

// Options say how a listener misbehaves.
type Options struct {
	Faults Set
	// Now returns site time; the windows of the faults are in it. Required if there are faults.
	Now func() time.Time
	// Dice throw the chances. Required if there are faults.
	Dice *Dice
	// Away, if set, says that the device is down: connections are closed, new ones at once
	// and old ones instead of an answer.
	Away func() bool
}

// Listener passes on the connections of another listener, with faults.
type Listener struct {
	net.Listener
	o Options

	mu     sync.Mutex
	held   []net.Conn
	closed bool
	done   sync.WaitGroup
}

// Listen wraps l. Closing the wrapper closes l and the half-open connections it keeps.
func Listen(l net.Listener, o Options) *Listener { return &Listener{Listener: l, o: o} }

// Accept waits for the next connection that a face is to see.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		switch {
		case l.o.Away != nil && l.o.Away():
			_ = c.Close() // it is down: nobody to tell
		case l.active(HalfOpen):
			l.hold(c)
		default:
			return &conn{Conn: c, l: l, gone: make(chan struct{})}, nil
		}
	}
}

// Close closes the listener, ends what it holds and waits for that.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	l.closed = true
	for _, c := range l.held {
		_ = c.Close() // its reader sees it
	}
	l.held = nil
	l.mu.Unlock()
	l.done.Wait()
	return err
}

// hold keeps a connection open, reads what comes and answers nothing.
func (l *Listener) hold(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = c.Close()
		return
	}
	if len(l.held) >= maxHeld {
		_ = l.held[0].Close()
		l.held = l.held[1:]
	}
	l.held = append(l.held, c)
	l.done.Go(func() {
		_, _ = io.Copy(io.Discard, c) // until either side closes
		_ = c.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		for i := range l.held {
			if l.held[i] == c {
				l.held = append(l.held[:i:i], l.held[i+1:]...)
				break
			}
		}
	})
}

// active says whether a fault without a chance of its own is active.
func (l *Listener) active(k Kind) bool {
	if len(l.o.Faults) == 0 {
		return false
	}
	_, ok := l.o.Faults.Active(k, l.o.Now())
	return ok
}

// hit says whether a fault strikes the present exchange.
func (l *Listener) hit(k Kind) bool {
	f, ok := l.o.Faults.Active(k, l.o.Now())
	return ok && l.o.Dice.Hit(f.Chance)
}

// conn misbehaves once per exchange: at the first byte of a reply after a request.
type conn struct {
	net.Conn
	l       *Listener
	asked   atomic.Bool // something was read since the last reply began
	garbles atomic.Bool // the present reply comes garbled
	once    sync.Once
	gone    chan struct{}
}

// Read notes that a request came.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.asked.Store(true)
	}
	return n, err
}

// Write sends a reply, or what the faults leave of it.
func (c *conn) Write(p []byte) (int, error) {
	if c.l.o.Away != nil && c.l.o.Away() {
		_ = c.Close() // it went down with the connection open
		return 0, errLost
	}
	if len(c.l.o.Faults) == 0 {
		return c.Conn.Write(p)
	}
	if c.asked.Swap(false) {
		if c.l.hit(Lost) {
			_ = c.Close() // the loss itself
			return 0, errLost
		}
		if f, ok := c.l.o.Faults.Active(Late, c.l.o.Now()); ok && !c.wait(f.Delay) {
			return 0, net.ErrClosed
		}
		c.garbles.Store(c.l.hit(Garbled))
	}
	if c.l.active(HalfOpen) {
		return len(p), nil // swallowed
	}
	if c.garbles.Load() {
		return c.garble(p)
	}
	return c.Conn.Write(p)
}

// garble flips some bytes, or cuts the reply off and closes.
func (c *conn) garble(p []byte) (int, error) {
	dice := c.l.o.Dice
	if len(p) > 1 && dice.Hit(0.4) {
		_, _ = c.Conn.Write(p[:dice.Below(len(p))]) // the cut is the fault; an error changes nothing
		_ = c.Close()
		return 0, errLost
	}
	q := append([]byte(nil), p...)
	for range 1 + dice.Below(4) {
		if len(q) > 0 {
			q[dice.Below(len(q))] ^= byte(1 + dice.Below(255))
		}
	}
	return c.Conn.Write(q)
}

// wait waits for d of machine time and says whether the connection is still open.
func (c *conn) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.gone:
		return false
	}
}

// Close ends a wait too.
func (c *conn) Close() error {
	c.once.Do(func() { close(c.gone) })
	return c.Conn.Close()
}
