package gpus

import (
	"fmt"
	"slices"
	"time"

	"switchyard/emulate/fault"
)

// FaultKind names a way in which a cluster misbehaves.
type FaultKind string

// The kinds of fault.
const (
	// OffTheBus: a GPU is lost (XID 79) until its node boots again.
	OffTheBus FaultKind = "off-the-bus"
	// CounterReset: a GPU's energy counter starts again at zero, as after a reload of the driver.
	CounterReset FaultKind = "counter-reset"
	// ExporterGarbled and ExporterHangs: the metrics of a node come cut and flipped, or never.
	ExporterGarbled FaultKind = "exporter-garbled"
	ExporterHangs   FaultKind = "exporter-hangs"
	// BMCSlow: the node's controller takes many seconds for each answer.
	BMCSlow FaultKind = "bmc-slow"
)

// FaultKinds returns all kinds.
func FaultKinds() []FaultKind {
	return []FaultKind{OffTheBus, CounterReset, ExporterGarbled, ExporterHangs, BMCSlow}
}

// Fault is one planned fault, or with Every a kind that strikes now and then.
type Fault struct {
	Kind FaultKind
	Node string // empty: any, by the seed
	GPU  int    // with a node, for the kinds that strike a GPU
	// From and To bound it in site time; zero: always. A GPU's fault strikes once, at From.
	From, To time.Time
	// Every makes it strike again and again, so far apart on the average, for Lasts each time.
	Every, Lasts time.Duration
}

// stroke is one occurrence of a fault on a node.
type stroke struct {
	kind     FaultKind
	node     *node
	gpu      int
	from, to time.Time
}

// faults plans and acts out the strokes of a cluster.
type faults struct {
	dice   *fault.Dice
	again  []recurring
	coming []stroke // of GPUs, by time
	spans  []stroke // of exporters and controllers
}

type recurring struct {
	f    Fault
	next time.Time
}

func (c *Cluster) planFaults(seed uint64, all []Fault, start time.Time) error {
	c.faults.dice = fault.NewDice(fault.Hash(seed, "faults of "+c.id))
	for _, f := range all {
		if !slices.Contains(FaultKinds(), f.Kind) {
			return fmt.Errorf("fault kind %q: there are %v", f.Kind, FaultKinds())
		}
		if f.Node != "" && (c.byName[f.Node] == nil || f.GPU < 0 || f.GPU >= len(c.byName[f.Node].gpus)) {
			return fmt.Errorf("fault %s: there is no GPU %d of a node %q", f.Kind, f.GPU, f.Node)
		}
		if f.From.IsZero() {
			f.From = start
		}
		if f.Every > 0 {
			c.faults.again = append(c.faults.again, recurring{f, f.From.Add(c.pause(f.Every))})
			continue
		}
		c.strike(f, f.From, f.To)
	}
	return nil
}

// pause throws how long it is until a fault strikes again.
func (c *Cluster) pause(mean time.Duration) time.Duration {
	return time.Duration(float64(mean) * (0.3 + 1.4*c.faults.dice.Float()))
}

func (c *Cluster) strike(f Fault, from, to time.Time) {
	s := stroke{kind: f.Kind, node: c.byName[f.Node], gpu: f.GPU, from: from, to: to}
	if s.node == nil {
		s.node = c.nodes[c.faults.dice.Below(len(c.nodes))]
		s.gpu = c.faults.dice.Below(len(s.node.gpus))
	}
	if f.Kind == OffTheBus || f.Kind == CounterReset {
		c.faults.coming = append(c.faults.coming, s)
		return
	}
	c.faults.spans = append(c.faults.spans, s)
}

// stepFaults acts out what is due.
func (c *Cluster) stepFaults(now time.Time) {
	f := &c.faults
	for i := range f.again {
		if r := &f.again[i]; !now.Before(r.next) && (r.f.To.IsZero() || now.Before(r.f.To)) {
			c.strike(r.f, r.next, r.next.Add(max(r.f.Lasts, time.Minute)))
			r.next = r.next.Add(max(c.pause(r.f.Every), time.Second))
		}
	}
	f.coming = slices.DeleteFunc(f.coming, func(s stroke) bool {
		if now.Before(s.from) {
			return false
		}
		if len(s.node.gpus) == 0 || s.node.state != On {
			return true // nobody home to fail
		}
		g := &s.node.gpus[s.gpu]
		if s.kind == CounterReset {
			g.energy = counter{}
			return true
		}
		g.lost, g.xid = true, 79
		if g.run != nil {
			c.endRun(g.run, now, Failed)
		}
		return true
	})
	f.spans = slices.DeleteFunc(f.spans, func(s stroke) bool { return !s.to.IsZero() && now.After(s.to) })
}

// Suffers says whether a node suffers a fault of its exporter or controller now.
func (n *Node) Suffers(k FaultKind) bool {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	for _, s := range n.c.faults.spans {
		if s.kind == k && s.node == n.node && !n.c.now.Before(s.from) {
			return true
		}
	}
	return false
}
