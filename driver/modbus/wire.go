package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"switchyard/driver"
)

// This is a client of its own: github.com/simonvetter/modbus v1.6.3 dials by itself with a
// fixed 5 s, knows no context and one timeout for life, so a call could neither honour the
// deadline it was given nor a target's dialler. The library's server checks this client in
// the tests.

const (
	maxRegisters = 125 // of one read, by the Modbus application protocol
	header       = 7   // transaction, protocol, length, unit
	maxFrame     = 260
	maxStrays    = 8 // late replies of earlier requests that one request skips
	fallback     = 5 * time.Second
)

// exception is what the meter answers instead of data.
type exception byte

var exceptions = map[exception]string{
	1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "device failure",
	5: "acknowledged, not done", 6: "device busy", 8: "memory parity error", 10: "gateway path unavailable",
	11: "the meter behind the gateway does not answer",
}

func (e exception) Error() string {
	if s, ok := exceptions[e]; ok {
		return fmt.Sprintf("exception %d, %s", byte(e), s)
	}
	return fmt.Sprintf("exception %d", byte(e))
}

// Unwrap says what the caller does next: what does not exist will not exist in a minute.
func (e exception) Unwrap() error {
	if e >= 1 && e <= 3 {
		return driver.ErrRefused
	}
	return driver.ErrUnreachable
}

// client keeps one connection. Many gateways bear only one, and few bear one a poll.
type client struct {
	dial    func(context.Context, string) (net.Conn, error)
	address string
	unit    uint8
	conn    net.Conn
	last    uint16 // transaction
}

func (c *client) close() error {
	if c.conn == nil {
		return nil
	}
	err := c.conn.Close()
	c.conn = nil
	return err
}

// read reads count registers. A kept connection that turns out dead is opened anew once.
func (c *client) read(ctx context.Context, kind Kind, address uint16, count int) ([]byte, error) {
	kept := c.conn != nil
	data, err := c.try(ctx, kind, address, count)
	var said exception
	if err != nil && kept && !errors.As(err, &said) && ctx.Err() == nil && !isTimeout(err) {
		data, err = c.try(ctx, kind, address, count)
	}
	if err != nil && !errors.As(err, &said) {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return nil, fmt.Errorf("%s: %w: %w", c.address, err, driver.ErrUnreachable)
	}
	if err != nil {
		return nil, fmt.Errorf("%s unit %d: %s registers %d to %d: %w", c.address, c.unit, kind, address, int(address)+count-1, err)
	}
	return data, nil
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// try does one exchange, and drops the connection unless its stream is still in step.
func (c *client) try(ctx context.Context, kind Kind, address uint16, count int) (data []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, fallback)
	defer cancel()
	if c.conn == nil {
		if c.conn, err = c.dial(ctx, c.address); err != nil {
			c.conn = nil
			return nil, fmt.Errorf("dial: %w", err)
		}
	}
	deadline, _ := ctx.Deadline()
	if err := c.conn.SetDeadline(deadline); err != nil {
		_ = c.close()
		return nil, err
	}
	conn := c.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	data, err = c.exchange(kind, address, count)
	var said exception
	if err != nil && !errors.As(err, &said) {
		_ = c.close()
	}
	return data, err
}

func (c *client) exchange(kind Kind, address uint16, count int) ([]byte, error) {
	function := byte(3)
	if kind == Input {
		function = 4
	}
	c.last++
	request := make([]byte, 0, header+5)
	request = binary.BigEndian.AppendUint16(request, c.last)
	request = append(request, 0, 0, 0, 6, c.unit, function)
	request = binary.BigEndian.AppendUint16(request, address)
	request = binary.BigEndian.AppendUint16(request, uint16(count))
	if _, err := c.conn.Write(request); err != nil {
		return nil, err
	}
	for range maxStrays {
		transaction, body, err := readFrame(c.conn)
		if err != nil {
			return nil, err
		}
		if transaction == c.last {
			return parseBody(body, c.unit, function, count)
		}
	}
	return nil, fmt.Errorf("no reply to the request among %d frames", maxStrays)
}

// readFrame returns a frame's transaction and what follows the length: unit, function, data.
func readFrame(r io.Reader) (transaction uint16, body []byte, err error) {
	var head [header - 1]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	if p := binary.BigEndian.Uint16(head[2:]); p != 0 {
		return 0, nil, fmt.Errorf("not Modbus TCP: protocol %d", p)
	}
	n := int(binary.BigEndian.Uint16(head[4:]))
	if n < 3 || n > maxFrame-header+1 {
		return 0, nil, fmt.Errorf("not Modbus TCP: a frame of %d bytes", n)
	}
	body = make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, err
	}
	return binary.BigEndian.Uint16(head[:]), body, nil
}

// parseBody returns the registers' bytes. A reply that is not quite the one asked for is
// refused: values from it would look real.
func parseBody(body []byte, unit, function byte, count int) ([]byte, error) {
	switch {
	case len(body) >= 3 && body[1] == function|0x80:
		return nil, exception(body[2])
	case len(body) < 3 || body[1] != function:
		return nil, errors.New("a reply to another function")
	case body[0] != unit && unit != 0 && unit != 255: // gateways may answer for 0 and 255 as themselves
		return nil, fmt.Errorf("a reply from unit %d", body[0])
	case int(body[2]) != 2*count || len(body) != 3+2*count:
		return nil, fmt.Errorf("%d bytes for %d registers", len(body)-3, count)
	}
	return body[3:], nil
}
