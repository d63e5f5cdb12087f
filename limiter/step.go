package limiter

import (
	"cmp"
	"slices"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

const (
	defaultSleep  = 10 * time.Second
	defaultPeriod = 5 * time.Second
	maxHold       = 10 * time.Minute
	holdPeriods   = 3 // control periods below the trigger before a node's cap is lifted
)

// Limiter remembers since when each node stands above its limit, what falls already and
// how fast firm loads rise. The zero Limiter is ready for use; a new one after a restart is
// safe, only that it takes every overload curve as unused.
type Limiter struct {
	nodes  []node
	falls  map[site.DeviceID]fall
	firm   map[site.DeviceID]rise
	last   time.Time
	period time.Duration
}

// node is what is remembered of one node.
type node struct {
	overSince time.Time // zero while it is not above its limit
	curve     curve
	ratio     float64 // power by limit at the last step
	capped    bool
	calmSince time.Time // below the trigger since; zero while above
	liftedAt  time.Time
	doubled   int        // how often the hold was doubled, because the node came back too soon
	bias      unit.Power // what the meter shows beyond what the optimiser believes
}

// fall is power that was told to go.
type fall struct {
	since time.Time
	power unit.Power
	sleep time.Duration
}

// sums are figures of one step, per node.
type sums struct {
	figure  unit.Power // metered, or the nameplate awake
	counted bool
	at      time.Time     // that figure is true of
	falling unit.Power    // of figure, will go without being told
	rising  unit.Power    // firm load foreseen on top, by the time that a shed takes effect
	lead    time.Duration // from this figure until a shed takes effect
	sleep   time.Duration
	shed    unit.Power // ordered in this step
}

// foreseen is what the node will draw once all that was told has happened.
func (s *sums) foreseen() unit.Power { return s.figure - s.falling + s.rising }

// Step judges every node once. It does not block.
//
// A node without an overload curve is acted on when its power, less what falls already, is
// above its limit less half of the margin, or when the rise of its firm load would take it
// above the limit before a shed could take effect; then flexible devices below it rest,
// those of the least value first, until the foreseen power is at the limit less the margin.
// Half of the margin is thus left to noise, half to the time that a shed takes. A node with
// a curve may stand above its limit as long as the curve bears, less the time of a shed.
func (l *Limiter) Step(in Input) Verdict {
	n := in.Tree.Len()
	if len(l.nodes) != n {
		l.nodes = make([]node, n)
		for i := range l.nodes {
			l.nodes[i].curve = newCurve(in.Tree.Node(i).Overload)
		}
	}
	dt := l.tick(in.At)
	per := l.measure(in)
	v := Verdict{Caps: make([]unit.Power, n)}
	var list []int // sheddable devices, least value first; made when first needed
	// Children stand behind their parents: what a child sheds helps its ancestors.
	for i := n - 1; i >= 0; i-- {
		v.Caps[i] = -1
		if i >= len(in.Limits) || in.Limits[i] < 0 {
			l.nodes[i] = node{curve: l.nodes[i].curve.fresh()}
			continue
		}
		over, act := l.judge(in, i, &per[i], dt)
		if act {
			if list == nil {
				list = sheddable(in, l.falls)
			}
			over.Short = l.shed(in, i, per, list, &v, over.Text)
			if over.Short > 0 {
				over.Text += "; no flexible load is left below it, " + over.Short.Short() + " too much remains"
			}
		}
		if act || over.Over > 0 {
			v.Over = append(v.Over, over)
		}
		v.Caps[i] = l.cap(in, i, &per[i], act)
	}
	slices.Reverse(v.Over)
	return v
}

// tick returns the time since the last step, which is also the period's newest measure.
func (l *Limiter) tick(at time.Time) time.Duration {
	dt := time.Duration(0)
	if !l.last.IsZero() {
		dt = max(at.Sub(l.last), 0)
	}
	l.period = defaultPeriod
	if dt > 0 {
		l.period = min(dt, time.Minute)
	}
	l.last = at
	return dt
}

// measure gathers what each node draws, what falls and what rises below it.
func (l *Limiter) measure(in Input) []sums {
	per := make([]sums, in.Tree.Len())
	for i := range per {
		s := &per[i]
		s.at = in.At
		switch {
		case i < len(in.Meters) && in.Meters[i].Power.OK && !in.Meters[i].Stale:
			s.figure, s.at = in.Meters[i].Power.V, in.Meters[i].At
		case i < len(in.Nameplate):
			s.figure, s.counted = in.Nameplate[i], true
		default:
			s.counted = true
		}
	}
	l.noteFalls(in)
	for i := range in.Devices {
		d := &in.Devices[i]
		f, falls := l.falls[d.ID]
		for n := up(in.Tree, d.Node); n >= 0; n = in.Tree.Node(n).Parent {
			if falls {
				per[n].falling += f.left(per[n].at, in.At, per[n].counted, l.period)
			}
			if d.Class != site.Firm && d.Sheddable {
				per[n].sleep = max(per[n].sleep, d.sleep())
			}
		}
	}
	for i := range per {
		s := &per[i]
		s.lead = s.sleep + l.period + max(in.At.Sub(s.at), 0)
	}
	l.foresee(in, per)
	return per
}

// up returns a device's node, or -1 where it stands at none.
func up(t *site.Tree, n int) int {
	if n >= t.Len() {
		return -1
	}
	return n
}

func (d *Device) sleep() time.Duration {
	if d.SleepTime > 0 {
		return d.SleepTime
	}
	return defaultSleep
}

// noteFalls keeps book of what was told to go and when that was first seen.
func (l *Limiter) noteFalls(in Input) {
	if l.falls == nil {
		l.falls = map[site.DeviceID]fall{}
	}
	next := make(map[site.DeviceID]fall, len(l.falls))
	for i := range in.Devices {
		d := &in.Devices[i]
		f, known := l.falls[d.ID]
		switch {
		case d.Falling > 0 && !known:
			f = fall{since: in.At, power: d.Falling, sleep: d.sleep()}
		case d.Falling > 0:
		case known && in.At.Sub(f.since) <= f.sleep+2*l.period:
			// Our order may not show yet, or has been done and the meter is older.
		default:
			continue
		}
		next[d.ID] = f
	}
	l.falls = next
}

// left is how much of the fall a figure of time at still holds. A meter shows the fall as
// it goes; a nameplate shows it whole until a reading proves it, so it counts whole for the
// time that it should take and after that not at all: who does not obey counts as awake.
func (f fall) left(at, now time.Time, counted bool, period time.Duration) unit.Power {
	if counted {
		if now.Sub(f.since) <= f.sleep+2*period {
			return f.power
		}
		return 0
	}
	gone := float64(at.Sub(f.since)) / float64(f.sleep)
	return f.power.Scale(1 - min(max(gone, 0), 1))
}

// sheddable lists who may be told to rest, least value first; of equals the largest first.
func sheddable(in Input, falls map[site.DeviceID]fall) []int {
	list := make([]int, 0, len(in.Devices))
	for i := range in.Devices {
		d := &in.Devices[i]
		if _, falling := falls[d.ID]; d.Class != site.Firm && d.Sheddable && !falling && d.Power > d.Floor {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b int) int {
		x, y := &in.Devices[a], &in.Devices[b]
		return cmp.Or(cmp.Compare(x.Value, y.Value), cmp.Compare(y.Power-y.Floor, x.Power-x.Floor), cmp.Compare(x.ID, y.ID))
	})
	return list
}

// shed orders devices below node n to rest until the foreseen power is at the limit less
// the margin, and returns what is left too much. A device's own power is what it frees at
// the least: losses only add to it.
func (l *Limiter) shed(in Input, n int, per []sums, list []int, v *Verdict, why string) unit.Power {
	need := per[n].foreseen() - safe(in.Limits[n], in.Margin) - per[n].shed
	reason := site.Reason{Code: site.ReasonLimiter, Node: in.Tree.Node(n).ID, Text: why}
	for _, i := range list {
		if need <= 0 {
			break
		}
		d := &in.Devices[i]
		if _, ordered := l.falls[d.ID]; ordered || d.Node < 0 || d.Node >= len(per) || !in.Tree.Below(d.Node, n) {
			continue
		}
		frees := d.Power - d.Floor
		l.falls[d.ID] = fall{since: in.At, power: frees, sleep: d.sleep()}
		v.Shed = append(v.Shed, ShedOrder{Device: d.ID, Reason: reason})
		need -= frees
		for k := d.Node; k >= 0; k = in.Tree.Node(k).Parent {
			per[k].shed += frees
		}
	}
	return max(need, 0)
}

// safe is the limit less the margin.
func safe(limit unit.Power, margin unit.Ratio) unit.Power {
	return limit.Scale(1 - min(max(float64(margin), 0), 1))
}
