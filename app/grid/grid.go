// Package grid owns the grid's signals in a running site: the sources that the site file
// names, the book that combines what they say, what of it is kept on disk, and how it is told
// to the loop, to the journal and to people.
//
// It never decides which load gives way and never tells a device anything.
//
// Concurrency: a Grid is safe for concurrent use. Only Run, Open and Close block on the disk
// or the network.
package grid

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/app/plant"
	"switchyard/clock"
	"switchyard/journal"
	"switchyard/market"
	"switchyard/signal"
	"switchyard/signal/dsx"
	"switchyard/signal/link"
	"switchyard/signal/modbus"
	"switchyard/signal/mqtt"
	"switchyard/signal/openadr"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/unit"
)

const (
	stateKey = "app.signals"
	// again is how long a source that ended is left alone, machine time.
	again = 5 * time.Second
	// keepEvery is how soon what was said is on disk, machine time.
	keepEvery = 500 * time.Millisecond
	keepTime  = 10 * time.Second
)

// Options are what a Grid is made from.
type Options struct {
	Plant *plant.Plant
	DB    *store.DB
	Clock clock.Clock
	Log   *slog.Logger
}

// Grid is the grid's side of a running site.
type Grid struct {
	// Wake is sent to when something changed that must not wait for the next control period.
	Wake chan struct{}

	opt       Options
	book      *signal.Book
	sources   []signal.Source
	addresses map[string]string
	// firm is contracted below each node, able what all miners there draw above standby at full
	// work; with the losses on the way to it.
	firm, able []unit.Power
	state      atomic.Pointer[State]
	faulty     atomic.Pointer[string] // why what was said is not on disk
}

// Open makes the sources that the site file names and takes up what was kept. It reads
// secrets and the store, and touches no network. A kept document that cannot be read is
// logged: the sources say it all again.
func Open(ctx context.Context, o Options) (*Grid, error) {
	g := &Grid{opt: o, Wake: make(chan struct{}, 1), addresses: map[string]string{}}
	g.firm, g.able = make([]unit.Power, o.Plant.Tree.Len()), make([]unit.Power, o.Plant.Tree.Len())
	for _, m := range o.Plant.Miners {
		g.able[m.Node] += max(m.Nameplate-m.Standby, 0)
	}
	o.Plant.Tree.Lift(g.able)
	for i := range o.Plant.Tenants {
		g.firm[o.Plant.Tenants[i].Node] += o.Plant.Tenants[i].Firm
	}
	o.Plant.Tree.Lift(g.firm)
	terms, err := g.openSources()
	if err != nil {
		return nil, err
	}
	g.book = signal.NewBook(signal.Options{
		Tree: o.Plant.Tree, Sources: terms, Now: o.Clock.Now, Firm: o.Plant.FirmBelow,
		Meter: g.meter, MeterOf: g.meterOf, Drawn: g.drawn, Wake: g.wake,
	})
	doc, err := o.DB.GetState(ctx, stateKey)
	if err != nil {
		return nil, fmt.Errorf("take up the signals: %w", err)
	}
	if err := g.book.Restore(doc, o.Clock.Now()); err != nil {
		o.Log.Error("the grid's signals of before are lost; their senders are asked anew", "reason", err)
	}
	for _, s := range g.sources {
		if r, ok := s.(signal.Resumer); ok {
			r.Resume(g.book.Said(s.Name()))
		}
	}
	return g, nil
}

// Host is what a source sees of the site.
func (g *Grid) Host() signal.Host { return g.book }

func (g *Grid) wake() {
	select {
	case g.Wake <- struct{}{}:
	default:
	}
}

// openSources makes every source, and says what the book must know of each.
func (g *Grid) openSources() (terms []signal.Terms, err error) {
	f := g.opt.Plant.File
	add := func(s signal.Source, protocol, address, node string, lost sitefile.LostSignal) {
		g.sources = append(g.sources, s)
		g.addresses[s.Name()] = address
		terms = append(terms, signal.Terms{
			Name: s.Name(), Protocol: protocol, Node: site.NodeID(node), Lost: lost, Silent: protocol == sitefile.ModbusSource,
		})
	}
	for _, c := range f.Signals.OpenADR {
		s, err := g.openADR(c)
		if err != nil {
			return nil, fmt.Errorf("open signal source %s: %w", c.Name, err)
		}
		add(s, "openadr", c.URL, c.Node, c.Lost)
	}
	for _, c := range f.Signals.MQTT {
		s, protocol, err := g.openMQTT(c)
		if err != nil {
			return nil, fmt.Errorf("open signal source %s: %w", c.Name, err)
		}
		add(s, protocol, c.Broker, c.Node, c.Lost)
	}
	if c := f.Signals.Modbus; c != nil {
		s, err := modbus.New(*c, g.opt.Log)
		if err != nil {
			return nil, fmt.Errorf("open signal source %s: %w", modbus.Name, err)
		}
		add(s, sitefile.ModbusSource, c.Listen, c.Node, c.Lost)
	}
	return terms, nil
}

func (g *Grid) openADR(c sitefile.OpenADR) (signal.Source, error) {
	f := g.opt.Plant.File
	o := openadr.Options{Site: f.Site.Name, Log: g.opt.Log, Clock: g.opt.Clock}
	var err error
	if o.ClientID, o.Secret, err = f.Login(c.Client); err != nil {
		return nil, err
	}
	if c.WebhookToken != "" {
		if o.WebhookToken, err = f.Secret(c.WebhookToken); err != nil {
			return nil, err
		}
	}
	return openadr.New(c, o)
}

func (g *Grid) openMQTT(c sitefile.MQTT) (s signal.Source, protocol string, err error) {
	whole, secrets, err := link.Resolve(g.opt.Plant.File, c)
	if err != nil {
		return nil, "", err
	}
	if c.DSX != nil {
		s, err = dsx.New(whole, secrets.User, secrets.Password, secrets.Sign, g.opt.Log)
		return s, "dsx", err
	}
	s, err = mqtt.New(whole, secrets.User, secrets.Password, g.opt.Log)
	return s, "mqtt", err
}

// Run runs the sources and keeps what they say until ctx ends. A source that ends by itself is
// started again; until it is heard of it ages like one that says nothing.
func (g *Grid) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range g.sources {
		wg.Go(func() { g.follow(ctx, s) })
	}
	if len(g.sources) > 0 {
		for clock.Sleep(ctx, clock.System(), keepEvery) == nil {
			g.keep(ctx, false)
		}
	}
	wg.Wait()
}

func (g *Grid) follow(ctx context.Context, s signal.Source) {
	said := ""
	for ctx.Err() == nil {
		err := s.Run(ctx, g.book)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errEnded
		}
		g.book.Heard(s.Name(), g.opt.Clock.Now(), err)
		if said != err.Error() { // once, and not every five seconds
			said = err.Error()
			g.opt.Log.Error("signal source ended; it is started again", "source", s.Name(), "reason", err)
		}
		_ = clock.Sleep(ctx, clock.System(), again) // ctx ends the loop
	}
}

var errEnded = fmt.Errorf("it ended by itself")

// keep writes what the book holds where it changed.
func (g *Grid) keep(ctx context.Context, always bool) {
	doc, err := g.book.Doc(always)
	if err == nil && doc != nil {
		ctx, cancel := context.WithTimeout(ctx, keepTime)
		err = g.opt.DB.PutState(ctx, stateKey, doc)
		cancel()
	}
	if doc == nil && err == nil {
		return
	}
	if err != nil {
		g.book.Unkept()
		text := err.Error()
		if g.faulty.Swap(&text) == nil {
			g.opt.Log.Error("the grid's signals are not kept over a restart now", "reason", err)
		}
		return
	}
	g.faulty.Store(nil)
}

// Close keeps what the book holds. Run must have returned.
func (g *Grid) Close(ctx context.Context) {
	if len(g.sources) > 0 {
		g.keep(ctx, true)
	}
}

// Turn brings the signals to now and returns what happened, for the journal; loosened says
// that a limit let go.
func (g *Grid) Turn(now time.Time) (notes []journal.Entry, loosened bool) {
	for _, e := range g.book.Turn(now) {
		loosened = loosened || e.Loosens
		kind := journal.KindSignal
		switch e.Kind {
		case signal.Lost:
			kind = journal.KindLost
		case signal.Back:
			kind = journal.KindRestore
		case signal.Refused:
			g.opt.Log.Warn("signal", "source", e.Source, "reason", e.Text)
		}
		notes = append(notes, journal.SignalEntry(now, kind, e.Source, e.ID, string(e.Kind), e.Text))
	}
	return notes, loosened
}

// Limits are the limits in force and to come that the grid asks for.
func (g *Grid) Limits(now time.Time) []site.Limit {
	if len(g.sources) == 0 {
		return nil
	}
	return g.book.At(now).Limits
}

// Combined is all that holds at now and is known to come.
func (g *Grid) Combined(now time.Time) signal.Combined {
	if len(g.sources) == 0 {
		return signal.Combined{At: now}
	}
	return g.book.At(now)
}

// Price returns the price of power at t: the one that the grid sent, with the site file's
// adder as on every price, or else the market's.
func (g *Grid) Price(t time.Time, m *market.Market) market.Quote {
	if len(g.sources) > 0 {
		if p, ok := g.book.PriceAt(t); ok {
			return market.Quote{
				Price: p.Price + g.opt.Plant.File.Market.Price.Adder, From: p.From, To: p.To, Known: true, Source: signal.By(p.Source),
			}
		}
	}
	return m.Price(t)
}

// Sold is what of a reserve is sold by signals at now, over all sources.
func Sold(c signal.Combined, now time.Time) (out []signal.Held) {
	for _, r := range c.Reserves {
		if !now.Before(r.From) && (r.To.IsZero() || now.Before(r.To)) {
			out = append(out, r)
		}
	}
	return out
}

// Alarm is what a person must see of the signals; Key names it as long as it lasts.
type Alarm struct{ Key, Severity, Subject, Text string }

// KeyPrefix begins the key of every Alarm.
const KeyPrefix = "signal "

// Alarms are emergencies, lost sources, and that signals are not kept.
func (g *Grid) Alarms(now time.Time) (out []Alarm) {
	if len(g.sources) == 0 {
		return nil
	}
	for _, n := range g.book.At(now).Notices {
		out = append(out, Alarm{n.Key, n.Severity, "signal:" + n.Source, n.Text})
	}
	if text := g.faulty.Load(); text != nil {
		out = append(out, Alarm{KeyPrefix + "store", "warning", "store", "the grid's signals are not kept over a restart now: " + *text})
	}
	return out
}

// NodeState is how one node stands, for the sources to tell.
type NodeState struct {
	Power    site.Opt[unit.Power]
	Limit    unit.Power    // negative: none
	Flexible unit.Power    // that can be shed below it now
	Within   time.Duration // in which Flexible is down
}

// State is how the site stands: immutable once told.
type State struct {
	At    time.Time
	Nodes []NodeState // in the tree's order
}

// Tell takes the newest state over.
func (g *Grid) Tell(s *State) { g.state.Store(s) }

func (g *Grid) meter() signal.Meter {
	m, _ := g.meterAt(0)
	return m
}

func (g *Grid) meterOf(id site.NodeID) (signal.Meter, bool) {
	i, ok := g.opt.Plant.Tree.Index(id)
	if !ok {
		return signal.Meter{}, false
	}
	return g.meterAt(i)
}

// meterAt is how a node stands; false, with no more than what is contracted there, before the
// first step.
func (g *Grid) meterAt(i int) (signal.Meter, bool) {
	s := g.state.Load()
	if s == nil || i >= len(s.Nodes) {
		return signal.Meter{At: g.opt.Clock.Now(), Firm: g.firm[i]}, false
	}
	n := &s.Nodes[i]
	m := signal.Meter{At: s.At, Power: n.Power, Flexible: n.Flexible, Nameplate: g.able[i], ShedWithin: n.Within, Firm: g.firm[i], Complies: n.Limit < 0}
	if n.Limit >= 0 {
		m.Limit = site.Some(n.Limit)
		m.Complies = n.Power.OK && n.Power.V <= n.Limit // unknown is not below
	}
	return m, true
}

func (g *Grid) drawn(id site.NodeID) site.Opt[unit.Power] {
	m, _ := g.meterOf(id)
	return m.Power
}
