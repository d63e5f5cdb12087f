package estimate

import (
	"math"
	"time"
)

const (
	lag       = 45 * time.Second // how old the moment is that is learned from: every reading of it is in
	meterAge  = 60 * time.Second // of a meter's reading that still counts
	around    = 8 * time.Second  // readings within this of a moment are its mean
	apart     = 20 * time.Second // a moment needs readings on both sides within this
	ringLen   = 64
	stillFor  = 2 * time.Minute // a meter that stands exactly still for so long teaches nothing
	stillRead = 10              // and for so many readings
)

// meter remembers the last readings of one meter.
type meter struct {
	ring  [ringLen]point
	n     int // readings so far
	since int64
	same  int     // readings that are exactly the newest one's
	below float64 // figures of what is below it when it became so
	set   bool    // that below is set

	usedAt int64
	odd    int // moments in a row that nothing believed explains
	oddAt  int64
}

// point is one reading.
type point struct {
	at    int64
	watts float64
}

// takeMeters remembers the meters' new readings.
func (e *Estimator) takeMeters(in Input) {
	for i := range min(len(in.Nodes), len(e.meters)) {
		n, m := &in.Nodes[i], &e.meters[i]
		if !n.Power.OK || n.At.IsZero() || n.At.After(in.Now) {
			continue
		}
		at, w := n.At.UnixNano(), n.Power.V.Watts()
		if m.n > 0 && at <= m.newest().at {
			continue
		}
		if m.n == 0 || m.newest().watts != w {
			m.since, m.same, m.set = at, 0, false
		}
		m.same++
		m.ring[m.n%ringLen] = point{at, w}
		m.n++
	}
}

func (m *meter) newest() point { return m.ring[(m.n-1)%ringLen] }

// then is the meter's reading at a past moment and how far readings about it differ; false
// where it cannot be told, or the meter seems to stand still.
func (m *meter) then(at int64) (watts, differ float64, ok bool) {
	if m.n == 0 || m.same >= stillRead && m.newest().at-m.since >= int64(stillFor) {
		return 0, 0, false
	}
	var sum, n float64
	before, after := int64(math.MaxInt64), int64(math.MaxInt64)
	least, most := math.Inf(1), math.Inf(-1)
	var nearest point
	for i := range min(m.n, ringLen) {
		p := m.ring[(m.n-1-i)%ringLen]
		d := p.at - at
		if d >= 0 {
			after = min(after, d)
		} else {
			before = min(before, -d)
		}
		if abs(d) < abs(nearest.at-at) {
			nearest = p
		}
		if abs(d) <= int64(around) {
			sum += p.watts
			n++
		}
		if abs(d) <= 2*int64(around) {
			least, most = min(least, p.watts), max(most, p.watts)
		}
		if d < -int64(apart) {
			break
		}
	}
	if before > int64(apart) || after > int64(apart) {
		return 0, 0, false
	}
	if n == 0 {
		return nearest.watts, 0.01 * nearest.watts, true
	}
	return sum / n, max(most-least, 0), true
}

// between is the meter's reading at a moment not long ago, on a straight line between two
// readings, and by how much they differ.
func (m *meter) between(at int64) (watts, differ float64) {
	next := m.newest()
	for i := 1; i < min(m.n, ringLen); i++ {
		p := m.ring[(m.n-1-i)%ringLen]
		if p.at <= at {
			share := float64(min(at, next.at)-p.at) / float64(next.at-p.at)
			return p.watts + share*(next.watts-p.watts), math.Abs(next.watts - p.watts)
		}
		next = p
	}
	return next.watts, 0
}

// stuck says that the meter repeats one reading while what is below it has changed since. What
// is below counts once all readings of the time when the reading came are in.
func (m *meter) stuck(below float64, now int64) bool {
	if m.same < 4 || now-m.since < int64(lag+settling) {
		return false
	}
	if !m.set {
		m.below, m.set = below, true
	}
	return math.Abs(below-m.below) > max(0.03*m.below, 1000)
}

func abs(d int64) int64 {
	if d < 0 {
		return -d
	}
	return d
}
