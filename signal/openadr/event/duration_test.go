package event

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestSpans(t *testing.T) {
	for text, want := range map[string]string{
		"PT1H":             "2026-03-01T13:00:00Z",
		"PT0S":             "2026-03-01T12:00:00Z",
		"":                 "2026-03-01T12:00:00Z",
		"P1D":              "2026-03-02T12:00:00Z",
		"P2W":              "2026-03-15T12:00:00Z",
		"P1M":              "2026-04-01T12:00:00Z",
		"P1Y2M3DT4H5M6S":   "2027-05-04T16:05:06Z",
		"PT1.5S":           "2026-03-01T12:00:01.5Z",
		"PT0.000000001S":   "2026-03-01T12:00:00.000000001Z",
		"-PT5M":            "2026-03-01T11:55:00Z",
		"PT90M":            "2026-03-01T13:30:00Z",
		"P9999Y":           "never",
		"P999999999999Y":   "never",
		"P12000M":          "never",
		"PT9999999999999H": "never",
	} {
		d, err := parseSpan(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := "never"
		if at := d.after(noon); !at.IsZero() {
			got = at.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q after noon is %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"P", "PT", "1H", "PT1", "PTH", "P1H", "PT1D", "PT1H1H", "PT1M1H", "PT1.5H", "PT.5S", "PT1.S", "PT1..5S", "pt1h", "P1DT", " PT1H", "PT1H ", "P-1D", strings.Repeat("P", 100)} {
		if d, err := parseSpan(text); err == nil {
			t.Errorf("%q was read as %+v", text, d)
		}
	}
}

func TestTimes(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-01T12:00:00Z":      "2026-03-01T12:00:00Z",
		"2026-03-01T13:00:00+01:00": "2026-03-01T12:00:00Z",
		"2026-03-01T12:00:00.25Z":   "2026-03-01T12:00:00.25Z",
		"0001-01-01T00:00:00Z":      "now",
		"0001-01-01T00:00:00":       "now",
		"0001-01-01":                "now",
		"0000-00-00":                "now",
		"2026-03-01":                "error",
		"2026-03-01T12:00:00":       "error",
		"12:00":                     "error",
		"0300-01-01T00:00:00Z":      "error",
		"9999-01-01T00:00:00Z":      "error",
		"":                          "error",
	} {
		at, now, err := parseTime(text)
		got := at.Format(time.RFC3339Nano)
		switch {
		case err != nil:
			got = "error"
		case now:
			got = "now"
		}
		if got != want {
			t.Errorf("%q is %s (%v), want %s", text, got, err, want)
		}
	}
}

func FuzzSpan(f *testing.F) {
	for _, s := range []string{"PT1H", "P9999Y", "-P1Y2M3DT4H5M6.789S", "P", "PT0S", "P99999999999W", "PT292Y", "P250Y", "PT2191500H131490000M999999999S"} {
		f.Add(s)
	}
	// The specification's pattern, its lookahead written out below.
	pattern := regexp.MustCompile(`^(-?)P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)([DW]))?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseSpan(s)
		if legal := pattern.MatchString(s) && !strings.HasSuffix(s, "P") && !strings.HasSuffix(s, "T") && len(s) <= 64; legal && err != nil {
			t.Fatalf("%q is by the pattern and refused: %v", s, err)
		}
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("an error of several lines: %q", err)
			}
			return
		}
		if d.length() < 0 {
			t.Fatalf("%q has the length %s", s, d.length())
		}
		if at := d.after(noon); !at.IsZero() && !d.negative && at.Before(noon) {
			t.Fatalf("%q after noon is %s", s, at)
		}
		if at := d.after(noon); d.negative && at.After(noon) {
			t.Fatalf("%q after noon is %s", s, at)
		}
	})
}
