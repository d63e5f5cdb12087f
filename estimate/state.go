package estimate

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"switchyard/site"
)

const (
	version  = 1
	mostKept = 20_000 // cells and nodes that a kept state may hold
)

// saved is what is kept over a restart: what was learned, and nothing of single miners.
type saved struct {
	Version int         `json:"version"`
	Cells   []cellState `json:"cells"`
	Bases   []baseState `json:"bases,omitempty"`
}

// cellState is one cell's. Var is the lower triangle of its covariance; what cells have in
// common is not kept, so that they are taken as less certain than they were.
type cellState struct {
	Group  site.LoadID             `json:"group"`
	Node   site.NodeID             `json:"node"`
	Plate  [3]float64              `json:"plate"` // W, H/s and W of the first miner
	X      [states]float64         `json:"x"`
	Var    [states * 5 / 2]float64 `json:"var"`
	Spread float64                 `json:"spread"`
}

// baseState is a steady draw at a metered node that no miner explains.
type baseState struct {
	Node  site.NodeID `json:"node"`
	Watts float64     `json:"watts"`
	Var   float64     `json:"var"`
}

type kept struct {
	group site.LoadID
	node  site.NodeID
}

// fits says whether what was learned is of machines with these nameplates.
func (s cellState) fits(now scale) bool {
	near := func(a, b float64) bool { return math.Abs(a-b) <= 0.01*math.Abs(b) }
	return near(s.Plate[0], now.watts) && near(s.Plate[1], now.rated) && near(s.Plate[2], now.standby)
}

func (c *cell) restore(s cellState) {
	k := 0
	for i := range states {
		c.block.x[c.at+i] = s.X[i]
		for j := range i + 1 {
			c.block.set(c.at+i, c.at+j, s.Var[k])
			c.block.set(c.at+j, c.at+i, s.Var[k])
			k++
		}
	}
	c.spread = s.Spread
	c.bound()
}

func (c *cell) save(node site.NodeID) cellState {
	s := cellState{Group: c.key.group, Node: node, Plate: [3]float64{c.scale.watts, c.scale.rated, c.scale.standby}, Spread: round(c.spread)}
	k := 0
	for i := range states {
		s.X[i] = round(c.state(i))
		for j := range i + 1 {
			s.Var[k] = round(c.block.v(c.at+i, c.at+j))
			k++
		}
	}
	return s
}

// round keeps six digits.
func round(v float64) float64 {
	if v == 0 {
		return 0
	}
	p := math.Pow(10, 5-math.Floor(math.Log10(math.Abs(v))))
	if r := math.Round(v*p) / p; !math.IsNaN(r) && !math.IsInf(r, 0) {
		return r
	}
	return v
}

// MarshalJSON writes what was learned: some 300 bytes a group.
func (e *Estimator) MarshalJSON() ([]byte, error) {
	s := saved{Version: version, Cells: []cellState{}}
	for _, c := range e.cells {
		s.Cells = append(s.Cells, c.save(e.tree.Node(c.key.node).ID))
	}
	for _, c := range e.kept {
		s.Cells = append(s.Cells, c)
	}
	slices.SortFunc(s.Cells, func(a, b cellState) int {
		if d := strings.Compare(string(a.Group), string(b.Group)); d != 0 {
			return d
		}
		return strings.Compare(string(a.Node), string(b.Node))
	})
	for owner, b := range e.blocks {
		if b != nil && owner > 0 && (b.x[0] != 0 || b.v(0, 0) != 0) {
			s.Bases = append(s.Bases, baseState{e.tree.Node(owner - 1).ID, round(b.x[0]), round(b.v(0, 0))})
		}
	}
	return json.Marshal(s)
}

// UnmarshalJSON takes up what MarshalJSON wrote, for groups as they appear; what was kept of
// groups whose nameplates have changed since is forgotten. Call it after New and before the
// first Step. On an error nothing is taken up.
func (e *Estimator) UnmarshalJSON(b []byte) error {
	var s saved
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("read what was learned of power: %w", err)
	}
	switch {
	case e.tree == nil:
		return fmt.Errorf("read what was learned of power: the estimator was not made with New")
	case s.Version != version:
		return fmt.Errorf("read what was learned of power: version %d, not %d", s.Version, version)
	case len(s.Cells) > mostKept || len(s.Bases) > mostKept:
		return fmt.Errorf("read what was learned of power: more than %d groups", mostKept)
	}
	cells, bases := map[kept]cellState{}, map[int]baseState{}
	for _, c := range s.Cells {
		if !c.sound() {
			return fmt.Errorf("read what was learned of power: group %s at %s holds what cannot be", c.Group, c.Node)
		}
		cells[kept{c.Group, c.Node}] = c
	}
	for _, p := range s.Bases {
		if i, ok := e.tree.Index(p.Node); ok && finite(p.Watts, p.Var) && p.Var >= 0 {
			bases[i] = p
		}
	}
	e.kept, e.bases = cells, bases
	return nil
}

// sound says that the figures are finite and the covariance is one.
func (s cellState) sound() bool {
	if !finite(s.X[:]...) || !finite(s.Var[:]...) || !finite(s.Plate[:]...) || !(s.Spread > 0 && s.Spread < 1) {
		return false
	}
	diagonal := [states]float64{s.Var[0], s.Var[2], s.Var[5], s.Var[9]}
	k := 0
	for i := range states {
		for j := range i + 1 {
			if v := s.Var[k]; i == j && (v < 0 || v > 100) || sq(v) > 1.0001*diagonal[i]*diagonal[j] {
				return false
			}
			k++
		}
	}
	return true
}

func finite(v ...float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}
