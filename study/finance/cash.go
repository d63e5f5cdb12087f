package finance

import "switchyard/study/flow"

// construct is the cash of a month before operation: what capex, fees and interest ask for beyond
// the loan is the owners', once cash is used up. Cash stays in the project.
func (r *runner) construct(m int, interest, coupon float64, settle bool) {
	row := &r.r.Row
	row[CFADS][m], row[BeforeCash][m] = 0, r.b.cash[m]
	rest := r.cash + r.b.cash[m] + row[SaleCash][m] + row[TaxPaid][m] + row[Capex][m] +
		row[LoanDrawn][m] + row[LoanFees][m] - interest
	swept := 0.0
	if settle {
		swept = r.owed
		r.balloon += r.owed
	}
	r.settle(m, 0, rest-swept, swept, coupon)
	r.cash = 0
	if rest = row[Cash][m]; settle {
		row[Dividends][m], row[Cash][m] = -rest, 0
	} else {
		r.cash = rest
	}
}

// operate is the cash of a month of operation, in the order in which it is owed: costs and tax,
// debt service, the reserve, capex, the sweep, the notes, the owners. In the first month the owners
// see to it that the reserve is full. What notes brought and nothing was spent on stays: whoever holds them lent it, and no
// dividend is paid out of it until they are shares or repaid.
func (r *runner) operate(m int, due, coupon float64, settle bool) {
	row, kept := &r.r.Row, r.cash
	row[CFADS][m], row[BeforeCash][m] = r.b.cash[m], 0
	rest := r.cash + r.b.cash[m] + row[SaleCash][m] + row[TaxPaid][m] - due + r.reserve
	if rest < 0 {
		r.short(m, -rest)
	}
	held := r.target(m, settle)
	if m > r.fl.Operate {
		held = max(0, min(held, rest))
	}
	rest += row[Capex][m] - held
	swept := min(r.owed, float64(r.terms.Sweep*max(0, rest-min(kept, r.notes))))
	if settle {
		swept = r.owed
		if r.fl.Line[flow.Sale][m] == 0 {
			r.balloon += swept
		}
	}
	r.settle(m, held, rest-swept, swept, coupon)
	if n := r.terms.Notes; n != nil && m == r.fl.Begin {
		kept += n.Amount
	}
	rest = row[Cash][m]
	r.cash = min(rest, kept, r.notes)
	if settle {
		r.cash = 0
	}
	if r.cash > r.r.heldMost {
		r.r.heldMost, r.r.heldFirst = r.cash, m
	}
	row[Dividends][m], row[Cash][m] = -(rest - r.cash), r.cash
}

// short notes cash that the owners must make up so that costs, tax and debt service are paid.
func (r *runner) short(m int, amount float64) {
	const cent = 0.01
	if amount < cent {
		return
	}
	if r.r.shortMonths == 0 {
		r.r.shortFirst = m
	}
	if r.r.shortMonths == 0 || r.r.shortLast != m {
		r.r.shortMonths++
	}
	r.r.shortLast = m
	r.r.shortSum += amount
}

// settle pays the notes and leaves what remains in Cash, or has the owners pay what lacks.
func (r *runner) settle(m int, reserve, rest, swept, coupon float64) {
	row := &r.r.Row
	move, repaid := r.noteCash(m, coupon)
	rest += move
	switch lack := min(-rest, -move); {
	case repaid > 0:
		r.r.repaid, r.r.repaidIn, r.r.repaidLack = repaid, m, max(0, min(-rest, repaid))
	case lack > 0 && m >= r.fl.Operate:
		r.short(m, lack)
	}
	row[NotesCash][m], row[LoanSwept][m] = move, -swept
	r.owed -= swept
	row[ReserveMove][m], row[Reserve][m] = r.reserve-reserve, reserve
	r.reserve = reserve
	row[EquityIn][m], row[Cash][m], row[Dividends][m] = max(0, -rest), max(0, rest), 0
}

// noteCash draws, serves and ends the notes; repaid is what of it repays them in cash.
func (r *runner) noteCash(m int, coupon float64) (move, repaid float64) {
	row, n := &r.r.Row, r.terms.Notes
	row[Converted][m] = 0
	if n == nil || r.fl.Begin > r.last {
		return 0, 0
	}
	if n.InKind {
		r.notes += coupon
	} else {
		move -= coupon
	}
	if m == r.fl.Begin {
		r.notes += n.Amount
		move += n.Amount
	}
	if m != min(r.fl.Begin+n.Term, r.last) {
		return move, 0
	}
	owed := r.notes
	r.notes = 0
	if n.Convert > 0 && n.Share >= n.Convert {
		r.paidIn += owed
		row[Converted][m] = -float64(owed * n.Share / n.Convert)
		return move, 0
	}
	return move - owed, owed
}

// close strikes the month's balance and what the owners see of it.
func (r *runner) close(m int) {
	row := &r.r.Row
	row[LoanOwed][m], row[NotesOwed][m] = r.owed, r.notes
	deferred := float64(r.terms.TaxRate * (row[Plant][m] - row[TaxBasis][m] - row[LossesLeft][m]))
	row[TaxDeferred][m] = r.deferred - deferred
	r.deferred = deferred
	row[DeferredTax][m] = deferred

	pre := row[EBITDA][m] + row[Depreciation][m] + row[Disposal][m] + row[Released][m] + row[Given][m] + row[Interest][m]
	net := pre + row[TaxCurrent][m] + row[TaxDeferred][m]
	row[PreTax][m], row[NetIncome][m] = pre, net
	r.paidIn += row[EquityIn][m] - row[Given][m]
	r.retained += net + row[Dividends][m]
	row[PaidIn][m], row[Retained][m] = r.paidIn, r.retained
	row[CashMove][m] = row[CFADS][m] + row[BeforeCash][m] + row[TaxPaid][m] + row[Capex][m] + row[SaleCash][m] +
		row[LoanDrawn][m] + row[LoanFees][m] + row[LoanInterest][m] + row[LoanPrincipal][m] + row[LoanSwept][m] +
		row[NotesCash][m] + row[ReserveMove][m] + row[EquityIn][m] + row[Dividends][m]
	row[Off][m] = row[Cash][m] + row[Reserve][m] + row[Plant][m] + row[FeesAsset][m] -
		(row[LoanOwed][m] + row[NotesOwed][m] + row[PrepaidOwed][m] + row[TenantOwed][m] + deferred) -
		(r.paidIn + r.retained)
	row[ToEquity][m] = -row[Dividends][m] - row[EquityIn][m] + row[Given][m] + row[Converted][m]
}
