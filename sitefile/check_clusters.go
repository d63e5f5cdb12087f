package sitefile

import (
	"fmt"
	"strings"

	"switchyard/sitefile/cluster"
)

// clusters checks the GPU clusters, and what they share with the rest of the file.
func (c *checker) clusters() {
	for i := range c.f.Clusters {
		k, path := &c.f.Clusters[i], fmt.Sprintf("clusters[%d]", i)
		c.loadID(path, k.ID)
		if node, ok := c.nodeRef(path+".node", k.Node); ok {
			c.clusterNode(path, i, node)
		}
		for j := range k.Tenants {
			c.loadID(fmt.Sprintf("%s.tenants[%d]", path, j), k.Tenants[j].ID)
		}
		cluster.Check(c, path, k)
	}
	for i := range c.f.Tenants {
		if t := &c.f.Tenants[i]; t.Contract != "" {
			c.File(fmt.Sprintf("tenants[%d].contract", i), t.Contract)
		}
	}
}

// clusterNode checks that the node's meter measures this cluster and nothing else.
func (c *checker) clusterNode(path string, index, node int) {
	n := c.nodeAt(node)
	const own = "give the cluster a metered node of its own"
	if n.Meter == nil && !c.doc.Has(c.nodePath(node)+".meter") {
		c.Fault(path+".node", fmt.Sprintf("give %s a meter", n.ID), "the node %s has no meter, and its meter is the cluster's", n.ID)
	}
	for i, t := range c.f.Tenants {
		if j, ok := c.nodes[t.Node]; ok && (c.below(t.Node, node) || c.below(n.ID, j)) {
			c.Fault(path+".node", own, "the tenant on tenants[%d] (%s) draws through the same meter", i, t.ID)
		}
	}
	for i, o := range c.f.Clusters[:index] {
		if j, ok := c.nodes[o.Node]; ok && (c.below(o.Node, node) || c.below(n.ID, j)) {
			c.Fault(path+".node", own, "the cluster on clusters[%d] (%s) draws through the same meter", i, o.ID)
		}
	}
	var mixed []string
	for _, g := range c.f.Groups {
		if c.below(g.Node, node) {
			mixed = append(mixed, g.ID)
		}
	}
	if len(mixed) > 0 {
		c.Fault(path+".node", own, "miners draw through the same meter: %s", strings.Join(mixed, ", "))
	}
}

// Cluster returns the cluster called id.
func (f *File) Cluster(id string) (cluster.Cluster, bool) {
	for _, k := range f.Clusters {
		if k.ID == id {
			return k, true
		}
	}
	return cluster.Cluster{}, false
}

// TenantNames returns the ids of all tenants, those in hosting and those of the clusters, with
// the names that people know them by.
func (f *File) TenantNames() map[string]string {
	out := map[string]string{}
	for _, t := range f.Tenants {
		out[t.ID] = t.Name
	}
	for _, k := range f.Clusters {
		for _, t := range k.Tenants {
			out[t.ID] = t.Name
		}
	}
	return out
}
