package modbus

import (
	"encoding/binary"
	"math"
	"slices"

	"switchyard/site"
)

// span is a run of registers that one request reads.
type span struct {
	kind  Kind
	at    int // address
	count int
	data  []byte // once read
}

// plan merges registers that lie close together, so that a meter is asked as seldom as it can be.
func plan(want []span, gap, most int) []span {
	want = slices.Clone(want)
	slices.SortFunc(want, func(a, b span) int {
		if a.kind != b.kind {
			return int(a.kind) - int(b.kind)
		}
		return a.at - b.at
	})
	var out []span
	for _, w := range want {
		if n := len(out) - 1; n >= 0 {
			last := &out[n]
			end := max(last.at+last.count, w.at+w.count)
			if last.kind == w.kind && w.at-(last.at+last.count) <= gap && end-last.at <= most {
				last.count = end - last.at
				continue
			}
		}
		out = append(out, w)
	}
	return out
}

// spans lists what a register map needs, with addresses moved by base.
func (r *Registers) spans(base int, kind Kind) []span {
	var out []span
	for _, v := range []*Register{r.Power, r.Energy, r.Frequency, r.Voltage, r.PowerFactor} {
		if v == nil {
			continue
		}
		k := v.Kind.or(kind)
		out = append(out, span{kind: k, at: base + int(v.Address), count: v.Type.words()})
		if v.ScaleFactor != nil {
			out = append(out, span{kind: k, at: base + int(*v.ScaleFactor), count: 1})
		}
	}
	if h := r.Heartbeat; h != nil {
		out = append(out, span{kind: h.Kind.or(kind), at: base + int(h.Address), count: h.Type.words()})
	}
	return out
}

func (k Kind) or(profile Kind) Kind {
	switch {
	case k != kindDefault:
		return k
	case profile != kindDefault:
		return profile
	}
	return Holding
}

// image is what was read, and how to find values in it.
type image struct {
	profile *Profile
	base    int
	spans   []span
}

// words returns the registers at an address of the map, first register first.
func (m image) words(kind Kind, address uint16, n int) []byte {
	at := m.base + int(address)
	for _, s := range m.spans {
		if s.kind == kind.or(m.profile.Kind) && at >= s.at && at+n <= s.at+s.count && len(s.data) >= 2*s.count {
			return s.data[2*(at-s.at) : 2*(at-s.at+n)]
		}
	}
	return nil
}

// raw returns a value's bits, put into big-endian order; false where they were not read.
func (m image) raw(kind Kind, address uint16, t Type) (uint64, bool) {
	n := t.words()
	data := m.words(kind, address, n)
	if data == nil {
		return 0, false
	}
	var bits uint64
	for i := range n {
		w := i
		if m.profile.WordOrder == Little {
			w = n - 1 - i
		}
		word := binary.BigEndian.Uint16(data[2*w:])
		if m.profile.ByteOrder == Little {
			word = word>>8 | word<<8
		}
		bits = bits<<16 | uint64(word)
	}
	return bits, true
}

// number turns bits into a number of the type; false for NaN and infinities.
func (t Type) number(bits uint64) (float64, bool) {
	var v float64
	switch t {
	case S16:
		v = float64(int16(bits))
	case S32:
		v = float64(int32(bits))
	case S64:
		v = float64(int64(bits))
	case F32:
		v = float64(math.Float32frombits(uint32(bits)))
	case F64:
		v = math.Float64frombits(bits)
	default:
		v = float64(bits)
	}
	return v, !math.IsNaN(v) && !math.IsInf(v, 0)
}

// factor is what one raw count is worth in the unit's smallest part; false where the scale
// factor register says that it is not implemented or holds nonsense.
func (m image) factor(r *Register) (float64, bool) {
	f := r.Scale * factors[r.Unit]
	if r.ScaleFactor == nil {
		return f, true
	}
	bits, ok := m.raw(r.Kind, *r.ScaleFactor, S16)
	exp := int(int16(bits))
	if !ok || exp < -10 || exp > 10 {
		return 0, false
	}
	// Dividing by a whole power of ten is exact where multiplying by a tenth is not.
	if exp < 0 {
		return f / math.Pow10(-exp), true
	}
	return f * math.Pow10(exp), true
}

// value reads a register in the unit's smallest part; unknown where the map has none, the
// meter marks it so, or it is not a number.
func (m image) value(r *Register) site.Opt[float64] {
	if r == nil {
		return site.Opt[float64]{}
	}
	bits, ok := m.raw(r.Kind, r.Address, r.Type)
	if !ok || slices.Contains(r.Invalid, Raw(bits)) {
		return site.Opt[float64]{}
	}
	v, ok := r.Type.number(bits)
	f, scaled := m.factor(r)
	if v *= f; !ok || !scaled || math.IsInf(v, 0) {
		return site.Opt[float64]{}
	}
	return site.Some(v)
}
