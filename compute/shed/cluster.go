package shed

import (
	"time"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// Cluster is what the site file says of a cluster, constant.
type Cluster struct {
	ID       string
	Models   map[string]compute.Model
	Machines []compute.Machine
	Terms    []compute.Terms // firmest first
	// Caps says that GPUs can be capped, Switch that a fenced node's power can be taken.
	Caps, Switch bool
	// Effect is how long an act has until the meter must show it, beyond the grace of the jobs
	// that it stops.
	Effect time.Duration
	// Restore is how much power may be given back a minute, Hysteresis how long there must have
	// been room before anything is.
	Restore    unit.Power
	Hysteresis time.Duration
	// Boot is how long a node takes from power to work; zero means ten minutes.
	Boot time.Duration
}

// Nameplate is the most that the cluster draws.
func (c *Cluster) Nameplate() (p unit.Power) {
	for _, m := range c.Machines {
		p += m.Nameplate(c.Models[m.Model])
	}
	return p
}

// Penalty is what a MWh not delivered to firm work costs: the worst of its classes'.
func (c *Cluster) Penalty() (p unit.Price) {
	for _, t := range c.Terms {
		p = max(p, t.Penalty)
	}
	return max(p, defaultPenalty)
}

// defaultPenalty values firm work where no class says: above any price that the market has.
const defaultPenalty = 20_000 * unit.DollarPerMWh

func (c *Cluster) boot() time.Duration {
	if c.Boot > 0 {
		return c.Boot
	}
	return 10 * time.Minute
}

// Input is a cluster at a moment.
type Input struct {
	At   time.Time // site time
	View *compute.View
	Draw site.Opt[unit.Power] // what its meter says
	// Busy is the share of the way from idle to full that a GPU at work draws, as learned.
	Busy unit.Ratio
	// Effects are in force, or on their way, by key.
	Effects map[string]Effect
	// Failing are keys of acts that did not work lately: others are chosen.
	Failing map[string]bool
	// Rested says whether a node has had no work for so long that its power may be taken before
	// caps and pauses; that of others is taken only where these do not suffice, for going off and
	// on again takes minutes. Nil: every one has.
	Rested func(node string) bool
	// Waking are machines that were given their power back of late: they are about to draw it,
	// whatever their engine says of them yet.
	Waking map[string]bool
	// Held are nodes that a person holds: nothing is done to them or their jobs, and those held
	// with true take nothing new.
	Held map[string]bool
	// Paused is how long a job was paused within its period, and since when it last runs again.
	Paused func(job string, per time.Duration) (used time.Duration, back time.Time)
}

// Effect is an act in force or on its way.
type Effect struct {
	Act      compute.Act      `json:"act"`
	Original compute.Original `json:"original"`
	Since    time.Time        `json:"since"`             // decided, site time
	Done     time.Time        `json:"done,omitzero"`     // acknowledged; zero: not yet
	Undoing  time.Time        `json:"undoing,omitzero"`  // no longer wanted since; zero: it is
	Deadline time.Time        `json:"deadline,omitzero"` // by when the meter must show it
	Saves    unit.Power       `json:"saves"`             // expected
	Why      site.Reason      `json:"why"`               // in one sentence
	Plan     site.PlanID      `json:"plan,omitempty"`    // under which it was decided
	Tries    int              `json:"tries,omitempty"`   // that did not work, of late
	Err      string           `json:"err,omitempty"`     // of the last try
}
