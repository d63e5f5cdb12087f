package tenants

import (
	"fmt"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/site"
)

// What a tenant is told of a cause names what happened, in words of its own: no other's figures,
// and nothing of what power is worth to the site. The reasons of the journal and of the
// operators' pages have both.

// cause says why a job is held back.
func (t *Tenants) cause(live api.LiveView, j *api.ClusterJob) string {
	switch site.Code(j.Cause) {
	case site.ReasonLimit, site.ReasonLimiter:
		return t.limited(live, j.Place)
	case site.ReasonPrice, site.ReasonValue:
		return "the price of power is high"
	case site.ReasonLost:
		return "the site takes no chances while a reading of its own is missing"
	case site.ReasonHold:
		return "the site's operator holds its machines back"
	}
	return "power is short"
}

// why is cause for a job that something holds back; empty for others.
func (t *Tenants) why(live api.LiveView, j *api.ClusterJob) string {
	if j.Since.IsZero() { // what stands there then is of the job itself
		return ""
	}
	return t.cause(live, j)
}

// hostedCause says why a hosted tenant's feeder lacks power: a limit on its way, or the site's lack.
func (t *Tenants) hostedCause(live api.LiveView, node string) string {
	tree := t.opt.Plant.Tree
	for i, ok := tree.Index(site.NodeID(node)); ok && i >= 0; i = tree.Node(i).Parent {
		if _, found := limitOn(live, string(tree.Node(i).ID)); found {
			return t.limited(live, string(tree.Node(i).ID))
		}
	}
	return "the site has not the power for it"
}

// limited says in whose name a node's power is limited.
func (t *Tenants) limited(live api.LiveView, node string) string {
	of := "the site's power"
	if i, ok := t.opt.Plant.Tree.Index(site.NodeID(node)); ok && i > 0 {
		of = "the power of its hall"
	}
	switch l, found := limitOn(live, node); {
	case found && strings.HasPrefix(l.By, fromGrid):
		for _, a := range live.Alerts {
			if a.Subject == l.By && strings.HasPrefix(a.Text, "emergency") {
				return "the grid declared an emergency, and asks the site to draw less"
			}
		}
		return "the grid asks the site to draw less"
	case found && l.Manual:
		return "the site's operator limits " + of + " for a time"
	}
	return of + " is used to its limit"
}

// fromGrid begins the name of who set a limit where a signal of the grid did.
const fromGrid = "signal:"

// limitOn is the strictest limit in force on a node.
func limitOn(live api.LiveView, node string) (strictest api.LimitView, found bool) {
	for _, l := range live.Limits {
		if l.Active && l.Node == node && (!found || l.PowerW < strictest.PowerW) {
			strictest, found = l, true
		}
	}
	return strictest, found
}

// since is from when a job is held back: from when that was decided, or from its start where it
// started on a machine that was capped already.
func since(now time.Time, j *api.ClusterJob) time.Time {
	from := j.Since
	if from.IsZero() || from.After(now) {
		return now
	}
	if j.State == "running" && j.Started != nil && j.Started.After(from) && !j.Started.After(now) {
		return *j.Started
	}
	return from
}

// nameOf is what a job is called by who sent it.
func nameOf(j *api.ClusterJob) string {
	if j.Name != "" {
		return j.Name
	}
	return j.ID
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// nodeOf is the node on which a hosted tenant's feeder is.
func (t *Tenants) nodeOf(id string) string {
	for _, h := range t.opt.Plant.File.Tenants {
		if h.ID == id {
			return h.Node
		}
	}
	return ""
}
