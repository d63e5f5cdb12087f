package schedule

import (
	"sort"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Method is how a plan came about: each is what is fallen back to from the one before.
type Method string

// The methods.
const (
	Exact  Method = "exact"  // nothing couples the classes: each one's best path, proven
	MILP   Method = "milp"   // mixed-integer program
	LP     Method = "lp"     // its relaxation, rounded
	Merit  Method = "merit"  // each step by itself in merit order
	Static Method = "static" // all flexible load at rest: the safe limit
)

// Plan is a schedule.
type Plan struct {
	Method Method
	Steps  []Step
	// Profit is what the plan earns over the horizon, less energy, charges and penalties;
	// Bound is the most that any plan could. Gap is their distance over the greater of |Bound|
	// and one dollar; negative where no bound is known (Merit, Static).
	Profit, Bound unit.Money
	Gap           float64
	Classes       []ClassPlan
	Firm          []FirmPlan
	Work          []WorkPlan
	Reserves      []ReservePlan
	// Site is the power entering the connection, by step.
	Site []unit.Power
	// Marginal is what one more MWh at each node is worth, by step and node: the dual price.
	Marginal [][]unit.Price
	// Notes say what was left out and why: a target that cannot be met, a method fallen back from.
	Notes []string
	// Adder and Peak are by step what Guidance tells of them.
	Adder []unit.Price
	Peak  []unit.Power
}

// ClassPlan is what the machines of a class do.
type ClassPlan struct {
	Load  site.LoadID
	Node  int
	Count int
	// Running is how many run at each level, by step and level.
	Running [][]float64
	// Keep is the price at the class's node up to which a running machine is kept running in a
	// step, Take the one up to which a resting machine is started: what it earns now and what
	// the state it is left in is worth later. By step, for the level that earns most.
	Keep, Take []unit.Price
}

// FirmPlan is what contracted load gets.
type FirmPlan struct {
	Load      site.LoadID
	Curtailed []unit.Power // taken back under the contract, by step
	Short     []unit.Power // not delivered, by step
}

// WorkPlan is when flexible work is done.
type WorkPlan struct {
	Load  site.LoadID
	Power []unit.Power // by step
	Late  unit.Energy  // not done by the deadline
}

// ReservePlan is how much of a product is held.
type ReservePlan struct {
	Name  string
	Held  []unit.Power // by step
	Short []unit.Power // sold and not held, by step
}

// StepAt returns the index of the step that holds t; false outside the horizon.
func (p *Plan) StepAt(t time.Time) (int, bool) {
	n := len(p.Steps)
	i := sort.Search(n, func(i int) bool { return p.Steps[i].Start.After(t) }) - 1
	if i < 0 || i == n-1 && !t.Before(p.Steps[i].Start.Add(p.Steps[i].Length)) {
		return 0, false
	}
	return i, true
}

// Guidance is what a plan says to the clearing of one interval.
type Guidance struct {
	// Adder is added to the price of every MWh at the connection: the chance of a coincident
	// peak, and less where the minimum load or what cannot be sold back asks for more.
	Adder unit.Price
	// Peak is the power entering the connection above which a new peak would be charged; the
	// clearing takes it as a cap. A demand charge costs nothing up to it and a month's rent
	// beyond, which no price of a MWh tells. Negative: none.
	Peak unit.Power
	// Keep and Take are by class, in the order of the plan's Classes: see ClassPlan. They
	// stand at the class's node, and are before Adder.
	Keep, Take []unit.Price
	// Run is how many machines of each class the plan has running, Marginal the price that the
	// plan expects at its node, adders and caps included. Where the plan runs a part of a class
	// all its machines are worth just that price, and Run decides. See Bid.
	Run      []int
	Marginal []unit.Price
}

// tie is what parts a class's machines that the plan runs from the others, where the price
// leaves it open; more than the solver's noise, and less than any price tells.
const tie = unit.DollarPerMWh / 100

// Bid is what a MWh is worth, at the class's node, to the machine of that rank in its class,
// counted from 0 with running machines before resting ones: Keep or Take, but just above the
// price expected if the plan runs so many, and just below it if not. Cleared at the prices
// expected, such bids give what the plan commits to; at others they depart from it.
func (g *Guidance) Bid(class, rank int, running bool) unit.Price {
	v := g.Take[class]
	if running {
		v = g.Keep[class]
	}
	if rank < g.Run[class] {
		return max(v, g.Marginal[class]+tie)
	}
	return min(v, g.Marginal[class]-tie)
}

// Guidance returns what the plan says to the clearing of an interval within a step, by the
// step's index (see StepAt).
func (p *Plan) Guidance(step int) Guidance {
	g := Guidance{Peak: -1}
	if step < 0 || step >= len(p.Steps) {
		return g
	}
	g.Adder, g.Peak = p.Adder[step], p.Peak[step]
	for i := range p.Classes {
		c := &p.Classes[i]
		n := 0.0
		for _, v := range c.Running[step] {
			n += v
		}
		keep, take, m := c.Keep[step], c.Take[step], p.Marginal[step][c.Node]
		run := int(n + 0.5)
		switch run { // all or none of them: then no rank need be known
		case 0:
			keep, take = min(keep, m-tie), min(take, m-tie)
		case c.Count:
			keep, take = max(keep, m+tie), max(take, m+tie)
		}
		g.Keep, g.Take = append(g.Keep, keep), append(g.Take, take)
		g.Run, g.Marginal = append(g.Run, run), append(g.Marginal, m)
	}
	return g
}
