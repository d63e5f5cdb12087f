// Package strictyaml owns the strict reading of YAML files that people write: every key
// must be known, every value must be of its kind, and all faults come back together, each
// with its file, line, column, key path and what would be right.
//
// It never guesses: no anchors, aliases, merge keys or tags, no second document, no value
// read as another kind than the one asked for. It never does I/O and never keeps the data.
//
// Concurrency: all functions are pure; a Doc is not written once Decode has returned it.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The bounds of what Decode reads. A file beyond one of them gives a fault and no values.
const (
	MaxSize   = 4 << 20 // bytes
	MaxDepth  = 32      // mappings and lists inside one another
	MaxValues = 20_000  // keys and list items: the parser's time grows with their square
	MaxFaults = 100     // reported; the rest are counted
)

// maxIndent bounds the recursion of the parser, which has no bound of its own.
const maxIndent = 8 * MaxDepth

type place struct{ line, column int }

// Doc remembers where every key and list item of a decoded file stands.
type Doc struct {
	file   string
	places map[string]place
	faulty map[string]bool
}

// At returns the line and column, from 1, of the key or list item at path, such as
// "groups[1].driver". Of a path that is not in the file it returns the nearest key above
// it, so that a missing key is reported where it belongs; at worst the file's start.
func (d *Doc) At(path string) (line, column int) {
	for path != "" {
		if p, ok := d.places[path]; ok {
			return p.line, p.column
		}
		path = parent(path)
	}
	return 1, 1
}

// Has says whether the file holds the key or list item at path.
func (d *Doc) Has(path string) bool {
	_, ok := d.places[path]
	return ok
}

// Faulty says whether Decode found a fault at path or below it, so that later checks do
// not report the same trouble twice.
func (d *Doc) Faulty(path string) bool { return d.faulty[path] }

// Fault makes a fault that points at path.
func (d *Doc) Fault(path, suggestion, format string, args ...any) Fault {
	line, column := d.At(path)
	return Fault{File: d.file, Line: line, Column: column, Path: path, Message: fmt.Sprintf(format, args...), Suggestion: suggestion}
}

// parent cuts the last key or index off a path.
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// Decode reads data, the content of the file so called, into the struct that into points
// to. Fields are found by their yaml tag; values are read by encoding.TextUnmarshaler where
// the type has it. A struct with a field tagged "name,short" may be written as that field's
// value alone. A key that has no value leaves a struct, list, map or pointer as it is
// and is a fault elsewhere. With faults, what was sound is in into all the same, for
// further checks; it is not to be used. The Doc is never nil.
func Decode(file string, data []byte, into any) (*Doc, Faults) {
	doc := &Doc{file: file, places: map[string]place{}, faulty: map[string]bool{}}
	d := &decoder{doc: doc}
	if root := d.parse(data); root != nil {
		d.decode("", root, reflect.ValueOf(into).Elem(), 0)
	}
	return doc, d.faults.Sorted()
}

// parse returns the root of the only document; nil when it is empty or there was a fault.
func (d *decoder) parse(data []byte) ast.Node {
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	switch {
	case len(data) > MaxSize:
		d.faultAt(place{1, 1}, "", "", "the file has %d bytes, more than the %d allowed", len(data), MaxSize)
		return nil
	case !utf8.Valid(data):
		d.faultAt(badByte(data), "", "save the file as UTF-8", "a byte here is not UTF-8 text")
		return nil
	}
	file, err := parseSafely(data)
	if err != nil {
		at, suggestion, message := d.syntax(err)
		d.faultAt(at, "", suggestion, "%s", message)
		return nil
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.NullType {
			continue
		}
		bodies = append(bodies, doc.Body)
	}
	switch {
	case len(bodies) == 0:
		return nil
	case len(bodies) > 1:
		d.faultAt(d.placeOf(bodies[1]), "", `remove the "---" line`, "a second document starts here; one is read")
	}
	return bodies[0]
}

// errBound is a file that the parser is not to be trusted with.
type errBound struct {
	at   place
	what string
}

func (e errBound) Error() string { return e.what }

func tooDeep(at place) errBound {
	return errBound{at, fmt.Sprintf("values are nested deeper than the %d levels allowed", MaxDepth)}
}

// parseSafely parses, and turns a panic of the parser over hostile text into an error.
func parseSafely(data []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			file, err = nil, fmt.Errorf("the text is not YAML (%v)", r)
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if err := checkBounds(tokens); err != nil {
		return nil, err
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// checkBounds looks at the tokens before the parser recurses over them.
func checkBounds(tokens token.Tokens) error {
	flow, line, entries, values := 0, 0, 0, 0
	for _, t := range tokens {
		if t.Position == nil {
			continue
		}
		at := place{t.Position.Line, t.Position.Column}
		if at.line != line {
			line, entries = at.line, 0
			if flow == 0 && at.column > maxIndent {
				return tooDeep(at)
			}
		}
		switch t.Type {
		case token.SequenceEntryType, token.MappingValueType, token.CollectEntryType:
			if values++; values > MaxValues {
				return errBound{at, fmt.Sprintf("the file holds more than the %d values allowed", MaxValues)}
			}
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(flow-1, 0)
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType, token.MappingValueType:
			if flow == 0 {
				entries++
			}
		}
		if flow > MaxDepth || entries > MaxDepth {
			return tooDeep(at)
		}
	}
	return nil
}

// syntax says in our words what the parser said.
func (d *decoder) syntax(err error) (at place, suggestion, message string) {
	var bound errBound
	if errors.As(err, &bound) {
		return bound.at, "", bound.what
	}
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil && y.GetToken().Position != nil {
		pos := y.GetToken().Position
		return place{pos.Line, pos.Column}, "check the indentation, the colons and the quotes here", "not YAML: " + y.GetMessage()
	}
	return place{1, 1}, "", err.Error()
}

func badByte(data []byte) place {
	p := place{1, 1}
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n <= 1 {
			break
		}
		if p.column++; r == '\n' {
			p = place{p.line + 1, 1}
		}
		data = data[n:]
	}
	return p
}

// Duration writes a duration as people do in a document: "5m" and not "5m0s".
func Duration(d time.Duration) string {
	s := d.String()
	if cut, ok := strings.CutSuffix(s, "m0s"); ok {
		s = cut + "m"
	}
	if cut, ok := strings.CutSuffix(s, "h0m"); ok {
		s = cut + "h"
	}
	return s
}
