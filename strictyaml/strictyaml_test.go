package strictyaml

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type colour string

func (c *colour) UnmarshalText(b []byte) error {
	if s := string(b); s != "red" && s != "blue" {
		return fmt.Errorf("%q is not a colour; write it like %q", s, "red")
	}
	*c = colour(b)
	return nil
}

type inner struct {
	ID     string        `yaml:"id"`
	Colour colour        `yaml:"colour"`
	Every  time.Duration `yaml:"every"`
	Unit   uint8         `yaml:"unit"`
}

type outer struct {
	Name   string             `yaml:"name"`
	On     bool               `yaml:"on"`
	Offset int                `yaml:"offset"`
	Speed  float64            `yaml:"speed"`
	At     time.Time          `yaml:"at"`
	List   []inner            `yaml:"list"`
	Words  []string           `yaml:"words"`
	Ports  map[string]int     `yaml:"ports"`
	Part   *inner             `yaml:"part"`
	Parts  map[string]*inner  `yaml:"parts"`
	Shade  *colour            `yaml:"shade"`
	Deep   map[string]*outer  `yaml:"deep"`
	Shades map[colour]float64 `yaml:"shades"`
	Hidden string             `yaml:"-"`
}

func TestDecodeGood(t *testing.T) {
	const text = "\uFEFF# a comment\n" + `
name: 007
on: true
offset: -1_000
speed: 2.50
at: 2026-07-01T16:00:00+02:00
list:
  - {id: a, colour: red, every: 90s, unit: 255}
  - id: b
    colour: 'blue'
words: [10.0.0.1-10.0.0.9, "#", 'null', 1.10, "line\nbreak"]
ports:
  rpc: 4028
  "80": 80
part:
parts: {x: {id: "q"}}
shade: blue
shades: {red: 1}
`
	var got outer
	doc, faults := Decode("x.yaml", []byte(text), &got)
	if faults != nil {
		t.Fatalf("faults in a good file:\n%v", faults)
	}
	blue := colour("blue")
	want := outer{
		Name: "007", On: true, Offset: -1000, Speed: 2.5, At: time.Date(2026, 7, 1, 14, 0, 0, 0, time.UTC),
		List:  []inner{{ID: "a", Colour: "red", Every: 90 * time.Second, Unit: 255}, {ID: "b", Colour: "blue"}},
		Words: []string{"10.0.0.1-10.0.0.9", "#", "null", "1.10", "line\nbreak"},
		Ports: map[string]int{"rpc": 4028, "80": 80}, Parts: map[string]*inner{"x": {ID: "q"}}, Shade: &blue,
		Shades: map[colour]float64{"red": 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded otherwise than written (-want +got):\n%s", diff)
	}
	for path, want := range map[string][2]int{
		"name": {3, 1}, "list": {8, 1}, "list[0]": {9, 6}, "list[0].every": {9, 26}, "list[1].colour": {11, 5},
		"words[1]": {12, 28}, "ports.rpc": {14, 3}, "ports.80": {15, 3}, "list[1].every": {10, 5}, "nothing.here": {1, 1},
	} {
		if line, column := doc.At(path); line != want[0] || column != want[1] {
			t.Errorf("At(%q) = %d:%d, want %d:%d", path, line, column, want[0], want[1])
		}
	}
	if !doc.Has("part") || doc.Has("list[2]") || doc.Faulty("") {
		t.Error("Has or Faulty is wrong for a good file")
	}
}

func TestDecodeAllFaultsTogether(t *testing.T) {
	const text = `nmae: x
on: yes
offset: many
offset: 3
speed: "2"
at: tomorrow
list:
  - {id: a, color: red, colour: green}
  - every: 90
    unit: 256
words: hello
ports:
  rpc: {a: b}
  rpc: 4028
part: [1]
parts: {x: *y}
shade: !!str red
zebra: 1
name:
`
	var got outer
	doc, faults := Decode("x.yaml", []byte(text), &got)
	want := strings.Trim(`
x.yaml:1:1: nmae: unknown key "nmae"; did you mean "name"?
x.yaml:2:1: on: "yes" is not true or false; write true or false
x.yaml:3:1: offset: "many" is not a whole number that fits here
x.yaml:4:1: offset: the key stands twice, first on line 3; remove one of them
x.yaml:5:1: speed: there must be a number, not text; remove the quotes
x.yaml:6:1: at: "tomorrow" is not a time; write it like "2026-07-01T16:00:00Z"
x.yaml:8:13: list[0].color: unknown key "color"; did you mean "colour"?
x.yaml:8:25: list[0].colour: "green" is not a colour; write it like "red"
x.yaml:9:5: list[1].every: "90" is not a duration; write it like "90s", "15m" or "48h"
x.yaml:10:5: list[1].unit: "256" is not a whole number from 0 up that fits here
x.yaml:11:1: words: there must be a list, not "hello"; begin each item with "- " or put them in [ ]
x.yaml:13:3: ports.rpc: there must be one value, not keys with values
x.yaml:14:3: ports.rpc: the key stands twice, first on line 13; remove one of them
x.yaml:15:1: part: there must be keys with values, not a list
x.yaml:16:9: parts.x: anchors and aliases are not read; write the value out, or put it in quotes if & or * begins it
x.yaml:17:1: shade: tags are not read; remove the tag "!!str"
x.yaml:18:1: zebra: unknown key "zebra"; it can be one of name, on, offset, speed, at, list, words, ports, part, parts, shade, deep, shades
x.yaml:19:1: name: there is no value; give it a value or remove the key
`, "\n")
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(faults.Error(), "\n")); diff != "" {
		t.Errorf("faults differ (-want +got):\n%s", diff)
	}
	if !doc.Faulty("list[1]") || !doc.Faulty("list") || doc.Faulty("list[0].id") {
		t.Error("Faulty does not follow the faults")
	}
	if got.List[0].ID != "a" || len(got.List) != 2 {
		t.Errorf("what was sound was lost: %+v", got.List)
	}
}

func TestDecodeWholeFileFaults(t *testing.T) {
	many := "words:\n" + strings.Repeat("- a\n", MaxValues+5)
	for name, tc := range map[string]struct{ text, want string }{
		"syntax":      {"name: [a\non: true\n", "x.yaml:2:1: not YAML: ',' or ']' must be specified"},
		"indentation": {"name: a\n  on: true\n", "x.yaml:"},
		"tab":         {"part:\n\tid: a\n", "x.yaml:2:1: not YAML: "},
		"two":         {"name: a\n---\nname: b\n", `x.yaml:3:1: a second document starts here; one is read; remove the "---" line`},
		"not utf-8":   {"name: a\nwörds: \xff\n", "x.yaml:2:8: a byte here is not UTF-8 text; save the file as UTF-8"},
		"scalar":      {"hello", `x.yaml:1:1: there must be keys with values, not "hello"`},
		"list":        {"- a\n", "x.yaml:1:1: there must be keys with values, not a list"},
		"merge":       {"part:\n  <<: {id: a}\n", "x.yaml:2:3: part: a key must be plain text"},
		"flow depth":  {"words: " + strings.Repeat("[", 200_000), "x.yaml:1:40: values are nested deeper than the 32 levels allowed"},
		"line depth":  {strings.Repeat("- ", 200_000) + "a", "x.yaml:1:65: values are nested deeper than the 32 levels allowed"},
		"many values": {many, "the file holds more than the 20000 values allowed"},
		"size":        {strings.Repeat("#", MaxSize+1), "x.yaml:1:1: the file has 4194305 bytes, more than the 4194304 allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			var got outer
			_, faults := Decode("x.yaml", []byte(tc.text), &got)
			if len(faults) != 1 || !strings.Contains(faults.Error(), tc.want) {
				t.Errorf("faults = %.300v\nwant one with %q", faults, tc.want)
			}
		})
	}
	t.Run("block depth", func(t *testing.T) {
		var b strings.Builder
		for i := range 40 {
			fmt.Fprintf(&b, "%sdeep:\n%s a:\n", strings.Repeat(" ", 2*i), strings.Repeat(" ", 2*i))
		}
		var got outer
		if _, faults := Decode("x.yaml", []byte(b.String()), &got); len(faults) != 1 || !strings.Contains(faults.Error(), "nested deeper") {
			t.Errorf("faults = %v", faults)
		}
	})
	for _, empty := range []string{"", "# only a comment\n", "---\n", "null\n"} {
		if _, faults := Decode("x.yaml", []byte(empty), new(outer)); faults != nil {
			t.Errorf("%q gave %v", empty, faults)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range MaxFaults + 7 {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	_, faults := Decode("x.yaml", []byte(b.String()), new(outer))
	if len(faults) != MaxFaults+1 || faults[MaxFaults].Message != "and 7 more faults" {
		t.Errorf("%d faults, the last %q", len(faults), faults[len(faults)-1].Message)
	}
	if Faults(nil).Err() != nil {
		t.Error("no faults are an error")
	}
}

func TestNearest(t *testing.T) {
	allowed := []string{"antminer", "whatsminer", "braiins", "pool_fee", "to"}
	for word, want := range map[string]string{
		"antmine": "antminer", "Antminer": "antminer", "watsminer": "whatsminer", "brains": "braiins", "poolFee": "pool_fee",
		"pool-fee": "pool_fee", "zzz": "", "": "", "ot": "to", strings.Repeat("x", 100): "",
	} {
		if got := Nearest(word, allowed); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

// A key with one slip is suggested aright, whatever the slip.
func TestNearestFindsOneSlip(t *testing.T) {
	names := []string{"connection", "tenants", "nameplate", "credentials", "availability"}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "name")
		i := rapid.IntRange(0, len(name)-1).Draw(t, "i")
		c := string(rapid.ByteRange('a', 'z').Draw(t, "c"))
		slips := []string{name[:i] + name[i+1:], name[:i] + c + name[i:], name[:i] + c + name[i+1:]}
		slip := rapid.SampledFrom(slips).Draw(t, "slip")
		if got := Nearest(slip, names); got != name {
			t.Fatalf("Nearest(%q) = %q, want %q", slip, got, name)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("name: a\nlist:\n  - {id: a, colour: red}\n"))
	f.Add([]byte("part: &a {id: b}\nparts: {x: *a, <<: *a}\n"))
	f.Add([]byte("? [a]\n: b\n--- !!str\n- - -\n"))
	f.Add([]byte("a: |\n  x\n \ty: >-\n%YAML 1.2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v outer
		doc, faults := Decode("x.yaml", data, &v)
		for _, flt := range faults {
			if flt.Line < 1 || flt.Column < 1 || flt.Message == "" {
				t.Errorf("fault without a place or a message: %+v", flt)
			}
		}
		if doc.Faulty("") != (len(faults) > 0) {
			t.Error("Faulty disagrees with the faults")
		}
	})
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 10 * time.Second: "10s", time.Minute: "1m", 90 * time.Second: "1m30s", 20 * time.Minute: "20m",
		time.Hour: "1h", 90 * time.Minute: "1h30m", time.Hour + time.Second: "1h0m1s", 240 * time.Hour: "240h", -time.Minute: "-1m",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestDecodeShortForm(t *testing.T) {
	type sourced struct {
		Is     colour `yaml:"is,short"`
		Source string `yaml:"source"`
	}
	var v struct {
		Wall struct {
			A sourced   `yaml:"a"`
			B sourced   `yaml:"b"`
			C *sourced  `yaml:"c"`
			D []sourced `yaml:"d"`
		} `yaml:"wall"`
	}
	_, fs := Decode("f.yaml", []byte("wall:\n  a: red\n  b: {is: red, source: the painter}\n  c: red\n  d: [red, {is: red}]\n"), &v)
	if len(fs) > 0 {
		t.Fatal(fs)
	}
	if w := v.Wall; w.A.Is != "red" || w.B.Source != "the painter" || w.C == nil || w.C.Is != "red" || len(w.D) != 2 || w.D[0].Is != "red" {
		t.Errorf("read %+v", w)
	}
	for text, want := range map[string]string{
		"wall:\n  a: pink\n":                   "f.yaml:2:3: wall.a: ",
		"wall:\n  a: [red]\n":                  "f.yaml:2:3: wall.a: there must be one value, not a list",
		"wall:\n  b: {is: red, sauce: none}\n": "wall.b.sauce: unknown key",
	} {
		if _, fs := Decode("f.yaml", []byte(text), &v); len(fs) != 1 || !strings.Contains(fs[0].Error(), want) {
			t.Errorf("%q: %v, want %q", text, fs, want)
		}
	}
}
