package paper

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"switchyard/billing/invoice"
	"switchyard/unit"
)

func example(t testing.TB) invoice.Invoice {
	t.Helper()
	data, err := os.ReadFile("../testdata/invoice.json")
	if err != nil {
		t.Fatal(err)
	}
	var inv invoice.Invoice
	if err := json.Unmarshal(data, &inv); err != nil {
		t.Fatal(err)
	}
	return inv
}

// long is an invoice with everything and more of it than one page holds.
func long(t testing.TB) invoice.Invoice {
	inv := example(t)
	base := inv.Lines[0]
	for i := range 30 {
		l := base
		l.Kind, l.Text = invoice.Correction, fmt.Sprintf("Correction number %d of an earlier month with a description that is long enough to need more than one line of the table, Zażółć gęślą jaźń", i)
		l.Quantity, l.Rate, l.Amount = 1234567.891234, 7.901246914, -123_456_789*unit.Dollar
		l.Evidence.Notes = []string{strings.Repeat("x", 300), "billed until now $1.00"}
		inv.Lines = append(inv.Lines, l)
	}
	inv.Lines = append(inv.Lines,
		invoice.Line{Kind: invoice.Tax, Text: "Texas sales tax, 8.25 % of $9,617,942.35", Amount: 793_480 * unit.Dollar, Evidence: base.Evidence},
		invoice.Line{Kind: invoice.PrepayCredit, Text: "From what was paid ahead: up to 50 % of $7,500,000.00; $3,750,000.00 is left", Amount: -3_750_000 * unit.Dollar, Evidence: base.Evidence})
	inv.Total = 0
	for _, l := range inv.Lines {
		inv.Total += l.Billed()
	}
	inv.Notes = []string{"Estimated intervals: 3. When they are read, a correction follows on a later invoice."}
	return inv
}

func TestPDFIsTheSameEachTime(t *testing.T) {
	inv := example(t)
	first, err := PDF(inv, Auto)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, err := PDF(inv, Auto)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, again) {
			t.Fatal("the same invoice gave other bytes")
		}
	}
	other, err := PDF(inv, A4)
	if err != nil || bytes.Equal(first, other) {
		t.Error("the paper's size changes nothing", err)
	}
}

// Everything that the invoice says is on the paper, within its edges.
func TestPDFHoldsAll(t *testing.T) {
	tool, err := exec.LookPath("pdftotext")
	if err != nil {
		t.Skip("pdftotext is not installed")
	}
	for name, inv := range map[string]invoice.Invoice{"one": example(t), "long": long(t)} {
		for _, size := range []Size{A4, Letter} {
			doc, err := PDF(inv, size)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "invoice.pdf")
			if err := os.WriteFile(path, doc, 0o600); err != nil {
				t.Fatal(err)
			}
			if dir := os.Getenv("INVOICE_PDF"); dir != "" {
				if err := os.WriteFile(filepath.Join(dir, name+"-"+string(size)+".pdf"), doc, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, err := exec.CommandContext(t.Context(), tool, "-layout", path, "-").Output() //nolint:gosec // our own file
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(strings.Fields(string(out)), " ")
			want := []string{
				"Invoice 2026-000017", "North Creek Compute LLC", "Acme AI Inc.", "200 Example Street", "Page 1 of ", "October 2026", "MSA-2026-014",
				abs(inv.Total).String(), "Reached 99.798 %", "Evidence", inv.Lines[0].Evidence.SHA256, "line=energy", "Does not count",
			}
			if inv.Total < 0 {
				want[0] = "Credit note 2026-000017"
			}
			for _, l := range inv.Lines {
				want = append(want, l.Billed().String())
			}
			for _, w := range want {
				if !strings.Contains(text, w) {
					t.Errorf("%s on %s: %q is not on it", name, size, w)
				}
			}
		}
	}
}

// A draft says of nothing that it is due.
func TestADraftIsNotDue(t *testing.T) {
	tool, err := exec.LookPath("pdftotext")
	if err != nil {
		t.Skip("pdftotext is not installed")
	}
	inv := example(t)
	for _, draft := range []bool{true, false} {
		if inv.Draft = draft; draft {
			inv.Number = ""
		} else {
			inv.Number = "2026-000017"
		}
		doc, err := PDF(inv, A4)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "invoice.pdf")
		if err := os.WriteFile(path, doc, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), tool, "-layout", path, "-").Output() //nolint:gosec // our own file
		if err != nil {
			t.Fatal(err)
		}
		if text := string(out); strings.Contains(text, "Total due") == draft || strings.Contains(text, "Total so far") != draft {
			t.Errorf("draft %v: %s", draft, text)
		}
	}
}

func abs(m unit.Money) unit.Money { return max(m, -m) }
