package strictyaml

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

type decoder struct {
	doc    *Doc
	faults Faults
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	plainKey     = regexp.MustCompile(`^[\pL\pN_:/@ -]+$`)
)

func (d *decoder) faultAt(at place, path, suggestion, format string, args ...any) {
	msg := format
	if len(args) > 0 {
		msg = fmt.Sprintf(format, args...)
	}
	d.faults = append(d.faults, Fault{File: d.doc.file, Line: at.line, Column: at.column, Path: path, Message: msg, Suggestion: suggestion})
	for p := path; ; p = parent(p) {
		d.doc.faulty[p] = true
		if p == "" {
			return
		}
	}
}

func (d *decoder) fault(path, suggestion, format string, args ...any) {
	line, column := d.doc.At(path)
	d.faultAt(place{line, column}, path, suggestion, format, args...)
}

func (d *decoder) placeOf(n ast.Node) place {
	if pairs, ok := pairsOf(n); ok && len(pairs) > 0 {
		n = pairs[0].Key
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return place{t.Position.Line, t.Position.Column}
	}
	return place{1, 1}
}

// pairsOf returns the pairs of a mapping, which the parser gives in two forms.
func pairsOf(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}, true
	}
	return nil, false
}

// note remembers where a key or item stands.
func (d *decoder) note(path string, at place) {
	if _, twice := d.doc.places[path]; !twice {
		d.doc.places[path] = at
	}
}

// decode reads node into v, which is settable; everything it finds wrong becomes a fault.
func (d *decoder) decode(path string, node ast.Node, v reflect.Value, depth int) {
	if depth > MaxDepth {
		d.fault(path, "", "values are nested deeper than the %d levels allowed", MaxDepth)
		return
	}
	switch n := node.(type) {
	case nil:
		d.null(path, v)
		return
	case *ast.NullNode:
		d.null(path, v)
		return
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		d.fault(path, "write the value out, or put it in quotes if & or * begins it", "anchors and aliases are not read")
		return
	case *ast.TagNode:
		d.fault(path, "remove the tag "+strconv.Quote(n.Start.Value), "tags are not read")
		return
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.decode(path, node, v.Elem(), depth)
		return
	}
	switch {
	case v.Type() == timeType || v.Type() == durationType || v.Addr().Type().Implements(textType):
		d.scalar(path, node, v)
	case v.Kind() == reflect.Struct:
		d.structure(path, node, v, depth)
	case v.Kind() == reflect.Slice:
		d.list(path, node, v, depth)
	case v.Kind() == reflect.Map:
		d.dictionary(path, node, v, depth)
	default:
		d.scalar(path, node, v)
	}
}

// null leaves what may be empty as it is, so that a section may be commented out whole.
func (d *decoder) null(path string, v reflect.Value) {
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	scalar := t == timeType || reflect.PointerTo(t).Implements(textType)
	switch t.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Map:
		if !scalar {
			return
		}
	}
	d.fault(path, "give it a value or remove the key", "there is no value")
}

// mapping calls each for every pair whose key is plain and stands once.
func (d *decoder) mapping(path string, node ast.Node, what string, each func(key, path string, value ast.Node)) {
	pairs, ok := pairsOf(node)
	if !ok {
		d.fault(path, "", "there must be %s, not %s", what, describe(node))
		return
	}
	seen := make(map[string]place, len(pairs))
	for _, p := range pairs {
		key, ok := d.key(path, p)
		if !ok {
			continue
		}
		at := d.placeOf(p.Key)
		child := Join(path, key)
		if first, twice := seen[key]; twice {
			d.faultAt(at, child, "remove one of them", "the key stands twice, first on line %d", first.line)
			continue
		}
		seen[key] = at
		d.note(child, at)
		each(key, child, p.Value)
	}
}

func (d *decoder) key(path string, p *ast.MappingValueNode) (string, bool) {
	switch k := p.Key.(type) {
	case *ast.StringNode:
		return k.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		return k.GetToken().Value, true
	}
	d.faultAt(d.placeOf(p.Key), path, "write the key as plain text", "a key must be plain text")
	return "", false
}

// Join returns the path of key in the mapping at path; a key of odd characters is quoted.
func Join(path, key string) string {
	if !plainKey.MatchString(key) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *decoder) structure(path string, node ast.Node, v reflect.Value, depth int) {
	fields := map[string]int{}
	var names []string
	for i := range v.NumField() {
		name, extra, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		if _, pairs := pairsOf(node); extra == "short" && !pairs {
			d.decode(path, node, v.Field(i), depth+1)
			return
		}
		fields[name] = i
		names = append(names, name)
	}
	d.mapping(path, node, "keys with values", func(key, child string, value ast.Node) {
		if i, ok := fields[key]; ok {
			d.decode(child, value, v.Field(i), depth+1)
			return
		}
		d.fault(child, Suggest(key, names), "unknown key %s", quote(key))
	})
}

func (d *decoder) dictionary(path string, node ast.Node, v reflect.Value, depth int) {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	d.mapping(path, node, "names with values", func(key, child string, value ast.Node) {
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		if d.set(child, key, k) {
			d.decode(child, value, e, depth+1)
			v.SetMapIndex(k, e)
		}
	})
}

func (d *decoder) list(path string, node ast.Node, v reflect.Value, depth int) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fault(path, `begin each item with "- " or put them in [ ]`, "there must be a list, not %s", describe(node))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	for i, item := range seq.Values {
		child := fmt.Sprintf("%s[%d]", path, i)
		at := d.placeOf(seq)
		if item != nil {
			at = d.placeOf(item)
		}
		d.note(child, at)
		d.decode(child, item, v.Index(i), depth+1)
	}
}

func (d *decoder) scalar(path string, node ast.Node, v reflect.Value) {
	var text string
	quoted := false
	switch n := node.(type) {
	case *ast.StringNode:
		text = n.Value
		quoted = n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType
	case *ast.LiteralNode:
		text, quoted = n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		text = n.GetToken().Value
	default:
		d.fault(path, "", "there must be one value, not %s", describe(node))
		return
	}
	if quoted && (v.Kind() == reflect.Bool || isNumber(v)) {
		d.fault(path, "remove the quotes", "there must be %s, not text", kindName(v.Kind()))
		return
	}
	d.set(path, text, v)
}

// isNumber says that v takes a bare number, and not a quantity with its unit.
func isNumber(v reflect.Value) bool {
	if v.Type() == durationType || v.Addr().Type().Implements(textType) {
		return false
	}
	return v.CanInt() || v.CanUint() || v.CanFloat()
}

// set reads text as v's kind; false and a fault if it is none.
func (d *decoder) set(path, text string, v reflect.Value) bool {
	switch {
	case v.Type() == timeType:
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			d.fault(path, `write it like "2026-07-01T16:00:00Z"`, "%s is not a time", quote(text))
			return false
		}
		v.Set(reflect.ValueOf(t))
		return true
	case v.Type() == durationType:
		t, err := time.ParseDuration(text)
		if err != nil {
			d.fault(path, `write it like "90s", "15m" or "48h"`, "%s is not a duration", quote(text))
			return false
		}
		v.SetInt(int64(t))
		return true
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(text)); err != nil {
			v.SetZero()
			d.faultOf(path, err)
			return false
		}
		return true
	}
	return d.setPlain(path, text, v)
}

// faultOf splits "what is wrong; what would be right", as the unit package writes it.
func (d *decoder) faultOf(path string, err error) {
	message, suggestion, _ := strings.Cut(err.Error(), "; ")
	d.fault(path, suggestion, "%s", message)
}

func (d *decoder) setPlain(path, text string, v reflect.Value) bool {
	digits := strings.ReplaceAll(text, "_", "")
	var err error
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
		return true
	case v.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			d.fault(path, "write true or false", "%s is not true or false", quote(text))
			return false
		}
		v.SetBool(text == "true")
		return true
	case v.CanInt():
		var n int64
		n, err = strconv.ParseInt(digits, 10, v.Type().Bits())
		v.SetInt(n)
	case v.CanUint():
		var n uint64
		n, err = strconv.ParseUint(digits, 10, v.Type().Bits())
		v.SetUint(n)
	case v.CanFloat():
		var f float64
		f, err = strconv.ParseFloat(digits, v.Type().Bits())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			err = strconv.ErrRange
		}
		v.SetFloat(f)
	default:
		d.fault(path, "", "the program cannot read a %s here", v.Type())
		return false
	}
	if err != nil {
		v.SetZero()
		d.fault(path, "", "%s is not %s that fits here", quote(text), kindName(v.Kind()))
	}
	return err == nil
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number from 0 up"
	}
	return "a whole number"
}

// quote keeps a long value from filling the screen.
func quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return strconv.Quote(s)
}

func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys with values"
	}
	if t := n.GetToken(); t != nil {
		return quote(t.Value)
	}
	return "this"
}
