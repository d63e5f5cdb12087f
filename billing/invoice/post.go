package invoice

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"switchyard/billing/contract"
	"switchyard/ledger"
	"switchyard/store"
	"switchyard/unit"
)

// The accounts. What billing posts per interval is accrued on the tenant's own account; an
// invoice clears it there and takes it up again as what is invoiced, so that both together are
// what the tenant owes, and neither is counted twice:
//
//	assets:receivable:invoiced:T    the sum of the totals issued
//	assets:receivable:tenant:T      accrued per interval, by package billing
//	assets:receivable:tenant:T:invoiced  what of it invoices have taken up (a credit)
//	income:invoiced:T:KIND          what invoices bill, exactly
//	income:invoiced:T:accrued       what had been accrued of it as income before (a debit)
//	income:rounding:T               what rounding to the cent added
//	expense:sla-credit:T, expense:curtailment:T   owed to the tenant
//	liability:tax                   owed to the authority
//	liability:prepayment:T          paid ahead and not yet credited
//	assets:bank:prepayment          where it came in
const (
	accountInvoiced   = "assets:receivable:invoiced:"
	accountAccrued    = "assets:receivable:tenant:"
	accountIncome     = "income:invoiced:"
	accountRounding   = "income:rounding:"
	accountSLA        = "expense:sla-credit:"
	accountCurtail    = "expense:curtailment:"
	accountTax        = "liability:tax"
	accountPrepayment = "liability:prepayment:"
	accountBank       = "assets:bank:prepayment"
)

// part makes a name fit to stand in an account's path.
func part(id string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./-", r) {
			return r
		}
		return '_'
	}, id)
}

// account is where a line's amount goes to.
func account(tenant string, l Line) string {
	kind := l.Kind
	if l.Corrects != nil {
		kind = l.Corrects.Kind
	}
	switch kind {
	case SLACredit:
		return accountSLA + tenant
	case Curtailment:
		return accountCurtail + tenant
	case Tax:
		return accountTax
	case PrepayCredit:
		return accountPrepayment + tenant
	}
	return accountIncome + tenant + ":" + string(kind)
}

// post posts an invoice, and what was paid ahead if it is not in the book yet.
func post(t *store.Tx, inv Invoice, paid []contract.Prepayment) error {
	txs, zone := []ledger.Transaction(nil), time.UTC
	if z, err := time.LoadLocation(inv.Zone); err == nil {
		zone = z
	}
	tenant := part(inv.Tenant)
	for _, p := range paid {
		if p.Amount <= 0 {
			continue
		}
		txs = append(txs, ledger.Transaction{
			Key: "prepayment/" + inv.Tenant + "/" + p.Paid.String(), At: p.Paid.In(zone), Memo: fmt.Sprintf("%s paid ahead", p.Amount),
			Lines: []ledger.Line{{Account: accountBank, Amount: p.Amount}, {Account: accountPrepayment + tenant, Amount: -p.Amount}},
		})
	}
	accrued, err := uncleared(t, inv)
	if err != nil {
		return err
	}
	if tx := inv.posting(tenant, accrued); len(tx.Lines) > 0 {
		txs = append(txs, tx)
	}
	_, err = ledger.PostIn(t, txs)
	return err
}

// uncleared is what billing accrued for the tenant up to the invoice's end and no invoice has taken up.
func uncleared(t *store.Tx, inv Invoice) (unit.Money, error) {
	var later int // an invoice of a later month took up all that was accrued until this one's end
	if err := t.QueryRow("SELECT COUNT(*) FROM invoice_document WHERE tenant = ? AND month > ?", inv.Tenant, inv.Period.Month).Scan(&later); err != nil || later > 0 {
		return 0, err
	}
	tenant := part(inv.Tenant)
	own := accountAccrued + tenant
	until, err := ledger.SumsIn(t, own, time.Time{}, inv.Period.To)
	if err != nil {
		return 0, err
	}
	all, err := ledger.SumsIn(t, own+":invoiced", time.Time{}, time.Time{})
	if err != nil {
		return 0, err
	}
	return until[own].Amount + all[own+":invoiced"].Amount, nil
}

// posting is the one transaction of an invoice.
func (inv Invoice) posting(tenant string, accrued unit.Money) ledger.Transaction {
	sums := map[string]unit.Money{}
	for _, l := range inv.Lines {
		sums[account(tenant, l)] -= l.Amount
		sums[accountRounding+tenant] += l.Amount - l.Billed()
	}
	sums[accountInvoiced+tenant] += inv.Total
	sums[accountAccrued+tenant+":invoiced"] -= accrued
	sums[accountIncome+tenant+":accrued"] += accrued
	tx := ledger.Transaction{
		Key: "invoice/" + inv.Number, At: inv.Issued.Truncate(time.Second),
		Memo: fmt.Sprintf("invoice %s for %s, %s", inv.Number, inv.Period.Month, inv.Total),
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		if sums[name] != 0 {
			tx.Lines = append(tx.Lines, ledger.Line{Account: name, Amount: sums[name]})
		}
	}
	return tx
}
