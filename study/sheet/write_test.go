package sheet

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchyard/study"
	"switchyard/study/input"
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
	t.Logf("%d figures compared over all years, %d off by more than a cent", len(rows)-1, bad)
}

// expected is the expected case of a study file.
func expected(t *testing.T, data []byte) (*input.File, *study.Report) {
	t.Helper()
	f, faults := input.Parse("study.yaml", data, os.ReadFile)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	none := 0
	r, err := study.Run(t.Context(), f, data, study.Options{Paths: &none})
	if err != nil {
		t.Fatal(err)
	}
	return f, r
}

func TestSampleByLibreOffice(t *testing.T) {
	f, r := expected(t, input.Sample())
	var b bytes.Buffer
	if err := Write(&b, f, r); err != nil {
		t.Fatal(err)
	}
	sheets := calculated(t, b.Bytes())
	agree(t, sheets)
}
