package compute

import (
	"fmt"
	"strings"
	"time"

	"switchyard/unit"
)

// Class says what of a job's work may bend when power is short.
type Class uint8

// The classes, from what never yields to what yields first.
const (
	Firm  Class = iota // contracted: only what its contract allows
	Semi               // a guaranteed minimum of GPUs is firm, the rest may be paused
	Cap                // may be slowed by a power cap, never paused
	Pause              // may be slowed and paused
	Spot               // may be stopped at any time
)

var classNames = [...]string{"firm", "semi", "cap", "pause", "spot"}

// Classes returns all classes, firmest first.
func Classes() []Class { return []Class{Firm, Semi, Cap, Pause, Spot} }

// String returns the class's name.
func (c Class) String() string { return classNames[min(int(c), len(classNames)-1)] }

// MarshalText writes the class's name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a class's name.
func (c *Class) UnmarshalText(b []byte) error {
	for _, k := range Classes() {
		if k.String() == string(b) {
			*c = k
			return nil
		}
	}
	return fmt.Errorf("%q is no class of work; it can be %s", b, strings.Join(classNames[:], ", "))
}

// Checkpoint is how a job saves its work when asked to.
type Checkpoint struct {
	// Signal is what asks for it ("USR1", "TERM"); empty: it saves by itself, every Every.
	Signal string `yaml:"signal"`
	// Takes is how long saving takes, as measured. Every is the time between two checkpoints
	// that it makes unasked; zero: it makes none.
	Takes time.Duration `yaml:"takes"`
	Every time.Duration `yaml:"every"`
}

// Terms are what may be asked of a class's jobs, and what it costs.
type Terms struct {
	Name  string // of the workload class, as the site file calls it
	Class Class
	// Queues are what the engine calls the queues or partitions whose jobs are of this class.
	Queues []string
	// Minimum is, for a semi class, how many of its GPUs are firm.
	Minimum int
	// Value is what a GPU-hour of its work earns; Penalty is what a MWh not delivered to the
	// firm part of it costs.
	Value   unit.Money
	Penalty unit.Price
	// Slowdown is the most that a cap may slow its work; zero: it may not be capped.
	Slowdown unit.Ratio
	// Pause is how long one of its jobs may be paused in each Per; zero: never.
	Pause, Per time.Duration
	// Notice is how long before a pause the job must be told. Checkpoint says how it saves its work.
	Notice     time.Duration
	Checkpoint Checkpoint
	// MinRun is how long a job runs at the least before it is paused (again). Restart is the
	// time from its release to work, RestartCost what a restart costs beyond it.
	MinRun      time.Duration
	Restart     time.Duration
	RestartCost unit.Money
}

// Bends says whether anything of the class may be capped or paused.
func (t Terms) Bends() bool { return t.Class != Firm && (t.Slowdown > 0 || t.Pauses()) }

// Pauses says whether its jobs may be paused or stopped.
func (t Terms) Pauses() bool {
	return t.Class == Spot || (t.Class == Pause || t.Class == Semi) && t.Pause > 0
}
