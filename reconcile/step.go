package reconcile

import (
	"fmt"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// The defaults of Policy.
const (
	defaultConfirm    = time.Minute
	defaultRetries    = 3
	defaultSettle     = 2 * time.Minute
	defaultFresh      = 2 * time.Minute
	defaultQuarantine = 10 * time.Minute
)

func (p Policy) withDefaults() Policy {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&p.Confirm, defaultConfirm)
	set(&p.Settle, defaultSettle)
	set(&p.Fresh, defaultFresh)
	set(&p.Quarantine, defaultQuarantine)
	if p.Retries == 0 {
		p.Retries = defaultRetries
	}
	return p
}

// step is one Step at work.
type step struct {
	s   *State
	in  *Input
	pol Policy
	out Output
	rec []*record // in the order of the devices
	// room is what may still be started below each node with an inrush allowance.
	room []unit.Power
}

// Step looks at everything once and says what to tell whom. It does not block.
//
// Its story: take in the answers and what the limiter told; compare every device's newest
// reading with what it was told (confirm, retry, quarantine, drift, found asleep); put held
// devices into their mode; then let each group follow its award, shedding at once and
// starting in waves.
func (s *State) Step(in Input) Output {
	st := &step{s: s, in: &in, pol: in.Policy.withDefaults()}
	st.rec = make([]*record, len(in.Devices))
	for i := range in.Devices {
		st.rec[i] = s.record(in.Devices[i].ID)
	}
	st.openInrush()
	st.takeIn()
	for i := range in.Devices {
		d, r := &in.Devices[i], st.rec[i]
		r.waiting = ""
		st.observe(d, r)
		st.retry(d, r)
		if hold, ok := in.Holds[d.ID]; ok {
			st.hold(d, r, hold)
		}
	}
	for _, g := range st.groups() {
		st.follow(g)
	}
	s.last = in.At
	s.forget(in.Devices)
	st.report()
	return st.out
}

// event notes what happened to a device.
func (st *step) event(d *Device, r *record, k EventKind, text string) {
	e := Event{At: st.in.At, Device: d.ID, Kind: k, Plan: r.Plan, Command: r.SentAt, Reason: r.Reason, Text: text}
	if d.Last.OK {
		e.State, e.Power = d.Last.V.State, d.Last.V.Power
	}
	st.out.Events = append(st.out.Events, e)
}

// tell sends a device a setpoint.
func (st *step) tell(d *Device, r *record, sp site.Setpoint, why site.Reason) {
	c := site.Command{Device: d.ID, Setpoint: sp, Reason: why, Plan: st.in.Plan, At: st.in.At}
	st.note(d, r, c)
	st.out.Commands = append(st.out.Commands, c)
}

// note remembers a command that goes out, or that the limiter sent.
func (st *step) note(d *Device, r *record, c site.Command) {
	if r.Phase == sent || r.Phase == acked {
		st.event(d, r, EventSuperseded, "a newer command took its place: "+c.Setpoint.String())
	}
	asleep := c.Setpoint.Mode == site.ModeSleep
	if !asleep && (r.Asleep || !r.Known || !d.works()) {
		st.useInrush(d)
	}
	if !r.Known || asleep != r.Asleep {
		r.SwitchedAt = c.At
	}
	if c.Setpoint.Power != r.Power {
		r.TrimmedAt = c.At
	}
	r.Asleep, r.Power, r.Known = asleep, c.Setpoint.Power, true
	r.Phase, r.SentAt, r.AckedAt = sent, c.At, time.Time{}
	r.Reason, r.Plan = c.Reason, c.Plan
	st.event(d, r, EventSent, c.Setpoint.String()+": "+c.Reason.Text)
}

// takeIn takes in the answers, and what the limiter told: that is on its way already.
func (st *step) takeIn() {
	if len(st.in.Acked)+len(st.in.Told) == 0 {
		return
	}
	at := make(map[site.DeviceID]int, len(st.in.Devices))
	for i := range st.in.Devices {
		at[st.in.Devices[i].ID] = i
	}
	// Commands first: an answer may already be there to what the limiter told since the last step.
	for _, c := range st.in.Told {
		if i, ok := at[c.Device]; ok {
			st.note(&st.in.Devices[i], st.rec[i], c)
		}
	}
	for _, a := range st.in.Acked {
		if i, ok := at[a.Device]; ok {
			st.answer(a, &st.in.Devices[i], st.rec[i])
		}
	}
}

// hold puts a held device into the mode that the person chose, and after that leaves it alone.
func (st *step) hold(d *Device, r *record, h site.Hold) {
	r.ByHand = false // a later word of a person replaces the earlier
	asleep := h.Mode == site.ModeSleep
	if r.Quarantined {
		r.Asleep, r.Power = asleep, site.Opt[unit.Power]{} // what the rare tries tell
		return
	}
	if r.Known && r.Asleep == asleep {
		return
	}
	if !st.tellable(d, r) {
		return
	}
	if !r.pending() && (asleep && d.rests() || !asleep && d.works()) {
		r.Asleep, r.Power, r.Known, r.SettledAt = asleep, site.Opt[unit.Power]{}, true, st.in.At
		return
	}
	if !asleep && !st.mayStart(d) {
		r.waiting = site.ReasonWave
		return
	}
	why := fmt.Sprintf("%s holds it: %s", h.By, h.Mode)
	if h.Note != "" {
		why += " (" + h.Note + ")"
	}
	st.tell(d, r, site.Setpoint{Mode: h.Mode}, site.Reason{Code: site.ReasonHold, Text: why})
}

// tellable says that the device may be told something: it was read since the start and
// lately, it answers, and it can be controlled.
func (st *step) tellable(d *Device, r *record) bool {
	return r.seen && !d.Unreachable && d.Caps.Sleep && st.in.At.Sub(d.Last.V.Asked) <= st.pol.Fresh
}
