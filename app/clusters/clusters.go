// Package clusters owns the site's GPU clusters while the controller runs: which engine, agents
// and controllers each is reached by, what each offers to the market, what follows for it from
// its award, and what is told of it.
//
// It never clears, never touches firm work and never bills; compute/shed chooses and carries out.
//
// Concurrency: Offers, Awarded and the other calls of the control loop belong to its goroutine
// and never block on a network; Run and the calls of screens may go on beside it.
package clusters

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"switchyard/app/plant"
	"switchyard/clock"
	"switchyard/compute"
	"switchyard/compute/shed"
	"switchyard/dispatch"
	"switchyard/journal"
	"switchyard/limiter"
	"switchyard/market/outlook"
	"switchyard/site"
	"switchyard/sitefile/cluster"
	"switchyard/store"
	"switchyard/unit"
)

// Reach is how a cluster is reached. Caps, Power and Meter may be nil.
type Reach struct {
	Engine compute.Engine
	Caps   compute.Capper
	Power  compute.PowerSwitch
	// Meter reads a machine with its GPUs.
	Meter func(ctx context.Context, node string) (compute.Reading, error)
}

// Options are what Clusters are made from.
type Options struct {
	Plant *plant.Plant
	DB    *store.DB
	Clock clock.Clock
	Log   *slog.Logger
	Note  func(journal.Entry) // must not block
	// Reading and View are told what machines and engines say, for the record; nil: nobody is.
	// Reading may be called from many goroutines.
	Reading func(cluster string, r compute.Reading)
	View    func(cluster string, v compute.View)
	// Reach opens a cluster's engine and agents; nil: as its site file says.
	Reach func(cluster.Cluster) (Reach, error)
}

// Clusters are all of a site's clusters.
type Clusters struct {
	opt Options
	all []*one
}

// one is a cluster.
type one struct {
	def    cluster.Cluster
	c      shed.Cluster
	node   int
	yields int         // the nearest node above it below which miners could yield to its rise; -1: none
	firm   site.LoadID // its firm part's load; the flexible part's is flex
	flex   site.LoadID
	reach  Reach
	runner *shed.Runner
	gauge  *gauge

	// Of the control loop.
	gov       shed.Governor
	headroom  *dispatch.Headroom
	busy      unit.Ratio
	seen      time.Time
	learnedAt time.Time
	survey    *shed.Survey
	draw      site.Opt[unit.Power]
	margin    unit.Power // kept free for its rise
	stepped   time.Time
	stage     string
	reachable bool
	confirmed map[string]bool
	idle      map[string]time.Time // nodes without work, since when

	mu     sync.Mutex
	screen screen
	held   map[string]Hold // nodes that a person holds
}

// roomPrefix begins the load of what is kept free for a cluster's rise: the house's, not its own.
const roomPrefix site.LoadID = "house:room for "

// FirmLoad is the load under which a cluster's firm part is cleared; its flexible part's is its id.
func FirmLoad(id string) site.LoadID { return site.LoadID(id + ":firm") }

// Open opens every cluster of the site file and takes up what the last run left in force. It
// reads files and the store; networks are first asked by Run.
func Open(ctx context.Context, o Options) (*Clusters, error) {
	c := &Clusters{opt: o}
	if o.Reach == nil {
		o.Reach = c.reach
	}
	for _, def := range o.Plant.File.Clusters {
		x, err := c.open(ctx, def, o.Reach)
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", def.ID, err)
		}
		c.all = append(c.all, x)
	}
	return c, nil
}

func (c *Clusters) open(ctx context.Context, def cluster.Cluster, reach func(cluster.Cluster) (Reach, error)) (*one, error) {
	node, ok := c.opt.Plant.Tree.Index(site.NodeID(def.Node))
	if !ok {
		return nil, fmt.Errorf("no node is called %q", def.Node)
	}
	x := &one{def: def, node: node, firm: FirmLoad(def.ID), flex: site.LoadID(def.ID), busy: 1, confirmed: map[string]bool{}, idle: map[string]time.Time{}}
	for x.yields = node; x.yields >= 0 && !c.opt.Plant.Yields(x.yields); {
		x.yields = c.opt.Plant.Tree.Node(x.yields).Parent
	}
	var err error
	if x.reach, err = reach(def); err != nil {
		return nil, err
	}
	x.c = layOut(def, x.reach)
	ramp := def.Ramp
	if ramp <= 0 {
		ramp = x.c.Nameplate()
	}
	x.headroom = dispatch.NewHeadroom(x.c.Nameplate(), ramp)
	lease := 2 * time.Minute
	if def.Agents != nil && def.Agents.Lease > 0 {
		lease = def.Agents.Lease
	}
	tools := shed.Tools{Engine: x.reach.Engine, Caps: x.reach.Caps, Power: x.reach.Power, Lease: lease}
	x.runner, err = shed.Open(ctx, &x.c, tools, c.opt.DB, c.opt.Clock, c.opt.Log, func(e shed.Event) { c.event(x, e) })
	if err != nil {
		return nil, err
	}
	x.gauge = newGauge(x, c.opt.Clock)
	x.gauge.cords = cordsOf(c.opt.Plant.File, def.ID)
	if tell := c.opt.Reading; tell != nil {
		x.gauge.take = func(r compute.Reading) { tell(def.ID, r) }
	}
	return x, x.restore(ctx, c.opt.DB)
}

// layOut turns the site file's words into the cluster's.
func layOut(def cluster.Cluster, r Reach) shed.Cluster {
	out := shed.Cluster{
		ID: def.ID, Models: map[string]compute.Model{}, Caps: r.Caps != nil, Switch: r.Power != nil || def.Slurm != nil,
		Effect: def.Effect, Restore: def.Restore, Hysteresis: def.Hysteresis,
	}
	for _, g := range def.GPUs {
		m := compute.Model{Name: g.Model, Idle: g.Idle, Full: g.Full, Least: g.Least}
		for _, p := range g.Curve {
			m.Curve = append(m.Curve, compute.Point{Power: p.Power, Throughput: p.Throughput})
		}
		out.Models[g.Model] = m
	}
	for _, n := range def.Nodes() {
		model := n.Model
		if g, ok := def.Model(n.Model); ok {
			model = g.Model
		}
		out.Machines = append(out.Machines, compute.Machine{Name: n.Name, Model: model, GPUs: n.GPUs, Idle: n.Idle, Full: n.Full, Off: n.Off})
	}
	for i := range def.Classes {
		out.Terms = append(out.Terms, TermsOf(&def.Classes[i]))
	}
	return out
}

// TermsOf turns a workload class of the site file into what may be asked of its jobs.
func TermsOf(k *cluster.Class) compute.Terms {
	t := compute.Terms{
		Name: k.Name, Queues: k.Queues, Minimum: k.Minimum, Value: k.Value, Penalty: k.Penalty, Slowdown: k.Slowdown,
		Pause: k.Pause, Per: k.Per, Notice: k.Notice, Checkpoint: compute.Checkpoint{Signal: k.Signal, Takes: k.Checkpoint, Every: k.Every},
		MinRun: k.MinRun, Restart: k.Restart, RestartCost: k.RestartCost,
	}
	_ = t.Class.UnmarshalText([]byte(k.Kind)) // the site file's check has passed it
	return t
}

// Run keeps every cluster's picture and carries acts out until ctx ends. It blocks.
func (c *Clusters) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, x := range c.all {
		wg.Go(func() {
			if err := x.reach.Engine.Run(ctx); err != nil && ctx.Err() == nil {
				c.opt.Log.Error("a cluster's engine is not followed any more", "node", x.def.ID, "reason", err.Error())
			}
		})
		wg.Go(func() { x.runner.Run(ctx) })
		wg.Go(func() { x.gauge.run(ctx) })
	}
	wg.Wait()
}

// Len is the number of clusters.
func (c *Clusters) Len() int { return len(c.all) }

// At returns the i-th cluster's place in the tree and the most that it draws.
func (c *Clusters) At(i int) (id string, node int, nameplate unit.Power) {
	return c.all[i].def.ID, c.all[i].node, c.all[i].c.Nameplate()
}

// Heard says whether every engine was heard of.
func (c *Clusters) Heard() bool {
	for _, x := range c.all {
		if v := x.reach.Engine.View(); v == nil || !v.Reachable {
			return false
		}
	}
	return true
}

// Reading is what a meter says.
type Reading struct {
	Power site.Opt[unit.Power]
	At    time.Time
}

// Offers makes the clusters' offers: firm ones, and those that can bend. meters reads the node
// of a cluster, lead is how long the site takes to yield to a rise.
func (c *Clusters) Offers(now time.Time, meter func(node int) Reading, lead time.Duration) (firm, flexible []site.Offer) {
	for _, x := range c.all {
		m := meter(x.node)
		x.draw = m.Power
		view := x.reach.Engine.View()
		if m.Power.OK && m.At.After(x.seen) {
			x.headroom.Observe(m.At, m.Power.V)
			x.seen = m.At
		}
		in := shed.Input{
			At: now, View: view, Draw: m.Power, Busy: x.busy, Effects: x.runner.Effects(), Failing: x.runner.Failing(now),
			Paused: x.runner.Paused(now), Held: x.heldNow(), Rested: x.rested(now, view), Waking: x.runner.Waking(now),
		}
		x.survey = shed.Look(&x.c, in)
		if m.Power.OK {
			if m.At.After(x.learnedAt) {
				x.busy, x.learnedAt = x.survey.Busy(), m.At
			}
			if x.yields >= 0 {
				x.margin = min(x.headroom.Margin(now, lead), max(x.c.Nameplate()-m.Power.V, 0))
				flexible = append(flexible, x.survey.Room(roomPrefix+x.flex, x.yields, x.margin))
			}
		}
		a, b := x.survey.Offers(x.firm, x.flex, x.node)
		firm, flexible = append(firm, a), append(flexible, b)
		if c.opt.View != nil && view != nil {
			c.opt.View(x.def.ID, *view)
		}
		c.sight(x, now, view)
	}
	return firm, flexible
}

// restFirst is how long a node must have had no work before its power may be taken.
const restFirst = 15 * time.Minute

// rested follows which nodes have work, and returns whether one has had none for long enough.
func (x *one) rested(now time.Time, v *compute.View) func(string) bool {
	if v != nil && v.Reachable {
		for _, n := range v.Nodes {
			switch since, on := x.idle[n.Name]; {
			case n.Used > 0:
				delete(x.idle, n.Name)
			case !on || since.After(now):
				x.idle[n.Name] = now
			}
		}
	}
	return func(node string) bool {
		since, ok := x.idle[node]
		return ok && now.Sub(since) >= restFirst
	}
}

// Awarded tells each cluster what it was given. bounds are of the nodes, negative where
// there is none; yielding is what miners below a node are giving up just now: the cluster need not
// give it up in their place.
func (c *Clusters) Awarded(now time.Time, plan site.PlanID, awards map[site.LoadID]site.Award, bounds []unit.Power, yielding func(site.NodeID) unit.Power) {
	for _, x := range c.all {
		a, ok := awards[x.flex]
		if !ok || x.survey == nil {
			continue
		}
		effects := x.runner.Effects()
		allowed, short := x.gov.Allowed(&x.c, now, x.survey, a, effects, yielding(a.Reason.Node))
		d := x.survey.Decide(allowed, short)
		x.runner.Want(now, plan, shed.Reason(a, d.Stage), d.Wants)
		c.told(x, now, plan, a, d, effects)
		x.show(now, a, d, bounds[x.node])
		x.stepped = now
	}
}

// Outlook tells the planner of the hours ahead what the clusters are.
func (c *Clusters) Outlook() []outlook.Cluster {
	var out []outlook.Cluster
	for _, x := range c.all {
		if s := x.survey; s != nil {
			out = append(out, outlook.Cluster{
				Load: x.firm, Node: x.node, Draw: s.Firm, Keep: s.Firm + x.margin, Penalty: x.c.Penalty(), Classes: s.Classes(x.flex, x.node),
			})
		}
	}
	return out
}

// Load returns the load that something of a cluster belongs to, such as "gpu/tenant-a/train-7";
// empty: it is of no cluster.
func (c *Clusters) Load(device site.DeviceID) site.LoadID {
	for _, x := range c.all {
		if n := len(x.def.ID); len(device) > n && string(device[:n]) == x.def.ID && device[n] == '/' {
			return x.flex
		}
	}
	return ""
}

// Has says whether a load is a cluster's.
func (c *Clusters) Has(load site.LoadID) bool {
	return slices.ContainsFunc(c.all, func(x *one) bool { return x.firm == load || x.flex == load })
}

// Devices tells the limiter of the i-th cluster that draws so much: firm power, and what bends by
// the cluster's own acts, of which some may be on its way out. Its rise is kept room for at the
// clearing, so none is foreseen here.
func (c *Clusters) Devices(i int, draw unit.Power) []limiter.Device {
	x := c.all[i]
	firm := draw
	var falling unit.Power
	if s := x.survey; s != nil && s.Flexible > 0 {
		firm = min(draw, s.Firm)
		falling = min(max(draw-s.Firm-(s.Flexible-x.gov.Cut()), 0), draw-firm)
	}
	out := []limiter.Device{{ID: site.DeviceID(x.firm), Node: x.node, Class: site.Firm, Power: firm}}
	if draw > firm {
		out = append(out, limiter.Device{ID: site.DeviceID(x.flex), Node: x.node, Class: site.Flexible, Power: draw - firm, Falling: falling})
	}
	return out
}
