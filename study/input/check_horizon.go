package input

import "switchyard/study/figure"

// checkHorizon warns of leases that the study ends before: what lies beyond its last month counts nothing, so a
// hall is let for less than its lease, and may be sold or mined on for that alone.
func (l *loader) checkHorizon() {
	f := l.f
	if len(l.faults) > 0 || l.doc.Faulty("years") || f.Years < 1 {
		return
	}
	for i := range f.Leases {
		s := &f.Leases[i]
		begins, ok := l.earliest(s.ID)
		if !ok || s.Term == nil || l.doc.Faulty(at("leases", i)+"term") {
			continue
		}
		inside := max(0, f.End()-begins)
		outside := s.Term.Is - figure.Months(inside)
		valued := s.Exit != nil && s.Exit.Is > 0
		switch {
		case outside <= 0 || valued && 2*outside <= s.Term.Is:
		case valued:
			l.warn("years", "lengthen the study, or look at what exit_multiple is worth in it",
				"the study of %d years ends long before the lease %q of %s, begun at the earliest: %s of it are worth what exit_multiple says", f.Years, s.ID, s.Term.Is, outside)
		default:
			l.warn("years", "lengthen the study, or write the lease's exit_multiple",
				"the study of %d years ends before the lease %q of %s, begun at the earliest: %s of it count nothing, which favours selling and mining on", f.Years, s.ID, s.Term.Is, outside)
		}
	}
}

// earliest is the first month in which rent of a lease can begin in the expected case; false where no option has it.
func (l *loader) earliest(lease string) (first figure.Month, ok bool) {
	take := func(from figure.Month, build *figure.Spread[figure.Months]) {
		if build == nil {
			return
		}
		if m := from + figure.Month(build.P50); !ok || m < first {
			first, ok = m, true
		}
	}
	for i := range l.f.Options {
		o := &l.f.Options[i]
		switch g := l.f.Greenfield(o.With); {
		case o.Kind == Host && o.With == lease:
			for _, id := range o.Halls {
				take(o.From, l.f.Halls[l.f.HallIndex(id)].Build)
			}
		case o.Kind == Build && g != nil && g.Lease == lease:
			take(o.From, g.Build)
		}
	}
	return first, ok
}
