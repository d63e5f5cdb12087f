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
	"switchyard/billing/sla"
	"switchyard/billing/usage"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/unit"
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

// Month puts together what the tenant's month is billed by, with what is known now.
func (s *Source) Month(ctx context.Context, tenant, month string) (invoice.In, error) {
	c, err := s.Contract(tenant)
	if err != nil {
		return invoice.In{}, err
	}
	in := invoice.In{Contract: c}
	if in.Period, err = invoice.PeriodOf(month, c.Location()); err != nil {
		return in, err
	}
	for r, err := range s.record.Rows(ctx, usage.Question{Tenant: tenant, From: in.Period.From, To: in.Period.To}) {
		if err != nil {
			return in, fmt.Errorf("bill %s for %s: %w", tenant, month, err)
		}
		in.Rows = append(in.Rows, r)
	}
	stretches, err := c.Month(month)
	if err != nil {
		return in, err
	}
	if err := s.delivery(ctx, &in, stretches); err != nil {
		return in, fmt.Errorf("bill %s for %s: %w", tenant, month, err)
	}
	if err := s.power(ctx, &in, stretches); err != nil {
		return in, fmt.Errorf("bill %s for %s: %w", tenant, month, err)
	}
	return in, nil
}

// delivery assesses each stretch's promise and what is paid for power taken back.
func (s *Source) delivery(ctx context.Context, in *invoice.In, stretches []contract.Stretch) error {
	wanted := slices.ContainsFunc(stretches, func(x contract.Stretch) bool { return x.Version.SLA != nil || x.Version.Curtail != nil })
	if !wanted {
		return nil
	}
	zone := in.Contract.Location()
	year := contract.Date{Year: in.Period.From.In(zone).Year(), Month: time.January, Day: 1}.In(zone)
	events, err := s.record.Events(ctx, in.Contract.Tenant, year, in.Period.To)
	if err != nil {
		return err
	}
	var all []sla.Finding
	var promised unit.Ratio
	for _, x := range stretches {
		v := x.Version
		if v.SLA == nil && v.Curtail == nil {
			continue
		}
		ask := sla.Input{Curtail: v.Curtail, Zone: zone, From: x.Start.UTC(), To: x.End.UTC(), Now: s.now(), Events: events, Rent: x.Rent()}
		for _, r := range in.Rows {
			if !r.Start.Before(x.Start) && r.Start.Before(x.End) {
				ask.Rows = append(ask.Rows, r)
			}
		}
		if v.SLA != nil {
			ask.SLA = *v.SLA
			promised = max(promised, v.SLA.Availability)
		}
		f := sla.Assess(ask)
		if f.Curtailed != nil && f.Curtailed.NotDrawn > 0 && v.Curtail != nil {
			in.Curtailed = append(in.Curtailed, invoice.Curtailed{
				From: f.From, To: f.Until, Energy: f.Curtailed.NotDrawn,
				Why: fmt.Sprintf("%s of the year's right of %s used until then", sla.Minutes(f.Curtailed.Before+f.Curtailed.Used), sla.Minutes(f.Curtailed.Right)),
			})
		}
		if v.SLA != nil {
			all = append(all, f)
			in.Notes = append(in.Notes, f.Notes...)
		}
	}
	in.Service = serviceOf(all, promised)
	return nil
}

// serviceOf is the month's findings for the reader of the invoice; nil without a promise.
func serviceOf(all []sla.Finding, promised unit.Ratio) *invoice.Service {
	if len(all) == 0 {
		return nil
	}
	v := &invoice.Service{Promised: promised, Reached: 1}
	for _, f := range all {
		v.Counted += f.Counted()
		v.Lost += f.Lost()
		v.Credit += f.Credit.Amount
		v.Fees += f.Credit.Rent
		v.Share = f.Credit.Share
		v.Delivered += f.Delivered.Energy
		v.Wanted += f.Delivered.Wanted.Over(time.Duration(f.Delivered.Intervals) * length)
		for _, l := range f.Evidence {
			why := strings.TrimSpace(l.Verdict + " " + l.Why)
			if l.Excluded > 0 {
				v.Excluded = append(v.Excluded, invoice.Exclusion{From: l.Start, To: l.End, Why: why, Ref: l.Ref})
				continue
			}
			v.Breaches = append(v.Breaches, strings.TrimSpace(fmt.Sprintf("%s to %s, %s: %s %s", l.Start.UTC().Format(time.RFC3339), l.End.UTC().Format(time.RFC3339), l.Kind, why, l.Ref)))
		}
	}
	v.Wanted = max(v.Wanted, v.Delivered) // what was had was wanted, as of an interval that was seen in part
	if len(all) > 1 {
		v.Share = 0 // each stretch has its own
	}
	if v.Counted > 0 {
		v.Reached = unit.Ratio(float64(v.Counted-v.Lost) / float64(v.Counted))
	}
	return v
}
