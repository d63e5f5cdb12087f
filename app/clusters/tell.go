package clusters

import (
	"fmt"
	"time"

	"switchyard/compute"
	"switchyard/compute/shed"
	"switchyard/journal"
	"switchyard/site"
)

// DeviceOf is what a job or a machine of a cluster is called in the journal.
func DeviceOf(id, target string) site.DeviceID { return site.DeviceID(id + "/" + target) }

// event writes what happened to an act into the journal.
func (c *Clusters) event(x *one, e shed.Event) {
	kind := map[shed.EventKind]journal.Kind{
		shed.EventDo: journal.KindCommand, shed.EventDone: journal.KindAck, shed.EventUndo: journal.KindCommand,
		shed.EventUndone: journal.KindConfirm, shed.EventFailed: journal.KindFail,
	}[e.Kind]
	c.opt.Note(journal.Entry{
		At: e.At, Plan: e.Plan, Subject: string(x.flex), Device: DeviceOf(x.def.ID, e.Act.Target), Kind: kind, Code: e.Why.Code, Text: e.Text,
	})
}

// told journals how far shedding goes where that changed, and what became of the acts.
func (c *Clusters) told(x *one, now time.Time, plan site.PlanID, a site.Award, d shed.Decision, effects map[string]shed.Effect) {
	if d.Stage != x.stage {
		x.stage = d.Stage
		c.opt.Note(journal.Entry{
			At: now, Plan: plan, Subject: string(x.flex), Kind: journal.KindAward, Code: a.Reason.Code,
			Text: fmt.Sprintf("%s is now %s: it may draw %s beyond its firm %s; %s", x.def.Name, d.Stage, a.Power.Short(), x.survey.Firm.Short(), a.Reason.Text),
		})
	}
	if !x.stepped.IsZero() {
		for _, e := range shed.Late(x.stepped, now, x.survey, effects) {
			c.opt.Note(journal.Entry{
				At: now, Plan: e.Plan, Subject: string(x.flex), Device: DeviceOf(x.def.ID, e.Act.Target), Kind: journal.KindFail, Code: site.ReasonLimit,
				Text: fmt.Sprintf("%s: the meter does not show it by its deadline, %s are still drawn beyond what should be; the next step is taken", e.Act, x.survey.Falling.Short()),
			})
		}
	}
	c.confirm(x, now, effects)
}

// confirm journals, once an act, that the cluster's meter fell to what the acts leave.
func (c *Clusters) confirm(x *one, now time.Time, effects map[string]shed.Effect) {
	for k := range x.confirmed {
		if e, ok := effects[k]; !ok || !e.Undoing.IsZero() {
			delete(x.confirmed, k)
		}
	}
	if x.survey.Falling > x.c.Nameplate()/50 {
		return
	}
	for k, e := range effects {
		if x.confirmed[k] || e.Done.IsZero() || !e.Undoing.IsZero() || e.Saves <= 0 || !x.seen.After(e.Done) {
			continue
		}
		x.confirmed[k] = true
		c.opt.Note(journal.Entry{
			At: now, Plan: e.Plan, Subject: string(x.flex), Device: DeviceOf(x.def.ID, e.Act.Target), Kind: journal.KindConfirm, Code: e.Why.Code,
			Text: fmt.Sprintf("%s: the meter shows it", e.Act),
		})
	}
}

// sight journals that an engine was lost, or came back.
func (c *Clusters) sight(x *one, now time.Time, v *compute.View) {
	reachable := v != nil && v.Reachable
	if reachable == x.reachable {
		return
	}
	first := x.stepped.IsZero()
	x.reachable = reachable
	e := journal.Entry{At: now, Subject: string(x.flex), Kind: journal.KindRestore, Text: x.def.Name + " is followed: " + engine(v)}
	if !reachable {
		e.Kind = journal.KindLost
		e.Text = fmt.Sprintf("%s does not answer: it runs on, and %s are kept for it, its nameplate", x.def.Name, x.c.Nameplate().Short())
		if v != nil && v.Err != "" {
			e.Text += "; " + v.Err
		}
		if first {
			return
		}
	}
	c.opt.Note(e)
}

func engine(v *compute.View) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf("%s, %d nodes, %d jobs", v.Engine, len(v.Nodes), len(v.Jobs))
}

// Alerts returns what a person should see to, by a stable key.
func (c *Clusters) Alerts() map[string]string {
	out := map[string]string{}
	for _, x := range c.all {
		if v := x.reach.Engine.View(); v != nil && !v.Reachable {
			out["cluster:"+x.def.ID] = x.def.Name + " does not answer: " + v.Err + "; it runs on and its nameplate is kept for it"
		}
		if err := x.runner.Err(); err != nil {
			out["cluster-store:"+x.def.ID] = x.def.Name + ": nothing is capped or paused, since the store takes nothing: " + err.Error()
		}
	}
	return out
}
