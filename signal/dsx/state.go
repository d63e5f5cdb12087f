package dsx

import (
	"time"

	"switchyard/signal"
	"switchyard/signal/link"
	"switchyard/site"
	"switchyard/unit"
)

const (
	// heartbeat is how often a power state is told without a change, in site time.
	heartbeat = 30 * time.Second
	// calm is how long a load must not have grown for its way up to be over.
	calm = time.Minute
	// near is the share of what a feed may draw at which its way up is over.
	near = 0.98
)

// The triggers of a power state.
const (
	targetSet     = "target_set"
	startRampDown = "start_ramp_down"
	endRampDown   = "end_ramp_down"
	startRampUp   = "start_ramp_up"
	endRampUp     = "end_ramp_up"
	periodic      = "periodic"
)

// feed is one power feed: a node under the name that the grid side uses.
type feed struct {
	tag     string
	node    site.NodeID
	targets []target // sorted, apart
	ramp    string   // startRampDown, startRampUp or empty: on its way
	now     *target  // in force at the last look
	began   time.Time
	applied time.Time // when now came into force or changed
	peak    unit.Power
	peaked  time.Time
	meta    *metadata // of the last time without a target
	breach  *breach
}

// The shapes on the wire.
type (
	quantity struct {
		Value float64 `json:"value"`
		Unit  string  `json:"unit"`
	}
	metadata struct {
		Minimum quantity `json:"power_minimum"`
		Maximum quantity `json:"power_maximum"`
		Default quantity `json:"default_constraint"`
		max     unit.Power
	}
	interval struct {
		Start string `json:"start_time,omitempty"`
		End   string `json:"end_time,omitempty"`
	}
	strategy struct {
		BestEffort bool `json:"best_effort"`
	}
	feedTarget struct {
		Active      bool     `json:"active"`
		Constraint  quantity `json:"load_constraint"`
		Interval    interval `json:"interval"`
		Strategy    strategy `json:"strategy"`
		Correlation string   `json:"correlation_id"`
	}
	feedState struct {
		Metadata  metadata     `json:"metadata"`
		Targets   []feedTarget `json:"targets"`
		Load      quantity     `json:"calculated_load"`
		InFlight  bool         `json:"in_flight"`
		Event     string       `json:"event"`
		Started   string       `json:"power_event_start_time,omitempty"`
		Compliant bool         `json:"compliant"`
	}
	snapshot struct {
		Time  string               `json:"snapshot_time"`
		Feeds map[string]feedState `json:"feeds"`
	}
)

// active is the target in force; nil without one.
func (f *feed) active(now time.Time) *target {
	for i := range f.targets {
		if f.targets[i].holds(now) {
			t := f.targets[i]
			return &t
		}
	}
	return nil
}

// load is what a feed counts as drawing: its meter, or without one the nameplate of all
// below it, as everywhere else.
func load(m signal.Meter) unit.Power { return m.Power.Or(m.Firm + m.Able()) }

// follow notices what changed at a feed and tells it.
func (c *Client) follow(h signal.Host, f *feed, now time.Time) {
	f.targets = prune(f.targets, now)
	m, ok := signal.MeterAt(h, f.node)
	if !ok || !m.Known() {
		return // nothing is known yet
	}
	is := f.active(now)
	f.describe(m, is == nil)
	for _, trigger := range f.turn(is, load(m), now) {
		c.state(h, []*feed{f}, trigger, f.correlation())
	}
	if f.ramp == "" && is == nil {
		f.began = time.Time{}
	}
	c.watch(f, m, now)
}

func (f *feed) correlation() string {
	if f.now == nil {
		return ""
	}
	return f.now.correlation
}

// describe takes down the feed's limits while no target holds: they must not change with one.
func (f *feed) describe(m signal.Meter, free bool) {
	if !free && f.meta != nil {
		return
	}
	most := m.Firm + m.Able()
	usual := most
	if free && m.Limit.OK {
		usual = min(usual, m.Limit.V)
	}
	f.meta = &metadata{Minimum: megawatts(m.Firm), Maximum: megawatts(most), Default: megawatts(usual), max: most}
}

// turn moves the feed to the target in force and returns the triggers, in order.
func (f *feed) turn(is *target, drawn unit.Power, now time.Time) (out []string) {
	was := f.now
	f.now = is
	switch {
	case is == nil && was == nil:
	case is != nil && was != nil && is.power == was.power:
	case was == nil || is != nil && is.power < was.power:
		if f.began.IsZero() {
			f.began = now
		}
		f.ramp, f.applied = startRampDown, now
		out = append(out, startRampDown)
	default:
		f.ramp, f.applied, f.peak, f.peaked = startRampUp, now, drawn, now
		out = append(out, startRampUp)
	}
	switch f.ramp {
	case startRampDown:
		if is != nil && drawn <= is.power {
			f.ramp = ""
			out = append(out, endRampDown)
		}
	case startRampUp:
		allowed := f.meta.max
		if is != nil {
			allowed = min(allowed, is.power)
		}
		if drawn > f.peak+f.meta.max/100 {
			f.peak, f.peaked = drawn, now
		}
		if drawn >= allowed.Scale(near) || now.Sub(f.peaked) >= calm {
			f.ramp = ""
			out = append(out, endRampUp)
		}
	}
	return out
}

// state tells a snapshot of all feeds; those of the trigger carry it.
func (c *Client) state(h signal.Host, of []*feed, trigger, correlation string) {
	now := h.Now()
	if c.signer == nil {
		return
	}
	snap := snapshot{Time: iso(now), Feeds: map[string]feedState{}}
	for _, f := range c.feeds {
		m, ok := signal.MeterAt(h, f.node)
		if !ok || !m.Known() {
			continue // what is not known is not told
		}
		f.describe(m, f.active(now) == nil)
		s := f.snapshot(m, now)
		for _, o := range of {
			if o == f {
				s.Event = trigger
			}
		}
		snap.Feeds[f.tag] = s
	}
	if c.said = now; len(snap.Feeds) == 0 {
		return
	}
	c.publish(now, typeStatus, "powerstate/status", 1, correlation, snap)
}

func (f *feed) snapshot(m signal.Meter, now time.Time) feedState {
	drawn := load(m)
	s := feedState{
		Metadata: *f.meta, Targets: []feedTarget{}, Load: megawatts(drawn), InFlight: f.ramp != "", Event: periodic, Compliant: true,
	}
	if !f.began.IsZero() {
		s.Started = iso(f.began)
	}
	for _, t := range f.targets {
		on := t.holds(now)
		w := feedTarget{
			Active: on, Constraint: megawatts(t.power), Interval: interval{Start: iso(t.from)},
			Strategy: strategy{t.best}, Correlation: t.correlation,
		}
		if !t.to.IsZero() {
			w.Interval.End = iso(t.to)
		}
		s.Targets = append(s.Targets, w)
		if on {
			s.Compliant = drawn <= t.power
		}
	}
	return s
}

// publish signs v and sends it on one of our topics.
func (c *Client) publish(now time.Time, kind, topic string, qos byte, correlation string, v any) {
	signed, err := c.signer.sign(v)
	if err == nil {
		var body []byte
		if body, err = makeEvent(c.cfg.DSX.Agent, kind, correlation, c.trace[0], c.trace[1], now, signed); err == nil {
			c.link.Publish(link.Message{Topic: namespace + "dsx-flex-agent/" + c.cfg.DSX.Agent + "/" + topic, Payload: body, QoS: qos})
			return
		}
	}
	c.log.Error("not told", "source", c.cfg.Name, "topic", topic, "error", err)
}
