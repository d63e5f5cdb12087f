package gpuagent

import (
	"context"
	"fmt"
	"strings"

	"switchyard/compute"
	"switchyard/unit"
)

// Driver speaks with the GPUs of the machine that it runs on. Calls never overlap.
type Driver interface {
	// Name is the driver's name: "nvml".
	Name() string
	// GPUs reads every GPU. One that does not answer is in the list with a fault and nothing
	// else known; an error means that nothing could be read. It blocks on the hardware.
	GPUs(ctx context.Context) ([]compute.GPU, error)
	// SetLimit sets a GPU's power limit; p is within what the GPU takes. Its error wraps
	// compute.ErrRefused, ErrUnauthorized, ErrUnsupported or ErrUnreachable. It blocks on the hardware.
	SetLimit(ctx context.Context, g compute.GPU, p unit.Power) error
	// Close lets go of the GPUs and leaves their limits as they are.
	Close() error
}

// Key names a GPU for good: its UUID, or its index where it has told none.
func Key(g compute.GPU) string {
	if g.UUID != "" {
		return g.UUID
	}
	return fmt.Sprintf("index-%d", g.Index)
}

// lost says that a GPU does not answer: it has a fault and tells no limit.
func lost(g compute.GPU) bool { return len(g.Faults) > 0 && !g.Limit.OK }

// Held is what became of one GPU when a cap was set, kept or lifted.
type Held struct {
	Index int
	UUID  string
	// Set is the power limit that the driver took; zero where it took none. Original is what it
	// had before our first cap.
	Set, Original unit.Power
	// Clamped says that Set is not what was asked for: the driver takes no less (or no more), or
	// the GPU's original limit is lower.
	Clamped bool
	// Lost says that the GPU does not answer; Err why it is not held otherwise.
	Lost bool
	Err  string
}

// Outcome is what became of a node's GPUs.
type Outcome struct {
	GPUs []Held
	// Warning is what a person should know although the GPUs are held: the state is not on disk.
	Warning string
}

// Refused returns why some GPUs are not held although they answer; nil if all are. GPUs that
// are lost are no refusal: no driver can hold them, and the reading shows their fault.
func (o Outcome) Refused() error {
	var why []string
	for _, g := range o.GPUs {
		if g.Err != "" && !g.Lost {
			why = append(why, fmt.Sprintf("GPU %d: %s", g.Index, g.Err))
		}
	}
	if len(why) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d GPUs are not held: %s: %w", len(why), len(o.GPUs), strings.Join(why, "; "), compute.ErrRefused)
}
