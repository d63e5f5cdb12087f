package openadr

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// identity is who we are for a VTN's targets.
type identity struct {
	old      bool // 3.0
	ven      string
	resource string
	targets  []string // of the site file
}

// target is one target, as type and value in 3.0 and as value alone in 3.1.
type target struct{ kind, value string }

// split reads a target of the site file for 3.0: "GROUP:north", or a group's name alone.
func split(s string) target {
	if kind, value, ok := strings.Cut(s, ":"); ok {
		return target{kind, value}
	}
	return target{"GROUP", s}
}

// queries are the filters that a list is asked for with: one in 3.1; in 3.0, where one query
// names one type, one for each type.
func (id *identity) queries() []url.Values {
	if len(id.targets) == 0 {
		return []url.Values{{}}
	}
	if !id.old {
		return []url.Values{{"targets": slices.Clone(id.targets)}}
	}
	var all []url.Values
	for _, s := range id.targets {
		t := split(s)
		i := slices.IndexFunc(all, func(v url.Values) bool { return v.Get("targetType") == t.kind })
		if i < 0 {
			all = append(all, url.Values{"targetType": {t.kind}})
			i = len(all) - 1
		}
		all[i].Add("targetValues", t.value)
	}
	return all
}

// ours says whether an object with these targets concerns us. One without targets concerns
// everybody. In 3.0 any VEN may read any event, so others' must be left out here.
func (id *identity) ours(raw json.RawMessage) bool {
	given, ok := id.read(raw)
	if !ok {
		return false // targeted at somebody in words that do not read
	}
	if len(given) == 0 {
		return true
	}
	if !id.old && len(id.targets) == 0 {
		return true // the VTN gives a VEN only what is granted to it
	}
	return slices.ContainsFunc(given, func(t target) bool {
		if id.old {
			return t.kind == "VEN_NAME" && t.value == id.ven || t.kind == "RESOURCE_NAME" && t.value == id.resource ||
				slices.ContainsFunc(id.targets, func(s string) bool { return split(s) == t })
		}
		return t.value == id.ven || t.value == id.resource || slices.Contains(id.targets, t.value)
	})
}

func (id *identity) read(raw json.RawMessage) ([]target, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, true
	}
	var out []target
	if !id.old {
		var values []string
		if json.Unmarshal(raw, &values) != nil {
			return nil, false
		}
		for _, v := range values {
			out = append(out, target{value: v})
		}
		return out, true
	}
	var maps []struct {
		Type   string `json:"type"`
		Values []any  `json:"values"`
	}
	if json.Unmarshal(raw, &maps) != nil {
		return nil, false
	}
	for _, m := range maps {
		for _, v := range m.Values {
			if s, ok := v.(string); ok {
				out = append(out, target{m.Type, s})
			}
		}
	}
	return out, true
}
