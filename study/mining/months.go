package mining

import (
	"switchyard/study/flow"
	"switchyard/study/world"
)

// Months fills out, a month each from the study's first, with what the hall earns by mining on path p.
//
// A block of machines runs in an hour when the hour's all-in price is at or below what its MWh earns.
// Of what that gains over running in all hours, or in none if those cost more than they bring, the
// site achieves the file's capture. A block that would not earn its month's demand and peak charges
// rests the whole month and does not owe them.
func (f *Fleet) Months(p *world.Path, out []Month) {
	for t := range min(len(out), len(f.month)) {
		f.mine(t, p, &out[t])
	}
}

func (f *Fleet) mine(t int, p *world.Path, out *Month) {
	w := &f.month[t]
	s := &f.stages[w.stage]
	*out = Month{Upkeep: w.upkeep, Renewal: w.renewal, Blocks: f.tariff.Blocks(t, p, f.share)}
	if w.sold != 0 {
		out.Resale = float64(w.sold * f.used(t, p))
	}
	mean, adder, covered := f.tariff.Mean(t, p), f.tariff.Adder(t), w.covered
	running := 0.0 // MW, mean of the month
	for i := range s.blocks {
		b := &s.blocks[i]
		free := min(covered, b.mw)
		covered -= free
		worth := p.Hashprice[t] * b.worth
		share, price := f.tariff.Below(t, p, worth)
		share = float64(share * f.capture)
		paid := float64(share * price)
		if worth >= mean {
			share += 1 - f.capture
			paid += float64((1 - f.capture) * mean)
		}
		mw, cost := float64((b.mw-free)*share), float64((b.mw-free)*paid)
		if worth >= adder {
			mw += free
			cost += float64(free * adder)
		}
		cost = float64(cost * w.hours)
		revenue := float64(p.Hashprice[t] * w.days * b.hash * (mw / b.mw))
		fee, programmes, charge := float64(revenue*b.fee), float64(mw*w.programmes), float64(b.full*w.charge)
		if mw <= 0 || revenue-fee-cost+programmes-charge < 0 {
			continue
		}
		running += mw
		out.Revenue += revenue
		out.PoolFee -= fee
		out.Energy -= cost
		out.Demand -= charge
		out.Programmes += programmes
	}
	out.MWh = running * w.hours
	if s.mw > 0 {
		out.Share = running / s.mw
	}
	if p.Price[t] > 0 {
		out.BTC = out.Revenue / p.Price[t]
	}
}

// Resale is what the machines in place at the beginning of month t fetch on path p when all are sold, $; those
// that a renewal in t would bring are not bought.
func (f *Fleet) Resale(t int, p *world.Path) float64 {
	return float64(f.resale[min(t, len(f.resale)-1)] * f.used(t, p))
}

// Draw is the full draw from the grid in month t, cooling included, MW: all machines at work.
func (f *Fleet) Draw(t int) float64 { return f.at(t).full }

// Hash is the hashrate of all machines in month t as uptime leaves it, PH/s.
func (f *Fleet) Hash(t int) float64 { return f.at(t).hash }

// Breakeven is the all-in power price up to which the fleet as a whole earns its power in month t,
// after the pool's fee, $/MWh, for each $/PH/day of hashprice; zero without machines.
func (f *Fleet) Breakeven(t int) float64 {
	s := f.at(t)
	if s.mw <= 0 {
		return 0
	}
	sum := 0.0
	for i := range s.blocks {
		sum += float64(s.blocks[i].worth * s.blocks[i].mw)
	}
	return sum / s.mw
}

func (f *Fleet) at(t int) *stage { return &f.stages[f.month[t].stage] }

// Add adds months from up to and without to, as Months told them, to a project's flows.
func (f *Fleet) Add(from, to int, m []Month, into *flow.Flows) {
	for t := max(from, 0); t < min(to, len(m), into.Months); t++ {
		k := &m[t]
		into.Line[flow.Mining][t] += k.Revenue
		into.Line[flow.PoolFee][t] += k.PoolFee
		into.Line[flow.Energy][t] += k.Energy
		into.Line[flow.Demand][t] += k.Demand
		into.Line[flow.Programmes][t] += k.Programmes
		into.Line[flow.Blocks][t] += k.Blocks
		into.Line[flow.Upkeep][t] += k.Upkeep
		into.Line[flow.Machines][t] += k.Renewal
		into.Line[flow.Resale][t] += k.Resale
		into.MWh[t] += k.MWh
	}
}
