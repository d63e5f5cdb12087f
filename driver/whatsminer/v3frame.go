package whatsminer

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
)

const (
	// PortV3 is the standard port of API 3.
	PortV3 = 4433
	// maxFrame bounds a reply, in bytes; the longest known (device.info) has under 8,000.
	maxFrame = 1 << 20
	// fallback bounds an exchange whose context has no deadline.
	fallback = 10 * time.Second
)

// frame puts the length before a message: unsigned, 32 bits, little endian.
func frame(body []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body))), body...)
}

// readFrame reads one message.
func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n == 0 || n > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes is not API 3", n)
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(n))) // grows as it comes: a length alone costs nothing
	if err == nil && len(body) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	return body, err
}

// exchange sends one request over a connection of its own, as the maker's tools do.
func (d *V3) exchange(ctx context.Context, request any) (reply rpc.Object, err error) {
	ctx, cancel := context.WithTimeout(ctx, fallback)
	defer cancel()
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
	conn, err := d.target.DialContext(ctx, d.address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(frame(body)); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	data, err := readFrame(conn)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return parseV3(data)
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
