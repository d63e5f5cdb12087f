package invoice

import (
	"errors"
	"fmt"

	"switchyard/unit"
)

// measured are the kinds that follow from what is measured or found; late data can change only
// these. All else follows from the contract alone and is never corrected.
func measured() []LineKind {
	return []LineKind{Energy, DemandShare, PeakShare, Overage, GPUOnDemand, GPUInterrupt, Curtailment, SLACredit}
}

// corrections makes a line for each month and kind whose bill would come out otherwise today:
// the difference to all that was billed for it until now. It returns what still waits for a price.
func (b *bill) corrections() (waits *PendingError, err error) {
	for _, e := range b.in.Earlier {
		if e.Invoice.Rows != "" && e.Invoice.Rows == e.Today.rows(HashRows(between(e.Today.Rows, e.Today.Period.From, e.Today.Period.To))) && len(e.Since) == 0 {
			continue // nothing came late
		}
		lines, err := b.again(e)
		switch {
		case errors.As(err, &waits):
			b.note("%s has late data that waits for a price: a correction follows on a later invoice.", e.Invoice.Period.Name())
			continue
		case err != nil:
			return nil, fmt.Errorf("correct %s: %w", e.Invoice.Number, err)
		}
		b.lines = append(b.lines, lines...)
	}
	return waits, nil
}

// again bills an earlier month with today's data and returns the lines of the differences.
func (b *bill) again(e Earlier) ([]Line, error) {
	in := e.Today
	in.Earlier, in.Prepaid, in.Draft, in.Now = nil, 0, false, b.in.Now
	today, err := begin(in)
	if err != nil {
		return nil, err
	}
	if n := len(today.stretches); n == 0 || len(e.Invoice.Terms) == 0 && today.stretches[n-1].Version.From != e.Invoice.Version {
		return nil, e.lost()
	}
	if err := today.use(); err != nil {
		return nil, err
	}
	// What the contract alone makes owed stays as it was billed, whatever the contract says today.
	late := map[LineKind]bool{}
	for _, k := range measured() {
		late[k] = true
	}
	var base []Line
	for _, l := range e.Invoice.Lines {
		if !late[l.Kind] && l.Kind != Tax {
			base = append(base, l)
		}
	}
	for _, l := range today.lines {
		if late[l.Kind] {
			base = append(base, l)
		}
	}
	now, was := sums(base), sums(e.Invoice.Lines)
	for k, m := range sums(today.taxes(base)) {
		now[k] = m
	}
	if was[Tax] == 0 && now[Tax] != 0 && !taxed(e.Invoice) {
		now[Tax] = 0 // a tax that came later is not owed for then
	}
	var out []Line
	for _, k := range append(measured(), Tax) {
		billed := was[k] + e.Since[k]
		if diff := now[k] - billed; diff != 0 {
			out = append(out, today.correction(e, k, billed, now[k], diff))
		}
	}
	return out, nil
}

// taxed says whether an invoice bore tax, or had nothing to bear it.
func taxed(inv Invoice) bool {
	var base unit.Money
	for _, l := range inv.Lines {
		if l.Kind == Tax {
			return true
		}
		if l.Kind != Correction && l.Kind != PrepayCredit {
			base += l.Billed()
		}
	}
	return base == 0
}

// sums adds up what lines bill, by kind.
func sums(lines []Line) map[LineKind]unit.Money {
	out := map[LineKind]unit.Money{}
	for _, l := range lines {
		out[l.Kind] += l.Billed()
	}
	return out
}

func (b *bill) correction(e Earlier, k LineKind, billed, now, diff unit.Money) Line {
	p := e.Invoice.Period
	ev := b.evidence(k, p.From, p.To, fmt.Sprintf("billed until now %s, by what is known today %s", billed, now))
	for _, l := range e.Invoice.Lines {
		if l.Kind == k && l.Evidence.SHA256 != "" {
			ev.Notes = append(ev.Notes, "the rows were, when it was issued: "+l.Evidence.SHA256)
			break
		}
	}
	return Line{
		Kind: Correction, Text: fmt.Sprintf("Correction of %s, %s: readings came after invoice %s", p.Name(), k.Title(), e.Invoice.Number),
		Quantity: 1, Unit: "month", Rate: diff.Dollars(), Amount: diff, Evidence: ev,
		Corrects: &Corrects{Number: e.Invoice.Number, Month: p.Month, Kind: k},
	}
}

// Title is the kind as people call it on paper: "energy", "demand charge".
func (k LineKind) Title() string {
	switch k {
	case GPUReserved:
		return "reserved GPU time"
	case GPUOnDemand:
		return "GPU time on demand"
	case GPUInterrupt:
		return "interruptible GPU time"
	case DemandShare:
		return "demand charge"
	case PeakShare:
		return "coincident-peak charge"
	case Curtailment:
		return "curtailment payment"
	case SLACredit:
		return "service credit"
	}
	return string(k)
}
