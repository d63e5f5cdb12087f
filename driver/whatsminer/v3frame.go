package whatsminer

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
)

const (
	// PortV3 is the standard port of API 3.
	PortV3 = 4433
	// maxFrame bounds a reply, in bytes; the longest known (device.info) has under 8,000.
	maxFrame = 1 << 20
	// maxBeats bounds the empty frames (heartbeats) before a reply.
	maxBeats = 8
	// fallback bounds an exchange whose context has no deadline.
	fallback = 10 * time.Second
	// keepV3 is how long an unused connection is kept: longer than the usual poll.
	keepV3 = 20 * time.Second
	// maxLost is how many kept connections in a row may be found closed before none is kept.
	maxLost = 2
)

// errCut says that the device ended the connection before it had answered.
var errCut = errors.New("the connection ended before the answer")

// frame puts the length before a message: unsigned, 32 bits, little endian.
func frame(body []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body))), body...)
}

// readFrame reads one message and passes over heartbeats.
func readFrame(r io.Reader) ([]byte, error) {
	for range maxBeats {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, err
		}
		n := binary.LittleEndian.Uint32(head[:])
		if n == 0 {
			continue
		}
		if n > maxFrame {
			return nil, fmt.Errorf("a frame of %d bytes is not API 3", n)
		}
		return readBody(r, int(n))
	}
	return nil, errors.New("one heartbeat after the other")
}

// readBody reads n bytes. It lays out memory as they come: a length alone costs little.
func readBody(r io.Reader, n int) ([]byte, error) {
	const first = 16 << 10
	if n <= first {
		body := make([]byte, n)
		_, err := io.ReadFull(r, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && len(body) < n {
		err = io.ErrUnexpectedEOF
	}
	return body, err
}

// hold is the one connection of a device, kept while it is used often.
type hold struct {
	mu    sync.Mutex
	conn  net.Conn
	until time.Time
	timer *time.Timer
	lost  int // kept connections that were found closed, in a row
}

// take returns the kept connection, or nil.
func (l *hold) take() net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	conn := l.conn
	if l.conn = nil; conn != nil {
		l.timer.Stop()
	}
	return conn
}

// keep keeps a connection on which nothing is under way; kept says that it was before.
func (l *hold) keep(conn net.Conn, kept bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if kept {
		l.lost = 0
	}
	if l.lost >= maxLost {
		_ = conn.Close() // this firmware ends it anyway
		return
	}
	l.conn, l.until = conn, time.Now().Add(keepV3)
	if l.timer == nil {
		l.timer = time.AfterFunc(keepV3, l.expire)
	} else {
		l.timer.Reset(keepV3)
	}
}

// miss notes that the kept connection was found closed.
func (l *hold) miss() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost++
}

// expire ends a connection that was not used; a late call spares the next one.
func (l *hold) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil && !time.Now().Before(l.until) {
		_ = l.conn.Close()
		l.conn = nil
	}
}

// end closes the kept connection.
func (l *hold) end() {
	if conn := l.take(); conn != nil {
		_ = conn.Close()
	}
}

// exchange sends one request and reads its reply. A kept connection that turns out closed
// costs a second try on a new one.
func (d *V3) exchange(ctx context.Context, request any) (reply rpc.Object, err error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, fallback)
		defer cancel()
	}
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		if err != nil {
			err = fmt.Errorf("%w: %w", err, driver.ErrUnreachable)
		}
	}()
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	for conn := d.line.take(); ; conn = nil {
		kept := conn != nil
		if !kept {
			if conn, err = d.target.DialContext(ctx, d.address); err != nil {
				return nil, fmt.Errorf("dial: %w", err)
			}
		}
		data, whole, err := swap(ctx, conn, frame(body))
		if err == nil {
			reply, err = parseV3(data)
		}
		if err == nil && whole {
			d.line.keep(conn, kept)
			return reply, nil
		}
		_ = conn.Close() // the exchange is over either way
		if kept && errors.Is(err, errCut) && ctx.Err() == nil {
			d.line.miss()
			continue
		}
		return reply, err
	}
}

// swap writes a request and reads its reply. whole says that the connection may carry another.
func swap(ctx context.Context, conn net.Conn, request []byte) (data []byte, whole bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer func() { whole = stop() && err == nil }() // else the deadline may still come over the next exchange
	_, err = conn.Write(request)
	if err == nil {
		data, err = readFrame(conn)
	}
	switch {
	case err == nil:
		return data, true, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		err = fmt.Errorf("%w: %w", errCut, err)
	}
	return nil, false, fmt.Errorf("exchange: %w", err)
}

// parseV3 reads a message. It comes framed, so it is whole or it is wrong.
func parseV3(data []byte) (rpc.Object, error) {
	r, err := rpc.Parse(data)
	switch {
	case err != nil:
		return nil, err
	case r.Truncated:
		return nil, io.ErrUnexpectedEOF
	case !r.Float("code").OK:
		return nil, fmt.Errorf("a reply without a code")
	}
	return r.Object, nil
}
