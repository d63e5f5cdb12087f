// Package lines owns how a file of figures is taken apart: unpacked where it is packed, and a
// line cut into fields.
//
// It never says what a field means, or what becomes of a line that cannot be cut.
//
// Concurrency: it holds nothing; what a function returns is the caller's.
package lines

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"unicode"
)

// Unpack returns what in holds, unpacked if it begins as gzip does. It blocks as in does, and
// puts no bound on what comes out.
func Unpack(in io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(in, 1<<16)
	if magic, _ := b.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	return gzip.NewReader(b)
}

// Split cuts a line at its commas into trimmed fields, which it appends to into; false where
// the quotes do not match. A quoted field may hold commas, but no line end, so that a stray
// quote spoils one line only.
func Split(line string, into []string) ([]string, bool) {
	for {
		line = strings.TrimLeftFunc(line, unicode.IsSpace)
		field, rest, more := strings.Cut(line, ",")
		if strings.HasPrefix(line, `"`) {
			var after string
			var closed bool
			if field, after, closed = quoted(line[1:]); !closed {
				return into, false
			}
			if after, rest, more = strings.Cut(after, ","); strings.TrimSpace(after) != "" {
				return into, false
			}
		}
		into = append(into, strings.TrimSpace(field))
		if !more {
			return into, true
		}
		line = rest
	}
}

// quoted returns what stands before the closing quote, a doubled one being one of its own, and
// what follows it.
func quoted(line string) (field, after string, closed bool) {
	var b strings.Builder
	for {
		part, rest, found := strings.Cut(line, `"`)
		if !found {
			return "", "", false
		}
		b.WriteString(part)
		if !strings.HasPrefix(rest, `"`) {
			return b.String(), rest, true
		}
		b.WriteByte('"')
		line = rest[1:]
	}
}
