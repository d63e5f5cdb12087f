package sheet

import (
	"archive/zip"
	"bytes"
	"html"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"switchyard/study"
	"switchyard/study/finance"
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/sheet/ref"
)

// wholeStudy is the study of all that the sample does without.
func wholeStudy(t *testing.T) (*input.File, *study.Report) {
	t.Helper()
	data, err := os.ReadFile("testdata/whole.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return expected(t, data)
}

// TestWholeIsWhole holds the study against the lists of all that a year can have.
func TestWholeIsWhole(t *testing.T) {
	_, r := wholeStudy(t)
	// The site's own costs are of no option; what is off a balance is nothing.
	has := map[string]bool{flow.Fixed.Key(): true, finance.Off.Key(): true}
	for _, o := range r.Options {
		for _, y := range o.Years {
			for k := range y.Lines {
				has[k] = true
			}
			for k := range y.Rows {
				has[k] = true
			}
		}
	}
	for l := range flow.Lines {
		if !has[l.Key()] {
			t.Errorf("no option has %s", l)
		}
	}
	for k := range finance.Rows {
		if !has[k.Key()] {
			t.Errorf("no option has %s", k)
		}
	}
	if len(r.World.Halvings) < 2 || r.Portfolio.Years[0].Lines[flow.Fixed.Key()] == 0 {
		t.Errorf("halvings in %v, site's own costs of %v", r.World.Halvings, r.Portfolio.Years[0].Lines)
	}
}

// functions are all that formulas may call: Excel has had them since 2007.
var functions = []string{
	"COLUMN", "ROW",
	"ABS", "AND", "AVERAGE", "COUNT", "EXP", "IF", "IFERROR", "INDEX", "INT", "IRR", "ISNUMBER", "LN", "MATCH", "MAX", "MIN", "MOD", "NOT", "NPV", "OR", "SIGN", "SUM",
	"SUMIF", "SUMPRODUCT",
}

var (
	formulaOf = regexp.MustCompile(`<f>([^<]*)</f>`)
	callIn    = regexp.MustCompile(`([A-Z][A-Z0-9.]*)\(`)
	nameIn    = regexp.MustCompile(`\bin_\w+`)
	quoted    = regexp.MustCompile(`"[^"]*"|'[^']*'!`)
)

// TestFormulas holds all formulas against what Excel takes: its functions, its length, names that exist.
func TestFormulas(t *testing.T) {
	f, r := wholeStudy(t)
	data := workbook(t, f, r)
	book, err := excelize.OpenReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, n := range book.GetDefinedName() {
		named[n.Name] = true
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	n, used := 0, map[string]bool{}
	for _, part := range z.File {
		if !strings.HasPrefix(part.Name, "xl/worksheets/sheet") {
			continue
		}
		in, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range formulaOf.FindAllSubmatch(text, -1) {
			formula := quoted.ReplaceAllString(html.UnescapeString(string(m[1])), "")
			n++
			if len(formula) > 8000 || strings.ContainsAny(formula, "#[{;") {
				t.Fatalf("%s: %.200s", part.Name, formula)
			}
			for _, c := range callIn.FindAllStringSubmatch(formula, -1) {
				if !slices.Contains(functions, c[1]) {
					t.Fatalf("%s calls %s: %.200s", part.Name, c[1], formula)
				}
			}
			for _, name := range nameIn.FindAllString(formula, -1) {
				if used[name] = true; !named[name] {
					t.Fatalf("%s: there is no %s: %.200s", part.Name, name, formula)
				}
			}
		}
	}
	if n < 100_000 {
		t.Errorf("%d formulas found", n)
	}
	for name := range named {
		if !used[name] {
			t.Errorf("no formula uses %s", name)
		}
	}
}

// TestNames holds the names of sheets and figures against what Excel takes, where ids differ by signs and by
// small and capital letters alone.
func TestNames(t *testing.T) {
	f, r := wholeStudy(t)
	book, err := excelize.OpenReader(bytes.NewReader(workbook(t, f, r)))
	if err != nil {
		t.Fatal(err)
	}
	once := map[string]bool{}
	sheets := book.GetSheetList()
	for _, s := range sheets {
		if once[strings.ToLower(s)] || len(s) > 31 || !regexp.MustCompile(`^\w+$`).MatchString(s) {
			t.Errorf("sheet %q", s)
		}
		once[strings.ToLower(s)] = true
	}
	for _, s := range []string{"Summary", "Inputs", "Years", "World", "Mine_hall_a", "Mine_hall_a_2", "Mine_Hall_A_3", "hall_a_gpu_s", "hall_a_gpu_s_2", "Compare"} {
		if !slices.Contains(sheets, s) {
			t.Errorf("there is no sheet %s: %q", s, sheets)
		}
	}
	of := map[string]string{}
	for _, n := range book.GetDefinedName() {
		if of[strings.ToLower(n.Name)] != "" || len(n.Name) > 255 || !regexp.MustCompile(`^in_\w+$`).MatchString(n.Name) {
			t.Errorf("name %q", n.Name)
		}
		of[strings.ToLower(n.Name)] = n.RefersTo
	}
	for name, want := range map[string]string{"in_hall_hall_a_mw": "30", "in_hall_hall_a_mw_2": "25", "in_hall_hall_a_mw_3": "20", "in_cloud_gross_load": "0.8", "in_lease_gross_load": "0.7"} {
		at := strings.ReplaceAll(strings.TrimPrefix(of[name], "'Inputs'!"), "$", "")
		if got, err := book.GetCellValue("Inputs", at, excelize.Options{RawCellValue: true}); err != nil || got != want {
			t.Errorf("%s is %q, want %s (%v)", name, got, want, err)
		}
	}
	for at, want := range map[string]string{"A1": `Nowhere: "all" & <more>`, "A2": "Made up for a test. =1+1"} {
		if got, err := book.GetCellValue("Summary", at); err != nil || got != want {
			t.Errorf("Summary!%s is %q (%v)", at, got, err)
		}
	}
}

// TestUnique cuts and numbers.
func TestUnique(t *testing.T) {
	used := map[string]bool{"taken": true}
	for _, c := range [][2]string{
		{"Taken", "Taken_2"}, {"abc", "abc"}, {"ABC", "ABC_2"}, {"abcdefghijkl", "abcdefghij"}, {"abcdefghijklm", "abcdefgh_2"}, {"abcdefghij", "abcdefgh_3"},
	} {
		if got := ref.Unique(c[0], 10, used); got != c[1] {
			t.Errorf("%s: %s, want %s", c[0], got, c[1])
		}
	}
}

// TestSameBytes writes a study twice, and holds the sample's size against what a mail takes.
func TestSameBytes(t *testing.T) {
	f, r := expected(t, input.Sample())
	one, two := workbook(t, f, r), workbook(t, f, r)
	if !bytes.Equal(one, two) {
		t.Error("the same study makes other bytes")
	}
	if len(one) > 8<<20 {
		t.Errorf("%d bytes", len(one))
	}
}

// TestWriteRefuses hands over a report of another file.
func TestWriteRefuses(t *testing.T) {
	f, _ := expected(t, input.Sample())
	_, other := wholeStudy(t)
	if err := Write(io.Discard, f, other); err == nil || !strings.Contains(err.Error(), "write the workbook: ") {
		t.Errorf("got %v", err)
	}
}
