package invoice

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"switchyard/billing/contract"
	"switchyard/billing/usage"
	"switchyard/unit"
)

// rent makes the lines of colocation, one for each stretch of one rate and one load, and those
// of a net lease's operating costs.
func (b *bill) rent(s contract.Stretch) {
	for _, p := range s.Space {
		b.capacity(Rent, fmt.Sprintf("Critical load of %s, contract year %d", kilowatts(p.Critical), yearOf(s.Version, p.From)), p)
	}
	for _, p := range s.Upkeep {
		b.capacity(Upkeep, "Operating costs of a net lease, by critical load", p)
	}
}

func (b *bill) capacity(kind LineKind, text string, p contract.Piece) {
	from, to := p.From.In(b.zone).UTC(), p.To.In(b.zone).UTC()
	if p.Amount == 0 {
		return
	}
	b.add(Line{
		Kind: kind, Text: text + b.when(from, to), Quantity: quantity(p.Critical.Watts() / 1e3 * float64(p.Days) / float64(p.Of)),
		Unit: "kW-month", Rate: p.Rate.DollarsPerKWMonth(), Amount: p.Amount, Evidence: b.evidence(kind, from, to),
	})
}

// yearOf is the contract's year that a day falls in, from 1.
func yearOf(v contract.Version, day contract.Date) int {
	start := v.Start
	if start.IsZero() {
		start = v.From
	}
	n := day.Year - start.Year + 1
	if day.Month < start.Month || day.Month == start.Month && day.Day < start.Day {
		n--
	}
	return max(n, 1)
}

// overage is owed once a month, for the highest 15-minute mean above the critical load in
// service then; where terms change within the month, for what makes the most owed.
func (b *bill) overage() {
	var worst Line
	for _, s := range b.stretches {
		if s.Version.Colocation == nil || s.Version.Colocation.Overage == 0 {
			continue
		}
		rate := s.Version.Colocation.Overage
		for _, p := range s.Space {
			from, to := p.From.In(b.zone).UTC(), p.To.In(b.zone).UTC()
			peak, at := highest(between(b.in.Rows, from, to))
			owed := contract.OverageOwed(peak, p.Critical, rate)
			if owed <= worst.Amount {
				continue
			}
			worst = Line{
				Kind: Overage, Text: fmt.Sprintf("Highest 15-minute mean of %s, above the critical load of %s", kilowatts(peak), kilowatts(p.Critical)),
				Quantity: quantity((peak - p.Critical).Watts() / 1e3), Unit: "kW-month", Rate: rate.DollarsPerKWMonth(), Amount: owed,
				Evidence: b.evidence(Overage, from, to, fmt.Sprintf("the 15 minutes ended within the interval from %s", at.UTC().Format(time.RFC3339))),
			}
		}
	}
	if worst.Amount > 0 {
		b.add(worst)
	}
}

func highest(rows []usage.Row) (peak unit.Power, at time.Time) {
	for i := range rows {
		if rows[i].Peak > peak {
			peak, at = rows[i].Peak, rows[i].Start
		}
	}
	return peak, at
}

// passed is what a stretch of rows passes on.
type passed struct {
	energy  unit.Energy // as billed
	full    unit.Energy // before the bound on PUE
	cost    unit.Money
	pending int
	first   time.Time
}

// power passes energy on, with its losses, its adder and the bound on PUE, and the tenant's
// part of the charges on power.
func (b *bill) power(s contract.Stretch) error {
	if s.Version.Colocation == nil || s.Version.Colocation.Power == nil || s.Version.Colocation.Lease == "gross" {
		return nil
	}
	pass := s.Version.Colocation.Power
	sum := sumPower(pass, between(b.in.Rows, s.Start, s.End))
	if sum.pending > 0 {
		if !b.in.Draft {
			return &PendingError{Month: b.in.Period.Month, N: sum.pending, First: sum.first}
		}
		b.note("%d intervals wait for a price and are not in the energy billed.", sum.pending)
	}
	text, notes := "Energy at cost, mean price", []string(nil)
	if pass.Losses {
		text = "Energy at cost with losses up to the revenue meter, mean price"
	}
	if sum.energy != sum.full {
		notes = append(notes, fmt.Sprintf("%s at the revenue meter, bounded by a PUE of %s", megawattHours(sum.full), strconv.FormatFloat(pass.PUECap, 'f', -1, 64)))
		text += ", PUE bounded at " + strconv.FormatFloat(pass.PUECap, 'f', -1, 64)
	}
	if sum.energy != 0 || sum.cost != 0 {
		q := quantity(sum.energy.MegawattHours())
		b.add(Line{
			Kind: Energy, Text: text + b.when(s.Start, s.End), Quantity: q, Unit: "MWh", Rate: mean(sum.cost, q), Amount: sum.cost,
			Evidence: b.evidence(Energy, s.Start.UTC(), s.End.UTC(), notes...),
		})
	}
	if pass.Adder != 0 && sum.energy != 0 {
		b.add(Line{
			Kind: Energy, Text: "Adder on energy passed through" + b.when(s.Start, s.End), Quantity: quantity(sum.energy.MegawattHours()), Unit: "MWh",
			Rate: pass.Adder.DollarsPerMWh(), Amount: pass.Adder.Cost(sum.energy), Evidence: b.evidence(Energy, s.Start.UTC(), s.End.UTC(), notes...),
		})
	}
	b.charges(s, pass)
	return nil
}

// sumPower sums what rows pass on. Where losses are not the tenant's an interval costs what
// its critical energy is of the billed one. The bound on PUE is on the stretch's whole
// energy: an idle quarter of an hour does not break it.
func sumPower(pass *contract.Pass, rows []usage.Row) passed {
	var p passed
	var critical unit.Energy
	for i := range rows {
		r := &rows[i]
		energy, cost := r.Billed, r.Cost.V
		if !pass.Losses {
			energy, cost = r.Critical, share(r.Cost.V, int64(r.Critical), int64(r.Billed))
		}
		if !r.Cost.OK {
			if energy != 0 {
				if p.pending++; p.pending == 1 {
					p.first = r.Start
				}
			}
			continue
		}
		critical += r.Critical
		p.full += energy
		p.cost += cost
	}
	if p.energy = pass.Billable(critical, p.full); p.energy < p.full {
		p.cost = share(p.cost, int64(p.energy), int64(p.full))
	}
	return p
}

// charges makes the lines of the tenant's part of demand and coincident-peak charges.
func (b *bill) charges(s contract.Stretch, pass *contract.Pass) {
	for _, c := range b.in.Charges {
		if c.At.Before(s.Start) || !c.At.Before(s.End) || c.Kind == DemandShare && !pass.Demand || c.Kind == PeakShare && !pass.Coincident {
			continue
		}
		amount := contract.PartOf(c.Amount, c.Tenant, c.Site)
		if amount == 0 {
			continue
		}
		kw, span := quantity(c.Tenant.Watts()/1e3), c.Span
		if span <= 0 {
			span = 15 * time.Minute
		}
		b.add(Line{
			Kind: c.Kind, Text: fmt.Sprintf("Share of %s by power at the peak of %s", c.Name, c.At.In(b.zone).Format("2 January 15:04")),
			Quantity: kw, Unit: "kW", Rate: mean(amount, kw), Amount: amount,
			Evidence: b.evidence(c.Kind, c.At, c.At.Add(span),
				fmt.Sprintf("%s of the site's %s; the site's charge is %s", kilowatts(c.Tenant), kilowatts(c.Site), c.Amount)),
		})
	}
}

// kilowatts prints a power as the trade does: "60,000 kW".
func kilowatts(p unit.Power) string { return grouped(p.Watts()/1e3) + " kW" }

func megawattHours(e unit.Energy) string { return grouped(e.MegawattHours()) + " MWh" }

// grouped prints a figure with up to three decimals and commas between thousands.
func grouped(f float64) string {
	text := strconv.FormatFloat(f, 'f', 3, 64)
	whole, rest, _ := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest = strings.TrimRight(rest, "0"); rest != "" {
		whole += "." + rest
	}
	return sign + whole
}
