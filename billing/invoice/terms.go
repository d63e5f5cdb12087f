package invoice

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"switchyard/billing/contract"
	"switchyard/unit"
)

// terms is the contract that an invoice was billed by, as it was then; nil where none was kept.
func (inv Invoice) terms() *contract.Contract {
	if len(inv.Terms) == 0 {
		return nil
	}
	return &contract.Contract{
		Tenant: inv.Tenant, Number: inv.Contract, Customer: inv.Customer, Seller: inv.Seller, Currency: inv.Currency, Timezone: inv.Zone,
		Versions: inv.Terms,
	}
}

// rated adds to GPU terms as billed the rates of models that they name none for, from the file's
// version of the same day: late data of a model that nobody had agreed a rate for would stop all
// invoices, and what was agreed then cannot be written any more.
func rated(billed, file *contract.Contract) *contract.Contract {
	out := *billed
	out.Versions = slices.Clone(billed.Versions)
	for i := range out.Versions {
		v := &out.Versions[i]
		now, ok := file.On(v.From)
		if v.Cloud == nil || !ok || now.Cloud == nil {
			continue
		}
		cloud := *v.Cloud
		cloud.OnDemand, cloud.Interruptible = added(cloud.OnDemand, now.Cloud.OnDemand), added(cloud.Interruptible, now.Cloud.Interruptible)
		v.Cloud = &cloud
	}
	return &out
}

func added(rates, more map[string]unit.Money) map[string]unit.Money {
	out := maps.Clone(more)
	if out == nil {
		return rates
	}
	maps.Copy(out, rates)
	return out
}

// lost says that neither the invoice nor the file has the terms, and what to restore.
func (e Earlier) lost() error {
	inv := e.Invoice
	return fmt.Errorf("%w: %s was billed by the version of contract %s from %s, no terms were kept with the invoice, and the contract file does not have that version: "+
		"write the version from %s back into the file as it was; a version that no longer holds stays, with its `to`",
		ErrNoTerms, inv.Period.Name(), inv.Contract, inv.Version, inv.Version)
}

// closing makes the invoice of a month for which nothing is agreed any more: what came late of
// months billed before, or was settled late, due as was agreed last. Where there is nothing of
// that there is no invoice.
func (b *bill) closing() (Invoice, error) {
	tenant, month := b.in.Contract.Tenant, b.in.Period.Month
	last, err := b.lastTerms()
	if err != nil {
		return Invoice{}, fmt.Errorf("%s in %s: %w", tenant, month, err)
	}
	waits, err := b.corrections()
	switch {
	case err != nil:
		return Invoice{}, err
	case len(b.lines) == 0 && waits != nil:
		return Invoice{}, fmt.Errorf("%s in %s: late data of a month billed before: %w", tenant, month, waits)
	case len(b.lines) == 0:
		return Invoice{}, fmt.Errorf("%s in %s: %w%s; and nothing is left to correct or settle of the months billed before",
			tenant, month, ErrNoContract, inForceWhen(b.in.Contract))
	}
	b.note("Nothing is agreed for %s: this closing invoice bears what came late of the months named, and nothing else.", b.in.Period.Name())
	return b.invoice(last), nil
}

// lastTerms are those that held last before the month, by the file or as they were billed by. A
// version that months were billed by, that did not end and that the file has no longer may hold in
// this month too: no invoice is made of its month's place.
func (b *bill) lastTerms() (contract.Version, error) {
	first := contract.DateOf(b.in.Period.From, b.zone)
	var last contract.Version
	newest := ""
	for _, e := range b.in.Earlier {
		if n := len(e.Invoice.Terms); n > 0 && newest < e.Invoice.Period.Month && e.Invoice.Period.Month < b.in.Period.Month {
			newest, last = e.Invoice.Period.Month, e.Invoice.Terms[n-1]
		}
	}
	inFile := func(v contract.Version) bool { return v.From == last.From }
	if newest != "" && (last.To.IsZero() || first.Before(last.To)) && !slices.ContainsFunc(b.in.Contract.Versions, inFile) {
		return last, fmt.Errorf("%w: %s was billed by the version from %s, which had no end before this month, and the contract file does not have it: "+
			"write it back into the file, with its `to` if it has ended", ErrNoTerms, newest, last.From)
	}
	for _, v := range b.in.Contract.Versions {
		if v.From.Before(first) && !v.From.Before(last.From) {
			last = v
		}
	}
	if last.From.IsZero() {
		return last, fmt.Errorf("%w%s", ErrNoContract, inForceWhen(b.in.Contract))
	}
	return last, nil
}

// Changed names each version that invoices were issued under and that the contract has no longer
// as it was: what was billed stays, and corrections go by the terms as they were. It blocks on the disk.
func (a *Archive) Changed(ctx context.Context, c *contract.Contract) ([]string, error) {
	issued, err := a.read(ctx, "WHERE tenant = ? ORDER BY seq", c.Tenant)
	if err != nil {
		return nil, fmt.Errorf("read the invoices of %s: %w", c.Tenant, err)
	}
	var order []contract.Date
	under := map[contract.Date][]string{}
	for _, inv := range issued {
		for _, from := range changed(inv, c) {
			if under[from] == nil {
				order = append(order, from)
			}
			under[from] = append(under[from], inv.Number)
		}
	}
	var out []string
	for _, from := range order {
		what := "is not in the contract file any more"
		if slices.ContainsFunc(c.Versions, func(v contract.Version) bool { return v.From == from }) {
			what = "was changed in the contract file"
		}
		numbers := under[from][0]
		if n := len(under[from]); n > 1 {
			numbers += " to " + under[from][n-1]
		}
		out = append(out, fmt.Sprintf("the version from %s %s since it was billed by (%s): what was issued stays, and corrections of it go by the version as it was", from, what, numbers))
	}
	return out, nil
}

// changed returns the first days of an invoice's versions that do not hold in its month, on the
// same days and saying the same, by c.
func changed(inv Invoice, c *contract.Contract) (out []contract.Date) {
	billed := inv.terms()
	if billed == nil {
		return nil
	}
	was, err1 := billed.Month(inv.Period.Month)
	is, err2 := c.Month(inv.Period.Month)
	if err1 != nil || err2 != nil {
		return nil
	}
	for _, w := range was {
		if !slices.ContainsFunc(is, func(s contract.Stretch) bool { return s.From == w.From && s.To == w.To && s.Version.Same(w.Version) }) {
			out = append(out, w.Version.From)
		}
	}
	return out
}
