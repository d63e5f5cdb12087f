package backtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"switchyard/unit"
)

// The names of the policies.
const (
	AlwaysOn   = "always-on"
	Threshold  = "threshold"
	LastPrice  = "last-price"
	Switchyard = "switchyard"
	Perfect    = "perfect"
)

// Policies are all policies, in the order of a report.
func Policies() []string { return []string{AlwaysOn, Threshold, LastPrice, Switchyard, Perfect} }

// Options say what is run.
type Options struct {
	// Policies are names; always-on and perfect are run whatever stands here, for what is
	// captured is told between them. Empty: all.
	Policies    []string
	Information []Information // empty: both
	// Threshold stops a group while the price at its terminals is above; nil: above what hashing
	// earned on the run's first day, which is known on that day.
	Threshold *unit.Price
	// Reschedule is how often the schedule is made anew; zero means an hour.
	Reschedule time.Duration
	// Horizon is how far it looks; zero means the site file's.
	Horizon time.Duration
	// DayAheadAt is the local time of day at which the next day's day-ahead prices are known.
	DayAheadAt time.Duration
	// Workers is how many policies go side by side; zero means as many as there are cores.
	Workers int
}

// outcome is one policy's run.
type outcome struct {
	name   string
	info   Information
	books  *books
	bound  unit.Money // perfect: no policy can earn more
	method string
	notes  []string
}

type job struct {
	name string
	info Information
	run  func(context.Context, *outcome) error
}

// Run simulates the policies and reports. It blocks, on the processor alone.
func Run(ctx context.Context, w *World, o Options) (*Report, error) {
	o, err := o.normal()
	if err != nil {
		return nil, err
	}
	jobs := w.jobs(o)
	out := make([]outcome, len(jobs))
	g, ctx := errgroup.WithContext(ctx)
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	g.SetLimit(workers)
	for k, j := range jobs {
		g.Go(func() error {
			out[k].name, out[k].info = j.name, j.info
			if err := j.run(ctx, &out[k]); err != nil {
				return fmt.Errorf("policy %s: %w", j.name, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return w.report(o, out), nil
}

func (o Options) normal() (Options, error) {
	if len(o.Policies) == 0 {
		o.Policies = Policies()
	}
	for _, p := range o.Policies {
		if !slices.Contains(Policies(), p) {
			return o, fmt.Errorf("there is no policy %q; there are %v", p, Policies())
		}
	}
	if len(o.Information) == 0 {
		o.Information = []Information{Start, Late}
	}
	for _, k := range o.Information {
		if k != Start && k != Late {
			return o, fmt.Errorf("there is no information setting %q; there are %s and %s", k, Start, Late)
		}
	}
	if o.Reschedule <= 0 {
		o.Reschedule = time.Hour
	}
	if o.DayAheadAt <= 0 {
		o.DayAheadAt = 13 * time.Hour
	}
	return o, nil
}

// policy makes a policy that knows nothing beforehand.
func (w *World) policy(name string, info Information, o Options) (policy, error) {
	most := make([]unit.Price, len(w.groups))
	switch name {
	case AlwaysOn:
		return always{}, nil
	case LastPrice:
		return lastPrice{most}, nil
	case Threshold:
		for k := range w.groups {
			if most[k] = w.groups[k].breakeven(w.firstHash()); o.Threshold != nil {
				most[k] = *o.Threshold
			}
		}
		return threshold{most}, nil
	case Switchyard:
		return w.newOwn(o, info)
	}
	return nil, fmt.Errorf("there is no policy %q", name)
}

// jobs lists the runs, those that take longest first. What does not see prices runs once.
func (w *World) jobs(o Options) []job {
	var out []job
	for _, name := range []string{Switchyard, Threshold, LastPrice} {
		for _, info := range o.Information {
			if slices.Contains(o.Policies, name) {
				out = append(out, job{name, info, func(ctx context.Context, r *outcome) error { return w.simulate(ctx, r, o) }})
			}
		}
		if name == Switchyard {
			out = append(out, job{Perfect, Start, w.perfect})
		}
	}
	return append(out, job{AlwaysOn, Start, func(ctx context.Context, r *outcome) error { return w.simulate(ctx, r, o) }})
}

// firstHash is the hashprice of the run's first valid interval.
func (w *World) firstHash() unit.Hashprice {
	return w.hash[slices.Index(w.valid, true)]
}

// ended is a policy that has something to say or to give back at the end.
type ended interface{ end(*outcome) error }

func (w *World) simulate(ctx context.Context, r *outcome, o Options) error {
	p, err := w.policy(r.name, r.info, o)
	if err != nil {
		return err
	}
	s := newSim(w, r.info)
	r.books, err = s.books, s.run(ctx, p)
	if e, ok := p.(ended); ok {
		err = errors.Join(err, e.end(r))
	}
	return err
}
