package finance

import (
	"fmt"
	"math"

	"switchyard/study/figure"
)

// measure reads the figures off the rows.
func (r *Result) measure(p Project) {
	r.NPV = r.scratch.disc.present(p.Terms.Discount, r.Row[Free])
	r.NPVOwner = r.owner.present(p.Terms.EquityDiscount, r.Row[ToEquity])
	r.Payback, r.PeakEquity, r.Capex = -1, 0, 0
	sum, in, out := 0.0, 0.0, false
	for m, f := range r.Row[Free] {
		sum += f
		out = out || sum < 0
		if r.Payback < 0 && out && sum >= 0 {
			r.Payback = m + 1 - p.Flows.Begin
		}
		// What they took out beyond what they had in is theirs, and pays for no later call.
		in = max(0, in+r.Row[EquityIn][m]+r.Row[Dividends][m])
		r.PeakEquity = max(r.PeakEquity, in)
		r.Capex -= r.Row[Capex][m]
	}
	if !out {
		r.Payback = 0
	}
	r.cover(p)
}

// cover reads the lender's ratios: DSCR over the twelve months to each month in which service is
// due, from the twelfth month of operation on (over all of a shorter loan).
func (r *Result) cover(p Project) {
	r.MinDSCR, r.MeanDSCR, r.LLCR = math.NaN(), math.NaN(), math.NaN()
	r.breachMonths, r.breachFirst = 0, -1
	if p.Loan == nil || r.Debt <= 0 {
		return
	}
	from := p.Flows.Operate
	var cash, due, allCash, allDue float64
	for m := from; m < p.Flows.Months; m++ {
		d := r.Row[Due][m]
		cash, due = cash+r.Row[CFADS][m], due+d
		if m >= from+wholeYear {
			cash, due = cash-r.Row[CFADS][m-wholeYear], due-r.Row[Due][m-wholeYear]
		}
		if d <= 0 {
			continue
		}
		allCash, allDue = allCash+r.Row[CFADS][m], allDue+d
		if m >= from+wholeYear-1 {
			r.worst(m, cash/due, p.Terms.Covenant)
		}
	}
	if allDue > 0 {
		r.MeanDSCR = allCash / allDue
		if math.IsNaN(r.MinDSCR) {
			r.worst(from, r.MeanDSCR, p.Terms.Covenant)
		}
	}
	pv, factor := 0.0, 1.0
	for m := from; m < min(p.Flows.Months, from+len(p.Loan.Service)); m++ {
		factor /= 1 + p.Terms.Rate/12
		pv += float64(r.Row[CFADS][m] * factor)
	}
	r.LLCR = pv / r.Debt
}

func (r *Result) worst(m int, ratio, covenant float64) {
	if !(r.MinDSCR <= ratio) {
		r.MinDSCR = ratio
	}
	const rounding = 1e-9
	if ratio < covenant-rounding {
		if r.breachMonths == 0 {
			r.breachFirst = m
		}
		r.breachMonths++
	}
}

// find says what a reader must not miss.
func (r *Result) find(p Project, balloon float64) {
	say := func(kind string, month int, format string, args ...any) {
		r.Findings = append(r.Findings, Finding{Kind: kind, Month: month, Text: fmt.Sprintf(format, args...)})
	}
	const cent = 0.01
	if r.shortMonths > 0 {
		say("cash", r.shortFirst, "cash is short of costs, tax and debt service in %s: the owners pay in %s",
			figure.Months(r.shortMonths), dollars(r.shortSum))
	}
	if r.repaidLack > cent {
		say("cash", r.repaidIn, "the notes fall due in cash, %s in all: the owners pay in %s of it", dollars(r.repaid), dollars(r.repaidLack))
	}
	if r.heldMost > cent {
		say("loan", r.heldFirst, "%s of what the notes bring is spent on nothing: it lies as cash, without interest, until they are shares or repaid", dollars(r.heldMost))
	}
	if r.breachMonths > 0 {
		say("covenant", r.breachFirst, "DSCR over twelve months is below the covenant of %.2f in %s, at worst %.2f",
			p.Terms.Covenant, figure.Months(r.breachMonths), r.MinDSCR)
	}
	r.findLoan(p, balloon, say)
	if r.IRR.None != "" {
		say("irr", -1, "the project has no internal rate of return: %s", r.IRR.None)
	}
	if r.IRROwner.None != "" {
		say("irr", -1, "the owners have no internal rate of return: %s", r.IRROwner.None)
	}
	if n := p.Flows.Months; n > 0 && r.Row[LossesLeft][n-1] > cent {
		say("tax", n-1, "tax losses of %s are never used", dollars(r.Row[LossesLeft][n-1]))
	}
	for m, v := range r.Row[Converted] {
		if v < 0 {
			say("loan", m, "the notes become shares worth %s, which the owners give up", dollars(-v))
		}
	}
}

func (r *Result) findLoan(p Project, balloon float64, say func(string, int, string, ...any)) {
	const cent = 0.01
	switch {
	case p.Loan == nil:
	case p.Loan.Amount <= 0:
		say("loan", -1, "no loan: %s", p.Loan.Why)
	default:
		if n := len(p.Loan.Service); n < p.Terms.Tenor {
			say("loan", -1, "the tenor is cut from %s to %s, when the study ends", figure.Months(p.Terms.Tenor), figure.Months(n))
		}
		r.findGrowth(p, say)
		if balloon > cent {
			say("loan", lastMonth(p.Flows), "%s of the loan is still owed when the study ends, and is repaid then", dollars(balloon))
		}
	}
}

// dollars rounds for a reader: to a hundred thousand beyond a million, else to a dollar.
func dollars(v float64) figure.Dollars {
	to := 1.0
	if v >= 1e6 {
		to = 1e5
	}
	return figure.Dollars(math.Round(v/to) * to)
}

// findGrowth says where the service of a sculpted loan does not cover its interest.
func (r *Result) findGrowth(p Project, say func(string, int, string, ...any)) {
	const cent = 0.01
	first, months, grown := -1, 0, 0.0
	for m := p.Flows.Operate; m < p.Flows.Months; m++ {
		// A repayment is money out, so below zero.
		if v := r.Row[LoanPrincipal][m]; v > cent {
			if first < 0 {
				first = m
			}
			months++
			grown += v
		}
	}
	if months > 0 {
		say("loan", first, "debt service does not cover interest in %s: the loan grows by %s in them", figure.Months(months), dollars(grown))
	}
}
