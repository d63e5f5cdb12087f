package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/app/grid"
	"switchyard/app/plant"
	"switchyard/driver"
	"switchyard/journal"
	"switchyard/site"
	"switchyard/telemetry"
)

const maxAlerts = 50

// alarm raises, changes or (with an empty severity) ends an alarm, and journals its beginning
// and its end, where nobody else does.
func (c *control) alarm(key, severity, subject, text string) {
	old, was := c.alarms[key]
	now := c.a.clk.Now()
	switch {
	case severity == "" && !was:
		return
	case severity == "":
		delete(c.alarms, key)
		c.a.log.Info("alarm over", "subject", old.Subject, "reason", old.Text)
		if journalled(key) {
			c.note(journal.Entry{At: now, Subject: old.Subject, Kind: journal.KindRestore, Text: "over: " + old.Text})
		}
		return
	case was:
		old.Severity, old.Text = severity, text
		c.alarms[key] = old
		return
	}
	c.alarms[key] = api.Alert{Since: now, Severity: severity, Subject: subject, Text: text}
	if severity == "critical" {
		c.a.log.Error("alarm", "subject", subject, "reason", text)
	} else {
		c.a.log.Warn("alarm", "subject", subject, "reason", text)
	}
	if journalled(key) {
		c.note(journal.Entry{At: now, Subject: subject, Kind: journal.KindLost, Code: site.ReasonLost, Text: text})
	}
}

// journalled says whether an alarm's beginning and end are noted by the alarm: not the store's,
// since the journal may be what is broken, nor those of signals, whose own notes say it.
func journalled(key string) bool {
	return key != "store" && !strings.HasPrefix(key, grid.KeyPrefix) && !strings.HasPrefix(key, curtailKey)
}

// curtailKey begins the key of what is to be decided of a tenant's curtailment: no part is lost.
const curtailKey = "curtail "

func (c *control) alertViews() []api.Alert {
	out := make([]api.Alert, 0, len(c.alarms))
	for _, a := range c.alarms {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b api.Alert) int {
		if a.Severity != b.Severity {
			return strings.Compare(a.Severity, b.Severity) // critical before warning
		}
		return a.Since.Compare(b.Since)
	})
	return out[:min(len(out), maxAlerts)]
}

// hour looks at the market and says what it means for this step.
func (c *control) hour(now time.Time) hour {
	q, h := c.a.price(now), c.a.market.Hashprice(now)
	out := hour{Price: q.Price, Hashprice: h.Hashprice}
	c.lost = ""
	if !q.Known {
		out.Lost = "the power price is lost"
		c.alarm("price", "warning", "price", "no power price: "+q.Reason+"; the site file's rule for a lost price holds: "+c.a.plant.File.Lost.Price)
	} else {
		c.alarm("price", "", "", "")
	}
	if !h.Known {
		c.alarm("hashprice", "warning", "hashprice", "no hashprice: "+h.Reason+"; the site file's rule for a lost price holds: "+c.a.plant.File.Lost.Price)
		if out.Lost == "" {
			out.Lost = "the hashprice is lost"
		}
	} else {
		c.alarm("hashprice", "", "", "")
	}
	c.lost = out.Lost
	if p := c.a.market.Problems(); len(p) > 0 {
		c.alarm("market", "warning", "market", fmt.Sprintf("%s with the market's sources; the rest is used: %s", plural(len(p), "problem"), p[0]))
	} else {
		c.alarm("market", "", "", "")
	}
	return out
}

// alarmsAt brings the alarms about meters, limits and miners up to this step.
func (c *control) alarmsAt(snap *telemetry.Snapshot, r *readings) {
	for i := range c.a.plant.Tree.Len() {
		n := c.a.plant.Tree.Node(i)
		if n.Meter == "" {
			continue
		}
		key := "meter " + string(n.ID)
		if !r.stale[i] {
			c.alarm(key, "", "", "")
			continue
		}
		text := fmt.Sprintf("the meter of %s is lost; the rule for a lost meter holds: %s", n.ID, c.a.plant.File.Lost.Meter)
		if m, _ := snap.Get(n.Meter); m.Err != nil {
			text += ": " + m.Err.Error()
		}
		c.alarm(key, "critical", string(n.ID), text)
	}
	c.clusterAlarms()
	due := c.a.curtail.Due(c.a.clk.Now())
	for i := range c.a.plant.Tenants {
		id, severity := c.a.plant.Tenants[i].ID, ""
		if due[id] != "" {
			severity = "warning"
		}
		c.alarm(curtailKey+id, severity, id, due[id])
	}
	short := map[string]bool{}
	for _, o := range c.over {
		if o.Short > 0 {
			id := string(c.a.plant.Tree.Node(o.Node).ID)
			short["limit "+id] = true
			c.alarm("limit "+id, "critical", id, o.Text)
		}
	}
	for key := range c.alarms {
		if strings.HasPrefix(key, "limit ") && !short[key] {
			c.alarm(key, "", "", "")
		}
	}
	c.groupAlarms(snap)
	c.signalAlarms()
}

// groupAlarms says, a group, how many of its miners need a person, and the commonest cause.
// Those that a rollout has restart are not among them yet.
func (c *control) groupAlarms(snap *telemetry.Snapshot) {
	now := c.a.clk.Now()
	for i := range c.a.plant.Groups {
		g := &c.a.plant.Groups[i]
		unreachable, quarantined := 0, 0
		key, causes := "group "+g.ID, map[string]int{}
		for j := g.First; j < g.First+g.Count && j < len(c.status); j++ {
			if c.status[j].Quarantined {
				quarantined++
				causes[trimID(c.status[j].Note, &c.a.plant.Miners[j])]++
			} else if c.devices[j].Unreachable && !c.a.care.Hushed(c.devices[j].ID, now) {
				unreachable++
				r, _ := snap.Get(c.devices[j].ID)
				causes[cause(r.Err)]++
			}
		}
		if len(causes) == 0 {
			c.alarm(key, "", "", "")
			continue
		}
		worst, most := "", 0
		for text, n := range causes {
			if n > most || n == most && text < worst {
				worst, most = text, n
			}
		}
		c.alarm(key, "warning", g.ID, fmt.Sprintf("%d of %s out of reach of the market (%d unreachable, %d in quarantine), most of them because: %s",
			unreachable+quarantined, plural(g.Count, "miner"), unreachable, quarantined, worst))
	}
}

// trimID takes a device's own name and address out of a cause, so that like causes count as one.
func trimID(text string, m *plant.Miner) string {
	return strings.NewReplacer(string(m.ID), "it", m.Address, "it").Replace(text)
}

// cause is the last telling part of an error's chain of words: what many devices have in
// common. That they are unreachable is said already.
func cause(err error) string {
	switch {
	case err == nil:
		return "unreachable"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	text := strings.TrimSuffix(err.Error(), ": "+driver.ErrUnreachable.Error())
	parts := strings.Split(text, ": ")
	return parts[len(parts)-1]
}

// clusterAlarms tells of clusters that do not answer, or for which nothing can be done.
func (c *control) clusterAlarms() {
	now := c.a.clusters.Alerts()
	for key, text := range now {
		c.alarm(key, "warning", key, text)
	}
	for key, old := range c.alarms {
		if _, still := now[key]; !still && old.Subject == key && strings.HasPrefix(key, "cluster") {
			c.alarm(key, "", "", "")
		}
	}
}
