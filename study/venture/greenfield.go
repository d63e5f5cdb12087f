package venture

import (
	"fmt"

	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/study/world"
)

// field is a site that is built from nothing, compiled.
type field struct {
	critical float64
	capex    *figure.Spread[figure.PerMW]
	build    *figure.Spread[figure.Months]
	land     float64
	lease    lease // with the greenfield's own exit value
	pue      []float64
}

func (s *Site) fieldOf(in *input.Greenfield) (*field, error) {
	l := s.leases[in.Lease]
	if l == nil || in.Critical == nil || in.Capex == nil || in.Build == nil {
		return nil, fmt.Errorf("greenfield %q has no critical load, capex, time of building, or lease %q of the study", in.ID, in.Lease)
	}
	g := &field{critical: in.Critical.Is.Megawatts(), capex: in.Capex, build: in.Build, land: float64(is(in.Land, 0)), lease: *l, pue: s.pue}
	if in.Exit != nil {
		g.lease.exit = in.Exit.Is
	}
	if in.PUE != nil {
		g.pue = make([]float64, s.months)
		for t := range g.pue {
			g.pue[t] = in.PUE.Is
		}
	}
	return g, nil
}

// begun is a greenfield begun in a month on a path: its power comes with its building, whatever the
// site waits for, and the site's fixed-price blocks are not for it.
func (g *field) begun(hall, month int, p *world.Path) project {
	built := month + max(int(world.At(g.build, p.Delay[hall]))+p.Longer, 0)
	return project{
		hall: hall, begin: month, built: built, operates: built, critical: g.critical, pue: g.pue,
		cost: float64(g.critical * float64(world.At(g.capex, p.Cost[hall])) * p.CapexFactor), land: float64(g.land * p.CapexFactor),
	}
}
