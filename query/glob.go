package query

import (
	"unicode"
	"unicode/utf8"
)

// glob is a pattern in lower case; * stands for any text, ? for any one character.
type glob struct {
	pattern []rune
	any     bool // contains: what stands before and after does not matter
	bare    bool // separators such as ":" and "-" do not count: hardware addresses
}

const (
	anyText = -1 // in a pattern, instead of '*'
	anyRune = -2 // instead of '?'
)

// newGlob compiles a pattern. A backslash was taken away by the lexer: what it protected
// stands in plain.
func newGlob(word []letter, contains, bare bool) glob {
	g := glob{any: contains, bare: bare}
	if contains {
		g.pattern = append(g.pattern, anyText)
	}
	for _, l := range word {
		switch {
		case l.r == '*' && !l.plain:
			if n := len(g.pattern); n == 0 || g.pattern[n-1] != anyText {
				g.pattern = append(g.pattern, anyText)
			}
		case l.r == '?' && !l.plain:
			g.pattern = append(g.pattern, anyRune)
		case bare && separator(l.r):
		default:
			g.pattern = append(g.pattern, unicode.ToLower(l.r))
		}
	}
	if n := len(g.pattern); contains && g.pattern[n-1] != anyText {
		g.pattern = append(g.pattern, anyText)
	}
	return g
}

func separator(r rune) bool { return r == ':' || r == '-' || r == '.' }

// wild says whether the pattern holds a * or ?.
func (g *glob) wild() bool {
	for _, r := range g.pattern {
		if r < 0 {
			return true
		}
	}
	return false
}

// match says whether the whole of s is as the pattern says. An empty text is matched by an
// empty pattern alone, so that "rack=*" finds the devices that have one.
func (g *glob) match(s string) bool {
	if s == "" {
		return len(g.pattern) == 0
	}
	p := g.pattern
	back, from := -1, 0 // after the last *, and where its text may begin anew
	i, at := 0, 0
	for at < len(s) {
		r, size := utf8.DecodeRuneInString(s[at:])
		if g.bare && separator(r) {
			at += size
			continue
		}
		switch {
		case i < len(p) && p[i] == anyText:
			i++
			back, from = i, at
		case i < len(p) && (p[i] == anyRune || p[i] == unicode.ToLower(r)):
			i++
			at += size
		case back >= 0:
			_, skip := utf8.DecodeRuneInString(s[from:])
			from += skip
			i, at = back, from
		default:
			return false
		}
	}
	for i < len(p) && p[i] == anyText {
		i++
	}
	return i == len(p)
}
