package sheet

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchyard/study"
	"switchyard/study/input"
	"switchyard/study/sheet/ref"
)

// calculated opens a workbook in LibreOffice, which computes all formulas anew, and returns the cells
// of its sheets by name.
func calculated(t *testing.T, book []byte) map[string][][]string {
	t.Helper()
	office, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("soffice is not there: Debian's package libreoffice-calc-nogui has it")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "study.xlsx")
	if err := os.WriteFile(file, book, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	// All sheets as CSV in full precision: the last parameter, -1, writes each to a file of its own.
	const filter = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1"
	cmd := exec.CommandContext(ctx, office, "--headless", "--norestore", "-env:UserInstallation=file://"+filepath.Join(dir, "profile"),
		"--convert-to", filter, "--outdir", dir, file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("LibreOffice: %v: %s", err, out)
	}
	all, err := filepath.Glob(filepath.Join(dir, "study-*.csv"))
	if err != nil || len(all) == 0 {
		t.Fatalf("LibreOffice wrote nothing: %v", err)
	}
	sheets := map[string][][]string{}
	for _, name := range all {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(bytes.NewReader(data))
		r.FieldsPerRecord = -1
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		sheets[strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), "study-"), ".csv")] = rows
	}
	return sheets
}

// agree compares the sheet Compare's formulas with the program's figures: within a cent, which is how
// far the latter are rounded.
func agree(t *testing.T, sheets map[string][][]string) {
	t.Helper()
	rows, bad := sheets["Compare"], 0
	if len(rows) < 100 {
		t.Fatalf("Compare has %d rows", len(rows))
	}
	for _, c := range rows[1:] {
		if d, err := strconv.ParseFloat(c[3], 64); err == nil && d <= 0.01 {
			continue
		}
		if bad++; bad <= 30 {
			t.Error(strings.Join(c, " | "))
		}
	}
	if said := sheets["Summary"][6]; !strings.HasPrefix(said[0], "As the file stands") {
		t.Errorf("of a book as it was written the summary says %q", said)
	}
	t.Logf("%d figures compared over all years, %d off by more than a cent", len(rows)-1, bad)
}

// expected is the expected case of a study file.
func expected(t *testing.T, data []byte) (*input.File, *study.Report) {
	t.Helper()
	f, faults := input.Parse("study.yaml", data, beside)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	none := 0
	r, err := study.Run(t.Context(), f, study.Options{Paths: &none})
	if err != nil {
		t.Fatal(err)
	}
	return f, r
}

// beside is the one file that a study here reads: a year of hourly prices, of which some are below nothing
// and some alike, in two months only so dear that little runs.
func beside(name string) ([]byte, error) {
	if name != "hours.csv" {
		return nil, fs.ErrNotExist
	}
	var b bytes.Buffer
	b.WriteString("time,price\n")
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for h := range 365 * 24 {
		hour, day := float64(h%24), float64(h/24)
		price := 38 + 21*math.Sin(hour/24*2*math.Pi-2) + 14*math.Cos(day/365*4*math.Pi) + 9*math.Sin(day*1.7)
		if m := at.Month(); m == time.February || m == time.August {
			price += 45
		}
		fmt.Fprintf(&b, "%s,%.0f\n", at.Format(time.RFC3339), price)
		at = at.Add(time.Hour)
	}
	return b.Bytes(), nil
}

// workbook writes a study's workbook.
func workbook(t *testing.T, f *input.File, r *study.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, f, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSampleByLibreOffice(t *testing.T) {
	t.Parallel()
	f, r := expected(t, input.Sample())
	sheets := calculated(t, workbook(t, f, r))
	agree(t, sheets)
	rates(t, sheets, r)
	sound(t, sheets)
}

func TestWholeByLibreOffice(t *testing.T) {
	t.Parallel()
	f, r := wholeStudy(t)
	sheets := calculated(t, workbook(t, f, r))
	agree(t, sheets)
	rates(t, sheets, r)
	sound(t, sheets)
}

// rates says that the summary has no rate of return where the program finds none; Compare has the others.
func rates(t *testing.T, sheets map[string][][]string, r *study.Report) {
	t.Helper()
	const project, equity = 9, 10
	found := 0
	for _, row := range sheets["Summary"][summaryHead:] {
		for _, v := range r.Options {
			if row[0] != v.Hall || row[1] != v.Name || v.Kind != "mine" && row[2] != v.Start {
				continue
			}
			found++
			if none := row[project] == "–"; none != (v.IRR == nil) {
				t.Errorf("%s, %s: project IRR is %s, and the program says %v", v.Hall, v.Name, row[project], v.ProjectIRR)
			}
			if none := row[equity] == "–"; none != (v.IRROwners == nil) {
				t.Errorf("%s, %s: equity IRR is %s, and the program says %v", v.Hall, v.Name, row[equity], v.EquityIRR)
			}
		}
	}
	if found != len(r.Options) {
		t.Errorf("%d of %d options found", found, len(r.Options))
	}
}

// sound says that no cell of any sheet is an error, and that balances are.
func sound(t *testing.T, sheets map[string][][]string) {
	t.Helper()
	balances, bad := 0, 0
	for name, rows := range sheets {
		for i, row := range rows {
			for c, v := range row {
				if (strings.HasPrefix(v, "#") || strings.HasPrefix(v, "Err:")) && bad < 20 {
					bad++
					t.Errorf("%s!%s is %s", name, ref.Cell(c+1, i+1), v)
				}
			}
			if len(row) > 3 && (strings.HasPrefix(row[0], "Off balance") || strings.HasPrefix(row[3], "Off balance")) {
				balances++
				for _, v := range row[2:] {
					if x, err := strconv.ParseFloat(v, 64); err == nil && math.Abs(x) > 0.01 {
						t.Errorf("%s, row %d: a balance is off by %v", name, i+1, x)
						break
					}
				}
			}
		}
	}
	if balances < 10 {
		t.Errorf("%d balances found", balances)
	}
}
