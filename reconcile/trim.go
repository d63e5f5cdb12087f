package reconcile

import (
	"switchyard/site"
	"switchyard/unit"
)

// span is the range of power targets the device takes; ok is false if it takes none.
func (d *Device) span() (low, high unit.Power, ok bool) {
	switch {
	case d.Caps.Watts.OK:
		return d.Caps.Watts.V.Min, d.Caps.Watts.V.Max, d.Caps.Watts.V.Max > d.Caps.Watts.V.Min
	case d.Caps.Percent && d.nameplate() > 0:
		return d.nameplate() * unit.Power(max(d.Caps.MinPercent, 1)) / 100, d.nameplate(), true
	}
	return 0, 0, false
}

// mayTrim says that the device's target may be changed now.
func (st *step) mayTrim(d *Device, r *record) bool {
	return st.tellable(d, r) && !r.pending() && st.in.At.Sub(r.TrimmedAt) >= trimEvery
}

// lower takes what the group draws too much off its trim device, or makes one, and reports
// whether that brings it to the target.
func (st *step) lower(g *group, target unit.Power) bool {
	if target == 0 || g.sum-target > g.largest {
		return false // no one device can make that up
	}
	i := g.trim
	if i < 0 {
		i = st.candidate(g)
	}
	if i < 0 {
		return false
	}
	d, r := &st.in.Devices[i], st.rec[i]
	low, high, ok := d.span()
	now := st.expected(d, r)
	want := min(now-(g.sum-target), high)
	if !ok || r.Asleep || want < low || want < d.standby() || !st.mayTrim(d, r) {
		return false
	}
	if now-want < d.nameplate().Scale(trimLeast) {
		// Too little to tell: it takes the least step instead, if that may be.
		want = now - d.nameplate().Scale(trimLeast)
		if want < low {
			return false
		}
	}
	st.trimTo(g, i, site.Some(want))
	return true
}

// raise gives the trim device what room there is, up to full power.
func (st *step) raise(g *group, target unit.Power) {
	if g.trim < 0 {
		return
	}
	d, r := &st.in.Devices[g.trim], st.rec[g.trim]
	if !st.mayTrim(d, r) {
		return
	}
	_, high, ok := d.span()
	full, now := max(d.nameplate(), d.standby()), st.expected(d, r)
	switch {
	case !ok, target == everything, now+target-g.sum >= full:
		g.sum += full - now
		st.tell(d, r, site.Setpoint{Mode: site.ModeRun}, g.award.Reason)
		g.trim = -1
	case target-g.sum >= d.nameplate().Scale(trimLeast):
		st.trimTo(g, g.trim, site.Some(min(now+target-g.sum, high)))
	}
}

func (st *step) trimTo(g *group, i int, p site.Opt[unit.Power]) {
	d, r := &st.in.Devices[i], st.rec[i]
	g.sum += p.V - st.expected(d, r)
	g.trim = i
	st.tell(d, r, site.Setpoint{Mode: site.ModeRun, Power: p}, g.award.Reason)
}

// candidate picks the running device to be the group's trim: the least efficient of those
// that take a target.
func (st *step) candidate(g *group) int {
	best, worst := -1, 0
	for _, i := range g.free {
		d, r := &st.in.Devices[i], st.rec[i]
		if _, _, ok := d.span(); !ok || r.Asleep || r.pending() {
			continue
		}
		if e := st.efficiency(d, r); best < 0 || e > worst {
			best, worst = i, e
		}
	}
	return best
}
