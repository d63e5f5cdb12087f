package slurm

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// word is what begins our part of a comment, up to the next blank.
const word = "switchyard:"

// part cuts our part out of a comment: its keys, and the rest of the comment as it was.
func part(comment string) (keys map[string]string, rest string) {
	if len(comment) > 64<<10 {
		return nil, comment
	}
	var others []string
	for _, f := range strings.Fields(comment) {
		body, ours := strings.CutPrefix(f, word)
		if !ours || keys != nil {
			others = append(others, f)
			continue
		}
		keys = make(map[string]string)
		for kv := range strings.SplitSeq(body, ",") {
			if k, v, ok := strings.Cut(kv, "="); ok && len(keys) < 32 {
				keys[strings.ToLower(k)] = v
			}
		}
	}
	return keys, strings.Join(others, " ")
}

// instant reads a time, "1795377280", "1795377280.25" or "2026-11-22T19:54:40Z"; zero if it is none.
func instant(s string) time.Time {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC()
	}
	sec, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(sec) || sec <= 0 || sec > 1<<40 {
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Round(sec * 1000))).UTC()
}

func instantText(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64)
}

// told is what a job said of itself in its comment.
func told(comment string) (saved time.Time, claims *compute.Claims) {
	keys, _ := part(comment)
	if keys == nil {
		return time.Time{}, nil
	}
	return instant(keys["saved"]), claimsOf(keys)
}

// claimsOf reads what a job says of its class. A kind of work alone says nothing: what else may be
// asked of such a job stands with its queue.
func claimsOf(keys map[string]string) *compute.Claims {
	c := compute.Claims{Class: keys["class"]}
	if c.Class == "" {
		return nil
	}
	c.Class = c.Class[:min(len(c.Class), 128)]
	var kind compute.Class
	named := kind.UnmarshalText([]byte(c.Class)) != nil // a class of the site file, or of nobody
	for k, into := range map[string]*site.Opt[time.Duration]{
		"pause": &c.Pause, "per": &c.Per, "notice": &c.Notice, "min_run": &c.MinRun,
		"restart": &c.Restart, "takes": &c.Takes, "every": &c.Every,
	} {
		if d, err := time.ParseDuration(keys[k]); err == nil && d >= 0 {
			*into, named = site.Some(d), true
		}
	}
	if p, err := strconv.ParseFloat(strings.TrimSuffix(keys["slowdown"], "%"), 64); err == nil && p >= 0 && p < 100 {
		c.Slowdown, named = site.Some(unit.Ratio(p/100)), true
	}
	if s := keys["signal"]; validSignal(s) {
		c.Signal, named = s, true
	}
	if !named {
		return nil
	}
	return &c
}

// savedOf returns when a job last saved its work, machine time, if it ever told.
func savedOf(j job) site.Opt[time.Time] {
	if t, _ := told(j.Comment); !t.IsZero() {
		return site.Some(t)
	}
	return site.Opt[time.Time]{}
}

// marker is what we wrote into a job's AdminComment, so that a later process of ours, and any
// person, sees what was begun. Times are the machine's.
type marker struct {
	Asked, Until time.Time // a checkpoint was asked for, and it may take until then
	Had          time.Time // when the work was last saved before that
	Paused       time.Time // the job was told to stop
	By           []string  // the acts that hold it: "stop", "drain"
}

func readMarker(adminComment string) marker {
	keys, _ := part(adminComment)
	m := marker{
		Asked: instant(keys["asked"]), Until: instant(keys["until"]),
		Had: instant(keys["had"]), Paused: instant(keys["paused"]),
	}
	if m.Asked.IsZero() {
		m.Until, m.Had = time.Time{}, time.Time{}
	}
	for by := range strings.SplitSeq(keys["by"], "+") {
		if (by == byStop || by == byDrain) && !slices.Contains(m.By, by) {
			m.By = append(m.By, by)
		}
	}
	return m
}

const byStop, byDrain = "stop", "drain"

// write returns the AdminComment with the marker in it, or without one if it is empty, and all
// else that stood there.
func (m marker) write(adminComment string) string {
	_, rest := part(adminComment)
	if len(m.By) == 0 {
		return rest
	}
	s := word + "by=" + strings.Join(m.By, "+")
	if !m.Asked.IsZero() {
		s += ",asked=" + instantText(m.Asked) + ",until=" + instantText(m.Until) + ",had=" + instantText(m.Had)
	}
	if !m.Paused.IsZero() {
		s += ",paused=" + instantText(m.Paused)
	}
	return strings.TrimSpace(s + " " + rest)
}

func (m marker) paused() bool { return !m.Paused.IsZero() && len(m.By) > 0 }

// inForce says that the marker is of the job's present run, and not left from an earlier one.
func (m marker) inForce(j job) bool {
	at := m.Asked
	if m.Paused.After(at) {
		at = m.Paused
	}
	return len(m.By) > 0 && !at.IsZero() && !at.Before(j.Started)
}

// savedSince says that the job saved its work after it was asked to.
func (m marker) savedSince(saved site.Opt[time.Time]) bool {
	return saved.OK && !m.Asked.IsZero() && saved.V.After(m.Had) && !saved.V.Before(m.Asked.Truncate(time.Second))
}

func (m marker) with(by string) marker {
	if !slices.Contains(m.By, by) {
		m.By = append(slices.Clone(m.By), by)
	}
	return m
}

func (m marker) without(by string) marker {
	m.By = slices.DeleteFunc(slices.Clone(m.By), func(s string) bool { return s == by })
	return m
}

// validSignal says that a signal's name may be given to Slurm: "USR1", "B:TERM", "10".
func validSignal(s string) bool {
	_, name := aim(s)
	if name == "" || len(name) > 12 {
		return false
	}
	for _, r := range name {
		if (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '+' {
			return false
		}
	}
	return name != "KILL" && name != "STOP" && name != "9" && name != "19"
}

// aim splits a signal into whom it goes to and its name: "B:USR1" is for the batch script alone
// and "S:USR1" for the job's steps; without either it goes to all of the job's processes.
func aim(s string) (whom byte, name string) {
	if len(s) > 2 && s[1] == ':' && (s[0] == 'B' || s[0] == 'S') {
		return s[0], strings.TrimPrefix(s[2:], "SIG")
	}
	return 0, strings.TrimPrefix(s, "SIG")
}
