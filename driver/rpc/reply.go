package rpc

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"switchyard/driver"
	"switchyard/site"
	"switchyard/unit"
)

// Number is a number as the device wrote it.
type Number string

// Array is a list of values: nil, bool, string, Number, Array or Object.
type Array []any

// Member is one key of an Object with its value.
type Member struct {
	Key   string
	Value any
}

// Object is an object's members in the order in which they came. Keys are matched without
// regard to case; of equal keys the first wins.
type Object []Member

// Reply is one reply, or one command's part of a joined reply.
type Reply struct {
	Object
	// Truncated says that the end was missing: what is there is whole, but lists may be short.
	Truncated bool
}

// Get returns the value under key.
func (o Object) Get(key string) (any, bool) {
	for i := range o {
		k := o[i].Key
		if len(k) == len(key) && (k == key || strings.EqualFold(k, key)) { // keys are plain ASCII
			return o[i].Value, true
		}
	}
	return nil, false
}

// Object returns the object under key, or nil.
func (o Object) Object(key string) Object {
	v, _ := o.Get(key)
	sub, _ := v.(Object)
	return sub
}

// Objects returns the objects under key, whether the device sent a list or only one.
func (o Object) Objects(key string) []Object {
	v, _ := o.Get(key)
	switch v := v.(type) {
	case Object:
		return []Object{v}
	case Array:
		var all []Object
		for _, e := range v {
			if e, ok := e.(Object); ok {
				all = append(all, e)
			}
		}
		return all
	}
	return nil
}

// Text returns the text of the first of keys that holds any: numbers as the device wrote
// them, quotes and blanks around it removed. It is empty where there is none. It is a copy:
// a name that is kept must not keep the whole reply.
func (o Object) Text(keys ...string) string {
	for _, k := range keys {
		v, _ := o.Get(k)
		switch v := v.(type) {
		case string:
			if s := strings.Trim(v, " '\t\r\n\x00"); s != "" {
				return strings.Clone(s)
			}
		case Number:
			return strings.Clone(string(v))
		}
	}
	return ""
}

// Float returns the number under the first of keys that holds one, also where the firmware
// writes it as text. inf and nan are unknown.
func (o Object) Float(keys ...string) site.Opt[float64] {
	for _, k := range keys {
		v, _ := o.Get(k)
		if f, ok := Float(v); ok {
			return site.Some(f)
		}
	}
	return site.Opt[float64]{}
}

// Int is Float for whole numbers; a broken number is unknown.
func (o Object) Int(keys ...string) site.Opt[int] {
	f := o.Float(keys...)
	if !f.OK || f.V != math.Trunc(f.V) || math.Abs(f.V) > 1<<52 {
		return site.Opt[int]{}
	}
	return site.Some(int(f.V))
}

// Bool returns the truth value under the first of keys that holds one: true, "true", "Y", 1.
func (o Object) Bool(keys ...string) site.Opt[bool] {
	for _, k := range keys {
		v, _ := o.Get(k)
		if b, ok := v.(bool); ok {
			return site.Some(b)
		}
		switch strings.ToLower(o.Text(k)) {
		case "true", "y", "yes", "1", "on":
			return site.Some(true)
		case "false", "n", "no", "0", "off":
			return site.Some(false)
		}
	}
	return site.Opt[bool]{}
}

// Float returns v as a finite number, also when it is text.
func Float(v any) (float64, bool) {
	switch v := v.(type) {
	case Number:
		return number(string(v))
	case string:
		return number(strings.TrimSpace(v))
	}
	return 0, false
}

// number accepts decimal numbers only: ParseFloat alone would also take "inf", "0x1p-2" and "1_0".
func number(s string) (float64, bool) {
	if s == "" || !decimal(s) && strings.Trim(s, "+-.0123456789eE") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
}

// mostHash is more than any miner does: a figure above it is nonsense.
const mostHash = 100 * unit.PetaHash

// Hashrate returns the hashrate under the first of keys whose value is a number and whose
// unit is named: by the key ("GHS 5s", "MHS av", "TH") or else by the object's own unit
// field ("rate_unit": "GH"). Where nothing names the unit the rate is unknown: firmwares
// of one family differ by a factor of a thousand.
func (o Object) Hashrate(keys ...string) site.Opt[unit.Hashrate] {
	for _, k := range keys {
		f := o.Float(k)
		if !f.OK || f.V < 0 {
			continue
		}
		scale, ok := KeyUnit(k)
		if !ok {
			scale, ok = Unit(o.Text("rate_unit", "hashrate_unit", "unit"))
		}
		if h := unit.Hashrate(f.V) * scale; ok && h < mostHash {
			return site.Some(h)
		}
	}
	return site.Opt[unit.Hashrate]{}
}

// Unit reads the name of a unit of hashrate, such as "GH", "TH/s" or "Mhs".
func Unit(name string) (unit.Hashrate, bool) {
	n := strings.ToLower(strings.TrimSpace(name))
	n = strings.TrimSuffix(strings.TrimSuffix(n, "/s"), "s")
	switch n {
	case "kh":
		return 1e3, true
	case "mh":
		return unit.MegaHash, true
	case "gh":
		return unit.GigaHash, true
	case "th":
		return unit.TeraHash, true
	case "ph":
		return unit.PetaHash, true
	case "eh":
		return unit.ExaHash, true
	}
	return 0, false
}

// KeyUnit returns the unit that a key names. "Total MH" counts work done and is no rate;
// "HS RT" of some makers is in MH/s whatever it says, so a bare "HS" names nothing.
func KeyUnit(key string) (unit.Hashrate, bool) {
	words := strings.FieldsFunc(key, func(r rune) bool { return r == ' ' || r == '_' || r == '-' })
	if len(words) == 0 || strings.EqualFold(words[0], "total") {
		return 0, false
	}
	for _, w := range words {
		if u, ok := Unit(w); ok {
			return u, true
		}
	}
	return 0, false
}

// Command returns the part of a joined reply that answers one command; of a reply that is
// not joined it returns the whole.
func (r Reply) Command(name string) Reply {
	for _, part := range r.Objects(name) {
		v, _ := part.Get("STATUS")
		switch v.(type) {
		case Array, Object:
			return Reply{Object: part, Truncated: r.Truncated}
		}
	}
	return r
}

// Status is what the device says of a command.
type Status struct {
	// Letter is S success, I information, W warning, E error, F fatal; empty if not told.
	Letter      string
	Code        int // 0 if not told
	Msg         string
	Description string
	When        site.Opt[int] // the device's clock, Unix seconds
}

// Status returns the first status of the reply, in any of its shapes: a list, an object, or
// (WhatsMiner) the letter beside Code and Msg.
func (r Reply) Status() Status {
	from := r.Object
	if s := r.Objects("STATUS"); len(s) > 0 {
		from = s[0]
	}
	return Status{
		Letter:      strings.ToUpper(from.Text("STATUS")),
		Code:        from.Int("Code").Or(0),
		Msg:         from.Text("Msg"),
		Description: from.Text("Description"),
		When:        from.Int("When"),
	}
}

// Err returns nil unless the device said error or fatal. It wraps driver.ErrUnauthorized for
// a denied command, driver.ErrUnsupported for an unknown one, else driver.ErrRefused.
func (s Status) Err() error {
	if s.Letter != "E" && s.Letter != "F" {
		return nil
	}
	kind := driver.ErrRefused
	switch s.Code {
	case 45:
		kind = driver.ErrUnauthorized
	case 14:
		kind = driver.ErrUnsupported
	}
	return fmt.Errorf("code %d %q: %w", s.Code, s.Msg, kind)
}
