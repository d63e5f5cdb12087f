package health

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchyard/site"
)

// Alert is one thing that is wrong with one device, or with many for one cause.
type Alert struct {
	ID       string // the same for as long as it lasts
	Rule     Rule
	Severity Severity
	Device   site.DeviceID // empty where it is of many
	Group    string        // of the device, or that all of them are of; may be empty
	Node     string        // that all of them hang below; empty where it is of one
	Devices  []site.DeviceID
	Since    time.Time
	Text     string // what was seen, with figures
	Todo     string // what would help
}

// foldAt devices of one node or group with one fault are one alert, if they are at least
// foldShare of it; it stays one until they are fewer than unfoldShare.
const (
	foldAt      = 5
	foldShare   = 0.6
	unfoldShare = 0.3
)

// Of returns what fires of the i-th device of the last step, in the order of the rules.
func (e *Engine) Of(d *Device, i int) []Alert {
	s := e.slots[i]
	if s.firing == 0 {
		return nil
	}
	out := make([]Alert, 0, s.firing.Len())
	for r := range ruleCount {
		if s.firing.Has(r) {
			out = append(out, alertOf(r, d, s))
		}
	}
	return out
}

func alertOf(r Rule, d *Device, s *slot) Alert {
	c := &s.cells[r]
	return Alert{
		ID: r.String() + ":" + string(d.ID), Rule: r, Severity: r.Severity(), Device: d.ID, Group: d.Group, Devices: []site.DeviceID{d.ID},
		Since: c.since, Text: c.text, Todo: r.todo(),
	}
}

// place is a node or a group with how many devices it has and which of them are in alarm.
type place struct {
	name  string
	all   int
	alarm []int
}

// Alerts returns what fires, many of one cause as one, worst first. devices are those of the
// last step.
func (e *Engine) Alerts(devices []Device) []Alert {
	var out []Alert
	folded := map[string]bool{}
	for r := range ruleCount {
		var in []int
		for i, s := range e.slots {
			if s.firing.Has(r) {
				in = append(in, i)
			}
		}
		if len(in) >= foldAt || len(e.folded) > 0 && len(in) > 0 {
			many, rest := e.fold(r, devices, in, folded)
			out, in = append(out, many...), rest
		}
		for _, i := range in {
			out = append(out, alertOf(r, &devices[i], e.slots[i]))
		}
	}
	e.folded = folded
	slices.SortFunc(out, func(a, b Alert) int {
		return cmp.Or(cmp.Compare(a.Severity.rank(), b.Severity.rank()), a.Since.Compare(b.Since), strings.Compare(a.ID, b.ID))
	})
	return out
}

// Worse says whether s is worse than t.
func (s Severity) Worse(t Severity) bool { return s.rank() < t.rank() }

func (s Severity) rank() int {
	switch s {
	case Critical:
		return 0
	case Warning:
		return 1
	}
	return 2
}

// fold makes one alert of the devices in alarm that share a place, largest places first.
func (e *Engine) fold(r Rule, devices []Device, in []int, folded map[string]bool) (many []Alert, rest []int) {
	byNode := r == Stale // what breaks a network breaks it by place, all else by kind of machine
	taken := make(map[int]bool, len(in))
	for _, p := range e.places(byNode, devices, in) {
		kind := "group"
		if byNode {
			kind = "node"
		}
		id := r.String() + ":" + kind + "/" + p.name
		p.alarm = slices.DeleteFunc(p.alarm, func(i int) bool { return taken[i] })
		share := foldShare
		if e.folded[id] {
			share = unfoldShare
		}
		if len(p.alarm) < foldAt || float64(len(p.alarm)) < share*float64(p.all) {
			continue
		}
		folded[id] = true
		a := e.foldOne(r, p, devices)
		a.ID = id
		if byNode {
			a.Node = p.name
		}
		many = append(many, a)
		for _, i := range p.alarm {
			taken[i] = true
		}
	}
	for _, i := range in {
		if !taken[i] {
			rest = append(rest, i)
		}
	}
	return many, rest
}

// places lists the devices in alarm by node or group, the largest place first: of a site that
// is cut off, its connection.
func (e *Engine) places(byNode bool, devices []Device, in []int) []place {
	index := map[string]int{}
	var out []place
	for _, i := range in {
		names, all := devices[i].Nodes, e.nodes
		if !byNode {
			names, all = []string{devices[i].Group}, e.groups
		}
		for _, n := range names {
			k, ok := index[n]
			if !ok {
				k = len(out)
				index[n] = k
				out = append(out, place{name: n, all: all[n]})
			}
			out[k].alarm = append(out[k].alarm, i)
		}
	}
	slices.SortStableFunc(out, func(a, b place) int { return cmp.Or(cmp.Compare(b.all, a.all), strings.Compare(a.name, b.name)) })
	return out
}

func (e *Engine) foldOne(r Rule, p place, devices []Device) Alert {
	first := &devices[p.alarm[0]]
	a := Alert{Rule: r, Severity: Critical, Group: first.Group, Since: e.slots[p.alarm[0]].cells[r].since, Todo: r.todo()}
	causes := map[string]int{}
	for _, i := range p.alarm {
		d := &devices[i]
		a.Devices = append(a.Devices, d.ID)
		if d.Group != a.Group {
			a.Group = ""
		}
		if since := e.slots[i].cells[r].since; since.Before(a.Since) {
			a.Since = since
		}
		if r == Stale {
			causes[cause(d.Err)]++
		}
	}
	if r != Stale {
		a.Text = fmt.Sprintf("%d of the %s of %s; the first of them, %s: %s", len(a.Devices), plural(p.all, "miner"), p.name, first.ID, e.slots[p.alarm[0]].cells[r].text)
		return a
	}
	worst := ""
	for c, n := range causes {
		if n > causes[worst] || n == causes[worst] && c < worst {
			worst = c
		}
	}
	a.Text = fmt.Sprintf("%d of the %s of %s give no readings", len(a.Devices), plural(p.all, "miner"), p.name)
	if worst != "" {
		a.Text += ", most of them because: " + worst
	}
	a.Todo = "check the network and the power of " + p.name
	return a
}
