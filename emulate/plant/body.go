package plant

import (
	"math"
	"time"

	"switchyard/emulate/fault"
	"switchyard/site"
	"switchyard/unit"
)

type phase uint8

const (
	asleep phase = iota
	booting
	running
	stopping
	restarting // the control board is down
	unpowered  // the breaker above is open
)

// Time constants and shares of the physics that do not depend on the model.
const (
	followTau  = 10.0 // s: power towards a new target
	hashUpTau  = 25.0 // s: hashrate behind rising power, as chips are tuned in
	hashOffTau = 2.0  // s: hashrate behind falling power
	heatTau    = 75.0 // s: temperature of the boards
	boardRise  = 32.0 // deg C of the boards above intake at nameplate
	bootShare  = 0.02 // of nameplate drawn above standby while booting: fans at full speed
	rebootTime = 40.0 // s that the control board is down
)

// body is the physical side of a miner, in watts, TH/s, deg C and seconds.
type body struct {
	rng chance

	// What does not change after the start.
	full, standby, hashFull   float64 // this very machine's, with its spread
	nameplate, low, high      float64
	boot, rampUp, rampDown    float64
	inrush, sensor, intakeOff float64
	boards                    int
	mayDie                    bool // a dead-board fault is planned

	phase       phase
	retarget    bool
	dead        int     // dead boards
	target      float64 // power it goes to while running
	left        float64 // of booting or restarting
	power, hash float64
	temp        float64 // of the boards
	noise, jit  float64 // of power and of hashrate, as shares
	intake      float64

	draw     unit.Power // power, as an integer: what meters sum
	energy   integral   // at the wall since the start
	work     float64    // TH since the start
	upSince  time.Time
	runSince time.Time
	runWork  float64 // work when the mining process started
}

// newBody makes this very machine: the model with its spread.
func newBody(c *MinerConfig, seed uint64, ramp float64, start time.Time) body {
	m := &c.Model
	b := body{
		rng: chance(fault.Hash(seed, c.ID)), nameplate: m.Nameplate.Watts(),
		low: m.MinWatts.Watts(), high: m.MaxWatts.Watts(), inrush: float64(m.Inrush),
		boards: max(m.Boards, 1), mayDie: c.Faults.Has(fault.DeadBoard), retarget: true,
	}
	power := 1 + 0.02*b.rng.signed()
	b.full = b.nameplate * power
	b.standby = m.Standby.Watts() * (1 + 0.1*b.rng.signed())
	b.hashFull = m.Hashrate.TH() * power / (1 + 0.04*b.rng.signed()) // efficiency +-4 %
	b.sensor = 1 + 0.01*b.rng.signed()
	b.intakeOff = 2 * b.rng.signed()
	pace := ramp * (1 + 0.15*b.rng.signed())
	b.boot, b.rampUp, b.rampDown = m.Boot.Seconds()*pace, m.RampUp.Seconds()*pace, m.RampDown.Seconds()*pace
	b.upSince = start.Add(-time.Duration(b.rng.float() * float64(30*24*time.Hour)))
	b.phase, b.power = asleep, b.standby
	b.intake = 20 + b.intakeOff
	b.temp = b.intake + 3
	if !c.Asleep {
		b.phase, b.power, b.hash = running, b.full, b.hashFull
		b.temp += boardRise
		b.runSince = start.Add(-time.Duration(b.rng.float() * float64(24*time.Hour)))
		b.runWork = -b.hashFull * start.Sub(b.runSince).Seconds()
	}
	b.draw = unit.Watts(b.power)
	return b
}

// away says that the control board is down.
func (b *body) away() bool { return b.phase == restarting || b.phase == unpowered }

// restart takes the control board down.
func (b *body) restart() {
	if b.phase != unpowered {
		b.phase, b.left = restarting, rebootTime
	}
}

// step advances the miner to now by dt, at most a second or so, and returns its draw and
// the work done in TH. live says whether its node has voltage; ambient is the intake air
// of the hall in deg C.
func (m *Miner) step(now time.Time, dt time.Duration, ambient float64, live bool) (unit.Power, float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = now
	b, s := &m.body, dt.Seconds()
	if b.mayDie {
		dead := 0
		if _, ok := m.cfg.Faults.Active(fault.DeadBoard, now); ok {
			dead = 1
		}
		b.retarget = b.retarget || dead != b.dead
		b.dead = dead
	}
	if b.retarget {
		b.aim(m.obey)
	}
	b.move(now, s, m.obey.mode, live)
	b.work += b.hashing(s) * s
	b.intake = ambient + b.intakeOff
	b.temp = lag(b.temp, b.intake+3+boardRise*b.power/b.nameplate, s, heatTau)
	b.draw = unit.Power(b.power*1000*(1+b.noise) + 0.5)
	b.energy.add(b.draw, dt)
	return b.draw, b.hash * s
}

// aim works out the power the orders ask for.
func (b *body) aim(o orders) {
	b.retarget = false
	t := b.full * b.alive()
	if o.percent < 100 {
		t = min(t, max(b.nameplate*float64(o.percent)/100, b.low))
	}
	if o.limit > 0 {
		limit := min(max(o.limit.Watts(), b.low), b.high)
		if limit > b.nameplate && o.percent >= 100 {
			t = limit * b.alive() // overclocked
		}
		t = min(t, limit)
	}
	b.target = t
}

// alive is the share of boards that work.
func (b *body) alive() float64 { return float64(b.boards-b.dead) / float64(b.boards) }

// move changes the phase and the power for s seconds.
func (b *body) move(now time.Time, s float64, want site.Mode, live bool) {
	if !live {
		b.phase, b.left, b.power = unpowered, rebootTime, 0
		return
	}
	switch b.phase {
	case unpowered:
		b.energise(now)
	case restarting:
		b.fall(s)
		if b.left -= s; b.left <= 0 {
			b.phase, b.upSince = asleep, now
		}
	case asleep:
		b.power = b.standby
		if want == site.ModeRun {
			b.phase, b.left = booting, b.boot
		}
	case booting:
		b.bootFor(now, s, want)
	case running:
		if want == site.ModeSleep {
			b.phase = stopping
			b.fall(s)
			break
		}
		b.follow(s)
	case stopping:
		if b.fall(s) {
			b.phase = asleep
		}
	}
	b.noise = 0.9*b.noise + 0.002*b.rng.signed()
}

// energise brings the control board up after the power came back.
func (b *body) energise(now time.Time) {
	b.phase, b.left, b.power, b.upSince = restarting, rebootTime, b.standby, now
}

func (b *body) bootFor(now time.Time, s float64, want site.Mode) {
	b.power = b.standby + bootShare*b.nameplate
	if want == site.ModeSleep {
		b.phase, b.power = asleep, b.standby
		return
	}
	if b.left -= s; b.left > 0 {
		return
	}
	b.phase, b.runSince, b.runWork = running, now, b.work
	b.power = max(b.power, min(b.target, b.inrush*b.nameplate))
}

// follow moves the power towards the target: upwards no faster than the ramp, downwards
// within tens of seconds.
func (b *body) follow(s float64) {
	next := lag(b.power, b.target, s, followTau)
	up, down := b.nameplate/max(b.rampUp, 1)*s, b.nameplate/max(b.rampDown, 1)*s
	b.power = min(max(next, b.power-down), b.power+up)
}

// fall ramps down to standby and says whether it is there.
func (b *body) fall(s float64) bool {
	b.power = max(b.power-b.nameplate/max(b.rampDown, 0.1)*s, b.standby)
	return b.power <= b.standby
}

// hashing moves the hashrate behind the power and returns it. At less power the chips run
// at lower voltage: hashrate goes with power to the 3/4, so J/TH with power to the 1/4
// (70 % of the power gives 77 % of the hashrate).
func (b *body) hashing(s float64) float64 {
	goal, tau := 0.0, hashOffTau
	if b.phase == running && b.dead < b.boards {
		live := b.alive()
		root := math.Sqrt(max(0, b.power-b.standby) / ((b.full - b.standby) * live))
		goal = b.hashFull * live * root * math.Sqrt(root)
		if goal > b.hash {
			tau = hashUpTau
		}
	}
	b.hash = lag(b.hash, goal, s, tau)
	if b.phase != running && b.hash < 0.005*b.hashFull {
		b.hash = 0
	}
	b.jit = 0.8*b.jit + 0.012*b.rng.signed()
	return b.hash
}
