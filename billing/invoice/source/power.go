package source

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"switchyard/billing/contract"
	"switchyard/billing/invoice"
	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/telemetry"
	"switchyard/unit"
)

const length = telemetry.Length

// power finds the month's charges on power and the tenant's part in them.
func (s *Source) power(ctx context.Context, in *invoice.In, stretches []contract.Stretch, charges sitefile.Charges) error {
	demand, coincident := false, false
	for _, x := range stretches {
		if x.Version.Colocation != nil && x.Version.Colocation.Power != nil {
			demand = demand || x.Version.Colocation.Power.Demand
			coincident = coincident || x.Version.Colocation.Power.Coincident
		}
	}
	demand, coincident = demand && len(charges.Demand) > 0, coincident && len(charges.Coincident) > 0
	if !demand && !coincident {
		return nil
	}
	list, err := s.metered(ctx, in.Period.From, in.Period.To)
	if err != nil {
		return err
	}
	if demand {
		for _, c := range charges.Demand {
			in.Tariffs = append(in.Tariffs, demandTariff(c))
			if charge, ok := Demand(c, in.Period, s.zone, list, in.Rows); ok {
				in.Charges = append(in.Charges, charge)
			}
		}
	}
	if !coincident {
		return nil
	}
	for _, c := range charges.Coincident {
		in.Tariffs = append(in.Tariffs, peakTariff(c))
		if !counts(c.Months, in.Period.Middle()) {
			continue
		}
		at, known, err := s.peaks(ctx, c, in.Period.From, in.Period.To)
		if err != nil {
			return err
		}
		if !known {
			in.Notes = append(in.Notes, fmt.Sprintf("The month's peaks of %s are not settled: its share follows on a later invoice.", c.Name))
			continue
		}
		in.Charges = append(in.Charges, Coincident(c, at, list, in.Rows)...)
	}
	return nil
}

// metered returns the site's balances of a month; those asked for last are kept.
func (s *Source) metered(ctx context.Context, from, to time.Time) ([]usage.Balance, error) {
	mark, err := s.record.Mark(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := &s.balances; !k.from.Equal(from) || !k.to.Equal(to) || k.mark != mark {
		list, err := s.record.Balances(ctx, from, to)
		if err != nil {
			return nil, err
		}
		*k = kept{from, to, mark, list}
	}
	return s.balances.list, nil
}

// Demand is a month's demand charge: its rate on the highest mean power of the charge's
// interval, among those that count, with the tenant's mean power in that same interval. It is
// none where the month does not count or no interval is wholly in the record. What is estimated
// sets it only where nothing was measured: a meter that was silent for an hour tells of that hour
// at once, and the supplier's own meter knows no such peak.
func Demand(c sitefile.DemandCharge, p invoice.Period, zone *time.Location, list []usage.Balance, rows []usage.Row) (invoice.Charge, bool) {
	if !counts(c.Months, p.Middle()) {
		return invoice.Charge{}, false
	}
	span := c.Interval
	if span < length {
		span = 15 * time.Minute
	}
	peak, at := highest(c, zone, list, span, site.Measured)
	if peak <= 0 {
		peak, at = highest(c, zone, list, span, site.Estimated)
	}
	if peak <= 0 {
		return invoice.Charge{}, false
	}
	return invoice.Charge{Kind: invoice.DemandShare, Name: named(c.Name, "demand charge"), At: at, Span: span, Amount: c.Rate.Rent(peak, 1, 1), Tenant: tenantMean(rows, at, span), Site: peak}, true
}

// highest returns the highest mean over a span that counts, of those no worse than q.
func highest(c sitefile.DemandCharge, zone *time.Location, list []usage.Balance, span time.Duration, q site.Quality) (peak unit.Power, at time.Time) {
	for i := range list {
		start := list[i].Start
		if !start.Equal(start.Truncate(span)) || !inHours(c, start.In(zone)) {
			continue
		}
		if mean, worst, ok := siteMean(list, start, span); ok && worst <= q && mean > peak {
			peak, at = mean, start
		}
	}
	return peak, at
}

// Settled returns the peaks in [from, to) that the site file lists; known once all are there.
func Settled(_ context.Context, c sitefile.CoincidentCharge, from, to time.Time) (at []time.Time, known bool, err error) {
	for _, t := range c.Settled {
		if !t.Before(from) && t.Before(to) {
			at = append(at, t)
		}
	}
	return at, len(at) >= max(c.Count, 1), nil
}

// Coincident is what the site owes for each of a month's peaks: the year's rate is on the mean
// of all its peaks' powers, so that each peak bears its part of the year's rate on its own power.
func Coincident(c sitefile.CoincidentCharge, at []time.Time, list []usage.Balance, rows []usage.Row) []invoice.Charge {
	span := c.Interval
	if span < length {
		span = 15 * time.Minute
	}
	months := len(c.Months)
	if months == 0 {
		months = 4
	}
	peaks := months * max(c.Count, 1)
	var out []invoice.Charge
	for _, t := range at {
		t = t.Truncate(span)
		power, _, ok := siteMean(list, t, span)
		if !ok || power <= 0 {
			continue
		}
		out = append(out, invoice.Charge{
			Kind: invoice.PeakShare, Name: named(c.Name, "coincident-peak charge"), At: t, Span: span, Amount: c.Rate.Rent(power, 12, time.Duration(peaks)),
			Tenant: tenantMean(rows, t, span), Site: power,
		})
	}
	return out
}

func named(name, or string) string {
	if name == "" {
		return or
	}
	return name
}

// siteMean is the mean power over a span, and the worst quality in it.
func siteMean(list []usage.Balance, from time.Time, span time.Duration) (mean unit.Power, worst site.Quality, ok bool) {
	i := sort.Search(len(list), func(i int) bool { return !list[i].Start.Before(from) })
	n := int(span / length)
	if n == 0 || i+n > len(list) {
		return 0, 0, false
	}
	var sum unit.Energy
	for k := range n {
		if !list[i+k].Start.Equal(from.Add(time.Duration(k) * length)) {
			return 0, 0, false
		}
		sum += list[i+k].Meter
		worst = max(worst, list[i+k].Quality)
	}
	return sum.Mean(span), worst, true
}

func tenantMean(rows []usage.Row, from time.Time, span time.Duration) unit.Power {
	var sum unit.Energy
	for i := sort.Search(len(rows), func(i int) bool { return !rows[i].Start.Before(from) }); i < len(rows) && rows[i].Start.Before(from.Add(span)); i++ {
		sum += rows[i].Billed
	}
	return sum.Mean(span)
}

func counts(months []int, t time.Time) bool {
	return len(months) == 0 || slices.Contains(months, int(t.Month()))
}

// inHours says whether a local time is one at which the charge is set; hours that end before
// they begin run past midnight, and are of the day they began on.
func inHours(c sitefile.DemandCharge, t time.Time) bool {
	day := t
	if c.Daily != nil {
		from, err1 := sitefile.ParseTimeOfDay(c.Daily.From)
		to, err2 := sitefile.ParseTimeOfDay(c.Daily.To)
		if err1 != nil || err2 != nil {
			return true // sitefile has refused it
		}
		of := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
		late := to <= from && of < to
		if from < to && (of < from || of >= to) || to <= from && of < from && !late {
			return false
		}
		if late {
			day = t.AddDate(0, 0, -1)
		}
	}
	return !c.Weekdays || day.Weekday() != time.Saturday && day.Weekday() != time.Sunday
}
