package modbus

import (
	"errors"
	"fmt"
	"math"
	"time"

	"switchyard/signal"
	"switchyard/site"
	"switchyard/unit"
)

// Protocol is the version of the register map; it changes when a register changes its meaning.
const Protocol = 1

// Holding registers, by their address on the wire (from 0).
const (
	regHeartbeat  = 0  // u16, has to change
	regEnable     = 1  // u16, 0 or 1
	regLimit      = 2  // u32, kW
	regDuration   = 4  // u32, s; 0: until changed
	regCoarse     = 8  // u16, 100 kW: for controllers that write single registers only
	regFloat      = 16 // f32, kW
	holdingLength = 18
)

// Input registers, by their address on the wire (from 0).
const (
	inVersion   = 0
	inStatus    = 1
	inBeat      = 2  // ours, moves every second
	inEcho      = 3  // the controller's heartbeat as it was last written
	inPower     = 4  // s32, kW
	inLimit     = 6  // u32, kW
	inFlexible  = 8  // u32, kW
	inShed      = 10 // u16, s
	inFirm      = 12 // u32, kW
	inLeft      = 14 // u32, s
	inOwn       = 16 // u32, kW
	inAge       = 18 // u16, s
	inFloat     = 32 // the same as f32: power, limit, flexible, shed, firm, left, own
	inputLength = 46
)

// Status bits.
const (
	bitComplies = 1 << iota
	bitStale
	bitLost
	bitOwn
	bitLimited
	bitFresh
)

// What stands for a value that there is none of; 0 W is a value.
const (
	noS32 = 0x80000000
	noU32 = 0xFFFFFFFF
	noU16 = 0xFFFF
)

const (
	mostKW   = 10_000_000
	mostTime = 7 * 24 * 3600 // s
	// staleAfter is the age from which a reading of the site counts as none.
	staleAfter = 30 * time.Second
)

// The Modbus exceptions that a write may meet.
var (
	errAddress = errors.New("no such register, or half of a value")
	errValue   = errors.New("not a value that this register takes")
)

// command is what the holding registers say.
type command struct {
	heartbeat uint16
	enable    bool
	limit     site.Opt[unit.Power] // none until it is first written
	duration  uint32               // s
	until     time.Time            // zero: until changed
	from      time.Time
	by        string
}

// write is what one request changes. It is made whole before any of it is applied.
type write struct {
	heartbeat site.Opt[uint16]
	enable    site.Opt[bool]
	limit     site.Opt[unit.Power]
	duration  site.Opt[uint32]
}

// decode reads a request's registers. Each value must come whole: a limit of which one half
// is new and the other old was meant by nobody.
func decode(at uint16, regs []uint16) (write, error) {
	var w write
	for i := 0; i < len(regs); {
		where, left := int(at)+i, regs[i:]
		need := 1
		if where == regLimit || where == regDuration || where == regFloat {
			need = 2
		}
		if len(left) < need {
			return w, fmt.Errorf("register %d alone: %w", where, errAddress)
		}
		if err := w.take(where, left); err != nil {
			return w, err
		}
		i += need
	}
	return w, nil
}

func (w *write) take(where int, regs []uint16) error {
	switch where {
	case regHeartbeat:
		w.heartbeat = site.Some(regs[0])
	case regEnable:
		if regs[0] > 1 {
			return fmt.Errorf("enable %d is neither 0 nor 1: %w", regs[0], errValue)
		}
		w.enable = site.Some(regs[0] == 1)
	case regLimit:
		kw := u32(regs)
		if kw > mostKW {
			return fmt.Errorf("a limit of %d kW is not between 0 and %d: %w", kw, mostKW, errValue)
		}
		w.limit = site.Some(unit.Power(kw) * unit.Kilowatt)
	case regDuration:
		if s := u32(regs); s > mostTime {
			return fmt.Errorf("a duration of %d s is more than a week: %w", s, errValue)
		}
		w.duration = site.Some(u32(regs))
	case regCoarse:
		w.limit = site.Some(unit.Power(regs[0]) * 100 * unit.Kilowatt)
	case regFloat:
		kw := float64(math.Float32frombits(u32(regs)))
		if !(kw >= 0 && kw <= mostKW) { // also what is not a number
			return fmt.Errorf("a limit of %g kW is not between 0 and %d: %w", kw, mostKW, errValue)
		}
		w.limit = site.Some(unit.Watts(kw * 1e3))
	default:
		return fmt.Errorf("register %d: %w", where, errAddress)
	}
	return nil
}

// apply returns the command after a write, and whether the write said something of a limit
// (a heartbeat alone does not, and starts no duration anew).
func (c command) apply(w write, now time.Time, by string) (_ command, spoke bool, err error) {
	if w.heartbeat.OK {
		c.heartbeat = w.heartbeat.V
	}
	if !w.enable.OK && !w.limit.OK && !w.duration.OK {
		return c, false, nil
	}
	was := c
	c.enable = w.enable.Or(c.enable)
	if w.limit.OK {
		c.limit = w.limit
	}
	c.duration = w.duration.Or(c.duration)
	if c.enable && !c.limit.OK {
		return c, false, fmt.Errorf("enable before any limit was written: %w", errValue)
	}
	c.until = time.Time{}
	if !was.enable || was.limit != c.limit { // else it is the same limit, said again
		c.from, c.by = now, by
	}
	if c.duration > 0 {
		c.until = now.Add(time.Duration(c.duration) * time.Second)
	}
	return c, true, nil
}

// over ends a command whose duration has passed.
func (c command) over(now time.Time) (command, bool) {
	if !c.enable || c.until.IsZero() || now.Before(c.until) {
		return c, false
	}
	c.enable = false
	return c, true
}

// signals are what the command asks for.
func (c command) signals(node site.NodeID) []signal.Signal {
	if !c.enable {
		return nil
	}
	return []signal.Signal{{
		ID: "limit", Source: Name, Kind: signal.Limit, Node: node, Power: c.limit.V, From: c.from, To: c.until, Note: "written by " + c.by,
	}}
}

// holding are all holding registers as they read.
func (c command) holding() []uint16 {
	r := make([]uint16, holdingLength)
	r[regHeartbeat] = c.heartbeat
	if c.enable {
		r[regEnable] = 1
	}
	put32(r, regDuration, c.duration)
	kw := c.limit.V / unit.Kilowatt
	put32(r, regLimit, uint32(kw))
	r[regCoarse] = uint16(min(kw/100, noU16))
	put32(r, regFloat, math.Float32bits(float32(c.limit.V.Watts()/1e3)))
	return r
}

// view is what the input registers tell.
type view struct {
	meter signal.Meter
	known bool // the host can tell of the node
	now   time.Time
	beat  uint16
	lost  bool
	fresh bool // nothing was written since the start
}

// input are all input registers of one moment.
func (c command) input(v view) []uint16 {
	r := make([]uint16, inputLength)
	m := v.meter
	age := v.now.Sub(m.At)
	stale := !v.known || m.At.IsZero() || age > staleAfter
	power := m.Power
	if stale {
		power = site.Opt[unit.Power]{}
	}
	own, left := site.Opt[unit.Power]{}, math.NaN()
	r[inVersion], r[inBeat], r[inEcho] = Protocol, v.beat, c.heartbeat
	put32(r, inOwn, noU32)
	put32(r, inLeft, 0)
	if c.enable {
		own = c.limit
		put32(r, inLeft, noU32)
		if !c.until.IsZero() {
			left = max(c.until.Sub(v.now).Seconds(), 0)
			put32(r, inLeft, uint32(math.Ceil(left)))
		}
	}
	r[inAge] = noU16
	if !m.At.IsZero() && v.known {
		r[inAge] = uint16(min(max(age/time.Second, 0), noU16-1))
	}
	put32(r, inPower, signed(power))
	put32(r, inLimit, unsigned(m.Limit))
	put32(r, inOwn, unsigned(own))
	flexible, firm, shed := site.Opt[unit.Power]{}, site.Opt[unit.Power]{}, math.NaN()
	r[inShed] = noU16
	if !stale {
		flexible, firm = site.Some(m.Flexible), site.Some(m.Firm)
		shed = math.Ceil(m.ShedWithin.Seconds())
		r[inShed] = uint16(min(max(shed, 0), noU16-1))
	}
	put32(r, inFlexible, unsigned(flexible))
	put32(r, inFirm, unsigned(firm))
	for i, f := range []float64{kilowatts(power), kilowatts(m.Limit), kilowatts(flexible), shed, kilowatts(firm), left, kilowatts(own)} {
		put32(r, inFloat+2*i, math.Float32bits(float32(f)))
	}
	r[inStatus] = bits(map[uint16]bool{
		bitComplies: power.OK && m.Complies, bitStale: !power.OK, bitLost: v.lost,
		bitOwn: c.enable, bitLimited: m.Limit.OK, bitFresh: v.fresh,
	})
	return r
}

func bits(on map[uint16]bool) (out uint16) {
	for bit, is := range on {
		if is {
			out |= bit
		}
	}
	return out
}

func u32(regs []uint16) uint32 { return uint32(regs[0])<<16 | uint32(regs[1]) }

// put32 writes a value's higher word first.
func put32(r []uint16, at int, v uint32) { r[at], r[at+1] = uint16(v>>16), uint16(v) }

// signed is a power in kW for an s32, unsigned for a u32: rounded to the nearest, and held
// off the value that stands for none.
func signed(p site.Opt[unit.Power]) uint32 {
	if !p.OK {
		return noS32
	}
	return uint32(int32(min(max(nearest(p.V), math.MinInt32+1), math.MaxInt32)))
}

func unsigned(p site.Opt[unit.Power]) uint32 {
	if !p.OK {
		return noU32
	}
	return uint32(min(max(nearest(p.V), 0), noU32-1))
}

func nearest(p unit.Power) int64 { return int64(math.Round(p.Watts() / 1e3)) }

func kilowatts(p site.Opt[unit.Power]) float64 {
	if !p.OK {
		return math.NaN()
	}
	return p.V.Watts() / 1e3
}
