package cluster

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNames(t *testing.T) {
	for list, want := range map[string][]string{
		"gpu1":                {"gpu1"},
		"a,b":                 {"a", "b"},
		" a , b ":             {"a", "b"},
		"gpu[1-3]":            {"gpu1", "gpu2", "gpu3"},
		"gpu[08-11]":          {"gpu08", "gpu09", "gpu10", "gpu11"},
		"gpu[1,3-4]x,y":       {"gpu1x", "gpu3x", "gpu4x", "y"},
		"r[01-02]n[1-2].hall": {"r01n1.hall", "r01n2.hall", "r02n1.hall", "r02n2.hall"},
	} {
		got, err := Names(list)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", list, err, diff)
		}
	}
	for list, says := range map[string]string{
		"":                           "empty entry",
		"a,,b":                       "empty entry",
		"gpu[1-4":                    "a bracket that nothing closes",
		"gpu1-4]":                    "a bracket that nothing opens",
		"gpu[[1]]":                   "a bracket inside brackets",
		"gpu[4-1]":                   "runs backwards",
		"gpu[01-100]":                "in two ways",
		"gpu[]":                      "is no number",
		"gpu[1-x]":                   "is no number",
		"gpu[-1]":                    "is no number",
		"gpu[1-2,2-3]":               "names gpu2 twice",
		"gpu 1":                      "cannot be a machine's name",
		"-gpu":                       "cannot be a machine's name",
		"gpu[1-999999999]":           "more than the 20000 machines",
		"a[1-999999999]b[1-9999999]": "more than the 20000 machines",
		strings.Repeat("x", 300):     "cannot be a machine's name",
		strings.Repeat("x,", 40_000): "more than the 65536 bytes",
	} {
		if got, err := Names(list); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %d names, %v, want %q", short(list), len(got), err, says)
		}
	}
	if n, err := Names("r[001-100]n[1-200]"); err != nil || len(n) != MaxMachines {
		t.Errorf("%d names, %v", len(n), err)
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"gpu[1-4]", "a,b", "r[01-03]n[1-8]", "[1-2]", "a[1", "a]1", "a[1-2][3]", "a[,]", "a[0-09]", "é[1]", strings.Repeat("[1-9]", 50)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		names, err := Names(list)
		if err != nil {
			return
		}
		if len(names) == 0 || len(names) > MaxMachines {
			t.Fatalf("%d names of %q", len(names), list)
		}
		again, err := Names(strings.Join(names, ","))
		if len(strings.Join(names, ",")) <= maxList {
			if diff := cmp.Diff(names, again); err != nil || diff != "" {
				t.Fatalf("%q: %v %s", list, err, diff)
			}
		}
	})
}
