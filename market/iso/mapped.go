package iso

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"switchyard/strictyaml"
)

// mappedCSV reads a CSV with a header line as the Map says.
func mappedCSV(r *reader, doc []byte) error {
	m := r.ask.Map
	var when, price int
	filter := map[int]string{}
	headed := false
	return r.lines(doc, func(f []string) error {
		if headed {
			for i, want := range filter {
				if at(f, i) != want {
					return nil
				}
			}
			r.mapped(at(f, when), at(f, price))
			return nil
		}
		headed = true
		h := heads(f)
		column := func(name string) (int, error) {
			if i, ok := h.has(strings.ToLower(name)); ok {
				return i, nil
			}
			return 0, fmt.Errorf("there is no column %q; %s", name, strictyaml.Suggest(name, f[:min(len(f), 60)]))
		}
		var err error
		if when, err = column(m.Time); err != nil {
			return err
		}
		if price, err = column(m.Price); err != nil {
			return err
		}
		for name, want := range m.Filter {
			i, err := column(name)
			if err != nil {
				return err
			}
			filter[i] = want
		}
		return nil
	})
}

// mappedJSON reads a list of objects, or of lists, as the Map says.
func mappedJSON(r *reader, doc []byte) error {
	m := r.ask.Map
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	found, ok := follow(v, m.Rows)
	if !ok {
		return fmt.Errorf("the answer has no field %q", m.Rows)
	}
	list, ok := found.([]any)
	if !ok {
		list = []any{found} // one row alone
	}
	for i, row := range list {
		r.line = i + 1
		if !r.passes(row, m.Filter) {
			continue
		}
		when, ok := follow(row, m.Time)
		if !ok {
			r.bad("field", "the row has no field %q", m.Time)
			continue
		}
		price, ok := follow(row, m.Price)
		if !ok {
			r.bad("field", "the row has no field %q", m.Price)
			continue
		}
		r.mapped(plain(when), plain(price))
	}
	return nil
}

func (r *reader) passes(row any, filter map[string]string) bool {
	for name, want := range filter {
		if v, ok := follow(row, name); !ok || plain(v) != want {
			return false
		}
	}
	return true
}

// follow goes down a dotted path; an empty one stays.
func follow(v any, path string) (any, bool) {
	if path == "" {
		return v, true
	}
	for _, key := range strings.Split(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			next, ok := in[key]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(key)
			if i < 0 {
				i += len(in)
			}
			if err != nil || i < 0 || i >= len(in) {
				return nil, false
			}
			v = in[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// mapped takes one row of a mapped report.
func (r *reader) mapped(when, figure string) {
	m := r.ask.Map
	t, err := r.moment(when)
	if err != nil {
		r.bad("time", "%v", err)
		return
	}
	if m.Ending {
		t = t.Add(-m.Length)
	}
	product := "energy"
	switch r.ask.Kind {
	case Load:
		product = "load"
	case Reserve:
		product = r.ask.Product
	}
	r.add(t, m.Length, figure, product, r.ask.Zone)
}

// The usual ways to write a time: with an offset, and without.
const withOffset = time.RFC3339

func usualForms() []string {
	return []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "01/02/2006 15:04:05", "01/02/2006 15:04", "02.01.2006 15:04"}
}

// moment reads a time as the Map says, else RFC 3339, seconds or milliseconds since 1970, or
// one of the usual forms in the Map's zone.
func (r *reader) moment(s string) (time.Time, error) {
	m := r.ask.Map
	loc := m.Zone
	if loc == nil {
		loc = time.UTC
	}
	forms := usualForms()
	if m.Format != "" {
		forms = []string{m.Format}
		if strings.Contains(m.Format, "-07") || strings.Contains(m.Format, "Z07") {
			if t, err := time.Parse(m.Format, s); err == nil {
				return t, nil
			}
		}
	} else {
		if t, err := time.Parse(withOffset, s); err == nil {
			return t, nil
		}
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 1e8 && n < 1e14 {
			if n > 1e11 { // the year 5138 in seconds, 1973 in milliseconds
				n /= 1000
			}
			return time.Unix(n, 0), nil
		}
	}
	for _, form := range forms {
		if w, err := time.Parse(form, s); err == nil {
			return r.ordered("", w, loc)
		}
	}
	return time.Time{}, fmt.Errorf("the time %.40q is not like %s", s, append(forms, "2026-07-01T16:00:00Z")[0])
}
