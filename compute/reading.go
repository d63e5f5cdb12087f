package compute

import (
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// GPU is what one GPU says of itself.
type GPU struct {
	Index int
	UUID  string // empty if not told
	Model string // as its driver names it
	Power site.Opt[unit.Power]
	// Energy is its own counter since the driver was loaded; it may start again at zero.
	Energy site.Opt[unit.Energy]
	// Limit is the cap in force, Default the one without ours, Least and Most what the driver takes.
	Limit, Default, Least, Most site.Opt[unit.Power]
	Use                         site.Opt[float64] // of its time with work on it, 0 to 1
	Temp                        site.Opt[float64] // deg C
	// Job, Namespace and Pod are whose work is on it, where the source tells.
	Job, Namespace, Pod string
	Faults              []string // as the driver names them: XID errors, lost from the bus
}

// Reading is what one node said of itself: its GPUs and, where it is measured, all of it.
type Reading struct {
	Node      string
	Asked, At time.Time // site time
	// Power and Energy are of the whole node, from its power supplies or its outlets.
	Power  site.Opt[unit.Power]
	Energy site.Opt[unit.Energy]
	GPUs   []GPU
	// Lease is until when the cap in force holds; zero: no cap of ours.
	Lease time.Time
	// Safe says that a lease of ours ended unrenewed: the node holds its safe cap until it is told again.
	Safe bool
	// Notes tell of what the source said and could not be: it is left out, and so unknown.
	Notes  []string
	Source string // "agent", "dcgm-exporter", "redfish", "pdu"
}
