package shed

import (
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Governor turns awards into what the flexible part may draw: less at once, more only after
// there was room for a while, and then slowly. The zero Governor is ready; it belongs to one
// goroutine.
type Governor struct {
	cut   unit.Power // what is kept back now
	room  time.Time  // since when less would do; zero: it would not
	at    time.Time
	until time.Time // after a start: until when what falls is on its way by the last run's acts
	short bool      // the cut began with a limit, not with the price
}

// Allowed returns what the flexible part may draw at now, of what it asks for, and whether it is
// power that is short and not the price that is high. What is falling was awarded to nobody
// else, so until its deadline the cut need not grow for it; from then on it must. others is what
// others on the same path are giving up just now: it need not be given up in their place.
func (g *Governor) Allowed(c *Cluster, now time.Time, s *Survey, award site.Award, effects map[string]Effect, others unit.Power) (unit.Power, bool) {
	wanted := max(award.Full-award.Power-max(others, 0), 0)
	if g.at.IsZero() && len(effects) > 0 { // after a restart: what is kept back came from a shortage
		g.at, g.cut, g.short = now, Saved(effects), true
		g.until = now.Add(c.Effect + longestGrace(effects)) // what was half done is done again now
	}
	if now.Before(latest(effects)) || now.Before(g.until) {
		wanted = max(wanted-s.Falling, 0)
	}
	passed := now.Sub(g.at)
	g.at = now
	switch {
	case wanted >= g.cut:
		if wanted > 0 {
			g.short = award.Reason.Code != site.ReasonPrice
		}
		g.cut, g.room = wanted, time.Time{}
	case g.room.IsZero():
		g.room = now
	case now.Sub(g.room) >= c.Hysteresis:
		g.cut = max(wanted, g.cut-c.Restore.Scale(passed.Minutes()))
	}
	g.cut = min(g.cut, s.Flexible)
	return s.Flexible - g.cut, g.short
}

// Cut is what is kept back now.
func (g *Governor) Cut() unit.Power { return g.cut }

// longestGrace is the longest time that one of the acts in force gives to jobs.
func longestGrace(effects map[string]Effect) (d time.Duration) {
	for _, e := range effects {
		if e.Undoing.IsZero() {
			d = max(d, e.Act.Grace)
		}
	}
	return d
}

// latest is the last deadline of the acts in force, for the meter to show them.
func latest(effects map[string]Effect) (t time.Time) {
	for _, e := range effects {
		if e.Undoing.IsZero() && e.Deadline.After(t) {
			t = e.Deadline
		}
	}
	return t
}

// Late returns the acts whose deadline passed within the step from before to now while the
// cluster still draws more than they should have left: nobody sees their effect.
func Late(before, now time.Time, s *Survey, effects map[string]Effect) []Effect {
	var out []Effect
	for _, e := range effects {
		if e.Done.IsZero() || !e.Undoing.IsZero() || e.Saves <= 0 || s.Falling < e.Saves/2 {
			continue
		}
		if e.Deadline.After(before) && !e.Deadline.After(now) {
			out = append(out, e)
		}
	}
	return out
}

// Busy returns the share of the way from idle to full that a GPU at work draws, by one reading
// of the cluster's meter: the survey's own, moved a little. Nothing is learned while acts are in
// force or jobs are stopping, nor where little runs.
func (s *Survey) Busy() unit.Ratio {
	busy, in := s.in.Busy, &s.in
	if !in.Draw.OK || in.View == nil || !in.View.Reachable || len(in.Effects) > 0 {
		return busy
	}
	var rest, full unit.Power
	used, all := 0, 0
	for _, n := range s.nodes {
		if n.going > 0 {
			return busy
		}
		rest += n.rest() + n.host(n.used)
		full += unit.Power(n.used) * (n.model.Full - n.model.Idle)
		used += n.used
		all += n.GPUs
	}
	if full <= 0 || used*8 < all {
		return busy
	}
	seen := unit.Ratio(float64(in.Draw.V-rest) / float64(full))
	seen = min(max(seen, 0.1), 1)
	if seen > busy {
		return busy + (seen-busy)/4 // up soon: too little counted is a limit in danger
	}
	return busy + (seen-busy)/64
}
