package facetest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDifferences(t *testing.T) {
	for _, c := range []struct {
		name, want, have string
		extra            []string
		found            []string
	}{
		{"same", `{"a":1,"b":["x"]}`, `{"b":["y","z"],"a":2.5}`, nil, nil},
		{"missing", `{"a":{"b":1}}`, `{"a":{}}`, nil, []string{"a.b: is missing"}},
		{"more", `{"a":1}`, `{"a":1,"b":1}`, nil, []string{"b: is not on the device"}},
		{"allowed", `{"a":1}`, `{"a":1,"b":1}`, []string{"b"}, nil},
		{"kind", `[{"a":1}]`, `[{"a":1},{"a":"1"}]`, nil, []string{"[].a: is a string, on the device a number"}},
		{"null", `{"a":null,"b":1}`, `{"a":1,"b":null}`, nil, nil},
		{"empty", `{"a":[1]}`, `{"a":[]}`, nil, []string{"a: is empty"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want, have any
			if json.Unmarshal([]byte(c.want), &want) != nil || json.Unmarshal([]byte(c.have), &have) != nil {
				t.Fatal("bad test")
			}
			if d := cmp.Diff(c.found, Differences(want, have, c.extra...)); d != "" {
				t.Error(d)
			}
		})
	}
}
