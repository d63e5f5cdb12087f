package care

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/health"
	"switchyard/journal"
	"switchyard/notify"
	"switchyard/rollout"
	"switchyard/site"
)

// toldAlert is an alert that people were told of.
type toldAlert struct {
	Level   string    `json:"level"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	Since   time.Time `json:"since"`
	// Rule and Devices are of a health alert: it is over once none of them has it any more,
	// not where it was put together with others.
	Rule    string          `json:"rule,omitempty"`
	Devices []site.DeviceID `json:"devices,omitempty"`
}

// tellPeople sends notices of what is new on the board and of what is over, and journals both.
func (c *Care) tellPeople(now time.Time, b *board) {
	told := c.steps.told
	in := map[string]bool{}
	for _, a := range b.alerts {
		in[a.ID] = true
		if a.silenced != "" {
			continue
		}
		t, known := told[a.ID]
		fresh := toldAlert{Level: string(a.Severity), Subject: subject(a.Alert), Text: a.Text, Since: a.Since, Rule: a.Rule.String(), Devices: a.Devices}
		told[a.ID] = fresh
		if !known && !covered(told, a.ID, fresh) {
			c.news(now, a.ID, fresh, a.Todo, false)
			c.steps.dirty = true
		} else if known {
			fresh.Since = t.Since
			told[a.ID] = fresh
		}
	}
	if c.opt.Alarms != nil {
		for _, a := range c.opt.Alarms() {
			id := "alarm:" + a.Subject + "/" + a.Since.UTC().Format(time.RFC3339Nano)
			in[id] = true
			if _, known := told[id]; !known {
				told[id] = toldAlert{Level: a.Severity, Subject: a.Subject, Text: a.Text, Since: a.Since}
				c.tell(notify.Notice{ID: id, Level: a.Severity, At: now, Subject: a.Subject, Text: a.Text})
			}
		}
	}
	for id, t := range told {
		if in[id] {
			continue
		}
		delete(told, id)
		c.steps.dirty = true
		if t.Rule != "" && c.stillFires(b, t) {
			continue // it is told as part of another alert now
		}
		if t.Rule == "" {
			c.tell(notify.Notice{ID: id, Level: t.Level, At: now, Subject: t.Subject, Text: t.Text, Over: true})
			continue
		}
		c.news(now, id, t, "", true)
	}
}

// covered says whether people were told of a device's fault already as part of another alert.
func covered(told map[string]toldAlert, id string, a toldAlert) bool {
	if len(a.Devices) != 1 {
		return false
	}
	for other, t := range told {
		if other != id && t.Rule == a.Rule && slices.Contains(t.Devices, a.Devices[0]) {
			return true
		}
	}
	return false
}

func (c *Care) stillFires(b *board, t toldAlert) bool {
	r, _ := health.RuleOf(t.Rule)
	return slices.ContainsFunc(t.Devices, func(id site.DeviceID) bool { return b.firing[id].Has(r) })
}

func subject(a health.Alert) string {
	switch {
	case a.Device != "":
		return string(a.Device)
	case a.Node != "":
		return a.Node
	}
	return a.Group
}

// news journals an alert's beginning or end and tells people.
func (c *Care) news(now time.Time, id string, t toldAlert, todo string, over bool) {
	e := journal.Entry{At: now, Subject: t.Subject, Kind: journal.KindLost, Code: site.ReasonLost, Text: t.Text}
	if _, isDevice := c.byID[site.DeviceID(t.Subject)]; isDevice {
		e.Device = site.DeviceID(t.Subject)
	}
	if over {
		e.Kind, e.Code, e.Text = journal.KindRestore, "", "over: "+t.Text
	}
	c.opt.Note(e)
	c.tell(notify.Notice{ID: id, Level: t.Level, At: now, Subject: t.Subject, Text: t.Text, Todo: todo, Over: over})
}

func (c *Care) tell(n notify.Notice) {
	if c.opt.Teller != nil {
		c.opt.Teller.Tell(n)
	}
}

// Alerts sums up what is wrong for the live view: one alert for each rule and group, or for
// what many have in common; silenced ones are left out.
func (c *Care) Alerts() []api.Alert {
	type sum struct {
		api.Alert
		rule  health.Rule
		group string
		n     int
		first site.DeviceID
		text  string
	}
	var sums []sum
	var out []api.Alert
	for _, a := range c.board.Load().alerts {
		if a.silenced != "" || a.Severity == health.Info {
			continue
		}
		if a.Device == "" {
			out = append(out, api.Alert{Since: a.Since, Severity: string(a.Severity), Subject: subject(a.Alert), Text: a.Text})
			continue
		}
		i := slices.IndexFunc(sums, func(s sum) bool { return s.rule == a.Rule && s.group == a.Group })
		if i < 0 {
			i = len(sums)
			sums = append(sums, sum{rule: a.Rule, group: a.Group, first: a.Device, text: a.Text, Alert: api.Alert{Since: a.Since, Severity: string(a.Severity)}})
		}
		sums[i].n++
		if a.Since.Before(sums[i].Since) {
			sums[i].Since = a.Since
		}
	}
	for _, s := range sums {
		s.Subject, s.Text = string(s.first), s.rule.String()+": "+s.text
		if s.n > 1 {
			s.Subject, s.Text = s.group, fmt.Sprintf("%s: %d miners; the first is %s: %s", s.rule, s.n, s.first, s.text)
		}
		out = append(out, s.Alert)
	}
	slices.SortStableFunc(out, func(a, b api.Alert) int { return strings.Compare(a.Severity, b.Severity) })
	return out
}

func (c *Care) tellRollout(r rollout.Rollout, text string) {
	c.tell(notify.Notice{ID: fmt.Sprintf("rollout:%d", r.ID), Level: string(health.Warning), At: r.Ended, Subject: "rollout " + fmt.Sprint(r.ID), Text: r.Text + "; " + text})
}
