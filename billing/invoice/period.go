package invoice

import (
	"fmt"
	"time"

	"switchyard/billing/contract"
)

// PeriodOf returns the month "2026-10" as it begins and ends in the zone; nil means UTC.
func PeriodOf(month string, zone *time.Location) (Period, error) {
	if zone == nil {
		zone = time.UTC
	}
	from, to, err := contract.MonthOf(zone, month)
	if err != nil {
		return Period{}, err
	}
	return Period{Month: month, From: from.UTC(), To: to.UTC()}, nil
}

// Middle is a moment of the month that lies in it in every time zone, as its first one does not.
func (p Period) Middle() time.Time { return p.From.Add(p.To.Sub(p.From) / 2) }

// Name is the month as people write it: "October 2026".
func (p Period) Name() string {
	t, err := time.Parse("2006-01", p.Month)
	if err != nil {
		return p.Month
	}
	return t.Format("January 2006")
}

// version returns the terms in force at a moment of the month: those of the stretch that holds
// it, or of the last one.
func (b *bill) version(at time.Time) contract.Version {
	for _, s := range b.stretches {
		if at.Before(s.End) {
			return s.Version
		}
	}
	return b.stretches[len(b.stretches)-1].Version
}

// when names a stretch that is not the whole month.
func (b *bill) when(from, to time.Time) string {
	if !from.After(b.in.Period.From) && !to.Before(b.in.Period.To) {
		return ""
	}
	first, last := from.In(b.zone), to.Add(-time.Second).In(b.zone)
	if first.Day() == last.Day() {
		return ", " + first.Format("2 January")
	}
	return fmt.Sprintf(", %d to %s", first.Day(), last.Format("2 January"))
}
