package signal

import (
	"slices"
	"time"

	"switchyard/site"
)

// View is how all sources and signals stand, for screens.
type View struct {
	Sources []Health   // in the order of the site file
	Signals []Standing // in force, to come, and ended lately; by From
	Refused []Refusal  // newest first
}

// Health is how a source stands.
type Health struct {
	Name, Protocol string
	Heard          time.Time // zero: never
	Lost           bool
	Since          time.Time // lost since
	Problem        string    // the last attempt's, or the last update's; empty: none
	ProblemAt      time.Time
	After          time.Duration // zero: it is never missed
	Rule           string        // what holds while it is lost
}

// Standing is one signal with how it stands. At a node one limit decides, and one price.
type Standing struct {
	Signal  Signal // a limit on its ramp with the power that holds now
	Got     time.Time
	InForce bool // now, and it decides
	Ended   bool
	// By is the signal that decides in its place while it would be in force, Why the rule.
	By  Signal
	Why string
}

// Refusal is something that was not taken, or not as it was asked.
type Refusal struct {
	At           time.Time
	Source, Text string
}

// endedShown is how long a signal that is over is still shown, mostEnded how many of a source.
const (
	endedShown = 6 * time.Hour
	mostEnded  = 20
)

// View returns how everything stands at now.
func (b *Book) View(now time.Time) View {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remake()
	v := View{Refused: slices.Clone(b.refused)}
	slices.Reverse(v.Refused)
	limits, price := b.deciding(now)
	for _, s := range b.sources {
		v.Sources = append(v.Sources, s.health())
		ended := slices.Clone(s.over[max(0, len(s.over)-mostEnded):])
		for _, h := range slices.Concat(s.held, ended) {
			over := !h.To.IsZero() && !now.Before(h.To)
			if over && now.Sub(h.To) > endedShown {
				continue
			}
			st := Standing{Signal: h.Signal, Got: h.Got, Ended: over}
			if !over && !h.From.After(now) {
				b.standing(&st, s, h, now, limits, price)
			}
			v.Signals = append(v.Signals, st)
		}
	}
	slices.SortStableFunc(v.Signals, func(a, b Standing) int { return a.Signal.From.Compare(b.Signal.From) })
	return v
}

func (s *source) health() Health {
	h := Health{Name: s.terms.Name, Protocol: s.terms.Protocol, Lost: s.lost, Since: s.since, Problem: s.fault, ProblemAt: s.troubled, After: s.terms.Lost.After, Rule: s.rule()}
	if s.ever {
		h.Heard = s.heard
	}
	if h.Problem == "" && len(s.problems) > 0 {
		h.Problem = s.problems[0]
	}
	if h.Problem == "" {
		h.ProblemAt = time.Time{}
	}
	return h
}

// deciding returns the limit that decides at each node now, and the price.
func (b *Book) deciding(now time.Time) (limits map[site.NodeID]held, price Span) {
	limits = map[site.NodeID]held{}
	for _, l := range b.lines.limits {
		if !l.In(now) {
			continue
		}
		if w, ok := limits[l.Node]; !ok || l.of.power(now) < w.power(now) {
			limits[l.Node] = l.of
		}
	}
	for _, p := range b.lines.prices {
		if p.In(now) {
			price = p
		}
	}
	return limits, price
}

// standing says of a signal in its time whether it decides, and if not what does.
func (b *Book) standing(st *Standing, s *source, h held, now time.Time, limits map[site.NodeID]held, price Span) {
	if s.mute() {
		st.Why = "its source is lost, and what it said is released"
		return
	}
	var by Signal
	switch h.Kind {
	case Reserve:
		st.InForce = true
		return
	case Limit:
		st.Signal.Power = h.power(now)
		by = limits[h.Node].Signal
	case Price:
		by = b.named(price.Source, price.ID)
	}
	if by.Source == h.Source && by.ID == h.ID {
		st.InForce = true
		return
	}
	st.By = by
	switch {
	case by.Emergency && !h.Emergency:
		st.Why = "emergency"
	case h.Kind == Limit && (by.Source != h.Source || by.Priority == h.Priority):
		st.Why = "stricter"
	case by.Priority != h.Priority:
		st.Why = "higher priority"
	default:
		st.Why = "newer"
	}
}

// named returns the signal of a source by its id.
func (b *Book) named(source, id string) Signal {
	if s := b.find(source); s != nil {
		for _, h := range s.held {
			if h.ID == id {
				return h.Signal
			}
		}
	}
	return Signal{}
}
