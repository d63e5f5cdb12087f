package estimate

import (
	"fmt"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Method says how a figure was come by.
type Method uint8

// The methods, best first after Unknown.
const (
	Unknown   Method = iota // nothing is known of the device
	Outlet                  // measured by the outlet that it is plugged into
	Device                  // its own reading, scaled by what the meter says of its group's readings
	Curve                   // learned: this group's power by hashrate, anchored on the meter
	Nameplate               // what the maker, or the site file, says: a guess
)

var methodNames = [...]string{"unknown", "outlet", "device", "curve", "nameplate"}

// Methods returns all methods in the order of their constants.
func Methods() []Method { return []Method{Unknown, Outlet, Device, Curve, Nameplate} }

// String returns the method's name.
func (m Method) String() string { return methodNames[min(int(m), len(methodNames)-1)] }

// MarshalText writes the method's name.
func (m Method) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads a method's name.
func (m *Method) UnmarshalText(b []byte) error {
	for _, k := range Methods() {
		if k.String() == string(b) {
			*m = k
			return nil
		}
	}
	return fmt.Errorf("%q is no method; it can be one of %v", b, methodNames)
}

// Miner is what is known of one miner at the time of a step.
type Miner struct {
	ID    site.DeviceID
	Group site.LoadID
	Node  int // index in the tree; one that is not there counts as the connection
	// At is when its newest reading came; zero: never. State to Target are that reading's.
	At       time.Time
	State    site.State
	Power    site.Opt[unit.Power] // as the firmware says
	Hashrate site.Opt[unit.Hashrate]
	Target   site.Opt[unit.Power] // the power limit or target it obeys
	// Outlet is what the outlet it is plugged into measured at OutletAt.
	Outlet   site.Opt[unit.Power]
	OutletAt time.Time
	// Told is when it was last told something that changes its draw; zero: never.
	Told time.Time
	// Nameplate, Rated and Standby are its power and hashrate at full work and its power asleep,
	// by the site file or the table of models; zero: not known.
	Nameplate unit.Power
	Rated     unit.Hashrate
	Standby   unit.Power
}

// Node is what is known of one node at the time of a step.
type Node struct {
	// Power entering the node by its meter, measured at At; unknown without a meter, and while
	// the meter is not to be believed.
	Power site.Opt[unit.Power]
	At    time.Time
	// Tenant says that something draws at this node itself that only a meter tells: what hangs
	// above it can be learned from only while this node's own meter reads.
	Tenant bool
	// House is what else is known to draw at this node, HouseError its standard deviation.
	House, HouseError unit.Power
}

// Input is one step's. Nodes are in the order of the tree; missing ones have no meter.
type Input struct {
	Now    time.Time
	Miners []Miner
	Nodes  []Node
}

// Figure is what one miner draws.
type Figure struct {
	Power  site.Opt[unit.Power] // unknown with the method Unknown, never negative
	Error  unit.Power           // one standard deviation
	Method Method
}

// GroupFigure is what one group at one node draws.
type GroupFigure struct {
	Group site.LoadID
	Node  int
	// Power is the sum of the known figures, Error the standard deviation of the sum.
	Power, Error unit.Power
	// Methods counts the miners by Method.
	Methods [5]int
	// Scale is what a true watt is to a watt that the group's devices report, ScaleError its
	// standard deviation; 1 and its first guess until something is learned.
	Scale, ScaleError float64
}

// NodeFigure is how what is below one meter adds up: Miners + Metered + Other + Residual is
// Meter, all as power entering the node.
type NodeFigure struct {
	// Reconciled says that a meter's reading was there and that nothing below it is unknown; all
	// else is zero where it is false.
	Reconciled bool
	// Meter is what its meter read at At, between two readings where a meter below is behind.
	Meter    unit.Power
	At       time.Time
	Miners   unit.Power // figures of the miners that this meter is the nearest to
	Metered  unit.Power // what the next meters below measure
	Other    unit.Power // the house load, and a steady draw that no miner explains
	Residual unit.Power // what was beyond every figure's error: readings lag, something lies
}

// Output is one step's. Miners and Nodes are in the order of the input and of the tree.
type Output struct {
	Miners []Figure
	Groups []GroupFigure
	Nodes  []NodeFigure
}

// Estimator keeps what was learned. Make it with New.
type Estimator struct {
	tree   *site.Tree
	owner  []int // of each node: its own or the nearest metered node above by the tree, or -1
	cells  []*cell
	byKey  map[key]int
	blocks []*block // by owner + 1
	meters []meter
	mem    []memory
	kept   map[kept]cellState // restored, and not yet met
	bases  map[int]baseState  // restored, by owner

	// Buffers of one step.
	raws    []raw
	roots   []root
	moments []int64 // of each root: when it is looked at

	tickAt int64 // when levels were last kept
	ticks  int
}

type key struct {
	group site.LoadID
	node  int
}

// New makes an estimator that has learned nothing for the site's tree.
func New(tree *site.Tree) *Estimator {
	n := tree.Len()
	e := &Estimator{
		tree: tree, owner: make([]int, n), byKey: map[key]int{}, blocks: make([]*block, n+1),
		meters: make([]meter, n), kept: map[kept]cellState{}, bases: map[int]baseState{}, roots: make([]root, n),
	}
	for i := range n {
		switch node := tree.Node(i); {
		case node.Meter != "":
			e.owner[i] = i
		case node.Parent >= 0:
			e.owner[i] = e.owner[node.Parent]
		default:
			e.owner[i] = -1
		}
	}
	return e
}

// Step takes up what is known at in.Now and returns what each miner draws. It takes some
// milliseconds for 30,000 miners. Steps a few seconds apart learn best; a step whose time is not
// after the last one's learns nothing.
func (e *Estimator) Step(in Input) Output {
	e.takeMeters(in)
	e.takeMiners(in)
	e.learn(in)
	return e.figures(in)
}

// cellOf returns the index of a group at a node, made from the miner if it is new.
func (e *Estimator) cellOf(m *Miner) int {
	node := e.node(m)
	k := key{m.Group, node}
	if c, ok := e.byKey[k]; ok {
		return c
	}
	at := e.owner[node] + 1
	if e.blocks[at] == nil {
		e.blocks[at] = &block{}
		e.blocks[at].grow(1)
		if s, ok := e.bases[at-1]; ok {
			e.blocks[at].x[0], e.blocks[at].p[0] = s.Watts, s.Var
		}
	}
	b := e.blocks[at]
	c := &cell{key: k, block: b, at: len(b.x), spread: firstSpread, scale: plate(m)}
	b.cells = append(b.cells, c)
	b.grow(states)
	mean, sd, _ := prior()
	for i := range states {
		b.x[c.at+i] = mean[i]
		b.set(c.at+i, c.at+i, sq(sd[i]))
	}
	name := kept{m.Group, e.tree.Node(node).ID}
	if s, ok := e.kept[name]; ok && s.fits(c.scale) {
		c.restore(s)
	}
	delete(e.kept, name)
	e.byKey[k] = len(e.cells)
	e.cells = append(e.cells, c)
	return len(e.cells) - 1
}
