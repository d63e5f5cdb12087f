package cluster

import (
	"fmt"
	"time"

	"switchyard/sitefile/check"
	"switchyard/unit"
)

// File says which keys are there.
type File interface{ Has(path string) bool }

// Defaults sets what the file leaves out.
func Defaults(file File, clusters []Cluster) {
	for i := range clusters {
		c, path := &clusters[i], fmt.Sprintf("clusters[%d]", i)
		check.Or(file, path+".name", &c.Name, c.ID)
		if k := c.Kubernetes; k != nil {
			check.Or(file, path+".kubernetes.gpu_resource", &k.GPUResource, "nvidia.com/gpu")
			check.Or(file, path+".kubernetes.timeout", &k.Timeout, 10*time.Second)
		}
		if s := c.Slurm; s != nil {
			check.Or(file, path+".slurm.poll", &s.Poll, 2*time.Second)
			check.Or(file, path+".slurm.timeout", &s.Timeout, 10*time.Second)
		}
		for j := range c.GPUs {
			g := &c.GPUs[j]
			check.Or(file, fmt.Sprintf("%s.gpus[%d].least", path, j), &g.Least, g.Full/3)
		}
		for key, e := range c.endpoints() {
			e.defaults(file, path+"."+key, c)
		}
		for j := range c.Classes {
			c.Classes[j].defaults(file, fmt.Sprintf("%s.classes[%d]", path, j))
		}
		for j := range c.Tenants {
			t, at := &c.Tenants[j], fmt.Sprintf("%s.tenants[%d]", path, j)
			check.Or(file, at+".name", &t.Name, t.ID)
			check.Or(file, at+".accounts", &t.Accounts, []string{t.ID})
		}
		check.Or(file, path+".effect", &c.Effect, 30*time.Second)
		check.Or(file, path+".hysteresis", &c.Hysteresis, 2*time.Minute)
		full := c.Nameplate()
		check.Or(file, path+".ramp", &c.Ramp, full)
		check.Or(file, path+".restore", &c.Restore, full/5)
	}
}

// endpoints returns those that are there, by their keys.
func (c *Cluster) endpoints() map[string]*Endpoint {
	out := map[string]*Endpoint{}
	for key, e := range map[string]*Endpoint{agentsKey: c.Agents, "dcgm_exporter": c.Exporter, "bmc": c.BMC} {
		if e != nil {
			out[key] = e
		}
	}
	return out
}

// agentsKey is the endpoint that has leases.
const agentsKey = "agents"

func (e *Endpoint) defaults(file File, path string, c *Cluster) {
	check.Or(file, path+".poll", &e.Poll, 10*time.Second)
	if e == c.Agents {
		check.Or(file, path+".lease", &e.Lease, max(2*time.Minute, 3*e.Poll))
		check.Or(file, path+".safe", &e.Safe, c.safe())
	}
}

// safe is three quarters of full; of several models it is the least of theirs that all can be
// held to.
func (c *Cluster) safe() unit.Power {
	var out, least unit.Power
	for _, g := range c.GPUs {
		if p := g.Full.Scale(0.75); out == 0 || p < out {
			out = p
		}
		least = max(least, g.Least)
	}
	return max(out, least)
}

func (k *Class) defaults(file File, path string) {
	check.Or(file, path+".per", &k.Per, 24*time.Hour)
	sale := "interruptible"
	switch k.Kind {
	case "firm", "semi":
		sale = "reserved"
	case "cap":
		sale = "on-demand"
	}
	check.Or(file, path+".sale", &k.Sale, sale)
}
