package source

import (
	"slices"

	"switchyard/billing/invoice"
	"switchyard/sitefile"
)

func demandTariff(c sitefile.DemandCharge) invoice.Tariff {
	t := invoice.Tariff{Kind: invoice.DemandShare, Name: c.Name, Rate: c.Rate, Interval: c.Interval, Months: c.Months, Weekdays: c.Weekdays}
	if c.Daily != nil {
		t.From, t.To = c.Daily.From, c.Daily.To
	}
	return t
}

func peakTariff(c sitefile.CoincidentCharge) invoice.Tariff {
	return invoice.Tariff{Kind: invoice.PeakShare, Name: c.Name, Rate: c.Rate, Interval: c.Interval, Months: c.Months, Count: c.Count}
}

// chargesUnder are the site's charges by the terms given: the site file's, or as a month was billed
// by them. Which peaks are settled is no term: that is as the file knows it today, and so are
// coincident charges that the file did not have then.
func (s *Source) chargesUnder(under invoice.Terms) sitefile.Charges {
	if !under.Kept {
		return s.charges
	}
	out := sitefile.Charges{Coincident: slices.Clone(s.charges.Coincident)}
	for _, t := range under.Tariffs {
		if t.Kind == invoice.DemandShare {
			c := sitefile.DemandCharge{Name: t.Name, Rate: t.Rate, Interval: t.Interval, Months: t.Months, Weekdays: t.Weekdays}
			if t.From != "" || t.To != "" {
				c.Daily = &sitefile.Daily{From: t.From, To: t.To}
			}
			out.Demand = append(out.Demand, c)
			continue
		}
		for i := range out.Coincident {
			if c := &out.Coincident[i]; c.Name == t.Name {
				c.Rate, c.Interval, c.Months, c.Count = t.Rate, t.Interval, t.Months, t.Count
			}
		}
	}
	return out
}
