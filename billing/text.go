package billing

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"switchyard/unit"
)

// Text prints the report as a table for a terminal.
func (r Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Day %s (%s), %s to %s UTC: %d of %d intervals", r.Date, r.Zone,
		r.From.Format("2006-01-02 15:04"), r.To.Format("2006-01-02 15:04"), r.Intervals, r.Expected)
	if r.Complete {
		b.WriteString(", complete\n\n")
	} else {
		b.WriteString(", not complete\n\n")
	}
	rows := [][]string{{"hall", "MWh", "mining $", "hosting $", "energy $", "penalty $", "profit $", "$/MWh", "quality"}}
	var sum Hall
	for _, h := range r.Halls {
		rows = append(rows, h.row())
		sum.Energy += h.Energy
		sum.Mining += h.Mining
		sum.Hosting += h.Hosting
		sum.EnergyCost += h.EnergyCost
		sum.Penalty += h.Penalty
	}
	for _, l := range r.Losses {
		rows = append(rows, []string{"losses of " + l.Name, mwh(l.Energy), "", "", "", "", "", "", "cost is in the halls'"})
		sum.Energy += l.Energy
	}
	rows = append(rows, []string{
		"remainder", mwh(r.Remainder), "", "", usd(r.RemainderCost), "", usd(-r.RemainderCost), "",
		fmt.Sprintf("%.3f %% of the meter", r.RemainderPercent()),
	})
	sum.Energy += r.Remainder
	sum.EnergyCost += r.RemainderCost
	sum.Profit = sum.Mining + sum.Hosting - sum.EnergyCost - sum.Penalty
	sum.ID, sum.Name, sum.PerMWh = "total", "total", perMWh(sum.Profit, r.Energy)
	rows = append(rows, nil, sum.row())
	table(&b, rows)
	fmt.Fprintf(&b, "\nConnection's meter  %s MWh", mwh(r.Energy))
	if sum.Energy == r.Energy {
		b.WriteString(", which the lines above sum to\n")
	} else {
		fmt.Fprintf(&b, "; the lines above sum to %s MWh\n", mwh(sum.Energy))
	}
	fmt.Fprintf(&b, "Revenue %s, cost %s, profit %s\n", r.Revenue, r.Cost, r.Profit)
	if r.Short > 0 {
		fmt.Fprintf(&b, "Firm energy not delivered: %s MWh\n", mwh(r.Short))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "Note: %s\n", n)
	}
	return b.String()
}

func (h Hall) row() []string {
	return []string{
		h.Name, mwh(h.Energy), usd(h.Mining), usd(h.Hosting), usd(h.EnergyCost), usd(h.Penalty), usd(h.Profit),
		fmt.Sprintf("%.2f", h.PerMWh.DollarsPerMWh()), h.Quality,
	}
}

func mwh(e unit.Energy) string { return fmt.Sprintf("%.3f", e.MegawattHours()) }

func usd(m unit.Money) string { return strings.Replace(m.String(), "$", "", 1) }

// table aligns columns: the first and the last to the left, figures to the right. A nil row is a rule.
func table(b *strings.Builder, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, w := range width {
			cell := strings.Repeat("-", w)
			if row != nil {
				cell = row[i]
			}
			pad := strings.Repeat(" ", w-utf8.RuneCountInString(cell))
			if i > 0 {
				line.WriteString("  ")
			}
			if i == 0 || i == len(width)-1 {
				line.WriteString(cell + pad)
			} else {
				line.WriteString(pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}
