package gres

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGPUs(t *testing.T) {
	for _, c := range []struct {
		in      string
		count   int
		indices []int
	}{
		{"gpu:h100:4(IDX:2-5)", 4, []int{2, 3, 4, 5}},
		{"gpu:h100:2(IDX:0,7),gpu:a100:1(IDX:3),license:5", 3, []int{0, 7, 3}},
		{"gpu:8(S:0-1)", 8, nil},
		{"gres:gpu:h100:4", 4, nil},
		{"gres/gpu:h100=2", 2, nil},
		{"gpu", 1, nil},
		{"", 0, nil},
		{"shard:gpu:4", 0, nil},
		{"gpu:h100:-4", 0, nil},
	} {
		n, idx := GPUs(c.in)
		if d := cmp.Diff(c.indices, idx); n != c.count || d != "" {
			t.Errorf("%q: %d GPUs, %s", c.in, n, d)
		}
	}
	for in, want := range map[string]int{
		"cpu=4,node=2,billing=4,gres/gpu=8":   8,
		"cpu=4,gres/gpu:h100=3,gres/gpu:a=1":  4,
		"gres/gpu:h100=8,gres/gpu=8,mem=125G": 8,
		"cpu=4,gres/gpumem=80":                0,
	} {
		if n := TRES(in); n != want {
			t.Errorf("%q: %d GPUs, not %d", in, n, want)
		}
	}
}

func TestHosts(t *testing.T) {
	for in, want := range map[string]string{
		"gpu[1-3,07],login":  "gpu1 gpu2 gpu3 gpu07 login",
		"n[08-11]":           "n08 n09 n10 n11",
		"r[1-2]n[1-2]-ib":    "r1n1-ib r1n2-ib r2n1-ib r2n2-ib",
		"(null)":             "",
		"":                   "",
		"a,b,  c":            "a b c",
		"gpu[1-2],cpu[9-10]": "gpu1 gpu2 cpu9 cpu10",
	} {
		got, err := Hosts(in)
		if s := strings.Join(got, " "); err != nil || s != want {
			t.Errorf("%q: %q, %v", in, s, err)
		}
	}
	for _, bad := range []string{"gpu[1-", "gpu[3-1]", "gpu[a-b]", "n[0-99999999]", "a[1-900]b[1-900]", "gpu]1[", "a[1]b[1]c[1]d[1]"} {
		if got, err := Hosts(bad); err == nil {
			t.Errorf("%q: %d nodes and no error", bad, len(got))
		}
	}
}

func FuzzTexts(f *testing.F) {
	f.Add("gpu:h100:4(IDX:2-5)")
	f.Add("cpu=4,gres/gpu:h100=8")
	f.Add("r[1-2]n[01-03]-ib,login")
	f.Fuzz(func(t *testing.T, s string) {
		if n, _ := GPUs(s); n < 0 {
			t.Errorf("%d GPUs", n)
		}
		if n := TRES(s); n < 0 {
			t.Errorf("%d GPUs", n)
		}
		if hs, err := Hosts(s); err == nil && len(hs) > MostHosts {
			t.Errorf("%d nodes", len(hs))
		}
	})
}
