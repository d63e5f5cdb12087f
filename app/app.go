// Package app owns the wiring of a running site and its control loop: which part is made
// from which, in what order they start and stop, and how a reading becomes a decision, a
// command and a dollar.
//
// It never holds a rule that belongs to a room (what is worth what, who sheds first, what an
// interval costs); it asks the rooms in turn.
//
// Concurrency: one goroutine runs the control loop and owns all control state; screens are
// immutable and swapped atomically; one goroutine settles intervals. Exported methods of
// App are safe for concurrent use.
package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/api"
	"switchyard/app/ahead"
	"switchyard/app/bounds"
	"switchyard/app/calm"
	"switchyard/app/clusters"
	"switchyard/app/curtail"
	"switchyard/app/delivery"
	"switchyard/app/desk"
	"switchyard/app/grid"
	"switchyard/app/inbox"
	"switchyard/app/places"
	"switchyard/app/plant"
	"switchyard/app/points"
	"switchyard/app/recorder"
	"switchyard/app/studies"
	"switchyard/app/tenants"
	"switchyard/app/truth"
	"switchyard/billing"
	"switchyard/care"
	"switchyard/clock"
	"switchyard/compute"
	"switchyard/dispatch"
	"switchyard/fleet"
	"switchyard/journal"
	"switchyard/ledger"
	"switchyard/market"
	"switchyard/notify"
	"switchyard/reconcile"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/sitefile/cluster"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"
	"switchyard/web"
)

// Options are what an App is made from.
type Options struct {
	File    *sitefile.File
	Clock   clock.Clock
	Log     *slog.Logger
	Version string
	// Notice is shown on every screen, such as that prices are made up.
	Notice string
	// Pace, if set, is called at the end of each control period with its site time; a
	// rehearsal's clock waits for it.
	Pace func(ctx context.Context, now time.Time)
	// Held returns the speed reached, for a rehearsal's screens; nil means the clock's own.
	Held func() float64
	// Token is called once, with the first token ever made for this store.
	Token func(token string)
	// Bound is called with the address once the API listens.
	Bound func(addr net.Addr)
	// Record names a new file that every decision and plan is written to; empty: none is.
	Record string
	// Reach opens a cluster's engine and agents; nil: as the site file says.
	Reach func(cluster.Cluster) (clusters.Reach, error)
	// Dial opens the connections to devices; nil means the system's own way. It is called
	// from many goroutines.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// App is one running controller.
type App struct {
	*desk.Desk
	opt   Options
	clk   clock.Clock
	log   *slog.Logger
	plant *plant.Plant

	db       *store.DB
	journal  *journal.Journal
	book     *billing.Book
	hub      *telemetry.Hub
	integ    *telemetry.Integrator
	history  *telemetry.History
	market   *market.Market
	fleet    *fleet.Fleet
	tokens   *api.Tokens
	inbox    *inbox.Inbox
	books    bookkeeper
	delivery *delivery.Tracker
	meters   []site.DeviceID

	places   *places.Places
	truth    *truth.Truth
	grid     *grid.Grid
	ahead    *ahead.Ahead
	clusters *clusters.Clusters
	tenants  *tenants.Tenants
	curtail  *curtail.Curtail
	recorder *recorder.Recorder
	points   *points.Points
	notifier *notify.Notifier
	care     *care.Care
	studies  *studies.Studies

	ctl      *control
	requests chan func(*control)
	ended    chan struct{}

	screen    atomic.Pointer[screen]
	changeMu  sync.Mutex
	changed   chan struct{}
	dayProfit atomic.Pointer[float64]
	commands  atomic.Int64
	calm      calm.Calm
}

// New opens the store and makes every part; nothing is told to any device. The caller closes it.
func New(ctx context.Context, opt Options) (a *App, err error) {
	a = &App{opt: opt, clk: opt.Clock, log: opt.Log, requests: make(chan func(*control)), ended: make(chan struct{}), changed: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.plant, err = plant.New(opt.File, a.clk.Now); err != nil {
		return a, err
	}
	for i := range a.plant.Specs {
		a.plant.Specs[i].Target.Dial = opt.Dial
	}
	if a.market, err = market.Open(opt.File, a.clk, a.log); err != nil {
		return a, err
	}
	for _, p := range a.market.Problems() {
		a.log.Warn("market", "reason", p)
	}
	if a.db, err = store.Open(ctx, opt.File.Path(opt.File.Store.Dir)); err != nil {
		return a, err
	}
	if err = a.openRecords(ctx); err != nil {
		return a, err
	}
	if err = a.openDevices(ctx); err != nil {
		return a, err
	}
	if a.fleet, err = fleet.New(fleet.Options{Clock: a.clk, Sink: a.inbox, Log: a.log}, a.plant.Specs); err != nil {
		return a, err
	}
	a.inbox.Caps, a.inbox.Places, a.inbox.Truth = a.fleet.Capabilities, a.places, a.truth
	a.inbox.Unit = func(s site.Sample) { a.clusters.Outlets(s) }
	if a.ctl, err = a.newControl(ctx); err != nil {
		return a, err
	}
	if err = a.openTenants(ctx); err != nil {
		return a, err
	}
	if err = a.openCare(ctx); err != nil {
		return a, err
	}
	if a.studies, err = studies.Open(studies.Options{
		Dir: filepath.Join(a.db.Dir(), "studies"), Version: opt.Version, Now: a.clk.Now, Log: a.log, Beside: studies.Beside(opt.File),
	}); err != nil {
		return a, err
	}
	if a.tokens, err = api.TokensIn(ctx, a.db); err != nil {
		return a, err
	}
	if a.tokens.Empty() && opt.Token != nil {
		token, err := a.tokens.New(ctx, "first", api.Admin)
		if err != nil {
			return a, err
		}
		opt.Token(token)
	}
	return a, nil
}

// openTenants opens the GPU clusters and what is known of all tenants.
func (a *App) openTenants(ctx context.Context) (err error) {
	a.clusters, err = clusters.Open(ctx, clusters.Options{
		Plant: a.plant, DB: a.db, Clock: a.clk, Log: a.log, Note: a.jot, Reach: a.opt.Reach,
		Reading: func(id string, r compute.Reading) { a.tenants.Reading(id, r) },
		View:    func(id string, v compute.View) { a.tenants.View(id, v) },
	})
	if err != nil {
		return err
	}
	book, err := ledger.Open(ctx, a.db)
	if err != nil {
		return err
	}
	a.tenants, err = tenants.Open(ctx, tenants.Options{
		Plant: a.plant, DB: a.db, Ledger: book, Clock: a.clk, Log: a.log, Notice: a.opt.Notice, Live: a.Live, Clusters: a.clusters,
		Curtailed: func(id string) []api.CurtailmentView { return a.curtail.Standing(id) },
	})
	if err != nil {
		return err
	}
	a.curtail, err = curtail.Open(ctx, curtail.Options{
		Plant: a.plant, DB: a.db, Clock: a.clk, Log: a.log, Note: a.jot, Live: a.Live, Terms: a.tenants.Right, Every: a.ahead.Every(),
		Planned: func() []curtail.Planned { return a.takings() },
	})
	return err
}

func (a *App) openRecords(ctx context.Context) (err error) {
	if a.journal, err = journal.Open(ctx, a.db, journal.Options{Log: a.log}); err != nil {
		return err
	}
	f := a.opt.File
	if a.grid, err = grid.Open(ctx, grid.Options{Plant: a.plant, DB: a.db, Clock: a.clk, Log: a.log}); err != nil {
		return err
	}
	if a.opt.Record != "" {
		if a.recorder, err = recorder.Open(a.opt.Record, a.plant.Tree, a.log); err != nil {
			return err
		}
	}
	if a.ahead, err = ahead.Open(ctx, ahead.Options{Plant: a.plant, Market: a.market, DB: a.db, Log: a.log, Signals: a.grid.Combined, Record: a.recorder.Plan}); err != nil {
		return err
	}
	if a.book, err = billing.Open(ctx, a.db, billing.Contracts{Zone: a.plant.Zone, Tree: a.plant.Tree, Groups: f.Groups, Tenants: f.Tenants, Clusters: f.Clusters}); err != nil {
		return err
	}
	if a.history, err = telemetry.OpenHistory(filepath.Join(a.db.Dir(), "history"), telemetry.HistoryOptions{Log: a.log}); err != nil {
		return err
	}
	a.Desk = &desk.Desk{Journal: a.journal, Book: a.book, Hist: a.history, Clock: a.clk, Zone: a.plant.Zone, Log: a.log}
	ids := make([]site.DeviceID, 0, len(a.plant.Specs))
	for _, s := range a.plant.Specs {
		ids = append(ids, s.Target.Device)
	}
	a.hub = telemetry.NewHub(ids...)
	sources := a.sources()
	a.integ = telemetry.NewIntegrator(telemetry.Options{MaxGap: 3 * time.Minute}, sources...)
	doc, err := a.book.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if doc != nil {
		if err := a.integ.Restore(doc, a.clk.Now()); err != nil {
			return fmt.Errorf("take up the metering where it stopped: %w; if this store belongs to another run of site time, choose another store.dir", err)
		}
	}
	if err := a.openDelivery(ctx); err != nil {
		return err
	}
	a.inbox = inbox.New(a.plant, a.hub, a.integ)
	for _, s := range sources {
		a.inbox.Source[s.Device] = s
	}
	return nil
}

// sources names every meter, booked to itself, and every miner, booked to its group.
func (a *App) sources() []telemetry.Source {
	var out []telemetry.Source
	for i := range a.plant.Tree.Len() {
		n := a.plant.Tree.Node(i)
		if n.Meter != "" {
			a.meters = append(a.meters, n.Meter)
			out = append(out, telemetry.Source{Device: n.Meter, Subject: string(n.Meter), Max: n.Limit.Scale(3)})
		}
	}
	for _, m := range a.plant.Miners {
		out = append(out, telemetry.Source{Device: m.ID, Subject: a.plant.Groups[m.Group].ID, Max: m.Nameplate.Scale(3)})
	}
	return out
}

// newControl makes the loop's state, taking up what the last run kept.
func (a *App) newControl(ctx context.Context) (*control, error) {
	p := a.plant
	c := &control{
		a: a, limits: bounds.Limits{Plant: p, File: market.FileLimits(p.File), Signals: a.grid.Limits}, state: &reconcile.State{}, house: make([]telemetry.House, p.Tree.Len()),
		devices: make([]reconcile.Device, len(p.Miners)), work: make([]unit.Hashrate, len(p.Miners)), workAt: make([]time.Time, len(p.Miners)),
		slowest: make([]time.Duration, len(p.Groups)), shedFor: make([]string, len(p.Groups)),
		seen: make([]time.Time, len(p.Tenants)), reserve: make([]unit.Power, len(p.Tenants)), margin: make([]unit.Power, len(p.Tenants)),
		plan: a.journal.LastPlan(), awards: map[site.LoadID]site.Award{}, announced: map[site.LoadID]site.Award{}, alarms: map[string]api.Alert{}, toldAt: make([]time.Time, len(p.Miners)), learned: time.Now(), kept: make(chan error, 1),
		started: a.clk.Now(), readyBy: time.Now().Add(15 * time.Second),
	}
	for j, m := range p.Miners {
		g := &p.Groups[m.Group]
		c.devices[j] = reconcile.Device{
			ID: m.ID, Load: g.Load, Node: m.Node, Nameplate: m.Nameplate, Standby: m.Standby, Hashrate: m.Hashrate,
			MinRest: g.MinRest, MinRun: g.MinRun,
		}
	}
	for _, t := range p.Tenants {
		c.headroom = append(c.headroom, dispatch.NewHeadroom(t.Firm, t.Ramp))
		c.reserve[len(c.headroom)-1] = t.Firm
	}
	return c, c.restore(ctx)
}

// Run runs the site until ctx ends: sockets, control loop, settlement and API. It blocks.
func (a *App) Run(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.opt.File.API.Listen)
	if err != nil {
		return fmt.Errorf("listen for the API: %w; choose another address with api.listen", err)
	}
	if a.opt.Bound != nil {
		a.opt.Bound(l.Addr())
	}
	defer calm.Thrift(len(a.plant.Miners))()
	parts, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	var served error
	sockets, hangUp := context.WithCancel(context.WithoutCancel(ctx)) // what devices are told at the stop goes through them
	defer hangUp()
	wg.Go(func() { a.fleet.Run(sockets) })
	wg.Go(func() { _ = a.market.Run(parts) }) // nil unless it is told to end
	wg.Go(func() { a.keepBooks(parts) })
	wg.Go(func() { a.grid.Run(parts) })
	wg.Go(func() { a.ahead.Run(parts) })
	wg.Go(func() { a.clusters.Run(parts) })
	wg.Go(func() { a.tenants.Run(parts) })
	wg.Go(func() { a.curtail.Run(parts) })
	wg.Go(func() { a.recorder.Run(parts) })
	wg.Go(func() { a.points.Run(parts) })
	wg.Go(func() { a.places.Run(parts) })
	wg.Go(func() { a.notifier.Run(parts) })
	wg.Go(func() { a.care.Run(parts) })
	wg.Go(func() { a.studies.Run(parts) })
	wg.Go(func() {
		served = api.Serve(parts, l, a.Handler(), a.log)
		stop() // without its face the site is blind to its people: stop in order
	})
	a.ctl.loop(parts)
	close(a.ended)
	a.calm.Release()
	a.ctl.leave(context.WithoutCancel(ctx))
	hangUp()
	stop()
	wg.Wait()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	a.grid.Close(end)
	return errors.Join(served, a.settleOnce(end, true), a.tenants.Keep(end))
}

// Close closes the store and what stands on it. Run must have returned.
func (a *App) Close() error {
	var errs []error
	if a.journal != nil {
		errs = append(errs, a.journal.Close())
	}
	if a.history != nil {
		errs = append(errs, a.history.Close())
	}
	if a.points != nil {
		errs = append(errs, a.points.Close())
	}
	if a.db != nil {
		errs = append(errs, a.db.Close())
	}
	errs = append(errs, a.recorder.Close())
	return errors.Join(errs...)
}

// Handler returns the HTTP face.
func (a *App) Handler() http.Handler {
	var page fs.FS // none in a binary that was built before its page
	if web.Built() {
		page = web.Dist()
	}
	s := api.Site{
		Screens: a, Records: a, Operator: a, Stream: a, Audit: a, Tokens: a.tokens, Metrics: api.Metrics(a, a), History: a.history,
		Devices: a.care, Rollouts: a.care, Care: a.care, Silences: a.care, Ahead: a, Studies: a.studies,
		Page: page, Version: a.opt.Version, Log: a.log,
	}
	if a.clusters.Len() > 0 {
		s.Clusters = a.clusters
	}
	if len(a.tenants.Tenants()) > 0 {
		s.Tenancy, s.Bills, s.Curtailments = a.tenants, tenants.Bills{Tenants: a.tenants}, a.curtail
	}
	return api.Handler(s)
}

// stateDoc is what the loop keeps between runs. Commands given after Seq are in the journal
// and are told to the reconciler when the state is taken up again.
type stateDoc struct {
	Seq      int64                      `json:"seq"`
	Devices  json.RawMessage            `json:"devices"`
	Headroom map[string]json.RawMessage `json:"headroom"`
}

const stateKey = "app.state"
