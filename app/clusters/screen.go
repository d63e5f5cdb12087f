package clusters

import (
	"time"

	"switchyard/compute/shed"
	"switchyard/site"
)

// screen is what is shown of a cluster: made by the loop, then not written.
type screen struct {
	at       time.Time
	award    site.Award
	decision shed.Decision
	effects  map[string]shed.Effect
	survey   *shed.Survey
}

func (x *one) show(now time.Time, a site.Award, d shed.Decision, effects map[string]shed.Effect) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.screen = screen{at: now, award: a, decision: d, effects: effects, survey: x.survey}
}
