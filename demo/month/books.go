package month

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"switchyard/api"
	"switchyard/app/delivery"
	"switchyard/app/plant"
	"switchyard/app/tenants"
	"switchyard/billing"
	"switchyard/clock"
	"switchyard/ledger"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"
)

// hand is a clock that is set by hand. Timers are the machine's.
type hand struct{ at atomic.Int64 }

func (h *hand) set(t time.Time) { h.at.Store(t.Unix()) }

// Now returns the time that it was set to.
func (h *hand) Now() time.Time { return time.Unix(h.at.Load(), 0).UTC() }

// Speed returns 1.
func (h *hand) Speed() float64 { return 1 }

// NewTimer makes a timer of the machine's time.
func (h *hand) NewTimer(d time.Duration) clock.Timer { return clock.System().NewTimer(d) }

// books are the running site's own parts, put together as package app does it.
type books struct {
	p       plan
	f       *sitefile.File
	log     *slog.Logger
	w       *world
	clk     *hand
	plant   *plant.Plant
	db      *store.DB
	book    *billing.Book
	ledger  *ledger.Ledger
	integ   *telemetry.Integrator
	watch   *delivery.Tracker
	tenants *tenants.Tenants
	settled []billing.Close // all of them, to be settled again
	asked   time.Time       // the last look for prices
}

// open opens the parts over a store, taking up where another left it.
func (b *books) open(ctx context.Context) (err error) {
	f := b.f
	if b.plant, err = plant.New(f, b.clk.Now); err != nil {
		return err
	}
	if b.db, err = store.Open(ctx, filepath.Join(f.Dir, "data")); err != nil {
		return err
	}
	if b.book, err = billing.Open(ctx, b.db, billing.Contracts{Zone: b.plant.Zone, Tree: b.plant.Tree, Groups: f.Groups, Tenants: f.Tenants}); err != nil {
		return err
	}
	b.integ = telemetry.NewIntegrator(telemetry.Options{MaxGap: 3 * time.Minute}, b.sources()...)
	doc, err := b.book.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if err := b.integ.Restore(doc, b.clk.Now()); err != nil {
		return err
	}
	if err := b.openWatch(ctx); err != nil {
		return err
	}
	if b.ledger, err = ledger.Open(ctx, b.db); err != nil {
		return err
	}
	b.tenants, err = tenants.Open(ctx, tenants.Options{
		Plant: b.plant, DB: b.db, Ledger: b.ledger, Clock: b.clk, Log: b.log, Live: b.live, Clusters: noClusters{},
	})
	return err
}

// openWatch takes up what was wanted and not delivered.
func (b *books) openWatch(ctx context.Context) error {
	loads := make([]site.LoadID, 0, len(b.plant.Tenants))
	for i := range b.plant.Tenants {
		loads = append(loads, b.plant.Tenants[i].Load)
	}
	b.watch = delivery.New(loads...)
	doc, err := b.db.GetState(ctx, watchKey)
	if err != nil {
		return err
	}
	return b.watch.Restore(doc)
}

const watchKey = "app.delivery"

// sources are as app.New makes them.
func (b *books) sources() []telemetry.Source {
	var out []telemetry.Source
	for i := range b.plant.Tree.Len() {
		if n := b.plant.Tree.Node(i); n.Meter != "" {
			out = append(out, telemetry.Source{Device: n.Meter, Subject: string(n.Meter), Max: n.Limit.Scale(3)})
		}
	}
	for _, m := range b.plant.Miners {
		out = append(out, telemetry.Source{Device: m.ID, Subject: b.plant.Groups[m.Group].ID, Max: m.Nameplate.Scale(3)})
	}
	return out
}

func (b *books) miners() []site.DeviceID {
	var out []site.DeviceID
	for _, m := range b.plant.Miners {
		out = append(out, m.ID)
	}
	return out
}

// live is as much of the screen as tenants look at: what they lack.
func (b *books) live() api.LiveView {
	v := api.LiveView{At: b.clk.Now()}
	for i, t := range b.w.standing() {
		l := api.TenantLive{ID: string(t.Load), ShedW: b.watch.Lack(i, t).Watts(), Reason: "the feeder's breaker opened"}
		v.Tenants = append(v.Tenants, l)
	}
	return v
}

// lacks says whether any tenant lacks power now.
func (b *books) lacks() bool {
	for i, t := range b.w.standing() {
		if b.watch.Lack(i, t) > 0 {
			return true
		}
	}
	return false
}

// prices are what an interval cost and earned, as far as it is known now.
func (b *books) prices(start time.Time) (site.Opt[unit.Price], site.Opt[unit.Hashprice]) {
	return b.p.known(start, b.clk.Now()), site.Some(unit.DollarsPerPHDay(48))
}

// settle settles and attributes every interval that is over, and prices what waited, as
// package app does it.
func (b *books) settle(ctx context.Context) error {
	closes, err := b.post(ctx)
	if err != nil {
		return err
	}
	if err := b.attribute(ctx, closes); err != nil {
		return err
	}
	if b.clk.Now().Sub(b.asked) < 10*time.Minute {
		return nil
	}
	b.asked = b.clk.Now()
	if _, err := b.book.Reprice(ctx, 1000, b.prices); err != nil {
		return err
	}
	_, err = b.tenants.Reprice(ctx, 1000, b.book.Price)
	return err
}

// post puts closed intervals into the record and the ledger.
func (b *books) post(ctx context.Context) ([]billing.Close, error) {
	closes := billing.Closes(b.integ.Close(b.clk.Now()))
	if len(closes) == 0 {
		return nil, nil
	}
	for i := range closes {
		closes[i].Price, closes[i].Hashprice = b.prices(closes[i].Start)
		_, closes[i].Short = b.watch.Of(closes[i].Start)
	}
	doc, err := b.watch.Checkpoint()
	if err != nil {
		return nil, err
	}
	if err := b.db.PutState(ctx, watchKey, doc); err != nil {
		return nil, err
	}
	if doc, err = b.integ.Checkpoint(); err != nil {
		return nil, err
	}
	return closes, b.book.Settle(ctx, closes, doc)
}

// attribute tells who used what of them.
func (b *books) attribute(ctx context.Context, closes []billing.Close) error {
	if len(closes) == 0 {
		return nil
	}
	if err := b.tenants.Close(ctx, b.closed(closes)); err != nil {
		return err
	}
	through := closes[len(closes)-1].Start
	b.integ.Settled(through)
	b.watch.Settled(through)
	b.settled = append(b.settled, closes...)
	return nil
}

func (b *books) closed(closes []billing.Close) []tenants.Closed {
	all := make([]tenants.Closed, 0, len(closes))
	for i := range closes {
		c := tenants.Closed{Start: closes[i].Start, Records: closes[i].Records, Price: closes[i].Price}
		c.Delivery, _ = b.watch.Of(c.Start)
		all = append(all, c)
	}
	return all
}

// noClusters is a cluster of which nobody asks anything: its engine and its machines tell by themselves.
type noClusters struct{}

var errNobody = errors.New("nobody commands the simulated cluster")

func (noClusters) Clusters() []api.ClusterView { return nil }

func (noClusters) ClusterJobs(id string) ([]api.ClusterJob, error) {
	return nil, fmt.Errorf("jobs of %s: %w", id, errNobody)
}

func (noClusters) HoldNodes(context.Context, string, string, api.NodeHold) (int, error) {
	return 0, errNobody
}

func (noClusters) ReleaseNode(context.Context, string, string, string) error { return errNobody }
