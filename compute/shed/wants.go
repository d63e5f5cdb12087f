package shed

import (
	"fmt"
	"slices"
	"strings"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// Want is an act that should be in force.
type Want struct {
	Act   compute.Act
	Saves unit.Power
	Why   string // what was weighed, one clause
}

// Decision is what follows from an award.
type Decision struct {
	Wants []Want
	// Stage says in a few words how far it went: "running", "closed", "capped", "paused", "firm only".
	Stage string
}

// Decide chooses the acts by which the flexible part draws no more than allowed. Where the
// price asks for less, the least worth is given up; where power is short, in the order in which
// it comes back soonest and least is lost: what waits, idle nodes, caps, pauses.
func (s *Survey) Decide(allowed unit.Power, short bool) Decision {
	if s.in.View == nil || !s.in.View.Reachable {
		return s.keepAll()
	}
	order := slices.Clone(s.blocks)
	if !short {
		order = s.byValue()
	}
	var d Decision
	over := s.Flexible - max(allowed, 0)
	var gone [kindStart + 1]int
	for i := len(order) - 1; i >= 0 && over > 0; i-- {
		b := &order[i]
		if b.kind == kindKept {
			continue
		}
		over -= b.power
		gone[b.kind]++
		switch b.kind {
		case kindStart:
			d.closeQueue(b.job.Queue)
		case kindIdle, kindEmpty:
			d.Wants = append(d.Wants, Want{Act: compute.Act{Verb: compute.Fence, Target: b.act.Target}, Why: "to take its power"}, Want{Act: b.act, Saves: b.power, Why: "it has no work"})
		case kindCap:
			d.Wants = append(d.Wants, Want{Act: b.act, Saves: b.power, Why: fmt.Sprintf("it costs %.0f $ for a MWh saved", b.value.DollarsPerMWh())})
		case kindPause:
			d.Wants = append(d.Wants, Want{Act: b.act, Saves: b.power, Why: fmt.Sprintf("worth %.0f $/MWh, the least of what runs", b.value.DollarsPerMWh())})
		case kindKept:
		}
	}
	if len(d.Wants) > 0 && (short || gone[kindPause] > 0) {
		d.closeAll(s) // what waits, or comes, must not take what was given up
	}
	d.Stage = stage(gone, s)
	d.dropCapsOfStopped(s)
	for name, fence := range s.in.Held {
		if fence {
			d.Wants = append(d.Wants, Want{Act: compute.Act{Verb: compute.Fence, Target: name}, Why: "a person wants it so"})
		}
	}
	for _, a := range s.stays {
		d.Wants = append(d.Wants, Want{Act: a, Why: "until its work is gone"})
	}
	return d
}

// keepAll leaves every act in force as it is: nobody knows what the cluster does.
func (s *Survey) keepAll() Decision {
	d := Decision{Stage: "not reachable"}
	for _, e := range s.in.Effects {
		if e.Undoing.IsZero() {
			d.Wants = append(d.Wants, Want{Act: e.Act, Saves: e.Saves, Why: e.Why.Text})
		}
	}
	slices.SortFunc(d.Wants, func(a, b Want) int { return strings.Compare(a.Act.Key(), b.Act.Key()) })
	return d
}

func (d *Decision) closeAll(s *Survey) {
	for i := len(s.c.Terms) - 1; i >= 0; i-- {
		if t := &s.c.Terms[i]; t.Class != compute.Firm {
			for _, q := range t.Queues {
				d.closeQueue(q)
			}
		}
	}
}

func (d *Decision) closeQueue(q string) {
	if q == "" || slices.ContainsFunc(d.Wants, func(w Want) bool { return w.Act.Verb == compute.Close && w.Act.Target == q }) {
		return
	}
	d.Wants = append([]Want{{Act: compute.Act{Verb: compute.Close, Target: q}, Why: "nothing new starts while power is short"}}, d.Wants...)
}

// dropCapsOfStopped leaves out caps of nodes all of whose work is stopped anyway.
func (d *Decision) dropCapsOfStopped(s *Survey) {
	stops := map[string]bool{}
	for _, w := range d.Wants {
		if w.Act.Verb == compute.Stop {
			stops[w.Act.Target] = true
		}
	}
	if len(stops) == 0 {
		return
	}
	stopped := map[string]int{} // GPUs by node
	for i := range s.in.View.Jobs {
		if j := &s.in.View.Jobs[i]; j.State == compute.JobRunning && stops[j.ID] {
			for _, p := range j.Places {
				stopped[p.Node] += p.GPUs
			}
		}
	}
	d.Wants = slices.DeleteFunc(d.Wants, func(w Want) bool {
		n := s.nodes[w.Act.Target]
		return w.Act.Verb == compute.Hold && n != nil && n.cap == 0 && n.used > 0 && stopped[w.Act.Target] >= n.used
	})
}

// stage names how far shedding went.
func stage(gone [kindStart + 1]int, s *Survey) string {
	left := 0
	for i := range s.blocks {
		if s.blocks[i].kind == kindPause {
			left++
		}
	}
	switch {
	case gone[kindPause] > 0 && gone[kindPause] == left:
		return "firm only"
	case gone[kindPause] > 0:
		return "paused"
	case gone[kindCap] > 0:
		return "capped"
	case gone[kindStart] > 0:
		return "closed"
	case gone[kindIdle] > 0:
		return "idle nodes off"
	}
	return "running"
}

// Reason tells an award as the reason of the acts that follow from it.
func Reason(a site.Award, stage string) site.Reason {
	r := a.Reason
	if a.Power >= a.Full && stage != "running" {
		r.Text = "there is room again, and what was held back returns step by step"
	}
	r.Text = strings.TrimSuffix(r.Text, ".")
	return r
}
