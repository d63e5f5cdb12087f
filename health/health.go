// Package health owns the rules that say what is wrong with a miner, and the states that
// keep an alert from coming and going: a condition must hold for a while before it counts,
// and be gone for a while before it is over. Many devices with one cause are one alert.
//
// It never reads a clock, a device or a disk and never tells a device anything: Step is
// given all that is known of every device. What a reading does not tell is no fault and no
// sign of health either: then a rule's state stays as it is.
//
// Concurrency: an Engine belongs to one goroutine.
package health

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Rule is one thing that can be wrong.
type Rule uint8

// The rules.
const (
	DeadBoard   Rule = iota // hashes, and a board does not
	Hot                     // a chip above the threshold
	Fan                     // a fan stands still
	LowHashrate             // hashes less than the power it was given should give
	WrongPool               // works for a pool or a worker that the site file does not name
	Flapping                // restarts by itself again and again
	Stale                   // gives no readings
	NotHashing              // should hash and does not
	Fault                   // the firmware itself names a fault
	Stranger                // another device answers at its address
	ruleCount
)

var ruleNames = [ruleCount]string{"dead-board", "hot", "fan", "low-hashrate", "wrong-pool", "flapping", "stale", "not-hashing", "fault", "stranger"}

// String returns the rule's name.
func (r Rule) String() string { return ruleNames[min(r, ruleCount-1)] }

// Rules returns all rules, in the order of their constants.
func Rules() []Rule {
	out := make([]Rule, ruleCount)
	for i := range out {
		out[i] = Rule(i) //nolint:gosec // ten rules
	}
	return out
}

// RuleOf finds a rule by name.
func RuleOf(name string) (Rule, bool) {
	i := slices.Index(ruleNames[:], name)
	return Rule(max(i, 0)), i >= 0 //nolint:gosec // ten rules
}

// Severity says how bad it is.
type Severity string

// The severities.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Severity of one device's alert.
func (r Rule) Severity() Severity {
	switch r {
	case Hot, WrongPool, Stranger:
		return Critical
	}
	return Warning
}

// Hands says whether somebody must go to the device to put it right.
func (r Rule) Hands() bool { return r != WrongPool && r != Stranger }

// RuleSet is a set of rules.
type RuleSet uint16

// SetOf makes a set.
func SetOf(rules ...Rule) RuleSet {
	var s RuleSet
	for _, r := range rules {
		s |= 1 << r
	}
	return s
}

// Has says whether the set holds r.
func (s RuleSet) Has(r Rule) bool { return s&(1<<r) != 0 }

// Len returns how many rules the set holds.
func (s RuleSet) Len() int { return bits.OnesCount16(uint16(s)) }

// Names returns the names of the set's rules; nil where there are none.
func (s RuleSet) Names() []string {
	if s == 0 {
		return nil
	}
	out := make([]string, 0, s.Len())
	for r := range ruleCount {
		if s.Has(r) {
			out = append(out, r.String())
		}
	}
	return out
}

// Limits are the rules' thresholds; zero ones take the defaults.
type Limits struct {
	ChipTemp    float64       // deg C at which a chip is hot; default 100
	LowHashrate unit.Ratio    // of what the power should give; default 85 %
	Stale       time.Duration // default 5 min
	After       time.Duration // how long a condition must hold; default 2 min
	Clear       time.Duration // how long it must be gone; default 5 min
	Restarts    int           // within an hour that count as flapping; default 3
	Off         RuleSet       // rules that are not wanted
}

func (l Limits) orDefaults() Limits {
	or := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	if l.ChipTemp <= 0 {
		l.ChipTemp = 100
	}
	if l.LowHashrate <= 0 {
		l.LowHashrate = 0.85
	}
	if l.Restarts <= 0 {
		l.Restarts = 3
	}
	or(&l.Stale, 5*time.Minute)
	or(&l.After, 2*time.Minute)
	or(&l.Clear, 5*time.Minute)
	l.Restarts = min(l.Restarts, maxRestarts)
	return l
}

// Device is all that is known of one device at one step.
type Device struct {
	ID    site.DeviceID
	Group string
	Nodes []string // the node it hangs on and all above it
	// Sample is the last good reading, which nobody writes; nil if none ever came. Err is why
	// the newest poll gave none; nil if it was good.
	Sample *site.Sample
	Err    error
	// Nameplate and Hashrate are its full work; zero if not known. Expect is what the profile in
	// force should give, where the firmware says so.
	Nameplate unit.Power
	Hashrate  unit.Hashrate
	Expect    site.Opt[unit.Hashrate]
	// Asleep says that it is to rest: by its award, by a hold, or because a person put it so.
	Asleep bool
	// Told is when it was last told something that changes its work or restarts it; zero if
	// never: as long as that is not confirmed, now. Ramp is how long it then takes. Sent is when
	// the command left; zero if not known.
	Told, Sent time.Time
	Ramp       time.Duration
	// Acted is when people last had it do something that may take it off the network for a
	// while, such as a reboot; zero if never.
	Acted time.Time
	// Pools are those that it is to work for; empty: not checked.
	Pools []site.Pool
	// Known is who it is known to be; empty fields are not checked. Stranger names who else
	// answers at its address, where somebody found that out.
	Known    site.Identity
	Stranger string
}

// verdict is what one rule says of one device now.
type verdict uint8

const (
	unknown verdict = iota
	good
	bad
)

func judge(isBad bool) verdict {
	if isBad {
		return bad
	}
	return good
}

type phase uint8

const (
	idle phase = iota
	pending
	firing
)

// cell is the state of one rule of one device.
type cell struct {
	phase phase
	seen  uint8     // readings that were bad, while pending; to two
	since time.Time // the condition began
	gone  time.Time // it was last seen to be over, while firing; zero: it holds
	last  time.Time // of the reading that was counted in seen
	told  time.Time // when text was made
	text  string
}

const maxRestarts = 8

// slot is what is remembered of one device.
type slot struct {
	id     site.DeviceID
	cells  [ruleCount]cell
	active RuleSet // phase is not idle
	firing RuleSet

	first    time.Time // when it was first looked at
	seen     time.Time // of the newest reading that was taken up
	boot     time.Time // when it started, by its uptime; at the latest
	restarts [maxRestarts]time.Time
	told     [8]time.Time // when it was last told something, newest first
	starting time.Time    // since when it says it is starting; zero: it does not
	turned   uint32       // fans that were seen turning
	boards   uint8        // the most that it told
}

// Engine holds the state of every rule of every device.
type Engine struct {
	lim    Limits
	slots  []*slot
	byID   map[site.DeviceID]*slot
	folded map[string]bool
	nodes  map[string]int // devices below each node
	groups map[string]int // and of each group
}

// New makes an engine.
func New(l Limits) *Engine {
	return &Engine{lim: l.orDefaults(), byID: map[site.DeviceID]*slot{}, folded: map[string]bool{}}
}

// Step brings every state up to now and says whether an alert began or ended. A device that
// is not among those given any more is forgotten.
func (e *Engine) Step(now time.Time, devices []Device) (changed bool) {
	if e.align(devices, now) {
		changed = true
	}
	for i := range devices {
		if e.step(now, &devices[i], e.slots[i]) {
			changed = true
		}
	}
	return changed
}

// Firing returns the rules that fire of the i-th device of the last step.
func (e *Engine) Firing(i int) RuleSet { return e.slots[i].firing }

// align brings the slots into the order of the devices; true where firing ones were forgotten.
func (e *Engine) align(devices []Device, now time.Time) (lost bool) {
	same := len(e.slots) == len(devices)
	for i := 0; same && i < len(devices); i++ {
		same = e.slots[i].id == devices[i].ID
	}
	if same {
		return false
	}
	old := e.byID
	e.nodes, e.groups = map[string]int{}, map[string]int{}
	e.slots, e.byID = make([]*slot, len(devices)), make(map[site.DeviceID]*slot, len(devices))
	for i := range devices {
		id := devices[i].ID
		s := old[id]
		if s == nil {
			s = &slot{id: id}
		}
		if s.first.IsZero() {
			s.first = now
		}
		e.slots[i], e.byID[id] = s, s
		delete(old, id)
		e.groups[devices[i].Group]++
		for _, n := range devices[i].Nodes {
			e.nodes[n]++
		}
	}
	for _, s := range old {
		lost = lost || s.firing != 0
	}
	return lost
}

func (e *Engine) step(now time.Time, d *Device, s *slot) (changed bool) {
	v := e.verdicts(now, d, s)
	for r := range ruleCount {
		if v[r] != bad && !s.active.Has(r) {
			continue
		}
		if e.lim.Off.Has(r) {
			v[r] = good
		}
		changed = e.move(now, r, v[r], d, s) || changed
	}
	return changed
}

// move takes one rule's state a step further; true where an alert began or ended.
func (e *Engine) move(now time.Time, r Rule, v verdict, d *Device, s *slot) bool {
	c := &s.cells[r]
	switch {
	case c.phase == firing && v == bad:
		c.gone = time.Time{}
		if now.Sub(c.told) >= time.Minute {
			c.text, c.told = e.text(now, r, d, s), now
		}
	case c.phase == firing && v == unknown:
		c.gone = time.Time{}
	case c.phase == firing:
		if c.gone.IsZero() {
			c.gone = now
		}
		if now.Sub(c.gone) >= e.lim.Clear || e.lim.Off.Has(r) {
			*c = cell{}
			s.active &^= 1 << r
			s.firing &^= 1 << r
			return true
		}
	case v != bad:
		*c = cell{}
		s.active &^= 1 << r
	default:
		return e.pend(now, r, d, s)
	}
	return false
}

// pend counts a condition that holds and does not fire yet.
func (e *Engine) pend(now time.Time, r Rule, d *Device, s *slot) bool {
	c := &s.cells[r]
	if e.lim.Off.Has(r) {
		return false
	}
	if c.phase == idle {
		*c = cell{phase: pending, since: now}
		s.active |= 1 << r
	}
	if at := s.seen; !at.Equal(c.last) || c.seen == 0 {
		c.last = at
		c.seen = min(c.seen+1, 2)
	}
	after, readings := e.lim.After, uint8(2)
	switch r {
	case Stale, Flapping: // they look back over a time of their own
		after, readings = 0, 1
	case Stranger:
		readings = 1
	}
	if now.Sub(c.since) < after || c.seen < readings {
		return false
	}
	if r == Stale {
		c.since = e.lastHeard(d, s)
	}
	c.phase = firing
	s.firing |= 1 << r
	c.text, c.told = e.text(now, r, d, s), now
	return true
}

func (e *Engine) lastHeard(d *Device, s *slot) time.Time {
	if d.Sample != nil {
		return d.Sample.At
	}
	return s.first
}

// plural is "1 fan" or "3 fans".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sameMAC compares hardware addresses whatever stands between their digits.
func sameMAC(a, b string) bool {
	strip := strings.NewReplacer(":", "", "-", "", ".", "", " ", "")
	return strings.EqualFold(strip.Replace(a), strip.Replace(b))
}
