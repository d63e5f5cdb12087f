package month

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"switchyard/billing/invoice"
	"switchyard/billing/usage"
	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// Options say what is simulated; zero fields take the defaults.
type Options struct {
	// Dir is an empty folder that the site file, the contracts and the store are written to.
	Dir string
	// Month is the month, in Chicago's time; default 2026-10.
	Month string
	// Days bounds how many of its days are simulated; zero: all of them, and a quarter of an hour more.
	Days int
	Seed uint64       // of what happens by chance; default 1
	Log  *slog.Logger // default: none
}

// Result is a month, as its books have it and as it was.
type Result struct {
	Month    string
	From, To time.Time // of what was simulated within the month
	// Register is by how much the revenue meter's register rose; Balance sums the intervals' balances.
	Register  unit.Energy
	Balance   usage.Balance
	Rows      map[string]Used        // by tenant, as the record has them
	Truth     map[string]Truth       // of tenants in colocation, as the simulation has it
	Registers map[string]unit.Energy // by how much each tenant's own register rose
	GPUs      map[string]GPUHours    // of tenants of the cluster, by the engine's own account
	Peak      unit.Power             // the site's highest quarter of an hour, as it was
	Invoices  map[string]invoice.Invoice
	Pending   int // intervals that wait for a price at the end
	Took      time.Duration

	b      *books
	lacked bool // somebody lacked power at the last look
}

// Used is what the record has of a tenant.
type Used struct {
	Rows, Estimated, Missing, Unpriced int
	Critical, Losses, House, Billed    unit.Energy
	Cost                               unit.Money
	Down, Reduced                      time.Duration
	Peak                               unit.Power
	GPUs                               GPUHours
}

// Run simulates a month, settles it, issues its invoices and returns both sides. It blocks for
// about half a minute a month, and leaves the store in Dir. Close the Result.
func Run(ctx context.Context, o Options) (*Result, error) {
	began := time.Now()
	o.Month, o.Seed = cmp.Or(o.Month, "2026-10"), cmp.Or(o.Seed, 1)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p, err := planOf(o.Month)
	if err != nil {
		return nil, err
	}
	f, err := writeSite(o.Dir)
	if err != nil {
		return nil, err
	}
	start := p.month.from.Add(-time.Hour).UTC()
	w, err := newWorld(p, f.Clusters[0], o.Seed, start)
	if err != nil {
		return nil, err
	}
	b := &books{p: p, f: f, log: o.Log, w: w, clk: &hand{}}
	b.clk.set(start)
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	r := &Result{Month: o.Month, From: p.month.from, To: p.month.to, b: b, Registers: map[string]unit.Energy{}}
	end := p.month.to.Add(20 * time.Minute)
	if o.Days > 0 {
		r.To = p.month.from.AddDate(0, 0, o.Days)
		end = r.To.Add(20 * time.Minute)
	}
	if err := r.simulate(ctx, end); err != nil {
		return nil, errors.Join(fmt.Errorf("simulate %s: %w", o.Month, err), r.Close())
	}
	if o.Days == 0 {
		b.tenants.Issue(ctx)
	}
	if err := r.read(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.Took = time.Since(began)
	return r, nil
}

// Close closes the store.
func (r *Result) Close() error { return r.b.db.Close() }

// simulate runs the world and tells the books of it until end.
func (r *Result) simulate(ctx context.Context, end time.Time) error {
	b, w := r.b, r.b.w
	miners := b.miners()
	down := false
	for w.now.Before(end) {
		w.step()
		b.clk.set(w.now)
		r.strokes()
		switch away := b.p.away.has(w.now); {
		case away && !down:
			// It dies between the books and the attribution of an interval.
			if _, err := b.post(ctx); err != nil {
				return err
			}
			if err := b.db.Close(); err != nil {
				return err
			}
			down = true
		case !away && down:
			if err := b.open(ctx); err != nil {
				return err
			}
			down = false
		}
		if down {
			continue
		}
		if err := r.tell(ctx, miners); err != nil {
			return err
		}
	}
	return nil
}

// strokes reads the registers on the month's first and last stroke.
func (r *Result) strokes() {
	w := r.b.w
	sign := unit.Energy(1)
	switch {
	case w.now.Equal(r.From):
		sign = -1
	case !w.now.Equal(r.To):
		return
	}
	r.Register += sign * w.meters["connection"].register()
	for _, x := range w.rooms {
		r.Registers[x.id] += sign * w.meters[x.feeder].register()
	}
}

// tell gives the books what is read at this step.
func (r *Result) tell(ctx context.Context, miners []site.DeviceID) error {
	b, w := r.b, r.b.w
	b.watch.Step(w.now, w.standing())
	second := w.now.Second()
	if second%15 != 0 {
		return nil
	}
	w.samples(miners, b.integ.Observe)
	w.readings(func(x compute.Reading) { b.tenants.Reading(gpuID, x) })
	if second%30 != 0 {
		return nil
	}
	b.tenants.View(gpuID, w.view())
	if second != 0 {
		return nil
	}
	if err := r.agree(ctx); err != nil {
		return err
	}
	// Tenants are looked at every two seconds of a running site; it is enough where anything is to be seen.
	if lacks := b.lacks(); lacks || r.lacked {
		r.lacked = lacks
		if err := b.tenants.Keep(ctx); err != nil {
			return err
		}
	}
	if w.now.Minute()%10 != 0 { // two intervals at once, as a fast clock brings them
		return nil
	}
	return b.settle(ctx)
}

// agree records the curtailment that boreal consented to, as whoever agreed on it does.
func (r *Result) agree(ctx context.Context) error {
	b := r.b
	if told := b.p.curtailed.from.Add(-time.Hour); !b.w.now.Equal(told) {
		return nil
	}
	_, err := usage.OpenReader(b.db).PutEvents(ctx, []usage.Event{{
		Tenant: boreal, Kind: usage.Curtailment, From: b.p.curtailed.from, To: b.p.curtailed.to, Power: 300 * unit.Kilowatt,
		Consented: "MSA-2, curtailment right", Announced: b.w.now, Why: "the grid operator asked for it", Ref: "signal 17",
	}})
	return err
}
