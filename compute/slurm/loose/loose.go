// Package loose owns reading JSON that several versions of a program write differently: a number
// that may be an object, a list that may be one word; and reading long lists item by item.
//
// It never keeps what it reads, and knows no program.
//
// Concurrency: all functions are pure but for the decoder that they are given.
package loose

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// MostItems is the most that one list may hold.
const MostItems = 200_000

// ErrTooLong says that an answer is longer than is read here.
var ErrTooLong = errors.New("the answer is longer than is read here")

// Number is a number as the versions write it: 5, null, "5", {"set":true,"infinite":false,"number":5}.
type Number int64

// UnmarshalJSON reads any of the forms.
func (n *Number) UnmarshalJSON(b []byte) error {
	*n = 0
	b = bytes.TrimSpace(b)
	if len(b) == 0 || string(b) == "null" || string(b) == "false" {
		return nil
	}
	if b[0] == '{' {
		var o struct {
			Set, Infinite bool
			Number        json.Number
		}
		if err := json.Unmarshal(b, &o); err != nil {
			return err
		}
		if o.Set && !o.Infinite {
			*n = Number(whole(o.Number.String()))
		}
		return nil
	}
	*n = Number(whole(strings.Trim(string(b), `"`)))
	return nil
}

// The 32-bit numbers by which Slurm's plain form says "none" and "endless".
const noValue, endless = 0xfffffffe, 0xffffffff

// Maybe is a number in any of Number's forms that may be unset or endless: then it is not known.
type Maybe struct {
	V  Number
	OK bool
}

// UnmarshalJSON reads any of the forms.
func (m *Maybe) UnmarshalJSON(b []byte) error {
	*m = Maybe{}
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0, string(b) == "null", string(b) == "false":
		return nil
	case b[0] == '{':
		var o struct{ Set, Infinite bool }
		if err := json.Unmarshal(b, &o); err != nil {
			return err
		}
		if !o.Set || o.Infinite {
			return nil
		}
	}
	err := m.V.UnmarshalJSON(b)
	m.OK = err == nil && m.V != noValue && m.V != endless
	return err
}

// Flag is yes or no, as a word or as a number in any of Number's forms; OK: it was told.
type Flag struct{ V, OK bool }

// UnmarshalJSON reads any of the forms.
func (f *Flag) UnmarshalJSON(b []byte) error {
	*f = Flag{}
	switch string(bytes.TrimSpace(b)) {
	case "true", `"true"`:
		*f = Flag{true, true}
		return nil
	case "false", `"false"`:
		*f = Flag{false, true}
		return nil
	}
	var m Maybe
	if err := m.UnmarshalJSON(b); err != nil {
		return err
	}
	*f = Flag{m.OK && m.V != 0, m.OK}
	return nil
}

func whole(s string) int64 {
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		return v
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > -1e15 && f < 1e15 {
		return int64(f)
	}
	return 0
}

// Time returns the Unix seconds as a time; zero for none.
func (n Number) Time() time.Time {
	if n <= 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(n), 0).UTC()
}

// Count returns the number within what can be counted.
func (n Number) Count() int { return int(min(max(n, 0), 1<<31)) }

// Words is a list of names, or one name.
type Words []string

// UnmarshalJSON reads a list, one word, or null.
func (w *Words) UnmarshalJSON(b []byte) error {
	*w = nil
	b = bytes.TrimSpace(b)
	if len(b) == 0 || string(b) == "null" {
		return nil
	}
	if b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		if s != "" {
			*w = Words{s}
		}
		return nil
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*w = list
	return nil
}

// Object reads an object; each is called for every key and reads its value.
func Object(d *json.Decoder, each func(key string) error) error {
	if err := delim(d, '{'); err != nil {
		return err
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		k, ok := t.(string)
		if !ok {
			return fmt.Errorf("a key that is no text: %v", t)
		}
		if err := each(k); err != nil {
			return fmt.Errorf("%.40s: %w", k, err)
		}
	}
	return delim(d, '}')
}

// List reads a list, or null; each is called for every item and reads it.
func List(d *json.Decoder, each func(*json.Decoder) error) error {
	t, err := d.Token()
	if err != nil || t == nil { // null: nothing to list
		return err
	}
	if t != json.Delim('[') {
		return fmt.Errorf("%v where a list should be", t)
	}
	for i := 0; d.More(); i++ {
		if i == MostItems {
			return ErrTooLong
		}
		if err := each(d); err != nil {
			return err
		}
	}
	return delim(d, ']')
}

func delim(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	if t != want {
		return fmt.Errorf("%v where %v should be", t, want)
	}
	return nil
}
