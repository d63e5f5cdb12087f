package finance

import (
	"fmt"

	"switchyard/study/flow"
	"switchyard/study/input"
)

// Terms are those of a loan, the tax and the owners, as plain numbers. Rates are per year; a month
// bears a twelfth.
type Terms struct {
	LoanToCost, Rate, BuildRate, Upfront, Commitment float64
	Sculpted                                         bool // else level
	Target, Covenant                                 float64
	Tenor, DSRA                                      int // months
	Sweep                                            float64
	Notes                                            *NotesTerms

	TaxRate, LossLimit float64
	// NewYear is the study's first month in which a tax year begins, 0 to 11. Relief: a loss saves its tax at
	// once, as the owners have other income to set it against; none is carried.
	NewYear int
	Relief  bool
	// Building and Machines are what tax law lets one write off in the first, second … year.
	Building, Machines         []float64
	BookBuilding, BookMachines int // months, straight-line

	Discount, EquityDiscount float64
}

// NotesTerms are of convertible notes.
type NotesTerms struct {
	Amount, Coupon float64
	InKind         bool
	Term           int // months from the first month of construction
	Convert, Share float64
}

// Loan is a term loan as the lender's case sized it. Service is what is due in the first, second …
// month of operation: interest and scheduled principal, of which Principal is the latter.
type Loan struct {
	Amount    float64
	Capacity  float64 // what the DSCR alone would allow
	Committed float64 // what fees are reckoned on: the lesser of Capacity and loan to cost of the capex alone
	// Principal is below zero in a month whose service is less than its interest.
	Service, Principal []float64
	Why                string // what bound it: "loan to cost", "DSCR", "no cash flow to lend on", "nothing is built"
}

// Rate is an internal rate of return a year, or why there is none.
type Rate struct {
	Is   float64
	None string // NothingIn, NeverBack, SeveralFit, BringsFirst, OutOfReach
}

// Finding is something that a reader must not miss.
type Finding struct {
	Kind  string // "cash", "covenant", "irr", "loan", "tax"
	Month int    // -1: of the whole
	Text  string
}

// Result is a project's statements and what is read from them. Row[r][t] is row r in month t.
type Result struct {
	Row      [Rows][]float64
	NPV      float64 // of Free at Discount, to the beginning of month 0
	NPVOwner float64 // of ToEquity at EquityDiscount
	IRR      Rate    // of Free
	IRROwner Rate    // of ToEquity
	// Payback is in how many months from Begin Free has paid back what was put in; -1: never.
	Payback int
	// MinDSCR, MeanDSCR and LLCR (present value of CFADS over the tenor at the loan's rate, over
	// the loan, at the start of operation) are NaN without a loan.
	MinDSCR, MeanDSCR, LLCR float64
	Debt, PeakEquity, Capex float64 // the loan at its height; the most equity that was in at a time; all capex
	Findings                []Finding

	scratch   Scratch
	owner     discount
	idc, book writeOff

	// What findings are made of.
	shortMonths, shortFirst, shortLast, breachMonths, breachFirst int
	shortSum                                                      float64
	repaidIn, heldFirst                                           int
	repaid, repaidLack                                            float64 // notes in cash, and what the owners paid of it
	heldMost                                                      float64 // of the notes' proceeds
}

// Project is what Run takes.
type Project struct {
	Flows *flow.Flows
	Terms *Terms
	Loan  *Loan // nil: equity only
	// Quick leaves out internal rates and findings, as a random path needs neither.
	Quick bool
}

// TermsOf reads a study's terms; without a financing (nil) everything is equity.
func TermsOf(f *input.File, fin *input.Financing) (Terms, error) {
	t := Terms{
		TaxRate: ratio(f.Tax.Rate), LossLimit: ratio(f.Tax.LossLimit), NewYear: (13 - int(f.Start.Calendar())) % wholeYear, Relief: f.Tax.Losses == input.Relief,
		BookBuilding: months(f.Tax.BookBuilding), BookMachines: months(f.Tax.BookMachines),
		Discount: ratio(f.Discount), EquityDiscount: ratio(f.Equity),
	}
	var err error
	if t.Building, err = MACRS(f.Tax.Building); err != nil {
		return t, fmt.Errorf("read tax.building: %w", err)
	}
	if t.Machines, err = MACRS(f.Tax.Machines); err != nil {
		return t, fmt.Errorf("read tax.machines: %w", err)
	}
	if fin == nil {
		return t, nil
	}
	t.LoanToCost, t.Rate, t.BuildRate = ratio(fin.LoanToCost), ratio(fin.Rate), ratio(fin.BuildRate)
	if fin.BuildRate == nil {
		t.BuildRate = t.Rate
	}
	t.Upfront, t.Commitment, t.Sweep = ratio(fin.Upfront), ratio(fin.Commitment), ratio(fin.Sweep)
	t.Sculpted, t.Tenor, t.DSRA = fin.Repay != "level", months(fin.Tenor), months(fin.DSRA)
	if fin.DSCR != nil {
		t.Target = fin.DSCR.Is
	}
	if fin.Covenant != nil {
		t.Covenant = fin.Covenant.Is
	}
	if n := fin.Notes; n != nil {
		t.Notes = &NotesTerms{
			Amount: money(n.Amount), Coupon: ratio(n.Coupon), InKind: n.InKind, Term: months(n.Term),
			Convert: money(n.Convert), Share: money(n.Share),
		}
	}
	return t, nil
}

func ratio(r input.Ratio) float64 {
	if r == nil {
		return 0
	}
	return float64(r.Is)
}

func money(m input.Money) float64 {
	if m == nil {
		return 0
	}
	return float64(m.Is)
}

func months(m input.Months) int {
	if m == nil {
		return 0
	}
	return int(m.Is)
}
