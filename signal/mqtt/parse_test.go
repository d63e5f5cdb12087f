package mqtt

import (
	"math"
	"strings"
	"testing"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

func TestParse(t *testing.T) {
	when := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	cases := map[string]struct {
		percent float64
		at      time.Time
	}{
		`{"target": 0, "timestamp": 1795341600}`:                            {0, when},
		`{"target":100,"timestamp":1795341600000}`:                          {100, when},
		`{"target":"40","timestamp":"1795341600"}`:                          {40, when},
		`{"target":37.5,"timestamp":1795341600.25}`:                         {37.5, when.Add(250 * time.Millisecond)},
		`{"target":1e1,"timestamp":"2026-11-22T11:00:00.5+01:00","x":[{}]}`: {10, when.Add(500 * time.Millisecond)},
		`{"target":50}`:                   {50, time.Time{}},
		`{"target":50,"timestamp":null}`:  {50, time.Time{}},
		`0`:                               {0, time.Time{}},
		" 100\n":                          {100, time.Time{}},
		`"62.5"`:                          {62.5, time.Time{}},
		`{"timestamp":0.1e10,"target":0}`: {0, time.Unix(1e9, 0)},
	}
	for in, want := range cases {
		got, err := parse([]byte(in))
		if err != nil || got.percent != want.percent || !got.at.Equal(want.at) {
			t.Errorf("%s: %v %v, %v", in, got.percent, got.at, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	cases := map[string]string{
		``:                              "empty",
		`  `:                            "empty",
		`on`:                            "not a number",
		`NaN`:                           "not a number",
		`+Inf`:                          "between 0 and 100",
		`-Inf`:                          "between 0 and 100",
		`0x10`:                          "not a number",
		`1_0`:                           "not a number",
		`true`:                          "not a number",
		`[0]`:                           "not a number",
		`-1`:                            "between 0 and 100",
		`101`:                           "between 0 and 100",
		`1e999`:                         "between 0 and 100",
		`-1e999`:                        "between 0 and 100",
		`{"target":NaN}`:                "not JSON",
		`{"target":`:                    "not JSON",
		`{"target":0} {"target":100}`:   "follows",
		`{}`:                            `"target" is missing`,
		`{"target":null}`:               `"target" is missing`,
		`{"target":{"a":1}}`:            "not a number",
		`{"target":"NaN"}`:              "not a number",
		`{"target":"fifty"}`:            "not a number",
		`{"target":""}`:                 "not a number",
		`{"target":-0.001}`:             "between 0 and 100",
		`{"target":100.5}`:              "between 0 and 100",
		`{"target":5,"timestamp":"x"}`:  "timestamp",
		`{"target":5,"timestamp":-1}`:   "timestamp",
		`{"target":5,"timestamp":17}`:   "timestamp",
		`{"target":5,"timestamp":1e15}`: "timestamp",
		`{"target":5,"timestamp":true}`: "timestamp",
		`{"target":5,"timestamp":"22.11.2026 10:00"}`:      "timestamp",
		"<!DOCTYPE html><html>":                            "not a number",
		strings.Repeat("9", 100):                           "not a number",
		strings.Repeat(" ", maxPayload) + "1":              "more than 4096 bytes",
		`{"target":"` + strings.Repeat("\x01", 200) + `"}`: "not JSON",
	}
	for in, want := range cases {
		got, err := parse([]byte(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, %v; want %q", in, got, err, want)
		} else if len(err.Error()) > 200 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q: not one short line: %q", in, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"target":0,"timestamp":1795341600}`, `{"target":"40","timestamp":"2026-11-22T11:00:00Z"}`, `100`, `"1"`, `{"target":1e400}`, `{"target":"\u0000"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parse(data)
		if err != nil {
			if len(err.Error()) > 200 {
				t.Fatalf("a long line: %q", err)
			}
			return
		}
		if !(got.percent >= 0 && got.percent <= 100) || math.Signbit(got.percent) {
			t.Fatalf("%q is taken for %v", data, got.percent)
		}
		if y := got.at.Year(); !got.at.IsZero() && (y < 0 || y > 9999) {
			t.Fatalf("%q is of the year %d", data, y)
		}
	})
}

func TestKilowatts(t *testing.T) {
	if kw := kilowatts(site.Some(180_360_720 * unit.Milliwatt)); kw == nil || *kw != 180.361 {
		t.Errorf("%v", kw)
	}
	if kilowatts(site.Opt[unit.Power]{}) != nil {
		t.Error("what is not known became a figure")
	}
}
