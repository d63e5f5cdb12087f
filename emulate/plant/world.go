package plant

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"switchyard/emulate/fault"
	"switchyard/site"
	"switchyard/unit"
)

// longestStep is the most site time that the physics takes at once.
const longestStep = time.Second

// Config is a whole plant.
type Config struct {
	Seed    uint64
	Tree    *site.Tree
	Miners  []MinerConfig
	Tenants []TenantConfig
	// Feeds are loads whose physics are elsewhere; AddFeed hangs more.
	Feeds []FeedConfig
	// MeterFaults by the meters' device ids.
	MeterFaults map[site.DeviceID]fault.Set
	// Ramp scales the miners' times: 1 is the firmware's own, 0 means 1.
	Ramp float64
	// Location is the site's time zone; nil means UTC.
	Location *time.Location
	// Watch, if set, is told of every order that reaches a miner, by the goroutine that
	// gave it; it must not block and must not call the miner.
	Watch func(Change)
}

// World is the plant.
type World struct {
	tree    *site.Tree
	zone    *time.Location
	miners  []*Miner
	byID    map[string]*Miner
	meters  []*Meter // by node; nil where there is none
	groups  []string
	groupOf []int // of each miner
	tenants []*tenant

	mu    sync.Mutex // guards what follows
	start time.Time
	now   time.Time
	since time.Time // of the record
	own   []unit.Power
	open  []bool // breakers
	live  []bool
	tally []*tally
	loads []load // by group
	base  Record // tenants' energy at the last reset, in Loads
	feeds []*fed
}

// load sums a group since the last reset.
type load struct {
	energy integral
	work   float64
}

// New makes a plant that stands at site time start.
func New(cfg Config, start time.Time) (*World, error) {
	if cfg.Tree == nil {
		return nil, fmt.Errorf("a plant needs a tree")
	}
	n := cfg.Tree.Len()
	w := &World{
		tree: cfg.Tree, zone: cfg.Location, byID: map[string]*Miner{}, start: start, now: start, since: start,
		meters: make([]*Meter, n), own: make([]unit.Power, n), open: make([]bool, n), live: make([]bool, n),
	}
	if w.zone == nil {
		w.zone = time.UTC
	}
	if cfg.Ramp <= 0 {
		cfg.Ramp = 1
	}
	for i := range n {
		node := cfg.Tree.Node(i)
		w.tally = append(w.tally, newTally(node))
		if node.Meter != "" {
			w.meters[i] = newMeter(string(node.Meter), string(node.ID), node.Limit, cfg.Seed, cfg.MeterFaults[node.Meter])
		}
	}
	for i := range cfg.Miners {
		if err := w.addMiner(cfg, cfg.Miners[i], start); err != nil {
			return nil, err
		}
	}
	w.loads = make([]load, len(w.groups))
	for _, c := range cfg.Tenants {
		if c.Node < 0 || c.Node >= n {
			return nil, fmt.Errorf("tenant %s: there is no node %d", c.ID, c.Node)
		}
		t, err := newTenant(c, cfg.Seed, start, w.zone)
		if err != nil {
			return nil, err
		}
		w.tenants = append(w.tenants, t)
	}
	for _, c := range cfg.Feeds {
		if err := w.AddFeed(c); err != nil {
			return nil, err
		}
	}
	w.settle()
	return w, nil
}

func (w *World) addMiner(cfg Config, c MinerConfig, start time.Time) error {
	switch {
	case c.Make == nil:
		return fmt.Errorf("miner %s: it has no make", c.ID)
	case c.Node < 0 || c.Node >= w.tree.Len():
		return fmt.Errorf("miner %s: there is no node %d", c.ID, c.Node)
	case w.byID[c.ID] != nil:
		return fmt.Errorf("miner %s stands twice", c.ID)
	}
	if c.User == "" {
		c.User = c.Make.User
	}
	if c.Password == "" {
		c.Password = c.Make.Password
	}
	m := &Miner{cfg: c, now: start, watch: cfg.Watch, who: identity(&c, cfg.Seed), dice: fault.NewDice(fault.Hash(cfg.Seed, "dice "+c.ID))}
	sensor := chance(fault.Hash(cfg.Seed, "sensor "+c.ID))
	m.bias = sensor.signed()
	m.told = orders{percent: 100}
	if c.Asleep {
		m.told.mode = site.ModeSleep
	}
	m.obey = m.told
	m.body = newBody(&m.cfg, cfg.Seed, cfg.Ramp, start)
	w.byID[c.ID] = m
	w.miners = append(w.miners, m)
	g := slices.Index(w.groups, c.Group)
	if g < 0 {
		g = len(w.groups)
		w.groups = append(w.groups, c.Group)
	}
	w.groupOf = append(w.groupOf, g)
	return nil
}

// settle gives the nodes and meters the power of the start.
func (w *World) settle() {
	for _, m := range w.miners {
		w.own[m.cfg.Node] += m.body.draw
	}
	for _, t := range w.tenants {
		w.own[t.cfg.Node] += t.draw
	}
	for i := range w.live {
		w.live[i] = true
	}
	w.stepFeeds(0)
	w.sum(w.now, 0)
}

// Step advances the plant to site time now, in steps of at most a second. A time that is
// not after the last one changes nothing.
func (w *World) Step(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.now.Before(now) {
		dt := min(now.Sub(w.now), longestStep)
		w.now = w.now.Add(dt)
		w.step(dt)
	}
}

func (w *World) step(dt time.Duration) {
	clear(w.own)
	for i := range w.live {
		p := w.tree.Node(i).Parent
		w.live[i] = !w.open[i] && (p < 0 || w.live[p])
	}
	outside := ambient(w.now, w.zone)
	for i, m := range w.miners {
		p, work := m.step(w.now, dt, outside, w.live[m.cfg.Node])
		w.own[m.cfg.Node] += p
		l := &w.loads[w.groupOf[i]]
		l.energy.add(p, dt)
		l.work += work
	}
	for _, t := range w.tenants {
		w.own[t.cfg.Node] += t.step(w.now, dt, w.zone, w.live[t.cfg.Node])
	}
	w.stepFeeds(dt)
	w.sum(w.now, dt)
}

// sum adds the nodes up from the leaves: what enters a node is what it feeds plus its
// loss, which is a share of what enters.
func (w *World) sum(now time.Time, dt time.Duration) {
	for i := len(w.own) - 1; i >= 0; i-- {
		t := w.tally[i]
		out := w.own[i]
		in := out
		if t.node.Loss > 0 && t.node.Loss < 1 {
			in = out.Scale(1 / (1 - float64(t.node.Loss)))
		}
		t.observe(now, dt, in, in-out)
		if m := w.meters[i]; m != nil {
			m.measure(now, in, t.in.whole)
		}
		if t.node.Parent >= 0 {
			w.own[t.node.Parent] += in
		}
	}
}

// Now returns the site time of the last step.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Miner returns the miner called id, or nil.
func (w *World) Miner(id string) *Miner { return w.byID[id] }

// Miners returns all miners in the order of the configuration; not to be written.
func (w *World) Miners() []*Miner { return w.miners }

// Meter returns the meter of the node called id, or nil.
func (w *World) Meter(node site.NodeID) *Meter {
	if i, ok := w.tree.Index(node); ok {
		return w.meters[i]
	}
	return nil
}

// SetBreaker opens or closes the breaker in front of a node: while it is open nothing
// below it has power. It stands for a trip; nothing in the plant opens one by itself.
func (w *World) SetBreaker(node site.NodeID, open bool) error {
	i, ok := w.tree.Index(node)
	if !ok {
		return fmt.Errorf("there is no node %s", node)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[i] = open
	return nil
}

// SetRecordLimit tells the record that from at on the limit of a node is p, as the grid or
// an operator may say; a negative p brings back the node's own, which bounds any other.
// Several may be told ahead. It changes what is recorded, and nothing in the plant.
func (w *World) SetRecordLimit(node site.NodeID, p unit.Power, at time.Time) error {
	i, ok := w.tree.Index(node)
	if !ok {
		return fmt.Errorf("there is no node %s", node)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	q := append(w.tally[i].queue, limitChange{at, p})
	slices.SortStableFunc(q, func(a, b limitChange) int { return a.at.Compare(b.at) })
	w.tally[i].queue = q
	return nil
}

// ResetRecord starts the record again at the present site time.
func (w *World) ResetRecord() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = w.now
	for _, t := range w.tally {
		t.reset()
	}
	clear(w.loads)
	w.base = Record{}
	for _, t := range w.tenants {
		w.base.Loads = append(w.base.Loads, t.record())
		t.peak, t.steepest = 0, 0
	}
	for _, f := range w.feeds {
		f.base, f.peak = f.energy.whole, 0
	}
}

// Record returns what happened since the start or the last reset.
func (w *World) Record() Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := Record{From: w.since, To: w.now}
	for _, t := range w.tally {
		r.Nodes = append(r.Nodes, t.record())
	}
	for i, g := range w.groups {
		r.Loads = append(r.Loads, LoadRecord{Load: site.LoadID(g), Energy: w.loads[i].energy.whole, Work: w.loads[i].work})
	}
	for i, t := range w.tenants {
		l := t.record()
		if i < len(w.base.Loads) {
			l.Energy -= w.base.Loads[i].Energy
			l.Undelivered -= w.base.Loads[i].Undelivered
		}
		r.Loads = append(r.Loads, l)
	}
	for _, f := range w.feeds {
		r.Loads = append(r.Loads, LoadRecord{Load: site.LoadID(f.cfg.ID), Energy: f.energy.whole - f.base, Peak: f.peak})
	}
	return r
}

func (t *tenant) record() LoadRecord {
	return LoadRecord{
		Load: site.LoadID(t.cfg.ID), Energy: t.delivered.whole, Peak: t.peak, Steepest: t.steepest,
		Undelivered: t.wanted.whole - t.delivered.whole,
	}
}
