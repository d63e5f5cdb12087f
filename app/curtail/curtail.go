// Package curtail owns the calls by which a running site takes power back from hosted tenants:
// what contracts allow, what the schedule would call, what was called, and what each tenant's
// meter says was given.
//
// It never touches a tenant's machines or feeder, never sheds anybody, and never holds a limit:
// the limiter does, whether a call is followed or not. It never pays: billing does, by the events
// that it keeps.
//
// Concurrency: all methods are safe for concurrent use. Curtailments, Of and Standing work in
// memory and never block for long; Call, Withdraw, Acknowledge and Tick block on the disk.
package curtail

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"switchyard/api"
	"switchyard/app/plant"
	"switchyard/billing/contract"
	"switchyard/billing/usage"
	"switchyard/clock"
	"switchyard/journal"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/unit"
)

const (
	stateKey = "app.curtail"
	// pace is how often what is due is looked at, machine time.
	pace = 2 * time.Second
	// maxCalls bounds what is kept: the oldest of earlier years go first. More calls in a year
	// than that are refused.
	maxCalls = 2000
	// before is how long before it was told a tenant's draw is averaged: what its giving is
	// measured against, the mean load just before the dispatch as grid operators take it.
	before = time.Hour
)

// Planned is power that the schedule would take back.
type Planned struct {
	Tenant   string
	From, To time.Time
	Power    unit.Power
}

// Options are what Curtail is made from.
type Options struct {
	Plant *plant.Plant
	DB    *store.DB
	Clock clock.Clock
	Log   *slog.Logger
	Note  func(journal.Entry)
	// Planned returns what the newest plan would take back, where it is followed; Every is how
	// often it is made anew, site time.
	Planned func() []Planned
	Every   time.Duration
	// Terms returns the curtailment right of a tenant's contract at a time; nil: it has none.
	Terms func(tenant string, at time.Time) *contract.Curtail
	// Live is the newest screen.
	Live func() api.LiveView
}

// Call is one curtailment that was called.
type Call struct {
	ID        string     `json:"id"`
	Tenant    string     `json:"tenant"`
	From      time.Time  `json:"from"`
	To        time.Time  `json:"to"` // as called, whatever became of it
	Power     unit.Power `json:"-"`
	PowerMW   int64      `json:"power_mw"` // Power, in milliwatts: as JSON units are rounded for people
	PriceUSD  float64    `json:"price_usd_mwh"`
	Told      time.Time  `json:"told"`
	By        string     `json:"by"`
	Why       string     `json:"why"`
	Consent   string     `json:"consent"` // what it rests on
	Seen      time.Time  `json:"seen,omitzero"`
	Withdrawn time.Time  `json:"withdrawn,omitzero"`
	// Baseline is the mean draw in the hour before it was told, Given the mean that was drawn
	// less, both in milliwatts; negative: not known. Judged: the meter was asked.
	Baseline int64 `json:"baseline_mw"`
	Given    int64 `json:"given_mw"`
	Judged   bool  `json:"judged"`
}

// end is when it ended or ends.
func (k *Call) end() time.Time {
	if !k.Withdrawn.IsZero() && k.Withdrawn.Before(k.To) {
		if k.Withdrawn.Before(k.From) {
			return k.From
		}
		return k.Withdrawn
	}
	return k.To
}

// touches says whether it takes any of the time from one moment to another; one that was withdrawn
// before it began takes none.
func (k *Call) touches(from, to time.Time) bool {
	return k.From.Before(k.end()) && k.From.Before(to) && from.Before(k.end())
}

func (k *Call) running(now time.Time) bool { return !now.Before(k.From) && now.Before(k.end()) }

// Curtail is all of a site's curtailments.
type Curtail struct {
	opt    Options
	record *usage.Record

	calling sync.Mutex // one call at a time, from its check to the disk

	mu    sync.Mutex
	calls []Call // by when they were told
}

// Open takes up the calls of the last run.
func Open(ctx context.Context, o Options) (*Curtail, error) {
	c := &Curtail{opt: o}
	var err error
	if c.record, err = usage.Open(ctx, o.DB); err != nil {
		return nil, err
	}
	doc, err := o.DB.GetState(ctx, stateKey)
	if err != nil {
		return nil, fmt.Errorf("take up the curtailments that were called: %w", err)
	}
	if doc != nil {
		if err := json.Unmarshal(doc, &c.calls); err != nil {
			return nil, fmt.Errorf("take up the curtailments that were called: %w", err)
		}
	}
	for i := range c.calls {
		c.calls[i].Power = unit.Power(c.calls[i].PowerMW)
	}
	for i := range o.Plant.Tenants {
		c.compare(&o.Plant.Tenants[i])
	}
	return c, nil
}

// compare warns where the site file plans with another right than the contract gives.
func (c *Curtail) compare(t *plant.Tenant) {
	has := c.opt.Terms(t.ID, c.opt.Clock.Now())
	if t.Curtail == nil || has == nil {
		return
	}
	if r := t.Curtail; r.Power != has.Power || r.Hours != has.Hours || r.Notice != has.Notice || r.Price != has.Price {
		c.opt.Log.Warn("the site file's curtail of a tenant differs from its contract's curtailment; the schedule plans with the first, a call must keep both", "tenant", t.ID)
	}
}

// right is what a tenant agreed to: the site file's and the contract's, whichever is stricter.
type right struct {
	contract.Curtail
	call string // ask, auto, never
	name string // what a call by it rests on
}

// rightOf returns a tenant's right at a time; false without one.
func (c *Curtail) rightOf(t *plant.Tenant, at time.Time) (right, bool) {
	file, has := t.Curtail, c.opt.Terms(t.ID, at)
	switch {
	case file == nil && has == nil:
		return right{}, false
	case has == nil:
		return right{contract.Curtail{Power: file.Power, Hours: file.Hours, Notice: file.Notice, Price: file.Price}, file.Call, "the right to " + file.Power.Short() + " in the site file"}, true
	}
	r := right{*has, sitefile.CallNever, "the contract's right to " + has.Power.Short()}
	if file != nil {
		r.call = file.Call
		r.Power, r.Hours, r.Notice = min(r.Power, file.Power), min(r.Hours, file.Hours), max(r.Notice, file.Notice)
	}
	return r, true
}

func (c *Curtail) tenant(id string) (*plant.Tenant, bool) {
	i := slices.IndexFunc(c.opt.Plant.Tenants, func(t plant.Tenant) bool { return t.ID == id })
	if i < 0 {
		return nil, false
	}
	return &c.opt.Plant.Tenants[i], true
}

// used is how long of the calendar year of at power of a tenant is or was called back: hours on
// the clock. No two calls of one tenant overlap. c.mu is held.
func (c *Curtail) used(tenant string, at time.Time) (sum time.Duration) {
	y, _, _ := at.In(c.opt.Plant.Zone).Date()
	from, to := time.Date(y, 1, 1, 0, 0, 0, 0, c.opt.Plant.Zone), time.Date(y+1, 1, 1, 0, 0, 0, 0, c.opt.Plant.Zone)
	for i := range c.calls {
		if k := &c.calls[i]; k.Tenant == tenant && k.touches(from, to) {
			sum += earlier(k.end(), to).Sub(later(k.From, from))
		}
	}
	return sum
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Run calls what is to be called by itself and measures what ended, until ctx ends. It blocks.
func (c *Curtail) Run(ctx context.Context) {
	for clock.Sleep(ctx, clock.System(), pace) == nil {
		c.Tick(ctx)
	}
}

// Tick looks once at what is due.
func (c *Curtail) Tick(ctx context.Context) {
	c.callPlanned(ctx)
	c.measure(ctx)
}

// say puts a sentence about a tenant into the journal.
func (c *Curtail) say(tenant string, kind journal.Kind, text string) {
	c.opt.Note(journal.Entry{At: c.opt.Clock.Now(), Subject: tenant, Kind: kind, Text: text})
}
