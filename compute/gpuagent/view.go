package gpuagent

import (
	"context"
	"slices"
	"time"

	"switchyard/compute"
	"switchyard/unit"
)

// fresh is how old a reading may be, in machine time, to answer another request: several
// readers make one call of the driver.
const fresh = 500 * time.Millisecond

// counts are what an agent did since it started.
type counts struct{ changes, expired, failed, unread int }

// Status is an agent as it stands.
type Status struct {
	Node, Driver string
	Mode         Mode
	// Power is the cap asked for; with ModeSafe the one whose lease ended. Lease is how long it was given for, Left
	// what is left of it.
	Power       unit.Power
	Lease, Left time.Duration
	Reason      string
	GPUs        []compute.GPU
	// Age is how old the GPUs' reading is, in machine time.
	Age   time.Duration
	count counts
}

// Status reads the GPUs and says what is held. It blocks on the driver until ctx ends.
func (a *Agent) Status(ctx context.Context) (Status, error) {
	if err := a.take(ctx); err != nil {
		return Status{}, err
	}
	defer a.give()
	if a.asked.IsZero() || time.Since(a.asked) > fresh {
		if _, err := a.read(ctx); err != nil {
			return Status{}, err
		}
	}
	s := Status{
		Node: a.c.Node, Driver: a.c.Driver.Name(), Mode: a.state.Mode, Power: unit.Power(a.state.Power), Reason: a.state.Reason,
		GPUs: slices.Clone(a.last), Age: time.Since(a.asked), count: a.count,
	}
	if s.Mode == ModeCap {
		s.Lease, s.Left = a.state.Lease, a.state.left(a.c.Clock.Now())
	}
	return s, nil
}

// Reading returns what the node says of itself, for those who run the agent in their own
// process. It blocks on the driver.
func (a *Agent) Reading(ctx context.Context) (compute.Reading, error) {
	asked := a.c.Clock.Now()
	s, err := a.Status(ctx)
	if err != nil {
		return compute.Reading{}, err
	}
	return s.reading(asked, a.c.Clock.Now()), nil
}

// reading dates a status by the clock of who asked: a lease is told as a duration, since
// clocks differ.
func (s Status) reading(asked, at time.Time) compute.Reading {
	r := compute.Reading{Node: s.Node, Asked: asked, At: at, GPUs: s.GPUs, Source: "agent", Safe: s.Mode == ModeSafe}
	if s.Mode == ModeCap {
		r.Lease = at.Add(s.Left)
	}
	return r
}
