// Package delivery owns what was wanted of each hosted tenant's feeder and not delivered:
// how much energy, and for how long it had no power or less than it wanted.
//
// It never cuts anybody and never bills; it compares meters with awards.
//
// Concurrency: a Tracker is safe for concurrent use and never blocks for long.
package delivery

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"switchyard/billing/sla"
	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

// reducedShare is the part of what it wants above which a tenant counts as having all of it.
const reducedShare = 0.98

// Tracker follows all tenants.
type Tracker struct {
	loads []site.LoadID

	mu   sync.Mutex
	want []unit.Power // by tenant: its draw when it was last given all of it
	last time.Time    // of the last step that was counted
	open map[time.Time]map[site.LoadID]span
}

// span is one interval of one tenant; cut is the part of Short for which its feeder had no power.
type span struct {
	usage.Delivery
	cut unit.Energy
}

// New makes a tracker of tenants, in the order in which Step and Lack are told of them.
func New(loads ...site.LoadID) *Tracker {
	return &Tracker{loads: loads, want: make([]unit.Power, len(loads)), open: map[time.Time]map[site.LoadID]span{}}
}

// Tenant is how one stands at a step.
type Tenant struct {
	Load  site.LoadID
	Draw  site.Opt[unit.Power] // by its own meter
	Award site.Award
	Given bool // Award is there
}

// lack is firm power that a tenant wanted and does not get, and whether its feeder has no power
// at all. A hosted tenant's machines are not ours to tell: an award below its draw means that the
// site lacks the power, and the tenant's meter shows whether it came to that. While its feeder has
// voltage, what it draws is what it wants, however much that wanders; a feeder that was cut draws
// nearly nothing, and then it lacks what it drew when the shortage began, and no more than the
// shortage. Where the draw is not known all of its firm power counts as wanted: the whole
// shortage is lacking, and its feeder is cut if next to nothing of it is left.
func (d *Tracker) lack(i int, t Tenant) (short unit.Power, cut bool) {
	if !t.Given {
		return 0, false
	}
	a := t.Award
	if !t.Draw.OK {
		short = max(a.Full-a.Power, 0)
		return short, short > 0 && sla.NoPower(a.Power, a.Full)
	}
	if a.Power >= min(max(t.Draw.V, d.want[i]), a.Full) {
		d.want[i] = t.Draw.V // no shortage
		return 0, false
	}
	d.want[i] = max(d.want[i], t.Draw.V)
	if sla.NoPower(t.Draw.V, d.want[i]) {
		short = min(d.want[i]-t.Draw.V, max(d.want[i]-a.Power, 0))
		return short, short > 0
	}
	return 0, false
}

// Lack is what the i-th tenant lacks now: with a feeder that was cut, or by what it is given where
// its meter is silent.
func (d *Tracker) Lack(i int, t Tenant) unit.Power {
	d.mu.Lock()
	defer d.mu.Unlock()
	short, _ := d.lack(i, t)
	return short
}

// Step counts what was wanted and not given since the last step. A step that comes more than a
// minute after the last counts nothing: nobody looked.
func (d *Tracker) Step(now time.Time, tenants []Tenant) {
	d.mu.Lock()
	defer d.mu.Unlock()
	since := now.Sub(d.last)
	d.last = now
	if since <= 0 || since > time.Minute {
		return
	}
	start := telemetry.Span(now)
	m := d.open[start]
	if m == nil {
		m = map[site.LoadID]span{}
		d.open[start] = m
	}
	for i, t := range tenants {
		short, cut := d.lack(i, t)
		x := m[t.Load]
		want := max(d.want[i], t.Draw.Or(0))
		if short > 0 && !t.Draw.OK {
			want = max(want, t.Award.Full)
		}
		x.Wanted += want.Over(since)
		switch {
		case short > 0 && !cut:
			x.Reduced += since
			x.Short += short.Over(since)
		case short > 0:
			x.Down += since
			x.Short += short.Over(since)
			x.cut += short.Over(since)
		case t.Given && t.Draw.OK && t.Award.Power < want && t.Draw.V < want.Scale(reducedShare):
			x.Reduced += since
			x.Short += (want - t.Draw.V).Over(since)
		}
		m[t.Load] = x
	}
}

// Of returns what is known of the interval that starts at start, by load, and the firm energy
// that was not delivered to feeders that were cut.
func (d *Tracker) Of(start time.Time) (all map[string]usage.Delivery, short map[site.LoadID]unit.Energy) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for load, x := range d.open[start] {
		if all == nil {
			all = map[string]usage.Delivery{}
		}
		all[string(load)] = x.Delivery
		if x.cut > 0 {
			if short == nil {
				short = map[site.LoadID]unit.Energy{}
			}
			short[load] = x.cut
		}
	}
	return all, short
}

// checkpoint is a Tracker's state as JSON keeps it, by load.
type checkpoint struct {
	Want map[site.LoadID]int64              `json:"want"` // mW
	Open map[time.Time]map[site.LoadID]kept `json:"open"`
}

// kept is a span, its energies in milliwatt-hours: as JSON units are rounded for people.
type kept struct {
	Wanted  int64         `json:"wanted"`
	Short   int64         `json:"short"`
	Cut     int64         `json:"cut"`
	Down    time.Duration `json:"down"`
	Reduced time.Duration `json:"reduced"`
}

// Checkpoint returns the whole state as JSON, to be kept before what Of tells is settled: a
// shortage that began before a restart goes on after it, by what was wanted then.
func (d *Tracker) Checkpoint() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := checkpoint{Want: map[site.LoadID]int64{}, Open: map[time.Time]map[site.LoadID]kept{}}
	for i, id := range d.loads {
		c.Want[id] = int64(d.want[i])
	}
	for start, all := range d.open {
		c.Open[start] = map[site.LoadID]kept{}
		for id, x := range all {
			c.Open[start][id] = kept{int64(x.Wanted), int64(x.Short), int64(x.cut), x.Down, x.Reduced}
		}
	}
	data, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("checkpoint of delivery: %w", err)
	}
	return data, nil
}

// maxOpen bounds the intervals that a checkpoint brings back: a month nobody settled.
const maxOpen = 10_000

// Restore takes up the state of a checkpoint; of tenants that are no longer there it is
// forgotten. Nil or empty data is a fresh start. What was not delivered while nobody looked is
// not known and counts nothing.
func (d *Tracker) Restore(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	var c checkpoint
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("restore delivery: %w", err)
	}
	if len(c.Open) > maxOpen {
		return fmt.Errorf("restore delivery: %d open intervals are more than %d", len(c.Open), maxOpen)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, id := range d.loads {
		d.want[i] = unit.Power(max(c.Want[id], 0))
	}
	for start, all := range c.Open {
		m := map[site.LoadID]span{}
		for id, x := range all {
			if slices.Contains(d.loads, id) {
				m[id] = span{usage.Delivery{Wanted: unit.Energy(x.Wanted), Short: unit.Energy(x.Short), Down: x.Down, Reduced: x.Reduced}, unit.Energy(x.Cut)}
			}
		}
		d.open[start.UTC()] = m
	}
	return nil
}

// Settled lets go of the intervals that start at or before through: they are in the record.
func (d *Tracker) Settled(through time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for start := range d.open {
		if !start.After(through) {
			delete(d.open, start)
		}
	}
}
