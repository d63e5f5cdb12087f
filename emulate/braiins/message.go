package braiins

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Messages are written and read by hand, by the field numbers of the maker's public files.
// Zero is not written, as the third version of the language has it.

func text(b []byte, n int, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, protowire.Number(n), protowire.BytesType), s) //nolint:gosec // small
}

func number(b []byte, n int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, protowire.Number(n), protowire.VarintType), v) //nolint:gosec // small
}

func flag(b []byte, n int, v bool) []byte { return number(b, n, protowire.EncodeBool(v)) }

func double(b []byte, n int, v float64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, protowire.Number(n), protowire.Fixed64Type), math.Float64bits(v)) //nolint:gosec // small
}

// nested writes a message, also an empty one.
func nested(b []byte, n int, sub []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, protowire.Number(n), protowire.BytesType), sub) //nolint:gosec // small
}

// fields is a request in its order.
type fields []oneField

type oneField struct {
	n      protowire.Number
	number uint64
	bytes  []byte
}

var errMessage = errors.New("not a message")

// parseMessage reads a message's fields, without those inside of them.
func parseMessage(b []byte) (fields, error) {
	var all fields
	for len(b) > 0 {
		n, typ, size := protowire.ConsumeTag(b)
		if size < 0 {
			return nil, fmt.Errorf("%w: %w", errMessage, protowire.ParseError(size))
		}
		b = b[size:]
		f := oneField{n: n}
		switch typ {
		case protowire.VarintType:
			f.number, size = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.bytes, size = protowire.ConsumeBytes(b)
		default: // of no use here, or of no type at all
			size = protowire.ConsumeFieldValue(n, typ, b)
		}
		if size < 0 {
			return nil, fmt.Errorf("%w: %w", errMessage, protowire.ParseError(size))
		}
		b = b[size:]
		all = append(all, f)
	}
	return all, nil
}

// last returns the last field of that number, as the language has it.
func (f fields) last(n protowire.Number) oneField {
	for i := len(f) - 1; i >= 0; i-- {
		if f[i].n == n {
			return f[i]
		}
	}
	return oneField{}
}

func (f fields) text(n protowire.Number) string { return string(f.last(n).bytes) }

func (f fields) number(n protowire.Number) uint64 { return f.last(n).number }

// message returns the message inside; none where it cannot be read.
func (f fields) message(n protowire.Number) fields {
	sub, _ := parseMessage(f.last(n).bytes)
	return sub
}

func (f fields) messages(n protowire.Number) []fields {
	var all []fields
	for _, one := range f {
		if one.n != n {
			continue
		}
		sub, _ := parseMessage(one.bytes)
		all = append(all, sub)
	}
	return all
}
