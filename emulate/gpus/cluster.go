package gpus

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"sync"
	"time"

	"switchyard/clock"
	"switchyard/emulate/fault"
	"switchyard/unit"
)

// longestStep is the most site time that the physics takes at once.
const longestStep = time.Second

// Cluster is an emulated cluster.
type Cluster struct {
	id     string
	seed   uint64
	steady bool
	boot   [2]time.Duration
	nodes  []*node
	byName map[string]*node

	mu     sync.Mutex // guards what follows, and all of the nodes
	now    time.Time
	draw   unit.Power
	energy counter
	runs   map[string]*run
	live   []*run // those that have GPUs, oldest first
	faults faults
	watch  func(Event)
	caps   uint64 // counts changes of caps
}

// New makes a cluster whose nodes are all awake and idle at site time start.
func New(cfg Config, start time.Time) (*Cluster, error) {
	c := &Cluster{
		id: cfg.ID, seed: cfg.Seed, steady: cfg.Steady, byName: map[string]*node{}, now: start,
		runs: map[string]*run{}, boot: [2]time.Duration{cfg.BootLeast, cfg.BootMost},
	}
	if c.boot[0] <= 0 {
		c.boot[0] = 5 * time.Minute
	}
	if c.boot[1] < c.boot[0] {
		c.boot[1] = max(15*time.Minute, c.boot[0])
	}
	if len(cfg.Nodes) == 0 {
		return nil, fmt.Errorf("cluster %s has no nodes", cfg.ID)
	}
	models := map[string]*Model{}
	for _, nc := range cfg.Nodes {
		if nc.Name == "" || c.byName[nc.Name] != nil {
			return nil, fmt.Errorf("cluster %s: node %q has no name or stands twice", cfg.ID, nc.Name)
		}
		m := models[nc.Model.Name]
		if m == nil {
			m = &nc.Model
			if err := m.complete(); err != nil {
				return nil, fmt.Errorf("cluster %s: %w", cfg.ID, err)
			}
			models[nc.Model.Name] = m
		}
		n := newNode(nc, m, cfg.Seed)
		c.byName[nc.Name] = n
		c.nodes = append(c.nodes, n)
		c.draw += n.draw
	}
	if err := c.planFaults(cfg.Seed, cfg.Faults, start); err != nil {
		return nil, fmt.Errorf("cluster %s: %w", cfg.ID, err)
	}
	return c, nil
}

// ID returns the cluster's name.
func (c *Cluster) ID() string { return c.id }

// Watch tells fn of everything that happens to jobs from now on, one at a time, while the cluster
// is locked: it must not block and must not call the cluster. A nil fn ends it.
func (c *Cluster) Watch(fn func(Event)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch = fn
}

// Step advances the cluster to site time now and returns its draw. live says whether its feeder
// has voltage. A time that is not after the last one changes nothing.
func (c *Cluster) Step(now time.Time, live bool) unit.Power {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.now.Before(now) {
		dt := min(now.Sub(c.now), longestStep)
		c.now = c.now.Add(dt)
		c.step(dt, live)
	}
	return c.draw
}

func (c *Cluster) step(dt time.Duration, live bool) {
	c.stepFaults(c.now)
	for i := 0; i < len(c.live); {
		r := c.live[i]
		if c.stepRun(r, dt); i < len(c.live) && c.live[i] == r {
			i++ // else it has ended, and the next one has its place
		}
	}
	k := 1 - math.Exp(-dt.Seconds()/followTau)
	slow := 1 - math.Exp(-dt.Seconds()/heatTau)
	var sum unit.Power
	for _, n := range c.nodes {
		sum += c.stepNode(n, dt, k, slow, live)
	}
	c.draw = sum
	c.energy.add(sum, dt)
}

// Run steps the cluster by clk until ctx ends, where no plant does. It blocks.
func (c *Cluster) Run(ctx context.Context, clk clock.Clock) {
	const least = 5 * time.Millisecond // of the machine's time
	pause := max(longestStep/4, time.Duration(float64(least)*clk.Speed()))
	for clock.Sleep(ctx, clk, pause) == nil {
		c.Step(clk.Now(), true)
	}
}

// Draw returns what the whole cluster draws, as of the last step.
func (c *Cluster) Draw() unit.Power {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draw
}

// Energy returns what the whole cluster took since it was made, by its own exact count.
func (c *Cluster) Energy() unit.Energy {
	c.mu.Lock()
	defer c.mu.Unlock()
	return unit.Energy(c.energy.mJ / 3600)
}

// Now returns the site time of the last step.
func (c *Cluster) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Node returns the node of a name, or nil.
func (c *Cluster) Node(name string) *Node {
	if n := c.byName[name]; n != nil {
		return &Node{node: n, c: c}
	}
	return nil
}

// Nodes returns all nodes in the order of the configuration.
func (c *Cluster) Nodes() []*Node {
	all := make([]*Node, len(c.nodes))
	for i, n := range c.nodes {
		all[i] = &Node{node: n, c: c}
	}
	return all
}

// counter sums power over time in whole millijoules, as NVML's does, and the rest exactly.
type counter struct {
	mJ   uint64
	rest uint64 // mW ns, below a millijoule's
}

// add adds power p (not negative) held for d (at most some minutes).
func (e *counter) add(p unit.Power, d time.Duration) {
	if p <= 0 || d <= 0 {
		return
	}
	hi, lo := bits.Mul64(uint64(p), uint64(d))
	lo, carry := bits.Add64(lo, e.rest, 0)
	q, r := bits.Div64(hi+carry, lo, uint64(time.Second))
	e.mJ += q
	e.rest = r
}

// wave is a fast source of noise that is the same for the same seed.
type wave uint64

// float returns a number from 0 up to 1.
func (w *wave) float() float64 {
	*w += 0x9e3779b97f4a7c15 // splitmix64
	x := uint64(*w)
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return float64((x^(x>>31))>>11) / (1 << 53)
}

func (w *wave) signed() float64 { return 2*w.float() - 1 }

func seedOf(seed uint64, name string) wave { return wave(fault.Hash(seed, name)) }

// Health tells visit of every node, in the order of Nodes: its state and which GPUs are lost.
// visit must not call the cluster.
func (c *Cluster) Health(visit func(i int, s State, lost []bool)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lost []bool
	for i, n := range c.nodes {
		lost = lost[:0]
		for k := range n.gpus {
			lost = append(lost, n.gpus[k].lost)
		}
		visit(i, n.state, lost)
	}
}
