package query

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error says what is wrong with a query, where, and what would be right.
type Error struct {
	At   int    // characters before the fault
	Text string // what is wrong
	Hint string // what would be right; may be empty
}

// Error prints the fault on one line.
func (e *Error) Error() string {
	s := fmt.Sprintf("query, character %d: %s", e.At+1, e.Text)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// letter is one character of a word; plain ones are no wildcards.
type letter struct {
	r     rune
	plain bool
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenOp
	tokenOpen
	tokenClose
)

type token struct {
	kind   tokenKind
	at     int // characters before it
	quoted bool
	tight  bool // no blank before it
	word   []letter
	op     op
}

// text is the word as it is meant, without quotation marks.
func (t token) text() string {
	var b strings.Builder
	for _, l := range t.word {
		b.WriteRune(l.r)
	}
	return b.String()
}

// is says whether the token is an unquoted word, in any case.
func (t token) is(word string) bool {
	return t.kind == tokenWord && !t.quoted && strings.EqualFold(t.text(), word)
}

type op uint8

const (
	opEqual op = iota
	opNot
	opLess
	opAtMost
	opMore
	opAtLeast
	opHas
)

var opNames = [...]string{"=", "!=", "<", "<=", ">", ">=", "~"}

// String returns the comparison's sign.
func (o op) String() string { return opNames[o] }

// lex divides a query into tokens.
func lex(s string) ([]token, error) {
	if len(s) > MaxLength {
		return nil, &Error{At: MaxLength, Text: fmt.Sprintf("a query has at most %d bytes", MaxLength), Hint: "name the devices instead"}
	}
	if !utf8.ValidString(s) {
		return nil, &Error{Text: "it is not valid UTF-8"}
	}
	var out []token
	in := []rune(s)
	tight := false
	for i := 0; i < len(in); {
		switch r := in[i]; {
		case unicode.IsSpace(r):
			i++
			tight = false
			continue
		case r == '(':
			out = append(out, token{kind: tokenOpen, at: i, tight: tight})
			i++
		case r == ')':
			out = append(out, token{kind: tokenClose, at: i, tight: tight})
			i++
		case isOp(r):
			o, n, err := lexOp(in, i)
			if err != nil {
				return nil, err
			}
			out = append(out, token{kind: tokenOp, at: i, op: o, tight: tight})
			i += n
		default:
			t, next, err := lexWord(in, i)
			if err != nil {
				return nil, err
			}
			t.tight = tight
			out = append(out, t)
			i = next
		}
		tight = true
	}
	return append(out, token{kind: tokenEnd, at: len(in)}), nil
}

func isOp(r rune) bool { return r == '=' || r == '!' || r == '<' || r == '>' || r == '~' }

func lexOp(in []rune, i int) (o op, length int, err error) {
	next := rune(0)
	if i+1 < len(in) {
		next = in[i+1]
	}
	switch {
	case in[i] == '!' && next == '=':
		return opNot, 2, nil
	case in[i] == '<' && next == '=':
		return opAtMost, 2, nil
	case in[i] == '>' && next == '=':
		return opAtLeast, 2, nil
	case in[i] == '=' && next == '=':
		return opEqual, 2, nil
	case in[i] == '<' && next == '>':
		return opNot, 2, nil
	case in[i] == '=':
		return opEqual, 1, nil
	case in[i] == '<':
		return opLess, 1, nil
	case in[i] == '>':
		return opMore, 1, nil
	case in[i] == '~':
		return opHas, 1, nil
	}
	return 0, 0, &Error{At: i, Text: `"!" alone is no comparison`, Hint: `write "!=", or "not" before what must not hold`}
}

// lexWord takes a word: up to a blank, a parenthesis or a comparison, or in quotation marks.
// A backslash protects the character after it.
func lexWord(in []rune, i int) (t token, next int, err error) {
	t = token{kind: tokenWord, at: i}
	if in[i] == '"' {
		t.quoted = true
		for k := i + 1; k < len(in); k++ {
			switch {
			case in[k] == '"':
				return t, k + 1, nil
			case in[k] == '\\' && k+1 < len(in):
				k++
				// In quotation marks a backslash before a wildcard makes it plain.
				t.word = append(t.word, letter{in[k], true})
			default:
				t.word = append(t.word, letter{in[k], false})
			}
		}
		return t, 0, &Error{At: i, Text: "the quotation mark is not closed", Hint: `end the text with another "`}
	}
	for ; i < len(in); i++ {
		r := in[i]
		if unicode.IsSpace(r) || r == '(' || r == ')' || r == '"' || isOp(r) {
			break
		}
		t.word = append(t.word, letter{r, false})
	}
	return t, i, nil
}
