package invoice

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/unit"
)

var update = flag.Bool("update", false, "write the golden files anew")

// example is a lease's October with all that an invoice can hold.
func example(t testing.TB) Invoice {
	c := parsed(t, lease)
	p := period(t, c, "2026-10")
	peak := p.From.Add(36 * time.Hour)
	inv, err := Build(In{
		Contract: c, Period: p, Rows: month(p, "acme", steady), Now: p.To.Add(48 * time.Hour), Service: service(p),
		Charges:   []Charge{{Kind: DemandShare, Name: "=demand", At: peak, Amount: 640_001 * unit.Dollar, Tenant: 50 * unit.Megawatt, Site: 81 * unit.Megawatt}},
		Curtailed: []Curtailed{{From: peak, To: peak.Add(2 * time.Hour), Energy: 20 * unit.MegawattHour, Why: "notice of 30 min", Ref: "plan 17"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	inv.Number = "2026-000017"
	return inv
}

func TestGoldens(t *testing.T) {
	inv := example(t)
	raw, err := json.Marshal(inv)
	if err != nil {
		t.Fatal(err)
	}
	var doc, table bytes.Buffer
	if err := WriteJSON(&doc, inv); err != nil {
		t.Fatal(err)
	}
	if err := WriteCSV(&table, inv); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{"invoice.json": doc.Bytes(), "invoice.csv": table.Bytes()} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(filepath.Clean(path))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	back, err := Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(raw), string(again)); diff != "" {
		t.Error("what is read is not what was written:", diff)
	}
}

// The JSON's amounts sum to its total, to the cent, as numbers.
func TestJSONSums(t *testing.T) {
	raw, err := json.Marshal(example(t))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Lines []struct {
			Quantity, Rate float64
			Amount         json.Number `json:"amount_usd"`
		}
		Total json.Number `json:"total_usd"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	var sum, total unit.Money
	if err := readInto(&total, doc.Total); err != nil {
		t.Fatal(err)
	}
	for _, l := range doc.Lines {
		var m unit.Money
		if err := readInto(&m, l.Amount); err != nil {
			t.Fatal(err)
		}
		sum += m
		if d := l.Quantity*l.Rate - m.Dollars(); d > 0.011 || d < -0.011 {
			t.Errorf("%v x %v is not %s", l.Quantity, l.Rate, l.Amount)
		}
	}
	if sum != total {
		t.Errorf("the lines come to %s, the total is %s", sum, total)
	}
}

// Text that a spreadsheet would run stands behind an apostrophe, figures stay figures.
func TestCSVIsNoFormula(t *testing.T) {
	inv := example(t)
	inv.Tenant, inv.Lines[0].Text = "@evil", "=HYPERLINK(\"http://x\")\n+1"
	var b bytes.Buffer
	if err := WriteCSV(&b, inv); err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records[1:] {
		for i, cell := range r {
			if cell == "" || !strings.ContainsRune("=+-@", rune(cell[0])) {
				continue
			}
			if name := records[0][i]; name != "rate_usd" && name != "amount_usd" {
				t.Errorf("%s: %q", name, cell)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	raw, err := json.Marshal(Invoice{Number: "2026-000001", Lines: []Line{{Kind: Rent, Amount: 5}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"lines":[{"amount_usd":1e400}],"total_usd":-0}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		inv, err := Read(data)
		if err != nil {
			return
		}
		if _, err := json.Marshal(inv); err != nil {
			t.Fatal(err)
		}
	})
}
