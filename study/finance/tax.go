package finance

// taxes are a project's in a tax year so far: the tax is on the year's income, of which losses of earlier years
// cover a share. Each month bears what the year so far owes more than with the month before; where it owes less,
// for a loss after profits, the month is given back what was paid too much.
type taxes struct {
	brought            float64 // losses of earlier years
	income, used, owed float64 // of the year to this month: income, the losses that it uses, the tax
}

// month takes the income of month m; used is what of the losses brought forward it uses more than before.
func (x *taxes) month(m int, income float64, t *Terms) (tax, used float64) {
	if t.Relief {
		return float64(t.TaxRate * income), 0
	}
	if m%wholeYear == t.NewYear {
		*x = taxes{brought: x.left()}
	}
	x.income += income
	covered, owed := 0.0, 0.0
	if x.income > 0 {
		covered = min(x.brought, float64(t.LossLimit*x.income))
		owed = float64(t.TaxRate * (x.income - covered))
	}
	tax, used = owed-x.owed, covered-x.used
	x.used, x.owed = covered, owed
	return tax, used
}

// left is what may still be used: of earlier years, and of this one so far.
func (x *taxes) left() float64 { return x.brought - x.used + max(0, -x.income) }
