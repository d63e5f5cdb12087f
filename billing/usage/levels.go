package usage

import (
	"slices"
	"strconv"

	"switchyard/site"
	"switchyard/unit"
)

// lose spreads a level's loss over all who are below it, by their energy at this level, and
// returns what somebody bears. A negative one, within the tolerance, brings them down.
func (w *work) lose(i int, loss unit.Energy) unit.Energy {
	var whole unit.Energy
	for _, b := range w.below[i] {
		whole += w.bearers[b].at
	}
	if whole <= 0 {
		return 0
	}
	sign := unit.Energy(1)
	if loss < 0 {
		sign, loss = -1, min(-loss, whole)
	}
	var sum, done unit.Energy
	if loss > 0 {
		for _, k := range w.below[i] {
			b := &w.bearers[k]
			sum += b.at
			up := part(loss, sum, whole)
			b.at += sign * (up - done)
			done = up
			b.worst = worse(b.worst, w.nodes[i].quality)
		}
	}
	if loss != 0 || w.nodes[i].told && !w.s.direct[i] {
		w.level("node:"+string(w.s.tree.Node(i).ID), whole, whole+sign*loss, w.nodes[i].quality)
	}
	return sign * loss
}

func (w *work) level(name string, below, up unit.Energy, q site.Quality) {
	l := Level{Name: name, Below: below, Up: up, Factor: 1, Quality: q}
	if below > 0 {
		l.Factor = float64(up) / float64(below)
	}
	w.balance.Levels = append(w.balance.Levels, l)
}

// spreadHouse gives each tenant its part of the houses that serve it with others: by energy,
// among all that hangs below the same node. The others' part stays with the house.
func (w *work) spreadHouse() {
	for h := range w.bearers {
		house := w.bearers[h]
		if house.kind != byHouse || house.spread < 0 || house.at <= 0 {
			continue
		}
		var whole, sum, done, given unit.Energy
		served := w.below[house.spread]
		for _, k := range served {
			if b := w.bearers[k]; b.kind != byHouse || b.spread < 0 {
				whole += b.at
			}
		}
		for _, k := range served {
			b := w.bearers[k]
			if b.kind == byHouse && b.spread >= 0 {
				continue
			}
			sum += b.at
			up := part(house.at, sum, whole)
			if b.kind == byTenant && up > done {
				t := &w.tenants[b.tenant]
				t.house += up - done
				t.quality = worse(t.quality, house.worst)
				given += up - done
			}
			done = up
		}
		w.bearers[h].at -= given
		w.balance.Losses += given // no loss: out takes what this bearer has less for one
	}
}

// out sums what everybody bears. What nobody bears is the remainder.
func (w *work) out() Out {
	b := &w.balance
	for _, x := range w.bearers {
		b.Losses += x.at - x.own
		switch x.kind {
		case byTenant:
			t := &w.tenants[x.tenant]
			t.losses += x.at - x.own
			t.quality = worse(t.quality, x.worst)
			b.Tenants += x.at
			b.TenantLoad += x.own
		case byMining:
			b.Mining += x.at
			b.MiningLoad += x.own
		case byHouse:
			b.House += x.at
			b.HouseLoad += x.own
		}
	}
	out := Out{Rows: make([]Row, len(w.s.names))}
	for i, name := range w.s.names {
		t := &w.tenants[i]
		b.Tenants += t.house
		out.Rows[i] = w.row(name, t)
		if t.late {
			out.Late = append(out.Late, name)
		}
	}
	b.Remainder = b.Meter - b.Tenants - b.Mining - b.House
	out.Balance = *b
	for i := range w.s.clusters {
		out.Shares = append(out.Shares, w.clusters[i].list(w.s, i)...)
	}
	slices.Sort(w.notes)
	out.Notes = w.notes
	return out
}

const maxEvidence = 24

func (w *work) row(name string, t *tenantWork) Row {
	r := Row{
		Tenant: name, Start: w.balance.Start, Critical: t.critical, Losses: t.losses, House: t.house,
		Billed: t.critical + t.losses + t.house, Quality: t.quality, GPUs: t.gpus, Evidence: t.evidence,
	}
	if r.Quality == site.Missing && t.known {
		r.Quality = site.Estimated
	}
	if n := len(r.Evidence) + t.more; n > maxEvidence {
		keep := min(maxEvidence, len(r.Evidence))
		r.Evidence = append(r.Evidence[:keep:keep], "and "+strconv.Itoa(n-keep)+" more")
	}
	if d, ok := w.in.Delivery[name]; ok {
		r.Wanted, r.Short, r.Down, r.Reduced = d.Wanted, d.Short, d.Down, d.Reduced
		if !t.late && d.Wanted > 0 { // what was had was wanted, however often the control loop looked
			r.Wanted = max(d.Wanted, r.Critical+d.Short)
		}
	}
	switch before, ok := w.in.Before[name]; {
	case t.late || before[0] < 0 || before[1] < 0: // what a silent meter tells at once is no peak
	case ok:
		r.Peak = (before[0] + before[1] + r.Critical).Mean(3 * length)
	default:
		r.Peak = r.Critical.Mean(length)
	}
	if w.in.Price.OK {
		r.Cost = site.Some(w.in.Price.V.Cost(r.Billed))
	}
	return r
}

// matters says whether it makes a difference to anybody which of a machine's GPUs those jobs had
// of which that is guessed. It makes none where all GPUs in question, those guessed or free for a
// part of the time, were held by one tenant for all of the time, or each by the same jobs for as
// long: exchanging them changes nobody's sum.
func (m *machineWork) matters() bool {
	var first []hold
	found, full, same := false, true, true
	for i := range m.gpus {
		g := &m.gpus[i]
		mine := m.holds[g.first:g.last]
		if g.free == 0 && !slices.ContainsFunc(mine, func(h hold) bool { return h.Guessed }) {
			continue
		}
		if !found {
			first, found = mine, true
		}
		full = full && g.free == 0 && len(mine) > 0 && !slices.ContainsFunc(mine, func(h hold) bool { return h.tenant != first[0].tenant })
		same = same && slices.EqualFunc(mine, first, func(a, b hold) bool { return a.tenant == b.tenant && a.Job == b.Job && a.For == b.For })
	}
	return found && !full && !same
}
