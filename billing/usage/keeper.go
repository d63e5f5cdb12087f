package usage

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"switchyard/billing/usage/counting"
	"switchyard/billing/usage/holding"
	"switchyard/compute"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

// KeeperCluster is how a Keeper reads one cluster of the plan.
type KeeperCluster struct {
	ID     string // as in the plan
	Owners Owners
	// Labels say which model a reading's own name for it is: "NVIDIA H100 80GB HBM3" is "h100".
	Labels map[string]string
}

// Owners says whose a job is and how its GPU time is sold.
type Owners = holding.Owners

// CounterOptions set up how energy is counted between polls.
type CounterOptions = counting.Options

// Keeper gathers all that the attribution needs between polls, and attributes each interval
// once it closes. Its use is: Reading and View as they come, Close for each interval that the
// integrator closed, and the checkpoint into the same transaction as the rows.
type Keeper struct {
	site     *Site
	clusters map[string]*keptCluster

	mu     sync.Mutex
	before map[string][2]unit.Energy
	last   time.Time // the interval that was closed last
}

type keptCluster struct {
	counters *counting.Counters
	holds    *holding.Holds
	labels   map[string]string

	mu  sync.Mutex
	off map[string]time.Time // machines without power, since when
}

// NewKeeper makes a Keeper of a site. A cluster that the site does not have is an error.
func NewKeeper(s *Site, o CounterOptions, clusters ...KeeperCluster) (*Keeper, error) {
	k := &Keeper{site: s, clusters: map[string]*keptCluster{}, before: map[string][2]unit.Energy{}}
	for _, c := range clusters {
		if !slices.ContainsFunc(s.clusters, func(x cluster) bool { return x.id == c.ID }) {
			return nil, fmt.Errorf("keep usage: the site has no cluster %q", c.ID)
		}
		k.clusters[c.ID] = &keptCluster{counters: counting.New(o), holds: holding.New(c.Owners), labels: c.Labels, off: map[string]time.Time{}}
	}
	return k, nil
}

// Reading takes what one machine of a cluster said of itself.
func (k *Keeper) Reading(cluster string, r compute.Reading) {
	if c := k.clusters[cluster]; c != nil {
		c.counters.Observe(r)
		c.holds.Tell(r.Node, r.At, r.GPUs)
	}
}

// View takes what a cluster's engine told.
func (k *Keeper) View(cluster string, v compute.View) {
	c := k.clusters[cluster]
	if c == nil {
		return
	}
	c.holds.Observe(v)
	if !v.Reachable {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range v.Nodes {
		switch since, off := c.off[n.Name]; {
		case n.State != compute.NodeOff:
			delete(c.off, n.Name)
		case !off || v.At.Before(since):
			c.off[n.Name] = v.At.UTC()
		}
	}
}

// Closed is one interval that the integrator closed, with what else is known of it.
type Closed struct {
	Start    time.Time
	Records  []telemetry.Interval // of every meter and group
	Price    site.Opt[unit.Price]
	Delivery map[string]Delivery
}

// Close attributes an interval. Intervals are closed in order, each once; what the clusters'
// readings gave for it is let go of, so keep the answer and the checkpoint together.
func (k *Keeper) Close(c Closed) Out {
	k.mu.Lock()
	defer k.mu.Unlock()
	in := In{Site: k.site, Start: c.Start, Meters: c.Records, Price: c.Price, Delivery: c.Delivery}
	for _, id := range k.ids() {
		kc := k.clusters[id]
		machines := kc.holds.Close(c.Start, used(kc.counters.Close(c.Start)))
		in.Clusters = append(in.Clusters, ClusterUse{id, kc.finish(machines, c.Start)})
	}
	if k.last.Add(length).Equal(c.Start) {
		in.Before = k.before
	}
	out := Attribute(in)
	next := make(map[string][2]unit.Energy, len(out.Rows))
	for _, r := range out.Rows {
		own := r.Critical
		if slices.Contains(out.Late, r.Tenant) {
			own = -1
		}
		next[r.Tenant] = [2]unit.Energy{k.before[r.Tenant][1], own}
		if in.Before == nil {
			next[r.Tenant] = [2]unit.Energy{own, own}
		}
	}
	k.before, k.last = next, c.Start.UTC()
	return out
}

func (k *Keeper) ids() []string {
	ids := make([]string, 0, len(k.clusters))
	for id := range k.clusters {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// used turns what was counted into what is attributed.
func used(counted []counting.Machine) []MachineUse {
	out := make([]MachineUse, len(counted))
	for i, m := range counted {
		out[i] = MachineUse{Name: m.Name, Energy: m.Energy, GPUs: make([]GPUUse, len(m.GPUs))}
		for k, g := range m.GPUs {
			out[i].GPUs[k] = GPUUse{Index: g.Index, Ref: g.Ref, Model: g.Model, Energy: g.Energy}
		}
	}
	return out
}

// finish names models as the plan does and marks machines without power.
func (c *keptCluster) finish(machines []MachineUse, start time.Time) []MachineUse {
	c.mu.Lock()
	defer c.mu.Unlock()
	told := map[string]bool{}
	for i := range machines {
		m := &machines[i]
		for g := range m.GPUs {
			if name, ok := c.labels[m.GPUs[g].Model]; ok {
				m.GPUs[g].Model = name
			}
		}
		known := m.Energy.Quality != site.Missing || slices.ContainsFunc(m.GPUs, func(g GPUUse) bool {
			return g.Energy.Quality != site.Missing || len(g.Holds) > 0
		})
		if since, off := c.off[m.Name]; off && !known && !since.After(start) {
			m.Off = true
		}
		told[m.Name] = true
	}
	for name, since := range c.off {
		if !told[name] && !since.After(start) {
			machines = append(machines, MachineUse{Name: name, Off: true, Energy: Figure{Quality: site.Missing}})
		}
	}
	return machines
}

// maxCheckpoint bounds a checkpoint of a part in bytes.
const maxCheckpoint = 256 << 20

// keeperState is what a checkpoint holds.
type keeperState struct {
	Version  int                        `json:"version"`
	Last     time.Time                  `json:"last"`
	Before   map[string][2]int64        `json:"before"` // mWh
	Counters map[string]json.RawMessage `json:"counters"`
	Holds    map[string]json.RawMessage `json:"holds"`
	// Off are the machines without power, since when.
	Off map[string]map[string]time.Time `json:"off,omitempty"`
}

// Checkpoint returns the whole state as JSON.
func (k *Keeper) Checkpoint() ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := keeperState{Version: 1, Last: k.last, Before: map[string][2]int64{}, Counters: map[string]json.RawMessage{}, Holds: map[string]json.RawMessage{}, Off: map[string]map[string]time.Time{}}
	for id, b := range k.before {
		s.Before[id] = [2]int64{int64(b[0]), int64(b[1])}
	}
	for id, c := range k.clusters {
		var err error
		if s.Counters[id], err = c.counters.Checkpoint(); err != nil {
			return nil, err
		}
		if s.Holds[id], err = c.holds.Checkpoint(); err != nil {
			return nil, err
		}
		c.mu.Lock()
		s.Off[id] = maps.Clone(c.off)
		c.mu.Unlock()
	}
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("checkpoint of usage: %w", err)
	}
	return data, nil
}

// Restore takes up the state of a checkpoint; of clusters that are no longer there it is
// forgotten. Nil or empty data is a fresh start.
func (k *Keeper) Restore(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if len(data) > 2*maxCheckpoint {
		return fmt.Errorf("restore usage: %d bytes are more than %d", len(data), 2*maxCheckpoint)
	}
	var s keeperState
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("restore usage: %w", err)
	}
	if s.Version != 1 {
		return fmt.Errorf("restore usage: version %d: this program knows version 1", s.Version)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, c := range k.clusters {
		if part, ok := s.Counters[id]; ok {
			if err := c.counters.Restore(part); err != nil {
				return fmt.Errorf("cluster %s: %w", id, err)
			}
		}
		if part, ok := s.Holds[id]; ok {
			if err := c.holds.Restore(part); err != nil {
				return fmt.Errorf("cluster %s: %w", id, err)
			}
		}
		if off := s.Off[id]; len(off) > 0 && len(off) <= maxMachines {
			c.mu.Lock()
			c.off = maps.Clone(off)
			c.mu.Unlock()
		}
	}
	k.before, k.last = make(map[string][2]unit.Energy, len(s.Before)), s.Last.UTC()
	for id, b := range s.Before {
		k.before[id] = [2]unit.Energy{unit.Energy(b[0]), unit.Energy(b[1])}
	}
	return nil
}
