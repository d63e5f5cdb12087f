package contract

import (
	"encoding/json"
	"fmt"
	"time"
)

// The JSON of a Version has the file's keys and quantities with their units, so that terms can be
// kept beside what was billed by them, and be read again exactly.

// hours is a time as JSON has it: "168h0m0s".
type hours time.Duration

// MarshalText writes what UnmarshalText reads.
func (h hours) MarshalText() ([]byte, error) { return []byte(time.Duration(h).String()), nil }

// UnmarshalText reads a time such as "1h30m0s".
func (h *hours) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("read terms: %w", err)
	}
	*h = hours(d)
	return nil
}

type (
	plainSLA     SLA
	plainCurtail Curtail
	slaJSON      struct {
		plainSLA
		Notice      hours `json:"maintenance_notice,omitzero"`
		Maintenance hours `json:"maintenance_hours,omitzero"`
	}
	curtailJSON struct {
		plainCurtail
		Hours  hours `json:"hours,omitzero"`
		Notice hours `json:"notice,omitzero"`
	}
)

// MarshalJSON writes the promise with the file's keys.
func (s SLA) MarshalJSON() ([]byte, error) {
	return json.Marshal(slaJSON{plainSLA(s), hours(s.Notice), hours(s.Maintenance)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *SLA) UnmarshalJSON(data []byte) error {
	var in slaJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*s = SLA(in.plainSLA)
	s.Notice, s.Maintenance = time.Duration(in.Notice), time.Duration(in.Maintenance)
	return nil
}

// MarshalJSON writes the right with the file's keys.
func (c Curtail) MarshalJSON() ([]byte, error) {
	return json.Marshal(curtailJSON{plainCurtail(c), hours(c.Hours), hours(c.Notice)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Curtail) UnmarshalJSON(data []byte) error {
	var in curtailJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*c = Curtail(in.plainCurtail)
	c.Hours, c.Notice = time.Duration(in.Hours), time.Duration(in.Notice)
	return nil
}

// Same says that two versions agree on the same from the same day on, whenever they end: an end
// that is written later changes nothing of what was before it.
func (v Version) Same(o Version) bool {
	v.To, o.To = Date{}, Date{}
	a, errA := json.Marshal(v)
	b, errB := json.Marshal(o)
	return errA == nil && errB == nil && string(a) == string(b)
}
