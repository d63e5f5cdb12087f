// Package schedule owns the words of the rolling schedule: the Problem that a stretch of time
// is, the Plan made for it (which loads run, rest, hold back as reserve or give way, and what
// one more MWh is worth at each node meanwhile), and the Guidance by which live clearing keeps
// to it. It owns the steps of a horizon too, and the best path of machines whose prices are all
// known. Plans are made by its folder planner, with the solver of its folder linear.
//
// It never reads a clock, the network, the disk or a log, and it tells nobody anything: a
// Problem goes in, a Plan comes out. The bound on the work counts the solver's steps and not
// seconds, so that the same Problems in the same order give the same Plans on any machine.
//
// Concurrency: all functions are pure; a Plan is immutable and shares nothing with its Problem.
package schedule

import (
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Problem is a stretch of time to be scheduled. All powers are at the load unless said otherwise.
type Problem struct {
	Tree *site.Tree
	// Steps are the intervals of the horizon, each beginning where the one before it ends.
	Steps   []Step
	Classes []Class
	Firm    []Firm
	Work    []Work
	// Reserves are the capacity products that may be sold.
	Reserves []Reserve
	Demand   []Demand
	// Minimum is the least power entering the connection, kept at MinimumPenalty for each MWh
	// that is lacking; zero means none.
	Minimum        unit.Power
	MinimumPenalty unit.Price
	// Overload is what a MWh above a node's cap costs: a breach is priced, and the plan stays
	// feasible. Zero means DefaultOverload. Real limits are the limiter's, which never sees a plan.
	Overload unit.Price
	// Gap is the relative distance from the bound at which the search may end; zero means 1e-4,
	// or up to 1e-3 where more than 100 counts must be whole and a search would take seconds.
	Gap float64
	// Whole is how far ahead machines are counted whole; beyond it they may be parts. Zero
	// means an hour, negative the whole horizon.
	Whole time.Duration
}

// DefaultOverload is what a MWh above a cap costs where the Problem does not say.
const DefaultOverload = 20_000 * unit.DollarPerMWh

// Step is one interval of the horizon.
type Step struct {
	Start  time.Time
	Length time.Duration
	// Price is what a MWh at the connection is expected to cost: real-time, with every adder
	// that falls on each MWh. Coincident is what is added for the chance that this interval
	// sets a coincident peak: chance x rate, told per MWh. Never billed by the MWh; it is
	// apart so that a reader sees it.
	Price, Coincident unit.Price
	// Block is power bought ahead for this step: it is paid for anyway, and what is not used
	// is sold back at Price less SellBack. Zero means none.
	Block    unit.Power
	SellBack unit.Price
	// Caps bound the power entering each node; negative means no cap, a nil slice the tree's limits.
	Caps []unit.Power
}

// Class is machines of one kind at one node that are free to follow an award.
type Class struct {
	Load  site.LoadID
	Node  int
	Count int
	// Levels are how a running machine may run, in any order. Power is above standby.
	Levels []Level
	// Wear is what one start costs a machine beyond the hashing that Ramp loses.
	Wear unit.Money
	// Ramp is how long a started machine draws its power before it earns.
	Ramp            time.Duration
	MinRun, MinRest time.Duration
	// Now is the machines as they stand at the first step's start. Those that no state names
	// are asleep, and free to start.
	Now []State
	// Response is how fast a running machine is at standby once told: it may back a reserve
	// that allows as much.
	Response time.Duration
}

// Level is one way to run.
type Level struct {
	Power unit.Power // of one machine, above standby
	Value unit.Price // earned, per MWh of that power
}

// State is how some machines of a class stand.
type State struct {
	Count int
	// Level is the index of their level, or -1 asleep.
	Level int
	// For is how long they have been running or asleep.
	For time.Duration
}

// Firm is contracted power, with what the contract lets us take back.
type Firm struct {
	Load site.LoadID
	Node int
	// Draw is what is expected to be drawn in each step, Reserve what must be kept for it (at
	// least Draw): energy is paid for the one, caps hold for the other.
	Draw, Reserve []unit.Power
	// Penalty is what a MWh not delivered costs.
	Penalty unit.Price
	// Curtail is the right to take power back; the zero value is no right.
	Curtail Curtail
}

// Curtail is a tenant's curtailment right.
type Curtail struct {
	Power unit.Power    // at most so much
	Left  time.Duration // hours left in the contract's year, of any power
	// Notice is how long before it begins the tenant must know.
	Notice time.Duration
	// Price is what the tenant is paid for each MWh not drawn; Worth is what an hour of the
	// right would fetch later, $/MWh of it: the reason not to spend it today.
	Price, Worth unit.Price
	// Called is what the tenant has been told to give up already, by step: Draw and Reserve are
	// without it, and the right's Power is to that extent used. Nil: nothing.
	Called []unit.Power
}

// Work is flexible load with a deadline: a training job, a batch queue.
type Work struct {
	Load site.LoadID
	Node int
	// Energy is still to be done; Power is the most it draws.
	Energy unit.Energy
	Power  unit.Power
	From   time.Time // not before; zero means now
	By     time.Time // deadline; zero means the end of the horizon
	// Value is what each MWh done earns. Late is what each MWh not done by By costs.
	Value, Late unit.Price
	// Slow is what a MWh done costs for each hour that it is done after it could have been:
	// the price of slowing down.
	Slow unit.Price
}

// Reserve is a capacity product: power that can drop within Response and stay down for
// Duration.
type Reserve struct {
	Name     string
	Response time.Duration
	Duration time.Duration
	// Price is paid per MW and hour held, by step; Performance is the share that is paid for
	// as delivered; Call is the expected share of held energy that is really called.
	Price       []unit.Price
	Performance unit.Ratio
	Call        unit.Ratio
	Most        unit.Power // at most so much may be sold, per step; zero means no bound
	// Sold is what is committed already, by step: lacking power costs Short per MWh. Nil: nothing.
	Sold  []unit.Power
	Short unit.Price
}

// Demand is a charge on the highest power at the connection of a billing period.
type Demand struct {
	Name string
	// Rate is per kW of the period's peak, SoFar the peak that is set already.
	Rate  unit.CapacityRate
	SoFar unit.Power
	// Counts says for each step whether its power counts; nil: every step.
	Counts []bool
}
