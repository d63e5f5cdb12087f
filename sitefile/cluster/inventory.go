package cluster

import (
	"slices"
	"strings"

	"switchyard/unit"
)

// Node is one machine of a row.
type Node struct {
	Name string
	Machine
}

// Nodes returns the cluster's machines one by one, in the order of the file. It takes a Cluster
// that has passed Check; a row whose names are no list is left out.
func (c Cluster) Nodes() []Node {
	var out []Node
	for _, m := range c.Machines {
		names, err := Names(m.Names)
		if err != nil {
			continue
		}
		for _, n := range names {
			out = append(out, Node{n, m})
		}
	}
	return out
}

// Model returns the GPU model called so, by its own name or one of its labels; upper and lower
// case are the same.
func (c Cluster) Model(name string) (GPU, bool) {
	for _, g := range c.GPUs {
		same := func(s string) bool { return strings.EqualFold(s, name) }
		if same(g.Model) || slices.ContainsFunc(g.Labels, same) {
			return g, true
		}
	}
	return GPU{}, false
}

// ModelOf returns the model of the GPUs in the machine called node.
func (c Cluster) ModelOf(node string) (GPU, bool) {
	for _, n := range c.Nodes() {
		if n.Name == node {
			return c.Model(n.Model)
		}
	}
	return GPU{}, false
}

// Nameplate returns the most that the cluster draws, with all GPUs uncapped.
func (c Cluster) Nameplate() unit.Power {
	var sum unit.Power
	for _, m := range c.Machines {
		names, err := Names(m.Names)
		g, ok := c.Model(m.Model)
		if err != nil || !ok {
			continue
		}
		sum += unit.Power(len(names)) * (m.Full + unit.Power(m.GPUs)*g.Full)
	}
	return sum
}

// Count returns how many GPUs of each model there are.
func (c Cluster) Count() map[string]int {
	out := map[string]int{}
	for _, m := range c.Machines {
		names, err := Names(m.Names)
		if g, ok := c.Model(m.Model); ok && err == nil {
			out[g.Model] += len(names) * m.GPUs
		}
	}
	return out
}

// ClassOf returns the workload class of a queue's jobs; false: no class names the queue.
func (c Cluster) ClassOf(queue string) (Class, bool) {
	for _, k := range c.Classes {
		if slices.Contains(k.Queues, queue) {
			return k, true
		}
	}
	return Class{}, false
}

// TenantOf returns whose jobs run under an account or in a namespace; false: nobody's of the file.
func (c Cluster) TenantOf(account string) (Tenant, bool) {
	for _, t := range c.Tenants {
		if slices.Contains(t.Accounts, account) {
			return t, true
		}
	}
	return Tenant{}, false
}

// Of returns the address of a machine's service; false: it has none.
func (e Endpoint) Of(node string) (string, bool) {
	if u, ok := e.Hosts[node]; ok || e.URL == "" {
		return u, ok
	}
	return strings.ReplaceAll(e.URL, "{node}", node), true
}

// SafeCap returns the cap of one GPU of a model when an agent's lease ends.
func (e Endpoint) SafeCap(g GPU) unit.Power { return min(max(e.Safe, g.Least), g.Full) }
