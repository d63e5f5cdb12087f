package invoice

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"switchyard/billing/contract"
	"switchyard/ledger"
	"switchyard/store"
	"switchyard/unit"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Back is how many of a tenant's invoices are looked at again for late data, the newest first.
const Back = 14

// Months tells what tenants' months are billed by, with what is known now. It may block on the disk.
type Months interface {
	// Contract is a tenant's as its file says now.
	Contract(tenant string) (*contract.Contract, error)
	// Month is a month of a tenant. Now, Draft, Prepaid and Earlier of the In are not its to fill in.
	Month(ctx context.Context, under Terms, month string) (In, error)
}

// Terms are what a month is billed by: those of the files as they are, or as they were.
type Terms struct {
	Contract *contract.Contract // its tenant's months are asked for
	// Kept says that an invoice was issued by these terms, and Tariffs are those of then; else they
	// are the site file's.
	Kept    bool
	Tariffs []Tariff
}

// Issuer issues invoices, one at a time, and reads those issued.
type Issuer struct {
	Archive
	mu sync.Mutex
}

// Open opens the invoices in db, beside the ledger that they are posted to.
func Open(ctx context.Context, db *store.DB, book *ledger.Ledger) (*Issuer, error) {
	if book == nil {
		return nil, errors.New("open invoices: there is no ledger to post to")
	}
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open invoices: %w", err)
	}
	if err := db.Migrate(ctx, "invoice", sub); err != nil {
		return nil, err
	}
	return &Issuer{Archive: Archive{db: db}}, nil
}

// Issue issues the invoice of a tenant's month at site time now: document, number and postings
// are on the disk together or not at all. A month that was issued before is returned as it was
// and nothing changes; fresh says whether it was issued now.
func (i *Issuer) Issue(ctx context.Context, src Months, tenant, month string, now time.Time) (inv Invoice, fresh bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch inv, err = i.Of(ctx, tenant, month); {
	case err == nil:
		return inv, false, nil
	case !errors.Is(err, ErrNotFound):
		return Invoice{}, false, err
	}
	in, err := i.gather(ctx, src, tenant, month, now)
	if err != nil {
		return Invoice{}, false, err
	}
	if inv, err = Build(in); err != nil {
		return Invoice{}, false, fmt.Errorf("issue: %w", err)
	}
	err = i.db.Tx(ctx, func(t *store.Tx) error {
		there, err := documents(t, "WHERE tenant = ? AND month = ?", tenant, month)
		if err != nil {
			return err
		}
		if fresh = len(there) == 0; !fresh { // another Issuer on the same store was first
			inv = there[0]
			return nil
		}
		inv, err = issue(t, inv, deposits(in.Contract, now))
		return err
	})
	if err != nil {
		return Invoice{}, false, fmt.Errorf("issue %s for %s: %w", tenant, month, err)
	}
	return inv, fresh, nil
}

// Draft makes the bill of a tenant's month as it would be issued now, without a number.
func (a *Archive) Draft(ctx context.Context, src Months, tenant, month string, now time.Time) (Invoice, error) {
	in, err := a.gather(ctx, src, tenant, month, now)
	if err != nil {
		return Invoice{}, err
	}
	in.Draft = true
	return Build(in)
}

// gather puts together what a month is billed by: its own data, what is left of the prepayment,
// and the months billed before. One issuer at a time holds the store's lock, so that nothing
// is issued between this and the issuing.
func (a *Archive) gather(ctx context.Context, src Months, tenant, month string, now time.Time) (In, error) {
	c, err := src.Contract(tenant)
	if err != nil {
		return In{}, err
	}
	if c == nil || c.Tenant != tenant {
		return In{}, fmt.Errorf("%s: %w", tenant, ErrNoContract)
	}
	in, err := src.Month(ctx, Terms{Contract: c}, month)
	if err != nil {
		return In{}, err
	}
	in.Now, in.Draft, in.Earlier = now, false, nil
	issued, err := a.read(ctx, "WHERE tenant = ? ORDER BY seq", tenant)
	if err != nil {
		return In{}, fmt.Errorf("read the invoices of %s: %w", tenant, err)
	}
	in.Prepaid = prepaid(in.Contract, now, issued)
	own := slices.DeleteFunc(slices.Clone(issued), func(inv Invoice) bool { return inv.Closing }) // they bear nothing of their own
	for n, inv := range own {
		if n < len(own)-Back || inv.Period.Month == month {
			continue
		}
		under := Terms{Contract: c}
		if billed := inv.terms(); billed != nil {
			under = Terms{rated(billed, c), true, inv.Tariffs}
		}
		today, err := src.Month(ctx, under, inv.Period.Month)
		if err != nil {
			return In{}, fmt.Errorf("look for late data: %w", err)
		}
		in.Earlier = append(in.Earlier, Earlier{Invoice: inv, Since: since(issued, inv.Number), Today: today})
	}
	return in, nil
}

// since is what was corrected of an invoice by others.
func since(issued []Invoice, number string) map[LineKind]unit.Money {
	out := map[LineKind]unit.Money{}
	for _, inv := range issued {
		for _, l := range inv.Lines {
			if l.Corrects != nil && l.Corrects.Number == number {
				out[l.Corrects.Kind] += l.Billed()
			}
		}
	}
	return out
}

// deposits returns what was paid ahead by now. Versions that tell of the same payment count it once.
func deposits(c *contract.Contract, now time.Time) []contract.Prepayment {
	if c == nil {
		return nil
	}
	var out []contract.Prepayment
	seen := map[contract.Date]bool{}
	today := contract.DateOf(now, c.Location())
	for _, v := range c.Versions {
		if p := v.Prepayment; p != nil && !seen[p.Paid] && !today.Before(p.Paid) {
			seen[p.Paid] = true
			out = append(out, *p)
		}
	}
	return out
}

// prepaid is what is left of what was paid ahead.
func prepaid(c *contract.Contract, now time.Time, issued []Invoice) unit.Money {
	var left unit.Money
	for _, p := range deposits(c, now) {
		left += p.Amount
	}
	for _, inv := range issued {
		for _, l := range inv.Lines {
			if l.Kind == PrepayCredit {
				left += l.Billed()
			}
		}
	}
	return max(left, 0)
}

// issue numbers, stores and posts an invoice in one transaction.
func issue(t *store.Tx, inv Invoice, paid []contract.Prepayment) (Invoice, error) {
	zone, err := time.LoadLocation(inv.Zone)
	if err != nil {
		return Invoice{}, err
	}
	year, n := int64(inv.Issued.In(zone).Year()), int64(0)
	if err := t.QueryRow("SELECT COALESCE(MAX(n), 0) + 1 FROM invoice_document WHERE year = ?", year).Scan(&n); err != nil {
		return Invoice{}, err
	}
	seq, chain, err := tip(t)
	if err != nil {
		return Invoice{}, err
	}
	inv.Number = numberOf(year, n)
	document, err := json.Marshal(inv)
	if err != nil {
		return Invoice{}, err
	}
	if len(document) > maxDocument {
		return Invoice{}, fmt.Errorf("the document has %d bytes, the most are %d", len(document), maxDocument)
	}
	digest := sha256.Sum256(document)
	if _, err := t.Exec(`INSERT INTO invoice_document (seq, number, year, n, tenant, month, issued, total, document, digest, chain)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, seq+1, inv.Number, year, n, inv.Tenant, inv.Period.Month, inv.Issued.Unix(), int64(inv.Total),
		document, digest[:], link256(chain, digest[:])); err != nil {
		return Invoice{}, err
	}
	if err := post(t, inv, paid); err != nil {
		return Invoice{}, err
	}
	return Read(document) // what is returned is what is on the disk
}
