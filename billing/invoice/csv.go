package invoice

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// WriteCSV writes one record for each line of the invoice, with a header. Text that a
// spreadsheet would take for a formula gets an apostrophe before it; figures are plain.
func WriteCSV(w io.Writer, inv Invoice) error {
	c := csv.NewWriter(w)
	records := [][]string{{
		"invoice", "tenant", "contract", "month", "from", "to", "issued", "due", "line", "kind", "description", "quantity", "unit", "rate_usd",
		"amount_usd", "intervals", "estimated", "missing", "sha256", "link", "corrects_invoice", "corrects_month", "corrects_kind",
	}}
	name := inv.Number
	if inv.Draft {
		name = "draft"
	}
	for i, l := range inv.Lines {
		var of Corrects
		if l.Corrects != nil {
			of = *l.Corrects
		}
		records = append(records, []string{
			safe(name), safe(inv.Tenant), safe(inv.Contract), inv.Period.Month,
			stamp(l.Evidence.From), stamp(l.Evidence.To), stamp(inv.Issued), stamp(inv.Due),
			strconv.Itoa(i + 1), safe(string(l.Kind)), safe(l.Text), figure(l.Quantity), safe(l.Unit), figure(l.Rate), Decimal(l.Billed(), 2),
			strconv.Itoa(l.Evidence.Intervals), strconv.Itoa(l.Evidence.Estimated), strconv.Itoa(l.Evidence.Missing), l.Evidence.SHA256, safe(l.Evidence.Link),
			safe(of.Number), safe(of.Month), safe(string(of.Kind)),
		})
	}
	if err := c.WriteAll(records); err != nil {
		return fmt.Errorf("write invoice %s: %w", inv.Number, err)
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func figure(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// safe keeps a spreadsheet from running text as a formula.
func safe(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}
