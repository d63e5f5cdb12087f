package reconcile

import (
	"switchyard/site"
	"switchyard/unit"
)

// report says how devices and loads stand after the step.
func (st *step) report() {
	st.out.Loads = map[site.LoadID]LoadStatus{}
	st.out.Devices = make([]DeviceStatus, len(st.in.Devices))
	var ls *LoadStatus
	var load site.LoadID
	sums := map[site.LoadID]*LoadStatus{}
	for i := range st.in.Devices {
		d := &st.in.Devices[i]
		if ls == nil || d.Load != load { // devices of a load mostly stand together
			load = d.Load
			if ls = sums[load]; ls == nil {
				ls = &LoadStatus{}
				sums[load] = ls
			}
		}
		ds := st.status(d, st.rec[i])
		st.out.Devices[i] = ds
		st.rec[i].offered = ds.Free
		ls.add(d, st.rec[i], ds, st.worth(d, st.rec[i]))
	}
	for id, s := range sums {
		st.out.Loads[id] = *s
	}
}

// counted is what a device is taken to draw now: unknown is not zero.
func (d *Device) counted(r *record) unit.Power {
	if d.Last.OK && d.Last.V.Power.OK {
		return d.Last.V.Power.V
	}
	if d.rests() || r.Known && r.Asleep && !r.pending() && !r.Quarantined {
		return d.standby()
	}
	return d.nameplate()
}

func (st *step) status(d *Device, r *record) DeviceStatus {
	_, held := st.in.Holds[d.ID]
	ds := DeviceStatus{
		Mode: r.mode(), Known: r.Known, Counted: d.counted(r), Expected: st.potential(d, r), Free: st.free(d, r),
		Pending: r.pending(), Held: held, ByHand: r.ByHand, Quarantined: r.Quarantined, Waiting: r.waiting, Note: r.Note,
	}
	if r.Asleep && r.pending() && r.Tries == 0 {
		ds.Falling = max(ds.Counted-d.standby(), 0)
	}
	ds.Sheddable = ds.Free && !r.Asleep && d.Caps.Sleep
	switch {
	case r.Quarantined:
	case r.ByHand:
		ds.Note = "a person put it to sleep; it stays asleep until it is released"
	case d.Unreachable:
		ds.Note = "does not answer"
	case !d.Caps.Sleep:
		ds.Note = "cannot be controlled"
	case !r.seen:
		ds.Note = "not read since the start"
	case r.Phase == pause:
		ds.Note = "did not obey: " + r.Reason.Text
	case r.waiting == site.ReasonRest:
		ds.Note = "wanted, and its minimum rest is not over"
	case r.waiting == site.ReasonWave:
		ds.Note = "wanted, and waits for the inrush allowance"
	}
	return ds
}

func (ls *LoadStatus) add(d *Device, r *record, ds DeviceStatus, running unit.Power) {
	if ds.Free {
		ls.Available += ds.Expected - d.standby()
		ls.Fixed += d.standby()
		switch {
		case !r.Asleep:
			ls.Running += running
		case r.Tries > 0:
			// Told to rest and still awake: stuck already, before it is quarantined.
			ls.Fixed += max(ds.Counted-d.standby(), 0)
		}
	} else {
		ls.Fixed += ds.Counted
	}
	ls.Falling += ds.Falling
	if d.rests() || !d.Last.OK && r.Known && r.Asleep {
		ls.Asleep++
	} else {
		ls.Awake++
	}
	count := func(n *int, yes bool) {
		if yes {
			*n++
		}
	}
	count(&ls.Quarantined, ds.Quarantined)
	count(&ls.Held, ds.Held || ds.ByHand)
	count(&ls.Unreachable, d.Unreachable)
	count(&ls.Pending, ds.Pending)
	count(&ls.Waiting, ds.Waiting != "")
}
