// Package care owns what people do for devices, joined for screens: the list of devices, what
// is wrong with them, the list of those that need hands, silences and maintenance, and fleet
// operations. It steps the health rules and tells people of what is new.
//
// It never decides how much power a device gets and never tells a device anything but by way
// of a rollout: sleep, wake and maintenance are holds, as a person sets them.
//
// Concurrency: a Care is safe for concurrent use. Run has one goroutine that steps the rules,
// off the control loop, and one for each open rollout. What is shown is an immutable board,
// swapped atomically; silences and repairs have a lock of their own.
package care

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/api"
	"switchyard/clock"
	"switchyard/driver"
	"switchyard/health"
	"switchyard/journal"
	"switchyard/notify"
	"switchyard/reconcile"
	"switchyard/rollout"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"
)

// Miner is what the site file says of one device; constant.
type Miner struct {
	ID        site.DeviceID
	Group     string
	Nodes     []string // the node it hangs on and all above it; shared
	Driver    string
	Model     string
	Address   string // an IP address
	Nameplate unit.Power
	Hashrate  unit.Hashrate
	Pools     []sitefile.Pool // shared
}

// Miners lists the miners of a site file, in its order.
func Miners(f *sitefile.File, tree *site.Tree) []Miner {
	var out []Miner
	for _, g := range f.Groups {
		var nodes []string
		if n, ok := tree.Index(site.NodeID(g.Node)); ok {
			for ; n >= 0; n = tree.Node(n).Parent {
				nodes = append(nodes, string(tree.Node(n).ID))
			}
		}
		for _, t := range g.Targets() {
			out = append(out, Miner{
				ID: t.Device, Group: g.ID, Nodes: nodes, Driver: g.Driver, Model: g.Model, Address: t.Host,
				Nameplate: g.Nameplate, Hashrate: g.Hashrate, Pools: g.Pools,
			})
		}
	}
	return out
}

// Screen is what the control loop made of its last step. It is immutable.
type Screen struct {
	Status []reconcile.DeviceStatus // in the order of Options.Miners; empty before the first step
	Told   []time.Time              // in the same order: when each was last told something; zero or missing: not known
	Holds  map[site.DeviceID]site.Hold
}

// Loop gives the control loop's newest screen. It does not block.
type Loop interface{ CareScreen() Screen }

// Fleet tells devices; *fleet.Fleet is one.
type Fleet interface {
	rollout.Doer
	Capabilities(id site.DeviceID) site.Opt[site.Capabilities]
}

// Operator holds devices as a person does; it is the controller's.
type Operator interface {
	Hold(ctx context.Context, who string, r api.HoldRequest) (int, error)
	// ReleaseMany lets those of the devices go that a person holds, and returns how many.
	ReleaseMany(ctx context.Context, who string, devices []site.DeviceID) (int, error)
}

// Places knows where devices are and who they are.
type Places interface {
	Place(id site.DeviceID) Place // does not block
	// Adopt takes the stranger at a device's address for the device; api.ErrInvalid where there is
	// none. It blocks on the disk.
	Adopt(ctx context.Context, id site.DeviceID) (was, is site.Identity, err error)
}

// Place is where a device is and who it is known to be; empty fields are not known.
type Place struct {
	Address                string // where it was found; empty: as the site file says
	Rack, Position, Outlet string
	Known                  site.Identity
	Stranger               string // who else answers at its address
}

// Estimates knows what devices draw. It does not block.
type Estimates interface {
	Estimate(id site.DeviceID) Estimate
}

// Estimate is what a device draws, with one standard deviation and how that is known.
type Estimate struct {
	Power, Error site.Opt[unit.Power]
	Method       string // outlet, device, curve, nameplate
}

// Histories knows what single devices told over time. It blocks on the disk.
type Histories interface {
	DeviceHistory(ctx context.Context, id string, from, to time.Time, step time.Duration) (api.DeviceHistoryView, error)
}

// Teller tells people, and says by which services it cannot; *notify.Notifier is one. It does
// not block.
type Teller interface {
	Tell(n notify.Notice)
	Faults() []notify.Fault
}

// Options are what a Care is made from. Those from Places on may be nil.
type Options struct {
	File     *sitefile.File
	Miners   []Miner
	DB       *store.DB
	Clock    clock.Clock
	Log      *slog.Logger
	Hub      *telemetry.Hub
	Loop     Loop
	Fleet    Fleet
	Operator Operator

	Places    Places
	Estimates Estimates
	Histories Histories
	Teller    Teller
	// Note appends to the journal.
	Note func(journal.Entry)
	// Alarms are the controller's own, which people are told of too.
	Alarms func() []api.Alert
	// Hashprice is today's; unknown gives no figures of lost earnings.
	Hashprice func() site.Opt[unit.Hashprice]
}

// Care is what people do for devices. It implements api.Devices, api.Rollouts, api.Care and
// api.Silences.
type Care struct {
	opt  Options
	lim  health.Limits
	byID map[site.DeviceID]int
	run  *rollout.Runner

	board atomic.Pointer[board]
	soon  atomic.Bool // the board is to be made anew with the next step
	steps stepper     // of the goroutine that steps the rules

	mu       sync.Mutex // guards what follows
	silences []*silence
	nextID   int64
	repairs  map[site.DeviceID]*repair
	struck   map[site.DeviceID]time.Time
	told     map[site.DeviceID]time.Time // what rollouts told, and restarts a device

	keeping sync.Mutex // one document at a time goes to the disk

	actedMu sync.Mutex
	acted   map[site.DeviceID]time.Time // when a rollout last told a device something
}

var (
	_ api.Devices  = (*Care)(nil)
	_ api.Rollouts = (*Care)(nil)
	_ api.Care     = (*Care)(nil)
	_ api.Silences = (*Care)(nil)
)

// Open makes a Care and takes up what the last run kept. Nothing is told to any device before Run.
func Open(ctx context.Context, opt Options) (*Care, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Note == nil {
		opt.Note = func(journal.Entry) {}
	}
	c := &Care{opt: opt, lim: limitsOf(opt.File.Health), byID: make(map[site.DeviceID]int, len(opt.Miners)), told: map[site.DeviceID]time.Time{}, acted: map[site.DeviceID]time.Time{}}
	for i := range opt.Miners {
		c.byID[opt.Miners[i].ID] = i
	}
	c.board.Store(&board{})
	if err := c.restore(ctx); err != nil {
		return nil, err
	}
	var err error
	c.run, err = rollout.Open(ctx, opt.DB, rollout.Options{
		Clock: opt.Clock, Doer: opt.Fleet, Holder: holder{c}, Readings: readings{c}, Secret: opt.File.Secret,
		Told: c.wasTold, Ended: c.rolloutEnded, Log: opt.Log,
	})
	return c, err
}

func limitsOf(h sitefile.Health) health.Limits {
	l := health.Limits{ChipTemp: h.ChipTemp, LowHashrate: h.LowHashrate, Stale: h.Stale, After: h.After, Clear: h.Clear}
	for _, name := range h.Off {
		if r, ok := health.RuleOf(name); ok {
			l.Off |= health.SetOf(r)
		}
	}
	if l.Stale <= 0 {
		l.Stale = 5 * time.Minute
	}
	return l
}

// Run steps the rules and carries out rollouts until ctx ends. It blocks.
func (c *Care) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { c.run.Run(ctx) })
	wg.Go(func() { c.loop(ctx) })
	wg.Wait()
}

const (
	stepEvery = 5 * time.Second        // site time
	stepLeast = 250 * time.Millisecond // machine time, where site time runs fast
)

func (c *Care) loop(ctx context.Context) {
	pause := max(stepEvery, time.Duration(c.opt.Clock.Speed()*float64(stepLeast)))
	for ctx.Err() == nil {
		c.Step(ctx, c.opt.Clock.Now())
		timer := c.opt.Clock.NewTimer(pause)
		select {
		case <-timer.C():
		case <-ctx.Done():
		}
		timer.Stop()
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := c.keepHealth(last); err != nil {
		c.opt.Log.Error("the state of the health rules is not kept", "reason", err.Error())
	}
}

// readings is what rollouts see of devices.
type readings struct{ c *Care }

// Reading returns the newest that is known of a device.
func (r readings) Reading(id site.DeviceID) rollout.Reading {
	c := r.c
	i, ok := c.byID[id]
	if !ok {
		return rollout.Reading{Err: fmt.Errorf("%s: %w", id, api.ErrNotFound)}
	}
	last, _ := c.opt.Hub.Snapshot().Get(id)
	out := rollout.Reading{Err: last.Err, Failed: last.FailedAt, Host: c.address(i)}
	if last.Sample.OK {
		out.Sample = &last.Sample.V
	}
	if st, ok := status(c.opt.Loop.CareScreen(), i); ok && st.Known && !st.Held && !st.ByHand && !st.Quarantined {
		switch {
		case st.Waiting != "":
			out.Rests = "it waits for its turn to start"
		case st.Mode == site.ModeSleep:
			out.Rests = "it follows the market, which has it asleep"
		}
	}
	return out
}

func status(s Screen, i int) (*reconcile.DeviceStatus, bool) {
	if i >= len(s.Status) {
		return nil, false
	}
	return &s.Status[i], true
}

// address is where a device is now.
func (c *Care) address(i int) string {
	if c.opt.Places != nil {
		if a := c.opt.Places.Place(c.opt.Miners[i].ID).Address; a != "" {
			return a
		}
	}
	return c.opt.Miners[i].Address
}

// holder puts devices to sleep and lets them go, as a person does.
type holder struct{ c *Care }

// Sleep holds devices asleep.
func (h holder) Sleep(ctx context.Context, who, note string, ids []site.DeviceID) error {
	_, err := h.c.opt.Operator.Hold(ctx, who, api.HoldRequest{Devices: names(ids), Mode: "sleep", Note: cut(note, 500)})
	return err
}

// Wake releases devices that are held, or that a person found asleep. Those that nobody holds
// any more are released already.
func (h holder) Wake(ctx context.Context, who string, ids []site.DeviceID) error {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id site.DeviceID) bool {
		_, known := h.c.byID[id]
		return !known // the site file has lost it since
	})
	_, err := h.c.opt.Operator.ReleaseMany(ctx, who, ids)
	return err
}

func names(ids []site.DeviceID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// cut bounds a text, between characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 {
		most--
	}
	return s[:most]
}

// hurry has the board made anew with the next step.
func (c *Care) hurry() { c.soon.Store(true) }

// wasTold hears of what rollouts tell, so that a restart of ours is no flapping.
func (c *Care) wasTold(id site.DeviceID, at time.Time, who, what string) {
	c.mu.Lock()
	c.told[id] = at
	c.mu.Unlock()
	c.actedMu.Lock()
	c.acted[id] = at
	c.actedMu.Unlock()
	c.opt.Note(journal.Entry{At: at, Subject: string(id), Device: id, Kind: journal.KindNote, Code: site.ReasonHold, Text: who + ": " + what})
}

// Hushed says whether a device may be away because of what a rollout told it: for as long as
// it takes to come back, and some minutes more. It does not block.
func (c *Care) Hushed(id site.DeviceID, now time.Time) bool {
	c.actedMu.Lock()
	at, ok := c.acted[id]
	c.actedMu.Unlock()
	if !ok {
		return false
	}
	d := health.Device{Acted: at, Ramp: c.ramp(id)}
	return d.Hushed(now)
}

// ramp is how long a device takes to be at work again.
func (c *Care) ramp(id site.DeviceID) time.Duration {
	return max(leastRamp, c.opt.Fleet.Capabilities(id).V.WakeTime)
}

// cause is why no reading comes, for people.
func cause(err error) string {
	switch {
	case err == nil:
		return "no reading came yet"
	case errors.Is(err, driver.ErrUnauthorized):
		return driver.ErrUnauthorized.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	return err.Error()
}
