package invoice

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"switchyard/billing/contract"
	"switchyard/billing/usage"
	"switchyard/unit"
)

// The errors that callers act on.
var (
	// ErrNoContract: no version of the tenant's contract holds on any day of the month.
	ErrNoContract = errors.New("no contract is in force")
	// ErrNoTerms: neither an issued invoice nor the contract file has the terms that it was billed by.
	ErrNoTerms = errors.New("the terms that it was billed by are missing")
	// ErrNotOver: the month is not over; a draft can be made.
	ErrNotOver = errors.New("the month is not over")
	// ErrNoRows: nothing was recorded in the month although it is billed by what was used.
	ErrNoRows = errors.New("nothing is recorded")
	// ErrNoRate: something was used that the contract has no rate for.
	ErrNoRate = errors.New("the contract has no rate")
)

// PendingError says that intervals wait for a price: what they cost is not known.
type PendingError struct {
	Month string
	N     int
	First time.Time
}

// Error prints the error.
func (e *PendingError) Error() string {
	return fmt.Sprintf("%d intervals of %s wait for a price, the first at %s: it can be issued when the prices are known, until then as a draft",
		e.N, e.Month, e.First.UTC().Format(time.RFC3339))
}

// In is all that a month's bill is made of.
type In struct {
	Contract *contract.Contract // its time zone is where the month begins
	Period   Period
	// Rows are the tenant's intervals of the period, by Start, each in its newest revision.
	Rows []usage.Row
	// Tariffs are what the month's charges cost by; they are kept with the invoice.
	Tariffs []Tariff
	// Charges are the month's charges on the whole site's power, with the tenant's part in them.
	Charges []Charge
	// Curtailed are the stretches in which power was taken back under the contract's right.
	Curtailed []Curtailed
	// Service is what was promised and delivered, with the credit that follows; nil without a promise.
	Service *Service
	// Prepaid is what is left of what the tenant paid ahead.
	Prepaid unit.Money
	// Earlier are the tenant's months invoiced before, as billed and as they would be billed today.
	Earlier []Earlier
	Now     time.Time // site time
	// Notes are what a reader should know of how the rest came about.
	Notes []string
	// Draft lets a month be billed that is not over or waits for prices; its notes say so.
	Draft bool
}

// Charge is a charge on the site's power at a moment, of which the tenant bears its part.
type Charge struct {
	Kind   LineKind // DemandShare or PeakShare
	Name   string   // as the supplier calls it
	At     time.Time
	Span   time.Duration // from At on, over which its power is the mean; zero: 15 minutes
	Amount unit.Money    // of the whole site
	// Tenant and Site are the powers at that moment, by the revenue meter.
	Tenant, Site unit.Power
}

// Curtailed is power taken back for a while.
type Curtailed struct {
	From, To time.Time
	Energy   unit.Energy // not drawn for it
	Why      string      // the right or the consent that it rests on
	Ref      string
}

// Earlier is a month invoiced before.
type Earlier struct {
	Invoice Invoice
	// Since is what later invoices corrected of it, by kind, as billed.
	Since map[LineKind]unit.Money
	// Today is the same month with what is known now, by the terms that it was billed by; its
	// Earlier and Prepaid do not count.
	Today In
}

// bill is an invoice in the making.
type bill struct {
	in        In
	zone      *time.Location
	stretches []contract.Stretch
	lines     []Line
	notes     []string
	seen      map[[2]int64]counted
}

// Build makes the bill of a month. It is pure: the same In gives the same invoice. The number
// is not its own to give: it is empty until the invoice is issued.
func Build(in In) (Invoice, error) {
	b, err := begin(in)
	if err != nil {
		return Invoice{}, err
	}
	if len(b.stretches) == 0 {
		return b.closing()
	}
	if err := b.use(); err != nil {
		return Invoice{}, err
	}
	if _, err := b.corrections(); err != nil {
		return Invoice{}, err
	}
	b.lines = append(b.lines, b.taxes(b.lines)...)
	b.prepayment()
	return b.invoice(b.stretches[len(b.stretches)-1].Version), nil
}

// begin checks what the bill is to be made of.
func begin(in In) (*bill, error) {
	if in.Contract == nil {
		return nil, fmt.Errorf("%s: %w", in.Period.Month, ErrNoContract)
	}
	b := &bill{in: in, zone: in.Contract.Location(), seen: map[[2]int64]counted{}, notes: slices.Clone(in.Notes)}
	tenant := in.Contract.Tenant
	if !sort.SliceIsSorted(in.Rows, func(i, k int) bool { return in.Rows[i].Start.Before(in.Rows[k].Start) }) {
		return nil, fmt.Errorf("%s in %s: the rows are not in the order of their starts", tenant, in.Period.Month)
	}
	b.in.Rows = between(in.Rows, in.Period.From, in.Period.To)
	var err error
	if b.stretches, err = in.Contract.Month(in.Period.Month); err != nil {
		return nil, fmt.Errorf("bill %s: %w", tenant, err)
	}
	if in.Now.Before(in.Period.To) {
		if !in.Draft {
			return nil, fmt.Errorf("%s: %w: it ends at %s; --draft shows what it comes to so far", in.Period.Month, ErrNotOver, in.Period.To.In(b.zone).Format("2006-01-02 15:04 MST"))
		}
		b.note("The month is not over: it is as known at %s.", in.Now.In(b.zone).Format("2006-01-02 15:04 MST"))
	}
	return b, nil
}

func inForceWhen(c *contract.Contract) string {
	var parts []string
	for _, v := range c.Versions {
		text := "from " + v.From.String()
		if !v.To.IsZero() {
			text += " until before " + v.To.String()
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "; the contract has no versions"
	}
	return "; it holds " + strings.Join(parts, ", ")
}

func (b *bill) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

func (b *bill) add(l Line) { b.lines = append(b.lines, l) }

// use makes the lines of what was had in the month: all but corrections, tax and prepayment.
func (b *bill) use() error {
	for _, s := range b.stretches {
		b.rent(s)
		if err := b.power(s); err != nil {
			return err
		}
		b.reserved(s)
		if err := b.onDemand(s); err != nil {
			return err
		}
		b.storage(s)
	}
	b.overage()
	b.curtailments()
	b.sla()
	return nil
}

// rows is the SHA-256 of all that is measured or found for the month: rows, charges,
// curtailments and credit. digest is that of the month's rows.
func (in In) rows(digest string) string {
	h := sha256.New()
	fmt.Fprintln(h, digest)
	for _, c := range in.Charges {
		fmt.Fprintf(h, "charge %q %q %d %d %d %d\n", c.Kind, c.Name, c.At.Unix(), c.Amount, c.Tenant, c.Site)
	}
	for _, c := range in.Curtailed {
		fmt.Fprintf(h, "curtailed %d %d %d %q\n", c.From.Unix(), c.To.Unix(), c.Energy, c.Ref)
	}
	if in.Service != nil {
		fmt.Fprintf(h, "credit %d\n", in.Service.Credit)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// digest is the hash of the month's rows, which a line may have needed already.
func (b *bill) digest() string {
	if q, ok := b.seen[[2]int64{b.in.Period.From.Unix(), b.in.Period.To.Unix()}]; ok && q.hash != "" {
		return q.hash
	}
	return HashRows(b.in.Rows)
}

// invoice puts the bill together; last are the terms by which it is due.
func (b *bill) invoice(last contract.Version) Invoice {
	in := b.in
	inv := Invoice{
		Tenant: in.Contract.Tenant, Contract: in.Contract.Number, Version: last.From, Period: in.Period,
		Issued: in.Now.UTC().Truncate(time.Second), Seller: in.Contract.Seller, Customer: in.Contract.Customer,
		Lines: b.lines, Draft: in.Draft, Currency: "USD", Zone: b.zone.String(), Service: in.Service, Rows: in.rows(b.digest()),
		Closing: len(b.stretches) == 0,
	}
	if !inv.Closing {
		inv.Tariffs = in.Tariffs
	}
	for _, s := range b.stretches {
		inv.Terms = append(inv.Terms, s.Version)
	}
	inv.Due = last.Due(contract.DateOf(inv.Issued, b.zone)).In(b.zone).UTC()
	for _, l := range b.lines {
		inv.Total += l.Billed()
	}
	var estimated, missing int
	for _, s := range b.stretches {
		e := b.evidence(Rent, s.Start, s.End)
		estimated, missing = estimated+e.Estimated, missing+e.Missing
	}
	if estimated > 0 {
		b.note("Estimated intervals: %d. When they are read, a correction follows on a later invoice.", estimated)
	}
	if missing > 0 {
		b.note("Intervals without a reading: %d. They are billed at what is known; what comes late is corrected on a later invoice.", missing)
	}
	inv.Notes = b.notes
	return inv
}
