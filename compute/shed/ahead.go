package shed

import (
	"cmp"
	"slices"

	"switchyard/compute"
	"switchyard/dispatch/schedule"
	"switchyard/site"
	"switchyard/unit"
)

// Classes tells the flexible work as classes of alike jobs for the schedule of the coming hours:
// each may run in full, held by the caps that it bears, or not at all, and what a stop throws
// away is its wear. Loads are named under load: "gpu/train".
func (s *Survey) Classes(load site.LoadID, node int) []schedule.Class {
	if s.in.View == nil || !s.in.View.Reachable {
		return nil
	}
	byTerms := map[*compute.Terms]*sum{}
	for i := range s.blocks {
		b := &s.blocks[i]
		if b.job == nil {
			continue
		}
		t := s.c.terms(b.job, s.byQueue)
		a := byTerms[t]
		if a == nil {
			a = &sum{}
			byTerms[t] = a
		}
		full, capped := s.power(b.job)
		if full == 0 {
			full, capped = s.typical(b.job), s.typical(b.job)
		}
		a.count++
		a.full, a.capped = a.full+full, a.capped+capped
		a.hour += t.Value.Dollars() * float64(b.job.GPUs)
		if !b.back && b.kind != kindStart {
			a.running++
			a.loss += s.loss(b.job, t)
		}
	}
	var out []schedule.Class
	for t, a := range byTerms {
		out = append(out, a.class(t, load, node))
	}
	slices.SortFunc(out, func(a, b schedule.Class) int { return cmp.Compare(a.Load, b.Load) })
	return out
}

// sum is the jobs of one class of work, added up.
type sum struct {
	count, running int
	full, capped   unit.Power
	hour           float64 // dollars earned in one by all of them
	loss           unit.Money
}

func (a *sum) class(t *compute.Terms, load site.LoadID, node int) schedule.Class {
	n := unit.Power(a.count)
	c := schedule.Class{
		Load: load + "/" + site.LoadID(t.Name), Node: node, Count: a.count,
		MinRun: t.MinRun, Ramp: t.Restart, Response: grace(t),
		Levels: []schedule.Level{{Power: max(a.full/n, 1), Value: unit.DollarsPerMWh(a.hour / max(a.full.Megawatts(), 1e-9))}},
	}
	if a.capped < a.full && a.capped > 0 {
		c.Levels = append(c.Levels, schedule.Level{
			Power: a.capped / n, Value: unit.DollarsPerMWh(a.hour * (1 - float64(t.Slowdown)) / a.capped.Megawatts()),
		})
	}
	if a.running > 0 {
		c.Wear = a.loss / unit.Money(a.running)
		c.Now = []schedule.State{{Count: a.running, Level: 0, For: t.MinRun}}
	}
	return c
}
