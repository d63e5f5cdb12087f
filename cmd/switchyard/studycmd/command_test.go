package studycmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"switchyard/sitefile"
	"switchyard/study"
	"switchyard/study/input"
)

var update = flag.Bool("update", false, "write the golden files anew")

var errBad, errTold, errRefused = errors.New("bad input"), errors.New("told already"), errors.New("connection refused")

// word is a flag that takes one of a few words.
type word struct {
	v       *string
	allowed []string
}

func (w word) String() string { return "" }
func (w word) Type() string   { return "word" }
func (w word) Set(s string) error {
	for _, a := range w.allowed {
		if a == s {
			*w.v = s
			return nil
		}
	}
	return fmt.Errorf("choose %s", strings.Join(w.allowed, " or "))
}

type quiet struct{}

func (quiet) Tell(string, ...any) {}
func (quiet) Done()               {}

// desk is a command line with an engine that answers with a report that was made by hand.
type desk struct {
	Console
	out, err bytes.Buffer
	wishes   []Wish
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{}
	d.Console = Console{
		Out: &d.out, Err: &d.err, Version: "v9",
		Engine: Engine{
			Load: input.Load, Example: input.Example,
			Run: func(_ context.Context, f *input.File, o Wish) (*study.Report, error) {
				d.wishes = append(d.wishes, o)
				o.Progress("paths", 1, 2)
				if f.Hash == "" {
					return nil, errors.New("a file that was not read")
				}
				return sample(f.Study), nil
			},
			HTML:    func(w io.Writer, r *study.Report) error { _, err := io.WriteString(w, "<html>"+r.Study); return err },
			Compare: func(w io.Writer, rs []*study.Report) error { _, err := fmt.Fprintf(w, "<html>%d", len(rs)); return err },
		},
		Load:       func(path string) (*sitefile.File, error) { return sitefile.Load(path, sitefile.Known{}) },
		Now:        func(*sitefile.File) time.Time { return now },
		Controller: func() (Ask, error) { return nil, errRefused },
		Named:      func() bool { return false },
		WriteNew: func(path string, data []byte, force bool) error {
			if _, err := os.Stat(path); err == nil && !force {
				return fmt.Errorf("%s exists: %w", path, errBad)
			}
			return os.WriteFile(path, data, 0o644)
		},
		Choice:   func(v *string, allowed ...string) pflag.Value { return word{v, allowed} },
		BadInput: func(f string, a ...any) error { return fmt.Errorf("%w: "+f, append([]any{errBad}, a...)...) },
		Told:     func() error { return errTold },
		Progress: func() Progress { return quiet{} },
	}
	return d
}

// run carries the command out and returns what it printed.
func (d *desk) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	d.out.Reset()
	d.err.Reset()
	cmd := Command(d.Console)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(&d.out)
	cmd.SetErr(&d.err)
	err := cmd.ExecuteContext(t.Context())
	return d.out.String(), err
}

// example writes the worked example and returns where.
func example(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "study.yaml")
	if err := os.WriteFile(path, input.Example(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func ptr[T any](v T) *T { return &v }

// sample is a report as an engine might make it.
func sample(name string) *study.Report {
	dist := func(v float64) study.Dist {
		return study.Dist{Mean: v, P10: v * 0.6, P50: v * 0.98, P90: v * 1.5, Error: v / 100}
	}
	return &study.Report{
		Study: name, File: strings.ToLower(strings.Fields(name)[0]) + ".yaml", Hash: "5ba1" + name, Site: "North Creek", Start: "2027-01", Months: 144, Seed: 7, Paths: 2000, DiscountPct: 10,
		Given:   []input.Provenance{{Path: "site.utility", From: "contract"}, {Path: "halls[0].capex", From: "assumption"}},
		Assumed: []input.Provenance{{Path: "bitcoin.noise", Value: "15 %", From: "assumption"}},
		Options: []study.Option{
			{Hall: "north", Name: "host", Kind: "host", Title: "Host for Acme from 2027-07", IRR: ptr(0.187), IRROwners: ptr(0.312), MinDSCR: ptr(1.38), TaxedDSCR: ptr(1.21)},
			{Hall: "south", Name: "mine", Kind: "mine", Title: "Mine on", NoIRR: "nothing is invested"},
		},
		Best: []study.Choice{
			{Hall: "north", Option: "host", Title: "Host for Acme from 2027-07", Start: "2027-07", NPV: dist(41.2e6), Over: 38.1e6},
			{Hall: "south", Option: "mine", Title: "Mine on", Start: "2027-01", NPV: dist(3.456e6), Alone: "hosting from 2027-01"},
		},
		Portfolio: study.Portfolio{
			NPV: dist(44.7e6), Expected: 46.2e6, MiningOn: dist(6.1e6), Capex: 160e6, Debt: 118e6, PeakEquity: 52e6, MinDSCR: ptr(1.38), TaxedDSCR: ptr(1.21),
			EquityIRR: study.Rate{Pct: ptr(29.9)}, ProjectIRR: study.Rate{None: "no outlay comes before income"}, Bound: []string{"one hall at a time"},
		},
		Flexible: []study.Flexible{{Hall: "north", Committed: 38.5e6, Option: 2.1e6, OptionError: 0.2e6, Plan: "host from 2028-01", Today: "wait"}, {Hall: "south", Committed: 33e6, Plan: "host from 2027-01", Fixed: true, Today: "host"}},
		Findings: []study.Finding{
			{Hall: "north", Option: "cloud", Kind: "covenant", Month: "2029-03", Text: "the DSCR falls to 1.02, below the covenant of 1.15"},
			{Kind: "input", Text: "no prices were given: the study assumes 50 $/MWh"},
		},
		Tornado: []study.Bar{
			{Input: "bitcoin price", Low: "x 0.6", High: "x 1.6", NPVLow: 40e6, NPVHigh: 52e6},
			{Input: "rent", Low: "117 $/kW-month", High: "143 $/kW-month", NPVLow: 20e6, NPVHigh: 69e6},
		},
		Regret: study.Regret{Decisions: []string{"host north", "mine on"}, Worst: []float64{4e6, 39e6}, Least: 0},
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestTheAnswerOnOneScreen(t *testing.T) {
	d := newDesk(t)
	got, err := d.run(t, example(t))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "report.txt", got)
	if n := strings.Count(got, "\n"); n > 40 {
		t.Errorf("%d lines are no one screen", n)
	}
}

func TestWhatIsWrittenAndWhere(t *testing.T) {
	d, path := newDesk(t), example(t)
	got, err := d.run(t, path, "-o", "json", "--paths", "0", "--seed", "18446744073709551615", "--workers", "3")
	var r study.Report
	if err != nil || json.Unmarshal([]byte(got), &r) != nil || r.Site != "North Creek" {
		t.Errorf("%v: %.80s", err, got)
	}
	w := d.wishes[0]
	if w.Paths == nil || *w.Paths != 0 || w.Seed == nil || *w.Seed != 1<<64-1 || w.Workers != 3 || w.Version != "v9" || w.Command != "switchyard study "+path+" --paths 0 --seed 18446744073709551615" {
		t.Errorf("wish %+v", w)
	}
	if _, err = d.run(t, path); err != nil || d.wishes[1].Paths != nil || d.wishes[1].Seed != nil {
		t.Errorf("what was not asked for was wished: %+v, %v", d.wishes[1], err)
	}
	out := filepath.Join(t.TempDir(), "r.html")
	if got, err = d.run(t, path, "-o", "html", "--out", out); err != nil || got != "" || !strings.Contains(d.err.String(), out) {
		t.Errorf("%q %v %q", got, err, d.err.String())
	}
	if data, err := os.ReadFile(out); err != nil || string(data) != "<html>North Creek" {
		t.Errorf("%s %v", data, err)
	}
	for _, bad := range [][]string{{path, "-o", "xlsx"}, {path, "--paths", "-1"}, {path, "--paths", "1000001"}, {filepath.Join(t.TempDir(), "none.yaml")}} {
		if got, err := d.run(t, bad...); !errors.Is(err, errBad) || got != "" {
			t.Errorf("%v: %q, %v", bad, got, err)
		}
	}
	// Of a workbook that did not come to be nothing is left.
	sheet := filepath.Join(t.TempDir(), "r.xlsx")
	if _, err := d.run(t, path, "-o", "xlsx", "--out", sheet); !errors.Is(err, errBad) {
		t.Errorf("without a writer: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(sheet), ".*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	d.Engine.Sheet = func(w io.Writer, f *input.File, r *study.Report) error {
		_, err := io.WriteString(w, "PK "+f.Study+r.Study)
		return err
	}
	if _, err := d.run(t, path, "-o", "xlsx", "--out", sheet); err != nil {
		t.Error(err)
	}
	if data, _ := os.ReadFile(sheet); string(data) != "PK North CreekNorth Creek" {
		t.Errorf("%q", data)
	}
}

func TestCompare(t *testing.T) {
	d, path := newDesk(t), example(t)
	other := sample("With notes")
	other.Seed, other.Portfolio.NPV.Mean = 8, 51e6
	other.Best = other.Best[:1]
	data, err := json.Marshal(other)
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(t.TempDir(), "kept.json")
	if err := os.WriteFile(kept, data, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := d.run(t, "compare", path, kept)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "compared.txt", got)
	if got, err = d.run(t, "compare", path, kept, "-o", "html"); err != nil || got != "<html>2" {
		t.Errorf("%q %v", got, err)
	}
	for name, text := range map[string]string{"no.json": "no", "empty.json": "{}", "list.json": "[]", "none.json": `{"study":"x","months":12}`} {
		bad := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(bad, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := d.run(t, "compare", path, bad); !errors.Is(err, errBad) || !strings.Contains(err.Error(), "no report") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.run(t, "compare", path); err == nil {
		t.Error("one alone was compared")
	}
}

func FuzzReadReport(f *testing.F) {
	data, err := json.Marshal(sample("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"study":"x","months":1,"options":[{}],"best":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := readReport(data)
		if (r == nil) == (err == nil) {
			t.Fatalf("%v, %v", r, err)
		}
		if err == nil {
			printReport(io.Discard, r)
			printCompared(io.Discard, []*study.Report{r, r})
		}
	})
}

func TestCheck(t *testing.T) {
	d, path := newDesk(t), example(t)
	got, err := d.run(t, "check", path)
	if err != nil || !strings.Contains(got, "study.yaml: ok") || !strings.Contains(got, "Nobody gave these") || !strings.Contains(got, "bitcoin.noise") {
		t.Errorf("%v:\n%s", err, got)
	}
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, bytes.Replace(input.Example(), []byte("years: 12"), []byte("yeers: 12"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err = d.run(t, "check", bad)
	if !errors.Is(err, errTold) || !strings.Contains(got, "bad.yaml:12:1: yeers") || !strings.Contains(got, "fault") {
		t.Errorf("%v:\n%s", err, got)
	}
	got, err = d.run(t, "check", bad, "-o", "json")
	var c checked
	if !errors.Is(err, errTold) || json.Unmarshal([]byte(got), &c) != nil || c.OK || len(c.Faults) != 2 || c.Faults[1].Line != 12 {
		t.Errorf("%v:\n%s", err, got)
	}
	if got, err := d.run(t, bad); err == nil || got != "" {
		t.Errorf("a faulty file was run: %q", got)
	}
}
