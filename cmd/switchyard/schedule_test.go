package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The command line's own words reach schedule: times, powers, formats and exit codes.
func TestSchedule(t *testing.T) {
	r := env{}.run(t, "schedule", "testdata/site.yaml", "--at", "2026-07-01 10:00")
	r.wants(t, 0, []string{"Test Creek, Wed 2026-07-01 10:00 to Thu 22:00", "gap 0.", "s21", "acme"}, nil)
	r = env{}.run(t, "schedule", "testdata/site.yaml", "--at", "2026-07-01 10:00", "-o", "json", "--limit", "hall-a=0.1", "--tenant-draw", "acme=200kW")
	r.wants(t, 0, nil, nil)
	var out struct {
		Method string `json:"method"`
		Loads  []struct {
			Load   string     `json:"load"`
			PowerW []*float64 `json:"power_w"`
		} `json:"loads"`
	}
	if err := json.Unmarshal([]byte(r.out), &out); err != nil || out.Method == "" {
		t.Fatalf("%v: %s", err, r.out)
	}
	for _, l := range out.Loads {
		for i, w := range l.PowerW {
			if l.Load == "s21" && *w > 99_000 || l.Load == "acme" && *w != 200_000 {
				t.Errorf("step %d: %s draws %v W", i, l.Load, *w)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "plan.html")
	env{}.run(t, "schedule", "testdata/site.yaml", "-o", "html", "--out", file).wants(t, 0, nil, nil)
	if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), "</svg>") {
		t.Errorf("the page: %v", err)
	}
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"--at", "someday"}, 2, `"someday" is not a time`},
		{[]string{"--running", "half"}, 2, "choose all or none"},
		{[]string{"--hashprice", "0"}, 2, "--hashprice"},
		{[]string{"--limit", "hall-x=1"}, 3, `no node "hall-x"`},
		{[]string{"--tenant-draw", "nobody=1"}, 3, `no tenant "nobody"`},
		{[]string{"-o", "yaml"}, 2, "choose text or json or html"},
	} {
		env{}.run(t, append([]string{"schedule", "testdata/site.yaml"}, c.args...)...).wants(t, c.code, nil, []string{c.text})
	}
}
