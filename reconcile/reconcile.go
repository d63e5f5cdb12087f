// Package reconcile owns the step from wanted to told: which devices of a group serve its
// award, in which waves they start, what each device was told, whether it obeyed, and what
// is done when it did not (retry, quarantine). It keeps what a person put to sleep asleep
// and what a person holds held.
//
// It never reads a clock, the network, the disk or a log, and never talks to a device: the
// caller sends the commands and brings back acknowledgements and readings.
//
// Concurrency: a State belongs to one goroutine at a time. An Output shares nothing with it.
package reconcile

import (
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Device is what the step knows of one miner.
type Device struct {
	ID   site.DeviceID
	Load site.LoadID
	Node int // index in the tree
	Caps site.Capabilities
	// Last is the newest reading; its Asked and At say how old it is.
	Last site.Opt[site.Sample]
	// Nameplate is the power at full work and Standby asleep; Hashrate is the nameplate's.
	Nameplate, Standby unit.Power
	Hashrate           unit.Hashrate
	// MinRest and MinRun are how long it stays asleep and awake at the least, once switched
	// for money. A limit breaks MinRun; nothing but a person's hold breaks MinRest.
	MinRest, MinRun time.Duration
	// Unreachable says that the last polls failed: Last is not to be believed as present.
	Unreachable bool
}

// AckKind is how a device, or the way to it, answered a command.
type AckKind uint8

// The kinds of answer.
const (
	AckOK           AckKind = iota // it said yes; the next reading will tell
	AckUnreachable                 // no sensible answer; it may have been obeyed
	AckRefused                     // it understood and said no
	AckUnauthorized                // the credentials are wrong
	AckUnsupported                 // it cannot do this
)

// Ack is the answer to one command.
type Ack struct {
	Device site.DeviceID
	// Sent is the Command's At: an answer to a command that a newer one replaced says
	// nothing of the newer. Zero means the newest.
	Sent time.Time
	At   time.Time // when the answer came, site time
	Kind AckKind
	Text string // what was seen, for the journal
}

// Policy is how patient the step is.
type Policy struct {
	// Confirm is how long after the acknowledgement, beyond the firmware's own time, a reading may
	// take to confirm a command, and how long an acknowledgement may take. Default 60 s.
	Confirm time.Duration
	// Retries is how often a command is told again before quarantine. Default 3.
	Retries int
	// Settle is how long an award must have stood before devices are started for it; less
	// power is obeyed at once. Default 2 min; negative means none.
	Settle time.Duration
	// Fresh is how old a reading may be for its device to be told anything. Default 2 min.
	Fresh time.Duration
	// Quarantine is the pause before a quarantined device is tried again; it grows to two hours
	// the longer it does not obey. Default 10 min.
	Quarantine time.Duration
}

// Input is everything one step looks at.
type Input struct {
	At      time.Time
	Plan    site.PlanID
	Tree    *site.Tree
	Devices []Device
	// Awards by load, cleared from what the last Output reported: a device that has become
	// free since follows from the next step on. A load without an award, or whose award was
	// asked for nothing (Full zero), is left as it is.
	Awards map[site.LoadID]site.Award
	Holds  map[site.DeviceID]site.Hold
	// Told are commands of others (the limiter). Best they are passed in the step of the same
	// moment and sent after the State was saved: a device that was sent to sleep and whose
	// command is in no saved State is taken after a crash for one that a person put to sleep.
	Told   []site.Command
	Acked  []Ack
	Policy Policy
}

// EventKind is what happened to a device or its command.
type EventKind string

// The kinds of event.
const (
	EventSent        EventKind = "sent"
	EventAcked       EventKind = "acked"
	EventConfirmed   EventKind = "confirmed"
	EventFailed      EventKind = "failed"     // one try; the text says what comes next
	EventSuperseded  EventKind = "superseded" // a newer command took its place
	EventQuarantined EventKind = "quarantined"
	EventReleased    EventKind = "released" // from quarantine, or from a person's sleep
	EventDrift       EventKind = "drift"
	EventFoundAsleep EventKind = "found-asleep"
)

// Event is one line for the journal.
type Event struct {
	At     time.Time
	Device site.DeviceID
	Kind   EventKind
	Plan   site.PlanID // of the command it belongs to; zero if none
	// Command is the command's At, so that the journal can chain a command's events; zero if none.
	Command time.Time
	Reason  site.Reason // of the command; zero if none
	Text    string
	// State and Power are what the newest reading said.
	State site.State
	Power site.Opt[unit.Power]
}

// LoadStatus is what a group can give the next clearing.
type LoadStatus struct {
	// Available is what the devices that are free to follow an award would draw above
	// standby if all were awake: the sum of the blocks to offer.
	Available unit.Power
	// Fixed is drawn whatever is awarded: standby of the free ones, and all of those that are
	// held, asleep by a person's hand, quarantined, unreachable or read-only.
	Fixed unit.Power
	// Running is what the free devices that are told to run are expected to draw above
	// standby; it follows the award. Falling was told to rest and is still drawn.
	Running, Falling unit.Power
	Awake, Asleep    int // by the newest reading, or what was told where there is none
	Quarantined      int
	Held             int // by a person, found asleep included
	Unreachable      int
	Pending          int // told and not confirmed
	Waiting          int // wanted awake, and kept by rest or inrush
}

// DeviceStatus is how one device stands after the step, in the order of Input.Devices.
type DeviceStatus struct {
	// Mode is what it was last told, or found at; Known says that either is so.
	Mode  site.Mode
	Known bool
	// Counted is what it is taken to draw now: its reading, or nameplate where unknown and not known asleep.
	Counted unit.Power
	// Expected is what it draws, or would draw, at full work.
	Expected unit.Power
	// Falling was told to rest and is still drawn: Counted above standby.
	Falling unit.Power
	// Sheddable says that the limiter may tell it to rest: awake, controllable, free, not told already.
	Sheddable bool
	// Free says that it follows the award.
	Free        bool
	Pending     bool
	Held        bool // by a Hold
	ByHand      bool // found asleep: a person put it there
	Quarantined bool
	// Waiting is why it is not started although it is wanted: rest, wave, or empty.
	Waiting site.Code
	// Note is one sentence for people where something is out of the ordinary, else empty.
	Note string
}

// Output is what one step decided.
type Output struct {
	// Commands are to be sent now, and the State saved first: a command that is on its way
	// and not in the saved State would look like a person's doing after a restart.
	Commands []site.Command
	Events   []Event
	Loads    map[site.LoadID]LoadStatus
	Devices  []DeviceStatus
}
