package clusters

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/compute"
	"switchyard/compute/shed"
	"switchyard/site"
	"switchyard/unit"
)

// Clusters returns all clusters as they are now.
func (c *Clusters) Clusters() []api.ClusterView {
	out := make([]api.ClusterView, 0, len(c.all))
	for _, x := range c.all {
		out = append(out, c.view(x))
	}
	return out
}

func (x *one) shown() screen {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.screen
}

func (c *Clusters) view(x *one) api.ClusterView {
	s, v := x.shown(), x.reach.Engine.View()
	out := api.ClusterView{
		ID: x.def.ID, Name: x.def.Name, Node: x.def.Node, NameplateW: x.c.Nameplate().Watts(), Quality: site.Missing.String(),
	}
	if v != nil {
		out.Engine, out.Reachable, out.Err, out.Notes = v.Engine, v.Reachable, v.Err, v.Notes
		if !v.At.IsZero() {
			out.At = &v.At
		}
	}
	if s.draw.OK {
		out.PowerW, out.Quality = watts(s.draw.V), site.Measured.String()
	}
	if s.survey != nil {
		out.FirmW = s.survey.Firm.Watts()
		out.AwardW, out.Reason = watts(s.survey.Firm+s.award.Power), s.award.Reason.Text
		out.Blocks = blocks(s)
		out.Notes = append(slices.Clone(out.Notes), s.survey.Notes()...)
	}
	if s.limit.OK {
		out.LimitW = watts(s.limit.V)
	}
	effects := x.runner.Effects()
	out.Headline = headline(x, s, v)
	out.Effects = c.effects(x, s, effects)
	c.nodes(x, v, effects, &out)
	c.classes(x, s, v, &out)
	return out
}

func watts(p unit.Power) *float64 {
	w := p.Watts()
	return &w
}

// headline says in one sentence what a cluster does and why.
func headline(x *one, s screen, v *compute.View) string {
	switch {
	case v == nil || v.At.IsZero() && !v.Reachable:
		return "Not heard of yet: its nameplate is kept for it."
	case !v.Reachable:
		return fmt.Sprintf("It does not answer: it runs on, and %s are kept for it, its nameplate.", x.c.Nameplate().Short())
	case s.survey == nil:
		return "Starting: nothing is told to it yet."
	}
	n := count(v)
	text := fmt.Sprintf("%s with %s GPUs at work", jobs(n.running), grouped(n.gpus))
	if words := stageWords(s.decision.Stage, n); s.decision.Stage == "running" {
		text += ", " + words
	} else {
		text += "; " + words
	}
	if n.waiting > 0 {
		text += fmt.Sprintf(", %s waiting", jobs(n.waiting))
	}
	if s.decision.Stage != "running" && s.award.Reason.Text != "" {
		text += ": " + strings.TrimSuffix(shed.Reason(s.award, s.decision.Stage).Text, ".")
	}
	return text + "."
}

func grouped(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

func jobs(n int) string {
	if n == 1 {
		return "1 job"
	}
	return grouped(n) + " jobs"
}

// mostShown bounds the blocks of a screen.
const mostShown = 200

func blocks(s screen) []api.ClusterBlock {
	out := []api.ClusterBlock{{What: "firm work and machines at rest", Class: site.Firm.String(), PowerW: s.survey.Firm.Watts(), AwardW: s.survey.Firm.Watts(), ValueUSD: s.penalty.DollarsPerMWh()}}
	for _, p := range s.survey.Parts() {
		b := api.ClusterBlock{What: p.What, Class: site.Flexible.String(), PowerW: p.Power.Watts(), ValueUSD: p.Value.DollarsPerMWh()}
		if p.Given {
			b.AwardW = b.PowerW
		}
		if out = append(out, b); len(out) == mostShown {
			break
		}
	}
	if f := s.survey.Falling; f > 0 {
		out = append(out, api.ClusterBlock{What: "on its way out", Class: "fixed", PowerW: f.Watts(), AwardW: f.Watts()})
	}
	return out
}

// effects are what is in force or on its way, newest first.
func (c *Clusters) effects(x *one, s screen, all map[string]shed.Effect) []api.ClusterEffect {
	out := make([]api.ClusterEffect, 0, len(all))
	falling := s.survey != nil && s.survey.Falling > x.c.Nameplate()/50
	for k, e := range all {
		v := api.ClusterEffect{
			ID: k, Verb: string(e.Act.Verb), Target: e.Act.Target, Text: e.Act.String(), Since: e.Since, Plan: int64(e.Plan), Why: e.Why.Text, State: "asked",
		}
		if e.Saves > 0 {
			v.PowerW = watts(e.Saves)
		}
		switch {
		case !e.Undoing.IsZero():
			v.State = "undoing"
		case e.Err != "":
			v.State, v.Next = "refused", "another way is chosen; "+e.Err
		case !e.Done.IsZero() && (e.Saves <= 0 || !falling):
			v.State = "seen"
		case !e.Done.IsZero() && s.at.After(e.Deadline):
			v.State, v.Next = "late", "the next step is taken in its place"
		case !e.Done.IsZero():
			v.State, v.Until, v.Next = "acknowledged", &e.Deadline, "if the meter does not show it by then, the next step is taken"
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b api.ClusterEffect) int {
		if d := b.Since.Compare(a.Since); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

func (c *Clusters) nodes(x *one, v *compute.View, effects map[string]shed.Effect, out *api.ClusterView) {
	byName := map[string]compute.Node{}
	onNode := map[string][]string{}
	if v != nil {
		for _, n := range v.Nodes {
			byName[n.Name] = n
		}
		for i := range v.Jobs {
			for _, p := range v.Jobs[i].Places {
				if st := v.Jobs[i].State; st == compute.JobRunning || st == compute.JobStopping || st == compute.JobFrozen {
					onNode[p.Node] = append(onNode[p.Node], v.Jobs[i].ID)
				}
			}
		}
	}
	x.mu.Lock()
	held := x.held
	x.mu.Unlock()
	for _, m := range x.c.Machines {
		e, known := byName[m.Name]
		n := api.ClusterNode{
			Name: m.Name, Model: m.Model, State: e.State.String(), GPUs: m.GPUs, Used: e.Used, FullW: x.c.Models[m.Model].Full.Watts(),
			Ours: e.Ours, Held: held[m.Name].Mode, Jobs: onNode[m.Name],
		}
		if !known {
			n.State, n.Note = compute.NodeDown.String(), "its engine does not know it"
		}
		if known && e.GPUs != m.GPUs {
			n.Note = fmt.Sprintf("its engine says %d GPUs, the site file %d", e.GPUs, m.GPUs)
		}
		if cap, ok := effects[compute.Act{Verb: compute.Hold, Target: m.Name}.Key()]; ok && !cap.Done.IsZero() {
			n.CapW = watts(cap.Act.Power)
			if n.Note == "" {
				n.Note = cap.Why.Text
			}
		}
		x.measured(m.Name, &n)
		out.GPUs += m.GPUs
		out.Used += e.Used
		out.Nodes = append(out.Nodes, n)
	}
}

// measured fills in what a node said of itself.
func (x *one) measured(name string, n *api.ClusterNode) {
	r, ok, failed := x.gauge.reading(name)
	if failed != "" && n.Note == "" {
		n.Note = failed
	}
	if !ok {
		return
	}
	n.Source = r.Source
	if len(r.Notes) > 0 && n.Note == "" {
		n.Note = r.Notes[0]
	}
	if r.Power.OK {
		n.PowerW = watts(r.Power.V)
	}
	if !r.Lease.IsZero() {
		n.Lease = &r.Lease
	}
	var use, sum float64
	var counted int
	var gpus unit.Power
	for _, g := range r.GPUs {
		if g.Use.OK {
			use += g.Use.V
			counted++
		}
		if g.Power.OK {
			gpus += g.Power.V
		}
		if g.Temp.OK && (n.TempC == nil || g.Temp.V > *n.TempC) {
			t := g.Temp.V
			n.TempC = &t
		}
		if len(g.Faults) > 0 {
			n.Note = fmt.Sprintf("GPU %d: %s", g.Index, strings.Join(g.Faults, ", "))
		}
	}
	if counted > 0 {
		sum = use / float64(counted)
		n.Use = &sum
	}
	if n.PowerW == nil && gpus > 0 {
		n.PowerW = watts(gpus)
	}
}

func (c *Clusters) classes(x *one, s screen, v *compute.View, out *api.ClusterView) {
	if v == nil {
		return
	}
	for i := range x.c.Terms {
		t := &x.c.Terms[i]
		k := api.ClusterClass{Name: t.Name, Kind: t.Class.String(), Queues: t.Queues, Jobs: map[string]int{}}
		for n := range v.Jobs {
			j := &v.Jobs[n]
			if !slices.Contains(t.Queues, j.Queue) {
				continue
			}
			k.Jobs[j.State.String()]++
			if j.State == compute.JobRunning {
				k.GPUs += j.GPUs
				if s.survey != nil && t.Class != compute.Firm {
					p, _ := s.survey.OfJob(j)
					k.Offered += p.Watts()
				}
			}
		}
		out.Classes = append(out.Classes, k)
	}
	for _, q := range v.Queues {
		k := api.ClusterQueue{Name: q.Name, Open: q.Open, Ours: q.Ours, GPUs: q.GPUs, Borrowed: q.Borrowed}
		if class, ok := x.def.ClassOf(q.Name); ok {
			k.Class = class.Name
		}
		out.Queues = append(out.Queues, k)
	}
}

// ClusterJobs returns a cluster's jobs.
func (c *Clusters) ClusterJobs(id string) ([]api.ClusterJob, error) {
	x, err := c.find(id)
	if err != nil {
		return nil, err
	}
	v := x.reach.Engine.View()
	if v == nil {
		return []api.ClusterJob{}, nil
	}
	s, effects := x.shown(), x.runner.Effects()
	out := make([]api.ClusterJob, 0, len(v.Jobs))
	for i := range v.Jobs {
		out = append(out, c.job(x, s, effects, &v.Jobs[i]))
	}
	return out, nil
}

func (c *Clusters) job(x *one, s screen, effects map[string]shed.Effect, j *compute.Job) api.ClusterJob {
	out := api.ClusterJob{
		ID: j.ID, Name: j.Name, Account: j.Account, Queue: j.Queue, State: j.State.String(), GPUs: j.GPUs, Restarts: j.Restarts, Ours: j.Ours,
		Submitted: when(j.Submitted), Started: when(j.Started), Deadline: when(j.Deadline),
	}
	if t, ok := x.def.TenantOf(j.Account); ok {
		out.Tenant, out.TenantName = t.ID, t.Name
	}
	for _, p := range j.Places {
		out.Nodes = append(out.Nodes, p.Node)
	}
	if j.Saved.OK {
		out.Saved = when(j.Saved.V)
	}
	if s.survey == nil {
		return out
	}
	t := s.survey.TermsOf(j)
	out.Class, out.Kind = t.Name, t.Class.String()
	p, slowed := s.survey.OfJob(j)
	if j.State == compute.JobRunning {
		out.PowerW, out.Slowed = watts(p), float64(slowed)
	}
	if t.Pauses() {
		used, _ := x.runner.Paused(s.at)(j.ID, t.Per)
		out.PausedS = used.Seconds()
		if t.Pause > 0 {
			left := max(t.Pause-used, 0).Seconds()
			out.PauseLeftS = &left
		}
	}
	x.why(&out, effects, j)
	if said := s.survey.Said(j); said != "" {
		out.Why = strings.TrimPrefix(out.Why+"; "+said, "; ")
	}
	return out
}

// why fills in what holds a job back: its own pause, else the caps of its nodes by its part of their GPUs.
func (x *one) why(out *api.ClusterJob, effects map[string]shed.Effect, j *compute.Job) {
	tell := func(e shed.Effect, part float64) {
		if out.Since.IsZero() || e.Since.Before(out.Since) {
			out.Since = e.Since
		}
		out.Why, out.Cause, out.Place = e.Why.Text, string(e.Why.Code), string(e.Why.Node)
		out.SavesW += e.Saves.Watts() * part
	}
	if e, ok := effects[compute.Act{Verb: compute.Stop, Target: j.ID}.Key()]; ok {
		tell(e, 1)
		return
	}
	if out.Slowed <= 0 {
		return
	}
	for _, p := range j.Places {
		e, ok := effects[compute.Act{Verb: compute.Hold, Target: p.Node}.Key()]
		i := slices.IndexFunc(x.c.Machines, func(m compute.Machine) bool { return m.Name == p.Node })
		if ok && i >= 0 {
			tell(e, float64(p.GPUs)/float64(max(x.c.Machines[i].GPUs, 1)))
		}
	}
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
