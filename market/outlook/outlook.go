// Package outlook owns the hours ahead of one site as a problem to schedule: it turns the site
// file, what the market says and is expected to, and how the site stands into a
// schedule.Problem. It learns what that needs: prices and grid peaks by Watch, a tenant's
// draw by Profile.
//
// What is kept for a tenant decides what mining may be planned into. The loop keeps what the
// tenant draws and a margin for its rise, never more than the contract, and lets mining have
// the rest, which gets out of the way within seconds. So the same is planned:
//
//   - For the first ten minutes exactly what the loop keeps now (Tenant.Keep).
//   - After that what the tenant is expected to draw then, and the loop's margin, up to the
//     contract. Were the contract kept, machines that rest would not be worth a start for as
//     long as the tenant draws less.
//   - All of the contract where the site file says `fill: false` or the draw is not known.
//   - Where no margin is told, what the tenant's Profile says it stays below.
//
// It never solves the problem, never tells a device anything, and never reads a clock, the
// network or the disk; where a figure is not known it says so in Notes and takes the careful one.
//
// Concurrency: an Outlook, a Watch and a Profile each belong to one goroutine at a time; a
// Problem shares nothing with them.
package outlook

import (
	"fmt"
	"strings"
	"time"

	"switchyard/dispatch/schedule"
	"switchyard/market"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// Prices says what power is expected to cost.
type Prices interface {
	// Expect returns the mean price over [from, to) that is expected at now, without the
	// site's adder; false where nothing is known of that time.
	Expect(now, from, to time.Time) (unit.Price, bool)
}

// Sources are what an Outlook looks at. All but Prices may be missing.
type Sources struct {
	Prices Prices
	// Peaks returns how many coincident peaks of the i-th charge of the site file the span
	// from a to b is expected to hold; nil: none are expected.
	Peaks func(i int, now, a, b time.Time) float64
	// Reserve returns what a MW of the reserve called name, held for an hour, is expected to
	// earn; nil: only fixed prices are known.
	Reserve func(name string, now, from, to time.Time) (unit.Price, bool)
	// HourWorth returns what the dearest hours of the coming time are worth: the price that is
	// exceeded in so small a share of hours; nil: nothing is known of them.
	HourWorth func(share float64) (unit.Price, bool)
}

// State is how the site stands at a time.
type State struct {
	// Hashprice is what hashing earns. While it is not known groups have no value, and rest.
	Hashprice site.Opt[unit.Hashprice]
	Groups    []Group
	Tenants   []Tenant
	Clusters  []Cluster
	// Limits are in force or to come, beyond those of the site file.
	Limits []site.Limit
	// Caps are what the limiter allows each node now; nil: nothing beyond the limits. They are
	// taken to hold for the first CapsFor of the horizon.
	Caps []unit.Power
	// Fixed is drawn at each node whatever is awarded, beyond what the groups say of themselves.
	Fixed []unit.Power
	// Peaks are the highest powers of the month so far, by the name of the demand charge.
	Peaks map[string]unit.Power
	// Left is what is still to be done of each work; one that is missing has all of it to do.
	Left map[string]unit.Energy
	// Sold adds to what the site file says is sold of a reserve, by its name.
	Sold map[string][]sitefile.SoldReserve
	// Price, where known, replaces the expectation while it holds: a price that the grid told.
	Price []PriceSpan
}

// PriceSpan is a price that holds for a time, the adder not included.
type PriceSpan struct {
	From, To time.Time
	Price    unit.Price
}

// CapsFor is how long the limiter's caps are taken to hold.
const CapsFor = 5 * time.Minute

// Group is machines of one kind of a mining group: a group of unlike machines stands as
// several with the same Load.
type Group struct {
	Load site.LoadID
	// Count is how many machines are free to follow an award.
	Count int
	// Levels are how each may run, power above standby.
	Levels []Level
	// Now is how they stand; those that it does not name are asleep and free to start.
	Now []schedule.State
	// Fixed is what the group draws whatever it is awarded: standby of all machines, and those
	// that do not obey.
	Fixed unit.Power
	// Response is how fast a machine is at standby once told.
	Response time.Duration
}

// Level is one way to run.
type Level struct {
	Power    unit.Power // of one machine, above standby
	Hashrate unit.Hashrate
}

// Tenant is how a tenant stands.
type Tenant struct {
	Load site.LoadID
	// Draw is what it draws now. Unknown: all that is firm is expected and kept.
	Draw site.Opt[unit.Power]
	// Keep is what must be kept for it now, its draw included: dispatch.Headroom's Reserve.
	// Zero: nobody said.
	Keep unit.Power
	// Margin is what is kept beyond the draw while the contract does not cut it: Headroom's
	// Margin. Where it is less than what Keep leaves above Draw, that counts.
	Margin unit.Power
	// Profile is what was learned of it; nil: it is expected to draw on as it does.
	Profile *Profile
	// Curtailed is how long power was taken back in this calendar year, or is called to be.
	Curtailed time.Duration
	// Called is what the tenant was told to give up, now and later: without it, it would draw
	// Back more than it does now.
	Called []Called
	Back   unit.Power
}

// Called is power that a tenant was told to give up, as far as it is expected to.
type Called struct {
	From, To time.Time
	Power    unit.Power
}

// Cluster is GPUs of ours: what is firm there, and what can bend as classes of machines, each a
// job, that may run in full, capped or not at all.
type Cluster struct {
	Load site.LoadID // of the firm part
	Node int
	// Draw is what the firm part is expected to draw, Keep what is kept for it.
	Draw, Keep unit.Power
	Penalty    unit.Price
	Classes    []schedule.Class
}

// Outlook makes the Problems of one site.
type Outlook struct {
	f      *sitefile.File
	tree   *site.Tree
	zone   *time.Location
	limits market.Limits
	s      Sources
	notes  []string
	// demandAt and blockAt are the hours of the demand charges and of the blocks.
	demandAt, blockAt []window
}

// New makes the Outlook of a site file that sitefile has passed.
func New(f *sitefile.File, s Sources) (*Outlook, error) {
	if s.Prices == nil {
		return nil, fmt.Errorf("look ahead: no source of prices")
	}
	tree, err := f.Tree()
	if err != nil {
		return nil, fmt.Errorf("look ahead: %w", err)
	}
	o := &Outlook{f: f, tree: tree, zone: f.Location(), limits: market.FileLimits(f), s: s}
	for _, c := range f.Market.Charges.Demand {
		o.demandAt = append(o.demandAt, windowOf(c.Daily, c.Weekdays))
	}
	for _, b := range f.Market.Blocks {
		o.blockAt = append(o.blockAt, windowOf(b.Daily, false))
	}
	return o, nil
}

// Notes says what the last Problem lacked, a sentence each.
func (o *Outlook) Notes() []string { return o.notes }

func (o *Outlook) note(format string, args ...any) {
	o.notes = append(o.notes, fmt.Sprintf(format, args...))
}

// Problem is the site's hours ahead at now, as far as the site file's horizon. It never blocks.
func (o *Outlook) Problem(now time.Time, s State) schedule.Problem {
	o.notes = nil
	p := schedule.Problem{Tree: o.tree, Steps: schedule.Horizon(now, o.f.Ahead.Horizon)}
	o.prices(now, s, p.Steps)
	o.coincident(now, p.Steps)
	o.blocks(p.Steps)
	o.caps(now, s, p.Steps)
	p.Classes = o.classes(s)
	p.Firm = append(o.tenants(now, s, p.Steps), o.fixed(s, p.Steps)...)
	for _, c := range s.Clusters {
		p.Classes = append(p.Classes, c.Classes...)
		p.Firm = append(p.Firm, schedule.Firm{
			Load: c.Load, Node: c.Node, Draw: repeat(c.Draw, len(p.Steps)), Reserve: repeat(max(c.Draw, c.Keep), len(p.Steps)), Penalty: c.Penalty,
		})
	}
	p.Work = o.work(now, s)
	p.Reserves = o.reserves(now, s, p.Steps)
	p.Demand = o.demand(s, p.Steps)
	if m := o.f.Minimum; m != nil {
		p.Minimum, p.MinimumPenalty = m.Power, m.Penalty
	}
	return p
}

// fixedPrefix begins the name under which a node's fixed draws stand in a Problem.
const fixedPrefix = "fixed:"

// IsFixed says whether a Problem's Firm is no tenant but a node's fixed draws: standby of
// miners and what nothing moves. No site file can name a load so.
func IsFixed(load site.LoadID) bool { return strings.HasPrefix(string(load), fixedPrefix) }

// FixedAt is the name under which a node's fixed draws stand.
func FixedAt(node site.NodeID) site.LoadID { return site.LoadID(fixedPrefix + string(node)) }

// overlap is how long two spans have in common; a zero end never comes.
func overlap(a, b, from, to time.Time) time.Duration {
	if from.After(a) {
		a = from
	}
	if !to.IsZero() && to.Before(b) {
		b = to
	}
	return max(b.Sub(a), 0)
}
