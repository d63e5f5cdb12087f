package dsx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"switchyard/unit"
)

const (
	maxTargets = 64 // of one command
	maxTags    = 64 // of one target
	mostWatts  = 100e9
	farOff     = 366 * 24 * time.Hour
	latePast   = time.Minute // a start that lies no longer ago needs no word
)

// request is one load target as it was asked for. A zero From is now, a zero To is until replaced.
type request struct {
	feeds    []string // empty: all
	clear    bool     // no constraint: what holds there ends
	power    unit.Power
	from, to time.Time
	best     bool
}

type wireConstraint struct {
	Value *float64 `json:"value"`
	Unit  *string  `json:"unit"`
}

type wireTarget struct {
	Interval *struct {
		Start *string `json:"start_time"`
		End   *string `json:"end_time"`
	} `json:"interval"`
	Feeds      []string        `json:"feed_tags"`
	Constraint json.RawMessage `json:"load_constraint"`
	Strategy   *struct {
		BestEffort bool `json:"best_effort"`
	} `json:"strategy"`
}

// readTargets reads verified data. One bad target refuses the whole command: half of what was
// asked for is not what was asked for.
func readTargets(data []byte, now time.Time) ([]request, error) {
	var doc struct {
		Targets []wireTarget `json:"targets"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("its data is not a load target: %w", plain(err))
	}
	switch n := len(doc.Targets); {
	case n == 0:
		return nil, errors.New("its data names no target")
	case n > maxTargets:
		return nil, fmt.Errorf("its data names more than %d targets", maxTargets)
	}
	var out []request
	var wrong []string
	for i, w := range doc.Targets {
		r, err := w.read(now)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("target %d: %v", i+1, err))
			continue
		}
		out = append(out, r)
	}
	if len(wrong) > 0 {
		return nil, errors.New(strings.Join(wrong, "; "))
	}
	return out, nil
}

func (w wireTarget) read(now time.Time) (request, error) {
	r := request{feeds: w.Feeds, best: w.Strategy != nil && w.Strategy.BestEffort}
	var err error
	if w.Interval == nil {
		return r, errors.New("interval is missing")
	}
	if len(w.Feeds) > maxTags {
		return r, fmt.Errorf("more than %d feed tags", maxTags)
	}
	if r.from, err = clock("start_time", w.Interval.Start); err != nil {
		return r, err
	}
	if r.to, err = clock("end_time", w.Interval.End); err != nil {
		return r, err
	}
	begin := r.from
	if begin.IsZero() {
		begin = now
	}
	switch {
	case begin.Sub(now) > farOff:
		return r, fmt.Errorf("it begins at %s, more than a year from now", iso(r.from))
	case r.to.IsZero():
	case !r.from.IsZero() && !r.to.After(r.from):
		return r, fmt.Errorf("it ends at %s, not after it begins at %s", iso(r.to), iso(r.from))
	case !r.to.After(now):
		return r, fmt.Errorf("it ended at %s, before it came", iso(r.to))
	}
	switch raw := bytes.TrimSpace(w.Constraint); {
	case len(raw) == 0:
		return r, errors.New("load_constraint is missing (null takes a target back)")
	case string(raw) == "null":
		r.clear = true
		return r, nil
	}
	r.power, err = power(w.Constraint)
	return r, err
}

func clock(name string, s *string) (time.Time, error) {
	if s == nil {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, *s)
	if err != nil || t.Year() < 1970 || t.Year() > 9998 {
		return time.Time{}, fmt.Errorf("%s is %s, not an ISO 8601 time", name, show(*s))
	}
	return t.UTC(), nil
}

func power(raw json.RawMessage) (unit.Power, error) {
	var c wireConstraint
	if err := json.Unmarshal(raw, &c); err != nil {
		return 0, fmt.Errorf("load_constraint is no value with a unit: %w", plain(err))
	}
	if c.Value == nil || c.Unit == nil {
		return 0, errors.New("load_constraint lacks its value or unit")
	}
	factor, ok := map[string]float64{"watt": 1, "kilowatt": 1e3, "megawatt": 1e6}[*c.Unit]
	watts := *c.Value * factor
	switch {
	case !ok:
		return 0, fmt.Errorf("the unit is %s, not watt, kilowatt or megawatt", show(*c.Unit))
	case math.IsNaN(watts) || watts < 0:
		return 0, fmt.Errorf("%g %s is below 0", *c.Value, *c.Unit)
	case watts > mostWatts:
		return 0, fmt.Errorf("%g %s is more than any site draws", *c.Value, *c.Unit)
	}
	return unit.Watts(watts), nil
}
