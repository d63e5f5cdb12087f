package vtn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"
)

// problem is an answer that is not a success.
type problem struct {
	status int
	detail string
}

func bad(format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// form is the JSON type that a property must have.
type form func(v any) bool

func isText(v any) bool { s, ok := v.(string); return ok && s != "" && len(s) <= 128 }
func isWord(v any) bool { _, ok := v.(string); return ok || v == nil }
func isList(v any) bool { _, ok := v.([]any); return ok || v == nil }
func isMap(v any) bool  { _, ok := v.(map[string]any); return ok || v == nil }
func isWhole(v any) bool {
	n, ok := v.(json.Number)
	if !ok {
		return v == nil
	}
	_, err := n.Int64()
	return err == nil
}

func isNatural(v any) bool {
	n, ok := v.(json.Number)
	if !ok {
		return v == nil
	}
	i, err := n.Int64()
	return err == nil && i >= 0
}

func isID(v any) bool {
	s, ok := v.(string)
	return ok && s != "" && len(s) <= 128 && regexp.MustCompile(`^[a-zA-Z0-9_-]*$`).MatchString(s)
}

func isDuration(v any) bool {
	if v == nil {
		return true
	}
	s, ok := v.(string)
	return ok && durations().MatchString(s)
}

// durations is the specification's own pattern, with the lookahead written out.
func durations() *regexp.Regexp {
	return regexp.MustCompile(`^(-?)P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)([DW]))?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)
}

func isTime(v any) bool {
	if v == nil {
		return true
	}
	s, ok := v.(string)
	_, err := time.Parse(time.RFC3339Nano, s)
	return ok && err == nil
}

// shape is what the properties of an object must be; needed ones must be there.
type shape struct {
	needed, other map[string]form
}

func (s shape) check(where string, o Object) *problem {
	for name, f := range s.needed {
		v, ok := o[name]
		if !ok || v == nil {
			return bad("%s: %s is missing", where, name)
		}
		if !f(v) {
			return bad("%s: %s is not what it should be", where, name)
		}
	}
	for name, f := range s.other {
		if v, ok := o[name]; ok && !f(v) {
			return bad("%s: %s is not what it should be", where, name)
		}
	}
	return nil
}

func (v *VTN) shapeOf(k Kind) shape {
	switch k {
	case Program:
		return shape{map[string]form{"programName": isText}, map[string]form{"intervalPeriod": isMap, "payloadDescriptors": isList, "targets": isList}}
	case Event:
		s := shape{map[string]form{"programID": isID}, map[string]form{
			"eventName": isWord, "duration": isDuration, "priority": isNatural, "targets": isList,
			"reportDescriptors": isList, "payloadDescriptors": isList, "intervalPeriod": isMap, "intervals": isList,
		}}
		if v.old {
			s.needed["intervals"] = isList
		}
		return s
	case Report:
		s := shape{
			map[string]form{"eventID": isID, "clientName": isText, "resources": isList},
			map[string]form{"reportName": isWord, "payloadDescriptors": isList},
		}
		if v.old {
			s.needed["programID"] = isID
		}
		return s
	case Subscription:
		s := shape{map[string]form{"clientName": isText, "objectOperations": isList}, map[string]form{"targets": isList}}
		if v.old {
			s.needed["programID"] = isID
		} else {
			s.other["programID"] = isID
		}
		return s
	case VEN:
		return shape{map[string]form{"venName": isText}, map[string]form{"attributes": isList, "targets": isList}}
	default:
		s := shape{map[string]form{"resourceName": isText}, map[string]form{"attributes": isList, "targets": isList}}
		if !v.old {
			s.needed["venID"] = isID
		}
		return s
	}
}

// checkLocked says what is wrong with an object that is to be kept; nil when nothing is.
func (v *VTN) checkLocked(k Kind, o Object) *problem {
	if err := v.shapeOf(k).check(string(k), o); err != nil {
		return err
	}
	for _, p := range v.parts(k, o) {
		if err := p.shape.check(p.where, p.o); err != nil {
			return err
		}
	}
	if !v.old && k != Subscription {
		for _, t := range asList(o["targets"]) {
			if !isText(t) {
				return bad("%s: targets are strings", k)
			}
		}
	}
	refs := map[string]Kind{"programID": Program, "eventID": Event, "venID": VEN}
	for name, to := range refs {
		if id, ok := o[name].(string); ok && v.store.get(to, id) == nil {
			return &problem{http.StatusNotFound, fmt.Sprintf("%s: there is no %s %s", k, name, id)}
		}
	}
	return v.uniqueLocked(k, o)
}

// uniqueLocked refuses a second object of a name that must be unique.
func (v *VTN) uniqueLocked(k Kind, o Object) *problem {
	name := map[Kind]string{Program: "programName", VEN: "venName", Resource: "resourceName"}[k]
	if name == "" {
		return nil
	}
	for _, x := range v.store[k] {
		if x[name] == o[name] && x["id"] != o["id"] && (k != Resource || x["venID"] == o["venID"]) {
			status := http.StatusConflict
			if k == VEN && !v.old { // for which 3.1 lists no 409
				status = http.StatusBadRequest
			}
			return &problem{status, fmt.Sprintf("%s: %s %v is taken", k, name, o[name])}
		}
	}
	return nil
}

// part is an object within an object.
type part struct {
	where string
	o     Object
	shape shape
}

func (v *VTN) parts(k Kind, o Object) []part {
	var out []part
	add := func(where string, x any, s shape) {
		m, _ := x.(map[string]any) // what is no object lacks all its properties
		out = append(out, part{where, m, s})
	}
	times := func(where string, x any) {
		if x != nil {
			s := shape{nil, map[string]form{"start": isTime, "duration": isDuration, "randomizeStart": isDuration}}
			if v.old {
				s.needed = map[string]form{"start": isTime}
			}
			add(where+".intervalPeriod", x, s)
		}
	}
	intervals := func(where string, list any) {
		for i, x := range asList(list) {
			at := fmt.Sprintf("%s.intervals[%d]", where, i)
			add(at, x, shape{map[string]form{"id": isWhole, "payloads": isList}, map[string]form{"intervalPeriod": isMap}})
			m, _ := x.(map[string]any)
			times(at, m["intervalPeriod"])
			for j, p := range asList(m["payloads"]) {
				add(fmt.Sprintf("%s.payloads[%d]", at, j), p, shape{map[string]form{"type": isText, "values": isList}, nil})
			}
		}
	}
	switch k {
	case Event:
		times("EVENT", o["intervalPeriod"])
		intervals("EVENT", o["intervals"])
		for i, d := range asList(o["reportDescriptors"]) {
			add(fmt.Sprintf("EVENT.reportDescriptors[%d]", i), d, shape{
				map[string]form{"payloadType": isText},
				map[string]form{"startInterval": isWhole, "numIntervals": isWhole, "frequency": isWhole, "repeat": isWhole},
			})
		}
	case Report:
		for i, r := range asList(o["resources"]) {
			at := fmt.Sprintf("REPORT.resources[%d]", i)
			add(at, r, shape{map[string]form{"resourceName": isText, "intervals": isList}, nil})
			m, _ := r.(map[string]any)
			intervals(at, m["intervals"])
		}
	case Subscription:
		for i, x := range asList(o["objectOperations"]) {
			add(fmt.Sprintf("SUBSCRIPTION.objectOperations[%d]", i), x,
				shape{map[string]form{"objects": isList, "operations": isList, "callbackUrl": isAddress}, map[string]form{"bearerToken": isWord}})
		}
	}
	return out
}

func isAddress(v any) bool {
	s, ok := v.(string)
	u, err := url.Parse(s)
	return ok && err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

func asList(v any) []any {
	l, _ := v.([]any)
	return l
}

func texts(v any) []string {
	var out []string
	for _, x := range asList(v) {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func decode(b []byte) (Object, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var o Object
	if err := d.Decode(&o); err != nil {
		return nil, err
	}
	return o, nil
}

// matches says whether an object has one of the targets of 3.0's query.
func matches(o Object, kind string, values []string) bool {
	return slices.ContainsFunc(asList(o["targets"]), func(t any) bool {
		m, _ := t.(map[string]any)
		return m["type"] == kind && slices.ContainsFunc(texts(m["values"]), func(s string) bool { return slices.Contains(values, s) })
	})
}
