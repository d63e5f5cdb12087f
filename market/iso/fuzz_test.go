package iso

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fuzz gives an operator's parser anything at all: it ends, and what it lets pass is a price
// of a time that can be.
func fuzz(f *testing.F, operator string) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) < 20 {
		f.Fatalf("%d samples, %v", len(files), err)
	}
	for _, path := range files {
		name := strings.ToLower(filepath.Base(path))
		ours := strings.HasPrefix(name, operator) || operator == "nyiso" && !strings.Contains(name, "_") || operator == "miso" && strings.Contains(name, "_lmp") || operator == "aemo" && strings.HasPrefix(name, "public") || operator == "csv" || operator == "json"
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if ours {
			f.Add(data)
		}
	}
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range []Kind{RealTime, DayAhead, Load, Reserve} {
			for _, ahead := range []bool{false, true} {
				ask := Ask{Operator: operator, Kind: kind, Ahead: ahead, Map: Map{Time: "datetime_beginning_utc", Price: "total_lmp_da", Rows: "items"}}
				r, err := Read("x", data, ask)
				if err != nil {
					if strings.Contains(err.Error(), "\n") {
						t.Errorf("an error of two lines: %q", err)
					}
					continue
				}
				for _, row := range r.Rows {
					_, unbelieved := ask.believe(row.Price)
					if math.IsNaN(row.Price) || math.IsInf(row.Price, 0) || unbelieved != nil || row.Start.Before(earliest) || row.Start.After(latest) || row.Length < 0 || row.Length > 366*24*time.Hour {
						t.Errorf("%+v", row)
					}
				}
				if len(r.Problems) > maxTold+1 {
					t.Errorf("%d problems", len(r.Problems))
				}
			}
		}
	})
}

func FuzzNYISO(f *testing.F)   { fuzz(f, "nyiso") }
func FuzzERCOT(f *testing.F)   { fuzz(f, "ercot") }
func FuzzCAISO(f *testing.F)   { fuzz(f, "caiso") }
func FuzzPJM(f *testing.F)     { fuzz(f, "pjm") }
func FuzzMISO(f *testing.F)    { fuzz(f, "miso") }
func FuzzENTSOE(f *testing.F)  { fuzz(f, "entsoe") }
func FuzzAEMO(f *testing.F)    { fuzz(f, "aemo") }
func FuzzOctopus(f *testing.F) { fuzz(f, "octopus") }
func FuzzCSV(f *testing.F)     { fuzz(f, "csv") }
func FuzzJSON(f *testing.F)    { fuzz(f, "json") }

func FuzzListed(f *testing.F) {
	data, err := os.ReadFile("testdata/ercot_list.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`<a href="/a.zip"><A HREF="b.zip">`))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := Listed("https://host.example/list", data, 3)
		if err != nil && out != nil && !errors.Is(err, ErrNone) {
			t.Errorf("%v with %q", err, out)
		}
		for _, u := range out {
			if !strings.HasPrefix(u, "https://host.example/") {
				t.Errorf("the list sends us to %q", u)
			}
		}
		if len(out) > 3 {
			t.Errorf("%d reports", len(out))
		}
	})
}
