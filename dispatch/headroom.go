package dispatch

import (
	"encoding/json"
	"fmt"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

const (
	// A rise is learned for these spans; a horizon between two takes the longer one's.
	// Most shedding takes between ten seconds and a minute: there they lie close, because the
	// difference between two is power that mining cannot use.
	headroomSpans = 12
	// The week is kept in slices of six hours, the oldest dropped whole.
	sliceLength = 6 * time.Hour
	sliceCount  = 7*4 + 1
	// dayOfEvidence is how long a tenant is watched before its declared ramp is let go.
	dayOfEvidence = 24 * time.Hour
	// learnedFactor is put on the worst rise seen: the next may be worse.
	learnedFactor = 1.25
	// floorShare of the contract is always kept free.
	floorShare = 0.01
	// maxPoints bounds the recent readings; closer ones than a 250th of the longest span are merged.
	maxPoints = 256
)

func spanOf(k int) time.Duration {
	return [headroomSpans]time.Duration{
		5 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 25 * time.Second, 30 * time.Second,
		40 * time.Second, 50 * time.Second, 60 * time.Second, 80 * time.Second, 160 * time.Second, 320 * time.Second,
	}[k]
}

// Headroom learns how fast a tenant's draw rises, so that what it leaves of its contract can
// be used without being in its way. It keeps a bounded amount, is serialised as JSON, and
// belongs to one goroutine at a time.
type Headroom struct {
	firm, ramp unit.Power // contract; declared rise per minute
	watched    time.Duration
	points     []point // recent readings, oldest first
	slices     []slice // oldest first
}

type point struct {
	At   time.Time  `json:"at"`
	Draw unit.Power `json:"draw"`
}

// slice holds the worst rises within six hours, by span.
type slice struct {
	From  time.Time                 `json:"from"`
	Worst [headroomSpans]unit.Power `json:"worst"`
}

// NewHeadroom makes a Headroom for a tenant with its contract and its declared ramp in power
// per minute. A ramp of zero stands for all of the contract within a minute.
func NewHeadroom(firm, ramp unit.Power) *Headroom {
	h := &Headroom{}
	h.Contract(firm, ramp)
	return h
}

// Contract sets the contract and the declared ramp and keeps what was learned: for a site
// file that changed while the controller was down.
func (h *Headroom) Contract(firm, ramp unit.Power) {
	h.firm, h.ramp = max(firm, 0), ramp
	if ramp <= 0 {
		h.ramp = h.firm
	}
}

// Observe takes in one reading of the tenant's draw. Readings come in time's order; an older
// one is ignored. After a gap longer than the longest span learning starts anew, because
// nobody knows how fast it rose in between.
func (h *Headroom) Observe(at time.Time, draw unit.Power) {
	draw = max(draw, 0)
	if n := len(h.points); n > 0 {
		gap := at.Sub(h.points[n-1].At)
		switch {
		case gap <= 0:
			return
		case gap > spanOf(headroomSpans-1):
			h.points = h.points[:0]
		default:
			h.watched = min(h.watched+gap, dayOfEvidence)
		}
	}
	h.learn(at, draw)
	h.keep(at, draw)
}

// learn compares the reading with the lowest one of each span. Unless one stands exactly at
// the span's edge, the newest reading before it counts too, if it is not older than two
// spans or is the last one there is: between two readings the rise may have come at once.
func (h *Headroom) learn(at time.Time, draw unit.Power) {
	s := h.slice(at)
	low, k := draw, 0
	for i := len(h.points) - 1; i >= 0 && k < headroomSpans; i-- {
		age := at.Sub(h.points[i].At)
		for k < headroomSpans && age > spanOf(k) {
			edge := low
			last := i == len(h.points)-1
			if last || age <= 2*spanOf(k) && at.Sub(h.points[i+1].At) < spanOf(k) {
				edge = min(edge, h.points[i].Draw)
			}
			s.Worst[k] = max(s.Worst[k], draw-edge)
			k++
		}
		low = min(low, h.points[i].Draw)
	}
	for ; k < headroomSpans; k++ {
		s.Worst[k] = max(s.Worst[k], draw-low)
	}
}

// slice returns the present slice of the week and drops what is too old.
func (h *Headroom) slice(at time.Time) *slice {
	from := at.Truncate(sliceLength)
	if n := len(h.slices); n == 0 || h.slices[n-1].From.Before(from) {
		h.slices = append(h.slices, slice{From: from})
	}
	if drop := len(h.slices) - sliceCount; drop > 0 {
		h.slices = append(h.slices[:0], h.slices[drop:]...)
	}
	return &h.slices[len(h.slices)-1]
}

// keep adds the reading to the recent ones. Readings that come faster than the bound on
// them allows are merged, the lowest kept: rises are only ever taken for larger by that.
func (h *Headroom) keep(at time.Time, draw unit.Power) {
	longest := spanOf(headroomSpans - 1)
	first := 0
	for first < len(h.points) && at.Sub(h.points[first].At) > 2*longest {
		first++
	}
	if drop := max(first, len(h.points)-maxPoints+1); drop > 0 {
		h.points = append(h.points[:0], h.points[drop:]...)
	}
	if n := len(h.points); n > 1 && at.Sub(h.points[n-2].At) < longest/(maxPoints-6) {
		h.points[n-1] = point{at, min(draw, h.points[n-1].Draw)}
		return
	}
	h.points = append(h.points, point{at, draw})
}

// Reserve returns what must be kept for the tenant now: its draw and a margin for its rise
// over the horizon, which is the control's latency and the shed time of who yields. It is
// never above the contract, unless the draw is: then it is the draw. A draw that is not
// known reserves the contract.
//
// The margin is what the declared ramp allows until a day has been watched, or more if more
// was seen; from then on it is the worst rise of the last week over a span of at least the
// horizon, and a quarter more. It is never less than one per cent of the contract.
func (h *Headroom) Reserve(at time.Time, draw site.Opt[unit.Power], horizon time.Duration) unit.Power {
	if !draw.OK {
		return h.firm
	}
	d := max(draw.V, 0)
	return max(d, min(h.firm, d+h.Margin(at, horizon)))
}

// Margin returns the rise that Reserve allows for over the horizon.
func (h *Headroom) Margin(at time.Time, horizon time.Duration) unit.Power {
	horizon = max(horizon, 0)
	m := max(h.learned(at, horizon).Scale(learnedFactor), h.firm.Scale(floorShare))
	if h.watched < dayOfEvidence {
		m = max(m, h.ramp.Scale(horizon.Minutes()))
	}
	return m
}

// learned is the worst rise over the horizon in the last week.
func (h *Headroom) learned(at time.Time, horizon time.Duration) unit.Power {
	k, factor := 0, 1.0
	for k < headroomSpans-1 && spanOf(k) < horizon {
		k++
	}
	if longest := spanOf(k); horizon > longest {
		factor = float64(horizon) / float64(longest)
	}
	worst := unit.Power(0)
	for _, s := range h.slices {
		if at.Sub(s.From) < sliceCount*sliceLength {
			worst = max(worst, s.Worst[k])
		}
	}
	return worst.Scale(factor)
}

type headroomWire struct {
	Version int           `json:"version"`
	Firm    unit.Power    `json:"firm"`
	Ramp    unit.Power    `json:"ramp"`
	Watched time.Duration `json:"watched_ns"`
	Points  []point       `json:"points"`
	Slices  []slice       `json:"slices"`
}

// MarshalJSON writes what was learned.
func (h *Headroom) MarshalJSON() ([]byte, error) {
	return json.Marshal(headroomWire{Version: 1, Firm: h.firm, Ramp: h.ramp, Watched: h.watched, Points: h.points, Slices: h.slices})
}

// UnmarshalJSON takes up what was learned before a restart. Set the contract afterwards.
func (h *Headroom) UnmarshalJSON(b []byte) error {
	var w headroomWire
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("read a tenant's headroom: %w", err)
	}
	if w.Version != 1 || len(w.Points) > maxPoints || len(w.Slices) > sliceCount || w.Watched < 0 {
		return fmt.Errorf("read a tenant's headroom: version %d with %d points and %d slices is not one", w.Version, len(w.Points), len(w.Slices))
	}
	*h = Headroom{watched: min(w.Watched, dayOfEvidence), points: w.Points, slices: w.Slices}
	h.Contract(w.Firm, w.Ramp)
	return nil
}
