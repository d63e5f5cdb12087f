package source

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"switchyard/billing/contract"
	"switchyard/billing/invoice"
	"switchyard/billing/usage"
	"switchyard/sitefile"
	"switchyard/store"
)

// ErrNoTenant: the site has no tenant of that name, or it has no contract file.
var ErrNoTenant = errors.New("no contract")

// Peaks returns the moments in [from, to) at which a coincident-peak charge was set; known is
// false while they are not settled.
type Peaks func(ctx context.Context, c sitefile.CoincidentCharge, from, to time.Time) (at []time.Time, known bool, err error)

// Source is a site's months.
type Source struct {
	record    *usage.Record
	contracts map[string]*contract.Contract
	names     []string // of all tenants, those without a contract too
	charges   sitefile.Charges
	zone      *time.Location
	now       func() time.Time
	peaks     Peaks

	mu       sync.Mutex
	balances kept // of the month asked for last: it serves all tenants
}

type kept struct {
	from, to time.Time
	mark     int64
	list     []usage.Balance
}

// New opens the months of a site over its record of usage. It reads the contract files; all
// their faults are reported together. now is site time; peaks may be nil: those that the site file lists as settled.
func New(db *store.DB, f *sitefile.File, now func() time.Time, peaks Peaks) (*Source, error) {
	if peaks == nil {
		peaks = Settled
	}
	s := &Source{
		record: usage.OpenReader(db), contracts: map[string]*contract.Contract{}, charges: f.Market.Charges, zone: f.Location(), now: now, peaks: peaks,
	}
	var faults []error
	add := func(id, path string) {
		if s.names = append(s.names, id); path == "" {
			return
		}
		c, err := contract.Load(f.Path(path))
		switch {
		case err != nil:
			faults = append(faults, err)
		case c.Tenant != id:
			faults = append(faults, fmt.Errorf("%s: it is the contract of tenant %q, and the site file names it for %q", path, c.Tenant, id))
		default:
			s.contracts[id] = c.InSite(f.Location().String())
		}
	}
	for _, t := range f.Tenants {
		add(t.ID, t.Contract)
	}
	for _, k := range f.Clusters {
		for _, t := range k.Tenants {
			if !slices.Contains(s.names, t.ID) || s.contracts[t.ID] == nil {
				add(t.ID, t.Contract)
			}
		}
	}
	slices.Sort(s.names)
	s.names = slices.Compact(s.names)
	return s, errors.Join(faults...)
}

// Tenants returns the names of the tenants that have a contract, sorted.
func (s *Source) Tenants() []string { return slices.Sorted(maps.Keys(s.contracts)) }

// Contract returns a tenant's contract, or ErrNoTenant.
func (s *Source) Contract(tenant string) (*contract.Contract, error) {
	if c := s.contracts[tenant]; c != nil {
		return c, nil
	}
	with := "no tenant has one: name it with the tenant's key `contract` in the site file"
	if names := s.Tenants(); len(names) > 0 {
		with = "these have one: " + strings.Join(names, ", ")
	}
	if slices.Contains(s.names, tenant) {
		return nil, fmt.Errorf("tenant %q has no contract file (%w); %s", tenant, ErrNoTenant, with)
	}
	return nil, fmt.Errorf("there is no tenant %q in the site file (%w); %s", tenant, ErrNoTenant, with)
}

// Month puts together what a month of the contract's tenant is billed by, with what is known now,
// by the terms given, be they the files' or as they once were.
func (s *Source) Month(ctx context.Context, under invoice.Terms, month string) (invoice.In, error) {
	c := under.Contract
	in, tenant := invoice.In{Contract: c}, c.Tenant
	var err error
	if in.Period, err = invoice.PeriodOf(month, c.Location()); err != nil {
		return in, err
	}
	if err := s.rows(ctx, &in); err != nil {
		return in, err
	}
	stretches, err := c.Month(month)
	if err != nil {
		return in, err
	}
	if err := s.delivery(ctx, &in, stretches); err != nil {
		return in, fmt.Errorf("bill %s for %s: %w", tenant, month, err)
	}
	if err := s.power(ctx, &in, stretches, s.chargesUnder(under)); err != nil {
		return in, fmt.Errorf("bill %s for %s: %w", tenant, month, err)
	}
	return in, nil
}

// rows takes up what was metered of the month.
func (s *Source) rows(ctx context.Context, in *invoice.In) error {
	for r, err := range s.record.Rows(ctx, usage.Question{Tenant: in.Contract.Tenant, From: in.Period.From, To: in.Period.To}) {
		if err != nil {
			return fmt.Errorf("bill %s for %s: %w", in.Contract.Tenant, in.Period.Month, err)
		}
		in.Rows = append(in.Rows, r)
	}
	return nil
}
