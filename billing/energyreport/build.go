package energyreport

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

// Input is all that a report is made of. What is nil or empty is missing, and said to be.
type Input struct {
	Site     string
	Month    string // "2026-10"
	Zone     *time.Location
	From, To time.Time
	Balances []usage.Balance             // oldest first
	Rows     iter.Seq2[usage.Row, error] // of all tenants, by tenant; nil: none
	// Groups are the site's miners, with what they did.
	Groups    []Group
	Factors   *Factors
	Contracts []Contract // nil: not told; empty: none
	Facility  *Facility
	Notes     []string // what gathering it has to say
}

// Group is a group of miners.
type Group struct {
	ID, Model string
	Units     int
	Nameplate unit.Power // of one
	// Hashes is the work done, PH/s times seconds, over Seconds of the record.
	Hashes, Seconds float64
}

// Use is one line of the report: energy as metered in its place. All uses sum to the revenue meter.
type Use struct {
	Kind   string // "mining", "tenant", "house", "losses", "remainder"
	Name   string // of a tenant
	Energy unit.Energy
	// Billed is a tenant's with its part of losses and house.
	Billed unit.Energy
	// Estimated and Missing count a tenant's intervals that were not measured.
	Estimated, Missing int
	// Carbon is kg of CO2 equivalent of Billed by the place's hourly factors; unknown where one is missing.
	Carbon site.Opt[float64]
}

// Report is a month's energy.
type Report struct {
	Site, Month, Zone   string
	From, To            time.Time
	Intervals, Expected int
	Uses                []Use
	Energy              unit.Energy // through the revenue meter
	PUE                 site.Opt[float64]
	Peak                site.Opt[unit.Power] // the highest quarter of an hour's mean
	PeakAt              time.Time            // its beginning
	LoadFactor          site.Opt[float64]
	Location, Market    site.Opt[float64] // kg of CO2 equivalent
	FactorSource        string
	Contracts           []Contract
	Survey              Survey
	Missing             []string // inputs that are not there, and what is left out for it
	Notes               []string
}

// Survey is what the United States' Energy Information Administration asked miners for in 2024
// (form EIA-862), as far as it is known.
type Survey struct {
	Facility   Facility
	MiningLoad site.Opt[unit.Energy] // kWh of mining
	Capacity   unit.Power            // of all miners, by nameplate
	Load       site.Opt[unit.Power]  // mean over the record
	Units      int
	Hashrate   site.Opt[unit.Hashrate] // mean over the record
	Age        site.Opt[float64]       // years, by units, at the month's end
}

// Build makes the report. It fails only where the rows do.
func Build(in Input) (Report, error) {
	zone := in.Zone
	if zone == nil {
		zone = time.UTC
	}
	r := Report{
		Site: in.Site, Month: in.Month, Zone: zone.String(), From: in.From.UTC(), To: in.To.UTC(), Intervals: len(in.Balances),
		Expected: int(in.To.Sub(in.From) / telemetry.Length), Notes: slices.Clone(in.Notes), Contracts: in.Contracts,
	}
	b := builder{in: in, r: &r, zone: zone}
	b.sum()
	if err := b.tenants(); err != nil {
		return Report{}, fmt.Errorf("energy report of %s: %w", in.Month, err)
	}
	b.uses()
	b.power()
	b.carbon()
	b.survey()
	return r, nil
}

type builder struct {
	in      Input
	r       *Report
	zone    *time.Location
	total   usage.Balance // sums
	kg      float64
	gaps    int       // intervals with energy and no factor
	firstNo time.Time // the first of them
	rows    []Use
	lost    int // intervals whose revenue meter was missing
}

func (b *builder) missing(format string, args ...any) {
	b.r.Missing = append(b.r.Missing, fmt.Sprintf(format, args...))
}

func (b *builder) note(format string, args ...any) {
	b.r.Notes = append(b.r.Notes, fmt.Sprintf(format, args...))
}

func (b *builder) sum() {
	t := &b.total
	for _, x := range b.in.Balances {
		t.Meter += x.Meter
		t.TenantLoad += x.TenantLoad
		t.MiningLoad += x.MiningLoad
		t.HouseLoad += x.HouseLoad
		t.Losses += x.Losses
		t.Remainder += x.Remainder
		if x.Quality == site.Missing {
			b.lost++
		}
		if x.Meter == 0 || b.in.Factors == nil {
			continue
		}
		kg, ok := b.in.Factors.At(x.Start)
		if !ok {
			if b.gaps == 0 {
				b.firstNo = x.Start
			}
			b.gaps++
		}
		b.kg += kg * x.Meter.MegawattHours()
	}
	b.r.Energy = t.Meter
	if n := b.r.Expected - b.r.Intervals; n > 0 {
		b.missing("%d of %d intervals are not in the record: all figures are of those that are", n, b.r.Expected)
	}
	if b.lost > 0 {
		b.note("the revenue meter told nothing in %d intervals; their energy comes in the one in which its register was read again", b.lost)
	}
}

// tenants sums the rows, which come tenant by tenant.
func (b *builder) tenants() error {
	if b.in.Rows == nil {
		return nil
	}
	known := b.in.Factors != nil
	var whole bool
	for row, err := range b.in.Rows {
		if err != nil {
			return err
		}
		n := len(b.rows)
		if n == 0 || b.rows[n-1].Name != row.Tenant {
			b.rows = append(b.rows, Use{Kind: "tenant", Name: row.Tenant})
			n++
			whole = known
			b.rows[n-1].Carbon.OK = known
		}
		u := &b.rows[n-1]
		u.Energy += row.Critical
		u.Billed += row.Billed
		switch row.Quality {
		case site.Estimated:
			u.Estimated++
		case site.Missing:
			u.Missing++
		}
		if row.Billed == 0 || !whole {
			continue
		}
		kg, ok := b.in.Factors.At(row.Start)
		if !ok {
			whole, u.Carbon = false, site.Opt[float64]{}
			continue
		}
		u.Carbon.V += kg * row.Billed.MegawattHours()
	}
	return nil
}

func (b *builder) uses() {
	r, t := b.r, b.total
	r.Uses = append(r.Uses, Use{Kind: "mining", Energy: t.MiningLoad})
	var tenants unit.Energy
	for _, u := range b.rows {
		tenants += u.Energy
		r.Uses = append(r.Uses, u)
		if u.Missing > 0 {
			b.note("%s: %d of its intervals are missing", u.Name, u.Missing)
		}
	}
	if tenants != t.TenantLoad {
		// Rows and balances were kept apart; say so rather than show lines that do not add up.
		b.note("the tenants' rows sum to %s kWh and the balances have %s kWh of tenants", kWh(tenants), kWh(t.TenantLoad))
		r.Uses = append(r.Uses, Use{Kind: "tenant", Name: "(without rows)", Energy: t.TenantLoad - tenants})
	}
	r.Uses = append(r.Uses, Use{Kind: "house", Energy: t.HouseLoad}, Use{Kind: "losses", Energy: t.Losses}, Use{Kind: "remainder", Energy: t.Remainder})
	if it := t.TenantLoad + t.MiningLoad; it > 0 && t.Meter > 0 {
		r.PUE = site.Some(float64(t.Meter) / float64(it))
	} else {
		b.missing("PUE: no energy of computing is in the record")
	}
}

const quarter = 15 * time.Minute

// power finds the peak among the clock's quarters of an hour that were measured whole: an
// interval in which a register catches up would make a peak that never was.
func (b *builder) power() {
	var sum unit.Energy
	var n int
	var at time.Time
	for _, x := range b.in.Balances {
		if q := x.Start.Truncate(quarter); !q.Equal(at) || n == 0 {
			sum, n, at = 0, 0, q
		}
		if x.Quality != site.Measured {
			n = -3 // this quarter is no whole one
		}
		sum += x.Meter
		n++
		if n == 3 {
			if p := sum.Mean(quarter); !b.r.Peak.OK || p > b.r.Peak.V {
				b.r.Peak, b.r.PeakAt = site.Some(p), at
			}
		}
	}
	if !b.r.Peak.OK {
		b.missing("peak and load factor: no quarter of an hour of the revenue meter was measured whole")
		return
	}
	if over := time.Duration(b.r.Intervals) * telemetry.Length; b.r.Peak.V > 0 {
		b.r.LoadFactor = site.Some(float64(b.r.Energy.Mean(over)) / float64(b.r.Peak.V))
	}
}

func (b *builder) carbon() {
	r := b.r
	switch {
	case b.in.Factors == nil:
		b.missing("carbon by place: no hourly factors were given (--carbon FILE)")
	case b.gaps > 0:
		b.missing("carbon by place: %d intervals have no factor in %s, the first at %s", b.gaps, b.in.Factors.Source, b.firstNo.In(b.zone).Format("2006-01-02 15:04"))
	default:
		r.Location, r.FactorSource = site.Some(b.kg), b.in.Factors.Source
	}
	switch kg, open := marketBased(b.in.Contracts, r.Energy); {
	case b.in.Contracts == nil:
		b.missing("carbon by contract: no contracts or certificates were given (--contracts FILE)")
	case open > 0:
		b.missing("carbon by contract: %.3f MWh are covered by no contract, and there is no residual mix for them", open)
	default:
		r.Market = site.Some(kg)
	}
}

func (b *builder) survey() {
	s := &b.r.Survey
	if f := b.in.Facility; f != nil {
		s.Facility = *f
	}
	if s.Facility.Name == "" {
		s.Facility.Name = b.in.Site
	}
	f := s.Facility
	var untold []string
	for _, field := range []struct{ key, value string }{
		{"company", f.Company}, {"contact", f.Contact}, {"address", f.Address}, {"county", f.County}, {"state", f.State}, {"supplier", f.Supplier},
	} {
		if field.value == "" {
			untold = append(untold, field.key)
		}
	}
	if len(untold) > 0 {
		b.missing("survey: %s not told (--facility FILE)", strings.Join(untold, ", "))
	}
	var hashes, seconds float64
	for _, g := range b.in.Groups {
		s.Units += g.Units
		s.Capacity += unit.Power(g.Units) * g.Nameplate
		hashes += g.Hashes
		seconds = max(seconds, g.Seconds)
	}
	if len(b.in.Groups) == 0 {
		b.missing("survey: the site has no miners")
		return
	}
	if b.r.Intervals > 0 {
		s.MiningLoad = site.Some(b.total.MiningLoad)
		s.Load = site.Some(b.total.MiningLoad.Mean(time.Duration(b.r.Intervals) * telemetry.Length))
	}
	if seconds > 0 {
		s.Hashrate = site.Some(unit.Hashrate(hashes/seconds) * unit.PetaHash)
	} else {
		b.missing("survey: no hashrate is in the record")
	}
	b.age()
}

// age is the miners' mean age by units; it is left out where a group's is not told.
func (b *builder) age() {
	var years float64
	var units int
	for _, g := range b.in.Groups {
		told := 0
		for _, e := range b.r.Survey.Facility.Equipment {
			if e.Group != g.ID {
				continue
			}
			n := e.Units
			if n == 0 {
				n = g.Units - told
			}
			told += n
			years += float64(n) * max(b.in.To.Sub(e.at).Hours(), 0) / (24 * 365.25)
		}
		units += told
		if told != g.Units {
			b.missing("survey: equipment age: of group %s %d of %d miners have a month of installation (--facility FILE)", g.ID, told, g.Units)
			units = -1
			break
		}
	}
	if units > 0 {
		b.r.Survey.Age = site.Some(years / float64(units))
	}
}
