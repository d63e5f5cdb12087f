package sitefile

import (
	"fmt"

	"switchyard/site"
)

// Tree returns the site's electrical tree: the connection first, then the nodes in the
// order of the file, but every parent before its children.
func (f *File) Tree() (*site.Tree, error) {
	index := map[string]int{f.Connection.ID: 0}
	nodes := []site.Node{f.Connection.node(-1)}
	for placed := true; placed; {
		placed = false
		for _, n := range f.Nodes {
			parent, ready := index[n.Parent]
			if _, done := index[n.ID]; done || !ready {
				continue
			}
			index[n.ID] = len(nodes)
			nodes = append(nodes, n.node(parent))
			placed = true
		}
	}
	if len(nodes) != len(f.Nodes)+1 {
		return nil, fmt.Errorf("make the tree of nodes: %d of %d nodes hang below the connection", len(nodes)-1, len(f.Nodes))
	}
	t, err := site.NewTree(nodes)
	if err != nil {
		return nil, fmt.Errorf("make the tree of nodes: %w", err)
	}
	return t, nil
}

func (n Node) node(parent int) site.Node {
	out := site.Node{ID: site.NodeID(n.ID), Name: n.Name, Parent: parent, Limit: n.Limit, Loss: n.Loss}
	for _, o := range n.Overload {
		out.Overload = append(out.Overload, site.Overload{Ratio: o.Ratio, For: o.For, Rest: o.Rest})
	}
	if n.Inrush != nil {
		out.Inrush, out.InrushWindow = n.Inrush.Power, n.Inrush.Per
	}
	if n.Meter != nil {
		out.Meter = MeterID(n.ID)
	}
	return out
}
