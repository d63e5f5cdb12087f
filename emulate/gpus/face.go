package gpus

import (
	"errors"
	"fmt"
	"math"
	"time"

	"switchyard/unit"
)

// Node is the face of one node: what its driver, its kubelet and its controller know and take.
type Node struct {
	*node
	c *Cluster
}

// The errors of a node.
var (
	// ErrAway: the node has no operating system up, so that no driver answers.
	ErrAway = errors.New("the node is not up")
	// ErrLost: the GPU has fallen off the bus.
	ErrLost = errors.New("the GPU is lost")
	// ErrNoGPU: there is no GPU of that number.
	ErrNoGPU = errors.New("no such GPU")
)

// GPU is what the driver tells of one GPU.
type GPU struct {
	Index                int
	UUID, Bus, Serial    string
	Product              string
	Power                unit.Power
	Energy               uint64 // mJ since the driver was loaded
	Limit, Default       unit.Power
	Least, Most          unit.Power
	Use                  float64 // of the time, 0 to 1
	Temp                 float64 // deg C
	SMClock, MemoryClock float64 // MHz
	MemoryUsed, Memory   int     // MiB
	XID                  int     // the last error; 0: none
	Lost                 bool
	Owner                Owner
}

// Name returns the node's name.
func (n *Node) Name() string { return n.cfg.Name }

// Cluster returns the cluster of the node.
func (n *Node) Cluster() *Cluster { return n.c }

// Count returns how many GPUs the node was built with.
func (n *Node) Count() int { return len(n.gpus) }

// Config returns what the node was made from.
func (n *Node) Config() NodeConfig { return n.cfg }

// State returns where the node stands.
func (n *Node) State() State {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return n.state
}

// Boots returns how often the node has booted since it was made.
func (n *Node) Boots() int {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return n.boots
}

// Power returns what enters the node, at its power supplies.
func (n *Node) Power() unit.Power {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return n.draw
}

// Energy returns what entered the node since it was made.
func (n *Node) Energy() unit.Energy {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return unit.Energy(n.energy.mJ / 3600)
}

// GPUs returns what the driver tells of all GPUs, or ErrAway. A lost GPU is told with Lost and
// nothing else of it can be believed.
func (n *Node) GPUs() ([]GPU, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if n.state != On {
		return nil, fmt.Errorf("%s: %w: %s", n.cfg.Name, ErrAway, n.state)
	}
	all := make([]GPU, len(n.gpus))
	for i := range all {
		all[i] = n.tell(i)
	}
	return all, nil
}

// GPU returns what the driver tells of one GPU. The error is ErrAway, ErrNoGPU or ErrLost.
func (n *Node) GPU(i int) (GPU, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if err := n.check(i); err != nil {
		return GPU{}, err
	}
	return n.tell(i), nil
}

func (n *Node) check(i int) error {
	switch {
	case n.state != On:
		return fmt.Errorf("%s: %w: %s", n.cfg.Name, ErrAway, n.state)
	case i < 0 || i >= len(n.gpus):
		return fmt.Errorf("%s: GPU %d: %w", n.cfg.Name, i, ErrNoGPU)
	case n.gpus[i].lost:
		return fmt.Errorf("%s: GPU %d: %w", n.cfg.Name, i, ErrLost)
	}
	return nil
}

const memory = 81559 // MiB

func (n *Node) tell(i int) GPU {
	g, m := &n.gpus[i], n.model
	t := GPU{
		Index: i, UUID: g.uuid, Bus: g.bus, Serial: g.serial, Product: m.Product, Lost: g.lost, XID: g.xid, Memory: memory, Owner: g.owner,
		Default: m.Full, Least: m.Least, Most: m.Full, Limit: unit.Watts(g.limit),
	}
	if g.lost {
		return t
	}
	t.Power, t.Energy, t.Use, t.Temp = g.draw, g.energy.mJ, g.use, g.temp
	t.SMClock, t.MemoryClock = math.Round(m.clock(g.power, g.want)), 2619
	t.MemoryUsed = 4
	if g.run != nil || g.busy > 0 {
		t.MemoryUsed = memory * 8 / 10
	}
	return t
}

// SetLimit caps a GPU and returns the cap in force: whole watts, and within what the model takes.
// The error is ErrAway, ErrNoGPU or ErrLost.
func (n *Node) SetLimit(i int, p unit.Power) (unit.Power, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if err := n.check(i); err != nil {
		return 0, err
	}
	w := math.Floor(min(max(p, n.model.Least), n.model.Full).Watts())
	n.c.caps++
	n.gpus[i].limit = max(w, math.Ceil(n.model.Least.Watts()))
	return unit.Watts(n.gpus[i].limit), nil
}

// ResetDriver loads the driver again, as somebody at a shell may: work on the node dies, the
// energy counters start at zero and the caps are gone.
func (n *Node) ResetDriver() error {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if n.state != On {
		return fmt.Errorf("%s: %w: %s", n.cfg.Name, ErrAway, n.state)
	}
	n.c.drop(n.node)
	n.c.caps++
	for i := range n.gpus {
		n.gpus[i].energy, n.gpus[i].limit = counter{}, n.model.Full.Watts()
	}
	return nil
}

// PowerOn boots a node that is off; to one that is not it does nothing.
func (n *Node) PowerOn() {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	switch n.state {
	case Off:
		n.c.startBoot(n.node)
	case Dark, Stopping:
		n.again = true
	}
}

// PowerOff takes the power at once: what work was not saved is lost.
func (n *Node) PowerOff() {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.again = false
	if n.state == Dark {
		return
	}
	n.c.drop(n.node)
	n.state, n.left = Off, 0
}

// Shutdown stops the operating system in order and then takes the power.
func (n *Node) Shutdown() { n.stop(false) }

// Restart stops the operating system in order and boots again.
func (n *Node) Restart() { n.stop(true) }

// stop ends the work as a shutdown does: by SIGTERM, and hard when the time is over.
func (n *Node) stop(again bool) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.again = again
	switch n.state {
	case On:
		n.c.drop(n.node)
		n.state, n.left = Stopping, stopTime
	case Booting:
		n.state, n.left = Stopping, time.Second
	case Off:
		if again {
			n.c.startBoot(n.node)
		}
	}
}

// ForceRestart takes the power and gives it again.
func (n *Node) ForceRestart() {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if n.state == Dark {
		n.again = true
		return
	}
	n.c.drop(n.node)
	n.c.startBoot(n.node)
}

// SetBusy tells that an engine outside has put work on a GPU that keeps it busy for a share of
// its time, 0 to 1; 0: none. It is for real engines, whose jobs draw no emulated power by themselves.
func (c *Cluster) SetBusy(name string, gpu int, util float64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.byName[name]
	if n == nil || gpu < 0 || gpu >= len(n.gpus) {
		return fmt.Errorf("set GPU %d of %s busy: %w", gpu, name, ErrNoGPU)
	}
	if n.state != On {
		return fmt.Errorf("%s: %w: %s", name, ErrAway, n.state)
	}
	n.gpus[gpu].busy = min(max(util, 0), 1)
	return nil
}

// SetOwner tells whose work is on a GPU, for its exporter.
func (c *Cluster) SetOwner(name string, gpu int, o Owner) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.byName[name]; n != nil && gpu >= 0 && gpu < len(n.gpus) {
		n.gpus[gpu].owner = o
	}
}
