package usage

import (
	"cmp"
	"slices"
	"time"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

const length = telemetry.Length

// clusterShares is a cluster's energy as its machines tell it, by who used it.
type clusterShares struct {
	tenants []tenantShare // as Site.names
	house   unit.Energy   // what nobody holds
	sum     unit.Energy   // all of it
	told    unit.Energy   // of GPUs
	quality site.Quality
	silent  bool          // a machine told nothing: its part of the meter stands with the others
	up      []unit.Energy // the tenants' parts at the meter
	pools   []pool        // as the cluster's models
	used    []time.Duration
}

type tenantShare struct {
	gpu, host, idle unit.Energy
	touched, known  bool
	quality         site.Quality
	evidence        []string // GPUs
	jobs            []string
	last, lastJob   string
	more            int // GPUs and jobs that stand in neither
}

// told appends to evidence, or counts what is too much of it.
func (t *tenantShare) told(to []string, what string) []string {
	if len(to) < maxEvidence {
		return append(to, what)
	}
	t.more++
	return to
}

// pool is GPU time of a model that nobody used, and its energy.
type pool struct {
	time    time.Duration
	energy  unit.Energy
	quality site.Quality
}

var sales = [...]Sale{Reserved, OnDemand, Interruptible}

func saleIndex(s Sale) int {
	switch s {
	case Reserved:
		return 0
	case Interruptible:
		return 2
	}
	return 1
}

// attributeCluster shares a cluster's energy among those who held its GPUs.
func (w *work) attributeCluster(k int) clusterShares {
	c := &w.s.clusters[k]
	n := len(w.s.names)
	sh := clusterShares{
		tenants: make([]tenantShare, n), pools: make([]pool, len(c.models)), used: make([]time.Duration, n*len(c.models)*len(sales)),
	}
	told := make([]*MachineUse, len(c.machines))
	for i := range w.in.Clusters {
		if w.in.Clusters[i].ID != c.id {
			continue
		}
		for m := range w.in.Clusters[i].Machines {
			use := &w.in.Clusters[i].Machines[m]
			if at, ok := c.index[use.Name]; ok {
				told[at] = use
			} else {
				w.note("cluster %s: %s told of energy and the site does not have it", c.id, use.Name)
			}
		}
	}
	mw := machineWork{w: w, c: c, sh: &sh}
	for i, use := range told {
		if use == nil {
			sh.silent, sh.quality = true, worse(sh.quality, site.Estimated)
			continue
		}
		if use.Off {
			sh.house += c.machines[i].Off.Over(length)
			continue
		}
		mw.share(c.machines[i], use)
	}
	sh.reserve(c)
	sh.sum = sh.house
	for i := range sh.tenants {
		t := &sh.tenants[i]
		sh.sum += t.gpu + t.host + t.idle
	}
	w.gpuTime(c, &sh)
	if sh.sum > 0 {
		w.level("gpus:"+c.id, sh.told, sh.sum, sh.quality)
	}
	return sh
}

// machineWork shares one machine after the other; its slices are used again.
type machineWork struct {
	w       *work
	c       *cluster
	sh      *clusterShares
	gpus    []gpuWork
	holds   []hold
	ordered []GPUUse
}

type gpuWork struct {
	energy  unit.Energy
	quality site.Quality
	first   int // its holds are holds[first:last]
	last    int
	free    time.Duration
}

// hold is a Hold with its tenant's place; -1: none that the site knows.
type hold struct {
	tenant int
	Hold
}

// share shares a machine: its GPUs' energy to who held them, the rest of it by GPU time.
func (m *machineWork) share(machine compute.Machine, use *MachineUse) {
	gpus := use.GPUs
	if len(gpus) > maxGPUs {
		m.w.note("cluster %s: %s tells of %d GPUs: %d are counted", m.c.id, use.Name, len(gpus), maxGPUs)
	}
	byIndex := func(a, b GPUUse) int { return cmp.Or(cmp.Compare(a.Index, b.Index), compareText(a.Ref, b.Ref)) }
	if !slices.IsSortedFunc(gpus, byIndex) {
		m.ordered = append(m.ordered[:0], gpus...)
		slices.SortFunc(m.ordered, byIndex)
		gpus = m.ordered
	}
	gpus = gpus[:min(len(gpus), maxGPUs)]
	held, whole := m.hold(gpus)
	quality := m.measure(machine, use, gpus, held, whole)
	var gpuSum unit.Energy
	for i := range m.gpus {
		gpuSum += m.gpus[i].energy
	}
	host := use.Energy.Energy - gpuSum
	switch {
	case use.Energy.Quality == site.Missing:
		host = hostEstimate(machine, held, whole)
	case host < 0:
		// The machine's own figure rules over its GPUs' counters.
		m.scale(gpuSum, max(use.Energy.Energy, 0))
		gpuSum, host, quality = max(use.Energy.Energy, 0), 0, worse(quality, site.Estimated)
	}
	m.sh.told += gpuSum
	m.sh.quality = worse(m.sh.quality, quality)
	m.give(machine, gpus, host, whole, quality)
}

// hold lists who held each GPU, in an order of its own, and returns the time held and all time.
func (m *machineWork) hold(gpus []GPUUse) (held, whole time.Duration) {
	m.gpus, m.holds = m.gpus[:0], m.holds[:0]
	for i := range gpus {
		g := gpuWork{first: len(m.holds)}
		var sum time.Duration
		for _, h := range gpus[i].Holds {
			if h.For <= 0 {
				continue
			}
			h.For = min(h.For, length)
			at, ok := m.w.s.index[h.Tenant]
			if !ok {
				at = -1
				m.w.note("cluster %s: %s is no tenant: what its jobs used is the house's", m.c.id, orNobody(h.Tenant))
			}
			m.holds = append(m.holds, hold{at, h})
			sum += h.For
		}
		g.last, g.free = len(m.holds), max(length-sum, 0)
		mine := m.holds[g.first:g.last]
		if len(mine) > 1 {
			slices.SortFunc(mine, func(a, b hold) int {
				return cmp.Or(cmp.Compare(a.tenant, b.tenant), compareText(a.Job, b.Job), cmp.Compare(a.For, b.For), compareText(string(a.Sale), string(b.Sale)))
			})
		}
		held += sum
		whole += sum + g.free
		m.gpus = append(m.gpus, g)
	}
	return held, whole
}

func orNobody(tenant string) string {
	if tenant == "" {
		return "the owner of a job"
	}
	return tenant
}

// measure takes each GPU's energy, estimates those that are not known, and returns how good the machine's figures are.
func (m *machineWork) measure(machine compute.Machine, use *MachineUse, gpus []GPUUse, held, whole time.Duration) site.Quality {
	quality := use.Energy.Quality
	if quality == site.Missing {
		quality = site.Estimated
	}
	var known, guessed unit.Energy
	for i := range m.gpus {
		g := &m.gpus[i]
		g.energy, g.quality = max(gpus[i].Energy.Energy, 0), gpus[i].Energy.Quality
		if g.quality == site.Missing {
			busy := length - g.free
			model := m.model(machine, gpus[i].Model)
			g.energy = model.Full.Over(busy) + model.Idle.Over(g.free)
			if g.energy > 0 {
				g.quality = site.Estimated
			}
			guessed += g.energy
		} else {
			known += g.energy
		}
		quality = worse(quality, min(g.quality, site.Estimated))
	}
	if guessed > 0 && use.Energy.Quality != site.Missing {
		// What a machine measures leaves no more for those that do not tell.
		if room := max(use.Energy.Energy-known-hostEstimate(machine, held, whole), 0); room < guessed {
			m.scaleGuessed(gpus, guessed, room)
		}
	}
	return quality
}

func (m *machineWork) model(machine compute.Machine, name string) compute.Model {
	return m.c.models[m.modelIndex(machine, name)]
}

func (m *machineWork) modelIndex(machine compute.Machine, name string) int {
	if i, ok := m.c.model[name]; ok {
		return i
	}
	if i, ok := m.c.model[machine.Model]; ok {
		return i
	}
	return 0
}

func (m *machineWork) scaleGuessed(gpus []GPUUse, from, to unit.Energy) {
	var sum, done unit.Energy
	for i := range m.gpus {
		if gpus[i].Energy.Quality != site.Missing {
			continue
		}
		sum += m.gpus[i].energy
		up := part(to, sum, from)
		m.gpus[i].energy, done = up-done, up
	}
}

func (m *machineWork) scale(from, to unit.Energy) {
	var sum, done unit.Energy
	for i := range m.gpus {
		sum += m.gpus[i].energy
		up := part(to, sum, from)
		m.gpus[i].energy, done = up-done, up
		m.gpus[i].quality = worse(m.gpus[i].quality, site.Estimated)
	}
	m.w.note("cluster %s: a machine measures less than its GPUs count; they were scaled down to it", m.c.id)
}

// hostEstimate is what a machine draws without its GPUs where nobody measures it.
func hostEstimate(machine compute.Machine, held, whole time.Duration) unit.Energy {
	if whole <= 0 {
		return machine.Idle.Over(length)
	}
	busy := max(machine.Full-machine.Idle, 0).Over(length)
	return machine.Idle.Over(length) + part(busy, unit.Energy(held), unit.Energy(whole))
}

// give gives the parts of a machine away.
func (m *machineWork) give(machine compute.Machine, gpus []GPUUse, host unit.Energy, whole time.Duration, quality site.Quality) {
	sh := m.sh
	if len(m.gpus) == 0 || whole <= 0 {
		sh.house += host
		return
	}
	matters := m.matters()
	var passed time.Duration
	var given unit.Energy
	hostOf := func(d time.Duration) unit.Energy {
		passed += d
		up := part(host, unit.Energy(passed), unit.Energy(whole))
		e := up - given
		given = up
		return e
	}
	for i := range m.gpus {
		g := &m.gpus[i]
		model := m.modelIndex(machine, gpus[i].Model)
		mine := m.holds[g.first:g.last]
		var held time.Duration
		for _, h := range mine {
			held += h.For
		}
		idle := g.energy
		if held > 0 {
			idle = part(g.energy, unit.Energy(g.free), unit.Energy(held+g.free))
			if full := m.c.models[model].Idle; full > 0 {
				idle = min(idle, full.Over(g.free)) // work draws more than rest
			}
		}
		if g.free > 0 {
			p := &sh.pools[model]
			p.time += g.free
			p.energy += idle + hostOf(g.free)
			p.quality = worse(p.quality, worse(min(g.quality, site.Estimated), quality))
		}
		m.work(gpus[i], g.energy-idle, mine, held, model, hostOf, worse(g.quality, quality), matters)
	}
}

// work gives a GPU's energy at work to those who held it, by time.
func (m *machineWork) work(g GPUUse, energy unit.Energy, mine []hold, held time.Duration, model int,
	hostOf func(time.Duration) unit.Energy, quality site.Quality, matters bool,
) {
	var sum time.Duration
	var done unit.Energy
	for _, h := range mine {
		sum += h.For
		up := part(energy, unit.Energy(sum), unit.Energy(held))
		e, host := up-done, hostOf(h.For)
		done = up
		if h.tenant < 0 {
			m.sh.house += e + host
			continue
		}
		t := &m.sh.tenants[h.tenant]
		t.gpu += e
		t.host += host
		t.touched = true
		t.known = t.known || quality != site.Missing || e+host > 0
		q := quality
		if h.Assumed || h.Guessed && matters {
			q = worse(q, site.Estimated)
		}
		t.quality = worse(t.quality, q)
		m.sh.used[(h.tenant*len(m.c.models)+model)*len(sales)+saleIndex(h.Sale)] += h.For
		if g.Ref != "" && t.last != g.Ref {
			t.last, t.evidence = g.Ref, t.told(t.evidence, g.Ref)
		}
		if h.Job != "" && t.lastJob != h.Job && !slices.Contains(t.jobs, h.Job) {
			t.lastJob, t.jobs = h.Job, t.told(t.jobs, h.Job)
		}
	}
}

// reserve gives the energy of GPUs that nobody used to those for whom they are held, by their
// time not used; what is held for nobody is the house's.
func (sh *clusterShares) reserve(c *cluster) {
	for model := range sh.pools {
		p := &sh.pools[model]
		var free, sum time.Duration
		for _, r := range c.reserved {
			if r.model == model {
				free += sh.unused(c, r)
			}
		}
		of := max(free, p.time)
		var done unit.Energy
		for _, r := range c.reserved {
			unused := time.Duration(0)
			if r.model == model {
				unused = sh.unused(c, r)
			}
			if unused <= 0 {
				continue
			}
			sum += unused
			up := part(p.energy, unit.Energy(sum), unit.Energy(of))
			if up > done {
				t := &sh.tenants[r.tenant]
				t.idle += up - done
				t.touched, t.known = true, true
				t.quality = worse(t.quality, p.quality)
			}
			done = up
		}
		sh.house += p.energy - done
	}
}

// unused is reserved time in which none of the tenant's jobs had such a GPU, whatever queue they came from.
func (sh *clusterShares) unused(c *cluster, r reserved) time.Duration {
	at := (r.tenant*len(c.models) + r.model) * len(sales)
	free := time.Duration(r.gpus) * length
	for _, used := range sh.used[at : at+len(sales)] {
		free -= used
	}
	return max(free, 0)
}

// gpuTime writes the tenants' GPU time. What is reserved is held whether used or not, and is used
// first, whatever queue a job came from: by reserved work, then on demand, then interruptible.
// Time of reserved work beyond it was had on demand.
func (w *work) gpuTime(c *cluster, sh *clusterShares) {
	limits := make([]time.Duration, len(w.s.names)*len(c.models))
	for _, r := range c.reserved {
		limits[r.tenant*len(c.models)+r.model] += time.Duration(r.gpus) * length
	}
	for i := range w.s.names {
		t := &w.tenants[i]
		for m := range c.models {
			at := (i*len(c.models) + m) * len(sales)
			used, held := sh.used[at:at+len(sales)], limits[i*len(c.models)+m]
			left := held
			var beyond [len(sales)]time.Duration
			for k := range sales {
				in := min(used[k], left)
				left -= in
				beyond[k] = used[k] - in
			}
			for k, sale := range sales {
				g := GPUTime{Model: c.models[m].Name, How: sale, Used: beyond[k], Held: beyond[k]}
				switch sale {
				case Reserved:
					g.Used, g.Held = held-left, held
				case OnDemand:
					g.Used += beyond[0]
					g.Held = g.Used
				}
				if g.Used > 0 || g.Held > 0 {
					t.gpus = addTime(t.gpus, g)
				}
			}
		}
	}
}

func addTime(to []GPUTime, g GPUTime) []GPUTime {
	for i := range to {
		if to[i].Model == g.Model && to[i].How == g.How {
			to[i].Used += g.Used
			to[i].Held += g.Held
			return to
		}
	}
	return append(to, g)
}
