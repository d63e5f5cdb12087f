package invoicecmd

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"switchyard/billing/invoice"
	"switchyard/billing/invoice/paper"
	"switchyard/cmd/switchyard/table"
)

func render(w io.Writer, inv invoice.Invoice, in flags) error {
	switch in.format {
	case "json":
		return invoice.WriteJSON(w, inv)
	case "csv":
		return invoice.WriteCSV(w, inv)
	case "pdf":
		doc, err := paper.PDF(inv, paper.Size(in.paper))
		if err != nil {
			return err
		}
		_, err = w.Write(doc)
		return err
	}
	text(w, inv)
	return nil
}

// text prints the invoice for a terminal.
func text(w io.Writer, inv invoice.Invoice) {
	name := "Invoice " + inv.Number
	if inv.Draft {
		name = "Draft, no invoice"
	}
	zone := time.UTC
	if z, err := time.LoadLocation(inv.Zone); err == nil {
		zone = z
	}
	fmt.Fprintf(w, "%s: %s for %s, contract %s, of %s, due %s\n\n", name, inv.Customer.Name, inv.Period.Name(), inv.Contract,
		inv.Issued.In(zone).Format(time.DateOnly), inv.Due.In(zone).Format(time.DateOnly))
	t := table.New("line", ">quantity", "unit", ">rate $", ">amount $", ">intervals")
	for _, l := range inv.Lines {
		n := strconv.Itoa(l.Evidence.Intervals)
		if bad := l.Evidence.Estimated + l.Evidence.Missing; bad > 0 {
			n += fmt.Sprintf(" (%d not measured)", bad)
		}
		t.Add(l.Text, figure(l.Quantity), l.Unit, figure(l.Rate), invoice.Decimal(l.Billed(), 2), n)
	}
	t.Print(w, 0)
	fmt.Fprintf(w, "\nTotal %s\n", inv.Total)
	for _, n := range inv.Notes {
		fmt.Fprintf(w, "Note: %s\n", n)
	}
}

func figure(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func writeList(w io.Writer, all []invoice.Heading) error {
	type heading struct {
		Number string      `json:"number"`
		Tenant string      `json:"tenant"`
		Month  string      `json:"month"`
		Issued time.Time   `json:"issued"`
		Total  json.Number `json:"total_usd"`
	}
	out := []heading{}
	for _, h := range all {
		out = append(out, heading{h.Number, h.Tenant, h.Month, time.Unix(h.Issued, 0).UTC(), json.Number(invoice.Decimal(h.Total, 2))})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("print the invoices: %w", err)
	}
	return nil
}
