package httpx

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"switchyard/driver"
)

// line is the way to one device: an address and at most one connection, kept for a while.
type line struct {
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	address string
	host    string      // as a request names it
	tls     *tls.Config // nil: none
	idle    time.Duration

	mu    sync.Mutex
	kept  net.Conn
	until time.Time // when the kept one is to end
	timer *time.Timer
}

func newLine(t driver.Target, address string, idle time.Duration, config *tls.Config) *line {
	standard := ":80"
	if config != nil {
		standard = ":443"
		if config.ServerName == "" {
			config = config.Clone()
			config.ServerName = t.Host
		}
	}
	return &line{dial: t.Dial, address: address, host: strings.TrimSuffix(address, standard), tls: config, idle: idle}
}

// take returns the kept connection, or nil.
func (l *line) take() net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	conn := l.kept
	if l.kept = nil; conn != nil {
		l.timer.Stop()
	}
	return conn
}

// keep keeps a connection on which nothing is under way.
func (l *line) keep(conn net.Conn) {
	if l.idle <= 0 {
		_ = conn.Close()
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept, l.until = conn, time.Now().Add(l.idle)
	if l.timer == nil {
		l.timer = time.AfterFunc(l.idle, l.expire)
	} else {
		l.timer.Reset(l.idle)
	}
}

// expire ends a connection that was not used; a late call spares the next one.
func (l *line) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept != nil && !time.Now().Before(l.until) {
		_ = l.kept.Close()
		l.kept = nil
	}
}

// end closes the kept connection.
func (l *line) end() {
	if conn := l.take(); conn != nil {
		_ = conn.Close()
	}
}

func (l *line) connect(ctx context.Context) (net.Conn, error) {
	conn, err := driver.Target{Dial: l.dial}.DialContext(ctx, l.address)
	if err != nil || l.tls == nil {
		return conn, err
	}
	secure := tls.Client(conn, l.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("agree on encryption: %w", err)
	}
	return secure, nil
}

// request makes what Auth signs; write puts the same on the wire.
func (l *line) request(method, path string, body *Raw) (*http.Request, error) {
	u, err := url.ParseRequestURI(path)
	if err != nil || !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("the path is none: %w", driver.ErrUnsupported)
	}
	u.Scheme, u.Host = "http", l.host
	if l.tls != nil {
		u.Scheme = "https"
	}
	req := &http.Request{Method: method, URL: u, Host: l.host, Header: make(http.Header, 3)}
	if body != nil {
		data := body.Data
		req.ContentLength = int64(len(data))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		if body.Type != "" {
			req.Header["Content-Type"] = []string{body.Type}
		}
	}
	return req, nil
}

// errRequest is a method, path or header that would end its line.
var errRequest = fmt.Errorf("the request holds a control character: %w", driver.ErrUnsupported)

// write appends the whole request to b.
func write(b []byte, req *http.Request, body *Raw) ([]byte, error) {
	uri := req.URL.RequestURI()
	if !plain(req.Method, ' ') || !plain(uri, ' ') {
		return b, errRequest
	}
	b = append(append(append(append(b, req.Method...), ' '), uri...), " HTTP/1.1\r\nHost: "...)
	b = append(append(b, req.Host...), "\r\n"...)
	for key, values := range req.Header {
		for _, v := range values {
			if !plain(key, ' ') || !plain(v, ' '-1) {
				return b, errRequest
			}
			b = append(append(append(append(b, key...), ": "...), v...), "\r\n"...)
		}
	}
	if body != nil || req.Method == http.MethodPost || req.Method == http.MethodPut {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), req.ContentLength, 10), "\r\n"...)
	}
	b = append(b, "\r\n"...)
	if body != nil {
		b = append(b, body.Data...)
	}
	return b, nil
}

// plain says whether every byte of s is above last and none is DEL.
func plain(s string, last byte) bool {
	for i := range len(s) {
		if s[i] <= last || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// exchange sends one request and reads its answer, body and all. Where redial allows it, a
// kept connection that the device had closed, or on which it said something else than an
// answer, costs a second try on a new one.
func (l *line) exchange(ctx context.Context, req *http.Request, body *Raw, redial bool) (*http.Response, []byte, error) {
	x := exchanges.Get().(*exchange)
	defer x.release()
	var err error
	if x.out, err = write(x.out[:0], req, body); err != nil {
		return nil, nil, err
	}
	for conn := l.take(); ; conn = nil {
		kept := conn != nil
		if !kept {
			if conn, err = l.connect(ctx); err != nil {
				return nil, nil, err
			}
		}
		resp, data, whole, err := x.over(ctx, conn, req)
		if whole {
			l.keep(conn)
		} else {
			_ = conn.Close() // the exchange is over either way
		}
		gone := !x.answered && err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
		// Some servers say goodbye by a 408 that nobody asked for.
		gone = gone || err == nil && resp.StatusCode == http.StatusRequestTimeout
		if kept && gone && redial && ctx.Err() == nil {
			continue
		}
		return resp, data, err
	}
}

// exchange is the memory of one exchange; it goes from device to device.
type exchange struct {
	conn     net.Conn
	answered bool // the head of an answer came
	left     int  // bytes that may still be read
	in       *bufio.Reader
	out      []byte
}

var exchanges = sync.Pool{New: func() any {
	x := &exchange{}
	x.in = bufio.NewReaderSize(x, 4<<10)
	return x
}}

// maxOut is the longest request whose memory is kept.
const maxOut = 16 << 10

func (x *exchange) release() {
	if cap(x.out) > maxOut {
		x.out = nil
	}
	x.conn = nil
	x.in.Reset(x)
	exchanges.Put(x)
}

var (
	errHeader = fmt.Errorf("the reply's header is over the limit of %d bytes", maxHeader)
	errBody   = fmt.Errorf("reply is over the limit of %d bytes", MaxBody)
)

// Read reads from the connection, up to the limit.
func (x *exchange) Read(p []byte) (int, error) {
	if x.left <= 0 {
		return 0, errHeader
	}
	n, err := x.conn.Read(p[:min(len(p), x.left)])
	x.left -= n
	return n, err
}

// over writes the request to conn and reads the answer. whole says that the connection may
// carry another.
func (x *exchange) over(ctx context.Context, conn net.Conn, req *http.Request) (_ *http.Response, _ []byte, whole bool, err error) {
	x.conn, x.answered, x.left = conn, false, maxHeader
	x.in.Reset(x)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer func() { whole = stop() && whole }() // else the deadline may still come over the next exchange
	// A device may refuse a request before it has read all of it: what it says counts.
	_, unwritten := conn.Write(x.out)
	resp, err := x.head(req)
	var data []byte
	if err == nil {
		data, err = x.body(resp)
	}
	switch {
	case err == nil:
		return resp, data, unwritten == nil && !resp.Close && x.in.Buffered() == 0, nil
	case unwritten != nil:
		return nil, nil, false, unwritten
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		err = fmt.Errorf("%w: %w", ErrCut, err)
	}
	return nil, nil, false, err
}

// maxInterim is how many interim answers (1xx) may come before the answer.
const maxInterim = 4

func (x *exchange) head(req *http.Request) (*http.Response, error) {
	for range maxInterim {
		resp, err := http.ReadResponse(x.in, req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			x.answered = true
			return resp, nil
		}
	}
	return nil, errors.New("one interim answer after the other")
}

// firstBody is the most that is laid out for a body before any of it came.
const firstBody = 64 << 10

// body reads the body, which is the caller's to keep. It does not close it: that would read
// the rest of one that is too long, and frees nothing.
func (x *exchange) body(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > MaxBody {
		return nil, errBody
	}
	x.left = 4 * MaxBody // chunks have heads of their own
	size := 1 << 10
	if resp.ContentLength >= 0 {
		size = int(min(resp.ContentLength, firstBody))
	}
	data := make([]byte, 0, max(size, 1))
	for {
		n, err := resp.Body.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case len(data) > MaxBody:
			return nil, errBody
		case err == io.EOF: //nolint:errorlint // a Reader's own
			return data, nil
		case err != nil:
			return nil, err
		case len(data) == cap(data):
			data = append(data, 0)[:len(data)]
		}
	}
}
