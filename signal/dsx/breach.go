package dsx

import (
	"time"

	"github.com/google/uuid"

	"switchyard/signal"
	"switchyard/unit"
)

const (
	// over is the excess above a target from which it counts as breached: meters differ.
	over = 0.02
	// critical is the excess from which a breach is critical.
	critical = 0.20
	// grace follows the time in which the site says that it can shed.
	grace = 10 * time.Second
	// escalate is how long a breach may last before it is escalated.
	escalate = time.Minute
)

// breach is a load target that is not kept.
type breach struct {
	id       string
	detected time.Time
	status   string
	target   target
}

// The shapes on the wire.
type (
	shedHint struct {
		ID       string    `json:"resource_id"`
		Type     string    `json:"resource_type"`
		Action   string    `json:"action"`
		Priority int       `json:"priority"`
		Power    *quantity `json:"target_power,omitempty"`
	}
	breachDetails struct {
		ID       string `json:"breach_id"`
		Detected string `json:"detected_at"`
		Resolved string `json:"resolved_at,omitempty"`
	}
	breachTarget struct {
		Correlation string   `json:"correlation_id"`
		Constraint  quantity `json:"load_constraint"`
	}
	breachAlert struct {
		Feed     string        `json:"feed_tag"`
		Status   string        `json:"status"`
		Severity string        `json:"severity"`
		Breach   breachDetails `json:"breach"`
		Target   breachTarget  `json:"target"`
		Load     quantity      `json:"measured_load"`
		Hints    []shedHint    `json:"shed_hints,omitempty"`
		Actions  []string      `json:"infrastructure_actions"`
	}
)

// watch follows the breach of a feed's target, by the meter alone: without a reading a breach
// neither begins nor ends.
func (c *Client) watch(f *feed, m signal.Meter, now time.Time) {
	if !m.Power.OK {
		return
	}
	drawn, t := m.Power.V, f.now
	above := t != nil && drawn > t.power.Scale(1+over)
	switch {
	case f.breach == nil && above && now.Sub(f.applied) > m.ShedWithin+grace:
		f.breach = &breach{id: uuid.NewString(), detected: now, status: "active", target: *t}
		c.alert(f, drawn, now)
	case f.breach == nil:
	case t == nil || drawn <= t.power:
		f.breach.status = "resolved"
		c.alert(f, drawn, now)
		f.breach = nil
	case above && f.breach.status == "active" && now.Sub(f.breach.detected) >= escalate:
		f.breach.target, f.breach.status = *t, "escalated"
		c.alert(f, drawn, now)
	}
}

// alert tells how a breach stands. We never ask for feeds to be cut or breakers to be
// tripped: below them are firm tenants.
func (c *Client) alert(f *feed, drawn unit.Power, now time.Time) {
	b := f.breach
	if c.signer == nil {
		c.log.Error("load target not kept", "source", c.cfg.Name, "feed", f.tag, "status", b.status, "power", drawn, "target", b.target.power)
		return
	}
	a := breachAlert{
		Feed: f.tag, Status: b.status, Severity: "warning", Load: megawatts(drawn),
		Breach: breachDetails{ID: b.id, Detected: iso(b.detected)},
		Target: breachTarget{Correlation: b.target.correlation, Constraint: megawatts(b.target.power)},
	}
	if drawn > b.target.power.Scale(1+critical) {
		a.Severity = "critical"
	}
	to := megawatts(b.target.power)
	id := string(f.node)
	if id == "" {
		id = f.tag
	}
	hint := []shedHint{{ID: id, Type: "node", Action: "power_cap", Priority: 1, Power: &to}}
	switch b.status {
	case "active":
		a.Hints, a.Actions = hint, []string{"SHUTDOWN_NODES"}
	case "escalated":
		a.Hints, a.Actions = hint, []string{"SHUTDOWN_NODES", "SHUTDOWN_RACKS"}
	default:
		a.Breach.Resolved, a.Actions = iso(now), []string{}
	}
	c.publish(now, typeBreach, "powerbreach", 2, b.target.correlation, a)
}
