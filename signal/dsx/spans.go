package dsx

import (
	"slices"
	"time"

	"switchyard/unit"
)

// target is a load target of one feed for one stretch of time.
type target struct {
	from, to    time.Time // to zero: until replaced
	power       unit.Power
	correlation string
	best        bool
}

func (t target) holds(now time.Time) bool {
	return !now.Before(t.from) && (t.to.IsZero() || now.Before(t.to))
}

// lay puts a newer target over a feed's others, which do not overlap and are sorted; with
// clear it only takes away. Within a bounded interval the newer one alone holds. An open end
// gives way to those that are known to begin later, and fills the time between and after
// them: what was scheduled for tomorrow is not lost to a command for now.
func lay(old []target, n target, clear bool) []target {
	var out []target
	for _, t := range old {
		switch {
		case n.to.IsZero() && t.from.After(n.from):
			out = append(out, t)
			continue
		case !n.to.IsZero() && !t.from.Before(n.to), !t.to.IsZero() && !t.to.After(n.from):
			out = append(out, t) // apart
			continue
		}
		if t.from.Before(n.from) {
			head := t
			head.to = n.from
			out = append(out, head)
		}
		if !n.to.IsZero() && (t.to.IsZero() || t.to.After(n.to)) {
			tail := t
			tail.from = n.to
			out = append(out, tail)
		}
	}
	if !clear {
		out = append(out, fill(out, n)...)
	}
	slices.SortFunc(out, func(a, b target) int { return a.from.Compare(b.from) })
	return out
}

// fill returns the parts of n that the others, all apart from it or later than its start,
// leave free.
func fill(others []target, n target) []target {
	if !n.to.IsZero() {
		return []target{n}
	}
	var later []target
	for _, t := range others {
		if t.from.After(n.from) {
			later = append(later, t)
		}
	}
	slices.SortFunc(later, func(a, b target) int { return a.from.Compare(b.from) })
	var out []target
	at := n.from
	for _, t := range later {
		if at.Before(t.from) {
			part := n
			part.from, part.to = at, t.from
			out = append(out, part)
		}
		if at = t.to; at.IsZero() {
			return out
		}
	}
	n.from = at
	return append(out, n)
}

// prune drops what is over.
func prune(ts []target, now time.Time) []target {
	return slices.DeleteFunc(ts, func(t target) bool { return !t.to.IsZero() && !t.to.After(now) })
}
