package face

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// ErrTooLong says that a request was longer than the limit.
var ErrTooLong = errors.New("request too long")

// tail is how long the rest of a request may take once its first bytes came, machine time.
const tail = 500 * time.Millisecond

// ReadRequest reads one request that ends where its JSON ends, or, if it is not JSON, with
// what came first: these protocols have no frame. A request that stays incomplete is
// returned as far as it came. It blocks up to wait for the first byte. Padding (NUL, line
// ends, spaces) is cut off. It is an error when nothing came or more than limit bytes.
func ReadRequest(c net.Conn, limit int, wait time.Duration) ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	buf := make([]byte, 0, 512)
	for {
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, min(2*cap(buf), limit+1)), buf...)
		}
		first := len(buf) == 0
		n, err := c.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if len(buf) > limit {
			return nil, ErrTooLong
		}
		body := Trim(buf)
		switch {
		case len(body) > 0 && (body[0] != '{' || json.Valid(body)):
			return body, nil
		case err != nil && len(body) > 0:
			return body, nil // cut short: the protocol says what it thinks of that
		case err != nil && errors.Is(err, io.EOF):
			return nil, io.EOF
		case err != nil:
			return nil, fmt.Errorf("read request: %w", err)
		}
		if first {
			if err := c.SetReadDeadline(time.Now().Add(tail)); err != nil {
				return nil, fmt.Errorf("read request: %w", err)
			}
		}
	}
}

// Trim cuts the padding off both ends of a request.
func Trim(b []byte) []byte { return bytes.Trim(b, "\x00\r\n\t ") }

// Quote appends s as a JSON string.
func Quote(b []byte, s string) []byte {
	if ordinary(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	q, err := json.Marshal(s)
	if err != nil { // a string always has a JSON form
		return append(b, '"', '"')
	}
	return append(b, q...)
}

// ordinary says whether s is its own JSON form; nearly all is.
func ordinary(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}
