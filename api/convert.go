package api

import (
	"switchyard/billing"
	"switchyard/journal"
)

// ReportOf is the book's report as the API tells it.
func ReportOf(r billing.Report) ReportView {
	v := ReportView{
		Date: r.Date, Complete: r.Complete, EnergyMWh: r.Energy.MegawattHours(), Lines: make([]ReportLine, 0, len(r.Halls)),
		Losses:       make([]ReportLoss, 0, len(r.Losses)),
		RemainderMWh: r.Remainder.MegawattHours(), RemainderPercent: r.RemainderPercent(),
		CostUSD: r.Cost.Dollars(), RevenueUSD: r.Revenue.Dollars(), ProfitUSD: r.Profit.Dollars(), Text: r.Text(),
	}
	for _, l := range r.Losses {
		v.Losses = append(v.Losses, ReportLoss{Node: l.Node, EnergyMWh: l.Energy.MegawattHours()})
	}
	for _, h := range r.Halls {
		v.Lines = append(v.Lines, ReportLine{
			Hall: h.ID, EnergyMWh: h.Energy.MegawattHours(), MiningUSD: h.Mining.Dollars(), HostingUSD: h.Hosting.Dollars(),
			EnergyUSD: h.EnergyCost.Dollars(), PenaltyUSD: h.Penalty.Dollars(), ProfitUSD: h.Profit.Dollars(),
			PerMWhUSD: h.PerMWh.DollarsPerMWh(), Quality: h.Quality,
		})
	}
	return v
}

// WhyOf is the journal's answer as the API tells it.
func WhyOf(ans journal.Answer) WhyView {
	v := WhyView{Device: string(ans.Device), At: ans.At, Answer: ans.Text, Steps: make([]WhyStep, 0, len(ans.Steps))}
	for _, s := range ans.Steps {
		w := WhyStep{Kind: s.Kind, Text: s.Text}
		if !s.At.IsZero() {
			w.At = &s.At
		}
		v.Steps = append(v.Steps, w)
	}
	return v
}
