package telemetry

import (
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Length is the length of a settlement interval, aligned to UTC.
const Length = 5 * time.Minute

// Interval is what one subject, a meter or a group, used from Start to Start+Length.
type Interval struct {
	Subject string
	Start   time.Time
	Energy  unit.Energy // of what is known; positive when consumed
	// Hashes is the work done: PH/s times seconds.
	Hashes float64
	// Sources is how many devices the subject has. Measured, Estimated and Missing are
	// their times added up: together Sources x Length.
	Sources                      int
	Measured, Estimated, Missing time.Duration
}

// Quality is measured where nothing was estimated or missing, missing where nothing is
// known, and estimated in between.
func (i Interval) Quality() site.Quality {
	switch {
	case i.Measured+i.Estimated <= 0:
		return site.Missing
	case i.Estimated+i.Missing > 0:
		return site.Estimated
	}
	return site.Measured
}

// Source is a device whose readings make up a subject's energy.
type Source struct {
	Device site.DeviceID
	// Subject is what its energy is booked to: its own id for a meter, the group for a miner.
	Subject string
	// Wraps is where its energy register starts again at zero; zero if unknown.
	Wraps unit.Energy
	// Max is the greatest power it can see, by which a register's leap is told from a
	// reset; zero if unknown.
	Max unit.Power
	// MaxGap replaces Options.MaxGap for a device that is polled less often; zero: no.
	MaxGap time.Duration
}

// Options set an integrator up; zero fields take the defaults.
type Options struct {
	// MaxGap is the longest time between two samples that still counts as measured; default 1 min.
	MaxGap time.Duration
	// MaxEstimate is the longest time between two samples that is estimated from power;
	// longer ones are missing. Default 12 h. A register bridges any time.
	MaxEstimate time.Duration
	// Hold is how long the last power of a meter with a register stands in for it when an
	// interval must close without it; its register settles the difference. Default 15 min.
	Hold time.Duration
	// Grace is how long past its end an interval waits for late sources; default 10 min.
	Grace time.Duration
}

func (o Options) defaults() Options {
	for _, d := range []struct {
		v *time.Duration
		d time.Duration
	}{{&o.MaxGap, time.Minute}, {&o.MaxEstimate, 12 * time.Hour}, {&o.Hold, 15 * time.Minute}, {&o.Grace, 10 * time.Minute}} {
		if *d.v <= 0 {
			*d.v = d.d
		}
	}
	return o
}

// Span returns the start of the interval that t lies in.
func Span(t time.Time) time.Time { return t.UTC().Truncate(Length) }
