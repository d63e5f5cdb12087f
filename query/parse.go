package query

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"switchyard/strictyaml"
)

// maxDepth bounds how deep parentheses and nots may stand in each other.
const maxDepth = 50

// Parse compiles a query. An empty text matches every row. The error is an *Error.
func Parse(s string) (*Query, error) {
	tokens, err := lex(s)
	if err != nil {
		return nil, err
	}
	p := &parser{in: tokens}
	if p.peek().kind == tokenEnd {
		return &Query{}, nil
	}
	root, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, &Error{At: t.at, Text: `")" without "("`, Hint: "take it out, or open a parenthesis before it"}
	}
	return &Query{root: root}, nil
}

type parser struct {
	in []token
	i  int
}

func (p *parser) peek() token { return p.in[p.i] }

func (p *parser) next() token {
	t := p.in[p.i]
	if t.kind != tokenEnd {
		p.i++
	}
	return t
}

// or reads parts of which one must hold.
func (p *parser) or(depth int) (*node, error) {
	n := &node{kind: kindOr}
	for {
		k, err := p.and(depth)
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, k)
		if !p.peek().is("or") {
			return one(n), nil
		}
		p.next()
	}
}

// and reads parts that must all hold, with "and" between them or nothing.
func (p *parser) and(depth int) (*node, error) {
	n := &node{kind: kindAnd}
	for {
		k, err := p.not(depth)
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, k)
		switch t := p.peek(); {
		case t.is("and"):
			p.next()
		case t.kind == tokenEnd, t.kind == tokenClose, t.is("or"):
			return one(n), nil
		}
	}
}

// one spares a list of one part.
func one(n *node) *node {
	if len(n.kids) == 1 {
		return n.kids[0]
	}
	return n
}

func (p *parser) not(depth int) (*node, error) {
	t := p.peek()
	if depth > maxDepth {
		return nil, &Error{At: t.at, Text: fmt.Sprintf("more than %d parentheses stand in each other", maxDepth)}
	}
	if t.is("not") && p.in[p.i+1].kind != tokenOp {
		p.next()
		k, err := p.not(depth + 1)
		if err != nil {
			return nil, err
		}
		return &node{kind: kindNot, kids: []*node{k}}, nil
	}
	return p.atom(depth)
}

func (p *parser) atom(depth int) (*node, error) {
	switch t := p.next(); t.kind {
	case tokenOpen:
		k, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.peek().kind != tokenClose {
			return nil, &Error{At: t.at, Text: "the parenthesis is not closed", Hint: `write ")" where it ends`}
		}
		p.next()
		return k, nil
	case tokenWord:
		if p.peek().kind == tokenOp && !t.quoted {
			return p.comparison(t)
		}
		return word(t)
	case tokenOp:
		return nil, &Error{At: t.at, Text: fmt.Sprintf("no field stands before %q", t.op), Hint: "write it like model=S19*"}
	case tokenClose:
		return nil, &Error{At: t.at, Text: `")" where something to look for should stand`, Hint: "write it like (model=S19* or model=S21*)"}
	default:
		return nil, &Error{At: t.at, Text: "something to look for is missing at the end", Hint: "write it like model=S19* and hashrate<80%"}
	}
}

// word is a text looked for in every field: whole where it holds wildcards, else anywhere in it.
func word(t token) (*node, error) {
	if len(t.word) == 0 {
		return nil, &Error{At: t.at, Text: "an empty text is in every field", Hint: "write what to look for"}
	}
	if !t.quoted && (t.is("and") || t.is("or") || t.is("not")) {
		return nil, &Error{At: t.at, Text: fmt.Sprintf("%q joins two parts, and one is missing", t.text()), Hint: `to look for the word itself write it in quotation marks`}
	}
	n := &node{kind: kindWord, word: t.word, text: newGlob(t.word, false, false)}
	if !n.text.wild() {
		n.text = newGlob(t.word, true, false)
	}
	return n, nil
}

// comparison reads what follows a field's name.
func (p *parser) comparison(name token) (*node, error) {
	f, err := fieldOf(name)
	if err != nil {
		return nil, err
	}
	o := p.next()
	v := p.next()
	if v.kind != tokenWord {
		return nil, &Error{At: v.at, Text: fmt.Sprintf("a value is missing after %s%s", f.name, o.op), Hint: "write it like " + f.example()}
	}
	n := &node{kind: kindField, fld: f, op: o.op, word: v.word}
	switch {
	case f.texts != nil:
		return n, f.textValue(n, o, v)
	case f.flag != nil:
		return n, f.flagValue(n, o, v)
	case o.op == opHas:
		return nil, &Error{At: o.at, Text: fmt.Sprintf("%s is a figure, and ~ compares texts", f.name), Hint: "use =, !=, <, <=, > or >="}
	}
	p.unitAfterBlank(f, &v)
	n.word = v.word
	if n.num, err = f.figure(v); err != nil {
		return nil, err
	}
	return n, nil
}

func fieldOf(name token) (*field, error) {
	want := strings.ToLower(name.text())
	if a, ok := aliases[want]; ok {
		want = a
	}
	i := slices.IndexFunc(fields, func(f field) bool { return f.name == want })
	if i < 0 {
		return nil, &Error{At: name.at, Text: fmt.Sprintf("there is no field %q", name.text()), Hint: strictyaml.Suggest(want, fieldNames())}
	}
	return &fields[i], nil
}

// example is a comparison with the field as people would write it.
func (f *field) example() string {
	switch {
	case f.name == "hashrate":
		return "hashrate<80%"
	case f.fans:
		return "fans<1000"
	case f.flag != nil:
		return f.name + "=yes"
	case f.values != nil:
		return f.name + "=" + f.values[0]
	case f.number == nil:
		return f.name + "=..."
	}
	return f.name + ">3" + f.units[len(f.units)-2].name
}

func (f *field) textValue(n *node, o, v token) error {
	if o.op != opEqual && o.op != opNot && o.op != opHas {
		return &Error{At: o.at, Text: fmt.Sprintf("%s is a text, and %s compares figures", f.name, o.op), Hint: "use =, != or ~ (contains)"}
	}
	if o.op == opHas && len(v.word) == 0 {
		return &Error{At: v.at, Text: "an empty text is in every field", Hint: fmt.Sprintf("%s=\"\" finds the devices without it", f.name)}
	}
	if f.yesNo && !v.quoted && o.op != opHas {
		if yes, ok := yesOrNo(v.text()); ok {
			v.word = nil // no: it is empty
			if yes {
				v.word = []letter{{r: '*'}}
			}
			n.word = v.word
		}
	}
	if s := v.text(); f.net && strings.Contains(s, "/") {
		net, err := netip.ParsePrefix(s)
		if err != nil || o.op == opHas {
			return &Error{At: v.at, Text: fmt.Sprintf("%q is not a network that an address can be compared with", s), Hint: "write it like address=10.0.4.0/24"}
		}
		n.net = prefix{net.Masked(), true}
		return nil
	}
	n.text = newGlob(v.word, o.op == opHas || f.bare && partOfMAC(v.word), f.bare)
	return f.possible(n, v)
}

// partOfMAC says whether a text is some of the 12 digits of a hardware address: then it may
// stand anywhere in one.
func partOfMAC(word []letter) bool {
	digits := 0
	for _, l := range word {
		switch {
		case separator(l.r):
		case !strings.ContainsRune("0123456789abcdefABCDEF", l.r):
			return false
		default:
			digits++
		}
	}
	return digits > 0 && digits < 12
}

// possible refuses what the field can never be, so that a slip is not taken for "none".
func (f *field) possible(n *node, v token) error {
	if f.values == nil || len(n.word) == 0 || slices.ContainsFunc(f.values, n.text.match) {
		return nil
	}
	hint := strictyaml.Suggest(strings.ToLower(v.text()), f.values)
	if n.text.wild() {
		hint = "it can be one of " + strings.Join(f.values, ", ")
	}
	return &Error{At: v.at, Text: fmt.Sprintf("no %s is called %q", f.name, v.text()), Hint: hint}
}

func (f *field) flagValue(n *node, o, v token) error {
	yes, ok := yesOrNo(v.text())
	if !ok || o.op != opEqual && o.op != opNot {
		return &Error{At: v.at, Text: f.name + " is yes or no", Hint: fmt.Sprintf("write %s=yes or %s=no", f.name, f.name)}
	}
	n.want = yes == (o.op == opEqual)
	return nil
}

func yesOrNo(s string) (yes, ok bool) {
	switch strings.ToLower(s) {
	case "yes", "true", "on", "1":
		return true, true
	case "no", "false", "off", "0":
		return false, true
	}
	return false, false
}

// unitAfterBlank joins "3 kW" where the blank has made two words of it.
func (p *parser) unitAfterBlank(f *field, v *token) {
	t := p.peek()
	if v.quoted || t.kind != tokenWord || t.quoted || strings.Trim(v.text(), "0123456789.") != "" {
		return
	}
	if p.in[p.i+1].kind == tokenOp { // the next comparison's field
		return
	}
	if slices.ContainsFunc(f.units, func(u scale) bool { return t.is(u.name) }) {
		v.word = append(slices.Clone(v.word), t.word...)
		p.next()
	}
}

// figure reads a number with its unit; of a duration several, one after the other: "1d12h".
func (f *field) figure(v token) (figure, error) {
	s := strings.TrimSpace(v.text())
	bad := func(text string) error {
		names := make([]string, 0, len(f.units))
		for _, u := range f.units {
			names = append(names, u.name)
		}
		return &Error{At: v.at, Text: text, Hint: fmt.Sprintf("write it like %s; units are %s", f.example(), strings.Join(names, ", "))}
	}
	var out figure
	duration := f.units[0].name == "s"
	for first := true; first || s != ""; first = false {
		digits := s[:len(s)-len(strings.TrimLeft(s, "-+0123456789."))]
		x, err := strconv.ParseFloat(digits, 64)
		if err != nil || !first && (!duration || digits[0] == '-' || digits[0] == '+') {
			return out, bad(fmt.Sprintf("%q is no figure of %s", v.text(), f.name))
		}
		s = strings.TrimLeft(s[len(digits):], " ")
		name := s
		if i := strings.IndexAny(s, "0123456789"); duration && i >= 0 {
			name = s[:i]
		}
		s = s[len(name):]
		u, ok := f.unit(strings.TrimSpace(name))
		if !ok {
			if name == "" {
				return out, bad(fmt.Sprintf("%q has no unit", v.text()))
			}
			return out, bad(fmt.Sprintf("%q is no unit of %s", name, f.name))
		}
		out.v += x * u.of
		out.percent = u.name == "%"
		out.near = lastPlace(digits) * u.of / 2 * (1 + 1e-9)
	}
	return out, nil
}

// unit finds a unit by name; without one it is the first, but for durations, which mean nothing then.
func (f *field) unit(name string) (scale, bool) {
	if name == "" {
		return f.units[0], f.units[0].name != "s"
	}
	for _, u := range f.units {
		if strings.EqualFold(u.name, name) {
			return u, true
		}
	}
	return scale{}, false
}

// lastPlace is what the last digit that was written is worth.
func lastPlace(digits string) float64 {
	_, places, _ := strings.Cut(digits, ".")
	place := 1.0
	for range min(len(places), 12) {
		place /= 10
	}
	return place
}
