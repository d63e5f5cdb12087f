package openadr

import (
	"sort"
	"time"

	"switchyard/signal"
	"switchyard/unit"
)

const (
	// sampleEvery is how often the site is looked at for the reports.
	sampleEvery = 10 * time.Second
	// maxSamples keeps two days of them.
	maxSamples = 2 * 24 * 360
	// holds is how long one reading stands for the power that follows it.
	holds = 3 * sampleEvery
)

// sample is the site at one moment. A power that was not read is not in it.
type sample struct {
	at    time.Time
	power unit.Power
}

// metering remembers what the connection drew, for the reports. The oldest go first.
type metering struct {
	samples []sample
}

// take notes a reading, if it is one and newer than the last.
func (m *metering) take(r signal.Meter, now time.Time) {
	power, ok := r.Power.V, r.Power.OK
	if !ok || r.At.IsZero() || now.Sub(r.At) > holds || r.At.After(now.Add(time.Minute)) {
		return
	}
	if n := len(m.samples); n > 0 && !r.At.After(m.samples[n-1].at) {
		return
	}
	if len(m.samples) >= maxSamples {
		m.samples = append(m.samples[:0], m.samples[maxSamples/8:]...)
	}
	m.samples = append(m.samples, sample{at: r.At, power: power})
}

// usage is what was drawn over a time.
type usage struct {
	mean, peak unit.Power
	// known is the share of the time that readings cover, from 0 to 1.
	known float64
}

// over sums up the time from a to b: each reading holds until the next one, but not for long.
func (m *metering) over(a, b time.Time) usage {
	var u usage
	var weight float64
	i := sort.Search(len(m.samples), func(i int) bool { return m.samples[i].at.After(a) })
	for i = max(0, i-1); i < len(m.samples) && m.samples[i].at.Before(b); i++ {
		s := m.samples[i]
		from, to := s.at, s.at.Add(holds)
		if i+1 < len(m.samples) && m.samples[i+1].at.Before(to) {
			to = m.samples[i+1].at
		}
		if from.Before(a) {
			from = a
		}
		if to.After(b) {
			to = b
		}
		if w := to.Sub(from).Seconds(); w > 0 {
			weight += w
			u.mean += s.power.Scale(w)
			u.peak = max(u.peak, s.power)
		}
	}
	if weight > 0 {
		u.mean = u.mean.Scale(1 / weight)
		u.known = min(1, weight/b.Sub(a).Seconds())
	}
	return u
}
