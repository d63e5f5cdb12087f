package invoice

import (
	"fmt"
	"strings"
	"time"

	"switchyard/billing/contract"
	"switchyard/unit"
)

// curtailments makes the line of what is paid for power taken back, one for each price.
func (b *bill) curtailments() {
	for _, s := range b.stretches {
		if s.Version.Curtail == nil || s.Version.Curtail.Price == 0 {
			continue
		}
		var energy unit.Energy
		var notes []string
		for _, c := range b.in.Curtailed {
			if c.From.Before(s.Start) || !c.From.Before(s.End) || c.Energy <= 0 {
				continue
			}
			energy += c.Energy
			notes = append(notes, strings.TrimSpace(fmt.Sprintf("%s to %s: %s not drawn, %s %s", c.From.UTC().Format(time.RFC3339),
				c.To.UTC().Format(time.RFC3339), megawattHours(c.Energy), c.Why, c.Ref)))
		}
		owed := s.Version.Curtail.CurtailmentPayment(energy)
		if owed == 0 {
			continue
		}
		b.add(Line{
			Kind: Curtailment, Text: "Payment for power taken back under the curtailment right" + b.when(s.Start, s.End),
			Quantity: quantity(energy.MegawattHours()), Unit: "MWh", Rate: -s.Version.Curtail.Price.DollarsPerMWh(), Amount: -owed,
			Evidence: b.evidence(Curtailment, s.Start, s.End, notes...),
		})
	}
}

// sla makes the line of the credit that follows from the month's delivery, claimed or not.
func (b *bill) sla() {
	v := b.in.Service
	if v == nil || v.Credit <= 0 {
		return
	}
	l := Line{
		Kind: SLACredit, Text: fmt.Sprintf("Service credit: availability %s, promised %s", percent(v.Reached), percent(v.Promised)),
		Quantity: 1, Unit: "month", Rate: -v.Credit.Dollars(), Amount: -v.Credit,
		Evidence: b.evidence(SLACredit, b.in.Period.From, b.in.Period.To, v.Breaches...),
	}
	if v.Share > 0 {
		l.Text += fmt.Sprintf("; %s of the month's fees", v.Share)
	}
	for _, x := range v.Excluded {
		l.Evidence.Notes = append(l.Evidence.Notes, strings.TrimSpace(fmt.Sprintf("excluded: %s to %s, %s %s",
			x.From.UTC().Format(time.RFC3339), x.To.UTC().Format(time.RFC3339), x.Why, x.Ref)))
	}
	b.add(l)
}

// percent prints an availability as the trade does: "99.950 %", cut off and never rounded up
// to a promise that was not kept.
func percent(r unit.Ratio) string {
	thousandths := int64(float64(r)*1e5 + 1e-6)
	return fmt.Sprintf("%d.%03d %%", thousandths/1000, thousandths%1000)
}

// taxes makes the tax lines of lines, one for each rate. The base is what is billed, credits
// off, without what was paid ahead (a payment is no discount) and without corrections, whose
// tax is a correction of its own.
func (b *bill) taxes(lines []Line) []Line {
	type rate struct {
		of   unit.Ratio
		name string
	}
	base, from, to := map[rate]unit.Money{}, map[rate]time.Time{}, map[rate]time.Time{}
	var order []rate
	for _, l := range lines {
		if l.Kind == Correction || l.Kind == Tax || l.Kind == PrepayCredit {
			continue
		}
		v := b.version(l.Evidence.From)
		r := rate{v.TaxRate, v.TaxName}
		if r.of == 0 {
			continue
		}
		if _, ok := base[r]; !ok {
			order = append(order, r)
			from[r], to[r] = l.Evidence.From, l.Evidence.To
		}
		base[r] += l.Billed()
		if l.Evidence.From.Before(from[r]) {
			from[r] = l.Evidence.From
		}
		if l.Evidence.To.After(to[r]) {
			to[r] = l.Evidence.To
		}
	}
	var out []Line
	for _, r := range order {
		name := r.name
		if name == "" {
			name = "Tax"
		}
		if base[r] == 0 {
			continue
		}
		out = append(out, Line{
			Kind: Tax, Text: fmt.Sprintf("%s, %s of %s", name, r.of, base[r]), Quantity: base[r].Dollars(), Unit: "$", Rate: float64(r.of),
			Amount: contract.ShareOf(base[r], r.of), Evidence: b.evidence(Tax, from[r], to[r]),
		})
	}
	return out
}

// prepayment credits what was paid ahead: up to its share of the month's rent, no more than is
// left of it and no more than is owed.
func (b *bill) prepayment() {
	var due unit.Money
	for _, l := range b.lines {
		due += l.Billed()
	}
	left := b.in.Prepaid
	for _, s := range b.stretches {
		pre := s.Version.Prepayment
		if pre == nil || left <= 0 || due <= 0 {
			continue
		}
		rent := s.Rent()
		take := Cents(pre.Take(left, rent))
		if take > left || take > due {
			take = min(left, due) / cent * cent
		}
		if take <= 0 {
			continue
		}
		left, due = left-take, due-take
		b.add(Line{
			Kind: PrepayCredit, Text: fmt.Sprintf("From what was paid ahead: up to %s of %s; %s is left", pre.Share, rent, left) + b.when(s.Start, s.End),
			Quantity: 1, Unit: "month", Rate: -take.Dollars(), Amount: -take,
			Evidence: b.evidence(PrepayCredit, s.Start, s.End, fmt.Sprintf("%s paid on %s", pre.Amount, pre.Paid)),
		})
	}
}
