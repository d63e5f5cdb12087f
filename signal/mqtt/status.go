package mqtt

import (
	"bytes"
	"encoding/json"
	"math"
	"time"

	"switchyard/signal"
	"switchyard/signal/link"
	"switchyard/site"
	"switchyard/unit"
)

// statusEvery is how often the status is told without a change, in site time.
const statusEvery = 10 * time.Second

// verdict is what became of the newest message.
type verdict struct {
	State  string // none, accepted or refused
	Reason string
	Target *float64
	Said   time.Time
	At     time.Time
}

// report is the status as it goes over the wire. What is not known is null, never 0.
type report struct {
	Source    string     `json:"source"`
	Online    bool       `json:"online"`
	Time      *time.Time `json:"time,omitempty"`
	State     string     `json:"state"`
	Reason    string     `json:"reason,omitempty"`
	Target    *float64   `json:"target"`
	Timestamp *time.Time `json:"timestamp"`
	Power     *float64   `json:"power_kw"`
	Limit     *float64   `json:"limit_kw"`
	Firm      *float64   `json:"firm_kw"`
	Flexible  *float64   `json:"flexible_kw"`
	Complies  *bool      `json:"complies"`
}

// offline is what the broker says for us when we are gone.
func offline(name string) []byte {
	b, err := json.Marshal(map[string]any{"source": name, "online": false})
	if err != nil {
		return []byte(`{"online":false}`) // a name always marshals
	}
	return b
}

// status tells how the site stands, when it changed or some time has passed.
func (c *Client) status(h signal.Host) {
	if c.cfg.Status == "" || !c.up {
		return
	}
	now := h.Now()
	r := c.report(h)
	same, err := json.Marshal(r.steady())
	if err != nil {
		c.log.Error("status not told", "source", c.cfg.Name, "error", err)
		return
	}
	if bytes.Equal(same, c.told) && now.Sub(c.toldTime).Abs() < statusEvery {
		return
	}
	c.told, c.toldTime = same, now
	r.Time = &now
	body, err := json.Marshal(r)
	if err != nil {
		c.log.Error("status not told", "source", c.cfg.Name, "error", err)
		return
	}
	c.link.Publish(link.Message{Topic: c.cfg.Status, Payload: body, QoS: 1, Retained: true, Newest: true})
}

// steady is the report without what moves all the time, so that not every reading is told.
func (r report) steady() report {
	r.Time, r.Power, r.Firm, r.Flexible = nil, nil, nil, nil
	return r
}

func (c *Client) report(h signal.Host) report {
	v := c.verdict
	r := report{Source: c.cfg.Name, Online: true, State: v.State, Reason: v.Reason, Target: v.Target}
	if !v.Said.IsZero() {
		r.Timestamp = &v.Said
	}
	m, ok := signal.MeterAt(h, site.NodeID(c.cfg.Node))
	if !ok || !m.Known() {
		return r
	}
	r.Power, r.Limit = kilowatts(m.Power), kilowatts(m.Limit)
	r.Firm, r.Flexible = kilowatts(site.Some(m.Firm)), kilowatts(site.Some(m.Flexible))
	if m.Power.OK {
		r.Complies = &m.Complies
	}
	return r
}

func kilowatts(p site.Opt[unit.Power]) *float64 {
	if !p.OK {
		return nil
	}
	kw := math.Round(p.V.Watts()) / 1e3 // whole watts: no figure is better than that
	return &kw
}
