package finance_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"switchyard/study/finance"
	"switchyard/study/flow"
)

func run(fl *flow.Flows, x *finance.Terms, loan *finance.Loan) *finance.Result {
	out := finance.NewResult(fl.Months)
	finance.Run(finance.Project{Flows: fl, Terms: x, Loan: loan}, out)
	return out
}

// found says that a finding of the kind in the month says so.
func found(t *testing.T, out *finance.Result, kind string, month int, text string) {
	t.Helper()
	if !slices.ContainsFunc(out.Findings, func(f finance.Finding) bool {
		return f.Kind == kind && f.Month == month && strings.Contains(f.Text, text)
	}) {
		t.Errorf("no finding %q in month %d says %q: %v", kind, month, text, out.Findings)
	}
}

// TestBoundByCover: at 95 % of cost the three years' loan is bound by its DSCR, 1699.470981, and
// month by month CFADS is 1.25 times the service of 80.
func TestBoundByCover(t *testing.T) {
	fl, x := three(), threeTerms(t)
	x.LoanToCost = 0.95
	loan := finance.Size(fl, &x)
	if loan.Why != finance.ByCover {
		t.Errorf("bound by %s", loan.Why)
	}
	near(t, "loan", loan.Amount, 1699.470981, 1e-6)
	near(t, "committed", loan.Committed, 1699.470981, 1e-6)
	out := run(fl, &x, loan)
	near(t, "owed", out.Row[finance.LoanOwed][1], 1699.470981, 1e-6)
	near(t, "DSCR", out.MinDSCR, 1.25, 1e-9)
	near(t, "LLCR", out.LLCR, 1.25, 1e-9)
	near(t, "planned principal in all", sum(loan.Principal), loan.Amount, 1e-6)
	// Costs 1000 + 16.994710, then 1000 + interest: what the limit leaves is the owners'.
	first := 0.95 * 1016.99470981
	near(t, "drawn at first", out.Row[finance.LoanDrawn][0], first, 1e-6)
	near(t, "drawn then", out.Row[finance.LoanDrawn][1], 1699.470981-first, 1e-6)
}

func sum(all []float64) float64 {
	s := 0.0
	for _, v := range all {
		s += v
	}
	return s
}

// TestLevel: service is level, and the weakest year bounds it: of three years with CFADS of 100, 60
// and 100 a month the second, 60/1.25 = 48 over 36 months at no interest is 1728.
func TestLevel(t *testing.T) {
	fl := flow.New(48)
	fl.Operate, fl.End = 1, 48
	fl.Line[flow.Building][0] = -10000
	for m := 1; m < 48; m++ {
		fl.Line[flow.Rent][m] = 100
		if m >= 13 && m < 25 {
			// A season: the mean of a month is 60.
			fl.Line[flow.Rent][m] = 20 + 80*float64(m%2)
		}
	}
	x := threeTerms(t)
	x.Sculpted, x.Rate, x.Tenor, x.LoanToCost, x.Upfront = false, 0, 36, 0.5, 0
	loan := finance.Size(fl, &x)
	near(t, "loan", loan.Amount, 1728, 1e-9)
	out := run(fl, &x, loan)
	for m := 1; m < 37; m++ {
		near(t, "service", out.Row[finance.Due][m], 48, 1e-9)
	}
	near(t, "service after", out.Row[finance.Due][37], 0, 0)
	near(t, "least DSCR", out.MinDSCR, 1.25, 1e-9)
	near(t, "mean DSCR", out.MeanDSCR, (24*100+12*60)/(36*48.0), 1e-9)
	// At 12 % the payment is the annuity's: 1000 at 1 % over 36 months is 33.214310 (any table of annuities).
	x.Rate, x.LoanToCost = 0.12, 0.1
	loan = finance.Size(fl, &x)
	near(t, "loan at cost", loan.Amount, 1000, 1e-9)
	near(t, "payment", loan.Service[20], 33.214310, 1e-6)
	near(t, "planned principal in all", sum(loan.Principal), 1000, 1e-9)
}

// TestNoLoan has the reasons for none.
func TestNoLoan(t *testing.T) {
	x := threeTerms(t)
	poor := three()
	for m := range poor.Months {
		poor.Line[flow.Rent][m] = 10
	}
	out := run(poor, &x, finance.Size(poor, &x))
	found(t, out, "loan", -1, finance.NoCash)
	found(t, out, "cash", 2, "34 months: the owners pay in 675 $") // the 5 $ of tax on the first two are given back
	if !math.IsNaN(out.MinDSCR) || !math.IsNaN(out.LLCR) || out.Debt != 0 {
		t.Errorf("DSCR %f, LLCR %f, debt %f without a loan", out.MinDSCR, out.LLCR, out.Debt)
	}
	bought := three()
	bought.Begin = 2
	if loan := finance.Size(bought, &x); loan.Why != finance.NotBuilt || loan.Amount != 0 {
		t.Errorf("a loan of %f where nothing is built: %s", loan.Amount, loan.Why)
	}
	x.LoanToCost = 0
	if loan := finance.Size(three(), &x); loan != nil {
		t.Errorf("a loan of %f on terms without one", loan.Amount)
	}
}

// TestPathOfTheLoan: a path that costs less draws less and serves less; one that costs more draws
// the loan and no more; one that comes late serves late, and repays what is left in the last month.
func TestPathOfTheLoan(t *testing.T) {
	fl, x := three(), threeTerms(t)
	loan := finance.Size(fl, &x)
	cheap := three()
	cheap.Line[flow.Building][0], cheap.Line[flow.Building][1] = -500, -500
	// (500 + 12) x 0.6 = 307.2; interest 3.072; (500 + 3.072) x 0.6 = 301.8432; 609.0432 owed.
	out := run(cheap, &x, loan)
	near(t, "debt of the cheap", out.Debt, 609.0432, 1e-9)
	near(t, "service of the cheap", out.Row[finance.Due][2], 56.998594*609.0432/1210.8432, 1e-6)
	near(t, "owed by the cheap", out.Row[finance.LoanOwed][25], 0, 0)

	dear := three()
	dear.Line[flow.Building][1] = -3000
	out = run(dear, &x, loan)
	near(t, "debt of the dear", out.Debt, 1210.8432, 1e-9)
	near(t, "owners of the dear", out.Row[finance.EquityIn][1], 3000+6.072-603.6432, 1e-6)

	late := three()
	late.Operate = 14
	for m := 2; m < 14; m++ {
		late.Line[flow.Rent][m], late.Line[flow.Upkeep][m] = 0, 0
	}
	out = run(late, &x, loan)
	near(t, "first service of the late", out.Row[finance.Due][13], 0, 0)
	if out.Row[finance.Due][14] <= 0 || out.Row[finance.LoanSwept][35] >= 0 {
		t.Errorf("due %f in the first month, %f repaid in the last", out.Row[finance.Due][14], out.Row[finance.LoanSwept][35])
	}
	found(t, out, "loan", 35, "still owed when the study ends")
	near(t, "owed by the late", out.Row[finance.LoanOwed][35], 0, 0)

	never := three()
	never.Operate = 40
	out = run(never, &x, loan)
	near(t, "owed by what never opens", out.Row[finance.LoanOwed][35], 0, 0)
	near(t, "depreciation of what never opens", sum(out.Row[finance.Depreciation]), 0, 0)
	found(t, out, "loan", 35, "still owed")
}

// TestTenorCut: the tenor ends with the study.
func TestTenorCut(t *testing.T) {
	fl, x := three(), threeTerms(t)
	x.Tenor = 60
	loan := finance.Size(fl, &x)
	if len(loan.Service) != 34 {
		t.Errorf("served in %d months, want 34", len(loan.Service))
	}
	out := run(fl, &x, loan)
	found(t, out, "loan", -1, "cut from 60 months to 34 months")
	near(t, "owed", out.Row[finance.LoanOwed][35], 0, 0)
	near(t, "swept", sum(out.Row[finance.LoanSwept]), 0, 0)
}

// TestReserve: three months without rent; the reserve pays for all three but upkeep and tax, and is
// filled again before a dividend is paid.
func TestReserve(t *testing.T) {
	fl, x := three(), threeTerms(t)
	x.TaxRate = 0
	loan := finance.Size(fl, &x)
	for m := 5; m < 8; m++ {
		fl.Line[flow.Rent][m], fl.Line[flow.Upkeep][m] = 0, 0
	}
	out := run(fl, &x, loan)
	service := 80 * 1210.8432 / 1699.4709806102276
	for m := 5; m < 8; m++ {
		near(t, "reserve", out.Row[finance.Reserve][m], float64(7-m)*service, 1e-9)
		near(t, "owners", out.Row[finance.EquityIn][m], 0, 0)
	}
	// 100 - service = 43.001406 a month goes to the reserve for 3.97 months.
	for m, want := range map[int]float64{8: 43.001406, 9: 86.002813, 10: 129.004219, 11: 3 * service} {
		near(t, "reserve filled", out.Row[finance.Reserve][m], want, 1e-6)
	}
	near(t, "dividend", out.Row[finance.Dividends][10], 0, 0)
	near(t, "dividend", out.Row[finance.Dividends][11], -(4*43.001406 - 3*service), 1e-5)
	if slices.ContainsFunc(out.Findings, func(f finance.Finding) bool { return f.Kind == "cash" }) {
		t.Errorf("cash is short although the reserve pays: %v", out.Findings)
	}
	// Twelve months to month 13 (the twelfth of operation) had 900 for a service of 12.
	near(t, "least DSCR", out.MinDSCR, 900/(12*service), 1e-9)

	// A fourth month is the owners'.
	fl.Line[flow.Rent][8], fl.Line[flow.Upkeep][8] = 0, 0
	x.Covenant = 1.25
	out = run(fl, &x, loan)
	near(t, "owners", out.Row[finance.EquityIn][8], service, 1e-9)
	found(t, out, "cash", 8, "1 month: the owners pay in 57 $")
	found(t, out, "covenant", 13, "below the covenant of 1.25 in 4 months, at worst 1.17")
}

// TestSweep: half of what is left after service repays early, and the tail is shorter.
func TestSweep(t *testing.T) {
	fl, x := three(), threeTerms(t)
	x.TaxRate, x.Sweep, x.DSRA = 0, 0.5, 0
	loan := finance.Size(fl, &x)
	out := run(fl, &x, loan)
	service := 80 * 1210.8432 / 1699.4709806102276
	near(t, "swept", out.Row[finance.LoanSwept][2], -0.5*(100-service), 1e-9)
	near(t, "dividend", out.Row[finance.Dividends][2], -0.5*(100-service), 1e-9)
	// 78.499297 a month in all: after 16 months 1210.8432 x 1.01^16 - 78.499297 x (1.01^16 - 1)/0.01 is owed.
	near(t, "owed before the last", out.Row[finance.LoanOwed][17], 1210.8432*1.17257864-78.499297*17.257864, 1e-4)
	near(t, "owed after it", out.Row[finance.LoanOwed][18], 0, 0)
	near(t, "due after it", out.Row[finance.Due][19], 0, 0)
	near(t, "fees left", out.Row[finance.FeesAsset][19], 0, 0)
	paid := sum(out.Row[finance.LoanPrincipal]) + sum(out.Row[finance.LoanSwept])
	near(t, "repaid", -paid, 1210.8432, 1e-9)
}

// TestNegativePrincipal: in a month without CFADS a sculpted loan asks for nothing, and its interest
// is owed on.
func TestNegativePrincipal(t *testing.T) {
	fl, x := three(), threeTerms(t)
	fl.Line[flow.Rent][4], fl.Line[flow.Upkeep][4] = 0, 0
	out := run(fl, &x, finance.Size(fl, &x))
	near(t, "service", out.Row[finance.Due][4], 0, 0)
	near(t, "owed", out.Row[finance.LoanOwed][4], out.Row[finance.LoanOwed][3]*1.01, 1e-9)
	if !math.IsNaN(out.Row[finance.Cover][4]) {
		t.Errorf("DSCR %f where nothing is due", out.Row[finance.Cover][4])
	}
	near(t, "owed at the end", out.Row[finance.LoanOwed][25], 0, 0)
	if !slices.ContainsFunc(out.Findings, func(f finance.Finding) bool {
		return f.Kind == "loan" && f.Month == 4 && strings.Contains(f.Text, "debt service does not cover interest in 1 month: the loan grows by")
	}) {
		t.Errorf("that the loan grows is not said: %v", out.Findings)
	}
}
