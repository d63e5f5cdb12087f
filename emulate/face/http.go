package face

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Web is how a device's small web server treats its clients. Times are machine time.
//
// It is a loop over http.ReadRequest and not net/http's server, whose buffers and goroutines
// would stay with every kept connection: tens of thousands of devices run in one process.
type Web struct {
	// Idle is how long a kept connection may be silent.
	Idle time.Duration
	// Requests is how many requests one connection may carry; 0 is no limit.
	Requests int
}

const (
	// maxWebConns is how many connections a web server keeps; further ones are closed at once.
	maxWebConns = 64
	// maxHeader bounds the header of a request, as firmware with a few megabytes free does.
	maxHeader = 8 << 10
	// maxRest bounds what is read of a request's body that its handler left.
	maxRest = 256 << 10
	// headPatience is how long a new connection may take for its first byte, webPatience a
	// request from there to the end of its answer.
	headPatience = 10 * time.Second
	webPatience  = 20 * time.Second
)

// HTTP serves l with h. A handler's answer is sent when it returns. It does not block; Close
// ends everything.
func (w Web) HTTP(l net.Listener, h http.Handler) io.Closer {
	return TCP(l, maxWebConns, func(c net.Conn) {
		s := session{web: w, conn: c, remote: c.RemoteAddr().String()}
		for s.one(h) {
			s.served++
		}
		s.give()
	})
}

// session is one connection.
type session struct {
	web    Web
	conn   net.Conn
	remote string
	served int
	first  [1]byte
	desk   *desk // nil while it is silent
}

// desk is the memory of one request and its answer; it goes from connection to connection.
type desk struct {
	in     *bufio.Reader
	from   net.Conn
	ahead  []byte // read before
	left   int    // bytes that may still be read
	header http.Header
	status int
	body   []byte
	out    []byte
	gone   bool // the connection is to be closed without a word
}

var desks = sync.Pool{New: func() any {
	d := &desk{header: http.Header{}}
	d.in = bufio.NewReaderSize(d, 2<<10)
	return d
}}

func (s *session) give() {
	if s.desk == nil {
		return
	}
	const most = 32 << 10 // longer memory is not kept
	if cap(s.desk.body) <= most && cap(s.desk.out) <= most {
		s.desk.from, s.desk.ahead = nil, nil
		desks.Put(s.desk)
	}
	s.desk = nil
}

var errHeader = errors.New("the header is too long")

// Read reads from the connection, up to the limit.
func (d *desk) Read(p []byte) (int, error) {
	if len(d.ahead) > 0 {
		n := copy(p, d.ahead)
		d.ahead = d.ahead[n:]
		return n, nil
	}
	if d.left <= 0 {
		return 0, errHeader
	}
	n, err := d.from.Read(p[:min(len(p), d.left)])
	d.left -= n
	return n, err
}

// await waits for a request. A connection that has carried one holds no memory meanwhile.
func (s *session) await() bool {
	if s.desk != nil && s.desk.in.Buffered() > 0 {
		return s.conn.SetDeadline(time.Now().Add(webPatience)) == nil
	}
	if s.served == 0 {
		s.take(nil)
		return s.conn.SetDeadline(time.Now().Add(headPatience)) == nil
	}
	s.give()
	if s.conn.SetDeadline(time.Now().Add(s.web.Idle)) != nil {
		return false
	}
	if n, err := s.conn.Read(s.first[:]); n == 0 || err != nil {
		return false
	}
	s.take(s.first[:])
	return s.conn.SetDeadline(time.Now().Add(webPatience)) == nil
}

func (s *session) take(ahead []byte) {
	s.desk = desks.Get().(*desk)
	s.desk.from, s.desk.ahead = s.conn, ahead
	s.desk.in.Reset(s.desk)
}

// one carries one request and says whether another may follow.
func (s *session) one(h http.Handler) bool {
	if !s.await() {
		return false
	}
	d := s.desk
	d.left, d.status, d.gone = maxHeader, 0, false
	d.body = d.body[:0]
	clear(d.header)
	r, err := http.ReadRequest(d.in)
	if err != nil {
		s.refuse(err)
		return false
	}
	d.left = 1 << 30 // handlers bound bodies
	r.RemoteAddr = s.remote
	if strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		if _, err := io.WriteString(s.conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return false
		}
	}
	h.ServeHTTP(d, r)
	if d.gone {
		return false
	}
	rest, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxRest))
	last := err != nil || rest == maxRest || r.Close || s.web.Requests > 0 && s.served+1 >= s.web.Requests ||
		strings.EqualFold(d.header.Get("Connection"), "close")
	d.compose(r, last)
	_, err = s.conn.Write(d.out)
	return err == nil && !last
}

// refuse answers what is no request, if anything came.
func (s *session) refuse(err error) {
	var ne net.Error
	if errors.Is(err, io.EOF) || errors.As(err, &ne) {
		return
	}
	code := http.StatusBadRequest
	if errors.Is(err, errHeader) {
		code = http.StatusRequestHeaderFieldsTooLarge
	}
	_, _ = io.WriteString(s.conn, "HTTP/1.1 "+strconv.Itoa(code)+" "+http.StatusText(code)+ // the client may be gone
		"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

// Header returns the answer's header.
func (d *desk) Header() http.Header { return d.header }

// WriteHeader sets the answer's status, once.
func (d *desk) WriteHeader(status int) {
	if d.status == 0 {
		d.status = status
	}
}

// Write adds to the answer's body.
func (d *desk) Write(p []byte) (int, error) {
	d.WriteHeader(http.StatusOK)
	d.body = append(d.body, p...)
	return len(p), nil
}

// WriteString adds to the answer's body.
func (d *desk) WriteString(s string) (int, error) {
	d.WriteHeader(http.StatusOK)
	d.body = append(d.body, s...)
	return len(s), nil
}

// compose lays the whole answer into out.
func (d *desk) compose(r *http.Request, last bool) {
	d.WriteHeader(http.StatusOK)
	b := append(d.out[:0], "HTTP/1.1 "...)
	if r.ProtoMajor == 1 && r.ProtoMinor == 0 {
		b = append(d.out[:0], "HTTP/1.0 "...)
	}
	b = append(strconv.AppendInt(b, int64(d.status), 10), ' ')
	b = append(append(b, http.StatusText(d.status)...), "\r\n"...)
	for key, values := range d.header {
		if key == "Connection" || key == "Content-Length" {
			continue
		}
		for _, v := range values {
			b = append(append(append(append(b, key...), ": "...), v...), "\r\n"...)
		}
	}
	switch {
	case last:
		b = append(b, "Connection: close\r\n"...)
	case r.ProtoMinor == 0:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	if d.status != http.StatusNoContent && d.status != http.StatusNotModified {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), int64(len(d.body)), 10), "\r\n"...)
	}
	b = append(b, "\r\n"...)
	if r.Method != http.MethodHead && d.status != http.StatusNoContent && d.status != http.StatusNotModified {
		b = append(b, d.body...)
	}
	d.out = b
}

// Vanish closes the connection without an answer, as a device does whose board restarts.
func Vanish(w http.ResponseWriter) {
	if d, ok := w.(*desk); ok {
		d.gone = true
	}
}
