package venture

import (
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/mining"
	"switchyard/study/world"
)

// Plan fills what hall earns when option o of the file begins in a month on path p: before, by
// mining until then, and venture, by what the option does. Both are cleared first and must be of
// the study's length; mined is what the hall's fleet would earn by mining on for ever on the path.
//
// To mine on is all venture. A hall that is converted mines before the month, and its machines are
// sold in it. One that is sold mines until its closing. Greenfield mines on for ever before.
func (s *Site) Plan(o *input.Option, hall, month int, p *world.Path, mined []mining.Month, before, venture *flow.Flows) {
	before.Clear()
	venture.Clear()
	switch o.Kind {
	case "host":
		s.mine(hall, month, mined, p, before)
		pr := s.convert(hall, month, p)
		s.host(s.leases[o.With], &pr, s.drawn(o), p, venture)
	case "cloud":
		s.mine(hall, month, mined, p, before)
		pr := s.convert(hall, month, p)
		s.cloud(s.clouds[o.With], &pr, s.drawn(o), p, venture)
	case "sell":
		w := s.sales[o.With]
		s.mine(hall, month+w.after, mined, p, before)
		s.sell(w, hall, month+w.after, p, venture)
	case "greenfield":
		s.mine(hall, s.months, mined, p, before)
		g := s.fields[o.With]
		pr := g.begun(hall, month, p)
		s.host(&g.lease, &pr, s.drawn(o), p, venture)
	default:
		s.mine(hall, s.months, mined, p, venture)
	}
}

// mine fills mining before month to, in which the machines are sold if the study lasts that long.
func (s *Site) mine(hall, to int, mined []mining.Month, p *world.Path, v *flow.Flows) {
	to = min(to, s.months)
	fleet := s.halls[hall].fleet
	fleet.Add(0, to, mined, v)
	v.Begin, v.Operate, v.End = 0, 0, to
	if to < s.months {
		v.Line[flow.Resale][to] += fleet.Resale(to, p)
		v.End = to + 1
	}
}

// Case is what an option builds, for people.
type Case struct {
	Begin, Built, Operates int     // months; Operates is the study's end or beyond where it never does
	Critical               float64 // MW
	Capex                  float64 // of building and land, in nominal dollars
	GPUs                   float64 // how many
}

// Case tells what option o of the file builds when hall begins it in a month on path p.
func (s *Site) Case(o *input.Option, hall, month int, p *world.Path) Case {
	var pr project
	gpus := 0.0
	switch o.Kind {
	case "host":
		pr = s.convert(hall, month, p)
	case "cloud":
		pr = s.convert(hall, month, p)
		gpus = s.clouds[o.With].gpus(pr.critical)
	case "greenfield":
		pr = s.fields[o.With].begun(hall, month, p)
	case "sell":
		month += s.sales[o.With].after
		return Case{Begin: month, Built: month, Operates: month}
	default:
		return Case{}
	}
	dollar := s.dollar[pr.begin]
	return Case{Begin: pr.begin, Built: pr.built, Operates: pr.operates, Critical: pr.critical, Capex: float64((pr.cost + pr.land) * dollar), GPUs: gpus}
}
