package query

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"switchyard/site"
	"switchyard/strictyaml"
)

// Order returns how rows compare by a field's name; "-" before it turns the order around.
// Rows that do not tell it come last in either direction, and like rows by device. Empty is
// by device.
func Order(by string) (func(a, b *Row) int, error) {
	name, down := strings.CutPrefix(strings.ToLower(strings.TrimSpace(by)), "-")
	if a, ok := aliases[name]; ok {
		name = a
	}
	if name == "" {
		name = "device"
	}
	sign := 1
	if down {
		sign = -1
	}
	key, ok := textKeys[name]
	if ok {
		return func(a, b *Row) int { return cmp.Or(byText(key(a), key(b), sign), natural(a.Device, b.Device)) }, nil
	}
	i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
	switch {
	case name == "hashrate_percent" || name == "percent":
		get := func(r *Row) site.Opt[float64] { return r.HashratePct }
		return func(a, b *Row) int { return cmp.Or(byNumber(get(a), get(b), sign), natural(a.Device, b.Device)) }, nil
	case i >= 0 && fields[i].fans:
		return func(a, b *Row) int {
			return cmp.Or(byNumber(slowest(a), slowest(b), sign), natural(a.Device, b.Device))
		}, nil
	case i >= 0 && fields[i].number != nil:
		get := fields[i].number
		return func(a, b *Row) int { return cmp.Or(byNumber(get(a), get(b), sign), natural(a.Device, b.Device)) }, nil
	case i >= 0 && fields[i].flag != nil:
		get := fields[i].flag
		return func(a, b *Row) int { return cmp.Or(sign*byFlag(get(a), get(b)), natural(a.Device, b.Device)) }, nil
	}
	return nil, fmt.Errorf("there is no field %q to sort by; %s", by, strictyaml.Suggest(name, fieldNames()))
}

var textKeys = map[string]func(r *Row) string{
	"device": func(r *Row) string { return r.Device }, "group": func(r *Row) string { return r.Group }, "rack": func(r *Row) string { return r.Rack },
	"position": func(r *Row) string { return r.Position }, "make": func(r *Row) string { return r.Make }, "model": func(r *Row) string { return r.Model },
	"firmware": func(r *Row) string { return r.Firmware }, "driver": func(r *Row) string { return r.Driver }, "address": func(r *Row) string { return r.Address },
	"mac": func(r *Row) string { return r.MAC }, "serial": func(r *Row) string { return r.Serial }, "state": func(r *Row) string { return r.State },
	"profile": func(r *Row) string { return r.Profile }, "held": func(r *Row) string { return r.Held },
	"node":   func(r *Row) string { return first(r.Nodes) },
	"alert":  func(r *Row) string { return first(r.Alerts) },
	"pool":   func(r *Row) string { return poolOf(r).URL },
	"worker": func(r *Row) string { return poolOf(r).Worker },
}

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

// poolOf is the pool it works for; the first where none is active.
func poolOf(r *Row) site.Pool {
	for _, p := range r.Pools {
		if p.Active {
			return p
		}
	}
	if len(r.Pools) == 0 {
		return site.Pool{}
	}
	return r.Pools[0]
}

func slowest(r *Row) site.Opt[float64] {
	if len(r.Fans) == 0 {
		return site.Opt[float64]{}
	}
	return site.Some(float64(slices.Min(r.Fans)))
}

func byText(a, b string, sign int) int {
	if (a == "") != (b == "") {
		if a == "" {
			return 1
		}
		return -1
	}
	return sign * natural(a, b)
}

func byNumber(a, b site.Opt[float64], sign int) int {
	switch {
	case a.OK && b.OK:
		return sign * cmp.Compare(a.V, b.V)
	case a.OK:
		return -1
	case b.OK:
		return 1
	}
	return 0
}

func byFlag(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// natural compares texts as people do: numbers in them by their value, so that 10.0.0.9
// comes before 10.0.0.10.
func natural(a, b string) int {
	i, k := 0, 0
	for i < len(a) && k < len(b) {
		if isDigit(a[i]) && isDigit(b[k]) {
			x, y := digits(a[i:]), digits(b[k:])
			p, q := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if c := cmp.Or(cmp.Compare(len(p), len(q)), strings.Compare(p, q), cmp.Compare(len(x), len(y))); c != 0 {
				return c
			}
			i, k = i+len(x), k+len(y)
			continue
		}
		if a[i] != b[k] {
			return cmp.Compare(a[i], b[k])
		}
		i, k = i+1, k+1
	}
	return cmp.Compare(len(a)-i, len(b)-k)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func digits(s string) string {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return s[:n]
}
