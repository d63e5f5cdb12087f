package plant

import (
	"slices"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// maxExcursions bounds the list of one node; those beyond it are still counted.
const maxExcursions = 1000

// Record is what truly happened from From to To, by the plant's own measure.
type Record struct {
	From, To time.Time
	Nodes    []NodeRecord // in the order of the tree
	Loads    []LoadRecord // groups, then tenants, then feeds, in the order of the configuration
}

// Node returns the record of the node called id, and whether there is one.
func (r Record) Node(id site.NodeID) (NodeRecord, bool) {
	for _, n := range r.Nodes {
		if n.Node == id {
			return n, true
		}
	}
	return NodeRecord{}, false
}

// Load returns the record of the load called id, and whether there is one.
func (r Record) Load(id site.LoadID) (LoadRecord, bool) {
	for _, l := range r.Loads {
		if l.Load == id {
			return l, true
		}
	}
	return LoadRecord{}, false
}

// NodeRecord is what entered one node.
type NodeRecord struct {
	Node   site.NodeID
	Limit  unit.Power // in force at the end; negative: none
	Power  unit.Power // at the end
	Energy unit.Energy
	// Losses is the part of Energy that was lost in this node itself.
	Losses unit.Energy

	PeakPower unit.Power
	PeakAt    time.Time
	// TimeOver is the whole time above the limit in force, LongestOver the longest at a
	// stretch. LongestBeyond is the longest stretch outside the node's overload curve too;
	// without a curve it is LongestOver.
	TimeOver, LongestOver, LongestBeyond time.Duration
	// Excursions above the limit, oldest first, at most 1,000; Count counts all of them.
	Excursions []Excursion
	Count      int
}

// Excursion is one stretch above the limit in force.
type Excursion struct {
	From, To time.Time
	Peak     unit.Power
	Limit    unit.Power    // in force at the peak
	Beyond   time.Duration // of it outside the overload curve
}

// LoadRecord is what one group or tenant drew and did.
type LoadRecord struct {
	Load   site.LoadID
	Energy unit.Energy
	// Work is the hashes a group did, in TH; 0 for a tenant.
	Work float64
	// Peak and Steepest are a tenant's: the greatest draw, and the greatest rise within a minute.
	Peak, Steepest unit.Power
	// Undelivered is firm energy that a tenant wanted and did not get.
	Undelivered unit.Energy
}

// limitChange is a limit told to the record ahead of time.
type limitChange struct {
	at    time.Time
	power unit.Power
}

// tally keeps one node's record.
type tally struct {
	node    site.Node
	rec     NodeRecord
	power   unit.Power
	in      integral // since the plant's start
	losses  integral
	inBase  unit.Energy // of in at the last reset
	losBase unit.Energy
	limit   unit.Power // negative: none
	queue   []limitChange

	over   bool
	cur    Excursion
	beyond time.Duration   // the present stretch beyond the curve
	used   []time.Duration // of each step of the curve, since the last full rest
	rested time.Duration
}

func newTally(n site.Node) *tally {
	t := &tally{node: n, used: make([]time.Duration, len(n.Overload))}
	t.limit = own(n)
	// The curve by rising ratio: a step counts what is above the ratio below it.
	t.node.Overload = slices.Clone(n.Overload)
	slices.SortFunc(t.node.Overload, func(a, b site.Overload) int {
		switch {
		case a.Ratio < b.Ratio:
			return -1
		case a.Ratio > b.Ratio:
			return 1
		}
		return 0
	})
	t.rec.Node = n.ID
	return t
}

// own is the node's limit by the tree; negative: none.
func own(n site.Node) unit.Power {
	if n.Limit <= 0 {
		return -1
	}
	return n.Limit
}

// reset starts the record again; the energy since the plant's start and the state of the
// overload curve stay.
func (t *tally) reset() {
	t.rec = NodeRecord{Node: t.node.ID}
	t.inBase, t.losBase = t.in.whole, t.losses.whole
	t.over, t.cur, t.beyond = false, Excursion{}, 0
}

// observe counts power p, lost of it lost here, over the dt that ends at now.
func (t *tally) observe(now time.Time, dt time.Duration, p, lost unit.Power) {
	for len(t.queue) > 0 && now.After(t.queue[0].at) {
		t.limit = t.queue[0].power
		if o := own(t.node); t.limit < 0 || (o >= 0 && o < t.limit) {
			t.limit = o
		}
		t.queue = t.queue[1:]
	}
	t.power = p
	t.in.add(p, dt)
	t.losses.add(lost, dt)
	if p > t.rec.PeakPower || t.rec.PeakAt.IsZero() {
		t.rec.PeakPower, t.rec.PeakAt = p, now
	}
	if t.limit < 0 || p <= t.limit {
		t.below(dt)
		return
	}
	if !t.over {
		t.over = true
		t.cur = Excursion{From: now.Add(-dt)}
		t.rec.Count++
	}
	t.rested = 0
	t.cur.To = now
	if p > t.cur.Peak {
		t.cur.Peak, t.cur.Limit = p, t.limit
	}
	t.rec.TimeOver += dt
	t.rec.LongestOver = max(t.rec.LongestOver, t.cur.To.Sub(t.cur.From))
	if t.outside(p, dt) {
		t.beyond += dt
		t.cur.Beyond += dt
		t.rec.LongestBeyond = max(t.rec.LongestBeyond, t.beyond)
	} else {
		t.beyond = 0
	}
}

// below ends an excursion, and lets the node rest.
func (t *tally) below(dt time.Duration) {
	if t.over {
		t.close(&t.rec)
		t.over, t.beyond = false, 0
	}
	if len(t.used) == 0 {
		return
	}
	t.rested += dt
	for i, s := range t.node.Overload {
		if t.rested >= s.Rest {
			t.used[i] = 0
		}
	}
}

func (t *tally) close(r *NodeRecord) {
	if len(r.Excursions) < maxExcursions {
		r.Excursions = append(r.Excursions, t.cur)
	}
}

// outside counts dt at power p against the overload curve and says whether it breaks it.
// Each step bears at most For above the ratio below it between two rests, in one stretch
// or in several.
func (t *tally) outside(p unit.Power, dt time.Duration) bool {
	ratio := unit.Ratio(float64(p) / float64(max(t.limit, 1)))
	below, broken := unit.Ratio(1), true
	for i, s := range t.node.Overload {
		if ratio > below {
			t.used[i] += dt
			broken = t.used[i] > s.For
			if broken {
				return true
			}
		}
		below = s.Ratio
	}
	return broken || ratio > below
}

// record returns a copy of the node's record, with an excursion under way in it.
func (t *tally) record() NodeRecord {
	r := t.rec
	r.Limit, r.Power = t.limit, t.power
	r.Energy, r.Losses = t.in.whole-t.inBase, t.losses.whole-t.losBase
	r.Excursions = slices.Clone(r.Excursions)
	if t.over {
		t.close(&r)
	}
	return r
}
