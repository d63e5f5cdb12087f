package limiter

import (
	"math"
	"slices"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// judge says how node i stands and whether to act.
func (l *Limiter) judge(in Input, i int, s *sums, dt time.Duration) (NodeOver, bool) {
	st, limit := &l.nodes[i], in.Limits[i]
	over := NodeOver{Node: i, Power: s.figure, Limit: limit, Over: s.figure - limit, Counted: s.counted}
	if over.Over > 0 {
		if st.overSince.IsZero() {
			st.overSince = in.At
		}
		over.For = in.At.Sub(st.overSince)
	} else {
		st.overSince = time.Time{}
	}
	ratio := share(s.figure, limit)
	st.curve.spend(max(ratio, st.ratio), ratio, dt)
	st.ratio = ratio
	trigger := safe(limit, in.Margin/2)
	act := s.figure-s.falling > trigger || s.rising > 0 && s.foreseen() > limit
	if act && len(st.curve.steps) > 0 {
		bears := st.curve.bears(share(s.foreseen(), limit))
		over.Tolerated = bears > s.lead+l.period
		act = !over.Tolerated
	}
	if act || over.Over > 0 {
		over.Text = text(in.Tree.Node(i), s, over, trigger)
	}
	return over, act
}

// share is power by limit; nought by nought is not above it.
func share(p, limit unit.Power) float64 {
	switch {
	case limit > 0:
		return float64(p) / float64(limit)
	case p > 0:
		return math.Inf(1)
	}
	return 0
}

func text(n site.Node, s *sums, o NodeOver, trigger unit.Power) string {
	name := n.Name
	if name == "" {
		name = string(n.ID)
	}
	limit := "its limit of " + o.Limit.Short()
	switch {
	case s.counted:
		return name + "'s meter does not tell: nameplate of " + s.figure.Short() + " is awake below it, against " + limit
	case o.Over > 0 && o.Tolerated:
		return name + " stands at " + s.figure.Short() + ", above " + limit + ", for now within its overload curve"
	case o.Over > 0:
		return name + " stands at " + s.figure.Short() + ", above " + limit
	case s.figure-s.falling > trigger:
		return name + " stands at " + s.figure.Short() + ", too near " + limit
	}
	return name + " stands at " + s.figure.Short() + " and its firm load rises: " + s.foreseen().Short() +
		" foreseen in " + s.lead.Round(time.Second).String() + ", above " + limit
}

// cap bounds the optimiser at a node that was acted on until it has been below the trigger
// for some periods. A node that comes back soon after is held twice as long each time.
func (l *Limiter) cap(in Input, i int, s *sums, acted bool) unit.Power {
	st, limit := &l.nodes[i], in.Limits[i]
	l.learnBias(in, i, s)
	bound := max(safe(limit, in.Margin)-st.bias, 0)
	if acted {
		if !st.capped {
			st.doubled++
			if in.At.Sub(st.liftedAt) > 2*l.hold(st)+time.Minute {
				st.doubled = 0
			}
		}
		st.capped, st.calmSince = true, time.Time{}
		return bound
	}
	switch {
	case !st.capped:
	case s.figure > safe(limit, in.Margin/2):
		st.calmSince = time.Time{}
	case st.calmSince.IsZero():
		st.calmSince = in.At
	case in.At.Sub(st.calmSince) >= l.hold(st):
		st.capped, st.liftedAt = false, in.At
	}
	if st.capped || st.bias > limit-safe(limit, in.Margin/2) {
		return bound
	}
	return -1
}

// hold is how long the node must be calm before its cap is lifted.
func (l *Limiter) hold(st *node) time.Duration {
	return min(holdPeriods*l.period<<min(st.doubled, 8), maxHold)
}

// learnBias follows what the figure shows beyond what the optimiser believes: unmetered
// loads, losses, devices that draw more than they say.
func (l *Limiter) learnBias(in Input, i int, s *sums) {
	st := &l.nodes[i]
	if i >= len(in.Believed) {
		st.bias = 0
		return
	}
	now := max(s.figure-s.falling-in.Believed[i], 0)
	if s.counted {
		st.bias = now
		return
	}
	st.bias += (now - st.bias) / 5
}

// curve is a node's short-time overload curve and how much of it is used.
//
// A step bears power up to its ratio for its time. So the time above the ratio of the step
// below it (above the limit, for the first) is counted against it, and given back only
// after its rest at or below the limit.
type curve struct {
	steps []site.Overload // by rising ratio
	used  []time.Duration
	below time.Duration // since the node was last above its limit
}

func newCurve(steps []site.Overload) curve {
	c := curve{steps: slices.Clone(steps), used: make([]time.Duration, len(steps))}
	slices.SortFunc(c.steps, func(a, b site.Overload) int {
		if a.Ratio < b.Ratio {
			return -1
		}
		return 1
	})
	return c
}

func (c curve) fresh() curve { return newCurve(c.steps) }

// from is the ratio above which step k is being used.
func (c *curve) from(k int) float64 {
	if k == 0 {
		return 1
	}
	return float64(c.steps[k-1].Ratio)
}

// spend accounts for dt at up to the ratio worst, now being at ratio.
func (c *curve) spend(worst, ratio float64, dt time.Duration) {
	if ratio > 1 {
		c.below = 0
	} else {
		if worst <= 1 {
			c.below += dt
		}
		for k, s := range c.steps {
			if c.below >= s.Rest {
				c.used[k] = 0
			}
		}
	}
	for k := range c.steps {
		if worst > c.from(k) {
			c.used[k] += dt
		}
	}
}

// bears returns how much longer the node bears the ratio.
func (c *curve) bears(ratio float64) time.Duration {
	if ratio <= 1 {
		return math.MaxInt64
	}
	if ratio > float64(c.steps[len(c.steps)-1].Ratio) {
		return 0
	}
	left := time.Duration(math.MaxInt64)
	for k, s := range c.steps {
		if ratio > c.from(k) {
			left = min(left, s.For-c.used[k])
		}
	}
	return max(left, 0)
}
