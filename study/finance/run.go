package finance

import (
	"math"

	"switchyard/study/flow"
)

// NewResult returns an empty result for studies of so many months. It belongs to one goroutine.
func NewResult(months int) *Result {
	r := new(Result)
	r.fit(months)
	return r
}

// fit makes rows for so many months, where there are none yet. What does not depend on who pays is
// computed straight into its rows.
func (r *Result) fit(months int) {
	if len(r.Row[0]) == months && r.idc.delta != nil {
		return
	}
	room := make([]float64, (int(Rows)+3)*months)
	for i := range r.Row {
		r.Row[i], room = room[:months:months], room[months:]
	}
	r.idc.delta, r.book.delta, r.scratch.base = room[:months:months], room[months:2*months:2*months], base{}
	b := &r.scratch.base
	b.fit(months)
	b.revenue, b.costs, b.ebitda, b.capex = r.Row[Revenue], r.Row[OpCosts], r.Row[EBITDA], r.Row[Capex]
	b.sale, b.given, b.released = r.Row[SaleCash], r.Row[Given], r.Row[Released]
	b.prepaid, b.tenant, b.free = r.Row[PrepaidOwed], r.Row[TenantOwed], r.Row[Free]
}

// Run computes a project's statements and ratios into out, whose rows it overwrites. It allocates
// nothing if Quick, once out has seen the study's months and rates.
func Run(p Project, out *Result) {
	out.fit(p.Flows.Months)
	out.scratch.base.fill(p.Flows, p.Terms)
	r := runner{fl: p.Flows, terms: p.Terms, loan: p.Loan, r: out, b: &out.scratch.base, last: lastMonth(p.Flows)}
	out.idc.reset()
	out.book.reset()
	out.shortMonths, out.shortFirst, out.shortSum = 0, -1, 0
	out.repaid, out.repaidLack, out.heldMost = 0, 0, 0
	if r.loan != nil && r.loan.Amount <= 0 {
		r.loan = nil
	}
	for m := range p.Flows.Months {
		r.month(m)
	}
	out.Debt = r.debt
	out.measure(p)
	out.Findings = out.Findings[:0]
	out.IRR, out.IRROwner = Rate{}, Rate{}
	if !p.Quick {
		out.IRR, out.IRROwner = IRR(out.Row[Free]), IRR(out.Row[ToEquity])
		out.find(p, r.balloon)
	}
}

// runner is a project's state at a month's end.
type runner struct {
	fl    *flow.Flows
	terms *Terms
	loan  *Loan
	r     *Result
	b     *base
	last  int

	ready                      placed
	taxes                      taxes
	idcCost                    float64 // interest capitalised so far
	owed, scale, debt          float64 // scale: of the loan's plan, where less was drawn
	fees, feesRate             float64
	notes                      float64
	cash, reserve              float64
	paidIn, retained, deferred float64
	balloon                    float64
}

// month is one month in the order of its causes: loan, notes, depreciation, tax, cash, balance.
func (r *runner) month(m int) {
	row := &r.r.Row
	operating, settle := m >= r.fl.Operate, m == r.last || r.fl.Line[flow.Sale][m] != 0
	due, interest := r.lend(m, operating)
	coupon := float64(r.notes * r.notesRate() / 12)
	capitalised := interest + coupon
	if operating {
		capitalised = 0
	}
	feesOff := r.feesOff(m, settle)
	idcLost := r.depreciate(m, capitalised)

	financing := interest + coupon - capitalised + feesOff
	profit := r.b.profit[m] - financing - idcLost
	tax, used := r.taxes.month(m, profit, r.terms)
	row[Capitalised][m], row[LossesUsed][m], row[LossesLeft][m] = capitalised, used, r.taxes.left()
	row[TaxCurrent][m], row[TaxPaid][m], row[FreeTax][m] = -tax, -tax, -r.b.tax[m]
	row[Interest][m] = r.fl.Line[flow.TenantCost][m] - financing

	if operating {
		r.operate(m, due, coupon, settle)
	} else {
		r.construct(m, interest, coupon, settle)
	}
	r.close(m)
}

func (r *runner) notesRate() float64 {
	if r.terms.Notes == nil {
		return 0
	}
	return r.terms.Notes.Coupon
}

// lend draws the loan in construction, and says what is due in operation. Interest is that of
// the month on what was owed before it.
func (r *runner) lend(m int, operating bool) (due, interest float64) {
	row := &r.r.Row
	row[LoanDrawn][m], row[LoanFees][m], row[LoanInterest][m], row[LoanPrincipal][m] = 0, 0, 0, 0
	row[Due][m], row[Cover][m] = 0, math.NaN()
	if r.loan == nil || m < r.fl.Begin || m > r.last {
		return 0, 0
	}
	if !operating {
		var fees float64
		interest, fees = r.terms.building(m == r.fl.Begin, r.owed, r.loan.Committed)
		want := float64(r.terms.LoanToCost * (netCapex(r.fl, m) + interest + fees))
		// The lender commits to its amount: what costs more is the owners'.
		drawn := max(0, min(want, r.loan.Amount-r.owed))
		r.owed += drawn
		r.fees += fees
		r.debt, r.scale = r.owed, r.owed/r.loan.Amount
		r.feesRate = r.fees / float64(len(r.loan.Service))
		row[LoanDrawn][m], row[LoanFees][m], row[LoanInterest][m] = drawn, -fees, -interest
		return 0, interest
	}
	if r.owed == 0 {
		return 0, 0
	}
	interest = float64(r.owed * r.terms.Rate / 12)
	k := m - r.fl.Operate
	due = r.planned(k)
	principal := due - interest
	// Less than a cent that rounding leaves is no month of debt service.
	const cent = 0.01
	if k >= len(r.loan.Service)-1 || due > r.owed+interest-cent {
		due, principal = r.owed+interest, r.owed
	}
	r.owed -= principal
	row[LoanInterest][m], row[LoanPrincipal][m], row[Due][m] = -interest, -principal, due
	if due > 0 {
		row[Cover][m] = r.b.cash[m] / due
	}
	return due, interest
}

// planned is the service of the k-th month of operation, for what was drawn.
func (r *runner) planned(k int) float64 {
	if k >= len(r.loan.Service) {
		return 0
	}
	return float64(r.loan.Service[k] * r.scale)
}

// target is what the reserve should hold at the end of month m: the planned service of the next
// months, but no more than is owed.
func (r *runner) target(m int, settle bool) float64 {
	if r.loan == nil || settle || r.owed == 0 {
		return 0
	}
	sum := 0.0
	for k := range r.terms.DSRA {
		sum += r.planned(m - r.fl.Operate + 1 + k)
	}
	return min(sum, r.owed)
}

// feesOff writes off loan fees: evenly over the tenor, and the rest once nothing is owed.
func (r *runner) feesOff(m int, settle bool) float64 {
	off := 0.0
	switch {
	case r.fees == 0:
	case settle || m > r.fl.Operate && r.r.Row[LoanOwed][m-1] == 0:
		off = r.fees
	case m >= r.fl.Operate:
		off = min(r.fees, r.feesRate)
	}
	r.fees -= off
	r.r.Row[FeesAsset][m] = r.fees
	return off
}

// depreciate keeps the books' plant and, beside what tax law says of capex, that of the interest
// capitalised, which is written off as the building; it returns what the latter takes off profit.
func (r *runner) depreciate(m int, capitalised float64) (idcLost float64) {
	row, t, book, idc := &r.r.Row, r.terms, &r.r.book, &r.r.idc
	building, machines := r.ready.add(r.fl, m)
	r.idcCost += capitalised
	if m == r.fl.Operate && r.idcCost != 0 {
		building += r.idcCost
		idc.byYear(m, r.idcCost, t.Building)
	}
	if building != 0 {
		book.straight(m, building, t.BookBuilding)
	}
	if machines != 0 {
		book.straight(m, machines, t.BookMachines)
	}
	off := book.step(m, capitalised-row[Capex][m])
	idcOff := idc.step(m, capitalised)
	left, idcLeft := 0.0, 0.0
	if r.fl.Line[flow.Sale][m] != 0 {
		left, idcLeft = book.dispose(m), idc.dispose(m)
		r.ready, r.idcCost = placed{}, 0
	}
	row[Depreciation][m], row[Plant][m], row[Disposal][m] = -off, book.left, row[SaleCash][m]-left
	row[TaxDepreciation][m], row[TaxBasis][m] = -(r.b.written[m] + idcOff), r.b.basis[m]+idc.left
	return idcLeft + idcOff
}
