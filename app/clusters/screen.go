package clusters

import (
	"time"

	"switchyard/compute/shed"
	"switchyard/site"
	"switchyard/unit"
)

// screen is what is shown of a cluster: made by the loop, then not written.
type screen struct {
	at       time.Time
	award    site.Award
	decision shed.Decision
	survey   *shed.Survey
	draw     site.Opt[unit.Power]
	limit    site.Opt[unit.Power] // of its node, now
	penalty  unit.Price
}

func (x *one) show(now time.Time, a site.Award, d shed.Decision, limit unit.Power) {
	s := screen{at: now, award: a, decision: d, survey: x.survey, draw: x.draw, penalty: x.c.Penalty()}
	if limit >= 0 {
		s.limit = site.Some(limit)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.screen = s
}
