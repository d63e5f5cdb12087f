// Package rpc owns the transport of the cgminer family: one request and one reply a TCP
// connection (port 4028), and a tolerant reading of the replies.
//
// Beyond JSON it accepts what these firmwares send: NULs anywhere between values, a socket
// held open after the reply, missing, doubled, leading and trailing commas ("}{", ",}",
// "[,{"), bare or quoted inf and nan (both unknown), numbers as text, keys in any case,
// STATUS as a list or an object, a cut tail. Of a cut reply the whole values are kept; a
// value that touches the cut is dropped.
//
// It never invents a value, never guesses a unit, never retries and never keeps a
// connection.
//
// Concurrency: it has no state; every function is safe for concurrent use. Exchange and
// Call block on the network until their context ends, at most 10 s where it has no end.
package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"switchyard/driver"
)

const (
	// Port is the family's standard port.
	Port = 4028
	// MaxReply is the most bytes that a reply may have.
	MaxReply = 1 << 20
	// fallback bounds an exchange whose context has no deadline.
	fallback = 10 * time.Second
	// quiet is how long a reply may pause in the middle before it counts as cut.
	quiet = 2 * time.Second
)

// Dialer opens a TCP connection; driver.Target's DialContext is one.
type Dialer func(ctx context.Context, address string) (net.Conn, error)

// Request is the family's form of a command. Parameter is left out where it is empty.
type Request struct {
	Command   string `json:"command"`
	Parameter string `json:"parameter,omitempty"`
}

// Call sends one command and reads its reply. A reply whose status is an error is returned
// together with Status.Err.
func Call(ctx context.Context, dial Dialer, address string, r Request) (Reply, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return Reply{}, fmt.Errorf("encode command %s: %w", r.Command, err)
	}
	text, err := ExchangeText(ctx, dial, address, body)
	if err != nil {
		return Reply{}, fmt.Errorf("command %s: %w", r.Command, err)
	}
	reply, err := ParseText(text)
	if err != nil {
		return Reply{}, fmt.Errorf("command %s to %s: %w", r.Command, address, err)
	}
	if err := reply.Status().Err(); err != nil {
		return reply, fmt.Errorf("command %s to %s: %w", r.Command, address, err)
	}
	return reply, nil
}

// Exchange opens a connection, writes payload, reads until the reply is whole, the device
// closes or falls silent in the middle, and closes. A device that closes without a byte
// gives an empty reply and no error: some writes are answered so. Errors wrap
// driver.ErrUnreachable and never hold the payload.
func Exchange(ctx context.Context, dial Dialer, address string, payload []byte) ([]byte, error) {
	var data []byte
	err := exchange(ctx, dial, address, payload, func(reply []byte) { data = bytes.Clone(reply) })
	return data, err
}

// ExchangeText is Exchange that gives the reply as a text, for ParseText: a reply is so
// copied once.
func ExchangeText(ctx context.Context, dial Dialer, address string, payload []byte) (string, error) {
	var text string
	err := exchange(ctx, dial, address, payload, func(reply []byte) { text = string(reply) })
	return text, err
}

// buffers hold replies while they arrive.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, 16<<10)) }}

// maxKeptBuffer is the longest buffer that is kept, in bytes.
const maxKeptBuffer = 64 << 10

// exchange gives the reply to got, which must not keep it.
func exchange(ctx context.Context, dial Dialer, address string, payload []byte, got func([]byte)) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, fallback)
		defer cancel()
	}
	conn, err := dial(ctx, address)
	if err != nil {
		return fmt.Errorf("dial %s: %w: %w", address, err, driver.ErrUnreachable)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(payload); err != nil {
		return fmt.Errorf("write to %s: %w: %w", address, cause(ctx, err), driver.ErrUnreachable)
	}
	buf := buffers.Get().(*[]byte)
	data, err := read(ctx, conn, (*buf)[:0])
	if err == nil {
		got(data)
	}
	if cap(data) <= maxKeptBuffer {
		*buf = data[:0]
	}
	buffers.Put(buf)
	if err != nil {
		return fmt.Errorf("read from %s: %w: %w", address, cause(ctx, err), driver.ErrUnreachable)
	}
	return nil
}

// cause prefers the context's own words to "i/o timeout".
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// read reads a reply to the end of data, and returns data also beside an error.
func read(ctx context.Context, conn net.Conn, data []byte) ([]byte, error) {
	var w whole
	for {
		if len(data) == cap(data) {
			grown := make([]byte, len(data), 2*cap(data))
			copy(grown, data)
			data = grown
		}
		n, err := conn.Read(data[len(data):cap(data)])
		done := w.feed(data[len(data) : len(data)+n])
		data = data[:len(data)+n]
		switch {
		case len(data) > MaxReply:
			return data, fmt.Errorf("reply is over the limit of %d bytes", MaxReply)
		case done, errors.Is(err, io.EOF):
			return data, nil
		case ctx.Err() != nil:
			return data, ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded) && w.depth > 0:
			return data, nil // it stopped in the middle and holds the socket: a cut reply
		case err != nil && w.depth > 0 && len(data) > 0 && !errors.Is(err, os.ErrDeadlineExceeded):
			return data, nil // reset in the middle: the same
		case err != nil:
			return data, err
		}
		if w.depth > 0 {
			if err := conn.SetReadDeadline(time.Now().Add(quiet)); err != nil {
				return data, err
			}
			if ctx.Err() != nil { // the context's own deadline may just have been overwritten
				return data, ctx.Err()
			}
		}
	}
}

// whole notices the end of a reply while it arrives: the closing of the outermost bracket.
type whole struct {
	depth        int
	text, escape bool
}

func (w *whole) feed(b []byte) bool {
	for _, c := range b {
		switch {
		case w.escape:
			w.escape = false
		case w.text:
			w.escape = c == '\\'
			w.text = c != '"'
		case c == '"':
			w.text = true
		case c == '{' || c == '[':
			w.depth++
		case c == '}' || c == ']':
			w.depth--
			if w.depth <= 0 {
				return true
			}
		}
	}
	return false
}
