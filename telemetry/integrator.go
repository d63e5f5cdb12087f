package telemetry

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// ErrFuture says that a checkpoint is from a later site time than now: the store belongs
// to another run of site time.
var ErrFuture = errors.New("the checkpoint is from the future")

// longest is the longest time over which intervals are made up after the controller was
// away; past it counting starts anew and the gap stays in the record as a gap.
const longest = 31 * 24 * time.Hour

type bucketKey struct {
	subject string
	start   int64 // Unix seconds
}

// Integrator turns samples into the energy and hashes of each interval. Intervals close in
// order, each once; they are kept, and told again by Close, until Settled takes them, so a
// full disk loses none.
type Integrator struct {
	opts Options

	mu       sync.Mutex
	sources  map[site.DeviceID]*meter
	subjects map[string]int // how many sources each has
	next     time.Time      // start of the oldest open interval; zero before the first sample
	resumed  time.Time      // site time of Restore; zero in a fresh start
	open     map[bucketKey]*bucket
	closed   []Interval // not yet settled
}

// NewIntegrator makes an integrator of the given sources.
func NewIntegrator(opts Options, sources ...Source) *Integrator {
	g := &Integrator{
		opts: opts.defaults(), sources: make(map[site.DeviceID]*meter, len(sources)),
		subjects: map[string]int{}, open: map[bucketKey]*bucket{},
	}
	for _, s := range sources {
		g.set(s)
	}
	return g
}

// Set adds a source, or changes what is known of one, such as where its register wraps.
func (g *Integrator) Set(s Source) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.set(s)
}

func (g *Integrator) set(s Source) {
	m := g.sources[s.Device]
	if m == nil {
		m = &meter{}
		g.sources[s.Device] = m
	} else {
		g.subjects[m.Subject]--
	}
	m.Source = s
	g.subjects[s.Subject]++
}

// Observe takes a sample; one of an unknown device is ignored.
func (g *Integrator) Observe(s site.Sample) { g.observe(s, false) }

// Assume takes a sample whose figures come from a model instead of the device: its time
// counts as estimated.
func (g *Integrator) Assume(s site.Sample) { g.observe(s, true) }

func (g *Integrator) observe(s site.Sample, modelled bool) {
	p := point{At: s.At.UTC(), Modelled: modelled}
	if w := s.At.Sub(s.Asked); !s.Asked.IsZero() && w > 0 && w <= time.Minute {
		p.At, p.Width = p.At.Add(-w/2), w // true of some moment between them
	}
	p.Power = opt{int64(s.Power.V), s.Power.OK}
	p.Register = opt{int64(s.Energy.V), s.Energy.OK}
	w := work{At: p.At, PH: s.Hashrate.V.PH(), OK: s.Hashrate.OK}
	if s.State == site.StateSleeping && !w.OK {
		w.PH, w.OK = 0, true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.sources[s.Device]
	if m == nil {
		return
	}
	if g.next.IsZero() || p.At.Sub(g.next) > longest {
		g.begin(Span(p.At))
	}
	if p.At.After(m.Seen) {
		m.Seen, m.Silent = p.At, false
	}
	g.add(m, p)
	g.mine(m, w)
}

// begin starts counting at a time, forgetting what was open long before it.
func (g *Integrator) begin(at time.Time) {
	g.next = at
	clear(g.open)
	for _, m := range g.sources {
		m.Last, m.Work, m.Owed, m.Rest = point{}, work{}, 0, 0
	}
}

// Close closes every interval that is over at now (site time) and that each source has been
// heard beyond, or whose grace is over; after a restart the grace starts with the restart.
// It returns all closed intervals not yet settled, oldest first, each subject in each.
func (g *Integrator) Close(now time.Time) []Interval {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.next.IsZero() {
		end := g.next.Add(Length)
		deadline := later(end, g.resumed).Add(g.opts.Grace)
		if now.Before(end) || now.Before(deadline) && g.waiting(end) {
			break
		}
		g.closeNext(end)
	}
	return append([]Interval(nil), g.closed...)
}

func (g *Integrator) waiting(end time.Time) bool {
	heard := false
	for _, m := range g.sources {
		if m.Silent || m.Seen.IsZero() {
			continue
		}
		if m.Seen.Before(end) {
			return true
		}
		heard = true
	}
	return !heard // nobody speaks: the grace decides
}

func (g *Integrator) closeNext(end time.Time) {
	for _, m := range g.sources {
		if m.Seen.Before(end) {
			m.Silent = true
		}
		g.hold(m, end)
	}
	names := make([]string, 0, len(g.subjects))
	for name, n := range g.subjects {
		if n > 0 {
			names = append(names, name)
		}
	}
	for k := range g.open { // of a source that is no longer there: what it used still counts
		if k.start == g.next.Unix() && g.subjects[k.subject] <= 0 {
			names = append(names, k.subject)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		k := bucketKey{name, g.next.Unix()}
		b := g.open[k]
		if b == nil {
			b = &bucket{}
		}
		delete(g.open, k)
		whole := time.Duration(g.subjects[name]) * Length
		g.closed = append(g.closed, Interval{
			Subject: name, Start: g.next, Energy: unit.Energy(b.Energy), Hashes: b.Hashes, Sources: g.subjects[name],
			Measured: b.Measured, Estimated: b.Estimated, Missing: max(0, whole-b.Measured-b.Estimated),
		})
	}
	g.next = end
}

// hold lets the last power of a meter with a register stand in for the part of the closing
// interval that it has not covered.
func (g *Integrator) hold(m *meter, end time.Time) {
	if !m.Last.Register.OK || !m.Last.Power.OK || !m.Last.At.Before(end) {
		return
	}
	from, to := later(m.Last.At, g.next), end
	if last := m.Last.At.Add(g.opts.Hold); last.Before(to) {
		to = last
	}
	if !from.Before(to) {
		return
	}
	e := int64(unit.Power(m.Last.Power.V).Over(to.Sub(from)))
	m.Owed += e
	g.book(m.Subject, from, to, e, site.Estimated)
}

// Settled lets go of the closed intervals that start at or before through: they are in the record.
func (g *Integrator) Settled(through time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := 0
	for i < len(g.closed) && !g.closed[i].Start.After(through) {
		i++
	}
	g.closed = append([]Interval(nil), g.closed[i:]...)
}

// Next returns the start of the oldest interval that is still open; zero before the first sample.
func (g *Integrator) Next() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.next
}

// checkpoint is the integrator's state as JSON keeps it.
type checkpoint struct {
	Version int       `json:"version"`
	Next    time.Time `json:"next"`
	Sources []meter   `json:"sources"`
	Open    []kept    `json:"open"`
	Closed  []kept    `json:"closed"`
}

type kept struct {
	Subject string    `json:"subject"`
	Start   time.Time `json:"start"`
	bucket
	Sources int           `json:"sources,omitempty"`
	Missing time.Duration `json:"missing,omitempty"`
}

// Checkpoint returns the whole state. Keep it in the transaction that settles the intervals
// Close returned: then a restart from it loses no interval and makes none twice.
func (g *Integrator) Checkpoint() ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := checkpoint{Version: 1, Next: g.next}
	for _, m := range g.sources {
		c.Sources = append(c.Sources, *m)
	}
	sort.Slice(c.Sources, func(i, k int) bool { return c.Sources[i].Device < c.Sources[k].Device })
	for k, b := range g.open {
		c.Open = append(c.Open, kept{Subject: k.subject, Start: time.Unix(k.start, 0).UTC(), bucket: *b})
	}
	for _, i := range g.closed {
		c.Closed = append(c.Closed, kept{
			Subject: i.Subject, Start: i.Start, Sources: i.Sources, Missing: i.Missing,
			bucket: bucket{int64(i.Energy), i.Hashes, i.Measured, i.Estimated},
		})
	}
	data, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("checkpoint of the intervals: %w", err)
	}
	return data, nil
}

// Restore takes up a checkpoint at a site time. Sources keep their present settings; those
// that are no longer there are left out. Of a checkpoint older than a month only the closed
// intervals are taken. Empty data changes nothing.
func (g *Integrator) Restore(data []byte, now time.Time) error {
	if len(data) == 0 {
		return nil
	}
	var c checkpoint
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("restore the intervals: %w", err)
	}
	if c.Version != 1 {
		return fmt.Errorf("restore the intervals: checkpoint version %d is not known", c.Version)
	}
	if c.Next.After(now.Add(Length)) {
		return fmt.Errorf("restore the intervals: %w: it stands at %s and site time is %s", ErrFuture,
			c.Next.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next, g.resumed = c.Next, now
	if now.Sub(c.Next) > longest {
		g.next, c.Sources, c.Open = time.Time{}, nil, nil
	}
	for _, was := range c.Sources {
		if m := g.sources[was.Device]; m != nil {
			source := m.Source
			*m = was
			m.Source = source
		}
	}
	clear(g.open)
	for _, k := range c.Open {
		b := k.bucket
		g.open[bucketKey{k.Subject, k.Start.Unix()}] = &b
	}
	g.closed = g.closed[:0]
	for _, k := range c.Closed {
		g.closed = append(g.closed, Interval{
			Subject: k.Subject, Start: k.Start.UTC(), Energy: unit.Energy(k.Energy), Hashes: k.Hashes,
			Sources: k.Sources, Measured: k.Measured, Estimated: k.Estimated, Missing: k.Missing,
		})
	}
	return nil
}
