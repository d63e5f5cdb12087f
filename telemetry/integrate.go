package telemetry

import (
	"math"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// opt is an optional number that keeps every digit in JSON.
type opt struct {
	V  int64 `json:"v"`
	OK bool  `json:"ok"`
}

// point is a reading that energy is counted from.
type point struct {
	At       time.Time     `json:"at"`
	Power    opt           `json:"power"`    // mW
	Register opt           `json:"register"` // mWh
	Modelled bool          `json:"modelled,omitempty"`
	Width    time.Duration `json:"width,omitempty"` // how uncertain At is
}

// work is a reading that hashes are counted from.
type work struct {
	At time.Time `json:"at"`
	PH float64   `json:"ph_s"`
	OK bool      `json:"ok"`
}

// meter is one source with what must be remembered of it. Its fields are the checkpoint.
type meter struct {
	Source
	Last point     `json:"last"`
	Work work      `json:"work"`
	Seen time.Time `json:"seen"` // the last poll that gave anything
	// Owed is energy in mWh already booked to closed intervals ahead of the register, from
	// the last power held; the register's next rise pays it back. Negative: the register
	// rose in time that was closed, and the next open interval gets it.
	Owed int64 `json:"owed,omitempty"`
	// Rest is what rounding to whole milliwatt-hours has left over.
	Rest float64 `json:"rest,omitempty"`
	// Silent: an interval had to close without it; none waits for it until it speaks again.
	Silent bool `json:"silent,omitempty"`
}

// bucket gathers one subject's interval while it is open.
type bucket struct {
	Energy    int64         `json:"energy"` // mWh
	Hashes    float64       `json:"hashes,omitempty"`
	Measured  time.Duration `json:"measured"`
	Estimated time.Duration `json:"estimated"`
}

// add takes a new point of a source and books what lies between it and the last one.
func (g *Integrator) add(m *meter, p point) {
	last := m.Last
	switch {
	case !p.Power.OK && !p.Register.OK:
		return // it told nothing of energy: the gap grows
	case last.At.IsZero():
		m.Last = p
		return
	case !p.At.After(last.At):
		return
	case last.Register.OK && !p.Register.OK:
		return // the register was left out this once; the next poll with it covers the time
	}
	quality := g.quality(m, p.At.Sub(last.At), last.Modelled || p.Modelled)
	if last.Register.OK {
		if rise, ok := m.rise(last, p); ok {
			g.bookRise(m, last, p, rise, quality)
			m.Last = p
			return
		}
		// Reset: the difference tells nothing, and what was booked ahead stands.
		quality, m.Owed = max(quality, site.Estimated), min(m.Owed, 0)
	}
	if quality != site.Missing {
		g.bookPower(m, last, p, quality)
	}
	m.Last = p
}

// mine books the hashes done since the last reading. An unknown hashrate breaks the chain:
// it earns nothing, and is not bridged.
func (g *Integrator) mine(m *meter, w work) {
	last := m.Work
	if !last.At.IsZero() && !w.At.After(last.At) {
		return
	}
	m.Work = w
	if !last.OK || !w.OK || w.At.Sub(last.At) > g.opts.MaxEstimate {
		return
	}
	span := float64(w.At.Sub(last.At))
	rate := func(t time.Time) float64 { return last.PH + float64(t.Sub(last.At))/span*(w.PH-last.PH) }
	g.each(later(last.At, g.next), w.At, func(s, e time.Time) {
		g.bucket(m.Subject, s).Hashes += (rate(s) + rate(e)) / 2 * e.Sub(s).Seconds()
	})
}

func (g *Integrator) quality(m *meter, gap time.Duration, modelled bool) site.Quality {
	measured := g.opts.MaxGap
	if m.MaxGap > 0 {
		measured = m.MaxGap
	}
	switch {
	case gap > g.opts.MaxEstimate:
		return site.Missing
	case gap > measured || modelled:
		return site.Estimated
	}
	return site.Measured
}

// rise returns by how many mWh the register rose between two points, over a wrap where it
// wraps; false if it was reset or leapt, so that its difference tells nothing.
func (m *meter) rise(a, b point) (int64, bool) {
	d := b.Register.V - a.Register.V
	bound, bounded := m.bound(a, b)
	if d >= 0 {
		return d, m.Max <= 0 || d <= bound
	}
	wraps := int64(m.Wraps)
	if wraps <= 0 || a.Register.V >= wraps {
		return 0, false
	}
	if !bounded { // no power to go by: a wrap is believed when it is a small step over the edge
		bound = wraps / 4
	}
	d += wraps
	return d, d >= 0 && d <= bound
}

// bound is the most that a register can have risen between two points, generously: its
// greatest power for the time and the uncertainty of both readings, and two of its steps.
func (m *meter) bound(a, b point) (int64, bool) {
	most := m.Max
	if most <= 0 {
		most = 4 * unit.Power(max(a.Power.V, b.Power.V, 0))
	}
	if most <= 0 {
		return 0, false
	}
	return int64(most.Scale(1.25).Over(b.At.Sub(a.At)+a.Width+b.Width) + 2*unit.KilowattHour), true
}

// bookRise spreads a register's rise over the intervals between two points, by the power
// at both ends. The total is the register's, to the milliwatt-hour, whatever the split.
func (g *Integrator) bookRise(m *meter, a, b point, rise int64, q site.Quality) {
	rise -= m.Owed
	m.Owed = 0
	if rise < 0 {
		m.Owed, rise = -rise, 0
	}
	from := later(a.At, g.next)
	if !b.At.After(from) {
		m.Owed -= rise // all of the time is closed already: the next rise carries it
		return
	}
	if q != site.Measured && Span(from).Equal(Span(b.At.Add(-1))) && !a.Modelled && !b.Modelled && from.Equal(a.At) {
		q = site.Measured // one interval holds all of it: nothing is split
	}
	if q == site.Missing {
		q = site.Estimated
	}
	whole := area(a, b, from, b.At)
	var given int64
	g.each(from, b.At, func(s, e time.Time) {
		share := float64(e.Sub(from)) / float64(b.At.Sub(from))
		if whole > 0 {
			share = area(a, b, from, e) / whole
		}
		upTo := int64(math.Round(float64(rise) * min(max(share, 0), 1)))
		if e.Equal(b.At) {
			upTo = rise
		}
		upTo = max(upTo, given)
		g.book(m.Subject, s, e, upTo-given, q)
		given = upTo
	})
}

// bookPower books the area under the power between two points.
func (g *Integrator) bookPower(m *meter, a, b point, q site.Quality) {
	if !a.Power.OK && !b.Power.OK {
		return // nothing is known: it stays missing
	}
	if !a.Power.OK || !b.Power.OK {
		known := a.Power
		if !known.OK {
			known = b.Power
		}
		a.Power, b.Power, q = known, known, site.Estimated
	}
	g.each(later(a.At, g.next), b.At, func(s, e time.Time) {
		exact := area(a, b, s, e)/float64(time.Hour) + m.Rest
		whole := math.Round(exact)
		m.Rest = exact - whole
		g.book(m.Subject, s, e, int64(whole), q)
	})
}

// area is the integral of the power from s to e, in mW x ns, on the straight line between
// a and b; not positive where that tells nothing.
func area(a, b point, s, e time.Time) float64 {
	if !a.Power.OK || !b.Power.OK {
		return 0
	}
	span := float64(b.At.Sub(a.At))
	at := func(t time.Time) float64 {
		return float64(a.Power.V) + float64(t.Sub(a.At))/span*float64(b.Power.V-a.Power.V)
	}
	return (at(s) + at(e)) / 2 * float64(e.Sub(s))
}

// each calls fn for each interval's part of [from, to).
func (g *Integrator) each(from, to time.Time, fn func(s, e time.Time)) {
	for s := from; s.Before(to); {
		e := Span(s).Add(Length)
		if e.After(to) {
			e = to
		}
		fn(s, e)
		s = e
	}
}

func (g *Integrator) book(subject string, s, e time.Time, energy int64, q site.Quality) {
	b := g.bucket(subject, s)
	b.Energy += energy
	if q == site.Measured {
		b.Measured += e.Sub(s)
	} else {
		b.Estimated += e.Sub(s)
	}
}

func (g *Integrator) bucket(subject string, at time.Time) *bucket {
	k := bucketKey{subject, Span(at).Unix()}
	b := g.open[k]
	if b == nil {
		b = &bucket{}
		g.open[k] = b
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
