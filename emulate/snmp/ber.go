package snmp

import (
	"errors"
	"slices"
)

// Tags of the basic encoding rules and of SNMP (RFC 2578, RFC 3416).
const (
	tagInteger   = 0x02
	tagOctets    = 0x04
	tagNull      = 0x05
	tagOID       = 0x06
	tagSequence  = 0x30
	tagCounter32 = 0x41
	tagGauge32   = 0x42
	tagNoObject  = 0x80
	tagNoRow     = 0x81
	tagEndOfView = 0x82

	pduGet      = 0xA0
	pduGetNext  = 0xA1
	pduResponse = 0xA2
	pduGetBulk  = 0xA5
)

const (
	version2c = 1
	maxArcs   = 128 // numbers of an object identifier
	maxBinds  = 128 // objects of one request that are answered
)

var errMessage = errors.New("not an SNMP v2c request")

// oid is an object identifier.
type oid []uint32

// value is an encoded value: its tag and its bytes.
type value struct {
	tag  byte
	body []byte
}

// request is what a manager asks.
type request struct {
	community    string
	kind         byte
	id           []byte // as it came
	nonRepeaters int
	repetitions  int
	names        []oid
}

// split takes one element off the front of b.
func split(b []byte) (tag byte, body, rest []byte, err error) {
	if len(b) < 2 {
		return 0, nil, nil, errMessage
	}
	tag, n, b := b[0], int(b[1]), b[2:]
	if n >= 0x80 {
		octets := n - 0x80
		if octets == 0 || octets > 3 || len(b) < octets {
			return 0, nil, nil, errMessage
		}
		n = 0
		for _, o := range b[:octets] {
			n = n<<8 | int(o)
		}
		b = b[octets:]
	}
	if n > len(b) {
		return 0, nil, nil, errMessage
	}
	return tag, b[:n], b[n:], nil
}

// want is split for an element that must have a tag.
func want(b []byte, tag byte) (body, rest []byte, err error) {
	got, body, rest, err := split(b)
	if err == nil && got != tag {
		err = errMessage
	}
	return body, rest, err
}

// parse reads a request.
func parse(b []byte) (request, error) {
	var r request
	message, _, err := want(b, tagSequence)
	if err != nil {
		return r, err
	}
	version, rest, err := want(message, tagInteger)
	if err != nil || len(version) != 1 || version[0] != version2c {
		return r, errMessage
	}
	community, rest, err := want(rest, tagOctets)
	if err != nil {
		return r, err
	}
	kind, body, _, err := split(rest)
	if err != nil {
		return r, err
	}
	r.community, r.kind = string(community), kind
	var fields [3][]byte // request-id; error-status or non-repeaters; error-index or max-repetitions
	for i := range fields {
		if fields[i], body, err = want(body, tagInteger); err != nil || len(fields[i]) == 0 || len(fields[i]) > 4 {
			return r, errMessage
		}
	}
	r.id, r.nonRepeaters, r.repetitions = fields[0], number(fields[1]), number(fields[2])
	binds, _, err := want(body, tagSequence)
	if err != nil {
		return r, err
	}
	for len(binds) > 0 && len(r.names) < maxBinds {
		var bind, name []byte
		if bind, binds, err = want(binds, tagSequence); err != nil {
			return r, err
		}
		if name, _, err = want(bind, tagOID); err != nil {
			return r, err
		}
		o, err := parseOID(name)
		if err != nil {
			return r, err
		}
		r.names = append(r.names, o)
	}
	return r, nil
}

// number reads a small integer that must not be negative; a negative one is 0.
func number(b []byte) int {
	if b[0]&0x80 != 0 {
		return 0
	}
	n := 0
	for _, o := range b {
		n = n<<8 | int(o)
	}
	return n
}

func parseOID(b []byte) (oid, error) {
	if len(b) == 0 || b[len(b)-1]&0x80 != 0 {
		return nil, errMessage
	}
	o := oid{}
	var arc uint64
	for _, x := range b {
		arc = arc<<7 | uint64(x&0x7F)
		switch {
		case arc > 1<<32-1 || len(o) >= maxArcs:
			return nil, errMessage
		case x&0x80 != 0:
			continue
		case len(o) == 0:
			first := min(arc/40, 2)
			o = append(o, uint32(first), uint32(arc-40*first))
		default:
			o = append(o, uint32(arc))
		}
		arc = 0
	}
	return o, nil
}

// element is a tag, a length and a body.
func element(tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := []byte{tag}
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	default:
		out = append(out, 0x82, byte(n>>8), byte(n))
	}
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// response answers a request with variable bindings.
func (r request) response(status byte, binds [][]byte) []byte {
	pdu := element(pduResponse, element(tagInteger, r.id), element(tagInteger, []byte{status}),
		element(tagInteger, []byte{0}), element(tagSequence, binds...))
	return element(tagSequence, element(tagInteger, []byte{version2c}), element(tagOctets, []byte(r.community)), pdu)
}

// bind is one variable binding.
func bind(name oid, v value) []byte {
	return element(tagSequence, element(tagOID, name.encode()), element(v.tag, v.body))
}

func (o oid) encode() []byte {
	out := base128(nil, uint64(o[0])*40+uint64(o[1]))
	for _, arc := range o[2:] {
		out = base128(out, uint64(arc))
	}
	return out
}

func base128(out []byte, v uint64) []byte {
	digits := []byte{byte(v & 0x7F)}
	for v >>= 7; v > 0; v >>= 7 {
		digits = append(digits, byte(v&0x7F)|0x80)
	}
	slices.Reverse(digits)
	return append(out, digits...)
}

// signed is the shortest two's complement of v.
func signed(v int64) []byte {
	out := []byte{byte(v)}
	for v>>7 != 0 && v>>7 != -1 {
		v >>= 8
		out = append(out, byte(v))
	}
	slices.Reverse(out)
	return out
}

func integer(v int64) value  { return value{tagInteger, signed(v)} }
func gauge(v int64) value    { return value{tagGauge32, signed(max(v, 0))} }
func text(s string) value    { return value{tagOctets, []byte(s)} }
func identifier(o oid) value { return value{tagOID, o.encode()} }
