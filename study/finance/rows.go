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
	Interest                // of the loan and the notes once in operation, of tenant's capex; loan fees written off
	PreTax
	TaxCurrent
	TaxDeferred
	NetIncome
	// Tax.
	TaxDepreciation // as tax law has it
	LossesUsed      // losses of earlier years that cover this year's income; positive
	LossesLeft      // balance: of earlier years, and of this one so far
	TaxBasis        // balance: what tax law has not yet let write off
	// Cash.
	CFADS        // EBITDA and movements of prepaid rent and tenant's credits in operation, before tax
	BeforeCash   // the same before operation, where no lender counts on it
	TaxPaid      // what the tax year so far owes more than with the month before; above zero where it owes less
	Capex        // building and machines, the tenant's part included
	SaleCash     // sale and resale
	LoanDrawn    // during construction
	LoanFees     // upfront and commitment
	LoanInterest // paid in cash
	LoanPrincipal
	LoanSwept   // early: by the sweep, by a sale, in the last month
	NotesCash   // drawn, coupon, repaid
	ReserveMove // to the DSRA as negative
	EquityIn    // paid in by the owners: their share of cost, and what was short
	Dividends
	CashMove // sum of the cash rows
	// Balance sheet, at the month's end.
	Cash
	Reserve   // DSRA
	Plant     // capex and interest capitalised, less book depreciation
	FeesAsset // loan fees not yet written off
	LoanOwed
	NotesOwed
	PrepaidOwed // rent paid, not yet earned
	TenantOwed  // tenant's capex not yet credited
	DeferredTax // below zero it is an asset: losses that later profits may use
	PaidIn      // equity paid in
	Retained    // earnings less dividends: may be below zero
	Off         // assets less liabilities and equity: zero
	// For the reader.
	Capitalised // interest of loan and notes before operation, into Plant
	Due         // debt service due
	Cover       // DSCR of the month: CFADS over service; NaN without service
	FreeTax     // tax as it would be without loan and notes
	Free        // project's flow after tax, before financing: for its NPV and IRR
	Converted   // what the owners give up where notes become shares
	ToEquity    // dividends less what was paid in and given up: for equity's NPV and IRR
	Rows        // how many there are
)

// names are a row's stable name for machines and its name for people.
var names = [Rows][2]string{
	Revenue: {"revenue", "Revenue"}, OpCosts: {"costs", "Costs of operation"}, EBITDA: {"ebitda", "EBITDA"},
	Depreciation: {"depreciation", "Depreciation"}, Disposal: {"disposal", "Gain on what is sold"},
	Released: {"released", "Tenant's money released"}, Given: {"warrants", "Warrants given"}, Interest: {"interest", "Interest and loan fees"},
	PreTax: {"pre_tax", "Profit before tax"}, TaxCurrent: {"tax_current", "Current tax"}, TaxDeferred: {"tax_deferred", "Deferred tax"},
	NetIncome: {"net_income", "Net income"}, TaxDepreciation: {"tax_depreciation", "Tax depreciation"},
	LossesUsed: {"losses_used", "Losses used"}, LossesLeft: {"losses_left", "Losses left"}, TaxBasis: {"tax_basis", "Tax basis"},
	CFADS: {"cfads", "Cash flow available for debt service"}, BeforeCash: {"cash_before_operation", "Cash from before operation"},
	TaxPaid: {"tax_paid", "Tax paid"}, Capex: {"capex", "Capex"}, SaleCash: {"sale", "Sale and resale"}, LoanDrawn: {"loan_drawn", "Loan drawn"},
	LoanFees: {"loan_fees", "Loan fees"}, LoanInterest: {"loan_interest", "Loan interest"}, LoanPrincipal: {"loan_principal", "Loan principal"},
	LoanSwept: {"loan_swept", "Loan repaid early"}, NotesCash: {"notes", "Notes drawn, less paid"}, ReserveMove: {"reserve_move", "From the reserve"},
	EquityIn: {"equity_in", "Paid in by the owners"}, Dividends: {"dividends", "Dividends"}, CashMove: {"cash_move", "Change of cash"},
	Cash: {"cash", "Cash"}, Reserve: {"reserve", "Debt service reserve"}, Plant: {"plant", "Plant"}, FeesAsset: {"fees_asset", "Loan fees not written off"},
	LoanOwed: {"loan_owed", "Loan"}, NotesOwed: {"notes_owed", "Notes"}, PrepaidOwed: {"prepaid_owed", "Prepaid rent"},
	TenantOwed: {"tenant_owed", "Tenant's capex to credit"}, DeferredTax: {"deferred_tax", "Deferred tax liability"}, PaidIn: {"paid_in", "Capital paid in"},
	Retained: {"retained", "Retained earnings"}, Off: {"off", "Off balance"}, Capitalised: {"capitalised", "Interest capitalised"},
	Due: {"debt_service", "Debt service due"}, Cover: {"dscr", "DSCR"}, FreeTax: {"tax_unlevered", "Tax without debt"},
	Free: {"free", "Free cash flow after tax"}, Converted: {"converted", "Given up where notes convert"}, ToEquity: {"to_equity", "Cash flow to the owners"},
}

// Key is the row's name for machines.
func (r Row) Key() string { return names[r][0] }

// String is the row's name for people.
func (r Row) String() string { return names[r][1] }

// Balance says that the row is a balance at the month's end; the others are flows of the month,
// but for Cover, which is a ratio.
func (r Row) Balance() bool {
	return r >= Cash && r <= Off || r == LossesLeft || r == TaxBasis
}
