// Package tell owns which rows of a workbook make up which figure of a report: of a year's statements, of an
// option and of the whole site.
//
// It never writes a cell and never computes a figure.
//
// Concurrency: all is pure, and its table is never changed.
package tell

import (
	"switchyard/study"
	"switchyard/study/finance"
	"switchyard/study/flow"
)

// Made is what a year's figure is made of: keys of the sheet's rows with their signs, as sum takes them.
// Of a balance it is what stands at the year's end, or by how much that rises.
type Made struct {
	Keys           []string
	Balance, Rises bool
}

// Statement are the rows of a project's statements. TAX and LOSSES are those that it pays and carries.
var Statement = [finance.Rows]Made{
	finance.Revenue: {Keys: []string{"revenue"}}, finance.OpCosts: {Keys: []string{"costs"}}, finance.EBITDA: {Keys: []string{"ebitda"}},
	finance.Depreciation: {Keys: []string{"-depreciation"}}, finance.Disposal: {Keys: []string{"disposal"}}, finance.Released: {Keys: []string{"released"}},
	finance.Given: {Keys: []string{"warrants"}}, finance.Interest: {Keys: []string{"tenant_interest", "-financing"}}, finance.PreTax: {Keys: []string{"pre_tax"}},
	finance.TaxCurrent: {Keys: []string{"-TAX"}}, finance.TaxDeferred: {Keys: []string{"-deferred"}, Rises: true}, finance.NetIncome: {Keys: []string{"net_income"}},
	finance.TaxDepreciation: {Keys: []string{"-written_b", "-written_m", "-written_i"}}, finance.LossesUsed: {Keys: []string{"USED"}},
	finance.LossesLeft: {Keys: []string{"LOSSES"}, Balance: true}, finance.TaxBasis: {Keys: []string{"basis", "idc"}, Balance: true},
	finance.CFADS: {Keys: []string{"CFADS"}}, finance.BeforeCash: {Keys: []string{"flow", "-CFADS"}}, finance.TaxPaid: {Keys: []string{"-TAX"}},
	finance.Capex: {Keys: []string{"capex"}}, finance.SaleCash: {Keys: []string{"sale", "resale"}}, finance.LoanDrawn: {Keys: []string{"loan_drawn"}},
	finance.LoanFees: {Keys: []string{"-loan_fees"}}, finance.LoanInterest: {Keys: []string{"-building_interest", "-loan_interest"}},
	finance.LoanPrincipal: {Keys: []string{"-principal"}}, finance.LoanSwept: {Keys: []string{"-loan_swept"}}, finance.NotesCash: {Keys: []string{"notes_cash"}},
	finance.ReserveMove: {Keys: []string{"-reserve"}, Rises: true}, finance.EquityIn: {Keys: []string{"equity_in"}}, finance.Dividends: {Keys: []string{"-dividends"}},
	finance.CashMove: {Keys: []string{"cash_kept"}, Rises: true},
	finance.Cash:     {Keys: []string{"cash_kept"}, Balance: true}, finance.Reserve: {Keys: []string{"reserve"}, Balance: true},
	finance.Plant: {Keys: []string{"plant"}, Balance: true}, finance.FeesAsset: {Keys: []string{"fees_left"}, Balance: true},
	finance.LoanOwed: {Keys: []string{"loan_owed"}, Balance: true}, finance.NotesOwed: {Keys: []string{"notes_owed"}, Balance: true},
	finance.PrepaidOwed: {Keys: []string{"prepaid_owed"}, Balance: true}, finance.TenantOwed: {Keys: []string{"tenant_capex_owed"}, Balance: true},
	finance.DeferredTax: {Keys: []string{"deferred"}, Balance: true}, finance.PaidIn: {Keys: []string{"paid_in"}, Balance: true},
	finance.Retained: {Keys: []string{"retained"}, Balance: true}, finance.Off: {Keys: []string{"off"}, Balance: true},
	finance.Capitalised: {Keys: []string{"capitalised"}}, finance.Due: {Keys: []string{"due"}}, finance.FreeTax: {Keys: []string{"-tax"}},
	finance.Free: {Keys: []string{"free"}}, finance.Converted: {Keys: []string{"converted"}}, finance.ToEquity: {Keys: []string{"to_equity"}},
}

// Part says which statement a row belongs to.
func Part(r finance.Row) string {
	switch {
	case r <= finance.NetIncome:
		return "Income"
	case r <= finance.TaxBasis:
		return "Tax"
	case r <= finance.CashMove:
		return "Cash"
	case r <= finance.Off:
		return "Balance"
	}
	return "For the reader"
}

// Figure is a figure of an option beside its years, and the row of its sheet that has it.
type Figure struct {
	What, Key string
	Program   *float64
}

// Option are those that the report tells of an option.
func Option(v *study.Option) []Figure {
	out := []Figure{
		{"NPV", "worth", &v.Expected},
		{"NPV to the owners", "worth_owners", &v.Owners},
		{"Project IRR", "irr", v.IRR},
		{"Equity IRR", "irr_owners", v.IRROwners},
		{"Lowest DSCR of twelve months, before tax", "min_dscr", v.MinDSCR},
		{"Mean DSCR, before tax", "mean_dscr", v.MeanDSCR},
		{"Lowest DSCR of twelve months, after tax", "min_dscr_taxed", v.TaxedDSCR},
		{"Mean DSCR, after tax", "mean_dscr_taxed", v.TaxedMean},
		{"Loan life cover ratio", "llcr", v.LLCR},
		{"Loan", "debt", &v.Debt},
		{"Most equity at a time", "peak", &v.PeakEquity},
		{"Capex", "capex_all", &v.Capex},
		{"Critical load", "mw_most", &v.MW},
	}
	if v.Payback != nil {
		months := float64(*v.Payback)
		out = append(out, Figure{"Paid back after", "payback", &months})
	}
	return out
}

// Site are those that the report tells of all that is chosen together.
func Site(p *study.Portfolio) []Figure {
	return []Figure{
		{"Lowest DSCR of twelve months, before tax", "min_dscr", p.MinDSCR},
		{"Mean DSCR, before tax", "mean_dscr", p.MeanDSCR},
		{"Lowest DSCR of twelve months, after tax", "min_dscr_taxed", p.TaxedDSCR},
		{"Mean DSCR, after tax", "mean_dscr_taxed", p.TaxedMean},
	}
}

// Sources are what the cash of a hall comes from and goes to, as Years has it.
func Sources() (out []string) {
	for l := range flow.Blocks + 1 {
		out = append(out, "line "+l.Key())
	}
	for _, r := range []finance.Row{finance.OpCosts, finance.Capex, finance.SaleCash, finance.FreeTax} {
		out = append(out, "row "+r.Key())
	}
	return out
}
