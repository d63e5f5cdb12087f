package finance

// Row is one line of a project's monthly statements. Statements take money in as positive, out as
// negative; balances are positive where they are of the usual sign.
type Row int

// The rows, in the order in which a reader goes through them.
const (
	// Income.
	Revenue      Row = iota // operating lines above zero by nature: mining, rent, cloud, passed, programmes, blocks
	OpCosts                 // operating lines that are costs
	EBITDA                  // their sum
	Depreciation            // book, straight-line
	Disposal                // sale and resale over book value
	Released                // prepaid rent and tenant's capex left when the tenant failed, or at the end
	Given                   // warrants: an expense without cash, against paid-in capital
	Interest                // of the loan and the notes, once in operation; fees written off over the tenor
	PreTax
	TaxCurrent
	TaxDeferred
	NetIncome
	// Tax.
	TaxDepreciation // as tax law has it
	LossesUsed
	LossesLeft // balance
	// Cash.
	CFADS // EBITDA and movements of prepaid rent and tenant's credits in operation, before tax
	TaxPaid
	Capex
	SaleCash
	LoanDrawn
	LoanFees
	LoanInterest  // paid in cash
	LoanPrincipal // scheduled
	LoanSwept     // early, by the sweep
	NotesCash     // drawn, coupon, repaid
	ReserveMove   // to the DSRA as negative
	EquityIn      // paid in by the owners: their share of cost, and what was short
	Dividends
	CashMove // sum of the cash rows
	// Balance sheet, at the month's end.
	Cash
	Reserve   // DSRA
	Plant     // capex less book depreciation
	FeesAsset // loan fees not yet written off
	LoanOwed
	NotesOwed
	PrepaidOwed // rent paid, not yet earned
	TenantOwed  // tenant's capex not yet credited
	DeferredTax
	PaidIn   // equity paid in
	Retained // earnings less dividends: may be below zero
	Off      // assets less liabilities and equity: zero
	// For the reader.
	Due      // debt service due
	Cover    // CFADS over service; NaN without service
	Free     // project's flow after tax, before financing: for its NPV and IRR
	ToEquity // dividends less what was paid in: for equity's NPV and IRR
	Rows     // how many there are
)
