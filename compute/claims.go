package compute

import (
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Claims are what a job says of itself, by its labels or in its comment. Whoever submits a job
// writes them, so they only ever loosen what may be asked of its queue's jobs: see Terms.Loosen.
// Claims are comparable.
type Claims struct {
	// Class names a workload class of the site file or a kind of work; empty: none.
	Class string
	// What it says beside, where it does. Takes and Every are of its checkpoints.
	Slowdown                                          site.Opt[unit.Ratio]
	Pause, Per, Notice, MinRun, Restart, Takes, Every site.Opt[time.Duration]
	// Signal asks it for a checkpoint; empty: it names none.
	Signal string
}

const (
	// mostAsked bounds the notice and the time for a checkpoint that a job may claim where no
	// class bounds them: power that takes longer to come free is no help when it is short.
	mostAsked = 10 * time.Minute
	day       = 24 * time.Hour // the period of a pause where none is named
)

// Named makes the terms of a job that names a kind of work of which the site file has no class:
// its own figures are all there is.
func (c Claims) Named(kind Class) Terms {
	per := c.Per.V
	if per <= 0 {
		per = day
	}
	return Terms{
		Name: kind.String(), Class: kind, Slowdown: c.Slowdown.V, Pause: min(c.Pause.V, per), Per: per,
		Notice: min(c.Notice.V, mostAsked), MinRun: c.MinRun.V, Restart: c.Restart.V,
		Checkpoint: Checkpoint{Signal: c.Signal, Takes: min(c.Takes.V, mostAsked), Every: c.Every.V},
	}
}

// Loosen returns the terms of a job in a queue of class t that names a class (t itself where it
// names none that is known) and says more of itself. Each figure counts where by it more may be
// asked of the job, or sooner, or at less cost; the names of those that would tighten t are
// returned, and t's own hold. What its work earns and what stopping it costs beside lost work is
// money, and never a job's to say.
func (t Terms) Loosen(named Terms, c Claims) (out Terms, refused []string) {
	out = t
	// To a job of a semi class that may be paused a cap would be a favour: it is never paused.
	if named.Class > t.Class && (named.Class != Cap || !t.Pauses()) {
		out.Name, out.Class = named.Name, named.Class
	} else if named.Class != t.Class {
		named, refused = t, append(refused, "class")
	}
	if out.Slowdown = max(t.Slowdown, named.Slowdown, c.Slowdown.V); c.Slowdown.OK && c.Slowdown.V < t.Slowdown {
		refused = append(refused, "slowdown")
	}
	if out.Class == Firm || out.Class == Cap { // neither is paused: nothing else is asked of it
		return out, refused
	}
	switch {
	case t.Pauses() && named.Pauses():
		out = out.sooner(named)
	case !t.Pauses(): // any pause is looser than none
		if !named.Pauses() {
			named = c.Named(out.Class)
		}
		out.Pause, out.Per, out.Notice, out.MinRun = named.Pause, named.Per, named.Notice, named.MinRun
		out.Checkpoint, out.Restart = named.Checkpoint, named.Restart
		if t.Value == 0 {
			out.Value, out.RestartCost = named.Value, named.RestartCost
		}
	}
	out, no := out.figures(c)
	return out, append(refused, no...)
}

// endless says that the jobs may be paused for as long as it takes.
func (t Terms) endless() bool { return t.Class == Spot && t.Pause == 0 }

// sooner takes what another class's jobs bear and these do not: more time paused, less notice.
func (t Terms) sooner(o Terms) Terms {
	if o.endless() {
		t.Pause = 0
	}
	t, _ = t.figures(Claims{
		Pause: site.Some(o.Pause), Per: site.Some(o.Per), Notice: site.Some(o.Notice), MinRun: site.Some(o.MinRun),
		Restart: site.Some(o.Restart), Takes: site.Some(o.Checkpoint.Takes), Every: site.Some(o.Checkpoint.Every),
	})
	return t
}

// figures takes each figure of c that loosens t, and returns the names of the others.
func (t Terms) figures(c Claims) (out Terms, refused []string) {
	less := func(name string, mine *time.Duration, said site.Opt[time.Duration]) {
		switch {
		case said.OK && said.V <= *mine:
			*mine = max(said.V, 0)
		case said.OK:
			refused = append(refused, name)
		}
	}
	if c.Pause.OK || c.Per.OK { // a longer pause in a longer period may be less on a bad day: both count, or neither
		per := c.Per.Or(t.Per)
		pause := min(c.Pause.Or(t.Pause), per)
		if !t.endless() && pause >= t.Pause && per > 0 && per <= t.Per {
			t.Pause, t.Per = pause, per
		} else if !t.endless() || c.Pause.V > 0 {
			refused = append(refused, "pause")
		}
	}
	less("notice", &t.Notice, c.Notice)
	less("min_run", &t.MinRun, c.MinRun)
	less("restart", &t.Restart, c.Restart)
	less("takes", &t.Checkpoint.Takes, c.Takes)
	// A job that saves its work more often loses less by a pause; zero means that it never does.
	if e := c.Every; e.V > 0 && (t.Checkpoint.Every == 0 || e.V < t.Checkpoint.Every) {
		t.Checkpoint.Every = e.V
	} else if e.OK && e.V != t.Checkpoint.Every {
		refused = append(refused, "every")
	}
	if c.Signal != "" && c.Signal != t.Checkpoint.Signal {
		s := t
		s.Checkpoint.Signal = c.Signal
		dearer := t.Checkpoint.Signal == "" && t.Checkpoint.Every > 0 && t.Checkpoint.Takes > t.Checkpoint.Every/2
		if s.Grace() > t.Grace() || dearer { // it would be stopped later, or for more
			refused = append(refused, "signal")
		} else {
			t = s
		}
	}
	return t, refused
}

// Grace is how long a job has from the order to stop until it is stopped.
func (t Terms) Grace() time.Duration {
	if t.Class == Spot && t.Notice == 0 && t.Checkpoint.Signal == "" {
		return 0
	}
	g := t.Notice
	if t.Checkpoint.Takes > 0 || t.Checkpoint.Signal != "" {
		g = max(g, t.Checkpoint.Takes+t.Checkpoint.Takes/2+5*time.Second)
	}
	return g
}
