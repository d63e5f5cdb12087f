package link

import (
	"bufio"
	"errors"
	"io"
	"net"
)

const publish = 3 // the packet type that carries a payload

// cutConn cuts the payload of a PUBLISH to one byte over the limit, so that a message of
// 256 MB costs neither that memory nor the session: it is seen to be too long, refused and
// acknowledged like any other. Dropping the connection instead would have the broker deliver
// it again for ever.
type cutConn struct {
	net.Conn
	r       *bufio.Reader
	limit   int
	pending []byte // header to hand out
	pass    int    // bytes of the packet that follow it
	drop    int    // bytes after those, to throw away
}

func cut(c net.Conn, limit int) net.Conn {
	return &cutConn{Conn: c, r: bufio.NewReaderSize(c, 4<<10), limit: limit}
}

// Read hands out packets as they come, long ones cut.
func (c *cutConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(c.pending) == 0 && c.pass == 0 {
		if err := c.header(); err != nil {
			return 0, err
		}
	}
	if len(c.pending) > 0 {
		n := copy(p, c.pending)
		c.pending = c.pending[n:]
		return n, nil
	}
	n, err := c.r.Read(p[:min(len(p), c.pass)])
	c.pass -= n
	return n, err
}

// header reads the next packet's fixed header and decides how much of the packet to pass on.
func (c *cutConn) header() error {
	for c.drop > 0 {
		n, err := c.r.Discard(min(c.drop, 4<<10))
		c.drop -= n
		if err != nil {
			return err
		}
	}
	first, err := c.r.ReadByte()
	if err != nil {
		return err
	}
	total, err := c.length()
	if err != nil {
		return err
	}
	keep := total
	if head := 2 + 2 + 1<<16; total > c.limit {
		if first>>4 == publish && total >= 2 {
			size, err := c.r.Peek(2)
			if err != nil {
				return err
			}
			if head = 2 + int(size[0])<<8 + int(size[1]); first&0x06 != 0 {
				head += 2 // the packet's number, where it is to be acknowledged
			}
		} else if total > c.limit+head {
			return errors.New("a packet is longer than it may be")
		}
		keep = min(total, head+c.limit+1)
	}
	c.pending, c.pass, c.drop = appendLength(append(c.pending[:0], first), keep), keep, total-keep
	return nil
}

// length reads MQTT's variable length.
func (c *cutConn) length() (int, error) {
	total := 0
	for shift := 0; shift < 28; shift += 7 {
		b, err := c.r.ReadByte()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		total |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			return total, nil
		}
	}
	return 0, errors.New("a packet's length has more than four bytes")
}

func appendLength(b []byte, n int) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}
