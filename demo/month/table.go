package month

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"switchyard/billing/invoice"
	"switchyard/unit"
)

// WriteTable writes both sides of the month and how far they are apart.
func (r *Result) WriteTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s, simulated in %.0f s\tbooks\tas it was\tdifference\t\n", r.Month, r.Took.Seconds())
	line := func(what string, books, was float64, unit string) {
		fmt.Fprintf(w, "%s, %s\t%.3f\t%.3f\t%.4f %%\t\n", what, unit, books, was, 100*apart(books, was))
	}
	b := r.Balance
	line("tenants + mining + house + remainder against the revenue meter", kWh(b.Tenants+b.Mining+b.House+b.Remainder), kWh(r.Register), "kWh")
	for _, id := range []string{acme, boreal, cirrus} {
		u, t := r.Rows[id], r.Truth[id]
		line(id+" at its own meter", kWh(u.Critical), kWh(r.Registers[id]), "kWh")
		line(id+", losses to the revenue meter", kWh(u.Losses), kWh(t.Losses), "kWh")
		line(id+", part of the cooling", kWh(u.House), kWh(t.House), "kWh")
		billed, _ := quantity(r.Invoices[id], invoice.Energy)
		line(id+" as invoiced", 1e3*billed, kWh(t.Own+t.Losses+t.House), "kWh")
	}
	line(serve+", reserved and used", r.Rows[serve].GPUs.Reserved, r.GPUs[serve].Reserved, "GPU-h")
	more, _ := quantity(r.Invoices[serve], invoice.GPUOnDemand)
	line(serve+", on demand as invoiced", more, r.GPUs[serve].OnDemand, "GPU-h")
	spot, _ := quantity(r.Invoices[lab], invoice.GPUInterrupt)
	line(lab+", interruptible as invoiced", spot, r.GPUs[lab].Interruptible, "GPU-h")
	line("highest quarter of an hour", r.demand(), r.Peak.Watts()/1e3, "kW")
	for _, id := range []string{acme, boreal, cirrus, serve, lab} {
		inv := r.Invoices[id]
		fmt.Fprintf(w, "%s %s\t%s\t\t\t\n", inv.Number, id, inv.Total)
	}
	return w.Flush()
}

// demand is the site's power that the demand charge was billed by, in kW.
func (r *Result) demand() float64 {
	for _, l := range r.Invoices[acme].Lines {
		if l.Kind == invoice.DemandShare {
			var own, whole float64
			for _, n := range l.Evidence.Notes {
				_, _ = fmt.Sscanf(commaless(n), "%f kW of the site's %f kW", &own, &whole)
			}
			return whole
		}
	}
	return 0
}

func commaless(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] != ',' {
			out = append(out, s[i])
		}
	}
	return string(out)
}

func kWh(e unit.Energy) float64 { return float64(e) / 1e6 }

// apart is how far books is from what was, as a share of that.
func apart(books, was float64) float64 {
	if was == 0 {
		return math.Abs(books)
	}
	return math.Abs(books-was) / math.Abs(was)
}

// quantity is the quantity of an invoice's first line of a kind, and what all of them bill.
func quantity(inv invoice.Invoice, k invoice.LineKind) (first float64, sum unit.Money) {
	seen := false
	for _, l := range inv.Lines {
		if l.Kind == k {
			if !seen {
				first, seen = l.Quantity, true
			}
			sum += l.Billed()
		}
	}
	return first, sum
}
