package health

import (
	"slices"
	"strings"
	"time"

	"switchyard/site"
)

const (
	cooler     = 5    // deg C below the threshold at which a hot chip is no longer hot
	recovered  = 0.03 // of the expected hashrate above the threshold at which it is no longer low
	settle     = 5 * time.Minute
	restartGap = 2 * time.Minute // firmwares round their uptime
	longStart  = 15 * time.Minute
)

// verdicts says for every rule how things stand with one device.
func (e *Engine) verdicts(now time.Time, d *Device, s *slot) (v [ruleCount]verdict) {
	v[Stale] = judge(now.Sub(e.lastHeard(d, s)) > e.lim.Stale)
	if v[Stale] == bad && !s.firing.Has(Stale) && d.Hushed(now) {
		v[Stale] = unknown // it restarts because it was told to
	}
	if d.Sample == nil {
		v[Stranger] = judge(d.Stranger != "")
		if v[Stale] == good {
			v[Stale] = unknown // not heard of yet
		}
		return v
	}
	x := d.Sample
	v[Stranger] = judge(stranger(d) != "")
	if v[Stale] != good || v[Stranger] == bad {
		return v // what it told is of long ago, or of another device
	}
	s.learn(d)
	v[Fault] = judge(len(x.Faults) > 0)
	v[WrongPool] = wrongPool(d)
	v[Flapping] = e.flapping(now, s)
	v[Hot] = e.hot(x, s.firing.Has(Hot))
	if d.Asleep || x.State == site.StateSleeping || x.State == site.StateUnknown {
		return v // at rest nothing shows of boards, fans and work
	}
	v[NotHashing] = e.notHashing(now, d, s)
	v[Fan] = judge(stopped(x, s) > 0)
	if x.State == site.StateHashing {
		v[DeadBoard] = deadBoard(x, s)
		if v[NotHashing] != bad {
			v[LowHashrate] = e.lowHashrate(d, s.firing.Has(LowHashrate))
		}
	}
	return v
}

// learn takes up what a new reading shows over time.
func (s *slot) learn(d *Device) {
	x := d.Sample
	if !x.At.After(s.seen) {
		return
	}
	s.seen = x.At
	for i, rpm := range x.Fans {
		if rpm > 0 && i < 32 {
			s.turned |= 1 << i
		}
	}
	s.boards = max(s.boards, uint8(min(len(x.Boards), 255))) //nolint:gosec // bounded
	switch {
	case x.State != site.StateStarting:
		s.starting = time.Time{}
	case s.starting.IsZero():
		s.starting = x.At
	}
	s.recall(d.Told)
	s.recall(d.Sent)
	if x.Uptime.OK && !d.Asleep && x.State != site.StateSleeping { // a mining process that does not run counts nothing
		s.restarted(d, x)
	}
}

// recall keeps when the device was told something: on a fast clock a step sees that minutes
// later, and a reading may come after the next command.
func (s *slot) recall(told time.Time) {
	if !told.IsZero() && !slices.Contains(s.told[:], told) {
		copy(s.told[1:], s.told[:])
		s.told[0] = told
	}
}

// restarted notes a start that nobody told the device to make. A reading is true of some
// moment between the question and the answer, and so is the start that its uptime gives.
func (s *slot) restarted(d *Device, x *site.Sample) {
	asked := x.Asked
	if asked.IsZero() || asked.After(x.At) {
		asked = x.At
	}
	from, to := asked.Add(-x.Uptime.V), x.At.Add(-x.Uptime.V)
	again := !s.boot.IsZero() && from.Sub(s.boot) > restartGap
	if again && !s.ours(d, from, to) {
		copy(s.restarts[1:], s.restarts[:])
		s.restarts[0] = to
	}
	if s.boot.IsZero() || again || s.boot.After(to) {
		s.boot = to
	}
}

// ours says whether a start between two times is what we told the device to do: many firmwares
// count their uptime from the mining process, which sleep, wake and another target start anew.
func (s *slot) ours(d *Device, from, to time.Time) bool {
	for _, told := range s.told {
		if d.between(told, from, to) {
			return true
		}
	}
	return d.between(d.Acted, from, to)
}

// after says whether a time is soon after the device was told something.
func (d *Device) after(told, t time.Time) bool { return d.between(told, t, t) }

// between says whether some time of a span is soon after the device was told something.
func (d *Device) between(told, from, to time.Time) bool {
	return !told.IsZero() && to.Sub(told) > -restartGap && from.Sub(told) < d.Ramp+settle
}

// Hushed says whether the device may be away because of what people had it do: for its ramp
// and some minutes more.
func (d *Device) Hushed(now time.Time) bool { return d.after(d.Acted, now) }

func (e *Engine) flapping(now time.Time, s *slot) verdict {
	n := 0
	for _, t := range s.restarts {
		if !t.IsZero() && now.Sub(t) < time.Hour {
			n++
		}
	}
	if s.firing.Has(Flapping) {
		return judge(n > 0)
	}
	return judge(n >= e.lim.Restarts)
}

func hottest(x *site.Sample) site.Opt[float64] {
	var t site.Opt[float64]
	for i := range x.Boards {
		if c := x.Boards[i].ChipTemp; c.OK && (!t.OK || c.V > t.V) {
			t = c
		}
	}
	return t
}

func (e *Engine) hot(x *site.Sample, was bool) verdict {
	t := hottest(x)
	switch {
	case !t.OK:
		return unknown
	case was:
		return judge(t.V > e.lim.ChipTemp-cooler)
	}
	return judge(t.V >= e.lim.ChipTemp)
}

// stopped counts the fans that stand still: those that were seen turning, and one that
// stands alone among others that turn. Some firmwares list places where no fan is.
func stopped(x *site.Sample, s *slot) int {
	n, still := 0, 0
	for i, rpm := range x.Fans {
		if rpm > 0 {
			continue
		}
		still++
		if i < 32 && s.turned&(1<<i) != 0 {
			n++
		}
	}
	if n == 0 && still == 1 && len(x.Fans) > 1 {
		return 1
	}
	return n
}

func deadBoard(x *site.Sample, s *slot) verdict {
	if s.boards == 0 {
		return unknown
	}
	return judge(dead(x, s) > 0)
}

// dead counts boards that do not hash, those that the firmware has dropped from its list too.
func dead(x *site.Sample, s *slot) int {
	n := max(int(s.boards)-len(x.Boards), 0)
	for i := range x.Boards {
		if !x.Boards[i].Working {
			n++
		}
	}
	return n
}

// settled says whether the device had the time to reach what it was told.
func settled(d *Device) bool {
	x, need := d.Sample, max(2*d.Ramp, d.Ramp+settle)
	return (d.Told.IsZero() || x.At.Sub(d.Told) >= need) && (!x.Uptime.OK || x.Uptime.V >= need)
}

// notHashing: it is to hash, says that it cannot, or finds no way to.
func (e *Engine) notHashing(now time.Time, d *Device, s *slot) verdict {
	x := d.Sample
	switch x.State {
	case site.StateFault:
		return bad
	case site.StateStarting:
		return judge(!s.starting.IsZero() && now.Sub(s.starting) > max(longStart, 3*d.Ramp))
	}
	if !x.Hashrate.OK || !settled(d) && x.Hashrate.V <= 0 {
		return unknown
	}
	return judge(x.Hashrate.V <= 0)
}

// expected is what the power that the device was given should give: no less than its share
// of the nameplate, since a miner is more efficient below it.
func expected(d *Device) float64 {
	if d.Expect.OK {
		return float64(d.Expect.V)
	}
	full := float64(d.Hashrate)
	if t := d.Sample.Target; t.OK && t.V > 0 && d.Nameplate > 0 {
		return full * min(1, float64(t.V)/float64(d.Nameplate))
	}
	return full
}

func (e *Engine) lowHashrate(d *Device, was bool) verdict {
	full := expected(d)
	if !d.Sample.Hashrate.OK || full <= 0 || !settled(d) {
		return unknown
	}
	least := float64(e.lim.LowHashrate)
	if was {
		least += recovered
	}
	return judge(float64(d.Sample.Hashrate.V) < full*least)
}

// working is the pool that the device works for: the active one, else the first.
func working(x *site.Sample) (site.Pool, bool) {
	for _, p := range x.Pools {
		if p.Active {
			return p, true
		}
	}
	if len(x.Pools) == 0 {
		return site.Pool{}, false
	}
	return x.Pools[0], true
}

func wrongPool(d *Device) verdict {
	p, ok := working(d.Sample)
	if len(d.Pools) == 0 || !ok || p.URL == "" {
		return unknown
	}
	for _, want := range d.Pools {
		if SamePool(p.URL, want.URL) && (p.Worker == "" || p.Worker == want.Worker) {
			return good
		}
	}
	return bad
}

// SamePool says whether two addresses mean one pool; some firmwares drop the scheme.
func SamePool(a, b string) bool {
	return strings.EqualFold(bareURL(a), bareURL(b))
}

func bareURL(s string) string {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	return strings.TrimRight(strings.TrimSpace(s), "/")
}

// stranger names who answers in the device's place; empty if it is the device, or if nothing tells.
func stranger(d *Device) string {
	if d.Stranger != "" {
		return d.Stranger
	}
	if d.Sample == nil {
		return ""
	}
	is := &d.Sample.Identity
	switch {
	case is.MAC != "" && d.Known.MAC != "":
		if is.MAC != d.Known.MAC && !sameMAC(is.MAC, d.Known.MAC) {
			return strings.TrimSpace(is.Model + " " + is.MAC)
		}
	case is.Serial != "" && d.Known.Serial != "" && !strings.EqualFold(is.Serial, d.Known.Serial):
		return strings.TrimSpace(is.Model + " with serial " + is.Serial)
	}
	return ""
}
