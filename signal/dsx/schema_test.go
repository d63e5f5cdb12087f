package dsx

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// schemas are the JSON schemas of the published interface.
type schemas map[string]any

func loadSchemas(t *testing.T) schemas {
	t.Helper()
	const path = "../../../shared/specs/nvidia-dsx-flex-asyncapi.yaml"
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("../shared/specs/nvidia-dsx-flex-asyncapi.yaml is missing")
	}
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Schemas schemas `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Components.Schemas) < 20 {
		t.Fatalf("only %d schemas", len(doc.Components.Schemas))
	}
	return doc.Components.Schemas
}

// check returns what is wrong with a JSON text by the schema of that name.
func (s schemas) check(name string, raw []byte) []string {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return []string{err.Error()}
	}
	return s.value(name, map[string]any{"$ref": "#/components/schemas/" + name}, v)
}

func (s schemas) value(at string, schema map[string]any, v any) (wrong []string) {
	bad := func(format string, a ...any) { wrong = append(wrong, at+": "+fmt.Sprintf(format, a...)) }
	for key, want := range schema {
		switch key {
		case "$ref":
			name := strings.TrimPrefix(want.(string), "#/components/schemas/")
			to, ok := s[name].(map[string]any)
			if !ok {
				bad("no schema %s", name)
				continue
			}
			wrong = append(wrong, s.value(at, to, v)...)
		case "allOf":
			for _, part := range want.([]any) {
				wrong = append(wrong, s.value(at, part.(map[string]any), v)...)
			}
		case "oneOf":
			fit := 0
			for _, part := range want.([]any) {
				if len(s.value(at, part.(map[string]any), v)) == 0 {
					fit++
				}
			}
			if fit != 1 {
				bad("fits %d of oneOf", fit)
			}
		case "type":
			if got := typeOf(v); got != want && (want != "number" || got != "integer") {
				bad("%v is a %s, not a %v", v, got, want)
			}
		case "const":
			if v != want {
				bad("%v, not %v", v, want)
			}
		case "enum":
			if !slices.Contains(want.([]any), v) {
				bad("%v is not one of %v", v, want)
			}
		case "pattern":
			if text, ok := v.(string); ok && !regexp.MustCompile(want.(string)).MatchString(text) {
				bad("%q does not match %s", text, want)
			}
		case "format":
			if text, ok := v.(string); ok && !formed(want.(string), text) {
				bad("%q is no %s", text, want)
			}
		case "minimum":
			if n, ok := v.(float64); ok && n < number(want) {
				bad("%v is below %v", n, want)
			}
		case "minItems":
			if l, ok := v.([]any); ok && float64(len(l)) < number(want) {
				bad("%d items, fewer than %v", len(l), want)
			}
		case "required":
			for _, k := range want.([]any) {
				if m, ok := v.(map[string]any); ok && m[k.(string)] == nil {
					if _, there := m[k.(string)]; !there {
						bad("%v is missing", k)
					}
				}
			}
		case "properties", "additionalProperties", "items":
			wrong = append(wrong, s.parts(at, schema, key, v)...)
		case "description", "examples", "default":
		default:
			bad("the test does not know the keyword %s", key)
		}
	}
	return wrong
}

// parts checks what is inside an object or a list.
func (s schemas) parts(at string, schema map[string]any, key string, v any) (wrong []string) {
	inner, _ := schema[key].(map[string]any)
	m, _ := v.(map[string]any)
	switch key {
	case "properties":
		for k, part := range inner {
			if is, ok := m[k]; ok {
				wrong = append(wrong, s.value(at+"."+k, part.(map[string]any), is)...)
			}
		}
	case "additionalProperties":
		known, _ := schema["properties"].(map[string]any)
		for k, is := range m {
			if known[k] == nil {
				wrong = append(wrong, s.value(at+"."+k, inner, is)...)
			}
		}
	case "items":
		l, _ := v.([]any)
		for i, is := range l {
			wrong = append(wrong, s.value(fmt.Sprintf("%s[%d]", at, i), inner, is)...)
		}
	}
	return wrong
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

func formed(format, text string) bool {
	switch format {
	case "date-time":
		_, err := time.Parse(time.RFC3339Nano, text)
		return err == nil
	case "uuid":
		return regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(text)
	}
	return format == "double"
}

func number(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case uint64:
		return float64(v)
	case int64:
		return float64(v)
	}
	return math.Inf(1)
}

func TestTheSchemaCheckFindsFaults(t *testing.T) {
	s := loadSchemas(t)
	good := `{"targets":[{"interval":{"start_time":"2026-11-22T10:00:00Z"},"load_constraint":{"value":5,"unit":"megawatt"},"feed_tags":["a"]},{"interval":{},"load_constraint":null}]}`
	if wrong := s.check("SetLoadTargetData", []byte(good)); len(wrong) > 0 {
		t.Errorf("good: %q", wrong)
	}
	for bad, want := range map[string]string{
		`{}`:             "targets is missing",
		`{"targets":[]}`: "fewer",
		`{"targets":[{"interval":{},"load_constraint":{"value":-5,"unit":"megawatt"}}]}`:                             "oneOf",
		`{"targets":[{"interval":{"start_time":"noon"},"load_constraint":null}]}`:                                    "date-time",
		`{"targets":[{"load_constraint":null}]}`:                                                                     "interval is missing",
		`{"targets":[{"interval":{},"load_constraint":null,"feed_tags":[1]}]}`:                                       "not a string",
		`{"targets":[{"interval":{},"load_constraint":{"value":5,"unit":"megawatt"},"strategy":{"best_effort":1}}]}`: "not a boolean",
	} {
		if wrong := strings.Join(s.check("SetLoadTargetData", []byte(bad)), "\n"); !strings.Contains(wrong, want) {
			t.Errorf("%s: %q, want %q", bad, wrong, want)
		}
	}
}
