package care

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"switchyard/api"
	"switchyard/health"
	"switchyard/query"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

const (
	healthKey   = "care.health"
	silencesKey = "care.silences"
	repairsKey  = "care.repairs"

	boardEvery  = 10 * time.Second // site time; at once where an alert began or ended
	healthEvery = 5 * time.Minute  // machine time between writes of the rules' state
	healthSoon  = 15 * time.Second // and where an alert began or ended
	leastRamp   = 3 * time.Minute
	wobble      = 0.02 // of the target, by which it may change without being another
)

// board is what is wrong now. It is immutable.
type board struct {
	at      time.Time
	alerts  []alert
	firing  map[site.DeviceID]health.RuleSet
	single  map[site.DeviceID][]health.Alert
	notices []api.Alert // services that people cannot be told by
}

// alert is an alert with who silenced it.
type alert struct {
	health.Alert
	silenced string // empty: it is not
}

// stepper is what the stepping goroutine remembers.
type stepper struct {
	engine  *health.Engine
	devices []health.Device
	samples []site.Sample // of the devices, so that no step makes new ones
	memos   []memo
	last    time.Time // of the board
	kept    time.Time // machine time
	dirty   bool
	told    map[string]toldAlert
}

// memo is what is remembered of one device from step to step.
type memo struct {
	mode   site.Mode
	known  bool
	target site.Opt[unit.Power]
	told   time.Time // when it was last told something else
	acted  time.Time // when a rollout last told it something
	host   string    // for which pools is
	pools  []site.Pool
}

// keptHealth is the stored form.
type keptHealth struct {
	Rules json.RawMessage      `json:"rules"`
	Told  map[string]toldAlert `json:"told,omitempty"`
}

func (c *Care) restore(ctx context.Context) error {
	n := len(c.opt.Miners)
	c.steps = stepper{
		engine: health.New(c.lim), devices: make([]health.Device, n), samples: make([]site.Sample, n), memos: make([]memo, n),
		told: map[string]toldAlert{}, kept: time.Now(),
	}
	docs := map[string][]byte{healthKey: nil, silencesKey: nil, repairsKey: nil}
	for key := range docs {
		doc, err := c.opt.DB.GetState(ctx, key)
		if err != nil {
			return fmt.Errorf("take up %s: %w", key, err)
		}
		docs[key] = doc
	}
	if doc := docs[healthKey]; doc != nil {
		var k keptHealth
		err := json.Unmarshal(doc, &k)
		if err == nil {
			err = json.Unmarshal(k.Rules, c.steps.engine)
		}
		if err != nil { // it is seen anew within minutes
			c.opt.Log.Warn("the state of the health rules begins anew", "reason", err.Error())
			c.steps.engine = health.New(c.lim)
		}
		for id, t := range k.Told {
			c.steps.told[id] = t
		}
	}
	if err := c.restoreSilences(docs[silencesKey]); err != nil {
		return err
	}
	return c.restoreRepairs(docs[repairsKey])
}

// Step brings the rules up to now, publishes what is wrong, and does what follows from it.
// One goroutine calls it.
func (c *Care) Step(ctx context.Context, now time.Time) {
	p := &c.steps
	c.fill(now)
	changed := p.engine.Step(now, p.devices)
	p.dirty = p.dirty || changed
	ended := c.expire(ctx, now)
	if soon := c.soon.Swap(false); soon || changed || ended || now.Sub(p.last) >= boardEvery || now.Before(p.last) {
		p.last = now
		b := c.makeBoard(now)
		c.board.Store(b)
		c.markRepairs(ctx, now, b)
		c.tellPeople(now, b)
	}
	since := time.Since(p.kept)
	if since >= healthEvery || p.dirty && since >= healthSoon {
		p.kept = time.Now()
		if err := c.keepHealth(ctx); err != nil && ctx.Err() == nil {
			c.opt.Log.Error("the state of the health rules is not kept", "reason", err.Error())
		}
	}
}

func (c *Care) keepHealth(ctx context.Context) error {
	rules, err := json.Marshal(c.steps.engine)
	if err != nil {
		return err
	}
	doc, err := json.Marshal(keptHealth{Rules: rules, Told: c.steps.told})
	if err != nil {
		return err
	}
	if err := c.opt.DB.PutState(ctx, healthKey, doc); err != nil {
		return err
	}
	c.steps.dirty = false
	return nil
}

// fill brings the rules' view of the devices up to the newest readings.
func (c *Care) fill(now time.Time) {
	snap, screen := c.opt.Hub.Snapshot(), c.opt.Loop.CareScreen()
	c.mu.Lock()
	told := c.told
	c.told = map[site.DeviceID]time.Time{}
	c.mu.Unlock()
	for i := range c.opt.Miners {
		m, d, k := &c.opt.Miners[i], &c.steps.devices[i], &c.steps.memos[i]
		last, _ := snap.Get(m.ID)
		*d = health.Device{ID: m.ID, Group: m.Group, Nodes: m.Nodes, Err: last.Err, Nameplate: m.Nameplate, Hashrate: m.Hashrate, Ramp: leastRamp}
		if last.Sample.OK {
			c.steps.samples[i] = last.Sample.V
			d.Sample = &c.steps.samples[i]
		}
		if t, ok := told[m.ID]; ok {
			k.told, k.acted = t, t
		}
		d.Acted = k.acted
		host := m.Address
		if c.opt.Places != nil {
			p := c.opt.Places.Place(m.ID)
			d.Known, d.Stranger, host = p.Known, p.Stranger, or(p.Address, host)
		}
		d.Pools = k.expected(m, host)
		c.fillWork(now, i, screen, d, k)
	}
}

// fillWork fills in what the device is to do, and since when.
func (c *Care) fillWork(now time.Time, i int, screen Screen, d *health.Device, k *memo) {
	st, ok := status(screen, i)
	hold, held := screen.Holds[d.ID]
	d.Asleep = asleep(st, site.Opt[site.Hold]{V: hold, OK: held})
	if ok && st.Known {
		if k.known && (k.mode != st.Mode || st.Pending) {
			k.told = now
		}
		k.mode, k.known = st.Mode, true
	}
	if i < len(screen.Told) {
		d.Sent = screen.Told[i]
	}
	if d.Sample != nil && d.Sample.Target.OK {
		if t := d.Sample.Target.V; !k.target.OK || math.Abs(float64(t-k.target.V)) > wobble*float64(k.target.V) {
			if k.target.OK {
				k.told = now
			}
			k.target = site.Some(t)
		}
	}
	d.Told = k.told
	caps := c.opt.Fleet.Capabilities(d.ID)
	if !caps.OK {
		return
	}
	d.Ramp = max(leastRamp, caps.V.WakeTime)
	if d.Nameplate <= 0 {
		d.Nameplate = caps.V.Nameplate.Or(0)
	}
	if d.Sample == nil || d.Sample.Profile == "" {
		return
	}
	if p := slices.IndexFunc(caps.V.Profiles, func(p site.Profile) bool { return p.Name == d.Sample.Profile }); p >= 0 {
		d.Expect = caps.V.Profiles[p].Hashrate
	}
}

// expected are the pools that a device is to work for, with its worker filled in.
func (k *memo) expected(m *Miner, host string) []site.Pool {
	if len(m.Pools) == 0 || k.pools != nil && k.host == host {
		return k.pools
	}
	k.host, k.pools = host, make([]site.Pool, len(m.Pools))
	for i, p := range m.Pools {
		k.pools[i] = site.Pool{URL: p.URL, Worker: sitefile.WorkerOf(p.Worker, m.ID, host)}
	}
	return k.pools
}

// makeBoard lists what is wrong now, with who silenced it.
func (c *Care) makeBoard(now time.Time) *board {
	p := &c.steps
	b := &board{at: now, firing: map[site.DeviceID]health.RuleSet{}, single: map[site.DeviceID][]health.Alert{}}
	for i := range p.devices {
		if f := p.engine.Firing(i); f != 0 {
			id := p.devices[i].ID
			b.firing[id], b.single[id] = f, p.engine.Of(&p.devices[i], i)
		}
	}
	b.notices = c.noticeAlarms(now, c.board.Load().notices)
	all := p.engine.Alerts(p.devices)
	hush := c.hush(b)
	b.alerts = make([]alert, len(all))
	for i, a := range all {
		b.alerts[i] = alert{Alert: a, silenced: hush(a.Rule, a.Devices)}
	}
	return b
}

// hush returns what says by whom a rule of all of some devices is silenced; empty: it is not.
func (c *Care) hush(b *board) func(r health.Rule, ids []site.DeviceID) string {
	c.mu.Lock()
	silences := slices.Clone(c.silences)
	c.mu.Unlock()
	if len(silences) == 0 {
		return func(health.Rule, []site.DeviceID) string { return "" }
	}
	v := c.view()
	v.board = b
	rows := map[site.DeviceID]*query.Row{}
	row := func(id site.DeviceID) *query.Row {
		r, ok := rows[id]
		if !ok {
			r = &query.Row{}
			c.row(v, c.byID[id], r)
			rows[id] = r
		}
		return r
	}
	return func(r health.Rule, ids []site.DeviceID) string {
		by := ""
		for _, id := range ids {
			i := slices.IndexFunc(silences, func(s *silence) bool { return s.rules.covers(r) && s.covers(id, row) })
			if i < 0 {
				return ""
			}
			by = silences[i].reason()
		}
		return by
	}
}

// healthOf returns what is wrong with one device.
func (c *Care) healthOf(b *board, id site.DeviceID) []api.HealthAlert {
	out := []api.HealthAlert{}
	hush := c.hush(b)
	for _, a := range b.single[id] {
		out = append(out, alertView(alert{Alert: a, silenced: hush(a.Rule, a.Devices)}))
	}
	return out
}

func alertView(a alert) api.HealthAlert {
	return api.HealthAlert{
		ID: a.ID, Rule: a.Rule.String(), Severity: string(a.Severity), Device: string(a.Device), Group: or(a.Group, a.Node), Since: a.Since,
		Text: a.Text, Todo: a.Todo, Silenced: a.silenced,
	}
}

// HealthAlerts returns the alerts in force, worst first.
func (c *Care) HealthAlerts(context.Context) ([]api.HealthAlert, error) {
	b := c.board.Load()
	hush := c.hush(b) // of now, and not of the step before
	out := make([]api.HealthAlert, len(b.alerts))
	for i, a := range b.alerts {
		a.silenced = hush(a.Rule, a.Devices)
		out[i] = alertView(a)
	}
	return out, nil
}

// keep writes one document.
func (c *Care) keep(ctx context.Context, key string, doc any) error {
	c.keeping.Lock()
	defer c.keeping.Unlock()
	b, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if err := c.opt.DB.PutState(ctx, key, b); err != nil {
		return fmt.Errorf("%w: nothing was changed: %w", api.ErrUnavailable, err)
	}
	return nil
}
