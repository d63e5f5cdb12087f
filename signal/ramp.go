package signal

import (
	"math"
	"slices"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// begin notes that a signal is in force from at on, and where its ramp starts: from what is
// drawn there now. Where that is not known it starts from the node's own limit.
func (b *Book) begin(h *held, at time.Time) {
	if h.From.After(at) {
		return
	}
	h.Begun, h.Since = true, at
	if h.Kind == Limit && h.Ramp > 0 {
		h.Base = b.drawn(h.Node)
	}
}

// replace is begin for a signal that takes the place of an older one of its id: a ramp goes
// on from where that one stood.
func (b *Book) replace(h *held, old held, at time.Time) {
	b.begin(h, at)
	if h.Begun && old.Begun && old.Kind == Limit && old.Node == h.Node {
		h.Base = old.power(at)
	}
}

func (b *Book) drawn(n site.NodeID) unit.Power {
	if b.opt.Drawn != nil {
		if p := b.opt.Drawn(n); p.OK {
			return max(p.V, 0)
		}
	}
	return b.top(n)
}

// top is the node's own limit, or that of the nearest node above it that has one.
func (b *Book) top(id site.NodeID) unit.Power {
	i, ok := b.opt.Tree.Index(id)
	for ; ok && i >= 0; i = b.opt.Tree.Node(i).Parent {
		if l := b.opt.Tree.Node(i).Limit; l > 0 {
			return l
		}
	}
	return 0
}

// power is what the limit allows at t, on its way from Base to Power.
func (h *held) power(t time.Time) unit.Power {
	if h.Ramp <= 0 || !h.Begun {
		return h.Power
	}
	return toward(h.Base, h.Power, h.Ramp, t.Sub(h.Since))
}

// toward is where a power stands that goes from one value to another by so much a minute.
func toward(from, to, ramp unit.Power, since time.Duration) unit.Power {
	step := unit.Power(min(float64(ramp)*max(since.Minutes(), 0), math.MaxInt64/4))
	if from > to {
		return max(to, from-step)
	}
	return min(to, from+step)
}

// at is the limit as it holds at now; false once it is over. A limit that is to come down
// slowly is held back until it has begun: the site need not be below its end beforehand.
func (l stretch) at(now time.Time) (site.Limit, bool) {
	if !l.To.IsZero() && !now.Before(l.To) {
		return site.Limit{}, false
	}
	m := l.Limit
	if l.of.Ramp > 0 && l.of.Begun {
		m.Power = l.of.power(now)
	} else if l.of.Ramp > 0 && m.From.After(now) {
		m.From = m.From.Add(slowly)
		if !m.To.IsZero() && !m.From.Before(m.To) {
			return site.Limit{}, false
		}
	}
	return m, true
}

// slowly is by how much a limit with a ramp is known later than it begins: more than the site
// looks ahead when it makes ready for a limit.
const slowly = 10 * time.Minute

// tail is a limit that is over and comes up by its ramp.
type tail struct {
	ID     string      `json:"id"`
	Source string      `json:"source"`
	Node   site.NodeID `json:"node"`
	Base   unit.Power  `json:"base"`
	Ramp   unit.Power  `json:"ramp"`
	Since  time.Time   `json:"since"`
}

// mostTails bounds the limits that come up slowly; past it they are let go at once.
const mostTails = 100

// release lets a limit with a ramp come up by it.
func (b *Book) release(h held, at time.Time) {
	if h.Kind != Limit || h.Ramp <= 0 || !h.Begun || len(b.tails) >= mostTails {
		return
	}
	b.tails = append(b.tails, tail{h.ID, h.Source, h.Node, h.power(at), h.Ramp, at})
}

func (t *tail) power(now time.Time) unit.Power {
	return toward(t.Base, math.MaxInt64/4, t.Ramp, now.Sub(t.Since))
}

func (t *tail) limit(now time.Time) site.Limit {
	return site.Limit{
		ID: By(t.Source) + ":" + t.ID + ":after", Node: t.Node, Power: t.power(now), From: t.Since, By: By(t.Source), Note: "comes up by " + t.Ramp.Short() + " a minute",
	}
}

// endTails forgets what has come up to the node's own limit.
func (b *Book) endTails(now time.Time) {
	before := len(b.tails)
	b.tails = slices.DeleteFunc(b.tails, func(t tail) bool {
		top := b.top(t.Node)
		return top <= 0 || t.power(now) >= top
	})
	b.dirty = b.dirty || len(b.tails) != before
}
