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
	byName := map[string]*sum{} // jobs that ask more of themselves go with their class
	for i := range s.blocks {
		b := &s.blocks[i]
		if b.job == nil {
			continue
		}
		t := s.terms(b.job)
		a := byName[t.Name]
		if a == nil {
			a = &sum{terms: t}
			if i := slices.IndexFunc(s.c.Terms, func(k compute.Terms) bool { return k.Name == t.Name }); i >= 0 {
				a.terms = &s.c.Terms[i]
			}
			byName[t.Name] = a
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
	for _, a := range byName {
		out = append(out, a.class(load, node))
	}
	slices.SortFunc(out, func(a, b schedule.Class) int { return cmp.Compare(a.Load, b.Load) })
	return out
}

// sum is the jobs of one class of work, added up.
type sum struct {
	terms          *compute.Terms
	count, running int
	full, capped   unit.Power
	hour           float64 // dollars earned in one by all of them
	loss           unit.Money
}

func (a *sum) class(load site.LoadID, node int) schedule.Class {
	t, n := a.terms, unit.Power(a.count)
	c := schedule.Class{
		Load: load + "/" + site.LoadID(t.Name), Node: node, Count: a.count,
		MinRun: t.MinRun, Ramp: t.Restart, Response: t.Grace(),
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
