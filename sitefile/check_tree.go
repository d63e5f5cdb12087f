package sitefile

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"switchyard/sitefile/check"
	"switchyard/strictyaml"
	"switchyard/unit"
)

// tree checks the connection and the nodes: names, parents, limits and meters.
func (c *checker) tree() {
	root := &c.f.Connection
	if c.Need("connection", "describe the grid connection: its limit and its meter") {
		c.nodes[root.ID] = -1
		if c.doc.Has("connection.id") {
			c.ID("connection.id", root.ID)
		}
		if c.doc.Has("connection.parent") {
			c.Fault("connection.parent", "remove the key", "the connection has no parent")
		}
		if c.Need("connection.limit", `write what the grid allows, like "limit: 4 MW"`) && root.Limit <= 0 {
			c.Fault("connection.limit", `write what the grid allows, like "4 MW"`, "%v is no limit", root.Limit)
		}
		c.Need("connection.meter", "the connection must be metered: give the meter's address and profile")
		c.node("connection", root)
	}
	for i := range c.f.Nodes {
		path := fmt.Sprintf("nodes[%d]", i)
		if n := &c.f.Nodes[i]; c.ID(path+".id", n.ID) {
			if other, twice := c.nodes[n.ID]; twice {
				line, _ := c.doc.At(c.nodePath(other) + ".id")
				c.Fault(path+".id", "give each node its own id", "the id %q is taken by the node on line %d", n.ID, line)
			} else {
				c.nodes[n.ID] = i
			}
		}
		c.node(path, &c.f.Nodes[i])
	}
	for i := range c.f.Nodes {
		c.parents(i)
	}
}

func (c *checker) nodePath(i int) string {
	if i < 0 {
		return "connection"
	}
	return fmt.Sprintf("nodes[%d]", i)
}

// nodeAt returns the node at index i; -1 is the connection.
func (c *checker) nodeAt(i int) *Node {
	if i < 0 {
		return &c.f.Connection
	}
	return &c.f.Nodes[i]
}

// nodeNames returns the ids of all nodes, the connection first.
func (c *checker) nodeNames() []string {
	out := []string{c.f.Connection.ID}
	for _, n := range c.f.Nodes {
		out = append(out, n.ID)
	}
	return out
}

// nodeRef finds the node that the key at path names; false and a fault where there is none.
func (c *checker) nodeRef(path, id string) (int, bool) {
	if !c.Need(path, strictyaml.Suggest("", c.nodeNames())) {
		return 0, false
	}
	i, ok := c.nodes[id]
	if !ok {
		c.Fault(path, strictyaml.Suggest(id, c.nodeNames()), "there is no node %q", id)
	}
	return i, ok
}

// parents checks that node i hangs below the connection, and its limit against its parent's.
func (c *checker) parents(i int) {
	n, path := c.f.Nodes[i], c.nodePath(i)+".parent"
	if c.doc.Has(path) {
		if _, ok := c.nodeRef(path, n.Parent); !ok {
			return
		}
	}
	if way := c.circle(i); way != nil && i == slices.Min(way) {
		names := make([]string, 0, len(way)+1)
		for _, j := range append(way, i) {
			names = append(names, c.f.Nodes[j].ID)
		}
		c.Fault(path, "let one of them hang below the connection", "the nodes form a circle: %s", strings.Join(names, " below "))
		return
	}
	if j, ok := c.nodes[n.Parent]; ok {
		if up := c.nodeAt(j); up.Limit > 0 && n.Limit > up.Limit {
			c.Warn(c.nodePath(i)+".limit", "", "the limit of %v is above the %v of its parent %s", n.Limit, up.Limit, up.ID)
		}
	}
}

// circle returns the nodes from i up that lead back to i; nil when they do not.
func (c *checker) circle(i int) []int {
	way := []int{i}
	for len(way) <= len(c.f.Nodes) {
		j, ok := c.nodes[c.f.Nodes[way[len(way)-1]].Parent]
		switch {
		case !ok || j < 0:
			return nil
		case j == i:
			return way
		}
		way = append(way, j)
	}
	return nil // a circle further up
}

// node checks what the connection and the nodes have in common.
func (c *checker) node(path string, n *Node) {
	if n.Limit < 0 {
		c.Fault(path+".limit", "write a power above zero, or remove the key for no limit", "%v is no limit", n.Limit)
	}
	check.Between(c.Check, path+".loss", n.Loss, 0, 0.3)
	c.overload(path, n)
	if in := n.Inrush; in != nil {
		if c.Need(path+".inrush.power", `nameplate power that may start in one window, like "500 kW"`) && in.Power <= 0 {
			c.Fault(path+".inrush.power", "write a power above zero", "%v is no allowance", in.Power)
		}
		if c.Need(path+".inrush.per", `the window, like "30s"`) {
			check.Between(c.Check, path+".inrush.per", in.Per, time.Second, time.Hour)
		}
	}
	if n.Meter != nil {
		c.meter(path+".meter", n.Meter)
	}
}

func (c *checker) overload(path string, n *Node) {
	path += ".overload"
	if len(n.Overload) == 0 {
		return
	}
	if n.Limit == 0 {
		c.Fault(path, "give the node a limit", "an overload curve needs a limit to stand above")
	}
	for i, o := range n.Overload {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case o.Ratio <= 1 || o.Ratio > 3:
			c.Fault(at, `write it like "ratio: 110 %", above 100 % and at most 300 %`, "the ratio %v is out of range", o.Ratio)
		case o.For <= 0 || o.For > 24*time.Hour:
			c.Fault(at, `write it like "for: 60s"`, "a time of %v is out of range", o.For)
		case o.Rest <= 0:
			c.Fault(at, `write it like "rest: 10m"`, "the step of %v has no rest", o.Ratio)
		}
	}
	for i, curve := 1, longestFirst(n.Overload); i < len(curve); i++ {
		if a, b := curve[i-1], curve[i]; a.For == b.For || a.Ratio >= b.Ratio {
			c.Fault(path, "let a higher ratio hold for a shorter time", "%v for %v and %v for %v are no curve", a.Ratio, a.For, b.Ratio, b.For)
		}
	}
}

func longestFirst(curve []Overload) []Overload {
	out := slices.Clone(curve)
	slices.SortStableFunc(out, func(a, b Overload) int { return cmp.Compare(b.For, a.For) })
	return out
}

func (c *checker) meter(path string, m *Meter) {
	if c.Need(path+".address", `the meter's IP address, like "10.0.0.2"`) {
		if _, err := parseHost(m.Address); err != nil {
			c.Fault(path+".address", `write it like "10.0.0.2"`, "%q is not an IP address", m.Address)
		}
	}
	check.Between(c.Check, path+".port", m.Port, 1, 65535)
	check.Between(c.Check, path+".unit", m.Unit, 0, 255)
	check.Between(c.Check, path+".poll", m.Poll, time.Second/10, 5*time.Minute)
	if m.Stale < m.Poll && !c.doc.Faulty(path+".poll") {
		c.Fault(path+".stale", "give it at least the time of one poll", "%v is shorter than the poll of %v", m.Stale, m.Poll)
	}
	if !c.Need(path+".profile", strictyaml.Suggest("", c.known.Profiles)) {
		return
	}
	if ext := filepath.Ext(m.Profile); ext == ".yaml" || ext == ".yml" {
		c.File(path+".profile", m.Profile)
	} else if c.known.Profiles != nil && !slices.Contains(c.known.Profiles, m.Profile) {
		hint := strictyaml.Suggest(m.Profile, c.known.Profiles)
		c.Fault(path+".profile", hint, "unknown meter profile %q", m.Profile)
	}
}

// firmBelow compares each node's limit with the firm load contracted below it.
func (c *checker) firmBelow() {
	firm := map[int]unit.Power{}
	for _, t := range c.f.Tenants {
		i, ok := c.nodes[t.Node]
		for hops := 0; ok && hops <= len(c.f.Nodes); hops++ {
			firm[i] += t.Firm
			if i < 0 {
				break
			}
			i, ok = c.nodes[c.f.Nodes[i].Parent]
		}
	}
	for i := -1; i < len(c.f.Nodes); i++ {
		if n := c.nodeAt(i); n.Limit > 0 && firm[i] > n.Limit && !c.faultyLimit(i) {
			c.Warn(c.nodePath(i)+".limit", "", "the limit of %v is below the firm load of %v contracted below it", n.Limit, firm[i])
		}
	}
	for i, l := range c.f.Limits {
		if j, ok := c.nodes[l.Node]; ok && firm[j] > l.Power {
			c.Warn(fmt.Sprintf("limits[%d].power", i), "", "the limit of %v is below the firm load of %v contracted below %s", l.Power, firm[j], l.Node)
		}
	}
}

func (c *checker) faultyLimit(i int) bool { return c.doc.Faulty(c.nodePath(i) + ".limit") }
