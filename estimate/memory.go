package estimate

import (
	"math"
	"time"

	"switchyard/site"
)

// Times of readings. A reading is true of a moment some seconds ago, hashrate follows power
// within a minute, and a device that was read lately is still what it was.
const (
	freshFor  = 60 * time.Second  // an outlet's reading
	staleFrom = 120 * time.Second // a device that was not read since: what it does is a guess
	settling  = 45 * time.Second  // after a change until a device's figures are steady
	pastTick  = 15 * time.Second
	// pastLevels reach back over the moment that is learned from and the settling before it.
	pastLevels = 6
	obeying    = 30 * time.Second // after an order until a reading can be its outcome
)

// What counts as a change, as a share of nameplate power, of rated hashrate, of the target.
const (
	powerStep  = 0.06
	hashStep   = 0.12
	targetStep = 0.02
	// Some firmwares' hashrate jumps about by ten per cent: a change is what stands clear of that.
	standOut  = 5.0
	hashCreep = 0.05
	creepOut  = 2.5
	// Weights of a new reading.
	powerWeight = 0.3
	fastWeight  = 0.5
	slowWeight  = 0.15
)

// memory is what is remembered of one miner. Times are nanoseconds, power is in watts.
type memory struct {
	id       site.DeviceID
	cell     int32
	at       int64 // of the newest reading
	state    site.State
	target   float64
	power    site.Opt[float64]   // smoothed since the change
	hash     site.Opt[float64]   // share of rated, smoothed
	ref      float64             // power when it changed
	jitter   float64             // mean deviation of the share by itself
	fast     float64             // share, smoothed less
	last     float64             // newest share
	steps    float64             // from the one before to the newest
	readings float64             // since the change
	draw     float64             // figure of the last step
	levels   [pastLevels]float32 // what it drew of late by its readings alone, one each tick
	sources  [pastLevels]source  // and what each was known by
	moved    float64             // by how much that has changed, signed; from 0 W where it was not known
	swung    float64             // the same, of what was known by the same source only
}

// source is what a level was known by. The outlet and all else differ without any change.
type source uint8

const (
	nothing source = iota
	byOutlet
	byDevice
)

func (r *raw) source(mem *memory) source {
	switch {
	case r.kind == fixed && r.method == Outlet:
		return byOutlet
	case r.method == Unknown || mem.at == 0:
		return nothing
	}
	return byDevice
}

// takeMiners remembers the readings, works out each miner's figure by itself, and adds up what
// learning and reconciling need.
func (e *Estimator) takeMiners(in Input) {
	e.match(in.Miners)
	for _, c := range e.cells {
		c.sums = sums{}
	}
	if len(e.raws) != len(in.Miners) {
		e.raws = make([]raw, len(in.Miners))
	}
	now := in.Now.UnixNano()
	tick := now-e.tickAt >= int64(pastTick)
	if tick {
		e.tickAt = now
		e.ticks++
	}
	for i := range in.Miners {
		m, mem := &in.Miners[i], &e.mem[i]
		c := e.cells[mem.cell]
		p := plate(m)
		mem.take(m, p)
		r := c.judge(m, mem, p, now)
		mem.draw = r.power
		if tick {
			mem.levels[e.ticks%pastLevels], mem.sources[e.ticks%pastLevels] = float32(r.level), r.source(mem)
		}
		e.count(c, m, mem, &r, p, now)
		e.raws[i] = r
	}
	for _, c := range e.cells {
		c.scatter()
	}
}

// match lines the memories up with the miners, which mostly come in the order of the last step.
func (e *Estimator) match(miners []Miner) {
	same := len(e.mem) == len(miners)
	for i := 0; same && i < len(miners); i++ {
		k := e.cells[e.mem[i].cell].key
		same = e.mem[i].id == miners[i].ID && k.group == miners[i].Group && k.node == e.node(&miners[i])
	}
	if same {
		return
	}
	old := make(map[site.DeviceID]memory, len(e.mem))
	for _, m := range e.mem {
		old[m.id] = m
	}
	e.mem = make([]memory, len(miners))
	for i := range miners {
		m := old[miners[i].ID]
		m.id, m.cell = miners[i].ID, int32(e.cellOf(&miners[i]))
		e.mem[i] = m
	}
}

func (e *Estimator) node(m *Miner) int {
	if m.Node < 0 || m.Node >= e.tree.Len() {
		return 0
	}
	return m.Node
}

// take remembers a new reading.
func (m *memory) take(in *Miner, p scale) {
	if in.At.IsZero() {
		return
	}
	at := in.At.UnixNano()
	if at <= m.at {
		return
	}
	var power, hash site.Opt[float64]
	if in.Power.OK {
		power = site.Some(in.Power.V.Watts())
	}
	if in.Hashrate.OK && p.rated > 0 {
		if x := float64(in.Hashrate.V) / p.rated; x >= 0 && x < 3 {
			hash = site.Some(x)
		}
	}
	target := in.Target.Or(0).Watts()
	watts := p.watts
	if watts <= 0 {
		watts = max(m.ref, 1000)
	}
	jumped := m.hash.OK && hash.OK && math.Abs(hash.V-m.hash.V) > max(hashStep, standOut*m.jitter)
	changed := m.at == 0 || in.State != m.state || power.OK != m.power.OK || hash.OK != m.hash.OK || jumped ||
		math.Abs(power.V-m.ref) > powerStep*watts || math.Abs(target-m.target) > targetStep*watts
	m.at, m.state, m.target = at, in.State, target
	if changed {
		m.power, m.hash, m.ref, m.fast, m.last, m.steps, m.readings = power, hash, power.V, hash.V, hash.V, 0, 1
		return
	}
	m.power.V += powerWeight * (power.V - m.power.V)
	m.follow(hash.V)
}

// follow smooths a hashrate that did not jump, learns how much it jumps about, and notices when
// it creeps away all the same.
func (m *memory) follow(x float64) {
	m.readings++
	step := x - m.last
	if m.readings > 2 { // a ramp's steps are alike, those of jitter are not
		m.jitter += 0.1 * (min(math.Abs(step-m.steps), 0.5)/2.4 - m.jitter)
	}
	m.last, m.steps = x, step
	m.fast += fastWeight * (x - m.fast)
	m.hash.V += max(slowWeight, 1/m.readings) * (x - m.hash.V)
	if math.Abs(m.fast-m.hash.V) > max(hashCreep, creepOut*m.jitter) {
		m.hash.V, m.readings = m.fast, 2
	}
}

// share is the hashrate of an awake miner as a share of rated, or what comes nearest to it.
func (m *memory) share(p scale) (x float64, seen bool) {
	switch {
	case m.hash.OK:
		return m.hash.V, true
	case m.target > 0 && p.watts > 0:
		return min(m.target/p.watts, 1.5), false
	}
	return 1, false
}

// kind says how a miner's power enters the equation of its meter.
type kind uint8

const (
	fixed  kind = iota // power is as it is
	scaled             // its reading, times the scale
	asleepKind
	curved
	loose // a guess, and changing by itself
)

// raw is one miner's figure by itself.
type raw struct {
	power  float64 // W
	single float64 // W^2: variance of its own
	common float64 // W: error that all of its cell share
	method Method
	kind   kind
	x      float64 // share of rated hashrate
	level  float64 // W: the figure but for what is learned, to see it move
}

// judge works out a miner's figure by itself.
func (c *cell) judge(m *Miner, mem *memory, p scale, now int64) raw {
	r := c.bare(mem, p, now)
	if m.Outlet.OK && m.Outlet.V >= 0 && p.bears(m.Outlet.V.Watts()) && now-m.OutletAt.UnixNano() <= int64(freshFor) {
		w := m.Outlet.V.Watts()
		r = raw{power: w, single: sq(0.01*w + 1), common: 0.003 * w, method: Outlet, kind: fixed, x: r.x}
	}
	switch r.kind {
	case scaled:
		r.level = mem.power.V
	case curved:
		r.level = p.watts * r.x
	case asleepKind:
		r.level = p.standby
	default:
		r.level = r.power
	}
	if r.method == Unknown {
		return r
	}
	mem.shift(r.level, r.source(mem))
	r.single += sq(0.5 * mem.swung)
	if told := m.Told; !told.IsZero() && told.UnixNano() > mem.at-int64(obeying) && r.kind != loose {
		r.single += sq(0.3 * p.watts)
	}
	return r
}

// bare is the figure from the device's own readings and its cell's curve.
func (c *cell) bare(mem *memory, p scale, now int64) raw {
	if mem.at == 0 || now-mem.at > int64(staleFrom) {
		return c.guess(mem, p)
	}
	reported := site.Opt[float64]{}
	if mem.power.OK && mem.power.V >= 1 && p.bears(mem.power.V) {
		reported = mem.power
	}
	switch {
	case asleep(mem.state, mem.hash):
		return c.sleeper(reported, p)
	case p.watts <= 0 && reported.OK:
		w := reported.V * c.state(stScale)
		return raw{power: w, single: sq(0.1 * w), common: c.sd(stScale) * reported.V, method: Device, kind: scaled}
	case p.watts <= 0:
		return raw{}
	case hashing(mem.state, mem.hash):
		return c.worker(mem, reported, p)
	}
	return c.starter(mem, reported, p)
}

// guess is the figure of a miner that was not read, or not lately: what it was, or full work.
func (c *cell) guess(mem *memory, p scale) raw {
	switch {
	case mem.at == 0 && p.watts > 0:
		return raw{power: p.watts, single: sq(0.4 * p.watts), method: Nameplate, kind: loose}
	case mem.at == 0 || p.watts <= 0 && mem.draw <= 0:
		return raw{}
	}
	wide := 0.35
	if asleep(mem.state, mem.hash) {
		wide = 0.15
	}
	return raw{power: mem.draw, single: sq(wide * max(p.watts, mem.draw)), method: Nameplate, kind: loose}
}

func (c *cell) sleeper(reported site.Opt[float64], p scale) raw {
	learned := c.state(stSleep) * p.standby
	r := raw{power: learned, single: sq(0.3*learned + 3), common: c.sd(stSleep) * p.standby, method: Nameplate, kind: asleepKind}
	_, sd, _ := prior()
	if c.sd(stSleep) < 0.5*sd[stSleep] {
		r.method = Curve
	}
	switch {
	case reported.OK && reported.V <= 4*p.standby+30:
		return raw{power: reported.V, single: sq(0.3*reported.V + 5), method: Device, kind: asleepKind}
	case reported.OK: // it says that it rests, and that it draws: either may be true
		r.single += sq(reported.V / 3)
	}
	return r
}

func (c *cell) worker(mem *memory, reported site.Opt[float64], p scale) raw {
	x, seen := mem.share(p)
	y, sd := c.curve(x)
	curve, common := y*p.watts, sd*p.watts
	k := c.state(stScale)
	if reported.OK {
		w := k * reported.V
		near := math.Abs(w-curve) <= 0.4*max(curve, 0.5*p.watts)
		if near || c.trust {
			return raw{power: w, single: sq(c.spread * w), common: math.Hypot(c.sd(stScale)*reported.V, floorError*w), method: Device, kind: scaled, x: x}
		}
	}
	r := raw{power: curve, single: sq((curveSpread + 0.01) * curve), common: math.Hypot(common, floorError*curve), method: Nameplate, kind: curved, x: x}
	if c.sd(stFull) < learnedSD {
		r.method = Curve
	}
	if !seen {
		r.single = sq(0.15 * p.watts)
	}
	if reported.OK { // and was not believed
		r.single += sq(0.1 * p.watts)
	}
	return r
}

// starter is on its way up, or wants to work and cannot: what it draws, it may say.
func (c *cell) starter(mem *memory, reported site.Opt[float64], p scale) raw {
	if reported.OK {
		w := reported.V * c.state(stScale)
		return raw{power: w, single: sq(0.1*w + 10), method: Device, kind: loose}
	}
	y, _ := c.curve(mem.hash.Or(0))
	w := max(y*p.watts, p.standby)
	if mem.hash.Or(0) == 0 {
		w = p.standby + 0.05*p.watts
	}
	return raw{power: w, single: sq(0.15 * p.watts), method: Nameplate, kind: loose}
}

// shift finds by how much what it draws differs from any time of late. Learning waits until the
// past is known; for the figure itself what was not known did not change.
func (m *memory) shift(level float64, by source) {
	m.moved, m.swung = 0, 0
	for i, l := range m.levels {
		d := level - float64(l)
		if math.Abs(d) > math.Abs(m.moved) {
			m.moved = d
		}
		if m.sources[i] == by && by != nothing && math.Abs(d) > math.Abs(m.swung) {
			m.swung = d
		}
	}
}

// count adds the miner to its cell's sums, as of the moment that is learned from.
func (e *Estimator) count(c *cell, m *Miner, mem *memory, r *raw, p scale, now int64) {
	s, then := &c.sums, now-int64(lag)
	if r.method == Unknown {
		return
	}
	s.moved += mem.moved
	s.loose += sq(mem.moved)
	if mem.at < then-int64(lag) && r.kind != fixed {
		s.loose += sq(0.1 * p.watts)
	}
	if t := m.Told; !t.IsZero() && t.UnixNano() > then-int64(settling) && t.UnixNano() > mem.at-int64(obeying) {
		s.moved += 0.3 * p.watts
	}
	switch r.kind {
	case fixed:
		s.known += r.power
	case loose:
		s.known += r.power
		s.loose += r.single
		s.moved += 0.03 * p.watts
	case scaled:
		s.phi[stScale] += mem.power.V
	case asleepKind:
		s.phi[stSleep] += p.standby
	case curved:
		s.phi[stFull] += p.watts * r.x
		s.phi[stIdle] += p.watts * (1 - r.x)
	}
	s.common += r.common
	if math.Abs(mem.moved) < 0.15*p.watts && hashing(mem.state, mem.hash) && mem.hash.OK && mem.power.Or(1) > 0 {
		c.compare(mem, r, p)
	}
}

// compare adds what a steady miner at work tells in two ways.
func (c *cell) compare(mem *memory, r *raw, p scale) {
	s, x := &c.sums, mem.hash.V
	if r.kind == fixed {
		s.outlet.n++
		s.outlet.power += r.power
		s.outlet.full += p.watts * x
		s.outlet.idle += p.watts * (1 - x)
	}
	if !mem.power.OK {
		return
	}
	y, _ := c.curve(x)
	off := math.Abs(c.state(stScale)*mem.power.V-y*p.watts) / max(y*p.watts, 0.5*p.watts)
	if off > 0.4 {
		s.far++
		if !c.trust {
			return
		}
	} else {
		s.offN++
		s.off += off
	}
	if r.kind == fixed {
		s.both.n++
		s.both.power += r.power
		s.both.told += mem.power.V
		return
	}
	s.tied.n++
	s.tied.power += mem.power.V
	s.tied.full += p.watts * x
	s.tied.idle += p.watts * (1 - x)
}
