package billing

import (
	"fmt"
	"strings"

	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/telemetry"
	"switchyard/unit"
)

// layout is the tree with what hangs where, as allocation needs it.
type layout struct {
	tree    *site.Tree
	groups  []sitefile.Group
	tenants []sitefile.Tenant
	at      map[string]int // group or tenant to node
	kids    [][]int
	hall    []bool
}

func layOut(c Contracts) (layout, error) {
	l := layout{tree: c.Tree, groups: c.Groups, tenants: c.Tenants, at: map[string]int{}}
	if c.Tree == nil {
		return l, fmt.Errorf("the contracts have no tree")
	}
	l.kids, l.hall = make([][]int, c.Tree.Len()), make([]bool, c.Tree.Len())
	for i := 1; i < c.Tree.Len(); i++ {
		p := c.Tree.Node(i).Parent
		l.kids[p] = append(l.kids[p], i)
	}
	place := func(id, node string) error {
		i, ok := c.Tree.Index(site.NodeID(node))
		if !ok {
			return fmt.Errorf("%s hangs on node %q, which the tree does not have", id, node)
		}
		l.at[id], l.hall[i] = i, true
		return nil
	}
	for _, g := range c.Groups {
		if err := place(g.ID, g.Node); err != nil {
			return l, err
		}
	}
	for _, t := range c.Tenants {
		if err := place(t.ID, t.Node); err != nil {
			return l, err
		}
	}
	for _, k := range c.Clusters {
		if err := place(k.ID, k.Node); err != nil {
			return l, err
		}
	}
	return l, nil
}

// part makes a name fit to stand in an account's path.
func part(id string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./-", r) {
			return r
		}
		return '_'
	}, id)
}

func (l layout) hallOf(load string) string { return part(string(l.tree.Node(l.at[load]).ID)) }

// use is where an interval's energy went. Connection is halls plus losses plus remainder,
// exactly; and the shares of the halls and the remainder's come to it too.
type use struct {
	connection amount
	halls      []amount
	losses     []amount
	remainder  amount
}

type amount struct {
	node    int
	energy  unit.Energy
	share   unit.Energy // with its part of the losses above it; of halls and the remainder
	quality site.Quality
}

// allocate follows the energy from the connection down.
//
// A node's energy is its meter's. Without a meter it is what is known below it, and the
// node's named loss. A meter whose interval is missing counts as what its metered children
// used: the rest stands in the remainder above it, and comes back out of there when the
// meter's register is read again, so that nothing is counted twice.
func (l layout) allocate(records []telemetry.Interval) use {
	byName := make(map[string]telemetry.Interval, len(records))
	for _, r := range records {
		byName[r.Subject] = r
	}
	into, quality := l.flows(byName)
	u := use{connection: amount{0, into[0], into[0], quality[0]}, remainder: amount{quality: quality[0]}}
	own := make([]unit.Energy, len(into))
	for i := range into {
		own[i] = into[i]
		for _, k := range l.kids[i] {
			own[i] -= into[k]
		}
		if l.hall[i] {
			u.halls = append(u.halls, amount{i, own[i], own[i], quality[i]})
			continue
		}
		loss := unit.Power(into[i]).Scale(float64(l.tree.Node(i).Loss))
		if l.tree.Node(i).Meter == "" {
			loss = unit.Power(own[i]) // by construction
		}
		if loss != 0 {
			u.losses = append(u.losses, amount{node: i, energy: unit.Energy(loss), quality: quality[i]})
		}
		u.remainder.energy += own[i] - unit.Energy(loss)
	}
	u.remainder.share = u.remainder.energy
	for _, loss := range u.losses {
		u.remainder.share += l.spread(loss, u.halls)
	}
	return u
}

// flows returns the energy that entered each node and how it was come by.
func (l layout) flows(byName map[string]telemetry.Interval) ([]unit.Energy, []site.Quality) {
	n := l.tree.Len()
	into, quality := make([]unit.Energy, n), make([]site.Quality, n)
	groups := make([]unit.Energy, n)
	for _, g := range l.groups {
		groups[l.at[g.ID]] += byName[g.ID].Energy
	}
	for i := n - 1; i >= 0; i-- {
		node := l.tree.Node(i)
		var below unit.Energy
		for _, k := range l.kids[i] {
			below += into[k]
		}
		r, told := byName[string(node.Meter)]
		switch {
		case node.Meter == "":
			below += groups[i]
			if node.Loss > 0 && node.Loss < 1 {
				below = unit.Energy(unit.Power(below).Scale(1 / (1 - float64(node.Loss))))
			}
			into[i], quality[i] = below, site.Estimated
		case !told || r.Quality() == site.Missing:
			into[i], quality[i] = below, site.Missing
			if i == 0 {
				into[i] = 0 // nothing was bought as far as the meter says
			}
		default:
			into[i], quality[i] = r.Energy, r.Quality()
		}
	}
	return into, quality
}

// spread adds a loss to the shares of the halls below it, by their energy; it returns what
// no hall could take.
func (l layout) spread(loss amount, halls []amount) unit.Energy {
	var whole float64
	for _, h := range halls {
		if l.tree.Below(h.node, loss.node) {
			whole += float64(max(h.energy, 0))
		}
	}
	if whole <= 0 {
		return loss.energy
	}
	var sum float64
	var given unit.Energy
	for i, h := range halls {
		if !l.tree.Below(h.node, loss.node) || h.energy <= 0 {
			continue
		}
		sum += float64(h.energy)
		upTo := unit.Energy(unit.Power(loss.energy).Scale(sum / whole))
		if sum >= whole {
			upTo = loss.energy
		}
		halls[i].share += upTo - given
		given = upTo
	}
	return loss.energy - given
}
