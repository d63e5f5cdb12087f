package reconcile

import (
	"cmp"
	"math"
	"slices"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

const (
	// trimEvery and trimLeast keep the trim device from being told every little wobble.
	trimEvery = time.Minute
	trimLeast = 0.05 // of nameplate
	// urgentBand is the share of an award that a limit cuts by which a group may exceed it
	// before one more device rests: below half of the usual margin of one per cent.
	urgentBand = 0.005
)

// everything is the target of a group that was given all it asked for.
const everything = unit.Power(math.MaxInt64)

// group is the devices of one load that are free to follow its award.
type group struct {
	load  site.LoadID
	award site.Award
	free  []int // indices of devices
	stuck []int // those in quarantine
	// sum is what those that are told to run are expected to draw above standby.
	sum, largest, mean unit.Power
	trim               int // the device that runs at a target of its own; -1 without
}

// settling is the lowest award of late, in three slices of half the settling time.
type settling struct {
	low  [3]unit.Power
	from time.Time
}

// free says that the device follows its group's award.
func (st *step) free(d *Device, r *record) bool {
	if !r.Known || !r.seen || r.ByHand || r.Quarantined || d.Unreachable || !d.Caps.Sleep {
		return false
	}
	_, held := st.in.Holds[d.ID]
	return !held
}

// expected is what the device draws awake: its reading where that is stable, else its
// target or its nameplate.
func (st *step) expected(d *Device, r *record) unit.Power {
	if !r.Asleep && r.Power.OK {
		return max(r.Power.V, d.standby())
	}
	if st.stable(d, r) {
		return max(d.Last.V.Power.V, d.standby())
	}
	return max(d.nameplate(), d.standby())
}

// potential is what the device draws at full work: what its group can offer with it.
func (st *step) potential(d *Device, r *record) unit.Power {
	if !r.Asleep && r.Power.OK {
		return max(d.nameplate(), d.standby())
	}
	return st.expected(d, r)
}

// stable says that the newest reading is that of a device which has long been at work, or
// has long been wanting to.
func (st *step) stable(d *Device, r *record) bool {
	if r.Asleep || r.pending() || !d.Last.OK || !d.Last.V.Power.OK {
		return false
	}
	s := &d.Last.V
	working := s.State == site.StateHashing && s.Power.V > d.ceiling()
	return (working || s.State == site.StateFault) &&
		s.Asked.Sub(r.SwitchedAt) > d.Caps.WakeTime && s.Asked.Sub(r.TrimmedAt) > d.Caps.WakeTime
}

// worth is what the device adds above standby when it runs.
func (st *step) worth(d *Device, r *record) unit.Power { return st.expected(d, r) - d.standby() }

// groups gathers the free devices of every load that has an award, in the order in which the
// loads first appear.
func (st *step) groups() []*group {
	var out []*group
	byLoad := map[site.LoadID]*group{}
	for i := range st.in.Devices {
		d, r := &st.in.Devices[i], st.rec[i]
		g, known := byLoad[d.Load]
		if !known {
			// An award for nothing asked decides nothing.
			if a, ok := st.in.Awards[d.Load]; ok && a.Full > 0 {
				g = &group{load: d.Load, award: a, trim: -1}
				out = append(out, g)
			}
			byLoad[d.Load] = g
		}
		if g == nil {
			continue
		}
		if r.Quarantined {
			g.stuck = append(g.stuck, i)
		}
		// The award answers what the last step reported. What has become free since waits for
		// the next; what no longer is still draws what the award has counted.
		free := st.free(d, r)
		if !r.offered || !free {
			if r.offered && d.works() {
				g.sum += max(d.counted(r)-d.standby(), 0)
			}
			continue
		}
		g.free = append(g.free, i)
		w := st.worth(d, r)
		g.mean += w
		g.largest = max(g.largest, w)
		if r.Asleep {
			continue
		}
		g.sum += w
		if r.Power.OK && g.trim < 0 {
			g.trim = i
		}
	}
	for _, g := range out {
		g.mean /= unit.Power(max(len(g.free), 1))
	}
	return out
}

// follow lets a group follow its award: too much is shed at once, too little is started in
// waves, and only for what has been awarded steadily.
func (st *step) follow(g *group) {
	target := max(g.award.Power, 0)
	if g.award.Power >= g.award.Full && g.award.Full > 0 {
		target = everything
	}
	steady := st.steady(g.load, target)
	if target == everything {
		st.raise(g, steady)
		st.start(g, steady)
		st.tryQuarantined(g, steady)
		return
	}
	// The dead band: for money, one device too many is not worth a stop and a start.
	band := g.largest
	if g.award.Urgent {
		band = min(g.mean/2, target.Scale(urgentBand))
	}
	switch {
	case target == 0 && g.sum > 0, g.sum-target > band:
		st.shed(g, target)
	case g.sum < steady:
		st.raise(g, steady)
		st.start(g, steady)
	}
	st.tryQuarantined(g, steady)
}

// steady returns the lowest award over the settling time.
func (st *step) steady(load site.LoadID, now unit.Power) unit.Power {
	if st.pol.Settle < 0 {
		delete(st.s.settle, load) // what is awarded now is where settling begins again
		return now
	}
	if st.s.settle == nil {
		st.s.settle = map[site.LoadID]*settling{}
	}
	w, slice := st.s.settle[load], st.pol.Settle/2
	if w == nil || st.in.At.Sub(w.from) >= 3*slice {
		w = &settling{low: [3]unit.Power{now, now, now}, from: st.in.At}
		st.s.settle[load] = w
	}
	if st.in.At.Sub(w.from) >= slice {
		w.low[0], w.low[1], w.low[2] = w.low[1], w.low[2], now
		w.from = st.in.At
	}
	w.low[2] = min(w.low[2], now)
	return min(w.low[0], w.low[1], w.low[2])
}

// shed brings the group down to the target: by the trim device where that does, else by
// whole devices, least efficient first, then the one that was switched longest ago.
func (st *step) shed(g *group, target unit.Power) {
	if st.lower(g, target) {
		return
	}
	list := st.ranked(g, func(d *Device, r *record) bool {
		return !r.Asleep && st.tellable(d, r) && (g.award.Urgent || st.in.At.Sub(r.SwitchedAt) >= d.MinRun)
	})
	for k := len(list) - 1; k >= 0 && g.sum > target; k-- {
		i := list[k].index
		d, r := &st.in.Devices[i], st.rec[i]
		g.sum -= st.worth(d, r)
		if i == g.trim {
			g.trim = -1
		}
		st.tell(d, r, site.Setpoint{Mode: site.ModeSleep}, g.award.Reason)
		if g.sum > target && st.lower(g, target) {
			return
		}
	}
}

// ranked is a device with what it is ranked by, most worth keeping first.
type ranked struct {
	index      int
	efficiency int // in steps of 2 %, so that noise in readings does not reorder devices
	switched   time.Time
}

// ranked lists the group's devices that pass, most efficient first; equals go by who was
// switched last, so that taken from the end the longest unswitched comes first.
func (st *step) ranked(g *group, pass func(*Device, *record) bool) []ranked {
	list := make([]ranked, 0, len(g.free))
	for _, i := range g.free {
		d, r := &st.in.Devices[i], st.rec[i]
		if pass(d, r) {
			list = append(list, ranked{i, st.efficiency(d, r), r.SwitchedAt})
		}
	}
	slices.SortFunc(list, func(a, b ranked) int {
		if c := cmp.Compare(a.efficiency, b.efficiency); c != 0 {
			return c
		}
		if c := b.switched.Compare(a.switched); c != 0 {
			return c
		}
		return cmp.Compare(a.index, b.index)
	})
	return list
}

// efficiency ranks a device: measured where it is stable, else by nameplate; one that does
// no work is the worst.
func (st *step) efficiency(d *Device, r *record) int {
	eff := unit.EfficiencyOf(d.nameplate(), d.Hashrate)
	if h := d.Last.V.Hashrate; h.OK && !r.Power.OK && st.stable(d, r) {
		eff = unit.EfficiencyOf(d.Last.V.Power.V, h.V)
	}
	if eff <= 0 || !r.Asleep && d.Last.V.State == site.StateFault {
		return math.MaxInt
	}
	return int(math.Floor(math.Log(float64(eff)) / math.Log(1.02)))
}

// start wakes devices, most efficient first, then the one that was switched longest ago,
// while the award, their rest and the inrush allowances leave room.
func (st *step) start(g *group, target unit.Power) {
	room := target
	if target != everything {
		room = target - g.sum
	}
	if room <= 0 {
		return
	}
	list := st.ranked(g, func(d *Device, r *record) bool { return r.Asleep && st.tellable(d, r) && st.worth(d, r) > 0 })
	slices.SortStableFunc(list, func(a, b ranked) int {
		if c := cmp.Compare(a.efficiency, b.efficiency); c != 0 {
			return c
		}
		return a.switched.Compare(b.switched)
	})
	for _, k := range list {
		d, r := &st.in.Devices[k.index], st.rec[k.index]
		sp, add := site.Setpoint{Mode: site.ModeRun}, st.worth(d, r)
		if add > room {
			low, high, ok := d.span()
			// A share is taken only by a miner at work and forgotten when it is woken; a target stays.
			if !ok || !d.Caps.Watts.OK || g.trim >= 0 || low-d.standby() > room {
				continue
			}
			sp.Power = site.Some(min(d.standby()+room, high))
			add = sp.Power.V - d.standby()
		}
		switch {
		case st.in.At.Sub(r.SwitchedAt) < d.MinRest:
			r.waiting = site.ReasonRest
			continue // others may use its share meanwhile
		case !st.mayStart(d):
			r.waiting = site.ReasonWave
		default:
			st.tell(d, r, sp, g.award.Reason)
			g.sum += add
			if sp.Power.OK {
				g.trim = k.index
			}
		}
		// What waits for its wave keeps its place in the award: else a smaller, less
		// efficient device would take it.
		if room != everything {
			room -= add
		}
	}
}

// tryQuarantined tells a quarantined device that will not start once more to run, rarely,
// and only while its group has room for it. Where the group is to draw nothing, its
// quarantined devices are tried at resting instead.
func (st *step) tryQuarantined(g *group, target unit.Power) {
	for _, i := range g.stuck {
		d, r := &st.in.Devices[i], st.rec[i]
		if _, held := st.in.Holds[d.ID]; held || r.Asleep || r.Phase != idle {
			continue
		}
		if target == 0 {
			r.Asleep, r.Power, r.NextTry, r.Reason = true, site.Opt[unit.Power]{}, st.in.At, g.award.Reason
			continue
		}
		need := max(d.nameplate()-d.standby(), 0)
		if st.in.At.Before(r.NextTry) || !st.tellable(d, r) || target != everything && g.sum+need > target {
			continue
		}
		g.sum += need
		st.tellAgain(d, r)
	}
}
