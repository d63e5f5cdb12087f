package limiter

import (
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// rise is how fast a firm device's draw goes up, from its last readings.
type rise struct {
	at           time.Time
	power        unit.Power
	slope, older float64 // mW per ns, of the newest two distances; may be negative
}

// foresee adds to each metered node what its firm loads may draw more by the time that a
// shed ordered now has taken effect. The steeper of the last two slopes counts, so that one
// quiet reading in a ramp does not hide it.
func (l *Limiter) foresee(in Input, per []sums) {
	next := make(map[site.DeviceID]rise, len(l.firm))
	for i := range in.Devices {
		d := &in.Devices[i]
		if d.Class != site.Firm || d.At.IsZero() {
			continue
		}
		r, known := l.firm[d.ID]
		switch gap := d.At.Sub(r.at); {
		case !known || gap > time.Minute:
			r = rise{at: d.At, power: d.Power}
		case gap > 0:
			r = rise{at: d.At, power: d.Power, slope: float64(d.Power-r.power) / float64(gap), older: r.slope}
		}
		next[d.ID] = r
		// A slope that has grown tells of a ramp that began somewhere between two readings,
		// so it is steeper than the readings say: half of the growth is put on top.
		slope := max(r.slope+max(r.slope-max(r.older, 0), 0)/2, r.older)
		if slope <= 0 {
			continue
		}
		for n := up(in.Tree, d.Node); n >= 0; n = in.Tree.Node(n).Parent {
			if per[n].counted {
				continue // its contract is in the nameplate
			}
			more := unit.Power(slope * float64(per[n].lead))
			if d.Max > 0 {
				more = min(more, max(d.Max-d.Power, 0))
			}
			per[n].rising += more
		}
	}
	l.firm = next
}
