package mqtt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxPayload bounds a message in bytes; real ones have under 100.
const maxPayload = 4 << 10

// target is what a message asks for.
type target struct {
	percent float64   // of the flexible load that may run, 0 to 100
	at      time.Time // when it was said; zero where the message does not tell
}

// parse reads a message: {"target": 40, "timestamp": 1790000000}, or a bare number. Numbers
// may stand in quotes; a timestamp is RFC 3339, or seconds or milliseconds since 1970.
func parse(payload []byte) (target, error) {
	if len(payload) > maxPayload {
		return target{}, fmt.Errorf("it has more than %d bytes", maxPayload)
	}
	payload = bytes.TrimSpace(payload)
	if len(payload) == 0 {
		return target{}, errors.New("it is empty")
	}
	var out target
	var err error
	if payload[0] != '{' {
		out.percent, err = percent(payload)
		return out, err
	}
	var doc struct {
		Target    json.RawMessage `json:"target"`
		Timestamp json.RawMessage `json:"timestamp"`
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	if err := d.Decode(&doc); err != nil {
		return target{}, errors.New("it is not JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return target{}, errors.New("something follows the JSON object")
	}
	if missing(doc.Target) {
		return target{}, errors.New(`"target" is missing`)
	}
	if out.percent, err = percent(doc.Target); err != nil {
		return target{}, err
	}
	if !missing(doc.Timestamp) {
		out.at, err = timestamp(doc.Timestamp)
	}
	return out, err
}

func missing(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// text is a JSON number or string without its quotes; false for anything else.
func text(raw []byte) (string, bool) {
	switch {
	case len(raw) > 64:
		return "", false
	case raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return strings.TrimSpace(s), err == nil
	case raw[0] == '-' || raw[0] == '+' || raw[0] == '.' || raw[0] >= '0' && raw[0] <= '9':
		return string(raw), true
	}
	return "", false
}

func percent(raw []byte) (float64, error) {
	s, ok := text(raw)
	v, err := strconv.ParseFloat(s, 64)
	switch {
	case !ok || err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(v) || strings.ContainsAny(s, "xX_pP"):
		return 0, fmt.Errorf("target %s is not a number", show(raw))
	case v < 0 || v > 100:
		return 0, fmt.Errorf("target %s is not between 0 and 100", show(raw))
	}
	return v + 0, nil // no minus zero
}

func timestamp(raw []byte) (time.Time, error) {
	wrong := fmt.Errorf("timestamp %s is neither RFC 3339 nor seconds or milliseconds since 1970", show(raw))
	s, ok := text(raw)
	if !ok {
		return time.Time{}, wrong
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC(), nil
	}
	v, err := strconv.ParseFloat(s, 64)
	// Seconds stay under 1e11 until the year 5138; above that they are milliseconds.
	switch {
	case err != nil || math.IsNaN(v) || v < 1e8 || v >= 1e14:
		return time.Time{}, wrong
	case v >= 1e11:
		return time.UnixMilli(int64(v)).UTC(), nil
	}
	whole, part := math.Modf(v)
	return time.Unix(int64(whole), int64(part*1e3)*1e6).UTC(), nil
}

// show is a short, printable form of what was said, for a line to people.
func show(raw []byte) string {
	s := strings.ToValidUTF8(string(raw), "?")
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s), "")
}
