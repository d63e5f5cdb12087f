// Package counting owns the energy of machines and GPUs between polls: from their counters, which
// may start again at zero, else from their power, by settlement interval.
//
// It never asks a machine and never shares energy out: readings come in, figures go out.
//
// Concurrency: Counters are safe for concurrent use; no call blocks.
package counting

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"sync"
	"time"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

// Options set Counters up; zero fields take the defaults.
type Options struct {
	// MaxGap is the longest time between two readings over which power stands in for a counter,
	// and within which a counter's rise is measured though an interval ends in it; default 1 min.
	MaxGap time.Duration
	// Hold is how long the last power of a source stands in for it when it is silent as an
	// interval closes; its counter settles the difference. Default 15 min.
	Hold time.Duration
	// MaxGPU and MaxNode are more than a GPU and a machine can draw: a counter that leaps by more is
	// not believed. Default 3 kW and 150 kW.
	MaxGPU, MaxNode unit.Power
}

const (
	maxNodes  = 20_000    // of one Counters; readings of more are dropped
	maxGPUs   = 64        // of one machine
	maxSpans  = 24        // intervals that one source may have open
	forget    = time.Hour // after which a GPU that its machine no longer names is forgotten
	maxFuture = 24 * time.Hour
)

// Counters gather each machine's and GPU's energy between polls: from counters, which may start
// again at zero, else from power. They are bounded, and their state can be kept as JSON.
type Counters struct {
	opts Options

	mu     sync.Mutex
	nodes  map[string]*nodeCount
	closed time.Time // the end of the last interval that was closed
}

type nodeCount struct {
	Whole series   `json:"whole"`
	GPUs  []series `json:"gpus,omitempty"` // by index
}

// series is one source of energy.
type series struct {
	Index int    `json:"index"`
	Ref   string `json:"ref,omitempty"`
	UUID  string `json:"uuid,omitempty"`
	Model string `json:"model,omitempty"`
	// At, Power and Counter are the last reading's. Booked is the counter's standing up to which
	// energy was booked: beyond Counter where a silence was bridged.
	At      time.Time `json:"at"`
	Power   known     `json:"power"`
	Counter known     `json:"counter"`
	Booked  int64     `json:"booked,omitempty"`
	Until   time.Time `json:"until"` // up to when energy was booked
	Spans   []span    `json:"spans,omitempty"`
}

// Machine is one machine's energy in an interval, all of it and its GPUs'.
type Machine struct {
	Name   string
	Energy Figure
	GPUs   []GPU // by index
}

// GPU is one GPU's energy in an interval.
type GPU struct {
	Index  int
	Ref    string // "gpu-1/GPU-3f…"
	Model  string // as its readings name it
	Energy Figure
}

// Figure is an energy with how it was come by. Missing: not known, and Energy says nothing.
type Figure struct {
	Energy  unit.Energy
	Quality site.Quality
}

const length = telemetry.Length

// known is a figure in milliwatts or milliwatt-hours, as integers: as JSON units are rounded for people.
type known struct {
	V  int64 `json:"v"`
	OK bool  `json:"ok"`
}

// span is what was booked into one interval.
type span struct {
	Start     int64         `json:"start"` // Unix seconds
	Energy    int64         `json:"energy"`
	Measured  time.Duration `json:"measured"`
	Estimated time.Duration `json:"estimated"`
}

// New makes Counters that have seen nothing.
func New(o Options) *Counters {
	o.MaxGap, o.Hold = cmp.Or(o.MaxGap, time.Minute), cmp.Or(o.Hold, 15*time.Minute)
	o.MaxGPU, o.MaxNode = cmp.Or(o.MaxGPU, 3*unit.Kilowatt), cmp.Or(o.MaxNode, 150*unit.Kilowatt)
	return &Counters{opts: o, nodes: map[string]*nodeCount{}}
}

// Observe takes a reading. One that is older than the last of its machine is passed over.
func (c *Counters) Observe(r compute.Reading) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.nodes[r.Node]
	if n == nil {
		if len(c.nodes) >= maxNodes || r.Node == "" {
			return
		}
		n = &nodeCount{}
		c.nodes[r.Node] = n
	}
	if r.Power.OK || r.Energy.OK {
		c.observe(&n.Whole, r.At, r.Power, r.Energy, c.opts.MaxNode)
	}
	for _, g := range r.GPUs {
		if s := n.gpu(r.Node, g); s != nil {
			c.observe(s, r.At, g.Power, g.Energy, c.opts.MaxGPU)
		}
	}
}

// gpu returns the series of a GPU: a new one where another GPU is in its place.
func (n *nodeCount) gpu(node string, g compute.GPU) *series {
	at, found := slices.BinarySearchFunc(n.GPUs, g.Index, func(s series, index int) int { return cmp.Compare(s.Index, index) })
	if !found {
		if len(n.GPUs) >= maxGPUs {
			return nil
		}
		n.GPUs = slices.Insert(n.GPUs, at, series{Index: g.Index})
	}
	s := &n.GPUs[at]
	if !found || g.UUID != "" && s.UUID != g.UUID {
		if found && s.UUID != "" {
			s.Counter, s.Power, s.At, s.Until, s.Booked = known{}, known{}, time.Time{}, time.Time{}, 0
		}
		s.UUID, s.Ref = g.UUID, node+"/"+cmp.Or(g.UUID, strconv.Itoa(g.Index))
	}
	s.Model = cmp.Or(g.Model, s.Model)
	return s
}

func (c *Counters) observe(s *series, at time.Time, p site.Opt[unit.Power], e site.Opt[unit.Energy], most unit.Power) {
	at = at.UTC()
	power, counter := known{int64(p.V), p.OK}, known{int64(e.V), e.OK}
	if p.V < 0 || p.V > most {
		power = known{}
	}
	if e.V < 0 || int64(e.V) > mostCounted {
		counter = known{}
	}
	if !s.At.IsZero() && !at.After(s.At) {
		return
	}
	if s.At.IsZero() || at.Sub(s.At) > maxFuture {
		// The first reading, or so long after the last that nothing is made up: counting begins anew.
		s.At, s.Until, s.Power, s.Counter, s.Booked = at, at, power, counter, counter.V
		return
	}
	if !at.After(s.Until) && (!counter.OK || !s.Counter.OK || counter.V >= s.Counter.V) {
		// This time was bridged already: what the counter rose by beyond it comes with the next reading.
		s.At, s.Power = at, power
		if counter.OK && s.Counter.OK {
			s.Counter = counter
		}
		return
	}
	dt := at.Sub(s.At)
	from := later(s.Until, s.At)
	mean, haveMean := meanOf(s.Power, power)
	switch {
	case s.Counter.OK && counter.OK && counter.V >= s.Counter.V && counter.V-s.Booked <= int64(most.Over(dt)+slack):
		// The counter's rise, less what was booked ahead of it.
		rise := max(counter.V-s.Booked, 0)
		q := site.Measured
		if dt > c.opts.MaxGap && telemetry.Span(from) != telemetry.Span(at.Add(-1)) || s.Until.After(s.At) {
			q = site.Estimated // its split between intervals is
		}
		s.book(from, at, rise, q, c.closed)
		s.Booked = max(counter.V, s.Booked)
	case s.Counter.OK && counter.OK:
		// It started again at zero, or leapt: what it has counted since counts, the rest is by power.
		since := int64(0)
		if counter.V < s.Counter.V && counter.V <= int64(most.Over(dt)+slack) {
			since = counter.V
		}
		e := since
		if haveMean {
			e = max(e, int64(mean.Over(dt)))
		}
		ahead := s.Booked - s.Counter.V
		if haveMean || since > 0 {
			s.book(from, at, max(e-ahead, 0), site.Estimated, c.closed)
		}
		s.Booked = counter.V
	default:
		if haveMean && at.Sub(from) <= max(c.opts.MaxGap, c.opts.Hold) {
			e := int64(mean.Over(at.Sub(from)))
			s.book(from, at, e, site.Estimated, c.closed)
			s.Booked += e
		}
		if s.Counter.OK { // not told this once: it settles what stood in for it
			counter = s.Counter
		} else {
			s.Booked = counter.V
		}
	}
	s.At, s.Until, s.Power, s.Counter = at, later(at, s.Until), power, counter
}

// part returns the part d of whole of e; neither e nor d is negative.
func part(e int64, d, whole time.Duration) int64 {
	if d >= whole {
		return e
	}
	hi, lo := bits.Mul64(uint64(max(e, 0)), uint64(max(d, 0)))
	q, _ := bits.Div64(hi, lo, uint64(whole)) // hi < whole, since d < whole and e < 2^63
	return int64(q)
}

// slack is what a counter may be off by its own steps.
const slack = 10 * unit.WattHour

// mostCounted is more than any counter can have counted: 1.15 TWh.
const mostCounted = 1 << 60

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func meanOf(a, b known) (unit.Power, bool) {
	switch {
	case a.OK && b.OK:
		return unit.Power((a.V + b.V) / 2), true
	case a.OK:
		return unit.Power(a.V), true
	}
	return unit.Power(b.V), b.OK
}

// book puts energy into the intervals of [from, to), by time. What belongs to a closed interval
// goes into the first open one, so that nothing is lost.
func (s *series) book(from, to time.Time, e int64, q site.Quality, closed time.Time) {
	if !from.Before(to) {
		return
	}
	open := later(from, closed)
	if !open.Before(to) {
		return
	}
	whole := to.Sub(open)
	var done int64
	for at := open; at.Before(to); {
		start := telemetry.Span(at)
		end := start.Add(length)
		if end.After(to) {
			end = to
		}
		up := part(e, end.Sub(open), whole)
		s.add(start.Unix(), up-done, end.Sub(at), q)
		done, at = up, end
	}
}

func (s *series) add(start int64, e int64, d time.Duration, q site.Quality) {
	at, found := slices.BinarySearchFunc(s.Spans, start, func(x span, start int64) int { return cmp.Compare(x.Start, start) })
	if !found {
		s.Spans = slices.Insert(s.Spans, at, span{Start: start})
	}
	x := &s.Spans[at]
	x.Energy += e
	if q == site.Measured {
		x.Measured += d
	} else {
		x.Estimated += d
	}
	if len(s.Spans) > maxSpans { // nobody closes them: the oldest are given up
		s.Spans = slices.Delete(s.Spans, 0, len(s.Spans)-maxSpans)
	}
}

// Close returns what each machine used in the interval from start, and lets go of it and of all
// before. The models are the readings' own names. An interval is to be closed once its last
// readings are in, and each once.
func (c *Counters) Close(start time.Time) []Machine {
	c.mu.Lock()
	defer c.mu.Unlock()
	start = start.UTC()
	end := start.Add(length)
	out := make([]Machine, 0, len(c.nodes))
	for name, n := range c.nodes {
		m := Machine{Name: name, Energy: c.close(&n.Whole, start, end)}
		n.GPUs = slices.DeleteFunc(n.GPUs, func(s series) bool { return end.Sub(s.At) > forget && len(s.Spans) == 0 })
		for i := range n.GPUs {
			s := &n.GPUs[i]
			m.GPUs = append(m.GPUs, GPU{Index: s.Index, Ref: s.Ref, Model: s.Model, Energy: c.close(s, start, end)})
		}
		if len(n.GPUs) == 0 && end.Sub(n.Whole.At) > forget && len(n.Whole.Spans) == 0 {
			delete(c.nodes, name)
			continue
		}
		out = append(out, m)
	}
	c.closed = later(c.closed, end)
	slices.SortFunc(out, func(a, b Machine) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (c *Counters) close(s *series, start, end time.Time) Figure {
	if !s.At.IsZero() && s.Until.Before(end) && s.Power.OK {
		// Silent at the interval's end: its last power stands in, and its counter settles it.
		to := s.At.Add(c.opts.Hold)
		if to.After(end) {
			to = end
		}
		if from := later(s.Until, start); from.Before(to) {
			e := int64(unit.Power(s.Power.V).Over(to.Sub(from)))
			s.book(from, to, e, site.Estimated, c.closed)
			s.Booked += e
			s.Until = to
		}
	}
	f := Figure{Quality: site.Missing}
	for len(s.Spans) > 0 && s.Spans[0].Start <= start.Unix() {
		if x := s.Spans[0]; x.Start == start.Unix() {
			f = Figure{Energy: unit.Energy(x.Energy), Quality: site.Estimated}
			if x.Measured >= length && x.Estimated == 0 {
				f.Quality = site.Measured
			}
		}
		s.Spans = slices.Delete(s.Spans, 0, 1)
	}
	return f
}

// countersState is what a checkpoint holds.
type countersState struct {
	Version int                   `json:"version"`
	Closed  time.Time             `json:"closed"`
	Nodes   map[string]*nodeCount `json:"nodes"`
}

// Checkpoint returns the whole state as JSON, to be kept with what Close returned.
func (c *Counters) Checkpoint() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	data, err := json.Marshal(countersState{1, c.closed, c.nodes})
	if err != nil {
		return nil, fmt.Errorf("checkpoint of the GPUs' energy: %w", err)
	}
	return data, nil
}

// maxCheckpoint bounds a checkpoint in bytes.
const maxCheckpoint = 256 << 20

// Restore takes up the state of a checkpoint in place of what is there. One that is damaged is
// an error, and changes nothing.
func (c *Counters) Restore(data []byte) error {
	if len(data) > maxCheckpoint {
		return fmt.Errorf("restore the GPUs' energy: %d bytes are more than %d", len(data), maxCheckpoint)
	}
	var s countersState
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("restore the GPUs' energy: %w", err)
	}
	if err := s.check(); err != nil {
		return fmt.Errorf("restore the GPUs' energy: %w", err)
	}
	if s.Nodes == nil {
		s.Nodes = map[string]*nodeCount{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes, c.closed = s.Nodes, s.Closed.UTC()
	return nil
}

func (s countersState) check() error {
	if s.Version != 1 || len(s.Nodes) > maxNodes {
		return fmt.Errorf("version %d with %d machines: this program knows version 1 and %d machines", s.Version, len(s.Nodes), maxNodes)
	}
	for name, n := range s.Nodes {
		if n == nil || name == "" || len(n.GPUs) > maxGPUs {
			return fmt.Errorf("machine %q has no state, or that of too many GPUs", name)
		}
		for _, x := range append([]series{n.Whole}, n.GPUs...) {
			if err := x.check(); err != nil {
				return fmt.Errorf("machine %s: %w", name, err)
			}
		}
		if !slices.IsSortedFunc(n.GPUs, func(a, b series) int { return cmp.Compare(a.Index, b.Index) }) {
			return fmt.Errorf("machine %s: its GPUs are not in order", name)
		}
	}
	return nil
}

func (s series) check() error {
	const most = mostCounted
	if len(s.Spans) > maxSpans || s.Counter.V < 0 || s.Counter.V > most || s.Booked < 0 || s.Booked > most || s.Power.V < 0 || s.Power.V > most {
		return errors.New("figures out of range")
	}
	for _, x := range s.Spans {
		if x.Energy < 0 || x.Energy > most || x.Measured < 0 || x.Estimated < 0 {
			return errors.New("an interval with figures out of range")
		}
	}
	return nil
}
