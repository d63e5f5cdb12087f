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
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
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
	data, err := Exchange(ctx, dial, address, body)
	if err != nil {
		return Reply{}, fmt.Errorf("command %s: %w", r.Command, err)
	}
	reply, err := Parse(data)
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
	ctx, cancel := context.WithTimeout(ctx, fallback)
	defer cancel()
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w: %w", address, err, driver.ErrUnreachable)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(payload); err != nil {
		return nil, fmt.Errorf("write to %s: %w: %w", address, cause(ctx, err), driver.ErrUnreachable)
	}
	data, err := read(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("read from %s: %w: %w", address, cause(ctx, err), driver.ErrUnreachable)
	}
	return data, nil
}

// cause prefers the context's own words to "i/o timeout".
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func read(ctx context.Context, conn net.Conn) ([]byte, error) {
	data := make([]byte, 0, 8<<10)
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
			return nil, fmt.Errorf("reply is over the limit of %d bytes", MaxReply)
		case done, errors.Is(err, io.EOF):
			return data, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded) && w.depth > 0:
			return data, nil // it stopped in the middle and holds the socket: a cut reply
		case err != nil && w.depth > 0 && len(data) > 0 && !errors.Is(err, os.ErrDeadlineExceeded):
			return data, nil // reset in the middle: the same
		case err != nil:
			return nil, err
		}
		if w.depth > 0 {
			if err := conn.SetReadDeadline(time.Now().Add(quiet)); err != nil {
				return nil, err
			}
			if ctx.Err() != nil { // the context's own deadline may just have been overwritten
				return nil, ctx.Err()
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
