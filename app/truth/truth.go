// Package truth owns the figure of what each miner draws as the running site has it: it
// gathers readings, outlets and meters for the estimator, step by step, and gives out what
// that says.
//
// It never decides and never talks to a device.
//
// Concurrency: Step and Doc are for one goroutine, the control loop's. Figure and Estimate
// are safe for concurrent use and do not block.
package truth

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"switchyard/app/plant"
	"switchyard/care"
	"switchyard/discover"
	"switchyard/estimate"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/telemetry"
	"switchyard/unit"
)

// cordsEvery is how often it is asked anew which outlets a device is plugged into: a rack map
// may name a device by its MAC, which is known once it has answered.
const cordsEvery = 5 * time.Minute

// cord is one outlet that a device is plugged into.
type cord struct {
	unit   site.DeviceID
	outlet string
}

// Truth knows what each miner draws.
type Truth struct {
	p      *plant.Plant
	racked func(site.DeviceID) []discover.Cord
	est    *estimate.Estimator
	in     estimate.Input
	fixed  map[site.DeviceID][]cord // by the site file
	cords  [][]cord                 // per miner
	corded time.Time
	out    atomic.Pointer[estimate.Output]
	toldAt []atomic.Int64 // per miner: Unix nanoseconds, site time; 0 for never
}

// New makes a Truth that takes up doc, which Doc wrote; nil is nothing. racked says what the
// rack map has a device plugged into.
func New(p *plant.Plant, racked func(site.DeviceID) []discover.Cord, doc []byte) (*Truth, error) {
	t := &Truth{
		p: p, racked: racked, est: estimate.New(p.Tree), fixed: map[site.DeviceID][]cord{}, cords: make([][]cord, len(p.Miners)), toldAt: make([]atomic.Int64, len(p.Miners)),
		in: estimate.Input{Miners: make([]estimate.Miner, len(p.Miners)), Nodes: make([]estimate.Node, p.Tree.Len())},
	}
	for j, m := range p.Miners {
		g := &p.Groups[m.Group]
		t.in.Miners[j] = estimate.Miner{ID: m.ID, Group: g.Load, Node: m.Node, Nameplate: m.Nameplate, Rated: m.Hashrate, Standby: m.Standby}
	}
	for _, u := range p.File.PDUs {
		for outlet, device := range u.Outlets {
			id := site.DeviceID(device)
			t.fixed[id] = append(t.fixed[id], cord{sitefile.PDUID(u.ID), outlet})
		}
	}
	for _, tn := range p.Tenants {
		t.in.Nodes[tn.Node].Tenant = true
	}
	if doc != nil {
		if err := json.Unmarshal(doc, t.est); err != nil {
			return nil, fmt.Errorf("take up what was learned of the miners' power: %w", err)
		}
	}
	return t, nil
}

// Doc is what was learned, to be kept.
func (t *Truth) Doc() ([]byte, error) { return json.Marshal(t.est) }

// Meter is what a node's meter reads; unknown where it has none, or it is not to be believed.
type Meter struct {
	Power site.Opt[unit.Power]
	At    time.Time
}

// Step takes up what is known at now. told says when a miner was last told something else.
func (t *Truth) Step(now time.Time, snap *telemetry.Snapshot, meters []Meter, told func(j int) time.Time) {
	if now.Sub(t.corded) >= cordsEvery {
		t.cord()
		t.corded = now
	}
	units := t.outlets(snap)
	for j := range t.in.Miners {
		m := &t.in.Miners[j]
		r, _ := snap.Get(m.ID)
		if m.Told = told(j); !m.Told.IsZero() {
			t.toldAt[j].Store(m.Told.UnixNano())
		}
		m.Outlet, m.OutletAt = t.outlet(j, units)
		if !r.Sample.OK {
			continue
		}
		s := &r.Sample.V
		m.At, m.State, m.Power, m.Hashrate, m.Target = s.At, s.State, s.Power, s.Hashrate, s.Target
	}
	for i := range t.in.Nodes {
		t.in.Nodes[i].Power, t.in.Nodes[i].At = meters[i].Power, meters[i].At
	}
	t.in.Now = now
	out := t.est.Step(t.in)
	t.out.Store(&out)
}

// cord finds out what every miner is plugged into.
func (t *Truth) cord() {
	for j := range t.cords {
		id := t.p.Miners[j].ID
		t.cords[j] = t.fixed[id]
		if len(t.cords[j]) > 0 {
			continue
		}
		for _, c := range t.racked(id) {
			t.cords[j] = append(t.cords[j], cord{sitefile.PDUID(c.PDU), c.Outlet})
		}
	}
}

// reading is one outlet's newest figure.
type reading struct {
	power site.Opt[unit.Power]
	at    time.Time
}

func (t *Truth) outlets(snap *telemetry.Snapshot) map[cord]reading {
	if len(t.p.File.PDUs) == 0 {
		return nil
	}
	all := map[cord]reading{}
	for _, u := range t.p.File.PDUs {
		id := sitefile.PDUID(u.ID)
		r, _ := snap.Get(id)
		if !r.Sample.OK {
			continue
		}
		for _, o := range r.Sample.V.Outlets {
			all[cord{id, o.Name}] = reading{o.Power, r.Sample.V.At}
		}
	}
	return all
}

// outlet adds up a miner's cords: known only if every one of them is, and as old as the oldest.
func (t *Truth) outlet(j int, units map[cord]reading) (site.Opt[unit.Power], time.Time) {
	var sum unit.Power
	var at time.Time
	for _, c := range t.cords[j] {
		r, ok := units[c]
		if !ok || !r.power.OK {
			return site.Opt[unit.Power]{}, time.Time{}
		}
		sum += r.power.V
		if at.IsZero() || r.at.Before(at) {
			at = r.at
		}
	}
	return site.Opt[unit.Power]{V: sum, OK: len(t.cords[j]) > 0}, at
}

// Figure returns what the j-th miner draws; unknown before the first step.
func (t *Truth) Figure(j int) estimate.Figure {
	out := t.out.Load()
	if out == nil || j >= len(out.Miners) {
		return estimate.Figure{}
	}
	return out.Miners[j]
}

// steadyAfter is how long after an order a device's draw may still be moving.
const steadyAfter = 90 * time.Second

// Steady returns what the j-th miner draws by the newest figure, if that is better than its
// own reading s: it hashes, was told nothing lately, and more than its nameplate is known.
func (t *Truth) Steady(j int, s *site.Sample) (unit.Power, bool) {
	f := t.Figure(j)
	ok := s.State == site.StateHashing && f.Power.OK && f.Method >= estimate.Outlet && f.Method <= estimate.Curve
	if at := t.toldAt[j].Load(); at != 0 && s.At.UnixNano()-at < int64(steadyAfter) {
		ok = false
	}
	return f.Power.V, ok
}

// Estimate is Figure by name, for lists of devices.
func (t *Truth) Estimate(id site.DeviceID) care.Estimate {
	j, ok := t.p.Index(id)
	if !ok {
		return care.Estimate{}
	}
	f := t.Figure(j)
	if f.Method == estimate.Unknown || !f.Power.OK {
		return care.Estimate{}
	}
	return care.Estimate{Power: f.Power, Error: site.Some(f.Error), Method: strings.ToLower(f.Method.String())}
}

// Groups returns what each group draws, with its error; nil before the first step.
func (t *Truth) Groups() []estimate.GroupFigure {
	if out := t.out.Load(); out != nil {
		return out.Groups
	}
	return nil
}

// Nodes returns how what is below each meter adds up; nil before the first step.
func (t *Truth) Nodes() []estimate.NodeFigure {
	if out := t.out.Load(); out != nil {
		return out.Nodes
	}
	return nil
}
