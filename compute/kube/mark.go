package kube

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchyard/compute"
)

// The labels and annotations that the controller and the jobs know; a label is looked at first.
const (
	// NoteClass names the class of a job's work: a workload class of the site file, or firm, semi,
	// cap, pause, spot.
	NoteClass = "switchyard.io/class"
	// NoteSignal says how the job is asked for a checkpoint: SignalAnnotation, or TERM.
	NoteSignal = "switchyard.io/checkpoint-signal"
	// NoteDeadline is when the job should be done, RFC 3339.
	NoteDeadline = "switchyard.io/deadline"
	// NoteSaved is written by the job, on its Job or its pod: when it last saved its work, RFC 3339.
	NoteSaved = "switchyard.io/saved"
	// NoteRequested is written by the controller: since when the job is asked to save its work.
	NoteRequested = "switchyard.io/checkpoint-requested"
	// NoteBy is the mark of the controller: the acts of ours in force on the object. Who takes it
	// off takes the object over as it is.
	NoteBy = "switchyard.io/by"
	// NoteWas is what stood before the acts in NoteBy.
	NoteWas = "switchyard.io/was"
	// TaintKey is the taint of nodes whose power is to be taken.
	TaintKey = "switchyard.io/power-short"
	// SignalAnnotation asks for a checkpoint by NoteRequested; all else by terminating the pods.
	SignalAnnotation = "annotation"
)

// maxNote bounds an annotation of ours that is read back, in bytes.
const maxNote = 4 << 10

// What stands in the ClusterQueue's stopPolicy, weakest first.
const (
	policyNone  = "None"
	policyHold  = "Hold"
	policyDrain = "HoldAndDrain"
)

// knob is one field that acts change.
type knob string

const (
	knobPolicy  knob = "stopPolicy"
	knobActive  knob = "active"
	knobSuspend knob = "suspend"
	knobCordon  knob = "unschedulable"
	knobTaint   knob = "taint"
)

// verbs returns the acts that turn a knob.
func (k knob) verbs() []compute.Verb {
	switch k {
	case knobPolicy:
		return []compute.Verb{compute.Close, compute.Drain}
	case knobActive, knobSuspend:
		return []compute.Verb{compute.Stop}
	case knobCordon:
		return []compute.Verb{compute.Fence}
	}
	return []compute.Verb{compute.Off}
}

// want returns where a knob stands that stood at base, with these acts of ours in force. asked
// says that jobs are still saving their work.
func (k knob) want(base string, acts []compute.Verb, asked bool) string {
	has := func(v compute.Verb) bool { return slices.Contains(acts, v) }
	switch k {
	case knobPolicy:
		w := base
		if has(compute.Close) || has(compute.Drain) {
			w = stronger(w, policyHold)
		}
		if has(compute.Drain) && !asked {
			w = policyDrain
		}
		return w
	case knobActive:
		if has(compute.Stop) && !asked {
			return "false"
		}
	case knobSuspend:
		if has(compute.Stop) && !asked {
			return "true"
		}
	case knobCordon:
		if has(compute.Fence) {
			return "true"
		}
	case knobTaint:
		if has(compute.Off) {
			return "true"
		}
	}
	return base
}

func stronger(a, b string) string {
	order := []string{policyNone, policyHold, policyDrain}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// marks is what our annotations say of an object.
type marks struct {
	by    string
	was   string
	asked string // since when its jobs save their work, as written; empty: nobody is asked
}

// acts returns the acts of ours in force.
func (m marks) acts() []compute.Verb {
	if m.by == "" || len(m.by) > maxNote {
		return nil
	}
	var out []compute.Verb
	for v := range strings.SplitSeq(m.by, ",") {
		out = append(out, compute.Verb(strings.TrimSpace(v)))
	}
	return out
}

// base returns where a knob stood before ours.
func (m marks) base(k knob) (string, bool) {
	if len(m.was) > maxNote {
		return "", false
	}
	var was map[knob]string
	if json.Unmarshal([]byte(m.was), &was) != nil {
		return "", false
	}
	s, ok := was[k]
	return s, ok && k.valid(s)
}

// valid says whether a knob can stand there: what is read back was in others' reach.
func (k knob) valid(s string) bool {
	if k == knobPolicy {
		return s == policyNone || s == policyHold || s == policyDrain
	}
	return s == "true" || s == "false"
}

// with returns the marks with the acts and the base of one knob set.
func (m marks) with(k knob, acts []compute.Verb, base string) marks {
	slices.Sort(acts)
	names := make([]string, 0, len(acts))
	for _, a := range slices.Compact(acts) {
		names = append(names, string(a))
	}
	was := map[knob]string{}
	if len(m.was) <= maxNote {
		_ = json.Unmarshal([]byte(m.was), &was)
	}
	if was == nil {
		was = map[knob]string{}
	}
	mine := slices.ContainsFunc(k.verbs(), func(v compute.Verb) bool { return slices.Contains(acts, v) })
	if mine {
		was[k] = base
	} else {
		delete(was, k)
	}
	m.by, m.was = strings.Join(names, ","), ""
	if len(was) > 0 {
		b, _ := json.Marshal(was) // of strings: never an error
		m.was = string(b)
	}
	return m
}

// ours returns the acts of ours on one knob.
func (m marks) ours(k knob) []compute.Verb {
	var out []compute.Verb
	for _, a := range m.acts() {
		if slices.Contains(k.verbs(), a) {
			out = append(out, a)
		}
	}
	return out
}

// holds says that an act of ours is in force on a knob which stands at value: marked, and not
// turned by somebody else since.
func (m marks) holds(k knob, v compute.Verb, value string) bool {
	acts := m.ours(k)
	if !slices.Contains(acts, v) {
		return false
	}
	base, ok := m.base(k)
	return ok && k.want(base, acts, m.asked != "") == value
}

// change is what is to be written to an object; value and marks are as they should be.
type change struct {
	write bool
	value string
	marks marks
	saved time.Time // written to the object if not zero
	note  string    // what a person should know
}

// do decides what an act changes on an object whose knob stands at value. asked is the time to
// write where jobs are asked to save first, or empty where they are stopped at once.
func do(m marks, k knob, v compute.Verb, value, asked string) change {
	acts := m.ours(k)
	base, ok := m.base(k)
	if len(acts) == 0 || !ok || k.want(base, acts, m.asked != "") != value {
		base = value // never ours, or turned by somebody else since: theirs is what to go back to
	}
	if k.want(base, []compute.Verb{v}, false) == base {
		return change{value: value, marks: m} // it stands there already, by somebody else
	}
	others := slices.DeleteFunc(m.acts(), func(a compute.Verb) bool { return a == v })
	next := m.with(k, append(others, v), base)
	if v == compute.Stop || v == compute.Drain {
		next.asked = asked
	}
	want := k.want(base, next.ours(k), next.asked != "")
	return change{write: want != value || next != m, value: want, marks: next}
}

// undo decides what taking an act back changes. orig is where the knob stood as the caller's
// record says; what is marked on the object counts before it.
func undo(m marks, k knob, v compute.Verb, value, orig string) change {
	if !slices.Contains(m.ours(k), v) {
		c := change{value: value, marks: m}
		if orig != "" && orig != value {
			c.note = fmt.Sprintf("%s is %s by somebody else, not %s as before; left so", k, value, orig)
		}
		return c
	}
	base, ok := m.base(k)
	if !ok {
		base = orig
	}
	expected := k.want(base, m.ours(k), m.asked != "")
	rest := slices.DeleteFunc(m.acts(), func(a compute.Verb) bool { return a == v })
	next := m.with(k, rest, base)
	if v == compute.Stop || v == compute.Drain {
		next.asked = ""
	}
	c := change{write: true, value: k.want(base, next.ours(k), next.asked != ""), marks: next}
	if value != expected || !k.valid(base) {
		c.value = value
		c.note = fmt.Sprintf("%s is %s by somebody else since; left so", k, value)
	}
	return c
}

// parseTime reads a time that a job or we wrote; false if it is none.
func parseTime(s string) (time.Time, bool) {
	if s == "" || len(s) > 64 {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil && t.Year() > 1970 && t.Year() < 2200
}
