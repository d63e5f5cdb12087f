package estimate

import (
	"math"

	"switchyard/site"
)

// The states of a cell, all as shares: a true watt to a reported one; power asleep to the
// standby of the file; power at rated hashrate to the nameplate; and power of an awake miner
// at no hashrate, carried on from full work, to the nameplate.
const (
	stScale = iota
	stSleep
	stFull
	stIdle
	states
)

// What is believed before anything is learned, and how it may drift: readings and nameplates
// are within some per cent of the truth, the rest depends on the firmware.
func prior() (mean, sd, drift [states]float64) {
	return [states]float64{1, 1, 1, -0.05}, [states]float64{0.06, 0.5, 0.08, 0.2}, [states]float64{0.005, 0.03, 0.005, 0.02}
}

const (
	firstSpread = 0.04 // of single readings about the group's curve, until it was seen
	curveSpread = 0.03 // of single machines of one model about their common curve
	floorError  = 0.005
	learnedSD   = 0.05 // of full power, below which the curve is more than the nameplate
)

// cell is one group at one node: what is learned, and sums over its miners of one step.
type cell struct {
	key    key
	block  *block
	at     int     // of its states in the block
	spread float64 // of single readings, as a share
	scale  scale   // of its first miner
	trust  bool    // most readings lie far from the curve: the nameplate is wrong, not they
	tiedAt int64
	used   [states]float64 // what the meter was told of last
	sums   sums
}

// scale is what shares are shares of.
type scale struct{ watts, rated, standby float64 }

// plate is a miner's nameplate in plain numbers, and its standby or what most firmwares draw.
func plate(m *Miner) scale {
	p := scale{m.Nameplate.Watts(), float64(m.Rated), m.Standby.Watts()}
	if p.standby <= 0 {
		p.standby = 20
	}
	return p
}

// bears says whether a machine with this nameplate can draw so much.
func (p scale) bears(watts float64) bool {
	const most = 100e3 // of a machine whose nameplate is not known
	return watts < most && (p.watts <= 0 || watts < 3*p.watts)
}

// sums are what one step adds up over a cell's miners, in watts unless said otherwise.
type sums struct {
	phi    [states]float64 // what each state multiplies in the sum of power
	known  float64         // drawn by miners whose power is not a matter of the states
	moved  float64         // signed: by how much power changed since all was quiet
	loose  float64         // W^2: variance of what is not known and changes by itself
	common float64         // sum of the figures' common errors, as entering the meter

	// Miners that tell power and hashrate, or have an outlet as well: what ties the states.
	tied, outlet, both struct {
		n, power, full, idle, told float64
	}
	off, offN, far float64 // shares of readings off the curve; readings far from it
}

func (c *cell) state(i int) float64 { return c.block.x[c.at+i] }

func (c *cell) sd(i int) float64 { return math.Sqrt(c.block.v(c.at+i, c.at+i)) }

// curve is the learned power at a share of rated hashrate, and its common standard deviation,
// both as shares of nameplate.
func (c *cell) curve(x float64) (power, sd float64) {
	b, f, i := c.block, c.at+stFull, c.at+stIdle
	y := 1 - x
	v := x*x*b.v(f, f) + 2*x*y*b.v(f, i) + y*y*b.v(i, i)
	return max(c.state(stFull)*x+c.state(stIdle)*y, 0), math.Sqrt(max(v, 0))
}

// tie learns from miners that tell the same thing in two ways: scaled readings lie on the
// curve, and so do outlets. Both hold on average only, so it is told rarely.
func (c *cell) tie(now int64) {
	const every = 600e9
	if s := &c.sums; now-c.tiedAt < every || s.tied.n+s.outlet.n+s.both.n == 0 {
		return
	}
	c.tiedAt = now
	b, s := c.block, &c.sums
	noise := func(power, share, n float64) float64 {
		e := power * math.Hypot(share, curveSpread/math.Sqrt(n))
		return e * e
	}
	at := [3]int{c.at + stScale, c.at + stFull, c.at + stIdle}
	if t := s.tied; t.n > 0 {
		b.observe(at[:], []float64{t.power, -t.full, -t.idle}, 0, noise(t.power, 0.03, t.n))
	}
	if t := s.outlet; t.n > 0 {
		b.observe(at[1:], []float64{t.full, t.idle}, t.power, noise(t.power, 0.01, t.n))
	}
	if t := s.both; t.n > 0 {
		b.observe(at[:1], []float64{t.told}, t.power, noise(t.power, math.Hypot(0.01, c.spread/math.Sqrt(t.n)), t.n))
	}
	c.bound()
}

// scatter follows how far single readings lie off the curve.
func (c *cell) scatter() {
	s := &c.sums
	if n := s.offN + s.far; n > 0 {
		c.trust = s.far > 0.5*n
	}
	if s.offN > 0 {
		seen := 1.25 * s.off / s.offN // of a normal spread the mean deviation is 0.8 of the standard one
		c.spread += 0.02 * (min(max(seen, 0.01), 0.3) - c.spread)
	}
}

// bound keeps the states where a miner can be.
func (c *cell) bound() {
	for i, r := range [states][2]float64{{0.5, 2}, {0, 5}, {0.4, 2}, {-0.8, 0.6}} {
		c.block.x[c.at+i] = min(max(c.block.x[c.at+i], r[0]), r[1])
	}
}

// asleep and hashing say what a miner does, by its state and its hashrate.
func asleep(s site.State, x site.Opt[float64]) bool {
	return s == site.StateSleeping && x.Or(0) < 0.02
}

func hashing(s site.State, x site.Opt[float64]) bool {
	return s == site.StateHashing || s != site.StateStarting && x.Or(0) >= 0.02
}
