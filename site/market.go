package site

import (
	"fmt"
	"time"

	"switchyard/unit"
)

// Class orders loads by what shedding them breaks.
type Class uint8

// The classes. Firm load is never shed while flexible load on the same path still draws.
const (
	Firm     Class = iota // a contract: its value is its penalty
	Flexible              // may be shed at its value
)

// String returns the class's name.
func (c Class) String() string { return [...]string{"firm", "flexible"}[min(c, 1)] }

// MarshalText writes the class's name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Block is an amount of power with one value.
type Block struct {
	Power unit.Power
	// Value is what a MWh is worth to the load, $/MWh: it wants the block while the price is at or below it.
	Value unit.Price
	// Held marks power that runs because it is sold as reserve: Value counts what lacking it costs.
	Held bool
}

// Offer is what one load wants for the coming interval.
type Offer struct {
	Load   LoadID
	Node   int // index in the tree
	Class  Class
	Blocks []Block // best value first
	// Guided says that the values count what a start or a stop costs and what the hours ahead
	// make of it, and not only what the interval earns.
	Guided bool
	// Fixed is power that the load draws whatever it is awarded: standby, devices that do
	// not obey, devices that a person holds awake. It is served before any block.
	Fixed unit.Power
}

// Code is the kind of a reason, stable for machines.
type Code string

// The reasons.
const (
	ReasonValue      Code = "value"      // worth more than the price
	ReasonPrice      Code = "price"      // the price is above the value
	ReasonLimit      Code = "limit"      // a node's limit binds
	ReasonFirm       Code = "firm"       // contracted load
	ReasonLimiter    Code = "limiter"    // a meter stood above its limit
	ReasonHold       Code = "hold"       // a person holds it
	ReasonRest       Code = "rest"       // minimum rest or run not over
	ReasonWave       Code = "wave"       // waits for the node's inrush allowance
	ReasonQuarantine Code = "quarantine" // does not obey
	ReasonLost       Code = "lost"       // price, meter or controller lost: the chosen state
	ReasonDrift      Code = "drift"      // it left the state it had confirmed
	ReasonStart      Code = "start"      // the controller has just started
)

// Reason says why an award or a command is as it is.
type Reason struct {
	Code Code   `json:"code"`
	Node NodeID `json:"node,omitempty"` // the binding node, with ReasonLimit and ReasonLimiter
	Text string `json:"text"`           // one sentence for people, with the figures
}

// Reasonf makes a Reason.
func Reasonf(c Code, node NodeID, format string, args ...any) Reason {
	return Reason{Code: c, Node: node, Text: fmt.Sprintf(format, args...)}
}

// Award is what one load was given.
type Award struct {
	Load   LoadID
	Power  unit.Power // of its blocks, without Fixed
	Full   unit.Power // what its blocks asked for
	Reason Reason
	// Urgent says that a limit and not the price cuts it: minimum run times do not count.
	Urgent bool
}

// PlanID numbers clearings; it only grows, also over restarts.
type PlanID int64

// Mode is whether a miner works or rests.
type Mode uint8

// The modes.
const (
	ModeRun Mode = iota
	ModeSleep
)

// String returns the mode's name.
func (m Mode) String() string { return [...]string{"run", "sleep"}[min(m, 1)] }

// MarshalText writes the mode's name.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Setpoint is what a device is told.
type Setpoint struct {
	Mode Mode
	// Power caps a device that takes watts or percent; unknown means full power.
	Power Opt[unit.Power]
}

// String prints the setpoint for people.
func (s Setpoint) String() string {
	if s.Mode == ModeRun && s.Power.OK {
		return "run at " + s.Power.V.Short()
	}
	return s.Mode.String()
}

// Command is a setpoint on its way to a device, with why and under which plan.
type Command struct {
	Device   DeviceID
	Setpoint Setpoint
	Reason   Reason
	Plan     PlanID
	At       time.Time // when it was decided, site time
}

// Limit is a bound on the power entering a node for a time: an operator's, or the grid's.
type Limit struct {
	ID       string
	Node     NodeID
	Power    unit.Power
	From, To time.Time // To zero: until cleared
	By       string    // who set it
	Note     string
}

// In says whether the limit holds at t.
func (l Limit) In(t time.Time) bool {
	return !t.Before(l.From) && (l.To.IsZero() || t.Before(l.To))
}

// Hold is a person's word that a device stays as it is or goes to a mode and stays there.
type Hold struct {
	Device DeviceID
	Mode   Mode
	By     string
	Note   string
	At     time.Time
}
