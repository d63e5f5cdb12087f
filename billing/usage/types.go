package usage

import (
	"time"

	"switchyard/billing/usage/holding"
	"switchyard/site"
	"switchyard/unit"
)

// Row is what one tenant used in one settlement interval (telemetry.Length from Start).
type Row struct {
	Tenant string
	Start  time.Time
	// Critical is energy at the tenant's own meter or, for jobs on our GPUs, its part of the
	// nodes' energy: what a lease calls critical load. Billed is the same brought up to the
	// revenue meter, with its part of losses and house.
	Critical, Billed unit.Energy
	// Losses and House are the parts of Billed that are not Critical: losses on the way to the
	// revenue meter, and its part of what serves it with others, such as cooling.
	// Critical + Losses + House = Billed, exactly.
	Losses, House unit.Energy
	Quality       site.Quality
	// Cost is what Billed cost at the interval's price; unknown while the price is.
	Cost site.Opt[unit.Money]
	// GPUs is its GPU time, by model and way of buying.
	GPUs []GPUTime
	// Wanted is energy that it would have drawn; Short is firm energy of it not delivered. Down
	// is how long its feeder had no power at all, Reduced how long it got less than it wanted.
	Wanted, Short unit.Energy
	Down, Reduced time.Duration
	// Peak is the highest 15-minute mean power that ended within the interval, at its own meter;
	// zero where one of its intervals was not measured, so that no meter's silence makes a peak.
	Peak unit.Power
	// Revision counts corrections: late data makes a new row with a higher one; the older stays.
	Revision int
	// Evidence names where each figure is from: "meter:ai-hall", "gpu-1/GPU-3f…", "slurm 4711".
	Evidence []string
}

// GPUTime is time of GPUs.
type GPUTime struct {
	Model string
	How   Sale
	Used  time.Duration // GPUs times time given to its jobs
	Held  time.Duration // GPUs times time reserved for it, used or not
}

// Sale is how GPU time is bought.
type Sale = holding.Sale

// The ways of buying GPU time.
const (
	Reserved      = holding.Reserved
	OnDemand      = holding.OnDemand
	Interruptible = holding.Interruptible
)

// Balance is one interval of the whole site at the revenue meter:
// Tenants + Mining + House + Remainder = Meter, exactly. Tenants is the sum of what their rows
// call Billed, Mining and House have their part of the losses, and House has no part that a
// tenant's row has.
//
// The same once more by kind and not by who bears it: TenantLoad + MiningLoad + HouseLoad +
// Losses + Remainder = Meter, where each load is as metered in its place.
type Balance struct {
	Start                                    time.Time
	Meter, Tenants, Mining, House, Remainder unit.Energy
	TenantLoad, MiningLoad, HouseLoad        unit.Energy
	Losses                                   unit.Energy
	Quality                                  site.Quality // of Meter
	Revision                                 int          // as of rows
	// Levels are the steps from the GPUs to the revenue meter, the lowest first.
	Levels []Level
}

// Level is one step on the way up: what is known below a meter, brought up to it.
type Level struct {
	Name    string      // "gpus:c1", "cluster:c1", or "node:feeder-1"
	Below   unit.Energy // known below, brought up to here from the levels below
	Up      unit.Energy // the same at this level
	Factor  float64     // Up by Below
	Quality site.Quality
}

// Event is something that touched a tenant's delivery.
type Event struct {
	Tenant   string
	Kind     EventKind
	From, To time.Time
	Power    unit.Power // that was not delivered
	// Consented names the right or the consent that a curtailment rests on; Announced is when
	// maintenance was told. Both are what an exclusion needs.
	Consented string
	Announced time.Time
	Why       string // one sentence for the tenant
	Ref       string // the journal's plan or entry, the evidence
}

// EventKind is a kind of Event.
type EventKind string

// The kinds of events.
const (
	Outage      EventKind = "outage"      // no power
	Brownout    EventKind = "brown-out"   // less than wanted
	Curtailment EventKind = "curtailment" // we took power back
	Maintenance EventKind = "maintenance"
	Capped      EventKind = "capped" // jobs were slowed
	Paused      EventKind = "paused" // jobs were paused
)
