package venture

import (
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/world"
)

// project is what an option builds, on one path.
type project struct {
	hall                   int
	begin, built, operates int     // months; operates is never before built, and may lie beyond the study
	critical               float64 // MW
	cost                   float64 // of building, in dollars of Start; the base of property tax
	land                   float64 // in dollars of Start
	share                  float64 // of the site's fixed-price blocks
	pue                    []float64
}

// curve is the share of a cost that is drawn by each tenth of the time of building.
type curve struct {
	tenth [10]float64
	upTo  [11]float64
}

// Draw is the share of capex drawn in each tenth of the time of building under a financing; without
// one, or where it does not say, an S: slowly, fast, slowly.
func Draw(fin *input.Financing) [10]float64 {
	if fin != nil && len(fin.Draw) == 10 {
		return [10]float64(fin.Draw)
	}
	return [10]float64{0.03, 0.06, 0.10, 0.14, 0.17, 0.17, 0.14, 0.10, 0.06, 0.03} // as Load fills it in
}

func curveOf(tenth [10]float64) curve {
	c := curve{tenth: tenth}
	for i, v := range tenth {
		c.upTo[i+1] = c.upTo[i] + v
	}
	return c
}

// at is what is drawn when x of the time is over, from 0 to 1; within a tenth evenly.
func (c *curve) at(x float64) float64 {
	x = float64(x * 10)
	i := int(x)
	if i >= 10 {
		return c.upTo[10]
	}
	return c.upTo[i] + float64((x-float64(i))*c.tenth[i])
}

// month is the share that falls into month j of so many; all of it where nothing takes time.
func (c *curve) month(j, months int) float64 {
	if months < 1 {
		return 1
	}
	return c.at(float64(j+1)/float64(months)) - c.at(float64(j)/float64(months))
}

// drawn is the draw curve of an option's financing.
func (s *Site) drawn(o *input.Option) *curve {
	if c := s.draws[o.Financing]; c != nil {
		return c
	}
	return &s.usual
}

// convert is a hall's conversion begun in a month.
func (s *Site) convert(i, month int, p *world.Path) project {
	h := &s.halls[i]
	pr := project{hall: i, begin: month, critical: h.critical, share: h.share, pue: s.pue}
	takes := p.Longer
	if h.build != nil {
		takes += int(world.At(h.build, p.Delay[i]))
	}
	pr.built = month + max(takes, 0)
	if h.capex != nil {
		pr.cost = float64(h.critical * float64(world.At(h.capex, p.Cost[i])) * p.CapexFactor)
	}
	pr.operates = s.powered(pr.built, p)
	return pr
}

// powered is the first month from built on in which the site has the power: the study's end where it
// never comes. In the expected case it comes if that is at least as likely as not.
func (s *Site) powered(built int, p *world.Path) int {
	if !s.waits {
		return built
	}
	comes := p.Energised < s.chance
	if p.Fixed {
		comes = s.chance >= 0.5
	}
	if !comes {
		return max(built, s.months)
	}
	return max(built, s.comes)
}

// construct fills the marks in time, the capex by the draw curve, and the tenant's part of it.
func (s *Site) construct(pr *project, c *curve, tenant float64, v *flow.Flows) {
	v.Begin, v.Operate, v.End = pr.begin, min(pr.operates, s.months), s.months
	dollar := s.dollar[pr.begin]
	cost := pr.cost * dollar
	n := pr.built - pr.begin
	for j := range max(n, 1) {
		t := pr.begin + j
		if t >= s.months {
			break
		}
		part := float64(cost * c.month(j, n))
		v.Line[flow.Building][t] -= part
		if tenant > 0 {
			v.Line[flow.TenantPut][t] = float64(part * tenant)
		}
	}
	v.Line[flow.Building][pr.begin] -= float64(pr.land * dollar)
}

// blocks fills what the hall's part of fixed-price power brings from a month on.
func (s *Site) blocks(from int, share float64, p *world.Path, v *flow.Flows) {
	if share == 0 {
		return
	}
	for t := from; t < s.months; t++ {
		v.Line[flow.Blocks][t] = s.tariff.Blocks(t, p, share)
	}
}

// exit fills what the end of the study brings: multiple times the EBITDA of its last 12 months.
func (s *Site) exit(multiple float64, v *flow.Flows) {
	if multiple <= 0 || v.Operate >= s.months {
		return
	}
	year := 0.0
	for t := max(s.months-12, 0); t < s.months; t++ {
		year += v.EBITDA(t)
	}
	if year > 0 {
		v.Line[flow.Sale][s.months-1] += float64(multiple * year)
	}
}
