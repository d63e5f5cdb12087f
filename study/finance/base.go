package finance

import "switchyard/study/flow"

// base is what does not depend on who pays for the project: sums of its lines, tax law's
// depreciation, and the tax that it would pay without debt. Slices are by month and may be rows of a
// Result.
type base struct {
	revenue, costs, ebitda    []float64
	cash                      []float64 // EBITDA, prepaid rent and tenant's credits: CFADS once in operation
	capex, sale, given        []float64
	released, prepaid, tenant []float64 // what lapses to income; what is owed
	written, basis, gain      []float64 // tax: depreciation (positive), what is left, sale over basis
	profit, tax, free         []float64 // tax: taxable before interest and losses; tax (positive)

	law writeOff
}

// fit makes buffers for so many months, where there are none yet.
func (b *base) fit(months int) {
	if len(b.law.delta) == months && len(b.free) == months {
		return
	}
	all := []*[]float64{
		&b.revenue, &b.costs, &b.ebitda, &b.cash, &b.capex, &b.sale, &b.given, &b.released, &b.prepaid,
		&b.tenant, &b.written, &b.basis, &b.gain, &b.profit, &b.tax, &b.free, &b.law.delta,
	}
	room := make([]float64, len(all)*months)
	for _, p := range all {
		*p, room = room[:months:months], room[months:]
	}
}

// fill computes them all.
func (b *base) fill(fl *flow.Flows, t *Terms) {
	b.sum(fl)
	var ready placed
	var prepaid, tenant float64
	b.law.reset()
	last := lastMonth(fl)
	cost := fl.Line[flow.TenantCost]
	for m := range b.ebitda {
		prepaid += fl.Line[flow.Prepaid][m]
		tenant += fl.Line[flow.TenantPut][m]
		released := 0.0
		if m == fl.Failed || m == last || m == fl.Months-1 {
			released, prepaid, tenant = prepaid+tenant, 0, 0
		}
		b.released[m], b.prepaid[m], b.tenant[m] = released, prepaid, tenant

		building, machines := ready.add(fl, m)
		if building != 0 {
			b.law.byYear(m, building, t.Building)
		}
		if machines != 0 {
			b.law.byYear(m, machines, t.Machines)
		}
		written := b.law.step(m, -b.capex[m])
		gain := b.sale[m]
		if fl.Line[flow.Sale][m] != 0 {
			gain -= b.law.dispose(m)
			ready = placed{}
		}
		profit := b.ebitda[m] + cost[m] + released + gain - written
		b.written[m], b.basis[m], b.gain[m], b.profit[m] = written, b.law.left, gain, profit
	}
	taxes{}.all(b.profit, b.tax, t)
	for m, tax := range b.tax {
		b.free[m] = b.cash[m] + b.capex[m] + b.sale[m] + b.given[m] - tax
	}
}

// sum adds up lines.
func (b *base) sum(fl *flow.Flows) {
	n := len(b.ebitda)
	mining, rent, cloud := fl.Line[flow.Mining][:n], fl.Line[flow.Rent][:n], fl.Line[flow.Cloud][:n]
	passed, programmes, blocks := fl.Line[flow.Passed][:n], fl.Line[flow.Programmes][:n], fl.Line[flow.Blocks][:n]
	fee, energy, demand := fl.Line[flow.PoolFee][:n], fl.Line[flow.Energy][:n], fl.Line[flow.Demand][:n]
	upkeep, property, service := fl.Line[flow.Upkeep][:n], fl.Line[flow.Property][:n], fl.Line[flow.Service][:n]
	fixed := fl.Line[flow.Fixed][:n]
	prepaid, tenant, interest := fl.Line[flow.Prepaid][:n], fl.Line[flow.TenantPut][:n], fl.Line[flow.TenantCost][:n]
	for m := range n {
		revenue := mining[m] + rent[m] + cloud[m] + passed[m] + programmes[m] + blocks[m]
		costs := fee[m] + energy[m] + demand[m] + upkeep[m] + property[m] + service[m] + fixed[m]
		b.revenue[m], b.costs[m], b.ebitda[m] = revenue, costs, revenue+costs
		b.cash[m] = revenue + costs + prepaid[m] + tenant[m] + interest[m]
		b.capex[m] = fl.Line[flow.Building][m] + fl.Line[flow.Machines][m]
		b.sale[m] = fl.Line[flow.Sale][m] + fl.Line[flow.Resale][m]
		b.given[m] = fl.Line[flow.Warrants][m]
	}
}

// lastMonth is the project's last month, in which all that is left is settled.
func lastMonth(fl *flow.Flows) int {
	if fl.End > 0 && fl.End < fl.Months {
		return fl.End - 1
	}
	return fl.Months - 1
}

// placed gathers capex until operation begins, when it is first written off; what is bought later
// is written off from its own month.
type placed struct{ building, machines float64 }

// add returns what begins to be written off in month m; costs are positive.
func (p *placed) add(fl *flow.Flows, m int) (building, machines float64) {
	p.building -= fl.Line[flow.Building][m]
	p.machines -= fl.Line[flow.Machines][m]
	if m < fl.Operate {
		return 0, 0
	}
	building, machines = p.building, p.machines
	p.building, p.machines = 0, 0
	return building, machines
}

// writeOff writes assets off: delta changes the amount of a month against the month before.
type writeOff struct {
	delta      []float64
	rate, left float64
}

func (w *writeOff) reset() {
	clear(w.delta)
	w.rate, w.left = 0, 0
}

// byYear writes off cost by a table of years from month m on, each year evenly over its months.
func (w *writeOff) byYear(m int, cost float64, table []float64) {
	before := 0.0
	for _, share := range table {
		if m >= len(w.delta) {
			return
		}
		now := float64(cost*share) / 12
		w.delta[m] += now - before
		before = now
		m += 12
	}
	if m < len(w.delta) {
		w.delta[m] -= before
	}
}

// straight writes off cost evenly over so many months from month m on; at least one.
func (w *writeOff) straight(m int, cost float64, months int) {
	months = max(1, months)
	each := cost / float64(months)
	w.delta[m] += each
	if m+months < len(w.delta) {
		w.delta[m+months] -= each
	}
}

// step adds what was paid for in month m, and returns what is written off in it.
func (w *writeOff) step(m int, paid float64) float64 {
	w.rate += w.delta[m]
	w.left += paid - w.rate
	return w.rate
}

// dispose writes off all that is left at once, and returns it.
func (w *writeOff) dispose(m int) float64 {
	left := w.left
	clear(w.delta[m+1:])
	w.rate, w.left = 0, 0
	return left
}

// Scratch holds what Value reuses between calls; its zero value is ready. It belongs to one
// goroutine.
type Scratch struct {
	base base
	disc discount
}

// Value is the present value of Free alone at the terms' Discount, to the beginning of month 0: what
// Run says as NPV. It allocates nothing once the scratch has seen the study's months and rate.
func Value(fl *flow.Flows, t *Terms, s *Scratch) float64 {
	s.base.fit(fl.Months)
	s.base.fill(fl, t)
	return s.disc.present(t.Discount, s.base.free)
}

// Free is the row of that name by month, of what Value was last asked; the next call overwrites it.
func (s *Scratch) Free() []float64 { return s.base.free }
