package rpc

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"switchyard/driver"
)

// maxDepth bounds how deeply values may nest; the deepest known reply nests six.
const maxDepth = 32

var errGarbage = errors.New("not a JSON reply")

// Parse reads a reply as tolerantly as the family needs and as strictly as it can: what it
// accepts beyond JSON is listed in the package's documentation, anything else is an error
// that wraps driver.ErrUnreachable. Reply.Truncated says that the end was missing.
func Parse(data []byte) (Reply, error) {
	if len(data) > MaxReply {
		return Reply{}, errLong(len(data))
	}
	return ParseText(string(data))
}

// ParseText is Parse of a text, of which the reply's values are parts.
func ParseText(text string) (Reply, error) {
	if len(text) > MaxReply {
		return Reply{}, errLong(len(text))
	}
	p := parsers.Get().(*parser)
	defer p.release()
	p.s = text
	p.skip()
	if p.at >= len(p.s) {
		return Reply{}, fmt.Errorf("empty reply: %w", driver.ErrUnreachable)
	}
	if p.s[p.at] != '{' {
		return Reply{}, fmt.Errorf("%w at byte %d: %w", errGarbage, p.at, driver.ErrUnreachable)
	}
	v, err := p.value(0)
	if err != nil {
		return Reply{}, fmt.Errorf("%w at byte %d: %w", err, p.at, driver.ErrUnreachable)
	}
	o, _ := v.(Object)
	return Reply{Object: o, Truncated: p.cut}, nil
}

func errLong(n int) error {
	return fmt.Errorf("reply of %d bytes is over the limit of %d: %w", n, MaxReply, driver.ErrUnreachable)
}

// parser is a recursive descent over s. Values are nil, bool, string, Number, Array, Object.
// Its memory goes from reply to reply.
type parser struct {
	s   string
	at  int
	cut bool // the input ended inside a value
	// The members and elements of what is being read, the innermost last: each object and
	// list is cut to its length once that is known.
	members []Member
	values  []any
}

var parsers = sync.Pool{New: func() any { return &parser{} }}

// maxKept is how many members a parser keeps room for.
const maxKept = 1 << 10

func (p *parser) release() {
	if cap(p.members) > maxKept || cap(p.values) > maxKept {
		*p = parser{}
	}
	clear(p.members[:cap(p.members)]) // else they would hold the reply
	clear(p.values[:cap(p.values)])
	*p = parser{members: p.members[:0], values: p.values[:0]}
	parsers.Put(p)
}

// missing stands for a value that the end of the input cut: it is dropped, never guessed.
type missing struct{}

// skip passes what may stand between tokens: blanks, NULs and any number of commas.
func (p *parser) skip() {
	for p.at < len(p.s) {
		switch p.s[p.at] {
		case ' ', '\t', '\r', '\n', 0, ',':
			p.at++
		default:
			if !strings.HasPrefix(p.s[p.at:], "\ufeff") {
				return
			}
			p.at += len("\ufeff")
		}
	}
}

func (p *parser) end() bool {
	if p.at < len(p.s) {
		return false
	}
	p.cut = true
	return true
}

func (p *parser) value(depth int) (any, error) {
	p.skip()
	if p.end() {
		return missing{}, nil
	}
	if depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	switch p.s[p.at] {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"':
		return p.str()
	default:
		return p.bare()
	}
}

func (p *parser) object(depth int) (any, error) {
	p.at++
	base := len(p.members)
	for {
		p.skip()
		if p.end() {
			return p.takeObject(base), nil
		}
		switch p.s[p.at] {
		case '}':
			p.at++
			return p.takeObject(base), nil
		case '"':
		default:
			return nil, errors.New("a key was expected")
		}
		key, ok := p.text()
		if !ok {
			return p.takeObject(base), nil
		}
		if err := p.colon(); err != nil {
			return nil, err
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if _, gone := v.(missing); !gone {
			p.members = append(p.members, Member{Key: key, Value: v})
		}
	}
}

// takeObject takes the members from base on off the stack.
func (p *parser) takeObject(base int) Object {
	o := make(Object, len(p.members)-base)
	copy(o, p.members[base:])
	p.members = p.members[:base]
	return o
}

func (p *parser) colon() error {
	for p.at < len(p.s) && strings.IndexByte(" \t\r\n\x00", p.s[p.at]) >= 0 {
		p.at++
	}
	if p.end() {
		return nil
	}
	if p.s[p.at] != ':' {
		return errors.New("a colon was expected")
	}
	p.at++
	return nil
}

func (p *parser) array(depth int) (any, error) {
	p.at++
	base := len(p.values)
	for {
		p.skip()
		if p.end() {
			return p.takeArray(base), nil
		}
		if p.s[p.at] == ']' {
			p.at++
			return p.takeArray(base), nil
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if _, gone := v.(missing); !gone {
			p.values = append(p.values, v)
		}
	}
}

// takeArray takes the elements from base on off the stack.
func (p *parser) takeArray(base int) Array {
	a := make(Array, len(p.values)-base)
	copy(a, p.values[base:])
	p.values = p.values[:base]
	return a
}

// str reads a string; a missing closing quote makes it missing.
func (p *parser) str() (any, error) {
	if s, ok := p.text(); ok {
		return s, nil
	}
	return missing{}, nil
}

// text reads a string; false means that its end is missing.
func (p *parser) text() (string, bool) {
	p.at++
	start, plain := p.at, true
	for p.at < len(p.s) {
		switch p.s[p.at] {
		case '"':
			raw := p.s[start:p.at]
			p.at++
			if !plain {
				raw = unescape(raw)
			}
			return strings.ToValidUTF8(raw, "\ufffd"), true
		case '\\':
			plain = false
			p.at++
		}
		p.at++
	}
	p.at = len(p.s)
	p.cut = true
	return "", false
}

// unescape resolves JSON's escapes and leaves wrong ones as they stand.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			r, n := codePoint(s[i+1:])
			b.WriteRune(r)
			i += n
		default: // a quote, a backslash, a slash, or a firmware's own idea
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// codePoint reads the digits after \u, and a second half of a pair; n is what it used.
func codePoint(s string) (r rune, n int) {
	hi, ok := hex4(s)
	if !ok {
		return utf8.RuneError, 0
	}
	if utf16.IsSurrogate(hi) {
		if len(s) >= 10 && s[4] == '\\' && s[5] == 'u' {
			if lo, ok := hex4(s[6:]); ok {
				if r := utf16.DecodeRune(hi, lo); r != utf8.RuneError {
					return r, 10
				}
			}
		}
		return utf8.RuneError, 4
	}
	return hi, 4
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		d := strings.IndexByte("0123456789abcdef", s[i]|0x20)
		if d < 0 || (s[i] < 'A' && d > 9) {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

// bare reads a number or a word. inf and nan are values that the firmware does not know:
// null. A word or number that touches the end of the input may have lost its tail: missing.
func (p *parser) bare() (any, error) {
	start := p.at
	for p.at < len(p.s) && strings.IndexByte(" \t\r\n\x00,{}[]:\"", p.s[p.at]) < 0 {
		p.at++
	}
	if p.end() {
		return missing{}, nil
	}
	word := p.s[start:p.at]
	if decimal(word) {
		return Number(word), nil
	}
	switch strings.ToLower(strings.TrimLeft(word, "+-")) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null", "inf", "infinity", "nan", "nan(ind)", "nan(snan)":
		return nil, nil
	}
	if word == "" || strings.IndexByte("+-.0123456789", word[0]) < 0 {
		p.at = start
		return nil, errors.New("a value was expected")
	}
	if _, ok := number(word); !ok {
		p.at = start
		return nil, errors.New("a number was expected")
	}
	return Number(word), nil
}

// decimal says whether s is digits with at most a sign before and a point within: nearly
// every number is. What it says no to may be a number still.
func decimal(s string) bool {
	if len(s) > 0 && s[0] == '-' {
		s = s[1:]
	}
	points := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
		case c == '.' && i > 0:
			points++
		default:
			return false
		}
	}
	return len(s) > points && points < 2 && len(s) < 64
}
