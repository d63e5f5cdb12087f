package sla

import (
	"time"

	"switchyard/billing/contract"
	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/unit"
)

// Input is what a finding rests on.
type Input struct {
	// SLA is the promise in force, Curtail the right to take power back; nil: there is none.
	// Later are the rights that replace it within the month, by their From. Where the promise
	// changes within a month, each part of it is assessed by itself, From and To being the part's.
	SLA     contract.SLA
	Curtail *contract.Curtail
	Later   []Right
	// Zone is where the curtailment right's calendar year begins; nil: UTC.
	Zone *time.Location
	// From and To bound the month: its first moment, and the next one's.
	From, To time.Time
	// Now is when it is asked. Zero, or not before To: the month is over. Otherwise only the
	// intervals that have ended by Now are looked at.
	Now time.Time
	// Rows are the tenant's of the month, in any order; of several of one interval the highest
	// revision counts. Events are the tenant's from the calendar year's beginning on, in any
	// order; one without an end goes on. Others are not to be among them.
	Rows   []usage.Row
	Events []usage.Event
	// Rent is the month's, of which credits are shares: contract.Stretch's Rent.
	Rent unit.Money
}

// Right is a right to take power back that holds from a moment on; nil: none holds from then on.
type Right struct {
	From    time.Time
	Curtail *contract.Curtail
}

// Finding is what came of a month's promise, computed whether or not anybody claims it.
type Finding struct {
	From, To time.Time
	// Until is how far it is assessed: To, or in a month under way the end of the last interval
	// that has ended. Final says that it is To.
	Until time.Time
	Final bool

	Promised unit.Ratio
	// Reached is the share of Counted that was available so far; unknown while nothing counts.
	Reached site.Opt[unit.Ratio]
	// Outlook is what the month comes to if nothing more happens in it; in a month that is over
	// it is Reached. Credit goes by it, so that an hour lost on the first day is not taken for a
	// tenth of a month.
	Outlook site.Opt[unit.Ratio]
	// Least is Outlook if all that is unknown had been down.
	Least site.Opt[unit.Ratio]
	// Broken says that Outlook is below Promised.
	Broken bool

	// Month is Available + Down + Brown + Unknown + ToCome + what is excluded, exactly.
	Month                           time.Duration
	Available, Down, Brown, Unknown time.Duration
	ToCome                          time.Duration
	Excluded                        []Exclusion // by cause, in the order of contract's causes
	// Estimated is how much of what counts rests on rows that are estimated.
	Estimated time.Duration

	Delivered Delivered
	Credit    Credit
	Curtailed *Curtailed // nil where there is neither a right nor a consented curtailment
	Evidence  []Line     // each event, by its beginning
	// Claimed is always false: nobody has to ask for a credit.
	Claimed bool
	// Notes are what a reader should know, one sentence each.
	Notes []string
}

// Counted returns the time that availability is a share of: what was available, down or browned
// out. What is excluded, unknown or to come is no part of it.
func (f Finding) Counted() time.Duration { return f.Available + f.Lost() }

// Lost returns the time that counts as not available.
func (f Finding) Lost() time.Duration { return f.Down + f.Brown }

// ExcludedTime returns all that is excluded.
func (f Finding) ExcludedTime() time.Duration {
	var d time.Duration
	for _, x := range f.Excluded {
		d += x.Time
	}
	return d
}

// Exclusion is time that does not count, by its cause.
type Exclusion struct {
	Cause string // contract.ConsentedCurtailment or contract.AnnouncedMaintenance
	Time  time.Duration
}

// Delivered is the power that was delivered over the intervals that were measured or estimated.
type Delivered struct {
	Intervals int
	// Mean is mean power at the tenant's own meter, Wanted what it would have drawn on average.
	Mean, Wanted unit.Power
	Energy       unit.Energy // delivered
	Short        unit.Energy // firm energy not delivered
	// Worst is the interval with the least of what was wanted delivered; nil where all was.
	Worst *Worst
}

// Worst is an interval in which less was delivered than wanted.
type Worst struct {
	Start            time.Time
	Delivered, Short unit.Power // mean over the interval; Short is firm power not delivered
	Wanted           unit.Power
	Share            unit.Ratio // of what was wanted, that was not short
}

// Credit is what is owed for a broken promise.
type Credit struct {
	// Below and Share are the step that holds; zero: none.
	Below, Share unit.Ratio
	Rent         unit.Money // of which Share is
	// Amount is owed to the tenant, positive; whoever books it makes it a credit. Capped says
	// that the month's bound made it smaller.
	Amount unit.Money
	Capped bool
}

// Curtailed is how the right to take power back was used.
type Curtailed struct {
	// Right is how long power may be taken back in a calendar year; zero: there is no right,
	// only what was consented to.
	Right time.Duration
	// Before is how much of it was used in the year before From, Used within the month so far.
	// Beyond is curtailment in the month for which no right was left: it is not excluded.
	Before, Used, Beyond time.Duration
	// NotDrawn is the energy not drawn in the month by all curtailments consented to, within the
	// right or beyond it, and Payment what is owed to the tenant for it, positive.
	NotDrawn unit.Energy
	Payment  unit.Money
}

// Left returns how much of the year's right is left; zero where there is none.
func (c Curtailed) Left() time.Duration { return max(c.Right-c.Before-c.Used, 0) }

// Line is one event as evidence.
type Line struct {
	usage.Event
	// Start and End are the part of the event within what is assessed.
	Start, End time.Time
	// Excluded is how much of that does not count, by Cause. Events may overlap: the sum over
	// the lines may be more than the finding's.
	Excluded time.Duration
	Cause    string
	// Verdict says in words what it counts for and why.
	Verdict string
}
