package event

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// What bounds a VTN's words. A whole day of five-minute prices is 288 intervals.
const (
	maxEventBytes = 1 << 20
	maxIntervals  = 5000
	maxPayloads   = 64
	maxValues     = 1500
)

// Lowest is the priority of an event that has none.
const Lowest = math.MaxInt32

type period struct {
	Start    *string `json:"start"`
	Duration *string `json:"duration"`
	Random   *string `json:"randomizeStart"`
}

type payload struct {
	Type   string            `json:"type"`
	Values []json.RawMessage `json:"values"`
}

type interval struct {
	ID       *json.Number `json:"id"`
	Period   *period      `json:"intervalPeriod"`
	Payloads []payload    `json:"payloads"`
}

// Descriptor says in which unit and currency the values of a payload type are.
type Descriptor struct {
	Type     string  `json:"payloadType"`
	Units    *string `json:"units"`
	Currency *string `json:"currency"`
}

// ReportDescriptor asks for a report.
type ReportDescriptor struct {
	Type       string          `json:"payloadType"`
	Reading    *string         `json:"readingType"`
	Units      *string         `json:"units"`
	Targets    json.RawMessage `json:"targets"`
	Aggregate  *bool           `json:"aggregate"`
	Start      *int            `json:"startInterval"`
	Num        *int            `json:"numIntervals"`
	Historical *bool           `json:"historical"`
	Frequency  *int            `json:"frequency"`
	Repeat     *int            `json:"repeat"`
}

// Event is an event as the VTN wrote it. 3.0 and 3.1 differ in its targets only.
type Event struct {
	ID          string             `json:"id"`
	Created     *string            `json:"createdDateTime"`
	Modified    *string            `json:"modificationDateTime"`
	ProgramID   string             `json:"programID"`
	Name        *string            `json:"eventName"`
	Duration    *string            `json:"duration"`
	Priority    *json.Number       `json:"priority"`
	Targets     json.RawMessage    `json:"targets"`
	Reports     []ReportDescriptor `json:"reportDescriptors"`
	Descriptors []Descriptor       `json:"payloadDescriptors"`
	Period      *period            `json:"intervalPeriod"`
	Intervals   []interval         `json:"intervals"`
}

// Parse reads one event and checks its shape, not its meaning.
func Parse(raw []byte) (*Event, error) {
	if len(raw) > maxEventBytes {
		return nil, fmt.Errorf("it has %d bytes, %d is the most", len(raw), maxEventBytes)
	}
	var e Event
	if err := json.Unmarshal(raw, &e); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return &e, fmt.Errorf("it does not read as an event: %s is a %s", cmp.Or(kind.Field, "all of it"), kind.Value)
		}
		return &e, fmt.Errorf("it does not read as an event: %s", Plain(err.Error(), 160))
	}
	if !ValidID(e.ID) {
		return &e, errors.New("it has no id of letters, digits, _ and -")
	}
	if len(e.Intervals) > maxIntervals {
		return &e, fmt.Errorf("it has %d intervals, %d is the most", len(e.Intervals), maxIntervals)
	}
	for i, iv := range e.Intervals {
		if len(iv.Payloads) > maxPayloads {
			return &e, fmt.Errorf("interval %d has %d payloads, %d is the most", i, len(iv.Payloads), maxPayloads)
		}
		for _, p := range iv.Payloads {
			if len(p.Values) > maxValues {
				return &e, fmt.Errorf("interval %d has %d values, %d is the most", i, len(p.Values), maxValues)
			}
		}
	}
	return &e, nil
}

// ValidID says whether s is an object's id by the specification's pattern. Ids go into
// paths of addresses, so nothing else may pass.
func ValidID(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func (e *Event) priority() (int, error) {
	if e.Priority == nil {
		return Lowest, nil
	}
	f, err := strconv.ParseFloat(e.Priority.String(), 64)
	if err != nil || f != math.Trunc(f) || f < 0 {
		return 0, fmt.Errorf("priority %s is not a whole number from 0", Quote(e.Priority.String()))
	}
	return int(min(f, Lowest)), nil
}

// number returns the interval's own number, or its place when it has none.
func (iv *interval) number(place int) int64 {
	if iv.ID != nil {
		if n, err := strconv.ParseInt(iv.ID.String(), 10, 64); err == nil {
			return n
		}
	}
	return int64(place)
}

// units returns the unit and the currency of a payload type: the event's Descriptor, else
// the program's.
func (e *Event) units(of string, defaults []Descriptor) (units, currency string) {
	for _, list := range [][]Descriptor{e.Descriptors, defaults} {
		for _, d := range list {
			if d.Type == of {
				return Text(d.Units), Text(d.Currency)
			}
		}
	}
	return "", ""
}

// Text is the string that may be missing; then it is empty.
func Text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// numberOf reads a value that must be a number. NaN and infinities do not come this far: they
// are no JSON and were read as null.
func numberOf(raw json.RawMessage) (float64, error) {
	s := string(bytes.TrimSpace(raw))
	switch {
	case s == "" || s == "null":
		return 0, errors.New("the value is null or not a number")
	case s[0] == '"' || s[0] == '{' || s[0] == '[' || s == "true" || s == "false":
		return 0, fmt.Errorf("the value %s is not a number", Quote(s))
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("the value %s is not a number", Quote(s))
	}
	return f, nil
}

// textOf reads a value that should be a string, for people.
func textOf(values []json.RawMessage) string {
	if len(values) == 0 {
		return ""
	}
	var s string
	if json.Unmarshal(values[0], &s) != nil {
		s = string(values[0])
	}
	return Plain(s, 160)
}

// Repair replaces the words NaN, Infinity and -Infinity outside strings by null: some VTNs
// write them though JSON has no such words, and one of them must not hide all other events.
func Repair(b []byte) []byte {
	out := make([]byte, 0, len(b))
	inside, escaped := false, false
	for i := 0; i < len(b); {
		c := b[i]
		if inside {
			inside = escaped || c != '"'
			escaped = c == '\\' && !escaped
			out = append(out, c)
			i++
			continue
		}
		n := 0
		for _, word := range []string{"NaN", "-NaN", "Infinity", "-Infinity"} {
			if bytes.HasPrefix(b[i:], []byte(word)) {
				n = len(word)
			}
		}
		if n > 0 {
			out = append(out, "null"...)
			i += n
			continue
		}
		inside = c == '"'
		out = append(out, c)
		i++
	}
	return out
}

// List reads an answer that must be a list, each entry by itself so that one that cannot be
// read does not hide the others.
func List(body []byte) ([]json.RawMessage, error) {
	var all []json.RawMessage
	err := json.Unmarshal(body, &all)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		err = json.Unmarshal(Repair(body), &all)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer is not a list: %s", Plain(err.Error(), 160))
	case all == nil:
		return nil, errors.New("the answer is null, not a list")
	}
	return all, nil
}
