package study

import (
	"math"
	"time"

	"switchyard/study/figure"
	"switchyard/study/input"
)

// plainProject is months of money, the month in which it begins to operate, the one after its last, and that in which its
// tenant failed, or -1.
type plainProject struct {
	month                []plainMonth
	operate, end, failed int
}

// built is what an option builds.
type built struct {
	hall                   int
	begin, ready, operates int
	mw, cost, land         float64
	ours                   bool // at this site, with its blocks
	pue                    float64
	tenant                 float64
	draw                   []float64
}

// value is an option's NPV on a path: what the hall earns before it begins, and what it builds.
func (s *plain) value(o *input.Option, hall, month int, p *plainPath, mined []plainMonth) float64 {
	switch o.Kind {
	case "host":
		l := s.f.Lease(o.With)
		b := s.convert(o, hall, month, float64(given(l.TenantCapex, 0)), p)
		return s.npv(s.until(hall, month, mined, p)) + s.npv(s.host(l, l.Exit, b, p))
	case "cloud":
		b := s.convert(o, hall, month, 0, p)
		return s.npv(s.until(hall, month, mined, p)) + s.npv(s.cloud(s.f.Cloud(o.With), b, p))
	case "sell":
		w := s.f.Sale(o.With)
		at := month + int(given(w.After, 0))
		return s.npv(s.until(hall, at, mined, p)) + s.npv(s.sell(w, hall, at, p))
	case "greenfield":
		g := s.f.Greenfield(o.With)
		l := s.f.Lease(g.Lease)
		exit := g.Exit
		if exit == nil {
			exit = l.Exit
		}
		b := &built{hall: hall, begin: month, mw: g.Critical.Is.Megawatts(), land: float64(given(g.Land, 0)) * p.capex, pue: given(g.PUE, 0), draw: s.drawn(o), tenant: float64(given(l.TenantCapex, 0))}
		b.cost = b.mw * spread(g.Capex, p.cost[hall]) * p.capex
		b.ready = month + max(0, int(math.Floor(spread(g.Build, p.delay[hall])+0.5))+p.longer)
		b.operates = b.ready
		return s.npv(s.until(hall, s.months, mined, p)) + s.npv(s.host(l, exit, b, p))
	}
	return s.npv(s.until(hall, s.months, mined, p))
}

// until is to mine until a month, in which the machines are sold.
func (s *plain) until(hall, to int, mined []plainMonth, p *plainPath) *plainProject {
	j := &plainProject{month: make([]plainMonth, s.months), end: s.months, failed: -1}
	copy(j.month, mined[:min(to, s.months)])
	if to < s.months {
		j.month[to].resale = s.sold(hall, to) * s.used(to, p)
		j.end = to + 1
	}
	return j
}

func (s *plain) drawn(o *input.Option) []float64 {
	if fin := s.f.Financing(o.Financing); fin != nil {
		return fin.Draw
	}
	return []float64{0.03, 0.06, 0.10, 0.14, 0.17, 0.17, 0.14, 0.10, 0.06, 0.03}
}

// convert is a hall's conversion.
func (s *plain) convert(o *input.Option, hall, month int, tenant float64, p *plainPath) *built {
	h, site := &s.f.Halls[hall], &s.f.Site
	b := &built{hall: hall, begin: month, mw: h.Critical.Is.Megawatts(), ours: true, tenant: tenant, draw: s.drawn(o)}
	b.cost = b.mw * spread(h.Capex, p.cost[hall]) * p.capex
	b.ready = month + max(0, int(math.Floor(spread(h.Build, p.delay[hall])+0.5))+p.longer)
	b.operates = b.ready
	if site.Status != "energised" {
		chance := float64(site.Chance.Is)
		b.operates = max(b.ready, int(site.Energised-s.f.Start))
		if p.certain && chance < 0.5 || !p.certain && p.grid >= chance {
			b.operates = max(b.ready, s.months)
		}
	}
	return b
}

// upTo is the share of a cost that is drawn when x of the time is over.
func upTo(x float64, tenths []float64) float64 {
	sum := 0.0
	for i, share := range tenths {
		sum += share * math.Min(1, math.Max(0, 10*x-float64(i)))
	}
	return sum
}

// construct is what building costs, and what the hall's blocks bring from then on.
func (s *plain) construct(b *built, p *plainPath) *plainProject {
	j := &plainProject{month: make([]plainMonth, s.months), operate: min(b.operates, s.months), end: s.months, failed: -1}
	dollar := stepped(float64(s.f.Inflation.Is), b.begin)
	n := b.ready - b.begin
	for t := b.begin; t < s.months; t++ {
		m := &j.month[t]
		switch i := float64(t - b.begin); {
		case n == 0 && i == 0:
			m.building = -b.cost * dollar
		case t < b.ready:
			m.building = -b.cost * dollar * (upTo((i+1)/float64(n), b.draw) - upTo(i/float64(n), b.draw))
		}
		if b.ours {
			m.operating, _ = s.blocks(t, b.hall, p)
		}
	}
	return j
}

// running is what a hall costs in a month with so much load drawn; back is what a tenant on a modified
// lease pays of it, and on a net lease.
func (s *plain) running(b *built, t int, draws, upkeep, property float64, p *plainPath) (cost, modified, net float64) {
	pue := b.pue
	if pue == 0 {
		pue = s.f.Site.PUE.Is
		if k := s.f.Site.PUEByMonth; len(k) == 12 {
			pue = k[s.calendar(t)]
		}
	}
	mw, price := draws*pue, s.mean(t, p)
	covered := 0.0
	if b.ours {
		_, covered = s.blocks(t, b.hall, p)
	}
	energy := s.hours(t) * (mw*price - math.Min(mw, covered)*(price-s.adder(t)))
	demand := mw * s.charges(t, 0)
	keep := (b.mw*1000*upkeep + b.cost*property/12) * stepped(float64(s.f.Inflation.Is), t)
	modified = mw*s.hours(t)*price + demand
	return energy + demand + keep, modified, modified + keep
}

// stay is when the tenant leaves, and whether because it failed. Months are of the term.
func (s *plain) stay(l *input.Lease, hall int, p *plainPath) (leaves int, failed bool) {
	fails := math.MaxInt
	if p.failsAt > 0 {
		fails = p.failsAt - 1
	} else {
		there := 1.0
		for k := 0; k < s.months && fails == math.MaxInt && len(l.Default) > 0; k++ {
			there *= math.Pow(1-float64(l.Default[min(k/12, len(l.Default)-1)]), 1.0/12)
			if p.certain && 1-there >= 0.5-1e-9 || !p.certain && 1-there > p.fails[hall] {
				fails = k
			}
		}
	}
	ends := int(l.Term.Is)
	chance := 1.0
	for _, e := range l.Extensions {
		chance *= float64(e.Chance)
		taken := p.stays[hall] < chance
		if p.certain {
			taken = chance >= 0.5
		}
		if !taken || fails < ends {
			break
		}
		ends += int(e.Term)
	}
	return min(fails, ends), fails < ends
}

// host is a lease.
func (s *plain) host(l *input.Lease, exit *figure.Figure[float64], b *built, p *plainPath) *plainProject {
	j := s.construct(b, p)
	j.month[b.begin].given = -float64(given(l.Warrants, 0))
	leaves, failed := s.stay(l, b.hall, p)
	if failed && b.operates+leaves < s.months {
		j.failed = b.operates + leaves
	}
	relet := int(l.Relet.Is)
	cycle := relet + int(l.ReletTerm.Is)
	full := b.mw * 1000 * l.Rate.Is.DollarsPerKWMonth() * p.rent
	var capex, ahead float64 // of the tenant
	for t := b.begin; t < s.months; t++ {
		m, k := &j.month[t], t-b.operates
		if k < leaves {
			paid := -b.tenant * m.building
			m.interest = -capex * float64(given(l.Interest, 0)) / 12
			capex += paid - m.interest
			m.held += paid - m.interest
		}
		if k >= 0 {
			rate := full * stepped(float64(l.Escalator.Is), k)
			pays, used := float64(l.ReletRate.Is), 1.0
			switch {
			case k < leaves && k < len(l.Ramp):
				pays, used = float64(l.Ramp[k]), float64(l.Ramp[k])
			case k < leaves:
				pays = 1
			case (k-leaves)%cycle < relet:
				pays, used = 0, 0
			case (k-leaves)%cycle == relet:
				m.building -= b.mw * float64(l.ReletCapex.Is) * stepped(float64(s.f.Inflation.Is), t) * p.capex
			}
			if k == 0 && leaves > 0 {
				ahead = float64(given(l.Prepaid, 0)) * rate
				m.held += ahead
			}
			if k < leaves {
				room := float64(l.CreditCap.Is) * rate * pays
				c := math.Min(room, capex)
				d := math.Min(room-c, ahead)
				capex, ahead = capex-c, ahead-d
				m.held -= c + d
			}
			m.operating += rate * pays * (1 - float64(l.SLA.Is))
			cost, modified, net := s.running(b, t, b.mw*used*float64(l.Load.Is), l.Upkeep.Is.DollarsPerKWMonth(), float64(l.Property.Is), p)
			m.operating -= cost
			switch {
			case used == 0:
			case l.Kind == "modified":
				m.operating += modified
			case l.Kind == "net":
				m.operating += net
			}
		}
	}
	j.month[b.begin].building -= b.land * stepped(float64(s.f.Inflation.Is), b.begin)
	s.exit(given(exit, 0), j)
	return j
}

// exit sells for a multiple of the last year.
func (s *plain) exit(multiple float64, j *plainProject) {
	if j.operate >= s.months {
		return
	}
	year := 0.0
	for _, m := range j.month[s.months-12:] {
		year += m.operating
	}
	j.month[s.months-1].sale += math.Max(0, multiple*year)
}

// cloud is GPUs of our own.
func (s *plain) cloud(c *input.Cloud, b *built, p *plainPath) *plainProject {
	j := s.construct(b, p)
	if b.operates >= s.months {
		return j
	}
	each := c.PerGPU.Is.Megawatts()
	n := math.Floor(b.mw/each + 1e-9)
	if c.GPUs > 0 {
		n = math.Min(n, float64(c.GPUs))
	}
	fall := func(t int) float64 { return grown(-float64(c.Decay.Is), t) }
	paid, ahead := 0.0, 0.0
	buy := func(t int) {
		paid = n * float64(c.Capex.Is) * fall(t) * p.capex
		j.month[t].machines -= paid
	}
	buy(max(b.begin, b.operates-1))
	life, exit := int(c.Life.Is), given(c.Exit, 0)
	for t := b.operates; t < s.months; t++ {
		m := &j.month[t]
		if age := t - b.operates; age > 0 && age%life == 0 {
			m.resale += float64(c.Salvage.Is) * paid
			if !c.Renew || exit <= 0 && float64(s.months-t) < float64(life)/2 {
				j.end = t + 1
				break
			}
			buy(t)
		}
		sales := n * float64(c.Rate.Is) * float64(c.Use.Is) * s.hours(t) * fall(t) * p.gpu[t]
		if t == b.operates {
			ahead = float64(given(c.Prepaid, 0)) * paid
			m.held = ahead
		}
		credit := math.Min(ahead, float64(c.CreditCap.Is)*sales)
		ahead -= credit
		m.held -= credit
		cost, _, _ := s.running(b, t, n*each*float64(c.Load.Is), c.Upkeep.Is.DollarsPerKWMonth(), float64(c.Property.Is), p)
		m.operating += sales*(1-float64(c.Opex.Is)) - cost
	}
	s.exit(exit, j)
	return j
}

// sell is the price of a hall, or what its blocks go on to bring.
func (s *plain) sell(w *input.Sale, hall, at int, p *plainPath) *plainProject {
	j := &plainProject{month: make([]plainMonth, s.months), operate: min(at, s.months), end: s.months, failed: -1}
	if at >= s.months {
		return j
	}
	if w.Of == "site" {
		j.month[at].sale = s.f.Halls[hall].Power.Is.Megawatts() * spread(w.Price, p.cost[hall]) * (1 - float64(w.Costs.Is))
		return j
	}
	for t := at; t < s.months; t++ {
		j.month[t].operating, _ = s.blocks(t, hall, p)
	}
	return j
}

// Shares of cost by year, per cent: IRS Publication 946, table A-1.
var plainTables = map[string][]float64{
	"macrs-5":  {20, 32, 19.2, 11.52, 11.52, 5.76},
	"macrs-15": {5, 9.5, 8.55, 7.7, 6.93, 6.23, 5.9, 5.9, 5.91, 5.9, 5.91, 5.9, 5.91, 5.9, 5.91, 2.95},
}

// npv is a project's value after tax without debt.
func (s *plain) npv(j *plainProject) float64 {
	type bought struct {
		at    int
		cost  float64
		table []float64
	}
	var plant []bought
	tax, sum := &s.f.Tax, 0.0
	held, basis := 0.0, 0.0
	brought, year, paid, losses := 0.0, 0.0, 0.0, 0.0 // losses of earlier years; of this one income, tax, losses used
	for t, m := range j.month {
		at := max(t, j.operate)
		plant = append(plant, bought{at, -m.building, plainTables[tax.Building]}, bought{at, -m.machines, plainTables[tax.Machines]})
		basis -= m.building + m.machines
		written := 0.0
		for _, b := range plant {
			if year := (t - b.at) / 12; t >= b.at && year < len(b.table) {
				written += b.cost * b.table[year] / 100 / 12
			}
		}
		basis -= written
		profit := m.operating + m.interest + m.sale + m.resale - written
		if m.sale != 0 {
			profit -= basis
			basis, plant = 0, nil
		}
		held += m.held
		if t == j.failed || t == j.end-1 || t == s.months-1 {
			profit += held
			held = 0
		}
		if (s.f.Start + figure.Month(t)).Calendar() == time.January {
			brought = brought - losses + math.Max(0, -year)
			year, paid = 0, 0
		}
		year += profit
		losses = math.Min(brought, math.Max(0, float64(tax.LossLimit.Is)*year))
		owed := float64(tax.Rate.Is) * math.Max(0, year-losses)
		due := owed - paid
		paid = owed
		if tax.Losses == "relief" {
			due = float64(tax.Rate.Is) * profit
		}
		free := m.operating + m.held + m.interest + m.building + m.machines + m.sale + m.resale + m.given - due
		sum += free / math.Pow(1+float64(s.f.Discount.Is), float64(t+1)/12)
	}
	return sum
}
