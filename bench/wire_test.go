package bench

import (
	"bytes"
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sleepWords mark the writes that tell a device to sleep, by what only they hold.
var sleepWords = [][]byte{
	[]byte("POST /cgi-bin/set_miner_conf.cgi"), []byte(`{"enc":`), []byte("PUT /api/v1/actions/pause"), []byte(`"curtail"`), []byte("POST /api/v1/mining/"),
}

func tellsSleep(p []byte) bool {
	return slices.ContainsFunc(sleepWords, func(w []byte) bool { return bytes.Contains(p, w) })
}

// mark is when a device was told to sleep: nanoseconds after the stopwatch's start, 0 for never.
type mark struct {
	written, answered atomic.Int64
}

// stopwatch watches the connections of a controller: when the last byte of each command
// was written, and when the first byte of its answer was read.
type stopwatch struct {
	mu    sync.Mutex
	marks map[string]*mark // by the device's address
	armed atomic.Bool
	start time.Time
}

func newStopwatch() *stopwatch { return &stopwatch{marks: map[string]*mark{}} }

// arm starts the clock.
func (w *stopwatch) arm() {
	w.start = time.Now()
	w.armed.Store(true)
}

func (w *stopwatch) since() int64 { return int64(time.Since(w.start)) }

// mark returns the mark of the device at an address.
func (w *stopwatch) mark(address string) *mark {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.marks[address]
	if m == nil {
		m = &mark{}
		w.marks[address] = m
	}
	return m
}

func (w *stopwatch) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &watched{Conn: c, w: w, m: w.mark(address)}, nil
}

// answered returns how many of the devices at these hosts answered a command; nil: of all.
func (w *stopwatch) answered(of map[string]bool) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for address, m := range w.marks {
		if m.answered.Load() != 0 && among(of, address) {
			n++
		}
	}
	return n
}

func among(of map[string]bool, address string) bool {
	host, _, _ := net.SplitHostPort(address)
	return of == nil || of[host]
}

// times returns when each device's command was written and answered, soonest first.
func (w *stopwatch) times(of map[string]bool) (written, answered []time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for address, m := range w.marks {
		if t := m.answered.Load(); t != 0 && among(of, address) {
			written = append(written, time.Duration(m.written.Load()))
			answered = append(answered, time.Duration(t))
		}
	}
	slices.Sort(written)
	slices.Sort(answered)
	return written, answered
}

type watched struct {
	net.Conn
	w       *stopwatch
	m       *mark
	command atomic.Bool // a command is being written, or its answer awaited
}

func (c *watched) Write(p []byte) (int, error) {
	if !c.w.armed.Load() {
		return c.Conn.Write(p)
	}
	if !c.command.Load() {
		if !tellsSleep(p) {
			return c.Conn.Write(p)
		}
		c.command.Store(true)
	}
	n, err := c.Conn.Write(p)
	c.m.written.Store(c.w.since())
	return n, err
}

func (c *watched) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.command.Swap(false) {
		c.m.answered.Store(c.w.since())
	}
	return n, err
}

// exchange is one request as a driver wrote it.
type exchange struct {
	address string
	dial    bool // on a new connection
	payload []byte
}

// recorder keeps what a driver writes, so that a bare program can write the same.
type recorder struct {
	mu       sync.Mutex
	on       bool
	steps    []exchange
	kept     map[string]exchange // by address: the last request before recording
	captured func()              // set: a whole command that tells sleep is kept back, and then this is called
}

func newRecorder() *recorder { return &recorder{kept: map[string]exchange{}} }

func (r *recorder) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &recorded{Conn: c, r: r, address: address, fresh: true}, nil
}

// record starts a new script. With captured, a command that tells sleep is not sent.
func (r *recorder) record(captured func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on, r.captured, r.steps = true, captured, nil
}

// stop ends the recording.
func (r *recorder) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on = false
}

// script returns what was recorded, behind what makes the connections that it found open.
func (r *recorder) script() script {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := script{steps: r.steps}
	seen := map[string]bool{}
	for _, x := range r.steps {
		if k, ok := r.kept[x.address]; ok && !x.dial && !seen[x.address] {
			k.dial = true
			s.warm = append(s.warm, k)
		}
		seen[x.address] = true
	}
	return s
}

type recorded struct {
	net.Conn
	r       *recorder
	address string
	fresh   bool // nothing was written yet
	open    bool // the last request is still being written
	held    bool // a command is kept back
}

func (c *recorded) Write(p []byte) (int, error) {
	c.r.mu.Lock()
	if c.open { // a request in more than one piece
		last := c.r.kept[c.address]
		if c.r.on {
			last = c.r.steps[len(c.r.steps)-1]
		}
		last.payload = append(last.payload, p...)
		c.keep(last, true)
	} else {
		c.keep(exchange{address: c.address, dial: c.fresh, payload: bytes.Clone(p)}, false)
	}
	c.fresh, c.open = false, true
	held := c.held
	c.r.mu.Unlock()
	if held {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// keep notes a request; the recorder is locked.
func (c *recorded) keep(x exchange, again bool) {
	switch {
	case !c.r.on:
		c.r.kept[c.address] = x
	case again:
		c.r.steps[len(c.r.steps)-1] = x
	default:
		c.r.steps = append(c.r.steps, x)
	}
	if c.r.on && c.r.captured != nil && tellsSleep(x.payload) {
		c.held = true
		if !isHTTP(x.payload) || wholeHTTP(x.payload) {
			c.r.captured()
		}
	}
}

func (c *recorded) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.r.mu.Lock()
	c.open = false
	c.r.mu.Unlock()
	return n, err
}
