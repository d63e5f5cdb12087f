package tenants

import (
	"fmt"
	"slices"
	"strings"

	"switchyard/api"
	"switchyard/site"
	"switchyard/unit"
)

// Tenants returns all tenants, those in hosting and those of the clusters.
func (t *Tenants) Tenants() []api.TenantName {
	out := make([]api.TenantName, 0, len(t.all))
	for i := range t.all {
		out = append(out, api.TenantName{ID: t.all[i].id, Name: t.all[i].name})
	}
	return out
}

// Tenant returns what a tenant has now.
func (t *Tenants) Tenant(id string) (api.TenantView, error) {
	x, err := t.find(id)
	if err != nil {
		return api.TenantView{}, err
	}
	f := t.opt.Plant.File
	v := api.TenantView{
		ID: x.id, Name: x.name, Site: f.Site.Name, Timezone: f.Site.Timezone, Notice: t.opt.Notice, At: t.opt.Clock.Now(), Quality: site.Missing.String(),
	}
	if c := t.contracts[id]; c != nil {
		v.Contract = c.Number
		if now, ok := c.At(v.At); ok {
			v.Kind = string(now.Kind)
		}
	}
	live := t.opt.Live()
	if x.hosted >= 0 {
		t.hosted(x, live, &v)
	} else {
		t.ofCluster(x, &v)
	}
	t.mu.Lock()
	for _, e := range t.open {
		if e.Tenant == id {
			v.Effects = append(v.Effects, viewOf(e))
		}
	}
	t.mu.Unlock()
	newestFirst(v.Effects)
	v.SLA = t.promise(id)
	return v, nil
}

func watts(p unit.Power) *float64 {
	w := p.Watts()
	return &w
}

// hosted fills in a tenant with machines of its own.
func (t *Tenants) hosted(x *tenant, live api.LiveView, v *api.TenantView) {
	def := &t.opt.Plant.Tenants[x.hosted]
	v.ReservedW = watts(def.Firm)
	if def.Power == "pass-through" {
		v.PriceUSD = live.PriceUSDMWh
	}
	v.Headline = "Its meter does not answer just now; its power is not touched."
	for i := range live.Tenants {
		l := &live.Tenants[i]
		if l.ID != x.id {
			continue
		}
		silent := ", and its meter does not answer"
		may := "may want"
		if l.PowerW != nil {
			silent, may = "", "wants"
			v.PowerW, v.Quality = l.PowerW, site.Measured.String()
			v.Headline = fmt.Sprintf("All power is delivered: %s of the contracted %s are drawn.", unit.Watts(*l.PowerW).Short(), def.Firm.Short())
		}
		if _, power, lacks := lacking(l, t.called(x.id)); lacks {
			v.AllowedW = watts(max(unit.Watts(l.FirmW)-unit.Watts(l.ShedW), 0))
			if l.PowerW != nil {
				v.AllowedW = watts(unit.Watts(max(*l.PowerW, 0)))
			}
			if v.Headline = "Its feeder has no power: " + t.hostedCause(live, t.nodeOf(x.id)) + "."; power <= 0 {
				continue
			}
			v.Headline = fmt.Sprintf("%s that it %s are not delivered%s: %s.", power.Short(), may, silent, t.hostedCause(live, t.nodeOf(x.id)))
		}
	}
	if t.opt.Curtailed != nil {
		v.Curtailments = t.opt.Curtailed(x.id)
	}
	if len(v.Curtailments) == 0 || v.Curtailments[0].State != "running" {
		return
	}
	k := &v.Curtailments[0]
	if v.AllowedW == nil {
		v.AllowedW = k.DownToW
	}
	v.Headline += fmt.Sprintf(" It was asked to draw %s less until %s.", unit.Watts(k.PowerW).Short(), k.To.In(t.opt.Plant.Zone).Format("15:04"))
}

// ofCluster fills in a tenant who runs jobs on our GPUs.
func (t *Tenants) ofCluster(x *tenant, v *api.TenantView) {
	var c api.ClusterView
	for _, k := range t.opt.Clusters.Clusters() {
		if k.ID == x.cluster.ID {
			c = k
		}
	}
	jobs, _ := t.opt.Clusters.ClusterJobs(x.cluster.ID) // it is one of the site file's
	nodes := map[string]api.ClusterNode{}
	for _, n := range c.Nodes {
		nodes[n.Name] = n
	}
	models := map[string]*api.TenantGPUs{}
	for m, n := range x.of.Reserved {
		models[m] = &api.TenantGPUs{Model: m, Reserved: n}
	}
	var power float64
	running, paused, slowed := 0, 0, 0
	used := map[string]int{}
	for i := range jobs {
		j := &jobs[i]
		if j.Tenant != x.id {
			continue
		}
		switch {
		case j.State == "running":
			running++
			if j.PowerW != nil {
				power += *j.PowerW
			}
			if j.Slowed > 0 {
				slowed++
			}
			for _, n := range j.Nodes {
				used[n] += j.GPUs / max(len(j.Nodes), 1)
			}
		case j.State == "paused" && j.Ours:
			paused++
		}
	}
	for _, n := range c.Nodes {
		if k := used[n.Name]; k > 0 {
			v.Nodes = append(v.Nodes, api.TenantNode{
				Cluster: c.ID, Name: n.Name, Model: n.Model, State: n.State, GPUs: k, PowerW: part(n.PowerW, k, n.GPUs), CapW: n.CapW, FullW: n.FullW, Why: capWhy(n.CapW),
			})
			m := models[n.Model]
			if m == nil {
				m = &api.TenantGPUs{Model: n.Model}
				models[n.Model] = m
			}
			m.Used += k
			if n.CapW != nil {
				m.Capped += k
			}
		}
	}
	for _, m := range models {
		v.GPUs = append(v.GPUs, *m)
	}
	slices.SortFunc(v.GPUs, func(a, b api.TenantGPUs) int { return strings.Compare(a.Model, b.Model) })
	v.PowerW, v.Quality = &power, site.Estimated.String()
	v.Headline = headline(running, paused, slowed)
}

// capWhy tells of a cap; a node's own note may tell of others.
func capWhy(capped *float64) string {
	if capped == nil {
		return ""
	}
	return "its GPUs are held to less power, since power is short"
}

func part(p *float64, k, of int) *float64 {
	if p == nil || of <= 0 {
		return nil
	}
	w := *p * float64(k) / float64(of)
	return &w
}

func headline(running, paused, slowed int) string {
	run := func(n int) string {
		if n == 1 {
			return "1 job runs"
		}
		return fmt.Sprintf("%d jobs run", n)
	}
	switch {
	case running == 0 && paused == 0:
		return "No job of it runs now."
	case paused > 0:
		return fmt.Sprintf("%s, %s paused since power is short.", run(running), count(paused, "job"))
	case slowed > 0:
		return fmt.Sprintf("%s, the GPUs of %s held to less power since power is short.", run(running), count(slowed, "job"))
	}
	return run(running) + " at full power."
}

// TenantJobs returns a tenant's jobs on our clusters.
func (t *Tenants) TenantJobs(id string) ([]api.TenantJob, error) {
	x, err := t.find(id)
	if err != nil {
		return nil, err
	}
	out := []api.TenantJob{}
	if x.cluster == nil {
		return out, nil
	}
	jobs, err := t.opt.Clusters.ClusterJobs(x.cluster.ID)
	if err != nil {
		return nil, err
	}
	live := t.opt.Live()
	for i := range jobs {
		j := &jobs[i]
		if j.Tenant == id {
			out = append(out, api.TenantJob{
				ID: j.ID, Name: j.Name, Cluster: x.cluster.ID, Queue: j.Queue, Class: j.Kind, State: j.State, GPUs: j.GPUs, Nodes: j.Nodes,
				Submitted: j.Submitted, Started: j.Started, Saved: j.Saved, Slowed: j.Slowed, PausedS: j.PausedS, PauseLeftS: j.PauseLeftS, Why: t.why(live, j),
			})
		}
	}
	return out, nil
}
