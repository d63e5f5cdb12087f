package reconcile

import (
	"fmt"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// maxDrifts is how often in an hour a device may leave what it had confirmed before it goes
// into quarantine.
const maxDrifts = 3

func (d *Device) nameplate() unit.Power {
	if d.Nameplate > 0 {
		return d.Nameplate
	}
	return d.Caps.Nameplate.Or(0)
}

func (d *Device) standby() unit.Power {
	if d.Standby > 0 {
		return d.Standby
	}
	return d.Caps.Standby
}

// ceiling is the most that a resting device draws.
func (d *Device) ceiling() unit.Power {
	return d.standby() + max((d.nameplate()-d.standby())/10, 50*unit.Watt)
}

// rests says that the newest reading shows the device at rest. Its word alone does not do:
// a device that says it sleeps and draws full power does not rest.
func (d *Device) rests() bool {
	if !d.Last.OK {
		return false
	}
	p := d.Last.V.Power
	switch d.Last.V.State {
	case site.StateSleeping:
		return !p.OK || p.V <= d.ceiling()
	case site.StateUnknown:
		return p.OK && p.V <= d.ceiling()
	}
	return false
}

// works says that the newest reading shows the device awake, whether it earns or not.
func (d *Device) works() bool {
	if !d.Last.OK {
		return false
	}
	p := d.Last.V.Power
	switch d.Last.V.State {
	case site.StateHashing, site.StateStarting, site.StateFault:
		return true
	}
	return p.OK && p.V > d.ceiling()
}

// agrees says that the newest reading confirms the setpoint.
func (d *Device) agrees(sp site.Setpoint) bool {
	if sp.Mode == site.ModeSleep {
		return d.rests()
	}
	s := &d.Last.V
	if s.State != site.StateHashing && (s.State != site.StateUnknown || !d.works()) {
		return false
	}
	if !sp.Power.OK {
		return true
	}
	slop := max(d.nameplate()/50, 20*unit.Watt)
	if s.Target.OK {
		return s.Target.V >= sp.Power.V-slop && s.Target.V <= sp.Power.V+slop
	}
	return s.Power.OK && s.Power.V <= sp.Power.V+max(d.nameplate()/10, 20*unit.Watt)
}

// answer takes in the answer to a command.
func (st *step) answer(a Ack, d *Device, r *record) {
	if r.Phase != sent || !a.Sent.IsZero() && !a.Sent.Equal(r.SentAt) {
		return // a late answer to a command that was replaced or given up
	}
	if a.Kind == AckOK {
		r.Phase, r.AckedAt = acked, a.At
		st.event(d, r, EventAcked, "acknowledged")
		return
	}
	r.AckedAt = a.At
	switch a.Kind {
	case AckRefused:
		st.quarantine(d, r, with("it refused to "+r.setpoint().String(), a.Text))
	case AckUnauthorized:
		st.quarantine(d, r, with("it does not accept the credentials", a.Text))
	case AckUnsupported:
		st.quarantine(d, r, with("it cannot "+r.setpoint().String(), a.Text))
	default:
		st.fail(d, r, with("no answer", a.Text))
	}
}

func with(text, seen string) string {
	if seen == "" {
		return text
	}
	return text + ": " + seen
}

// fail counts a try as failed: it is told again after a growing pause, or quarantined.
func (st *step) fail(d *Device, r *record, text string) {
	r.Tries++
	if r.Quarantined {
		st.event(d, r, EventFailed, text+"; stays in quarantine")
		r.Phase, r.NextTry = idle, st.in.At.Add(st.quarantinePause(r))
		return
	}
	if r.Tries > st.pol.Retries {
		st.quarantine(d, r, fmt.Sprintf("told %d times to %s: %s", r.Tries, r.setpoint(), text))
		return
	}
	wait := min(st.pol.Confirm<<min(r.Tries-1, 10), st.pol.Quarantine)
	r.Phase, r.NextTry = pause, st.in.At.Add(wait)
	if r.AckedAt.IsZero() {
		r.AckedAt = st.in.At
	}
	st.event(d, r, EventFailed, fmt.Sprintf("%s; told again in %s", text, wait))
}

// quarantinePause is the time to the next try: half of the time spent in quarantine, from the
// policy's pause up to two hours. What has not obeyed for a day will hardly obey now.
func (st *step) quarantinePause(r *record) time.Duration {
	return max(st.pol.Quarantine, min(st.in.At.Sub(r.QuarantinedAt)/2, 2*time.Hour))
}

// quarantine takes a device out of its group: its watts count as stuck from now on.
func (st *step) quarantine(d *Device, r *record, text string) {
	if r.Quarantined {
		st.event(d, r, EventFailed, text+"; stays in quarantine")
	} else {
		r.Note = text
		st.event(d, r, EventQuarantined, text)
		r.QuarantinedAt = st.in.At
	}
	r.Quarantined, r.Phase, r.NextTry = true, idle, st.in.At.Add(st.quarantinePause(r))
}

// observe compares the newest reading with what the device was told.
func (st *step) observe(d *Device, r *record) {
	fresh := d.Last.OK && !d.Unreachable && st.in.At.Sub(d.Last.V.Asked) <= st.pol.Fresh
	if !r.seen && fresh && d.Last.V.Asked.After(st.s.restored) {
		r.seen = true
		st.firstSight(d, r)
	}
	switch {
	case r.Phase == sent && st.in.At.Sub(r.SentAt) > st.pol.Confirm && r.seen:
		st.fail(d, r, "no answer in "+st.pol.Confirm.String())
	case r.Phase == acked || r.Phase == pause:
		st.awaitReading(d, r, fresh)
	case !fresh || !r.Known || !d.Last.V.Asked.After(r.SettledAt):
	case r.Quarantined:
		if r.Phase == idle && d.Last.V.Asked.After(r.QuarantinedAt) && d.agrees(r.setpoint()) {
			st.confirm(d, r)
		}
	case r.Phase == idle:
		st.drift(d, r)
	}
}

// firstSight takes up a device at its first reading since the start.
func (st *step) firstSight(d *Device, r *record) {
	switch {
	case r.Known && r.pending():
		st.unknownFate(d, r)
	case r.Known:
		// drift compares it with what was confirmed before the restart.
	case d.Last.V.State == site.StateSleeping && d.rests():
		r.Known, r.Asleep, r.SettledAt = true, true, d.Last.V.At
		st.foundAsleep(d, r, "asleep at first sight and never told to rest: a person put it to sleep")
	case d.works():
		r.Known, r.Asleep, r.SettledAt = true, false, d.Last.V.At
	default:
		r.seen = false // it did not say what it does: it is looked at again
	}
}

// unknownFate takes up a command that was on its way when the controller stopped. It may be
// obeyed still: the device is watched for as long as its firmware takes before it is told again.
func (st *step) unknownFate(d *Device, r *record) {
	if !d.works() && !d.rests() {
		r.seen = false
		return
	}
	r.Phase, r.AckedAt = pause, st.s.restored
	if d.agrees(r.setpoint()) {
		return // this reading confirms it
	}
	wait := d.Caps.WakeTime
	if r.Asleep {
		wait = d.Caps.SleepTime
	}
	r.NextTry = st.in.At.Add(wait)
	st.event(d, r, EventFailed, fmt.Sprintf("the controller restarted before a reading confirmed it; told again in %s if need be", wait))
}

// awaitReading looks for the reading that confirms the command, up to its deadline.
func (st *step) awaitReading(d *Device, r *record, fresh bool) {
	if fresh && d.Last.V.Asked.After(r.AckedAt) && d.agrees(r.setpoint()) {
		st.confirm(d, r)
		return
	}
	if r.Phase == pause {
		return
	}
	patience := st.pol.Confirm + d.Caps.WakeTime
	if r.Asleep {
		patience = st.pol.Confirm + d.Caps.SleepTime
	}
	if st.in.At.Sub(r.AckedAt) <= patience {
		return
	}
	said := "no reading came"
	if fresh {
		said = "it is " + d.Last.V.State.String()
		if p := d.Last.V.Power; p.OK {
			said += " at " + p.V.Short()
		}
	}
	r.AckedAt = st.in.At
	st.fail(d, r, fmt.Sprintf("%s after it said yes, %s", patience, said))
}

// confirm settles a command that the newest reading proves, and ends a quarantine.
func (st *step) confirm(d *Device, r *record) {
	text := r.setpoint().String() + " seen: " + d.Last.V.State.String()
	if p := d.Last.V.Power; p.OK {
		text += " at " + p.V.Short()
	}
	if r.pending() {
		st.event(d, r, EventConfirmed, text)
	}
	if r.Quarantined {
		r.Quarantined, r.Note = false, ""
		st.event(d, r, EventReleased, "it obeys again: "+text)
	}
	r.Phase, r.Tries, r.SettledAt = idle, 0, d.Last.V.At
}

// drift handles a device that left, unasked, what it had confirmed. Found asleep it was put
// there by a person and stays there; found awake, or at another target, it is told again.
func (st *step) drift(d *Device, r *record) {
	_, held := st.in.Holds[d.ID]
	switch {
	case r.ByHand:
		if d.works() {
			r.ByHand, r.Asleep, r.SettledAt, r.SwitchedAt = false, false, d.Last.V.At, st.in.At
			st.event(d, r, EventReleased, "awake again: a person woke it")
		}
		return
	case !r.Asleep && d.Last.V.State == site.StateSleeping && d.rests() && !held:
		r.Asleep, r.SettledAt, r.SwitchedAt = true, d.Last.V.At, st.in.At
		st.foundAsleep(d, r, "asleep and not told to: a person put it to sleep")
		return
	case r.Asleep && d.works():
	case !r.Asleep && held && d.Last.V.State == site.StateSleeping && d.rests():
	case !r.Asleep && r.Power.OK && d.Last.V.Target.OK && d.works() && !d.agrees(r.setpoint()) && d.Last.V.State == site.StateHashing:
	default:
		return
	}
	if st.in.At.Sub(r.DriftFrom) >= time.Hour {
		r.DriftFrom, r.Drifts = st.in.At, 0
	}
	r.Drifts++
	said := d.Last.V.State.String()
	if p := d.Last.V.Power; p.OK {
		said += " at " + p.V.Short()
	}
	text := fmt.Sprintf("told to %s and confirmed, found %s", r.setpoint(), said)
	if r.Drifts > maxDrifts {
		st.quarantine(d, r, fmt.Sprintf("it does not stay as told, %d times within an hour: %s", r.Drifts, text))
		return
	}
	st.event(d, r, EventDrift, text)
	// The retry that follows tells it, once it may.
	r.Reason, r.Plan = site.Reason{Code: site.ReasonDrift, Text: text}, st.in.Plan
	r.Phase, r.NextTry, r.AckedAt = pause, st.in.At, st.in.At
}

// foundAsleep leaves a device to the person who put it to sleep, unless it is held.
func (st *step) foundAsleep(d *Device, r *record, text string) {
	r.Power, r.Reason, r.Plan, r.SentAt = site.Opt[unit.Power]{}, site.Reason{}, 0, time.Time{}
	if _, held := st.in.Holds[d.ID]; held {
		return // the hold says what it is to do
	}
	r.ByHand = true
	st.event(d, r, EventFoundAsleep, text+"; it stays asleep until it is released")
}

// retry tells again what failed once its pause is over. Quarantined devices that were to run
// are tried where their group's award is followed: there it is known whether they are wanted.
func (st *step) retry(d *Device, r *record) {
	due := !st.in.At.Before(r.NextTry) && st.tellable(d, r)
	switch {
	case !due || !r.Known:
		return
	case r.Phase == pause:
	case r.Quarantined && r.Phase == idle:
		if _, held := st.in.Holds[d.ID]; !r.Asleep && !held {
			return
		}
	default:
		return
	}
	if hold, held := st.in.Holds[d.ID]; held && (hold.Mode == site.ModeSleep) != r.Asleep {
		return // hold tells it otherwise
	}
	st.tellAgain(d, r)
}

// tellAgain repeats the present setpoint, under its first reason.
func (st *step) tellAgain(d *Device, r *record) {
	if !r.Asleep && !d.works() && !st.mayStart(d) {
		r.waiting = site.ReasonWave
		return
	}
	why := r.Reason
	if r.Quarantined {
		why = site.Reason{Code: site.ReasonQuarantine, Text: "tried again in quarantine: " + r.Note}
	}
	if why.Text == "" {
		why = site.Reason{Code: site.ReasonDrift, Text: "told again: " + r.setpoint().String()}
	}
	st.tell(d, r, r.setpoint(), why)
}
