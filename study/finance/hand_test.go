package finance_test

import (
	"math"
	"testing"

	"switchyard/study/finance"
	"switchyard/study/flow"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %.9f, want %.9f", what, got, want)
	}
}

// three is three years: two months of building at 1000 each, then EBITDA of 100 a month.
func three() *flow.Flows {
	fl := flow.New(36)
	fl.Operate, fl.End = 2, 36
	fl.Line[flow.Building][0], fl.Line[flow.Building][1] = -1000, -1000
	for m := 2; m < 36; m++ {
		fl.Line[flow.Rent][m], fl.Line[flow.Upkeep][m] = 130, -30
	}
	return fl
}

func threeTerms(t testing.TB) finance.Terms {
	return finance.Terms{
		LoanToCost: 0.6, Rate: 0.12, BuildRate: 0.12, Upfront: 0.01, Sculpted: true, Target: 1.25, Covenant: 1.2, Tenor: 24, DSRA: 3,
		TaxRate: 0.25, LossLimit: 0.8, Building: table(t, "macrs-5"), Machines: table(t, "macrs-5"), BookBuilding: 40, BookMachines: 40,
		Discount: 0.10, EquityDiscount: 0.13,
	}
}

// TestByHand follows three years on paper.
//
//	Annuity of 24 months at 1 %: (1 - 1.01^-24)/0.01 = 21.243387.
//	Capacity 100/1.25 x 21.243387 = 1699.470981; cost asks for less.
//	Committed 0.6 x 2000 = 1200; fee 1 % = 12.
//	Month 0: (1000 + 12) x 0.6 = 607.20 drawn, owners 404.80.
//	Month 1: interest 6.072, (1000 + 6.072) x 0.6 = 603.6432 drawn; owed 1210.8432.
//	Service 80 x 1210.8432/1699.470981 = 56.998594; DSCR 1.754429.
//	Owners in month 1: 1006.072 - 603.6432 = 402.4288.
//	Month 2: interest 12.108432, principal 44.890162, owed 1165.953038.
//	  Tax: basis 2006.072 x 20 %/12 = 33.434533; profit 100 - 33.434533 - 12.108432 - 12/24 = 53.957035; tax 13.489259.
//	  Reserve 3 x 56.998594 = 170.995781; cash 100 - 13.489259 - 56.998594 = 29.512148; owners 141.483634.
//	  Books: 2006.072/40 = 50.1518; deferred (50.1518 - 33.434533) x -25 % = -4.179317.
//	  Net income (100 - 50.1518 - 12.108432 - 0.5) x 75 % = 27.929826.
//	Month 3: interest 11.659530, profit 54.405936, tax 13.601484, dividend 100 - 13.601484 - 56.998594 = 29.399922.
//	Month 14 is of the second year: basis x 32 %/12 = 53.495253, interest 6.415236, tax 9.897378.
//	Month 25: the last service; interest 0.564343; the reserve is released.
//	Month 26, third year: basis x 19.2 %/12 = 32.097152; tax 25 % of 67.902848 = 16.975712.
//	Free: 100 - 25 % x (100 - 2000 x 20 %/12) = 83.333333 in the first year, 88.333333 in the second, 83 in the third.
//	  -2000 + 12 x 83.333333 + 12 x 88.333333 = 60 after month 25; after month 24 it was -28.33: paid back in 26 months.
func TestByHand(t *testing.T) {
	fl, x := three(), threeTerms(t)
	loan := finance.Size(fl, &x)
	out := finance.NewResult(36)
	finance.Run(finance.Project{Flows: fl, Terms: &x, Loan: loan}, out)
	const exact = 1e-6
	near(t, "capacity", loan.Capacity, 1699.470981, exact)
	near(t, "loan", loan.Amount, 1210.8432, exact)
	if loan.Why != finance.ByCost {
		t.Errorf("the loan is bound by %s", loan.Why)
	}
	for _, c := range []struct {
		row   finance.Row
		month int
		want  float64
	}{
		{finance.LoanFees, 0, -12},
		{finance.LoanDrawn, 0, 607.2},
		{finance.EquityIn, 0, 404.8},
		{finance.LoanInterest, 1, -6.072},
		{finance.LoanDrawn, 1, 603.6432},
		{finance.LoanOwed, 1, 1210.8432},
		{finance.Reserve, 1, 0},
		{finance.EquityIn, 1, 402.4288},
		{finance.Reserve, 2, 170.995781},
		{finance.EquityIn, 2, 141.483634},
		{finance.Plant, 1, 2006.072},
		{finance.FeesAsset, 1, 12},
		{finance.Due, 2, 56.998594},
		{finance.LoanPrincipal, 2, -44.890162},
		{finance.LoanOwed, 2, 1165.953038},
		{finance.TaxDepreciation, 2, -33.434533},
		{finance.TaxPaid, 2, -13.489259},
		{finance.TaxDeferred, 2, 4.179317},
		{finance.NetIncome, 2, 27.929826},
		{finance.Dividends, 2, 0},
		{finance.Dividends, 3, -29.399922},
		{finance.LoanInterest, 14, -6.415236},
		{finance.TaxPaid, 14, -9.897378},
		{finance.LoanInterest, 25, -0.564343},
		{finance.LoanOwed, 25, 0},
		{finance.Reserve, 25, 0},
		{finance.Dividends, 25, -88.075556},
		{finance.FeesAsset, 25, 0},
		{finance.TaxPaid, 26, -16.975712},
		{finance.Free, 2, 83.333333},
		{finance.Free, 14, 88.333333},
		{finance.Free, 26, 83},
		{finance.Plant, 35, 2006.072 * 6 / 40},
		{finance.Retained, 35, math.NaN()},
	} {
		if c.row == finance.Retained {
			// Interest in operation: 24 x 56.998594 - 1210.8432 = 157.123050; dividends summed in closing below.
			sum := 0.0
			for _, d := range out.Row[finance.Dividends] {
				sum -= d
			}
			c.want = 0.75*(3400-2006.072*34/40-12-157.123050) - sum
		}
		near(t, c.row.String(), out.Row[c.row][c.month], c.want, 2*exact)
	}
	for m := 2; m < 26; m++ {
		near(t, "DSCR", out.Row[finance.Cover][m], 1.7544292, exact)
	}
	near(t, "least DSCR", out.MinDSCR, 1.7544292, exact)
	near(t, "mean DSCR", out.MeanDSCR, 1.7544292, exact)
	// LLCR: 100 x 21.243387 / 1210.8432, which for a sculpted loan is its DSCR.
	near(t, "LLCR", out.LLCR, 1.7544292, exact)
	near(t, "peak equity", out.PeakEquity, 404.8+402.4288+141.483634, exact)
	near(t, "capex", out.Capex, 2000, 0)
	near(t, "debt", out.Debt, 1210.8432, exact)
	// Free's and the owners' flows discounted, and their rates, were computed outside the program.
	near(t, "NPV", out.NPV, 506.2555510507554, exact)
	near(t, "owners' NPV", out.NPVOwner, 408.2351973134154, exact)
	near(t, "IRR", out.IRR.Is, 0.29691263041901195, 1e-9)
	near(t, "owners' IRR", out.IRROwner.Is, 0.39323321807612466, 1e-9)
	if out.Payback != 26 {
		t.Errorf("paid back in %d months, want 26", out.Payback)
	}
	if len(out.Findings) != 0 {
		t.Errorf("findings: %v", out.Findings)
	}
}
