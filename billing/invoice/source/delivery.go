package source

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"switchyard/billing/contract"
	"switchyard/billing/invoice"
	"switchyard/billing/sla"
	"switchyard/billing/usage"
	"switchyard/unit"
)

// delivery assesses the month's promise and what is paid for power taken back.
func (s *Source) delivery(ctx context.Context, in *invoice.In, stretches []contract.Stretch) error {
	wanted := slices.ContainsFunc(stretches, func(x contract.Stretch) bool { return x.Version.SLA != nil || x.Version.Curtail != nil })
	if !wanted {
		return nil
	}
	events, err := s.events(ctx, in)
	if err != nil {
		return err
	}
	assess(in, stretches, events, s.now())
	return nil
}

// events are the tenant's of the calendar year up to the month's end.
func (s *Source) events(ctx context.Context, in *invoice.In) ([]usage.Event, error) {
	zone := in.Contract.Location()
	year := contract.Date{Year: in.Period.From.In(zone).Year(), Month: time.January, Day: 1}.In(zone)
	return s.record.Events(ctx, in.Contract.Tenant, year, in.Period.To)
}

// Promise assesses what was promised to a tenant in a month, with what is known now and as its bill
// does: a finding for each promise that is measured. most is the most that is promised at all.
func (s *Source) Promise(ctx context.Context, tenant, month string) (all []sla.Finding, most unit.Ratio, err error) {
	c, err := s.Contract(tenant)
	if err != nil {
		return nil, 0, err
	}
	stretches, err := c.Month(month)
	if err != nil {
		return nil, 0, err
	}
	for _, x := range stretches {
		if v := x.Version.SLA; v != nil {
			most = max(most, v.Availability)
		}
	}
	if most == 0 {
		return nil, 0, nil
	}
	in := invoice.In{Contract: c}
	if in.Period, err = invoice.PeriodOf(month, c.Location()); err != nil {
		return nil, 0, err
	}
	if err := s.rows(ctx, &in); err != nil {
		return nil, 0, err
	}
	events, err := s.events(ctx, &in)
	if err != nil {
		return nil, 0, err
	}
	return assess(&in, stretches, events, s.now()), most, nil
}

// measured returns the stretches with the promises alone that are measured, and what is to be said
// of the others.
func measured(stretches []contract.Stretch) (out []contract.Stretch, notes []string) {
	for _, x := range stretches {
		if v := x.Version.SLA; v != nil && !sla.Measured(x.Version.Kind) {
			x.Version.SLA = nil
			note := fmt.Sprintf("Availability of GPU time is not measured: of the %s promised nothing is said, and no credit is reckoned.", v.Availability)
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
		out = append(out, x)
	}
	return out, notes
}

// assess is delivery by the events of the calendar year. A month's stretches of one promise are
// assessed together: an amendment of something else does not make a promise of the month one of
// two weeks.
func assess(in *invoice.In, stretches []contract.Stretch, events []usage.Event, now time.Time) (all []sla.Finding) {
	stretches, notes := measured(stretches)
	in.Notes = append(in.Notes, notes...)
	parts := partsOf(stretches)
	var promised time.Duration // of the month
	var most unit.Ratio
	for _, p := range parts {
		if p[0].Version.SLA != nil {
			promised += p.length()
		}
	}
	for _, p := range parts {
		f := sla.Assess(p.input(in, events, now, promised))
		if len(p) == 1 {
			curtailed(in, p[0], f)
		} else {
			for _, x := range p { // each has its own price
				curtailed(in, x, sla.Assess(part{x}.input(in, events, now, promised)))
			}
		}
		if v := p[0].Version; v.SLA != nil {
			all, most = append(all, f), max(most, v.SLA.Availability)
			in.Notes = append(in.Notes, f.Notes...)
		}
	}
	in.Service = serviceOf(all, most)
	return all
}

// part is stretches of a month, one after the other, with one promise or none.
type part []contract.Stretch

func (p part) length() time.Duration { return p[len(p)-1].End.Sub(p[0].Start) }

// partsOf puts neighbours together that promise the same. The right to take power back may be
// another in each.
func partsOf(stretches []contract.Stretch) []part {
	var out []part
	for _, x := range stretches {
		if n := len(out); n > 0 {
			before := out[n-1][len(out[n-1])-1]
			if before.End.Equal(x.Start) && x.Version.SLA != nil && reflect.DeepEqual(before.Version.SLA, x.Version.SLA) {
				out[n-1] = append(out[n-1], x)
				continue
			}
		}
		out = append(out, part{x})
	}
	return out
}

// input is what a part is assessed by. Where the month has parts of other promises, what it
// excludes at the most is shared by their time: promised is the time of all of them.
func (p part) input(in *invoice.In, events []usage.Event, now time.Time, promised time.Duration) sla.Input {
	first, from, to := p[0].Version, p[0].Start, p[len(p)-1].End
	ask := sla.Input{Curtail: first.Curtail, Zone: in.Contract.Location(), From: from.UTC(), To: to.UTC(), Now: now, Events: events}
	if first.SLA != nil {
		ask.SLA = *first.SLA
		if most := ask.SLA.Maintenance; most > 0 && p.length() < promised {
			ask.SLA.Maintenance = max(time.Duration(float64(most)*float64(p.length())/float64(promised)).Round(time.Second), time.Second)
		}
	}
	for i, x := range p {
		ask.Rent += x.Rent()
		if i > 0 && !reflect.DeepEqual(p[i-1].Version.Curtail, x.Version.Curtail) {
			ask.Later = append(ask.Later, sla.Right{From: x.Start.UTC(), Curtail: x.Version.Curtail})
		}
	}
	for _, r := range in.Rows {
		if !r.Start.Before(from) && r.Start.Before(to) {
			ask.Rows = append(ask.Rows, r)
		}
	}
	return ask
}

// curtailed tells of a stretch's power taken back, which is paid for by its terms.
func curtailed(in *invoice.In, x contract.Stretch, f sla.Finding) {
	if x.Version.Curtail == nil || f.Curtailed == nil || f.Curtailed.NotDrawn <= 0 {
		return
	}
	in.Curtailed = append(in.Curtailed, invoice.Curtailed{
		From: f.From, To: f.Until, Energy: f.Curtailed.NotDrawn,
		Why: fmt.Sprintf("%s of the year's right of %s used until then", sla.Minutes(f.Curtailed.Before+f.Curtailed.Used), sla.Minutes(f.Curtailed.Right)),
	})
}

// serviceOf is the month's findings for the reader of the invoice; nil without a promise.
func serviceOf(all []sla.Finding, promised unit.Ratio) *invoice.Service {
	if len(all) == 0 {
		return nil
	}
	v := &invoice.Service{Promised: promised, Reached: 1}
	for _, f := range all {
		v.Counted += f.Counted()
		v.Lost += f.Lost()
		v.Credit += f.Credit.Amount
		v.Fees += f.Credit.Rent
		v.Share = f.Credit.Share
		v.Delivered += f.Delivered.Energy
		v.Wanted += f.Delivered.Wanted.Over(time.Duration(f.Delivered.Intervals) * length)
		for _, l := range f.Evidence {
			why := l.Verdict
			if l.Why != "" {
				why += "; " + strings.TrimSuffix(l.Why, ".")
			}
			if l.Excluded > 0 {
				v.Excluded = append(v.Excluded, invoice.Exclusion{From: l.Start, To: l.End, Why: why, Ref: l.Ref})
				continue
			}
			v.Breaches = append(v.Breaches, strings.TrimSpace(fmt.Sprintf("%s to %s, %s: %s %s", l.Start.UTC().Format(time.RFC3339), l.End.UTC().Format(time.RFC3339), l.Kind, why, l.Ref)))
		}
	}
	v.Wanted = max(v.Wanted, v.Delivered) // what was had was wanted, as of an interval that was seen in part
	if len(all) > 1 {
		v.Share = 0 // each stretch has its own
	}
	if v.Counted > 0 {
		v.Reached = unit.Ratio(float64(v.Counted-v.Lost) / float64(v.Counted))
	}
	return v
}
