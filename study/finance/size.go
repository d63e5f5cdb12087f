package finance

import "switchyard/study/flow"

// The reasons that bind a loan's amount.
const (
	ByCost    = "loan to cost"
	ByCover   = "DSCR"
	NoCash    = "no cash flow to lend on"
	NotBuilt  = "nothing is built"
	wholeYear = 12
)

// Size is the loan that a lender gives on its own case: the lesser of what construction asks for at
// loan to cost, interest and fees included, and what CFADS carries over the tenor at the target
// DSCR. The tenor ends with the project at the latest. It is nil where the terms have no loan.
//
// Sculpted service is CFADS over DSCR, scaled to the amount. Level service is bounded by the weakest
// year of the tenor: months swing with weather and ramp, and lenders test years. A target of zero or
// less counts as one.
func Size(fl *flow.Flows, t *Terms) *Loan {
	if t.LoanToCost <= 0 || t.Tenor < 1 {
		return nil
	}
	if fl.Begin >= fl.Operate {
		return &Loan{Why: NotBuilt}
	}
	tenor := max(0, min(t.Tenor, lastMonth(fl)+1-fl.Operate))
	cfads := make([]float64, tenor)
	for k := range cfads {
		cfads[k] = cashOf(fl, fl.Operate+k)
	}
	target, rate := t.Target, t.Rate/12
	if target <= 0 {
		target = 1
	}
	loan := &Loan{Service: make([]float64, tenor), Principal: make([]float64, tenor)}
	if t.Sculpted {
		loan.Capacity = Sculpt(rate, target, cfads)
	} else {
		loan.Capacity = float64(max(0, weakestYear(cfads)) / target * Annuity(rate, tenor))
	}
	if loan.Capacity <= 0 {
		return &Loan{Why: NoCash}
	}
	loan.Committed = min(loan.Capacity, float64(t.LoanToCost*max(0, builtFor(fl))))
	loan.Amount = asked(fl, t, loan.Committed)
	loan.Why = ByCost
	if loan.Amount > loan.Capacity {
		loan.Amount, loan.Why = loan.Capacity, ByCover
	}
	if loan.Amount <= 0 {
		return &Loan{Why: NotBuilt}
	}
	owed, level := loan.Amount, -PMT(rate, tenor, loan.Amount)
	for k := range cfads {
		loan.Service[k] = level
		if t.Sculpted {
			loan.Service[k] = float64(max(0, cfads[k]) / target * (loan.Amount / loan.Capacity))
		}
		loan.Principal[k] = loan.Service[k] - float64(owed*rate)
		owed -= loan.Principal[k]
	}
	return loan
}

// cashOf is a month's EBITDA with what moves of prepaid rent and tenant's credits.
func cashOf(fl *flow.Flows, m int) float64 {
	return fl.EBITDA(m) + fl.Line[flow.Prepaid][m] + fl.Line[flow.TenantPut][m] + fl.Line[flow.TenantCost][m]
}

// netCapex of a month is what the tenant does not pay; positive. The interest that the tenant's part
// bears is in TenantPut, and against it in TenantCost: it is no cash.
func netCapex(fl *flow.Flows, m int) float64 {
	return -(fl.Line[flow.Building][m] + fl.Line[flow.Machines][m] + fl.Line[flow.TenantPut][m] + fl.Line[flow.TenantCost][m])
}

// builtFor is the net capex of construction.
func builtFor(fl *flow.Flows) float64 {
	sum := 0.0
	for m := fl.Begin; m < min(fl.Operate, fl.Months); m++ {
		sum += netCapex(fl, m)
	}
	return sum
}

// asked is what is owed at the end of construction if no limit stops the draws.
func asked(fl *flow.Flows, t *Terms, committed float64) float64 {
	owed := 0.0
	for m := fl.Begin; m < min(fl.Operate, fl.Months); m++ {
		interest, fees := t.building(m == fl.Begin, owed, committed)
		owed += max(0, float64(t.LoanToCost*(netCapex(fl, m)+interest+fees)))
	}
	return owed
}

// building is the interest and the fees of a month of construction, from what was owed before it.
func (t *Terms) building(first bool, owed, committed float64) (interest, fees float64) {
	interest = float64(owed * t.BuildRate / 12)
	fees = float64(max(0, committed-owed) * t.Commitment / 12)
	if first {
		fees += float64(t.Upfront * committed)
	}
	return interest, fees
}

// weakestYear is the lowest mean of a month over the years, the last of which may be short.
func weakestYear(cfads []float64) float64 {
	weakest, found := 0.0, false
	for from := 0; from < len(cfads); from += wholeYear {
		year := cfads[from:min(len(cfads), from+wholeYear)]
		sum := 0.0
		for _, c := range year {
			sum += c
		}
		if mean := sum / float64(len(year)); !found || mean < weakest {
			weakest, found = mean, true
		}
	}
	return weakest
}
