package snmp

import (
	"math"
	"net"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gosnmp/gosnmp"

	"switchyard/site"
)

// decode turns what an agent sent into a number or a text.
func decode(v gosnmp.SnmpPDU) raw {
	number := func(n float64) raw { return raw{number: site.Some(n), there: true} }
	switch x := v.Value.(type) {
	case int:
		return number(float64(x))
	case int64:
		return number(float64(x))
	case uint:
		return number(float64(x))
	case uint32:
		return number(float64(x))
	case uint64:
		return number(float64(x))
	case float32:
		return finite(float64(x))
	case float64:
		return finite(x)
	case []byte:
		r := raw{text: plain(x), there: true}
		if len(x) == 6 {
			r.mac = net.HardwareAddr(x).String()
		}
		return r
	case string:
		if v.Type == gosnmp.ObjectIdentifier {
			x = strings.TrimPrefix(x, ".")
		}
		return raw{text: plain([]byte(x)), there: true}
	}
	return raw{there: v.Type != gosnmp.NoSuchObject && v.Type != gosnmp.NoSuchInstance && v.Type != gosnmp.EndOfMibView && v.Type != gosnmp.Null}
}

func finite(x float64) raw {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return raw{there: true}
	}
	return raw{number: site.Some(x), there: true}
}

// plain keeps what people can read of a text, shortened.
func plain(b []byte) string {
	s := strings.ToValidUTF8(string(b[:min(len(b), 4*maxName)]), "")
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s))
	for len(s) > maxName {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

// objects lists what has to be asked for a value at an index.
func (v *Value) objects(index OID) []OID {
	if v == nil {
		return nil
	}
	all := []OID{v.OID.at(index, v.Suffix)}
	for _, o := range []OID{v.Digits, v.Exponent} {
		if o != "" {
			all = append(all, o.at(index, v.Suffix))
		}
	}
	if v.Available != nil {
		all = append(all, v.Available.OID.at(index, v.Suffix))
	}
	return all
}

// of works out a value at an index, in watts or watt-hours, from what was read. It is unknown
// where the agent has it not, marks it so, or does not say how to scale it.
func (v *Value) of(got map[OID]raw, index OID) site.Opt[float64] {
	if v == nil {
		return site.Opt[float64]{}
	}
	if v.Available != nil {
		is := got[v.Available.OID.at(index, v.Suffix)].number
		if !is.OK || !slices.Contains(v.Available.Is, int64(is.V)) {
			return site.Opt[float64]{}
		}
	}
	factor := v.Scale * perUnit(v.Unit)
	for _, o := range []struct {
		oid  OID
		sign float64
	}{{v.Digits, -1}, {v.Exponent, 1}} {
		if o.oid == "" {
			continue
		}
		e := got[o.oid.at(index, v.Suffix)].number
		if !e.OK || e.V != math.Trunc(e.V) || math.Abs(e.V) > 24 {
			return site.Opt[float64]{}
		}
		factor *= math.Pow10(int(o.sign * e.V))
	}
	return v.scaled(got[v.OID.at(index, v.Suffix)].number, factor)
}

// scaled is a raw number times a factor; unknown where it is marked so or absurd.
func (v *Value) scaled(n site.Opt[float64], factor float64) site.Opt[float64] {
	if !n.OK || slices.ContainsFunc(v.Invalid, func(i int64) bool { return float64(i) == n.V }) {
		return site.Opt[float64]{}
	}
	const absurd = 1e12 // W: no unit has a terawatt, nor a million terawatt-hours
	if x := n.V * factor; math.Abs(x) < absurd {
		return site.Some(x)
	}
	return site.Opt[float64]{}
}
