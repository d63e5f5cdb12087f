package finance

// taxes are a project's in a tax year so far: the tax is on the year's income, of which losses of earlier years
// cover a share. Each month bears what the year so far owes more than with the month before; where it owes less,
// for a loss after profits, the month is given back what was paid too much.
type taxes struct {
	next               int     // the month in which the next year begins, or month 0
	brought            float64 // losses of earlier years
	income, used, owed float64 // of the year to this month: income, the losses that it uses, the tax
}

// month takes the income of month m; used is what of the losses brought forward it uses more than before.
func (x *taxes) month(m int, income float64, t *Terms) (tax, used float64) {
	if t.Relief {
		return float64(t.TaxRate * income), 0
	}
	if m == x.next {
		x.begin(m, t)
	}
	x.income += income
	owed, covered := owes(x.income, x.brought, t.TaxRate, t.LossLimit)
	tax, used = owed-x.owed, covered-x.used
	x.used, x.owed = covered, owed
	return tax, used
}

// owes is the tax on a year's income, and what losses brought forward cover of it.
func owes(income, brought, rate, limit float64) (owed, covered float64) {
	if income <= 0 {
		return 0, 0
	}
	if covered = float64(limit * income); covered > brought {
		covered = brought
	}
	return float64(rate * (income - covered)), covered
}

// all is month by month, for incomes that are all known: the same with less to remember, for it is reckoned most.
func (x taxes) all(incomes, tax []float64, t *Terms) {
	rate, limit := t.TaxRate, t.LossLimit
	for m, income := range incomes {
		if t.Relief {
			tax[m] = float64(rate * income)
			continue
		}
		if m == x.next {
			x.begin(m, t)
		}
		x.income += income
		owed, covered := owes(x.income, x.brought, rate, limit)
		tax[m], x.used, x.owed = owed-x.owed, covered, owed
	}
}

// begin begins a year in month m: in month 0 what is left of one.
func (x *taxes) begin(m int, t *Terms) {
	*x = taxes{next: m + wholeYear - (m+wholeYear-t.NewYear)%wholeYear, brought: x.left()}
}

// left is what may still be used: of earlier years, and of this one so far.
func (x *taxes) left() float64 { return x.brought - x.used + max(0, -x.income) }
