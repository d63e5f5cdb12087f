package health

import (
	"encoding/json"
	"fmt"
	"time"

	"switchyard/site"
)

// The stored form. Devices of which there is nothing to remember are left out.
type keptDevice struct {
	Rules    map[string]keptRule `json:"rules,omitempty"`
	First    *time.Time          `json:"first,omitempty"`
	Boot     *time.Time          `json:"boot,omitempty"`
	Restarts []time.Time         `json:"restarts,omitempty"`
	Turned   uint32              `json:"turned,omitempty"`
	Boards   uint8               `json:"boards,omitempty"`
}

type keptRule struct {
	Firing bool      `json:"firing,omitempty"`
	Since  time.Time `json:"since"`
	Text   string    `json:"text,omitempty"`
}

// MarshalJSON writes what must outlive a restart.
func (e *Engine) MarshalJSON() ([]byte, error) {
	out := make(map[site.DeviceID]keptDevice, len(e.slots))
	for _, s := range e.slots {
		k := keptDevice{Turned: s.turned, Boards: s.boards}
		if s.seen.IsZero() {
			k.First = &s.first
		}
		if !s.boot.IsZero() {
			k.Boot = &s.boot
		}
		for _, t := range s.restarts {
			if !t.IsZero() {
				k.Restarts = append(k.Restarts, t)
			}
		}
		for r := range ruleCount {
			if c := &s.cells[r]; c.phase != idle {
				if k.Rules == nil {
					k.Rules = map[string]keptRule{}
				}
				k.Rules[r.String()] = keptRule{Firing: c.phase == firing, Since: c.since, Text: c.text}
			}
		}
		out[s.id] = k
	}
	return json.Marshal(out)
}

// UnmarshalJSON takes up what the last run kept, in place of all state. Rules that are not
// known any more are left out.
func (e *Engine) UnmarshalJSON(doc []byte) error {
	var in map[site.DeviceID]keptDevice
	if err := json.Unmarshal(doc, &in); err != nil {
		return fmt.Errorf("read the kept health: %w", err)
	}
	e.slots, e.byID = nil, make(map[site.DeviceID]*slot, len(in))
	if e.folded == nil {
		e.folded = map[string]bool{}
	}
	e.lim = e.lim.orDefaults()
	for id, k := range in {
		s := &slot{id: id, turned: k.Turned, boards: k.Boards}
		if k.First != nil {
			s.first = *k.First
		}
		if k.Boot != nil {
			s.boot = *k.Boot
		}
		copy(s.restarts[:], k.Restarts)
		for name, kr := range k.Rules {
			r, ok := RuleOf(name)
			if !ok {
				continue
			}
			c := cell{phase: pending, since: kr.Since, text: kr.Text}
			s.active |= 1 << r
			if kr.Firing {
				c.phase = firing
				s.firing |= 1 << r
			}
			s.cells[r] = c
		}
		e.byID[id] = s
	}
	return nil
}
