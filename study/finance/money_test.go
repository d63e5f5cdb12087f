package finance_test

import (
	"testing"

	"switchyard/study/figure"
	"switchyard/study/finance"
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/unit"
)

// TestNotes: 1500 at 12 % drawn in month 0; the loan and they pay for construction, what is left of
// them stays in cash until they are repaid or become shares.
func TestNotes(t *testing.T) {
	fl, x := three(), threeTerms(t)
	x.DSRA, x.TaxRate = 0, 0
	x.Notes = &finance.NotesTerms{Amount: 1500, Coupon: 0.12, Term: 20, Convert: 10, Share: 8}
	loan := finance.Size(fl, &x)
	out := run(fl, &x, loan)
	row := &out.Row
	// 1500 - 404.80 = 1095.20; less 402.4288 and the coupon of 15 it is 677.7712.
	near(t, "cash", row[finance.Cash][0], 1095.2, 1e-9)
	near(t, "cash", row[finance.Cash][1], 677.7712, 1e-9)
	near(t, "interest capitalised", row[finance.Capitalised][1], 6.072+15, 1e-9)
	near(t, "dividend", row[finance.Dividends][2], -(100 - 56.998594 - 15), 1e-6)
	near(t, "cash", row[finance.Cash][19], 677.7712, 1e-9)
	near(t, "repaid", row[finance.NotesCash][20], -1515, 1e-9)
	near(t, "owners", row[finance.EquityIn][20], 1515-677.7712-(100-56.998594), 1e-6)
	near(t, "cash", row[finance.Cash][20], 0, 0)
	found(t, out, "loan", 2, "678 $ of what the notes bring is spent on nothing")
	found(t, out, "cash", 20, "the notes fall due in cash, 1500 $ in all: the owners pay in 794 $ of it")
	near(t, "peak equity", out.PeakEquity, row[finance.EquityIn][20], 1e-9) // dividends before it pay for nothing
	near(t, "owed", row[finance.NotesOwed][20], 0, 0)
	near(t, "owners in construction", row[finance.EquityIn][0]+row[finance.EquityIn][1], 0, 0)

	// At a share price of 12 for 10 they become shares worth 1800.
	x.Notes.Share = 12
	out = run(fl, &x, loan)
	near(t, "repaid", out.Row[finance.NotesCash][20], -15, 1e-9)
	near(t, "given up", out.Row[finance.Converted][20], -1800, 1e-9)
	near(t, "owners see", out.Row[finance.ToEquity][20], 677.7712+100-56.998594-15-1800, 1e-6)
	near(t, "capital", out.Row[finance.PaidIn][20]-out.Row[finance.PaidIn][19], 1500, 1e-9)
	found(t, out, "loan", 20, "1800 $")

	// In kind it is 1500 x 1.01^20 that is owed after 20 months.
	x.Notes.Share, x.Notes.InKind = 8, true
	out = run(fl, &x, loan)
	near(t, "repaid with interest", out.Row[finance.NotesCash][20], -1500*1.2201900399, 1e-5)
	near(t, "free is no business of notes", out.NPV, run(fl, &x, nil).NPV, 0)
}

// TestTenantsMoney: the tenant pays 400 of capex and 300 of rent ahead, both credited at 10 a month,
// with 2 of interest; it fails in month 11, and what is left of both is income.
func TestTenantsMoney(t *testing.T) {
	fl, x := three(), threeTerms(t)
	x.TaxRate = 0
	fl.Line[flow.TenantPut][0], fl.Line[flow.TenantPut][1], fl.Line[flow.Prepaid][2] = 200, 200, 300
	for m := 2; m < 12; m++ {
		fl.Line[flow.TenantPut][m] = -10
		fl.Line[flow.Prepaid][m] -= 10
		fl.Line[flow.TenantCost][m] = -2
	}
	fl.Line[flow.Warrants][0] = -50
	fl.Failed = 11
	loan := finance.Size(fl, &x)
	// Net capex is 1600: 0.6 x 1600 = 960, fee 9.60; 0.6 x 809.60 = 485.76; 0.6 x 804.8576 = 482.91456.
	near(t, "loan", loan.Amount, 485.76+482.91456, 1e-9)
	out := run(fl, &x, loan)
	near(t, "cash for service", out.Row[finance.CFADS][2], 100+300-10-10-2, 1e-9)
	near(t, "cash for service", out.Row[finance.CFADS][3], 100-22, 1e-9)
	near(t, "owed to the tenant", out.Row[finance.TenantOwed][10]+out.Row[finance.PrepaidOwed][10], 700-9*20, 1e-9)
	near(t, "released", out.Row[finance.Released][11], 700-10*20, 1e-9)
	near(t, "owed to the tenant", out.Row[finance.TenantOwed][11]+out.Row[finance.PrepaidOwed][11], 0, 0)
	near(t, "warrants", out.Row[finance.Given][0], -50, 0)
	near(t, "capital", out.Row[finance.PaidIn][0], 50+809.6-485.76, 1e-9)
	near(t, "free of all", sum(out.Row[finance.Free]), 3400-2000+400+300-10*22-50, 1e-9)

	// Nobody fails: what is left lapses in the last month.
	fl.Failed = -1
	out = run(fl, &x, loan)
	near(t, "released", out.Row[finance.Released][11], 0, 0)
	near(t, "released", out.Row[finance.Released][35], 500, 1e-9)
}

// TestSale: the hall is sold for 1500 in month 20; books and tax law write off what is left, the
// loan is repaid, and the reserve comes back.
func TestSale(t *testing.T) {
	fl, x := three(), threeTerms(t)
	for m := 21; m < 36; m++ {
		fl.Line[flow.Rent][m], fl.Line[flow.Upkeep][m] = 0, 0
	}
	fl.Line[flow.Sale][20], fl.End = 1500, 21
	loan := finance.Size(fl, &x)
	out := run(fl, &x, loan)
	row := &out.Row
	// 19 of 40 months of 2000 plus interest are written off.
	cost := 2000 - row[finance.LoanInterest][1]
	near(t, "gain", row[finance.Disposal][20], 1500-cost*21/40, 1e-9)
	for _, r := range []finance.Row{finance.Plant, finance.TaxBasis, finance.LoanOwed, finance.Reserve, finance.FeesAsset, finance.DeferredTax} {
		near(t, r.String(), row[r][20], 0, 1e-9)
		near(t, r.String(), row[r][35], 0, 1e-9)
	}
	// All tax depreciation is used by the sale: what Free is taxed on is 19 x 100 + 1500 - 2000.
	near(t, "tax without debt", sum(row[finance.FreeTax]), -0.25*1400, 1e-9)
	near(t, "repaid", -sum(row[finance.LoanPrincipal])-sum(row[finance.LoanSwept]), out.Debt, 1e-9)
	// Over its life the project's net income is what its owners took.
	near(t, "earned", sum(row[finance.NetIncome]), sum(row[finance.ToEquity]), 1e-6)

	// Machines alone: their proceeds are income, and no plant is written off for them.
	fl = three()
	fl.Line[flow.Resale][20] = 70
	out = run(fl, &x, loan)
	near(t, "gain", out.Row[finance.Disposal][20], 70, 0)
	near(t, "plant", out.Row[finance.Plant][20], 2006.072*21/40, 1e-6)
}

// TestLater: machines bought in month 14 are written off from that month on, by books over four
// months, by tax law 20 % in their first year.
func TestLater(t *testing.T) {
	fl, x := three(), threeTerms(t)
	before := run(fl, &x, nil)
	was, taxWas := before.Row[finance.Depreciation][14], before.Row[finance.TaxDepreciation][14]
	x.BookMachines = 4
	fl.Line[flow.Machines][14] = -240
	out := run(fl, &x, nil)
	for m, want := range map[int]float64{13: 0, 14: -60, 17: -60, 18: 0} {
		base := before.Row[finance.Depreciation][m]
		near(t, "depreciation", out.Row[finance.Depreciation][m]-base, want, 1e-9)
	}
	near(t, "tax depreciation", out.Row[finance.TaxDepreciation][14]-taxWas, -240*0.2/12, 1e-9)
	near(t, "second year", out.Row[finance.TaxDepreciation][26]-before.Row[finance.TaxDepreciation][26], -240*0.32/12, 1e-9)
	near(t, "depreciation before", was, -50, 1e-9)
	near(t, "owners", out.Row[finance.EquityIn][14], 240-100-out.Row[finance.TaxPaid][14], 1e-9)
}

// yearly is a project that makes so much a year, evenly but for what a month has of its own.
func yearly(newYear int, own map[int]float64, years ...float64) *flow.Flows {
	fl := flow.New(12*len(years) + newYear)
	fl.End = fl.Months
	for m := newYear; m < fl.Months; m++ {
		fl.Line[flow.Mining][m] = years[(m-newYear)/12] / 12
	}
	for m, v := range own {
		fl.Line[flow.Mining][m] += v
	}
	return fl
}

// TestLosses: a year's loss of 120 covers at most 80 % of the income of the years that follow, which is the rule of
// section 172 of the US code. Each month bears its part of the year's tax.
func TestLosses(t *testing.T) {
	for _, newYear := range []int{0, 5} {
		x := threeTerms(t)
		x.NewYear = newYear
		fl := yearly(newYear, nil, -120, 100, 100, 100)
		out := run(fl, &x, nil)
		for y, want := range []struct{ used, left, tax, deferred float64 }{
			{0, 120, 0, -30}, {80, 40, -5, -10}, {40, 0, -15, 0}, {0, 0, -25, 0},
		} {
			from, to := newYear+12*y, newYear+12*y+12
			near(t, "used", sum(out.Row[finance.LossesUsed][from:to]), want.used, 1e-12)
			near(t, "left", out.Row[finance.LossesLeft][to-1], want.left, 1e-12)
			near(t, "tax", sum(out.Row[finance.TaxPaid][from:to]), want.tax, 1e-12)
			near(t, "deferred", out.Row[finance.DeferredTax][to-1], want.deferred, 1e-12)
		}
		near(t, "a month's", out.Row[finance.TaxPaid][newYear+15], -5.0/12, 1e-12)
	}
	fl := yearly(0, map[int]float64{40: -600}, -120, 100, 100, 100)
	x := threeTerms(t)
	found(t, run(fl, &x, nil), "tax", 47, "500 $ are never used")
	found(t, run(flow.New(4), &x, nil), "irr", -1, finance.NothingIn)
}

// TestTaxIsTheYears: months of one tax year are netted, whichever comes first, and the limit on losses is of the
// years before alone.
func TestTaxIsTheYears(t *testing.T) {
	x := threeTerms(t)
	for name, own := range map[string]map[int]float64{"loss first": {1: -60}, "loss last": {10: -60}} {
		fl := yearly(0, own, 120, 120)
		row := run(fl, &x, nil).Row
		near(t, name+": tax of the year", sum(row[finance.TaxPaid][:12]), -0.25*60, 1e-12)
		near(t, name+": losses used", sum(row[finance.LossesUsed]), 0, 1e-12)
		near(t, name+": tax of the next", sum(row[finance.TaxPaid][12:]), -0.25*120, 1e-12)
	}
	late := run(yearly(0, map[int]float64{10: -60}, 120, 120), &x, nil).Row[finance.TaxPaid]
	near(t, "given back", late[10], 0.25*50, 1e-12)
	early := run(yearly(0, map[int]float64{1: -60}, 120, 120), &x, nil).Row[finance.TaxPaid]
	near(t, "not yet made up", sum(early[1:5]), 0.25*10, 1e-12) // the tax of January comes back, and none is owed to May
	near(t, "made up", early[6], -0.25*10, 1e-12)
	// In two tax years the same loss waits for the next one, and covers all of the 60 it is less than 80 % of.
	x.NewYear = 11
	fl := flow.New(24)
	fl.End = 24
	fl.Line[flow.Mining][10], fl.Line[flow.Mining][11], fl.Line[flow.Mining][12] = -60, 50, 50
	row := run(fl, &x, nil).Row
	near(t, "half", row[finance.TaxPaid][11], -0.25*(50-40), 1e-12)
	near(t, "the whole", row[finance.TaxPaid][12], -0.25*(50-20), 1e-12)
}

// TestRelief: set against other income a loss saves its tax at once; so two projects come to the tax of their sum.
func TestRelief(t *testing.T) {
	x := threeTerms(t)
	x.Relief = true
	a, b := yearly(0, map[int]float64{3: -500}, 30, 200), yearly(0, nil, 400, -90)
	both := yearly(0, map[int]float64{3: -500}, 430, 110)
	one, other, all := run(a, &x, nil).Row[finance.TaxPaid], run(b, &x, nil).Row[finance.TaxPaid], run(both, &x, nil).Row[finance.TaxPaid]
	for m := range all {
		near(t, "tax", one[m]+other[m], all[m], 1e-12)
	}
	near(t, "in all", sum(all), -0.25*40, 1e-12)
	near(t, "losses left", sum(run(a, &x, nil).Row[finance.LossesLeft]), 0, 0)
}

// TestTermsOf reads a study's file.
func TestTermsOf(t *testing.T) {
	ratio := func(v float64) input.Ratio { return figure.Of(unit.Ratio(v), figure.Quote, "") }
	months := func(n int) input.Months { return figure.Of(figure.Months(n), figure.Quote, "") }
	number := func(v float64) input.Number { return figure.Of(v, figure.Quote, "") }
	money := func(v float64) input.Money { return figure.Of(figure.Dollars(v), figure.Quote, "") }
	f := &input.File{Discount: ratio(0.1), Equity: ratio(0.14), Tax: input.Tax{
		Rate: ratio(0.25), Building: "macrs-15", Machines: "macrs-5", BookBuilding: months(240), BookMachines: months(48), LossLimit: ratio(0.8),
	}}
	x, err := finance.TermsOf(f, nil)
	if err != nil || x.LoanToCost != 0 || x.Discount != 0.1 || x.EquityDiscount != 0.14 || len(x.Building) != 16 || x.BookMachines != 48 {
		t.Errorf("terms without financing: %+v, %v", x, err)
	}
	x, err = finance.TermsOf(f, &input.Financing{
		LoanToCost: ratio(0.7), Rate: ratio(0.09), Upfront: ratio(0.02), Commitment: ratio(0.01), Repay: "level", DSCR: number(1.35),
		Covenant: number(1.15), Tenor: months(120), DSRA: months(6), Sweep: ratio(0.3),
		Notes: &input.Notes{Amount: money(1e6), Coupon: ratio(0.03), InKind: true, Term: months(60), Convert: money(20), Share: money(25)},
	})
	if err != nil || x.Sculpted || x.BuildRate != 0.09 || x.Target != 1.35 || x.Covenant != 1.15 || x.Tenor != 120 || x.DSRA != 6 ||
		x.Sweep != 0.3 || *x.Notes != (finance.NotesTerms{Amount: 1e6, Coupon: 0.03, InKind: true, Term: 60, Convert: 20, Share: 25}) {
		t.Errorf("terms: %+v, %v", x, err)
	}
	f.Tax.Building = "macrs-6"
	if _, err := finance.TermsOf(f, nil); err == nil {
		t.Error("macrs-6 is taken")
	}
}

// TestNoAllocations: a random path leaves no garbage.
func TestNoAllocations(t *testing.T) {
	fl, x := hosting(144), usual(t)
	x.Notes = &finance.NotesTerms{Amount: 1e7, Coupon: 0.03, Term: 60, Convert: 10, Share: 9}
	loan := finance.Size(fl, &x)
	out := finance.NewResult(144)
	var s finance.Scratch
	all := func() {
		finance.Run(finance.Project{Flows: fl, Terms: &x, Loan: loan, Quick: true}, out)
		finance.Value(fl, &x, &s)
	}
	all()
	if n := testing.AllocsPerRun(20, all); n != 0 {
		t.Errorf("%.0f allocations a path", n)
	}
	// A result of another study's length, and a quick run after a full one, leave nothing behind.
	finance.Run(finance.Project{Flows: three(), Terms: &x, Loan: finance.Size(three(), &x)}, out)
	if len(out.Row[finance.Free]) != 36 || len(out.Findings) == 0 {
		t.Errorf("%d months, %d findings", len(out.Row[finance.Free]), len(out.Findings))
	}
	finance.Run(finance.Project{Flows: fl, Terms: &x, Loan: loan, Quick: true}, out)
	fresh := finance.NewResult(144)
	finance.Run(finance.Project{Flows: fl, Terms: &x, Loan: loan, Quick: true}, fresh)
	if out.NPV != fresh.NPV || out.MinDSCR != fresh.MinDSCR || len(out.Findings) != 0 || out.PeakEquity != fresh.PeakEquity {
		t.Errorf("a used result says %f, a fresh one %f; %d findings", out.NPV, fresh.NPV, len(out.Findings))
	}
}
