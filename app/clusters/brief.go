package clusters

import (
	"strings"

	"switchyard/api"
	"switchyard/compute"
	"switchyard/compute/shed"
)

// Infos returns what does not change of the clusters.
func (c *Clusters) Infos() []api.ClusterInfo {
	out := make([]api.ClusterInfo, 0, len(c.all))
	for _, x := range c.all {
		v := api.ClusterInfo{ID: x.def.ID, Name: x.def.Name, Node: x.def.Node, NameplateW: x.c.Nameplate().Watts()}
		for _, m := range x.c.Machines {
			v.GPUs += m.GPUs
		}
		out = append(out, v)
	}
	return out
}

// Live returns all clusters as they are now, in short.
func (c *Clusters) Live() []api.ClusterLive {
	out := make([]api.ClusterLive, 0, len(c.all))
	for _, x := range c.all {
		out = append(out, x.brief())
	}
	return out
}

func (x *one) brief() api.ClusterLive {
	s, v := x.shown(), x.reach.Engine.View()
	out := api.ClusterLive{ID: x.def.ID}
	if s.draw.OK {
		out.PowerW = watts(s.draw.V)
	}
	if s.survey != nil {
		out.FirmW, out.AwardW = watts(s.survey.Firm), watts(s.survey.Firm+s.award.Power)
	}
	switch {
	case v == nil || v.At.IsZero() && !v.Reachable:
		out.Stage = "not heard of yet"
		return out
	case !v.Reachable:
		out.Stage, out.Reason = "does not answer", "it runs on, and its nameplate is kept for it"
		return out
	}
	used := 0
	for i := range v.Nodes {
		used += v.Nodes[i].Used
	}
	out.Reachable, out.Used = true, &used
	if s.survey == nil {
		out.Stage = "starting"
		return out
	}
	out.Stage = stageWords(s.decision.Stage, count(v))
	if s.decision.Stage != "running" && s.award.Reason.Text != "" {
		out.Reason = strings.TrimSuffix(shed.Reason(s.award, s.decision.Stage).Text, ".")
	}
	return out
}

// counts are a cluster's jobs by what a person asks first.
type counts struct{ running, gpus, waiting, paused int }

func count(v *compute.View) (n counts) {
	for i := range v.Jobs {
		switch j := &v.Jobs[i]; {
		case j.State == compute.JobRunning:
			n.running++
			n.gpus += j.GPUs
		case j.State == compute.JobPending:
			n.waiting++
		case j.State == compute.JobPaused && j.Ours:
			n.paused++
		}
	}
	return n
}

// stageWords says in a few words how far a cluster is held back.
func stageWords(stage string, n counts) string {
	switch stage {
	case "running":
		return "nothing held back"
	case "firm only":
		return "only firm work runs, " + jobs(n.paused) + " paused"
	case "paused":
		return jobs(n.paused) + " paused"
	case "capped":
		return "GPUs that may be slowed are capped"
	case "closed":
		return "nothing new starts"
	}
	return stage
}
