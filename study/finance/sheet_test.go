package finance_test

import (
	"math"

	"switchyard/study/finance"
	"switchyard/study/flow"
)

// sheet computes a project again as a spreadsheet would, from the manual's sentences, with none of
// the package's functions: vintages are summed anew each month, and powers are math.Pow. Its columns
// are rows of the package.
type sheet struct {
	col                      [finance.Rows][]float64
	npv, npvOwner, min, llcr float64
}

type column = []float64

func (s *sheet) at(r finance.Row, t int) float64 {
	if t < 0 {
		return 0
	}
	return s.col[r][t]
}

func compute(fl *flow.Flows, x *finance.Terms) *sheet {
	s := &sheet{}
	for r := range s.col {
		s.col[r] = make(column, fl.Months)
	}
	last := fl.Months - 1
	if fl.End > 0 && fl.End < fl.Months {
		last = fl.End - 1
	}
	operating(s, fl, last)
	c := &s.col
	// The lender's case is the case itself.
	n := min(x.Tenor, last+1-fl.Operate)
	if x.LoanToCost <= 0 || fl.Begin >= fl.Operate {
		n = 0
	}
	amount, committed, service := lender(c, fl, x, n)
	free := written(s, fl, x, nil)
	construction(s, fl, x, last, amount, committed)
	off := written(s, fl, x, c[finance.Capitalised])
	var profits, profitsFree []float64
	var fees, bookBefore float64
	for t := range fl.Months {
		if t >= fl.Operate {
			s.serve(fl, x, t, last, amount, n, service)
		}
		settle := t == last || fl.Line[flow.Sale][t] != 0
		feesOff := 0.0
		fees -= c[finance.LoanFees][t]
		total := 0.0
		for _, f := range c[finance.LoanFees] {
			total -= f
		}
		switch {
		case settle || t > fl.Operate && s.at(finance.LoanOwed, t-1) == 0:
			feesOff = fees
		case t >= fl.Operate && n > 0:
			feesOff = math.Min(fees, total/float64(n))
		}
		fees -= feesOff
		c[finance.FeesAsset][t] = fees

		financing := feesOff
		if t >= fl.Operate {
			financing += -c[finance.LoanInterest][t] + s.at(finance.NotesOwed, t-1)*coupon(x)
		}
		base := c[finance.EBITDA][t] + fl.Line[flow.TenantCost][t] + c[finance.Released][t] + c[finance.SaleCash][t]
		profitsFree = append(profitsFree, base-free.lost[t]-free.tax[t])
		profits = append(profits, base-off.lost[t]-off.tax[t]-financing)
		c[finance.FreeTax][t], _, _ = taxed(profitsFree, x)
		c[finance.TaxPaid][t], c[finance.LossesUsed][t], c[finance.LossesLeft][t] = taxed(profits, x)
		c[finance.Free][t] = c[finance.CFADS][t] + c[finance.BeforeCash][t] + c[finance.Capex][t] + c[finance.SaleCash][t] +
			fl.Line[flow.Warrants][t] + c[finance.FreeTax][t]
		c[finance.TaxDepreciation][t], c[finance.TaxBasis][t] = -off.tax[t], off.basis[t]
		c[finance.Depreciation][t], c[finance.Plant][t] = -off.book[t], off.plant[t]
		c[finance.Disposal][t] = c[finance.SaleCash][t] - off.bookLost[t]
		s.cash(fl, x, t, last, amount, service)
		deferred := x.TaxRate * (off.plant[t] - off.basis[t] - c[finance.LossesLeft][t])
		c[finance.NetIncome][t] = c[finance.EBITDA][t] - off.book[t] + c[finance.Disposal][t] + c[finance.Released][t] +
			fl.Line[flow.Warrants][t] + fl.Line[flow.TenantCost][t] - financing + c[finance.TaxPaid][t] - (deferred - bookBefore)
		bookBefore = deferred
		c[finance.DeferredTax][t] = deferred
	}
	s.ratios(fl, x, n)
	return s
}

func coupon(x *finance.Terms) float64 {
	if x.Notes == nil {
		return 0
	}
	return x.Notes.Coupon / 12
}

func operating(s *sheet, fl *flow.Flows, last int) {
	c := &s.col
	var prepaid, tenant float64
	for t := range fl.Months {
		for l := flow.Mining; l <= flow.Fixed; l++ {
			c[finance.EBITDA][t] += fl.Line[l][t]
		}
		in := c[finance.EBITDA][t] + fl.Line[flow.Prepaid][t] + fl.Line[flow.TenantPut][t] + fl.Line[flow.TenantCost][t]
		if t >= fl.Operate {
			c[finance.CFADS][t] = in
		} else {
			c[finance.BeforeCash][t] = in
		}
		c[finance.Capex][t] = fl.Line[flow.Building][t] + fl.Line[flow.Machines][t]
		c[finance.SaleCash][t] = fl.Line[flow.Sale][t] + fl.Line[flow.Resale][t]
		prepaid, tenant = prepaid+fl.Line[flow.Prepaid][t], tenant+fl.Line[flow.TenantPut][t]
		if t == fl.Failed || t == last || t == fl.Months-1 {
			c[finance.Released][t] = prepaid + tenant
			prepaid, tenant = 0, 0
		}
		c[finance.PrepaidOwed][t], c[finance.TenantOwed][t] = prepaid, tenant
	}
}

func net(fl *flow.Flows, t int) float64 {
	return -fl.Line[flow.Building][t] - fl.Line[flow.Machines][t] - fl.Line[flow.TenantPut][t] - fl.Line[flow.TenantCost][t]
}

func lender(c *[finance.Rows][]float64, fl *flow.Flows, x *finance.Terms, n int) (amount, committed float64, service column) {
	if n < 1 {
		return 0, 0, nil
	}
	i, capacity := x.Rate/12, 0.0
	if x.Sculpted {
		for k := 1; k <= n; k++ {
			capacity += math.Max(0, c[finance.CFADS][fl.Operate+k-1]) / x.Target / math.Pow(1+i, float64(k))
		}
	} else {
		lowest := math.Inf(1)
		for y := 0; y < n; y += 12 {
			sum, months := 0.0, 0.0
			for k := y; k < n && k < y+12; k++ {
				sum, months = sum+c[finance.CFADS][fl.Operate+k], months+1
			}
			lowest = math.Min(lowest, sum/months)
		}
		capacity = math.Max(0, lowest) / x.Target * float64(n)
		if i > 0 {
			capacity = math.Max(0, lowest) / x.Target * (1 - math.Pow(1+i, -float64(n))) / i
		}
	}
	cost := 0.0
	for t := fl.Begin; t < fl.Operate; t++ {
		cost += net(fl, t)
	}
	if capacity <= 0 {
		return 0, 0, nil
	}
	committed = math.Min(capacity, x.LoanToCost*math.Max(0, cost))
	for t := fl.Begin; t < fl.Operate; t++ {
		fee := math.Max(0, committed-amount) * x.Commitment / 12
		if t == fl.Begin {
			fee += x.Upfront * committed
		}
		amount += math.Max(0, x.LoanToCost*(net(fl, t)+amount*x.BuildRate/12+fee))
	}
	amount = math.Min(amount, capacity)
	if amount <= 0 {
		return 0, 0, nil
	}
	for k := range n {
		pay := amount / float64(n)
		if i > 0 {
			pay = amount * i / (1 - math.Pow(1+i, -float64(n)))
		}
		if x.Sculpted {
			pay = math.Max(0, c[finance.CFADS][fl.Operate+k]) / x.Target * amount / capacity
		}
		service = append(service, pay)
	}
	return amount, committed, service
}

func construction(s *sheet, fl *flow.Flows, x *finance.Terms, last int, amount, committed float64) {
	c, notes := &s.col, 0.0
	for t := 0; t < min(fl.Operate, fl.Months); t++ {
		before := s.at(finance.LoanOwed, t-1)
		if amount > 0 && t >= fl.Begin && t <= last {
			fee := math.Max(0, committed-before) * x.Commitment / 12
			if t == fl.Begin {
				fee += x.Upfront * committed
			}
			c[finance.LoanInterest][t], c[finance.LoanFees][t] = -before*x.BuildRate/12, -fee
			c[finance.LoanDrawn][t] = math.Max(0, math.Min(x.LoanToCost*(net(fl, t)+before*x.BuildRate/12+fee), amount-before))
		}
		c[finance.LoanOwed][t] = before + c[finance.LoanDrawn][t]
		c[finance.Capitalised][t] = -c[finance.LoanInterest][t] + notes*coupon(x)
		notes = s.notes(fl, x, t, last)
		if t == last {
			c[finance.LoanSwept][t] = -c[finance.LoanOwed][t]
			c[finance.LoanOwed][t] = 0
		}
	}
}

// notes fills NotesOwed, NotesCash and Converted.
func (s *sheet) notes(fl *flow.Flows, x *finance.Terms, t, last int) float64 {
	c := &s.col
	owed := s.at(finance.NotesOwed, t-1)
	if x.Notes == nil {
		return 0
	}
	paid := owed * x.Notes.Coupon / 12
	if x.Notes.InKind {
		owed, paid = owed+paid, 0
	}
	c[finance.NotesCash][t] = -paid
	if t == fl.Begin {
		owed += x.Notes.Amount
		c[finance.NotesCash][t] += x.Notes.Amount
	}
	if t == last || t == fl.Begin+x.Notes.Term {
		if x.Notes.Share >= x.Notes.Convert {
			c[finance.Converted][t] = -owed * x.Notes.Share / x.Notes.Convert
		} else {
			c[finance.NotesCash][t] -= owed
		}
		owed = 0
	}
	c[finance.NotesOwed][t] = owed
	return owed
}

type offs struct{ tax, basis, lost, book, plant, bookLost column }

// written sums vintages month by month.
func written(s *sheet, fl *flow.Flows, x *finance.Terms, capitalised column) offs {
	n := fl.Months
	o := offs{make(column, n), make(column, n), make(column, n), make(column, n), make(column, n), make(column, n)}
	var basis, plant float64
	sold := -1
	for t := range n {
		for v := sold + 1; v <= t; v++ {
			building, machines := -fl.Line[flow.Building][v], -fl.Line[flow.Machines][v]
			if capitalised != nil {
				building += capitalised[v]
			}
			age := t - max(v, fl.Operate)
			if age < 0 {
				continue
			}
			if y := age / 12; y < len(x.Building) {
				o.tax[t] += building * x.Building[y] / 12
			}
			if y := age / 12; y < len(x.Machines) {
				o.tax[t] += machines * x.Machines[y] / 12
			}
			if age < x.BookBuilding {
				o.book[t] += building / float64(x.BookBuilding)
			}
			if age < x.BookMachines {
				o.book[t] += machines / float64(x.BookMachines)
			}
		}
		paid := -s.col[finance.Capex][t]
		if capitalised != nil {
			paid += capitalised[t]
		}
		basis, plant = basis+paid-o.tax[t], plant+paid-o.book[t]
		if fl.Line[flow.Sale][t] != 0 {
			o.lost[t], o.bookLost[t], basis, plant, sold = basis, plant, 0, 0, t
		}
		o.basis[t], o.plant[t] = basis, plant
	}
	return o
}

// taxed is a month's tax, and the losses used and left, of the profits of all months to it: each time from the
// first tax year on.
func taxed(profits []float64, x *finance.Terms) (tax, used, left float64) {
	if x.Relief {
		return -x.TaxRate * profits[len(profits)-1], 0, 0
	}
	year := func(from, to int, losses float64) (owed, used, left float64) {
		sum := 0.0
		for _, v := range profits[from:to] {
			sum += v
		}
		if sum <= 0 {
			return 0, 0, losses - sum
		}
		used = math.Min(losses, x.LossLimit*sum)
		return x.TaxRate * (sum - used), used, losses - used
	}
	from, to, losses := 0, x.NewYear, 0.0
	if to == 0 {
		to = 12
	}
	for ; to < len(profits); from, to = to, to+12 {
		_, _, losses = year(from, to, losses)
	}
	owed, used, left := year(from, len(profits), losses)
	before, usedBefore, _ := year(from, len(profits)-1, losses)
	return before - owed, used - usedBefore, left
}

// serve fills what is due in a month of operation.
func (s *sheet) serve(fl *flow.Flows, x *finance.Terms, t, last int, amount float64, n int, service column) {
	before := s.at(finance.LoanOwed, t-1)
	if before == 0 || t > last {
		return
	}
	c, k := &s.col, t-fl.Operate
	interest, scale := before*x.Rate/12, s.at(finance.LoanOwed, fl.Operate-1)/amount
	due := before + interest
	if k < n-1 && service[k]*scale < due-0.01 {
		due = service[k] * scale
	}
	c[finance.LoanInterest][t], c[finance.LoanPrincipal][t], c[finance.Due][t] = -interest, interest-due, due
	if due == before+interest {
		c[finance.LoanPrincipal][t] = -before
	}
}

// cash fills reserve, sweep, notes, equity and dividends.
func (s *sheet) cash(fl *flow.Flows, x *finance.Terms, t, last int, amount float64, service column) {
	c, settle := &s.col, t == last || fl.Line[flow.Sale][t] != 0
	owed := s.at(finance.LoanOwed, t-1) + c[finance.LoanPrincipal][t]
	target := 0.0
	if t >= fl.Operate && !settle && owed > 0 {
		for k := t + 1 - fl.Operate; k < min(len(service), t+1-fl.Operate+x.DSRA); k++ {
			target += service[k] * s.at(finance.LoanOwed, fl.Operate-1) / amount
		}
		target = math.Min(target, owed)
	}
	a := s.at(finance.Cash, t-1) + c[finance.CFADS][t] + c[finance.BeforeCash][t] + c[finance.SaleCash][t] + c[finance.TaxPaid][t] +
		s.at(finance.Reserve, t-1)
	if t < fl.Operate {
		a += c[finance.Capex][t] + c[finance.LoanDrawn][t] + c[finance.LoanFees][t] + c[finance.LoanInterest][t] +
			c[finance.LoanSwept][t] + c[finance.NotesCash][t]
		c[finance.EquityIn][t] = math.Max(0, -a)
		if t == last {
			c[finance.Dividends][t] = -math.Max(0, a)
		} else {
			c[finance.Cash][t] = math.Max(0, a)
		}
	} else {
		a -= c[finance.Due][t]
		c[finance.Reserve][t] = target
		if t > fl.Operate {
			c[finance.Reserve][t] = math.Max(0, math.Min(target, a))
		}
		a += c[finance.Capex][t] - c[finance.Reserve][t]
		kept, lent := s.at(finance.Cash, t-1), s.at(finance.NotesOwed, t-1)
		swept := math.Min(owed, x.Sweep*math.Max(0, a-math.Min(kept, lent)))
		if settle {
			swept = owed
		}
		s.notes(fl, x, t, last)
		a += c[finance.NotesCash][t] - swept
		c[finance.LoanSwept][t], c[finance.LoanOwed][t] = -swept, owed-swept
		c[finance.EquityIn][t] = math.Max(0, -a)
		if x.Notes != nil && t == fl.Begin {
			kept += x.Notes.Amount
		}
		if !settle { // what the notes brought and was not spent stays until they end
			c[finance.Cash][t] = math.Min(math.Max(0, a), math.Min(kept, c[finance.NotesOwed][t]))
		}
		c[finance.Dividends][t] = c[finance.Cash][t] - math.Max(0, a)
	}
	c[finance.ToEquity][t] = -c[finance.EquityIn][t] - c[finance.Dividends][t] + fl.Line[flow.Warrants][t] + c[finance.Converted][t]
}

func (s *sheet) ratios(fl *flow.Flows, x *finance.Terms, n int) {
	c := &s.col
	s.min = math.NaN()
	dues := 0
	var allCash, allDue, pv float64
	for t := range fl.Months {
		s.npv += c[finance.Free][t] / math.Pow(1+x.Discount, float64(t+1)/12)
		s.npvOwner += c[finance.ToEquity][t] / math.Pow(1+x.EquityDiscount, float64(t+1)/12)
		k := t - fl.Operate + 1
		if k >= 1 && k <= n {
			pv += c[finance.CFADS][t] / math.Pow(1+x.Rate/12, float64(k))
		}
		if c[finance.Due][t] <= 0 {
			continue
		}
		dues++
		allCash, allDue = allCash+c[finance.CFADS][t], allDue+c[finance.Due][t]
		if k < 12 {
			continue
		}
		cash, due := 0.0, 0.0
		for j := t - 11; j <= t; j++ {
			cash, due = cash+c[finance.CFADS][j], due+c[finance.Due][j]
		}
		if math.IsNaN(s.min) || cash/due < s.min {
			s.min = cash / due
		}
	}
	if math.IsNaN(s.min) && dues > 0 {
		s.min = allCash / allDue
	}
	s.llcr = pv / s.at(finance.LoanOwed, min(fl.Operate, fl.Months)-1)
}
