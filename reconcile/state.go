package reconcile

import (
	"encoding/json"
	"fmt"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// State is what must survive a restart: what each device was told and when, who is in
// quarantine, who sleeps by a person's hand, what was started lately. It is serialised as
// JSON. The zero State knows nothing and is ready for use.
type State struct {
	records map[site.DeviceID]*record
	starts  []start
	last    time.Time // of the newest step

	// restored is the newest step before the restart: what was read up to then proves
	// nothing about what happened to a command since.
	restored time.Time
	settle   map[site.LoadID]*settling
}

// phase is where a command is in its life.
type phase uint8

const (
	idle  phase = iota // nothing on its way
	sent               // no acknowledgement yet
	acked              // no confirming reading yet
	pause              // a try failed; the next is due at NextTry
)

// record is what is remembered of one device.
type record struct {
	// Asleep and Power are what it was last told, or was found at; Known says either is so.
	Asleep bool                 `json:"asleep,omitzero"`
	Power  site.Opt[unit.Power] `json:"power,omitzero"`
	Known  bool                 `json:"known,omitzero"`

	Phase     phase       `json:"phase,omitzero"`
	SentAt    time.Time   `json:"sent_at,omitzero"`
	AckedAt   time.Time   `json:"acked_at,omitzero"`   // or when the try failed: readings from then on count
	SettledAt time.Time   `json:"settled_at,omitzero"` // when what was told was confirmed or found
	NextTry   time.Time   `json:"next_try,omitzero"`
	Tries     int         `json:"tries,omitzero"` // failed, since the last confirmation
	Reason    site.Reason `json:"reason,omitzero"`
	Plan      site.PlanID `json:"plan,omitzero"`

	SwitchedAt time.Time `json:"switched_at,omitzero"` // its mode last changed
	TrimmedAt  time.Time `json:"trimmed_at,omitzero"`  // its power target last changed

	ByHand        bool      `json:"by_hand,omitzero"`
	Quarantined   bool      `json:"quarantined,omitzero"`
	QuarantinedAt time.Time `json:"quarantined_at,omitzero"`
	Note          string    `json:"note,omitzero"` // why it is in quarantine
	DriftFrom     time.Time `json:"drift_from,omitzero"`
	Drifts        int       `json:"drifts,omitzero"` // since DriftFrom

	seen    bool // a reading of after the start has come
	offered bool // the last step reported it as free
	waiting site.Code
}

// pending says that a command is on its way or being retried.
func (r *record) pending() bool { return r.Phase != idle }

func (r *record) mode() site.Mode {
	if r.Asleep {
		return site.ModeSleep
	}
	return site.ModeRun
}

func (r *record) setpoint() site.Setpoint { return site.Setpoint{Mode: r.mode(), Power: r.Power} }

// start is one device told to start, for the inrush allowances. It names its node, because
// the tree may be another after a restart.
type start struct {
	At    time.Time   `json:"at"`
	Node  site.NodeID `json:"node"`
	Power unit.Power  `json:"power"`
}

type wire struct {
	Version int                       `json:"version"`
	Last    time.Time                 `json:"last"`
	Devices map[site.DeviceID]*record `json:"devices"`
	Starts  []start                   `json:"starts"`
}

const wireVersion = 1

// MarshalJSON writes the state.
func (s *State) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire{Version: wireVersion, Last: s.last, Devices: s.records, Starts: s.starts})
}

// UnmarshalJSON takes up a state that was written before a restart. Commands that were on
// their way then count as of unknown fate: their devices are read before anything is told.
func (s *State) UnmarshalJSON(b []byte) error {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("read the state of the devices: %w", err)
	}
	if w.Version != wireVersion {
		return fmt.Errorf("read the state of the devices: version %d, want %d", w.Version, wireVersion)
	}
	for id, r := range w.Devices {
		if r == nil || r.Phase > pause || r.Tries < 0 {
			return fmt.Errorf("read the state of device %s: not a record", id)
		}
	}
	*s = State{records: w.Devices, starts: w.Starts, last: w.Last, restored: w.Last}
	return nil
}

// Release gives a device that was found asleep, or that is in quarantine, back to its group:
// a person says that it may be told again. It reports whether there was anything to release.
func (s *State) Release(id site.DeviceID) bool {
	r := s.records[id]
	if r == nil || !r.ByHand && !r.Quarantined {
		return false
	}
	r.ByHand, r.Quarantined, r.Note = false, false, ""
	r.Phase, r.Tries, r.Drifts = idle, 0, 0
	return true
}

// record returns what is remembered of a device, new if nothing is.
func (s *State) record(id site.DeviceID) *record {
	r := s.records[id]
	if r == nil {
		r = &record{}
		if s.records == nil {
			s.records = map[site.DeviceID]*record{}
		}
		s.records[id] = r
	}
	return r
}

// forget drops records of devices that are gone for good, so that years of changed site
// files do not pile up. A device that only left for a while keeps its record.
func (s *State) forget(devices []Device) {
	if len(s.records) <= 2*len(devices)+1000 {
		return
	}
	here := make(map[site.DeviceID]*record, len(devices))
	for i := range devices {
		if r := s.records[devices[i].ID]; r != nil {
			here[devices[i].ID] = r
		}
	}
	s.records = here
}
