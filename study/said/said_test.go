package said

import (
	"slices"
	"strings"
	"testing"

	"switchyard/study"
)

func TestSpread(t *testing.T) {
	for paths, want := range map[int]string{0: "no random", 1: "no spread", 2: "mean nothing", 19: "mean nothing", 20: "eight futures in ten", 10_000: "eight futures in ten"} {
		r := &study.Report{Paths: paths}
		if s := Spread(r); !strings.Contains(s, want) || Few(r) != (paths > 0 && paths < 20) {
			t.Errorf("%d futures: %q", paths, s)
		}
	}
}

func TestApart(t *testing.T) {
	r := &study.Report{Paths: 100, Best: []study.Choice{{Hall: "a"}}, Portfolio: study.Portfolio{NPV: study.Dist{Mean: 122.9e6}, Expected: 158.1e6}}
	if s := Apart(r); !strings.HasPrefix(s, "The expected case is worth $158.1M and the mean over all futures $122.9M: ") {
		t.Error(s)
	}
	if r.Paths = 0; Apart(r) != "" {
		t.Error("there is no mean without futures")
	}
}

func TestWaiting(t *testing.T) {
	r := &study.Report{
		Best:    []study.Choice{{Hall: "small", Option: "sell", Start: "2027-01"}, {Hall: "big", Option: "mine", Start: "2027-01"}},
		Options: []study.Option{{Hall: "small", Name: "sell", Kind: "sell"}, {Hall: "big", Name: "mine", Kind: "mine"}},
	}
	for _, c := range []struct {
		f    study.Flexible
		want string
	}{
		{
			study.Flexible{Hall: "small", Plan: "sell from 2027-07", Committed: 29.5e6, Option: 2e6, OptionError: 0.3e6, Today: "wait"},
			"The plan now: sell from 2027-01. Being free to wait and see adds $2.0M (± $0.6M) to a fixed plan, and who need not bind himself today waits. " +
				"(By itself, without the other halls, the limits and the site's costs, its best fixed plan is sell from 2027-07, worth $29.5M.)",
		},
		{
			study.Flexible{Hall: "small", Plan: "sell from 2027-01", Option: 2e6, Today: "sell"},
			"The plan now: sell from 2027-01. Being free to wait and see adds $2.0M (± $0) to a fixed plan, and the policy that sees only the past takes sell today.",
		},
		{
			study.Flexible{Hall: "big", Plan: "mine", Fixed: true, Today: "mine"},
			"The plan now: mine on. Being free to wait and see adds nothing to a fixed plan that stands out from chance.",
		},
	} {
		if s := Waiting(r, &c.f); s != c.want {
			t.Errorf("%s\nwant %s", s, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	like := func(name, file, start, hash string) *study.Report {
		return &study.Report{Study: name, File: file, Start: start, Hash: hash}
	}
	for _, c := range []struct {
		of   []*study.Report
		want []string
	}{
		{[]*study.Report{like("A", "a.yaml", "2027-01", "1"), like("B", "b.yaml", "2027-01", "2")}, []string{"A", "B"}},
		{[]*study.Report{like("A", "a.yaml", "2027-01", "1"), like("A", "b.yaml", "2027-01", "2"), like("B", "b.yaml", "2027-01", "2")}, []string{"A, a.yaml", "A, b.yaml", "B"}},
		{[]*study.Report{like("A", "a.yaml", "2027-01", "1"), like("A", "a.yaml", "2027-07", "2")}, []string{"A, from 2027-01", "A, from 2027-07"}},
		{[]*study.Report{like("A", "a.yaml", "2027-01", "1234567890"), like("A", "a.yaml", "2027-01", "234567890")}, []string{"A, inputs 12345678", "A, inputs 23456789"}},
		{[]*study.Report{like("A", "a.yaml", "2027-01", "1"), like("A", "a.yaml", "2027-01", "1")}, []string{"A, report 1", "A, report 2"}},
	} {
		if got := Names(c.of); !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
