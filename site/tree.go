// Package site owns the nouns that three or more rooms share: the tree of nodes with its
// limits, what a device can do and what it said (Capabilities, Sample), what a load offers
// and is given (Offer, Award), what a device is told (Setpoint) and why (Reason).
//
// It holds data and invariants only: it never decides, never does I/O, never reads a clock.
//
// Concurrency: values are plain data. A Tree and a Snapshot are immutable once made and
// may be shared freely; everything else belongs to whoever holds it.
package site

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"switchyard/unit"
)

// Identifiers are the names in the site file; a device's is its group's name, "-", and its
// number in the group ("s21-017"). They are never empty and never reused.
type (
	NodeID   string
	LoadID   string // a group or a tenant
	DeviceID string // a miner or a meter; a node's meter is "meter:" and the node's name
)

// Overload is one step of a short-time overload curve: the node bears Ratio times its limit
// for at most For, once; then it must be at or below the limit for Rest before it may again.
type Overload struct {
	Ratio unit.Ratio
	For   time.Duration
	Rest  time.Duration
}

// Node is one place in the electrical tree.
type Node struct {
	ID     NodeID
	Name   string
	Parent int // index in the tree; -1 for the connection
	// Limit is the continuous limit of the power entering the node; zero means none.
	Limit unit.Power
	// Overload is the short-time curve, longest first; empty means the limit is absolute.
	Overload []Overload
	// Inrush is how much nameplate power may be started below this node within
	// InrushWindow; zero means no allowance is set.
	Inrush       unit.Power
	InrushWindow time.Duration
	// Loss is the share of the power entering the node that is lost in it.
	Loss unit.Ratio
	// Meter is the device that measures the power entering the node; empty means none.
	Meter DeviceID
}

// Tree is the site's electrical tree. Index 0 is the connection; a parent comes before its
// children. It is immutable.
type Tree struct {
	nodes []Node
	byID  map[NodeID]int
}

// NewTree checks the order, the names and the parents, and makes the tree.
func NewTree(nodes []Node) (*Tree, error) {
	t := &Tree{nodes: append([]Node(nil), nodes...), byID: make(map[NodeID]int, len(nodes))}
	for i, n := range t.nodes {
		switch _, twice := t.byID[n.ID]; {
		case n.ID == "":
			return nil, fmt.Errorf("node %d has no name", i)
		case twice:
			return nil, fmt.Errorf("node %s stands twice", n.ID)
		case i == 0 && n.Parent != -1:
			return nil, fmt.Errorf("node %s: the first node is the connection and has no parent", n.ID)
		case i > 0 && (n.Parent < 0 || n.Parent >= i):
			return nil, fmt.Errorf("node %s: its parent must stand before it", n.ID)
		}
		t.byID[n.ID] = i
	}
	if len(t.nodes) == 0 {
		return nil, fmt.Errorf("a tree needs at least the connection")
	}
	return t, nil
}

// Len returns the number of nodes.
func (t *Tree) Len() int { return len(t.nodes) }

// Node returns the node at index i, by value: its slices are not to be written.
func (t *Tree) Node(i int) Node { return t.nodes[i] }

// Index returns the index of the node called id.
func (t *Tree) Index(id NodeID) (int, bool) {
	i, ok := t.byID[id]
	return i, ok
}

// Title is how people call the node id: its name with a capital, since it begins sentences, or
// the id itself where there is no name or no such node.
func (t *Tree) Title(id NodeID) string {
	name := string(id)
	if i, ok := t.byID[id]; ok && t.nodes[i].Name != "" {
		name = t.nodes[i].Name
	}
	first, size := utf8.DecodeRuneInString(name)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + name[size:]
}

// Below says whether node i is node top or hangs below it.
func (t *Tree) Below(i, top int) bool {
	for i > top {
		i = t.nodes[i].Parent
	}
	return i == top
}

// Lift turns power at the loads, summed per node, into power entering each node: what is
// below plus the losses on the way.
func (t *Tree) Lift(p []unit.Power) {
	for i := len(t.nodes) - 1; i >= 0; i-- {
		n := t.nodes[i]
		if n.Loss > 0 && n.Loss < 1 {
			p[i] = p[i].Scale(1 / (1 - float64(n.Loss)))
		}
		if n.Parent >= 0 {
			p[n.Parent] += p[i]
		}
	}
}
