package openadr

import (
	"fmt"
	"time"

	"switchyard/signal/openadr/event"
)

// most that one report may hold, and how far schedules are followed in one go.
const (
	maxReportIntervals = 1000
	maxSkipped         = 200_000
	adHocApart         = time.Minute
	adHocReach         = time.Hour
	// reportPatience is how long a report that cannot be delivered is kept.
	reportPatience = 24 * time.Hour
)

// obligation is what one reportDescriptor of an event wants, and how far it is met.
//
// Report k belongs to interval start+k*every. Looking back, it is made at that interval's end
// and covers the num intervals up to it; looking ahead, it is made at its start and covers num
// from there on.
type obligation struct {
	d      event.ReportDescriptor
	place  int // among the event's descriptors
	start  int
	num    int
	every  int
	repeat int // below zero: without end
	back   bool
	early  bool // looking ahead, at once
	adHoc  bool

	next    int // the report to be made next
	done    bool
	waiting bool // for the VTN
	tries   int  // of the next report
	retry   time.Time
	lastAt  time.Time // of the last ad hoc report
	lastFor string    // the state that it told
}

func or(p *int, d int) int {
	if p == nil {
		return d
	}
	return *p
}

// oblige returns the obligation of the event's descriptor i, and skips what was due before
// now except for the newest.
func oblige(h *event.Held, i int, now time.Time) *obligation {
	d := h.Event.Reports[i]
	o := &obligation{
		d: d, place: i, start: or(d.Start, -1), num: or(d.Num, -1), every: or(d.Frequency, -1), repeat: or(d.Repeat, 1),
		back: d.Historical == nil || *d.Historical,
	}
	all := h.Windows()
	if all < 0 { // implied intervals: as many as the report wants
		all = max(1, o.num)
	}
	if all == 0 || o.every == 0 {
		o.adHoc = true
		return o
	}
	if o.start < 0 {
		o.early = !o.back
		if o.start = 0; o.back {
			o.start = all - 1
		}
	}
	switch {
	case o.num <= 0 && o.back:
		o.num = o.start + 1
	case o.num <= 0:
		o.num = max(1, all-o.start)
	}
	o.num = min(o.num, maxReportIntervals)
	if o.every < 0 {
		o.every = o.num
	}
	for skipped := 0; ; skipped++ {
		t, ok := o.due(h, o.next+1)
		if !ok || t.After(now) {
			break
		}
		if skipped == maxSkipped {
			o.done = true
			break
		}
		o.next++
	}
	return o
}

// resume goes on where the event's earlier version stood, so that a change of the event does
// not send its reports again.
func (o *obligation) resume(old *followed) {
	for _, was := range old.reports {
		if was.place == o.place && was.d.Type == o.d.Type {
			o.next = max(o.next, was.next)
			o.lastAt, o.lastFor = was.lastAt, was.lastFor
		}
	}
}

// due is when report k is to be made; false when there is no such report.
func (o *obligation) due(h *event.Held, k int) (time.Time, bool) {
	if o.repeat >= 0 && k >= o.repeat {
		return time.Time{}, false
	}
	w, ok := h.Window(o.start + k*o.every)
	switch {
	case !ok:
		return time.Time{}, false
	case !o.back && o.early && k == 0:
		return time.Time{}.Add(time.Second), true // at once
	case !o.back:
		return w.From, true
	case w.To.IsZero():
		return time.Time{}, false
	}
	return w.To, true
}

// covers are the intervals of report k.
func (o *obligation) covers(h *event.Held, k int) []event.Slot {
	last := o.start + k*o.every
	first := last
	if o.back {
		first = max(0, last-o.num+1)
	} else {
		last += o.num - 1
	}
	var out []event.Slot
	for i := first; i <= last; i++ {
		w, ok := h.Window(i)
		if !ok {
			break
		}
		out = append(out, w)
	}
	return out
}

// key names report k of an obligation at the VTN, the same after a restart.
func (o *obligation) key(k int) string {
	return fmt.Sprintf("%s-%d-%d", event.Plain(o.d.Type, 64), o.place, k)
}
