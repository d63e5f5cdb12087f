// Package tenants owns what the running site knows of its tenants: their contracts, what each
// used of every interval, what touched its delivery, and the answers that its page and its
// people ask for.
//
// It never measures, never decides who gets power, and never lets one tenant see another's.
//
// Concurrency: all methods are safe for concurrent use. Reading and View work in memory and never
// block for long; Close, Keep and what Bills answers block on the disk and belong off the control loop.
package tenants

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"switchyard/api"
	"switchyard/app/plant"
	"switchyard/billing/contract"
	"switchyard/billing/invoice"
	"switchyard/billing/invoice/source"
	"switchyard/billing/sla"
	"switchyard/billing/usage"
	"switchyard/clock"
	"switchyard/compute"
	"switchyard/ledger"
	"switchyard/site"
	"switchyard/sitefile/cluster"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"
)

// Options are what Tenants are made from.
type Options struct {
	Plant  *plant.Plant
	DB     *store.DB
	Ledger *ledger.Ledger
	Clock  clock.Clock
	Log    *slog.Logger
	Notice string
	// Live is the newest screen; Clusters answers for the GPU clusters, Jobs gives a cluster's jobs.
	Live     func() api.LiveView
	Clusters api.Clusters
	// Curtailed are the calls that a hosted tenant is to follow now or later.
	Curtailed func(tenant string) []api.CurtailmentView
}

// Tenants are all of a site's tenants, those in hosting and those of its clusters.
type Tenants struct {
	opt       Options
	all       []tenant
	contracts map[string]*contract.Contract
	keeper    *usage.Keeper
	record    *usage.Record
	months    *source.Source
	issuer    *invoice.Issuer

	began   time.Time // the record's oldest interval, once it was looked for; of Issue alone
	looked  time.Time // machine time of the last look at promises; of Run alone
	closing sync.Mutex
	last    time.Time   // the newest interval that was attributed
	outs    []usage.Out // to be written
	// unpriced are the starts of intervals whose rows wait for a price, oldest first.
	unpriced []time.Time

	mu       sync.Mutex
	open     map[string]usage.Event // what touches whom now
	told     map[string]string      // what was logged last, by what it is about
	promises map[string]*api.SLAView
	queue    []usage.Event // to be written, bounded by maxQueue: the oldest go first
}

// tenant is one tenant as the site file names it.
type tenant struct {
	id, name string
	hosted   int // index in the plant's tenants; -1: of a cluster
	cluster  *cluster.Cluster
	of       *cluster.Tenant
}

// maxOuts bounds the intervals that wait for the disk: a month of them.
const maxOuts = 31 * 288

const checkpointKey = "tenants.checkpoint"

// Open reads the contracts, opens the record of use and takes up where the last run stopped.
func Open(ctx context.Context, o Options) (*Tenants, error) {
	t := &Tenants{opt: o, contracts: map[string]*contract.Contract{}, open: map[string]usage.Event{}, told: map[string]string{}}
	f := o.Plant.File
	for i := range f.Tenants {
		h := &f.Tenants[i]
		t.all = append(t.all, tenant{id: h.ID, name: h.Name, hosted: i})
		if err := t.load(h.ID, h.Contract); err != nil {
			return nil, err
		}
	}
	for i := range f.Clusters {
		c := &f.Clusters[i]
		for k := range c.Tenants {
			of := &c.Tenants[k]
			t.all = append(t.all, tenant{id: of.ID, name: of.Name, hosted: -1, cluster: c, of: of})
			if err := t.load(of.ID, of.Contract); err != nil {
				return nil, err
			}
		}
	}
	var err error
	if t.record, err = usage.Open(ctx, o.DB); err != nil {
		return nil, err
	}
	if t.issuer, err = invoice.Open(ctx, o.DB, o.Ledger); err != nil {
		return nil, err
	}
	if t.months, err = source.New(o.DB, f, o.Clock.Now, nil); err != nil {
		return nil, err
	}
	if err = t.openKeeper(); err != nil {
		return nil, err
	}
	if err = t.restore(ctx); err != nil {
		return nil, err
	}
	return t, t.findUnpriced(ctx)
}

func (t *Tenants) load(id, path string) error {
	if path == "" {
		return nil
	}
	c, err := contract.Load(t.opt.Plant.File.Path(path))
	if err != nil {
		return fmt.Errorf("tenant %s: %w", id, err)
	}
	if c.Tenant != id {
		return fmt.Errorf("tenant %s: the contract %s is with %q", id, path, c.Tenant)
	}
	t.contracts[id] = c.InSite(t.opt.Plant.File.Location().String())
	for _, v := range c.Versions {
		if v.SLA != nil && !sla.Measured(v.Kind) {
			t.opt.Log.Warn("a promise of availability is not measured", "tenant", id, "reason", fmt.Sprintf("from %s the contract sells GPU time: nobody measures its availability, and no credit is reckoned", v.From))
		}
	}
	return nil
}

// Right is what a tenant's contract lets the site take back at a time; nil: nothing.
func (t *Tenants) Right(id string, at time.Time) *contract.Curtail {
	c := t.contracts[id]
	if c == nil {
		return nil
	}
	terms, ok := c.At(at)
	if !ok {
		return nil
	}
	return terms.Curtail
}

const (
	// maxGap is the longest time between two readings of a counter within which its rise is
	// measured in both intervals that it falls in, as of the site's own meters.
	maxGap = 3 * time.Minute
	// lifeSigns is the longest time between two that a cluster's engine gives while it is well, machine time.
	lifeSigns = 10 * time.Second
)

// openKeeper lays the site out for the attribution.
func (t *Tenants) openKeeper() error {
	f := t.opt.Plant.File
	p := usage.Plan{Tree: t.opt.Plant.Tree}
	for _, g := range f.Groups {
		p.Groups = append(p.Groups, usage.Load{ID: g.ID, Node: g.Node})
	}
	for _, h := range f.Tenants {
		p.Tenants = append(p.Tenants, usage.Load{ID: h.ID, Node: h.Node, Firm: h.Firm})
	}
	var of []usage.KeeperCluster
	var busiest unit.Power
	for i := range f.Clusters {
		plan, keeper := layOut(&f.Clusters[i])
		// An engine gives its signs of life by the machine's clock.
		keeper.Owners.Trusted = max(2*time.Minute, time.Duration(float64(lifeSigns)*t.opt.Clock.Speed()))
		p.Clusters, of = append(p.Clusters, plan), append(of, keeper)
		for _, g := range f.Clusters[i].GPUs {
			busiest = max(busiest, g.Full)
		}
	}
	s, err := usage.NewSite(p)
	if err != nil {
		return err
	}
	t.keeper, err = usage.NewKeeper(s, usage.CounterOptions{MaxGap: maxGap, MaxGPU: max(3*unit.Kilowatt, 2*busiest)}, of...)
	return err
}

func layOut(c *cluster.Cluster) (usage.Cluster, usage.KeeperCluster) {
	plan := usage.Cluster{ID: c.ID, Node: c.Node}
	keeper := usage.KeeperCluster{ID: c.ID, Labels: map[string]string{}, Owners: usage.Owners{Tenants: map[string]string{}, Sales: map[string]usage.Sale{}, Engine: "kubernetes"}}
	if c.Slurm != nil {
		keeper.Owners.Engine = "slurm"
	}
	for _, g := range c.GPUs {
		plan.Models = append(plan.Models, compute.Model{Name: g.Model, Idle: g.Idle, Full: g.Full, Least: g.Least})
		for _, l := range g.Labels {
			keeper.Labels[l] = g.Model
		}
	}
	for _, n := range c.Nodes() {
		model := n.Model
		if g, ok := c.Model(n.Model); ok {
			model = g.Model
		}
		plan.Machines = append(plan.Machines, compute.Machine{Name: n.Name, Model: model, GPUs: n.GPUs, Idle: n.Idle, Full: n.Full, Off: n.Off})
	}
	for _, x := range c.Tenants {
		plan.Tenants = append(plan.Tenants, x.ID)
		for model, n := range x.Reserved {
			plan.Reserved = append(plan.Reserved, usage.Reservation{Tenant: x.ID, Model: model, GPUs: n})
		}
		for _, a := range x.Accounts {
			keeper.Owners.Tenants[a] = x.ID
		}
	}
	for i := range c.Classes {
		for _, q := range c.Classes[i].Queues {
			keeper.Owners.Sales[q] = usage.Sale(c.Classes[i].Sale)
		}
	}
	return plan, keeper
}

// Reading takes what a machine of a cluster said of itself.
func (t *Tenants) Reading(cluster string, r compute.Reading) { t.keeper.Reading(cluster, r) }

// View takes what a cluster's engine told.
func (t *Tenants) View(cluster string, v compute.View) { t.keeper.View(cluster, v) }

// Closed is an interval that is in the books.
type Closed struct {
	Start    time.Time
	Records  []telemetry.Interval
	Price    site.Opt[unit.Price]
	Delivery map[string]usage.Delivery
}

// Close attributes intervals that closed, oldest first, and keeps what came of them with the
// counting's checkpoint in one transaction. One that is kept already is passed over; what the
// disk did not take is tried again by the next call.
func (t *Tenants) Close(ctx context.Context, all []Closed) error {
	t.closing.Lock()
	defer t.closing.Unlock()
	for _, c := range all {
		if !c.Start.After(t.last) {
			continue
		}
		if len(t.outs) >= maxOuts { // the integrator keeps the rest until the disk takes these
			if err := t.keep(ctx); err != nil {
				return err
			}
		}
		out := t.keeper.Close(usage.Closed{Start: c.Start, Records: c.Records, Price: c.Price, Delivery: c.Delivery})
		t.outs, t.last = append(t.outs, out), c.Start
		for _, n := range out.Notes {
			t.opt.Log.Debug("attribution", "reason", n)
		}
	}
	if len(t.outs) == 0 {
		return nil
	}
	return t.keep(ctx)
}

// checkpoint is what is kept between runs.
type checkpoint struct {
	Last   time.Time       `json:"last"`
	Keeper json.RawMessage `json:"keeper"`
	Open   []usage.Event   `json:"open"`
}

// keep writes the rows and events that wait, and where the counting stands.
func (t *Tenants) keep(ctx context.Context) error {
	doc, err := t.keeper.Checkpoint()
	if err != nil {
		return err
	}
	t.mu.Lock()
	queue := slices.Clone(t.queue)
	open := slices.Collect(maps.Values(t.open))
	t.mu.Unlock()
	doc, err = json.Marshal(checkpoint{Last: t.last, Keeper: doc, Open: open})
	if err != nil {
		return err
	}
	err = t.opt.DB.Tx(ctx, func(tx *store.Tx) error {
		for _, out := range t.outs {
			if _, err := usage.PutIn(tx, out.Rows, out.Balance); err != nil {
				return err
			}
		}
		if len(queue) > 0 {
			if _, err := usage.PutEventsIn(tx, queue); err != nil {
				return err
			}
		}
		return tx.PutState(checkpointKey, doc)
	})
	if err != nil {
		return fmt.Errorf("keep what tenants used: %w", err)
	}
	t.noteUnpriced(t.outs)
	t.outs = nil
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = t.queue[len(queue):]
	return nil
}

// Keep watches what touches tenants and writes what waits. It blocks on the disk.
func (t *Tenants) Keep(ctx context.Context) error {
	t.watch(ctx, t.opt.Clock.Now())
	t.closing.Lock()
	defer t.closing.Unlock()
	return t.keep(ctx)
}

// restore takes up where the last run stopped.
func (t *Tenants) restore(ctx context.Context) error {
	doc, err := t.opt.DB.GetState(ctx, checkpointKey)
	if err != nil || doc == nil {
		return err
	}
	var c checkpoint
	if err = json.Unmarshal(doc, &c); err == nil {
		t.last = c.Last // what is kept is not attributed again, whatever became of the counting
		err = t.keeper.Restore(c.Keeper)
	}
	if err != nil {
		t.opt.Log.Warn("the counting of tenants' use begins anew", "reason", err.Error())
	}
	for _, e := range c.Open {
		t.open[key(e)] = e
	}
	return nil
}

func (t *Tenants) find(id string) (*tenant, error) {
	for i := range t.all {
		if t.all[i].id == id {
			return &t.all[i], nil
		}
	}
	return nil, fmt.Errorf("tenant %q: %w", id, api.ErrNotFound)
}

// Run keeps what is told of promises up to date, issues what is due, and writes what waits, until
// ctx ends. It blocks.
func (t *Tenants) Run(ctx context.Context) {
	for clock.Sleep(ctx, clock.System(), pace) == nil {
		if err := t.Keep(ctx); err != nil && ctx.Err() == nil {
			t.opt.Log.Error("what tenants used is not written; it is kept and tried again", "reason", err.Error())
		}
		if time.Since(t.looked) < 10*pace {
			continue
		}
		t.looked = time.Now()
		t.look(ctx)
		t.Issue(ctx)
	}
}

// pace is how often what touches tenants is looked at, machine time.
const pace = 2 * time.Second
