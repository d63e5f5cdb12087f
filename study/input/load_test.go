package input

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchyard/study/figure"
	"switchyard/unit"
)

var update = flag.Bool("update", false, "write the golden files")

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
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", name, diff)
	}
}

func soundText(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/sound.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// edited is the sound study with one passage changed, read without files beside it.
func edited(t testing.TB, old, with string) (*File, error) {
	t.Helper()
	text := soundText(t)
	if strings.Count(text, old) < 1 {
		t.Fatalf("the sound study does not hold %q", old)
	}
	f, faults := Parse("study.yaml", []byte(strings.Replace(text, old, with, 1)), nil)
	return f, faults.Err()
}

func must(t testing.TB, f *File, err error) *File {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestExampleIsSound(t *testing.T) {
	f, faults := Parse("study.yaml", Example(), nil)
	if faults != nil {
		t.Fatal(faults)
	}
	if len(f.Warnings) > 0 {
		t.Errorf("the example has warnings:\n%v", f.Warnings)
	}
	if len(f.Halls) != 4 || len(f.Options) != 5 || f.Months() != 144 || f.Start.String() != "2027-01" {
		t.Errorf("the example is not of four halls, five options and twelve years: %d, %d, %d from %v", len(f.Halls), len(f.Options), f.Months(), f.Start)
	}
	for _, o := range f.Options {
		if len(o.Halls) != 4 {
			t.Errorf("option %s is open to %v", o.ID, o.Halls)
		}
	}
}

// TestCommentsOfTheExampleAreSound reads the lines that the example offers as comments.
func TestCommentsOfTheExampleAreSound(t *testing.T) {
	text := string(Example())
	for _, c := range [][2]string{
		{"  # ramp:", "  ramp:"},
		{"    # critical:", "    critical:"},
		{"        # curve:", "        curve:"},
		{"        # renew:", "        renew:"},
		{"  network: 1080 EH/s # or difficulty: 150.9e12", "  difficulty: 150.9e12"},
		{"  drift: 5 % # expected, a year\n", ""},
		{"  # forward:", "  forward:"},
	} {
		if !strings.Contains(text, c[0]) {
			t.Fatalf("the example does not hold %q", c[0])
		}
		text = strings.Replace(text, c[0], c[1], 1)
	}
	f, faults := Parse("study.yaml", []byte(text), nil)
	if faults != nil {
		t.Fatal(faults)
	}
	if len(f.Site.Ramp) != 2 || len(f.Halls[0].Fleet[0].Curve) != 1 || f.Halls[0].Fleet[0].Renew == nil || len(f.Bitcoin.Forward) != 2 {
		t.Error("the commented lines were not read")
	}
}

func TestSoundStudy(t *testing.T) {
	path := filepath.Join("testdata", "sound.yaml")
	f, err := Load(path)
	must(t, f, err)
	if len(f.Warnings) > 0 {
		t.Errorf("warnings of a sound study:\n%v", f.Warnings)
	}
	one := f.Halls[0]
	if one.Critical.Is != 24*unit.Megawatt || f.Halls[1].Critical != nil { // 30 MW / 1.25
		t.Errorf("critical loads are %v and %v", one.Critical, f.Halls[1].Critical)
	}
	if m := one.Fleet[0]; m.Hash.TH() != 200 || m.Power != 3500*unit.Watt || m.Uptime.Is != 0.96 || m.Fee.Is != 0.01 {
		t.Errorf("the S21 is %+v", m)
	}
	if b := f.Power.Blocks[0]; b.From != f.Start || b.Until.String() != "2037-01" || !*b.Resale {
		t.Errorf("the block is %+v", b)
	}
	let, stay := f.Option("let"), f.Option("stay")
	if diff := cmp.Diff([]string{"one"}, let.Halls); diff != "" || let.Every != 6 || let.To.String() != "2029-06" {
		t.Errorf("%s: %+v", diff, let)
	}
	if diff := cmp.Diff([]string{"one", "two"}, stay.Halls); diff != "" || stay.From != f.Start || stay.To != f.Start {
		t.Errorf("%s: %+v", diff, stay)
	}
	if o := f.Option("leave"); o.To.String() != "2032-01" {
		t.Errorf("five years on is %v", o.To)
	}
	if s := f.Scenarios[0]; s.Bitcoin != 0.5 || s.Difficulty != 1 || s.Power != 1 || s.Capex != 1 || s.Rent != 1 || s.GPURate != 1 {
		t.Errorf("the scenario is %+v", s)
	}
	if c := f.Cloud("own"); c.PerGPU.Is != 1400*unit.Watt || f.Cloud("other") != nil {
		t.Errorf("the GPU takes %v", c.PerGPU.Is)
	}
	if f.Lease("big") == nil || f.Sale("out") == nil || f.Greenfield("new") == nil || f.Financing("bank") == nil || f.Financing("") != nil || f.HallIndex("two") != 1 || f.HallIndex("x") != -1 {
		t.Error("a name is not found, or one that is not there is")
	}
	for m, c := range f.Curve {
		if diff := cmp.Diff([]float64{45}, c); diff != "" {
			t.Errorf("month %d: %s", m, diff)
		}
	}
}

// TestWithoutPrices: the study says which assumption it used instead.
func TestWithoutPrices(t *testing.T) {
	f, err := edited(t, "  flat: 45 $/MWh\n", "")
	must(t, f, err)
	if len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0].Error(), "no prices were given: the study assumes 50 $/MWh") {
		t.Errorf("warnings: %v", f.Warnings)
	}
	if p := provenance(t, f.Assumed, "power.flat"); p.Value != "50 $/MWh" || !strings.HasPrefix(p.Source, "no prices were given") {
		t.Errorf("assumed %+v", p)
	}
	if f.Curve[6][0] != 50 {
		t.Errorf("July costs %v", f.Curve[6])
	}
}

func provenance(t testing.TB, list []Provenance, path string) Provenance {
	t.Helper()
	for _, p := range list {
		if p.Path == path {
			return p
		}
	}
	t.Fatalf("no provenance of %s", path)
	return Provenance{}
}

func TestProvenance(t *testing.T) {
	f, err := edited(t, "model: S21, count: 8000}", "model: S21, count: 8000, pool_fee: 2 %, uptime: {is: 95 %, from: contract}}")
	must(t, f, err)
	for _, want := range []Provenance{
		{"site.utility", "60 MW", figure.Contract, "interconnection agreement", 7},
		{"halls[0].capex", "8 $M/MW, P10 7 $M/MW, P90 10 $M/MW", figure.Quote, "contractor's offer", 15},
		{"halls[0].fleet[0].count", "8000", figure.Measured, "meters of October 2026", 18},
		{"halls[0].fleet[0].pool_fee", "2 %", figure.Measured, "meters of October 2026", 18},
		{"halls[0].fleet[0].uptime", "95 %", figure.Contract, "the file names no source", 18},
		{"halls[1].fleet[0].curve[0].power", "1.6 kW", figure.Measured, "meters of October 2026", 28},
		{"power.blocks[0].price", "40 $/MWh", figure.Contract, "retail contract of 2026", 35},
		{"tax.rate", "24 %", figure.Published, "the tax code", 66},
	} {
		if diff := cmp.Diff(want, provenance(t, f.Given, want.Path)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if u := f.Halls[0].Fleet[0].Fee; u.From != figure.Measured || u.Source != "meters of October 2026" {
		t.Errorf("the figure itself says %v, %q", u.From, u.Source)
	}
	given := map[string]bool{}
	for i, p := range f.Given {
		given[p.Path] = true
		if i > 0 && p.Line < f.Given[i-1].Line {
			t.Errorf("%s of line %d follows line %d", p.Path, p.Line, f.Given[i-1].Line)
		}
	}
	for _, p := range f.Assumed {
		if given[p.Path] || p.Source == "" || p.Value == "" || p.From != figure.Assumption && p.From != figure.Published || p.Line != 0 {
			t.Errorf("assumed %+v", p)
		}
	}
	if len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0].Error(), "a figure says not where it comes from and counts as an assumption: halls[0].fleet[0].uptime") {
		t.Errorf("warnings: %v", f.Warnings)
	}
}

// TestEveryFigureIsThere walks the whole File: where a study needs a figure there is one, and it is
// listed once, as given or as assumed.
func TestEveryFigureIsThere(t *testing.T) {
	f, err := edited(t, "study: Sound", "study: Sound")
	must(t, f, err)
	listed := map[string]int{}
	for _, p := range append(f.Given, f.Assumed...) {
		listed[p.Path]++
	}
	optional := map[string]bool{
		"halls[1].critical": true, "halls[1].capex": true, "halls[1].build": true, "bitcoin.network": true, "limits.capex": true, "limits.equity": true, "limits.crew": true,
		"gpu_clouds[0].exit_multiple": true, "greenfields[0].exit_multiple": true,
	}
	n := 0
	pointers("", f, func(path string, isNil bool) {
		n++
		if isNil != optional[path] {
			t.Errorf("%s: nil is %v", path, isNil)
		}
		if !isNil && listed[path] != 1 {
			t.Errorf("%s is listed %d times", path, listed[path])
		}
	})
	if n < 90 {
		t.Errorf("only %d figures were looked at", n)
	}
}

func TestDefaultsSayTheirSources(t *testing.T) {
	f, err := edited(t, "study: Sound", "study: Sound")
	must(t, f, err)
	var b strings.Builder
	for _, p := range f.Assumed {
		b.WriteString(p.Path + " | " + p.Value + " | " + string(p.From) + " | " + p.Source + "\n")
	}
	golden(t, "assumed.golden", b.String())
}

func TestHeightFollowsTheClock(t *testing.T) {
	f, err := edited(t, "  height: 982000\n", "")
	must(t, f, err)
	if f.Bitcoin.Height != 840_000+986*144 { // 986 days from 20 April 2024 to 1 January 2027
		t.Errorf("the height is %d", f.Bitcoin.Height)
	}
	f, err = edited(t, "difficulty: 150e12", "network: 1000 EH/s")
	must(t, f, err)
	if d := f.Bitcoin.Difficulty.Is; d < 1.396e14 || d > 1.398e14 { // 1e21 x 600 / 2^32
		t.Errorf("the difficulty is %g", d)
	}
}

func TestOptionsLeftOut(t *testing.T) {
	text := soundText(t)
	i, j := strings.Index(text, "options:"), strings.Index(text, "scenarios:")
	f, faults := Parse("study.yaml", []byte(text[:i]+text[j:]), nil)
	must(t, f, faults.Err())
	if p := provenance(t, f.Assumed, "options"); p.Value != "mine, host-big, cloud-own, sell-out, greenfield-new" {
		t.Errorf("offered are %s", p.Value)
	}
	if o := f.Option("host-big"); o.Financing != "bank" || o.With != "big" || len(o.Halls) != 1 {
		t.Errorf("%+v", o)
	}
}

func TestByMonth(t *testing.T) {
	f, err := edited(t, "  pue: 1.25\n", "  pue_by_month: [1.2, 1.2, 1.2, 1.2, 1.3, 1.4, 1.5, 1.5, 1.4, 1.3, 1.2, 1.2]\n")
	must(t, f, err)
	if f.PUEOf(0) != 1.2 || f.PUEOf(6) != 1.5 || f.Halls[0].Critical.Is != 20*unit.Megawatt {
		t.Errorf("%v, %v, %v", f.PUEOf(0), f.PUEOf(6), f.Halls[0].Critical.Is)
	}
}

// TestHash: the same files give the same hash, others another.
func TestHash(t *testing.T) {
	read := func(text string) func(string) ([]byte, error) {
		return func(string) ([]byte, error) { return []byte(text), nil }
	}
	text := strings.Replace(soundText(t), "flat: 45 $/MWh", "prices: p.csv", 1)
	seen := map[string]bool{}
	for _, c := range []struct{ study, prices string }{{text, hourly(48, 30)}, {text, hourly(48, 31)}, {text + "#\n", hourly(48, 30)}} {
		f, faults := Parse("study.yaml", []byte(c.study), read(c.prices))
		must(t, f, faults.Err())
		if seen[f.Hash] || len(f.Hash) != 64 {
			t.Errorf("hash %q", f.Hash)
		}
		seen[f.Hash] = true
	}
}

func TestLoadSaysWhatItCouldNotRead(t *testing.T) {
	if _, err := Load("testdata/gone.yaml"); err == nil || !strings.HasPrefix(err.Error(), "read study: ") {
		t.Errorf("%v", err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "study.yaml")
	if err := os.WriteFile(path, []byte(strings.Replace(soundText(t), "flat: 45 $/MWh", "prices: gone.csv", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), `power.prices: there is no file "gone.csv"; the path is taken from the study file's folder`) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(path, make([]byte, MaxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "more than the 1048576 bytes allowed") {
		t.Errorf("%v", err)
	}
}

// A difficulty that is made of the network's hashrate comes from where that does, also where a whole mapping says it.
func TestDifficultyOfTheNetwork(t *testing.T) {
	f, faults := Parse("study.yaml", Sample(), nil)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if d := f.Bitcoin.Difficulty; f.Bitcoin.Network == nil || d.From != f.Bitcoin.Network.From || d.From == "" || !strings.HasSuffix(d.Source, f.Bitcoin.Network.Source) || strings.HasSuffix(d.Source, "; ") {
		t.Errorf("the difficulty is %+v, of a network %+v", d, f.Bitcoin.Network)
	}
}
