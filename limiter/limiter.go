// Package limiter owns law one: no node above its limit. It looks at meters, and where they
// are stale at nameplates, and says which flexible devices must rest now.
//
// It never looks at awards or plans: it works beside the optimiser and never through
// it. It never sheds firm load, never reads a clock, the network, the disk or a log.
//
// Concurrency: a Limiter belongs to one goroutine at a time. A Verdict shares nothing with it.
package limiter

import (
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Device is one thing that draws power below a node: a miner, or a tenant as a whole.
type Device struct {
	ID    site.DeviceID
	Node  int // index in the tree
	Class site.Class
	// Power is what it is counted at: its last reading, or its nameplate. Floor is what it
	// still draws at rest.
	Power, Floor unit.Power
	// At is when Power was read; zero if it is not a reading. Only firm devices need it:
	// their rise is foreseen from it.
	At time.Time
	// Max is the most a firm device may draw by contract; zero if unknown.
	Max   unit.Power
	Value unit.Price // what its power is worth; the least is shed first
	// Sheddable says that it is awake, controllable and not already told to rest.
	Sheddable bool
	// Falling is the part of Power that it was told to give up and may still draw.
	Falling unit.Power
	// SleepTime is how long it takes from the decision to rest; default 10 s.
	SleepTime time.Duration
}

// Reading is a node's meter as last read.
type Reading struct {
	Power site.Opt[unit.Power]
	At    time.Time
	// Stale says that it is too old, or failed: the node counts at Nameplate.
	Stale bool
}

// Input is everything one step looks at. The slices that are per node are in the order of
// the tree.
type Input struct {
	At   time.Time
	Tree *site.Tree
	// Limits are those in force now, on the power entering each node; negative means none.
	Limits []unit.Power
	Meters []Reading
	// Nameplate is what all that is awake below a node could draw, tenants at their contract,
	// the node's losses included.
	Nameplate []unit.Power
	// Believed is what the optimiser takes each node to draw; nil if unknown. What the meter
	// shows beyond it is taken off the caps, or the optimiser would fill the node again.
	Believed []unit.Power
	Devices  []Device
	// Margin is the share of every limit that is to stay free.
	Margin unit.Ratio
}

// NodeOver is one node that stands, or is about to stand, above its limit.
type NodeOver struct {
	Node         int
	Power, Limit unit.Power
	// Over is Power above Limit; zero or less while the rise is only foreseen.
	Over unit.Power
	// For is how long the node has been above its limit.
	For time.Duration
	// Counted says that Power is the nameplate of what is awake, because no meter tells.
	Counted bool
	// Tolerated says that the overload curve bears it for now.
	Tolerated bool
	// Short is what should be shed and cannot: no flexible device is left.
	Short unit.Power
	Text  string // one sentence for people
}

// ShedOrder tells one device to rest now.
type ShedOrder struct {
	Device site.DeviceID
	Reason site.Reason
}

// Verdict is what one step found.
type Verdict struct {
	Over []NodeOver
	Shed []ShedOrder
	// Caps bound the optimiser per node, negative means not: kept until the node has stayed
	// safely below its limit for a while, so that it does not undo the shedding.
	Caps []unit.Power
}
