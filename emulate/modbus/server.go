package modbus

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/plant"
)

// Bounds of the server.
const (
	maxConns     = 32              // at a time; a further one is closed at once
	idleTimeout  = 5 * time.Minute // machine time
	writeTimeout = 10 * time.Second
	maxPDU       = 253 // bytes, by the Modbus specification
	maxRead      = 125 // registers, by the Modbus specification
)

// Exceptions of the Modbus specification.
const (
	illegalFunction = 1
	illegalAddress  = 2
	illegalValue    = 3
	noTarget        = 11 // gateway target device failed to respond
)

// server is one meter's.
type server struct {
	meter *plant.Meter
	unit  byte
	image func(plant.MeterView, *plant.Meter) []block
}

// Serve answers for m on l in a layout (see Layouts) under a Modbus unit id; 0 and 255
// are always answered, another id by exception 11. It does not block; Close ends all of it.
func Serve(m *plant.Meter, l net.Listener, layout string, unit uint8) (io.Closer, error) {
	image, ok := layouts[layout]
	if !ok {
		return nil, fmt.Errorf("meter %s: the emulator does not know the register layout %q; it knows %v", m.ID(), layout, Layouts())
	}
	s := &server{meter: m, unit: unit, image: image}
	return face.TCP(l, maxConns, s.serve), nil
}

// serve answers one connection until it ends or sends what is not Modbus.
func (s *server) serve(c net.Conn) {
	for {
		if err := c.SetReadDeadline(time.Now().Add(idleTimeout)); err != nil {
			return
		}
		reply, err := s.exchange(c)
		if err != nil {
			return // the peer is gone or talks nonsense: real meters close too
		}
		if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return
		}
		if _, err := c.Write(reply); err != nil {
			return
		}
	}
}

// exchange reads one request and returns its reply.
func (s *server) exchange(r io.Reader) ([]byte, error) {
	var head [7]byte // transaction, protocol, length, unit
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint16(head[4:]))
	if protocol := binary.BigEndian.Uint16(head[2:]); protocol != 0 || length < 2 || length > maxPDU+1 {
		return nil, fmt.Errorf("not a Modbus frame: protocol %d, length %d", protocol, length)
	}
	pdu := make([]byte, length-1)
	if _, err := io.ReadFull(r, pdu); err != nil {
		return nil, err
	}
	answer := s.answer(head[6], pdu)
	out := append(make([]byte, 0, 7+len(answer)), head[:]...)
	binary.BigEndian.PutUint16(out[4:], uint16(len(answer)+1))
	return append(out, answer...), nil
}

// answer returns the reply's PDU.
func (s *server) answer(unit byte, pdu []byte) []byte {
	function := pdu[0]
	refuse := func(code byte) []byte { return []byte{function | 0x80, code} }
	switch {
	case unit != s.unit && unit != 0 && unit != 255:
		return refuse(noTarget)
	case function != 3 && function != 4:
		return refuse(illegalFunction)
	case len(pdu) != 5:
		return refuse(illegalValue)
	}
	first, count := int(binary.BigEndian.Uint16(pdu[1:])), int(binary.BigEndian.Uint16(pdu[3:]))
	if count < 1 || count > maxRead {
		return refuse(illegalValue)
	}
	for _, b := range s.image(s.meter.View(), s.meter) {
		if first < b.first || first+count > b.first+len(b.regs) {
			continue
		}
		out := []byte{function, byte(2 * count)}
		for _, r := range b.regs[first-b.first:][:count] {
			out = binary.BigEndian.AppendUint16(out, r)
		}
		return out
	}
	return refuse(illegalAddress)
}
