package month

import (
	"math"
	"math/rand/v2"
	"time"

	"switchyard/app/delivery"
	"switchyard/compute"
	"switchyard/emulate/gpus"
	"switchyard/site"
	"switchyard/sitefile/cluster"
	"switchyard/telemetry"
	"switchyard/unit"
)

const (
	step   = 5 * time.Second
	length = telemetry.Length
)

// world is what really happens: power, energy and jobs, with an exact account of all of it.
type world struct {
	p      plan
	now    time.Time
	rng    *rand.Rand
	gpus   *gpus.Cluster
	engine *engine
	meters map[string]*meter
	nodes  []*gpus.Node
	miner  unit.Power // what one miner draws now
	rooms  []room
	cycled bool
	demand unit.Energy // of the site in the demand charge's interval under way
	peak   unit.Power  // the month's highest
	truth  map[string]*Truth
}

// room is a colocation tenant.
type room struct {
	id, feeder string
	firm       unit.Power
	base       float64 // W
	want       unit.Power
	draw       unit.Power
	awarded    unit.Power // what the site gives it
}

// Truth is what the simulation itself counts of a tenant in the month, without any meter's steps.
type Truth struct {
	Own    unit.Energy // at its feeder
	Losses unit.Energy // what that loses on the way from the revenue meter
	House  unit.Energy // its part of the cooling, at the revenue meter
	exact  [3]float64  // the same in joules
}

func newWorld(p plan, k cluster.Cluster, seed uint64, start time.Time) (*world, error) {
	cfg, err := gpus.FromSite(k, seed)
	if err != nil {
		return nil, err
	}
	cfg.BootLeast, cfg.BootMost = 5*time.Minute, 9*time.Minute
	cfg.Faults = []gpus.Fault{{Kind: gpus.CounterReset, Every: 20 * time.Hour}}
	c, err := gpus.New(cfg, start)
	if err != nil {
		return nil, err
	}
	w := &world{
		p: p, now: start, gpus: c, nodes: c.Nodes(), meters: map[string]*meter{}, truth: map[string]*Truth{},
		rng: rand.New(rand.NewPCG(seed, 3)), engine: newEngine(seed, c, start), //nolint:gosec // a simulation is to be the same each time
		rooms: []room{
			{id: acme, feeder: "acme-feeder", firm: 1200 * unit.Kilowatt, base: 1.02e6},
			{id: boreal, feeder: "boreal-feeder", firm: 800 * unit.Kilowatt, base: 0.70e6},
			{id: cirrus, feeder: "cirrus-feeder", firm: 600 * unit.Kilowatt, base: 0.52e6},
		},
	}
	for i, name := range []string{"connection", "mining", "tx", "acme-feeder", "boreal-feeder", "cirrus-feeder", "gpu-hall", "cooling"} {
		w.meters[name] = &meter{node: name, mWs: int64(i+3) * 1e15} // none of them is new
	}
	for _, r := range w.rooms {
		w.truth[r.id] = &Truth{}
	}
	return w, nil
}

// step moves the world by one step.
func (w *world) step() {
	before := w.now
	w.now = w.now.Add(step)
	if !w.cycled && !w.now.Before(w.p.powerCycle) {
		w.cycled = true
		w.engine.powerCycle(2, w.now)
	}
	w.engine.step(w.now)
	hall := w.gpus.Step(w.now, true).Scale(1.06) + 2*unit.Kilowatt // power supplies of switches and fans, behind the same meter
	var rooms unit.Power
	for i := range w.rooms {
		w.draw(&w.rooms[i], before)
		rooms += w.rooms[i].draw
	}
	w.miner = 3480 * unit.Watt
	if h := w.now.In(w.p.zone).Hour(); h >= 17 && h < 20 { // dear hours
		w.miner = 30 * unit.Watt
	}
	mining := minerN*w.miner + 4*unit.Kilowatt
	cooling := (rooms + hall).Scale(0.11)
	tx := (rooms + hall + cooling + lights).Scale(1 / (1 - lossTx))
	whole := (tx + mining).Scale(1 / (1 - lossConnection))
	for name, p := range map[string]unit.Power{"connection": whole, "mining": mining, "tx": tx, "gpu-hall": hall, "cooling": cooling} {
		w.meters[name].flow(p, step)
	}
	for i := range w.rooms {
		r := &w.rooms[i]
		w.meters[r.feeder].flow(r.draw, step)
		if w.p.month.has(before) {
			w.truth[r.id].add(r.draw, cooling, rooms+hall)
		}
	}
	w.charge(before, whole)
}

// lights are what no meter tells of: the remainder. What gets lost on the way to them is borne by
// all who are metered beside them.
const lights = 3 * unit.Kilowatt

const up = 1 / (1 - lossTx) / (1 - lossConnection)

func (t *Truth) add(own, cooling, served unit.Power) {
	s := step.Seconds()
	t.exact[0] += own.Watts() * s
	t.exact[1] += own.Watts() * (up - 1) * (1 + lights.Watts()/(served+cooling).Watts()) * s
	t.exact[2] += cooling.Watts() * up * own.Watts() / served.Watts() * s
	for i, e := range []*unit.Energy{&t.Own, &t.Losses, &t.House} {
		*e = unit.Energy(math.Round(t.exact[i] / 3.6))
	}
}

// draw moves a tenant: its machines follow the day, and what happens to its feeder.
func (w *world) draw(r *room, at time.Time) {
	hour := float64(at.Sub(w.p.month.from)) / float64(time.Hour)
	want := r.base * (1 + 0.06*math.Sin(2*math.Pi*hour/24) + 0.01*(w.rng.Float64()-0.5))
	r.want = unit.Watts(want)
	r.draw, r.awarded = r.want, r.firm
	switch {
	case r.id == acme && w.p.outage.has(at):
		r.draw, r.awarded = 0, 0
	case r.id == boreal && w.p.curtailed.has(at):
		r.draw = r.want - 300*unit.Kilowatt
		r.awarded = r.draw
	case r.id == cirrus && w.p.brownout.has(at):
		r.draw = r.want.Scale(0.7)
		r.awarded = r.draw
	}
}

// charge finds the month's highest quarter of an hour, as the supplier's meter does.
func (w *world) charge(before time.Time, whole unit.Power) {
	if !w.p.month.has(before) {
		return
	}
	w.demand += whole.Over(step)
	if w.now.Equal(w.now.Truncate(15 * time.Minute)) {
		w.peak = max(w.peak, w.demand.Mean(15*time.Minute))
		w.demand = 0
	}
}

// gone says whether the readings of a meter, or of the cluster, do not come now.
func (w *world) gone(name string) bool {
	s, ok := w.p.lost[name]
	return ok && s.has(w.now)
}

// samples are what the meters show now, and once a minute what the miners say of themselves.
func (w *world) samples(miners []site.DeviceID, yield func(site.Sample)) {
	for name, m := range w.meters {
		if !w.gone(name) {
			yield(m.sample(w.now))
		}
	}
	if !w.now.Equal(w.now.Truncate(time.Minute)) {
		return
	}
	hash := 200 * unit.TeraHash
	state := site.StateHashing
	if w.miner < unit.Kilowatt {
		hash, state = 0, site.StateSleeping
	}
	for _, id := range miners {
		yield(site.Sample{Device: id, At: w.now, State: state, Power: site.Some(w.miner), Hashrate: site.Some(hash)})
	}
}

// readings are what the cluster's machines say of themselves: their controllers, and the GPUs'
// driver where it runs.
func (w *world) readings(yield func(compute.Reading)) {
	if w.gone(gpuID) {
		return
	}
	for _, n := range w.nodes {
		r := compute.Reading{Node: n.Name(), Asked: w.now, At: w.now, Power: site.Some(n.Power()), Energy: site.Some(n.Energy()), Source: "dcgm-exporter"}
		all, err := n.GPUs()
		if err == nil { // else its driver does not run now
			r.GPUs = make([]compute.GPU, 0, len(all))
			for i := range all {
				g := &all[i]
				r.GPUs = append(r.GPUs, compute.GPU{
					Index: g.Index, UUID: g.UUID, Model: g.Product, Power: site.Some(g.Power), Energy: site.Some(unit.Energy(g.Energy / 3600)),
				})
			}
		}
		yield(r)
	}
}

// view is what the cluster's engine tells; it may not answer.
func (w *world) view() compute.View {
	if w.p.unheard.has(w.now) {
		return compute.View{At: w.now, Err: "no answer"}
	}
	return w.engine.view(w.now)
}

// standing is how the tenants stand, for who watches delivery.
func (w *world) standing() []delivery.Tenant {
	out := make([]delivery.Tenant, 0, len(w.rooms))
	for i := range w.rooms {
		r := &w.rooms[i]
		t := delivery.Tenant{
			Load: site.LoadID(r.id), Given: true,
			Award: site.Award{Load: site.LoadID(r.id), Power: r.awarded, Full: r.firm},
		}
		if !w.gone(r.feeder) {
			t.Draw = site.Some(r.draw)
		}
		out = append(out, t)
	}
	return out
}

// price is what a MWh costs, by five minutes.
func price(at time.Time) unit.Price {
	h := float64(at.Unix()) / 3600
	p := 38 + 16*math.Sin(2*math.Pi*(h-9)/24) + 5*math.Sin(h*1.7)
	if at.Unix()/300%997 < 4 { // scarcity, now and then
		p += 600
	}
	return unit.DollarsPerMWh(math.Round(p*100) / 100)
}

// known is the price as far as it is known at now.
func (p plan) known(at, now time.Time) site.Opt[unit.Price] {
	if p.unpriced.has(at) && now.Before(p.pricedAt) {
		return site.Opt[unit.Price]{}
	}
	return site.Some(price(at))
}
