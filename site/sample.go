package site

import (
	"time"

	"switchyard/unit"
)

// Opt is a value that may not be known. The zero Opt is unknown: unknown is not zero.
type Opt[T any] struct {
	V  T
	OK bool
}

// Some makes a known value.
func Some[T any](v T) Opt[T] { return Opt[T]{V: v, OK: true} }

// Or returns the value, or d where it is unknown.
func (o Opt[T]) Or(d T) T {
	if o.OK {
		return o.V
	}
	return d
}

// State is what a miner does, as it says itself.
type State uint8

// The states of a miner. A meter's state is StateUnknown.
const (
	StateUnknown  State = iota
	StateHashing        // at work, or on its way there
	StateStarting       // told to work and not hashing yet
	StateSleeping       // told to rest: draws standby power
	StateFault          // wants to work and cannot
)

var stateNames = [...]string{"unknown", "hashing", "starting", "sleeping", "fault"}

// String returns the state's name.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Quality says how a figure was come by.
type Quality uint8

// The qualities, best first.
const (
	Measured Quality = iota
	Estimated
	Missing
)

var qualityNames = [...]string{"measured", "estimated", "missing"}

// String returns the quality's name.
func (q Quality) String() string { return qualityNames[min(int(q), 2)] }

// MarshalText writes the quality's name.
func (q Quality) MarshalText() ([]byte, error) { return []byte(q.String()), nil }

// Board is one hashboard of a miner.
type Board struct {
	Hashrate Opt[unit.Hashrate]
	ChipTemp Opt[float64] // hottest chip, deg C
	PCBTemp  Opt[float64] // hottest spot of the board, deg C
	Chips    Opt[int]
	Working  bool
}

// Pool is one mining pool that a miner is told to work for.
type Pool struct {
	URL, Worker string
	Active      bool
}

// Identity is what does not change from one reading to the next. Empty means not told.
type Identity struct {
	Make, Model, Firmware, Serial, MAC string
}

// Sample is all that one poll of a device gave. Fields that the device did not tell stay unknown.
type Sample struct {
	Device DeviceID
	// Asked and At are site time when the poll began and when its last byte came: the
	// reading is true of some moment between them.
	Asked, At time.Time
	Identity  Identity
	State     State
	Power     Opt[unit.Power] // entering the device or meter; positive when consumed
	// Target is the power limit or target the firmware says it obeys; unknown if it has none.
	Target   Opt[unit.Power]
	Hashrate Opt[unit.Hashrate] // as new as the firmware gives, usually a 5 s mean
	Energy   Opt[unit.Energy]   // cumulative register of a meter; may wrap or restart
	Boards   []Board
	Fans     []int        // rpm
	Intake   Opt[float64] // deg C
	Pools    []Pool
	Profile  string             // the firmware's profile in force; empty if it has none or does not tell
	Outlets  []Outlet           // of a power distribution unit
	Uptime   Opt[time.Duration] // since the mining process or the device started
	Faults   []string           // as the firmware names them
}

// Range is a closed range of power.
type Range struct{ Min, Max unit.Power }

// Capabilities is what a device can do, as data.
type Capabilities struct {
	Identity Identity
	// Sleep says that it can stop hashing and stay reachable.
	Sleep bool
	// Watts is the range of power targets it takes; unknown if it takes none.
	Watts Opt[Range]
	// Levels are the only power targets it takes, ascending, where it knows a few profiles and
	// nothing between; a target is rounded down to one. Empty: any within Watts.
	Levels []unit.Power
	// Profiles are the operating points it offers by name; empty if none or not told.
	Profiles []Profile
	// Acts is what else it can be told.
	Acts ActSet
	// Percent says that it takes a share of its nameplate, from MinPercent up.
	Percent    bool
	MinPercent int
	// Nameplate is the power at full work, from the device or its model; unknown if neither tells.
	Nameplate Opt[unit.Power]
	// Standby is the power it draws asleep.
	Standby unit.Power
	// SleepTime and WakeTime are how long the firmware usually takes to reach standby and
	// full power once it acknowledged.
	SleepTime, WakeTime time.Duration
	// EnergyWraps is the value at which a meter's energy register starts again at zero; zero if unknown.
	EnergyWraps unit.Energy
}

// Style names how finely a device can be controlled: "watts", "percent", "mode" or "read-only".
func (c Capabilities) Style() string {
	switch {
	case c.Watts.OK:
		return "watts"
	case c.Percent:
		return "percent"
	case c.Sleep:
		return "mode"
	}
	return "read-only"
}
