package sla

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"switchyard/unit"
)

// span is the time from From until before To.
type span struct{ from, to time.Time }

func (s span) length() time.Duration { return s.to.Sub(s.from) }

// clip returns the part of s that lies in w; its length is not above zero where there is none.
func (s span) clip(w span) span {
	if s.from.Before(w.from) {
		s.from = w.from
	}
	if w.to.Before(s.to) {
		s.to = w.to
	}
	return s
}

// spans are spans in order that neither touch nor overlap.
type spans []span

// union returns the time that is in any of the spans, which may overlap and come in any order.
func union(in ...span) spans {
	in = slices.DeleteFunc(slices.Clone(in), func(s span) bool { return !s.from.Before(s.to) })
	slices.SortFunc(in, func(a, b span) int { return a.from.Compare(b.from) })
	var out spans
	for _, s := range in {
		if n := len(out); n > 0 && !out[n-1].to.Before(s.from) {
			if out[n-1].to.Before(s.to) {
				out[n-1].to = s.to
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// or returns the time that is in a or in b.
func (a spans) or(b spans) spans { return union(slices.Concat(a, b)...) }

// and returns the time that is in both.
func (a spans) and(b spans) spans {
	var out spans
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if s := a[i].clip(b[j]); s.from.Before(s.to) {
			out = append(out, s)
		}
		if a[i].to.Before(b[j].to) {
			i++
		} else {
			j++
		}
	}
	return out
}

// minus returns the time that is in a and not in b.
func (a spans) minus(b spans) spans {
	var out spans
	j := 0
	for _, s := range a {
		for j < len(b) && !s.from.Before(b[j].to) {
			j++
		}
		for k := j; k < len(b) && b[k].from.Before(s.to); k++ {
			if s.from.Before(b[k].from) {
				out = append(out, span{s.from, b[k].from})
			}
			s.from = b[k].to
		}
		if s.from.Before(s.to) {
			out = append(out, s)
		}
	}
	return out
}

// first returns the earliest time of a, so much of it at the most.
func (a spans) first(d time.Duration) spans {
	var out spans
	for _, s := range a {
		if d <= 0 {
			break
		}
		if s.length() > d {
			s.to = s.from.Add(d)
		}
		d -= s.length()
		out = append(out, s)
	}
	return out
}

// length returns how much time it is.
func (a spans) length() time.Duration {
	var d time.Duration
	for _, s := range a {
		d += s.length()
	}
	return d
}

// in returns how much of w is in a.
func (a spans) in(w span) time.Duration {
	var d time.Duration
	for _, s := range a[a.search(w.from):] {
		if !s.from.Before(w.to) {
			break
		}
		d += max(s.clip(w).length(), 0)
	}
	return d
}

// search returns the first of a that ends after t.
func (a spans) search(t time.Time) int {
	i, _ := slices.BinarySearchFunc(a, t, func(s span, t time.Time) int {
		if t.Before(s.to) {
			return 1
		}
		return -1
	})
	return i
}

// level is power taken back for a while.
type level struct {
	span
	power int64 // mW
}

// during goes through the levels that lie in w, which are in order and do not overlap: the power,
// and for how long.
func during(levels []level, w span) iter.Seq2[unit.Power, time.Duration] {
	return func(yield func(unit.Power, time.Duration) bool) {
		i, _ := slices.BinarySearchFunc(levels, w.from, func(l level, t time.Time) int {
			if t.Before(l.to) {
				return 1
			}
			return -1
		})
		for _, l := range levels[i:] {
			if !l.from.Before(w.to) || !yield(unit.Power(l.power), l.clip(w).length()) {
				return
			}
		}
	}
}

// highest returns the highest of the levels at each time, in order, without overlap.
func highest(in []level) []level {
	type edge struct {
		at    time.Time
		power int64
		on    bool
	}
	var edges []edge
	for _, l := range in {
		if l.from.Before(l.to) {
			edges = append(edges, edge{l.from, l.power, true}, edge{l.to, l.power, false})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return a.at.Compare(b.at) })
	active := []int64{} // ascending
	var out []level
	for i, e := range edges {
		if i > 0 && len(active) > 0 && edges[i-1].at.Before(e.at) {
			out = append(out, level{span{edges[i-1].at, e.at}, active[len(active)-1]})
		}
		at, _ := slices.BinarySearchFunc(active, e.power, cmp.Compare[int64])
		if e.on {
			active = slices.Insert(active, at, e.power)
		} else {
			active = slices.Delete(active, at, at+1)
		}
	}
	return out
}

// within returns the highest of the levels within the spans, in order, without overlap.
func within(in []level, where spans) []level {
	var out []level
	for _, l := range highest(in) {
		for _, s := range (spans{l.span}).and(where) {
			out = append(out, level{s, l.power})
		}
	}
	return out
}
