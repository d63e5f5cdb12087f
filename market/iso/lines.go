package iso

import (
	"bytes"
	"fmt"
	"strings"

	"switchyard/market/lines"
)

const maxLine = 1 << 20

// lines calls each with the fields of every line that is not empty.
func (r *reader) lines(doc []byte, each func(fields []string) error) error {
	var fields []string
	for len(doc) > 0 {
		line, rest, _ := bytes.Cut(doc, []byte("\n"))
		doc = rest
		r.line++
		line = bytes.TrimRight(line, "\r")
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if len(line) > maxLine {
			return fmt.Errorf("line %d has more than %d bytes", r.line, maxLine)
		}
		var ok bool
		if fields, ok = lines.Split(string(line), fields[:0]); !ok {
			r.bad("quotes", "the quotes do not match")
			continue
		}
		if err := each(fields); err != nil {
			return err
		}
	}
	return nil
}

// header finds columns by name.
type header map[string]int

// heads returns the columns of a header line, their names lowered.
func heads(fields []string) header {
	h := header{}
	for i, f := range fields {
		name := strings.ToLower(f)
		if _, there := h[name]; !there {
			h[name] = i
		}
	}
	return h
}

// has returns the column of the first of the names that is there.
func (h header) has(names ...string) (int, bool) {
	for _, n := range names {
		if i, ok := h[n]; ok {
			return i, true
		}
	}
	return -1, false
}

// all returns the columns of the names, and the first name that is not there.
func (h header) all(names ...string) (columns []int, missing string) {
	for _, n := range names {
		i, ok := h[n]
		if !ok {
			return nil, n
		}
		columns = append(columns, i)
	}
	return columns, ""
}

// at returns a field; empty where the line is too short or there is no such column.
func at(fields []string, i int) string {
	if i < 0 || i >= len(fields) {
		return ""
	}
	return fields[i]
}
