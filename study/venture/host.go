package venture

import (
	"switchyard/study/flow"
	"switchyard/study/world"
)

// owed is what is owed to the customer: its capex with interest, and what it paid ahead.
type owed struct{ capex, ahead float64 }

// host fills the flows of a project that is let under a lease.
func (s *Site) host(l *lease, pr *project, c *curve, p *world.Path, v *flow.Flows) {
	s.construct(pr, c, l.tenant, v)
	s.blocks(pr.begin, pr.share, p, v)
	v.Line[flow.Warrants][pr.begin] = -l.warrants
	full := pr.critical * l.rate * p.RentFactor
	who := l.let(pr.hall, p)
	if at := pr.operates + who.leaves; who.failed && at < s.months {
		v.Failed = at
	}
	var debt owed
	for t := pr.begin; t < s.months; t++ {
		k := t - pr.operates
		if k >= who.leaves {
			v.Line[flow.TenantPut][t] = 0 // who fails in the month in which it should pay does not
			break
		}
		// What the tenant paid by the end of the month before bears interest.
		interest := float64(debt.capex * l.interest)
		debt.capex += interest + v.Line[flow.TenantPut][t]
		v.Line[flow.TenantPut][t] += interest
		v.Line[flow.TenantCost][t] = -interest
		if k < 0 {
			continue
		}
		if k == 0 {
			debt.ahead = float64(l.prepaid * full)
			v.Line[flow.Prepaid][t] = debt.ahead
		}
		pays, _ := l.month(&who, k)
		debt.credit(float64(full*l.step[k/12]*pays*l.limit), t, v)
	}
	for t := pr.operates; t < s.months; t++ {
		k := t - pr.operates
		pays, holds := l.month(&who, k)
		rent := float64(full * l.step[k/12] * pays)
		v.Line[flow.Rent][t] = rent
		v.Line[flow.Service][t] = -float64(rent * l.sla)
		v.MW[t] = float64(pr.critical * holds)
		if l.refit > 0 && l.fitsOut(&who, k) {
			v.Line[flow.Building][t] -= float64(pr.critical * l.refit * s.dollar[t] * p.CapexFactor)
		}
		s.runs(&l.run, pr, pr.critical*holds, t, p, v)
		if holds > 0 {
			l.passes(t, s, p, v)
		}
	}
	s.exit(l.exit, v)
}

// credit takes from what is owed at most room, the tenant's capex first.
func (d *owed) credit(room float64, t int, v *flow.Flows) {
	a := min(room, d.capex)
	d.capex -= a
	v.Line[flow.TenantPut][t] -= a
	b := min(room-a, d.ahead)
	d.ahead -= b
	v.Line[flow.Prepaid][t] -= b
}

// runs fills what a hall costs in a month of operation in which so much critical load is in use.
func (s *Site) runs(r *running, pr *project, used float64, t int, p *world.Path, v *flow.Flows) {
	mw := used * r.load * pr.pue[t]
	v.MWh[t] = float64(mw * s.hours[t])
	v.Line[flow.Energy][t] = s.tariff.Energy(t, p, mw, pr.share)
	v.Line[flow.Demand][t] = -float64(mw * (s.tariff.Demand(t) + s.tariff.Coincident(t)))
	v.Line[flow.Upkeep][t] = -float64(pr.critical * r.upkeep * s.dollar[t])
	v.Line[flow.Property][t] = -float64(pr.cost * r.property * s.dollar[t])
}

// passes fills what the tenant pays back in a month in which it is in: energy at the price of the hour,
// whatever the landlord's fixed-price blocks cost or save.
func (l *lease) passes(t int, s *Site, p *world.Path, v *flow.Flows) {
	if !l.paysPower {
		return
	}
	back := float64(v.MWh[t]*s.tariff.Mean(t, p)) - v.Line[flow.Demand][t]
	if l.paysAll {
		back -= v.Line[flow.Upkeep][t] + v.Line[flow.Property][t]
	}
	v.Line[flow.Passed][t] = back
}
