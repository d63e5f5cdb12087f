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
	// not where it was put together with others or fell apart. Off the board they are those
	// that have it still.
	Rule    string          `json:"rule,omitempty"`
	Devices []site.DeviceID `json:"devices,omitempty"`
}

// tellPeople sends notices of what is new on the board and of what is over, and journals both.
func (c *Care) tellPeople(now time.Time, b *board) {
	told := c.steps.told
	heard := faults(told, func(string, toldAlert) bool { return true })
	in := map[string]bool{}
	for _, a := range b.alerts {
		in[a.ID] = true
		if a.silenced != "" {
			continue
		}
		t, known := told[a.ID]
		fresh := toldAlert{Level: string(a.Severity), Subject: subject(a.Alert), Text: a.Text, Since: a.Since, Rule: a.Rule.String(), Devices: a.Devices}
		switch {
		case known:
			fresh.Since = t.Since
		case len(a.Devices) == 1 && heard[fault{fresh.Rule, a.Devices[0]}]:
			continue // its beginning was told with that of others, and so its end will be
		default:
			c.news(now, a.ID, fresh, a.Todo, false)
			c.steps.dirty = true
		}
		told[a.ID] = fresh
	}
	c.tellAlarms(now, b, in)
	c.tellEnds(now, b, in)
}

// tellEnds tells people of what they were told and what is not on the board any more.
func (c *Care) tellEnds(now time.Time, b *board, in map[string]bool) {
	told := c.steps.told
	many := faults(told, func(id string, t toldAlert) bool { return in[id] && len(t.Devices) > 1 })
	for id, t := range told {
		if in[id] {
			continue
		}
		taken, rest := c.fires(b, many, t)
		if len(rest) > 0 { // it fell apart; the last of them ends it
			c.steps.dirty = c.steps.dirty || len(rest) != len(t.Devices)
			t.Devices = rest
			told[id] = t
			continue
		}
		delete(told, id)
		c.steps.dirty = true
		switch {
		case t.Rule == "":
			c.tell(notify.Notice{ID: id, Level: t.Level, At: now, Subject: t.Subject, Text: t.Text, Over: true})
		case len(taken) == 0:
			c.news(now, id, t, "", true)
		}
	}
}

// tellAlarms tells people of the controller's own alarms.
func (c *Care) tellAlarms(now time.Time, b *board, in map[string]bool) {
	alarms := b.notices
	if c.opt.Alarms != nil {
		alarms = slices.Concat(c.opt.Alarms(), alarms)
	}
	for _, a := range alarms {
		id := "alarm:" + a.Subject + "/" + a.Since.UTC().Format(time.RFC3339Nano)
		in[id] = true
		if t, known := c.steps.told[id]; !known || health.Severity(a.Severity).Worse(health.Severity(t.Level)) {
			c.steps.told[id] = toldAlert{Level: a.Severity, Subject: a.Subject, Text: a.Text, Since: a.Since}
			c.tell(notify.Notice{ID: id, Level: a.Severity, At: now, Subject: a.Subject, Text: a.Text})
		}
	}
}

// fault is one rule of one device.
type fault struct {
	rule   string
	device site.DeviceID
}

// faults are those of the alerts that people were told of and that count.
func faults(told map[string]toldAlert, counts func(id string, t toldAlert) bool) map[fault]bool {
	out := map[fault]bool{}
	for id, t := range told {
		if t.Rule == "" || !counts(id, t) {
			continue
		}
		for _, d := range t.Devices {
			out[fault{t.Rule, d}] = true
		}
	}
	return out
}

// fires returns the devices of an alert that have its fault still: those of which an alert of
// many is told now, and the others.
func (c *Care) fires(b *board, many map[fault]bool, t toldAlert) (taken, rest []site.DeviceID) {
	r, _ := health.RuleOf(t.Rule)
	for _, id := range t.Devices {
		switch {
		case !b.firing[id].Has(r):
		case many[fault{t.Rule, id}]:
			taken = append(taken, id)
		default:
			rest = append(rest, id)
		}
	}
	return taken, rest
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

// noticeAlarms are the services that people cannot be told by; those of before keep their time.
func (c *Care) noticeAlarms(now time.Time, before []api.Alert) []api.Alert {
	if c.opt.Teller == nil {
		return nil
	}
	var out []api.Alert
	for _, f := range c.opt.Teller.Faults() {
		a := api.Alert{Since: now, Severity: string(health.Warning), Subject: "notice " + f.Service, Text: "people are not told by it: " + f.Text}
		if i := slices.IndexFunc(before, func(o api.Alert) bool { return o.Subject == a.Subject }); i >= 0 {
			a.Since = before[i].Since
		}
		out = append(out, a)
	}
	return out
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
	b := c.board.Load()
	out := slices.Clone(b.notices)
	for _, a := range b.alerts {
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
