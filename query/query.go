// Package query owns the language in which people choose devices, such as
//
//	model=S19* and hashrate<80%
//	(group=s21 or rack=A-*) and not state=sleeping
//	alert=dead-board uptime>3d
//
// Comparisons are =, !=, <, <=, >, >= and ~ (contains). Texts are compared without regard to
// upper and lower case, and * and ? stand for any text and any one character. Words beside
// each other must both hold; a word alone is looked for in every text of a device. Figures
// take units, and a figure that is not known matches no comparison. A model is compared with
// and without the brand before it: model=S19* finds an "Antminer S19 Pro". What a state or an
// alert can never be is a fault of the query. Fields lists the fields.
//
// It never reads a device or a clock and never changes anything: a query is compiled once
// and says of a Row whether it matches.
//
// Concurrency: a Query is constant once parsed and safe for concurrent use.
package query

import (
	"strings"
	"time"

	"switchyard/site"
)

// Row is what is known of one device. An empty text is one that is not known or does not apply.
type Row struct {
	Device, Group         string
	Nodes                 []string // the node it hangs on and all above it
	Rack, Position        string
	Make, Model, Firmware string
	Driver                string
	Address, MAC, Serial  string
	State                 string
	Profile               string
	Held                  string // by whom; empty: nobody
	Maintenance           bool
	Alerts                []string // rules that fire
	Pools                 []site.Pool
	Fans                  []int             // rpm
	Hashrate              site.Opt[float64] // TH/s
	HashratePct           site.Opt[float64] // of nameplate
	Power                 site.Opt[float64] // W
	Temp                  site.Opt[float64] // hottest chip, deg C
	Uptime, Age           site.Opt[time.Duration]
}

// MaxLength is how many bytes a query may have.
const MaxLength = 2000

// Query is a compiled query. The zero Query matches every row.
type Query struct {
	root *node
}

type kind uint8

const (
	kindAnd kind = iota
	kindOr
	kindNot
	kindWord  // a text looked for in every field
	kindField // a comparison
)

// node is one part of a query's tree.
type node struct {
	kind kind
	kids []*node
	fld  *field
	op   op
	text glob     // kindWord, and text fields
	num  figure   // figures
	want bool     // yes or no
	net  prefix   // addresses
	word []letter // the value as it was written
}

// Match says whether the query matches a row. It allocates nothing.
func (q *Query) Match(r *Row) bool { return q.root == nil || q.root.match(r) }

// All says whether the query is empty and so matches every row.
func (q *Query) All() bool { return q.root == nil }

func (n *node) match(r *Row) bool {
	switch n.kind {
	case kindAnd:
		for _, k := range n.kids {
			if !k.match(r) {
				return false
			}
		}
		return true
	case kindOr:
		for _, k := range n.kids {
			if k.match(r) {
				return true
			}
		}
		return false
	case kindNot:
		return !n.kids[0].match(r)
	case kindWord:
		return n.anywhere(r)
	}
	return n.fld.match(n, r)
}

// anywhere looks for the text in every text of a row.
func (n *node) anywhere(r *Row) bool {
	for i := range fields {
		if t := fields[i].texts; t != nil && t(n, r) {
			return true
		}
	}
	return false
}

// String writes the query in a form that Parse reads as the same query.
func (q *Query) String() string {
	if q.root == nil {
		return ""
	}
	var b strings.Builder
	q.root.write(&b)
	return b.String()
}

func (n *node) write(b *strings.Builder) {
	switch n.kind {
	case kindAnd, kindOr:
		sep := " and "
		if n.kind == kindOr {
			sep = " or "
		}
		b.WriteByte('(')
		for i, k := range n.kids {
			if i > 0 {
				b.WriteString(sep)
			}
			k.write(b)
		}
		b.WriteByte(')')
	case kindNot:
		b.WriteString("not ")
		n.kids[0].write(b)
	case kindWord:
		b.WriteString(quote(n.word))
	case kindField:
		b.WriteString(n.fld.name)
		b.WriteString(n.op.String())
		b.WriteString(quote(n.word))
	}
}

// quote writes a word so that it is read back as one.
func quote(word []letter) string {
	b := []rune{'"'}
	for _, l := range word {
		if l.plain || l.r == '"' || l.r == '\\' {
			b = append(b, '\\')
		}
		b = append(b, l.r)
	}
	return string(append(b, '"'))
}
