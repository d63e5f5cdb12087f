package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/driver/all"
	"switchyard/sitefile"
)

// script is what a bare program writes to one device: the very bytes that the driver
// writes, on as many connections.
type script struct {
	warm  []exchange // before the clock starts: connections that the driver keeps
	steps []exchange
	// end closes the device that the script was recorded with: its session is the script's.
	end func()
}

// bare plays scripts: it dials, writes and reads until the answer is whole, and nothing else.
type bare struct {
	conns map[string]net.Conn
	buf   []byte
}

func newBare() *bare { return &bare{conns: map[string]net.Conn{}, buf: make([]byte, 0, 16<<10)} }

func (p *bare) close() {
	for _, c := range p.conns {
		_ = c.Close()
	}
}

// play runs the steps and returns when the last write had returned and its answer began.
func (p *bare) play(steps []exchange) (written, answered time.Time, err error) {
	for _, x := range steps {
		c := p.conns[x.address]
		if x.dial || c == nil {
			if c != nil {
				_ = c.Close()
			}
			if c, err = net.Dial("tcp", x.address); err != nil {
				return written, answered, err
			}
			p.conns[x.address] = c
		}
		if _, err = c.Write(x.payload); err != nil {
			return written, answered, fmt.Errorf("write to %s: %w", x.address, err)
		}
		written = time.Now()
		web := isHTTP(x.payload)
		if answered, err = p.read(c, web); err != nil {
			return written, answered, fmt.Errorf("read from %s: %w", x.address, err)
		}
		if !web { // one exchange a connection
			_ = c.Close()
			delete(p.conns, x.address)
		}
	}
	return written, answered, nil
}

func (p *bare) read(c net.Conn, web bool) (first time.Time, err error) {
	p.buf = p.buf[:0]
	for {
		if len(p.buf) == cap(p.buf) {
			p.buf = append(p.buf, 0)[:len(p.buf)]
		}
		n, err := c.Read(p.buf[len(p.buf):cap(p.buf)])
		if first.IsZero() {
			first = time.Now()
		}
		p.buf = p.buf[:len(p.buf)+n]
		switch {
		case web && wholeHTTP(p.buf), !web && wholeJSON(p.buf), errors.Is(err, io.EOF) && len(p.buf) > 0:
			return first, nil
		case err != nil:
			return first, err
		}
	}
}

func isHTTP(p []byte) bool { return len(p) > 0 && p[0] != '{' }

// wholeHTTP says whether a request or a reply has come to its end.
func wholeHTTP(p []byte) bool {
	head, body, ok := bytes.Cut(p, []byte("\r\n\r\n"))
	if !ok {
		return false
	}
	if _, length, ok := bytes.Cut(head, []byte("Content-Length: ")); ok {
		length, _, _ = bytes.Cut(length, []byte("\r\n"))
		n, err := strconv.Atoi(string(length))
		return err != nil || len(body) >= n
	}
	return !bytes.Contains(head, []byte("chunked")) || bytes.HasSuffix(body, []byte("0\r\n\r\n"))
}

// wholeJSON says whether the outermost bracket has closed. No text of the devices has brackets.
func wholeJSON(p []byte) bool {
	n := bytes.Count(p, []byte("{")) + bytes.Count(p, []byte("["))
	return n > 0 && n == bytes.Count(p, []byte("}"))+bytes.Count(p, []byte("]"))
}

// device opens a miner of the site file with its driver, on connections that r records.
func device(g sitefile.Group, t sitefile.Address, r *recorder) (driver.Device, error) {
	d, ok := all.ByName(g.Driver)
	if !ok {
		return nil, fmt.Errorf("no driver %s", g.Driver)
	}
	return d.Open(driver.Target{Device: t.Device, Host: t.Host, Ports: t.Ports, Model: g.Model, Now: time.Now, Dial: r.dial})
}

// steady opens a miner and reads it once, so that it knows the device as in running.
func steady(ctx context.Context, g sitefile.Group, t sitefile.Address, r *recorder) (driver.Device, error) {
	d, err := device(g, t, r)
	if err != nil {
		return nil, err
	}
	if _, err := d.Info(ctx); err != nil {
		return nil, err
	}
	if _, err = d.Read(ctx); err != nil {
		return d, err
	}
	if s, ok := d.(driver.Stager); ok { // as its actor does after every poll
		err = s.Stage(ctx)
	}
	return d, err
}

// sleepScript finds out what a driver writes to tell a device that is awake to sleep,
// without telling it.
func sleepScript(g sitefile.Group, t sitefile.Address) (script, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r := newRecorder()
	d, err := steady(ctx, g, t, r)
	if err != nil {
		return script{}, err
	}
	if g.Driver == "antminer" { // between two polls its short-lived connection has ended
		_ = d.Close()
	}
	r.record(cancel)
	err = d.Apply(ctx, sleepNow)
	s := r.script()
	r.stop()
	s.end = func() { _ = d.Close() }
	if n := len(s.steps); n == 0 || !tellsSleep(s.steps[n-1].payload) {
		return s, fmt.Errorf("%s was not told to sleep: %w", t.Device, err)
	}
	return s, nil
}

// sleepScripts asks all miners of a site.
func sleepScripts(b *testing.B, f *sitefile.File) []script {
	b.Helper()
	var out []script
	var errs []error
	var mu sync.Mutex
	var wg sync.WaitGroup
	gate := make(chan struct{}, 64)
	for _, g := range f.Groups {
		for _, t := range g.Targets() {
			gate <- struct{}{}
			wg.Go(func() {
				defer func() { <-gate }()
				s, err := sleepScript(g, t)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					errs = append(errs, err)
				}
				out = append(out, s)
			})
		}
	}
	wg.Wait()
	if len(errs) > 0 {
		b.Fatalf("%d miners: %v", len(errs), errs[0])
	}
	return out
}
